/*
 * tl/print.c - objects as one line of JSON, for people and for tests. The object is checked by the
 * skip first, so printing walks over well-formed bytes; only what fields of type Object and !X hold
 * is still unknown then and is printed as bytes if it is not of this schema.
 *
 *   int, double       numbers; a double that is no number is the string "NaN", "Infinity" or
 *                     "-Infinity"
 *   long              a string of decimal digits
 *   bytes, int128...  base64
 *   string            as it is; if it is not UTF-8 {"_bytes": base64}
 *   anything unknown  {"_id": "1cb5c415", "_bytes": base64 of all of it}
 *
 * Text goes to the sink through a small buffer. Owns nothing else, allocates nothing.
 */
#include "tl/tl.h"

#include <gapless/tl_mt.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct printer {
    gap_tl_print_cb sink;
    void *data;
    size_t len;
    char text[1024];
};

static int print_object(struct printer *out, const uint8_t **at, const uint8_t *end,
                        uint32_t depth);
static int print_fields(struct printer *out, const gap_tl_info_t *info, const uint8_t **at,
                        const uint8_t *end, uint32_t depth);

static int flush(struct printer *out)
{
    int r = out->len == 0 ? 0 : out->sink(out->data, out->text, out->len);

    out->len = 0;
    return r < 0 ? r : 0;
}

static int put(struct printer *out, const char *text, size_t len)
{
    while (len > 0) {
        if (out->len == sizeof out->text) {
            int r = flush(out);
            if (r < 0) return r;
        }
        size_t n = sizeof out->text - out->len;
        if (n > len) n = len;
        memcpy(out->text + out->len, text, n);
        out->len += n;
        text += n;
        len -= n;
    }
    return 0;
}

static int put_str(struct printer *out, const char *text)
{
    return put(out, text, strlen(text));
}

static int put_int(struct printer *out, int64_t value, const char *quote)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%s%" PRId64 "%s", quote, value, quote);

    return put(out, text, (size_t)n);
}

static int put_hex(struct printer *out, uint32_t value, int digits)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%0*" PRIx32, digits, value);

    return put(out, text, (size_t)n);
}

static int put_escaped(struct printer *out, uint8_t c)
{
    char pair[2] = {'\\', (char)c};

    if (c == '"' || c == '\\') return put(out, pair, sizeof pair);
    int r = put_str(out, "\\u");
    return r == 0 ? put_hex(out, c, 4) : r;
}

static int put_base64(struct printer *out, const uint8_t *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int r = put_str(out, "\"");

    for (size_t i = 0; i < len && r == 0; i += 3) {
        uint32_t n = len - i < 3 ? (uint32_t)(len - i) : 3;
        uint32_t v = (uint32_t)data[i] << 16;
        if (n > 1) v |= (uint32_t)data[i + 1] << 8;
        if (n > 2) v |= data[i + 2];
        char quad[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        r = put(out, quad, sizeof quad);
    }
    return r == 0 ? put_str(out, "\"") : r;
}

/* Bytes of the UTF-8 sequence at p, 0 if there is none: no surrogates, nothing overlong. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t v;

    if (n <= 1) return n;
    if (n > left) return 0;
    v = p[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) return 0;
        v = v << 6 | (p[i] & 0x3fU);
    }
    return v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0 : n;
}

static bool is_utf8(gap_bytes_t text)
{
    size_t n;

    for (size_t i = 0; i < text.len; i += n) {
        n = utf8_len(text.data + i, text.len - i);
        if (n == 0) return false;
    }
    return true;
}

static int put_text(struct printer *out, gap_bytes_t text)
{
    int r;

    if (!is_utf8(text)) {
        r = put_str(out, "{\"_bytes\":");
        if (r == 0) r = put_base64(out, text.data, text.len);
        return r == 0 ? put_str(out, "}") : r;
    }
    r = put_str(out, "\"");
    for (size_t i = 0; i < text.len && r == 0; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f)
            r = put_escaped(out, c);
        else
            r = put(out, (const char *)&text.data[i], 1);
    }
    return r == 0 ? put_str(out, "\"") : r;
}

static int put_double(struct printer *out, const uint8_t *p)
{
    double v;

    memcpy(&v, p, sizeof v);
    if (isnan(v)) return put_str(out, "\"NaN\"");
    if (isinf(v)) return put_str(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    char text[40];
    int n = snprintf(text, sizeof text, "%.17g", v);
    char *comma = memchr(text, ',', (size_t)n); /* the host may have set a locale */
    if (comma != NULL) *comma = '.';
    return put(out, text, (size_t)n);
}

/* @return bytes of a value of fixed size, printed; 0 if the kind has none; negative. */
static int print_fixed(struct printer *out, uint8_t kind, const uint8_t *p)
{
    int r;

    switch (kind) {
    case GAP_TL_K_INT:
    case GAP_TL_K_BYTE_COUNT:
        r = put_int(out, (int32_t)gap_load32(p), "");
        return r < 0 ? r : 4;
    case GAP_TL_K_LONG:
        r = put_int(out, (int64_t)gap_load64(p), "\"");
        return r < 0 ? r : 8;
    case GAP_TL_K_DOUBLE:
        r = put_double(out, p);
        return r < 0 ? r : 8;
    case GAP_TL_K_INT128:
        r = put_base64(out, p, 16);
        return r < 0 ? r : 16;
    case GAP_TL_K_INT256:
        r = put_base64(out, p, 32);
        return r < 0 ? r : 32;
    case GAP_TL_K_BOOL:
        r = put_str(out, gap_load32(p) == GAP_MT_BOOL_TRUE ? "true" : "false");
        return r < 0 ? r : 4;
    default:
        return 0;
    }
}

static int print_string(struct printer *out, uint8_t kind, const uint8_t **at, const uint8_t *end)
{
    gap_bytes_t bytes;
    int r = gap_tl_pass_bytes(at, end, &bytes);

    if (r < 0) return r;
    return kind == GAP_TL_K_STRING ? put_text(out, bytes) : put_base64(out, bytes.data, bytes.len);
}

/* What nobody has checked yet: an object of this schema, or just bytes. */
static int print_rest(struct printer *out, const uint8_t *p, const uint8_t *end, uint32_t depth)
{
    const uint8_t *behind = p;

    if (gap_tl_pass(&behind, end, 0, depth) == 0 && behind == end)
        return print_object(out, &p, end, depth);
    int r = put_str(out, "{\"_id\":\"");
    if (r == 0) r = put_hex(out, gap_load32(p), 8);
    if (r == 0) r = put_str(out, "\",\"_bytes\":");
    if (r == 0) r = put_base64(out, p, (size_t)(end - p));
    return r == 0 ? put_str(out, "}") : r;
}

static int print_element(struct printer *out, const gap_tl_field_t *field, const uint8_t **at,
                         const uint8_t *end, uint32_t depth)
{
    switch (field->elem) {
    case GAP_TL_K_OBJECT:
        return print_object(out, at, end, depth);
    case GAP_TL_K_BARE: {
        const gap_tl_info_t *info = &gap_tl_infos[field->target];
        int r = put_str(out, "{\"_\":\"");
        if (r == 0) r = put_str(out, &gap_tl_names[info->name]);
        if (r == 0) r = put_str(out, "\"");
        if (r == 0) r = print_fields(out, info, at, end, depth);
        return r == 0 ? put_str(out, "}") : r;
    }
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        return print_string(out, field->elem, at, end);
    default: {
        int r = print_fixed(out, field->elem, *at);
        if (r < 0) return r;
        *at += r;
        return 0;
    }
    }
}

static int print_vector(struct printer *out, const gap_tl_field_t *field, const uint8_t **at,
                        const uint8_t *end, uint32_t depth)
{
    uint32_t head = field->boxed ? 8 : 4;
    uint32_t count = gap_load32(*at + head - 4);
    int r = put_str(out, "[");

    *at += head;
    for (uint32_t i = 0; i < count && r == 0; i++) {
        if (i > 0) r = put_str(out, ",");
        if (r == 0) r = print_element(out, field, at, end, depth + 1);
    }
    return r == 0 ? put_str(out, "]") : r;
}

static int print_value(struct printer *out, const gap_tl_field_t *field, const uint8_t **at,
                       const uint8_t *end, uint32_t depth)
{
    int r;

    switch (field->kind) {
    case GAP_TL_K_TRUE:
        return put_str(out, "true");
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        return print_string(out, field->kind, at, end);
    case GAP_TL_K_OBJECT:
        return print_object(out, at, end, depth + 1);
    case GAP_TL_K_VECTOR:
        return print_vector(out, field, at, end, depth + 1);
    case GAP_TL_K_REST:
    case GAP_TL_K_SIZED: {
        const uint8_t *p = *at;
        *at = field->kind == GAP_TL_K_REST ? end : p + gap_load32(p - 4);
        return print_rest(out, p, *at, depth + 1);
    }
    default:
        r = print_fixed(out, field->kind, *at);
        if (r < 0) return r;
        *at += r;
        return 0;
    }
}

static int print_fields(struct printer *out, const gap_tl_info_t *info, const uint8_t **at,
                        const uint8_t *end, uint32_t depth)
{
    const gap_tl_field_t *field = &gap_tl_fields[info->first];
    uint64_t flags = 1ULL << GAP_TL_BIT_ALWAYS;

    for (const gap_tl_field_t *last = field + info->count; field < last; field++) {
        if (((flags >> field->bit) & 1) == 0) continue;
        if (field->kind == GAP_TL_K_FLAGS) {
            flags |= (uint64_t)gap_load32(*at) << (32 * field->target);
            *at += 4;
            continue;
        }
        int r = put_str(out, ",\"");
        if (r == 0) r = put_str(out, &gap_tl_names[field->name]);
        if (r == 0) r = put_str(out, "\":");
        if (r == 0) r = print_value(out, field, at, end, depth);
        if (r < 0) return r;
    }
    return 0;
}

static int print_object(struct printer *out, const uint8_t **at, const uint8_t *end, uint32_t depth)
{
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(*at));
    int r;

    if (slot == NULL) return GAP_E_TL_ID;
    const gap_tl_info_t *info = &gap_tl_infos[slot->index];
    r = put_str(out, "{\"_\":\"");
    if (r == 0) r = put_str(out, &gap_tl_names[info->name]);
    if (r == 0) r = put_str(out, "\"");
    *at += 4;
    if (r == 0) r = print_fields(out, info, at, end, depth);
    return r == 0 ? put_str(out, "}") : r;
}

int gap_tl_print(gap_bytes_t in, gap_tl_print_cb sink, void *data)
{
    struct printer out = {.sink = sink, .data = data, .len = 0};
    int64_t len = gap_tl_skip(in);

    if (len < 0) return (int)len;
    const uint8_t *p = in.data;
    int r = print_object(&out, &p, in.data + len, 1);
    return r == 0 ? flush(&out) : r;
}
