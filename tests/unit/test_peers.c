/* tests/unit/test_peers.c - the table of known peers: what partial objects may change, how much it
 * costs, and whether a message names somebody unknown. */
#include "tests/check_main.h"

#include "base/prng.h"
#include "sequence/peers.h"
#include "sequence/walk.h"
#include "tests/unit/updates_build.h"

static gap_tl_vector_t one(gap_bytes_t object)
{
    return (gap_tl_vector_t){object.data, object.len, NULL, 1};
}

static void learn(gap_peers_t *p, gap_bytes_t object)
{
    ck_assert_int_eq(gap_peers_learn(p, one(object)), 0);
    build_free(object);
}

static struct gap_peer_info known(const gap_peers_t *p, gap_peer_kind_t kind, int64_t id)
{
    struct gap_peer_info info = {0};
    gap_peer_t peer = {id, kind};
    ck_assert_msg(gap_peers_find(p, peer, &info), "%d %lld", kind, (long long)id);
    return info;
}

START_TEST(test_partial_objects_never_replace_full_ones)
{
    gap_peers_t p;
    gap_peers_init(&p, gap_alloc_default());

    learn(&p, build_user(7, 70, GAP_TL_USER_F_MIN, NULL));
    ck_assert(known(&p, GAP_PEER_USER, 7).min);
    ck_assert_int_eq(known(&p, GAP_PEER_USER, 7).access_hash, 70);
    learn(&p, build_user(7, 71, GAP_TL_USER_F_MIN, NULL));
    ck_assert_msg(known(&p, GAP_PEER_USER, 7).access_hash == 71, "a newer partial hash counts");
    learn(&p, build_user(7, 72, 0, NULL));
    ck_assert_msg(!known(&p, GAP_PEER_USER, 7).min, "a full object makes it full");
    ck_assert_int_eq(known(&p, GAP_PEER_USER, 7).access_hash, 72);
    learn(&p, build_user(7, 73, GAP_TL_USER_F_MIN, NULL));
    ck_assert_msg(!known(&p, GAP_PEER_USER, 7).min, "and full it stays");
    ck_assert_int_eq(known(&p, GAP_PEER_USER, 7).access_hash, 72);
    learn(&p, build_user(7, 0, 0, NULL));
    ck_assert_msg(known(&p, GAP_PEER_USER, 7).access_hash == 72, "no hash does not delete one");
    learn(&p, build_user(8, 80, GAP_TL_USER_F_MIN, ""));
    ck_assert_msg(!known(&p, GAP_PEER_USER, 8).min, "an empty phone makes the hash a real one");
    learn(&p, build_user(9, 90, GAP_TL_USER_F_MIN, "123"));
    ck_assert(known(&p, GAP_PEER_USER, 9).min);
    learn(&p, build_user(9, 91, GAP_TL_USER_F_MIN, ""));
    ck_assert_msg(!known(&p, GAP_PEER_USER, 9).min, "a real hash ends a partial one");
    ck_assert_int_eq(known(&p, GAP_PEER_USER, 9).access_hash, 91);
    learn(&p, build_user(9, 92, GAP_TL_USER_F_MIN, ""));
    ck_assert_msg(known(&p, GAP_PEER_USER, 9).access_hash == 92, "a newer real hash counts");
    learn(&p, build_user(10, 0, 0, NULL));
    learn(&p, build_user(10, 100, GAP_TL_USER_F_MIN, NULL));
    ck_assert_msg(!known(&p, GAP_PEER_USER, 10).has_hash, "a full one without hash stays so");
    learn(&p, build_user(11, 110, GAP_TL_USER_F_MIN, NULL));
    learn(&p, build_user(11, 0, 0, NULL));
    ck_assert_msg(!known(&p, GAP_PEER_USER, 11).has_hash,
                  "what became full does not take the partial hash along");

    learn(&p, build_channel(7, 700, GAP_TL_CHANNEL_F_MIN));
    ck_assert(known(&p, GAP_PEER_CHANNEL, 7).min);
    learn(&p, build_channel(7, 701, 0));
    learn(&p, build_channel(7, 702, GAP_TL_CHANNEL_F_MIN));
    ck_assert_int_eq(known(&p, GAP_PEER_CHANNEL, 7).access_hash, 701);
    ck_assert_msg(known(&p, GAP_PEER_USER, 7).access_hash == 72, "kinds do not mix");
    learn(&p, build_chat(7));
    ck_assert(!known(&p, GAP_PEER_CHAT, 7).has_hash);
    gap_peers_fini(&p);
    gap_peers_fini(&p);
}
END_TEST

START_TEST(test_forbidden_and_empty)
{
    gap_tl_channel_forbidden_t f = {.id = 5, .access_hash = 50, .title = gap_str("x")};
    gap_tl_chat_forbidden_t c = {6, gap_str("y")};
    gap_tl_user_empty_t e = {9};
    gap_peers_t p;

    gap_peers_init(&p, gap_alloc_default());
    learn(&p, build(GAP_TL_OF(GAP_TL_CHANNEL_FORBIDDEN, &f)));
    learn(&p, build(GAP_TL_OF(GAP_TL_CHAT_FORBIDDEN, &c)));
    ck_assert(known(&p, GAP_PEER_CHANNEL, 5).forbidden);
    ck_assert(known(&p, GAP_PEER_CHAT, 6).forbidden);
    learn(&p, build_channel(5, 52, GAP_TL_CHANNEL_F_MIN));
    ck_assert_msg(known(&p, GAP_PEER_CHANNEL, 5).forbidden, "a partial object does not tell");
    ck_assert_int_eq(known(&p, GAP_PEER_CHANNEL, 5).access_hash, 50);
    learn(&p, build_channel(5, 51, 0));
    ck_assert(!known(&p, GAP_PEER_CHANNEL, 5).forbidden);
    learn(&p, build_chat(6));
    ck_assert(!known(&p, GAP_PEER_CHAT, 6).forbidden);
    learn(&p, build_channel(7, 70, GAP_TL_CHANNEL_F_MIN));
    f.id = 7;
    f.access_hash = 71;
    learn(&p, build(GAP_TL_OF(GAP_TL_CHANNEL_FORBIDDEN, &f)));
    ck_assert_msg(!known(&p, GAP_PEER_CHANNEL, 7).min, "a forbidden one has a hash of its own");
    ck_assert_int_eq(known(&p, GAP_PEER_CHANNEL, 7).access_hash, 71);
    learn(&p, build(GAP_TL_OF(GAP_TL_USER_EMPTY, &e)));
    ck_assert_uint_eq(p.count, 3);
    gap_peers_fini(&p);
}
END_TEST

/* The peer learned last is remembered apart from the table: what comes between must not be lost. */
START_TEST(test_learning_the_same_again)
{
    gap_tl_channel_forbidden_t f = {.id = 5, .access_hash = 50, .title = gap_str("x")};
    gap_peer_t channel = {5, GAP_PEER_CHANNEL};
    struct gap_peer_info set = {.access_hash = 54, .has_hash = true};
    gap_peers_t p;

    gap_peers_init(&p, gap_alloc_default());
    for (int i = 0; i < 3; i++) learn(&p, build_channel(5, 51, 0));
    ck_assert_int_eq(known(&p, GAP_PEER_CHANNEL, 5).access_hash, 51);
    learn(&p, build(GAP_TL_OF(GAP_TL_CHANNEL_FORBIDDEN, &f)));
    ck_assert(known(&p, GAP_PEER_CHANNEL, 5).forbidden);
    learn(&p, build_channel(5, 51, 0));
    ck_assert_msg(!known(&p, GAP_PEER_CHANNEL, 5).forbidden, "as it was before is news again");
    ck_assert_int_eq(known(&p, GAP_PEER_CHANNEL, 5).access_hash, 51);
    learn(&p, build_channel(5, 52, 0));
    ck_assert_msg(known(&p, GAP_PEER_CHANNEL, 5).access_hash == 52, "another hash counts");
    learn(&p, build_channel(6, 52, 0));
    ck_assert_msg(known(&p, GAP_PEER_CHANNEL, 6).access_hash == 52, "another id too");
    ck_assert_int_eq(gap_peers_set(&p, channel, &set), 0);
    learn(&p, build_channel(5, 52, 0));
    ck_assert_msg(known(&p, GAP_PEER_CHANNEL, 5).access_hash == 52, "and what was set between");
    learn(&p, build_user(5, 53, 0, NULL));
    ck_assert_msg(known(&p, GAP_PEER_USER, 5).access_hash == 53, "kinds do not mix");
    ck_assert_int_eq(known(&p, GAP_PEER_CHANNEL, 5).access_hash, 52);
    ck_assert_uint_eq(p.count, 3);
    gap_peers_fini(&p);
}
END_TEST

START_TEST(test_ids_out_of_range_are_passed_over)
{
    static const int64_t ids[] = {0, -1, INT64_MIN, INT64_MAX, ((int64_t)1 << 53) + 1};
    struct gap_peer_info info = {.access_hash = 1, .has_hash = true};
    gap_peers_t p;

    gap_peers_init(&p, gap_alloc_default());
    for (size_t i = 0; i < GAP_ARRAY_LEN(ids); i++) {
        gap_peer_t peer = {ids[i], GAP_PEER_USER};
        ck_assert_int_eq(gap_peers_set(&p, peer, &info), GAP_E_ARGUMENT);
        ck_assert(!gap_peers_find(&p, peer, NULL));
        learn(&p, build_user(ids[i], 5, 0, NULL));
    }
    ck_assert_uint_eq(p.count, 0);
    gap_peer_t last = {(int64_t)1 << 53, GAP_PEER_CHANNEL};
    ck_assert_int_eq(gap_peers_set(&p, last, &info), 0);
    ck_assert(gap_peers_find(&p, last, NULL));
    gap_peers_fini(&p);
}
END_TEST

/* Everybody once, as who they are, whatever bits their ids have. */
START_TEST(test_all_are_gone_through)
{
    enum { N = 5000 };
    static bool met[N];
    gap_peers_t p;
    gap_peer_t peer;
    struct gap_peer_info info;
    size_t it = 0;
    int count = 0;

    gap_peers_init(&p, gap_alloc_default());
    ck_assert(!gap_peers_next(&p, &it, &peer, &info));
    for (int i = 0; i < N; i++) {
        int64_t id = i < N / 2 ? i + 1 : ((int64_t)1 << 53) - i;
        info = (struct gap_peer_info){
            .access_hash = i, .has_hash = i % 2 == 0, .min = i % 3 == 0, .forbidden = i % 5 == 0};
        ck_assert_int_eq(gap_peers_set(&p, (gap_peer_t){id, (gap_peer_kind_t)(1 + i % 3)}, &info),
                         0);
    }
    for (it = 0; gap_peers_next(&p, &it, &peer, &info); count++) {
        int64_t i = peer.id <= N ? peer.id - 1 : ((int64_t)1 << 53) - peer.id;
        ck_assert(i >= 0 && i < N && !met[i]);
        met[i] = true;
        ck_assert_int_eq(peer.kind, 1 + i % 3);
        ck_assert_int_eq(info.access_hash, i % 2 == 0 ? i : 0);
        ck_assert(info.has_hash == (i % 2 == 0) && info.min == (i % 3 == 0) &&
                  info.forbidden == (i % 5 == 0));
    }
    ck_assert_int_eq(count, N);
    gap_peers_fini(&p);
}
END_TEST

/* Dense and scattered ids, all three kinds, found again with their own hash; never above 24 bytes
 * an entry once there are many. */
START_TEST(test_many_peers_cost_24_bytes_each)
{
    enum { N = 200000 };
    gap_peers_t p;
    gap_prng_t rng = {3};
    size_t worst = 0;

    gap_peers_init(&p, gap_alloc_default());
    for (int i = 0; i < N; i++) {
        int64_t id = i % 2 == 0 ? i + 1 : (int64_t)gap_prng_below(&rng, (uint64_t)1 << 53) + 1;
        gap_peer_t peer = {id, (gap_peer_kind_t)(1 + i % 3)};
        struct gap_peer_info info = {.access_hash = id * 31, .has_hash = true};
        if (gap_peers_set(&p, peer, &info) != 0) ck_abort_msg("insert %d", i);
        size_t bytes = (p.cap + 64) * 16;
        if (p.count > 5000 && bytes / p.count > worst) worst = bytes / p.count;
    }
    rng.state = 3;
    for (int i = 0; i < N; i++) {
        int64_t id = i % 2 == 0 ? i + 1 : (int64_t)gap_prng_below(&rng, (uint64_t)1 << 53) + 1;
        gap_peer_t peer = {id, (gap_peer_kind_t)(1 + i % 3)};
        gap_peer_t other = {id, (gap_peer_kind_t)(1 + (i + 1) % 3)};
        struct gap_peer_info info;
        if (!gap_peers_find(&p, peer, &info) || info.access_hash != id * 31)
            ck_abort_msg("look-up %d", i);
        if (gap_peers_find(&p, other, NULL)) ck_abort_msg("found %d as another kind", i);
    }
    ck_assert_msg(worst <= 24, "%zu bytes an entry", worst);
    ck_assert_uint_eq(p.count, N);
    gap_peers_fini(&p);
}
END_TEST

START_TEST(test_out_of_memory_keeps_what_is_known)
{
    struct gap_peer_info info = {.access_hash = 1, .has_hash = true};
    struct fault_alloc f;
    gap_peers_t p;
    int64_t id = 0;
    int r = 0;

    fault_alloc_init(&f, 3);
    f.fail_on = true;
    gap_peers_init(&p, &f.alloc);
    while (r == 0) r = gap_peers_set(&p, (gap_peer_t){++id, GAP_PEER_USER}, &info);
    ck_assert_int_eq(r, GAP_E_NOMEM);
    ck_assert_int_gt(id, 20);
    for (int64_t k = 1; k < id; k++)
        ck_assert(gap_peers_find(&p, (gap_peer_t){k, GAP_PEER_USER}, NULL));
    ck_assert_int_eq(gap_peers_learn(&p, one(gap_bytes(NULL, 0))), GAP_E_TL);
    gap_peers_fini(&p);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(test_vectors_of_several)
{
    gap_bytes_t a = build_user(1, 10, 0, NULL);
    gap_bytes_t b = build_user(2, 20, 0, NULL);
    uint8_t both[512];
    gap_peers_t p;

    ck_assert_uint_lt(a.len + b.len, sizeof both);
    memcpy(both, a.data, a.len);
    memcpy(both + a.len, b.data, b.len);
    gap_peers_init(&p, gap_alloc_default());
    gap_tl_vector_t v = {both, a.len + b.len, NULL, 2};
    ck_assert_int_eq(gap_peers_learn(&p, v), 0);
    ck_assert_int_eq(known(&p, GAP_PEER_USER, 2).access_hash, 20);
    v.len = a.len + 3;
    ck_assert_int_eq(gap_peers_learn(&p, v), GAP_E_TL);
    gap_peers_fini(&p);
    build_free(a);
    build_free(b);
}
END_TEST

/* ---- does a message name somebody unknown? ----------------------------------------------------
 */

static int check(const gap_peers_t *p, gap_tl_message_t *m, gap_peer_t *who)
{
    gap_tl_update_new_message_t u = {GAP_TL_OF(GAP_TL_MESSAGE, m), 5, 1};
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &u));
    struct gap_item item;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    int verdict = gap_peers_check(p, &item, who);
    build_free(bytes);
    return verdict;
}

START_TEST(test_every_peer_a_message_names_is_looked_for)
{
    gap_tl_peer_chat_t chat = {50};
    gap_tl_peer_user_t from = {1};
    gap_tl_peer_user_t origin = {2};
    gap_tl_message_fwd_header_t forward = {.flags = GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID,
                                           .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &origin)};
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_message_entity_mention_name_t mention = {0, 1, 4};
    gap_tl_object_t entities[] = {GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold),
                                  GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_MENTION_NAME, &mention)};
    gap_tl_message_media_empty_t media = {0};
    gap_tl_message_t m = {
        .flags = GAP_TL_MESSAGE_F_FROM_ID | GAP_TL_MESSAGE_F_FWD_FROM |
                 GAP_TL_MESSAGE_F_VIA_BOT_ID | GAP_TL_MESSAGE_F_ENTITIES | GAP_TL_MESSAGE_F_MEDIA,
        .id = 1,
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &from),
        .peer_id = GAP_TL_OF(GAP_TL_PEER_CHAT, &chat),
        .fwd_from = GAP_TL_OF(GAP_TL_MESSAGE_FWD_HEADER, &forward),
        .via_bot_id = 3,
        .message = gap_str("x"),
        .media = GAP_TL_OF(GAP_TL_MESSAGE_MEDIA_EMPTY, &media),
        .entities = gap_tl_array(entities, 2),
    };
    static const gap_peer_t all[] = {
        {50, GAP_PEER_CHAT}, {1, GAP_PEER_USER}, {2, GAP_PEER_USER},
        {3, GAP_PEER_USER},  {4, GAP_PEER_USER},
    };
    gap_peer_t who;

    for (size_t missing = 0; missing <= GAP_ARRAY_LEN(all); missing++) {
        for (int partial = 0; partial < 2; partial++) {
            gap_peers_t p;
            gap_peers_init(&p, gap_alloc_default());
            for (size_t i = 0; i < GAP_ARRAY_LEN(all); i++) {
                struct gap_peer_info info = {.has_hash = true, .min = i == missing};
                if (i == missing && !partial) continue;
                ck_assert_int_eq(gap_peers_set(&p, all[i], &info), 0);
            }
            int expected = missing == GAP_ARRAY_LEN(all) ? GAP_PEERS_KNOWN
                           : partial                     ? GAP_PEERS_MIN
                                                         : GAP_PEERS_UNKNOWN;
            ck_assert_int_eq(check(&p, &m, &who), expected);
            if (missing < GAP_ARRAY_LEN(all)) ck_assert(gap_peer_equal(who, all[missing]));
            gap_peers_fini(&p);
        }
    }
}
END_TEST

START_TEST(test_service_messages_ask_for_chat_and_sender_only)
{
    gap_tl_peer_chat_t chat = {50};
    gap_tl_message_action_chat_delete_user_t action = {77};
    gap_tl_message_service_t m = {
        .id = 1,
        .peer_id = GAP_TL_OF(GAP_TL_PEER_CHAT, &chat),
        .action = GAP_TL_OF(GAP_TL_MESSAGE_ACTION_CHAT_DELETE_USER, &action),
    };
    gap_tl_update_new_message_t u = {GAP_TL_OF(GAP_TL_MESSAGE_SERVICE, &m), 5, 1};
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &u));
    struct gap_peer_info info = {0};
    struct gap_item item;
    gap_peers_t p;

    gap_peers_init(&p, gap_alloc_default());
    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    ck_assert_int_eq(gap_peers_check(&p, &item, NULL), GAP_PEERS_UNKNOWN);
    ck_assert_int_eq(gap_peers_set(&p, (gap_peer_t){50, GAP_PEER_CHAT}, &info), 0);
    ck_assert_int_eq(gap_peers_check(&p, &item, NULL), GAP_PEERS_KNOWN);
    gap_peers_fini(&p);
    build_free(bytes);
}
END_TEST

static Suite *peers_suite(void)
{
    Suite *s = suite_create("peers");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_partial_objects_never_replace_full_ones);
    tcase_add_test(t, test_forbidden_and_empty);
    tcase_add_test(t, test_learning_the_same_again);
    tcase_add_test(t, test_ids_out_of_range_are_passed_over);
    tcase_add_test(t, test_all_are_gone_through);
    tcase_add_test(t, test_many_peers_cost_24_bytes_each);
    tcase_add_test(t, test_out_of_memory_keeps_what_is_known);
    tcase_add_test(t, test_vectors_of_several);
    tcase_add_test(t, test_every_peer_a_message_names_is_looked_for);
    tcase_add_test(t, test_service_messages_ask_for_chat_and_sender_only);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(peers_suite)
