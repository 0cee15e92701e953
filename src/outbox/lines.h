/*
 * outbox/lines.h - what a line of a note begins with, and which lines are one quote. Used by the
 * reader of markdown.h alone.
 *
 * Pure. Nothing is owned: lines are views.
 */
#ifndef GAP_OUTBOX_LINES_H
#define GAP_OUTBOX_LINES_H

#include "base/buf.h"

/** The line at @p at, without its end; @p at goes behind it. */
gap_bytes_t gap_line_take(const uint8_t **at, const uint8_t *end);
/** Without blanks around it. */
gap_bytes_t gap_line_trim(gap_bytes_t s);
/** Blanks before it; a tab is four. */
uint32_t gap_line_indent(gap_bytes_t line);

/* These want a line that was trimmed. */

/** A value of front matter without its quotes, or without a comment behind it. */
gap_bytes_t gap_line_value(gap_bytes_t s);
/** A run of at least three backticks or tildes. @return how many, 0: it is no fence. */
size_t gap_line_fence(gap_bytes_t line);
/** Does this fence close code that was opened with so many of this character? */
bool gap_line_closes(gap_bytes_t line, size_t run, uint8_t c);
/** # to ###### and a blank. @return bytes before the text; 0: it is no heading. */
size_t gap_line_heading(gap_bytes_t line);
/** The text of a heading, without what ends it: blank and ##. */
gap_bytes_t gap_line_heading_text(gap_bytes_t line);
bool gap_line_is_item(gap_bytes_t line);
/** Does it begin something of its own, or is it empty? */
bool gap_line_stands_alone(gap_bytes_t line);

/** Does a line that was not trimmed belong to a quote: up to three blanks and a >? */
bool gap_line_is_quoted(gap_bytes_t line);
/**
 * Take the lines of a quote, and append them without their markers, however many they have: one \n
 * behind each, otherwise each ends as it does in the source. Lines without a marker belong to it as
 * long as they go on with a paragraph; code keeps markers that its fence hasn't.
 *
 * @param at  A line that gap_line_is_quoted(); goes behind the quote.
 * @return 0; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_quote_take(const uint8_t **at, const uint8_t *end, gap_buf_t *out);

#endif
