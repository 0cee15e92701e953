/*
 * loops/outbox_look.c - what is new in the tables.
 *
 *   poll or wake --> has anything changed? --> rows above the last one seen --> schedule
 *                                         \--> nothing new: a walk over all chats' oldest rows
 *
 * At the beginning, and when something has changed that no new row explains (people have seen to a
 * chat, taken a row back, changed a table by hand), all chats are walked over, page by page; after
 * other commits at most every GAP_OUTBOX_STALE_US, our own included: they change no version, and a
 * handler's transaction may have released a chat. While the schedule has no room the walk stands
 * still, and goes on where it was.
 *
 * Owns ob->look. Never: writes.
 */
#include "loops/outbox_internal.h"

#include <string.h>

/* ---- on the writer thread ---- */

static int note_head(void *arg, const struct gap_head *head)
{
    struct outbox_look *look = arg;

    look->heads[look->count++] = *head;
    return 0;
}

static int look_at_posts(struct outbox_look *look, struct sqlite3 *db)
{
    look->post_due_us = INT64_MAX;
    return gap_post_next(db, look->now_us, look->debounce_us, look->has_render, &look->post_due_us);
}

static int look_into(struct outbox_look *look, struct sqlite3 *db)
{
    int r = gap_outdb_version(db, &look->version);
    if (r < 0) return r;
    look->changed =
        look->force || look->version.data != look->data || look->version.last_row > look->after;
    if (look->all)
        r = gap_outdb_chats(db, look->chat, GAP_OUTBOX_LOOK_MAX, note_head, look);
    else if (look->changed)
        r = gap_outdb_scan(db, look->after, GAP_OUTBOX_LOOK_MAX, note_head, look, &look->last);
    if (r == 0 && (look->changed || look->all)) r = look_at_posts(look, db);
    return r;
}

/* Of the actor nothing but its look is touched here. */
static int look_at(void *arg, struct sqlite3 *db)
{
    struct outbox_look *look = &((gap_outbox_t *)arg)->look;

    look->count = 0;
    look->last = look->after;
    look->changed = false;
    look->damaged[0] = 0;
    if (db == NULL) return GAP_E_STATE;
    int r = look_into(look, db);
    if (r == GAP_E_DAMAGED && look->ask) gap_outdb_damaged(db, look->damaged);
    return r;
}

/* ---- what it found ---- */

/* @return false: there is no room for it. */
static bool take_in(gap_outbox_t *ob, const struct gap_head *head, bool oldest)
{
    struct gap_schedule_head known;

    if (head->chat == GAP_OUTBOX_CHAT_BROKEN) {
        ob->broken = true;
        return true;
    }
    if (head->parked) {
        gap_schedule_drop(&ob->schedule, head->chat);
        return true;
    }
    int r = gap_schedule_add(&ob->schedule, head->chat, head->urgency, outbox_method_of(head),
                             head->row, outbox_now_us(ob));
    if (r < 0) ob->walk_us = gap_rt_now_us(ob->rt) + GAP_OUTBOX_PAUSE_US;
    if (r < 0 || r == GAP_SCHEDULE_FULL) return false;
    if (r == 0) outbox_take_head(ob, head->chat, head, oldest);
    if (r == GAP_SCHEDULE_KNOWN && oldest && gap_schedule_head(&ob->schedule, head->chat, &known) &&
        !known.in_flight) {
        gap_schedule_unblock(&ob->schedule, head->chat, outbox_now_us(ob));
        outbox_take_head(ob, head->chat, head, true);
    }
    return true;
}

/* A page of the walk. */
static void walk_on(gap_outbox_t *ob)
{
    const struct outbox_look *look = &ob->look;

    for (size_t i = 0; i < look->count; i++) {
        if (!take_in(ob, &look->heads[i], true)) {
            ob->behind = true; /* from this chat on, when there is room */
            return;
        }
        ob->walk_chat = look->heads[i].chat;
        if (ob->walk_chat == GAP_OUTBOX_CHAT_BROKEN) break; /* it comes last */
    }
    if (look->count == GAP_OUTBOX_LOOK_MAX && ob->walk_chat != GAP_OUTBOX_CHAT_BROKEN) return;
    ob->walking = false;
    ob->walk_us = gap_rt_now_us(ob->rt) + GAP_OUTBOX_CHATS_US;
}

static void take_new(gap_outbox_t *ob)
{
    const struct outbox_look *look = &ob->look;

    for (size_t i = 0; i < look->count; i++) {
        if (take_in(ob, &look->heads[i], false)) continue;
        /* Its chat is found by a walk, when there is room. */
        ob->wanted_all = ob->behind = true;
    }
    ob->last_row = look->last;
    if (look->last < look->version.last_row && look->count == GAP_OUTBOX_LOOK_MAX)
        ob->wanted = true; /* there is more */
    else if (look->count == 0 && ob->stale)
        ob->wanted_all = true; /* no new row explains the change */
}

/* Bulk was stopped, and the tables do not say so yet. */
static bool is_to_stop(const gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) {
        const struct outbox_slot *slot = &ob->slots[i];
        bool waits = slot->state == SLOT_ENDED || slot->state == SLOT_STORING;
        if (waits && slot->finish.stop_bulk) return true;
    }
    return false;
}

static void look_over(void *arg, int status, int result)
{
    gap_outbox_t *ob = arg;
    struct outbox_look *look = &ob->look;

    look->out = false;
    gap_loop_drop(ob->rt, &ob->loop);
    gap_loop_signal(ob->rt, &ob->loop);
    ob->poll_us = gap_rt_now_us(ob->rt) + ob->config.poll_us;
    if (status == GAP_E_CLOSED) ob->store_closed = true;
    if (status < 0 || result < 0) {
        ob->wanted = ob->wanted || look->force;
        ob->look_us = gap_rt_now_us(ob->rt) +
                      (result == GAP_E_DAMAGED ? GAP_OUTBOX_AGAIN_MAX_US : GAP_OUTBOX_AGAIN_US);
        if (status == 0) outbox_tell_trouble(ob, result, look->damaged);
        return;
    }
    ob->stale = ob->stale || look->version.data != ob->data;
    ob->data = look->version.data;
    if (look->version.bulk_stopped != ob->limits.bulk_stopped && !ob->turn.out && !is_to_stop(ob)) {
        gap_limits_stop_bulk(&ob->limits, look->version.bulk_stopped);
        gap_schedule_recheck(&ob->schedule, outbox_now_us(ob));
    }
    if (look->changed || look->all) ob->post_due_us = look->post_due_us;
    if (look->all)
        walk_on(ob);
    else if (look->changed)
        take_new(ob);
}

/* ---- when ---- */

static uint64_t walk_due_us(const gap_outbox_t *ob)
{
    if (ob->behind && !gap_schedule_room(&ob->schedule)) return GAP_ENV_NEVER;
    if (ob->walking) return ob->walk_us;
    if (!ob->wanted_all && !ob->stale && !ob->own) return GAP_ENV_NEVER;
    return ob->walk_us + (ob->wanted_all ? 0 : GAP_OUTBOX_STALE_US);
}

uint64_t outbox_look_due_us(const gap_outbox_t *ob)
{
    if (!outbox_claims(ob) || ob->look.out) return GAP_ENV_NEVER;
    uint64_t walk_us = walk_due_us(ob);
    uint64_t due_us = ob->wanted ? 0 : ob->poll_us;
    if (walk_us < due_us) due_us = walk_us;
    return due_us < ob->look_us ? ob->look_us : due_us;
}

void outbox_look_begin(gap_outbox_t *ob)
{
    struct outbox_look *look = &ob->look;
    uint64_t now_us = gap_rt_now_us(ob->rt);

    if (outbox_look_due_us(ob) > now_us) return;
    /* Turn by turn, or commits that follow each other would keep it from walking. */
    look->all = (!ob->wanted || !look->all) && walk_due_us(ob) <= now_us;
    if (look->all && !ob->walking) {
        ob->walking = true;
        ob->walk_chat = INT64_MIN;
        ob->wanted_all = ob->stale = ob->own = false;
    }
    if (look->all) ob->behind = false;
    look->force = ob->wanted && !look->all;
    look->after = ob->last_row;
    look->chat = ob->walk_chat;
    look->data = ob->data;
    look->now_us = outbox_wall_us(ob);
    look->debounce_us = ob->config.debounce_us;
    look->has_render = ob->config.render != NULL;
    look->ask = outbox_asks(ob);
    int r = gap_store_query(ob->store, look_at, look_over, ob);
    if (r < 0) {
        ob->look_us = now_us + GAP_OUTBOX_AGAIN_US;
        if (r == GAP_E_CLOSED) ob->store_closed = true;
        return;
    }
    if (look->force) ob->wanted = false;
    look->out = true;
    gap_loop_hold(&ob->loop);
}
