/* tests/fuzz/fuzz_engine.c - a hostile server and a bad day of the host: the input is a list of
 * orders (one byte, then what it needs) that feed the engine, answer its questions, fail its calls
 * and its allocator, let time pass, and close it. Afterwards it must close, with nothing left. */
#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz_alloc.h"

#include <gapless/engine.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX 64
#define LATER_MAX 16
#define TICKS_MAX 64

enum order {
    FEED = 0, /* length (2 bytes), Updates */
    ANSWER,   /* length, the oldest question's result */
    REFUSE,   /* code (2 bytes), length, text */
    TICK,     /* 16 ms units (1 byte) */
    RESULT,   /* length, query, length, result */
    MISSED,
    GARBLED,
    NOT_SENT,  /* invoke fails from now on, or no longer */
    NO_MEMORY, /* the allocation after that many (1 byte) fails */
    FINISH,    /* an update kept by the handler */
    CLOSE,
    ORDERS
};

struct fuzz {
    struct fuzz_alloc memory;
    gap_engine_t *engine;
    struct {
        gap_answer_cb cb;
        void *arg;
    } calls[CALLS_MAX];
    size_t call_count;
    gap_update_t *later[LATER_MAX];
    size_t later_count;
    uint64_t now_us;
    unsigned handled;
    bool not_sent;
    bool closed;
    const uint8_t *at;
    const uint8_t *end;
};

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct fuzz *f = arg;
    uint8_t bytes[512];

    GAP_ASSERT(gap_tl_write(query, bytes, sizeof bytes) > 0);
    if (f->not_sent || f->call_count == CALLS_MAX) return GAP_E_DISCONNECTED;
    f->calls[f->call_count].cb = cb;
    f->calls[f->call_count++].arg = answer_arg;
    return 0;
}

static int handler(gap_update_t *update, void *data)
{
    struct fuzz *f = data;
    gap_tl_object_t peer;

    GAP_ASSERT(!f->closed);
    GAP_ASSERT(gap_update_id(update) != 0);
    (void)!gap_update_find(update, (gap_peer_t){42, GAP_PEER_USER}, &peer);
    f->handled++;
    if (f->handled % 5 == 0) return -1;
    if (f->handled % 3 != 0 || f->later_count == LATER_MAX) return 0;
    f->later[f->later_count++] = update;
    return GAP_LATER;
}

static void on_closed(void *arg)
{
    struct fuzz *f = arg;
    f->closed = true;
}

static gap_bytes_t take(struct fuzz *f, size_t want)
{
    size_t left = (size_t)(f->end - f->at);
    gap_bytes_t b = gap_bytes(f->at, want < left ? want : left);
    f->at += b.len;
    return b;
}

static unsigned take8(struct fuzz *f)
{
    gap_bytes_t b = take(f, 1);
    return b.len == 1 ? b.data[0] : 0;
}

static unsigned take16(struct fuzz *f)
{
    unsigned low = take8(f);
    return low | take8(f) << 8;
}

static gap_bytes_t take_blob(struct fuzz *f)
{
    return take(f, take16(f));
}

static void answer_first(struct fuzz *f, const gap_answer_t *answer)
{
    if (f->call_count == 0) return;
    gap_answer_cb cb = f->calls[0].cb;
    void *arg = f->calls[0].arg;
    memmove(&f->calls[0], &f->calls[1], --f->call_count * sizeof f->calls[0]);
    cb(arg, answer);
}

static void tick(struct fuzz *f, uint64_t us)
{
    f->now_us += us;
    for (int i = 0; i < TICKS_MAX && !f->closed; i++) {
        if (!gap_engine_tick(f->engine, f->now_us, true)) break;
    }
}

static void finish_one(struct fuzz *f)
{
    if (f->later_count == 0) return;
    gap_update_t *u = f->later[--f->later_count];
    if (f->handled % 2 == 0) {
        gap_update_done(u);
    } else {
        gap_update_failed(u, -5);
    }
}

static void close_all(struct fuzz *f)
{
    gap_answer_t gone;

    memset(&gone, 0, sizeof gone);
    gone.status = GAP_E_CLOSED;
    gap_engine_close(f->engine, on_closed, f);
    while (f->later_count > 0) finish_one(f);
    while (f->call_count > 0) answer_first(f, &gone);
    for (int i = 0; i < 100 && !f->closed; i++) tick(f, 1000);
    GAP_ASSERT(f->closed);
}

static void refuse(struct fuzz *f)
{
    gap_answer_t a;

    memset(&a, 0, sizeof a);
    a.status = GAP_E_RPC;
    a.error_code = (int32_t)take16(f);
    a.error_text = take_blob(f);
    answer_first(f, &a);
}

static void obey(struct fuzz *f, unsigned order)
{
    gap_bytes_t query;
    gap_bytes_t blob;
    gap_answer_t a;

    switch ((enum order)(order % ORDERS)) {
    case FEED:
        blob = take_blob(f);
        (void)!gap_engine_feed(f->engine, blob.data, blob.len, NULL);
        break;
    case ANSWER:
        memset(&a, 0, sizeof a);
        a.value = take_blob(f);
        answer_first(f, &a);
        break;
    case REFUSE:
        refuse(f);
        break;
    case TICK:
        tick(f, (uint64_t)take8(f) * 16000);
        break;
    case RESULT:
        query = take_blob(f);
        blob = take_blob(f);
        (void)!gap_engine_result(f->engine, query, blob, NULL);
        break;
    case MISSED:
        gap_engine_missed(f->engine);
        break;
    case GARBLED:
        gap_engine_undecodable(f->engine);
        break;
    case NOT_SENT:
        f->not_sent = !f->not_sent;
        break;
    case NO_MEMORY:
        f->memory.fail_in = (long)take8(f) + 1;
        break;
    case FINISH:
        finish_one(f);
        break;
    case CLOSE:
        close_all(f);
        break;
    case ORDERS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gap_engine_state_t state = {10, 5, 1, 1700000000, NULL, 0};
    gap_engine_config_t c;
    struct fuzz f;

    memset(&f, 0, sizeof f);
    memset(&c, 0, sizeof c);
    f.at = data;
    f.end = data + size;
    c.alloc = fuzz_alloc_init(&f.memory);
    c.self_id = 1;
    c.limits.inbox = 32;
    c.invoke = invoke;
    c.handler = handler;
    c.invoke_arg = c.handler_data = &f;
    if (take8(&f) % 2 == 0) c.state = &state;
    GAP_ASSERT(gap_engine_open(&c, &f.engine) == 0);
    gap_engine_start(f.engine);
    while (f.at < f.end && !f.closed) obey(&f, take8(&f));
    f.memory.fail_in = 0;
    if (!f.closed) close_all(&f);
    GAP_ASSERT(f.memory.live == 0);
    return 0;
}
