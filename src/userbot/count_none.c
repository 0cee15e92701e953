/*
 * userbot/count_none.c - stands for count.c where there is no SQLite: --count needs --state, and
 * that is refused.
 */
#include "userbot/handle.h"

int count_event(gap_update_t *update, struct sqlite3 *db, void *data)
{
    (void)update;
    (void)db;
    (void)data;
    return GAP_E_STATE;
}
