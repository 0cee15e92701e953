/*
 * The gap engine in random worlds: a naive server with a common box, a qts box and a few channels,
 * whose pushes are lost, late, doubled and swapped, whose differences come in slices, late, with
 * errors, and which answers either with what was true when it was asked or when it answers; a host
 * that stalls; handlers that go on later. A seed reproduces a world.
 *
 * Checked: every event is delivered exactly once (status apart), messages of a chat ascending, an
 * edit or a delete after its message, one question of each kind in flight, everything given back.
 */
#include "world.h"

#include <gapless/message.h>
#include <gapless/tl_api.h>

#define SEEDS    300
#define EVENTS   160
#define CHANNELS 3
#define BOXES    (CHANNELS + 2) /* common, qts, channels */

enum kind { NEW, EDIT, DELETE, QTS, QUERY };

struct event {
    enum kind kind;
    int box; /* 0 common, 1 qts, 2.. channels; -1 none */
    int32_t pts;
    int32_t count;
    int32_t id; /* message */
    int32_t seq;
    int delivered;
};

struct server {
    struct event events[EVENTS + BOXES + 2];
    int made;
    int32_t pts[BOXES];
    int32_t top_id[BOXES];
    int32_t seq;
    uint32_t slice;
    double error;
    double late;
    double lost;
    double twice;
    int32_t seen_id[BOXES]; /* highest message delivered */
    bool quiet;             /* no more errors */
};

static struct world w;
static struct server s;

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

/* ---- what the server says ---- */

static void put(const struct event *e, int n, bool difference)
{
    char text[16];
    /* In a difference updates of the own box have count 0 and the answer's pts. */
    int32_t pts = e->pts;
    int32_t count = difference ? 0 : e->count;

    (void)snprintf(text, sizeof text, "%d", n);
    w.p.text = text;
    switch (e->kind) {
    case NEW:
        if (e->box == 0 && difference)
            pack_new(&w.p, e->id);
        else if (e->box == 0)
            pack_message(&w.p, pts, count, e->id, PACK_USER);
        else if (difference)
            pack_channel_new(&w.p, channel_of(e->box), e->id);
        else
            pack_channel_message(&w.p, channel_of(e->box), pts, count, e->id);
        break;
    case EDIT:
        if (e->box == 0)
            pack_edit(&w.p, pts, count, e->id);
        else
            pack_channel_edit(&w.p, channel_of(e->box), pts, count, e->id);
        break;
    case DELETE:
        pack_delete(&w.p, pts, count, 100000 + n * 100);
        break;
    case QTS:
        pack_qts(&w.p, pts, n);
        break;
    case QUERY:
        pack_query(&w.p, n);
        break;
    }
    w.p.text = NULL;
}

static gap_packet_t *common_difference(const struct world_call *c)
{
    int32_t pts = c->pts;
    int32_t qts = c->qts;
    uint32_t room = s.slice;
    bool more = false;

    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        if (e->box < 0 || e->box > 1) continue;
        int32_t *at = e->box == 0 ? &pts : &qts;
        if (e->pts <= *at) continue;
        if (room == 0) {
            more = true;
            break;
        }
        room--;
        put(e, n, true);
        *at = e->pts;
    }
    bool changed = false;
    for (int box = 2; box < BOXES; box++) changed = changed || s.pts[box] > 1;
    if (pts == c->pts && qts == c->qts && !changed) return pack_empty(s.seq);
    for (int box = 2; box < BOXES; box++)
        if (s.pts[box] > 1) pack_too_long(&w.p, channel_of(box), s.pts[box]);
    return more ? pack_slice(&w.p, pts, qts, s.seq) : pack_difference(&w.p, pts, qts, s.seq);
}

static gap_packet_t *channel_difference(const struct world_call *c)
{
    int box = (int)(c->channel - 100);
    int32_t pts = c->pts;
    uint32_t room = s.slice;
    bool more = false;

    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        if (e->box != box || e->pts <= pts) continue;
        if (room == 0) {
            more = true;
            break;
        }
        room--;
        put(e, n, true);
        pts = e->pts;
    }
    if (pts == c->pts) return pack_channel_empty(pts);
    return pack_channel_difference(&w.p, pts, !more);
}

static void serve(struct world *world, struct world_call *c, bool due)
{
    (void)world;
    if (!due) {
        c->due_us = w.now_us + below(400000);
        if (!s.quiet && chance(s.error)) {
            static const char *const texts[] = {"PERSISTENT_TIMESTAMP_OUTDATED", "FLOOD_WAIT_2",
                                                "HISTORY_GET_FAILED"};
            uint64_t which = below(4);
            if (which == 3) {
                c->answer.status = GAP_E_TIMEOUT;
            } else {
                c->answer.code = which == 1 ? 420 : 500;
                c->answer.text = texts[which];
            }
            return;
        }
        if (chance(0.5)) return; /* what is true when it answers */
    }
    if (c->answer.packet != NULL || c->answer.code != 0 || c->answer.status != 0) return;
    if (c->channel == -1)
        c->answer.packet = pack_state(s.pts[0], s.pts[1], s.seq);
    else if (c->channel == 0)
        c->answer.packet = common_difference(c);
    else
        c->answer.packet = channel_difference(c);
}

/* ---- what the handler sees ---- */

static int number_of(gap_bytes_t text)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++) n = n * 10 + (text.data[i] - '0');
    return n;
}

static int event_of(const gap_update_t *u)
{
    gap_message_t m;
    gap_tl_update_delete_messages_t del;
    gap_tl_update_bot_stopped_t qts;
    gap_tl_update_bot_callback_query_t query;
    int32_t id;

    switch (gap_update_id(u)) {
    case GAP_TL_UPDATE_DELETE_MESSAGES: {
        ck_assert_int_eq(GAP_UPDATE_READ(u, GAP_TL_UPDATE_DELETE_MESSAGES, &del), 0);
        gap_tl_iter_t it = gap_tl_iter(del.messages);
        ck_assert_int_eq(gap_tl_next_int(&it, &id), 1);
        return (id - 100000) / 100;
    }
    case GAP_TL_UPDATE_BOT_STOPPED:
        ck_assert_int_eq(GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_STOPPED, &qts), 0);
        return (int)qts.user_id;
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        ck_assert_int_eq(GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &query), 0);
        return (int)query.query_id;
    default:
        ck_assert_int_eq(gap_message_read(u, &m), 0);
        return number_of(m.text);
    }
}

static void handled(struct world *world, gap_update_t *u)
{
    int n = event_of(u);
    struct event *e = &s.events[n];

    (void)world;
    ck_assert_int_lt(n, s.made);
    ck_assert_msg(e->delivered++ == 0, "event %d came twice", n);
    if (e->kind == NEW) {
        ck_assert_msg(e->id > s.seen_id[e->box], "message %d of box %d after %d", e->id, e->box,
                      s.seen_id[e->box]);
        s.seen_id[e->box] = e->id;
    } else if (e->kind == EDIT) {
        ck_assert_msg(e->id <= s.seen_id[e->box], "edit %d before its message %d", n, e->id);
    }
    w.verdict = chance(0.1) && w.later_count < 60 ? GAP_LATER : 0;
    if (!s.quiet && chance(0.002)) gap_engine_missed(w.engine);
}

/* ---- what happens ---- */

static int happen(void)
{
    struct event *e = &s.events[s.made];
    int box = (int)below(BOXES + 1) - 1;

    memset(e, 0, sizeof *e);
    e->box = box;
    e->count = 1;
    if (box < 0) {
        e->kind = QUERY;
        e->seq = ++s.seq;
        return s.made++;
    }
    if (box == 1)
        e->kind = QTS;
    else if (s.top_id[box] == 0 || chance(0.6))
        e->kind = NEW;
    else
        e->kind = box == 0 && chance(0.4) ? DELETE : EDIT;
    if (e->kind == DELETE) e->count = 1 + (int32_t)below(3);
    if (e->kind == NEW) e->id = ++s.top_id[box];
    if (e->kind == EDIT) e->id = s.top_id[box];
    s.pts[box] += e->count;
    e->pts = s.pts[box];
    return s.made++;
}

static void send_later(uint64_t delay_us, gap_packet_t *p)
{
    world_send(&w, (w.now_us + delay_us) / 1000, p);
}

static gap_packet_t *push_of(int n)
{
    struct event *e = &s.events[n];
    put(e, n, false);
    return pack_updates(&w.p, e->seq);
}

static void push(int n, bool clean)
{
    const struct event *e = &s.events[n];
    bool lost = e->box >= 0 && chance(s.lost);

    if (clean) {
        send_later(0, push_of(n));
        return;
    }
    if (lost) return;
    send_later(chance(s.late) ? below(900000) : below(2000), push_of(n));
    if (chance(s.twice)) send_later(below(900000), push_of(n));
}

static void finish_some(void)
{
    while (w.later_count > 0 && chance(0.7)) {
        size_t i = (size_t)below(w.later_count);
        gap_update_t *u = w.later[i];
        w.later[i] = w.later[--w.later_count];
        if (chance(0.05))
            gap_update_failed(u, -77);
        else
            gap_update_done(u);
    }
}

static void setup(uint64_t seed)
{
    gap_engine_config_t c;

    memset(&s, 0, sizeof s);
    memset(&c, 0, sizeof c);
    for (int i = 0; i < BOXES; i++) s.pts[i] = 1;
    if (seed % 2 == 1) c.gap_wait_us = WORLD_LEARNED;
    c.gap_continue = seed % 4 >= 2;
    world_init(&w, seed * 2 + 1, &c);
    w.serve = serve;
    w.handled = handled;
    s.slice = 1 + (uint32_t)below(12);
    s.error = chance(0.5) ? 0.3 : 0;
    s.late = chance(0.7) ? 0.2 : 0;
    s.lost = chance(0.7) ? 0.15 : 0;
    s.twice = chance(0.7) ? 0.1 : 0;
}

/* The account starts; every channel makes itself known by a clean first update. */
static void first_events(void)
{
    gap_engine_start(w.engine);
    world_run(&w, w.now_us / 1000 + 130000);
    for (int box = 2; box < BOXES; box++) {
        struct event *e = &s.events[s.made];
        memset(e, 0, sizeof *e);
        e->box = box;
        e->kind = NEW;
        e->count = 1;
        e->id = ++s.top_id[box];
        e->pts = ++s.pts[box];
        push(s.made++, true);
        world_run(&w, w.now_us / 1000 + 1);
    }
}

static void traffic(void)
{
    int pending = -1; /* goes into one container with the next */

    while (s.made < EVENTS) {
        int n = happen();
        if (pending < 0 && s.events[n].box >= 0 && chance(0.1)) {
            pending = n;
            continue;
        }
        if (pending >= 0) {
            /* swapped, in one container */
            put(&s.events[n], n, false);
            put(&s.events[pending], pending, false);
            send_later(0, pack_updates(&w.p, s.events[n].seq));
            pending = -1;
        } else {
            push(n, false);
        }
        world_run(&w, w.now_us / 1000 + below(60));
        if (chance(0.01)) world_stall(&w, below(2000));
        finish_some();
    }
    if (pending >= 0) push(pending, true);
}

START_TEST(random_world)
{
    gap_engine_counters_t count;

    setup((uint64_t)_i);
    first_events();
    traffic();
    s.quiet = true;
    world_run(&w, w.now_us / 1000 + 300000);
    /* The tail: what is told by nothing later is told by the watchdog, or by a new session. */
    gap_engine_missed(w.engine);
    world_run(&w, w.now_us / 1000 + 600000);
    for (int n = 0; n < s.made; n++) {
        const struct event *e = &s.events[n];
        ck_assert_msg(e->delivered == 1, "event %d (kind %d, box %d, pts %d) came %d times", n,
                      (int)e->kind, e->box, e->pts, e->delivered);
    }
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.held, 0);
    ck_assert_uint_eq(count.active, 0);
    ck_assert_uint_eq(count.malformed, 0);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    const char *scale = getenv("GAP_SEED_SCALE");
    double factor = scale == NULL ? 1 : strtod(scale, NULL);
    int seeds = (int)(SEEDS * factor);
    Suite *suite = suite_create("engine_random");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_world, 0, seeds < 1 ? 1 : seeds);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
