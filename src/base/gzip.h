/*
 * base/gzip.h - inflating what a peer packed and packing what we send (gzip_packed). The zlib
 * state is kept and reset: making one costs more than inflating a small object.
 */
#ifndef GAP_BASE_GZIP_H
#define GAP_BASE_GZIP_H

#include <gapless/base.h>
#include <zlib.h>

/** Most that one packed object may inflate to, bytes. */
#define GAP_INFLATE_MAX_BYTES ((size_t)64 << 20)
/** gap_deflate: packing would not make it smaller. */
#define GAP_DEFLATE_LARGER 1

typedef struct gap_gzip {
    const gap_alloc_t *alloc;
    z_stream inflate;
    z_stream deflate;
    bool inflate_ready; /* made on first use */
    bool deflate_ready;
} gap_gzip_t;

void gap_gzip_init(gap_gzip_t *z, const gap_alloc_t *alloc);
/** Free the zlib states; safe twice. */
void gap_gzip_fini(gap_gzip_t *z);

/**
 * Inflate one gzip or zlib stream into a packet of its own. Memory grows with what comes out, never
 * with what the input claims. Bytes behind the end of the stream are ignored.
 *
 * @param max  At most so many bytes may come out (GAP_INFLATE_MAX_BYTES).
 * @param out  A packet of one reference; len is the inflated length.
 * @return 0; GAP_E_GZIP malformed, truncated, or more than @p max bytes; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_inflate(gap_gzip_t *z, gap_bytes_t in, size_t max, gap_packet_t **out);

/**
 * Pack @p in as a gzip stream.
 *
 * @param out   Room for @p cap bytes.
 * @param len   Bytes written.
 * @return 0; GAP_DEFLATE_LARGER it would be no shorter than @p in or not fit @p cap (contents of
 *         @p out undefined); GAP_E_NOMEM; GAP_E_LIMIT @p in has more than 1 GiB.
 */
GAP_NODISCARD int gap_deflate(gap_gzip_t *z, gap_bytes_t in, uint8_t *out, size_t cap, size_t *len);

#endif
