/*
 * Calls that are given as bytes: their methods, their random ids, and what may be said about
 * repeating them.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "outbox/answer.h"

#include <gapless/tl_api.h>

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static gap_tl_object_t written(gap_tl_object_t o)
{
    static uint8_t storage[1024];
    int64_t len = gap_tl_write(o, storage, sizeof storage);

    ck_assert_int_gt(len, 0);
    return (gap_tl_object_t){storage, (size_t)len, NULL, o.id};
}

static const gap_tl_input_peer_self_t self_ = {0};
#define ME                                                                                         \
    {                                                                                              \
        .id = GAP_TL_INPUT_PEER_SELF, .value = &self_                                              \
    }

static int check_raw(gap_tl_object_t query, gap_replay_t replay)
{
    return gap_raw_check(gap_tl_bytes(written(query)), replay, NULL);
}

START_TEST(test_declared_classes)
{
    gap_tl_input_user_self_t bot = {0};
    gap_tl_messages_start_bot_t start = {.bot = GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &bot),
                                         .peer = ME};
    gap_tl_messages_request_encryption_t secret = {.user_id =
                                                       GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &bot)};
    gap_tl_messages_send_paid_reaction_t paid = {.peer = ME, .random_id = 0};
    gap_tl_messages_create_chat_t create = {.users = gap_tl_array(NULL, 0)};
    gap_tl_messages_update_pinned_message_t pin = {.peer = ME};
    gap_tl_payments_get_payment_form_t form = {.flags = 0};
    gap_tl_payments_export_invoice_t invoice;
    static const gap_tl_input_media_dice_t dice = {.emoticon = B("x")};
    gap_tl_input_invoice_message_t message = {.peer = ME};

    invoice.invoice_media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_DICE, &dice);
    form.invoice = GAP_TL_OF(GAP_TL_INPUT_INVOICE_MESSAGE, &message);
    const struct {
        const char *why;
        gap_tl_object_t query;
        int random_id, idempotent, probe, never;
    } cases[] = {
        {"has a random_id", GAP_TL_OF(GAP_TL_MESSAGES_START_BOT, &start), 0, GAP_E_ARGUMENT, 0, 0},
        {"its random_id is not honoured", GAP_TL_OF(GAP_TL_MESSAGES_REQUEST_ENCRYPTION, &secret),
         GAP_E_ARGUMENT, GAP_E_ARGUMENT, 0, 0},
        {"its random_id holds the time", GAP_TL_OF(GAP_TL_MESSAGES_SEND_PAID_REACTION, &paid),
         GAP_E_ARGUMENT, GAP_E_ARGUMENT, GAP_E_ARGUMENT, GAP_E_ARGUMENT},
        {"makes a chat each time", GAP_TL_OF(GAP_TL_MESSAGES_CREATE_CHAT, &create), GAP_E_ARGUMENT,
         GAP_E_ARGUMENT, 0, 0},
        {"a pin", GAP_TL_OF(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &pin), GAP_E_ARGUMENT,
         GAP_E_ARGUMENT, 0, 0},
        {"payments", GAP_TL_OF(GAP_TL_PAYMENTS_EXPORT_INVOICE, &invoice), GAP_E_ARGUMENT,
         GAP_E_ARGUMENT, 0, 0},
        {"a question about payments", GAP_TL_OF(GAP_TL_PAYMENTS_GET_PAYMENT_FORM, &form),
         GAP_E_ARGUMENT, 0, 0, 0},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        ck_assert_msg(check_raw(cases[i].query, GAP_REPLAY_RANDOM_ID) == cases[i].random_id, "%s",
                      cases[i].why);
        ck_assert_msg(check_raw(cases[i].query, GAP_REPLAY_IDEMPOTENT) == cases[i].idempotent, "%s",
                      cases[i].why);
        ck_assert_msg(check_raw(cases[i].query, GAP_REPLAY_PROBE) == cases[i].probe, "%s",
                      cases[i].why);
        ck_assert_msg(check_raw(cases[i].query, GAP_REPLAY_NEVER) == cases[i].never, "%s",
                      cases[i].why);
        ck_assert_int_eq(check_raw(cases[i].query, GAP_REPLAY_BY_KIND), GAP_E_ARGUMENT);
    }
    pin.flags = GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN;
    ck_assert_int_eq(
        check_raw(GAP_TL_OF(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &pin), GAP_REPLAY_IDEMPOTENT),
        0);
    paid.random_id = 5;
    ck_assert_int_eq(
        check_raw(GAP_TL_OF(GAP_TL_MESSAGES_SEND_PAID_REACTION, &paid), GAP_REPLAY_RANDOM_ID), 0);
}
END_TEST

START_TEST(test_wrappers)
{
    gap_tl_input_user_self_t bot = {0};
    gap_tl_messages_start_bot_t start = {.bot = GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &bot),
                                         .peer = ME};
    gap_tl_invoke_with_takeout_t takeout = {.takeout_id = 5,
                                            .query = GAP_TL_OF(GAP_TL_MESSAGES_START_BOT, &start)};
    gap_tl_invoke_after_msg_t after = {.msg_id = 5,
                                       .query = GAP_TL_OF(GAP_TL_MESSAGES_START_BOT, &start)};
    gap_tl_invoke_with_takeout_t twice = {.query = GAP_TL_OF(GAP_TL_INVOKE_AFTER_MSG, &after)};
    uint32_t method = 0;

    gap_tl_object_t q = written(GAP_TL_OF(GAP_TL_INVOKE_WITH_TAKEOUT, &takeout));
    ck_assert_int_eq(gap_raw_check(gap_tl_bytes(q), GAP_REPLAY_RANDOM_ID, &method), 0);
    ck_assert_uint_eq(method, GAP_TL_MESSAGES_START_BOT);
    gap_bytes_t cut = gap_bytes(q.data, q.len - 4);
    ck_assert_int_eq(gap_raw_check(cut, GAP_REPLAY_RANDOM_ID, NULL), GAP_E_TL);
    ck_assert_int_eq(check_raw(GAP_TL_OF(GAP_TL_INVOKE_AFTER_MSG, &after), GAP_REPLAY_RANDOM_ID),
                     GAP_E_ARGUMENT);
    ck_assert_int_eq(check_raw(GAP_TL_OF(GAP_TL_INVOKE_WITH_TAKEOUT, &twice), GAP_REPLAY_RANDOM_ID),
                     GAP_E_ARGUMENT);
}
END_TEST

/* A call of the user's own with an album: two random ids are drawn, one is theirs. */
START_TEST(test_random_ids_of_an_album)
{
    static const gap_tl_input_media_dice_t dice = {.emoticon = B("x")};
    gap_tl_input_single_media_t media[3];
    gap_tl_object_t singles[3];
    gap_tl_messages_send_multi_media_t album = {.peer = ME,
                                                .multi_media = gap_tl_array(singles, 3)};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_RAW, .replay = GAP_REPLAY_RANDOM_ID};
    struct gap_request q = {.random_id = 0};
    struct gap_asked asked;
    struct gap_item back;
    gap_raw_ids_t ids = {.count = 0};
    gap_buf_t out;

    for (int i = 0; i < 3; i++) {
        media[i] = (gap_tl_input_single_media_t){.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_DICE, &dice),
                                                 .random_id = i == 1 ? 55 : 0};
        singles[i] = GAP_TL_OF(GAP_TL_INPUT_SINGLE_MEDIA, &media[i]);
    }
    item.query = GAP_TL_OF(GAP_TL_MESSAGES_SEND_MULTI_MEDIA, &album);
    gap_buf_init(&out, gap_alloc_default());
    ck_assert_int_eq(gap_item_pack(&item, &out), GAP_E_ARGUMENT); /* nothing was drawn */
    ck_assert_int_eq(gap_outbox_random_id(&item, 9001, &item.random_id), 0);
    ck_assert_int_eq(item.random_id, 9001);
    ck_assert_int_eq(gap_item_pack(&item, &out), 0);
    ck_assert_int_eq(gap_item_unpack(gap_buf_view(&out), &back), 0);
    ck_assert_uint_eq(gap_item_raw_method(gap_buf_view(&out)), GAP_TL_MESSAGES_SEND_MULTI_MEDIA);
    ck_assert_int_eq(gap_raw_ids(gap_tl_bytes(back.item.query), &ids), 0);
    ck_assert_uint_eq(ids.count, 3);
    ck_assert_uint_eq(ids.zeros, 0);
    ck_assert_int_eq(ids.first, 9001);
    ck_assert(!gap_outbox_is_named(&back.item));
    gap_outbox_asked(&back.item, 9001, 0, false, &asked);
    ck_assert_uint_eq(asked.random_ids, 3);

    gap_buf_t call;
    gap_tl_messages_send_multi_media_t m;
    gap_tl_input_single_media_t one;
    gap_buf_init(&call, gap_alloc_default());
    ck_assert_int_eq(gap_outbox_query(&q, &back.item, &call), 0);
    ck_assert_int_gt(
        gap_tl_read(gap_buf_view(&call), GAP_TL_MESSAGES_SEND_MULTI_MEDIA, &m, sizeof m), 0);
    gap_tl_iter_t it = gap_tl_iter(m.multi_media);
    for (uint32_t i = 0; i < 3; i++) {
        gap_tl_object_t single;
        ck_assert_int_eq(gap_tl_next(&it, &single), 1);
        ck_assert_int_gt(GAP_TL_READ(single, GAP_TL_INPUT_SINGLE_MEDIA, &one), 0);
        ck_assert_int_eq(one.random_id, i == 1 ? 55 : gap_outbox_random_at(9001, i));
    }
    gap_buf_fini(&call);
    gap_buf_fini(&out);
}
END_TEST

/* Where a random_id comes from. */
START_TEST(test_row_random_id)
{
    gap_tl_input_user_self_t bot = {0};
    gap_tl_messages_start_bot_t start = {.bot = GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &bot),
                                         .peer = ME};
    gap_tl_messages_request_encryption_t secret = {.user_id =
                                                       GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &bot)};
    gap_tl_help_get_nearest_dc_t nearest = {0};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND};
    int64_t id = -1;

    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 7);
    item.random_id = 8;
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 8);
    item = (gap_outbox_item_t){.kind = GAP_OUTBOX_FORWARD, .id_count = 2, .random_id = 8};
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 7);
    item.id_count = 1;
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 8);
    item = (gap_outbox_item_t){.kind = GAP_OUTBOX_EDIT, .random_id = 8};
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 0);
    item = (gap_outbox_item_t){.kind = GAP_OUTBOX_RAW,
                               .query = GAP_TL_OF(GAP_TL_MESSAGES_START_BOT, &start)};
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 7);
    start.random_id = 9;
    item.query = written(item.query);
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 9);
    item.query = GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &nearest);
    ck_assert_int_eq(gap_outbox_random_id(&item, 7, &id), 0);
    ck_assert_int_eq(id, 0);
    item.query = GAP_TL_OF(GAP_TL_MESSAGES_REQUEST_ENCRYPTION, &secret); /* of 32 bits */
    secret.g_a = gap_bytes(NULL, 0);
    ck_assert_int_eq(gap_outbox_random_id(&item, INT64_C(7) << 32, &id), 0);
    ck_assert_int_eq(id, 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_raw");
    TCase *t = tcase_create("raw");

    tcase_add_test(t, test_declared_classes);
    tcase_add_test(t, test_wrappers);
    tcase_add_test(t, test_random_ids_of_an_album);
    tcase_add_test(t, test_row_random_id);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
