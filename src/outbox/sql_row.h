/* outbox/sql_row.h - rows as structs; functions that say "code" as in sql_schema.h. */
#ifndef GAP_OUTBOX_SQL_ROW_H
#define GAP_OUTBOX_SQL_ROW_H

#include "outbox/sql_schema.h"

/** Longest payload that is read; of a longer one there is none. */
#define GAP_OUTBOX_PAYLOAD_MAX "1048576"
/** Is a chat's entry for parking? The account's is for bulk. */
#define GAP_OUTBOX_JOIN_CHAT                                                                       \
    " LEFT JOIN main.gapless_outbox_chat AS c ON c.chat = o.chat AND c.chat <> 0 "
#define GAP_OUTBOX_JOIN_POST " LEFT JOIN main.gapless_outbox_post AS p ON p.post = o.post "

/** Of main.gapless_outbox AS o and GAP_OUTBOX_JOIN_CHAT. */
#define GAP_OUTBOX_HEAD_COLUMNS                                                                    \
    " o.row, o.chat, o.kind, o.class, o.state, o.not_before, o.random_id, o.target, c.parked,"     \
    " CASE WHEN o.kind = 9 AND length(o.payload) <= " GAP_OUTBOX_PAYLOAD_MAX                       \
    " THEN o.payload END "
/** The row that a statement of these columns stands on. Numbers that are none are 0. */
void gap_head_read(sqlite3_stmt *stmt, struct gap_head *out);
/** One head by a statement with one parameter. out->row is 0 if there is none. @return a code. */
GAP_NODISCARD int gap_head_by(sqlite3_stmt *stmt, int64_t number, struct gap_head *out);
/** The oldest row of chat ?1. Rows whose number is none count as such whose chat is none. */
#define GAP_OUTBOX_HEAD_SQL                                                                        \
    "SELECT" GAP_OUTBOX_HEAD_COLUMNS                                                               \
    "FROM main.gapless_outbox AS o INDEXED BY gapless_outbox_waits" GAP_OUTBOX_JOIN_CHAT           \
    "WHERE o.chat = ?1 AND o.row > 0 AND" GAP_OUTBOX_WAITS "ORDER BY o.row LIMIT 1"

/** Of main.gapless_outbox AS o and GAP_OUTBOX_JOIN_POST; the payload may follow as
 * GAP_ROW_PAYLOAD. */
#define GAP_OUTBOX_ROW_COLUMNS                                                                     \
    " o.row, o.version, o.kind, o.class, o.state, o.chat, o.random_id, o.target, o.target_row,"    \
    " o.attempts, o.not_before, o.deadline, o.flags, o.message_id, o.error, o.done, o.post,"       \
    " o.reason, o.key, p.key, o.hash "
#define GAP_OUTBOX_ROW_PAYLOAD                                                                     \
    ", CASE WHEN length(o.payload) <= " GAP_OUTBOX_PAYLOAD_MAX " THEN o.payload END "
enum { GAP_ROW_FLAGS = 12, GAP_ROW_PAYLOAD = 21, GAP_ROW_COLUMNS = 22 };

/**
 * The row that a statement of these columns stands on, in memory of its own.
 * @param payload  There is that column, too.
 * @param error    0, or why nobody who keeps to the rules can have written this row, and @p reason
 *                 says that for people. What could be read is in @p out all the same.
 * @return 0; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_row_read(sqlite3_stmt *stmt, const gap_alloc_t *alloc, bool payload,
                               struct gap_row *out, int *error, char *reason, size_t reason_size);
/** Make another payload and hash its own. @return 0; GAP_E_NOMEM. */
GAP_NODISCARD int gap_row_carry(struct gap_row *row, gap_bytes_t payload, gap_bytes_t hash);

#endif
