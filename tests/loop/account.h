/*
 * tests/loop/account.h - a client under test, what it told, and what it answers when it is asked.
 */
#ifndef GAP_TESTS_ACCOUNT_H
#define GAP_TESTS_ACCOUNT_H

#include "tests/check_main.h"

#include <gapless/gapless.h>
#include <gapless/uv.h>
#include <string.h>
#include <uv.h>

#define ACCOUNT_WAIT_MS 20000
#define ACCOUNT_STEPS   64

/** A question as it was asked. */
struct asked {
    gap_sign_in_step_t step;
    int error;
    int32_t rpc_code;
    uint64_t us;
    char refused[64];
    char text[256];
    gap_code_delivery_t delivery;
    gap_code_delivery_t next;
    uint32_t resend_in_s;
    uint32_t length;
    char pattern[64];
    char hint[64];
};

struct account {
    uv_loop_t *loop;
    gap_client_t *client;
    unsigned seen[GAP_CLIENT_FATAL + 1]; /* events by kind */
    gap_event_kind_t order[ACCOUNT_STEPS];
    unsigned events;
    int error[GAP_CLIENT_FATAL + 1]; /* of the last one */
    int32_t rpc_code[GAP_CLIENT_FATAL + 1];
    uint64_t us[GAP_CLIENT_FATAL + 1];
    char text[GAP_CLIENT_FATAL + 1][256];
    struct asked asked[ACCOUNT_STEPS];
    unsigned questions;
    unsigned updates;
    unsigned closed;
    char log[16384]; /* every line of the log */
    size_t log_len;

    /* answers; NULL: none is given. What `wrong_` names is answered first, once. */
    const char *phone;
    const char *code;
    const char *password;
    const char *name;
    const char *wrong_password;
    bool resend;   /* at the first question for a code */
    bool may_fail; /* an answer, once, for lack of memory: it is given again */
    int close_at_question;
    gap_update_cb on_update;
    void *data;
};

void account_init(struct account *a, uv_loop_t *loop);
/** Opens, with the log; @return what gap_client_open returned. */
int account_try_open(struct account *a, const gap_client_config_t *config);
void account_open(struct account *a, const gap_client_config_t *config);
void account_start(struct account *a);
/** Run until the counter is at least that. @return false: time was up. */
bool account_until(uv_loop_t *loop, const unsigned *counter, unsigned value, uint64_t ms);
/** Run until an event has come; fails the test if it does not. */
void account_await(struct account *a, gap_event_kind_t kind);
/** Run for so long. */
void account_run(uv_loop_t *loop, uint64_t ms);
/** Close, if it is not, and wait for it. */
void account_close(struct account *a);
/** Does the text of the last event of this kind hold all the words, which a blank parts? */
bool account_says(const char *text, const char *words);

/** A folder for files of one test. */
struct account_folder {
    char path[64];
};

void account_folder_make(struct account_folder *f);
/** With all that is in it. */
void account_folder_remove(struct account_folder *f);

#endif
