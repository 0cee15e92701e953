/*
 * tests/unit/test_dc_model.c - the simulated world, case by case: how boxes count, what a
 * difference shows and folds, when it is too long, what random_id does, which errors calls give.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "dc/ledger.h"
#include "dc/model.h"
#include "dc/traffic.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <stdarg.h>
#include <string.h>

#define BOT      5555
#define USER     DC_USER_ID_FIRST
#define CHANNEL  DC_CHANNEL_ID_FIRST
#define GROUP    DC_CHAT_ID_FIRST
#define START_US 1700000000000000
#define START_S  1700000000

static dc_model_t *m;
static dc_options_t options;
static dc_view_t view = {BOT, 227, 0};
static dc_answer_t answer;
static gap_buf_t request;
static int64_t now_us;

static void setup_with(const dc_options_t *o)
{
    now_us = START_US;
    ck_assert_int_eq(dc_model_new(gap_alloc_default(), o, &m), 0);
    ck_assert_int_eq(dc_model_account(m, BOT, true, now_us), 0);
    dc_answer_init(&answer, gap_alloc_default());
    gap_buf_init(&request, gap_alloc_default());
}

static void setup(void)
{
    dc_options_init(&options);
    options.channels = 4;
    options.users = 3;
    options.groups = 2;
    setup_with(&options);
}

static void teardown(void)
{
    dc_model_free(m);
    m = NULL;
    dc_answer_fini(&answer);
    gap_buf_fini(&request);
}

static void again(void)
{
    teardown();
    setup_with(&options);
}

/* --- making things happen ------------------------------------------------------------------ */

static const dc_peer_t in_private = {DC_USER, USER};
static const dc_peer_t in_group = {DC_CHAT, GROUP};
static const dc_peer_t in_channel = {DC_CHANNEL, CHANNEL};

static uint32_t add(dc_spec_t s)
{
    uint32_t n = 0;

    if (s.chat.type == DC_CHANNEL ? s.kind == DC_QTS : true) s.account = BOT;
    ck_assert_int_eq(dc_model_add(m, &s, now_us, &n), 0);
    return n;
}

static uint32_t new_message(dc_peer_t chat, const char *text)
{
    return add(
        (dc_spec_t){.kind = DC_NEW_MESSAGE, .chat = chat, .from = USER, .text = gap_str(text)});
}

static uint32_t edit(dc_peer_t chat, int32_t id, const char *text)
{
    return add((dc_spec_t){.kind = DC_EDIT_MESSAGE, .chat = chat, .id = id, .text = gap_str(text)});
}

static uint32_t delete_one(dc_peer_t chat, int32_t id)
{
    return add((dc_spec_t){.kind = DC_DELETE_MESSAGES, .chat = chat, .ids = &id, .ids_count = 1});
}

static dc_event_t event(uint32_t n)
{
    dc_event_t e;
    dc_model_event(m, n, &e);
    return e;
}

static int call(uint32_t id, const void *method)
{
    gap_tl_object_t o = gap_tl_of(id, method);
    int64_t size = gap_tl_size(o);

    ck_assert_int_gt(size, 0);
    gap_buf_clear(&request);
    ck_assert_int_eq(gap_buf_reserve(&request, (size_t)size), 0);
    ck_assert_int_eq(gap_tl_write(o, request.data, (size_t)size), size);
    return dc_model_call(m, &view, gap_bytes(request.data, (size_t)size), now_us, &answer);
}

static gap_bytes_t body(void)
{
    return gap_buf_view(&answer.body);
}

static uint32_t body_id(void)
{
    ck_assert_int_eq(gap_tl_skip(body()), (int64_t)body().len);
    return gap_load32(body().data);
}

static uint32_t difference(int32_t pts, int32_t qts, int32_t date)
{
    gap_tl_updates_get_difference_t q = {.pts = pts, .qts = qts, .date = date};

    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    return body_id();
}

static int channel_difference(int32_t pts, int32_t limit)
{
    gap_tl_input_channel_t channel = {CHANNEL, dc_model_access_hash(m, BOT, in_channel)};
    gap_tl_channel_messages_filter_empty_t filter = {0};
    gap_tl_updates_get_channel_difference_t q = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel),
        .filter = GAP_TL_OF(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &filter),
        .pts = pts,
        .limit = limit};
    return call(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &q);
}

/* What an answer says, as text: "new 1 'b'; edit 2 'c'; delete 3; ..." */
static char told[1024];
static size_t told_len;

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    told_len += (size_t)vsnprintf(told + told_len, sizeof told - told_len, format, args);
    va_end(args);
    ck_assert_uint_lt(told_len, sizeof told);
}

static void tell_message(const char *what, gap_tl_object_t o)
{
    gap_tl_message_t msg;

    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_MESSAGE, &msg), 0);
    tell("%s %d '%.*s'; ", what, (int)msg.id, (int)msg.message.len, (const char *)msg.message.data);
}

static void tell_ids(const char *what, gap_tl_vector_t ids)
{
    gap_tl_iter_t it = gap_tl_iter(ids);
    int32_t id;

    tell("%s", what);
    while (gap_tl_next_int(&it, &id) == 1) tell(" %d", (int)id);
    tell("; ");
}

static void tell_update(gap_tl_object_t o)
{
    union {
        gap_tl_update_edit_message_t edit;
        gap_tl_update_delete_messages_t deleted;
        gap_tl_update_delete_channel_messages_t channel_deleted;
        gap_tl_update_pinned_messages_t pinned;
        gap_tl_update_read_history_inbox_t read;
        gap_tl_update_message_id_t message_id;
        gap_tl_update_channel_too_long_t too_long;
    } u;

    memset(&u, 0, sizeof u);
    switch (o.id) {
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), o.id, &u.edit, sizeof u.edit), 0);
        tell_message("edit", u.edit.message);
        break;
    case GAP_TL_UPDATE_DELETE_MESSAGES:
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_DELETE_MESSAGES, &u.deleted), 0);
        tell_ids("delete", u.deleted.messages);
        break;
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &u.channel_deleted),
                         0);
        tell_ids("delete", u.channel_deleted.messages);
        break;
    case GAP_TL_UPDATE_PINNED_MESSAGES:
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_PINNED_MESSAGES, &u.pinned), 0);
        tell_ids(u.pinned.flags != 0 ? "pin" : "unpin", u.pinned.messages);
        break;
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_READ_HISTORY_INBOX, &u.read), 0);
        tell("read %d unread %d; ", (int)u.read.max_id, (int)u.read.still_unread_count);
        break;
    case GAP_TL_UPDATE_MESSAGE_ID:
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_ID, &u.message_id), 0);
        tell("id %d is %d; ", (int)u.message_id.random_id, (int)u.message_id.id);
        break;
    case GAP_TL_UPDATE_CHANNEL_TOO_LONG:
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_CHANNEL_TOO_LONG, &u.too_long), 0);
        tell("channel %d at %d; ", (int)(u.too_long.channel_id - CHANNEL), (int)u.too_long.pts);
        break;
    default:
        tell("%s; ", gap_tl_name(o.id));
    }
}

static const char *contents(gap_tl_vector_t messages, gap_tl_vector_t updates)
{
    gap_tl_iter_t it = gap_tl_iter(messages);
    gap_tl_object_t o;

    told_len = 0;
    told[0] = '\0';
    while (gap_tl_next(&it, &o) == 1) tell_message("new", o);
    it = gap_tl_iter(updates);
    while (gap_tl_next(&it, &o) == 1) tell_update(o);
    tell("folded");
    for (uint32_t i = 0; i < answer.folded_count; i++) tell(" %u", (unsigned)answer.folded[i]);
    return told;
}

static gap_tl_updates_difference_t read_difference(gap_tl_updates_state_t *state)
{
    gap_tl_updates_difference_t d;

    ck_assert_int_gt(gap_tl_read(body(), gap_load32(body().data), &d, sizeof d), 0);
    ck_assert_int_gt(GAP_TL_READ(d.state, GAP_TL_UPDATES_STATE, state), 0);
    return d;
}

static const char *difference_contents(void)
{
    gap_tl_updates_state_t s;
    gap_tl_updates_difference_t d = read_difference(&s);
    return contents(d.new_messages, d.other_updates);
}

static const char *channel_contents(void)
{
    gap_tl_updates_channel_difference_t d;

    ck_assert_int_gt(gap_tl_read(body(), GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d, sizeof d), 0);
    return contents(d.new_messages, d.other_updates);
}

/* --- numbers ------------------------------------------------------------------------------- */

START_TEST(test_boxes_begin_at_one_and_count)
{
    int32_t pts;
    int32_t qts;
    int32_t ids[3] = {1, 2, 3};

    ck_assert_int_eq(dc_model_state(m, BOT, &pts, &qts), 0);
    ck_assert_int_eq(pts, 1);
    ck_assert_int_eq(qts, 1);
    ck_assert_int_eq(dc_model_channel_pts(m, CHANNEL), 1);
    ck_assert_int_eq(event(new_message(in_private, "a")).pts, 2);
    ck_assert_int_eq(event(new_message(in_group, "b")).id, 2); /* one id counter for both */
    ck_assert_int_eq(event(new_message(in_private, "c")).pts, 4);
    ck_assert_int_eq(event(new_message(in_channel, "d")).pts, 2); /* a box of its own */
    ck_assert_int_eq(event(new_message(in_channel, "e")).id, 2);
    new_message(in_channel, "f");
    dc_event_t e = event(add(
        (dc_spec_t){.kind = DC_DELETE_MESSAGES, .chat = in_channel, .ids = ids, .ids_count = 3}));
    ck_assert_int_eq(e.pts, 7);
    ck_assert_int_eq(e.pts_count, 3);
    ck_assert_int_eq(e.account, 0);
    ck_assert_int_eq(e.box, DC_BOX_CHANNEL);
    e = event(add((dc_spec_t){
        .kind = DC_QTS, .chat = in_channel, .from = USER, .qts = DC_QTS_CHANNEL_PARTICIPANT}));
    ck_assert_int_eq(e.box, DC_BOX_QTS);
    ck_assert_int_eq(e.pts, 2);
    ck_assert_int_eq(dc_model_state(m, BOT, &pts, &qts), 0);
    ck_assert_int_eq(pts, 4);
    ck_assert_int_eq(qts, 2);
    e = event(add((dc_spec_t){.kind = DC_STATUS, .chat = in_private}));
    ck_assert_int_eq(e.box, DC_BOX_NONE);
    ck_assert_int_eq(e.pts, 0);
}
END_TEST

START_TEST(test_state_is_what_the_boxes_say)
{
    gap_tl_updates_get_state_t q;
    gap_tl_updates_state_t s;

    new_message(in_private, "a");
    view.seq = 7;
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_STATE, &q), 0);
    view.seq = 0;
    ck_assert_int_gt(gap_tl_read(body(), GAP_TL_UPDATES_STATE, &s, sizeof s), 0);
    ck_assert_int_eq(s.pts, 2);
    ck_assert_int_eq(s.qts, 1);
    ck_assert_int_eq(s.date, START_S);
    ck_assert_int_eq(s.seq, 7);
    ck_assert_str_eq(answer.method, "updates.getState");
    ck_assert_uint_eq(answer.range_count, 0);
}
END_TEST

START_TEST(test_specs_that_contradict_themselves)
{
    int32_t twice[2] = {1, 1};
    static const struct {
        dc_spec_t spec;
        int result;
        const char *why;
    } cases[] = {
        {{.kind = DC_EDIT_MESSAGE, .account = BOT, .chat = {DC_USER, USER}, .id = 9},
         GAP_E_NOT_FOUND,
         "no such message"},
        {{.kind = DC_EDIT_MESSAGE, .account = BOT, .chat = {DC_CHAT, GROUP}, .id = 1},
         GAP_E_NOT_FOUND,
         "the message is in another chat"},
        {{.kind = DC_NEW_MESSAGE, .account = BOT, .chat = {DC_CHANNEL, CHANNEL}, .from = USER},
         GAP_E_ARGUMENT,
         "a channel's box belongs to no account"},
        {{.kind = DC_NEW_MESSAGE, .chat = {DC_USER, USER}}, GAP_E_ARGUMENT, "whose box?"},
        {{.kind = DC_NEW_MESSAGE, .chat = {DC_CHANNEL, CHANNEL}},
         GAP_E_ARGUMENT,
         "a supergroup's message has a sender"},
        {{.kind = DC_NEW_MESSAGE, .chat = {DC_CHANNEL, CHANNEL + 99}, .from = USER},
         GAP_E_NOT_FOUND,
         "no such channel"},
        {{.kind = DC_NEW_MESSAGE, .account = 8, .chat = {DC_USER, USER}},
         GAP_E_NOT_FOUND,
         "no such account"},
        {{.kind = DC_READ, .account = BOT, .chat = {DC_USER, USER}, .id = 2},
         GAP_E_NOT_FOUND,
         "beyond the last message"},
        {{.kind = DC_READ, .account = BOT, .chat = {DC_USER, USER}},
         GAP_E_ARGUMENT,
         "reads nothing"},
        {{.kind = DC_READ, .chat = {DC_CHANNEL, CHANNEL}, .id = 1},
         GAP_E_ARGUMENT,
         "channels have no counted reads"},
        {{.kind = DC_QTS, .account = BOT, .chat = {DC_USER, USER}, .qts = DC_QTS_CHAT_PARTICIPANT},
         GAP_E_ARGUMENT,
         "participants of a user"},
        {{.kind = DC_STATUS, .account = BOT, .chat = {DC_CHAT, GROUP}, .from = USER},
         GAP_E_ARGUMENT,
         "status of a group"},
        {{.kind = DC_DELETE_MESSAGES, .account = BOT, .chat = {DC_USER, USER}},
         GAP_E_ARGUMENT,
         "deletes nothing"},
    };
    uint32_t n;

    new_message(in_private, "a");
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++)
        ck_assert_msg(dc_model_add(m, &cases[i].spec, now_us, &n) == cases[i].result, "%s",
                      cases[i].why);
    dc_spec_t s = {.kind = DC_DELETE_MESSAGES, .account = BOT, .chat = in_private};
    s.ids = twice;
    s.ids_count = 2;
    ck_assert_int_eq(dc_model_add(m, &s, now_us, &n), GAP_E_ARGUMENT);
    ck_assert_uint_eq(dc_model_event_count(m), 1);
}
END_TEST

/* --- differences --------------------------------------------------------------------------- */

START_TEST(test_difference_shows_the_present)
{
    new_message(in_private, "a"); /* 1, id 1: edited twice */
    new_message(in_group, "b");   /* 2, id 2: deleted */
    new_message(in_private, "c"); /* 3, id 3 */
    edit(in_private, 1, "a2");    /* 4 */
    edit(in_private, 1, "a3");    /* 5 */
    edit(in_group, 2, "b2");      /* 6 */
    delete_one(in_group, 2);      /* 7, pts 8 */
    ck_assert_uint_eq(difference(1, 1, START_S), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert_str_eq(difference_contents(), "new 1 'a3'; new 3 'c'; delete 2; folded 2 4 5 6");
    ck_assert_int_eq(answer.ranges[0].from, 1);
    ck_assert_int_eq(answer.ranges[0].to, 8);
    /* Behind the messages: the last edit stands for both, of the deleted one none is left. */
    ck_assert_uint_eq(difference(4, 1, START_S), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert_str_eq(difference_contents(), "edit 1 'a3'; delete 2; folded 4 6");
    ck_assert_uint_eq(difference(6, 1, START_S), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert_str_eq(difference_contents(), "delete 2; folded 6");
    ck_assert_uint_eq(difference(8, 1, START_S), GAP_TL_UPDATES_DIFFERENCE_EMPTY);
}
END_TEST

START_TEST(test_difference_keeps_the_last_read_and_pin)
{
    new_message(in_private, "a");
    new_message(in_private, "b");
    new_message(in_private, "c");                                                  /* pts 4 */
    add((dc_spec_t){.kind = DC_READ, .chat = in_private, .id = 1});                /* 4 */
    add((dc_spec_t){.kind = DC_PIN, .chat = in_private, .id = 1, .pinned = true}); /* 5 */
    add((dc_spec_t){.kind = DC_READ, .chat = in_private, .id = 2});                /* 6 */
    add((dc_spec_t){.kind = DC_PIN, .chat = in_private, .id = 1});                 /* 7 */
    add((dc_spec_t){.kind = DC_PIN, .chat = in_private, .id = 2, .pinned = true}); /* 8 */
    add((dc_spec_t){.kind = DC_PIN, .chat = in_private, .id = 3, .pinned = true}); /* 9 */
    delete_one(in_private, 3);                                                     /* 10 */
    difference(4, 1, START_S);
    ck_assert_str_eq(difference_contents(),
                     "read 2 unread 0; unpin 1; pin 2; delete 3; folded 4 5 9");
}
END_TEST

START_TEST(test_other_updates_have_the_final_pts)
{
    gap_tl_update_delete_messages_t u;
    gap_tl_updates_state_t s;
    gap_tl_object_t o;

    new_message(in_private, "a");
    delete_one(in_private, 1);
    new_message(in_private, "b");
    difference(1, 1, START_S);
    gap_tl_updates_difference_t d = read_difference(&s);
    gap_tl_iter_t it = gap_tl_iter(d.other_updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_DELETE_MESSAGES, &u), 0);
    ck_assert_int_eq(u.pts, 4);
    ck_assert_int_eq(u.pts_count, 0);
    ck_assert_int_eq(s.pts, 4);
}
END_TEST

START_TEST(test_slices_keep_the_date_and_name_channels_at_the_end)
{
    gap_tl_updates_state_t s;

    options.slice = 2;
    again();
    for (int i = 0; i < 3; i++) new_message(in_private, "x");
    new_message(in_channel, "y");
    add((dc_spec_t){.kind = DC_QTS, .chat = in_private, .qts = DC_QTS_BOT_STOPPED});
    now_us += 9000000;
    ck_assert_uint_eq(difference(1, 1, 5), GAP_TL_UPDATES_DIFFERENCE_SLICE);
    read_difference(&s);
    ck_assert_int_eq(s.pts, 3);
    ck_assert_int_eq(s.qts, 1);
    ck_assert_int_eq(s.date, 5);
    ck_assert_str_eq(difference_contents(), "new 1 'x'; new 2 'x'; folded");
    ck_assert_uint_eq(difference(3, 1, 5), GAP_TL_UPDATES_DIFFERENCE);
    read_difference(&s);
    ck_assert_int_eq(s.pts, 4);
    ck_assert_int_eq(s.qts, 2);
    ck_assert_int_eq(s.date, START_S + 9);
    ck_assert_str_eq(difference_contents(), "new 3 'x'; updateBotStopped; channel 0 at 2; folded");
    ck_assert_uint_eq(answer.range_count, 2);
    ck_assert_int_eq(answer.ranges[1].box, DC_BOX_QTS);
    ck_assert_int_eq(answer.ranges[1].to, 2);
}
END_TEST

START_TEST(test_channels_are_named_by_date)
{
    new_message(in_channel, "a");
    now_us += 10000000;
    new_message((dc_peer_t){DC_CHANNEL, CHANNEL + 1}, "b");
    ck_assert_uint_eq(difference(1, 1, START_S + 5), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert_str_eq(difference_contents(), "channel 1 at 2; folded");
    difference(1, 1, START_S); /* the same second counts as changed */
    ck_assert_str_eq(difference_contents(), "channel 0 at 2; channel 1 at 2; folded");
    ck_assert_int_eq(dc_model_leave(m, BOT, CHANNEL), 0);
    difference(1, 1, START_S);
    ck_assert_str_eq(difference_contents(), "channel 1 at 2; folded");
    ck_assert_uint_eq(difference(1, 1, START_S + 11), GAP_TL_UPDATES_DIFFERENCE_EMPTY);
}
END_TEST

START_TEST(test_limits_of_the_caller_are_honoured)
{
    gap_tl_updates_get_difference_t q = {.flags = GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_LIMIT |
                                                  GAP_TL_UPDATES_GET_DIFFERENCE_F_QTS_LIMIT,
                                         .pts = 1,
                                         .pts_limit = 1,
                                         .date = INT32_MAX};
    gap_tl_updates_state_t s;

    for (int i = 0; i < 5; i++) new_message(in_private, "x");
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES_DIFFERENCE_SLICE);
    ck_assert_str_eq(difference_contents(), "new 1 'x'; folded");
    read_difference(&s);
    ck_assert_int_eq(s.pts, 2);
    q.flags = GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_TOTAL_LIMIT;
    q.pts_total_limit = 5;
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES_DIFFERENCE);
    q.pts_total_limit = 4; /* pts + limit is below the server's 6 */
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES_DIFFERENCE_TOO_LONG);
    ck_assert_int_eq((int32_t)gap_load32(body().data + 4), 6);
    ck_assert_uint_eq(answer.folded_count, 5);
}
END_TEST

START_TEST(test_a_client_that_is_ahead_gets_the_true_state)
{
    gap_tl_updates_state_t s;

    new_message(in_private, "x");
    ck_assert_uint_eq(difference(INT32_MAX, 1, INT32_MAX), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert_str_eq(difference_contents(), "folded");
    read_difference(&s);
    ck_assert_int_eq(s.pts, 2);
}
END_TEST

START_TEST(test_channel_difference)
{
    gap_tl_updates_channel_difference_too_long_t t;
    gap_tl_dialog_t dialog;

    for (int i = 0; i < 12; i++) new_message(in_channel, "x"); /* pts 13 */
    delete_one(in_channel, 11);
    edit(in_channel, 12, "y"); /* pts 15 */
    ck_assert_int_eq(channel_difference(11, 100), 0);
    ck_assert_str_eq(channel_contents(), "new 12 'y'; delete 11; folded 11 14");
    ck_assert_int_eq(channel_difference(15, 100), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY);
    ck_assert_int_eq(channel_difference(5, 10), 0); /* 5 + 10 is not below 15 */
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES_CHANNEL_DIFFERENCE);
    ck_assert_int_eq(channel_difference(4, 10), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG);
    ck_assert_int_gt(gap_tl_read(body(), GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &t, sizeof t),
                     0);
    ck_assert_int_gt(GAP_TL_READ(t.dialog, GAP_TL_DIALOG, &dialog), 0);
    ck_assert_int_eq(dialog.pts, 15);
    ck_assert_int_eq(dialog.top_message, 12);
    /* Ten messages come along: 12, 10, 9 ... 2; of the range 4 to 15 all else is folded. */
    ck_assert_uint_eq(t.messages.count, 10);
    gap_tl_vector_t none = gap_tl_array(NULL, 0);
    ck_assert_str_eq(contents(none, none), "folded 11 13 14");
    ck_assert_int_eq(answer.ranges[0].to, 15);
    ck_assert_int_eq(answer.channel, CHANNEL);
}
END_TEST

/* A channel that began anew has forgotten its events: who is behind is told where it stands. */
START_TEST(test_behind_a_channel_that_began_anew)
{
    gap_tl_updates_channel_difference_empty_t empty;

    new_message(in_channel, "x");
    ck_assert_int_eq(dc_model_reset(m, BOT, CHANNEL, 50), 0);
    ck_assert_int_eq(channel_difference(1, 100), 0);
    ck_assert_int_gt(
        gap_tl_read(body(), GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &empty, sizeof empty), 0);
    ck_assert_int_eq(empty.pts, 50);
}
END_TEST

START_TEST(test_pushes_and_seq)
{
    gap_tl_updates_t u;
    gap_tl_update_short_t s;
    gap_buf_t buf;
    uint32_t ns[2];

    gap_buf_init(&buf, gap_alloc_default());
    ns[0] = new_message(in_channel, "a");
    ns[1] = new_message(in_private, "b");
    ck_assert_int_eq(dc_model_push(m, &view, ns, 2, &buf), 0);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&buf), GAP_TL_UPDATES, &u, sizeof u), 0);
    ck_assert_int_eq(u.seq, 0);
    ck_assert_uint_eq(u.updates.count, 2);
    ck_assert_uint_eq(u.users.count, 1);
    ck_assert_uint_eq(u.chats.count, 1);
    gap_buf_clear(&buf);
    ns[1] = add((dc_spec_t){.kind = DC_CALLBACK_QUERY, .chat = in_private, .id = 1});
    view.seq = 4;
    ck_assert_int_eq(dc_model_push(m, &view, ns, 2, &buf), DC_SEQ_USED);
    view.seq = 0;
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&buf), GAP_TL_UPDATES, &u, sizeof u), 0);
    ck_assert_int_eq(u.seq, 5);
    gap_buf_clear(&buf);
    ns[0] = add((dc_spec_t){.kind = DC_STATUS, .chat = in_private});
    ck_assert_int_eq(dc_model_push(m, &view, ns, 1, &buf), 0);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&buf), GAP_TL_UPDATE_SHORT, &s, sizeof s), 0);
    ck_assert_uint_eq(s.update.id, GAP_TL_UPDATE_USER_STATUS);
    gap_buf_fini(&buf);
}
END_TEST

START_TEST(test_layers_differ_in_ids_and_second_flag_words_only)
{
    static const struct {
        int32_t layer;
        uint32_t user;
        bool flags2;
    } rows[] = {{144, 0x3ff6ecb0, false},
                {158, 0x8f97c628, true},
                {198, 0x4b46c37e, true},
                {227, 0x31774388, true},
                {229, 0xb1b8cc83, true}};
    gap_buf_t now;
    gap_buf_t old;

    gap_buf_init(&now, gap_alloc_default());
    gap_buf_init(&old, gap_alloc_default());
    ck_assert_int_eq(dc_model_self(m, &view, &now), 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(rows); i++) {
        dc_view_t v = {BOT, rows[i].layer, 0};
        size_t word2 = rows[i].flags2 ? 4 : 0;
        gap_buf_clear(&old);
        ck_assert_int_eq(dc_model_self(m, &v, &old), 0);
        ck_assert_uint_eq(gap_load32(old.data), rows[i].user);
        ck_assert_uint_eq(gap_load32(old.data + 4), gap_load32(now.data + 4));
        ck_assert_uint_eq(old.len + 4, now.len + word2);
        ck_assert_mem_eq(old.data + 8 + word2, now.data + 12, now.len - 12);
    }
    gap_buf_fini(&now);
    gap_buf_fini(&old);
}
END_TEST

/* The message that stands first in a vector, with its pinned flag. */
static gap_tl_message_t first_of(gap_tl_vector_t messages)
{
    gap_tl_iter_t it = gap_tl_iter(messages);
    gap_tl_object_t one;
    gap_tl_message_t msg;

    ck_assert_int_eq(gap_tl_next(&it, &one), 1);
    ck_assert_int_gt(GAP_TL_READ(one, GAP_TL_MESSAGE, &msg), 0);
    return msg;
}

/* Who has to ask for the present state after a difference that was too long gets no update for a
 * pin: the message itself must tell. */
START_TEST(test_a_message_shows_its_pin)
{
    gap_tl_updates_state_t state;
    gap_tl_update_edit_message_t update;
    gap_tl_message_t msg;
    gap_tl_updates_t pushed;
    gap_tl_object_t one;
    gap_buf_t out;

    new_message(in_private, "a");
    add((dc_spec_t){.kind = DC_PIN, .chat = in_private, .id = 1, .pinned = true});
    uint32_t n = edit(in_private, 1, "b");
    ck_assert_uint_eq(difference(1, 1, START_S), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert(first_of(read_difference(&state).new_messages).flags & GAP_TL_MESSAGE_F_PINNED);

    gap_buf_init(&out, gap_alloc_default());
    ck_assert_int_eq(dc_model_push(m, &view, &n, 1, &out), 0);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&out), GAP_TL_UPDATES, &pushed, sizeof pushed), 0);
    gap_tl_iter_t it = gap_tl_iter(pushed.updates);
    ck_assert_int_eq(gap_tl_next(&it, &one), 1);
    ck_assert_int_gt(GAP_TL_READ(one, GAP_TL_UPDATE_EDIT_MESSAGE, &update), 0);
    ck_assert_int_gt(GAP_TL_READ(update.message, GAP_TL_MESSAGE, &msg), 0);
    ck_assert_msg(msg.flags & GAP_TL_MESSAGE_F_PINNED, "an edit hides the pin before it");
    gap_buf_fini(&out);

    add((dc_spec_t){.kind = DC_PIN, .chat = in_private, .id = 1, .pinned = false});
    ck_assert_uint_eq(difference(1, 1, START_S), GAP_TL_UPDATES_DIFFERENCE);
    ck_assert(!(first_of(read_difference(&state).new_messages).flags & GAP_TL_MESSAGE_F_PINNED));
}
END_TEST

/* A dialog ends in a message that is there, and is gone with its last one. */
START_TEST(test_a_dialog_ends_in_a_living_message)
{
    gap_tl_input_peer_empty_t empty = {0};
    gap_tl_messages_get_dialogs_t q = {.offset_peer = GAP_TL_OF(GAP_TL_INPUT_PEER_EMPTY, &empty),
                                       .limit = 20};
    gap_tl_messages_dialogs_t d;
    gap_tl_dialog_t dialog;
    gap_tl_object_t one;

    new_message(in_group, "a");
    new_message(in_private, "b");
    new_message(in_group, "c");
    delete_one(in_group, 3);
    delete_one(in_private, 2);
    ck_assert_int_eq(call(GAP_TL_MESSAGES_GET_DIALOGS, &q), 0);
    ck_assert_int_gt(gap_tl_read(body(), GAP_TL_MESSAGES_DIALOGS, &d, sizeof d), 0);
    ck_assert_uint_eq(d.dialogs.count, 1);
    gap_tl_iter_t it = gap_tl_iter(d.dialogs);
    ck_assert_int_eq(gap_tl_next(&it, &one), 1);
    ck_assert_int_gt(GAP_TL_READ(one, GAP_TL_DIALOG, &dialog), 0);
    ck_assert_int_eq(dialog.top_message, 1);
    ck_assert_int_eq(first_of(d.messages).id, 1);
}
END_TEST

START_TEST(test_a_model_that_gets_no_memory_is_freed)
{
    for (long at = 1, r = GAP_E_NOMEM; r != 0; at++) {
        struct fault_alloc f;
        dc_options_t o;
        dc_model_t *model = NULL;

        dc_options_init(&o);
        fault_alloc_init(&f, at);
        r = dc_model_new(&f.alloc, &o, &model);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        if (r == 0) dc_model_free(model);
        ck_assert_int_eq(f.live, 0);
        ck_assert_int_lt(at, 100);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_model");
    TCase *tc = tcase_create("model");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_a_model_that_gets_no_memory_is_freed);
    tcase_add_test(tc, test_boxes_begin_at_one_and_count);
    tcase_add_test(tc, test_state_is_what_the_boxes_say);
    tcase_add_test(tc, test_specs_that_contradict_themselves);
    tcase_add_test(tc, test_difference_shows_the_present);
    tcase_add_test(tc, test_difference_keeps_the_last_read_and_pin);
    tcase_add_test(tc, test_other_updates_have_the_final_pts);
    tcase_add_test(tc, test_slices_keep_the_date_and_name_channels_at_the_end);
    tcase_add_test(tc, test_channels_are_named_by_date);
    tcase_add_test(tc, test_limits_of_the_caller_are_honoured);
    tcase_add_test(tc, test_a_client_that_is_ahead_gets_the_true_state);
    tcase_add_test(tc, test_channel_difference);
    tcase_add_test(tc, test_pushes_and_seq);
    tcase_add_test(tc, test_layers_differ_in_ids_and_second_flag_words_only);
    tcase_add_test(tc, test_a_message_shows_its_pin);
    tcase_add_test(tc, test_behind_a_channel_that_began_anew);
    tcase_add_test(tc, test_a_dialog_ends_in_a_living_message);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
