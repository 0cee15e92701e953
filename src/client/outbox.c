/*
 * client/outbox.c - the outbox of a client: where its actor meets the account, its connection, its
 * people and the host.
 *
 *   signed in, the storage is the account's -> open -> rows go out while there is a connection
 *   shutdown, stop, signed out, fatal -> nothing more is claimed        close -> closed
 *
 * Without a storage with SQL, or with tables that can't be used, the client is fatal: a program
 * that enqueues and whose rows never go out would notice too late.
 *
 * Owns c->outbox, a child of the client, and the post by which any thread wakes it. After any call
 * into the host the client may be closing, never gone.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "outbox/sql.h"

#include <gapless/tl_api.h>
#include <stdio.h>
#include <string.h>

/* ---- what the actor asks ---- */

static bool is_ready(void *arg)
{
    const gap_client_t *c = arg;

    return c->state == CLIENT_SIGNED_IN && !c->closing && !c->stopped && c->engine != NULL &&
           c->shutdown.phase == SHUTDOWN_NONE && c->link != NULL && !c->link_closing &&
           gap_link_state(c->link) == GAP_LINK_READY;
}

static int address(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                   gap_tl_object_t *out)
{
    return gap_client_input_peer(arg, peer, storage, out);
}

static int find(void *arg, gap_peer_t peer, gap_found_cb found, void *data)
{
    char who[32];

    (void)snprintf(who, sizeof who, "%lld", (long long)gap_outbox_mark(peer));
    return gap_client_find_peer(arg, who, found, data);
}

static int call(void *arg, gap_tl_object_t query, gap_call_cb callback, void *data)
{
    return client_call_once(arg, query, callback, data);
}

/* ---- what it tells ---- */

static void on_event(void *arg, gap_event_t event, const char *text)
{
    client_emit(arg, event, "%s", text);
}

static void on_row(void *arg, const gap_outbox_row_t *row)
{
    gap_client_t *c = arg;
    const gap_outbox_config_t *config = &c->settings.outbox;

    if (config->on_row != NULL && !c->closing) config->on_row(c, row, config->data);
}

static bool probe(void *arg, const gap_outbox_row_t *row, gap_tl_object_t query)
{
    gap_client_t *c = arg;
    const gap_outbox_config_t *config = &c->settings.outbox;

    if (config->probe == NULL || c->closing) return false;
    config->probe(c, row, query, config->data);
    return true;
}

static void on_opened(void *arg, int status, const char *text)
{
    gap_client_t *c = arg;

    if (status == 0) return;
    if (status == GAP_E_STATE || status == GAP_E_NOT_FOUND)
        client_fatal(c, status, 0,
                     "the outbox needs a storage with SQL: open it with gap_storage_sqlite, of a "
                     "library that was built with SQLite");
    else
        client_fatal(c, status, 0, "the outbox can't be opened: %s", text);
}

static void on_quiet(void *arg)
{
    gap_client_t *c = arg;
    gap_loop_signal(&c->rt, &c->loop); /* a shutdown may wait for it */
}

static const struct gap_outbox_hooks hooks = {
    .ready = is_ready,
    .address = address,
    .find = find,
    .call = call,
    .event = on_event,
    .row = on_row,
    .probe = probe,
    .opened = on_opened,
    .quiet = on_quiet,
};

/* ---- life ---- */

int client_outbox_open(gap_client_t *c)
{
    struct gap_outbox_hooks mine = hooks;
    struct gap_outbox_setup setup = {
        .store = c->store,
        .epoch = (int64_t)c->boot.record.epoch,
        .config = &c->settings.outbox,
        .hooks = &mine,
    };

    if (!c->settings.has_outbox || c->outbox != NULL || c->stopped) return 0;
    mine.arg = c;
    int r = gap_env_random(c->env, &setup.jitter_seed, sizeof setup.jitter_seed);
    if (r == 0) r = gap_outbox_open(&c->rt, &setup, &c->outbox);
    if (r == 0) gap_loop_hold(&c->loop);
    return r;
}

void client_outbox_signal(gap_client_t *c)
{
    if (c->outbox != NULL) gap_outbox_signal(c->outbox);
}

void client_outbox_stop(gap_client_t *c)
{
    if (c->outbox != NULL) gap_outbox_stop(c->outbox);
}

bool client_outbox_is_quiet(const gap_client_t *c)
{
    return c->outbox == NULL || gap_outbox_is_quiet(c->outbox);
}

static void on_closed(void *arg)
{
    gap_client_t *c = arg;

    c->outbox = NULL;
    if (c->closing) client_keep_close(c);
    gap_loop_drop(&c->rt, &c->loop);
}

void client_outbox_close(gap_client_t *c)
{
    if (c->outbox != NULL) gap_outbox_close(c->outbox, on_closed, c);
}

void client_outbox_update(gap_client_t *c, const gap_update_t *update)
{
    gap_tl_update_message_id_t id;

    if (c->outbox == NULL || gap_update_id(update) != GAP_TL_UPDATE_MESSAGE_ID) return;
    if (GAP_UPDATE_READ(update, GAP_TL_UPDATE_MESSAGE_ID, &id) == 0)
        gap_outbox_named(c->outbox, id.random_id, id.id);
}

/* gap_engine_config.own */
void client_outbox_own(void *data, const gap_update_t *update)
{
    client_outbox_update(data, update);
}

/* ---- commits that may hold rows ---- */

struct commit {
    gap_client_t *client;
    void (*done)(void *arg, int status, int result);
    void *arg;
};

static void on_committed(void *arg, int status, int result)
{
    struct commit commit = *(struct commit *)arg;
    gap_client_t *c = commit.client;

    gap_free(c->alloc, arg);
    if (status == 0 && result >= 0 && c->outbox != NULL) gap_outbox_look(c->outbox);
    commit.done(commit.arg, status, result);
}

int client_outbox_call(void *arg, const gap_call_record_t *record,
                       void (*done)(void *arg, int status, int result), void *done_arg)
{
    gap_client_t *c = arg;

    if (!c->settings.has_outbox) return gap_store_call(c->store, record, done, done_arg);
    struct commit *commit = gap_malloc(c->alloc, sizeof *commit);
    if (commit == NULL) return GAP_E_NOMEM;
    *commit = (struct commit){c, done, done_arg};
    int r = gap_store_call(c->store, record, on_committed, commit);
    if (r < 0) gap_free(c->alloc, commit);
    return r;
}

/* ---- the host's ---- */

static void on_wake(gap_env_post_t *post)
{
    gap_client_t *c = GAP_CONTAINER_OF(post, gap_client_t, outbox_post);

    atomic_store_explicit(&c->outbox_woken, false, memory_order_release);
    if (c->outbox != NULL) gap_outbox_look(c->outbox);
}

void gap_outbox_wake(gap_client_t *client)
{
    if (!client->settings.has_outbox) return;
    if (atomic_exchange_explicit(&client->outbox_woken, true, memory_order_acq_rel)) return;
    client->outbox_post.fn = on_wake;
    client->env->ops->post(client->env, &client->outbox_post);
}

int gap_outbox_probed(gap_client_t *client, int64_t row, bool happened)
{
    client_enter(client);
    return client->outbox == NULL ? GAP_E_NOT_FOUND
                                  : gap_outbox_happened(client->outbox, row, happened);
}

int gap_outbox_stats(const gap_client_t *client, gap_outbox_stats_t *out)
{
    client_enter(client);
    if (client->outbox == NULL) return GAP_E_STATE;
    gap_outbox_count(client->outbox, out);
    return 0;
}
