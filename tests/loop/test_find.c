/*
 * tests/loop/test_find.c - a client looks peers up at a simulated data centre and in its storage,
 * also after a restart, addresses what it found and whom it saw in part, and is closed while it
 * looks.
 */
#include "tests/check_main.h"

#include "tests/loop/dc_thread.h"

#include <gapless/gapless.h>
#include <dirent.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct host {
    dc_thread_t dc;
    uv_loop_t loop;
    gap_client_t *client;
    unsigned caught_up;
    unsigned found;
    unsigned answers;
    unsigned closed;
    int status;
    gap_peer_t peer;
    uint32_t input_id;
    char rpc_name[64];
    uint8_t input[GAP_INPUT_PEER_BYTES];
    gap_tl_object_t object;
    bool over;
    gap_storage_t *storage; /* for the next client */
    const char *session;
    atomic_uint resolved; /* questions for a username that the server got */
    unsigned partials;    /* messages of users seen in part, in basic groups */
    gap_peer_t partial;
};

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct host *h = data;

    if (event->kind == GAP_CLIENT_FATAL) ck_abort_msg("%s", event->text);
    if (event->kind == GAP_CLIENT_SIGN_IN && event->sign_in->step == GAP_SIGN_IN_CODE)
        ck_assert_int_eq(gap_client_sign_in_code(client, "22222"), 0);
    h->caught_up += event->kind == GAP_CLIENT_CAUGHT_UP;
}

static void on_closed(void *data)
{
    ((struct host *)data)->closed++;
}

static void on_found(gap_client_t *client, const gap_found_peer_t *found, void *data)
{
    struct host *h = data;

    ck_assert_ptr_eq(client, h->client);
    h->found++;
    h->status = found->status;
    (void)snprintf(h->rpc_name, sizeof h->rpc_name, "%s", found->rpc_name);
    if (found->status != 0) return;
    h->peer = found->peer;
    memcpy(h->input, found->input.data, found->input.len);
    h->object = found->input;
    h->object.data = h->input;
}

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct host *h = data;

    (void)client;
    h->answers++;
    h->status = result->status;
}

static void on_late(uv_timer_t *timer)
{
    ((struct host *)timer->data)->over = true;
}

static void await(struct host *h, const unsigned *counter, unsigned value)
{
    uv_timer_t timer;

    h->over = false;
    ck_assert_int_eq(uv_timer_init(&h->loop, &timer), 0);
    timer.data = h;
    ck_assert_int_eq(uv_timer_start(&timer, on_late, PATIENCE_MS, 0), 0);
    while (*counter < value && !h->over) (void)uv_run(&h->loop, UV_RUN_ONCE);
    ck_assert_msg(!h->over, "too late");
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&h->loop, UV_RUN_NOWAIT);
}

/* On the data centre's thread. */
static int on_ledger(void *data, const char *line, size_t len)
{
    static const char call[] = "\"method\":\"contacts.resolveUsername\"";
    struct host *h = data;

    if (memmem(line, len, call, sizeof call - 1) != NULL) h->resolved++;
    return 0;
}

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    struct host *h = data;
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    gap_tl_object_t input;

    if (message->chat.kind != GAP_PEER_CHAT || message->sender.kind != GAP_PEER_USER) return 0;
    if (message->out) return 0;
    ck_assert_int_eq(
        gap_client_input_peer(gap_update_client(update), message->sender, storage, &input), 0);
    if (input.id != GAP_TL_INPUT_PEER_USER_FROM_MESSAGE) return 0;
    h->partials++;
    h->partial = message->sender;
    return 0;
}

static void init_host(struct host *h)
{
    memset(h, 0, sizeof *h);
    dc_thread_init(&h->dc);
    h->dc.options.traffic.events = 0;
    h->dc.options.ledger = on_ledger;
    h->dc.options.data = h;
    ck_assert_int_eq(uv_loop_init(&h->loop), 0);
}

static void start_client(struct host *h, const char *token, const char *phone)
{
    const gap_client_config_t config = {
        .host = "127.0.0.1",
        .port = h->dc.port,
        .rsa_key = h->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = token,
        .phone = phone,
        .session = h->session,
        .storage = h->storage,
    };

    h->closed = h->caught_up = 0;
    ck_assert_int_eq(gap_client_open(&h->loop, &config, &h->client), 0);
    gap_client_on_event(h->client, on_event, h);
    gap_client_on_message(h->client, on_message, h);
    ck_assert_int_eq(gap_client_find_peer(h->client, "me", on_found, h), GAP_E_STATE);
    ck_assert_int_eq(gap_client_start(h->client), 0);
    await(h, &h->caught_up, 1);
}

static void open_client(struct host *h, const char *token, const char *phone)
{
    init_host(h);
    dc_thread_start(&h->dc);
    start_client(h, token, phone);
}

static void end_client(struct host *h)
{
    gap_client_close(h->client, on_closed, h);
    ck_assert_int_eq(gap_client_find_peer(h->client, "me", on_found, h), GAP_E_CLOSED);
    await(h, &h->closed, 1);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
}

static void close_client(struct host *h)
{
    end_client(h);
    ck_assert_int_eq(uv_loop_close(&h->loop), 0);
    dc_thread_stop(&h->dc);
}

static void find(struct host *h, const char *who)
{
    unsigned before = h->found;

    ck_assert_int_eq(gap_client_find_peer(h->client, who, on_found, h), 0);
    ck_assert_msg(h->found == before, "called back from inside the call");
    await(h, &h->found, before + 1);
}

static void find_good(struct host *h, const char *who, gap_peer_kind_t kind, uint32_t input)
{
    find(h, who);
    ck_assert_msg(h->status == 0, "%s: %s %s", who, gap_strerror(h->status), h->rpc_name);
    ck_assert_int_eq(h->peer.kind, kind);
    ck_assert_msg(h->object.id == input, "%s: %s", who, gap_tl_name(h->object.id));
}

/* What was found is good for a request. */
static void write_to(struct host *h)
{
    static int64_t random_id = 77;
    const gap_tl_messages_send_message_t query = {
        .peer = h->object, .message = gap_str("hello"), .random_id = random_id++};
    unsigned before = h->answers;

    ck_assert_int_eq(gap_tl_messages_send_message(h->client, &query, on_answer, h), 0);
    await(h, &h->answers, before + 1);
    ck_assert_msg(h->status == 0, "%s", gap_strerror(h->status));
}

START_TEST(test_a_bot_looks_around)
{
    char id[32];
    struct host h;

    open_client(&h, "1000:secret", NULL);
    find_good(&h, "me", GAP_PEER_USER, GAP_TL_INPUT_PEER_SELF);
    find_good(&h, "@channel1", GAP_PEER_CHANNEL, GAP_TL_INPUT_PEER_CHANNEL);
    write_to(&h);
    (void)snprintf(id, sizeof id, "-%lld", (long long)h.peer.id + 1000000000000);
    find_good(&h, id, GAP_PEER_CHANNEL, GAP_TL_INPUT_PEER_CHANNEL);
    find_good(&h, "https://t.me/user2/5", GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
    write_to(&h);
    find(&h, "@nobody_at_all");
    ck_assert_int_eq(h.status, GAP_E_NOT_FOUND);
    ck_assert_str_eq(h.rpc_name, "USERNAME_NOT_OCCUPIED");
    find(&h, "??");
    ck_assert_int_eq(h.status, GAP_E_ARGUMENT);
    find(&h, "987654321");
    ck_assert_int_eq(h.status, GAP_E_NOT_FOUND);
    close_client(&h);
}
END_TEST

START_TEST(test_a_person_looks_around)
{
    struct host h;

    open_client(&h, NULL, "9996620001");
    find_good(&h, "@channel2", GAP_PEER_CHANNEL, GAP_TL_INPUT_PEER_CHANNEL);
    find_good(&h, "+888 0000 0002", GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
    find(&h, "987654321");
    ck_assert_msg(h.status == GAP_E_NOT_FOUND, "not among the dialogs");
    find(&h, "987654322");
    ck_assert_int_eq(h.status, GAP_E_NOT_FOUND);
    close_client(&h);
}
END_TEST

START_TEST(test_what_the_storage_knows_is_not_asked_for)
{
    struct host h;

    init_host(&h);
    dc_thread_start(&h.dc);
    ck_assert_int_eq(gap_storage_memory(NULL, &h.storage), 0);
    start_client(&h, "1000:secret", NULL);
    find_good(&h, "@user2", GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
    ck_assert_uint_eq(h.resolved, 1);
    for (int i = 0; i < 3; i++)
        find_good(&h, i == 0 ? "t.me/USER2" : "@user2", GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
    write_to(&h);
    ck_assert_msg(h.resolved == 1, "asked %u times", h.resolved);
    close_client(&h);
}
END_TEST

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.') ck_assert_int_eq(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    (void)closedir(dir);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* The same after a restart, from the disk. */
START_TEST(test_found_again_after_a_restart)
{
    char folder[] = "/tmp/gapless-find-XXXXXX";
    char path[64];
    char session[64];
    struct host h;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/state.db", folder);
    (void)snprintf(session, sizeof session, "%s/session", folder);
    init_host(&h);
    dc_thread_start(&h.dc);
    h.session = session;
    for (int run = 0; run < 2; run++) {
        const gap_sqlite_config_t config = {.path = path};
        char id[32];
        ck_assert_int_eq(gap_storage_sqlite(NULL, &config, &h.storage), 0);
        start_client(&h, NULL, "9996620001");
        if (run == 1) {
            (void)snprintf(id, sizeof id, "%lld", (long long)h.peer.id);
            find_good(&h, id, GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
        }
        find_good(&h, "@user2", GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
        write_to(&h);
        end_client(&h);
    }
    ck_assert_msg(h.resolved == 1, "asked %u times", h.resolved);
    ck_assert_int_eq(uv_loop_close(&h.loop), 0);
    dc_thread_stop(&h.dc);
    remove_folder(folder);
}
END_TEST

/* Everybody in pushes is partial: a sender is addressed by the message, and made a full one. */
START_TEST(test_partial_senders)
{
    struct host h;
    char id[32];

    init_host(&h);
    h.dc.options.traffic.events = 200;
    h.dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    h.dc.options.world.min_percent = 100;
    dc_thread_start(&h.dc);
    start_client(&h, NULL, "9996620001");
    await(&h, &h.partials, 3);
    ck_assert_int_eq(gap_client_input_peer(h.client, h.partial, h.input, &h.object), 0);
    ck_assert_uint_eq(h.object.id, GAP_TL_INPUT_PEER_USER_FROM_MESSAGE);
    write_to(&h);
    (void)snprintf(id, sizeof id, "%lld", (long long)h.partial.id);
    find_good(&h, id, GAP_PEER_USER, GAP_TL_INPUT_PEER_USER);
    write_to(&h);
    close_client(&h);
}
END_TEST

START_TEST(test_stop_and_close_while_looking)
{
    struct host h;

    open_client(&h, "1000:secret", NULL);
    gap_client_stop(h.client);
    find_good(&h, "@channel1", GAP_PEER_CHANNEL, GAP_TL_INPUT_PEER_CHANNEL);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(gap_client_find_peer(h.client, "@user1", on_found, &h), 0);
    h.found = 0;
    close_client(&h);
    ck_assert_msg(h.found == 5, "%u told before the client was closed", h.found);
    ck_assert_int_eq(h.status, GAP_E_CLOSED);
}
END_TEST

static Suite *find_suite(void)
{
    Suite *s = suite_create("client_find");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_a_bot_looks_around);
    tcase_add_test(t, test_a_person_looks_around);
    tcase_add_test(t, test_what_the_storage_knows_is_not_asked_for);
    if (gap_storage_has_sqlite()) tcase_add_test(t, test_found_again_after_a_restart);
    tcase_add_test(t, test_partial_senders);
    tcase_add_test(t, test_stop_and_close_while_looking);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(find_suite)
