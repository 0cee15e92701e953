/*
 * tests/sim/script_line.c - the words of a line: numbers, times, chats, texts. Owns nothing.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "script_in.h"

#include <stdarg.h>
#include <stdio.h>

int sim_wrong(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(r->error, r->error_cap, format, args);
    va_end(args);
    return GAP_E_ARGUMENT;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at)) r->at++;
    if (r->at < r->end && *r->at == '#') r->at = r->end;
}

const char *sim_word(struct reader *r)
{
    size_t len = 0;

    skip_blanks(r);
    for (; r->at < r->end && !is_blank(*r->at); r->at++)
        if (len + 1 < sizeof r->word) r->word[len++] = *r->at;
    r->word[len] = '\0';
    return r->word;
}

bool sim_next_is(struct reader *r, const char *text)
{
    const char *before = r->at;

    if (strcmp(sim_word(r), text) == 0) return true;
    r->at = before;
    return false;
}

bool sim_at_end(struct reader *r)
{
    skip_blanks(r);
    return r->at == r->end;
}

/* Digits with a sign; up to 18 of them. */
static bool to_integer(const char *text, const char *end, int64_t *out)
{
    bool minus = text < end && *text == '-';
    int64_t n = 0;

    if (minus) text++;
    if (text == end || end - text > 18) return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') return false;
        n = n * 10 + (*text - '0');
    }
    *out = minus ? -n : n;
    return true;
}

bool sim_next_integer(struct reader *r, int64_t *out)
{
    const char *before = r->at;
    const char *text = sim_word(r);

    if (to_integer(text, text + strlen(text), out)) return true;
    r->at = before;
    return false;
}

int sim_integer(struct reader *r, const char *what, int64_t min, int64_t max, int64_t *out)
{
    int64_t n;

    if (sim_at_end(r)) return sim_wrong(r, "%s is missing at the end of this line", what);
    if (!sim_next_integer(r, &n))
        return sim_wrong(r, "%s is a number, not '%s'", what, sim_word(r));
    if (n < min || n > max)
        return sim_wrong(r, "%s is from %lld to %lld, not %lld", what, (long long)min,
                         (long long)max, (long long)n);
    *out = n;
    return 0;
}

static bool to_time(const char *text, uint64_t *out_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
    const char *end = text;
    int64_t n;

    while (*end >= '0' && *end <= '9') end++;
    if (!to_integer(text, end, &n) || n > INT64_C(2000000000000)) return false;
    for (size_t i = 0; i < GAP_ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].unit) != 0) continue;
        if (n > INT64_C(2000000000000) / units[i].ms) return false;
        *out_ms = (uint64_t)(n * units[i].ms);
        return true;
    }
    return false;
}

bool sim_next_time(struct reader *r, uint64_t *out_ms)
{
    const char *before = r->at;

    if (to_time(sim_word(r), out_ms)) return true;
    r->at = before;
    return false;
}

int sim_time(struct reader *r, uint64_t *out_ms)
{
    if (sim_at_end(r)) return sim_wrong(r, "a time is missing: write 500, 2s, 15min or 8h");
    if (sim_next_time(r, out_ms)) return 0;
    return sim_wrong(r, "'%s' is no time: write 500, 2s, 15min or 8h", sim_word(r));
}

static const struct {
    const char *prefix;
    dc_peer_type_t type;
} chats[] = {{"user:", DC_USER}, {"group:", DC_CHAT}, {"channel:", DC_CHANNEL}};

bool sim_next_is_chat(struct reader *r, const char *prefix)
{
    skip_blanks(r);
    for (size_t i = 0; i < GAP_ARRAY_LEN(chats); i++) {
        size_t len = strlen(chats[i].prefix);
        if (prefix != NULL && strcmp(prefix, chats[i].prefix) != 0) continue;
        if ((size_t)(r->end - r->at) >= len && memcmp(r->at, chats[i].prefix, len) == 0)
            return true;
    }
    return false;
}

int sim_chat(struct reader *r, dc_peer_type_t *type, uint32_t *index)
{
    const char *text = sim_word(r);

    for (size_t i = 0; i < GAP_ARRAY_LEN(chats); i++) {
        size_t len = strlen(chats[i].prefix);
        int64_t n;
        if (strncmp(text, chats[i].prefix, len) != 0) continue;
        if (!to_integer(text + len, text + strlen(text), &n) || n < 1 || n > 1000000) break;
        *type = chats[i].type;
        *index = (uint32_t)(n - 1);
        return 0;
    }
    if (text[0] == '\0')
        return sim_wrong(r,
                         "a chat is missing at the end of this line: user:1, group:1, channel:1");
    return sim_wrong(r, "'%s' is no chat: write user:1, group:1 or channel:1", text);
}

int sim_channel(struct reader *r, uint32_t *index)
{
    dc_peer_type_t type;
    int result;

    if (!sim_next_is_chat(r, "channel:"))
        return sim_wrong(r, "a channel belongs here (channel:1), not '%s'", sim_word(r));
    result = sim_chat(r, &type, index);
    return result;
}

bool sim_range(const char *text, int64_t *from, int64_t *to)
{
    const char *dots = strstr(text, "..");
    const char *end = text + strlen(text);

    if (dots == NULL) {
        if (!to_integer(text, end, from)) return false;
        *to = *from;
        return true;
    }
    return to_integer(text, dots, from) && to_integer(dots + 2, end, to) && *from <= *to;
}

int sim_rest(struct reader *r, char out[SIM_TEXT])
{
    skip_blanks(r);
    while (r->end > r->at && is_blank(r->end[-1])) r->end--;
    size_t len = (size_t)(r->end - r->at);
    if (len >= SIM_TEXT) return sim_wrong(r, "this text is longer than %u bytes", SIM_TEXT - 1);
    memcpy(out, r->at, len);
    out[len] = '\0';
    r->at = r->end;
    return 0;
}

int sim_quoted(struct reader *r, char out[SIM_TEXT])
{
    skip_blanks(r);
    if (r->at == r->end) return sim_wrong(r, "a text in quotes is missing: \"difference from 11\"");
    if (*r->at != '"') {
        (void)snprintf(out, SIM_TEXT, "%s", sim_word(r));
        return 0;
    }
    const char *close = memchr(r->at + 1, '"', (size_t)(r->end - r->at - 1));
    if (close == NULL) return sim_wrong(r, "the text in quotes is never closed: add a \"");
    size_t len = (size_t)(close - r->at - 1);
    if (len >= SIM_TEXT) return sim_wrong(r, "this text is longer than %u bytes", SIM_TEXT - 1);
    memcpy(out, r->at + 1, len);
    out[len] = '\0';
    r->at = close + 1;
    return 0;
}

int sim_find(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0) return (int)i;
    return -1;
}

int sim_grow(sim_script_t *s, void **items, uint32_t *cap, uint32_t count, size_t size,
             uint32_t most)
{
    if (count >= most) return GAP_E_LIMIT;
    if (count < *cap) return 0;
    uint32_t wanted = *cap == 0 ? 16 : *cap * 2;
    void *grown = gap_realloc(s->alloc, *items, wanted * size);
    if (grown == NULL) return GAP_E_NOMEM;
    *items = grown;
    *cap = wanted;
    return 0;
}

int sim_add(struct reader *r, const sim_step_t *step)
{
    sim_script_t *s = r->script;
    int result = sim_grow(s, (void **)&s->steps, &s->cap, s->count, sizeof *step, SIM_SCRIPT_STEPS);

    if (result != 0) return result;
    s->steps[s->count] = *step;
    s->steps[s->count++].line = r->line;
    return 0;
}
