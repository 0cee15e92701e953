/*
 * client/sign_in.c - from a connection to a signed-in account: auth.importBotAuthorization, sent to
 * the account's own data centre if the server says so.
 *
 *   sign in -> auth.authorization -> client_authorised
 *           -> X_MIGRATE_N -> (help.getConfig, if its address isn't known) -> client_move_to
 *           -> anything else: fatal, with what to do about it
 *
 * The link waits and repeats on FLOOD_WAIT and 5xx by itself; what arrives here is final.
 */
#include "client/client.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

/* ---- moving to another data centre ---- */

static void move_on(gap_client_t *c, int32_t dc)
{
    c->state = CLIENT_SIGNING_IN;
    client_move_to(c, dc);
}

static void on_config(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;
    gap_tl_config_t config;

    (void)call;
    if (c->closing || c->state != CLIENT_LOOKING_UP) return;
    int r = result->status;
    if (r == 0) {
        int64_t used = gap_tl_read(result->value, GAP_TL_CONFIG, &config, sizeof config);
        r = used < 0 ? (int)used : client_dcs_learn(c, config.dc_options);
    }
    if (r == 0 && !client_dc_is_known(c, c->moving_to)) r = GAP_E_NOT_FOUND;
    if (r == 0) {
        move_on(c, c->moving_to);
        return;
    }
    client_fatal(c, r, result->error_code,
                 "the account lives in data centre %d, whose address the server does not tell: %s",
                 c->moving_to, gap_strerror(r));
}

static void migrate(gap_client_t *c, int32_t dc)
{
    static const gap_tl_help_get_config_t query = {0};

    if (++c->moves > GAP_CLIENT_MOVES_MAX) {
        client_fatal(c, GAP_E_PROTOCOL, 0,
                     "the servers send the sign-in from one data centre to the next");
        return;
    }
    if (client_dc_is_known(c, dc)) {
        move_on(c, dc);
        return;
    }
    c->state = CLIENT_LOOKING_UP;
    c->moving_to = dc;
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

    (void)call;
    if (c->closing || c->state != CLIENT_SIGNING_IN) return;
    switch (result->status) {
    case 0:
        client_authorised(c, result->value);
        break;
    case GAP_E_RPC:
        refused(c, result);
        break;
    case GAP_E_TIMEOUT: /* not connected all the while: the events have told why */
    case GAP_E_DISCONNECTED:
        client_sign_in(c);
        break;
    case GAP_E_TRANSPORT: /* the link gave up and says so itself */
    case GAP_E_KEY:
        break;
    default:
        client_fatal(c, result->status, 0, "sign-in failed: %s", gap_strerror(result->status));
    }
}

void client_sign_in(gap_client_t *c)
{
    gap_tl_auth_import_bot_authorization_t query = {
        .flags = 0,
        .api_id = c->settings.api_id,
        .api_hash = gap_str(c->settings.api_hash),
        .bot_auth_token = gap_str(c->settings.bot_token),
    };

    int r = gap_link_call(c->link, GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &query), NULL,
                          on_sign_in, c, NULL);
    if (r < 0) client_fatal(c, r, 0, "sign-in can't be sent: %s", gap_strerror(r));
}
