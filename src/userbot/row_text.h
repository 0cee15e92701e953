/*
 * userbot/row_text.h - rows of an outbox, for people and for programs.
 */
#ifndef GAP_USERBOT_ROW_TEXT_H
#define GAP_USERBOT_ROW_TEXT_H

#include <gapless/outbox.h>
#include <stdio.h>

/** Room for a chat. */
#define ROW_CHAT_MAX 40

/** "ready" to "cancelled"; "?" for what this program does not know. */
const char *row_state(gap_outbox_state_t state);
/** "send" to "post". */
const char *row_kind(gap_outbox_kind_t kind);
/** "channel:5", as in the ledger and --out; "-" for none. */
const char *row_chat(gap_peer_t chat, char out[ROW_CHAT_MAX]);
/** `{"event":"row",...` without the brace at its end. */
void row_put_json(FILE *out, const gap_outbox_row_t *row);

#endif
