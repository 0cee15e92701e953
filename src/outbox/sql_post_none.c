/*
 * outbox/sql_post_none.c - posts in a library that was built without SQLite.
 */
#include "outbox/post.h"

int gap_post_upsert(struct sqlite3 *db, const gap_post_t *post, int64_t *row)
{
    (void)db;
    (void)post;
    (void)row;
    return GAP_E_NOT_FOUND;
}

int gap_post_remove(struct sqlite3 *db, gap_bytes_t key)
{
    (void)db;
    (void)key;
    return GAP_E_NOT_FOUND;
}

int gap_post_get(struct sqlite3 *db, gap_bytes_t key, gap_post_status_cb each, void *arg)
{
    (void)db;
    (void)key;
    (void)each;
    (void)arg;
    return GAP_E_NOT_FOUND;
}

int gap_post_list(struct sqlite3 *db, gap_post_status_cb each, void *arg)
{
    (void)db;
    (void)each;
    (void)arg;
    return GAP_E_NOT_FOUND;
}

int gap_post_link(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out)
{
    (void)r;
    (void)key;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_post_title(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out)
{
    (void)r;
    (void)key;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_post_text(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out)
{
    (void)r;
    (void)key;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_post_put(gap_post_renderer_t *r, const gap_outbox_content_t *content, gap_bytes_t title)
{
    (void)r;
    (void)content;
    (void)title;
    return GAP_E_NOT_FOUND;
}

int gap_post_claim(struct sqlite3 *db, const gap_alloc_t *alloc, const struct gap_post_row *row,
                   gap_buf_t *payload, struct gap_post_claim *out)
{
    (void)db;
    (void)alloc;
    (void)row;
    (void)payload;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_post_finished(struct sqlite3 *db, const gap_alloc_t *alloc, const struct gap_post_row *row,
                      enum gap_post_end end, int32_t message_id, int64_t now_us,
                      struct gap_post_told *told, struct gap_post_finish *out)
{
    (void)db;
    (void)alloc;
    (void)row;
    (void)end;
    (void)message_id;
    (void)now_us;
    (void)told;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_post_next(struct sqlite3 *db, int64_t now_us, uint64_t debounce_us, bool has_render,
                  int64_t *out)
{
    (void)db;
    (void)now_us;
    (void)debounce_us;
    (void)has_render;
    (void)out;
    return GAP_E_NOT_FOUND;
}

int gap_post_step(struct sqlite3 *db, const gap_alloc_t *alloc, int64_t now_us,
                  uint64_t debounce_us, gap_post_render_cb render, void *data,
                  struct gap_post_told *told)
{
    (void)db;
    (void)alloc;
    (void)now_us;
    (void)debounce_us;
    (void)render;
    (void)data;
    (void)told;
    return GAP_E_NOT_FOUND;
}
