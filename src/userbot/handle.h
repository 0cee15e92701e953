/*
 * userbot/handle.h - what the userbot does with an update, and how long it takes for that.
 */
#ifndef GAP_USERBOT_HANDLE_H
#define GAP_USERBOT_HANDLE_H

#include <gapless/gapless.h>
#include <uv.h>

struct app;
struct handle_later;

/** Handlers that go on later (--handler-ms), the first one due first. */
struct handle {
    uv_timer_t timer;
    struct handle_later *first;
    struct handle_later **last;
    bool open; /* the timer is on the loop */
};

/** @return 0 or libuv's code. */
GAP_NODISCARD int handle_open(struct app *app);
/** The client's handler of every update. @param data  struct app. */
int handle_update(gap_update_t *update, void *data);
/** Those that go on later fail now: the program ends without them. */
void handle_give_up(struct app *app);
/** Nothing is at work any more: the timer goes. No-op if that has been said. */
void handle_close(struct app *app);

/* --count (count.c). */

/** A gap_update_tx_cb: count the event, in the table userbot_count. */
int count_event(gap_update_t *update, struct sqlite3 *db, void *data);

#endif
