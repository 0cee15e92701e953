/* outbox/sql_enqueue.h - rows are written: what gap_outbox_enqueue and _all stand on. */
#ifndef GAP_OUTBOX_SQL_ENQUEUE_H
#define GAP_OUTBOX_SQL_ENQUEUE_H

#include "outbox/sql_schema.h"

/** As gap_outbox_enqueue_all, with an allocator. @param known Out: the one row was there already;
 * may be NULL. */
GAP_NODISCARD int gap_outbox_write(sqlite3 *db, const gap_alloc_t *alloc,
                                   const gap_outbox_item_t *items, size_t count, int64_t *rows,
                                   bool *known);

/** A row that another one is about. */
struct gap_about {
    uint32_t kind;
    gap_outbox_state_t state;
    bool begun;
    int64_t chat;
    int32_t message_id;
    int32_t target;
};

/* What one call of the above works with; sql_enqueue.c writes rows, sql_change.c changes those that
 * are there. */
enum gap_writing_sql {
    GAP_WRITE_INSERT,
    GAP_WRITE_KNOWN,
    GAP_WRITE_ABOUT,
    GAP_WRITE_EDITS,
    GAP_WRITE_EDITS_ROW,
    GAP_WRITE_PAYLOAD,
    GAP_WRITE_REPLACE,
    GAP_WRITE_CANCEL,
    GAP_WRITE_COUNT
};
struct gap_writing {
    sqlite3 *db;
    gap_buf_t payload; /* of the row that is being written */
    gap_buf_t older;   /* of one that it is to replace */
    bool saved;        /* a savepoint is open */
    int64_t first;     /* number of the first row that was inserted; 0: none was */
    size_t to_draw;    /* rows that still want a random id */
    size_t drawn;      /* such ids that are left */
    int64_t random[64];
    struct {
        int64_t number;
        bool is;
    } bound[9];          /* what the statement's parameters are */
    bool has_target_row; /* was ever bound, likewise */
    bool has_key;
    sqlite3_stmt *stmts[GAP_WRITE_COUNT];
};

/** The statement, ready to be bound. @return a code. */
GAP_NODISCARD int gap_writing_statement(struct gap_writing *w, enum gap_writing_sql which,
                                        sqlite3_stmt **out);
/** @return 0; GAP_E_NOT_FOUND; a code. */
GAP_NODISCARD int gap_writing_about(struct gap_writing *w, int64_t row, struct gap_about *out);
/** The class that an item gets. */
gap_outbox_class_t gap_writing_class(const gap_outbox_item_t *item);
/** sql_change.c: does the item change a row that waits, instead of making one?
 * @param row  That row; 0: no, it has to be written. @param target The message that it is about, as
 * far as it is known. @return a code; GAP_E_NOT_FOUND, GAP_E_ARGUMENT of message_row and
 * reply_to_row. */
GAP_NODISCARD int gap_writing_change(struct gap_writing *w, const gap_outbox_item_t *item,
                                     int64_t chat, int32_t *target, int64_t *target_row,
                                     int64_t *row);

#endif
