/*
 * bench/recover_run.c - the world of one run: the engine on a runtime of its own, virtual time, the
 * network of the trace, and a server.
 *
 *   arrival --feed--> engine --handler--> when it was delivered
 *   engine --question--> half a round trip --> what had been sent by then --half--> answer
 *
 * What lies in the socket is read before timers fire: all that arrives at one instant is fed, then
 * the engine ticks. Owns everything that it makes; a run that can't be made ends the program.
 */
#include "bench/recover_run.h"

#include "base/bytes.h"
#include "base/packet.h"
#include "base/prng.h"
#include "bench/bench.h"
#include "loops/engine.h"
#include "loops/loop.h"
#include "sequence/wait.h"

#include <gapless/tl_api.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS       128
#define SERVER_MS       3.0 /* the server takes 3 to 5 ms, */
#define SERVER_VARY     2.0
#define RTT_VARY        0.05                 /* and the way 5 % more or less */
#define AFTER_US        UINT64_C(60000000)   /* the run goes on after the last update */
#define AFTER_FLOODS_US UINT64_C(3600000000) /* and longer where questions were refused */
#define NOT_YET         UINT64_MAX
#define BUCKET          10.0 /* requests that a server which floods allows at once, */
#define BUCKET_PER_US   0.5e-6
#define QUESTION_BYTES  120 /* on the wire: of a question, */
#define ANSWER_BYTES    200 /* of an answer, */
#define UPDATE_BYTES    300 /* and of each update in it */

struct question {
    gap_answer_cb cb;
    void *arg;
    uint64_t asked_us;  /* when the server looks */
    uint64_t answer_us; /* when the answer is there */
    int32_t pts;
    int32_t date;
    uint32_t flood_s; /* refused: for so long; 0: not */
    uint16_t sequence;
    bool single; /* only the first update behind pts is wanted */
};

struct run {
    const struct trace *t;
    const struct trace_condition *c;
    const struct recover_policy *policy;
    gap_rt_t rt;
    gap_engine_t *engine;
    gap_prng_t random;
    uint64_t now_us;
    uint64_t *delivered_us; /* of each update */
    struct question questions[QUESTIONS];
    size_t question_count;
    bool probing[TRACE_SEQUENCES_MAX]; /* the hole there is to be probed */
    double tokens;                     /* of the server's bucket, at tokens_us */
    uint64_t tokens_us;
    uint32_t asked; /* differences */
    uint32_t wasted;
    uint32_t floods;
    uint64_t bytes;
    bool counting;
    bool closed;
    gap_buf_t scratch;
};

/* ---- the server ---- */

static uint32_t refusal(struct run *r)
{
    if (!r->c->flooding) return 0;
    double more = (double)(r->now_us - r->tokens_us) * BUCKET_PER_US;
    r->tokens = fmin(BUCKET, r->tokens + more);
    r->tokens_us = r->now_us;
    if (r->tokens < 1) return (uint32_t)ceil((1 - r->tokens) / (BUCKET_PER_US * 1e6));
    r->tokens -= 1;
    return 0;
}

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct run *r = arg;
    struct question *q = &r->questions[r->question_count];

    if (r->question_count == QUESTIONS) bench_fail(GAP_E_LIMIT, "questions in flight");
    *q = (struct question){.cb = cb, .arg = answer_arg};
    if (query.id == GAP_TL_UPDATES_GET_DIFFERENCE) {
        const gap_tl_updates_get_difference_t *d = query.value;
        q->pts = d->pts;
        q->date = d->date;
    } else if (query.id == GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) {
        const gap_tl_updates_get_channel_difference_t *d = query.value;
        const gap_tl_input_channel_t *channel = d->channel.value;
        q->pts = d->pts;
        q->sequence = recover_sequence(channel->channel_id);
    } else {
        bench_fail(GAP_E_PROTOCOL, "a question that is no difference");
    }
    double vary = 1 + RTT_VARY * (2 * gap_prng_unit(&r->random) - 1);
    double rtt_us = r->c->rtt_ms * 1000 * vary;
    double server_us = (SERVER_MS + SERVER_VARY * gap_prng_unit(&r->random)) * 1000;
    q->asked_us = r->now_us + (uint64_t)(rtt_us / 2);
    q->answer_us = r->now_us + (uint64_t)(rtt_us + server_us);
    const struct trace_pause *pause = trace_pause_at(r->t, q->answer_us);
    if (pause != NULL) q->answer_us = pause->to_us;
    q->single = r->probing[q->sequence];
    r->probing[q->sequence] = false;
    r->question_count++;
    if (!r->counting) return 0;
    q->flood_s = refusal(r);
    r->asked++;
    r->floods += q->flood_s > 0;
    r->bytes += QUESTION_BYTES + ANSWER_BYTES;
    return 0;
}

/* What had been sent when the server looked. */
static void add_sent(const struct run *r, const struct question *q, struct recover_answer *a)
{
    const struct trace *t = r->t;

    for (uint32_t k = trace_after(t, q->sequence, q->pts); k < t->first_of[q->sequence + 1]; k++) {
        uint32_t i = t->in_sequence[k];
        if (t->updates[i].sent_us > q->asked_us || (q->single && a->count == 1)) break;
        if (a->count == RECOVER_BATCH) bench_fail(GAP_E_LIMIT, "messages of one difference");
        a->which[a->count++] = i;
    }
}

/* The channels with something new since the date that was asked from. */
static void name_channels(const struct run *r, const struct question *q, struct recover_answer *a)
{
    const struct trace *t = r->t;

    for (uint16_t s = 1; s < t->sequences; s++) {
        uint32_t last = UINT32_MAX;
        for (uint32_t k = t->first_of[s]; k < t->first_of[s + 1]; k++) {
            uint32_t i = t->in_sequence[k];
            if (t->updates[i].sent_us > q->asked_us) break;
            last = i;
        }
        if (last == UINT32_MAX || recover_date(t->updates[last].sent_us) < q->date) continue;
        a->named[a->named_count++] = last;
    }
}

static bool is_wasted(const struct run *r, const struct recover_answer *a)
{
    for (size_t k = 0; k < a->count; k++) {
        const struct trace_update *u = &r->t->updates[a->which[k]];
        if (u->arrives_us == TRACE_NEVER || u->arrives_us > r->now_us) return false;
    }
    return true;
}

static void refuse(const struct question *q)
{
    char text[32];
    int len = snprintf(text, sizeof text, "FLOOD_WAIT_%u", q->flood_s);

    q->cb(q->arg, &(gap_answer_t){.status = GAP_E_RPC,
                                  .error_code = 420,
                                  .error_text = gap_bytes((const uint8_t *)text, (size_t)len)});
}

static void answer(struct run *r, size_t at)
{
    static struct recover_answer a;
    struct question q = r->questions[at];

    r->questions[at] = r->questions[--r->question_count];
    if (q.flood_s > 0) {
        refuse(&q);
        return;
    }
    a.sequence = q.sequence;
    a.pts = q.pts;
    a.date = recover_date(q.asked_us);
    a.count = 0;
    a.named_count = 0;
    add_sent(r, &q, &a);
    if (r->c->naming && q.sequence == 0) name_channels(r, &q, &a);
    if (r->counting && is_wasted(r, &a)) r->wasted++;
    r->bytes += (uint64_t)UPDATE_BYTES * a.count;
    q.cb(q.arg, &(gap_answer_t){.value = recover_difference(r->t, &a, &r->scratch)});
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
    uint32_t i = recover_number(update);

    if (i >= r->t->count || r->delivered_us[i] != NOT_YET)
        bench_fail(GAP_E_PROTOCOL, "an update came twice");
    r->delivered_us[i] = r->now_us;
    return 0;
}

static uint32_t lambda_us(const struct recover_policy *p)
{
    return p->lambda_us == 0 ? GAP_WAIT_LAMBDA_US : p->lambda_us;
}

/* Sees the future: is something behind @p position worth a question? */
static uint32_t wait_by_fate(const struct run *r, uint16_t sequence, int32_t position)
{
    const struct trace *t = r->t;
    uint64_t patience_us = r->now_us + r->c->rtt_ms * 1000U + lambda_us(r->policy);

    for (uint32_t k = trace_after(t, sequence, position); k < t->first_of[sequence + 1]; k++) {
        const struct trace_update *u = &t->updates[t->in_sequence[k]];
        if (u->seen_us > r->now_us) break; /* nobody can know of it yet */
        if (u->arrives_us > patience_us) return 0;
    }
    return UINT32_MAX;
}

/* Alone or not, by the events that are missing. */
static uint32_t wait_by_size(struct run *r, const gap_engine_hole_t *hole)
{
    bool single = hole->first == hole->position + 1;

    r->probing[recover_sequence(hole->channel_id)] = single;
    return single ? RECOVER_PROBE_US : r->policy->wait_us;
}

static uint32_t wait_by_policy(void *data, const gap_engine_hole_t *hole)
{
    struct run *r = data;

    if (r->policy->how == RECOVER_FATE)
        return wait_by_fate(r, recover_sequence(hole->channel_id), hole->position);
    return wait_by_size(r, hole);
}

static void ready(struct run *r, uint64_t seed)
{
    const struct recover_policy *p = r->policy;
    bool own = p->how == RECOVER_FATE || p->how == RECOVER_PROBE;
    gap_engine_channel_t channels[TRACE_SEQUENCES_MAX];
    gap_engine_state_t state = {1, 1, 0, RECOVER_DATE, channels, r->t->sequences - 1U};

    /* Unfinished: asked once at the start, so that none is new to the engine afterwards. */
    for (uint16_t i = 1; i < r->t->sequences; i++)
        channels[i - 1] = (gap_engine_channel_t){recover_channel_id(i), 1, 1, true};
    gap_engine_config_t config = {.self_id = 1,
                                  .bot = true,
                                  .gap_wait_us = p->wait_us,
                                  .gap_wait_lambda_us = p->lambda_us,
                                  .gap_wait = own ? wait_by_policy : NULL,
                                  .gap_wait_data = r,
                                  .gap_continue = p->continues,
                                  .tail_sweep = p->tail_sweep,
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

/* Nothing runs while the host is suspended. */
static uint64_t awake(const struct run *r, uint64_t at_us)
{
    const struct trace_pause *pause = trace_pause_at(r->t, at_us);

    return pause != NULL && pause->suspended ? pause->to_us : at_us;
}

/* Everything that comes before @p until_us; what arrives then is read first. */
static void run_until(struct run *r, uint64_t until_us)
{
    for (;;) {
        size_t at = 0;
        uint64_t due = next_answer(r, &at);
        uint64_t timer = gap_rt_deadline_us(&r->rt);
        uint64_t next = awake(r, due < timer ? due : timer);
        if (next >= until_us) break;
        if (next > r->now_us) r->now_us = next;
        if (due <= r->now_us) answer(r, at);
        tick(r);
    }
    r->now_us = until_us;
}

static void run_pushes(struct run *r, const struct recover_pushes *p)
{
    for (uint32_t k = 0; k < p->count;) {
        uint64_t at_us = p->list[k].at_us;
        run_until(r, at_us);
        for (; k < p->count && p->list[k].at_us == at_us; k++)
            bench_must(
                gap_engine_feed(r->engine, p->bytes.data + p->list[k].begin, p->list[k].len, NULL),
                "feeding");
        tick(r);
    }
    run_until(r, r->now_us + (r->c->flooding ? AFTER_FLOODS_US : AFTER_US));
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void close_engine(struct run *r)
{
    gap_engine_close(r->engine, on_closed, &r->closed);
    while (r->question_count > 0) {
        struct question q = r->questions[--r->question_count];
        q.cb(q.arg, &(gap_answer_t){.status = GAP_E_CLOSED});
    }
    while (!r->closed) tick(r);
}

/* ---- what it cost ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double later_ms(uint64_t at_us, uint64_t than_us)
{
    return at_us <= than_us ? 0 : (double)(at_us - than_us) / 1000;
}

static void measure_lost(const struct run *r, struct recover_result *out)
{
    double blind = 0;
    double lost = 0;
    size_t seen = 0;
    size_t had = 0;

    for (uint32_t i = 0; i < r->t->count; i++) {
        const struct trace_update *u = &r->t->updates[i];
        uint64_t due_us = u->sent_us + r->c->rtt_ms * 500;
        if (u->arrives_us != TRACE_NEVER) continue;
        if (u->seen_us != TRACE_NEVER) {
            blind += later_ms(u->seen_us, due_us);
            seen++;
        }
        if (r->delivered_us[i] != NOT_YET) {
            lost += later_ms(r->delivered_us[i], due_us);
            had++;
        }
    }
    out->blind_ms = seen == 0 ? 0 : blind / (double)seen;
    out->lost_ms = had == 0 ? 0 : lost / (double)had;
}

static void measure(const struct run *r, struct recover_result *out)
{
    double count = r->t->count;
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
        held[n] = later_ms(r->delivered_us[i], u->seen_us);
        sum += held[n++];
    }
    qsort(held, n, sizeof *held, by_value);
    out->mean_ms = n == 0 ? 0 : sum / (double)n;
    out->p99_ms = n == 0 ? 0 : held[(size_t)((double)n * 0.99)];
    out->p999_ms = n == 0 ? 0 : held[(size_t)((double)n * 0.999)];
    out->requests = 1000.0 * r->asked / count;
    out->wasted = 1000.0 * r->wasted / count;
    out->floods = 1000.0 * r->floods / count;
    out->bytes = (double)r->bytes / count;
    measure_lost(r, out);
    free(held);
}

void recover_run(const struct trace *t, const struct recover_pushes *pushes,
                 const struct trace_condition *c, const struct recover_policy *policy,
                 uint64_t seed, struct recover_result *out)
{
    struct run r = {.t = t, .c = c, .policy = policy, .random = {seed}, .tokens = BUCKET};

    r.delivered_us = malloc(t->count * sizeof *r.delivered_us);
    if (r.delivered_us == NULL) bench_fail(GAP_E_NOMEM, "a run");
    for (uint32_t i = 0; i < t->count; i++) r.delivered_us[i] = NOT_YET;
    gap_buf_init(&r.scratch, gap_alloc_default());
    gap_rt_init(&r.rt, gap_alloc_default(), NULL);
    ready(&r, seed);
    run_until(&r, TRACE_BEGIN_US / 2); /* the start is over before the first update is sent */
    r.counting = true;
    r.tokens_us = r.now_us;
    run_pushes(&r, pushes);
    measure(&r, out);
    close_engine(&r);
    gap_rt_fini(&r.rt);
    gap_buf_fini(&r.scratch);
    free(r.delivered_us);
}
