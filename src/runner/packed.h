/*
 * runner/packed.h - an update as the journal keeps it: its bytes with the users and chats that came
 * along, or those that it names if these are many, and what the engine found out about it.
 *
 *   "GU" version:u8 0:u8 | layer:u32
 *   id:u32 pts:i32 pts_count:i32 item_flags:u16 box:u8 via:u8 channel_id:i64
 *   update:u32 users:u32 users_count:u32 chats:u32 chats_count:u32 (lengths) before:i32
 *   the bytes of the three | check:u32, a hash of all before
 *
 * Little-endian. What is read comes from a disk: it is checked like bytes from the network.
 */
#ifndef GAP_RUNNER_PACKED_H
#define GAP_RUNNER_PACKED_H

#include "sequence/update.h"

#define GAP_PACKED_VERSION 1
/** Bytes in front of the update, and behind the chats. */
#define GAP_PACKED_HEAD_BYTES 56
#define GAP_PACKED_TAIL_BYTES 4
/** Bytes of the largest row. */
#define GAP_PACKED_MAX_BYTES (UINT32_C(16) << 20)

/** Bytes of users and chats up to which all of them are kept; of more only those that the update
 * names. */
#define GAP_PACKED_COMPANY_BYTES 2048

/** Why a row can't be read. */
enum gap_packed_fault {
    GAP_PACKED_GOOD = 0,
    GAP_PACKED_DAMAGED, /* its bytes were changed, or are none of ours */
    GAP_PACKED_NEWER,   /* a newer version of the library wrote it */
    GAP_PACKED_LAYER    /* it is of another layer of the API, and means nothing in this one */
};

/** Bytes that gap_packed_write takes; 0: more than GAP_PACKED_MAX_BYTES. */
size_t gap_packed_size(const gap_update_t *update);
/** @param before  Position of its sequence before it (struct gap_place).
 * @param out gap_packed_size() bytes. */
void gap_packed_write(const gap_update_t *update, int32_t before, uint8_t *out);
/**
 * @param row  Pinned while @p out is in use.
 * @param out  Set on 0 but for owner and account (NULL); via is GAP_VIA_JOURNAL, and maybe_repeated
 *             is set.
 * @return 0, or an enum gap_packed_fault; nothing in @p row is believed before it has been checked,
 *         the TL objects included.
 */
GAP_NODISCARD enum gap_packed_fault gap_packed_read(gap_bytes_t row, gap_update_t *out);
/** As it was written. @param row One that gap_packed_read has found good. */
int32_t gap_packed_before(gap_bytes_t row);
/** Words for people. */
const char *gap_packed_reason(enum gap_packed_fault fault);

#endif
