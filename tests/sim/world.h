/*
 * tests/sim/world.h - a small virtual world around one engine: virtual time, a scripted server, a
 * socket that may be stalled, a trace. Everything that happens is a line
 *
 *     [ 500] difference from 11
 *
 * with the time in milliseconds. Labels of updates: the message id ("apply 12"), "edit 12",
 * "delete 12", with the channel before it ("apply 7:12"); "apply q3" for qts, "apply query 5",
 * "apply status 9", "apply typing 9", "apply random 12" for updateMessageID.
 */
#ifndef GAP_TESTS_SIM_WORLD_H
#define GAP_TESTS_SIM_WORLD_H

#include "../check_main.h"
#include "base/packet.h"
#include "base/prng.h"
#include "loops/engine.h"
#include "loops/loop.h"
#include "pack.h"

#define WORLD_NEVER UINT64_MAX
#define WORLD_CALLS 64
/** gap_engine_config.gap_wait_us of a world: the wait is learned. */
#define WORLD_LEARNED UINT32_MAX
#define WORLD_SOCKET  256

struct world_script {
    uint64_t delay_ms; /* WORLD_NEVER: no answer */
    gap_packet_t *packet;
    int32_t code; /* not 0: an rpc_error */
    const char *text;
    int status; /* negative: no answer but this */
};

struct world_call {
    bool used;
    uint64_t due_us;
    int64_t channel; /* 0: common; -1: state; -2: a back-fill */
    int32_t pts;     /* asked from */
    int32_t qts;
    int32_t date;      /* of the common difference */
    int32_t limit;     /* of a channel */
    int32_t pts_limit; /* of the common difference; 0: none */
    int32_t qts_limit;
    bool full; /* channels.getFullChannel */
    gap_answer_cb cb;
    void *arg;
    struct world_script answer;
};

struct world {
    struct fault_alloc fault;
    gap_rt_t rt;
    gap_engine_t *engine;
    struct pack p;
    uint64_t now_us;
    gap_prng_t random;
    bool shuffle; /* choose at random among the ready loops */
    bool events;  /* trace every event of the engine */
    bool via;     /* tell how updates came */
    bool again;   /* and whether they may have come before: "apply 12 again" */
    bool closing;
    bool closed;
    uint64_t batches;  /* of loops, with a seed */
    uint64_t close_at; /* close before that batch; 0: never */
    bool refuse;       /* invoke fails */
    int verdict;       /* what the handler returns */
    gap_update_t *later[256];
    size_t later_count;
    uint64_t steps; /* ticks so far */
    struct world_script script[WORLD_CALLS];
    size_t script_at;
    size_t script_count;
    struct world_call calls[WORLD_CALLS];
    struct {
        uint64_t at_us;
        gap_packet_t *packet;
    } socket[WORLD_SOCKET];
    size_t socket_count;
    /** Called after each update that was handled; may be NULL. */
    void (*handled)(struct world *w, gap_update_t *update);
    /** Makes the answer instead of the script: sets call->due_us and, now or when it is due
     * (called again then), call->answer. May be NULL. */
    void (*serve)(struct world *w, struct world_call *call, bool due);
    void *data;
    char trace[1 << 16];
    size_t trace_len;
};

/** @param seed 0: first in, first out; else random choice. @param config May be NULL: gaps wait
 * 500 ms, no jitter, a user's account, state {10, 5, 1} at PACK_DATE. */
void world_init(struct world *w, uint64_t seed, const gap_engine_config_t *config);
/** The world without an engine. */
void world_begin(struct world *w, uint64_t seed);
/** The defaults of the above. */
gap_engine_config_t world_config(struct world *w);
/** Open the engine (world_init does). @return what gap_engine_open_on returned. */
int world_open(struct world *w, const gap_engine_config_t *config);
/** Start it and answer its first difference as empty at once; the trace begins anew. */
void world_ready(struct world *w);
/** Close, run until closed, check that nothing is left. */
void world_fini(struct world *w);
void world_close(struct world *w);
/** Is everything that the engine allocated given back? */
bool world_is_clean(const struct world *w);

/** Hand a packet to the engine now. Taken. @return what the engine returned. */
int world_feed(struct world *w, gap_packet_t *packet);
/** The same by the socket: read at the next poll at or after @p at_ms. */
void world_send(struct world *w, uint64_t at_ms, gap_packet_t *packet);
/** Next answers of the server, in the order of the questions. Packets are taken. */
void world_answer(struct world *w, uint64_t delay_ms, gap_packet_t *packet);
/** Forget the answers that have not been asked for. */
void world_answer_none(struct world *w);
void world_error(struct world *w, uint64_t delay_ms, int32_t code, const char *text);
void world_fail(struct world *w, uint64_t delay_ms, int status);

/** One turn of the host's loop: poll, answers, tick. @return false if there is nothing to do before
 * @p until_us. */
bool world_step(struct world *w, uint64_t until_us);
/** Run up to a time. */
void world_run(struct world *w, uint64_t until_ms);
/** The host does something else: time goes by without a turn. */
void world_stall(struct world *w, uint64_t ms);

void world_trace(struct world *w, const char *format, ...) GAP_PRINTF(2, 3);
/** Compare and forget. */
#define world_expect(w, text)                                                                      \
    do {                                                                                           \
        ck_assert_str_eq((w)->trace, (text));                                                      \
        world_forget(w);                                                                           \
    } while (0)
void world_forget(struct world *w);
/** Text of an update for the trace. */
void world_label(const gap_update_t *update, char out[64]);

#endif
