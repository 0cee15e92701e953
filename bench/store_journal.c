/*
 * bench/store_journal.c - journalled and acknowledged updates per second: rows of 300 bytes in
 * groups of 100, each group put while the one before it is on its way to the disk, and struck out
 * when it is there (the handlers took no time). A real store: SQLite in a temporary file,
 * synchronous FULL, the library's writer thread, libuv. Beside it, turn by turn in the same run, a
 * bare SQLite loop that does the same.
 */
#include "bench/store_journal.h"

#include "bench/store_bare.h"
#include "loops/store_loop.h"
#include "uv/uv_env.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUP  100
#define BYTES  300
#define GROUPS 300 /* in a turn */
#define TURNS  15

struct journal {
    uv_loop_t loop;
    gap_env_t *env;
    gap_rt_t rt;
    gap_store_t *store;
    char folder[64];
    uint8_t bytes[BYTES];
    uint64_t put;    /* groups handed over */
    uint64_t stored; /* of those, on disk */
    uint64_t aim;    /* the turn's last one */
    bool opened;
};

static uint64_t wall_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- the store's owner ---- */

static void on_opened(void *arg, int status, const struct gap_store_loaded *loaded,
                      const gap_storage_fault_t *fault)
{
    struct journal *j = arg;

    (void)loaded;
    bench_must(status, fault->text);
    j->opened = true;
}

static void on_failed(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *fault)
{
    (void)arg;
    (void)retry_us;
    bench_must(status, fault->text);
}

static void on_recovered(void *arg)
{
    (void)arg;
}

static int on_collect(void *arg)
{
    (void)arg;
    return 0;
}

static const struct gap_store_events events = {on_opened, on_failed, on_recovered, on_collect};

static void on_closed(void *arg, int last_status)
{
    struct journal *j = arg;

    bench_must(last_status, "the last commit");
    j->store = NULL;
}

/* ---- groups ---- */

/* Numbers of group g (from 1). */
static uint64_t first_of(uint64_t group)
{
    return (group - 1) * GROUP + 1;
}

static void on_stored(void *arg, int status)
{
    struct journal *j = arg;

    bench_must(status, "a group");
    j->stored++;
}

static void put_group(struct journal *j)
{
    uint64_t group = ++j->put;
    gap_record_t r = {.kind = GAP_RECORD_INBOX};

    r.u.inbox.box = GAP_BOX_CHANNEL;
    r.u.inbox.channel_id = 1000000000;
    r.u.inbox.created_us = 1700000000000000;
    r.u.inbox.has_update = true;
    r.u.inbox.update = gap_bytes(j->bytes, BYTES);
    for (uint64_t i = 0; i < GROUP; i++) {
        r.u.inbox.number = first_of(group) + i;
        memcpy(r.u.inbox.eid.bytes, &r.u.inbox.number, sizeof r.u.inbox.number);
        r.u.inbox.content = r.u.inbox.number * 0x9e3779b97f4a7c15U;
        bench_must(gap_store_put(j->store, &r), "a row");
    }
    r.removed = true;
    for (uint64_t i = 0; j->stored > 0 && i < GROUP; i++) {
        r.u.inbox.number = first_of(j->stored) + i;
        bench_must(gap_store_put(j->store, &r), "a removal");
    }
    bench_must(gap_store_flush(j->store, on_stored, j), "a commit");
}

/* One group is on its way to the disk, one waits. @return nanoseconds for GROUPS groups. */
static uint64_t run_store(struct journal *j, uint64_t groups)
{
    uint64_t before = wall_ns();

    j->aim = j->put + groups;
    while (j->stored < j->aim) {
        if (j->put < j->aim && j->put < j->stored + 2) put_group(j);
        (void)uv_run(&j->loop, UV_RUN_ONCE);
    }
    return wall_ns() - before;
}

static uint64_t run_bare(struct store_bare *bare, const struct journal *j, uint64_t *group,
                         uint64_t groups)
{
    uint64_t before = wall_ns();

    for (uint64_t i = 0; i < groups; i++, ++*group)
        store_bare_group(bare, first_of(*group), *group > 1 ? first_of(*group - 1) : 0, GROUP,
                         j->bytes, BYTES);
    return wall_ns() - before;
}

/* ---- the case ---- */

static void set_up(struct journal *j)
{
    memset(j, 0, sizeof *j);
    for (size_t i = 0; i < BYTES; i++) j->bytes[i] = (uint8_t)(i * 31);
    bench_must(uv_loop_init(&j->loop), "a loop");
    bench_must(gap_uv_env_open(&j->loop, gap_alloc_default(), &j->env), "an environment");
    gap_rt_init(&j->rt, gap_alloc_default(), j->env);
    struct gap_store_config config = {bench_storage(j->folder), NULL};
    bench_must(gap_store_open(&j->rt, &config, &events, j, &j->store), "a store");
    while (!j->opened) (void)uv_run(&j->loop, UV_RUN_ONCE);
}

static void tear_down(struct journal *j)
{
    gap_store_close(j->store, on_closed, j);
    while (j->store != NULL) (void)uv_run(&j->loop, UV_RUN_ONCE);
    gap_rt_fini(&j->rt);
    gap_uv_env_close(j->env, NULL, NULL);
    (void)uv_run(&j->loop, UV_RUN_DEFAULT);
    bench_must(uv_loop_close(&j->loop), "closing the loop");
    bench_storage_remove(j->folder);
}

void bench_journal_100(struct bench *b)
{
    struct journal j;
    char path[sizeof j.folder + 16];
    double rates[TURNS];
    double ratios[TURNS];
    uint64_t groups = b->quick ? 10 : GROUPS;
    uint64_t bare_group = 1;
    size_t turns = b->quick ? 1 : TURNS;

    set_up(&j);
    (void)snprintf(path, sizeof path, "%s/bare.db", j.folder);
    struct store_bare *bare = store_bare_open(path);
    (void)run_store(&j, groups); /* warm */
    if (bare != NULL) (void)run_bare(bare, &j, &bare_group, groups);
    for (size_t i = 0; i < turns; i++) {
        double ns = (double)run_store(&j, groups);
        double bare_ns = bare != NULL ? (double)run_bare(bare, &j, &bare_group, groups) : ns;
        rates[i] = (double)(groups * GROUP) * 1e9 / ns;
        ratios[i] = bare_ns / ns;
    }
    if (bare != NULL) store_bare_close(bare);
    bench_hash(b, j.stored);
    tear_down(&j);
    bench_report(b, &(struct bench_row){"store", "journal_100", "events_per_s",
                                        bench_median(rates, turns), "1/s",
                                        bare != NULL ? "the bare SQLite loop" : "itself",
                                        bench_median(ratios, turns)});
}
