/*
 * tests/sim/test_outbox_many.c - more chats with something to send than an outbox keeps in memory:
 * everyone has a turn all the same, once, and memory stays within its bounds.
 */
#include "base/bytes.h"
#include "outbox/schedule.h"
#include "tests/sim/outbox_world.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SECOND UINT64_C(1000000)
#define CHATS  (GAP_OUTBOX_CHATS_MAX + 4464)
/* Rows of one transaction. */
#define STEP 1000

static struct outbox_world o;
static uint8_t told[CHATS + 1]; /* by row: how often it was said to be sent */
static unsigned sent;

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    (void)client;
    (void)data;
    ck_assert_int_eq(row->state, GAP_OUTBOX_SENT);
    ck_assert_int_le(row->row, CHATS);
    sent += ++told[row->row] == 1;
}

/* Calls that need no address and cost the server little. */
static void enqueue_all(void)
{
    static gap_outbox_item_t items[STEP];
    uint8_t query[4];

    gap_store32(query, GAP_TL_UPDATES_GET_STATE);
    for (int64_t i = 0; i < CHATS; i += STEP) {
        for (int64_t k = 0; k < STEP; k++)
            items[k] = (gap_outbox_item_t){
                .kind = GAP_OUTBOX_RAW,
                .chat = {i + k + 1, GAP_PEER_USER},
                .query = {.data = query, .len = 4, .id = GAP_TL_UPDATES_GET_STATE},
                .replay = GAP_REPLAY_IDEMPOTENT,
            };
        outbox_world_sql(&o, "BEGIN IMMEDIATE");
        size_t n = CHATS - i < STEP ? (size_t)(CHATS - i) : STEP;
        ck_assert_int_eq(gap_outbox_enqueue_all(o.db, items, n, NULL), 0);
        outbox_world_sql(&o, "COMMIT");
    }
}

START_TEST(more_chats_than_there_is_room_for_all_have_their_turn)
{
    gap_outbox_stats_t stats;
    uint32_t most = 0;

    memset(told, 0, sizeof told); /* cases may share a process */
    sent = 0;
    outbox_world_begin(&o, 1);
    o.config.on_row = on_row;
    o.config.account = (gap_outbox_rate_t){.calls = 2000, .per_ms = 1000, .burst = 64};
    outbox_world_live(&o); /* the rows come before the second life, or while it is there */
    outbox_world_die(&o);
    if (_i == 0) enqueue_all();
    outbox_world_live(&o);
    if (_i == 1) enqueue_all();
    for (int i = 0; i < 600 && sent < CHATS; i++) {
        (void)client_world_run(&o.w, SECOND, NULL);
        ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
        if (stats.chats > most) most = stats.chats;
    }
    ck_assert_uint_eq(sent, CHATS);
    for (int row = 1; row <= CHATS; row++) ck_assert_msg(told[row] == 1, "row %d", row);
    ck_assert_uint_eq(most, GAP_OUTBOX_CHATS_MAX);
    ck_assert_uint_le(o.w.bytes_max, 10 << 20);
    (void)client_world_run(&o.w, 10 * SECOND, NULL);
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
    ck_assert_uint_eq(stats.chats, 0);
    outbox_world_die(&o);
    outbox_world_end(&o);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox_many");
    TCase *tc = tcase_create("many");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, more_chats_than_there_is_room_for_all_have_their_turn, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
