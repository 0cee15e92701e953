/* base/packet.h - the reference-counted buffer behind gap_packet_t. */
#ifndef GAP_BASE_PACKET_H
#define GAP_BASE_PACKET_H

#include <gapless/base.h>

struct gap_packet {
    const gap_alloc_t *alloc;
    uint32_t refs;
    uint32_t cap; /* bytes of data */
    uint32_t len; /* bytes in use */
    uint8_t data[];
};

/** A packet that holds a copy of @p bytes. @return 0, GAP_E_NOMEM, GAP_E_LIMIT. */
GAP_NODISCARD int gap_packet_copy(const gap_alloc_t *alloc, gap_bytes_t bytes, gap_packet_t **out);

#endif
