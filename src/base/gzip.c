/*
 * base/gzip.c - zlib behind the runtime's allocator.
 *
 * Owns one inflate and one deflate state, made on first use and reset from then on. Never inflates
 * what came out once more: nesting is for the caller to refuse.
 */
#include "base/gzip.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/packet.h"

#define WINDOW_BITS  15
#define WRITE_GZIP   16
#define READ_ANY     32 /* gzip or zlib, told by the header */
#define INPUT_MAX    ((size_t)1 << 30)
#define FIRST_CAP    1024 /* bytes; the first guess is four times the input, at least this */
#define GROWTH_FIRST 4

static voidpf z_alloc(voidpf arg, uInt items, uInt size)
{
    return gap_calloc(arg, items, size);
}

static void z_free(voidpf arg, voidpf ptr)
{
    gap_free(arg, ptr);
}

static void bind(gap_gzip_t *z, z_stream *s)
{
    union {
        const gap_alloc_t *in;
        void *out;
    } alloc = {.in = z->alloc};

    memset(s, 0, sizeof *s);
    s->zalloc = z_alloc;
    s->zfree = z_free;
    s->opaque = alloc.out;
}

void gap_gzip_init(gap_gzip_t *z, const gap_alloc_t *alloc)
{
    memset(z, 0, sizeof *z);
    z->alloc = alloc;
}

void gap_gzip_fini(gap_gzip_t *z)
{
    if (z->inflate_ready) (void)inflateEnd(&z->inflate);
    if (z->deflate_ready) (void)deflateEnd(&z->deflate);
    z->inflate_ready = z->deflate_ready = false;
}

static int ready_to_inflate(gap_gzip_t *z)
{
    if (z->inflate_ready) return inflateReset(&z->inflate) == Z_OK ? 0 : GAP_E_GZIP;
    bind(z, &z->inflate);
    if (inflateInit2(&z->inflate, WINDOW_BITS + READ_ANY) != Z_OK) return GAP_E_NOMEM;
    z->inflate_ready = true;
    return 0;
}

/* Twice the room, at most @p max and one byte more: that byte tells "full" from "too much". */
static int grow(const gap_alloc_t *alloc, gap_packet_t **packet, size_t max)
{
    size_t cap = (size_t)(*packet)->cap * 2;

    if (cap > max + 1) cap = max + 1;
    gap_packet_t *p = gap_realloc(alloc, *packet, sizeof *p + cap);
    if (p == NULL) return GAP_E_NOMEM;
    p->cap = (uint32_t)cap;
    *packet = p;
    return 0;
}

static int run_inflate(gap_gzip_t *z, size_t max, gap_packet_t **packet)
{
    z_stream *s = &z->inflate;

    for (;;) {
        gap_packet_t *p = *packet;
        s->next_out = p->data + p->len;
        s->avail_out = p->cap - p->len;
        int status = inflate(s, Z_NO_FLUSH);
        p->len = p->cap - s->avail_out;
        if (p->len > max) return GAP_E_GZIP;
        if (status == Z_STREAM_END) return 0;
        if (status == Z_MEM_ERROR) return GAP_E_NOMEM;
        if (status != Z_OK && status != Z_BUF_ERROR) return GAP_E_GZIP;
        if (s->avail_out > 0) return GAP_E_GZIP; /* wants input, and there is none: truncated */
        int r = grow(z->alloc, packet, max);
        if (r < 0) return r;
    }
}

int gap_inflate(gap_gzip_t *z, gap_bytes_t in, size_t max, gap_packet_t **out)
{
    gap_packet_t *packet = NULL;

    if (in.len == 0 || in.len > INPUT_MAX) return GAP_E_GZIP;
    if (max > INPUT_MAX) max = INPUT_MAX;
    int r = ready_to_inflate(z);
    if (r < 0) return r;
    size_t cap = in.len * GROWTH_FIRST < FIRST_CAP ? FIRST_CAP : in.len * GROWTH_FIRST;
    if (cap > max + 1) cap = max + 1;
    r = gap_packet_new(z->alloc, cap, &packet);
    if (r < 0) return r;
    union {
        const uint8_t *in;
        uint8_t *out;
    } input = {.in = in.data};
    z->inflate.next_in = input.out;
    z->inflate.avail_in = (uInt)in.len;
    r = run_inflate(z, max, &packet);
    z->inflate.next_in = z->inflate.next_out = NULL;
    if (r < 0) {
        gap_packet_unref(packet);
        return r;
    }
    *out = packet;
    return 0;
}

static int ready_to_deflate(gap_gzip_t *z)
{
    if (z->deflate_ready) return deflateReset(&z->deflate) == Z_OK ? 0 : GAP_E_GZIP;
    bind(z, &z->deflate);
    if (deflateInit2(&z->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS + WRITE_GZIP, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return GAP_E_NOMEM;
    z->deflate_ready = true;
    return 0;
}

int gap_deflate(gap_gzip_t *z, gap_bytes_t in, uint8_t *out, size_t cap, size_t *len)
{
    if (in.len > INPUT_MAX) return GAP_E_LIMIT;
    if (in.len == 0) return GAP_DEFLATE_LARGER;
    if (cap >= in.len) cap = in.len - 1;
    if (cap == 0) return GAP_DEFLATE_LARGER;
    int r = ready_to_deflate(z);
    if (r < 0) return r;
    union {
        const uint8_t *in;
        uint8_t *out;
    } input = {.in = in.data};
    z->deflate.next_in = input.out;
    z->deflate.avail_in = (uInt)in.len;
    z->deflate.next_out = out;
    z->deflate.avail_out = (uInt)cap;
    int status = deflate(&z->deflate, Z_FINISH);
    *len = cap - z->deflate.avail_out;
    z->deflate.next_in = z->deflate.next_out = NULL;
    return status == Z_STREAM_END ? 0 : GAP_DEFLATE_LARGER;
}
