/*
 * outbox/sql_post_render.c - a post is rendered: by its renderer if it has one, and then by putting
 * in the addresses of the posts that it links to. What it shows of others is noted on the way.
 *
 * Titles and texts of others are shown as they were asked for last, addresses as they are: an
 * address is the server's to give.
 *
 * Never: writes.
 */
#include "outbox/sql_post.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/content.h"
#include "outbox/sql_schema.h"

/* Bytes that a renderer was given; good until it returns. */
struct handed {
    struct handed *next;
    uint8_t bytes[];
};

struct gap_post_renderer {
    sqlite3 *db;
    const gap_alloc_t *alloc;
    struct gap_post_rendered *out;
    struct handed *handed;
    bool has_put;
    int failed; /* a failure that a renderer may not swallow; 0: none */
};

void gap_post_rendered_init(struct gap_post_rendered *r, const gap_alloc_t *alloc)
{
    memset(r, 0, sizeof *r);
    gap_buf_init(&r->source, alloc);
    gap_buf_init(&r->title, alloc);
    gap_buf_init(&r->content, alloc);
    r->edges.alloc = alloc;
}

void gap_post_rendered_fini(struct gap_post_rendered *r)
{
    gap_buf_fini(&r->source);
    gap_buf_fini(&r->title);
    gap_buf_fini(&r->content);
    gap_post_edges_fini(&r->edges);
}

/* --- what others are -------------------------------------------------------------------------- */

struct finder {
    sqlite3 *db;
};

/* The address of a post's message, or of the one that is being replaced. */
static int find_address(void *arg, gap_bytes_t key, gap_buf_t *out)
{
    const struct finder *f = arg;
    sqlite3_stmt *stmt;
    int64_t chat;
    int64_t message_id;
    int rc = gap_outbox_prepare(f->db,
                                "SELECT chat, CASE message_id WHEN 0 THEN previous ELSE message_id"
                                " END, CASE WHEN length(link_base) <= 255 THEN link_base END"
                                " FROM main.gapless_outbox_post WHERE key = ?1",
                                &stmt);

    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 1, key);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE) rc = GAP_E_NOT_FOUND;
    if (rc == SQLITE_ROW) {
        gap_bytes_t base = gap_outbox_column(stmt, 2);
        rc = GAP_E_NOT_FOUND;
        if (gap_outbox_column_number(stmt, 0, INT64_MIN, INT64_MAX, &chat) &&
            gap_outbox_column_number(stmt, 1, 1, INT32_MAX, &message_id) &&
            base.len <= GAP_POST_BASE_MAX)
            rc = gap_post_address(chat, base, (int32_t)message_id, out);
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return gap_outbox_result(rc);
}

int gap_post_build(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t source,
                   struct gap_post_rendered *r)
{
    struct finder finder = {db};

    return gap_post_resolve(alloc, source, find_address, &finder, &r->edges, &r->content, r->hash);
}

/* @return the text, a view into @p content; no text: it can't be read. */
static bool text_of(gap_bytes_t content, struct gap_content *space, gap_bytes_t *out)
{
    if (content.len == 0 || gap_content_unpack(content, space) != 0) return false;
    *out = space->content.text;
    return true;
}

unsigned gap_post_differs(const struct gap_post_record *p, const struct gap_post_rendered *r,
                          gap_bytes_t title)
{
    struct gap_content space;
    gap_bytes_t before = {NULL, 0};
    gap_bytes_t after = {NULL, 0};
    unsigned changed = 0;

    if (!gap_bytes_equal(p->title, title)) changed |= GAP_POST_CHANGED(GAP_POST_SHOWS_TITLE);
    if (gap_bytes_equal(p->content, gap_buf_view(&r->content))) return changed;
    bool had = text_of(p->content, &space, &before);
    bool has = text_of(gap_buf_view(&r->content), &space, &after);
    if (had != has || !gap_bytes_equal(before, after))
        changed |= GAP_POST_CHANGED(GAP_POST_SHOWS_TEXT);
    return changed;
}

/* --- the renderer's side ---------------------------------------------------------------------- */

int gap_post_ask(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key, gap_post_render_cb render,
                 void *data, struct gap_post_rendered *r, int *told)
{
    struct gap_post_renderer renderer = {.db = db, .alloc = alloc, .out = r};
    int result = render(&renderer, key, data);

    while (renderer.handed != NULL) {
        struct handed *h = renderer.handed;
        renderer.handed = h->next;
        gap_free(alloc, h);
    }
    *told = result < 0 ? result : renderer.has_put ? 0 : GAP_E_STATE;
    return renderer.failed;
}

/* A copy that lasts until the renderer returns. */
static int hand_out(gap_post_renderer_t *r, gap_bytes_t bytes, gap_bytes_t *out)
{
    struct handed *h = gap_malloc(r->alloc, sizeof *h + bytes.len);

    if (h == NULL) return GAP_E_NOMEM;
    h->next = r->handed;
    r->handed = h;
    if (bytes.len > 0) memcpy(h->bytes, bytes.data, bytes.len);
    *out = gap_bytes(h->bytes, bytes.len);
    return 0;
}

/* "There is none" is the renderer's to deal with; anything else ends the rendering. */
static int answer(gap_post_renderer_t *r, int rc)
{
    int result = gap_outbox_result(rc);

    if (result < 0 && result != GAP_E_NOT_FOUND && result != GAP_E_ARGUMENT && r->failed == 0)
        r->failed = result;
    return result;
}

int gap_post_link(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out)
{
    struct finder finder = {r->db};
    gap_buf_t address;
    int rc = gap_post_edge_add(&r->out->edges, GAP_POST_SHOWS_LINK, key);

    if (rc != 0) return answer(r, rc);
    gap_buf_init(&address, r->alloc);
    rc = find_address(&finder, key, &address);
    if (rc == 0) rc = hand_out(r, gap_buf_view(&address), out);
    gap_buf_fini(&address);
    return answer(r, rc);
}

int gap_post_title(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out)
{
    sqlite3_stmt *stmt;
    int rc = gap_post_edge_add(&r->out->edges, GAP_POST_SHOWS_TITLE, key);

    if (rc != 0) return answer(r, rc);
    rc = gap_outbox_prepare(r->db,
                            "SELECT CASE WHEN length(title) <= 4096 THEN title END"
                            " FROM main.gapless_outbox_post WHERE key = ?1",
                            &stmt);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 1, key);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        rc = hand_out(r, gap_outbox_column(stmt, 0), out);
    else if (rc == SQLITE_DONE)
        rc = GAP_E_NOT_FOUND;
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return answer(r, rc);
}

int gap_post_text(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out)
{
    struct gap_content space;
    gap_bytes_t text;
    sqlite3_stmt *stmt;
    int rc = gap_post_edge_add(&r->out->edges, GAP_POST_SHOWS_TEXT, key);

    if (rc != 0) return answer(r, rc);
    rc = gap_outbox_prepare(r->db,
                            "SELECT CASE WHEN length(content) <= 524288 THEN content END"
                            " FROM main.gapless_outbox_post WHERE key = ?1",
                            &stmt);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 1, key);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        rc = text_of(gap_outbox_column(stmt, 0), &space, &text) ? hand_out(r, text, out)
                                                                : GAP_E_NOT_FOUND;
    else if (rc == SQLITE_DONE)
        rc = GAP_E_NOT_FOUND;
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return answer(r, rc);
}

int gap_post_put(gap_post_renderer_t *r, const gap_outbox_content_t *content, gap_bytes_t title)
{
    int rc = gap_content_check(content, GAP_CONTENT_POST);

    if (rc != 0) return rc;
    if (title.len > GAP_POST_TITLE_MAX) return GAP_E_LIMIT;
    r->has_put = false;
    gap_buf_clear(&r->out->source);
    gap_buf_clear(&r->out->title);
    rc = gap_content_pack(content, &r->out->source);
    if (rc == 0 && title.len > 0) rc = gap_buf_append(&r->out->title, title.data, title.len);
    r->has_put = rc == 0;
    return rc;
}
