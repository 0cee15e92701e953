/*
 * store/sqlite_rows.c - records to rows and back.
 *
 * A commit is one transaction of upserts and deletions, records in their order. What is read is
 * checked: the database may be the user's own, and rows can be edited.
 *
 * Owns: the prepared statements while the database is open. Never: a transaction that outlives the
 * call.
 */
#include "store/sqlite.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stdio.h>
#include "base/failpoint.h"

/* --- commit ----------------------------------------------------------------------------------- */

/* A username in lower case, in @p small if it fits. Free what is not @p small. NULL: no memory. */
static uint8_t *lower_case(const gap_sqlite_t *s, gap_bytes_t text, uint8_t *small, size_t room)
{
    uint8_t *out = text.len <= room ? small : gap_malloc(s->alloc, text.len);

    for (size_t i = 0; out != NULL && i < text.len; i++) out[i] = gap_username_lower(text.data[i]);
    return out;
}

static int put_username(gap_sqlite_t *s, gap_peer_t peer, gap_bytes_t text, size_t place)
{
    uint8_t small[64];
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_NAME, &stmt);

    if (rc != SQLITE_OK) return rc;
    uint8_t *lower = lower_case(s, text, small, sizeof small);
    if (lower == NULL) return GAP_E_NOMEM;
    rc = sqlite3_bind_int64(stmt, 1, peer.kind);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, peer.id);
    if (rc == SQLITE_OK) rc = gap_sqlite_bind_text(stmt, 3, gap_bytes(lower, text.len));
    if (rc == SQLITE_OK) rc = gap_sqlite_bind_text(stmt, 4, text);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 5, (int64_t)place);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    if (lower != small) gap_free(s->alloc, lower);
    return rc;
}

static int put_phone(gap_sqlite_t *s, gap_peer_t peer, gap_bytes_t phone)
{
    sqlite3_stmt *stmt;
    int rc;

    if (phone.len > 0) { /* whose it was */
        rc = gap_sqlite_statement(s, GAP_SQL_PHONE_CLEAR, &stmt);
        if (rc == SQLITE_OK) rc = gap_sqlite_bind_text(stmt, 1, phone);
        if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
        if (rc != SQLITE_OK) return rc;
    }
    rc = gap_sqlite_statement(s, GAP_SQL_PHONE, &stmt);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, peer.kind);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, peer.id);
    if (rc == SQLITE_OK)
        rc = phone.len > 0 ? gap_sqlite_bind_text(stmt, 3, phone) : sqlite3_bind_null(stmt, 3);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int put_names(gap_sqlite_t *s, const gap_peer_record_t *p)
{
    const int64_t key[] = {p->peer.kind, p->peer.id};
    int rc = put_phone(s, p->peer, p->phone);

    if (rc == SQLITE_OK) rc = gap_sqlite_run_with(s, GAP_SQL_NAMES_REMOVE, key, 2);
    for (size_t i = 0; rc == SQLITE_OK && i < p->username_count; i++) {
        if (p->usernames[i].len > 0) rc = put_username(s, p->peer, p->usernames[i], i);
    }
    return rc;
}

static int put_peer(gap_sqlite_t *s, const gap_peer_record_t *p)
{
    bool seen = p->seen_in.kind != GAP_PEER_NONE;
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_PEER, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, p->peer.kind);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, p->peer.id);
    if (rc == SQLITE_OK)
        rc = p->has_hash ? sqlite3_bind_int64(stmt, 3, p->access_hash) : sqlite3_bind_null(stmt, 3);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 4, p->min);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 5, p->seen_in.kind);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 6, seen ? p->seen_in.id : 0);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 7, seen ? p->seen_msg_id : 0);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    return rc == SQLITE_OK && p->has_names ? put_names(s, p) : rc;
}

static int put_account(gap_sqlite_t *s, const gap_account_record_t *a, bool removed)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_ACCOUNT, &stmt);

    if (rc == SQLITE_OK)
        rc = removed ? sqlite3_bind_null(stmt, 1) : sqlite3_bind_int64(stmt, 1, a->user_id);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, !removed && a->bot);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int put(gap_sqlite_t *s, const gap_record_t *record)
{
    const gap_peer_t peer = record->u.peer.peer;

    switch (record->kind) {
    case GAP_RECORD_ACCOUNT:
        return put_account(s, &record->u.account, record->removed);
    case GAP_RECORD_STATE: {
        const gap_state_record_t *st = &record->u.state;
        if (record->removed) return gap_sqlite_run_with(s, GAP_SQL_STATE_REMOVE, NULL, 0);
        const int64_t values[] = {st->pts, st->qts, st->seq, st->date};
        return gap_sqlite_run_with(s, GAP_SQL_STATE, values, 4);
    }
    case GAP_RECORD_CHANNEL: {
        const gap_channel_record_t *c = &record->u.channel;
        const int64_t values[] = {c->id, c->pts, c->unfinished};
        if (record->removed) return gap_sqlite_run_with(s, GAP_SQL_CHANNEL_REMOVE, values, 1);
        return gap_sqlite_run_with(s, GAP_SQL_CHANNEL, values, 3);
    }
    case GAP_RECORD_PEER: {
        const int64_t key[] = {peer.kind, peer.id};
        if (!record->removed) return put_peer(s, &record->u.peer);
        int rc = gap_sqlite_run_with(s, GAP_SQL_NAMES_REMOVE, key, 2);
        return rc == SQLITE_OK ? gap_sqlite_run_with(s, GAP_SQL_PEER_REMOVE, key, 2) : rc;
    }
    case GAP_RECORD_INBOX:
    case GAP_RECORD_DONE:
    case GAP_RECORD_DEAD:
    case GAP_RECORD_VALUE:
    case GAP_RECORD_BOOT:
        return gap_sqlite_journal_put(s, record);
    case GAP_RECORD_CALL:
        return gap_sqlite_call(s, &record->u.call);
    }
    return GAP_E_ARGUMENT;
}

/* End a transaction that failed with @p rc; SQLite has done so already after some failures. */
static int roll_back(gap_sqlite_t *s, int rc)
{
    if (sqlite3_get_autocommit(s->db) != 0) return rc;
    int last = gap_sqlite_run_with(s, GAP_SQL_ROLLBACK, NULL, 0);
    if (gap_sqlite_is_sync_failure(last)) return last;
    /* A transaction that can't be ended: what is in the file is told by the next opening. */
    return sqlite3_get_autocommit(s->db) != 0 ? rc : SQLITE_IOERR_FSYNC;
}

/* A journal writes groups of rows and strikes them out again: in a small cache its pages are read
 * again and again. Without memory for it the small one has to do. */
static void widen(gap_sqlite_t *s, size_t count)
{
    if (s->is_wide || count <= GAP_SQLITE_MANY) return;
    s->is_wide = gap_sqlite_widen(s->db, GAP_SQLITE_CACHE_MANY_KIB);
}

/* One transaction with all of them. */
static int write_all(gap_sqlite_t *s, const gap_record_t *records, size_t count)
{
    int rc = gap_sqlite_run_with(s, GAP_SQL_BEGIN, NULL, 0);

    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = GAP_FAILPOINT_FAILS("sqlite.row") ? SQLITE_FULL : put(s, &records[i]);
    if (rc == SQLITE_OK) rc = gap_sqlite_forget_done(s, records, count);
    GAP_FAILPOINT("sqlite.commit.before");
    if (rc == SQLITE_OK) rc = gap_sqlite_run_with(s, GAP_SQL_COMMIT, NULL, 0);
    GAP_FAILPOINT("sqlite.commit.after");
    return rc;
}

/* Before and after: a slot says nothing yet; one that was left out says so. */
static void settle_calls(const gap_record_t *records, size_t count, bool before)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind != GAP_RECORD_CALL) continue;
        int *result = records[i].u.call.result;
        if (before)
            *result = 0;
        else if (*result == GAP_SQLITE_CALL_BROKE)
            *result = GAP_E_STATE;
        else if (*result == GAP_SQLITE_CALL_DAMAGED)
            *result = GAP_E_DAMAGED;
    }
}

static bool has_calls(const gap_record_t *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (records[i].kind == GAP_RECORD_CALL) return true;
    return false;
}

/* Each time one function more is left out. */
static int write_without_bad_calls(gap_sqlite_t *s, const gap_record_t *records, size_t count)
{
    int rc = GAP_SQLITE_AGAIN;

    settle_calls(records, count, true);
    s->careful = false;
    while (rc == GAP_SQLITE_AGAIN) {
        rc = write_all(s, records, count);
        if (rc > 0 && (rc & 0xff) == SQLITE_CORRUPT && !s->careful && has_calls(records, count)) {
            s->careful = true;
            rc = GAP_SQLITE_AGAIN;
        }
        if (rc == GAP_SQLITE_AGAIN) {
            int r = roll_back(s, SQLITE_OK);
            if (r != SQLITE_OK) rc = r;
        }
    }
    settle_calls(records, count, false);
    return rc;
}

static int write_or_roll_back(gap_sqlite_t *s, const gap_record_t *records, size_t count)
{
    int rc = write_without_bad_calls(s, records, count);

    return rc == SQLITE_OK ? rc : roll_back(s, rc);
}

/* The log can't grow: once all of it is copied back it begins anew, in the room that it has.
 * @return false: it can't be, as the database would have to grow, or somebody reads. */
static bool empty_log(gap_sqlite_t *s)
{
    int pages = 0;
    int copied = 0;

    s->checkpoint =
        sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
    return s->checkpoint == SQLITE_OK && pages > 0 && copied == pages;
}

int gap_sqlite_commit(gap_storage_t *base, const gap_record_t *records, size_t count,
                      gap_storage_fault_t *fault)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);
    sqlite3_stmt *rollback;

    if (s->db == NULL) return GAP_E_STATE;
    for (size_t i = 0; i < count; i++) {
        if (!gap_record_is_valid(&records[i])) return GAP_E_ARGUMENT;
    }
    if (s->unsynced) return gap_sqlite_result(s, SQLITE_IOERR_FSYNC, fault);
    if (count == 0) return 0;
    s->checkpoint = SQLITE_OK;
    widen(s, count);
    /* Prepared before it is needed: there may be no memory left then. */
    int rc = gap_sqlite_statement(s, GAP_SQL_ROLLBACK, &rollback);
    if (rc == SQLITE_OK) rc = write_or_roll_back(s, records, count);
    if (rc > 0 && (rc & 0xff) == SQLITE_FULL && empty_log(s))
        rc = write_or_roll_back(s, records, count);
    if (gap_sqlite_is_sync_failure(s->checkpoint)) rc = s->checkpoint;
    return gap_sqlite_result(s, rc, fault);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_peer_key(sqlite3_stmt *stmt, int column, int least_kind, gap_peer_t *out)
{
    int64_t kind;

    if (!gap_sqlite_number_between(stmt, column, least_kind, GAP_PEER_CHANNEL, &kind)) return false;
    out->kind = (gap_peer_kind_t)kind;
    return gap_sqlite_number(stmt, column + 1, &out->id) &&
           (out->id != 0) == (out->kind != GAP_PEER_NONE);
}

static bool read_account(sqlite3_stmt *stmt, gap_record_t *out)
{
    out->kind = GAP_RECORD_ACCOUNT;
    return gap_sqlite_number(stmt, 0, &out->u.account.user_id) &&
           gap_sqlite_bool(stmt, 1, &out->u.account.bot);
}

static bool read_state(sqlite3_stmt *stmt, gap_record_t *out)
{
    gap_state_record_t *st = &out->u.state;

    out->kind = GAP_RECORD_STATE;
    return gap_sqlite_int32(stmt, 0, &st->pts) && gap_sqlite_int32(stmt, 1, &st->qts) &&
           gap_sqlite_int32(stmt, 2, &st->seq) && gap_sqlite_int32(stmt, 3, &st->date);
}

static bool read_channel(sqlite3_stmt *stmt, gap_record_t *out)
{
    gap_channel_record_t *c = &out->u.channel;

    out->kind = GAP_RECORD_CHANNEL;
    return gap_sqlite_number(stmt, 0, &c->id) && c->id != 0 && gap_sqlite_int32(stmt, 1, &c->pts) &&
           gap_sqlite_bool(stmt, 2, &c->unfinished);
}

/* The columns of GAP_SQLITE_PEER_COLUMNS but the phone. */
static bool read_peer(sqlite3_stmt *stmt, gap_record_t *out)
{
    gap_peer_record_t *p = &out->u.peer;

    out->kind = GAP_RECORD_PEER;
    p->has_hash = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
    return read_peer_key(stmt, 0, GAP_PEER_USER, &p->peer) &&
           (!p->has_hash || gap_sqlite_number(stmt, 2, &p->access_hash)) &&
           gap_sqlite_bool(stmt, 3, &p->min) &&
           read_peer_key(stmt, 4, GAP_PEER_NONE, &p->seen_in) &&
           gap_sqlite_int32(stmt, 6, &p->seen_msg_id);
}

static const struct gap_sqlite_loading loadings[] = {
    {"SELECT user_id, bot FROM gapless_meta WHERE user_id IS NOT NULL", read_account,
     "gapless_meta"},
    {"SELECT pts, qts, seq, date FROM gapless_state", read_state, "gapless_state"},
    {"SELECT id, pts, unfinished FROM gapless_channel", read_channel, "gapless_channel"},
    {GAP_SQLITE_PEER_COLUMNS, read_peer, "gapless_peer"},
};

/* What @p each returned, if not 0, goes to @p stopped: it may be positive, as SQLite's codes. */
static int load_rows(gap_sqlite_t *s, const struct gap_sqlite_loading *l, gap_record_cb each,
                     void *arg, int *stopped)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, l->sql, -1, &stmt, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        gap_record_t record = {0};
        rc = SQLITE_OK;
        if (l->read(stmt, &record))
            *stopped = each(arg, &record);
        else
            rc = gap_sqlite_bad_row(s);
        if (*stopped != 0) break;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int load_all(gap_sqlite_t *s, const struct gap_sqlite_loading *list, size_t count,
                    gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    int stopped = 0;

    for (size_t i = 0; i < count; i++) {
        int rc = load_rows(s, &list[i], each, arg, &stopped);
        if (stopped != 0) return stopped;
        if (rc == GAP_SQLITE_BAD_ROW) return gap_sqlite_tell_row(s, list[i].table, fault);
        if (rc != SQLITE_OK) return gap_sqlite_result(s, rc, fault);
    }
    return 0;
}

int gap_sqlite_load(gap_storage_t *base, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);

    if (s->db == NULL) return GAP_E_STATE;
    int r = load_all(s, loadings, GAP_ARRAY_LEN(loadings), each, arg, fault);
    if (r != 0) return r;
    return load_all(s, gap_sqlite_journal_loadings, GAP_ARRAY_LEN(gap_sqlite_journal_loadings),
                    each, arg, fault);
}

/* --- find ------------------------------------------------------------------------------------- */

/* A peer's phone and usernames, copied out of the rows: texts one after the other, and lengths. */
struct names {
    gap_buf_t texts;
    gap_buf_t lens; /* 64 bits each; the phone's first */
};

static int keep_text(struct names *n, sqlite3_stmt *stmt, int column)
{
    int type = sqlite3_column_type(stmt, column);

    if (type != SQLITE_TEXT && type != SQLITE_NULL) return SQLITE_CORRUPT;
    const unsigned char *text = sqlite3_column_text(stmt, column);
    if (text == NULL && type != SQLITE_NULL) return SQLITE_NOMEM;
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);
    int r = len > 0 ? gap_buf_append(&n->texts, text, len) : 0;
    return r < 0 ? r : gap_buf_append64(&n->lens, len);
}

static int find_usernames(gap_sqlite_t *s, gap_peer_t peer, struct names *n)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_NAMES, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, peer.kind);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, peer.id);
    if (rc != SQLITE_OK) return rc;
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) rc = keep_text(n, stmt, 0);
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* @return SQLITE_ROW if there is one, SQLITE_DONE if not. */
static int find_row(gap_sqlite_t *s, const gap_peer_key_t *key, gap_record_t *record,
                    struct names *n)
{
    static const enum gap_sqlite_sql by[] = {
        [GAP_BY_ID] = GAP_SQL_BY_ID,
        [GAP_BY_USERNAME] = GAP_SQL_BY_USERNAME,
        [GAP_BY_PHONE] = GAP_SQL_BY_PHONE,
    };
    uint8_t small[64];
    uint8_t *lower = NULL;
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, by[key->by], &stmt);

    if (rc != SQLITE_OK) return rc;
    if (key->by == GAP_BY_ID) {
        rc = sqlite3_bind_int64(stmt, 1, key->peer.kind);
        if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, key->peer.id);
    } else {
        lower = lower_case(s, key->text, small, sizeof small);
        rc = lower != NULL ? gap_sqlite_bind_text(stmt, 1, gap_bytes(lower, key->text.len))
                           : GAP_E_NOMEM;
    }
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        int r = read_peer(stmt, record) ? keep_text(n, stmt, 7) : SQLITE_CORRUPT;
        if (r != SQLITE_OK) rc = r;
    }
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    if (lower != small) gap_free(s->alloc, lower);
    return rc;
}

static int tell_found(gap_sqlite_t *s, gap_record_t *record, const struct names *n,
                      gap_record_cb each, void *arg)
{
    gap_bytes_t lens = gap_buf_view(&n->lens);
    gap_bytes_t texts = gap_buf_view(&n->texts);
    size_t count = lens.len / sizeof(uint64_t);
    gap_bytes_t *views = gap_calloc(s->alloc, count, sizeof *views);

    if (views == NULL) return GAP_E_NOMEM;
    for (size_t i = 0, at = 0; i < count; i++) {
        size_t len = (size_t)gap_load64(lens.data + i * sizeof(uint64_t));
        if (len > 0) views[i] = gap_bytes(texts.data + at, len);
        at += len;
    }
    record->u.peer.has_names = true;
    record->u.peer.phone = views[0];
    record->u.peer.usernames = views + 1;
    record->u.peer.username_count = count - 1;
    int r = each(arg, record);
    gap_free(s->alloc, views);
    return r;
}

int gap_sqlite_find(gap_storage_t *base, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);
    gap_record_t record = {0};
    struct names names;
    int r = 0;

    if (s->db == NULL) return GAP_E_STATE;
    if (!gap_peer_key_is_valid(key)) return GAP_E_ARGUMENT;
    if (key->by != GAP_BY_ID && key->text.len == 0) return 0;
    gap_buf_init(&names.texts, s->alloc);
    gap_buf_init(&names.lens, s->alloc);
    int rc = find_row(s, key, &record, &names);
    bool found = rc == SQLITE_ROW;
    if (found) rc = find_usernames(s, record.u.peer.peer, &names);
    if (found && rc == SQLITE_OK)
        r = tell_found(s, &record, &names, each, arg);
    else
        r = gap_sqlite_result(s, rc == SQLITE_DONE ? SQLITE_OK : rc, fault);
    gap_buf_fini(&names.lens);
    gap_buf_fini(&names.texts);
    return r;
}
