/*
 * tests/loop/test_env_files.c - what env/env.h promises of workers and files, asked of libuv in its
 * three run modes and of the virtual world.
 */
#include "tests/check_main.h"

#include "tests/loop/world.h"

#include <errno.h>
#include <string.h>

/* ---- workers ---- */

#define JOBS 40

struct crew;

struct job {
    gap_work_t work;
    struct crew *crew;
    int number;
};

/* One worker and its jobs. `ran` belongs to the worker, the rest to the loop thread. */
struct crew {
    world_t *w;
    gap_worker_t *worker;
    struct job jobs[JOBS];
    int sent;
    int ran;
    int done;
    int status;
    int closed;
    bool inside; /* a call of send or close is on the stack */
    void (*on_done)(struct crew *c, struct job *job);
};

static void job_run(gap_work_t *work)
{
    struct job *job = GAP_CONTAINER_OF(work, struct job, work);
    struct crew *c = job->crew;

    ck_assert(!c->w->env->ops->on_loop_thread(c->w->env));
    ck_assert_msg(job->number == c->ran, "%s: job %d ran as number %d", c->w->name, job->number,
                  c->ran);
    c->ran++;
}

static void job_done(gap_work_t *work, int status)
{
    struct job *job = GAP_CONTAINER_OF(work, struct job, work);
    struct crew *c = job->crew;

    ck_assert(c->w->env->ops->on_loop_thread(c->w->env));
    ck_assert_msg(!c->inside, "%s: a callback from inside the call", c->w->name);
    ck_assert_msg(c->closed == 0, "%s: a job after closed", c->w->name);
    ck_assert_msg(job->number == c->done, "%s: job %d was reported as number %d", c->w->name,
                  job->number, c->done);
    c->done++;
    if (c->status == 0) c->status = status;
    if (c->on_done != NULL) c->on_done(c, job);
}

static void crew_send(struct crew *c)
{
    struct job *job = &c->jobs[c->sent];
    bool outer = c->inside;

    ck_assert_int_lt(c->sent, JOBS);
    job->crew = c;
    job->number = c->sent++;
    job->work.run = job_run;
    job->work.done = job_done;
    c->inside = true;
    c->w->env->ops->worker_send(c->worker, &job->work);
    c->inside = outer;
}

static void crew_closed(void *arg)
{
    struct crew *c = arg;

    ck_assert(c->w->env->ops->on_loop_thread(c->w->env));
    ck_assert_msg(!c->inside, "%s: a callback from inside the call", c->w->name);
    ck_assert_int_eq(c->done, c->sent);
    c->closed++;
}

static void crew_close(struct crew *c)
{
    bool outer = c->inside;

    c->inside = true;
    c->w->env->ops->worker_close(c->worker, crew_closed, c);
    c->inside = outer;
    c->worker = NULL;
}

static void crew_open(struct crew *c, world_t *w)
{
    memset(c, 0, sizeof *c);
    c->w = w;
    ck_assert_int_eq(w->env->ops->worker_open(w->env, &c->worker), 0);
}

static bool crew_is_done(void *arg)
{
    const struct crew *c = arg;

    return c->done == c->sent;
}

static bool crew_is_closed(void *arg)
{
    return ((const struct crew *)arg)->closed > 0;
}

START_TEST(test_jobs_run_in_order_on_another_thread)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct crew c;

    crew_open(&c, w);
    while (c.sent < JOBS) {
        crew_send(&c);
        if (c.sent % 16 == 0) world_run(w, 1);
    }
    ck_assert_msg(w->until(w, crew_is_done, &c, 10000), "%s: stuck at %d", w->name, c.done);
    ck_assert_int_eq(c.ran, JOBS);
    ck_assert_int_eq(c.status, 0);
    crew_close(&c);
    ck_assert(w->until(w, crew_is_closed, &c, 10000));
    world_run(w, 50);
    ck_assert_int_eq(c.closed, 1);
    w->end(w);
}
END_TEST

START_TEST(test_closing_lets_the_jobs_run)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct crew c;

    crew_open(&c, w);
    while (c.sent < JOBS) crew_send(&c);
    crew_close(&c);
    ck_assert(w->until(w, crew_is_closed, &c, 10000));
    ck_assert_int_eq(c.ran, JOBS);
    ck_assert_int_eq(c.status, 0);
    w->end(w);
}
END_TEST

START_TEST(test_the_environment_waits_for_workers)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct crew c;

    crew_open(&c, w);
    while (c.sent < JOBS) crew_send(&c);
    crew_close(&c);
    w->end(w); /* closes the environment at once */
    ck_assert_int_eq(c.closed, 1);
    ck_assert_int_eq(c.ran, JOBS);
    ck_assert_int_eq(c.status, 0);
}
END_TEST

START_TEST(test_worker_without_a_job)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct crew c;
    gap_worker_t *silent;

    crew_open(&c, w);
    crew_close(&c);
    ck_assert(w->until(w, crew_is_closed, &c, 10000));
    ck_assert_int_eq(w->env->ops->worker_open(w->env, &silent), 0);
    w->env->ops->worker_close(silent, NULL, NULL);
    w->end(w);
}
END_TEST

static void send_more_then_close(struct crew *c, struct job *job)
{
    if (c->sent < JOBS) {
        crew_send(c);
    } else if (job->number == JOBS - 3) {
        crew_close(c);
    }
}

START_TEST(test_send_and_close_from_inside_done)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct crew c;

    crew_open(&c, w);
    c.on_done = send_more_then_close;
    for (int i = 0; i < 4; i++) crew_send(&c);
    ck_assert_msg(w->until(w, crew_is_closed, &c, 10000), "%s: stuck at %d", w->name, c.done);
    ck_assert_int_eq(c.ran, JOBS);
    w->end(w);
}
END_TEST

START_TEST(test_two_workers)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct crew a;
    static struct crew b;

    crew_open(&a, w);
    crew_open(&b, w);
    while (a.sent < JOBS) {
        crew_send(&a);
        crew_send(&b);
    }
    crew_close(&a);
    ck_assert(w->until(w, crew_is_closed, &a, 10000));
    ck_assert(w->until(w, crew_is_done, &b, 10000));
    crew_close(&b);
    ck_assert(w->until(w, crew_is_closed, &b, 10000));
    w->end(w);
}
END_TEST

START_TEST(test_no_memory_for_a_worker)
{
    struct fault_alloc f;
    fault_alloc_init(&f, 0);
    world_t *w = world_new(_i, &f.alloc);
    gap_worker_t *worker = NULL;
    long live = f.live;

    f.fail_at = f.calls + 1;
    ck_assert_int_eq(w->env->ops->worker_open(w->env, &worker), GAP_E_NOMEM);
    ck_assert_ptr_null(worker);
    ck_assert_int_eq(f.live, live);
    w->end(w);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

/* ---- files ---- */

static gap_file_t *must_open(world_t *w, const char *path, unsigned flags)
{
    gap_file_t *f = NULL;
    int64_t holder = 0;
    int r = w->env->ops->file_open(w->env, path, flags, &f, &holder);

    ck_assert_msg(r == 0, "%s: open: %d", w->name, r);
    return f;
}

static void expect_content(world_t *w, gap_file_t *f, const char *text, size_t len)
{
    const struct gap_env_ops *ops = w->env->ops;
    char buf[64];
    uint64_t size = 0;
    size_t got = 99;

    ck_assert_uint_le(len, sizeof buf);
    ck_assert_int_eq(ops->file_size(f, &size), 0);
    ck_assert_uint_eq(size, len);
    ck_assert_int_eq(ops->file_read(f, 0, buf, sizeof buf, &got), 0);
    ck_assert_uint_eq(got, len);
    ck_assert(memcmp(buf, text, len) == 0);
}

START_TEST(test_file_is_written_and_read)
{
    world_t *w = world_new(_i, gap_alloc_default());
    const struct gap_env_ops *ops = w->env->ops;
    char path[WORLD_PATH_MAX];
    char buf[8] = "";
    size_t got = 99;

    w->path(w, "a", path);
    gap_file_t *f = must_open(w, path, GAP_FILE_CREATE);
    expect_content(w, f, "", 0);
    ck_assert_int_eq(ops->file_sync(f), 0);
    ck_assert_int_eq(ops->file_write(f, 0, "hello", 5), 0);
    ck_assert_int_eq(ops->file_write(f, 8, "end", 3), 0); /* a hole reads as zeroes */
    ck_assert_int_eq(ops->file_write(f, 1, "E", 1), 0);
    ck_assert_int_eq(ops->file_write(f, 3, "", 0), 0);
    ck_assert_int_eq(ops->file_sync(f), 0);
    expect_content(w, f, "hEllo\0\0\0end", 11);
    ck_assert_int_eq(ops->file_read(f, 8, buf, 3, &got), 0);
    ck_assert_uint_eq(got, 3);
    ck_assert(memcmp(buf, "end", 3) == 0);
    ck_assert_int_eq(ops->file_read(f, 9, buf, sizeof buf, &got), 0);
    ck_assert_uint_eq(got, 2);
    ck_assert_int_eq(ops->file_read(f, 11, buf, sizeof buf, &got), 0);
    ck_assert_uint_eq(got, 0);
    ck_assert_int_eq(ops->file_read(f, 1000, buf, sizeof buf, &got), 0);
    ck_assert_uint_eq(got, 0);
    ck_assert_int_eq(ops->file_sync(f), 0);
    ops->file_close(f);
    f = must_open(w, path, GAP_FILE_READ_ONLY);
    expect_content(w, f, "hEllo\0\0\0end", 11);
    ops->file_close(f);
    w->end(w);
}
END_TEST

START_TEST(test_write_beyond_every_size)
{
    world_t *w = world_new(_i, gap_alloc_default());
    char path[WORLD_PATH_MAX];

    w->path(w, "a", path);
    gap_file_t *f = must_open(w, path, GAP_FILE_CREATE);
    ck_assert_int_eq(w->env->ops->file_write(f, UINT64_MAX - 1, "ab", 2), -EFBIG);
    ck_assert_int_eq(w->env->ops->file_write(f, INT64_MAX, "ab", 2), -EFBIG);
    expect_content(w, f, "", 0);
    w->env->ops->file_close(f);
    w->end(w);
}
END_TEST

START_TEST(test_missing_file)
{
    static const struct {
        unsigned flags;
        const char *why;
    } cases[] = {
        {0, "not to be created"},
        {GAP_FILE_READ_ONLY, "only to be read"},
        {GAP_FILE_ALONE, "to be held alone, but not created"},
    };
    world_t *w = world_new(_i, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    gap_file_t *f = NULL;

    w->path(w, "a", path);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        int r = w->env->ops->file_open(w->env, path, cases[i].flags, &f, NULL);
        ck_assert_msg(r == -ENOENT, "%s: %s: %d", w->name, cases[i].why, r);
        ck_assert_ptr_null(f);
    }
    w->end(w);
}
END_TEST

START_TEST(test_read_only_is_not_written)
{
    world_t *w = world_new(_i, gap_alloc_default());
    char path[WORLD_PATH_MAX];

    w->path(w, "a", path);
    gap_file_t *alone = must_open(w, path, GAP_FILE_CREATE | GAP_FILE_ALONE);
    ck_assert_int_eq(w->env->ops->file_write(alone, 0, "x", 1), 0);
    gap_file_t *f = must_open(w, path, GAP_FILE_READ_ONLY); /* a lock does not keep readers out */
    ck_assert_int_eq(w->env->ops->file_write(f, 0, "y", 1), -EBADF);
    expect_content(w, f, "x", 1);
    w->env->ops->file_close(f);
    w->env->ops->file_close(alone);
    w->end(w);
}
END_TEST

START_TEST(test_alone_refuses_the_second)
{
    world_t *w = world_new(_i, gap_alloc_default());
    const struct gap_env_ops *ops = w->env->ops;
    char path[WORLD_PATH_MAX];
    char other[WORLD_PATH_MAX];
    gap_file_t *second = NULL;
    int64_t holder = -1;
    unsigned alone = GAP_FILE_CREATE | GAP_FILE_ALONE;

    w->path(w, "a", path);
    w->path(w, "b", other);
    gap_file_t *f = must_open(w, path, alone);
    ck_assert_int_eq(ops->file_open(w->env, path, alone, &second, &holder), GAP_E_HELD);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(holder, w->pid);
    ck_assert_int_eq(ops->file_open(w->env, path, GAP_FILE_ALONE, &second, NULL), GAP_E_HELD);
    gap_file_t *open = must_open(w, path, GAP_FILE_CREATE); /* who does not ask is not refused */
    ops->file_close(open);
    ck_assert_int_eq(ops->file_open(w->env, path, alone, &second, NULL), GAP_E_HELD);
    gap_file_t *elsewhere = must_open(w, other, alone);
    ops->file_close(elsewhere);
    ops->file_close(f);
    f = must_open(w, path, alone);
    ops->file_close(f);
    w->end(w);
}
END_TEST

START_TEST(test_no_memory_for_a_file)
{
    struct fault_alloc a;
    fault_alloc_init(&a, 0);
    world_t *w = world_new(_i, &a.alloc);
    char path[WORLD_PATH_MAX];
    gap_file_t *f = NULL;
    long live = a.live;
    int r = GAP_E_NOMEM;

    w->path(w, "a", path);
    for (long n = 1; r == GAP_E_NOMEM; n++) {
        ck_assert_int_lt(n, 10);
        a.fail_at = a.calls + n;
        r = w->env->ops->file_open(w->env, path, GAP_FILE_CREATE | GAP_FILE_ALONE, &f, NULL);
        ck_assert_msg(n > 1 || r == GAP_E_NOMEM, "%s: the first must fail", w->name);
        if (r != 0) ck_assert_int_eq(a.live, live); /* and the next try finds it unlocked */
    }
    ck_assert_int_eq(r, 0);
    a.fail_at = 0;
    w->env->ops->file_close(f);
    ck_assert_int_eq(a.live, live);
    w->end(w);
    ck_assert_int_eq(a.live, 0);
}
END_TEST

struct file_job {
    gap_work_t work;
    world_t *w;
    char path[WORLD_PATH_MAX];
    int result;
    bool done;
};

static void write_a_file(gap_work_t *work)
{
    struct file_job *job = GAP_CONTAINER_OF(work, struct file_job, work);
    const struct gap_env_ops *ops = job->w->env->ops;
    gap_file_t *f;

    job->result =
        ops->file_open(job->w->env, job->path, GAP_FILE_CREATE | GAP_FILE_ALONE, &f, NULL);
    if (job->result < 0) return;
    job->result = ops->file_write(f, 0, "made elsewhere", 14);
    if (job->result == 0) job->result = ops->file_sync(f);
    ops->file_close(f);
}

static void file_is_written(gap_work_t *work, int status)
{
    struct file_job *job = GAP_CONTAINER_OF(work, struct file_job, work);

    if (status != 0) job->result = status;
    job->done = true;
}

static bool file_job_is_done(void *arg)
{
    return ((const struct file_job *)arg)->done;
}

START_TEST(test_files_on_a_worker)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct file_job job = {{write_a_file, file_is_written, NULL}, w, "", 0, false};
    gap_worker_t *worker;

    w->path(w, "a", job.path);
    ck_assert_int_eq(w->env->ops->worker_open(w->env, &worker), 0);
    w->env->ops->worker_send(worker, &job.work);
    ck_assert(w->until(w, file_job_is_done, &job, 10000));
    ck_assert_int_eq(job.result, 0);
    w->env->ops->worker_close(worker, NULL, NULL);
    gap_file_t *f = must_open(w, job.path, GAP_FILE_ALONE);
    expect_content(w, f, "made elsewhere", 14);
    w->env->ops->file_close(f);
    w->end(w);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const cases[] = {
        test_jobs_run_in_order_on_another_thread,
        test_closing_lets_the_jobs_run,
        test_the_environment_waits_for_workers,
        test_worker_without_a_job,
        test_send_and_close_from_inside_done,
        test_two_workers,
        test_no_memory_for_a_worker,
        test_file_is_written_and_read,
        test_write_beyond_every_size,
        test_missing_file,
        test_read_only_is_not_written,
        test_alone_refuses_the_second,
        test_no_memory_for_a_file,
        test_files_on_a_worker,
    };
    Suite *suite = suite_create("env_files");
    TCase *tc = tcase_create("worlds");

    tcase_set_timeout(tc, 120);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++)
        tcase_add_loop_test(tc, cases[i], 0, WORLD_KINDS);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
