/*
 * store/sqlite_none.c - the SQLite storage of a library that was built without SQLite.
 */
#include <gapless/store.h>

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
