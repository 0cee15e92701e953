#include "tests/outbox/posts.h"

#include "outbox/content.h"
#include "outbox/sql_post.h"

#include <gapless/tl_api.h>

struct server server;
int64_t posts_now;
struct gap_post_told posts_told;
gap_post_render_cb posts_render;
bool posts_undo;
struct posts_faults *posts_faults;
const gap_alloc_t *posts_alloc;
void *posts_data;

void posts_begin(void)
{
    tables_begin();
    memset(&server, 0, sizeof server);
    memset(&posts_told, 0, sizeof posts_told);
    posts_now = INT64_C(1700000000000000);
    posts_render = NULL;
    posts_undo = false;
    posts_faults = NULL;
    posts_alloc = gap_alloc_default();
    posts_data = NULL;
}

void posts_end(void)
{
    tables_end();
}

/* A transaction: the library's function, and what the client stores besides. Where faults are
 * tried, what fails is done once more. */
static int transact(sqlite3 *db, int (*run)(sqlite3 *db, void *arg),
                    void (*after)(sqlite3 *db, void *arg), void *arg)
{
    struct gap_post_told told = posts_told;

    tables_exec(db, "BEGIN IMMEDIATE");
    if (posts_faults != NULL) posts_faults->arm(true);
    int r = run(db, arg);
    if (posts_faults != NULL) posts_faults->arm(false);
    if (r < 0 && posts_faults != NULL && posts_faults->struck()) {
        ck_assert_msg(r == posts_faults->error, "%d instead of %d", r, posts_faults->error);
        posts_faults->failed++;
        if (sqlite3_get_autocommit(db) == 0) tables_exec(db, "ROLLBACK");
        posts_told = told;
        return transact(db, run, after, arg);
    }
    if (after != NULL) after(db, arg);
    tables_exec(db, posts_undo ? "ROLLBACK" : "COMMIT");
    return r;
}

/* --- writing ---------------------------------------------------------------------------------- */

void write_content(struct written *w, const char *text)
{
    size_t len = 0;
    size_t links = 0;

    memset(w, 0, sizeof *w);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '{') {
            w->text[len++] = *p;
            continue;
        }
        const char *end = strchr(p, '}');
        size_t n = (size_t)(end - p - 1);
        ck_assert(links < 16 && n < 32 && len + n < POSTS_TEXT);
        memcpy(w->keys[links], p + 1, n);
        memcpy(w->text + len, p + 1, n);
        w->entities[links] = (gap_outbox_entity_t){.id = GAP_POST_LINK,
                                                   .offset = (uint32_t)len,
                                                   .length = (uint32_t)n,
                                                   .value = {(uint8_t *)w->keys[links], n}};
        links++;
        len += n;
        p = end;
    }
    w->content.text = (gap_bytes_t){(uint8_t *)w->text, len};
    w->content.entities = w->entities;
    w->content.entity_count = links;
}

gap_post_t post_of(struct written *w, const char *key, const char *text)
{
    write_content(w, text);
    return (gap_post_t){.key = gap_str(key), .chat = NEWS, .content = &w->content};
}

struct upserting {
    const gap_post_t *post;
    int64_t *row;
};

static int run_upsert(sqlite3 *db, void *arg)
{
    const struct upserting *u = arg;

    return gap_post_upsert_with(db, posts_alloc, u->post, u->row);
}

int upsert_post(sqlite3 *db, const gap_post_t *post, int64_t *row)
{
    struct upserting u = {post, row};

    return transact(db, run_upsert, NULL, &u);
}

int upsert(sqlite3 *db, const char *key, const char *text)
{
    struct written w;
    gap_post_t post = post_of(&w, key, text);
    int64_t row;

    return upsert_post(db, &post, &row);
}

static int run_remove(sqlite3 *db, void *arg)
{
    return gap_post_remove_with(db, posts_alloc, gap_str(arg));
}

int remove_post(sqlite3 *db, const char *key)
{
    char copy[32];

    (void)snprintf(copy, sizeof copy, "%s", key);
    return transact(db, run_remove, NULL, copy);
}

/* --- the server ------------------------------------------------------------------------------- */

static void read_text(const gap_outbox_content_t *c, char out[POSTS_TEXT])
{
    size_t len = 0;

    for (size_t i = 0; i <= c->text.len; i++) {
        for (size_t k = 0; k < c->entity_count; k++) {
            const gap_outbox_entity_t *e = &c->entities[k];
            if (e->offset + e->length != i) continue;
            ck_assert_uint_eq(e->id, GAP_TL_MESSAGE_ENTITY_TEXT_URL);
            len += (size_t)snprintf(out + len, POSTS_TEXT - len, "<%.*s>", (int)e->value.len,
                                    (const char *)e->value.data);
        }
        if (i < c->text.len && len + 1 < POSTS_TEXT) out[len++] = (char)c->text.data[i];
    }
    out[len] = '\0';
}

static struct message *find_message(gap_peer_t chat, int32_t id)
{
    for (size_t i = 0; i < server.count; i++) {
        struct message *m = &server.messages[i];
        if (m->chat.id == chat.id && m->chat.kind == chat.kind && m->id == id) return m;
    }
    return NULL;
}

static enum gap_post_end serve_send(const struct flight *f, const gap_outbox_item_t *item,
                                    int32_t *message_id)
{
    for (size_t i = 0; i < server.count; i++)
        if (server.messages[i].random_id == f->random_id) {
            server.doubles++;
            *message_id = server.messages[i].id;
            return GAP_POST_SENT;
        }
    ck_assert_uint_lt(server.count, POSTS_MESSAGES);
    struct message *m = &server.messages[server.count++];
    *m = (struct message){.chat = f->chat,
                          .id = (int32_t)server.count,
                          .random_id = f->random_id,
                          .reply_to = item->reply_to};
    read_text(&item->content, m->text);
    server.sends++;
    *message_id = m->id;
    return GAP_POST_SENT;
}

static enum gap_post_end serve_edit(const struct flight *f, const gap_outbox_item_t *item,
                                    int32_t *message_id)
{
    struct message *m = find_message(f->chat, item->ids[0]);
    char text[POSTS_TEXT];

    if (m == NULL || m->deleted) return GAP_POST_GONE;
    if (m->fixed) return GAP_POST_EXPIRED;
    read_text(&item->content, text);
    if (strcmp(text, m->text) == 0) {
        server.same++;
        return GAP_POST_SAME;
    }
    strcpy(m->text, text);
    m->edits++;
    server.edits++;
    *message_id = m->id;
    return GAP_POST_SENT;
}

enum gap_post_end serve(const struct flight *f, int32_t *message_id)
{
    struct gap_item item;

    *message_id = 0;
    ck_assert_int_eq(gap_item_unpack(gap_buf_view(&f->payload), &item), 0);
    switch (item.item.kind) {
    case GAP_OUTBOX_SEND:
    case GAP_OUTBOX_MEDIA:
        ck_assert_int_ne(f->random_id, 0);
        return serve_send(f, &item.item, message_id);
    case GAP_OUTBOX_EDIT:
        return serve_edit(f, &item.item, message_id);
    default: {
        ck_assert_int_eq(item.item.kind, GAP_OUTBOX_DELETE);
        struct message *m = find_message(f->chat, item.item.ids[0]);
        if (m != NULL && !m->deleted) server.deletions++;
        if (m != NULL) m->deleted = true;
        return GAP_POST_SENT;
    }
    }
}

struct message *message_of_post(sqlite3 *db, const char *key)
{
    struct seen s;

    if (look(db, key, &s) != 0 || s.message_id == 0) return NULL;
    for (size_t i = 0; i < server.count; i++)
        if (server.messages[i].id == s.message_id) return &server.messages[i];
    return NULL;
}

const char *message_text(sqlite3 *db, const char *key)
{
    const struct message *m = message_of_post(db, key);

    return m == NULL || m->deleted ? "-" : m->text;
}

/* --- the client ------------------------------------------------------------------------------- */

void flight_fini(struct flight *f)
{
    gap_buf_fini(&f->payload);
    f->row = 0;
}

static void set_row(sqlite3 *db, int64_t row, int state, const char *reason)
{
    char *sql =
        sqlite3_mprintf("UPDATE gapless_outbox SET state = %d, reason = %Q WHERE row = %lld", state,
                        reason, (long long)row);

    tables_exec(db, sql);
    sqlite3_free(sql);
}

static void store_claim(sqlite3 *db, const struct flight *f)
{
    sqlite3_stmt *stmt = NULL;
    gap_bytes_t payload = gap_buf_view(&f->payload);
    int rc = sqlite3_prepare_v2(db,
                                "UPDATE gapless_outbox SET state = 3, payload = ?2, hash = ?3,"
                                " attempts = attempts + 1 WHERE row = ?1",
                                -1, &stmt, NULL);

    ck_assert_int_eq(rc, SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, f->row);
    sqlite3_bind_blob(stmt, 2, payload.data, (int)payload.len, SQLITE_STATIC);
    if (f->hash_len > 0) sqlite3_bind_blob(stmt, 3, f->hash, (int)f->hash_len, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

static gap_bytes_t column_bytes(sqlite3_stmt *stmt, int column)
{
    return (gap_bytes_t){sqlite3_column_blob(stmt, column),
                         (size_t)sqlite3_column_bytes(stmt, column)};
}

/* The row that is claimed or finished, as it is in the table. */
struct row_at_hand {
    struct flight *flight;
    struct gap_post_row row;
    gap_buf_t payload; /* its own */
    uint8_t hash[16];
    enum gap_post_end end;
    int32_t message_id;
    struct gap_post_claim claim;
    struct gap_post_finish finish;
};

static void set_begun(sqlite3 *db, int64_t row)
{
    char sql[80];

    snprintf(sql, sizeof sql, "UPDATE gapless_outbox SET flags = 1 WHERE row = %lld",
             (long long)row);
    tables_exec(db, sql);
}

/* @return false: nothing waits. */
static bool read_oldest(sqlite3 *db, const gap_peer_t *chat, struct row_at_hand *h)
{
    struct flight *f = h->flight;
    sqlite3_stmt *stmt = NULL;
    char sql[400];

    snprintf(sql, sizeof sql,
             "SELECT row, kind, chat, random_id, post, flags & 1 OR state IN (3, 4), payload, hash"
             " FROM gapless_outbox WHERE state IN (1, 2, 3, 4) AND (%d OR chat = %lld)"
             " ORDER BY row LIMIT 1",
             chat == NULL, chat == NULL ? 0LL : (long long)gap_outbox_mark(*chat));
    bool there = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && /* no tables yet */
                 sqlite3_step(stmt) == SQLITE_ROW;
    if (there) {
        gap_bytes_t payload = column_bytes(stmt, 6);
        gap_bytes_t hash = column_bytes(stmt, 7);
        ck_assert_int_eq(gap_buf_append(&h->payload, payload.data, payload.len), 0);
        f->row = h->row.row = sqlite3_column_int64(stmt, 0);
        f->kind = (gap_outbox_kind_t)sqlite3_column_int(stmt, 1);
        f->chat = gap_outbox_peer(sqlite3_column_int64(stmt, 2));
        f->random_id = sqlite3_column_int64(stmt, 3);
        f->post = h->row.post = sqlite3_column_int64(stmt, 4);
        h->row.begun = sqlite3_column_int(stmt, 5) != 0;
        h->row.payload = gap_buf_view(&h->payload);
        if (hash.len == sizeof h->hash) {
            memcpy(h->hash, hash.data, sizeof h->hash);
            h->row.hash = (gap_bytes_t){h->hash, sizeof h->hash};
        }
    }
    sqlite3_finalize(stmt);
    return there;
}

static int run_claim(sqlite3 *db, void *arg)
{
    struct row_at_hand *h = arg;

    if (h->flight->kind != GAP_OUTBOX_POST)
        return gap_buf_append(&h->flight->payload, h->row.payload.data, h->row.payload.len);
    return gap_post_claim(db, posts_alloc, &h->row, &h->flight->payload, &h->claim);
}

static void after_claim(sqlite3 *db, void *arg)
{
    static const int states[] = {[GAP_POST_NOTHING] = GAP_OUTBOX_SENT,
                                 [GAP_POST_CANCEL] = GAP_OUTBOX_CANCELLED,
                                 [GAP_POST_PARK] = GAP_OUTBOX_PARKED};
    struct row_at_hand *h = arg;
    struct flight *f = h->flight;

    f->verdict = h->claim.verdict;
    f->reason = h->claim.reason;
    if (f->verdict != GAP_POST_GO) {
        set_row(db, f->row, states[f->verdict], f->reason);
        return;
    }
    if (f->kind == GAP_OUTBOX_POST) {
        f->kind = h->claim.kind;
        f->hash_len = sizeof f->hash;
        memcpy(f->hash, h->claim.hash, sizeof f->hash);
    }
    if (h->row.begun) set_begun(db, f->row);
    store_claim(db, f);
}

bool claim(sqlite3 *db, const gap_peer_t *chat, struct flight *f)
{
    struct row_at_hand h = {.flight = f};

    memset(f, 0, sizeof *f);
    gap_buf_init(&f->payload, posts_alloc);
    gap_buf_init(&h.payload, gap_alloc_default());
    bool there = read_oldest(db, chat, &h);
    if (there) ck_assert_int_eq(transact(db, run_claim, after_claim, &h), 0);
    gap_buf_fini(&h.payload);
    return there;
}

static int run_finish(sqlite3 *db, void *arg)
{
    struct row_at_hand *h = arg;

    if (h->row.post == 0) return 0;
    return gap_post_finished(db, posts_alloc, &h->row, h->end, h->message_id, posts_now,
                             &posts_told, &h->finish);
}

static void after_finish(sqlite3 *db, void *arg)
{
    static const int states[] = {
        [GAP_POST_SENT] = GAP_OUTBOX_SENT,       [GAP_POST_SAME] = GAP_OUTBOX_SENT,
        [GAP_POST_UNKNOWN] = GAP_OUTBOX_UNKNOWN, [GAP_POST_AGAIN] = GAP_OUTBOX_SNOOZED,
        [GAP_POST_GONE] = GAP_OUTBOX_PARKED,     [GAP_POST_EXPIRED] = GAP_OUTBOX_PARKED,
        [GAP_POST_ROW_BAD] = GAP_OUTBOX_DEAD,    [GAP_POST_CHAT_BAD] = GAP_OUTBOX_PARKED};
    struct row_at_hand *h = arg;

    set_row(db, h->row.row, h->finish.state != 0 ? (int)h->finish.state : states[h->end],
            h->finish.reason);
    if (h->end == GAP_POST_UNKNOWN) set_begun(db, h->row.row);
}

void finish(sqlite3 *db, struct flight *f, enum gap_post_end end, int32_t message_id)
{
    struct row_at_hand h = {.flight = f,
                            .row = {.row = f->row,
                                    .post = f->post,
                                    .payload = gap_buf_view(&f->payload),
                                    .hash = {f->hash, f->hash_len}},
                            .end = end,
                            .message_id = message_id};

    if (f->row != 0 && f->verdict == GAP_POST_GO)
        ck_assert_int_eq(transact(db, run_finish, after_finish, &h), 0);
    flight_fini(f);
}

void crash(sqlite3 *db, struct flight *f)
{
    if (f->row != 0 && f->verdict == GAP_POST_GO) set_row(db, f->row, GAP_OUTBOX_UNKNOWN, NULL);
    flight_fini(f);
}

void send_all(sqlite3 *db)
{
    struct flight f;
    int32_t id;

    for (int rounds = 0; claim(db, NULL, &f); rounds++) {
        ck_assert_int_lt(rounds, 100000);
        enum gap_post_end end = f.verdict == GAP_POST_GO ? serve(&f, &id) : GAP_POST_SENT;
        finish(db, &f, end, f.verdict == GAP_POST_GO ? id : 0);
    }
    flight_fini(&f);
}

static int run_step(sqlite3 *db, void *arg)
{
    (void)arg;
    return gap_post_step(db, posts_alloc, posts_now, POSTS_DEBOUNCE, posts_render, posts_data,
                         &posts_told);
}

void step(sqlite3 *db)
{
    ck_assert_int_eq(transact(db, run_step, NULL, NULL), 0);
}

void settle(sqlite3 *db)
{
    for (int rounds = 0; rounds < 10000; rounds++) {
        int64_t next;
        send_all(db);
        ck_assert_int_eq(gap_post_next(db, posts_now, POSTS_DEBOUNCE, posts_render != NULL, &next),
                         0);
        if (next == INT64_MAX) return;
        if (next > posts_now) posts_now = next;
        step(db);
    }
    ck_abort_msg("it does not settle");
}

/* --- looking ---------------------------------------------------------------------------------- */

static int note(void *arg, const gap_post_status_t *s)
{
    struct seen *out = arg;

    out->message_id = s->message_id;
    out->revision = s->revision;
    out->in_step = s->in_step;
    out->frozen = s->frozen;
    out->row = s->row;
    snprintf(out->link, sizeof out->link, "%.*s", (int)s->link.len, (const char *)s->link.data);
    snprintf(out->title, sizeof out->title, "%.*s", (int)s->title.len, (const char *)s->title.data);
    return 0;
}

int look(sqlite3 *db, const char *key, struct seen *out)
{
    memset(out, 0, sizeof *out);
    return gap_post_get(db, gap_str(key), note, out);
}
