/*
 * client/run.c - from the engine to the host's handlers, by way of the runner; and what the runner
 * tells, in the host's words.
 *
 *   engine -> client_run_take -> runner: lanes -> handle -> on_update, on_message
 *
 * No handler is called with what comes before the account's first positions are stored: after a
 * kill the next life would begin behind it.
 *
 * The runner is opened with the engine and closed with it: a child of the client. It lives until
 * the last handler is through. Owns c->runner. After any call into the host the client may be
 * closing, never gone.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "sequence/update.h"

#include <stdio.h>
#include <string.h>

/* ---- the host's handlers, as one ---- */

/* The raw handler first; message handlers see what it leaves alone. */
static int handle(gap_update_t *update, void *data)
{
    gap_client_t *c = data;
    gap_message_t message;

    if (update->via == GAP_VIA_JOURNAL) client_people_update(c, update);
    if (c->on_update != NULL) {
        int r = c->on_update(update, c->update_data);
        if (r != 0) return r;
    }
    if (c->on_message == NULL || c->stopped) return 0;
    int r = gap_message_read(update, &message);
    if (r == GAP_NO_MESSAGE) return 0;
    return r < 0 ? r : c->on_message(update, &message, c->message_data);
}

/* gap_engine_config.handler */
int client_run_take(gap_update_t *update, void *data)
{
    gap_client_t *c = data;

    if (gap_update_id(update) == GAP_TL_UPDATE_DC_OPTIONS) client_links_ask_config(c);
    client_people_update(c, update);
    client_outbox_update(c, update);
    return gap_runner_take(update, c->runner);
}

/* ---- what it tells ---- */

static gap_event_t event_of(gap_event_kind_t kind, const struct gap_runner_event *e)
{
    return (gap_event_t){
        .kind = kind,
        .error = e->error,
        .us = e->us,
        .count = e->count,
        .attempt = e->attempt,
        .update = e->update,
    };
}

static const char *name_of(const struct gap_runner_event *e)
{
    const char *name = e->update == NULL ? NULL : gap_tl_name(gap_update_id(e->update));
    return name == NULL ? "an update" : name;
}

static void on_overload(gap_client_t *c, const struct gap_runner_event *e)
{
    gap_event_t event = event_of(GAP_CLIENT_OVERLOADED, e);

    event.held = e->kind == GAP_RUNNER_OVERLOADED;
    client_emit(c, event,
                event.held ? "%llu updates wait for handlers, no more are taken: make handlers "
                             "faster, or let more of them run at a time"
                           : "updates are taken again, %llu wait",
                (unsigned long long)e->count);
}

/* "; again in 1.5 s", or nothing for the last attempt. */
static const char *again(const struct gap_runner_event *e, char *out, size_t len)
{
    out[0] = 0;
    if (e->us > 0) (void)snprintf(out, len, "; again in %.1f s", (double)e->us / 1e6);
    return out;
}

static void on_event(void *arg, const struct gap_runner_event *e)
{
    gap_client_t *c = arg;
    char next[40];

    switch (e->kind) {
    case GAP_RUNNER_FAILED:
        if (c->stopped && e->error == GAP_E_CLOSED) break; /* the host has given it up at the end */
        client_emit(c, event_of(GAP_CLIENT_HANDLER_FAILED, e),
                    "a handler failed at attempt %u (%s, %d): %s%s", e->attempt,
                    gap_strerror(e->error), e->error, name_of(e), again(e, next, sizeof next));
        break;
    case GAP_RUNNER_TIMED_OUT:
        client_emit(c, event_of(GAP_CLIENT_HANDLER_TIMEOUT, e),
                    "a handler took too long at attempt %u: %s%s", e->attempt, name_of(e),
                    again(e, next, sizeof next));
        break;
    case GAP_RUNNER_DEAD:
        client_emit(c, event_of(GAP_CLIENT_DEAD_LETTER, e),
                    "%s was given up after %u attempts (%s); gap_runner_dead_letters lists it, "
                    "gap_runner_redrive tries again",
                    name_of(e), e->attempt, e->reason != NULL ? e->reason : gap_strerror(e->error));
        break;
    case GAP_RUNNER_STUCK:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e),
                    "%llu threads are in handlers that took too long, and what needs a thread "
                    "waits: let these handlers return",
                    (unsigned long long)e->count);
        break;
    case GAP_RUNNER_SLOW:
        client_emit(
            c, event_of(GAP_CLIENT_HANDLER_TIMEOUT, e),
            "a transaction takes long at attempt %u: %s; it is waited for until it is known "
            "what became of it",
            e->attempt, name_of(e));
        break;
    default:
        on_overload(c, e);
    }
}

void client_run_hold(gap_client_t *c, unsigned why, bool on)
{
    bool was_held = c->held != 0;

    c->held = on ? c->held | why : c->held & ~why;
    if (c->engine == NULL || c->stopped || was_held == (c->held != 0)) return;
    gap_engine_hold(c->engine, c->held != 0);
}

/* gap_runner_hooks.hold */
static void hold(void *arg, bool on)
{
    client_run_hold(arg, HELD_BY_RUNNER, on);
}

/* gap_engine_config.press */
void client_run_press(void *data, gap_update_t *oldest)
{
    gap_client_t *c = data;
    gap_runner_press(c->runner, oldest);
}

/* ---- life ---- */

static int open_journal(gap_client_t *c, const struct gap_store_loaded *loaded)
{
    struct gap_journal_config config = {
        .store = c->store,
        .account = c->session.user_id,
        .epoch = c->boot.record.epoch,
        .unclean = c->boot.unclean,
        .mode = c->settings.runner.journal,
        .after_us = c->settings.runner.journal_after_us,
        .attempts_max = c->settings.runner.attempts_max,
    };

    if (!c->has_storage) return 0;
    if (loaded != NULL) {
        config.dones = loaded->dones;
        config.done_count = loaded->done_count;
        config.inbox = loaded->inbox;
        config.inbox_count = loaded->inbox_count;
    }
    memcpy(config.secret, c->boot.record.secret, sizeof config.secret);
    int r = gap_journal_open(&c->rt, &config, &c->journal);
    gap_wipe(config.secret, sizeof config.secret);
    return r;
}

static int open_runner(gap_client_t *c)
{
    struct gap_runner_hooks hooks = {
        .handler = handle,
        .handler_data = c,
        .event = on_event,
        .hold = hold,
        .arg = c,
        .journal = c->journal,
        .call = c->has_storage ? client_outbox_call : NULL,
        .call_arg = c,
        .client = c,
        .user_id = c->session.user_id,
    };

    int r = gap_env_random(c->env, &hooks.jitter_seed, sizeof hooks.jitter_seed);
    if (r == 0) r = gap_runner_open(&c->rt, &c->settings.runner, &hooks, &c->runner);
    if (r == 0) gap_loop_hold(&c->loop);
    return r;
}

int client_run_open(gap_client_t *c, const struct gap_store_loaded *loaded)
{
    int r = gap_eid_key_init(&c->boot.key, c->boot.record.secret, c->session.user_id);

    if (r == 0) r = open_journal(c, loaded);
    return r < 0 ? r : open_runner(c);
}

void client_run_begin(gap_client_t *c)
{
    if (c->journal == NULL) return;
    gap_journal_engine(c->journal, c->engine);
    if (c->settings.runner.journal != GAP_JOURNAL_LIGHT) gap_engine_queries_first(c->engine);
    gap_runner_shut(c->runner, true);
    client_run_hold(c, HELD_BY_REPLAY, true); /* what is pushed by then, too */
}

void client_run_go(gap_client_t *c)
{
    if (c->runner != NULL && c->replayed && client_keep_has_begun(c))
        gap_runner_shut(c->runner, false);
}

static void on_replayed(void *arg, int status)
{
    gap_client_t *c = arg;

    if (status < 0) return;
    c->replayed = true;
    client_run_hold(c, HELD_BY_REPLAY, false);
    client_run_go(c);
}

int client_run_replay(gap_client_t *c)
{
    return c->journal == NULL ? 0 : gap_runner_replay(c->runner, on_replayed, c);
}

void client_run_without_engine(gap_client_t *c)
{
    if (c->journal != NULL) gap_journal_engine(c->journal, NULL);
}

void client_run_fini(gap_client_t *c)
{
    if (c->journal != NULL) gap_journal_close(c->journal);
    c->journal = NULL;
}

static void on_closed(void *arg)
{
    gap_client_t *c = arg;

    c->runner = NULL;
    if (c->closing) client_keep_close(c);
    gap_loop_drop(&c->rt, &c->loop);
}

void client_run_close(gap_client_t *c)
{
    if (c->runner != NULL) gap_runner_close(c->runner, on_closed, c);
}

gap_runner_t *gap_client_runner(gap_client_t *client)
{
    client_enter(client);
    bool open = !client->stopped && !client->closing && client->state != CLIENT_FATAL;
    return open ? client->runner : NULL;
}
