/* tests/loop/world_sim.c - the virtual world behind world.h. */
#include "tests/loop/world.h"

#include "tests/sim/sim_env.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct sim_world {
    world_t pub;
    sim_t *sim;
    int closed;
};

static bool sim_world_until(world_t *w, bool (*cond)(void *arg), void *arg, uint64_t limit_ms)
{
    sim_t *sim = ((struct sim_world *)(void *)w)->sim;
    uint64_t limit_us = sim_now_us(sim) + limit_ms * 1000;

    while (!cond(arg)) {
        if (sim_now_us(sim) >= limit_us) return false;
        if (!sim_step(sim, limit_us)) sim_run_until(sim, limit_us);
    }
    return true;
}

static void sim_world_stall(world_t *w, uint64_t ms)
{
    sim_stall(w->env, ms * 1000);
}

static void sim_world_thread(world_t *w, void (*fn)(void *arg), void *arg)
{
    sim_as_thread(((struct sim_world *)(void *)w)->sim, fn, arg);
}

static void sim_world_path(world_t *w, const char *name, char out[WORLD_PATH_MAX])
{
    (void)w;
    (void)snprintf(out, WORLD_PATH_MAX, "%s", name);
}

static void sim_world_closed(void *arg)
{
    (*(int *)arg)++;
}

static void sim_world_end(world_t *w)
{
    struct sim_world *sw = (struct sim_world *)(void *)w;

    sim_env_close(w->env, sim_world_closed, &sw->closed);
    sim_env_close(w->env, sim_world_closed, &sw->closed);
    ck_assert_msg(sw->closed == 0, "%s: closed from inside close", w->name);
    ck_assert_msg(sim_run_until_quiet(sw->sim, GAP_ENV_NEVER - 1), "%s: never quiet", w->name);
    ck_assert_msg(sw->closed == 1, "%s: closed %d times", w->name, sw->closed);
    ck_assert_uint_eq(sim_free(sw->sim), 0);
    free(sw);
}

world_t *world_sim_new(int kind, const gap_alloc_t *alloc)
{
    struct sim_world *sw = calloc(1, sizeof *sw);
    struct sim_options options = {0};
    uint64_t seed = (uint64_t)(kind - WORLD_SIM_ROUGH) + 1;

    ck_assert_ptr_nonnull(sw);
    if (kind != WORLD_SIM_POLITE) options = sim_options_rough(seed);
    sw->sim = sim_new(seed, &options);
    sw->pub.env = sim_env_open(sw->sim, alloc);
    sw->pub.until = sim_world_until;
    sw->pub.stall = sim_world_stall;
    sw->pub.as_thread = sim_world_thread;
    sw->pub.path = sim_world_path;
    sw->pub.pid = sim_pid(sw->pub.env);
    sw->pub.end = sim_world_end;
    (void)snprintf(sw->pub.name, sizeof sw->pub.name, "%s, seed %d",
                   kind == WORLD_SIM_POLITE ? "polite world" : "rough world", (int)seed);
    return &sw->pub;
}
