/*
 * tests/loop/world.h - one face for both environments, so that the same cases run on libuv in each
 * of its run modes and in the virtual world, polite and rough.
 */
#ifndef GAP_TESTS_WORLD_H
#define GAP_TESTS_WORLD_H

#include "env/env.h"

enum {
    WORLD_UV_DEFAULT,
    WORLD_UV_ONCE,
    WORLD_UV_NOWAIT,
    WORLD_SIM_POLITE,
    WORLD_SIM_ROUGH, /* and above: rough worlds of different seeds */
    WORLD_KINDS = WORLD_SIM_ROUGH + 12,
};

#define WORLD_PATH_MAX 256

typedef struct world world_t;

struct world {
    gap_env_t *env;
    char name[40];
    /* Run until cond(arg), at most limit_ms. Returns whether it came true. */
    bool (*until)(world_t *w, bool (*cond)(void *arg), void *arg, uint64_t limit_ms);
    /* The host does nothing for so long. From inside a callback or from outside. */
    void (*stall)(world_t *w, uint64_t ms);
    /* Run fn on another thread and wait for it. */
    void (*as_thread)(world_t *w, void (*fn)(void *arg), void *arg);
    /* Where a file of this name may be made; it is gone with the world. */
    void (*path)(world_t *w, const char *name, char out[WORLD_PATH_MAX]);
    /* The process that holds what this world's environment holds alone. */
    int64_t pid;
    /* Close the environment, once, and free the world: fails the test on any leak. */
    void (*end)(world_t *w);
};

/* Opens the environment with alloc. */
world_t *world_new(int kind, const gap_alloc_t *alloc);
world_t *world_uv_new(int kind, const gap_alloc_t *alloc);
world_t *world_sim_new(int kind, const gap_alloc_t *alloc);

/* until() with a condition that never comes true. */
void world_run(world_t *w, uint64_t ms);

#endif
