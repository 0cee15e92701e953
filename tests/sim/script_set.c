/*
 * tests/sim/script_set.c - reads the settings at the top of a script. Owns nothing.
 */
#include "base/bytes.h"
#include "script_in.h"

static int is_on(struct reader *r, const char *on, const char *off, bool *out)
{
    if (sim_next_is(r, on))
        *out = true;
    else if (sim_next_is(r, off))
        *out = false;
    else
        return sim_wrong(r, "%s or %s belongs here, not '%s'", on, off, sim_word(r));
    return 0;
}

static int milliseconds(struct reader *r, uint32_t *out)
{
    uint64_t ms;
    int result = sim_time(r, &ms);

    if (result == 0 && ms > UINT32_MAX / 1000) return sim_wrong(r, "at most 4294967 ms");
    if (result == 0) *out = (uint32_t)ms;
    return result;
}

static int number(struct reader *r, const char *what, uint32_t min, uint32_t max, uint32_t *out)
{
    int64_t n;
    int result = sim_integer(r, what, min, max, &n);

    if (result == 0) *out = (uint32_t)n;
    return result;
}

static int set_account(struct reader *r)
{
    return is_on(r, "bot", "user", &r->script->set.bot);
}

static int set_gap_wait(struct reader *r)
{
    sim_settings_t *set = &r->script->set;

    set->gap_learned = sim_next_is(r, "learned");
    int result = set->gap_learned ? 0 : milliseconds(r, &set->gap_wait_ms);
    if (result == 0 && !set->gap_learned && set->gap_wait_ms == 0)
        return sim_wrong(r, "a gap waits 1 ms at least");
    return result;
}

static int set_continue(struct reader *r)
{
    return is_on(r, "on", "off", &r->script->set.gap_continue);
}

static int set_sweep(struct reader *r)
{
    return is_on(r, "on", "off", &r->script->set.tail_sweep);
}

static int set_own(struct reader *r)
{
    return is_on(r, "off", "on", &r->script->set.no_own);
}

static int set_decisions(struct reader *r)
{
    return is_on(r, "on", "off", &r->script->set.decisions);
}

static int set_rtt(struct reader *r)
{
    return milliseconds(r, &r->script->set.rtt_ms);
}

static int set_delay(struct reader *r)
{
    return milliseconds(r, &r->script->set.delay_ms);
}

static int set_limit(struct reader *r)
{
    sim_settings_t *set = &r->script->set;

    if (sim_next_is(r, "inbox")) return number(r, "inbox", 1, 1000000, &set->inbox);
    if (sim_next_is(r, "channel-requests"))
        return number(r, "channel-requests", 1, 1000, &set->channel_requests);
    if (sim_next_is(r, "difference"))
        return number(r, "difference", 1, 100000, &set->difference_limit);
    if (sim_next_is(r, "idle")) return sim_time(r, &set->idle_ms);
    return sim_wrong(r, "'%s' is no limit: inbox, channel-requests, difference, idle", sim_word(r));
}

static int set_jitter(struct reader *r)
{
    sim_settings_t *set = &r->script->set;

    set->jitter_permille = UINT32_MAX;
    return sim_next_is(r, "off") ? 0 : number(r, "jitter", 1, 1000, &set->jitter_permille);
}

static int set_order(struct reader *r)
{
    int64_t n = 0;
    int result = 0;

    if (!sim_next_is(r, "fifo")) result = sim_integer(r, "order", 1, INT64_C(1000000000000000), &n);
    r->script->set.seed = (uint64_t)n;
    return result;
}

static int set_store(struct reader *r)
{
    sim_settings_t *set = &r->script->set;

    set->store_ms = SIM_NEVER;
    return sim_next_is(r, "never") ? 0 : sim_time(r, &set->store_ms);
}

/* channel:N or channel:N..M, and a pts. */
static int named(struct reader *r, sim_named_t *list, uint32_t *count)
{
    sim_named_t one = {0};
    int64_t from;
    int64_t to;
    int64_t pts;
    const char *text = sim_word(r);

    if (!sim_range(text + 8, &from, &to) || from < 1 || to > SIM_CHANNELS_MAX)
        return sim_wrong(r, "'%s' is no channel: write channel:1 or channel:1..10", text);
    if (*count == SIM_NAMED)
        return sim_wrong(r, "at most %u such lines; channel:1..10 takes many at once", SIM_NAMED);
    int result = sim_integer(r, "pts", 1, INT32_MAX, &pts);
    if (result != 0) return result;
    one.index = (uint32_t)(from - 1);
    one.count = (uint32_t)(to - from + 1);
    one.pts = (int32_t)pts;
    for (;;) {
        if (sim_next_is(r, "unfinished"))
            one.unfinished = true;
        else if (sim_next_is(r, "no-hash"))
            one.no_hash = true;
        else
            break;
    }
    list[(*count)++] = one;
    return 0;
}

static int set_begin(struct reader *r)
{
    sim_settings_t *set = &r->script->set;
    int64_t n;
    int result = 0;

    if (sim_next_is_chat(r, "channel:")) return named(r, set->begin, &set->begin_count);
    do {
        int32_t *to = sim_next_is(r, "pts")   ? &set->pts
                      : sim_next_is(r, "qts") ? &set->qts
                      : sim_next_is(r, "seq") ? &set->seq
                                              : NULL;
        if (to == NULL)
            return sim_wrong(r,
                             "begin is followed by pts N, qts N, seq N or channel:N PTS, not "
                             "by '%s'",
                             sim_word(r));
        result = sim_integer(r, r->word, to == &set->seq ? 0 : 1, INT32_MAX, &n);
        if (result == 0) *to = (int32_t)n;
    } while (result == 0 && !sim_at_end(r));
    return result;
}

static int set_stored(struct reader *r)
{
    sim_settings_t *set = &r->script->set;
    int64_t n;
    int result = 0;

    if (sim_next_is(r, "nothing")) {
        set->fresh = true;
        return 0;
    }
    set->has_stored = true;
    if (sim_next_is_chat(r, "channel:")) return named(r, set->stored, &set->stored_count);
    do {
        int32_t *to = sim_next_is(r, "pts")   ? &set->stored_pts
                      : sim_next_is(r, "qts") ? &set->stored_qts
                      : sim_next_is(r, "seq") ? &set->stored_seq
                                              : NULL;
        if (to == NULL && !sim_next_is(r, "ago"))
            return sim_wrong(r,
                             "stored is followed by nothing, pts N, qts N, seq N, ago SECONDS "
                             "or channel:N PTS, not by '%s'",
                             sim_word(r));
        if (to == NULL) {
            result = number(r, "ago", 0, 1000000000, &set->stored_ago_s);
        } else {
            result = sim_integer(r, "the position", 0, INT32_MAX, &n);
            if (result == 0) *to = (int32_t)n;
        }
    } while (result == 0 && !sim_at_end(r));
    return result;
}

static int percent(struct reader *r, uint32_t *out)
{
    const char *text = sim_word(r);
    uint32_t n = 0;

    if (*text == '\0') return sim_wrong(r, "a percentage belongs here: 30%%");
    for (; *text >= '0' && *text <= '9' && n <= 100; text++) n = n * 10 + (uint32_t)(*text - '0');
    if (*text == '%') text++;
    if (*text != '\0' || n > 100) return sim_wrong(r, "'%s' is no percentage: 30%%", r->word);
    *out = n;
    return 0;
}

/* What the server has, and its limits. */
static int set_server(struct reader *r, const char *name)
{
    dc_options_t *o = &r->script->set.server;
    const struct {
        const char *name;
        uint32_t min, max;
        uint32_t *to;
    } numbers[] = {
        {"channels", 0, SIM_CHANNELS_MAX, &o->channels},
        {"users", 1, 100000, &o->users},
        {"groups", 0, 1000, &o->groups},
        {"slice", 1, 1000000, &o->slice},
        {"channel-slice", 1, 1000000, &o->channel_slice},
        {"too-long", 1, 100000000, &o->difference_max},
        {"channel-too-long", 1, 100000000, &o->channel_diff_max},
        {"timeout", 0, 1000000, &o->timeout_s},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(numbers); i++)
        if (strcmp(numbers[i].name, name) == 0)
            return number(r, numbers[i].name, numbers[i].min, numbers[i].max, numbers[i].to);
    if (strcmp(name, "min") == 0) return percent(r, &o->min_percent);
    if (strcmp(name, "short") == 0) return percent(r, &o->short_percent);
    return 1;
}

static const struct {
    const char *name;
    int (*read)(struct reader *r);
} settings[] = {
    {"account", set_account},  {"gap-wait", set_gap_wait},   {"continue", set_continue},
    {"tail-sweep", set_sweep}, {"own-updates", set_own},     {"rtt", set_rtt},
    {"delay", set_delay},      {"limit", set_limit},         {"jitter", set_jitter},
    {"order", set_order},      {"store", set_store},         {"begin", set_begin},
    {"stored", set_stored},    {"decisions", set_decisions},
};

int sim_read_setting(struct reader *r, const char *name)
{
    int result = 1;

    for (size_t i = 0; i < GAP_ARRAY_LEN(settings) && result == 1; i++)
        if (strcmp(settings[i].name, name) == 0) result = settings[i].read(r);
    if (result == 1) result = set_server(r, name);
    if (result == 1) return 1;
    if (result == 0 && r->first != 0)
        return sim_wrong(r, "'%s' is a setting: it stands at the top, above line %u", name,
                         (unsigned)r->first);
    return result;
}
