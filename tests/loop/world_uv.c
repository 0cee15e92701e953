/* tests/loop/world_uv.c - libuv behind world.h, in each of its run modes. */
#include "tests/loop/world.h"

#include "uv/uv_env.h"

#include <check.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct uv_world {
    world_t pub;
    uv_loop_t loop;
    uv_run_mode mode;
    uv_timer_t limit; /* ends a run in time; also what keeps the host's loop alive */
    uint64_t limit_ns;
    uv_check_t check;
    bool over;
    bool (*cond)(void *arg);
    void *arg;
    int closed;
    char folder[64]; /* made when it is first asked for */
};

#define LOOK_MS 20 /* how often a condition is looked at when no poll ends */

static void on_limit(uv_timer_t *t)
{
    struct uv_world *uw = t->data;

    uw->over = uv_hrtime() >= uw->limit_ns;
    if (uw->over || uw->cond(uw->arg)) uv_stop(&uw->loop);
}

static void on_check(uv_check_t *c)
{
    struct uv_world *uw = c->data;

    if (uw->cond(uw->arg)) uv_stop(&uw->loop);
}

static bool uv_world_until(world_t *w, bool (*cond)(void *arg), void *arg, uint64_t limit_ms)
{
    struct uv_world *uw = (struct uv_world *)(void *)w;

    uw->over = false;
    uw->cond = cond;
    uw->arg = arg;
    uw->limit_ns = uv_hrtime() + limit_ms * 1000000;
    uv_update_time(&uw->loop);
    ck_assert_int_eq(
        uv_timer_start(&uw->limit, on_limit, limit_ms < LOOK_MS ? limit_ms : LOOK_MS, LOOK_MS), 0);
    ck_assert_int_eq(uv_check_start(&uw->check, on_check), 0);
    while (!cond(arg) && !uw->over) (void)uv_run(&uw->loop, uw->mode);
    ck_assert_int_eq(uv_timer_stop(&uw->limit), 0);
    ck_assert_int_eq(uv_check_stop(&uw->check), 0);
    return cond(arg);
}

static void uv_world_stall(world_t *w, uint64_t ms)
{
    (void)w;
    (void)usleep((useconds_t)ms * 1000);
}

struct call {
    void (*fn)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct call *call = arg;

    call->fn(call->arg);
    return NULL;
}

static void uv_world_thread(world_t *w, void (*fn)(void *arg), void *arg)
{
    struct call call = {fn, arg};
    pthread_t id;

    (void)w;
    ck_assert_int_eq(pthread_create(&id, NULL, thread_main, &call), 0);
    ck_assert_int_eq(pthread_join(id, NULL), 0);
}

static void uv_world_path(world_t *w, const char *name, char out[WORLD_PATH_MAX])
{
    struct uv_world *uw = (struct uv_world *)(void *)w;

    if (uw->folder[0] == '\0') {
        (void)snprintf(uw->folder, sizeof uw->folder, "/tmp/gapless-world-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(uw->folder));
    }
    ck_assert_int_lt(snprintf(out, WORLD_PATH_MAX, "%s/%s", uw->folder, name), WORLD_PATH_MAX);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void uv_world_closed(void *arg)
{
    (*(int *)arg)++;
}

static void uv_world_end(world_t *w)
{
    struct uv_world *uw = (struct uv_world *)(void *)w;

    uv_close((uv_handle_t *)&uw->limit, NULL);
    uv_close((uv_handle_t *)&uw->check, NULL);
    gap_uv_env_close(w->env, uv_world_closed, &uw->closed);
    gap_uv_env_close(w->env, uv_world_closed, &uw->closed);
    ck_assert_msg(uw->closed == 0, "%s: closed from inside close", w->name);
    while (uv_run(&uw->loop, uw->mode) != 0) {
    }
    ck_assert_msg(uw->closed == 1, "%s: closed %d times", w->name, uw->closed);
    ck_assert_int_eq(uv_loop_close(&uw->loop), 0);
    if (uw->folder[0] != '\0')
        ck_assert_int_eq(nftw(uw->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(uw);
}

world_t *world_uv_new(int kind, const gap_alloc_t *alloc)
{
    static const uv_run_mode modes[] = {UV_RUN_DEFAULT, UV_RUN_ONCE, UV_RUN_NOWAIT};
    static const char *const names[] = {"DEFAULT", "ONCE", "NOWAIT"};
    struct uv_world *uw = calloc(1, sizeof *uw);

    ck_assert_ptr_nonnull(uw);
    ck_assert_int_eq(uv_loop_init(&uw->loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&uw->loop, alloc, &uw->pub.env), 0);
    ck_assert_int_eq(uv_timer_init(&uw->loop, &uw->limit), 0);
    ck_assert_int_eq(uv_check_init(&uw->loop, &uw->check), 0);
    uw->limit.data = uw;
    uw->check.data = uw;
    uw->mode = modes[kind];
    uw->pub.until = uv_world_until;
    uw->pub.stall = uv_world_stall;
    uw->pub.as_thread = uv_world_thread;
    uw->pub.path = uv_world_path;
    uw->pub.pid = getpid();
    uw->pub.end = uv_world_end;
    (void)snprintf(uw->pub.name, sizeof uw->pub.name, "libuv, UV_RUN_%s", names[kind]);
    return &uw->pub;
}

world_t *world_new(int kind, const gap_alloc_t *alloc)
{
    return kind <= WORLD_UV_NOWAIT ? world_uv_new(kind, alloc) : world_sim_new(kind, alloc);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void world_run(world_t *w, uint64_t ms)
{
    (void)w->until(w, never, NULL, ms);
}
