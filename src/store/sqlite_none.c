/*
 * store/sqlite_none.c - the SQLite storage of a library that was built without SQLite.
 */
#include "store/complete.h"
#include "store/value.h"

int gap_storage_sqlite(const gap_alloc_t *alloc, const gap_sqlite_config_t *config,
                       gap_storage_t **out)
{
    (void)alloc;
    (void)config;
    (void)out;
    return GAP_E_NOT_FOUND;
}

bool gap_storage_has_sqlite(void)
{
    return false;
}

int gap_sqlite_complete(struct sqlite3 *db, int64_t user_id, uint64_t number,
                        const gap_done_record_t *done)
{
    (void)db;
    (void)user_id;
    (void)number;
    (void)done;
    return GAP_E_NOT_FOUND;
}

int gap_sqlite_put_value(struct sqlite3 *db, gap_bytes_t key, gap_bytes_t value)
{
    (void)db;
    (void)key;
    (void)value;
    return GAP_E_NOT_FOUND;
}
