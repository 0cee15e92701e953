/*
 * outbox/sql_row.c - rows as structs. Nothing that stands in a table is trusted: a column is what
 * it should be, or the row says which one is not.
 */
#include "outbox/sql_row.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/request.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>

/* --- heads ------------------------------------------------------------------------------------ */

static int64_t number_or(sqlite3_stmt *stmt, int column, int64_t least, int64_t most,
                         int64_t otherwise)
{
    int64_t n;

    return gap_outbox_column_number(stmt, column, least, most, &n) ? n : otherwise;
}

void gap_head_read(sqlite3_stmt *stmt, struct gap_head *out)
{
    memset(out, 0, sizeof *out);
    out->row = sqlite3_column_int64(stmt, 0);
    out->chat = number_or(stmt, 1, INT64_MIN + 1, INT64_MAX, GAP_OUTBOX_CHAT_BROKEN);
    out->kind = (uint32_t)number_or(stmt, 2, 0, UINT32_MAX, 0);
    out->urgency =
        (gap_outbox_class_t)number_or(stmt, 3, GAP_OUTBOX_REPLY, GAP_OUTBOX_BULK, GAP_OUTBOX_BULK);
    out->state = (gap_outbox_state_t)number_or(stmt, 4, GAP_OUTBOX_READY, GAP_OUTBOX_UNKNOWN,
                                               GAP_OUTBOX_READY);
    out->not_before_us = number_or(stmt, 5, 0, INT64_MAX, 0);
    out->random_id = number_or(stmt, 6, INT64_MIN, INT64_MAX, 0);
    out->target = (int32_t)number_or(stmt, 7, 0, INT32_MAX, 0);
    out->parked = sqlite3_column_type(stmt, 8) != SQLITE_NULL;
    if (out->kind == GAP_OUTBOX_RAW) out->raw = gap_item_raw_method(gap_outbox_column(stmt, 9));
}

int gap_head_by(sqlite3_stmt *stmt, int64_t number, struct gap_head *out)
{
    int rc = sqlite3_bind_int64(stmt, 1, number);

    memset(out, 0, sizeof *out);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) gap_head_read(stmt, out);
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Columns that have to be numbers between two, by their place. NULL is none. */
static const struct {
    const char *name;
    int64_t least;
    int64_t most;
} columns[] = {
    {"row", 1, INT64_MAX},
    {"version", 1, INT64_MAX},
    {"kind", 0, UINT32_MAX},
    {"class", GAP_OUTBOX_REPLY, GAP_OUTBOX_BULK},
    {"state", GAP_OUTBOX_READY, GAP_OUTBOX_CANCELLED},
    {"chat", INT64_MIN, INT64_MAX},
    {"random_id", INT64_MIN, INT64_MAX},
    {"target", 0, INT32_MAX},
    {NULL, 1, INT64_MAX}, /* target_row may be missing */
    {"attempts", 0, UINT32_MAX},
    {"not_before", INT64_MIN, INT64_MAX},
    {"deadline", INT64_MIN, INT64_MAX},
    {"flags", 0, INT64_MAX},
    {"message_id", 0, INT32_MAX},
    {"error", INT32_MIN, INT32_MAX},
    {"done", INT64_MIN, INT64_MAX},
    {NULL, 1, INT64_MAX}, /* and so may post */
};

static int read_numbers(sqlite3_stmt *stmt, struct gap_row *out, const char **bad)
{
    int64_t n[GAP_ARRAY_LEN(columns)] = {0};

    *bad = NULL;
    for (int i = 0; i < (int)GAP_ARRAY_LEN(columns); i++) {
        bool good = gap_outbox_column_number(stmt, i, columns[i].least, columns[i].most, &n[i]);
        if (!good) n[i] = 0;
        if (!good && columns[i].name != NULL && *bad == NULL) *bad = columns[i].name;
    }
    out->row = sqlite3_column_int64(stmt, 0); /* a number in any case: by it the row is put aside */
    out->kind = (uint32_t)n[2];
    out->urgency = n[3] != 0 ? (gap_outbox_class_t)n[3] : GAP_OUTBOX_BULK;
    out->state = (gap_outbox_state_t)n[4];
    out->chat = n[5];
    out->random_id = n[6];
    out->target = (int32_t)n[7];
    out->target_row = n[8];
    out->attempts = (uint32_t)n[9];
    out->not_before_us = n[10];
    out->deadline_us = n[11];
    out->begun = (n[GAP_ROW_FLAGS] & GAP_OUTBOX_FLAG_BEGUN) != 0;
    int64_t doubles = n[GAP_ROW_FLAGS] / GAP_OUTBOX_FLAGS_DOUBLE;
    out->doubles = doubles < GAP_OUTBOX_DOUBLES_MAX ? (uint32_t)doubles : GAP_OUTBOX_DOUBLES_MAX;
    out->message_id = (int32_t)n[13];
    out->error = (int32_t)n[14];
    out->done_us = n[15];
    out->post = n[16];
    return (int)(n[1] > GAP_OUTBOX_VERSION ? GAP_OUTBOX_VERSION + 1 : n[1]);
}

static gap_bytes_t copy(uint8_t **at, gap_bytes_t bytes)
{
    gap_bytes_t view = {*at, bytes.len};

    if (bytes.len > 0) memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return view;
}

static int take_bytes(struct gap_row *row, const gap_alloc_t *alloc, gap_bytes_t views[5])
{
    size_t len = 0;

    for (int i = 0; i < 5; i++) len += views[i].len;
    uint8_t *at = gap_malloc(alloc, len > 0 ? len : 1);
    if (at == NULL) return GAP_E_NOMEM;
    void *before = row->memory;
    row->alloc = alloc;
    row->memory = at;
    row->reason = copy(&at, views[0]);
    row->key = copy(&at, views[1]);
    row->post_key = copy(&at, views[2]);
    row->hash = copy(&at, views[3]);
    row->payload = copy(&at, views[4]);
    if (before != NULL) gap_free(alloc, before);
    return 0;
}

int gap_row_carry(struct gap_row *row, gap_bytes_t payload, gap_bytes_t hash)
{
    gap_bytes_t views[] = {row->reason, row->key, row->post_key, hash, payload};

    return take_bytes(row, row->alloc, views);
}

static gap_bytes_t at_most(gap_bytes_t bytes, size_t most)
{
    return (gap_bytes_t){bytes.data, bytes.len < most ? bytes.len : most};
}

int gap_row_read(sqlite3_stmt *stmt, const gap_alloc_t *alloc, bool payload, struct gap_row *out,
                 int *error, char *reason, size_t reason_size)
{
    const char *bad;
    gap_bytes_t views[5] = {{NULL, 0}};

    memset(out, 0, sizeof *out);
    int version = read_numbers(stmt, out, &bad);
    views[0] = at_most(gap_outbox_column(stmt, 17), GAP_OUTBOX_REASON_MAX);
    views[1] = at_most(gap_outbox_column(stmt, 18), GAP_OUTBOX_KEY_BYTES);
    views[2] = at_most(gap_outbox_column(stmt, 19), GAP_OUTBOX_KEY_BYTES);
    views[3] = gap_outbox_column(stmt, 20);
    if (views[3].len != GAP_CONTENT_HASH_BYTES) views[3].len = 0;
    if (payload && sqlite3_column_type(stmt, GAP_ROW_PAYLOAD) == SQLITE_BLOB)
        views[4] = gap_outbox_column(stmt, GAP_ROW_PAYLOAD);
    *error = 0;
    if (version > GAP_OUTBOX_VERSION) {
        *error = GAP_E_NEWER;
        snprintf(reason, reason_size,
                 "a newer version of the library wrote it: update this program, then retry it");
    } else if (bad != NULL) {
        *error = GAP_E_DAMAGED;
        snprintf(reason, reason_size,
                 "its column %s holds nothing that can be: correct that, then retry it", bad);
    }
    return take_bytes(out, alloc, views);
}
