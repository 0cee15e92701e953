/*
 * bench/recover_trace.h - what a network does to a stream of updates: when each was sent, when it
 * arrives or that it never does. The same seed and condition give the same trace, so that waiting
 * policies are compared on equal terms.
 */
#ifndef GAP_BENCH_RECOVER_TRACE_H
#define GAP_BENCH_RECOVER_TRACE_H

#include <gapless/base.h>

#define TRACE_NEVER UINT64_MAX
/** No update is sent before. */
#define TRACE_BEGIN_US      UINT64_C(10000000)
#define TRACE_SEQUENCES_MAX 62

enum trace_arrival { TRACE_POISSON, TRACE_BURST20, TRACE_QUIET, TRACE_ARRIVALS };
enum trace_lateness {
    TRACE_NONE,
    TRACE_EXP5,
    TRACE_EXP20,
    TRACE_EXP80,
    TRACE_BIMODAL,
    TRACE_PARETO,
    TRACE_SWAP,
    TRACE_LATENESSES
};
enum trace_loss {
    TRACE_LOSS_0,
    TRACE_LOSS_01,
    TRACE_LOSS_1,
    TRACE_LOSS_5,
    TRACE_LOSS_20,
    TRACE_LOSS_BURSTS,
    TRACE_LOSSES
};

extern const char *const trace_arrival_names[TRACE_ARRIVALS];
extern const char *const trace_lateness_names[TRACE_LATENESSES];
extern const char *const trace_loss_names[TRACE_LOSSES];

struct trace_condition {
    enum trace_arrival arrival;
    enum trace_lateness lateness;
    enum trace_loss loss;
    uint32_t rtt_ms;
    uint32_t late_percent; /* of updates, where the law says how late but not how many; 0: 10 */
    bool changing;         /* the law changes every quarter: exp5, exp120, exp5, exp120 */
    bool pausing;          /* host suspended for 2 to 10 s, connection stalled for 0.3 to 1.5 s */
    bool naming;           /* common differences name the channels with something new */
    bool flooding;         /* the server allows 10 requests at once, then one in 2 s */
};

/** One update. */
struct trace_update {
    uint64_t sent_us;
    uint64_t reaches_us; /* the end of its way; TRACE_NEVER: lost */
    uint64_t arrives_us; /* when a pause that it falls into is over */
    uint64_t seen_us;    /* first moment at which it, or a later one of its sequence, arrives */
    int32_t pts; /* of its sequence, after it; the first update of a sequence leads from 1 */
    int32_t count;
    uint16_t sequence;
    bool swapped; /* shares a container with the update of its sequence that arrives with it */
};

/** Nothing is read from `from_us` to before `to_us`. */
struct trace_pause {
    uint64_t from_us, to_us;
    bool suspended; /* the host does not run either */
};

/** A trace: updates by the time they were sent. */
struct trace {
    struct trace_update *updates;
    uint32_t count;
    uint16_t sequences;
    uint32_t *in_sequence; /* indexes by sequence, as sent: those of i from first_of[i] to before
                              first_of[i + 1] */
    uint32_t first_of[TRACE_SEQUENCES_MAX + 1];
    struct trace_pause *pauses;
    size_t pause_count;
    uint32_t *by_arrival; /* indexes of those that arrive, by time; ties as sent, but the later one
                             first if swapped */
    uint32_t arriving;
};

/** Build a trace of about @p updates updates. Ends the program if memory runs out. */
void trace_make(struct trace *t, const struct trace_condition *c, uint32_t updates, uint64_t seed);
void trace_free(struct trace *t);

/** The pause that @p at_us falls into, or NULL. */
const struct trace_pause *trace_pause_at(const struct trace *t, uint64_t at_us);
/** The first update of a sequence behind @p pts: an index into in_sequence, at most
 * first_of[sequence + 1]. */
uint32_t trace_after(const struct trace *t, uint16_t sequence, int32_t pts);

#endif
