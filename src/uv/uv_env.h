/*
 * uv/uv_env.h - the environment on a caller's libuv loop. What it takes from the host, however many
 * actors stand on it: one uv_async_t, one uv_timer_t, one uv_idle_t, one uv_check_t, one uv_poll_t
 * a socket. The loop's own thread pool is left to the host: slow work and name look-ups run on up
 * to GAP_UV_WORK_THREADS + GAP_UV_NAME_THREADS threads of the environment, and each worker on one
 * of its own, started when first needed.
 *
 * What keeps the host's uv_run() going: an open stream or listener, a timer that is set, work or a
 * look-up that is outstanding, something to do now. An environment with none of these does not, and
 * fires no handle.
 */
#ifndef GAP_UV_ENV_H
#define GAP_UV_ENV_H

#include "env/env.h"

#include <uv.h>

#define GAP_UV_WORK_THREADS 2
#define GAP_UV_NAME_THREADS 1
/** Stack of a worker's thread, in bytes; SQLite is to run on it. */
#define GAP_UV_WORKER_STACK_BYTES ((size_t)256 << 10)
/** Reads of one stream in one poll; with more to read the turn that follows is not drained. */
#define GAP_UV_READS_MAX 32
/** Connections taken from one listener in one poll. */
#define GAP_UV_ACCEPTS_MAX 32

/**
 * Set an environment up. The calling thread becomes its loop thread: call it on the thread that
 * runs @p loop.
 * @param loop   Initialised; pinned until the closed callback has run. Any run mode.
 * @param alloc  Thread-safe; pinned as well.
 * @return 0, GAP_E_NOMEM, or a negative libuv code (out of file descriptors).
 */
GAP_NODISCARD int gap_uv_env_open(uv_loop_t *loop, const gap_alloc_t *alloc, gap_env_t **out);

/**
 * Begin closing. The host must have detached, every worker be closed (its callback may be due), and
 * no other thread may be inside post or enter it again. Files are closed before the last job ends.
 * Streams and listeners that are still open are closed, work that has not begun ends with
 * ECANCELED, work that runs is waited for without blocking the loop (a look-up lasts as long as the
 * resolver takes). Then, from the loop, @p closed runs exactly once; the memory is gone by then.
 * Idempotent: later calls change nothing. @param closed May be NULL. Loop thread.
 */
void gap_uv_env_close(gap_env_t *env, void (*closed)(void *arg), void *arg);

/** @return true in a process forked since open: nothing of the environment may be used there. Any
 * thread. */
bool gap_uv_env_forked(const gap_env_t *env);

/** In a forked process: close the sockets and files of the environment, so that the parent alone
 * holds them (files: unless the parent was opening or closing one during the fork).
 * Nothing else may be done with it; its memory is left to the end of the process. */
void gap_uv_env_abandon(gap_env_t *env);

#endif
