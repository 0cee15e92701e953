/*
 * tests/unit/router_steps.h - the one router of a test program, owners of updates, handlers that
 * leave a trace.
 */
#ifndef GAP_TESTS_ROUTER_STEPS_H
#define GAP_TESTS_ROUTER_STEPS_H

#include "tests/check_main.h"

#include "loops/router_internal.h"
#include "tests/unit/route_build.h"

#include <string.h>

static struct fault_alloc fault;
static gap_router_t *router;
static char trace[2048];

static inline void say(const char *text)
{
    ck_assert_uint_lt(strlen(trace) + strlen(text) + 2, sizeof trace);
    if (trace[0] != 0) strcat(trace, " ");
    strcat(trace, text);
}

static inline void expect(const char *text)
{
    ck_assert_str_eq(trace, text);
    trace[0] = 0;
}

/* ---- an owner of updates ---- */

struct token {
    struct made made;
    int ended;  /* times that its owner heard of the end */
    int status; /* which one */
};

static inline struct token *token_of(gap_update_t *update)
{
    return GAP_CONTAINER_OF(update, struct token, made.update);
}

static inline void finished(gap_update_t *update, int status)
{
    struct token *t = token_of(update);
    t->ended++;
    t->status = status;
}

/* As one for which an update is handled when its handler is through, */
static const struct gap_update_owner plain = {.finished = finished};
/* and one that has more to wait for. */
static const struct gap_update_owner slow = {.finished = finished, .ends = true};

static inline void token_text(struct token *t, const char *text)
{
    memset(t, 0, sizeof *t);
    made_text(&t->made, text);
    t->made.update.owner = &plain;
}

static inline void token_from(struct token *t, int64_t user, const char *text)
{
    memset(t, 0, sizeof *t);
    made_message(&t->made, &(struct message_like){
                               .chat = {5, GAP_PEER_CHAT}, .from = user, .text = gap_str(text)});
    t->made.update.owner = &plain;
}

static inline int handle(struct token *t)
{
    return gap_router_handle(&t->made.update, router);
}

/* Handle a text from beginning to end. */
static inline int text(const char *what)
{
    struct token t;

    token_text(&t, what);
    int r = handle(&t);
    ck_assert_ptr_null(t.made.update.relay);
    ck_assert_int_eq(t.ended, 0);
    made_free(&t.made);
    return r;
}

static inline void done(struct token *t)
{
    gap_update_done(&t->made.update);
}

static inline void token_end(struct token *t, int status)
{
    ck_assert_int_eq(t->ended, 1);
    ck_assert_int_eq(t->status, status);
    ck_assert_ptr_null(t->made.update.relay);
    made_free(&t->made);
}

/* ---- handlers ---- */

/* "name:result" */
struct act {
    const char *name;
    int result;
};

static inline int act(gap_update_t *update, const gap_match_t *match, void *data)
{
    const struct act *a = data;

    (void)match;
    say(a->name);
    if (a->result == GAP_LATER + 100) { /* done inside */
        gap_update_done(update);
        return GAP_LATER;
    }
    return a->result;
}

static inline void act_after(gap_update_t *update, const gap_match_t *match, int result, void *data)
{
    const struct act *a = data;
    char line[64];

    (void)match;
    ck_assert_int_eq(gap_update_session_set(update, gap_str("x")), GAP_E_STATE);
    snprintf(line, sizeof line, "/%s:%d", a->name, result);
    say(line);
}

static inline int act_error(gap_update_t *update, const gap_match_t *match, int error, void *data)
{
    const struct act *a = data;
    char line[64];

    (void)update;
    (void)match;
    snprintf(line, sizeof line, "%s!%d", a->name, error);
    say(line);
    return a->result;
}

static inline void begin(void)
{
    fault_alloc_init(&fault, 0);
    trace[0] = 0;
    ck_assert_int_eq(gap_router_new(&fault.alloc, &router), 0);
}

static inline void end(void)
{
    gap_router_free(router);
    ck_assert_int_eq((int)fault.live, 0);
}

static inline void route(gap_router_t *r, const char *prefix, struct act *a)
{
    const gap_route_t add = {.filter.prefix = prefix, .handler = act, .data = a};
    ck_assert_int_eq(gap_router_add(r, &add), 0);
}

static inline gap_router_t *group(gap_router_t *in, const char *prefix)
{
    gap_router_t *r;
    ck_assert_int_eq(gap_router_new(&fault.alloc, &r), 0);
    const gap_route_t add = {.filter.prefix = prefix, .group = r};
    ck_assert_int_eq(gap_router_add(in, &add), 0);
    return r;
}

#endif
