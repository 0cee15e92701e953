/*
 * store/sqlite.c - the storage in a SQLite database, which may be the user's own.
 *
 *   closed --open--> lock file -> connection -> (verify) -> tables -> open --close--> closed
 *
 * Settings are those of our own connection. The database's are left alone: journal mode (only a
 * file that is still empty becomes WAL), application_id, user_version, everything of other tables.
 *
 * A sync that failed leaves the kernel's idea of the file and the disk apart, and trying again
 * would succeed without writing. So nothing is committed any more, the connection is closed without
 * touching the files, and the next opening goes through SQLite's own recovery, which trusts
 * checksums only, copies the whole log into the database, syncs that, and checks our tables. A note
 * in the lock file brings this about also after a crash.
 *
 * Owns: the connection and the lock file. Never: opens the database other than through SQLite,
 * shares a connection, keeps a transaction open.
 */
#include "store/sqlite.h"
#include "store/sqlite_schema.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_SUFFIX "-gapless.lock"

/* --- settings --------------------------------------------------------------------------------- */

/* SQLite's own automatic checkpoint hides whether its syncs failed; this is the same one, with its
 * outcome kept. Other failures only put it off. */
static int after_commit(void *arg, sqlite3 *db, const char *schema, int pages)
{
    gap_sqlite_t *s = arg;

    if (pages >= GAP_SQLITE_WAL_PAGES)
        s->checkpoint =
            sqlite3_wal_checkpoint_v2(db, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

static int first_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int configure(gap_sqlite_t *s)
{
    char sql[256];
    int64_t pages = 1;

    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    (void)sqlite3_busy_timeout(s->db, GAP_SQLITE_BUSY_MS);
    (void)sqlite3_wal_hook(s->db, after_commit, s);
    /* Temporary things stay in memory: the savepoint around a function of a handler's is one, and
     * would be a file from 64 KiB on. */
    snprintf(sql, sizeof sql,
             "PRAGMA cache_size = -%d; PRAGMA secure_delete = OFF; PRAGMA synchronous = %s;"
             "PRAGMA temp_store = MEMORY;"
             "PRAGMA journal_size_limit = %d",
             GAP_SQLITE_CACHE_KIB, s->normal_sync ? "NORMAL" : "FULL", GAP_SQLITE_WAL_KEPT_BYTES);
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    /* The pragma has read a page, into a cache of the size before; given back, it is made anew. */
    (void)sqlite3_db_release_memory(s->db);
    if (rc == SQLITE_OK) rc = first_number(s->db, "PRAGMA page_count", &pages);
    if (rc == SQLITE_OK && pages == 0)
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    return rc;
}

/* --- open ------------------------------------------------------------------------------------- */

/* The name that SQLite would use: absolute, without symbolic links. So two ways to one file are
 * one lock, and names that mean something else to SQLite ("file:...") are names of files. */
static int full_path(const gap_sqlite_t *s, char **out)
{
    int rc = sqlite3_initialize();
    sqlite3_vfs *vfs = rc == SQLITE_OK ? sqlite3_vfs_find(NULL) : NULL;

    if (vfs == NULL) return rc != SQLITE_OK ? rc : SQLITE_CANTOPEN;
    char *full = gap_malloc(s->alloc, (size_t)vfs->mxPathname + sizeof LOCK_SUFFIX + 1);
    if (full == NULL) return GAP_E_NOMEM;
    rc = vfs->xFullPathname(vfs, s->path, vfs->mxPathname + 1, full);
    if ((rc & 0xff) != SQLITE_OK) { /* SQLITE_OK_SYMLINK is fine */
        gap_free(s->alloc, full);
        return rc;
    }
    *out = full;
    return SQLITE_OK;
}

static int take_lock(gap_sqlite_t *s, char *full, bool *suspect, gap_storage_fault_t *fault)
{
    char what[96];
    size_t len = strlen(full);

    memcpy(full + len, LOCK_SUFFIX, sizeof LOCK_SUFFIX);
    int r = gap_store_lock_take(&s->lock, full, &fault->holder_pid, suspect);
    full[len] = '\0';
    if (r == 0) return 0;
    if (r == GAP_E_HELD) {
        if (fault->holder_pid > 0)
            snprintf(what, sizeof what, "process %lld works with it", (long long)fault->holder_pid);
        else
            snprintf(what, sizeof what, "another process works with it");
        return gap_storage_fail(fault, r, what, s->path, "end that one, or name another file");
    }
    snprintf(what, sizeof what, "its lock file can't be made (%s)", gap_strerror(r));
    return gap_storage_fail(fault, GAP_E_STORAGE, what, s->path,
                            "the folder has to be there, and this user to have the right to write");
}

/* SQLite would make the file for everybody to read. Only what did not exist is touched. */
static void make_private(const char *full)
{
    int fd = open(full, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) close(fd);
}

/* SQLite takes a file of one byte for an empty one, and would write over it. */
static bool is_one_byte(const char *full)
{
    struct stat st;

    return stat(full, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 1;
}

/* SQLite would open such a file too, and leave files beside it (-shm) with the same rights, which
 * then make it read-only even for who has been given the right to write. */
static bool is_read_only(const char *full)
{
    return faccessat(AT_FDCWD, full, R_OK, AT_EACCESS) == 0 &&
           faccessat(AT_FDCWD, full, W_OK, AT_EACCESS) != 0;
}

/* After a failed sync: what SQLite's recovery believes goes into the database, synced and whole. */
static int verify(gap_sqlite_t *s, gap_storage_fault_t *fault)
{
    char table[GAP_SCHEMA_NAME_BYTES] = "";
    char what[GAP_SCHEMA_NAME_BYTES + 32];
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_FULL, NULL, NULL);

    if (rc == SQLITE_OK) rc = gap_schema_damaged(s->db, "gapless_*", table);
    if (table[0] == '\0') return gap_sqlite_result(s, rc, fault);
    snprintf(what, sizeof what, "its table %s is damaged", table);
    return gap_storage_fail(fault, GAP_E_DAMAGED, what, s->path,
                            "restore it from a backup, or move it away and start anew");
}

static int tell_tables(const gap_sqlite_t *s, int code, int found, gap_storage_fault_t *fault)
{
    char what[128];

    if (code == GAP_E_NEWER) {
        snprintf(what, sizeof what, "its tables have version %d, this library knows up to %d",
                 found, gap_schema_today.version);
        return gap_storage_fail(fault, code, what, s->path, "use the newer library");
    }
    return gap_storage_fail(fault, code, "it has gapless_ tables that are not this library's",
                            s->path, "nothing was touched; name another file");
}

static int open_database(gap_sqlite_t *s, const char *full, bool suspect,
                         gap_storage_fault_t *fault)
{
    int found = 0;

    if (is_one_byte(full)) return gap_sqlite_result(s, SQLITE_NOTADB, fault);
    if (is_read_only(full)) return gap_sqlite_result(s, SQLITE_READONLY, fault);
    make_private(full);
    int rc = sqlite3_open_v2(full, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE,
                             NULL);
    if (rc == SQLITE_OK) gap_sqlite_guard_calls(s);
    if (rc == SQLITE_OK) rc = configure(s);
    if (rc == SQLITE_OK && sqlite3_db_readonly(s->db, "main") != 0) rc = SQLITE_READONLY;
    if (rc == SQLITE_OK) rc = gap_schema_prepare(s->db, &gap_schema_today, &found);
    if (rc == GAP_E_FOREIGN || rc == GAP_E_NEWER) return tell_tables(s, rc, found, fault);
    if (rc == SQLITE_OK && suspect) return verify(s, fault);
    return gap_sqlite_result(s, rc, fault);
}

static void sqlite_close(gap_storage_t *base)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);

    for (size_t i = 0; i < GAP_SQL_COUNT; i++) {
        (void)sqlite3_finalize(s->stmts[i]); /* repeats what its last step said */
        s->stmts[i] = NULL;
    }
    if (s->db != NULL) {
        if (s->unsynced) (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_close_v2(s->db); /* whatever can't be done here, the next opening does */
    }
    s->db = NULL;
    s->is_wide = false;
    gap_store_lock_drop(&s->lock);
}

static int sqlite_open(gap_storage_t *base, gap_storage_fault_t *fault)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);
    char *full = NULL;
    bool noted = false;

    if (s->db != NULL) return GAP_E_HELD;
    int rc = full_path(s, &full);
    if (rc != SQLITE_OK) return gap_sqlite_result(s, rc, fault);
    int r = take_lock(s, full, &noted, fault);
    if (r == 0) {
        bool suspect = noted || s->unsynced;
        r = open_database(s, full, suspect, fault);
        if (r == 0 && suspect) gap_store_lock_note(&s->lock, false);
        if (r == 0) s->unsynced = false;
        if (r != 0) sqlite_close(base);
    }
    gap_free(s->alloc, full);
    return r;
}

/* --- the rest --------------------------------------------------------------------------------- */

static void sqlite_destroy(gap_storage_t *base)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);

    gap_free(s->alloc, s->path);
    gap_free(s->alloc, s);
}

static const struct gap_storage_ops sqlite_ops = {
    .version = GAP_STORAGE_VERSION,
    .open = sqlite_open,
    .load = gap_sqlite_load,
    .commit = gap_sqlite_commit,
    .find = gap_sqlite_find,
    .read = gap_sqlite_read,
    .close = sqlite_close,
    .destroy = sqlite_destroy,
    .query = gap_sqlite_query,
};

int gap_storage_sqlite(const gap_alloc_t *alloc, const gap_sqlite_config_t *config,
                       gap_storage_t **out)
{
    if (alloc == NULL) alloc = gap_alloc_default();
    if (config->path == NULL || config->path[0] == '\0' || strcmp(config->path, ":memory:") == 0)
        return GAP_E_ARGUMENT;
    size_t len = strlen(config->path) + 1;
    gap_sqlite_t *s = gap_calloc(alloc, 1, sizeof *s);
    if (s == NULL) return GAP_E_NOMEM;
    s->base.ops = &sqlite_ops;
    s->alloc = alloc;
    s->normal_sync = config->normal_sync;
    s->lock.fd = -1;
    s->path = gap_malloc(alloc, len);
    if (s->path == NULL) {
        gap_free(alloc, s);
        return GAP_E_NOMEM;
    }
    memcpy(s->path, config->path, len);
    *out = &s->base;
    return 0;
}

bool gap_storage_has_sqlite(void)
{
    return true;
}
