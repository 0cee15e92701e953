/*
 * The gap engine in random worlds of many channels and small limits: inboxes of a few updates, few
 * questions at a time, differences of a few events, FLOOD_WAIT, bursts, channels that are opened,
 * closed, untracked and tracked again. A seed reproduces a world.
 *
 * Checked: no message twice or out of order, none of an untracked channel; every message is
 * delivered or in a range that an event named; what FLOOD_WAIT forbids is not asked, by a
 * book-keeping of its own; never more questions at a time than allowed; at the end nothing is left
 * at work.
 */
#include "world.h"

#define SEEDS    150
#define EVENTS   500
#define CHANNELS 24
#define PTS_MAX  (EVENTS + 64)

struct chat {
    int32_t pts;  /* the server's; message ids are the same numbers */
    int32_t base; /* what is before was before it was tracked */
    int32_t seen; /* highest message delivered */
    bool tracked;
    int opened;
    uint64_t flood_us;     /* not asked before */
    uint8_t done[PTS_MAX]; /* delivered, or told to be lost */
};

static struct world w;
static struct chat chats[CHANNELS + 1];
static uint32_t requests;    /* as many at a time */
static uint32_t in_flight;   /* of channels */
static uint64_t all_us;      /* the account is told to wait */
static uint64_t channels_us; /* or all channels are */
static int told;             /* the channel that was told to wait last */
static uint64_t longest_us;  /* the longest that one was told */
static uint64_t told_us;     /* when the server said so last: others may ask in that very moment */
static uint32_t slice;
static double trouble;

static uint64_t below(uint64_t n)
{
    return gap_prng_below(&w.random, n);
}
static bool chance(double p)
{
    return gap_prng_unit(&w.random) < p;
}

/* ---- the server ---- */

static void told_to_wait(int64_t channel, uint64_t seconds)
{
    uint64_t until = w.now_us + seconds * 1000000;

    told_us = w.now_us;
    if (channel <= 0) {
        if (until > all_us) all_us = until;
        return;
    }
    chats[channel].flood_us = until;
    if (longest_us > w.now_us) {
        if (until > longest_us) longest_us = until;
        if (told != channel) channels_us = longest_us;
    } else {
        longest_us = until;
    }
    told = (int)channel;
}

static gap_packet_t *tell(int64_t channel, int32_t from, int32_t limit)
{
    const struct chat *c = &chats[channel];
    int32_t to = from + (int32_t)slice < c->pts ? from + (int32_t)slice : c->pts;

    if (from >= c->pts) return pack_channel_empty(from);
    if (c->pts - from > limit) return pack_channel_too_long(&w.p, channel, c->pts);
    for (int32_t id = from + 1; id <= to; id++) pack_channel_new(&w.p, channel, id);
    return pack_channel_difference(&w.p, to, to == c->pts);
}

static void asked(struct world_call *c)
{
    bool told_now = w.now_us == told_us;
    ck_assert_msg(w.now_us >= all_us || told_now, "asked while the account waits");
    if (c->channel <= 0) return;
    ck_assert_msg(w.now_us >= channels_us || told_now, "asked while all channels wait");
    ck_assert_msg(w.now_us >= chats[c->channel].flood_us, "asked while it waits");
    ck_assert_uint_lt(in_flight, requests);
    in_flight++;
}

static void serve(struct world *world, struct world_call *c, bool due)
{
    (void)world;
    if (!due) {
        asked(c);
        c->due_us = w.now_us + 1 + below(300000);
        return;
    }
    if (c->channel > 0) in_flight--;
    if (chance(trouble)) {
        uint64_t seconds = 1 + below(4);
        static const char *const texts[] = {"", "FLOOD_WAIT_1", "FLOOD_WAIT_2", "FLOOD_WAIT_3",
                                            "FLOOD_WAIT_4"};
        c->answer.code = chance(0.5) ? 420 : 500;
        c->answer.text = c->answer.code == 420 ? texts[seconds] : "HISTORY_GET_FAILED";
        if (c->answer.code == 420) told_to_wait(c->channel, seconds);
    } else if (c->channel <= 0) {
        c->answer.packet = pack_empty(1);
    } else if (c->limit == 0) {
        chats[c->channel].base = chats[c->channel].pts;
        c->answer.packet = pack_channel_full(c->channel, chats[c->channel].pts);
    } else {
        c->answer.packet = tell(c->channel, c->pts, c->limit);
    }
}

/* ---- what the engine says ---- */

static void handled(struct world *world, gap_update_t *update)
{
    char label[64];
    long long channel;
    int id;

    (void)world;
    world_label(update, label);
    ck_assert_int_eq(sscanf(label, "apply %lld:%d", &channel, &id), 2);
    struct chat *c = &chats[channel];
    ck_assert_msg(c->tracked, "%s of an untracked channel", label);
    ck_assert_msg(id > c->seen, "%s after %d", label, c->seen);
    ck_assert_int_lt(id, PTS_MAX);
    c->seen = id;
    c->done[id] = 1;
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    (void)data;
    if (ev->kind != GAP_EVENT_RESYNCHRONISED) return;
    ck_assert_int_eq(ev->sequence, GAP_SEQUENCE_CHANNEL);
    for (int32_t pts = ev->from + 1; pts <= ev->to; pts++) chats[ev->channel_id].done[pts] = 1;
}

/* ---- what happens ---- */

static void setup(uint64_t seed)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    memset(chats, 0, sizeof chats);
    in_flight = 0;
    all_us = channels_us = longest_us = told_us = 0;
    world_begin(&w, seed * 2 + 1);
    requests = c.limits.channel_requests = 1 + (uint32_t)below(4);
    c.limits.inbox = 1 + (uint32_t)below(8);
    c.limits.overflow = 1 + (uint32_t)below(30);
    c.limits.difference_limit = 10 + (uint32_t)below(60);
    c.bot = chance(0.3);
    c.gap_continue = chance(0.5);
    c.event = on_event;
    c.state = &(gap_engine_state_t){10, 5, 1, PACK_DATE, NULL, 0};
    slice = 1 + (uint32_t)below(c.limits.difference_limit);
    trouble = chance(0.7) ? 0.2 : 0;
    ck_assert_int_eq(world_open(&w, &c), 0);
    w.serve = serve;
    w.handled = handled;
    for (int id = 1; id <= CHANNELS; id++) {
        chats[id].pts = chats[id].base = chats[id].seen = 1;
        chats[id].tracked = true;
    }
}

static void push(int id)
{
    struct chat *c = &chats[id];

    if (c->pts + 1 >= PTS_MAX) return;
    c->pts++;
    if (chance(0.15)) return; /* lost */
    pack_channel_message(&w.p, id, c->pts, 1, c->pts);
    world_send(&w, w.now_us / 1000 + (chance(0.2) ? below(700) : 0), pack_updates(&w.p, 0));
}

/* The program changes its mind about a channel. */
static void change(int id)
{
    struct chat *c = &chats[id];

    if (!c->tracked) {
        bool ask = chance(0.5);
        c->tracked = true;
        c->base = c->pts;
        c->seen = ask ? c->seen : c->base;
        ck_assert_int_eq(gap_engine_track_channel(w.engine, id, pack_hash(id), ask ? 0 : c->base),
                         0);
    } else if (chance(0.3)) {
        c->tracked = false;
        c->opened = 0;
        ck_assert_int_eq(gap_engine_untrack_channel(w.engine, id), 0);
    } else if (c->opened > 0 && chance(0.6)) {
        c->opened--;
        ck_assert_int_eq(gap_engine_close_channel(w.engine, id), 0);
    } else {
        int r = gap_engine_open_channel(w.engine, id);
        ck_assert(r == 0 || r == GAP_E_LIMIT);
        c->opened += r == 0;
    }
}

static void traffic(void)
{
    for (int n = 0; n < EVENTS;) {
        int id = 1 + (int)below(chance(0.5) ? 3 : CHANNELS);
        uint64_t burst = chance(0.05) ? 1 + below(40) : 1;
        for (; burst > 0 && n < EVENTS && w.socket_count < WORLD_SOCKET / 2; burst--, n++) push(id);
        if (chance(0.05)) change(1 + (int)below(CHANNELS));
        if (chance(0.02)) gap_engine_missed(w.engine);
        world_run(&w, w.now_us / 1000 + below(60));
    }
}

static void settle(void)
{
    trouble = 0;
    world_run(&w, w.now_us / 1000 + 60000);
    for (int id = 1; id <= CHANNELS; id++) {
        for (; chats[id].opened > 0; chats[id].opened--)
            ck_assert_int_eq(gap_engine_close_channel(w.engine, id), 0);
        pack_too_long(&w.p, id, chats[id].pts);
        (void)world_feed(&w, pack_updates(&w.p, 0));
        world_run(&w, w.now_us / 1000 + 1);
    }
    world_run(&w, w.now_us / 1000 + 300000);
}

START_TEST(many_channels_and_little_room)
{
    gap_engine_counters_t count;

    setup((uint64_t)_i);
    gap_engine_start(w.engine);
    /* Every channel makes itself known by a clean first update. */
    for (int id = 1; id <= CHANNELS; id++) {
        pack_channel_message(&w.p, id, ++chats[id].pts, 1, 2);
        world_send(&w, w.now_us / 1000, pack_updates(&w.p, 0));
        world_run(&w, w.now_us / 1000 + 1);
    }
    world_run(&w, w.now_us / 1000 + 60000);
    traffic();
    settle();
    for (int id = 1; id <= CHANNELS; id++) {
        const struct chat *c = &chats[id];
        for (int32_t pts = c->base + 1; c->tracked && pts <= c->pts; pts++)
            ck_assert_msg(c->done[pts] != 0, "seed %d: %d:%d is missing, of %d", _i, id, (int)pts,
                          (int)c->pts);
    }
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.held, 0);
    ck_assert_uint_eq(count.active, 0);
    ck_assert_uint_eq(in_flight, 0);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    const char *scale = getenv("GAP_SEED_SCALE");
    double factor = scale == NULL ? 1 : strtod(scale, NULL);
    int seeds = (int)(SEEDS * factor);
    Suite *s = suite_create("engine_many");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, many_channels_and_little_room, 0, seeds < 1 ? 1 : seeds);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
