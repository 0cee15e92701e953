/*
 * runner/lanes.c - see lanes.h. Adding a job costs a look-up for each of its keys, taking and
 * ending one costs nothing that grows with the number of lanes or jobs.
 *
 * Owns: the lanes, and the places of jobs in more than one. Never: runs a job.
 */
#include "runner/lanes.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define LANE_SLAB 128

struct gap_lane {
    uint64_t key;
    TAILQ_HEAD(, gap_lane_place) places; /* the first one's job runs, or is next */
    uint32_t depth;
};

void gap_lanes_init(gap_lanes_t *l, const gap_alloc_t *alloc, uint32_t slots, uint32_t jobs_max)
{
    GAP_ASSERT(slots > 0);
    GAP_ASSERT(jobs_max > 0);
    memset(l, 0, sizeof *l);
    l->alloc = alloc;
    l->slots = slots;
    l->jobs_max = jobs_max;
    gap_map_init(&l->map, alloc);
    gap_pool_init(&l->pool, alloc, sizeof(struct gap_lane), LANE_SLAB);
    for (size_t i = 0; i < GAP_JOB_CLASSES; i++) TAILQ_INIT(&l->ready[i]);
}

void gap_lanes_fini(gap_lanes_t *l)
{
    gap_map_fini(&l->map);
    gap_pool_fini(&l->pool);
    gap_free(l->alloc, l->spare);
    l->spare = NULL;
}

void gap_lanes_trim(gap_lanes_t *l)
{
    if (l->jobs > 0) return;
    gap_map_fini(&l->map);
    gap_map_init(&l->map, l->alloc);
    gap_pool_trim(&l->pool);
    gap_free(l->alloc, l->spare);
    l->spare = NULL;
}

void gap_job_init(gap_job_t *job, enum gap_job_class class)
{
    memset(job, 0, sizeof *job);
    job->class = (uint8_t) class;
}

/* ---- lanes ---- */

static struct gap_lane *lane_of(gap_lanes_t *l, uint64_t key)
{
    struct gap_lane *lane = gap_map_get(&l->map, key);

    if (lane != NULL) return lane;
    lane = gap_pool_get(&l->pool);
    if (lane == NULL) return NULL;
    lane->key = key;
    lane->depth = 0;
    TAILQ_INIT(&lane->places);
    if (gap_map_set(&l->map, key, lane) == 0) return lane;
    gap_pool_put(&l->pool, lane);
    return NULL;
}

static void make_ready(gap_lanes_t *l, gap_job_t *job)
{
    job->state = GAP_JOB_READY;
    TAILQ_INSERT_TAIL(&l->ready[job->class], job, turn);
    l->ready_count++;
}

static void leave_ready(gap_lanes_t *l, gap_job_t *job)
{
    TAILQ_REMOVE(&l->ready[job->class], job, turn);
    l->ready_count--;
}

static void enter(struct gap_lane *lane, gap_job_t *job, struct gap_lane_place *place)
{
    place->job = job;
    place->lane = lane;
    if (lane->depth++ > 0) job->blocked++;
    TAILQ_INSERT_TAIL(&lane->places, place, next);
}

/* Who stands behind moves up. */
static void leave(gap_lanes_t *l, struct gap_lane_place *place)
{
    struct gap_lane *lane = place->lane;
    bool first = TAILQ_FIRST(&lane->places) == place;

    TAILQ_REMOVE(&lane->places, place, next);
    place->lane = NULL;
    if (--lane->depth == 0) {
        (void)gap_map_remove(&l->map, lane->key);
        gap_pool_put(&l->pool, lane);
        return;
    }
    gap_job_t *heir = TAILQ_FIRST(&lane->places)->job;
    if (first && --heir->blocked == 0) make_ready(l, heir);
}

/* ---- in ---- */

static bool is_among(const uint64_t *keys, size_t count, uint64_t key)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i] == key) return true;
    }
    return false;
}

/* Empty lanes that were made for a job that could not enter. */
static void drop_empty(gap_lanes_t *l, struct gap_lane *const *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lanes[i]->depth > 0) continue;
        (void)gap_map_remove(&l->map, lanes[i]->key);
        gap_pool_put(&l->pool, lanes[i]);
    }
}

/* Few updates stand in several lanes, so all of them get room for the most. */
static struct gap_lane_place *places_new(const gap_lanes_t *l)
{
    return gap_calloc(l->alloc, GAP_LANES_KEYS_MAX - 1, sizeof(struct gap_lane_place));
}

int gap_lanes_reserve(gap_lanes_t *l)
{
    if (l->spare == NULL && (l->spare = places_new(l)) == NULL) return GAP_E_NOMEM;
    int r = gap_map_reserve(&l->map, GAP_LANES_KEYS_MAX);
    return r < 0 ? r : gap_pool_reserve(&l->pool, GAP_LANES_KEYS_MAX);
}

int gap_lanes_add(gap_lanes_t *l, gap_job_t *job, const uint64_t *keys, size_t count)
{
    struct gap_lane *lanes[GAP_LANES_KEYS_MAX];
    size_t n = 0;

    GAP_ASSERT(job->state == GAP_JOB_OUT);
    if (l->jobs >= l->jobs_max || count > GAP_LANES_KEYS_MAX) return GAP_E_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (is_among(keys, i, keys[i])) continue;
        if ((lanes[n] = lane_of(l, keys[i])) == NULL) goto nomem;
        n++;
    }
    if (n > 1) {
        job->places = l->spare != NULL ? l->spare : places_new(l);
        if (job->places == NULL) goto nomem;
        l->spare = NULL;
        job->more = (uint8_t)(n - 1);
    }
    for (size_t i = 0; i < n; i++) enter(lanes[i], job, i == 0 ? &job->place : &job->places[i - 1]);
    l->jobs++;
    if (job->blocked == 0) {
        make_ready(l, job);
    } else {
        job->state = GAP_JOB_WAITING;
    }
    return 0;
nomem:
    drop_empty(l, lanes, n);
    return GAP_E_NOMEM;
}

void gap_lanes_release(gap_lanes_t *l, gap_job_t *job)
{
    GAP_ASSERT(job->state == GAP_JOB_WAITING);
    GAP_ASSERT(job->blocked > 0);
    if (--job->blocked == 0) make_ready(l, job);
}

/* ---- turns ---- */

/* What will be touched soon: the one after the next, and who stands behind the next one. */
static void prefetch(const gap_job_t *job)
{
    const gap_job_t *next = TAILQ_NEXT(job, turn);

    if (next == NULL) return;
    const struct gap_lane_place *heir = TAILQ_NEXT(&next->place, next);
    if (heir != NULL && next->place.lane != NULL) __builtin_prefetch(heir);
    __builtin_prefetch(next->place.lane);
    __builtin_prefetch(TAILQ_NEXT(next, turn));
}

static gap_job_t *run(gap_lanes_t *l, gap_job_t *job)
{
    prefetch(job);
    leave_ready(l, job);
    job->state = GAP_JOB_RUNNING;
    l->running++;
    return job;
}

void gap_lanes_begin(gap_lanes_t *l, gap_job_t *job)
{
    GAP_ASSERT(job->state == GAP_JOB_READY);
    (void)run(l, job);
}

gap_job_t *gap_lanes_next_of(gap_lanes_t *l, enum gap_job_class class)
{
    gap_job_t *job = TAILQ_FIRST(&l->ready[class]);

    if (job == NULL || l->paused || l->running >= l->slots) return NULL;
    return run(l, job);
}

gap_job_t *gap_lanes_next(gap_lanes_t *l)
{
    gap_job_t *job = TAILQ_FIRST(&l->ready[GAP_JOB_NORMAL]);
    gap_job_t *urgent = TAILQ_FIRST(&l->ready[GAP_JOB_URGENT]);

    if (l->paused || l->running >= l->slots) return NULL;
    if (urgent != NULL && (job == NULL || l->urgent_row < GAP_LANES_URGENT_MAX)) {
        l->urgent_row++;
        job = urgent;
    } else {
        l->urgent_row = 0;
    }
    return job == NULL ? NULL : run(l, job);
}

void gap_lanes_done(gap_lanes_t *l, gap_job_t *job)
{
    GAP_ASSERT(job->state != GAP_JOB_OUT);
    if (job->state == GAP_JOB_RUNNING) l->running--;
    if (job->state == GAP_JOB_READY) leave_ready(l, job);
    job->state = GAP_JOB_OUT;
    job->blocked = 0;
    l->jobs--;
    if (job->place.lane != NULL) leave(l, &job->place);
    for (size_t i = 0; i < job->more; i++) leave(l, &job->places[i]);
    if (job->places != NULL) gap_free(l->alloc, job->places);
    job->places = NULL;
    job->more = 0;
}

void gap_lanes_park(gap_lanes_t *l, gap_job_t *job)
{
    GAP_ASSERT(job->state == GAP_JOB_RUNNING);
    job->state = GAP_JOB_PARKED;
    l->running--;
}

void gap_lanes_resume(gap_lanes_t *l, gap_job_t *job)
{
    GAP_ASSERT(job->state == GAP_JOB_PARKED);
    make_ready(l, job);
}

void gap_lanes_pause(gap_lanes_t *l, bool paused)
{
    l->paused = paused;
}

void gap_lanes_slots(gap_lanes_t *l, uint32_t slots)
{
    GAP_ASSERT(slots > 0);
    l->slots = slots;
}

uint32_t gap_lanes_depth(const gap_lanes_t *l, uint64_t key)
{
    const struct gap_lane *lane = gap_map_get(&l->map, key);

    return lane == NULL ? 0 : lane->depth;
}
