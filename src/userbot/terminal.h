/*
 * userbot/terminal.h - questions at the terminal that don't hold the loop up. Secrets are not
 * echoed; whichever way the program ends or pauses meanwhile, the terminal echoes again.
 */
#ifndef GAP_USERBOT_TERMINAL_H
#define GAP_USERBOT_TERMINAL_H

#include <gapless/base.h>

#include <termios.h>
#include <uv.h>

/** Longest answer in bytes; longer ones are refused. */
#define TERMINAL_LINE_MAX 1024
/** Longest question. */
#define TERMINAL_QUESTION_MAX 640

/**
 * An answer. @param line  Without its end; borrowed, wiped afterwards. NULL: there won't be one
 * (end of input, or reading failed).
 */
typedef void (*terminal_answer_cb)(void *arg, const char *line);

struct terminal {
    uv_poll_t poll;
    uv_signal_t stop;     /* SIGTSTP while a secret is asked for */
    uv_signal_t carry_on; /* SIGCONT, the same */
    int fd;               /* of /dev/tty; -1: not open */
    bool asking;
    bool too_long;
    char question[TERMINAL_QUESTION_MAX];
    char line[TERMINAL_LINE_MAX];
    size_t len;
    terminal_answer_cb answer;
    void *arg;
};

/** No terminal yet; before anything else. */
void terminal_init(struct terminal *t);
/** Is somebody there who could be asked? True if standard input is a terminal. */
bool terminal_is_there(void);
/**
 * Ask. One question at a time: a later one takes the place of the one before.
 *
 * @param question  Copied; ends with a blank.
 * @param secret    Don't echo the answer.
 * @param answer    Once, from the loop; never if the terminal is closed before.
 * @return 0, or a negative code: there is no terminal.
 */
GAP_NODISCARD int terminal_ask(struct terminal *t, uv_loop_t *loop, const char *question,
                               bool secret, terminal_answer_cb answer, void *arg);
/** Something else was written meanwhile: put the question again, on a line of its own. No-op if
 * nothing is asked. */
void terminal_repeat(const struct terminal *t);
/** Withdraw the question, if there is one, and let go of the terminal; safe twice. The handles are
 * closed once the loop has run. */
void terminal_close(struct terminal *t);

#endif
