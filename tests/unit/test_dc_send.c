/*
 * tests/unit/test_dc_send.c - what the simulated world does with the calls of somebody who
 * publishes: random_id, what the ledger says of it, errors.
 */
#include "send_world.h"

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

/* --- the ledger ---------------------------------------------------------------------------- */

static char lines[8192];
static size_t lines_len;

static int keep_line(void *data, const char *line, size_t len)
{
    (void)data;
    ck_assert_uint_lt(lines_len + len, sizeof lines);
    memcpy(lines + lines_len, line, len);
    lines_len += len;
    lines[lines_len] = '\0';
    return 0;
}

/* The events that the last call caused, as the server writes them. */
static void write_down(dc_ledger_t *l)
{
    dc_event_t e;

    for (uint32_t i = 0; i < w.answer.count; i++) {
        dc_model_event(w.m, w.answer.first_n + i, &e);
        ck_assert_int_eq(dc_ledger_event(l, &e, 5), 0);
    }
}

START_TEST(the_ledger_names_who_caused_an_event)
{
    static const int32_t ids[] = {1};
    gap_tl_channels_delete_messages_t del = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &w.channel_input), .id = gap_tl_array(ids, 1)};
    gap_tl_messages_update_pinned_message_t pin = {.peer = w.to_channel, .id = 1};
    dc_spec_t theirs = {.kind = DC_NEW_MESSAGE,
                        .chat = {DC_CHANNEL, SEND_CHANNEL},
                        .from = SEND_BOT,
                        .text = gap_str("not by a call")};
    dc_ledger_t l;
    dc_event_t e;
    uint32_t n;

    lines_len = 0;
    dc_ledger_init(&l, gap_alloc_default(), keep_line, NULL);
    ck_assert_int_eq(send_text(&w, w.to_channel, "a", -77), 0);
    write_down(&l);
    ck_assert_int_eq(send_text(&w, w.to_channel, "again", -77), 0);
    write_down(&l); /* nothing happened */
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "b"), 0);
    write_down(&l);
    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &pin), 0);
    write_down(&l);
    ck_assert_int_eq(send_call(&w, GAP_TL_CHANNELS_DELETE_MESSAGES, &del), 0);
    write_down(&l);
    ck_assert_int_eq(send_text(&w, w.to_posts, "c", INT64_MAX), 0);
    write_down(&l);
    ck_assert_int_eq(dc_model_add(w.m, &theirs, SEND_START_US, &n), 0);
    dc_model_event(w.m, n, &e);
    ck_assert_int_eq(dc_ledger_event(&l, &e, 5), 0);
    dc_ledger_fini(&l);
    ck_assert_str_eq(
        lines,
        "{\"n\":1,\"kind\":\"new_message\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":2,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":5555,\"id\":1,"
        "\"text\":\"a\",\"out\":true,\"random_id\":-77,\"via\":\"call\",\"t_us\":5}\n"
        "{\"n\":2,\"kind\":\"edit_message\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":3,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":5555,\"id\":1,"
        "\"text\":\"b\",\"via\":\"call\",\"t_us\":5}\n"
        "{\"n\":3,\"kind\":\"pin\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":4,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":5555,\"id\":1,"
        "\"ids\":[1],\"pinned\":true,\"via\":\"call\",\"t_us\":5}\n"
        "{\"n\":4,\"kind\":\"delete_messages\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":5,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":5555,\"id\":1,"
        "\"ids\":[1],\"via\":\"call\",\"t_us\":5}\n"
        "{\"n\":5,\"kind\":\"new_message\",\"account\":null,\"box\":\"channel:4200000004\","
        "\"pts\":2,\"pts_count\":1,\"chat\":\"channel:4200000004\",\"from\":5555,\"id\":1,"
        "\"text\":\"c\",\"out\":true,\"random_id\":9223372036854775807,\"via\":\"call\","
        "\"t_us\":5}\n"
        "{\"n\":6,\"kind\":\"new_message\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":6,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":5555,\"id\":2,"
        "\"text\":\"not by a call\",\"out\":true,\"t_us\":5}\n");
}
END_TEST

/* The marks of a text, and what it leads to, stand in the ledger. */
START_TEST(the_ledger_names_marks_and_addresses)
{
    gap_tl_message_entity_text_url_t urls[] = {{0, 1, gap_str("https://t.me/c/1/2")},
                                               {2, 1, gap_str("https://\"x\"/")}};
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_object_t all[] = {GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold),
                             GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_TEXT_URL, &urls[0]),
                             GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_TEXT_URL, &urls[1])};
    gap_tl_messages_send_message_t q = {.flags = GAP_TL_MESSAGES_SEND_MESSAGE_F_ENTITIES,
                                        .peer = w.to_channel,
                                        .message = gap_str("abc"),
                                        .random_id = 1,
                                        .entities = gap_tl_array(all, 3)};
    dc_ledger_t l;

    lines_len = 0;
    dc_ledger_init(&l, gap_alloc_default(), keep_line, NULL);
    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_SEND_MESSAGE, &q), 0);
    write_down(&l);
    q.entities = gap_tl_array(all, 1);
    q.random_id = 2;
    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_SEND_MESSAGE, &q), 0);
    write_down(&l);
    dc_ledger_fini(&l);
    ck_assert_ptr_nonnull(strstr(lines, "\"id\":1,\"text\":\"abc\",\"entities\":3,"
                                        "\"marks\":\"Bold 0+1, TextUrl 0+1, TextUrl 2+1\","
                                        "\"urls\":[\"https://t.me/c/1/2\","
                                        "\"https://\\\"x\\\"/\"],\"out\":true"));
    ck_assert_ptr_nonnull(strstr(lines, "\"id\":2,\"text\":\"abc\",\"entities\":1,"
                                        "\"marks\":\"Bold 0+1\",\"out\":true"));
}
END_TEST

/* A call's line says how much later than otherwise its answer went out. */
START_TEST(the_ledger_says_how_late_an_answer_was)
{
    dc_ledger_call_t call = {.account = 7, .method = "messages.sendMessage", .late_us = 1500};
    dc_ledger_t l;

    lines_len = 0;
    dc_ledger_init(&l, gap_alloc_default(), keep_line, NULL);
    ck_assert_int_eq(dc_ledger_call(&l, &call, 9), 0);
    dc_ledger_fini(&l);
    ck_assert_str_eq(lines, "{\"kind\":\"call\",\"account\":7,\"method\":\"messages.sendMessage\","
                            "\"t_us\":9,\"late_us\":1500}\n");
}
END_TEST

/* --- random_id ----------------------------------------------------------------------------- */

/* The answer to a repeated send: the first message, in no place of its box. */
static void expect_first(int32_t id, int64_t random_id, int32_t pts, const char *text)
{
    gap_tl_updates_t u;
    gap_tl_update_message_id_t mid;
    gap_tl_update_new_message_t nm; /* updateNewChannelMessage has the same fields */
    gap_tl_message_t msg;
    gap_tl_object_t o;

    SEND_BODY(&w, GAP_TL_UPDATES, &u);
    gap_tl_iter_t it = gap_tl_iter(u.updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_ID, &mid), 0);
    ck_assert_int_eq(mid.id, id);
    ck_assert(mid.random_id == random_id);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), o.id, &nm, sizeof nm), 0);
    ck_assert_int_eq(nm.pts, pts);
    ck_assert_int_eq(nm.pts_count, 0);
    ck_assert_int_gt(GAP_TL_READ(nm.message, GAP_TL_MESSAGE, &msg), 0);
    ck_assert_int_eq(msg.id, id);
    ck_assert(gap_bytes_equal(msg.message, gap_str(text)));
    ck_assert_int_eq(gap_tl_next(&it, &o), 0);
    ck_assert_uint_eq(w.answer.count, 0);
}

/* Sessions are none of the model's business: whatever layer, seq and time it is, an account's
 * random_id stands for its first message in that chat. */
START_TEST(a_random_id_holds_for_the_account_for_ever)
{
    ck_assert_int_eq(send_text(&w, w.to_user, "first", 5), 0);
    ck_assert_int_eq(send_text(&w, w.to_user, "between", 6), 0);
    w.now_us += 400LL * 86400 * 1000000;
    w.view.layer = 198;
    w.view.seq = 9;
    ck_assert_int_eq(send_text(&w, w.to_user, "second", 5), 0);
    w.view.layer = 227;
    ck_assert_int_eq(send_text(&w, w.to_user, "third", 5), 0);
    expect_first(1, 5, 3, "first");
    ck_assert_uint_eq(dc_model_event_count(w.m), 2);
    /* Another account's is another one. */
    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST + 2);
    ck_assert_int_eq(send_text(&w, w.to_user, "mine", 5), 0);
    ck_assert_uint_eq(dc_model_event_count(w.m), 3);
    ck_assert_int_eq(send_text(&w, w.to_channel, "mine", 5), 0);
    send_as(&w, SEND_BOT, DC_CHAT_ID_FIRST);
    ck_assert_int_eq(send_text(&w, w.to_channel, "the bot's", 5), 0);
    ck_assert_uint_eq(w.answer.count, 1);
    ck_assert_uint_eq(dc_model_event_count(w.m), 5);
}
END_TEST

/* What comes again shows the message as it is by now. */
START_TEST(a_repeated_send_brings_the_present_text)
{
    ck_assert_int_eq(send_text(&w, w.to_channel, "first", 5), 0);
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "edited"), 0);
    ck_assert_int_eq(send_text(&w, w.to_channel, "first", 5), 0);
    expect_first(1, 5, 3, "edited");
}
END_TEST

/* A send that was refused leaves its random_id free. */
START_TEST(a_refused_send_takes_no_random_id)
{
    send_refused(&w, send_text(&w, w.to_channel, "", 5), 400, "MESSAGE_EMPTY");
    ck_assert_int_eq(dc_model_leave(w.m, SEND_BOT, SEND_CHANNEL), 0);
    send_refused(&w, send_text(&w, w.to_channel, "x", 5), 400, "CHANNEL_PRIVATE");
    ck_assert_int_eq(dc_model_join(w.m, SEND_BOT, SEND_CHANNEL), 0);
    ck_assert_int_eq(send_text(&w, w.to_channel, "x", 5), 0);
    ck_assert_uint_eq(w.answer.count, 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_send");
    TCase *tc = tcase_create("send");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_ledger_names_who_caused_an_event);
    tcase_add_test(tc, the_ledger_names_marks_and_addresses);
    tcase_add_test(tc, the_ledger_says_how_late_an_answer_was);
    tcase_add_test(tc, a_random_id_holds_for_the_account_for_ever);
    tcase_add_test(tc, a_repeated_send_brings_the_present_text);
    tcase_add_test(tc, a_refused_send_takes_no_random_id);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
