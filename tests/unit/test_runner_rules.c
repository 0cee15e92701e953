/* runner/pace and runner/chats: how often, how soon, and about whom. */
#include "../check_main.h"
#include "runner/chats.h"
#include "runner/pace.h"
#include "updates_build.h"

#include <string.h>

#define SECOND UINT64_C(1000000)

/* ---- pace ---- */

START_TEST(so_many_in_a_second)
{
    static const uint32_t paces[] = {1, 7, 30, 1000, 100000};
    uint32_t per_s = paces[_i];
    uint64_t now = 5 * SECOND;
    uint64_t begun = 0;
    gap_pace_t p;

    gap_pace_init(&p, per_s);
    while (now < 15 * SECOND) {
        uint64_t due = gap_pace_take(&p, now);
        if (due == 0) {
            begun++;
        } else {
            if (due <= now) ck_abort_msg("due at %d", (int)due);
            now = due;
        }
    }
    uint64_t burst = per_s / (SECOND / GAP_PACE_BURST_US) + 1;
    ck_assert_uint_ge(begun, (uint64_t)per_s * 10);
    ck_assert_uint_le(begun, (uint64_t)per_s * 10 + burst);
}
END_TEST

START_TEST(a_rest_saves_no_more_than_the_burst)
{
    uint64_t burst = 0;
    gap_pace_t p;

    gap_pace_init(&p, 100);
    ck_assert_uint_eq(gap_pace_take(&p, SECOND), 0);
    while (gap_pace_take(&p, 1000 * SECOND) == 0) burst++;
    ck_assert_uint_eq(burst, 5); /* 50 ms of 100 a second */
}
END_TEST

START_TEST(without_a_pace_everything_may_happen)
{
    gap_pace_t p;

    gap_pace_init(&p, 0);
    for (int i = 0; i < 100; i++) ck_assert_uint_eq(gap_pace_take(&p, 7), 0);
}
END_TEST

START_TEST(a_clock_that_stands_still_at_zero)
{
    gap_pace_t p;

    gap_pace_init(&p, 10);
    ck_assert_uint_eq(gap_pace_take(&p, 0), 0);
    ck_assert_uint_eq(gap_pace_take(&p, 0), SECOND / 10);
}
END_TEST

START_TEST(pauses_double_up_to_the_cap_with_jitter)
{
    static const struct {
        uint32_t failures;
        uint64_t min_us, max_us, most;
    } cases[] = {
        {1, 10, 1000, 10},
        {2, 10, 1000, 20},
        {7, 10, 1000, 640},
        {8, 10, 1000, 1000},
        {UINT32_MAX, 10, 1000, 1000},
        {1, 5000, 1000, 1000},
        {64, 1, UINT64_MAX, UINT64_C(1) << 63},
        {65, 1, UINT64_MAX, UINT64_MAX},
        {1, 1, 1, 1},
    };
    gap_prng_t random = {7};

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        uint64_t least = UINT64_MAX;
        uint64_t most = 0;
        for (int n = 0; n < 200; n++) {
            uint64_t pause =
                gap_retry_pause_us(cases[i].failures, cases[i].min_us, cases[i].max_us, &random);
            if (pause < least) least = pause;
            if (pause > most) most = pause;
        }
        ck_assert_uint_le(most, cases[i].most);
        ck_assert_uint_ge(least, cases[i].most / 2);
        if (cases[i].most >= 10) ck_assert_uint_lt(least, most);
    }
}
END_TEST

/* ---- chats ---- */

static struct fault_alloc fault;
static gap_chats_t chats;

static void begin(void)
{
    fault_alloc_init(&fault, 0);
    ck_assert_int_eq(gap_chats_init(&chats, &fault.alloc), 0);
}

static void end(void)
{
    gap_chats_fini(&chats);
    gap_chats_fini(&chats);
    ck_assert_int_eq((int)fault.live, 0);
}

/* The engine's item of an update. */
static gap_update_t update_of(gap_bytes_t bytes)
{
    const gap_tl_vector_t none = {NULL, 0, NULL, 0};
    struct gap_item item;
    gap_update_t u;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    gap_update_init(&u, &item, none, none);
    return u;
}

static uint64_t key_of(gap_peer_kind_t kind, int64_t id)
{
    return gap_chats_key((gap_peer_t){id, kind});
}

static uint64_t key(uint32_t id, const void *value)
{
    uint64_t keys[GAP_CHATS_KEYS_MAX];
    gap_bytes_t bytes = build(gap_tl_of(id, value));
    gap_update_t u = update_of(bytes);

    ck_assert_int_eq(gap_chats_keys(&chats, &u, keys), 1);
    /* Cut anywhere, it is about nobody, or still about somebody; never worse. */
    for (size_t len = 4; len < bytes.len; len += 4) {
        uint64_t others[GAP_CHATS_KEYS_MAX];
        gap_update_t cut = u;
        cut.bytes.len = len;
        int count = gap_chats_keys(&chats, &cut, others);
        ck_assert_int_ge(count, 1);
        ck_assert_uint_ne(others[0], 0);
    }
    build_free(bytes);
    return keys[0];
}

START_TEST(who_an_update_is_about)
{
    gap_tl_peer_user_t user = {42};
    gap_tl_peer_chat_t chat = {42};
    gap_tl_peer_channel_t channel = {42};
    gap_tl_object_t peers[] = {gap_tl_of(GAP_TL_PEER_USER, &user),
                               gap_tl_of(GAP_TL_PEER_CHAT, &chat),
                               gap_tl_of(GAP_TL_PEER_CHANNEL, &channel)};

    begin();
    for (int i = 0; i < 3; i++) {
        gap_tl_update_read_history_outbox_t read = {.peer = peers[i], .max_id = 5};
        gap_tl_dialog_peer_t dialog = {peers[i]};
        gap_tl_update_dialog_pinned_t pinned = {.peer = gap_tl_of(GAP_TL_DIALOG_PEER, &dialog)};
        gap_tl_update_bot_callback_query_t query = {
            .query_id = 1, .user_id = 9, .peer = peers[i], .msg_id = 1};
        uint64_t expected = key_of((gap_peer_kind_t)(GAP_PEER_USER + i), 42);
        ck_assert_uint_eq(key(GAP_TL_UPDATE_READ_HISTORY_OUTBOX, &read), expected);
        ck_assert_uint_eq(key(GAP_TL_UPDATE_DIALOG_PINNED, &pinned), expected);
        ck_assert_uint_eq(key(GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &query), expected);
    }
    gap_tl_update_bot_inline_query_t inline_query = {
        .query_id = 1, .user_id = 42, .query = gap_str("a"), .offset = gap_str("")};
    ck_assert_uint_eq(key(GAP_TL_UPDATE_BOT_INLINE_QUERY, &inline_query),
                      key_of(GAP_PEER_USER, 42));
    gap_tl_update_channel_message_views_t views = {42, 1, 2};
    ck_assert_uint_eq(key(GAP_TL_UPDATE_CHANNEL_MESSAGE_VIEWS, &views),
                      key_of(GAP_PEER_CHANNEL, 42));
    gap_tl_update_chat_participant_rank_t rank = {42, 1, gap_str("r"), 1};
    ck_assert_uint_eq(key(GAP_TL_UPDATE_CHAT_PARTICIPANT_RANK, &rank), key_of(GAP_PEER_CHAT, 42));
    gap_tl_update_encrypted_chat_typing_t secret = {42};
    ck_assert_uint_eq(key(GAP_TL_UPDATE_ENCRYPTED_CHAT_TYPING, &secret), key_of(GAP_PEER_NONE, 42));
    gap_tl_update_message_id_t nobody = {1, 2};
    ck_assert_uint_eq(key(GAP_TL_UPDATE_MESSAGE_ID, &nobody), GAP_CHATS_ACCOUNT);
    end();
}
END_TEST

START_TEST(a_secret_chat_is_one_lane_whatever_comes_of_it)
{
    gap_tl_encrypted_message_service_t message = {
        .random_id = 7, .chat_id = 42, .date = 1, .bytes = gap_str("x")};
    gap_tl_update_new_encrypted_message_t fresh = {
        gap_tl_of(GAP_TL_ENCRYPTED_MESSAGE_SERVICE, &message), 5};
    gap_tl_encrypted_chat_discarded_t over = {.id = 42};
    gap_tl_update_encryption_t encryption = {gap_tl_of(GAP_TL_ENCRYPTED_CHAT_DISCARDED, &over), 1};

    begin();
    ck_assert_uint_eq(key(GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE, &fresh), key_of(GAP_PEER_NONE, 42));
    ck_assert_uint_eq(key(GAP_TL_UPDATE_ENCRYPTION, &encryption), key_of(GAP_PEER_NONE, 42));
    end();
}
END_TEST

static void learn(gap_peer_kind_t kind, int64_t chat, int32_t id)
{
    gap_bytes_t message = build_message((gap_peer_t){chat, kind}, 9, id, "hello");
    gap_tl_update_new_message_t m = {as_object(message), 5, 1};
    gap_bytes_t bytes = build(gap_tl_of(GAP_TL_UPDATE_NEW_MESSAGE, &m));
    gap_update_t u = update_of(bytes);
    uint64_t keys[GAP_CHATS_KEYS_MAX];

    ck_assert(gap_chats_concerns(&u));
    gap_chats_learn(&chats, &u);
    ck_assert_int_eq(gap_chats_keys(&chats, &u, keys), 1);
    ck_assert_uint_eq(keys[0], key_of(kind, chat));
    build_free(bytes);
    build_free(message);
}

static int delete_keys(const int32_t *ids, uint32_t count, uint64_t *keys)
{
    gap_tl_update_delete_messages_t d = {gap_tl_array(ids, count), 9, (int32_t)count};
    gap_bytes_t bytes = build(gap_tl_of(GAP_TL_UPDATE_DELETE_MESSAGES, &d));
    gap_update_t u = update_of(bytes);
    int n = gap_chats_keys(&chats, &u, keys);

    ck_assert(!gap_chats_concerns(&u));
    build_free(bytes);
    return n;
}

START_TEST(deleted_messages_find_their_chats_by_their_ids)
{
    static const int32_t one[] = {11};
    static const int32_t many[] = {11, 12, 13, 5};
    static const int32_t unknown[] = {5, 6};
    uint64_t keys[GAP_CHATS_KEYS_MAX];

    begin();
    ck_assert_int_eq(delete_keys(one, 1, keys), 1);
    ck_assert_uint_eq(keys[0], GAP_CHATS_ACCOUNT); /* nothing is known yet */
    learn(GAP_PEER_USER, 42, 11);
    learn(GAP_PEER_CHAT, 42, 12);
    learn(GAP_PEER_USER, 42, 13);
    ck_assert_int_eq(delete_keys(one, 1, keys), 1);
    ck_assert_uint_eq(keys[0], key_of(GAP_PEER_USER, 42));
    ck_assert_int_eq(delete_keys(many, 4, keys), 3);
    ck_assert_uint_eq(keys[0], key_of(GAP_PEER_USER, 42));
    ck_assert_uint_eq(keys[1], key_of(GAP_PEER_CHAT, 42));
    ck_assert_uint_eq(keys[2], GAP_CHATS_ACCOUNT);
    ck_assert_int_eq(delete_keys(unknown, 2, keys), 1);
    ck_assert_uint_eq(keys[0], GAP_CHATS_ACCOUNT);
    learn(GAP_PEER_USER, 43, 11 + GAP_CHATS_RECENT); /* in the place of the first */
    ck_assert_int_eq(delete_keys(one, 1, keys), 1);
    ck_assert_uint_eq(keys[0], GAP_CHATS_ACCOUNT);
    end();
}
END_TEST

START_TEST(of_too_many_chats_the_last_is_the_accounts_lane)
{
    int32_t ids[20];
    uint64_t keys[GAP_CHATS_KEYS_MAX];

    begin();
    for (int32_t i = 0; i < 20; i++) {
        ids[i] = 100 + i;
        learn(GAP_PEER_USER, 1000 + i, ids[i]);
    }
    ck_assert_int_eq(delete_keys(ids, 20, keys), GAP_CHATS_KEYS_MAX);
    ck_assert_uint_eq(keys[0], key_of(GAP_PEER_USER, 1000));
    ck_assert_uint_eq(keys[GAP_CHATS_KEYS_MAX - 1], GAP_CHATS_ACCOUNT);
    end();
}
END_TEST

START_TEST(without_memory_nothing_is_learned)
{
    static const int32_t id[] = {11};
    uint64_t keys[GAP_CHATS_KEYS_MAX];

    fault_alloc_init(&fault, 1);
    ck_assert_int_eq(gap_chats_init(&chats, &fault.alloc), GAP_E_NOMEM);
    begin();
    fault.fail_at = fault.calls + 1;
    learn(GAP_PEER_USER, 42, 11);
    ck_assert_int_eq(delete_keys(id, 1, keys), 1);
    ck_assert_uint_eq(keys[0], GAP_CHATS_ACCOUNT);
    learn(GAP_PEER_USER, 42, 11);
    ck_assert_int_eq(delete_keys(id, 1, keys), 1);
    ck_assert_uint_eq(keys[0], key_of(GAP_PEER_USER, 42));
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_rules");
    TCase *t = tcase_create("rules");

    tcase_add_loop_test(t, so_many_in_a_second, 0, 5);
    tcase_add_test(t, a_rest_saves_no_more_than_the_burst);
    tcase_add_test(t, without_a_pace_everything_may_happen);
    tcase_add_test(t, a_clock_that_stands_still_at_zero);
    tcase_add_test(t, pauses_double_up_to_the_cap_with_jitter);
    tcase_add_test(t, who_an_update_is_about);
    tcase_add_test(t, a_secret_chat_is_one_lane_whatever_comes_of_it);
    tcase_add_test(t, deleted_messages_find_their_chats_by_their_ids);
    tcase_add_test(t, of_too_many_chats_the_last_is_the_accounts_lane);
    tcase_add_test(t, without_memory_nothing_is_learned);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
