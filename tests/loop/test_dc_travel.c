/* tests/loop/test_dc_travel.c - authorizations that go from one data centre to another, accounts
 * that do, and single queries. */
#include "tests/loop/dc_pair.h"

#include "base/gzip.h"
#include "base/packet.h"

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

    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    ck_assert_int_eq(ticket.id, BOT);
    client_init(&there, 6);
    pair_go_to(&there, &four);
    gap_bytes_t r = import(&there, &ticket);
    ck_assert_int_gt(
        gap_tl_read(r, GAP_TL_AUTH_AUTHORIZATION, &authorization, sizeof authorization), 0);
    check_self(gap_tl_bytes(authorization.user));
    r = get_self(&there);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_VECTOR);
    check_self(gap_bytes(r.data + 8, r.len - 8));
    /* Only the home vouches for an account. */
    pair_expect_error(ask_export(&there, 2), 400, "DC_ID_INVALID");
    char *ledger = dc_thread_ledger(&four);
    const char *line = strstr(ledger, "\"auth.importAuthorization\"");
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(strstr(line, ",\"dc\":4,"));
    free(ledger);
    client_fini(&there);
}
END_TEST

/* Sign in by phone, at home. */
static void sign_in_person(struct client *c, const char *phone, const char *code)
{
    gap_tl_code_settings_t settings = {0};
    gap_tl_auth_send_code_t send = {gap_str(phone), 1, gap_str("hash"),
                                    GAP_TL_OF(GAP_TL_CODE_SETTINGS, &settings)};
    gap_tl_auth_sign_in_t in = {.flags = GAP_TL_AUTH_SIGN_IN_F_PHONE_CODE,
                                .phone_number = gap_str(phone),
                                .phone_code = gap_str(code)};
    gap_tl_auth_sent_code_t sent;
    char hash[64];
    gap_bytes_t r = client_first_call(c, 227, GAP_TL_OF(GAP_TL_AUTH_SEND_CODE, &send));

    ck_assert_int_gt(gap_tl_read(r, GAP_TL_AUTH_SENT_CODE, &sent, sizeof sent), 0);
    ck_assert_uint_lt(sent.phone_code_hash.len, sizeof hash);
    memcpy(hash, sent.phone_code_hash.data, sent.phone_code_hash.len);
    in.phone_code_hash = gap_bytes(hash, sent.phone_code_hash.len);
    r = client_call(c, GAP_TL_OF(GAP_TL_AUTH_SIGN_IN, &in), NULL);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_AUTH_AUTHORIZATION);
}

START_TEST(a_person_stays_a_person)
{
    struct client there;
    gap_tl_auth_authorization_t authorization;
    gap_tl_user_t self;

    pair_start();
    pair_go_to(&client, &two);
    sign_in_person(&client, "9996621234", "22222");
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    pair_go_to(&there, &four);
    gap_bytes_t r = import(&there, &ticket);
    ck_assert_int_gt(
        gap_tl_read(r, GAP_TL_AUTH_AUTHORIZATION, &authorization, sizeof authorization), 0);
    ck_assert_int_gt(GAP_TL_READ(authorization.user, GAP_TL_USER, &self), 0);
    ck_assert_int_eq(self.id, DC_PERSON_ID_FIRST + 21234);
    ck_assert_uint_eq(self.flags & GAP_TL_USER_F_BOT, 0);
    ck_assert(gap_bytes_equal(self.phone, gap_str("9996621234")));
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
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&guest, 6);
    pair_go_to(&guest, &four);
    ck_assert_uint_eq(gap_load32(import(&guest, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    (void)client_call(&guest, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), NULL);
    while (client_receive(&guest, &m)) /* for a second */
        ck_assert_uint_ne(gap_load32(m.body.data), GAP_TL_UPDATES);
    char *ledger = dc_thread_ledger(&four);
    ck_assert_ptr_null(strstr(ledger, "{\"n\":"));
    free(ledger);
    client_init(&resident, 7);
    pair_go_to(&resident, &four);
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

    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    pair_go_to(&there, &four);
    wrong = ticket;
    wrong.id++;
    pair_expect_error(import(&there, &wrong), 400, "USER_ID_INVALID");
    wrong = ticket;
    wrong.bytes[20] ^= 1;
    pair_expect_error(import(&there, &wrong), 400, "AUTH_BYTES_INVALID");
    wrong.len = 0;
    pair_expect_error(import(&there, &wrong), 400, "AUTH_BYTES_INVALID");
    /* A wrong id has not used it up; it is for data centre 4 and no other; then it is gone. */
    pair_expect_error(import(&client, &ticket), 400, "AUTH_BYTES_INVALID");
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    pair_expect_error(import(&there, &ticket), 400, "AUTH_BYTES_INVALID");
    client_fini(&there);
}
END_TEST

START_TEST(exporting_needs_an_account_and_a_known_data_centre)
{
    gap_tl_auth_export_authorization_t q = {4};

    pair_start();
    pair_go_to(&client, &two);
    pair_expect_error(
        client_first_call(&client, 227, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &q)), 401,
        "AUTH_KEY_UNREGISTERED");
    client_sign_in(&client, BOT);
    pair_expect_error(ask_export(&client, 2), 400, "DC_ID_INVALID");
    pair_expect_error(ask_export(&client, 5), 400, "DC_ID_INVALID");
    pair_expect_error(ask_export(&client, -4), 400, "DC_ID_INVALID");
}
END_TEST

START_TEST(another_secret_is_not_believed)
{
    struct client there;

    four.options.peer_secret = "something else";
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    pair_go_to(&there, &four);
    pair_expect_error(import(&there, &ticket), 400, "AUTH_BYTES_INVALID");
    client_fini(&there);
}
END_TEST

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

START_TEST(one_query_goes_to_another_data_centre)
{
    static const char line[] = "data centre 4, document 77, line 0 ";
    struct client there;
    gap_tl_upload_file_t file;

    pair_play("answer always upload.getFile migrate FILE 4\n");
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    pair_expect_error(get_file(&client, 77, 0, 4096), 303, "FILE_MIGRATE_4");
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    pair_go_to(&there, &four);
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
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    pair_expect_error(get_file(&client, 7, pieces[_i].offset, pieces[_i].limit), 400,
                      pieces[_i].error);
}
END_TEST

/* --- accounts ------------------------------------------------------------------------------ */

START_TEST(an_account_moves)
{
    struct client there;
    struct client_message m;
    unsigned pushes = 0;

    pair_play("at 2 await getState\n"
              "at 2 move 4\n"
              "at 2 5 message user:1\n"
              "at 4 5 message user:1\n");
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    pair_get_difference(&client);
    (void)pair_call(&client, GAP_TL_UPDATES_GET_STATE, NULL);
    dc_thread_wait_done(&two);
    pair_expect_error(pair_call(&client, GAP_TL_UPDATES_GET_STATE, NULL), 303, "USER_MIGRATE_4");
    pair_expect_error(client_import_bot(&client, BOT), 303, "USER_MIGRATE_4");
    ck_assert_uint_eq(gap_load32(pair_call(&client, GAP_TL_HELP_GET_NEAREST_DC, NULL).data),
                      GAP_TL_NEAREST_DC);
    struct ticket ticket = export_to(&client, 4);
    while (client_receive(&client, &m)) ck_assert_msg((m.msg_id & 3) != 3, "a push to who left");
    client_init(&there, 6);
    pair_go_to(&there, &four);
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    pair_get_difference(&there);
    dc_thread_wait_done(&four);
    while (client_receive(&there, &m))
        pushes += (m.msg_id & 3) == 3 && gap_load32(m.body.data) == GAP_TL_UPDATES;
    ck_assert_uint_eq(pushes, 5);
    /* It is at home there now, so that 4 vouches for it. */
    ticket = export_to(&there, 2);
    ck_assert_int_eq(ticket.id, BOT);
    pair_expect_error(get_file(&client, 7, 0, 4096), 303, "USER_MIGRATE_4");
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

    pair_play("await getState\n"
              "move 4 4242\n"
              "await getDifference\n"
              "at 4 5 message user:1\n"); /* to the first account there, the guest */
    pair_start();
    pair_go_to(&client, &two);
    client_sign_in(&client, BOT);
    struct ticket ticket = export_to(&client, 4);
    client_init(&there, 6);
    pair_go_to(&there, &four);
    ck_assert_uint_eq(gap_load32(import(&there, &ticket).data), GAP_TL_AUTH_AUTHORIZATION);
    client_init(&starter, 7);
    pair_go_to(&starter, &four);
    client_sign_in(&starter, BOT + 1);
    pair_get_difference(&starter);
    (void)client_call(&starter, GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing), NULL);
    pair_get_difference(&there);
    dc_thread_wait_done(&four);
    while (client_receive(&there, &m))
        pushes += (m.msg_id & 3) == 3 && gap_load32(m.body.data) == GAP_TL_UPDATES;
    ck_assert_uint_eq(pushes, 5);
    client_fini(&starter);
    client_fini(&there);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_travel");
    TCase *tc = tcase_create("authorizations");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, pair_setup, pair_teardown);
    tcase_add_test(tc, an_imported_account_may_call);
    tcase_add_test(tc, a_person_stays_a_person);
    tcase_add_test(tc, a_guest_gets_no_updates_and_starts_no_traffic);
    tcase_add_test(tc, a_ticket_is_good_once_there_and_for_its_owner);
    tcase_add_test(tc, exporting_needs_an_account_and_a_known_data_centre);
    tcase_add_test(tc, another_secret_is_not_believed);
    suite_add_tcase(s, tc);
    tc = tcase_create("files and accounts");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, pair_setup, pair_teardown);
    tcase_add_test(tc, one_query_goes_to_another_data_centre);
    tcase_add_loop_test(tc, pieces_of_files_have_rules, 0, (int)GAP_ARRAY_LEN(pieces));
    tcase_add_test(tc, an_account_moves);
    tcase_add_test(tc, a_guest_becomes_a_resident);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
