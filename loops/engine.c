/*
 * loops/engine.c - the engine as a whole: open, start, close; the sequences it knows; the account's
 * one timer (watchdog, orders put off, retry of what failed for lack of memory); the keeper, a loop
 * that gives the records of idle sequences back and, at last, the engine itself.
 *
 *   open -> (start -> known -> caught up) -> close -> every loop closed, every question answered,
 *   every GAP_LATER update done -> gone
 *
 * Owns: the pools, the map of channels, the peers. Never: looks into an update.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "loops/engine_internal.h"

#include <string.h>

#define TRACK_SLAB      64
#define ACTIVE_SLAB     16
#define APPLIED_SLAB    4
#define JITTER_PERMILLE 200

/* ---- events ---- */

gap_engine_event_t gap_engine_event(gap_engine_event_kind_t kind, const struct gap_track *track)
{
    gap_engine_event_t ev;

    memset(&ev, 0, sizeof ev);
    ev.kind = kind;
    if (track != NULL) {
        ev.sequence = track->sequence;
        ev.channel_id = track->channel_id;
    }
    return ev;
}

void gap_engine_tell(gap_engine_t *e, const gap_engine_event_t *event)
{
    if (e->closing || e->config.event == NULL) return;
    e->config.event(e->config.event_data, event);
}

void gap_engine_tell_started(gap_engine_t *e)
{
    if (e->told || !e->known) return;
    e->told = true;
    gap_mark(e, &e->common[GAP_SEQUENCE_COMMON]);
    if (e->notify) gap_loop_signal(e->rt, &e->keeper); /* it may have been told too early */
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_STARTED, NULL);
    gap_engine_tell(e, &ev);
}

void gap_engine_check_caught_up(gap_engine_t *e)
{
    if (e->caught_up || !e->fetched_once || e->starting > 0) return;
    if (e->updater.state != UPDATER_IDLE || !STAILQ_EMPTY(&e->arrivals)) return;
    e->caught_up = true;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_CAUGHT_UP, NULL);
    gap_engine_tell(e, &ev);
}

/* ---- sequences ---- */

static void track_init(struct gap_track *t, int64_t channel_id, gap_sequence_kind_t kind)
{
    memset(t, 0, sizeof *t);
    t->channel_id = channel_id;
    t->sequence = (uint8_t)kind;
    t->core.channel = kind == GAP_SEQUENCE_CHANNEL;
}

struct gap_track *gap_engine_track(gap_engine_t *e, int64_t channel_id, bool make)
{
    struct gap_track *t = e->last_track;

    if (t != NULL && t->channel_id == channel_id) return t;
    t = gap_map_get(&e->channels, (uint64_t)channel_id);
    if (t == NULL && make && channel_id > 0) {
        t = gap_pool_get(&e->tracks);
        if (t == NULL) return NULL;
        track_init(t, channel_id, GAP_SEQUENCE_CHANNEL);
        if (gap_map_set(&e->channels, (uint64_t)channel_id, t) < 0) {
            gap_pool_put(&e->tracks, t);
            return NULL;
        }
    }
    if (t != NULL) e->last_track = t;
    return t;
}

bool gap_engine_access_hash(const gap_engine_t *e, gap_peer_t peer, int64_t *out)
{
    struct gap_peer_info info;

    if (!gap_peers_find(&e->peers, peer, &info) || !info.has_hash || info.min) return false;
    *out = info.access_hash;
    return true;
}

bool gap_engine_hash(const gap_engine_t *e, int64_t channel_id, int64_t *out)
{
    gap_peer_t peer = {channel_id, GAP_PEER_CHANNEL};
    int64_t hash;

    if (!gap_engine_access_hash(e, peer, &hash)) return false;
    if (out != NULL) *out = hash;
    return true;
}

struct gap_feed *gap_engine_activate(gap_engine_t *e, struct gap_track *track)
{
    if (track->feed != NULL) return track->feed;
    struct gap_active *a = gap_pool_get(&e->actives);
    if (a == NULL) {
        gap_engine_sweep_later(e);
        return NULL;
    }
    gap_feed_init(&a->feed, e, track, &a->updater);
    gap_updater_init(&a->updater, e, track, &a->feed);
    a->listed = false;
    track->feed = &a->feed;
    e->loops_open += 2;
    gap_mark(e, track);
    return track->feed;
}

static struct gap_active *active_of(struct gap_feed *f)
{
    return GAP_CONTAINER_OF(f, struct gap_active, feed);
}

void gap_engine_rest(gap_engine_t *e, struct gap_track *track)
{
    if (track->channel_id == 0 || e->closing) return;
    struct gap_active *a = active_of(track->feed);
    if (a->listed || a->updater.state != UPDATER_IDLE || track->core.mode != GAP_MODE_LIVE) return;
    a->listed = true;
    STAILQ_INSERT_TAIL(&e->idle, a, next);
    gap_loop_signal(e->rt, &e->keeper);
}

static bool is_idle(const struct gap_active *a)
{
    const struct gap_updater *u = &a->updater;

    return a->feed.track->core.mode == GAP_MODE_LIVE && a->feed.track->behind == 0 &&
           a->feed.held.count == 0 && !a->feed.open && a->feed.loop.state == GAP_LOOP_PAUSED &&
           u->state == UPDATER_IDLE && u->loop.state == GAP_LOOP_PAUSED && !u->want && !u->anew &&
           !u->stale && !u->answer.have && !a->feed.stall.listed && !u->stall.listed;
}

bool gap_engine_is_resting(const struct gap_track *track)
{
    return is_idle(GAP_CONTAINER_OF(track->feed, struct gap_active, feed));
}

void gap_engine_drop_lost(gap_engine_t *e, struct gap_track *track)
{
    bool unlisted = !track->changed || e->changed_cap == 0;
    bool unheard = track->handed == 0 && !track->handed_unfinished;

    if (!track->lost || track->feed != NULL || track->queued > 0 || track->ring != NULL) return;
    if (!unlisted || !unheard) return; /* it has to be handed over first */
    if (e->last_track == track) e->last_track = NULL;
    gap_watch_forget(e, track);
    (void)gap_map_remove(&e->channels, (uint64_t)track->channel_id);
    gap_pool_put(&e->tracks, track);
}

static void release(gap_engine_t *e, struct gap_active *a)
{
    struct gap_track *track = a->feed.track;

    gap_updater_fini(&a->updater);
    gap_held_fini(&a->feed.held);
    track->feed = NULL;
    e->loops_open -= 2;
    gap_pool_put(&e->actives, a);
    gap_mark(e, track);
    gap_engine_drop_lost(e, track);
}

static void keeper_run(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_engine_t *e = GAP_CONTAINER_OF(loop, gap_engine_t, keeper);
    struct gap_active *a;

    (void)rt;
    while ((a = STAILQ_FIRST(&e->idle)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->idle, next);
        a->listed = false;
        if (is_idle(a)) release(e, a);
    }
    gap_engine_resume(e);
    gap_mark_notify(e);
}

/* ---- the account's timer ---- */

static uint64_t house_deadline(const gap_engine_t *e, uint64_t now_us)
{
    uint64_t due = e->quiet_since_us + e->config.limits.idle_us;

    if (e->undecodable && e->undecodable_us < due) due = e->undecodable_us;
    uint64_t poll_us = gap_open_due_us(e);
    if (poll_us < due) due = poll_us;
    uint64_t doubt_us = gap_doubt_due_us(e);
    if (doubt_us < due) due = doubt_us;
    uint64_t turns_us = gap_turns_due_us(e);
    if (turns_us > now_us && turns_us < due) due = turns_us;
    if (e->sweep && now_us + GAP_SWEEP_US < due) due = now_us + GAP_SWEEP_US;
    return due;
}

/* It runs always: starting it again can't fail. */
static void house_start(gap_engine_t *e, uint64_t now_us)
{
    int r = gap_timer_start(e->rt, &e->house, house_deadline(e, now_us));
    GAP_ASSERT(r == 0);
}

/* What could not go on for lack of memory. */
static void sweep_track(gap_engine_t *e, struct gap_track *track)
{
    struct gap_feed *f = track->feed;

    if (f != NULL) {
        gap_loop_signal(e->rt, &f->loop);
        gap_loop_signal(e->rt, &f->updater->loop);
    } else if (track->behind > 0 && track->queued == 0) {
        f = gap_engine_activate(e, track);
        if (f != NULL) gap_updater_want(f->updater, 0);
    }
}

static void sweep(gap_engine_t *e)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    gap_loop_signal(e->rt, &e->backfill.loop);
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->common); i++) sweep_track(e, &e->common[i]);
    while (gap_map_next(&e->channels, &it, &key, &value)) sweep_track(e, value);
}

static void house_due(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_engine_t *e = GAP_CONTAINER_OF(timer, gap_engine_t, house);
    uint64_t now_us = rt->now_us;

    /* Its place in the heap is free: this can't fail, nor can starting it anew further on. */
    house_start(e, now_us);
    if (e->sweep) {
        e->sweep = false;
        sweep(e);
    }
    if (e->undecodable && now_us >= e->undecodable_us) {
        e->undecodable = false;
        e->undecodable_us = now_us + GAP_ENGINE_UNDECODABLE_US;
        gap_updater_want(&e->updater, 0);
    }
    if (now_us >= e->quiet_since_us + e->config.limits.idle_us) {
        e->quiet_since_us = now_us;
        gap_tap(e, &e->common[GAP_SEQUENCE_COMMON], GAP_DECISION_SILENCE);
        if (e->started) gap_updater_want(&e->updater, 0);
    }
    gap_open_poll(e);
    gap_doubt_poll(e);
    gap_turns_go(e);
    if (e->closing) return;
    house_start(e, now_us);
}

void gap_engine_house(gap_engine_t *e)
{
    if (!e->closing) house_start(e, gap_rt_now_us(e->rt));
}

void gap_engine_sweep_later(gap_engine_t *e)
{
    if (e->sweep || e->closing) return;
    e->sweep = true;
    gap_engine_house(e);
}

void gap_engine_missed(gap_engine_t *e)
{
    gap_tap(e, &e->common[GAP_SEQUENCE_COMMON], GAP_DECISION_MISSED);
    e->missed = e->caught_up; /* before that all of it is news, or nothing */
    gap_updater_want(&e->updater, 0);
    if (!e->closing) gap_updater_hurry(&e->updater);
}

void gap_engine_taint(gap_engine_t *e)
{
    e->taint = true; /* from the next tick on: it knows the time */
}

void gap_engine_reconnected(gap_engine_t *e, bool same_dc)
{
    if (e->closing) return;
    gap_wait_reconnected(&e->wait, same_dc);
    gap_engine_taint(e);
}

void gap_engine_undecodable(gap_engine_t *e)
{
    uint64_t now_us = gap_rt_now_us(e->rt);

    if (e->closing) return;
    e->count.undecodable++;
    gap_tap(e, NULL, GAP_DECISION_UNDECODABLE);
    if (e->undecodable) return;
    if (now_us >= e->undecodable_us) {
        e->undecodable_us = now_us + GAP_ENGINE_UNDECODABLE_US;
        gap_updater_want(&e->updater, 0);
    } else {
        e->undecodable = true;
        house_start(e, now_us);
    }
}

/* ---- close ---- */

static void engine_free(gap_engine_t *e)
{
    struct gap_node *n;
    size_t it = 0;
    uint64_t key;
    void *value;

    STAILQ_CONCAT(&e->arrivals, &e->queries);
    while ((n = STAILQ_FIRST(&e->arrivals)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->arrivals, next);
        gap_node_free(n);
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->feeds); i++) gap_feed_drop(&e->feeds[i]);
    gap_updater_fini(&e->updater);
    while (gap_map_next(&e->channels, &it, &key, &value)) {
        struct gap_track *track = value;
        if (track->feed == NULL) continue;
        gap_feed_drop(track->feed);
        gap_updater_fini(track->feed->updater);
    }
    gap_node_forget_copy(e);
    gap_free(e->alloc, e->changed);
    gap_watch_fini(e);
    gap_backfill_fini(e);
    gap_peers_fini(&e->peers);
    gap_map_fini(&e->channels);
    gap_pool_fini(&e->nodes);
    gap_copies_fini(&e->copies);
    gap_pool_fini(&e->tracks);
    gap_pool_fini(&e->actives);
    gap_pool_fini(&e->applied);
    if (e->owns_rt) gap_rt_fini(&e->own_rt);
    gap_free(e->alloc, e);
}

static void engine_end(gap_engine_t *e)
{
    if (e->close_cb != NULL) e->close_cb(e->close_arg);
    engine_free(e);
}

static void keeper_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_engine_t *e = GAP_CONTAINER_OF(loop, gap_engine_t, keeper);

    (void)rt;
    if (e->owns_rt) {
        e->dead = true; /* gap_engine_tick ends it, outside of its runtime's tick */
    } else {
        engine_end(e);
    }
}

static const struct gap_loop_class keeper_class = {"keeper", keeper_run, keeper_closed};

void gap_engine_check_closed(gap_engine_t *e)
{
    if (!e->closing || e->loops_open > 0 || e->inflight > 0 || e->count.later > 0) return;
    if (e->keeper.children > 0) gap_loop_drop(e->rt, &e->keeper);
}

void gap_engine_closed_one(gap_engine_t *e)
{
    e->loops_open--;
    gap_engine_check_closed(e);
}

static void close_pair(gap_engine_t *e, struct gap_feed *f)
{
    gap_timer_stop(e->rt, &f->wait);
    gap_timer_stop(e->rt, &f->updater->retry);
    gap_loop_close(e->rt, &f->loop);
    gap_loop_close(e->rt, &f->updater->loop);
}

void gap_engine_close(gap_engine_t *e, void (*cb)(void *arg), void *arg)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    if (e->closing) return;
    e->closing = true;
    e->close_cb = cb;
    e->close_arg = arg;
    gap_timer_stop(e->rt, &e->house);
    gap_loop_hold(&e->keeper);
    gap_loop_close(e->rt, &e->keeper);
    gap_loop_close(e->rt, &e->seq);
    gap_backfill_close(e);
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->feeds); i++) close_pair(e, &e->feeds[i]);
    while (gap_map_next(&e->channels, &it, &key, &value)) {
        struct gap_track *track = value;
        if (track->feed != NULL) close_pair(e, track->feed);
    }
    gap_node_drop_failed(e);
    gap_engine_check_closed(e);
}

/* ---- open ---- */

static void config_defaults(gap_engine_t *e)
{
    gap_engine_config_t *c = &e->config;
    gap_engine_limits_t *l = &c->limits;

    const struct gap_wait_config wait = {
        .fixed_us = c->gap_wait_us,
        .lambda_us = c->gap_wait_lambda_us,
        .continues = c->gap_continue,
    };
    gap_wait_init(&e->wait, &wait);
    if (l->inbox == 0) l->inbox = GAP_ENGINE_INBOX_MAX;
    if (l->overflow == 0) l->overflow = GAP_ENGINE_OVERFLOW_MAX;
    if (l->channel_requests == 0) l->channel_requests = GAP_ENGINE_CHANNEL_REQUESTS_MAX;
    if (l->difference_limit == 0)
        l->difference_limit = c->bot ? GAP_ENGINE_BOT_LIMIT : GAP_ENGINE_USER_LIMIT;
    if (l->idle_us == 0) l->idle_us = GAP_ENGINE_IDLE_US;
    if (l->start_spread_us == 0) l->start_spread_us = GAP_ENGINE_START_SPREAD_US;
    if (l->start_spread_us == GAP_ENGINE_NO_JITTER || l->jitter_permille == GAP_ENGINE_NO_JITTER)
        l->start_spread_us = 0;
    if (l->jitter_permille == 0) l->jitter_permille = JITTER_PERMILLE;
    if (l->jitter_permille == GAP_ENGINE_NO_JITTER) l->jitter_permille = 0;
}

static void init_parts(gap_engine_t *e)
{
    const gap_alloc_t *alloc = e->alloc;

    e->own_rt.alloc = alloc;
    if (e->owns_rt) gap_rt_init(&e->own_rt, alloc, NULL);
    gap_loop_init(&e->keeper, &keeper_class);
    gap_loop_init(&e->seq, &gap_seq_loop_class);
    STAILQ_INIT(&e->arrivals);
    STAILQ_INIT(&e->queries);
    STAILQ_INIT(&e->failed);
    STAILQ_INIT(&e->idle);
    STAILQ_INIT(&e->stalled);
    gap_turns_open(e);
    TAILQ_INIT(&e->hashless);
    gap_map_init(&e->channels, alloc);
    gap_peers_init(&e->peers, alloc);
    gap_watch_init(e);
    gap_backfill_init(e);
    gap_copies_init(&e->copies, alloc);
    gap_pool_init(&e->nodes, alloc, sizeof(struct gap_node), GAP_NODE_SLAB);
    gap_pool_init(&e->tracks, alloc, sizeof(struct gap_track), TRACK_SLAB);
    gap_pool_init(&e->applied, alloc, sizeof(struct gap_applied), APPLIED_SLAB);
    gap_pool_init(&e->actives, alloc, sizeof(struct gap_active), ACTIVE_SLAB);
    for (unsigned i = 0; i < GAP_ARRAY_LEN(e->common); i++) {
        track_init(&e->common[i], 0, i);
        gap_feed_init(&e->feeds[i], e, &e->common[i], &e->updater);
        e->common[i].feed = &e->feeds[i];
    }
    gap_updater_init(&e->updater, e, NULL, &e->feeds[GAP_SEQUENCE_COMMON]);
    e->random.state = e->config.jitter_seed;
    e->house.fn = house_due;
    e->loops_open = 1 + GAP_ARRAY_LEN(e->feeds) + 1 + 1;
}

int gap_engine_open_on(gap_rt_t *rt, const gap_engine_config_t *config, gap_engine_t **out)
{
    if (config->invoke == NULL || config->handler == NULL) return GAP_E_ARGUMENT;
    const gap_alloc_t *alloc = config->alloc;
    if (alloc == NULL) alloc = rt == NULL ? gap_alloc_default() : rt->alloc;
    gap_engine_t *e = gap_calloc(alloc, 1, sizeof *e);
    if (e == NULL) return GAP_E_NOMEM;
    e->config = *config;
    e->config.state = NULL;
    e->alloc = alloc;
    e->owns_rt = rt == NULL;
    e->rt = e->owns_rt ? &e->own_rt : rt;
    e->changed_all = config->changed == NULL; /* nobody may ever ask: keep no list */
    config_defaults(e);
    init_parts(e);
    int r = gap_engine_take_state(e, config->state, true);
    if (r < 0) goto fail;
    e->quiet_since_us = gap_rt_now_us(e->rt);
    r = gap_timer_start(e->rt, &e->house, house_deadline(e, e->quiet_since_us));
    if (r < 0) goto fail;
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->feeds); i++) gap_feed_freeze(&e->feeds[i]);
    e->updater.state = UPDATER_QUEUED;
    e->updater.want = true;
    *out = e;
    return 0;
fail:
    engine_free(e);
    return r;
}

int gap_engine_open(const gap_engine_config_t *config, gap_engine_t **out)
{
    return gap_engine_open_on(NULL, config, out);
}

/* Unfinished in a former run: the server may keep silent about it. */
static void ask_again(gap_engine_t *e, struct gap_track *track)
{
    struct gap_feed *f = gap_engine_activate(e, track);

    track->ask = false;
    if (f == NULL) {
        gap_track_behind(track, 1);
        return;
    }
    f->updater->probe = track->core.position == 0;
    if (!track->startup) e->starting++;
    track->startup = true;
    gap_updater_want(f->updater, 0);
}

void gap_engine_start(gap_engine_t *e)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    if (e->closing || (e->started && !e->unauthorized)) return;
    e->started = true;
    e->unauthorized = false;
    gap_loop_signal(e->rt, &e->updater.loop);
    while (gap_map_next(&e->channels, &it, &key, &value)) {
        struct gap_track *track = value;
        if (track->ask) ask_again(e, track);
        if (track->feed != NULL) gap_loop_signal(e->rt, &track->feed->updater->loop);
    }
    gap_loop_signal(e->rt, &e->seq);
    gap_loop_signal(e->rt, &e->backfill.loop);
}

/* ---- on its own ---- */

bool gap_engine_tick(gap_engine_t *e, uint64_t now_us, bool drained)
{
    GAP_ASSERT(e->owns_rt);
    bool more = gap_rt_tick(e->rt, now_us, drained);
    if (!e->dead) return more;
    engine_end(e);
    return false;
}

int gap_engine_timeout_ms(const gap_engine_t *e, uint64_t now_us)
{
    uint64_t due = gap_rt_deadline_us(e->rt);

    if (due == GAP_ENV_NEVER) return -1;
    if (due <= now_us) return 0;
    uint64_t ms = (due - now_us + 999) / 1000;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* ---- what is known ---- */

void gap_engine_counters(const gap_engine_t *e, gap_engine_counters_t *out)
{
    *out = e->count;
    out->sequences = e->channels.count + GAP_ARRAY_LEN(e->common);
    out->active = e->actives.in_use;
}
