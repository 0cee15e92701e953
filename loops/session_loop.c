/*
 * loops/session_loop.c - the link: states, reconnects, calls.
 *
 *   DOWN --retry--> CONNECTING --open--> HANDSHAKING --key--> READY     (READY at once with a key)
 *     ^_________________\__________________\___________________/ lost
 *   any -> CLOSING (the actor's) -> CLOSED: the last child ends all calls and calls back
 *
 * One batch: look at the connection, take in frames, hand up events, send. Whatever a callback does
 * (calls, cancels, close) is seen when it returns.
 *
 * Owns: connection, session, keys, the job, timers. Never: reads a field of the protocol.
 */
#include "base/alloc.h"
#include "loops/session_link.h"

_Static_assert((int)GAP_CALL_NO_FLOOD_REPEAT == (int)GAP_SESSION_NO_FLOOD_REPEAT &&
                   (int)GAP_CALL_NO_ERROR_REPEAT == (int)GAP_SESSION_NO_ERROR_REPEAT &&
                   (int)GAP_CALL_NO_RESEND == (int)GAP_SESSION_NO_RESEND &&
                   (int)GAP_CALL_WITHOUT_UPDATES == (int)GAP_SESSION_WITHOUT_UPDATES,
               "flags are handed through");

/* ---- states ---- */

void link_set_state(gap_link_t *link, enum gap_link_state state, const struct gap_link_down *down)
{
    link->state = state;
    if (!gap_loop_is_closing(&link->loop)) link->events->state(link->arg, state, down);
}

/* A quarter less to a quarter more. */
static uint64_t jitter(gap_link_t *link, uint64_t us)
{
    return us - us / 4 + gap_prng_below(&link->prng, us / 2);
}

static uint64_t retry_delay(gap_link_t *link)
{
    uint64_t us = GAP_LINK_RETRY_FIRST_US;

    if (link->failures > 0) {
        uint32_t doublings = link->failures - 1 < 6 ? link->failures - 1 : 6;
        us = GAP_LINK_RETRY_MIN_US << doublings;
    }
    return jitter(link, us < GAP_LINK_RETRY_MAX_US ? us : GAP_LINK_RETRY_MAX_US);
}

static void give_up(gap_link_t *link, int status, int32_t code)
{
    struct gap_link_down down = {status, code, GAP_ENV_NEVER};

    link->dead = true;
    gap_session_cancel_all(link->session, status);
    while (link_events(link)) {
    }
    if (gap_loop_is_closing(&link->loop)) return;
    link->events->fatal(link->arg, status, code);
    link_set_state(link, GAP_LINK_DOWN, &down);
}

/* Would every other attempt end in the same way? */
static bool is_final(const gap_link_t *link, int status, int32_t code)
{
    if (status == GAP_E_KEY) return true;
    if (status != GAP_E_TRANSPORT) return false;
    return code == -444 || (code == -404 && link->refusals >= 2);
}

static void count_failure(gap_link_t *link, int status, int32_t code)
{
    bool worked = link->state == GAP_LINK_READY && link->received;
    bool proven = worked && gap_rt_now_us(link->rt) - link->ready_us >= GAP_LINK_PROVEN_US;
    uint32_t most = proven ? 0 : GAP_LINK_WORKED_FAILURES;

    if (worked && link->failures > most) link->failures = most;
    if (!worked && link->failures == 0) link->failures = 1;
    if (status != GAP_E_TRANSPORT) return;
    if (code == -429) link->failures += 2; /* too many connections: keep away for longer */
    if (code == -404 && link->keyed) link->refusals++;
}

void link_lost(gap_link_t *link, int status, int32_t code)
{
    struct gap_link_down down = {status, code, 0};

    count_failure(link, status, code);
    link->generation++;
    gap_connection_close(&link->connection);
    link_handshake_end(link);
    gap_session_disconnected(link->session);
    link_arm(link->rt, &link->ping, UINT64_MAX);
    gap_rt_log(link->rt, GAP_LOG_INFO, "connection lost: %s (%d)", gap_strerror(status), (int)code);
    if (is_final(link, status, code)) {
        give_up(link, status, code);
        return;
    }
    down.retry_in_us = retry_delay(link);
    link->failures++;
    link_arm(link->rt, &link->retry, gap_rt_now_us(link->rt) + down.retry_in_us);
    link_set_state(link, GAP_LINK_DOWN, &down);
}

void link_ready(gap_link_t *link)
{
    link->ready_us = gap_rt_now_us(link->rt);
    link->received = false;
    gap_session_connected(link->session, link->ready_us);
    link_ping(link); /* says hello at once: the server sends what it still owes this session */
    link_set_state(link, GAP_LINK_READY, NULL);
}

/* ---- the batch ---- */

static void connect_now(gap_link_t *link)
{
    link_arm(link->rt, &link->retry, UINT64_MAX);
    gap_connection_open(&link->connection);
    link_set_state(link, GAP_LINK_CONNECTING, NULL);
}

/* A machine that slept, or a clock that was set: what the server's time is has to be learned
 * again, and updates may have been missed without a trace. */
static void watch_clock(gap_link_t *link)
{
    gap_env_t *env = link->rt->env;
    int64_t clock_us = (int64_t)gap_env_wall_us(env) - (int64_t)gap_env_now_us(env);
    int64_t drift = clock_us - link->clock_us;

    link->clock_us = clock_us;
    if (drift < GAP_LINK_JUMP_US && drift > -GAP_LINK_JUMP_US) return;
    gap_session_unsync(link->session);
    link->events->updates_missed(link->arg);
}

/* @return 0, or why the connection is to be given up. */
static int look_at_connection(gap_link_t *link)
{
    gap_connection_t *c = &link->connection;

    if (link->state != GAP_LINK_CONNECTING || c->state != GAP_CONNECTION_OPEN) return 0;
    if (link->keyed) {
        link_ready(link);
        return 0;
    }
    int r = link_handshake_start(link);
    if (r == 0) link_set_state(link, GAP_LINK_HANDSHAKING, NULL);
    return r;
}

/* A deadline passed, and what had come by then is taken in: what has no answer now gets none in
 * time. @return there is something to hand up. */
static bool act_on_due(gap_link_t *link)
{
    link->due_passed = false;
    if (link->handshake != NULL) link_lost(link, GAP_E_TIMEOUT, 0);
    gap_session_expire(link->session, gap_rt_now_us(link->rt));
    return true;
}

static void link_run(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_link_t *link = GAP_CONTAINER_OF(loop, gap_link_t, loop);
    bool more;
    int r;

    if (!link->started) {
        link->started = true;
        connect_now(link);
        if (gap_loop_is_closing(loop)) return;
    }
    watch_clock(link);
    if (gap_loop_is_closing(loop)) return;
    link_job_finish(link);
    if (gap_loop_is_closing(loop)) return;
    r = look_at_connection(link);
    if (r != 0) link_lost(link, r, 0);
    if (gap_loop_is_closing(loop)) return;
    more = link_receive(link);
    if (gap_loop_is_closing(loop)) return;
    more = link_events(link) || more;
    if (gap_loop_is_closing(loop)) return;
    if (link->due_passed && !more && link->job.kind == LINK_JOB_NONE) {
        more = act_on_due(link);
        if (gap_loop_is_closing(loop)) return;
    }
    /* What came before the end was taken in first. */
    bool open = link->state == GAP_LINK_CONNECTING || link->state == GAP_LINK_HANDSHAKING ||
                link->state == GAP_LINK_READY;
    if (!more && open && link->connection.status != 0 && link->job.kind != LINK_JOB_OPEN)
        link_lost(link, link->connection.status, 0);
    if (gap_loop_is_closing(loop)) return;
    more = link_send(link) || more;
    if (gap_loop_is_closing(loop)) return;
    uint64_t due = gap_session_deadline_us(link->session);
    if (link->handshake == NULL && !link->due_passed) link_arm(rt, &link->due, due);
    if (more) gap_loop_signal(rt, loop);
    gap_loop_wait(loop);
}

static void on_retry(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_link_t *link = GAP_CONTAINER_OF(timer, gap_link_t, retry);

    link_arm(rt, timer, UINT64_MAX);
    if (gap_loop_is_closing(&link->loop) || link->state != GAP_LINK_DOWN || link->dead) return;
    if (link->connection.state != GAP_CONNECTION_IDLE) {
        /* The old one is not yet gone. */
        link_arm(rt, timer, gap_rt_now_us(rt) + GAP_LINK_RETRY_FIRST_US);
        return;
    }
    connect_now(link);
}

static void on_due(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_link_t *link = GAP_CONTAINER_OF(timer, gap_link_t, due);

    link_arm(rt, timer, UINT64_MAX);
    link->due_passed = true;
    gap_loop_signal(rt, &link->loop);
}

static void on_ping(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_link_t *link = GAP_CONTAINER_OF(timer, gap_link_t, ping);
    uint64_t now = gap_rt_now_us(rt);

    link_arm(rt, timer, UINT64_MAX);
    if (gap_loop_is_closing(&link->loop) || link->state != GAP_LINK_READY) return;
    if (link_is_silent(link) && now >= link->ping_sent_us + GAP_LINK_PONG_US) {
        link_lost(link, GAP_E_TIMEOUT, 0);
    } else {
        link_ping_plan(link);
    }
    gap_loop_signal(rt, &link->loop);
}

/* ---- opening and closing ---- */

static int fill_random(void *arg, uint8_t *out, size_t len)
{
    return gap_env_random(arg, out, len);
}

static void link_free(gap_link_t *link)
{
    const gap_alloc_t *alloc = link->rt->alloc;

    gap_timer_stop(link->rt, &link->retry);
    gap_timer_stop(link->rt, &link->due);
    gap_timer_stop(link->rt, &link->ping);
    if (link->connection.rt != NULL) gap_connection_fini(&link->connection);
    link_handshake_end(link);
    link_job_fini(&link->job);
    gap_session_free(link->session);
    for (size_t i = 0; i < link->rsa_count; i++) gap_rsa_fini(&link->rsa[i]);
    gap_free(alloc, link->rsa);
    gap_crypto_fini(&link->crypto);
    gap_crypto_fini(&link->job_crypto);
    gap_wipe(link, sizeof *link);
    gap_free(alloc, link);
}

/* No child is left: the calls end, then the memory goes. */
static void link_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_link_t *link = GAP_CONTAINER_OF(loop, gap_link_t, loop);
    void (*cb)(void *) = link->close_cb;
    void *arg = link->close_arg;
    struct gap_session_event event;

    gap_session_cancel_all(link->session, GAP_E_CLOSED);
    while (gap_session_pending(link->session) > 0) {
        int r = gap_session_next(link->session, rt->now_us, &event);
        GAP_ASSERT(r == 1);
        link_answer(&event, event.call);
    }
    link_free(link);
    if (cb != NULL) cb(arg);
}

static const struct gap_loop_class link_class = {"link", link_run, link_closed};

static int read_keys(gap_link_t *link, const struct gap_link_config *config)
{
    if (config->rsa_count == 0) return 0;
    link->rsa = gap_calloc(link->rt->alloc, config->rsa_count, sizeof link->rsa[0]);
    if (link->rsa == NULL) return GAP_E_NOMEM;
    for (; link->rsa_count < config->rsa_count; link->rsa_count++) {
        const char *pem = config->rsa_pems[link->rsa_count];
        int r = gap_rsa_public_from_pem(&link->crypto, gap_bytes(pem, strlen(pem)),
                                        &link->rsa[link->rsa_count]);
        if (r != 0) return r;
    }
    return 0;
}

static int make_session(gap_link_t *link, const struct gap_link_config *config)
{
    const struct gap_link_device *d = &config->device;
    struct gap_session_device device = {config->layer,     d->api_id,      d->device_model,
                                        d->system_version, d->app_version, d->system_lang_code,
                                        d->lang_pack,      d->lang_code};
    gap_env_t *env = link->rt->env;
    uint64_t now = gap_rt_now_us(link->rt);
    uint64_t wall = gap_env_wall_us(env);
    int r = gap_session_new(link->rt->alloc, &link->random, &device, now, wall, &link->session);

    if (r != 0) return r;
    link->clock_us = (int64_t)wall - (int64_t)gap_env_now_us(env);
    if (config->auth_key == NULL) return 0;
    memcpy(link->key.key, config->auth_key, sizeof link->key.key);
    r = gap_auth_key_derive(&link->crypto, &link->key);
    if (r != 0) return r;
    link->keyed = true;
    gap_session_set_key(link->session, now, config->server_salt, 0);
    return 0;
}

static int start_timers(gap_link_t *link)
{
    gap_timer_t *const timers[] = {&link->retry, &link->due, &link->ping};
    int r = 0;

    link->retry.fn = on_retry;
    link->due.fn = on_due;
    link->ping.fn = on_ping;
    link->due.after_drain = true;
    link->ping.after_drain = true;
    for (size_t i = 0; r == 0 && i < GAP_ARRAY_LEN(timers); i++)
        r = gap_timer_start(link->rt, timers[i], UINT64_MAX);
    return r;
}

static int link_init(gap_link_t *link, const struct gap_link_config *config)
{
    gap_transport_t transport = config->transport == GAP_LINK_ABRIDGED ? GAP_TRANSPORT_ABRIDGED
                                                                       : GAP_TRANSPORT_INTERMEDIATE;
    int r = gap_crypto_init(&link->crypto);

    if (r == 0) r = gap_crypto_init(&link->job_crypto);
    if (r == 0) r = gap_env_random(link->rt->env, &link->prng.state, sizeof link->prng.state);
    if (r == 0) r = read_keys(link, config);
    if (r == 0) r = make_session(link, config);
    if (r == 0) r = start_timers(link);
    if (r != 0) return r;
    r = gap_connection_init(&link->connection, link->rt, &link->loop, transport, config->addrs,
                            config->addr_count, config->host, config->port);
    if (r != 0) link->connection.rt = NULL;
    return r;
}

int gap_link_open(gap_rt_t *rt, const struct gap_link_config *config,
                  const struct gap_link_events *events, void *arg, gap_link_t **out)
{
    if ((config->addr_count == 0 && config->host == NULL) ||
        (config->rsa_count == 0 && config->auth_key == NULL))
        return GAP_E_ARGUMENT;
    gap_link_t *link = gap_calloc(rt->alloc, 1, sizeof *link);
    if (link == NULL) return GAP_E_NOMEM;
    link->rt = rt;
    link->events = events;
    link->arg = arg;
    link->dc_id = config->dc_id;
    link->random = (gap_random_t){fill_random, rt->env};
    gap_loop_init(&link->loop, &link_class);
    int r = link_init(link, config);
    if (r != 0) {
        link_free(link);
        return r;
    }
    gap_loop_signal(rt, &link->loop);
    *out = link;
    return 0;
}

void gap_link_close(gap_link_t *link, void (*cb)(void *arg), void *arg)
{
    GAP_ASSERT(!gap_loop_is_closing(&link->loop));
    link->close_cb = cb;
    link->close_arg = arg;
    link->generation++;
    gap_connection_close(&link->connection);
    gap_loop_close(link->rt, &link->loop);
}

void gap_link_retry_now(gap_link_t *link)
{
    if (link->state != GAP_LINK_DOWN || !link->started || link->dead) return;
    link_arm(link->rt, &link->retry, gap_rt_now_us(link->rt));
}

/* ---- calls ---- */

int gap_link_call(gap_link_t *link, gap_tl_object_t query, const struct gap_call_options *options,
                  gap_link_call_cb cb, void *arg, gap_call_id_t *out)
{
    uint64_t timeout = options == NULL || options->timeout_us == 0 ? GAP_LINK_CALL_TIMEOUT_US
                                                                   : options->timeout_us;
    uint64_t now = gap_rt_now_us(link->rt);
    uint64_t call = 0;
    gap_buf_t buf;

    if (gap_loop_is_closing(&link->loop) || link->dead) return GAP_E_CLOSED;
    int64_t len = gap_tl_size(query);
    if (len < 0) return (int)len;
    if (len > GAP_SESSION_QUERY_MAX_BYTES) return GAP_E_LIMIT;
    gap_buf_init(&buf, link->rt->alloc);
    int r = gap_buf_reserve(&buf, (size_t)len);
    if (r == 0) {
        len = gap_tl_write(query, buf.data, buf.cap);
        r = len < 0 ? (int)len : 0;
    }
    if (r == 0) {
        struct gap_session_request request = {gap_bytes(buf.data, (size_t)len),
                                              timeout > UINT64_MAX - now ? UINT64_MAX
                                                                         : now + timeout,
                                              options == NULL ? 0 : options->flags,
                                              {(void (*)(void))cb, arg}};
        r = gap_session_call(link->session, &request, &call);
    }
    if (buf.data != NULL) gap_wipe(buf.data, buf.cap); /* codes and tokens travel here */
    gap_buf_fini(&buf);
    if (r != 0) return r;
    if (link->state == GAP_LINK_READY) link_ping_plan(link);
    gap_loop_signal(link->rt, &link->loop);
    if (out != NULL) *out = call;
    return 0;
}

void gap_link_cancel(gap_link_t *link, gap_call_id_t call)
{
    if (gap_session_cancel(link->session, call, GAP_ENV_ECANCELED))
        gap_loop_signal(link->rt, &link->loop);
}

/* ---- what may be asked ---- */

enum gap_link_state gap_link_state(const gap_link_t *link)
{
    return link->state;
}

uint64_t gap_link_salt(const gap_link_t *link)
{
    return gap_session_salt(link->session);
}

int64_t gap_link_server_time(gap_link_t *link)
{
    return gap_session_server_us(link->session, gap_rt_now_us(link->rt)) / 1000000;
}

size_t gap_link_pending(const gap_link_t *link)
{
    return gap_session_pending(link->session);
}
