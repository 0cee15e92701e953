/*
 * client/find.c - who waits for whom.
 *
 * Owns the look-ups and their waiters. Everything is told from the finder's own batches, so a
 * callback never runs from inside a call; after each of them the finder may be closing, never gone.
 */
#include "client/find_internal.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- endings ---- */

static void done(struct lookup *l, int status)
{
    l->status = status;
    l->state = LOOKUP_DONE;
    gap_loop_signal(l->finder->config.rt, &l->finder->loop);
}

void lookup_fail(struct lookup *l, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(l->text, sizeof l->text, format, args);
    va_end(args);
    done(l, status);
}

void lookup_found(struct lookup *l, const struct client_address *address)
{
    l->address = *address;
    l->rpc_name[0] = 0;
    done(l, 0);
}

bool lookup_try(struct lookup *l)
{
    struct client_address a;

    if (client_book_address(l->finder->config.book, l->who.peer, &a) < 0) return false;
    if (a.how != CLIENT_ADDRESS_PLAIN && a.how != CLIENT_ADDRESS_SELF) return false;
    lookup_found(l, &a);
    return true;
}

void lookup_hold(struct client_finder *f)
{
    gap_loop_hold(&f->loop);
}

bool lookup_drop(struct client_finder *f)
{
    bool open = !gap_loop_is_closing(&f->loop);

    gap_loop_drop(f->config.rt, &f->loop);
    return open;
}

/* ---- telling ---- */

static void tell(struct lookup *l, const struct finder_waiter *w)
{
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    gap_found_peer_t found = {.status = l->status, .rpc_name = l->rpc_name, .text = l->text};

    if (l->status == 0) {
        found.peer = l->address.peer;
        client_address_peer(&l->address, storage, &found.input);
    }
    w->callback(l->finder->config.client, &found, w->data);
}

static void tell_all(struct lookup *l)
{
    struct client_finder *f = l->finder;
    struct finder_waiter *w;

    while ((w = STAILQ_FIRST(&l->waiters)) != NULL) {
        STAILQ_REMOVE_HEAD(&l->waiters, next);
        f->waiting--;
        if (w->callback != NULL) tell(l, w);
        gap_free(f->config.alloc, w);
    }
    gap_wipe(&l->who, sizeof l->who); /* it may be a phone number */
    gap_free(f->config.alloc, l);
}

/* ---- the storage ---- */

static void on_stored(void *arg, int status, const gap_peer_record_t *record)
{
    struct lookup *l = arg;
    struct client_book *book = l->finder->config.book;
    struct client_address a;

    if (!lookup_drop(l->finder)) return;
    /* A storage that fails is told of elsewhere; the server knows as well. */
    bool usable =
        status == 0 && record != NULL &&
        (l->who.kind != CLIENT_WHO_USERNAME || !client_book_is_changing(book, record->peer));
    if (usable && client_book_know(book, record) == 0 &&
        client_book_address(book, record->peer, &a) == 0 &&
        (a.how == CLIENT_ADDRESS_PLAIN || a.how == CLIENT_ADDRESS_SELF)) {
        lookup_found(l, &a);
    } else {
        lookup_ask(l);
    }
}

/* @return true: it is asked, or will not be. */
static bool ask_storage(struct lookup *l)
{
    const struct client_book *b = l->finder->config.book;
    gap_peer_key_t key = {.by = GAP_BY_ID, .peer = l->who.peer};

    if (!b->storing) return false;
    switch (l->who.kind) {
    case CLIENT_WHO_ID:
        break;
    case CLIENT_WHO_USERNAME:
        key.by = GAP_BY_USERNAME;
        break;
    case CLIENT_WHO_PHONE:
        key.by = GAP_BY_PHONE;
        break;
    default:
        return false;
    }
    key.text = gap_bytes(l->who.text, strlen(l->who.text));
    l->state = LOOKUP_STORED;
    lookup_hold(l->finder);
    if (b->ops.stored(b->ops.arg, &key, on_stored, l) == 0) return true;
    (void)lookup_drop(l->finder);
    return false;
}

/* ---- the order of things ---- */

/* A basic group needs no hash, so only what was seen says that there is one. */
static bool in_memory(struct lookup *l)
{
    const struct client_book *b = l->finder->config.book;
    gap_engine_peer_t known;

    if (l->who.peer.kind == GAP_PEER_CHAT &&
        (b->engine == NULL || !gap_engine_peer(b->engine, l->who.peer, &known) || known.forbidden))
        return false;
    return lookup_try(l);
}

static void begin(struct lookup *l)
{
    switch ((int)l->who.kind) {
    case 0:
        lookup_fail(l, GAP_E_ARGUMENT,
                    "that means no peer; give @name, a phone number with +, a t.me link or an id");
        return;
    case CLIENT_WHO_SELF:
        l->who.peer = (gap_peer_t){l->finder->config.book->self_id, GAP_PEER_USER};
        if (!lookup_try(l)) lookup_fail(l, GAP_E_STATE, "not signed in");
        return;
    case CLIENT_WHO_ID:
        if (in_memory(l)) return;
        break;
    default:
        break;
    }
    if (!ask_storage(l)) lookup_ask(l);
}

static void finder_run(gap_rt_t *rt, gap_loop_t *loop)
{
    struct client_finder *f = GAP_CONTAINER_OF(loop, struct client_finder, loop);
    struct lookup *l;
    struct lookup *next;

    (void)rt;
    for (l = STAILQ_FIRST(&f->lookups); l != NULL; l = STAILQ_NEXT(l, next))
        if (l->state == LOOKUP_NEW) begin(l);
    for (l = STAILQ_FIRST(&f->lookups); l != NULL; l = next) {
        next = STAILQ_NEXT(l, next);
        if (l->state != LOOKUP_DONE) continue;
        STAILQ_REMOVE(&f->lookups, l, lookup, next);
        tell_all(l);
        if (gap_loop_is_closing(loop)) return;
        next = STAILQ_FIRST(&f->lookups); /* the callback may have added some */
    }
}

static void finder_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    struct client_finder *f = GAP_CONTAINER_OF(loop, struct client_finder, loop);
    void (*closed)(void *) = f->closed;
    void *arg = f->closed_arg;
    struct lookup *l;

    (void)rt;
    while ((l = STAILQ_FIRST(&f->lookups)) != NULL) {
        STAILQ_REMOVE_HEAD(&f->lookups, next);
        l->text[0] = 0;
        l->rpc_name[0] = 0;
        l->status = GAP_E_CLOSED;
        tell_all(l);
    }
    gap_free(f->config.alloc, f);
    if (closed != NULL) closed(arg);
}

static const struct gap_loop_class finder_class = {"finder", finder_run, finder_closed};

/* ---- the interface ---- */

int client_finder_open(const struct client_finder_config *config, struct client_finder **out)
{
    struct client_finder *f = gap_calloc(config->alloc, 1, sizeof *f);

    if (f == NULL) return GAP_E_NOMEM;
    f->config = *config;
    STAILQ_INIT(&f->lookups);
    gap_loop_init(&f->loop, &finder_class);
    *out = f;
    return 0;
}

static struct lookup *same(struct client_finder *f, const struct client_who *who)
{
    struct lookup *l;

    STAILQ_FOREACH (l, &f->lookups, next)
        if (l->state != LOOKUP_DONE && client_who_equal(&l->who, who)) return l;
    return NULL;
}

int client_finder_find(struct client_finder *f, const char *who, gap_found_cb callback, void *data)
{
    struct client_who parsed = {0};
    struct lookup *l = NULL;

    if (gap_loop_is_closing(&f->loop)) return GAP_E_CLOSED;
    if (f->waiting >= GAP_CLIENT_FINDS_MAX) return GAP_E_LIMIT;
    if (client_who_parse(who, &parsed) == 0) l = same(f, &parsed);
    struct finder_waiter *w = gap_malloc(f->config.alloc, sizeof *w);
    if (w == NULL) return GAP_E_NOMEM;
    *w = (struct finder_waiter){.callback = callback, .data = data};
    if (l == NULL) {
        l = gap_calloc(f->config.alloc, 1, sizeof *l);
        if (l == NULL) {
            gap_free(f->config.alloc, w);
            return GAP_E_NOMEM;
        }
        l->finder = f;
        l->who = parsed;
        STAILQ_INIT(&l->waiters);
        STAILQ_INSERT_TAIL(&f->lookups, l, next);
        gap_loop_signal(f->config.rt, &f->loop);
    }
    STAILQ_INSERT_TAIL(&l->waiters, w, next);
    f->waiting++;
    gap_wipe(&parsed, sizeof parsed);
    return 0;
}

void client_finder_close(struct client_finder *f, void (*closed)(void *arg), void *arg)
{
    if (gap_loop_is_closing(&f->loop)) return;
    f->closed = closed;
    f->closed_arg = arg;
    gap_loop_close(f->config.rt, &f->loop);
}
