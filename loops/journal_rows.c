/*
 * loops/journal_rows.c - rows and dead letters that are read: handed out again after a restart,
 * read back for one that waited without its bytes, listed, taken back.
 *
 *   replay: FLUSHING --stored, or not--> DUE --timer--> ASKED (a page is read, rows handed out)
 *           ASKED --> DUE (the next page) | OVER (the end) | DUE, after a pause (failed)
 *                     PAUSED (no room) --replay_on--> DUE
 *
 * What can't be read stops nothing: it becomes a dead letter with a reason, and an update that the
 * server tells again is handled.
 *
 * Owns: the place of the replay, the questions. Never: keeps bytes.
 */
#include "base/alloc.h"
#include "base/failpoint.h"
#include "base/packet.h"
#include "loops/journal_internal.h"

#include <string.h>

/* ---- who is served ---- */

static void nobody_ready(void *arg, struct gap_journal_entry *entry)
{
    (void)arg;
    (void)entry;
}
static int nobody_replay(void *arg, const struct gap_journal_row *row)
{
    (void)arg;
    (void)row;
    return 1; /* no room: the rows stay */
}
static void nobody_replayed(void *arg, int status)
{
    (void)arg;
    (void)status;
}
static void nobody_lost(void *arg, const struct gap_journal_loss *loss)
{
    (void)arg;
    (void)loss;
}

void gap_journal_serve(gap_journal_t *j, const struct gap_journal_user *user, void *arg)
{
    static const struct gap_journal_user nobody = {
        .ready = nobody_ready,
        .replay = nobody_replay,
        .replayed = nobody_replayed,
        .lost = nobody_lost,
    };

    j->user = user == NULL ? &nobody : user;
    j->deserted = user == NULL;
    j->user_arg = arg;
}

/* ---- rows to updates ---- */

static void row_init(struct gap_journal_row *row, const gap_inbox_record_t *r)
{
    memset(row, 0, sizeof *row);
    row->number = r->number;
    row->attempts = r->attempts;
    row->created_us = r->created_us;
    row->identity.eid = r->eid;
    row->identity.content = r->content;
    row->identity.has = !gap_eid_is_none(&r->eid);
    row->place = (struct gap_place){r->box, r->channel_id, 0};
}

/* A packet with the bytes, and the update in it. @return 0; an enum gap_packed_fault; GAP_E_NOMEM,
 * GAP_E_LIMIT. */
static int unpack(gap_journal_t *j, gap_bytes_t bytes, gap_packet_t **packet, gap_update_t *out)
{
    if (bytes.len > GAP_PACKED_MAX_BYTES) return GAP_PACKED_DAMAGED;
    int r = gap_packet_copy(j->alloc, bytes, packet);
    if (r < 0) return r;
    r = (int)gap_packed_read(gap_bytes((*packet)->data, (*packet)->len), out);
    if (r == 0) return 0;
    gap_packet_unref(*packet);
    *packet = NULL;
    return r;
}

/* @param packed  Has been found good. */
static void row_take(struct gap_journal_row *row, gap_bytes_t packed, gap_update_t *update,
                     gap_packet_t *packet)
{
    row->place.before = gap_packed_before(packed);
    row->update = update;
    row->packet = packet;
}

/* @param before  Position of its sequence before it; 0: not known. */
static int bury_row(gap_journal_t *j, const gap_inbox_record_t *r, int32_t before, int error,
                    const char *reason)
{
    gap_record_t rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_DEAD;
    rec.u.dead = (gap_dead_record_t){
        .number = r->number,
        .eid = r->eid,
        .content = r->content,
        .attempts = r->attempts,
        .error = error,
        .reason = gap_bytes(reason, strlen(reason)),
        .created_us = r->created_us,
        .died_us = j->rt->env == NULL ? 0 : (int64_t)gap_env_wall_us(j->rt->env),
        .box = r->box,
        .channel_id = r->channel_id,
        .update = r->update,
    };
    int status = gap_store_put(j->store, &rec);
    if (status == GAP_E_LIMIT && r->update.len > GAP_STORE_INBOX_BYTES / 2) {
        rec.u.dead.update.len = 0; /* it will never be taken: no update is as large */
        status = gap_store_put(j->store, &rec);
    }
    if (status < 0) return status;
    /* Its slice may come again: its name takes the row's place, as when it is handled. */
    int32_t until = gap_journal_until(j, r->box, r->channel_id, before);
    if (until > 0 && r->box != GAP_BOX_NONE && !gap_eid_is_none(&r->eid)) {
        gap_record_t name = {.kind = GAP_RECORD_DONE};
        name.u.done = (gap_done_record_t){r->eid, r->content, r->box, r->channel_id, until};
        if (gap_store_put(j->store, &name) == 0) j->count.recorded++;
    }
    gap_journal_remove(j, r->number);
    j->count.buried++;
    return 0;
}

/* ---- replay ---- */

#define REASON_NEVER "its handlers have never come back: the process ended each time"

static void tell_lost(gap_journal_t *j, const gap_inbox_record_t *r, int error, const char *reason,
                      const gap_update_t *update)
{
    struct gap_journal_loss loss = {r->number, r->attempts, error, reason, update};

    j->user->lost(j->user_arg, &loss);
}

/* If the server still tells it, it is handled after all. */
static void unrecall(gap_journal_t *j, const gap_eid_t *eid)
{
    struct gap_recalled *known = gap_eid_is_none(eid) ? NULL : gap_recall_find(j, eid);

    if (known != NULL) gap_recall_forget(j, known);
}

static int replay_bad(gap_journal_t *j, const gap_inbox_record_t *r, enum gap_packed_fault fault)
{
    const char *reason = gap_packed_reason(fault);
    int error = fault == GAP_PACKED_NEWER ? GAP_E_NEWER : GAP_E_DAMAGED;

    int status = bury_row(j, r, 0, error, reason);
    if (status < 0) return status;
    unrecall(j, &r->eid);
    tell_lost(j, r, error, reason, NULL);
    return 0;
}

static int replay_row(gap_journal_t *j, const gap_inbox_record_t *r)
{
    struct gap_journal_row row;
    gap_packet_t *packet;
    gap_update_t update;

    struct gap_recalled *known = gap_eid_is_none(&r->eid) ? NULL : gap_recall_find(j, &r->eid);
    if (known != NULL && known->done) {
        gap_journal_remove(j, r->number); /* handled by a transaction beside the store's */
        return 0;
    }
    int status = unpack(j, r->update, &packet, &update);
    GAP_FAILPOINT("journal.replay");
    if (status < 0) return status;
    if (status > 0) return replay_bad(j, r, (enum gap_packed_fault)status);
    row_init(&row, r);
    row_take(&row, r->update, &update, packet);
    if (r->attempts >= j->attempts_max) {
        status = bury_row(j, r, row.place.before, 0, REASON_NEVER);
        if (status == 0) tell_lost(j, r, 0, REASON_NEVER, &update);
    } else {
        status = j->user->replay(j->user_arg, &row);
    }
    gap_packet_unref(packet);
    return status;
}

static void replay_again(gap_journal_t *j, uint64_t pause_us)
{
    j->replay = REPLAY_DUE;
    j->replay_us = pause_us == 0 ? 0 : gap_rt_now_us(j->rt) + pause_us;
    gap_journal_arm(j);
}

static int on_row(void *arg, const gap_record_t *rec)
{
    gap_journal_t *j = arg;
    const gap_inbox_record_t *r = &rec->u.inbox;

    if (j->deserted) return 1;
    if (r->number > j->last) return 0; /* of this run */
    int status = replay_row(j, r);
    if (status == 0) j->replay_at = r->number;
    return status;
}

static void replay_over(gap_journal_t *j)
{
    j->replay = REPLAY_OVER;
    j->user->replayed(j->user_arg, 0);
}

static void on_page(void *arg, int status)
{
    gap_journal_t *j = arg;

    if (status == GAP_E_CLOSED) {
        j->replay = REPLAY_OVER;
        j->user->replayed(j->user_arg, status);
    } else if (status > 0) {
        j->replay = REPLAY_PAUSED;
    } else if (status < 0) {
        replay_again(j, GAP_JOURNAL_RETRY_US);
    } else if (j->replay_seen == j->replay_at) {
        replay_over(j); /* nothing came */
    } else {
        replay_again(j, 0);
    }
}

void gap_journal_replay_due(gap_journal_t *j)
{
    gap_read_t what = {
        .kind = GAP_RECORD_INBOX, .after = true, .number = j->replay_at, .limit = GAP_JOURNAL_PAGE};

    if (j->deserted) {
        j->replay = REPLAY_OVER; /* nobody takes it, and the timer is not to ask again */
        return;
    }
    if (j->replay_at >= j->last) {
        replay_over(j);
        return;
    }
    j->replay_seen = j->replay_at;
    j->replay = REPLAY_ASKED;
    if (gap_store_read(j->store, &what, on_row, on_page, j) < 0)
        replay_again(j, GAP_JOURNAL_RETRY_US);
}

/* A disk that takes nothing stops nobody. */
static void on_boot_stored(void *arg, int status)
{
    gap_journal_t *j = arg;

    if (status == GAP_E_CLOSED) {
        on_page(j, status);
    } else {
        replay_again(j, 0);
    }
}

int gap_journal_replay(gap_journal_t *j)
{
    if (j->replay != REPLAY_NONE) return 0;
    int r = gap_store_flush(j->store, on_boot_stored, j);
    if (r == 0) j->replay = REPLAY_FLUSHING;
    return r;
}

void gap_journal_replay_on(gap_journal_t *j)
{
    if (j->replay == REPLAY_PAUSED) replay_again(j, 0);
}

/* ---- single rows, dead letters ---- */

typedef void (*got_cb)(void *arg, int status, const struct gap_journal_row *row);

/* A question to the storage. */
struct question {
    gap_journal_t *j;
    got_cb got;
    void (*each)(void *arg, const gap_dead_record_t *record, gap_update_t *update);
    void (*done)(void *arg, int status);
    void *arg;
    bool answered;
};

static void answer(struct question *q, int status, const struct gap_journal_row *row)
{
    static const struct gap_journal_row none;

    q->answered = true;
    q->got(q->arg, status, row == NULL ? &none : row);
}

static void on_end(void *arg, int status)
{
    struct question *q = arg;

    if (q->done != NULL) {
        q->done(q->arg, status);
    } else if (!q->answered) {
        answer(q, status, NULL);
    }
    gap_free(q->j->alloc, q);
}

static int ask(gap_journal_t *j, const gap_read_t *what, gap_record_cb each,
               const struct question *question)
{
    struct question *q = gap_malloc(j->alloc, sizeof *q);

    if (q == NULL) return GAP_E_NOMEM;
    *q = *question;
    int r = gap_store_read(j->store, what, each, on_end, q);
    if (r < 0) gap_free(j->alloc, q);
    return r;
}

static int on_one(void *arg, const gap_record_t *rec)
{
    struct question *q = arg;
    struct gap_journal_row row;
    gap_packet_t *packet;
    gap_update_t update;

    row_init(&row, &rec->u.inbox);
    int r = unpack(q->j, rec->u.inbox.update, &packet, &update);
    if (r < 0) return r;
    if (r > 0) {
        answer(q, GAP_E_DAMAGED, NULL);
        return 0;
    }
    row_take(&row, rec->u.inbox.update, &update, packet);
    answer(q, 0, &row);
    gap_packet_unref(packet);
    return 0;
}

int gap_journal_read(gap_journal_t *j, uint64_t number, got_cb got, void *arg)
{
    const gap_read_t what = {.kind = GAP_RECORD_INBOX, .number = number};
    const struct question q = {.j = j, .got = got, .arg = arg};

    return ask(j, &what, on_one, &q);
}

/* The dead letter becomes a row with a number of its own: it comes behind what waits already. */
static int revive(gap_journal_t *j, const gap_dead_record_t *d, gap_inbox_record_t *out)
{
    gap_record_t rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_INBOX;
    rec.u.inbox = (gap_inbox_record_t){
        .number = gap_journal_number(j),
        .eid = d->eid,
        .content = d->content,
        .box = d->box,
        .channel_id = d->channel_id,
        .created_us = d->created_us,
        .has_update = true,
        .update = d->update,
    };
    int r = gap_store_put(j->store, &rec);
    if (r < 0) return r;
    *out = rec.u.inbox;
    j->count.rows++;
    r = gap_journal_undo(j, &d->eid);
    if (r == 0) r = gap_journal_forget(j, d->number);
    if (r < 0) gap_journal_remove(j, out->number);
    return r;
}

static int on_dead_one(void *arg, const gap_record_t *rec)
{
    struct question *q = arg;
    struct gap_journal_row row;
    gap_inbox_record_t inbox;
    gap_packet_t *packet;
    gap_update_t update;

    int r = unpack(q->j, rec->u.dead.update, &packet, &update);
    if (r < 0) return r;
    if (r > 0) {
        answer(q, GAP_E_DAMAGED, NULL);
        return 0;
    }
    r = revive(q->j, &rec->u.dead, &inbox);
    if (r == 0) {
        row_init(&row, &inbox);
        row_take(&row, rec->u.dead.update, &update, packet);
        answer(q, 0, &row);
    }
    gap_packet_unref(packet);
    return r;
}

int gap_journal_redrive(gap_journal_t *j, uint64_t number, got_cb got, void *arg)
{
    const gap_read_t what = {.kind = GAP_RECORD_DEAD, .number = number};
    const struct question q = {.j = j, .got = got, .arg = arg};

    return ask(j, &what, on_dead_one, &q);
}

static int on_dead(void *arg, const gap_record_t *rec)
{
    struct question *q = arg;
    gap_packet_t *packet;
    gap_update_t update;

    int r = unpack(q->j, rec->u.dead.update, &packet, &update);
    if (r < 0) return r;
    q->each(q->arg, &rec->u.dead, r == 0 ? &update : NULL);
    if (r == 0) gap_packet_unref(packet);
    return 0;
}

int gap_journal_dead(gap_journal_t *j, uint64_t after, uint32_t limit,
                     void (*each)(void *arg, const gap_dead_record_t *record, gap_update_t *update),
                     void (*done)(void *arg, int status), void *arg)
{
    const gap_read_t what = {
        .kind = GAP_RECORD_DEAD, .after = true, .number = after, .limit = limit};
    const struct question q = {.j = j, .each = each, .done = done, .arg = arg};

    return ask(j, &what, on_dead, &q);
}

int gap_journal_forget(gap_journal_t *j, uint64_t number)
{
    gap_record_t rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = GAP_RECORD_DEAD;
    rec.removed = true;
    rec.u.dead.number = number;
    return gap_store_put(j->store, &rec);
}
