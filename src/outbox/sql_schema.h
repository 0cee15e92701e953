/*
 * outbox/sql_schema.h - the outbox's tables, and small helpers for whoever works with them.
 * Functions that say "code" return 0, a positive SQLite code, or a result of this library.
 */
#ifndef GAP_OUTBOX_SQL_SCHEMA_H
#define GAP_OUTBOX_SQL_SCHEMA_H

#include "outbox/sql.h"

#include <sqlite3.h>

/** A row that is still to be looked at: `done` is set with every state that ends it. Not by its
 * state, so that a claim, which changes that, leaves the index of these rows as it is: were it
 * touched, a claim would write a page of it for each chat, and the more rows wait the more pages
 * there are. */
#define GAP_OUTBOX_WAITS " done = 0 "
/** One that is no more what it was when it was written: leased, unknown, ended. The words of its
 * index, which is by state and done. */
#define GAP_OUTBOX_MOVED " (state > 2 OR done <> 0) "
/** A row to which people have given a state that waits: as good as one that does. (Or a state that
 * is none: AND state > 8.) */
#define GAP_OUTBOX_REVIVED GAP_OUTBOX_MOVED "AND done <> 0 AND state < 5 "
/** A row of which no call was ever begun that may have been executed. */
#define GAP_OUTBOX_UNBEGUN " state IN (1, 2) AND (flags & 1) = 0 "

/** The wall clock, where no client is: SQLite's. */
#define GAP_OUTBOX_NOW "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"

/** A commit with so many rows begins: see GAP_OUTBOX_CACHE_KIB. */
void gap_outbox_prepare_for(sqlite3 *db, size_t rows);

/** Column `flags`. */
#define GAP_OUTBOX_FLAG_BEGUN   1 /* a call of it may have been executed */
#define GAP_OUTBOX_FLAG_CHAT    2 /* PARKED with its chat: waits again when that is released */
#define GAP_OUTBOX_FLAG_ACCOUNT 4 /* likewise with the account */
/** Above them: answers RANDOM_ID_DUPLICATE that it got. */
#define GAP_OUTBOX_FLAGS_DOUBLE 256
#define GAP_OUTBOX_DOUBLES_MAX  1000000

/** What the tables are. */
enum gap_outbox_tables { GAP_OUTBOX_TABLES_NONE = 0, GAP_OUTBOX_TABLES_OURS = 1 };
/**
 * Whose tables are there? Also outside of a transaction.
 * @return 0; GAP_E_NEWER; GAP_E_FOREIGN; a code.
 */
GAP_NODISCARD int gap_outbox_recognise(sqlite3 *db, enum gap_outbox_tables *out);
/** The same of tables that are there. */
GAP_NODISCARD int gap_outbox_check_version(sqlite3 *db);
/** Make them if there are none. Inside a transaction. @return as gap_outbox_recognise. */
GAP_NODISCARD int gap_outbox_make(sqlite3 *db);
/** Are all columns there, and indexes (those that are not are made)? @return 0; GAP_E_DAMAGED; a
 * code. */
GAP_NODISCARD int gap_outbox_repair(sqlite3 *db);

/** A code as a result of this library. */
GAP_NODISCARD int gap_outbox_result(int rc);

/** Run statements that need no parameters. @return a code. */
GAP_NODISCARD int gap_outbox_exec(sqlite3 *db, const char *sql);
/** Prepare one. @return a code. */
GAP_NODISCARD int gap_outbox_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);
/** Run one that returns no rows with @p count numbers as its parameters, and reset it. @return a
 * code. */
GAP_NODISCARD int gap_outbox_run(sqlite3_stmt *stmt, const int64_t *numbers, int count);
/** The same, prepared for this once. @return a code. */
GAP_NODISCARD int gap_outbox_do(sqlite3 *db, const char *sql, const int64_t *numbers, int count);
/** The first column of the first row; @p out is left alone if there is none. @return a code. */
GAP_NODISCARD int gap_outbox_number(sqlite3 *db, const char *sql, const int64_t *numbers, int count,
                                    int64_t *out);
/** Bind a text; NULL if it is empty. It outlives the statement's next run. @return a code. */
GAP_NODISCARD int gap_outbox_bind_text(sqlite3_stmt *stmt, int at, gap_bytes_t name);
/** Bind bytes; NULL if there are none. They outlive the statement's next run. @return a code. */
GAP_NODISCARD int gap_outbox_bind_blob(sqlite3_stmt *stmt, int at, gap_bytes_t bytes);
/** A column's bytes, whatever type it has; last until the next step. */
gap_bytes_t gap_outbox_column(sqlite3_stmt *stmt, int column);
/** A column that has to be a number between two; anything else: false. */
bool gap_outbox_column_number(sqlite3_stmt *stmt, int column, int64_t least, int64_t most,
                              int64_t *out);

#endif
