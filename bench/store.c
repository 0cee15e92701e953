/*
 * bench/store.c - what it costs to store an account's state while updates come as fast as they can
 * be received: processor time of all threads that goes into committing, as a part of what the
 * receive path (bench/wire.c) takes for the same work. A real store: SQLite in a temporary file,
 * synced to the disk, or memory if that is not built in; the library's writer thread; libuv.
 */
#include "bench/bench.h"
#include "bench/fixture.h"
#include "bench/store_journal.h"
#include "bench/wire.h"

#include "loops/store_loop.h"
#include "uv/uv_env.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKETS 16384
#define PASSES  40

struct bench_store {
    uv_loop_t loop;
    gap_env_t *env;
    gap_rt_t rt;
    gap_store_t *store; /* NULL: a run without one */
    struct wire wire;
    gap_packet_t **sealed;
    char folder[64];
    uint64_t turns_ns; /* processor time of this thread in the host's loop */
    uint64_t records;  /* handed over */
    bool opened;
};

/* ---- the storage's files ---- */

gap_storage_t *bench_storage(char folder[64])
{
    gap_storage_t *storage = NULL;
    char path[80];

    (void)snprintf(folder, 64, "/tmp/gapless-bench-XXXXXX");
    bench_must(mkdtemp(folder) == NULL ? GAP_E_STORAGE : 0, "a temporary folder");
    (void)snprintf(path, sizeof path, "%s/state.db", folder);
    if (gap_storage_has_sqlite()) {
        bench_must(gap_storage_sqlite(NULL, &(gap_sqlite_config_t){.path = path}, &storage),
                   "a SQLite storage");
    } else {
        bench_must(gap_storage_memory(NULL, &storage), "a storage in memory");
    }
    return storage;
}

void bench_storage_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    bench_must(dir == NULL ? GAP_E_STORAGE : 0, "the temporary folder");
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    bench_must(rmdir(folder) < 0 ? GAP_E_STORAGE : 0, "removing the temporary folder");
}

/* ---- the store's owner ---- */

static void on_opened(void *arg, int status, const struct gap_store_loaded *loaded,
                      const gap_storage_fault_t *fault)
{
    struct bench_store *s = arg;

    (void)loaded;
    bench_must(status, fault->text);
    s->opened = true;
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

static int put(struct bench_store *s, const gap_record_t *record)
{
    s->records++;
    return gap_store_put(s->store, record);
}

static int put_channel(void *arg, const gap_engine_channel_t *c)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL};

    r.u.channel = (gap_channel_record_t){c->id, c->pts, c->unfinished};
    return put(arg, &r);
}

static int put_gone(void *arg, int64_t id)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL, .removed = true};

    r.u.channel.id = id;
    return put(arg, &r);
}

static int put_state(void *arg, const gap_engine_state_t *state)
{
    gap_record_t r = {.kind = GAP_RECORD_STATE};

    r.u.state = (gap_state_record_t){state->pts, state->qts, state->seq, state->date};
    return put(arg, &r);
}

static int on_collect(void *arg)
{
    struct bench_store *s = arg;
    gap_engine_collector_t to = {put_channel, put_gone, put_state, s};

    return gap_engine_collect(s->wire.account.engine, &to);
}

static const struct gap_store_events events = {on_opened, on_failed, on_recovered, on_collect};

static void on_changed(void *data)
{
    struct bench_store *s = data;
    gap_store_touch(s->store);
}

static void on_closed(void *arg, int last_status)
{
    struct bench_store *s = arg;

    bench_must(last_status, "the last commit");
    s->store = NULL;
}

/* ---- runs ---- */

/* What a host does after it has read: one turn of its loop. */
static void turn(void *arg)
{
    struct bench_store *s = arg;
    uint64_t before = bench_cpu_ns();

    (void)uv_run(&s->loop, UV_RUN_NOWAIT);
    s->turns_ns += bench_cpu_ns() - before;
}

static void set_up(struct bench_store *s, uint32_t packets)
{
    memset(s, 0, sizeof *s);
    bench_must(uv_loop_init(&s->loop), "a loop");
    bench_must(gap_uv_env_open(&s->loop, gap_alloc_default(), &s->env), "an environment");
    gap_rt_init(&s->rt, gap_alloc_default(), s->env);
    wire_init(&s->wire, packets, 4, 1024);
    s->wire.turn = turn;
    s->wire.turn_arg = s;
    s->sealed = calloc(packets, sizeof(gap_packet_t *));
    bench_must(s->sealed == NULL ? GAP_E_NOMEM : 0, "packets");
    wire_seal_round(&s->wire);
    for (uint32_t i = 0; i < packets; i++) s->sealed[i] = s->wire.round[i];
}

static void open_store(struct bench_store *s)
{
    struct gap_store_config config = {bench_storage(s->folder), NULL};

    bench_must(gap_store_open(&s->rt, &config, &events, s, &s->store), "a store");
    while (!s->opened) (void)uv_run(&s->loop, UV_RUN_ONCE);
}

static void close_store(struct bench_store *s)
{
    gap_store_close(s->store, on_closed, s);
    while (s->store != NULL) (void)uv_run(&s->loop, UV_RUN_ONCE);
    bench_storage_remove(s->folder);
}

static void tear_down(struct bench_store *s)
{
    for (uint32_t i = 0; i < s->wire.packets; i++) gap_packet_unref(s->sealed[i]);
    free(s->sealed);
    wire_fini(&s->wire);
    gap_rt_fini(&s->rt);
    gap_uv_env_close(s->env, NULL, NULL);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    bench_must(uv_loop_close(&s->loop), "closing the loop");
}

/* The same packets again and again, each time to a new engine: sealing takes as long as receiving,
 * and a store that works by the clock would be paid for that time as well.
 * @return processor time of the receive path, in nanoseconds. */
static double run(struct bench_store *s, int passes)
{
    double ns = 0;

    s->turns_ns = 0;
    for (int pass = 0; pass < passes; pass++) {
        wire_restart(&s->wire, s->store == NULL ? NULL : on_changed, s);
        for (uint32_t i = 0; i < s->wire.packets; i++) {
            gap_packet_t *copy;
            gap_bytes_t bytes = gap_bytes(s->sealed[i]->data, s->sealed[i]->len);
            bench_must(gap_packet_copy(gap_alloc_default(), bytes, &copy), "a packet");
            s->wire.round[i] = copy;
        }
        ns += wire_measure_round(&s->wire);
    }
    return ns;
}

static void state_lazy(struct bench *b)
{
    struct bench_store s;
    int passes = b->quick ? 2 : PASSES;

    set_up(&s, b->quick ? 64 : PACKETS);
    (void)run(&s, 1); /* warm */
    double wire_ns = run(&s, passes);
    uint64_t bare_ns = s.turns_ns;
    open_store(&s);
    uint64_t process_ns = bench_process_cpu_ns();
    uint64_t thread_ns = bench_cpu_ns();
    (void)run(&s, passes);
    uint64_t others_ns = bench_process_cpu_ns() - process_ns - (bench_cpu_ns() - thread_ns);
    uint64_t here_ns = s.turns_ns > bare_ns ? s.turns_ns - bare_ns : 0;
    close_store(&s);
    bench_must(s.records > 0 ? 0 : GAP_E_STATE, "nothing was stored");
    bench_hash(b, s.wire.account.sum);
    tear_down(&s);
    double share = (double)(others_ns + here_ns) / wire_ns;
    bench_report(b, &(struct bench_row){"store", "state_lazy", "cpu_share", share, "ratio",
                                        "the aim, 0.02 of wire", share / 0.02});
}

void bench_store(struct bench *b)
{
    bench_journal_100(b);
    state_lazy(b);
}
