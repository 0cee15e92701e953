/*
 * tests/store/database.h - the one SQLite storage of a test program, in a folder of its own, and
 * how it is opened and ended.
 */
#ifndef GAP_TESTS_STORE_DATABASE_H
#define GAP_TESTS_STORE_DATABASE_H

#include "tests/store/suite.h"
#include "tests/store/vfs_shim.h"

static char folder[256];
static char path[300];

static inline void setup(void)
{
    shim_arm(SHIM_NONE, 0, 0);
    store_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/store.db", folder);
}

static inline void teardown(void)
{
    store_folder_remove(folder);
}

static inline gap_storage_t *make(void)
{
    gap_storage_t *s = NULL;

    ck_assert_int_eq(gap_storage_sqlite(NULL, &(gap_sqlite_config_t){.path = path}, &s), 0);
    return s;
}

static inline gap_storage_t *opened(void)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = make();
    int r = s->ops->open(s, &fault);

    ck_assert_msg(r == 0, "open: %d %s", r, fault.text);
    return s;
}

static inline void end(gap_storage_t *s)
{
    s->ops->close(s);
    s->ops->destroy(s);
}

#endif
