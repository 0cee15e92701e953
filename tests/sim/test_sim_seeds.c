/*
 * Worlds drawn from seeds, and whether their judge can be trusted: the same seed is the same world
 * wherever it runs, seeds that once failed hold, and what is doctored is condemned.
 */
#include "../check_main.h"
#include "globe_draw.h"
#include "globe_keep.h"

#include <string.h>

#define SEEDS       5000
#define SEEDS_A_RUN 100 /* of one case */

/* ---- worlds ---- */

START_TEST(worlds_hold)
{
    struct globe_outcome out;
    int last = gap_test_seeds(SEEDS);
    uint64_t from = (uint64_t)_i * SEEDS_A_RUN + 1;

    for (uint64_t seed = from; seed < from + SEEDS_A_RUN && seed <= (uint64_t)last; seed++) {
        ck_assert_int_eq(globe_run_seed(seed, false, NULL, NULL, &out), 0);
        ck_assert_msg(out.held, "%s", out.verdict);
        ck_assert_uint_gt(out.count.events, 0);
    }
}
END_TEST

/* Each of these worlds has shown a mistake once. */
static const struct {
    uint64_t seed;
    const char *mistake;
} mistaken[] = {
    {31207, "a channel began anew although a question went on"},
    {51604, "what fits to a channel's name came before what was overtaken"},
    {115911, "a name cut off the beginning of a channel"},
    {122539, "a hole behind a channel's name made lower pushes late"},
    {132145, "a channel's place fell below where it was named"},
    {133629, "what was held of an ended count was taken for the new one's"},
    {1198210, "a channel that was named, lost and found began twice"},
    {5017258, "what came with the loss of a channel was forgotten with it"},
    {7028683, "what came with the loss of a channel was forgotten with it"},
    {7003836, "the judge did not wait until the last hole of an old count was given up"},
    {1131176, "a channel whose first pushes found no room began behind them"},
    {1135261, "a push named a channel higher than the difference of the start, and cut that off"},
    {1242349, "the result of an own call began a channel that was named"},
    {1284151, "a process that begins with where a channel was named is told no more of it"},
    {50028513, "what a large answer had brought was told again in slices, and handled again"},
    {50050916, "what a large answer had brought was told again in slices, and handled again"},
    {70002711, "the judge took the lower of two names, the engine had stored the other one first"},
    {70008269, "the judge knew of one copy of a delete: the journal's, or the one told again"},
    {63354, "the judge knew of one copy of a pin: another one waited when it was given up"},
    {144117, "the judge knew of one copy of a pin: another one waited when it was given up"},
    {28745, "what a large answer had brought was told again in slices, and handled again"},
    {12177, "a shutdown wrote what stood behind a transaction, which failed and came again later"},
    {43366, "a row of a channel that the engine did not know was handled, and was told again"},
    {90062591, "a question went out from a channel's name past what waited for its turn"},
    {91123027, "a channel whose place the server had told anew began once more, lower"},
};

START_TEST(worlds_that_failed)
{
    struct globe_outcome out;

    ck_assert_int_eq(globe_run_seed(mistaken[_i].seed, false, NULL, NULL, &out), 0);
    ck_assert_msg(out.held, "%s: %s", mistaken[_i].mistake, out.verdict);
}
END_TEST

/* ---- the same seed is the same world ---- */

struct text {
    uint64_t hash;
    uint64_t lines;
};

static void take_line(void *data, const char *line)
{
    struct text *t = data;

    t->lines++;
    for (; *line != 0; line++) t->hash = gap_hash64(t->hash ^ (uint8_t)*line);
}

static struct text trace_of(uint64_t seed, bool decisions)
{
    struct globe_outcome out;
    struct text t = {0, 0};

    ck_assert_int_eq(globe_run_seed(seed, decisions, take_line, &t, &out), 0);
    return t;
}

START_TEST(seed_is_reproduced)
{
    struct globe_outcome out;
    struct globe_outcome alone;

    for (uint64_t seed = 7000; seed < 7020; seed++) {
        struct text first = trace_of(seed, true);
        /* Others in between, and without a trace. */
        ck_assert_int_eq(globe_run_seed(seed + 1, false, NULL, NULL, &out), 0);
        ck_assert_int_eq(globe_run_seed(seed, false, NULL, NULL, &alone), 0);
        struct text again = trace_of(seed, true);
        ck_assert_uint_gt(first.lines, 20);
        ck_assert_uint_eq(first.hash, again.hash);
        ck_assert_uint_eq(first.lines, again.lines);
        /* A trace changes nothing. */
        ck_assert_int_eq(globe_run_seed(seed, true, take_line, &first, &out), 0);
        ck_assert_int_eq(memcmp(&out.count, &alone.count, sizeof out.count), 0);
        ck_assert_uint_ne(trace_of(seed + 1, true).hash, again.hash);
    }
}
END_TEST

/* ---- doctored worlds ---- */

static struct globe *g;
static char verdict[GLOBE_VERDICT_MAX];

enum doctor { DROP = 1, TWICE, SWAP };
static enum doctor doctor;
static uint32_t victim; /* deliveries until it strikes */
static gap_update_t *kept_back;

static int doctored(gap_update_t *update, void *data)
{
    if (kept_back != NULL) {
        gap_update_t *first = kept_back;
        kept_back = NULL;
        int r = globe_update(update, data);
        ck_assert_int_eq(globe_update(first, data), 0);
        gap_update_done(first);
        return r;
    }
    if (victim == 0 || --victim > 0) return globe_update(update, data);
    switch (doctor) {
    case DROP:
        return 0;
    case TWICE:
        ck_assert_int_eq(globe_update(update, data), 0);
        return globe_update(update, data);
    case SWAP:
        kept_back = update;
        return GAP_LATER;
    }
    return 0;
}

static void print_line(void *data, const char *line)
{
    (void)data;
    (void)puts(line);
}

/* A quiet world that has started, with one channel. */
static void begin(enum doctor how, uint32_t after)
{
    struct globe_options o;

    globe_options(&o);
    o.dc.channels = 1;
    o.line = getenv("GAP_TRACE") != NULL ? print_line : NULL;
    ck_assert_int_eq(globe_open(&o, &g), 0);
    doctor = how;
    victim = after;
    kept_back = NULL;
    g->handler = doctored;
    globe_start(g);
    globe_run(g, 1000);
}

static uint32_t message(void)
{
    dc_spec_t s;
    uint32_t n;

    memset(&s, 0, sizeof s);
    s.kind = DC_NEW_MESSAGE;
    s.account = GLOBE_ACCOUNT;
    s.chat = (dc_peer_t){DC_USER, DC_USER_ID_FIRST};
    ck_assert_int_eq(globe_event(g, &s, NULL, &n), 0);
    return n;
}

static uint32_t about(dc_kind_t kind, int32_t id)
{
    dc_spec_t s;
    uint32_t n;

    memset(&s, 0, sizeof s);
    s.kind = kind;
    s.account = GLOBE_ACCOUNT;
    s.chat = (dc_peer_t){DC_USER, DC_USER_ID_FIRST};
    s.id = id;
    s.ids = &id;
    s.ids_count = kind == DC_DELETE_MESSAGES ? 1 : 0;
    ck_assert_int_eq(globe_event(g, &s, NULL, &n), 0);
    return n;
}

static void pause_ms(uint32_t ms)
{
    globe_run(g, globe_now_ms(g) + ms);
}

static void expect_condemned(const char *what)
{
    char word[32];

    (void)snprintf(word, sizeof word, ": %s: ", what);
    bool held = globe_close(g, verdict);
    ck_assert_msg(!held, "%s goes unnoticed", what);
    ck_assert_msg(strstr(verdict, word) != NULL, "not %s, but %s", what, verdict);
}

START_TEST(nothing_is_doctored)
{
    begin(DROP, 0);
    message();
    about(DC_EDIT_MESSAGE, 1);
    about(DC_DELETE_MESSAGES, 1);
    globe_settle(g);
    bool held = globe_close(g, verdict);
    ck_assert_msg(held, "%s", verdict);
}
END_TEST

/* The server counts anew, and nobody hears of it: its answers show it, and the holes of the old
 * count are not asked for again and again. */
START_TEST(holes_of_an_old_count)
{
    struct globe_push lost = {GLOBE_LOST, 0, NULL};
    struct globe_options o;
    struct globe_counts count;
    dc_spec_t spec;

    globe_options(&o);
    o.dc.channels = 1;
    o.engine.limits.idle_us = 30000000;
    ck_assert_int_eq(globe_open(&o, &g), 0);
    globe_start(g);
    globe_run(g, 1000);
    memset(&spec, 0, sizeof spec);
    spec.kind = DC_NEW_MESSAGE;
    spec.account = GLOBE_ACCOUNT;
    spec.chat = (dc_peer_t){DC_USER, DC_USER_ID_FIRST};
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(globe_event(g, &spec, &lost, NULL), 0);
        message();
    }
    pause_ms(15);
    globe_cut(g, 1000, true);
    ck_assert_int_eq(globe_reset(g, 0, 1), 0);
    globe_settle(g);
    globe_counts(g, &count);
    bool held = globe_close(g, verdict);
    ck_assert_msg(held, "%s", verdict);
    ck_assert_uint_eq(count.deliveries, 8);
    ck_assert_uint_lt(count.questions, 8 * 12);
}
END_TEST

START_TEST(dropped)
{
    begin(DROP, 2);
    for (int i = 0; i < 3; i++) message();
    globe_settle(g);
    /* The engine stores what the judge has not seen handled. */
    expect_condemned("stored");
}
END_TEST

START_TEST(dropped_unstored)
{
    begin(DROP, 2);
    g->o.stored = false;
    for (int i = 0; i < 3; i++) message();
    globe_settle(g);
    expect_condemned("lost");
}
END_TEST

START_TEST(delivered_twice)
{
    begin(TWICE, 2);
    for (int i = 0; i < 3; i++) message();
    globe_settle(g);
    expect_condemned("twice");
}
END_TEST

START_TEST(pushes_swapped)
{
    begin(SWAP, 1);
    message();
    about(DC_PIN, 1);
    pause_ms(100);
    about(DC_EDIT_MESSAGE, 1);
    globe_settle(g);
    expect_condemned("order");
}
END_TEST

/* The judge of ids, edits and deletes is asked without the judge of pts before it. */
static void by_difference(dc_kind_t kind)
{
    struct globe_push lost = {GLOBE_LOST, 0, NULL};
    dc_spec_t s;

    begin(SWAP, 1);
    memset(&s, 0, sizeof s);
    s.kind = DC_NEW_MESSAGE;
    s.account = GLOBE_ACCOUNT;
    s.chat = (dc_peer_t){DC_USER, DC_USER_ID_FIRST};
    ck_assert_int_eq(globe_event(g, &s, &lost, NULL), 0);
    if (kind == DC_EDIT_MESSAGE) {
        /* Slices: the message with the first, its edit with the second. */
        globe_limit(g, &(dc_limits_t){1, 1, 1000, 1000, 30});
    }
    s.kind = kind;
    s.id = 1;
    ck_assert_int_eq(globe_event(g, &s, &lost, NULL), 0);
    globe_missed(g);
    pause_ms(3000);
}

START_TEST(messages_swapped)
{
    by_difference(DC_NEW_MESSAGE);
    expect_condemned("ids");
}
END_TEST

START_TEST(edit_before_its_message)
{
    by_difference(DC_EDIT_MESSAGE);
    expect_condemned("before");
}
END_TEST

START_TEST(older_edit_after_a_newer)
{
    begin(DROP, 0);
    uint32_t n = message();
    pause_ms(100);
    /* As if it had come with the text of an edit that is yet to be made. */
    g->j.seen[n].content = n + 2;
    about(DC_EDIT_MESSAGE, 1);
    pause_ms(100);
    expect_condemned("older");
}
END_TEST

START_TEST(stored_early)
{
    begin(DROP, 0);
    ck_assert_int_eq(globe_handler(g, 0, GLOBE_STUCK_HANDLER, 0), 0);
    message();
    pause_ms(1000);
    ck_assert_ptr_null(globe_verdict(g));
    g->kept.state.pts++;
    judge_stored(g);
    expect_condemned("stored");
}
END_TEST

START_TEST(repeated_without_a_mark)
{
    begin(DROP, 0);
    ck_assert_int_eq(globe_handler(g, 0, GLOBE_STUCK_HANDLER, 0), 0);
    uint32_t n = message();
    pause_ms(1000);
    /* As if another process had got it before. */
    g->j.seen[n].life = 1;
    g->process = 2;
    g->j.lineage = 1;
    g->j.boxes[BOX_COMMON].live = 0;
    gap_update_t *again = g->later[0];
    (void)judge_delivery(g, again);
    g->process = 1;
    expect_condemned("twice");
}
END_TEST

START_TEST(repeated_though_stored)
{
    begin(DROP, 0);
    uint32_t n = message();
    globe_settle(g);
    ck_assert(g->j.seen[n].finished);
    globe_crash(g, 0);
    pause_ms(1000);
    ck_assert_ptr_null(globe_verdict(g));
    /* As if nothing had been stored by the process before. */
    globe_bury(g);
    g->kept.state.pts = 1;
    globe_plan_start(g, 0);
    pause_ms(1000);
    expect_condemned("twice");
}
END_TEST

START_TEST(given_up_for_nothing)
{
    gap_engine_event_t ev;

    begin(DROP, 0);
    message();
    memset(&ev, 0, sizeof ev);
    ev.kind = GAP_EVENT_RESYNCHRONISED;
    ev.from = 1;
    ev.to = 2;
    judge_event(g, &ev);
    expect_condemned("given up");
}
END_TEST

START_TEST(two_questions_at_once)
{
    struct call twin;

    begin(DROP, 0);
    memset(&twin, 0, sizeof twin);
    twin.question = GLOBE_DIFFERENCE;
    globe_missed(g);
    pause_ms(5);
    judge_question(g, &twin);
    expect_condemned("in flight");
}
END_TEST

START_TEST(questions_without_a_reason)
{
    begin(DROP, 0);
    for (int i = 0; i < 100 && globe_verdict(g) == NULL; i++) {
        gap_engine_missed(globe_engine(g)); /* nobody has told the judge why */
        pause_ms(1000);
    }
    expect_condemned("asked");
}
END_TEST

START_TEST(memory_without_bounds)
{
    begin(DROP, 0);
    void *p = g->memory.alloc.realloc_fn(g->memory.alloc.ctx, NULL, 8U << 20);
    message();
    pause_ms(100);
    (void)g->memory.alloc.realloc_fn(g->memory.alloc.ctx, p, 0);
    expect_condemned("memory");
}
END_TEST

START_TEST(leak)
{
    begin(DROP, 0);
    void *p = g->memory.alloc.realloc_fn(g->memory.alloc.ctx, NULL, 8);
    struct counting_alloc *m = &g->memory;
    globe_bury(g);
    (void)m->alloc.realloc_fn(m->alloc.ctx, p, 0);
    expect_condemned("leak");
}
END_TEST

#define THE_PIN 3

static int pin_fails(void *data, gap_update_t *u, uint32_t *ms)
{
    uint32_t content;

    (void)data;
    (void)ms;
    return find_event(g, u, &content) == THE_PIN ? GLOBE_HANDLER_FAILS : GLOBE_DONE;
}

/* After a crash a slice brings a pin, whose handler fails. This attempt is in the journal, but the
 * slice is not through, for want of room, when the next crash comes. So the pin comes from there,
 * and again with the slice (now there is room), and waits in its lane until the first copy is given
 * up. */
static struct seen *pin_of_two_copies(void)
{
    struct globe_options o;

    globe_options(&o);
    o.told = o.runner = true;
    o.write_ms = 2;
    o.run.waiting_max = 2;
    o.run.attempts_max = 3;
    o.run.retry_min_us = o.run.retry_max_us = 1000000;
    o.watch.handle = pin_fails;
    o.line = getenv("GAP_TRACE") != NULL ? print_line : NULL;
    ck_assert_int_eq(globe_open(&o, &g), 0);
    globe_start(g);
    globe_run(g, 1000);
    message();
    message();
    pause_ms(1000);
    globe_crash(g, 100);
    ck_assert_uint_eq(about(DC_PIN, 1), THE_PIN);
    about(DC_EDIT_MESSAGE, 1);
    about(DC_EDIT_MESSAGE, 2);
    pause_ms(300);
    g->o.run.waiting_max = 0;
    globe_crash(g, 100);
    pause_ms(500);
    return &g->j.seen[THE_PIN];
}

START_TEST(copies_without_a_name)
{
    const struct seen *pin = pin_of_two_copies();

    ck_assert_uint_eq(pin->begun, 2);
    ck_assert_uint_eq(pin->copies, 2);
    pause_ms(10000);
    ck_assert_uint_eq(pin->begun, 3 + 3);
    ck_assert_uint_eq(pin->copies, 0);
    globe_settle(g);
    bool held = globe_close(g, verdict);
    ck_assert_msg(held, "%s", verdict);
}
END_TEST

START_TEST(letter_is_run_again)
{
    struct seen *pin = pin_of_two_copies();

    pin->copies = 1; /* as if the slice had not brought it again */
    pause_ms(10000);
    expect_condemned("letter");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("sim_seeds");
    TCase *t = tcase_create("worlds");
    int runs = (gap_test_seeds(SEEDS) + SEEDS_A_RUN - 1) / SEEDS_A_RUN;

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, worlds_hold, 0, runs);
    tcase_add_loop_test(t, worlds_that_failed, 0, (int)GAP_ARRAY_LEN(mistaken));
    tcase_add_test(t, seed_is_reproduced);
    suite_add_tcase(s, t);
    t = tcase_create("judge");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, nothing_is_doctored);
    tcase_add_test(t, holes_of_an_old_count);
    tcase_add_test(t, dropped);
    tcase_add_test(t, dropped_unstored);
    tcase_add_test(t, delivered_twice);
    tcase_add_test(t, pushes_swapped);
    tcase_add_test(t, messages_swapped);
    tcase_add_test(t, edit_before_its_message);
    tcase_add_test(t, older_edit_after_a_newer);
    tcase_add_test(t, stored_early);
    tcase_add_test(t, repeated_without_a_mark);
    tcase_add_test(t, repeated_though_stored);
    tcase_add_test(t, given_up_for_nothing);
    tcase_add_test(t, two_questions_at_once);
    tcase_add_test(t, questions_without_a_reason);
    tcase_add_test(t, memory_without_bounds);
    tcase_add_test(t, leak);
    tcase_add_test(t, copies_without_a_name);
    tcase_add_test(t, letter_is_run_again);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
