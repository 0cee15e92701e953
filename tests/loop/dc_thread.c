/* tests/loop/dc_thread.c - see dc_thread.h. */
#include "tests/loop/dc_thread.h"

#include "tests/check_main.h"
#include "uv/uv_env.h"

static gap_crypto_t crypto;
static gap_rsa_key_t shared_key; /* made once a process: that takes long */

static void on_done(void *data, uint32_t events)
{
    dc_thread_t *d = data;
    atomic_store(&d->done_events, events);
}

void dc_thread_init(dc_thread_t *d)
{
    gap_buf_t pem;

    memset(d, 0, sizeof *d);
    if (shared_key.pkey == NULL) {
        ck_assert_int_eq(gap_crypto_init(&crypto), 0);
        ck_assert_int_eq(gap_rsa_generate(&crypto, &shared_key), 0);
    }
    d->rsa = shared_key;
    gap_dc_options_init(&d->options);
    d->options.rsa = &d->rsa;
    d->options.world.channels = 5;
    d->options.traffic.events = 0;
    d->options.done = on_done;
    d->options.data = d;
    gap_buf_init(&pem, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_public_pem(&d->rsa, &pem), 0);
    gap_bytes_t view = gap_buf_view(&pem);
    d->pem = malloc(view.len + 1);
    memcpy(d->pem, view.data, view.len);
    d->pem[view.len] = 0;
    gap_buf_fini(&pem);
}

/* On the thread of @p data. */
static void look_at_peers(void *data)
{
    dc_thread_t *d = data;
    gap_dc_peers_t peers = d->options.peers;

    for (unsigned i = 0; i < d->peer_count; i++) {
        uint16_t port = (uint16_t)atomic_load(&d->peers[i]->listening);
        gap_dc_peer_t peer = {d->peers[i]->options.dc, {.ip = {127, 0, 0, 1}, .port = port}, false};
        if (port != 0) ck_assert_int_eq(gap_dc_peers_add(&peers, &peer), 0);
    }
    ck_assert_int_eq(gap_dc_set_peers(d->dc, &peers), 0);
}

void dc_thread_introduce(dc_thread_t *a, dc_thread_t *b)
{
    ck_assert(a->peer_count < DC_THREAD_PEERS && b->peer_count < DC_THREAD_PEERS);
    ck_assert_int_ne(a->options.dc, b->options.dc);
    a->peers[a->peer_count++] = b;
    b->peers[b->peer_count++] = a;
    a->options.look_at_peers = b->options.look_at_peers = look_at_peers;
}

static void tell(dc_thread_t *d, int status)
{
    pthread_mutex_lock(&d->lock);
    d->status = status;
    pthread_cond_signal(&d->up);
    pthread_mutex_unlock(&d->lock);
}

static void on_dc_closed(void *arg)
{
    dc_thread_t *d = arg;
    gap_uv_env_close(d->env, NULL, NULL);
}

static void on_stop(uv_async_t *async)
{
    dc_thread_t *d = async->data;

    uv_close((uv_handle_t *)async, NULL);
    gap_dc_close(d->dc, on_dc_closed, d);
}

static void *run(void *arg)
{
    dc_thread_t *d = arg;

    int r = uv_loop_init(&d->loop);
    if (r == 0) r = uv_async_init(&d->loop, &d->stop, on_stop);
    d->stop.data = d;
    if (r == 0) r = gap_uv_env_open(&d->loop, gap_alloc_default(), &d->env);
    if (r == 0) r = gap_dc_open(d->env, gap_alloc_default(), &d->options, &d->dc);
    if (r == 0) atomic_store(&d->listening, d->port = gap_dc_addr(d->dc).port);
    tell(d, r);
    if (r < 0) return NULL;
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    d->left = uv_loop_close(&d->loop);
    return NULL;
}

void dc_thread_start(dc_thread_t *d)
{
    d->status = 1;
    ck_assert_int_eq(pthread_mutex_init(&d->lock, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&d->up, NULL), 0);
    ck_assert_int_eq(pthread_create(&d->thread, NULL, run, d), 0);
    pthread_mutex_lock(&d->lock);
    while (d->status == 1) pthread_cond_wait(&d->up, &d->lock);
    pthread_mutex_unlock(&d->lock);
    ck_assert_msg(d->status == 0, "data centre: %s", gap_strerror(d->status));
}

void dc_thread_stop(dc_thread_t *d)
{
    (void)uv_async_send(&d->stop);
    ck_assert_int_eq(pthread_join(d->thread, NULL), 0);
    ck_assert_int_eq(d->left, 0);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->up);
    free(d->pem);
    d->pem = NULL;
}
