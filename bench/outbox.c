/*
 * bench/outbox.c - rows enqueued per second, on a connection of the user's, WAL, synchronous FULL:
 * in transactions of 100 and of one. Beside it, turn by turn in the same run, two tables of the
 * bench's own in a file of their own: one that could serve as an outbox (the columns and the index
 * that sending in order needs), and one of nothing but number, chat and bytes. And rows claimed per
 * second by a client's storage, with a million rows waiting and with a thousand.
 */
#include "bench/outbox_schedule.h"
#include "bench/store_journal.h"
#include "outbox/sql.h"

#include <sqlite3.h>
#include <string.h>
#include <time.h>

#define CHATS   1000
#define TURNS   45
#define BATCH   64  /* calls in flight at most */
#define BATCHES 600 /* commits that are timed */
#define TURN    20  /* of them one after another, before it is the other table's turn */
#define TEXT    291 /* a payload of 300 bytes */

static uint64_t wall_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void must(int rc, const char *what)
{
    bench_must(rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : GAP_E_STORAGE, what);
}

/* --- a connection ----------------------------------------------------------------------------- */

struct user {
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *insert; /* the bench's own table */
    uint64_t written;
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL), sql);
    return stmt;
}

static void user_open(struct user *u, const char *folder, const char *name)
{
    char path[96];

    memset(u, 0, sizeof *u);
    (void)snprintf(path, sizeof path, "%s/%s.db", folder, name);
    must(sqlite3_open(path, &u->db), "a database");
    must(sqlite3_exec(u->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL,
                      NULL),
         "its settings");
    u->begin = prepare(u->db, "BEGIN IMMEDIATE");
    u->commit = prepare(u->db, "COMMIT");
}

static void user_close(struct user *u)
{
    (void)sqlite3_finalize(u->begin);
    (void)sqlite3_finalize(u->commit);
    (void)sqlite3_finalize(u->insert);
    must(sqlite3_close(u->db), "closing a database");
}

static void run(sqlite3_stmt *stmt)
{
    must(sqlite3_step(stmt), "a statement");
    must(sqlite3_reset(stmt), "a statement");
}

/* --- rows ------------------------------------------------------------------------------------- */

static char text[TEXT + 1];

static gap_outbox_item_t item_of(uint64_t number)
{
    return (gap_outbox_item_t){.kind = GAP_OUTBOX_SEND,
                               .chat = {(int64_t)(number % CHATS) + 1, GAP_PEER_USER},
                               .content = {.text = {(const uint8_t *)text, TEXT}}};
}

static void outbox_rows(struct user *u, size_t count)
{
    gap_outbox_item_t items[100];

    for (size_t i = 0; i < count; i++) items[i] = item_of(u->written + i);
    if (count == 1)
        bench_must(gap_outbox_enqueue(u->db, items, NULL), "a row");
    else
        bench_must(gap_outbox_enqueue_all(u->db, items, count, NULL), "rows");
    u->written += count;
}

/* One transaction of the outbox. */
static void outbox_group(struct user *u, size_t count)
{
    run(u->begin);
    outbox_rows(u, count);
    run(u->commit);
}

static void bind(sqlite3_stmt *stmt, int at, int64_t number)
{
    must(sqlite3_bind_int64(stmt, at, number), "a parameter");
}

/* The same of a table of the bench's own. */
static void bare_group(struct user *u, size_t count)
{
    uint8_t bytes[300];

    run(u->begin);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = u->written + i;
        memcpy(bytes, text, TEXT);
        memset(bytes + TEXT, (int)number, sizeof bytes - TEXT);
        bind(u->insert, 1, (int64_t)(number % CHATS) + 1);
        must(sqlite3_bind_blob(u->insert, 2, bytes, sizeof bytes, SQLITE_STATIC), "a parameter");
        if (sqlite3_bind_parameter_count(u->insert) > 2) {
            bind(u->insert, 3, (int64_t)(number * 0x9e3779b97f4a7c15U));
            for (int column = 4; column <= 7; column++) bind(u->insert, column, column % 3);
        }
        run(u->insert);
    }
    run(u->commit);
    u->written += count;
}

static uint64_t groups_ns(struct user *u, void (*group)(struct user *u, size_t count),
                          uint64_t groups, size_t count)
{
    uint64_t before = wall_ns();

    for (uint64_t i = 0; i < groups; i++) group(u, count);
    return wall_ns() - before;
}

struct enqueuing {
    char folder[64];
    struct user outbox;
    struct user equal;
    struct user least;
};

static void set_up(struct enqueuing *e)
{
    gap_storage_t *storage = bench_storage(e->folder);

    storage->ops->destroy(storage); /* only its folder is wanted */
    user_open(&e->outbox, e->folder, "outbox");
    user_open(&e->equal, e->folder, "equal");
    user_open(&e->least, e->folder, "least");
    must(sqlite3_exec(e->equal.db,
                      "CREATE TABLE mine(number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER,"
                      " class INTEGER, state INTEGER, chat INTEGER NOT NULL, random_id INTEGER,"
                      " not_before INTEGER, bytes BLOB);"
                      "CREATE INDEX mine_chat ON mine(chat) WHERE state = 1",
                      NULL, NULL, NULL),
         "a table");
    must(sqlite3_exec(e->least.db,
                      "CREATE TABLE mine(number INTEGER PRIMARY KEY, chat INTEGER, bytes BLOB)",
                      NULL, NULL, NULL),
         "a table");
    e->equal.insert = prepare(e->equal.db, "INSERT INTO mine(chat, bytes, random_id, kind, class,"
                                           " state, not_before)"
                                           " VALUES(?1, ?2, ?3, ?4, ?5, 1, ?6 + ?7)");
    e->least.insert = prepare(e->least.db, "INSERT INTO mine(chat, bytes) VALUES(?1, ?2)");
}

static void tear_down(struct enqueuing *e)
{
    user_close(&e->outbox);
    user_close(&e->equal);
    user_close(&e->least);
    bench_storage_remove(e->folder);
}

static void enqueue(struct bench *b, const char *name, size_t count, uint64_t groups)
{
    struct enqueuing e;
    double rates[TURNS];
    double equal[TURNS];
    double least[TURNS];
    size_t turns = b->quick ? 1 : TURNS;

    if (b->quick) groups = 10;
    set_up(&e);
    (void)groups_ns(&e.outbox, outbox_group, groups, count); /* warm */
    (void)groups_ns(&e.equal, bare_group, groups, count);
    (void)groups_ns(&e.least, bare_group, groups, count);
    for (size_t i = 0; i < turns; i++) {
        double ns = (double)groups_ns(&e.outbox, outbox_group, groups, count);
        equal[i] = (double)groups_ns(&e.equal, bare_group, groups, count) / ns;
        least[i] = (double)groups_ns(&e.least, bare_group, groups, count) / ns;
        rates[i] = (double)(groups * count) * 1e9 / ns;
    }
    bench_hash(b, e.outbox.written);
    tear_down(&e);
    double rate = bench_median(rates, turns);
    bench_report(b, &(struct bench_row){"outbox", name, "rows_per_s", rate, "1/s",
                                        "bare SQLite, a table that could do the same",
                                        bench_median(equal, turns)});
    bench_report(b, &(struct bench_row){"outbox", name, "against_least", rate, "1/s",
                                        "bare SQLite, number, chat and bytes",
                                        bench_median(least, turns)});
}

/* --- claims ----------------------------------------------------------------------------------- */

struct claiming {
    char folder[64];
    struct user user;
    gap_storage_t *storage;
    struct gap_claim claims[BATCH];
    struct gap_claims c;
    struct gap_finish finishes[BATCH];
    int64_t heads[CHATS]; /* the oldest row of each chat, as a client knows it; 0: not yet */
    uint64_t next;        /* chat */
    uint64_t claimed;
};

static int do_open(void *arg, sqlite3 *db)
{
    struct gap_outdb_opening o = {.epoch = 1, .now_us = 1, .full_before_us = INT64_MIN};

    (void)arg;
    return gap_outdb_open(db, &o);
}

static int do_claim(void *arg, sqlite3 *db)
{
    return gap_outdb_claim(db, arg);
}

static int do_finish(void *arg, sqlite3 *db)
{
    return gap_outdb_finish(db, arg);
}

/* One commit of the storage, which is what the writer thread makes of a gap_store_call. */
static void commit(gap_storage_t *storage, int (*call)(void *arg, sqlite3 *db), void *arg)
{
    gap_storage_fault_t fault = {0};
    int result = 0;
    gap_record_t r = {.kind = GAP_RECORD_CALL};

    r.u.call = (gap_call_record_t){.call = call, .arg = arg, .result = &result};
    bench_must(storage->ops->commit(storage, &r, 1, &fault), fault.text);
    bench_must(result, "a call");
}

static void fill(struct user *u, uint64_t rows)
{
    must(sqlite3_exec(u->db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -65536", NULL, NULL,
                      NULL),
         "a setting");
    for (uint64_t i = 0; i < rows; i += 100) {
        if (i % 50000 == 0) run(u->begin);
        outbox_rows(u, 100);
        if ((i + 100) % 50000 == 0 || i + 100 >= rows) run(u->commit);
    }
    must(sqlite3_exec(u->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA synchronous = FULL", NULL,
                      NULL, NULL),
         "a checkpoint");
}

/* A client walks over its chats when it begins. */
static int note_head(void *arg, const struct gap_head *head)
{
    ((struct claiming *)arg)->heads[head->chat - 1] = head->row;
    return 0;
}

static int do_walk(void *arg, sqlite3 *db)
{
    return gap_outdb_chats(db, INT64_MIN, CHATS, note_head, arg);
}

static void claiming_open(struct claiming *k, uint64_t rows)
{
    gap_storage_fault_t fault = {0};
    char path[96];

    memset(k, 0, sizeof *k);
    k->storage = bench_storage(k->folder);
    bench_must(k->storage->ops->open(k->storage, &fault), fault.text);
    commit(k->storage, do_open, NULL);
    (void)snprintf(path, sizeof path, "%s/state.db", k->folder);
    user_open(&k->user, k->folder, "state");
    fill(&k->user, rows);
    commit(k->storage, do_walk, k);
}

static void claiming_close(struct claiming *k)
{
    gap_claims_fini(&k->c);
    user_close(&k->user);
    k->storage->ops->close(k->storage);
    k->storage->ops->destroy(k->storage);
    bench_storage_remove(k->folder);
}

/* @return nanoseconds for a commit with BATCH claims. */
static uint64_t claim_batch(struct claiming *k)
{
    gap_claims_fini(&k->c);
    k->c = (struct gap_claims){.alloc = gap_alloc_default(),
                               .claims = k->claims,
                               .count = BATCH,
                               .now_us = 2,
                               .epoch = 1,
                               .has_bucket = true,
                               .tokens = 5,
                               .at_us = 2};
    for (size_t i = 0; i < BATCH; i++) {
        int64_t chat = (int64_t)(k->next++ % CHATS) + 1;
        k->claims[i] = (struct gap_claim){.chat = chat,
                                          .expect = k->heads[chat - 1],
                                          .oldest = k->heads[chat - 1] != 0,
                                          .has_bucket = true,
                                          .tokens = 3,
                                          .at_us = 2};
    }
    uint64_t before = wall_ns();
    commit(k->storage, do_claim, &k->c);
    uint64_t ns = wall_ns() - before;
    if (k->c.taken != BATCH) bench_fail(GAP_E_STATE, "a claim found nothing");
    k->claimed += k->c.taken;
    return ns;
}

/* What was claimed is sent. @return nanoseconds. */
static uint64_t finish_batch(struct claiming *k)
{
    struct gap_finishes f = {
        .alloc = gap_alloc_default(), .finishes = k->finishes, .count = BATCH, .now_us = 3};

    for (size_t i = 0; i < BATCH; i++)
        k->finishes[i] = (struct gap_finish){.row = k->claims[i].row.row,
                                             .state = GAP_OUTBOX_SENT,
                                             .message_id = (int32_t)k->claimed};
    uint64_t before = wall_ns();
    commit(k->storage, do_finish, &f);
    uint64_t ns = wall_ns() - before;
    for (size_t i = 0; i < BATCH; i++) k->heads[k->claims[i].chat - 1] = k->finishes[i].next.row;
    return ns;
}

/* So many wait afterwards as before. The log is empty before the clock runs, and all of it is on
 * the disk: the next claim would wait for what this has left, which is more with more rows. */
static void refill(struct claiming *k)
{
    gap_outbox_item_t items[BATCH];

    run(k->user.begin);
    for (size_t i = 0; i < BATCH; i++) items[i] = item_of((uint64_t)k->claims[i].chat - 1);
    bench_must(gap_outbox_enqueue_all(k->user.db, items, BATCH, NULL), "rows");
    run(k->user.commit);
    must(sqlite3_exec(k->user.db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL),
         "a checkpoint");
}

/* Calls per second, claimed and finished, of each commit. Medians are compared: a commit that
 * the disk holds up says nothing about rows. */
struct pace {
    double claims[BATCHES];
    double finishes[BATCHES];
    size_t count;
};

static void work(struct claiming *k, struct pace *p)
{
    p->claims[p->count] = BATCH * 1e9 / (double)claim_batch(k);
    p->finishes[p->count++] = BATCH * 1e9 / (double)finish_batch(k);
    refill(k);
}

/* Turn by turn, as the disk has its moods; but not commit by commit: each would find the
 * processor's caches as the other one has left them. */
static void work_turn(struct claiming *k, struct pace *p, size_t batches)
{
    for (size_t i = 0; i < batches; i++) work(k, p);
}

static void bench_claim_1m(struct bench *b)
{
    static struct claiming few;
    static struct claiming many;
    static struct pace of_few;
    static struct pace of_many;

    claiming_open(&few, 1000);
    claiming_open(&many, b->quick ? 2000 : 1000000);
    for (size_t i = 0; i < (b->quick ? 1 : BATCHES / TURN); i++) {
        work_turn(&few, &of_few, b->quick ? 2 : TURN);
        work_turn(&many, &of_many, b->quick ? 2 : TURN);
    }
    bench_hash(b, few.claimed + many.claimed);
    claiming_close(&few);
    claiming_close(&many);
    double rate = bench_median(of_many.claims, of_many.count);
    bench_report(b, &(struct bench_row){"outbox", "claim_1m", "claims_per_s", rate, "1/s",
                                        "1,000 rows waiting",
                                        rate / bench_median(of_few.claims, of_few.count)});
    rate = bench_median(of_many.finishes, of_many.count);
    bench_report(b, &(struct bench_row){"outbox", "claim_1m", "finishes_per_s", rate, "1/s",
                                        "1,000 rows waiting",
                                        rate / bench_median(of_few.finishes, of_few.count)});
}

void bench_outbox(struct bench *b)
{
    memset(text, 'x', TEXT);
    enqueue(b, "enqueue_100", 100, 40);
    enqueue(b, "enqueue_1", 1, 200);
    bench_claim_1m(b);
    bench_outbox_schedule(b);
}
