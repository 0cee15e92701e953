/* tests/loop/test_dc_homes.c - two data centres that know each other: what clients are told of
 * them, and who is sent from one to the other. */
#include "tests/loop/dc_pair.h"

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
    pair_know(&four.options.peers, 4, 77, true);
    pair_start();
    pair_go_to(&client, &four);
    gap_bytes_t r = client_first_call(&client, 227, GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, &nothing));
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_CONFIG, &config, sizeof config), 0);
    ck_assert_int_eq(config.this_dc, 4);
    gap_tl_iter_t it = gap_tl_iter(config.dc_options);
    check_option(&it, 4, four.port, 0);
    check_option(&it, 1, 443, GAP_TL_DC_OPTION_F_IPV6);
    check_option(&it, 4, 77, GAP_TL_DC_OPTION_F_MEDIA_ONLY);
    check_option(&it, 2, two.port, 0);
    ck_assert_int_eq(gap_tl_next(&it, &o), 0);
    r = pair_call(&client, GAP_TL_HELP_GET_NEAREST_DC, NULL);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_NEAREST_DC, &nearest, sizeof nearest), 0);
    ck_assert_int_eq(nearest.this_dc, 4);
    client_sign_in(&client, BOT);
    r = pair_call(&client, GAP_TL_HELP_GET_CDN_CONFIG, NULL);
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

    pair_start();
    pair_go_to(&client, &four);
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
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    (void)pair_call(&client, GAP_TL_UPDATES_GET_STATE, NULL);
    atomic_store(&four_is_at, four.port);
    gap_buf_init(&pushes, gap_alloc_default());
    (void)pair_call(&client, GAP_TL_HELP_GET_CONFIG, &pushes);
    if (gap_buf_view(&pushes).len == 0) (void)pair_call(&client, GAP_TL_HELP_GET_CONFIG, &pushes);
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
    pair_start();
    pair_go_to(&client, &two);
    pair_expect_error(client_import_bot(&client, BOT), 303, "USER_MIGRATE_4");
    pair_expect_error(pair_call(&client, GAP_TL_UPDATES_GET_STATE, NULL), 401,
                      "AUTH_KEY_UNREGISTERED");
    pair_go_to(&client, &four);
    client_sign_in(&client, BOT);
}
END_TEST

START_TEST(bots_stay_while_their_home_is_unknown)
{
    two.options.bots_dc = 4;
    dc_thread_start(&two);
    dc_thread_start(&four);
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
}
END_TEST

static gap_bytes_t send_code(struct client *c, const char *phone)
{
    gap_tl_code_settings_t settings = {.flags = 0};
    gap_tl_auth_send_code_t q = {gap_str(phone), 1, gap_str("hash"),
                                 GAP_TL_OF(GAP_TL_CODE_SETTINGS, &settings)};

    return client_first_call(c, 227, GAP_TL_OF(GAP_TL_AUTH_SEND_CODE, &q));
}

static const struct {
    const char *phone;
    const char *from_two; /* errors; NULL: the code is sent */
    const char *from_four;
    const char *why;
} phones[] = {
    {"9996621234", NULL, "PHONE_MIGRATE_2", "lives in 2"},
    {"+99966 4 1234", "PHONE_MIGRATE_4", NULL, "lives in 4, written with blanks"},
    {"9996631234", NULL, NULL, "3 is not known: everywhere"},
    {"9996614321", NULL, "PHONE_MIGRATE_2", "moved from 1 to 2"},
};

START_TEST(phones_are_sent_home)
{
    const char *const expected[] = {phones[_i].from_two, phones[_i].from_four};

    pair_play("move 2 9996614321\n");
    pair_start();
    for (size_t i = 0; i < GAP_ARRAY_LEN(expected); i++) {
        pair_go_to(&client, i == 0 ? &two : &four);
        gap_bytes_t r = send_code(&client, phones[_i].phone);
        if (expected[i] != NULL)
            pair_expect_error(r, 303, expected[i]);
        else
            ck_assert_msg(gap_load32(r.data) == GAP_TL_AUTH_SENT_CODE, "%s", phones[_i].why);
    }
}
END_TEST

START_TEST(a_code_is_asked_for_where_it_was_sent)
{
    gap_tl_auth_sign_in_t q = {.flags = GAP_TL_AUTH_SIGN_IN_F_PHONE_CODE,
                               .phone_number = gap_str("9996641234"),
                               .phone_code_hash = gap_str("any"),
                               .phone_code = gap_str("44444")};

    pair_start();
    pair_go_to(&client, &two);
    pair_expect_error(client_first_call(&client, 227, GAP_TL_OF(GAP_TL_AUTH_SIGN_IN, &q)), 303,
                      "PHONE_MIGRATE_4");
}
END_TEST

START_TEST(a_key_is_good_for_one_data_centre)
{
    uint32_t ping[3] = {GAP_MT_PING, 1, 2};

    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    client_connect(&client, four.port, WIRE_INTERMEDIATE);
    (void)client_send(&client, gap_bytes(ping, sizeof ping), false);
    ck_assert_int_eq(client_receive_frame(&client), 4);
    ck_assert_int_eq((int32_t)gap_load32(gap_buf_view(&client.in).data), -404);
}
END_TEST
START_TEST(somebody_lives_elsewhere_from_the_beginning)
{
    pair_play("move 4 4242\n");
    pair_start();
    pair_go_to(&client, &two);
    pair_expect_error(client_import_bot(&client, BOT), 303, "USER_MIGRATE_4");
    client_sign_in(&client, BOT + 1);
    pair_go_to(&client, &four);
    client_sign_in(&client, BOT);
}
END_TEST

/* Data centre 2 hears of 4 when it has begun; what its script said holds on. */
START_TEST(a_script_changes_the_table)
{
    gap_buf_t pushes;
    gap_tl_update_short_t update;
    gap_tl_update_dc_options_t options;
    gap_tl_object_t o;

    pair_play("peer-dc 1=127.0.0.1:11\n"
              "peer-dc 1=127.0.0.1:12\n"
              "at 2 await getState\n"
              "at 2 peer-dc 1=[2001:db8::7]:443\n"
              "at 2 drop-dc 9\n"
              "at 2 drop-dc 1\n");
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    pair_get_difference(&client);
    gap_buf_init(&pushes, gap_alloc_default());
    (void)pair_call(&client, GAP_TL_UPDATES_GET_STATE, &pushes);
    dc_thread_wait_done(&two);
    (void)pair_call(&client, GAP_TL_HELP_GET_NEAREST_DC, &pushes);
    gap_bytes_t view = gap_buf_view(&pushes);
    int64_t n = gap_tl_read(view, GAP_TL_UPDATE_SHORT, &update, sizeof update);
    ck_assert_int_gt(n, 0);
    ck_assert_int_gt(GAP_TL_READ(update.update, GAP_TL_UPDATE_DC_OPTIONS, &options), 0);
    gap_tl_iter_t it = gap_tl_iter(options.dc_options);
    check_option(&it, 2, two.port, 0);
    check_option(&it, 4, four.port, 0);
    check_option(&it, 4, four.port, GAP_TL_DC_OPTION_F_MEDIA_ONLY);
    check_option(&it, 1, 12, 0);
    check_option(&it, 1, 443, GAP_TL_DC_OPTION_F_IPV6);
    view = gap_bytes(view.data + n, view.len - (size_t)n);
    n = gap_tl_read(view, GAP_TL_UPDATE_SHORT, &update, sizeof update);
    ck_assert_int_eq(n, (int64_t)view.len);
    ck_assert_int_gt(GAP_TL_READ(update.update, GAP_TL_UPDATE_DC_OPTIONS, &options), 0);
    it = gap_tl_iter(options.dc_options);
    check_option(&it, 2, two.port, 0);
    check_option(&it, 4, four.port, 0);
    check_option(&it, 4, four.port, GAP_TL_DC_OPTION_F_MEDIA_ONLY);
    ck_assert_int_eq(gap_tl_next(&it, &o), 0);
    gap_buf_fini(&pushes);
}
END_TEST

/* --- main and media connections -------------------------------------------------------------- */

/* Two sessions of one key: only the one that did not ask for silence gets updates. */
START_TEST(only_the_main_session_gets_updates)
{
    struct client media;
    struct client_message m;
    uint32_t nothing = 0;
    uint32_t pushes = 0;
    gap_tl_updates_get_difference_t q = {.pts = 1, .date = 1, .qts = 1};
    gap_tl_invoke_without_updates_t quiet = {GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &nothing)};

    two.options.traffic.events = 40;
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    client_init(&media, 6);
    media.peer.key = client.peer.key;
    media.peer.salt = client.peer.salt;
    client_connect(&media, two.port, WIRE_INTERMEDIATE);
    gap_bytes_t r = client_call(&media, GAP_TL_OF(GAP_TL_INVOKE_WITHOUT_UPDATES, &quiet), NULL);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_NEAREST_DC);
    (void)client_call(&client, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), NULL);
    (void)client_call(&media, GAP_TL_OF(GAP_TL_INVOKE_WITHOUT_UPDATES, &quiet), NULL);
    dc_thread_wait_done(&two);
    while (client_receive(&client, &m)) pushes += (m.msg_id & 3) == 3;
    ck_assert_uint_ge(pushes, 40);
    while (client_receive(&media, &m)) ck_assert_msg((m.msg_id & 3) != 3, "a push");
    client_fini(&media);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_homes");
    TCase *tc = tcase_create("told");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, pair_setup, pair_teardown);
    tcase_add_test(tc, config_names_this_one_and_the_others);
    tcase_add_test(tc, config_of_old_layers_names_them_too);
    tcase_add_test(tc, a_new_table_is_pushed);
    tcase_add_test(tc, a_script_changes_the_table);
    suite_add_tcase(s, tc);
    tc = tcase_create("sent");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, pair_setup, pair_teardown);
    tcase_add_test(tc, bots_are_sent_home);
    tcase_add_test(tc, bots_stay_while_their_home_is_unknown);
    tcase_add_loop_test(tc, phones_are_sent_home, 0, (int)GAP_ARRAY_LEN(phones));
    tcase_add_test(tc, a_code_is_asked_for_where_it_was_sent);
    tcase_add_test(tc, a_key_is_good_for_one_data_centre);
    tcase_add_test(tc, somebody_lives_elsewhere_from_the_beginning);
    tcase_add_test(tc, only_the_main_session_gets_updates);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
