/*
 * store/sqlite_schema.h - the library's tables in a SQLite database: are they there, whose are
 * they, of which version; made and brought up to date in one transaction.
 */
#ifndef GAP_STORE_SQLITE_SCHEMA_H
#define GAP_STORE_SQLITE_SCHEMA_H

#include <gapless/base.h>
#include <sqlite3.h>

/** From version n to n + 1; the first one from nothing to version 1. */
struct gap_schema_step {
    const char *sql;    /* what is to be done; one or more statements */
    const char *tables; /* all tables and views of the library afterwards: sorted, with commas */
    const char *probe;  /* queries that fail if a column is missing then */
};

struct gap_schema {
    const struct gap_schema_step *steps;
    int version; /* how many steps: the version that this library writes */
};

/** Today's. */
extern const struct gap_schema gap_schema_today;

/**
 * Make the tables ready for @p schema. Whatever fails, nothing is changed.
 * @param db     No transaction is open.
 * @param found  The version that was there; 0: none. Set with 0 and with GAP_E_NEWER.
 * @return 0; GAP_E_FOREIGN there are tables with the library's prefix that it did not make;
 *         GAP_E_NEWER; a positive SQLite code.
 */
GAP_NODISCARD int gap_schema_prepare(sqlite3 *db, const struct gap_schema *schema, int *found);

/** Longest name of a table that is told, and an end. */
#define GAP_SCHEMA_NAME_BYTES 64
/**
 * Are the pages of the tables with such names, and of their indexes, sound?
 * @param glob   "gapless_*".
 * @param table  The first one that is not; "": all are, or it is not known which.
 * @return 0; a positive SQLite code, SQLITE_CORRUPT if not.
 */
GAP_NODISCARD int gap_schema_damaged(sqlite3 *db, const char *glob,
                                     char table[GAP_SCHEMA_NAME_BYTES]);

#endif
