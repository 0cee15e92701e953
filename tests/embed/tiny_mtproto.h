/*
 * tests/embed/tiny_mtproto.h - a small MTProto 2.0 client in one file, on libcrypto and zlib:
 * somebody's own stack, as the gap engine meets it. One connection, nothing of the library but its
 * TL reader and writer.
 *
 *   tiny_open (blocks: connect, key exchange) -> tiny_call ... tiny_read -> tiny_close
 *
 * For loopback only: it does not reconnect, and trusts the server's prime and time.
 */
#ifndef TINY_MTPROTO_H
#define TINY_MTPROTO_H

#include <gapless/tl.h>

#define TINY_CALLS_MAX 64 /* without an answer */

typedef struct tiny tiny_t;

/** The outcome of a call. @p error_code 0: @p value is the boxed result. -1: the connection ended.
 * Others: an rpc_error, @p value is its text. Borrowed. */
typedef void (*tiny_answer_cb)(void *arg, int error_code, gap_bytes_t value);

/** What the connection brings besides answers. */
typedef struct tiny_sink {
    void (*updates)(void *data, gap_bytes_t object); /* what is not about MTProto; borrowed */
    void (*new_session)(void *data);                 /* the server may have dropped updates */
    void (*unreadable)(void *data);
    void *data;
} tiny_sink_t;

/** Connect to 127.0.0.1 and agree upon a key. It ends the program if that fails. */
tiny_t *tiny_open(uint16_t port, const char *rsa_pem, const tiny_sink_t *sink);
/** To poll for reading; non-blocking. */
int tiny_fd(const tiny_t *t);
/** Call a method. The callback never runs before this returns. @return 0, or -1: it can't be sent.
 */
int tiny_call(tiny_t *t, gap_tl_object_t query, tiny_answer_cb cb, void *arg);
/** Read what is there, and hand it out. @return 1 everything was read; 0 there is more; -1 the
 * connection ended. */
int tiny_read(tiny_t *t);
/** Calls without an answer end with -1. */
void tiny_fail_calls(tiny_t *t);
void tiny_close(tiny_t *t);

#endif
