/*
 * loops/router.c - which handler an update is for: adding routes, and an update's way through them.
 *
 *   gap_router_handle: FINDING a route that fits -> session data -> middleware in front ->
 *     its `accepts` -> HANDLING -> GAP_NEXT: FINDING the next | LATER | through
 *   through: error handler, middleware behind, of the innermost router first, then the outer ones
 *
 * A group is a frame on a stack in the run: a router within does what its outer one does, and hands
 * the update back if nobody in it wants it. Owns routers and runs. Never: decides when an update is
 * handled or tried again; that is its owner's.
 *
 * A router is called with the update's own token and stands between it and its owner, as a relay:
 * so every function that takes an update works behind a router as it does without one.
 */
#include "loops/router_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <gapless/runner.h>
#include <string.h>

/** Runs of one slab. */
#define RUNS_SLAB 16
/** From one step of a run: go on with the next. */
#define RUN_ON 1000

/* ---- making ---- */

int gap_router_new(const gap_alloc_t *alloc, gap_router_t **out)
{
    if (alloc == NULL) alloc = gap_alloc_default();
    gap_router_t *router = gap_calloc(alloc, 1, sizeof *router);

    if (router == NULL) return GAP_E_NOMEM;
    router->alloc = alloc;
    gap_routes_init(&router->routes, alloc);
    gap_pool_init(&router->runs, alloc, sizeof(struct router_run), RUNS_SLAB);
    *out = router;
    return 0;
}

void gap_router_free(gap_router_t *router)
{
    if (router == NULL) return;
    GAP_ASSERT(router->runs.in_use == 0);
    for (uint32_t i = 0; i < router->routes.count; i++)
        gap_router_free(router->routes.rules[i].route.group);
    gap_routes_fini(&router->routes);
    router_sessions_free(router);
    gap_pool_fini(&router->runs);
    gap_free(router->alloc, router);
}

static gap_router_t *root_of(gap_router_t *router)
{
    while (router->parent != NULL) router = router->parent;
    return router;
}

static unsigned depth_of(const gap_router_t *router)
{
    unsigned depth = 1;

    for (; router->parent != NULL; router = router->parent) depth++;
    return depth;
}

static unsigned height_of(const gap_router_t *router)
{
    unsigned height = 0;

    for (uint32_t i = 0; i < router->routes.count; i++) {
        const gap_router_t *group = router->routes.rules[i].route.group;
        unsigned h = group == NULL ? 0 : height_of(group);
        if (h > height) height = h;
    }
    return height + 1;
}

int gap_router_username(gap_router_t *router, const char *username)
{
    if (username[0] == '@') username++;
    size_t len = strlen(username);
    if (len == 0 || len > GAP_USERNAME_MAX) return GAP_E_ARGUMENT;
    memcpy(router->username, username, len + 1);
    return 0;
}

static int check_group(gap_router_t *router, const gap_router_t *group)
{
    if (group->parent != NULL || group->sessions != NULL || group == root_of(router))
        return GAP_E_ARGUMENT;
    if (group->used) return GAP_E_STATE;
    return depth_of(router) + height_of(group) > GAP_ROUTER_DEPTH_MAX ? GAP_E_LIMIT : 0;
}

int gap_router_add(gap_router_t *router, const gap_route_t *route)
{
    const uint32_t known = GAP_ROUTE_ON_THREAD | GAP_ROUTE_TRANSACTION;

    if (root_of(router)->used) return GAP_E_STATE;
    if ((route->handler == NULL) == (route->group == NULL)) return GAP_E_ARGUMENT;
    if ((route->flags & ~known) != 0 || route->flags == known) return GAP_E_ARGUMENT;
    if (route->group != NULL) {
        if (route->flags != 0) return GAP_E_ARGUMENT;
        int r = check_group(router, route->group);
        if (r < 0) return r;
    }
    int r = gap_routes_add(&router->routes, route);
    if (r == 0 && route->group != NULL) route->group->parent = router;
    return r;
}

int gap_router_command(gap_router_t *router, const char *command, gap_route_cb handler, void *data)
{
    const gap_route_t route = {.filter.command = command, .handler = handler, .data = data};

    return command == NULL ? GAP_E_ARGUMENT : gap_router_add(router, &route);
}

int gap_router_use(gap_router_t *router, gap_before_cb before, gap_after_cb after, void *data)
{
    if (root_of(router)->used) return GAP_E_STATE;
    if (before == NULL && after == NULL) return GAP_E_ARGUMENT;
    if (router->use_count == GAP_ROUTER_USES_MAX) return GAP_E_LIMIT;
    router->uses[router->use_count++] = (struct router_use){before, after, data};
    return 0;
}

void gap_router_default(gap_router_t *router, gap_route_cb handler, void *data)
{
    router->fallback = handler;
    router->fallback_data = data;
}

void gap_router_on_error(gap_router_t *router, gap_error_cb callback, void *data)
{
    router->error = callback;
    router->error_data = data;
}

void gap_update_give_up(gap_update_t *update)
{
    update->give_up = true;
}

/* ---- an update's way ---- */

static struct router_frame *top(struct router_run *run)
{
    return &run->frames[run->depth - 1];
}

static void push(struct router_run *run, gap_router_t *router)
{
    GAP_ASSERT(run->depth < GAP_ROUTER_DEPTH_MAX);
    run->frames[run->depth++] = (struct router_frame){.router = router};
}

/* Out of the innermost router with a result, and on outwards. @return RUN_ON: it goes on in an
 * outer one; otherwise what came of the update. */
static int unwind(struct router_run *run, int result)
{
    const gap_match_t *match = &run->facts.match;

    while (run->depth > 0) {
        struct router_frame *f = top(run);
        gap_router_t *router = f->router;
        if (result < 0 && router->error != NULL) {
            int r = router->error(run->update, match, result, router->error_data);
            if (r <= 0) result = r;
        }
        run->after = true;
        while (f->begun > 0) {
            const struct router_use *use = &router->uses[--f->begun];
            if (use->after != NULL) use->after(run->update, match, result, use->data);
        }
        run->after = false;
        run->depth--;
        if (result == GAP_NEXT && run->depth > 0) return RUN_ON;
    }
    return result == GAP_NEXT ? 0 : result;
}

static int find(struct router_run *run)
{
    struct router_frame *f = top(run);

    if (f->last) return unwind(run, GAP_NEXT);
    int r = gap_routes_next(&f->router->routes, &run->facts, &f->at, &run->rule);
    if (r < 0) return unwind(run, r);
    if (r == 0) {
        run->rule = NULL;
        f->last = true;
        if (f->router->fallback == NULL) return unwind(run, GAP_NEXT);
    }
    run->found = true;
    return RUN_ON;
}

/* The middleware in front. @return 0; GAP_STOP; negative. */
static int enter(struct router_run *run)
{
    struct router_frame *f = top(run);
    gap_router_t *router = f->router;

    f->entered = true;
    for (; f->begun < router->use_count; f->begun++) {
        const struct router_use *use = &router->uses[f->begun];
        if (use->before == NULL) continue;
        int r = use->before(run->update, &run->facts.match, use->data);
        if (r > 0 && r != GAP_STOP) r = GAP_E_STATE;
        if (r != 0) return r;
    }
    return 0;
}

static int on_thread(gap_update_t *update, void *data)
{
    struct router_run *run = data;
    const gap_route_t *route = &run->rule->route;
    int r = route->handler(update, &run->facts.match, route->data);

    return r > 0 && r != GAP_LATER ? GAP_E_STATE : r;
}

static int in_transaction(gap_update_t *update, struct sqlite3 *db, void *data)
{
    struct router_run *run = data;
    const gap_route_t *route = &run->rule->route;

    router_session_again(run); /* a commit before this one may have failed */
    run->facts.match.db = db;
    int r = route->handler(update, &run->facts.match, route->data);
    run->facts.match.db = NULL;
    if (r > 0) r = GAP_E_STATE;
    return r == 0 ? router_session_save_in(run, db) : r;
}

static int call(struct router_run *run)
{
    const struct router_frame *f = top(run);
    const gap_route_t *route = run->rule == NULL ? NULL : &run->rule->route;
    int r;

    run->state = RUN_HANDLING;
    if (route == NULL)
        r = f->router->fallback(run->update, &run->facts.match, f->router->fallback_data);
    else if ((route->flags & GAP_ROUTE_ON_THREAD) != 0)
        r = gap_update_on_thread(run->update, on_thread, run);
    else if ((route->flags & GAP_ROUTE_TRANSACTION) != 0) {
        router_session_begin(run);
        r = gap_update_in_transaction(run->update, in_transaction, run);
    } else
        r = route->handler(run->update, &run->facts.match, route->data);
    if (r == GAP_NEXT) {
        run->state = RUN_FINDING;
        return RUN_ON;
    }
    if (r == GAP_LATER) {
        if (run->finished) return unwind(run, run->status);
        run->state = RUN_LATER;
        return GAP_LATER;
    }
    return unwind(run, r > 0 ? GAP_E_STATE : r);
}

/* A route that fits, or the default handler. */
static int take(struct router_run *run)
{
    struct router_frame *f = top(run);
    int r;

    if (!run->opened) {
        run->opened = true;
        r = router_session_open(run);
        if (r == GAP_LATER) return GAP_LATER;
        if (r < 0) return unwind(run, r);
    }
    if (!f->entered) {
        r = enter(run);
        if (r == GAP_STOP) {
            /* Handled, in the outer ones as well. */
            return unwind(run, 0);
        }
        if (r < 0) return unwind(run, r);
    }
    run->found = false;
    if (run->rule == NULL) return call(run);
    const gap_route_t *route = &run->rule->route;
    if (route->filter.accepts != NULL &&
        !route->filter.accepts(run->update, &run->facts.match, route->filter.accepts_data))
        return RUN_ON;
    if (route->group == NULL) return call(run);
    push(run, route->group);
    return RUN_ON;
}

/* @return 0, GAP_LATER, or negative. */
static int go(struct router_run *run)
{
    int r;

    do {
        r = run->found ? take(run) : find(run);
    } while (r == RUN_ON);
    return r;
}

/* ---- begin and end ---- */

static struct router_run *run_new(gap_router_t *router, gap_update_t *update)
{
    struct router_run *run = gap_pool_get(&router->runs);

    if (run == NULL) return NULL;
    run->relay.ops = &router_relay_ops;
    run->root = router;
    run->update = update;
    run->depth = 0;
    run->state = RUN_FINDING;
    run->found = false;
    run->finished = false;
    run->opened = false;
    run->after = false;
    run->loaded_now = false;
    run->status = 0;
    run->rule = NULL;
    run->behind = NULL;
    run->value = NULL;
    run->over = false;
    run->shown = NULL;
    run->pending = NULL;
    run->front = NULL;
    run->keyed = false;
    run->has_pending = false;
    run->had_pending = false;
    run->saved = false;
    gap_facts_read(&run->facts, update, router->username);
    push(run, router);
    update->relay = &run->relay;
    return run;
}

/* Its last step. @return what came of it. */
static int run_end(struct router_run *run, int status)
{
    gap_router_t *root = run->root;

    run->update->relay = NULL;
    status = router_session_close(run, status);
    gap_pool_put(&root->runs, run);
    return status;
}

int gap_router_handle(gap_update_t *update, void *router)
{
    gap_router_t *root = router;

    if (root->parent != NULL) return GAP_E_ARGUMENT;
    if (update->relay != NULL) return GAP_E_STATE;
    root->used = true;
    struct router_run *run = run_new(root, update);
    if (run == NULL) return GAP_E_NOMEM;
    int r = go(run);
    if (r == GAP_LATER) {
        router_session_wake(root); /* who timed out may have lost a key */
        return GAP_LATER;
    }
    if (update->owner->ends && run->value != NULL) {
        run->state = RUN_ENDING;
        return r;
    }
    r = run_end(run, r);
    router_session_wake(root);
    return r;
}

/* Through, after GAP_LATER. The run is gone when this returns, or ENDING. */
static void tell(struct router_run *run, int status)
{
    gap_router_t *root = run->root;
    gap_update_t *update = run->update;

    if (update->owner->ends && run->value != NULL && !run->over)
        run->state = RUN_ENDING;
    else
        status = run_end(run, status);
    gap_update_tell_owner(update, status);
    router_session_wake(root);
}

void router_resume(struct router_run *run, int status)
{
    int r;

    run->state = RUN_FINDING;
    if (run->over)
        r = GAP_E_TIMEOUT;
    else
        r = status < 0 ? unwind(run, status) : RUN_ON;
    if (r == RUN_ON) r = go(run);
    if (r != GAP_LATER) tell(run, r);
}

static void on_finished(struct gap_relay *relay, gap_update_t *update, int status)
{
    struct router_run *run = GAP_CONTAINER_OF(relay, struct router_run, relay);

    if (run->state == RUN_HANDLING) {
        run->finished = true;
        run->status = status;
        return;
    }
    if (run->state == RUN_ENDING) { /* a handler behind the router went on later */
        gap_update_tell_owner(update, status);
        return;
    }
    GAP_ASSERT(run->state == RUN_LATER && run->update == update);
    /* What is over ends as its owner says; nobody is told. */
    if (!run->over) status = unwind(run, status);
    tell(run, status);
}

static int on_ended(struct gap_relay *relay, gap_update_t *update, int status)
{
    struct router_run *run = GAP_CONTAINER_OF(relay, struct router_run, relay);
    gap_router_t *root = run->root;

    if (run->state == RUN_ENDING) {
        status = run_end(run, status);
        router_session_wake(root);
        return status < 0 ? status : 0;
    }
    /* Given up before it was through. */
    run->over = true;
    if (run->state == RUN_LATER) { /* the handler is still to say that it is */
        router_session_leave(run);
        router_session_wake(root);
    } else {
        update->relay = NULL;
    }
    return 0;
}

const struct gap_relay_ops router_relay_ops = {.finished = on_finished, .ended = on_ended};
