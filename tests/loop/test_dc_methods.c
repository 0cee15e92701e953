/*
 * tests/loop/test_dc_methods.c - every method of the API is called with random valid arguments: an
 * answer of the declared type or an rpc_error comes, always, and the server stays up. And what the
 * calls beside the model's answer.
 */
#include "base/gzip.h"
#include "base/packet.h"
#include "tests/loop/dc_client.h"
#include "tests/tl_random.h"

#include <gapless/tl_api.h>

#define BOT        4711
#define QUERY_MAX  (1U << 20)
#define TEXT_START 12 /* of the text in an rpc_error: id, code, length byte */

static struct dc_thread server;
static struct client client;
static gap_gzip_t zip;

static void setup(void)
{
    static const struct peer_style style = {PEER_INNER_DC, false, false, 2};

    dc_thread_init(&server);
    server.options.traffic.events = 0;
    dc_thread_start(&server);
    client_init(&client, 5);
    client_connect(&client, server.port, WIRE_INTERMEDIATE);
    client_shake_hands(&client, &style);
    client_sign_in(&client, BOT);
    gap_gzip_init(&zip, gap_alloc_default());
}

static void teardown(void)
{
    client_fini(&client);
    dc_thread_stop(&server);
    gap_gzip_fini(&zip);
}

/* The answer to a query, inflated; packet is to be given back. */
static gap_bytes_t ask(gap_tl_object_t query, gap_packet_t **packet)
{
    static uint8_t bytes[QUERY_MAX];
    int64_t n = gap_tl_write(query, bytes, sizeof bytes);
    gap_bytes_t packed;

    *packet = NULL;
    ck_assert_int_gt(n, 0);
    gap_bytes_t r =
        client_result(&client, client_send(&client, gap_bytes(bytes, (size_t)n), true), NULL);
    if (gap_load32(r.data) != GAP_MT_GZIP_PACKED) return r;
    const uint8_t *at = r.data + 4;
    ck_assert_int_eq(gap_tl_pass_bytes(&at, r.data + r.len, &packed), 0);
    ck_assert_int_eq(gap_inflate(&zip, packed, QUERY_MAX, packet), 0);
    return gap_bytes((*packet)->data, (*packet)->len);
}

static void check_vector(const gap_tl_info_t *method, gap_bytes_t r, const char *name)
{
    uint32_t count = gap_load32(r.data + 4);
    size_t at = 8;

    ck_assert_msg(method->elem != GAP_TL_K_NONE, "%s answers with a vector", name);
    for (uint32_t i = 0; i < count; i++) {
        size_t fixed = gap_tl_fixed_size(method->elem, method->elem_target);
        int64_t n = fixed > 0 ? (int64_t)fixed : gap_tl_skip(gap_bytes(r.data + at, r.len - at));
        ck_assert_msg(n > 0, "%s: element %u can't be read", name, (unsigned)i);
        at += (size_t)n;
    }
    ck_assert_msg(at == r.len, "%s: bytes behind the vector", name);
}

/* @return whether it is a result, not an error. */
static bool check_answer(const gap_tl_info_t *method, gap_bytes_t r)
{
    const char *name = gap_tl_names + method->name;
    uint32_t id = gap_load32(r.data);

    if (id == GAP_TL_VECTOR) {
        check_vector(method, r, name);
        return true;
    }
    ck_assert_msg(gap_tl_skip(r) == (int64_t)r.len, "%s: the answer can't be read", name);
    if (id == GAP_MT_RPC_ERROR) {
        int32_t code = (int32_t)gap_load32(r.data + 4);
        ck_assert_msg(code >= 400 && code <= 501, "%s: error %d", name, (int)code);
        return false;
    }
    ck_assert_msg(gap_tl_slot(id)->type == method->type, "%s: answered by %s", name,
                  gap_tl_name(id));
    return true;
}

/* Methods of the API have a namespace; signing out would end the test. */
static bool is_asked(const gap_tl_info_t *info)
{
    return info->is_method && strchr(gap_tl_names + info->name, '.') != NULL &&
           info->id != GAP_TL_AUTH_LOG_OUT;
}

START_TEST(every_method_is_answered)
{
    tl_random_t random;
    unsigned asked = 0;
    unsigned results = 0;
    gap_packet_t *packet;

    tl_random_init(&random, 1 + (uint64_t)_i);
    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        if (!is_asked(&gap_tl_infos[i])) continue;
        gap_bytes_t r = ask(tl_random_object(&random, i), &packet);
        results += check_answer(&gap_tl_infos[i], r);
        gap_packet_unref(packet);
        asked++;
    }
    tl_random_fini(&random);
    ck_assert_uint_gt(asked, 700);
    ck_assert_uint_ge(results, 12);
}
END_TEST

#define ASK(id, query)                                                                             \
    gap_packet_t *packet;                                                                          \
    gap_bytes_t r = ask(GAP_TL_OF(id, query), &packet);                                            \
    ck_assert_msg(check_answer(&gap_tl_infos[gap_tl_find(id)], r), "%s: %.40s", gap_tl_name(id),   \
                  (const char *)r.data + TEXT_START + 1)

START_TEST(full_channel_tells_its_pts)
{
    gap_tl_input_channel_t channel = {DC_CHANNEL_ID_FIRST, 0};
    gap_tl_channels_get_full_channel_t q = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel)};
    gap_tl_messages_chat_full_t chat;
    gap_tl_channel_full_t full;

    ASK(GAP_TL_CHANNELS_GET_FULL_CHANNEL, &q);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_MESSAGES_CHAT_FULL, &chat, sizeof chat), 0);
    ck_assert_int_gt(GAP_TL_READ(chat.full_chat, GAP_TL_CHANNEL_FULL, &full), 0);
    ck_assert_int_eq(full.id, DC_CHANNEL_ID_FIRST);
    ck_assert_int_eq(full.pts, 1);
    ck_assert_int_eq(full.participants_count, 1);
    gap_packet_unref(packet);
}
END_TEST

START_TEST(full_user_and_full_chat)
{
    gap_tl_input_user_self_t self = {0};
    gap_tl_users_get_full_user_t user = {GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &self)};
    gap_tl_messages_get_full_chat_t chat = {DC_CHAT_ID_FIRST};
    gap_tl_users_user_full_t user_full;
    gap_tl_user_full_t about;
    {
        ASK(GAP_TL_USERS_GET_FULL_USER, &user);
        ck_assert_int_gt(gap_tl_read(r, GAP_TL_USERS_USER_FULL, &user_full, sizeof user_full), 0);
        ck_assert_int_gt(GAP_TL_READ(user_full.full_user, GAP_TL_USER_FULL, &about), 0);
        ck_assert_int_eq(about.id, BOT);
        gap_packet_unref(packet);
    }
    {
        ASK(GAP_TL_MESSAGES_GET_FULL_CHAT, &chat);
        gap_packet_unref(packet);
    }
}
END_TEST

START_TEST(texts_of_the_interface)
{
    gap_tl_langpack_get_difference_t q = {gap_str("android"), gap_str("de"), 7};
    gap_tl_lang_pack_difference_t d;

    ASK(GAP_TL_LANGPACK_GET_DIFFERENCE, &q);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_LANG_PACK_DIFFERENCE, &d, sizeof d), 0);
    ck_assert_int_eq(d.from_version, 7);
    ck_assert_int_ge(d.version, 7);
    ck_assert(d.lang_code.len == 2 && memcmp(d.lang_code.data, "de", 2) == 0);
    gap_packet_unref(packet);
}
END_TEST

START_TEST(the_sign_ins_of_an_account)
{
    uint32_t nothing = 0;
    gap_tl_account_authorizations_t all;
    gap_tl_authorization_t one;
    gap_tl_object_t o;

    ASK(GAP_TL_ACCOUNT_GET_AUTHORIZATIONS, &nothing);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_ACCOUNT_AUTHORIZATIONS, &all, sizeof all), 0);
    gap_tl_iter_t it = gap_tl_iter(all.authorizations);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_AUTHORIZATION, &one), 0);
    ck_assert((one.flags & GAP_TL_AUTHORIZATION_F_CURRENT) != 0);
    ck_assert_int_eq(one.hash, 0);
    ck_assert_int_eq(gap_tl_next(&it, &o), 0);
    gap_packet_unref(packet);
}
END_TEST

START_TEST(signed_out_is_signed_out)
{
    uint32_t nothing = 0;
    {
        ASK(GAP_TL_AUTH_LOG_OUT, &nothing);
        gap_packet_unref(packet);
    }
    gap_packet_t *packet;
    gap_bytes_t r = ask(GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing), &packet);
    ck_assert_uint_eq(gap_load32(r.data), GAP_MT_RPC_ERROR);
    ck_assert_int_eq((int32_t)gap_load32(r.data + 4), 401);
    gap_packet_unref(packet);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("dc_methods");
    TCase *tc = tcase_create("methods");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, every_method_is_answered, 0, 2);
    tcase_add_test(tc, full_channel_tells_its_pts);
    tcase_add_test(tc, full_user_and_full_chat);
    tcase_add_test(tc, texts_of_the_interface);
    tcase_add_test(tc, the_sign_ins_of_an_account);
    tcase_add_test(tc, signed_out_is_signed_out);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
