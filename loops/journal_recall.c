/*
 * loops/journal_recall.c - what former runs have done above their stored positions, and what they
 * left in the journal: it comes again with the first difference, and is not to be handled again.
 *
 * Loaded once, bounded, and each name forgotten when it has come: the engine brings it once. A
 * message that comes with another content than it was handled with is an edit that a difference has
 * folded into it.
 *
 * Owns: the names. Never: asks the storage.
 */
#include "loops/journal_internal.h"
#include "sequence/walk.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SLAB 64

static uint64_t key_of(const gap_eid_t *eid)
{
    uint64_t key = gap_load64(eid->bytes);

    return key == 0 ? 1 : key;
}

struct gap_recalled *gap_recall_find(const gap_journal_t *j, const gap_eid_t *eid)
{
    struct gap_recalled *r = gap_map_get(&j->recall.map, key_of(eid));

    return r != NULL && memcmp(&r->eid, eid, sizeof *eid) == 0 ? r : NULL;
}

void gap_recall_forget(gap_journal_t *j, struct gap_recalled *r)
{
    (void)gap_map_remove(&j->recall.map, key_of(&r->eid));
    gap_pool_put(&j->recall.pool, r);
}

static int add(gap_journal_t *j, const gap_eid_t *eid, uint64_t content, bool done)
{
    struct gap_recall *c = &j->recall;

    if (gap_eid_is_none(eid)) return 0;
    struct gap_recalled *r = gap_map_get(&c->map, key_of(eid));
    if (r == NULL) {
        if (c->map.count >= GAP_JOURNAL_RECALL_MAX) return 0;
        r = gap_pool_get(&c->pool);
        if (r == NULL) return GAP_E_NOMEM;
        if (gap_map_set(&c->map, key_of(eid), r) < 0) {
            gap_pool_put(&c->pool, r);
            return GAP_E_NOMEM;
        }
        r->done = false;
    }
    r->eid = *eid;
    r->content = content;
    r->done = r->done || done;
    return 0;
}

int gap_recall_init(gap_journal_t *j, const struct gap_journal_config *c)
{
    int r = 0;

    gap_map_init(&j->recall.map, j->alloc);
    gap_pool_init(&j->recall.pool, j->alloc, sizeof(struct gap_recalled), SLAB);
    for (size_t i = 0; i < c->done_count && r == 0; i++)
        r = add(j, &c->dones[i].eid, c->dones[i].content, true);
    for (size_t i = 0; i < c->inbox_count && r == 0; i++)
        r = add(j, &c->inbox[i].eid, c->inbox[i].content, false);
    return r;
}

void gap_recall_fini(gap_journal_t *j)
{
    gap_map_fini(&j->recall.map);
    gap_pool_fini(&j->recall.pool);
}

int32_t gap_journal_until(const gap_journal_t *j, gap_box_t box, int64_t channel_id, int32_t before)
{
    int32_t mark = j->engine == NULL ? INT32_MAX : gap_engine_mark(j->engine, box, channel_id);
    return mark == INT32_MAX || mark < before ? before : mark;
}

/* A bare message, or the update around one, is delivered as the edit that the answer has folded
 * into it. */
static void make_edit(gap_update_t *u)
{
    bool edit;
    bool channel = u->box == GAP_BOX_CHANNEL;

    if ((u->flags & GAP_ITEM_MESSAGE) == 0) {
        gap_bytes_t message = gap_update_message_at(u->id, u->bytes, &edit);
        const uint8_t *at = message.data;
        if (gap_tl_pass(&at, message.data + message.len, 0, 1) < 0) return; /* it has been read */
        u->bytes = gap_bytes(message.data, (size_t)(at - message.data));
        u->flags |= GAP_ITEM_MESSAGE;
    }
    u->id = channel ? GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE : GAP_TL_UPDATE_EDIT_MESSAGE;
}

bool gap_recall_had(gap_journal_t *j, gap_update_t *u)
{
    struct gap_identity name;
    gap_eid_t as_edit;

    if (gap_eid_of(u, &j->key, &name) < 0 || !name.has) return false;
    struct gap_recalled *known = gap_recall_find(j, &name.eid);
    if (known == NULL) return false;
    bool same = known->content == name.content;
    gap_recall_forget(j, known);
    if (!same && name.is_message && !name.is_edit) {
        /* Its edit to what it is now may have been handled, too. That one may come by itself with
         * a later part of the answer, so its name is kept. */
        if (!gap_eid_as_edit(u, &j->key, &name, &as_edit)) return true;
        known = gap_recall_find(j, &as_edit);
        if (known == NULL) {
            (void)!add(j, &as_edit, name.content, true); /* without memory it comes twice */
            make_edit(u);
            j->count.edits++;
            return false;
        }
    }
    j->count.skipped++;
    return true;
}
