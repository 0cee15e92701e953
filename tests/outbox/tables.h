/*
 * tests/outbox/tables.h - a database of the user's with the outbox's tables in it, in a folder of
 * its own, and short ways to write and look at rows.
 */
#ifndef GAP_TESTS_OUTBOX_TABLES_H
#define GAP_TESTS_OUTBOX_TABLES_H

#include "outbox/sql.h"
#include "tests/check_main.h"

#include <sqlite3.h>
#include <string.h>

#define ANNA    ((gap_peer_t){1001, GAP_PEER_USER})
#define BERT    ((gap_peer_t){1002, GAP_PEER_USER})
#define NEWS    ((gap_peer_t){77, GAP_PEER_CHANNEL})
#define NEWS_AS INT64_C(-1000000000077)

/** A folder and the name of a database in it; removed by tables_end. */
extern char tables_path[300];
void tables_begin(void);
void tables_end(void);
/** A connection to it. */
sqlite3 *tables_open(void);
void tables_close(sqlite3 *db);
/** Must succeed. */
void tables_exec(sqlite3 *db, const char *sql);
/** The first column of the first row, formatted as printf does. */
int64_t tables_number(sqlite3 *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** As text, in a buffer of its own that lasts until the next call. */
const char *tables_text(sqlite3 *db, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Items. */
gap_outbox_item_t text_to(gap_peer_t chat, const char *text);
gap_outbox_item_t edit_of(gap_peer_t chat, const int32_t *id, const char *text);
gap_outbox_item_t edit_of_row(gap_peer_t chat, int64_t row, const char *text);
/** Write one in a transaction of its own; it has to succeed. @return its number. */
int64_t put(sqlite3 *db, const gap_outbox_item_t *item);
/** The same, and its result. */
int try_put(sqlite3 *db, const gap_outbox_item_t *item, int64_t *row);
/** The text in a row's payload, in a buffer of its own. */
const char *text_in(sqlite3 *db, int64_t row);

#endif
