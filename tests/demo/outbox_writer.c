/*
 * outbox_writer.c - writes into an outbox what another process sends, and beside it, in the same
 * transactions, what it has written: the table torture_said, which is all that outbox_verdict.py
 * believes. It may be killed at any moment and goes on where its last commit was.
 *
 *     outbox_writer FILE.db --chats FILE --posts N --changes N [--seed S] [--life L] [--pause-us N]
 *
 * --chats: a line each: `user ID`, `chat ID`, `channel ID [ADDRESS]`, or `slow ID [ADDRESS]` for a
 * channel in which the account may not pin. Posts with an even number are posts of gap_post_upsert,
 * some of which link to others, the odd ones are rows, a seventh of them photos, and some of these
 * are pinned. Some transactions are rolled back, some hold the database for a while. Exit status: 0
 * everything is committed, 1 failed, 2 wrong usage.
 */
#include <gapless/gapless.h>
#include <gapless/outbox.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHATS_MAX   1000
#define TEXT_BYTES  1024
#define OPS_MAX     6
#define BUSY_MS     10000
#define NEW_PERCENT 55 /* of what is done, while there are posts to be written */

struct chat {
    gap_peer_t peer;
    char name[40];    /* as the ledger has it */
    char address[64]; /* what addresses of its messages begin with; "": there are none */
    bool has_name;    /* the address is a public one */
    bool is_slow;
};

struct post {
    uint32_t chat;
    uint32_t version;
    int64_t row; /* of an odd post */
    uint32_t link;
    bool is_there;
    bool is_gone;  /* cancelled or removed */
    bool is_named; /* others link to it, or it is pinned: it stays */
    bool is_pinned;
};

struct writer {
    sqlite3 *db;
    struct chat chats[CHATS_MAX];
    uint32_t chat_count;
    struct post *posts; /* from 1 */
    uint32_t wanted;
    uint32_t written;
    uint32_t changes_wanted;
    uint32_t changes;
    uint64_t random;
    uint32_t life;
    uint32_t transactions;
    uint32_t pause_us;
};

static uint32_t below(struct writer *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)((w->random >> 33) % n);
}

static bool chance(struct writer *w, uint32_t percent)
{
    return below(w, 100) < percent;
}

static int failed(const char *what, int r)
{
    (void)fprintf(stderr, "outbox_writer: %s: %s\n", what, gap_strerror(r));
    return r;
}

static int sql(struct writer *w, const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(w->db, text, NULL, NULL, &error) == SQLITE_OK) return 0;
    (void)fprintf(stderr, "outbox_writer: %s: %s\n", text, error);
    sqlite3_free(error);
    return GAP_E_STORAGE;
}

/* ---- what was committed ---- */

static const char table[] =
    "CREATE TABLE IF NOT EXISTS torture_said(n INTEGER PRIMARY KEY AUTOINCREMENT, post INTEGER, "
    "chat TEXT, chat_index INTEGER, op TEXT, text TEXT, link INTEGER, base TEXT, "
    "random_id INTEGER, row INTEGER, version INTEGER, life INTEGER)";

static int say(struct writer *w, uint32_t number, const char *op, const char *text,
               int64_t random_id)
{
    const struct post *p = &w->posts[number];
    const struct chat *chat = &w->chats[p->chat];
    sqlite3_stmt *s = NULL;
    int r = sqlite3_prepare_v2(w->db,
                               "INSERT INTO torture_said(post, chat, chat_index, op, text, link, "
                               "base, random_id, row, version, life) "
                               "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                               -1, &s, NULL);

    if (r != SQLITE_OK) return GAP_E_STORAGE;
    (void)sqlite3_bind_int64(s, 1, number);
    (void)sqlite3_bind_text(s, 2, chat->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 3, p->chat);
    (void)sqlite3_bind_text(s, 4, op, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 5, text, -1, SQLITE_STATIC);
    if (p->link != 0) (void)sqlite3_bind_int64(s, 6, p->link);
    (void)sqlite3_bind_text(s, 7, chat->address, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 8, random_id);
    (void)sqlite3_bind_int64(s, 9, p->row);
    (void)sqlite3_bind_int64(s, 10, p->version);
    (void)sqlite3_bind_int64(s, 11, w->life);
    r = sqlite3_step(s);
    (void)sqlite3_finalize(s);
    return r == SQLITE_DONE ? 0 : GAP_E_STORAGE;
}

/* Begin again where the last commit was. */
static int load(struct writer *w)
{
    sqlite3_stmt *s = NULL;
    int r = sqlite3_prepare_v2(
        w->db, "SELECT post, chat_index, op, link, row, version FROM torture_said ORDER BY n", -1,
        &s, NULL);

    if (r != SQLITE_OK) return GAP_E_STORAGE;
    memset(w->posts, 0, (w->wanted + 1) * sizeof *w->posts);
    w->written = w->changes = 0;
    while ((r = sqlite3_step(s)) == SQLITE_ROW) {
        uint32_t number = (uint32_t)sqlite3_column_int64(s, 0);
        const char *op = (const char *)sqlite3_column_text(s, 2);
        if (number == 0 || number > w->wanted) continue;
        struct post *p = &w->posts[number];
        w->written += !p->is_there;
        w->changes += p->is_there;
        p->is_there = true;
        p->chat = (uint32_t)sqlite3_column_int64(s, 1);
        p->link = (uint32_t)sqlite3_column_int64(s, 3);
        p->row = sqlite3_column_int64(s, 4);
        p->version = (uint32_t)sqlite3_column_int64(s, 5);
        if (p->link != 0 && p->link <= w->wanted) w->posts[p->link].is_named = true;
        if (strcmp(op, "pin") == 0) p->is_pinned = p->is_named = true;
        if (strcmp(op, "cancel") == 0 || strcmp(op, "remove") == 0) p->is_gone = true;
    }
    (void)sqlite3_finalize(s);
    return r == SQLITE_DONE ? 0 : GAP_E_STORAGE;
}

/* ---- texts ---- */

/* A text that was never written before. @return where the word is that may become a link, in
 * UTF-16 units. */
static uint32_t make_text(struct writer *w, uint32_t number, char out[TEXT_BYTES])
{
    static const struct {
        const char *text;
        uint32_t units;
    } words[] = {{"outbox ", 7},
                 {"einmal ", 7},
                 {"Gr\xc3\xb6\xc3\x9f"
                  "e ",
                  6},
                 {"\xf0\x9f\x93\xac ", 3}};
    int n = snprintf(out, TEXT_BYTES, "post %" PRIu32 " v%" PRIu32 " of %" PRIu32 ".%" PRIu32 ": ",
                     number, w->posts[number].version, w->life, w->transactions);
    uint32_t units = (uint32_t)n;

    for (uint32_t i = below(w, 12); i > 0; i--) {
        uint32_t k = below(w, 4);
        n += snprintf(out + n, (size_t)(TEXT_BYTES - n), "%s", words[k].text);
        units += words[k].units;
    }
    (void)snprintf(out + n, (size_t)(TEXT_BYTES - n), "here.");
    return units;
}

static gap_bytes_t key_of(uint32_t number, char out[32])
{
    (void)snprintf(out, 32, "post-%" PRIu32, number);
    return gap_str(out);
}

/* ---- deeds: each 0, or negative ---- */

static int keep_random_id(void *arg, const gap_outbox_row_t *row)
{
    memcpy(arg, &row->random_id, sizeof row->random_id);
    return 0;
}

static int send_row(struct writer *w, uint32_t number)
{
    const gap_tl_input_photo_t photo = {.id = number, .access_hash = 1};
    const gap_tl_input_media_photo_t media = {.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO, &photo)};
    struct post *p = &w->posts[number];
    char text[TEXT_BYTES];
    gap_outbox_item_t item;
    int64_t random_id = 0;

    (void)make_text(w, number, text);
    memset(&item, 0, sizeof item);
    item.kind = p->is_there ? GAP_OUTBOX_EDIT : GAP_OUTBOX_SEND;
    item.chat = w->chats[p->chat].peer;
    item.message_row = p->row;
    item.content.text = gap_str(text);
    if (number % 7 == 0 && !p->is_there) {
        item.kind = GAP_OUTBOX_MEDIA;
        item.content.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &media);
    }
    int64_t row = 0;
    int r = gap_outbox_enqueue(w->db, &item, &row);
    if (r != 0) return failed("gap_outbox_enqueue", r);
    if (!p->is_there) {
        p->row = row;
        r = gap_outbox_get(w->db, row, keep_random_id, &random_id);
        if (r != 0) return failed("gap_outbox_get", r);
    }
    return say(w, number, "send", text, random_id);
}

static int pin(struct writer *w, uint32_t number)
{
    struct post *p = &w->posts[number];
    gap_outbox_item_t item;

    memset(&item, 0, sizeof item);
    item.kind = GAP_OUTBOX_PIN;
    item.chat = w->chats[p->chat].peer;
    item.message_row = p->row;
    int r = gap_outbox_enqueue(w->db, &item, NULL);
    if (r != 0) return failed("gap_outbox_enqueue of a pin", r);
    p->is_pinned = p->is_named = true;
    return say(w, number, "pin", "", 0);
}

static int put_post(struct writer *w, uint32_t number)
{
    struct post *p = &w->posts[number];
    const struct chat *chat = &w->chats[p->chat];
    char text[TEXT_BYTES];
    char key[32];
    char other[32];
    gap_outbox_entity_t link = {GAP_POST_LINK, make_text(w, number, text), 4, {NULL, 0}, 0};
    gap_outbox_content_t content;
    gap_post_t post;

    memset(&content, 0, sizeof content);
    memset(&post, 0, sizeof post);
    content.text = gap_str(text);
    if (p->link != 0) {
        link.value = key_of(p->link, other);
        content.entities = &link;
        content.entity_count = 1;
    }
    post.key = key_of(number, key);
    post.chat = chat->peer;
    if (chat->has_name) post.link_base = gap_str(chat->address);
    post.content = &content;
    int r = gap_post_upsert(w->db, &post, NULL);
    if (r != 0) return failed("gap_post_upsert", r);
    return say(w, number, "put", text, 0);
}

static int take_back(struct writer *w, uint32_t number)
{
    struct post *p = &w->posts[number];
    char key[32];
    gap_outbox_item_t item;

    if (number % 2 == 0) {
        int r = gap_post_remove(w->db, key_of(number, key));
        if (r != 0) return failed("gap_post_remove", r);
        return say(w, number, "remove", "", 0);
    }
    if (chance(w, 50)) {
        int r = gap_outbox_cancel(w->db, p->row);
        if (r == GAP_E_STATE) return 0; /* it is under way, or through */
        if (r != 0) return failed("gap_outbox_cancel", r);
        return say(w, number, "cancel", "", 0);
    }
    memset(&item, 0, sizeof item);
    item.kind = GAP_OUTBOX_DELETE;
    item.chat = w->chats[p->chat].peer;
    item.message_row = p->row;
    int r = gap_outbox_enqueue(w->db, &item, NULL);
    if (r != 0) return failed("gap_outbox_enqueue of a deletion", r);
    return say(w, number, "remove", "", 0);
}

/* ---- transactions ---- */

/* Another post for a link to lead to, now and then one that is not written yet; 0: none. */
static uint32_t pick_link(struct writer *w, uint32_t number)
{
    uint32_t reach = chance(w, 10) ? w->written + 20 : w->written;

    if (!chance(w, 40)) return 0;
    uint32_t other = 2 * (1 + below(w, reach / 2 + 1));
    bool fits = other != number && other <= w->wanted && !w->posts[other].is_gone;
    return fits ? other : 0;
}

static int write_new(struct writer *w)
{
    uint32_t number = w->written + 1;
    struct post *p = &w->posts[number];

    p->chat = below(w, w->chat_count);
    p->version = 0;
    p->link = number % 2 == 0 ? pick_link(w, number) : 0;
    if (p->link != 0) w->posts[p->link].is_named = true;
    int r = number % 2 == 0 ? put_post(w, number) : send_row(w, number);
    p->is_there = true;
    w->written++;
    return r;
}

static int change(struct writer *w)
{
    uint32_t newest = w->written < 200 ? w->written : 200;
    /* What is new is changed before it is sent, what is older after that. */
    uint32_t number = chance(w, 50) ? w->written - below(w, newest) : 1 + below(w, w->written);
    struct post *p = &w->posts[number];

    if (p->is_gone) return 0;
    w->changes++;
    if (!p->is_named && chance(w, 4)) {
        p->is_gone = true;
        return take_back(w, number);
    }
    bool may_pin = number % 2 == 1 && !p->is_pinned && !w->chats[p->chat].is_slow;
    if (may_pin && chance(w, 12)) return pin(w, number);
    p->version++;
    if (number % 2 == 1) return send_row(w, number);
    if (chance(w, 50)) p->link = pick_link(w, number);
    if (p->link != 0) w->posts[p->link].is_named = true;
    return put_post(w, number);
}

static int transaction(struct writer *w)
{
    int r = sql(w, "BEGIN IMMEDIATE");

    w->transactions++;
    for (uint32_t i = 1 + below(w, OPS_MAX); i > 0 && r == 0; i--) {
        bool is_new = w->written < w->wanted && (w->written < 10 || chance(w, NEW_PERCENT));
        if (!is_new && w->changes >= w->changes_wanted && w->written >= w->wanted) break;
        r = is_new ? write_new(w) : change(w);
    }
    if (r == 0 && chance(w, 5)) (void)usleep(1000 * below(w, 60));
    if (r == 0 && !chance(w, 6)) return sql(w, "COMMIT");
    int rolled = sql(w, "ROLLBACK");
    if (r == 0) r = rolled;
    return r == 0 ? load(w) : r;
}

static int run(struct writer *w)
{
    int r = sql(w, "PRAGMA journal_mode=WAL");

    if (r == 0) r = sql(w, table);
    if (r == 0) r = load(w);
    while (r == 0 && (w->written < w->wanted || w->changes < w->changes_wanted)) {
        r = transaction(w);
        if (r == 0) (void)usleep(w->pause_us / 2 + below(w, w->pause_us + 1));
    }
    return r;
}

/* ---- the command line ---- */

static int read_chats(struct writer *w, const char *path)
{
    FILE *f = fopen(path, "r");
    char kind[16];
    char address[64];
    char line[128];
    int64_t id;

    if (f == NULL) return GAP_E_NOT_FOUND;
    while (fgets(line, sizeof line, f) != NULL && w->chat_count < CHATS_MAX) {
        struct chat *c = &w->chats[w->chat_count];
        int n = sscanf(line, "%15s %" SCNd64 " %63s", kind, &id, address);
        if (n < 2) break;
        c->peer.kind = strcmp(kind, "user") == 0   ? GAP_PEER_USER
                       : strcmp(kind, "chat") == 0 ? GAP_PEER_CHAT
                                                   : GAP_PEER_CHANNEL;
        c->peer.id = id;
        c->is_slow = strcmp(kind, "slow") == 0;
        (void)snprintf(c->name, sizeof c->name, "%s:%" PRId64, c->is_slow ? "channel" : kind, id);
        c->has_name = n == 3;
        if (n == 3)
            (void)snprintf(c->address, sizeof c->address, "%s", address);
        else if (c->peer.kind == GAP_PEER_CHANNEL)
            (void)snprintf(c->address, sizeof c->address, "https://t.me/c/%" PRId64, id);
        w->chat_count++;
    }
    (void)fclose(f);
    return w->chat_count > 0 ? 0 : GAP_E_NOT_FOUND;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: outbox_writer FILE.db --chats FILE --posts N --changes N "
                          "[--seed S] [--life L] [--pause-us N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct writer w;
    const char *chats = NULL;
    uint32_t seed = 1;

    for (int i = 2; i + 1 < argc; i += 2) {
        uint32_t n = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--chats") == 0)
            chats = argv[i + 1];
        else if (strcmp(argv[i], "--posts") == 0)
            w.wanted = n;
        else if (strcmp(argv[i], "--changes") == 0)
            w.changes_wanted = n;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = n;
        else if (strcmp(argv[i], "--life") == 0)
            w.life = n;
        else if (strcmp(argv[i], "--pause-us") == 0)
            w.pause_us = n;
        else
            return usage();
    }
    if (argc < 2 || argc % 2 != 0 || chats == NULL || w.wanted == 0) return usage();
    w.random = ((uint64_t)seed << 32 | (w.life + 1)) * UINT64_C(0x9e3779b97f4a7c15);
    w.posts = calloc(w.wanted + 1, sizeof *w.posts);
    int r = w.posts == NULL ? GAP_E_NOMEM : read_chats(&w, chats);
    if (r < 0) {
        (void)failed(chats, r);
    } else if (sqlite3_open(argv[1], &w.db) != SQLITE_OK) {
        r = failed(argv[1], GAP_E_STORAGE);
    } else {
        (void)sqlite3_busy_timeout(w.db, BUSY_MS);
        r = run(&w);
    }
    (void)sqlite3_close(w.db);
    free(w.posts);
    return r == 0 ? 0 : 1;
}
