/*
 * outbox/sql_none.c - the outbox of a library that was built without SQLite: there is none.
 */
#include "outbox/sql.h"

int gap_outbox_enqueue(struct sqlite3 *db, const gap_outbox_item_t *item, int64_t *row)
{
    (void)db;
    (void)item;
    (void)row;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_enqueue_all(struct sqlite3 *db, const gap_outbox_item_t *items, size_t count,
                           int64_t *rows)
{
    (void)db;
    (void)items;
    (void)count;
    (void)rows;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_get(struct sqlite3 *db, int64_t row, gap_outbox_row_cb each, void *arg)
{
    (void)db;
    (void)row;
    (void)each;
    (void)arg;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_list(struct sqlite3 *db, uint32_t states, int64_t after, size_t limit,
                    gap_outbox_row_cb each, void *arg)
{
    (void)db;
    (void)states;
    (void)after;
    (void)limit;
    (void)each;
    (void)arg;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_cancel(struct sqlite3 *db, int64_t row)
{
    (void)db;
    (void)row;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_retry(struct sqlite3 *db, int64_t row, int64_t *moved)
{
    (void)db;
    (void)row;
    (void)moved;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_release(struct sqlite3 *db, gap_peer_t chat)
{
    (void)db;
    (void)chat;
    return GAP_E_NOT_FOUND;
}

int gap_outbox_eta(struct sqlite3 *db, int64_t row, int64_t now_us, gap_outbox_eta_t *out)
{
    (void)db;
    (void)row;
    (void)now_us;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_open(struct sqlite3 *db, struct gap_outdb_opening *o)
{
    (void)db;
    (void)o;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_scan(struct sqlite3 *db, int64_t after, uint32_t limit, gap_head_cb each, void *arg,
                   int64_t *last)
{
    (void)db;
    (void)after;
    (void)limit;
    (void)each;
    (void)arg;
    (void)last;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_chats(struct sqlite3 *db, int64_t after_chat, uint32_t limit, gap_head_cb each,
                    void *arg)
{
    (void)db;
    (void)after_chat;
    (void)limit;
    (void)each;
    (void)arg;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_head(struct sqlite3 *db, int64_t chat, struct gap_head *out)
{
    (void)db;
    (void)chat;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_version(struct sqlite3 *db, struct gap_outdb_version *out)
{
    (void)db;
    (void)out;
    return GAP_E_NOT_FOUND;
}

void gap_outdb_damaged(struct sqlite3 *db, char table[GAP_OUTDB_NAME_BYTES])
{
    (void)db;
    table[0] = '\0';
}

int gap_outdb_claim(struct sqlite3 *db, struct gap_claims *c)
{
    (void)db;
    (void)c;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_finish(struct sqlite3 *db, struct gap_finishes *f)
{
    (void)db;
    (void)f;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_gate(struct sqlite3 *db, const struct gap_gate_row *gates, size_t count)
{
    (void)db;
    (void)gates;
    (void)count;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_shift(struct sqlite3 *db, int64_t by_us)
{
    (void)db;
    (void)by_us;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_prune(struct sqlite3 *db, int64_t before_us, uint32_t limit, uint32_t *removed)
{
    (void)db;
    (void)before_us;
    (void)limit;
    (void)removed;
    return GAP_E_NOT_FOUND;
}

int gap_outdb_forget(struct sqlite3 *db, int64_t full_before_us, int64_t now_us, uint32_t limit)
{
    (void)db;
    (void)full_before_us;
    (void)now_us;
    (void)limit;
    return GAP_E_NOT_FOUND;
}
