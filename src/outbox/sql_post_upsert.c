/*
 * outbox/sql_post_upsert.c - posts on the user's side: what one is to be, that it is to be no more,
 * and what it is now. On the user's connection, inside the user's transaction.
 *
 * Never: begins or ends a transaction; leaves half of a change behind.
 */
#include "outbox/sql_post.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/content.h"
#include "outbox/sql_schema.h"

/* Names that begin with gapless_ are the storage's own. */
static const char begin_sql[] = "SAVEPOINT outbox_post";
static const char end_sql[] = "RELEASE outbox_post";
static const char undo_sql[] = "ROLLBACK TO outbox_post; RELEASE outbox_post";

struct upsert {
    sqlite3 *db;
    const gap_alloc_t *alloc;
    const gap_post_t *post;
    struct gap_post_record record;
    struct gap_post_rendered rendered;
    gap_bytes_t title; /* as it will be */
    bool is_new;
    bool is_built;  /* rendered, here and now */
    bool is_other;  /* its content goes out differently */
    unsigned shown; /* what others show of it and has changed */
    bool unchanged; /* out: nothing had to be done */
};

/* Find it, or make an empty one. */
static int find(struct upsert *u)
{
    const gap_post_t *post = u->post;
    int rc = gap_post_load(u->db, u->alloc, post->key, 0, &u->record);

    if (rc == 0) return u->record.chat == gap_outbox_mark(post->chat) ? 0 : GAP_E_ARGUMENT;
    if (rc != GAP_E_NOT_FOUND) return rc;
    u->is_new = true;
    u->record.chat = gap_outbox_mark(post->chat);
    u->record.key = post->key;
    u->record.random_id = gap_post_draw();
    return gap_post_insert(u->db, &u->record);
}

/* Make the content, unless it is left to the client. */
static int render(struct upsert *u)
{
    const gap_post_t *post = u->post;
    int rc;

    u->title = u->record.title; /* its renderer says it, too */
    if (post->content == NULL && post->render == NULL) return 0;
    u->title = post->title;
    if (post->content != NULL) {
        rc = gap_content_check(post->content, GAP_CONTENT_POST);
        if (rc == 0) rc = gap_content_pack(post->content, &u->rendered.source);
    } else {
        int told;
        rc =
            gap_post_ask(u->db, u->alloc, post->key, post->render, post->data, &u->rendered, &told);
        if (rc == 0) rc = told;
        u->title = gap_buf_view(&u->rendered.title);
    }
    if (rc == 0)
        rc = gap_post_build(u->db, u->alloc, gap_buf_view(&u->rendered.source), &u->rendered);
    u->is_built = rc == 0;
    return rc;
}

/* Is it stored as it is to be? */
static bool is_stored(const struct gap_post_record *p, const struct upsert *u)
{
    const gap_post_t *post = u->post;
    bool own = post->content != NULL;

    if (u->is_new || p->urgency != post->urgency || p->if_gone != post->if_gone ||
        p->if_expired != post->if_expired || p->deadline_us != post->deadline_us)
        return false;
    if (!gap_bytes_equal(p->link_base, post->link_base) || !gap_bytes_equal(p->title, u->title))
        return false;
    if (p->has_source != own ||
        (own && !gap_bytes_equal(p->source, gap_buf_view(&u->rendered.source))))
        return false;
    return !u->is_built || gap_bytes_equal(p->content, gap_buf_view(&u->rendered.content));
}

/* A post that was left as it is, under a policy that people have changed since. */
static bool thaw(struct gap_post_record *p)
{
    bool gone = p->frozen == 1;

    if (p->frozen == 0) return false;
    enum gap_post_way way = gap_post_way(gone, gone ? p->if_gone : p->if_expired);
    if (way == GAP_POST_WAY_FREEZE) return false;
    gap_post_turn(p, way, gone);
    return true;
}

static void take_over(struct upsert *u)
{
    const gap_post_t *post = u->post;
    struct gap_post_record *p = &u->record;

    if (u->is_built) {
        u->shown |= gap_post_differs(p, &u->rendered, u->title);
        u->is_other = !p->has_hash || memcmp(p->hash, u->rendered.hash, sizeof p->hash) != 0;
        memcpy(p->hash, u->rendered.hash, sizeof p->hash);
        p->has_hash = true;
        p->content = gap_buf_view(&u->rendered.content);
    } else if (!gap_bytes_equal(p->title, u->title)) {
        u->shown |= GAP_POST_CHANGED(GAP_POST_SHOWS_TITLE);
    }
    if (!gap_bytes_equal(p->link_base, post->link_base) && (p->message_id | p->previous) != 0)
        u->shown |= GAP_POST_CHANGED(GAP_POST_SHOWS_LINK);
    if (u->is_new)
        u->shown |= GAP_POST_CHANGED(GAP_POST_SHOWS_TITLE) | GAP_POST_CHANGED(GAP_POST_SHOWS_TEXT);
    p->urgency = post->urgency;
    p->if_gone = post->if_gone;
    p->if_expired = post->if_expired;
    p->deadline_us = post->deadline_us;
    p->link_base = post->link_base;
    p->title = u->title;
    p->has_source = post->content != NULL;
    p->source = gap_buf_view(&u->rendered.source);
    if (u->is_other) p->generation = 0;
}

/* Store it, what it shows, and the marks of those that show it. */
static int put_down(struct upsert *u, bool stored)
{
    struct gap_post_record *p = &u->record;
    int rc = stored ? 0 : gap_post_store(u->db, p);

    if (rc == 0 && u->is_built) rc = gap_post_edges_store(u->db, p->post, &u->rendered.edges);
    if (rc == 0 && u->is_built) rc = gap_post_unmark(u->db, p->post);
    if (rc == 0 && !u->is_built) rc = gap_post_mark_one(u->db, p->post, 0, 0);
    return rc == 0 ? gap_post_mark(u->db, p->key, u->shown, 1, 0, NULL) : rc;
}

static int upsert(struct upsert *u, int64_t *row)
{
    struct gap_post_record *p = &u->record;
    enum gap_post_life life;
    int rc = find(u);

    if (rc == 0) rc = render(u);
    if (rc != 0) return rc;
    bool stored = is_stored(p, u);
    take_over(u);
    if (thaw(p)) stored = false;
    rc = put_down(u, stored);
    if (rc == 0) rc = gap_post_row_life(u->db, p->post, p->row, &life);
    if (rc != 0) return rc;
    struct gap_post_facts facts = gap_post_facts(p, life);
    bool same = u->is_built && !u->is_other;
    bool writes = gap_post_needs_row(&facts, same ? GAP_POST_BY_REPEAT : GAP_POST_BY_USER);
    if (writes) rc = gap_post_row_write(u->db, p, false);
    if (rc != 0) return rc;
    bool alive = writes || (life != GAP_POST_LIFE_NONE && life != GAP_POST_LIFE_OVER);
    if (row != NULL) *row = alive ? p->row : 0;
    u->unchanged = same && !writes;
    return 0;
}

/* Something is done in a savepoint. @return 0 begun; a result. */
static int enter(sqlite3 *db)
{
    if (sqlite3_get_autocommit(db) != 0) return GAP_E_STATE;
    int rc = gap_outbox_make(db);
    return gap_outbox_result(rc == SQLITE_OK ? gap_outbox_exec(db, begin_sql) : rc);
}

/* @p rc  What it came to, as a code. @return a result. */
static int leave(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK) rc = gap_outbox_exec(db, end_sql);
    if (rc != SQLITE_OK && sqlite3_get_autocommit(db) == 0)
        (void)sqlite3_exec(db, undo_sql, NULL, NULL, NULL); /* the first failure counts */
    return gap_outbox_result(rc);
}

int gap_post_upsert_with(sqlite3 *db, const gap_alloc_t *alloc, const gap_post_t *post,
                         int64_t *row)
{
    struct upsert u = {.db = db, .alloc = alloc, .post = post};
    int64_t number = 0;
    int rc = gap_post_check(post);

    if (rc == 0) rc = enter(db);
    if (rc != 0) return rc;
    sqlite3_int64 last = sqlite3_last_insert_rowid(db); /* what the user's statements left there */
    gap_post_rendered_init(&u.rendered, alloc);
    rc = leave(db, upsert(&u, &number));
    sqlite3_set_last_insert_rowid(db, last);
    gap_post_rendered_fini(&u.rendered);
    gap_post_record_fini(&u.record);
    if (rc != 0) return rc;
    if (row != NULL) *row = number;
    return u.unchanged ? GAP_POST_UNCHANGED : 0;
}

int gap_post_upsert(struct sqlite3 *db, const gap_post_t *post, int64_t *row)
{
    return gap_post_upsert_with(db, gap_alloc_default(), post, row);
}

/* --- no more ---------------------------------------------------------------------------------- */

/* A first sending was begun and it is not known how that ended: only when it is, it can be deleted.
 * Until then it has no name. */
static int remove_later(sqlite3 *db, struct gap_post_record *p, enum gap_post_life life)
{
    int rc = gap_outbox_do(db, "UPDATE main.gapless_outbox_post SET key = NULL WHERE post = ?1",
                           &p->post, 1);

    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db, "DELETE FROM main.gapless_outbox_link WHERE post = ?1", &p->post, 1);
    if (rc == SQLITE_OK) rc = gap_post_unmark(db, p->post);
    if (rc == SQLITE_OK && (life == GAP_POST_LIFE_PARKED || life == GAP_POST_LIFE_OVER))
        rc = gap_post_row_write(db, p, false);
    return rc;
}

static int remove_now(sqlite3 *db, const struct gap_post_record *p)
{
    int32_t shown = p->message_id != 0 ? p->message_id : p->previous;
    int rc = gap_post_row_cancel(db, p->post, p->row, "its post was removed");

    if (rc == SQLITE_OK && shown != 0) rc = gap_post_row_delete(db, p, shown);
    return rc == SQLITE_OK ? gap_post_forget(db, p->post) : rc;
}

static int remove_post(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key)
{
    const unsigned all = GAP_POST_CHANGED(GAP_POST_SHOWS_LINK) |
                         GAP_POST_CHANGED(GAP_POST_SHOWS_TITLE) |
                         GAP_POST_CHANGED(GAP_POST_SHOWS_TEXT);
    struct gap_post_record p;
    enum gap_post_life life;
    int rc = gap_post_load(db, alloc, key, 0, &p);

    if (rc != SQLITE_OK) return rc;
    rc = gap_post_row_life(db, p.post, p.row, &life);
    if (rc == SQLITE_OK) rc = gap_post_mark(db, key, all, 1, 0, NULL);
    if (rc == SQLITE_OK) {
        bool open = p.message_id == 0 && (p.doubt || life == GAP_POST_LIFE_BEGUN);
        rc = open ? remove_later(db, &p, life) : remove_now(db, &p);
    }
    gap_post_record_fini(&p);
    return rc;
}

int gap_post_remove_with(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key)
{
    if (key.len == 0 || key.len > GAP_POST_KEY_MAX) return GAP_E_ARGUMENT;
    int rc = enter(db);
    if (rc != 0) return rc;
    sqlite3_int64 last = sqlite3_last_insert_rowid(db);
    rc = leave(db, remove_post(db, alloc, key));
    sqlite3_set_last_insert_rowid(db, last);
    return rc;
}

int gap_post_remove(struct sqlite3 *db, gap_bytes_t key)
{
    return gap_post_remove_with(db, gap_alloc_default(), key);
}

/* --- what it is ------------------------------------------------------------------------------- */

/* Whatever people have written into the table is shown as well as it can be. */
#define STATUS_SQL                                                                                 \
    "SELECT p.key, p.chat, p.title, p.message_id, p.previous, p.revision,"                         \
    " p.doubt = 0 AND p.message_id <> 0 AND p.hash IS NOT NULL AND p.hash IS p.sent, p.frozen <> " \
    "0,"                                                                                           \
    " o.row, p.link_base FROM main.gapless_outbox_post AS p LEFT JOIN main.gapless_outbox AS o"    \
    " ON o.row = p.row AND o.post = p.post AND o.kind = 10 AND o.state IN (1, 2, 3, 4, 6)"         \
    " WHERE p.key IS NOT NULL"

static int32_t message_of(sqlite3_stmt *stmt, int column)
{
    int64_t v;

    return gap_outbox_column_number(stmt, column, 1, INT32_MAX, &v) ? (int32_t)v : 0;
}

static int tell_status(sqlite3_stmt *stmt, gap_post_status_cb each, void *arg)
{
    gap_buf_t link;
    gap_bytes_t base = gap_outbox_column(stmt, 9);
    int32_t shown = message_of(stmt, 3) != 0 ? message_of(stmt, 3) : message_of(stmt, 4);
    int64_t revision = sqlite3_column_int64(stmt, 5);
    gap_post_status_t status = {
        .key = gap_outbox_column(stmt, 0),
        .chat = gap_outbox_peer(sqlite3_column_int64(stmt, 1)),
        .title = gap_outbox_column(stmt, 2),
        .message_id = message_of(stmt, 3),
        .revision = revision > 0 ? (uint64_t)revision : 0,
        .in_step = sqlite3_column_int(stmt, 6) != 0,
        .frozen = sqlite3_column_int(stmt, 7) != 0,
        .row = sqlite3_column_int64(stmt, 8),
    };

    gap_buf_init(&link, gap_alloc_default());
    int rc = gap_post_address(sqlite3_column_int64(stmt, 1), base, shown, &link);
    if (rc == 0 || rc == GAP_E_NOT_FOUND) {
        status.link = gap_buf_view(&link);
        rc = each(arg, &status);
    }
    gap_buf_fini(&link);
    return rc;
}

/* @p told  What the last callback returned: it may be anything. @return a code. */
static int read_posts(sqlite3 *db, const char *sql, gap_bytes_t key, gap_post_status_cb each,
                      void *arg, bool *any, int *told)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db, sql, &stmt);

    if (rc == SQLITE_OK && key.len > 0) rc = gap_outbox_bind_text(stmt, 1, key);
    while (rc == SQLITE_OK && *told == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *any = true;
        *told = tell_status(stmt, each, arg);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int read_if_there(sqlite3 *db, const char *sql, gap_bytes_t key, gap_post_status_cb each,
                         void *arg, bool *any)
{
    enum gap_outbox_tables there;
    int told = 0;
    int rc = gap_outbox_recognise(db, &there);

    *any = false;
    if (rc == SQLITE_OK && there == GAP_OUTBOX_TABLES_OURS)
        rc = read_posts(db, sql, key, each, arg, any, &told);
    return rc != SQLITE_OK ? gap_outbox_result(rc) : told;
}

int gap_post_get(struct sqlite3 *db, gap_bytes_t key, gap_post_status_cb each, void *arg)
{
    bool any;

    if (key.len == 0 || key.len > GAP_POST_KEY_MAX) return GAP_E_NOT_FOUND;
    int rc = read_if_there(db, STATUS_SQL " AND p.key = ?1", key, each, arg, &any);
    return rc == 0 && !any ? GAP_E_NOT_FOUND : rc;
}

int gap_post_list(struct sqlite3 *db, gap_post_status_cb each, void *arg)
{
    const gap_bytes_t all = {NULL, 0};
    bool any;

    return read_if_there(db, STATUS_SQL " ORDER BY p.key", all, each, arg, &any);
}
