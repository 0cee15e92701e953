/*
 * tests/sim/script_run.h - a script being carried out in the virtual world.
 *
 *   script_run.c    step by step: what happens at the server, in the network and in the host
 *   script_see.c    what the world shows: the trace, and what is kept of it to be judged
 *   script_meet.c   expect and await
 */
#ifndef GAP_TESTS_SIM_SCRIPT_RUN_H
#define GAP_TESTS_SIM_SCRIPT_RUN_H

#include "globe.h"
#include "script_pack.h"
#include "script_read.h"

#include <stdio.h>

/** What the program exits with. */
#define SIM_KEPT   0
#define SIM_FAILED 1
#define SIM_USAGE  2
#define SIM_BROKEN 3

/**
 * Read and carry out a script.
 * @param file  Its name; "-": the standard input.
 * @param json  The trace as objects, one a line.
 * @param out   Takes the trace. @param err Complaints: one line each.
 * @return an exit status.
 */
int sim_script_program(const char *file, bool json, FILE *out, FILE *err);
/** The same with the text at hand. @param name For complaints. */
int sim_script_play(const char *name, gap_bytes_t text, bool json, FILE *out, FILE *err);

/* --- shared by the files ---------------------------------------------------------------------- */

struct sim_call {
    uint32_t method;
    int64_t channel;
};

struct sim_happening {
    int event; /* as in sim_step_t */
    sim_box_t box;
    int64_t channel;
    int32_t from;
    int32_t to;
};

struct sim_stored {
    bool known;
    int32_t pts;
    int64_t channel;
};

/** A rule of `handler`. */
struct sim_handler {
    uint32_t left;
    dc_peer_type_t chat; /* DC_NOBODY: any */
    int64_t id;
    sim_verdict_t verdict;
    uint32_t ms;
};

/** A list that grows. */
#define SIM_LIST(type)                                                                             \
    struct {                                                                                       \
        type *items;                                                                               \
        uint32_t count;                                                                            \
        uint32_t cap;                                                                              \
    }

struct sim_run {
    sim_script_t script;
    const char *name;
    gap_bytes_t text;
    FILE *out;
    FILE *err;
    bool json;
    struct globe *globe;
    gap_alloc_t const *alloc;
    sim_pack_t pack;
    gap_buf_t bytes;
    gap_buf_t query;
    uint64_t base_ms; /* when the script begins, in the globe's time */
    bool silent;      /* before that, nothing is shown */
    uint32_t at;      /* the step being done */
    uint32_t echoed;  /* line shown last */
    uint32_t made;    /* events, for their senders */
    bool started;
    uint32_t together; /* step of the container being filled; UINT32_MAX: none */
    bool by_hand;      /* it holds raw updates, or its seq is given */
    uint32_t ns[64];   /* events in such a one */
    uint32_t ns_count;
    bool uses_seq;
    const char *cursor;   /* a beginning of a line */
    uint32_t cursor_line; /* lines before it */
    uint32_t unreadable;  /* event that nobody can decode; 0: none */
    bool has_chances;
    bool refused; /* a step could not be done: the script is wrong */
    int failure;  /* negative: something else went wrong */
    uint32_t unmet;
    bool violated;

    /* what has been seen */
    gap_buf_t trace;   /* lines, each with its newline */
    bool ended;        /* the last step is through */
    gap_buf_t routine; /* lines since then that may not be worth telling */
    SIM_LIST(struct sim_call) calls;
    SIM_LIST(struct sim_happening) events;
    SIM_LIST(struct sim_stored) stored; /* channels */
    SIM_LIST(struct sim_handler) handlers;
    SIM_LIST(char *) applied;
    struct sim_stored stored_box[3];
    uint32_t applied_from; /* of the last `expect applied` */
    uint32_t calls_from;   /* of the last `expect calls` */
    uint32_t awaited;      /* calls before this one have been awaited */
    uint32_t *expected;    /* by step: calls when it was judged */
};

/* script_see.c */
void sim_watch(struct sim_run *r, struct globe_watch *out);
/** A line of the trace. @param what Its kind in JSON; what it begins with, too. */
void sim_trace(struct sim_run *r, const char *what, const char *format, ...) GAP_PRINTF(3, 4);
/** gap_engine_config.tap of a script that wants decisions told; its data is the run. */
void sim_tap(void *data, const gap_engine_decision_t *decision);
uint64_t sim_now_ms(const struct sim_run *r);
void sim_see_fini(struct sim_run *r);

/* script_meet.c */
/** Judge one expectation, gapless-dc's or ours. */
void sim_expect(struct sim_run *r, const sim_step_t *step);
/** Let time go by until it is so. */
void sim_await(struct sim_run *r, const sim_step_t *step);

/* script_run.c */
int64_t sim_step_channel(const struct sim_run *r, const sim_step_t *step);

#endif
