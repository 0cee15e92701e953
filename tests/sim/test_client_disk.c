/*
 * tests/sim/test_client_disk.c - a client whose disk fails: at each operation of a recorded life
 * there is no room, or room for half, or an error, or a failed sync, or the process or the machine
 * dies there. Whatever happens, the positions on disk never pass what handlers had not finished and
 * no journal holds, so the next life brings it; what did not die goes on and says what happened.
 */
#include "base/bytes.h"
#include "tests/sim/client_world.h"
#include "tests/store/suite.h"
#include "tests/store/vfs_shim.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 60 /* of the operations of a kind, of which under the sanitisers a part fails */

static struct client_world w;
static char folder[256];
static char path[300];

static const struct {
    enum shim_fault fault;
    const char *name;
    bool is_end; /* of the process */
} faults[] = {
    {SHIM_FULL, "no room", false},         {SHIM_SHORT, "room for half", false},
    {SHIM_EIO, "a failed write", false},   {SHIM_SYNC, "a failed sync", false},
    {SHIM_READ, "a failed read", false},   {SHIM_KILL, "a kill", true},
    {SHIM_POWER, "a power failure", true},
};

static gap_storage_t *storage(void *arg)
{
    gap_storage_t *s = NULL;

    (void)arg;
    int r = gap_storage_sqlite(&w.counted, &(gap_sqlite_config_t){.path = path}, &s);
    return r == 0 ? s : NULL;
}

/* ---- transactions ---- */

static uint8_t counts[CLIENT_WORLD_EVENTS];

/* A difference may show a message with the text of an edit that was counted: that is another event,
 * if the message itself had not been. */
static int count(struct sqlite3 *db, uint32_t n, bool edit)
{
    char sql[240];

    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE IF NOT EXISTS world(n INTEGER, edit INTEGER, times INTEGER,"
                   " PRIMARY KEY(n, edit));"
                   "INSERT INTO world VALUES(%u, %d, 1)"
                   " ON CONFLICT(n, edit) DO UPDATE SET times = times + 1",
                   (unsigned)n, edit);
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : GAP_E_STORAGE;
}

static bool counted_in(uint32_t n)
{
    return counts[n] > 0;
}

static int read_count(void *arg, int columns, char **values, char **names)
{
    (void)arg;
    (void)columns;
    (void)names;
    counts[strtoul(values[0], NULL, 10)] = (uint8_t)strtoul(values[1], NULL, 10);
    return 0;
}

/* What the file says now: each once, or not at all. */
static void read_counts(const char *name, long nth)
{
    sqlite3 *db = NULL;

    memset(counts, 0, sizeof counts);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    (void)sqlite3_exec(db, "SELECT n, max(times) FROM world GROUP BY n", read_count, NULL, NULL);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    uint32_t last = dc_model_event_count(gap_dc_model(w.dc));
    for (uint32_t n = w.first; n <= last; n++) {
        if (counts[n] > 1)
            ck_abort_msg("%s at %ld: event %u was counted %u times", name, nth, (unsigned)n,
                         counts[n]);
    }
}

/* No message was answered twice. */
static void check_answers(const char *name, long nth)
{
    uint32_t last = dc_model_event_count(gap_dc_model(w.dc));

    for (uint32_t n = w.first; n <= last; n++) {
        if (client_world_answers(&w, n) > 1)
            ck_abort_msg("%s at %ld: event %u was answered twice", name, nth, (unsigned)n);
    }
}

static void setup(void)
{
    shim_install();
    shim_arm(SHIM_NONE, 0, 0);
    store_folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/client.db", folder);
    client_world_begin(&w, 1);
    w.storage = storage;
    w.count = count;
    w.counted_in = counted_in;
    client_world_fresh(&w);
    ck_assert_int_eq(client_world_open(&w), 0);
    ck_assert_msg(client_world_run(&w, 60000000, client_world_is_caught_up), "%s", w.trouble);
    client_world_say(&w, 3 * CLIENT_WORLD_CHANNELS);
    w.first = 1;
    ck_assert(client_world_run(&w, 60000000, client_world_is_complete));
    client_world_close(&w);
}

static void teardown(void)
{
    client_world_end(&w);
    shim_arm(SHIM_NONE, 0, 0);
    store_folder_remove(folder);
}

/* ---- what is on the disk ---- */

struct seen {
    int32_t pts[CLIENT_WORLD_CHANNELS]; /* 0: not stored */
    unsigned kept[CLIENT_WORLD_CHANNELS];
};

static int look(void *arg, const gap_record_t *record)
{
    struct seen *seen = arg;
    int64_t id = 0;

    if (record->kind == GAP_RECORD_CHANNEL) id = record->u.channel.id;
    if (record->kind == GAP_RECORD_INBOX) id = record->u.inbox.channel_id;
    if (id < DC_CHANNEL_ID_FIRST || id >= DC_CHANNEL_ID_FIRST + CLIENT_WORLD_CHANNELS) return 0;
    if (record->kind == GAP_RECORD_CHANNEL)
        seen->pts[id - DC_CHANNEL_ID_FIRST] = record->u.channel.pts;
    else
        seen->kept[id - DC_CHANNEL_ID_FIRST]++;
    return 0;
}

/* No position is behind more unfinished messages than the journal has of its channel. */
static void check_positions(const char *name, long n)
{
    gap_storage_fault_t fault = {0};
    struct seen seen = {{0}, {0}};
    unsigned passed[CLIENT_WORLD_CHANNELS] = {0};
    uint32_t count = dc_model_event_count(gap_dc_model(w.dc));
    gap_storage_t *s = NULL;

    ck_assert_int_eq(gap_storage_sqlite(NULL, &(gap_sqlite_config_t){.path = path}, &s), 0);
    int r = s->ops->open(s, &fault);
    ck_assert_msg(r == 0, "%s at %ld: can't be opened again: %s", name, n, fault.text);
    ck_assert_int_eq(s->ops->load(s, look, &seen, &fault), 0);
    s->ops->close(s);
    s->ops->destroy(s);
    for (uint32_t k = w.first; k <= count; k++) {
        dc_event_t e;
        dc_model_event(gap_dc_model(w.dc), k, &e);
        /* Not an answer; and a row may hold a message with the text of a later edit. */
        if (e.by_call || e.kind != DC_NEW_MESSAGE) continue;
        size_t channel = (size_t)(e.chat.id - DC_CHANNEL_ID_FIRST);
        bool done = client_world_has(&w, k);
        if (!done && e.pts <= seen.pts[channel]) passed[channel]++;
    }
    for (size_t i = 0; i < CLIENT_WORLD_CHANNELS; i++)
        ck_assert_msg(passed[i] <= seen.kept[i],
                      "%s at %ld: position %d of channel %zu is behind %u unfinished messages, and "
                      "the journal has %u",
                      name, n, seen.pts[i], i, passed[i], seen.kept[i]);
}

/* ---- lives ---- */

static bool is_over(const struct client_world *world)
{
    return shim_has_struck() || client_world_is_complete(world);
}

struct told {
    unsigned struck;
    unsigned silent;
    unsigned fatal;
};

/* One life, in which operation @p nth fails; 0: none. */
static void live(size_t f, long nth)
{
    bool ends = faults[f].is_end;

    w.first = dc_model_event_count(gap_dc_model(w.dc)) + 1;
    client_world_say(&w, 30); /* to be fetched */
    client_world_fresh(&w);
    w.is_dead = ends ? shim_has_struck : NULL;
    shim_arm(faults[f].fault, nth, (unsigned)nth);
    ck_assert_int_eq(client_world_open(&w), 0);
    (void)client_world_run(&w, 800000, ends && nth > 0 ? is_over : client_world_is_caught_up);
    for (int i = 0; i < 4; i++) { /* to be pushed */
        client_world_say(&w, 12);
        (void)client_world_run(&w, 120000, NULL);
    }
    if (!ends || nth == 0) {
        (void)client_world_run(&w, 5000000, client_world_is_complete);
        /* What could not be stored is stored a little later. */
        (void)client_world_run(&w, 3000000, NULL);
    }
}

static void trial(size_t f, long nth, struct told *told)
{
    const char *name = faults[f].name;

    live(f, nth);
    bool struck = shim_has_struck();
    bool silent = w.troubles == 0;
    bool fatal = w.fatal;
    if (!faults[f].is_end && !fatal)
        ck_assert_msg(client_world_is_complete(&w), "%s at %ld: event %u was not handled: %s", name,
                      nth, (unsigned)client_world_missing(&w), w.trouble);
    client_world_close(&w);
    w.is_dead = NULL;
    if (faults[f].fault == SHIM_POWER) shim_power_returns();
    shim_arm(SHIM_NONE, 0, 0);
    told->struck += struck;
    told->silent += struck && silent;
    told->fatal += struck && fatal;
    read_counts(name, nth);
    check_positions(name, nth);
    check_answers(name, nth);
    if (client_world_is_complete(&w)) return;
    client_world_fresh(&w);
    ck_assert_int_eq(client_world_open(&w), 0);
    ck_assert_msg(client_world_run(&w, 120000000, client_world_is_complete),
                  "%s at %ld: event %u is lost: %s", name, nth, (unsigned)client_world_missing(&w),
                  w.trouble);
    client_world_close(&w);
    read_counts(name, nth);
    check_answers(name, nth);
    ck_assert_msg(client_world_is_complete(&w), "%s at %ld: event %u is not counted", name, nth,
                  (unsigned)client_world_missing(&w));
}

START_TEST(each_operation_fails)
{
    struct told told = {0, 0, 0};

    live((size_t)_i, 0);
    long operations = shim_count();
    client_world_close(&w);
    read_counts("no fault", 0);
    ck_assert(client_world_is_complete(&w));
    ck_assert_int_gt(operations, 3);
    int samples = gap_test_seeds(SAMPLES);
    int trials = samples < SAMPLES ? samples : (int)operations; /* each of them fails */
    for (int i = 0; i < trials; i++) trial((size_t)_i, 1 + operations * i / trials, &told);
    ck_assert_uint_gt(told.struck, (unsigned)trials / 2);
    /* A checkpoint may fail without harm, and a process that is killed has no words. */
    if (!faults[_i].is_end)
        ck_assert_msg(told.silent <= told.struck / 4, "%s: of %u only %u were told",
                      faults[_i].name, told.struck, told.struck - told.silent);
}
END_TEST

/* The disk works no more, for a minute: everything goes on, in bounded memory, but for
 * transactions, which need it. */
START_TEST(the_disk_is_gone_for_a_minute)
{
    w.first = dc_model_event_count(gap_dc_model(w.dc)) + 1;
    client_world_fresh(&w);
    ck_assert_int_eq(client_world_open(&w), 0);
    ck_assert(client_world_run(&w, 10000000, client_world_is_caught_up));
    client_world_say(&w, 500);
    ck_assert(client_world_run(&w, 10000000, client_world_is_complete));
    size_t usual = w.bytes_max;
    shim_rearm(SHIM_KILL, 1, 1);
    w.plain = true;
    for (int i = 0; i < 60; i++) {
        client_world_say(&w, 40);
        ck_assert_msg(client_world_run(&w, 1000000, NULL) || !w.fatal, "%s", w.trouble);
    }
    ck_assert_msg(client_world_run(&w, 5000000, client_world_is_complete), "event %u waits: %s",
                  (unsigned)client_world_missing(&w), w.trouble);
    ck_assert(shim_has_struck());
    ck_assert_uint_ge(w.store_failed, 1);
    ck_assert_msg(w.bytes_max < usual + (2U << 20), "%zu bytes, %zu before", w.bytes_max, usual);
    shim_disarm();
    ck_assert_uint_eq(w.store_recovered, 0);
    (void)client_world_run(&w, 70000000, NULL);
    ck_assert_uint_eq(w.store_recovered, 1);
    client_world_close(&w);
    read_counts("a disk that came back", 0);
    check_positions("a disk that came back", 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_disk");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, each_operation_fails, 0, (int)GAP_ARRAY_LEN(faults));
    tcase_add_test(tc, the_disk_is_gone_for_a_minute);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
