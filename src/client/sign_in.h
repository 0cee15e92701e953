/*
 * client/sign_in.h - the sign-in's record and its rules, for sign_in*.c and refusal.c.
 *
 *   sign_in.c        the machine: what is asked of the host and of the server, and in which order
 *   sign_in_ask.c    the questions to the host and its answers (public functions)
 *   sign_in_send.c   the requests to the server, as bytes
 *   password.c       the proof of the two-step password, on a thread of the library
 *   refusal.c        what the server's errors mean (pure)
 */
#ifndef GAP_CLIENT_SIGN_IN_H
#define GAP_CLIENT_SIGN_IN_H

#include "client/client.h"

/** Times a sign-in begins anew because the server says so, before it is given up. */
#define GAP_SIGN_IN_RESTARTS_MAX 3
/** Longest text of an answer, in bytes: number, code, password, name. */
#define GAP_SIGN_IN_TEXT_MAX 1024
/** Longest name of an rpc_error that is told, the final 0 included. */
#define GAP_SIGN_IN_NAME_MAX 64

/* ---- refusal.c ---- */

/** What to do about a refusal. */
enum refusal_action {
    REFUSAL_FATAL = 0, /* it can't go on */
    REFUSAL_SAME,      /* the same question again */
    REFUSAL_PHONE,     /* ask for the number */
    REFUSAL_CODE,      /* ask for the code */
    REFUSAL_NEW_CODE,  /* send a code, then ask for it */
    REFUSAL_PASSWORD,  /* ask for the password again */
    REFUSAL_NEEDED,    /* there is a two-step password: get its parameters, then ask */
    REFUSAL_NEW_B,     /* the proof was against old parameters: get new ones, prove again */
    REFUSAL_NAME,      /* ask for a name: the number has no account */
    REFUSAL_RESTART,   /* begin anew */
    REFUSAL_WAIT,      /* the same question again, after the seconds that its number says */
    REFUSAL_MIGRATE,   /* the data centre that its number says */
    REFUSAL_KEY        /* this key can't sign in (any more): fatal, and it is dropped */
};

struct refusal {
    const char *name; /* of the rpc_error, without the number */
    enum refusal_action action;
    const char *text; /* what happened and what to do; "": nothing has to be told */
};

/** @return the rule for an error; for an unknown one a general one that is fatal. Never NULL. */
const struct refusal *client_refusal(gap_bytes_t name);

/* ---- the record ---- */

/** Where a sign-in stands. ASK: the host is asked; the others: the server is. */
enum sign_in_at {
    AT_START = 0,
    AT_ASK_PHONE,
    AT_ASK_CODE,
    AT_ASK_PASSWORD,
    AT_ASK_NAME,
    AT_BOT,          /* auth.importBotAuthorization */
    AT_SEND_CODE,    /* auth.sendCode */
    AT_RESEND,       /* auth.resendCode */
    AT_CODE,         /* auth.signIn */
    AT_NAME,         /* auth.signUp */
    AT_GET_PASSWORD, /* account.getPassword */
    AT_PROVE,        /* the proof is computed */
    AT_PASSWORD,     /* auth.checkPassword */
};

/** The proof's job. Lives as long as it runs, whatever becomes of the sign-in. */
struct password_job;

struct client_sign_in {
    enum sign_in_at at;
    unsigned restarts;
    char *phone; /* digits */
    char *code_hash;
    char *code;
    char *password;
    char *first_name;
    char *last_name;

    gap_code_delivery_t delivery;
    gap_code_delivery_t next;
    uint64_t resend_at_us;
    uint32_t length;
    char *pattern;
    char *hint;

    gap_packet_t *packet; /* owns what `account` points to; NULL: to be got (again) */
    gap_tl_account_password_t account;
    struct password_job *job; /* AT_PROVE */
    uint8_t a[256];           /* the proof */
    uint8_t m1[32];

    /* What refused the last answer, to be told with the next question. */
    char refused[GAP_SIGN_IN_NAME_MAX];
    int32_t refused_code;
    const char *refused_text;
    uint64_t wait_us;
};

/** Keep a text in place of what is there; the old one is wiped. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int sign_in_keep(gap_client_t *c, char **slot, gap_bytes_t text);
/** Wipe and free. */
void sign_in_forget(gap_client_t *c, char **slot);

/* ---- sign_in.c ---- */

/** Go to @p at: send its request, or ask its question. @return 0; what the request could not be
 * sent for, then nothing has changed. */
GAP_NODISCARD int sign_in_go(gap_client_t *c, enum sign_in_at at);
/** The same from inside an event: a failure is fatal. */
void sign_in_go_on(gap_client_t *c, enum sign_in_at at);
/** The server's answer to any request of the sign-in. */
void sign_in_answered(void *arg, gap_call_id_t call, const struct gap_call_result *result);

/* ---- sign_in_ask.c ---- */

/** Ask the host what `at` says. */
void sign_in_ask(gap_client_t *c);
/** Digits of a number as people write it, in place. */
void sign_in_digits(char *phone);

/* ---- sign_in_send.c ---- */

/** Send the request that `at` says. @return as gap_link_call. */
GAP_NODISCARD int sign_in_send(gap_client_t *c, enum sign_in_at at);

/* ---- password.c ---- */

/** Take account.password. @return 0; GAP_E_TL; GAP_E_NOMEM; GAP_E_NOT_FOUND there is no password;
 * GAP_E_TL_ID it is of a kind that this library does not know. */
GAP_NODISCARD int password_take(gap_client_t *c, const struct gap_call_result *result);
/** Forget the parameters, which are good for one proof. */
void password_drop(struct client_sign_in *s);
/** Compute the proof; sign_in_go_on(AT_PASSWORD) follows, or a fatal event. @return 0,
 * GAP_E_NOMEM, what the environment's random returned. */
GAP_NODISCARD int password_prove(gap_client_t *c);
/** The sign-in ends: the job's outcome is not wanted any more. */
void password_abandon(struct client_sign_in *s);

#endif
