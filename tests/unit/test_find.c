/* tests/unit/test_find.c - looking peers up: memory, storage, server; one question for all who ask
 * the same; what refusals mean; dialogs; closing at any step; failed allocations. */
#include "tests/unit/people_world.h"

static const gap_bytes_t none = {NULL, 0};
static const gap_peer_t ada = {7, GAP_PEER_USER};
static const gap_peer_t news = {8, GAP_PEER_CHANNEL};

static void on_found(gap_client_t *client, const gap_found_peer_t *found, void *data)
{
    struct people *p = data;

    (void)client;
    ck_assert_msg(!p->in_call, "called back from inside the call");
    ck_assert_ptr_nonnull(found->text);
    ck_assert_ptr_nonnull(found->rpc_name);
    p->told++;
    if (found->status == 0) {
        ck_assert_int_eq(gap_tl_skip(gap_tl_bytes(found->input)), (int64_t)found->input.len);
        people_trace(p, "found %d/%lld %s", found->peer.kind, (long long)found->peer.id,
                     gap_tl_name(found->input.id));
        if (found->input.len == 20)
            people_trace(p, " %lld", (long long)gap_load64(found->input.data + 12));
        people_trace(p, "\n");
        return;
    }
    if (found->status != GAP_E_CLOSED)
        ck_assert_msg(found->text[0] != 0, "what went wrong and what to do");
    people_trace(p, "failed %d %s\n", found->status, found->rpc_name);
}

static int find_only(struct people *p, const char *who)
{
    p->in_call = true;
    int r = client_finder_find(p->finder, who, on_found, p);
    p->in_call = false;
    return r;
}

static void find(struct people *p, const char *who)
{
    ck_assert_int_eq(find_only(p, who), 0);
    people_tick(p);
}

static void open_as(struct people *p, bool bot, bool stored)
{
    ck_assert_int_eq(people_open(p, bot, stored, 0), 0);
}

/* ---- memory ---- */

START_TEST(test_what_is_known_is_not_asked_for)
{
    struct people p;

    open_as(&p, false, false);
    people_feed(&p, none, build_user(7, 70, 0, NULL), build_channel(8, 80, 0));
    people_feed(&p, none, none, build_chat(9));
    find(&p, "me");
    find(&p, "1000");
    find(&p, "7");
    find(&p, "-1000000000008");
    find(&p, "t.me/c/8/5");
    find(&p, "-9");
    people_expect(&p,
                  "found 1/1000 inputPeerSelf\nfound 1/1000 inputPeerSelf\n"
                  "found 1/7 inputPeerUser 70\nfound 3/8 inputPeerChannel 80\n"
                  "found 3/8 inputPeerChannel 80\nfound 2/9 inputPeerChat\n",
                  "from memory");
    find(&p, "no/body");
    find(&p, "");
    people_expect(&p, "failed -10000 \nfailed -10000 \n", "a text that means nobody");
    people_close(&p);
}
END_TEST

/* ---- the server ---- */

START_TEST(test_by_username)
{
    struct people p;

    open_as(&p, false, false);
    find(&p, "https://t.me/Ada_L/5");
    people_expect(&p, "ask contacts.resolveUsername\n", "nobody else knows names");
    gap_tl_contacts_resolve_username_t q;
    ck_assert_int_gt(gap_tl_read(p.calls[0].query, GAP_TL_CONTACTS_RESOLVE_USERNAME, &q, sizeof q),
                     0);
    ck_assert(gap_bytes_equal(q.username, gap_str("Ada_L")));
    people_answer(&p, people_resolved(ada, people_named_user(7, 70, 0, "ada_l", NULL), none));
    people_expect(&p, "found 1/7 inputPeerUser 70\n", "a user");
    find(&p, "@news");
    people_answer(&p, people_resolved(news, none, build_channel(8, 80, 0)));
    people_expect(&p, "ask contacts.resolveUsername\nfound 3/8 inputPeerChannel 80\n", "a channel");
    find(&p, "7");
    find(&p, "-1000000000008");
    people_expect(&p, "found 1/7 inputPeerUser 70\nfound 3/8 inputPeerChannel 80\n",
                  "and both are known from now on");
    people_close(&p);
}
END_TEST

START_TEST(test_by_phone)
{
    struct people p;

    open_as(&p, false, false);
    find(&p, "+49 (123) 45-67");
    gap_tl_contacts_resolve_phone_t q;
    ck_assert_int_gt(gap_tl_read(p.calls[0].query, GAP_TL_CONTACTS_RESOLVE_PHONE, &q, sizeof q), 0);
    ck_assert(gap_bytes_equal(q.phone, gap_str("491234567")));
    people_answer(&p, people_resolved(ada, people_named_user(7, 70, 0, NULL, "491234567"), none));
    people_expect(&p, "ask contacts.resolvePhone\nfound 1/7 inputPeerUser 70\n", "a user");
    people_close(&p);
}
END_TEST

START_TEST(test_by_invitation)
{
    gap_tl_photo_empty_t photo = {1};
    gap_tl_chat_invite_t open = {.title = gap_str("Club"),
                                 .photo = GAP_TL_OF(GAP_TL_PHOTO_EMPTY, &photo)};
    gap_bytes_t chat = build_chat(9);
    gap_tl_chat_invite_already_t already = {as_object(chat)};
    struct people p;

    open_as(&p, false, false);
    find(&p, "t.me/+AbC");
    people_answer(&p, build(GAP_TL_OF(GAP_TL_CHAT_INVITE_ALREADY, &already)));
    people_expect(&p, "ask messages.checkChatInvite\nfound 2/9 inputPeerChat\n", "it is in");
    build_free(chat);
    chat = build_channel(8, 80, 0);
    already.chat = as_object(chat);
    find(&p, "tg://join?invite=AbC");
    people_answer(&p, build(GAP_TL_OF(GAP_TL_CHAT_INVITE_ALREADY, &already)));
    people_expect(&p, "ask messages.checkChatInvite\nfound 3/8 inputPeerChannel 80\n", "it is in");
    find(&p, "t.me/joinchat/AbC");
    people_answer(&p, build(GAP_TL_OF(GAP_TL_CHAT_INVITE, &open)));
    people_expect(&p, "ask messages.checkChatInvite\nfailed -10017 \n", "it is not in");
    build_free(chat);
    people_close(&p);
}
END_TEST

START_TEST(test_basic_groups_are_checked)
{
    gap_tl_chat_forbidden_t forbidden = {10, gap_str("x")};
    struct people p;

    open_as(&p, false, false);
    find(&p, "-9");
    people_answer(&p, people_chats(build_chat(9)));
    people_expect(&p, "ask messages.getChats\nfound 2/9 inputPeerChat\n", "it is in");
    find(&p, "-10");
    people_answer(&p, people_chats(build(GAP_TL_OF(GAP_TL_CHAT_FORBIDDEN, &forbidden))));
    people_expect(&p, "ask messages.getChats\nfailed -10017 \n", "no access");
    find(&p, "-10");
    people_answer(&p, people_chats(none));
    people_expect(&p, "ask messages.getChats\nfailed -10017 \n", "still none");
    people_close(&p);
}
END_TEST

START_TEST(test_bots_ask_with_hash_zero)
{
    struct people p;

    open_as(&p, true, false);
    find(&p, "7");
    gap_tl_users_get_users_t q;
    gap_tl_object_t input;
    gap_tl_input_user_t user;
    ck_assert_int_gt(gap_tl_read(p.calls[0].query, GAP_TL_USERS_GET_USERS, &q, sizeof q), 0);
    gap_tl_iter_t it = gap_tl_iter(q.id);
    ck_assert_int_eq(gap_tl_next(&it, &input), 1);
    ck_assert_int_gt(GAP_TL_READ(input, GAP_TL_INPUT_USER, &user), 0);
    ck_assert(user.user_id == 7 && user.access_hash == 0);
    people_answer(&p, people_vector(build_user(7, 70, 0, NULL)));
    people_expect(&p, "ask users.getUsers\nfound 1/7 inputPeerUser 70\n", "a user");
    find(&p, "-1000000000008");
    people_answer(&p, people_chats(build_channel(8, 80, 0)));
    people_expect(&p, "ask channels.getChannels\nfound 3/8 inputPeerChannel 80\n", "a channel");
    find(&p, "17");
    people_answer(&p, people_vector(none));
    people_expect(&p, "ask users.getUsers\nfailed -10017 \n", "nobody, and no dialogs for bots");
    people_close(&p);
}
END_TEST

struct refusal_case {
    const char *who;
    int32_t code;
    const char *name;
    int status;
};

START_TEST(test_what_refusals_mean)
{
    static const struct refusal_case cases[] = {
        {"@ada_l", 400, "USERNAME_NOT_OCCUPIED", GAP_E_NOT_FOUND},
        {"@ada_l", 400, "USERNAME_INVALID", GAP_E_NOT_FOUND},
        {"@ada_l", 420, "FLOOD_WAIT_30", GAP_E_RPC},
        {"@ada_l", 500, "WHATEVER_IT_IS", GAP_E_RPC},
        {"@ada_l", 400, "USERNAME_INVALIDATED_AND_A_NAME_THAT_IS_LONGER_THAN_ANY_OTHER_NAME_YET",
         GAP_E_RPC},
        {"@ada_l", 400, "", GAP_E_RPC},
        {"+491234567", 400, "PHONE_NOT_OCCUPIED", GAP_E_NOT_FOUND},
        {"+491234567", 400, "BOT_METHOD_INVALID", GAP_E_RPC},
        {"t.me/+AbC", 400, "INVITE_HASH_EXPIRED", GAP_E_NOT_FOUND},
        {"-9", 400, "CHAT_ID_INVALID", GAP_E_NOT_FOUND},
        {"-9", 400, "PEER_ID_INVALID", GAP_E_NOT_FOUND},
        {"-1000000000008", 400, "CHANNEL_INVALID", GAP_E_NOT_FOUND},
        {"-1000000000008", 400, "CHANNEL_PRIVATE", GAP_E_NOT_FOUND},
        {"17", 400, "USER_ID_INVALID", GAP_E_NOT_FOUND},
    };
    struct people p;

    open_as(&p, true, false);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        char expected[160];
        find(&p, cases[i].who);
        p.trace[0] = 0;
        people_error(&p, cases[i].code, cases[i].name);
        (void)snprintf(expected, sizeof expected, "failed %d %.63s\n", cases[i].status,
                       cases[i].name);
        people_expect(&p, expected, cases[i].name);
    }
    find(&p, "@ada_l");
    people_no_answer(&p, GAP_E_TIMEOUT);
    people_expect(&p, "ask contacts.resolveUsername\nfailed -10012 \n", "no answer");
    p.refuse = GAP_E_DISCONNECTED;
    find(&p, "@ada_l");
    people_expect(&p, "failed -10013 \n", "not asked");
    people_close(&p);
}
END_TEST

START_TEST(test_answers_that_are_nonsense)
{
    struct people p;

    open_as(&p, false, false);
    find(&p, "@ada_l");
    people_answer(&p, people_vector(none));
    people_expect(&p, "ask contacts.resolveUsername\nfailed -10003 \n", "another type");
    find(&p, "@ada_l");
    people_answer(&p, people_resolved(ada, none, none));
    people_expect(&p, "ask contacts.resolveUsername\nfailed -10017 \n", "without the user");
    find(&p, "@ada_l");
    people_answer(&p, people_resolved(ada, build_user(7, 71, GAP_TL_USER_F_MIN, NULL), none));
    people_expect(&p, "ask contacts.resolveUsername\nfailed -10017 \n", "in part");
    gap_bytes_t whole = people_resolved(ada, build_user(7, 70, 0, NULL), none);
    for (size_t cut = 0; cut < whole.len; cut += 4) {
        uint8_t *part = malloc(cut + 1);
        memcpy(part, whole.data, cut);
        find(&p, "@ada_l");
        people_answer(&p, gap_bytes(part, cut));
    }
    build_free(whole);
    ck_assert_ptr_null(strstr(p.trace, "found"));
    p.trace[0] = 0;
    people_close(&p);
}
END_TEST

/* ---- the storage ---- */

START_TEST(test_the_storage_is_asked_first)
{
    struct people p;

    open_as(&p, false, true);
    people_feed(&p, none, people_named_user(7, 70, 0, "Ada_L", "491234567"), none);
    p.trace[0] = 0;
    find(&p, "@ada_l");
    people_expect(&p, "", "the storage is asked");
    people_storage_answers(&p);
    people_expect(&p, "found 1/7 inputPeerUser 70\n", "upper and lower case alike");
    find(&p, "+491234567");
    people_storage_answers(&p);
    people_expect(&p, "found 1/7 inputPeerUser 70\n", "by phone");
    find(&p, "@nobody");
    people_storage_answers(&p);
    people_expect(&p, "ask contacts.resolveUsername\n", "what it does not know the server does");
    people_error(&p, 400, "USERNAME_NOT_OCCUPIED");
    p.trace[0] = 0;
    p.storage_status = GAP_E_STORAGE;
    find(&p, "@ada_l");
    people_storage_answers(&p);
    people_expect(&p, "ask contacts.resolveUsername\n",
                  "nor does it end with a storage that fails");
    people_answer(&p, people_resolved(ada, people_named_user(7, 70, 0, "ada_l", NULL), none));
    people_close(&p);
}
END_TEST

START_TEST(test_a_record_from_a_former_run)
{
    static const gap_peer_record_t old = {
        .peer = {7, GAP_PEER_USER}, .access_hash = 70, .has_hash = true};
    struct people p;

    open_as(&p, false, true);
    const gap_record_t record = {.kind = GAP_RECORD_PEER, .u = {.peer = old}};
    ck_assert_int_eq(people_put(&p, &record), 0);
    p.trace[0] = 0;
    find(&p, "7");
    people_storage_answers(&p);
    people_expect(&p, "found 1/7 inputPeerUser 70\n", "not loaded, but stored");
    find(&p, "7");
    people_expect(&p, "found 1/7 inputPeerUser 70\n", "and in memory from now on");
    people_close(&p);
}
END_TEST

/* A username that has moved: whoever showed it last has it. */
START_TEST(test_a_username_that_has_moved)
{
    static const gap_tl_username_t eva = {GAP_TL_USERNAME_F_ACTIVE, {(const uint8_t *)"eva_l", 5}};
    gap_tl_object_t name = GAP_TL_OF(GAP_TL_USERNAME, &eva);
    gap_tl_update_user_name_t change = {.user_id = 7, .usernames = gap_tl_array(&name, 1)};
    struct people p;

    open_as(&p, false, true);
    gap_engine_start(p.engine);
    people_tick(&p);
    people_feed(&p, none, people_named_user(7, 70, 0, "ada_l", NULL), none);
    people_feed(&p, none, people_named_user(17, 71, 0, "ada_l", NULL), none);
    p.trace[0] = 0;
    find(&p, "@ada_l");
    people_storage_answers(&p);
    people_expect(&p, "found 1/17 inputPeerUser 71\n", "the later one");
    people_feed(&p, none, people_named_user(7, 70, 0, "ada_l", NULL), none);
    p.trace[0] = 0;
    people_feed(&p, build(GAP_TL_OF(GAP_TL_UPDATE_USER_NAME, &change)), none, none);
    find(&p, "@ada_l");
    struct people_question first = p.questions[0];
    p.questions[0] = p.questions[1];
    p.questions[1] = first;
    people_storage_answers(&p);
    people_expect(&p,
                  "ask contacts.resolveUsername\n"
                  "put user 7 hash 70 @eva_l\n",
                  "a record about to change is not trusted");
    people_close(&p);
}
END_TEST

/* ---- partial peers ---- */

static void see_partial(struct people *p)
{
    const struct client_context where = {news, 31};

    people_feed(p, none, build_user(7, 71, GAP_TL_USER_F_MIN, NULL), build_channel(8, 80, 0));
    (void)client_contexts_set(&p->book.contexts, ada, where, 0);
}

START_TEST(test_a_partial_peer_becomes_a_full_one)
{
    gap_tl_input_user_from_message_t user;
    gap_tl_users_get_users_t q;
    gap_tl_object_t input;
    struct people p;

    open_as(&p, false, false);
    see_partial(&p);
    find(&p, "7");
    ck_assert_int_gt(gap_tl_read(p.calls[0].query, GAP_TL_USERS_GET_USERS, &q, sizeof q), 0);
    gap_tl_iter_t it = gap_tl_iter(q.id);
    ck_assert_int_eq(gap_tl_next(&it, &input), 1);
    ck_assert_int_gt(GAP_TL_READ(input, GAP_TL_INPUT_USER_FROM_MESSAGE, &user), 0);
    ck_assert(user.user_id == 7 && user.msg_id == 31);
    ck_assert_uint_eq(user.peer.id, GAP_TL_INPUT_PEER_CHANNEL);
    people_answer(&p, people_vector(build_user(7, 70, 0, NULL)));
    people_expect(&p, "ask users.getUsers\nfound 1/7 inputPeerUser 70\n", "by the message");
    people_close(&p);

    open_as(&p, false, false);
    see_partial(&p);
    (void)client_contexts_set(&p.book.contexts, (gap_peer_t){18, GAP_PEER_CHANNEL},
                              (struct client_context){news, 32}, 0);
    find(&p, "-1000000000018");
    people_answer(&p, people_chats(build_channel(18, 90, 0)));
    people_expect(&p, "ask channels.getChannels\nfound 3/18 inputPeerChannel 90\n", "a channel");
    people_close(&p);
}
END_TEST

START_TEST(test_a_message_that_is_gone)
{
    gap_tl_messages_dialogs_t nothing = {.dialogs = {NULL, 0, NULL, 0}};
    struct people p;

    open_as(&p, false, false);
    see_partial(&p);
    find(&p, "7");
    people_error(&p, 400, "MSG_ID_INVALID");
    people_expect(&p, "ask users.getUsers\nask messages.getDialogs\n", "then the dialogs");
    people_answer(&p, build(GAP_TL_OF(GAP_TL_MESSAGES_DIALOGS, &nothing)));
    people_expect(&p, "failed -10017 \n", "and then no more");
    struct client_context where;
    ck_assert_msg(!client_contexts_get(&p.book.contexts, ada, &where), "the place is forgotten");
    see_partial(&p);
    find(&p, "7");
    people_error(&p, 420, "FLOOD_WAIT_5");
    people_expect(&p, "ask users.getUsers\nfailed -10011 FLOOD_WAIT_5\n",
                  "no reason to forget the place");
    ck_assert(client_contexts_get(&p.book.contexts, ada, &where));
    people_close(&p);
}
END_TEST

/* ---- dialogs ---- */

/* One page of dialogs with users from @p first on. */
static gap_bytes_t page_of(int64_t first, uint32_t count, bool slice)
{
    gap_tl_dialog_t dialogs[8];
    gap_tl_peer_user_t peers[8];
    gap_tl_object_t d[8], m[8], u[8];
    gap_bytes_t messages[8], users[8];
    gap_tl_peer_notify_settings_t settings = {0};

    for (uint32_t i = 0; i < count; i++) {
        int64_t id = first + i;
        gap_peer_t peer = {id, GAP_PEER_USER};
        messages[i] = build_message(peer, 0, (int32_t)(500 - id), "x");
        users[i] = build_user(id, id * 10, 0, NULL);
        peers[i] = (gap_tl_peer_user_t){id};
        dialogs[i] = (gap_tl_dialog_t){
            .peer = GAP_TL_OF(GAP_TL_PEER_USER, &peers[i]),
            .top_message = (int32_t)(500 - id),
            .notify_settings = GAP_TL_OF(GAP_TL_PEER_NOTIFY_SETTINGS, &settings),
        };
        d[i] = GAP_TL_OF(GAP_TL_DIALOG, &dialogs[i]);
        m[i] = as_object(messages[i]);
        u[i] = as_object(users[i]);
    }
    gap_tl_messages_dialogs_slice_t s = {
        .count = 1000,
        .dialogs = gap_tl_array(d, count),
        .messages = gap_tl_array(m, count),
        .chats = gap_tl_array(NULL, 0),
        .users = gap_tl_array(u, count),
    };
    gap_tl_messages_dialogs_t all = {s.dialogs, s.messages, s.chats, s.users};
    gap_bytes_t out = slice ? build(GAP_TL_OF(GAP_TL_MESSAGES_DIALOGS_SLICE, &s))
                            : build(GAP_TL_OF(GAP_TL_MESSAGES_DIALOGS, &all));
    for (uint32_t i = 0; i < count; i++) {
        build_free(messages[i]);
        build_free(users[i]);
    }
    return out;
}

START_TEST(test_an_unknown_id_is_looked_for_in_the_dialogs)
{
    gap_tl_messages_get_dialogs_t q;
    gap_tl_input_peer_user_t offset;
    struct people p;

    open_as(&p, false, false);
    find(&p, "25");
    find(&p, "26");
    find(&p, "999");
    people_expect(&p, "ask messages.getDialogs\n", "one walk for all");
    ck_assert_int_gt(gap_tl_read(p.calls[0].query, GAP_TL_MESSAGES_GET_DIALOGS, &q, sizeof q), 0);
    ck_assert(q.offset_peer.id == GAP_TL_INPUT_PEER_EMPTY && q.offset_date == 0);
    ck_assert_int_eq(q.limit, 100);
    people_answer(&p, page_of(20, 6, true));
    people_expect(&p, "ask messages.getDialogs\nfound 1/25 inputPeerUser 250\n",
                  "told at once; the walk goes on for the others");
    ck_assert_int_gt(gap_tl_read(p.calls[0].query, GAP_TL_MESSAGES_GET_DIALOGS, &q, sizeof q), 0);
    ck_assert_int_gt(GAP_TL_READ(q.offset_peer, GAP_TL_INPUT_PEER_USER, &offset), 0);
    ck_assert(offset.user_id == 25 && offset.access_hash == 250);
    ck_assert(q.offset_id == 475 && q.offset_date == 1700000475);
    people_answer(&p, page_of(26, 4, false));
    people_expect(&p, "found 1/26 inputPeerUser 260\nfailed -10017 \n", "that was all");
    find(&p, "998");
    people_expect(&p, "failed -10017 \n", "not again so soon");
    p.now_us += GAP_CLIENT_DIALOGS_AGAIN_US;
    people_tick(&p);
    find(&p, "998");
    people_answer(&p, page_of(998, 1, false));
    people_expect(&p, "ask messages.getDialogs\nfound 1/998 inputPeerUser 9980\n", "later again");
    people_close(&p);
}
END_TEST

START_TEST(test_the_walk_is_bounded)
{
    struct people p;
    int pages = 0;

    open_as(&p, false, false);
    find(&p, "400");
    while (p.call_count > 0) people_answer(&p, page_of(1 + 6 * pages++, 6, true));
    ck_assert_int_eq(pages, GAP_CLIENT_DIALOGS_PAGES);
    ck_assert_ptr_nonnull(strstr(p.trace, "failed -10017 \n"));
    people_close(&p);

    open_as(&p, false, false);
    find(&p, "400");
    people_answer(&p, page_of(1, 6, true));
    p.trace[0] = 0;
    people_answer(&p, page_of(1, 6, true));
    people_expect(&p, "failed -10017 \n", "a server that says the same again");
    people_close(&p);

    open_as(&p, false, false);
    find(&p, "3");
    people_answer(&p, page_of(1, 6, true));
    find(&p, "9");
    p.trace[0] = 0;
    people_answer(&p, page_of(7, 6, true));
    people_expect(&p, "found 1/9 inputPeerUser 90\n", "the next walk goes on where this one ended");
    find(&p, "400");
    people_error(&p, 420, "FLOOD_WAIT_9");
    people_expect(&p, "ask messages.getDialogs\nfailed -10011 FLOOD_WAIT_9\n", "refused");
    find(&p, "400");
    people_answer(&p, page_of(400, 1, true));
    people_expect(&p, "ask messages.getDialogs\nfound 1/400 inputPeerUser 4000\n",
                  "a refusal is not the end");
    people_close(&p);
}
END_TEST

/* ---- many at once ---- */

START_TEST(test_the_same_twice_is_asked_once)
{
    struct people p;

    open_as(&p, false, false);
    ck_assert_int_eq(find_only(&p, "@ada_l"), 0);
    ck_assert_int_eq(find_only(&p, "t.me/ADA_L"), 0);
    ck_assert_int_eq(find_only(&p, "@eva_l"), 0);
    people_tick(&p);
    ck_assert_int_eq(find_only(&p, "ada_l"), 0);
    people_tick(&p);
    people_expect(&p, "ask contacts.resolveUsername\nask contacts.resolveUsername\n", "two names");
    people_answer(&p, people_resolved(ada, build_user(7, 70, 0, NULL), none));
    people_expect(&p,
                  "found 1/7 inputPeerUser 70\nfound 1/7 inputPeerUser 70\n"
                  "found 1/7 inputPeerUser 70\n",
                  "all three are told");
    people_close(&p);
    people_expect(&p, "failed -10002 \n", "who still waits is told when it closes");
}
END_TEST

START_TEST(test_no_more_than_a_bounded_number_wait)
{
    struct people p;

    open_as(&p, false, false);
    for (int i = 0; i < GAP_CLIENT_FINDS_MAX; i++)
        ck_assert_int_eq(find_only(&p, i % 2 == 0 ? "@ada_l" : "@eva_l"), 0);
    ck_assert_int_eq(find_only(&p, "@ada_l"), GAP_E_LIMIT);
    people_tick(&p);
    people_error(&p, 400, "USERNAME_NOT_OCCUPIED");
    ck_assert_int_eq(p.told, GAP_CLIENT_FINDS_MAX / 2);
    ck_assert_int_eq(find_only(&p, "@ada_l"), 0);
    people_close(&p);
    ck_assert_int_eq(p.told, GAP_CLIENT_FINDS_MAX + 1);
}
END_TEST

/* A callback that looks for the next one, and at last closes. */
static void on_found_next(gap_client_t *client, const gap_found_peer_t *found, void *data)
{
    struct people *p = data;
    char name[16];

    (void)client;
    if (found->status == GAP_E_CLOSED) return;
    p->told++;
    if (p->told == 5) {
        client_finder_close(p->finder, people_on_finder_closed, p);
        ck_assert_int_eq(client_finder_find(p->finder, "@ada_l", on_found_next, p), GAP_E_CLOSED);
        return;
    }
    (void)snprintf(name, sizeof name, "%u", 7);
    ck_assert_int_eq(client_finder_find(p->finder, name, on_found_next, p), 0);
    ck_assert_int_eq(client_finder_find(p->finder, "@later", on_found_next, p), 0);
}

START_TEST(test_callbacks_may_go_on)
{
    struct people p;

    open_as(&p, false, false);
    people_feed(&p, none, build_user(7, 70, 0, NULL), none);
    ck_assert_int_eq(client_finder_find(p.finder, "7", on_found_next, &p), 0);
    people_tick(&p);
    ck_assert_uint_eq(p.told, 5);
    ck_assert_msg(!p.finder_closed, "a question is open");
    struct client_finder *finder = p.finder;
    p.finder = NULL;
    ck_assert_ptr_nonnull(finder);
    while (p.call_count > 0) people_no_answer(&p, GAP_E_CLOSED);
    ck_assert(p.finder_closed);
    people_close(&p);
}
END_TEST

/* Close after every step of every kind of look-up: each is told exactly once. */
START_TEST(test_close_at_any_step)
{
    static const char *const whos[] = {"@ada_l", "7", "-9", "me", "no/body", "25", "t.me/+AbC"};

    for (size_t who = 0; who < GAP_ARRAY_LEN(whos); who++) {
        for (int step = 0; step < 5; step++) {
            struct people p;
            open_as(&p, false, true);
            ck_assert_int_eq(find_only(&p, whos[who]), 0);
            if (step > 0) people_tick(&p);
            if (step > 1) people_storage_answers(&p);
            if (step > 2 && p.call_count > 0) people_error(&p, 400, "CHAT_ID_INVALID");
            if (step > 3 && p.call_count > 0) people_error(&p, 400, "CHAT_ID_INVALID");
            people_close(&p);
            ck_assert_msg(p.told == 1, "%s, step %d: told %u times", whos[who], step, p.told);
        }
    }
}
END_TEST

START_TEST(test_every_failed_allocation)
{
    static const char *const whos[] = {"@ada_l", "25", "me"};
    bool through = false;

    for (long fail = 1; !through; fail++) {
        struct people p;
        unsigned taken = 0;
        ck_assert_int_lt(fail, 60);
        if (people_open(&p, false, true, fail) == 0) {
            for (size_t i = 0; i < GAP_ARRAY_LEN(whos); i++) {
                int r = find_only(&p, whos[i]);
                ck_assert(r == 0 || r == GAP_E_NOMEM);
                taken += r == 0;
            }
            people_tick(&p);
            people_storage_answers(&p);
            while (p.call_count > 0) {
                bool dialogs = gap_load32(p.calls[0].query.data) == GAP_TL_MESSAGES_GET_DIALOGS;
                people_answer(&p, dialogs ? page_of(25, 1, false)
                                          : people_resolved(ada, build_user(7, 70, 0, NULL), none));
            }
            through = p.fault.calls < fail;
        }
        p.fault.fail_at = 0;
        people_close(&p);
        ck_assert_msg(p.told == taken, "%ld: %u told of %u", fail, p.told, taken);
    }
}
END_TEST

static Suite *find_suite(void)
{
    Suite *s = suite_create("find");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_what_is_known_is_not_asked_for);
    tcase_add_test(t, test_by_username);
    tcase_add_test(t, test_by_phone);
    tcase_add_test(t, test_by_invitation);
    tcase_add_test(t, test_basic_groups_are_checked);
    tcase_add_test(t, test_bots_ask_with_hash_zero);
    tcase_add_test(t, test_what_refusals_mean);
    tcase_add_test(t, test_answers_that_are_nonsense);
    tcase_add_test(t, test_the_storage_is_asked_first);
    tcase_add_test(t, test_a_record_from_a_former_run);
    tcase_add_test(t, test_a_username_that_has_moved);
    tcase_add_test(t, test_a_partial_peer_becomes_a_full_one);
    tcase_add_test(t, test_a_message_that_is_gone);
    tcase_add_test(t, test_an_unknown_id_is_looked_for_in_the_dialogs);
    tcase_add_test(t, test_the_walk_is_bounded);
    tcase_add_test(t, test_the_same_twice_is_asked_once);
    tcase_add_test(t, test_no_more_than_a_bounded_number_wait);
    tcase_add_test(t, test_callbacks_may_go_on);
    tcase_add_test(t, test_close_at_any_step);
    tcase_add_test(t, test_every_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(find_suite)
