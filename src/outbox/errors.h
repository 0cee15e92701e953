/* outbox/errors.h - the table of what the server's errors mean for a row. Private to answer.c and
 * its tests. */
#ifndef GAP_OUTBOX_ERRORS_H
#define GAP_OUTBOX_ERRORS_H

#include "outbox/answer.h"

/** What an error is to a row. Some depend on what was asked. */
enum gap_error_what {
    GAP_ERROR_SAME,      /* UNCHANGED */
    GAP_ERROR_METHOD,    /* WAIT for the method */
    GAP_ERROR_SENDING,   /* WAIT for what makes messages */
    GAP_ERROR_MOMENT,    /* WAIT for the row */
    GAP_ERROR_DUPLICATE, /* DUPLICATE */
    GAP_ERROR_RETRY,     /* RETRY: nothing was done */
    GAP_ERROR_TROUBLE,   /* the server's own: RETRY where that does no harm, else UNKNOWN */
    GAP_ERROR_ROW,       /* PARK_ROW */
    GAP_ERROR_CHAT,      /* PARK_CHAT */
    GAP_ERROR_RIGHT,     /* PARK_CHAT if a message was to be written or edited, else PARK_ROW */
    GAP_ERROR_STOP,      /* STOP_BULK */
    GAP_ERROR_LOST,      /* the message: EDIT GONE, DELETE UNCHANGED, else PARK_ROW */
    GAP_ERROR_EXPIRED,   /* EDIT EXPIRED, else PARK_ROW */
    GAP_ERROR_OVER       /* repeated: UNCHANGED, else DEAD: too late for this one */
};

struct gap_error_line {
    const char *name; /* without a number behind it */
    int32_t code;     /* as the server's lists have it; it is not compared */
    enum gap_error_what what;
    const char *reason; /* what happened, and what to do */
};

/** The line of an error, or that of its code. @param name  As the server sent it. */
const struct gap_error_line *gap_error_line(const char *name, int32_t code);
/** All lines, for tests. */
const struct gap_error_line *gap_error_lines(size_t *count);

#endif
