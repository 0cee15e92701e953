/*
 * outbox/markdown.c - reads notes: front matter, then block by block.
 *
 *   lines -> front matter | code between fences | heading | paragraph | quote -> lines
 *   paragraph -> marks, in pairs -> text and entities
 *
 * The marks of a block are found and paired first and written afterwards, so that what has no
 * partner is a character like others. A quote's lines are copied without their markers, and the
 * reader reads the copy before it goes on behind them. Owns the text and the entities, and while it
 * reads the copy. Never: follows a link.
 */
#include "outbox/markdown.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "outbox/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NO_MARK    UINT32_MAX
#define NO_ENTITY  UINT32_MAX
#define TICKS_MAX  32U /* longest run of backticks that means anything */
#define NEST_MAX   8   /* parentheses inside an address */
#define INDENT_MAX 32U /* blanks before an item */

struct mark {
    const uint8_t *at;
    uint32_t len; /* bytes of the source that it takes */
    gap_style_t style;
    uint32_t entity; /* an opening one: which entity it began; NO_MARK: it has no partner */
    bool is_end;
    bool is_paired;
    uint32_t partner; /* of an end: its beginning */
    gap_bytes_t value;
};

/* The quote that is being read. */
struct quote {
    bool is_open;
    uint32_t entity;         /* NO_ENTITY: nothing of it has a text so far */
    gap_buf_t copy;          /* of its lines, without markers */
    const uint8_t *copy_end; /* of one of these lines, */
    const uint8_t *line_end; /* and of the same line in the source */
    const uint8_t *next;     /* what is behind it */
    const uint8_t *end;
    bool was_in_list; /* the list that it stands in */
    uint32_t list_indent;
};

struct reader {
    gap_note_t *note;
    const uint8_t *at;
    const uint8_t *end;
    uint32_t line;
    uint32_t list_indent; /* of the first item of the list */
    bool in_list;
    struct mark *marks; /* of the block */
    uint32_t count;
    uint32_t cap;
    uint32_t open[GAP_NOTE_OPEN_MAX]; /* without a partner so far */
    uint32_t open_count;
    struct quote quote;
    bool no_ticks[TICKS_MAX + 1]; /* no run of that length closes any more in this block */
    char *error;
    size_t error_cap;
};

GAP_PRINTF(2, 3) static int wrong(struct reader *r, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)snprintf(r->error, r->error_cap, "line %u: %s", (unsigned)r->line, text);
    return GAP_E_ARGUMENT;
}

static int grow(const gap_alloc_t *alloc, void **items, uint32_t *cap, uint32_t count, size_t size)
{
    if (count < *cap) return 0;
    uint32_t next = *cap == 0 ? 16 : *cap * 2;
    void *grown = gap_realloc(alloc, *items, next * size);
    if (grown == NULL) return GAP_E_NOMEM;
    *items = grown;
    *cap = next;
    return 0;
}

/* --- characters ---------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence here; 0: there is none. */
static size_t utf8_at(const uint8_t *p, const uint8_t *end)
{
    uint8_t b = p[0];
    size_t len = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : 4;

    if (len == 1) return 1;
    if (b < 0xc2 || b >= 0xf5 || (size_t)(end - p) < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((b == 0xe0 && p[1] < 0xa0) || (b == 0xed && p[1] >= 0xa0)) return 0;
    return (b == 0xf0 && p[1] < 0x90) || (b == 0xf4 && p[1] >= 0x90) ? 0 : len;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Letters, digits and whatever is not ASCII: inside of words _ is no mark. */
static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_punctuation(uint8_t c)
{
    return c > ' ' && c < 0x7f && !is_word(c);
}

/* Append source bytes that are UTF-8: control characters go, the end of a line is \n. */
static int put(struct reader *r, const uint8_t *from, const uint8_t *to)
{
    gap_note_t *n = r->note;

    int result = gap_buf_reserve(&n->text, (size_t)(to - from));
    if (result < 0) return result;
    while (from < to) {
        size_t len = utf8_at(from, to);
        bool is_control = (*from < 0x20 && *from != '\n' && *from != '\t') || *from == 0x7f;
        if (!is_control) {
            memcpy(n->text.data + n->text.len, from, len);
            n->text.len += len;
            n->units += len == 4 ? 2 : 1;
        }
        from += len;
    }
    return 0;
}

static int put_text(struct reader *r, const char *text)
{
    return put(r, (const uint8_t *)text, (const uint8_t *)text + strlen(text));
}

/* --- entities ------------------------------------------------------------------------------ */

/* Where a title will be: U+FFFC, one unit. */
static const char place_holder[] = "\xef\xbf\xbc";

static int begin_entity(struct reader *r, gap_style_t style, gap_bytes_t value, uint32_t *out)
{
    gap_note_t *n = r->note;

    int result =
        grow(n->alloc, (void **)&n->entities, &n->entity_cap, n->entity_count, sizeof *n->entities);
    if (result < 0) return result;
    *out = n->entity_count;
    n->entities[n->entity_count++] = (gap_note_entity_t){style, n->units, 0, value, false};
    return 0;
}

static int end_entity(struct reader *r, uint32_t entity)
{
    gap_note_entity_t *e = &r->note->entities[entity];
    int result = 0;

    if (e->style == GAP_STYLE_NOTE && e->offset == r->note->units) {
        e->wants_title = true;
        result = gap_buf_append(&r->note->text, place_holder, sizeof place_holder - 1);
        if (result == 0) r->note->units++;
    }
    e->length = r->note->units - e->offset;
    return result;
}

/* --- marks --------------------------------------------------------------------------------- */

static int add_mark(struct reader *r, const struct mark *mark)
{
    int result = grow(r->note->alloc, (void **)&r->marks, &r->cap, r->count, sizeof *r->marks);

    if (result == 0) r->marks[r->count++] = *mark;
    return result;
}

/* The mark that stands here, if one does. */
static bool mark_at(const uint8_t *p, const uint8_t *end, struct mark *out)
{
    static const struct {
        const char *text;
        gap_style_t style;
    } kinds[] = {{"**", GAP_STYLE_BOLD},    {"__", GAP_STYLE_UNDERLINE}, {"~~", GAP_STYLE_STRIKE},
                 {"||", GAP_STYLE_SPOILER}, {"*", GAP_STYLE_ITALIC},     {"_", GAP_STYLE_ITALIC}};

    for (size_t i = 0; i < GAP_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i].text);
        if ((size_t)(end - p) < len || memcmp(p, kinds[i].text, len) != 0) continue;
        *out = (struct mark){.at = p, .len = (uint32_t)len, .style = kinds[i].style};
        return true;
    }
    return false;
}

/* The last mark of this kind that is open; what was opened behind it will have no partner. */
static bool close_mark(struct reader *r, struct mark *end, bool may_be_empty)
{
    for (uint32_t i = r->open_count; i > 0; i--) {
        struct mark *m = &r->marks[r->open[i - 1]];
        if (m->style != end->style || (m->style != GAP_STYLE_LINK && *m->at != *end->at)) continue;
        /* Nothing lies between them. */
        if (m->at + m->len == end->at && !may_be_empty) return false;
        m->is_paired = end->is_paired = end->is_end = true;
        end->partner = r->open[i - 1];
        r->open_count = i - 1;
        return true;
    }
    return false;
}

static int take_mark(struct reader *r, const uint8_t *start, const uint8_t *end, struct mark *m)
{
    const uint8_t *behind = m->at + m->len;
    uint8_t before_c = m->at > start ? m->at[-1] : ' ';
    uint8_t after_c = behind < end ? *behind : ' ';
    bool is_word_mark = *m->at == '_';
    bool closes = !is_space(before_c) && !(is_word_mark && is_word(after_c));
    bool opens = !is_space(after_c) && !(is_word_mark && is_word(before_c));

    if (closes && close_mark(r, m, false)) return add_mark(r, m);
    if (!opens || r->open_count == GAP_NOTE_OPEN_MAX) return 0;
    r->open[r->open_count++] = r->count;
    return add_mark(r, m);
}

/* Where the address from @p p on ends: in angle brackets at >, else at a blank or the last ). */
static const uint8_t *address_end(const uint8_t *p, const uint8_t *end)
{
    bool is_angled = *p == '<';
    int depth = 0;

    for (const uint8_t *q = p + is_angled; q < end && q - p <= GAP_NOTE_LINK_MAX; q++) {
        if (is_angled && *q == '>') return q;
        if (!is_angled && (*q == ' ' || *q == '\t')) return q;
        if (is_space(*q) ? *q != ' ' : *q < 0x20 || *q == 0x7f || (is_angled && *q == '<'))
            return NULL;
        if (is_angled) continue;
        if (*q == '(' && ++depth > NEST_MAX) return NULL;
        if (*q == ')' && depth-- == 0) return q;
    }
    return NULL;
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) p++;
    return p;
}

/* Behind a "title" of a link, if one is here. */
static const uint8_t *skip_title(const uint8_t *p, const uint8_t *end)
{
    uint8_t close = p == end ? 0 : *p == '(' ? ')' : *p;

    if (close != '"' && close != '\'' && close != ')') return p;
    for (const uint8_t *q = p + 1; q < end && q - p <= GAP_NOTE_LINK_MAX && *q != '\n'; q++) {
        if (*q == '\\')
            q++;
        else if (*q == close)
            return skip_blanks(q + 1, end);
    }
    return p;
}

/* ](address) behind the text of a link. @return its bytes, 0: it is none. */
static size_t address_at(const uint8_t *p, const uint8_t *end, gap_bytes_t *out)
{
    if (end - p < 4 || p[1] != '(') return 0;
    const uint8_t *start = skip_blanks(p + 2, end);
    const uint8_t *stop = start < end ? address_end(start, end) : NULL;
    if (stop == NULL) return 0;
    bool is_angled = *start == '<';
    if (is_angled) start++;
    *out = gap_bytes(start, (size_t)(stop - start));
    if (is_angled) stop++;
    const uint8_t *behind = skip_blanks(stop, end);
    if (behind > stop) behind = skip_title(behind, end);
    if (out->len == 0 || behind == end || *behind != ')') return 0;
    return (size_t)(behind + 1 - p);
}

/* An address that can be linked: one with a scheme, or another note. */
static bool link_style(gap_bytes_t address, gap_style_t *out)
{
    static const char *const schemes[] = {"https://", "http://", "tg://", "mailto:"};

    *out = GAP_STYLE_LINK;
    for (size_t i = 0; i < GAP_ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (address.len > len && memcmp(address.data, schemes[i], len) == 0)
            return memchr(address.data, ' ', address.len) == NULL;
    }
    *out = GAP_STYLE_NOTE;
    const uint8_t *place = memchr(address.data, '#', address.len); /* a heading of the note */
    size_t len = place != NULL ? (size_t)(place - address.data) : address.len;
    bool is_note = len > 3 && memcmp(address.data + len - 3, ".md", 3) == 0;
    return is_note && memchr(address.data, ':', len) == NULL;
}

static const uint8_t *end_of_line(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));

    return stop == NULL ? end : stop;
}

/* Where a value stands in the source, if it was found in a quote's copy: lines end alike in both.
 * Asked for values one behind the other. */
static gap_bytes_t in_source(struct reader *r, gap_bytes_t value)
{
    struct quote *q = &r->quote;

    if (!q->is_open || value.len == 0) return value;
    while (q->copy_end < value.data) {
        q->copy_end = end_of_line(q->copy_end + 1, r->end);
        q->line_end = end_of_line(q->line_end + 1, q->next);
    }
    return gap_bytes(q->line_end - (q->copy_end - value.data), value.len);
}

/* The last [ has its ], and is no link. */
static void drop_bracket(struct reader *r)
{
    for (uint32_t i = r->open_count; i > 0; i--) {
        if (r->marks[r->open[i - 1]].style != GAP_STYLE_LINK) continue;
        memmove(&r->open[i - 1], &r->open[i], (r->open_count - i) * sizeof r->open[0]);
        r->open_count--;
        return;
    }
}

static int take_bracket(struct reader *r, const uint8_t *p, const uint8_t *end, size_t *taken)
{
    struct mark m = {.at = p, .len = 1, .style = GAP_STYLE_LINK};
    gap_style_t style;

    *taken = 1;
    if (*p != ']') {
        *taken = m.len = *p == '!' ? 2 : 1; /* a picture's text */
        if (r->open_count == GAP_NOTE_OPEN_MAX) return 0;
        r->open[r->open_count++] = r->count;
        return add_mark(r, &m);
    }
    size_t len = address_at(p, end, &m.value);
    if (len == 0 || !link_style(m.value, &style) || !close_mark(r, &m, style == GAP_STYLE_NOTE)) {
        drop_bracket(r);
        return 0;
    }
    m.len = (uint32_t)len;
    *taken = len;
    r->marks[m.partner].style = style;
    r->marks[m.partner].value = in_source(r, m.value);
    return add_mark(r, &m);
}

/* Blanks on both sides of it are not part of code: they keep ticks apart. */
static uint32_t code_padding(const uint8_t *from, const uint8_t *to)
{
    if (to - from < 3 || *from != ' ' || to[-1] != ' ') return 0;
    for (const uint8_t *p = from; p < to; p++)
        if (*p != ' ') return 1;
    return 0;
}

/* Code between two runs of as many backticks: two marks with nothing to look at between them. */
static int take_code(struct reader *r, const uint8_t *p, const uint8_t *end, size_t *taken)
{
    size_t run = 0;

    while (p + run < end && p[run] == '`') run++;
    *taken = run;
    if (run > TICKS_MAX || r->no_ticks[run]) return 0;
    for (const uint8_t *q = p + run; q < end;) {
        size_t len = 0;
        while (q + len < end && q[len] == '`') len++;
        if (len != run) {
            q += len > 0 ? len : 1;
            continue;
        }
        uint32_t padding = code_padding(p + run, q);
        struct mark m = {
            .at = p, .len = (uint32_t)run + padding, .style = GAP_STYLE_CODE, .is_paired = true};
        int result = add_mark(r, &m);
        m.at = q - padding;
        m.is_end = true;
        m.partner = r->count - 1;
        if (result == 0) result = add_mark(r, &m);
        *taken = (size_t)(q + run - p);
        return result;
    }
    r->no_ticks[run] = true;
    return 0;
}

/* Of three in a row the first ends the italics inside of what the other two end. */
static bool ends_inner(const struct reader *r, const struct mark *m, const uint8_t *end)
{
    if (r->open_count == 0 || m->len != 2 || end - m->at < 3 || m->at[2] != *m->at) return false;
    const struct mark *top = &r->marks[r->open[r->open_count - 1]];
    return top->style == GAP_STYLE_ITALIC && *top->at == *m->at;
}

/* Find and pair the marks of a block. */
static int find_marks(struct reader *r, const uint8_t *start, const uint8_t *end)
{
    struct mark m;
    int result = 0;

    r->count = r->open_count = 0;
    memset(r->no_ticks, 0, sizeof r->no_ticks);
    for (const uint8_t *p = start; p < end && result == 0;) {
        size_t taken = 1;
        if (*p == '\\' && p + 1 < end && is_punctuation(p[1])) {
            taken = 2;
        } else if (*p == '`') {
            result = take_code(r, p, end, &taken);
        } else if (*p == '[' || *p == ']' || (*p == '!' && p + 1 < end && p[1] == '[')) {
            result = take_bracket(r, p, end, &taken);
        } else if (mark_at(p, end, &m)) {
            if (ends_inner(r, &m, end))
                m = (struct mark){.at = p, .len = 1, .style = GAP_STYLE_ITALIC};
            taken = m.len;
            result = take_mark(r, start, end, &m);
        }
        p += taken;
    }
    return result;
}

/* Characters between marks: backslashes that only protect, or end a line for certain, are left out,
 * but not in code. */
static int put_plain(struct reader *r, const uint8_t *from, const uint8_t *to, bool is_code)
{
    const uint8_t *start = from;
    int result = 0;

    for (; from + 1 < to && result == 0 && !is_code; from++) {
        if (*from != '\\' || !(is_punctuation(from[1]) || is_space(from[1]))) continue;
        if (is_space(from[1]) && from[1] != '\n' && from[1] != '\r') continue;
        result = put(r, start, from);
        start = ++from;
    }
    return result < 0 ? result : put(r, start, to);
}

static int put_block(struct reader *r, const uint8_t *start, const uint8_t *end)
{
    bool is_code = false;
    int result = find_marks(r, start, end);

    for (uint32_t i = 0; i < r->count && result == 0; i++) {
        struct mark *m = &r->marks[i];
        if (!m->is_paired) continue;
        result = put_plain(r, start, m->at, is_code);
        start = m->at + m->len;
        is_code = m->style == GAP_STYLE_CODE && !m->is_end;
        if (result == 0 && m->is_end)
            result = end_entity(r, r->marks[m->partner].entity);
        else if (result == 0)
            result = begin_entity(r, m->style, m->value, &m->entity);
    }
    return result < 0 ? result : put_plain(r, start, end, false);
}

/* --- lines --------------------------------------------------------------------------------- */

static bool at_end(const struct reader *r)
{
    return r->at == r->end;
}

/* The line here, without its end; the reader stands behind it. */
static gap_bytes_t next_line(struct reader *r)
{
    r->line++;
    return gap_line_take(&r->at, r->end);
}

/* Look at the next line without taking it. */
static gap_bytes_t peek_line(const struct reader *r)
{
    const uint8_t *at = r->at;

    return gap_line_take(&at, r->end);
}

/* --- front matter -------------------------------------------------------------------------- */

static int take_field(struct reader *r, gap_bytes_t name, gap_bytes_t value)
{
    gap_bytes_t *field = NULL;

    if (gap_bytes_equal(name, gap_bytes("chat", 4))) field = &r->note->chat;
    if (gap_bytes_equal(name, gap_bytes("key", 3))) field = &r->note->key;
    if (field == NULL) return 0;
    if (field->len > 0)
        return wrong(r, "%.*s stands there twice: leave one", (int)name.len,
                     (const char *)name.data);
    value = gap_line_value(gap_line_trim(value));
    if (value.len == 0)
        return wrong(r, "%.*s is empty: write what it is behind the colon", (int)name.len,
                     (const char *)name.data);
    *field = value;
    return 0;
}

static int front_matter(struct reader *r)
{
    gap_bytes_t fence = gap_bytes("---", 3);
    int result = 0;

    if (!gap_bytes_equal(gap_line_trim(peek_line(r)), fence)) return 0;
    (void)next_line(r);
    while (!at_end(r)) {
        gap_bytes_t line = next_line(r);
        gap_bytes_t text = gap_line_trim(line);
        if (gap_bytes_equal(text, fence)) return 0;
        /* What is indented or a list belongs to a name that is none of ours. */
        if (text.len == 0 || text.data[0] == '#' || text.data[0] == '-' || is_space(line.data[0]))
            continue;
        const uint8_t *colon = memchr(text.data, ':', text.len);
        if (colon == NULL)
            return wrong(r, "front matter is made of lines like chat: news; "
                            "end it with a line ---");
        size_t len = (size_t)(colon - text.data);
        result = take_field(r, gap_line_trim(gap_bytes(text.data, len)),
                            gap_bytes(colon + 1, text.len - len - 1));
        if (result < 0) return result;
    }
    return wrong(r, "the front matter is never ended: add a line ---");
}

/* --- blocks -------------------------------------------------------------------------------- */

/* Between two blocks; nothing before the first. */
static int put_gap(struct reader *r, bool is_wide)
{
    if (r->note->text.len == 0) return 0;
    return put_text(r, is_wide ? "\n\n" : "\n");
}

/* Code up to a fence that is not shorter. */
static int put_fenced(struct reader *r)
{
    uint32_t line = r->line + 1;
    gap_bytes_t whole = next_line(r);
    gap_bytes_t first = gap_line_trim(whole);
    size_t indent = (size_t)(first.data - whole.data);
    size_t run = gap_line_fence(first);
    gap_bytes_t language = gap_line_trim(gap_bytes(first.data + run, first.len - run));
    bool is_first = true;
    uint32_t entity;

    int result = begin_entity(r, GAP_STYLE_PRE, in_source(r, language), &entity);
    while (result == 0) {
        if (at_end(r)) {
            r->line = line;
            return wrong(r, "this code is never ended: close it as it was opened");
        }
        gap_bytes_t text = next_line(r);
        gap_bytes_t bare = gap_line_trim(text);
        if (gap_line_closes(bare, run, first.data[0])) break;
        /* As far as the fence is indented, the code is. */
        for (size_t i = 0; i < indent && text.len > 0 && is_space(text.data[0]); i++)
            text = gap_bytes(text.data + 1, text.len - 1);
        if (!is_first) result = put_text(r, "\n");
        if (result == 0) result = put(r, text.data, text.data + text.len);
        is_first = false;
    }
    return result == 0 ? end_entity(r, entity) : result;
}

/* The bullet of an item, as far to the right as it is from the first one of its list. */
static int put_bullet(struct reader *r, uint32_t indent)
{
    int result = 0;

    if (!r->in_list) r->list_indent = indent;
    r->in_list = true;
    for (uint32_t i = r->list_indent; i < indent && i < r->list_indent + INDENT_MAX && result == 0;
         i++)
        result = put_text(r, " ");
    return result == 0 ? put_text(r, "\xe2\x80\xa2 ") : result;
}

static int put_heading(struct reader *r)
{
    gap_bytes_t text = gap_line_heading_text(gap_line_trim(next_line(r)));
    uint32_t entity;

    size_t at = r->note->text.len;
    int result = begin_entity(r, GAP_STYLE_BOLD, gap_bytes(NULL, 0), &entity);
    if (result == 0) result = put_block(r, text.data, text.data + text.len);
    if (result < 0) return result;
    if (r->note->title_len == 0) {
        r->note->title_at = at;
        r->note->title_len = r->note->text.len - at;
    }
    return end_entity(r, entity);
}

/* A quote in a quote is none: its markers are gone. */
static bool begins_quote(const struct reader *r, gap_bytes_t line)
{
    return !r->quote.is_open && gap_line_is_quoted(line);
}

static bool begins_other(const struct reader *r, gap_bytes_t line)
{
    return gap_line_stands_alone(gap_line_trim(line)) || begins_quote(r, line);
}

/* A paragraph, or an item with the lines that belong to it. */
static int put_paragraph(struct reader *r)
{
    gap_bytes_t line = next_line(r);
    gap_bytes_t text = gap_line_trim(line);
    const uint8_t *stop = text.data + text.len;
    const uint8_t *from = text.data;
    int result = 0;

    if (gap_line_is_item(text)) {
        from += 2;
        result = put_bullet(r, gap_line_indent(line));
    } else if (gap_line_indent(line) == 0) {
        r->in_list = false;
    }
    while (!at_end(r) && !begins_other(r, peek_line(r))) {
        text = gap_line_trim(next_line(r));
        stop = text.data + text.len;
    }
    return result < 0 ? result : put_block(r, from, stop);
}

/* --- quotes -------------------------------------------------------------------------------- */

/* Read the copy of a quote's lines, as they are counted in the source, before what is behind it. */
static int enter_quote(struct reader *r)
{
    struct quote *q = &r->quote;
    const uint8_t *start = r->at;
    bool is_indented = gap_line_indent(peek_line(r)) > 0;

    q->copy.len = 0;
    int result = gap_quote_take(&r->at, r->end, &q->copy);
    if (result < 0) return result;
    q->is_open = true;
    q->entity = NO_ENTITY;
    q->next = r->at;
    q->end = r->end;
    q->was_in_list = r->in_list && is_indented;
    q->list_indent = r->list_indent;
    r->in_list = false;
    r->at = q->copy.data;
    r->end = q->copy.data + q->copy.len;
    q->copy_end = end_of_line(r->at, r->end);
    q->line_end = end_of_line(start, q->next);
    return 0;
}

static int leave_quote(struct reader *r)
{
    struct quote *q = &r->quote;

    q->is_open = false;
    r->at = q->next;
    r->end = q->end;
    r->in_list = q->was_in_list;
    r->list_indent = q->list_indent;
    return q->entity == NO_ENTITY ? 0 : end_entity(r, q->entity);
}

/* What begins with this line. */
static int put_any(struct reader *r, gap_bytes_t line)
{
    struct quote *q = &r->quote;

    /* A quote begins with its first text. */
    if (q->is_open && q->entity == NO_ENTITY) {
        int result = begin_entity(r, GAP_STYLE_QUOTE, gap_bytes(NULL, 0), &q->entity);
        if (result < 0) return result;
    }
    if (gap_line_fence(line) > 0) return put_fenced(r);
    return gap_line_heading(line) > 0 ? put_heading(r) : put_paragraph(r);
}

static int put_blocks(struct reader *r)
{
    bool is_wide = false;
    int result = 0;

    while (result == 0 && (!at_end(r) || r->quote.is_open)) {
        if (at_end(r)) {
            result = leave_quote(r);
            continue;
        }
        if (begins_quote(r, peek_line(r))) {
            result = enter_quote(r);
            continue;
        }
        gap_bytes_t line = gap_line_trim(peek_line(r));
        if (line.len == 0) {
            (void)next_line(r);
            is_wide = true;
            continue;
        }
        result = put_gap(r, is_wide);
        if (result == 0) result = put_any(r, line);
        is_wide = false;
    }
    return result;
}

/* --- the whole ----------------------------------------------------------------------------- */

static int check_utf8(struct reader *r)
{
    for (const uint8_t *p = r->at; p < r->end;) {
        size_t len = utf8_at(p, r->end);
        if (*p == '\n') r->line++;
        if (len == 0) {
            r->line++;
            return wrong(r, "this is no UTF-8: save the file as UTF-8");
        }
        p += len;
    }
    r->line = 0;
    return 0;
}

/* No blanks at the end, no entity beyond it, none of nothing. */
static void finish(gap_note_t *n)
{
    uint32_t kept = 0;

    while (n->text.len > 0 && is_space(n->text.data[n->text.len - 1])) {
        n->text.len--;
        n->units--;
    }
    if (n->title_at + n->title_len > n->text.len) n->title_len = n->text.len - n->title_at;
    for (uint32_t i = 0; i < n->entity_count; i++) {
        gap_note_entity_t e = n->entities[i];
        uint32_t end = e.offset + e.length < n->units ? e.offset + e.length : n->units;
        if (e.offset >= end) continue;
        e.length = end - e.offset;
        n->entities[kept++] = e;
    }
    n->entity_count = kept;
}

int gap_note_read(const gap_alloc_t *alloc, gap_bytes_t source, gap_note_t *out, char *error,
                  size_t error_cap)
{
    static const uint8_t nothing[1];
    struct reader r;
    int result;

    memset(&r, 0, sizeof r);
    memset(out, 0, sizeof *out);
    out->alloc = alloc;
    gap_buf_init(&out->text, alloc);
    gap_buf_init(&r.quote.copy, alloc);
    if (source.len > GAP_NOTE_BYTES_MAX) return GAP_E_LIMIT;
    r.note = out;
    r.error = error;
    r.error_cap = error_cap;
    r.at = source.len > 0 ? source.data : nothing;
    r.end = r.at + source.len;
    if (source.len >= 3 && memcmp(r.at, "\xef\xbb\xbf", 3) == 0) r.at += 3;
    result = check_utf8(&r);
    if (result == 0) result = front_matter(&r);
    if (result == 0) result = put_blocks(&r);
    if (result == 0) finish(out);
    gap_free(alloc, r.marks);
    gap_buf_fini(&r.quote.copy);
    return result;
}

void gap_note_fini(gap_note_t *n)
{
    if (n->alloc == NULL) return;
    gap_free(n->alloc, n->entities);
    gap_buf_fini(&n->text);
    memset(n, 0, sizeof *n);
}
