/*
 * outbox/markdown.h - a note in Markdown, as people write it, becomes what a message holds: a text,
 * and entities over it with offsets in UTF-16 units. And long texts are cut into parts.
 *
 * A note may begin with front matter: a line ---, lines like "chat: news" and "key: 2026-plan", a
 * line ---. Other names are left alone, values may stand in quotes, # begins a comment behind a
 * blank. Then paragraphs, and in them
 *
 *     **bold**  *italic*  _italic_  __underlined__  ~~struck~~  ||hidden||  `code`
 *     [text](https://...)   a link          [text](other.md)   a link to another note
 *                                           [](other.md)       the same, showing its title
 *     # heading             a bold line     - item             an item with a bullet, and others
 *     ``` c  ...  ```       code with its language             below it that are indented
 *     > text                a quote, up to three blanks before its >
 *
 * An address may stand in angle brackets, then it may hold blanks, and a title may be behind it,
 * which is left out. ![text](https://...), a picture, is a link as well. A backslash takes the
 * meaning from the character behind it. A quote holds all of this but quotes: more > are one. It
 * ends at an empty line, or at one without > that doesn't go on with its paragraph. Marks that do
 * not come in pairs are characters like others, and so is everything else that people write in
 * Markdown. Line ends stay; several empty lines are one.
 *
 * Pure. Nothing here may be trusted, so nothing is: bytes that are no UTF-8 are an error, control
 * characters are left out, the time it takes is in proportion to the length.
 */
#ifndef GAP_OUTBOX_MARKDOWN_H
#define GAP_OUTBOX_MARKDOWN_H

#include "base/buf.h"

/** Longest source; more: GAP_E_LIMIT. */
#define GAP_NOTE_BYTES_MAX (1U << 20)
/** Marks open at a time; one more is a character. */
#define GAP_NOTE_OPEN_MAX 32
/** Longest address of a link, bytes; more: it is no link. */
#define GAP_NOTE_LINK_MAX 2048
/** A message's text in UTF-16 units: a server that counts code points takes that, too. */
#define GAP_PART_UNITS 4096
/** Entities of a message that Telegram keeps: it passes over what is more. */
#define GAP_PART_ENTITIES 100

typedef enum gap_style {
    GAP_STYLE_BOLD,
    GAP_STYLE_ITALIC,
    GAP_STYLE_UNDERLINE,
    GAP_STYLE_STRIKE,
    GAP_STYLE_SPOILER,
    GAP_STYLE_CODE,
    GAP_STYLE_PRE,  /* value: the language, may be empty */
    GAP_STYLE_LINK, /* value: the address */
    GAP_STYLE_NOTE, /* value: the path of the other note, as it was written, perhaps
                       with #heading */
    GAP_STYLE_QUOTE
} gap_style_t;

/** A stretch of the text. */
typedef struct gap_note_entity {
    gap_style_t style;
    uint32_t offset; /* UTF-16 units */
    uint32_t length; /* at least 1 */
    gap_bytes_t value;
    bool wants_title; /* of [](other.md): it stands over one U+FFFC; see gap_note_retitle */
} gap_note_entity_t;

/** A note that was read. Views last as long as the source. */
typedef struct gap_note {
    const gap_alloc_t *alloc;
    gap_bytes_t chat;            /* as the front matter says; empty: it doesn't */
    gap_bytes_t key;             /* likewise */
    gap_buf_t text;              /* UTF-8, without blanks at its end */
    uint32_t units;              /* its length in UTF-16 units */
    gap_note_entity_t *entities; /* by offset, the outer one first */
    uint32_t entity_count;
    uint32_t entity_cap;
    size_t title_at; /* the text of the first heading, bytes of the text; nothing: there is none */
    size_t title_len;
} gap_note_t;

/**
 * Read a note.
 *
 * @param source  Borrowed, and pinned as long as the note's views are used.
 * @param out     gap_note_fini in any case.
 * @param error   On GAP_E_ARGUMENT one line: which line is wrong, why, what to do.
 * @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT longer than GAP_NOTE_BYTES_MAX; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_note_read(const gap_alloc_t *alloc, gap_bytes_t source, gap_note_t *out,
                                char *error, size_t error_cap);
/**
 * Put a text in place of what an entity that wants a title stands over.
 * @param title  UTF-8, one line, not empty.
 * @return 0; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_note_retitle(gap_note_t *n, uint32_t entity, gap_bytes_t title);
/** Safe twice, and on zeros. */
void gap_note_fini(gap_note_t *n);

/** One message's worth of a note. Zero it before the first call. */
typedef struct gap_part {
    gap_bytes_t text;
    uint32_t from;  /* where it begins in the note, UTF-16 units */
    uint32_t units; /* its length */
    size_t next;    /* internal: where the part behind it begins, bytes, */
    uint32_t next_units;
    uint32_t first_entity; /* internal: those before it end before the part */
} gap_part_t;

/**
 * The next part: as much as fits, cut behind a paragraph, or else a line, a sentence, a word, as
 * long as at least half of what fits is used; blanks at the cut are dropped. What fits has no more
 * than GAP_PART_ENTITIES entities.
 * @param limit  UTF-16 units, at least 2.
 * @return true: there is one.
 */
bool gap_note_part(const gap_note_t *n, uint32_t limit, gap_part_t *part);
/**
 * Entities of a part, cut to it and counted from its beginning.
 * @param it   Zero it before the first call.
 * @return true: there is one more.
 */
bool gap_part_entity(const gap_note_t *n, const gap_part_t *part, uint32_t *it,
                     gap_note_entity_t *out);

#endif
