/*
 * client/links_home.c - where the data centres are, and an account that moves to another one.
 *
 * The configuration is asked for when the account is signed in, when it expires and when the server
 * says that data centres have changed. 303 USER_MIGRATE_X for a call of a signed-in account says
 * that X is its home from now on:
 *
 *   USER_MIGRATE_X --> X known? (help.getConfig) --> let in at X --> main link closes, opens to X
 *       --> calls that were refused go there, the engine asks for the difference
 *
 * Let in there first: once the main link is closed nothing is left that could export.
 *
 * Owns nothing.
 */
#include "client/client.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <gapless/tl_api.h>

/* ---- configuration ---- */

static void ask_again_in(gap_client_t *c, int64_t seconds)
{
    if (seconds < GAP_CLIENT_CONFIG_MIN_S) seconds = GAP_CLIENT_CONFIG_MIN_S;
    if (seconds > GAP_CLIENT_CONFIG_MAX_S) seconds = GAP_CLIENT_CONFIG_MAX_S;
    int r = gap_timer_start(&c->rt, &c->links.config,
                            gap_rt_now_us(&c->rt) + (uint64_t)seconds * 1000000);
    GAP_ASSERT(r == 0); /* its place is kept from the beginning */
}

static int take_config(gap_client_t *c, gap_bytes_t bytes)
{
    gap_tl_config_t config;

    int64_t used = gap_tl_read(bytes, GAP_TL_CONFIG, &config, sizeof config);
    if (used < 0) return (int)used;
    int r = client_dcs_learn(c, config.dc_options);
    if (r < 0) return r;
    c->links.config_known = true;
    if (c->link != NULL) ask_again_in(c, config.expires - gap_link_server_time(c->link));
    client_keep_session(c);
    return 0;
}

static void place(gap_client_t *c)
{
    const struct gap_call_result unknown = {.status = GAP_E_NOT_FOUND};
    struct client_calls calls = TAILQ_HEAD_INITIALIZER(calls);
    struct client_calls lost = TAILQ_HEAD_INITIALIZER(lost);
    struct client_call *call;

    client_links_take(c, &c->links.unplaced, &calls);
    while ((call = TAILQ_FIRST(&calls)) != NULL) {
        TAILQ_REMOVE(&calls, call, next);
        if (!c->closing && client_dc_is_known(c, call->dc)) {
            int r = client_links_send(call);
            if (r < 0) client_call_end_with(call, r);
        } else {
            TAILQ_INSERT_TAIL(&lost, call, next);
        }
    }
    client_links_end_all(&lost, &unknown);
}

static void go_home(gap_client_t *c);

static void on_config(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;
    int r = result->status;

    (void)call;
    c->links.config_asking = false;
    if (!client_links_are_open(c)) return;
    ask_again_in(c, GAP_CLIENT_CONFIG_MIN_S); /* unless it says otherwise */
    if (r == 0) r = take_config(c, result->value);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "no configuration (%s); asking again", gap_strerror(r));
    place(c);
    if (!client_links_are_open(c)) return;
    if (c->links.moving_to != 0 && !c->links.moved) go_home(c);
    if (!c->links.config_again || !client_links_are_open(c)) return;
    c->links.config_again = false;
    client_links_ask_config(c);
}

void client_links_ask_config(gap_client_t *c)
{
    static const gap_tl_help_get_config_t query = {0};
    struct client_links *s = &c->links;

    if (!client_links_are_open(c)) return;
    if (s->config_asking) {
        s->config_again = true;
        return;
    }
    int r = GAP_E_STATE;
    if (c->link != NULL && !c->link_closing)
        r = gap_link_call(c->link, GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, &query), NULL, on_config, c,
                          NULL);
    s->config_asking = r == 0;
    if (r < 0) ask_again_in(c, GAP_CLIENT_CONFIG_MIN_S);
}

void client_links_on_config_timer(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_client_t *c = GAP_CONTAINER_OF(timer, gap_client_t, links.config);

    (void)rt;
    ask_again_in(c, GAP_CLIENT_CONFIG_MAX_S); /* the answer says when */
    client_links_ask_config(c);
}

/* ---- moving ---- */

/* The new home's address is known, or as good as never. */
static void go_home(gap_client_t *c)
{
    struct client_link *l = NULL;
    struct gap_call_result failed = {.status = GAP_E_NOT_FOUND};

    if (client_dc_is_known(c, c->links.moving_to))
        failed.status = client_link_get(c, c->links.moving_to, GAP_CONNECTION_MAIN, &l);
    if (failed.status < 0)
        client_links_stay(c, &failed);
    else if (l->state == CLIENT_LINK_OPEN)
        client_link_lapsed(l); /* a guest so far: has to be let in as who lives there */
}

bool client_links_move(gap_client_t *c, int32_t dc)
{
    struct client_links *s = &c->links;

    if (!client_links_are_open(c) || c->state != CLIENT_SIGNED_IN || dc == c->session.main_dc)
        return false;
    if (s->moving_to != 0) return true;
    gap_rt_log(&c->rt, GAP_LOG_INFO, "the account has moved to data centre %d", dc);
    s->moving_to = dc;
    client_links_join_anew(c, dc);
    if (client_dc_is_known(c, dc))
        go_home(c);
    else
        client_links_ask_config(c);
    return s->moving_to != 0;
}

void client_links_stay(gap_client_t *c, const struct gap_call_result *result)
{
    struct client_calls calls = TAILQ_HEAD_INITIALIZER(calls);
    const gap_event_t event = {
        .kind = GAP_CLIENT_ERROR, .error = result->status, .rpc_code = result->error_code};
    int32_t dc = c->links.moving_to;

    c->links.moving_to = 0;
    client_links_take(c, &c->links.moving, &calls);
    client_emit(c, event,
                "the account has moved to data centre %d, which does not let it in: %s %.*s; "
                "the next request tries again",
                dc, gap_strerror(result->status), (int)result->error_text.len,
                result->error_text.len > 0 ? (const char *)result->error_text.data : "");
    client_links_end_all(&calls, result);
}

/* What was kept for a link that is no longer wanted goes where it belongs when there is a main link
 * again. */
static void drop_links(gap_client_t *c, int32_t dc, bool all)
{
    struct client_link *l;
    struct client_link *next;

    for (l = LIST_FIRST(&c->links.list); l != NULL; l = next) {
        next = LIST_NEXT(l, list);
        if (l->dc != dc || (!all && l->kind != GAP_CONNECTION_MAIN)) continue;
        TAILQ_CONCAT(&c->links.moving, &l->waiting, next);
        client_link_close(l);
    }
}

void client_links_arrive(gap_client_t *c)
{
    struct gap_session_dc *old = client_dc(c, c->session.main_dc);
    int32_t home = c->links.moving_to;

    if (old != NULL) old->authorised = false; /* as a guest it will have to be let in */
    c->links.moved = true;
    drop_links(c, c->session.main_dc, true);
    client_move_to(c, home);
    drop_links(c, home, false);
    client_keep_session(c);
}

void client_links_home(gap_client_t *c)
{
    struct client_link *l;
    struct client_link *next;

    if (!client_links_are_open(c)) return;
    if (c->links.moved) {
        c->links.moved = false;
        c->links.moving_to = 0;
        if (c->engine != NULL && !c->stopped) {
            gap_engine_reconnected(c->engine, false);
            gap_engine_missed(c->engine);
        }
        client_links_ask_config(c);
        client_links_send_all(c, &c->links.moving);
    }
    for (l = LIST_FIRST(&c->links.list); l != NULL; l = next) {
        next = LIST_NEXT(l, list);
        client_link_join(l);
        if (!client_links_are_open(c)) return;
    }
}
