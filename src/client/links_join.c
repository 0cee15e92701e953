/*
 * client/links_join.c - being let in at another data centre: the main link exports the account's
 * authorisation, the other one imports it.
 *
 *   CONNECTING --ready--> EXPORTING --answer--> IMPORTING --answer--> OPEN
 *
 * One link of a data centre does that, the others wait for it. What the session keeps of it is key
 * and "authorised". Nothing that goes wrong there signs the account out.
 * (core.telegram.org/method/auth.exportAuthorization)
 *
 * Owns nothing.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <gapless/tl_api.h>

static bool is_joining(const struct client_link *l)
{
    return l->state == CLIENT_LINK_CONNECTING || l->state == CLIENT_LINK_EXPORTING ||
           l->state == CLIENT_LINK_IMPORTING;
}

bool client_link_has_joiner(const struct client_link *l)
{
    const struct client_link *other;

    LIST_FOREACH (other, &l->client->links.list, list)
        if (other != l && other->dc == l->dc && is_joining(other)) return true;
    return false;
}

static void set_authorised(gap_client_t *c, int32_t dc, bool authorised)
{
    struct gap_session_dc *d = client_dc(c, dc);
    if (d != NULL) d->authorised = authorised;
}

/* ---- let in ---- */

static struct client_link *waiting_for(gap_client_t *c, int32_t dc)
{
    struct client_link *l;

    LIST_FOREACH (l, &c->links.list, list)
        if (l->dc == dc && l->state == CLIENT_LINK_WAITING) return l;
    return NULL;
}

/* Each of these changes the state of one, so this ends. */
static void wake_others(gap_client_t *c, int32_t dc)
{
    struct client_link *l;

    while (client_links_are_open(c) && (l = waiting_for(c, dc)) != NULL) {
        if (l->link != NULL) {
            client_link_opened(l);
            continue;
        }
        int r = client_link_begin(l);
        if (r < 0) {
            client_link_fail_with(l, r);
            return;
        }
        if (l->state == CLIENT_LINK_WAITING) return; /* for another one that joins */
    }
}

static void joined(struct client_link *l)
{
    gap_client_t *c = l->client;
    int32_t dc = l->dc;

    gap_rt_log(&c->rt, GAP_LOG_INFO, "authorised at data centre %d", dc);
    set_authorised(c, dc, true);
    l->exports = 0;
    client_keep_session(c);
    bool arrives = c->links.moving_to == dc;
    if (arrives && l->kind == GAP_CONNECTION_MAIN)
        l->state = CLIENT_LINK_OPEN; /* what waits is for the main link, which comes */
    else
        client_link_opened(l);
    if (arrives && client_links_are_open(c)) client_links_arrive(c);
    wake_others(c, dc);
}

void client_links_join_anew(gap_client_t *c, int32_t dc)
{
    struct client_link *l;

    LIST_FOREACH (l, &c->links.list, list)
        if (l->dc == dc) l->outdated = is_joining(l);
}

/* ---- import ---- */

static bool is_stale(const struct gap_call_result *result)
{
    return result->status == GAP_E_RPC &&
           (gap_bytes_equal(result->error_name, gap_str("AUTH_BYTES_INVALID")) ||
            result->error_code == 401);
}

static void on_imported(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    struct client_link *l = arg;

    (void)call;
    l->refused = false;
    if (l->state != CLIENT_LINK_IMPORTING) return;
    if (result->status == GAP_E_TRANSPORT) return; /* the link has given up and says why */
    if (result->status == 0 && !l->outdated) {
        joined(l);
    } else if (result->status == 0) {
        l->outdated = false;
        l->state = CLIENT_LINK_CONNECTING;
        client_link_join(l);
    } else if (is_stale(result) && l->exports < GAP_CLIENT_EXPORTS_MAX) {
        l->state = CLIENT_LINK_CONNECTING;
        client_link_join(l);
    } else {
        client_link_fail(l, result);
    }
}

static int import(struct client_link *l, const struct gap_call_result *result)
{
    static const struct gap_call_options options = {.flags = GAP_CALL_WITHOUT_UPDATES};
    gap_tl_auth_exported_authorization_t exported;

    int64_t used =
        gap_tl_read(result->value, GAP_TL_AUTH_EXPORTED_AUTHORIZATION, &exported, sizeof exported);
    if (used < 0) return (int)used;
    const gap_tl_auth_import_authorization_t query = {exported.id, exported.bytes};
    l->state = CLIENT_LINK_IMPORTING;
    return gap_link_call(l->link, GAP_TL_OF(GAP_TL_AUTH_IMPORT_AUTHORIZATION, &query), &options,
                         on_imported, l, NULL);
}

/* ---- export ---- */

static void on_exported(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    struct client_link *l = arg;

    (void)call;
    l->asking = false;
    if (l->state == CLIENT_LINK_CLOSING) {
        client_link_gone(l);
    } else if (l->state == CLIENT_LINK_CONNECTING) { /* it has a new key meanwhile */
        client_link_join(l);
    } else if (l->state != CLIENT_LINK_EXPORTING) {
        return;
    } else if (result->status == GAP_E_CLOSED) { /* the main link is exchanged for another */
        l->state = CLIENT_LINK_CONNECTING;
    } else if (result->status != 0) {
        client_link_fail(l, result);
    } else {
        int r = import(l, result);
        if (r < 0) client_link_fail_with(l, r);
    }
}

void client_link_join(struct client_link *l)
{
    gap_client_t *c = l->client;
    const gap_tl_auth_export_authorization_t query = {l->dc};

    if (l->state != CLIENT_LINK_CONNECTING || !l->ready || l->asking) return;
    if (c->link == NULL || c->link_closing) return; /* client_links_home */
    int r = gap_link_call(c->link, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &query), NULL,
                          on_exported, l, NULL);
    if (r < 0) {
        client_link_fail_with(l, r);
        return;
    }
    l->exports++;
    l->asking = true;
    l->state = CLIENT_LINK_EXPORTING;
}

/* ---- not any more ---- */

void client_link_lapsed(struct client_link *l)
{
    gap_client_t *c = l->client;
    gap_rt_log(&c->rt, GAP_LOG_INFO, "data centre %d has forgotten the account", l->dc);
    set_authorised(c, l->dc, false);
    l->state = CLIENT_LINK_WAITING;
    if (client_link_has_joiner(l)) return;
    l->state = CLIENT_LINK_CONNECTING;
    client_link_plan(l);
    client_link_join(l);
}

static void renew_one(struct client_link *l)
{
    bool closes = l->state == CLIENT_LINK_RENEWING;

    l->state = CLIENT_LINK_RENEWING;
    l->renewed = true;
    l->exports = 0;
    if (!closes && l->link != NULL) client_link_reopen(l);
}

void client_link_renew(struct client_link *l)
{
    gap_client_t *c = l->client;
    struct gap_session_dc *d = client_dc(c, l->dc);
    struct client_link *other;

    gap_rt_log(&c->rt, GAP_LOG_INFO, "data centre %d wants a new key", l->dc);
    if (d != NULL) {
        gap_wipe(d->key, sizeof d->key);
        d->has_key = false;
        d->authorised = false;
        d->salt = 0;
        client_keep_session(c);
    }
    LIST_FOREACH (other, &c->links.list, list)
        if (other->dc == l->dc && other->state != CLIENT_LINK_CLOSING &&
            (other->link != NULL || other->state == CLIENT_LINK_RENEWING))
            renew_one(other);
}

/* ---- not let in ---- */

/* Take it, or one that waits for it, out of the table; its calls go to the list. */
static void give_up(struct client_link *l, struct client_calls *calls)
{
    client_links_take(l->client, &l->waiting, calls);
    client_link_close(l);
}

void client_link_fail(struct client_link *l, const struct gap_call_result *result)
{
    gap_client_t *c = l->client;
    struct client_calls calls = TAILQ_HEAD_INITIALIZER(calls);
    struct client_link *other;
    int32_t dc = l->dc;
    bool joining = l->state != CLIENT_LINK_OPEN;

    gap_rt_log(&c->rt, GAP_LOG_WARN, "not let in at data centre %d: %s", dc,
               gap_strerror(result->status));
    give_up(l, &calls);
    while (joining && (other = waiting_for(c, dc)) != NULL) give_up(other, &calls);
    if (c->links.moving_to == dc && !c->links.moved) client_links_stay(c, result);
    client_links_end_all(&calls, result);
}

void client_link_fail_with(struct client_link *l, int status)
{
    const struct gap_call_result result = {.status = status};
    client_link_fail(l, &result);
}
