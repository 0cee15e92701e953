/*
 * userbot/outbox_command.c - gapless-userbot outbox: looks into the outbox of a state file and puts
 * rows right, whether a userbot runs on that file or not. Connects to nobody.
 */
#include "client/link_text.h"
#include "userbot/json.h"
#include "userbot/publish.h"
#include "userbot/row_text.h"
#include "userbot/text.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUSY_MS 5000

struct command {
    const struct options *o;
    sqlite3 *db;
    int64_t now_us;
    uint64_t listed;
    bool failed; /* a single row or chat; the others went on */
};

GAP_PRINTF(1, 2) static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("gapless-userbot: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

static int64_t wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const char is_busy[] = "another program writes for long; try again";

static const char *sqlite_says(const struct command *c)
{
    return sqlite3_errcode(c->db) == SQLITE_BUSY ? is_busy : sqlite3_errmsg(c->db);
}

static const char *why(const struct command *c, int r)
{
    if (r == GAP_E_BUSY) return is_busy;
    return r == GAP_E_STORAGE ? sqlite_says(c) : gap_strerror(r);
}

/* ---- when ---- */

static const char *how_long(int64_t us, char out[32])
{
    int64_t s = us / 1000000;

    if (s < 120) {
        (void)snprintf(out, 32, "%" PRId64 " s", s);
    } else if (s < 2 * 3600) {
        (void)snprintf(out, 32, "%" PRId64 " min", s / 60);
    } else if (s < 48 * 3600) {
        (void)snprintf(out, 32, "%" PRId64 " h", s / 3600);
    } else {
        (void)snprintf(out, 32, "%" PRId64 " days", s / 86400);
    }
    return out;
}

/* When it goes out, or since when it is over. @return false: nobody can tell. */
static bool when(struct command *c, const gap_outbox_row_t *row, gap_outbox_eta_t *eta,
                 char out[48])
{
    char time[32];

    memset(eta, 0, sizeof *eta);
    out[0] = '\0';
    if (row->done_us != 0) {
        (void)snprintf(out, 48, "%s ago",
                       how_long(c->now_us > row->done_us ? c->now_us - row->done_us : 0, time));
        return true;
    }
    if (gap_outbox_eta(c->db, row->row, c->now_us, eta) < 0) return false;
    if (eta->at_us == INT64_MAX) {
        (void)snprintf(out, 48, "needs you");
    } else if (eta->at_us <= c->now_us + 999999) {
        (void)snprintf(out, 48, "now");
    } else {
        (void)snprintf(out, 48, "in %s", how_long(eta->at_us - c->now_us, time));
    }
    return true;
}

/* ---- list and show ---- */

static void put_cell(gap_bytes_t text, size_t width)
{
    char cell[4 * 64 + 1];
    size_t chars = text_printable(text, width < 64 ? width : 64, cell, sizeof cell);

    (void)fputs(cell, stdout);
    for (; chars < width + 2; chars++) (void)putchar(' ');
}

static gap_bytes_t reason_of(const gap_outbox_row_t *row, const gap_outbox_eta_t *eta)
{
    return row->reason.len > 0 ? row->reason : gap_str(eta->because);
}

static void put_json(struct command *c, const gap_outbox_row_t *row)
{
    gap_outbox_eta_t eta;
    char text[48];

    row_put_json(stdout, row);
    if (when(c, row, &eta, text) && row->done_us == 0) {
        if (eta.at_us != INT64_MAX) printf(",\"eta_us\":%" PRId64, eta.at_us);
        printf(",\"ahead\":%" PRIu64, eta.ahead);
        if (eta.because[0] != '\0') {
            (void)fputs(",\"because\":", stdout);
            json_put_string(stdout, gap_str(eta.because));
        }
    }
    (void)puts("}");
}

static int list_row(void *arg, const gap_outbox_row_t *row)
{
    struct command *c = arg;
    gap_outbox_eta_t eta;
    char number[24];
    char chat[ROW_CHAT_MAX];
    char time[48];
    char reason[512];

    if (c->listed++ == c->o->rows.limit && c->o->rows.limit != 0) return 1;
    if (c->o->json) {
        put_json(c, row);
        return 0;
    }
    if (c->listed == 1)
        printf("%-8s  %-9s  %-7s  %-22s  %-24s  %5s  %-10s  %s\n", "row", "state", "kind", "chat",
               "post or key", "tries", "when", "why");
    (void)snprintf(number, sizeof number, "%" PRId64, row->row);
    (void)when(c, row, &eta, time);
    put_cell(gap_str(number), 8);
    put_cell(gap_str(row_state(row->state)), 9);
    put_cell(gap_str(row_kind(row->kind)), 7);
    put_cell(gap_str(row_chat(row->chat, chat)), 22);
    put_cell(row->post.len > 0 ? row->post : row->key, 24);
    printf("%5" PRIu32 "  ", row->attempts);
    put_cell(gap_str(time), 10);
    (void)text_printable(reason_of(row, &eta), 120, reason, sizeof reason);
    (void)puts(reason);
    return 0;
}

static int list(struct command *c)
{
    uint32_t states = c->o->rows.states;
    uint64_t limit = c->o->rows.limit;

    if (states == 0) states = ~(1U << GAP_OUTBOX_SENT | 1U << GAP_OUTBOX_CANCELLED);
    int r = gap_outbox_list(c->db, states == UINT32_MAX ? 0 : states, 0,
                            limit == 0 || limit >= SIZE_MAX ? SIZE_MAX : (size_t)limit + 1,
                            list_row, c);
    if (r < 0) {
        complain("can't read %s: %s", c->o->state, why(c, r));
        return r;
    }
    if (r > 0)
        complain("these are the first %" PRIu64 " rows; --limit N shows more", limit);
    else if (c->listed == 0 && !c->o->json)
        (void)puts(c->o->rows.states == 0 ? "nothing waits" : "no such rows");
    return 0;
}

static void put_line(const char *name, gap_bytes_t text)
{
    char line[1024];

    if (text.len == 0) return;
    (void)text_printable(text, 250, line, sizeof line);
    printf("%-12s%s\n", name, line);
}

static void put_number(const char *name, int64_t number)
{
    if (number != 0) printf("%-12s%" PRId64 "\n", name, number);
}

static int show_row(void *arg, const gap_outbox_row_t *row)
{
    struct command *c = arg;
    gap_outbox_eta_t eta;
    char text[ROW_CHAT_MAX];
    char time[48];

    if (c->o->json) {
        put_json(c, row);
        return 0;
    }
    (void)when(c, row, &eta, time);
    put_number("row", row->row);
    put_line("state", gap_str(row_state(row->state)));
    put_line("kind", gap_str(row_kind(row->kind)));
    put_line("chat", gap_str(row_chat(row->chat, text)));
    put_line("post", row->post);
    put_line("key", row->key);
    put_number("message", row->message_id);
    put_number("random_id", row->random_id);
    printf("%-12s%" PRIu32 "\n", "tries", row->attempts);
    put_line(row->done_us != 0 ? "since" : "when", gap_str(time));
    if (row->done_us == 0) printf("%-12s%" PRIu64 " rows of its chat\n", "behind", eta.ahead);
    put_line("why", reason_of(row, &eta));
    put_number("error", row->error);
    return 0;
}

/* ---- words ---- */

/* @return false: it is none, and that was said. */
static bool read_row(const char *word, int64_t *out)
{
    char *end;

    errno = 0;
    long long n = strtoll(word, &end, 10);
    if (errno == 0 && end != word && *end == '\0' && n > 0) {
        *out = n;
        return true;
    }
    complain("a row is a number, as outbox list shows it, not '%s'", word);
    return false;
}

/* "channel:5", as the ledger, --out and the list have it. */
static bool read_kind(const char *word, gap_peer_t *out)
{
    static const struct {
        const char *word;
        gap_peer_kind_t kind;
    } kinds[] = {
        {"user:", GAP_PEER_USER}, {"chat:", GAP_PEER_CHAT}, {"channel:", GAP_PEER_CHANNEL}};
    char *end;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].word);
        if (strncmp(word, kinds[i].word, len) != 0) continue;
        errno = 0;
        long long id = strtoll(word + len, &end, 10);
        *out = (gap_peer_t){.kind = kinds[i].kind, .id = id};
        return errno == 0 && end != word + len && *end == '\0' && id > 0;
    }
    return false;
}

static const char by_name[] = "SELECT kind, id FROM gapless_username WHERE name = lower(?1)";
static const char by_phone[] = "SELECT kind, id FROM gapless_peer WHERE phone = ?1";
static const char own[] =
    "SELECT 1, user_id FROM gapless_meta WHERE user_id IS NOT NULL AND ?1 = ''";

/* What the userbot has seen of the account's world. */
static bool find_stored(struct command *c, const char *sql, const char *text, gap_peer_t *out)
{
    sqlite3_stmt *s = NULL;
    bool found = false;

    if (sqlite3_prepare_v2(c->db, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        out->kind = (gap_peer_kind_t)sqlite3_column_int(s, 0);
        out->id = sqlite3_column_int64(s, 1);
        found = out->kind >= GAP_PEER_USER && out->kind <= GAP_PEER_CHANNEL;
    }
    (void)sqlite3_finalize(s);
    return found;
}

/* @return false: nobody is meant by it, or nobody known; said. */
static bool read_chat(struct command *c, const char *word, gap_peer_t *out)
{
    struct client_who who;
    bool found = false;

    if (read_kind(word, out)) return true;
    if (client_who_parse(word, &who) < 0) {
        complain("'%s' is no chat: write an id like -1001234567890, channel:123 or user:123, or a "
                 "@name",
                 word);
        return false;
    }
    *out = who.peer;
    if (who.kind == CLIENT_WHO_ID) return true;
    if (who.kind == CLIENT_WHO_USERNAME) found = find_stored(c, by_name, who.text, out);
    if (who.kind == CLIENT_WHO_PHONE) found = find_stored(c, by_phone, who.text, out);
    if (who.kind == CLIENT_WHO_SELF) found = find_stored(c, own, "", out);
    if (!found)
        complain("the userbot has not met %s, and nobody is asked here: give the id, for example "
                 "channel:123",
                 word);
    return found;
}

/* ---- changes ---- */

static int begin(struct command *c)
{
    if (sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) return 0;
    complain("can't write to %s: %s", c->o->state, sqlite_says(c));
    return GAP_E_STORAGE;
}

/* @return 0, or @p r if that is a failure: then nothing was changed. */
static int end(struct command *c, int r)
{
    if (r == 0 && sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) return 0;
    if (r == 0) {
        complain("can't write to %s: %s", c->o->state, sqlite_says(c));
        r = GAP_E_STORAGE;
    }
    (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int copy_state(void *arg, const gap_outbox_row_t *row)
{
    *(gap_outbox_state_t *)arg = row->state;
    return 0;
}

/* A row that can't be changed. @return 0: said, the others go on. */
static int refused(struct command *c, int64_t row, int r)
{
    gap_outbox_state_t state = GAP_OUTBOX_READY;

    c->failed = true;
    if (r == GAP_E_NOT_FOUND) {
        complain("there is no row %" PRId64, row);
        return 0;
    }
    if (r == GAP_E_STATE && gap_outbox_get(c->db, row, copy_state, &state) == 0) {
        complain("row %" PRId64 " is %s: that can't be done with it", row, row_state(state));
        return 0;
    }
    complain("row %" PRId64 ": %s", row, why(c, r));
    return r;
}

/* That it was tried again alone does not help: its chat is parked, or the account. */
static void tell_stuck(struct command *c, int64_t row)
{
    gap_outbox_eta_t eta;

    if (gap_outbox_eta(c->db, row, c->now_us, &eta) < 0 || eta.at_us != INT64_MAX) return;
    printf("row %" PRId64 " needs you: %s\n", row, eta.because);
}

static int change_row(struct command *c, int64_t row)
{
    bool retries = c->o->rows.verb == OUTBOX_RETRY;
    int64_t moved = row;

    int r = retries ? gap_outbox_retry(c->db, row, &moved) : gap_outbox_cancel(c->db, row);
    if (r < 0) return refused(c, row, r);
    if (c->o->json) {
        printf("{\"event\":\"%s\",\"row\":%" PRId64, retries ? "retried" : "cancelled", row);
        if (retries) printf(",\"moved\":%" PRId64, moved);
        (void)puts("}");
    } else if (moved != row) {
        printf("row %" PRId64 " waits again, as row %" PRId64 "\n", row, moved);
    } else {
        printf("row %" PRId64 " %s\n", row,
               retries ? "waits no longer than it has to" : "is cancelled");
    }
    if (retries && !c->o->json) tell_stuck(c, moved);
    return 0;
}

static int change(struct command *c)
{
    int64_t row;
    int r = begin(c);

    if (r < 0) return r;
    for (int i = 0; i < c->o->rows.count && r == 0; i++)
        if (read_row(c->o->rows.words[i], &row))
            r = change_row(c, row);
        else
            c->failed = true;
    return end(c, r);
}

static int release(struct command *c)
{
    const char *word = c->o->rows.count > 0 ? c->o->rows.words[0] : NULL;
    gap_peer_t chat = {.kind = GAP_PEER_NONE};
    char text[ROW_CHAT_MAX];

    if (word != NULL && !read_chat(c, word, &chat)) return GAP_E_ARGUMENT;
    int r = begin(c);
    if (r < 0) return r;
    r = gap_outbox_release(c->db, chat);
    const char *what = word != NULL ? row_chat(chat, text) : "the account";
    if (r == GAP_E_NOT_FOUND)
        complain("%s is not parked: there is nothing to release", what);
    else if (r < 0)
        complain("%s can't be released: %s", what, why(c, r));
    r = end(c, r);
    if (r < 0) return r;
    if (c->o->json)
        printf("{\"event\":\"released\",\"chat\":\"%s\"}\n", word != NULL ? what : "account");
    else
        printf("%s is released: what waits there goes out\n", what);
    return 0;
}

static int add(struct command *c)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND};
    int64_t row = 0;

    if (!read_chat(c, c->o->rows.words[0], &item.chat)) return GAP_E_ARGUMENT;
    item.content.text = gap_str(c->o->rows.words[1]);
    int r = begin(c);
    if (r < 0) return r;
    r = gap_outbox_enqueue(c->db, &item, &row);
    if (r == GAP_E_ARGUMENT)
        complain("this is no message: its text is empty or no UTF-8, or no chat has this id");
    else if (r == GAP_E_LIMIT)
        complain("this text is too long: a message holds 4096 characters");
    else if (r < 0)
        complain("can't be added: %s", why(c, r));
    r = end(c, r);
    if (r < 0) return r;
    if (c->o->json)
        printf("{\"event\":\"added\",\"row\":%" PRId64 "}\n", row);
    else
        printf("row %" PRId64 " waits; a userbot with --outbox on this file sends it\n", row);
    return 0;
}

/* ---- the whole ---- */

static int show(struct command *c)
{
    int64_t row;

    if (!read_row(c->o->rows.words[0], &row)) return GAP_E_ARGUMENT;
    int r = gap_outbox_get(c->db, row, show_row, c);
    if (r == GAP_E_NOT_FOUND)
        complain("there is no row %" PRId64 " in %s", row, c->o->state);
    else if (r < 0)
        complain("can't read %s: %s", c->o->state, why(c, r));
    return r;
}

static int run(struct command *c)
{
    switch (c->o->rows.verb) {
    case OUTBOX_SHOW:
        return show(c);
    case OUTBOX_RETRY:
    case OUTBOX_CANCEL:
        return change(c);
    case OUTBOX_RELEASE:
        return release(c);
    case OUTBOX_ADD:
        return add(c);
    default:
        return list(c);
    }
}

int outbox_command(const struct options *o)
{
    struct command c = {.o = o, .now_us = wall_us()};

    if (access(o->state, F_OK) != 0) {
        complain("there is no %s: 'gapless-userbot login' makes one", o->state);
        return APP_FAILED;
    }
    int code = sqlite3_open_v2(o->state, &c.db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(c.db, BUSY_MS);
    if (code != SQLITE_OK) {
        complain("can't open %s: %s", o->state,
                 c.db != NULL ? sqlite3_errmsg(c.db) : sqlite3_errstr(code));
        (void)sqlite3_close(c.db);
        return APP_FAILED;
    }
    int r = run(&c);
    (void)sqlite3_close(c.db);
    return r < 0 || c.failed || fflush(stdout) != 0 ? APP_FAILED : APP_DONE;
}
