/*
 * The gap engine killed at random: a naive server with a common box, a qts box and a few channels,
 * which names changed channels by date only; pushes that are lost, late, doubled; differences in
 * slices, late, refused; handlers that go on later, end out of order, fail or never end; a store
 * that takes what is handed over now and then, or not all of it; and a process that dies at any
 * step and begins with what was stored. A seed reproduces a world.
 *
 * Checked at every collect: nothing is stored whose handler is not through; nothing falls; a date
 * that makes the server keep silent about a channel comes with all of that channel, or with its
 * mark. At every delivery: in order, once in a lifetime, and flagged if an earlier lifetime had
 * it. At the end: every event was delivered and finished, and everything is stored.
 */
#include "kept.h"

#include <gapless/message.h>
#include <string.h>

#define SEEDS    2000
#define EVENTS   70
#define CHANNELS 3
#define BOXES    (CHANNELS + 2) /* common, qts, channels */

enum kind { NEW, EDIT, DELETE, QTS };

struct event {
    enum kind kind;
    int box;
    int32_t pts;
    int32_t count;
    int32_t id;
    int32_t date;
    int32_t came_date; /* the server's when it was delivered last */
    int lifetime;      /* in which it was delivered last; 0: never */
    bool open;         /* its handler goes on, in this lifetime */
    bool finished;
};

static struct world w;
static struct kept k;
static struct {
    struct event events[EVENTS];
    int made;
    int32_t pts[BOXES];
    int32_t top_id[BOXES];
    int32_t seen_id[BOXES];
    uint32_t slice;
    int lifetime;
    int crashes;
    double error, lost, late, twice, later, hint;
    bool quiet;
    struct kept before; /* as it was stored at the last collect */
} s;

static uint64_t below(uint64_t n)
{
    return gap_prng_below(&w.random, n);
}
static bool chance(double p)
{
    return gap_prng_unit(&w.random) < p;
}
static int64_t channel_of(int box)
{
    return 100 + box;
}
/* A second passes in 200 ms, so that dates matter. */
static int32_t now_date(void)
{
    return PACK_DATE + (int32_t)(w.now_us / 200000);
}

/* ---- the server ---- */

static void put(const struct event *e, bool difference)
{
    int n = (int)(e - s.events);
    int32_t count = difference ? 0 : e->count;
    int64_t channel = channel_of(e->box);
    char text[16];

    (void)snprintf(text, sizeof text, "%d", n);
    w.p.text = text;
    if (e->kind == NEW && difference && e->box == 0) {
        pack_new(&w.p, e->id);
    } else if (e->kind == NEW && difference) {
        pack_channel_new(&w.p, channel, e->id);
    } else if (e->kind == NEW && e->box == 0) {
        pack_message(&w.p, e->pts, count, e->id, PACK_USER);
    } else if (e->kind == NEW) {
        pack_channel_message(&w.p, channel, e->pts, count, e->id);
    } else if (e->kind == EDIT && e->box == 0) {
        pack_edit(&w.p, e->pts, count, e->id);
    } else if (e->kind == EDIT) {
        pack_channel_edit(&w.p, channel, e->pts, count, e->id);
    } else if (e->kind == DELETE) {
        pack_delete(&w.p, e->pts, count, 100000 + n * 100);
    } else {
        pack_qts(&w.p, e->pts, n);
    }
    w.p.text = NULL;
}

/* Events of a box behind `at`, as long as there is room. @return true if more are left. */
static bool put_behind(int box, int32_t *at, uint32_t *room)
{
    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        if (e->box != box || e->pts <= *at) continue;
        if (*room == 0) return true;
        (*room)--;
        put(e, true);
        *at = e->pts;
    }
    return false;
}

static int32_t changed_date(int box)
{
    int32_t date = 0;
    for (int n = 0; n < s.made; n++) {
        if (s.events[n].box == box) date = s.events[n].date;
    }
    return date;
}

static gap_packet_t *common_difference(const struct world_call *c)
{
    int32_t pts = c->pts;
    int32_t qts = c->qts;
    uint32_t room = s.slice;

    bool more = put_behind(0, &pts, &room);
    more = put_behind(1, &qts, &room) || more;
    w.p.later = (more ? c->date : now_date()) - PACK_DATE;
    for (int box = 2; box < BOXES && !more; box++) {
        if (changed_date(box) < c->date) continue; /* silent */
        pack_channel(&w.p, channel_of(box));
        pack_too_long(&w.p, channel_of(box), chance(s.hint) ? s.pts[box] : 0);
    }
    gap_packet_t *p = more ? pack_slice(&w.p, pts, qts, 0) : pack_difference(&w.p, pts, qts, 0);
    w.p.later = 0;
    return p;
}

static gap_packet_t *channel_difference(const struct world_call *c)
{
    int32_t pts = c->pts;
    uint32_t room = s.slice;

    bool more = put_behind((int)(c->channel - 100), &pts, &room);
    return pts == c->pts ? pack_channel_empty(pts) : pack_channel_difference(&w.p, pts, !more);
}

static void serve(struct world *world, struct world_call *c, bool due)
{
    (void)world;
    if (!due) {
        c->due_us = w.now_us + below(300000);
        if (!s.quiet && chance(s.error)) {
            static const char *const texts[] = {"PERSISTENT_TIMESTAMP_OUTDATED", "FLOOD_WAIT_2"};
            size_t which = (size_t)below(2);
            c->answer.code = which == 1 ? 420 : 500;
            c->answer.text = texts[which];
        }
        return;
    }
    if (c->answer.code != 0) return;
    if (c->channel == -1)
        c->answer.packet = pack_state(s.pts[0], s.pts[1], 0);
    else
        c->answer.packet = c->channel == 0 ? common_difference(c) : channel_difference(c);
}

static struct event *happen(void)
{
    struct event *e = &s.events[s.made++];
    int box = (int)below(BOXES);

    memset(e, 0, sizeof *e);
    e->box = box;
    e->date = now_date();
    e->count = 1;
    if (box == 1)
        e->kind = QTS;
    else if (s.top_id[box] == 0 || chance(0.6))
        e->kind = NEW;
    else
        e->kind = box == 0 && chance(0.4) ? DELETE : EDIT;
    if (e->kind == DELETE) e->count = 1 + (int32_t)below(3);
    if (e->kind == NEW) ++s.top_id[box];
    e->id = s.top_id[box];
    s.pts[box] += e->count;
    e->pts = s.pts[box];
    return e;
}

/* The first of a channel is its base: it comes, and at once. */
static void push(const struct event *e)
{
    bool first = e->box >= 2 && e->pts == 2;

    if (!first && chance(s.lost)) return;
    for (int i = 0; i < (chance(s.twice) ? 2 : 1); i++) {
        uint64_t delay_ms = first ? 0 : chance(s.late) ? below(900) : below(3);
        put(e, false);
        world_send(&w, w.now_us / 1000 + delay_ms, pack_updates(&w.p, 0));
    }
}

/* ---- the handler ---- */

static int event_of(const gap_update_t *u)
{
    gap_message_t m;
    gap_tl_update_delete_messages_t del;
    gap_tl_update_bot_stopped_t qts;
    int32_t id;
    int n = 0;

    if (gap_update_id(u) == GAP_TL_UPDATE_DELETE_MESSAGES) {
        ck_assert_int_eq(GAP_UPDATE_READ(u, GAP_TL_UPDATE_DELETE_MESSAGES, &del), 0);
        gap_tl_iter_t it = gap_tl_iter(del.messages);
        ck_assert_int_eq(gap_tl_next_int(&it, &id), 1);
        return (id - 100000) / 100;
    }
    if (gap_update_id(u) == GAP_TL_UPDATE_BOT_STOPPED) {
        ck_assert_int_eq(GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_STOPPED, &qts), 0);
        return (int)qts.user_id;
    }
    ck_assert_int_eq(gap_message_read(u, &m), 0);
    for (size_t i = 0; i < m.text.len; i++) n = n * 10 + (m.text.data[i] - '0');
    return n;
}

static void on_handled(struct world *world, gap_update_t *u)
{
    int n = event_of(u);
    struct event *e = &s.events[n];

    (void)world;
    ck_assert_int_lt(n, s.made);
    ck_assert_msg(e->lifetime != s.lifetime, "event %d came twice", n);
    ck_assert_msg(e->lifetime == 0 || gap_update_maybe_repeated(u), "event %d again, not flagged",
                  n);
    e->lifetime = s.lifetime;
    e->came_date = now_date();
    if (e->kind == NEW) {
        ck_assert_msg(e->id > s.seen_id[e->box], "message %d of box %d after %d", e->id, e->box,
                      s.seen_id[e->box]);
        s.seen_id[e->box] = e->id;
    }
    w.verdict = chance(s.later) && w.later_count < 40 ? GAP_LATER : 0;
    if (w.verdict == 0 && chance(0.05)) w.verdict = -77;
    e->open = w.verdict == GAP_LATER;
    if (!e->open) e->finished = true;
}

static void finish_some(double share)
{
    size_t count = w.later_count;

    while (count-- > 0) {
        if (!chance(share)) continue;
        size_t i = (size_t)below(w.later_count);
        gap_update_t *u = w.later[i];
        struct event *e = &s.events[event_of(u)];
        w.later[i] = w.later[--w.later_count];
        e->open = false;
        e->finished = true;
        if (chance(0.1))
            gap_update_failed(u, -78);
        else
            gap_update_done(u);
    }
}

/* ---- the store ---- */

static void check_box(int box, int32_t stored)
{
    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        if (e->box != box || e->pts > stored) continue;
        ck_assert_msg(e->finished, "event %d (box %d, pts %d) is stored at %d, not finished", n,
                      box, e->pts, stored);
        ck_assert_msg(!e->open, "event %d (box %d, pts %d) is stored at %d, in its handler", n, box,
                      e->pts, stored);
    }
}

/* Would the server be silent about something that is not marked? */
static void check_silence(int box)
{
    const gap_engine_channel_t *c = kept_find(&k, channel_of(box));
    int32_t date = k.state.date - 1; /* what is asked with */

    if (changed_date(box) >= date || (c != NULL && c->unfinished)) return;
    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        if (e->box != box) continue;
        ck_assert_msg(c != NULL && c->pts >= e->pts,
                      "event %d of channel %d would never be told: stored %d, date %d past", n, box,
                      c == NULL ? -1 : c->pts, date - e->date);
    }
}

static void check_stored(void)
{
    ck_assert_int_ge(k.state.pts, s.before.state.pts);
    ck_assert_int_ge(k.state.qts, s.before.state.qts);
    ck_assert_int_ge(k.state.date, s.before.state.date);
    check_box(0, k.state.pts);
    check_box(1, k.state.qts);
    for (int box = 2; box < BOXES; box++) {
        const gap_engine_channel_t *c = kept_find(&k, channel_of(box));
        const gap_engine_channel_t *b = kept_find(&s.before, channel_of(box));
        if (c != NULL) check_box(box, c->pts);
        if (b != NULL) ck_assert_int_ge(c->pts, b->pts);
        check_silence(box);
    }
    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        if (e->box < 2 && e->open)
            ck_assert_msg(k.state.date <= e->came_date, "the date passed event %d", n);
    }
    s.before = k;
}

static void collect(bool whole)
{
    k.refuse = whole || chance(0.8) ? 0 : 1 + (uint32_t)below(3);
    int r = kept_collect(&k);
    if (r < 0) k.changed = 1; /* to be called again */
    k.refuse = 0;
    check_stored();
}

/* ---- life ---- */

static void begin_life(void)
{
    s.lifetime++;
    memset(s.seen_id, 0, sizeof s.seen_id);
    for (int n = 0; n < s.made; n++) s.events[n].open = false;
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
}

static void setup(uint64_t seed)
{
    memset(&s, 0, sizeof s);
    for (int i = 0; i < BOXES; i++) s.pts[i] = 1;
    world_begin(&w, seed * 2 + 1);
    kept_init(&k, &w);
    k.state = (gap_engine_state_t){1, 1, 0, PACK_DATE, NULL, 0};
    k.silent = true;
    s.before = k;
    w.handled = on_handled;
    w.serve = serve;
    s.slice = 1 + (uint32_t)below(10);
    s.error = chance(0.4) ? 0.3 : 0;
    s.late = chance(0.7) ? 0.2 : 0;
    s.lost = chance(0.7) ? 0.2 : 0;
    s.twice = chance(0.5) ? 0.1 : 0;
    s.later = chance(0.7) ? 0.4 : 0;
    s.hint = chance(0.5) ? 1 : 0.5;
    begin_life();
}

static void live(uint64_t ms)
{
    uint64_t until_us = w.now_us + ms * 1000;

    while (!w.closing && world_step(&w, until_us)) {
        if (!w.closing && k.changed > 0 && chance(0.3)) collect(false);
    }
    if (!w.closing && until_us > w.now_us) w.now_us = until_us;
    if (!w.closing) return;
    kept_crash(&k);
    s.crashes++;
    begin_life();
}

static void traffic(void)
{
    while (s.made < EVENTS) {
        const struct event *e = happen();
        push(e);
        if (chance(0.05)) w.close_at = w.batches + 1 + below(20);
        live(below(100));
        if (chance(0.5)) finish_some(0.3);
        if (chance(0.01)) live(3000);
        if (chance(0.02)) gap_engine_missed(w.engine);
    }
    w.close_at = 0;
}

static void check_end(void)
{
    gap_engine_counters_t count;

    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        ck_assert_msg(e->lifetime > 0 && e->finished,
                      "event %d (kind %d, box %d, pts %d) is lost after %d crashes", n,
                      (int)e->kind, e->box, e->pts, s.crashes);
    }
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.held, 0);
    ck_assert_uint_eq(count.active, 0);
    ck_assert_uint_eq(count.later, 0);
    ck_assert_int_eq(k.state.pts, s.pts[0]);
    ck_assert_int_eq(k.state.qts, s.pts[1]);
    for (int box = 2; box < BOXES; box++) {
        const gap_engine_channel_t *c = kept_find(&k, channel_of(box));
        if (s.pts[box] == 1) continue;
        ck_assert_ptr_nonnull(c);
        ck_assert_int_eq(c->pts, s.pts[box]);
        ck_assert(!c->unfinished);
    }
}

START_TEST(random_crashes)
{
    setup((uint64_t)_i);
    traffic();
    s.quiet = true;
    live(100000);
    /* The tail: what is told by nothing later is told by the watchdog, or by a new session. */
    gap_engine_missed(w.engine);
    live(200000);
    s.later = 0;
    while (w.later_count > 0) finish_some(1);
    live(1000);
    collect(true);
    check_end();
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("engine_crash");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_crashes, 0, gap_test_seeds(SEEDS));
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
