/*
 * store/value.h - a value written inside a transaction that goes on: the commit of a transactional
 * handler.
 */
#ifndef GAP_STORE_VALUE_H
#define GAP_STORE_VALUE_H

#include <gapless/store.h>

/**
 * Write a value, or with an empty one remove it, as part of the transaction that is open on @p db.
 * @param db  The storage's own connection, as a gap_call_record_t is given it. Borrowed.
 * @return 0; GAP_E_NOMEM, GAP_E_STORAGE, GAP_E_DAMAGED as gap_storage_ops.commit; GAP_E_NOT_FOUND
 *         the library was built without SQLite. The thread of the connection.
 */
GAP_NODISCARD int gap_sqlite_put_value(struct sqlite3 *db, gap_bytes_t key, gap_bytes_t value);

#endif
