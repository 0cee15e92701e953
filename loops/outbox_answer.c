/*
 * loops/outbox_answer.c - from an answer to an outcome: what is stored, what is told, what the
 * schedule learns.
 *
 *   answer -> judged -> ENDED -> STORING -> on disk: told, the chat's next row may go
 *
 * A row that may have been carried out, by this call or one before it, is UNKNOWN and never merely
 * snoozed: nobody may cancel it or send something else under its random_id.
 *
 * No answer in time costs an attempt, a lost connection none: a row that the server never answers
 * must come to an end, a bad network is not the row's fault.
 */
#include "loops/outbox_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- rows for people ---- */

void outbox_row_of(const struct outbox_slot *slot, gap_outbox_row_t *out)
{
    gap_row_view(&slot->row, out);
}

static void tell(gap_outbox_t *ob, const gap_outbox_row_t *row, bool chat_too)
{
    gap_event_t event = {.error = row->error < 0 ? row->error : 0,
                         .rpc_code = row->error > 0 ? row->error : 0,
                         .chat = row->chat,
                         .row = chat_too ? 0 : row->row};
    char line[GAP_REASON_BYTES + 80];

    if (row->state == GAP_OUTBOX_PARKED) {
        ob->stats.parked++;
        event.kind = GAP_CLIENT_OUTBOX_PARKED;
        (void)snprintf(line, sizeof line, "%s %lld of the outbox needs people: %.*s",
                       chat_too ? "chat" : "row",
                       (long long)(chat_too ? gap_outbox_mark(row->chat) : row->row),
                       (int)row->reason.len, (const char *)row->reason.data);
        ob->hooks.event(ob->hooks.arg, event, line);
    } else if (row->state == GAP_OUTBOX_DEAD) {
        ob->stats.dead++;
        event.kind = GAP_CLIENT_OUTBOX_DEAD;
        (void)snprintf(line, sizeof line, "row %lld of the outbox was given up: %.*s",
                       (long long)row->row, (int)row->reason.len, (const char *)row->reason.data);
        ob->hooks.event(ob->hooks.arg, event, line);
    }
    ob->hooks.row(ob->hooks.arg, row);
}

void outbox_tell_aside(gap_outbox_t *ob, const struct gap_row *row)
{
    gap_outbox_row_t told;

    (void)outbox_unknown_take(ob, row->row);
    gap_row_view(row, &told);
    if (told.state == GAP_OUTBOX_SENT) ob->stats.unchanged++;
    tell(ob, &told, false);
}

/* ---- outcomes ---- */

static uint64_t backoff_us(gap_outbox_t *ob, uint32_t attempts)
{
    uint64_t us = ob->config.retry_min_us;

    for (uint32_t i = 1; i < attempts && us < ob->config.retry_max_us; i++) us *= 2;
    if (us > ob->config.retry_max_us) us = ob->config.retry_max_us;
    return us - us / 4 + gap_prng_below(&ob->prng, us / 2 + 1);
}

static enum gap_post_end post_end_of(const struct outbox_slot *slot, bool may)
{
    if (slot->outcome.kind == GAP_OUTCOME_SENT) return GAP_POST_SENT;
    if (slot->outcome.kind == GAP_OUTCOME_UNCHANGED) return GAP_POST_SAME;
    /* A post that may have been sent is in doubt, also if people have to see to its row. */
    if (slot->finish.executed) return GAP_POST_UNKNOWN;
    switch (slot->outcome.kind) {
    case GAP_OUTCOME_GONE:
        return GAP_POST_GONE;
    case GAP_OUTCOME_EXPIRED:
        return GAP_POST_EXPIRED;
    case GAP_OUTCOME_PARK_CHAT:
    case GAP_OUTCOME_STOP_BULK:
        return GAP_POST_CHAT_BAD;
    case GAP_OUTCOME_PARK_ROW:
    case GAP_OUTCOME_DEAD:
        return GAP_POST_ROW_BAD;
    default:
        if (slot->finish.state == GAP_OUTBOX_PARKED) return GAP_POST_ROW_BAD;
        return may ? GAP_POST_UNKNOWN : GAP_POST_AGAIN;
    }
}

/* It waits: for a time of the limits' clock, and as one that may have been sent if that is so. */
static void wait(struct outbox_slot *slot, bool may, int64_t until_us)
{
    slot->finish.state = may ? GAP_OUTBOX_UNKNOWN : GAP_OUTBOX_SNOOZED;
    slot->finish.not_before_us = until_us;
}

static void learn(struct outbox_slot *slot)
{
    gap_outbox_t *ob = slot->owner;
    const struct gap_outcome *o = &slot->outcome;
    int64_t until_us = outbox_now_us(ob) + (int64_t)o->seconds * 1000000;

    if (o->scope != GAP_WAIT_ROW) {
        int r = gap_gates_learn(&ob->limits.gates, slot->method, slot->row.chat, o->seconds,
                                o->scope == GAP_WAIT_SENDING, outbox_now_us(ob), slot->gates,
                                &slot->gate_count);
        if (r < 0) gap_rt_log(ob->rt, GAP_LOG_WARN, "a limit is kept on disk alone: no memory");
        if (slot->gate_count > 0) until_us = slot->gates[0].until_us;
        gap_schedule_recheck(&ob->schedule, outbox_now_us(ob));
    }
    wait(slot, slot->row.begun, until_us);
    slot->finish.uncounted = true;
}

static bool is_lost_connection(int status)
{
    return status == GAP_E_DISCONNECTED || status == GAP_E_CLOSED || status == GAP_E_UNAUTHORIZED ||
           status == GAP_E_TRANSPORT || status == GAP_ENV_ECANCELED;
}

/* No answer. */
static void unknown(struct outbox_slot *slot, bool is_lost)
{
    gap_outbox_t *ob = slot->owner;
    bool tired = !is_lost && slot->row.attempts >= ob->config.attempts_max;

    slot->finish.executed = true;
    slot->finish.uncounted = is_lost;
    if (slot->replay == GAP_REPLAY_NEVER || tired) {
        slot->finish.state = GAP_OUTBOX_PARKED;
        (void)snprintf(slot->outcome.reason, sizeof slot->outcome.reason, "%s", GAP_OUTBOX_MAYBE);
        return;
    }
    wait(slot, true, is_lost ? 0 : outbox_now_us(ob) + (int64_t)backoff_us(ob, slot->row.attempts));
}

/* It failed, and a repeat does no harm. */
static void again(struct outbox_slot *slot)
{
    gap_outbox_t *ob = slot->owner;
    uint64_t us = backoff_us(ob, slot->row.attempts);
    uint64_t least_us = (uint64_t)slot->outcome.seconds * 1000000;
    bool may = slot->row.begun || slot->outcome.maybe_done;

    slot->finish.executed = slot->outcome.maybe_done;
    if (slot->row.attempts < ob->config.attempts_max) {
        wait(slot, may, outbox_now_us(ob) + (int64_t)(us > least_us ? us : least_us));
        return;
    }
    slot->finish.state = may ? GAP_OUTBOX_PARKED : GAP_OUTBOX_DEAD;
    slot->outcome.kind = GAP_OUTCOME_DEAD;
}

/* The first call still runs, says the server. No call runs for ever, and some methods always say
 * so; what has become of it then only people can see. */
static void doubled(struct outbox_slot *slot)
{
    gap_outbox_t *ob = slot->owner;
    struct gap_finish *f = &slot->finish;
    uint32_t slow =
        slot->row.doubles < GAP_DUPLICATES_QUICK ? 0 : slot->row.doubles - GAP_DUPLICATES_QUICK + 1;

    f->executed = f->uncounted = f->doubled = true;
    if (slow > 0 && slow >= ob->config.attempts_max) {
        f->state = GAP_OUTBOX_PARKED;
        (void)snprintf(slot->outcome.reason, sizeof slot->outcome.reason, "%s",
                       "RANDOM_ID_DUPLICATE for too long, so it may have been sent: look whether "
                       "the message is there, then retry or cancel it");
        return;
    }
    uint64_t us = (uint64_t)slot->outcome.seconds * 1000000;
    if (slow > 0) us = backoff_us(ob, slow);
    wait(slot, true, outbox_now_us(ob) + (int64_t)us);
}

static void settle(struct outbox_slot *slot, bool is_lost)
{
    gap_outbox_t *ob = slot->owner;
    struct gap_finish *f = &slot->finish;

    switch (slot->outcome.kind) {
    case GAP_OUTCOME_SENT:
    case GAP_OUTCOME_UNCHANGED:
        f->state = GAP_OUTBOX_SENT;
        f->message_id = slot->outcome.message_id;
        f->hash = slot->row.hash;
        break;
    case GAP_OUTCOME_UNKNOWN:
        unknown(slot, is_lost);
        break;
    case GAP_OUTCOME_DUPLICATE:
        doubled(slot);
        break;
    case GAP_OUTCOME_WAIT:
        learn(slot);
        break;
    case GAP_OUTCOME_RETRY:
    case GAP_OUTCOME_NOT_YET:
        again(slot);
        break;
    case GAP_OUTCOME_STOP_BULK:
        f->stop_bulk = true;
        gap_limits_stop_bulk(&ob->limits, true);
        f->state = GAP_OUTBOX_PARKED;
        if (slot->row.urgency != GAP_OUTBOX_BULK) break;
        f->state = slot->row.begun ? GAP_OUTBOX_UNKNOWN : GAP_OUTBOX_READY;
        f->uncounted = true;
        break;
    case GAP_OUTCOME_PARK_CHAT:
        f->park_chat = slot->row.chat != GAP_OUTBOX_CHAT_ACCOUNT;
        f->state = GAP_OUTBOX_PARKED;
        break;
    case GAP_OUTCOME_DEAD:
        f->state = GAP_OUTBOX_DEAD;
        break;
    default:
        f->state = GAP_OUTBOX_PARKED;
        break;
    }
}

static void end(struct outbox_slot *slot, const struct gap_outcome *outcome, bool is_lost)
{
    gap_outbox_t *ob = slot->owner;

    slot->outcome = *outcome;
    slot->state = SLOT_ENDED;
    slot->told = true;
    slot->finish = (struct gap_finish){.row = slot->row.row, .error = outcome->error};
    settle(slot, is_lost);
    bool may = slot->finish.state == GAP_OUTBOX_UNKNOWN;
    slot->finish.reason = gap_str(slot->outcome.reason);
    slot->finish.post_end = post_end_of(slot, may);
    gap_loop_signal(ob->rt, &ob->loop);
}

void outbox_slot_end(struct outbox_slot *slot, const struct gap_outcome *outcome)
{
    end(slot, outcome, false);
}

void outbox_slot_park(struct outbox_slot *slot, bool chat, int error, const char *reason)
{
    struct gap_outcome outcome = {
        .kind = chat ? GAP_OUTCOME_PARK_CHAT : GAP_OUTCOME_PARK_ROW,
        .error = error,
    };

    (void)snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
    end(slot, &outcome, false);
}

/* ---- answers ---- */

static void probed(struct outbox_slot *slot, const gap_result_t *result)
{
    struct gap_outcome outcome;

    gap_outbox_probe_judge(result, &slot->asked, &outcome);
    if (outcome.kind == GAP_OUTCOME_NOT_YET)
        outbox_slot_probed(slot, false);
    else
        end(slot, &outcome, is_lost_connection(result->status));
}

void outbox_slot_answer(struct outbox_slot *slot, const gap_result_t *result)
{
    struct gap_outcome outcome;

    slot->calling = false;
    gap_loop_signal(slot->owner->rt, &slot->owner->loop);
    if (slot->state == SLOT_OVER) {
        outbox_slot_free(slot);
    } else if (slot->state == SLOT_PROBING) {
        probed(slot, result);
    } else if (slot->state == SLOT_CALLING && result->status == GAP_ENV_ECANCELED) {
        outbox_slot_give_back(slot, 0);
    } else if (slot->state == SLOT_CALLING) {
        gap_outbox_judge(result, &slot->asked, &outcome);
        if (slot->named != 0 && outcome.kind != GAP_OUTCOME_SENT) return; /* it was sent */
        end(slot, &outcome, is_lost_connection(result->status));
    }
}

/* ---- on disk ---- */

static void count(gap_outbox_t *ob, const struct outbox_slot *slot)
{
    switch (slot->outcome.kind) {
    case GAP_OUTCOME_SENT:
        ob->stats.sent++;
        ob->stats.edited += slot->asked.kind == GAP_OUTBOX_EDIT;
        break;
    case GAP_OUTCOME_UNCHANGED:
        ob->stats.sent++;
        ob->stats.unchanged++;
        break;
    case GAP_OUTCOME_WAIT:
        ob->stats.snoozed++;
        break;
    default:
        break;
    }
}

static void tell_limits(gap_outbox_t *ob, const struct outbox_slot *slot)
{
    for (size_t i = 0; i < slot->gate_count; i++) {
        const struct gap_gate *g = &slot->gates[i];
        int64_t left_us = g->until_us - outbox_now_us(ob);
        const char *method = g->method == GAP_GATE_SENDING ? "what sends" : gap_tl_name(g->method);
        gap_event_t event = {.kind = GAP_CLIENT_OUTBOX_LIMITED,
                             .rpc_code = slot->outcome.error > 0 ? slot->outcome.error : 0,
                             .us = left_us > 0 ? (uint64_t)left_us : 0,
                             .chat = gap_outbox_peer(g->chat)};
        char line[GAP_REASON_BYTES];
        char chat[48];

        (void)snprintf(chat, sizeof chat, "in chat %lld", (long long)g->chat);
        (void)snprintf(line, sizeof line, "the server wants a pause of %.0f s from %s %s",
                       (double)event.us / 1e6, method == NULL ? "a method" : method,
                       g->chat == 0 ? "in all chats" : chat);
        ob->hooks.event(ob->hooks.arg, event, line);
    }
}

static void tell_stop(gap_outbox_t *ob, const struct outbox_slot *slot)
{
    const gap_event_t event = {.kind = GAP_CLIENT_OUTBOX_STOPPED, .rpc_code = slot->outcome.error};

    if (slot->finish.stop_bulk) ob->hooks.event(ob->hooks.arg, event, slot->outcome.reason);
}

static void tell_outcome(struct outbox_slot *slot, const struct gap_finish *finish)
{
    gap_outbox_t *ob = slot->owner;
    gap_outbox_row_t row;

    gap_row_view(&slot->row, &row);
    row.state = finish->became;
    row.message_id = finish->message_id != 0 ? finish->message_id : slot->row.message_id;
    row.attempts -= finish->uncounted && row.attempts > 0;
    row.not_before_us = finish->not_before_us;
    row.error = finish->error;
    row.reason = finish->because != NULL ? gap_str(finish->because) : finish->reason;
    if (row.state >= GAP_OUTBOX_SENT) row.done_us = ob->turn.now_us;
    tell_limits(ob, slot);
    tell_stop(ob, slot);
    if (row.state != GAP_OUTBOX_READY) tell(ob, &row, finish->park_chat);
}

/* The next one of its chat may follow. */
static void let_chat_go(struct outbox_slot *slot, const struct gap_finish *finish)
{
    gap_outbox_t *ob = slot->owner;

    if (finish->applied) outbox_take_head(ob, slot->row.chat, &finish->next, true);
    if (slot->left)
        gap_schedule_done(&ob->schedule, slot->row.chat, outbox_now_us(ob));
    else
        gap_schedule_back(&ob->schedule, slot->row.chat, outbox_now_us(ob));
}

void outbox_slot_stored(struct outbox_slot *slot, const struct gap_finish *finish)
{
    gap_outbox_t *ob = slot->owner;
    const struct outbox_unknown row = {slot->row.row, slot->row.random_id, slot->row.chat,
                                       slot->row.kind, slot->named};

    let_chat_go(slot, finish);
    if (finish->applied && finish->became == GAP_OUTBOX_UNKNOWN && slot->is_named)
        outbox_unknown_add(ob, &row);
    if (finish->applied && slot->told) {
        count(ob, slot);
        tell_outcome(slot, finish);
    }
    if (slot->calling)
        slot->state = SLOT_OVER;
    else
        outbox_slot_free(slot);
}

void outbox_slot_free(struct outbox_slot *slot)
{
    gap_outbox_t *owner = slot->owner;

    gap_row_fini(&slot->row);
    memset(slot, 0, sizeof *slot);
    slot->owner = owner;
}
