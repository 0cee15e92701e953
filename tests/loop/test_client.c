/*
 * tests/loop/test_client.c - the client on a host's loop against a simulated data centre: life and
 * death at any step, delivery, requests, what it costs the host, and what a wrong setting says.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "tests/loop/dc_thread.h"

#include <gapless/gapless.h>
#include <sys/wait.h>
#include <unistd.h>

/* One client and what it told. */
struct host {
    dc_thread_t *dc;
    uv_loop_t *loop;
    gap_client_t *client;
    unsigned seen[GAP_CLIENT_FATAL + 1]; /* events by kind */
    int error;                           /* of the last DISCONNECTED, FATAL */
    char text[256];                      /* its text */
    unsigned updates;
    unsigned messages;
    unsigned closed;
    int close_at; /* event kind at which to close; -1: none */
    unsigned close_at_update;
    gap_update_t *kept[64];
    unsigned kept_count;
    bool keep;
    bool reply;
    unsigned answers;
    int answer_status;
    bool in_call; /* nothing may call back now */
};

static void on_closed(void *data)
{
    struct host *h = data;

    ck_assert(!h->in_call);
    h->closed++;
    h->client = NULL;
}

static void close_now(struct host *h)
{
    h->in_call = true;
    gap_client_close(h->client, on_closed, h);
    h->in_call = false;
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct host *h = data;

    ck_assert(!h->in_call);
    ck_assert_ptr_eq(client, h->client);
    ck_assert_ptr_nonnull(event->text);
    h->seen[event->kind]++;
    if (event->kind == GAP_CLIENT_DISCONNECTED || event->kind == GAP_CLIENT_FATAL) {
        h->error = event->error;
        (void)snprintf(h->text, sizeof h->text, "%s", event->text);
    }
    if ((int)event->kind == h->close_at) close_now(h);
}

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct host *h = data;

    (void)client;
    ck_assert(!h->in_call);
    h->answers++;
    h->answer_status = result->status;
}

static int on_update(gap_update_t *update, void *data)
{
    struct host *h = data;

    ck_assert_ptr_eq(gap_update_client(update), h->client);
    h->updates++;
    if (h->close_at_update == h->updates) close_now(h);
    if (!h->keep || h->kept_count >= GAP_ARRAY_LEN(h->kept)) return 0;
    h->kept[h->kept_count++] = update;
    return GAP_LATER;
}

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    struct host *h = data;

    h->messages++;
    if (!h->reply || message->out || message->edit || h->client == NULL) return 0;
    h->in_call = true;
    int r = gap_reply(update, "pong", on_answer, h);
    h->in_call = false;
    return r == GAP_E_CLOSED ? 0 : r;
}

static gap_client_config_t config_of(const dc_thread_t *dc)
{
    return (gap_client_config_t){
        .host = "127.0.0.1",
        .port = dc->port,
        .rsa_key = dc->pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .measure = true,
    };
}

static void host_init(struct host *h, dc_thread_t *dc, uv_loop_t *loop)
{
    *h = (struct host){.dc = dc, .loop = loop, .close_at = -1};
}

static void host_open_with(struct host *h, const gap_client_config_t *config)
{
    ck_assert_int_eq(gap_client_open(h->loop, config, &h->client), 0);
    gap_client_on_event(h->client, on_event, h);
    gap_client_on_update(h->client, on_update, h);
    gap_client_on_message(h->client, on_message, h);
}

static void host_open(struct host *h)
{
    gap_client_config_t config = config_of(h->dc);
    host_open_with(h, &config);
}

static void host_start(struct host *h)
{
    h->in_call = true;
    ck_assert_int_eq(gap_client_start(h->client), 0);
    h->in_call = false;
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

struct deadline {
    uv_timer_t timer;
    bool over;
};

static void on_deadline(uv_timer_t *timer)
{
    struct deadline *d = timer->data;
    d->over = true;
}

/* Run the loop until the counter reaches a value, or for so long. @return false: time was up. */
static bool run_until(uv_loop_t *loop, const unsigned *counter, unsigned value, uint64_t ms)
{
    struct deadline d = {.over = false};

    ck_assert_int_eq(uv_timer_init(loop, &d.timer), 0);
    d.timer.data = &d;
    ck_assert_int_eq(uv_timer_start(&d.timer, on_deadline, ms, 0), 0);
    while (*counter < value && !d.over) (void)uv_run(loop, UV_RUN_ONCE);
    bool in_time = !d.over;
    uv_close((uv_handle_t *)&d.timer, NULL);
    while (uv_is_closing((uv_handle_t *)&d.timer) && uv_loop_alive(loop)) {
        (void)uv_run(loop, UV_RUN_NOWAIT);
        if (!uv_is_active((uv_handle_t *)&d.timer)) break;
    }
    (void)uv_run(loop, UV_RUN_NOWAIT);
    return in_time;
}

#define WAIT_MS 20000

static void await_event(struct host *h, gap_event_kind_t kind)
{
    ck_assert_msg(run_until(h->loop, &h->seen[kind], 1, WAIT_MS), "event %d did not come", kind);
}

static void finish(struct host *h)
{
    if (h->closed == 0) close_now(h);
    ck_assert(run_until(h->loop, &h->closed, 1, WAIT_MS));
    (void)uv_run(h->loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(h->closed, 1);
}

static unsigned scaled(unsigned count)
{
    const char *scale = getenv("GAP_SEED_SCALE");
    double factor = scale == NULL ? 1 : strtod(scale, NULL);
    unsigned n = (unsigned)(count * factor);
    return n == 0 ? 1 : n;
}

/* ---- life and death ---------------------------------------------------------------------------
 */

START_TEST(test_signs_in_and_catches_up)
{
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;

    dc_thread_init(&dc);
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    host_open(&h);
    ck_assert_int_eq(gap_client_self(h.client), 0);
    host_start(&h);
    ck_assert_int_eq(gap_client_start(h.client), GAP_E_STATE);
    await_event(&h, GAP_CLIENT_CAUGHT_UP);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_CONNECTED], 1);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_SIGNED_IN], 1);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_STARTED], 1);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_CAUGHT_UP], 1);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_DISCONNECTED], 0);
    ck_assert_int_eq(gap_client_self(h.client), 1000);
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

START_TEST(test_close_without_start)
{
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h[2];

    dc_thread_init(&dc);
    dc.port = 1;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (unsigned i = 0; i < 100; i++) {
        for (int k = 0; k < 2; k++) {
            host_init(&h[k], &dc, &loop);
            host_open(&h[k]);
        }
        ck_assert_msg(uv_run(&loop, UV_RUN_DEFAULT) == 0, "not started: nothing keeps the loop up");
        for (int k = 0; k < 2; k++) {
            close_now(&h[k]);
            gap_client_close(h[k].client, NULL, NULL); /* only the first callback counts */
            ck_assert_int_eq(gap_client_start(h[k].client), GAP_E_CLOSED);
        }
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        ck_assert_uint_eq(h[0].closed + h[1].closed, 2);
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    free(dc.pem);
}
END_TEST

/* How far a client gets before it is closed; -1 to -40: after so many turns of the loop. */
static int step_of(unsigned round)
{
    static const int events[] = {GAP_CLIENT_CONNECTED, GAP_CLIENT_SIGNED_IN, GAP_CLIENT_STARTED,
                                 GAP_CLIENT_CAUGHT_UP, GAP_CLIENT_GAP_OPENED};
    unsigned n = round % 45;
    return n < GAP_ARRAY_LEN(events) ? events[n] : -(int)(n - GAP_ARRAY_LEN(events) + 1);
}

/* One turn of the host's loop in the mode of this round. */
static void turn(uv_loop_t *loop, unsigned round)
{
    static const uv_run_mode modes[] = {UV_RUN_ONCE, UV_RUN_NOWAIT, UV_RUN_DEFAULT};
    uv_run_mode mode = modes[round % 3];

    (void)uv_run(loop, mode);
    if (mode == UV_RUN_NOWAIT) usleep(100);
}

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void one_round(dc_thread_t *dc, uv_loop_t *loop, unsigned round)
{
    struct host h[2];
    uv_timer_t ticker; /* lets DEFAULT return now and then, as a host's own work would */

    ck_assert_int_eq(uv_timer_init(loop, &ticker), 0);
    ck_assert_int_eq(uv_timer_start(&ticker, stop_loop, 1, 1), 0);
    for (unsigned k = 0; k < 2; k++) {
        host_init(&h[k], dc, loop);
        h[k].close_at = step_of(round * 2 + k);
        h[k].reply = true;
        host_open(&h[k]);
        host_start(&h[k]);
    }
    for (unsigned turns = 0; h[0].closed + h[1].closed < 2; turns++) {
        for (unsigned k = 0; k < 2; k++) {
            bool due = h[k].close_at < 0 && (int)turns >= -h[k].close_at;
            due = due || turns > 300; /* an event that does not come this time */
            if (h[k].client != NULL && due) close_now(&h[k]);
        }
        turn(loop, round);
    }
    uv_close((uv_handle_t *)&ticker, NULL);
    ck_assert_int_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
    ck_assert_uint_eq(h[0].closed, 1);
    ck_assert_uint_eq(h[1].closed, 1);
}

START_TEST(test_a_thousand_clients_two_at_a_time)
{
    dc_thread_t dc;
    uv_loop_t loop;
    unsigned rounds = scaled(500);

    dc_thread_init(&dc);
    dc.options.traffic.events = 100000; /* more than there is time for */
    dc.options.rate = 500;
    dc.options.loss = 0.05;
    dc.options.reorder = 0.1;
    dc_thread_start(&dc);
    for (unsigned round = 0; round < rounds; round++) {
        if (round % 10 == 0) ck_assert_int_eq(uv_loop_init(&loop), 0);
        one_round(&dc, &loop, round);
        if (round % 10 == 9 || round + 1 == rounds) ck_assert_int_eq(uv_loop_close(&loop), 0);
    }
    dc_thread_stop(&dc);
}
END_TEST

/* ---- delivery and cost ------------------------------------------------------------------------
 */

START_TEST(test_every_message_once_and_short_turns)
{
    enum { EVENTS = 4000 };
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;
    gap_client_stats_t stats;

    dc_thread_init(&dc);
    dc.options.traffic.events = EVENTS;
    dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    dc.options.loss = 0.05;
    dc.options.reorder = 0.1;
    dc.options.duplicate = 0.02;
    dc.options.rate = 4000;
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    host_open(&h);
    host_start(&h);
    ck_assert_msg(run_until(&loop, &h.messages, EVENTS, WAIT_MS), "%u of %d", h.messages, EVENTS);
    unsigned never = 0;
    (void)run_until(&loop, &never, 1, 1000); /* a quiet second, for doubles */
    ck_assert_uint_eq(h.messages, EVENTS);
    gap_client_stats(h.client, &stats);
    printf("%d messages: %llu turns, %llu over 2 ms, longest %llu us\n", EVENTS,
           (unsigned long long)stats.turns, (unsigned long long)stats.turns_over_2ms,
           (unsigned long long)stats.turn_max_us);
    ck_assert_uint_gt(stats.gaps, 0);
    ck_assert_uint_gt(stats.differences, 0);
    ck_assert(stats.caught_up);
    if (getenv("GAP_SANITISED") == NULL)
        ck_assert_msg(stats.turns_over_2ms * 1000 <= stats.turns, "99.9 %% of turns under 2 ms");
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

static unsigned iterations;
static void on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
    iterations++;
}

START_TEST(test_idle_client_lets_the_host_sleep)
{
    enum { SECONDS = 4 };
    dc_thread_t dc;
    uv_loop_t loop;
    uv_prepare_t prepare;
    struct host h;
    unsigned never = 0;

    dc_thread_init(&dc);
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    host_open(&h);
    host_start(&h);
    await_event(&h, GAP_CLIENT_CAUGHT_UP);
    (void)run_until(&loop, &never, 1, 500); /* acknowledgements and such */
    ck_assert_int_eq(uv_prepare_init(&loop, &prepare), 0);
    ck_assert_int_eq(uv_prepare_start(&prepare, on_prepare), 0);
    iterations = 0;
    (void)run_until(&loop, &never, 1, SECONDS * 1000);
    printf("idle for %d s: %u turns of the host's loop\n", SECONDS, iterations);
    /* The test's own timer takes a few; a client has acks after 30 s and pings more rarely. */
    ck_assert_uint_le(iterations, 8);
    uv_close((uv_handle_t *)&prepare, NULL);
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

START_TEST(test_close_in_a_handler_and_kept_updates)
{
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;

    dc_thread_init(&dc);
    dc.options.traffic.events = 1000;
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    h.keep = true;
    h.close_at_update = 20;
    host_open(&h);
    host_start(&h);
    ck_assert(run_until(&loop, &h.updates, 20, WAIT_MS));
    unsigned never = 0;
    (void)run_until(&loop, &never, 1, 300);
    ck_assert_msg(h.updates == 20, "%u: none after close", h.updates);
    ck_assert_msg(h.closed == 0, "closed while updates are kept");
    for (unsigned i = 0; i < h.kept_count; i++) {
        if (i % 2 == 0) {
            gap_update_done(h.kept[i]);
        } else {
            gap_update_failed(h.kept[i], GAP_E_LIMIT);
        }
    }
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

START_TEST(test_stop_ends_updates_but_not_requests)
{
    static const gap_tl_help_get_config_t query = {0};
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;
    unsigned never = 0;

    dc_thread_init(&dc);
    dc.options.traffic.events = 100000;
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    host_open(&h);
    host_start(&h);
    ck_assert(run_until(&loop, &h.updates, 100, WAIT_MS));
    gap_client_stop(h.client);
    gap_client_stop(h.client);
    unsigned until_now = h.updates;
    (void)run_until(&loop, &never, 1, 300);
    ck_assert_uint_eq(h.updates, until_now);
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &query, on_answer, &h), 0);
    ck_assert(run_until(&loop, &h.answers, 1, WAIT_MS));
    ck_assert_int_eq(h.answer_status, 0);
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

/* ---- requests ---------------------------------------------------------------------------------
 */

struct expected {
    struct host *h;
    uint32_t id;
    const char *rpc_name;
    unsigned count;
};

static void check_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct expected *e = data;

    (void)client;
    e->count++;
    if (e->rpc_name != NULL) {
        ck_assert_int_eq(result->status, GAP_E_RPC);
        ck_assert_int_ne(result->rpc_code, 0);
        ck_assert_str_eq(result->rpc_name, e->rpc_name);
        return;
    }
    ck_assert_int_eq(result->status, 0);
    ck_assert_str_eq(result->rpc_name, "");
    ck_assert_uint_eq(result->object.id, e->id);
    ck_assert_ptr_nonnull(result->packet);
}

START_TEST(test_requests)
{
    static const gap_tl_help_get_config_t get_config = {0};
    static const gap_tl_input_peer_empty_t nobody = {0};
    gap_tl_messages_send_message_t bad = {.peer = GAP_TL_OF(GAP_TL_INPUT_PEER_EMPTY, &nobody),
                                          .message = gap_str("x"),
                                          .random_id = 1};
    static const gap_tl_input_user_self_t self = {0};
    const gap_tl_object_t ids[] = {GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &self)};
    const gap_tl_users_get_users_t get_users = {.id = gap_tl_array(ids, 1)};
    struct expected answered = {.id = GAP_TL_CONFIG};
    struct expected vector = {.id = GAP_TL_VECTOR};
    struct expected refused = {.rpc_name = "PEER_ID_INVALID"};
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;

    dc_thread_init(&dc);
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    host_open(&h);
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &get_config, NULL, NULL), GAP_E_STATE);
    host_start(&h);
    await_event(&h, GAP_CLIENT_CAUGHT_UP);
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &get_config, check_answer, &answered), 0);
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &get_config, NULL, NULL), 0);
    ck_assert_int_eq(gap_tl_messages_send_message(h.client, &bad, check_answer, &refused), 0);
    bad.peer = (gap_tl_object_t){NULL, 0, NULL, 0};
    ck_assert_int_eq(gap_tl_messages_send_message(h.client, &bad, NULL, NULL), GAP_E_ARGUMENT);
    ck_assert(run_until(&loop, &answered.count, 1, WAIT_MS));
    ck_assert(run_until(&loop, &refused.count, 1, WAIT_MS));
    ck_assert_int_eq(gap_tl_users_get_users(h.client, &get_users, check_answer, &vector), 0);
    ck_assert(run_until(&loop, &vector.count, 1, WAIT_MS));
    /* A request in flight when the client closes ends, once. */
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &get_config, on_answer, &h), 0);
    close_now(&h);
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &get_config, NULL, NULL), GAP_E_CLOSED);
    ck_assert_uint_eq(h.answers, 0);
    finish(&h);
    ck_assert_uint_eq(h.answers, 1);
    ck_assert_int_eq(h.answer_status, GAP_E_CLOSED);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

START_TEST(test_replies_reach_the_chat)
{
    enum { EVENTS = 200 };
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;

    dc_thread_init(&dc);
    dc.options.traffic.events = EVENTS;
    dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    h.reply = true;
    host_open(&h);
    host_start(&h);
    ck_assert(run_until(&loop, &h.answers, 1, WAIT_MS));
    /* What the account itself wrote is told once more, as a result: out, so it is not answered. */
    ck_assert_msg(run_until(&loop, &h.messages, EVENTS + 100, WAIT_MS), "%u", h.messages);
    ck_assert_int_eq(h.answer_status, 0);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_HANDLER_FAILED], 0);
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

/* ---- wrong settings ---------------------------------------------------------------------------
 */

static void await_fatal(struct host *h, int error, const char *word)
{
    await_event(h, GAP_CLIENT_FATAL);
    ck_assert_msg(h->error == error, "%s", h->text);
    ck_assert_msg(strstr(h->text, word) != NULL, "'%s' does not say '%s'", h->text, word);
    ck_assert_uint_eq(h->seen[GAP_CLIENT_FATAL], 1);
    finish(h);
    ck_assert_uint_eq(h->seen[GAP_CLIENT_FATAL], 1);
}

START_TEST(test_wrong_settings_are_told)
{
    dc_thread_t dc;
    dc_thread_t other;
    uv_loop_t loop;
    struct host h;

    dc_thread_init(&dc);
    dc_thread_init(&other);
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);

    host_init(&h, &dc, &loop); /* a token that is none */
    gap_client_config_t config = config_of(&dc);
    config.bot_token = "garbage";
    host_open_with(&h, &config);
    host_start(&h);
    await_fatal(&h, GAP_E_RPC, "@BotFather");

    host_init(&h, &dc, &loop); /* not that server's key */
    config = config_of(&dc);
    config.rsa_key = "-----BEGIN RSA PUBLIC KEY-----\n"
                     "MIIBCgKCAQEAyMEdY1aR+sCR3ZSJrtztKTKqigvO/vBfqACJLZtS7QMgCGXJ6XIR\n"
                     "yy7mx66W0/sOFa7/1mAZtEoIokDP3ShoqF4fVNb6XeqgQfaUHd8wJpDWHcR2OFwv\n"
                     "plUUI1PLTktZ9uW2WE23b+ixNwJjJGwBDJPQEQFBE+vfmH0JP503wr5INS1poWg/\n"
                     "j25sIWeYPHYeOrFp/eXaqhISP6G+q2IeTaWTXpwZj4LzXq5YOpk4bYEQ6mvRq7D1\n"
                     "aHWfYmlEGepfaYR8Q0YqvvhYtMte3ITnuSJs171+GDqpdKcSwHnd6FudwGO4pcCO\n"
                     "j4WcDuXc2CTHgH8gFTNhp/Y8/SpDOhvn9QIDAQAB\n"
                     "-----END RSA PUBLIC KEY-----\n";
    host_open_with(&h, &config);
    host_start(&h);
    await_fatal(&h, GAP_E_KEY, "public key");

    host_init(&h, &dc, &loop); /* nobody listens there */
    config = config_of(&dc);
    config.port = 1;
    host_open_with(&h, &config);
    host_start(&h);
    await_event(&h, GAP_CLIENT_DISCONNECTED);
    ck_assert_int_eq(h.error, UV_ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(h.text, "127.0.0.1:1"));
    ck_assert_ptr_nonnull(strstr(h.text, "check address"));
    finish(&h);

    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
    free(other.pem);
}
END_TEST

static void on_log(void *data, gap_log_level_t level, const char *text)
{
    char *out = data;
    (void)level;
    (void)snprintf(out, 256, "%s", text);
}

START_TEST(test_contradictions_are_refused_at_open)
{
    dc_thread_t dc;
    uv_loop_t loop;
    gap_client_t *client;
    char text[256];

    dc_thread_init(&dc);
    dc.port = 1;
    const struct {
        gap_client_config_t config;
        int result;
        const char *word;
    } cases[] = {
        {{.port = 1, .rsa_key = dc.pem}, GAP_E_ARGUMENT, "host"},
        {{.host = "x", .rsa_key = dc.pem}, GAP_E_ARGUMENT, "port"},
        {{.host = "x", .port = 1}, GAP_E_ARGUMENT, "rsa_key"},
        {{.host = "x", .port = 1, .rsa_key = "no key"}, GAP_E_PEM, "PEM"},
        {{.host = "x",
          .port = 1,
          .rsa_key = "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n"},
         GAP_E_PEM,
         "PEM"},
        {{.network = GAP_NETWORK_PRODUCTION}, GAP_E_ARGUMENT, "my.telegram.org"},
        {{.network = GAP_NETWORK_PRODUCTION, .dc = 9, .api_id = 1, .api_hash = "h"},
         GAP_E_ARGUMENT,
         "dc"},
        {{.network = GAP_NETWORK_TEST, .dc = 4, .api_id = 1, .api_hash = "h"},
         GAP_E_ARGUMENT,
         "dc"},
        {{.network = GAP_NETWORK_TEST, .host = "x", .api_id = 1, .api_hash = "h"},
         GAP_E_ARGUMENT,
         "host"},
        {{.host = "x", .port = 1, .rsa_key = dc.pem, .dc = -1}, GAP_E_ARGUMENT, "dc"},
        {{.host = "x", .port = 1, .rsa_key = dc.pem, .bot_token = "1:a", .phone = "1"},
         GAP_E_ARGUMENT,
         "phone"},
    };
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_client_config_t config = cases[i].config;
        config.log = on_log;
        config.log_data = text;
        text[0] = 0;
        int r = gap_client_open(&loop, &config, &client);
        ck_assert_msg(r == cases[i].result, "case %zu: %d", i, r);
        ck_assert_msg(strstr(text, cases[i].word) != NULL, "case %zu: '%s'", i, text);
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    free(dc.pem);
}
END_TEST

START_TEST(test_out_of_memory_while_opening)
{
    dc_thread_t dc;
    uv_loop_t loop;
    bool opened = false;

    dc_thread_init(&dc);
    dc.port = 1;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (long n = 1; !opened; n++) {
        struct fault_alloc f;
        gap_client_t *client = NULL;
        fault_alloc_init(&f, n);
        gap_client_config_t config = config_of(&dc);
        config.alloc = &f.alloc;
        int r = gap_client_open(&loop, &config, &client);
        if (r == 0) {
            opened = true;
            gap_client_close(client, NULL, NULL);
            ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        } else {
            ck_assert_int_eq(r, GAP_E_NOMEM);
        }
        ck_assert_int_eq(f.live, 0);
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    free(dc.pem);
}
END_TEST

START_TEST(test_child_abandons_and_parent_goes_on)
{
    static const gap_tl_help_get_config_t query = {0};
    dc_thread_t dc;
    uv_loop_t loop;
    struct host h;
    int status = 0;

    dc_thread_init(&dc);
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    host_init(&h, &dc, &loop);
    host_open(&h);
    host_start(&h);
    await_event(&h, GAP_CLIENT_CAUGHT_UP);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int r = gap_tl_help_get_config(h.client, &query, NULL, NULL);
        gap_client_abandon(h.client);
        _exit(r == GAP_E_FORKED ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(gap_tl_help_get_config(h.client, &query, on_answer, &h), 0);
    ck_assert(run_until(&loop, &h.answers, 1, WAIT_MS));
    ck_assert_int_eq(h.answer_status, 0);
    ck_assert_uint_eq(h.seen[GAP_CLIENT_DISCONNECTED], 0);
    finish(&h);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
}
END_TEST

static Suite *client_suite(void)
{
    Suite *s = suite_create("client");
    const struct {
        const char *name;
        const TTest *tests[6];
    } cases[] = {
        {"life", {test_signs_in_and_catches_up, test_close_without_start}},
        {"thousand", {test_a_thousand_clients_two_at_a_time}},
        {"updates",
         {test_every_message_once_and_short_turns, test_idle_client_lets_the_host_sleep,
          test_close_in_a_handler_and_kept_updates, test_stop_ends_updates_but_not_requests}},
        {"requests", {test_requests, test_replies_reach_the_chat}},
        {"settings",
         {test_wrong_settings_are_told, test_contradictions_are_refused_at_open,
          test_out_of_memory_while_opening}},
        {"fork", {test_child_abandons_and_parent_goes_on}},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        TCase *t = tcase_create(cases[i].name);
        tcase_set_timeout(t, 280);
        for (const TTest *const *test = cases[i].tests; *test != NULL; test++)
            tcase_add_test(t, *test);
        suite_add_tcase(s, t);
    }
    return s;
}

GAP_TEST_MAIN(client_suite)
