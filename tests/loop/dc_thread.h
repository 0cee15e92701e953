/*
 * tests/loop/dc_thread.h - a simulated data centre on a loop and a thread of its own, so that the
 * host's loop under test has nothing on it but clients.
 */
#ifndef GAP_TESTS_DC_THREAD_H
#define GAP_TESTS_DC_THREAD_H

#include "dc/dc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#define DC_THREAD_PEERS 4

typedef struct dc_thread {
    gap_dc_options_t options; /* set after dc_thread_init, before dc_thread_start */
    uint16_t port;            /* set by start */
    char *pem;                /* its public key */
    atomic_uint done_events;  /* set when all traffic is out */
    /* private */
    atomic_uint listening; /* the port, for the others; 0: not yet */
    struct dc_thread *peers[DC_THREAD_PEERS];
    unsigned peer_count;
    gap_rsa_key_t rsa;
    uv_loop_t loop;
    uv_async_t stop;
    gap_env_t *env;
    gap_dc_t *dc;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t up;
    int status; /* 1: not known yet */
    int left;   /* what uv_loop_close said */
} dc_thread_t;

/** Defaults, and the key that all of them use. */
void dc_thread_init(dc_thread_t *d);
/** Each knows the other as soon as that listens. Before both are started, with options.dc set; both
 * live until both are stopped. */
void dc_thread_introduce(dc_thread_t *a, dc_thread_t *b);
/** Listens when it returns; fails the test if it can't. */
void dc_thread_start(dc_thread_t *d);
/** Close, join, and check that nothing is left on its loop. */
void dc_thread_stop(dc_thread_t *d);

#endif
