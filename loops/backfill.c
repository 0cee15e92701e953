/*
 * loops/backfill.c - fetches the messages of a range of ids, by order of the program: what a
 * difference that was too long has skipped.
 *
 *   IDLE --its turn--> ASKING --> DELIVERING --> IDLE (next page, next job)
 *                        \--failed--> BACKOFF --> ASKING
 *
 * It comes after the channels that wait for a difference, and counts as one of the questions that
 * may be in flight. What it brings has no place in any sequence: positions and watermarks neither
 * move nor wait for it, a crash forgets it.
 *
 * Owns: the jobs, the question, the page. Never: moves a position, delivers an id twice.
 */
#include "loops/backfill.h"

#include "base/alloc.h"
#include "base/packet.h"
#include "loops/engine_internal.h"

#include <gapless/tl_api.h>
#include <string.h>

struct gap_backfill_job {
    STAILQ_ENTRY(gap_backfill_job) next;
    int64_t channel_id; /* 0: the common box */
    int32_t after;
    int32_t up_to;
    int32_t at;     /* all ids up to this one are through */
    uint64_t count; /* delivered */
};

static gap_engine_t *engine_of(struct gap_backfill *b)
{
    return GAP_CONTAINER_OF(b, gap_engine_t, backfill);
}

/* ---- ends ---- */

/* @return false: the engine is closing. */
static bool end_job(gap_engine_t *e, struct gap_backfill_job *job, int error, int32_t code)
{
    struct gap_backfill *b = &e->backfill;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_BACKFILLED, NULL);

    STAILQ_REMOVE(&b->jobs, job, gap_backfill_job, next);
    b->job_count--;
    ev.sequence = job->channel_id == 0 ? GAP_SEQUENCE_COMMON : GAP_SEQUENCE_CHANNEL;
    ev.channel_id = job->channel_id;
    ev.from = job->after;
    ev.to = job->at;
    ev.count = job->count;
    ev.error = error;
    ev.error_code = code;
    gap_free(e->alloc, job);
    gap_engine_tell(e, &ev);
    return !e->closing;
}

/* The first job is over, well or not. */
static void finish(struct gap_backfill *b, int error, int32_t code)
{
    gap_engine_t *e = engine_of(b);

    gap_packet_unref(b->packet);
    b->packet = NULL;
    b->state = BACKFILL_IDLE;
    b->unreadable = 0;
    b->pause_us = 0;
    if (end_job(e, STAILQ_FIRST(&b->jobs), error, code)) gap_loop_signal(e->rt, &b->loop);
}

static void later(struct gap_backfill *b, uint64_t pause_us)
{
    gap_engine_t *e = engine_of(b);

    b->state = BACKFILL_BACKOFF;
    b->pause_us = gap_backoff_us(b->pause_us, GAP_ENGINE_RETRY_MIN_US, GAP_ENGINE_RETRY_MAX_US);
    if (pause_us < b->pause_us)
        pause_us =
            gap_jitter_us(b->pause_us, e->config.limits.jitter_permille, gap_prng_next(&e->random));
    gap_tap_at(e, NULL, GAP_DECISION_LATER, -1, pause_us);
    if (gap_timer_start(e->rt, &b->retry, e->rt->now_us + pause_us) < 0) gap_engine_sweep_later(e);
}

static void retry_due(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_loop_signal(rt, &GAP_CONTAINER_OF(timer, struct gap_backfill, retry)->loop);
}

/* Not to be followed any more: no handler gets anything of it. */
static bool is_unwanted(const gap_engine_t *e, int64_t channel_id)
{
    if (channel_id == 0) return false;
    const struct gap_track *track = gap_map_get(&e->channels, (uint64_t)channel_id);
    return track != NULL && track->untracked;
}

/* ---- questions ---- */

static void on_answer(void *arg, const gap_answer_t *answer)
{
    gap_engine_t *e = arg;
    struct gap_backfill *b = &e->backfill;

    e->inflight--;
    e->channel_inflight--;
    if (e->closing) {
        gap_engine_check_closed(e);
        return;
    }
    b->have = true;
    b->status = answer->status > 0 ? GAP_E_PROTOCOL : answer->status;
    if (b->status == GAP_E_RPC)
        b->refusal = gap_refusal_read(answer->error_code, answer->error_text);
    if (b->status == 0 && !b->dropped) {
        b->value = answer->value;
        if (answer->packet != NULL) {
            b->packet = gap_packet_ref(answer->packet);
        } else {
            b->status = gap_packet_copy(e->alloc, answer->value, &b->packet);
            if (b->status == 0) b->value.data = b->packet->data;
        }
    }
    gap_loop_signal(e->rt, &b->loop);
}

static int send(gap_engine_t *e, gap_tl_object_t query)
{
    e->inflight++;
    e->channel_inflight++;
    int r = e->config.invoke(e->config.invoke_arg, query, on_answer, e);
    if (r >= 0) return 0;
    e->inflight--;
    e->channel_inflight--;
    return r;
}

static int ask_history(gap_engine_t *e, const struct gap_backfill_job *job)
{
    gap_tl_input_peer_channel_t peer = {job->channel_id, 0};
    gap_tl_messages_get_history_t q;

    (void)gap_engine_hash(e, job->channel_id, &peer.access_hash);
    memset(&q, 0, sizeof q);
    q.peer = gap_tl_of(GAP_TL_INPUT_PEER_CHANNEL, &peer);
    /* What lies below offset_id and above min_id, no more ids than a page has room for. */
    q.offset_id = e->backfill.reach == INT32_MAX ? 0 : e->backfill.reach + 1;
    q.min_id = job->at;
    q.limit = GAP_HISTORY_PAGE;
    return send(e, gap_tl_of(GAP_TL_MESSAGES_GET_HISTORY, &q));
}

static int ask_ids(gap_engine_t *e, const struct gap_backfill_job *job)
{
    gap_tl_input_message_id_t ids[GAP_HISTORY_IDS_PAGE];
    gap_tl_object_t objects[GAP_HISTORY_IDS_PAGE];
    uint32_t count = (uint32_t)(e->backfill.reach - job->at);

    for (uint32_t i = 0; i < count; i++) {
        ids[i].id = job->at + 1 + (int32_t)i;
        objects[i] = gap_tl_of(GAP_TL_INPUT_MESSAGE_ID, &ids[i]);
    }
    if (job->channel_id == 0) {
        gap_tl_messages_get_messages_t q = {gap_tl_array(objects, count)};
        return send(e, gap_tl_of(GAP_TL_MESSAGES_GET_MESSAGES, &q));
    }
    gap_tl_input_channel_t channel = {job->channel_id, 0};
    (void)gap_engine_hash(e, job->channel_id, &channel.access_hash);
    gap_tl_channels_get_messages_t q = {gap_tl_of(GAP_TL_INPUT_CHANNEL, &channel),
                                        gap_tl_array(objects, count)};
    return send(e, gap_tl_of(GAP_TL_CHANNELS_GET_MESSAGES, &q));
}

static void ask(struct gap_backfill *b)
{
    gap_engine_t *e = engine_of(b);
    const struct gap_backfill_job *job = STAILQ_FIRST(&b->jobs);
    bool history = job->channel_id != 0 && !e->config.bot;
    int32_t page = history ? GAP_HISTORY_PAGE : GAP_HISTORY_IDS_PAGE;
    gap_engine_decision_t d = {.kind = GAP_DECISION_ASKED_MESSAGES,
                               .channel_id = job->channel_id,
                               .position = job->at,
                               .pts = -1,
                               .limit = page};

    b->reach = job->up_to - job->at > page ? job->at + page : job->up_to;
    b->state = BACKFILL_ASKING;
    gap_tap_tell(e, NULL, &d);
    int r = history ? ask_history(e, job) : ask_ids(e, job);
    if (r < 0) later(b, 0);
}

static bool may_ask(const gap_engine_t *e)
{
    return gap_turns_are_over(e) && e->count.later < e->config.limits.inbox;
}

static void next_page(struct gap_backfill *b)
{
    gap_engine_t *e = engine_of(b);

    b->state = BACKFILL_IDLE;
    b->waits = false;
    if (STAILQ_EMPTY(&b->jobs)) return;
    if (is_unwanted(e, STAILQ_FIRST(&b->jobs)->channel_id)) {
        finish(b, GAP_E_STATE, 0);
        return;
    }
    b->waits = !may_ask(e);
    if (b->waits) {
        gap_engine_house(e); /* the end of a FLOOD_WAIT */
    } else {
        ask(b);
    }
}

void gap_backfill_wake(gap_engine_t *e)
{
    if (e->backfill.waits && may_ask(e)) gap_loop_signal(e->rt, &e->backfill.loop);
}

/* ---- answers ---- */

static void refused(struct gap_backfill *b, const struct gap_refusal *r)
{
    gap_engine_t *e = engine_of(b);

    if (r->kind == GAP_REFUSAL_FLOOD) {
        gap_wait_flooded(&e->wait, e->rt->now_us);
        later(b, (uint64_t)r->seconds * 1000000);
    } else if (r->kind == GAP_REFUSAL_SIGNED_OUT) {
        finish(b, GAP_E_UNAUTHORIZED, r->code);
    } else if (r->kind == GAP_REFUSAL_NO_ACCESS || (r->code >= 400 && r->code < 500)) {
        finish(b, GAP_E_RPC, r->code); /* the same question would be refused again */
    } else {
        later(b, 0);
    }
}

static void learn(gap_engine_t *e, const struct gap_history *page)
{
    /* Who is not learned for lack of room or memory is unknown, no more. */
    int r = gap_peers_learn(&e->peers, page->users);
    int q = gap_peers_learn(&e->peers, page->chats);
    if (r == GAP_E_NOMEM || q == GAP_E_NOMEM) gap_engine_sweep_later(e);
    gap_engine_tell_peers(e, page->users, page->chats);
}

static void open_page(struct gap_backfill *b)
{
    gap_engine_t *e = engine_of(b);
    const struct gap_backfill_job *job = STAILQ_FIRST(&b->jobs);

    int r = gap_history_open(b->value, job->channel_id, job->at, b->reach, &b->page);
    if (r == 0) {
        b->pause_us = 0;
        b->unreadable = 0;
        learn(e, &b->page);
        b->state = BACKFILL_DELIVERING;
        gap_loop_signal(e->rt, &b->loop);
        return;
    }
    gap_packet_unref(b->packet);
    b->packet = NULL;
    if (++b->unreadable < GAP_BACKFILL_UNREADABLE_MAX) {
        later(b, 0);
    } else {
        finish(b, r, 0);
    }
}

static void answered(struct gap_backfill *b)
{
    gap_engine_t *e = engine_of(b);
    int status = b->status;

    b->have = false;
    if (b->dropped) {
        b->dropped = false;
        b->state = BACKFILL_IDLE;
        gap_loop_signal(e->rt, &b->loop);
    } else if (status == GAP_E_RPC) {
        refused(b, &b->refusal);
    } else if (status == GAP_E_UNAUTHORIZED) {
        finish(b, status, 401);
    } else if (status < 0) {
        later(b, 0);
    } else {
        open_page(b);
    }
    if (!e->closing) gap_turns_go(e);
}

static void page_done(struct gap_backfill *b)
{
    struct gap_backfill_job *job = STAILQ_FIRST(&b->jobs);

    gap_packet_unref(b->packet);
    b->packet = NULL;
    job->at = b->reach;
    b->state = BACKFILL_IDLE;
    if (job->at >= job->up_to) {
        finish(b, 0, 0);
    } else {
        gap_loop_signal(engine_of(b)->rt, &b->loop);
    }
}

static void deliver(struct gap_backfill *b)
{
    gap_engine_t *e = engine_of(b);
    struct gap_item item;

    for (unsigned budget = GAP_FEED_BATCH_MAX; budget > 0 && !e->held; budget--) {
        struct gap_node *n = gap_node_new(e, NODE_UPDATE, b->packet);
        if (n == NULL) {
            gap_engine_sweep_later(e);
            return;
        }
        if (is_unwanted(e, STAILQ_FIRST(&b->jobs)->channel_id)) {
            gap_node_free(n);
            finish(b, GAP_E_STATE, 0);
            return;
        }
        if (!gap_history_next(&b->page, &item)) {
            gap_node_free(n);
            page_done(b);
            return;
        }
        gap_node_fill(n, &item, &b->page.users, &b->page.chats, GAP_VIA_BACKFILL);
        n->update.maybe_repeated = true;
        STAILQ_FIRST(&b->jobs)->count++;
        gap_tap_node(n, GAP_DECISION_BACKFILLED, 0);
        gap_node_deliver(n);
        if (e->closing) return;
    }
    gap_loop_signal(e->rt, &b->loop);
}

static void backfill_run(gap_rt_t *rt, gap_loop_t *loop)
{
    struct gap_backfill *b = GAP_CONTAINER_OF(loop, struct gap_backfill, loop);

    (void)rt;
    if (engine_of(b)->held) {
        gap_stall(engine_of(b), &engine_of(b)->backfill_stall, loop);
        return;
    }
    if (b->have) {
        answered(b);
    } else if (b->state == BACKFILL_DELIVERING) {
        deliver(b);
    } else if (b->state == BACKFILL_IDLE) {
        next_page(b);
    } else if (b->state == BACKFILL_BACKOFF && !gap_heap_contains(&b->retry.node)) {
        next_page(b);
    }
}

static void backfill_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    struct gap_backfill *b = GAP_CONTAINER_OF(loop, struct gap_backfill, loop);

    (void)rt;
    gap_engine_closed_one(engine_of(b));
}

static const struct gap_loop_class backfill_class = {"backfill", backfill_run, backfill_closed};

/* ---- orders ---- */

void gap_backfill_init(gap_engine_t *e)
{
    struct gap_backfill *b = &e->backfill;

    gap_loop_init(&b->loop, &backfill_class);
    b->retry.fn = retry_due;
    STAILQ_INIT(&b->jobs);
}

void gap_backfill_close(gap_engine_t *e)
{
    gap_timer_stop(e->rt, &e->backfill.retry);
    gap_loop_close(e->rt, &e->backfill.loop);
}

void gap_backfill_fini(gap_engine_t *e)
{
    struct gap_backfill *b = &e->backfill;
    struct gap_backfill_job *job;

    while ((job = STAILQ_FIRST(&b->jobs)) != NULL) {
        STAILQ_REMOVE_HEAD(&b->jobs, next);
        gap_free(e->alloc, job);
    }
    gap_packet_unref(b->packet);
    b->packet = NULL;
}

/* The job at work is taken away from the question, the page or the pause that was its own. */
static void stop_work(struct gap_backfill *b)
{
    gap_engine_t *e = engine_of(b);

    gap_timer_stop(e->rt, &b->retry);
    gap_packet_unref(b->packet);
    b->packet = NULL;
    b->pause_us = 0;
    b->unreadable = 0;
    if (b->state == BACKFILL_ASKING) {
        b->dropped = true;
    } else {
        b->state = BACKFILL_IDLE;
    }
    gap_loop_signal(e->rt, &b->loop);
}

void gap_backfill_lost(gap_engine_t *e, int64_t channel_id, int32_t code)
{
    struct gap_backfill *b = &e->backfill;
    struct gap_backfill_job *job = STAILQ_FIRST(&b->jobs);

    while (job != NULL) {
        struct gap_backfill_job *next = STAILQ_NEXT(job, next);
        if (job->channel_id == channel_id) {
            if (job == STAILQ_FIRST(&b->jobs) && !b->dropped) stop_work(b);
            if (!end_job(e, job, GAP_E_RPC, code)) return;
        }
        job = next;
    }
}

int gap_engine_backfill(gap_engine_t *e, int64_t channel_id, int32_t after_id, int32_t up_to_id)
{
    struct gap_backfill *b = &e->backfill;

    if (e->closing) return GAP_E_CLOSED;
    if (channel_id < 0 || after_id < 0 || up_to_id <= after_id) return GAP_E_ARGUMENT;
    if (channel_id > 0 && !e->config.bot && !gap_engine_hash(e, channel_id, NULL))
        return GAP_E_NOT_FOUND;
    if (is_unwanted(e, channel_id)) return GAP_E_STATE;
    if (b->job_count >= GAP_ENGINE_BACKFILLS_MAX) return GAP_E_LIMIT;
    struct gap_backfill_job *job = gap_calloc(e->alloc, 1, sizeof *job);
    if (job == NULL) return GAP_E_NOMEM;
    job->channel_id = channel_id;
    job->after = job->at = after_id;
    job->up_to = up_to_id;
    STAILQ_INSERT_TAIL(&b->jobs, job, next);
    b->job_count++;
    gap_loop_signal(e->rt, &b->loop);
    return 0;
}
