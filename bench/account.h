/*
 * bench/account.h - an engine without a network: a server that has nothing to tell answers it, and
 * a handler reads chat, sender, id, date and text length of every message.
 */
#ifndef GAP_BENCH_ACCOUNT_H
#define GAP_BENCH_ACCOUNT_H

#include <gapless/engine.h>

#define ACCOUNT_CALLS_MAX 64

struct account {
    gap_engine_t *engine;
    uint64_t handled;
    uint64_t sum; /* of what the handler read */
    uint64_t now_us;
    uint64_t open_ns; /* processor time from the state in memory to ready */
    struct {
        gap_answer_cb cb;
        void *arg;
    } calls[ACCOUNT_CALLS_MAX]; /* not answered yet */
    size_t call_count;
};

/** An engine that knows @p channels channels from FIXTURE_CHANNEL on, each at pts 1. Ready. */
void account_open(struct account *a, uint32_t channels, uint32_t inbox_max);
/** The same, with somebody who wants to know when there is something to store. */
void account_open_watched(struct account *a, uint32_t channels, uint32_t inbox_max,
                          void (*changed)(void *data), void *data);
/** Tick until nothing is left to do. */
void account_run(struct account *a);
void account_close(struct account *a);

#endif
