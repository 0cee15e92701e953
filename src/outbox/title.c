/*
 * outbox/title.c - puts the titles of other notes where links ask for them. Owns nothing.
 */
#include "outbox/markdown.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

/* Bytes of the sequence that begins with this byte; the text is UTF-8. */
static size_t utf8_len(uint8_t b)
{
    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

/* Bytes before so many units of a text. */
static size_t byte_of(gap_bytes_t text, uint32_t units)
{
    size_t at = 0;

    while (units > 0 && at < text.len) {
        size_t len = utf8_len(text.data[at]);
        units -= len == 4 && units > 1 ? 2 : 1;
        at += len;
    }
    return at;
}

int gap_note_retitle(gap_note_t *n, uint32_t entity, gap_bytes_t title)
{
    const size_t hole = 3; /* bytes of U+FFFC */
    uint32_t units = 0;

    GAP_ASSERT(entity < n->entity_count);
    GAP_ASSERT(n->entities[entity].wants_title);
    uint32_t from = n->entities[entity].offset;
    size_t at = byte_of(gap_buf_view(&n->text), from);
    for (const uint8_t *p = title.data; p < title.data + title.len;) {
        size_t len = utf8_len(*p);
        units += len == 4 ? 2 : 1;
        p += len;
    }
    GAP_ASSERT(units > 0);
    int result = gap_buf_reserve(&n->text, title.len);
    if (result < 0) return result;
    memmove(n->text.data + at + title.len, n->text.data + at + hole, n->text.len - at - hole);
    memcpy(n->text.data + at, title.data, title.len);
    n->text.len += title.len - hole;
    n->units += units - 1;
    for (uint32_t i = 0; i < n->entity_count; i++) {
        gap_note_entity_t *e = &n->entities[i];
        if (e->offset > from) {
            e->offset += units - 1;
        } else if (e->offset + e->length > from) {
            e->length += units - 1;
        }
    }
    n->entities[entity].wants_title = false;
    /* The heading's own text moves with it. */
    if (n->title_at > at) {
        n->title_at += title.len - hole;
    } else if (n->title_at + n->title_len > at) {
        n->title_len += title.len - hole;
    }
    return 0;
}
