/*
 * outbox/sql_eta.c - what the tables say about when a row will go out; eta.c makes a time of it.
 *
 * Reads only. Other chats are looked at up to a number: leaving some out makes the answer earlier,
 * never wrong, since it says "not before".
 */
#include "base/bytes.h"
#include "outbox/eta.h"
#include "outbox/request.h"
#include "outbox/sql_row.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>

#define GATES_MAX  64
#define OTHERS_MAX 4096

struct asking {
    sqlite3 *db;
    int64_t row;
    struct gap_eta_row about;
    struct gap_gate gates[GATES_MAX];
    char parked[GAP_OUTBOX_REASON_MAX + 1];
    char stopped[GAP_OUTBOX_REASON_MAX + 1];
    struct gap_head head; /* of the row itself */
    struct gap_eta eta;
    sqlite3_stmt *bucket;
    sqlite3_stmt *count;
};

static int read_row(struct asking *k, gap_outbox_state_t *state)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(k->db,
                                "SELECT" GAP_OUTBOX_HEAD_COLUMNS
                                ", o.state, o.reason FROM main.gapless_outbox AS"
                                " o" GAP_OUTBOX_JOIN_CHAT "WHERE o.row = ?1",
                                &stmt);
    int64_t n;

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, k->row);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        gap_head_read(stmt, &k->head);
        bool good = gap_outbox_column_number(stmt, 10, GAP_OUTBOX_READY, GAP_OUTBOX_CANCELLED, &n);
        *state = good ? (gap_outbox_state_t)n : GAP_OUTBOX_READY;
        gap_bytes_t reason = gap_outbox_column(stmt, 11);
        snprintf(k->parked, sizeof k->parked, "%.*s", (int)reason.len, (const char *)reason.data);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = GAP_E_NOT_FOUND;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

/* The rows of its chat before it. */
static int read_ahead(struct asking *k)
{
    const int64_t numbers[] = {k->head.chat, k->row};
    struct gap_eta_row *about = &k->about;
    sqlite3_stmt *stmt;
    int64_t latest = 0;
    int rc = gap_outbox_prepare(
        k->db,
        "SELECT count(*), max(CASE WHEN typeof(not_before) = 'integer' THEN not_before END),"
        " max(class = 3) FROM main.gapless_outbox INDEXED BY gapless_outbox_waits"
        " WHERE chat = ?1 AND row < ?2 AND" GAP_OUTBOX_WAITS,
        &stmt);

    for (int i = 0; rc == SQLITE_OK && i < 2; i++) rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        about->ahead = (uint64_t)sqlite3_column_int64(stmt, 0);
        latest = sqlite3_column_int64(stmt, 1);
        about->bulk = sqlite3_column_int(stmt, 2) != 0 || k->head.urgency == GAP_OUTBOX_BULK;
        about->not_before_ahead = latest > k->head.not_before_us;
        about->not_before_us = about->not_before_ahead ? latest : k->head.not_before_us;
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

static struct gap_rate rate_of(sqlite3_stmt *stmt, int column, struct gap_rate otherwise)
{
    int64_t calls;
    int64_t per_ms;
    int64_t burst;

    if (!gap_outbox_column_number(stmt, column, 0, UINT32_MAX, &calls)) calls = 0;
    if (!gap_outbox_column_number(stmt, column + 1, 0, UINT32_MAX, &per_ms)) per_ms = 0;
    if (!gap_outbox_column_number(stmt, column + 2, 0, UINT32_MAX, &burst)) burst = 0;
    return gap_rate_of(&(gap_outbox_rate_t){(uint32_t)calls, (uint32_t)per_ms, (uint32_t)burst},
                       otherwise);
}

static int read_rates(struct asking *k)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(k->db,
                                "SELECT account_calls, account_ms, account_burst, user_calls,"
                                " user_ms, user_burst, group_calls, group_ms, group_burst"
                                " FROM main.gapless_outbox_meta",
                                &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        k->about.account_rate = rate_of(stmt, 0, GAP_RATE_ACCOUNT);
        k->about.user_rate = rate_of(stmt, 3, GAP_RATE_USER);
        k->about.group_rate = rate_of(stmt, 6, GAP_RATE_GROUP);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? GAP_E_DAMAGED : rc;
}

/* @param parked  Why that chat is; "" if it is not; may be NULL. */
static int read_bucket(struct asking *k, int64_t chat, struct gap_eta_bucket *out, char *parked,
                       size_t size)
{
    int rc = SQLITE_OK;

    if (k->bucket == NULL)
        rc = gap_outbox_prepare(k->db,
                                "SELECT tokens, at, parked, reason FROM main.gapless_outbox_chat"
                                " WHERE chat = ?1",
                                &k->bucket);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(k->bucket, 1, chat);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(k->bucket);
    if (rc == SQLITE_ROW) {
        out->stored =
            gap_outbox_column_number(k->bucket, 0, INT64_MIN, INT64_MAX, &out->millionths) &&
            gap_outbox_column_number(k->bucket, 1, INT64_MIN, INT64_MAX, &out->at_us);
        if (parked != NULL && sqlite3_column_type(k->bucket, 2) != SQLITE_NULL) {
            gap_bytes_t reason = gap_outbox_column(k->bucket, 3);
            snprintf(parked, size, "%.*s", (int)reason.len, (const char *)reason.data);
            if (parked[0] == '\0') snprintf(parked, size, "it is parked");
        }
    }
    (void)sqlite3_reset(k->bucket); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static uint32_t method_of(const struct gap_head *head)
{
    gap_outbox_kind_t kind = (gap_outbox_kind_t)head->kind;

    if (kind == GAP_OUTBOX_POST && head->target != 0) kind = GAP_OUTBOX_EDIT;
    return gap_outbox_method(kind, gap_outbox_peer(head->chat).kind, head->raw);
}

static int read_gates(struct asking *k)
{
    uint32_t method = method_of(&k->head);
    const int64_t numbers[] = {k->head.chat, method, gap_gate_sends(method) ? GAP_GATE_SENDING : 0};
    sqlite3_stmt *stmt;
    int rc =
        gap_outbox_prepare(k->db,
                           "SELECT method, chat, until FROM main.gapless_outbox_gate WHERE chat IN"
                           " (0, ?1) AND method IN (0, ?2, ?3) AND typeof(until) = 'integer'"
                           " ORDER BY until DESC LIMIT 64",
                           &stmt);

    for (int i = 0; rc == SQLITE_OK && i < 3; i++) rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW &&
           k->about.gate_count < GATES_MAX) {
        k->gates[k->about.gate_count++] =
            (struct gap_gate){.method = (uint32_t)sqlite3_column_int64(stmt, 0),
                              .chat = sqlite3_column_int64(stmt, 1),
                              .until_us = sqlite3_column_int64(stmt, 2)};
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- other chats ------------------------------------------------------------------------------ */

static int count_rows(struct asking *k, int64_t chat, int64_t *out)
{
    int rc = SQLITE_OK;

    if (k->count == NULL)
        rc = gap_outbox_prepare(k->db,
                                "SELECT count(*) FROM (SELECT 1 FROM main.gapless_outbox INDEXED BY"
                                " gapless_outbox_waits WHERE chat = ?1 AND" GAP_OUTBOX_WAITS
                                "LIMIT ?2)",
                                &k->count);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(k->count, 1, chat);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(k->count, 2, (int64_t)k->about.ahead + 1);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(k->count);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int64(k->count, 0);
    (void)sqlite3_reset(k->count); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool is_gated(const struct asking *k, const struct gap_head *head, int *failed)
{
    int64_t there = 0;
    const int64_t numbers[] = {head->chat, method_of(head), k->about.now_us};
    int rc = gap_outbox_number(k->db,
                               "SELECT 1 FROM main.gapless_outbox_gate WHERE chat IN (0, ?1)"
                               " AND method IN (0, 1, ?2) AND until > ?3",
                               numbers, 3, &there);

    *failed = rc;
    return rc != SQLITE_OK || there != 0;
}

static int look_at_other(void *arg, const struct gap_head *head)
{
    struct asking *k = arg;
    struct gap_eta_bucket bucket = {0};
    int64_t rows = 0;
    int failed = SQLITE_OK;

    if (head->chat == k->head.chat || head->parked || head->urgency != k->about.urgency ||
        head->not_before_us > k->about.now_us || head->chat == GAP_OUTBOX_CHAT_BROKEN)
        return 0;
    if (is_gated(k, head, &failed)) return gap_outbox_result(failed);
    int rc = read_bucket(k, head->chat, &bucket, NULL, 0);
    if (rc == SQLITE_OK) rc = count_rows(k, head->chat, &rows);
    if (head->state == GAP_OUTBOX_LEASED && rows > 0) rows--; /* its call is taken already */
    if (rc == SQLITE_OK) gap_eta_other(&k->eta, head->chat, (uint64_t)rows, &bucket);
    return gap_outbox_result(rc);
}

/* --- the answer ------------------------------------------------------------------------------- */

static int gather(struct asking *k)
{
    struct gap_head oldest = {0};
    int rc = read_ahead(k);

    if (rc == SQLITE_OK) rc = read_rates(k);
    if (rc == SQLITE_OK) rc = read_gates(k);
    k->parked[0] = k->stopped[0] = '\0';
    if (rc == SQLITE_OK && k->head.chat != 0)
        rc = read_bucket(k, k->head.chat, &k->about.own, k->parked, sizeof k->parked);
    if (rc == SQLITE_OK) rc = read_bucket(k, 0, &k->about.account, k->stopped, sizeof k->stopped);
    if (rc == SQLITE_OK) rc = gap_outdb_head(k->db, k->head.chat, &oldest);
    k->about.chat = k->head.chat;
    k->about.urgency = oldest.row != 0 ? oldest.urgency : k->head.urgency;
    k->about.under_way = oldest.state == GAP_OUTBOX_LEASED;
    k->about.gates = k->gates;
    k->about.parked = k->parked[0] != '\0' ? k->parked : NULL;
    k->about.bulk_stopped = k->stopped[0] != '\0' ? k->stopped : NULL;
    return rc;
}

static int answer(struct asking *k, gap_outbox_eta_t *out)
{
    int rc = gather(k);

    if (rc != SQLITE_OK) return rc;
    gap_eta_begin(&k->eta, &k->about);
    if (gap_eta_wants_others(&k->eta))
        rc = gap_outdb_chats(k->db, INT64_MIN, OTHERS_MAX, look_at_other, k);
    if (rc == SQLITE_OK) gap_eta_end(&k->eta, out);
    return rc;
}

/* It needs people. */
static void never(const struct asking *k, gap_outbox_eta_t *out)
{
    *out = (gap_outbox_eta_t){.at_us = INT64_MAX};
    snprintf(out->because, sizeof out->because, "%.*s", (int)sizeof out->because - 1, k->parked);
}

int gap_outbox_eta(sqlite3 *db, int64_t row, int64_t now_us, gap_outbox_eta_t *out)
{
    struct asking k = {.db = db, .row = row, .about = {.now_us = now_us}};
    enum gap_outbox_tables there;
    gap_outbox_state_t state = GAP_OUTBOX_READY;
    int rc = gap_outbox_recognise(db, &there);

    if (rc == SQLITE_OK && there == GAP_OUTBOX_TABLES_NONE) rc = GAP_E_NOT_FOUND;
    if (rc == SQLITE_OK) rc = read_row(&k, &state);
    if (rc == SQLITE_OK && (state == GAP_OUTBOX_SENT || state == GAP_OUTBOX_CANCELLED))
        rc = GAP_E_STATE;
    if (rc == SQLITE_OK && (state == GAP_OUTBOX_PARKED || state == GAP_OUTBOX_DEAD))
        never(&k, out);
    else if (rc == SQLITE_OK)
        rc = answer(&k, out);
    (void)sqlite3_finalize(k.bucket); /* they repeat what step said */
    (void)sqlite3_finalize(k.count);
    return gap_outbox_result(rc);
}
