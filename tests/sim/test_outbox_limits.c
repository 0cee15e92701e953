/*
 * tests/sim/test_outbox_limits.c - an outbox within the limits, in virtual time: the documented
 * ones hold in every window of the server's ledger for hours; PEER_FLOOD, slow mode, the step from
 * a chat to the method, deadlines behind a wait; and what gap_outbox_eta foretells, held against
 * what then happens.
 */
#include "base/bytes.h"
#include "tests/sim/flood_world.h"

#include <sqlite3.h>
#include <string.h>

#define S        INT64_C(1000000)
#define USERS    15
#define CHANNELS 15

static struct flood_world w;

static int64_t user_id(uint32_t n)
{
    return flood_world_id(flood_world_user(n));
}

static int64_t channel_id(uint32_t n)
{
    return flood_world_id(flood_world_channel(n));
}

static void judge_all(void)
{
    flood_world_judge(&w, 0, 30, S, 10);
    for (uint32_t i = 0; i < USERS; i++) flood_world_judge(&w, user_id(i), 1, S, 3);
    for (uint32_t i = 0; i < CHANNELS; i++) flood_world_judge(&w, channel_id(i), 20, 60 * S, 3);
}

/* ---- hours ---- */

static int64_t last_sent[USERS + CHANNELS]; /* a row that is sent by now */

static gap_peer_t chat(uint32_t n)
{
    return n < USERS ? flood_world_user(n) : flood_world_channel(n - USERS);
}

/* Some rows to a chat: new ones, and edits of one that went out in the round before. */
static void some_rows(uint32_t c, unsigned count)
{
    int64_t sent = 0;

    for (unsigned i = 0; i < count; i++) {
        gap_outbox_class_t urgency = i % 5 == 4 ? GAP_OUTBOX_REPLY : GAP_OUTBOX_BULK;
        if (i % 3 == 2 && last_sent[c] != 0) {
            /* One waits at a time: the next one takes its place. */
            (void)flood_world_edit(&w, chat(c), last_sent[c]);
        } else {
            sent = flood_world_send(&w, chat(c), urgency);
        }
    }
    last_sent[c] = sent;
}

static unsigned buckets(void)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(w.path, &db), SQLITE_OK);
    int rc = sqlite3_prepare_v2(db, "SELECT count(*) FROM gapless_outbox_chat", -1, &stmt, NULL);
    ck_assert_int_eq(rc, SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    unsigned count = (unsigned)sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return count;
}

/* Somebody sets the clock of the client's host while rows go out. */
static void set_clock(int round)
{
    static const int64_t by[] = {0, 3600, 0, -7200, 86400 * 400};

    flood_world_run(&w, 5 * S);
    sim_shift_wall(w.env, by[round % 5] * S);
}

START_TEST(the_documented_limits_hold_in_every_window_for_hours)
{
    int rounds = gap_test_seeds(18); /* of ten minutes */
    /* Rows that edits name are kept, whatever the clock says. */
    const gap_outbox_config_t config = {.keep_sent_us = UINT64_C(4000000000000000)};
    unsigned edits = 0;

    flood_world_begin(&w, USERS, CHANNELS, &config);
    memset(last_sent, 0, sizeof last_sent);
    for (int round = 0; round < rounds; round++) {
        int64_t began_us = flood_world_now(&w);
        flood_world_write(&w);
        for (uint32_t c = 0; c < USERS + CHANNELS; c++) some_rows(c, 6);
        some_rows(0, 100);
        some_rows(USERS, 50);
        flood_world_commit(&w);
        set_clock(round);
        flood_world_drain(&w, 300 * S);
        /* As fast as they may: the channel had up to 56 rows. */
        ck_assert_int_le(flood_world_now(&w), began_us + 180 * S);
        if (round % 5 == 2) {
            flood_world_kill(&w);
            flood_world_open(&w);
        }
        flood_world_run(&w, began_us + 600 * S - flood_world_now(&w));
    }
    /* What is stored of limits does not grow with the chats. */
    flood_world_write(&w);
    (void)flood_world_send(&w, chat(0), GAP_OUTBOX_BULK);
    flood_world_commit(&w);
    flood_world_run(&w, 5 * S);
    ck_assert_uint_le(buckets(), 2);
    judge_all();
    for (unsigned i = 0; i < w.call_count; i++) {
        ck_assert(!w.calls[i].refused);
        edits += w.calls[i].edit;
    }
    ck_assert_uint_ge(w.call_count, 250 * (unsigned)rounds);
    ck_assert(rounds == 1 || edits > 20 * (unsigned)(rounds - 1));
    flood_world_end(&w);
}
END_TEST

/* ---- what the server says ---- */

static void release(gap_peer_t peer)
{
    flood_world_write(&w);
    ck_assert_int_eq(gap_outbox_release(w.db, peer), 0);
    flood_world_commit(&w);
}

START_TEST(peer_flood_stops_bulk_only)
{
    int64_t replies[3];
    int64_t bulk[3];

    flood_world_begin(&w, USERS, 1, NULL);
    flood_world_rule(&w, "messages.sendMessage:user:1:1/3600:peer-flood");
    flood_world_write(&w);
    int64_t first = flood_world_send(&w, flood_world_user(0), GAP_OUTBOX_BULK);
    int64_t second = flood_world_send(&w, flood_world_user(0), GAP_OUTBOX_BULK);
    int64_t edited = flood_world_send(&w, flood_world_user(7), GAP_OUTBOX_BULK);
    flood_world_commit(&w);
    flood_world_run(&w, 5 * S);
    ck_assert_int_eq(w.rows[edited].state, GAP_OUTBOX_SENT);
    ck_assert_int_eq(w.rows[first].state, GAP_OUTBOX_SENT);
    ck_assert_uint_eq(w.stopped, 1);
    flood_world_write(&w);
    for (uint32_t i = 0; i < 3; i++) {
        bulk[i] = flood_world_send(&w, flood_world_user(1 + i), GAP_OUTBOX_BULK);
        replies[i] = flood_world_send(&w, flood_world_user(4 + i), GAP_OUTBOX_REPLY);
    }
    int64_t edit = flood_world_edit(&w, flood_world_user(7), edited);
    flood_world_commit(&w);
    flood_world_run(&w, 60 * S);
    for (int life = 0; life < 2; life++) {
        ck_assert_int_eq(w.rows[edit].state, GAP_OUTBOX_SENT);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(w.rows[replies[i]].state, GAP_OUTBOX_SENT);
            ck_assert_int_eq(flood_world_called(&w, bulk[i]), INT64_MAX);
        }
        if (life == 0) {
            flood_world_close(&w);
            flood_world_open(&w);
            flood_world_run(&w, 600 * S);
        }
    }
    dc_model_end_floods(gap_dc_model(w.dc));
    release((gap_peer_t){.kind = GAP_PEER_NONE});
    flood_world_run(&w, 20 * S);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(w.rows[bulk[i]].state, GAP_OUTBOX_SENT);
    ck_assert_int_eq(w.rows[second].state, GAP_OUTBOX_SENT);
    judge_all();
    flood_world_end(&w);
}
END_TEST

START_TEST(slow_mode_is_its_chats_alone)
{
    int64_t refused_us = 0;
    unsigned refused = 0;

    flood_world_begin(&w, 1, 3, NULL);
    dc_peer_t slow = {DC_CHANNEL, DC_CHANNEL_ID_FIRST};
    dc_model_t *m = gap_dc_model(w.dc);
    ck_assert_int_eq(dc_model_role(m, FLOOD_WORLD_BOT, slow, DC_ROLE_MEMBER), 0);
    ck_assert_int_eq(dc_model_slow_mode(m, slow.id, 30), 0);
    flood_world_write(&w);
    for (int i = 0; i < 4; i++) {
        (void)flood_world_send(&w, flood_world_channel(0), GAP_OUTBOX_BULK);
        (void)flood_world_send(&w, flood_world_channel(1), GAP_OUTBOX_BULK);
    }
    flood_world_commit(&w);
    flood_world_run(&w, 20 * S);
    ck_assert_uint_eq(flood_world_calls(&w, channel_id(1), 0, INT64_MAX), 4);
    ck_assert_uint_eq(flood_world_calls(&w, channel_id(0), 0, INT64_MAX), 1);
    flood_world_close(&w);
    flood_world_open(&w);
    flood_world_drain(&w, 120 * S);
    for (unsigned i = 0; i < w.call_count; i++) {
        const struct flood_call *c = &w.calls[i];
        if (c->chat != channel_id(0)) continue;
        ck_assert_msg(refused_us == 0 || c->t_us >= refused_us + 29 * S, "called at %ld",
                      (long)c->t_us);
        if (!c->refused) continue;
        ck_assert_msg(strncmp(c->error, "SLOWMODE_WAIT_", 14) == 0, "%s", c->error);
        refused_us = c->t_us;
        refused++;
    }
    ck_assert_uint_eq(flood_world_calls(&w, channel_id(0), 0, INT64_MAX), 4);
    ck_assert_uint_le(refused, 3); /* once for each: nobody says how slow it is */
    ck_assert_uint_eq(refused, w.limited);
    ck_assert_int_eq(w.last_limited.chat.id, flood_world_channel(0).id);
    flood_world_end(&w);
}
END_TEST

START_TEST(a_second_chat_in_flood_wait_makes_it_the_methods)
{
    int64_t closed_us = 0;
    unsigned edits = 0;
    unsigned refused = 0;
    int64_t chats[2] = {0, 0};

    flood_world_begin(&w, USERS, 1, NULL);
    flood_world_write(&w);
    int64_t first = flood_world_send(&w, flood_world_user(3), GAP_OUTBOX_BULK);
    flood_world_commit(&w);
    flood_world_run(&w, 10 * S);
    flood_world_rule(&w, "messages.sendMessage:user:1:1/5:60");
    flood_world_rule(&w, "messages.sendMessage:user:2:1/5:60");
    flood_world_write(&w);
    for (int i = 0; i < 90; i++) {
        if (i < 4) {
            (void)flood_world_send(&w, flood_world_user(0), GAP_OUTBOX_BULK);
            (void)flood_world_send(&w, flood_world_user(1), GAP_OUTBOX_BULK);
        }
        (void)flood_world_send(&w, flood_world_user(2), GAP_OUTBOX_BULK);
    }
    flood_world_commit(&w);
    for (int i = 0; i < 20; i++) {
        flood_world_run(&w, 4 * S);
        dc_model_end_floods(gap_dc_model(w.dc));
        if (i == 5) {
            flood_world_close(&w);
            flood_world_open(&w);
        }
        flood_world_write(&w);
        (void)flood_world_edit(&w, flood_world_user(3), first);
        flood_world_commit(&w);
    }
    flood_world_run(&w, 20 * S);
    for (unsigned i = 0; i < w.call_count; i++) {
        const struct flood_call *c = &w.calls[i];
        if (closed_us != 0 && c->t_us >= closed_us && c->t_us < closed_us + 59 * S) {
            edits += c->edit;
            ck_assert_msg(c->edit, "chat %ld was sent to at %ld", (long)c->chat, (long)c->t_us);
        }
        if (!c->refused || closed_us != 0) continue;
        chats[refused++] = c->chat;
        /* What was claimed before the answer came goes out behind its commit. */
        if (refused == 2) closed_us = c->t_us + 50000;
    }
    ck_assert_uint_eq(refused, 2);
    ck_assert_int_ne(chats[0], chats[1]);
    ck_assert_uint_ge(edits, 13);
    ck_assert_uint_gt(flood_world_calls(&w, user_id(2), closed_us + 60 * S, INT64_MAX), 10);
    flood_world_end(&w);
}
END_TEST

START_TEST(a_deadline_passes_behind_a_wait)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND, .chat = flood_world_user(0)};

    flood_world_begin(&w, 2, 1, NULL);
    flood_world_rule(&w, "messages.sendMessage:user:1:1/1:300");
    flood_world_write(&w);
    (void)flood_world_send(&w, flood_world_user(0), GAP_OUTBOX_BULK);
    int64_t second = flood_world_send(&w, flood_world_user(0), GAP_OUTBOX_BULK);
    item.content.text = gap_str("good morning");
    item.deadline_us = (int64_t)w.began_us + flood_world_now(&w) + 60 * S;
    int64_t morning = flood_world_row(&w, &item);
    int64_t last = flood_world_send(&w, flood_world_user(0), GAP_OUTBOX_BULK);
    flood_world_commit(&w);
    flood_world_run(&w, 10 * S);
    ck_assert_int_eq(w.rows[second].state, GAP_OUTBOX_SNOOZED);
    int64_t refused_us = w.rows[second].t_us;
    /* Its row is taken back: the wait is the chat's all the same, also in the next life. */
    flood_world_write(&w);
    ck_assert_int_eq(gap_outbox_cancel(w.db, second), 0);
    flood_world_commit(&w);
    flood_world_close(&w);
    flood_world_open(&w);
    flood_world_run(&w, 320 * S);
    ck_assert_int_ge(flood_world_called(&w, last), refused_us + 299 * S);
    ck_assert_int_eq(w.rows[morning].state, GAP_OUTBOX_DEAD);
    ck_assert_int_eq(flood_world_called(&w, morning), INT64_MAX);
    ck_assert_int_lt(flood_world_called(&w, last), INT64_MAX);
    ck_assert_uint_eq(w.dead, 1);
    flood_world_end(&w);
}
END_TEST

START_TEST(chats_that_are_idle_cost_nothing)
{
    long live[2];

    flood_world_begin(&w, USERS, CHANNELS, NULL);
    for (int i = 0; i < 2; i++) {
        flood_world_write(&w);
        for (uint32_t c = 0; c < USERS + CHANNELS; c++)
            (void)flood_world_send(&w, chat(c), GAP_OUTBOX_BULK);
        flood_world_commit(&w);
        flood_world_run(&w, 3 * S); /* all are out, no channel's bucket is full */
        ck_assert_uint_eq(w.call_count, (unsigned)(i + 1) * (USERS + CHANNELS));
        live[0] = w.alloc.live;
        flood_world_run(&w, 60 * S);
        live[1] = w.alloc.live;
        ck_assert_msg(live[1] < live[0], "%ld blocks, then %ld", live[0], live[1]);
    }
    flood_world_end(&w);
}
END_TEST

/* ---- what is foretold ---- */

#define FORETOLD_MAX 400

static struct {
    int64_t row;
    gap_outbox_eta_t eta;
} foretold[FORETOLD_MAX];

static unsigned foretell(int64_t from, int64_t to)
{
    sqlite3 *db = NULL;
    unsigned count = 0;

    ck_assert_int_eq(sqlite3_open(w.path, &db), SQLITE_OK);
    for (int64_t row = from; row <= to; row++) {
        gap_outbox_eta_t *eta = &foretold[count].eta;
        int r = gap_outbox_eta(db, row, (int64_t)w.began_us + flood_world_now(&w), eta);
        if (r == GAP_E_STATE) continue; /* it is out already */
        ck_assert_int_eq(r, 0);
        foretold[count++].row = row;
        ck_assert_uint_lt(count, FORETOLD_MAX);
    }
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return count;
}

START_TEST(what_is_foretold_is_what_happens)
{
    unsigned flooded = 0;
    int64_t from = INT64_MAX;
    int64_t to = 0;

    flood_world_begin(&w, USERS, CHANNELS, NULL);
    flood_world_rule(&w, "messages.sendMessage:user:1:1/2:100");
    flood_world_write(&w);
    for (uint32_t k = 0; k < 20; k++) {
        for (uint32_t c = 0; c < USERS + CHANNELS; c++) {
            if (k >= 3 + c % 15) continue;
            int64_t row =
                flood_world_send(&w, chat(c), c == 5 ? GAP_OUTBOX_REPLY : GAP_OUTBOX_BULK);
            if (row < from) from = row;
            to = row;
        }
    }
    flood_world_commit(&w);
    flood_world_run(&w, 2 * S + 300000);
    unsigned count = foretell(from, to);
    ck_assert_uint_ge(count, 100);
    flood_world_drain(&w, 300 * S);
    for (unsigned i = 0; i < count; i++) {
        const gap_outbox_eta_t *eta = &foretold[i].eta;
        int64_t said = eta->at_us - (int64_t)w.began_us;
        int64_t called = flood_world_called(&w, foretold[i].row);
        /* A call that is refused counts, too: it went out. A row that waits anew goes later. */
        ck_assert_msg(called >= said || called <= 4400000, "row %ld: %ld, foretold %ld: %s",
                      (long)foretold[i].row, (long)called, (long)said, eta->because);
        if (strncmp(eta->because, "FLOOD_WAIT", 10) == 0) flooded++;
        /* Behind its chat's limit alone it is nearly exact. */
        if (strncmp(eta->because, "the limit of its chat", 21) == 0 && said > 12 * S)
            ck_assert_msg(called <= said + S, "row %ld: %ld, foretold %ld: %s",
                          (long)foretold[i].row, (long)called, (long)said, eta->because);
    }
    ck_assert_uint_ge(flooded, 1);
    flood_world_end(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_limits");
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 200);
    tcase_add_test(t, the_documented_limits_hold_in_every_window_for_hours);
    tcase_add_test(t, peer_flood_stops_bulk_only);
    tcase_add_test(t, slow_mode_is_its_chats_alone);
    tcase_add_test(t, a_second_chat_in_flood_wait_makes_it_the_methods);
    tcase_add_test(t, a_deadline_passes_behind_a_wait);
    tcase_add_test(t, chats_that_are_idle_cost_nothing);
    tcase_add_test(t, what_is_foretold_is_what_happens);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
