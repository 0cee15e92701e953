/*
 * dc/script.h - the language of gapless-dc --script: an exact sequence of pushes, losses, answers
 * and cuts, one command a line. gap_dc_script_help is its documentation. This is the reading of it,
 * pure; script_run.c carries it out.
 */
#ifndef GAP_DC_SCRIPT_H
#define GAP_DC_SCRIPT_H

#include "dc/model.h"
#include "dc/peers.h"

#define GAP_DC_SCRIPT_BYTES (1U << 20) /* of a file; longer: refused */
#define GAP_DC_SCRIPT_STEPS 65536U     /* commands; more: refused */
#define GAP_DC_SCRIPT_NAMES 16U        /* pushes held under different names */
#define GAP_DC_SCRIPT_WORD  64U        /* bytes of the longest word but texts, NUL included */
#define GAP_DC_SCRIPT_TEXT  256U       /* bytes of a text or an error, NUL included */

typedef enum gap_dc_do {
    GAP_DC_DO_EVENT,      /* something happens and is pushed */
    GAP_DC_DO_TOGETHER,   /* the events up to GAP_DC_DO_END are pushed as one container */
    GAP_DC_DO_END,        /* of a container */
    GAP_DC_DO_RELEASE,    /* let a held push go */
    GAP_DC_DO_SKIP_SEQ,   /* containers are missing */
    GAP_DC_DO_TOO_LONG,   /* push updatesTooLong or updateChannelTooLong */
    GAP_DC_DO_ANSWER,     /* a rule for calls to come */
    GAP_DC_DO_WAIT,       /* a time */
    GAP_DC_DO_AWAIT,      /* a call */
    GAP_DC_DO_EXPECT,     /* so many calls have been made */
    GAP_DC_DO_DISCONNECT, /* every connection ends */
    GAP_DC_DO_FORGET,     /* and every session is forgotten */
    GAP_DC_DO_LEAVE,      /* the account is put out of a channel, */
    GAP_DC_DO_JOIN,       /* or back into it */
    GAP_DC_DO_RESET,      /* a box gets another pts */
    GAP_DC_DO_PEER,       /* another data centre is known from now on, */
    GAP_DC_DO_DROP_PEER,  /* or no longer */
    GAP_DC_DO_MOVE,       /* an account lives in another data centre */
    GAP_DC_DO_ACCOUNT,    /* whom the next commands are about */
    GAP_DC_DO_REVOKE,     /* its sign-ins end: error 401 `text` */
    GAP_DC_DO_DUPLICATE,  /* the same by 406 AUTH_KEY_DUPLICATED, and the keys are dead */
    GAP_DC_DO_PASSWORD,   /* a person gets a two-step password, or loses it */
    GAP_DC_DO_SLOW_MODE,  /* of a supergroup, `number` seconds */
    GAP_DC_DO_ROLE,       /* the account's, in a channel or group */
    GAP_DC_DO_BLOCK,      /* a user blocks the account, or not (flag) */
    GAP_DC_DO_FLOOD_RULE, /* one more; limit 0: there are none any more */
    GAP_DC_DO_EDIT_WINDOW /* `number` seconds */
} gap_dc_do_t;

/** How a push goes out. */
typedef enum gap_dc_way {
    GAP_DC_WAY_SENT,
    GAP_DC_WAY_DROPPED,
    GAP_DC_WAY_LATE,
    GAP_DC_WAY_TWICE,
    GAP_DC_WAY_HELD
} gap_dc_way_t;

/** What becomes of a call. */
typedef enum gap_dc_act {
    GAP_DC_ACT_NONE,      /* answered as ever */
    GAP_DC_ACT_ERROR,     /* rpc_error */
    GAP_DC_ACT_SLICE,     /* at most `number` events in the difference */
    GAP_DC_ACT_LONG,      /* ...TooLong, if there is anything to tell */
    GAP_DC_ACT_LATE,      /* answered `number` ms later; pushes overtake it */
    GAP_DC_ACT_NOTHING,   /* as if it never had arrived */
    GAP_DC_ACT_GARBAGE,   /* answered with an unknown constructor */
    GAP_DC_ACT_CUT,       /* answered with the first half of the answer */
    GAP_DC_ACT_STUCK,     /* a slice that holds nothing and leads nowhere */
    GAP_DC_ACT_HANG_UP,   /* the connection ends instead */
    GAP_DC_ACT_MIGRATE,   /* error 303 with `text`, unless this is data centre `number` */
    GAP_DC_ACT_TIMEOUT,   /* channelDifference.timeout is `number` seconds */
    GAP_DC_ACT_REVOKE,    /* error 401 `text`, for all calls to come too */
    GAP_DC_ACT_DUPLICATE, /* error 406 AUTH_KEY_DUPLICATED, then the key is dead */
    GAP_DC_ACT_DROP,      /* carried out, but never answered */
    GAP_DC_ACT_LOSE       /* the same; the connection ends and the session is forgotten */
} gap_dc_act_t;

typedef struct gap_dc_step {
    gap_dc_do_t what;
    uint32_t line;  /* in the file, from 1 */
    int32_t dc;     /* only in this data centre; 0: in all */
    uint32_t times; /* how often; UINT32_MAX: always (ANSWER) */
    gap_dc_way_t way;
    uint32_t slot; /* HELD, RELEASE: which name */
    /* EVENT */
    dc_kind_t kind;
    dc_peer_type_t chat; /* DC_NOBODY: none, or the common box */
    uint32_t index;      /* of the chat, from 0; ACCOUNT: of the account */
    int32_t id;          /* message; 0: the last one of the chat */
    bool flag;           /* pinned; read by the other side */
    dc_qts_t qts;
    bool poison;        /* nobody can decode it */
    gap_dc_peer_t peer; /* PEER; DROP_PEER and MOVE: its id */
    int64_t who;        /* MOVE: account or phone; 0: the one that is spoken of */
    dc_role_t role;     /* ROLE */
    dc_flood_rule_t flood;
    /* ANSWER, AWAIT, EXPECT */
    uint32_t method; /* its id */
    gap_dc_act_t act;
    int32_t code;                  /* of an error */
    uint32_t number;               /* ms, seconds, events, pts; EXPECT: at least */
    uint32_t most;                 /* EXPECT: at most */
    int64_t person;                /* PASSWORD: user id */
    char text[GAP_DC_SCRIPT_TEXT]; /* of a message, an error, a password; empty: none given */
} gap_dc_step_t;

typedef struct gap_dc_script {
    const gap_alloc_t *alloc;
    gap_dc_step_t *steps;
    uint32_t count;
    uint32_t cap;
    char names[GAP_DC_SCRIPT_NAMES][GAP_DC_SCRIPT_WORD];
    uint32_t name_count;
} gap_dc_script_t;

/**
 * Read a script.
 * @param text   Borrowed.
 * @param error  On GAP_E_ARGUMENT one line: which line is wrong, why, and what would be right.
 * @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT too long; GAP_E_NOMEM. gap_dc_script_fini in any case.
 */
GAP_NODISCARD int gap_dc_script_read(const gap_alloc_t *alloc, gap_bytes_t text,
                                     gap_dc_script_t *out, char *error, size_t error_cap);
/** Does a command, an event or a way of pushing begin with this word? */
bool gap_dc_script_knows(const char *word);
/**
 * Carry out SLOW_MODE, ROLE, BLOCK, FLOOD_RULE or EDIT_WINDOW.
 * @param account  Whom roles and blocks are about; 0: nobody yet.
 * @return 0; GAP_E_NOT_FOUND, GAP_E_ARGUMENT, GAP_E_LIMIT it can't be; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_script_world(dc_model_t *m, int64_t account, const gap_dc_step_t *step);
/** Safe twice, and on zeros. */
void gap_dc_script_fini(gap_dc_script_t *s);
/** What may stand in a script, in parts: from 0 on, NULL behind the last. */
const char *gap_dc_script_help(unsigned part);

#endif
