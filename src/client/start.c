/*
 * client/start.c - the order in which a client starts.
 *
 *   IDLE --start--> OPENING (keep.c) --nothing stored--> SIGNING_IN (sign_in.c) -> SAVING --.
 *           |                        \--a session--> RESUMING --connected--> SIGNED_IN <----'
 *           \--nothing is kept--> SIGNING_IN
 *
 * A storage or a session that belongs to somebody else ends the start before anything is sent or
 * written. Owns nothing. After any call into the host the client may be closing.
 *
 * Signed in is told after the session was saved: who hears it still is signed in after a restart. A
 * session that has ended forgets its key and keeps positions and addresses, which are good for the
 * next sign-in of the same account.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNAUTHORIZED 401

/* ---- beginning ---- */

/* Connect, and sign in or go on. */
static int begin(gap_client_t *c, enum client_state state)
{
    int r = state == CLIENT_SIGNING_IN ? client_sign_in_begin(c) : 0;
    if (r < 0) return r;
    r = client_connect(c);
    if (r == 0)
        c->state = state;
    else
        client_sign_in_end(c);
    return r;
}

int gap_client_start(gap_client_t *client)
{
    client_enter(client);
    if (client->env_ops->forked(client->env)) return GAP_E_FORKED;
    if (client->closing) return GAP_E_CLOSED;
    if (client->state != CLIENT_IDLE || client->stopped) return GAP_E_STATE;
    client->session.network = (int32_t)client->settings.network;
    client->session.api_id = client->settings.api_id;
    client->session.main_dc = client->settings.dc;
    if (client->storage == NULL && client->settings.session[0] == 0)
        return begin(client, CLIENT_SIGNING_IN);
    int r = client_keep_open(client);
    if (r == 0) client->state = CLIENT_OPENING;
    return r;
}

/* ---- the engine ---- */

static int open_engine(gap_client_t *c, const gap_engine_state_t *state,
                       const struct gap_store_loaded *loaded)
{
    uint64_t seed = 0;
    gap_engine_config_t config = {
        .alloc = c->alloc,
        .self_id = c->session.user_id,
        .bot = c->session.bot,
        .gap_wait_us = c->settings.gap_wait_us,
        .gap_wait_lambda_us = c->settings.gap_wait_lambda_us,
        .no_own_updates = c->settings.no_own_updates,
        .tap = c->settings.tap,
        .tap_data = c->settings.tap_data,
        .gap_continue = c->settings.gap_continue,
        .tail_sweep = c->settings.tail_sweep,
        .invoke = client_invoke,
        .invoke_arg = c,
        .handler = client_run_take,
        .handler_data = c,
        .press = client_run_press,
        .press_data = c,
        .event = client_on_engine_event,
        .event_data = c,
        .state = state,
        .changed = c->has_storage ? client_keep_changed : NULL,
        .changed_data = c,
        .peers = client_on_engine_peers,
        .peers_data = c,
        .own = client_outbox_own,
        .own_data = c,
    };

    int r = gap_env_random(c->env, &seed, sizeof seed);
    if (r < 0) return r;
    config.jitter_seed = seed;
    r = client_run_open(c, loaded);
    if (r < 0) return r;
    r = gap_engine_open_on(&c->rt, &config, &c->engine);
    if (r < 0) {
        client_run_close(c);
        return r;
    }
    gap_loop_hold(&c->loop);
    client_run_begin(c);
    client_people_begin(c, c->has_storage ? c->store : NULL);
    return 0;
}

static int open_with_channels(gap_client_t *c, const struct gap_store_loaded *loaded,
                              gap_engine_channel_t *channels)
{
    const gap_engine_state_t state = {
        .pts = loaded->state.pts,
        .qts = loaded->state.qts,
        .seq = loaded->state.seq,
        .date = loaded->state.date,
        .channels = channels,
        .channel_count = loaded->channel_count,
    };

    for (size_t i = 0; i < loaded->channel_count; i++)
        channels[i] = (gap_engine_channel_t){.id = loaded->channels[i].id,
                                             .pts = loaded->channels[i].pts,
                                             .unfinished = loaded->channels[i].unfinished};
    return open_engine(c, loaded->has_state ? &state : NULL, loaded);
}

/* An engine that goes on where the stored one was, with the peers it knew. */
static int restore_engine(gap_client_t *c, const struct gap_store_loaded *loaded)
{
    gap_engine_channel_t *channels = NULL;

    if (loaded->channel_count > 0) {
        channels = gap_calloc(c->alloc, loaded->channel_count, sizeof *channels);
        if (channels == NULL) return GAP_E_NOMEM;
    }
    int r = open_with_channels(c, loaded, channels);
    gap_free(c->alloc, channels);
    for (size_t i = 0; r == 0 && i < loaded->peer_count; i++) {
        r = client_book_know(&c->book, &loaded->peers[i]);
        if (r == GAP_E_LIMIT || r == GAP_E_ARGUMENT) r = 0; /* it will be learned again */
    }
    return r;
}

/* ---- what was stored ---- */

/* A bot's token begins with its id. */
static int64_t token_id(const gap_client_t *c)
{
    return strtoll(c->settings.bot_token, NULL, 10);
}

/* May this session be used with this configuration? If not, that has been told. */
static bool session_fits(gap_client_t *c, const struct gap_session_data *d)
{
    static const char *const networks[] = {"servers of your own", "Telegram's servers",
                                           "Telegram's test servers"};
    int64_t bot = token_id(c);
    const char *file = c->settings.session;

    if (d->main_dc == 0) return true; /* nothing in it */
    if (d->network != (int32_t)c->settings.network) {
        bool named = d->network >= 0 && d->network < (int32_t)GAP_ARRAY_LEN(networks);
        client_fatal(c, GAP_E_ACCOUNT, 0,
                     "the session in %s is for %s; give another session file, or that network",
                     file, named ? networks[d->network] : "another network");
    } else if (d->api_id != c->settings.api_id && d->api_id != 0 && c->settings.api_id != 0) {
        client_fatal(c, GAP_E_ACCOUNT, 0,
                     "the session in %s was made with api_id %d, not %d; give that one, or another "
                     "session file",
                     file, d->api_id, c->settings.api_id);
    } else if (d->user_id != 0 && bot != 0 && d->user_id != bot) {
        client_fatal(c, GAP_E_ACCOUNT, 0,
                     "the session in %s is of account %lld, the token of bot %lld; give each "
                     "account a session file of its own",
                     file, (long long)d->user_id, (long long)bot);
    } else {
        return true;
    }
    return false;
}

/* Is the storage this account's? If not, that has been told. */
static bool storage_fits(gap_client_t *c, int64_t user_id)
{
    if (c->stored_id == 0 || user_id == 0 || c->stored_id == user_id) return true;
    client_fatal(c, GAP_E_ACCOUNT, 0,
                 "the storage belongs to account %lld, not to %lld; give each account a storage of "
                 "its own",
                 (long long)c->stored_id, (long long)user_id);
    return false;
}

static void take_session(gap_client_t *c, const struct gap_session_data *d)
{
    if (d->main_dc == 0) return;
    c->session = *d;
    if (c->settings.api_id == 0) c->settings.api_id = d->api_id;
    c->session.api_id = c->settings.api_id;
    struct gap_session_dc *main_dc = client_dc(c, c->session.main_dc);
    if (main_dc == NULL || !main_dc->has_key || !main_dc->authorised) c->session.user_id = 0;
}

/* Telegram wants to know which program signs in. If that can't be said, it has been told. */
static bool may_sign_in(gap_client_t *c)
{
    const struct client_settings *s = &c->settings;

    if (s->network == GAP_NETWORK_CUSTOM || (s->api_id != 0 && s->api_hash[0] != 0)) return true;
    client_fatal(c, GAP_E_ARGUMENT, 0,
                 "the session in %s is not signed in, and a sign-in needs api_id and api_hash; get "
                 "yours from https://my.telegram.org/apps",
                 s->session);
    return false;
}

void client_restored(gap_client_t *c, const struct gap_store_loaded *loaded)
{
    const struct gap_session_data *d = loaded->session;
    int64_t user_id = d->user_id != 0 ? d->user_id : token_id(c);
    int r = 0;

    if (loaded->has_account) c->stored_id = loaded->account.user_id;
    c->state_stored = loaded->has_state;
    r = client_boot_loaded(c, loaded);
    if (!session_fits(c, d) || !storage_fits(c, user_id)) return;
    take_session(c, d);
    bool resumes = c->session.user_id != 0;
    if (r == 0 && resumes) r = client_boot(c);
    if (loaded->has_account && !resumes) { /* whose engine it will be, if that one signs in */
        c->session.user_id = loaded->account.user_id;
        c->session.bot = loaded->account.bot;
    }
    if (r == 0 && c->session.user_id != 0 && !c->stopped) r = restore_engine(c, loaded);
    if (!resumes) c->session.user_id = 0;
    if (r == 0 && !resumes && !may_sign_in(c)) return;
    if (r == 0) r = begin(c, resumes ? CLIENT_RESUMING : CLIENT_SIGNING_IN);
    if (r < 0) client_fatal(c, r, 0, "can't start: %s", gap_strerror(r));
}

/* ---- signed in ---- */

static void go_on(gap_client_t *c)
{
    int r = client_boot(c);

    if (r == 0 && !client_boot_is_stored(c)) return; /* client_booted */
    if (r == 0) r = client_keep_account(c);
    if (r == 0 && c->engine == NULL && !c->stopped) r = open_engine(c, NULL, NULL);
    if (r == 0 && c->engine != NULL && !c->stopped) r = client_run_replay(c);
    if (r == 0) r = client_links_open(c);
    if (r == 0) r = client_outbox_open(c);
    if (r < 0) {
        client_fatal(c, r, 0, "updates can't be started: %s", gap_strerror(r));
        return;
    }
    c->state = CLIENT_SIGNED_IN;
    client_emit(c, (gap_event_t){.kind = GAP_CLIENT_SIGNED_IN, .user_id = c->session.user_id},
                "signed in as %s %lld", c->session.bot ? "bot" : "user",
                (long long)c->session.user_id);
    if (c->closing || c->stopped) return; /* the host's answer to the event */
    gap_engine_start(c->engine);
    client_outbox_signal(c);
}

void client_connected(gap_client_t *c)
{
    if (c->state == CLIENT_SIGNING_IN) client_sign_in(c);
    if (c->state == CLIENT_RESUMING) go_on(c);
}

void client_kept(gap_client_t *c)
{
    if (c->state == CLIENT_SAVING) go_on(c);
}

void client_booted(gap_client_t *c)
{
    bool resumes = c->state == CLIENT_RESUMING && c->was_ready;
    if (resumes || c->state == CLIENT_SAVING) go_on(c);
}

/* If it could not be saved that has been told, and client_kept comes when it is. */
static void on_session_saved(void *arg, int status)
{
    gap_client_t *c = arg;
    if (status == 0 && !c->closing) client_kept(c);
}

/* A token that may stand for a code at the next sign-in. The oldest goes; one that is too long is
 * not kept. */
static void keep_token(gap_client_t *c, gap_bytes_t token)
{
    struct gap_session_data *d = &c->session;

    if (token.len == 0 || token.len > GAP_SESSION_TOKEN_BYTES) return;
    if (d->token_count == GAP_SESSION_TOKENS_MAX) {
        d->token_count--;
        memmove(d->tokens[0], d->tokens[1], d->token_count * sizeof d->tokens[0]);
        memmove(&d->token_lens[0], &d->token_lens[1], d->token_count * sizeof d->token_lens[0]);
    }
    memcpy(d->tokens[d->token_count], token.data, token.len);
    d->token_lens[d->token_count++] = token.len;
}

/* @return 0 with *user and *token (perhaps empty) set. */
static int read_authorization(gap_bytes_t bytes, gap_tl_user_t *user, gap_bytes_t *token)
{
    gap_tl_auth_authorization_t auth;

    int64_t used = gap_tl_read(bytes, GAP_TL_AUTH_AUTHORIZATION, &auth, sizeof auth);
    if (used >= 0) used = GAP_TL_READ(auth.user, GAP_TL_USER, user);
    if (used < 0) return (int)used;
    *token = auth.future_auth_token;
    return 0;
}

void client_authorised(gap_client_t *c, gap_bytes_t authorization)
{
    gap_bytes_t token = {NULL, 0};
    gap_tl_user_t user;

    int r = read_authorization(authorization, &user, &token);
    if (r < 0) {
        client_fatal(c, r, 0, "the server's answer to the sign-in can't be read: %s",
                     gap_strerror(r));
        return;
    }
    if (!storage_fits(c, user.id)) return;
    keep_token(c, token);
    c->session.user_id = user.id;
    c->session.bot = (user.flags & GAP_TL_USER_F_BOT) != 0;
    struct gap_session_dc *d = client_dc(c, c->session.main_dc);
    if (d != NULL) d->authorised = true;
    c->state = CLIENT_SAVING;
    r = client_keep_session_then(c, on_session_saved);
    if (r < 0) client_fatal(c, r, 0, "the session can't be saved: %s", gap_strerror(r));
}

/* ---- signed out ---- */

void client_drop_key(gap_client_t *c)
{
    struct gap_session_dc *d = client_dc(c, c->session.main_dc);

    if (d != NULL) {
        gap_wipe(d->key, sizeof d->key);
        d->has_key = false;
        d->authorised = false;
        d->salt = 0;
    }
    c->session.user_id = 0;
    client_keep_session(c);
}

static void tell_signed_out(void *arg, int status)
{
    gap_client_t *c = arg;
    gap_event_t event = {
        .kind = GAP_CLIENT_SIGNED_OUT,
        .error = c->ended.code == 0 ? 0 : GAP_E_UNAUTHORIZED,
        .rpc_code = c->ended.code,
    };

    (void)status; /* that it could not be saved is told by itself */
    if (c->closing) return;
    if (c->ended.name[0] == 0)
        client_emit(c, event, "%s", c->ended.text);
    else
        client_emit(c, event, "%s (%d %s)", c->ended.text, c->ended.code, c->ended.name);
}

void client_signed_out(gap_client_t *c, int32_t code, gap_bytes_t name)
{
    if (c->state != CLIENT_SIGNED_IN && c->state != CLIENT_RESUMING) return;
    if (c->logging_out && code == UNAUTHORIZED) return; /* of course: the answer is on its way */
    c->state = CLIENT_SIGNED_OUT;
    c->ended.code = code;
    c->ended.text = client_ended(name);
    (void)snprintf(c->ended.name, sizeof c->ended.name, "%.*s", (int)name.len,
                   (const char *)name.data);
    client_close_engine(c);
    client_links_close(c);
    client_close_link(c);
    client_dcs_forget(c);
    client_drop_key(c);
    int r = client_keep_session_then(c, tell_signed_out);
    if (r < 0) tell_signed_out(c, r);
}

/* ---- log-out ---- */

static void on_logged_out(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;
    gap_tl_auth_logged_out_t out;

    (void)call;
    c->logging_out = false;
    if (c->closing || c->state != CLIENT_SIGNED_IN) return; /* it ended another way */
    if (result->status == GAP_E_RPC && result->error_code == UNAUTHORIZED) {
        client_signed_out(c, 0, gap_bytes("", 0)); /* it was already */
        return;
    }
    if (result->status == 0) {
        int64_t used = gap_tl_read(result->value, GAP_TL_AUTH_LOGGED_OUT, &out, sizeof out);
        if (used > 0) keep_token(c, out.future_auth_token);
        client_signed_out(c, 0, gap_bytes("", 0));
        return;
    }
    client_emit(c,
                (gap_event_t){.kind = GAP_CLIENT_ERROR,
                              .error = result->status,
                              .rpc_code = result->error_code},
                "still signed in, the log-out failed: %s; try again", gap_strerror(result->status));
}

int gap_client_log_out(gap_client_t *client)
{
    static const gap_tl_auth_log_out_t query = {0};

    client_enter(client);
    if (client->env_ops->forked(client->env)) return GAP_E_FORKED;
    if (client->closing || client->state == CLIENT_FATAL) return GAP_E_CLOSED;
    if (client->state != CLIENT_SIGNED_IN || client->link == NULL || client->link_closing ||
        client->logging_out)
        return GAP_E_STATE;
    int r = gap_link_call(client->link, GAP_TL_OF(GAP_TL_AUTH_LOG_OUT, &query), NULL, on_logged_out,
                          client, NULL);
    client->logging_out = r == 0;
    return r;
}
