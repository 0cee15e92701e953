/*
 * outbox/part.c - cuts a note into parts of one message each: behind a paragraph if that is
 * possible, or a line, a sentence, a word. Owns nothing.
 */
#include "outbox/markdown.h"

#include "base/assert.h"
#include "base/bytes.h"

/* What may be cut where, the best last. */
enum cut { CUT_CHARACTER, CUT_WORD, CUT_SENTENCE, CUT_LINE, CUT_PARAGRAPH, CUTS };

struct place {
    size_t at;      /* bytes */
    uint32_t units; /* from the beginning of the part */
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Bytes of the sequence that begins with this byte; the text is UTF-8. */
static size_t utf8_len(uint8_t b)
{
    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

/* Does the character here belong to the one before it: an accent, a joiner, a variant? */
static bool clings(const uint8_t *p, size_t left)
{
    if (left >= 2 && p[0] == 0xcc) return true;                /* U+0300 to 033f */
    if (left >= 2 && p[0] == 0xcd && p[1] < 0xb0) return true; /* to U+036f */
    if (left < 3) return false;
    if (p[0] == 0xe2 && p[1] == 0x80 && p[2] == 0x8d) return true; /* joiner */
    if (p[0] == 0xef && p[1] == 0xb8 && p[2] >= 0x80 && p[2] < 0x90) return true;
    return left >= 4 && p[0] == 0xf0 && p[1] == 0x9f && p[2] == 0x8f && p[3] >= 0xbb; /* skin */
}

static bool is_joiner(const uint8_t *p, size_t before)
{
    return before >= 3 && p[-3] == 0xe2 && p[-2] == 0x80 && p[-1] == 0x8d;
}

/* The ideographic full stop, which no blank follows. */
static bool is_behind_stop(const uint8_t *p, size_t before)
{
    return before >= 3 && p[-3] == 0xe3 && p[-2] == 0x80 && p[-1] == 0x82;
}

static bool ends_sentence(const uint8_t *p, size_t before)
{
    return before >= 1 && (p[-1] == '.' || p[-1] == '!' || p[-1] == '?');
}

/* How good a cut before byte @p at is; CUTS: none may be there. */
static enum cut cut_at(gap_bytes_t text, size_t start, size_t at)
{
    const uint8_t *p = text.data + at;

    if (*p == '\n') return at + 1 < text.len && p[1] == '\n' ? CUT_PARAGRAPH : CUT_LINE;
    if (is_behind_stop(p, at - start)) return CUT_SENTENCE;
    if (is_blank(*p)) return ends_sentence(p, at - start) ? CUT_SENTENCE : CUT_WORD;
    return clings(p, text.len - at) || is_joiner(p, at - start) ? CUTS : CUT_CHARACTER;
}

/* Where the part that begins at @p start ends. */
static struct place find_end(gap_bytes_t text, size_t start, uint32_t limit)
{
    struct place best[CUTS] = {{0, 0}};
    struct place hard = {start, 0}; /* if there is no other way */
    struct place at = {start, 0};

    while (at.at < text.len) {
        size_t len = utf8_len(text.data[at.at]);
        uint32_t units = len == 4 ? 2 : 1;
        enum cut cut = at.at == start ? CUTS : cut_at(text, start, at.at);
        if (cut < CUTS) best[cut] = at;
        hard = at;
        if (at.units + units > limit) break;
        at.at += len;
        at.units += units;
    }
    if (at.at == text.len) return at;
    for (int cut = CUT_PARAGRAPH; cut > CUT_CHARACTER; cut--)
        if (best[cut].units >= limit / 2 && best[cut].units > 0) return best[cut];
    return best[CUT_CHARACTER].units >= limit / 2 ? best[CUT_CHARACTER] : hard;
}

/* So much of @p units from @p from on that it has no more entities than a message may have. */
static uint32_t fewer_entities(const gap_note_t *n, gap_part_t *part, uint32_t from, uint32_t units)
{
    uint32_t count = 0;
    uint32_t i = part->first_entity;

    while (i < n->entity_count && n->entities[i].offset + n->entities[i].length <= from) i++;
    part->first_entity = i;
    for (; i < n->entity_count && n->entities[i].offset < from + units; i++) {
        const gap_note_entity_t *e = &n->entities[i];
        if (e->offset + e->length <= from || ++count <= GAP_PART_ENTITIES) continue;
        /* So many never begin at one place: marks nest less deeply. */
        return e->offset > from + 2 ? e->offset - from : 2;
    }
    return units;
}

bool gap_note_part(const gap_note_t *n, uint32_t limit, gap_part_t *part)
{
    gap_bytes_t text = gap_bytes(n->text.data, n->text.len);
    size_t at = part->next;
    uint32_t units = part->next_units;

    GAP_ASSERT(limit >= 2);
    for (; at < text.len && is_blank(text.data[at]); at++) units++;
    if (at == text.len) return false;
    struct place end = find_end(text, at, limit);
    uint32_t fewer = fewer_entities(n, part, units, end.units);
    if (fewer < end.units) end = find_end(text, at, fewer);
    part->from = units;
    part->next = end.at;
    part->next_units = units + end.units;
    while (is_blank(text.data[end.at - 1])) {
        end.at--;
        end.units--;
    }
    part->text = gap_bytes(text.data + at, end.at - at);
    part->units = end.units;
    return true;
}

bool gap_part_entity(const gap_note_t *n, const gap_part_t *part, uint32_t *it,
                     gap_note_entity_t *out)
{
    uint32_t part_end = part->from + part->units;

    if (*it < part->first_entity) *it = part->first_entity;
    for (; *it < n->entity_count; (*it)++) {
        gap_note_entity_t e = n->entities[*it];
        uint32_t end = e.offset + e.length;
        if (e.offset >= part_end) return false;
        if (end <= part->from) continue;
        if (end > part_end) end = part_end;
        if (e.offset < part->from) e.offset = part->from;
        e.length = end - e.offset;
        e.offset -= part->from;
        (*it)++;
        *out = e;
        return true;
    }
    return false;
}
