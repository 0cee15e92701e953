/*
 * client/dcs.c - the data centres: where they are, with which keys they are spoken to.
 *
 * What is known of them is c->session, which the session file keeps. An address is looked for
 * there, then among those that Telegram publishes; of a custom network only that of the
 * configuration's data centre is known from the start, and the configuration is believed more than
 * the file: a server of one's own may have moved.
 *
 * Owns nothing.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

/* Telegram's test servers carry this much more in the handshake. */
#define TEST_DC_OFFSET 10000

struct gap_session_dc *client_dc(gap_client_t *c, int32_t dc)
{
    for (size_t i = 0; i < c->session.dc_count; i++)
        if (c->session.dcs[i].id == dc) return &c->session.dcs[i];
    return NULL;
}

struct gap_session_dc *client_dc_make(gap_client_t *c, int32_t dc)
{
    struct gap_session_dc *d = client_dc(c, dc);

    if (d != NULL || c->session.dc_count >= GAP_SESSION_DCS_MAX) return d;
    d = &c->session.dcs[c->session.dc_count++];
    memset(d, 0, sizeof *d);
    d->id = dc;
    return d;
}

/* ---- addresses ---- */

static bool is_configured(const gap_client_t *c, int32_t dc)
{
    return c->settings.network == GAP_NETWORK_CUSTOM && dc == c->settings.dc;
}

/* Those of one kind; IPv4 first, which is there more often. */
static size_t pick(const struct gap_session_dc *d, bool media_only, gap_addr_t *out)
{
    size_t count = 0;

    for (int v6 = 0; v6 < 2; v6++)
        for (size_t i = 0; i < d->addr_count; i++)
            if (d->addrs[i].media_only == media_only && d->addrs[i].addr.v6 == (v6 == 1))
                out[count++] = d->addrs[i].addr;
    return count;
}

/* @param media  Those for files alone come first. */
static size_t addresses(gap_client_t *c, int32_t dc, bool media,
                        gap_addr_t out[GAP_SESSION_ADDRS_MAX])
{
    const struct gap_session_dc *d = client_dc(c, dc);
    size_t count = 0;

    if (d != NULL && media) count = pick(d, true, out);
    if (is_configured(c, dc)) return count; /* those that follow are not believed */
    if (d != NULL) count += pick(d, false, &out[count]);
    if (count == 0 && client_published_address(c->settings.network, dc, &out[0])) count = 1;
    return count;
}

bool client_dc_is_known(gap_client_t *c, int32_t dc)
{
    gap_addr_t addrs[GAP_SESSION_ADDRS_MAX];

    return is_configured(c, dc) || addresses(c, dc, false, addrs) > 0;
}

const char *client_dc_name(gap_client_t *c, int32_t dc, char out[GAP_CLIENT_NAME_MAX])
{
    const struct client_settings *s = &c->settings;
    gap_addr_t addrs[GAP_SESSION_ADDRS_MAX];
    char ip[46];

    if (addresses(c, dc, false, addrs) > 0) {
        gap_addr_format_ip(&addrs[0], ip);
        (void)snprintf(out, GAP_CLIENT_NAME_MAX, addrs[0].v6 ? "[%s]:%u" : "%s:%u", ip,
                       (unsigned)addrs[0].port);
    } else {
        (void)snprintf(out, GAP_CLIENT_NAME_MAX, "%s:%u", s->host, (unsigned)s->port);
    }
    return out;
}

/* Keep an address. @return it is one that is of use. */
static bool keep_option(gap_client_t *c, const gap_tl_dc_option_t *option)
{
    const uint32_t special = GAP_TL_DC_OPTION_F_TCPO_ONLY | GAP_TL_DC_OPTION_F_CDN;
    bool v6 = (option->flags & GAP_TL_DC_OPTION_F_IPV6) != 0;
    struct gap_session_addr addr = {.media_only =
                                        (option->flags & GAP_TL_DC_OPTION_F_MEDIA_ONLY) != 0};
    char text[64];

    if ((option->flags & special) != 0 || option->ip_address.len > 46) return false;
    (void)snprintf(text, sizeof text, v6 ? "[%.*s]:%d" : "%.*s:%d", (int)option->ip_address.len,
                   (const char *)option->ip_address.data, option->port);
    if (gap_addr_parse(text, &addr.addr) < 0) return false;
    struct gap_session_dc *d = client_dc_make(c, option->id);
    if (d == NULL || d->addr_count >= GAP_SESSION_ADDRS_MAX) return false;
    d->addrs[d->addr_count++] = addr;
    return true;
}

int client_dcs_learn(gap_client_t *c, gap_tl_vector_t options)
{
    gap_tl_object_t object;
    gap_tl_dc_option_t option;
    gap_tl_iter_t it = gap_tl_iter(options);
    int r;

    while ((r = gap_tl_next(&it, &object)) > 0) { /* first all of it, then some of it */
        int64_t used = GAP_TL_READ(object, GAP_TL_DC_OPTION, &option);
        if (used < 0) return (int)used;
    }
    if (r < 0) return r;
    for (size_t i = 0; i < c->session.dc_count; i++) c->session.dcs[i].addr_count = 0;
    it = gap_tl_iter(options);
    while (gap_tl_next(&it, &object) > 0)
        if (GAP_TL_READ(object, GAP_TL_DC_OPTION, &option) > 0) (void)keep_option(c, &option);
    return 0;
}

void client_dcs_forget(gap_client_t *c)
{
    for (size_t i = 0; i < c->session.dc_count; i++) {
        struct gap_session_dc *d = &c->session.dcs[i];
        gap_wipe(d->key, sizeof d->key);
        d->has_key = false;
        d->authorised = false;
        d->salt = 0;
    }
}

/* ---- links ---- */

int client_dc_target(gap_client_t *c, int32_t dc, bool media, struct client_target *out)
{
    const struct client_settings *s = &c->settings;
    const struct gap_session_dc *d = client_dc(c, dc);

    if (!client_dc_is_known(c, dc)) return GAP_E_NOT_FOUND;
    size_t count = addresses(c, dc, media, out->addrs);
    bool keyed = d != NULL && d->has_key;
    out->link = (struct gap_link_config){
        .addrs = out->addrs,
        .addr_count = count,
        .host = s->host,
        .port = s->port,
        .transport = s->transport,
        .dc_id = s->network == GAP_NETWORK_TEST ? dc + TEST_DC_OFFSET : dc,
        .rsa_pems = s->pems,
        .rsa_count = s->pem_count,
        .auth_key = keyed ? d->key : NULL,
        .server_salt = keyed ? d->salt : 0,
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
    return 0;
}
