/*
 * tests/sim/store_world.h - a small virtual world around one store loop: its owner, and a storage
 * in memory behind a door that fails as scripted and checks how it is used: never on the loop
 * thread, never two calls at once, no commit after GAP_E_SYNC before it was closed, opened and
 * loaded.
 */
#ifndef GAP_TESTS_SIM_STORE_WORLD_H
#define GAP_TESTS_SIM_STORE_WORLD_H

#include "tests/check_main.h"

#include "base/bytes.h"
#include "loops/store_loop.h"
#include "tests/sim/sim_env.h"

#include <string.h>

#define MS UINT64_C(1000)
#define S  UINT64_C(1000000)

/** The storage. */
struct door {
    gap_storage_t base;
    bool open;
    bool doubtful; /* GAP_E_SYNC: to be closed, opened and loaded first */
    bool destroyed;
    bool inside;
    int open_status;
    int load_status;
    int find_status;
    int commits[16]; /* statuses of the next ones */
    size_t commit_count;
    bool sync_applies; /* a commit that fails with GAP_E_SYNC is on the disk */
    uint64_t attempts;
    uint64_t committed;
    size_t last_count; /* records of the last commit that worked */
};

/** What is on the disk. */
struct kept {
    int32_t pts;
    int32_t channel_pts; /* of channel 7 */
    int64_t account;
    size_t peers;
};

/** The owner, and what it was told. */
struct owner {
    int opened;
    int open_status;
    bool had_fault_text;
    struct gap_store_loaded loaded;
    gap_channel_record_t first_channel;
    int failed;
    uint64_t retry_us;
    int recovered;
    int collects;
    int32_t pts; /* what the next collect hands over; 0: nothing */
    int refuse;  /* collects that could not put everything */
    int closed;
    int last_status;
};

/** An answer that must come exactly once. */
struct answer {
    int count;
    int status;
    bool found;
    int64_t id;
    int64_t hash;
    size_t names;
};

extern sim_t *sim;
extern gap_env_t *env;
extern gap_rt_t rt;
extern struct fault_alloc fault;
extern gap_storage_t *disk;
extern struct door door;
extern struct owner owner;
extern gap_store_t *store;
extern uint64_t commit_cpu_us; /* what a commit costs on the processor's clock */
extern bool threadless;        /* calls may come on the loop thread */
extern const struct gap_store_events store_events;

/** A world with an empty disk. @param options NULL: a polite one. */
void begin(uint64_t seed, const struct sim_options *options);
int try_open(const char *session);
/** Open, and run until it is. */
void open_store(void);
void close_store(void);
/** Close what is open; nothing may be left. */
void end(void);
/** How often the trace says so. */
size_t lines(const char *text);

/** The next @p count commits fail. */
void fail_commits(int status, size_t count);
struct kept on_disk(void);
/** Put on the disk before the store opens. */
void store_before(gap_record_t r);

gap_record_t state(int32_t pts);
gap_record_t channel(int64_t id, int32_t pts);
gap_record_t account(int64_t id);
/** @param name NULL: nothing is said of names. */
gap_record_t user(int64_t id, int64_t hash, const gap_bytes_t *name);
void put(gap_record_t r);

/* Callbacks that fill in a struct answer. */
void on_done(void *arg, int status);
void on_found(void *arg, int status, const gap_peer_record_t *peer);
void on_closed(void *arg, int status);

#endif
