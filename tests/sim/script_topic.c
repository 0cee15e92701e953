/*
 * tests/sim/script_topic.c - reads what is expected and awaited: labels, events, positions,
 * counters. Owns nothing.
 */
#include "base/bytes.h"
#include "script_in.h"

#include <gapless/engine.h>
#include <stddef.h>
#include <stdio.h>

static const char *const event_names[] = {
    "started", "caught-up", "gap",    "healed", "fetched",    "abandoned",      "resynchronised",
    "lost",    "failed",    "behind", "shed",   "signed-out", "handler-failed", "backfilled"};

/* --- labels --------------------------------------------------------------------------------- */

static const char *const label_kinds[] = {"edit",
                                          "delete",
                                          "pin",
                                          "unpin",
                                          "read",
                                          "read-by-them",
                                          "webpage",
                                          "empty",
                                          "query",
                                          "status",
                                          "typing",
                                          "random",
                                          "stopped",
                                          "chat-participant",
                                          "channel-participant",
                                          "reaction",
                                          "reactions",
                                          "encrypted",
                                          "business-delete"};

static int add_label(struct reader *r, sim_step_t *step, const char *text)
{
    sim_script_t *s = r->script;
    int result = sim_grow(s, (void **)&s->labels, &s->label_cap, s->label_count, sizeof *s->labels,
                          SIM_SCRIPT_LABELS);

    if (result == GAP_E_LIMIT)
        return sim_wrong(r, "more than %u labels in one script", SIM_SCRIPT_LABELS);
    if (result != 0) return result;
    (void)snprintf(s->labels[s->label_count++], SIM_LABEL, "%s", text);
    step->label_count++;
    return 0;
}

/* [CHANNEL:]FROM[..TO] */
static int add_numbers(struct reader *r, sim_step_t *step, const char *kind, const char *text)
{
    char label[SIM_LABEL];
    const char *colon = strchr(text, ':');
    int64_t from;
    int64_t to;
    int result = 0;

    if (!sim_range(colon == NULL ? text : colon + 1, &from, &to) ||
        (colon != NULL && colon == text))
        return sim_wrong(r, "'%s' is no label: write 12, 1:12 (of channel:1), 11..14 or edit 12",
                         text);
    for (const char *at = text; colon != NULL && at < colon; at++)
        if (*at < '0' || *at > '9')
            return sim_wrong(r, "'%s' is no label: 1:12 is message 12 of channel:1", text);
    if (to - from >= SIM_SCRIPT_LABELS) return sim_wrong(r, "'%s' are too many", text);
    for (int64_t id = from; id <= to && result == 0; id++) {
        (void)snprintf(label, sizeof label, "%s%s%.*s%lld", kind, kind[0] == '\0' ? "" : " ",
                       colon == NULL ? 0 : (int)(colon + 1 - text), text, (long long)id);
        result = add_label(r, step, label);
    }
    return result;
}

static int read_label(struct reader *r, sim_step_t *step)
{
    const char *text = sim_word(r);
    int kind = sim_find(label_kinds, GAP_ARRAY_LEN(label_kinds), text);

    if (strncmp(text, "update", 6) == 0) return add_label(r, step, text);
    if (strcmp(text, "message") == 0) return 0; /* says what a bare number is anyway */
    if (kind < 0) return add_numbers(r, step, "", text);
    if (sim_at_end(r)) return sim_wrong(r, "'%s' is followed by its number: edit 12", text);
    return add_numbers(r, step, label_kinds[kind], sim_word(r));
}

int sim_read_labels(struct reader *r, sim_step_t *step)
{
    int result = 0;

    step->label = r->script->label_count;
    if (sim_next_is(r, "nothing")) return 0;
    if (sim_at_end(r)) return sim_wrong(r, "labels belong here: 12, 1:12, edit 12; or nothing");
    while (result == 0 && !sim_at_end(r)) result = read_label(r, step);
    return result;
}

/* --- topics --------------------------------------------------------------------------------- */

static int read_sequence(struct reader *r, sim_step_t *step)
{
    static const char *const names[] = {"common", "qts", "seq"};
    int box;

    if (sim_next_is_chat(r, "channel:")) {
        step->box = SIM_CHANNEL;
        return sim_channel(r, &step->index);
    }
    if ((box = sim_find(names, GAP_ARRAY_LEN(names), sim_word(r))) < 0)
        return sim_wrong(r, "'%s' is no sequence: common, qts, seq or channel:1", r->word);
    step->box = (sim_box_t)box;
    return 0;
}

/* N [M|or-more]; nothing: what `number` and `most` are. */
static int read_count(struct reader *r, sim_step_t *step, bool required)
{
    int64_t n = 0;

    if (!required && sim_at_end(r)) return 0;
    int result = sim_integer(r, "the number of times", 0, INT32_MAX - 1, &n);
    if (result != 0) return result;
    step->number = step->most = (int32_t)n;
    if (sim_next_is(r, "or-more"))
        step->most = INT32_MAX;
    else if (sim_next_integer(r, &n))
        step->most = n < INT32_MAX && n >= 0 ? (int32_t)n : INT32_MAX;
    return step->most < step->number ? sim_wrong(r, "at most is less than at least") : 0;
}

static bool next_is_range(struct reader *r, sim_step_t *step)
{
    const char *before = r->at;
    int64_t from;
    int64_t to;
    const char *text = sim_word(r);

    if (strstr(text, "..") == NULL || !sim_range(text, &from, &to)) {
        r->at = before;
        return false;
    }
    step->has_range = true;
    step->from = (int32_t)from;
    step->to = (int32_t)to;
    return true;
}

static int read_event(struct reader *r, sim_step_t *step)
{
    int result = 0;

    step->topic = SIM_EVENT;
    step->box = SIM_ANY_BOX;
    step->event = sim_find(event_names, GAP_ARRAY_LEN(event_names), sim_word(r));
    if (step->event < 0)
        return sim_wrong(
            r,
            "'%s' is no event: started, caught-up, gap, healed, fetched, abandoned, "
            "resynchronised, lost, failed, behind, shed, signed-out, handler-failed, backfilled",
            r->word);
    if (sim_at_end(r)) return 0;
    bool is_number = *r->at >= '0' && *r->at <= '9';
    if (!is_number) result = read_sequence(r, step);
    if (result == 0) (void)next_is_range(r, step);
    return result == 0 ? read_count(r, step, false) : result;
}

static int read_position(struct reader *r, sim_step_t *step)
{
    int64_t n = -1;
    int result = read_sequence(r, step);

    if (result == 0 && !(step->topic == SIM_STORED && sim_next_is(r, "nothing")))
        result = sim_integer(r, "the position", 0, INT32_MAX, &n);
    step->number = (int32_t)n;
    return result;
}

#define COUNTER(name)                                                                              \
    {                                                                                              \
#name, offsetof(gap_engine_counters_t, name)                                               \
    }

static const struct {
    const char *name;
    size_t at;
} counters[] = {
    COUNTER(applied),        COUNTER(duplicates), COUNTER(malformed),
    COUNTER(gaps),           COUNTER(healed),     COUNTER(fetched),
    COUNTER(differences),    COUNTER(behind),     COUNTER(channel_differences),
    COUNTER(shed),           COUNTER(held),       COUNTER(held_bytes),
    COUNTER(later),          COUNTER(sequences),  COUNTER(active),
    COUNTER(undecodable),    COUNTER(abandoned),  COUNTER(own),
    COUNTER(failed_handler),
};

int sim_counter_at(const char *name)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(counters); i++)
        if (strcmp(counters[i].name, name) == 0) return (int)counters[i].at;
    return -1;
}

static int read_counter(struct reader *r, sim_step_t *step)
{
    step->topic = SIM_COUNTER;
    (void)snprintf(step->text, sizeof step->text, "%s", sim_word(r));
    if (sim_counter_at(step->text) < 0)
        return sim_wrong(r,
                         "'%s' is no counter: applied, duplicates, malformed, gaps, healed, "
                         "fetched, differences, channel_differences, behind, shed, held, later, "
                         "undecodable, failed_handler, abandoned, own",
                         step->text);
    return read_count(r, step, true);
}

static int read_trace(struct reader *r, sim_step_t *step)
{
    int result = sim_quoted(r, step->text);

    step->topic = SIM_TRACE;
    if (result == 0 && step->text[0] == '\0') return sim_wrong(r, "every line contains \"\"");
    return result;
}

static bool is_method(const char *text)
{
    for (; *text != '\0'; text++)
        if ((*text >= 'A' && *text <= 'Z') || *text == '.') return true;
    return false;
}

static int read_no(struct reader *r, sim_step_t *step)
{
    static const char *const names[] = {"trace", "event", "calls"};
    int which = sim_find(names, GAP_ARRAY_LEN(names), sim_word(r));
    int result = 0;

    if (which < 0) return sim_wrong(r, "expect no trace, no event or no calls, not '%s'", r->word);
    if (which == 0) result = read_trace(r, step);
    if (which == 1) result = read_event(r, step);
    if (which == 2) step->topic = SIM_CALLS;
    step->number = step->most = 0;
    return result;
}

static int read_expect(struct reader *r, sim_step_t *step)
{
    const char *text = sim_word(r);

    step->number = 1;
    step->most = INT32_MAX;
    if (is_method(text)) return 1;
    if (strcmp(text, "no") == 0) return read_no(r, step);
    if (strcmp(text, "event") == 0) return read_event(r, step);
    if (strcmp(text, "counter") == 0) return read_counter(r, step);
    if (strcmp(text, "applied") == 0) {
        step->topic = sim_next_is(r, "any-order") ? SIM_ANY_ORDER : SIM_APPLIED;
        return sim_read_labels(r, step);
    }
    if (strcmp(text, "not-applied") == 0) {
        step->topic = SIM_NOT_APPLIED;
        return sim_read_labels(r, step);
    }
    if (strcmp(text, "trace") == 0) {
        int result = read_trace(r, step);
        return result == 0 ? read_count(r, step, false) : result;
    }
    if (strcmp(text, "calls") == 0) {
        step->topic = SIM_CALLS;
        return read_count(r, step, true);
    }
    step->topic = strcmp(text, "stored") == 0 ? SIM_STORED : SIM_POSITION;
    if (strcmp(text, "position") == 0 || strcmp(text, "stored") == 0) return read_position(r, step);
    return sim_wrong(r,
                     "nothing called '%s' can be expected: METHOD, applied, not-applied, trace, "
                     "no, event, calls, position, stored, counter",
                     text);
}

static int read_await(struct reader *r, sim_step_t *step)
{
    const char *text = sim_word(r);
    int result = 0;

    step->ms = 10000;
    if (is_method(text)) return 1;
    if (strcmp(text, "applied") == 0) {
        step->topic = SIM_APPLIED;
        step->label = r->script->label_count;
        if (sim_at_end(r)) return sim_wrong(r, "a label belongs here: 12, 1:12, edit 12");
        result = read_label(r, step);
        if (result == 0 && step->label_count != 1)
            result = sim_wrong(r, "one label is awaited, not several");
    } else if (strcmp(text, "trace") == 0) {
        result = read_trace(r, step);
    } else if (strcmp(text, "quiet") == 0) {
        step->topic = SIM_QUIET;
    } else {
        return sim_wrong(r, "'%s' can't be awaited: METHOD, applied LABEL, trace \"TEXT\", quiet",
                         text);
    }
    if (result == 0 && !sim_at_end(r)) result = sim_time(r, &step->ms);
    return result;
}

int sim_read_topic(struct reader *r, sim_step_t *step)
{
    return step->what == SIM_DO_AWAIT ? read_await(r, step) : read_expect(r, step);
}
