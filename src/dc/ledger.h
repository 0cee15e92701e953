/*
 * dc/ledger.h - the server's own account of what happened, one line of JSON per event, per push,
 * per difference and per call. Lines are built whole and handed to a callback; the caller puts
 * them where it likes.
 */
#ifndef GAP_DC_LEDGER_H
#define GAP_DC_LEDGER_H

#include "dc/model.h"

/** One line, newline included; borrowed. @return 0, or negative: passed on to the writer of the
 * line. */
typedef int (*dc_ledger_cb)(void *data, const char *line, size_t len);

typedef struct dc_ledger {
    dc_ledger_cb write;
    void *data;
    int32_t dc; /* the data centre that writes, named in lines of calls; 0: none is */
    gap_buf_t line;
} dc_ledger_t;

typedef enum dc_fate { DC_SENT, DC_DROPPED, DC_LATE, DC_TWICE } dc_fate_t;

/** @param write NULL: nothing is written, every function returns 0. */
void dc_ledger_init(dc_ledger_t *l, const gap_alloc_t *alloc, dc_ledger_cb write, void *data);
/** Safe twice. */
void dc_ledger_fini(dc_ledger_t *l);

/* Each returns 0, GAP_E_NOMEM, or what the callback returned. t_us: microseconds of the wall
 * clock. */

/** An event; to be written in order of n and before the event's first push. */
GAP_NODISCARD int dc_ledger_event(dc_ledger_t *l, const dc_event_t *event, int64_t t_us);
/** A push of event @p n to an account. */
GAP_NODISCARD int dc_ledger_push(dc_ledger_t *l, uint32_t n, int64_t account, dc_fate_t fate,
                                 int64_t t_us);
/** The difference lines of an answer, one per range; nothing if it was no difference. */
GAP_NODISCARD int dc_ledger_difference(dc_ledger_t *l, int64_t account, const dc_answer_t *answer);
/** A call. @param method NULL if unknown. @param channel 0: none. @param error NULL: answered. */
GAP_NODISCARD int dc_ledger_call(dc_ledger_t *l, int64_t account, const char *method,
                                 int64_t channel, const char *error, int64_t t_us);

#endif
