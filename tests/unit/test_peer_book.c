/* tests/unit/test_peer_book.c - what of users and chats is kept: records, fingerprints, places
 * where partial peers were seen, names that change, and how each of them is addressed. */
#include "base/map.h"
#include "base/prng.h"
#include "tests/unit/people_world.h"

static const gap_bytes_t none = {NULL, 0};

/* ---- the book ---- */

START_TEST(test_the_same_again_costs_no_write)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    for (int i = 0; i < 5; i++)
        people_feed(&p, none, people_named_user(7, 70, 0, "ada", NULL), build_channel(8, 80, 0));
    people_expect(&p, "put user 7 hash 70 @ada\nput channel 8 hash 80\n", "once each");
    people_feed(&p, none, people_named_user(7, 70, GAP_TL_USER_F_PREMIUM, "ada", NULL), none);
    people_expect(&p, "", "what is not stored makes no difference");
    people_feed(&p, none, people_named_user(7, 70, 0, "eva", NULL), none);
    people_expect(&p, "put user 7 hash 70 @eva\n", "another name");
    people_feed(&p, none, people_named_user(7, 75, GAP_TL_USER_F_MIN, "ada", NULL), none);
    people_expect(&p, "", "a partial object adds nothing to a full one");
    people_feed(&p, none, people_named_user(7, 76, GAP_TL_USER_F_MIN, "ada", ""), none);
    people_expect(&p, "put user 7 hash 76 as it is called\n", "the odd one: only its hash is new");
    people_feed(&p, none, people_named_user(7, 70, 0, "eva", NULL), none);
    people_expect(&p, "put user 7 hash 70 @eva\n", "and back");
    people_feed(&p, none, people_named_user(7, 0, 0, "eva", "49"), none);
    people_expect(&p, "put user 7 hash 70 +49 @eva\n", "no hash does not delete one");
    p.refuse = GAP_E_LIMIT;
    people_feed(&p, none, people_named_user(7, 70, 0, "lea", NULL), none);
    p.refuse = 0;
    people_feed(&p, none, people_named_user(7, 70, 0, "tom", NULL), none);
    people_expect(&p, "put user 7 hash 70 @tom\n", "what could not be stored comes the next time");
    people_close(&p);
}
END_TEST

static gap_bytes_t named_channel(int64_t hash, uint32_t flags, const char *name)
{
    gap_tl_chat_photo_empty_t photo = {0};
    gap_tl_channel_t c = {
        .flags = flags | GAP_TL_CHANNEL_F_ACCESS_HASH | GAP_TL_CHANNEL_F_USERNAME,
        .id = 8,
        .access_hash = hash,
        .title = gap_str("News"),
        .username = gap_str(name),
        .photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, &photo),
    };
    return build(GAP_TL_OF(GAP_TL_CHANNEL, &c));
}

START_TEST(test_partial_channels_tell_usernames)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    people_feed(&p, none, none, named_channel(80, 0, "news"));
    people_feed(&p, none, none, named_channel(81, GAP_TL_CHANNEL_F_MIN, "news"));
    people_expect(&p, "put channel 8 hash 80 @news\n", "the same name: nothing new");
    people_feed(&p, none, none, named_channel(81, GAP_TL_CHANNEL_F_MIN, "olds"));
    people_expect(&p, "put channel 8 hash 80 @olds\n", "another name, the full one's hash");
    people_close(&p);
}
END_TEST

/* A name that moves to another peer and back. */
START_TEST(test_a_name_that_comes_back)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    people_feed(&p, none, people_named_user(7, 70, 0, "ada", NULL), none);
    people_feed(&p, none, people_named_user(8, 80, 0, "Ada", NULL), none);
    people_feed(&p, none, people_named_user(7, 70, 0, "ada", NULL), none);
    people_expect(&p, "put user 7 hash 70 @ada\nput user 8 hash 80 @Ada\nput user 7 hash 70 @ada\n",
                  "its record is the same, but the name was another's");
    people_close(&p);
}
END_TEST

/* Many in turn are written a few times while the cache grows, then no more. */
START_TEST(test_many_peers_in_turn)
{
    enum { PEERS = 600, ROUNDS = 20 };
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int64_t id = 1; id <= PEERS; id++) {
            char name[32];
            (void)snprintf(name, sizeof name, "somebody_%d", (int)id);
            people_feed(&p, none, people_named_user(id, id * 10, 0, name, NULL), none);
            p.trace[0] = 0;
        }
    }
    ck_assert_uint_ge(p.puts, PEERS);
    ck_assert_msg(p.puts <= 5 * PEERS, "%u writes for %d sightings", p.puts, PEERS * ROUNDS);
    people_close(&p);
}
END_TEST

START_TEST(test_partial_peers_are_stored_with_their_place)
{
    const gap_peer_t group = {8, GAP_PEER_CHANNEL};
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    people_feed(&p, none, none, build_channel(8, 80, 0));
    gap_engine_start(p.engine);
    p.trace[0] = 0;
    people_feed(&p, build_new_message(group, 7, 31, "x", 500),
                people_named_user(7, 71, GAP_TL_USER_F_MIN, NULL, NULL), none);
    people_tick(&p);
    const char *put = strstr(p.trace, "put user 7 hash 71 min\n");
    ck_assert_msg(put != NULL, "%s", p.trace);
    ck_assert_msg(strstr(put, "put user 7 hash 71 min in channel 8/31 as it is called\n") != NULL,
                  "%s", p.trace);
    p.trace[0] = 0;
    people_feed(&p, build_new_message(group, 7, 32, "x", 501), none, none);
    people_expect(&p, "", "the next message is remembered, not written");
    struct client_context where;
    ck_assert(client_contexts_get(&p.book.contexts, (gap_peer_t){7, GAP_PEER_USER}, &where));
    ck_assert_int_eq(where.msg_id, 32);
    people_feed(&p, none, people_named_user(7, 72, GAP_TL_USER_F_MIN, NULL, NULL), none);
    people_expect(&p, "put user 7 hash 72 min in channel 8/32\n", "with the newest place");
    people_feed(&p, none, people_named_user(7, 70, 0, NULL, NULL), none);
    people_expect(&p, "put user 7 hash 70\n", "a full object ends it");
    people_close(&p);
}
END_TEST

/* What a difference brings is learned as well. */
START_TEST(test_peers_of_a_difference)
{
    gap_bytes_t user = people_named_user(7, 70, 0, "ada", NULL);
    gap_tl_object_t users[] = {as_object(user)};
    gap_tl_updates_state_t state = {.pts = 1, .date = 1};
    gap_tl_updates_difference_t d = {
        .new_messages = gap_tl_array(NULL, 0),
        .new_encrypted_messages = gap_tl_array(NULL, 0),
        .other_updates = gap_tl_array(NULL, 0),
        .chats = gap_tl_array(NULL, 0),
        .users = gap_tl_array(users, 1),
        .state = GAP_TL_OF(GAP_TL_UPDATES_STATE, &state),
    };
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    gap_engine_start(p.engine);
    people_tick(&p);
    people_answer(&p, build(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE, &d)));
    people_expect(&p, "ask updates.getDifference\nput user 7 hash 70 @ada\n", "who came along");
    people_close(&p);
    build_free(user);
}
END_TEST

/* ---- names that change ---- */

static gap_bytes_t name_change(int64_t id, const char *name)
{
    gap_tl_username_t username = {.flags = GAP_TL_USERNAME_F_ACTIVE, .username = gap_str("")};
    gap_tl_object_t object = GAP_TL_OF(GAP_TL_USERNAME, &username);

    if (name != NULL) username.username = gap_str(name);
    gap_tl_update_user_name_t u = {
        .user_id = id,
        .first_name = gap_str("Ada"),
        .last_name = gap_str(""),
        .usernames = gap_tl_array(&object, name == NULL ? 0 : 1),
    };
    return build(GAP_TL_OF(GAP_TL_UPDATE_USER_NAME, &u));
}

static gap_bytes_t phone_change(int64_t id, const char *phone)
{
    gap_tl_update_user_phone_t u = {id, gap_str(phone)};
    return build(GAP_TL_OF(GAP_TL_UPDATE_USER_PHONE, &u));
}

START_TEST(test_names_that_change_keep_the_rest)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    people_feed(&p, none, people_named_user(7, 70, 0, "ada", "49"), none);
    gap_engine_start(p.engine);
    people_tick(&p);
    p.trace[0] = 0;
    people_feed(&p, name_change(7, "eva"), none, none);
    people_feed(&p, phone_change(7, "48"), none, none);
    people_feed(&p, name_change(7, NULL), none, none);
    people_expect(&p, "", "what is stored is read first");
    ck_assert(client_book_is_changing(&p.book, (gap_peer_t){7, GAP_PEER_USER}));
    ck_assert(!client_book_is_changing(&p.book, (gap_peer_t){8, GAP_PEER_USER}));
    people_storage_answers(&p);
    people_expect(&p,
                  "put user 7 hash 70 +49 @eva\nput user 7 hash 70 +48 @eva\n"
                  "put user 7 hash 70 +48\n",
                  "one after the other");
    ck_assert(!client_book_is_changing(&p.book, (gap_peer_t){7, GAP_PEER_USER}));
    people_feed(&p, name_change(9, "who"), none, none);
    people_storage_answers(&p);
    people_expect(&p, "", "who is not stored has nothing to be corrected");
    p.storage_status = GAP_E_STORAGE;
    people_feed(&p, name_change(7, "eva"), none, none);
    people_storage_answers(&p);
    people_expect(&p, "put user 7 hash 70 @eva\n", "can't be read: the phone is given up");
    people_close(&p);
}
END_TEST

START_TEST(test_too_many_changes_at_once)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    people_feed(&p, none, people_named_user(7, 70, 0, "ada", "49"), none);
    gap_engine_start(p.engine);
    people_tick(&p);
    for (int i = 0; i < GAP_CLIENT_PATCHES_MAX; i++)
        people_feed(&p, phone_change(7, "48"), none, none);
    p.trace[0] = 0;
    ck_assert_uint_eq(p.book.patch_count, GAP_CLIENT_PATCHES_MAX);
    people_feed(&p, name_change(7, "eva"), none, none);
    people_expect(&p, "put user 7 hash 70 @eva\n", "no room to wait: written alone");
    people_close(&p);
}
END_TEST

/* ---- addressing ---- */

static const char *address_of(struct people *p, gap_peer_kind_t kind, int64_t id)
{
    static char text[160];
    uint8_t storage[64];
    gap_tl_object_t input;
    struct client_address a;

    int r = client_book_address(&p->book, (gap_peer_t){id, kind}, &a);
    if (r < 0) return gap_strerror(r);
    client_address_peer(&a, storage, &input);
    ck_assert_int_eq(gap_tl_skip(gap_tl_bytes(input)), (int64_t)input.len);
    ck_assert_str_eq(gap_tl_type(input.id), "InputPeer");
    int n = snprintf(text, sizeof text, "%s", gap_tl_name(input.id));
    for (size_t at = 4; at < input.len; at += 4)
        n += snprintf(text + n, sizeof text - (size_t)n, " %x", gap_load32(storage + at));
    if (kind == GAP_PEER_CHAT) return text;
    client_address_bare(&a, storage, &input);
    ck_assert_int_eq(gap_tl_skip(gap_tl_bytes(input)), (int64_t)input.len);
    ck_assert_str_eq(gap_tl_type(input.id), kind == GAP_PEER_USER ? "InputUser" : "InputChannel");
    return text;
}

static void seen_in(struct people *p, gap_peer_kind_t kind, int64_t id, gap_peer_t chat)
{
    struct client_context where = {chat, 31};
    (void)client_contexts_set(&p->book.contexts, (gap_peer_t){id, kind}, where, 0);
}

START_TEST(test_how_each_is_addressed)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, false, 0), 0);
    people_feed(&p, none, build_user(7, 70, 0, NULL), build_channel(8, 80, 0));
    people_feed(&p, none, build_user(17, 71, GAP_TL_USER_F_MIN, NULL),
                build_channel(18, 81, GAP_TL_CHANNEL_F_MIN));
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, PEOPLE_SELF), "inputPeerSelf");
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 7), "inputPeerUser 7 0 46 0");
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHANNEL, 8), "inputPeerChannel 8 0 50 0");
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHAT, 9), "inputPeerChat 9 0");
    const char *unknown = gap_strerror(GAP_E_NOT_FOUND);
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 6), unknown);
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 17), unknown);
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHANNEL, 18), unknown);
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 0), gap_strerror(GAP_E_ARGUMENT));
    ck_assert_str_eq(address_of(&p, GAP_PEER_NONE, 5), gap_strerror(GAP_E_ARGUMENT));
    seen_in(&p, GAP_PEER_USER, 17, (gap_peer_t){8, GAP_PEER_CHANNEL});
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 17),
                     "inputPeerUserFromMessage 27bcbbfc 8 0 50 0 1f 11 0");
    seen_in(&p, GAP_PEER_CHANNEL, 18, (gap_peer_t){9, GAP_PEER_CHAT});
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHANNEL, 18),
                     "inputPeerChannelFromMessage 35a95cb9 9 0 1f 12 0");
    seen_in(&p, GAP_PEER_CHANNEL, 18, (gap_peer_t){PEOPLE_SELF, GAP_PEER_USER});
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHANNEL, 18),
                     "inputPeerChannelFromMessage 7da07ec9 1f 12 0");
    seen_in(&p, GAP_PEER_CHANNEL, 18, (gap_peer_t){17, GAP_PEER_USER});
    ck_assert_msg(strcmp(address_of(&p, GAP_PEER_CHANNEL, 18), unknown) == 0,
                  "a chat that is partial itself leads nowhere");
    people_close(&p);
}
END_TEST

START_TEST(test_bots_say_zero)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, true, false, 0), 0);
    people_feed(&p, none, build_user(17, 71, GAP_TL_USER_F_MIN, NULL), build_channel(8, 80, 0));
    seen_in(&p, GAP_PEER_USER, 17, (gap_peer_t){8, GAP_PEER_CHANNEL});
    ck_assert_msg(strcmp(address_of(&p, GAP_PEER_USER, 17), "inputPeerUser 11 0 0 0") == 0,
                  "FROM_MESSAGE_BOT_DISABLED");
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 6), gap_strerror(GAP_E_NOT_FOUND));
    people_close(&p);
}
END_TEST

START_TEST(test_what_was_stored_is_known_again)
{
    const gap_peer_t seen_in_chat = {9, GAP_PEER_CHAT};
    const gap_peer_record_t full = {
        .peer = {7, GAP_PEER_USER}, .access_hash = 70, .has_hash = true};
    const gap_peer_record_t partial = {.peer = {17, GAP_PEER_USER},
                                       .access_hash = 71,
                                       .has_hash = true,
                                       .min = true,
                                       .seen_in = seen_in_chat,
                                       .seen_msg_id = 31};
    const gap_peer_record_t group = {.peer = {9, GAP_PEER_CHAT}};
    gap_peer_record_t old = full;
    gap_engine_peer_t known;
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    ck_assert_int_eq(client_book_know(&p.book, &full), 0);
    ck_assert_int_eq(client_book_know(&p.book, &partial), 0);
    ck_assert_int_eq(client_book_know(&p.book, &group), 0);
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 7), "inputPeerUser 7 0 46 0");
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 17),
                     "inputPeerUserFromMessage 35a95cb9 9 0 1f 11 0");
    ck_assert(gap_engine_peer(p.engine, group.peer, &known));
    people_feed(&p, none, build_user(7, 75, 0, NULL), none);
    old.access_hash = 70;
    ck_assert_int_eq(client_book_know(&p.book, &old), 0);
    ck_assert(gap_engine_peer(p.engine, full.peer, &known));
    ck_assert_msg(known.access_hash == 75, "what is stored is older than what was seen");
    old.min = true;
    ck_assert_int_eq(client_book_know(&p.book, &old), 0);
    ck_assert(gap_engine_peer(p.engine, full.peer, &known));
    ck_assert(!known.min);
    people_close(&p);
}
END_TEST

/* The result of a call that brings messages says where its partial users were seen. */
START_TEST(test_another_account_begins_anew)
{
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    const struct client_book_ops ops = p.book.ops;
    people_feed(&p, none, build_user(17, 71, GAP_TL_USER_F_MIN, NULL), build_channel(8, 80, 0));
    seen_in(&p, GAP_PEER_USER, 17, (gap_peer_t){8, GAP_PEER_CHANNEL});
    p.trace[0] = 0;
    client_book_begin(&p.book, PEOPLE_SELF, false, &ops);
    people_feed(&p, none, none, build_channel(8, 80, 0));
    people_expect(&p, "", "the same account");
    ck_assert_str_ne(address_of(&p, GAP_PEER_USER, 17), gap_strerror(GAP_E_NOT_FOUND));
    client_book_begin(&p.book, PEOPLE_SELF + 1, false, &ops);
    people_feed(&p, none, build_user(9, 90, 0, NULL), build_channel(8, 80, 0));
    people_expect(&p, "put user 9 hash 90\nput channel 8 hash 80\n", "stored for the other one");
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 17), gap_strerror(GAP_E_NOT_FOUND));
    people_close(&p);
}
END_TEST

START_TEST(test_answers_teach)
{
    gap_bytes_t message = build_message((gap_peer_t){8, GAP_PEER_CHANNEL}, 17, 31, "x");
    gap_bytes_t user = build_user(17, 71, GAP_TL_USER_F_MIN, NULL);
    gap_bytes_t channel = build_channel(8, 80, 0);
    gap_tl_object_t parts[] = {as_object(message), as_object(user), as_object(channel)};
    gap_tl_messages_messages_t m = {
        .messages = gap_tl_array(&parts[0], 1),
        .chats = gap_tl_array(&parts[2], 1),
        .users = gap_tl_array(&parts[1], 1),
    };
    gap_bytes_t value = build(GAP_TL_OF(GAP_TL_MESSAGES_MESSAGES, &m));
    struct people p;

    ck_assert_int_eq(people_open(&p, false, false, 0), 0);
    for (size_t cut = 0; cut < value.len; cut += 4)
        client_book_answer(&p.book, gap_bytes(value.data, cut), 0);
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHANNEL, 8), gap_strerror(GAP_E_NOT_FOUND));
    client_book_answer(&p.book, value, 0);
    ck_assert_str_eq(address_of(&p, GAP_PEER_CHANNEL, 8), "inputPeerChannel 8 0 50 0");
    ck_assert_str_eq(address_of(&p, GAP_PEER_USER, 17),
                     "inputPeerUserFromMessage 27bcbbfc 8 0 50 0 1f 11 0");
    people_close(&p);
    build_free(message);
    build_free(user);
    build_free(channel);
    build_free(value);
}
END_TEST

/* Answers with flipped bits and torn ends: nothing is learned of what can't be read, nothing
 * breaks. */
START_TEST(test_damaged_answers)
{
    static const char *const names[] = {"one", "two", "three"};
    static const uint32_t flags[] = {GAP_TL_USERNAME_F_ACTIVE, 0, GAP_TL_USERNAME_F_ACTIVE};
    gap_bytes_t message = build_message((gap_peer_t){8, GAP_PEER_CHANNEL}, 17, 31, "x");
    gap_bytes_t users[] = {people_with_names("first", flags, names, 3),
                           build_user(17, 71, GAP_TL_USER_F_MIN, NULL)};
    gap_bytes_t channel = named_channel(80, 0, "news");
    gap_tl_object_t parts[] = {as_object(message), as_object(users[0]), as_object(users[1]),
                               as_object(channel)};
    gap_tl_messages_channel_messages_t m = {
        .messages = gap_tl_array(&parts[0], 1),
        .topics = gap_tl_array(NULL, 0),
        .chats = gap_tl_array(&parts[3], 1),
        .users = gap_tl_array(&parts[1], 2),
    };
    gap_bytes_t whole = build(GAP_TL_OF(GAP_TL_MESSAGES_CHANNEL_MESSAGES, &m));
    gap_prng_t rng = {5};
    struct people p;

    ck_assert_int_eq(people_open(&p, false, true, 0), 0);
    for (int i = gap_test_seeds(20000); i > 0; i--) {
        size_t len = gap_prng_below(&rng, 8) == 0 ? gap_prng_below(&rng, whole.len) : whole.len;
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, whole.data, len);
        for (size_t k = gap_prng_below(&rng, 4); k > 0 && len > 0; k--)
            copy[gap_prng_below(&rng, len)] ^= (uint8_t)(1U << gap_prng_below(&rng, 8));
        client_book_answer(&p.book, gap_bytes(copy, len), 0);
        p.trace[0] = 0;
        free(copy);
    }
    client_book_answer(&p.book, whole, 0);
    ck_assert_str_ne(address_of(&p, GAP_PEER_CHANNEL, 8), gap_strerror(GAP_E_NOT_FOUND));
    people_close(&p);
    build_free(message);
    build_free(users[0]);
    build_free(users[1]);
    build_free(channel);
    build_free(whole);
}
END_TEST

START_TEST(test_without_memory)
{
    for (long fail = 1; fail < 12; fail++) {
        struct people p;
        if (people_open(&p, false, true, fail) == 0) {
            people_feed(&p, none, people_named_user(7, 70, 0, "ada", "49"), none);
            gap_engine_start(p.engine);
            people_tick(&p);
            gap_bytes_t change = name_change(7, "eva");
            gap_bytes_t all = build_updates(&change, 1, none, none, 0);
            int r = gap_engine_feed(p.engine, all.data, all.len, NULL);
            ck_assert(r == 0 || r == GAP_E_NOMEM);
            people_tick(&p);
            people_storage_answers(&p);
            build_free(change);
            build_free(all);
            /* What was stored under the old name is not any more. */
            bool was_stored = strstr(p.trace, "put user 7 hash 70 +49 @ada\n") != NULL;
            if (r == 0 && was_stored)
                ck_assert_msg(strstr(p.trace, "@eva\n") != NULL, "%ld: %s", fail, p.trace);
        }
        people_close(&p);
    }
}
END_TEST

static Suite *book_suite(void)
{
    Suite *s = suite_create("peer_book");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_the_same_again_costs_no_write);
    tcase_add_test(t, test_partial_channels_tell_usernames);
    tcase_add_test(t, test_a_name_that_comes_back);
    tcase_add_test(t, test_many_peers_in_turn);
    tcase_add_test(t, test_partial_peers_are_stored_with_their_place);
    tcase_add_test(t, test_peers_of_a_difference);
    tcase_add_test(t, test_names_that_change_keep_the_rest);
    tcase_add_test(t, test_too_many_changes_at_once);
    tcase_add_test(t, test_how_each_is_addressed);
    tcase_add_test(t, test_bots_say_zero);
    tcase_add_test(t, test_what_was_stored_is_known_again);
    tcase_add_test(t, test_another_account_begins_anew);
    tcase_add_test(t, test_answers_teach);
    tcase_add_test(t, test_damaged_answers);
    tcase_add_test(t, test_without_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(book_suite)
