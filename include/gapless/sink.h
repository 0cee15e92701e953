/*
 * gapless/sink.h - updates by the batch, for a database, a queue or a file: a function is handed
 * many at a time and says later which of them are safe. An update counts as handled when it has
 * been acknowledged, not before: after a crash what was not comes again.
 *
 *     gap_client_sink(client, &(gap_sink_config_t){.flush = write_rows}, &sink);
 *     gap_client_on_update(client, gap_sink_take, sink);   (or a route's handler calls it)
 *
 *   update -> waits -> a batch (batch_max of them, or interval_us after the first) -> flush
 *          -> acknowledged: handled
 *          -> failed: it and what follows it waits again, in order, after a pause
 *
 * A sink gets what the runner lets through: at most `concurrency` updates at a time, and of each
 * lane one. For batches in the order of arrival give the runner a `keys` function that returns 0
 * (no lanes: the sink keeps the order itself) and a concurrency of two or three batches; let its
 * timeout_us be longer than an acknowledgement may take. When too many are unacknowledged the sink
 * stops handing out, the runner fills up, and the account takes no more.
 *
 * Everything here is for the loop thread of the client; acknowledgements from other threads come
 * by way of it (uv_async_send).
 */
#ifndef GAPLESS_SINK_H
#define GAPLESS_SINK_H

#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gap_client;

/** A sink. Opaque. */
typedef struct gap_sink gap_sink_t;

/** Defaults of gap_sink_config. */
#define GAP_SINK_BATCH_MAX          256
#define GAP_SINK_INTERVAL_US        UINT64_C(50000)
#define GAP_SINK_UNACKNOWLEDGED_MAX 1024
#define GAP_SINK_WAITING_MAX        65536
#define GAP_SINK_RETRY_MIN_US       UINT64_C(1000000)
#define GAP_SINK_RETRY_MAX_US       UINT64_C(60000000)

/** One update of a batch. */
typedef struct gap_sink_item {
    uint64_t number;      /* its name: ascending from 1 in the order in which updates came */
    gap_update_t *update; /* pinned until it is acknowledged or failed; not to be finished */
} gap_sink_item_t;

/**
 * Takes a batch. From a tick of the client, never from inside gap_sink_take.
 *
 * @param items  In order, numbers ascending; the array is borrowed.
 * @param count  1 to batch_max.
 * @return 0 all of them are safe; GAP_LATER gap_sink_ack... follows; negative: failed as by
 *         gap_sink_fail of the first one. From inside everything may be called.
 */
typedef int (*gap_sink_cb)(gap_sink_t *sink, const gap_sink_item_t *items, size_t count,
                           void *data);

/** Settings of a sink. Zero-initialise, set `flush`; copied. */
typedef struct gap_sink_config {
    gap_sink_cb flush;
    void *data;
    uint32_t batch_max;          /* updates; 0: GAP_SINK_BATCH_MAX */
    uint64_t interval_us;        /* an update waits no longer for others; 0: GAP_SINK_INTERVAL_US */
    uint32_t unacknowledged_max; /* handed out at a time; 0: GAP_SINK_UNACKNOWLEDGED_MAX; at least
                                    batch_max */
    uint32_t waiting_max;        /* taken and not acknowledged, in all; 0: GAP_SINK_WAITING_MAX */
    /** The pause after a failure doubles from the one to the other until something is acknowledged.
     * 0: GAP_SINK_RETRY_MIN_US, _MAX_US. */
    uint64_t retry_min_us;
    uint64_t retry_max_us;
} gap_sink_config_t;

/** What a sink is at. */
typedef struct gap_sink_stats {
    uint64_t waiting;        /* to be handed out */
    uint64_t unacknowledged; /* handed out */
    uint64_t acknowledged;   /* since it was opened */
    uint64_t batches;        /* since it was opened */
    uint64_t failures;       /* since it was opened */
    uint64_t retry_us;       /* until it is tried again; 0: not failing */
} gap_sink_stats_t;

/**
 * Open a sink on a client's loop. It is to be closed before the client can be: gap_client_close
 * waits for it.
 * @return 0; GAP_E_ARGUMENT no flush, or unacknowledged_max below batch_max; GAP_E_CLOSED the
 * client closes; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_client_sink(struct gap_client *client,
                                          const gap_sink_config_t *config, gap_sink_t **out);

/**
 * Take an update: a gap_update_cb.
 * @param sink  A gap_sink_t.
 * @return GAP_LATER; GAP_E_LIMIT waiting_max; GAP_E_CLOSED close has begun; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_sink_take(gap_update_t *update, void *sink);

/** This update is safe. @return 0 (also if it was acknowledged before); GAP_E_ARGUMENT it has not
 * been handed out yet; GAP_E_CLOSED. */
GAP_API GAP_NODISCARD int gap_sink_ack(gap_sink_t *sink, uint64_t number);
/** This update and all that were handed out before it are safe. @return as gap_sink_ack. */
GAP_API GAP_NODISCARD int gap_sink_ack_through(gap_sink_t *sink, uint64_t number);
/**
 * This update and those behind it, as far as they are not acknowledged, are handed out again after
 * a pause, in order, with the same numbers.
 * @param error  Negative.
 * @return as gap_sink_ack.
 */
GAP_API GAP_NODISCARD int gap_sink_fail(gap_sink_t *sink, uint64_t number, int error);
/** Hand out what waits in the next tick, without waiting for more or for the end of a pause. */
GAP_API void gap_sink_flush(gap_sink_t *sink);
/** What it is at. */
GAP_API void gap_sink_stats(const gap_sink_t *sink, gap_sink_stats_t *out);
/**
 * Close: what is not acknowledged has not been handled (it fails with GAP_E_CLOSED), and nothing is
 * handed out any more. Take no updates to it first. Idempotent.
 * @param callback  Once, from a tick; the sink is gone when it returns. May be NULL.
 */
GAP_API void gap_sink_close(gap_sink_t *sink, void (*callback)(void *data), void *data);

#ifdef __cplusplus
}
#endif
#endif
