/*
 * tests/sim/test_session_disk.c - the session file on a disk that fails: power failures inside
 * every write and sync, full disks, syncs that fail, killed processes. Whatever happens, what is
 * read is what was last saved, or what was being saved since; and the file goes on to work.
 *
 * Also what the virtual disk itself promises, on which these tests stand.
 */
#include "tests/check_main.h"

#include "tests/session_sample.h"
#include "tests/sim/sim_env.h"

#include <errno.h>

#define PATH "session"

static void sim_end(sim_t *sim, gap_env_t *env)
{
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, GAP_ENV_NEVER - 1));
    ck_assert_uint_eq(sim_free(sim), 0);
}

/* A session file and what may be in it. */
struct book {
    sim_t *sim;
    gap_env_t *env;
    gap_session_file_t *f; /* NULL: closed */
    uint64_t seed;
    uint64_t last;        /* number of the last session that was offered */
    uint64_t allowed[64]; /* what a reader may find; the first was saved for certain */
    size_t allowed_count;
};

static void book_open(struct book *b)
{
    static struct gap_session_data got;
    static struct gap_session_data want;
    gap_storage_fault_t fault = {.text = ""};

    int r = gap_session_file_open(b->env, PATH, &b->f, &got, &fault);
    ck_assert_msg(r == 0, "seed %llu: %d %s", (unsigned long long)b->seed, r, fault.text);
    for (size_t i = 0; i < b->allowed_count; i++) {
        sample_session(b->allowed[i], &want);
        if (sample_equal(&got, &want)) return;
    }
    ck_abort_msg("seed %llu: read %lld, saved were %llu and %zu attempts",
                 (unsigned long long)b->seed, (long long)got.user_id,
                 (unsigned long long)b->allowed[0], b->allowed_count - 1);
}

static void book_close(struct book *b)
{
    if (b->f != NULL) gap_session_file_close(b->f);
    b->f = NULL;
}

static int book_save(struct book *b)
{
    static struct gap_session_data data;
    gap_storage_fault_t fault = {.text = ""};
    uint64_t number = ++b->last;

    sample_session(number, &data);
    int r = gap_session_file_save(b->f, &data, &fault);
    ck_assert_msg(r == 0 || (r == GAP_E_STORAGE && fault.text[0] != '\0'), "seed %llu: %d",
                  (unsigned long long)b->seed, r);
    if (r == 0) b->allowed_count = 0;
    ck_assert_uint_lt(b->allowed_count, GAP_ARRAY_LEN(b->allowed));
    b->allowed[b->allowed_count++] = number;
    return r;
}

static void book_init(struct book *b, uint64_t seed)
{
    struct sim_options polite = {0};

    memset(b, 0, sizeof *b);
    b->seed = seed;
    b->sim = sim_new(seed, &polite);
    b->env = sim_env_open(b->sim, gap_alloc_default());
    b->allowed_count = 1; /* nothing, session 0 */
}

static void book_end(struct book *b)
{
    book_close(b);
    sim_end(b->sim, b->env);
}

#define SAVES_TOLD 3

/* Open and save until something happens. */
static void write_some(struct book *b)
{
    book_open(b);
    for (int i = 0; i < SAVES_TOLD && book_save(b) == 0; i++) {
    }
    book_close(b);
}

static uint64_t changes_of_a_run(void)
{
    struct book b;

    book_init(&b, 0);
    write_some(&b);
    uint64_t changes = sim_disk_changes(b.sim);
    book_end(&b);
    return changes;
}

START_TEST(test_crash_at_every_write_and_sync)
{
    uint64_t changes = changes_of_a_run();
    int seeds = gap_test_seeds(20);

    ck_assert_uint_ge(changes, 2 * SAVES_TOLD); /* a write and a sync each, at least */
    for (uint64_t nth = 1; nth <= changes; nth++) {
        for (int seed = 1; seed <= seeds; seed++) {
            struct book b;
            book_init(&b, (uint64_t)seed * 1000 + nth);
            sim_disk_crash_at(b.sim, nth);
            write_some(&b);
            ck_assert_uint_eq(sim_disk_changes(b.sim), nth);
            write_some(&b); /* after the crash it works */
            ck_assert_uint_eq(b.allowed_count, 1);
            sim_disk_crash(b.sim);
            book_open(&b);
            book_end(&b);
        }
    }
}
END_TEST

/* The computer comes up again, and crashes again on the way. */
START_TEST(test_crash_after_crash)
{
    uint64_t changes = changes_of_a_run();
    int seeds = gap_test_seeds(4);

    for (uint64_t nth = 1; nth <= changes; nth++) {
        for (uint64_t again = 1; again <= changes; again++) {
            for (int seed = 1; seed <= seeds; seed++) {
                struct book b;
                book_init(&b, (uint64_t)seed * 1000000 + nth * 1000 + again);
                sim_disk_crash_at(b.sim, nth);
                write_some(&b);
                sim_disk_crash_at(b.sim, again);
                write_some(&b);
                write_some(&b);
                sim_disk_crash(b.sim);
                book_open(&b);
                book_end(&b);
            }
        }
    }
}
END_TEST

static const struct {
    enum sim_disk_op op;
    int error;
    const char *why;
} faults[] = {
    {SIM_DISK_WRITE, -ENOSPC, "a full disk"},
    {SIM_DISK_WRITE, -EIO, "a broken disk"},
    {SIM_DISK_SYNC, -EIO, "a sync that fails"},
    {SIM_DISK_SYNC, -ENOSPC, "a disk found full at the sync"},
};

/* One operation fails, the save is tried again, and the power fails at any step of that. */
START_TEST(test_failed_operation_then_crash)
{
    uint64_t changes = changes_of_a_run();
    int seeds = gap_test_seeds(4);

    for (size_t i = 0; i < GAP_ARRAY_LEN(faults); i++) {
        for (uint64_t nth = 1; nth <= changes; nth++) {
            for (int seed = 1; seed <= seeds; seed++) {
                struct book b;
                book_init(&b, (uint64_t)seed * 1000 + nth);
                sim_disk_fail(b.sim, faults[i].op, nth, 1, faults[i].error);
                sim_disk_crash_at(b.sim, 1 + gap_prng_below(sim_prng(b.sim), changes + 4));
                book_open(&b);
                for (int n = 0; n < 6; n++) (void)book_save(&b);
                book_close(&b);
                write_some(&b);
                sim_disk_crash(b.sim);
                book_open(&b);
                book_end(&b);
            }
        }
    }
}
END_TEST

START_TEST(test_save_is_tried_again_in_place)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(faults); i++) {
        struct book b;
        book_init(&b, 7);
        book_open(&b);
        ck_assert_int_eq(book_save(&b), 0);
        sim_disk_fail(b.sim, faults[i].op, 1, 5, faults[i].error);
        for (int n = 0; n < 5; n++) {
            int r = book_save(&b);
            ck_assert_msg(r == GAP_E_STORAGE, "%s: %d", faults[i].why, r);
        }
        ck_assert_msg(book_save(&b) == 0, "%s is over", faults[i].why);
        book_close(&b);
        sim_disk_crash(b.sim);
        book_open(&b);
        ck_assert_uint_eq(b.allowed_count, 1);
        book_end(&b);
    }
}
END_TEST

/* A process fails to sync and is killed; the next reads from the kernel's memory what is not on the
 * disk, saves, and then the power fails. */
START_TEST(test_what_is_read_may_not_be_on_the_disk)
{
    int seeds = gap_test_seeds(300);

    for (int seed = 1; seed <= seeds; seed++) {
        struct book b;
        book_init(&b, (uint64_t)seed);
        book_open(&b);
        ck_assert_int_eq(book_save(&b), 0);
        ck_assert_int_eq(book_save(&b), 0);
        sim_disk_fail(b.sim, SIM_DISK_SYNC, 1, 1, -EIO);
        ck_assert_int_eq(book_save(&b), GAP_E_STORAGE);
        sim_disk_kill(b.env);
        book_close(&b);
        sim_disk_crash_at(b.sim, 1 + gap_prng_below(sim_prng(b.sim), 6));
        write_some(&b);
        sim_disk_crash(b.sim);
        book_open(&b);
        book_end(&b);
    }
}
END_TEST

static void random_step(struct book *b)
{
    gap_prng_t *dice = sim_prng(b->sim);
    enum sim_disk_op op = gap_prng_below(dice, 2) == 0 ? SIM_DISK_WRITE : SIM_DISK_SYNC;

    switch (gap_prng_below(dice, 8)) {
    case 0:
        sim_disk_crash(b->sim);
        break;
    case 1:
        sim_disk_crash_at(b->sim, 1 + gap_prng_below(dice, 6));
        return;
    case 2:
        sim_disk_kill(b->env);
        break;
    case 3:
        break; /* closed in order */
    case 4:
        sim_disk_fail(b->sim, op, 1 + gap_prng_below(dice, 4), 1 + gap_prng_below(dice, 2), -EIO);
        return;
    default:
        (void)book_save(b);
        return;
    }
    book_close(b);
    book_open(b);
}

START_TEST(test_random_lives)
{
    int seeds = gap_test_seeds(400);

    for (int seed = 1; seed <= seeds; seed++) {
        struct book b;
        book_init(&b, (uint64_t)seed);
        book_open(&b);
        for (int n = 0; n < 40; n++) random_step(&b);
        sim_disk_fail(b.sim, SIM_DISK_WRITE, 0, 0, 0);
        sim_disk_fail(b.sim, SIM_DISK_SYNC, 0, 0, 0);
        sim_disk_crash_at(b.sim, 0);
        book_close(&b);
        write_some(&b);
        ck_assert_uint_eq(b.allowed_count, 1);
        book_end(&b);
    }
}
END_TEST

/* ---- the disk itself ---- */

START_TEST(test_disk_crash_keeps_what_was_synced)
{
    int seen_torn = 0;
    int seen_gone = 0;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim_options polite = {0};
        sim_t *sim = sim_new(seed, &polite);
        gap_env_t *env = sim_env_open(sim, gap_alloc_default());
        const struct gap_env_ops *ops = env->ops;
        static uint8_t ones[2000];
        static const uint8_t zeroes[2000];
        gap_file_t *f;
        gap_bytes_t now;
        memset(ones, 1, sizeof ones);
        ck_assert_int_eq(ops->file_open(env, "a", GAP_FILE_CREATE, &f, NULL), 0);
        ck_assert_int_eq(ops->file_write(f, 0, zeroes, sizeof zeroes), 0);
        ck_assert_int_eq(ops->file_sync(f), 0);
        ck_assert_int_eq(ops->file_write(f, 0, ones, sizeof ones), 0);
        sim_disk_crash(sim);
        ck_assert_int_eq(ops->file_sync(f), -EIO); /* dead */
        ck_assert_int_eq(ops->file_write(f, 0, ones, 1), -EIO);
        ops->file_close(f);
        ck_assert(sim_disk_get(sim, "a", &now));
        ck_assert_uint_eq(now.len, sizeof ones);
        size_t count = 0;
        for (size_t i = 0; i < now.len; i++) count += now.data[i];
        if (count > 0 && count < now.len) seen_torn++;
        if (count == 0) seen_gone++;
        sim_end(sim, env);
    }
    ck_assert_int_gt(seen_torn, 20);
    ck_assert_int_gt(seen_gone, 20);
}
END_TEST

START_TEST(test_disk_name_that_was_never_synced_may_go)
{
    int gone = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct sim_options polite = {0};
        sim_t *sim = sim_new(seed, &polite);
        gap_env_t *env = sim_env_open(sim, gap_alloc_default());
        gap_file_t *f;
        gap_bytes_t now;
        ck_assert_int_eq(env->ops->file_open(env, "a", GAP_FILE_CREATE | GAP_FILE_ALONE, &f, NULL),
                         0);
        sim_disk_crash(sim);
        env->ops->file_close(f);
        if (!sim_disk_get(sim, "a", &now)) gone++;
        ck_assert_int_eq(env->ops->file_open(env, "a", GAP_FILE_CREATE | GAP_FILE_ALONE, &f, NULL),
                         0);
        ck_assert_int_eq(env->ops->file_sync(f), 0);
        sim_disk_crash(sim);
        env->ops->file_close(f);
        ck_assert(sim_disk_get(sim, "a", &now));
        sim_end(sim, env);
    }
    ck_assert_int_gt(gone, 20);
    ck_assert_int_lt(gone, 80);
}
END_TEST

START_TEST(test_disk_kill_frees_the_lock_and_loses_nothing)
{
    struct sim_options polite = {0};
    sim_t *sim = sim_new(1, &polite);
    gap_env_t *env = sim_env_open(sim, gap_alloc_default());
    gap_env_t *other = sim_env_open(sim, gap_alloc_default());
    gap_file_t *f;
    gap_file_t *g;
    gap_bytes_t now;
    int64_t holder = 0;
    unsigned alone = GAP_FILE_CREATE | GAP_FILE_ALONE;

    ck_assert_int_eq(env->ops->file_open(env, "a", alone, &f, NULL), 0);
    ck_assert_int_eq(env->ops->file_write(f, 0, "x", 1), 0);
    ck_assert_int_eq(other->ops->file_open(other, "a", alone, &g, &holder), GAP_E_HELD);
    ck_assert_int_eq(holder, sim_pid(env));
    ck_assert_int_ne(holder, sim_pid(other));
    sim_disk_kill(env);
    ck_assert_int_eq(other->ops->file_open(other, "a", alone, &g, NULL), 0);
    ck_assert_int_eq(env->ops->file_write(f, 0, "y", 1), -EIO);
    env->ops->file_close(f); /* does not take the other's lock away */
    ck_assert_int_eq(env->ops->file_open(env, "a", alone, &f, NULL), GAP_E_HELD);
    ck_assert(sim_disk_get(sim, "a", &now));
    ck_assert(now.len == 1 && now.data[0] == 'x');
    other->ops->file_close(g);
    sim_env_close(other, NULL, NULL);
    sim_end(sim, env);
}
END_TEST

START_TEST(test_disk_failed_sync_is_not_made_good_by_the_next)
{
    int lost = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct sim_options polite = {0};
        sim_t *sim = sim_new(seed, &polite);
        gap_env_t *env = sim_env_open(sim, gap_alloc_default());
        gap_file_t *f;
        gap_bytes_t now;
        ck_assert_int_eq(env->ops->file_open(env, "a", GAP_FILE_CREATE, &f, NULL), 0);
        ck_assert_int_eq(env->ops->file_sync(f), 0);
        ck_assert_int_eq(env->ops->file_write(f, 0, "x", 1), 0);
        sim_disk_fail(sim, SIM_DISK_SYNC, 1, 1, -EIO);
        ck_assert_int_eq(env->ops->file_sync(f), -EIO);
        ck_assert(sim_disk_get(sim, "a", &now));
        ck_assert_msg(now.len == 1, "it is still seen");
        ck_assert_int_eq(env->ops->file_sync(f), 0);
        sim_disk_crash(sim);
        ck_assert(sim_disk_get(sim, "a", &now));
        if (now.len == 0) lost++;
        env->ops->file_close(f);
        sim_end(sim, env);
    }
    ck_assert_int_gt(lost, 20);
}
END_TEST

/* ---- threads that can't be started ---- */

struct refused {
    gap_work_t work;
    char name;
    int status;
    bool ran;
    char *order;
};

static void refused_run(gap_work_t *work)
{
    GAP_CONTAINER_OF(work, struct refused, work)->ran = true;
}

static void refused_done(gap_work_t *work, int status)
{
    struct refused *r = GAP_CONTAINER_OF(work, struct refused, work);

    r->status = status;
    r->order[strlen(r->order)] = r->name;
}

START_TEST(test_threads_refused)
{
    struct sim_options polite = {0};
    sim_t *sim = sim_new(1, &polite);
    gap_env_t *env = sim_env_open(sim, gap_alloc_default());
    struct refused jobs[4];
    char order[8] = "";
    gap_worker_t *w;

    ck_assert_int_eq(env->ops->worker_open(env, &w), 0);
    sim_refuse_threads(env, 2);
    for (int i = 0; i < 4; i++) {
        jobs[i] =
            (struct refused){{refused_run, refused_done, NULL}, (char)('a' + i), 1, false, order};
        env->ops->worker_send(w, &jobs[i].work);
    }
    env->ops->worker_close(w, NULL, NULL);
    sim_end(sim, env);
    ck_assert_str_eq(order, "abcd");
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(jobs[i].status, i < 2 ? -EAGAIN : 0);
        ck_assert_int_eq(jobs[i].ran, i >= 2);
    }
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const cases[] = {
        test_crash_at_every_write_and_sync,
        test_crash_after_crash,
        test_failed_operation_then_crash,
        test_save_is_tried_again_in_place,
        test_what_is_read_may_not_be_on_the_disk,
        test_random_lives,
        test_disk_crash_keeps_what_was_synced,
        test_disk_name_that_was_never_synced_may_go,
        test_disk_kill_frees_the_lock_and_loses_nothing,
        test_disk_failed_sync_is_not_made_good_by_the_next,
        test_threads_refused,
    };
    Suite *suite = suite_create("session_disk");
    TCase *tc = tcase_create("session_disk");

    tcase_set_timeout(tc, 240);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) tcase_add_test(tc, cases[i]);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
