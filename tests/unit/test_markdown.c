/*
 * tests/unit/test_markdown.c - notes become texts with entities; what is broken in them is told;
 * long ones are cut. The expected offsets are counted by hand, in UTF-16 units.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "outbox/markdown.h"

#include <stdio.h>
#include <string.h>

#define SMILE "\xf0\x9f\x98\x80"

static gap_note_t note;
static char error[256];

static gap_bytes_t bytes_of(const char *text)
{
    return gap_bytes(text, strlen(text));
}

static int read_note(const char *source)
{
    error[0] = '\0';
    return gap_note_read(gap_alloc_default(), gap_bytes(source, strlen(source)), &note, error,
                         sizeof error);
}

/* "b0+5 l6+3=https://x/": entities in one line. */
static const char *entities(void)
{
    static const char letters[] = "biuspcPlnq";
    static char text[512];
    size_t len = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < note.entity_count; i++) {
        const gap_note_entity_t *e = &note.entities[i];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%c%u+%u%s%.*s", i > 0 ? " " : "",
                                letters[e->style], (unsigned)e->offset, (unsigned)e->length,
                                e->value.len > 0 ? "=" : "", (int)e->value.len,
                                (const char *)e->value.data);
    }
    return text;
}

static const struct {
    const char *why;
    const char *source;
    const char *text;
    const char *entities;
} cases[] = {
    {"nothing", "", "", ""},
    {"only blanks", " \n\t\n", "", ""},
    {"plain", "one\ntwo", "one\ntwo", ""},
    {"paragraphs", "\n\none\n\n\n\ntwo\n\n", "one\n\ntwo", ""},
    {"ends of lines of other systems", "one\r\ntwo\r\n\r\nthree", "one\ntwo\n\nthree", ""},
    {"a byte order mark", "\xef\xbb\xbfone", "one", ""},
    {"all marks", "**b** *i* _i_ __u__ ~~s~~ ||p|| `c`", "b i i u s p c",
     "b0+1 i2+1 i4+1 u6+1 s8+1 p10+1 c12+1"},
    {"in words", "a**b**c", "abc", "b1+1"},
    {"underscores in words", "snake_case_name and __init__", "snake_case_name and init", "u20+4"},
    {"without a partner", "2 * 3 ** 4 ~~ a_ _b", "2 * 3 ** 4 ~~ a_ _b", ""},
    {"an end alone", "a** b", "a** b", ""},
    {"nested", "**a *b* c**", "a b c", "b0+5 i2+1"},
    {"both at once", "***a***", "a", "b0+1 i0+1"},
    {"crossed", "**a *b** c*", "a *b c*", "b0+4"},
    {"of nothing", "**** || || ``", "**** || || ``", ""},
    {"over lines", "**a\nb**", "a\nb", "b0+3"},
    {"not over paragraphs", "**a\n\nb**", "**a\n\nb**", ""},
    {"beyond the basic plane", SMILE " **" SMILE "x**", SMILE " " SMILE "x", "b3+3"},
    {"two bytes each", "\xc3\xa9 *\xc3\xa9*", "\xc3\xa9 \xc3\xa9", "i2+1"},
    {"protected", "\\*a\\* \\\\ \\x", "*a* \\ \\x", ""},
    {"a protected mark before one", "\\***a**", "*a", "b1+1"},
    {"code keeps all", "`**a** \\*`", "**a** \\*", "c0+8"},
    {"longer ticks", "``a`b``", "a`b", "c0+3"},
    {"blanks around ticks in code", "`` `a` `` ` b` ` ` `  c  `", "`a`  b    c",
     "c0+3 c4+2 c7+1 c9+2"},
    {"a tick alone", "a ` b", "a ` b", ""},
    {"a link", "see [it](https://x.org/a_b_(c)) now", "see it now", "l4+2=https://x.org/a_b_(c)"},
    {"a link in bold, bold in a link", "**[a *b*](http://x/)**", "a b", "b0+3 l0+3=http://x/ i2+1"},
    {"another note", "[next](../b/next.md)", "next", "n0+4=../b/next.md"},
    {"a place in another note", "[a](b.md#c:d)", "a", "n0+1=b.md#c:d"},
    {"another note's title", "a [](b.md) c", "a \xef\xbf\xbc c", "n2+1=b.md"},
    {"no other title", "[](https://x.org/)", "[](https://x.org/)", ""},
    {"no addresses", "[a](b) [c] (d) [e](https://f g) [h](javascript:x.md)",
     "[a](b) [c] (d) [e](https://f g) [h](javascript:x.md)", ""},
    {"pictures", "![a b](http://x/) c![d](e.png) \\![f](http://y/) !", "a b c![d](e.png) !f !",
     "l0+3=http://x/ l18+1=http://y/"},
    {"a picture in a link", "[![a](b.png) c](http://x/)", "![a](b.png) c", "l0+13=http://x/"},
    {"brackets in the text of a link", "[a [b] c](http://x/) [d] [e](http://y/)", "a [b] c [d] e",
     "l0+7=http://x/ l12+1=http://y/"},
    {"brackets around a link", "[see [it](http://x/)] [", "[see it] [", "l5+2=http://x/"},
    {"titles of links", "[a](http://x/ \"t (1)\") [b](b.md 't') [c]( c.md (t) )", "a b c",
     "l0+1=http://x/ n2+1=b.md n4+1=c.md"},
    {"a title without end", "[a](http://x/ \"t) [b](b.md t)", "[a](http://x/ \"t) [b](b.md t)", ""},
    {"addresses in angle brackets", "[a](<a b.md>) [b](<http://x/)>) [](<c d.md#e f>)",
     "a b \xef\xbf\xbc", "n0+1=a b.md l2+1=http://x/) n4+1=c d.md#e f"},
    {"no addresses in angle brackets", "[a](<a.md) [b](<>) [c](<http://x/ y>) [d](<b\n.md>)",
     "[a](<a.md) [b](<>) [c](<http://x/ y>) [d](<b\n.md>)", ""},
    {"a mark that a link cuts", "[a **b](http://x/) c**", "a **b c**", "l0+5=http://x/"},
    {"headings", "# One\ntext\n## *Two*\n#no", "One\ntext\nTwo\n#no", "b0+3 b9+3 i9+3"},
    {"items", "- one\n- **two**\n  more\n* three",
     "\xe2\x80\xa2 one\n\xe2\x80\xa2 two\n  more\n"
     "\xe2\x80\xa2 three",
     "b8+3"},
    {"ends of headings", "# One #\n## C# ##\n#\tTab\n# #", "One\nC#\nTab\n#",
     "b0+3 b4+2 b7+3 b11+1"},
    {"items in items", "a\n- one\n  - two\n\t- three\n* four\n\n  b\n\n  - c\n    - d",
     "a\n\xe2\x80\xa2 one\n  \xe2\x80\xa2 two\n    \xe2\x80\xa2 three\n\xe2\x80\xa2 four"
     "\n\nb\n\n  \xe2\x80\xa2 c\n    \xe2\x80\xa2 d",
     ""},
    {"indented items first", "  - one\n    - two\n  - three\n- four",
     "\xe2\x80\xa2 one\n  \xe2\x80\xa2 two\n\xe2\x80\xa2 three\n\xe2\x80\xa2 four", ""},
    {"a blank of each kind behind a bullet", "-\tone", "\xe2\x80\xa2 one", ""},
    {"code in an item", "- a\n  ```\n  x\n    y\n z\n  ```", "\xe2\x80\xa2 a\nx\n  y\nz", "P4+7"},
    {"lines that end for certain", "a\\\nb\\\r\nc `\\`\\", "a\nb\nc \\\\", "c6+1"},
    {"fenced code", "a\n```c\nint *p;\n\n  x\n```\nb", "a\nint *p;\n\n  x\nb", "P2+12=c"},
    {"without a language, fences inside", "~~~\n```\n~~~", "```", "P0+3"},
    {"empty code", "a\n```\n```", "a", ""},
    {"three ticks in a line", "```a``` b", "a b", "c0+1"},
    {"control characters", "a\x01\x7f**b\x02**", "ab", "b1+1"},
    {"front matter", "---\nchat: news\nkey: \"a b\"\ntags:\n  - x\n# c\n\ndate: 1\n---\n\n*t*", "t",
     "i0+1"},
    {"a rule later is none", "a\n---\nb", "a\n---\nb", ""},
    {"a quote", "> one\n> two", "one\ntwo", "q0+7"},
    {"a quote between paragraphs", "a\n\n> b\n\nc", "a\n\nb\n\nc", "q3+1"},
    {"a quote right below", "a\n> b", "a\nb", "q2+1"},
    {"markers of quotes", ">a\n > b\n  >  c\n   >\td", "a\nb\n c\nd", "q0+8"},
    {"no markers of quotes", "    > a\n\n\t> b\n\n\\> c\n\nd > e\n\n- > f",
     "> a\n\n> b\n\n> c\n\nd > e\n\n\xe2\x80\xa2 > f", ""},
    {"marks in a quote", "> **a\n> b** `c` [d](http://x/)", "a\nb c d",
     "q0+7 b0+3 c4+1 l6+1=http://x/"},
    {"a quote beyond the basic plane", SMILE "\n> " SMILE "**" SMILE "**\n\n*x*",
     SMILE "\n" SMILE SMILE "\n\nx", "q3+4 b5+2 i9+1"},
    {"quotes in a quote", "> a\n>> b\n> > > c\n\n>> d", "a\nb\nc\n\nd", "q0+5 q7+1"},
    {"a paragraph of a quote goes on", "> a\nb\n*c*\n    > d", "a\nb\nc\n    > d", "q0+13 i4+1"},
    {"an empty line ends a quote", "> a\n\nb", "a\n\nb", "q0+1"},
    {"an empty line between quotes", "> a\n\n> b", "a\n\nb", "q0+1 q3+1"},
    {"paragraphs in a quote", "> a\n>\n> b\n>\nc", "a\n\nb\n\nc", "q0+4"},
    {"empty lines in front of a quote's text", "a\n>\n> b", "a\n\nb", "q3+1"},
    {"a quote of nothing", "a\n>\n> \nb\n\n>", "a\n\nb", ""},
    {"marks that a quote's end cuts", "> **a\n\nb**\n> c**", "**a\n\nb**\nc**", "q0+3 q9+3"},
    {"a heading in a quote", "> # a\nb\n> # c\n> d", "a\nb\nc\nd", "q0+1 b0+1 q4+3 b4+1"},
    {"a heading ends a quote", "> a\n# b", "a\nb", "q0+1 b2+1"},
    {"an item ends a quote", "> a\n- b", "a\n\xe2\x80\xa2 b", "q0+1"},
    {"code ends a quote", "> a\n~~~\n> b\n~~~", "a\n> b", "q0+1 P2+3"},
    {"items in a quote", "> - a\n>   - b\nlazy\n- c",
     "\xe2\x80\xa2 a\n  \xe2\x80\xa2 b\nlazy\n\xe2\x80\xa2 c", "q0+14"},
    {"a quote in an item", "- a\n  > b\n\n  - c\n\n> d\n\n  - e",
     "\xe2\x80\xa2 a\nb\n\n  \xe2\x80\xa2 c\n\nd\n\n\xe2\x80\xa2 e", "q4+1 q14+1"},
    {"code in a quote", "> ```c\n> int *x;\n> > y\n>\n>   z\n> ```\n> b\nc",
     "int *x;\n> y\n\n  z\nb\nc", "q0+20 P0+16=c"},
    {"code in a quote in a quote", ">> ~~~\n>> > a\n> > b\n>> ~~~\nc", "> a\nb\nc", "q0+5 P0+5"},
    {"empty code in a quote", "> ~~~\n> ~~~\n\na", "a", ""},
    {"ends of a quote's lines of other systems", "> a\r\n> b\r\n\r\nc", "a\nb\n\nc", "q0+3"},
};

START_TEST(notes_are_read)
{
    int r = read_note(cases[_i].source);

    ck_assert_msg(r == 0, "%s: %d %s", cases[_i].why, r, error);
    gap_bytes_t text = gap_bytes(note.text.data, note.text.len);
    ck_assert_msg(gap_bytes_equal(text, gap_bytes(cases[_i].text, strlen(cases[_i].text))),
                  "%s: '%.*s'", cases[_i].why, (int)text.len, (const char *)text.data);
    ck_assert_msg(strcmp(entities(), cases[_i].entities) == 0, "%s: %s", cases[_i].why, entities());
    gap_note_fini(&note);
    gap_note_fini(&note);
}
END_TEST

/* Whoever has an address can tell its line: it is a view of the source, in quotes as well. */
START_TEST(values_are_views_of_the_source)
{
    static const char source[] = "[a](a.md)\r\n\n> [b](b.md) [c](c.md)\r\n> > [](d.md)\n"
                                 "[[e](e.md) f](f.md)\n> ~~~ g.md\n> x\n>  ~~~\n\n> [h](h.md)";
    static const char *const values[] = {"a.md", "b.md", "c.md", "d.md",
                                         "f.md", "e.md", "g.md", "h.md"};
    uint32_t seen = 0;

    ck_assert_int_eq(read_note(source), 0);
    for (uint32_t i = 0; i < note.entity_count; i++) {
        const gap_note_entity_t *e = &note.entities[i];
        if (e->value.len == 0) continue;
        ck_assert_uint_lt(seen, GAP_ARRAY_LEN(values));
        const char *wanted = strstr(source, values[seen++]);
        ck_assert_msg((const char *)e->value.data == wanted && e->value.len == 4, "%s",
                      values[seen - 1]);
    }
    ck_assert_uint_eq(seen, GAP_ARRAY_LEN(values));
    gap_note_fini(&note);
}
END_TEST

START_TEST(front_matter_names_chat_and_key)
{
    ck_assert_int_eq(read_note("---\nchat:  @news \nkey: 'k 1'\ntitle: x: y\n---\ntext"), 0);
    ck_assert(gap_bytes_equal(note.chat, gap_bytes("@news", 5)));
    ck_assert(gap_bytes_equal(note.key, gap_bytes("k 1", 3)));
    gap_note_fini(&note);
    ck_assert_int_eq(read_note("text"), 0);
    ck_assert_uint_eq(note.chat.len, 0);
    ck_assert_uint_eq(note.key.len, 0);
    gap_note_fini(&note);
}
END_TEST

/* Values end where YAML's do. */
START_TEST(front_matter_may_have_comments)
{
    ck_assert_int_eq(read_note("---\nchat: '@news'  # there\nkey: a#b c # \"so\"\n---\ntext"), 0);
    ck_assert(gap_bytes_equal(note.chat, gap_bytes("@news", 5)));
    ck_assert(gap_bytes_equal(note.key, gap_bytes("a#b c", 5)));
    gap_note_fini(&note);
    ck_assert_int_eq(read_note("---\nkey: \"k: 'a' # b\" \nchat: 'a' b\n---\ntext"), 0);
    ck_assert(gap_bytes_equal(note.key, gap_bytes("k: 'a' # b", 10)));
    ck_assert(gap_bytes_equal(note.chat, gap_bytes("'a' b", 5)));
    gap_note_fini(&note);
}
END_TEST

static const struct {
    const char *source;
    const char *error;
} broken[] = {
    {"---\nchat: news\n", "line 2: the front matter is never ended"},
    {"---\nchat news\n---\n", "line 2: front matter is made of lines"},
    {"---\nkey: a\nchat:\n---\n", "line 3: chat is empty"},
    {"---\nkey: ''\n---\n", "line 2: key is empty"},
    {"---\nkey: # later\n---\n", "line 2: key is empty"},
    {"---\nkey: a\nkey: b\n---\n", "line 3: key stands there twice"},
    {"a\n\n```c\nint x;\n", "line 3: this code is never ended"},
    {"a\n\n> b\n> ```\n> c\n\nd", "line 4: this code is never ended"},
    {"> a\n\n> b\nc\n\n~~~", "line 6: this code is never ended"},
    {"a\nb\xff\n", "line 2: this is no UTF-8"},
    {"\xed\xa0\x80", "line 1: this is no UTF-8"},
    {"\xf0\x9f", "line 1: this is no UTF-8"},
};

START_TEST(what_is_broken_is_told)
{
    ck_assert_int_eq(read_note(broken[_i].source), GAP_E_ARGUMENT);
    ck_assert_msg(strncmp(error, broken[_i].error, strlen(broken[_i].error)) == 0, "%s", error);
    ck_assert_ptr_null(strchr(error, '\n'));
    gap_note_fini(&note);
}
END_TEST

START_TEST(there_is_a_limit)
{
    static char text[GAP_NOTE_BYTES_MAX + 1];

    memset(text, 'x', sizeof text);
    gap_bytes_t all = gap_bytes(text, sizeof text);
    ck_assert_int_eq(gap_note_read(gap_alloc_default(), all, &note, error, sizeof error),
                     GAP_E_LIMIT);
    gap_note_fini(&note);
    all.len--;
    ck_assert_int_eq(gap_note_read(gap_alloc_default(), all, &note, error, sizeof error), 0);
    ck_assert_uint_eq(note.units, GAP_NOTE_BYTES_MAX);
    gap_note_fini(&note);
}
END_TEST

/* --- parts --------------------------------------------------------------------------------- */

static const struct {
    const char *why;
    const char *source;
    uint32_t limit;
    const char *parts; /* joined by | */
} cuts[] = {
    {"it fits", "one two", 7, "one two"},
    {"paragraphs first", "aaaa bb\n\ncc. dd ee", 12, "aaaa bb|cc. dd ee"},
    {"lines", "aaaa bb\ncc. dd ee", 12, "aaaa bb|cc. dd ee"},
    {"sentences", "aaa bb. cc dd", 10, "aaa bb.|cc dd"},
    {"words", "aaa bb cc dd", 10, "aaa bb cc|dd"},
    {"a paragraph that is too short to end a part", "a\n\nbbb ccc ddd", 10, "a\n\nbbb ccc|ddd"},
    {"no blank anywhere", "abcdefghij", 4, "abcd|efgh|ij"},
    {"pairs stay whole", SMILE SMILE SMILE, 5, SMILE SMILE "|" SMILE},
    {"an accent stays where it is", "abce\xcc\x81 x", 4, "abc|e\xcc\x81 x"},
    {"what is joined stays so", "abc" SMILE "\xe2\x80\x8d" SMILE "d", 6,
     "abc|" SMILE "\xe2\x80\x8d" SMILE "d"},
    {"stops of other scripts", "\xe4\xb8\x80\xe4\xb8\x80\xe3\x80\x82\xe4\xb8\x80\xe4\xb8\x80", 4,
     "\xe4\xb8\x80\xe4\xb8\x80\xe3\x80\x82|\xe4\xb8\x80\xe4\xb8\x80"},
};

START_TEST(long_notes_are_cut)
{
    gap_part_t part = {0};
    char joined[256] = "";
    size_t len = 0;

    ck_assert_int_eq(read_note(cuts[_i].source), 0);
    while (gap_note_part(&note, cuts[_i].limit, &part)) {
        ck_assert_uint_le(part.units, cuts[_i].limit);
        len += (size_t)snprintf(joined + len, sizeof joined - len, "%s%.*s", len > 0 ? "|" : "",
                                (int)part.text.len, (const char *)part.text.data);
    }
    ck_assert_msg(strcmp(joined, cuts[_i].parts) == 0, "%s: '%s'", cuts[_i].why, joined);
    gap_note_fini(&note);
}
END_TEST

START_TEST(entities_are_cut_with_their_part)
{
    gap_part_t part = {0};
    gap_note_entity_t e;
    uint32_t it = 0;

    /* aaaa (bbbb) cccc with bold over b and half of c, a link over the last word. */
    ck_assert_int_eq(read_note("aaaa **bbbb cc** [dddd](http://x/)"), 0);
    ck_assert(gap_note_part(&note, 10, &part));
    ck_assert_uint_eq(part.units, 9);
    ck_assert(gap_part_entity(&note, &part, &it, &e));
    ck_assert(e.style == GAP_STYLE_BOLD && e.offset == 5 && e.length == 4);
    ck_assert(!gap_part_entity(&note, &part, &it, &e));
    ck_assert(gap_note_part(&note, 10, &part));
    it = 0;
    ck_assert(gap_part_entity(&note, &part, &it, &e));
    ck_assert(e.style == GAP_STYLE_BOLD && e.offset == 0 && e.length == 2);
    ck_assert(gap_part_entity(&note, &part, &it, &e));
    ck_assert(e.style == GAP_STYLE_LINK && e.offset == 3 && e.length == 4);
    ck_assert(gap_bytes_equal(e.value, gap_bytes("http://x/", 9)));
    ck_assert(!gap_part_entity(&note, &part, &it, &e));
    ck_assert(!gap_note_part(&note, 10, &part));
    gap_note_fini(&note);
}
END_TEST

/* A quote goes on in the next part, and ends with the part that it ends in. */
START_TEST(quotes_are_cut_with_their_part)
{
    static const struct {
        uint32_t limit;
        uint32_t from[3]; /* of the quote in each part */
        uint32_t length[3];
    } wanted[] = {{10, {2, 0, 0}, {6, 8, 0}}, {13, {2, 0, 0}, {6, 8, 0}}, {40, {2}, {15}}};
    gap_part_t part = {0};
    gap_note_entity_t e;

    ck_assert_int_eq(read_note("x\n> " SMILE "a bb\n> cccc ddd\n\neee"), 0);
    ck_assert_str_eq(entities(), "q2+15");
    for (uint32_t i = 0; gap_note_part(&note, wanted[_i].limit, &part); i++) {
        uint32_t it = 0;
        ck_assert_uint_lt(i, 3);
        if (wanted[_i].length[i] > 0) {
            ck_assert(gap_part_entity(&note, &part, &it, &e));
            ck_assert(e.style == GAP_STYLE_QUOTE);
            ck_assert_uint_eq(e.offset, wanted[_i].from[i]);
            ck_assert_uint_eq(e.length, wanted[_i].length[i]);
        }
        ck_assert(!gap_part_entity(&note, &part, &it, &e));
    }
    gap_note_fini(&note);
}
END_TEST

/* A server passes over what is more than a hundred. */
START_TEST(parts_have_a_hundred_entities)
{
    static char source[8192];
    gap_part_t part = {0};
    gap_note_entity_t e;
    uint32_t seen = 0;
    uint32_t parts = 0;
    size_t len = 0;

    len += (size_t)snprintf(source, sizeof source, "**");
    for (int i = 0; i < 250; i++)
        len += (size_t)snprintf(source + len, sizeof source - len, "*%03d* ", i);
    len += (size_t)snprintf(source + len, sizeof source - len, "x**");
    ck_assert_int_eq(read_note(source), 0);
    ck_assert_uint_eq(note.entity_count, 251);
    for (; gap_note_part(&note, GAP_PART_UNITS, &part); parts++) {
        uint32_t it = 0;
        uint32_t count = 0;
        for (; gap_part_entity(&note, &part, &it, &e); count++) {
            if (e.style == GAP_STYLE_BOLD) continue;
            /* None is cut, or in two parts. */
            ck_assert_uint_eq(e.length, 3);
            seen++;
        }
        ck_assert_uint_le(count, GAP_PART_ENTITIES);
        ck_assert_uint_ge(count, parts < 2 ? GAP_PART_ENTITIES : 1);
    }
    ck_assert_uint_eq(seen, 250);
    ck_assert_uint_eq(parts, 3);
    gap_note_fini(&note);
}
END_TEST

/* --- hostile input ------------------------------------------------------------------------- */

/* Is this many UTF-16 units into the text a place between two characters? */
static bool is_boundary(gap_bytes_t text, uint32_t units)
{
    uint32_t at = 0;
    size_t i = 0;

    while (i < text.len && at < units) {
        uint8_t b = text.data[i];
        at += b >= 0xf0 ? 2 : 1;
        i += b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    }
    return at == units;
}

static void check_entity(const gap_note_entity_t *e, gap_bytes_t text, uint32_t units)
{
    ck_assert_uint_ge(e->length, 1);
    ck_assert_uint_le(e->offset + e->length, units);
    ck_assert(is_boundary(text, e->offset));
    ck_assert(is_boundary(text, e->offset + e->length));
}

static void check_note(uint32_t limit)
{
    gap_bytes_t text = gap_bytes(note.text.data, note.text.len);
    gap_part_t part = {0};
    uint32_t behind = 0;
    gap_note_entity_t e;

    ck_assert(is_boundary(text, note.units));
    for (uint32_t i = 0; i < note.entity_count; i++) {
        check_entity(&note.entities[i], text, note.units);
        if (i > 0) ck_assert_uint_ge(note.entities[i].offset, note.entities[i - 1].offset);
        /* Each lies within those before it, or behind them; quotes within nothing. */
        for (uint32_t j = 0; j < i; j++) {
            const gap_note_entity_t *inner = &note.entities[i];
            uint32_t end = note.entities[j].offset + note.entities[j].length;
            ck_assert(end <= inner->offset || inner->offset + inner->length <= end);
            ck_assert(end <= inner->offset || inner->style != GAP_STYLE_QUOTE);
        }
    }
    while (gap_note_part(&note, limit, &part)) {
        uint32_t it = 0;
        uint32_t count = 0;
        ck_assert_uint_ge(part.units, 1);
        ck_assert_uint_le(part.units, limit);
        ck_assert_uint_ge(part.from, behind);
        ck_assert(is_boundary(part.text, part.units));
        behind = part.from + part.units;
        for (; gap_part_entity(&note, &part, &it, &e); count++)
            check_entity(&e, part.text, part.units);
        ck_assert_uint_le(count, GAP_PART_ENTITIES);
    }
    ck_assert_uint_le(behind, note.units);
}

/* Marks, brackets, fences and characters in any order are read and cut without harm. */
START_TEST(any_mixture_is_read)
{
    static const char *const bits[] = {
        "*",   "**",       "_",  "__",   "~~",           "||",   "`",     "```",       "[",
        "]",   "](",       ")",  "(",    "\\",           "\n",   "\n\n",  " ",         "a",
        "<bc", SMILE,      "# ", "- ",   "\r\n",         "---",  "x.md",  "http://x/", ">",
        "\"",  "\xcc\x81", "\t", "\x01", "\xe3\x80\x82", "key:", "chat:", "\n> ",      "\n>> "};
    gap_prng_t rng = {1000 + (uint64_t)_i};
    char source[512];

    for (int round = 0; round < 400; round++) {
        size_t len = 0;
        size_t count = gap_prng_below(&rng, 60);
        for (size_t i = 0; i < count; i++) {
            const char *bit = bits[gap_prng_below(&rng, GAP_ARRAY_LEN(bits))];
            memcpy(source + len, bit, strlen(bit));
            len += strlen(bit);
        }
        source[len] = '\0';
        int r = read_note(source);
        ck_assert_msg(r == 0 || r == GAP_E_ARGUMENT, "%d: %s", r, source);
        if (r == 0) check_note(2 + (uint32_t)gap_prng_below(&rng, 20));
        gap_note_fini(&note);
    }
}
END_TEST

START_TEST(any_bytes_are_read)
{
    gap_prng_t rng = {2000 + (uint64_t)_i};
    uint8_t source[64];

    for (int round = 0; round < 3000; round++) {
        size_t len = gap_prng_below(&rng, sizeof source);
        for (size_t i = 0; i < len; i++) source[i] = (uint8_t)gap_prng_next(&rng);
        int r =
            gap_note_read(gap_alloc_default(), gap_bytes(source, len), &note, error, sizeof error);
        ck_assert(r == 0 || r == GAP_E_ARGUMENT);
        if (r == 0) check_note(3);
        gap_note_fini(&note);
    }
}
END_TEST

/* A megabyte of what is slow for simple readers takes no time. */
START_TEST(long_hostile_notes_end)
{
    static const char *const bits[] = {
        "*",    "**a",   "[", "](",   "`",   "_a ",       "[a](http://x/",
        "``a`", "~~~\n", ">", ">a\n", ">\n", "> > a\n\n", "> [a](http://x/)"};
    static char source[GAP_NOTE_BYTES_MAX];
    const char *bit = bits[_i];
    size_t len = 0;

    for (; len + strlen(bit) <= sizeof source; len += strlen(bit))
        memcpy(source + len, bit, strlen(bit));
    int r = gap_note_read(gap_alloc_default(), gap_bytes(source, len), &note, error, sizeof error);
    ck_assert(r == 0 || r == GAP_E_ARGUMENT);
    gap_note_fini(&note);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    static const char source[] =
        "# h\n**a** *b* [c](http://x/) `d` ~~e~~ ||f|| __g__ *a* *b* *c* *d* "
        "*e* *f* *g* *h* *i* *j* *k* *l* *m*\n```c\ncode\n```\n- item\n> quote";
    struct fault_alloc f;
    long n = 0;

    do {
        fault_alloc_init(&f, ++n);
        int r = gap_note_read(&f.alloc, gap_bytes(source, sizeof source - 1), &note, error,
                              sizeof error);
        gap_note_fini(&note);
        ck_assert_msg(r == (f.calls >= n ? GAP_E_NOMEM : 0), "allocation %ld: %d", n, r);
        ck_assert_msg(f.live == 0, "allocation %ld leaks", n);
    } while (f.calls >= n);
    ck_assert_int_gt(n, 4);
}
END_TEST

static const struct {
    const char *why;
    const char *source;
    const char *title; /* of the first note that is shown; NULL: none is */
    const char *text;
    const char *entities;
    const char *heading;
} titles[] = {
    {"no heading", "a", NULL, "a", "", ""},
    {"the first one", "a\n# b **c**\n# d", NULL, "a\nb c\nd", "b2+3 b4+1 b6+1", "b c"},
    {"an empty one", "# \n# d", NULL, "#\nd", "b2+1", "d"},
    {"at the end", "# a b  ", NULL, "a b", "b0+3", "a b"},
    {"a title is put in", "see [](b.md), **c**", "One " SMILE, "see One " SMILE ", c",
     "n4+6=b.md b12+1", ""},
    {"inside of others", "**x [](b.md)** _y_", "two", "x two y", "b0+5 n2+3=b.md i6+1", ""},
    {"right behind another", "**x**[](b.md)*y*", "t", "xty", "b0+1 n1+1=b.md i2+1", ""},
    {"behind what counts twice", SMILE "[](b.md)", "t", SMILE "t", "n2+1=b.md", ""},
    {"before the heading", "[](b.md)\n# h", "long", "long\nh", "n0+4=b.md b5+1", "h"},
    {"in a quote", "> [](b.md)\n\n[](c.md)", "tt", "tt\n\ntt", "q0+2 n0+2=b.md n4+2=c.md", ""},
    {"in the heading", "# h [](b.md)\n*x*", "u", "h u\nx", "b0+3 n2+1=b.md i4+1", "h u"},
};

START_TEST(titles_are_found_and_shown)
{
    ck_assert_int_eq(read_note(titles[_i].source), 0);
    for (uint32_t i = 0; i < note.entity_count; i++) {
        if (!note.entities[i].wants_title) continue;
        ck_assert_int_eq(gap_note_retitle(&note, i, bytes_of(titles[_i].title)), 0);
    }
    ck_assert_msg(gap_bytes_equal(gap_buf_view(&note.text), bytes_of(titles[_i].text)), "%s: %.*s",
                  titles[_i].why, (int)note.text.len, (const char *)note.text.data);
    ck_assert_msg(strcmp(entities(), titles[_i].entities) == 0, "%s: %s", titles[_i].why,
                  entities());
    gap_bytes_t heading = gap_bytes(note.text.data + note.title_at, note.title_len);
    ck_assert_msg(gap_bytes_equal(heading, bytes_of(titles[_i].heading)), "%s: %.*s",
                  titles[_i].why, (int)heading.len, (const char *)heading.data);
    uint32_t units = 0;
    for (size_t i = 0; i < note.text.len; i++)
        units += (note.text.data[i] & 0xc0) == 0x80 ? 0 : note.text.data[i] >= 0xf0 ? 2 : 1;
    ck_assert_uint_eq(note.units, units);
    gap_note_fini(&note);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("markdown");
    TCase *tc = tcase_create("markdown");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, notes_are_read, 0, GAP_ARRAY_LEN(cases));
    tcase_add_loop_test(tc, titles_are_found_and_shown, 0, GAP_ARRAY_LEN(titles));
    tcase_add_test(tc, values_are_views_of_the_source);
    tcase_add_test(tc, front_matter_names_chat_and_key);
    tcase_add_test(tc, front_matter_may_have_comments);
    tcase_add_loop_test(tc, what_is_broken_is_told, 0, GAP_ARRAY_LEN(broken));
    tcase_add_test(tc, there_is_a_limit);
    tcase_add_loop_test(tc, long_notes_are_cut, 0, GAP_ARRAY_LEN(cuts));
    tcase_add_test(tc, entities_are_cut_with_their_part);
    tcase_add_loop_test(tc, quotes_are_cut_with_their_part, 0, 3);
    tcase_add_test(tc, parts_have_a_hundred_entities);
    tcase_add_loop_test(tc, any_mixture_is_read, 0, 10);
    tcase_add_loop_test(tc, any_bytes_are_read, 0, 3);
    tcase_add_loop_test(tc, long_hostile_notes_end, 0, 14);
    tcase_add_test(tc, every_allocation_may_fail);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
