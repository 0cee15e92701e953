/*
 * client/shutdown.c - ending in good order.
 *
 *   NONE --shutdown--> DRAINING --lanes are empty, or the deadline--> SENDING
 *        SENDING --answered, or late--> COMMITTING --on disk, or not--> DONE
 *   any --close--> the report says GAP_E_CLOSED
 *
 * The connection stays until the close: handlers that drain may call and reply. Every step is made
 * by the client's actor, from a tick, so that nothing ends inside the call that ended it. Owns
 * c->shutdown.
 */
#include "client/client.h"

#include "base/assert.h"
#include "base/failpoint.h"

/* Is somebody asked, or something of the outbox's not stored? */
static bool is_asking(const gap_client_t *c)
{
    return c->calls > 0 || !client_outbox_is_quiet(c);
}

static bool is_under_way(const gap_client_t *c)
{
    return c->shutdown.phase != SHUTDOWN_NONE && c->shutdown.phase != SHUTDOWN_DONE;
}

static void wake(gap_client_t *c)
{
    gap_loop_signal(&c->rt, &c->loop);
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

/* ---- the end ---- */

static void report(gap_client_t *c, int status)
{
    struct client_shutdown *s = &c->shutdown;

    s->phase = SHUTDOWN_DONE;
    gap_timer_stop(&c->rt, &s->timer);
    s->report.status = status;
    s->report.sends_unknown = c->calls;
    if (s->callback != NULL) s->callback(c, &s->report, s->data);
}

void client_shutdown_closed(gap_client_t *c)
{
    if (is_under_way(c)) report(c, GAP_E_CLOSED);
}

/* ---- the last commit ---- */

static void on_committed(void *arg, int status)
{
    gap_client_t *c = arg;

    if (c->shutdown.phase != SHUTDOWN_COMMITTING) return;
    c->shutdown.committed = true;
    c->shutdown.status = status;
    wake(c);
}

static void commit(gap_client_t *c)
{
    int r = 0;

    c->shutdown.phase = SHUTDOWN_COMMITTING;
    client_close_engine(c);
    if (c->store == NULL || c->store_closing) {
        on_committed(c, 0);
        return;
    }
    GAP_FAILPOINT("shutdown.commit.before");
    client_boot_end(c);
    r = gap_store_flush(c->store, on_committed, c);
    if (r < 0) on_committed(c, r);
}

/* ---- requests in flight ---- */

static void on_time_up(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_client_t *c = GAP_CONTAINER_OF(timer, gap_client_t, shutdown.timer);

    (void)rt;
    c->shutdown.hurried = true;
    wake(c);
}

/* No handler is called any more; what is still asked may be answered, and what those at work wait
 * for. A query that is pushed meanwhile is journalled. */
static void send_out(gap_client_t *c)
{
    struct client_shutdown *s = &c->shutdown;

    s->phase = SHUTDOWN_SENDING;
    if (!is_asking(c) || s->hurried || c->state != CLIENT_SIGNED_IN) return;
    int r = gap_timer_start(&c->rt, &s->timer, gap_rt_after_us(&c->rt, s->sends_us));
    GAP_ASSERT(r == 0); /* it has its place since the shutdown began */
}

void client_shutdown_answered(gap_client_t *c)
{
    if (c->calls == 0 && c->shutdown.phase == SHUTDOWN_SENDING) wake(c);
}

/* ---- draining ---- */

static void on_drained(void *arg, const struct gap_runner_report *report)
{
    gap_client_t *c = arg;
    struct client_shutdown *s = &c->shutdown;

    if (s->drained) return; /* it was stopped meanwhile */
    s->report.drained = report->drained;
    s->report.journalled = report->journalled;
    s->report.unknown = report->unknown;
    s->drained = true;
    wake(c);
}

static void drain(gap_client_t *c, uint64_t deadline_us)
{
    c->shutdown.phase = SHUTDOWN_DRAINING;
    if (c->runner == NULL || c->stopped) {
        c->shutdown.drained = true;
        wake(c);
        return;
    }
    client_run_hold(c, HELD_BY_SHUTDOWN, true);
    gap_runner_drain(c->runner, deadline_us, on_drained, c);
}

/* ---- the actor ---- */

void client_shutdown_step(gap_client_t *c)
{
    struct client_shutdown *s = &c->shutdown;

    if (s->phase == SHUTDOWN_DRAINING && s->drained) send_out(c);
    if (s->phase == SHUTDOWN_SENDING &&
        (!is_asking(c) || s->hurried || c->state != CLIENT_SIGNED_IN))
        commit(c);
    if (s->phase == SHUTDOWN_COMMITTING && s->committed) report(c, s->status);
}

void client_shutdown_stopped(gap_client_t *c)
{
    struct client_shutdown *s = &c->shutdown;
    gap_runner_stats_t stats = {.depth = 0};

    if (s->phase != SHUTDOWN_DRAINING || s->drained) return;
    if (c->runner != NULL) gap_runner_stats(c->runner, &stats);
    s->report.unknown = stats.depth;
    s->drained = true;
    wake(c);
}

static int begin(gap_client_t *c, const gap_shutdown_config_t *config)
{
    struct client_shutdown *s = &c->shutdown;
    uint64_t deadline_us =
        or_default(config == NULL ? 0 : config->deadline_us, GAP_SHUTDOWN_DEADLINE_US);

    s->timer.fn = on_time_up;
    int r = gap_timer_start(&c->rt, &s->timer, GAP_ENV_NEVER); /* keeps its place */
    if (r < 0) return r;
    client_outbox_stop(c);
    s->sends_us = or_default(config == NULL ? 0 : config->sends_us, GAP_SHUTDOWN_SENDS_US);
    drain(c, gap_rt_after_us(&c->rt, deadline_us));
    return 0;
}

/* Whatever is waited for is waited for no longer. */
static void hurry(gap_client_t *c)
{
    if (!is_under_way(c) || c->shutdown.hurried) return;
    c->shutdown.hurried = true;
    if (c->shutdown.phase == SHUTDOWN_DRAINING && !c->shutdown.drained)
        gap_runner_drain(c->runner, 0, NULL, NULL);
    wake(c);
}

int gap_client_shutdown(gap_client_t *client, const gap_shutdown_config_t *config,
                        gap_shutdown_cb callback, void *data)
{
    client_enter(client);
    if (client->env_ops->forked(client->env)) return GAP_E_FORKED;
    if (client->closing) return GAP_E_CLOSED;
    if (client->shutdown.phase != SHUTDOWN_NONE) {
        hurry(client);
        return 0;
    }
    int r = begin(client, config);
    if (r < 0) return r;
    client->shutdown.callback = callback;
    client->shutdown.data = data;
    return 0;
}
