/*
 * tests/sim/script_read.h - the language of gapless-sim --script: one world written by hand. Its
 * documentation is sim_script_help. Lines that gapless-dc's scripts know too are read by
 * gap_dc_script_read; what only a virtual world can do is read here. Pure.
 */
#ifndef GAP_TESTS_SIM_SCRIPT_READ_H
#define GAP_TESTS_SIM_SCRIPT_READ_H

#include "dc/script.h"

#define SIM_SCRIPT_BYTES  (1U << 20) /* of a file; longer: refused */
#define SIM_SCRIPT_STEPS  65536U     /* commands; more: refused */
#define SIM_SCRIPT_LABELS 65536U     /* of all expectations together */
#define SIM_LABEL         48U        /* bytes of a label, NUL included */
#define SIM_TEXT          256U       /* bytes of a text or an error, NUL included */
#define SIM_NAMED         64U        /* `stored channel:N` and `begin channel:N` lines */
#define SIM_CHANNELS_MAX  100000U
#define SIM_NEVER         UINT64_MAX

typedef enum sim_do {
    SIM_DO_DC,         /* `dc`: a command of gapless-dc's language */
    SIM_DO_START,      /* the account starts */
    SIM_DO_AT,         /* on to a time, `ms` */
    SIM_DO_WAIT,       /* `ms` go by */
    SIM_DO_AWAIT,      /* until `topic` is so, at most `ms` */
    SIM_DO_EXPECT,     /* is `topic` so? */
    SIM_DO_NETWORK,    /* `chance` of `fault`, with `ms` */
    SIM_DO_DISCONNECT, /* for `ms`; `flag`: the session is forgotten, pushes are lost */
    SIM_DO_NEW_SESSION,
    SIM_DO_STALL, /* nothing arrives for `ms`, then everything at once */
    SIM_DO_STALL_SOCKET,
    SIM_DO_STALL_HOST, /* the account's loop does something else for `ms` */
    SIM_DO_SUSPEND,    /* the host sleeps for `ms`; `flag`: its clock stands still meanwhile */
    SIM_DO_CLOCK_JUMP, /* the server's calendar, by `number` seconds */
    SIM_DO_RESTART,    /* `flag`: without warning */
    SIM_DO_CRASH_IN_HANDLER, /* of the `number`-th update from now */
    SIM_DO_FAIL_COMMITS,     /* the next `number` */
    SIM_DO_HANDLER,          /* how the next `times` updates (of `chat`) are handled */
    SIM_DO_FINISH,           /* handlers that were never to end do: of one label, or all */
    SIM_DO_OPEN,
    SIM_DO_CLOSE,
    SIM_DO_TRACK, /* a channel, from pts `number` if that is not 0 */
    SIM_DO_UNTRACK,
    SIM_DO_BACKFILL, /* a channel's messages `number` to `most` */
    SIM_DO_MISSED,
    SIM_DO_GARBLED, /* bytes came that can't be read */
    SIM_DO_LOGOUT   /* what is stored is deleted, and the account begins anew */
} sim_do_t;

typedef enum sim_topic {
    SIM_APPLIED,     /* the labels, in this order, and nothing else */
    SIM_ANY_ORDER,   /* the labels, and nothing else */
    SIM_NOT_APPLIED, /* none of the labels */
    SIM_TRACE,       /* lines with `text` */
    SIM_CALLS,       /* calls of any method */
    SIM_EVENT,       /* events `event` of `box`, from `from` to `to` if those are given */
    SIM_POSITION,    /* of `box` is `number` */
    SIM_STORED,      /* the same of what is stored; -1: nothing */
    SIM_COUNTER,     /* the engine's counter `text` */
    SIM_QUIET        /* nothing is on its way */
} sim_topic_t;

typedef enum sim_fault { SIM_LOSS, SIM_LATE, SIM_TWICE } sim_fault_t;
typedef enum sim_verdict { SIM_OK, SIM_FAIL, SIM_LATER, SIM_HANGS } sim_verdict_t;
typedef enum sim_box { SIM_COMMON, SIM_QTS, SIM_SEQ, SIM_CHANNEL, SIM_ANY_BOX } sim_box_t;

typedef enum sim_raw_kind {
    SIM_RAW_MESSAGE,
    SIM_RAW_EDIT,
    SIM_RAW_DELETE,
    SIM_RAW_PIN,
    SIM_RAW_UNPIN,
    SIM_RAW_READ,
    SIM_RAW_READ_BY_THEM,
    SIM_RAW_WEBPAGE,
    SIM_RAW_EMPTY,    /* a new message that is messageEmpty */
    SIM_RAW_TOO_LONG, /* updateChannelTooLong, updatesTooLong */
    SIM_RAW_PTS_CHANGED,
    SIM_RAW_CHANNEL, /* updateChannel */
    SIM_RAW_QUERY,
    SIM_RAW_STATUS,
    SIM_RAW_TYPING,
    SIM_RAW_RANDOM, /* updateMessageID */
    SIM_RAW_STOPPED,
    SIM_RAW_CHAT_PARTICIPANT,
    SIM_RAW_CHANNEL_PARTICIPANT,
    SIM_RAW_ENCRYPTED,
    SIM_RAW_BUSINESS_DELETE,
    SIM_RAW_UNKNOWN,  /* an update of a constructor that nobody knows */
    SIM_RAW_BROKEN,   /* an update that ends in its middle */
    SIM_RAW_GARBAGE,  /* an object of a constructor that nobody knows */
    SIM_RAW_AFFECTED, /* messages.affectedMessages, a result */
    SIM_RAW_SENT      /* updateShortSentMessage, a result */
} sim_raw_kind_t;

/* sim_raw.flags: what was said */
#define SIM_RAW_PTS       1U
#define SIM_RAW_COUNT     2U
#define SIM_RAW_ID        4U
#define SIM_RAW_QTS       8U
#define SIM_RAW_SEQ       16U
#define SIM_RAW_SEQ_START 32U
#define SIM_RAW_LONELY    64U   /* nobody comes along */
#define SIM_RAW_MIN       128U  /* who comes along does so in part */
#define SIM_RAW_FORBIDDEN 256U  /* the channel comes as channelForbidden */
#define SIM_RAW_SHORT     512U  /* inside updateShort */
#define SIM_RAW_SHORT_MSG 1024U /* updateShortMessage, updateShortChatMessage */
#define SIM_RAW_RESULT    2048U /* the result of a call of the account */
#define SIM_RAW_INVITED   4096U /* inside messages.invitedUsers, a result */
#define SIM_RAW_SERVICE   8192U /* a service message */
#define SIM_RAW_OUT       16384U
#define SIM_RAW_DATE      32768U
#define SIM_RAW_UPDATE    65536U /* in an answer: among the other updates */

/** An update given by its numbers, as an adversary would send it. */
typedef struct sim_raw {
    sim_raw_kind_t kind;
    uint32_t flags;
    dc_peer_type_t chat;
    uint32_t index;   /* of the chat, from 0 */
    uint32_t from;    /* user, from 0; UINT32_MAX: the usual one */
    uint32_t forward; /* forwarded from that user; UINT32_MAX: not */
    uint32_t mention; /* names that user; UINT32_MAX: nobody */
    int32_t pts;
    int32_t count;
    int32_t qts;
    int32_t id;
    int32_t last; /* of several ids */
    int32_t seq;
    int32_t seq_start;
    int32_t date; /* of an edit, in seconds of virtual time */
    char text[SIM_TEXT];
} sim_raw_t;

typedef enum sim_with_kind {
    SIM_WITH_EMPTY,
    SIM_WITH_DIFFERENCE,
    SIM_WITH_SLICE,
    SIM_WITH_TOO_LONG,
    SIM_WITH_STATE
} sim_with_kind_t;

/** An answer written by hand: raw updates, and the numbers it leads to. 0: as the server has it. */
typedef struct sim_with {
    sim_with_kind_t kind;
    bool has_pts;
    bool has_qts;
    bool has_seq;
    bool has_date;
    bool no_pts; /* a dialog without pts */
    bool folder; /* a dialog folder instead of a dialog */
    int32_t pts;
    int32_t qts;
    int32_t seq;
    int32_t date; /* in seconds of virtual time */
    uint32_t timeout_s;
    uint32_t raw; /* the first one */
    uint32_t raw_count;
} sim_with_t;

typedef struct sim_step {
    sim_do_t what;
    uint32_t line;
    gap_dc_step_t dc; /* DC */
    bool own;         /* DC event: the account itself does it, by a call */
    bool echoed;      /* and it is pushed, too, `ms` later */
    bool unreadable;  /* DC event: nobody can decode it */
    bool has_seq;     /* DC TOGETHER: `number`, and `from` for seq_start */
    uint32_t raw;     /* DC event: this instead, from 1; 0: none */
    uint32_t with;    /* DC ANSWER: this, from 1; 0: none */
    uint64_t ms;
    bool flag;
    sim_topic_t topic;
    sim_fault_t fault;
    double chance;
    sim_verdict_t verdict;
    uint32_t times; /* UINT32_MAX: always */
    sim_box_t box;
    dc_peer_type_t chat;
    uint32_t index;
    int32_t number;
    int32_t most; /* INT32_MAX: no end */
    bool has_range;
    int32_t from;
    int32_t to;
    int event;      /* gap_engine_event_kind_t, or those of script_words.c */
    uint32_t label; /* the first one */
    uint32_t label_count;
    char text[SIM_TEXT];
} sim_step_t;

/** A channel's position, as given at the top. */
typedef struct sim_named {
    uint32_t index;
    uint32_t count; /* and so many after it */
    int32_t pts;
    bool unfinished;
    bool no_hash;
} sim_named_t;

/** The settings at the top. */
typedef struct sim_settings {
    bool bot;
    bool gap_continue;
    bool tail_sweep;
    bool no_own;
    bool decisions; /* every decision of the engine is a line */
    bool gap_learned;
    uint32_t gap_wait_ms;
    uint32_t jitter_permille; /* UINT32_MAX: none */
    uint64_t seed;            /* 0: first in, first out */
    uint64_t store_ms;        /* SIM_NEVER: never */
    uint32_t rtt_ms;          /* an answer takes */
    uint32_t delay_ms;        /* a push takes */
    uint32_t inbox;
    uint32_t channel_requests;
    uint32_t difference_limit;
    uint64_t idle_ms;
    dc_options_t server;
    int32_t pts, qts, seq;                      /* where the server begins */
    bool fresh;                                 /* nothing is stored */
    bool has_stored;                            /* this is: */
    int32_t stored_pts, stored_qts, stored_seq; /* 0: as the server */
    uint32_t stored_ago_s;
    bool has_start; /* there is a line `start` */
    sim_named_t begin[SIM_NAMED];
    uint32_t begin_count;
    sim_named_t stored[SIM_NAMED];
    uint32_t stored_count;
} sim_settings_t;

typedef struct sim_script {
    const gap_alloc_t *alloc;
    sim_settings_t set;
    sim_step_t *steps;
    uint32_t count, cap;
    sim_raw_t *raws;
    uint32_t raw_count, raw_cap;
    sim_with_t *withs;
    uint32_t with_count, with_cap;
    char (*labels)[SIM_LABEL];
    uint32_t label_count, label_cap;
} sim_script_t;

/**
 * Read a script.
 * @param text   Borrowed; must outlive nothing.
 * @param line   On GAP_E_ARGUMENT the line that is wrong, from 1.
 * @param error  On GAP_E_ARGUMENT what is wrong with it, and what would be right; one line.
 * @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT too long; GAP_E_NOMEM. sim_script_fini in any case.
 */
GAP_NODISCARD int sim_script_read(const gap_alloc_t *alloc, gap_bytes_t text, sim_script_t *out,
                                  uint32_t *line, char *error, size_t error_cap);
/** Safe twice, and on zeros. */
void sim_script_fini(sim_script_t *s);
/** Where a counter lies in gap_engine_counters_t, by its name; negative: there is none. */
int sim_counter_at(const char *name);
/** What may stand in a script, in parts: from 0 on, NULL behind the last. */
const char *sim_script_help(unsigned part);

#endif
