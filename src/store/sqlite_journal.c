/*
 * store/sqlite_journal.c - inbox, done set, dead letters, values and the boot record as rows.
 *
 * The database may be the user's own, and rows can be edited: what is not as it should be is passed
 * over with a word, or makes the table damaged where passing over would lose an update silently.
 *
 * Never: keeps a view into a row after the next step.
 */
#include "store/sqlite.h"

#include "base/bytes.h"

#include <string.h>

/* --- writing ---------------------------------------------------------------------------------- */

static int bind_eid(sqlite3_stmt *stmt, int at, const gap_eid_t *eid)
{
    static const gap_eid_t none;

    if (memcmp(eid, &none, sizeof none) == 0) return sqlite3_bind_null(stmt, at);
    return sqlite3_bind_blob(stmt, at, eid->bytes, sizeof eid->bytes, SQLITE_STATIC);
}

static int bind_numbers(sqlite3_stmt *stmt, int at, const int64_t *numbers, int count)
{
    int rc = SQLITE_OK;

    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_int64(stmt, at + i, numbers[i]);
    return rc;
}

/* The columns that inbox and dead letters share: ?1 to ?7. */
static int bind_inbox(sqlite3_stmt *stmt, const gap_inbox_record_t *r)
{
    const int64_t numbers[] = {(int64_t)r->content, r->attempts, r->box, r->channel_id,
                               r->created_us};
    int rc = sqlite3_bind_int64(stmt, 1, (int64_t)r->number);

    if (rc == SQLITE_OK) rc = bind_eid(stmt, 2, &r->eid);
    return rc == SQLITE_OK ? bind_numbers(stmt, 3, numbers, 5) : rc;
}

static int put_inbox(gap_sqlite_t *s, const gap_inbox_record_t *r)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, r->has_update ? GAP_SQL_INBOX : GAP_SQL_INBOX_FIELDS, &stmt);

    if (rc == SQLITE_OK) rc = bind_inbox(stmt, r);
    if (rc == SQLITE_OK && r->has_update) rc = gap_sqlite_bind_bytes(stmt, 8, r->update);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int put_dead(gap_sqlite_t *s, const gap_dead_record_t *r)
{
    const gap_inbox_record_t shared = {
        .number = r->number,
        .eid = r->eid,
        .content = r->content,
        .attempts = r->attempts,
        .box = r->box,
        .channel_id = r->channel_id,
        .created_us = r->created_us,
    };
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_DEAD, &stmt);

    if (rc == SQLITE_OK) rc = bind_inbox(stmt, &shared);
    if (rc == SQLITE_OK) rc = gap_sqlite_bind_bytes(stmt, 8, r->update);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 9, r->error);
    if (rc == SQLITE_OK && r->reason.len == 0)
        rc = sqlite3_bind_text(stmt, 10, "", 0, SQLITE_STATIC);
    else if (rc == SQLITE_OK)
        rc = gap_sqlite_bind_text(stmt, 10, r->reason);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 11, r->died_us);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

int gap_sqlite_bind_done(sqlite3_stmt *stmt, const gap_done_record_t *r)
{
    const int64_t numbers[] = {(int64_t)r->content, r->box, r->channel_id, r->before};
    int rc = bind_eid(stmt, 1, &r->eid);

    return rc == SQLITE_OK ? bind_numbers(stmt, 2, numbers, 4) : rc;
}

int gap_sqlite_put_done(gap_sqlite_t *s, const gap_done_record_t *r)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_DONE, &stmt);

    if (rc == SQLITE_OK) rc = gap_sqlite_bind_done(stmt, r);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int remove_done(gap_sqlite_t *s, const gap_eid_t *eid)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_DONE_REMOVE, &stmt);

    if (rc == SQLITE_OK) rc = bind_eid(stmt, 1, eid);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int put_value(gap_sqlite_t *s, const gap_value_record_t *r, bool removed)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, removed ? GAP_SQL_VALUE_REMOVE : GAP_SQL_VALUE, &stmt);

    if (rc == SQLITE_OK) rc = gap_sqlite_bind_bytes(stmt, 1, r->key);
    if (rc == SQLITE_OK && !removed) rc = gap_sqlite_bind_bytes(stmt, 2, r->value);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int put_boot(gap_sqlite_t *s, const gap_boot_record_t *r)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, GAP_SQL_BOOT, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, (int64_t)r->epoch);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, r->clean);
    if (rc == SQLITE_OK)
        rc = gap_sqlite_bind_bytes(stmt, 3, gap_bytes(r->secret, sizeof r->secret));
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

static int remove_number(gap_sqlite_t *s, enum gap_sqlite_sql which, uint64_t number)
{
    const int64_t key = (int64_t)number;

    return gap_sqlite_run_with(s, which, &key, 1);
}

int gap_sqlite_journal_put(gap_sqlite_t *s, const gap_record_t *record)
{
    switch (record->kind) {
    case GAP_RECORD_INBOX:
        if (record->removed) return remove_number(s, GAP_SQL_INBOX_REMOVE, record->u.inbox.number);
        return put_inbox(s, &record->u.inbox);
    case GAP_RECORD_DONE:
        if (record->removed) return remove_done(s, &record->u.done.eid);
        return gap_sqlite_put_done(s, &record->u.done);
    case GAP_RECORD_DEAD:
        if (record->removed) return remove_number(s, GAP_SQL_DEAD_REMOVE, record->u.dead.number);
        return put_dead(s, &record->u.dead);
    case GAP_RECORD_VALUE:
        return put_value(s, &record->u.value, record->removed);
    case GAP_RECORD_BOOT:
        if (record->removed) return gap_sqlite_run_with(s, GAP_SQL_BOOT_REMOVE, NULL, 0);
        return put_boot(s, &record->u.boot);
    case GAP_RECORD_ACCOUNT:
    case GAP_RECORD_STATE:
    case GAP_RECORD_CHANNEL:
    case GAP_RECORD_PEER:
    case GAP_RECORD_CALL:
        break;
    }
    return GAP_E_ARGUMENT;
}

/* --- what is done ----------------------------------------------------------------------------- */

static int forget_passed(gap_sqlite_t *s, gap_box_t box, int64_t channel_id, int32_t position)
{
    const int64_t numbers[] = {box, channel_id, position};

    return gap_sqlite_run_with(s, GAP_SQL_DONE_PASSED, numbers, 3);
}

static int forget_for(gap_sqlite_t *s, const gap_record_t *r)
{
    int rc = SQLITE_OK;

    if (r->kind == GAP_RECORD_STATE && !r->removed) {
        rc = forget_passed(s, GAP_BOX_COMMON, 0, r->u.state.pts);
        if (rc == SQLITE_OK) rc = forget_passed(s, GAP_BOX_QTS, 0, r->u.state.qts);
    } else if (r->kind == GAP_RECORD_CHANNEL && !r->removed) {
        rc = forget_passed(s, GAP_BOX_CHANNEL, r->u.channel.id, r->u.channel.pts);
    } else if (r->kind == GAP_RECORD_CHANNEL) {
        const int64_t numbers[] = {GAP_BOX_CHANNEL, r->u.channel.id};
        rc = gap_sqlite_run_with(s, GAP_SQL_DONE_CHANNEL, numbers, 2);
    }
    return rc;
}

int gap_sqlite_forget_done(gap_sqlite_t *s, const gap_record_t *records, size_t count)
{
    sqlite3_stmt *any;
    size_t i = 0;

    while (i < count && records[i].kind != GAP_RECORD_STATE &&
           records[i].kind != GAP_RECORD_CHANNEL)
        i++;
    if (i == count) return SQLITE_OK;
    /* Mostly there is nothing: one look instead of one deletion a channel. */
    int rc = gap_sqlite_statement(s, GAP_SQL_DONE_ANY, &any);
    if (rc == SQLITE_OK) rc = sqlite3_step(any);
    (void)sqlite3_reset(any); /* it repeats what step said */
    if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_OK : rc;
    for (rc = SQLITE_OK; rc == SQLITE_OK && i < count; i++) rc = forget_for(s, &records[i]);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_eid(sqlite3_stmt *stmt, int column, bool optional, gap_eid_t *out)
{
    memset(out, 0, sizeof *out);
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) return optional;
    if (sqlite3_column_type(stmt, column) != SQLITE_BLOB) return false;
    const void *bytes = sqlite3_column_blob(stmt, column);
    if (bytes == NULL || sqlite3_column_bytes(stmt, column) != (int)sizeof out->bytes) return false;
    memcpy(out->bytes, bytes, sizeof out->bytes);
    return true;
}

static bool read_box(sqlite3_stmt *stmt, int column, gap_box_t *box, int64_t *channel_id)
{
    int64_t v;

    if (!gap_sqlite_number_between(stmt, column, GAP_BOX_NONE, GAP_BOX_CHANNEL, &v)) return false;
    *box = (gap_box_t)v;
    return gap_sqlite_number(stmt, column + 1, channel_id);
}

/* GAP_SQLITE_INBOX_COLUMNS */
static bool read_fields(sqlite3_stmt *stmt, gap_inbox_record_t *r)
{
    int64_t number;
    int64_t content;
    int64_t attempts;

    if (!gap_sqlite_number_between(stmt, 0, 1, INT64_MAX, &number) ||
        !read_eid(stmt, 1, true, &r->eid) || !gap_sqlite_number(stmt, 2, &content) ||
        !gap_sqlite_number_between(stmt, 3, 0, UINT32_MAX, &attempts) ||
        !read_box(stmt, 4, &r->box, &r->channel_id) || !gap_sqlite_number(stmt, 6, &r->created_us))
        return false;
    r->number = (uint64_t)number;
    r->content = (uint64_t)content;
    r->attempts = (uint32_t)attempts;
    return true;
}

static bool read_bytes(sqlite3_stmt *stmt, int column, int type, gap_bytes_t *out)
{
    if (sqlite3_column_type(stmt, column) != type) return false;
    const void *bytes = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(stmt, column)
                                            : sqlite3_column_blob(stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);
    *out = gap_bytes(bytes, len);
    return bytes != NULL || len == 0;
}

/* Whatever stands there, as bytes: who unpacks them has to expect anything. Never fails but without
 * memory. */
static bool read_packed(sqlite3_stmt *stmt, int column, gap_bytes_t *out)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);

    *out = gap_bytes(bytes, bytes != NULL ? len : 0);
    return bytes != NULL || len == 0;
}

static bool load_inbox(sqlite3_stmt *stmt, gap_record_t *out)
{
    out->kind = GAP_RECORD_INBOX;
    return read_fields(stmt, &out->u.inbox) && gap_record_is_valid(out);
}

static bool load_done(sqlite3_stmt *stmt, gap_record_t *out)
{
    gap_done_record_t *d = &out->u.done;
    int64_t content;

    out->kind = GAP_RECORD_DONE;
    if (!read_eid(stmt, 0, false, &d->eid) || !gap_sqlite_number(stmt, 1, &content) ||
        !read_box(stmt, 2, &d->box, &d->channel_id) || !gap_sqlite_int32(stmt, 4, &d->before))
        return false;
    d->content = (uint64_t)content;
    return gap_record_is_valid(out);
}

static bool load_boot(sqlite3_stmt *stmt, gap_record_t *out)
{
    gap_bytes_t secret;
    int64_t epoch;

    out->kind = GAP_RECORD_BOOT;
    if (!gap_sqlite_number_between(stmt, 0, 0, INT64_MAX, &epoch) ||
        !gap_sqlite_bool(stmt, 1, &out->u.boot.clean) ||
        !read_bytes(stmt, 2, SQLITE_BLOB, &secret) || secret.len != sizeof out->u.boot.secret)
        return false;
    out->u.boot.epoch = (uint64_t)epoch;
    memcpy(out->u.boot.secret, secret.data, secret.len);
    return true;
}

const struct gap_sqlite_loading gap_sqlite_journal_loadings[3] = {
    {"SELECT epoch, clean, secret FROM gapless_boot", load_boot, "gapless_boot"},
    {"SELECT eid, content, box, channel_id, before FROM gapless_done", load_done, "gapless_done"},
    {"SELECT " GAP_SQLITE_INBOX_COLUMNS " FROM gapless_inbox ORDER BY number", load_inbox,
     "gapless_inbox"},
};

static bool read_inbox(sqlite3_stmt *stmt, gap_record_t *out)
{
    out->u.inbox.has_update = true;
    return load_inbox(stmt, out) && read_packed(stmt, 7, &out->u.inbox.update);
}

static bool read_dead(sqlite3_stmt *stmt, gap_record_t *out)
{
    gap_dead_record_t *d = &out->u.dead;
    gap_inbox_record_t shared = {0};
    int32_t error;

    out->kind = GAP_RECORD_DEAD;
    if (!read_fields(stmt, &shared) || !gap_sqlite_int32(stmt, 7, &error) ||
        !read_bytes(stmt, 8, SQLITE_TEXT, &d->reason) || !gap_sqlite_number(stmt, 9, &d->died_us) ||
        !read_packed(stmt, 10, &d->update))
        return false;
    d->number = shared.number;
    d->eid = shared.eid;
    d->content = shared.content;
    d->attempts = shared.attempts;
    d->box = shared.box;
    d->channel_id = shared.channel_id;
    d->created_us = shared.created_us;
    d->error = error;
    return gap_record_is_valid(out);
}

static bool read_value(sqlite3_stmt *stmt, gap_record_t *out)
{
    out->kind = GAP_RECORD_VALUE;
    return read_bytes(stmt, 0, SQLITE_BLOB, &out->u.value.key) &&
           read_bytes(stmt, 1, SQLITE_BLOB, &out->u.value.value);
}

struct reading {
    enum gap_sqlite_sql one;
    enum gap_sqlite_sql after;
    bool (*read)(sqlite3_stmt *stmt, gap_record_t *out);
    const char *table;
};

static struct reading reading_of(gap_record_kind_t kind)
{
    if (kind == GAP_RECORD_INBOX)
        return (struct reading){GAP_SQL_INBOX_READ, GAP_SQL_INBOX_AFTER, read_inbox,
                                "gapless_inbox"};
    if (kind == GAP_RECORD_DEAD)
        return (struct reading){GAP_SQL_DEAD_READ, GAP_SQL_DEAD_AFTER, read_dead, "gapless_dead"};
    return (struct reading){GAP_SQL_VALUE_READ, GAP_SQL_VALUE_READ, read_value, "gapless_value"};
}

/* What @p each returned, if not 0, goes to @p stopped: it may be positive, as SQLite's codes. */
static int read_rows(gap_sqlite_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                     int *stopped)
{
    struct reading reading = reading_of(what->kind);
    struct gap_read_page page = gap_read_page(what);
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, what->after ? reading.after : reading.one, &stmt);

    if (rc == SQLITE_OK && what->kind == GAP_RECORD_VALUE)
        rc = gap_sqlite_bind_bytes(stmt, 1, what->key);
    else if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(stmt, 1, (int64_t)what->number);
    if (rc != SQLITE_OK) return rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        gap_record_t record = {0};
        if (!reading.read(stmt, &record)) {
            rc = gap_sqlite_bad_row(s);
            break;
        }
        *stopped = each(arg, &record);
        rc = SQLITE_DONE;
        if (*stopped != 0 || !what->after || !gap_read_goes_on(&page, &record)) break;
    }
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int gap_sqlite_read(gap_storage_t *base, const gap_read_t *what, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);
    int stopped = 0;

    if (s->db == NULL) return GAP_E_STATE;
    if (!gap_read_is_valid(what)) return GAP_E_ARGUMENT;
    int rc = read_rows(s, what, each, arg, &stopped);
    if (rc == GAP_SQLITE_BAD_ROW)
        return gap_sqlite_tell_row(s, reading_of(what->kind).table, fault);
    return stopped != 0 ? stopped : gap_sqlite_result(s, rc, fault);
}
