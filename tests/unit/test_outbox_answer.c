/*
 * What the server's answers mean for a row: errors by name and by code, results of every shape, no
 * answer at all; and what the simulated world answers to the calls of each kind.
 */
#include "tests/unit/send_world.h"

#include "outbox/answer.h"
#include "outbox/errors.h"

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define MADE 4711 /* a row's random_id */

static struct gap_asked asked_for(gap_outbox_kind_t kind)
{
    bool makes = kind == GAP_OUTBOX_SEND || kind == GAP_OUTBOX_MEDIA || kind == GAP_OUTBOX_FORWARD;
    gap_outbox_item_t item = {.kind = kind, .id_count = kind == GAP_OUTBOX_FORWARD};
    static const int32_t one[] = {9};
    struct gap_asked asked;

    item.ids = one;
    if (kind == GAP_OUTBOX_RAW) item.replay = GAP_REPLAY_IDEMPOTENT;
    gap_outbox_asked(&item, makes ? MADE : 0, 9, false, &asked);
    return asked;
}

static struct gap_outcome judge_error(const struct gap_asked *asked, int32_t code, const char *name,
                                      int32_t value)
{
    gap_result_t result = {
        .status = GAP_E_RPC, .rpc_code = code, .rpc_name = name, .rpc_value = value};
    struct gap_outcome out;

    gap_outbox_judge(&result, asked, &out);
    ck_assert_int_eq(out.error, code);
    return out;
}

/* ---- errors ---- */

static const struct {
    const char *name;
    int32_t code;
    int32_t value;
    gap_outbox_kind_t kind;
    enum gap_outcome_kind outcome;
    uint32_t seconds;
    enum gap_wait_scope scope;
} errors[] = {
    {"FLOOD_WAIT_30", 420, 30, GAP_OUTBOX_SEND, GAP_OUTCOME_WAIT, 30, GAP_WAIT_METHOD},
    {"FLOOD_WAIT_0", 420, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_WAIT, 1, GAP_WAIT_METHOD},
    {"FLOOD_WAIT_99999999", 420, 99999999, GAP_OUTBOX_EDIT, GAP_OUTCOME_WAIT, 14 * 86400,
     GAP_WAIT_METHOD},
    {"FLOOD_PREMIUM_WAIT_5", 420, 5, GAP_OUTBOX_MEDIA, GAP_OUTCOME_WAIT, 5, GAP_WAIT_METHOD},
    {"SLOWMODE_WAIT_60", 420, 60, GAP_OUTBOX_SEND, GAP_OUTCOME_WAIT, 60, GAP_WAIT_SENDING},
    {"FLOOD_SKIP_FAILED_WAIT", 420, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_WAIT, 1, GAP_WAIT_ROW},
    {"2FA_CONFIRM_WAIT_7", 420, 7, GAP_OUTBOX_RAW, GAP_OUTCOME_WAIT, 7, GAP_WAIT_METHOD},
    {"NEVER_HEARD_OF_WAIT_9", 420, 9, GAP_OUTBOX_RAW, GAP_OUTCOME_WAIT, 9, GAP_WAIT_METHOD},
    {"FROZEN_METHOD_INVALID", 420, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_STOP_BULK, 0, 0},
    {"PEER_FLOOD", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_STOP_BULK, 0, 0},
    {"RANDOM_ID_DUPLICATE", 500, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_DUPLICATE, 1, 0},
    {"RANDOM_ID_DUPLICATE", 500, 0, GAP_OUTBOX_EDIT, GAP_OUTCOME_RETRY, 1, 0},
    {"WORKER_BUSY_TOO_LONG_RETRY", 500, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_RETRY, 1, 0},
    {"RPC_CALL_FAIL", 500, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_RETRY, 1, 0},
    {"RPC_CALL_FAIL", 500, 0, GAP_OUTBOX_PIN, GAP_OUTCOME_UNKNOWN, 0, 0},
    {"NEVER_HEARD_OF", 500, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_RETRY, 1, 0},
    {"NEVER_HEARD_OF", 500, 0, GAP_OUTBOX_PIN, GAP_OUTCOME_UNKNOWN, 0, 0},
    {"Timeout", -503, 0, GAP_OUTBOX_EDIT, GAP_OUTCOME_RETRY, 1, 0},
    {"Timedout", -503, 0, GAP_OUTBOX_PIN, GAP_OUTCOME_UNKNOWN, 0, 0},
    {"Whatever", -500, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_RETRY, 1, 0},
    {"MSG_WAIT_FAILED", 400, 0, GAP_OUTBOX_PIN, GAP_OUTCOME_RETRY, 1, 0},
    {"MSG_WAIT_TIMEOUT", 500, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_RETRY, 1, 0},
    {"MESSAGE_NOT_MODIFIED", 400, 0, GAP_OUTBOX_EDIT, GAP_OUTCOME_UNCHANGED, 0, 0},
    {"MESSAGE_NOT_MODIFIED", 400, 0, GAP_OUTBOX_REACT, GAP_OUTCOME_UNCHANGED, 0, 0},
    {"CHAT_NOT_MODIFIED", 400, 0, GAP_OUTBOX_PIN, GAP_OUTCOME_UNCHANGED, 0, 0},
    {"CHAT_ABOUT_NOT_MODIFIED", 400, 0, GAP_OUTBOX_RAW, GAP_OUTCOME_UNCHANGED, 0, 0},
    {"MESSAGE_ID_INVALID", 400, 0, GAP_OUTBOX_EDIT, GAP_OUTCOME_GONE, 0, 0},
    {"MESSAGE_ID_INVALID", 400, 0, GAP_OUTBOX_DELETE, GAP_OUTCOME_UNCHANGED, 0, 0},
    {"MESSAGE_ID_INVALID", 400, 0, GAP_OUTBOX_FORWARD, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"MESSAGE_EDIT_TIME_EXPIRED", 400, 0, GAP_OUTBOX_EDIT, GAP_OUTCOME_EXPIRED, 0, 0},
    {"MESSAGE_AUTHOR_REQUIRED", 403, 0, GAP_OUTBOX_EDIT, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"CHAT_ADMIN_REQUIRED", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"CHAT_ADMIN_REQUIRED", 400, 0, GAP_OUTBOX_PIN, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"CHAT_WRITE_FORBIDDEN", 403, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"CHANNEL_PRIVATE", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"CHANNEL_PRIVATE", 406, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"USER_IS_BLOCKED", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"PEER_ID_INVALID", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"ALLOW_PAYMENT_REQUIRED_10", 403, 10, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_CHAT, 0, 0},
    {"CHAT_SEND_STICKERS_FORBIDDEN", 403, 0, GAP_OUTBOX_MEDIA, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"MESSAGE_DELETE_FORBIDDEN", 403, 0, GAP_OUTBOX_DELETE, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"MESSAGE_TOO_LONG", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"QUERY_ID_INVALID", 400, 0, GAP_OUTBOX_RAW, GAP_OUTCOME_DEAD, 0, 0},
    {"NEVER_HEARD_OF", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"NEVER_HEARD_OF", 403, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"NEVER_HEARD_OF", 404, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"NEVER_HEARD_OF", 406, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_ROW, 0, 0},
    {"AUTH_KEY_UNREGISTERED", 401, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_WAIT, 1, GAP_WAIT_ROW},
    {"USER_MIGRATE_4", 303, 4, GAP_OUTBOX_SEND, GAP_OUTCOME_RETRY, 4, 0},
    {"", 400, 0, GAP_OUTBOX_SEND, GAP_OUTCOME_PARK_ROW, 0, 0},
};

START_TEST(test_errors)
{
    struct gap_asked asked = asked_for(errors[_i].kind);
    struct gap_outcome out =
        judge_error(&asked, errors[_i].code, errors[_i].name, errors[_i].value);

    ck_assert_msg(out.kind == errors[_i].outcome, "%s: %d", errors[_i].name, out.kind);
    ck_assert_msg(out.seconds == errors[_i].seconds, "%s: %u s", errors[_i].name, out.seconds);
    ck_assert_msg(out.scope == errors[_i].scope, "%s: scope %d", errors[_i].name, out.scope);
    ck_assert_ptr_nonnull(strstr(out.reason, errors[_i].name));
}
END_TEST

/* "may have been done" is answered by people or a probe, never by another try. */
START_TEST(test_trouble_of_what_is_not_repeated)
{
    struct gap_asked asked = asked_for(GAP_OUTBOX_RAW);

    asked.replay = GAP_REPLAY_NEVER;
    ck_assert_int_eq(judge_error(&asked, 500, "RPC_CALL_FAIL", 0).kind, GAP_OUTCOME_UNKNOWN);
    asked.repeated = true; /* an answer to a callback query: the first one came through */
    ck_assert_int_eq(judge_error(&asked, 400, "QUERY_ID_INVALID", 0).kind, GAP_OUTCOME_UNCHANGED);
}
END_TEST

/* Whoever is told so may not cancel the row, or send something else in its place. */
START_TEST(test_what_may_have_been_done)
{
    struct gap_asked asked = asked_for(GAP_OUTBOX_SEND);
    gap_result_t unreadable = {.status = GAP_E_TL, .rpc_name = ""};
    struct gap_outcome out;

    ck_assert(judge_error(&asked, 500, "RPC_CALL_FAIL", 0).maybe_done);
    ck_assert(judge_error(&asked, -503, "Timeout", 0).maybe_done);
    ck_assert(!judge_error(&asked, 400, "MSG_WAIT_FAILED", 0).maybe_done);
    ck_assert(!judge_error(&asked, 420, "FLOOD_WAIT_5", 5).maybe_done);
    ck_assert(!judge_error(&asked, 303, "USER_MIGRATE_4", 4).maybe_done);
    gap_outbox_judge(&unreadable, &asked, &out);
    ck_assert(out.maybe_done);
}
END_TEST

/* Nothing that a server says breaks the line that people read. */
START_TEST(test_strange_names)
{
    struct gap_asked asked = asked_for(GAP_OUTBOX_SEND);
    char name[2000];

    memset(name, 'A', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    gap_result_t result = {.status = GAP_E_RPC, .rpc_code = 400, .rpc_name = name};
    struct gap_outcome out;
    gap_outbox_judge(&result, &asked, &out);
    ck_assert_uint_lt(strlen(out.reason), GAP_REASON_BYTES);
    result.rpc_name = "A\n\x1b[31m\xff_1_";
    gap_outbox_judge(&result, &asked, &out);
    for (const char *p = out.reason; *p != '\0'; p++) ck_assert(*p >= ' ' && *p < 0x7f);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_PARK_ROW);
}
END_TEST

/* Each line fits, with the longest name behind it, and is there once. */
START_TEST(test_table)
{
    size_t count;
    const struct gap_error_line *lines = gap_error_lines(&count);

    ck_assert_uint_gt(count, 100);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s_1234567", lines[i].name);
        ck_assert_ptr_eq(gap_error_line(lines[i].name, lines[i].code), &lines[i]);
        ck_assert_ptr_eq(gap_error_line(name, 1), &lines[i]);
        ck_assert_msg(strlen(lines[i].reason) + strlen(name) + 4 < GAP_REASON_BYTES, "%s",
                      lines[i].name);
        ck_assert_uint_gt(strlen(lines[i].reason), 10);
    }
}
END_TEST

/* ---- no answer ---- */

START_TEST(test_silence)
{
    static const int all[] = {GAP_E_TIMEOUT,      GAP_E_DISCONNECTED, GAP_E_CLOSED,
                              GAP_E_UNAUTHORIZED, GAP_E_NOMEM,        GAP_E_PROTOCOL};
    static const gap_outbox_kind_t kinds[] = {GAP_OUTBOX_SEND, GAP_OUTBOX_EDIT, GAP_OUTBOX_PIN};

    for (size_t i = 0; i < GAP_ARRAY_LEN(all); i++) {
        for (size_t k = 0; k < GAP_ARRAY_LEN(kinds); k++) {
            struct gap_asked asked = asked_for(kinds[k]);
            gap_result_t result = {.status = all[i], .rpc_name = ""};
            struct gap_outcome out;
            gap_outbox_judge(&result, &asked, &out);
            ck_assert_int_eq(out.kind, GAP_OUTCOME_UNKNOWN);
            ck_assert_int_eq(out.error, all[i]);
            ck_assert_ptr_nonnull(strstr(out.reason, gap_strerror(all[i])));
        }
    }
}
END_TEST

/* An answer that can't be read is one: what has a random_id asks again, the rest is done. */
START_TEST(test_unreadable)
{
    gap_result_t result = {.status = GAP_E_TL_ID, .rpc_name = ""};
    struct gap_outcome out;
    struct gap_asked asked = asked_for(GAP_OUTBOX_SEND);

    gap_outbox_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
    ck_assert_int_eq(out.error, GAP_E_TL_ID);
    asked = asked_for(GAP_OUTBOX_EDIT);
    gap_outbox_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 9);
    asked.replay = GAP_REPLAY_NEVER;
    gap_outbox_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
}
END_TEST

/* ---- results, written by hand ---- */

static uint8_t bytes[8192];

static struct gap_outcome judge_object(gap_tl_object_t object, const struct gap_asked *asked)
{
    int64_t len = gap_tl_write(object, bytes, sizeof bytes);
    gap_result_t result = {.rpc_name = ""};
    struct gap_outcome out;

    ck_assert_int_gt(len, 0);
    result.object = (gap_tl_object_t){bytes, (size_t)len, NULL, object.id};
    gap_outbox_judge(&result, asked, &out);
    return out;
}

static gap_tl_object_t new_message(gap_tl_message_t *m, gap_tl_peer_user_t *peer,
                                   gap_tl_update_new_message_t *u, int32_t id, int32_t pts_count)
{
    *peer = (gap_tl_peer_user_t){.user_id = 5};
    *m = (gap_tl_message_t){.id = id, .peer_id = GAP_TL_OF(GAP_TL_PEER_USER, peer), .date = 1};
    *u = (gap_tl_update_new_message_t){
        .message = GAP_TL_OF(GAP_TL_MESSAGE, m), .pts = 5, .pts_count = pts_count};
    return GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, u);
}

START_TEST(test_short_answer)
{
    gap_tl_update_short_sent_message_t sent = {.id = 42, .pts = 5, .pts_count = 1, .date = 1};
    struct gap_asked asked = asked_for(GAP_OUTBOX_SEND);
    struct gap_outcome out =
        judge_object(GAP_TL_OF(GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &sent), &asked);

    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 42);
    ck_assert_uint_eq(out.parts, 1);
    ck_assert_str_eq(out.reason, "");
    sent.id = 0;
    out = judge_object(GAP_TL_OF(GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &sent), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
}
END_TEST

/* What a repeat is answered: the earlier message, with a pts_count of 0. */
START_TEST(test_answer_to_a_repeat)
{
    gap_tl_update_message_id_t mine = {.id = 882, .random_id = MADE};
    gap_tl_update_message_id_t other = {.id = 7, .random_id = MADE + 1};
    gap_tl_message_t m[2];
    gap_tl_peer_user_t peer[2];
    gap_tl_update_new_message_t u[2];
    gap_tl_object_t all[4] = {
        GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &other), GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &mine),
        new_message(&m[0], &peer[0], &u[0], 7, 1), new_message(&m[1], &peer[1], &u[1], 882, 0)};
    gap_tl_updates_t updates = {.updates = gap_tl_array(all, 4),
                                .users = gap_tl_array(NULL, 0),
                                .chats = gap_tl_array(NULL, 0)};
    struct gap_asked asked = asked_for(GAP_OUTBOX_SEND);
    struct gap_outcome out = judge_object(GAP_TL_OF(GAP_TL_UPDATES, &updates), &asked);

    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 882);
    updates.updates = gap_tl_array(all + 3, 1); /* the message alone is enough if it is one */
    out = judge_object(GAP_TL_OF(GAP_TL_UPDATES, &updates), &asked);
    ck_assert_int_eq(out.message_id, 882);
    updates.updates = gap_tl_array(all + 2, 2); /* but not if it may be either */
    out = judge_object(GAP_TL_OF(GAP_TL_UPDATES, &updates), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
    updates.updates = gap_tl_array(NULL, 0);
    out = judge_object(GAP_TL_OF(GAP_TL_UPDATES, &updates), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
    ck_assert_int_eq(out.error, GAP_E_TL);
    ck_assert_ptr_nonnull(strstr(out.reason, "random_id"));
}
END_TEST

/* Of three messages two were still there. */
START_TEST(test_partly_forwarded)
{
    gap_tl_update_message_id_t ids[2] = {{.id = 30, .random_id = gap_outbox_random_at(MADE, 2)},
                                         {.id = 29, .random_id = gap_outbox_random_at(MADE, 1)}};
    gap_tl_object_t all[2] = {GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &ids[0]),
                              GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &ids[1])};
    gap_tl_updates_t updates = {.updates = gap_tl_array(all, 2),
                                .users = gap_tl_array(NULL, 0),
                                .chats = gap_tl_array(NULL, 0)};
    struct gap_asked asked = asked_for(GAP_OUTBOX_FORWARD);
    struct gap_outcome out;

    asked.random_ids = 3;
    out = judge_object(GAP_TL_OF(GAP_TL_UPDATES, &updates), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 29);
    ck_assert_uint_eq(out.parts, 2);
    ck_assert_ptr_nonnull(strstr(out.reason, "2 of 3"));
    asked.kind = GAP_OUTBOX_RAW; /* the other random_ids may be its caller's */
    out = judge_object(GAP_TL_OF(GAP_TL_UPDATES, &updates), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_str_eq(out.reason, "");
}
END_TEST

START_TEST(test_affected)
{
    gap_tl_messages_affected_messages_t deleted = {.pts = 9, .pts_count = 2};
    gap_tl_messages_affected_history_t read = {.pts = 9, .pts_count = 0};
    struct gap_asked asked = asked_for(GAP_OUTBOX_DELETE);
    struct gap_outcome out =
        judge_object(GAP_TL_OF(GAP_TL_MESSAGES_AFFECTED_MESSAGES, &deleted), &asked);

    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    deleted.pts_count = 0;
    out = judge_object(GAP_TL_OF(GAP_TL_MESSAGES_AFFECTED_MESSAGES, &deleted), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_UNCHANGED);
    asked = asked_for(GAP_OUTBOX_READ);
    out = judge_object(GAP_TL_OF(GAP_TL_MESSAGES_AFFECTED_HISTORY, &read), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_UNCHANGED);
    read.pts_count = 1;
    out = judge_object(GAP_TL_OF(GAP_TL_MESSAGES_AFFECTED_HISTORY, &read), &asked);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
}
END_TEST

START_TEST(test_bool)
{
    struct gap_asked read = asked_for(GAP_OUTBOX_READ), raw = asked_for(GAP_OUTBOX_RAW);

    ck_assert_int_eq(judge_object(gap_tl_of(GAP_MT_BOOL_TRUE, NULL), &read).kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(judge_object(gap_tl_of(GAP_MT_BOOL_FALSE, NULL), &read).kind,
                     GAP_OUTCOME_UNCHANGED);
    ck_assert_int_eq(judge_object(gap_tl_of(GAP_MT_BOOL_FALSE, NULL), &raw).kind, GAP_OUTCOME_SENT);
}
END_TEST

/* Cut anywhere, an answer is one that can't be read. */
START_TEST(test_cut_answers)
{
    gap_tl_update_message_id_t mine = {.id = 882, .random_id = MADE};
    gap_tl_message_t m;
    gap_tl_peer_user_t peer;
    gap_tl_update_new_message_t u;
    gap_tl_object_t all[2] = {new_message(&m, &peer, &u, 882, 0),
                              GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &mine)};
    gap_tl_updates_t updates = {.updates = gap_tl_array(all, 2),
                                .users = gap_tl_array(NULL, 0),
                                .chats = gap_tl_array(NULL, 0)};
    struct gap_asked asked = asked_for(GAP_OUTBOX_SEND);
    size_t whole = (size_t)gap_tl_write(GAP_TL_OF(GAP_TL_UPDATES, &updates), bytes, sizeof bytes);

    for (size_t len = 4; len < whole - 28; len += 4) { /* behind it: users, chats, date, seq */
        gap_result_t result = {.rpc_name = ""};
        struct gap_outcome out;
        result.object = (gap_tl_object_t){bytes, len, NULL, GAP_TL_UPDATES};
        gap_outbox_judge(&result, &asked, &out);
        ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
        ck_assert_int_eq(out.error, GAP_E_TL);
    }
}
END_TEST

/* ---- updateMessageID, wherever it comes ---- */

struct seen {
    int64_t random_id[4];
    int32_t id[4];
    int count;
    int stop_at;
};

static int see(void *arg, int64_t random_id, int32_t id)
{
    struct seen *s = arg;

    ck_assert_int_lt(s->count, 4);
    s->random_id[s->count] = random_id;
    s->id[s->count++] = id;
    return s->count == s->stop_at ? 77 : 0;
}

static struct seen find_ids(gap_tl_object_t object, int expected)
{
    int64_t len = gap_tl_write(object, bytes, sizeof bytes);
    struct seen s = {.count = 0};

    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(gap_outbox_message_ids(gap_bytes(bytes, (size_t)len), see, &s), 0);
    ck_assert_int_eq(s.count, expected);
    return s;
}

START_TEST(test_message_ids)
{
    gap_tl_update_message_id_t one = {.id = 1, .random_id = 11}, two = {.id = 2, .random_id = -12};
    gap_tl_object_t all[2] = {GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &one),
                              GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &two)};
    gap_tl_vector_t none = gap_tl_array(NULL, 0), both = gap_tl_array(all, 2);
    gap_tl_update_short_t brief = {.update = all[0]};
    gap_tl_updates_t updates = {.updates = both, .users = none, .chats = none};
    gap_tl_updates_combined_t combined = {.updates = both, .users = none, .chats = none};
    gap_tl_updates_state_t state = {.pts = 1};
    gap_tl_updates_difference_t d = {.new_messages = none,
                                     .new_encrypted_messages = none,
                                     .other_updates = both,
                                     .chats = none,
                                     .users = none,
                                     .state = GAP_TL_OF(GAP_TL_UPDATES_STATE, &state)};
    gap_tl_updates_difference_slice_t slice = {.new_messages = none,
                                               .new_encrypted_messages = none,
                                               .other_updates = both,
                                               .chats = none,
                                               .users = none,
                                               .intermediate_state =
                                                   GAP_TL_OF(GAP_TL_UPDATES_STATE, &state)};
    gap_tl_updates_channel_difference_t channel = {
        .new_messages = none, .other_updates = both, .chats = none, .users = none};
    gap_tl_updates_difference_empty_t empty = {.date = 1};
    gap_tl_messages_invited_users_t invited = {.updates = GAP_TL_OF(GAP_TL_UPDATES, &updates),
                                               .missing_invitees = none};

    struct seen s = find_ids(GAP_TL_OF(GAP_TL_UPDATES, &updates), 2);
    ck_assert_int_eq(s.random_id[0], 11);
    ck_assert_int_eq(s.id[1], 2);
    ck_assert_int_eq(s.random_id[1], -12);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATES_COMBINED, &combined), 2);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATE_SHORT, &brief), 1);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE, &d), 2);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_SLICE, &slice), 2);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &channel), 2);
    (void)find_ids(GAP_TL_OF(GAP_TL_MESSAGES_INVITED_USERS, &invited), 2);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &empty), 0);
    (void)find_ids(gap_tl_of(GAP_TL_UPDATES_TOO_LONG, NULL), 0);
    (void)find_ids(GAP_TL_OF(GAP_TL_UPDATES_STATE, &state), 0);

    int64_t len = gap_tl_write(GAP_TL_OF(GAP_TL_UPDATES, &updates), bytes, sizeof bytes);
    struct seen stops = {.stop_at = 1};
    ck_assert_int_eq(gap_outbox_message_ids(gap_bytes(bytes, (size_t)len), see, &stops), 77);
    struct seen before = {.count = 0}; /* cut behind the first: that one counts */
    ck_assert_int_eq(gap_outbox_message_ids(gap_bytes(bytes, 32), see, &before), GAP_E_TL);
    ck_assert_int_eq(before.count, 1);
    ck_assert_int_eq(gap_outbox_message_ids(gap_bytes(bytes, 3), see, &before), GAP_E_TL);
    bytes[0] ^= 0xff;
    ck_assert_int_eq(gap_outbox_message_ids(gap_bytes(bytes, 32), see, &before), GAP_E_TL_ID);
}
END_TEST

/* ---- the simulated world ---- */

static struct send_world w;

static void setup(void)
{
    dc_options_t o = send_options();

    send_begin(&w, &o);
}

static void teardown(void)
{
    send_end(&w);
}

static int address(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                   gap_tl_object_t *out)
{
    gap_tl_object_t known = peer.kind == GAP_PEER_USER           ? w.to_user
                            : peer.kind == GAP_PEER_CHAT         ? w.to_group
                            : peer.id == w.posts_peer.channel_id ? w.to_posts
                                                                 : w.to_channel;
    int64_t len = gap_tl_write(known, storage, GAP_INPUT_PEER_BYTES);

    (void)arg;
    ck_assert_int_gt(len, 0);
    *out = (gap_tl_object_t){storage, (size_t)len, NULL, known.id};
    return 0;
}

/* What came of the last call, as a client would be told. */
static gap_result_t result_of(int r)
{
    gap_bytes_t body = gap_buf_view(&w.answer.body);
    gap_result_t result = {.rpc_name = ""};

    ck_assert(r == 0 || r == DC_RPC_ERROR);
    if (r == DC_RPC_ERROR) {
        const char *number = strrchr(w.answer.error, '_');
        result.status = GAP_E_RPC;
        result.rpc_code = w.answer.error_code;
        result.rpc_name = w.answer.error;
        if (number != NULL) result.rpc_value = (int32_t)strtol(number + 1, NULL, 10);
        return result;
    }
    result.object = (gap_tl_object_t){body.data, body.len, NULL, gap_load32(body.data)};
    return result;
}

static int call_bytes(const gap_buf_t *b)
{
    return dc_model_call(w.m, &w.view, gap_buf_view(b), w.now_us, &w.answer);
}

/* Send a row as the outbox would: packed, unpacked, called, judged. */
static struct gap_outcome send_row(gap_outbox_item_t item, int64_t random_id, bool repeated)
{
    struct gap_request q = {.chat = item.chat, .random_id = random_id, .address = address};
    struct gap_outcome out;
    struct gap_asked asked;
    struct gap_item row;
    gap_buf_t payload, call;

    gap_buf_init(&payload, gap_alloc_default());
    gap_buf_init(&call, gap_alloc_default());
    item.random_id = random_id;
    ck_assert_int_eq(gap_item_pack(&item, &payload), 0);
    ck_assert_int_eq(gap_item_unpack(gap_buf_view(&payload), &row), 0);
    ck_assert_int_eq(gap_outbox_query(&q, &row.item, &call), 0);
    gap_result_t result = result_of(call_bytes(&call));
    gap_outbox_asked(&row.item, random_id, 0, repeated, &asked);
    gap_outbox_judge(&result, &asked, &out);
    gap_buf_fini(&payload);
    gap_buf_fini(&call);
    return out;
}

static const gap_peer_t user = {SEND_USER, GAP_PEER_USER};
static const gap_peer_t channel = {SEND_CHANNEL, GAP_PEER_CHANNEL};

static gap_outbox_item_t text_to(gap_peer_t chat)
{
    return (gap_outbox_item_t){.kind = GAP_OUTBOX_SEND, .chat = chat, .content = {.text = B("hi")}};
}

/* The first message in each kind of chat has its id, and a repeat has the same. */
START_TEST(test_world_sends)
{
    const gap_peer_t chats[] = {user, {DC_CHAT_ID_FIRST, GAP_PEER_CHAT}, channel};

    for (int i = 0; i < 3; i++) {
        struct gap_outcome out = send_row(text_to(chats[i]), 100 + i, false);
        ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
        int32_t id = w.answer.id;
        ck_assert_int_gt(id, 0);
        ck_assert_int_eq(out.message_id, id);
        out = send_row(text_to(chats[i]), 100 + i, true);
        ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
        ck_assert_int_eq(out.message_id, id);
        ck_assert_uint_eq(w.answer.count, 0); /* no second message */
    }
}
END_TEST

START_TEST(test_world_changes)
{
    static const int32_t one[] = {1};
    gap_outbox_item_t edit = {.kind = GAP_OUTBOX_EDIT, .chat = channel, .ids = one, .id_count = 1};
    gap_outbox_item_t react = {
        .kind = GAP_OUTBOX_REACT, .chat = channel, .ids = one, .id_count = 1};
    gap_outbox_item_t del = {.kind = GAP_OUTBOX_DELETE, .chat = channel, .ids = one, .id_count = 1};
    gap_outbox_item_t read = {.kind = GAP_OUTBOX_READ, .chat = channel, .max_id = 1};

    ck_assert_int_eq(send_row(text_to(channel), 1, false).message_id, 1);
    edit.content.text = gap_str("other");
    struct gap_outcome out = send_row(edit, 0, false);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 1);
    out = send_row(edit, 0, true);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_UNCHANGED);
    ck_assert_int_eq(out.message_id, 1);
    react.emoji = gap_str("\xf0\x9f\x91\x8d");
    ck_assert_int_eq(send_row(react, 0, false).kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(send_row(react, 0, true).kind, GAP_OUTCOME_UNCHANGED);
    react.emoji.len = 0;
    ck_assert_int_eq(send_row(react, 0, false).kind, GAP_OUTCOME_SENT);
    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST); /* bots read nothing */
    ck_assert_int_eq(send_row(read, 0, false).kind, GAP_OUTCOME_SENT);
    send_as(&w, SEND_BOT, DC_CHAT_ID_FIRST);
    ck_assert_int_eq(send_row(del, 0, false).kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(send_row(del, 0, true).kind, GAP_OUTCOME_UNCHANGED);
    ck_assert_int_eq(send_row(edit, 0, false).kind, GAP_OUTCOME_GONE);
}
END_TEST

START_TEST(test_world_forwards)
{
    static const int32_t ids[] = {1, 2};
    gap_outbox_item_t forward = {.kind = GAP_OUTBOX_FORWARD,
                                 .chat = {SEND_POSTS, GAP_PEER_CHANNEL},
                                 .from = channel,
                                 .ids = ids,
                                 .id_count = 2};

    (void)send_row(text_to(channel), 1, false);
    (void)send_row(text_to(channel), 2, false);
    struct gap_outcome out = send_row(forward, 50, false);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 1);
    ck_assert_uint_eq(out.parts, 2);
    out = send_row(forward, 50, true);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
    ck_assert_int_eq(out.message_id, 1);
    ck_assert_uint_eq(out.parts, 2);
    ck_assert_uint_eq(w.answer.count, 0);
}
END_TEST

/* Has the pin happened? */
static enum gap_outcome_kind probe(gap_peer_t chat, int32_t id)
{
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = chat, .ids = &id, .id_count = 1};
    struct gap_request q = {.chat = chat, .address = address};
    struct gap_outcome out;
    struct gap_asked asked;
    gap_buf_t call;

    gap_buf_init(&call, gap_alloc_default());
    ck_assert_int_eq(gap_outbox_probe_query(&q, &pin, &call), 0);
    gap_result_t result = result_of(call_bytes(&call));
    gap_outbox_asked(&pin, 0, 0, true, &asked);
    gap_outbox_probe_judge(&result, &asked, &out);
    gap_buf_fini(&call);
    return out.kind;
}

START_TEST(test_world_pins)
{
    const gap_peer_t chats[] = {channel, {DC_CHAT_ID_FIRST, GAP_PEER_CHAT}};

    for (int i = 0; i < 2; i++) {
        int32_t id = send_row(text_to(chats[i]), 1 + i, false).message_id;
        gap_outbox_item_t pin = {
            .kind = GAP_OUTBOX_PIN, .chat = chats[i], .ids = &id, .id_count = 1};
        ck_assert_int_eq(probe(chats[i], id), GAP_OUTCOME_NOT_YET);
        ck_assert_int_eq(probe(chats[i], id + 1), GAP_OUTCOME_PARK_ROW);
        struct gap_outcome out = send_row(pin, 0, false);
        ck_assert_int_eq(out.kind, GAP_OUTCOME_SENT);
        ck_assert_int_eq(out.message_id, id);
        ck_assert_int_eq(probe(chats[i], id), GAP_OUTCOME_SENT);
        pin.unpin = true;
        ck_assert_int_eq(send_row(pin, 0, false).kind, GAP_OUTCOME_SENT);
        ck_assert_int_eq(probe(chats[i], id), GAP_OUTCOME_NOT_YET);
    }
}
END_TEST

/* A question that fails is asked again; one that is refused parks the row. */
START_TEST(test_failed_probes)
{
    struct gap_asked asked = asked_for(GAP_OUTBOX_PIN);
    gap_result_t result = {.status = GAP_E_RPC, .rpc_code = 500, .rpc_name = "RPC_CALL_FAIL"};
    struct gap_outcome out;

    gap_outbox_probe_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
    result = (gap_result_t){.status = GAP_E_TIMEOUT, .rpc_name = ""};
    gap_outbox_probe_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_UNKNOWN);
    result = (gap_result_t){.status = GAP_E_RPC, .rpc_code = 400, .rpc_name = "CHANNEL_PRIVATE"};
    gap_outbox_probe_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_PARK_CHAT);
    result = (gap_result_t){.status = GAP_E_TL, .rpc_name = ""};
    gap_outbox_probe_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
    gap_store32(bytes, GAP_MT_BOOL_TRUE);
    result = (gap_result_t){.rpc_name = "", .object = {bytes, 4, NULL, GAP_MT_BOOL_TRUE}};
    gap_outbox_probe_judge(&result, &asked, &out);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_RETRY);
}
END_TEST

/* Limits and rights of that world. */
START_TEST(test_world_refuses)
{
    dc_peer_t house = {DC_CHANNEL, SEND_CHANNEL};

    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST);
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL, 60), 0);
    ck_assert_int_eq(dc_model_role(w.m, SEND_PERSON, house, DC_ROLE_MEMBER), 0);
    ck_assert_int_eq(send_row(text_to(channel), 1, false).kind, GAP_OUTCOME_SENT);
    struct gap_outcome out = send_row(text_to(channel), 2, false);
    ck_assert_int_eq(out.kind, GAP_OUTCOME_WAIT);
    ck_assert_int_eq(out.scope, GAP_WAIT_SENDING);
    ck_assert_uint_eq(out.seconds, 60);
    ck_assert_int_eq(dc_model_role(w.m, SEND_PERSON, house, DC_ROLE_READER), 0);
    ck_assert_int_eq(send_row(text_to(channel), 3, false).kind, GAP_OUTCOME_PARK_CHAT);
    ck_assert_int_eq(dc_model_leave(w.m, SEND_PERSON, SEND_CHANNEL), 0);
    ck_assert_int_eq(send_row(text_to(channel), 4, false).kind, GAP_OUTCOME_PARK_CHAT);
    ck_assert_int_eq(dc_model_block(w.m, SEND_PERSON, SEND_USER, true), 0);
    ck_assert_int_eq(send_row(text_to(user), 5, false).kind, GAP_OUTCOME_PARK_CHAT);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_answer");
    TCase *t = tcase_create("answer");
    TCase *world = tcase_create("world");

    tcase_add_loop_test(t, test_errors, 0, GAP_ARRAY_LEN(errors));
    tcase_add_test(t, test_trouble_of_what_is_not_repeated);
    tcase_add_test(t, test_what_may_have_been_done);
    tcase_add_test(t, test_strange_names);
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_silence);
    tcase_add_test(t, test_unreadable);
    tcase_add_test(t, test_short_answer);
    tcase_add_test(t, test_answer_to_a_repeat);
    tcase_add_test(t, test_partly_forwarded);
    tcase_add_test(t, test_affected);
    tcase_add_test(t, test_bool);
    tcase_add_test(t, test_cut_answers);
    tcase_add_test(t, test_message_ids);
    tcase_add_test(t, test_failed_probes);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(world, setup, teardown);
    tcase_add_test(world, test_world_sends);
    tcase_add_test(world, test_world_changes);
    tcase_add_test(world, test_world_forwards);
    tcase_add_test(world, test_world_pins);
    tcase_add_test(world, test_world_refuses);
    suite_add_tcase(s, world);
    return s;
}

GAP_TEST_MAIN(make_suite)
