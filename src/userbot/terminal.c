/*
 * userbot/terminal.c - asks at /dev/tty and waits for a line on the loop.
 *
 *   closed --ask--> asking --line, end of input--> open --ask--> asking ...   any --close--> closed
 *
 * While a secret is asked for the terminal does not echo. That is undone when the answer is there,
 * on close, before the process is stopped (and done again when it goes on), and by a handler for
 * the signals that would end the process on the spot.
 *
 * Owns the descriptor, its poll handle, and the terminal's modes meanwhile.
 */
#include "userbot/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the signal handler needs: one terminal of a process at most is hidden. */
static struct {
    volatile sig_atomic_t on;
    int fd;
    struct termios shown;
} hidden;

/* Signals that end the process without passing through the loop. */
static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGHUP};
#define DEADLY (sizeof deadly / sizeof deadly[0])

static struct sigaction before[DEADLY];

static void on_deadly(int number)
{
    if (hidden.on) (void)tcsetattr(hidden.fd, TCSANOW, &hidden.shown);
    for (size_t i = 0; i < DEADLY; i++) {
        if (deadly[i] == number) (void)sigaction(number, &before[i], NULL);
    }
    (void)raise(number); /* as it would have been */
}

static void show(void)
{
    if (!hidden.on) return;
    (void)tcsetattr(hidden.fd, TCSANOW, &hidden.shown);
    hidden.on = 0;
    for (size_t i = 0; i < DEADLY; i++) (void)sigaction(deadly[i], &before[i], NULL);
}

static int hide(int fd)
{
    struct sigaction action;
    struct termios modes;

    if (tcgetattr(fd, &modes) != 0) return -errno;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_deadly;
    hidden.fd = fd;
    hidden.shown = modes;
    for (size_t i = 0; i < DEADLY; i++) (void)sigaction(deadly[i], &action, &before[i]);
    hidden.on = 1;
    modes.c_lflag &= ~(tcflag_t)ECHO;
    modes.c_lflag |= ECHONL;
    /* What was typed before the question came was echoed, and is no answer. */
    if (tcsetattr(fd, TCSAFLUSH, &modes) == 0) return 0;
    int error = -errno;
    show();
    return error;
}

static void put(const struct terminal *t, const char *text)
{
    /* A question that the terminal does not take now is lost, the answer is not. */
    ssize_t n = write(t->fd, text, strlen(text));
    (void)n;
}

static void end_question(struct terminal *t)
{
    if (!t->asking) return;
    t->asking = false;
    show();
    (void)uv_poll_stop(&t->poll);
    (void)uv_signal_stop(&t->stop);
    (void)uv_signal_stop(&t->carry_on);
}

static void give(struct terminal *t, const char *line)
{
    terminal_answer_cb answer = t->answer;
    char copy[TERMINAL_LINE_MAX];

    if (line != NULL) memcpy(copy, line, strlen(line) + 1);
    explicit_bzero(t->line, sizeof t->line);
    t->len = 0;
    end_question(t);
    answer(t->arg, line != NULL ? copy : NULL);
    explicit_bzero(copy, sizeof copy);
}

static void end_line(struct terminal *t)
{
    if (t->too_long) {
        t->too_long = false;
        t->len = 0;
        put(t, "That is too long. ");
        put(t, t->question);
        return;
    }
    t->line[t->len] = '\0';
    if (t->len > 0 && t->line[t->len - 1] == '\r') t->line[t->len - 1] = '\0';
    give(t, t->line);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct terminal *t = poll->data;
    ssize_t n = -1;
    char c;

    (void)events;
    /* Byte by byte: what follows the line belongs to the next question. */
    while (status == 0 && t->asking && (n = read(t->fd, &c, 1)) == 1) {
        if (c == '\n') {
            end_line(t);
        } else if (t->len + 1 < sizeof t->line) {
            t->line[t->len++] = c;
        } else {
            t->too_long = true;
        }
    }
    if (!t->asking || (n < 0 && status == 0 && (errno == EAGAIN || errno == EINTR))) return;
    put(t, "\n");
    give(t, NULL);
}

/* Ctrl-Z: the shell gets a terminal that echoes. */
static void on_stop(uv_signal_t *handle, int number)
{
    struct terminal *t = handle->data;

    (void)number;
    show();
    (void)raise(SIGSTOP);
    /* Here again: the process goes on. */
    if (t->asking && hide(t->fd) == 0) put(t, t->question);
}

/* Stopped by another signal, or the shell set the modes: as it was. */
static void on_carry_on(uv_signal_t *handle, int number)
{
    struct terminal *t = handle->data;
    struct termios modes;

    (void)number;
    if (!t->asking || tcgetattr(t->fd, &modes) != 0 || (modes.c_lflag & ECHO) == 0) return;
    show();
    if (hide(t->fd) == 0) put(t, t->question);
}

void terminal_init(struct terminal *t)
{
    memset(t, 0, sizeof *t);
    t->fd = -1;
}

bool terminal_is_there(void)
{
    return isatty(STDIN_FILENO) != 0;
}

static int open_terminal(struct terminal *t, uv_loop_t *loop)
{
    if (t->fd >= 0) return 0;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int r = uv_poll_init(loop, &t->poll, fd);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    t->poll.data = t->stop.data = t->carry_on.data = t;
    /* Neither fails: they take nothing from the system before they are started. */
    (void)uv_signal_init(loop, &t->stop);
    (void)uv_signal_init(loop, &t->carry_on);
    t->fd = fd;
    return 0;
}

int terminal_ask(struct terminal *t, uv_loop_t *loop, const char *question, bool secret,
                 terminal_answer_cb answer, void *arg)
{
    int r = open_terminal(t, loop);

    if (r < 0) return r;
    end_question(t);
    t->too_long = false;
    t->len = 0;
    t->answer = answer;
    t->arg = arg;
    (void)snprintf(t->question, sizeof t->question, "%s", question);
    r = uv_poll_start(&t->poll, UV_READABLE, on_readable);
    if (r < 0) return r;
    t->asking = true;
    if (secret) {
        r = uv_signal_start(&t->stop, on_stop, SIGTSTP);
        if (r == 0) r = uv_signal_start(&t->carry_on, on_carry_on, SIGCONT);
        if (r == 0) r = hide(t->fd);
    }
    if (r < 0) {
        end_question(t);
        return r;
    }
    put(t, t->question);
    return 0;
}

void terminal_repeat(const struct terminal *t)
{
    if (t->asking) put(t, t->question);
}

void terminal_close(struct terminal *t)
{
    if (t->fd < 0) return;
    if (t->asking) put(t, "\n");
    end_question(t);
    explicit_bzero(t->line, sizeof t->line);
    uv_close((uv_handle_t *)&t->poll, NULL);
    uv_close((uv_handle_t *)&t->stop, NULL);
    uv_close((uv_handle_t *)&t->carry_on, NULL);
    (void)close(t->fd);
    t->fd = -1;
}
