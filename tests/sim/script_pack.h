/*
 * tests/sim/script_pack.h - makes bytes of updates that are given by their numbers: containers,
 * short forms, results, differences. A pack is filled, then written out, which empties it.
 */
#ifndef GAP_TESTS_SIM_SCRIPT_PACK_H
#define GAP_TESTS_SIM_SCRIPT_PACK_H

#include "base/buf.h"
#include "script_read.h"

/** Whose world it is: where ids and hashes come from. */
typedef struct sim_names {
    const dc_model_t *model;
    int64_t account;
    int64_t date; /* unix time now */
} sim_names_t;

/** Elements of a vector, serialised. */
typedef struct sim_part {
    gap_buf_t bytes;
    uint32_t count;
} sim_part_t;

typedef struct sim_pack {
    sim_names_t names;
    sim_part_t updates;
    sim_part_t messages;
    sim_part_t encrypted;
    sim_part_t users;
    sim_part_t chats;
} sim_pack_t;

void sim_pack_init(sim_pack_t *p, const gap_alloc_t *alloc);
void sim_pack_fini(sim_pack_t *p);

/** The id of a chat, as the model has it or would have it. */
int64_t sim_chat_id(const sim_names_t *names, dc_peer_type_t type, uint32_t index);
/** pts, count and id of an update as it was given, or as they are without being given. */
void sim_raw_numbers(const sim_names_t *names, const sim_raw_t *raw, int32_t *pts, int32_t *count,
                     int32_t *id);

/* Each of these returns 0; GAP_E_NOMEM; GAP_E_TL what was given can't be written (a bug). */

/** Add an update. @param is_difference A new message is one of the difference's messages. */
GAP_NODISCARD int sim_pack_raw(sim_pack_t *p, const sim_raw_t *raw, bool is_difference);
/** Add what an Updates object holds. */
GAP_NODISCARD int sim_pack_object(sim_pack_t *p, gap_bytes_t updates);
/** `updates`, or updatesCombined if seq_start differs from seq. Appended to @p out. */
GAP_NODISCARD int sim_pack_updates(sim_pack_t *p, int32_t seq_start, int32_t seq, gap_buf_t *out);
/** The whole object that one raw line is: short forms, results and garbage included. */
GAP_NODISCARD int sim_pack_line(sim_pack_t *p, const sim_raw_t *raw, gap_buf_t *out);
/** The call whose result this is. */
GAP_NODISCARD int sim_pack_query(const sim_pack_t *p, const sim_raw_t *raw, gap_buf_t *out);
/** An answer by hand. @param channel Asked about; 0: the account. @param asked_pts From where.
 * @param seq The server's. */
GAP_NODISCARD int sim_pack_answer(sim_pack_t *p, const sim_with_t *with, const sim_raw_t *raws,
                                  int64_t channel, int32_t seq, gap_buf_t *out);

#endif
