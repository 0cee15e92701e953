/*
 * loops/engine_feed.c - bytes in: one pass over what came, one node for each update, into the
 * arrivals in the order in which they are to be looked at:
 *   users and chats first; early updates (updateMessageID ...); those with a sequence of their own;
 *   at last what only the container's seq orders, as one node.
 *
 * updatePtsChanged is acted upon after all else of its container, and leaves qts where it is: what
 * stands behind it there was counted before.
 *
 * Owns: nothing. Never: calls back, judges an order, asks.
 */
#include "base/assert.h"
#include "base/packet.h"
#include "loops/engine_internal.h"

#include <string.h>

/* One object on its way in. */
struct intake {
    gap_engine_t *e;
    struct gap_updates updates;
    gap_packet_t *packet;
    gap_bytes_t query; /* of a result */
    gap_via_t via;
    bool strange;              /* something in it names a peer that is not known */
    bool restarted;            /* updatePtsChanged is in it */
    bool fresh;                /* what has no sequence of its own was not seen before */
    struct gap_node_list rest; /* of a container with seq */
    uint32_t rest_count;
    struct gap_node *before; /* last of the arrivals until now; NULL: there was none */
    struct gap_node *last;   /* of what came since and has a sequence, as it came; NULL: none */
    int result;
};

/* Nodes looked at for the place of one that came before its turn. */
#define SWAPPED_MAX 64

static void arrive(gap_engine_t *e, struct gap_node *n)
{
    STAILQ_INSERT_TAIL(&e->arrivals, n, next);
    e->arrival_count++;
}

/* Does @p n lead to where @p later begins, or further back? */
static bool goes_before(const struct gap_node *n, const struct gap_node *later)
{
    int64_t begin = (int64_t)later->update.pts - later->update.pts_count;

    if (later->track != n->track || later->kind > NODE_SILENT) return false;
    if (n->update.pts <= 0 || later->update.pts <= 0) return false;
    return n->update.pts < begin || (n->update.pts == begin && n->update.pts_count > 0);
}

/* Updates of one sequence that are swapped within their container show no hole. */
static void arrive_in_order(struct intake *in, struct gap_node *n)
{
    gap_engine_t *e = in->e;
    struct gap_node *before = in->before;
    unsigned looked = 0;

    if (in->last == NULL || !goes_before(n, in->last)) {
        in->last = n;
        arrive(e, n);
        return;
    }
    for (;;) {
        struct gap_node *p =
            before == NULL ? STAILQ_FIRST(&e->arrivals) : STAILQ_NEXT(before, next);
        if (goes_before(n, p) || ++looked > SWAPPED_MAX) break;
        before = p;
    }
    if (looked > SWAPPED_MAX) {
        arrive(e, n);
        return;
    }
    if (before == NULL) {
        STAILQ_INSERT_HEAD(&e->arrivals, n, next);
    } else {
        STAILQ_INSERT_AFTER(&e->arrivals, before, n, next);
    }
    e->arrival_count++;
}

static void shed(gap_engine_t *e, uint16_t flags)
{
    e->count.shed++;
    gap_tap(e, NULL, GAP_DECISION_SHED);
    if ((flags & GAP_ITEM_TYPING) == 0) e->shed_untold++;
}

/* Out of memory: what has a sequence is fetched later, the rest is gone. */
static void starved(struct intake *in, struct gap_track *track)
{
    GAP_ASSERT(in->e != NULL);
    in->result = GAP_E_NOMEM;
    if (track == NULL) {
        shed(in->e, 0);
        return;
    }
    gap_track_behind(track, 1);
    gap_tap(in->e, track, GAP_DECISION_STARVED);
    gap_mark(in->e, track);
    gap_engine_sweep_later(in->e);
}

uint32_t gap_track_limit(const gap_engine_t *e, const struct gap_track *track)
{
    return track->channel_id == 0 ? 0 : e->config.limits.difference_limit;
}

static uint32_t waiting(const gap_engine_t *e)
{
    return e->arrival_count + (uint32_t)e->count.held;
}

/* A channel of which nothing is known begins with the lowest that came, though it be dropped. */
static void drop_first(struct gap_feed *f, int32_t pts, int32_t events)
{
    int64_t start = (int64_t)pts - events;

    if (f->track->channel_id == 0 || f->track->core.position != 0 || start <= 0) return;
    if (f->dropped_from == 0 || start < f->dropped_from) f->dropped_from = (int32_t)start;
}

/* @param events  In what has come, up to @p pts: they are dropped if there is no room. */
static bool make_room(struct intake *in, struct gap_track *track, int32_t pts, int32_t events)
{
    gap_engine_t *e = in->e;
    const gap_engine_limits_t *l = &e->config.limits;
    struct gap_room room = {
        .queued = track->queued,
        .inbox = l->inbox,
        .waiting = waiting(e),
        .overflow = l->overflow,
        .most = GAP_ARRIVALS_MAX,
        .behind = track->behind,
        .limit = gap_track_limit(e, track),
        .tight = track->channel_id != 0 && !e->config.bot,
    };

    int32_t counted = events;
    if (events < 1) events = 1;
    if (gap_room_keep(&room, (uint32_t)events)) return true;
    bool first = track->behind == 0;
    gap_track_behind(track, (uint32_t)events);
    if (first) gap_mark(e, track);
    struct gap_feed *f = gap_engine_activate(e, track); /* it is needed soon */
    if (f != NULL) {
        if (pts > f->dropped_to) f->dropped_to = pts;
        if (counted > 0) drop_first(f, pts, counted);
        if (first) gap_loop_signal(e->rt, &f->loop);
    }
    gap_watch_count(e, track, GAP_WATCH_BEHIND);
    gap_tap(e, track, GAP_DECISION_BEHIND);
    if (in->result == 0) in->result = GAP_BEHIND;
    return false;
}

static inline bool has_room(struct intake *in, struct gap_track *track, int32_t pts, int32_t events)
{
    if (track->behind == 0 && track->queued < in->e->config.limits.inbox &&
        in->e->arrival_count < GAP_ARRIVALS_MAX)
        return true;
    return make_room(in, track, pts, events);
}

static struct gap_node *order(gap_engine_t *e, enum gap_node_kind kind, struct gap_track *track,
                              int32_t pts, int32_t count)
{
    struct gap_node *n = e->arrival_count < GAP_ARRIVALS_MAX ? gap_node_new(e, kind, NULL) : NULL;

    if (n == NULL) return NULL;
    memset(&n->update, 0, sizeof n->update);
    n->update.pts = pts;
    n->update.pts_count = count;
    n->track = track;
    if (track == NULL) return n;
    track->queued++;
    gap_mark(e, track);
    return n;
}

/* ---- what has a sequence ---- */

static struct gap_track *track_of(gap_engine_t *e, const struct gap_item *item)
{
    if (item->box == GAP_BOX_CHANNEL) return gap_engine_track(e, item->channel_id, true);
    return &e->common[item->box == GAP_BOX_QTS ? GAP_SEQUENCE_QTS : GAP_SEQUENCE_COMMON];
}

/* How well the peers of a message must be known. */
enum known_as {
    KNOWN_ANYHOW, /* what we wrote ourselves */
    KNOWN_SEEN,   /* users and chats came along: a partial object will do */
    KNOWN_FULLY,  /* short messages name them by id only */
};

static bool names_unknown(gap_engine_t *e, const struct gap_item *item, enum known_as known)
{
    if ((item->flags & GAP_ITEM_HAS_MESSAGE) == 0 || known == KNOWN_ANYHOW) return false;
    int verdict = gap_peers_check(&e->peers, item, NULL);
    return verdict == GAP_PEERS_UNKNOWN || (verdict == GAP_PEERS_MIN && known == KNOWN_FULLY);
}

static void add_boxed(struct intake *in, const struct gap_item *item, gap_packet_t *packet,
                      enum known_as known)
{
    gap_engine_t *e = in->e;
    struct gap_track *track = track_of(e, item);

    if (track == NULL) {
        starved(in, NULL);
        gap_engine_missed(e);
        return;
    }
    if (track->untracked) {
        e->count.untracked++;
        gap_tap(e, track, GAP_DECISION_IGNORED);
        return;
    }
    if (!has_room(in, track, item->pts, item->pts_count)) {
        /* No difference brings a read mark back. */
        if ((item->flags & GAP_ITEM_NO_COUNT) != 0) shed(e, item->flags);
        return;
    }
    struct gap_node *n = gap_node_new(e, NODE_UPDATE, packet);
    if (n == NULL) {
        starved(in, track);
        return;
    }
    gap_node_fill(n, item, &in->updates.users, &in->updates.chats, in->via);
    n->track = track;
    if ((item->flags & GAP_ITEM_EMPTY) != 0) {
        n->kind = NODE_SILENT;
    } else {
        n->unknown = names_unknown(e, item, known);
        in->strange |= n->unknown;
    }
    track->queued++;
    track->lost = false;
    gap_mark(e, track);
    arrive_in_order(in, n);
}

/* ---- short forms ---- */

static void fetch_common(struct intake *in)
{
    struct gap_node *n = order(in->e, NODE_FETCH, NULL, 0, 0);

    if (n == NULL) {
        starved(in, &in->e->common[GAP_SEQUENCE_COMMON]);
        return;
    }
    arrive(in->e, n);
}

static void add_short(struct intake *in, const struct gap_item *item)
{
    gap_engine_t *e = in->e;
    struct gap_item full;
    gap_packet_t *packet;
    int r = (item->flags & GAP_ITEM_SENT) == 0
                ? gap_short_expand(e->alloc, item, e->config.self_id, &packet, &full)
                : gap_sent_expand(e->alloc, item, in->query, e->config.self_id, &packet, &full);

    if (r == GAP_E_NOMEM) {
        starved(in, &e->common[GAP_SEQUENCE_COMMON]);
    } else if (r < 0) {
        fetch_common(in);
    } else {
        bool sent = (item->flags & GAP_ITEM_SENT) != 0;
        add_boxed(in, &full, packet, sent ? KNOWN_ANYHOW : KNOWN_FULLY);
        gap_packet_unref(packet);
    }
}

/* ---- what has none ---- */

static void add_plain(struct intake *in, const struct gap_item *item, bool at_once)
{
    gap_engine_t *e = in->e;
    uint32_t limit = e->config.limits.inbox;

    if (!in->fresh) {
        e->count.duplicates++;
        return;
    }
    if ((item->flags & GAP_ITEM_TYPING) != 0) limit /= 2;
    if (e->plain_count + e->rest_count + in->rest_count >= limit) {
        shed(e, item->flags);
        return;
    }
    struct gap_node *n = gap_node_new(e, NODE_UPDATE, in->packet);
    if (n == NULL) {
        in->result = GAP_E_NOMEM;
        shed(e, item->flags);
        return;
    }
    gap_node_fill(n, item, &in->updates.users, &in->updates.chats, in->via);
    if (e->queries_first && (item->flags & GAP_ITEM_QUERY) != 0) {
        e->plain_count++;
        STAILQ_INSERT_TAIL(&e->queries, n, next);
    } else if (at_once || in->updates.seq == 0) {
        e->plain_count++;
        arrive(e, n);
    } else {
        in->rest_count++;
        STAILQ_INSERT_TAIL(&in->rest, n, next);
    }
}

static void add_order(struct intake *in, const struct gap_item *item)
{
    gap_engine_t *e = in->e;
    struct gap_track *track = gap_engine_track(e, item->channel_id, true);

    if (track == NULL) {
        starved(in, NULL);
        gap_engine_missed(e);
        return;
    }
    if (track->untracked) {
        e->count.untracked++;
        gap_tap(e, track, GAP_DECISION_IGNORED);
        return;
    }
    struct gap_node *n = order(e, NODE_TOO_LONG, track, item->pts, 0);
    if (n == NULL) {
        starved(in, track);
        return;
    }
    arrive(e, n);
}

/* updateChannel with a channelForbidden: the account was put out. No push will ever show it, so the
 * channel is asked for: the server's refusal ends it, and is told. */
static void add_look(struct intake *in, const struct gap_item *item)
{
    gap_engine_t *e = in->e;
    gap_peer_t peer = {item->channel_id, GAP_PEER_CHANNEL};
    struct gap_track *track = gap_engine_track(e, item->channel_id, false);
    gap_engine_peer_t known;

    if (track == NULL || track->lost || track->untracked || track->core.position <= 0) return;
    if (!gap_engine_peer(e, peer, &known) || !known.forbidden) return;
    struct gap_node *n = order(e, NODE_TOO_LONG, track, -1, 0);
    if (n == NULL) {
        starved(in, track);
        return;
    }
    arrive(e, n);
}

/* updatePtsChanged, when all else of its container has been seen to. */
static void add_restart(struct intake *in)
{
    struct gap_node *n = order(in->e, NODE_PTS_CHANGED, NULL, 0, 0);

    if (n == NULL) {
        starved(in, &in->e->common[GAP_SEQUENCE_COMMON]);
        return;
    }
    arrive(in->e, n);
}

static bool is_early(const struct gap_item *item)
{
    return item->box == GAP_BOX_NONE && (item->flags & (GAP_ITEM_EARLY | GAP_ITEM_AT_ONCE)) != 0;
}

/* Of a channel that can't be: it is dropped, and looked for in a difference. */
static bool is_nobodys(gap_engine_t *e, const struct gap_item *item)
{
    bool of_channel = item->box == GAP_BOX_CHANNEL || (item->flags & GAP_ITEM_TOO_LONG) != 0;

    if (!of_channel || item->channel_id > 0) return false;
    e->count.malformed++;
    gap_engine_undecodable(e);
    return true;
}

/* A message that is sent for the second time is answered with the first one, outside the order: its
 * event has a place of its own, by which it comes, or has come. */
static bool is_sent_again(const struct intake *in, const struct gap_item *item)
{
    bool is_new = item->id == GAP_TL_UPDATE_NEW_MESSAGE ||
                  item->id == GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE ||
                  (item->flags & GAP_ITEM_SENT) != 0;
    return in->via == GAP_VIA_RESULT && is_new && item->pts_count == 0;
}

static void add_sent_again(gap_engine_t *e, const struct gap_item *item)
{
    struct gap_track *track = item->box == GAP_BOX_CHANNEL
                                  ? gap_engine_track(e, item->channel_id, false)
                                  : &e->common[GAP_SEQUENCE_COMMON];

    if (track == NULL) return;
    gap_watch_count(e, track, GAP_WATCH_DUPLICATE);
    gap_tap_at(e, track, GAP_DECISION_DUPLICATE, item->pts, 0);
}

static void add_item(struct intake *in, const struct gap_item *item)
{
    if (is_nobodys(in->e, item)) return;
    if (is_sent_again(in, item)) {
        add_sent_again(in->e, item);
        return;
    }
    if ((item->flags & (GAP_ITEM_SHORT | GAP_ITEM_SENT)) != 0) {
        add_short(in, item);
    } else if ((item->flags & GAP_ITEM_PTS_CHANGED) != 0) {
        in->restarted = true;
    } else if ((item->flags & GAP_ITEM_TOO_LONG) != 0) {
        add_order(in, item);
    } else if (item->box != GAP_BOX_NONE) {
        add_boxed(in, item, in->packet, KNOWN_SEEN);
    } else if ((item->flags & GAP_ITEM_EMPTY) == 0) {
        add_plain(in, item, false);
        if ((item->flags & GAP_ITEM_REFETCH) != 0 && item->channel_id > 0) add_look(in, item);
    }
}

/* The container's own place in the order, with the rest of its updates. */
static void add_container(struct intake *in)
{
    gap_engine_t *e = in->e;
    struct gap_track *track = &e->common[GAP_SEQUENCE_SEQ];
    const struct gap_updates *u = &in->updates;
    struct gap_node *n = NULL;

    if (has_room(in, track, u->seq, 1)) {
        n = order(e, NODE_CONTAINER, track, u->seq, u->seq - u->seq_start + 1);
        if (n == NULL) starved(in, track);
    }
    if (n != NULL) {
        n->date = u->date;
        n->unknown = in->strange;
        STAILQ_CONCAT(&n->u.rest, &in->rest);
        e->rest_count += in->rest_count;
        arrive(e, n);
        return;
    }
    while ((n = STAILQ_FIRST(&in->rest)) != NULL) {
        STAILQ_REMOVE_HEAD(&in->rest, next);
        shed(e, n->update.flags);
        gap_node_free(n);
    }
}

static void learn(struct intake *in)
{
    gap_engine_t *e = in->e;

    /* The same as the last time, and nothing else was learned since. */
    if (in->updates.same_peers && e->peers.puts == e->memo_puts) return;
    int r = gap_peers_learn(&e->peers, in->updates.users);
    int q = gap_peers_learn(&e->peers, in->updates.chats);
    if (in->updates.kind == GAP_UPDATES_SEQ && in->updates.error == 0)
        e->memo_puts = e->peers.puts; /* else the memo is still of an earlier object */
    if (r < 0 || q < 0) e->memo.len = 0;
    if (r == GAP_E_NOMEM || q == GAP_E_NOMEM) in->result = GAP_E_NOMEM;
    gap_engine_tell_peers(e, in->updates.users, in->updates.chats);
}

static bool seq_is_sane(const struct gap_updates *u)
{
    return u->seq_start > 0 && u->seq >= u->seq_start && u->seq - u->seq_start < GAP_COUNT_MAX;
}

static void take_in(struct intake *in)
{
    gap_engine_t *e = in->e;
    struct gap_updates *u = &in->updates;
    struct gap_item item;

    if (u->seq != 0 && (!seq_is_sane(u) || u->error < 0)) {
        if (u->error == 0) gap_engine_undecodable(e);
        u->seq = 0;
    }
    in->fresh = u->seq == 0 || gap_window_add(&e->window, u->seq);
    if (!in->fresh) {
        gap_watch_count(e, &e->common[GAP_SEQUENCE_SEQ], GAP_WATCH_DUPLICATE);
        gap_tap_at(e, &e->common[GAP_SEQUENCE_SEQ], GAP_DECISION_SEEN, u->seq, 0);
    }
    learn(in);
    if ((u->flags & (GAP_ITEM_EARLY | GAP_ITEM_AT_ONCE)) != 0) {
        while (gap_updates_next(u, &item)) {
            if (is_early(&item)) add_plain(in, &item, true);
        }
        gap_updates_rewind(u);
    }
    while (gap_updates_next(u, &item)) {
        if (!is_early(&item)) add_item(in, &item);
    }
    if (u->seq != 0 && in->fresh) add_container(in);
    if (in->restarted) add_restart(in);
    gap_loop_signal(e->rt, &e->seq);
}

static int feed(gap_engine_t *e, gap_bytes_t bytes, gap_packet_t *packet, gap_via_t via,
                gap_bytes_t query)
{
    struct intake in;

    int r = gap_updates_open_next(bytes, &e->memo, &in.updates);
    if (r < 0) {
        gap_engine_undecodable(e);
        return r;
    }
    in.e = e;
    in.packet = packet;
    in.query = query;
    in.via = via;
    in.rest_count = 0;
    in.before = STAILQ_EMPTY(&e->arrivals)
                    ? NULL
                    : GAP_CONTAINER_OF(e->arrivals.stqh_last, struct gap_node, next.stqe_next);
    in.last = NULL;
    in.strange = false;
    in.restarted = false;
    in.result = 0;
    STAILQ_INIT(&in.rest);
    if (in.updates.kind == GAP_UPDATES_TOO_LONG) {
        gap_engine_missed(e);
        return 0;
    }
    take_in(&in);
    /* An account that begins: what a channel loses from now on the first difference tells. */
    if (!e->known && in.updates.date > 0 && (e->date == 0 || in.updates.date < e->date))
        e->date = in.updates.date;
    if (in.updates.error == 0) return in.result;
    gap_engine_undecodable(e);
    return in.updates.error;
}

/* What comes may not be in the cache: fetch all of a usual object at once, instead of waiting for
 * one line after the other. */
static void prefetch(const uint8_t *bytes, size_t len)
{
    if (len > 512) len = 512;
    for (size_t i = 64; i < len; i += 64) __builtin_prefetch(bytes + i);
}

int gap_engine_feed(gap_engine_t *e, const uint8_t *bytes, size_t len, gap_packet_t *packet)
{
    gap_packet_t *own = NULL;

    prefetch(bytes, len);
    if (e->closing) return GAP_E_CLOSED;
    if (packet == NULL) {
        int r = gap_packet_copy(e->alloc, gap_bytes(bytes, len), &own);
        if (r < 0) {
            gap_engine_missed(e);
            return r;
        }
        packet = own;
        bytes = own->data;
    }
    int r = feed(e, gap_bytes(bytes, len), packet, GAP_VIA_PUSH, gap_bytes(NULL, 0));
    gap_packet_unref(own);
    return r;
}

/* ---- the account's own calls ---- */

static int affected(gap_engine_t *e, const struct gap_result_view *view)
{
    struct gap_track *track = view->channel_id == 0 ? &e->common[GAP_SEQUENCE_COMMON]
                                                    : gap_engine_track(e, view->channel_id, false);

    if (track == NULL || track->untracked || view->pts_count == 0) return 0;
    struct gap_node *n = order(e, NODE_SILENT, track, view->pts, view->pts_count);
    if (n == NULL) {
        gap_track_behind(track, 1);
        gap_mark(e, track);
        gap_engine_sweep_later(e);
        return GAP_E_NOMEM;
    }
    arrive(e, n);
    gap_loop_signal(e->rt, &e->seq);
    return 0;
}

int gap_engine_result(gap_engine_t *e, gap_bytes_t query, gap_bytes_t result, gap_packet_t *packet)
{
    struct gap_result_view view;
    gap_packet_t *own = NULL;
    int r = 0;

    if (e->closing) return GAP_E_CLOSED;
    gap_result_inspect(query, result, &view);
    if (view.kind == GAP_RESULT_NONE) return GAP_UNCONCERNED;
    if (view.kind == GAP_RESULT_AFFECTED) return affected(e, &view);
    if (packet == NULL) {
        r = gap_packet_copy(e->alloc, view.updates, &own);
        if (r < 0) {
            gap_engine_missed(e);
            return r;
        }
        packet = own;
        view.updates.data = own->data;
    }
    r = feed(e, view.updates, packet, GAP_VIA_RESULT, query);
    gap_packet_unref(own);
    return r;
}

/* ---- out of a difference ---- */

bool gap_engine_pass_on(gap_engine_t *e, const struct gap_item *item, struct gap_node *n)
{
    bool too_long = (item->flags & GAP_ITEM_TOO_LONG) != 0;
    if (is_nobodys(e, item)) {
        gap_node_free(n);
        return true;
    }
    struct gap_track *track =
        too_long ? gap_engine_track(e, item->channel_id, true) : track_of(e, item);

    if (track == NULL) {
        gap_node_free(n);
        return false;
    }
    if (track->untracked) {
        e->count.untracked++;
        gap_tap(e, track, GAP_DECISION_IGNORED);
        gap_node_free(n);
        return true;
    }
    n->kind = too_long ? NODE_TOO_LONG : NODE_UPDATE;
    n->track = track;
    n->update.pts = item->pts;
    n->update.pts_count = item->pts_count;
    track->queued++;
    gap_mark(e, track);
    arrive(e, n);
    gap_loop_signal(e->rt, &e->seq);
    return true;
}
