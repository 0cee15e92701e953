/*
 * loops/outbox_turn.c - one turn: a function inside a commit that stores outcomes and limits,
 * renders posts that are due, claims what may go next, and removes old rows.
 *
 *   begin --> on the writer thread, perhaps several times --> on disk: told, and calls made
 *                                                        \--> failed: all of it is made again
 *
 * Outcomes come first, so that a chat's next row can't be claimed before the one in front of it is
 * stored. What has been claimed is stored with what is left in the buckets, before any call.
 *
 * Owns ob->turn. Never: makes a call whose claim is not on disk.
 */
#include "base/failpoint.h"
#include "loops/outbox_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- on the writer thread ---- */

static int work(struct outbox_turn *t, struct sqlite3 *db)
{
    int r = 0;

    if (t->shift_us != 0) r = gap_outdb_shift(db, t->shift_us); /* the rest is by the new clock */
    if (r == 0 && t->finish.count > 0) r = gap_outdb_finish(db, &t->finish);
    if (r == 0 && t->gate_count > 0) r = gap_outdb_gate(db, t->gates, t->gate_count);
    if (r == 0 && t->step)
        r = gap_post_step(db, t->claims.alloc, t->now_us, t->debounce_us, t->render, t->render_data,
                          &t->posts);
    if (r == 0 && t->claims.count > 0) r = gap_outdb_claim(db, &t->claims);
    if (r == 0 && t->prune)
        r = gap_outdb_prune(db, t->prune_before_us, GAP_OUTBOX_PRUNE_ROWS, &t->pruned);
    if (r == 0 && t->prune)
        r = gap_outdb_forget(db, t->full_before_us, t->now_us, GAP_OUTBOX_PRUNE_ROWS);
    return r;
}

static int run(void *arg, struct sqlite3 *db)
{
    struct outbox_turn *t = arg;

    memset(&t->posts, 0, sizeof t->posts);
    t->pruned = 0;
    t->damaged[0] = 0;
    if (db == NULL) return GAP_E_STATE;
    int r = t->opening != NULL ? outbox_opening_run(t->opening, db) : work(t, db);
    if (r == GAP_E_DAMAGED && t->ask) gap_outdb_damaged(db, t->damaged);
    return r;
}

/* ---- what goes into it ---- */

static bool has_free(const gap_outbox_t *ob)
{
    uint32_t in_hand = 0;

    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) in_hand += ob->slots[i].state != SLOT_FREE;
    return in_hand < ob->config.in_flight;
}

static struct outbox_slot *free_slot(gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++)
        if (ob->slots[i].state == SLOT_FREE) return &ob->slots[i];
    return NULL;
}

static void put_gates(gap_outbox_t *ob, struct outbox_turn *t, const struct outbox_slot *slot)
{
    for (size_t i = 0; i < slot->gate_count; i++) {
        const struct gap_gate *g = &slot->gates[i];
        t->gates[t->gate_count++] = (struct gap_gate_row){
            .method = g->method,
            .chat = g->chat,
            .until_us = outbox_to_wall(ob, g->until_us),
            .error = slot->outcome.error,
            .reason = gap_str(slot->outcome.reason),
        };
    }
}

static void put_outcomes(gap_outbox_t *ob, struct outbox_turn *t)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) {
        struct outbox_slot *slot = &ob->slots[i];
        if (slot->state != SLOT_ENDED) continue;
        slot->state = SLOT_STORING;
        t->ended[t->ended_count] = slot;
        struct gap_finish *f = &t->finishes[t->ended_count++];
        *f = slot->finish;
        if (f->not_before_us != 0) f->not_before_us = outbox_to_wall(ob, f->not_before_us);
        put_gates(ob, t, slot);
    }
    t->finish.count = t->ended_count;
    for (size_t i = 0; i < ob->unknown_count && t->named_count < GAP_OUTBOX_FLIGHT_MAX;) {
        struct outbox_unknown row = ob->unknown[i];
        if (row.message_id == 0) {
            i++;
            continue;
        }
        (void)outbox_unknown_take(ob, row.row); /* another one is in its place now */
        t->named[t->named_count++] = row;
        t->finishes[t->finish.count++] = (struct gap_finish){.row = row.row,
                                                             .state = GAP_OUTBOX_SENT,
                                                             .message_id = row.message_id,
                                                             .post_end = GAP_POST_SENT};
    }
}

static void put_claims(gap_outbox_t *ob, struct outbox_turn *t)
{
    int64_t now_us = outbox_now_us(ob);
    struct gap_schedule_head head;
    int64_t chat;

    if (!outbox_claims(ob) || ob->only_store) return;
    int r = 0;
    while (has_free(ob) && (r = gap_schedule_next(&ob->schedule, now_us, &chat)) == 0) {
        struct gap_claim *c = &t->claim[t->claims.count++];
        *c = (struct gap_claim){.chat = chat, .at_us = now_us, .has_bucket = chat != 0};
        if (gap_schedule_head(&ob->schedule, chat, &head)) {
            c->expect = head.row;
            c->oldest = head.oldest;
        }
        if (c->has_bucket) c->tokens = gap_limits_store(&ob->limits, chat, now_us);
        free_slot(ob)->state = SLOT_TAKEN;
    }
    if (t->claims.count > 0) {
        t->claims.has_bucket = true;
        t->claims.tokens = gap_limits_store(&ob->limits, 0, now_us);
        t->claims.at_us = now_us;
        GAP_FAILPOINT("outbox.claim.before");
    }
    if (r < 0) ob->again_us = gap_rt_now_us(ob->rt) + GAP_OUTBOX_AGAIN_US;
    if (ob->broken)
        t->claim[t->claims.count++] = (struct gap_claim){.chat = GAP_OUTBOX_CHAT_BROKEN};
}

static bool prune_is_due(const gap_outbox_t *ob)
{
    return gap_rt_now_us(ob->rt) >= ob->prune_us;
}

static bool step_is_due(const gap_outbox_t *ob)
{
    return outbox_claims(ob) && !ob->only_store && ob->post_due_us <= outbox_wall_us(ob) &&
           ob->step_us <= gap_rt_now_us(ob->rt);
}

/* @return false: there is nothing to do. */
static bool fill(gap_outbox_t *ob, struct outbox_turn *t)
{
    t->now_us = outbox_wall_us(ob);
    t->ended_count = t->named_count = t->gate_count = 0;
    t->finish.alloc = ob->alloc;
    t->finish.finishes = t->finishes;
    t->finish.count = 0;
    t->finish.now_us = t->now_us;
    t->claims.count = 0;
    t->claims.now_us = t->now_us;
    t->claims.epoch = ob->epoch;
    t->claims.bulk_stopped = ob->limits.bulk_stopped;
    t->claims.has_probe = ob->config.probe != NULL;
    t->claims.has_bucket = false;
    t->step = step_is_due(ob);
    t->shift_us = ob->shift_us;
    t->debounce_us = ob->config.debounce_us;
    t->render = ob->config.render;
    t->render_data = ob->config.data;
    /* Before anything is taken: it asks that all that was taken has left. */
    t->full_before_us = gap_limits_full_before(&ob->limits, outbox_now_us(ob));
    put_outcomes(ob, t);
    put_claims(ob, t);
    t->prune = prune_is_due(ob) && t->finish.count > 0;
    t->prune_before_us = t->now_us - (int64_t)ob->config.keep_sent_us;
    if (t->finish.count > 0) GAP_FAILPOINT("outbox.finish.before");
    return t->finish.count > 0 || t->claims.count > 0 || t->step || t->shift_us != 0;
}

/* ---- what came of it ---- */

static struct outbox_slot *taken_slot(gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++)
        if (ob->slots[i].state == SLOT_TAKEN) return &ob->slots[i];
    return NULL;
}

static void let_go_of_slots(gap_outbox_t *ob)
{
    struct outbox_slot *slot;

    while ((slot = taken_slot(ob)) != NULL) slot->state = SLOT_FREE;
}

/* A claim that brought no row: what is known of the chat now. */
static void not_taken(gap_outbox_t *ob, const struct gap_claim *c)
{
    int64_t now_us = outbox_now_us(ob);
    int64_t until_us = gap_steady_from_wall(&ob->steady, c->until_us);

    switch (c->result) {
    case GAP_CLAIM_EMPTY:
    case GAP_CLAIM_PARKED:
        gap_schedule_drop(&ob->schedule, c->chat);
        break;
    case GAP_CLAIM_LATER:
        outbox_take_head(ob, c->chat, &c->head, true);
        gap_schedule_block(&ob->schedule, c->chat, until_us, now_us);
        break;
    case GAP_CLAIM_OTHER:
        outbox_take_head(ob, c->chat, &c->head, true);
        break;
    case GAP_CLAIM_STOPPED:
        gap_limits_stop_bulk(&ob->limits, true);
        break;
    default:
        break;
    }
    gap_schedule_back(&ob->schedule, c->chat, now_us);
}

static void claimed(gap_outbox_t *ob, struct outbox_turn *t)
{
    if (t->claims.taken > 0) GAP_FAILPOINT("outbox.claim.after");
    for (size_t i = 0; i < t->claims.count; i++) {
        struct gap_claim *c = &t->claim[i];
        if (c->chat == GAP_OUTBOX_CHAT_BROKEN) {
            ob->broken = c->result == GAP_CLAIM_AGAIN;
            continue;
        }
        if (c->result != GAP_CLAIM_TAKEN) {
            not_taken(ob, c);
            continue;
        }
        struct outbox_slot *slot = taken_slot(ob);
        slot->row = c->row;
        memset(&c->row, 0, sizeof c->row);
        outbox_slot_begin(slot);
    }
    let_go_of_slots(ob);
    for (size_t i = 0; i < t->claims.aside_count; i++) outbox_tell_aside(ob, &t->claims.aside[i]);
    gap_claims_fini(&t->claims);
}

static void tell_named(gap_outbox_t *ob, const struct outbox_unknown *row,
                       const struct gap_finish *finish)
{
    const gap_outbox_row_t told = {
        .row = row->row,
        .kind = (gap_outbox_kind_t)row->kind,
        .state = GAP_OUTBOX_SENT,
        .chat = gap_outbox_peer(row->chat),
        .random_id = row->random_id,
        .message_id = row->message_id,
        .done_us = ob->turn.now_us,
    };

    if (!finish->applied) return;
    ob->stats.sent++;
    outbox_take_head(ob, row->chat, &finish->next, true);
    gap_schedule_unblock(&ob->schedule, row->chat, outbox_now_us(ob));
    ob->hooks.row(ob->hooks.arg, &told);
}

static void tell_posts(gap_outbox_t *ob, const struct gap_post_told *told)
{
    gap_event_t event = {.kind = GAP_CLIENT_OUTBOX_CASCADE};
    char line[GAP_POST_KEY_MAX + 160];

    ob->stats.rendered += told->rendered;
    if (told->rows > 0 || told->marked > 0) ob->wanted = true;
    if (told->overflow > 0) {
        (void)snprintf(line, sizeof line,
                       "posts change each other without end, the last one is '%.*s': its further "
                       "changes are left to the next gap_post_upsert",
                       (int)told->overflow_len, (const char *)told->overflow_key);
        ob->hooks.event(ob->hooks.arg, event, line);
    }
    if (told->failed == 0) return;
    event = (gap_event_t){.kind = GAP_CLIENT_ERROR, .error = told->error};
    (void)snprintf(line, sizeof line, "%u posts can't be rendered, the last one is '%.*s': %s",
                   told->failed, (int)told->failed_len, (const char *)told->failed_key,
                   gap_strerror(told->error));
    ob->hooks.event(ob->hooks.arg, event, line);
}

static void stored(gap_outbox_t *ob, struct outbox_turn *t)
{
    if (t->finish.count > 0) GAP_FAILPOINT("outbox.finish.after");
    for (size_t i = 0; i < t->ended_count; i++) outbox_slot_stored(t->ended[i], &t->finishes[i]);
    for (size_t i = 0; i < t->named_count; i++)
        tell_named(ob, &t->named[i], &t->finishes[t->ended_count + i]);
    if (t->prune)
        ob->prune_us =
            t->pruned == GAP_OUTBOX_PRUNE_ROWS ? 0 : gap_rt_now_us(ob->rt) + GAP_OUTBOX_PRUNE_US;
    ob->shift_us -= t->shift_us;
    if (t->finish.count > 0) tell_posts(ob, &t->finish.told);
    if (!t->step) return;
    ob->post_due_us = INT64_MAX; /* a look says */
    ob->wanted = true;
    tell_posts(ob, &t->posts);
}

/* Nothing of it has happened. */
static void undo(gap_outbox_t *ob, struct outbox_turn *t)
{
    for (size_t i = 0; i < t->ended_count; i++) t->ended[i]->state = SLOT_ENDED;
    for (size_t i = 0; i < t->named_count; i++) outbox_unknown_add(ob, &t->named[i]);
    for (size_t i = 0; i < t->claims.count; i++)
        gap_schedule_back(&ob->schedule, t->claim[i].chat, outbox_now_us(ob));
    let_go_of_slots(ob);
    gap_claims_fini(&t->claims);
}

static void failed(gap_outbox_t *ob, struct outbox_turn *t)
{
    uint64_t pause_us = ob->pause_us == 0 ? GAP_OUTBOX_AGAIN_US : 2 * ob->pause_us;

    undo(ob, t);
    ob->pause_us = pause_us > GAP_OUTBOX_AGAIN_MAX_US ? GAP_OUTBOX_AGAIN_MAX_US : pause_us;
    ob->again_us = gap_rt_now_us(ob->rt) + ob->pause_us;
    ob->only_store = t->finish.count > 0 && !ob->only_store;
    /* If it was these, the others are not to wait for it. */
    if (t->step) ob->step_us = gap_rt_now_us(ob->rt) + GAP_OUTBOX_AGAIN_MAX_US;
    if (t->prune) ob->prune_us = gap_rt_now_us(ob->rt) + GAP_OUTBOX_PRUNE_US;
}

/* ---- opening ---- */

/* Will it be so the next time? */
static bool is_for_good(int r)
{
    return r != GAP_E_NOMEM && r != GAP_E_BUSY && r != GAP_E_STORAGE;
}

static void opening_over(gap_outbox_t *ob, int r)
{
    char line[OUTBOX_TROUBLE_BYTES];

    if (r == 0) r = outbox_opening_take(ob, ob->turn.opening);
    outbox_opening_free(ob->turn.opening);
    ob->turn.opening = NULL;
    ob->is_open = r == 0;
    ob->has_failed = r < 0 && is_for_good(r);
    if (ob->is_open) ob->pause_us = 0;
    if (r < 0) failed(ob, &ob->turn);
    if (r < 0 && !ob->has_failed) outbox_tell_trouble(ob, r, ob->turn.damaged);
    outbox_trouble_line(r, ob->turn.damaged, line, sizeof line);
    if (ob->is_open || ob->has_failed) ob->hooks.opened(ob->hooks.arg, r, line);
}

/* ---- when ---- */

static void over(void *arg, int status, int result)
{
    gap_outbox_t *ob = arg;
    struct outbox_turn *t = &ob->turn;

    t->out = false;
    gap_loop_drop(ob->rt, &ob->loop);
    gap_loop_signal(ob->rt, &ob->loop);
    if (status < 0) {
        ob->store_closed = true;
        undo(ob, t);
        return;
    }
    if (t->opening != NULL) {
        opening_over(ob, result);
    } else if (result < 0) {
        failed(ob, t);
        outbox_tell_trouble(ob, result, t->damaged);
    } else {
        ob->pause_us = 0;
        ob->only_store = false;
        stored(ob, t);
        claimed(ob, t);
    }
}

static bool has_ended(const gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++)
        if (ob->slots[i].state == SLOT_ENDED) return true;
    for (size_t i = 0; i < ob->unknown_count; i++)
        if (ob->unknown[i].message_id != 0) return true;
    return false;
}

static uint64_t on_the_runtimes_clock(const gap_outbox_t *ob, int64_t from_us, int64_t at_us)
{
    if (at_us == INT64_MAX) return GAP_ENV_NEVER;
    return gap_rt_now_us(ob->rt) + (uint64_t)(at_us > from_us ? at_us - from_us : 0);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t outbox_turn_due_us(gap_outbox_t *ob)
{
    uint64_t due_us = GAP_ENV_NEVER;

    if (ob->turn.out || ob->store_closed || ob->has_failed) return GAP_ENV_NEVER;
    if (!ob->is_open) return ob->closing ? GAP_ENV_NEVER : ob->again_us;
    if (has_ended(ob) || (ob->broken && outbox_claims(ob))) due_us = 0;
    if (ob->shift_us != 0 && !ob->stopped) due_us = 0;
    if (due_us != 0 && outbox_claims(ob)) {
        int64_t now_us = outbox_now_us(ob);
        due_us = on_the_runtimes_clock(ob, outbox_wall_us(ob), ob->post_due_us);
        if (due_us < ob->step_us) due_us = ob->step_us;
        if (has_free(ob))
            due_us = earlier(
                due_us,
                on_the_runtimes_clock(ob, now_us, gap_schedule_next_time(&ob->schedule, now_us)));
    }
    return due_us < ob->again_us ? ob->again_us : due_us;
}

void outbox_turn_begin(gap_outbox_t *ob)
{
    struct outbox_turn *t = &ob->turn;
    const gap_call_record_t call = {.call = run, .arg = t};

    if (outbox_turn_due_us(ob) > gap_rt_now_us(ob->rt)) return;
    t->ended_count = t->named_count = t->claims.count = t->finish.count = 0;
    int r = 0;
    if (!ob->is_open) {
        t->opening = outbox_opening_new(ob);
        if (t->opening == NULL) r = GAP_E_NOMEM;
    } else if (!fill(ob, t)) {
        return;
    }
    t->ask = outbox_asks(ob);
    if (r == 0) r = gap_store_call(ob->store, &call, over, ob);
    if (r == 0) {
        t->out = true;
        gap_loop_hold(&ob->loop);
        return;
    }
    outbox_opening_free(t->opening);
    t->opening = NULL;
    if (r == GAP_E_CLOSED || r == GAP_E_STATE) ob->store_closed = true;
    failed(ob, t);
}
