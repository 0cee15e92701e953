/* tests/loop/test_dc_homes.c - two data centres that know each other: what clients are told of
 * them, and who is sent from one to the other. */
#include "tests/loop/dc_client.h"

#include <gapless/tl_api.h>
#include <stdatomic.h>

#define BOT 4242

static const struct peer_style ordinary = {PEER_INNER_DC, false, false, 2};
static const struct peer_style other = {PEER_INNER_DC, false, false, 4};

static struct dc_thread two;
static struct dc_thread four;
static struct client client;
static atomic_uint later_port; /* of data centre 4, as 2 is to hear of it while it runs */

static void know(gap_dc_peers_t *peers, int32_t id, uint16_t port, bool is_media)
{
    gap_dc_peer_t peer = {id, {.ip = {127, 0, 0, 1}, .port = port}, is_media};

    ck_assert_int_eq(gap_dc_peers_add(peers, &peer), 0);
}

static void hear(void *data)
{
    struct dc_thread *t = data;
    gap_dc_peers_t peers = {.count = 0};

    if (atomic_load(&later_port) == 0) return;
    know(&peers, 4, (uint16_t)atomic_load(&later_port), false);
    know(&peers, 4, (uint16_t)atomic_load(&later_port), true);
    ck_assert_int_eq(gap_dc_set_peers(t->dc, &peers), 0);
}

/* 4 is told of 2 when it starts, 2 of 4 when it asks. */
static void setup(void)
{
    atomic_store(&later_port, 0);
    dc_thread_init(&two);
    two.options.look_at_peers = hear;
    dc_thread_init(&four);
    four.options.dc = 4;
    client_init(&client, 5);
}

static void start(void)
{
    dc_thread_start(&two);
    know(&four.options.peers, 2, two.port, false);
    dc_thread_start(&four);
    atomic_store(&later_port, four.port);
}

static void teardown(void)
{
    client_fini(&client);
    dc_thread_stop(&four);
    dc_thread_stop(&two);
}

static void go_to(struct client *c, const struct dc_thread *t, const struct peer_style *style)
{
    client_connect(c, t->port, WIRE_INTERMEDIATE);
    client_shake_hands(c, style);
}

static gap_bytes_t simple_call(uint32_t id, gap_buf_t *pushes)
{
    uint32_t nothing = 0;
    return client_call(&client, GAP_TL_OF(id, &nothing), pushes);
}

static void expect_error(gap_bytes_t result, int32_t code, const char *text)
{
    gap_mt_rpc_error_t e;

    ck_assert_int_gt(gap_tl_read(result, GAP_MT_RPC_ERROR, &e, sizeof e), 0);
    ck_assert_int_eq(e.error_code, code);
    ck_assert_msg(e.error_message.len == strlen(text) &&
                      memcmp(e.error_message.data, text, strlen(text)) == 0,
                  "%.*s, not %s", (int)e.error_message.len, (const char *)e.error_message.data,
                  text);
}

/* --- what clients are told ----------------------------------------------------------------- */

static void check_option(gap_tl_iter_t *it, int32_t id, uint16_t port, uint32_t flags)
{
    gap_tl_object_t o;
    gap_tl_dc_option_t option;
    const uint32_t looked_at =
        GAP_TL_DC_OPTION_F_IPV6 | GAP_TL_DC_OPTION_F_MEDIA_ONLY | GAP_TL_DC_OPTION_F_CDN;

    ck_assert_int_eq(gap_tl_next(it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_DC_OPTION, &option), 0);
    ck_assert_int_eq(option.id, id);
    ck_assert_int_eq(option.port, port);
    ck_assert_uint_eq(option.flags & looked_at, flags);
    const char *ip = (flags & GAP_TL_DC_OPTION_F_IPV6) != 0 ? "2001:db8::7" : "127.0.0.1";
    ck_assert_uint_eq(option.ip_address.len, strlen(ip));
    ck_assert_mem_eq(option.ip_address.data, ip, strlen(ip));
}

START_TEST(config_names_this_one_and_the_others)
{
    uint32_t nothing = 0;
    gap_tl_config_t config;
    gap_tl_nearest_dc_t nearest;
    gap_tl_cdn_config_t cdn;
    gap_dc_peer_t v6;
    gap_tl_object_t o;

    ck_assert_int_eq(gap_dc_peer_parse(gap_str("1=[2001:db8::7]:443"), &v6), 0);
    ck_assert_int_eq(gap_dc_peers_add(&four.options.peers, &v6), 0);
    know(&four.options.peers, 4, 77, true);
    start();
    go_to(&client, &four, &other);
    gap_bytes_t r = client_first_call(&client, 227, GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, &nothing));
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_CONFIG, &config, sizeof config), 0);
    ck_assert_int_eq(config.this_dc, 4);
    gap_tl_iter_t it = gap_tl_iter(config.dc_options);
    check_option(&it, 4, four.port, 0);
    check_option(&it, 1, 443, GAP_TL_DC_OPTION_F_IPV6);
    check_option(&it, 4, 77, GAP_TL_DC_OPTION_F_MEDIA_ONLY);
    check_option(&it, 2, two.port, 0);
    ck_assert_int_eq(gap_tl_next(&it, &o), 0);
    r = simple_call(GAP_TL_HELP_GET_NEAREST_DC, NULL);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_NEAREST_DC, &nearest, sizeof nearest), 0);
    ck_assert_int_eq(nearest.this_dc, 4);
    client_sign_in(&client, BOT);
    r = simple_call(GAP_TL_HELP_GET_CDN_CONFIG, NULL);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_CDN_CONFIG, &cdn, sizeof cdn), 0);
    it = gap_tl_iter(cdn.public_keys);
    ck_assert_int_eq(gap_tl_next(&it, &o), 0);
}
END_TEST

/* Layers before 158 have another config; its table is the same: id, flags, date, expires,
 * test_mode, this_dc, then the vector. */
START_TEST(config_of_old_layers_names_them_too)
{
    enum { TABLE = 4 * 6 };
    uint32_t nothing = 0;

    start();
    go_to(&client, &four, &other);
    gap_bytes_t r = client_first_call(&client, 144, GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, &nothing));
    ck_assert_uint_eq(gap_load32(r.data), 0x330b4067U);
    ck_assert_uint_eq(gap_load32(r.data + 20), 4);
    ck_assert_uint_eq(gap_load32(r.data + TABLE), GAP_TL_VECTOR);
    ck_assert_uint_eq(gap_load32(r.data + TABLE + 4), 2);
    const int32_t ids[] = {4, 2};
    size_t at = TABLE + 8;
    for (size_t i = 0; i < GAP_ARRAY_LEN(ids); i++) {
        gap_tl_dc_option_t option;
        int64_t n = gap_tl_read(gap_bytes(r.data + at, r.len - at), GAP_TL_DC_OPTION, &option,
                                sizeof option);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(option.id, ids[i]);
        at += (size_t)n;
    }
}
END_TEST

START_TEST(a_new_table_is_pushed)
{
    gap_buf_t pushes;
    gap_tl_update_short_t update;
    gap_tl_update_dc_options_t options;

    dc_thread_start(&two);
    dc_thread_start(&four);
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    (void)simple_call(GAP_TL_UPDATES_GET_STATE, NULL);
    atomic_store(&later_port, four.port);
    gap_buf_init(&pushes, gap_alloc_default());
    (void)simple_call(GAP_TL_HELP_GET_CONFIG, &pushes);
    if (gap_buf_view(&pushes).len == 0) (void)simple_call(GAP_TL_HELP_GET_CONFIG, &pushes);
    gap_bytes_t view = gap_buf_view(&pushes);
    ck_assert_int_eq(gap_tl_read(view, GAP_TL_UPDATE_SHORT, &update, sizeof update),
                     (int64_t)view.len);
    ck_assert_int_gt(GAP_TL_READ(update.update, GAP_TL_UPDATE_DC_OPTIONS, &options), 0);
    gap_tl_iter_t it = gap_tl_iter(options.dc_options);
    check_option(&it, 2, two.port, 0);
    check_option(&it, 4, four.port, 0);
    check_option(&it, 4, four.port, GAP_TL_DC_OPTION_F_MEDIA_ONLY);
    gap_buf_fini(&pushes);
}
END_TEST

/* --- who is sent where ----------------------------------------------------------------------- */

START_TEST(bots_are_sent_home)
{
    two.options.bots_dc = 4;
    four.options.bots_dc = 4;
    start();
    go_to(&client, &two, &ordinary);
    expect_error(client_import_bot(&client, BOT), 303, "USER_MIGRATE_4");
    expect_error(simple_call(GAP_TL_UPDATES_GET_STATE, NULL), 401, "AUTH_KEY_UNREGISTERED");
    go_to(&client, &four, &other);
    client_sign_in(&client, BOT);
}
END_TEST

START_TEST(bots_stay_while_their_home_is_unknown)
{
    two.options.bots_dc = 4;
    dc_thread_start(&two);
    dc_thread_start(&four);
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
}
END_TEST

START_TEST(a_key_is_good_for_one_data_centre)
{
    uint32_t ping[3] = {GAP_MT_PING, 1, 2};

    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    client_connect(&client, four.port, WIRE_INTERMEDIATE);
    (void)client_send(&client, gap_bytes(ping, sizeof ping), false);
    ck_assert_int_eq(client_receive_frame(&client), 4);
    ck_assert_int_eq((int32_t)gap_load32(gap_buf_view(&client.in).data), -404);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_homes");
    TCase *tc = tcase_create("told");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, config_names_this_one_and_the_others);
    tcase_add_test(tc, config_of_old_layers_names_them_too);
    tcase_add_test(tc, a_new_table_is_pushed);
    suite_add_tcase(s, tc);
    tc = tcase_create("sent");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, bots_are_sent_home);
    tcase_add_test(tc, bots_stay_while_their_home_is_unknown);
    tcase_add_test(tc, a_key_is_good_for_one_data_centre);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
