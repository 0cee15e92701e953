/*
 * tests/sim/globe_serve.c - the questions of the engine and how the server answers them: as the
 * model says, or as a rule or chance has it.
 *
 *   engine --invoke--> query under way --> rule or chance --> model --> answer under way --> engine
 *
 * Owns: the table of questions that are open. Never: decides what is right; it only tells the judge
 * what an answer covers, when the engine gets it.
 */
#include "base/bytes.h"
#include "globe_int.h"

#include <gapless/tl_api.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking ---- */

static struct call *call_by(struct globe *g, uint32_t number)
{
    for (size_t i = 0; i < GLOBE_CALLS; i++) {
        if (g->calls[i].number == number) return &g->calls[i];
    }
    return NULL;
}

static int64_t channel_of(gap_tl_object_t channel)
{
    const gap_tl_input_channel_t *c = channel.value;
    return channel.id == GAP_TL_INPUT_CHANNEL && c != NULL ? c->channel_id : 0;
}

static void read_question(gap_tl_object_t q, struct call *c)
{
    switch (q.id) {
    case GAP_TL_UPDATES_GET_STATE:
        c->question = GLOBE_STATE;
        return;
    case GAP_TL_UPDATES_GET_DIFFERENCE: {
        const gap_tl_updates_get_difference_t *d = q.value;
        c->question = GLOBE_DIFFERENCE;
        c->pts = d->pts;
        c->qts = d->qts;
        return;
    }
    case GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE: {
        const gap_tl_updates_get_channel_difference_t *d = q.value;
        c->question = GLOBE_CHANNEL;
        c->channel = channel_of(d->channel);
        c->pts = d->pts;
        return;
    }
    case GAP_TL_CHANNELS_GET_FULL_CHANNEL: {
        const gap_tl_channels_get_full_channel_t *f = q.value;
        c->question = GLOBE_FULL_CHANNEL;
        c->channel = channel_of(f->channel);
        return;
    }
    default:
        c->question = GLOBE_OTHER;
        return;
    }
}

gap_packet_t *globe_query(gap_tl_object_t query)
{
    int64_t size = gap_tl_size(query);
    gap_packet_t *p = NULL;

    if (size < 0) return NULL;
    if (gap_packet_new(gap_alloc_default(), (size_t)size, &p) < 0) (void)globe_must(NULL);
    p->len = (uint32_t)size;
    if (gap_tl_write(query, p->data, p->len) == size) return p;
    gap_packet_unref(p);
    return NULL;
}

static void trace_question(struct globe *g, const struct call *c)
{
    if (!globe_tells(g)) return;
    if (c->question == GLOBE_CHANNEL)
        globe_trace(g, "ask channel %lld difference from %d", (long long)c->channel, c->pts);
    else if (c->question == GLOBE_DIFFERENCE)
        globe_trace(g, "ask difference from %d, qts %d", c->pts, c->qts);
    else if (c->question == GLOBE_FULL_CHANNEL)
        globe_trace(g, "ask channel %lld state", (long long)c->channel);
    else
        globe_trace(g, "ask %s", c->question == GLOBE_STATE ? "state" : "something");
}

int globe_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct globe *g = arg;

    if (g->dying || g->closing) return GAP_E_DISCONNECTED;
    if (!g->connected && !g->o.told && globe_chance(g, 0.5)) {
        g->j.reasons++;
        globe_trace(g, "ask: no connection");
        return GAP_E_DISCONNECTED;
    }
    struct call *c = call_by(g, 0);
    if (c == NULL) {
        judge_say(g, "in flight", "more than %d questions", GLOBE_CALLS);
        return GAP_E_LIMIT;
    }
    memset(c, 0, sizeof *c);
    read_question(query, c);
    c->query = globe_query(query);
    if (c->query == NULL) {
        judge_say(g, "question", "it can't be serialised");
        return GAP_E_TL;
    }
    trace_question(g, c);
    if (g->o.watch.ask != NULL) g->o.watch.ask(g->o.watch.data, query);
    judge_question(g, c);
    c->number = ++g->call_number;
    c->cb = cb;
    c->arg = answer_arg;
    g->count.questions++;
    if (c->question == GLOBE_DIFFERENCE || c->question == GLOBE_CHANNEL) g->count.differences++;
    struct thing *t = globe_thing(g, THING_QUERY);
    t->call = c->number;
    t->process = g->process;
    uint64_t from = g->connected ? g->now_us : g->connect_us;
    globe_put(g, t, from + globe_travel_us(g, g->o.query_ms));
    return 0;
}

/* ---- what the answer is to be ---- */

static bool fits(const struct rule *r, const struct call *c)
{
    if (r->r.question != GLOBE_ANY && r->r.question != c->question) return false;
    return r->r.channel == 0 || r->r.channel == c->channel;
}

static bool find_rule(struct globe *g, const struct call *c, struct globe_rule *out,
                      gap_packet_t **given)
{
    for (uint32_t i = 0; i < g->rule_count; i++) {
        struct rule *r = &g->rules[i];
        if (!fits(r, c)) continue;
        if (r->r.count != 0 && r->used >= r->r.skip + r->r.count) continue;
        if (r->used++ < r->r.skip) continue;
        *out = r->r;
        out->text = r->text;
        *given = r->given;
        return true;
    }
    return false;
}

int globe_rule(struct globe *g, const struct globe_rule *rule)
{
    if (g->rule_count == GLOBE_RULES) return GAP_E_LIMIT;
    struct rule *r = &g->rules[g->rule_count++];
    memset(r, 0, sizeof *r);
    r->r = *rule;
    r->r.text = NULL;
    if (rule->text != NULL) (void)snprintf(r->text, sizeof r->text, "%s", rule->text);
    return 0;
}

void globe_poison(struct globe *g, uint32_t n)
{
    g->poisoned = n;
}

static void drawn_error(struct globe *g, struct globe_rule *r)
{
    static const struct {
        int32_t code;
        const char *text;
    } errors[] = {
        {500, "PERSISTENT_TIMESTAMP_OUTDATED"},
        {420, "FLOOD_WAIT_1"},
        {420, "FLOOD_WAIT_7"},
        {500, "HISTORY_GET_FAILED"},
        {-503, "Timeout"},
        {500, "INTERNAL_SERVER_ERROR"},
        {400, "PERSISTENT_TIMESTAMP_INVALID"},
    };
    /* The last one makes the engine give up what it missed: seldom. */
    uint64_t count = GAP_ARRAY_LEN(errors) - (globe_chance(g, 0.1) ? 0 : 1);
    size_t i = (size_t)globe_below(g, count);

    r->answer = GLOBE_ERROR;
    r->code = errors[i].code;
    r->text = errors[i].text;
}

static void draw_fault(struct globe *g, struct globe_rule *r)
{
    static const enum globe_answer kinds[] = {
        GLOBE_ERROR, GLOBE_ERROR, GLOBE_ERROR, GLOBE_SLICE,    GLOBE_SLICE,
        GLOBE_SLOW,  GLOBE_OLD,   GLOBE_OLD,   GLOBE_TOO_LONG, GLOBE_GARBAGE,
        GLOBE_SHORT, GLOBE_STUCK, GLOBE_FAILED};

    memset(r, 0, sizeof *r);
    if (g->ceased) return;
    if (globe_chance(g, g->o.silent)) {
        r->answer = GLOBE_SILENT;
        return;
    }
    if (!globe_chance(g, g->o.error)) return;
    r->answer = kinds[globe_below(g, GAP_ARRAY_LEN(kinds))];
    if ((g->o.answers >> r->answer & 1U) == 0) r->answer = GLOBE_ERROR;
    if (r->answer == GLOBE_ERROR) drawn_error(g, r);
    if (r->answer == GLOBE_SLICE) r->value = 1 + (int64_t)globe_below(g, 3);
    if (r->answer == GLOBE_SLOW || r->answer == GLOBE_OLD) r->value = (int64_t)globe_below(g, 3000);
    if (r->answer == GLOBE_FAILED) r->value = GAP_E_TIMEOUT;
}

/* ---- making it ---- */

static void put32(struct globe *g, uint32_t v)
{
    if (gap_buf_append32(&g->bytes, v) < 0) (void)globe_must(NULL);
}

static void put_empty_vectors(struct globe *g, int count)
{
    for (int i = 0; i < count; i++) {
        put32(g, GAP_TL_VECTOR);
        put32(g, 0);
    }
}

/* A slice that leads to where it was asked from. */
static bool make_stuck(struct globe *g, const struct call *c)
{
    gap_buf_clear(&g->bytes);
    if (c->question == GLOBE_DIFFERENCE) {
        put32(g, GAP_TL_UPDATES_DIFFERENCE_SLICE);
        put_empty_vectors(g, 5);
        put32(g, GAP_TL_UPDATES_STATE);
        put32(g, (uint32_t)c->pts);
        put32(g, (uint32_t)c->qts);
        put32(g, GLOBE_DATE);
        put32(g, (uint32_t)g->seq);
        put32(g, 0);
        return true;
    }
    if (c->question != GLOBE_CHANNEL) return false;
    put32(g, GAP_TL_UPDATES_CHANNEL_DIFFERENCE);
    put32(g, 0);
    put32(g, (uint32_t)c->pts);
    put_empty_vectors(g, 4);
    return true;
}

/* Call the model under other limits. */
static int call_model(struct globe *g, const struct call *c, const struct globe_rule *r)
{
    dc_view_t view = globe_view(g);
    dc_limits_t as_they_are;
    dc_limits_t limits;

    dc_model_limits(g->model, &as_they_are);
    limits = as_they_are;
    if (r->answer == GLOBE_SLICE) limits.slice = limits.channel_slice = (uint32_t)r->value;
    if (r->answer == GLOBE_TOO_LONG) limits.difference_max = limits.channel_diff_max = 0;
    if (r->answer == GLOBE_POLL) limits.timeout_s = (uint32_t)r->value;
    dc_model_limit(g->model, &limits);
    int result = dc_model_call(g->model, &view, gap_bytes(c->query->data, c->query->len),
                               globe_wall_us(g), &g->answer);
    dc_model_limit(g->model, &as_they_are);
    if (result == GAP_E_NOMEM) (void)globe_must(NULL);
    return result;
}

static int32_t load32(gap_bytes_t b, size_t at)
{
    uint32_t v = 0;
    if (at + sizeof v <= b.len) memcpy(&v, b.data + at, sizeof v);
    return (int32_t)v;
}

/* What the model's answer covers. */
static struct covered *cover(struct globe *g, const struct call *c)
{
    const dc_answer_t *a = &g->answer;
    gap_bytes_t body = gap_buf_view(&a->body);
    struct covered *k = globe_must(calloc(1, sizeof *k + a->folded_count * sizeof k->folded[0]));

    k->first = (uint32_t)load32(body, 0);
    k->box = c->channel == 0 ? BOX_COMMON : judge_channel_box(g, c->channel);
    if (a->range_count > 0) {
        k->from = a->ranges[0].from;
        k->to = a->ranges[0].to;
    }
    if (c->question == GLOBE_STATE) {
        k->state[0] = load32(body, 4);
        k->state[1] = load32(body, 8);
    } else if (c->question == GLOBE_FULL_CHANNEL) {
        k->to = dc_model_channel_pts(g->model, c->channel);
    } else if (a->range_count > 1) {
        k->state[1] = a->ranges[1].to;
    }
    k->count = a->folded_count;
    if (k->count > 0) memcpy(k->folded, a->folded, k->count * sizeof k->folded[0]);
    return k;
}

static bool holds_poison(const struct globe *g, const struct covered *k)
{
    if (g->poisoned == 0 || g->poisoned > g->j.count) return false;
    const struct seen *s = &g->j.seen[g->poisoned];
    int32_t to = s->box == BOX_QTS ? k->state[1] : k->to;
    if (s->box != k->box && !(s->box == BOX_QTS && k->box == BOX_COMMON)) return false;
    return s->pts <= to && (s->box == BOX_QTS || s->pts > k->from);
}

static void say_answer(struct globe *g, const struct call *c, const struct thing *a)
{
    const struct covered *k = a->covered;

    if (!globe_tells(g)) return;
    if (a->status == GAP_E_RPC)
        globe_trace(g, "answer %d %s", a->code, a->text);
    else if (a->status != 0)
        globe_trace(g, "answer: %s", gap_strerror(a->status));
    else if (k == NULL)
        globe_trace(g, "answer to %s can't be read or leads nowhere", say_question(c->question));
    else if (c->question == GLOBE_STATE)
        globe_trace(g, "answer state %d, qts %d", k->state[0], k->state[1]);
    else
        globe_trace(g, "answer %s %d..%d, %u folded", gap_tl_name(k->first), k->from, k->to,
                    (unsigned)k->count);
}

/* Fill in the answer. */
static void make(struct globe *g, const struct call *c, const struct globe_rule *r, struct thing *a)
{
    if (r->answer == GLOBE_ERROR) {
        a->status = GAP_E_RPC;
        a->code = r->code;
        (void)snprintf(a->text, sizeof a->text, "%s", r->text == NULL ? "" : r->text);
        return;
    }
    if (r->answer == GLOBE_FAILED) {
        a->status = r->value < 0 ? (int)r->value : GAP_E_DISCONNECTED;
        return;
    }
    if (r->answer == GLOBE_STUCK && make_stuck(g, c)) {
        a->packet = globe_packet(gap_buf_view(&g->bytes));
        return;
    }
    int result = call_model(g, c, r);
    if (result == DC_NOT_MINE) {
        a->status = GAP_E_RPC;
        a->code = 400;
        (void)snprintf(a->text, sizeof a->text, "METHOD_INVALID");
        return;
    }
    if (result == DC_RPC_ERROR) {
        a->status = GAP_E_RPC;
        a->code = g->answer.error_code;
        (void)snprintf(a->text, sizeof a->text, "%s", g->answer.error);
        return;
    }
    a->packet = globe_packet(gap_buf_view(&g->answer.body));
    a->covered = cover(g, c);
    bool spoilt = r->answer == GLOBE_GARBAGE || r->answer == GLOBE_SHORT;
    if (!spoilt && !holds_poison(g, a->covered)) return;
    if (r->answer == GLOBE_SHORT)
        a->packet->len = (a->packet->len / 2) & ~3U;
    else
        memset(a->packet->data, 0x5a, a->packet->len < 8 ? 4 : 8);
    free(a->covered);
    a->covered = NULL;
}

static uint64_t pause_us(struct globe *g, const struct globe_rule *r)
{
    if (r->answer == GLOBE_OLD) return (uint64_t)r->value * MS;
    if (r->answer != GLOBE_SILENT) return 0;
    return (r->value > 0 ? (uint64_t)r->value : g->o.timeout_ms) * MS;
}

void globe_serve(struct globe *g, struct thing *t)
{
    struct call *c = call_by(g, t->call);
    gap_packet_t *given = NULL;
    struct globe_rule r;

    if (c == NULL || t->process != g->process || !g->alive) {
        globe_thing_free(t);
        return;
    }
    memset(&r, 0, sizeof r);
    if (!t->decided && !find_rule(g, c, &r, &given)) draw_fault(g, &r);
    if (r.answer != GLOBE_TRUE) g->j.reasons++;
    if (r.answer == GLOBE_SLOW) { /* it is made when it comes */
        t->decided = true;
        globe_put(g, t, g->now_us + (uint64_t)r.value * MS);
        return;
    }
    struct thing *a = globe_thing(g, THING_ANSWER);
    a->call = c->number;
    a->process = g->process;
    if (r.answer == GLOBE_SILENT)
        a->status = GAP_E_TIMEOUT;
    else if (r.answer == GLOBE_GIVEN && given != NULL)
        a->packet = gap_packet_ref(given);
    else
        make(g, c, &r, a);
    globe_thing_free(t);
    globe_put(g, a, g->now_us + globe_travel_us(g, g->o.answer_ms) + pause_us(g, &r));
}

/* ---- the answer is there ---- */

void globe_answered(struct globe *g, struct thing *t)
{
    struct call *c = call_by(g, t->call);
    gap_answer_t a;

    if (c == NULL || t->process != g->process) {
        globe_thing_free(t);
        return;
    }
    memset(&a, 0, sizeof a);
    a.status = t->status;
    a.error_code = t->code;
    a.error_text = gap_str(t->text);
    if (t->packet != NULL) {
        a.packet = t->packet;
        a.value = gap_bytes(t->packet->data, t->packet->len);
    }
    say_answer(g, c, t);
    judge_answer(g, c, t);
    struct call was = *c;
    memset(c, 0, sizeof *c);
    if (g->o.watch.answer != NULL)
        g->o.watch.answer(g->o.watch.data, gap_load32(was.query->data), was.channel, &a);
    was.cb(was.arg, &a);
    gap_packet_unref(was.query);
    globe_thing_free(t);
}

static bool is_here(const struct globe *g, uint32_t number)
{
    const struct thing *t;

    STAILQ_FOREACH (t, &g->socket, next) {
        if (t->kind == THING_ANSWER && t->call == number) return true;
    }
    return false;
}

void globe_fail_calls(struct globe *g, int status)
{
    for (size_t i = 0; i < GLOBE_CALLS; i++) {
        struct call *c = &g->calls[i];
        if (c->number == 0 || is_here(g, c->number)) continue;
        struct thing *a = globe_thing(g, THING_ANSWER);
        a->call = c->number;
        a->process = g->process;
        a->status = status;
        STAILQ_INSERT_TAIL(&g->socket, a, next);
        g->j.reasons++;
    }
}

void globe_drop_calls(struct globe *g)
{
    gap_answer_t a;

    memset(&a, 0, sizeof a);
    a.status = GAP_E_CLOSED;
    for (size_t i = 0; i < GLOBE_CALLS; i++) {
        struct call c = g->calls[i];
        if (c.number == 0) continue;
        memset(&g->calls[i], 0, sizeof c);
        c.cb(c.arg, &a);
        gap_packet_unref(c.query);
    }
}
