/*
 * tests/sim/globe_draw.c - worlds drawn from seeds.
 *
 *   seed --> options (account, server, engine, network, handlers)
 *        --> a story: events and mishaps, one after the other, with pauses
 *        --> the end: no more faults, and everything has to be there
 *
 * A kind of fault is either absent from a world or has a rate of its own, so that many worlds show
 * a few faults in many ways, and some show all at once.
 *
 * Owns nothing but the list of what can be acted upon.
 */
#include "globe_draw.h"

#include "base/prng.h"
#include "globe_int.h"

#include <string.h>
#include <time.h>

#define RECENT      12
#define CHATS       16
#define WARM_EVENTS 12

struct chat {
    dc_peer_t peer;
    uint32_t recent[RECENT]; /* events of its newest messages */
    uint8_t pins[RECENT];    /* times pinned or unpinned */
    uint32_t count;          /* messages in all */
    int32_t top_id;
    int32_t read[2];
};

struct story {
    struct globe *g;
    gap_prng_t r;
    gap_prng_t own_r; /* of what only worlds with a runner have */
    struct chat chats[CHATS];
    uint32_t chat_count;
    uint32_t private_count; /* the first so many are in the common box */
    uint32_t weights[DC_KINDS];
    uint32_t events;
    uint32_t pause_ms; /* between events, at most */
    double burst;      /* no pause at all */
    double packed;
    double swapped;
    double own;
    double mishap; /* after an event */
    double death;  /* the same: the process dies, in a handler or elsewhere */
    uint32_t mishaps;
    bool left[CHATS];
};

static uint64_t below(gap_prng_t *r, uint64_t n)
{
    return gap_prng_below(r, n);
}

static uint32_t between(gap_prng_t *r, uint32_t from, uint32_t to)
{
    return from + (uint32_t)below(r, (uint64_t)to - from + 1);
}

static bool chance(gap_prng_t *r, double p)
{
    return gap_prng_unit(r) < p;
}

/* Absent, or a rate up to `most`. */
static double rate(gap_prng_t *r, double presence, double most)
{
    return chance(r, presence) ? gap_prng_unit(r) * most : 0;
}

/* ---- the world ---- */

static void draw_server(gap_prng_t *r, dc_options_t *dc)
{
    dc->channels = between(r, 0, 5);
    dc->users = between(r, 1, 4);
    dc->groups = between(r, 0, 2);
    if (chance(r, 0.5)) dc->slice = between(r, 1, 10);
    if (chance(r, 0.5)) dc->channel_slice = between(r, 1, 10);
    if (chance(r, 0.1)) dc->difference_max = between(r, 5, 40);
    if (chance(r, 0.1)) dc->channel_diff_max = between(r, 5, 40);
    if (chance(r, 0.3)) dc->short_percent = between(r, 10, 100);
    if (chance(r, 0.3)) dc->min_percent = between(r, 5, 50);
    dc->long_sent = chance(r, 0.5);
    dc->text_min = 1;
    dc->text_max = 8;
}

static void draw_engine(gap_prng_t *r, gap_engine_config_t *c)
{
    static const uint32_t waits[] = {0, 0, 0, GAP_ENGINE_GAP_WAIT_US, 1, 50000};

    c->gap_wait_us = waits[below(r, GAP_ARRAY_LEN(waits))];
    c->gap_continue = chance(r, 0.3);
    c->tail_sweep = chance(r, 0.3);
    if (chance(r, 0.2)) c->limits.inbox = between(r, 4, 64);
    if (chance(r, 0.3)) c->limits.channel_requests = between(r, 1, 3);
    if (chance(r, 0.2)) c->limits.difference_limit = between(r, 1, 20);
    if (chance(r, 0.3)) c->limits.idle_us = (uint64_t)between(r, 30, 600) * 1000000;
    if (chance(r, 0.3)) c->limits.jitter_permille = GAP_ENGINE_NO_JITTER;
}

static void draw_network(gap_prng_t *r, struct globe_options *o)
{
    o->push_ms = between(r, 0, 50);
    o->query_ms = between(r, 0, 100);
    o->answer_ms = between(r, 0, 100);
    o->jitter_ms = chance(r, 0.5) ? between(r, 1, 100) : 0;
    o->late_ms = between(r, 1, 3000);
    o->timeout_ms = between(r, 1000, 60000);
    o->loss = rate(r, 0.5, 0.4);
    o->late = rate(r, 0.5, 0.4);
    o->twice = rate(r, 0.4, 0.3);
    o->error = rate(r, 0.4, 0.5);
    o->silent = rate(r, 0.2, 0.1);
    o->answers = 0;
    for (uint32_t i = 0; i <= GLOBE_POLL; i++)
        if (chance(r, 0.5)) o->answers |= 1U << i;
    /* What makes the engine give events up hides what it loses: seldom. */
    if (chance(r, 0.8))
        o->answers &=
            ~(1U << GLOBE_TOO_LONG | 1U << GLOBE_STUCK | 1U << GLOBE_GARBAGE | 1U << GLOBE_SHORT);
}

static void draw_host(gap_prng_t *r, struct globe_options *o)
{
    o->stored = chance(r, 0.85);
    o->commit_ms = chance(r, 0.7) ? between(r, 0, 300) : 0;
    o->write_ms = chance(r, 0.7) ? between(r, 0, 60) : 0;
    o->later = rate(r, 0.5, 0.6);
    o->failing = rate(r, 0.3, 0.1);
    o->stuck = rate(r, 0.15, 0.02);
    o->later_ms = between(r, 1, 5000);
}

/* A generator of its own: worlds without a runner are drawn as they always were. */
static void draw_runner(uint64_t seed, struct globe_options *o)
{
    static const gap_journal_mode_t modes[] = {GAP_JOURNAL_LAZY, GAP_JOURNAL_LAZY, GAP_JOURNAL_LAZY,
                                               GAP_JOURNAL_FULL, GAP_JOURNAL_LIGHT};
    gap_prng_t own = {gap_hash64(seed ^ 0x72756e6e657200U)};
    gap_prng_t *r = &own;

    if (!o->stored || !chance(r, 0.5)) return;
    o->runner = true;
    o->run.journal = modes[below(r, GAP_ARRAY_LEN(modes))];
    o->run.timeout_us = (uint64_t)between(r, 200, 10000) * 1000;
    o->run.attempts_max = between(r, 1, 5);
    o->run.retry_min_us = (uint64_t)between(r, 1, 1000) * 1000;
    o->run.retry_max_us = (uint64_t)between(r, 1000, 5000) * 1000;
    if (chance(r, 0.5)) o->run.concurrency = between(r, 1, 20);
    if (chance(r, 0.3)) o->run.waiting_max = between(r, 4, 40);
    if (chance(r, 0.3)) o->run.journal_after_us = (uint64_t)between(r, 1, 2000) * 1000;
    if (chance(r, 0.2)) o->run.unordered_retry = true;
    if (chance(r, 0.1)) o->run.pace_per_s = between(r, 5, 100);
    o->poison = rate(r, 0.3, 0.1);
    o->transaction = rate(r, 0.4, 1);
}

static void draw_options(uint64_t seed, gap_prng_t *r, struct globe_options *o)
{
    globe_options(o);
    o->seed = seed;
    o->bot = chance(r, 0.3);
    draw_server(r, &o->dc);
    draw_engine(r, &o->engine);
    draw_network(r, o);
    draw_host(r, o);
    draw_runner(seed, o);
}

static void add_chat(struct story *s, dc_peer_type_t type, int64_t id)
{
    struct chat *c = &s->chats[s->chat_count++];

    memset(c, 0, sizeof *c);
    c->peer = (dc_peer_t){type, id};
}

static void draw_story(struct story *s, const struct globe_options *o)
{
    static const uint32_t weights[DC_KINDS] = {
        [DC_NEW_MESSAGE] = 50, [DC_EDIT_MESSAGE] = 20, [DC_DELETE_MESSAGES] = 8, [DC_PIN] = 5,
        [DC_READ] = 6,         [DC_QTS] = 8,           [DC_CALLBACK_QUERY] = 5,  [DC_STATUS] = 4};
    static const uint32_t pauses[] = {2, 20, 200, 2000, 10000};
    gap_prng_t *r = &s->r;

    for (uint32_t i = 0; i < o->dc.users; i++) add_chat(s, DC_USER, DC_USER_ID_FIRST + i);
    for (uint32_t i = 0; i < o->dc.groups; i++) add_chat(s, DC_CHAT, DC_CHAT_ID_FIRST + i);
    s->private_count = s->chat_count;
    for (uint32_t i = 0; i < o->dc.channels; i++) add_chat(s, DC_CHANNEL, DC_CHANNEL_ID_FIRST + i);
    for (int k = 0; k < DC_KINDS; k++)
        s->weights[k] = k != DC_NEW_MESSAGE && chance(r, 0.3) ? 0 : weights[k];
    s->events = between(r, 20, 140);
    s->pause_ms = pauses[below(r, GAP_ARRAY_LEN(pauses))];
    s->burst = rate(r, 0.5, 0.8);
    s->packed = rate(r, 0.4, 0.4);
    s->swapped = rate(r, 0.4, 0.5);
    s->own = rate(r, 0.5, 0.3);
    s->mishap = rate(r, 0.6, 0.15);
    s->mishaps = (uint32_t)below(r, 1U << 16) & (uint32_t)below(r, 1U << 16);
}

/* ---- events ---- */

static struct chat *any_chat(struct story *s, bool channels)
{
    uint32_t first = 0;
    uint32_t count = channels ? s->chat_count : s->private_count;

    if (channels && s->chat_count > s->private_count && chance(&s->r, 0.6)) {
        first = s->private_count;
        count = s->chat_count - first;
    }
    return &s->chats[first + below(&s->r, count)];
}

static bool is_alive(const struct story *s, uint32_t n)
{
    return n != 0 && s->g->j.seen[n].gone == 0;
}

/* A recent message that is still there; its place in the ring, -1 none. */
static int any_message(struct story *s, const struct chat *c)
{
    uint32_t count = c->count < RECENT ? c->count : RECENT;

    if (count == 0) return -1;
    uint32_t first = (uint32_t)below(&s->r, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = (first + i) % count;
        if (is_alive(s, c->recent[k])) return (int)k;
    }
    return -1;
}

static int64_t any_user(struct story *s)
{
    return DC_USER_ID_FIRST + (int64_t)below(&s->r, s->g->o.dc.users);
}

static void make_message(struct story *s, dc_spec_t *spec, const struct chat *c)
{
    spec->kind = DC_NEW_MESSAGE;
    spec->chat = c->peer;
    spec->account = c->peer.type == DC_CHANNEL ? 0 : s->g->o.account;
    bool broadcast = c->peer.type == DC_CHANNEL && (c->peer.id - DC_CHANNEL_ID_FIRST) % 4 == 3;
    spec->from = c->peer.type == DC_USER || broadcast ? 0 : any_user(s);
}

static bool make_edit(struct story *s, dc_spec_t *spec, const struct chat *c)
{
    int k = any_message(s, c);

    if (k < 0) return false;
    spec->kind = DC_EDIT_MESSAGE;
    spec->chat = c->peer;
    spec->account = c->peer.type == DC_CHANNEL ? 0 : s->g->o.account;
    spec->id = s->g->j.seen[c->recent[k]].id;
    return true;
}

static bool make_delete(struct story *s, dc_spec_t *spec, const struct chat *c, int32_t ids[4])
{
    uint32_t count = c->count < RECENT ? c->count : RECENT;
    uint32_t want = between(&s->r, 1, 4);

    for (uint32_t k = 0; k < count && spec->ids_count < want; k++) {
        if (is_alive(s, c->recent[k]) && chance(&s->r, 0.5))
            ids[spec->ids_count++] = s->g->j.seen[c->recent[k]].id;
    }
    if (spec->ids_count == 0) return false;
    spec->kind = DC_DELETE_MESSAGES;
    spec->chat = c->peer;
    spec->account = c->peer.type == DC_CHANNEL ? 0 : s->g->o.account;
    spec->ids = ids;
    return true;
}

static bool make_pin(struct story *s, dc_spec_t *spec, struct chat *c)
{
    int k = any_message(s, c);

    if (k < 0 || c->pins[k] == 2 || !make_edit(s, spec, c)) return false;
    spec->kind = DC_PIN;
    spec->id = s->g->j.seen[c->recent[k]].id;
    spec->pinned = c->pins[k]++ == 0;
    return true;
}

static bool make_read(struct story *s, dc_spec_t *spec, struct chat *c)
{
    bool outbox = chance(&s->r, 0.3);

    if (c->top_id <= c->read[outbox]) return false;
    c->read[outbox] = c->top_id;
    spec->kind = DC_READ;
    spec->chat = c->peer;
    spec->account = s->g->o.account;
    spec->id = c->top_id;
    spec->outbox = outbox;
    return true;
}

static bool make_qts(struct story *s, dc_spec_t *spec)
{
    const struct globe_options *o = &s->g->o;

    spec->kind = DC_QTS;
    spec->account = o->account;
    spec->from = any_user(s);
    spec->qts = (dc_qts_t)below(&s->r, DC_QTS_MESSAGE_REACTION);
    if (spec->qts == DC_QTS_CHAT_PARTICIPANT && o->dc.groups > 0) {
        spec->chat = (dc_peer_t){DC_CHAT, DC_CHAT_ID_FIRST};
    } else if (spec->qts == DC_QTS_CHANNEL_PARTICIPANT && o->dc.channels > 0) {
        spec->chat = (dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST};
    } else {
        spec->qts = DC_QTS_BOT_STOPPED;
        spec->chat = (dc_peer_t){DC_USER, spec->from};
    }
    return true;
}

static bool make_query(struct story *s, dc_spec_t *spec, const struct chat *c)
{
    if (!make_edit(s, spec, c)) return false;
    spec->kind = DC_CALLBACK_QUERY;
    spec->account = s->g->o.account;
    spec->from = c->peer.type == DC_USER ? c->peer.id : any_user(s);
    return true;
}

static dc_kind_t any_kind(struct story *s)
{
    uint32_t sum = 0;

    for (int k = 0; k < DC_KINDS; k++) sum += s->weights[k];
    uint32_t at = (uint32_t)below(&s->r, sum);
    for (int k = 0; k < DC_KINDS; k++) {
        if (at < s->weights[k]) return (dc_kind_t)k;
        at -= s->weights[k];
    }
    return DC_NEW_MESSAGE;
}

static bool draw_event(struct story *s, dc_spec_t *spec, struct chat *c, int32_t ids[4])
{
    switch (any_kind(s)) {
    case DC_EDIT_MESSAGE:
        return make_edit(s, spec, c);
    case DC_DELETE_MESSAGES:
        return make_delete(s, spec, c, ids);
    case DC_PIN:
        return make_pin(s, spec, c);
    case DC_READ:
        return c->peer.type != DC_CHANNEL && make_read(s, spec, c);
    case DC_QTS:
        return make_qts(s, spec);
    case DC_CALLBACK_QUERY:
        return make_query(s, spec, c);
    case DC_STATUS:
        spec->kind = DC_STATUS;
        spec->account = s->g->o.account;
        spec->chat = (dc_peer_t){DC_USER, any_user(s)};
        spec->from = spec->chat.id;
        return true;
    default:
        return false;
    }
}

static void remember(struct story *s, struct chat *c, uint32_t n)
{
    uint32_t k = c->count++ % RECENT;

    c->recent[k] = n;
    c->pins[k] = 0;
    c->top_id = s->g->j.seen[n].id;
}

static void one_event(struct story *s)
{
    struct globe_push packed = {GLOBE_PACKED, 0, NULL};
    struct chat *c = any_chat(s, true);
    dc_spec_t spec;
    int32_t ids[4];
    uint32_t n;

    memset(&spec, 0, sizeof spec);
    if (!draw_event(s, &spec, c, ids)) {
        memset(&spec, 0, sizeof spec);
        make_message(s, &spec, c);
    }
    bool together = chance(&s->r, s->packed);
    if (globe_event(s->g, &spec, together ? &packed : NULL, &n) < 0) return;
    if (spec.kind == DC_NEW_MESSAGE) remember(s, c, n);
    if (!together || chance(&s->r, 0.3)) globe_container(s->g, chance(&s->r, s->swapped), NULL);
}

/* What the story asks for can be done. */
static void expect_done(struct story *s, int result)
{
    if (result < 0) judge_say(s->g, "story", "%s", gap_strerror(result));
}

static void own_call(struct story *s)
{
    struct chat *c = any_chat(s, true);
    struct globe_call call;
    dc_spec_t spec;
    int32_t ids[4];

    memset(&call, 0, sizeof call);
    memset(&spec, 0, sizeof spec);
    call.chat = c->peer;
    call.elsewhere = chance(&s->r, 0.3);
    call.echo = chance(&s->r, 0.2);
    call.lost = chance(&s->r, 0.2);
    call.ms = chance(&s->r, 0.3) ? between(&s->r, 0, 2000) : 0;
    if (chance(&s->r, 0.2) && make_delete(s, &spec, c, ids)) {
        call.kind = GLOBE_DELETE;
        call.ids = ids;
        call.ids_count = spec.ids_count;
    } else if (chance(&s->r, 0.1) && c->peer.type != DC_CHANNEL && make_read(s, &spec, c)) {
        call.kind = GLOBE_READ;
        call.id = spec.id;
    } else {
        call.kind = GLOBE_SEND;
    }
    expect_done(s, globe_call(s->g, &call, NULL));
}

/* ---- mishaps ---- */

static void leave_or_join(struct story *s)
{
    uint32_t channels = s->g->o.dc.channels;

    if (channels == 0) return;
    uint32_t i = (uint32_t)below(&s->r, channels);
    int64_t id = DC_CHANNEL_ID_FIRST + i;
    s->left[i] = !s->left[i];
    if (s->left[i])
        expect_done(s, globe_leave(s->g, id));
    else
        expect_done(s, globe_join(s->g, id));
}

static void reset(struct story *s)
{
    uint32_t channels = s->g->o.dc.channels;
    bool common = channels == 0 || chance(&s->r, 0.5);

    if (!chance(&s->r, 0.2)) return;
    if (!common) return; /* a channel's drop is noticed by its size alone */
    /* What was pushed before has arrived: nobody can tell the old count from the new. */
    if (!s->g->j.caught_up) return;
    globe_container(s->g, false, NULL);
    (void)globe_release(s->g, NULL);
    for (int i = 0; i < 10 && globe_is_busy(s->g); i++) globe_run(s->g, globe_now_ms(s->g) + 1000);
    if (globe_is_busy(s->g)) return;
    if (globe_reset(s->g, 0, 1 + (int32_t)below(&s->r, 3)) < 0) return;
    globe_push_reset(s->g, &(struct globe_push){GLOBE_SENT, 0, NULL});
    /* The new count must not get to where the old one was before the engine has heard of it. */
    for (int i = 0; i < 20 && s->g->j.boxes[BOX_COMMON].told_era != s->g->j.boxes[BOX_COMMON].era;
         i++)
        globe_run(s->g, globe_now_ms(s->g) + 1000);
    if (s->g->j.boxes[BOX_COMMON].told_era != s->g->j.boxes[BOX_COMMON].era) s->events = 0;
}

static void mishap(struct story *s)
{
    struct globe *g = s->g;
    gap_prng_t *r = &s->r;
    uint32_t kind = (uint32_t)below(r, 16);

    if ((s->mishaps >> kind & 1U) == 0) return;
    switch (kind) {
    case 0:
        globe_cut(g, between(r, 0, 5000), false);
        return;
    case 1:
        globe_cut(g, between(r, 0, 5000), true);
        return;
    case 2:
        globe_stall_network(g, between(r, 1, 3000));
        return;
    case 3:
        globe_stall_socket(g, between(r, 1, 2000));
        return;
    case 4:
        globe_stall_host(g, between(r, 1, 3000));
        return;
    case 5:
        globe_suspend(g, between(r, 1000, 3600000), chance(r, 0.5), true);
        return;
    case 6:
        globe_suspend(g, between(r, 1000, 60000), chance(r, 0.5), false);
        return;
    case 7:
        globe_clock_jump(g, (int32_t)between(r, 1, 100000));
        return;
    case 8:
        globe_crash(g, between(r, 0, 20000));
        return;
    case 9:
        globe_crash_in_handler(g, between(r, 1, 10), between(r, 0, 20000));
        return;
    case 10:
        globe_restart(g, between(r, 0, 20000));
        return;
    case 11:
        globe_fail_commits(g, between(r, 1, 3));
        return;
    case 12:
        leave_or_join(s);
        return;
    case 13:
        reset(s);
        return;
    case 14:
        globe_push_garbage(g);
        return;
    default:
        if (chance(r, 0.5))
            globe_push_updates_too_long(g, NULL);
        else if (g->o.dc.channels > 0)
            globe_push_too_long(g, DC_CHANNEL_ID_FIRST + (int64_t)below(r, g->o.dc.channels), NULL);
        return;
    }
}

/* Soon again, often while the one before is still starting. */
static void death(struct story *s)
{
    uint32_t ms =
        chance(&s->own_r, 0.7) ? between(&s->own_r, 0, 200) : between(&s->own_r, 0, 20000);

    switch (below(&s->own_r, 4)) {
    case 0:
        globe_crash_in_handler(s->g, between(&s->own_r, 1, 4), ms);
        return;
    case 1:
        globe_restart(s->g, ms);
        return;
    default:
        globe_crash(s->g, ms);
        return;
    }
}

static void pause(struct story *s)
{
    if (chance(&s->r, s->burst)) return;
    globe_run(s->g, globe_now_ms(s->g) + below(&s->r, (uint64_t)s->pause_ms + 1));
}

static void tell(struct story *s)
{
    struct globe *g = s->g;

    for (uint32_t i = 0; i < s->events; i++) {
        one_event(s);
        if (chance(&s->r, s->own)) own_call(s);
        if (chance(&s->r, s->mishap)) mishap(s);
        if (s->death > 0 && chance(&s->own_r, s->death)) death(s);
        pause(s);
        if (globe_verdict(g) != NULL) return;
    }
}

/* ---- a seed ---- */

static double cpu_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int globe_run_seed(uint64_t seed, bool decisions, void (*line)(void *data, const char *text),
                   void *data, struct globe_outcome *out)
{
    double from = cpu_ms();
    struct globe_options o;
    struct story s;
    struct globe *g;

    memset(out, 0, sizeof *out);
    memset(&s, 0, sizeof s);
    s.r.state = gap_hash64(seed ^ 0x676c6f6265000000U);
    draw_options(seed, &s.r, &o);
    o.line = line;
    o.line_data = data;
    o.decisions = decisions;
    int r = globe_open(&o, &g);
    if (r < 0) return r;
    s.g = g;
    draw_story(&s, &o);
    s.own_r.state = gap_hash64(seed ^ 0x646561746800U);
    if (o.runner) s.death = rate(&s.own_r, 0.4, 0.2);
    for (uint32_t i = (uint32_t)below(&s.r, WARM_EVENTS); i > 0; i--) one_event(&s);
    globe_start(g);
    if (chance(&s.r, 0.7)) globe_run(g, between(&s.r, 100, 2000));
    tell(&s);
    if (globe_verdict(g) == NULL) globe_settle(g);
    globe_counts(g, &out->count);
    out->held = globe_close(g, out->verdict);
    out->cpu_ms = cpu_ms() - from;
    return 0;
}
