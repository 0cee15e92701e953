/*
 * The store loop in the virtual world: what opening tells, when it commits, what it does when the
 * storage fails in each of its ways, what a flush waits for.
 */
#include "tests/sim/store_world.h"

/* ---- opening ---- */

START_TEST(hands_over_what_was_kept)
{
    begin(1, NULL);
    store_before(state(77));
    store_before(account(5));
    store_before(channel(7, 9));
    store_before(user(3, 4, NULL));
    open_store();
    ck_assert_int_eq(owner.open_status, 0);
    ck_assert(owner.loaded.has_state);
    ck_assert_int_eq(owner.loaded.state.pts, 77);
    ck_assert(owner.loaded.has_account);
    ck_assert_int_eq(owner.loaded.account.user_id, 5);
    ck_assert_uint_eq(owner.loaded.channel_count, 1);
    ck_assert_int_eq(owner.first_channel.pts, 9);
    ck_assert_uint_eq(owner.loaded.peer_count, 1);
    ck_assert(gap_store_is_clean(store));
    end();
    ck_assert_int_eq(owner.last_status, 0);
    ck_assert_uint_eq(door.committed, 0); /* nothing has changed */
}
END_TEST

START_TEST(tells_why_it_cannot_be_opened)
{
    static const int statuses[] = {GAP_E_HELD,    GAP_E_FOREIGN, GAP_E_NEWER,
                                   GAP_E_DAMAGED, GAP_E_STORAGE, GAP_E_NOMEM};
    gap_peer_key_t key = {.by = GAP_BY_ID, .peer = {3, GAP_PEER_USER}};

    for (size_t i = 0; i < 2 * GAP_ARRAY_LEN(statuses); i++) {
        int status = statuses[i / 2];
        struct answer flushed = {0};
        struct answer found = {0};
        begin(1, NULL);
        *(i % 2 == 0 ? &door.open_status : &door.load_status) = status;
        ck_assert_int_eq(try_open(NULL), 0);
        put(state(1)); /* before it is open: legal */
        gap_store_touch(store);
        sim_run_for(sim, 10 * MS);
        ck_assert_int_eq(owner.opened, 1);
        ck_assert_int_eq(owner.open_status, status);
        if (i % 2 == 0) ck_assert(owner.had_fault_text);
        put(state(2));
        gap_store_touch(store);
        ck_assert_int_eq(gap_store_flush(store, on_done, &flushed), 0);
        ck_assert_int_eq(gap_store_find(store, &key, on_found, &found), 0);
        sim_run_for(sim, 10 * S);
        ck_assert_int_eq(flushed.count, 1);
        ck_assert_int_eq(flushed.status, status);
        ck_assert_int_eq(found.count, 1);
        ck_assert_int_eq(found.status, status);
        ck_assert(gap_store_is_clean(store));
        end();
        ck_assert_int_eq(owner.opened, 1);
        ck_assert_int_eq(owner.collects, 0);
        ck_assert_int_eq(owner.last_status, status);
        ck_assert_uint_eq(door.attempts, 0);
    }
}
END_TEST

START_TEST(without_a_thread_it_cannot_be_opened)
{
    begin(1, NULL);
    sim_refuse_threads(env, 100);
    threadless = true;
    ck_assert_int_eq(try_open(NULL), 0);
    sim_run_for(sim, S);
    ck_assert_int_eq(owner.opened, 1);
    ck_assert_int_lt(owner.open_status, 0);
    end();
}
END_TEST

START_TEST(without_a_storage_nothing_is_kept)
{
    struct gap_store_config config = {NULL, NULL};
    struct gap_session_data data;
    struct answer done[2] = {{0}, {0}};
    struct answer found = {0};
    gap_peer_key_t key = {.by = GAP_BY_ID, .peer = {3, GAP_PEER_USER}};

    memset(&data, 0, sizeof data);
    begin(1, NULL);
    ck_assert_int_eq(gap_store_open(&rt, &config, &store_events, NULL, &store), 0);
    put(state(1));
    gap_store_touch(store);
    ck_assert_int_eq(gap_store_flush(store, on_done, &done[0]), 0);
    ck_assert_int_eq(gap_store_save_session(store, &data, on_done, &done[1]), 0);
    ck_assert_int_eq(gap_store_find(store, &key, on_found, &found), 0);
    sim_run_for(sim, S);
    ck_assert_int_eq(owner.opened, 1);
    ck_assert_int_eq(owner.open_status, 0);
    ck_assert_int_eq(done[0].count + done[1].count + found.count, 3);
    ck_assert_int_eq(done[0].status + done[1].status + found.status, 0);
    ck_assert(!found.found);
    door.destroyed = true;
    end();
    ck_assert_int_eq(owner.last_status, 0);
}
END_TEST

/* ---- when ---- */

START_TEST(commits_in_groups)
{
    begin(1, NULL);
    open_store();
    for (int i = 1; i <= 100; i++) put(channel(i, i));
    put(state(5));
    ck_assert(!gap_store_is_clean(store));
    sim_run_for(sim, GAP_STORE_INTERVAL_US - MS);
    ck_assert_uint_eq(door.committed, 0);
    sim_run_for(sim, 2 * MS);
    ck_assert_uint_eq(door.committed, 1);
    ck_assert_uint_eq(door.last_count, 101);
    ck_assert(gap_store_is_clean(store));
    /* Under a steady stream: one in each interval. */
    for (int i = 0; i < 1000; i++) {
        put(state(6 + i));
        sim_run_for(sim, MS);
    }
    ck_assert_uint_ge(door.committed, 18);
    ck_assert_uint_le(door.committed, 21);
    end();
}
END_TEST

START_TEST(collects_once_for_each_commit)
{
    begin(1, NULL);
    open_store();
    for (int i = 0; i < 10; i++) gap_store_touch(store);
    owner.pts = 42;
    sim_run_for(sim, S);
    ck_assert_int_eq(owner.collects, 1);
    ck_assert_uint_eq(door.committed, 1);
    ck_assert_int_eq(on_disk().pts, 42);
    gap_store_touch(store); /* nothing has changed: no commit */
    sim_run_for(sim, S);
    ck_assert_int_eq(owner.collects, 2);
    ck_assert_uint_eq(door.committed, 1);
    ck_assert(gap_store_is_clean(store));
    end();
    ck_assert_int_eq(owner.collects, 3); /* the last one */
}
END_TEST

START_TEST(what_could_not_be_collected_is_collected_again)
{
    begin(1, NULL);
    open_store();
    owner.pts = 42;
    owner.refuse = 1;
    put(channel(7, 3));
    sim_run_for(sim, 900 * MS);
    ck_assert_int_eq(on_disk().channel_pts, 3); /* what was put is stored */
    ck_assert_int_eq(owner.collects, 1);
    ck_assert(!gap_store_is_clean(store));
    sim_run_for(sim, 300 * MS);
    ck_assert_int_eq(owner.collects, 2);
    ck_assert_int_eq(on_disk().pts, 42);
    end();
}
END_TEST

START_TEST(rests_longer_after_a_costly_commit)
{
    static const struct {
        uint64_t cost_us;
        uint64_t rest_us;
        const char *why;
    } cases[] = {{0, GAP_STORE_INTERVAL_US, "free"},
                 {100, GAP_STORE_INTERVAL_US, "below the least pause"},
                 {5000, 5000 * GAP_STORE_COST_FACTOR, "a part of the time"},
                 {100000, GAP_STORE_INTERVAL_MAX_US, "the longest pause"}};

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        begin(1, NULL);
        open_store();
        commit_cpu_us = cases[i].cost_us;
        put(state(1));
        sim_run_for(sim, GAP_STORE_INTERVAL_US + MS);
        ck_assert_uint_eq(door.committed, 1);
        put(state(2));
        sim_run_for(sim, cases[i].rest_us - 2 * MS);
        ck_assert_msg(door.committed == 1, "%s", cases[i].why);
        sim_run_for(sim, 3 * MS);
        ck_assert_msg(door.committed == 2, "%s", cases[i].why);
        end();
    }
}
END_TEST

/* ---- failures ---- */

START_TEST(a_failed_commit_is_tried_again)
{
    static const int statuses[] = {GAP_E_STORAGE, GAP_E_NOMEM, GAP_E_DAMAGED, -5, 3};

    for (size_t i = 0; i < GAP_ARRAY_LEN(statuses); i++) {
        begin(1, NULL);
        open_store();
        fail_commits(statuses[i], 3);
        put(state(10));
        put(channel(7, 1));
        sim_run_for(sim, 100 * MS);
        ck_assert_int_eq(owner.failed, 1);
        ck_assert_uint_eq(owner.retry_us, GAP_STORE_RETRY_MIN_US);
        put(state(11)); /* overrides; the channel comes again */
        sim_run_for(sim, 800 * MS);
        ck_assert_uint_eq(lines("commit"), 1);
        sim_run_for(sim, 200 * MS);
        ck_assert_uint_eq(lines("commit"), 2);
        sim_run_for(sim, 2 * S);
        ck_assert_uint_eq(lines("commit"), 3);
        ck_assert_int_eq(owner.recovered, 0);
        sim_run_for(sim, 4 * S);
        ck_assert_uint_eq(lines("commit"), 4);
        ck_assert_int_eq(owner.failed, 1);
        ck_assert_int_eq(owner.recovered, 1);
        ck_assert_uint_eq(door.last_count, 2);
        ck_assert_int_eq(on_disk().pts, 11);
        ck_assert_int_eq(on_disk().channel_pts, 1);
        ck_assert(gap_store_is_clean(store));
        end();
    }
}
END_TEST

START_TEST(after_a_doubtful_commit_the_storage_is_opened_anew)
{
    for (int applied = 0; applied < 2; applied++) {
        begin(1, NULL);
        open_store();
        put(account(5));
        put(state(9));
        sim_run_for(sim, 100 * MS);
        door.sync_applies = applied != 0;
        fail_commits(GAP_E_SYNC, 1);
        put(state(10));
        sim_run_for(sim, 100 * MS);
        put(channel(7, 2));
        sim_run_for(sim, 2 * S);
        ck_assert_str_eq(strstr(sim_trace_text(sim), "commit: ") == NULL ? "" : "there", "there");
        ck_assert_uint_eq(lines("close"), 1);
        ck_assert_uint_eq(lines("open"), 2);
        ck_assert_uint_eq(lines("load"), 2);
        ck_assert_uint_eq(lines("commit"), 3);
        ck_assert_int_eq(owner.failed, 1);
        ck_assert_int_eq(owner.recovered, 1);
        ck_assert_int_eq(on_disk().pts, 10);
        ck_assert_int_eq(on_disk().channel_pts, 2);
        end();
    }
}
END_TEST

/* Somebody else has written meanwhile: what is ahead of us is put right, another account's is left
 * alone. */
START_TEST(what_it_holds_then_must_be_ours)
{
    for (int foreign = 0; foreign < 2; foreign++) {
        gap_storage_fault_t why;
        gap_record_t r;
        begin(1, NULL);
        open_store();
        put(account(5));
        put(state(9));
        sim_run_for(sim, 100 * MS);
        fail_commits(GAP_E_SYNC, 1);
        put(channel(7, 2));
        sim_run_for(sim, 100 * MS);
        r = foreign ? account(6) : state(1000);
        ck_assert_int_eq(disk->ops->commit(disk, &r, 1, &why), 0);
        sim_run_for(sim, 2 * S);
        ck_assert_int_eq(owner.recovered, !foreign);
        ck_assert_int_eq(on_disk().pts, 9);
        ck_assert_int_eq(on_disk().account, foreign ? 6 : 5);
        ck_assert_int_eq(on_disk().channel_pts, foreign ? 0 : 2);
        end();
        if (foreign) ck_assert_int_eq(owner.last_status, GAP_E_ACCOUNT);
    }
}
END_TEST

START_TEST(it_may_take_long_to_be_opened_anew)
{
    struct answer found = {0};
    struct answer flushed = {0};
    gap_peer_key_t key = {.by = GAP_BY_ID, .peer = {3, GAP_PEER_USER}};

    begin(1, NULL);
    open_store();
    fail_commits(GAP_E_SYNC, 1);
    put(state(10));
    sim_run_for(sim, 100 * MS);
    door.open_status = GAP_E_HELD;
    ck_assert_int_eq(gap_store_find(store, &key, on_found, &found), 0);
    ck_assert_int_eq(gap_store_flush(store, on_done, &flushed), 0);
    sim_run_for(sim, 20 * S);
    ck_assert_int_eq(found.count, 1);
    ck_assert_int_eq(found.status, GAP_E_SYNC);
    ck_assert_int_eq(flushed.count, 1);
    ck_assert_int_eq(flushed.status, GAP_E_HELD);
    ck_assert_uint_ge(lines("open:"), 4);
    ck_assert_int_eq(owner.failed, 1);
    door.open_status = 0;
    sim_run_for(sim, 60 * S);
    ck_assert_int_eq(owner.recovered, 1);
    ck_assert_int_eq(on_disk().pts, 10);
    end();
}
END_TEST

/* ---- flush ---- */

START_TEST(a_flush_commits_at_once)
{
    struct answer first = {0};
    struct answer second = {0};
    struct answer third = {0};
    static const struct sim_options slow = {.work_us = 400 * MS};

    begin(3, &slow);
    ck_assert_int_eq(try_open(NULL), 0);
    sim_run_for(sim, 2 * S);
    put(state(10));
    ck_assert_int_eq(gap_store_flush(store, on_done, &first), 0);
    ck_assert_int_eq(first.count, 0);
    while (!door.inside && door.committed == 0) sim_run_for(sim, MS);
    put(state(11)); /* too late for the first commit */
    ck_assert_int_eq(gap_store_flush(store, on_done, &second), 0);
    while (second.count == 0) sim_run_for(sim, MS);
    ck_assert_int_eq(first.count, 1);
    ck_assert_int_eq(first.status, 0);
    ck_assert_int_eq(second.status, 0);
    ck_assert_uint_eq(door.committed, 2);
    ck_assert_int_eq(on_disk().pts, 11);
    owner.pts = 12; /* not touched: asked for all the same */
    ck_assert_int_eq(gap_store_flush(store, NULL, NULL), 0);
    ck_assert_int_eq(gap_store_flush(store, on_done, &third), 0);
    while (third.count == 0) sim_run_for(sim, MS);
    ck_assert_int_eq(on_disk().pts, 12);
    end();
}
END_TEST

START_TEST(a_flush_tells_of_failure_and_is_no_end)
{
    struct answer flushed = {0};

    begin(1, NULL);
    open_store();
    fail_commits(GAP_E_STORAGE, 2);
    put(state(10));
    sim_run_for(sim, 100 * MS);
    ck_assert_int_eq(gap_store_flush(store, on_done, &flushed), 0);
    sim_run_for(sim, 10 * MS); /* not after the second of pause */
    ck_assert_int_eq(flushed.count, 1);
    ck_assert_int_eq(flushed.status, GAP_E_STORAGE);
    sim_run_for(sim, 5 * S);
    ck_assert_int_eq(on_disk().pts, 10);
    end();
}
END_TEST

/* What a handler has written never gets ahead of its update's position. */
START_TEST(a_value_takes_the_positions_with_it)
{
    gap_record_t value = {.kind = GAP_RECORD_VALUE,
                          .u.value = {gap_bytes("k", 1), gap_bytes("v", 1)}};

    begin(1, NULL);
    open_store();
    owner.pts = 100;
    gap_store_touch(store);
    sim_run_for(sim, 100 * MS);
    ck_assert_int_eq(on_disk().pts, 100);
    int collects = owner.collects;
    owner.pts = 101;
    gap_store_touch(store);
    put(user(3, 4, NULL));
    gap_store_hurry(store);
    sim_run_for(sim, 6 * MS);
    ck_assert_int_eq(on_disk().pts, 100); /* in a hurry, but without positions */
    ck_assert_uint_eq(on_disk().peers, 1);
    put(value);
    gap_store_hurry(store);
    sim_run_for(sim, 6 * MS);
    ck_assert_int_eq(on_disk().pts, 101);
    ck_assert_int_eq(owner.collects, collects + 1);
    /* If they can't be had the value waits with them. */
    uint64_t committed = door.committed;
    owner.pts = 102;
    owner.refuse = 1;
    put(value);
    gap_store_hurry(store);
    sim_run_for(sim, 100 * MS);
    ck_assert_uint_eq(door.committed, committed);
    sim_run_for(sim, 2 * S);
    ck_assert_uint_eq(door.committed, committed + 1);
    ck_assert_int_eq(on_disk().pts, 102);
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("store_loop");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, hands_over_what_was_kept);
    tcase_add_test(t, tells_why_it_cannot_be_opened);
    tcase_add_test(t, without_a_thread_it_cannot_be_opened);
    tcase_add_test(t, without_a_storage_nothing_is_kept);
    tcase_add_test(t, commits_in_groups);
    tcase_add_test(t, collects_once_for_each_commit);
    tcase_add_test(t, what_could_not_be_collected_is_collected_again);
    tcase_add_test(t, rests_longer_after_a_costly_commit);
    tcase_add_test(t, a_failed_commit_is_tried_again);
    tcase_add_test(t, after_a_doubtful_commit_the_storage_is_opened_anew);
    tcase_add_test(t, what_it_holds_then_must_be_ours);
    tcase_add_test(t, it_may_take_long_to_be_opened_anew);
    tcase_add_test(t, a_flush_commits_at_once);
    tcase_add_test(t, a_flush_tells_of_failure_and_is_no_end);
    tcase_add_test(t, a_value_takes_the_positions_with_it);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
