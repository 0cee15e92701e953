/*
 * The store loop in the virtual world: searches, the session file, the end at any step, memory that
 * runs out, any order of everything.
 */
#include "tests/sim/store_world.h"

#define STEPS 400 /* of a life in which close is tried at every one */
#define SEEDS 200

/* ---- searching ---- */

static struct answer search(const gap_peer_key_t *key)
{
    struct answer a = {0};

    ck_assert_int_eq(gap_store_find(store, key, on_found, &a), 0);
    ck_assert_int_eq(a.count, 0);
    for (int i = 0; i < 1000 && a.count == 0; i++) sim_run_for(sim, MS);
    ck_assert_int_eq(a.count, 1);
    return a;
}

START_TEST(peers_are_found_wherever_they_are)
{
    gap_bytes_t anna = gap_str("anna");
    gap_peer_key_t by_id = {.by = GAP_BY_ID, .peer = {3, GAP_PEER_USER}};
    gap_peer_key_t by_name = {.by = GAP_BY_USERNAME, .text = gap_str("Anna")};
    static const struct sim_options slow = {.work_us = 100 * MS};

    begin(5, &slow);
    ck_assert_int_eq(try_open(NULL), 0);
    sim_run_for(sim, S);
    ck_assert(!search(&by_id).found);
    put(user(3, 30, &anna));
    ck_assert_int_eq(search(&by_id).hash, 30);
    ck_assert_int_eq(search(&by_name).id, 3);
    gap_store_touch(store);
    for (int i = 0; i < 50; i++) { /* before, in and after the commit */
        struct answer a = search(&by_name);
        ck_assert_int_eq(a.hash, 30);
        ck_assert_uint_eq(a.names, 1);
        sim_run_for(sim, 7 * MS);
    }
    ck_assert_uint_ge(door.committed, 1);
    fail_commits(GAP_E_STORAGE, 16);
    put(user(3, 31, NULL)); /* newer, its names are on the disk */
    struct answer a = search(&by_name);
    ck_assert_int_eq(a.hash, 31);
    ck_assert_uint_eq(a.names, 1);
    a = search(&by_id);
    ck_assert_int_eq(a.hash, 31);
    ck_assert_uint_eq(a.names, 1);
    put(user(4, 40, &anna)); /* the name moves on */
    ck_assert_int_eq(search(&by_name).id, 4);
    put(user(4, 40, (gap_bytes_t[]){gap_str("berta")}));
    ck_assert_int_eq(search(&by_name).id, 3);
    gap_record_t gone = user(3, 0, NULL);
    gone.removed = true;
    put(gone);
    ck_assert(!search(&by_name).found);
    ck_assert(!search(&by_id).found);
    door.commit_count = 0;
    end();
}
END_TEST

START_TEST(a_search_that_fails_says_so)
{
    gap_peer_key_t by_id = {.by = GAP_BY_ID, .peer = {3, GAP_PEER_USER}};

    begin(1, NULL);
    open_store();
    door.find_status = GAP_E_STORAGE;
    ck_assert_int_eq(search(&by_id).status, GAP_E_STORAGE);
    door.find_status = GAP_E_SYNC;
    ck_assert_int_eq(search(&by_id).status, GAP_E_SYNC);
    door.find_status = 0;
    sim_run_for(sim, S); /* opened anew */
    ck_assert_int_eq(search(&by_id).status, 0);
    ck_assert_uint_eq(lines("load"), 2);
    end();
}
END_TEST

/* ---- the session ---- */

static gap_bytes_t session_bytes(void)
{
    gap_bytes_t b = gap_bytes(NULL, 0);
    (void)sim_disk_get(sim, "account.session", &b);
    return b;
}

static struct gap_session_data session_of(int64_t user_id)
{
    struct gap_session_data data;
    memset(&data, 0, sizeof data);
    data.user_id = user_id;
    data.main_dc = 2;
    return data;
}

static void save(int64_t user_id, struct answer *a)
{
    struct gap_session_data data = session_of(user_id);
    ck_assert_int_eq(gap_store_save_session(store, &data, on_done, a), 0);
}

/* Who is in the session file, read by another store. */
static int64_t session_user(void)
{
    gap_session_file_t *file;
    struct gap_session_data data;
    gap_storage_fault_t why;

    int r = gap_session_file_open(env, "account.session", &file, &data, &why);
    ck_assert_int_eq(r, 0);
    gap_session_file_close(file);
    return data.user_id;
}

START_TEST(the_session_is_saved_at_once)
{
    struct answer done[3] = {{0}, {0}, {0}};

    begin(1, NULL);
    ck_assert_int_eq(try_open("account.session"), 0);
    sim_run_for(sim, 10 * MS);
    save(1, &done[0]);
    save(2, &done[1]);
    sim_run_for(sim, 10 * MS);
    ck_assert_int_eq(done[0].count, 1);
    ck_assert_int_eq(done[1].count, 1);
    ck_assert_int_eq(done[0].status + done[1].status, 0);
    sim_disk_fail(sim, SIM_DISK_WRITE, 1, 3, -28);
    save(3, &done[2]);
    sim_run_for(sim, 10 * MS);
    ck_assert_int_eq(done[2].count, 1);
    ck_assert_int_lt(done[2].status, 0);
    ck_assert_int_eq(owner.failed, 1);
    ck_assert(!gap_store_is_clean(store));
    sim_run_for(sim, 60 * S);
    ck_assert_int_eq(owner.recovered, 1);
    ck_assert(gap_store_is_clean(store));
    ck_assert_uint_gt(session_bytes().len, 0);
    close_store();
    ck_assert_int_eq(session_user(), 3);
    end();
}
END_TEST

/* ---- the end, at any step ---- */

/* A life with everything in it. @return steps taken. */
static int live(uint64_t seed, int close_at)
{
    struct sim_options options = sim_options_rough(seed);
    struct answer answers[8];
    gap_bytes_t name = gap_str("anna");
    gap_peer_key_t by_name = {.by = GAP_BY_USERNAME, .text = gap_str("anna")};
    gap_peer_key_t by_id = {.by = GAP_BY_ID, .peer = {9, GAP_PEER_USER}};
    int asked = 0;
    int step = 0;

    memset(answers, 0, sizeof answers);
    begin(seed, &options);
    ck_assert_int_eq(try_open("account.session"), 0);
    fail_commits(0, 16);
    door.commits[1] = GAP_E_STORAGE;
    door.commits[2] = GAP_E_SYNC;
    door.sync_applies = seed % 2 == 0;
    for (; step < STEPS && store != NULL; step++) {
        if (step == close_at) gap_store_close(store, on_closed, NULL);
        if (step == 3 || step == 60) owner.pts = 10 + step;
        if (step == 3 || step == 60) gap_store_touch(store);
        if (step == 4) put(user(3, 30, &name));
        if (step == 5 || step == 90)
            asked += gap_store_find(store, &by_name, on_found, &answers[step / 50]) == 0;
        if (step == 8 || step == 70)
            asked += gap_store_flush(store, on_done, &answers[2 + step / 50]) == 0;
        if (step == 9) asked += gap_store_find(store, &by_id, on_found, &answers[4]) == 0;
        if (step == 12 || step == 80) {
            struct gap_session_data data = session_of(step);
            asked += gap_store_save_session(store, &data, on_done, &answers[5 + step / 50]) == 0;
        }
        (void)sim_step(sim, sim_now_us(sim) + 100 * MS);
    }
    if (owner.closed == 0 && close_at >= step) gap_store_close(store, on_closed, NULL);
    sim_run_for(sim, 200 * S);
    ck_assert_int_eq(owner.closed, 1);
    ck_assert(door.destroyed);
    for (size_t i = 0; i < GAP_ARRAY_LEN(answers); i++) {
        ck_assert_int_le(answers[i].count, 1);
        asked -= answers[i].count;
    }
    ck_assert_int_eq(asked, 0);
    ck_assert_int_le(owner.opened, 1);
    store = NULL;
    end();
    return step;
}

START_TEST(may_be_closed_at_any_step)
{
    for (int step = _i; step < 130; step += 13) (void)live((uint64_t)step % 4 + 1, step);
}
END_TEST

/* ---- out of memory ---- */

START_TEST(memory_may_run_out_at_any_point)
{
    gap_bytes_t name = gap_str("anna");
    gap_peer_key_t by_name = {.by = GAP_BY_USERNAME, .text = gap_str("x")};

    for (long n = 1; n < 60; n++) {
        struct answer flushed = {0};
        struct answer found = {0};
        begin(1, NULL);
        store_before(channel(7, 9));
        store_before(user(3, 4, NULL));
        fault.fail_at = fault.calls + n;
        int r = try_open(NULL);
        if (r < 0) {
            ck_assert_int_eq(r, GAP_E_NOMEM);
            door.destroyed = true;
            fault.fail_at = 0;
            end();
            continue;
        }
        sim_run_for(sim, 10 * MS);
        ck_assert_int_eq(owner.opened, 1);
        gap_record_t peer = user(3, 30, &name);
        owner.pts = 42;
        r = gap_store_put(store, &peer);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        gap_store_touch(store);
        bool finds = gap_store_find(store, &by_name, on_found, &found) == 0;
        bool flushes = gap_store_flush(store, on_done, &flushed) == 0;
        sim_run_for(sim, 10 * S); /* whatever failed was tried again */
        ck_assert_int_eq(found.count, finds);
        ck_assert_int_eq(flushed.count, flushes);
        if (owner.open_status == 0) ck_assert_int_eq(on_disk().pts, 42);
        ck_assert_int_eq(owner.recovered, owner.failed);
        fault.fail_at = 0;
        end();
    }
}
END_TEST

/* ---- any order of everything ---- */

START_TEST(whatever_happens_the_disk_follows)
{
    struct sim_options options = sim_options_rough((uint64_t)_i);
    int32_t pts = 1;
    int32_t kept = 0;

    begin((uint64_t)_i + 1, &options);
    ck_assert_int_eq(try_open(NULL), 0);
    for (int i = 0; i < 200; i++) {
        uint64_t dice = gap_prng_below(sim_prng(sim), 8);
        if (dice == 0 && door.commit_count == 0)
            fail_commits(gap_prng_below(sim_prng(sim), 2) == 0 ? GAP_E_SYNC : GAP_E_STORAGE, 1);
        door.sync_applies = gap_prng_below(sim_prng(sim), 2) == 0;
        if (dice == 1) owner.pts = 0; /* not what is older after it */
        if (dice == 1) put(state(++pts));
        if (dice == 2) owner.pts = ++pts;
        if (dice == 2) gap_store_touch(store);
        if (dice == 3) put(channel(7, ++pts));
        if (dice == 4) ck_assert_int_eq(gap_store_flush(store, NULL, NULL), 0);
        sim_run_for(sim, gap_prng_below(sim_prng(sim), 200 * MS));
        if (door.inside || owner.opened == 0) continue;
        ck_assert_int_ge(on_disk().pts, kept); /* never back */
        kept = on_disk().pts;
        ck_assert_int_le(kept, pts);
    }
    door.commit_count = 0;
    owner.pts = ++pts;
    gap_store_touch(store);
    sim_run_for(sim, 200 * S);
    ck_assert(gap_store_is_clean(store));
    ck_assert_int_eq(on_disk().pts, pts);
    ck_assert_int_eq(owner.recovered, owner.failed);
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("store_life");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, peers_are_found_wherever_they_are);
    tcase_add_test(t, a_search_that_fails_says_so);
    tcase_add_test(t, the_session_is_saved_at_once);
    tcase_add_loop_test(t, may_be_closed_at_any_step, 0, 13);
    tcase_add_test(t, memory_may_run_out_at_any_point);
    tcase_add_loop_test(t, whatever_happens_the_disk_follows, 0, gap_test_seeds(SEEDS));
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
