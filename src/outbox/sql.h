/*
 * outbox/sql.h - the outbox's tables: what a client does with them. Everything here runs on the
 * writer thread, with the connection of the storage: writes inside a function of gap_store_call,
 * reads inside one of gap_store_query. Statements live as long as a call.
 *
 *   enqueue --> READY --claim--> LEASED --finish--> SENT | PARKED | DEAD | READY
 *                                 ^            \--> SNOOZED | UNKNOWN
 *                                 +------ claim ------+----------+
 *
 * A function of gap_store_call may be run again if the commit fails: all of these set their outputs
 * anew each time, and whoever collects what callbacks say begins anew each time.
 *
 * Rows that nobody could have written (edited by hand, of an unknown kind, of a newer version, with
 * text where a number belongs, whose bytes can't be unpacked) are parked with a reason when their
 * turn comes; they are no error of any of these functions.
 *
 * Results of all: 0; GAP_E_NOMEM; GAP_E_STORAGE; GAP_E_DAMAGED a table or a column is gone;
 * GAP_E_BUSY somebody else writes (the storage's own transaction waits for that); GAP_E_NEWER,
 * GAP_E_FOREIGN whose tables these are; GAP_E_NOT_FOUND built without SQLite.
 */
#ifndef GAP_OUTBOX_SQL_H
#define GAP_OUTBOX_SQL_H

#include "outbox/gates.h"
#include "outbox/post.h"

/** Of the tables and of the rows in them. */
#define GAP_OUTBOX_VERSION 1
/** Under this chat the rows are claimed (that is, parked) whose chat is no number. */
#define GAP_OUTBOX_CHAT_BROKEN INT64_MAX
/** The account's own entry among the chats: its bucket, and PEER_FLOOD. RAW rows without a chat
 * stand in line under this number, too; they have no bucket but the account's. */
#define GAP_OUTBOX_CHAT_ACCOUNT 0
/** Bad, late and cancelled rows that one claim of a chat puts aside before it lets go. */
#define GAP_OUTBOX_ASIDE_MAX 32
/** Pages in memory of a storage that has claimed or finished more rows than that in one commit:
 * each chat has its own place in the index of the rows that wait. */
#define GAP_OUTBOX_CACHE_KIB 512
#define GAP_OUTBOX_MANY      8
/** Longest reason, bytes; more is cut. */
#define GAP_OUTBOX_REASON_MAX 160

/** A peer as one number (Bot API's marks); 0: GAP_PEER_NONE. */
int64_t gap_outbox_mark(gap_peer_t peer);
/** @return GAP_PEER_NONE: the number is no peer's. */
gap_peer_t gap_outbox_peer(int64_t mark);

/** A row that was claimed or put aside. Views into memory of its own: gap_row_fini. */
struct gap_row {
    int64_t row;
    uint32_t kind;
    gap_outbox_class_t urgency;
    gap_outbox_state_t state; /* as it is now: LEASED if claimed */
    int64_t chat;
    int64_t random_id;  /* 0: its kind has none */
    int32_t target;     /* the message it is about or answers: EDIT, DELETE, PIN, REACT with one id,
                           and whatever names a row (message_row, reply_to_row); 0: see the item */
    int64_t target_row; /* that row; 0: none */
    uint32_t attempts;  /* this one included */
    int64_t not_before_us;
    int64_t deadline_us;
    bool begun;         /* a call of it may have been executed already: this is a repeat */
    uint32_t doubles;   /* how often the server has said RANDOM_ID_DUPLICATE */
    int32_t message_id; /* SENT */
    int32_t error;
    int64_t done_us;
    gap_bytes_t reason;
    gap_bytes_t key;
    int64_t post;         /* gapless_outbox_post.post; 0: of none */
    gap_bytes_t post_key; /* its key */
    gap_bytes_t hash;     /* 16 bytes or empty: of the content */
    gap_bytes_t payload;  /* for gap_item_unpack; of a POST: an item of kind SEND, MEDIA or EDIT */
    const gap_alloc_t *alloc;
    void *memory;
};
/** Safe twice, and on zeros. */
void gap_row_fini(struct gap_row *row);
/** As users see it. @param out Views into @p row. */
void gap_row_view(const struct gap_row *row, gap_outbox_row_t *out);

/** Longest back-off and pause: what is stored as waiting for more than twice that was stored under
 * a clock that has been set back since. */
#define GAP_OUTBOX_WAIT_MAX_US GAP_GATE_MAX_US
/** Until when a row waits that is stored with this. @return 0: it need not. */
int64_t gap_row_waits_us(gap_outbox_state_t state, int64_t not_before_us, int64_t now_us);

/** The oldest row of a chat that waits. */
struct gap_head {
    int64_t chat;
    int64_t row; /* 0: none waits */
    uint32_t kind;
    uint32_t raw;   /* constructor of RAW's method; 0: another kind, or it can't be read */
    int32_t target; /* as in gap_row; POST: 0 if it sends, else it edits */
    gap_outbox_class_t urgency;
    gap_outbox_state_t state; /* READY, SNOOZED, LEASED (of another epoch) or UNKNOWN */
    bool parked;              /* the chat is */
    int64_t not_before_us;    /* or 0 */
    int64_t random_id;
};

/* ---- opening ---- */

/** What is stored about a chat; chat 0: about the account. */
struct gap_chat_state {
    int64_t chat;
    bool has_bucket;
    int64_t tokens; /* as they were put, whatever their unit */
    int64_t at_us;
    bool parked; /* chat 0: BULK is stopped */
    int32_t error;
    gap_bytes_t reason;
    int64_t parked_us; /* since when */
};

/** A learned limit: calls of a method to a chat are refused until then. */
struct gap_gate_row {
    uint32_t method; /* as in struct gap_gate */
    int64_t chat;    /* 0: all */
    int64_t until_us;
    int32_t error;      /* 420 */
    gap_bytes_t reason; /* "FLOOD_WAIT_30" */
};

struct gap_outdb_opening {
    int64_t epoch; /* of this opening; rows leased by another one are UNKNOWN from now on */
    /** As the client uses them, stored for gap_outbox_eta: calls, per_ms, burst. */
    gap_outbox_rate_t account;
    gap_outbox_rate_t user;
    gap_outbox_rate_t group;
    int64_t now_us;
    int64_t full_before_us; /* gap_limits_full_before: older buckets are forgotten */
    /* Each returns 0 or negative, which ends it and is the result. Views are borrowed. */
    int (*chat)(void *arg, const struct gap_chat_state *chat);
    int (*gate)(void *arg, const struct gap_gate_row *gate);
    /** A row that may have been sent. */
    int (*unknown)(void *arg, const struct gap_head *head);
    void *arg;
    int64_t last_row; /* out: the highest number ever given; 0: none */
};
/** Make the tables if they are missing; entries that say nothing any more are removed. Inside a
 * transaction. */
GAP_NODISCARD int gap_outdb_open(struct sqlite3 *db, struct gap_outdb_opening *o);

/* ---- looking; outside of a transaction, too ---- */

/** Takes a head. @return 0 go on; anything else ends it and is the result. */
typedef int (*gap_head_cb)(void *arg, const struct gap_head *head);
/**
 * Rows that wait with numbers above @p after, ascending, at most @p limit; not only the oldest ones
 * of their chats. Those whose chat is no number come under GAP_OUTBOX_CHAT_BROKEN.
 * @param last  The number up to which all have been seen: @p after if there is nothing new.
 */
GAP_NODISCARD int gap_outdb_scan(struct sqlite3 *db, int64_t after, uint32_t limit,
                                 gap_head_cb each, void *arg, int64_t *last);
/**
 * The oldest waiting row of each chat above @p after_chat (INT64_MIN: all; GAP_OUTBOX_CHAT_BROKEN
 * comes last), at most @p limit; with the last ones, a second time perhaps, chats with rows whose
 * state people have set to one that waits. Fewer than @p limit: that was all. Parked chats come
 * with `parked` set. In proportion to the chats, not to the rows.
 */
GAP_NODISCARD int gap_outdb_chats(struct sqlite3 *db, int64_t after_chat, uint32_t limit,
                                  gap_head_cb each, void *arg);
/** The oldest waiting row of a chat; out->row is 0 if there is none. */
GAP_NODISCARD int gap_outdb_head(struct sqlite3 *db, int64_t chat, struct gap_head *out);

/** Has anything changed? */
struct gap_outdb_version {
    int64_t data;     /* PRAGMA data_version: changes with commits of other connections */
    int64_t last_row; /* the highest number ever given */
    bool bulk_stopped;
};
GAP_NODISCARD int gap_outdb_version(struct sqlite3 *db, struct gap_outdb_version *out);

/** Of a table's name, and an end. */
#define GAP_OUTDB_NAME_BYTES 64
/** In a database of more pages nobody looks which table is damaged: it would take too long. */
#define GAP_OUTDB_CHECK_PAGES 32768
/** One of these functions has said GAP_E_DAMAGED: which table is it? Reads them all.
 * @param table  "": it is not known. */
void gap_outdb_damaged(struct sqlite3 *db, char table[GAP_OUTDB_NAME_BYTES]);

/* ---- claiming; inside a transaction ---- */

typedef enum gap_claim_result {
    GAP_CLAIM_EMPTY = 0, /* nothing waits there */
    GAP_CLAIM_TAKEN,     /* `row` is leased */
    GAP_CLAIM_LATER,     /* not before until_us; `head` says which row that is */
    GAP_CLAIM_OTHER,     /* another row than `expect` is the oldest one: `head`; nothing is taken */
    GAP_CLAIM_AGAIN,     /* GAP_OUTBOX_ASIDE_MAX were put aside; there is more */
    GAP_CLAIM_PARKED,    /* the chat is */
    GAP_CLAIM_STOPPED    /* a BULK row, while these are stopped */
} gap_claim_result_t;

/** One chat that may send. */
struct gap_claim {
    /* in */
    int64_t chat;
    int64_t expect;  /* the row for which limits were looked at; 0: whichever it is */
    bool oldest;     /* it was read as the oldest one of its chat: that is not looked up again */
    bool has_bucket; /* if one is taken: store this with it */
    int64_t tokens;
    int64_t at_us;
    /* out */
    gap_claim_result_t result;
    int64_t until_us;     /* LATER */
    struct gap_head head; /* LATER, OTHER, STOPPED */
    struct gap_row row;   /* TAKEN */
};

/** Some chats at a time. Zero-initialise; gap_claims_fini. */
struct gap_claims {
    /* in */
    const gap_alloc_t *alloc;
    struct gap_claim *claims; /* the caller's */
    size_t count;
    int64_t now_us;
    int64_t epoch;
    bool bulk_stopped;
    bool has_probe;  /* rows of GAP_REPLAY_PROBE can be asked about; else they are parked */
    bool has_bucket; /* of the account: stored if at least one is taken */
    int64_t tokens;
    int64_t at_us;
    /* out */
    size_t taken;
    struct gap_row *aside; /* parked, dead or cancelled on the way; without payload */
    size_t aside_count;
    size_t aside_cap;
};
/** Take the oldest waiting row of each chat, all or none. Attempts are counted. A LEASED row is
 * taken for an UNKNOWN one: the caller has nothing in flight there. */
GAP_NODISCARD int gap_outdb_claim(struct sqlite3 *db, struct gap_claims *c);
/** Forget what came out, keep what went in. */
void gap_claims_clear(struct gap_claims *c);
/** Give back rows and what was put aside; not `claims` itself. Safe twice. */
void gap_claims_fini(struct gap_claims *c);

/* ---- what became of them; inside a transaction ---- */

/** What became of a row that is LEASED or UNKNOWN. A POST's row ends as gap_post_finished says. */
struct gap_finish {
    /* in; views are borrowed */
    int64_t row;
    gap_outbox_state_t state; /* READY, SNOOZED, UNKNOWN, SENT, PARKED, DEAD or CANCELLED */
    bool uncounted;           /* the attempt is given back */
    bool executed;            /* a call may have been executed: what comes next is a repeat */
    bool doubled;             /* one more RANDOM_ID_DUPLICATE */
    int32_t message_id;       /* SENT: of the message; 0: none */
    int64_t not_before_us;    /* READY, SNOOZED, UNKNOWN; or 0 */
    int32_t error;
    gap_bytes_t reason;
    gap_bytes_t hash; /* 16 bytes: stored as what was acknowledged; empty: as it is */
    bool park_chat;   /* with `error` and `reason`; the row stays in its place until then */
    bool stop_bulk;   /* the account, likewise */
    enum gap_post_end post_end; /* POST rows; does not count with READY: no call was made */
    /* out */
    bool applied;              /* false: the row is gone, or neither LEASED nor UNKNOWN */
    gap_outbox_state_t became; /* `state`, unless it is a POST's */
    const char *because;       /* instead of `reason`; NULL: that. Static */
    struct gap_head next;      /* the oldest waiting row of its chat afterwards */
};

/** Some at a time. Zero-initialise. */
struct gap_finishes {
    /* in */
    const gap_alloc_t *alloc;
    struct gap_finish *finishes; /* the caller's */
    size_t count;
    int64_t now_us; /* `done_us` of what is done */
    /* out */
    struct gap_post_told told;
};
/** Store outcomes, all or none. Rows that waited for the message of a SENT one know its id then,
 * and the posts that show it are marked. */
GAP_NODISCARD int gap_outdb_finish(struct sqlite3 *db, struct gap_finishes *f);
/** A learned limit; the one that was there for method and chat is replaced. until_us 0: forget. */
GAP_NODISCARD int gap_outdb_gate(struct sqlite3 *db, const struct gap_gate_row *gates,
                                 size_t count);
/** The wall clock was set back by @p by_us (negative: forward): what waits for a time of the
 * server's or after a failure waits as long as before. Times that people gave stay what they are.
 */
GAP_NODISCARD int gap_outdb_shift(struct sqlite3 *db, int64_t by_us);
/** Remove rows that were SENT or CANCELLED before @p before_us, at most @p limit. @param removed
 * How many; less than @p limit: there is no more. */
GAP_NODISCARD int gap_outdb_prune(struct sqlite3 *db, int64_t before_us, uint32_t limit,
                                  uint32_t *removed);
/** Remove buckets of chats that are full again and gates that are open: they say nothing any more.
 * @param full_before_us gap_limits_full_before(). @param now_us The present, as gates have it.
 * @param limit Of each. */
GAP_NODISCARD int gap_outdb_forget(struct sqlite3 *db, int64_t full_before_us, int64_t now_us,
                                   uint32_t limit);

#endif
