/* mtproto/plain.c - the envelope of unencrypted messages. Owns nothing. */
#include "mtproto/plain.h"

#include "base/bytes.h"

void gap_plain_head(int64_t msg_id, size_t body_len, uint8_t out[GAP_PLAIN_HEAD_BYTES])
{
    gap_store64(out, 0);
    gap_store64(out + 8, (uint64_t)msg_id);
    gap_store32(out + 16, (uint32_t)body_len);
}

int gap_plain_open(gap_bytes_t packet, int64_t *msg_id, gap_bytes_t *body)
{
    if (packet.len < GAP_PLAIN_HEAD_BYTES || gap_load64(packet.data) != 0) return GAP_E_PROTOCOL;
    uint32_t len = gap_load32(packet.data + 16);
    if (len < 4 || len % 4 != 0 || len > packet.len - GAP_PLAIN_HEAD_BYTES) return GAP_E_PROTOCOL;
    *msg_id = (int64_t)gap_load64(packet.data + 8);
    *body = gap_bytes(packet.data + GAP_PLAIN_HEAD_BYTES, len);
    return 0;
}
