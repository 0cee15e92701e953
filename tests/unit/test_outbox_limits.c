/* outbox/bucket, gates, limits: exact rates, clocks that are set, kills, gates that are learned.
 * The judge of rates counts calls in every window of the history; it knows nothing of buckets. */
#include "../check_main.h"
#include "base/prng.h"
#include "outbox/limits.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SEND    GAP_TL_MESSAGES_SEND_MESSAGE
#define EDIT    GAP_TL_MESSAGES_EDIT_MESSAGE
#define S       INT64_C(1000000)
#define DAY     (86400 * S)
#define NOW     (INT64_C(1700000000) * S)
#define CHANNEL (-INT64_C(1000000000000) - 7)
#define PERSON  INT64_C(77)
#define CALLS   3000

static struct fault_alloc fault;

/* ---- rates ---- */

START_TEST(defaults_are_the_documented_ones)
{
    struct gap_limits l;

    gap_limits_init(&l, gap_alloc_default(), NULL, NOW);
    ck_assert_uint_eq(l.account_rate.calls, 30);
    ck_assert_uint_eq(l.account_rate.per_us, 1000000);
    ck_assert_uint_eq(l.account_rate.burst, 10);
    ck_assert_uint_eq(gap_limits_rate(&l, PERSON)->calls, 1);
    ck_assert_uint_eq(gap_limits_rate(&l, PERSON)->per_us, 1000000);
    ck_assert_uint_eq(gap_limits_rate(&l, PERSON)->burst, 3);
    ck_assert_uint_eq(gap_limits_rate(&l, CHANNEL)->calls, 20);
    ck_assert_uint_eq(gap_limits_rate(&l, CHANNEL)->per_us, 60000000);
    ck_assert_uint_eq(gap_limits_rate(&l, CHANNEL)->burst, 3);
    ck_assert_ptr_eq(gap_limits_rate(&l, -5), gap_limits_rate(&l, CHANNEL));
    ck_assert_uint_eq(gap_limits_keep(&l, GAP_OUTBOX_REPLY), 0);
    ck_assert_uint_eq(gap_limits_keep(&l, GAP_OUTBOX_EDITS), 2);
    ck_assert_uint_eq(gap_limits_keep(&l, GAP_OUTBOX_BULK), 4);
    gap_limits_fini(&l);
}
END_TEST

START_TEST(rates_are_held_within_their_maxima)
{
    static const struct {
        gap_outbox_rate_t given;
        uint32_t calls;
        uint64_t per_us;
        uint32_t burst;
    } rates[] = {
        {{0, 0, 0}, 30, 1000000, 10},
        {{0, 5, 0}, 30, 1000000, 10},
        {{0, 0, 2}, 30, 1000000, 2},
        {{7, 0, 0}, 7, 1000000, 10},
        {{7, 250, 1}, 7, 250000, 1},
        {{UINT32_MAX, UINT32_MAX, UINT32_MAX}, 1000000, 2592000000000, 1000000},
    };

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct gap_rate r = gap_rate_of(&rates[i].given, GAP_RATE_ACCOUNT);
        struct gap_bucket b;
        ck_assert_uint_eq(r.calls, rates[i].calls);
        ck_assert_uint_eq(r.per_us, rates[i].per_us);
        ck_assert_uint_eq(r.burst, rates[i].burst);
        gap_bucket_init(&b, &r, INT64_MAX, NOW);
        for (uint32_t n = 0; n < r.burst && n < 20; n++) {
            ck_assert(gap_bucket_take(&b, &r, 0, NOW));
            gap_bucket_sent(&b, &r, NOW);
        }
        ck_assert(r.burst > 20 || !gap_bucket_take(&b, &r, 0, NOW));
        ck_assert_int_ge(gap_bucket_when(&b, &r, UINT64_MAX, NOW), NOW);
    }
}
END_TEST

START_TEST(a_rate_that_does_not_divide_its_time_does_not_drift)
{
    static const struct gap_rate rates[] = {
        {1000000, 30, 10}, {60000000, 20, 3}, {1000000, 7, 2}, {999983, 13, 4}};

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const struct gap_rate *r = &rates[i];
        struct gap_bucket b;
        int64_t now = NOW;
        uint64_t calls = 0;
        gap_bucket_init(&b, r, INT64_MAX, now);
        while (calls < 100000) {
            while (gap_bucket_take(&b, r, 0, now)) {
                gap_bucket_sent(&b, r, now);
                calls++;
                /* Exactly as soon as the rate allows, in whole microseconds. */
                uint64_t paid = calls > r->burst ? calls - r->burst : 0;
                uint64_t at = (paid * r->per_us + r->calls - 1) / r->calls;
                ck_assert_int_eq(now, NOW + (int64_t)at);
            }
            int64_t next = gap_bucket_when(&b, r, 1, now);
            ck_assert_int_gt(next, now);
            now = next;
        }
    }
}
END_TEST

START_TEST(what_was_taken_and_has_not_left_is_not_filled_again)
{
    struct gap_rate r = {1000000, 1, 3};
    struct gap_bucket b;

    gap_bucket_init(&b, &r, INT64_MAX, NOW);
    for (int i = 0; i < 3; i++) ck_assert(gap_bucket_take(&b, &r, 0, NOW));
    ck_assert_msg(!gap_bucket_take(&b, &r, 0, NOW + 10 * S), "three are under way since long");
    ck_assert(!gap_bucket_full(&b, &r, NOW + 10 * S));
    gap_bucket_sent(&b, &r, NOW + 10 * S);
    gap_bucket_sent(&b, &r, NOW + 10 * S);
    gap_bucket_sent(&b, &r, NOW + 10 * S);
    ck_assert_msg(!gap_bucket_take(&b, &r, 0, NOW + 10 * S), "they all left just now");
    ck_assert(gap_bucket_take(&b, &r, 0, NOW + 11 * S));
    gap_bucket_back(&b, &r, NOW + 11 * S);
    ck_assert_msg(gap_bucket_take(&b, &r, 0, NOW + 11 * S), "it did not leave");
}
END_TEST

START_TEST(stored_nonsense_is_nothing_or_a_burst)
{
    static const struct {
        int64_t stored;
        int calls;
        const char *why;
    } cases[] = {{INT64_MIN, 0, "below all"}, {-1, 0, "less than nothing"},
                 {0, 0, "nothing"},           {999999, 0, "not quite one"},
                 {1000000, 1, "one"},         {2999999, 2, "not quite three"},
                 {3000000, 3, "burst"},       {3000001, 3, "more than burst"},
                 {INT64_MAX, 3, "above all"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gap_limits l;
        int calls = 0;
        gap_limits_init(&l, gap_alloc_default(), NULL, NOW);
        ck_assert_int_eq(gap_limits_load(&l, PERSON, cases[i].stored, NOW), 0);
        while (gap_limits_take(&l, PERSON, 0, NOW) == 0) calls++;
        ck_assert_msg(calls == cases[i].calls, "%s: %d", cases[i].why, calls);
        gap_limits_fini(&l);
    }
    struct gap_limits l;
    gap_limits_init(&l, gap_alloc_default(), NULL, NOW);
    ck_assert_int_eq(gap_limits_load(&l, INT64_MIN, 0, NOW), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_limits_take(&l, INT64_MIN, 0, NOW), GAP_E_ARGUMENT);
    gap_limits_fini(&l);
}
END_TEST

START_TEST(what_is_stored_survives_other_rates)
{
    gap_outbox_config_t slow = {.user = {1, 60000, 5}};
    struct gap_limits l;

    gap_limits_init(&l, gap_alloc_default(), &slow, NOW);
    ck_assert_int_eq(gap_limits_take(&l, PERSON, 0, NOW), 0);
    int64_t stored = gap_limits_store(&l, PERSON, NOW);
    ck_assert_int_eq(stored, 4 * GAP_BUCKET_CALL);
    gap_limits_fini(&l);
    gap_limits_init(&l, gap_alloc_default(), NULL, NOW);
    ck_assert_int_eq(gap_limits_load(&l, PERSON, stored, NOW), 0);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(gap_limits_take(&l, PERSON, 0, NOW), 0);
    ck_assert_int_eq(gap_limits_take(&l, PERSON, 0, NOW), GAP_LIMITS_WAIT);
    gap_limits_fini(&l);
}
END_TEST

/* ---- the clock ---- */

START_TEST(the_clock_of_buckets_can_not_be_set)
{
    struct gap_steady s;

    gap_steady_init(&s, NOW, 500);
    ck_assert_int_eq(gap_steady_now(&s, 500), NOW);
    ck_assert_int_eq(gap_steady_now(&s, 500 + S), NOW + S);
    ck_assert_int_eq(gap_steady_now(&s, 400), NOW);
    ck_assert(!gap_steady_look(&s, NOW + S, 500 + S));
    ck_assert_int_eq(gap_steady_from_wall(&s, NOW + 60 * S), NOW + 60 * S);
    ck_assert_msg(gap_steady_look(&s, NOW + DAY, 500 + S), "set a day ahead");
    ck_assert_int_eq(gap_steady_now(&s, 500 + S), NOW + S);
    ck_assert_int_eq(gap_steady_from_wall(&s, NOW + DAY + 60 * S), NOW + 61 * S);
    ck_assert_msg(!gap_steady_look(&s, NOW + DAY + S, 500 + 2 * S), "told once");
    ck_assert_msg(gap_steady_look(&s, 0, 500 + 3 * S), "set to 1970");
    ck_assert_int_eq(gap_steady_from_wall(&s, 10 * S), NOW + 13 * S);
    ck_assert_int_eq(gap_steady_from_wall(&s, INT64_MAX), INT64_MAX);
    ck_assert_int_eq(gap_steady_from_wall(&s, INT64_MAX - 1), INT64_MAX);
    /* Little by little counts, too. */
    bool told = false;
    for (int i = 0; i < 30; i++) told |= gap_steady_look(&s, (uint64_t)(i * 50000), 500 + 3 * S);
    ck_assert(told);
    gap_steady_init(&s, UINT64_MAX, 0);
    ck_assert_int_gt(gap_steady_now(&s, 1), 0);
}
END_TEST

/* ---- every window, over kills and clocks that are set ---- */

struct history {
    int64_t at[CALLS];
    int count;
};

static void judge(const struct history *h, const struct gap_rate *r, uint64_t seed, const char *who)
{
    for (int i = 0; i < h->count; i++) {
        for (int j = i; j < h->count; j++) {
            int64_t n = j - i + 1;
            int64_t span = h->at[j] - h->at[i];
            ck_assert_msg((n - r->burst) * (int64_t)r->per_us <= (int64_t)r->calls * span,
                          "seed %lu: %s: %ld calls in %ld us, of %u per %lu us and %u at once",
                          seed, who, (long)n, (long)span, r->calls, r->per_us, r->burst);
        }
    }
}

#define WORLD_CHATS 4
static const int64_t world_chats[WORLD_CHATS] = {PERSON, 78, CHANNEL, -5};

static struct world {
    gap_prng_t prng;
    gap_outbox_config_t config;
    struct gap_limits limits;
    struct gap_steady steady;
    int64_t real_us;             /* what nobody can set */
    int64_t wall_off_us;         /* the wall clock is ahead by */
    int64_t stored[WORLD_CHATS]; /* INT64_MIN: not */
    int64_t stored_account;
    int pending[WORLD_CHATS];
    struct history calls[WORLD_CHATS];
    struct history account;
} w;

static int64_t mono(void)
{
    return w.real_us;
}

static uint64_t wall(void)
{
    int64_t t = NOW + w.real_us + w.wall_off_us;
    return t > 0 ? (uint64_t)t : 0;
}

static int64_t now(void)
{
    return gap_steady_now(&w.steady, (uint64_t)mono());
}

static void leaves(int chat)
{
    if (w.account.count == CALLS) return;
    w.account.at[w.account.count++] = w.real_us;
    w.calls[chat].at[w.calls[chat].count++] = w.real_us;
    w.pending[chat]--;
}

static void boot(void)
{
    gap_steady_init(&w.steady, wall(), (uint64_t)mono());
    gap_limits_init(&w.limits, gap_alloc_default(), &w.config, now());
    /* Below four, some are forgotten before they are full. */
    w.limits.chats_max = 2 + gap_prng_below(&w.prng, 8);
    if (w.stored_account != INT64_MIN)
        ck_assert_int_eq(gap_limits_load(&w.limits, 0, w.stored_account, now()), 0);
    for (int c = 0; c < WORLD_CHATS; c++) {
        if (w.stored[c] == INT64_MIN) continue;
        ck_assert_int_eq(gap_limits_load(&w.limits, world_chats[c], w.stored[c], now()), 0);
    }
}

static void die(void)
{
    for (int c = 0; c < WORLD_CHATS; c++) {
        while (w.pending[c] > 0 && w.account.count < CALLS) {
            if (gap_prng_below(&w.prng, 2) == 0) {
                w.pending[c]--; /* it had not left yet */
            } else {
                leaves(c);
            }
        }
        w.pending[c] = 0;
    }
    gap_limits_fini(&w.limits);
}

static void set_clock(void)
{
    static const int64_t by[] = {S / 2, -S / 2, 3600 * S, -3600 * S, 400 * DAY, -20000 * DAY, 0};
    uint64_t n = gap_prng_below(&w.prng, sizeof by / sizeof *by);

    w.wall_off_us = by[n] == 0 ? 0 : w.wall_off_us + by[n];
}

static void step(void)
{
    int c = (int)gap_prng_below(&w.prng, WORLD_CHATS);
    uint64_t what = gap_prng_below(&w.prng, 100);

    if (what < 2) {
        die();
        if (gap_prng_below(&w.prng, 2) == 0) set_clock();
        w.real_us += (int64_t)gap_prng_below(&w.prng, 100000);
        boot();
    } else if (what < 4) {
        set_clock();
        (void)gap_steady_look(&w.steady, wall(), (uint64_t)mono());
    } else if (what < 50) {
        uint32_t keep = (uint32_t)gap_prng_below(&w.prng, w.limits.account_rate.burst);
        if (gap_limits_take(&w.limits, world_chats[c], keep, now()) == 0) {
            w.pending[c]++;
            w.stored[c] = gap_limits_store(&w.limits, world_chats[c], now());
            w.stored_account = gap_limits_store(&w.limits, 0, now());
        }
    } else if (what < 78) {
        if (w.pending[c] > 0 && w.account.count < CALLS) {
            gap_limits_sent(&w.limits, world_chats[c], now());
            leaves(c);
        }
    } else if (what < 80) {
        if (w.pending[c] > 0) {
            gap_limits_back(&w.limits, world_chats[c], now());
            w.pending[c]--;
        }
    } else {
        w.real_us += (int64_t)gap_prng_below(&w.prng, 1U << gap_prng_below(&w.prng, 22));
    }
}

static gap_outbox_rate_t random_rate(void)
{
    return (gap_outbox_rate_t){.calls = 1 + (uint32_t)gap_prng_below(&w.prng, 40),
                               .per_ms = 1 + (uint32_t)gap_prng_below(&w.prng, 3000),
                               .burst = 1 + (uint32_t)gap_prng_below(&w.prng, 6)};
}

START_TEST(no_window_has_more_than_rate_and_burst_whatever_clocks_and_kills_do)
{
    uint64_t calls = 0;
    int seeds = gap_test_seeds(150);

    for (int seed = 1; seed <= seeds; seed++) {
        memset(&w, 0, sizeof w);
        w.prng.state = (uint64_t)seed;
        w.config.account = random_rate();
        w.config.user = random_rate();
        w.config.group = random_rate();
        w.stored_account = INT64_MIN;
        for (int c = 0; c < WORLD_CHATS; c++) w.stored[c] = INT64_MIN;
        boot();
        for (int i = 0; i < 2500; i++) step();
        for (int c = 0; c < WORLD_CHATS; c++) {
            judge(&w.calls[c], gap_limits_rate(&w.limits, world_chats[c]), (uint64_t)seed, "chat");
        }
        judge(&w.account, &w.limits.account_rate, (uint64_t)seed, "account");
        calls += (uint64_t)w.account.count;
        die();
    }
    ck_assert_msg(calls > 100 * (uint64_t)seeds, "only %lu calls were made at all", calls);
}
END_TEST

START_TEST(full_buckets_are_forgotten)
{
    struct gap_limits l;

    fault_alloc_init(&fault, 0);
    gap_limits_init(&l, &fault.alloc, NULL, NOW);
    for (int64_t i = 0; i < 5000; i++) {
        ck_assert_int_eq(gap_limits_take(&l, 1000 + i, 0, NOW + i * 40000), 0);
        gap_limits_sent(&l, 1000 + i, NOW + i * 40000);
        ck_assert_uint_le(l.map.count, 60); /* a second's worth, and those not looked at yet */
    }
    ck_assert_int_eq(gap_limits_full_before(&l, NOW + S), INT64_MIN);
    ck_assert_int_eq(gap_limits_full_before(&l, NOW + 20 * S), NOW + 11 * S);
    gap_limits_trim(&l, NOW + 1000 * S);
    ck_assert_uint_eq(l.map.count, 0);
    ck_assert_int_eq(fault.live, 0);
    gap_limits_fini(&l);
}
END_TEST

START_TEST(who_was_forgotten_too_early_waits)
{
    struct gap_limits l;

    gap_limits_init(&l, gap_alloc_default(), NULL, NOW);
    l.chats_max = 1;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gap_limits_take(&l, CHANNEL, 0, NOW), 0);
        gap_limits_sent(&l, CHANNEL, NOW);
    }
    ck_assert_int_eq(gap_limits_take(&l, PERSON, 0, NOW), 0); /* forgets the channel */
    gap_limits_sent(&l, PERSON, NOW);
    ck_assert_int_eq(gap_limits_chat_when(&l, CHANNEL, SEND, NOW), NOW + 9 * S);
    ck_assert_int_eq(gap_limits_take(&l, CHANNEL, 0, NOW + 9 * S - 1), GAP_LIMITS_WAIT);
    ck_assert_int_eq(gap_limits_store(&l, CHANNEL, NOW), 0);
    ck_assert_int_eq(gap_limits_take(&l, CHANNEL, 0, NOW + 9 * S), 0);
    gap_limits_fini(&l);
}
END_TEST

START_TEST(without_memory_nothing_is_taken)
{
    for (long at = 1; at <= 4; at++) {
        struct gap_limits l;
        fault_alloc_init(&fault, at);
        fault.fail_on = true;
        gap_limits_init(&l, &fault.alloc, NULL, NOW);
        int r = gap_limits_take(&l, PERSON, 0, NOW);
        ck_assert(at > 2 ? r == 0 : r == GAP_E_NOMEM);
        if (r < 0) {
            ck_assert_int_eq(gap_limits_store(&l, 0, NOW), 10 * GAP_BUCKET_CALL);
            ck_assert_int_eq(gap_limits_load(&l, PERSON, 0, NOW), GAP_E_NOMEM);
            ck_assert_int_eq(gap_limits_take(&l, 0, 0, NOW), 0);
        }
        gap_limits_fini(&l);
        ck_assert_int_eq(fault.live, 0);
    }
}
END_TEST

/* ---- gates ---- */

static struct gap_gates gates;
static struct gap_gate learned[GAP_GATE_LEARNED_MAX];
static size_t learned_count;

static void learn(uint32_t method, int64_t chat, int64_t wait_s, bool slow, int64_t at)
{
    int r = gap_gates_learn(&gates, method, chat, wait_s, slow, at, learned, &learned_count);
    ck_assert_int_eq(r, 0);
}

START_TEST(a_wait_is_for_the_method_in_the_chat_first)
{
    struct gap_gate which;

    gap_gates_init(&gates, gap_alloc_default());
    learn(SEND, 1, 300, false, NOW);
    ck_assert_uint_eq(learned_count, 1);
    ck_assert_uint_eq(learned[0].method, SEND);
    ck_assert_int_eq(learned[0].chat, 1);
    ck_assert_int_eq(learned[0].until_us, NOW + 300 * S);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 1, NOW, &which), NOW + 300 * S);
    ck_assert_int_eq(which.chat, 1);
    ck_assert_int_eq(gap_gate_until(&gates, EDIT, 1, NOW, &which), 0);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 2, NOW, &which), 0);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 1, NOW + 300 * S - 1, NULL), NOW + 300 * S);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 1, NOW + 300 * S, NULL), 0);
    ck_assert_uint_eq(gap_gates_count(&gates, NOW + 300 * S), 0);
    gap_gates_fini(&gates);
}
END_TEST

START_TEST(a_second_chat_within_the_wait_makes_it_the_methods)
{
    gap_gates_init(&gates, gap_alloc_default());
    learn(SEND, 1, 300, false, NOW);
    learn(SEND, 1, 300, false, NOW + S); /* the same chat again is no second one */
    ck_assert_uint_eq(learned_count, 1);
    learn(EDIT, 2, 100, false, NOW + S); /* nor is another method */
    ck_assert_uint_eq(learned_count, 1);
    learn(SEND, 2, 200, false, NOW + 2 * S);
    ck_assert_uint_eq(learned_count, 2);
    ck_assert_int_eq(learned[1].chat, 0);
    ck_assert_uint_eq(learned[1].method, SEND);
    ck_assert_int_eq(learned[1].until_us, NOW + 202 * S);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 3, NOW + 2 * S, NULL), NOW + 202 * S);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 1, NOW + 2 * S, NULL), NOW + 301 * S);
    ck_assert_int_eq(gap_gate_until(&gates, SEND, 0, NOW + 2 * S, NULL), NOW + 202 * S);
    ck_assert_int_eq(gap_gate_until(&gates, EDIT, 3, NOW + 2 * S, NULL), 0);
    gap_gates_fini(&gates);

    gap_gates_init(&gates, gap_alloc_default());
    learn(SEND, 1, 300, false, NOW);
    learn(SEND, 2, 300, false, NOW + 300 * S);
    ck_assert_msg(learned_count == 1, "the first wait is over: no second chat within it");
    gap_gates_fini(&gates);
}
END_TEST

START_TEST(slow_mode_is_for_what_sends_in_the_chat)
{
    gap_gates_init(&gates, gap_alloc_default());
    learn(SEND, CHANNEL, 30, true, NOW);
    ck_assert_uint_eq(learned[0].method, GAP_GATE_SENDING);
    learn(GAP_TL_MESSAGES_SEND_MEDIA, -7, 30, true, NOW);
    ck_assert_msg(learned_count == 1, "slow mode of two chats is not the method's");
    static const struct {
        uint32_t method;
        bool waits;
    } methods[] = {{SEND, true},
                   {GAP_TL_MESSAGES_SEND_MEDIA, true},
                   {GAP_TL_MESSAGES_SEND_MULTI_MEDIA, true},
                   {GAP_TL_MESSAGES_FORWARD_MESSAGES, true},
                   {GAP_TL_MESSAGES_SEND_INLINE_BOT_RESULT, true},
                   {EDIT, false},
                   {GAP_TL_MESSAGES_DELETE_MESSAGES, false}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        int64_t until = gap_gate_until(&gates, methods[i].method, CHANNEL, NOW, NULL);
        ck_assert_int_eq(until, methods[i].waits ? NOW + 30 * S : 0);
        ck_assert_int_eq(gap_gate_until(&gates, methods[i].method, PERSON, NOW, NULL), 0);
    }
    gap_gates_fini(&gates);
}
END_TEST

START_TEST(waits_are_believed_from_a_second_to_14_days)
{
    static const struct {
        int64_t said;
        int64_t waits;
    } cases[] = {{INT64_MIN, 1},
                 {-5, 1},
                 {0, 1},
                 {1, 1},
                 {2, 2},
                 {1209600, 1209600},
                 {1209601, 1209600},
                 {INT64_MAX, 1209600}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gap_gates_init(&gates, gap_alloc_default());
        learn(SEND, 1, cases[i].said, false, NOW);
        ck_assert_int_eq(learned[0].until_us, NOW + cases[i].waits * S);
        struct gap_gate stored = {.chat = 2, .until_us = NOW + cases[i].waits * S, .method = SEND};
        ck_assert_int_eq(gap_gates_load(&gates, &stored, NOW), 0);
        ck_assert_int_eq(gap_gate_until(&gates, SEND, 2, NOW, NULL), stored.until_us);
        gap_gates_fini(&gates);
    }
    gap_gates_init(&gates, gap_alloc_default());
    static const int64_t untils[] = {INT64_MIN, -1, 0, NOW - 1, NOW, INT64_MAX};
    for (int64_t i = 0; i < 6; i++) {
        struct gap_gate stored = {.chat = i + 1, .until_us = untils[i], .method = SEND};
        ck_assert_int_eq(gap_gates_load(&gates, &stored, NOW), 0);
        int64_t until = gap_gate_until(&gates, SEND, i + 1, NOW, NULL);
        ck_assert_int_eq(until, i < 5 ? 0 : NOW + 14 * DAY);
    }
    gap_gates_fini(&gates);
}
END_TEST

START_TEST(of_too_many_gates_the_one_that_opens_soonest_is_forgotten)
{
    gap_gates_init(&gates, gap_alloc_default());
    for (int i = 0; i < GAP_GATES_MAX + 10; i++) {
        /* The 50th opens first, then the 51st ... */
        learn(SEND, 1 + i, 1000 + (i < 50 ? 100000 : i), true, NOW);
    }
    ck_assert_uint_eq(gap_gates_count(&gates, NOW), GAP_GATES_MAX);
    ck_assert_uint_eq(gates.forgotten, 10);
    for (int i = 0; i < GAP_GATES_MAX + 10; i++) {
        bool closed = gap_gate_until(&gates, SEND, 1 + i, NOW, NULL) != 0;
        ck_assert_int_eq(closed, i < 50 || i >= 60);
    }
    gap_gates_fini(&gates);
}
END_TEST

/* A list, read from end to end: what the server said, and what follows from it. */
static struct said {
    uint32_t method;
    int64_t chat;
    int64_t until;
    bool slow;
} said[400];
static int said_count;

static int64_t naive_until(uint32_t method, int64_t chat, int64_t at)
{
    int64_t latest = 0;

    for (int i = 0; i < said_count; i++) {
        if (said[i].until <= at) continue;
        bool chat_fits = said[i].chat == 0 || said[i].chat == chat;
        bool method_fits = said[i].slow ? gap_gate_sends(method) : said[i].method == method;
        if (chat_fits && method_fits && said[i].until > latest) latest = said[i].until;
    }
    return latest;
}

static void naive_learn(uint32_t method, int64_t chat, int64_t wait_s, bool slow, int64_t at)
{
    bool second = false;

    for (int i = 0; i < said_count && !slow; i++) {
        second |= said[i].until > at && !said[i].slow && said[i].method == method &&
                  said[i].chat != 0 && said[i].chat != chat;
    }
    said[said_count++] = (struct said){method, chat, at + wait_s * S, slow};
    if (second) said[said_count++] = (struct said){method, 0, at + wait_s * S, false};
}

START_TEST(gates_are_as_a_list_of_what_was_said)
{
    static const uint32_t methods[] = {SEND, EDIT, GAP_TL_MESSAGES_FORWARD_MESSAGES};

    for (int seed = 1; seed <= gap_test_seeds(100); seed++) {
        gap_prng_t p = {(uint64_t)seed};
        int64_t at = NOW;
        said_count = 0;
        gap_gates_init(&gates, gap_alloc_default());
        while (said_count < 390) {
            at += (int64_t)gap_prng_below(&p, 60 * S);
            uint32_t method = methods[gap_prng_below(&p, 3)];
            int64_t chat = 1 + (int64_t)gap_prng_below(&p, 8);
            if (gap_prng_below(&p, 3) == 0) {
                int64_t wait = 1 + (int64_t)gap_prng_below(&p, 300);
                bool slow = gap_gate_sends(method) && gap_prng_below(&p, 3) == 0;
                naive_learn(method, chat, wait, slow, at);
                learn(method, chat, wait, slow, at);
            }
            for (int i = 0; i < 4; i++) {
                uint32_t m = methods[gap_prng_below(&p, 3)];
                int64_t c = 1 + (int64_t)gap_prng_below(&p, 8);
                ck_assert_msg(gap_gate_until(&gates, m, c, at, NULL) == naive_until(m, c, at),
                              "seed %d: method %x chat %ld", seed, m, (long)c);
            }
        }
        gap_gates_fini(&gates);
    }
}
END_TEST

START_TEST(without_memory_a_wait_is_told_all_the_same)
{
    for (long at = 1; at <= 5; at++) {
        fault_alloc_init(&fault, at);
        fault.fail_on = true;
        gap_gates_init(&gates, &fault.alloc);
        memset(learned, 0, sizeof learned);
        int r = gap_gates_learn(&gates, SEND, 1, 30, false, NOW, learned, &learned_count);
        ck_assert_int_eq(r, at > 3 ? 0 : GAP_E_NOMEM);
        ck_assert_uint_eq(learned_count, 1);
        ck_assert_int_eq(learned[0].until_us, NOW + 30 * S);
        ck_assert_int_eq(gap_gate_until(&gates, SEND, 1, NOW, NULL), r < 0 ? 0 : NOW + 30 * S);
        gap_gates_fini(&gates);
        ck_assert_int_eq(fault.live, 0);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_limits");
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, defaults_are_the_documented_ones);
    tcase_add_test(t, rates_are_held_within_their_maxima);
    tcase_add_test(t, a_rate_that_does_not_divide_its_time_does_not_drift);
    tcase_add_test(t, what_was_taken_and_has_not_left_is_not_filled_again);
    tcase_add_test(t, stored_nonsense_is_nothing_or_a_burst);
    tcase_add_test(t, what_is_stored_survives_other_rates);
    tcase_add_test(t, the_clock_of_buckets_can_not_be_set);
    tcase_add_test(t, no_window_has_more_than_rate_and_burst_whatever_clocks_and_kills_do);
    tcase_add_test(t, full_buckets_are_forgotten);
    tcase_add_test(t, who_was_forgotten_too_early_waits);
    tcase_add_test(t, without_memory_nothing_is_taken);
    suite_add_tcase(s, t);
    t = tcase_create("gates");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_wait_is_for_the_method_in_the_chat_first);
    tcase_add_test(t, a_second_chat_within_the_wait_makes_it_the_methods);
    tcase_add_test(t, slow_mode_is_for_what_sends_in_the_chat);
    tcase_add_test(t, waits_are_believed_from_a_second_to_14_days);
    tcase_add_test(t, of_too_many_gates_the_one_that_opens_soonest_is_forgotten);
    tcase_add_test(t, gates_are_as_a_list_of_what_was_said);
    tcase_add_test(t, without_memory_a_wait_is_told_all_the_same);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
