/*
 * tests/fuzz/fuzz_note.c - notes in Markdown. Byte 0 of the input says how long a part may be, the
 * rest is the note. What is read must be a text whose entities lie within it and within each other,
 * with addresses that are views of the source, and its parts must follow each other without
 * overlapping.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "outbox/markdown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* UTF-16 units of UTF-8. */
static uint32_t units_of(gap_bytes_t text)
{
    uint32_t units = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t b = text.data[i];
        units += (b & 0xc0) == 0x80 ? 0 : b >= 0xf0 ? 2 : 1;
    }
    return units;
}

static void check_parts(const gap_note_t *note, uint32_t limit)
{
    gap_part_t part = {0};
    uint32_t behind = 0;
    gap_note_entity_t e;

    while (gap_note_part(note, limit, &part)) {
        uint32_t it = 0;
        uint32_t count = 0;
        GAP_ASSERT(part.units >= 1);
        GAP_ASSERT(part.units <= limit);
        GAP_ASSERT(part.units == units_of(part.text));
        GAP_ASSERT(part.from >= behind);
        behind = part.from + part.units;
        while (gap_part_entity(note, &part, &it, &e)) {
            GAP_ASSERT(e.length >= 1);
            GAP_ASSERT(e.offset + e.length <= part.units);
            count++;
        }
        GAP_ASSERT(count <= GAP_PART_ENTITIES);
    }
    GAP_ASSERT(behind <= note->units);
}

static void check_note(const gap_note_t *note)
{
    uint32_t behind = 0;

    GAP_ASSERT(note->units == units_of(gap_bytes(note->text.data, note->text.len)));
    for (uint32_t i = 0; i < note->entity_count; i++) {
        const gap_note_entity_t *e = &note->entities[i];
        GAP_ASSERT(e->length >= 1);
        GAP_ASSERT(e->offset >= behind);
        GAP_ASSERT(e->offset + e->length <= note->units);
        behind = e->offset;
        /* Each lies within those before it, or behind them; quotes within nothing. */
        for (uint32_t j = 0; j < i; j++) {
            uint32_t end = note->entities[j].offset + note->entities[j].length;
            GAP_ASSERT(end <= e->offset || e->offset + e->length <= end);
            GAP_ASSERT(end <= e->offset || e->style != GAP_STYLE_QUOTE);
        }
    }
}

static void check_values(const gap_note_t *note, gap_bytes_t source)
{
    for (uint32_t i = 0; i < note->entity_count; i++) {
        gap_bytes_t value = note->entities[i].value;
        if (value.len == 0) continue;
        GAP_ASSERT(value.data >= source.data);
        GAP_ASSERT(value.data + value.len <= source.data + source.len);
    }
}

/* Titles of another length than what they take the place of. */
static void show_titles(gap_note_t *note)
{
    static const uint8_t title[] = "\xf0\x9f\x98\x80 \xc3\xa9";

    for (uint32_t i = 0; i < note->entity_count; i++) {
        if (!note->entities[i].wants_title) continue;
        int r = gap_note_retitle(note, i, gap_bytes(title, i % 2 == 0 ? sizeof title - 1 : 4));
        GAP_ASSERT(r == 0);
    }
    GAP_ASSERT(note->title_at + note->title_len <= note->text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gap_note_t note;
    char error[256];

    if (size < 1) return 0;
    gap_bytes_t source = gap_bytes(data + 1, size - 1);
    int r = gap_note_read(gap_alloc_default(), source, &note, error, sizeof error);
    GAP_ASSERT(r == 0 || r == GAP_E_ARGUMENT || r == GAP_E_LIMIT);
    if (r == 0) {
        check_note(&note);
        check_values(&note, source);
        show_titles(&note);
        check_note(&note);
        check_parts(&note, 2U + data[0]);
    }
    gap_note_fini(&note);
    return 0;
}
