/*
 * tests/sim/test_outbox.c - the life of rows: each state and how it is reached, seen in the table,
 * by the host, and in what the data centre got.
 */
#include "tests/sim/outbox_world.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SECOND UINT64_C(1000000)

static struct outbox_world o;

static void setup(void)
{
    outbox_world_begin(&o, 1);
    outbox_world_live(&o);
}

static void teardown(void)
{
    outbox_world_die(&o);
    outbox_world_end(&o);
}

START_TEST(a_text_goes_out_and_is_sent)
{
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "hello");

    ck_assert_msg(outbox_world_reach(&o, row, GAP_OUTBOX_SENT, 2 * SECOND), "state %d: %s, %s",
                  (int)outbox_world_state(&o, row), outbox_world_reason(&o, row), o.w.trouble);
    ck_assert_uint_eq(outbox_world_messages(&o, "hello"), 1);
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_SENT), 1);
    int32_t id = (int32_t)outbox_world_column(&o, "message_id", row);
    gap_bytes_t text = outbox_world_text(&o, outbox_world_chat(0), id);
    ck_assert(gap_bytes_equal(text, gap_str("hello")));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tc = tcase_create("rows");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_text_goes_out_and_is_sent);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
