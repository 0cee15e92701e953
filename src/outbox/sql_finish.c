/*
 * outbox/sql_finish.c - what became of rows is stored: their state, chats that are parked, messages
 * that others wait for, the posts behind them. All of a call is in one transaction.
 */
#include "base/bytes.h"
#include "outbox/sql_row.h"
#include "store/sqlite.h"

#include <string.h>

enum finish_sql { FINISH_READ, FINISH_STORE, FINISH_PARK, FINISH_NEEDS, FINISH_HEAD, FINISH_COUNT };

static const char *const texts[FINISH_COUNT] = {
    [FINISH_READ] = "SELECT chat, kind, state, flags, attempts, target, post,"
                    " CASE WHEN kind = 10 THEN hash END, CASE WHEN kind = 10 THEN payload END"
                    " FROM main.gapless_outbox WHERE row = ?1",
    [FINISH_STORE] = "UPDATE main.gapless_outbox SET state = ?2, flags = ?3, attempts = ?4,"
                     " message_id = ?5, not_before = CASE WHEN ?2 IN (1, 2, 4) THEN ?6"
                     " ELSE not_before END, error = ?7, done = ?8, reason = ?9,"
                     " hash = coalesce(?10, hash) WHERE row = ?1",
    [FINISH_PARK] = "INSERT INTO main.gapless_outbox_chat(chat, parked, error, reason)"
                    " VALUES(?1, ?2, ?3, ?4) ON CONFLICT(chat) DO UPDATE SET parked = ?2,"
                    " error = ?3, reason = ?4",
    [FINISH_NEEDS] = "UPDATE main.gapless_outbox INDEXED BY gapless_outbox_needs"
                     " SET target = ?2 WHERE target_row = ?1",
    [FINISH_HEAD] = GAP_OUTBOX_HEAD_SQL,
};

struct finishing {
    sqlite3 *db;
    struct gap_finishes *f;
    sqlite3_stmt *stmts[FINISH_COUNT];
};

/* The row before it is changed. */
struct before {
    int64_t chat;
    int64_t flags;
    int64_t attempts;
    int64_t message_id; /* what it is about */
    bool is_post;
    struct gap_post_row post; /* views of the statement */
};

static int statement(struct finishing *k, enum finish_sql which, sqlite3_stmt **out)
{
    int rc = SQLITE_OK;

    if (k->stmts[which] == NULL) rc = gap_outbox_prepare(k->db, texts[which], &k->stmts[which]);
    *out = k->stmts[which];
    return rc;
}

/* @return false: nobody waits for this outcome. */
static bool read_before(sqlite3_stmt *stmt, int64_t row, struct before *b)
{
    int64_t kind = 0;
    int64_t state;

    memset(b, 0, sizeof *b);
    if (!gap_outbox_column_number(stmt, 2, GAP_OUTBOX_LEASED, GAP_OUTBOX_UNKNOWN, &state))
        return false;
    b->chat = sqlite3_column_int64(stmt, 0);
    (void)gap_outbox_column_number(stmt, 1, 0, UINT32_MAX, &kind);
    b->flags = sqlite3_column_int64(stmt, 3);
    b->attempts = sqlite3_column_int64(stmt, 4);
    b->message_id = sqlite3_column_int64(stmt, 5);
    b->is_post = kind == GAP_OUTBOX_POST;
    b->post.row = row;
    b->post.post = sqlite3_column_int64(stmt, 6);
    b->post.begun = (b->flags & GAP_OUTBOX_FLAG_BEGUN) != 0;
    b->post.hash = gap_outbox_column(stmt, 7);
    b->post.payload = gap_outbox_column(stmt, 8);
    return true;
}

static int finish_post(struct finishing *k, struct gap_finish *f, const struct before *b)
{
    struct gap_post_finish out = {0};

    if (!b->is_post || f->state == GAP_OUTBOX_READY) return SQLITE_OK;
    int r = gap_post_finished(k->db, k->f->alloc, &b->post, f->post_end, f->message_id,
                              k->f->now_us, &k->f->told, &out);
    if (r < 0) return r;
    if (out.state != 0) f->became = out.state;
    if (out.reason != NULL) f->because = out.reason;
    return SQLITE_OK;
}

static gap_bytes_t reason_of(const struct gap_finish *f)
{
    gap_bytes_t reason = f->because != NULL ? gap_str(f->because) : f->reason;

    if (reason.len > GAP_OUTBOX_REASON_MAX) reason.len = GAP_OUTBOX_REASON_MAX;
    while (reason.len > 0 && reason.len < f->reason.len && f->because == NULL &&
           (f->reason.data[reason.len] & 0xc0) == 0x80)
        reason.len--; /* not inside of a character */
    return reason;
}

static bool is_done(gap_outbox_state_t state)
{
    return state == GAP_OUTBOX_SENT || state == GAP_OUTBOX_PARKED || state == GAP_OUTBOX_DEAD ||
           state == GAP_OUTBOX_CANCELLED;
}

static int64_t message_of(const struct gap_finish *f, const struct before *b)
{
    if (f->became != GAP_OUTBOX_SENT) return 0;
    return f->message_id != 0 ? f->message_id : b->message_id;
}

static int store(struct finishing *k, const struct gap_finish *f, const struct before *b)
{
    sqlite3_stmt *stmt;
    int64_t flags = b->flags & ~(int64_t)(GAP_OUTBOX_FLAG_CHAT | GAP_OUTBOX_FLAG_ACCOUNT);
    int64_t attempts = b->attempts > 0 && f->uncounted ? b->attempts - 1 : b->attempts;

    if (f->executed || f->became == GAP_OUTBOX_UNKNOWN) flags |= GAP_OUTBOX_FLAG_BEGUN;
    if (f->doubled && flags / GAP_OUTBOX_FLAGS_DOUBLE < GAP_OUTBOX_DOUBLES_MAX)
        flags += GAP_OUTBOX_FLAGS_DOUBLE;
    if (f->park_chat && f->became == GAP_OUTBOX_PARKED) flags |= GAP_OUTBOX_FLAG_CHAT;
    if (f->stop_bulk && f->became == GAP_OUTBOX_PARKED) flags |= GAP_OUTBOX_FLAG_ACCOUNT;
    const int64_t numbers[] = {
        f->row,           f->became,        flags,    attempts,
        message_of(f, b), f->not_before_us, f->error, is_done(f->became) ? k->f->now_us : 0};
    int rc = statement(k, FINISH_STORE, &stmt);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 9, reason_of(f));
    if (rc == SQLITE_OK) rc = gap_outbox_bind_blob(stmt, 10, f->hash);
    return rc == SQLITE_OK ? gap_outbox_run(stmt, numbers, (int)GAP_ARRAY_LEN(numbers)) : rc;
}

static int park(struct finishing *k, const struct gap_finish *f, int64_t chat)
{
    const int64_t numbers[] = {chat, k->f->now_us, f->error};
    sqlite3_stmt *stmt;
    int rc = statement(k, FINISH_PARK, &stmt);

    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 4, reason_of(f));
    return rc == SQLITE_OK ? gap_outbox_run(stmt, numbers, 3) : rc;
}

/* What follows from the row's new state. */
static int follow(struct finishing *k, struct gap_finish *f, const struct before *b)
{
    const int64_t needs[] = {f->row, message_of(f, b)};
    sqlite3_stmt *stmt;
    int rc = SQLITE_OK;

    if (f->park_chat && b->chat != GAP_OUTBOX_CHAT_ACCOUNT) rc = park(k, f, b->chat);
    if (rc == SQLITE_OK && f->stop_bulk) rc = park(k, f, GAP_OUTBOX_CHAT_ACCOUNT);
    if (rc == SQLITE_OK && needs[1] != 0) {
        rc = statement(k, FINISH_NEEDS, &stmt);
        if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, needs, 2);
    }
    if (rc == SQLITE_OK) rc = statement(k, FINISH_HEAD, &stmt);
    return rc == SQLITE_OK ? gap_head_by(stmt, b->chat, &f->next) : rc;
}

static int finish_one(struct finishing *k, struct gap_finish *f)
{
    sqlite3_stmt *stmt;
    struct before b;

    f->applied = false;
    f->became = f->state;
    f->because = NULL;
    memset(&f->next, 0, sizeof f->next);
    int rc = statement(k, FINISH_READ, &stmt);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, f->row);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    f->applied = rc == SQLITE_ROW && read_before(stmt, f->row, &b);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) rc = SQLITE_OK;
    if (rc == SQLITE_OK && f->applied) rc = finish_post(k, f, &b);
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    if (rc != SQLITE_OK || !f->applied) return rc;
    rc = store(k, f, &b);
    return rc == SQLITE_OK ? follow(k, f, &b) : rc;
}

int gap_outdb_finish(sqlite3 *db, struct gap_finishes *f)
{
    struct finishing k = {.db = db, .f = f};
    int rc = SQLITE_OK;

    memset(&f->told, 0, sizeof f->told);
    gap_outbox_prepare_for(db, f->count);
    for (size_t i = 0; rc == SQLITE_OK && i < f->count; i++) rc = finish_one(&k, &f->finishes[i]);
    for (size_t i = 0; i < FINISH_COUNT; i++) (void)sqlite3_finalize(k.stmts[i]);
    return gap_outbox_result(rc);
}
