/*
 * outbox/lines.c - what lines of a note begin with. Quotes are taken line by line:
 *
 *   text, a heading, nothing -> the same | a fence -> code -> a fence
 *
 * and end at a line without a marker, unless that goes on with a paragraph. Owns nothing. Never:
 * looks into a line for marks.
 */
#include "outbox/lines.h"

#include "base/bytes.h"

#include <string.h>

#define QUOTE_INDENT_MAX 3 /* blanks before a marker */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

gap_bytes_t gap_line_take(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *start = *at;
    const uint8_t *stop = memchr(start, '\n', (size_t)(end - start));

    *at = stop == NULL ? end : stop + 1;
    if (stop == NULL) stop = end;
    if (stop > start && stop[-1] == '\r') stop--;
    return gap_bytes(start, (size_t)(stop - start));
}

gap_bytes_t gap_line_trim(gap_bytes_t s)
{
    while (s.len > 0 && is_space(s.data[0])) s = gap_bytes(s.data + 1, s.len - 1);
    while (s.len > 0 && is_space(s.data[s.len - 1])) s.len--;
    return s;
}

uint32_t gap_line_indent(gap_bytes_t line)
{
    uint32_t indent = 0;

    for (size_t i = 0; i < line.len && is_space(line.data[i]); i++)
        indent += line.data[i] == '\t' ? 4 : 1;
    return indent;
}

gap_bytes_t gap_line_value(gap_bytes_t s)
{
    uint8_t quote = s.len > 0 && (s.data[0] == '"' || s.data[0] == '\'') ? s.data[0] : 0;
    const uint8_t *close = quote != 0 ? memchr(s.data + 1, quote, s.len - 1) : NULL;

    if (close != NULL) {
        size_t len = (size_t)(close - s.data);
        gap_bytes_t rest = gap_line_trim(gap_bytes(close + 1, s.len - len - 1));
        if (rest.len == 0 || rest.data[0] == '#') return gap_bytes(s.data + 1, len - 1);
    }
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '#' && (i == 0 || is_space(s.data[i - 1])))
            return gap_line_trim(gap_bytes(s.data, i));
    return s;
}

size_t gap_line_fence(gap_bytes_t line)
{
    size_t run = 0;

    if (line.len == 0 || (line.data[0] != '`' && line.data[0] != '~')) return 0;
    while (run < line.len && line.data[run] == line.data[0]) run++;
    /* Backticks behind it: that is code in a line. */
    bool is_inline = line.data[0] == '`' && memchr(line.data + run, '`', line.len - run) != NULL;
    return run < 3 || is_inline ? 0 : run;
}

bool gap_line_closes(gap_bytes_t line, size_t run, uint8_t c)
{
    size_t closing = gap_line_fence(line);

    return closing >= run && closing == line.len && line.data[0] == c;
}

size_t gap_line_heading(gap_bytes_t line)
{
    size_t level = 0;

    while (level < line.len && line.data[level] == '#') level++;
    return level >= 1 && level <= 6 && level < line.len && is_space(line.data[level]) ? level + 1
                                                                                      : 0;
}

gap_bytes_t gap_line_heading_text(gap_bytes_t line)
{
    size_t from = gap_line_heading(line);
    gap_bytes_t text = gap_line_trim(gap_bytes(line.data + from, line.len - from));
    size_t len = text.len;

    while (len > 0 && text.data[len - 1] == '#') len--;
    bool is_end = len > 0 && len < text.len && is_space(text.data[len - 1]);
    return is_end ? gap_line_trim(gap_bytes(text.data, len)) : text;
}

bool gap_line_is_item(gap_bytes_t line)
{
    return line.len > 2 && (line.data[0] == '-' || line.data[0] == '*' || line.data[0] == '+') &&
           (line.data[1] == ' ' || line.data[1] == '\t');
}

bool gap_line_stands_alone(gap_bytes_t line)
{
    return line.len == 0 || gap_line_fence(line) > 0 || gap_line_heading(line) > 0 ||
           gap_line_is_item(line);
}

/* --- quotes -------------------------------------------------------------------------------- */

/* Bytes of the marker in front of a line, with the blank behind it; 0: there is none. */
static size_t marker_of(const uint8_t *p, const uint8_t *end)
{
    size_t len = 0;

    while (p + len < end && p[len] == ' ' && len < QUOTE_INDENT_MAX) len++;
    if (p + len == end || p[len] != '>') return 0;
    len++;
    return p + len < end && (p[len] == ' ' || p[len] == '\t') ? len + 1 : len;
}

bool gap_line_is_quoted(gap_bytes_t line)
{
    return marker_of(line.data, line.data + line.len) > 0;
}

int gap_quote_take(const uint8_t **at, const uint8_t *end, gap_buf_t *out)
{
    uint32_t most = UINT32_MAX; /* markers that go: in code as many as its fence has */
    bool is_open = false;       /* a paragraph that may go on */
    size_t run = 0;             /* of the fence; 0: it is no code */
    uint8_t fence = 0;
    int result = 0;

    while (*at < end && result == 0) {
        const uint8_t *next = *at;
        gap_bytes_t line = gap_line_take(&next, end);
        const uint8_t *stop = next > *at && next[-1] == '\n' ? next - 1 : next;
        const uint8_t *from = *at;
        uint32_t depth = 0;
        for (size_t len; depth < most && (len = marker_of(from, stop)) > 0; depth++) from += len;
        gap_bytes_t text = gap_line_trim(gap_bytes(from, line.len - (size_t)(from - line.data)));
        if (depth == 0 && (!is_open || gap_line_stands_alone(text))) break;
        if (run > 0) {
            if (gap_line_closes(text, run, fence)) {
                run = 0;
                most = UINT32_MAX;
            }
        } else if ((run = gap_line_fence(text)) > 0) {
            fence = text.data[0];
            most = depth;
            is_open = false;
        } else {
            is_open = text.len > 0 && gap_line_heading(text) == 0;
        }
        result = gap_buf_append(out, from, (size_t)(stop - from));
        if (result == 0) result = gap_buf_append(out, "\n", 1);
        *at = next;
    }
    return result;
}
