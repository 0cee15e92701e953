/*
 * Records on their way to a storage: one version of each key, what a failed commit gives back, and
 * whose a name is. What is committed is played into a memory storage, so that the rules of
 * gapless/store.h decide what is right.
 */
#include "../check_main.h"
#include "base/bytes.h"
#include "store/waiting.h"

#include <string.h>

static struct fault_alloc fault;
static gap_waiting_t w;
static gap_storage_t *disk;
static gap_storage_fault_t why;

static void setup(void)
{
    fault_alloc_init(&fault, 0);
    gap_waiting_init(&w, &fault.alloc, 4, 4096);
    ck_assert_int_eq(gap_storage_memory(NULL, &disk), 0);
    ck_assert_int_eq(disk->ops->open(disk, &why), 0);
}

static void teardown(void)
{
    gap_waiting_fini(&w);
    gap_waiting_fini(&w); /* safe twice */
    disk->ops->close(disk);
    disk->ops->destroy(disk);
    ck_assert_int_eq(fault.live, 0);
}

/* ---- short hands ---- */

static gap_record_t state(int32_t pts)
{
    gap_record_t r = {.kind = GAP_RECORD_STATE};
    r.u.state.pts = pts;
    return r;
}

static gap_record_t channel(int64_t id, int32_t pts)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL};
    r.u.channel.id = id;
    r.u.channel.pts = pts;
    return r;
}

/* A user with an access hash; with one username, or with none ("-"), or nothing said (NULL). */
static gap_record_t user(int64_t id, int64_t hash, const char *name)
{
    static gap_bytes_t names[8];
    static size_t turn;
    gap_record_t r = {.kind = GAP_RECORD_PEER};

    r.u.peer.peer = (gap_peer_t){id, GAP_PEER_USER};
    r.u.peer.access_hash = hash;
    r.u.peer.has_hash = true;
    if (name == NULL) return r;
    r.u.peer.has_names = true;
    if (strcmp(name, "-") == 0) return r;
    turn = (turn + 1) % GAP_ARRAY_LEN(names);
    names[turn] = gap_str(name);
    r.u.peer.usernames = &names[turn];
    r.u.peer.username_count = 1;
    return r;
}

static gap_record_t gone(gap_record_t r)
{
    r.removed = true;
    return r;
}

static void put(gap_record_t r)
{
    ck_assert_int_eq(gap_waiting_put(&w, &r), 0);
}

/* A commit of everything; @p stored false: the disk refuses. */
static void take(const gap_record_t **out)
{
    ck_assert_int_eq(gap_waiting_take(&w, out), 0);
}

static void commit(void)
{
    const gap_record_t *records;

    take(&records);
    ck_assert_int_eq(disk->ops->commit(disk, records, w.flying, &why), 0);
    gap_waiting_done(&w, true);
}

static int remember_peer(void *arg, const gap_record_t *record)
{
    int64_t *out = arg;
    out[0] = record->u.peer.peer.id;
    out[1] = record->u.peer.access_hash;
    return 0;
}

/* Who is called so on the disk; 0: nobody. */
static int64_t owner(const char *name)
{
    gap_peer_key_t key = {.by = GAP_BY_USERNAME, .text = gap_str(name)};
    int64_t found[2] = {0, 0};

    ck_assert_int_eq(disk->ops->find(disk, &key, remember_peer, found, &why), 0);
    return found[0];
}

static int64_t hash_of(int64_t id)
{
    gap_peer_key_t key = {.by = GAP_BY_ID, .peer = {id, GAP_PEER_USER}};
    int64_t found[2] = {0, 0};

    ck_assert_int_eq(disk->ops->find(disk, &key, remember_peer, found, &why), 0);
    return found[1];
}

/* ---- keys ---- */

START_TEST(a_later_version_replaces_one_that_waits)
{
    const gap_record_t *records;

    put(state(10));
    put(channel(7, 20));
    put(channel(7, 21));
    put(state(11));
    put(gone(channel(8, 0)));
    ck_assert_uint_eq(w.count, 3);
    take(&records);
    ck_assert_uint_eq(w.flying, 3);
    for (size_t i = 0; i < 3; i++) {
        const gap_record_t *r = &records[i];
        if (r->kind == GAP_RECORD_STATE) ck_assert_int_eq(r->u.state.pts, 11);
        if (r->kind == GAP_RECORD_CHANNEL && r->u.channel.id == 7)
            ck_assert_int_eq(r->u.channel.pts, 21);
        if (r->kind == GAP_RECORD_CHANNEL && r->u.channel.id == 8) ck_assert(r->removed);
    }
    gap_waiting_done(&w, true);
    ck_assert_uint_eq(w.count, 0);
}
END_TEST

START_TEST(ids_of_different_kinds_are_different_keys)
{
    gap_record_t group = user(7, 0, NULL);

    group.u.peer.peer.kind = GAP_PEER_CHAT;
    put(user(7, 1, NULL));
    put(group);
    group.u.peer.peer.kind = GAP_PEER_CHANNEL;
    put(group);
    put(channel(7, 5));
    ck_assert_uint_eq(w.count, 4);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    gap_record_t bad[] = {
        channel(0, 1),
        user(0, 1, NULL),
        user(5, 1, NULL),
        state(1),
        {.kind = GAP_RECORD_INBOX},
        {.kind = GAP_RECORD_INBOX, .u.inbox.number = UINT64_MAX},
        {.kind = GAP_RECORD_INBOX, .u.inbox = {.number = 1, .box = GAP_BOX_CHANNEL}},
        {.kind = GAP_RECORD_DONE},
        {.kind = GAP_RECORD_DEAD},
        {.kind = GAP_RECORD_VALUE},
        {.kind = GAP_RECORD_CALL},
    };

    bad[2].u.peer.peer.kind = GAP_PEER_NONE;
    bad[3].kind = (gap_record_kind_t)99;
    for (size_t i = 0; i < GAP_ARRAY_LEN(bad); i++)
        ck_assert_msg(gap_waiting_put(&w, &bad[i]) == GAP_E_ARGUMENT, "record %zu", i);
    ck_assert_uint_eq(w.count, 0);
}
END_TEST

START_TEST(peers_are_bounded_those_in_flight_included)
{
    const gap_record_t *records;
    gap_record_t fifth = user(5, 1, NULL);

    for (int64_t id = 1; id <= 4; id++) put(user(id, 1, NULL));
    ck_assert_int_eq(gap_waiting_put(&w, &fifth), GAP_E_LIMIT);
    put(user(4, 2, NULL)); /* replaces */
    put(channel(9, 1));    /* no peer */
    take(&records);
    ck_assert_int_eq(gap_waiting_put(&w, &fifth), GAP_E_LIMIT);
    gap_waiting_done(&w, true);
    put(fifth);
    ck_assert_uint_eq(w.peers, 1);
}
END_TEST

/* ---- while a commit is in flight ---- */

START_TEST(what_is_in_flight_stays_as_it_is)
{
    const gap_record_t *records;

    put(state(10));
    put(user(1, 5, "anna"));
    take(&records);
    put(state(11));
    put(user(1, 6, "berta"));
    ck_assert_int_eq(records[0].u.state.pts, 10);
    ck_assert_int_eq(records[1].u.peer.access_hash, 5);
    ck_assert_int_eq(memcmp(records[1].u.peer.usernames[0].data, "anna", 4), 0);
    gap_waiting_done(&w, true);
    ck_assert_uint_eq(w.count, 2);
    take(&records);
    ck_assert_int_eq(records[0].u.state.pts, 11);
    gap_waiting_done(&w, true);
}
END_TEST

START_TEST(a_failed_commit_gives_back_what_nothing_newer_replaced)
{
    const gap_record_t *records;

    put(state(10));
    put(channel(7, 20));
    put(channel(8, 30));
    take(&records);
    put(state(11));
    put(channel(9, 1));
    gap_waiting_done(&w, false);
    ck_assert_uint_eq(w.count, 4);
    take(&records);
    ck_assert_uint_eq(w.flying, 4);
    for (size_t i = 0; i < 4; i++) {
        if (records[i].kind == GAP_RECORD_STATE) ck_assert_int_eq(records[i].u.state.pts, 11);
    }
    gap_waiting_done(&w, true);
}
END_TEST

/* ---- names ---- */

START_TEST(silence_about_names_keeps_them)
{
    static const struct {
        bool fails; /* the commit between the two */
        bool apart;
        const char *why;
    } cases[] = {{false, false, "both wait"},
                 {false, true, "the first is stored"},
                 {true, true, "the first fails and comes again"}};

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        const gap_record_t *records;
        teardown();
        setup();
        put(user(1, 5, "anna"));
        if (cases[i].apart) take(&records);
        if (cases[i].apart && !cases[i].fails)
            ck_assert_int_eq(disk->ops->commit(disk, records, w.flying, &why), 0);
        put(user(1, 6, NULL));
        if (cases[i].apart) gap_waiting_done(&w, !cases[i].fails);
        ck_assert_uint_eq(w.count, 1);
        commit();
        ck_assert_msg(owner("ANNA") == 1, "%s", cases[i].why);
        ck_assert_msg(hash_of(1) == 6, "%s", cases[i].why);
    }
}
END_TEST

START_TEST(a_removed_peer_that_comes_back_has_no_names)
{
    const gap_record_t *records;

    for (int failed = 0; failed < 2; failed++) {
        put(user(1, 5, "anna"));
        commit();
        put(gone(user(1, 0, NULL)));
        if (failed == 1) take(&records);
        put(user(1, 7, NULL));
        if (failed == 1) gap_waiting_done(&w, false);
        commit();
        ck_assert_int_eq(owner("anna"), 0);
        ck_assert_int_eq(hash_of(1), 7);
    }
}
END_TEST

START_TEST(a_name_belongs_to_whom_it_was_given_last)
{
    const gap_record_t *records;

    put(user(1, 5, "name"));
    put(user(2, 5, "name"));
    put(user(1, 6, NULL)); /* says nothing of names: it takes none back */
    commit();
    ck_assert_int_eq(owner("name"), 2);
    put(user(1, 7, "name")); /* the other way around, with a commit that fails in between */
    take(&records);
    put(user(2, 8, "name"));
    put(user(1, 8, NULL));
    gap_waiting_done(&w, false);
    commit();
    ck_assert_int_eq(owner("name"), 2);
    ck_assert_int_eq(hash_of(1), 8);
    put(user(1, 8, "name"));
    put(user(2, 9, "-"));
    commit();
    ck_assert_int_eq(owner("name"), 1);
}
END_TEST

START_TEST(what_waits_is_found)
{
    gap_peer_key_t by_name = {.by = GAP_BY_USERNAME, .text = gap_str("NaMe")};
    gap_peer_key_t by_phone = {.by = GAP_BY_PHONE, .text = gap_str("4930")};
    gap_record_t r = user(1, 5, "name");

    r.u.peer.phone = gap_str("4930");
    put(r);
    ck_assert_int_eq(gap_waiting_named(&w, &by_name)->u.peer.peer.id, 1);
    ck_assert_int_eq(gap_waiting_named(&w, &by_phone)->u.peer.peer.id, 1);
    put(user(2, 5, "Name"));
    ck_assert_int_eq(gap_waiting_named(&w, &by_name)->u.peer.peer.id, 2);
    by_phone.text = gap_str("");
    ck_assert_ptr_null(gap_waiting_named(&w, &by_phone));
    ck_assert_ptr_null(gap_waiting_get(&w, GAP_RECORD_PEER, (gap_peer_t){3, GAP_PEER_USER}));
    ck_assert_ptr_null(gap_waiting_get(&w, GAP_RECORD_PEER, (gap_peer_t){1, GAP_PEER_CHAT}));
    ck_assert_ptr_null(gap_waiting_get(&w, GAP_RECORD_STATE, (gap_peer_t){0, GAP_PEER_NONE}));
}
END_TEST

/* ---- out of memory ---- */

START_TEST(without_memory_nothing_changes)
{
    for (long n = 1; n < 40; n++) {
        const gap_record_t *records;
        gap_record_t named = user(1, 6, "berta");
        gap_record_t other = channel(3, 1);
        teardown();
        setup();
        put(user(1, 5, "anna"));
        put(channel(2, 9));
        fault.fail_at = fault.calls + n;
        int r = gap_waiting_put(&w, &named);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        int64_t hash = r == 0 ? 6 : 5;
        r = gap_waiting_put(&w, &other);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        size_t count = r == 0 ? 3 : 2;
        ck_assert_uint_eq(w.count, count);
        r = gap_waiting_take(&w, &records);
        if (r < 0) {
            ck_assert_int_eq(r, GAP_E_NOMEM);
            ck_assert_uint_eq(w.count, count);
            take(&records);
        }
        fault.fail_at = 0;
        gap_waiting_done(&w, false);
        commit();
        ck_assert_int_eq(hash_of(1), hash);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("waiting");
    TCase *t = tcase_create("records");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_later_version_replaces_one_that_waits);
    tcase_add_test(t, ids_of_different_kinds_are_different_keys);
    tcase_add_test(t, nonsense_is_refused);
    tcase_add_test(t, peers_are_bounded_those_in_flight_included);
    tcase_add_test(t, what_is_in_flight_stays_as_it_is);
    tcase_add_test(t, a_failed_commit_gives_back_what_nothing_newer_replaced);
    tcase_add_test(t, silence_about_names_keeps_them);
    tcase_add_test(t, a_removed_peer_that_comes_back_has_no_names);
    tcase_add_test(t, a_name_belongs_to_whom_it_was_given_last);
    tcase_add_test(t, what_waits_is_found);
    tcase_add_test(t, without_memory_nothing_changes);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
