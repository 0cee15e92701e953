/*
 * gapless/base.h - what every other public header stands on: visibility, views, errors, the
 * allocator and the reference-counted packet.
 *
 * Ownership words used in every header:
 *   borrowed  valid during this call only
 *   pinned    must stay valid until the callback has run
 *   copied    the callee keeps a copy of its own
 *   taken     the callee owns it from now on, also when the call fails
 */
#ifndef GAPLESS_BASE_H
#define GAPLESS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GAP_NODISCARD         __attribute__((warn_unused_result))
#define GAP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define GAP_FALLTHROUGH       __attribute__((fallthrough))
#else
#define GAP_NODISCARD
#define GAP_PRINTF(fmt, args)
#define GAP_FALLTHROUGH (void)0
#endif

#if defined(GAP_BUILDING) && defined(__GNUC__)
#define GAP_API __attribute__((visibility("default")))
#else
#define GAP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A read-only view of bytes that somebody else owns. `data` may be NULL when `len` is 0. */
typedef struct gap_bytes {
    const uint8_t *data;
    size_t len; /* bytes */
} gap_bytes_t;

/*
 * Results. 0 is success; a positive value is a condition documented at the function that returns
 * it (the caller branches on it and never forwards it); a negative value is a failure and is
 * forwarded unchanged. Codes from -1 to -4999 are libuv's (on Unix a negated errno); the library's
 * own start below them.
 */
#define GAP_OK      0
#define GAP_E_NOMEM (-12) /* the allocator returned NULL; the same number as libuv's UV_ENOMEM */

#define GAP_ERRORS(X)                                                                              \
    X(GAP_E_ARGUMENT, -10000, "an argument is outside what the function accepts")                  \
    X(GAP_E_STATE, -10001, "the call is not allowed in this state")                                \
    X(GAP_E_CLOSED, -10002, "close has begun")                                                     \
    X(GAP_E_TL, -10003, "malformed TL data")                                                       \
    X(GAP_E_TL_ID, -10004, "TL constructor unknown to this layer")                                 \
    X(GAP_E_LIMIT, -10005, "a limit was exceeded")                                                 \
    X(GAP_E_CRYPTO, -10006, "a cryptographic check failed")                                        \
    X(GAP_E_LIBCRYPTO, -10007, "the cryptographic library reported a failure")                     \
    X(GAP_E_PROTOCOL, -10008, "the peer broke the MTProto protocol")                               \
    X(GAP_E_TRANSPORT, -10009, "the server refused the connection with a transport error")         \
    X(GAP_E_KEY, -10010, "the server offers no RSA key that this client knows")                    \
    X(GAP_E_RPC, -10011, "the server answered with an rpc_error")                                  \
    X(GAP_E_TIMEOUT, -10012, "no answer in time")                                                  \
    X(GAP_E_DISCONNECTED, -10013, "the connection was lost before the answer came")                \
    X(GAP_E_UNAUTHORIZED, -10014, "the account is signed out (401)")                               \
    X(GAP_E_GZIP, -10015, "packed data does not inflate, or inflates to more than is allowed")     \
    X(GAP_E_BUSY, -10016, "one such operation is already running")                                 \
    X(GAP_E_NOT_FOUND, -10017, "there is no such thing")                                           \
    X(GAP_E_PEM, -10018, "not an RSA public key in PEM form")                                      \
    X(GAP_E_FORKED, -10019, "called in a child process after fork")                                \
    X(GAP_E_HELD, -10020, "another process works with it")                                         \
    X(GAP_E_FOREIGN, -10021, "it is not a file of this library")                                   \
    X(GAP_E_NEWER, -10022, "a newer version of the library wrote it")                              \
    X(GAP_E_ACCOUNT, -10023, "it belongs to another account")                                      \
    X(GAP_E_DAMAGED, -10024, "what is stored can't be read")                                       \
    X(GAP_E_STORAGE, -10025, "nothing could be stored")                                            \
    X(GAP_E_SYNC, -10026, "whether the last change is on disk is not known")

enum {
#define GAP_X(name, value, text) name = (value),
    GAP_ERRORS(GAP_X)
#undef GAP_X
};

/**
 * One line of English for any result of this library, libuv's codes included.
 *
 * @param result  Any int.
 * @return A static string, never NULL, without a newline. Any thread.
 */
GAP_API const char *gap_strerror(int result);

/**
 * The one allocator of a runtime. `realloc_fn(ctx, NULL, n)` allocates, `realloc_fn(ctx, p, 0)`
 * frees and returns NULL, anything else resizes; NULL for n > 0 means out of memory. Called from
 * the loop thread and from the library's worker threads, so it must be thread-safe.
 */
typedef struct gap_alloc {
    void *(*realloc_fn)(void *ctx, void *ptr, size_t size);
    void *ctx;
} gap_alloc_t;

/** The C library's allocator. Any thread. */
GAP_API const gap_alloc_t *gap_alloc_default(void);

/** Severity of a log line. */
typedef enum gap_log_level {
    GAP_LOG_ERROR = 0,
    GAP_LOG_WARN = 1,
    GAP_LOG_INFO = 2,
    GAP_LOG_DEBUG = 3
} gap_log_level_t;

/**
 * Log sink. `text` is borrowed, one line, without a newline; it never holds keys, tokens, phone
 * numbers or message texts. Loop thread.
 */
typedef void (*gap_log_cb)(void *data, gap_log_level_t level, const char *text);

/**
 * An immutable buffer with a reference count: what network bytes live in. Views into it stay valid
 * while a reference is held. Counts are not atomic: loop thread only.
 */
typedef struct gap_packet gap_packet_t;

/**
 * Make a packet to receive bytes into.
 *
 * @param alloc  NULL: gap_alloc_default(). Pinned until the last reference is gone.
 * @param cap    Bytes that it holds.
 * @param out    The packet, with one reference; its bytes are not initialised.
 * @return 0; GAP_E_NOMEM; GAP_E_LIMIT over 1 GiB. Any thread, which becomes the packet's.
 */
GAP_API GAP_NODISCARD int gap_packet_new(const gap_alloc_t *alloc, size_t cap, gap_packet_t **out);
/** Its bytes, to be written as long as nobody else has been given the packet. @param packet Not
 * NULL. Loop thread. */
GAP_API uint8_t *gap_packet_data(gap_packet_t *packet);
/** Add a reference. @param packet Not NULL. @return packet. Loop thread. */
GAP_API gap_packet_t *gap_packet_ref(gap_packet_t *packet);
/** Drop a reference; the last one frees the bytes. @param packet May be NULL. Loop thread. */
GAP_API void gap_packet_unref(gap_packet_t *packet);

#ifdef __cplusplus
}
#endif
#endif
