/*
 * userbot/child.c - runs gapless-dc as a child on the program's uv loop. Owns the process, the
 * pipes to its standard input and from its output, and a temporary folder for the ledger and the
 * public key.
 */
#include "userbot/child.h"

#include "userbot/json.h"

#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REORDER   "0.10"
#define LOSS      "0.05"
#define DUPLICATE "0.02"

static void handle_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;

    if (--c->handles == 0) c->events->exited(c->arg, c->exit_text);
}

static void close_pipe(uv_pipe_t *pipe)
{
    if (!uv_is_closing((uv_handle_t *)pipe)) uv_close((uv_handle_t *)pipe, handle_closed);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *c = process->data;

    c->running = false;
    if (signal_number != 0) {
        (void)snprintf(c->exit_text, sizeof c->exit_text, "was ended by signal %d", signal_number);
    } else {
        (void)snprintf(c->exit_text, sizeof c->exit_text, "ended with status %" PRId64, status);
    }
    uv_close((uv_handle_t *)process, handle_closed);
    close_pipe(&c->in);
    close_pipe(&c->out);
}

static void handle_line(struct child *c)
{
    json_line_t line = json_line(c->line, c->line_len);
    json_member_t m;
    bool ready = false;
    bool done = false;
    int64_t port = 0;
    int64_t dc = 0;

    while (json_next(&line, &m) > 0) {
        if (json_key_is(&m, "port")) port = json_number(&m);
        if (json_key_is(&m, "dc")) dc = json_number(&m);
        if (!json_key_is(&m, "event")) continue;
        ready = m.value.len == 5 && memcmp(m.value.data, "ready", 5) == 0;
        done = m.value.len == 4 && memcmp(m.value.data, "done", 4) == 0;
    }
    if (ready) c->events->ready(c->arg, (uint16_t)port, (int)dc);
    if (done) c->events->traffic_done(c->arg);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child *c = handle->data;

    (void)suggested;
    *buf = uv_buf_init(c->line + c->line_len, (unsigned)(sizeof c->line - c->line_len));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct child *c = stream->data;
    char *newline;

    (void)buf;
    if (nread < 0) {
        close_pipe(&c->out);
        return;
    }
    c->line_len += (size_t)nread;
    while ((newline = memchr(c->line, '\n', c->line_len)) != NULL) {
        size_t used = (size_t)(newline - c->line) + 1;
        size_t rest = c->line_len - used;
        c->line_len = used - 1;
        handle_line(c);
        memmove(c->line, newline + 1, rest);
        c->line_len = rest;
    }
    if (c->line_len == sizeof c->line) c->line_len = 0; /* no line of ours is that long */
}

static int make_folder(struct child *c)
{
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(c->dir, sizeof c->dir, "%s/gapless-XXXXXX",
                   tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    if (mkdtemp(c->dir) == NULL) {
        c->dir[0] = '\0';
        return UV_EACCES;
    }
    (void)snprintf(c->ledger_path, sizeof c->ledger_path, "%s/ledger", c->dir);
    (void)snprintf(c->key_path, sizeof c->key_path, "%s/key.pem", c->dir);
    (void)snprintf(c->state_path, sizeof c->state_path, "%s/state.db", c->dir);
    return 0;
}

static int program_path(char *out, size_t cap)
{
    char self[PATH_MAX];
    size_t len = sizeof self;
    int r = uv_exepath(self, &len);

    if (r < 0) return r;
    int n = snprintf(out, cap, "%s/gapless-dc", dirname(self));
    if (n < 0 || (size_t)n >= cap) return UV_ENAMETOOLONG;
    return access(out, X_OK) == 0 ? 0 : UV_ENOENT;
}

static int spawn(struct child *c, uv_loop_t *loop, const struct options *o, char *path)
{
    char numbers[4][24];

    (void)snprintf(numbers[0], sizeof numbers[0], "%" PRIu64, o->seed);
    (void)snprintf(numbers[1], sizeof numbers[1], "%" PRIu64, o->events);
    (void)snprintf(numbers[2], sizeof numbers[2], "%" PRIu32, o->channels);
    (void)snprintf(numbers[3], sizeof numbers[3], "%d", o->delay_ms);
    const char *words[] = {
        path,        "--seed",      numbers[0], "--events",  numbers[1],     "--channels",
        numbers[2],  "--delay-ms",  numbers[3], "--reorder", REORDER,        "--loss",
        LOSS,        "--duplicate", DUPLICATE,  "--ledger",  c->ledger_path, "--pubkey-out",
        c->key_path, "--until-eof", NULL};
    char **args = (char **)(uintptr_t)words; /* libuv does not change them */
    uv_stdio_container_t stdio[3] = {
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE),
         .data.stream = (uv_stream_t *)&c->in},
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
         .data.stream = (uv_stream_t *)&c->out},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    uv_process_options_t options = {.file = path,
                                    .args = args,
                                    .stdio = stdio,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_DETACHED,
                                    .exit_cb = on_exit_status};
    c->process.data = c;
    int r = uv_spawn(loop, &c->process, &options);
    if (r == 0) c->running = true;
    return r;
}

int child_start(struct child *c, uv_loop_t *loop, const struct options *o,
                const struct child_events *events, void *arg)
{
    memset(c, 0, sizeof *c);
    c->events = events;
    c->arg = arg;
    char path[PATH_MAX + 16];
    int r = program_path(path, sizeof path);
    if (r == 0) r = make_folder(c);
    if (r < 0) return r;
    /* Can't fail: on Unix nothing is made before a pipe is used. */
    (void)uv_pipe_init(loop, &c->in, 0);
    (void)uv_pipe_init(loop, &c->out, 0);
    c->in.data = c->out.data = c;
    c->handles = 3;
    r = spawn(c, loop, o, path);
    if (r == 0) r = uv_read_start((uv_stream_t *)&c->out, on_alloc, on_read);
    if (r == 0) return 0;
    (void)snprintf(c->exit_text, sizeof c->exit_text, "could not be started: %s", uv_strerror(r));
    if (c->running) {
        child_stop(c);
    } else {
        uv_close((uv_handle_t *)&c->process, handle_closed);
        close_pipe(&c->in);
        close_pipe(&c->out);
    }
    return r;
}

void child_stop(struct child *c)
{
    if (c->running) (void)uv_process_kill(&c->process, SIGTERM);
}

void child_fini(struct child *c)
{
    static const char *const state_ends[] = {"", "-wal", "-shm", "-journal", "-gapless.lock"};
    char path[sizeof c->state_path + 16];

    if (c->dir[0] == '\0') return;
    (void)unlink(c->ledger_path);
    (void)unlink(c->key_path);
    for (size_t i = 0; i < sizeof state_ends / sizeof state_ends[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", c->state_path, state_ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(c->dir);
    c->dir[0] = '\0';
}
