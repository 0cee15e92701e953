/*
 * tests/sim/script_meet.c - expect and await: what has been seen against what a script says.
 * Owns nothing. An expectation that is not met is a line of the trace and one on stderr; the script
 * goes on.
 */
#include "base/bytes.h"
#include "script_run.h"

#include <stdarg.h>

GAP_PRINTF(3, 4)
static void unmet(struct sim_run *r, const sim_step_t *step, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->unmet++;
    sim_trace(r, "unmet", "%u: %s", (unsigned)step->line, text);
    (void)fprintf(r->err, "%s:%u: at %llu ms: %s\n", r->name, (unsigned)step->line,
                  (unsigned long long)sim_now_ms(r), text);
}

static void judge_count(struct sim_run *r, const sim_step_t *step, int64_t count, int64_t least,
                        int64_t most, const char *what)
{
    char wanted[64];

    if (count >= least && count <= most) return;
    if (most >= INT32_MAX)
        (void)snprintf(wanted, sizeof wanted, "%lld or more", (long long)least);
    else if (least == most)
        (void)snprintf(wanted, sizeof wanted, "%lld", (long long)least);
    else
        (void)snprintf(wanted, sizeof wanted, "%lld to %lld", (long long)least, (long long)most);
    unmet(r, step, "%s: %s expected, there are %lld", what, wanted, (long long)count);
}

/* --- calls ------------------------------------------------------------------------------------ */

static bool is_call(const struct sim_run *r, const sim_step_t *step, const struct sim_call *call)
{
    if (call->method != step->dc.method) return false;
    return step->dc.chat != DC_CHANNEL || call->channel == sim_step_channel(r, step);
}

/* Calls count from the last time that the same was asked. */
static void expect_method(struct sim_run *r, const sim_step_t *step)
{
    uint32_t from = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < r->at; i++) {
        const sim_step_t *s = &r->script.steps[i];
        if (s->what == SIM_DO_DC && s->dc.what == GAP_DC_DO_EXPECT &&
            s->dc.method == step->dc.method && s->dc.chat == step->dc.chat &&
            s->dc.index == step->dc.index)
            from = r->expected[i];
    }
    for (uint32_t i = from; i < r->calls.count; i++) count += is_call(r, step, &r->calls.items[i]);
    r->expected[r->at] = r->calls.count;
    judge_count(r, step, count, step->dc.number,
                step->dc.most == UINT32_MAX ? INT32_MAX : (int64_t)step->dc.most,
                gap_tl_name(step->dc.method));
}

/* The next call of a method, taken. */
static bool take_awaited(struct sim_run *r, const sim_step_t *step)
{
    for (uint32_t i = r->awaited; i < r->calls.count; i++) {
        if (!is_call(r, step, &r->calls.items[i])) continue;
        r->awaited = i + 1;
        return true;
    }
    return false;
}

/* --- updates ---------------------------------------------------------------------------------- */

static const char *label_at(const struct sim_run *r, const sim_step_t *step, uint32_t i)
{
    return r->script.labels[step->label + i];
}

/* What was applied since the last such expectation, in words. */
static void applied_text(const struct sim_run *r, char *out, size_t cap)
{
    size_t len = 0;

    (void)snprintf(out, cap, "nothing");
    for (uint32_t i = r->applied_from; i < r->applied.count && len + SIM_LABEL < cap; i++) {
        int n = snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : ", ", r->applied.items[i]);
        len += (size_t)n;
    }
}

static void expect_in_order(struct sim_run *r, const sim_step_t *step)
{
    uint32_t count = r->applied.count - r->applied_from;
    char was[256];

    applied_text(r, was, sizeof was);
    for (uint32_t i = 0; i < step->label_count || i < count; i++) {
        const char *want = i < step->label_count ? label_at(r, step, i) : NULL;
        const char *have = i < count ? r->applied.items[r->applied_from + i] : NULL;
        if (want != NULL && have != NULL && strcmp(want, have) == 0) continue;
        unmet(r, step, "applied, at place %u: %s expected, there is %s; in all: %s",
              (unsigned)(i + 1), want == NULL ? "nothing more" : want,
              have == NULL ? "nothing more" : have, was);
        break;
    }
    r->applied_from = r->applied.count;
}

static uint32_t times_wanted(const struct sim_run *r, const sim_step_t *step, const char *label)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < step->label_count; i++)
        count += strcmp(label_at(r, step, i), label) == 0;
    return count;
}

static uint32_t times_applied(const struct sim_run *r, uint32_t from, const char *label)
{
    uint32_t count = 0;

    for (uint32_t i = from; i < r->applied.count; i++)
        count += strcmp(r->applied.items[i], label) == 0;
    return count;
}

static void expect_any_order(struct sim_run *r, const sim_step_t *step)
{
    char was[256];
    const char *odd = NULL;

    applied_text(r, was, sizeof was);
    for (uint32_t i = 0; i < step->label_count && odd == NULL; i++) {
        const char *label = label_at(r, step, i);
        if (times_wanted(r, step, label) != times_applied(r, r->applied_from, label)) odd = label;
    }
    for (uint32_t i = r->applied_from; i < r->applied.count && odd == NULL; i++)
        if (times_wanted(r, step, r->applied.items[i]) == 0) odd = r->applied.items[i];
    if (odd != NULL)
        unmet(r, step, "applied: %s %u times expected, it came %u times; in all: %s", odd,
              (unsigned)times_wanted(r, step, odd),
              (unsigned)times_applied(r, r->applied_from, odd), was);
    r->applied_from = r->applied.count;
}

static void expect_not_applied(struct sim_run *r, const sim_step_t *step)
{
    for (uint32_t i = 0; i < step->label_count; i++)
        if (times_applied(r, 0, label_at(r, step, i)) > 0)
            unmet(r, step, "%s was applied", label_at(r, step, i));
}

/* --- the trace, events ------------------------------------------------------------------------ */

/* Lines that hold the text; those that tell the script itself do not count. */
static uint32_t lines_with(const struct sim_run *r, const char *text)
{
    const char *at = (const char *)r->trace.data;
    const char *end = at + r->trace.len;
    size_t len = strlen(text);
    uint32_t count = 0;

    while (at != NULL && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *what = memchr(at, ']', (size_t)(stop - at));
        bool is_script = what != NULL && what + 2 < stop && what[2] == '>';
        if (!is_script && memmem(at, (size_t)(stop - at), text, len) != NULL) count++;
        at = stop + 1;
    }
    return count;
}

static void expect_event(struct sim_run *r, const sim_step_t *step)
{
    int64_t channel = step->box == SIM_CHANNEL ? sim_step_channel(r, step) : 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < r->events.count; i++) {
        const struct sim_happening *e = &r->events.items[i];
        if (e->event != step->event) continue;
        if (step->box != SIM_ANY_BOX && e->box != step->box) continue;
        if (channel != 0 && e->channel != channel) continue;
        if (step->has_range && (e->from != step->from || e->to != step->to)) continue;
        count++;
    }
    judge_count(r, step, count, step->number, step->most, "such events");
}

/* --- numbers ---------------------------------------------------------------------------------- */

static int32_t channel_position(const struct sim_run *r, int64_t id)
{
    gap_engine_channel_t c;
    size_t it = 0;
    int32_t pts = 0;

    while (gap_engine_next_channel(globe_engine(r->globe), &it, &c))
        if (c.id == id) pts = c.pts;
    return pts;
}

static void expect_position(struct sim_run *r, const sim_step_t *step)
{
    gap_engine_state_t s;
    int32_t now = 0;

    if (globe_engine(r->globe) == NULL) {
        unmet(r, step, "the account is not running");
        return;
    }
    if (step->box == SIM_CHANNEL)
        now = channel_position(r, sim_step_channel(r, step));
    else if (gap_engine_export(globe_engine(r->globe), &s) == 0)
        now = step->box == SIM_COMMON ? s.pts : step->box == SIM_QTS ? s.qts : s.seq;
    if (now != step->number)
        unmet(r, step, "position %d expected, it is %d", (int)step->number, (int)now);
}

static void expect_stored(struct sim_run *r, const sim_step_t *step)
{
    struct sim_stored s = {false, 0, 0};

    if (step->box != SIM_CHANNEL) {
        s = r->stored_box[step->box];
    } else {
        for (uint32_t i = 0; i < r->stored.count; i++)
            if (r->stored.items[i].channel == sim_step_channel(r, step)) s = r->stored.items[i];
    }
    if (s.known == (step->number >= 0) && (!s.known || s.pts == step->number)) return;
    if (!s.known)
        unmet(r, step, "%d expected, nothing is stored", (int)step->number);
    else if (step->number < 0)
        unmet(r, step, "nothing expected, %d is stored", (int)s.pts);
    else
        unmet(r, step, "%d expected, %d is stored", (int)step->number, (int)s.pts);
}

static void expect_counter(struct sim_run *r, const sim_step_t *step)
{
    gap_engine_counters_t c;
    uint64_t value = 0;

    if (globe_engine(r->globe) == NULL) {
        unmet(r, step, "the account is not running");
        return;
    }
    gap_engine_counters(globe_engine(r->globe), &c);
    memcpy(&value, (const char *)&c + sim_counter_at(step->text), sizeof value);
    judge_count(r, step, (int64_t)value, step->number, step->most, step->text);
}

/* --- both ---------------------------------------------------------------------------------------
 */

void sim_expect(struct sim_run *r, const sim_step_t *step)
{
    char what[SIM_TEXT + 32];

    if (step->what == SIM_DO_DC) {
        expect_method(r, step);
        return;
    }
    switch (step->topic) {
    case SIM_APPLIED:
        expect_in_order(r, step);
        return;
    case SIM_ANY_ORDER:
        expect_any_order(r, step);
        return;
    case SIM_NOT_APPLIED:
        expect_not_applied(r, step);
        return;
    case SIM_TRACE:
        (void)snprintf(what, sizeof what, "lines with \"%s\"", step->text);
        judge_count(r, step, lines_with(r, step->text), step->number, step->most, what);
        return;
    case SIM_CALLS:
        judge_count(r, step, r->calls.count - r->calls_from, step->number, step->most, "calls");
        r->calls_from = r->calls.count;
        return;
    case SIM_EVENT:
        expect_event(r, step);
        return;
    case SIM_POSITION:
        expect_position(r, step);
        return;
    case SIM_STORED:
        expect_stored(r, step);
        return;
    case SIM_COUNTER:
        expect_counter(r, step);
        return;
    case SIM_QUIET:
        return;
    }
}

static bool is_so(struct sim_run *r, const sim_step_t *step)
{
    if (step->what == SIM_DO_DC) return take_awaited(r, step);
    switch (step->topic) {
    case SIM_APPLIED:
        return times_applied(r, r->applied_from, label_at(r, step, 0)) > 0;
    case SIM_TRACE:
        return lines_with(r, step->text) > 0;
    default:
        return globe_is_quiet(r->globe);
    }
}

void sim_await(struct sim_run *r, const sim_step_t *step)
{
    uint64_t until = sim_now_ms(r) + (step->what == SIM_DO_DC ? step->dc.number : step->ms);

    globe_run(r->globe, r->base_ms + sim_now_ms(r));
    while (!is_so(r, step)) {
        if (sim_now_ms(r) >= until) {
            if (step->what == SIM_DO_DC)
                unmet(r, step, "%s did not come in time", gap_tl_name(step->dc.method));
            else
                unmet(r, step, "what is awaited did not come in time");
            return;
        }
        globe_run(r->globe, r->base_ms + sim_now_ms(r) + 1);
    }
}
