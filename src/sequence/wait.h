/*
 * sequence/wait.h - how long a hole waits for its missing update before the difference is asked
 * for. Pure: times come in, a wait comes out.
 *
 * Asking early is fast but wastes requests on updates that were only late; waiting long delays what
 * was lost. So the wait is learned: a forgetting histogram of how long holes stayed open before
 * they healed by themselves, in which a hole that was answered by a difference counts as "not
 * healed until then" (censored). From it comes the chance S(t) that a hole that is still open after
 * t stays open, and the wait is what minimises
 *
 *     time that updates spend held back + what a request costs (lambda) x chance that one is sent
 *
 * over the edges of the histogram. Lost updates are exposure without healing: no loss rate is
 * estimated. A request costs more while the server tells to slow down (FLOOD_WAIT).
 *
 * One record per connection: all sequences share what is learned, because they share the network.
 */
#ifndef GAP_SEQUENCE_WAIT_H
#define GAP_SEQUENCE_WAIT_H

#include <gapless/base.h>

/** Bins of the histogram; their edges lie between 0 and GAP_WAIT_SEEN_US. */
#define GAP_WAIT_BINS 32
/** Held updates that count: more make the wait no shorter. */
#define GAP_WAIT_WEIGHTS 4
/** Bounds of an adaptive wait. */
#define GAP_WAIT_MIN_US UINT32_C(2000)
#define GAP_WAIT_MAX_US UINT32_C(500000)
/** A hole that is open longer teaches no more than that. */
#define GAP_WAIT_SEEN_US UINT32_C(3000000)
/** What a request costs, as held-back time of one update: for a person's client, and where many
 * share a budget of requests. */
#define GAP_WAIT_LAMBDA_US      UINT32_C(100000)
#define GAP_WAIT_LAMBDA_BULK_US UINT32_C(400000)
/** Round trip until one was measured. */
#define GAP_WAIT_RTT_US UINT32_C(100000)
/** Requests that may be sent at once while the server tells to slow down, and how fast new ones are
 * allowed: one in so many microseconds. */
#define GAP_WAIT_TOKENS   20
#define GAP_WAIT_TOKEN_US UINT64_C(2000000)

struct gap_wait_config {
    uint32_t fixed_us;  /* not 0: every hole waits this long, nothing is learned */
    uint32_t lambda_us; /* 0: GAP_WAIT_LAMBDA_US */
    bool continues;     /* updates that fit are applied while the difference is on its way, so a
                           request holds nobody up */
};

typedef struct gap_wait {
    struct gap_wait_config config;
    float heal[GAP_WAIT_BINS]; /* holes that healed in this bin; old ones fade */
    float expo[GAP_WAIT_BINS]; /* holes that were open in it */
    uint32_t rtt_us;           /* smoothed, of difference requests */
    bool rtt_known;
    bool stale;                       /* table is to be made anew */
    uint32_t table[GAP_WAIT_WEIGHTS]; /* the wait, by held updates */
    float price;                      /* of a request above its normal cost, at price_us */
    float tokens;                     /* at tokens_us */
    uint64_t price_us;
    uint64_t tokens_us;
} gap_wait_t;

/** Begin with imagined holes. If the sequence goes on while a request is in flight: two that never
 * heal, two that heal after 25 ms on average. If it is held: a quarter that never heals, one that
 * heals after 70 ms, because a request that was not needed holds up what follows. */
void gap_wait_init(gap_wait_t *w, const struct gap_wait_config *config);
/** A new connection. @param same_dc To the data centre of the one before: most is forgotten;
 * otherwise all. */
void gap_wait_reconnected(gap_wait_t *w, bool same_dc);

/** How long a hole waits, from when it opened. @param held Updates held behind it, at least 1.
 * @return microseconds, GAP_WAIT_MIN_US to GAP_WAIT_MAX_US; or the fixed wait. */
uint32_t gap_wait_us(gap_wait_t *w, uint32_t held, uint64_t now_us);

/** A hole was filled by what the server sent on its own, also while a request was in flight. */
void gap_wait_healed(gap_wait_t *w, uint64_t open_us);
/** A hole was still open when a difference filled it or told how things are. */
void gap_wait_answered(gap_wait_t *w, uint64_t open_us);
/** A difference took this long to come. */
void gap_wait_rtt(gap_wait_t *w, uint64_t rtt_us);
/** A difference was asked for. */
void gap_wait_asked(gap_wait_t *w, uint64_t now_us);
/** The server told to slow down. */
void gap_wait_flooded(gap_wait_t *w, uint64_t now_us);

#endif
