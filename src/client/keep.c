/*
 * client/keep.c - what outlives the process: the session file (keys, addresses, who) and the
 * storage (positions, peers), both by way of the store loop.
 *
 *   client_keep_open -> opened -> client_restored -> ... -> client_keep_close
 *   engine: changed -> touch -> collect -> put        c->session changed -> client_keep_session
 *
 * Owns c->store, and c->storage until the store loop takes it. A child of the client: it closes
 * when engine, runner, finder and links are gone, so that the last positions are stored.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"

/* ---- positions ---- */

static int put_state(void *arg, const gap_engine_state_t *state)
{
    gap_client_t *c = arg;
    const gap_record_t r = {
        .kind = GAP_RECORD_STATE,
        .u.state = {state->pts, state->qts, state->seq, state->date},
    };
    return gap_store_put(c->store, &r);
}

static int put_channel(void *arg, const gap_engine_channel_t *channel)
{
    gap_client_t *c = arg;
    const gap_record_t r = {
        .kind = GAP_RECORD_CHANNEL,
        .u.channel = {channel->id, channel->pts, channel->unfinished},
    };
    return gap_store_put(c->store, &r);
}

static int remove_channel(void *arg, int64_t channel_id)
{
    gap_client_t *c = arg;
    const gap_record_t r = {
        .kind = GAP_RECORD_CHANNEL,
        .removed = true,
        .u.channel = {.id = channel_id},
    };
    return gap_store_put(c->store, &r);
}

int client_keep_collect(gap_client_t *c)
{
    const gap_engine_collector_t to = {
        .channel = put_channel,
        .channel_gone = remove_channel,
        .state = put_state,
        .arg = c,
    };

    if (c->store == NULL || c->engine == NULL || !c->has_storage) return 0;
    /* Also when the runner has gone: what it finished last may lie above a position. */
    int r = c->journal == NULL ? 0 : gap_journal_collect(c->journal);
    return r < 0 ? r : gap_engine_collect(c->engine, &to);
}

void client_keep_changed(void *data)
{
    gap_client_t *c = data;
    if (c->store != NULL) gap_store_touch(c->store);
}

bool client_keep_has_begun(const gap_client_t *c)
{
    return c->store == NULL || !c->has_storage || c->store_closing || c->state_stored;
}

void client_keep_began(gap_client_t *c)
{
    c->state_stored = true; /* or it can't be now, which has been told and is tried again */
    client_run_go(c);
}

static void on_first_stored(void *arg, int status)
{
    if (status != GAP_E_CLOSED) client_keep_began(arg);
}

void client_keep_begin(gap_client_t *c)
{
    if (client_keep_has_begun(c)) return;
    /* Out of memory: the first difference can't be asked for before it has worked either. */
    int r = gap_store_flush(c->store, on_first_stored, c);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "the beginning is not stored now: %s", gap_strerror(r));
}

int client_keep_account(gap_client_t *c)
{
    const gap_record_t r = {
        .kind = GAP_RECORD_ACCOUNT,
        .u.account = {c->session.user_id, c->session.bot},
    };
    return c->store == NULL ? 0 : gap_store_put(c->store, &r);
}

/* ---- the session ---- */

static bool keeps_session(const gap_client_t *c)
{
    return c->store != NULL && !c->store_closing && c->settings.session[0] != 0;
}

int client_keep_session_then(gap_client_t *c, void (*saved)(void *arg, int status))
{
    if (keeps_session(c)) return gap_store_save_session(c->store, &c->session, saved, c);
    saved(c, 0);
    return 0;
}

void client_keep_session(gap_client_t *c)
{
    if (!keeps_session(c)) return;
    int r = gap_store_save_session(c->store, &c->session, NULL, NULL);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "the session is not saved now: %s", gap_strerror(r));
}

/* A stale salt costs one more round trip, so it is not saved by itself at once. */
void client_keep_salt(gap_client_t *c)
{
    struct gap_session_dc *d = client_dc(c, c->session.main_dc);

    if (c->link == NULL || c->link_closing || d == NULL || !d->has_key) return;
    uint64_t salt = gap_link_salt(c->link);
    if (salt == 0 || salt == d->salt) return;
    d->salt = salt;
    client_keep_session(c);
}

/* ---- the store ---- */

static const char *fault_text(int status, const gap_storage_fault_t *fault)
{
    return fault != NULL && fault->text[0] != 0 ? fault->text : gap_strerror(status);
}

static void on_opened(void *arg, int status, const struct gap_store_loaded *loaded,
                      const gap_storage_fault_t *fault)
{
    gap_client_t *c = arg;

    if (c->closing || c->state != CLIENT_OPENING) return;
    if (status < 0)
        client_fatal(c, status, 0, "can't start: %s", fault_text(status, fault));
    else
        client_restored(c, loaded);
}

static void on_failed(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *fault)
{
    gap_client_t *c = arg;
    gap_event_t event = {.kind = GAP_CLIENT_STORE_FAILED, .error = status, .us = retry_us};

    client_emit(c, event, "%s; trying again in %.1f s", fault_text(status, fault),
                (double)retry_us / 1e6);
}

static void on_recovered(void *arg)
{
    gap_client_t *c = arg;

    client_emit(c, (gap_event_t){.kind = GAP_CLIENT_STORE_RECOVERED}, "stored again");
    if (!c->closing) client_kept(c);
}

static int on_collect(void *arg)
{
    return client_keep_collect(arg);
}

static const struct gap_store_events store_events = {
    .opened = on_opened,
    .failed = on_failed,
    .recovered = on_recovered,
    .collect = on_collect,
};

int client_keep_open(gap_client_t *c)
{
    const struct gap_store_config config = {
        .storage = c->storage,
        .session_path = c->settings.session[0] != 0 ? c->settings.session : NULL,
    };

    int r = gap_store_open(&c->rt, &config, &store_events, c, &c->store);
    if (r < 0) return r;
    c->has_storage = c->storage != NULL;
    c->storage = NULL;
    gap_loop_hold(&c->loop);
    return 0;
}

static void on_closed(void *arg, int last_status)
{
    gap_client_t *c = arg;

    c->store = NULL;
    client_run_fini(c);
    if (last_status < 0)
        gap_rt_log(&c->rt, GAP_LOG_ERROR,
                   "the last changes could not be stored (%s); the next start asks for them again",
                   gap_strerror(last_status));
    gap_loop_drop(&c->rt, &c->loop);
}

void client_keep_close(gap_client_t *c)
{
    if (c->store == NULL || c->store_closing) return;
    if (c->engine != NULL || c->runner != NULL || c->link != NULL || c->finder != NULL ||
        c->links.open || c->outbox != NULL)
        return; /* they come first */
    client_boot_end(c);
    c->store_closing = true;
    gap_store_close(c->store, on_closed, c);
}

void client_keep_free(gap_client_t *c)
{
    if (c->storage != NULL) c->storage->ops->destroy(c->storage);
    c->storage = NULL;
}
