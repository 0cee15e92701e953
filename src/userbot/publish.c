/*
 * userbot/publish.c - the job publish: from a folder of notes to messages that are as the notes
 * are.
 *
 *   READING -> CONNECTING -> FINDING chats, one by one -> WRITING posts -> WORKING -> the end
 *
 * What a folder says is written in one transaction: a kill leaves all of it or nothing. The end is
 * when one look at the file shows every post in step, parked or dead, so that what is edited
 * because of another's address is seen, too. Other notes' titles are put into the text here, only
 * addresses are left to the outbox: whoever works the file off later needs no folder.
 *
 * Owns the notes and a connection to the state file. What sends is the client, from its outbox.
 */
#include "userbot/publish.h"

#include "base/bytes.h"
#include "client/link_text.h"
#include "userbot/json.h"
#include "userbot/publish_db.h"
#include "userbot/row_text.h"
#include "userbot/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/** Milliseconds between looks at the posts when nothing tells that something has changed. */
#define LOOK_MS 1000
/** Looks take at most one part of the time in so many: a big folder is looked at less often. */
#define LOOK_SHARE 10

/** Posts of which it is told why they need people. */
#define TOLD_MAX 10

enum stage { STAGE_CONNECTING, STAGE_FINDING, STAGE_WRITING, STAGE_WORKING, STAGE_OVER };

struct publish {
    enum stage stage;
    struct notes notes;
    struct notes_config config;
    struct publish_work work;
    struct publish_chat *chats;
    size_t chat_count;
    size_t finding;
    size_t *chat_of;
    struct sqlite3 *db;
    uint64_t looked_ms;
    uint64_t rest_ms; /* until the next look */
    bool news;        /* since the last look */
    bool settled;     /* nothing will change by itself */
    bool busy_told;
    unsigned told; /* posts that need people */
    size_t sent;   /* posts that have a message */
    size_t in_step;
};

/* What became of the posts. */
struct count {
    size_t published;
    size_t edited;
    size_t unchanged;
    size_t parked;
    size_t failed;
    size_t waiting;
    uint64_t edits; /* that were made in all */
};

/* ---- before connecting ---- */

/* Names of files are whatever their makers wrote: one line, and nothing that moves the cursor. */
static void on_complaint(void *arg, const char *line)
{
    char text[4 * NOTES_PATH_MAX];

    (void)text_printable(gap_str(line), sizeof text, text, sizeof text);
    app_complain(arg, "%s", text);
}

static void on_old_key(void *arg, const char *path, char *out, size_t cap)
{
    const struct app *app = arg;

    publish_db_key(app->options.state, app->options.publish.dir, path, out, cap);
}

static void on_old_title(void *arg, const char *key, char *out, size_t cap)
{
    const struct app *app = arg;

    publish_db_title(app->options.state, key, out, cap);
}

int publish_begin(struct app *app)
{
    const struct publish_options *o = &app->options.publish;
    struct publish *p = calloc(1, sizeof *p);
    int r = p == NULL ? GAP_E_NOMEM : 0;

    app->publish = p;
    if (p != NULL) {
        p->config = (struct notes_config){.refuse_long = o->refuse_long,
                                          .deletes = o->delete_gone,
                                          .complain = on_complaint,
                                          .old_key = on_old_key,
                                          .old_title = on_old_title,
                                          .arg = app};
        r = notes_read(o->dir, &p->config, &p->notes);
    }
    if (r == GAP_E_NOMEM) app_complain(app, "out of memory");
    if (r == 0 && o->strict && p->notes.broken > 0) {
        app_complain(app, "nothing was sent: without --strict the others are");
        r = GAP_E_ARGUMENT;
    }
    if (r < 0) app_end(app, APP_FAILED);
    return r;
}

/* ---- chats ---- */

/* The chat of a note, as it is written. */
static gap_bytes_t who_of(const struct app *app, const struct note *note)
{
    const char *all = app->options.publish.chat;

    if (note->chat.len > 0 || all == NULL) return note->chat;
    return gap_str(all);
}

/* Its place among the chats, which it joins if need be. @return 0; GAP_E_NOMEM. */
static int add_chat(struct publish *p, gap_bytes_t who, size_t *out)
{
    for (size_t i = 0; i < p->chat_count; i++) {
        *out = i;
        if (gap_bytes_equal(gap_str(p->chats[i].who), who)) return 0;
    }
    struct publish_chat *grown = realloc(p->chats, (p->chat_count + 1) * sizeof *grown);
    if (grown == NULL) return GAP_E_NOMEM;
    p->chats = grown;
    *out = p->chat_count;
    memset(&grown[*out], 0, sizeof *grown);
    grown[*out].who = strndup((const char *)who.data, who.len);
    if (grown[*out].who == NULL) return GAP_E_NOMEM;
    p->chat_count++;
    return 0;
}

static int collect_chats(struct app *app)
{
    struct publish *p = app->publish;
    int r = 0;

    p->chat_of = calloc(p->notes.post_count + 1, sizeof *p->chat_of);
    p->work.tracks = calloc(p->notes.post_count + 1, sizeof *p->work.tracks);
    if (p->chat_of == NULL || p->work.tracks == NULL) return GAP_E_NOMEM;
    for (size_t i = 0; i < p->notes.post_count && r == 0; i++) {
        struct note *note = p->notes.posts[i].note;
        gap_bytes_t who = who_of(app, note);
        if (who.len > 0) {
            r = add_chat(p, who, &p->chat_of[i]);
        } else if (!note->broken) {
            notes_break(&p->notes, &p->config, note, 0,
                        "names no chat: write chat: @name into its front matter, or give --chat");
        }
    }
    return r;
}

/* Notes of a chat that can't be had are broken. */
static void lose_chat(struct publish *p, size_t chat, const char *why)
{
    for (size_t i = 0; i < p->notes.post_count; i++) {
        struct note *note = p->notes.posts[i].note;
        if (p->chat_of[i] == chat && !note->broken)
            notes_break(&p->notes, &p->config, note, 0, "%s: %s", p->chats[chat].who, why);
    }
}

/* Messages of a public chat have addresses with its name. */
static void set_base(struct publish_chat *chat)
{
    struct client_who who;

    if (chat->peer.kind != GAP_PEER_CHANNEL || client_who_parse(chat->who, &who) < 0) return;
    if (who.kind == CLIENT_WHO_USERNAME)
        (void)snprintf(chat->base, sizeof chat->base, "https://t.me/%s", who.text);
}

static void find_next(struct app *app);
static void write_posts(struct app *app);

static void on_found(gap_client_t *client, const gap_found_peer_t *found, void *data)
{
    struct app *app = data;
    struct publish *p = app->publish;

    (void)client;
    if (app->ending || p->stage != STAGE_FINDING) return;
    struct publish_chat *chat = &p->chats[p->finding];
    if (found->status == 0) {
        chat->found = true;
        chat->peer = found->peer;
        set_base(chat);
    } else {
        lose_chat(p, p->finding,
                  found->text[0] != '\0' ? found->text : gap_strerror(found->status));
    }
    p->finding++;
    find_next(app);
}

static void find_next(struct app *app)
{
    struct publish *p = app->publish;

    if (p->finding == p->chat_count) {
        p->stage = STAGE_WRITING;
        write_posts(app);
        return;
    }
    int r = gap_client_find_peer(app->client, p->chats[p->finding].who, on_found, app);
    if (r == 0) return;
    app_complain(app, "can't look for %s: %s", p->chats[p->finding].who, gap_strerror(r));
    app_end(app, APP_FAILED);
}

void publish_started(struct app *app)
{
    struct publish *p = app->publish;

    if (p->stage != STAGE_CONNECTING) return;
    p->stage = STAGE_FINDING;
    if (collect_chats(app) == 0) {
        find_next(app);
    } else {
        app_complain(app, "out of memory");
        app_end(app, APP_FAILED);
    }
}

/* ---- posts ---- */

static void look(struct app *app);

static void fail(struct app *app, const char *what)
{
    app_complain(app, "%s %s: %s", what, app->options.state, app->publish->work.why);
    app_end(app, APP_FAILED);
}

static void write_posts(struct app *app)
{
    struct publish *p = app->publish;
    struct publish_work *w = &p->work;

    if (app->options.publish.strict && p->notes.broken > 0) {
        app_complain(app, "nothing was sent: without --strict the others are");
        app_end(app, APP_FAILED);
        return;
    }
    w->notes = &p->notes;
    w->config = &p->config;
    w->chats = p->chats;
    w->chat_of = p->chat_of;
    w->delete_gone = app->options.publish.delete_gone;
    if (p->db == NULL && publish_db_open(app->options.state, &p->db, w->why, sizeof w->why) < 0) {
        fail(app, "can't open");
        return;
    }
    int r = publish_db_write(p->db, w);
    if (r == GAP_E_BUSY) {
        if (!p->busy_told)
            app_complain(app, "another program writes to %s: waiting for it", app->options.state);
        p->busy_told = true;
        return; /* the next tick tries again */
    }
    if (r < 0) {
        fail(app, "can't write to");
        return;
    }
    p->stage = STAGE_WORKING;
    gap_outbox_wake(app->client);
    look(app);
}

static bool is_new(const struct post_track *t)
{
    return t->id != 0 && t->id != t->first_id;
}

static void count_posts(const struct publish *p, struct count *out)
{
    memset(out, 0, sizeof *out);
    out->failed = p->notes.broken;
    for (size_t i = 0; i < p->notes.post_count; i++) {
        const struct post_track *t = &p->work.tracks[i];
        if (!t->written) continue;
        uint64_t calls = t->count > t->first_count ? t->count - t->first_count : 0;
        out->edits += calls - (is_new(t) && calls > 0 ? 1 : 0);
        if (t->place == POST_DEAD)
            out->failed++;
        else if (t->place == POST_PARKED)
            out->parked++;
        else if (t->place == POST_WAITS)
            out->waiting++;
        else if (is_new(t))
            out->published++;
        else if (calls > 0)
            out->edited++;
        else
            out->unchanged++;
    }
}

/* A post that needs people: why. */
static void tell_post(struct app *app, size_t index)
{
    struct publish *p = app->publish;
    struct post_track *t = &p->work.tracks[index];
    char key[4 * NOTES_KEY_MAX];
    char why[256] = "";

    if (t->told || !t->written || t->place == POST_WAITS || t->place == POST_IN_STEP) return;
    t->told = true;
    if (p->told++ > TOLD_MAX) return;
    if (p->told > TOLD_MAX) {
        app_complain(app, "and others");
        return;
    }
    publish_db_reason(p->db, t->row, why, sizeof why);
    (void)text_printable(gap_str(p->notes.posts[index].key), sizeof key, key, sizeof key);
    app_complain(app, "%s is %s: %s", key, t->place == POST_DEAD ? "given up" : "parked",
                 why[0] != '\0' ? why : "its message can't be edited any more");
}

static void look(struct app *app)
{
    struct publish *p = app->publish;

    uint64_t start_ms = app_elapsed_ms(app);

    p->news = false;
    p->sent = p->in_step = 0;
    if (publish_db_look(p->db, &p->work, &p->settled) < 0) {
        fail(app, "can't read");
        return;
    }
    for (size_t i = 0; i < p->notes.post_count; i++) {
        const struct post_track *t = &p->work.tracks[i];
        if (t->written && t->id != 0) p->sent++;
        if (t->written && t->place == POST_IN_STEP) p->in_step++;
        tell_post(app, i);
    }
    p->looked_ms = app_elapsed_ms(app);
    p->rest_ms = (p->looked_ms - start_ms) * LOOK_SHARE;
}

static int status_of(const struct publish *p)
{
    struct count c;

    count_posts(p, &c);
    if (p->notes.broken > 0) return APP_FAILED;
    return c.parked + c.failed + c.waiting > 0 ? APP_NOT_MET : APP_DONE;
}

void publish_tick(struct app *app)
{
    struct publish *p = app->publish;

    if (app->ending || app->client == NULL || app->signals > 0) return;
    if (p->stage == STAGE_WRITING) write_posts(app);
    if (app->ending || p->stage != STAGE_WORKING) return;
    uint64_t since_ms = app_elapsed_ms(app) - p->looked_ms;
    if (since_ms >= p->rest_ms && (p->news || since_ms >= LOOK_MS)) look(app);
    if (app->ending) return;
    if (p->settled) {
        p->stage = STAGE_OVER;
        app_end(app, status_of(p));
    }
}

void publish_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    struct app *app = data;

    (void)client;
    if (app->publish != NULL) app->publish->news = true;
    if (app->out == NULL || app->ending) return;
    row_put_json(app->out, row);
    if (fputs("}\n", app->out) >= 0 && fflush(app->out) == 0) return;
    app_complain(app, "can't write to %s; make room, or name another file with --out",
                 app->options.out);
    app_end(app, APP_FAILED);
}

/* ---- what people see ---- */

void publish_progress(struct app *app)
{
    struct publish *p = app->publish;
    struct publish_wait wait;

    if (p->stage != STAGE_WORKING) return;
    char when[96] = "";
    if (publish_db_wait(p->db, &p->work, &wait) == 0 && wait.next_us >= 1000000)
        (void)snprintf(when, sizeof when, "; next in %" PRId64 " s, all in %" PRId64 " s or more",
                       wait.next_us / 1000000, wait.all_us / 1000000);
    app_progress(app, "%zu of %zu sent, %zu in step, %.0f s%s", p->sent, p->notes.post_count,
                 p->in_step, (double)app_elapsed_ms(app) / 1000.0, when);
}

static void print_json(const struct publish *p, const struct count *c, int status)
{
    printf("{\"event\":\"published\",\"published\":%zu,\"edited\":%zu,\"unchanged\":%zu,"
           "\"parked\":%zu,\"failed\":%zu,\"waiting\":%zu,\"deleted\":%zu,\"left\":%zu,"
           "\"edits\":%" PRIu64 ",\"broken\":%zu,\"status\":%d}\n",
           c->published, c->edited, c->unchanged, c->parked, c->failed, c->waiting, p->work.removed,
           p->work.left, c->edits, p->notes.broken, status);
}

static void print_text(const struct publish *p, const struct count *c)
{
    printf("published %zu, edited %zu, unchanged %zu, parked %zu, failed %zu", c->published,
           c->edited, c->unchanged, c->parked, c->failed);
    if (p->work.removed > 0) printf(", deleted %zu", p->work.removed);
    if (c->waiting > 0) printf(", waiting %zu", c->waiting);
    (void)putchar('\n');
}

int publish_finish(struct app *app, int status)
{
    struct publish *p = app->publish;
    struct count c;

    if (p == NULL || p->stage < STAGE_WORKING) return status;
    /* The client is closed: what it did last is on disk. */
    if (status != APP_FAILED && publish_db_look(p->db, &p->work, &p->settled) < 0) {
        app_complain(app, "can't read %s: %s", app->options.state, p->work.why);
        return APP_FAILED;
    }
    count_posts(p, &c);
    if (status != APP_FAILED && (p->settled || p->notes.broken > 0)) status = status_of(p);
    if (app->options.json) {
        print_json(p, &c, status);
    } else {
        print_text(p, &c);
    }
    return status;
}

void publish_fini(struct app *app)
{
    struct publish *p = app->publish;

    if (p == NULL) return;
    app->publish = NULL;
    publish_db_close(p->db);
    publish_db_fini(&p->work);
    notes_fini(&p->notes);
    for (size_t i = 0; i < p->chat_count; i++) free(p->chats[i].who);
    free(p->chats);
    free(p->chat_of);
    free(p->work.tracks);
    free(p);
}
