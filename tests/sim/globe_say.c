/*
 * tests/sim/globe_say.c - the world in words, for traces and verdicts.
 */
#include "globe_int.h"

#include <gapless/message.h>
#include <gapless/tl_api.h>
#include <stdio.h>
#include <string.h>

static const char *peer_word(dc_peer_type_t type)
{
    static const char *const words[] = {"nobody", "user", "chat", "channel"};
    return words[type];
}

const char *say_event(const struct globe *g, uint32_t n, char out[96])
{
    const struct seen *s = &g->j.seen[n];
    char where[40] = "";
    char which[24] = "";

    if (s->chat.type != DC_NOBODY)
        (void)snprintf(where, sizeof where, " %s:%lld", peer_word(s->chat.type),
                       (long long)s->chat.id);
    if (s->id != 0) (void)snprintf(which, sizeof which, " id %d", s->id);
    if (s->kind == DC_READ) (void)snprintf(which, sizeof which, " to %d", s->max_id);
    if (s->box == BOX_NONE)
        (void)snprintf(out, 96, "e%u %s%s%s", (unsigned)n, dc_kind_name(s->kind), where, which);
    else
        (void)snprintf(out, 96, "e%u %s%s%s %s %d", (unsigned)n, dc_kind_name(s->kind), where,
                       which, s->box == BOX_QTS ? "qts" : "pts", s->pts);
    return out;
}

void say_update(const gap_update_t *u, char out[96])
{
    gap_message_t m;
    const char *name = gap_tl_name(gap_update_id(u));
    int n = snprintf(out, 96, "%s", name == NULL ? "something" : name);

    if (gap_message_read(u, &m) == 0)
        n += snprintf(out + n, 96 - (size_t)n, " id %d '%.*s'", m.id,
                      m.text.len < 20 ? (int)m.text.len : 20, (const char *)m.text.data);
    if (gap_update_channel_id(u) != 0)
        n +=
            snprintf(out + n, 96 - (size_t)n, " channel:%lld", (long long)gap_update_channel_id(u));
    if (gap_update_pts(u) >= 0)
        (void)snprintf(out + n, 96 - (size_t)n, " pts %d", gap_update_pts(u));
}

const char *say_question(enum globe_question q)
{
    static const char *const words[] = {"anything",           "state",         "difference",
                                        "channel difference", "channel state", "something else"};
    return words[q];
}

static void say_sequence(const gap_engine_event_t *ev, char out[32])
{
    static const char *const words[] = {"common", "qts", "seq"};

    if (ev->sequence == GAP_SEQUENCE_CHANNEL)
        (void)snprintf(out, 32, "channel %lld", (long long)ev->channel_id);
    else
        (void)snprintf(out, 32, "%s", words[ev->sequence]);
}

void say_engine_event(struct globe *g, const gap_engine_event_t *ev)
{
    char who[32];

    say_sequence(ev, who);
    switch (ev->kind) {
    case GAP_EVENT_STARTED:
        globe_trace(g, "event: started");
        return;
    case GAP_EVENT_CAUGHT_UP:
        globe_trace(g, "event: caught up");
        return;
    case GAP_EVENT_GAP_OPENED:
        globe_trace(g, "event: gap in %s, %d..%d", who, ev->from, ev->to);
        return;
    case GAP_EVENT_GAP_FILLED:
        globe_trace(g, "event: gap in %s %s after %llu ms", who, ev->fetched ? "fetched" : "healed",
                    (unsigned long long)(ev->us / MS));
        return;
    case GAP_EVENT_GAP_ABANDONED:
    case GAP_EVENT_RESYNCHRONISED:
        globe_trace(g, "event: %s given up %d..%d, reason %d", who, ev->from, ev->to,
                    (int)ev->reason);
        return;
    case GAP_EVENT_CHANNEL_LOST:
        globe_trace(g, "event: %s lost at %d, error %d", who, ev->from, ev->error_code);
        return;
    case GAP_EVENT_DIFFERENCE_FAILED:
        globe_trace(g, "event: %s failed, again in %llu ms", who,
                    (unsigned long long)(ev->us / MS));
        return;
    case GAP_EVENT_BEHIND:
        globe_trace(g, "event: %s behind", who);
        return;
    case GAP_EVENT_BACKFILLED:
        globe_trace(g, "event: %s back-filled", who);
        return;
    case GAP_EVENT_SHED:
        globe_trace(g, "event: shed");
        return;
    case GAP_EVENT_UNAUTHORIZED:
        globe_trace(g, "event: signed out");
        return;
    case GAP_EVENT_HANDLER_FAILED:
        globe_trace(g, "event: handler failed, error %d", ev->error);
        return;
    }
}

void say_decision(void *data, const gap_engine_decision_t *d)
{
    static const char *const words[] = {"common", "qts", "seq", "channel"};
    struct globe *g = data;
    const char *name = d->update == 0 ? NULL : gap_tl_name(d->update);

    if (g->dying) return;
    globe_trace(g, "  engine: %s %lld at %d, pts %d: %s%s%s",
                d->sequenced ? words[d->sequence] : "account", (long long)d->channel_id,
                d->position, d->pts, gap_engine_decision_text(d->kind), name == NULL ? "" : ": ",
                name == NULL ? "" : name);
}

const char *globe_verdict(const struct globe *g)
{
    return g->j.verdict[0] == 0 ? NULL : g->j.verdict;
}
