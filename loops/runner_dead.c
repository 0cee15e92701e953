/*
 * loops/runner_dead.c - updates that were given up.
 *
 * Owns nothing.
 */
#include "loops/runner_internal.h"

void gap_dead_add(gap_runner_t *r, struct gap_task *task, int error)
{
    (void)r;
    (void)task;
    (void)error;
}

void gap_dead_fini(gap_runner_t *r)
{
    (void)r;
}
