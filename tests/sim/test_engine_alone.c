/*
 * The engine with nothing around it: fed, answered and ticked by hand, as a program with an MTProto
 * stack of its own does it through <gapless/engine.h>. It begins at pts 10; gaps wait 500 ms.
 */
#include "tests/check_main.h"

#include "loops/engine_internal.h"
#include "pack.h"

#include <gapless/message.h>
#include <string.h>

#define CALLS 4

struct alone {
    gap_engine_t *engine;
    uint64_t now_us;
    struct {
        uint32_t method;
        gap_answer_cb cb;
        void *arg;
    } calls[CALLS];
    size_t call_count;
    int32_t ids[8]; /* of the messages that were handled */
    size_t handled;
    unsigned closed;
};

static int on_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct alone *a = arg;

    ck_assert_uint_lt(a->call_count, CALLS);
    a->calls[a->call_count].method = query.id;
    a->calls[a->call_count].cb = cb;
    a->calls[a->call_count++].arg = answer_arg;
    return 0;
}

static int on_update(gap_update_t *update, void *data)
{
    struct alone *a = data;
    gap_message_t message;

    ck_assert_int_eq(gap_message_read(update, &message), 0);
    ck_assert_uint_lt(a->handled, GAP_ARRAY_LEN(a->ids));
    a->ids[a->handled++] = message.id;
    return 0;
}

static void on_closed(void *arg)
{
    struct alone *a = arg;
    a->closed++;
}

static gap_engine_config_t config(struct alone *a)
{
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, NULL, 0};
    gap_engine_config_t c = {
        .self_id = 1,
        .gap_wait_us = GAP_ENGINE_GAP_WAIT_US,
        .limits.jitter_permille = GAP_ENGINE_NO_JITTER,
        .invoke = on_invoke,
        .invoke_arg = a,
        .handler = on_update,
        .handler_data = a,
        .state = &state,
    };
    return c;
}

/* Answer the oldest call, whose bytes are gone at once. */
static void answer(struct alone *a, uint32_t method, gap_packet_t *packet)
{
    gap_answer_t with = {.value = gap_bytes(packet->data, packet->len)};

    ck_assert_uint_gt(a->call_count, 0);
    ck_assert_uint_eq(a->calls[0].method, method);
    a->calls[0].cb(a->calls[0].arg, &with);
    a->call_count--;
    memmove(&a->calls[0], &a->calls[1], a->call_count * sizeof a->calls[0]);
    memset(packet->data, 0xee, packet->len);
    gap_packet_unref(packet);
}

/* Feed bytes that are gone at once. */
static void feed(struct alone *a, gap_packet_t *packet)
{
    size_t handled = a->handled;

    ck_assert_int_eq(gap_engine_feed(a->engine, packet->data, packet->len, NULL), 0);
    ck_assert_uint_eq(a->handled, handled); /* not before a tick */
    memset(packet->data, 0xee, packet->len);
    gap_packet_unref(packet);
}

static void feed_message(struct alone *a, int32_t pts, int32_t id)
{
    struct pack p = {.text = NULL};

    pack_message(&p, pts, 1, id, PACK_USER);
    feed(a, pack_updates(&p, 0));
    pack_fini(&p);
}

static void tick(struct alone *a, uint64_t after_us, bool drained)
{
    a->now_us += after_us;
    while (gap_engine_tick(a->engine, a->now_us, drained)) continue;
}

/* On a machine that has been up for long, and through with the difference of the start. */
static void setup(struct alone *a, const gap_engine_config_t *c)
{
    memset(a, 0, sizeof *a);
    a->now_us = UINT64_C(5000000000000);
    ck_assert_int_eq(gap_engine_open(c, &a->engine), 0);
    gap_engine_start(a->engine);
    ck_assert_uint_eq(a->call_count, 0); /* calls nobody back */
    tick(a, 0, true);
    a->now_us += 80000;
    answer(a, GAP_TL_UPDATES_GET_DIFFERENCE, pack_empty(1));
    tick(a, 0, true);
    ck_assert_uint_eq(a->call_count, 0);
}

static void end(struct alone *a)
{
    gap_engine_close(a->engine, on_closed, a);
    tick(a, 0, true);
    ck_assert_uint_eq(a->closed, 1);
}

START_TEST(test_what_must_not_be)
{
    static const struct {
        gap_engine_channel_t channels[2];
        gap_engine_state_t state;
        const char *why;
    } cases[] = {
        {{{0, 0, 0, false}}, {10, 0, 0, 0, NULL, 1}, "a channel without an id"},
        {{{7, 0, -1, false}}, {10, 0, 0, 0, NULL, 1}, "a position below nothing"},
        {{{7, 0, 1, false}, {7, 0, 2, false}}, {10, 0, 0, 0, NULL, 2}, "a channel twice"},
        {{{7, 0, 1, false}}, {-1, 0, 0, 0, NULL, 0}, "pts below nothing"},
    };
    struct alone a;
    gap_engine_t *engine = NULL;
    gap_engine_config_t c = config(&a);

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_engine_state_t state = cases[i].state;
        state.channels = cases[i].channels;
        c.state = &state;
        int r = gap_engine_open(&c, &engine);
        ck_assert_msg(r == GAP_E_ARGUMENT && engine == NULL, "%s: %d", cases[i].why, r);
    }
    c = config(&a);
    c.invoke = NULL;
    ck_assert_int_eq(gap_engine_open(&c, &engine), GAP_E_ARGUMENT);
    c = config(&a);
    c.handler = NULL;
    ck_assert_int_eq(gap_engine_open(&c, &engine), GAP_E_ARGUMENT);
}
END_TEST

START_TEST(test_a_gap_waits_for_the_socket)
{
    struct alone a;
    gap_engine_config_t c = config(&a);

    setup(&a, &c);
    feed_message(&a, 12, 102); /* 11 is missing */
    ck_assert_int_eq(gap_engine_timeout_ms(a.engine, a.now_us), 0);
    tick(&a, 0, true);
    ck_assert_int_eq(gap_engine_timeout_ms(a.engine, a.now_us), 500);
    a.now_us += 600000;
    ck_assert(gap_engine_tick(a.engine, a.now_us, false)); /* it may lie in the socket */
    ck_assert_int_eq(gap_engine_timeout_ms(a.engine, a.now_us), 0);
    ck_assert_uint_eq(a.call_count, 0);
    feed_message(&a, 11, 101);
    tick(&a, 0, true);
    ck_assert_uint_eq(a.call_count, 0);
    ck_assert_uint_eq(a.handled, 2);
    ck_assert_int_eq(a.ids[0], 101);
    ck_assert_int_eq(a.ids[1], 102);
    end(&a);
}
END_TEST

START_TEST(test_what_is_lost_is_fetched)
{
    struct alone a;
    struct pack p = {.text = NULL};
    gap_engine_config_t c = config(&a);
    gap_engine_counters_t count;

    setup(&a, &c);
    feed_message(&a, 12, 102);
    tick(&a, 0, true);
    tick(&a, 500000, true);
    pack_new(&p, 101);
    pack_new(&p, 102);
    answer(&a, GAP_TL_UPDATES_GET_DIFFERENCE, pack_difference(&p, 12, 5, 1));
    tick(&a, 0, true);
    ck_assert_uint_eq(a.handled, 2);
    ck_assert_int_eq(a.ids[0], 101);
    ck_assert_int_eq(a.ids[1], 102);
    gap_engine_counters(a.engine, &count);
    ck_assert_uint_eq(count.fetched, 1);
    ck_assert_uint_eq(count.held_bytes, 0);
    pack_fini(&p);
    end(&a);
}
END_TEST

/* It is closed when every call is answered, not before; the callback runs once, from a tick. */
START_TEST(test_close_waits_for_the_answer)
{
    struct alone a;
    gap_engine_config_t c = config(&a);
    const gap_answer_t none = {.status = GAP_E_CLOSED};

    setup(&a, &c);
    gap_engine_missed(a.engine);
    tick(&a, 0, true);
    ck_assert_uint_eq(a.call_count, 1);
    gap_engine_close(a.engine, on_closed, &a);
    gap_engine_close(a.engine, NULL, NULL); /* the first one counts */
    tick(&a, 1000000, true);
    ck_assert_uint_eq(a.closed, 0);
    ck_assert_int_eq(gap_engine_feed(a.engine, (const uint8_t *)"1234", 4, NULL), GAP_E_CLOSED);
    a.calls[0].cb(a.calls[0].arg, &none);
    ck_assert_uint_eq(a.closed, 0);
    tick(&a, 0, true);
    ck_assert_uint_eq(a.closed, 1);
}
END_TEST

/* Between ticks it does not know what time it is: the answer of setup() came 80 ms after its
 * question, and both belong to a tick. */
START_TEST(test_round_trips_are_measured_in_ticks)
{
    struct alone a;
    gap_engine_config_t c = config(&a);

    c.gap_wait_us = 0;
    setup(&a, &c);
    ck_assert_uint_eq(a.engine->wait.rtt_us, 80000);
    end(&a);
}
END_TEST

/* Bytes received into a packet are not copied: what a handler sees lies in it. */
START_TEST(test_packets_are_not_copied)
{
    struct alone a;
    struct pack p = {.text = NULL};
    gap_engine_config_t c = config(&a);
    gap_packet_t *mine;

    setup(&a, &c);
    pack_message(&p, 11, 1, 101, PACK_USER);
    gap_packet_t *made = pack_updates(&p, 0);
    ck_assert_int_eq(gap_packet_new(NULL, made->len, &mine), 0);
    memcpy(gap_packet_data(mine), made->data, made->len);
    ck_assert_int_eq(gap_engine_feed(a.engine, gap_packet_data(mine), made->len, mine), 0);
    ck_assert_uint_eq(mine->refs, 2);
    tick(&a, 0, true);
    ck_assert_uint_eq(a.handled, 1);
    ck_assert_uint_eq(mine->refs, 1);
    gap_packet_unref(mine);
    gap_packet_unref(made);
    ck_assert_int_eq(gap_packet_new(NULL, SIZE_MAX / 2, &mine), GAP_E_LIMIT);
    pack_fini(&p);
    end(&a);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_alone");
    TCase *t = tcase_create("alone");

    tcase_add_test(t, test_what_must_not_be);
    tcase_add_test(t, test_a_gap_waits_for_the_socket);
    tcase_add_test(t, test_what_is_lost_is_fetched);
    tcase_add_test(t, test_close_waits_for_the_answer);
    tcase_add_test(t, test_round_trips_are_measured_in_ticks);
    tcase_add_test(t, test_packets_are_not_copied);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
