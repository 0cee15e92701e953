/*
 * outbox/sql_claim.c - the oldest waiting row of a chat is taken, or put aside.
 *
 *   oldest row --> can't have been written so, may not be repeated, what it needs is not there:
 *                  PARKED
 *              --> past its deadline: DEAD      --> what it is about was taken back: CANCELLED
 *              --> a post that is so already: SENT
 *              --> not before a time, another one than expected, bulk that is stopped: left
 *              --> LEASED
 *
 * What is put aside does not hold up its chat: the next row is looked at, up to a number.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/request.h"
#include "outbox/sql_row.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>

enum claim_sql {
    CLAIM_KNOWN,
    CLAIM_ROW,
    CLAIM_BROKEN,
    CLAIM_TAKE,
    CLAIM_ASIDE,
    CLAIM_ABOUT,
    CLAIM_NEEDS,
    CLAIM_BUCKET,
    CLAIM_COUNT
};

static const char *const texts[CLAIM_COUNT] = {
    /* Not by the index: with many rows each chat has a page of its own there. */
    [CLAIM_KNOWN] = "SELECT" GAP_OUTBOX_ROW_COLUMNS GAP_OUTBOX_ROW_PAYLOAD
                    ", c.parked FROM main.gapless_outbox AS o NOT "
                    "INDEXED" GAP_OUTBOX_JOIN_CHAT GAP_OUTBOX_JOIN_POST
                    "WHERE o.row = ?2 AND o.chat = ?1 AND" GAP_OUTBOX_WAITS,
    [CLAIM_ROW] = "SELECT" GAP_OUTBOX_ROW_COLUMNS GAP_OUTBOX_ROW_PAYLOAD
                  ", c.parked FROM main.gapless_outbox AS o INDEXED BY "
                  "gapless_outbox_waits" GAP_OUTBOX_JOIN_CHAT GAP_OUTBOX_JOIN_POST
                  "WHERE o.chat = ?1 AND o.row > 0 AND" GAP_OUTBOX_WAITS "ORDER BY o.row LIMIT 1",
    [CLAIM_BROKEN] =
        "SELECT" GAP_OUTBOX_ROW_COLUMNS GAP_OUTBOX_ROW_PAYLOAD
        ", NULL FROM main.gapless_outbox AS o INDEXED BY gapless_outbox_waits" GAP_OUTBOX_JOIN_POST
        "WHERE (typeof(o.chat) <> 'integer' OR o.chat ="
        " ?1 OR o.chat = -9223372036854775807 - 1 OR o.row < 1) AND" GAP_OUTBOX_WAITS "LIMIT 1",
    [CLAIM_TAKE] = "UPDATE main.gapless_outbox SET state = 3, epoch = ?2, attempts = ?3,"
                   " target = ?4, flags = ?5, payload = coalesce(?6, payload),"
                   " hash = coalesce(?7, hash) WHERE row = ?1",
    [CLAIM_ASIDE] = "UPDATE main.gapless_outbox SET state = ?2, error = ?3, done = ?4,"
                    " message_id = ?5, flags = ?6, reason = ?7 WHERE row = ?1",
    [CLAIM_ABOUT] = "SELECT state, message_id FROM main.gapless_outbox WHERE row = ?1",
    [CLAIM_NEEDS] = "UPDATE main.gapless_outbox INDEXED BY gapless_outbox_needs"
                    " SET target = ?2 WHERE target_row = ?1",
    [CLAIM_BUCKET] = "INSERT INTO main.gapless_outbox_chat(chat, tokens, at) VALUES(?1, ?2, ?3)"
                     " ON CONFLICT(chat) DO UPDATE SET tokens = ?2, at = ?3",
};

/* What a row is put aside as. */
struct aside {
    gap_outbox_state_t state;
    int error;
    int32_t message_id;
    char reason[GAP_OUTBOX_REASON_MAX + 1];
};

struct claiming {
    sqlite3 *db;
    struct gap_claims *c;
    struct gap_item item;
    gap_buf_t payload;                    /* of a post's row */
    uint8_t hash[GAP_CONTENT_HASH_BYTES]; /* likewise */
    bool is_post;
    bool parked;     /* the chat */
    struct aside as; /* state 0: the row is good so far */
    int64_t until_us;
    sqlite3_stmt *stmts[CLAIM_COUNT];
};

static int statement(struct claiming *k, enum claim_sql which, sqlite3_stmt **out)
{
    int rc = SQLITE_OK;

    if (k->stmts[which] == NULL) rc = gap_outbox_prepare(k->db, texts[which], &k->stmts[which]);
    *out = k->stmts[which];
    return rc;
}

static void put_aside(struct claiming *k, gap_outbox_state_t state, int error, const char *reason)
{
    k->as.state = state;
    k->as.error = error;
    snprintf(k->as.reason, sizeof k->as.reason, "%s", reason);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Without one the server could not tell a repeat from a second message. */
static bool needs_random_id(uint32_t kind)
{
    return kind == GAP_OUTBOX_SEND || kind == GAP_OUTBOX_MEDIA || kind == GAP_OUTBOX_FORWARD;
}

/* @return false with k->as: nobody who keeps to the rules can have written it. */
static bool read_item(struct claiming *k, const struct gap_row *row)
{
    bool is_raw = row->kind == GAP_OUTBOX_RAW;

    if (row->kind < GAP_OUTBOX_SEND || row->kind > GAP_OUTBOX_POST) {
        put_aside(k, GAP_OUTBOX_PARKED, GAP_E_DAMAGED, "");
        snprintf(k->as.reason, sizeof k->as.reason,
                 "its kind, %u, is none that this version of the library knows", row->kind);
        return false;
    }
    if (gap_outbox_peer(row->chat).kind == GAP_PEER_NONE && !(is_raw && row->chat == 0)) {
        put_aside(k, GAP_OUTBOX_PARKED, GAP_E_DAMAGED,
                  "its column chat names no chat: correct that, then retry it");
        return false;
    }
    if (needs_random_id(row->kind) && row->random_id == 0) {
        put_aside(k, GAP_OUTBOX_PARKED, GAP_E_DAMAGED,
                  "its column random_id is 0, so a repeat would be a second message: set any other"
                  " number, then retry it");
        return false;
    }
    k->is_post = row->kind == GAP_OUTBOX_POST;
    if (k->is_post) return true;
    int r = gap_item_unpack(row->payload, &k->item);
    if (r == 0 && k->item.item.kind != row->kind) r = GAP_E_DAMAGED;
    if (r == 0) return true;
    put_aside(k, GAP_OUTBOX_PARKED, r, gap_item_reason(r));
    return false;
}

/* @return a code; *found: there is one, in `row`, with k->as set if it is bad. */
static int read_by(struct claiming *k, enum claim_sql which, const struct gap_claim *claim,
                   struct gap_row *row, bool *found)
{
    bool is_broken = which == CLAIM_BROKEN;
    sqlite3_stmt *stmt;
    int error = 0;
    int rc = statement(k, which, &stmt);

    memset(&k->as, 0, sizeof k->as);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, claim->chat);
    if (rc == SQLITE_OK && which == CLAIM_KNOWN) rc = sqlite3_bind_int64(stmt, 2, claim->expect);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    if (rc == SQLITE_DONE) rc = SQLITE_OK;
    if (*found) {
        k->parked = sqlite3_column_type(stmt, GAP_ROW_COLUMNS) != SQLITE_NULL;
        rc = gap_row_read(stmt, k->c->alloc, true, row, &error, k->as.reason, sizeof k->as.reason);
        if (error != 0) {
            k->as.state = GAP_OUTBOX_PARKED;
            k->as.error = error;
        }
    }
    (void)sqlite3_reset(stmt); /* it was a row, or repeats what step said */
    if (rc == SQLITE_OK && *found && is_broken && row->row > 0)
        put_aside(k, GAP_OUTBOX_PARKED, GAP_E_DAMAGED,
                  "its column chat holds no number: correct that, then retry it");
    if (rc == SQLITE_OK && *found && k->as.state == 0) (void)read_item(k, row);
    return rc;
}

/* The row that is known to be the oldest one; if it waits no more, the one that is. */
static int read_oldest(struct claiming *k, const struct gap_claim *claim, struct gap_row *row,
                       bool *found)
{
    int rc = SQLITE_OK;

    *found = false;
    if (claim->oldest && claim->expect != 0) rc = read_by(k, CLAIM_KNOWN, claim, row, found);
    if (rc != SQLITE_OK || *found) return rc;
    bool is_broken = claim->chat == GAP_OUTBOX_CHAT_BROKEN;
    return read_by(k, is_broken ? CLAIM_BROKEN : CLAIM_ROW, claim, row, found);
}

/* --- what its turn means ---------------------------------------------------------------------- */

/* Once it may have been sent only people can say whether it may be sent again. */
static bool is_for_people(const struct claiming *k, const struct gap_row *row)
{
    if (k->is_post) return false;
    gap_replay_t replay = gap_outbox_replay(&k->item.item);
    return replay == GAP_REPLAY_NEVER ||
           (replay == GAP_REPLAY_PROBE && row->kind == GAP_OUTBOX_RAW && !k->c->has_probe);
}

/* It may have been sent: may it be sent again? */
static void look_at_repeat(struct claiming *k, const struct gap_row *row)
{
    if (!is_for_people(k, row)) return;
    if (gap_outbox_replay(&k->item.item) == GAP_REPLAY_NEVER)
        put_aside(k, GAP_OUTBOX_PARKED, 0,
                  "it may have been sent, its answer was lost, and it is not to be repeated: look"
                  " whether it was, then retry or cancel it");
    else
        put_aside(k, GAP_OUTBOX_PARKED, 0,
                  "it may have been sent, and there is no probe to ask whether it was: look, then"
                  " retry or cancel it");
}

static void about_lost(struct claiming *k, int64_t row, bool cancelled)
{
    gap_outbox_kind_t kind = k->item.item.kind;
    bool follows = kind != GAP_OUTBOX_SEND && kind != GAP_OUTBOX_MEDIA;

    put_aside(k, cancelled && follows ? GAP_OUTBOX_CANCELLED : GAP_OUTBOX_PARKED, GAP_E_NOT_FOUND,
              "");
    snprintf(k->as.reason, sizeof k->as.reason, "it is about the message of row %lld, which %s",
             (long long)row, cancelled ? "was cancelled" : "was not sent");
}

/* The row names another one whose message it is about or answers. */
static int look_at_needs(struct claiming *k, struct gap_row *row)
{
    const gap_outbox_item_t *item = &k->item.item;
    int64_t of = item->message_row != 0 ? item->message_row : item->reply_to_row;
    int64_t state = 0;
    int64_t message_id = 0;
    sqlite3_stmt *stmt;

    if (k->is_post || of == 0 || row->target != 0) return SQLITE_OK;
    if (row->target_row != 0) of = row->target_row; /* it may have been given a new number */
    int rc = statement(k, CLAIM_ABOUT, &stmt);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, of);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        state = sqlite3_column_int64(stmt, 0);
        if (!gap_outbox_column_number(stmt, 1, 0, INT32_MAX, &message_id)) message_id = 0;
    }
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
    if (state == GAP_OUTBOX_SENT && message_id != 0)
        row->target = (int32_t)message_id;
    else
        about_lost(k, of, state == GAP_OUTBOX_CANCELLED);
    return SQLITE_OK;
}

static int look_at_post(struct claiming *k, struct gap_row *row)
{
    struct gap_post_claim out = {0};
    const struct gap_post_row post = {.row = row->row,
                                      .post = row->post,
                                      .begun = row->begun,
                                      .payload = row->payload,
                                      .hash = row->hash};

    if (!k->is_post) return SQLITE_OK;
    int r = gap_post_claim(k->db, k->c->alloc, &post, &k->payload, &out);
    if (r < 0) return r;
    switch (out.verdict) {
    case GAP_POST_GO:
        row->target = out.kind == GAP_OUTBOX_EDIT ? out.message_id : 0;
        memcpy(k->hash, out.hash, sizeof k->hash);
        return gap_row_carry(row, gap_buf_view(&k->payload), gap_bytes(k->hash, sizeof k->hash));
    case GAP_POST_NOTHING:
        put_aside(k, GAP_OUTBOX_SENT, 0, "");
        k->as.message_id = out.message_id;
        break;
    case GAP_POST_CANCEL:
        put_aside(k, GAP_OUTBOX_CANCELLED, 0, out.reason);
        break;
    case GAP_POST_PARK:
        put_aside(k, GAP_OUTBOX_PARKED, GAP_E_DAMAGED, out.reason);
        break;
    }
    return SQLITE_OK;
}

/* A good row. @return a code; with k->as it is put aside, with k->until_us it waits. */
static int look(struct claiming *k, struct gap_row *row)
{
    int64_t now = k->c->now_us;
    bool repeat = row->state == GAP_OUTBOX_LEASED || row->state == GAP_OUTBOX_UNKNOWN;

    k->until_us = gap_row_waits_us(row->state, row->not_before_us, now);
    if (row->deadline_us != 0 && now > row->deadline_us && !repeat && !row->begun) {
        put_aside(k, GAP_OUTBOX_DEAD, GAP_E_TIMEOUT, "its deadline passed before its turn came");
        return SQLITE_OK;
    }
    if (k->until_us != 0) return SQLITE_OK;
    if (repeat) look_at_repeat(k, row);
    if (k->as.state != 0) return SQLITE_OK;
    /* One that waits merely was given back to that state by people: they have looked. */
    row->begun = repeat || (row->begun && !is_for_people(k, row));
    int rc = look_at_needs(k, row);
    return rc == SQLITE_OK && k->as.state == 0 ? look_at_post(k, row) : rc;
}

/* --- storing ---------------------------------------------------------------------------------- */

/* Hand it over to those that were put aside. */
static int keep_aside(struct claiming *k, struct gap_row *row)
{
    struct gap_claims *c = k->c;

    if (c->aside_count == c->aside_cap) {
        size_t cap = c->aside_cap == 0 ? 8 : c->aside_cap * 2;
        struct gap_row *rows = gap_realloc(c->alloc, c->aside, cap * sizeof *rows);
        if (rows == NULL) return GAP_E_NOMEM;
        c->aside = rows;
        c->aside_cap = cap;
    }
    row->reason = gap_bytes((const uint8_t *)k->as.reason, strlen(k->as.reason));
    int r = gap_row_carry(row, gap_bytes(NULL, 0), row->hash);
    if (r < 0) return r;
    row->state = k->as.state;
    row->error = k->as.error;
    row->message_id = k->as.message_id;
    row->done_us = c->now_us;
    c->aside[c->aside_count++] = *row;
    memset(row, 0, sizeof *row);
    return 0;
}

static int store_aside(struct claiming *k, struct gap_row *row)
{
    const int64_t needs[] = {row->row, k->as.message_id};
    bool repeat = row->begun || row->state == GAP_OUTBOX_LEASED || row->state == GAP_OUTBOX_UNKNOWN;
    const int64_t numbers[] = {row->row,     k->as.state,      k->as.error,
                               k->c->now_us, k->as.message_id, repeat ? GAP_OUTBOX_FLAG_BEGUN : 0};
    sqlite3_stmt *stmt;
    int rc = statement(k, CLAIM_ASIDE, &stmt);

    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 7, gap_str(k->as.reason));
    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, (int)GAP_ARRAY_LEN(numbers));
    if (rc == SQLITE_OK && needs[1] != 0) {
        rc = statement(k, CLAIM_NEEDS, &stmt);
        if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, needs, 2);
    }
    return rc == SQLITE_OK ? keep_aside(k, row) : rc;
}

static int store_bucket(struct claiming *k, int64_t chat, int64_t tokens, int64_t at_us)
{
    const int64_t numbers[] = {chat, tokens, at_us};
    sqlite3_stmt *stmt;
    int rc = statement(k, CLAIM_BUCKET, &stmt);

    return rc == SQLITE_OK ? gap_outbox_run(stmt, numbers, 3) : rc;
}

static int take(struct claiming *k, struct gap_claim *claim, struct gap_row *row)
{
    sqlite3_stmt *stmt;
    int rc = statement(k, CLAIM_TAKE, &stmt);

    row->attempts += row->attempts < UINT32_MAX;
    const int64_t numbers[] = {row->row, k->c->epoch, row->attempts, row->target,
                               (row->begun ? GAP_OUTBOX_FLAG_BEGUN : 0) +
                                   (int64_t)row->doubles * GAP_OUTBOX_FLAGS_DOUBLE};
    if (rc == SQLITE_OK)
        rc = gap_outbox_bind_blob(stmt, 6, k->is_post ? row->payload : gap_bytes(NULL, 0));
    if (rc == SQLITE_OK)
        rc = gap_outbox_bind_blob(stmt, 7, k->is_post ? row->hash : gap_bytes(NULL, 0));
    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, (int)GAP_ARRAY_LEN(numbers));
    if (rc == SQLITE_OK && claim->has_bucket && claim->chat != GAP_OUTBOX_CHAT_ACCOUNT)
        rc = store_bucket(k, claim->chat, claim->tokens, claim->at_us);
    if (rc != SQLITE_OK) return rc;
    row->state = GAP_OUTBOX_LEASED;
    claim->result = GAP_CLAIM_TAKEN;
    claim->row = *row;
    memset(row, 0, sizeof *row);
    k->c->taken++;
    return SQLITE_OK;
}

/* --- one chat --------------------------------------------------------------------------------- */

static void tell_head(const struct claiming *k, const struct gap_row *row, struct gap_head *out)
{
    *out = (struct gap_head){.chat = row->chat,
                             .row = row->row,
                             .kind = row->kind,
                             .target = row->target,
                             .urgency = row->urgency,
                             .state = row->state,
                             .not_before_us = row->not_before_us,
                             .random_id = row->random_id};
    if (row->kind == GAP_OUTBOX_RAW) out->raw = gap_item_raw_method(row->payload);
    out->parked = k->parked;
}

/* Is the row left where it is? */
static bool is_left(const struct claiming *k, struct gap_claim *claim, const struct gap_row *row)
{
    if (k->parked) {
        claim->result = GAP_CLAIM_PARKED;
    } else if (claim->expect != 0 && claim->expect != row->row) {
        claim->result = GAP_CLAIM_OTHER;
    } else if (k->c->bulk_stopped && row->urgency == GAP_OUTBOX_BULK) {
        claim->result = GAP_CLAIM_STOPPED;
    } else {
        return false;
    }
    tell_head(k, row, &claim->head);
    return true;
}

/* People have ended it, by its state alone. */
static int end_row(struct claiming *k, const struct gap_row *row)
{
    const int64_t numbers[] = {row->row, k->c->now_us};

    return gap_outbox_do(k->db, "UPDATE main.gapless_outbox SET done = ?2 WHERE row = ?1", numbers,
                         2);
}

/* Rows of it to which people have given a state that waits do so. */
static int revive(struct claiming *k, int64_t chat, bool *any)
{
    int rc = gap_outbox_do(k->db,
                           "UPDATE main.gapless_outbox INDEXED BY gapless_outbox_moved SET done = 0"
                           " WHERE" GAP_OUTBOX_REVIVED "AND chat = ?1",
                           &chat, 1);

    *any = rc == SQLITE_OK && sqlite3_changes(k->db) > 0;
    return rc;
}

/* @return a code; claim->result stays AGAIN if a row was put aside. */
static int claim_row(struct claiming *k, struct gap_claim *claim, struct gap_row *row)
{
    bool found = false;
    int rc = read_oldest(k, claim, row, &found);

    if (rc != SQLITE_OK) return rc;
    if (!found) {
        rc = revive(k, claim->chat, &found);
        if (!found) claim->result = GAP_CLAIM_EMPTY;
        return rc;
    }
    if (row->state > GAP_OUTBOX_UNKNOWN) return end_row(k, row);
    if (k->as.state != 0) return store_aside(k, row);
    if (is_left(k, claim, row)) return SQLITE_OK;
    rc = look(k, row);
    if (rc != SQLITE_OK) return rc;
    if (k->as.state != 0) return store_aside(k, row);
    if (k->until_us == 0) return take(k, claim, row);
    claim->result = GAP_CLAIM_LATER;
    claim->until_us = k->until_us;
    tell_head(k, row, &claim->head);
    return SQLITE_OK;
}

static int claim_chat(struct claiming *k, struct gap_claim *claim)
{
    int rc = SQLITE_OK;

    claim->result = GAP_CLAIM_AGAIN;
    for (int i = 0; rc == SQLITE_OK && i <= GAP_OUTBOX_ASIDE_MAX; i++) {
        struct gap_row row = {0};
        if (claim->result != GAP_CLAIM_AGAIN) break;
        rc = claim_row(k, claim, &row);
        gap_row_fini(&row);
    }
    return rc;
}

int gap_outdb_claim(sqlite3 *db, struct gap_claims *c)
{
    struct claiming *k = gap_calloc(c->alloc, 1, sizeof *k);
    int rc = SQLITE_OK;

    gap_claims_clear(c);
    if (k == NULL) return GAP_E_NOMEM;
    k->db = db;
    k->c = c;
    gap_outbox_prepare_for(db, c->count);
    gap_buf_init(&k->payload, c->alloc);
    for (size_t i = 0; rc == SQLITE_OK && i < c->count; i++) rc = claim_chat(k, &c->claims[i]);
    if (rc == SQLITE_OK && c->taken > 0 && c->has_bucket)
        rc = store_bucket(k, GAP_OUTBOX_CHAT_ACCOUNT, c->tokens, c->at_us);
    for (size_t i = 0; i < CLAIM_COUNT; i++) (void)sqlite3_finalize(k->stmts[i]);
    gap_buf_fini(&k->payload);
    gap_free(c->alloc, k);
    if (rc != SQLITE_OK) gap_claims_clear(c);
    return gap_outbox_result(rc);
}
