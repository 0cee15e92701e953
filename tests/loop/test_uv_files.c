/*
 * tests/loop/test_uv_files.c - what only real threads, processes and file systems show: a worker's
 * stack and signals, a thread that can't be started, locks of processes that are killed or have
 * children, what lies in place of a file; and the session file on all that.
 */
#include "tests/check_main.h"

#include "store/session_file.h"
#include "tests/loop/world.h"
#include "uv/uv_env.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- threads ---- */

static int threads_refused;

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* In front of the C library's. */
int pthread_create(pthread_t *restrict id, const pthread_attr_t *restrict attr, void *(*fn)(void *),
                   void *restrict arg)
{
    union {
        void *symbol;
        create_fn *fn;
    } next = {dlsym(RTLD_NEXT, "pthread_create")};

    if (threads_refused == 0) return next.fn(id, attr, fn, arg);
    threads_refused--;
    return EAGAIN;
}

struct job {
    gap_work_t work;
    world_t *w;
    void (*task)(struct job *job);
    void *arg;
    pthread_t thread;
    int status;
    int number; /* how many were reported before */
    int *reported;
    bool ran;
    bool done;
};

static void job_run(gap_work_t *work)
{
    struct job *job = GAP_CONTAINER_OF(work, struct job, work);

    job->ran = true;
    job->thread = pthread_self();
    if (job->task != NULL) job->task(job);
}

static void job_done(gap_work_t *work, int status)
{
    struct job *job = GAP_CONTAINER_OF(work, struct job, work);

    job->status = status;
    job->done = true;
    if (job->reported != NULL) job->number = (*job->reported)++;
}

static bool job_is_done(void *arg)
{
    return ((const struct job *)arg)->done;
}

static void job_init(struct job *job, world_t *w, void (*task)(struct job *job), void *arg)
{
    memset(job, 0, sizeof *job);
    job->work.run = job_run;
    job->work.done = job_done;
    job->w = w;
    job->task = task;
    job->arg = arg;
}

/* Do it on a worker of its own. */
static void on_worker(world_t *w, void (*task)(struct job *job), void *arg)
{
    struct job job;
    gap_worker_t *worker;

    job_init(&job, w, task, arg);
    ck_assert_int_eq(w->env->ops->worker_open(w->env, &worker), 0);
    w->env->ops->worker_send(worker, &job.work);
    ck_assert(w->until(w, job_is_done, &job, 10000));
    ck_assert_int_eq(job.status, 0);
    w->env->ops->worker_close(worker, NULL, NULL);
}

static void look_at_thread(struct job *job)
{
    pthread_attr_t attr;
    sigset_t blocked;
    size_t stack = 0;

    (void)job;
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    for (int sig = 1; sig <= SIGSYS; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP) ck_assert_msg(sigismember(&blocked, sig), "%d", sig);
    }
    ck_assert_int_eq(pthread_getattr_np(pthread_self(), &attr), 0);
    ck_assert_int_eq(pthread_attr_getstacksize(&attr, &stack), 0);
    ck_assert_int_eq(pthread_attr_destroy(&attr), 0);
    ck_assert_uint_eq(stack, GAP_UV_WORKER_STACK_BYTES);
}

START_TEST(test_thread_of_a_worker)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());

    on_worker(w, look_at_thread, NULL);
    w->end(w);
}
END_TEST

/* Two workers that each wait for the other. */
static void meet(struct job *job)
{
    int r = pthread_barrier_wait(job->arg);

    ck_assert(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
}

START_TEST(test_workers_run_side_by_side)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    pthread_barrier_t barrier;
    gap_worker_t *workers[3];
    struct job jobs[3];

    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, 3), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(w->env->ops->worker_open(w->env, &workers[i]), 0);
        job_init(&jobs[i], w, meet, &barrier);
        w->env->ops->worker_send(workers[i], &jobs[i].work);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert(w->until(w, job_is_done, &jobs[i], 10000));
        w->env->ops->worker_close(workers[i], NULL, NULL);
    }
    ck_assert_int_eq(pthread_equal(jobs[0].thread, jobs[1].thread), 0);
    ck_assert_int_eq(pthread_equal(jobs[0].thread, pthread_self()), 0);
    w->end(w);
    ck_assert_int_eq(pthread_barrier_destroy(&barrier), 0);
}
END_TEST

/* What fails is told in order, and before what is sent after it; and it is tried again. */
START_TEST(test_thread_that_can_not_be_started)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct job jobs[6];
    gap_worker_t *worker;
    int reported = 0;

    ck_assert_int_eq(w->env->ops->worker_open(w->env, &worker), 0);
    threads_refused = 1;
    for (int i = 0; i < 6; i++) {
        job_init(&jobs[i], w, NULL, NULL);
        jobs[i].reported = &reported;
        w->env->ops->worker_send(worker, &jobs[i].work);
        ck_assert(!jobs[i].done);
        if (i == 2) ck_assert(w->until(w, job_is_done, &jobs[2], 10000));
    }
    w->env->ops->worker_close(worker, NULL, NULL);
    w->end(w);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(jobs[i].number, i);
        ck_assert_int_eq(jobs[i].ran, i > 2);
        ck_assert_int_eq(jobs[i].status, i > 2 ? 0 : -EAGAIN);
    }
}
END_TEST

START_TEST(test_close_after_a_thread_could_not_be_started)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct job job;
    gap_worker_t *worker;

    ck_assert_int_eq(w->env->ops->worker_open(w->env, &worker), 0);
    threads_refused = 1;
    job_init(&job, w, NULL, NULL);
    w->env->ops->worker_send(worker, &job.work);
    w->env->ops->worker_close(worker, NULL, NULL);
    w->end(w);
    ck_assert(job.done);
    ck_assert_int_eq(job.status, -EAGAIN);
}
END_TEST

static void write_too_much(struct job *job)
{
    gap_file_t *f = job->arg;
    static uint8_t bytes[8192];

    ck_assert_int_eq(job->w->env->ops->file_write(f, 0, bytes, sizeof bytes), -EFBIG);
}

START_TEST(test_file_size_limit_is_an_error_and_no_signal)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    struct rlimit before;
    char path[WORLD_PATH_MAX];
    gap_file_t *f;

    w->path(w, "a", path);
    ck_assert_int_eq(w->env->ops->file_open(w->env, path, GAP_FILE_CREATE, &f, NULL), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit limit = {4096, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    on_worker(w, write_too_much, f);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    w->env->ops->file_close(f);
    w->end(w);
}
END_TEST

/* ---- files ---- */

#define ALONE (GAP_FILE_CREATE | GAP_FILE_ALONE)

static int try_open(world_t *w, const char *path, unsigned flags)
{
    gap_file_t *f = NULL;
    int r = w->env->ops->file_open(w->env, path, flags, &f, NULL);

    if (r == 0) w->env->ops->file_close(f);
    return r;
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

START_TEST(test_what_is_no_file)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    char lock[WORLD_PATH_MAX];
    char target[WORLD_PATH_MAX];

    w->path(w, "a", path);
    w->path(w, "a.lock", lock);
    w->path(w, "target", target);
    static const unsigned flags[] = {GAP_FILE_CREATE, ALONE, GAP_FILE_READ_ONLY};
    for (size_t i = 0; i < GAP_ARRAY_LEN(flags); i++) {
        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_eq(try_open(w, path, flags[i]), -EISDIR);
        ck_assert_int_eq(rmdir(path), 0);
        ck_assert_int_eq(symlink(target, path), 0);
        ck_assert_int_eq(try_open(w, path, flags[i]), -ELOOP);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(try_open(w, path, flags[i]), -EINVAL);
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_msg(!exists(lock), "nothing is left beside what can't be opened");
    ck_assert(!exists(target));
    ck_assert_int_eq(symlink(target, lock), 0);
    ck_assert_int_eq(try_open(w, path, ALONE), -ELOOP);
    ck_assert_msg(!exists(path) && !exists(target), "without the lock nothing is created");
    w->path(w, "missing/a", path);
    ck_assert_int_eq(try_open(w, path, ALONE), -ENOENT);
    ck_assert_int_eq(try_open(w, "", GAP_FILE_CREATE), -ENOENT);
    w->end(w);
}
END_TEST

START_TEST(test_mode_and_descriptors)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    char lock[WORLD_PATH_MAX];
    struct stat st;
    gap_file_t *f;
    int highest = dup(0);

    ck_assert_int_ge(highest, 0);
    (void)close(highest);
    mode_t mask = umask(0);
    w->path(w, "a", path);
    w->path(w, "a.lock", lock);
    ck_assert_int_eq(w->env->ops->file_open(w->env, path, ALONE, &f, NULL), 0);
    (void)umask(mask);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(lock, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    for (int fd = highest; fd < highest + 3; fd++) /* file, lock, folder: not for children */
        ck_assert_msg(fcntl(fd, F_GETFD) == FD_CLOEXEC, "descriptor %d", fd);
    ck_assert_int_eq(w->env->ops->file_sync(f), 0);
    w->env->ops->file_close(f);
    for (int fd = highest; fd < highest + 3; fd++) ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    w->end(w);
}
END_TEST

START_TEST(test_relative_path)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char folder[WORLD_PATH_MAX];
    char path[WORLD_PATH_MAX];
    gap_file_t *f;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    w->path(w, ".", folder);
    w->path(w, "here", path);
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(w->env->ops->file_open(w->env, "here", ALONE, &f, NULL), 0);
    ck_assert_int_eq(chdir("/"), 0); /* the folder to sync is still the same */
    ck_assert_int_eq(w->env->ops->file_sync(f), 0);
    w->env->ops->file_close(f);
    ck_assert(exists(path));
    ck_assert_int_eq(fchdir(before), 0);
    ck_assert_int_eq(close(before), 0);
    w->end(w);
}
END_TEST

/* ---- processes ---- */

struct child {
    pid_t pid;
    int told; /* a byte comes when it is ready */
    int end;  /* closed: it may end */
};

/* A process that has an environment of its own and holds the file. */
static void child_main(const char *path, int tell, int end)
{
    uv_loop_t loop;
    gap_env_t *env;
    gap_file_t *f;
    char byte = 'x';

    if (uv_loop_init(&loop) != 0) _exit(2);
    if (gap_uv_env_open(&loop, gap_alloc_default(), &env) != 0) _exit(3);
    if (env->ops->file_open(env, path, ALONE, &f, NULL) != 0) byte = '-';
    if (write(tell, &byte, 1) != 1) _exit(4);
    (void)!read(end, &byte, 1);
    _exit(0);
}

static void child_start(struct child *c, const char *path)
{
    int told[2];
    int end[2];
    char byte = 0;

    ck_assert_int_eq(pipe(told), 0);
    ck_assert_int_eq(pipe(end), 0);
    c->pid = fork();
    ck_assert_int_ge(c->pid, 0);
    if (c->pid == 0) {
        (void)close(end[1]);
        child_main(path, told[1], end[0]);
    }
    (void)close(told[1]);
    (void)close(end[0]);
    ck_assert_int_eq(read(told[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    (void)close(told[0]);
    c->end = end[1];
}

static void child_end(struct child *c, bool kill_it)
{
    int status;

    if (kill_it) ck_assert_int_eq(kill(c->pid, SIGKILL), 0);
    (void)close(c->end);
    ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
    ck_assert_int_eq(WIFSIGNALED(status), kill_it);
}

START_TEST(test_another_process_holds_it)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    gap_file_t *f = NULL;
    int64_t holder = 0;
    struct child c;

    w->path(w, "a", path);
    child_start(&c, path);
    ck_assert_int_eq(w->env->ops->file_open(w->env, path, ALONE, &f, &holder), GAP_E_HELD);
    ck_assert_int_eq(holder, c.pid);
    child_end(&c, _i == 1); /* ends, or is killed */
    ck_assert_int_eq(try_open(w, path, ALONE), 0);
    w->end(w);
}
END_TEST

START_TEST(test_a_stale_lock_refuses_nobody)
{
    static const char *const left[] = {"", "1\n", "99999999999999999999\n", "text", "-5\n", "\n"};
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    char lock[WORLD_PATH_MAX];

    w->path(w, "a", path);
    w->path(w, "a.lock", lock);
    for (size_t i = 0; i < GAP_ARRAY_LEN(left); i++) {
        FILE *f = fopen(lock, "w");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(left[i], f), 0);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_msg(try_open(w, path, ALONE) == 0, "%s", left[i]);
    }
    w->end(w);
}
END_TEST

/* The holder's name may be unreadable: then it is not known, and held all the same. */
START_TEST(test_holder_that_is_not_known)
{
    static const char *const left[] = {"", "text", "-5\n", "0\n", "99999999999999999999\n", "12"};
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    char lock[WORLD_PATH_MAX];
    gap_file_t *held;
    gap_file_t *f = NULL;

    w->path(w, "a", path);
    w->path(w, "a.lock", lock);
    ck_assert_int_eq(w->env->ops->file_open(w->env, path, ALONE, &held, NULL), 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(left); i++) {
        int64_t holder = 77;
        ck_assert_int_eq(truncate(lock, 0), 0);
        FILE *out = fopen(lock, "r+");
        ck_assert_ptr_nonnull(out);
        ck_assert_int_ge(fputs(left[i], out), 0);
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_int_eq(w->env->ops->file_open(w->env, path, ALONE, &f, &holder), GAP_E_HELD);
        ck_assert_msg(holder == 0, "%s: %lld", left[i], (long long)holder);
    }
    w->env->ops->file_close(held);
    w->end(w);
}
END_TEST

/* A child shares the descriptors: closing has to unlock for both, and a child that gives the
 * environment up holds nothing any more. */
START_TEST(test_forked_child_does_not_keep_the_lock)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    char path[WORLD_PATH_MAX];
    gap_file_t *f;
    int end[2];
    char byte;

    w->path(w, "a", path);
    ck_assert_int_eq(w->env->ops->file_open(w->env, path, ALONE, &f, NULL), 0);
    ck_assert_int_eq(pipe(end), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)close(end[1]);
        if (_i == 1) gap_uv_env_abandon(w->env);
        (void)!read(end[0], &byte, 1);
        _exit(0);
    }
    (void)close(end[0]);
    ck_assert_int_eq(try_open(w, path, ALONE), GAP_E_HELD); /* the child has taken nothing away */
    w->env->ops->file_close(f);
    ck_assert_int_eq(try_open(w, path, ALONE), 0);
    (void)close(end[1]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    w->end(w);
}
END_TEST

/* ---- the session file ---- */

static struct gap_session_data session;

static int session_code(world_t *w, const char *path, gap_storage_fault_t *fault)
{
    gap_session_file_t *f = NULL;

    memset(fault, 0, sizeof *fault);
    int r = gap_session_file_open(w->env, path, &f, &session, fault);
    if (r == 0) gap_session_file_close(f);
    return r;
}

START_TEST(test_session_file_on_a_real_disk)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    gap_storage_fault_t fault = {.text = ""};
    gap_session_file_t *f;
    char path[WORLD_PATH_MAX];
    struct stat st;

    w->path(w, "session", path);
    for (int64_t user = 0; user < 5; user++) {
        ck_assert_int_eq(gap_session_file_open(w->env, path, &f, &session, &fault), 0);
        ck_assert_int_eq(session.user_id, user);
        session.user_id++;
        ck_assert_int_eq(gap_session_file_save(f, &session, &fault), 0);
        gap_session_file_close(f);
    }
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(st.st_size, GAP_SESSION_FILE_BYTES);
    w->end(w);
}
END_TEST

/* One that was copied with a wide mask, say; what is not ours keeps its mode. */
START_TEST(test_session_file_that_others_may_read)
{
    static const struct {
        mode_t before;
        mode_t after;
    } modes[] = {{0644, 0600}, {0666, 0600}, {0700, 0600}, {0600, 0600}};
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    gap_storage_fault_t fault;
    char path[WORLD_PATH_MAX];
    struct stat st;

    w->path(w, "session", path);
    for (size_t i = 0; i < GAP_ARRAY_LEN(modes); i++) {
        ck_assert_int_eq(session_code(w, path, &fault), 0);
        ck_assert_int_eq(chmod(path, modes[i].before), 0);
        ck_assert_int_eq(session_code(w, path, &fault), 0);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_msg((st.st_mode & 07777) == modes[i].after, "from %o to %o",
                      (unsigned)modes[i].before, (unsigned)st.st_mode & 07777);
    }
    w->path(w, "foreign", path);
    FILE *foreign = fopen(path, "w");
    ck_assert_ptr_nonnull(foreign);
    ck_assert_int_gt(fprintf(foreign, "a list of things to buy, which is nobody's session\n"), 0);
    ck_assert_int_eq(fclose(foreign), 0);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(session_code(w, path, &fault), GAP_E_FOREIGN);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0644);
    w->end(w);
}
END_TEST

START_TEST(test_session_file_held_by_another_process)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    gap_storage_fault_t fault;
    char path[WORLD_PATH_MAX];
    char process[40];
    struct child c;

    w->path(w, "session", path);
    child_start(&c, path);
    ck_assert_int_eq(session_code(w, path, &fault), GAP_E_HELD);
    ck_assert_int_eq(fault.holder_pid, c.pid);
    (void)snprintf(process, sizeof process, "process %d:", (int)c.pid);
    ck_assert_msg(strstr(fault.text, process) != NULL, "%s", fault.text);
    child_end(&c, true);
    ck_assert_int_eq(session_code(w, path, &fault), 0);
    w->end(w);
}
END_TEST

START_TEST(test_session_file_that_can_not_be_opened)
{
    world_t *w = world_new(WORLD_UV_DEFAULT, gap_alloc_default());
    gap_storage_fault_t fault;
    char folder[WORLD_PATH_MAX];
    char path[WORLD_PATH_MAX];

    w->path(w, ".", folder);
    w->path(w, "session", path);
    ck_assert_int_eq(session_code(w, folder, &fault), GAP_E_STORAGE);
    ck_assert_msg(strstr(fault.text, "it is a folder") != NULL, "%s", fault.text);
    ck_assert_int_eq(session_code(w, path, &fault), 0);
    ck_assert_int_eq(chmod(path, 0400), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    bool root = geteuid() == 0;
    if (root) { /* to whom nothing is forbidden: be nobody */
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    ck_assert_int_eq(session_code(w, path, &fault), GAP_E_STORAGE);
    ck_assert_msg(strstr(fault.text, "let this process read and write") != NULL, "%s", fault.text);
    if (root) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(folder, 0700), 0);
    w->path(w, "missing/session", path);
    ck_assert_int_eq(session_code(w, path, &fault), GAP_E_STORAGE);
    ck_assert_msg(strstr(fault.text, "create the folder") != NULL, "%s", fault.text);
    w->end(w);
}
END_TEST

static Suite *make_suite(void)
{
    const struct {
        const TTest *test;
        int loops;
    } cases[] = {
        {test_thread_of_a_worker, 1},
        {test_workers_run_side_by_side, 1},
        {test_thread_that_can_not_be_started, WORLD_SIM_POLITE},
        {test_close_after_a_thread_could_not_be_started, WORLD_SIM_POLITE},
        {test_file_size_limit_is_an_error_and_no_signal, 1},
        {test_what_is_no_file, 1},
        {test_mode_and_descriptors, 1},
        {test_relative_path, 1},
        {test_another_process_holds_it, 2},
        {test_a_stale_lock_refuses_nobody, 1},
        {test_holder_that_is_not_known, 1},
        {test_forked_child_does_not_keep_the_lock, 2},
        {test_session_file_on_a_real_disk, 1},
        {test_session_file_that_others_may_read, 1},
        {test_session_file_held_by_another_process, 1},
        {test_session_file_that_can_not_be_opened, 1},
    };
    Suite *suite = suite_create("uv_files");
    TCase *tc = tcase_create("uv_files");

    tcase_set_timeout(tc, 60);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++)
        tcase_add_loop_test(tc, cases[i].test, 0, cases[i].loops);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
