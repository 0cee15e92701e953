/*
 * base/packet.c - reference counting of network buffers. Counts are plain integers: packets live
 * on the loop thread; a worker gets a view and the loop keeps the reference meanwhile.
 */
#include "base/packet.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define PACKET_CAP_MAX ((size_t)1 << 30)

int gap_packet_new(const gap_alloc_t *alloc, size_t cap, gap_packet_t **out)
{
    if (cap > PACKET_CAP_MAX) return GAP_E_LIMIT;
    if (alloc == NULL) alloc = gap_alloc_default();
    gap_packet_t *p = gap_malloc(alloc, sizeof *p + cap);
    if (p == NULL) return GAP_E_NOMEM;
    p->alloc = alloc;
    p->refs = 1;
    p->cap = (uint32_t)cap;
    p->len = 0;
    *out = p;
    return 0;
}

uint8_t *gap_packet_data(gap_packet_t *packet)
{
    return packet->data;
}

int gap_packet_copy(const gap_alloc_t *alloc, gap_bytes_t bytes, gap_packet_t **out)
{
    gap_packet_t *p;
    int r = gap_packet_new(alloc, bytes.len, &p);
    if (r < 0) return r;
    if (bytes.len > 0) memcpy(p->data, bytes.data, bytes.len);
    p->len = (uint32_t)bytes.len;
    *out = p;
    return 0;
}

gap_packet_t *gap_packet_ref(gap_packet_t *packet)
{
    GAP_ASSERT(packet->refs > 0);
    packet->refs++;
    return packet;
}

void gap_packet_unref(gap_packet_t *packet)
{
    if (packet == NULL) return;
    GAP_ASSERT(packet->refs > 0);
    if (--packet->refs == 0) gap_free(packet->alloc, packet);
}
