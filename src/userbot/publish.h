/*
 * userbot/publish.h - publish DIR: a folder of notes is kept in step with its chats.
 *
 *   notes are read -> connected and signed in -> chats are found -> one transaction: posts
 *      -> the client's outbox works them off -> each is in step, parked or dead -> summary
 */
#ifndef GAP_USERBOT_PUBLISH_H
#define GAP_USERBOT_PUBLISH_H

#include "userbot/app.h"

struct publish;

/** Read the notes. @return 0; negative: the app ends, said already. */
GAP_NODISCARD int publish_begin(struct app *app);
/** The state is known: the chats can be found. */
void publish_started(struct app *app);
/** A gap_outbox_config.on_row. @param data  struct app. */
void publish_row(gap_client_t *client, const gap_outbox_row_t *row, void *data);
/** Look whether all is in step; ends the app when it is, or can't be. */
void publish_tick(struct app *app);
/** The line of progress on a terminal. */
void publish_progress(struct app *app);
/** Print the summary. @param status  What the app ended with. @return the exit status. */
int publish_finish(struct app *app, int status);
/** Safe twice, and without publish_begin. */
void publish_fini(struct app *app);

/* outbox (outbox_command.c). */

/** @return the exit status. */
int outbox_command(const struct options *o);

#endif
