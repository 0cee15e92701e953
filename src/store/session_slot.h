/*
 * store/session_slot.h - the bytes of a session file, read and written without a file: its header,
 * and a slot. Whatever is read may come from anybody.
 *
 *   header, 64 bytes:  "Gapless-session\n" (a small g until the first save is through)
 *                      u32 version, then zeroes
 *   slot, 16 KiB:      SHA-256 over the rest of the slot, u64 generation, u32 length, what was
 *                      saved, zeroes
 *
 * Numbers are little-endian.
 */
#ifndef GAP_STORE_SESSION_SLOT_H
#define GAP_STORE_SESSION_SLOT_H

#include "store/session_file.h"

#define GAP_SESSION_HEADER_BYTES   64
#define GAP_SESSION_VERSION        1
#define GAP_SESSION_GENERATION_MAX (UINT64_MAX / 2)

/** @param made Is the first save through? Then a file without a whole slot is damaged. */
void gap_session_header_write(bool made, uint8_t out[GAP_SESSION_HEADER_BYTES]);

/** Conditions of gap_session_header_read and gap_session_slot_read. */
enum {
    GAP_SESSION_BLANK = 1,    /* nothing was ever saved: empty, or creating it was cut short */
    GAP_SESSION_NOT_WHOLE = 2 /* a slot that is torn, damaged or was never written */
};

/**
 * @param bytes  The beginning of the file, @p len bytes of it: the header or, if the file is
 *               shorter, all of it. Borrowed.
 * @param size   Of the file.
 * @param made   As written.
 * @return 0; GAP_SESSION_BLANK; GAP_E_FOREIGN; GAP_E_NEWER; GAP_E_DAMAGED the rest is missing.
 */
GAP_NODISCARD int gap_session_header_read(const uint8_t *bytes, size_t len, uint64_t size,
                                          bool *made);

/**
 * @param data  Borrowed; within the limits of session_file.h, each data centre once.
 * @param out   Secret. On failure wiped.
 * @return 0, GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_session_slot_write(const struct gap_session_data *data, uint64_t generation,
                                         uint8_t out[GAP_SESSION_SLOT_BYTES]);

/**
 * @param slot  Borrowed; less than GAP_SESSION_SLOT_BYTES are not whole.
 * @param data  Secret; on anything but 0 without meaning.
 * @return 0; GAP_SESSION_NOT_WHOLE; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_session_slot_read(const uint8_t *slot, size_t len, uint64_t *generation,
                                        struct gap_session_data *data);

#endif
