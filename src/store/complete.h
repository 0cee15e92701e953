/*
 * store/complete.h - an update is through inside a transaction of the user's own, on the user's own
 * connection to the database that holds the account's tables.
 */
#ifndef GAP_STORE_COMPLETE_H
#define GAP_STORE_COMPLETE_H

#include <gapless/store.h>

/**
 * Remove the update's row from the inbox and store that it is done, as part of the transaction that
 * is open on @p db. Both are undone with it. Later removals of that row by the library do no harm.
 *
 * @param db       Borrowed; used on the calling thread. The account's tables are looked for in its
 *                 main database: others that are attached do not commit together with it.
 * @param user_id  Whose tables these have to be.
 * @param number   Of the row; 0: none.
 * @param done     Borrowed; NULL: nothing is to be stored.
 * @return 0; GAP_E_STATE no transaction is open; GAP_E_FOREIGN the database does not hold this
 *         account's tables; GAP_E_NEWER a newer version of the library made them; GAP_E_BUSY
 * another connection writes, or has written since this transaction read first: roll back and begin
 *         again, best with BEGIN IMMEDIATE; GAP_E_ARGUMENT no such number, or a done record without
 *         an id; GAP_E_NOMEM; GAP_E_STORAGE (disk full, read-only ...);
 *         GAP_E_DAMAGED; GAP_E_NOT_FOUND the library was built without SQLite. After a failure the
 *         user's transaction should be rolled back.
 */
GAP_NODISCARD int gap_sqlite_complete(struct sqlite3 *db, int64_t user_id, uint64_t number,
                                      const gap_done_record_t *done);

#endif
