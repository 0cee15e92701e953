/*
 * loops/journal_internal.h - what the files of the journal share.
 *
 *   journal.c         entries: when they are written, counted, through
 *   journal_recall.c  what former runs have done, or left behind
 *   journal_rows.c    rows and dead letters that are read; who is served
 */
#ifndef GAP_LOOPS_JOURNAL_INTERNAL_H
#define GAP_LOOPS_JOURNAL_INTERNAL_H

#include "base/map.h"
#include "base/pool.h"
#include "loops/journal.h"
#include "runner/packed.h"

TAILQ_HEAD(gap_journal_list, gap_journal_entry);

/** In which list an entry is. */
enum gap_journal_where {
    JOURNAL_NOWHERE = 0,
    JOURNAL_LISTED,  /* not written yet */
    JOURNAL_WAITING, /* for a flush */
    JOURNAL_READY,   /* its flush is over, and it is about to be told */
    JOURNAL_QUEUED,  /* until the one that is tried alone is through */
};

/** An event of a former run. */
struct gap_recalled {
    gap_eid_t eid;
    uint64_t content;
    bool done; /* handled; else it is in the journal */
};

struct gap_recall {
    gap_map_t map; /* first half of the eid -> struct gap_recalled */
    gap_pool_t pool;
};

/** A handled update above its watermark. */
struct gap_journal_handled {
    gap_eid_t eid;
    uint64_t content;
    struct gap_place place;
};

/** Removals that the store could not take for lack of memory. */
#define GAP_JOURNAL_OWED_MAX 64
/** Entries written in one turn of the timer. */
#define GAP_JOURNAL_BATCH 256
/** Bytes of the buffer for packing that are kept. */
#define GAP_JOURNAL_SCRATCH_KEPT 65536

enum gap_replay_state {
    REPLAY_NONE = 0,
    REPLAY_FLUSHING, /* what tells the next start how this one ended is being stored */
    REPLAY_DUE,      /* a page is to be asked for when the timer fires */
    REPLAY_ASKED,    /* it is being read */
    REPLAY_PAUSED,   /* no room: gap_journal_replay_on */
    REPLAY_OVER
};

struct gap_journal {
    gap_rt_t *rt;
    const gap_alloc_t *alloc;
    gap_store_t *store;
    gap_engine_t *engine; /* NULL: none */
    const struct gap_journal_user *user;
    bool deserted; /* nobody is served any more: rows stay */
    void *user_arg;
    struct gap_eid_key key;
    gap_timer_t timer;
    gap_journal_mode_t mode;
    bool unclean;
    uint64_t after_us;
    uint32_t attempts_max;
    uint64_t number; /* given last */
    uint64_t last;   /* of a former run */
    struct gap_journal_list listed;
    struct gap_journal_list waiting;
    struct gap_journal_list ready;
    struct gap_journal_list queued;
    struct gap_journal_entry *alone; /* is tried alone; NULL: none is */
    uint64_t alone_us;               /* since when */
    uint64_t retry_us; /* nothing is written before, after the store has refused; 0: it has not */
    uint64_t round;    /* of the next flush */
    uint64_t flushing; /* the one that is out; 0: none */
    uint64_t flush_us; /* not before, after it could not be asked for; 0: at once */
    struct gap_recall recall;
    struct gap_journal_handled *handled;
    size_t handled_count;
    size_t handled_cap;
    size_t handled_kept; /* when it was full last: how many were left */
    uint64_t owed[GAP_JOURNAL_OWED_MAX];
    size_t owed_count;
    uint8_t *scratch;
    size_t scratch_cap;
    uint8_t replay; /* enum gap_replay_state */
    uint64_t replay_at;
    uint64_t replay_seen; /* where the page began */
    uint64_t replay_us;   /* REPLAY_DUE: when */
    struct gap_journal_counters count;
};

/* journal.c */
/** Start the timer for whatever is due first. */
void gap_journal_arm(gap_journal_t *j);
/** Pack an update; valid until the next time. @return empty: out of memory, or too large. */
gap_bytes_t gap_journal_pack(gap_journal_t *j, const gap_update_t *update, int32_t before);
/** Remove a row; what the store can't take is owed. */
void gap_journal_remove(gap_journal_t *j, uint64_t number);
/** A number that no row had. */
uint64_t gap_journal_number(gap_journal_t *j);
/** It is handled: to be known when it comes again. */
void gap_journal_handled(gap_journal_t *j, const struct gap_place *place,
                         const struct gap_identity *identity);

/** It is to be handled after all: when its row is found it must not be taken for done. @return 0,
 * GAP_E_NOMEM. */
GAP_NODISCARD int gap_journal_undo(gap_journal_t *j, const gap_eid_t *eid);

/* journal_recall.c */
/** @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int gap_recall_init(gap_journal_t *j, const struct gap_journal_config *config);
void gap_recall_fini(gap_journal_t *j);
struct gap_recalled *gap_recall_find(const gap_journal_t *j, const gap_eid_t *eid);
void gap_recall_forget(gap_journal_t *j, struct gap_recalled *r);
/** A row of a former run may be of a slice that no stored position has passed: its name takes its
 * place. @return the position to be passed before the name may be forgotten: where the engine has
 * none, all may be fetched again; and an engine that is gone stores none. */
int32_t gap_journal_until(const gap_journal_t *j, gap_box_t box, int64_t channel_id,
                          int32_t before);
/** An update that may have come before. May make an edit of it. @return true to leave it out. */
bool gap_recall_had(gap_journal_t *j, gap_update_t *update);

/* journal_rows.c */
/** The timer: a page is due. */
void gap_journal_replay_due(gap_journal_t *j);

#endif
