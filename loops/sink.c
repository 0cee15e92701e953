/*
 * loops/sink.c - updates by the batch: taken one by one, handed out many at a time, through when
 * they are acknowledged.
 *
 *   take -> WAITING --batch--> OUT --ack--> GONE (through)        any --close--> failed
 *              ^                | fail, of it or of one before it
 *              +---- pause -----+
 *
 * Numbers are places in a ring: the window from the first that is not through to the last taken.
 * `next` divides what has been handed out from what has not; a failure moves it back. Owns the ring
 * and one timer. Never: finishes an update that was not acknowledged, but as failed.
 */
#include "loops/sink.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <gapless/runner.h>

/** Batches of one turn. */
#define BATCHES_MAX 4
#define RING_MIN    64

struct gap_sink {
    gap_rt_t *rt;
    gap_loop_t loop;
    gap_timer_t timer; /* of the first that waits, or of a pause */
    gap_sink_config_t config;
    gap_update_t **ring; /* NULL: through */
    uint64_t cap;        /* a power of two */
    uint64_t first;      /* lowest number that may be not through */
    uint64_t next;       /* to be handed out next */
    uint64_t end;        /* next to be taken */
    uint64_t handed;     /* behind the highest that ever was handed out */
    uint64_t open;       /* not through */
    uint64_t out;        /* of these: handed out */
    gap_sink_item_t *batch;
    uint64_t pause_us; /* after the next failure; 0: none in a row */
    uint64_t until_us; /* of a pause; 0: none */
    bool hurry;
    gap_sink_stats_t count;
    void (*closed)(void *data);
    void *closed_data;
    void (*gone)(void *arg);
    void *gone_arg;
};

static gap_update_t **at(const gap_sink_t *s, uint64_t number)
{
    return &s->ring[number & (s->cap - 1)];
}

/* ---- open and close ---- */

static void run(gap_rt_t *rt, gap_loop_t *self);
static void closed(gap_rt_t *rt, gap_loop_t *self);

static const struct gap_loop_class sink_class = {.name = "sink", .run = run, .closed = closed};

static void on_timer(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_sink_t *s = GAP_CONTAINER_OF(timer, gap_sink_t, timer);

    s->hurry = true;
    s->until_us = 0;
    gap_loop_signal(rt, &s->loop);
}

static void set_defaults(gap_sink_config_t *c)
{
    if (c->batch_max == 0) c->batch_max = GAP_SINK_BATCH_MAX;
    if (c->interval_us == 0) c->interval_us = GAP_SINK_INTERVAL_US;
    if (c->unacknowledged_max == 0)
        c->unacknowledged_max =
            c->batch_max > GAP_SINK_UNACKNOWLEDGED_MAX ? c->batch_max : GAP_SINK_UNACKNOWLEDGED_MAX;
    if (c->waiting_max == 0) c->waiting_max = GAP_SINK_WAITING_MAX;
    if (c->retry_min_us == 0) c->retry_min_us = GAP_SINK_RETRY_MIN_US;
    if (c->retry_max_us == 0) c->retry_max_us = GAP_SINK_RETRY_MAX_US;
}

int gap_sink_open(gap_rt_t *rt, const gap_sink_config_t *config, void (*gone)(void *arg), void *arg,
                  gap_sink_t **out)
{
    gap_sink_t *s = gap_calloc(rt->alloc, 1, sizeof *s);

    if (s == NULL) return GAP_E_NOMEM;
    s->config = *config;
    set_defaults(&s->config);
    if (config->flush == NULL || s->config.unacknowledged_max < s->config.batch_max) {
        gap_free(rt->alloc, s);
        return GAP_E_ARGUMENT;
    }
    s->batch = gap_calloc(rt->alloc, s->config.batch_max, sizeof *s->batch);
    if (s->batch == NULL) {
        gap_free(rt->alloc, s);
        return GAP_E_NOMEM;
    }
    s->rt = rt;
    s->first = s->next = s->end = s->handed = 1;
    s->gone = gone;
    s->gone_arg = arg;
    s->timer.fn = on_timer;
    gap_loop_init(&s->loop, &sink_class);
    *out = s;
    return 0;
}

static void closed(gap_rt_t *rt, gap_loop_t *self)
{
    gap_sink_t *s = GAP_CONTAINER_OF(self, gap_sink_t, loop);
    void (*gone)(void *arg) = s->gone;
    void *arg = s->gone_arg;

    if (s->closed != NULL) s->closed(s->closed_data);
    gap_free(rt->alloc, s->ring);
    gap_free(rt->alloc, s->batch);
    gap_free(rt->alloc, s);
    if (gone != NULL) gone(arg);
}

/* ---- in ---- */

static int grow(gap_sink_t *s)
{
    uint64_t cap = s->cap == 0 ? RING_MIN : 2 * s->cap;
    gap_update_t **ring = gap_calloc(s->rt->alloc, cap, sizeof(gap_update_t *));

    if (ring == NULL) return GAP_E_NOMEM;
    for (uint64_t n = s->first; n < s->end; n++) ring[n & (cap - 1)] = *at(s, n);
    gap_free(s->rt->alloc, s->ring);
    s->ring = ring;
    s->cap = cap;
    return 0;
}

static bool has_room(const gap_sink_t *s)
{
    return s->out + s->config.batch_max <= s->config.unacknowledged_max || s->out == 0;
}

/* Is there something to hand out now, or when? */
static void schedule(gap_sink_t *s)
{
    uint64_t waits = s->open - s->out;

    if (gap_loop_is_closing(&s->loop) || waits == 0 || s->until_us != 0 || !has_room(s)) return;
    if (s->hurry || waits >= s->config.batch_max) {
        gap_loop_signal(s->rt, &s->loop);
        return;
    }
    if (gap_heap_contains(&s->timer.node)) return;
    uint64_t due_us = gap_rt_after_us(s->rt, s->config.interval_us);
    if (gap_timer_start(s->rt, &s->timer, due_us) < 0) on_timer(s->rt, &s->timer);
}

int gap_sink_take(gap_update_t *update, void *sink)
{
    gap_sink_t *s = sink;

    if (gap_loop_is_closing(&s->loop)) return GAP_E_CLOSED;
    if (s->open >= s->config.waiting_max) return GAP_E_LIMIT;
    if (s->end - s->first == s->cap) {
        int r = grow(s);
        if (r < 0) return r;
    }
    *at(s, s->end++) = update;
    s->open++;
    schedule(s);
    return GAP_LATER;
}

/* ---- out ---- */

/* What is through at the front leaves the window. */
static void advance(gap_sink_t *s)
{
    while (s->first < s->end && *at(s, s->first) == NULL) s->first++;
    if (s->next < s->first) s->next = s->first;
}

/* One update is through. @p status 0 or negative. */
static void finish(gap_sink_t *s, uint64_t number, int status)
{
    gap_update_t *update = *at(s, number);

    if (update == NULL) return;
    *at(s, number) = NULL;
    s->open--;
    if (number < s->next) s->out--;
    if (status == 0) {
        s->count.acknowledged++;
        gap_update_done(update);
    } else {
        gap_update_failed(update, status);
    }
}

/* Fill the batch from `next` on. What has timed out meanwhile is not handed out: it comes again. */
static size_t gather(gap_sink_t *s)
{
    size_t count = 0;

    while (s->next < s->end && count < s->config.batch_max) {
        uint64_t number = s->next;
        gap_update_t *update = *at(s, number);
        if (update != NULL && !gap_update_is_current(update)) {
            finish(s, number, GAP_E_TIMEOUT);
            update = NULL;
        }
        s->next = number + 1;
        if (s->handed < s->next) s->handed = s->next;
        if (update == NULL) continue;
        s->out++;
        s->batch[count++] = (gap_sink_item_t){number, update};
    }
    advance(s);
    return count;
}

static void fail_from(gap_sink_t *s, uint64_t number)
{
    uint64_t pause_us = s->pause_us == 0 ? s->config.retry_min_us : 2 * s->pause_us;

    for (uint64_t n = number; n < s->next; n++) {
        if (*at(s, n) != NULL) s->out--;
    }
    if (number < s->next) s->next = number;
    s->count.failures++;
    if (s->until_us != 0) return; /* one pause is enough */
    s->pause_us = pause_us > s->config.retry_max_us ? s->config.retry_max_us : pause_us;
    s->hurry = false;
    s->until_us = gap_rt_after_us(s->rt, s->pause_us);
    if (gap_timer_start(s->rt, &s->timer, s->until_us) < 0) on_timer(s->rt, &s->timer);
}

static void acknowledged(gap_sink_t *s)
{
    s->pause_us = 0;
    advance(s);
    schedule(s);
}

/* All from @p number to @p last are safe. */
static void take_all(gap_sink_t *s, uint64_t number, uint64_t last)
{
    if (number < s->first) number = s->first;
    for (; number <= last && !gap_loop_is_closing(&s->loop); number++) finish(s, number, 0);
    acknowledged(s);
}

static void run(gap_rt_t *rt, gap_loop_t *self)
{
    gap_sink_t *s = GAP_CONTAINER_OF(self, gap_sink_t, loop);

    for (unsigned i = 0; i < BATCHES_MAX && s->until_us == 0 && has_room(s); i++) {
        bool full = s->open - s->out >= s->config.batch_max;
        if (!s->hurry && !full) break;
        size_t count = gather(s);
        if (s->open == s->out) s->hurry = false;
        if (count == 0) break;
        gap_timer_stop(rt, &s->timer);
        s->count.batches++;
        uint64_t number = s->batch[0].number;
        uint64_t last = s->batch[count - 1].number;
        int r = s->config.flush(s, s->batch, count, s->config.data);
        if (gap_loop_is_closing(self)) return;
        if (r < 0) fail_from(s, number < s->first ? s->first : number);
        if (r == 0) take_all(s, number, last);
    }
    schedule(s);
}

/* ---- acknowledgements ---- */

/* @return 0 it is not through; 1 it is; negative. */
static int look_up(const gap_sink_t *s, uint64_t number)
{
    if (gap_loop_is_closing(&s->loop)) return GAP_E_CLOSED;
    if (number == 0 || number >= s->handed) return GAP_E_ARGUMENT;
    return number < s->first || *at(s, number) == NULL;
}

int gap_sink_ack(gap_sink_t *sink, uint64_t number)
{
    int r = look_up(sink, number);

    if (r != 0) return r < 0 ? r : 0;
    finish(sink, number, 0);
    acknowledged(sink);
    return 0;
}

int gap_sink_ack_through(gap_sink_t *sink, uint64_t number)
{
    int r = look_up(sink, number);

    if (r < 0) return r;
    take_all(sink, sink->first, number);
    return 0;
}

int gap_sink_fail(gap_sink_t *sink, uint64_t number, int error)
{
    int r = look_up(sink, number);

    GAP_ASSERT(error < 0);
    if (r < 0) return r;
    fail_from(sink, number < sink->first ? sink->first : number);
    return 0;
}

void gap_sink_flush(gap_sink_t *sink)
{
    sink->hurry = true;
    sink->until_us = 0;
    schedule(sink);
}

void gap_sink_stats(const gap_sink_t *sink, gap_sink_stats_t *out)
{
    uint64_t now_us = gap_rt_now_us(sink->rt);

    *out = sink->count;
    out->waiting = sink->open - sink->out;
    out->unacknowledged = sink->out;
    out->retry_us = sink->until_us > now_us ? sink->until_us - now_us : 0;
}

void gap_sink_close(gap_sink_t *sink, void (*callback)(void *data), void *data)
{
    if (gap_loop_is_closing(&sink->loop)) return;
    sink->closed = callback;
    sink->closed_data = data;
    gap_timer_stop(sink->rt, &sink->timer);
    gap_loop_close(sink->rt, &sink->loop);
    for (uint64_t n = sink->first; n < sink->end; n++) finish(sink, n, GAP_E_CLOSED);
}
