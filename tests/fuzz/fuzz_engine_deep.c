/* tests/fuzz/fuzz_engine_deep.c - the engine behind a server that speaks well-formed TL and lies
 * with its numbers. The input is a list of orders: push a container that is put together from
 * templates; answer one of the questions by the template that fits it, by another one, by garbage
 * or half an answer, or never; let time pass; fail an allocation or an invoke; finish an update
 * that the handler kept; close.
 *
 * What must hold: one question per updater; no position moves back unless an event says so; nothing
 * reaches the handler after close; it always becomes quiet, however it is answered; and closes with
 * nothing left. */
#include "../sim/pack.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/packet.h"
#include "fuzz_alloc.h"

#include <gapless/engine.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX    64
#define LATER_MAX    16
#define TICKS_MAX    4096
#define CHANNEL      7 /* the first of them */
#define CHANNELS     3
#define END_US       UINT64_C(600000000)
#define END_CALLS    2000
#define UPDATES_MASK 7U

enum order {
    PUSH = 0,
    PUSH_AGAIN, /* the same twice as likely */
    ANSWER,
    ANSWER_AGAIN,
    TICK,
    TICK_AGAIN,
    RESULT,
    MISSED,
    NOT_SENT,
    NO_MEMORY,
    FINISH,
    CHANNEL_ORDER, /* open, close, track, untrack, fetch history */
    CLOSE,
    ORDERS
};

enum asked { ASKED_COMMON, ASKED_STATE, ASKED_CHANNEL, ASKED_FULL, ASKED_OTHER };

struct call {
    enum asked what;
    int64_t channel;
    gap_answer_cb cb;
    void *arg;
};

struct fuzz {
    struct fuzz_alloc memory;
    gap_engine_t *engine;
    struct pack p;
    struct call calls[CALLS_MAX];
    size_t call_count;
    unsigned asked; /* so far */
    gap_update_t *later[LATER_MAX];
    size_t later_count;
    uint64_t now_us;
    unsigned handled;
    bool not_sent;
    bool closing;
    bool closed;
    int32_t at_of[2 + CHANNELS]; /* positions: pts, qts, channels */
    bool excused[2 + CHANNELS];  /* an event told that it may fall */
    bool restarted;              /* there was an updatePtsChanged */
    bool delivered[CHANNELS];    /* something of it has reached the handler, */
    bool known[CHANNELS];        /* before this turn; else its position is hearsay */
    const uint8_t *at;
    const uint8_t *end;
};

/* ---- bytes ---- */

static unsigned take8(struct fuzz *f)
{
    return f->at < f->end ? *f->at++ : 0;
}

static int32_t wrapped(int64_t n)
{
    return (int32_t)(uint32_t)(uint64_t)n;
}

static int32_t special(struct fuzz *f, int64_t base)
{
    static const int64_t fixed[] = {0, -1, 1, INT32_MAX, INT32_MIN, INT32_MAX - 1, 1000000};
    static const int64_t beside[] = {1000009, 1000010, -1000009, -1000010, 99999,
                                     -100000, 500,     1001,     5000};
    unsigned b = take8(f) % (GAP_ARRAY_LEN(fixed) + GAP_ARRAY_LEN(beside));

    if (b < GAP_ARRAY_LEN(fixed)) return wrapped(fixed[b]);
    return wrapped(base + beside[b - GAP_ARRAY_LEN(fixed)]);
}

/* Most often the next number, or one near. */
static int32_t number(struct fuzz *f, int64_t base)
{
    unsigned b = take8(f);

    if (b < 128) return wrapped(base + 1 + b % 4);
    if (b < 224) return wrapped(base + (int64_t)b - 176);
    return special(f, base);
}

static int32_t count(struct fuzz *f)
{
    static const int32_t usual[] = {1, 1, 1, 0, 2, 3};
    unsigned b = take8(f);

    return b < 240 ? usual[b % GAP_ARRAY_LEN(usual)] : special(f, 0);
}

static int64_t channel_of(struct fuzz *f)
{
    return CHANNEL + take8(f) % CHANNELS;
}

static int32_t channel_at(const struct fuzz *f, int64_t channel)
{
    bool known = channel >= CHANNEL && channel < CHANNEL + CHANNELS;
    return known ? f->at_of[2 + channel - CHANNEL] : 50;
}

/* ---- what the engine calls ---- */

static struct call read_query(gap_tl_object_t q)
{
    struct call c = {ASKED_OTHER, -1, NULL, NULL};
    const gap_tl_input_channel_t *channel;

    switch (q.id) {
    case GAP_TL_UPDATES_GET_STATE:
        c.what = ASKED_STATE;
        c.channel = 0;
        break;
    case GAP_TL_UPDATES_GET_DIFFERENCE:
        c.what = ASKED_COMMON;
        c.channel = 0;
        break;
    case GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE:
        c.what = ASKED_CHANNEL;
        channel = ((const gap_tl_updates_get_channel_difference_t *)q.value)->channel.value;
        c.channel = channel->channel_id;
        break;
    case GAP_TL_CHANNELS_GET_FULL_CHANNEL:
        c.what = ASKED_FULL;
        channel = ((const gap_tl_channels_get_full_channel_t *)q.value)->channel.value;
        c.channel = channel->channel_id;
        break;
    default: /* a back-fill's */
        break;
    }
    return c;
}

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct fuzz *f = arg;
    uint8_t bytes[2048];
    struct call c = read_query(query);

    GAP_ASSERT(!f->closing);
    GAP_ASSERT(gap_tl_write(query, bytes, sizeof bytes) > 0);
    for (size_t i = 0; i < f->call_count; i++) /* of back-fills there is one, too */
        GAP_ASSERT(f->calls[i].channel != c.channel);
    f->asked++;
    if (f->not_sent || f->call_count == CALLS_MAX) return GAP_E_DISCONNECTED;
    c.cb = cb;
    c.arg = answer_arg;
    f->calls[f->call_count++] = c;
    return 0;
}

static int handler(gap_update_t *update, void *data)
{
    struct fuzz *f = data;
    gap_tl_object_t peer;

    GAP_ASSERT(!f->closing);
    GAP_ASSERT(gap_update_id(update) != 0);
    (void)!gap_update_find(update, (gap_peer_t){PACK_USER, GAP_PEER_USER}, &peer);
    int64_t channel = gap_update_channel_id(update);
    if (channel >= CHANNEL && channel < CHANNEL + CHANNELS) f->delivered[channel - CHANNEL] = true;
    f->handled++;
    if (f->handled % 5 == 0) return -1;
    if (f->handled % 3 != 0 || f->later_count == LATER_MAX) return 0;
    f->later[f->later_count++] = update;
    return GAP_LATER;
}

/* A fall that was recognised as the server's restart is as deep as one. */
static void check_restart(const struct fuzz *f, const gap_engine_event_t *ev)
{
    int64_t deep = ev->sequence == GAP_SEQUENCE_CHANNEL ? 99999 : 1000009;

    if (ev->reason != GAP_REASON_RESET || ev->to >= ev->from) return;
    if (ev->sequence != GAP_SEQUENCE_CHANNEL && f->restarted) return;
    GAP_ASSERT((int64_t)ev->from - ev->to > deep);
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    struct fuzz *f = data;

    GAP_ASSERT(!f->closing);
    if (ev->kind != GAP_EVENT_RESYNCHRONISED && ev->kind != GAP_EVENT_CHANNEL_LOST &&
        ev->kind != GAP_EVENT_GAP_ABANDONED)
        return;
    check_restart(f, ev);
    if (ev->sequence == GAP_SEQUENCE_COMMON) f->excused[0] = true;
    if (ev->sequence == GAP_SEQUENCE_QTS) f->excused[1] = true;
    if (ev->sequence == GAP_SEQUENCE_CHANNEL && ev->channel_id >= CHANNEL &&
        ev->channel_id < CHANNEL + CHANNELS)
        f->excused[2 + ev->channel_id - CHANNEL] = true;
}

static void on_closed(void *arg)
{
    struct fuzz *f = arg;
    GAP_ASSERT(f->closing);
    f->closed = true;
}

/* ---- what must hold ---- */

static void look(struct fuzz *f)
{
    int32_t now[2 + CHANNELS] = {0};
    gap_engine_state_t state;
    gap_engine_channel_status_t status;
    gap_engine_channel_t c;
    size_t it = 0;

    if (f->closing) return;
    if (gap_engine_export(f->engine, &state) == 0) {
        now[0] = state.pts;
        now[1] = state.qts;
    }
    while (gap_engine_next_channel(f->engine, &it, &c)) GAP_ASSERT(c.pts >= 0);
    for (size_t i = 0; i < CHANNELS; i++) {
        if (gap_engine_channel_status(f->engine, (int64_t)(CHANNEL + i), &status))
            now[2 + i] = status.pts;
        if (!f->known[i]) f->excused[2 + i] = true;
        f->known[i] = f->delivered[i];
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(now); i++) {
        GAP_ASSERT(now[i] >= f->at_of[i] || f->excused[i]);
        f->at_of[i] = now[i];
        f->excused[i] = false;
    }
}

static void tick(struct fuzz *f, uint64_t us, bool drained)
{
    int n = 0;

    f->now_us += us;
    while (!f->closed && gap_engine_tick(f->engine, f->now_us, drained) && drained)
        GAP_ASSERT(n++ < TICKS_MAX);
    look(f);
}

/* ---- pushes ---- */

static void restart(struct fuzz *f)
{
    f->restarted = true;
    pack_pts_changed(&f->p);
}

static void one_update(struct fuzz *f)
{
    int64_t channel = channel_of(f);
    unsigned kind = take8(f) % 15;
    bool odd = take8(f) >= 240;
    int32_t there = number(f, channel_at(f, channel));
    int32_t pts = number(f, f->at_of[0]);
    int32_t n = count(f);

    /* All numbers are taken before they are used: compilers differ in the order of arguments. */
    switch (kind) {
    case 0:
    case 1:
        pack_message(&f->p, pts, n, pts, PACK_USER + odd);
        break;
    case 2:
        pack_edit(&f->p, pts, n, f->at_of[0]);
        break;
    case 3:
        pack_delete(&f->p, pts, n & 15, 1);
        break;
    case 4:
    case 5:
    case 6:
        pack_channel_message(&f->p, channel, there, n, there);
        break;
    case 7:
        pack_channel_edit(&f->p, channel, there, n, channel_at(f, channel));
        break;
    case 8:
        pack_channel_read(&f->p, channel, there, there);
        break;
    case 9:
        pack_too_long(&f->p, odd ? -channel : channel, there);
        break;
    case 10:
        pack_qts(&f->p, number(f, f->at_of[1]), 1);
        break;
    case 11:
        pack_query(&f->p, 1);
        break;
    case 12:
        pack_status(&f->p, 9);
        break;
    case 13:
        pack_message_id(&f->p, 5);
        break;
    default:
        if (odd)
            restart(f);
        else
            pack_unknown(&f->p);
        break;
    }
}

static gap_packet_t *container(struct fuzz *f)
{
    gap_engine_state_t state = {0};
    unsigned b = take8(f);

    f->p.lonely = (b & 128) != 0;
    for (unsigned n = b & UPDATES_MASK; n > 0; n--) one_update(f);
    if (f->p.updates.count == 0) one_update(f);
    (void)!gap_engine_export(f->engine, &state);
    switch (take8(f) % 8) {
    case 0:
    case 1:
        return pack_updates(&f->p, number(f, state.seq));
    case 2: {
        int32_t start = number(f, state.seq);
        return pack_combined(&f->p, start, number(f, start));
    }
    case 3:
        return pack_short_message(number(f, f->at_of[0]), 5, PACK_USER);
    case 4:
        if (f->p.updates.count == 1) return pack_short(&f->p);
        return pack_updates(&f->p, 0);
    case 5:
        if (take8(f) < 32) return pack_updates_too_long();
        return pack_updates(&f->p, 0);
    default:
        return pack_updates(&f->p, 0);
    }
}

/* Empty it: a packet that needed nothing of it leaves it filled. */
static void forget(struct pack *p)
{
    p->updates.len = p->messages.len = p->users.len = p->chats.len = 0;
    p->updates.count = p->messages.count = p->users.count = p->chats.count = 0;
}

static void push(struct fuzz *f)
{
    gap_packet_t *packet = container(f);

    (void)!gap_engine_feed(f->engine, packet->data, packet->len, packet);
    gap_packet_unref(packet);
    forget(&f->p);
}

static void result(struct fuzz *f)
{
    unsigned b = take8(f);
    bool channel = b % 3 == 1;
    gap_packet_t *query =
        channel ? pack_channel_delete(channel_of(f)) : pack_send_message(PACK_USER, 1);
    int32_t base = channel ? f->at_of[2] : f->at_of[0];
    gap_packet_t *packet = NULL;

    if (b % 3 == 2) {
        int32_t pts = number(f, base);
        packet = pack_short_sent(pts, number(f, base));
    } else {
        int32_t pts = number(f, base);
        packet = pack_affected(pts, count(f));
    }
    (void)!gap_engine_result(f->engine, gap_bytes(query->data, query->len),
                             gap_bytes(packet->data, packet->len), packet);
    gap_packet_unref(query);
    gap_packet_unref(packet);
}

/* ---- answers ---- */

static void contents(struct fuzz *f, int64_t channel)
{
    unsigned b = take8(f);
    int32_t base = channel == 0 ? f->at_of[0] : channel_at(f, channel);

    for (unsigned n = b & UPDATES_MASK; n > 0; n--) {
        if (channel == 0)
            pack_new(&f->p, number(f, base));
        else
            pack_channel_new(&f->p, channel + (n == 7), number(f, base));
    }
    for (unsigned n = (b >> 3) % 4; n > 0; n--) one_update(f);
}

static gap_packet_t *common_answer(struct fuzz *f)
{
    unsigned how = take8(f) % 8;
    int32_t pts = number(f, f->at_of[0]);
    int32_t qts = number(f, (int64_t)f->at_of[1] - 1);

    if (how == 0) return pack_empty(number(f, 0));
    if (how == 1) return pack_difference_too_long(pts);
    contents(f, 0);
    f->p.later = (int32_t)take8(f);
    if (how < 4) return pack_slice(&f->p, pts, qts, number(f, 0));
    return pack_difference(&f->p, pts, qts, number(f, 0));
}

static gap_packet_t *channel_answer(struct fuzz *f, int64_t channel)
{
    unsigned how = take8(f) % 8;
    int32_t pts = number(f, channel_at(f, channel));

    if (how == 0) return pack_channel_empty(pts);
    contents(f, channel);
    if (how == 1) return pack_channel_too_long(&f->p, channel, pts);
    return pack_channel_difference(&f->p, pts, how > 3);
}

static gap_packet_t *template(struct fuzz *f, enum asked what, int64_t channel)
{
    switch (what) {
    case ASKED_COMMON:
        return common_answer(f);
    case ASKED_STATE: {
        int32_t pts = number(f, f->at_of[0]);
        return pack_state(pts, number(f, f->at_of[1]), number(f, 0));
    }
    case ASKED_CHANNEL:
        return channel_answer(f, channel);
    case ASKED_FULL:
        return pack_channel_full(channel, number(f, channel_at(f, channel)));
    case ASKED_OTHER:
        break;
    }
    return pack_garbage();
}

static void give(struct fuzz *f, size_t index, const gap_answer_t *answer)
{
    struct call c = f->calls[index];

    f->calls[index] = f->calls[--f->call_count];
    c.cb(c.arg, answer);
}

static void give_packet(struct fuzz *f, size_t index, gap_packet_t *packet, size_t len)
{
    gap_answer_t a;

    memset(&a, 0, sizeof a);
    a.value = gap_bytes(packet->data, len);
    a.packet = packet;
    give(f, index, &a);
    gap_packet_unref(packet);
    forget(&f->p);
}

static void refuse(struct fuzz *f, size_t index)
{
    static const struct {
        int32_t code;
        const char *text;
    } errors[] = {{500, "PERSISTENT_TIMESTAMP_OUTDATED"},
                  {400, "PERSISTENT_TIMESTAMP_INVALID"},
                  {420, "FLOOD_WAIT_3"},
                  {400, "CHANNEL_PRIVATE"},
                  {400, "DATE_EMPTY"},
                  {-503, "Timeout"},
                  {401, "SESSION_REVOKED"},
                  {406, "CHANNEL_PRIVATE"}};
    gap_answer_t a;
    unsigned b = take8(f) % (GAP_ARRAY_LEN(errors) + 1);

    memset(&a, 0, sizeof a);
    a.status = GAP_E_DISCONNECTED;
    if (b < GAP_ARRAY_LEN(errors)) {
        a.status = GAP_E_RPC;
        a.error_code = errors[b].code;
        a.error_text = gap_str(errors[b].text);
    }
    give(f, index, &a);
    if (b < GAP_ARRAY_LEN(errors) && errors[b].code == 401) gap_engine_start(f->engine);
}

static void answer(struct fuzz *f)
{
    if (f->call_count == 0) return;
    unsigned b = take8(f);
    size_t index = (b >> 4) % f->call_count;
    enum asked what = f->calls[index].what;
    int64_t channel = f->calls[index].channel;
    gap_packet_t *packet;

    switch (b & 15) {
    case 0:
        give_packet(f, index, pack_garbage(), 8);
        return;
    case 1:
        packet = template(f, what, channel);
        give_packet(f, index, packet, packet->len / 2);
        return;
    case 2:
        packet = template(f, (enum asked)(take8(f) % ASKED_OTHER), channel);
        give_packet(f, index, packet, packet->len);
        return;
    case 3:
    case 4:
        refuse(f, index);
        return;
    default:
        packet = template(f, what, channel);
        give_packet(f, index, packet, packet->len);
        return;
    }
}

/* ---- other orders ---- */

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

static void channel_order(struct fuzz *f)
{
    int64_t channel = channel_of(f);
    int32_t at = channel_at(f, channel);

    switch (take8(f) % 5) {
    case 0:
        (void)!gap_engine_open_channel(f->engine, channel);
        return;
    case 1:
        (void)!gap_engine_close_channel(f->engine, channel);
        return;
    case 2:
        f->excused[2 + channel - CHANNEL] = true;
        (void)!gap_engine_track_channel(f->engine, channel, pack_hash(channel), number(f, at));
        return;
    case 3:
        f->excused[2 + channel - CHANNEL] = true;
        (void)!gap_engine_untrack_channel(f->engine, channel);
        return;
    default:
        (void)!gap_engine_backfill(f->engine, channel, at, number(f, at));
        return;
    }
}

static void close_all(struct fuzz *f)
{
    gap_answer_t gone;

    memset(&gone, 0, sizeof gone);
    gone.status = GAP_E_CLOSED;
    f->closing = true;
    gap_engine_close(f->engine, on_closed, f);
    while (f->later_count > 0) finish_one(f);
    while (f->call_count > 0) give(f, 0, &gone);
    for (int i = 0; i < 100 && !f->closed; i++) tick(f, 1000, true);
    GAP_ASSERT(f->closed);
}

/* From now on every answer is garbage, or none can be sent: ten minutes cost a bounded number of
 * questions, and no turn after turn without rest. */
static void endure(struct fuzz *f, bool garbage)
{
    uint64_t end_us = f->now_us + END_US;
    unsigned before = f->asked;
    unsigned turns = 0;

    f->memory.fail_in = 0;
    f->not_sent = false;
    while (f->later_count > 0) finish_one(f);
    while (f->now_us < end_us) {
        int ms = gap_engine_timeout_ms(f->engine, f->now_us);
        tick(f, ms < 0 ? END_US : (uint64_t)ms * 1000, true);
        while (f->call_count > 0) {
            gap_packet_t *packet = garbage || f->calls[0].what == ASKED_OTHER ? pack_garbage()
                                   : f->calls[0].what == ASKED_STATE  ? pack_state(100, 100, 1)
                                   : f->calls[0].what == ASKED_COMMON ? pack_empty(1)
                                   : f->calls[0].what == ASKED_CHANNEL
                                       ? pack_channel_empty(channel_at(f, f->calls[0].channel))
                                       : pack_channel_full(f->calls[0].channel, 100);
            give_packet(f, 0, packet, packet->len);
        }
        GAP_ASSERT(turns++ < 10 * END_CALLS);
        GAP_ASSERT(f->asked - before < END_CALLS);
    }
}

static void obey(struct fuzz *f, unsigned order)
{
    unsigned b;

    switch ((enum order)(order % ORDERS)) {
    case PUSH:
    case PUSH_AGAIN:
        push(f);
        break;
    case ANSWER:
    case ANSWER_AGAIN:
        answer(f);
        break;
    case TICK:
    case TICK_AGAIN:
        b = take8(f);
        tick(f, b < 32 ? 0 : (uint64_t)(b - 32) * (b - 32) * 400, b % 8 != 0);
        break;
    case RESULT:
        result(f);
        break;
    case MISSED:
        gap_engine_missed(f->engine);
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
    case CHANNEL_ORDER:
        channel_order(f);
        break;
    case CLOSE:
        if (take8(f) < 64) close_all(f);
        break;
    case ORDERS:
        break;
    }
}

static void open_engine(struct fuzz *f)
{
    static const gap_engine_channel_t channels[] = {{CHANNEL, 1234, 50, false},
                                                    {CHANNEL + 1, 0, 60, true}};
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, channels, 2};
    gap_engine_config_t c;
    unsigned b = take8(f);

    memset(&c, 0, sizeof c);
    c.alloc = fuzz_alloc_init(&f->memory);
    c.self_id = 1;
    c.limits.inbox = 32;
    c.invoke = invoke;
    c.handler = handler;
    c.event = on_event;
    c.invoke_arg = c.handler_data = c.event_data = f;
    if ((b & 1) == 0) c.state = &state;
    c.bot = (b & 2) != 0;
    c.gap_continue = (b & 4) != 0;
    c.gap_wait_us = (b & 8) != 0 ? 500000 : 0;
    c.tail_sweep = (b & 16) != 0;
    c.no_own_updates = (b & 32) != 0;
    GAP_ASSERT(gap_engine_open(&c, &f->engine) == 0);
    gap_engine_start(f->engine);
    look(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f;

    memset(&f, 0, sizeof f);
    f.at = data;
    f.end = data + size;
    unsigned last = take8(&f);
    open_engine(&f);
    while (f.at < f.end && !f.closed) obey(&f, take8(&f));
    f.memory.fail_in = 0;
    if (!f.closed && last % 3 != 0) endure(&f, last % 3 == 1);
    if (!f.closed) close_all(&f);
    pack_fini(&f.p);
    GAP_ASSERT(f.memory.live == 0);
    return 0;
}
