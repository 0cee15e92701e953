/*
 * loops/update_ask.c - the updater's questions, and what becomes of the answers.
 *
 *   asked  anew: updates.getState, channels.getFullChannel     else: the difference
 *   answer empty -> finish; contents -> DELIVERING; too long -> event, go on behind it;
 *          refused -> by kind (sequence/ask.h); unreadable or without progress -> back-off
 *
 * A common difference that fails is asked for again for ever, with an event each time: giving up
 * would lose what a server that recovers still has. A place that the server names and then refuses
 * is asked for with growing pauses, or the two answers would chase each other.
 *
 * Owns: the in-flight counts. Never: delivers.
 */
#include "base/packet.h"
#include "loops/engine_internal.h"

#include <gapless/tl_api.h>
#include <string.h>

/* ---- questions ---- */

static void on_answer(void *arg, const gap_answer_t *answer)
{
    struct gap_updater *u = arg;
    gap_engine_t *e = u->engine;
    struct gap_updater_answer *a = &u->answer;

    e->inflight--;
    if (!gap_updater_is_common(u)) e->channel_inflight--;
    if (e->closing) {
        gap_engine_check_closed(e);
        return;
    }
    memset(a, 0, sizeof *a);
    a->have = true;
    a->status = answer->status > 0 ? GAP_E_PROTOCOL : answer->status;
    if (a->status == GAP_E_RPC)
        a->refusal = gap_refusal_read(answer->error_code, answer->error_text);
    if (a->status == 0) {
        a->value = answer->value;
        if (answer->packet != NULL) {
            a->packet = gap_packet_ref(answer->packet);
        } else {
            a->status = gap_packet_copy(e->alloc, answer->value, &a->packet);
            if (a->status == 0) a->value.data = a->packet->data;
        }
    }
    gap_loop_signal(e->rt, &u->loop);
}

static int send(struct gap_updater *u, gap_tl_object_t query)
{
    gap_engine_t *e = u->engine;

    e->inflight++;
    if (!gap_updater_is_common(u)) e->channel_inflight++;
    u->asked_us = gap_rt_now_us(e->rt);
    gap_tap_asked(u, query);
    int r = e->config.invoke(e->config.invoke_arg, query, on_answer, u);
    if (r >= 0) {
        gap_wait_asked(&e->wait, u->asked_us);
        return 0;
    }
    e->inflight--;
    if (!gap_updater_is_common(u)) e->channel_inflight--;
    gap_tap_failure(u, GAP_DECISION_NOT_SENT, r, 0);
    return r;
}

/* Where a question begins: further on while the way around an unreadable event is looked for. */
static int32_t ahead(int32_t position, int32_t by)
{
    return position <= INT32_MAX - by ? position + by : INT32_MAX;
}

static int ask_common(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    if (u->anew) {
        gap_tl_updates_get_state_t q;
        memset(&q, 0, sizeof q);
        return send(u, gap_tl_of(GAP_TL_UPDATES_GET_STATE, &q));
    }
    gap_tl_updates_get_difference_t q;
    memset(&q, 0, sizeof q);
    q.pts = ahead(e->common[GAP_SEQUENCE_COMMON].core.position, u->shrink.pts);
    q.qts = ahead(e->common[GAP_SEQUENCE_QTS].core.position, u->shrink.qts);
    if (u->shrink.limit > 0) {
        q.flags |=
            GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_LIMIT | GAP_TL_UPDATES_GET_DIFFERENCE_F_QTS_LIMIT;
        q.pts_limit = q.qts_limit = u->shrink.limit;
    }
    /* A second earlier: what happened later in the same second counts as since then. */
    q.date = e->date > 1 ? e->date - 1 : 1;
    int r = send(u, gap_tl_of(GAP_TL_UPDATES_GET_DIFFERENCE, &q));
    if (r == 0) e->count.differences++;
    return r;
}

static int ask_channel(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    gap_tl_input_channel_t channel = {u->track->channel_id, 0};

    (void)gap_engine_hash(e, u->track->channel_id, &channel.access_hash);
    if (u->anew) {
        gap_tl_channels_get_full_channel_t full;
        memset(&full, 0, sizeof full);
        full.channel = gap_tl_of(GAP_TL_INPUT_CHANNEL, &channel);
        return send(u, gap_tl_of(GAP_TL_CHANNELS_GET_FULL_CHANNEL, &full));
    }
    gap_tl_updates_get_channel_difference_t q;
    gap_tl_channel_messages_filter_empty_t filter;
    memset(&q, 0, sizeof q);
    memset(&filter, 0, sizeof filter);
    q.flags = GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE_F_FORCE;
    q.channel = gap_tl_of(GAP_TL_INPUT_CHANNEL, &channel);
    q.filter = gap_tl_of(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &filter);
    q.pts = ahead(u->track->core.position > 0 ? u->track->core.position : 1, u->shrink.pts);
    q.limit = (int32_t)e->config.limits.difference_limit;
    /* A channel that is new to us: its whole past is not wanted. */
    if (u->probe && q.limit > GAP_ENGINE_USER_LIMIT) q.limit = GAP_ENGINE_USER_LIMIT;
    if (u->shrink.limit > 0 && q.limit > u->shrink.limit) q.limit = u->shrink.limit;
    int r = send(u, gap_tl_of(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &q));
    if (r == 0) e->count.channel_differences++;
    return r;
}

int gap_updater_ask(struct gap_updater *u)
{
    u->asked_anew = u->anew;
    return gap_updater_is_common(u) ? ask_common(u) : ask_channel(u);
}

/* ---- positions ---- */

void gap_updater_resynced(struct gap_updater *u, struct gap_track *track, int32_t from,
                          gap_engine_reason_t why)
{
    u->resynced = true;
    /* What was held was the lie: nothing is lost. */
    if (why == GAP_REASON_NO_PROGRESS && from == track->core.position) return;
    gap_watch_lost(u->engine, track, from, track->core.position, why, u->top_id);
    u->top_id = 0;
}

static void move(struct gap_updater *u, struct gap_track *track, int32_t position)
{
    int32_t from = track->core.position;
    enum gap_moved moved = gap_sequence_move(&track->core, position);

    gap_mark(u->engine, track);
    gap_press_check(u->engine, track);
    if (moved != GAP_MOVED_RESET) return;
    gap_mark_fallen(u->engine, track);
    gap_updater_resynced(u, track, from, GAP_REASON_RESET);
}

/* seq is the server's count of containers. It falls when the server starts to number anew; being a
 * little behind ours only means that a part of the server is late. What came since it was asked the
 * answer can't know. */
static void move_seq(gap_engine_t *e, int32_t seq)
{
    gap_sequence_t *core = &e->common[GAP_SEQUENCE_SEQ].core;
    int32_t asked = e->feeds[GAP_SEQUENCE_SEQ].asked_at;

    if (seq < 0) return;
    if (asked > core->position) asked = core->position;
    gap_mark(e, &e->common[GAP_SEQUENCE_SEQ]);
    if (seq >= core->position) {
        core->position = seq;
    } else if ((seq > 0 && seq < asked / 2) || asked - seq > GAP_WINDOW) {
        core->position = seq;
        gap_mark_fallen(e, &e->common[GAP_SEQUENCE_SEQ]);
        gap_window_clear(&e->window);
    }
}

static void move_date(gap_engine_t *e, int32_t date)
{
    if (date <= e->date) return;
    e->date = date;
    gap_mark(e, &e->common[GAP_SEQUENCE_COMMON]);
}

bool gap_updater_take_state(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    const struct gap_difference *d = &u->difference;

    if (gap_updater_is_common(u)) {
        move(u, &e->common[GAP_SEQUENCE_COMMON], d->pts);
        move(u, &e->common[GAP_SEQUENCE_QTS], d->qts);
        move_seq(e, d->seq);
        move_date(e, d->date);
    } else {
        u->track->hearsay = false;
        if (d->has_pts) move(u, u->track, d->pts);
    }
    gap_packet_unref(u->packet);
    u->packet = NULL;
    return u->slice;
}

/* ---- answers ---- */

static void signed_out(struct gap_updater *u, int32_t code)
{
    gap_engine_t *e = u->engine;

    u->state = UPDATER_QUEUED;
    u->want = true;
    if (e->unauthorized) return;
    e->unauthorized = true;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_UNAUTHORIZED, u->feed->track);
    ev.error = GAP_E_UNAUTHORIZED;
    ev.error_code = code;
    gap_engine_tell(e, &ev);
}

static void no_access(struct gap_updater *u, int32_t code)
{
    gap_engine_t *e = u->engine;
    struct gap_track *track = u->track;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_CHANNEL_LOST, track);

    ev.from = track->core.position;
    ev.error = GAP_E_RPC;
    ev.error_code = code;
    gap_feed_drop(u->feed);
    track->core.position = 0;
    gap_mark_fallen(e, track);
    track->read_max_id = 0;
    track->behind = 0;
    track->lost = true;
    u->want = u->anew = false;
    u->want_pts = 0;
    u->resynced = true;
    gap_engine_tell(e, &ev);
    if (!e->closing) gap_backfill_lost(e, track->channel_id, code);
    if (!e->closing) gap_updater_finish(u);
}

/* As long as the server says, and no less than after any other failure. */
static void flooded(struct gap_updater *u, const struct gap_refusal *r)
{
    uint64_t pause_us = (uint64_t)r->seconds * 1000000;

    gap_wait_flooded(&u->engine->wait, u->engine->rt->now_us);
    gap_engine_taint(u->engine);
    u->pause_us = gap_backoff_us(u->pause_us, GAP_ENGINE_RETRY_MIN_US, GAP_ENGINE_RETRY_MAX_US);
    if (pause_us < u->pause_us) pause_us = u->pause_us;
    gap_turns_flooded(u, pause_us);
    gap_updater_fail(u, GAP_E_RPC, r->code, GAP_REASON_NONE, pause_us);
}

static void refused(struct gap_updater *u, const struct gap_refusal *r)
{
    switch (r->kind) {
    case GAP_REFUSAL_SIGNED_OUT:
        signed_out(u, r->code);
        return;
    case GAP_REFUSAL_FLOOD:
        flooded(u, r);
        return;
    case GAP_REFUSAL_NO_ACCESS:
        if (gap_updater_is_common(u)) break;
        no_access(u, r->code);
        return;
    case GAP_REFUSAL_POSITION:
        if (u->asked_anew) break;
        if (gap_shrink_is_ahead(&u->shrink)) { /* not ours: a place that was tried */
            gap_updater_unreadable(u, GAP_E_RPC, r->code);
            return;
        }
        u->anew = true;
        u->anew_why = GAP_REASON_INVALID;
        if (u->refused < UINT8_MAX) u->refused++;
        if (u->refused > 1) break; /* what it said itself: not in a circle */
        u->state = UPDATER_QUEUED;
        gap_loop_signal(u->engine->rt, &u->loop);
        return;
    case GAP_REFUSAL_RETRY:
        break;
    }
    gap_updater_fail(u, GAP_E_RPC, r->code, GAP_REASON_NONE, 0);
}

void gap_updater_again(struct gap_updater *u)
{
    if (u->refused < 2) u->pause_us = 0;
    u->state = UPDATER_QUEUED;
    u->want = true;
    gap_loop_signal(u->engine->rt, &u->loop);
}

/* The answer leads nowhere. After a few of the kind the sequence goes on all the same, behind what
 * is missing. */
static void useless(struct gap_updater *u)
{
    gap_tap(u->engine, u->feed->track, GAP_DECISION_USELESS);
    if (++u->useless >= GAP_FRUITLESS_MAX) {
        gap_updater_finish(u);
    } else {
        gap_updater_fail(u, 0, 0, GAP_REASON_NO_PROGRESS, 0);
    }
}

/* A server that is too long behind itself, again and again, is not asked at once each time. */
static void too_long_again(struct gap_updater *u)
{
    if (u->useless > 0) {
        useless(u);
    } else {
        u->useless = 1;
        gap_updater_again(u);
    }
}

static void learn(gap_engine_t *e, const struct gap_difference *d)
{
    /* Who is not learned for lack of room is unknown: that costs a question later, no update. */
    int r = gap_peers_learn(&e->peers, d->users);
    if (r == 0 || r == GAP_E_LIMIT) r = gap_peers_learn(&e->peers, d->chats);
    if (r < 0 && r != GAP_E_LIMIT) gap_engine_sweep_later(e);
    gap_engine_tell_peers(e, d->users, d->chats);
}

static void deliver(struct gap_updater *u, struct gap_updater_answer *a)
{
    u->useless = 0;
    u->refused = 0;
    u->before = u->feed->track->core.position;
    u->packet = a->packet;
    a->packet = NULL;
    u->pause_us = 0;
    u->slice = u->difference.kind == GAP_DIFFERENCE_SLICE;
    u->state = UPDATER_DELIVERING;
    gap_loop_signal(u->engine->rt, &u->feed->loop);
}

/* An answer that may lead on a little: it is delivered, but after two of the kind in a row there is
 * a pause before the next question, and after a few no question. */
static void deliver_warily(struct gap_updater *u, struct gap_updater_answer *a)
{
    uint8_t useless = u->useless;
    uint64_t pause_us = u->pause_us;

    deliver(u, a);
    u->useless = (uint8_t)(useless + 1);
    u->pause_us = pause_us;
    u->slice = !u->difference.final && u->useless < GAP_FRUITLESS_MAX;
}

/* A slice that leads nowhere. What it carries is delivered when it is the last one asked for. */
static void no_progress(struct gap_updater *u, struct gap_updater_answer *a)
{
    if (u->useless + 1 < GAP_FRUITLESS_MAX) {
        useless(u);
        return;
    }
    deliver(u, a);
    u->slice = false;
    u->useless = GAP_FRUITLESS_MAX;
}

/* What lay between is the server's to tell: it is asked for from the lowest place that showed. */
static void count_lower(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    struct gap_track *track = u->feed->track;
    int32_t from = track->core.position;

    gap_feed_purge(u->feed);
    if (e->closing) return;
    track->core.position = gap_doubt_base(e, track);
    track->restored = true; /* some of it may have come before */
    gap_mark_fallen(e, track);
    gap_updater_resynced(u, track, from, GAP_REASON_RESET);
    gap_feed_flush(u->feed, from);
    if (!e->closing) gap_updater_again(u);
}

/* Asked because it was doubted that our count is the server's. */
static bool answers_doubt(struct gap_updater *u, int32_t pts)
{
    if (u->anew_why != GAP_REASON_NONE || u->feed->track->core.position == 0) return false;
    u->anew = false;
    gap_tap_at(u->engine, u->feed->track, GAP_DECISION_STATE, pts, 0);
    if (gap_doubt_answer(u->engine, u->feed->track, pts))
        count_lower(u);
    else
        gap_updater_finish(u);
    return true;
}

/* A difference is through, and stands there. What was applied since it was asked for it can't know.
 */
static void compare(struct gap_updater *u)
{
    const struct gap_difference *d = &u->difference;
    struct gap_track *track = u->feed->track;

    if (!d->has_pts || !d->final || u->feed->asked_at != track->core.position) return;
    if (gap_sequence_falls(&track->core, d->pts)) return; /* taken as it is */
    if (!gap_doubt_answer(u->engine, track, d->pts)) return;
    u->anew = true;
    u->anew_why = GAP_REASON_NONE;
}

static void took_state(struct gap_updater *u, const struct gap_server_state *s)
{
    gap_engine_t *e = u->engine;
    int32_t pts = e->common[GAP_SEQUENCE_COMMON].core.position;
    int32_t qts = e->common[GAP_SEQUENCE_QTS].core.position;
    int32_t seq = e->common[GAP_SEQUENCE_SEQ].core.position;
    gap_engine_reason_t why = u->anew_why;

    u->anew = false;
    u->anew_why = GAP_REASON_NONE;
    gap_tap_at(e, &e->common[GAP_SEQUENCE_COMMON], GAP_DECISION_STATE, s->pts, 0);
    e->common[GAP_SEQUENCE_COMMON].core.position = s->pts;
    /* Where pts begins anew qts goes on: what was missed of it is asked for. */
    if (why != GAP_REASON_RESET || qts == 0) e->common[GAP_SEQUENCE_QTS].core.position = s->qts;
    e->common[GAP_SEQUENCE_SEQ].core.position = s->seq;
    /* Since the date before channels may have changed unseen. */
    if (s->date > 0 && (e->date == 0 || (!e->told && s->date < e->date))) e->date = s->date;
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->common); i++) gap_mark_fallen(e, &e->common[i]);
    if (why != GAP_REASON_NONE) {
        if (s->seq < seq) gap_window_clear(&e->window); /* containers are numbered anew */
        gap_updater_resynced(u, &e->common[GAP_SEQUENCE_COMMON], pts, why);
        if (qts != e->common[GAP_SEQUENCE_QTS].core.position && !e->closing)
            gap_updater_resynced(u, &e->common[GAP_SEQUENCE_QTS], qts, why);
        gap_feed_flush(&e->feeds[GAP_SEQUENCE_COMMON], pts);
        gap_feed_flush(&e->feeds[GAP_SEQUENCE_QTS], qts);
        gap_feed_flush(&e->feeds[GAP_SEQUENCE_SEQ], seq);
    }
    e->known = true;
    if (!e->closing) gap_engine_tell_started(e);
    if (e->closing) return;
    if (why == GAP_REASON_UNREADABLE) {
        u->want = false;
        u->useless = GAP_FRUITLESS_MAX; /* what is held is not asked for again */
        gap_updater_finish(u);
    } else {
        gap_updater_again(u);
    }
}

/* Would the sequence move? */
static bool leads_on(const gap_sequence_t *s, int32_t position)
{
    gap_sequence_t to = *s;
    return gap_sequence_move(&to, position) != GAP_MOVED_NOT;
}

static void answered_common(struct gap_updater *u, struct gap_updater_answer *a)
{
    gap_engine_t *e = u->engine;
    struct gap_difference *d = &u->difference;
    const gap_sequence_t *pts = &e->common[GAP_SEQUENCE_COMMON].core;
    const gap_sequence_t *qts = &e->common[GAP_SEQUENCE_QTS].core;

    if (u->asked_anew) {
        struct gap_server_state s;
        int r = gap_server_state_read(a->value, &s);
        if (r < 0) {
            gap_updater_fail(u, r, 0, GAP_REASON_NONE, 0);
        } else if (!e->known || !answers_doubt(u, s.pts)) {
            took_state(u, &s);
        } else if (s.date > 0 && s.date < e->date) {
            e->date = s.date; /* its clock went back, too */
        }
        return;
    }
    int r = gap_difference_open(a->value, 0, d);
    if (r < 0) {
        gap_updater_unreadable(u, r, 0);
        return;
    }
    gap_tap_answer(u);
    if (!gap_updater_readable(u)) return;
    learn(e, d);
    switch (d->kind) {
    case GAP_DIFFERENCE_EMPTY:
        move_seq(e, d->seq);
        move_date(e, d->date);
        gap_updater_finish(u);
        return;
    case GAP_DIFFERENCE_TOO_LONG:
        if (d->pts <= pts->position) {
            useless(u);
            return;
        }
        r = pts->position;
        e->common[GAP_SEQUENCE_COMMON].core.position = d->pts;
        gap_mark(e, &e->common[GAP_SEQUENCE_COMMON]);
        gap_updater_resynced(u, &e->common[GAP_SEQUENCE_COMMON], r, GAP_REASON_TOO_LONG);
        gap_feed_flush(u->feed, r);
        if (!e->closing) too_long_again(u);
        return;
    case GAP_DIFFERENCE_SLICE:
        if (leads_on(pts, d->pts) || leads_on(qts, d->qts)) break;
        if (d->date > e->date)
            deliver_warily(u, a); /* it may name channels */
        else
            no_progress(u, a);
        return;
    case GAP_DIFFERENCE_FINAL:
        compare(u);
        break;
    }
    deliver(u, a);
}

static void full_channel(struct gap_updater *u, gap_bytes_t value)
{
    int32_t pts;
    int32_t from = u->track->core.position;

    int r = gap_full_channel_read(value, u->track->channel_id, &pts);
    if (r < 0) {
        gap_updater_fail(u, r, 0, GAP_REASON_NONE, 0);
        return;
    }
    if (answers_doubt(u, pts)) return;
    u->anew = false;
    u->want = false;
    gap_tap_at(u->engine, u->track, GAP_DECISION_STATE, pts, 0);
    u->track->core.position = pts;
    gap_mark_fallen(u->engine, u->track);
    if (u->anew_why == GAP_REASON_UNREADABLE) u->useless = GAP_FRUITLESS_MAX;
    if (u->anew_why != GAP_REASON_NONE) gap_updater_resynced(u, u->track, from, u->anew_why);
    gap_feed_flush(u->feed, from);
    u->anew_why = GAP_REASON_NONE;
    if (!u->engine->closing) gap_updater_finish(u);
}

/* The server will not say what happened: go on from where it says. */
static void channel_too_long(struct gap_updater *u, struct gap_updater_answer *a)
{
    const struct gap_difference *d = &u->difference;
    int32_t from = u->track->core.position;
    int32_t lowest;
    int32_t highest;

    bool messages = gap_difference_ids(d, &lowest, &highest);
    u->top_id = d->top_message;
    if (!d->has_pts) {
        u->anew = true;
        u->anew_why = GAP_REASON_TOO_LONG;
        if (!messages) {
            gap_updater_again(u);
            return;
        }
        gap_feed_flush_for(u->feed, from, lowest, highest);
        if (u->engine->closing) return;
        deliver_warily(u, a);
        u->slice = true; /* where it stands is asked next */
        return;
    }
    if (d->pts <= from) {
        useless(u);
        return;
    }
    u->track->core.position = d->pts;
    gap_mark(u->engine, u->track);
    gap_updater_resynced(u, u->track, from, GAP_REASON_TOO_LONG);
    if (u->engine->closing) return;
    if (messages) {
        gap_feed_flush_for(u->feed, from, lowest, highest);
        if (u->engine->closing) return;
        deliver_warily(u, a);
        u->before = from; /* until they are delivered */
        return;
    }
    gap_feed_flush(u->feed, from);
    if (u->engine->closing) return;
    if (d->final) {
        gap_updater_finish(u);
    } else {
        too_long_again(u);
    }
}

static void answered_channel(struct gap_updater *u, struct gap_updater_answer *a)
{
    gap_engine_t *e = u->engine;
    struct gap_difference *d = &u->difference;

    if (u->asked_anew) {
        full_channel(u, a->value);
        return;
    }
    int r = gap_difference_open(a->value, u->track->channel_id, d);
    if (r < 0) {
        gap_updater_unreadable(u, r, 0);
        return;
    }
    gap_tap_answer(u);
    if (!gap_updater_readable(u)) return;
    learn(e, d);
    switch (d->kind) {
    case GAP_DIFFERENCE_EMPTY:
        compare(u);
        if (d->has_pts) move(u, u->track, d->pts);
        if (!e->closing) gap_updater_finish(u);
        return;
    case GAP_DIFFERENCE_TOO_LONG:
        channel_too_long(u, a);
        return;
    case GAP_DIFFERENCE_SLICE:
        if (!d->has_pts || d->pts <= u->track->core.position) {
            no_progress(u, a);
            return;
        }
        break;
    case GAP_DIFFERENCE_FINAL:
        compare(u);
        break;
    }
    deliver(u, a);
}

static void took(gap_engine_t *e, uint64_t us)
{
    if (e->wait.rtt_known && us > e->wait.rtt_us + GAP_WAIT_SOCKET_US) gap_engine_taint(e);
    gap_wait_rtt(&e->wait, us);
}

void gap_updater_answered(struct gap_updater *u)
{
    struct gap_updater_answer a = u->answer;
    gap_engine_t *e = u->engine;

    u->answer.have = false;
    u->answer.packet = NULL;
    if (a.status < 0)
        gap_tap_failure(u, a.status == GAP_E_RPC ? GAP_DECISION_REFUSED : GAP_DECISION_NO_ANSWER,
                        a.status, a.status == GAP_E_RPC ? a.refusal.code : 0);
    /* Only now: an engine on its own knows the time in ticks. */
    if (a.status == 0) took(e, gap_rt_now_us(e->rt) - u->asked_us);
    if (a.status == 0) {
        gap_updater_for_each_feed(u, gap_feed_answered);
        u->under_way = true;
    }
    if (e->closing) {
        gap_packet_unref(a.packet);
        return;
    }
    if (a.status == GAP_E_RPC) {
        refused(u, &a.refusal);
    } else if (a.status == GAP_E_UNAUTHORIZED) {
        signed_out(u, 401);
    } else if (a.status < 0) {
        gap_updater_fail(u, a.status, 0, GAP_REASON_NONE, 0);
    } else if (gap_updater_is_common(u)) {
        answered_common(u, &a);
    } else {
        answered_channel(u, &a);
    }
    gap_packet_unref(a.packet);
    if (!gap_updater_is_common(u) && !e->closing) gap_turns_go(e);
}

bool gap_updater_is_foreign(const struct gap_updater *u, const struct gap_item *item)
{
    if ((item->flags & GAP_ITEM_TOO_LONG) != 0) return true;
    if (item->pts < 0) return false;
    if (gap_updater_is_common(u)) return item->box == GAP_BOX_CHANNEL;
    if (item->box == GAP_BOX_CHANNEL) return item->channel_id != u->track->channel_id;
    return item->box == GAP_BOX_COMMON || item->box == GAP_BOX_QTS;
}
