/*
 * client/find_dialogs.c - a person's unknown ids: the list of dialogs names everybody the account
 * talks to, with access hashes. It is long, and the server counts questions, so the walk is
 * bounded: some pages, which all look-ups that wait share, and not again for a while.
 *
 *   nobody waits: stands still --lookup_walk--> asking a page --> known by now? found
 *                                                  ^----- more pages, and somebody waits
 *                                               the end: not found
 */
#include "client/find_internal.h"

#include "base/bytes.h"
#include "sequence/walk.h"

#include <gapless/tl_api.h>
#include <string.h>

static void ask_page(struct client_finder *f);

static bool somebody_waits(const struct client_finder *f)
{
    const struct lookup *l;

    STAILQ_FOREACH (l, &f->lookups, next)
        if (l->state == LOOKUP_WALKING) return true;
    return false;
}

static void not_seen(struct lookup *l)
{
    lookup_fail(l, GAP_E_NOT_FOUND,
                "the account has not seen this %s; find it by username or link first",
                l->who.peer.kind == GAP_PEER_USER ? "user" : "channel");
}

/* Those whom the page named are found; at the end of the walk the others are not. */
static void settle(struct client_finder *f)
{
    struct lookup *l;

    STAILQ_FOREACH (l, &f->lookups, next)
        if (l->state == LOOKUP_WALKING && !lookup_try(l) && f->walk.ended) not_seen(l);
}

static void fail_all(struct client_finder *f, const gap_answer_t *answer)
{
    struct lookup *l;

    STAILQ_FOREACH (l, &f->lookups, next)
        if (l->state == LOOKUP_WALKING) lookup_refused(l, answer);
}

/* ---- where the next page begins ---- */

static int32_t date_of(gap_tl_vector_t messages, gap_peer_t peer, int32_t id)
{
    gap_tl_iter_t it = gap_tl_iter(messages);
    struct gap_message_head h;
    gap_tl_object_t object;

    while (gap_tl_next(&it, &object) > 0) {
        struct gap_walk w = gap_walk(gap_tl_bytes(object), 0);
        if (gap_message_head(&w, &h) < 0) continue;
        if (h.message_id == id && gap_peer_equal(h.peer, peer)) return h.date;
    }
    return 0;
}

/* Go on behind the last dialog whose message came along. @return false: there is none. */
static bool move_on(struct dialogs_walk *walk, gap_tl_vector_t dialogs, gap_tl_vector_t messages)
{
    gap_tl_iter_t it = gap_tl_iter(dialogs);
    gap_tl_object_t object;
    gap_tl_dialog_t d;
    gap_tl_dialog_t last = {0};

    while (gap_tl_next(&it, &object) > 0)
        if (object.id == GAP_TL_DIALOG && GAP_TL_READ(object, GAP_TL_DIALOG, &d) > 0) last = d;
    if (last.peer.data == NULL) return false;
    struct gap_walk w = gap_walk(gap_tl_bytes(last.peer), 0);
    gap_peer_t peer = gap_walk_peer(&w);
    int32_t date = date_of(messages, peer, last.top_message);
    bool stuck = last.top_message == walk->offset_id && gap_peer_equal(peer, walk->offset_peer);
    if (date == 0 || stuck) return false;
    walk->offset_peer = peer;
    walk->offset_id = last.top_message;
    walk->offset_date = date;
    return true;
}

static void take_page(struct client_finder *f, gap_bytes_t value)
{
    struct dialogs_walk *walk = &f->walk;
    gap_tl_messages_dialogs_slice_t slice;

    walk->ended = ++walk->pages >= GAP_CLIENT_DIALOGS_PAGES;
    if (value.len < 4 || gap_load32(value.data) != GAP_TL_MESSAGES_DIALOGS_SLICE ||
        gap_tl_read(value, GAP_TL_MESSAGES_DIALOGS_SLICE, &slice, sizeof slice) < 0) {
        walk->ended = true; /* messages.dialogs: that was all */
    } else if (slice.dialogs.count == 0 || !move_on(walk, slice.dialogs, slice.messages)) {
        walk->ended = true;
    }
}

/* ---- asking ---- */

static void on_page(void *arg, const gap_answer_t *answer)
{
    struct client_finder *f = arg;

    f->walk.asking = false;
    if (!lookup_drop(f)) return;
    if (answer->status != 0) {
        fail_all(f, answer);
        return;
    }
    client_book_answer(f->config.book, answer->value,
                       (uint32_t)(gap_rt_now_us(f->config.rt) / 1000000));
    take_page(f, answer->value);
    settle(f);
    if (somebody_waits(f)) ask_page(f);
}

static void ask_page(struct client_finder *f)
{
    struct dialogs_walk *walk = &f->walk;
    struct client_address a;
    uint8_t storage[64];
    gap_tl_messages_get_dialogs_t q = {
        .offset_date = walk->offset_date,
        .offset_id = walk->offset_id,
        .offset_peer = GAP_TL_OF(GAP_TL_INPUT_PEER_EMPTY, NULL),
        .limit = GAP_CLIENT_DIALOGS_PAGE,
    };

    if (client_book_address(f->config.book, walk->offset_peer, &a) == 0)
        client_address_peer(&a, storage, &q.offset_peer);
    walk->asking = true;
    lookup_hold(f);
    int r = f->config.invoke(f->config.invoke_arg, GAP_TL_OF(GAP_TL_MESSAGES_GET_DIALOGS, &q),
                             on_page, f);
    if (r == 0) return;
    walk->asking = false;
    (void)lookup_drop(f);
    fail_all(f, &(gap_answer_t){.status = r});
}

void lookup_walk(struct lookup *l)
{
    struct client_finder *f = l->finder;
    uint64_t now_us = gap_rt_now_us(f->config.rt);

    l->by_message = false;
    l->state = LOOKUP_WALKING;
    if (f->walk.asking) return;
    if (f->walk.pages > 0 && now_us - f->walk.began_us >= GAP_CLIENT_DIALOGS_AGAIN_US)
        f->walk = (struct dialogs_walk){0};
    if (f->walk.ended) {
        not_seen(l);
        return;
    }
    if (f->walk.pages == 0) f->walk.began_us = now_us;
    ask_page(f);
}
