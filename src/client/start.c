/*
 * client/start.c - the order in which a client starts: connect, sign in, then the engine.
 *
 *   gap_client_start -> connect -> sign in (sign_in.c) -> engine
 *                                     -> elsewhere: move (link.c), and again
 *
 * Owns nothing. After any call into the host the client may be closing.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

int gap_client_start(gap_client_t *client)
{
    client_enter(client);
    if (client->env_ops->forked(client->env)) return GAP_E_FORKED;
    if (client->closing) return GAP_E_CLOSED;
    if (client->state != CLIENT_IDLE || client->stopped) return GAP_E_STATE;
    int r = client_sign_in_begin(client);
    if (r < 0) return r;
    client->session.network = (int32_t)client->settings.network;
    client->session.api_id = client->settings.api_id;
    client->session.main_dc = client->settings.dc;
    r = client_connect(client);
    if (r == 0)
        client->state = CLIENT_SIGNING_IN;
    else
        client_sign_in_end(client);
    return r;
}

void client_connected(gap_client_t *c)
{
    if (c->state == CLIENT_SIGNING_IN) client_sign_in(c);
}

/* ---- the engine ---- */

static int start_engine(gap_client_t *c)
{
    uint64_t seed = 0;
    gap_engine_config_t config = {
        .alloc = c->alloc,
        .rt = &c->rt,
        .self_id = c->session.user_id,
        .bot = c->session.bot,
        .gap_wait_us = c->settings.gap_wait_us,
        .invoke = client_invoke,
        .invoke_arg = c,
        .handler = client_on_engine_update,
        .handler_data = c,
        .event = client_on_engine_event,
        .event_data = c,
        .peers = client_on_engine_peers,
        .peers_data = c,
    };

    int r = gap_env_random(c->env, &seed, sizeof seed);
    if (r < 0) return r;
    config.jitter_seed = seed;
    r = gap_engine_open(&config, &c->engine);
    if (r < 0) return r;
    gap_loop_hold(&c->loop);
    client_people_begin(c, NULL);
    gap_engine_start(c->engine);
    return 0;
}

/* ---- signed in and out ---- */

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
}

static int read_user(gap_client_t *c, gap_bytes_t authorization)
{
    gap_tl_auth_authorization_t auth;
    gap_tl_user_t user;

    int64_t used = gap_tl_read(authorization, GAP_TL_AUTH_AUTHORIZATION, &auth, sizeof auth);
    if (used < 0) return (int)used;
    used = GAP_TL_READ(auth.user, GAP_TL_USER, &user);
    if (used < 0) return (int)used;
    c->session.user_id = user.id;
    keep_token(c, auth.future_auth_token);
    c->session.bot = (user.flags & GAP_TL_USER_F_BOT) != 0;
    return 0;
}

void client_authorised(gap_client_t *c, gap_bytes_t authorization)
{
    int r = read_user(c, authorization);
    if (r < 0) {
        client_fatal(c, r, 0, "the server's answer to the sign-in can't be read: %s",
                     gap_strerror(r));
        return;
    }
    struct gap_session_dc *d = client_dc(c, c->session.main_dc);
    if (d != NULL) d->authorised = true;
    c->state = CLIENT_SIGNED_IN;
    client_emit(c, (gap_event_t){.kind = GAP_CLIENT_SIGNED_IN, .user_id = c->session.user_id},
                "signed in as %s %lld", c->session.bot ? "bot" : "user",
                (long long)c->session.user_id);
    if (c->closing || c->stopped) return; /* the host's answer to the event */
    r = start_engine(c);
    if (r < 0) client_fatal(c, r, 0, "updates can't be started: %s", gap_strerror(r));
}

void client_signed_out(gap_client_t *c, int32_t code, gap_bytes_t name)
{
    gap_event_t event = {
        .kind = GAP_CLIENT_SIGNED_OUT, .error = GAP_E_UNAUTHORIZED, .rpc_code = code};

    if (c->state != CLIENT_SIGNED_IN) return;
    c->state = CLIENT_SIGNED_OUT;
    client_emit(c, event, "the server has ended the session: %.*s; sign in again", (int)name.len,
                (const char *)name.data);
}
