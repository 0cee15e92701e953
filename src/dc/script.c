/*
 * dc/script.c - reads scripts: a line is a command, a command is a row of `commands`, its words are
 * taken from left to right. Owns the steps. Never does anything of what it reads.
 */
#include "dc/script.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "dc/people.h"
#include "tl/tl.h"

#include <stdarg.h>
#include <stdio.h>

#define NUMBER_MAX 2000000000U

/** One line being read. */
struct reader {
    gap_dc_script_t *script;
    const char *at;
    const char *end;
    gap_dc_step_t step;
    char word[GAP_DC_SCRIPT_WORD];
    char *error;
    size_t error_cap;
    bool is_together; /* between `together` and `end` */
    uint32_t swap;    /* 2: the next event is held back, 1: and goes after this one */
};

GAP_PRINTF(2, 3) static int wrong(struct reader *r, const char *format, ...)
{
    char text[192];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)snprintf(r->error, r->error_cap, "line %u: %s", (unsigned)r->step.line, text);
    return GAP_E_ARGUMENT;
}

/* --- words --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at)) r->at++;
    if (r->at < r->end && *r->at == '#') r->at = r->end;
}

/* The next word, empty at the end of the line; too long ones are cut and then match nothing. */
static const char *word(struct reader *r)
{
    size_t len = 0;

    skip_blanks(r);
    for (; r->at < r->end && !is_blank(*r->at); r->at++)
        if (len + 1 < sizeof r->word) r->word[len++] = *r->at;
    r->word[len] = '\0';
    return r->word;
}

/* Look at the next word without taking it. */
static bool next_is(struct reader *r, const char *text)
{
    const char *before = r->at;

    if (strcmp(word(r), text) == 0) return true;
    r->at = before;
    return false;
}

static bool at_end(struct reader *r)
{
    skip_blanks(r);
    return r->at == r->end;
}

static bool to_number(const char *text, uint32_t *out)
{
    uint64_t n = 0;

    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        n = n * 10 + (uint64_t)(*text - '0');
        if (n > NUMBER_MAX) return false;
    }
    *out = (uint32_t)n;
    return true;
}

static bool next_is_number(struct reader *r, uint32_t *out)
{
    const char *before = r->at;

    if (to_number(word(r), out)) return true;
    r->at = before;
    return false;
}

static int number(struct reader *r, uint32_t *out)
{
    if (to_number(word(r), out)) return 0;
    return wrong(r, "a number belongs here, not '%s'", r->word);
}

/* Some are below zero, like -503. */
static int error_code(struct reader *r, int32_t *out)
{
    const char *text = word(r);
    uint32_t n;

    if (!to_number(text + (*text == '-' ? 1 : 0), &n))
        return wrong(r, "a number belongs here, not '%s'", text);
    *out = *text == '-' ? -(int32_t)n : (int32_t)n;
    return 0;
}

/* What is left of the line. */
static int rest(struct reader *r, char *out)
{
    skip_blanks(r);
    size_t len = (size_t)(r->end - r->at);
    while (len > 0 && is_blank(r->at[len - 1])) len--;
    if (len >= GAP_DC_SCRIPT_TEXT) return wrong(r, "this text is too long");
    memcpy(out, r->at, len);
    out[len] = '\0';
    r->at = r->end;
    return 0;
}

/* KIND:NUMBER, counted from 1. */
static int chat(struct reader *r)
{
    static const struct {
        const char *prefix;
        dc_peer_type_t type;
    } kinds[] = {{"user:", DC_USER}, {"group:", DC_CHAT}, {"channel:", DC_CHANNEL}};
    const char *text = word(r);

    for (size_t i = 0; i < GAP_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i].prefix);
        uint32_t n = 0;
        if (strncmp(text, kinds[i].prefix, len) != 0) continue;
        if (!to_number(text + len, &n) || n == 0) break;
        r->step.chat = kinds[i].type;
        r->step.index = n - 1;
        return 0;
    }
    return wrong(r, "'%s' is no chat: write user:1, group:1 or channel:1", text);
}

static int channel(struct reader *r)
{
    int result = chat(r);

    if (result == 0 && r->step.chat != DC_CHANNEL)
        return wrong(r, "'%s' is no channel: write channel:1", r->word);
    return result;
}

static bool next_is_channel(struct reader *r, int *result)
{
    skip_blanks(r);
    if ((size_t)(r->end - r->at) < 8 || strncmp(r->at, "channel:", 8) != 0) return false;
    *result = channel(r);
    return true;
}

/* A method by its name; updates. may be left out. */
static int method(struct reader *r)
{
    const char *text = word(r);

    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const char *name = gap_tl_names + gap_tl_infos[i].name;
        if (!gap_tl_infos[i].is_method) continue;
        bool is_short = strncmp(name, "updates.", 8) == 0 && strcmp(name + 8, text) == 0;
        if (!is_short && strcmp(name, text) != 0) continue;
        r->step.method = gap_tl_infos[i].id;
        return 0;
    }
    return wrong(r, "there is no method '%s'; write getDifference or messages.getHistory", text);
}

static int slot(struct reader *r, bool is_new)
{
    gap_dc_script_t *s = r->script;
    const char *text = word(r);

    if (text[0] == '\0') return wrong(r, "a name belongs here: hold A ..., later release A");
    for (r->step.slot = 0; r->step.slot < s->name_count; r->step.slot++)
        if (strcmp(s->names[r->step.slot], text) == 0) return 0;
    if (!is_new) return wrong(r, "nothing is held as '%s'", text);
    if (s->name_count == GAP_DC_SCRIPT_NAMES) return wrong(r, "too many names");
    memcpy(s->names[s->name_count++], r->word, sizeof r->word);
    return 0;
}

/* The id of a data centre. */
static int dc_id(struct reader *r, int32_t *out)
{
    uint32_t n = 0;
    int result = number(r, &n);

    if (result != 0) return result;
    if (n < 1 || n > GAP_DC_ID_MAX)
        return wrong(r, "data centres have ids from 1 to %d, not %u", GAP_DC_ID_MAX, (unsigned)n);
    *out = (int32_t)n;
    return 0;
}

/* --- commands ------------------------------------------------------------------------------ */

static int add(struct reader *r)
{
    gap_dc_script_t *s = r->script;

    if (s->count == GAP_DC_SCRIPT_STEPS) return GAP_E_LIMIT;
    if (s->count == s->cap) {
        uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;
        gap_dc_step_t *grown = gap_realloc(s->alloc, s->steps, cap * sizeof *grown);
        if (grown == NULL) return GAP_E_NOMEM;
        s->steps = grown;
        s->cap = cap;
    }
    s->steps[s->count++] = r->step;
    return 0;
}

static int qts_kind(struct reader *r)
{
    static const char *const names[DC_QTS_TYPES] = {"stopped", "chat-participant",
                                                    "channel-participant", "reaction", "reactions"};
    const char *text = word(r);

    for (unsigned i = 0; i < DC_QTS_TYPES; i++) {
        if (strcmp(names[i], text) != 0) continue;
        r->step.qts = (dc_qts_t)i;
        return 0;
    }
    return wrong(r,
                 "'%s' is no qts event: stopped, chat-participant, channel-participant, reaction, "
                 "reactions",
                 text);
}

/* The kinds of events. `words` says what follows the chat: i an id, t a text. */
static const struct {
    const char *name;
    dc_kind_t kind;
    const char *words;
    bool flag;
} events[] = {
    {"message", DC_NEW_MESSAGE, "t", false},
    {"edit", DC_EDIT_MESSAGE, "it", false},
    {"delete", DC_DELETE_MESSAGES, "i", false},
    {"pin", DC_PIN, "i", true},
    {"unpin", DC_PIN, "i", false},
    {"read", DC_READ, "i", false},
    {"read-by-them", DC_READ, "i", true},
    {"query", DC_CALLBACK_QUERY, "i", false},
    {"status", DC_STATUS, "", false},
    {"qts", DC_QTS, "q", false},
};

static int message_id(struct reader *r)
{
    uint32_t n = 0;

    if (next_is(r, "last") || at_end(r)) return 0;
    if (!next_is_number(r, &n) || n == 0) return wrong(r, "'%s' is no message id", r->word);
    r->step.id = (int32_t)n;
    return 0;
}

/* An event of a row; its name is taken already. */
static int event(struct reader *r, size_t row)
{
    int result = 0;

    r->step.what = GAP_DC_DO_EVENT;
    r->step.kind = events[row].kind;
    r->step.flag = events[row].flag;
    if (events[row].words[0] == 'q') result = qts_kind(r);
    if (result == 0) result = chat(r);
    if (result == 0 && strchr(events[row].words, 'i') != NULL) result = message_id(r);
    if (result == 0 && strchr(events[row].words, 't') != NULL) result = rest(r, r->step.text);
    if (result == 0 && r->step.kind == DC_STATUS && r->is_together)
        return wrong(r, "a status never stands in a container");
    if (result != 0) return result;
    if (r->swap == 2) r->step.way = GAP_DC_WAY_HELD;
    return 0;
}

static int way(struct reader *r)
{
    if (next_is(r, "drop"))
        r->step.way = GAP_DC_WAY_DROPPED;
    else if (next_is(r, "twice"))
        r->step.way = GAP_DC_WAY_TWICE;
    else if (next_is(r, "late")) {
        r->step.way = GAP_DC_WAY_LATE;
        return number(r, &r->step.number);
    } else if (next_is(r, "hold")) {
        r->step.way = GAP_DC_WAY_HELD;
        return slot(r, true);
    }
    return 0;
}

/* KIND ID: 303 everywhere but at data centre ID. */
static int migrate(struct reader *r)
{
    static const char *const kinds[] = {"FILE", "NETWORK", "PHONE", "STATS", "USER"};
    gap_dc_step_t *s = &r->step;
    const char *text = word(r);
    int32_t id = 0;

    for (size_t i = 0; i < GAP_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i], text) != 0) continue;
        int result = dc_id(r, &id);
        if (result != 0) return result;
        s->act = GAP_DC_ACT_MIGRATE;
        s->code = 303;
        s->number = (uint32_t)id;
        (void)snprintf(s->text, sizeof s->text, "%s_MIGRATE_%d", kinds[i], (int)id);
        return 0;
    }
    return wrong(r, "'%s' is no migration: FILE, NETWORK, PHONE, STATS, USER", text);
}

/* An error's text: what is not given is SESSION_REVOKED. */
static int do_revoke(struct reader *r)
{
    static const char usual[] = "SESSION_REVOKED";
    int result = rest(r, r->step.text);

    if (result == 0 && r->step.text[0] == '\0') memcpy(r->step.text, usual, sizeof usual);
    return result;
}

static int act(struct reader *r)
{
    static const struct {
        const char *name;
        gap_dc_act_t act;
        bool has_number;
    } acts[] = {
        {"slice", GAP_DC_ACT_SLICE, true},
        {"too-long", GAP_DC_ACT_LONG, false},
        {"late", GAP_DC_ACT_LATE, true},
        {"nothing", GAP_DC_ACT_NOTHING, false},
        {"garbage", GAP_DC_ACT_GARBAGE, false},
        {"cut", GAP_DC_ACT_CUT, false},
        {"stuck", GAP_DC_ACT_STUCK, false},
        {"hang-up", GAP_DC_ACT_HANG_UP, false},
        {"timeout", GAP_DC_ACT_TIMEOUT, true},
        {"ok", GAP_DC_ACT_NONE, false},
        {"duplicate", GAP_DC_ACT_DUPLICATE, false},
        {"drop", GAP_DC_ACT_DROP, false},
        {"lose-session", GAP_DC_ACT_LOSE, false},
    };
    gap_dc_step_t *s = &r->step;
    uint32_t n = 0;
    const char *text = word(r);

    if (strcmp(text, "flood") == 0) {
        s->act = GAP_DC_ACT_ERROR;
        s->code = 420;
        int result = number(r, &n);
        (void)snprintf(s->text, sizeof s->text, "FLOOD_WAIT_%u", result == 0 ? (unsigned)n : 0U);
        return result;
    }
    if (strcmp(text, "migrate") == 0) return migrate(r);
    if (strcmp(text, "error") == 0) {
        s->act = GAP_DC_ACT_ERROR;
        int result = error_code(r, &s->code);
        if (result == 0) result = rest(r, s->text);
        if (result == 0 && s->text[0] == '\0') return wrong(r, "an error needs its text");
        return result;
    }
    if (strcmp(text, "revoke") == 0) {
        s->act = GAP_DC_ACT_REVOKE;
        return do_revoke(r);
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(acts); i++) {
        if (strcmp(acts[i].name, text) != 0) continue;
        s->act = acts[i].act;
        return acts[i].has_number ? number(r, &s->number) : 0;
    }
    return wrong(
        r,
        "'%s' is no way to answer: ok, error, flood, migrate, slice, too-long, late, nothing, "
        "garbage, cut, stuck, hang-up, timeout, revoke, duplicate, drop, lose-session",
        text);
}

static int do_answer(struct reader *r)
{
    uint32_t n = 0;
    int result;

    if (next_is(r, "always"))
        r->step.times = UINT32_MAX;
    else if (next_is_number(r, &n))
        r->step.times = n;
    if ((result = method(r)) != 0) return result;
    if (next_is_channel(r, &result) && result != 0) return result;
    return act(r);
}

static int do_together(struct reader *r)
{
    if (r->is_together) return wrong(r, "the container before this one has no end yet");
    r->is_together = true;
    return way(r);
}

static int do_end(struct reader *r)
{
    if (!r->is_together) return wrong(r, "there is no container to end");
    r->is_together = false;
    return 0;
}

static int do_release(struct reader *r)
{
    return slot(r, false);
}

static int do_number(struct reader *r)
{
    return number(r, &r->step.number);
}

static int do_too_long(struct reader *r)
{
    int result = 0;

    (void)next_is_channel(r, &result);
    return result;
}

static int do_call(struct reader *r)
{
    int result = method(r);

    if (result != 0) return result;
    if (next_is_channel(r, &result) && result != 0) return result;
    if (r->step.what == GAP_DC_DO_AWAIT) {
        if (!next_is_number(r, &r->step.number)) r->step.number = 10000;
        return 0;
    }
    if ((result = number(r, &r->step.number)) != 0) return result;
    if (next_is(r, "or-more"))
        r->step.most = UINT32_MAX;
    else if (!next_is_number(r, &r->step.most))
        r->step.most = r->step.number;
    return r->step.most < r->step.number ? wrong(r, "at most is less than at least") : 0;
}

static int do_reset(struct reader *r)
{
    int result = 0;

    if (!next_is(r, "common")) result = channel(r);
    if (result == 0) result = number(r, &r->step.number);
    if (result == 0 && r->step.number == 0) return wrong(r, "pts is at least 1");
    return result;
}

static int do_account(struct reader *r)
{
    uint32_t n = 0;
    int result = number(r, &n);

    if (result == 0 && n == 0) return wrong(r, "accounts are counted from 1");
    r->step.index = result == 0 ? n - 1 : 0;
    return result;
}

static int do_peer(struct reader *r)
{
    const char *text = word(r);

    if (gap_dc_peer_parse(gap_bytes(text, strlen(text)), &r->step.peer) == 0) return 0;
    return wrong(r, "'%s' is no address: write 4=127.0.0.1:4431", text);
}

static int do_drop_peer(struct reader *r)
{
    return dc_id(r, &r->step.peer.id);
}

/* DC [WHO]: a bot's id or a phone number. */
static int do_move(struct reader *r)
{
    int result = dc_id(r, &r->step.peer.id);

    if (result != 0 || at_end(r)) return result;
    for (const char *at = word(r); *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || at - r->word >= 15)
            return wrong(r, "'%s' is neither a bot's id nor a phone number", r->word);
        r->step.who = r->step.who * 10 + (*at - '0');
    }
    return r->step.who > 0 ? 0 : wrong(r, "no account has the id 0");
}

static int do_password(struct reader *r)
{
    char phone[GAP_DC_PHONE_DIGITS + 1];
    const char *text = word(r);

    if (!gap_dc_phone_read(gap_str(text), phone))
        return wrong(r, "'%s' is no person's phone: write 99966XYYYY", text);
    r->step.person = gap_dc_phone_user(phone);
    return rest(r, r->step.text);
}

static int do_slow_mode(struct reader *r)
{
    int result = channel(r);

    return result != 0 ? result : number(r, &r->step.number);
}

static int do_role(struct reader *r)
{
    static const char *const names[] = {"", "admin", "member", "reader"};
    int result = chat(r);

    if (result != 0) return result;
    if (r->step.chat == DC_USER) return wrong(r, "roles are for channels and groups");
    const char *text = word(r);
    for (unsigned i = DC_ROLE_ADMIN; i <= DC_ROLE_READER; i++) {
        if (strcmp(names[i], text) != 0) continue;
        r->step.role = (dc_role_t)i;
        return 0;
    }
    return wrong(r, "'%s' is no role: admin, member, reader", text);
}

static int block(struct reader *r, bool blocks)
{
    int result = chat(r);

    r->step.flag = blocks;
    if (result == 0 && r->step.chat != DC_USER) return wrong(r, "only users block: write user:1");
    return result;
}

static int do_block(struct reader *r)
{
    return block(r, true);
}

static int do_unblock(struct reader *r)
{
    return block(r, false);
}

/* Rules may be longer than other words. */
static int do_flood_rule(struct reader *r)
{
    const char *expected;

    if (next_is(r, "none")) return 0;
    skip_blanks(r);
    const char *start = r->at;
    while (r->at < r->end && !is_blank(*r->at)) r->at++;
    size_t len = (size_t)(r->at - start);
    if (dc_flood_rule_parse(gap_bytes(start, len), &r->step.flood, &expected) == 0) return 0;
    return wrong(r, "'%.*s' is no flood rule: %s", (int)(len < 60 ? len : 60), start, expected);
}

static int do_nothing(struct reader *r)
{
    (void)r;
    return 0;
}

static int do_swap(struct reader *r)
{
    if (r->swap != 0 || r->is_together) return wrong(r, "swap is followed by two events");
    r->swap = 2;
    return 0;
}

static const struct {
    const char *name;
    gap_dc_do_t what;
    int (*read)(struct reader *r);
} commands[] = {
    {"together", GAP_DC_DO_TOGETHER, do_together},
    {"end", GAP_DC_DO_END, do_end},
    {"release", GAP_DC_DO_RELEASE, do_release},
    {"skip-seq", GAP_DC_DO_SKIP_SEQ, do_number},
    {"push-too-long", GAP_DC_DO_TOO_LONG, do_too_long},
    {"answer", GAP_DC_DO_ANSWER, do_answer},
    {"wait", GAP_DC_DO_WAIT, do_number},
    {"await", GAP_DC_DO_AWAIT, do_call},
    {"expect", GAP_DC_DO_EXPECT, do_call},
    {"disconnect", GAP_DC_DO_DISCONNECT, do_nothing},
    {"forget-session", GAP_DC_DO_FORGET, do_nothing},
    {"leave", GAP_DC_DO_LEAVE, channel},
    {"join", GAP_DC_DO_JOIN, channel},
    {"reset", GAP_DC_DO_RESET, do_reset},
    {"peer-dc", GAP_DC_DO_PEER, do_peer},
    {"drop-dc", GAP_DC_DO_DROP_PEER, do_drop_peer},
    {"move", GAP_DC_DO_MOVE, do_move},
    {"account", GAP_DC_DO_ACCOUNT, do_account},
    {"revoke", GAP_DC_DO_REVOKE, do_revoke},
    {"duplicate", GAP_DC_DO_DUPLICATE, do_nothing},
    {"password", GAP_DC_DO_PASSWORD, do_password},
    {"slow-mode", GAP_DC_DO_SLOW_MODE, do_slow_mode},
    {"role", GAP_DC_DO_ROLE, do_role},
    {"block", GAP_DC_DO_BLOCK, do_block},
    {"unblock", GAP_DC_DO_BLOCK, do_unblock},
    {"flood-rule", GAP_DC_DO_FLOOD_RULE, do_flood_rule},
    {"edit-window", GAP_DC_DO_EDIT_WINDOW, do_number},
};

bool gap_dc_script_knows(const char *word)
{
    static const char *const others[] = {"at", "swap", "drop", "late", "twice", "hold", "poison"};
    bool known = false;

    for (size_t i = 0; i < GAP_ARRAY_LEN(events); i++) known |= strcmp(events[i].name, word) == 0;
    for (size_t i = 0; i < GAP_ARRAY_LEN(commands); i++)
        known |= strcmp(commands[i].name, word) == 0;
    for (size_t i = 0; i < GAP_ARRAY_LEN(others); i++) known |= strcmp(others[i], word) == 0;
    return known;
}

/* --- lines --------------------------------------------------------------------------------- */

/* [TIMES] [WAY] EVENT ... @return 1 it is none. */
static int event_line(struct reader *r)
{
    const char *start = r->at;
    uint32_t n = 0;
    int result;

    if (next_is_number(r, &n)) r->step.times = n;
    r->step.poison = next_is(r, "poison");
    if ((result = way(r)) != 0) return result;
    const char *name = word(r);
    for (size_t i = 0; i < GAP_ARRAY_LEN(events); i++) {
        if (strcmp(events[i].name, name) != 0) continue;
        bool is_plain = r->step.way == GAP_DC_WAY_SENT && r->step.times == 1;
        if ((r->is_together || r->swap != 0) && !is_plain)
            return wrong(r, "in a container or after swap an event stands alone on its line");
        if (r->swap == 2) (void)snprintf(r->word, sizeof r->word, "swap");
        return event(r, i);
    }
    r->at = start;
    if (r->step.times != 1 || r->step.way != GAP_DC_WAY_SENT || r->step.poison)
        return wrong(r, "'%s' is no event", name);
    return 1;
}

static int command_line(struct reader *r)
{
    const char *name = word(r);

    if (strcmp(name, "swap") == 0)
        return r->step.dc == 0 ? do_swap(r) : wrong(r, "at stands before one command, not two");
    for (size_t i = 0; i < GAP_ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        r->step.what = commands[i].what;
        if (r->step.dc != 0 && r->step.what == GAP_DC_DO_TOGETHER)
            return wrong(r, "at stands before one command, not before a container");
        if (r->is_together && r->step.what != GAP_DC_DO_END)
            return wrong(r, "'%s' can't stand in a container", name);
        return commands[i].read(r);
    }
    return wrong(r, "'%s' is no command; gapless-dc --script-help lists them", name);
}

/* `swap` is a push that is held until the next one is out. The last name is kept for it. */
static int finish_swap(struct reader *r)
{
    if (r->step.what != GAP_DC_DO_EVENT) return wrong(r, "swap is followed by two events");
    r->step.slot = GAP_DC_SCRIPT_NAMES;
    int result = add(r);
    if (result != 0 || --r->swap > 0) return result;
    r->step.what = GAP_DC_DO_RELEASE;
    return add(r);
}

static int line(struct reader *r)
{
    int result;

    if (at_end(r)) return 0;
    if (next_is(r, "at")) {
        if (r->is_together || r->swap != 0)
            return wrong(r, "at can't stand in a container or after swap");
        if ((result = dc_id(r, &r->step.dc)) != 0) return result;
        if (at_end(r)) return wrong(r, "at is followed by a command");
    }
    result = event_line(r);
    bool is_event = result != 1;
    if (!is_event) {
        uint32_t swap = r->swap;
        result = command_line(r);
        if (result == 0 && swap == 0 && r->swap == 2) return 0; /* `swap` itself is no step */
    }
    if (result != 0) return result;
    if (!at_end(r)) return wrong(r, "'%s' is one word too many", word(r));
    return r->swap > 0 ? finish_swap(r) : add(r);
}

int gap_dc_script_read(const gap_alloc_t *alloc, gap_bytes_t text, gap_dc_script_t *out,
                       char *error, size_t error_cap)
{
    struct reader r = {.script = out, .error = error, .error_cap = error_cap};
    const char *at = (const char *)text.data;
    const char *end = at + text.len;
    uint32_t number_of_line = 0;

    memset(out, 0, sizeof *out);
    out->alloc = alloc;
    if (text.len > GAP_DC_SCRIPT_BYTES) return GAP_E_LIMIT;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) stop = end;
        memset(&r.step, 0, sizeof r.step);
        r.step.line = ++number_of_line;
        r.step.times = 1;
        r.at = at;
        r.end = stop;
        int result = memchr(at, '\0', (size_t)(stop - at)) == NULL
                         ? line(&r)
                         : wrong(&r, "this is no text: there is a zero byte in it");
        if (result != 0) return result;
        at = stop < end ? stop + 1 : end;
    }
    if (r.is_together) return wrong(&r, "the container is never ended");
    return r.swap > 0 ? wrong(&r, "swap is followed by two events") : 0;
}

void gap_dc_script_fini(gap_dc_script_t *s)
{
    if (s->alloc != NULL) gap_free(s->alloc, s->steps);
    memset(s, 0, sizeof *s);
}
