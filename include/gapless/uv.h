/*
 * gapless/uv.h - a client on the caller's libuv loop. The only public header that names libuv.
 */
#ifndef GAPLESS_UV_H
#define GAPLESS_UV_H

#include <gapless/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As <uv.h> has it; C11 and C++ allow the repetition, so either header may come first. */
typedef struct uv_loop_s uv_loop_t;

/**
 * Make a client on a loop. Nothing is sent before gap_client_start().
 *
 * @param loop    The caller's, not closed before the client's closed callback has run. It may be
 *                run in any mode. The client keeps it alive from start to close.
 * @param config  Borrowed.
 * @param out     The client; freed by gap_client_close().
 * @return 0; GAP_E_ARGUMENT the configuration contradicts itself or lacks something (what is
 * logged); GAP_E_PEM rsa_key is no public key; GAP_E_NOMEM; GAP_E_LIBCRYPTO; libuv's codes. Thread:
 * the loop's.
 */
GAP_API GAP_NODISCARD int gap_client_open(uv_loop_t *loop, const gap_client_config_t *config,
                                          gap_client_t **out);

#ifdef __cplusplus
}
#endif
#endif
