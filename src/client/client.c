/*
 * client/client.c - life and death of a client, and the small accessors.
 *
 *   open --> (start) --> ... --> close: engine and links close -> the store -> the actor closes
 *     -> after that tick the runtime ends -> the environment closes -> the client is freed
 *     -> closed callback
 *
 * Closing counts children, engine, runner and links; the actor's `closed` runs in a tick when all
 * are gone. The runtime can't end inside its own tick, so the client stands between it and the
 * environment (struct gap_env_host) and ends it when the tick has returned.
 *
 * Owns: everything of one account. Never: looks into an update, blocks.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* ---- between the environment and the runtime ---- */

static void after_env(void *arg)
{
    gap_client_t *c = arg;
    void (*closed)(void *) = c->closed;
    void *data = c->closed_data;

    client_free(c);
    if (closed != NULL) closed(data);
}

static void finish(gap_client_t *c)
{
    gap_env_t *env = c->env;

    gap_rt_fini(&c->rt);
    c->env_ops->close(env, after_env, c);
}

static void host_turn(void *arg, bool drained)
{
    gap_client_t *c = arg;

    c->rt.host.turn(c->rt.host.arg, drained);
    if (c->finished) finish(c);
}

static void host_enter(void *arg)
{
    gap_client_t *c = arg;
    c->rt.host.enter(c->rt.host.arg);
}

static void host_leave(void *arg, bool was_turn)
{
    gap_client_t *c = arg;
    c->rt.host.leave(c->rt.host.arg, was_turn);
}

/* ---- the actor: it counts children, and takes the steps of a shutdown ---- */

static void actor_run(gap_rt_t *rt, gap_loop_t *self)
{
    (void)rt;
    client_shutdown_step(GAP_CONTAINER_OF(self, gap_client_t, loop));
}

static void actor_closed(gap_rt_t *rt, gap_loop_t *self)
{
    gap_client_t *c = GAP_CONTAINER_OF(self, gap_client_t, loop);

    (void)rt;
    GAP_ASSERT(c->link == NULL);
    GAP_ASSERT(c->engine == NULL);
    GAP_ASSERT(c->runner == NULL);
    GAP_ASSERT(!c->links.open);
    GAP_ASSERT(c->finder == NULL);
    GAP_ASSERT(c->outbox == NULL);
    client_shutdown_closed(c);
    c->finished = true;
}

static const struct gap_loop_class actor_class = {"client", actor_run, actor_closed};

/* ---- opening ---- */

int client_new(const gap_client_config_t *config, gap_client_t **out)
{
    const gap_alloc_t *alloc = config->alloc == NULL ? gap_alloc_default() : config->alloc;
    gap_client_t *c = gap_calloc(alloc, 1, sizeof *c);
    const char *why = NULL;

    if (c == NULL) return GAP_E_NOMEM;
    c->alloc = alloc;
    c->log = config->log;
    c->log_data = config->log_data;
    c->log_level = config->log_level;
    client_book_init(&c->book, alloc);
    int r = client_settings_copy(&c->settings, alloc, config, &why);
    if (r < 0) {
        if (why != NULL && c->log != NULL) c->log(c->log_data, GAP_LOG_ERROR, why);
        client_free(c);
        return r;
    }
    *out = c;
    return 0;
}

void client_free(gap_client_t *c)
{
    client_book_fini(&c->book);
    client_sign_in_end(c);
    client_run_fini(c);
    client_keep_free(c);
    client_settings_free(&c->settings, c->alloc);
    gap_wipe(&c->session, sizeof c->session);
    gap_free(c->alloc, c);
}

void client_attach(gap_client_t *c, gap_env_t *env, const struct client_env_ops *ops,
                   const gap_client_config_t *config)
{
    c->env = env;
    c->env_ops = ops;
    c->host = (struct gap_env_host){
        .turn = host_turn, .enter = host_enter, .leave = host_leave, .arg = c};
    gap_rt_init(&c->rt, c->alloc, env);
    env->ops->attach(env, NULL);
    env->ops->attach(env, &c->host);
    c->rt.measure = config->measure;
    c->rt.log_cb = c->log;
    c->rt.log_data = c->log_data;
    c->rt.log_level = c->log_level;
    c->storage = config->storage;
    gap_loop_init(&c->loop, &actor_class);
}

void client_enter(const gap_client_t *c)
{
    bool on_the_thread_of_its_loop = c->env->ops->on_loop_thread(c->env);
    GAP_ASSERT(on_the_thread_of_its_loop); /* not from gap_update_on_thread, _in_transaction */
}

/* ---- closing ---- */

static void engine_closed(void *arg)
{
    gap_client_t *c = arg;
    int r = client_keep_collect(c); /* also what was finished after the close began */

    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "the last positions are not stored: %s", gap_strerror(r));
    c->engine = NULL;
    client_run_without_engine(c);
    if (c->closing) client_keep_close(c);
    gap_loop_drop(&c->rt, &c->loop);
}

void client_close_engine(gap_client_t *c)
{
    if (c->stopped) return;
    c->stopped = true;
    client_shutdown_stopped(c);
    client_outbox_stop(c);
    if (c->engine != NULL) {
        client_book_use(&c->book, NULL);
        gap_engine_counters(c->engine, &c->counters);
        gap_engine_close(c->engine, engine_closed, c);
    }
    client_run_close(c); /* gives back to the engine what waits */
}

void gap_client_stop(gap_client_t *client)
{
    client_enter(client);
    client_close_engine(client);
}

void gap_client_close(gap_client_t *client, void (*callback)(void *data), void *data)
{
    client_enter(client);
    if (client->closing) return;
    client->closing = true;
    client->closed = callback;
    client->closed_data = data;
    client_close_engine(client);
    if (client->store != NULL) gap_store_give_up_calls(client->store);
    client_outbox_close(client);
    client_people_close(client);
    client_keep_salt(client);
    client_links_close(client);
    client_close_link(client);
    client_keep_close(client);
    gap_loop_close(&client->rt, &client->loop);
}

void gap_client_abandon(gap_client_t *client)
{
    GAP_ASSERT(client->env_ops->forked(client->env));
    client->env_ops->abandon(client->env);
    client_free(client);
}

/* ---- accessors ---- */

void gap_client_on_event(gap_client_t *client, gap_event_cb callback, void *data)
{
    client_enter(client);
    client->on_event = callback;
    client->event_data = data;
}

void gap_client_on_update(gap_client_t *client, gap_update_cb callback, void *data)
{
    client_enter(client);
    client->on_update = callback;
    client->update_data = data;
}

void gap_client_on_message(gap_client_t *client, gap_message_cb callback, void *data)
{
    client_enter(client);
    client->on_message = callback;
    client->message_data = data;
}

int64_t gap_client_self(const gap_client_t *client)
{
    client_enter(client);
    return client->session.user_id;
}

gap_engine_t *gap_client_engine(gap_client_t *client)
{
    client_enter(client);
    bool open = !client->stopped && !client->closing && client->state != CLIENT_FATAL;
    return open ? client->engine : NULL;
}

void gap_client_stats(const gap_client_t *client, gap_client_stats_t *out)
{
    client_enter(client);
    gap_engine_counters_t n = client->counters;
    if (client->engine != NULL && !client->stopped) gap_engine_counters(client->engine, &n);
    *out = (gap_client_stats_t){
        .updates = n.applied,
        .duplicates = n.duplicates,
        .gaps = n.gaps,
        .healed = n.healed,
        .fetched = n.fetched,
        .differences = n.differences + n.channel_differences,
        .turns = client->rt.stats.turns,
        .turns_over_2ms = client->rt.stats.over_2ms,
        .turn_max_us = client->rt.stats.max_us,
        .caught_up = client->caught_up,
    };
}
