/*
 * crypto/message1.h - messages of MTProto 1.0 towards the server, which live on in one place only:
 * the proof by which a temporary key is bound to a permanent one.
 * (core.telegram.org/mtproto/description_v1, core.telegram.org/method/auth.bindTempAuthKey)
 */
#ifndef GAP_CRYPTO_MESSAGE1_H
#define GAP_CRYPTO_MESSAGE1_H

#include "crypto/auth_key.h"
#include "crypto/message.h"

/** auth_key_id and msg_key in front of the ciphertext. */
#define GAP_MESSAGE1_ENVELOPE_BYTES 24
/** 16 bytes (random ones here), msg_id, seqno, length. */
#define GAP_MESSAGE1_HEAD_BYTES 32

/** Cipher key and iv. @return 0; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_message1_derive(gap_crypto_t *c, const gap_auth_key_t *key,
                                      gap_direction_t direction, const uint8_t msg_key[16],
                                      uint8_t aes_key[32], uint8_t aes_iv[32]);
/** msg_key of a plaintext without its padding. @return 0; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_message1_key(gap_crypto_t *c, gap_bytes_t plain, uint8_t msg_key[16]);

/**
 * Open a packet to the server. Checked: length, auth_key_id, msg_key, the declared length and 0 to
 * 15 bytes of padding.
 *
 * @param packet  Borrowed.
 * @param plain   packet.len - GAP_MESSAGE1_ENVELOPE_BYTES bytes of room; wiped if refused.
 * @param out     msg_id, seqno and the body, a view into @p plain; salt and session_id are 0.
 * @return 0; GAP_E_CRYPTO refused; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_message1_open(gap_crypto_t *c, const gap_auth_key_t *key, gap_bytes_t packet,
                                    uint8_t *plain, gap_plaintext_t *out);

#endif
