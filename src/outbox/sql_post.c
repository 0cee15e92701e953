/*
 * outbox/sql_post.c - the tables of posts: reading and writing one, its row, what it shows of
 * others, and the marks.
 *
 * Never: begins or ends a transaction, keeps a statement, trusts what it reads.
 */
#include "outbox/sql_post.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/content.h"
#include "outbox/sql_schema.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>

/* --- one post --------------------------------------------------------------------------------- */

/* Bytes that nobody could have written are read as a number, which no blob may be. */
#define CAPPED(column, most)   "CASE WHEN length(" column ") <= " most " THEN " column " ELSE 0 END"
#define NULLABLE(column, most) "CASE WHEN length(" column ") > " most " THEN 0 ELSE " column " END"

static const char select_sql[] =
    "SELECT post, chat, class, if_gone, if_expired, deadline, message_id, previous, reply_to,"
    " random_id, row, revision, doubt, frozen, generation, key IS NULL,"
    " " CAPPED("link_base", "255") ", " CAPPED("title", "4096") ", " NULLABLE(
        "key", "255") ","
                      " " NULLABLE("sent", "16") ", " NULLABLE("hash", "16") ", " NULLABLE(
                          "content",
                          "524288") ","
                                    " " NULLABLE("source",
                                                 "524288") " FROM main.gapless_outbox_post WHERE ";

enum { COLUMN_BASE = 16, COLUMN_TITLE, COLUMN_KEY, COLUMN_SENT, COLUMN_HASH, COLUMN_CONTENT };
enum { COLUMN_SOURCE = COLUMN_CONTENT + 1, COLUMN_END };

static bool number(sqlite3_stmt *stmt, int column, int64_t least, int64_t most, int64_t *out)
{
    return gap_outbox_column_number(stmt, column, least, most, out);
}

static bool id(sqlite3_stmt *stmt, int column, int32_t *out)
{
    int64_t v;

    if (!number(stmt, column, 0, INT32_MAX, &v)) return false;
    *out = (int32_t)v;
    return true;
}

static bool read_numbers(sqlite3_stmt *stmt, struct gap_post_record *p)
{
    int64_t doubt;
    int64_t frozen;
    int64_t generation;
    bool good = number(stmt, 0, 1, INT64_MAX, &p->post) &&
                number(stmt, 1, INT64_MIN, INT64_MAX, &p->chat) &&
                number(stmt, 2, GAP_OUTBOX_AUTO, GAP_OUTBOX_BULK, &p->urgency) &&
                number(stmt, 3, GAP_POST_DEFAULT, GAP_POST_REPLY, &p->if_gone) &&
                number(stmt, 4, GAP_POST_DEFAULT, GAP_POST_REPLY, &p->if_expired) &&
                number(stmt, 5, 0, INT64_MAX, &p->deadline_us) && id(stmt, 6, &p->message_id) &&
                id(stmt, 7, &p->previous) && id(stmt, 8, &p->reply_to) &&
                number(stmt, 9, INT64_MIN, INT64_MAX, &p->random_id) &&
                number(stmt, 10, 0, INT64_MAX, &p->row) &&
                number(stmt, 11, 0, INT64_MAX - 1, &p->revision) &&
                number(stmt, 12, 0, 1, &doubt) && number(stmt, 13, 0, 2, &frozen) &&
                number(stmt, 14, 0, GAP_POST_GENERATIONS_MAX, &generation);

    if (!good || p->random_id == 0 || gap_outbox_peer(p->chat).kind == GAP_PEER_NONE) return false;
    p->doubt = doubt != 0;
    p->frozen = (int)frozen;
    p->generation = (int)generation;
    p->removed = sqlite3_column_int(stmt, 15) != 0;
    return true;
}

const uint8_t gap_post_hash_unknown[16];

/* A hash is there and has its length, or is not there. */
static bool read_hash(sqlite3_stmt *stmt, int column, bool *has, uint8_t out[16])
{
    *has = sqlite3_column_type(stmt, column) == SQLITE_BLOB;
    if (!*has) return sqlite3_column_type(stmt, column) == SQLITE_NULL;
    const void *bytes = sqlite3_column_blob(stmt, column);
    if (sqlite3_column_bytes(stmt, column) != 16 || bytes == NULL) return false;
    memcpy(out, bytes, 16);
    return memcmp(out, gap_post_hash_unknown, 16) != 0; /* nobody hashes to that */
}

/* Copy the columns of bytes, all in one piece. @return 0; GAP_E_DAMAGED; GAP_E_NOMEM. */
static int read_bytes(sqlite3_stmt *stmt, struct gap_post_record *p)
{
    gap_bytes_t *const views[] = {&p->link_base, &p->title,   &p->key,   NULL,
                                  NULL,          &p->content, &p->source};
    gap_bytes_t found[COLUMN_END - COLUMN_BASE];
    size_t total = 1;

    for (int i = 0; i < COLUMN_END - COLUMN_BASE; i++) {
        int type = sqlite3_column_type(stmt, COLUMN_BASE + i);
        if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) return GAP_E_DAMAGED;
        found[i] = gap_outbox_column(stmt, COLUMN_BASE + i);
        total += found[i].len;
    }
    uint8_t *at = p->memory = gap_malloc(p->alloc, total);
    if (at == NULL) return GAP_E_NOMEM;
    for (int i = 0; i < COLUMN_END - COLUMN_BASE; i++) {
        if (views[i] == NULL) continue;
        if (found[i].len > 0) memcpy(at, found[i].data, found[i].len);
        *views[i] = gap_bytes(at, found[i].len);
        at += found[i].len;
    }
    return 0;
}

static int read_post(sqlite3_stmt *stmt, struct gap_post_record *p)
{
    if (!read_numbers(stmt, p) || !read_hash(stmt, COLUMN_SENT, &p->has_sent, p->sent) ||
        !read_hash(stmt, COLUMN_HASH, &p->has_hash, p->hash))
        return GAP_E_DAMAGED;
    int r = read_bytes(stmt, p);
    if (r != 0) return r;
    p->has_source = sqlite3_column_type(stmt, COLUMN_SOURCE) != SQLITE_NULL;
    if (!p->removed && (p->key.len == 0 || p->key.len > GAP_POST_KEY_MAX)) return GAP_E_DAMAGED;
    if (p->has_hash != (p->content.len > 0)) return GAP_E_DAMAGED;
    return p->title.len > GAP_POST_TITLE_MAX || p->link_base.len > GAP_POST_BASE_MAX ? GAP_E_DAMAGED
                                                                                     : 0;
}

int gap_post_load(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key, int64_t post,
                  struct gap_post_record *out)
{
    char sql[sizeof select_sql + 16];
    sqlite3_stmt *stmt;

    memset(out, 0, sizeof *out);
    out->alloc = alloc;
    (void)snprintf(sql, sizeof sql, "%s%s", select_sql, key.len > 0 ? "key = ?1" : "post = ?1");
    int rc = gap_outbox_prepare(db, sql, &stmt);
    if (rc == SQLITE_OK)
        rc = key.len > 0 ? gap_outbox_bind_text(stmt, 1, key) : sqlite3_bind_int64(stmt, 1, post);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        rc = read_post(stmt, out);
    else if (rc == SQLITE_DONE)
        rc = GAP_E_NOT_FOUND;
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    if (rc != 0) gap_post_record_fini(out);
    return rc;
}

void gap_post_record_fini(struct gap_post_record *p)
{
    if (p->memory != NULL) gap_free(p->alloc, p->memory);
    p->memory = NULL;
}

/* Parameters 1 to 20 of the statements that write all of it. */
static int bind_post(sqlite3_stmt *stmt, const struct gap_post_record *p)
{
    const int64_t numbers[] = {p->post,        p->urgency,    p->if_gone,  p->if_expired,
                               p->deadline_us, p->message_id, p->previous, p->reply_to,
                               p->random_id,   p->row,        p->revision, p->doubt,
                               p->frozen,      p->generation};
    int at = 1;
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < GAP_ARRAY_LEN(numbers); i++)
        rc = sqlite3_bind_int64(stmt, at++, numbers[i]);
    if (rc == SQLITE_OK) rc = gap_sqlite_bind_bytes(stmt, at++, p->link_base);
    if (rc == SQLITE_OK) rc = gap_sqlite_bind_bytes(stmt, at++, p->title);
    if (rc == SQLITE_OK && p->has_sent)
        rc = gap_sqlite_bind_bytes(stmt, at, gap_bytes(p->sent, sizeof p->sent));
    if (rc == SQLITE_OK && p->has_hash)
        rc = gap_sqlite_bind_bytes(stmt, at + 1, gap_bytes(p->hash, sizeof p->hash));
    if (rc == SQLITE_OK && p->has_hash) rc = gap_sqlite_bind_bytes(stmt, at + 2, p->content);
    if (rc == SQLITE_OK && p->has_source) rc = gap_sqlite_bind_bytes(stmt, at + 3, p->source);
    return rc;
}

int gap_post_insert(sqlite3 *db, struct gap_post_record *p)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(
        db,
        "INSERT INTO main.gapless_outbox_post(post, class, if_gone, if_expired, deadline,"
        " message_id, previous, reply_to, random_id, row, revision, doubt, frozen, generation,"
        " link_base, title, sent, hash, content, source, key, chat) VALUES(nullif(?1, 0), ?2, ?3,"
        " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        &stmt);

    if (rc == SQLITE_OK) rc = bind_post(stmt, p);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 21, p->key);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 22, p->chat);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    if (rc == SQLITE_OK) p->post = sqlite3_last_insert_rowid(db);
    return rc;
}

int gap_post_store(sqlite3 *db, const struct gap_post_record *p)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(
        db,
        "UPDATE main.gapless_outbox_post SET class = ?2, if_gone = ?3, if_expired = ?4,"
        " deadline = ?5, message_id = ?6, previous = ?7, reply_to = ?8, random_id = ?9, row = ?10,"
        " revision = ?11, doubt = ?12, frozen = ?13, generation = ?14, link_base = ?15,"
        " title = ?16, sent = ?17, hash = ?18, content = ?19, source = ?20 WHERE post = ?1",
        &stmt);

    if (rc == SQLITE_OK) rc = bind_post(stmt, p);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_post_store_state(sqlite3 *db, const struct gap_post_record *p)
{
    const int64_t numbers[] = {p->post, p->message_id, p->previous, p->reply_to, p->random_id,
                               p->row,  p->revision,   p->doubt,    p->frozen};
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(
        db,
        "UPDATE main.gapless_outbox_post SET message_id = ?2, previous = ?3, reply_to = ?4,"
        " random_id = ?5, row = ?6, revision = ?7, doubt = ?8, frozen = ?9, sent = ?10"
        " WHERE post = ?1",
        &stmt);

    if (rc == SQLITE_OK && p->has_sent)
        rc = gap_sqlite_bind_bytes(stmt, 10, gap_bytes(p->sent, sizeof p->sent));
    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, (int)GAP_ARRAY_LEN(numbers));
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_post_forget(sqlite3 *db, int64_t post)
{
    int rc = gap_outbox_do(db, "DELETE FROM main.gapless_outbox_link WHERE post = ?1", &post, 1);

    if (rc == SQLITE_OK) rc = gap_post_unmark(db, post);
    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db, "DELETE FROM main.gapless_outbox_post WHERE post = ?1", &post, 1);
    return rc;
}

int64_t gap_post_draw(void)
{
    int64_t drawn = 0;

    while (drawn == 0) sqlite3_randomness((int)sizeof drawn, &drawn);
    return drawn;
}

void gap_post_turn(struct gap_post_record *p, enum gap_post_way way, bool gone)
{
    p->doubt = false;
    p->row = 0;
    p->frozen = 0;
    if (way == GAP_POST_WAY_FREEZE) {
        p->frozen = gone ? 1 : 2;
        return;
    }
    p->previous = p->message_id;
    p->reply_to = way == GAP_POST_WAY_REPLY ? p->message_id : 0;
    p->message_id = 0;
    p->has_sent = false;
    p->random_id = gap_post_draw();
}

/* --- its row ---------------------------------------------------------------------------------- */

int gap_post_row_life(sqlite3 *db, int64_t post, int64_t row, enum gap_post_life *out)
{
    const int64_t numbers[] = {row, post};
    int64_t state = GAP_OUTBOX_SENT;

    *out = GAP_POST_LIFE_NONE;
    if (row == 0) return 0;
    int rc = gap_outbox_number(db,
                               "SELECT state FROM main.gapless_outbox WHERE row = ?1 AND post = ?2"
                               " AND kind = 10 AND typeof(state) = 'integer'",
                               numbers, 2, &state);
    switch (state) {
    case GAP_OUTBOX_READY:
    case GAP_OUTBOX_SNOOZED:
        *out = GAP_POST_LIFE_WAITS;
        break;
    case GAP_OUTBOX_LEASED:
    case GAP_OUTBOX_UNKNOWN:
        *out = GAP_POST_LIFE_BEGUN;
        break;
    case GAP_OUTBOX_PARKED:
        *out = GAP_POST_LIFE_PARKED;
        break;
    default:
        *out = GAP_POST_LIFE_OVER;
        break;
    }
    return rc;
}

struct gap_post_facts gap_post_facts(const struct gap_post_record *p, enum gap_post_life life)
{
    struct gap_post_facts f = {
        .has_content = p->has_hash,
        .has_message = p->message_id != 0,
        .same = p->has_hash && p->has_sent && memcmp(p->hash, p->sent, sizeof p->hash) == 0,
        .doubt = p->doubt,
        .frozen = p->frozen != 0,
        .life = life,
    };
    return f;
}

/* A first sending that is in doubt goes on with what its older row sent. */
static int copy_begun(sqlite3 *db, int64_t row, int64_t from)
{
    const int64_t numbers[] = {row, from};

    return gap_outbox_do(db,
                         "UPDATE main.gapless_outbox SET flags = 1,"
                         " (hash, payload) = (SELECT hash, payload FROM main.gapless_outbox"
                         " WHERE row = ?2) WHERE row = ?1",
                         numbers, 2);
}

int gap_post_row_write(sqlite3 *db, struct gap_post_record *p, bool keep)
{
    bool edits = p->message_id != 0;
    bool first = !edits && p->previous == 0;
    int64_t old = p->row;
    const int64_t numbers[] = {GAP_OUTBOX_VERSION,
                               GAP_OUTBOX_POST,
                               gap_post_class(p->urgency, edits),
                               GAP_OUTBOX_READY,
                               p->chat,
                               edits ? 0 : p->random_id,
                               edits ? p->message_id : p->reply_to,
                               first ? p->deadline_us : 0,
                               p->post};
    int rc = gap_outbox_do(db,
                           "INSERT INTO main.gapless_outbox(version, kind, class, state, chat,"
                           " random_id, target, deadline, post) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                           " ?8, ?9)",
                           numbers, (int)GAP_ARRAY_LEN(numbers));

    if (rc != SQLITE_OK) return rc;
    p->row = sqlite3_last_insert_rowid(db);
    if (old != 0 && p->doubt && !edits) rc = copy_begun(db, p->row, old);
    if (rc == SQLITE_OK && old != 0 && !keep)
        rc = gap_post_row_cancel(db, p->post, old, "a newer row of its post takes its place");
    const int64_t pair[] = {p->post, p->row};
    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db, "UPDATE main.gapless_outbox_post SET row = ?2 WHERE post = ?1", pair,
                           2);
    return rc;
}

int gap_post_row_cancel(sqlite3 *db, int64_t post, int64_t row, const char *reason)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(
        db,
        "UPDATE main.gapless_outbox SET state = 8, reason = ?3, done = " GAP_OUTBOX_NOW
        " WHERE row = ?1 AND post = ?2 AND kind = 10"
        " AND state IN (1, 2, 6, 7)",
        &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_text(stmt, 3, reason, -1, SQLITE_STATIC);
    const int64_t numbers[] = {row, post};
    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, 2);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_post_row_delete(sqlite3 *db, const struct gap_post_record *p, int32_t message_id)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_DELETE,
                              .chat = gap_outbox_peer(p->chat),
                              .ids = &message_id,
                              .id_count = 1};

    return gap_outbox_enqueue(db, &item, NULL);
}

/* --- what it shows, and marks ----------------------------------------------------------------- */

static int compare_edges(const void *a, const void *b)
{
    const struct gap_post_edge *x = a;
    const struct gap_post_edge *y = b;

    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return memcmp(x->key, y->key, x->len);
}

/* Are these what is stored? @return 1 yes, 0 no, or a failure. */
static int edges_are_stored(sqlite3 *db, int64_t post, const struct gap_post_edges *edges, int *out)
{
    sqlite3_stmt *stmt;
    size_t seen = 0;
    int rc = gap_outbox_prepare(db,
                                "SELECT kind, depends_on FROM main.gapless_outbox_link"
                                " WHERE post = ?1",
                                &stmt);

    *out = 1;
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, post);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct gap_post_edge edge = {.kind = (enum gap_post_shows)sqlite3_column_int(stmt, 0)};
        gap_bytes_t key = gap_outbox_column(stmt, 1);
        rc = SQLITE_OK;
        edge.len = (uint32_t)key.len;
        if (key.len > sizeof edge.key) break;
        if (key.len > 0) memcpy(edge.key, key.data, key.len);
        if (edges->count == 0 ||
            bsearch(&edge, edges->list, edges->count, sizeof edge, compare_edges) == NULL)
            break;
        seen++;
    }
    if (rc == SQLITE_OK || seen != edges->count) *out = 0;
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int insert_edges(sqlite3 *db, int64_t post, const struct gap_post_edges *edges)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db,
                                "INSERT OR IGNORE INTO main.gapless_outbox_link(post, kind,"
                                " depends_on) VALUES(?1, ?2, ?3)",
                                &stmt);

    for (size_t i = 0; rc == SQLITE_OK && i < edges->count; i++) {
        const struct gap_post_edge *e = &edges->list[i];
        const int64_t numbers[] = {post, e->kind};
        rc = gap_outbox_bind_text(stmt, 3, gap_bytes(e->key, e->len));
        if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, 2);
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_post_edges_store(sqlite3 *db, int64_t post, struct gap_post_edges *edges)
{
    int same;

    if (edges->count > 1) qsort(edges->list, edges->count, sizeof *edges->list, compare_edges);
    int rc = edges_are_stored(db, post, edges, &same);
    if (rc != SQLITE_OK || same) return rc;
    rc = gap_outbox_do(db, "DELETE FROM main.gapless_outbox_link WHERE post = ?1", &post, 1);
    return rc == SQLITE_OK ? insert_edges(db, post, edges) : rc;
}

static int run_for_dependants(sqlite3 *db, const char *sql, gap_bytes_t key, unsigned changed,
                              int generation, int64_t since_us, bool *any)
{
    const int64_t numbers[] = {changed, generation, since_us};
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db, sql, &stmt);

    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 4, key);
    for (int i = 0; rc == SQLITE_OK && i < 3; i++) rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    *any = rc == SQLITE_ROW;
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

#define DEPENDANTS                                                                                 \
    " FROM main.gapless_outbox_link AS l JOIN main.gapless_outbox_post AS p ON p.post = l.post"    \
    " WHERE l.depends_on = ?4 AND l.kind BETWEEN 1 AND 3 AND (?1 >> l.kind) & 1"

int gap_post_mark(sqlite3 *db, gap_bytes_t key, unsigned changed, int generation, int64_t since_us,
                  struct gap_post_told *told)
{
    bool any = false;
    int rc;

    if (changed == 0 || key.len == 0) return SQLITE_OK;
    if (generation > GAP_POST_GENERATIONS_MAX) {
        rc = run_for_dependants(db, "SELECT ?2 + ?3" DEPENDANTS " LIMIT 1", key, changed, 0, 0,
                                &any);
        if (rc == SQLITE_OK && any && told != NULL) {
            told->overflow++;
            told->overflow_len = (uint8_t)key.len;
            memcpy(told->overflow_key, key.data, key.len);
        }
        return rc;
    }
    rc = run_for_dependants(db,
                            "INSERT INTO main.gapless_outbox_dirty(post, since, generation)"
                            " SELECT DISTINCT p.post, ?3, ?2" DEPENDANTS
                            " ON CONFLICT(post) DO UPDATE SET"
                            " generation = min(generation, excluded.generation)",
                            key, changed, generation, since_us, &any);
    if (rc == SQLITE_OK && told != NULL) told->marked += (uint32_t)sqlite3_changes(db);
    return rc;
}

int gap_post_mark_one(sqlite3 *db, int64_t post, int generation, int64_t since_us)
{
    const int64_t numbers[] = {post, since_us, generation};

    return gap_outbox_do(db,
                         "INSERT INTO main.gapless_outbox_dirty(post, since, generation)"
                         " VALUES(?1, ?2, ?3) ON CONFLICT(post) DO UPDATE SET since = ?2,"
                         " generation = min(generation, ?3)",
                         numbers, 3);
}

int gap_post_unmark(sqlite3 *db, int64_t post)
{
    return gap_outbox_do(db, "DELETE FROM main.gapless_outbox_dirty WHERE post = ?1", &post, 1);
}
