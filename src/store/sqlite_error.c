/*
 * store/sqlite_error.c - SQLite's codes as results of this library, with a text that says what to
 * do. Pure.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <stdio.h>

bool gap_sqlite_is_sync_failure(int rc)
{
    return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC ||
           rc == SQLITE_IOERR_COMMIT_ATOMIC;
}

int gap_sqlite_code(int rc)
{
    if (gap_sqlite_is_sync_failure(rc)) return GAP_E_SYNC;
    switch (rc) {
    case SQLITE_IOERR_NOMEM:
        return GAP_E_NOMEM;
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
        return GAP_E_DAMAGED;
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return GAP_E_NOMEM;
    case SQLITE_NOTADB:
        return GAP_E_FOREIGN;
    case SQLITE_CORRUPT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: /* our own SQL does not fit the tables: they were changed under us */
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
        return GAP_E_DAMAGED;
    default:
        return GAP_E_STORAGE;
    }
}

static int tell_storage(const gap_sqlite_t *s, int rc, gap_storage_fault_t *fault)
{
    char what[128];
    int error = s->db != NULL ? sqlite3_system_errno(s->db) : 0;

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return gap_storage_fail(fault, GAP_E_STORAGE, "another program's transaction locks it",
                                s->path, "end that transaction, or keep such ones short");
    case SQLITE_FULL:
        return gap_storage_fail(fault, GAP_E_STORAGE, "the disk is full", s->path,
                                "nothing was changed; make room");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return gap_storage_fail(fault, GAP_E_STORAGE, "it is read-only", s->path,
                                "give this user the right to write the file and its folder");
    case SQLITE_CANTOPEN:
        return gap_storage_fail(fault, GAP_E_STORAGE, "the database can't be opened", s->path,
                                "is it a file, its folder there, and may this user write both?");
    default:
        snprintf(what, sizeof what, "%s (%s)", sqlite3_errstr(rc),
                 error != 0 ? gap_strerror(-error) : "no more is known");
        return gap_storage_fail(fault, GAP_E_STORAGE, what, s->path,
                                "nothing was changed; check the disk");
    }
}

int gap_sqlite_result(gap_sqlite_t *s, int rc, gap_storage_fault_t *fault)
{
    if (rc <= 0) return rc;
    int code = gap_sqlite_code(rc);
    switch (code) {
    case GAP_E_SYNC:
        s->unsynced = true;
        gap_store_lock_note(&s->lock, true);
        return gap_storage_fail(fault, code, "the disk did not confirm a write", s->path,
                                "nothing more is stored until it is opened again; check the disk");
    case GAP_E_STORAGE:
        return tell_storage(s, rc, fault);
    case GAP_E_FOREIGN:
        return gap_storage_fail(fault, code, "it is not a SQLite database", s->path,
                                "nothing was touched; name another file");
    case GAP_E_DAMAGED:
        return gap_storage_fail(fault, code, "the database is damaged", s->path,
                                "restore it from a backup, or move it away and start anew");
    default:
        return code;
    }
}

int gap_sqlite_bad_row(gap_sqlite_t *s)
{
    return sqlite3_errcode(s->db) == SQLITE_NOMEM ? SQLITE_NOMEM : GAP_SQLITE_BAD_ROW;
}

int gap_sqlite_tell_row(const gap_sqlite_t *s, const char *table, gap_storage_fault_t *fault)
{
    char what[96];

    snprintf(what, sizeof what, "table %s has a row that this library did not write", table);
    return gap_storage_fail(fault, GAP_E_DAMAGED, what, s->path,
                            "correct or delete that row, or restore a backup");
}
