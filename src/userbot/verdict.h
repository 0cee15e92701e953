/*
 * userbot/verdict.h - compares what was delivered with the server's ledger.
 *
 * An event is delivered if its own update was. It is superseded if the ledger lists it as folded
 * into a difference that this account got and the message arrived with this or a later content, or
 * its delete arrived; a read by a later read of that chat with max_id not lower; a pin by a later
 * pin, unpin or delete. A callback query counts if its push went out. Status is outside. Anything
 * else missing is lost.
 */
#ifndef GAP_USERBOT_VERDICT_H
#define GAP_USERBOT_VERDICT_H

#include "userbot/record.h"

typedef struct verdict verdict_t;

struct verdict_report {
    uint64_t expected; /* events of this account but for those outside */
    uint64_t outside;  /* not judged: typing and status, and queries that were never pushed */
    uint64_t delivered;
    uint64_t lost;
    uint64_t doubled;
    uint64_t out_of_order;
    uint64_t superseded;
    uint64_t unexpected;  /* delivered, but not in the ledger */
    uint64_t differences; /* asked by this account, the first (start-up) left out */
    uint64_t gaps;        /* maximal runs dropped, or late by more than the longest wait */
    double p50_ms;        /* from the ledger's t_us to the handler, all delivered events */
    double p99_ms;
    double clean_p50_ms; /* those neither late nor lost nor held behind a gap */
    uint64_t clean;
    char first_problem[200]; /* empty if there is none */
};

/** @param gap_wait_us The longest time that the client waits for an update that is late. @return
 * NULL when out of memory. */
verdict_t *verdict_new(int64_t account, int64_t gap_wait_us);
void verdict_free(verdict_t *v);
/** One line of the ledger, in file order. @return 0; GAP_E_ARGUMENT malformed; GAP_E_NOMEM. */
GAP_NODISCARD int verdict_ledger_line(verdict_t *v, const char *line, size_t len);
/** One line of the userbot's own output, in delivery order, handled at @p at_us (wall clock).
 * @return as above. */
GAP_NODISCARD int verdict_delivered_line(verdict_t *v, const char *line, size_t len, int64_t at_us);
/** Compare all lines so far; may be called again after more lines. @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int verdict_compare(verdict_t *v, struct verdict_report *out);

#endif
