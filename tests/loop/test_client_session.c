/*
 * tests/loop/test_client_session.c - staying signed in: what is kept over a restart, whose it is,
 * and how a session ends. Against a server that is told what to refuse.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/kept.h"
#include "tests/loop/scripted.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER_ID INT64_C(4242)

struct bench {
    uv_loop_t loop;
    scripted_t *server;
    struct account a;
    gap_client_config_t config;
    struct account_folder folder;
    char session[96];
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->server = scripted_open(&b->loop, 2, USER_ID);
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = scripted_port(b->server),
        .dc = 2,
        .rsa_key = scripted_pem(b->server),
        .api_id = 7,
        .api_hash = "app hash",
        .session = b->session,
    };
    account_init(&b->a, &b->loop);
}

/* A client, from its start to an event. */
static void run_to(struct bench *b, gap_event_kind_t kind)
{
    account_init(&b->a, &b->loop);
    account_open(&b->a, &b->config);
    account_start(&b->a);
    account_await(&b->a, kind);
}

static void bench_fini(struct bench *b)
{
    if (b->a.client != NULL) account_close(&b->a);
    scripted_close(b->server);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    scripted_free(b->server);
    account_folder_remove(&b->folder);
}

/* ---- restarts ---------------------------------------------------------------------------------
 */

START_TEST(test_a_restart_needs_no_sign_in)
{
    struct bench b;
    struct stat st;

    bench_init(&b);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    ck_assert_uint_eq(b.a.questions, 2);
    account_close(&b.a);
    ck_assert_int_eq(stat(b.session, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    b.config.api_id = 0; /* the session knows it */
    b.config.api_hash = NULL;
    for (int i = 0; i < 3; i++) {
        run_to(&b, GAP_CLIENT_CAUGHT_UP);
        ck_assert_uint_eq(b.a.questions, 0);
        ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_IN], 1);
        ck_assert_int_eq(gap_client_self(b.a.client), USER_ID);
        account_close(&b.a);
    }
    ck_assert_int_eq(scripted_handshakes(b.server), 1);
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_SIGN_IN), 1);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_sign_in_at_telegram_needs_credentials)
{
    struct bench b;

    bench_init(&b);
    b.config.network = GAP_NETWORK_TEST;
    b.config.host = b.config.rsa_key = NULL;
    b.config.port = 0;
    b.config.api_id = 0;
    run_to(&b, GAP_CLIENT_FATAL); /* nothing is sent before */
    ck_assert_int_eq(b.a.error[GAP_CLIENT_FATAL], GAP_E_ARGUMENT);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "api_id api_hash my.telegram.org"));
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_CONNECTED], 0);
    bench_fini(&b);
}
END_TEST

START_TEST(test_without_a_file_every_start_signs_in)
{
    struct bench b;

    bench_init(&b);
    b.config.session = NULL;
    for (int i = 0; i < 2; i++) {
        run_to(&b, GAP_CLIENT_CAUGHT_UP);
        account_close(&b.a);
    }
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_SIGN_IN), 2);
    ck_assert_int_eq(scripted_handshakes(b.server), 2);
    bench_fini(&b);
}
END_TEST

START_TEST(test_signed_in_is_told_after_it_was_saved)
{
    struct bench b;

    bench_init(&b);
    account_open(&b.a, &b.config);
    account_start(&b.a);
    /* Closed from inside the event: had it not been saved by then, it would not be now. */
    while (b.a.seen[GAP_CLIENT_SIGNED_IN] == 0) (void)uv_run(&b.loop, UV_RUN_ONCE);
    account_close(&b.a);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 0);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_key_made_before_the_sign_in_is_used_by_the_next_start)
{
    struct bench b;

    bench_init(&b);
    account_open(&b.a, &b.config);
    b.a.phone = NULL;
    account_start(&b.a);
    ck_assert(account_until(&b.loop, &b.a.questions, 1, ACCOUNT_WAIT_MS));
    account_close(&b.a);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 2);
    ck_assert_int_eq(scripted_handshakes(b.server), 1);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_key_forgotten_before_the_sign_in_is_made_anew)
{
    struct bench b;

    bench_init(&b);
    account_open(&b.a, &b.config);
    b.a.phone = NULL;
    account_start(&b.a);
    ck_assert(account_until(&b.loop, &b.a.questions, 1, ACCOUNT_WAIT_MS));
    account_close(&b.a);
    scripted_forget_key(b.server);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_int_eq(scripted_handshakes(b.server), 2);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_session_that_is_held)
{
    struct bench b;
    struct account second;
    char pid[32];

    bench_init(&b);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    account_init(&second, &b.loop);
    account_open(&second, &b.config);
    account_start(&second);
    account_await(&second, GAP_CLIENT_FATAL);
    ck_assert_int_eq(second.error[GAP_CLIENT_FATAL], GAP_E_HELD);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    ck_assert_msg(account_says(second.text[GAP_CLIENT_FATAL], pid), "'%s' names no holder",
                  second.text[GAP_CLIENT_FATAL]);
    account_close(&second);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_FATAL], 0);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_file_that_is_something_else)
{
    struct bench b;

    bench_init(&b);
    FILE *f = fopen(b.session, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 4000; i++) (void)fputs("my notes\n", f);
    ck_assert_int_eq(fclose(f), 0);
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_FATAL], GAP_E_FOREIGN);
    ck_assert_int_eq(scripted_handshakes(b.server), 0);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_restart_goes_straight_to_where_the_account_lives)
{
    struct bench b;

    bench_init(&b);
    scripted_t *home = scripted_open(&b.loop, 4, USER_ID);
    scripted_know(b.server, 4, scripted_port(home));
    scripted_know(home, 2, scripted_port(b.server));
    scripted_refuse(b.server, GAP_TL_AUTH_SEND_CODE, 303, "PHONE_MIGRATE_4", 1);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    account_close(&b.a);
    unsigned states = scripted_calls(home, GAP_TL_UPDATES_GET_DIFFERENCE);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    ck_assert_uint_eq(b.a.questions, 0);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_CONNECTED], 1);
    ck_assert_uint_gt(scripted_calls(home, GAP_TL_UPDATES_GET_DIFFERENCE), states);
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_UPDATES_GET_DIFFERENCE), 0);
    ck_assert_int_eq(scripted_handshakes(home), 1);
    account_close(&b.a);
    scripted_close(home);
    bench_fini(&b);
    scripted_free(home);
}
END_TEST

/* ---- whose it is ------------------------------------------------------------------------------
 */

START_TEST(test_a_storage_of_another_account)
{
    struct bench b;
    struct kept kept;

    bench_init(&b);
    kept_init(&kept);
    b.config.storage = &kept.base;
    b.config.session = NULL;
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    account_close(&b.a);
    ck_assert(kept.has_account);
    ck_assert_int_eq(kept.account.user_id, USER_ID);
    ck_assert_uint_eq(kept.destroyed, 1);

    scripted_t *other = scripted_open(&b.loop, 2, 777);
    b.config.port = scripted_port(other);
    b.config.session = b.session;
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_FATAL], GAP_E_ACCOUNT);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "4242 777 storage own"));
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_IN], 0);
    account_close(&b.a);
    ck_assert_int_eq(kept.account.user_id, USER_ID);
    ck_assert_uint_eq(kept.destroyed, 2);

    /* Of a bot that is known before anything is sent. */
    unsigned before = scripted_calls(other, GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION);
    b.config.bot_token = "777:token";
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_FATAL], GAP_E_ACCOUNT);
    ck_assert_uint_eq(scripted_calls(other, GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION), before);
    account_close(&b.a);
    scripted_close(other);
    bench_fini(&b);
    scripted_free(other);
    kept_fini(&kept);
}
END_TEST

START_TEST(test_a_session_of_somebody_else)
{
    struct bench b;

    bench_init(&b);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    account_close(&b.a);

    b.config.api_id = 8;
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_FATAL], GAP_E_ACCOUNT);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "api_id 7 8 another session file"));
    account_close(&b.a);
    b.config.api_id = 7;

    b.config.bot_token = "99:token";
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "4242 99 session file of its own"));
    account_close(&b.a);
    b.config.bot_token = NULL;

    gap_client_config_t custom = b.config;
    b.config.network = GAP_NETWORK_TEST;
    b.config.host = b.config.rsa_key = NULL;
    b.config.port = 0;
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "servers of your own another session"));
    account_close(&b.a);

    b.config = custom; /* and it is still good */
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 0);
    bench_fini(&b);
}
END_TEST

/* ---- ends of a session ------------------------------------------------------------------------
 */

static const struct {
    int32_t code;
    const char *name;
    const char *words;
} ends[] = {
    {401, "AUTH_KEY_UNREGISTERED", "ended the session start again"},
    {401, "AUTH_KEY_INVALID", "key start again"},
    {401, "SESSION_REVOKED", "another device start again"},
    {401, "SESSION_EXPIRED", "expired start again"},
    {401, "USER_DEACTIVATED", "deleted another"},
    {401, "USER_DEACTIVATED_BAN", "banned recover@telegram.org"},
    {406, "AUTH_KEY_DUPLICATED", "two programs session file of its own"},
};

static void check_signed_out(struct bench *b, const char *words, int32_t code)
{
    ck_assert_int_eq(b->a.error[GAP_CLIENT_SIGNED_OUT], GAP_E_UNAUTHORIZED);
    ck_assert_int_eq(b->a.rpc_code[GAP_CLIENT_SIGNED_OUT], code);
    ck_assert_msg(account_says(b->a.text[GAP_CLIENT_SIGNED_OUT], words), "%d: '%s'", code,
                  b->a.text[GAP_CLIENT_SIGNED_OUT]);
    account_run(&b->loop, 50);
    ck_assert_uint_eq(b->a.seen[GAP_CLIENT_SIGNED_OUT], 1);
    ck_assert_uint_eq(b->a.seen[GAP_CLIENT_FATAL], 0);
    ck_assert_int_eq(gap_client_self(b->a.client), 0);
    ck_assert_int_eq(gap_client_log_out(b->a.client), GAP_E_STATE);
}

/* The server ends the session while nothing runs, or while the client does. */
START_TEST(test_an_end)
{
    size_t i = (size_t)_i / 2;
    bool while_running = _i % 2 == 1;
    struct bench b;
    struct kept kept;

    bench_init(&b);
    kept_init(&kept);
    b.config.storage = &kept.base;
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    if (while_running) {
        static const gap_tl_users_get_users_t query = {0};
        scripted_refuse_all(b.server, ends[i].code, ends[i].name);
        ck_assert_int_eq(gap_tl_users_get_users(b.a.client, &query, NULL, NULL), 0);
        account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    } else {
        account_close(&b.a);
        scripted_refuse_all(b.server, ends[i].code, ends[i].name);
        run_to(&b, GAP_CLIENT_SIGNED_OUT);
    }
    check_signed_out(&b, ends[i].words, ends[i].code);
    account_close(&b.a);
    ck_assert_msg(kept.has_account, "what was stored is still there");

    scripted_refuse_all(b.server, 0, NULL); /* the next start makes a new key and signs in */
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    ck_assert_uint_eq(b.a.questions, 2);
    ck_assert_int_eq(scripted_handshakes(b.server), 2);
    bench_fini(&b);
    kept_fini(&kept);
}
END_TEST

START_TEST(test_a_forgotten_key)
{
    struct bench b;

    bench_init(&b);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    scripted_forget_key(b.server); /* and hangs up */
    account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    check_signed_out(&b, "forgotten key start again", -404);
    account_close(&b.a);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 2);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_bot_signs_in_anew_by_its_token)
{
    struct bench b;

    bench_init(&b);
    b.config.bot_token = "4242:token";
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    account_close(&b.a);
    scripted_forget_key(b.server);
    run_to(&b, GAP_CLIENT_SIGNED_OUT);
    account_close(&b.a);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION), 2);
    bench_fini(&b);
}
END_TEST

/* S71 */
START_TEST(test_log_out)
{
    struct bench b;
    gap_tl_auth_send_code_t send;
    gap_tl_code_settings_t settings;

    bench_init(&b);
    scripted_give_token(b.server, "future token");
    account_open(&b.a, &b.config);
    ck_assert_int_eq(gap_client_log_out(b.a.client), GAP_E_STATE);
    account_start(&b.a);
    account_await(&b.a, GAP_CLIENT_CAUGHT_UP);
    ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
    ck_assert_int_eq(gap_client_log_out(b.a.client), GAP_E_STATE);
    account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_SIGNED_OUT], 0);
    ck_assert(account_says(b.a.text[GAP_CLIENT_SIGNED_OUT], "logged out start again"));
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_LOG_OUT), 1);
    account_close(&b.a);

    run_to(&b, GAP_CLIENT_SIGNED_IN); /* the tokens are shown, they may spare the code */
    ck_assert_uint_eq(b.a.questions, 2);
    gap_bytes_t q = scripted_last(b.server, GAP_TL_AUTH_SEND_CODE);
    ck_assert_int_gt(gap_tl_read(q, GAP_TL_AUTH_SEND_CODE, &send, sizeof send), 0);
    ck_assert_int_gt(GAP_TL_READ(send.settings, GAP_TL_CODE_SETTINGS, &settings), 0);
    ck_assert_uint_eq(settings.flags, GAP_TL_CODE_SETTINGS_F_LOGOUT_TOKENS);
    ck_assert_uint_ge(settings.logout_tokens.count, 1);
    ck_assert_ptr_null(strstr(b.a.log, "future token"));
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_log_out_that_fails)
{
    struct bench b;

    bench_init(&b);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    scripted_refuse(b.server, GAP_TL_AUTH_LOG_OUT, 400, "INPUT_FETCH_FAIL", 1);
    ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
    account_await(&b.a, GAP_CLIENT_ERROR);
    ck_assert(account_says(b.a.text[GAP_CLIENT_ERROR], "still signed in try again"));
    ck_assert_int_eq(gap_client_self(b.a.client), USER_ID);
    ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
    account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_log_out_of_a_session_that_is_over)
{
    struct bench b;

    bench_init(&b);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    scripted_refuse(b.server, GAP_TL_AUTH_LOG_OUT, 401, "SESSION_REVOKED", 1);
    ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
    account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_SIGNED_OUT], 0);
    ck_assert(account_says(b.a.text[GAP_CLIENT_SIGNED_OUT], "logged out"));
    account_run(&b.loop, 50);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 1);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_ERROR], 0);
    bench_fini(&b);
}
END_TEST

START_TEST(test_requests_do_not_spoil_a_log_out)
{
    static const gap_tl_users_get_users_t query = {0};
    struct bench b;

    bench_init(&b);
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    scripted_refuse_all(b.server, 401, "AUTH_KEY_UNREGISTERED");
    ck_assert_int_eq(gap_tl_users_get_users(b.a.client, &query, NULL, NULL), 0);
    ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
    account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    ck_assert(account_says(b.a.text[GAP_CLIENT_SIGNED_OUT], "logged out"));
    bench_fini(&b);
}
END_TEST

START_TEST(test_at_most_twenty_tokens)
{
    struct bench b;
    gap_tl_auth_send_code_t send;
    gap_tl_code_settings_t settings;
    gap_bytes_t token;

    bench_init(&b);
    for (int i = 0; i < 12; i++) { /* two each time: at the sign-in and at the log-out */
        char text[16];
        (void)snprintf(text, sizeof text, "token %d", i);
        scripted_give_token(b.server, text);
        run_to(&b, GAP_CLIENT_SIGNED_IN);
        ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
        account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
        account_close(&b.a);
    }
    scripted_give_token(b.server, NULL);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    gap_bytes_t q = scripted_last(b.server, GAP_TL_AUTH_SEND_CODE);
    ck_assert_int_gt(gap_tl_read(q, GAP_TL_AUTH_SEND_CODE, &send, sizeof send), 0);
    ck_assert_int_gt(GAP_TL_READ(send.settings, GAP_TL_CODE_SETTINGS, &settings), 0);
    ck_assert_uint_eq(settings.logout_tokens.count, 20);
    gap_tl_iter_t it = gap_tl_iter(settings.logout_tokens);
    ck_assert_int_gt(gap_tl_next_bytes(&it, &token), 0);
    ck_assert_msg(gap_bytes_equal(token, gap_str("token 2")), "the oldest went");
    bench_fini(&b);
}
END_TEST

/* ---- what fails -------------------------------------------------------------------------------
 */

START_TEST(test_a_session_that_cannot_be_saved)
{
    struct bench b;
    char missing[128];

    bench_init(&b);
    (void)snprintf(missing, sizeof missing, "%s/no/such/folder/session", b.folder.path);
    b.config.session = missing;
    run_to(&b, GAP_CLIENT_FATAL);
    ck_assert_msg(account_says(b.a.text[GAP_CLIENT_FATAL], "session"), "%s",
                  b.a.text[GAP_CLIENT_FATAL]);
    ck_assert_int_eq(scripted_handshakes(b.server), 0);
    account_close(&b.a);
    b.config.session = b.session;
    bench_fini(&b);
}
END_TEST

/* No file may grow beyond so much: a disk that is full. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(test_signed_in_is_not_told_while_the_disk_is_full)
{
    struct bench b;

    bench_init(&b);
    (void)signal(SIGXFSZ, SIG_IGN);
    account_open(&b.a, &b.config);
    b.a.code = NULL;
    account_start(&b.a);
    ck_assert(account_until(&b.loop, &b.a.questions, 2, ACCOUNT_WAIT_MS));
    account_run(&b.loop, 50); /* the key is saved */
    limit_files(16);
    ck_assert_int_eq(gap_client_sign_in_code(b.a.client, "12345"), 0);
    account_await(&b.a, GAP_CLIENT_STORE_FAILED);
    account_run(&b.loop, 200);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_IN], 0);
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_SIGN_IN), 1);
    limit_files(RLIM_INFINITY);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_STORE_RECOVERED], 1);
    account_close(&b.a);
    run_to(&b, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 0);
    bench_fini(&b);
}
END_TEST

START_TEST(test_stopped_before_it_was_started_through)
{
    struct bench b;
    struct kept kept;

    bench_init(&b);
    kept_init(&kept);
    b.config.storage = &kept.base;
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    account_close(&b.a);
    account_init(&b.a, &b.loop);
    account_open(&b.a, &b.config);
    account_start(&b.a);
    gap_client_stop(b.a.client); /* no updates are wanted, requests are */
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    account_run(&b.loop, 50);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_STARTED], 0);
    bench_fini(&b);
    kept_fini(&kept);
}
END_TEST

START_TEST(test_a_storage_that_cannot_commit)
{
    struct bench b;
    struct kept kept;

    bench_init(&b);
    kept_init(&kept);
    kept.commit_status = GAP_E_STORAGE;
    b.config.storage = &kept.base;
    run_to(&b, GAP_CLIENT_STORE_FAILED);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_STORE_FAILED], GAP_E_STORAGE);
    ck_assert_uint_gt(b.a.us[GAP_CLIENT_STORE_FAILED], 0);
    account_await(&b.a, GAP_CLIENT_CAUGHT_UP); /* it goes on meanwhile */
    kept.commit_status = 0;
    account_await(&b.a, GAP_CLIENT_STORE_RECOVERED);
    ck_assert(kept.has_account);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_STORE_FAILED], 1);
    bench_fini(&b);
    kept_fini(&kept);
}
END_TEST

START_TEST(test_a_client_that_never_starts_gives_its_storage_back)
{
    struct bench b;
    struct kept kept;
    gap_client_t *client;

    bench_init(&b);
    kept_init(&kept);
    b.config.storage = &kept.base;
    b.config.rsa_key = "no key";
    ck_assert_int_lt(gap_client_open(&b.loop, &b.config, &client), 0);
    ck_assert_msg(kept.destroyed == 0, "a refused client takes nothing");
    b.config.rsa_key = scripted_pem(b.server);
    account_open(&b.a, &b.config);
    account_close(&b.a);
    ck_assert_uint_eq(kept.destroyed, 1);
    ck_assert_int_ne(access(b.session, F_OK), 0);
    bench_fini(&b);
    kept_fini(&kept);
}
END_TEST

START_TEST(test_close_at_any_turn)
{
    struct bench b;
    struct kept kept;

    bench_init(&b);
    kept_init(&kept);
    b.config.storage = &kept.base;
    for (int turns = 0; turns < 60; turns++) {
        account_init(&b.a, &b.loop);
        account_open(&b.a, &b.config);
        account_start(&b.a);
        for (int i = 0; i < turns; i++) {
            (void)uv_run(&b.loop, UV_RUN_NOWAIT);
            usleep(300);
        }
        account_close(&b.a);
        ck_assert_uint_eq(kept.destroyed, (unsigned)turns + 1);
    }
    bench_fini(&b);
    kept_fini(&kept);
}
END_TEST

/* Every allocation of a start with a stored session fails once. */
START_TEST(test_out_of_memory_while_starting)
{
    struct bench b;
    struct kept kept;
    bool whole = false;

    bench_init(&b);
    kept_init(&kept);
    b.config.storage = &kept.base;
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    account_close(&b.a);
    for (long n = 1; !whole && n < 4000; n += n < 200 ? 1 : 7) {
        struct fault_alloc f;
        fault_alloc_init(&f, n);
        b.config.alloc = &f.alloc;
        account_init(&b.a, &b.loop);
        int r = account_try_open(&b.a, &b.config);
        if (r == 0) r = gap_client_start(b.a.client);
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "allocation %ld: %s", n, gap_strerror(r));
        for (int i = 0; r == 0 && i < 2000; i++) {
            if (b.a.seen[GAP_CLIENT_CAUGHT_UP] > 0 || b.a.seen[GAP_CLIENT_FATAL] > 0) break;
            if (b.a.seen[GAP_CLIENT_DISCONNECTED] > 0) break; /* it would come later */
            if (b.a.seen[GAP_CLIENT_SIGN_IN] > 0) ck_abort_msg("allocation %ld: signed out", n);
            (void)uv_run(&b.loop, UV_RUN_ONCE);
        }
        whole = b.a.seen[GAP_CLIENT_CAUGHT_UP] > 0 && f.calls < n;
        if (b.a.client != NULL) account_close(&b.a);
        ck_assert_msg(f.live == 0, "allocation %ld: %ld blocks left", n, f.live);
    }
    ck_assert_msg(whole, "never came through");
    b.config.alloc = NULL;
    run_to(&b, GAP_CLIENT_CAUGHT_UP);
    ck_assert_msg(b.a.questions == 0, "the session is still good");
    bench_fini(&b);
    kept_fini(&kept);
}
END_TEST

static Suite *session_suite(void)
{
    Suite *s = suite_create("client_session");
    const struct {
        const char *name;
        const TTest *tests[10];
    } cases[] = {
        {"restarts",
         {test_a_restart_needs_no_sign_in, test_a_sign_in_at_telegram_needs_credentials,
          test_without_a_file_every_start_signs_in, test_signed_in_is_told_after_it_was_saved,
          test_a_key_made_before_the_sign_in_is_used_by_the_next_start,
          test_a_key_forgotten_before_the_sign_in_is_made_anew, test_a_session_that_is_held,
          test_a_file_that_is_something_else,
          test_a_restart_goes_straight_to_where_the_account_lives}},
        {"whose", {test_a_storage_of_another_account, test_a_session_of_somebody_else}},
        {"ends",
         {test_a_forgotten_key, test_a_bot_signs_in_anew_by_its_token, test_log_out,
          test_a_log_out_that_fails, test_a_log_out_of_a_session_that_is_over,
          test_requests_do_not_spoil_a_log_out, test_at_most_twenty_tokens}},
        {"failures",
         {test_a_session_that_cannot_be_saved, test_signed_in_is_not_told_while_the_disk_is_full,
          test_stopped_before_it_was_started_through, test_a_storage_that_cannot_commit,
          test_a_client_that_never_starts_gives_its_storage_back, test_close_at_any_turn,
          test_out_of_memory_while_starting}},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        TCase *t = tcase_create(cases[i].name);
        tcase_set_timeout(t, 120);
        for (const TTest *const *test = cases[i].tests; *test != NULL; test++)
            tcase_add_test(t, *test);
        suite_add_tcase(s, t);
    }
    TCase *each = tcase_create("each end");
    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, test_an_end, 0, 2 * (int)GAP_ARRAY_LEN(ends));
    suite_add_tcase(s, each);
    return s;
}

GAP_TEST_MAIN(session_suite)
