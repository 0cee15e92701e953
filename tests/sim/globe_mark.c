/*
 * tests/sim/globe_mark.c - the judge of everything but the deliveries:
 *
 *   in flight  more than one question of an updater, or too many of channels
 *   asked      more questions than there was reason for
 *   stored     a position is stored below which a handler has not finished
 *   given up   events are said to be lost though the server gave no cause
 *   lost       an event that was neither delivered, nor folded into something that came later, nor
 *              named by an event that says it can't be had
 *   start      the engine does not say that it has begun
 */
#include "globe_int.h"

#include <gapless/tl_api.h>
#include <string.h>

#define QUESTIONS_FREE       32 /* for no reason */
#define QUESTIONS_PER_REASON 4

/* ---- what is known of the beginning ---- */

static void begin_at(struct judged_box *b, int32_t from, bool soft)
{
    b->known = true;
    b->soft = soft;
    b->lost = false;
    b->from = from;
    b->from_era = b->era;
    b->pushed_at = GLOBE_NEVER;
}

/* A question about a channel is asked, from a position. */
static void asked_from(struct globe *g, int box, int32_t from)
{
    struct judged_box *b = &g->j.boxes[box];

    if (!b->known)
        begin_at(b, from, true);
    else if (b->soft && from < b->from)
        b->from = from;
    if (b->named > 0 && from >= b->named) b->soft = false;
}

/* A push of a channel has come: it begins with the lowest of those that come first and at once. */
static void first_seen(struct globe *g, int box, int32_t from)
{
    struct judged_box *b = &g->j.boxes[box];
    /* What comes together with the difference that names it may be looked at first. */
    bool named_now = b->soft && b->named_us == g->now_us && from > b->from;
    bool first = !b->known || b->pushed_at == GLOBE_NEVER;

    if (!b->known || named_now)
        begin_at(b, from, true);
    else if (b->soft && from < b->from && (first || b->pushed_at == g->count.turns))
        b->from = from;
    if (first) b->pushed_at = g->count.turns;
    /* It fits to where the channel was named: what comes now from below that is too late. */
    if (first && b->named > 0 && from >= b->named) b->soft = false;
}

/* What affected* tell moves a channel that is followed, and begins none. */
static void told_silently(struct globe *g, struct seen *s)
{
    s->silent = true;
    if (s->box < BOX_CHANNEL) return;
    struct judged_box *b = &g->j.boxes[s->box];
    if (b->known && b->named > 0 && s->pts > b->named) b->soft = false;
}

static void judge_named(struct globe *g, gap_tl_object_t update);

/* A pushed updateChannelTooLong names a place as the first difference does. */
static void named_by_push(struct globe *g, const struct thing *t)
{
    gap_tl_updates_t updates;
    gap_tl_object_t one;

    if (!g->j.fresh || g->j.caught_up || t->n_count > 0 || t->packet == NULL) return;
    gap_bytes_t bytes = gap_bytes(t->packet->data, t->packet->len);
    if (gap_tl_read(bytes, GAP_TL_UPDATES, &updates, sizeof updates) <= 0) return;
    gap_tl_iter_t it = gap_tl_iter(updates.updates);
    while (gap_tl_next(&it, &one) == 1) judge_named(g, one);
}

void judge_fed(struct globe *g, const struct thing *t)
{
    named_by_push(g, t);
    if (t->resets) g->j.boxes[BOX_COMMON].unheard = false;
    for (uint32_t i = 0; i < t->n_count; i++) {
        struct seen *s = &g->j.seen[t->ns[i]];
        s->arrived = true;
        if (t->kind == THING_RESULT && (s->kind == DC_DELETE_MESSAGES || s->kind == DC_READ))
            told_silently(g, s);
        else if (s->box >= BOX_CHANNEL)
            first_seen(g, s->box, s->pts - s->count);
    }
}

/* A position newer than the server's can't be gone on from: that is to be told. */
static void inherit(struct globe *g, int box, int32_t pts, int32_t servers)
{
    begin_at(&g->j.boxes[box], pts, false);
    if (pts > servers) g->j.boxes[box].cause = true;
}

void judge_inherits(struct globe *g)
{
    int32_t pts = 0;
    int32_t qts = 0;

    if (dc_model_state(g->model, g->o.account, &pts, &qts) < 0) return;
    inherit(g, BOX_COMMON, g->kept.state.pts, pts);
    inherit(g, BOX_QTS, g->kept.state.qts, qts);
    for (size_t i = 0; i < g->kept.count; i++) {
        const gap_engine_channel_t *c = &g->kept.channels[i];
        int box = judge_channel_box(g, c->id);
        if (box >= 0) inherit(g, box, c->pts, dc_model_channel_pts(g->model, c->id));
    }
    g->j.lineage = g->process + 1;
    g->j.ever_started = true;
}

/* Where an account that begins finds a channel may be stored before what was pushed up to there has
 * come: a process that begins with that is told no more of it. */
static void begin_stored(struct judged_box *b)
{
    int32_t from = b->stored < b->named_most ? b->stored : b->named_most;

    if (!b->known || b->from_era != b->era || from <= 0) return;
    if (from > b->from) b->from = from;
    b->soft = false;
}

void judge_process(struct globe *g, bool fresh)
{
    struct judge *j = &g->j;

    j->started = false;
    j->fresh = fresh;
    for (int i = 0; i < g->j.box_count; i++) {
        struct judged_box *b = &j->boxes[i];
        b->live = 0;
        b->too_long = false;
        if (!fresh) begin_stored(b);
        /* It died before it could store that the server counts anew: nobody tells the next one. */
        if (!fresh && b->kept_era != b->era) {
            b->unheard = true;
            b->told_era = b->kept_era;
        }
        if (!fresh) continue;
        b->known = b->soft = b->lost = false;
        b->named = b->named_most = 0;
        b->told_era = b->staged_era = b->kept_era = b->era;
        b->stored = 0;
        b->checked = b->count;
    }
    for (uint32_t n = 1; n <= j->count; n++) {
        j->seen[n].arrived = false;
        if (fresh) j->seen[n].excused = true;
    }
    if (!fresh) return;
    j->lineage = g->process;
    j->ever_started = j->caught_up = false;
}

void judge_reset(struct globe *g, int box)
{
    struct judged_box *b = &g->j.boxes[box];

    b->era++;
    judge_cause(g, box);
    b->unheard = true;
    b->checked = b->count;
    g->j.reasons++;
}

/* ---- questions and answers ---- */

static uint64_t idle_us(const struct globe *g)
{
    uint64_t us = g->o.engine.limits.idle_us;
    return us == 0 ? GAP_ENGINE_IDLE_US : us;
}

static void judge_traffic(struct globe *g)
{
    uint64_t restarts = 1 + g->count.restarts;
    uint64_t idle = (1 + g->now_us / idle_us(g)) * (2 + g->o.dc.channels);
    uint64_t most =
        QUESTIONS_FREE + QUESTIONS_PER_REASON * g->j.reasons + 2 * g->j.count * restarts + 2 * idle;

    if (g->count.questions > most)
        judge_say(g, "asked", "%llu questions, reason for %llu at most",
                  (unsigned long long)g->count.questions, (unsigned long long)most);
}

void judge_question(struct globe *g, const struct call *asked)
{
    uint32_t most = g->o.engine.limits.channel_requests;
    uint32_t channels = 0;

    if (most == 0) most = GAP_ENGINE_CHANNEL_REQUESTS_MAX;
    for (size_t i = 0; i < GLOBE_CALLS; i++) {
        const struct call *c = &g->calls[i];
        if (c != asked && c->number != 0 && c->channel == asked->channel)
            judge_say(g, "in flight", "a second question about %s%lld",
                      c->channel == 0 ? "the account " : "channel ", (long long)c->channel);
        if ((c == asked || c->number != 0) && c->channel != 0) channels++;
    }
    if (channels > most)
        judge_say(g, "in flight", "%u questions about channels", (unsigned)channels);
    if (asked->question == GLOBE_CHANNEL && judge_channel_box(g, asked->channel) >= 0)
        asked_from(g, judge_channel_box(g, asked->channel), asked->pts);
    judge_traffic(g);
}

void judge_cause(struct globe *g, int box)
{
    if (box < 0) return;
    g->j.boxes[box].cause = true;
    if (box == BOX_COMMON) g->j.boxes[BOX_QTS].cause = true;
}

static void judge_covered(struct globe *g, const struct call *c, const struct covered *k)
{
    struct judge *j = &g->j;
    bool too_long = k->first == GAP_TL_UPDATES_DIFFERENCE_TOO_LONG ||
                    k->first == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG;

    if (c->question == GLOBE_STATE) {
        if (j->ever_started) return;
        begin_at(&j->boxes[BOX_COMMON], k->state[0], false);
        begin_at(&j->boxes[BOX_QTS], k->state[1], false);
        return;
    }
    if (k->box < 0) return;
    struct judged_box *b = &j->boxes[k->box];
    if (too_long || c->question == GLOBE_FULL_CHANNEL) {
        judge_cause(g, k->box);
        b->too_long = b->was_too_long = true;
        /* Nothing was known of it: it begins where the server says. */
        if (b->soft || !b->known) begin_at(b, k->to, true);
        return;
    }
    for (uint32_t i = 0; i < k->count; i++) j->seen[k->folded[i]].folded = true;
}

/* An account that begins takes from its first difference where the channels stand that it names. */
static void judge_named(struct globe *g, gap_tl_object_t update)
{
    gap_tl_update_channel_too_long_t u;

    if (update.id != GAP_TL_UPDATE_CHANNEL_TOO_LONG) return;
    if (GAP_TL_READ(update, GAP_TL_UPDATE_CHANNEL_TOO_LONG, &u) <= 0) return;
    int box = judge_channel_box(g, u.channel_id);
    if (box < 0) return;
    struct judged_box *b = &g->j.boxes[box];
    /* By a push and by the difference, at once: whichever is looked at first. */
    if (b->soft && b->named_us == g->now_us && u.pts > b->named_most) b->named_most = u.pts;
    /* Named again, further on: it is asked for, from where it was named before. */
    if (b->named > 0 && u.pts > b->named) b->soft = false;
    if (b->known) return;
    begin_at(b, u.pts, true);
    b->named_us = g->now_us;
    b->named = b->named_most = u.pts;
}

static void judge_first_difference(struct globe *g, const struct thing *a)
{
    gap_tl_updates_difference_t d;
    gap_tl_updates_difference_slice_t slice;
    gap_tl_vector_t others = {NULL, 0, NULL, 0};
    gap_bytes_t body = gap_bytes(a->packet->data, a->packet->len);
    gap_tl_object_t one;

    if (a->covered->first == GAP_TL_UPDATES_DIFFERENCE &&
        gap_tl_read(body, GAP_TL_UPDATES_DIFFERENCE, &d, sizeof d) > 0)
        others = d.other_updates;
    if (a->covered->first == GAP_TL_UPDATES_DIFFERENCE_SLICE &&
        gap_tl_read(body, GAP_TL_UPDATES_DIFFERENCE_SLICE, &slice, sizeof slice) > 0)
        others = slice.other_updates;
    gap_tl_iter_t it = gap_tl_iter(others);
    while (gap_tl_next(&it, &one) == 1) judge_named(g, one);
}

void judge_answer(struct globe *g, const struct call *c, const struct thing *a)
{
    int box = c->channel == 0 ? BOX_COMMON : judge_channel_box(g, c->channel);

    if (a->covered != NULL) {
        judge_covered(g, c, a->covered);
        if (c->question == GLOBE_DIFFERENCE && !g->j.caught_up) judge_first_difference(g, a);
    } else if (a->packet != NULL)
        judge_cause(g, box); /* nobody can read it, or it leads nowhere */
    else if (a->status == GAP_E_RPC && (a->code == 400 || a->code == 403 || a->code == 406))
        judge_cause(g, box);
}

/* ---- what the engine says ---- */

static int sequence_box(const struct globe *g, const gap_engine_event_t *ev)
{
    switch (ev->sequence) {
    case GAP_SEQUENCE_COMMON:
        return BOX_COMMON;
    case GAP_SEQUENCE_QTS:
        return BOX_QTS;
    case GAP_SEQUENCE_CHANNEL:
        return judge_channel_box(g, ev->channel_id);
    default:
        return BOX_NONE;
    }
}

static void excuse(struct globe *g, struct seen *s)
{
    if (!s->excused && s->life == 0) g->count.excused++;
    s->excused = true;
}

static void given_up(struct globe *g, int box, int32_t from, int32_t to)
{
    struct judged_box *b = &g->j.boxes[box];

    if (!b->cause && !b->untrusted)
        judge_say(g, "given up", "%d..%d of box %d, for no cause of the server's", from, to, box);
    for (uint32_t i = 0; i < b->count; i++) {
        struct seen *s = &g->j.seen[b->ns[i]];
        bool before = s->era < b->era; /* the server has begun to count anew since */
        if (before || (s->pts > from && (to == 0 || s->pts <= to)) ||
            (b->told_era != b->era && s->pts <= to))
            excuse(g, s);
    }
    if (!b->known) begin_at(b, to, true);
    b->told_era = b->era;
    b->given_us = g->now_us;
    b->live = b->stored = 0;
}

static void channel_lost(struct globe *g, int box)
{
    struct judged_box *b = &g->j.boxes[box];

    if (!b->cause && !b->untrusted)
        judge_say(g, "given up", "box %d, though the account has access", box);
    for (uint32_t i = 0; i < b->count; i++) excuse(g, &g->j.seen[b->ns[i]]);
    b->known = b->soft = false;
    b->told_era = b->staged_era = b->era;
    b->lost = true;
    judge_anew(g, box);
    b->live = 0;
    b->stored = 0;
    b->checked = b->count;
}

void judge_left(struct globe *g, int box)
{
    struct judged_box *b = &g->j.boxes[box];

    judge_cause(g, box);
    /* From now on nobody tells the account what it has missed. */
    for (uint32_t i = 0; i < b->count; i++) excuse(g, &g->j.seen[b->ns[i]]);
}

static void shed(struct globe *g, const gap_update_t *update)
{
    uint32_t content;
    uint32_t one = update == NULL ? 0 : find_event(g, update, &content);

    for (uint32_t n = 1; n <= g->j.count; n++) {
        struct seen *s = &g->j.seen[n];
        if (s->box != BOX_NONE) continue;
        if (update == NULL || n == one) excuse(g, s);
    }
}

void judge_event(struct globe *g, const gap_engine_event_t *ev)
{
    struct judge *j = &g->j;
    int box = sequence_box(g, ev);

    switch (ev->kind) {
    case GAP_EVENT_STARTED:
        j->started = j->ever_started = true;
        return;
    case GAP_EVENT_CAUGHT_UP:
        if (!j->caught_up) j->started_us = g->now_us;
        j->caught_up = true;
        return;
    case GAP_EVENT_GAP_ABANDONED:
        /* It was never seen but in part: there is nothing to ask with. */
        if (ev->reason == GAP_REASON_NO_HASH && g->o.dc.min_percent > 0) judge_cause(g, box);
        GAP_FALLTHROUGH;
    case GAP_EVENT_RESYNCHRONISED:
        if (box >= 0) given_up(g, box, ev->from, ev->to);
        if (box >= 0 && (ev->reason == GAP_REASON_RESET || ev->reason == GAP_REASON_INVALID))
            g->j.boxes[box].unheard = false;
        return;
    case GAP_EVENT_CHANNEL_LOST:
        if (box >= 0) channel_lost(g, box);
        return;
    case GAP_EVENT_SHED:
        shed(g, ev->update);
        return;
    case GAP_EVENT_UNAUTHORIZED: /* nothing more can be had */
        for (int i = 0; i < g->j.box_count; i++) j->boxes[i].untrusted = true;
        g->has_raw = true;
        return;
    default:
        return;
    }
}

/* ---- what is stored ---- */

void judge_finished(struct globe *g, uint32_t n)
{
    if (n != 0) g->j.seen[n].finished = true;
}

bool judge_matters(const struct globe *g, const struct seen *s)
{
    if (!s->received || s->excused || s->kind == DC_STATUS) return false;
    if (s->box == BOX_NONE) return (s->arrived || s->journalled) && !g->has_raw;
    const struct judged_box *b = &g->j.boxes[s->box];
    if (b->unheard || b->untrusted) return false;
    if (!b->known) return !b->lost && g->j.caught_up && s->made_us > g->j.started_us + 1000000;
    return s->era > b->from_era || (s->era == b->from_era && s->pts > b->from);
}

static void store_box(struct globe *g, int box, int32_t pts)
{
    struct judged_box *b = &g->j.boxes[box];
    char text[96];

    /* Of where it was named alone a channel may fall, when something from before comes. */
    if (pts > b->stored || b->stored <= b->named_most) b->stored = pts;
    if (b->staged_era != b->era || !b->known) return;
    for (; b->checked < b->count; b->checked++) {
        const struct seen *s = &g->j.seen[b->ns[b->checked]];
        if (s->era == b->era && s->pts > pts) return;
        /* Where an account that begins finds a channel may be stored before what was pushed up to
         * there has come. */
        if (s->era < b->era || s->pts <= b->named_most || !judge_matters(g, s)) continue;
        if (!s->finished && !s->folded && !s->silent && !s->journalled)
            judge_say(g, "stored", "%d, but %s has not been handled", pts,
                      say_event(g, b->ns[b->checked], text));
    }
}

void judge_collected(struct globe *g)
{
    for (int i = 0; i < g->j.box_count; i++) g->j.boxes[i].staged_era = g->j.boxes[i].told_era;
}

void judge_stored(struct globe *g)
{
    if (!g->kept.known) return;
    for (int i = 0; i < g->j.box_count; i++) g->j.boxes[i].kept_era = g->j.boxes[i].staged_era;
    /* That is as good: whoever begins with it asks, and tells. */
    if (g->kept.state.pts == 0) g->j.boxes[BOX_COMMON].kept_era = g->j.boxes[BOX_COMMON].era;
    store_box(g, BOX_COMMON, g->kept.state.pts);
    store_box(g, BOX_QTS, g->kept.state.qts);
    for (size_t i = 0; i < g->kept.count; i++) {
        int box = judge_channel_box(g, g->kept.channels[i].id);
        if (box >= 0) store_box(g, box, g->kept.channels[i].pts);
    }
}

/* ---- the end ---- */

/* A later event of the same thing that came, or was told to be lost: an edit or a pin of the
 * message, a read of the chat. */
static bool came_later(const struct globe *g, uint32_t n)
{
    const struct seen *s = &g->j.seen[n];

    for (uint32_t k = n + 1; k <= g->j.count; k++) {
        const struct seen *l = &g->j.seen[k];
        if (l->kind != s->kind || l->box != s->box || !l->settled) continue;
        if (s->kind != DC_READ && l->message == s->message) return true;
        if (s->kind == DC_READ && l->chat.id == s->chat.id && l->chat.type == s->chat.type &&
            l->outbox == s->outbox)
            return true;
    }
    return false;
}

static bool is_superseded(const struct globe *g, uint32_t n)
{
    const struct judge *j = &g->j;
    const struct seen *s = &j->seen[n];
    uint32_t message = s->kind == DC_NEW_MESSAGE ? n : s->message;

    if (!s->folded) return false;
    if (message != 0) {
        uint32_t gone = j->seen[message].gone;
        if (gone > n && j->seen[gone].settled) return true;
        if (s->kind == DC_EDIT_MESSAGE && j->seen[message].best >= n) return true;
    }
    return s->kind != DC_NEW_MESSAGE && came_later(g, n);
}

void judge_end(struct globe *g)
{
    struct judge *j = &g->j;
    char text[96];
    uint32_t lost = 0;
    uint32_t count = 0;

    if (!j->started) judge_say(g, "start", "no sign of it");
    for (uint32_t n = j->count; n > 0; n--) {
        struct seen *s = &j->seen[n];
        bool came = s->finished || s->silent || (g->keeper == NULL && s->life == g->process);
        s->settled = came || s->excused || !s->received;
        if (!s->settled && is_superseded(g, n)) {
            s->settled = true;
            g->count.superseded++;
        }
        if (s->settled || !judge_matters(g, s)) continue;
        lost = n;
        count++;
    }
    if (count > 0)
        judge_say(g, "lost", "%u events, the first is %s", (unsigned)count,
                  say_event(g, lost, text));
}
