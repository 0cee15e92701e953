/*
 * userbot/json.h - one-line flat JSON objects: the ledger's lines and the userbot's own. Values are
 * numbers, strings, booleans, null and arrays of numbers; that is all either of them holds.
 */
#ifndef GAP_USERBOT_JSON_H
#define GAP_USERBOT_JSON_H

#include <gapless/base.h>
#include <stdio.h>

/** One member of a line; views point into the line. */
typedef struct json_member {
    gap_bytes_t key;
    gap_bytes_t value; /* raw text; a string's without its quotes, escapes still in */
    bool is_string;
} json_member_t;

/** Position in a line. */
typedef struct json_line {
    const char *at;
    const char *end;
    bool started;
} json_line_t;

json_line_t json_line(const char *text, size_t len);
/** @return 1 with *out set; 0 at the closing brace; -1 malformed. */
GAP_NODISCARD int json_next(json_line_t *line, json_member_t *out);
bool json_key_is(const json_member_t *m, const char *key);
/** The value as a number; 0 for null, anything else and overflow. */
int64_t json_number(const json_member_t *m);
/** Call @p each for every number of an array value. */
void json_numbers(const json_member_t *m, void (*each)(void *arg, int64_t number), void *arg);
/**
 * Undo the escapes of a string's raw text. Lone surrogates become U+FFFD.
 * @param out  raw.len bytes of room. @return bytes written.
 */
size_t json_unescape(gap_bytes_t raw, uint8_t *out);
/** Write a string with quotes and escapes. */
void json_put_string(FILE *out, gap_bytes_t text);

#endif
