/* outbox/eta: what is foretold, and what then really happens: chats are worked off by the schedule,
 * and every row's hour is compared with what was said at the beginning. */
#include "../check_main.h"
#include "base/prng.h"
#include "outbox/eta.h"
#include "outbox/schedule.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SEND    GAP_TL_MESSAGES_SEND_MESSAGE
#define S       INT64_C(1000000)
#define NOW     (INT64_C(1700000000) * S)
#define CHANNEL (-INT64_C(1000000000000) - 7)

static struct gap_eta_row row_of(int64_t chat, uint64_t ahead)
{
    return (struct gap_eta_row){.now_us = NOW,
                                .chat = chat,
                                .ahead = ahead,
                                .urgency = GAP_OUTBOX_BULK,
                                .account_rate = GAP_RATE_ACCOUNT,
                                .user_rate = GAP_RATE_USER,
                                .group_rate = GAP_RATE_GROUP,
                                .bulk = true};
}

static gap_outbox_eta_t ask(const struct gap_eta_row *row)
{
    struct gap_eta e;
    gap_outbox_eta_t out;

    gap_eta_begin(&e, row);
    gap_eta_end(&e, &out);
    return out;
}

START_TEST(what_decides_is_said)
{
    const struct gap_gate flood = {.chat = 5, .until_us = NOW + 300 * S, .method = SEND};
    const struct gap_gate all = {.chat = 0, .until_us = NOW + 300 * S, .method = SEND};
    const struct gap_gate slow = {.chat = 5, .until_us = NOW + 30 * S, .method = GAP_GATE_SENDING};
    const struct gap_gate open = {.chat = 5, .until_us = NOW, .method = SEND};
    const struct gap_gate hostile = {.chat = 5, .until_us = INT64_MAX, .method = SEND};
    const struct {
        const char *why;
        struct gap_eta_row row;
        int64_t after; /* from now; INT64_MAX: not without people */
        const char *because;
    } cases[] = {
        {"at once", row_of(5, 0), 0, ""},
        {"a burst", row_of(5, 2), 0, ""},
        {"a person's limit", row_of(5, 12), 10 * S,
         "the limit of its chat, 1 call in 1 s, and 12 rows before it"},
        {"a channel's", row_of(CHANNEL, 3), 3 * S,
         "the limit of its chat, 20 calls in 60 s, and 3 rows before it"},
        {"no chat", row_of(0, 39), S,
         "the limit of the account, 30 calls in 1 s, and 39 calls before it"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gap_outbox_eta_t out = ask(&cases[i].row);
        ck_assert_msg(out.at_us == NOW + cases[i].after, "%s: in %ld", cases[i].why,
                      (long)(out.at_us - NOW));
        ck_assert_str_eq(out.because, cases[i].because);
        ck_assert_uint_eq(out.ahead, cases[i].row.ahead);
    }
    struct gap_eta_row r = row_of(5, 1);
    r.not_before_us = NOW + 60 * S;
    ck_assert_str_eq(ask(&r).because, "it waits for its time (not_before, or a back-off)");
    r.not_before_ahead = true;
    ck_assert_str_eq(ask(&r).because, "a row before it in its chat waits for its time");
    ck_assert_int_eq(ask(&r).at_us, NOW + 60 * S);
    r.gates = &flood;
    r.gate_count = 1;
    ck_assert_int_eq(ask(&r).at_us, NOW + 300 * S);
    ck_assert_str_eq(ask(&r).because, "FLOOD_WAIT: the server has this method wait in this chat");
    r.gates = &all;
    ck_assert_str_eq(ask(&r).because, "FLOOD_WAIT: the server has this method wait in all chats");
    r.not_before_us = 0;
    r.gates = &slow;
    ck_assert_int_eq(ask(&r).at_us, NOW + 30 * S);
    ck_assert_str_eq(ask(&r).because, "SLOWMODE_WAIT: the chat's slow mode");
    r.gates = &open;
    ck_assert_int_eq(ask(&r).at_us, NOW);
    r.gates = &hostile;
    ck_assert_int_eq(ask(&r).at_us, NOW + GAP_GATE_MAX_US);
    r.bulk_stopped = "the account is frozen";
    ck_assert_int_eq(ask(&r).at_us, INT64_MAX);
    ck_assert_str_eq(ask(&r).because, "bulk is stopped: the account is frozen");
    r.bulk = false;
    ck_assert_int_lt(ask(&r).at_us, INT64_MAX);
    r.parked = "the chat is private";
    ck_assert_int_eq(ask(&r).at_us, INT64_MAX);
    ck_assert_str_eq(ask(&r).because, "its chat is parked: the chat is private");
}
END_TEST

START_TEST(stored_nonsense_gives_a_time_all_the_same)
{
    static const int64_t odd[] = {INT64_MIN, -1, 0, 1, NOW, NOW + 1, INT64_MAX};

    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 7; j++) {
            for (int chat = -1; chat <= 1; chat++) {
                struct gap_eta_row r = row_of(chat, i == 0 ? UINT64_MAX : i);
                struct gap_eta e;
                gap_outbox_eta_t out;
                r.own = (struct gap_eta_bucket){odd[i], odd[j], true};
                r.account = r.own;
                r.not_before_us = odd[j];
                r.under_way = j % 2 == 0;
                gap_eta_begin(&e, &r);
                gap_eta_other(&e, -chat, UINT64_MAX, &r.own);
                gap_eta_other(&e, 0, UINT64_MAX, &r.own);
                gap_eta_end(&e, &out);
                ck_assert_int_ge(out.at_us, NOW);
            }
        }
    }
}
END_TEST

/* ---- what then happens ---- */

#define CHATS    8
#define ROWS_MAX 60

static struct {
    int64_t id;
    gap_outbox_class_t urgency;
    int rows;
    int done;
    bool in_flight;
    int64_t answer_at;
    int64_t foretold[ROWS_MAX];
    char because[ROWS_MAX][160];
} chats[CHATS];

static struct gap_limits limits;
static struct gap_schedule sched;
static int64_t now;
static int64_t latency;
static int chat_count;
static int64_t worst; /* by how much a time was too early, at most */

static struct gap_eta_bucket stored(int64_t chat)
{
    return (struct gap_eta_bucket){now, gap_limits_store(&limits, chat, now), true};
}

static void foretell(int c, int k)
{
    struct gap_gate gate;
    struct gap_eta_row r = row_of(chats[c].id, (uint64_t)(k - chats[c].done));
    struct gap_eta e;
    gap_outbox_eta_t out;

    r.now_us = now;
    r.urgency = chats[c].urgency;
    r.bulk = r.urgency == GAP_OUTBOX_BULK;
    r.under_way = chats[c].in_flight;
    r.account = stored(0);
    r.own = stored(chats[c].id);
    r.account_rate = limits.account_rate;
    r.user_rate = limits.user_rate;
    r.group_rate = limits.group_rate;
    if (gap_gate_until(&limits.gates, SEND, r.chat, now, &gate) != 0) {
        r.gates = &gate;
        r.gate_count = 1;
    }
    gap_eta_begin(&e, &r);
    for (int d = 0; d < chat_count && gap_eta_wants_others(&e); d++) {
        if (d == c || chats[d].urgency != chats[c].urgency) continue;
        if (gap_gate_until(&limits.gates, SEND, chats[d].id, now, NULL) != 0) continue;
        struct gap_eta_bucket b = stored(chats[d].id);
        int waits = chats[d].rows - chats[d].done - chats[d].in_flight;
        gap_eta_other(&e, chats[d].id, (uint64_t)waits, &b);
    }
    gap_eta_end(&e, &out);
    chats[c].foretold[k] = out.at_us;
    memcpy(chats[c].because[k], out.because, sizeof out.because);
}

static void work(int64_t until, int seed)
{
    while (now < until) {
        int64_t id;
        while (gap_schedule_next(&sched, now, &id) == 0) {
            int c = 0;
            while (chats[c].id != id) c++;
            int k = chats[c].done;
            if (chats[c].foretold[k] != 0) {
                ck_assert_msg(chats[c].foretold[k] <= now,
                              "seed %d: row %d of chat %d goes %ld us before its time (%s)", seed,
                              k, c, (long)(chats[c].foretold[k] - now), chats[c].because[k]);
                if (now - chats[c].foretold[k] > worst) worst = now - chats[c].foretold[k];
            }
            chats[c].in_flight = true;
            chats[c].answer_at = now + latency;
            gap_schedule_sent(&sched, id, now);
        }
        int64_t at = gap_schedule_next_time(&sched, now);
        for (int c = 0; c < chat_count; c++) {
            if (chats[c].in_flight && chats[c].answer_at < at) at = chats[c].answer_at;
        }
        if (at == INT64_MAX || at > until) at = until;
        now = at > now ? at : now;
        for (int c = 0; c < chat_count; c++) {
            if (!chats[c].in_flight || chats[c].answer_at > now) continue;
            chats[c].in_flight = false;
            chats[c].done++;
            if (chats[c].done == chats[c].rows) gap_schedule_drop(&sched, chats[c].id);
            gap_schedule_done(&sched, chats[c].id, now);
        }
    }
}

static void world(int seed)
{
    gap_prng_t p = {(uint64_t)seed};
    gap_outbox_config_t config = {0};
    struct gap_gate learned[GAP_GATE_LEARNED_MAX];
    size_t count;

    now = NOW;
    config.account.calls = 1 + (uint32_t)gap_prng_below(&p, 40);
    config.account.burst = 1 + (uint32_t)gap_prng_below(&p, 10);
    latency = (int64_t)gap_prng_below(&p, 3) * 20000;
    chat_count = 1 + (int)gap_prng_below(&p, CHATS);
    gap_limits_init(&limits, gap_alloc_default(), &config, now);
    gap_schedule_init(&sched, gap_alloc_default(), &limits, 0, 0);
    memset(chats, 0, sizeof chats);
    for (int c = 0; c < chat_count; c++) {
        chats[c].id = gap_prng_below(&p, 2) == 0 ? 100 + c : CHANNEL - c;
        chats[c].urgency = (gap_outbox_class_t)(1 + gap_prng_below(&p, 3));
        chats[c].rows = 1 + (int)gap_prng_below(&p, ROWS_MAX);
        ck_assert_int_eq(gap_schedule_add(&sched, chats[c].id, chats[c].urgency, SEND, 1, now), 0);
    }
    work(now + (int64_t)gap_prng_below(&p, 10 * S), seed);
    int c = (int)gap_prng_below(&p, (uint64_t)chat_count);
    ck_assert_int_eq(gap_gates_learn(&limits.gates, SEND, chats[c].id,
                                     (int64_t)gap_prng_below(&p, 60), false, now, learned, &count),
                     0);
    for (c = 0; c < chat_count; c++) {
        for (int k = chats[c].done + chats[c].in_flight; k < chats[c].rows; k++) foretell(c, k);
    }
    work(now + 2000 * S, seed);
    for (c = 0; c < chat_count; c++) ck_assert_int_eq(chats[c].done, chats[c].rows);
    gap_schedule_fini(&sched);
    gap_limits_fini(&limits);
}

START_TEST(no_row_goes_before_its_time)
{
    for (int seed = 1; seed <= gap_test_seeds(1000); seed++) world(seed);
}
END_TEST

START_TEST(a_chat_that_is_alone_goes_at_its_time)
{
    worst = 0;
    for (int seed = 1; seed <= 400; seed++) {
        gap_outbox_config_t config = {0};
        gap_prng_t p = {(uint64_t)seed};
        now = NOW;
        latency = 0;
        chat_count = 1;
        config.user.burst = 1 + (uint32_t)gap_prng_below(&p, 5);
        config.user.calls = 1 + (uint32_t)gap_prng_below(&p, 20);
        gap_limits_init(&limits, gap_alloc_default(), &config, now);
        gap_schedule_init(&sched, gap_alloc_default(), &limits, 0, 0);
        memset(chats, 0, sizeof chats);
        chats[0].id = 9;
        chats[0].urgency = GAP_OUTBOX_REPLY;
        chats[0].rows = ROWS_MAX;
        ck_assert_int_eq(gap_schedule_add(&sched, 9, GAP_OUTBOX_REPLY, SEND, 1, now), 0);
        work(now + (int64_t)gap_prng_below(&p, 3 * S), seed);
        for (int k = chats[0].done; k < chats[0].rows; k++) foretell(0, k);
        work(now + 2000 * S, seed);
        ck_assert_int_eq(chats[0].done, chats[0].rows);
        gap_schedule_fini(&sched);
        gap_limits_fini(&limits);
    }
    /* What is stored is rounded down, times are rounded up; a bucket of one loses what is left of a
     * microsecond with each call. */
    ck_assert_msg(worst <= ROWS_MAX, "%ld us later than was said", (long)worst);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_eta");
    TCase *t = tcase_create("eta");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_decides_is_said);
    tcase_add_test(t, stored_nonsense_gives_a_time_all_the_same);
    tcase_add_test(t, no_row_goes_before_its_time);
    tcase_add_test(t, a_chat_that_is_alone_goes_at_its_time);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
