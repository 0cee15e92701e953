/*
 * tests/sim/globe_int.h - what the files of the virtual world share: its records, and who calls
 * whom.
 *
 *   globe.c        open, the host's turns, the end
 *   globe_life.c   the process: handlers, what is stored, birth and death
 *   globe_keep.c   the process with a store, a journal and a runner: its disk and its threads
 *   globe_runs.c   the judge of what a runner gives to handlers
 *   globe_net.c    time: things under way, pushes, the connection, stalls
 *   globe_serve.c  questions and answers, rules
 *   globe_call.c   what happens at the server: events, the account's own calls
 *   globe_judge.c  the judge: every delivery against the model's events
 *   globe_find.c   the judge: which event an update is
 *   globe_mark.c   the judge: what is stored, what may be missing, whether all is there
 *   globe_hand.c   what is done to the world by hand
 *   globe_say.c    what is traced
 */
#ifndef GAP_TESTS_SIM_GLOBE_INT_H
#define GAP_TESTS_SIM_GLOBE_INT_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/packet.h"
#include "base/prng.h"
#include "dc/model.h"
#include "globe.h"
#include "loops/engine.h"
#include "loops/loop.h"

#include <stdio.h>
#include <sys/queue.h>

#define GLOBE_RULES    64
#define GLOBE_ORDERS   64
#define GLOBE_TOGETHER 16    /* events of one container */
#define GLOBE_CHANNELS 16384 /* of a world, at most */
#define GLOBE_CALLS    64
#define BOX_COMMON     0
#define BOX_QTS        1
#define BOX_CHANNEL    2 /* and those behind it */
#define BOX_NONE       (-1)
#define CALL_COMMON    INT64_C(0)
#define MS             UINT64_C(1000)

/* ---- things under way ---- */

enum thing_kind {
    THING_PUSH,    /* to the host: bytes of the server's own */
    THING_SESSION, /* to the host: a new session begins */
    THING_QUERY,   /* to the server: a question of the engine */
    THING_ANSWER,  /* to the host: its answer */
    THING_OWN,     /* to the server: a call of the account */
    THING_RESULT,  /* to the host: its result */
    THING_CONNECT, /* the connection is back */
    THING_FINISH,  /* in the host: a handler comes to its end */
    THING_COLLECT, /* in the host: it is time to collect what changed */
    THING_WRITTEN, /* in the host: what was collected is on the disk */
    THING_MISSED,  /* in the host: it thinks that updates were missed */
    THING_WORK,    /* in the host: a thread is through with a job */
    THING_START,   /* the next process begins */
};

struct thing {
    gap_heap_node_t node;     /* under way */
    STAILQ_ENTRY(thing) next; /* arrived */
    enum thing_kind kind;
    uint32_t process; /* which it belongs to; 0: none */
    uint32_t connection;
    gap_packet_t *packet;        /* PUSH, OWN (the query), RESULT, ANSWER */
    gap_packet_t *query;         /* RESULT: the call */
    uint32_t ns[GLOBE_TOGETHER]; /* events in it */
    uint32_t n_count;
    uint32_t call; /* QUERY, ANSWER: its number */
    bool decided;  /* QUERY: its fault has been decided, and is done with */
    bool resets;   /* PUSH: it says that the server counts anew */
    bool garbage;  /* PUSH: nobody can read it */
    bool by_hand;  /* PUSH, RESULT: whether the engine takes it is not judged */
    int status;    /* ANSWER, FINISH */
    int32_t code;  /* ANSWER: rpc_error */
    char text[64];
    struct covered *covered; /* ANSWER: what it says of events */
    gap_update_t *update;    /* FINISH */
    struct globe_call own;
    struct globe_push push; /* OWN: of what it causes */
};
STAILQ_HEAD(thing_list, thing);

/** What an answer covers, for the judge. */
struct covered {
    uint32_t first; /* constructor of the answer */
    int box;        /* of pts */
    int32_t from;
    int32_t to;
    int32_t state[2]; /* GLOBE_STATE: pts, qts */
    uint32_t count;
    uint32_t folded[];
};

/** A question of the engine that is not answered yet. */
struct call {
    uint32_t number; /* 0: free */
    enum globe_question question;
    int64_t channel; /* 0: of the account */
    int32_t pts;
    int32_t qts;
    gap_packet_t *query;
    gap_answer_cb cb;
    void *arg;
};

/* ---- what is stored ---- */

struct kept_state {
    bool known;
    gap_engine_state_t state;
    gap_engine_channel_t *channels; /* room for all of the world */
    size_t count;
};

/* ---- the judge ---- */

/** One event, as the judge keeps it; index n. */
struct seen {
    int box; /* BOX_NONE too */
    dc_kind_t kind;
    int32_t pts;
    int32_t count;
    int32_t id;
    uint32_t message; /* n of the message that it is about; 0 none, or several */
    uint32_t same;    /* an older event with the same identity; 0 none */
    uint32_t era;     /* of its box: how often the server has begun to count anew */
    uint32_t life;    /* process in which it was delivered last; 0 never */
    uint32_t content; /* messages: n of the newest content delivered in content_life */
    uint32_t content_life;
    uint32_t best;    /* the same, of all processes */
    uint32_t touched; /* messages: process in which an edit or delete was delivered last */
    uint32_t gone;    /* messages: n of their delete; 0 they are there */
    dc_peer_t chat;
    uint64_t made_us;
    int32_t max_id; /* reads */
    bool outbox;    /* reads */
    bool received;  /* the account gets it */
    bool arrived;   /* without a box: its push reached the engine in this process */
    bool silent;    /* the result of an own call told of it */
    bool folded;    /* said so by an answer that reached the engine */
    bool finished;  /* its handler has ended */
    bool excused;   /* the engine said that it can't be had; or it lies before the beginning */
    bool settled;   /* scratch of the last judgement */
    /* with a runner */
    uint8_t run;       /* of this process: what became of the last one */
    bool journalled;   /* a row of it was on the disk */
    bool dead;         /* it was given up */
    bool counted;      /* a transaction of it was committed */
    bool as_edit;      /* its message came with its content: it may come in two ways */
    bool anew;         /* it was lost with its channel, and may come again */
    uint32_t run_life; /* process in which it was run last */
    uint32_t attempts; /* number of the last run */
    uint32_t begun;    /* runs in all */
    uint32_t copies;   /* in this process, and neither handled nor given up */
    uint32_t recorded; /* process that recorded it as done; 0: none */
};

/** One box, as the judge keeps it. */
struct judged_box {
    uint32_t *ns; /* its events, by pts within an era */
    uint32_t count;
    uint32_t cap;
    uint32_t *ids; /* messages by id - 1: n */
    uint32_t id_count;
    uint32_t id_cap;
    uint32_t era;
    uint32_t told_era;   /* which the engine has said that it knows */
    uint32_t staged_era; /* the same when it was collected from last */
    uint32_t kept_era;   /* which a process knows that begins with what is stored */
    bool known;          /* there is a position from which on events matter */
    bool soft;           /* nothing has been delivered from it: it may still begin earlier */
    bool cause;          /* the server has given a reason to give events up */
    bool too_long;       /* answered as too long in this process */
    bool was_too_long;   /* in any */
    uint64_t lags_us;    /* since when its stored position lags too far; 0: it does not */
    bool unheard;        /* the server counts anew, and nobody has told the engine */
    bool lost;           /* the engine has said that there is no access */
    bool untrusted;      /* no honest server's: what arrives is not judged */
    uint32_t from_era;
    uint64_t given_us;  /* when events of it were given up last */
    uint64_t pushed_at; /* turn in which the first push of it came; GLOBE_NEVER: none has */
    int32_t named;      /* where that said that it stands */
    int32_t named_most; /* the highest place named at once */
    uint64_t named_us;  /* when the first difference of an account that begins named it */
    int32_t from;       /* that position */
    int32_t live;       /* pts of the last live delivery of this process */
    uint32_t live_era;
    int32_t stored;   /* pts, 0 never */
    uint32_t checked; /* index up to which all was finished when it was stored */
};

/** The newest message of a chat that was delivered. */
struct chat_top {
    dc_peer_t chat;
    uint32_t life;
    int32_t id;
};

#define GLOBE_TOPS 256

struct judge {
    struct seen *seen; /* 1.. */
    uint32_t count;
    uint32_t cap;
    gap_map_t by_identity;
    struct judged_box *boxes;
    int box_count;
    struct chat_top tops[GLOBE_TOPS];
    uint32_t top_count;
    uint32_t lineage;    /* the first process that this one has its state from */
    bool started;        /* GAP_EVENT_STARTED in this process */
    bool ever_started;   /* in one of the lineage */
    uint64_t started_us; /* when it had caught up first in it */
    bool caught_up;      /* one of the lineage has */
    bool fresh;          /* this process began with nothing that was stored */
    uint64_t reasons;    /* that questions may have been asked for */
    char verdict[GLOBE_VERDICT_MAX];
};

/* ---- the world ---- */

struct counting_alloc {
    gap_alloc_t alloc;
    uint64_t bytes;
    uint64_t peak;
    long blocks;
};

struct order {
    uint32_t n;
    enum globe_handling how;
    uint32_t ms;
};

struct held_push {
    LIST_ENTRY(held_push) next;
    char name[GLOBE_NAME_MAX];
    struct thing *thing;
};

struct rule {
    struct globe_rule r;
    gap_packet_t *given; /* GLOBE_GIVEN */
    char text[64];
    uint32_t used;
};

struct globe {
    struct globe_options o;
    gap_prng_t random;  /* faults, delays */
    gap_prng_t choices; /* of the scheduler */
    uint64_t now_us;
    uint64_t asleep_us; /* that the monotonic clock has left out */
    uint64_t mono_us;   /* what it showed last */
    int64_t wall_us;    /* jumps of the server's clock */

    dc_model_t *model;
    dc_answer_t answer;
    gap_buf_t bytes;
    int32_t seq;

    gap_heap_t way;
    uint64_t last_push;       /* key of the push that arrives last */
    struct thing_list socket; /* arrived, not read */
    struct thing_list host;   /* to be done in the host's next turn */
    LIST_HEAD(, held_push) held;
    struct thing_list backlog; /* pushes for a connection that will be resumed */
    bool connected;
    bool resumed;
    uint32_t connection;
    uint64_t connect_us; /* when it is back */
    uint64_t net_stall_us;
    uint64_t socket_stall_us;
    uint64_t host_stall_us;
    uint32_t packed[GLOBE_TOGETHER];
    uint32_t packed_count;

    struct rule rules[GLOBE_RULES];
    uint32_t rule_count;
    uint32_t poisoned;
    int64_t random_id; /* of the last own message */
    struct order orders[GLOBE_ORDERS];
    uint32_t order_count;

    /* the process */
    gap_rt_t rt;
    gap_engine_t *engine;
    struct counting_alloc memory;
    bool alive;
    bool dying;
    bool closing;
    bool closed;
    bool more;        /* the last turn left something to do */
    uint32_t process; /* 1, 2 ... */
    uint32_t die_in;  /* deliveries; 0: not planned */
    uint32_t next_ms; /* pause before the next process */
    uint32_t call_number;
    struct call calls[GLOBE_CALLS];
    gap_update_t *later[1024];
    uint32_t later_n[1024];
    uint32_t later_count;
    bool collecting; /* collected or on its way to the disk */
    bool changed;
    uint32_t fail_commits;
    uint32_t failing_left; /* records that this one takes before it fails */
    struct kept_state staged;
    struct kept_state kept;

    struct keeper *keeper; /* NULL: the engine calls handlers, and what it hands over is kept */
    /** Stands between the engine and globe_update: how tests show that the judge condemns. */
    gap_update_cb handler;
    void *handler_note;

    struct judge j;
    struct globe_counts count;
    uint64_t idle_turns; /* in a row, in which no time passed */
    bool ceased;         /* no faults any more */
    bool has_raw;        /* something was made by hand: what is in no box is not judged */
};

/* globe.c */
void *globe_must(void *p);
struct thing *globe_thing(struct globe *g, enum thing_kind kind);
void globe_thing_free(struct thing *t);
bool globe_chance(struct globe *g, double p);
uint64_t globe_below(struct globe *g, uint64_t n);
static inline bool globe_tells(const struct globe *g)
{
    return g->o.line != NULL;
}
/** Is anything but the order of loops left to chance? */
static inline bool globe_draws(const struct globe *g)
{
    return g->o.seed != 0 && !g->o.told;
}
/** A time up to so many milliseconds, drawn; all of them where nothing is left to chance. */
static inline uint64_t globe_within_us(struct globe *g, uint32_t ms)
{
    return !globe_draws(g) ? ms * MS : globe_below(g, ms * MS + 1);
}
uint64_t globe_mono_us(const struct globe *g);
int64_t globe_wall_us(const struct globe *g);
gap_packet_t *globe_packet(gap_bytes_t bytes);
dc_view_t globe_view(const struct globe *g);
/** The engine's clock now; it never goes back. */
uint64_t globe_tick_clock(struct globe *g);

/* globe_life.c */
/** What the handler of event @p n is to do: as ordered, or drawn. */
enum globe_handling globe_order(struct globe *g, uint32_t n, uint32_t *ms);
/** The engine of a new process starts, and it connects. */
void globe_begin(struct globe *g);
/** The handler of every engine; @p data is the world. */
int globe_update(gap_update_t *update, void *data);
void globe_bury(struct globe *g);
/** A process that ends takes its connection with it. */
void globe_hang_up(struct globe *g);
void globe_plan_start(struct globe *g, uint32_t ms);
/** A handler comes to its end. */
void globe_finish(struct globe *g, const struct thing *t);
/** Collect what has changed, and have it written. */
void globe_collect(struct globe *g);
/** The next process. */
void globe_birth(struct globe *g);
/** What was collected is on the disk. Taken. */
void globe_written(struct globe *g, struct thing *t);

/* globe_net.c */
/** It is under way and due at that time. Taken. */
void globe_put(struct globe *g, struct thing *t, uint64_t at_us);
/** A time on the way, drawn. */
uint64_t globe_travel_us(struct globe *g, uint32_t least_ms);
struct thing *globe_thing_of(gap_heap_node_t *node);
/** When the next thing is due; GLOBE_NEVER. */
uint64_t globe_due(const struct globe *g);
/** Let what is due happen: arrive, or reach the server. */
void globe_happen(struct globe *g);
/** The next thing that the host may read now; NULL. */
struct thing *globe_read(struct globe *g);
bool globe_readable(const struct globe *g);
/** Push bytes that hold these events. */
void globe_push_events(struct globe *g, const uint32_t *ns, uint32_t count,
                       const struct globe_push *push);
/** Let a push meet its fate. Taken. */
void globe_send(struct globe *g, struct thing *t, const char *what, const struct globe_push *push);
/** Are pushes, results of own calls or questions under way? */
bool globe_is_busy(const struct globe *g);
/** What is under way is gone with its connection, or waits for the next. */
void globe_strand(struct globe *g);
void globe_forget_all(struct globe *g);

/* globe_serve.c */
int globe_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg);
/** A question has reached the server. Taken. */
void globe_serve(struct globe *g, struct thing *t);
/** An own call has. Taken. */
void globe_serve_own(struct globe *g, struct thing *t);
/** Hand an answer to the engine; a result. */
void globe_answered(struct globe *g, struct thing *t);
void globe_result(struct globe *g, struct thing *t);
/** All calls in flight end like that. */
void globe_fail_calls(struct globe *g, int status);
/** The process is gone: they are answered at once. */
void globe_drop_calls(struct globe *g);
/** A query, serialised; NULL: it can't be. */
gap_packet_t *globe_query(gap_tl_object_t query);

/* globe_judge.c: events and deliveries */
/** @param channels Of the world. */
void judge_init(struct judge *j, uint32_t channels);
void judge_fini(struct judge *j);
/** Something does not hold. The first is kept. */
void judge_say(struct globe *g, const char *what, const char *format, ...) GAP_PRINTF(3, 4);
void judge_made(struct globe *g, uint32_t n);
/** An update is handed over. @return the event, 0: none that is counted. */
uint32_t judge_delivery(struct globe *g, const gap_update_t *update);
/** BOX_NONE: it is none of the world's. */
int judge_channel_box(const struct globe *g, int64_t channel);
/** What comes of this channel begins anew. */
void judge_anew(struct globe *g, int box);

/* globe_find.c: which event is it? */
/** Of a text, or of what else names an event. */
uint64_t find_key(const dc_event_t *ev, int box);
/** The event of an update; of a message the content as well. @return 0 it is none that is counted;
 * FIND_UNKNOWN it should be one. */
uint32_t find_event(const struct globe *g, const gap_update_t *update, uint32_t *content);
/** The message with this id; 0 none. */
uint32_t find_message(const struct globe *g, int box, int32_t id);
/** Ids of a delete; empty for other updates. */
gap_tl_vector_t find_deleted(const gap_update_t *update);
#define FIND_UNKNOWN UINT32_MAX

/* globe_mark.c: what is stored, what may be missing, what is asked */
void judge_finished(struct globe *g, uint32_t n);
/** Does it count whether the event is handled? */
bool judge_matters(const struct globe *g, const struct seen *s);
void judge_event(struct globe *g, const gap_engine_event_t *ev);
void judge_fed(struct globe *g, const struct thing *push);
void judge_question(struct globe *g, const struct call *c);
void judge_answer(struct globe *g, const struct call *c, const struct thing *answer);
/** A process begins. @param fresh With nothing that was stored. */
void judge_process(struct globe *g, bool fresh);
void judge_stored(struct globe *g);
/** The first process begins with what is kept from before the world. */
void judge_inherits(struct globe *g);
void judge_collected(struct globe *g);
/** The server counts anew. */
void judge_reset(struct globe *g, int box);
/** The account leaves a channel. */
void judge_left(struct globe *g, int box);
/** The server gives a reason to give events up: of the account's own boxes, both. */
void judge_cause(struct globe *g, int box);
/** All is quiet: is everything there? */
void judge_end(struct globe *g);

/* globe_say.c */
const char *say_event(const struct globe *g, uint32_t n, char out[96]);
void say_update(const gap_update_t *update, char out[96]);
void say_decision(void *data, const gap_engine_decision_t *d);
void say_engine_event(struct globe *g, const gap_engine_event_t *ev);
const char *say_question(enum globe_question q);

#endif
