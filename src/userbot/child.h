/*
 * userbot/child.h - the simulated data centre as a child process: starts the gapless-dc beside this
 * program, reads its lines, and ends it.
 */
#ifndef GAP_USERBOT_CHILD_H
#define GAP_USERBOT_CHILD_H

#include "userbot/options.h"

#include <uv.h>

struct child_events {
    /** It listens. */
    void (*ready)(void *arg, uint16_t port, int dc);
    /** All traffic is out. */
    void (*traffic_done)(void *arg);
    /** It ended, asked to or not; comes once, the last event. @p text says how, for a message. */
    void (*exited)(void *arg, const char *text);
};

struct child {
    uv_process_t process;
    uv_pipe_t in; /* nothing is written: its end tells the child that this program is gone */
    uv_pipe_t out;
    const struct child_events *events;
    void *arg;
    char dir[64];         /* temporary folder, removed by child_fini */
    char ledger_path[96]; /* files in it */
    char key_path[96];
    char state_path[96]; /* for a state that goes with it */
    char line[1024];     /* of its standard output, so far */
    size_t line_len;
    int handles; /* open ones */
    bool running;
    char exit_text[96];
};

/**
 * Start it. Traffic faults are those of the demo: 10 % reordered, 5 % lost, 2 % doubled. It has a
 * session of its own, so that Ctrl-C ends this program alone, and it ends when this program is
 * gone, however that came.
 *
 * @param c       Caller's memory until exited has been called.
 * @return 0; or a negative code: the program is missing, no temporary folder, out of memory. When
 *         the pipe was open by then, exited is still called; call child_fini in any case.
 */
GAP_NODISCARD int child_start(struct child *c, uv_loop_t *loop, const struct options *o,
                              const struct child_events *events, void *arg);
/** Ask it to end (SIGTERM to its own pid). No-op if it ended. */
void child_stop(struct child *c);
/** Remove the temporary folder. After exited, or after a failed start. */
void child_fini(struct child *c);

#endif
