/*
 * userbot/json.c - reads and writes flat JSON lines. Owns nothing: members are views of the line.
 * Never trusts the line: anything unexpected is "malformed".
 */
#include "userbot/json.h"

#include <string.h>

json_line_t json_line(const char *text, size_t len)
{
    json_line_t line = {text, text + len, false};
    return line;
}

static void skip_space(json_line_t *l)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t')) l->at++;
}

static bool take(json_line_t *l, char c)
{
    skip_space(l);
    if (l->at >= l->end || *l->at != c) return false;
    l->at++;
    return true;
}

static bool take_string(json_line_t *l, gap_bytes_t *out)
{
    if (!take(l, '"')) return false;
    const char *start = l->at;
    while (l->at < l->end && *l->at != '"') l->at += *l->at == '\\' ? 2 : 1;
    if (l->at >= l->end) return false;
    out->data = (const uint8_t *)start;
    out->len = (size_t)(l->at - start);
    l->at++;
    return true;
}

static bool take_raw(json_line_t *l, gap_bytes_t *out)
{
    skip_space(l);
    const char *start = l->at;
    int depth = 0;
    while (l->at < l->end) {
        char c = *l->at;
        if (c == '[' || c == '{') depth++;
        if (depth == 0 && (c == ',' || c == '}')) break;
        if (c == ']' || c == '}') depth--;
        l->at++;
    }
    out->data = (const uint8_t *)start;
    out->len = (size_t)(l->at - start);
    return out->len > 0 && l->at < l->end;
}

int json_next(json_line_t *l, json_member_t *out)
{
    if (!l->started) {
        if (!take(l, '{')) return -1;
        l->started = true;
        if (take(l, '}')) return 0;
    } else if (!take(l, ',')) {
        return take(l, '}') ? 0 : -1;
    }
    if (!take_string(l, &out->key) || !take(l, ':')) return -1;
    skip_space(l);
    out->is_string = l->at < l->end && *l->at == '"';
    if (out->is_string) return take_string(l, &out->value) ? 1 : -1;
    return take_raw(l, &out->value) ? 1 : -1;
}

bool json_key_is(const json_member_t *m, const char *key)
{
    return m->key.len == strlen(key) && memcmp(m->key.data, key, m->key.len) == 0;
}

static const uint8_t *number(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    bool negative = p < end && *p == '-';
    int64_t v = 0;

    if (negative) p++;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v)) v = 0;
    }
    *out = negative ? -v : v;
    return p;
}

int64_t json_number(const json_member_t *m)
{
    int64_t v;
    (void)number(m->value.data, m->value.data + m->value.len, &v);
    return v;
}

void json_numbers(const json_member_t *m, void (*each)(void *arg, int64_t number), void *arg)
{
    const uint8_t *p = m->value.data;
    const uint8_t *end = p + m->value.len;

    while (p < end) {
        if (*p == '-' || (*p >= '0' && *p <= '9')) {
            int64_t v;
            p = number(p, end, &v);
            each(arg, v);
        } else {
            p++;
        }
    }
}

/* Four hex digits; -1 if they are not. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
    int32_t v = 0;

    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        v = v * 16 + digit;
    }
    return v;
}

static uint8_t *put_utf8(uint8_t *out, int32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xc0 | (c >> 6));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (uint8_t)(0xe0 | (c >> 12));
        *out++ = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | (c >> 18));
        *out++ = (uint8_t)(0x80 | ((c >> 12) & 0x3f));
        *out++ = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return out;
}

/* One \uXXXX, or a pair of them; @p p is behind the 'u'. */
static const uint8_t *unescape_unicode(const uint8_t *p, const uint8_t *end, uint8_t **out)
{
    int32_t c = hex4(p, end);

    if (c < 0) return p;
    p += 4;
    if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        int32_t low = hex4(p + 2, end);
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
    }
    *out = put_utf8(*out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    return p;
}

size_t json_unescape(gap_bytes_t raw, uint8_t *out)
{
    static const char names[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    const uint8_t *p = raw.data;
    const uint8_t *end = p + raw.len;
    uint8_t *start = out;

    while (p < end) {
        if (*p != '\\' || p + 1 == end) {
            *out++ = *p++;
            continue;
        }
        const char *name = strchr(names, p[1]);
        p += 2;
        if (p[-1] == 'u') {
            p = unescape_unicode(p, end, &out);
        } else {
            *out++ = name != NULL && p[-1] != 0 ? (uint8_t)values[name - names] : p[-1];
        }
    }
    return (size_t)(out - start);
}

void json_put_string(FILE *out, gap_bytes_t text)
{
    (void)fputc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\') {
            (void)fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            (void)fprintf(out, "\\u%04x", c);
        } else {
            (void)fputc(c, out);
        }
    }
    (void)fputc('"', out);
}
