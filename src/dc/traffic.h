/*
 * dc/traffic.h - the traffic of the simulated world: a seeded stream of events over all accounts
 * and chats of a model. The same seed, accounts and options give the same events.
 */
#ifndef GAP_DC_TRAFFIC_H
#define GAP_DC_TRAFFIC_H

#include "base/prng.h"
#include "dc/model.h"

typedef struct dc_traffic_options {
    uint64_t seed;
    uint32_t events; /* in all; 0 = none */
    uint32_t kinds;  /* bit set of 1 << dc_kind_t, default all */
} dc_traffic_options_t;

/** Caller's memory; no resources. */
typedef struct dc_traffic {
    dc_traffic_options_t options;
    gap_prng_t rng;
    uint32_t made; /* events so far */
} dc_traffic_t;

#define DC_TRAFFIC_DONE 1

/** @param o Copied. */
void dc_traffic_init(dc_traffic_t *t, const dc_traffic_options_t *o);

/**
 * Make the next event happen in the model. A kind that finds nothing to act on (an edit before the
 * first message) becomes another kind that is allowed and needs nothing, at last a new message.
 * @param m At least one account.
 * @return 0 with the event's number; DC_TRAFFIC_DONE all events are out; GAP_E_STATE the model has
 * no account; GAP_E_NOMEM.
 */
GAP_NODISCARD int dc_traffic_next(dc_traffic_t *t, dc_model_t *m, int64_t now_us, uint32_t *out_n);

#endif
