/*
 * The catalogue of scenarios (scenarios.txt), errors: S41 to S51. Each test is named after its
 * scenario; its trace was written from the catalogue before the code ran. The state at the start is
 * pts 10, qts 5, seq 1; gaps wait 500 ms.
 */
#include "scenario_steps.h"

#define HOUR UINT64_C(3600000) /* ms */

START_TEST(s41_outdated_once)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 20, 500, "PERSISTENT_TIMESTAMP_OUTDATED");
    world_answer(&w, 20, difference(11, 12));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] common failed, again in 1000 ms\n"
                     "[1020] difference from 10\n[1040] apply 11\n[1040] apply 12\n");
    world_fini(&w);
}
END_TEST

/* ---- outdated for ever ---- */

struct outdated {
    bool over;
};

static void serve_outdated(struct world *world, struct world_call *c, bool due)
{
    const struct outdated *o = world->data;

    if (due) return;
    c->due_us = world->now_us + 20000;
    if (o->over) {
        c->answer.packet = difference(11, 12);
    } else {
        c->answer.code = 500;
        c->answer.text = "PERSISTENT_TIMESTAMP_OUTDATED";
    }
}

/* An hour of it: less than one request a minute in the long run, each failure is told with the time
 * of the next try, others go on; and once the server has caught up nothing is missing. */
START_TEST(s42_outdated_for_ever)
{
    struct outdated o = {false};
    uint64_t at = 500;
    uint64_t pause = 1000;

    begin_channel(_i);
    w.serve = serve_outdated;
    w.data = &o;
    feed_message(12);
    expect_nothing();
    for (int tries = 0; at < HOUR; at += 20 + pause, tries++) {
        if (tries == 10) { /* in the pause before the eleventh */
            world_run(&w, at - 10);
            feed_channel(7, 51);
            feed_message(13);
            expect_at(at - 10, "apply 7:51");
        }
        if (tries > 0) pause = pause >= 30000 ? 60000 : pause * 2;
        expect_at(at, "difference from 10");
        expect_at(at + 20, "common failed, again in %llu ms", (unsigned long long)pause);
        ck_assert_int_lt(tries, 70);
    }
    world_run(&w, HOUR);
    world_expect(&w, expected);
    o.over = true;
    world_run(&w, HOUR + 120000);
    expect_nothing();
    expect_at(at, "difference from 10");
    for (int id = 11; id <= 13; id++) expect_at(at + 20, "apply %d", id);
    world_expect(&w, expected);
    w.serve = NULL;
    world_fini(&w);
}
END_TEST

/* ---- the position is refused ---- */

/* The common position: the server's own is taken, what lay between is told. Then in order again. */
START_TEST(s43_m25_common_position_refused)
{
    static const char *const errors[] = {"PERSISTENT_TIMESTAMP_INVALID",
                                         "PERSISTENT_TIMESTAMP_EMPTY"};

    for (size_t i = 0; i < GAP_ARRAY_LEN(errors); i++) {
        begin(_i);
        feed_message(12);
        world_error(&w, 20, 400, errors[i]);
        world_answer(&w, 20, pack_state(40, 8, 1));
        world_answer(&w, 20, pack_empty(1));
        world_run(&w, 1000);
        feed_message(41);
        pack_qts(&w.p, 9, 9);
        feed();
        world_run(&w, 20000);
        world_expect(&w, "[ 500] difference from 10\n[ 520] state\n"
                         "[ 540] common resynchronised 10..40: invalid\n"
                         "[ 540] qts resynchronised 5..8: invalid\n[ 540] apply 12\n"
                         "[ 540] difference from 40\n[1000] apply 41\n[1000] apply q9\n");
        world_fini(&w);
    }
}
END_TEST

START_TEST(s43_channel_position_refused)
{
    begin_channel(_i);
    feed_channel(7, 52);
    world_error(&w, 20, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 20, pack_channel_full(7, 60));
    world_run(&w, 1000);
    feed_channel(7, 61);
    world_run(&w, 20000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] channel 7 state\n"
                     "[ 540] channel 7 resynchronised 50..60: invalid\n[ 540] apply 7:52\n"
                     "[1000] apply 7:61\n");
    world_fini(&w);
}
END_TEST

static unsigned asked;

static void serve_refusals(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    asked++;
    c->due_us = world->now_us + 20000;
    if (c->channel == -1) {
        c->answer.packet = pack_state(10, 5, 1);
    } else {
        c->answer.code = 400;
        c->answer.text = "PERSISTENT_TIMESTAMP_INVALID";
    }
    if (world->trace_len > 4096) world_forget(world);
}

/* A server that says where it stands, and refuses that very position, is not asked in a circle. */
START_TEST(s43_refused_for_ever)
{
    begin(_i);
    asked = 0;
    w.serve = serve_refusals;
    gap_engine_missed(w.engine);
    world_run(&w, HOUR);
    ck_assert_msg(asked <= 150, "%u requests in an hour", asked);
    w.serve = NULL;
    world_fini(&w);
}
END_TEST

/* ---- no access ---- */

static void pack_update_channel(int64_t id)
{
    gap_tl_update_channel_t u = {id};
    pack_update(&w.p, GAP_TL_UPDATE_CHANNEL, &u);
}

static void pack_forbidden(int64_t id)
{
    gap_tl_channel_forbidden_t c;

    memset(&c, 0, sizeof c);
    c.id = id;
    c.access_hash = pack_hash(id);
    c.title = gap_str("channel");
    gap_packet_t *p = pack_object(GAP_TL_CHANNEL_FORBIDDEN, &c);
    w.p.chats.data = realloc(w.p.chats.data, w.p.chats.len + p->len);
    ck_assert_ptr_nonnull(w.p.chats.data);
    memcpy(w.p.chats.data + w.p.chats.len, p->data, p->len);
    w.p.chats.len += p->len;
    w.p.chats.cap = w.p.chats.len;
    w.p.chats.count++;
    gap_packet_unref(p);
}

static void lose_channel(int seed)
{
    begin_channel(seed);
    feed_channel(7, 52);
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    world_run(&w, 1000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] channel 7 lost at 50: 400\n");
}

/* Back again: its next update is the base, as of any channel. */
static void expect_back(void)
{
    world_run(&w, 2000);
    feed_channel(7, 90);
    feed_channel(7, 92);
    world_answer(&w, 20, channel_difference(7, 91, 91, true));
    world_run(&w, 10000);
    world_expect(&w, "[1000] apply updateChannel\n[2000] apply 7:90\n"
                     "[2500] channel 7 difference from 90\n[2520] apply 7:91\n"
                     "[2520] apply 7:92\n");
}

/* updateChannel, which says nothing about the channel. */
START_TEST(s44_back_without_a_word)
{
    lose_channel(_i);
    w.p.lonely = true;
    pack_update_channel(7);
    feed();
    w.p.lonely = false;
    expect_back();
    world_fini(&w);
}
END_TEST

/* updateChannel with the channel beside it. */
START_TEST(s44_back_and_accessible)
{
    lose_channel(_i);
    pack_update_channel(7);
    pack_channel(&w.p, 7);
    feed();
    expect_back();
    world_fini(&w);
}
END_TEST

/* updateChannel with a channelForbidden: it stays away, nothing is asked, until it is told anew. */
START_TEST(s44_forbidden)
{
    lose_channel(_i);
    pack_update_channel(7);
    pack_forbidden(7);
    feed();
    world_run(&w, 1500);
    world_expect(&w, "[1000] apply updateChannel\n");
    world_run(&w, 800000);
    world_expect(&w, "");
    pack_update_channel(7);
    pack_channel(&w.p, 7);
    feed();
    feed_channel(7, 120);
    world_run(&w, 810000);
    world_expect(&w, "[800000] apply updateChannel\n[800000] apply 7:120\n");
    world_fini(&w);
}
END_TEST

/* M14: put out, with a channelForbidden beside updateChannel. No push will show it any more: it is
 * asked for at once, the refusal is told, and later ones are no news. */
START_TEST(s44_m14_put_out)
{
    begin_channel(_i);
    pack_update_channel(7);
    pack_forbidden(7);
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    feed();
    world_run(&w, 1000);
    pack_update_channel(7);
    pack_forbidden(7);
    feed();
    world_run(&w, 2000);
    world_expect(&w, "[   0] apply updateChannel\n[   0] channel 7 difference from 50\n"
                     "[  20] channel 7 lost at 50: 400\n[1000] apply updateChannel\n");
    world_fini(&w);
}
END_TEST

/* ---- errors of the moment ---- */

START_TEST(s45_m04_errors_of_the_moment)
{
    static const struct {
        int32_t code; /* 0: no answer in time */
        const char *text;
    } errors[] = {{500, "HISTORY_GET_FAILED"},
                  {500, "RPC_CALL_FAIL"},
                  {500, "INTERNAL"},
                  {-503, "Timeout"},
                  {0, NULL}};

    for (size_t i = 0; i < 2 * GAP_ARRAY_LEN(errors); i++) {
        bool channel = i % 2 != 0;
        const char *who = channel ? "channel 7" : "common";
        begin_channel(_i);
        if (channel)
            feed_channel(7, 52);
        else
            feed_message(12);
        for (int n = 0; n < 2; n++) {
            if (errors[i / 2].code != 0)
                world_error(&w, 20, errors[i / 2].code, errors[i / 2].text);
            else
                world_fail(&w, 20, GAP_E_TIMEOUT);
        }
        if (channel)
            world_answer(&w, 20, channel_difference(7, 51, 51, true));
        else
            world_answer(&w, 20, difference(11, 11));
        world_run(&w, 1000);
        feed_channel(8, 20); /* nobody else waits */
        world_run(&w, 20000);
        expect_nothing();
        expect_at(500, channel ? "channel 7 difference from 50" : "difference from 10");
        expect_at(520, "%s failed, again in 1000 ms", who);
        expect_at(1000, "apply 8:20");
        expect_at(1520, channel ? "channel 7 difference from 50" : "difference from 10");
        expect_at(1540, "%s failed, again in 2000 ms", who);
        expect_at(3540, channel ? "channel 7 difference from 50" : "difference from 10");
        expect_at(3560, channel ? "apply 7:51" : "apply 11");
        expect_at(3560, channel ? "apply 7:52" : "apply 12");
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* ---- connections ---- */

/* The connection goes while the difference is on its way: asked again, delivered once. */
START_TEST(s48_connection_lost)
{
    begin(_i);
    feed_message(12);
    world_fail(&w, 100, GAP_E_DISCONNECTED);
    world_answer(&w, 20, difference(11, 12));
    world_run(&w, 700);
    feed_message(13);
    feed_message(12); /* the server repeats what it has no receipt for */
    world_run(&w, 20000);
    world_expect(&w, "[ 500] difference from 10\n[ 600] common failed, again in 1000 ms\n"
                     "[1600] difference from 10\n[1620] apply 11\n[1620] apply 12\n"
                     "[1620] apply 13\n");
    world_fini(&w);
}
END_TEST

/* There is no connection at all when it would be asked. */
START_TEST(s48_no_connection)
{
    begin(_i);
    feed_message(12);
    w.refuse = true;
    world_run(&w, 600);
    w.refuse = false;
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 20000);
    world_expect(&w, "[ 500] common failed, again in 1000 ms\n[1500] difference from 10\n"
                     "[1520] apply 11\n[1520] apply 12\n");
    world_fini(&w);
}
END_TEST

/* A new session ends the pause that only the lost connection caused; not one that the server's
 * refusal did. */
START_TEST(s48_m18_back_in_a_new_session)
{
    begin(_i);
    feed_message(12);
    for (int i = 0; i < 7; i++) world_fail(&w, 0, GAP_E_TIMEOUT);
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 70000); /* the next try is at 123,500 */
    world_forget(&w);
    gap_engine_missed(w.engine);
    world_run(&w, 80000);
    world_expect(&w, "[70000] difference from 10\n[70020] apply 11\n[70020] apply 12\n");
    feed_message(14);
    world_error(&w, 0, 500, "PERSISTENT_TIMESTAMP_OUTDATED");
    world_answer(&w, 20, difference(13, 13));
    world_run(&w, 80600);
    gap_engine_missed(w.engine);
    world_run(&w, 90000);
    world_expect(&w, "[80500] difference from 12\n[80500] common failed, again in 1000 ms\n"
                     "[81500] difference from 12\n[81520] apply 13\n[81520] apply 14\n");
    world_fini(&w);
}
END_TEST

/* ---- hashes, first starts, what can't be read ---- */

/* A stored channel without its access hash: the common difference is asked for it, once. */
START_TEST(s49_hash_by_the_common_difference)
{
    gap_engine_channel_t channel = {7, 0, 50, false};
    gap_engine_state_t state = {10, 5, 1, PACK_DATE, &channel, 1};
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.state = &state;
    begin_with(_i, &c);
    w.p.lonely = true;
    feed_channel(7, 52);
    pack_user(&w.p, PACK_USER, false);
    pack_channel(&w.p, 7);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] channel 7 difference from 50\n"
                     "[ 540] apply 7:51\n[ 540] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* A first start, and a start with a state that has no date: neither asks with nothing. */
START_TEST(s50_first_start)
{
    gap_engine_state_t state = {10, 5, 1, 0, NULL, 0};
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(7, 0, 0));
    world_run(&w, 30);
    world_expect(&w, "[   0] state\n[  20] difference from 7\n");
    ck_assert_int_eq(w.calls[0].pts, 7);
    ck_assert_int_eq(w.calls[0].date, PACK_DATE - 1);
    world_fini(&w);
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_run(&w, 30);
    world_expect(&w, "[   0] difference from 10\n");
    ck_assert_int_eq(w.calls[0].date, 1);
    world_fini(&w);
}
END_TEST

/* The server does not like the date: it is asked again later, nothing stops. */
START_TEST(s50_date_empty)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 20, 400, "DATE_EMPTY");
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] common failed, again in 1000 ms\n"
                     "[1020] difference from 10\n[1040] apply 11\n");
    world_fini(&w);
}
END_TEST

/* A constructor that nobody knows behind updates that can be read: these are delivered, the
 * difference brings the rest, and a second one waits ten seconds. */
START_TEST(s51_m23_unknown_constructor)
{
    begin(_i);
    for (int32_t n = 0; n < 2; n++) {
        pack_query(&w.p, 1 + n);
        pack_message(&w.p, 11 + n, 1, 11 + n, PACK_USER);
        pack_status(&w.p, 9);
        gap_packet_t *p = pack_updates(&w.p, 2 + n);
        for (size_t i = 0; i + 4 <= p->len; i += 4) {
            uint32_t id;
            memcpy(&id, p->data + i, 4);
            if (id == GAP_TL_UPDATE_USER_STATUS) memset(p->data + i, 0x5a, 4);
        }
        ck_assert_int_lt(world_feed(&w, p), 0);
        world_answer(&w, 20, n == 0 ? difference(11, 11) : pack_empty(3));
        world_run(&w, 100 * ((uint64_t)n + 1));
    }
    world_run(&w, 20000);
    expect_lines(_i, "[   0] apply query 1\n[   0] difference from 10\n[  20] apply 11\n"
                     "[ 100] apply query 2\n[ 100] apply 12\n[10000] difference from 12\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_errors");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s41_outdated_once, 0, SEEDS);
    tcase_add_loop_test(t, s42_outdated_for_ever, 0, SEEDS);
    tcase_add_loop_test(t, s43_m25_common_position_refused, 0, SEEDS);
    tcase_add_loop_test(t, s43_channel_position_refused, 0, SEEDS);
    tcase_add_loop_test(t, s43_refused_for_ever, 0, SEEDS);
    tcase_add_loop_test(t, s44_back_without_a_word, 0, SEEDS);
    tcase_add_loop_test(t, s44_back_and_accessible, 0, SEEDS);
    tcase_add_loop_test(t, s44_forbidden, 0, SEEDS);
    tcase_add_loop_test(t, s44_m14_put_out, 0, SEEDS);
    tcase_add_loop_test(t, s45_m04_errors_of_the_moment, 0, SEEDS);
    tcase_add_loop_test(t, s48_connection_lost, 0, SEEDS);
    tcase_add_loop_test(t, s48_no_connection, 0, SEEDS);
    tcase_add_loop_test(t, s48_m18_back_in_a_new_session, 0, SEEDS);
    tcase_add_loop_test(t, s49_hash_by_the_common_difference, 0, SEEDS);
    tcase_add_loop_test(t, s50_first_start, 0, SEEDS);
    tcase_add_loop_test(t, s50_date_empty, 0, SEEDS);
    tcase_add_loop_test(t, s51_m23_unknown_constructor, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
