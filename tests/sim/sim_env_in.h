/* tests/sim/sim_env_in.h - what the files of the virtual world share. */
#ifndef GAP_TESTS_SIM_ENV_IN_H
#define GAP_TESTS_SIM_ENV_IN_H

#include "tests/sim/sim_env.h"

#include <sys/queue.h>

#define SIM_NAMES_MAX 16

typedef struct sim_host sim_host_t;
typedef struct sim_stream sim_stream_t;
typedef struct sim_listener sim_listener_t;
struct sim_file;

/* Bytes on their way, or (len 0) the end of the stream with its status. */
struct sim_segment {
    STAILQ_ENTRY(sim_segment) link;
    uint64_t at_us;
    size_t len;
    size_t taken; /* bytes read already */
    int end;
    uint8_t bytes[];
};

struct sim_writes {
    gap_write_t *head;
    gap_write_t *tail;
};

struct sim_stream {
    gap_stream_t pub;
    sim_host_t *host;
    sim_stream_t *peer; /* NULL: not there yet, or gone */
    gap_addr_t to;
    uint64_t syn_us;     /* when the connect reaches the other side */
    uint64_t outcome_us; /* when its outcome is known here; GAP_ENV_NEVER before */
    int outcome;
    bool connecting;
    bool reading;
    bool closing;
    bool held_back; /* the kernel took a part only: the rest goes in the next iteration */
    bool ready;     /* this poll has found it pollable and not dealt with it yet */
    STAILQ_HEAD(sim_segment_list, sim_segment) rx;
    size_t rx_bytes;
    uint64_t rx_last_us;
    int write_error;
    struct sim_writes pending;
    struct sim_writes finished;
    TAILQ_ENTRY(sim_stream) link; /* in its host's streams, its listener's queue or the closing */
};

struct sim_listener {
    gap_listener_t pub;
    sim_host_t *host;
    bool closing;
    TAILQ_HEAD(sim_queue, sim_stream) queue; /* not accepted yet */
    TAILQ_ENTRY(sim_listener) link;
};

/* A job or a look-up and when it ends; or the next thing that a worker does. */
struct sim_job {
    TAILQ_ENTRY(sim_job) link;
    uint64_t at_us;
    gap_work_t *work;
    gap_resolve_t *resolve;
    gap_worker_t *worker;
    int status;
    gap_addr_t addr;
};

struct sim_host {
    gap_env_t base;
    sim_t *sim;
    const struct gap_env_host *host;
    const struct gap_env_host *entered;
    uint64_t deadline_us;
    uint64_t fire_us; /* the deadline plus its lateness */
    int64_t wall_shift_us;
    uint64_t iterations;
    bool idle;
    bool unread;
    bool busy; /* inside an iteration, or stalled */
    bool closing;
    gap_env_post_t *posts;
    gap_env_post_t **posts_end;
    TAILQ_HEAD(sim_job_list, sim_job) jobs;
    TAILQ_HEAD(sim_stream_list, sim_stream) streams;
    struct sim_stream_list closing_streams;
    TAILQ_HEAD(sim_listener_list, sim_listener) listeners;
    struct sim_listener_list closing_listeners;
    TAILQ_HEAD(sim_worker_list, gap_worker) workers;
    unsigned threads_refused; /* the next so many starts of a thread fail */
    LIST_HEAD(sim_open_list, gap_file) files;
    int64_t pid;
    void (*closed)(void *arg);
    void *closed_arg;
    TAILQ_ENTRY(sim_host) link;
};

/* What the hosts of a world write to. */
struct sim_disk {
    LIST_HEAD(sim_file_list, sim_file) files;
    uint64_t counts[SIM_DISK_OPS];
    struct {
        uint64_t from; /* number of the first that fails; 0: none */
        uint64_t to;
        int error;
    } faults[SIM_DISK_OPS];
    uint64_t changes; /* writes and syncs */
    uint64_t crash_at;
};

struct sim {
    struct sim_options options;
    gap_prng_t prng;
    uint64_t now_us;
    uint64_t net_up_us;
    uint64_t bytes_sent;
    uint64_t cut_at_byte;
    uint64_t steps_now; /* since virtual time last moved */
    uint16_t next_port;
    bool in_thread;
    TAILQ_HEAD(sim_host_list, sim_host) hosts;
    int64_t last_pid;
    struct sim_disk disk;
    struct {
        const char *host;
        gap_addr_t addr;
    } names[SIM_NAMES_MAX];
    size_t name_count;
    char *trace;
    size_t trace_len;
    size_t trace_cap;
};

static inline sim_host_t *sim_host_of(gap_env_t *env)
{
    return (sim_host_t *)(void *)env;
}

/* malloc that aborts: the world itself may not run out of memory. */
void *sim_alloc(size_t n);
bool sim_chance(sim_t *sim, uint32_t per_mille);
uint64_t sim_below(sim_t *sim, uint64_t n); /* 0 for n = 0 */
void sim_enter(sim_host_t *h);
void sim_leave(sim_host_t *h, bool was_turn);

/* sim_env.c */
struct sim_job *sim_job_add(sim_host_t *h);

/* sim_worker.c */
int sim_worker_open(gap_env_t *env, gap_worker_t **out);
void sim_worker_send(gap_worker_t *w, gap_work_t *work);
void sim_worker_close(gap_worker_t *w, void (*closed)(void *arg), void *arg);
/* What was due; the job is freed by the caller. */
void sim_worker_step(struct sim_job *job);
bool sim_workers_are_closed(const sim_host_t *h);
/* Free what leaked. @return how many workers. */
size_t sim_workers_drop(sim_host_t *h);

/* sim_file.c */
int sim_file_open(gap_env_t *env, const char *path, unsigned flags, gap_file_t **out,
                  int64_t *holder);
int sim_file_size(gap_file_t *f, uint64_t *out);
int sim_file_private(gap_file_t *f);
int sim_file_read(gap_file_t *f, uint64_t at, void *out, size_t len, size_t *got);
int sim_file_write(gap_file_t *f, uint64_t at, const void *bytes, size_t len);
int sim_file_sync(gap_file_t *f);
void sim_file_close(gap_file_t *f);
/* Free what leaked. @return how many open files. */
size_t sim_files_drop(sim_host_t *h);
void sim_disk_free(struct sim_disk *disk);

/* sim_net.c: what gap_env_ops needs of it, and what an iteration does with streams */
int sim_connect(gap_env_t *env, const gap_addr_t *to, const struct gap_stream_events *events,
                void *arg, gap_stream_t **out);
void sim_write(gap_stream_t *pub, gap_write_t *w);
void sim_close(gap_stream_t *pub);
int sim_listen(gap_env_t *env, const gap_addr_t *at, void *arg,
               void (*accepted)(gap_listener_t *, gap_stream_t *), void (*closed)(gap_listener_t *),
               gap_listener_t **out);
void sim_close_listener(gap_listener_t *pub);
/* Connects that have reached the other side by now. */
void sim_net_arrive(sim_t *sim);
/* The time at which something happens next on this host's streams; now or earlier: it is due. */
uint64_t sim_net_next_us(sim_host_t *h);
bool sim_stream_pollable(const sim_stream_t *s);
/* Sets the host's `unread` if it leaves something. */
void sim_stream_poll(sim_stream_t *s);
bool sim_stream_reportable(const sim_stream_t *s);
void sim_stream_report(sim_stream_t *s);
void sim_listener_poll(sim_listener_t *l);
void sim_close_phase(sim_host_t *h);
/* Free what leaked. @return how many streams and listeners. */
size_t sim_net_drop(sim_host_t *h);

#endif
