/*
 * bench/recover_run.c - the world of one run: the engine on a runtime of its own, virtual time, the
 * network of the trace, and a server.
 *
 *   arrival --feed--> engine --handler--> when it was delivered
 *   engine --question--> half a round trip --> what had been sent by then --half--> answer
 *
 * Sequence 0 is the account's, the others are channels. A message's id is its number in the trace
 * plus one. Owns everything that it makes; a run that can't be made ends the program.
 */
#include "bench/recover_run.h"

#include "base/buf.h"
#include "base/packet.h"
#include "base/prng.h"
#include "bench/bench.h"
#include "loops/engine.h"
#include "loops/loop.h"

#include <gapless/tl_api.h>
#include <stdlib.h>
#include <string.h>

#define DATE        1800000000
#define SENDER      INT64_C(700000001)
#define CHANNEL     INT64_C(1000000000) /* plus the number of the sequence */
#define QUESTIONS   128
#define SERVER_MS   3.0 /* the server takes 3 to 5 ms, */
#define SERVER_VARY 2.0
#define RTT_VARY    0.05               /* and the way 5 % more or less */
#define AFTER_US    UINT64_C(60000000) /* the run goes on after the last update */
#define NOT_YET     UINT64_MAX
#define BATCH       4096 /* messages of one answer */

struct question {
    gap_answer_cb cb;
    void *arg;
    uint64_t asked_us;  /* when the server looks */
    uint64_t answer_us; /* when the answer is there */
    int32_t pts;
    uint16_t sequence;
    bool state; /* updates.getState */
};

struct run {
    const struct trace *t;
    const struct trace_condition *c;
    gap_rt_t rt;
    gap_engine_t *engine;
    gap_prng_t random;
    uint64_t now_us;
    uint64_t *delivered_us; /* of each update */
    struct question questions[QUESTIONS];
    size_t question_count;
    uint32_t sent;  /* updates sent by now_us, for the server: a cursor */
    uint32_t asked; /* differences */
    uint32_t wasted;
    bool counting;
    bool closed;
    gap_buf_t bytes;
};

/* ---- objects ---- */

static gap_tl_user_t sender(void)
{
    gap_tl_user_t u;

    memset(&u, 0, sizeof u);
    u.flags = GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_FIRST_NAME;
    u.id = SENDER;
    u.access_hash = 1;
    u.first_name = gap_str("Ada");
    return u;
}

/** A message with what it points to. */
struct message {
    gap_tl_message_t m;
    gap_tl_peer_user_t from;
    gap_tl_peer_user_t user;
    gap_tl_peer_channel_t channel;
};

static void fill(const struct run *r, uint32_t i, struct message *x)
{
    uint16_t sequence = r->t->updates[i].sequence;

    memset(x, 0, sizeof *x);
    x->from.user_id = x->user.user_id = SENDER;
    x->channel.channel_id = CHANNEL + sequence;
    x->m.flags = GAP_TL_MESSAGE_F_FROM_ID;
    x->m.id = (int32_t)i + 1;
    x->m.from_id = GAP_TL_OF(GAP_TL_PEER_USER, &x->from);
    x->m.peer_id = sequence == 0 ? GAP_TL_OF(GAP_TL_PEER_USER, &x->user)
                                 : GAP_TL_OF(GAP_TL_PEER_CHANNEL, &x->channel);
    x->m.date = DATE;
    x->m.message = gap_str("x");
}

static gap_bytes_t serialised(struct run *r, gap_tl_object_t object)
{
    int64_t size = gap_tl_size(object);

    bench_must(size < 0 ? (int)size : 0, "size of an object");
    r->bytes.len = 0;
    bench_must(gap_buf_reserve(&r->bytes, (size_t)size), "room for an object");
    int64_t used = gap_tl_write(object, r->bytes.data, (size_t)size);
    bench_must(used < 0 ? (int)used : 0, "writing an object");
    return gap_bytes(r->bytes.data, (size_t)used);
}

/* The updates that arrive in one container, in its order: one, or two that were swapped. */
static void push(struct run *r, const uint32_t *which, uint32_t count)
{
    struct message messages[2];
    gap_tl_update_new_message_t common[2];
    gap_tl_update_new_channel_message_t channel[2];
    gap_tl_object_t updates[2];
    gap_tl_user_t user = sender();
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_USER, &user)};
    gap_tl_channel_t chat;
    gap_tl_chat_photo_empty_t photo;

    for (size_t k = 0; k < count; k++) {
        const struct trace_update *u = &r->t->updates[which[k]];
        fill(r, which[k], &messages[k]);
        gap_tl_object_t m = GAP_TL_OF(GAP_TL_MESSAGE, &messages[k].m);
        common[k] = (gap_tl_update_new_message_t){m, u->pts, u->count};
        channel[k] = (gap_tl_update_new_channel_message_t){m, u->pts, u->count};
        updates[k] = u->sequence == 0 ? GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &common[k])
                                      : GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &channel[k]);
    }
    uint16_t sequence = r->t->updates[which[0]].sequence;
    memset(&chat, 0, sizeof chat);
    memset(&photo, 0, sizeof photo);
    chat.flags = GAP_TL_CHANNEL_F_MEGAGROUP | GAP_TL_CHANNEL_F_ACCESS_HASH;
    chat.id = CHANNEL + sequence;
    chat.access_hash = 1;
    chat.title = gap_str("c");
    chat.photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, &photo);
    chat.date = DATE;
    gap_tl_object_t chats[] = {GAP_TL_OF(GAP_TL_CHANNEL, &chat)};
    gap_tl_updates_t container = {gap_tl_array(updates, count), gap_tl_array(users, 1),
                                  gap_tl_array(chats, sequence == 0 ? 0 : 1), DATE, 0};
    gap_bytes_t bytes = serialised(r, GAP_TL_OF(GAP_TL_UPDATES, &container));
    bench_must(gap_engine_feed(r->engine, bytes.data, bytes.len, NULL), "feeding");
}

/* ---- the server ---- */

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct run *r = arg;
    struct question *q = &r->questions[r->question_count];

    if (r->question_count == QUESTIONS) bench_fail(GAP_E_LIMIT, "questions in flight");
    *q = (struct question){.cb = cb, .arg = answer_arg};
    if (query.id == GAP_TL_UPDATES_GET_DIFFERENCE) {
        const gap_tl_updates_get_difference_t *d = query.value;
        q->pts = d->pts;
    } else if (query.id == GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) {
        const gap_tl_updates_get_channel_difference_t *d = query.value;
        const gap_tl_input_channel_t *channel = d->channel.value;
        q->pts = d->pts;
        q->sequence = (uint16_t)(channel->channel_id - CHANNEL);
    } else {
        q->state = true;
    }
    double vary = 1 + RTT_VARY * (2 * gap_prng_unit(&r->random) - 1);
    double rtt_us = r->c->rtt_ms * 1000 * vary;
    double server_us = (SERVER_MS + SERVER_VARY * gap_prng_unit(&r->random)) * 1000;
    q->asked_us = r->now_us + (uint64_t)(rtt_us / 2);
    q->answer_us = r->now_us + (uint64_t)(rtt_us + server_us);
    r->question_count++;
    if (r->counting && !q->state) r->asked++;
    return 0;
}

/* What had been sent when the server looked. */
static uint32_t sent_since(const struct run *r, const struct question *q, uint32_t *which)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->t->count; i++) {
        const struct trace_update *u = &r->t->updates[i];
        if (u->sent_us > q->asked_us) break;
        if (u->sequence != q->sequence || u->pts <= q->pts) continue;
        if (n == BATCH) bench_fail(GAP_E_LIMIT, "messages of one difference");
        which[n++] = i;
    }
    return n;
}

static bool is_wasted(const struct run *r, const uint32_t *which, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        const struct trace_update *u = &r->t->updates[which[k]];
        if (u->arrives_us == TRACE_NEVER || u->arrives_us > r->now_us) return false;
    }
    return true;
}

static gap_bytes_t difference(struct run *r, const struct question *q)
{
    static uint32_t which[BATCH];
    static struct message messages[BATCH];
    static gap_tl_object_t objects[BATCH];
    uint32_t count = sent_since(r, q, which);
    gap_tl_user_t user = sender();
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_USER, &user)};

    if (is_wasted(r, which, count)) r->wasted++;
    for (size_t k = 0; k < count; k++) {
        fill(r, which[k], &messages[k]);
        objects[k] = GAP_TL_OF(GAP_TL_MESSAGE, &messages[k].m);
    }
    int32_t pts = count == 0 ? q->pts : r->t->updates[which[count - 1]].pts;
    if (q->sequence == 0) {
        gap_tl_updates_state_t state = {pts, 0, DATE, 0, 0};
        gap_tl_updates_difference_t d = {.new_messages = gap_tl_array(objects, count),
                                         .users = gap_tl_array(users, 1),
                                         .state = GAP_TL_OF(GAP_TL_UPDATES_STATE, &state)};
        gap_tl_updates_difference_empty_t none = {DATE, 0};
        return serialised(r, count > 0 ? GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE, &d)
                                       : GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &none));
    }
    gap_tl_updates_channel_difference_t d = {
        .flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL,
        .pts = pts,
        .new_messages = gap_tl_array(objects, count),
        .users = gap_tl_array(users, 1),
    };
    gap_tl_updates_channel_difference_empty_t none = {
        .flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL, .pts = pts};
    return serialised(r, count > 0 ? GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d)
                                   : GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &none));
}

static void answer(struct run *r, size_t at)
{
    struct question q = r->questions[at];

    r->questions[at] = r->questions[--r->question_count];
    if (r->closed || r->engine == NULL) return;
    gap_answer_t a = {.value = difference(r, &q)};
    q.cb(q.arg, &a);
}

static uint64_t next_answer(const struct run *r, size_t *at)
{
    uint64_t due = NOT_YET;

    for (size_t i = 0; i < r->question_count; i++) {
        if (r->questions[i].answer_us >= due) continue;
        due = r->questions[i].answer_us;
        *at = i;
    }
    return due;
}

/* ---- the client ---- */

static int handler(gap_update_t *update, void *data)
{
    struct run *r = data;
    gap_tl_update_new_message_t news;
    gap_tl_message_t m;
    uint32_t id = gap_update_id(update);

    /* Both kinds have the same fields. */
    _Static_assert(sizeof news == sizeof(gap_tl_update_new_channel_message_t), "the same struct");
    bench_must(gap_update_read(update, id, &news, sizeof news), "reading an update");
    int64_t used = GAP_TL_READ(news.message, GAP_TL_MESSAGE, &m);
    bench_must(used < 0 ? (int)used : 0, "reading a message");
    uint32_t i = (uint32_t)m.id - 1;
    if (i >= r->t->count || r->delivered_us[i] != NOT_YET)
        bench_fail(GAP_E_PROTOCOL, "an update came twice");
    r->delivered_us[i] = r->now_us;
    return 0;
}

/* Sees the future: is something behind @p position worth a question? */
static uint32_t wait_by_fate(void *data, const gap_engine_hole_t *hole)
{
    const struct run *r = data;
    uint16_t sequence = hole->channel_id == 0 ? 0 : (uint16_t)(hole->channel_id - CHANNEL);
    uint64_t patience_us = r->now_us + r->c->rtt_ms * 1000U + RECOVER_PATIENCE_US;

    for (uint32_t i = 0; i < r->t->count; i++) {
        const struct trace_update *u = &r->t->updates[i];
        if (u->sequence != sequence || u->pts <= hole->position) continue;
        if (u->seen_us > r->now_us) break; /* nobody can know of it yet */
        if (u->arrives_us > patience_us) return 0;
    }
    return UINT32_MAX;
}

static void ready(struct run *r, const struct recover_policy *policy, uint64_t seed)
{
    gap_engine_channel_t channels[64];
    gap_engine_state_t state = {1, 1, 0, DATE, channels, r->t->sequences - 1U};

    for (uint16_t i = 1; i < r->t->sequences; i++)
        channels[i - 1] = (gap_engine_channel_t){CHANNEL + i, 1, 1, false};
    gap_engine_config_t config = {.self_id = 1,
                                  .bot = true,
                                  .gap_wait_us = policy->wait_us,
                                  .gap_wait = policy->by_fate ? wait_by_fate : NULL,
                                  .gap_wait_data = r,
                                  .limits = {.channel_requests = 100},
                                  .jitter_seed = seed,
                                  .invoke = invoke,
                                  .invoke_arg = r,
                                  .handler = handler,
                                  .handler_data = r,
                                  .state = &state};
    bench_must(gap_engine_open_on(&r->rt, &config, &r->engine), "an engine");
    gap_engine_start(r->engine);
}

static void tick(struct run *r)
{
    while (gap_rt_tick(&r->rt, r->now_us, true)) continue;
}

/* Everything that comes before @p until_us. */
static void run_until(struct run *r, uint64_t until_us)
{
    for (;;) {
        size_t at = 0;
        uint64_t due = next_answer(r, &at);
        uint64_t timer = gap_rt_deadline_us(&r->rt);
        uint64_t next = due < timer ? due : timer;
        if (next > until_us) break;
        if (next > r->now_us) r->now_us = next;
        if (due <= r->now_us) answer(r, at);
        tick(r);
    }
    r->now_us = until_us;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct run *r, struct recover_result *out)
{
    double *held = calloc(r->t->count, sizeof *held);
    size_t n = 0;
    double sum = 0;

    if (held == NULL) bench_fail(GAP_E_NOMEM, "the result of a run");
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < r->t->count; i++) {
        const struct trace_update *u = &r->t->updates[i];
        if (u->seen_us == TRACE_NEVER) continue; /* nobody could know of it */
        if (r->delivered_us[i] == NOT_YET) {
            out->missing++;
            continue;
        }
        uint64_t at = r->delivered_us[i];
        held[n] = at <= u->seen_us ? 0 : (double)(at - u->seen_us) / 1000;
        sum += held[n++];
    }
    qsort(held, n, sizeof *held, by_value);
    out->mean_ms = n == 0 ? 0 : sum / (double)n;
    out->p99_ms = n == 0 ? 0 : held[(size_t)((double)n * 0.99)];
    out->requests = 1000.0 * r->asked / (double)r->t->count;
    out->wasted = 1000.0 * r->wasted / (double)r->t->count;
    free(held);
}

void recover_run(const struct trace *t, const struct trace_condition *c,
                 const struct recover_policy *policy, uint64_t seed, struct recover_result *out)
{
    struct run r = {.t = t, .c = c, .random = {seed}};

    r.delivered_us = malloc(t->count * sizeof *r.delivered_us);
    if (r.delivered_us == NULL) bench_fail(GAP_E_NOMEM, "a run");
    for (uint32_t i = 0; i < t->count; i++) r.delivered_us[i] = NOT_YET;
    gap_buf_init(&r.bytes, gap_alloc_default());
    gap_rt_init(&r.rt, gap_alloc_default(), NULL);
    ready(&r, policy, seed);
    run_until(&r, TRACE_BEGIN_US / 2); /* the start is over before the first update is sent */
    r.counting = true;
    for (uint32_t k = 0; k < t->arriving;) {
        uint64_t at = t->updates[t->by_arrival[k]].arrives_us;
        uint32_t together[2] = {t->by_arrival[k++], 0};
        uint32_t count = 1;
        if (k < t->arriving && t->updates[together[0]].swapped &&
            t->updates[t->by_arrival[k]].swapped && t->updates[t->by_arrival[k]].arrives_us == at &&
            t->updates[t->by_arrival[k]].sequence == t->updates[together[0]].sequence)
            together[count++] = t->by_arrival[k++];
        run_until(&r, at);
        push(&r, together, count);
        tick(&r);
    }
    run_until(&r, r.now_us + AFTER_US);
    measure(&r, out);
    gap_engine_close(r.engine, on_closed, &r.closed);
    while (r.question_count > 0) {
        struct question q = r.questions[--r.question_count];
        q.cb(q.arg, &(gap_answer_t){.status = GAP_E_CLOSED});
    }
    while (!r.closed) tick(&r);
    gap_rt_fini(&r.rt);
    gap_buf_fini(&r.bytes);
    free(r.delivered_us);
}
