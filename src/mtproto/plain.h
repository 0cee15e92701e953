/*
 * mtproto/plain.h - unencrypted messages, which carry the key exchange and nothing else:
 * auth_key_id = 0, msg_id, length, body. (core.telegram.org/mtproto/description)
 */
#ifndef GAP_MTPROTO_PLAIN_H
#define GAP_MTPROTO_PLAIN_H

#include <gapless/base.h>

/** Bytes in front of the body. */
#define GAP_PLAIN_HEAD_BYTES 20

/** Write what goes in front of a body. */
void gap_plain_head(int64_t msg_id, size_t body_len, uint8_t out[GAP_PLAIN_HEAD_BYTES]);

/**
 * Take an unencrypted message apart. Random bytes may follow the object inside the body, and
 * transport padding may follow the body.
 * @param body  A view into @p packet.
 * @return 0; GAP_E_PROTOCOL too short, encrypted, or of an impossible length.
 */
GAP_NODISCARD int gap_plain_open(gap_bytes_t packet, int64_t *msg_id, gap_bytes_t *body);

#endif
