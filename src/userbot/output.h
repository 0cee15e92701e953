/*
 * userbot/output.h - a delivered update as one JSON line with the fields of the ledger.
 */
#ifndef GAP_USERBOT_OUTPUT_H
#define GAP_USERBOT_OUTPUT_H

#include <gapless/update.h>
#include <stdio.h>

/**
 * Write one update as a line, newline included. Kinds that the ledger does not know are written
 * with the constructor's name as their kind.
 *
 * @param out      Where to; the caller flushes.
 * @param update   Borrowed.
 * @param account  The account's id.
 * @param t_us     Wall clock when it was handled.
 * @return 0; GAP_E_TL and its like the update does not read; -EIO the stream failed.
 */
GAP_NODISCARD int output_update(FILE *out, const gap_update_t *update, int64_t account,
                                int64_t t_us);

#endif
