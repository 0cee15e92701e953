/*
 * runner/pattern.c - patterns of texts; pattern.h says how. Pure; owns nothing.
 */
#include "runner/pattern.h"

#include "base/bytes.h"

#include <string.h>

static struct gap_pattern_set bit(size_t element)
{
    return (struct gap_pattern_set){
        element < 64 ? UINT64_C(1) << element : 0,
        element < 64 ? 0 : UINT64_C(1) << (element - 64),
    };
}

static bool has(struct gap_pattern_set set, size_t element)
{
    return ((element < 64 ? set.low >> element : set.high >> (element - 64)) & 1) != 0;
}

static void add(struct gap_pattern_set *set, struct gap_pattern_set more)
{
    set->low |= more.low;
    set->high |= more.high;
}

/* Those in front of the elements of @p set. */
static inline struct gap_pattern_set before(struct gap_pattern_set set)
{
    return (struct gap_pattern_set){set.low >> 1 | set.high << 63, set.high >> 1};
}

/* ---- compiling ---- */

static bool is_blank(unsigned c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(unsigned c)
{
    return c > ' ' && c != 0x7f;
}

static bool is_digit(unsigned c)
{
    return c >= '0' && c <= '9';
}

static bool is_any(unsigned c)
{
    (void)c;
    return true;
}

/* The first byte of a character, and those that follow it. */
static bool is_lead(unsigned c)
{
    return (c & 0xc0) != 0x80;
}

static bool is_tail(unsigned c)
{
    return (c & 0xc0) == 0x80;
}

#define MANY  1U
#define EAGER 2U

static int put(struct gap_pattern *p, bool (*takes)(unsigned c), unsigned how, unsigned capture)
{
    if (p->count == GAP_PATTERN_MAX) return GAP_E_ARGUMENT;
    struct gap_pattern_set element = bit(p->count);
    for (unsigned c = 0; c < 256; c++) {
        if (takes(c)) add(&p->takes[c], element);
    }
    if ((how & MANY) != 0) add(&p->many, element);
    if ((how & EAGER) != 0) add(&p->eager, element);
    p->capture[p->count++] = (uint8_t)capture;
    return 0;
}

static int put_byte(struct gap_pattern *p, uint8_t c, bool ignore_case)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

    if (p->count == GAP_PATTERN_MAX) return GAP_E_ARGUMENT;
    add(&p->takes[c], bit(p->count));
    if (ignore_case && letter) add(&p->takes[c ^ 0x20], bit(p->count));
    p->capture[p->count++] = 0;
    return 0;
}

/* One or more. */
static int put_some(struct gap_pattern *p, bool (*takes)(unsigned c), unsigned capture)
{
    int r = put(p, takes, 0, capture);
    return r < 0 ? r : put(p, takes, MANY | EAGER, capture);
}

static int put_wildcard(struct gap_pattern *p, char c)
{
    if (p->captures == GAP_CAPTURES_MAX) return GAP_E_ARGUMENT;
    unsigned capture = ++p->captures;
    if (c == '*') return put(p, is_any, MANY, capture);
    return put_some(p, c == '+' ? is_word : is_digit, capture);
}

static int put_character(struct gap_pattern *p)
{
    int r = put(p, is_lead, 0, 0);
    return r < 0 ? r : put(p, is_tail, MANY | EAGER, 0);
}

/* What stands at @p at. @return bytes of the pattern that it was, or negative. */
static int put_next(struct gap_pattern *p, const char *at, bool ignore_case)
{
    int r;

    switch (*at) {
    case '*':
    case '+':
    case '#':
        r = put_wildcard(p, *at);
        break;
    case '?':
        r = put_character(p);
        break;
    case ' ':
        r = put_some(p, is_blank, 0);
        break;
    case '\\':
        if (at[1] == 0) return GAP_E_ARGUMENT;
        r = put_byte(p, (uint8_t)at[1], ignore_case);
        return r < 0 ? r : 2;
    default:
        r = put_byte(p, (uint8_t)*at, ignore_case);
    }
    return r < 0 ? r : 1;
}

int gap_pattern_compile(struct gap_pattern *p, const char *text, bool ignore_case)
{
    unsigned row = 0;

    memset(p, 0, sizeof *p);
    while (*text != 0) {
        int used = put_next(p, text, ignore_case);
        if (used < 0) return used;
        text += used;
    }
    for (size_t i = 0; i < p->count; i++) {
        row = has(p->many, i) ? row + 1 : 0;
        if (row > p->row) p->row = (uint8_t)row;
    }
    return 0;
}

/* ---- matching ---- */

/* Elements from which on the rest of the text fits: an element that may take nothing is among them
 * if the one behind it is. */
static inline struct gap_pattern_set closed(const struct gap_pattern *p, struct gap_pattern_set set)
{
    for (unsigned i = 0; i < p->row; i++) {
        struct gap_pattern_set b = before(set);
        set.low |= b.low & p->many.low;
        set.high |= b.high & p->many.high;
    }
    return set;
}

/* Fill in the sets from the end of the text to its beginning. @return does it fit? */
static bool fits(const struct gap_pattern *p, struct gap_pattern_set *room, gap_bytes_t text)
{
    struct gap_pattern_set set = closed(p, bit(p->count));

    room[text.len] = set;
    for (size_t i = text.len; i > 0; i--) {
        const struct gap_pattern_set *takes = &p->takes[text.data[i - 1]];
        struct gap_pattern_set b = before(set);
        /* One that takes one byte leads to the next, one that takes many stays where it is. */
        set.low = takes->low & ((b.low & ~p->many.low) | (set.low & p->many.low));
        set.high = takes->high & ((b.high & ~p->many.high) | (set.high & p->many.high));
        if ((set.low | set.high) == 0) return false;
        set = closed(p, set);
        room[i - 1] = set;
    }
    return has(set, 0);
}

/* Does element @p j, which may take many, take the byte at @p i? Both ways may lead to the end. */
static bool stays(const struct gap_pattern *p, const struct gap_pattern_set *room,
                  gap_bytes_t text, size_t j, size_t i)
{
    bool can_go = has(room[i], j + 1);
    bool can_stay = i < text.len && has(p->takes[text.data[i]], j) && has(room[i + 1], j);

    return can_stay && (!can_go || has(p->eager, j));
}

bool gap_pattern_match(const struct gap_pattern *p, struct gap_pattern_set *room, gap_bytes_t text,
                       gap_bytes_t out[GAP_CAPTURES_MAX])
{
    size_t start = 0;
    size_t i = 0;

    if (!fits(p, room, text)) return false;
    for (size_t j = 0; j < p->count; j++) {
        unsigned c = p->capture[j];
        if (c != 0 && (j == 0 || p->capture[j - 1] != c)) start = i;
        if (!has(p->many, j)) {
            i++;
        } else {
            while (stays(p, room, text, j, i)) i++;
        }
        if (c != 0) out[c - 1] = gap_bytes(i == start ? NULL : text.data + start, i - start);
    }
    return true;
}
