/*
 * tests/loop/two_dcs.h - data centres 2 and 4 that know each other, a client at home in 2, and
 * calls whose answers say which of the two made them.
 */
#ifndef GAP_TESTS_TWO_DCS_H
#define GAP_TESTS_TWO_DCS_H

#include "client/client.h"
#include "tests/loop/account.h"
#include "tests/loop/dc_thread.h"

#define CALLS_MAX  64
#define LEDGER_MAX (1U << 20)

/* What a data centre wrote; it is read only when nothing is written. */
struct book {
    pthread_mutex_t lock;
    char text[LEDGER_MAX];
    size_t len;
};

struct answer {
    unsigned count; /* of callbacks: one */
    int status;
    int32_t rpc_code;
    char rpc_name[64];
    int32_t dc; /* which data centre made it; 0: it does not say */
};

struct bench {
    dc_thread_t two;
    dc_thread_t four;
    bool four_runs;
    gap_dc_script_t script;
    bool scripted;
    struct book book[2];
    uv_loop_t loop;
    gap_client_config_t config;
    struct account a;
    struct answer answers[CALLS_MAX];
    unsigned asked;
    unsigned answered;
    char folder[64];
    char session[96];
};

extern struct bench b; /* a large one */

/** How often a method was called at a data centre; with @p error: and answered so. */
unsigned calls(unsigned dc, const char *method, const char *error);
/** Add an address on the loopback to the table of a data centre that is not started yet. */
void know(dc_thread_t *d, int32_t id, uint16_t port, bool media);
/** And 4. */
void start_four(void);
/** A port that nobody listens on. */
uint16_t free_port(void);
/** Options of the data centres may be changed between this and the start. */
void bench_init(void);
/** Both data centres are to play this script. */
void play(const char *text);
/** Data centre 2 alone; 4 is to be at this port when it is started. */
void start_two(uint16_t port);
/** A client, from its start to an event. */
void run_to(gap_event_kind_t kind);
/** The client is there, 4 is not yet. */
void bench_start_with_two(void);
/** Both, and the client has caught up. */
void bench_start(void);
/** Every call must have been answered once. */
void bench_fini(void);
/** The callback of every call; @p data is its struct answer. */
void on_answer(gap_client_t *client, const gap_result_t *result, void *data);
/** Room for the answer to one more call. */
struct answer *next_answer(void);
/** A query that says where it was answered, of the kind of STATS_MIGRATE. */
gap_tl_object_t a_graph(void);
/** The same, of the kind of FILE_MIGRATE. */
gap_tl_object_t a_file(void);
/** gap_client_call_at, which must be taken. */
struct answer *call_at(int32_t dc, gap_connection_kind_t kind, gap_tl_object_t query);
/** gap_client_call, which must be taken. */
struct answer *call(gap_tl_object_t query);
/** Run until all calls are answered. */
void await_all(void);
/** It is an answer, of that data centre. */
void check_made_at(const struct answer *a, int32_t dc);

#endif
