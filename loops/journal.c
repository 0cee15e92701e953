/*
 * loops/journal.c - see journal.h: when updates are written down, counted and through.
 *
 *   follow -> LISTED --due, pressed, at once--> written (no list) --attempt--> WAITING --flushed-->
 *   READY --told--> written ... done | bury | drop -> gone
 *
 * One timer: the oldest of what is listed, what the store refused, removals that are owed, the next
 * page of a replay. One flush is out at a time; who comes meanwhile waits for the next one.
 *
 * What is done is recorded with a commit, and only if no position has passed it by then: in order
 * nothing is recorded and no name is computed. What a difference brought lies behind the position
 * before all of that answer, since after a restart the server may cut it otherwise.
 *
 * Owns: the lists, the numbers, what was handled since the last commit. Never: calls handlers,
 * knows of lanes.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/failpoint.h"
#include "loops/journal_internal.h"

#include <string.h>

/* Numbers of one opening lie above all of those before: its epoch stands in front. */
#define EPOCH_SHIFT 40
#define EPOCH_MASK  ((UINT64_C(1) << 23) - 1)
#define HANDLED_MIN 64

static uint64_t now_us(gap_journal_t *j)
{
    return gap_rt_now_us(j->rt);
}

/* ---- lists ---- */

static struct gap_journal_list *list_of(gap_journal_t *j, uint8_t where)
{
    return where == JOURNAL_LISTED    ? &j->listed
           : where == JOURNAL_WAITING ? &j->waiting
           : where == JOURNAL_QUEUED  ? &j->queued
                                      : &j->ready;
}

static void unlist(gap_journal_t *j, struct gap_journal_entry *e)
{
    if (e->list == JOURNAL_NOWHERE) return;
    if (e->list == JOURNAL_LISTED) j->count.listed--;
    TAILQ_REMOVE(list_of(j, e->list), e, next);
    e->list = JOURNAL_NOWHERE;
}

static void enlist(gap_journal_t *j, struct gap_journal_entry *e, uint8_t where)
{
    unlist(j, e);
    e->list = where;
    if (where == JOURNAL_LISTED) j->count.listed++;
    TAILQ_INSERT_TAIL(list_of(j, where), e, next);
}

/* ---- the timer ---- */

static uint64_t due_us(const gap_journal_t *j)
{
    const struct gap_journal_entry *first = TAILQ_FIRST(&j->listed);
    uint64_t due = UINT64_MAX;

    if (first != NULL) {
        due = first->guarded ? 0 : first->since_us + j->after_us;
        if (due < j->retry_us) due = j->retry_us;
    }
    if (j->owed_count > 0 && j->retry_us < due) due = j->retry_us;
    if (!TAILQ_EMPTY(&j->waiting) && j->flushing == 0 && j->flush_us < due) due = j->flush_us;
    if (j->replay == REPLAY_DUE && j->replay_us < due) due = j->replay_us;
    if (!TAILQ_EMPTY(&j->queued) && j->alone_us + GAP_JOURNAL_ALONE_US < due)
        due = j->alone_us + GAP_JOURNAL_ALONE_US;
    return due;
}

void gap_journal_arm(gap_journal_t *j)
{
    uint64_t due = due_us(j);

    if (due == UINT64_MAX) return; /* it may fire once for nothing */
    if (gap_heap_contains(&j->timer.node) && j->timer.node.key <= due) return;
    /* Out of memory: the next entry or commit starts it. */
    (void)!gap_timer_start(j->rt, &j->timer, due);
}

/* ---- rows ---- */

uint64_t gap_journal_number(gap_journal_t *j)
{
    return ++j->number;
}

gap_bytes_t gap_journal_pack(gap_journal_t *j, const gap_update_t *u, int32_t before)
{
    size_t size = gap_packed_size(u);

    if (size > j->scratch_cap) {
        uint8_t *p = gap_realloc(j->alloc, j->scratch, size);
        if (p == NULL) return gap_bytes(NULL, 0);
        j->scratch = p;
        j->scratch_cap = size;
    }
    if (size == 0) return gap_bytes(NULL, 0);
    gap_packed_write(u, before, j->scratch);
    return gap_bytes(j->scratch, size);
}

static void scratch_done(gap_journal_t *j)
{
    if (j->scratch_cap <= GAP_JOURNAL_SCRATCH_KEPT) return;
    gap_free(j->alloc, j->scratch);
    j->scratch = NULL;
    j->scratch_cap = 0;
}

static void refused(gap_journal_t *j)
{
    j->count.refused++;
    j->retry_us = now_us(j) + GAP_JOURNAL_RETRY_US;
}

static int remove_row(gap_journal_t *j, uint64_t number)
{
    gap_record_t rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_INBOX;
    rec.removed = true;
    rec.u.inbox.number = number;
    return gap_store_put(j->store, &rec);
}

void gap_journal_remove(gap_journal_t *j, uint64_t number)
{
    GAP_FAILPOINT("journal.remove");
    j->count.rows--;
    if (remove_row(j, number) == 0) return;
    refused(j);
    if (j->owed_count < GAP_JOURNAL_OWED_MAX) j->owed[j->owed_count++] = number;
    gap_journal_arm(j);
}

static void pay(gap_journal_t *j)
{
    while (j->owed_count > 0) {
        if (remove_row(j, j->owed[j->owed_count - 1]) < 0) {
            refused(j);
            return;
        }
        j->owed_count--;
    }
}

const struct gap_identity *gap_journal_name(gap_journal_t *j, struct gap_journal_entry *e)
{
    if (e->named) return &e->identity;
    /* Malformed: it has no name. The engine has read it, so that is none of ours. */
    if (gap_eid_of(e->update, &j->key, &e->identity) < 0)
        memset(&e->identity, 0, sizeof e->identity);
    e->named = true;
    return &e->identity;
}

static void inbox_record(const struct gap_journal_entry *e, gap_record_t *rec)
{
    memset(rec, 0, sizeof *rec);
    rec->kind = GAP_RECORD_INBOX;
    rec->u.inbox = (gap_inbox_record_t){
        .number = e->number,
        .eid = e->identity.eid,
        .content = e->identity.content,
        .attempts = e->attempts,
        .box = e->place.box,
        .channel_id = e->place.channel_id,
        .created_us = e->created_us,
    };
}

static int write_row(gap_journal_t *j, struct gap_journal_entry *e)
{
    gap_record_t rec;

    (void)gap_journal_name(j, e);
    gap_bytes_t bytes = gap_journal_pack(j, e->update, e->place.before);
    if (bytes.len == 0) return gap_packed_size(e->update) == 0 ? GAP_E_LIMIT : GAP_E_NOMEM;
    uint64_t number = j->number + 1;
    inbox_record(e, &rec);
    rec.u.inbox.number = number;
    rec.u.inbox.has_update = true;
    rec.u.inbox.update = bytes;
    GAP_FAILPOINT("journal.put");
    int r = gap_store_put(j->store, &rec);
    GAP_FAILPOINT("journal.put.after");
    scratch_done(j);
    if (r < 0) return r;
    j->number = e->number = number;
    j->count.written++;
    j->count.rows++;
    return 0;
}

static void wait_flush(gap_journal_t *j, struct gap_journal_entry *e)
{
    e->round = j->round;
    enlist(j, e, JOURNAL_WAITING);
    gap_journal_arm(j);
}

int gap_journal_write(gap_journal_t *j, struct gap_journal_entry *e)
{
    if (e->number != 0) return 0;
    if (j->mode == GAP_JOURNAL_LIGHT || e->busy || e->list != JOURNAL_LISTED) return GAP_E_STATE;
    int r = write_row(j, e);
    if (r < 0) {
        refused(j);
        return r;
    }
    unlist(j, e);
    /* The row is put: no later commit stores a position without it. */
    if (e->node != NULL) gap_engine_pass(e->node);
    if (e->asked) {
        e->asked = false;
        wait_flush(j, e);
    }
    return 0;
}

/* Write the oldest up to @p last, or all. @return the failure that it ended with. */
static int write_up_to(gap_journal_t *j, const struct gap_journal_entry *last)
{
    struct gap_journal_entry *e = TAILQ_FIRST(&j->listed);

    while (e != NULL) {
        struct gap_journal_entry *next = TAILQ_NEXT(e, next);
        bool is_last = e == last;
        int r = e->busy ? GAP_E_STATE : gap_journal_write(j, e);
        if (r < 0) return r;
        if (is_last) return 0;
        e = next;
    }
    return 0;
}

/* Its transaction may fail yet: its row has to come before those behind it. It is not passed, so
 * that no position on disk is above what the transaction records. */
static int write_busy(gap_journal_t *j, struct gap_journal_entry *e)
{
    if (e->place.box == GAP_BOX_NONE) return 0; /* nothing would tell that the row is done */
    int r = write_row(j, e);
    if (r < 0) return r;
    unlist(j, e);
    e->late = true;
    return 0;
}

uint64_t gap_journal_write_all(gap_journal_t *j)
{
    struct gap_journal_entry *e = TAILQ_FIRST(&j->listed);

    while (e != NULL) {
        struct gap_journal_entry *next = TAILQ_NEXT(e, next);
        int r = e->busy ? write_busy(j, e) : gap_journal_write(j, e);
        if (r < 0) break;
        e = next;
    }
    gap_journal_arm(j);
    return j->count.listed;
}

/* Those whose time has come, in order: what can't be written holds up what is behind it. */
static void write_due(gap_journal_t *j, uint64_t now)
{
    struct gap_journal_entry *e;

    if (now < j->retry_us) return;
    for (unsigned budget = GAP_JOURNAL_BATCH; budget > 0; budget--) {
        e = TAILQ_FIRST(&j->listed);
        if (e == NULL || (!e->guarded && e->since_us + j->after_us > now)) return;
        if (e->busy) {
            j->retry_us = now + GAP_JOURNAL_RETRY_US;
            return;
        }
        if (gap_packed_size(e->update) == 0) {
            unlist(j, e); /* too large for a row: it is fetched again */
            if (e->asked) wait_flush(j, e);
            e->asked = false;
            continue;
        }
        if (gap_journal_write(j, e) < 0) return;
    }
}

/* ---- flushes ---- */

static void tell_ready(gap_journal_t *j)
{
    struct gap_journal_entry *e;

    while ((e = TAILQ_FIRST(&j->ready)) != NULL) {
        unlist(j, e);
        j->user->ready(j->user_arg, e);
    }
}

static void flushed(void *arg, int status)
{
    gap_journal_t *j = arg;
    uint64_t round = j->flushing;
    struct gap_journal_entry *e = TAILQ_FIRST(&j->waiting);

    GAP_FAILPOINT("journal.flushed");
    j->flushing = 0;
    while (e != NULL) {
        struct gap_journal_entry *next = TAILQ_NEXT(e, next);
        /* In mode FULL nothing is handled that is not on disk; after a crash the count is a
         * safeguard only, and a full disk is to leave everything else running. */
        bool over = e->round <= round && (status == 0 || j->mode != GAP_JOURNAL_FULL);
        if (over) enlist(j, e, JOURNAL_READY);
        if (over && status == 0 && e->baseless && j->engine != NULL)
            gap_engine_based(j->engine, e->place.channel_id);
        e = next;
    }
    j->flush_us = status < 0 ? now_us(j) + GAP_STORE_RETRY_MIN_US : 0;
    tell_ready(j);
    gap_journal_arm(j);
}

static void flush(gap_journal_t *j)
{
    if (TAILQ_EMPTY(&j->waiting) || j->flushing != 0) return;
    if (gap_store_flush(j->store, flushed, j) == 0) {
        j->flushing = j->round++;
        return;
    }
    j->flush_us = now_us(j) + GAP_JOURNAL_RETRY_US;
    gap_journal_arm(j);
}

static void put_attempts(gap_journal_t *j, const struct gap_journal_entry *e)
{
    gap_record_t rec;

    inbox_record(e, &rec);
    if (gap_store_put(j->store, &rec) < 0) j->count.refused++;
}

/* ---- one at a time ---- */

/* It has failed to come back more than once, as have those that were at work beside it: which of
 * them ends the process shows when each is tried alone. */
static bool is_tried_alone(const gap_journal_t *j, const struct gap_journal_entry *e)
{
    return j->unclean && e->number != 0 && e->attempts > GAP_JOURNAL_TOGETHER_MAX;
}

static void try_alone(gap_journal_t *j, struct gap_journal_entry *e)
{
    j->alone = e;
    j->alone_us = now_us(j);
}

static void try_next(gap_journal_t *j)
{
    struct gap_journal_entry *e = TAILQ_FIRST(&j->queued);

    j->alone = NULL;
    if (e == NULL) return;
    try_alone(j, e);
    put_attempts(j, e);
    wait_flush(j, e);
}

/* The entry is gone. */
static void leave(gap_journal_t *j, struct gap_journal_entry *e)
{
    unlist(j, e);
    if (j->alone == e) try_next(j);
}

static void timer_due(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_journal_t *j = GAP_CONTAINER_OF(timer, struct gap_journal, timer);
    uint64_t now = rt->now_us;

    if (now >= j->retry_us) pay(j);
    write_due(j, now);
    if (!TAILQ_EMPTY(&j->queued) && now >= j->alone_us + GAP_JOURNAL_ALONE_US) try_next(j);
    if (j->flushing == 0 && now >= j->flush_us) flush(j);
    if (j->replay == REPLAY_DUE && now >= j->replay_us) gap_journal_replay_due(j);
    gap_journal_arm(j);
}

/* ---- entries ---- */

static bool may_be_lost(const gap_update_t *u)
{
    return (u->flags & GAP_ITEM_TYPING) != 0;
}

/* After an unclean end it may be what has ended the last run. */
static bool is_suspect(const gap_journal_t *j, const gap_update_t *u)
{
    return j->unclean && u->maybe_repeated && u->via != GAP_VIA_BACKFILL;
}

int gap_journal_admit(gap_journal_t *j, gap_update_t *u)
{
    bool full = j->mode == GAP_JOURNAL_FULL;

    int otherwise = gap_engine_is_based(u) ? 0 : GAP_JOURNAL_FOLLOW;

    if (!u->maybe_repeated && !full) return otherwise;
    if (u->maybe_repeated && u->via != GAP_VIA_BACKFILL && j->recall.map.count > 0 &&
        gap_recall_had(j, u))
        return GAP_JOURNAL_SKIP;
    if (j->mode == GAP_JOURNAL_LIGHT || may_be_lost(u)) return otherwise;
    return full || is_suspect(j, u) ? GAP_JOURNAL_FOLLOW : otherwise;
}

void gap_journal_follow(gap_journal_t *j, struct gap_journal_entry *e, gap_update_t *node)
{
    memset(e, 0, sizeof *e);
    e->update = e->node = node;
    e->since_us = now_us(j);
    e->created_us = j->rt->env == NULL ? 0 : (int64_t)gap_env_wall_us(j->rt->env);
    gap_engine_place(node, &e->place);
    e->baseless = !gap_engine_is_based(node);
    if (j->mode == GAP_JOURNAL_LIGHT || may_be_lost(node)) return;
    e->guarded = j->mode == GAP_JOURNAL_FULL || e->baseless || is_suspect(j, node);
    enlist(j, e, JOURNAL_LISTED);
    /* What could not be written is tried again. */
    if (e->guarded)
        (void)!write_up_to(j, e);
    else if ((node->flags & GAP_ITEM_QUERY) != 0)
        (void)!gap_journal_write(j, e); /* of no sequence: it passes nobody */
    if (e->list == JOURNAL_LISTED) gap_journal_arm(j);
}

void gap_journal_adopt(gap_journal_t *j, struct gap_journal_entry *e,
                       const struct gap_journal_row *row)
{
    memset(e, 0, sizeof *e);
    e->update = row->update;
    e->number = row->number;
    e->attempts = row->attempts;
    e->created_us = row->created_us;
    e->since_us = now_us(j);
    e->identity = row->identity;
    e->place = row->place;
    e->named = e->replayed = true;
    e->guarded = j->mode == GAP_JOURNAL_FULL || j->unclean;
}

int gap_journal_attempt(gap_journal_t *j, struct gap_journal_entry *e, uint32_t attempts)
{
    bool flushes = now_us(j) >= j->flush_us;

    e->attempts = attempts;
    if (!e->guarded && e->baseless && flushes) {
        wait_flush(j, e);
        return GAP_JOURNAL_WAIT;
    }
    if (!e->guarded) {
        /* The first run of one that was written while it waited is counted by the next start. */
        if (e->number != 0 && (attempts > 1 || e->replayed)) put_attempts(j, e);
        return 0;
    }
    if (is_tried_alone(j, e)) {
        if (j->alone != NULL && j->alone != e) {
            enlist(j, e, JOURNAL_QUEUED);
            gap_journal_arm(j);
            return GAP_JOURNAL_WAIT;
        }
        try_alone(j, e);
    }
    if (e->number != 0) {
        put_attempts(j, e);
    } else if (write_up_to(j, e) < 0) {
        /* A full disk is to leave everything else running, but in mode FULL. */
        e->asked = j->mode == GAP_JOURNAL_FULL && e->list == JOURNAL_LISTED;
        return e->asked ? GAP_JOURNAL_WAIT : 0;
    }
    if (j->mode != GAP_JOURNAL_FULL && !flushes) return 0;
    wait_flush(j, e);
    return GAP_JOURNAL_WAIT;
}

/* ---- through ---- */

/* Is its position stored with the next commit, or passed already? */
static bool is_below_mark(const gap_journal_t *j, const struct gap_place *place)
{
    if (place->box == GAP_BOX_NONE) return true;
    if (j->engine == NULL) return false;
    return gap_engine_mark(j->engine, place->box, place->channel_id) > place->before;
}

/* Forget what the watermarks have passed. */
static void prune(gap_journal_t *j)
{
    size_t kept = 0;

    for (size_t i = 0; i < j->handled_count; i++) {
        if (is_below_mark(j, &j->handled[i].place)) continue;
        if (kept != i) j->handled[kept] = j->handled[i];
        kept++;
    }
    j->handled_count = kept;
}

static bool handled_room(gap_journal_t *j)
{
    if (j->handled_count < j->handled_cap) return true;
    if (j->handled_cap == GAP_JOURNAL_DONE_MAX) {
        if (j->handled_kept > GAP_JOURNAL_DONE_MAX / 2) return false; /* until the next commit */
        prune(j);
        j->handled_kept = j->handled_count;
        return j->handled_count < j->handled_cap;
    }
    size_t cap = j->handled_cap == 0 ? HANDLED_MIN : j->handled_cap * 2;
    void *p = gap_realloc(j->alloc, j->handled, cap * sizeof *j->handled);
    if (p == NULL) return false;
    j->handled = p;
    j->handled_cap = cap;
    return true;
}

/* What finds no room is handled again after a crash, no more. */
void gap_journal_handled(gap_journal_t *j, const struct gap_place *place,
                         const struct gap_identity *name)
{
    if (!name->has || place->box == GAP_BOX_NONE || !handled_room(j)) return;
    j->handled[j->handled_count++] = (struct gap_journal_handled){name->eid, name->content, *place};
}

int gap_journal_undo(gap_journal_t *j, const gap_eid_t *eid)
{
    gap_record_t rec = {.kind = GAP_RECORD_DONE, .removed = true};
    size_t kept = 0;

    if (gap_eid_is_none(eid)) return 0;
    for (size_t i = 0; i < j->handled_count; i++) {
        if (memcmp(&j->handled[i].eid, eid, sizeof *eid) == 0) continue;
        if (kept != i) j->handled[kept] = j->handled[i];
        kept++;
    }
    j->handled_count = kept;
    rec.u.done.eid = *eid;
    return gap_store_put(j->store, &rec);
}

void gap_journal_at_once(gap_journal_t *j, const gap_update_t *u)
{
    struct gap_identity name;
    struct gap_place place;

    if (u->box == GAP_BOX_NONE || gap_engine_is_oldest(u)) return;
    gap_engine_place(u, &place);
    if (place.box == GAP_BOX_NONE || gap_eid_of(u, &j->key, &name) < 0) return;
    gap_journal_handled(j, &place, &name);
}

/* The watermark passes it now, as its engine's update is done. */
static bool passes_now(const gap_journal_t *j, const struct gap_journal_entry *e)
{
    if (e->place.box == GAP_BOX_NONE) return true;
    if (e->number == 0 && e->node != NULL) return gap_engine_is_oldest(e->node);
    return is_below_mark(j, &e->place);
}

/* Its name goes into the commit of what is put with it, so that it does not come again after a
 * crash. */
static void put_name(gap_journal_t *j, const struct gap_journal_entry *e, int32_t before)
{
    gap_record_t rec = {.kind = GAP_RECORD_DONE};

    if (!e->identity.has || e->place.box == GAP_BOX_NONE) return;
    rec.u.done = (gap_done_record_t){e->identity.eid, e->identity.content, e->place.box,
                                     e->place.channel_id, before};
    if (gap_store_put(j->store, &rec) == 0) j->count.recorded++;
}

static void record_handled(gap_journal_t *j, struct gap_journal_entry *e)
{
    if (e->replayed) {
        const struct gap_place *p = &e->place;
        put_name(j, e, gap_journal_until(j, p->box, p->channel_id, p->before));
    } else if (!passes_now(j, e)) {
        const struct gap_identity *name = gap_journal_name(j, e);
        if (e->number != 0)
            put_name(j, e, e->place.before); /* with the end of its row */
        else
            gap_journal_handled(j, &e->place, name);
    }
}

void gap_journal_done(gap_journal_t *j, struct gap_journal_entry *e)
{
    GAP_FAILPOINT("done.before");
    leave(j, e);
    record_handled(j, e);
    if (e->number != 0) gap_journal_remove(j, e->number);
    e->number = 0;
}

void gap_journal_drop(gap_journal_t *j, struct gap_journal_entry *e)
{
    leave(j, e);
}

int gap_journal_bury(gap_journal_t *j, struct gap_journal_entry *e, const gap_update_t *update,
                     int error, const char *reason)
{
    gap_record_t rec;
    gap_bytes_t bytes =
        update == NULL ? gap_bytes(NULL, 0) : gap_journal_pack(j, update, e->place.before);

    (void)gap_journal_name(j, e);
    if (bytes.len == 0 && update != NULL)
        return gap_packed_size(update) == 0 ? GAP_E_LIMIT : GAP_E_NOMEM;
    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_DEAD;
    rec.u.dead = (gap_dead_record_t){
        .number = e->number != 0 ? e->number : j->number + 1,
        .eid = e->identity.eid,
        .content = e->identity.content,
        .attempts = e->attempts,
        .error = error,
        .reason = gap_bytes(reason, strlen(reason)),
        .created_us = e->created_us,
        .died_us = j->rt->env == NULL ? 0 : (int64_t)gap_env_wall_us(j->rt->env),
        .box = e->place.box,
        .channel_id = e->place.channel_id,
        .update = bytes,
    };
    int r = gap_store_put(j->store, &rec);
    scratch_done(j);
    if (r < 0) return r;
    if (e->number == 0) {
        j->number++;
        put_name(j, e, e->place.before);
    }
    j->count.buried++;
    gap_journal_done(j, e);
    return 0;
}

/* ---- transactions ---- */

void gap_journal_complete(gap_journal_t *j, struct gap_journal_entry *e, bool own,
                          struct gap_journal_completion *out)
{
    const struct gap_identity *name = gap_journal_name(j, e);
    /* The row may not be on disk yet when the other connection commits: what it leaves must tell
     * that the row, when it is, is done; whatever positions are stored with it. */
    bool row = own && e->number != 0;

    memset(out, 0, sizeof *out);
    out->inbox = e->number;
    out->has_done = name->has && (e->place.box != GAP_BOX_NONE || row);
    out->done = (gap_done_record_t){
        .eid = name->eid,
        .content = name->content,
        .box = e->place.box,
        .channel_id = e->place.channel_id,
        .before = row ? INT32_MAX : e->place.before,
    };
    e->busy = true;
    e->own = own;
    e->late = false;
}

void gap_journal_completed(gap_journal_t *j, struct gap_journal_entry *e)
{
    gap_record_t rec;
    bool row = (e->own || e->late) && e->number != 0;

    leave(j, e);
    if (!row) {
        if (e->number != 0) j->count.rows--;
        e->number = 0;
        return;
    }
    gap_journal_remove(j, e->number);
    e->number = 0;
    if (!e->identity.has) return;
    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_DONE;
    rec.removed = is_below_mark(j, &e->place);
    rec.u.done = (gap_done_record_t){
        .eid = e->identity.eid,
        .content = e->identity.content,
        .box = e->place.box,
        .channel_id = e->place.channel_id,
        .before = e->place.before,
    };
    if (gap_store_put(j->store, &rec) < 0) j->count.refused++; /* it stays, and does no harm */
}

void gap_journal_reopened(gap_journal_t *j, struct gap_journal_entry *e)
{
    e->busy = false;
    if (e->late && e->node != NULL) gap_engine_pass(e->node);
    gap_journal_arm(j);
}

/* ---- commits ---- */

int gap_journal_collect(gap_journal_t *j)
{
    gap_record_t rec;

    pay(j);
    gap_journal_arm(j);
    prune(j);
    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_DONE;
    for (size_t i = 0; i < j->handled_count; i++) {
        const struct gap_journal_handled *h = &j->handled[i];
        rec.u.done = (gap_done_record_t){h->eid, h->content, h->place.box, h->place.channel_id,
                                         h->place.before};
        if (gap_store_put(j->store, &rec) < 0) break; /* handled again after a crash, no more */
        j->count.recorded++;
    }
    j->handled_count = j->handled_kept = 0;
    if (j->handled_cap > HANDLED_MIN * 16) {
        gap_free(j->alloc, j->handled);
        j->handled = NULL;
        j->handled_cap = 0;
    }
    return 0;
}

/* ---- open, close ---- */

int gap_journal_open(gap_rt_t *rt, const struct gap_journal_config *c, gap_journal_t **out)
{
    gap_journal_t *j = gap_calloc(rt->alloc, 1, sizeof *j);

    if (j == NULL) return GAP_E_NOMEM;
    j->rt = rt;
    j->alloc = rt->alloc;
    j->store = c->store;
    j->mode = c->mode;
    j->unclean = c->unclean;
    j->after_us = c->after_us != 0 ? c->after_us : GAP_RUNNER_JOURNAL_AFTER_US;
    if (j->after_us > INT64_MAX) j->after_us = INT64_MAX; /* is added to the time */
    j->attempts_max = c->attempts_max != 0 ? c->attempts_max : GAP_RUNNER_ATTEMPTS_MAX;
    j->round = 1;
    j->timer.fn = timer_due;
    TAILQ_INIT(&j->listed);
    TAILQ_INIT(&j->waiting);
    TAILQ_INIT(&j->ready);
    TAILQ_INIT(&j->queued);
    j->last = c->inbox_count == 0 ? 0 : c->inbox[c->inbox_count - 1].number;
    j->number = (c->epoch & EPOCH_MASK) << EPOCH_SHIFT;
    if (j->number < j->last) j->number = j->last;
    j->count.rows = c->inbox_count;
    int r = gap_recall_init(j, c);
    if (r == 0) r = gap_eid_key_init(&j->key, c->secret, c->account);
    if (r < 0) {
        gap_journal_close(j);
        return r;
    }
    *out = j;
    return 0;
}

void gap_journal_engine(gap_journal_t *j, gap_engine_t *engine)
{
    j->engine = engine;
}

void gap_journal_close(gap_journal_t *j)
{
    gap_timer_stop(j->rt, &j->timer);
    gap_recall_fini(j);
    gap_free(j->alloc, j->handled);
    gap_free(j->alloc, j->scratch);
    gap_wipe(&j->key, sizeof j->key);
    gap_free(j->alloc, j);
}

void gap_journal_count(const gap_journal_t *j, struct gap_journal_counters *out)
{
    *out = j->count;
    out->recall = j->recall.map.count;
}

const struct gap_eid_key *gap_journal_key(const gap_journal_t *j)
{
    return &j->key;
}
