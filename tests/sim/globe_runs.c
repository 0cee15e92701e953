/*
 * tests/sim/globe_runs.c - handlers behind a runner: what each run does, and the judge of the runs:
 *
 *   again     handled again in one process, or after it was recorded as done
 *   unmarked  run again after a restart, and not marked as what may be repeated
 *   aside     two runs of one update, or of one chat, side by side
 *   attempts  not counted one by one, or more than there may be
 *   chat      a message before an earlier one of its chat was ever handled
 *   letter    a dead letter of what did not fail so often; or run again after it, and no other
 *             copy of it was there
 *   row       the journal forgets what was not handled, or an epoch comes twice
 *   twice     a transaction was committed twice
 *   behind    a channel's stored position lags by choice more than half of a difference
 *
 * run:  (none) --begins--> GOING --done--> DONE
 *                          GOING --fails, times out--> FAILED --begins--> GOING | --buried--> DEAD
 *
 * Owns nothing. Never: looks into runner or journal.
 */
#include "globe_keep.h"

#include "runner/packed.h"

#include <string.h>

#define FAILURE (-1234)
#define LAG_US  1000000

enum { RUN_NONE = 0, RUN_GOING, RUN_FAILED, RUN_DONE, RUN_DEAD };

static uint32_t attempts_max(const struct globe *g)
{
    return g->o.run.attempts_max == 0 ? GAP_RUNNER_ATTEMPTS_MAX : g->o.run.attempts_max;
}

static uint64_t eid_hash(const gap_eid_t *eid)
{
    uint64_t h;

    memcpy(&h, eid->bytes, sizeof h);
    return h == 0 ? 1 : h;
}

/* 0: none that is judged. */
static uint32_t event_of(const struct globe *g, const gap_update_t *u)
{
    uint32_t content = 0;
    uint32_t n = find_event(g, u, &content);

    if (n == 0 || n == FIND_UNKNOWN || g->has_raw) return 0;
    const struct seen *s = &g->j.seen[n];
    if (s->box >= 0 && g->j.boxes[s->box].untrusted) return 0;
    return n;
}

/* Reads, pins and deletes are not known again: handling them twice does no harm. */
static bool has_name(const struct seen *s)
{
    return s->kind != DC_DELETE_MESSAGES && s->kind != DC_PIN && s->kind != DC_READ;
}

/* ---- the judge of runs ---- */

static bool same_chat(const struct seen *a, const struct seen *b)
{
    return a->chat.id == b->chat.id && a->chat.type == b->chat.type;
}

/* Handled, or never to be. */
static bool is_settled(const struct seen *s)
{
    return s->finished || s->dead || s->excused || s->folded || s->silent || !s->received ||
           s->gone != 0;
}

/* Only what was delivered counts: an event that is still missing is the engine's concern. */
static void judge_chat_order(struct globe *g, uint32_t n)
{
    const struct seen *s = &g->j.seen[n];
    char text[96];
    char other[96];

    if (s->kind != DC_NEW_MESSAGE || s->finished || g->o.run.unordered_retry) return;
    const struct judged_box *b = &g->j.boxes[s->box];
    if (b->was_too_long || b->unheard) return;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t k = b->ns[i];
        const struct seen *l = &g->j.seen[k];
        if (l->era != s->era || l->kind != DC_NEW_MESSAGE || l->id >= s->id) continue;
        if (l->life == 0 || !same_chat(l, s) || is_settled(l) || !judge_matters(g, l)) continue;
        judge_say(g, "chat", "%s before %s was handled", say_event(g, n, text),
                  say_event(g, k, other));
        return;
    }
}

static void judge_side_by_side(struct globe *g, uint32_t n)
{
    const struct seen *s = &g->j.seen[n];
    char text[96];
    char other[96];

    if (s->kind == DC_DELETE_MESSAGES || s->box == BOX_QTS || s->box == BOX_NONE) return;
    for (uint32_t i = 0; i < g->later_count; i++) {
        uint32_t k = g->later_n[i];
        const struct seen *l = &g->j.seen[k];
        if (k == 0 || k == n || l->run != RUN_GOING || l->run_life != g->process) continue;
        if (l->kind == DC_DELETE_MESSAGES || l->box != s->box || !same_chat(l, s)) continue;
        if (l->kind == DC_QTS || l->kind == DC_CALLBACK_QUERY) continue;
        judge_say(g, "aside", "%s while %s is being handled", say_event(g, n, text),
                  say_event(g, k, other));
    }
}

static void judge_first_run(struct globe *g, uint32_t n, const gap_update_t *u)
{
    struct seen *s = &g->j.seen[n];
    char text[96];

    if (s->run_life >= g->j.lineage && s->run_life != 0) {
        if (!gap_update_maybe_repeated(u) && s->box != BOX_NONE)
            judge_say(g, "unmarked", "%s is run again after a restart", say_event(g, n, text));
        if (s->recorded != 0 && s->recorded < g->process)
            judge_say(g, "again", "%s, though it was recorded as done", say_event(g, n, text));
    }
    s->attempts = gap_update_attempt(u) - 1;
    judge_chat_order(g, n);
}

/* What the journal will call it. */
static void learn_name(struct globe *g, uint32_t n, const gap_update_t *u)
{
    struct gap_identity name;

    if (gap_eid_of(u, gap_journal_key(g->keeper->journal), &name) < 0 || !name.has) return;
    if (gap_map_set(&g->keeper->by_eid, eid_hash(&name.eid), (void *)(uintptr_t)n) < 0)
        (void)globe_must(NULL);
}

/* May it be one of the newest messages of a channel that was too far behind? They come again, and
 * beside the order. */
static bool is_newest(const struct globe *g, const struct seen *s)
{
    return s->kind == DC_NEW_MESSAGE && s->box >= BOX_CHANNEL && g->j.boxes[s->box].was_too_long;
}

/* What has no name may be there several times: in the journal, from former processes, and told
 * again meanwhile. Nobody can tell that one copy is what another one was, so each of them is
 * handled or given up by itself. */
static bool is_other_copy(const struct seen *s, const gap_update_t *u)
{
    if (has_name(s) || !gap_update_maybe_repeated(u)) return false;
    return s->run == RUN_FAILED || ((s->run == RUN_DONE || s->run == RUN_DEAD) && s->copies > 0);
}

static void judge_run(struct globe *g, uint32_t n, const gap_update_t *u)
{
    struct seen *s = &g->j.seen[n];
    uint32_t attempt = gap_update_attempt(u);
    char text[96];

    learn_name(g, n, u);

    if (gap_update_via(u) == GAP_VIA_BACKFILL) return;
    if (s->anew || s->as_edit || is_newest(g, s)) {
        s->attempts = attempt - 1; /* in any order, and again */
    } else if (s->run_life == g->process && is_other_copy(s, u)) {
        s->attempts = attempt - 1; /* the journal's, and the one that was told again */
    } else if (s->run == RUN_DEAD && s->run_life == g->process) {
        judge_say(g, "letter", "%s is run after it was given up", say_event(g, n, text));
    } else if (s->run_life != g->process || s->run == RUN_NONE) {
        judge_first_run(g, n, u);
    } else if (s->run == RUN_DONE) {
        judge_say(g, "again", "%s", say_event(g, n, text));
    } else if (s->run == RUN_GOING) {
        judge_say(g, "aside", "%s is run twice at a time", say_event(g, n, text));
    }
    if (attempt != s->attempts + 1 || attempt > attempts_max(g))
        judge_say(g, "attempts", "%s: %u after %u", say_event(g, n, text), (unsigned)attempt,
                  (unsigned)s->attempts);
    judge_side_by_side(g, n);
    s->attempts = attempt;
    s->begun++;
    s->run = RUN_GOING;
    s->run_life = g->process;
}

void runs_taken(struct globe *g, uint32_t n, const gap_update_t *u)
{
    struct seen *s = &g->j.seen[n];
    uint32_t content = 0;

    /* After a crash a message that was handled comes as the edit that is folded into it, and that
     * edit by itself, too, where a later slice or a push brings it. */
    if (s->kind == DC_NEW_MESSAGE && find_event(g, u, &content) == n && content != n)
        g->j.seen[content].as_edit = true;

    s->copies++;
    if (s->run != RUN_DONE && s->run != RUN_DEAD) return;
    s->run = RUN_NONE;
    s->run_life = s->recorded = 0;
}

/* ---- what a run does ---- */

/* Some events make every handler fail. */
static bool is_poison(const struct globe *g, uint32_t n)
{
    return n != 0 && g->o.poison > 0 &&
           (double)(gap_hash64(g->o.seed * 31 + n) >> 11) / 9007199254740992.0 < g->o.poison;
}

/* On the writer thread. */
static int in_transaction(gap_update_t *u, struct sqlite3 *db, void *data)
{
    struct globe *g = data;
    struct keeper *k = g->keeper;
    uint32_t n = event_of(g, u);

    (void)db;
    if (is_poison(g, n)) return FAILURE;
    if (!g->ceased && globe_chance(g, g->o.failing)) return FAILURE;
    if (n != 0 && k->staged_count < GAP_ARRAY_LEN(k->staged)) k->staged[k->staged_count++] = n;
    return 0;
}

static void end_copy(struct seen *s)
{
    if (s->copies > 0) s->copies--;
}

static void handled(struct globe *g, uint32_t n)
{
    if (n == 0) return;
    end_copy(&g->j.seen[n]);
    g->j.seen[n].run = RUN_DONE;
    judge_finished(g, n);
}

static int go_on(struct globe *g, gap_update_t *u, uint32_t n, int status, uint32_t ms)
{
    if (g->later_count == GAP_ARRAY_LEN(g->later)) return FAILURE;
    g->later[g->later_count] = u;
    g->later_n[g->later_count++] = n;
    if (ms == UINT32_MAX) {
        globe_trace(g, "its handler hangs");
        return GAP_LATER;
    }
    struct thing *t = globe_thing(g, THING_FINISH);
    t->process = g->process;
    t->update = u;
    t->status = status;
    globe_put(g, t, g->now_us + ms * MS);
    return GAP_LATER;
}

static void trace_run(struct globe *g, const gap_update_t *u)
{
    char text[96];

    if (!globe_tells(g)) return;
    say_update(u, text);
    globe_trace(g, "run %u of %s%s%s", (unsigned)gap_update_attempt(u), text,
                gap_update_via(u) == GAP_VIA_JOURNAL ? " by journal" : "",
                gap_update_maybe_repeated(u) ? ", maybe again" : "");
}

int globe_run_handler(gap_update_t *u, void *data)
{
    struct globe *g = data;
    enum globe_handling how = GLOBE_DONE;
    uint32_t ms = 0;
    int watched = -1;

    if (g->dying) return 0;
    trace_run(g, u);
    uint32_t n = event_of(g, u);
    if (n != 0) judge_run(g, n, u);
    g->count.runs++;
    if (g->o.watch.handle != NULL) watched = g->o.watch.handle(g->o.watch.data, u, &ms);
    if (g->die_in > 0 && --g->die_in == 0) {
        globe_trace(g, "the process dies in this handler");
        g->dying = true;
        return 0;
    }
    if (watched >= 0)
        how = (enum globe_handling)watched;
    else
        how = globe_order(g, n, &ms);
    if (is_poison(g, n))
        how = how == GLOBE_LATER || how == GLOBE_LATER_FAILS ? GLOBE_LATER_FAILS
                                                             : GLOBE_HANDLER_FAILS;
    if (watched < 0 && how == GLOBE_DONE && globe_chance(g, g->o.transaction))
        return gap_update_in_transaction(u, in_transaction, g);
    switch (how) {
    case GLOBE_LATER:
        return go_on(g, u, n, 0, ms);
    case GLOBE_LATER_FAILS:
        return go_on(g, u, n, FAILURE, ms);
    case GLOBE_STUCK_HANDLER:
        return go_on(g, u, n, 0, UINT32_MAX);
    case GLOBE_HANDLER_FAILS:
        globe_trace(g, "its handler fails");
        return FAILURE;
    case GLOBE_DONE:
        break;
    }
    handled(g, n);
    return 0;
}

void runs_finish(struct globe *g, gap_update_t *u, uint32_t n, int status)
{
    bool counts = gap_update_is_current(u);

    if (counts && status == 0) handled(g, n);
    if (g->o.watch.finished != NULL && counts) g->o.watch.finished(g->o.watch.data, u, status);
    if (status == 0)
        gap_update_done(u);
    else
        gap_update_failed(u, status);
}

void runs_forget(struct globe *g)
{
    while (g->later_count > 0) {
        gap_update_t *u = g->later[--g->later_count];
        uint32_t n = g->later_n[g->later_count];
        /* Whether that is still recorded as a failure is not judged. */
        if (n != 0 && !g->dying) g->j.seen[n].anew = true;
        if (g->dying)
            gap_update_done(u);
        else
            gap_update_failed(u, FAILURE);
    }
}

/* ---- what the runner says ---- */

static void given_up(struct globe *g, uint32_t n, uint32_t attempt)
{
    struct seen *s = &g->j.seen[n];
    char text[96];

    /* A run is counted before it begins, and the process may die in between. */
    if (attempt != attempts_max(g) ||
        (s->begun + g->process <= attempt && !s->anew && !s->as_edit && !is_newest(g, s)))
        judge_say(g, "letter", "%s after %u attempts, %u begun", say_event(g, n, text),
                  (unsigned)attempt, (unsigned)s->begun);
    end_copy(s);
    s->run = RUN_DEAD;
    s->dead = true;
    judge_finished(g, n);
    g->count.dead++;
}

void runs_event(void *data, const struct gap_runner_event *ev)
{
    struct globe *g = data;
    uint32_t n = ev->update == NULL ? 0 : event_of(g, ev->update);
    char text[96];

    if (g->dying) return;
    if (n != 0) say_event(g, n, text);
    switch (ev->kind) {
    case GAP_RUNNER_FAILED:
    case GAP_RUNNER_TIMED_OUT:
        if (n == 0) return;
        globe_trace(g, "%s %s, attempt %u, again in %llu ms", text,
                    ev->kind == GAP_RUNNER_FAILED ? "failed" : "timed out", (unsigned)ev->attempt,
                    (unsigned long long)(ev->us / 1000));
        g->j.seen[n].run = RUN_FAILED;
        return;
    case GAP_RUNNER_DEAD:
        if (n == 0) return;
        globe_trace(g, "%s is given up after %u attempts", text, (unsigned)ev->attempt);
        given_up(g, n, ev->attempt);
        return;
    default:
        return;
    }
}

/* ---- what is on the disk ---- */

/* What the row holds. */
static uint32_t row_event(struct globe *g, gap_bytes_t bytes, gap_update_t *u)
{
    enum gap_packed_fault fault = gap_packed_read(bytes, u);

    if (fault != GAP_PACKED_GOOD) {
        judge_say(g, "row", "%s", gap_packed_reason(fault));
        return 0;
    }
    return event_of(g, u);
}

static void row_written(struct globe *g, const gap_inbox_record_t *r)
{
    struct keeper *k = g->keeper;
    gap_update_t u;

    if (!r->has_update) return;
    memset(&u, 0, sizeof u);
    uint32_t n = row_event(g, r->update, &u);
    if (gap_map_get(&k->by_number, r->number) == NULL) k->rows++;
    if (gap_map_set(&k->by_number, r->number, (void *)(uintptr_t)(n + 1U)) < 0)
        (void)globe_must(NULL);
    if (n != 0) g->j.seen[n].journalled = true;
}

static void row_removed(struct globe *g, uint64_t number)
{
    struct keeper *k = g->keeper;
    uintptr_t value = (uintptr_t)gap_map_remove(&k->by_number, number);
    char text[96];

    if (value == 0) return;
    k->rows--;
    uint32_t n = (uint32_t)value - 1U;
    if (n == 0) return;
    struct seen *s = &g->j.seen[n];
    if (!s->finished && !s->dead)
        judge_say(g, "row", "%s is forgotten, and was not handled", say_event(g, n, text));
    if (has_name(s) && g->kept.known) s->recorded = g->process;
}

static void named_done(struct globe *g, const gap_done_record_t *d)
{
    uint32_t n = (uint32_t)(uintptr_t)gap_map_get(&g->keeper->by_eid, eid_hash(&d->eid));
    char text[96];

    if (n == 0) return;
    if (!g->j.seen[n].finished)
        judge_say(g, "row", "%s is recorded as done, and was not handled", say_event(g, n, text));
    g->j.seen[n].recorded = g->process;
}

static void letter_written(struct globe *g, const gap_dead_record_t *d)
{
    gap_update_t u;
    char text[96];

    memset(&u, 0, sizeof u);
    uint32_t n = row_event(g, d->update, &u);
    if (n == 0) return;
    g->keeper->letters++;
    if (!g->j.seen[n].dead)
        judge_say(g, "letter", "%s is written, and was not told", say_event(g, n, text));
    if (has_name(&g->j.seen[n]) && g->kept.known && !g->closing) g->j.seen[n].recorded = g->process;
}

void runs_kept(struct globe *g, const gap_record_t *r)
{
    switch (r->kind) {
    case GAP_RECORD_INBOX:
        if (r->removed)
            row_removed(g, r->u.inbox.number);
        else
            row_written(g, &r->u.inbox);
        return;
    case GAP_RECORD_DONE:
        if (!r->removed) named_done(g, &r->u.done);
        return;
    case GAP_RECORD_DEAD:
        if (!r->removed) letter_written(g, &r->u.dead);
        return;
    case GAP_RECORD_BOOT:
        if (r->u.boot.epoch < g->keeper->epoch ||
            (r->u.boot.epoch == g->keeper->epoch && !r->u.boot.clean))
            judge_say(g, "row", "epoch %llu is used again", (unsigned long long)r->u.boot.epoch);
        g->keeper->epoch = r->u.boot.epoch;
        return;
    case GAP_RECORD_CALL:
        if (*r->u.call.result >= 0 && r->u.call.inbox != 0) row_removed(g, r->u.call.inbox);
        return;
    default:
        return;
    }
}

/* Transactions: what they did and that it is done are on the disk together. */
void runs_committed(struct globe *g)
{
    struct keeper *k = g->keeper;
    char text[96];

    for (uint32_t i = 0; i < k->staged_count; i++) {
        struct seen *s = &g->j.seen[k->staged[i]];
        if (s->counted && !s->anew && !s->as_edit && has_name(s) && !is_newest(g, s))
            judge_say(g, "twice", "%s is counted again", say_event(g, k->staged[i], text));
        s->counted = true;
        handled(g, k->staged[i]);
    }
    k->staged_count = 0;
}

void runs_rolled_back(struct globe *g)
{
    g->keeper->staged_count = 0;
}

/* Behind by choice: what a handler keeps back though it could be written down. A slice is one
 * position, and what cannot be written counts for nothing. */
void runs_lag(struct globe *g)
{
    gap_engine_sequence_t s;
    uint32_t limit = g->o.engine.limits.difference_limit;

    if (limit == 0) limit = GAP_ENGINE_USER_LIMIT;
    if (g->o.bot || g->engine == NULL || g->o.run.journal == GAP_JOURNAL_LIGHT) return;
    /* What is in a transaction is neither done nor to be written down. */
    if (g->fail_commits > 0 || !g->keeper->ready || g->o.transaction > 0) return;
    for (uint32_t i = 0; i < g->o.dc.channels; i++) {
        int64_t id = DC_CHANNEL_ID_FIRST + (int64_t)i;
        int32_t mark = gap_engine_mark(g->engine, GAP_BOX_CHANNEL, id);
        uint64_t *since_us = &g->j.boxes[BOX_CHANNEL + i].lags_us;
        if (mark == INT32_MAX || mark == 0 || g->j.boxes[BOX_CHANNEL + i].was_too_long ||
            !gap_engine_sequence(g->engine, GAP_SEQUENCE_CHANNEL, id, &s) ||
            s.position - mark <= (int32_t)(limit / 2 + limit + GLOBE_TOGETHER)) {
            *since_us = 0;
            continue;
        }
        /* What came in one go is written down in the next turns. */
        if (*since_us == 0) *since_us = g->now_us + 1;
        if (g->now_us - *since_us + 1 > LAG_US)
            judge_say(g, "behind", "channel %lld is at %d, and %d may be stored", (long long)id,
                      s.position, mark);
    }
}

/* ---- processes ---- */

void runs_process(struct globe *g)
{
    uint64_t number;
    void *value;
    size_t at = 0;

    for (uint32_t n = 1; n <= g->j.count; n++) {
        struct seen *s = &g->j.seen[n];
        s->run = RUN_NONE;
        s->copies = 0;
        if (s->run_life < g->j.lineage) s->recorded = 0;
    }
    while (gap_map_next(&g->keeper->by_number, &at, &number, &value)) {
        uint32_t n = (uint32_t)(uintptr_t)value - 1U;
        if (n != 0) g->j.seen[n].copies++;
    }
}

void runs_end(struct globe *g)
{
    struct keeper *k = g->keeper;
    gap_runner_stats_t st;

    gap_runner_stats(k->runner, &st);
    if (st.depth != 0)
        judge_say(g, "quiet", "%llu updates are still with the runner",
                  (unsigned long long)st.depth);
    if (k->rows != 0) judge_say(g, "row", "%u are left at the end", (unsigned)k->rows);
    if (k->letters > g->count.dead)
        judge_say(g, "letter", "%u are written, %llu were told", (unsigned)k->letters,
                  (unsigned long long)g->count.dead);
}
