/*
 * userbot/publish_db.c - publish and its state file, on a connection of the program's own. Owns
 * nothing but the table userbot_note.
 */
#include "userbot/publish_db.h"

#include "base/bytes.h"
#include "outbox/post.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The loop stands still meanwhile. */
#define BUSY_MS 200

/* States of rows that still will, or may, go out. */
#define WAITING                                                                                    \
    (1U << GAP_OUTBOX_READY | 1U << GAP_OUTBOX_SNOOZED | 1U << GAP_OUTBOX_LEASED |                 \
     1U << GAP_OUTBOX_UNKNOWN)

static const char make_table[] = "CREATE TABLE IF NOT EXISTS userbot_note("
                                 " key TEXT PRIMARY KEY," /* of the post */
                                 " note TEXT NOT NULL,"   /* key of its note */
                                 " folder TEXT NOT NULL," /* that the note is in */
                                 " path TEXT NOT NULL) WITHOUT ROWID";
static const char put_note[] = "INSERT INTO userbot_note(key, note, folder, path) "
                               "VALUES(?1, ?2, ?3, ?4) ON CONFLICT(key) DO UPDATE SET "
                               "note = ?2, folder = ?3, path = ?4";
static const char forget_note[] = "DELETE FROM userbot_note WHERE key = ?1";
static const char list_notes[] = "SELECT key, note, path FROM userbot_note WHERE folder = ?1";
static const char folder_of[] = "SELECT folder, path FROM userbot_note WHERE key = ?1";

/* One that has a key of its own is meant rather than one that once had this path. */
static const char key_of[] = "SELECT note FROM userbot_note WHERE folder = ?1 AND path = ?2 "
                             "ORDER BY note || '.md' = path LIMIT 1";

static gap_bytes_t bytes_of(const char *text)
{
    return gap_bytes(text, strlen(text));
}

static int64_t wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* SQLite's last error as a result, and in words. */
static int failed(sqlite3 *db, char *why, size_t cap)
{
    int code = sqlite3_errcode(db);

    (void)snprintf(why, cap, "%s", sqlite3_errmsg(db));
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? GAP_E_BUSY
           : code == SQLITE_NOMEM                       ? GAP_E_NOMEM
                                                        : GAP_E_STORAGE;
}

static int run_sql(sqlite3 *db, const char *sql, struct publish_work *w)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                : failed(db, w->why, sizeof w->why);
}

int publish_db_open(const char *path, struct sqlite3 **out, char *why, size_t cap)
{
    sqlite3 *db = NULL;

    *out = NULL;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(db, BUSY_MS);
    if (code == SQLITE_OK) {
        *out = db;
        return 0;
    }
    (void)snprintf(why, cap, "%s", db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    (void)sqlite3_close(db);
    return GAP_E_STORAGE;
}

void publish_db_close(struct sqlite3 *db)
{
    (void)sqlite3_close(db);
}

/* ---- looking at single posts and rows ---- */

struct copy {
    char *out;
    size_t cap;
};

static int copy_title(void *arg, const gap_post_status_t *status)
{
    struct copy *c = arg;

    (void)snprintf(c->out, c->cap, "%.*s", (int)status->title.len,
                   (const char *)status->title.data);
    return 0;
}

/* What can't be had is not known: without a table, or while somebody holds the file. */
void publish_db_key(const char *path, const char *folder, const char *note, char *out, size_t cap)
{
    char full[PATH_MAX];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;

    out[0] = '\0';
    if (path == NULL || realpath(folder, full) == NULL) return;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(db, BUSY_MS);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, key_of, -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 1, full, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 2, note, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(s, 0);
        if (key != NULL && strlen(key) < cap) (void)snprintf(out, cap, "%s", key);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
}

void publish_db_title(const char *path, const char *key, char *out, size_t cap)
{
    struct copy c = {out, cap};
    sqlite3 *db = NULL;

    out[0] = '\0';
    if (path == NULL) return;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, BUSY_MS) == SQLITE_OK &&
        gap_post_get(db, bytes_of(key), copy_title, &c) < 0)
        out[0] = '\0';
    (void)sqlite3_close(db);
}

static int copy_reason(void *arg, const gap_outbox_row_t *row)
{
    struct copy *c = arg;

    (void)snprintf(c->out, c->cap, "%.*s", (int)row->reason.len, (const char *)row->reason.data);
    return 0;
}

void publish_db_reason(struct sqlite3 *db, int64_t row, char *out, size_t cap)
{
    struct copy c = {out, cap};
    gap_outbox_eta_t eta;

    if (row == 0 || gap_outbox_get(db, row, copy_reason, &c) < 0) out[0] = '\0';
    if (row != 0 && out[0] == '\0' && gap_outbox_eta(db, row, wall_us(), &eta) == 0)
        (void)snprintf(out, cap, "%s", eta.because);
}

static int copy_state(void *arg, const gap_outbox_row_t *row)
{
    *(gap_outbox_state_t *)arg = row->state;
    return 0;
}

/* @return 0; GAP_E_NOT_FOUND; as gap_outbox_get. */
static int state_of(sqlite3 *db, int64_t row, gap_outbox_state_t *out)
{
    return gap_outbox_get(db, row, copy_state, out);
}

/* ---- finding posts by their key ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const struct note_post *const *)a)->key,
                  (*(const struct note_post *const *)b)->key);
}

/* Posts by key; freed by the caller. */
static const struct note_post **sort_posts(const struct notes *notes)
{
    const struct note_post **sorted = malloc((notes->post_count + 1) * sizeof(struct note_post *));

    if (sorted == NULL) return NULL;
    for (size_t i = 0; i < notes->post_count; i++) sorted[i] = &notes->posts[i];
    qsort(sorted, notes->post_count, sizeof(struct note_post *), by_key);
    return sorted;
}

static const struct note_post *find_post(const struct note_post **sorted, size_t count,
                                         const char *key)
{
    const struct note_post probe = {.key = (char *)(uintptr_t)key};
    const struct note_post *p = &probe;
    const struct note_post **found =
        count > 0 ? bsearch(&p, sorted, count, sizeof(struct note_post *), by_key) : NULL;

    return found != NULL ? *found : NULL;
}

static const struct note *find_note(const struct notes *notes, const char *key)
{
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->list[i].key, key) == 0) return &notes->list[i];
    return NULL;
}

/* ---- the table of notes ---- */

static int step_with(sqlite3 *db, const char *sql, const char *const *texts, int count,
                     struct publish_work *w)
{
    sqlite3_stmt *s = NULL;

    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite3_bind_text(s, i + 1, texts[i], -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(s);
    int r = code == SQLITE_DONE ? 0 : failed(db, w->why, sizeof w->why);
    (void)sqlite3_finalize(s);
    return r;
}

/* Does another folder, one that is there, have a post of this key? @return 1: yes, told. */
static int is_foreign(sqlite3 *db, struct publish_work *w, struct note *note, const char *folder,
                      const char *key)
{
    sqlite3_stmt *s = NULL;
    char other[PATH_MAX];
    int r = 0;

    int code = sqlite3_prepare_v2(db, folder_of, -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        if (text != NULL && strcmp(text, folder) != 0 && realpath(text, other) != NULL) {
            notes_break(w->notes, w->config, note, 0,
                        "has the key '%s', and so has %s in %s, which was published from the same "
                        "state file: give one of them another in its front matter, key: NAME",
                        key, (const char *)sqlite3_column_text(s, 1), text);
            r = 1;
        }
    } else if (code != SQLITE_DONE) {
        r = failed(db, w->why, sizeof w->why);
    }
    (void)sqlite3_finalize(s);
    return r;
}

/* ---- what is gone ---- */

struct gone {
    char *key;
    char *note;
    char *path;
};

/* What was published from this folder and is none of its posts any more. */
static int find_gone(sqlite3 *db, struct publish_work *w, const char *folder,
                     const struct note_post **sorted, struct gone **out, size_t *count)
{
    sqlite3_stmt *s = NULL;
    size_t cap = 0;
    int r = 0;

    int code = sqlite3_prepare_v2(db, list_notes, -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 1, folder, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(s, 0);
        code = SQLITE_OK;
        if (key == NULL || find_post(sorted, w->notes->post_count, key) != NULL) continue;
        if (*count == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            struct gone *grown = realloc(*out, cap * sizeof *grown);
            if (grown == NULL) break;
            *out = grown;
        }
        struct gone *g = &(*out)[(*count)++];
        g->key = strdup(key);
        g->note = strdup((const char *)sqlite3_column_text(s, 1));
        g->path = strdup((const char *)sqlite3_column_text(s, 2));
        if (g->key == NULL || g->note == NULL || g->path == NULL) break;
    }
    if (code != SQLITE_DONE)
        r = code == SQLITE_OK ? GAP_E_NOMEM : failed(db, w->why, sizeof w->why);
    (void)sqlite3_finalize(s);
    return r;
}

static void say(const struct publish_work *w, const char *format, ...) GAP_PRINTF(2, 3);

static void say(const struct publish_work *w, const char *format, ...)
{
    char line[2 * NOTES_PATH_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    w->config->complain(w->config->arg, line);
}

static int wait_for(struct publish_work *w, int64_t row)
{
    int64_t *grown = realloc(w->others, (w->other_count + 1) * sizeof *grown);

    if (grown == NULL) return GAP_E_NOMEM;
    w->others = grown;
    w->others[w->other_count++] = row;
    return 0;
}

static int wait_for_post(void *arg, const gap_post_status_t *status)
{
    return status->row != 0 ? wait_for(arg, status->row) : 0;
}

static int remove_post(sqlite3 *db, struct publish_work *w, const char *key)
{
    const char *const texts[] = {key};

    /* Only when it is known what became of its sending its message can be deleted. */
    int r = gap_post_get(db, bytes_of(key), wait_for_post, w);
    if (r == 0) r = gap_post_remove(db, bytes_of(key));
    if (r == 0) w->removed++;
    if (r == GAP_E_NOT_FOUND) r = 0; /* somebody has done it */
    if (r < 0) {
        (void)snprintf(w->why, sizeof w->why, "%s can't be removed: %s", key, gap_strerror(r));
        return r;
    }
    return step_with(db, forget_note, texts, 1, w);
}

/* A part of a note that became shorter goes; a note that is gone stays, if nothing else is said, or
 * if it may be in a folder that can't be read; one that can't be read itself is left alone. What a
 * former run has begun with them goes on. */
static int see_to(sqlite3 *db, struct publish_work *w, const struct gone *g)
{
    const struct note *note = find_note(w->notes, g->note);

    bool is_broken = note != NULL && note->broken;
    bool deletes = w->delete_gone && !w->notes->is_partial;
    if (!is_broken && (note != NULL || deletes)) return remove_post(db, w, g->key);
    if (!is_broken) {
        w->left++;
        say(w,
            w->notes->is_partial
                ? "%s/%s: is not found, its message stays: not every folder was looked into"
                : "%s/%s: is gone, its message stays; --delete deletes it",
            w->notes->folder, g->path);
    }
    int r = gap_post_get(db, bytes_of(g->key), wait_for_post, w);
    return r == GAP_E_NOT_FOUND ? 0 : r;
}

static int remove_gone(sqlite3 *db, struct publish_work *w, const char *folder,
                       const struct note_post **sorted)
{
    struct gone *gone = NULL;
    size_t count = 0;

    int r = find_gone(db, w, folder, sorted, &gone, &count);
    for (size_t i = 0; i < count && r == 0; i++) r = see_to(db, w, &gone[i]);
    for (size_t i = 0; i < count; i++) {
        free(gone[i].key);
        free(gone[i].note);
        free(gone[i].path);
    }
    free(gone);
    return r;
}

/* ---- what is there ---- */

static int remember_status(void *arg, const gap_post_status_t *status)
{
    struct post_track *t = arg;

    t->first_id = status->message_id;
    t->first_count = status->revision;
    return 0;
}

/* Why a single note can't be written. @return 0: said; negative: none can. */
static int refused(struct publish_work *w, struct note *note, int r)
{
    if (r == GAP_E_ARGUMENT) {
        notes_break(w->notes, w->config, note, 0,
                    "was published in another chat: give it another key, or its old chat");
    } else if (r == GAP_E_LIMIT) {
        notes_break(w->notes, w->config, note, 0,
                    "is more than a message can hold: fewer words, links or marks");
    } else {
        (void)snprintf(w->why, sizeof w->why, "%s: %s", note->path, gap_strerror(r));
        return r;
    }
    return 0;
}

static int write_post(sqlite3 *db, struct publish_work *w, const char *folder, size_t index)
{
    const struct note_post *post = &w->notes->posts[index];
    struct post_track *t = &w->tracks[index];
    struct note *note = post->note;
    const struct publish_chat *chat = &w->chats[w->chat_of[index]];
    const gap_outbox_content_t content = {
        .text = post->text, .entities = post->entities, .entity_count = post->entity_count};
    bool is_first = strcmp(post->key, note->key) == 0;
    const gap_post_t wanted = {
        .key = bytes_of(post->key),
        .chat = chat->peer,
        .link_base = bytes_of(chat->base),
        .title = is_first ? bytes_of(note->title) : gap_bytes(NULL, 0),
        .content = &content,
    };

    int r = is_foreign(db, w, note, folder, post->key);
    if (r != 0) return r < 0 ? r : 0;
    r = gap_post_get(db, wanted.key, remember_status, t);
    if (r < 0 && r != GAP_E_NOT_FOUND) return refused(w, note, r);
    r = gap_post_upsert(db, &wanted, &t->row);
    if (r < 0) return refused(w, note, r);
    t->written = true;
    const char *const texts[] = {post->key, note->key, folder, note->path};
    return step_with(db, put_note, texts, 4, w);
}

static int write_all(sqlite3 *db, struct publish_work *w, const char *folder)
{
    const struct note_post **sorted = sort_posts(w->notes);

    if (sorted == NULL) return GAP_E_NOMEM;
    int r = run_sql(db, make_table, w);
    if (r == 0) r = remove_gone(db, w, folder, sorted);
    for (size_t i = 0; i < w->notes->post_count && r == 0; i++)
        if (!w->notes->posts[i].note->broken) r = write_post(db, w, folder, i);
    free(sorted);
    return r;
}

int publish_db_write(struct sqlite3 *db, struct publish_work *w)
{
    char folder[PATH_MAX];

    w->why[0] = '\0';
    if (realpath(w->notes->folder, folder) == NULL) {
        (void)snprintf(w->why, sizeof w->why, "%s: %s", w->notes->folder, strerror(errno));
        return -errno;
    }
    int r = run_sql(db, "BEGIN IMMEDIATE", w);
    if (r < 0) return r;
    r = write_all(db, w, folder);
    if (r == 0) r = run_sql(db, "COMMIT", w);
    if (r < 0 && w->why[0] == '\0') (void)snprintf(w->why, sizeof w->why, "%s", gap_strerror(r));
    if (r < 0) (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* ---- looking after them ---- */

struct look {
    sqlite3 *db;
    struct publish_work *w;
    const struct note_post **sorted;
    bool waits;
};

/* Where a post is that is not in step, as far as its row tells. */
static int place_of(struct look *l, struct post_track *t, bool frozen, enum post_place *out)
{
    gap_outbox_state_t state = GAP_OUTBOX_READY;

    *out = frozen ? POST_PARKED : POST_WAITS;
    if (frozen || t->row == 0) return 0;
    int r = state_of(l->db, t->row, &state);
    if (r < 0) return r == GAP_E_NOT_FOUND ? 0 : r;
    if (state == GAP_OUTBOX_PARKED || state == GAP_OUTBOX_CANCELLED) *out = POST_PARKED;
    if (state == GAP_OUTBOX_DEAD) *out = POST_DEAD;
    return 0;
}

static int look_at(void *arg, const gap_post_status_t *status)
{
    struct look *l = arg;
    char key[256];

    if (status->key.len >= sizeof key) return 0;
    memcpy(key, status->key.data, status->key.len);
    key[status->key.len] = '\0';
    const struct note_post *post = find_post(l->sorted, l->w->notes->post_count, key);
    if (post == NULL) return 0;
    struct post_track *t = &l->w->tracks[post - l->w->notes->posts];
    t->id = status->message_id;
    t->count = status->revision;
    if (status->row != 0) t->row = status->row;
    t->place = POST_IN_STEP;
    return status->in_step ? 0 : place_of(l, t, status->frozen, &t->place);
}

static bool goes_without_people(const struct look *l, int64_t row)
{
    gap_outbox_eta_t eta;

    return gap_outbox_eta(l->db, row, wall_us(), &eta) != 0 || eta.at_us != INT64_MAX;
}

static int look_at_delete(void *arg, const gap_outbox_row_t *row)
{
    struct look *l = arg;

    if (row->kind == GAP_OUTBOX_DELETE && !l->waits) l->waits = goes_without_people(l, row->row);
    return 0;
}

/* What is none of the notes' posts and goes on all the same, whoever began it: deletions, sendings
 * that nobody knows the end of, posts that are left. */
static int look_at_others(struct look *l)
{
    for (size_t i = 0; i < l->w->other_count && !l->waits; i++) {
        gap_outbox_state_t state = GAP_OUTBOX_SENT;
        int r = state_of(l->db, l->w->others[i], &state);
        if (r < 0 && r != GAP_E_NOT_FOUND) return r;
        if (r == 0 && (WAITING >> state & 1) != 0)
            l->waits = goes_without_people(l, l->w->others[i]);
    }
    return l->waits ? 0 : gap_outbox_list(l->db, WAITING, 0, SIZE_MAX, look_at_delete, l);
}

/* What waits for people: rows of a chat that is parked, of an account that is held. One row tells
 * it of all that are behind it in its chat. */
static void look_at_chats(struct look *l)
{
    const struct publish_work *w = l->w;
    const gap_peer_t nobody = {.kind = GAP_PEER_NONE};
    gap_peer_t last = nobody;
    bool stuck = false;

    for (size_t i = 0; i < w->notes->post_count; i++) {
        struct post_track *t = &w->tracks[i];
        const gap_peer_t chat = w->chats[w->chat_of[i]].peer;
        gap_outbox_eta_t eta;
        if (!t->written || t->place != POST_WAITS || t->row == 0) continue;
        if (chat.kind != last.kind || chat.id != last.id) {
            stuck = gap_outbox_eta(l->db, t->row, wall_us(), &eta) == 0 && eta.at_us == INT64_MAX;
            last = chat;
        }
        if (stuck) t->place = POST_PARKED;
    }
}

int publish_db_look(struct sqlite3 *db, struct publish_work *w, bool *settled)
{
    struct look l = {.db = db, .w = w, .sorted = sort_posts(w->notes)};
    int64_t next = INT64_MAX;
    int r = l.sorted != NULL ? 0 : GAP_E_NOMEM;

    for (size_t i = 0; i < w->notes->post_count; i++) w->tracks[i].place = POST_DEAD;
    /* Of one moment: between two a post can be marked, or rendered. */
    if (r == 0) r = run_sql(db, "BEGIN", w);
    if (r < 0) {
        free(l.sorted);
        return r;
    }
    r = gap_post_list(db, look_at, &l);
    if (r == 0) r = gap_post_next(db, wall_us(), 0, false, &next);
    if (r == 0) look_at_chats(&l);
    for (size_t i = 0; i < w->notes->post_count; i++)
        if (w->tracks[i].written && w->tracks[i].place == POST_WAITS) l.waits = true;
    if (r == 0) r = look_at_others(&l);
    (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    free(l.sorted);
    *settled = !l.waits && next == INT64_MAX;
    if (r < 0) (void)snprintf(w->why, sizeof w->why, "%s", gap_strerror(r));
    return r;
}

int publish_db_wait(struct sqlite3 *db, const struct publish_work *w, struct publish_wait *out)
{
    int64_t first = INT64_MAX;
    int64_t last = 0;
    int64_t now = wall_us();
    gap_outbox_eta_t eta;

    for (size_t i = 0; i < w->notes->post_count; i++) {
        const struct post_track *t = &w->tracks[i];
        if (!t->written || t->place != POST_WAITS || t->row == 0) continue;
        if (t->row < first) first = t->row;
        if (t->row > last) last = t->row;
    }
    if (last == 0 || gap_outbox_eta(db, first, now, &eta) < 0 || eta.at_us == INT64_MAX)
        return GAP_E_NOT_FOUND;
    out->next_us = eta.at_us > now ? eta.at_us - now : 0;
    if (gap_outbox_eta(db, last, now, &eta) < 0 || eta.at_us == INT64_MAX) return GAP_E_NOT_FOUND;
    out->all_us = eta.at_us > now ? eta.at_us - now : 0;
    return 0;
}

void publish_db_fini(struct publish_work *w)
{
    free(w->others);
    w->others = NULL;
    w->other_count = 0;
}
