/*
 * outbox/sql_post_row.c - a post's row on its way: what it sends when its turn has come, and what
 * follows from the outcome.
 *
 * An address is the old message's until the new one is there, so that posts that link to it are
 * edited once. A first address counts as a change of its own, one of a post that was sent anew as
 * following from what sent it: two that are deleted over and over come to an end. A post that is
 * marked is rendered at its claim, too: of two that link to each other the second goes out right.
 *
 * Never: fails because of what people wrote into the tables; looks at the clock.
 */
#include "outbox/sql_post.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/content.h"
#include "outbox/sql_schema.h"

/* --- claiming --------------------------------------------------------------------------------- */

static int settle(struct gap_post_claim *out, enum gap_post_verdict verdict, const char *reason)
{
    out->verdict = verdict;
    out->reason = reason;
    return 0;
}

/* Is this row the one that acts for its post? One that was cancelled, or given up, and has been
 * called back by people may take the place of the one that did. */
static int take_place(sqlite3 *db, struct gap_post_record *p, int64_t row, bool *ours)
{
    enum gap_post_life life;
    const int64_t pair[] = {p->post, row};

    *ours = p->row == row;
    if (*ours) return SQLITE_OK;
    int rc = gap_post_row_life(db, p->post, p->row, &life);
    if (rc != SQLITE_OK) return rc;
    *ours = life != GAP_POST_LIFE_WAITS && life != GAP_POST_LIFE_BEGUN;
    if (!*ours) return SQLITE_OK;
    p->row = row;
    return gap_outbox_do(db, "UPDATE main.gapless_outbox_post SET row = ?2 WHERE post = ?1", pair,
                         2);
}

/* A first sending has the post's random_id: a row that is older than that, or was changed by hand,
 * gives way to a new one. */
static int replace_stale(sqlite3 *db, struct gap_post_record *p, int64_t row, bool *stale)
{
    int64_t random_id = p->random_id;
    int rc = gap_outbox_number(db, "SELECT random_id FROM main.gapless_outbox WHERE row = ?1", &row,
                               1, &random_id);

    *stale = random_id != p->random_id;
    if (rc != SQLITE_OK || !*stale) return rc;
    return gap_post_row_write(db, p, true);
}

/* What was sent before, again: its random_id stands for that. */
static bool repeat(const struct gap_post_row *row, struct gap_item *space, gap_buf_t *payload,
                   struct gap_post_claim *out, int *rc)
{
    if (row->payload.len == 0 || row->hash.len != sizeof out->hash ||
        gap_item_unpack(row->payload, space) != 0 ||
        (space->item.kind != GAP_OUTBOX_SEND && space->item.kind != GAP_OUTBOX_MEDIA))
        return false;
    *rc = gap_buf_append(payload, row->payload.data, row->payload.len);
    out->kind = space->item.kind;
    memcpy(out->hash, row->hash.data, sizeof out->hash);
    return true;
}

/* The newest content, as an item. */
static int pack_newest(const struct gap_post_record *p, struct gap_content *space,
                       gap_buf_t *payload, struct gap_post_claim *out)
{
    gap_outbox_item_t item = {.chat = gap_outbox_peer(p->chat)};
    int rc = gap_content_unpack(p->content, space);

    if (rc != 0) return settle(out, GAP_POST_PARK, gap_item_reason(rc));
    item.content = space->content;
    if (p->message_id != 0) {
        item.kind = GAP_OUTBOX_EDIT;
        item.ids = &p->message_id;
        item.id_count = 1;
        item.content.silent = false; /* sending only */
        item.content.protect = false;
    } else {
        item.kind = gap_content_kind(&item.content);
        item.reply_to = p->reply_to;
    }
    rc = gap_item_pack(&item, payload);
    if (rc == GAP_E_NOMEM) return rc;
    if (rc != 0)
        return settle(out, GAP_POST_PARK,
                      "its post's content can't be sent: give it another one with gap_post_upsert");
    out->kind = item.kind;
    memcpy(out->hash, p->hash, sizeof out->hash);
    return 0;
}

/* There is no message yet. */
static int claim_send(const struct gap_post_record *p, const struct gap_post_row *row,
                      gap_buf_t *payload, struct gap_post_claim *out)
{
    union {
        struct gap_item item;
        struct gap_content content;
    } space;
    int rc = 0;

    if (p->frozen != 0)
        return settle(out, GAP_POST_CANCEL, "its post is left as it is, by its policy");
    if (p->doubt && repeat(row, &space.item, payload, out, &rc)) return rc;
    if (!p->has_hash)
        return settle(out, GAP_POST_PARK,
                      "its post has no content yet: give it one with gap_post_upsert");
    rc = pack_newest(p, &space.content, payload, out);
    /* The server may answer with the message that it has, whatever that holds. */
    if (rc == 0 && p->doubt) memcpy(out->hash, gap_post_hash_unknown, sizeof out->hash);
    return rc;
}

static int claim_edit(const struct gap_post_record *p, gap_buf_t *payload,
                      struct gap_post_claim *out)
{
    struct gap_content space;
    struct gap_post_facts facts = gap_post_facts(p, GAP_POST_LIFE_BEGUN);

    out->message_id = p->message_id;
    if (p->removed) return settle(out, GAP_POST_CANCEL, "its post was removed");
    if (p->frozen != 0)
        return settle(out, GAP_POST_CANCEL, "its post is left as it is, by its policy");
    if (!p->has_hash || gap_post_in_step(&facts)) return settle(out, GAP_POST_NOTHING, NULL);
    return pack_newest(p, &space, payload, out);
}

static int claim(sqlite3 *db, const gap_alloc_t *alloc, struct gap_post_record *p,
                 const struct gap_post_row *row, gap_buf_t *payload, struct gap_post_claim *out)
{
    bool ours;
    int rc = take_place(db, p, row->row, &ours);

    if (rc != SQLITE_OK) return rc;
    if (!ours) return settle(out, GAP_POST_CANCEL, "another row of its post does it");
    if (row->begun && !p->doubt) {
        p->doubt = true;
        rc = gap_post_store_state(db, p);
        if (rc != SQLITE_OK) return rc;
    }
    /* What is known by now need not be put right by an edit. */
    rc = gap_post_refresh(db, alloc, p);
    if (rc != SQLITE_OK) return rc;
    if (p->message_id != 0) return claim_edit(p, payload, out);
    if (p->removed && !p->doubt) {
        rc = gap_post_forget(db, p->post);
        return rc == SQLITE_OK ? settle(out, GAP_POST_CANCEL, "its post was removed") : rc;
    }
    bool stale;
    rc = replace_stale(db, p, row->row, &stale);
    if (rc != SQLITE_OK) return rc;
    if (stale) return settle(out, GAP_POST_CANCEL, "a newer row of its post takes its place");
    return claim_send(p, row, payload, out);
}

int gap_post_claim(struct sqlite3 *db, const gap_alloc_t *alloc, const struct gap_post_row *row,
                   gap_buf_t *payload, struct gap_post_claim *out)
{
    struct gap_post_record p;
    int rc = gap_post_load(db, alloc, (gap_bytes_t){NULL, 0}, row->post, &p);

    memset(out, 0, sizeof *out);
    gap_buf_clear(payload);
    if (rc == GAP_E_NOT_FOUND) return settle(out, GAP_POST_CANCEL, "its post was removed");
    if (rc == GAP_E_DAMAGED)
        return settle(out, GAP_POST_PARK,
                      "its post can't be read: its line in gapless_outbox_post was changed");
    if (rc == 0) rc = claim(db, alloc, &p, row, payload, out);
    gap_post_record_fini(&p);
    return gap_outbox_result(rc);
}

/* --- outcomes --------------------------------------------------------------------------------- */

struct outcome {
    sqlite3 *db;
    struct gap_post_record p;
    const struct gap_post_row *row;
    int64_t now_us;
    struct gap_post_told *told;
    struct gap_post_finish *out;
};

static int cancelled(struct outcome *o, const char *reason)
{
    o->out->state = GAP_OUTBOX_CANCELLED;
    o->out->reason = reason;
    return SQLITE_OK;
}

/* Something else is wanted by now? The row that was keeps the outcome that it had. */
static int go_on(struct outcome *o)
{
    struct gap_post_facts facts = gap_post_facts(&o->p, GAP_POST_LIFE_OVER);

    if (!gap_post_needs_row(&facts, GAP_POST_BY_OUTCOME)) return SQLITE_OK;
    int rc = gap_post_row_write(o->db, &o->p, true);
    if (rc == SQLITE_OK && o->told != NULL) o->told->rows++;
    return rc;
}

/* What the row carried is what the message holds. */
static void acknowledge(struct outcome *o)
{
    struct gap_post_record *p = &o->p;
    bool known = o->row->hash.len == sizeof p->sent &&
                 memcmp(o->row->hash.data, gap_post_hash_unknown, sizeof p->sent) != 0;

    p->has_sent = known;
    if (known) memcpy(p->sent, o->row->hash.data, sizeof p->sent);
    p->doubt = false;
    p->row = 0;
    p->revision++;
}

static int sent(struct outcome *o, int32_t message_id)
{
    struct gap_post_record *p = &o->p;
    bool first = p->message_id == 0;

    if (first && message_id <= 0) return SQLITE_OK; /* a row for people: nothing is known */
    if (p->removed) {
        int rc = gap_post_row_delete(o->db, p, first ? message_id : p->message_id);
        if (rc == SQLITE_OK && o->told != NULL) o->told->rows++;
        return rc == SQLITE_OK ? gap_post_forget(o->db, p->post) : rc;
    }
    acknowledge(o);
    /* A post is sent for the first time once; anew it may be sent over and over. */
    int generation = p->previous == 0 ? 1 : p->generation + 1;
    if (first) {
        p->message_id = message_id;
        p->previous = 0;
        p->reply_to = 0;
    }
    int rc = gap_post_store_state(o->db, p);
    if (rc == SQLITE_OK && first)
        rc = gap_post_mark(o->db, p->key, GAP_POST_CHANGED(GAP_POST_SHOWS_LINK), generation,
                           o->now_us, o->told);
    return rc == SQLITE_OK ? go_on(o) : rc;
}

/* The message can't be edited any more. */
static int lost(struct outcome *o, bool gone)
{
    struct gap_post_record *p = &o->p;

    if (p->message_id == 0) return SQLITE_OK; /* it was no edit: people have to look */
    enum gap_post_way way = gap_post_way(gone, gone ? p->if_gone : p->if_expired);
    gap_post_turn(p, way, gone);
    int rc = gap_post_store_state(o->db, p);
    if (rc == SQLITE_OK) rc = go_on(o);
    if (rc != SQLITE_OK) return rc;
    if (way == GAP_POST_WAY_FREEZE)
        return cancelled(o, gone ? "the message was deleted: its post is left so, by its policy"
                                 : "the message is too old to be edited: its post is left as it is,"
                                   " by its policy");
    return cancelled(o, gone ? "the message was deleted: its post is sent anew"
                             : "the message is too old to be edited: its post is sent anew");
}

/* It was refused for good, or until people do something. */
static int refused(struct outcome *o, bool for_chat)
{
    struct gap_post_record *p = &o->p;
    bool other = !p->has_hash || o->row->hash.len != sizeof p->hash ||
                 memcmp(o->row->hash.data, p->hash, sizeof p->hash) != 0;

    if (p->removed && !p->doubt && p->message_id == 0) {
        int rc = gap_post_forget(o->db, p->post);
        return rc == SQLITE_OK ? cancelled(o, "its post was removed") : rc;
    }
    /* What it could not send is not wanted any more. Of a parked chat the same row goes on. */
    if (!other || for_chat || p->removed || (p->doubt && p->message_id == 0)) return SQLITE_OK;
    return go_on(o);
}

static int doubt(struct outcome *o)
{
    if (o->p.doubt) return SQLITE_OK;
    o->p.doubt = true;
    return gap_post_store_state(o->db, &o->p);
}

static int finish(struct outcome *o, enum gap_post_end end, int32_t message_id)
{
    if (o->p.row != o->row->row) return SQLITE_OK; /* it does not act for its post */
    switch (end) {
    case GAP_POST_SENT:
        return sent(o, message_id);
    case GAP_POST_SAME:
        return o->p.message_id != 0 ? sent(o, o->p.message_id) : SQLITE_OK;
    case GAP_POST_UNKNOWN:
        return doubt(o);
    case GAP_POST_AGAIN:
        if (o->p.removed && !o->p.doubt && o->p.message_id == 0) return refused(o, false);
        return SQLITE_OK;
    case GAP_POST_GONE:
    case GAP_POST_EXPIRED:
        return lost(o, end == GAP_POST_GONE);
    case GAP_POST_ROW_BAD:
    case GAP_POST_CHAT_BAD:
        return refused(o, end == GAP_POST_CHAT_BAD);
    }
    return SQLITE_OK;
}

int gap_post_finished(struct sqlite3 *db, const gap_alloc_t *alloc, const struct gap_post_row *row,
                      enum gap_post_end end, int32_t message_id, int64_t now_us,
                      struct gap_post_told *told, struct gap_post_finish *out)
{
    struct outcome o = {.db = db, .row = row, .now_us = now_us, .told = told, .out = out};
    int rc = gap_post_load(db, alloc, (gap_bytes_t){NULL, 0}, row->post, &o.p);

    memset(out, 0, sizeof *out);
    if (rc == GAP_E_NOT_FOUND && end != GAP_POST_SENT && end != GAP_POST_SAME)
        return cancelled(&o, "its post was removed");
    if (rc == GAP_E_NOT_FOUND || rc == GAP_E_DAMAGED) return 0;
    if (rc == 0) rc = finish(&o, end, message_id);
    gap_post_record_fini(&o.p);
    return gap_outbox_result(rc);
}
