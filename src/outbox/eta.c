/*
 * outbox/eta.c - when a row will go out at the earliest.
 */
#include "outbox/eta.h"

#include "base/prng.h"

#include <inttypes.h>
#include <stdio.h>

/** A row's own time and that of the gate it waits for may differ by so much: the clocks' steps. */
#define GATE_US INT64_C(1000000)

static struct gap_bucket opened(const struct gap_eta_bucket *stored, const struct gap_rate *rate,
                                int64_t now_us)
{
    struct gap_bucket b;
    int64_t at = stored->at_us < now_us ? stored->at_us : now_us;
    int64_t millionths = stored->stored ? stored->millionths : INT64_MAX;

    /* It was rounded down: at most this much was in it. */
    if (millionths < INT64_MAX) millionths++;
    gap_bucket_init(&b, rate, millionths, at);
    return b;
}

static const struct gap_rate *rate_of(const struct gap_eta *e, int64_t chat)
{
    return chat > 0 ? &e->row.user_rate : &e->row.group_rate;
}

/* Of its chat, up to and with its own, that are still to be taken from buckets. */
static uint64_t calls_of(const struct gap_eta_row *row)
{
    return row->under_way ? row->ahead : row->ahead < UINT64_MAX ? row->ahead + 1 : row->ahead;
}

static int64_t bucket_when(const struct gap_eta *e)
{
    const struct gap_eta_row *row = &e->row;

    if (row->chat == 0) return row->now_us;
    const struct gap_rate *rate = rate_of(e, row->chat);
    struct gap_bucket own = opened(&row->own, rate, row->now_us);
    return gap_bucket_when(&own, rate, calls_of(row), row->now_us);
}

void gap_eta_begin(struct gap_eta *e, const struct gap_eta_row *row)
{
    *e = (struct gap_eta){.row = *row, .chat_us = row->now_us};
    for (size_t i = 0; i < row->gate_count; i++) {
        const struct gap_gate *gate = &row->gates[i];
        if (gate->until_us > row->now_us && gate->until_us > e->gate.until_us) e->gate = *gate;
    }
    if (e->gate.until_us > row->now_us + GAP_GATE_MAX_US)
        e->gate.until_us = row->now_us + GAP_GATE_MAX_US;
    if (e->gate.until_us > e->chat_us) e->chat_us = e->gate.until_us;
    if (row->not_before_us > e->chat_us) e->chat_us = row->not_before_us;
    int64_t bucket = bucket_when(e);
    if (bucket > e->chat_us) e->chat_us = bucket;
    e->stopped = row->parked != NULL || (row->bulk_stopped != NULL && row->bulk);
}

bool gap_eta_wants_others(const struct gap_eta *e)
{
    return calls_of(&e->row) > 1 && !e->stopped && e->chat_us < INT64_MAX;
}

void gap_eta_other(struct gap_eta *e, int64_t chat, uint64_t rows,
                   const struct gap_eta_bucket *bucket)
{
    const struct gap_eta_row *row = &e->row;
    uint64_t between = calls_of(row) > 1 ? calls_of(row) - 1 : 0; /* of its own, whole turns */
    uint64_t turns = rows < between ? rows : between;

    if (chat != 0) {
        /* Until this chat's own limits let the row pass, at least. */
        const struct gap_rate *rate = rate_of(e, chat);
        struct gap_bucket b = opened(bucket, rate, row->now_us);
        uint64_t there = (uint64_t)gap_bucket_store(&b, rate, row->now_us);
        uint64_t during = (uint64_t)e->chat_us - (uint64_t)row->now_us;
        gap_u128_t brought = (gap_u128_t)during * rate->calls * GAP_BUCKET_CALL / rate->per_us;
        gap_u128_t calls = (there + brought) / GAP_BUCKET_CALL;
        /* The last one may come into line behind this row. */
        if (calls <= turns) turns = calls > 0 ? (uint64_t)calls - 1 : 0;
    }
    e->others = turns > UINT64_MAX - e->others ? UINT64_MAX : e->others + turns;
}

/* "20 calls in 60 s" */
static void print_rate(char out[64], const struct gap_rate *rate)
{
    bool seconds = rate->per_us % 1000000 == 0;

    (void)snprintf(out, 64, "%" PRIu32 " call%s in %" PRIu64 " %s", rate->calls,
                   rate->calls == 1 ? "" : "s", rate->per_us / (seconds ? 1000000 : 1000),
                   seconds ? "s" : "ms");
}

static void because_of_chat(const struct gap_eta *e, gap_outbox_eta_t *out)
{
    const struct gap_eta_row *row = &e->row;
    char rate[64];

    /* A row that waits because of a gate has its end for a time of its own. */
    bool gated = e->gate.until_us > row->now_us && e->gate.until_us + GATE_US >= e->chat_us;
    if (row->not_before_us == e->chat_us && !gated) {
        (void)snprintf(out->because, sizeof out->because, "%s",
                       row->not_before_ahead ? "a row before it in its chat waits for its time"
                                             : "it waits for its time (not_before, or a back-off)");
    } else if (gated) {
        const char *what = "FLOOD_WAIT: the server has this method wait in this chat";
        if (e->gate.method == GAP_GATE_SENDING) {
            what = "SLOWMODE_WAIT: the chat's slow mode";
        } else if (e->gate.chat == 0) {
            what = "FLOOD_WAIT: the server has this method wait in all chats";
        }
        (void)snprintf(out->because, sizeof out->because, "%s", what);
    } else {
        print_rate(rate, rate_of(e, row->chat));
        (void)snprintf(out->because, sizeof out->because,
                       "the limit of its chat, %s, and %" PRIu64 " row%s before it", rate,
                       row->ahead, row->ahead == 1 ? "" : "s");
    }
}

void gap_eta_end(const struct gap_eta *e, gap_outbox_eta_t *out)
{
    const struct gap_eta_row *row = &e->row;
    struct gap_bucket account = opened(&row->account, &row->account_rate, row->now_us);
    uint64_t own = calls_of(row);
    uint64_t calls = own > UINT64_MAX - e->others ? UINT64_MAX : own + e->others;
    int64_t all = gap_bucket_when(&account, &row->account_rate, calls, row->now_us);

    out->ahead = row->ahead;
    out->because[0] = '\0';
    if (e->stopped) {
        out->at_us = INT64_MAX;
        if (row->parked != NULL) {
            (void)snprintf(out->because, sizeof out->because, "its chat is parked: %s",
                           row->parked);
        } else {
            (void)snprintf(out->because, sizeof out->because, "bulk is stopped: %s",
                           row->bulk_stopped);
        }
    } else if (all > e->chat_us) {
        char rate[64];
        out->at_us = all;
        print_rate(rate, &row->account_rate);
        (void)snprintf(out->because, sizeof out->because,
                       "the limit of the account, %s, and %" PRIu64 " call%s before it", rate,
                       calls - (calls > 0), calls == 2 ? "" : "s");
    } else {
        out->at_us = e->chat_us;
        if (e->chat_us > row->now_us) because_of_chat(e, out);
    }
}
