/*
 * tests/sim/test_outbox_faults.c - an outbox whose memory or disk fails: at each allocation of a
 * life, at each operation of its disk. It may take longer, or need another life; every row goes out
 * once, in its chat's order, and says so in the end.
 */
#include "tests/sim/outbox_world.h"
#include "tests/store/vfs_shim.h"

#include <string.h>

#define SECOND    UINT64_C(1000000)
#define ROWS      6 /* of a trial, in three chats */
#define EVERY_MAX 1500
#define SAMPLES   100

static struct outbox_world o;
static int64_t rows[ROWS];
static unsigned trials;

static void setup(void)
{
    shim_install();
    shim_arm(SHIM_NONE, 0, 0);
    outbox_world_begin(&o, 1);
    o.config.account = (gap_outbox_rate_t){.calls = 1000, .per_ms = 1000, .burst = 1000};
    o.config.group = o.config.account;
    outbox_world_live(&o);
    for (unsigned i = 0; i < 3; i++) { /* to be known later */
        int64_t row = outbox_world_send(&o, outbox_world_chat(i), "first");
        ck_assert(outbox_world_reach(&o, row, GAP_OUTBOX_SENT, 10 * SECOND));
    }
    outbox_world_die(&o);
}

static void teardown(void)
{
    ck_assert_int_eq(sqlite3_close(o.db), SQLITE_OK);
    o.db = NULL;
    shim_arm(SHIM_NONE, 0, 0);
    outbox_world_end(&o);
}

static void text_of(unsigned trial, unsigned i, char out[32])
{
    (void)snprintf(out, 32, "trial %u row %u", trial, i);
}

static void put_rows(void)
{
    char text[32];

    trials++;
    o.told_count = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        text_of(trials, i, text);
        rows[i] = outbox_world_send(&o, outbox_world_chat(i % 3), text);
    }
    /* The test's own connection must not meet the fault. */
    ck_assert_int_eq(sqlite3_close(o.db), SQLITE_OK);
    o.db = NULL;
}

static unsigned messages(void)
{
    unsigned n = 0;
    char text[32];

    for (unsigned i = 0; i < ROWS; i++) {
        text_of(trials, i, text);
        n += outbox_world_messages(&o, text) > 0;
    }
    return n;
}

static bool all_are_there(const struct client_world *w)
{
    (void)w;
    return messages() == ROWS;
}

static bool all_are_told(const struct client_world *w)
{
    unsigned n = 0;

    (void)w;
    for (unsigned i = 0; i < ROWS; i++) n += outbox_world_told(&o, rows[i], GAP_OUTBOX_SENT) > 0;
    return n == ROWS;
}

/* Each once, in order, and the table knows. */
static void check(const char *what, long nth)
{
    int32_t last[3] = {0, 0, 0};
    char text[32];

    for (unsigned i = 0; i < ROWS; i++) {
        text_of(trials, i, text);
        unsigned n = outbox_world_messages(&o, text);
        if (n != 1) ck_abort_msg("%s at %ld: '%s' was sent %u times", what, nth, text, n);
        int32_t id = (int32_t)outbox_world_column(&o, "message_id", rows[i]);
        if (outbox_world_state(&o, rows[i]) != GAP_OUTBOX_SENT || id <= last[i % 3])
            ck_abort_msg("%s at %ld: row %d is in state %d, message %d behind %d: %s", what, nth,
                         (int)rows[i], (int)outbox_world_state(&o, rows[i]), id, last[i % 3],
                         outbox_world_reason(&o, rows[i]));
        last[i % 3] = id;
    }
}

/* What the life with the fault has left is done by one without. */
static void finish(const char *what, long nth)
{
    outbox_world_live(&o);
    for (unsigned i = 0; i < ROWS; i++) {
        if (!outbox_world_reach(&o, rows[i], GAP_OUTBOX_SENT, 120 * SECOND))
            ck_abort_msg("%s at %ld: row %d stays in state %d: %s", what, nth, (int)rows[i],
                         (int)outbox_world_state(&o, rows[i]), outbox_world_reason(&o, rows[i]));
    }
    outbox_world_die(&o);
    check(what, nth);
}

/* ---- memory ---- */

static long memory_trial(long fail_at, bool drought)
{
    put_rows();
    client_world_fresh(&o.w);
    o.w.alloc.fail_at = fail_at;
    o.w.alloc.fail_on = drought;
    if (client_world_open(&o.w) == 0) {
        (void)client_world_run(&o.w, SECOND / 2, all_are_told);
        if (drought) o.w.alloc.fail_at = 0;
        (void)client_world_run(&o.w, 3 * SECOND, all_are_told);
    }
    long calls = o.w.alloc.calls;
    outbox_world_die(&o);
    finish(drought ? "no memory for a while" : "a failed allocation", fail_at);
    return calls;
}

START_TEST(each_allocation_fails_once)
{
    long calls = memory_trial(0, false);
    long step = calls > EVERY_MAX ? (calls - EVERY_MAX) / SAMPLES + 1 : 1;
    long stride = EVERY_MAX / gap_test_seeds(EVERY_MAX);

    ck_assert_int_gt(calls, 100);
    for (long n = 1; n <= calls; n += n < EVERY_MAX ? stride : step) (void)memory_trial(n, false);
}
END_TEST

START_TEST(there_is_no_memory_for_a_while)
{
    long calls = memory_trial(0, false);
    int droughts = gap_test_seeds(60);

    for (int i = 0; i < droughts; i++) (void)memory_trial(1 + calls * i / droughts, true);
}
END_TEST

/* ---- the disk ---- */

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

static bool is_over(const struct client_world *w)
{
    return shim_has_struck() || all_are_told(w);
}

static long disk_trial(size_t f, long nth)
{
    put_rows();
    client_world_fresh(&o.w);
    o.w.is_dead = faults[f].is_end ? shim_has_struck : NULL;
    shim_arm(faults[f].fault, nth, (unsigned)nth);
    ck_assert_int_eq(client_world_open(&o.w), 0);
    bool ends = faults[f].is_end && nth > 0;
    (void)client_world_run(&o.w, 5 * SECOND, ends ? is_over : all_are_told);
    long operations = shim_count();
    if (!faults[f].is_end && !o.w.fatal)
        ck_assert_msg(all_are_there(&o.w), "%s at %ld: %u of %u: %s", faults[f].name, nth,
                      messages(), ROWS, o.w.trouble);
    outbox_world_die(&o);
    o.w.is_dead = NULL;
    if (faults[f].fault == SHIM_POWER) shim_power_returns();
    shim_arm(SHIM_NONE, 0, 0);
    finish(faults[f].name, nth);
    return operations;
}

START_TEST(each_operation_fails)
{
    long operations = disk_trial((size_t)_i, 0);
    int samples = gap_test_seeds(60);

    ck_assert_int_gt(operations, 3);
    if (samples > operations) samples = (int)operations;
    for (int i = 0; i < samples; i++) (void)disk_trial((size_t)_i, 1 + operations * i / samples);
}
END_TEST

/* Outcomes that can't be stored wait, and nothing is sent again meanwhile. */
START_TEST(the_disk_is_gone_for_a_minute)
{
    put_rows();
    client_world_fresh(&o.w);
    ck_assert_int_eq(client_world_open(&o.w), 0);
    for (int i = 0; i < 100000 && messages() == 0; i++) (void)client_world_run(&o.w, 5000, NULL);
    shim_rearm(SHIM_KILL, 1, 1);
    unsigned before = messages();
    (void)client_world_run(&o.w, 60 * SECOND, NULL);
    ck_assert(shim_has_struck());
    ck_assert_uint_le(messages(), before + 3); /* what was claimed when the disk went */
    shim_disarm();
    ck_assert_msg(client_world_run(&o.w, 150 * SECOND, all_are_told), "%s", o.w.trouble);
    outbox_world_die(&o);
    finish("a disk that came back", 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox_faults");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, each_allocation_fails_once);
    tcase_add_test(tc, there_is_no_memory_for_a_while);
    tcase_add_loop_test(tc, each_operation_fails, 0, (int)GAP_ARRAY_LEN(faults));
    tcase_add_test(tc, the_disk_is_gone_for_a_minute);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
