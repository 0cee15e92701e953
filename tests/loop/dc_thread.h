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

typedef struct dc_thread {
    gap_dc_options_t options; /* set after dc_thread_init, before dc_thread_start */
    uint16_t port;            /* set by start */
    char *pem;                /* its public key */
    atomic_uint done_events;  /* set when all traffic is out */
    /* private */
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
/** Listens when it returns; fails the test if it can't. */
void dc_thread_start(dc_thread_t *d);
/** Close, join, and check that nothing is left on its loop. */
void dc_thread_stop(dc_thread_t *d);

#endif
