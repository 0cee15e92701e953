/*
 * tests/unit/test_dc_model_client.c - a naive client of the simulated world: it applies pushes
 * that are lost, doubled and late, asks for differences when it sees a gap, and must end up with
 * what the log says: every event delivered once or reported as folded once, every message with its
 * last text.
 */
#include "tests/dc_client.h"

/* --- the run ------------------------------------------------------------------------------- */

/* In the end: each event once, each message as the log left it. */
static void check_end(struct client *c, uint64_t seed)
{
    dc_event_t e;

    for (uint32_t n = 1; n <= dc_model_event_count(c->m); n++) {
        dc_model_event(c->m, n, &e);
        if (e.box == DC_BOX_NONE) continue;
        ck_assert_msg(c->delivered[n] + c->folded[n] == 1,
                      "seed %u: event %u (%s) delivered %d times, folded %d times", (unsigned)seed,
                      (unsigned)n, dc_kind_name(e.kind), c->delivered[n], c->folded[n]);
        struct box *box = e.box == DC_BOX_QTS ? NULL : box_of(c, e.account == 0 ? e.chat.id : 0);
        if (e.kind == DC_DELETE_MESSAGES) {
            for (uint32_t i = 0; i < e.ids_count; i++) ck_assert(box->msgs[e.ids[i]].deleted);
        } else if (e.kind == DC_NEW_MESSAGE && !box->msgs[e.id].deleted) {
            ck_assert_uint_ge(box->msgs[e.id].text_n, n);
        } else if (e.kind == DC_EDIT_MESSAGE && !box->msgs[e.id].deleted) {
            ck_assert_msg(box->msgs[e.id].text_n >= n, "seed %u: message %d has text %u, not %u",
                          (unsigned)seed, (int)e.id, (unsigned)box->msgs[e.id].text_n, (unsigned)n);
        }
    }
}

struct late {
    gap_buf_t bytes;
    unsigned steps;
};

#define LATE_MAX 16

static void push_late(struct client *c, struct late *late)
{
    for (int i = 0; i < LATE_MAX; i++) {
        if (late[i].steps == 0 || --late[i].steps > 0) continue;
        take_push(c, gap_buf_view(&late[i].bytes));
    }
}

/* One push through a network that loses 10 %, doubles 5 % and delays 20 %. */
static void push_event(struct client *c, gap_prng_t *rng, struct late *late, uint32_t n)
{
    uint64_t fate = gap_prng_below(rng, 100);
    gap_buf_t bytes;
    dc_event_t e;

    dc_model_event(c->m, n, &e);
    gap_buf_init(&bytes, gap_alloc_default());
    int r = dc_model_push(c->m, &c->view, &n, 1, &bytes);
    ck_assert_int_ge(r, 0);
    ck_assert_int_eq(r == DC_SEQ_USED, e.kind == DC_CALLBACK_QUERY);
    if (r == DC_SEQ_USED) c->view.seq++;
    struct late *slot = &late[gap_prng_below(rng, LATE_MAX)];
    if (fate < 10) {
    } else if (fate < 30 && slot->steps == 0) {
        gap_buf_fini(&slot->bytes);
        slot->bytes = bytes;
        slot->steps = 1 + (unsigned)gap_prng_below(rng, 8);
        return;
    } else {
        take_push(c, gap_buf_view(&bytes));
        if (fate < 35) take_push(c, gap_buf_view(&bytes));
    }
    gap_buf_fini(&bytes);
}

static void run_client(uint64_t seed, const dc_options_t *o, bool sends)
{
    dc_traffic_options_t to = {seed, EVENTS, DC_KINDS_ALL};
    struct late late[LATE_MAX];
    gap_prng_t rng = {seed};
    dc_traffic_t traffic;
    dc_model_t *m = NULL;
    uint32_t n;
    int r;

    ck_assert_int_eq(dc_model_new(gap_alloc_default(), o, &m), 0);
    ck_assert_int_eq(dc_model_account(m, BOT, true, START_US), 0);
    struct client *c = malloc(sizeof *c);
    client_init(c, m);
    memset(late, 0, sizeof late);
    for (int i = 0; i < LATE_MAX; i++) gap_buf_init(&late[i].bytes, gap_alloc_default());
    dc_traffic_init(&traffic, &to);
    while ((r = dc_traffic_next(&traffic, m, c->now_us, &n)) == 0) {
        push_event(c, &rng, late, n);
        push_late(c, late);
        if (sends && gap_prng_below(&rng, 20) == 0) send_something(c, &rng);
        c->now_us += 10000;
    }
    ck_assert_int_eq(r, DC_TRAFFIC_DONE);
    difference(c);
    check_end(c, seed);
    ck_assert_uint_gt(c->differences, 10);
    for (int i = 0; i < LATE_MAX; i++) gap_buf_fini(&late[i].bytes);
    client_fini(c);
    free(c);
    dc_model_free(m);
}

static dc_options_t world(uint64_t seed)
{
    dc_options_t o;

    dc_options_init(&o);
    o.seed = seed;
    o.channels = CHANNELS;
    o.users = 5;
    o.groups = 2;
    return o;
}

START_TEST(test_client_ends_up_with_the_log)
{
    dc_options_t o = world((uint64_t)_i);
    run_client((uint64_t)_i, &o, false);
}
END_TEST

START_TEST(test_client_with_slices)
{
    dc_options_t o = world((uint64_t)_i);
    o.slice = 1 + (uint32_t)_i % 4;
    o.channel_slice = 1 + (uint32_t)_i % 3;
    run_client((uint64_t)_i, &o, false);
}
END_TEST

START_TEST(test_client_that_sends_itself)
{
    dc_options_t o = world((uint64_t)_i);
    o.slice = 5;
    o.short_percent = 50;
    o.long_sent = _i % 2 == 0;
    run_client((uint64_t)_i, &o, true);
}
END_TEST

START_TEST(test_from_any_old_state)
{
    /* A client that followed everything up to some moment, then slept to the end. */
    dc_options_t o = world(77);
    dc_traffic_options_t to = {77, 400, DC_KINDS_ALL};
    uint32_t awake = (uint32_t)_i * 40;
    dc_traffic_t traffic;
    gap_buf_t bytes;
    dc_model_t *m = NULL;
    uint32_t n;

    o.slice = 7;
    o.channel_slice = 3;
    ck_assert_int_eq(dc_model_new(gap_alloc_default(), &o, &m), 0);
    ck_assert_int_eq(dc_model_account(m, BOT, true, START_US), 0);
    struct client *c = malloc(sizeof *c);
    client_init(c, m);
    gap_buf_init(&bytes, gap_alloc_default());
    dc_traffic_init(&traffic, &to);
    while (dc_traffic_next(&traffic, m, c->now_us, &n) == 0) {
        c->now_us += 300000;
        if (n > awake) continue;
        gap_buf_clear(&bytes);
        ck_assert_int_ge(dc_model_push(m, &c->view, &n, 1, &bytes), 0);
        take_push(c, gap_buf_view(&bytes));
    }
    ck_assert_uint_eq(c->differences, 0);
    difference(c);
    check_end(c, 77);
    gap_buf_fini(&bytes);
    client_fini(c);
    free(c);
    dc_model_free(m);
}
END_TEST

/* How many of the next 200 events of a traffic are each account's own. */
static void count_events(dc_traffic_t *traffic, dc_model_t *m, unsigned counts[3])
{
    dc_event_t e;
    uint32_t n;

    memset(counts, 0, 3 * sizeof *counts);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(dc_traffic_next(traffic, m, START_US, &n), 0);
        dc_model_event(m, n, &e);
        if (e.account >= BOT && e.account < BOT + 3) counts[e.account - BOT]++;
    }
}

START_TEST(test_nothing_happens_to_who_is_away)
{
    dc_options_t o = world(5);
    dc_traffic_options_t to = {5, 800, DC_KINDS_ALL};
    dc_traffic_t traffic;
    dc_model_t *m = NULL;
    unsigned counts[3];

    ck_assert_int_eq(dc_model_new(gap_alloc_default(), &o, &m), 0);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(dc_model_account(m, BOT + i, true, START_US), 0);
    dc_traffic_init(&traffic, &to);
    count_events(&traffic, m, counts);
    ck_assert(counts[0] > 0 && counts[1] > 0 && counts[2] > 0);
    dc_model_away(m, BOT + 1, true);
    dc_model_away(m, BOT + 1, true); /* once is enough */
    dc_model_away(m, BOT + 7, true); /* nobody */
    count_events(&traffic, m, counts);
    ck_assert(counts[0] > 0 && counts[1] == 0 && counts[2] > 0);
    ck_assert(dc_model_is_away(m, BOT + 1) && !dc_model_is_away(m, BOT + 7));
    dc_model_away(m, BOT, true);
    dc_model_away(m, BOT + 2, true);
    count_events(&traffic, m, counts); /* all are: it goes on */
    ck_assert(counts[0] > 0 && counts[1] > 0 && counts[2] > 0);
    dc_model_away(m, BOT + 2, false);
    count_events(&traffic, m, counts);
    ck_assert(counts[0] == 0 && counts[1] == 0 && counts[2] > 0);
    dc_model_free(m);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_model_client");
    TCase *tc = tcase_create("client");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_client_ends_up_with_the_log, 0, 8);
    tcase_add_loop_test(tc, test_client_with_slices, 0, 12);
    tcase_add_loop_test(tc, test_client_that_sends_itself, 0, 6);
    tcase_add_loop_test(tc, test_from_any_old_state, 0, 10);
    tcase_add_test(tc, test_nothing_happens_to_who_is_away);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
