/*
 * tests/sim/test_outbox_flood.c - an outbox and the limits of the server, in virtual time: what one
 * chat has to wait for costs no other chat anything, also over a restart and a kill; the documented
 * limits hold in every window of the server's ledger; PEER_FLOOD, slow mode, the step from a chat
 * to the method; deadlines; and what gap_outbox_eta foretold, held against what then happened.
 */
#include "tests/sim/flood_world.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <sqlite3.h>
#include <string.h>

#define S INT64_C(1000000)
#define WAITS                                                                                      \
    (1U << GAP_OUTBOX_READY | 1U << GAP_OUTBOX_SNOOZED | 1U << GAP_OUTBOX_LEASED |                 \
     1U << GAP_OUTBOX_UNKNOWN)

static struct flood_world w;

/* ---- one chat waits ---- */

#define USERS    4
#define CHANNELS 46
#define CHATS    (USERS + CHANNELS)
#define NTH_MAX  400

enum restart { NO_RESTART, RESTART, KILL };

/* When the nth call of each chat was made. */
static int64_t base[CHATS][NTH_MAX];
static int64_t other[CHATS][NTH_MAX];

static gap_peer_t chat(uint32_t n)
{
    return n < USERS ? flood_world_user(n) : flood_world_channel(n - USERS);
}

static void fill(uint32_t rows_user, uint32_t rows_channel)
{
    flood_world_write(&w);
    for (uint32_t k = 0; k < rows_user || k < rows_channel; k++) {
        for (uint32_t c = 0; c < CHATS; c++) {
            if (k < (c < USERS ? rows_user : rows_channel))
                (void)flood_world_send(&w, chat(c), GAP_OUTBOX_BULK);
        }
    }
    flood_world_commit(&w);
}

static void times(int64_t out[CHATS][NTH_MAX])
{
    uint32_t count[CHATS] = {0};

    memset(out, 0, sizeof base);
    for (unsigned i = 0; i < w.call_count; i++) {
        for (uint32_t c = 0; c < CHATS; c++) {
            if (flood_world_id(chat(c)) != w.calls[i].chat) continue;
            ck_assert_uint_lt(count[c], NTH_MAX);
            out[c][count[c]++] = w.calls[i].t_us;
        }
    }
}

/* More than FLOOD_WAIT_300 for some, a minute for all; in the middle of it a restart. */
static void run_for_360_s(bool flood, enum restart restart, int64_t out[CHATS][NTH_MAX])
{
    flood_world_begin(&w, USERS, CHANNELS, NULL);
    if (flood) flood_world_rule(&w, "messages.sendMessage:user:1:1/1:300");
    fill(343, 26);
    flood_world_run(&w, 40 * S);
    if (restart == RESTART) {
        flood_world_close(&w);
        flood_world_open(&w);
    }
    if (restart == KILL) {
        flood_world_kill(&w);
        flood_world_open(&w);
    }
    flood_world_run(&w, 320 * S);
    times(out);
    for (uint32_t c = 0; c < USERS; c++) flood_world_judge(&w, flood_world_id(chat(c)), 1, S, 3);
    for (uint32_t c = USERS; c < CHATS; c++)
        flood_world_judge(&w, flood_world_id(chat(c)), 20, 60 * S, 3);
    flood_world_judge(&w, 0, 30, S, 10);
}

/* What became of the chat that has to wait. */
static void check_the_flooded(void)
{
    int64_t refused_us = 0;
    int64_t next_us = 0;

    for (unsigned i = 0; i < w.call_count; i++) {
        const struct flood_call *c = &w.calls[i];
        if (c->chat != flood_world_id(chat(0))) {
            ck_assert(!c->refused);
        } else if (refused_us == 0 && c->refused) {
            refused_us = c->t_us;
            ck_assert_str_eq(c->error, "FLOOD_WAIT_300");
        } else if (refused_us != 0 && next_us == 0) {
            next_us = c->t_us;
        }
    }
    ck_assert_int_gt(refused_us, 0);
    ck_assert_int_lt(refused_us, 10 * S);
    ck_assert_msg(next_us >= refused_us + 300 * S && next_us < refused_us + 301 * S,
                  "FLOOD_WAIT_300 at %ld, called again at %ld", (long)refused_us, (long)next_us);
}

static void one_chat_waits(enum restart restart)
{
    run_for_360_s(false, restart, base);
    flood_world_end(&w);
    run_for_360_s(true, restart, other);
    check_the_flooded();
    flood_world_end(&w);
    for (uint32_t c = 1; c < CHATS; c++) {
        for (int k = 0; k < NTH_MAX && base[c][k] != 0; k++) {
            ck_assert_msg(other[c][k] != 0, "chat %u: call %d was not made", c, k);
            /* Commits are up to 5 ms apart; calls go out behind them. */
            ck_assert_msg(other[c][k] <= base[c][k] + 10000, "chat %u: call %d at %ld, not %ld", c,
                          k, (long)other[c][k], (long)base[c][k]);
        }
    }
    ck_assert_int_gt(base[1][320], 0);
    ck_assert_int_gt(base[CHATS - 1][25], 0);
}

START_TEST(one_chat_under_flood_wait_300_leaves_all_other_chats_at_full_rate)
{
    one_chat_waits(NO_RESTART);
}
END_TEST

START_TEST(the_same_across_a_restart)
{
    one_chat_waits(RESTART);
}
END_TEST

START_TEST(the_same_across_a_kill)
{
    one_chat_waits(KILL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_flood");
    TCase *t = tcase_create("flood");

    tcase_set_timeout(t, 200);
    tcase_add_test(t, one_chat_under_flood_wait_300_leaves_all_other_chats_at_full_rate);
    tcase_add_test(t, the_same_across_a_restart);
    tcase_add_test(t, the_same_across_a_kill);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
