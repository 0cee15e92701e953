/*
 * tests/sim/world.c - see world.h.
 */
#include "world.h"

#include "base/assert.h"
#include "sequence/update.h"

#include <stdarg.h>
#include <string.h>

/* ---- trace ---- */

void world_trace(struct world *w, const char *format, ...)
{
    va_list args;
    size_t room = sizeof w->trace - w->trace_len;

    int n =
        snprintf(w->trace + w->trace_len, room, "[%4llu] ", (unsigned long long)(w->now_us / 1000));
    w->trace_len += (size_t)n;
    va_start(args, format);
    n = vsnprintf(w->trace + w->trace_len, sizeof w->trace - w->trace_len, format, args);
    va_end(args);
    w->trace_len += (size_t)n;
    w->trace_len += (size_t)snprintf(w->trace + w->trace_len, 2, "\n");
    if (w->trace_len > sizeof w->trace - 256) world_forget(w);
}

void world_forget(struct world *w)
{
    w->trace_len = 0;
    w->trace[0] = 0;
}

static int32_t first_int(gap_tl_vector_t v)
{
    gap_tl_iter_t it = gap_tl_iter(v);
    int32_t id = 0;
    return gap_tl_next_int(&it, &id) == 1 ? id : 0;
}

static void label_message(gap_tl_object_t message, int64_t channel, const char *what, char out[64])
{
    gap_tl_message_t m;
    char where[24] = "";

    if (message.id == GAP_TL_MESSAGE_SERVICE) {
        gap_tl_message_service_t s;
        ck_assert_int_gt(GAP_TL_READ(message, GAP_TL_MESSAGE_SERVICE, &s), 0);
        m.id = s.id;
    } else {
        ck_assert_int_gt(GAP_TL_READ(message, GAP_TL_MESSAGE, &m), 0);
    }
    if (channel != 0) (void)snprintf(where, sizeof where, "%lld:", (long long)channel);
    (void)snprintf(out, 64, "%s %s%d", what, where, m.id);
}

#define READ(update, NAME, var) ck_assert_int_eq(GAP_UPDATE_READ(update, NAME, &(var)), 0)

void world_label(const gap_update_t *u, char out[64])
{
    union {
        gap_tl_update_new_message_t message;
        gap_tl_update_new_channel_message_t channel_message;
        gap_tl_update_edit_message_t edit;
        gap_tl_update_edit_channel_message_t channel_edit;
        gap_tl_update_delete_messages_t del;
        gap_tl_update_bot_stopped_t qts;
        gap_tl_update_bot_callback_query_t query;
        gap_tl_update_user_status_t status;
        gap_tl_update_user_typing_t typing;
        gap_tl_update_message_id_t random;
        gap_tl_update_read_channel_inbox_t read;
    } x;
    int64_t channel = gap_update_channel_id(u);

    switch (gap_update_id(u)) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
        READ(u, GAP_TL_UPDATE_NEW_MESSAGE, x.message);
        label_message(x.message.message, 0, "apply", out);
        break;
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        READ(u, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, x.channel_message);
        label_message(x.channel_message.message, channel, "apply", out);
        break;
    case GAP_TL_UPDATE_EDIT_MESSAGE:
        READ(u, GAP_TL_UPDATE_EDIT_MESSAGE, x.edit);
        label_message(x.edit.message, 0, "edit", out);
        break;
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        READ(u, GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE, x.channel_edit);
        label_message(x.channel_edit.message, channel, "edit", out);
        break;
    case GAP_TL_UPDATE_DELETE_MESSAGES:
        READ(u, GAP_TL_UPDATE_DELETE_MESSAGES, x.del);
        (void)snprintf(out, 64, "delete %d", first_int(x.del.messages));
        break;
    case GAP_TL_UPDATE_BOT_STOPPED:
        READ(u, GAP_TL_UPDATE_BOT_STOPPED, x.qts);
        (void)snprintf(out, 64, "apply q%lld", (long long)x.qts.user_id);
        break;
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        READ(u, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, x.query);
        (void)snprintf(out, 64, "apply query %lld", (long long)x.query.query_id);
        break;
    case GAP_TL_UPDATE_USER_STATUS:
        READ(u, GAP_TL_UPDATE_USER_STATUS, x.status);
        (void)snprintf(out, 64, "apply status %lld", (long long)x.status.user_id);
        break;
    case GAP_TL_UPDATE_USER_TYPING:
        READ(u, GAP_TL_UPDATE_USER_TYPING, x.typing);
        (void)snprintf(out, 64, "apply typing %lld", (long long)x.typing.user_id);
        break;
    case GAP_TL_UPDATE_MESSAGE_ID:
        READ(u, GAP_TL_UPDATE_MESSAGE_ID, x.random);
        (void)snprintf(out, 64, "apply random %d", x.random.id);
        break;
    case GAP_TL_UPDATE_READ_CHANNEL_INBOX:
        READ(u, GAP_TL_UPDATE_READ_CHANNEL_INBOX, x.read);
        (void)snprintf(out, 64, "apply read %lld:%d", (long long)x.read.channel_id, x.read.max_id);
        break;
    default:
        (void)snprintf(out, 64, "apply %s", gap_tl_name(gap_update_id(u)));
        break;
    }
}

/* ---- what the engine calls ---- */

static const char *via_text(gap_via_t via)
{
    if (via == GAP_VIA_BACKFILL) return "backfill";
    return via == GAP_VIA_RESULT ? "result" : "difference";
}

static int on_update(gap_update_t *update, void *data)
{
    struct world *w = data;
    char label[64];

    world_label(update, label);
    if (w->again && gap_update_maybe_repeated(update)) (void)strcat(label, " again");
    if (w->via && gap_update_via(update) != GAP_VIA_PUSH)
        world_trace(w, "%s via %s", label, via_text(gap_update_via(update)));
    else
        world_trace(w, "%s", label);
    if (w->handled != NULL) w->handled(w, update);
    if (w->verdict == GAP_LATER && w->later_count < GAP_ARRAY_LEN(w->later)) {
        w->later[w->later_count++] = update;
        return GAP_LATER;
    }
    return w->verdict < 0 ? w->verdict : 0;
}

static const char *reason_text(gap_engine_reason_t reason)
{
    static const char *const texts[] = {"none",    "too long",    "reset",     "invalid",
                                        "no hash", "no progress", "unreadable"};
    return texts[reason];
}

static void sequence_text(const gap_engine_event_t *ev, char out[32])
{
    static const char *const names[] = {"common", "qts", "seq"};
    if (ev->sequence == GAP_SEQUENCE_CHANNEL) {
        (void)snprintf(out, 32, "channel %lld", (long long)ev->channel_id);
    } else {
        (void)snprintf(out, 32, "%s", names[ev->sequence]);
    }
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    struct world *w = data;
    char who[32];

    sequence_text(ev, who);
    switch (ev->kind) {
    case GAP_EVENT_STARTED:
        if (w->events) world_trace(w, "started");
        break;
    case GAP_EVENT_CAUGHT_UP:
        if (w->events) world_trace(w, "caught up");
        break;
    case GAP_EVENT_GAP_OPENED:
        if (w->events) world_trace(w, "gap in %s %d..%d", who, ev->from, ev->to);
        break;
    case GAP_EVENT_GAP_FILLED:
        if (w->events)
            world_trace(w, "gap in %s %s after %llu ms", who, ev->fetched ? "fetched" : "healed",
                        (unsigned long long)(ev->us / 1000));
        break;
    case GAP_EVENT_GAP_ABANDONED:
        world_trace(w, "%s abandoned %d..%d: %s", who, ev->from, ev->to, reason_text(ev->reason));
        break;
    case GAP_EVENT_BACKFILLED:
        world_trace(w, "%s backfilled %d..%d: %llu, %d", who, ev->from, ev->to,
                    (unsigned long long)ev->count,
                    ev->error == GAP_E_RPC ? ev->error_code : ev->error);
        break;
    case GAP_EVENT_RESYNCHRONISED:
        world_trace(w, "%s resynchronised %d..%d: %s", who, ev->from, ev->to,
                    reason_text(ev->reason));
        break;
    case GAP_EVENT_CHANNEL_LOST:
        world_trace(w, "%s lost at %d: %d", who, ev->from, ev->error_code);
        break;
    case GAP_EVENT_DIFFERENCE_FAILED:
        world_trace(w, "%s failed, again in %llu ms", who, (unsigned long long)(ev->us / 1000));
        break;
    case GAP_EVENT_BEHIND:
        world_trace(w, "%s behind", who);
        break;
    case GAP_EVENT_SHED:
        world_trace(w, "shed");
        break;
    case GAP_EVENT_UNAUTHORIZED:
        world_trace(w, "signed out");
        break;
    case GAP_EVENT_HANDLER_FAILED:
        world_trace(w, "handler failed: %d", ev->error);
        break;
    }
}

static struct world_call *free_call(struct world *w)
{
    for (size_t i = 0; i < WORLD_CALLS; i++) {
        if (!w->calls[i].used) return &w->calls[i];
    }
    ck_abort_msg("too many calls in flight");
    return NULL;
}

/* How many ids, and the first. */
static int32_t ids_of(gap_tl_vector_t v, int32_t *first)
{
    const gap_tl_object_t *objects = v.items;

    for (uint32_t i = 0; i < v.count; i++) {
        const gap_tl_input_message_id_t *id = objects[i].value;
        ck_assert_uint_eq(objects[i].id, GAP_TL_INPUT_MESSAGE_ID);
        if (i == 0) *first = id->id;
        ck_assert_int_eq(id->id, *first + (int32_t)i);
    }
    return *first + (int32_t)v.count - 1;
}

/* The range asked for: pts the first id, qts the last one. */
static int64_t read_backfill(struct world *w, gap_tl_object_t q, struct world_call *call)
{
    const gap_tl_messages_get_history_t *h = q.value;
    const gap_tl_channels_get_messages_t *c = q.value;
    const gap_tl_messages_get_messages_t *m = q.value;

    switch (q.id) {
    case GAP_TL_MESSAGES_GET_HISTORY: {
        const gap_tl_input_peer_channel_t *peer = h->peer.value;
        call->pts = h->min_id + 1;
        call->qts = h->offset_id == 0 ? INT32_MAX : h->offset_id - 1;
        ck_assert_int_le(call->qts - call->pts + 1, h->limit);
        ck_assert_int_eq(peer->access_hash, pack_hash(peer->channel_id));
        world_trace(w, "channel %lld history %d..%d", (long long)peer->channel_id, call->pts,
                    call->qts);
        return -2;
    }
    case GAP_TL_CHANNELS_GET_MESSAGES: {
        const gap_tl_input_channel_t *channel = c->channel.value;
        call->qts = ids_of(c->id, &call->pts);
        world_trace(w, "channel %lld messages %d..%d", (long long)channel->channel_id, call->pts,
                    call->qts);
        return -2;
    }
    case GAP_TL_MESSAGES_GET_MESSAGES:
        call->qts = ids_of(m->id, &call->pts);
        world_trace(w, "messages %d..%d", call->pts, call->qts);
        return -2;
    default:
        ck_abort_msg("unexpected query");
        return 0;
    }
}

/* Which difference; 0 common, -1 state. Traces the question. */
static int64_t read_query(struct world *w, gap_tl_object_t q, struct world_call *call)
{
    switch (q.id) {
    case GAP_TL_UPDATES_GET_STATE:
        world_trace(w, "state");
        return -1;
    case GAP_TL_UPDATES_GET_DIFFERENCE: {
        const gap_tl_updates_get_difference_t *d = q.value;
        ck_assert_int_gt(d->date, 0);
        call->pts = d->pts;
        call->qts = d->qts;
        call->date = d->date;
        if ((d->flags & GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_LIMIT) != 0)
            call->pts_limit = d->pts_limit;
        if ((d->flags & GAP_TL_UPDATES_GET_DIFFERENCE_F_QTS_LIMIT) != 0)
            call->qts_limit = d->qts_limit;
        if (call->pts_limit > 0)
            world_trace(w, "difference from %d limit %d", d->pts, call->pts_limit);
        else
            world_trace(w, "difference from %d", d->pts);
        return 0;
    }
    case GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE: {
        const gap_tl_updates_get_channel_difference_t *d = q.value;
        const gap_tl_input_channel_t *c = d->channel.value;
        ck_assert_int_ne((int)(d->flags & GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE_F_FORCE), 0);
        call->pts = d->pts;
        call->limit = d->limit;
        world_trace(w, "channel %lld difference from %d", (long long)c->channel_id, d->pts);
        return c->channel_id;
    }
    case GAP_TL_CHANNELS_GET_FULL_CHANNEL: {
        const gap_tl_channels_get_full_channel_t *f = q.value;
        const gap_tl_input_channel_t *c = f->channel.value;
        world_trace(w, "channel %lld state", (long long)c->channel_id);
        call->full = true;
        return c->channel_id;
    }
    default:
        return read_backfill(w, q, call);
    }
}

static int on_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct world *w = arg;

    if (w->refuse) return GAP_E_DISCONNECTED;
    struct world_call *c = free_call(w);
    memset(c, 0, sizeof *c);
    c->channel = read_query(w, query, c);
    for (size_t i = 0; i < WORLD_CALLS; i++) {
        /* One question of an updater at a time. */
        if (w->calls[i].used) ck_assert_int_ne(w->calls[i].channel, c->channel);
    }
    c->used = true;
    c->cb = cb;
    c->arg = answer_arg;
    c->due_us = WORLD_NEVER;
    if (w->serve != NULL) {
        w->serve(w, c, false);
        return 0;
    }
    if (w->script_at < w->script_count) {
        c->answer = w->script[w->script_at++];
        if (c->answer.delay_ms != WORLD_NEVER) c->due_us = w->now_us + c->answer.delay_ms * 1000;
    }
    return 0;
}

/* ---- the server's script ---- */

static struct world_script *next_script(struct world *w, uint64_t delay_ms)
{
    if (w->script_at == w->script_count) w->script_at = w->script_count = 0;
    ck_assert_uint_lt(w->script_count, WORLD_CALLS);
    struct world_script *s = &w->script[w->script_count++];
    memset(s, 0, sizeof *s);
    s->delay_ms = delay_ms;
    return s;
}

void world_answer_none(struct world *w)
{
    for (; w->script_at < w->script_count; w->script_at++)
        gap_packet_unref(w->script[w->script_at].packet);
    w->script_at = w->script_count = 0;
}

void world_answer(struct world *w, uint64_t delay_ms, gap_packet_t *packet)
{
    next_script(w, delay_ms)->packet = packet;
}

void world_error(struct world *w, uint64_t delay_ms, int32_t code, const char *text)
{
    struct world_script *s = next_script(w, delay_ms);
    s->code = code;
    s->text = text;
}

void world_fail(struct world *w, uint64_t delay_ms, int status)
{
    next_script(w, delay_ms)->status = status;
}

static void call_answered(struct world_call *c)
{
    gap_answer_t a;
    struct world_script s = c->answer;

    memset(&a, 0, sizeof a);
    c->used = false;
    if (s.packet != NULL) {
        a.value = gap_bytes(s.packet->data, s.packet->len);
        a.packet = s.packet;
    } else if (s.code != 0) {
        a.status = GAP_E_RPC;
        a.error_code = s.code;
        a.error_text = gap_str(s.text);
    } else {
        a.status = s.status < 0 ? s.status : GAP_E_CLOSED;
    }
    c->cb(c->arg, &a);
    gap_packet_unref(s.packet);
}

/* ---- time ---- */

static bool poll_socket(struct world *w)
{
    bool read = false;

    for (size_t i = 0; i < w->socket_count;) {
        if (w->socket[i].at_us > w->now_us) {
            i++;
            continue;
        }
        gap_packet_t *p = w->socket[i].packet;
        memmove(&w->socket[i], &w->socket[i + 1], (w->socket_count - i - 1) * sizeof w->socket[0]);
        w->socket_count--;
        read = true;
        if (w->engine != NULL && !w->closing)
            (void)world_feed(w, p);
        else
            gap_packet_unref(p);
    }
    for (size_t i = 0; i < WORLD_CALLS; i++) {
        struct world_call *c = &w->calls[i];
        if (!c->used || c->due_us > w->now_us) continue;
        read = true;
        if (w->serve != NULL && !w->closed) w->serve(w, c, true);
        call_answered(c);
    }
    return read;
}

static uint64_t next_due(const struct world *w)
{
    uint64_t due = gap_rt_deadline_us(&w->rt);

    for (size_t i = 0; i < w->socket_count; i++)
        if (w->socket[i].at_us < due) due = w->socket[i].at_us;
    for (size_t i = 0; i < WORLD_CALLS; i++)
        if (w->calls[i].used && w->calls[i].due_us < due) due = w->calls[i].due_us;
    return due;
}

bool world_step(struct world *w, uint64_t until_us)
{
    uint64_t due = next_due(w);

    if (due > until_us) return false;
    if (due > w->now_us) w->now_us = due;
    bool read = poll_socket(w);
    (void)gap_rt_tick(&w->rt, w->now_us, !read);
    w->steps++;
    ck_assert_msg(w->steps < 10000000, "the world does not become quiet");
    return true;
}

void world_run(struct world *w, uint64_t until_ms)
{
    while (world_step(w, until_ms * 1000)) continue;
    if (until_ms * 1000 > w->now_us) w->now_us = until_ms * 1000;
}

void world_stall(struct world *w, uint64_t ms)
{
    w->now_us += ms * 1000;
}

/* ---- in ---- */

int world_feed(struct world *w, gap_packet_t *packet)
{
    size_t before = w->trace_len;
    int r = gap_engine_feed(w->engine, packet->data, packet->len, packet);

    ck_assert_uint_eq(w->trace_len, before); /* never calls back */
    gap_packet_unref(packet);
    return r;
}

void world_send(struct world *w, uint64_t at_ms, gap_packet_t *packet)
{
    ck_assert_uint_lt(w->socket_count, WORLD_SOCKET);
    w->socket[w->socket_count].at_us = at_ms * 1000;
    w->socket[w->socket_count].packet = packet;
    w->socket_count++;
}

/* ---- life ---- */

static size_t choose(void *arg, size_t count)
{
    struct world *w = arg;

    w->batches++;
    if (w->batches == w->close_at && !w->closing) world_close(w);
    return (size_t)gap_prng_below(&w->random, count);
}

gap_engine_config_t world_config(struct world *w)
{
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, NULL, 0};
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.alloc = &w->fault.alloc;
    c.self_id = 1;
    c.limits.jitter_permille = GAP_ENGINE_NO_JITTER;
    c.invoke = on_invoke;
    c.invoke_arg = w;
    c.handler = on_update;
    c.handler_data = w;
    c.event = on_event;
    c.event_data = w;
    c.state = &state;
    return c;
}

void world_begin(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    fault_alloc_init(&w->fault, 0);
    w->random.state = seed;
    w->shuffle = seed != 0;
    gap_rt_init(&w->rt, &w->fault.alloc, NULL);
    if (w->shuffle) {
        w->rt.choose = choose;
        w->rt.choose_arg = w;
    }
}

int world_open(struct world *w, const gap_engine_config_t *config)
{
    gap_engine_config_t c = config == NULL ? world_config(w) : *config;

    c.alloc = &w->fault.alloc;
    if (c.invoke == NULL) c.invoke = on_invoke;
    if (c.handler == NULL) c.handler = on_update;
    if (c.event == NULL) c.event = on_event;
    if (c.self_id == 0) c.self_id = 1;
    if (c.gap_wait_us == 0) c.gap_wait_us = GAP_ENGINE_GAP_WAIT_US;
    if (c.gap_wait_us == WORLD_LEARNED) c.gap_wait_us = 0;
    if (c.limits.jitter_permille == 0) c.limits.jitter_permille = GAP_ENGINE_NO_JITTER;
    c.invoke_arg = c.handler_data = c.event_data = w;
    return gap_engine_open_on(&w->rt, &c, &w->engine);
}

void world_init(struct world *w, uint64_t seed, const gap_engine_config_t *config)
{
    world_begin(w, seed);
    ck_assert_int_eq(world_open(w, config), 0);
}

void world_ready(struct world *w)
{
    gap_engine_start(w->engine);
    world_answer(w, 0, pack_empty(1));
    world_run(w, 0);
    world_expect(w, "[   0] difference from 10\n");
}

static void on_closed(void *arg)
{
    struct world *w = arg;
    ck_assert(!w->closed);
    w->closed = true;
}

void world_close(struct world *w)
{
    w->closing = true;
    gap_engine_close(w->engine, on_closed, w);
    ck_assert(!w->closed); /* never before it returns */
    for (size_t i = 0; i < WORLD_CALLS; i++) {
        if (w->calls[i].used) w->calls[i].due_us = w->now_us;
    }
    while (w->later_count > 0) gap_update_done(w->later[--w->later_count]);
}

bool world_is_clean(const struct world *w)
{
    return w->fault.live == 0;
}

void world_fini(struct world *w)
{
    if (w->engine != NULL) {
        if (!w->closing) world_close(w);
        world_run(w, w->now_us / 1000 + 1);
        ck_assert_msg(w->closed, "close did not end");
    }
    for (size_t i = 0; i < w->socket_count; i++) gap_packet_unref(w->socket[i].packet);
    world_answer_none(w);
    gap_rt_fini(&w->rt);
    pack_fini(&w->p);
    ck_assert_msg(world_is_clean(w), "%ld blocks are left", w->fault.live);
}
