/*
 * loops/store_internal.h - what the files of the store loop share.
 *
 *   store_loop.c   when: requests, pauses, retries, what follows what
 *   store_read.c   rows that are read back
 *   store_find.c   peers that are looked for: among the records that wait, then in the storage
 *   store_jobs.c   what runs on the writer thread
 */
#ifndef GAP_LOOPS_STORE_INTERNAL_H
#define GAP_LOOPS_STORE_INTERNAL_H

#include "loops/store_loop.h"
#include "store/record.h"
#include "store/waiting.h"

/* A commit of which nobody knows whether it was stored must not run its calls again if it was: it
 * carries a mark, drawn by chance. */
#define GAP_STORE_MARK_BYTES 16

enum gap_store_job_kind {
    STORE_JOB_NONE = 0,
    STORE_JOB_OPEN,   /* session file and storage; load both */
    STORE_JOB_COMMIT, /* records */
    STORE_JOB_REOPEN, /* close, open, load: nobody knows what is on disk */
    STORE_JOB_SAVE,   /* the session */
    STORE_JOB_FIND,   /* a peer */
    STORE_JOB_READ,   /* rows */
    STORE_JOB_QUERY,  /* a function that looks */
    STORE_JOB_END,    /* close everything */
};

/** A row that was read, its bytes behind it. */
struct gap_store_row {
    gap_record_t record;
    uint8_t bytes[];
};

/** What the storage held. */
struct gap_store_contents {
    bool has_account;
    bool has_state;
    gap_account_record_t account;
    gap_state_record_t state;
    gap_channel_record_t *channels;
    size_t channel_count;
    size_t channel_cap;
    gap_peer_record_t *peers;
    size_t peer_count;
    size_t peer_cap;
    bool has_boot;
    gap_boot_record_t boot;
    gap_done_record_t *dones;
    size_t done_count;
    size_t done_cap;
    gap_inbox_record_t *inbox;
    size_t inbox_count;
    size_t inbox_cap;
    struct gap_store_row **rows; /* READ */
    size_t row_count;
    size_t row_cap;
    struct gap_read_page page; /* READ: what is left of it */
    bool page_is_full;         /* READ: there may be more behind the last row */
};

/** One job on the writer thread: everything that it touches. While it is out the loop thread reads
 * nothing here. */
struct gap_store_job {
    gap_work_t work;
    enum gap_store_job_kind kind;
    bool over; /* set on the loop thread */
    /* of the writer thread */
    gap_env_t *env;
    const gap_alloc_t *alloc;
    gap_storage_t *storage;
    gap_session_file_t *file;
    const char *path;
    /* in */
    const gap_record_t *records;
    size_t count;
    struct gap_session_data *session; /* OPEN: out */
    gap_peer_key_t key;
    gap_read_t what;
    int (*query)(void *arg, struct sqlite3 *db); /* QUERY */
    void *arg;
    bool has_account; /* REOPEN: whose it must be */
    gap_account_record_t account;
    bool is_marked; /* REOPEN: look for this mark */
    uint8_t mark[GAP_STORE_MARK_BYTES];
    /* out */
    int status;
    gap_storage_fault_t fault;
    uint64_t cpu_us;
    struct gap_store_contents contents;
    bool mark_found; /* REOPEN */
    int result;      /* QUERY */
    bool found;
    gap_peer_record_t peer;  /* FIND; names in `names` */
    struct gap_names *names; /* owned */
};

enum gap_store_phase {
    STORE_PHASE_OPENING = 0,
    STORE_PHASE_OPEN,
    STORE_PHASE_FAILED, /* could not be opened */
    STORE_PHASE_ENDING, /* the last job is out, or done */
};

/* Somebody who waits for something. */
struct gap_store_request {
    STAILQ_ENTRY(gap_store_request) next;
    void (*done)(void *arg, int status);
    void *arg;
};
STAILQ_HEAD(gap_store_requests, gap_store_request);

struct gap_store_search {
    STAILQ_ENTRY(gap_store_search) next;
    gap_store_found_cb found;
    void *arg;
    gap_peer_key_t key;
    uint8_t text[];
};
STAILQ_HEAD(gap_store_searches, gap_store_search);

struct gap_store_reading {
    STAILQ_ENTRY(gap_store_reading) next;
    gap_record_cb each;
    void (*done)(void *arg, int status);
    void *arg;
    int (*query)(void *arg, struct sqlite3 *db); /* NULL: rows are read */
    void (*asked)(void *arg, int status, int result);
    gap_read_t what;
    uint8_t key[];
};
STAILQ_HEAD(gap_store_readings, gap_store_reading);

/* Somebody whose function runs inside a commit. */
struct gap_store_caller {
    void (*done)(void *arg, int status, int result);
    void *arg;
};

/* Something that is written and may fail. */
struct gap_store_lane {
    bool failing;
    uint64_t pause_us;
    uint64_t retry_us; /* not before; while failing */
};

struct gap_store {
    gap_loop_t loop;
    gap_rt_t *rt;
    const gap_alloc_t *alloc;
    gap_timer_t timer; /* always running: starting it again can't fail */
    gap_worker_t *worker;
    struct gap_store_job job;
    const struct gap_store_events *events;
    void *arg;
    char *path;
    bool has_storage;
    bool has_query;
    uint8_t phase;
    int status; /* FAILED: why */
    gap_waiting_t waiting;
    struct gap_store_lane records;
    struct gap_store_lane saves;
    bool touched;
    bool told;           /* that it is open */
    bool gives_up;       /* nobody waits any more for commits that fail */
    bool in_doubt;       /* and it had calls: it stays in flight until that is known */
    bool unsure;         /* a commit failed so that nobody knows what is on disk */
    uint64_t due_us;     /* of the next commit, if there is something to commit */
    uint64_t rested_us;  /* not before that, after the last one */
    uint64_t collect_us; /* processor time of the last collecting */
    uint64_t began_us;   /* the last commit began */
    bool hurried;        /* what waits is to be committed soon */
    bool collected;      /* the commit that is out has positions in it */
    bool paired;         /* what waits must not be on disk before the positions that are due */
    bool is_marked;      /* a mark waits or is in flight: it tells whether that commit was stored */
    uint8_t mark[GAP_STORE_MARK_BYTES];
    gap_account_record_t account;
    gap_state_record_t state;
    bool has_account;
    bool has_state;
    struct gap_session_data *session; /* waits to be saved */
    struct gap_session_data *saving;
    struct gap_store_requests savers;     /* of session */
    struct gap_store_requests saving_for; /* of saving */
    struct gap_store_searches searches;
    struct gap_store_search *search; /* on the writer thread */
    struct gap_store_readings reads;
    struct gap_store_reading *reading; /* on the writer thread */
    bool looked;                       /* the last job was one of these two */
    /* the round */
    struct gap_store_requests flushes; /* wait for the next one */
    struct gap_store_requests round_for;
    bool round;
    bool round_save;
    bool round_commit;
    bool last; /* it is the last one */
    int round_status;
    bool closing;
    bool finished; /* the last round is over */
    int last_status;
    void (*close_cb)(void *arg, int last_status);
    void *close_arg;
};

/* store_loop.c */
/** Give a job to the writer thread; none is out. */
void gap_store_send(gap_store_t *s, enum gap_store_job_kind kind);

/* store_find.c */
/** Answer what can be answered. @return true if a job is out. */
bool gap_store_search(gap_store_t *s);
/** The job is over. */
void gap_store_found(gap_store_t *s, int status);

/* store_read.c */
/** Answer what can be answered. @return true if a job is out. */
bool gap_store_reads(gap_store_t *s);
/** Is there SQL to be looked at with? @param storage May be NULL. */
bool gap_store_can_query(const gap_storage_t *storage);
/** The job is over. */
void gap_store_was_read(gap_store_t *s, int status);

/* store_jobs.c */
/** Under which key a commit with calls stores its mark. */
gap_bytes_t gap_store_mark_key(void);
/** Do it; on the writer thread. Sets status, fault, cpu_us and what the kind says. */
void gap_store_job_run(struct gap_store_job *job);
/** Give back what came out of a job. */
void gap_store_job_clear(struct gap_store_job *job);

#endif
