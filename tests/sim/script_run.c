/*
 * tests/sim/script_run.c - carries out a script, step by step, in the virtual world.
 *
 *   read -> world made -> started and caught up (silently), or stored state -> steps -> settled
 *
 * Owns the run. Never judges: the world's judge and script_meet.c do.
 */
#include "script_run.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "script_do.h"

#include <errno.h>
#include <stdarg.h>

#define READY_MS 1000 /* after this the account has started, if nobody is slow */

void sim_refuse(struct sim_run *r, const sim_step_t *step, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->refused = true;
    (void)fprintf(r->err, "%s:%u: %s\n", r->name, (unsigned)step->line, text);
}

int64_t sim_step_channel(const struct sim_run *r, const sim_step_t *step)
{
    uint32_t index = step->what == SIM_DO_DC ? step->dc.index : step->index;

    (void)r;
    return DC_CHANNEL_ID_FIRST + (int64_t)index;
}

/* --- the world at its beginning --------------------------------------------------------------- */

static void fill_options(struct sim_run *r, struct globe_options *o)
{
    const sim_settings_t *set = &r->script.set;

    globe_options(o);
    o->seed = set->seed;
    o->told = true;
    o->bot = set->bot;
    o->dc = set->server;
    o->engine.gap_wait_us = set->gap_learned ? 0 : set->gap_wait_ms * 1000;
    o->engine.gap_continue = set->gap_continue;
    o->engine.tail_sweep = set->tail_sweep;
    o->engine.no_own_updates = set->no_own;
    o->engine.limits.inbox = set->inbox;
    o->engine.limits.channel_requests = set->channel_requests;
    o->engine.limits.difference_limit = set->difference_limit;
    o->engine.limits.idle_us = set->idle_ms * 1000;
    o->engine.limits.jitter_permille =
        set->jitter_permille == UINT32_MAX ? GAP_ENGINE_NO_JITTER : set->jitter_permille;
    o->commit_ms = set->store_ms < UINT32_MAX ? (uint32_t)set->store_ms : UINT32_MAX;
    o->write_ms = 0;
    o->push_ms = set->delay_ms;
    o->query_ms = set->rtt_ms / 2;
    o->answer_ms = set->rtt_ms - o->query_ms;
    if (set->decisions) o->engine.tap = sim_tap;
    o->engine.tap_data = r;
    sim_watch(r, &o->watch);
}

/* A position of a channel in the list; the last line about it holds. */
static void put_channel(struct sim_run *r, gap_engine_channel_t *list, size_t *count,
                        const sim_named_t *from, uint32_t offset)
{
    int64_t id = DC_CHANNEL_ID_FIRST + (int64_t)from->index + (int64_t)offset;
    dc_peer_t peer = {DC_CHANNEL, id};
    size_t i = 0;

    while (i < *count && list[i].id != id) i++;
    if (i == *count) (*count)++;
    list[i].id = id;
    list[i].pts = from->pts;
    list[i].unfinished = from->unfinished;
    list[i].access_hash =
        from->no_hash ? 0 : dc_model_access_hash(globe_model(r->globe), GLOBE_ACCOUNT, peer);
}

static bool channels_exist(struct sim_run *r, const sim_named_t *n)
{
    if (n->index + n->count <= r->script.set.server.channels) return true;
    (void)fprintf(r->err,
                  "%s: channel:%u is named at the top, but there are %u channels: add `channels N` "
                  "above\n",
                  r->name, (unsigned)(n->index + n->count),
                  (unsigned)r->script.set.server.channels);
    r->refused = true;
    return false;
}

static int begin_server(struct sim_run *r)
{
    const sim_settings_t *set = &r->script.set;

    globe_number(r->globe, set->pts, set->qts, set->seq);
    for (uint32_t i = 0; i < set->begin_count; i++) {
        const sim_named_t *n = &set->begin[i];
        if (!channels_exist(r, n)) return 0;
        for (uint32_t k = 0; k < n->count; k++) {
            int result =
                dc_model_reset(globe_model(r->globe), GLOBE_ACCOUNT,
                               DC_CHANNEL_ID_FIRST + (int64_t)n->index + (int64_t)k, n->pts);
            if (result < 0) return result;
        }
    }
    return 0;
}

/* What the account has stored: all that begins with it, and what is said to be otherwise. */
static int begin_account(struct sim_run *r)
{
    const sim_settings_t *set = &r->script.set;
    gap_engine_state_t s = {set->pts, set->qts, set->seq, GLOBE_DATE, NULL, 0};
    uint32_t most = 0;

    if (set->fresh) return 0;
    for (uint32_t i = 0; i < set->begin_count; i++) most += set->begin[i].count;
    for (uint32_t i = 0; i < set->stored_count; i++) {
        if (!channels_exist(r, &set->stored[i])) return 0;
        most += set->stored[i].count;
    }
    gap_engine_channel_t *list = gap_calloc(r->alloc, most + 1U, sizeof *list);
    if (list == NULL) return GAP_E_NOMEM;
    for (uint32_t i = 0; i < set->begin_count; i++)
        for (uint32_t k = 0; k < set->begin[i].count; k++)
            put_channel(r, list, &s.channel_count, &set->begin[i], k);
    for (uint32_t i = 0; i < set->stored_count; i++)
        for (uint32_t k = 0; k < set->stored[i].count; k++)
            put_channel(r, list, &s.channel_count, &set->stored[i], k);
    s.channels = list;
    if (set->stored_pts > 0) s.pts = set->stored_pts;
    if (set->stored_qts > 0) s.qts = set->stored_qts;
    if (set->stored_seq > 0) s.seq = set->stored_seq;
    s.date -= (int32_t)set->stored_ago_s;
    int result = globe_stored(r->globe, &s);
    gap_free(r->alloc, list);
    return result;
}

/* Unless the script is about the start, it lies before time 0. */
static void begin_time(struct sim_run *r)
{
    const sim_settings_t *set = &r->script.set;

    if (set->has_start) return;
    if (set->fresh || set->has_stored) {
        globe_start(r->globe);
        return;
    }
    r->silent = true;
    globe_start(r->globe);
    do globe_run(r->globe, globe_now_ms(r->globe) + READY_MS);
    while (!globe_is_quiet(r->globe) && globe_now_ms(r->globe) < 600 * READY_MS);
    r->base_ms = globe_now_ms(r->globe);
    r->silent = false;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* The line as it stands in the script, once. */
static void echo(struct sim_run *r, const sim_step_t *step)
{
    const char *end = (const char *)r->text.data + r->text.len;

    if (r->echoed == step->line) return;
    r->echoed = step->line;
    if (r->cursor == NULL) r->cursor = (const char *)r->text.data;
    for (; r->cursor_line + 1 < step->line; r->cursor_line++) {
        const char *stop = memchr(r->cursor, '\n', (size_t)(end - r->cursor));
        r->cursor = stop == NULL ? end : stop + 1;
    }
    const char *stop = memchr(r->cursor, '\n', (size_t)(end - r->cursor));
    const char *at = r->cursor;
    if (stop == NULL) stop = end;
    while (at < stop && (*at == ' ' || *at == '\t')) at++;
    while (stop > at && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
    sim_trace(r, ">", "%.*s", (int)(stop - at < 400 ? stop - at : 400), at);
}

static void run_time(struct sim_run *r, const sim_step_t *step)
{
    uint64_t now = sim_now_ms(r);
    uint64_t until = step->what == SIM_DO_AT ? step->ms : now + step->ms;

    if (until < now) {
        sim_refuse(r, step, "%llu ms is over: it is %llu ms", (unsigned long long)until,
                   (unsigned long long)now);
        return;
    }
    globe_run(r->globe, r->base_ms + until);
}

static bool takes_time(const sim_step_t *step)
{
    if (step->what == SIM_DO_AT || step->what == SIM_DO_WAIT || step->what == SIM_DO_AWAIT)
        return true;
    return step->what == SIM_DO_DC && step->dc.what == GAP_DC_DO_AWAIT;
}

static void run_step(struct sim_run *r, const sim_step_t *step)
{
    if (!takes_time(step)) echo(r, step);
    switch (step->what) {
    case SIM_DO_AT:
    case SIM_DO_WAIT:
        run_time(r, step);
        return;
    case SIM_DO_AWAIT:
        sim_await(r, step);
        return;
    case SIM_DO_EXPECT:
        sim_expect(r, step);
        return;
    case SIM_DO_DC:
        if (step->dc.what == GAP_DC_DO_AWAIT)
            sim_await(r, step);
        else if (step->dc.what == GAP_DC_DO_EXPECT)
            sim_expect(r, step);
        else
            sim_do_server(r, step);
        return;
    default:
        sim_do_host(r, step);
        return;
    }
}

/* What the world's judge says, once. */
static void tell_verdict(struct sim_run *r, const char *verdict)
{
    if (verdict == NULL || verdict[0] == '\0' || r->violated) return;
    /* "seed N at T s: what: why" */
    const char *what = strstr(verdict, " s: ");
    what = what == NULL ? verdict : what + 4;
    r->violated = true;
    sim_trace(r, "violated", "%s", what);
    (void)fprintf(r->err, "%s: at %llu ms: violated: %s\n", r->name,
                  (unsigned long long)sim_now_ms(r), what);
}

/* Whoever looks at a channel looks away in the end: else it would be polled for ever. */
static void close_channels(struct sim_run *r)
{
    gap_engine_t *engine = globe_engine(r->globe);

    for (uint32_t i = 0; i < r->script.count && engine != NULL; i++) {
        const sim_step_t *s = &r->script.steps[i];
        if (s->what != SIM_DO_OPEN) continue;
        while (gap_engine_close_channel(engine, sim_step_channel(r, s)) == 0) continue;
    }
}

static void play(struct sim_run *r)
{
    const sim_script_t *s = &r->script;

    begin_time(r);
    for (r->at = 0; r->at < s->count && !r->refused && r->failure == 0; r->at++) {
        run_step(r, &s->steps[r->at]);
        tell_verdict(r, globe_verdict(r->globe));
    }
    if (r->refused || r->failure != 0) return;
    sim_trace(r, "end", "%s", "");
    r->ended = true;
    r->handlers.count = 0;
    globe_finish_all(r->globe);
    close_channels(r);
    globe_settle(r->globe);
    tell_verdict(r, globe_verdict(r->globe));
}

static int status_of(const struct sim_run *r)
{
    if (r->failure != 0) return SIM_FAILED;
    if (r->refused) return SIM_USAGE;
    return r->violated || r->unmet > 0 ? SIM_BROKEN : SIM_KEPT;
}

static int run_world(struct sim_run *r)
{
    struct globe_options o;
    char verdict[GLOBE_VERDICT_MAX] = "";

    fill_options(r, &o);
    int result = globe_open(&o, &r->globe);
    if (result == GAP_E_ARGUMENT) {
        (void)fprintf(r->err, "%s: a world has at most %u channels\n", r->name, 16384U);
        return SIM_USAGE;
    }
    if (result < 0) return result;
    r->pack.names.model = globe_model(r->globe);
    r->pack.names.account = o.account;
    result = begin_server(r);
    if (result == 0 && !r->refused) result = begin_account(r);
    if (result == 0 && !r->refused) play(r);
    r->silent = true;
    bool held = globe_close(r->globe, verdict);
    r->silent = false;
    if (result < 0) r->failure = result;
    if (!held && !r->violated && !r->refused && r->failure == 0) {
        r->violated = true;
        (void)fprintf(r->err, "%s: violated: %s\n", r->name, verdict);
    }
    return status_of(r);
}

int sim_script_play(const char *name, gap_bytes_t text, bool json, FILE *out, FILE *err)
{
    struct sim_run r;
    char error[SIM_TEXT];
    uint32_t line = 0;

    memset(&r, 0, sizeof r);
    r.alloc = gap_alloc_default();
    r.name = name;
    r.text = text;
    r.json = json;
    r.out = out;
    r.err = err;
    r.together = NO_STEP;
    gap_buf_init(&r.trace, r.alloc);
    gap_buf_init(&r.routine, r.alloc);
    gap_buf_init(&r.bytes, r.alloc);
    gap_buf_init(&r.query, r.alloc);
    sim_pack_init(&r.pack, r.alloc);
    int result = sim_script_read(r.alloc, text, &r.script, &line, error, sizeof error);
    if (result == GAP_E_ARGUMENT) {
        (void)fprintf(err, "%s:%u: %s\n", name, (unsigned)line, error);
        result = SIM_USAGE;
    } else if (result == GAP_E_LIMIT) {
        (void)fprintf(err, "%s: a script has at most %u bytes and %u commands\n", name,
                      SIM_SCRIPT_BYTES, SIM_SCRIPT_STEPS);
        result = SIM_USAGE;
    } else if (result == 0) {
        r.expected = gap_calloc(r.alloc, r.script.count + 1U, sizeof *r.expected);
        result = r.expected == NULL ? GAP_E_NOMEM : run_world(&r);
    }
    if (result < 0 || r.failure < 0) {
        (void)fprintf(err, "gapless-sim: %s: %s\n", name,
                      gap_strerror(result < 0 ? result : r.failure));
        result = SIM_FAILED;
    }
    sim_see_fini(&r);
    sim_pack_fini(&r.pack);
    gap_buf_fini(&r.bytes);
    gap_buf_fini(&r.query);
    sim_script_fini(&r.script);
    return result;
}

int sim_script_program(const char *file, bool json, FILE *out, FILE *err)
{
    static char text[SIM_SCRIPT_BYTES + 1];
    bool is_stdin = strcmp(file, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(file, "rb");

    if (f == NULL) {
        (void)fprintf(err, "gapless-sim: the script '%s' can't be read: %s\n", file,
                      strerror(errno));
        return SIM_USAGE;
    }
    size_t len = fread(text, 1, sizeof text, f);
    bool failed = ferror(f) != 0;
    if (!is_stdin) (void)fclose(f);
    if (failed) {
        (void)fprintf(err, "gapless-sim: the script '%s' can't be read\n", file);
        return SIM_USAGE;
    }
    return sim_script_play(is_stdin ? "stdin" : file, gap_bytes(text, len), json, out, err);
}
