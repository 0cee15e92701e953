/*
 * dc/server.c - the data centre as a whole: opening, the turn, timers, closing.
 *
 *   OPEN --close--> CLOSING --last child closed--> gone
 *
 * Every callback from the environment reads the clock, does its work, marks the sessions that have
 * something to send, and settles: the ledger is made readable first, then packets are made. Owns
 * everything. Never decides what a message means.
 */
#include "dc/dc.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/script_run.h"

#define TICK_US 1000000U

void gap_dc_options_init(gap_dc_options_t *o)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};

    memset(o, 0, sizeof *o);
    memcpy(o->listen.ip, loopback, sizeof loopback);
    o->dc = 2;
    dc_options_init(&o->world);
    o->traffic.kinds = DC_KINDS_ALL;
    o->reorder_ms = 100;
    o->rate = 5000;
    o->await_clients = 1;
    o->peer_secret = GAP_DC_PEER_SECRET;
    o->code_expires_s = 300;
    o->code_timeout_s = 5;
}

/* --- time ---------------------------------------------------------------------------------- */

void gap_dc_look_at_clock(gap_dc_t *dc)
{
    dc->now.mono_us = gap_env_now_us(dc->env);
    dc->now.wall_us = gap_env_wall_us(dc->env);
}

void gap_dc_fail(gap_dc_t *dc, int status)
{
    if (dc->has_failed) return;
    dc->has_failed = true;
    if (dc->options.failed != NULL) dc->options.failed(dc->options.data, status);
}

void gap_dc_arm(gap_dc_t *dc, gap_dc_timer_t *t, uint64_t at_us)
{
    gap_dc_disarm(dc, t);
    int r = gap_heap_insert(&dc->timers, &t->node, at_us);
    if (r < 0) gap_dc_fail(dc, r);
}

void gap_dc_disarm(gap_dc_t *dc, gap_dc_timer_t *t)
{
    if (gap_heap_contains(&t->node)) gap_heap_remove(&dc->timers, &t->node);
}

/* Once a second: deadlines, connections that don't read, and the fault that drops them. */
static void on_tick(gap_dc_t *dc, gap_dc_timer_t *t)
{
    gap_dc_conn_t *conn;
    gap_dc_conn_t *next;

    for (conn = LIST_FIRST(&dc->conns); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, link);
        bool unlucky = conn->session != NULL && dc->options.disconnect > 0.0 &&
                       gap_prng_unit(&dc->chance) < dc->options.disconnect;
        bool stalled = conn->unsent > 0 && dc->now.mono_us - conn->progress_us > GAP_DC_STALL_US;
        if (unlucky || stalled || dc->now.mono_us >= conn->deadline_us) gap_dc_conn_close(conn);
    }
    if (!LIST_EMPTY(&dc->conns)) gap_dc_arm(dc, t, dc->now.mono_us + TICK_US);
}

static void run_timers(gap_dc_t *dc)
{
    gap_heap_node_t *node;

    while ((node = gap_heap_min(&dc->timers)) != NULL && node->key <= dc->now.mono_us) {
        gap_dc_timer_t *t = GAP_CONTAINER_OF(node, gap_dc_timer_t, node);
        gap_heap_remove(&dc->timers, node);
        t->fire(dc, t);
    }
}

/* --- settling ------------------------------------------------------------------------------ */

void gap_dc_mark_dirty(gap_dc_t *dc, gap_dc_session_t *s)
{
    if (s->is_dirty) return;
    s->is_dirty = true;
    TAILQ_INSERT_TAIL(&dc->dirty, s, dirty_link);
}

void gap_dc_unmark_dirty(gap_dc_t *dc, gap_dc_session_t *s)
{
    if (!s->is_dirty) return;
    s->is_dirty = false;
    TAILQ_REMOVE(&dc->dirty, s, dirty_link);
}

void gap_dc_settle(gap_dc_t *dc)
{
    gap_dc_session_t *s;

    if (dc->is_closing) return;
    if (!TAILQ_EMPTY(&dc->dirty) && dc->options.ledger_flush != NULL && !dc->has_failed) {
        int r = dc->options.ledger_flush(dc->options.data);
        if (r < 0) gap_dc_fail(dc, r);
    }
    while ((s = TAILQ_FIRST(&dc->dirty)) != NULL) {
        gap_dc_unmark_dirty(dc, s);
        if (s->conn != NULL) gap_dc_conn_flush(s->conn);
    }
    const gap_heap_node_t *first = gap_heap_min(&dc->timers);
    dc->env->ops->set_timer(dc->env, first == NULL ? GAP_ENV_NEVER : first->key);
    dc->env->ops->set_idle(dc->env, dc->more);
}

static void on_turn(void *arg, bool drained)
{
    gap_dc_t *dc = arg;

    (void)drained;
    if (dc->is_closing) return;
    gap_dc_look_at_clock(dc);
    run_timers(dc);
    if (dc->more) gap_dc_push_turn(dc);
    gap_dc_settle(dc);
}

static void on_pace(gap_dc_t *dc, gap_dc_timer_t *t)
{
    (void)t;
    gap_dc_push_turn(dc);
}

/* --- opening and closing --------------------------------------------------------------------- */

static int fill_random(void *arg, uint8_t *out, size_t len)
{
    return gap_env_random(arg, out, len);
}

static void on_accepted(gap_listener_t *l, gap_stream_t *stream)
{
    gap_dc_t *dc = l->arg;

    gap_dc_look_at_clock(dc);
    gap_dc_conn_accept(dc, stream);
    if (!gap_heap_contains(&dc->tick.node)) gap_dc_arm(dc, &dc->tick, dc->now.mono_us + TICK_US);
    gap_dc_settle(dc);
}

static void on_listener_closed(gap_listener_t *l)
{
    gap_dc_child_closed(l->arg);
}

static bool is_probability(double p)
{
    return p >= 0.0 && p <= 1.0;
}

static bool options_ok(const gap_dc_options_t *o)
{
    return o->rsa != NULL && o->rsa->is_private && o->dc >= 1 && o->dc <= GAP_DC_ID_MAX &&
           o->bots_dc >= 0 && o->bots_dc <= GAP_DC_ID_MAX && o->peer_secret != NULL &&
           o->await_clients > 0 && o->code_expires_s > 0 && is_probability(o->reorder) &&
           is_probability(o->loss) && is_probability(o->duplicate) &&
           is_probability(o->rpc_error) && is_probability(o->flood) && is_probability(o->gzip) &&
           is_probability(o->disconnect) && is_probability(o->drop_answer) &&
           is_probability(o->lose_session);
}

static void init_parts(gap_dc_t *dc, gap_env_t *env, const gap_alloc_t *alloc,
                       const gap_dc_options_t *options)
{
    dc->env = env;
    dc->alloc = alloc;
    dc->options = *options;
    dc->host.turn = on_turn;
    dc->host.arg = dc;
    dc->random.fill = fill_random;
    dc->random.arg = env;
    dc->tick.fire = on_tick;
    dc->pace.fire = on_pace;
    dc->chance.state = options->seed ^ 0x64726f70U;
    gap_gzip_init(&dc->zip, alloc);
    LIST_INIT(&dc->conns);
    TAILQ_INIT(&dc->accounts);
    TAILQ_INIT(&dc->dirty);
    TAILQ_INIT(&dc->held);
    TAILQ_INIT(&dc->lates);
    gap_dc_homes_init(dc);
    gap_dc_keys_init(&dc->keys, alloc, &dc->zip);
    gap_map_init(&dc->accounts_by_id, alloc);
    gap_dc_people_init(&dc->people, alloc, &dc->random);
    gap_map_init(&dc->missed, alloc);
    gap_heap_init(&dc->timers, alloc);
    gap_dc_inbox_init(&dc->inbox, alloc);
    gap_buf_init(&dc->scratch, alloc);
    gap_buf_init(&dc->push, alloc);
    gap_buf_init(&dc->plain, alloc);
    gap_buf_init(&dc->translated, alloc);
    dc_ledger_init(&dc->ledger, alloc, options->ledger, options->data);
    dc->ledger.dc = options->dc;
    dc_answer_init(&dc->answer, alloc);
    dc_traffic_init(&dc->traffic, &options->traffic);
}

static void free_parts(gap_dc_t *dc)
{
    const gap_alloc_t *alloc = dc->alloc;

    gap_dc_push_fini(dc);
    gap_dc_late_fini(dc);
    gap_dc_script_close(dc);
    gap_dc_keys_fini(&dc->keys);
    gap_dc_accounts_fini(dc);
    gap_dc_homes_fini(dc);
    gap_dc_people_fini(&dc->people);
    gap_heap_fini(&dc->timers);
    gap_dc_inbox_fini(&dc->inbox);
    gap_buf_fini(&dc->scratch);
    gap_buf_fini(&dc->push);
    gap_buf_fini(&dc->plain);
    gap_buf_fini(&dc->translated);
    dc_ledger_fini(&dc->ledger);
    dc_answer_fini(&dc->answer);
    dc_model_free(dc->model);
    gap_gzip_fini(&dc->zip);
    gap_crypto_fini(&dc->crypto);
    gap_free(alloc, dc);
}

int gap_dc_open(gap_env_t *env, const gap_alloc_t *alloc, const gap_dc_options_t *options,
                gap_dc_t **out)
{
    gap_dc_t *dc;
    int r;

    if (!options_ok(options)) return GAP_E_ARGUMENT;
    if ((dc = gap_calloc(alloc, 1, sizeof *dc)) == NULL) return GAP_E_NOMEM;
    init_parts(dc, env, alloc, options);
    if ((r = gap_crypto_init(&dc->crypto)) < 0) goto fail;
    if ((r = gap_dc_homes_open(dc)) < 0) goto fail;
    if ((r = dc_model_new(alloc, &options->world, &dc->model)) < 0) goto fail;
    if ((r = gap_dc_people_open(&dc->people, options->password)) < 0) goto fail;
    if ((r = gap_dc_script_open(dc)) < 0) goto fail;
    gap_dc_look_at_clock(dc);
    r = env->ops->listen(env, &options->listen, dc, on_accepted, on_listener_closed, &dc->listener);
    if (r < 0) goto fail;
    dc->children = 1;
    env->ops->attach(env, &dc->host);
    gap_dc_settle(dc);
    *out = dc;
    return 0;
fail:
    free_parts(dc);
    return r;
}

void gap_dc_close(gap_dc_t *dc, void (*closed)(void *arg), void *arg)
{
    GAP_ASSERT(!dc->is_closing);
    dc->is_closing = true;
    dc->closed = closed;
    dc->closed_arg = arg;
    dc->env->ops->attach(dc->env, NULL);
    gap_dc_disconnect_all(dc);
    dc->env->ops->close_listener(dc->listener);
}

void gap_dc_child_closed(gap_dc_t *dc)
{
    GAP_ASSERT(dc->children > 0);
    if (--dc->children > 0 || !dc->is_closing) return;
    void (*closed)(void *) = dc->closed;
    void *arg = dc->closed_arg;
    gap_dc_session_t *s;
    while ((s = TAILQ_FIRST(&dc->dirty)) != NULL) gap_dc_unmark_dirty(dc, s);
    free_parts(dc);
    if (closed != NULL) closed(arg);
}

gap_addr_t gap_dc_addr(const gap_dc_t *dc)
{
    return dc->listener->addr;
}

dc_model_t *gap_dc_model(gap_dc_t *dc)
{
    return dc->model;
}

int gap_dc_event(gap_dc_t *dc, const dc_spec_t *spec, uint32_t *out_n)
{
    gap_dc_look_at_clock(dc);
    int r = dc_model_add(dc->model, spec, (int64_t)dc->now.wall_us, out_n);
    if (r < 0) return r;
    r = gap_dc_push_clean(dc, *out_n, NULL);
    gap_dc_settle(dc);
    return r;
}

void gap_dc_disconnect_all(gap_dc_t *dc)
{
    gap_dc_conn_t *conn;

    LIST_FOREACH (conn, &dc->conns, link) gap_dc_conn_close(conn);
}
