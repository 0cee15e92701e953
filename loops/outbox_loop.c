/*
 * loops/outbox_loop.c - WHEN rows of an outbox are sent: life of the actor, and what is next to do.
 *
 *   OPENING --> OPEN --stop--> STOPPED        any --close--> CLOSING --nothing in hand--> CLOSED
 *
 * One batch: rows that were named are ended, a look begins if it is due, a turn begins if there is
 * something for it. All else happens in what the store, the connection and the finder call.
 *
 * Owns: schedule, limits, the rows in hand, the timer. Never: touches the tables on the loop
 * thread, makes a call whose claim is not on disk, waits.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "loops/outbox_internal.h"

#include <stdio.h>
#include <string.h>

static const struct gap_loop_class outbox_class;

/* ---- time ---- */

int64_t outbox_wall_us(const gap_outbox_t *ob)
{
    return (int64_t)gap_env_wall_us(ob->rt->env);
}

int64_t outbox_now_us(const gap_outbox_t *ob)
{
    return gap_steady_now(&ob->steady, gap_rt_now_us(ob->rt));
}

int64_t outbox_to_wall(const gap_outbox_t *ob, int64_t us)
{
    return us == INT64_MAX ? us : us - ob->steady.ahead_us;
}

/* ---- what may be done ---- */

bool outbox_is_ready(const gap_outbox_t *ob)
{
    return ob->is_open && !ob->store_closed && ob->hooks.ready(ob->hooks.arg);
}

bool outbox_claims(const gap_outbox_t *ob)
{
    return !ob->stopped && !ob->closing && outbox_is_ready(ob);
}

/* ---- tables that fail ---- */

void outbox_trouble_line(int error, const char *table, char *line, size_t len)
{
    if (error == GAP_E_DAMAGED)
        (void)snprintf(
            line, len,
            "%s%s of the outbox's database is damaged, and no row goes out until that is "
            "put right: end the program, then restore the file from a backup, or save "
            "what can be read (sqlite3 FILE .recover)",
            table[0] != 0 ? "table " : "a table", table);
    else
        (void)snprintf(line, len,
                       "%s; the outbox's tables are those that begin with gapless_outbox",
                       gap_strerror(error));
}

bool outbox_asks(const gap_outbox_t *ob)
{
    return ob->trouble != GAP_E_DAMAGED || gap_rt_now_us(ob->rt) >= ob->trouble_us;
}

void outbox_tell_trouble(gap_outbox_t *ob, int error, const char *table)
{
    const gap_event_t event = {.kind = GAP_CLIENT_ERROR, .error = error};
    uint64_t now_us = gap_rt_now_us(ob->rt);
    char line[OUTBOX_TROUBLE_BYTES];

    if (error == GAP_E_NOMEM || error == GAP_E_BUSY) return; /* they pass */
    if (error == ob->trouble && now_us < ob->trouble_us) return;
    ob->trouble = error;
    ob->trouble_us = now_us + GAP_OUTBOX_TROUBLE_US;
    outbox_trouble_line(error, table, line, sizeof line);
    ob->hooks.event(ob->hooks.arg, event, line);
}

/* ---- the schedule ---- */

uint32_t outbox_method_of(const struct gap_head *head)
{
    gap_outbox_kind_t kind = (gap_outbox_kind_t)head->kind;

    if (kind == GAP_OUTBOX_POST && head->target != 0) kind = GAP_OUTBOX_EDIT;
    return gap_outbox_method(kind, gap_outbox_peer(head->chat).kind, head->raw);
}

void outbox_take_head(gap_outbox_t *ob, int64_t chat, const struct gap_head *head, bool oldest)
{
    int64_t now_us = outbox_now_us(ob);

    if (head->row == 0 || head->parked) {
        gap_schedule_drop(&ob->schedule, chat);
        return;
    }
    gap_schedule_set_head(&ob->schedule, chat, head->urgency, outbox_method_of(head), head->row,
                          oldest, now_us);
    int64_t wall_us = gap_row_waits_us(head->state, head->not_before_us, outbox_wall_us(ob));
    int64_t until_us = gap_steady_from_wall(&ob->steady, wall_us);
    if (wall_us != 0 && until_us > now_us)
        gap_schedule_block(&ob->schedule, chat, until_us, now_us);
}

/* ---- the actor ---- */

bool gap_outbox_is_quiet(const gap_outbox_t *ob)
{
    if (ob->turn.out || ob->look.out) return false;
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++)
        if (ob->slots[i].state != SLOT_FREE) return false;
    return true;
}

static void sleep_until_due(gap_outbox_t *ob)
{
    uint64_t due_us = outbox_look_due_us(ob);
    uint64_t turn_us = outbox_turn_due_us(ob);

    int r = gap_timer_start(ob->rt, &ob->timer, turn_us < due_us ? turn_us : due_us);
    GAP_ASSERT(r == 0); /* it is running, or was just now */
}

static void due(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_outbox_t *ob = GAP_CONTAINER_OF(timer, gap_outbox_t, timer);
    /* A timer that has just fired left its place free: this can't fail. */
    int r = gap_timer_start(rt, timer, GAP_ENV_NEVER);

    GAP_ASSERT(r == 0);
    gap_loop_signal(rt, &ob->loop);
}

/* Whom nobody will tell anything any more. */
static void give_all_back(gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) {
        struct outbox_slot *slot = &ob->slots[i];
        if (slot->state == SLOT_FINDING || slot->state == SLOT_PROBING)
            outbox_slot_give_back(slot, 0);
        if (slot->state != SLOT_ENDED || !ob->store_closed) continue;
        if (slot->calling)
            slot->state = SLOT_OVER;
        else
            outbox_slot_free(slot);
    }
}

/* Nothing waits: what is known of chats goes as their buckets fill. */
static void rest(gap_outbox_t *ob)
{
    uint64_t now_us = gap_rt_now_us(ob->rt);

    if (gap_schedule_count(&ob->schedule) > 0 || ob->limits.map.count == 0) return;
    if (now_us < ob->trim_us) return;
    gap_limits_trim(&ob->limits, outbox_now_us(ob));
    ob->trim_us = now_us + GAP_OUTBOX_TRIM_US;
}

/* The wall clock was set: what waits for one of its times is looked at again. */
static void look_at_clock(gap_outbox_t *ob)
{
    const int64_t most = INT64_MAX / 4;
    int64_t told_us = ob->steady.told_us;

    if (!gap_steady_look(&ob->steady, gap_env_wall_us(ob->rt->env), gap_rt_now_us(ob->rt))) return;
    ob->shift_us += ob->steady.told_us - told_us;
    if (ob->shift_us > most) ob->shift_us = most;
    if (ob->shift_us < -most) ob->shift_us = -most;
    ob->wanted = true; /* posts that are marked, too */
    gap_schedule_recheck(&ob->schedule, outbox_now_us(ob));
}

static void outbox_run(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_outbox_t *ob = GAP_CONTAINER_OF(loop, gap_outbox_t, loop);

    look_at_clock(ob);
    if (ob->stopped || ob->closing) give_all_back(ob);
    outbox_end_named(ob);
    outbox_look_begin(ob);
    outbox_turn_begin(ob);
    rest(ob);
    if (ob->stopped && gap_outbox_is_quiet(ob)) {
        ob->hooks.quiet(ob->hooks.arg);
        if (ob->closing) {
            gap_loop_close(rt, loop);
            return;
        }
    }
    sleep_until_due(ob);
}

static void outbox_free(gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) gap_row_fini(&ob->slots[i].row);
    gap_claims_fini(&ob->turn.claims);
    outbox_opening_free(ob->turn.opening);
    gap_schedule_fini(&ob->schedule);
    gap_limits_fini(&ob->limits);
    gap_buf_fini(&ob->query);
    gap_free(ob->alloc, ob);
}

static void outbox_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_outbox_t *ob = GAP_CONTAINER_OF(loop, gap_outbox_t, loop);
    void (*closed)(void *arg) = ob->closed;
    void *arg = ob->closed_arg;

    gap_timer_stop(rt, &ob->timer);
    outbox_free(ob);
    if (closed != NULL) closed(arg);
}

static const struct gap_loop_class outbox_class = {"outbox", outbox_run, outbox_closed};

/* ---- what others ask ---- */

/* So far ahead or back that no sum with a clock runs over. */
static void cap(uint64_t *us)
{
    if (*us > INT64_MAX / 4) *us = INT64_MAX / 4;
}

static void complete(gap_outbox_config_t *c)
{
    if (c->in_flight == 0 || c->in_flight > GAP_OUTBOX_FLIGHT_MAX)
        c->in_flight = GAP_OUTBOX_FLIGHT_MAX;
    if (c->attempts_max == 0) c->attempts_max = GAP_OUTBOX_ATTEMPTS_MAX;
    if (c->retry_min_us == 0) c->retry_min_us = GAP_OUTBOX_RETRY_MIN_US;
    if (c->retry_max_us == 0) c->retry_max_us = GAP_OUTBOX_RETRY_MAX_US;
    if (c->retry_max_us < c->retry_min_us) c->retry_max_us = c->retry_min_us;
    if (c->poll_us == 0) c->poll_us = GAP_OUTBOX_POLL_US;
    if (c->debounce_us == 0) c->debounce_us = GAP_OUTBOX_DEBOUNCE_US;
    if (c->keep_sent_us == 0) c->keep_sent_us = GAP_OUTBOX_KEEP_SENT_US;
    if (c->retry_min_us > GAP_OUTBOX_WAIT_MAX_US) c->retry_min_us = GAP_OUTBOX_WAIT_MAX_US;
    if (c->retry_max_us > GAP_OUTBOX_WAIT_MAX_US) c->retry_max_us = GAP_OUTBOX_WAIT_MAX_US;
    cap(&c->poll_us);
    cap(&c->debounce_us);
    cap(&c->keep_sent_us);
}

static gap_outbox_rate_t rate_of(const struct gap_rate *r)
{
    return (gap_outbox_rate_t){
        .calls = r->calls, .per_ms = (uint32_t)(r->per_us / 1000), .burst = r->burst};
}

int gap_outbox_open(gap_rt_t *rt, const struct gap_outbox_setup *setup, gap_outbox_t **out)
{
    gap_outbox_t *ob = gap_calloc(rt->alloc, 1, sizeof *ob);

    if (ob == NULL) return GAP_E_NOMEM;
    ob->rt = rt;
    ob->alloc = rt->alloc;
    ob->timer.fn = due;
    ob->store = setup->store;
    ob->epoch = setup->epoch;
    ob->prng.state = setup->jitter_seed;
    ob->config = *setup->config;
    ob->hooks = *setup->hooks;
    ob->post_due_us = INT64_MAX;
    complete(&ob->config);
    gap_loop_init(&ob->loop, &outbox_class);
    gap_buf_init(&ob->query, ob->alloc);
    gap_steady_init(&ob->steady, gap_env_wall_us(rt->env), gap_rt_now_us(rt));
    gap_limits_init(&ob->limits, ob->alloc, &ob->config, outbox_now_us(ob));
    ob->config.account = rate_of(&ob->limits.account_rate);
    ob->config.user = rate_of(&ob->limits.user_rate);
    ob->config.group = rate_of(&ob->limits.group_rate);
    gap_schedule_init(&ob->schedule, ob->alloc, &ob->limits, 0, ob->config.in_flight);
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) ob->slots[i].owner = ob;
    ob->turn.claims.alloc = ob->alloc;
    ob->turn.claims.claims = ob->turn.claim;
    int r = gap_timer_start(rt, &ob->timer, GAP_ENV_NEVER);
    if (r < 0) {
        outbox_free(ob);
        return r;
    }
    gap_loop_signal(rt, &ob->loop);
    *out = ob;
    return 0;
}

void gap_outbox_look(gap_outbox_t *ob)
{
    ob->wanted = ob->own = true;
    gap_loop_signal(ob->rt, &ob->loop);
}

void gap_outbox_signal(gap_outbox_t *ob)
{
    gap_loop_signal(ob->rt, &ob->loop);
}

int gap_outbox_happened(gap_outbox_t *ob, int64_t row, bool happened)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) {
        struct outbox_slot *slot = &ob->slots[i];
        if (slot->state != SLOT_PROBING || slot->server_asked || slot->row.row != row) continue;
        outbox_slot_probed(slot, happened);
        return 0;
    }
    return GAP_E_NOT_FOUND;
}

void gap_outbox_stop(gap_outbox_t *ob)
{
    ob->stopped = true;
    gap_loop_signal(ob->rt, &ob->loop);
}

void gap_outbox_count(const gap_outbox_t *ob, gap_outbox_stats_t *out)
{
    *out = ob->stats;
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) out->in_flight += ob->slots[i].calling;
    out->chats = (uint32_t)gap_schedule_count(&ob->schedule);
    out->bulk_stopped = ob->limits.bulk_stopped;
}

void gap_outbox_close(gap_outbox_t *ob, void (*closed)(void *arg), void *arg)
{
    if (ob->closing) return;
    ob->closing = ob->stopped = true;
    ob->closed = closed;
    ob->closed_arg = arg;
    gap_loop_signal(ob->rt, &ob->loop);
}
