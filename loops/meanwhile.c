/*
 * loops/meanwhile.c - what a sequence does while its question is on its way.
 *
 *   it is held:   mode FETCHING until the answer has been delivered
 *   it goes on (gap_engine_config.gap_continue): what fits is applied, and new messages among it
 *                 are remembered; then it is held for as long as the answer is being delivered,
 *                 of which what had been applied is left out
 *
 * An answer tells of everything from where the question began. Messages in it are told apart by
 * their ids. Everything else (edits, deletes, pins, read marks, what qts counts) has no identity in
 * an answer: at the first such update that fits, the sequence is held. So whatever else the answer
 * brings is new; and where it leads to is compared with where the sequence stands, which covers all
 * of it if it stands higher.
 *
 * A message that was applied and edited since comes in the answer as it is now: it is delivered as
 * an edit, unless the answer brings the edits themselves; and if a later slice brings that edit, it
 * is left out.
 *
 * Owns: the memory of messages. Never: asks, judges an order.
 */
#include "loops/engine_internal.h"

#include "sequence/walk.h"

/* ---- the question ---- */

static bool may_go_on(const struct gap_feed *f)
{
    const gap_engine_t *e = f->engine;
    const struct gap_updater *u = f->updater;

    if (!e->config.gap_continue || f->keep || u->anew || u->probe || u->under_way || u->parts)
        return false;
    if (gap_updater_is_common(u) && !e->fetched_once) return false;
    return f->track->core.position > 0 && !f->track->restored;
}

static void forget(struct gap_feed *f)
{
    f->track->goes_on = false;
    f->moved = false;
    if (f->applied == NULL) return;
    gap_pool_put(&f->engine->applied, f->applied);
    f->applied = NULL;
}

void gap_feed_ordered(struct gap_feed *f)
{
    if (!may_go_on(f)) gap_feed_freeze(f);
}

/* An account that begins took the server's word for where the channel stands: it asks from the
 * lowest of what has come, be it held or waiting for its turn. */
static void begin_lower(struct gap_feed *f)
{
    gap_sequence_t *core = &f->track->core;
    const struct gap_node *first = gap_held_first(&f->held);

    if (!f->track->hearsay || core->position == 0) return;
    int32_t lowest = f->track->queued > 0 ? gap_mark_beginning(f->engine, f->track) : 0;
    if (lowest > 0 && lowest < core->position) core->position = lowest;
    lowest = first == NULL ? 0 : first->update.pts - first->update.pts_count;
    if (lowest > 0 && lowest < core->position) core->position = lowest;
}

void gap_feed_asked(struct gap_feed *f)
{
    if (!f->updater->parts) forget(f);
    if (!f->updater->under_way) begin_lower(f);
    f->track->behind = 0;
    f->dropped_to = f->dropped_from = 0;
    if (may_go_on(f)) {
        if (f->held.count > 0) f->track->hearsay = false; /* it has begun with what is held */
        f->track->goes_on = true;
    } else {
        gap_feed_freeze(f);
    }
    if (!f->updater->under_way) f->asked_at = f->track->core.position;
    const struct gap_node *first = gap_held_first(&f->held);
    f->asked_to = first == NULL ? f->until : first->update.pts - first->update.pts_count;
    f->asked_hole = f->held.count > 0 || f->until > f->track->core.position;
    f->asked_keep = f->keep;
    f->expired = false;
}

void gap_feed_answered(struct gap_feed *f)
{
    if (!f->updater->under_way) gap_feed_settle(f->engine, f->track);
    gap_feed_freeze(f);
    if (!f->updater->under_way) gap_feed_begin(f);
    f->moved = !f->updater->under_way && f->track->core.position != f->asked_at;
    if (f->updater->parts && f->applied != NULL) f->moved = true;
}

void gap_feed_settled(struct gap_feed *f)
{
    forget(f);
    f->asked_hole = false;
    if (f->asked_keep) f->keep = f->asked_keep = false;
}

/* ---- what is applied meanwhile ---- */

static bool is_new_message(const struct gap_node *n)
{
    return n->kind == NODE_UPDATE && gap_watch_message(&n->update) != NULL;
}

bool gap_meanwhile_may(struct gap_feed *f, const struct gap_node *n)
{
    const gap_update_t *u = &n->update;
    int32_t position = f->track->core.position;

    if (n->kind != NODE_UPDATE || u->pts <= 0 || (u->flags & GAP_ITEM_NO_COUNT) != 0) return true;
    /* The server counts anew: that has to be seen in the light of the answer. */
    if (position - u->pts > GAP_RESET_DROP_CHANNEL) return false;
    if ((int64_t)u->pts - u->pts_count != position) return true;
    if (!is_new_message(n)) return false;
    if (f->applied == NULL) {
        f->applied = gap_pool_get(&f->engine->applied);
        if (f->applied == NULL) return false;
        gap_applied_init(f->applied);
    }
    return !gap_applied_is_full(f->applied);
}

void gap_meanwhile_applied(struct gap_feed *f, const struct gap_node *n)
{
    const uint8_t *message = gap_watch_message(&n->update);
    struct gap_print print;

    if (!is_new_message(n) || f->applied == NULL) return;
    size_t len = n->update.bytes.len - (size_t)(message - n->update.bytes.data);
    if (!gap_message_print(gap_bytes(message, len), &print))
        print = (struct gap_print){.id = gap_watch_message_id(message)};
    /* The text of a message of our own is ours; the server may have trimmed it. */
    if (n->update.via == GAP_VIA_RESULT) print.content = 0;
    gap_applied_add(f->applied, &print);
}

/* ---- what the answer brings again ---- */

/* Does the rest of the answer bring an edit of this message? */
static bool is_edited_later(const struct gap_updater *u, int32_t id)
{
    struct gap_difference rest = u->difference;
    struct gap_item item;
    struct gap_print print;
    bool edit;

    while (gap_difference_next(&rest, &item)) {
        if ((item.flags & GAP_ITEM_MESSAGE) != 0) continue;
        gap_bytes_t message = gap_update_message_at(item.id, item.bytes, &edit);
        if (!edit || message.len == 0 || item.box == GAP_BOX_QTS) continue;
        if (gap_updater_is_foreign(u, &item)) continue;
        if (gap_message_print(message, &print) && print.id == id) return true;
    }
    return false;
}

static bool is_of(const struct gap_feed *f, const struct gap_item *item)
{
    if (f->track->sequence == GAP_SEQUENCE_CHANNEL)
        return item->box == GAP_BOX_CHANNEL && item->channel_id == f->track->channel_id;
    return item->box == GAP_BOX_COMMON;
}

bool gap_meanwhile_anticipated(const struct gap_feed *f, const struct gap_node *n)
{
    struct gap_print print;
    bool edit = false;

    if (f->applied == NULL || n->kind != NODE_UPDATE) return false;
    gap_bytes_t message = gap_update_message_at(n->update.id, n->update.bytes, &edit);
    if (!edit || message.len == 0 || !gap_message_print(message, &print)) return false;
    return gap_applied_is_anticipated(f->applied, &print);
}

bool gap_meanwhile_had(struct gap_feed *f, struct gap_item *item)
{
    const struct gap_updater *u = f->updater;
    const struct gap_difference *d = &u->difference;
    struct gap_print print;
    bool edit = false;

    if (!is_of(f, item)) return false;
    if (d->kind != GAP_DIFFERENCE_TOO_LONG && d->pts <= f->track->core.position) return true;
    gap_bytes_t message = (item->flags & GAP_ITEM_MESSAGE) != 0
                              ? item->bytes
                              : gap_update_message_at(item->id, item->bytes, &edit);
    if (message.len == 0 || f->applied == NULL) return false;
    if (!gap_message_print(message, &print)) return false;
    /* With the slice before it came as it is after this edit. */
    if (edit) {
        if (gap_applied_is_anticipated(f->applied, &print)) return true;
        gap_applied_changed(f->applied, &print);
        return false;
    }
    switch (gap_applied_find(f->applied, &print)) {
    case GAP_APPLIED_NOT:
        return false;
    case GAP_APPLIED_SAME:
        return true;
    case GAP_APPLIED_DIFFERENT:
        break;
    }
    if (is_edited_later(u, print.id)) return true;
    gap_applied_anticipate(f->applied, &print);
    item->id = item->box == GAP_BOX_CHANNEL ? GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE
                                            : GAP_TL_UPDATE_EDIT_MESSAGE;
    item->bytes = message;
    item->flags = GAP_ITEM_MESSAGE;
    return false;
}
