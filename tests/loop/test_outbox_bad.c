/*
 * tests/loop/test_outbox_bad.c - rows that nobody should have written, against a client that runs:
 * each is parked with a reason that says what to do, and whatever else waits goes out. Bytes and
 * tables are spoilt by hand, through a connection of the test's own.
 */
#include "tests/loop/account.h"

#include "base/prng.h"
#include "tests/loop/dc_thread.h"

#include <gapless/outbox.h>
#include <sqlite3.h>

#define SOON_MS    10000
#define SEEDS      4
#define MUTATIONS  100 /* for each */
#define BATCH      8
#define GROUPS     5
#define VALUE_MAX  512
#define COLUMNS    64
#define NAME_BYTES 48

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    struct account_folder folder;
    char session[96];
    char state[96];
    struct account a;
    sqlite3 *db;
    unsigned told; /* rows that on_row was told of */
};

static const gap_peer_t first_group = {.kind = GAP_PEER_CHAT, .id = DC_CHAT_ID_FIRST};
static const gap_peer_t second_group = {.kind = GAP_PEER_CHAT, .id = DC_CHAT_ID_FIRST + 1};

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    struct bench *b = data;

    (void)client;
    ck_assert_uint_le(row->reason.len, 1000);
    b->told++;
}

/* ---- the database ---- */

static void sql(struct bench *b, const char *text)
{
    ck_assert_msg(sqlite3_exec(b->db, text, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", text,
                  sqlite3_errmsg(b->db));
}

/* Change a row by hand. */
static void spoil(struct bench *b, const char *set, int64_t row)
{
    char line[512];

    (void)snprintf(line, sizeof line, "UPDATE gapless_outbox SET %s WHERE row = %lld", set,
                   (long long)row);
    sql(b, line);
}

static int64_t enqueue(struct bench *b, gap_peer_t chat, const char *text)
{
    gap_outbox_item_t item;
    int64_t row = 0;

    memset(&item, 0, sizeof item);
    item.kind = GAP_OUTBOX_SEND;
    item.chat = chat;
    item.content.text = gap_str(text);
    int r = gap_outbox_enqueue(b->db, &item, &row);
    ck_assert_msg(r == 0, "%s: %s", gap_strerror(r), sqlite3_errmsg(b->db));
    return row;
}

/* What a row is. */
struct seen {
    gap_outbox_state_t state;
    char reason[256];
};

static int keep(void *arg, const gap_outbox_row_t *row)
{
    struct seen *seen = arg;

    seen->state = row->state;
    (void)snprintf(seen->reason, sizeof seen->reason, "%.*s", (int)row->reason.len,
                   row->reason.len == 0 ? "" : (const char *)row->reason.data);
    return 0;
}

static struct seen look_at(struct bench *b, int64_t row)
{
    struct seen seen = {GAP_OUTBOX_READY, ""};

    if (gap_outbox_get(b->db, row, keep, &seen) != 0) seen.state = (gap_outbox_state_t)0;
    return seen;
}

static bool becomes(struct bench *b, int64_t row, gap_outbox_state_t state)
{
    for (unsigned ms = 0; ms < SOON_MS; ms += 20) {
        if (look_at(b, row).state == state) return true;
        account_run(&b->loop, 20);
    }
    return false;
}

/* Fails the test unless the row gets there, with these words in its reason. */
static void expect(struct bench *b, int64_t row, gap_outbox_state_t state, const char *words)
{
    bool is_there = becomes(b, row, state);
    struct seen seen = look_at(b, row);

    ck_assert_msg(is_there, "row %lld is in state %d: '%s'", (long long)row, seen.state,
                  seen.reason);
    ck_assert_msg(account_says(seen.reason, words), "'%s' does not say '%s'", seen.reason, words);
}

/* Another chat is sent to as ever. */
static void expect_others_go(struct bench *b)
{
    sql(b, "BEGIN IMMEDIATE");
    int64_t row = enqueue(b, second_group, "to somebody else");
    sql(b, "COMMIT");
    expect(b, row, GAP_OUTBOX_SENT, "");
}

/* ---- the client ---- */

static void start(struct bench *b)
{
    const gap_sqlite_config_t sqlite = {.path = b->state};
    const gap_outbox_config_t outbox = {.account = {1000, 1000, 100},
                                        .user = {100, 1000, 50},
                                        .group = {100, 1000, 50},
                                        .poll_us = 10000,
                                        .debounce_us = 10000,
                                        .retry_min_us = 10000,
                                        .retry_max_us = 100000,
                                        .on_row = on_row,
                                        .data = b};
    gap_client_config_t c = {
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = b->session,
        .outbox = &outbox,
    };

    ck_assert_int_eq(gap_storage_sqlite(NULL, &sqlite, &c.storage), 0);
    account_init(&b->a, &b->loop);
    account_open(&b->a, &c);
    account_start(&b->a);
}

static void begin_with(struct bench *b, const char *refusal)
{
    const char *expected;

    memset(b, 0, sizeof *b);
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    (void)snprintf(b->state, sizeof b->state, "%s/state.db", b->folder.path);
    ck_assert_int_eq(sqlite3_open(b->state, &b->db), SQLITE_OK);
    (void)sqlite3_busy_timeout(b->db, 5000);
    sql(b, "PRAGMA journal_mode = WAL");
    dc_thread_init(&b->dc);
    b->dc.options.traffic.events = 0;
    if (refusal != NULL) {
        ck_assert_int_eq(
            gap_dc_refusal_parse(gap_str(refusal), &b->dc.options.refusals[0], &expected), 0);
        b->dc.options.refusal_count = 1;
    }
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    start(b);
    account_await(&b->a, GAP_CLIENT_CAUGHT_UP);
}

static void begin(struct bench *b)
{
    begin_with(b, NULL);
}

static void end(struct bench *b)
{
    ck_assert_uint_eq(b->a.seen[GAP_CLIENT_FATAL], 0);
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    ck_assert_int_eq(sqlite3_close(b->db), SQLITE_OK);
    dc_thread_stop(&b->dc);
    account_folder_remove(&b->folder);
}

/* A row that is spoilt before anybody sees it, and one behind it in its chat: the first is parked,
 * for a reason that says this, the second is sent. */
static void park(const char *set, const char *words)
{
    struct bench b;

    begin(&b);
    sql(&b, "BEGIN IMMEDIATE");
    int64_t bad = enqueue(&b, first_group, "bad");
    spoil(&b, set, bad);
    int64_t good = enqueue(&b, first_group, "good");
    sql(&b, "COMMIT");
    expect(&b, good, GAP_OUTBOX_SENT, "");
    expect(&b, bad, GAP_OUTBOX_PARKED, words);
    expect_others_go(&b);
    end(&b);
}

/* ---- cases ---- */

START_TEST(an_unknown_chat)
{
    static const gap_peer_t nobody = {.kind = GAP_PEER_CHANNEL, .id = 4299999999};
    struct bench b;

    begin(&b);
    sql(&b, "BEGIN IMMEDIATE");
    int64_t bad = enqueue(&b, nobody, "to nobody");
    int64_t behind = enqueue(&b, nobody, "behind it");
    sql(&b, "COMMIT");
    expect(&b, bad, GAP_OUTBOX_PARKED, "");
    ck_assert_uint_gt(strlen(look_at(&b, bad).reason), 10);
    account_run(&b.loop, 200);
    ck_assert_int_ne(look_at(&b, behind).state, GAP_OUTBOX_SENT);
    expect_others_go(&b);
    end(&b);
}
END_TEST

START_TEST(a_text_that_is_too_long)
{
    struct bench b;
    sqlite3_stmt *s = NULL;
    /* version 1, kind 1, its text is set, 5000 bytes long: as if there had been room once */
    uint8_t payload[5 + 5000] = {1, 1, 1, 0x88, 0x27};

    memset(payload + 5, 'a', 5000);
    begin(&b);
    sql(&b, "BEGIN IMMEDIATE");
    int64_t bad = enqueue(&b, first_group, "bad");
    ck_assert_int_eq(sqlite3_prepare_v2(b.db,
                                        "UPDATE gapless_outbox SET payload = ?1 WHERE row = ?2", -1,
                                        &s, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_blob(s, 1, payload, sizeof payload, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 2, bad);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
    int64_t good = enqueue(&b, first_group, "good");
    sql(&b, "COMMIT");
    expect(&b, good, GAP_OUTBOX_SENT, "");
    expect(&b, bad, GAP_OUTBOX_PARKED, "");
    ck_assert_uint_gt(strlen(look_at(&b, bad).reason), 10);
    expect_others_go(&b);
    end(&b);
}
END_TEST

/* The server's rules may be stricter than ours: here it takes no edit. */
START_TEST(a_text_that_the_server_finds_too_long)
{
    struct bench b;
    gap_outbox_item_t edit;
    int64_t bad;

    begin_with(&b, "messages.editMessage:1:400:MESSAGE_TOO_LONG");
    sql(&b, "BEGIN IMMEDIATE");
    int64_t first = enqueue(&b, first_group, "first");
    sql(&b, "COMMIT");
    expect(&b, first, GAP_OUTBOX_SENT, "");
    memset(&edit, 0, sizeof edit);
    edit.kind = GAP_OUTBOX_EDIT;
    edit.chat = first_group;
    edit.message_row = first;
    edit.content.text = gap_str("changed");
    sql(&b, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_enqueue(b.db, &edit, &bad), 0);
    int64_t good = enqueue(&b, first_group, "good");
    sql(&b, "COMMIT");
    expect(&b, good, GAP_OUTBOX_SENT, "");
    expect(&b, bad, GAP_OUTBOX_PARKED, "MESSAGE_TOO_LONG");
    expect_others_go(&b);
    end(&b);
}
END_TEST

START_TEST(a_row_of_an_unknown_kind)
{
    park("kind = 99", "kind");
}
END_TEST

START_TEST(a_row_of_a_newer_version)
{
    park("version = 2", "newer");
}
END_TEST

START_TEST(a_payload_of_a_newer_version)
{
    park("payload = CAST(x'02' || substr(payload, 2) AS BLOB)", "newer");
}
END_TEST

static const struct {
    const char *set;
    const char *why;
} spoilt[] = {
    {"payload = NULL", "no payload"},
    {"payload = x''", "an empty one"},
    {"payload = 7", "a number for a payload"},
    {"payload = x'010101ff'", "one that is cut off"},
    {"payload = zeroblob(100000)", "one of zeros"},
    {"kind = 'send'", "text for a kind"},
    {"kind = 3", "another kind than the payload's"},
    {"class = 'soon'", "text for a class"},
    {"class = 4711", "no class"},
    {"random_id = 'one'", "text for a random_id"},
    {"random_id = 0", "no random_id"},
    {"attempts = 'many'", "text for attempts"},
    {"attempts = -5", "fewer than none"},
    {"not_before = 'now'", "text for a time"},
    {"deadline = 'later'", "text for a deadline"},
    {"epoch = x'00'", "bytes for an epoch"},
    {"version = 'one'", "text for a version"},
    {"version = -1", "a version before the first"},
    {"target = 'x'", "text for a message"},
    {"target_row = 'x'", "text for a row"},
    {"target_row = 999999", "the answer to a row that is not there"},
    {"flags = 'x'", "text for flags"},
    {"flags = -1", "all flags"},
    {"state = 2, not_before = -9223372036854775807", "snoozed before there was time"},
    {"state = 3, epoch = 999999", "leased by the future"},
    {"state = 4, attempts = 3", "sent by nobody, outcome unknown"},
    {"state = 2.5", "between two states"},
    {"state = 99", "no state"},
    {"chat = 'somebody'", "text for a chat"},
    {"chat = 9223372036854775807", "a chat that can't be"},
    {"chat = 0", "no chat"},
    {"post = 77", "of a post that is not there"},
    {"kind = 10, post = 77", "a post's, which is not there"},
    {"kind = 10, post = 'x'", "a post's, with text for a number"},
    {"hash = 'x'", "a hash of the wrong size"},
    {"error = 'x'", "text for an error"},
    {"message_id = 'x'", "text for a message's id"},
};

/* Whatever becomes of the row: it stops neither its chat nor another, and the client lives. */
START_TEST(a_row_edited_by_hand)
{
    struct bench b;

    begin(&b);
    for (size_t i = 0; i < GAP_ARRAY_LEN(spoilt); i++) {
        sql(&b, "BEGIN IMMEDIATE");
        int64_t bad = enqueue(&b, first_group, "bad");
        spoil(&b, spoilt[i].set, bad);
        int64_t good = enqueue(&b, first_group, "good");
        sql(&b, "COMMIT");
        ck_assert_msg(becomes(&b, good, GAP_OUTBOX_SENT), "%s: what is behind it waits: %d '%s'",
                      spoilt[i].why, look_at(&b, bad).state, look_at(&b, bad).reason);
        struct seen seen = look_at(&b, bad);
        ck_assert_msg(seen.state != GAP_OUTBOX_PARKED || strlen(seen.reason) > 10,
                      "%s: parked for '%s'", spoilt[i].why, seen.reason);
        expect_others_go(&b);
    }
    end(&b);
}
END_TEST

/* Nothing of it is touched; a client that is opened meanwhile says so, and can't go on; later all
 * goes on. */
START_TEST(tables_of_a_newer_version)
{
    struct bench b;
    int64_t row;
    gap_outbox_item_t item;

    begin(&b);
    expect_others_go(&b);
    sql(&b, "UPDATE gapless_outbox_meta SET version = 2");
    memset(&item, 0, sizeof item);
    item.kind = GAP_OUTBOX_SEND;
    item.chat = first_group;
    item.content.text = gap_str("too new");
    sql(&b, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_enqueue(b.db, &item, &row), GAP_E_NEWER);
    sql(&b, "ROLLBACK");
    account_run(&b.loop, 300);
    account_close(&b.a);
    start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    ck_assert_msg(account_says(b.a.text[GAP_CLIENT_FATAL], "outbox newer"), "'%s'",
                  b.a.text[GAP_CLIENT_FATAL]);
    account_close(&b.a);
    sql(&b, "UPDATE gapless_outbox_meta SET version = 1");
    start(&b);
    expect_others_go(&b);
    end(&b);
}
END_TEST

/* Of a client's own tables one is gone, and comes back. */
START_TEST(tables_that_are_gone)
{
    struct bench b;

    begin(&b);
    expect_others_go(&b);
    sql(&b, "ALTER TABLE gapless_outbox RENAME TO elsewhere");
    account_run(&b.loop, 500);
    sql(&b, "ALTER TABLE elsewhere RENAME TO gapless_outbox");
    expect_others_go(&b);
    end(&b);
}
END_TEST

/* ---- mutations ---- */

struct column {
    char table[NAME_BYTES];
    char name[NAME_BYTES];
};

static unsigned list_columns(struct bench *b, struct column out[COLUMNS])
{
    sqlite3_stmt *s = NULL;
    unsigned n = 0;

    ck_assert_int_eq(
        sqlite3_prepare_v2(b->db,
                           "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
                           " WHERE m.type = 'table' AND m.name LIKE 'gapless_outbox%'",
                           -1, &s, NULL),
        SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW && n < COLUMNS) {
        (void)snprintf(out[n].table, NAME_BYTES, "%s", (const char *)sqlite3_column_text(s, 0));
        (void)snprintf(out[n++].name, NAME_BYTES, "%s", (const char *)sqlite3_column_text(s, 1));
    }
    (void)sqlite3_finalize(s);
    ck_assert_uint_gt(n, 30);
    return n;
}

static void bind_random(gap_prng_t *p, sqlite3_stmt *s, uint8_t value[VALUE_MAX])
{
    static const int64_t numbers[] = {0, 1, -1, 2, 7, 99, 1000000, INT32_MAX, INT64_MAX, INT64_MIN};
    size_t len = (size_t)gap_prng_below(p, VALUE_MAX);

    for (size_t i = 0; i < len; i++) value[i] = (uint8_t)gap_prng_next(p);
    switch (gap_prng_below(p, 6)) {
    case 0:
        (void)sqlite3_bind_null(s, 1);
        break;
    case 1:
    case 2:
        (void)sqlite3_bind_int64(s, 1, numbers[gap_prng_below(p, GAP_ARRAY_LEN(numbers))]);
        break;
    case 3:
        (void)sqlite3_bind_double(s, 1, gap_prng_unit(p) * 1e30);
        break;
    case 4:
        for (size_t i = 0; i < len; i++) value[i] = (uint8_t)('0' + value[i] % 75);
        (void)sqlite3_bind_text(s, 1, (const char *)value, (int)len, SQLITE_STATIC);
        break;
    default:
        (void)sqlite3_bind_blob(s, 1, value, (int)len, SQLITE_STATIC);
    }
}

static int64_t count_rows(struct bench *b, const char *table)
{
    sqlite3_stmt *s = NULL;
    char line[128];

    (void)snprintf(line, sizeof line, "SELECT count(*) FROM %s", table);
    ck_assert_int_eq(sqlite3_prepare_v2(b->db, line, -1, &s, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return n;
}

/* @return how many rows it has changed. */
static unsigned mutate(struct bench *b, gap_prng_t *p, const struct column *c)
{
    int64_t rows = count_rows(b, c->table);
    uint8_t value[VALUE_MAX];
    char line[512];
    sqlite3_stmt *s = NULL;

    if (rows == 0) return 0;
    /* The newest ones are those that wait. */
    uint64_t reach = rows < 12 ? (uint64_t)rows : 12;
    (void)snprintf(line, sizeof line,
                   "UPDATE %s SET %s = ?1 WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %lld)",
                   c->table, c->name, c->name, c->name, c->table,
                   (long long)(rows - 1 - (int64_t)gap_prng_below(p, reach)));
    ck_assert_msg(sqlite3_prepare_v2(b->db, line, -1, &s, NULL) == SQLITE_OK, "%s: %s", line,
                  sqlite3_errmsg(b->db));
    bind_random(p, s, value);
    bool is_done = sqlite3_step(s) == SQLITE_DONE; /* or a constraint is in the way */
    (void)sqlite3_finalize(s);
    return is_done && sqlite3_changes(b->db) > 0 ? 1 : 0;
}

/* Something to be spoilt: rows of several kinds, now and later, and posts that link. */
static void fill(struct bench *b, unsigned round)
{
    gap_outbox_entity_t link = {GAP_POST_LINK, 0, 4, gap_str("post-a"), 0};
    gap_outbox_content_t content = {.text = gap_str("here"), .entities = &link, .entity_count = 1};
    gap_post_t post = {.content = &content};
    char text[64];

    sql(b, "BEGIN IMMEDIATE");
    for (unsigned i = 0; i < GROUPS; i++) {
        gap_peer_t chat = {.kind = i % 2 == 0 ? GAP_PEER_CHAT : GAP_PEER_USER,
                           .id = (i % 2 == 0 ? DC_CHAT_ID_FIRST : DC_USER_ID_FIRST) + i};
        (void)snprintf(text, sizeof text, "post-%c", 'a' + (int)i);
        post.key = gap_str(text);
        post.chat = chat;
        content.silent = round % 2 == 0;
        content.no_preview = round % 2 == 1;
        /* What these find may be spoilt, the post's chat for one. */
        int put = gap_post_upsert(b->db, &post, NULL);
        gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND, .chat = chat};
        item.content.text = gap_str("x");
        item.not_before_us = i % 2 == 0 ? INT64_MAX / 2 : 0;
        int sent = gap_outbox_enqueue(b->db, &item, NULL);
        ck_assert_msg(put <= GAP_POST_UNCHANGED && sent <= 0 && sent != GAP_E_ARGUMENT, "%d %d",
                      put, sent);
    }
    /* SQLite itself rolls back where there is no number for another row. */
    if (sqlite3_get_autocommit(b->db) == 0) sql(b, "COMMIT");
}

/* What stops an outbox by right, or leaves no number for another row, is taken back. */
static void restore(struct bench *b)
{
    sql(b, "BEGIN IMMEDIATE");
    sql(b, "DELETE FROM gapless_outbox_gate");
    sql(b, "DELETE FROM gapless_outbox_chat");
    sql(b, "DELETE FROM gapless_outbox WHERE row > 1000000000 OR row < 0");
    sql(b, "UPDATE sqlite_sequence SET seq = (SELECT ifnull(max(row), 0) + 1000 FROM "
           "gapless_outbox) WHERE name = 'gapless_outbox'");
    sql(b, "DELETE FROM gapless_outbox_meta");
    sql(b, "INSERT INTO gapless_outbox_meta(one, application, version) VALUES(1, 'gapless', 1)");
    sql(b, "COMMIT");
}

/* Whose tables these are may not be readable any more: then it says so, and ends. */
static void await_start(struct bench *b)
{
    for (unsigned ms = 0; ms < SOON_MS && b->a.seen[GAP_CLIENT_CAUGHT_UP] == 0; ms += 10) {
        if (b->a.seen[GAP_CLIENT_FATAL] > 0) {
            ck_assert_msg(account_says(b->a.text[GAP_CLIENT_FATAL], "outbox gapless_outbox"),
                          "'%s'", b->a.text[GAP_CLIENT_FATAL]);
            return;
        }
        account_run(&b->loop, 10);
    }
    ck_assert_uint_gt(b->a.seen[GAP_CLIENT_CAUGHT_UP], 0);
}

static void restart(struct bench *b)
{
    account_close(&b->a);
    start(b);
    account_await(&b->a, GAP_CLIENT_STARTED);
}

START_TEST(tables_edited_at_random)
{
    struct column columns[COLUMNS];
    struct bench b;
    gap_prng_t p = {(uint64_t)_i};
    unsigned changed = 0;

    begin(&b);
    expect_others_go(&b);
    fill(&b, 0);
    unsigned count = list_columns(&b, columns);
    for (unsigned round = 1; changed < MUTATIONS && round < 4 * MUTATIONS / BATCH; round++) {
        bool is_closed = round % 5 == 0;
        fill(&b, round);
        if (is_closed) account_close(&b.a);
        for (unsigned i = 0; i < BATCH; i++)
            changed += mutate(&b, &p, &columns[gap_prng_below(&p, count)]);
        if (is_closed) start(&b);
        account_run(&b.loop, 60);
        if (is_closed) await_start(&b);
        restore(&b);
        if (is_closed || round % 7 == 0) restart(&b);
        expect_others_go(&b);
    }
    ck_assert_uint_ge(changed, MUTATIONS);
    end(&b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_bad");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 180);
    tcase_add_test(t, an_unknown_chat);
    tcase_add_test(t, a_text_that_is_too_long);
    tcase_add_test(t, a_text_that_the_server_finds_too_long);
    tcase_add_test(t, a_row_of_an_unknown_kind);
    tcase_add_test(t, a_row_of_a_newer_version);
    tcase_add_test(t, a_payload_of_a_newer_version);
    tcase_add_test(t, a_row_edited_by_hand);
    tcase_add_test(t, tables_of_a_newer_version);
    tcase_add_test(t, tables_that_are_gone);
    tcase_add_loop_test(t, tables_edited_at_random, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
