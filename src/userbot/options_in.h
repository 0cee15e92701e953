/*
 * userbot/options_in.h - what the files of the command line share.
 */
#ifndef GAP_USERBOT_OPTIONS_IN_H
#define GAP_USERBOT_OPTIONS_IN_H

#include "userbot/options.h"

enum options_id {
    OPT_EMBEDDED = 256,
    OPT_SEED,
    OPT_EVENTS,
    OPT_CHANNELS,
    OPT_DELAY_MS,
    OPT_SERVER,
    OPT_DC,
    OPT_SERVER_KEY,
    OPT_TELEGRAM,
    OPT_API_ID,
    OPT_OUT,
    OPT_STATE,
    OPT_SESSION,
    OPT_EXPECT,
    OPT_TIMEOUT,
    OPT_JOURNAL,
    OPT_CONCURRENCY,
    OPT_HANDLER_MS,
    OPT_DRAIN,
    OPT_COUNT,
    OPT_REPLY,
    OPT_OUTBOX,
    OPT_ACCOUNT_RATE,
    OPT_CHAT_RATE,
    OPT_GROUP_RATE,
    OPT_DEBOUNCE,
    OPT_CHAT,
    OPT_LONG,
    OPT_DELETE,
    OPT_STRICT,
    OPT_STATE_OF,
    OPT_LIMIT,
    OPT_JSON,
    OPT_HELP,
    OPT_SECRET /* and those after it: + enum secret */
};

/** What was said that belongs to one job only; NULL: nothing. */
struct options_about {
    const char *handling; /* updates */
    const char *sending;  /* rows of an outbox */
    const char *notes;
    const char *rows; /* looking at them */
};

/** Say one line on stderr. */
void options_complain(const char *format, ...) GAP_PRINTF(1, 2);
/** Read a whole number. @return false: refused, and said so. */
bool options_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* options_publish.c */

/** OPT_OUTBOX to OPT_LIMIT. @return false: refused, and said so. */
bool options_publish_set(struct options *o, struct options_about *about, int opt, const char *text);
/** The words of publish and outbox. @return false: refused, and said so. */
bool options_publish_words(struct options *o, char **words, int count);
/** Whether options fit the job. @return false: refused, and said so. */
bool options_publish_check(const struct options *o, const struct options_about *about);

#endif
