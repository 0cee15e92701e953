/*
 * userbot/text.h - texts that others wrote, made fit for a terminal.
 */
#ifndef GAP_USERBOT_TEXT_H
#define GAP_USERBOT_TEXT_H

#include <gapless/base.h>

/**
 * Copy UTF-8 with control characters and what is no UTF-8 replaced by "?", cut to @p columns
 * characters and to what fits.
 *
 * @param cap  Bytes at @p out, the final 0 included; at least 1.
 * @return the characters written.
 */
size_t text_printable(gap_bytes_t text, size_t columns, char *out, size_t cap);

#endif
