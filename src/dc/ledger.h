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
/** A call and what became of it. */
typedef struct dc_ledger_call {
    int64_t account;
    const char *method;      /* NULL: unknown */
    int64_t channel;         /* that it names; 0: none */
    const char *error;       /* NULL: carried out */
    const char *answer;      /* what became of the answer: "dropped"; NULL: it was sent, */
    uint64_t late_us;        /* so much later than otherwise */
    int64_t msg_id;          /* the client's message; 0: not said */
    const dc_about_t *about; /* NULL: not said */
    int32_t id;              /* the message that it created, or is about; 0: none */
} dc_ledger_call_t;

GAP_NODISCARD int dc_ledger_call(dc_ledger_t *l, const dc_ledger_call_t *call, int64_t t_us);

#endif
