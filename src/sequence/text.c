/*
 * sequence/text.c - markup of texts: Telegram counts in UTF-16 code units, texts arrive in UTF-8.
 *
 * Owns nothing; a position remembers how far it has counted, so a text is walked once for markup
 * that is sorted, as the server sends it. Bytes that are not UTF-8 count as one unit each, so no
 * input is an error.
 */
#include "sequence/walk.h"

#include <gapless/message.h>

/* Bytes and code units of the character at @p at; at < text.len. */
static size_t step(gap_bytes_t text, size_t at, size_t *units)
{
    uint8_t c = text.data[at];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;

    *units = 1;
    if (c >= 0xf5 || n == 0 || n > text.len - at) return 1;
    for (size_t i = 1; i < n; i++) {
        if ((text.data[at + i] & 0xc0) != 0x80) return 1;
    }
    if (n == 4) *units = 2;
    return n;
}

/* Go on from *units, *byte to @p target units. @return 0, GAP_E_ARGUMENT (position untouched). */
static int advance(gap_bytes_t text, size_t target, size_t *units, size_t *byte)
{
    size_t u = *units;
    size_t b = *byte;

    while (u < target && b < text.len) {
        size_t more;
        b += step(text, b, &more);
        u += more;
    }
    if (u != target) return GAP_E_ARGUMENT;
    *units = u;
    *byte = b;
    return 0;
}

int gap_utf16_to_byte(gap_bytes_t text, size_t utf16, size_t *out)
{
    size_t units = 0;
    size_t byte = 0;

    int r = advance(text, utf16, &units, &byte);
    if (r == 0) *out = byte;
    return r;
}

size_t gap_utf16_length(gap_bytes_t text)
{
    size_t units = 0;

    for (size_t b = 0; b < text.len;) {
        size_t more;
        b += step(text, b, &more);
        units += more;
    }
    return units;
}

void gap_entities_init(gap_entities_t *it, gap_bytes_t text, gap_tl_vector_t entities)
{
    it->iter = gap_tl_iter(entities);
    it->text = text;
    it->at_utf16 = 0;
    it->at_byte = 0;
}

/* Entities begin with offset and length, but for two that have flags in front. */
static int place_of(gap_tl_object_t object, int32_t *offset, int32_t *length)
{
    bool flags = object.id == GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE ||
                 object.id == GAP_TL_MESSAGE_ENTITY_FORMATTED_DATE;
    struct gap_walk w = gap_walk(gap_tl_bytes(object), flags ? 8 : 4);

    *offset = gap_walk_i32(&w);
    *length = gap_walk_i32(&w);
    return w.error;
}

/* Turn the piece into bytes. @return 0, or GAP_E_ARGUMENT: not a piece of this text. */
static int locate(gap_entities_t *it, gap_entity_t *e)
{
    if (e->utf16_offset < 0 || e->utf16_length < 0) return GAP_E_ARGUMENT;
    size_t offset = (size_t)e->utf16_offset;
    if (offset < it->at_utf16) {
        it->at_utf16 = 0;
        it->at_byte = 0;
    }
    int r = advance(it->text, offset, &it->at_utf16, &it->at_byte);
    if (r < 0) return r;
    size_t units = it->at_utf16;
    size_t byte = it->at_byte;
    r = advance(it->text, offset + (size_t)e->utf16_length, &units, &byte);
    if (r < 0) return r;
    e->offset = it->at_byte;
    e->length = byte - it->at_byte;
    e->text = gap_bytes(e->length == 0 ? NULL : it->text.data + e->offset, e->length);
    return 0;
}

int gap_entities_next(gap_entities_t *it, gap_entity_t *out)
{
    gap_entity_t e;
    int r;

    while ((r = gap_tl_next(&it->iter, &e.object)) > 0) {
        e.id = e.object.id;
        r = place_of(e.object, &e.utf16_offset, &e.utf16_length);
        if (r < 0) return r;
        if (locate(it, &e) < 0) continue;
        *out = e;
        return 1;
    }
    return r;
}
