/*
 * tests/sim/globe_hand.c - what is done to a world by hand: bytes that no honest server would make,
 * numbers to begin with, a state from before. The judge is told what it can't hold anybody to.
 * Owns nothing.
 */
#include "dc/model_int.h"
#include "globe_int.h"

#include <string.h>

void globe_untrusted(struct globe *g, int64_t channel)
{
    int box = channel == 0 ? BOX_COMMON : judge_channel_box(g, channel);

    g->has_raw = true;
    g->j.reasons++;
    if (box < 0) return;
    g->j.boxes[box].untrusted = true;
    if (box == BOX_COMMON) g->j.boxes[BOX_QTS].untrusted = true;
}

void globe_push_bytes(struct globe *g, gap_bytes_t bytes, const uint32_t *ns, uint32_t count,
                      const struct globe_push *push)
{
    struct thing *t = globe_thing(g, THING_PUSH);

    t->packet = globe_packet(bytes);
    t->by_hand = true;
    t->n_count = count < GLOBE_TOGETHER ? count : GLOBE_TOGETHER;
    if (count > 0) memcpy(t->ns, ns, t->n_count * sizeof *ns);
    g->j.reasons++;
    globe_send(g, t, "by hand", push);
}

void globe_result_bytes(struct globe *g, gap_bytes_t query, gap_bytes_t result, uint32_t ms)
{
    struct thing *t = globe_thing(g, THING_RESULT);

    t->packet = globe_packet(result);
    t->query = globe_packet(query);
    t->process = g->process;
    t->by_hand = true;
    g->j.reasons++;
    globe_put(g, t, g->now_us + ms * MS);
}

int globe_rule_given(struct globe *g, const struct globe_rule *rule, gap_bytes_t answer)
{
    int r = globe_rule(g, rule);

    if (r == 0) g->rules[g->rule_count - 1].given = globe_packet(answer);
    return r;
}

void globe_number(struct globe *g, int32_t pts, int32_t qts, int32_t seq)
{
    dc_model_t *m = g->model;
    struct dc_account *a = &m->accounts[dc_account_index(m, g->o.account)];

    if (pts > 0) a->common.pts = pts;
    if (qts > 0) a->qts.pts = qts;
    if (seq > 0) g->seq = seq;
}

int32_t globe_seq(const struct globe *g)
{
    return g->seq;
}

void globe_skip_seq(struct globe *g, int32_t count)
{
    g->seq += count;
    g->j.reasons++;
}

int globe_stored(struct globe *g, const gap_engine_state_t *state)
{
    struct kept_state *k = &g->kept;

    k->known = false;
    k->count = 0;
    if (state == NULL) return 0;
    if (state->channel_count > g->o.dc.channels) return GAP_E_LIMIT;
    k->known = true;
    k->state = *state;
    k->count = state->channel_count;
    if (k->count > 0) memcpy(k->channels, state->channels, k->count * sizeof *k->channels);
    judge_inherits(g);
    return 0;
}

void globe_allow(struct globe *g)
{
    g->j.reasons += 1U << 30;
}

void globe_late_ms(struct globe *g, uint32_t ms)
{
    g->o.late_ms = ms;
}

bool globe_is_quiet(const struct globe *g)
{
    if (!g->alive || !g->connected || !STAILQ_EMPTY(&g->socket) || !STAILQ_EMPTY(&g->host))
        return false;
    if (g->later_count > 0) return false;
    /* What is collected, later on, changes nothing. */
    for (size_t i = 0; i < g->way.count; i++)
        if (globe_thing_of(g->way.nodes[i])->kind != THING_COLLECT) return false;
    uint64_t due = gap_rt_deadline_us(&g->rt);
    uint64_t idle = g->o.engine.limits.idle_us;
    if (idle == 0) idle = GAP_ENGINE_IDLE_US;
    /* Pauses after errors are shorter than the watchdog's. */
    uint64_t soon = idle / 2 < 2 * GAP_ENGINE_RETRY_MAX_US ? idle / 2 : 2 * GAP_ENGINE_RETRY_MAX_US;
    return due == GAP_ENV_NEVER || due >= globe_mono_us(g) + soon;
}
