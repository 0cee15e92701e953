/* loops/sink: batches, acknowledgements in any order, failures, too many, close, out of memory. */
#include "tests/check_main.h"

#include "loops/sink.h"
#include "sequence/update.h"

#include <string.h>

#define MS    UINT64_C(1000)
#define S     UINT64_C(1000000)
#define COUNT 40

static struct fault_alloc fault;
static gap_rt_t rt;
static gap_sink_t *sink;
static uint64_t now_us;
static char trace[1024];
static int answer; /* of flush */
static uint64_t ack_inside;
static int closed_count;

/* ---- an owner of updates ---- */

static struct token {
    gap_update_t update;
    bool taken;
    int ended;
    int status;
} tokens[COUNT];

static void finished(gap_update_t *update, int status)
{
    struct token *t = GAP_CONTAINER_OF(update, struct token, update);
    t->ended++;
    t->status = status;
}

static const struct gap_update_owner owner = {.finished = finished};

/* ---- a sink ---- */

static void say(const char *text)
{
    ck_assert_uint_lt(strlen(trace) + strlen(text) + 2, sizeof trace);
    if (trace[0] != 0) strcat(trace, " ");
    strcat(trace, text);
}

static void expect(const char *text)
{
    ck_assert_str_eq(trace, text);
    trace[0] = 0;
}

/* "1-5", "3,5-6" */
static int flush(gap_sink_t *s, const gap_sink_item_t *items, size_t count, void *data)
{
    char line[256] = "";

    ck_assert_ptr_eq(s, sink);
    ck_assert_ptr_eq(data, &answer);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_eq(items[i].update, &tokens[items[i].number - 1].update);
        bool first = i == 0 || items[i].number != items[i - 1].number + 1;
        bool last = i == count - 1 || items[i].number + 1 != items[i + 1].number;
        char part[32] = "";
        if (first) snprintf(part, sizeof part, "%s%d", i > 0 ? "," : "", (int)items[i].number);
        if (last && !first) snprintf(part, sizeof part, "-%d", (int)items[i].number);
        strcat(line, part);
    }
    say(line);
    if (ack_inside != 0) ck_assert_int_eq(gap_sink_ack_through(s, ack_inside), 0);
    return answer;
}

static void on_gone(void *arg)
{
    ck_assert_ptr_eq(arg, &closed_count);
    ck_assert_int_eq(closed_count, 1);
    closed_count++;
}

static void on_closed(void *data)
{
    ck_assert_ptr_eq(data, &sink);
    ck_assert_int_eq(closed_count, 0);
    closed_count++;
}

static void begin(gap_sink_config_t config)
{
    fault_alloc_init(&fault, 0);
    trace[0] = 0;
    answer = GAP_LATER;
    ack_inside = 0;
    closed_count = 0;
    now_us = S;
    memset(tokens, 0, sizeof tokens);
    gap_rt_init(&rt, &fault.alloc, NULL);
    gap_rt_tick(&rt, now_us, true);
    config.flush = flush;
    config.data = &answer;
    ck_assert_int_eq(gap_sink_open(&rt, &config, on_gone, &closed_count, &sink), 0);
}

static void run(uint64_t us)
{
    for (uint64_t until_us = now_us + us;; now_us += MS) {
        while (gap_rt_tick(&rt, now_us, true)) continue;
        if (now_us >= until_us) return;
    }
}

static int take(int from, int to)
{
    for (int i = from; i <= to; i++) {
        tokens[i - 1].update.owner = &owner;
        int r = gap_sink_take(&tokens[i - 1].update, sink);
        if (r < 0) return r;
        ck_assert_int_eq(r, GAP_LATER);
        tokens[i - 1].taken = true;
    }
    return 0;
}

/* Which are through, with 0: "1-3"; with another status: "1!" */
static void expect_through(const char *text)
{
    char got[256] = "";

    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_le(tokens[i].ended, 1);
        if (tokens[i].ended == 0) continue;
        char part[16];
        snprintf(part, sizeof part, "%s%d%s", got[0] == 0 ? "" : " ", i + 1,
                 tokens[i].status == 0 ? "" : "!");
        strcat(got, part);
    }
    ck_assert_str_eq(got, text);
}

static void end(void)
{
    gap_sink_close(sink, on_closed, &sink);
    gap_sink_close(sink, NULL, NULL);
    ck_assert_int_eq(closed_count, 0);
    ck_assert_int_eq(gap_sink_take(&tokens[0].update, sink), GAP_E_CLOSED);
    ck_assert_int_eq(gap_sink_ack(sink, 1), GAP_E_CLOSED);
    run(0);
    ck_assert_int_eq(closed_count, 2);
    for (int i = 0; i < COUNT; i++) ck_assert_int_eq(tokens[i].ended, tokens[i].taken);
    gap_rt_fini(&rt);
    ck_assert_int_eq((int)fault.live, 0);
}

/* ---- batches ---- */

START_TEST(test_batches)
{
    gap_sink_stats_t s;

    begin((gap_sink_config_t){.batch_max = 4, .interval_us = 20 * MS});
    ck_assert_int_eq(take(1, 3), 0);
    run(19 * MS);
    expect("");
    run(MS);
    expect("1-3"); /* the interval */
    ck_assert_int_eq(take(4, 7), 0);
    expect(""); /* never from inside take */
    run(0);
    expect("4-7"); /* a full one at once */
    ck_assert_int_eq(take(8, 17), 0);
    run(0);
    expect("8-11 12-15");
    run(20 * MS);
    expect("16-17");
    ck_assert_int_eq(take(18, 18), 0);
    gap_sink_flush(sink);
    run(0);
    expect("18");
    expect_through("");
    gap_sink_stats(sink, &s);
    ck_assert_uint_eq(s.batches, 6);
    ck_assert_uint_eq(s.unacknowledged, 18);
    ck_assert_uint_eq(s.waiting, 0);
    end();
}
END_TEST

/* Batches of full size only. */
START_TEST(test_an_interval_for_ever)
{
    begin((gap_sink_config_t){.batch_max = 4, .interval_us = UINT64_MAX});
    ck_assert_int_eq(take(1, 3), 0);
    run(10 * S);
    expect("");
    ck_assert_int_eq(take(4, 5), 0);
    run(S);
    expect("1-4");
    end();
}
END_TEST

START_TEST(test_acknowledgements_in_any_order)
{
    gap_sink_stats_t s;

    begin((gap_sink_config_t){.batch_max = 4, .interval_us = MS});
    ck_assert_int_eq(take(1, 9), 0);
    ck_assert_int_eq(gap_sink_ack(sink, 1), GAP_E_ARGUMENT); /* not handed out yet */
    run(0);
    expect("1-4 5-8");
    ck_assert_int_eq(gap_sink_ack(sink, 9), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_sink_ack(sink, 0), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_sink_ack(sink, 6), 0);
    ck_assert_int_eq(gap_sink_ack(sink, 6), 0);
    expect_through("6");
    ck_assert_int_eq(gap_sink_ack_through(sink, 3), 0);
    expect_through("1 2 3 6");
    ck_assert_int_eq(gap_sink_ack(sink, 2), 0);
    run(MS);
    expect("9");
    ck_assert_int_eq(gap_sink_ack_through(sink, 9), 0);
    expect_through("1 2 3 4 5 6 7 8 9");
    gap_sink_stats(sink, &s);
    ck_assert_uint_eq(s.acknowledged, 9);
    ck_assert_uint_eq(s.unacknowledged, 0);
    end();
}
END_TEST

START_TEST(test_safe_at_once)
{
    begin((gap_sink_config_t){.batch_max = 4, .interval_us = MS});
    ck_assert_int_eq(take(1, 4), 0);
    run(0);
    answer = 0;
    ck_assert_int_eq(take(5, 8), 0);
    run(0);
    expect("1-4 5-8");
    expect_through("5 6 7 8"); /* of this batch, not of those before */
    answer = GAP_LATER;
    ack_inside = 10;
    ck_assert_int_eq(take(9, 12), 0);
    run(0);
    expect_through("1 2 3 4 5 6 7 8 9 10");
    ack_inside = 0;
    end();
}
END_TEST

START_TEST(test_failures_come_again_in_order)
{
    gap_sink_stats_t s;

    begin((gap_sink_config_t){
        .batch_max = 4, .interval_us = MS, .retry_min_us = 100 * MS, .retry_max_us = 300 * MS});
    ck_assert_int_eq(take(1, 8), 0);
    run(0);
    expect("1-4 5-8");
    ck_assert_int_eq(gap_sink_ack(sink, 6), 0);
    ck_assert_int_eq(gap_sink_fail(sink, 3, GAP_E_STORAGE), 0);
    ck_assert_int_eq(take(9, 9), 0);
    run(99 * MS);
    expect("");
    gap_sink_stats(sink, &s);
    ck_assert_uint_eq(s.unacknowledged, 2);
    ck_assert_uint_eq(s.waiting, 6);
    ck_assert_uint_eq(s.retry_us, MS);
    /* A late word is as good. */
    ck_assert_int_eq(gap_sink_ack(sink, 4), 0);
    ck_assert_int_eq(gap_sink_fail(sink, 3, GAP_E_STORAGE), 0); /* one pause is enough */
    run(MS);
    expect("3,5,7-8 9");
    /* The pause doubles up to its end, */
    answer = GAP_E_STORAGE;
    ck_assert_int_eq(gap_sink_fail(sink, 3, GAP_E_STORAGE), 0);
    run(100 * MS);
    expect("3,5,7-8"); /* (100 again: 4 was acknowledged in between) */
    run(199 * MS);
    expect("");
    run(MS);
    expect("3,5,7-8");
    run(299 * MS);
    expect("");
    run(MS);
    expect("3,5,7-8");
    run(299 * MS);
    expect("");
    /* or until somebody asks for it. */
    answer = 0;
    gap_sink_flush(sink);
    run(0);
    expect("3,5,7-8 9");
    expect_through("3 4 5 6 7 8 9");
    ck_assert_int_eq(gap_sink_ack_through(sink, 2), 0);
    end();
}
END_TEST

START_TEST(test_too_many_unacknowledged)
{
    begin((gap_sink_config_t){
        .batch_max = 4, .interval_us = MS, .unacknowledged_max = 8, .waiting_max = 20});
    ck_assert_int_eq(take(1, 20), 0);
    ck_assert_int_eq(take(21, 21), GAP_E_LIMIT);
    run(S);
    expect("1-4 5-8");
    ck_assert_int_eq(gap_sink_ack_through(sink, 3), 0);
    run(S);
    expect(""); /* 5 are out, 4 more would be one too many */
    ck_assert_int_eq(gap_sink_ack(sink, 4), 0);
    run(S);
    expect("9-12");
    ck_assert_int_eq(gap_sink_ack_through(sink, 12), 0);
    run(S);
    expect("13-16 17-20");
    end();
    expect_through("1 2 3 4 5 6 7 8 9 10 11 12 13! 14! 15! 16! 17! 18! 19! 20!");
}
END_TEST

START_TEST(test_bad_settings)
{
    gap_sink_config_t config = {.batch_max = 4};

    begin((gap_sink_config_t){0});
    gap_sink_t *other;
    ck_assert_int_eq(gap_sink_open(&rt, &config, NULL, NULL, &other), GAP_E_ARGUMENT);
    config.flush = flush;
    config.unacknowledged_max = 3;
    ck_assert_int_eq(gap_sink_open(&rt, &config, NULL, NULL, &other), GAP_E_ARGUMENT);
    end();
}
END_TEST

/* Out of memory a batch is handed out early rather than late, and nothing is lost. */
START_TEST(test_out_of_memory)
{
    for (long n = 1; n < 40; n++) {
        begin((gap_sink_config_t){.batch_max = 64, .interval_us = MS});
        fault.calls = 0;
        fault.fail_at = n;
        int r = take(1, 20);
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "n = %ld: %d", n, r);
        if (r < 0) r = take(1, 20);
        ck_assert_int_eq(r, 0);
        run(2 * MS);
        expect("1-20");
        ck_assert_int_eq(gap_sink_fail(sink, 1, GAP_E_NOMEM), 0);
        run(2 * S);
        expect("1-20");
        ck_assert_int_eq(gap_sink_ack_through(sink, 20), 0);
        end();
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("sink");
    TCase *t = tcase_create("sink");

    tcase_add_test(t, test_batches);
    tcase_add_test(t, test_an_interval_for_ever);
    tcase_add_test(t, test_acknowledgements_in_any_order);
    tcase_add_test(t, test_safe_at_once);
    tcase_add_test(t, test_failures_come_again_in_order);
    tcase_add_test(t, test_too_many_unacknowledged);
    tcase_add_test(t, test_bad_settings);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
