/* tests/loop/test_dc_homes.c - two data centres that know each other: what clients are told of
 * them, and who is sent from one to the other. */
#include "tests/loop/dc_client.h"

#include "base/gzip.h"
#include "base/packet.h"
#include "tl/tl.h"

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

static gap_dc_script_t script;

/* The same for both. */
static void play(const char *text)
{
    char error[256] = "";

    ck_assert_msg(
        gap_dc_script_read(gap_alloc_default(), gap_str(text), &script, error, sizeof error) == 0,
        "%s", error);
    two.options.script = &script;
    four.options.script = &script;
}

static void teardown_script(void)
{
    teardown();
    gap_dc_script_fini(&script);
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

    play("move 2 9996614321\n");
    start();
    for (size_t i = 0; i < GAP_ARRAY_LEN(expected); i++) {
        go_to(&client, i == 0 ? &two : &four, i == 0 ? &ordinary : &other);
        gap_bytes_t r = send_code(&client, phones[_i].phone);
        if (expected[i] != NULL)
            expect_error(r, 303, expected[i]);
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

    start();
    go_to(&client, &two, &ordinary);
    expect_error(client_first_call(&client, 227, GAP_TL_OF(GAP_TL_AUTH_SIGN_IN, &q)), 303,
                 "PHONE_MIGRATE_4");
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

/* --- authorizations that travel -------------------------------------------------------------- */

/* A result as it was before it was packed. @param packet To be given back. */
static gap_bytes_t inflated(gap_bytes_t result, gap_packet_t **packet)
{
    const uint8_t *at = result.data + 4;
    gap_bytes_t packed;
    gap_gzip_t zip;

    if (gap_load32(result.data) != GAP_MT_GZIP_PACKED) return result;
    gap_gzip_init(&zip, gap_alloc_default());
    ck_assert_int_eq(gap_tl_pass_bytes(&at, result.data + result.len, &packed), 0);
    ck_assert_int_eq(gap_inflate(&zip, packed, 1U << 20, packet), 0);
    gap_gzip_fini(&zip);
    return gap_bytes((*packet)->data, (*packet)->len);
}

/* What auth.exportAuthorization gave. */
struct ticket {
    int64_t id;
    uint8_t bytes[256];
    size_t len;
};

static gap_bytes_t ask_export(struct client *c, int32_t dc_id)
{
    gap_tl_auth_export_authorization_t q = {dc_id};
    return client_call(c, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &q), NULL);
}

static struct ticket export_to(struct client *c, int32_t dc_id)
{
    gap_tl_auth_exported_authorization_t exported;
    struct ticket ticket = {0};
    gap_bytes_t r = ask_export(c, dc_id);

    ck_assert_int_gt(gap_tl_read(r, GAP_TL_AUTH_EXPORTED_AUTHORIZATION, &exported, sizeof exported),
                     0);
    ck_assert_uint_le(exported.bytes.len, sizeof ticket.bytes);
    ticket.id = exported.id;
    ticket.len = exported.bytes.len;
    memcpy(ticket.bytes, exported.bytes.data, ticket.len);
    return ticket;
}

static gap_bytes_t import(struct client *c, const struct ticket *ticket)
{
    gap_tl_auth_import_authorization_t q = {ticket->id, gap_bytes(ticket->bytes, ticket->len)};
    return client_first_call(c, 227, GAP_TL_OF(GAP_TL_AUTH_IMPORT_AUTHORIZATION, &q));
}

static gap_bytes_t get_self(struct client *c)
{
    gap_tl_input_user_self_t self = {0};
    gap_tl_object_t ids[1] = {GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &self)};
    gap_tl_users_get_users_t q = {gap_tl_array(ids, 1)};

    return client_call(c, GAP_TL_OF(GAP_TL_USERS_GET_USERS, &q), NULL);
}

static void check_self(gap_bytes_t user)
{
    gap_tl_user_t self;

    ck_assert_int_gt(gap_tl_read(user, GAP_TL_USER, &self, sizeof self), 0);
    ck_assert_int_eq(self.id, BOT);
    ck_assert((self.flags & GAP_TL_USER_F_SELF) != 0);
}

START_TEST(an_imported_account_may_call)
{
    struct client there;
    gap_tl_auth_authorization_t authorization;

    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    ck_assert_int_eq(ticket.id, BOT);
    client_init(&there, 6);
    go_to(&there, &four, &other);
    gap_bytes_t r = import(&there, &ticket);
    ck_assert_int_gt(
        gap_tl_read(r, GAP_TL_AUTH_AUTHORIZATION, &authorization, sizeof authorization), 0);
    check_self(gap_tl_bytes(authorization.user));
    r = get_self(&there);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_VECTOR);
    check_self(gap_bytes(r.data + 8, r.len - 8));
    /* Only the home vouches for an account. */
    expect_error(ask_export(&there, 2), 400, "DC_ID_INVALID");
    char *ledger = dc_thread_ledger(&four);
    const char *line = strstr(ledger, "\"auth.importAuthorization\"");
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(strstr(line, ",\"dc\":4,"));
    free(ledger);
    client_fini(&there);
}
END_TEST

/* How many events of the ledger are this account's own. */
static unsigned events_of(const char *ledger, int64_t account)
{
    char name[64];
    unsigned count = 0;

    (void)snprintf(name, sizeof name, ",\"account\":%lld,", (long long)account);
    for (const char *line = ledger; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *at = strstr(line, name);
        count += strncmp(line, "{\"n\":", 5) == 0 && at != NULL && at < strchr(line, '\n');
    }
    return count;
}

START_TEST(a_guest_gets_no_updates_and_starts_no_traffic)
{
    struct client guest;
    struct client resident;
    struct client_message m;
    gap_tl_updates_get_difference_t q = {.pts = 1, .date = 1, .qts = 1};

    four.options.traffic.events = 60;
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&guest, 6);
    go_to(&guest, &four, &other);
    ck_assert_uint_eq(gap_load32(import(&guest, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    (void)client_call(&guest, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), NULL);
    while (client_receive(&guest, &m)) /* for a second */
        ck_assert_uint_ne(gap_load32(m.body.data), GAP_TL_UPDATES);
    char *ledger = dc_thread_ledger(&four);
    ck_assert_ptr_null(strstr(ledger, "{\"n\":"));
    free(ledger);
    client_init(&resident, 7);
    go_to(&resident, &four, &other);
    client_sign_in(&resident, BOT + 1);
    (void)client_call(&resident, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), NULL);
    dc_thread_wait_done(&four);
    ledger = dc_thread_ledger(&four);
    ck_assert_ptr_nonnull(strstr(ledger, "\"fate\":\"sent\""));
    ck_assert_uint_eq(events_of(ledger, BOT), 0);
    ck_assert_uint_gt(events_of(ledger, BOT + 1), 0);
    free(ledger);
    while (client_receive(&guest, &m)) ck_assert_uint_ne(gap_load32(m.body.data), GAP_TL_UPDATES);
    client_fini(&resident);
    client_fini(&guest);
}
END_TEST

START_TEST(a_ticket_is_good_once_there_and_for_its_owner)
{
    struct client there;
    struct ticket wrong;

    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    go_to(&there, &four, &other);
    wrong = ticket;
    wrong.id++;
    expect_error(import(&there, &wrong), 400, "USER_ID_INVALID");
    wrong = ticket;
    wrong.bytes[20] ^= 1;
    expect_error(import(&there, &wrong), 400, "AUTH_BYTES_INVALID");
    wrong.len = 0;
    expect_error(import(&there, &wrong), 400, "AUTH_BYTES_INVALID");
    /* A wrong id has not used it up; it is for data centre 4 and no other; then it is gone. */
    expect_error(import(&client, &ticket), 400, "AUTH_BYTES_INVALID");
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    expect_error(import(&there, &ticket), 400, "AUTH_BYTES_INVALID");
    client_fini(&there);
}
END_TEST

START_TEST(exporting_needs_an_account_and_a_known_data_centre)
{
    gap_tl_auth_export_authorization_t q = {4};

    start();
    go_to(&client, &two, &ordinary);
    expect_error(client_first_call(&client, 227, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &q)),
                 401, "AUTH_KEY_UNREGISTERED");
    client_sign_in(&client, BOT);
    expect_error(ask_export(&client, 2), 400, "DC_ID_INVALID");
    expect_error(ask_export(&client, 5), 400, "DC_ID_INVALID");
    expect_error(ask_export(&client, -4), 400, "DC_ID_INVALID");
}
END_TEST

START_TEST(another_secret_is_not_believed)
{
    struct client there;

    four.options.peer_secret = "something else";
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    go_to(&there, &four, &other);
    expect_error(import(&there, &ticket), 400, "AUTH_BYTES_INVALID");
    client_fini(&there);
}
END_TEST

/* --- scripts ------------------------------------------------------------------------------- */

static gap_bytes_t get_file(struct client *c, int64_t id, int64_t offset, int32_t limit)
{
    gap_tl_input_document_file_location_t where = {.id = id};
    gap_tl_upload_get_file_t q = {
        .location = GAP_TL_OF(GAP_TL_INPUT_DOCUMENT_FILE_LOCATION, &where),
        .offset = offset,
        .limit = limit,
    };

    return client_call(c, GAP_TL_OF(GAP_TL_UPLOAD_GET_FILE, &q), NULL);
}

static void get_difference(struct client *c)
{
    gap_tl_updates_get_difference_t q = {.pts = 1, .date = 1, .qts = 1};

    (void)client_call(c, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), NULL);
}

START_TEST(one_query_goes_to_another_data_centre)
{
    static const char line[] = "data centre 4, document 77, line 0 ";
    struct client there;
    gap_tl_upload_file_t file;

    play("answer always upload.getFile migrate FILE 4\n");
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    expect_error(get_file(&client, 77, 0, 4096), 303, "FILE_MIGRATE_4");
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    go_to(&there, &four, &other);
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    gap_bytes_t r = get_file(&there, 77, 65536, 4096);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_UPLOAD_FILE, &file, sizeof file), 0);
    ck_assert_uint_eq(file.bytes.len, 0);
    gap_tl_input_document_file_location_t where = {.id = 77};
    gap_tl_upload_get_file_t q = {
        .flags = GAP_TL_UPLOAD_GET_FILE_F_PRECISE,
        .location = GAP_TL_OF(GAP_TL_INPUT_DOCUMENT_FILE_LOCATION, &where),
        .limit = 1024,
    };
    r = client_call(&there, GAP_TL_OF(GAP_TL_UPLOAD_GET_FILE, &q), NULL);
    gap_packet_t *packet = NULL;
    r = inflated(r, &packet);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_UPLOAD_FILE, &file, sizeof file), 0);
    ck_assert_uint_eq(file.bytes.len, 1024);
    ck_assert_mem_eq(file.bytes.data, line, sizeof line - 1);
    gap_packet_unref(packet);
    client_fini(&there);
}
END_TEST

static const struct {
    int64_t offset;
    int32_t limit;
    const char *error;
    const char *why;
} pieces[] = {
    {1024, 4096, "OFFSET_INVALID", "only precise ones begin anywhere"},
    {-4096, 4096, "OFFSET_INVALID", "before the file"},
    {0, 0, "LIMIT_INVALID", "nothing"},
    {0, -4096, "LIMIT_INVALID", "less than nothing"},
    {0, 12288, "LIMIT_INVALID", "no divisor of a megabyte"},
    {0, 2097152, "LIMIT_INVALID", "more than a megabyte"},
    {1044480, 8192, "LIMIT_INVALID", "on both sides of a megabyte"},
};

START_TEST(pieces_of_files_have_rules)
{
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    expect_error(get_file(&client, 7, pieces[_i].offset, pieces[_i].limit), 400, pieces[_i].error);
}
END_TEST

START_TEST(an_account_moves)
{
    struct client there;
    struct client_message m;
    unsigned pushes = 0;

    play("at 2 await getState\n"
         "at 2 move 4\n"
         "at 2 5 message user:1\n"
         "at 4 5 message user:1\n");
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    get_difference(&client);
    (void)simple_call(GAP_TL_UPDATES_GET_STATE, NULL);
    dc_thread_wait_done(&two);
    expect_error(simple_call(GAP_TL_UPDATES_GET_STATE, NULL), 303, "USER_MIGRATE_4");
    expect_error(client_import_bot(&client, BOT), 303, "USER_MIGRATE_4");
    ck_assert_uint_eq(gap_load32(simple_call(GAP_TL_HELP_GET_NEAREST_DC, NULL).data),
                      GAP_TL_NEAREST_DC);
    struct ticket ticket = export_to(&client, 4);
    while (client_receive(&client, &m)) ck_assert_msg((m.msg_id & 3) != 3, "a push to who left");
    client_init(&there, 6);
    go_to(&there, &four, &other);
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    get_difference(&there);
    dc_thread_wait_done(&four);
    while (client_receive(&there, &m))
        pushes += (m.msg_id & 3) == 3 && gap_load32(m.body.data) == GAP_TL_UPDATES;
    ck_assert_uint_eq(pushes, 5);
    /* It is at home there now, so that 4 vouches for it. */
    ticket = export_to(&there, 2);
    ck_assert_int_eq(ticket.id, BOT);
    expect_error(get_file(&client, 7, 0, 4096), 303, "USER_MIGRATE_4");
    ck_assert_uint_eq(gap_load32(import(&client, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    ck_assert_uint_ne(gap_load32(get_file(&client, 7, 0, 4096).data), GAP_MT_RPC_ERROR);
    client_fini(&there);
}
END_TEST

/* It has called there as a guest before; the key that it has there is good for more then. */
START_TEST(a_guest_becomes_a_resident)
{
    struct client there;
    struct client starter; /* a script begins when somebody is ready */
    struct client_message m;
    uint32_t nothing = 0;
    unsigned pushes = 0;

    play("await getState\n"
         "move 4 4242\n"
         "await getDifference\n"
         "at 4 5 message user:1\n"); /* to the first account there, the guest */
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    go_to(&there, &four, &other);
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    client_init(&starter, 7);
    go_to(&starter, &four, &other);
    client_sign_in(&starter, BOT + 1);
    get_difference(&starter);
    (void)client_call(&starter, GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing), NULL);
    get_difference(&there);
    dc_thread_wait_done(&four);
    while (client_receive(&there, &m))
        pushes += (m.msg_id & 3) == 3 && gap_load32(m.body.data) == GAP_TL_UPDATES;
    ck_assert_uint_eq(pushes, 5);
    client_fini(&starter);
    client_fini(&there);
}
END_TEST

START_TEST(somebody_lives_elsewhere_from_the_beginning)
{
    play("move 4 4242\n");
    start();
    go_to(&client, &two, &ordinary);
    expect_error(client_import_bot(&client, BOT), 303, "USER_MIGRATE_4");
    client_sign_in(&client, BOT + 1);
    go_to(&client, &four, &other);
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

    play("peer-dc 1=127.0.0.1:11\n"
         "peer-dc 1=127.0.0.1:12\n"
         "at 2 await getState\n"
         "at 2 peer-dc 1=[2001:db8::7]:443\n"
         "at 2 drop-dc 9\n"
         "at 2 drop-dc 1\n");
    start();
    go_to(&client, &two, &ordinary);
    client_sign_in(&client, BOT);
    get_difference(&client);
    gap_buf_init(&pushes, gap_alloc_default());
    (void)simple_call(GAP_TL_UPDATES_GET_STATE, &pushes);
    dc_thread_wait_done(&two);
    (void)simple_call(GAP_TL_HELP_GET_NEAREST_DC, &pushes);
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
    start();
    go_to(&client, &two, &ordinary);
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
    tcase_add_test(tc, a_code_is_asked_for_where_it_was_sent);
    suite_add_tcase(s, tc);
    tc = tcase_create("travelling");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_imported_account_may_call);
    tcase_add_test(tc, a_guest_gets_no_updates_and_starts_no_traffic);
    tcase_add_test(tc, a_ticket_is_good_once_there_and_for_its_owner);
    tcase_add_test(tc, exporting_needs_an_account_and_a_known_data_centre);
    tcase_add_test(tc, another_secret_is_not_believed);
    tcase_add_test(tc, only_the_main_session_gets_updates);
    tcase_add_loop_test(tc, pieces_of_files_have_rules, 0, (int)GAP_ARRAY_LEN(pieces));
    suite_add_tcase(s, tc);
    tc = tcase_create("scripts");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown_script);
    tcase_add_loop_test(tc, phones_are_sent_home, 0, (int)GAP_ARRAY_LEN(phones));
    tcase_add_test(tc, one_query_goes_to_another_data_centre);
    tcase_add_test(tc, an_account_moves);
    tcase_add_test(tc, a_guest_becomes_a_resident);
    tcase_add_test(tc, somebody_lives_elsewhere_from_the_beginning);
    tcase_add_test(tc, a_script_changes_the_table);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
