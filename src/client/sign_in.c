/*
 * client/sign_in.c - from nothing to a signed-in account: connect, auth.importBotAuthorization,
 * move to the account's own data centre if the server says so, then start the engine.
 *
 *   connect -> sign in -> auth.authorization -> engine
 *                      -> X_MIGRATE_N -> (help.getConfig, if the address isn't published)
 *                                     -> close the link -> connect there
 *                      -> anything else: fatal, with what to do about it
 *
 * The link waits and repeats on FLOOD_WAIT and 5xx by itself; what arrives here is final.
 */
#include "client/client.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

/* Telegram's test servers carry this much more in the handshake. */
#define TEST_DC_OFFSET 10000

static int sign_in(gap_client_t *c);

/* ---- the link ---- */

int client_connect(gap_client_t *c)
{
    const struct client_settings *s = &c->settings;
    gap_addr_t addr;
    bool published = client_published_address(s->network, s->dc, &addr);
    struct gap_link_config config = {
        .addrs = &addr,
        .addr_count = published ? 1 : 0,
        .host = s->host,
        .port = s->port,
        .transport = s->transport,
        .dc_id = s->network == GAP_NETWORK_TEST ? s->dc + TEST_DC_OFFSET : s->dc,
        .rsa_pems = s->pems,
        .rsa_count = s->pem_count,
        .layer = GAP_TL_LAYER,
        .device =
            {
                .api_id = s->api_id,
                .device_model = s->device_model,
                .system_version = s->system_version,
                .app_version = s->app_version,
                .system_lang_code = s->lang_code,
                .lang_pack = "",
                .lang_code = s->lang_code,
            },
    };

    int r = gap_link_open(&c->rt, &config, &client_link_events, c, &c->link);
    if (r < 0) return r;
    gap_loop_hold(&c->loop);
    c->was_ready = false;
    c->state = CLIENT_SIGNING_IN;
    r = sign_in(c);
    if (r < 0) {
        c->state = CLIENT_FATAL;
        client_close_link(c);
    }
    return r;
}

/* ---- the engine ---- */

static int start_engine(gap_client_t *c)
{
    uint64_t seed = 0;
    gap_engine_config_t config = {
        .alloc = c->alloc,
        .rt = &c->rt,
        .self_id = c->self_id,
        .bot = c->bot,
        .gap_wait_us = c->settings.gap_wait_us,
        .invoke = client_invoke,
        .invoke_arg = c,
        .handler = client_on_engine_update,
        .handler_data = c,
        .event = client_on_engine_event,
        .event_data = c,
    };

    int r = gap_env_random(c->env, &seed, sizeof seed);
    if (r < 0) return r;
    config.jitter_seed = seed;
    r = gap_engine_open(&config, &c->engine);
    if (r < 0) return r;
    gap_loop_hold(&c->loop);
    gap_engine_start(c->engine);
    return 0;
}

static int read_user(gap_client_t *c, gap_bytes_t value)
{
    gap_tl_auth_authorization_t auth;
    gap_tl_user_t user;

    int64_t used = gap_tl_read(value, GAP_TL_AUTH_AUTHORIZATION, &auth, sizeof auth);
    if (used < 0) return (int)used;
    used = GAP_TL_READ(auth.user, GAP_TL_USER, &user);
    if (used < 0) return (int)used;
    c->self_id = user.id;
    c->bot = (user.flags & GAP_TL_USER_F_BOT) != 0;
    return 0;
}

static void signed_in(gap_client_t *c, const struct gap_call_result *result)
{
    int r = read_user(c, result->value);
    if (r < 0) {
        client_fatal(c, r, 0, "the server's answer to the sign-in can't be read: %s",
                     gap_strerror(r));
        return;
    }
    c->state = CLIENT_SIGNED_IN;
    client_emit(c, (gap_event_t){.kind = GAP_CLIENT_SIGNED_IN, .user_id = c->self_id},
                "signed in as %s %lld", c->bot ? "bot" : "user", (long long)c->self_id);
    if (c->closing || c->stopped) return; /* the host's answer to the event */
    r = start_engine(c);
    if (r < 0) client_fatal(c, r, 0, "updates can't be started: %s", gap_strerror(r));
}

/* ---- moving to another data centre ---- */

static void move_to(gap_client_t *c)
{
    c->state = CLIENT_MOVING;
    client_close_link(c);
}

void client_moved(gap_client_t *c)
{
    int r = client_connect(c);
    if (r < 0)
        client_fatal(c, r, 0, "can't connect to data centre %d: %s", c->settings.dc,
                     gap_strerror(r));
}

/* Take the address of a data centre from a config: IPv4, for everything. @return 1, 0 none there,
 * negative. */
static int address_of(gap_bytes_t value, int32_t dc, gap_tl_dc_option_t *out)
{
    const uint32_t special = GAP_TL_DC_OPTION_F_IPV6 | GAP_TL_DC_OPTION_F_MEDIA_ONLY |
                             GAP_TL_DC_OPTION_F_TCPO_ONLY | GAP_TL_DC_OPTION_F_CDN;
    gap_tl_config_t config;
    gap_tl_object_t object;

    int64_t used = gap_tl_read(value, GAP_TL_CONFIG, &config, sizeof config);
    if (used < 0) return (int)used;
    gap_tl_iter_t it = gap_tl_iter(config.dc_options);
    int r;
    while ((r = gap_tl_next(&it, &object)) > 0) {
        used = GAP_TL_READ(object, GAP_TL_DC_OPTION, out);
        if (used < 0) return (int)used;
        if (out->id == dc && (out->flags & special) == 0 && out->port > 0 && out->port < 65536)
            return 1;
    }
    return r;
}

static void on_config(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;
    gap_tl_dc_option_t option = {0};

    (void)call;
    if (c->closing || c->state != CLIENT_LOOKING_UP) return;
    int r = result->status;
    if (r == 0) r = address_of(result->value, c->settings.dc, &option);
    if (r == 0) r = GAP_E_NOT_FOUND;
    if (r > 0) r = client_settings_set_host(&c->settings, c->alloc, option.ip_address);
    if (r == 0) c->settings.port = (uint16_t)option.port;
    if (r < 0) {
        client_fatal(c, r, result->error_code,
                     "the account lives in data centre %d, whose address the server does not tell: "
                     "%s",
                     c->settings.dc, gap_strerror(r));
        return;
    }
    move_to(c);
}

static void migrate(gap_client_t *c, int32_t dc)
{
    static const gap_tl_help_get_config_t query = {0};
    gap_addr_t addr;

    if (++c->moves > GAP_CLIENT_MOVES_MAX) {
        client_fatal(c, GAP_E_PROTOCOL, 0,
                     "the servers send the sign-in from one data centre to the next");
        return;
    }
    gap_rt_log(&c->rt, GAP_LOG_INFO, "the account lives in data centre %d", dc);
    c->settings.dc = dc;
    if (client_published_address(c->settings.network, dc, &addr)) {
        move_to(c);
        return;
    }
    c->state = CLIENT_LOOKING_UP;
    int r =
        gap_link_call(c->link, GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, &query), NULL, on_config, c, NULL);
    if (r < 0)
        client_fatal(c, r, 0, "can't ask for the address of data centre %d: %s", dc,
                     gap_strerror(r));
}

/* ---- signing in ---- */

/* What to do about a refusal; the names are the server's. */
static const char *advice(gap_bytes_t name)
{
    static const struct {
        const char *name;
        const char *advice;
    } table[] = {
        {"ACCESS_TOKEN_INVALID", "the bot token is wrong; copy it anew from @BotFather"},
        {"ACCESS_TOKEN_EXPIRED", "the bot token was revoked; get the new one from @BotFather"},
        {"BOT_TOKEN_INVALID", "the bot token is wrong; copy it anew from @BotFather"},
        {"API_ID_INVALID",
         "api_id and api_hash don't belong together; see https://my.telegram.org/apps"},
        {"API_ID_PUBLISHED_FLOOD",
         "this api_id was published and is blocked; get your own at https://my.telegram.org/apps"},
        {"FLOOD_WAIT", "too many sign-ins; wait before trying again"},
        {"CONNECTION_API_ID_INVALID", "api_id is wrong; see https://my.telegram.org/apps"},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++)
        if (gap_bytes_equal(name, gap_str(table[i].name))) return table[i].advice;
    return "the server refuses the sign-in";
}

static bool is_migrate(gap_bytes_t name)
{
    static const char end[] = "_MIGRATE";
    size_t n = sizeof end - 1;
    return name.len > n && memcmp(name.data + name.len - n, end, n) == 0;
}

static void refused(gap_client_t *c, const struct gap_call_result *result)
{
    if (is_migrate(result->error_name) && result->error_value > 0) {
        migrate(c, result->error_value);
        return;
    }
    client_fatal(c, GAP_E_RPC, result->error_code, "sign-in: %s (%d %.*s)",
                 advice(result->error_name), result->error_code, (int)result->error_text.len,
                 (const char *)result->error_text.data);
}

static void on_sign_in(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;
    int r;

    (void)call;
    if (c->closing || c->state != CLIENT_SIGNING_IN) return;
    switch (result->status) {
    case 0:
        signed_in(c, result);
        break;
    case GAP_E_RPC:
        refused(c, result);
        break;
    case GAP_E_TIMEOUT: /* not connected all the while: the events have told why */
    case GAP_E_DISCONNECTED:
        r = sign_in(c);
        if (r < 0) client_fatal(c, r, 0, "sign-in can't be sent: %s", gap_strerror(r));
        break;
    case GAP_E_TRANSPORT: /* the link gave up and says so itself */
    case GAP_E_KEY:
        break;
    default:
        client_fatal(c, result->status, 0, "sign-in failed: %s", gap_strerror(result->status));
    }
}

static int sign_in(gap_client_t *c)
{
    gap_tl_auth_import_bot_authorization_t query = {
        .flags = 0,
        .api_id = c->settings.api_id,
        .api_hash = gap_str(c->settings.api_hash),
        .bot_auth_token = gap_str(c->settings.bot_token),
    };

    return gap_link_call(c->link, GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &query), NULL,
                         on_sign_in, c, NULL);
}
