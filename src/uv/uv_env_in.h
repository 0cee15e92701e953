/* uv/uv_env_in.h - what the files of src/uv share. Not for anyone else. */
#ifndef GAP_UV_ENV_IN_H
#define GAP_UV_ENV_IN_H

#include "uv/uv_env.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/socket.h>

typedef struct uv_env uv_env_t;

#define UV_POOL_THREADS_MAX 2

/* Threads that take jobs from a queue. Everything but `env` and `max` is under the lock. */
struct uv_pool {
    uv_env_t *env;
    unsigned max;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    gap_work_t *head;
    gap_work_t *tail;
    unsigned queued;
    unsigned waiting;
    unsigned threads;
    bool stop;
    pthread_t ids[UV_POOL_THREADS_MAX];
};

/* A list of writes in order, linked by gap_write_t.next. */
struct uv_write_list {
    gap_write_t *head;
    gap_write_t *tail;
};

struct uv_stream {
    gap_stream_t pub;
    uv_env_t *env;
    uv_poll_t poll;
    int fd;
    int events; /* what the poll handle watches for */
    bool connecting;
    bool reading; /* connected, no end and no error seen */
    bool blocked; /* the kernel takes no more bytes for now */
    bool closing;
    bool reporting; /* in env->reports */
    int connect_error;
    int write_error;
    struct uv_write_list pending;
    struct uv_write_list finished;
    TAILQ_ENTRY(uv_stream) link;
    STAILQ_ENTRY(uv_stream) report;
};

struct uv_listener {
    gap_listener_t pub;
    uv_env_t *env;
    uv_poll_t poll;
    int fd;
    int spare_fd; /* given up for a moment to refuse a connection when descriptors run out */
    bool closing;
    TAILQ_ENTRY(uv_listener) link;
};

struct uv_env {
    gap_env_t base;
    uv_loop_t *loop;
    pthread_t thread;
    pid_t pid;
    const struct gap_env_host *host;
    const struct gap_env_host *entered;

    uv_async_t async;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_check_t check;
    uint64_t deadline_us;
    bool host_idle; /* the host wants a turn in the next check phase */
    bool armed;     /* idle and check are active */
    bool unread;    /* something may be left to read since the flag was reset before a poll */
    bool closing;
    bool handles_closing;
    unsigned handles_open;

    _Atomic(gap_env_post_t *) posts; /* newest first */
    _Atomic(gap_work_t *) finished;  /* newest first; pushed by our own threads */

    /* What is reported from the next check phase because it must not be from inside the call. */
    STAILQ_HEAD(uv_report_list, uv_stream) reports;
    gap_work_t *works_cancelled;
    gap_work_t *works_failed;
    gap_resolve_t *names_cancelled; /* linked by env_data */
    gap_resolve_t *names_failed;

    TAILQ_HEAD(uv_stream_list, uv_stream) streams;
    TAILQ_HEAD(uv_listener_list, uv_listener) listeners;
    unsigned jobs; /* works, look-ups and ends of workers that have not been reported */
    struct uv_pool work_pool;
    struct uv_pool name_pool;
    unsigned workers;      /* open ones */
    uint64_t fail_reports; /* how often works_failed has been taken for reporting */

    pthread_mutex_t files_lock;
    LIST_HEAD(uv_file_list, gap_file) files; /* under the lock */

    void (*closed)(void *arg);
    void *closed_arg;
};

static inline uv_env_t *uv_env_of(gap_env_t *env)
{
    return (uv_env_t *)(void *)env;
}

/* uv_env.c */
void uv_env_enter(uv_env_t *env);
void uv_env_leave(uv_env_t *env, bool was_turn);
/* Have the check phase run soon: there is something to report, or the host asked for it. */
void uv_env_arm(uv_env_t *env);
/* Close the handles if the environment is closing and nothing is left. */
void uv_env_try_finish(uv_env_t *env);

/* uv_stream.c */
int uv_stream_connect(gap_env_t *base, const gap_addr_t *to, const struct gap_stream_events *events,
                      void *arg, gap_stream_t **out);
void uv_stream_write(gap_stream_t *pub, gap_write_t *w);
void uv_stream_close(gap_stream_t *pub);
void uv_stream_report(struct uv_stream *s);
/* Take over a connected socket, also on failure. */
int uv_stream_adopt(uv_env_t *env, int fd, struct uv_stream **out);
void uv_stream_start(struct uv_stream *s);

/* uv_listen.c */
int uv_listener_open(gap_env_t *base, const gap_addr_t *at, void *arg,
                     void (*accepted)(gap_listener_t *, gap_stream_t *),
                     void (*closed)(gap_listener_t *), gap_listener_t **out);
void uv_listener_close(gap_listener_t *pub);

/* uv_work.c */
int uv_pool_init(struct uv_pool *pool, uv_env_t *env, unsigned max);
void uv_pool_fini(struct uv_pool *pool);
void uv_work_start(gap_env_t *base, gap_work_t *work);
/* Move what has not begun to the cancelled list. */
void uv_work_cancel_all(uv_env_t *env);
/* Report what the threads have finished. */
void uv_work_collect(uv_env_t *env);
/* Report what never ran; look-ups in uv_resolve.c. */
void uv_work_report(uv_env_t *env);
void uv_resolve_report(uv_env_t *env);
bool uv_work_to_report(const uv_env_t *env);
int uv_work_submit(struct uv_pool *pool, gap_work_t *work);
/* It has run: report it from the loop thread. The one function here for other threads. */
void uv_work_finished(uv_env_t *env, gap_work_t *work);
/* It never will: report it from the next check phase, in the order of these calls. */
void uv_work_fail(uv_env_t *env, gap_work_t *work);
/* pthread_create with every signal blocked in the new thread: signals are the host's. @param
 * stack_bytes 0: as usual. @return 0 or a negated errno. */
int uv_thread_start(pthread_t *out, size_t stack_bytes, void *(*thread_main)(void *), void *arg);
void uv_jobs_add(uv_env_t *env);
void uv_jobs_drop(uv_env_t *env);

/* uv_worker.c */
int uv_worker_open(gap_env_t *base, gap_worker_t **out);
void uv_worker_send(gap_worker_t *w, gap_work_t *work);
void uv_worker_close(gap_worker_t *w, void (*closed)(void *arg), void *arg);

/* uv_file.c */
int uv_file_open(gap_env_t *base, const char *path, unsigned flags, gap_file_t **out,
                 int64_t *holder);
int uv_file_size(gap_file_t *f, uint64_t *out);
int uv_file_private(gap_file_t *f);
int uv_file_read(gap_file_t *f, uint64_t at, void *out, size_t len, size_t *got);
int uv_file_write(gap_file_t *f, uint64_t at, const void *bytes, size_t len);
int uv_file_sync(gap_file_t *f);
void uv_file_close(gap_file_t *f);
/* In a forked process: close the descriptors, so that a lock ends with the parent. */
void uv_file_abandon_all(uv_env_t *env);

/* uv_resolve.c */
void uv_resolve_start(gap_env_t *base, const char *host, uint16_t port, gap_resolve_t *r);
void uv_resolve_cancel(gap_env_t *base, gap_resolve_t *r);

/* uv_listen.c: between the library's addresses and the kernel's */
socklen_t uv_addr_to_sock(const gap_addr_t *addr, struct sockaddr_storage *out);
int uv_addr_from_sock(const struct sockaddr *sa, gap_addr_t *out);

#endif
