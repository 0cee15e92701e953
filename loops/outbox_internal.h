/*
 * loops/outbox_internal.h - what the files of the outbox's actor share.
 *
 *   outbox_loop.c    life, what is next to do, when
 *   outbox_named.c   updateMessageID: which message a random_id has become
 *   outbox_look.c    what the tables say is new
 *   outbox_open.c    what the tables held at the beginning
 *   outbox_turn.c    one commit: outcomes, claims, posts, old rows
 *   outbox_send.c    from a claimed row to its call
 *   outbox_answer.c  from an answer to an outcome
 */
#ifndef GAP_LOOPS_OUTBOX_INTERNAL_H
#define GAP_LOOPS_OUTBOX_INTERNAL_H

#include "base/prng.h"
#include "loops/outbox_loop.h"
#include "outbox/answer.h"
#include "outbox/post.h"
#include "outbox/schedule.h"
#include "outbox/sql.h"

/** Why a row is parked that may have been sent. */
#define GAP_OUTBOX_MAYBE                                                                           \
    "it may have been done already, and is not repeated by itself: see for yourself, then retry "  \
    "or cancel it"

/** A line about tables that fail. */
#define OUTBOX_TROUBLE_BYTES 320

enum outbox_slot_state {
    SLOT_FREE = 0,
    SLOT_TAKEN,   /* a turn that is out may bring a row into it */
    SLOT_FINDING, /* a peer is looked for */
    SLOT_PROBING, /* has it happened? the server or the host is asked */
    SLOT_CALLING,
    SLOT_ENDED,   /* `finish` is to be stored */
    SLOT_STORING, /* is in the turn that is out */
    SLOT_OVER,    /* stored; its call has no answer yet */
};

/* A row in hand. */
struct outbox_slot {
    gap_outbox_t *owner;
    uint8_t state;     /* enum outbox_slot_state */
    bool calling;      /* a call or a look-up of it has no answer yet */
    bool left;         /* the schedule was told that it left */
    bool is_named;     /* one updateMessageID says that it was sent */
    bool told;         /* the host is told when it is stored */
    bool server_asked; /* PROBING: by a call */
    uint8_t finds;
    int32_t named; /* updateMessageID: the message; 0: none came */
    gap_peer_t missing;
    gap_replay_t replay;
    uint32_t method;
    struct gap_row row;
    struct gap_asked asked;
    struct gap_outcome outcome;
    struct gap_finish finish; /* times are on the limits' clock until it is stored */
    struct gap_gate gates[GAP_GATE_LEARNED_MAX];
    size_t gate_count;
};

/* A row that may have been sent and waits for its turn. */
struct outbox_unknown {
    int64_t row;
    int64_t random_id;
    int64_t chat;
    uint32_t kind;
    int32_t message_id; /* updateMessageID came: to be stored */
};

/* One look, on the writer thread while it is out. */
struct outbox_look {
    bool out;
    /* in */
    bool all;   /* the chats, from `chat` on; else rows above `after` */
    bool force; /* also if nothing has changed */
    int64_t after;
    int64_t chat;
    int64_t data; /* the version that was seen last */
    int64_t now_us;
    uint64_t debounce_us;
    bool has_render;
    bool ask; /* if a table is damaged: which one */
    /* out */
    struct gap_outdb_version version;
    char damaged[GAP_OUTDB_NAME_BYTES]; /* the table; "": not asked, or not known */
    bool changed;
    int64_t last;
    int64_t post_due_us;
    size_t count;
    struct gap_head heads[GAP_OUTBOX_LOOK_MAX];
};

/* What the tables held when they were opened; on the writer thread while that turn is out. */
struct outbox_opening {
    const gap_alloc_t *alloc;
    struct gap_outdb_opening db;
    struct outbox_bucket {
        int64_t chat;
        int64_t millionths;
    } * buckets;
    size_t bucket_count;
    size_t bucket_cap;
    struct gap_gate gates[GAP_GATES_MAX];
    size_t gate_count;
    struct outbox_unknown unknown[GAP_OUTBOX_UNKNOWN_MAX];
    size_t unknown_count;
    bool bulk_stopped;
};

/* One turn, on the writer thread while it is out. */
struct outbox_turn {
    bool out;
    /* in */
    int64_t now_us; /* wall */
    struct outbox_opening *opening;
    bool prune;
    int64_t prune_before_us;
    int64_t full_before_us; /* on the limits' clock: older buckets are full */
    bool step;
    int64_t shift_us; /* by so much the wall clock was set back */
    uint64_t debounce_us;
    gap_post_render_cb render;
    void *render_data;
    bool ask; /* if a table is damaged: which one */
    size_t gate_count;
    struct outbox_slot *ended[GAP_OUTBOX_FLIGHT_MAX];
    struct gap_finish finishes[2 * GAP_OUTBOX_FLIGHT_MAX];
    struct outbox_unknown named[GAP_OUTBOX_FLIGHT_MAX]; /* behind those of `ended` */
    size_t ended_count;
    size_t named_count;
    struct gap_gate_row gates[GAP_OUTBOX_FLIGHT_MAX * GAP_GATE_LEARNED_MAX];
    /* in and out */
    struct gap_claims claims;
    struct gap_claim claim[GAP_OUTBOX_FLIGHT_MAX + 1];
    /* out */
    char damaged[GAP_OUTDB_NAME_BYTES];
    uint32_t pruned;
    struct gap_finishes finish;
    struct gap_post_told posts; /* of the step */
};

struct gap_outbox {
    gap_loop_t loop;
    gap_rt_t *rt;
    const gap_alloc_t *alloc;
    gap_timer_t timer; /* always running: starting it again can't fail */
    gap_store_t *store;
    int64_t epoch;
    gap_prng_t prng;
    gap_outbox_config_t config; /* complete */
    struct gap_outbox_hooks hooks;
    struct gap_steady steady;
    struct gap_limits limits;
    struct gap_schedule schedule;
    struct outbox_look look;
    struct outbox_turn turn;
    struct outbox_slot slots[GAP_OUTBOX_FLIGHT_MAX];
    struct gap_item item; /* the row that is being looked at */
    gap_buf_t query;      /* the call that is being made */
    struct outbox_unknown unknown[GAP_OUTBOX_UNKNOWN_MAX];
    size_t unknown_count;
    gap_outbox_stats_t stats;
    bool is_open;
    bool has_failed; /* to open, for good */
    bool stopped;
    bool closing;
    bool store_closed;
    /* looking */
    bool wanted;     /* look at once, whatever the version says */
    bool wanted_all; /* and over all chats, when the time has come */
    bool walking;    /* a walk over all chats is under way: at walk_chat */
    bool behind;     /* there was no room for a chat */
    bool broken;     /* there are rows whose chat is no number */
    int64_t walk_chat;
    int64_t last_row; /* rows up to it have been seen */
    int64_t data;     /* version; 0: none seen yet */
    uint64_t poll_us; /* when to look next */
    uint64_t look_us; /* not before: one has failed */
    uint64_t walk_us; /* not before */
    bool stale;       /* others have committed since the last walk began */
    bool own; /* and so may have functions on the storage's connection: no version says so */
    /* tables that fail */
    int trouble;         /* what was told last; 0: nothing */
    uint64_t trouble_us; /* the same not again before */
    /* turning */
    bool only_store;   /* the last turn failed: outcomes first */
    uint64_t again_us; /* not before */
    uint64_t pause_us;
    int64_t post_due_us; /* wall; INT64_MAX: nothing is marked */
    uint64_t step_us;    /* not before: posts could not be rendered */
    uint64_t prune_us;
    uint64_t trim_us; /* not before */
    int64_t shift_us; /* the wall clock was set back, and that is to be stored */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* outbox_loop.c */
int64_t outbox_wall_us(const gap_outbox_t *ob);
/** The clock of limits and schedule. */
int64_t outbox_now_us(const gap_outbox_t *ob);
/** A time of that clock on the wall's. */
int64_t outbox_to_wall(const gap_outbox_t *ob, int64_t us);
bool outbox_is_ready(const gap_outbox_t *ob);
/** May new rows be taken? */
bool outbox_claims(const gap_outbox_t *ob);
/** The method that a head will call, as far as it is known. */
uint32_t outbox_method_of(const struct gap_head *head);
/** What a chat's next row is now: into the schedule, with whether it was read as its oldest one. */
void outbox_take_head(gap_outbox_t *ob, int64_t chat, const struct gap_head *head, bool oldest);

/** Tables could not be read or written: tell it, if it is time. @param table The one that is
 * damaged; "": not known. */
void outbox_tell_trouble(gap_outbox_t *ob, int error, const char *table);
/** Is it worth looking which table is damaged? */
bool outbox_asks(const gap_outbox_t *ob);
/** A line about it. */
void outbox_trouble_line(int error, const char *table, char *line, size_t len);

/* outbox_named.c */
/** A row may have been sent and waits for its turn; one updateMessageID with its random_id says
 * that it was. Without room for it here it is resolved by repeating it alone. */
void outbox_unknown_add(gap_outbox_t *ob, const struct outbox_unknown *row);
/** It waits no more. @return the message, if it is known; 0. */
int32_t outbox_unknown_take(gap_outbox_t *ob, int64_t row);
/** Rows in hand that were named end. */
void outbox_end_named(gap_outbox_t *ob);

/* outbox_look.c */
/** Begin one if it is due. */
void outbox_look_begin(gap_outbox_t *ob);
/** @return when the next one is due, on the runtime's clock. */
uint64_t outbox_look_due_us(const gap_outbox_t *ob);

/* outbox_open.c */
/** @return NULL: no memory. */
struct outbox_opening *outbox_opening_new(gap_outbox_t *ob);
void outbox_opening_free(struct outbox_opening *o);
/** On the writer thread. */
GAP_NODISCARD int outbox_opening_run(struct outbox_opening *o, struct sqlite3 *db);
/** Take over what it found. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int outbox_opening_take(gap_outbox_t *ob, const struct outbox_opening *o);

/* outbox_turn.c */
/** Begin one if there is something for it. */
void outbox_turn_begin(gap_outbox_t *ob);
uint64_t outbox_turn_due_us(gap_outbox_t *ob);

/* outbox_send.c */
/** Its claim is on disk. */
void outbox_slot_begin(struct outbox_slot *slot);
/** PROBING by the host: its answer. */
void outbox_slot_probed(struct outbox_slot *slot, bool happened);
/** It was not handed to the connection. */
void outbox_slot_give_back(struct outbox_slot *slot, uint64_t pause_us);

/* outbox_answer.c */
void outbox_slot_answer(struct outbox_slot *slot, const gap_result_t *result);
/** An outcome: it is to be stored. */
void outbox_slot_end(struct outbox_slot *slot, const struct gap_outcome *outcome);
void outbox_slot_park(struct outbox_slot *slot, bool chat, int error, const char *reason);
/** A row as the host sees it. */
void outbox_row_of(const struct outbox_slot *slot, gap_outbox_row_t *out);
/** The outcome is on disk. */
void outbox_slot_stored(struct outbox_slot *slot, const struct gap_finish *finish);
/** Nothing of it is under way any more. */
void outbox_slot_free(struct outbox_slot *slot);
/** A row that a claim put aside. */
void outbox_tell_aside(gap_outbox_t *ob, const struct gap_row *row);

#endif
