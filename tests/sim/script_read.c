/*
 * tests/sim/script_read.c - reads scripts, line by line. A line that gapless-dc's scripts know goes
 * to gap_dc_script_read, which sees the same text with all else taken out, line for line; what it
 * makes of a line is then put between the steps that were read here. So `late 50 raw message ...`
 * is, for that reader, a late event, and how it goes out is read there; what it is, here.
 *
 * Owns the steps. Never does anything of what it reads.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "script_in.h"

#include <stdio.h>
#include <stdlib.h>

/* A line is the other reader's after all. */
#define FOR_DC 2

/* What stands where an event of our own does, in what the other reader sees. */
#define STAND_IN "message user:1"

/* --- commands ------------------------------------------------------------------------------- */

static int do_nothing(struct reader *r, sim_step_t *step)
{
    (void)r;
    (void)step;
    return 0;
}

static int do_start(struct reader *r, sim_step_t *step)
{
    sim_settings_t *set = &r->script->set;

    (void)step;
    if (set->has_start) return sim_wrong(r, "the account has started already; restart or crash");
    if (!set->fresh && !set->has_stored)
        return sim_wrong(r, "start needs `stored ...` at the top: without it the account has "
                            "started before time 0");
    set->has_start = true;
    return 0;
}

static int do_time(struct reader *r, sim_step_t *step)
{
    return sim_time(r, &step->ms);
}

static int do_maybe_time(struct reader *r, sim_step_t *step)
{
    step->flag = step->what == SIM_DO_DISCONNECT && strcmp(r->word, "forget-session") == 0;
    return sim_at_end(r) ? 0 : sim_time(r, &step->ms);
}

static int do_suspend(struct reader *r, sim_step_t *step)
{
    int result = sim_time(r, &step->ms);

    step->flag = result == 0 && sim_next_is(r, "clock-stops");
    return result;
}

static int do_number(struct reader *r, sim_step_t *step)
{
    int64_t n = 1;
    bool optional = step->what == SIM_DO_CRASH_IN_HANDLER;
    int64_t min = step->what == SIM_DO_CLOCK_JUMP ? -1000000000 : 1;
    int result = 0;

    if (!optional || !sim_at_end(r)) result = sim_integer(r, "the number", min, 1000000000, &n);
    step->number = (int32_t)n;
    return result;
}

static int do_crash(struct reader *r, sim_step_t *step)
{
    (void)r;
    step->flag = true;
    return 0;
}

static int do_channel(struct reader *r, sim_step_t *step)
{
    int64_t n = 0;
    int result = sim_channel(r, &step->index);

    step->chat = DC_CHANNEL;
    if (result == 0 && step->what == SIM_DO_TRACK && !sim_at_end(r))
        result = sim_integer(r, "pts", 1, INT32_MAX, &n);
    step->number = (int32_t)n;
    return result;
}

static int do_backfill(struct reader *r, sim_step_t *step)
{
    int64_t from;
    int64_t to;
    int result = sim_next_is(r, "common") ? 0 : do_channel(r, step);

    if (result != 0) return result;
    if (!sim_range(sim_word(r), &from, &to) || from < 1 || to > INT32_MAX)
        return sim_wrong(r, "backfill channel:1 FROM..TO: message ids, not '%s'", r->word);
    step->number = (int32_t)from;
    step->most = (int32_t)to;
    return 0;
}

static int do_finish(struct reader *r, sim_step_t *step)
{
    (void)r;
    (void)step;
    return 0;
}

static int do_handler(struct reader *r, sim_step_t *step)
{
    static const char *const names[] = {"ok", "fail", "later", "never"};
    int64_t n = 1;

    step->times = 1;
    if (sim_next_is(r, "always"))
        step->times = UINT32_MAX;
    else if (sim_next_integer(r, &n)) {
        if (n < 1 || n > 1000000) return sim_wrong(r, "so many times can't be: %lld", (long long)n);
        step->times = (uint32_t)n;
    }
    if (sim_next_is_chat(r, NULL)) {
        int result = sim_chat(r, &step->chat, &step->index);
        if (result != 0) return result;
    }
    int how = sim_find(names, GAP_ARRAY_LEN(names), sim_word(r));
    if (how < 0)
        return sim_wrong(r, "'%s' is no way to handle an update: ok, fail, later MS, never",
                         r->word);
    step->verdict = (sim_verdict_t)how;
    return how == SIM_LATER ? sim_time(r, &step->ms) : 0;
}

/* 5%, 0.05, 0 or 1. */
static bool to_chance(const char *text, double *out)
{
    double scale = 1;
    double value = 0;

    if (*text < '0' || *text > '9') return false;
    for (; *text >= '0' && *text <= '9' && value <= 100; text++) value = value * 10 + (*text - '0');
    if (*text == '.') {
        if (*++text == '\0') return false;
        for (; *text >= '0' && *text <= '9' && scale > 1e-9; text++)
            value += (*text - '0') * (scale /= 10);
    }
    if (*text == '%') {
        text++;
        value /= 100;
    }
    *out = value;
    return *text == '\0' && value <= 1;
}

static int read_chance(struct reader *r, double *out)
{
    const char *text = sim_word(r);

    if (to_chance(text, out)) return 0;
    return sim_wrong(r, "'%s' is no probability: write 0.05 or 5%%", text);
}

static int do_network(struct reader *r, sim_step_t *step)
{
    static const char *const names[] = {"loss", "late", "twice"};
    int fault = sim_find(names, GAP_ARRAY_LEN(names), sim_word(r));

    if (fault < 0) return sim_wrong(r, "network loss P, twice P or late P MS, not '%s'", r->word);
    step->fault = (sim_fault_t)fault;
    int result = read_chance(r, &step->chance);
    return result == 0 && fault == SIM_LATE ? sim_time(r, &step->ms) : result;
}

static int do_at(struct reader *r, sim_step_t *step)
{
    int result = sim_time(r, &step->ms);

    if (result != 0) return result;
    if (step->ms < r->now_ms)
        return sim_wrong(r, "%llu ms is over: the commands above take %llu ms at least",
                         (unsigned long long)step->ms, (unsigned long long)r->now_ms);
    r->now_ms = step->ms;
    return 0;
}

static int do_wait(struct reader *r, sim_step_t *step)
{
    int result = sim_time(r, &step->ms);

    if (result == 0) r->now_ms += step->ms;
    return result;
}

static const struct {
    const char *name;
    sim_do_t what;
    int (*read)(struct reader *r, sim_step_t *step);
} commands[] = {
    {"at", SIM_DO_AT, do_at},
    {"wait", SIM_DO_WAIT, do_wait},
    {"start", SIM_DO_START, do_start},
    {"network", SIM_DO_NETWORK, do_network},
    {"disconnect", SIM_DO_DISCONNECT, do_maybe_time},
    {"forget-session", SIM_DO_DISCONNECT, do_maybe_time},
    {"new-session", SIM_DO_NEW_SESSION, do_nothing},
    {"stall", SIM_DO_STALL, do_time},
    {"stall-socket", SIM_DO_STALL_SOCKET, do_time},
    {"stall-host", SIM_DO_STALL_HOST, do_time},
    {"suspend", SIM_DO_SUSPEND, do_suspend},
    {"clock-jump", SIM_DO_CLOCK_JUMP, do_number},
    {"restart", SIM_DO_RESTART, do_nothing},
    {"crash", SIM_DO_RESTART, do_crash},
    {"crash-in-handler", SIM_DO_CRASH_IN_HANDLER, do_number},
    {"fail-commits", SIM_DO_FAIL_COMMITS, do_number},
    {"handler", SIM_DO_HANDLER, do_handler},
    {"finish", SIM_DO_FINISH, do_finish},
    {"open", SIM_DO_OPEN, do_channel},
    {"close", SIM_DO_CLOSE, do_channel},
    {"track", SIM_DO_TRACK, do_channel},
    {"untrack", SIM_DO_UNTRACK, do_channel},
    {"backfill", SIM_DO_BACKFILL, do_backfill},
    {"logout", SIM_DO_LOGOUT, do_nothing},
    {"missed", SIM_DO_MISSED, do_nothing},
    {"garbled", SIM_DO_GARBLED, do_nothing},
    {"await", SIM_DO_AWAIT, sim_read_topic},
    {"expect", SIM_DO_EXPECT, sim_read_topic},
};

/* --- what the other reader sees ------------------------------------------------------------- */

static int copy(struct reader *r, const char *from, const char *to)
{
    return to > from ? gap_buf_append(&r->dc, from, (size_t)(to - from)) : 0;
}

/* The same, with times as the other reader knows them: in milliseconds. They stand behind `late`,
 * and at the end of an await; never in the text of a message. */
static int copy_timed(struct reader *r, const char *from, const char *to)
{
    const char *end = r->end;
    bool is_late = false;
    bool is_await = false;
    int result = 0;

    r->at = from;
    r->end = to;
    while (result == 0 && !sim_at_end(r)) {
        uint64_t ms;
        if ((is_late || is_await) && sim_next_time(r, &ms)) {
            char number[24];
            (void)snprintf(number, sizeof number, "%llu", (unsigned long long)ms);
            result = copy(r, from, r->at - strlen(r->word));
            if (result == 0) result = gap_buf_append(&r->dc, number, strlen(number));
            from = r->at;
            continue;
        }
        const char *word = sim_word(r);
        is_late = strcmp(word, "late") == 0;
        is_await |= strcmp(word, "await") == 0;
        if (strcmp(word, "message") == 0 || strcmp(word, "edit") == 0) break;
    }
    r->end = end;
    r->at = to;
    return result == 0 ? copy(r, from, to) : result;
}

/* All that is left of the line, from some point of it on. */
static int copy_rest(struct reader *r, const char *from)
{
    return copy_timed(r, from, r->end);
}

static int copy_text(struct reader *r, const char *text)
{
    return copy(r, text, text + strlen(text));
}

/* gapless-dc's commands for what a world of one server and one account has not. */
static int check_known(struct reader *r, const char *name)
{
    static const char *const foreign[] = {"peer-dc", "drop-dc", "move", "password", "duplicate"};

    if (sim_find(foreign, GAP_ARRAY_LEN(foreign), name) >= 0)
        return sim_wrong(r, "'%s' is for gapless-dc only: this world is one server and one account",
                         name);
    return 0;
}

/* --- words that are nearly right ------------------------------------------------------------- */

/* How many letters must be added, taken away or changed; counted up to 8. */
static size_t distance(const char *a, const char *b)
{
    size_t row[GAP_DC_SCRIPT_WORD + 1];
    size_t lb = strlen(b);

    for (size_t j = 0; j <= lb; j++) row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t before = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < lb; j++) {
            size_t change = before + (a[i] != b[j]);
            before = row[j + 1];
            size_t best = before < row[j] ? before : row[j];
            row[j + 1] = best + 1 < change ? best + 1 : change;
        }
    }
    return row[lb];
}

/* Words that would do in other languages. */
static const struct {
    const char *word;
    const char *right;
} hints[] = {
    {"send", "own message CHAT"},
    {"new_message", "message CHAT"},
    {"edit_message", "edit CHAT"},
    {"delete_messages", "delete CHAT"},
    {"callback_query", "query CHAT"},
    {"push", "an event, or raw"},
    {"sleep", "wait TIME"},
    {"kill", "crash"},
    {"stop", "restart"},
    {"lose", "drop EVENT"},
    {"loss", "network loss P"},
    {"repeat", "twice EVENT, or N EVENT"},
    {"reorder", "swap, or late MS EVENT"},
    {"container", "together ... end"},
    {"cut", "disconnect"},
    {"reconnect", "disconnect [MS]"},
    {"seed", "order SEED"},
    {"state", "begin or stored"},
    {"pts", "begin pts N"},
    {"bot", "account bot"},
    {"user", "account user"},
    {"assert", "expect"},
    {"check", "expect"},
    {"fail", "handler fail, or answer METHOD error CODE TEXT"},
    {"error", "answer METHOD error CODE TEXT"},
    {"login", "start, or logout"},
};

static int unknown(struct reader *r, const char *name)
{
    static const char *const others[] = {
        "message",     "edit",    "delete",   "pin",           "unpin",         "read",
        "query",       "status",  "qts",      "drop",          "late",          "twice",
        "hold",        "release", "swap",     "together",      "end",           "skip-seq",
        "leave",       "join",    "reset",    "answer",        "raw",           "own",
        "unreadable",  "revoke",  "account",  "gap-wait",      "continue",      "tail-sweep",
        "own-updates", "rtt",     "delay",    "decisions",     "limit",         "jitter",
        "order",       "store",   "begin",    "stored",        "channels",      "users",
        "groups",      "slice",   "too-long", "push-too-long", "channel-slice", "timeout"};
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; i < GAP_ARRAY_LEN(hints); i++)
        if (strcmp(hints[i].word, name) == 0)
            return sim_wrong(r, "'%s' is no command; write %s", name, hints[i].right);

    for (size_t i = 0; i < GAP_ARRAY_LEN(others) + GAP_ARRAY_LEN(commands); i++) {
        const char *one =
            i < GAP_ARRAY_LEN(others) ? others[i] : commands[i - GAP_ARRAY_LEN(others)].name;
        size_t d = distance(name, one);
        if (d >= least) continue;
        least = d;
        best = one;
    }
    if (best == NULL)
        return sim_wrong(r, "'%s' is no command; gapless-sim --help lists them", name);
    return sim_wrong(r, "'%s' is no command; is '%s' meant?", name, best);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* [N] [drop | twice | late MS | hold NAME]: taken, as far as it is there. */
static void skip_way(struct reader *r)
{
    int64_t n;

    (void)sim_next_integer(r, &n);
    if (sim_next_is(r, "drop") || sim_next_is(r, "twice")) return;
    if (sim_next_is(r, "late") || sim_next_is(r, "hold")) (void)sim_word(r);
}

/* [HOW] raw ..., [HOW] own ..., [HOW] unreadable ...: the rest of what the other reader makes an
 * event of. @return 1 it is none of these. */
static int event_line(struct reader *r)
{
    const char *start = r->at;
    sim_step_t step = {.what = SIM_DO_DC};
    int result = 0;

    skip_way(r);
    (void)sim_at_end(r);
    const char *head = r->at;
    if (sim_next_is(r, "raw")) {
        if ((result = sim_read_raw(r, &step.raw)) != 0) return result;
        const char *after = r->at;
        if ((result = copy_timed(r, start, head)) == 0) result = copy_text(r, STAND_IN);
        r->at = after;
    } else if (sim_next_is(r, "own") || sim_next_is(r, "unreadable") || sim_next_is(r, "poison")) {
        step.own = strcmp(r->word, "own") == 0;
        step.unreadable = !step.own;
        if (step.own && r->together)
            return sim_wrong(r, "'own' has a result of its own: it can't stand in a container");
        if (step.own && sim_next_is(r, "echo")) {
            step.echoed = true;
            result = sim_time(r, &step.ms);
        }
        if (result == 0 && sim_at_end(r))
            result = sim_wrong(r, "an event belongs here: message CHAT, edit CHAT ...");
        const char *event = r->at;
        if (result == 0) result = copy_timed(r, start, head);
        if (result == 0) result = copy_rest(r, event);
    } else {
        r->at = start;
        return 1;
    }
    return result == 0 ? sim_add(r, &step) : result;
}

/* together [HOW] [seq N [seq-start N]] */
static int together_line(struct reader *r, const char *start)
{
    sim_step_t step = {.what = SIM_DO_DC, .has_seq = true};
    int64_t n;

    r->together = true;
    skip_way(r);
    const char *stop = r->at;
    int result = copy_timed(r, start, stop);
    if (result != 0 || sim_at_end(r) || !sim_next_is(r, "seq")) {
        return result == 0 ? copy_rest(r, stop) : result;
    }
    if ((result = sim_integer(r, "seq", INT32_MIN, INT32_MAX, &n)) != 0) return result;
    step.number = step.from = (int32_t)n;
    if (sim_next_is(r, "seq-start")) {
        if ((result = sim_integer(r, "seq-start", INT32_MIN, INT32_MAX, &n)) != 0) return result;
        step.from = (int32_t)n;
    }
    return sim_add(r, &step);
}

/* answer [N|always] METHOD [channel:N] with ...; without `with` the whole line is the other's. */
static int answer_line(struct reader *r, const char *start)
{
    sim_step_t step = {.what = SIM_DO_DC};
    int64_t n;
    int result;

    if (!sim_next_is(r, "always")) (void)sim_next_integer(r, &n);
    (void)sim_word(r);
    if (sim_next_is_chat(r, NULL)) (void)sim_word(r);
    (void)sim_at_end(r);
    const char *stop = r->at;
    if (!sim_next_is(r, "with")) return copy_rest(r, start);
    if ((result = copy(r, start, stop)) != 0) return result;
    if ((result = copy_text(r, " ok")) != 0) return result;
    if ((result = sim_read_with(r)) != 0) return result;
    step.with = r->with;
    return sim_add(r, &step);
}

/* A line between `with` and its `end`. */
static int with_line(struct reader *r)
{
    sim_with_t *with = &r->script->withs[r->with - 1];
    uint32_t raw;

    if (sim_next_is(r, "end")) {
        r->with = 0;
        return 0;
    }
    if (!sim_next_is(r, "raw"))
        return sim_wrong(r, "'%s' can't stand in an answer by hand (line %u): raw lines, then end",
                         sim_word(r), (unsigned)r->with_at);
    int result = sim_read_raw(r, &raw);
    if (result == 0) with->raw_count++;
    return result;
}

/* A command of our own. @return 1 it is none. */
static int own_line(struct reader *r, const char *name)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(commands); i++) {
        sim_step_t step = {.what = commands[i].what};
        if (strcmp(commands[i].name, name) != 0) continue;
        if (r->together)
            return sim_wrong(r, "'%s' can't stand in a container: events, raw lines, then end",
                             name);
        int result = commands[i].read(r, &step);
        if (result == 1) return FOR_DC;
        return result != 0 ? result : sim_add(r, &step);
    }
    return 1;
}

static int other_line(struct reader *r, const char *start, const char *name)
{
    int64_t n;

    if (strcmp(name, "end") == 0) r->together = false;
    if (strcmp(name, "together") == 0) return together_line(r, start);
    if (strcmp(name, "answer") == 0) return answer_line(r, start);
    r->at = start;
    if (!sim_next_integer(r, &n) && !gap_dc_script_knows(name)) return unknown(r, name);
    int result = check_known(r, name);
    return result == 0 ? copy_rest(r, start) : result;
}

static int command(struct reader *r)
{
    /* Nothing happens by these: they may stand among settings. */
    static const char *const early[] = {"answer", "network", "handler"};
    const char *start = r->at;
    char name[GAP_DC_SCRIPT_WORD];
    int result;

    memcpy(name, sim_word(r), sizeof name);
    bool is_time = strcmp(name, "at") == 0;
    if ((result = sim_read_setting(r, name)) != 1) return result;
    if (r->first == 0 && sim_find(early, GAP_ARRAY_LEN(early), name) < 0) r->first = r->line;
    if ((result = own_line(r, name)) != 1) {
        if (result == FOR_DC) return copy_rest(r, start);
        if (result != 0 || !is_time || sim_at_end(r)) return result;
        if (sim_next_is(r, "at")) return sim_wrong(r, "one time is enough");
        return command(r);
    }
    r->at = start;
    if ((result = event_line(r)) != 1) return result;
    (void)sim_word(r);
    return other_line(r, start, name);
}

static int line(struct reader *r)
{
    int result;

    if (sim_at_end(r)) return 0;
    result = r->with != 0 ? with_line(r) : command(r);
    if (result == 0 && !sim_at_end(r))
        return sim_wrong(r, "'%s' is one word too many", sim_word(r));
    return result;
}

static int lines(struct reader *r, gap_bytes_t text)
{
    const char *at = (const char *)text.data;
    const char *end = at + text.len;
    int result = 0;

    while (at < end && result == 0) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) stop = end;
        r->line++;
        r->at = at;
        r->end = stop;
        result = memchr(at, '\0', (size_t)(stop - at)) == NULL
                     ? line(r)
                     : sim_wrong(r, "this is no text: there is a zero byte in it");
        if (result == 0) result = copy_text(r, "\n");
        at = stop < end ? stop + 1 : end;
    }
    if (result != 0 || r->with == 0) return result;
    r->line = r->with_at;
    return sim_wrong(r, "this answer by hand has no `end`");
}

/* --- both readers' steps in one row ----------------------------------------------------------- */

static bool fits(const sim_step_t *own, const gap_dc_step_t *dc)
{
    gap_dc_do_t what = own->with != 0 ? GAP_DC_DO_ANSWER
                       : own->has_seq ? GAP_DC_DO_TOGETHER
                                      : GAP_DC_DO_EVENT;
    return own->line == dc->line && dc->what == what;
}

static int merge(struct reader *r, const gap_dc_script_t *dc)
{
    sim_script_t *s = r->script;
    sim_step_t *own = s->steps;
    const sim_step_t *about = NULL; /* what the other reader's next step is more than that */
    uint32_t count = s->count;
    uint32_t i = 0;
    uint32_t j = 0;
    int result = 0;

    s->steps = NULL;
    s->count = s->cap = 0;
    while (result == 0 && (i < count || j < dc->count)) {
        if (i < count && (j == dc->count || own[i].line <= dc->steps[j].line)) {
            r->line = own[i].line;
            if (own[i].what == SIM_DO_DC)
                about = &own[i];
            else
                result = sim_add(r, &own[i]);
            i++;
            continue;
        }
        sim_step_t step = {.what = SIM_DO_DC};
        if (about != NULL && fits(about, &dc->steps[j])) step = *about;
        step.dc = dc->steps[j++];
        r->line = step.dc.line;
        result = sim_add(r, &step);
    }
    gap_free(s->alloc, own);
    return result;
}

static void defaults(sim_settings_t *set)
{
    dc_options_init(&set->server);
    set->server.channels = 10;
    set->gap_wait_ms = 500;
    set->jitter_permille = UINT32_MAX;
    set->store_ms = 50;
    set->rtt_ms = 20;
    set->pts = set->qts = 1;
}

/* What the other reader says: "line N: why". */
static int read_dc(struct reader *r, gap_dc_script_t *dc)
{
    char error[SIM_TEXT] = "";
    char *why = error;
    int result =
        gap_dc_script_read(r->script->alloc, gap_buf_view(&r->dc), dc, error, sizeof error);

    if (result != GAP_E_ARGUMENT) return result;
    if (strncmp(error, "line ", 5) == 0) {
        r->line = (uint32_t)strtoul(error + 5, &why, 10);
        why += strspn(why, ": ");
    }
    return sim_wrong(r, "%s", why);
}

int sim_script_read(const gap_alloc_t *alloc, gap_bytes_t text, sim_script_t *out,
                    uint32_t *line_no, char *error, size_t error_cap)
{
    struct reader r = {.script = out, .error = error, .error_cap = error_cap};
    gap_dc_script_t dc;

    memset(out, 0, sizeof *out);
    memset(&dc, 0, sizeof dc);
    out->alloc = alloc;
    defaults(&out->set);
    if (text.len > SIM_SCRIPT_BYTES) return GAP_E_LIMIT;
    gap_buf_init(&r.dc, alloc);
    int result = lines(&r, text);
    if (result == 0) result = read_dc(&r, &dc);
    if (result == 0) result = merge(&r, &dc);
    *line_no = r.line;
    gap_dc_script_fini(&dc);
    gap_buf_fini(&r.dc);
    return result;
}

void sim_script_fini(sim_script_t *s)
{
    if (s->alloc != NULL) {
        gap_free(s->alloc, s->steps);
        gap_free(s->alloc, s->raws);
        gap_free(s->alloc, s->withs);
        gap_free(s->alloc, s->labels);
    }
    memset(s, 0, sizeof *s);
}
