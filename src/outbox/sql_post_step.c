/*
 * outbox/sql_post_step.c - the cascade: posts that show one that has changed are rendered again.
 *
 *     marked (since, generation) --debounce--> rendered --> as before: done
 *                                                       --> else: a row is written, and those that
 *                                                           show its title or text are marked
 *
 * It ends, because a post that is rendered to what it was marks nobody, and because marks of more
 * than GAP_POST_GENERATIONS_MAX generations are not made.
 *
 * It sends no first message again that people cancelled or that was given up: nobody has asked for
 * it. A mark without a time waits from when a client sees it, since who upserts has no clock of the
 * client's.
 *
 * Never: runs more than GAP_POST_STEP_MAX renderings at a time; fails because of one post.
 */
#include "outbox/sql_post.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/sql_schema.h"

/* What only the client's own renderer can make is left marked without one. */
#define MARKS                                                                                      \
    " FROM main.gapless_outbox_dirty AS d JOIN main.gapless_outbox_post AS p ON p.post = d.post"   \
    " WHERE (?1 OR p.source IS NOT NULL)"

int gap_post_next(struct sqlite3 *db, int64_t now_us, uint64_t debounce_us, bool has_render,
                  int64_t *out)
{
    enum gap_outbox_tables there;
    const int64_t number = has_render;
    int64_t since = INT64_MAX;
    int rc = gap_outbox_recognise(db, &there);

    *out = INT64_MAX;
    if (rc == SQLITE_OK && there == GAP_OUTBOX_TABLES_OURS)
        rc = gap_outbox_number(db, "SELECT d.since" MARKS " ORDER BY d.since LIMIT 1", &number, 1,
                               &since);
    if (rc != SQLITE_OK) return gap_outbox_result(rc);
    if (since == INT64_MAX) return 0;
    /* Nobody has looked at a clock yet, or it has been put back since. */
    if (since <= 0 || since - GAP_POST_RENDER_RETRY_US > now_us) {
        *out = now_us;
        return 0;
    }
    *out =
        debounce_us > (uint64_t)(INT64_MAX - since) ? INT64_MAX - 1 : since + (int64_t)debounce_us;
    return 0;
}

struct step {
    sqlite3 *db;
    const gap_alloc_t *alloc;
    int64_t now_us;
    int64_t debounce_us;
    gap_post_render_cb render;
    void *data;
    struct gap_post_told *told;
    size_t count;
    int64_t posts[GAP_POST_STEP_MAX];
    int generations[GAP_POST_STEP_MAX];
};

/* Marks that were made without a clock begin to wait now; so do those that lie in the future. */
static int set_clock(struct step *s)
{
    const int64_t numbers[] = {s->now_us, GAP_POST_RENDER_RETRY_US};

    return gap_outbox_do(s->db,
                         "UPDATE main.gapless_outbox_dirty SET since = ?1"
                         " WHERE since <= 0 OR since > ?1 + ?2",
                         numbers, 2);
}

static int collect(struct step *s)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(s->db,
                                "SELECT d.post, d.generation" MARKS " AND d.since <= ?2"
                                " ORDER BY d.since LIMIT ?3",
                                &stmt);
    const int64_t numbers[] = {s->render != NULL, s->now_us - s->debounce_us, GAP_POST_STEP_MAX};

    for (int i = 0; rc == SQLITE_OK && i < 3; i++) rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t generation;
        rc = SQLITE_OK;
        if (!gap_outbox_column_number(stmt, 1, 0, GAP_POST_GENERATIONS_MAX, &generation))
            generation = GAP_POST_GENERATIONS_MAX;
        s->posts[s->count] = sqlite3_column_int64(stmt, 0);
        s->generations[s->count++] = (int)generation;
        if (s->count == GAP_POST_STEP_MAX) break;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void tell_failure(struct step *s, gap_bytes_t key, int error)
{
    struct gap_post_told *told = s->told;

    if (told == NULL) return;
    told->failed++;
    told->error = error;
    told->failed_len = (uint8_t)(key.len < sizeof told->failed_key ? key.len : 0);
    if (told->failed_len > 0) memcpy(told->failed_key, key.data, told->failed_len);
}

/* It was rendered: what has come of it? */
static int take(struct step *s, struct gap_post_record *p, struct gap_post_rendered *r,
                gap_bytes_t title, int generation)
{
    enum gap_post_life life;
    unsigned shown = gap_post_differs(p, r, title);
    bool stored =
        gap_bytes_equal(p->content, gap_buf_view(&r->content)) && gap_bytes_equal(p->title, title);
    bool other = !p->has_hash || memcmp(p->hash, r->hash, sizeof p->hash) != 0;
    int rc = SQLITE_OK;

    if (!stored) {
        p->content = gap_buf_view(&r->content);
        memcpy(p->hash, r->hash, sizeof p->hash);
        p->has_hash = true;
        p->title = title;
        if (other) p->generation = generation;
        rc = gap_post_store(s->db, p);
    }
    if (rc == SQLITE_OK) rc = gap_post_edges_store(s->db, p->post, &r->edges);
    if (rc == SQLITE_OK)
        rc = gap_post_mark(s->db, p->key, shown, generation + 1, s->now_us, s->told);
    if (rc == SQLITE_OK) rc = gap_post_row_life(s->db, p->post, p->row, &life);
    if (rc != SQLITE_OK || !other) return rc;
    struct gap_post_facts facts = gap_post_facts(p, life);
    if (!gap_post_needs_row(&facts, GAP_POST_BY_OTHERS)) return SQLITE_OK;
    rc = gap_post_row_write(s->db, p, false);
    if (rc == SQLITE_OK && s->told != NULL) s->told->rows++;
    return rc;
}

/* What one post alone may have; anything else ends the step. */
static bool is_its_own(int rc)
{
    return rc == GAP_E_DAMAGED || rc == GAP_E_NEWER || rc == GAP_E_LIMIT || rc == GAP_E_ARGUMENT ||
           rc == GAP_E_TL || rc == GAP_E_TL_ID;
}

static int render_post(struct step *s, struct gap_post_record *p, struct gap_post_rendered *r,
                       int generation)
{
    gap_bytes_t title = p->title;
    gap_bytes_t source = p->source;
    int said = 0;
    int rc = SQLITE_OK;

    if (!p->has_source) {
        rc = gap_post_ask(s->db, s->alloc, p->key, s->render, s->data, r, &said);
        title = gap_buf_view(&r->title);
        source = gap_buf_view(&r->source);
    }
    if (rc == SQLITE_OK && said != 0) {
        tell_failure(s, p->key, said);
        return gap_post_mark_one(s->db, p->post, generation,
                                 s->now_us + GAP_POST_RENDER_RETRY_US - s->debounce_us);
    }
    if (rc == SQLITE_OK) rc = gap_post_build(s->db, s->alloc, source, r);
    if (is_its_own(rc)) {
        tell_failure(s, p->key, rc);
        return SQLITE_OK;
    }
    if (rc != SQLITE_OK) return rc;
    if (s->told != NULL) s->told->rendered++;
    return take(s, p, r, title, generation);
}

static int render_one(struct step *s, int64_t post, int generation)
{
    struct gap_post_record p;
    struct gap_post_rendered r;
    int rc = gap_post_unmark(s->db, post);

    if (rc == SQLITE_OK) rc = gap_post_load(s->db, s->alloc, (gap_bytes_t){NULL, 0}, post, &p);
    if (rc == GAP_E_DAMAGED) tell_failure(s, (gap_bytes_t){NULL, 0}, rc);
    if (rc == GAP_E_NOT_FOUND || rc == GAP_E_DAMAGED) return SQLITE_OK;
    if (rc != SQLITE_OK) return rc;
    gap_post_rendered_init(&r, s->alloc);
    if (!p.removed) rc = render_post(s, &p, &r, generation);
    gap_post_rendered_fini(&r);
    gap_post_record_fini(&p);
    return rc;
}

int gap_post_refresh(sqlite3 *db, const gap_alloc_t *alloc, struct gap_post_record *p)
{
    struct gap_post_told told = {0};
    struct step s = {.db = db, .alloc = alloc, .told = &told};
    int64_t generation = -1;
    int64_t post = p->post;

    if (!p->has_source || p->removed) return SQLITE_OK;
    int rc =
        gap_outbox_number(db, "SELECT generation FROM main.gapless_outbox_dirty WHERE post = ?1",
                          &post, 1, &generation);
    if (rc != SQLITE_OK || generation < 0) return rc;
    if (generation > GAP_POST_GENERATIONS_MAX) generation = GAP_POST_GENERATIONS_MAX;
    rc = render_one(&s, post, (int)generation);
    if (rc == SQLITE_OK && told.failed > 0) /* the step that comes to it tells */
        return gap_post_mark_one(db, post, (int)generation, 0);
    if (rc != SQLITE_OK) return rc;
    gap_post_record_fini(p);
    return gap_post_load(db, alloc, (gap_bytes_t){NULL, 0}, post, p);
}

int gap_post_step(struct sqlite3 *db, const gap_alloc_t *alloc, int64_t now_us,
                  uint64_t debounce_us, gap_post_render_cb render, void *data,
                  struct gap_post_told *told)
{
    struct step s = {.db = db,
                     .alloc = alloc,
                     .now_us = now_us,
                     .debounce_us =
                         debounce_us > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)debounce_us,
                     .render = render,
                     .data = data,
                     .told = told};
    enum gap_outbox_tables there;
    int rc = gap_outbox_recognise(db, &there);

    if (rc == SQLITE_OK && there == GAP_OUTBOX_TABLES_NONE) return 0;
    if (rc == SQLITE_OK) rc = set_clock(&s);
    if (rc == SQLITE_OK) rc = collect(&s);
    for (size_t i = 0; rc == SQLITE_OK && i < s.count; i++)
        rc = render_one(&s, s.posts[i], s.generations[i]);
    return gap_outbox_result(rc);
}
