/* tests/unit/test_peer_record.c - users and chats as records, their fingerprints, and the places
 * where partial ones were seen. */
#include "base/map.h"
#include "tests/unit/people_world.h"

static const gap_bytes_t none = {NULL, 0};

/* ---- records ---- */

static struct client_seen seen_of(gap_bytes_t object)
{
    static struct client_seen s; /* views into itself */
    struct client_seen_walk walk = {.vector = {object.data, object.len, NULL, 1}};

    ck_assert_int_eq(client_seen_next(&walk, &s), 1);
    return s;
}

START_TEST(test_what_a_record_holds)
{
    gap_tl_channel_forbidden_t forbidden = {.id = 5, .access_hash = 50, .title = gap_str("x")};
    gap_tl_chat_forbidden_t gone = {6, gap_str("y")};
    struct {
        gap_bytes_t object;
        const char *expected;
        const char *why;
    } cases[] = {
        {people_named_user(7, 70, 0, "Ada", "491"), "is user 7 hash 70 +491 @Ada\n", "all of it"},
        {people_named_user(7, 0, 0, NULL, NULL), "is user 7\n", "nothing but the id"},
        {people_named_user(7, 70, GAP_TL_USER_F_MIN, "Ada", NULL), "is user 7 hash 70 min @Ada\n",
         "partial"},
        {people_named_user(7, 70, GAP_TL_USER_F_MIN, NULL, ""), "is user 7 hash 70\n",
         "an empty phone makes the hash of a partial user a real one"},
        {people_named_user(7, 70, GAP_TL_USER_F_MIN, NULL, "49"), "is user 7 hash 70 min +49\n",
         "one that is not empty does not"},
        {build_channel(8, 80, 0), "is channel 8 hash 80\n", "a channel"},
        {build_channel(8, 80, GAP_TL_CHANNEL_F_MIN), "is channel 8 hash 80 min\n", "partial"},
        {build_chat(9), "is chat 9 as it is called\n", "a basic group has no names"},
        {build(GAP_TL_OF(GAP_TL_CHANNEL_FORBIDDEN, &forbidden)),
         "is channel 5 hash 50 as it is called\n", "no access; its names are not told"},
        {build(GAP_TL_OF(GAP_TL_CHAT_FORBIDDEN, &gone)), "is chat 6 as it is called\n", "same"},
    };
    struct people p = {.trace = ""};

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        struct client_seen s = seen_of(cases[i].object);
        people_trace_record(&p, "is", &s.record);
        people_expect(&p, cases[i].expected, cases[i].why);
        ck_assert(s.forbidden == (i >= 8));
        build_free(cases[i].object);
    }
}
END_TEST

START_TEST(test_usernames_that_are_active)
{
    static const char *const names[] = {"one", "two", "three", "four"};
    const uint32_t on = GAP_TL_USERNAME_F_ACTIVE;
    const uint32_t flags[] = {on, 0, on | GAP_TL_USERNAME_F_EDITABLE, on};
    struct people p = {.trace = ""};
    gap_bytes_t user = people_with_names(NULL, flags, names, 4);

    struct client_seen s = seen_of(user);
    people_trace_record(&p, "is", &s.record);
    people_expect(&p, "is user 7 hash 70 @one @three @four\n", "those that are not are left out");
    build_free(user);
    user = people_with_names("three", flags, names, 4);
    s = seen_of(user);
    people_trace_record(&p, "is", &s.record);
    people_expect(&p, "is user 7 hash 70 @three @one @four\n", "and none is there twice");
    build_free(user);

    const char *many[32];
    uint32_t all[32];
    for (int i = 0; i < 32; i++) {
        many[i] = "abcd";
        all[i] = on;
    }
    many[0] = "first";
    user = people_with_names(NULL, all, many, 32);
    s = seen_of(user);
    ck_assert_uint_eq(s.record.username_count, CLIENT_NAMES_MAX);
    build_free(user);
}
END_TEST

START_TEST(test_vectors_are_walked_to_their_end)
{
    gap_tl_user_empty_t empty = {3};
    gap_bytes_t parts[] = {build_user(1, 10, 0, NULL), build(GAP_TL_OF(GAP_TL_USER_EMPTY, &empty)),
                           build_user(-5, 10, 0, NULL), build_user(2, 20, 0, NULL)};
    uint8_t all[512];
    size_t len = 0;
    struct client_seen s;

    for (size_t i = 0; i < GAP_ARRAY_LEN(parts); i++) {
        memcpy(all + len, parts[i].data, parts[i].len);
        len += parts[i].len;
        build_free(parts[i]);
    }
    struct client_seen_walk walk = {.vector = {all, len, NULL, 4}};
    ck_assert_int_eq(client_seen_next(&walk, &s), 1);
    ck_assert_int_eq(s.record.peer.id, 1);
    ck_assert_int_eq(client_seen_next(&walk, &s), 1);
    ck_assert_msg(s.record.peer.id == 2, "userEmpty and a negative id say nothing");
    ck_assert_int_eq(client_seen_next(&walk, &s), 0);
    ck_assert_int_eq(client_seen_next(&walk, &s), 0);
    for (size_t cut = 0; cut < len; cut++) {
        struct client_seen_walk torn = {.vector = {all, cut, NULL, 4}};
        int r = 1;
        while (r > 0) r = client_seen_next(&torn, &s);
        /* Of the last one only the head is read; it was checked before. */
        ck_assert_msg(r == GAP_E_TL || (r == 0 && cut + 40 > len), "cut at %zu: %d", cut, r);
    }
}
END_TEST

/* A fingerprint tells what is stored, and nothing else. */
START_TEST(test_fingerprints)
{
    struct {
        gap_bytes_t object;
        bool differs;
        const char *why;
    } cases[] = {
        {people_named_user(7, 70, 0, "Ada", "491"), false, "the same"},
        {people_named_user(7, 70, GAP_TL_USER_F_CONTACT, "Ada", "491"), false, "another flag"},
        {people_named_user(8, 70, 0, "Ada", "491"), true, "another id"},
        {people_named_user(7, 71, 0, "Ada", "491"), true, "another hash"},
        {people_named_user(7, 0, 0, "Ada", "491"), true, "no hash"},
        {people_named_user(7, 70, GAP_TL_USER_F_MIN, "Ada", "491"), true, "partial"},
        {people_named_user(7, 70, 0, "Ade", "491"), true, "another name"},
        {people_named_user(7, 70, 0, NULL, "491"), true, "no name"},
        {people_named_user(7, 70, 0, "Ada", "492"), true, "another phone"},
        {people_named_user(7, 70, 0, "Ada", NULL), true, "no phone"},
        {people_named_user(7, 70, 0, "491", "Ada"), true, "exchanged"},
        {people_named_user(7, 70, 0, "Adaadaada", "491"), true, "a longer name"},
        {build_channel(7, 70, 0), true, "another kind"},
    };
    struct client_seen s = seen_of(cases[0].object);
    uint64_t first = client_fingerprint(&s.record);

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        struct client_seen other = seen_of(cases[i].object);
        bool differs = client_fingerprint(&other.record) != first;
        ck_assert_msg(differs == cases[i].differs, "%s", cases[i].why);
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) build_free(cases[i].object);
}
END_TEST

START_TEST(test_whom_an_answer_names)
{
    struct client_answer a;
    gap_bytes_t v =
        people_resolved((gap_peer_t){7, GAP_PEER_USER}, build_user(7, 70, 0, NULL), none);

    ck_assert_int_eq(client_answer_open(v, &a), 0);
    ck_assert_uint_eq(a.users.count, 1);
    ck_assert_uint_eq(a.chats.count, 0);
    build_free(v);
    v = people_vector(build_user(7, 70, 0, NULL));
    ck_assert_int_eq(client_answer_open(v, &a), 0);
    ck_assert_msg(a.users.count == 1, "a vector by itself");
    ck_assert_msg(client_answer_open(gap_bytes(v.data, v.len - 4), &a) == GAP_E_TL, "torn");
    build_free(v);
    v = people_vector(none);
    ck_assert_int_eq(client_answer_open(v, &a), 0);
    ck_assert_msg(a.users.count == 0, "an empty one");
    build_free(v);
    v = build_channel(8, 80, 0);
    gap_tl_chat_invite_already_t already = {as_object(v)};
    gap_bytes_t w = build(GAP_TL_OF(GAP_TL_CHAT_INVITE_ALREADY, &already));
    ck_assert_int_eq(client_answer_open(w, &a), 0);
    ck_assert_msg(a.chats.count == 1, "an object by itself");
    build_free(v);
    build_free(w);
    v = build(GAP_TL_OF(GAP_TL_INPUT_PEER_SELF, NULL));
    ck_assert_int_eq(client_answer_open(v, &a), 0);
    ck_assert_msg(a.users.count == 0 && a.chats.count == 0, "nobody");
    ck_assert_int_eq(client_answer_open(gap_bytes(v.data, 3), &a), GAP_E_TL);
    build_free(v);
    uint8_t noise[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    ck_assert_int_eq(client_answer_open(gap_bytes(noise, 8), &a), GAP_E_TL_ID);
}
END_TEST

/* ---- places ---- */

START_TEST(test_the_newest_place_counts)
{
    struct client_contexts t;
    struct client_context c = {{5, GAP_PEER_CHANNEL}, 11};
    gap_peer_t user = {7, GAP_PEER_USER};
    gap_peer_t channel = {7, GAP_PEER_CHANNEL};

    client_contexts_init(&t, gap_alloc_default());
    ck_assert(!client_contexts_get(&t, user, &c));
    client_contexts_drop(&t, user);
    ck_assert_msg(client_contexts_set(&t, user, c, 0), "to be stored");
    c.msg_id = 12;
    ck_assert_msg(!client_contexts_set(&t, user, c, 10), "not so soon again");
    c.chat = (gap_peer_t){6, GAP_PEER_CHAT};
    c.msg_id = 1;
    ck_assert_msg(client_contexts_set(&t, user, c, GAP_CLIENT_CONTEXT_STORE_S), "an hour later");
    memset(&c, 0, sizeof c);
    ck_assert(client_contexts_get(&t, user, &c));
    ck_assert(c.chat.id == 6 && c.chat.kind == GAP_PEER_CHAT && c.msg_id == 1);
    ck_assert_msg(!client_contexts_get(&t, channel, &c), "kinds do not mix");
    client_contexts_drop(&t, user);
    ck_assert(!client_contexts_get(&t, user, &c));
    ck_assert_uint_eq(t.count, 0);
    client_contexts_fini(&t);
    client_contexts_fini(&t);
}
END_TEST

START_TEST(test_places_are_bounded_and_old_ones_go)
{
    enum { N = 3 * GAP_CLIENT_CONTEXTS_MAX };
    struct client_contexts t;
    struct client_context c;
    unsigned recent = 0;
    unsigned old = 0;

    client_contexts_init(&t, gap_alloc_default());
    for (int i = 1; i <= N; i++) {
        c = (struct client_context){{i, GAP_PEER_CHANNEL}, i};
        (void)client_contexts_set(&t, (gap_peer_t){i, GAP_PEER_USER}, c, 0);
    }
    ck_assert_uint_eq(t.cap, GAP_CLIENT_CONTEXTS_MAX);
    ck_assert_uint_le(t.count, GAP_CLIENT_CONTEXTS_MAX);
    for (int i = 1; i <= N; i++) {
        if (!client_contexts_get(&t, (gap_peer_t){i, GAP_PEER_USER}, &c)) continue;
        ck_assert_int_eq(c.msg_id, i);
        if (i > N - GAP_CLIENT_CONTEXTS_MAX / 4) recent++;
        if (i <= GAP_CLIENT_CONTEXTS_MAX) old++;
    }
    ck_assert_msg(recent > GAP_CLIENT_CONTEXTS_MAX / 4 * 95 / 100, "%u recent ones", recent);
    ck_assert_msg(old < GAP_CLIENT_CONTEXTS_MAX / 10, "%u old ones", old);
    client_contexts_fini(&t);
}
END_TEST

START_TEST(test_places_without_memory)
{
    for (long fail = 1; fail < 6; fail++) {
        struct client_contexts t;
        struct client_context c = {{5, GAP_PEER_CHANNEL}, 0};
        struct fault_alloc f;
        fault_alloc_init(&f, fail);
        f.fail_on = true;
        client_contexts_init(&t, &f.alloc);
        for (int i = 1; i <= 1000; i++) {
            c.msg_id = i;
            (void)client_contexts_set(&t, (gap_peer_t){i, GAP_PEER_USER}, c, 0);
        }
        bool last = client_contexts_get(&t, (gap_peer_t){1000, GAP_PEER_USER}, &c);
        ck_assert_msg(last == (fail > 1), "the newest one is kept if there is a table at all");
        client_contexts_fini(&t);
        ck_assert_int_eq(f.live, 0);
    }
}
END_TEST

START_TEST(test_fingerprints_are_bounded)
{
    struct client_prints t;
    struct fault_alloc f;
    unsigned hits = 0;

    for (long fail = 0; fail < 8; fail++) {
        fault_alloc_init(&f, fail);
        f.fail_on = true;
        client_prints_init(&t, &f.alloc);
        for (uint64_t i = 1; i <= 200000; i++) {
            uint64_t key = gap_hash64(i);
            client_prints_set(&t, key, gap_hash64(i + 1));
            if (fail == 1) continue;
            if (!client_prints_same(&t, key, gap_hash64(i + 1))) ck_abort_msg("the newest is kept");
            if (client_prints_same(&t, key, gap_hash64(i + 2))) ck_abort_msg("and it alone");
        }
        ck_assert_uint_le(t.cap, CLIENT_PRINTS_MAX);
        if (fail == 0) ck_assert_uint_eq(t.cap, CLIENT_PRINTS_MAX);
        client_prints_drop(&t, gap_hash64(200000));
        ck_assert(!client_prints_same(&t, gap_hash64(200000), gap_hash64(200001)));
        for (uint64_t i = 1; i <= 200000; i++)
            hits += client_prints_same(&t, gap_hash64(i), gap_hash64(i + 1));
        client_prints_fini(&t);
        ck_assert_int_eq(f.live, 0);
    }
    ck_assert_uint_gt(hits, CLIENT_PRINTS_MAX / 2);
}
END_TEST

static Suite *record_suite(void)
{
    Suite *s = suite_create("peer_record");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_what_a_record_holds);
    tcase_add_test(t, test_usernames_that_are_active);
    tcase_add_test(t, test_vectors_are_walked_to_their_end);
    tcase_add_test(t, test_fingerprints);
    tcase_add_test(t, test_whom_an_answer_names);
    tcase_add_test(t, test_the_newest_place_counts);
    tcase_add_test(t, test_places_are_bounded_and_old_ones_go);
    tcase_add_test(t, test_places_without_memory);
    tcase_add_test(t, test_fingerprints_are_bounded);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(record_suite)
