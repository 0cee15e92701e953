/*
 * runner/lanes.h - which update may be handled now. A lane is the queue of one key (a chat, say):
 * its updates are handled one at a time, in the order in which they came; lanes go on side by side,
 * as many at a time as there are slots.
 *
 *   add -> WAITING (another one is before it in one of its lanes) -> READY -> next -> RUNNING
 *   RUNNING -- done ----> out of its lanes: who stands behind moves up
 *           -- park ----> PARKED: it keeps its lanes, so that nobody overtakes it, but no slot
 *   PARKED  -- resume --> READY
 *   A job that is held back stands in its lanes, but is not ready before gap_lanes_release.
 *
 * A job may stand in several lanes: it enters all of them in one step and runs when it is first in
 * each, so jobs can't wait for each other in a circle. Only the first of a lane can be ready, and
 * ready jobs are taken in turn: no lane gets two turns while another one waits for its first.
 *
 * Pure: no clock, no callbacks. An empty lane is no lane: nothing is kept of it.
 */
#ifndef GAP_RUNNER_LANES_H
#define GAP_RUNNER_LANES_H

#include "base/map.h"
#include "base/pool.h"

#include <sys/queue.h>

/** Lanes that one job may stand in. */
#define GAP_LANES_KEYS_MAX 8
/** Ready jobs of the urgent class that are taken in a row while others are ready. */
#define GAP_LANES_URGENT_MAX 16

struct gap_lane;
struct gap_job;

struct gap_lane_place {
    struct gap_job *job;
    struct gap_lane *lane;
    TAILQ_ENTRY(gap_lane_place) next;
};

enum gap_job_state {
    GAP_JOB_OUT = 0, /* in no lane */
    GAP_JOB_WAITING,
    GAP_JOB_READY,
    GAP_JOB_RUNNING,
    GAP_JOB_PARKED
};

enum gap_job_class {
    GAP_JOB_NORMAL = 0,
    GAP_JOB_URGENT, /* somebody waits for the answer: before the others, where no order forbids */
    GAP_JOB_CLASSES
};

/** What stands in lanes: part of the caller's record. Zero-initialised by gap_job_init. */
typedef struct gap_job {
    TAILQ_ENTRY(gap_job) turn;     /* READY */
    struct gap_lane_place place;   /* in its first lane */
    struct gap_lane_place *places; /* in the others; NULL: none */
    uint8_t more;                  /* how many others */
    uint8_t blocked;               /* lanes in which it is not first; and one if held back */
    uint8_t state;                 /* enum gap_job_state */
    uint8_t class;                 /* enum gap_job_class */
} gap_job_t;

TAILQ_HEAD(gap_job_queue, gap_job);

typedef struct gap_lanes {
    const gap_alloc_t *alloc;
    gap_map_t map; /* key -> struct gap_lane */
    gap_pool_t pool;
    struct gap_lane_place *spare; /* for the next job in several lanes; NULL: none */
    struct gap_job_queue ready[GAP_JOB_CLASSES];
    uint32_t slots;   /* jobs that may run at a time */
    uint32_t running; /* may be more, if slots were taken away */
    uint32_t ready_count;
    uint32_t jobs; /* in lanes, running ones included */
    uint32_t jobs_max;
    uint32_t urgent_row; /* urgent ones taken in a row */
    bool paused;
} gap_lanes_t;

/** @param slots Jobs that may run at a time, > 0. @param jobs_max Jobs in all lanes, > 0. */
void gap_lanes_init(gap_lanes_t *l, const gap_alloc_t *alloc, uint32_t slots, uint32_t jobs_max);
/** Jobs that are in it are forgotten. Safe twice. */
void gap_lanes_fini(gap_lanes_t *l);

/** Give memory back if no job is in. */
void gap_lanes_trim(gap_lanes_t *l);

void gap_job_init(gap_job_t *job, enum gap_job_class class);

/**
 * Put a job at the end of its lanes.
 *
 * @param keys   None is 0; the same one twice counts once. With none the job waits for nobody.
 * @return 0; GAP_E_LIMIT jobs_max are in already, or more than GAP_LANES_KEYS_MAX keys;
 *         GAP_E_NOMEM. On failure it is in no lane.
 */
GAP_NODISCARD int gap_lanes_add(gap_lanes_t *l, gap_job_t *job, const uint64_t *keys, size_t count);
/** Memory for the next job, so that adding it can't fail for lack of it: until the next add.
 * @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int gap_lanes_reserve(gap_lanes_t *l);
/** Is somebody in the lane? */
static inline bool gap_lanes_busy(const gap_lanes_t *l, uint64_t key)
{
    return l->map.count > 0 && gap_map_get(&l->map, key) != NULL;
}
/** A job that is in no lane is not to be ready before gap_lanes_release, once it has been added. */
static inline void gap_job_hold(gap_job_t *job)
{
    job->blocked = 1;
}
/** It may be ready now. */
void gap_lanes_release(gap_lanes_t *l, gap_job_t *job);
/** A job that has just been added and is READY runs: in its place, whatever the turns are. */
void gap_lanes_begin(gap_lanes_t *l, gap_job_t *job);
/** The job whose turn it is: RUNNING from now on. NULL: none is ready, no slot is free, or paused.
 */
gap_job_t *gap_lanes_next(gap_lanes_t *l);
/** The same, of one class alone. */
gap_job_t *gap_lanes_next_of(gap_lanes_t *l, enum gap_job_class class);
/** A job that is in lanes, in whatever state, leaves them: it is through, or given up. */
void gap_lanes_done(gap_lanes_t *l, gap_job_t *job);
/** A running job gives its slot back and keeps its lanes (it will be tried again). */
void gap_lanes_park(gap_lanes_t *l, gap_job_t *job);
/** A parked one is ready again, after those that are. */
void gap_lanes_resume(gap_lanes_t *l, gap_job_t *job);
/** No job is taken while paused. */
void gap_lanes_pause(gap_lanes_t *l, bool paused);
/** Another number of slots, > 0: those that run go on. */
void gap_lanes_slots(gap_lanes_t *l, uint32_t slots);

/** Jobs in the lane of a key, the running one included. */
uint32_t gap_lanes_depth(const gap_lanes_t *l, uint64_t key);
/** Lanes that are not empty. */
static inline size_t gap_lanes_count(const gap_lanes_t *l)
{
    return l->map.count;
}

#endif
