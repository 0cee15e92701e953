/* outbox/schedule: whose turn it is. The judge of the random worlds knows neither buckets nor
 * heaps: a call may be made if no window of the history that ends with it has too many. */
#include "../check_main.h"
#include "base/prng.h"
#include "outbox/schedule.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SEND GAP_TL_MESSAGES_SEND_MESSAGE
#define EDIT GAP_TL_MESSAGES_EDIT_MESSAGE
#define S    INT64_C(1000000)
#define NOW  (INT64_C(1700000000) * S)

static struct fault_alloc fault;
static struct gap_limits limits;
static struct gap_schedule sched;
/* No limit but that of the account, or none at all. */
static const gap_outbox_rate_t endless = {1000000, 1, 1000000};

static void begin(const gap_outbox_config_t *config, size_t chats_max, uint32_t in_flight)
{
    fault_alloc_init(&fault, 0);
    gap_limits_init(&limits, &fault.alloc, config, NOW);
    gap_schedule_init(&sched, &fault.alloc, &limits, chats_max, in_flight);
}

static void end(void)
{
    gap_schedule_fini(&sched);
    gap_schedule_fini(&sched);
    gap_limits_fini(&limits);
    ck_assert_int_eq(fault.live, 0);
}

static void add(int64_t chat, gap_outbox_class_t urgency, int64_t now)
{
    ck_assert_int_eq(gap_schedule_add(&sched, chat, urgency, SEND, 1, now), 0);
}

/* Whose turn; INT64_MIN: nobody's. */
static int64_t next(int64_t now)
{
    int64_t chat = INT64_MIN;
    int r = gap_schedule_next(&sched, now, &chat);

    ck_assert(r == 0 || r == GAP_SCHEDULE_NONE);
    return chat;
}

#define NOBODY INT64_MIN

static void call(int64_t chat, int64_t now)
{
    gap_schedule_sent(&sched, chat, now);
    gap_schedule_done(&sched, chat, now);
}

START_TEST(chats_of_a_class_take_turns)
{
    enum { K = 50 };
    gap_outbox_config_t config = {.user = endless};
    int64_t now = NOW;

    begin(&config, 0, 0);
    for (int64_t c = 1; c <= K; c++) add(c, GAP_OUTBOX_BULK, now);
    for (int turn = 0; turn < 10 * K; turn++) {
        int64_t chat;
        while ((chat = next(now)) == NOBODY) {
            int64_t at = gap_schedule_next_time(&sched, now);
            ck_assert_int_gt(at, now);
            now = at;
        }
        ck_assert_int_eq(chat, 1 + turn % K);
        call(chat, now);
    }
    /* All of them at the account's rate, but for what bulk leaves to others. */
    ck_assert_int_le(now, NOW + (10 * K - 6) * S / 30 + K);
    end();
}
END_TEST

START_TEST(classes_share_what_there_is)
{
    gap_outbox_config_t config = {.user = endless};
    int turns[4] = {0};
    int64_t now = NOW;

    begin(&config, 0, 0);
    for (int64_t c = 1; c <= 300; c++) add(c, (gap_outbox_class_t)(1 + c % 3), now);
    for (int i = 0; i < 1600; i++) {
        int64_t chat;
        while ((chat = next(now)) == NOBODY) now = gap_schedule_next_time(&sched, now);
        turns[1 + chat % 3]++;
        call(chat, now);
    }
    ck_assert_int_eq(turns[GAP_OUTBOX_REPLY], 1200);
    ck_assert_int_eq(turns[GAP_OUTBOX_EDITS], 300);
    ck_assert_int_eq(turns[GAP_OUTBOX_BULK], 100);
    ck_assert_msg(now <= NOW + 1600 * S / 30, "together they have the whole rate");
    end();
}
END_TEST

START_TEST(replies_are_made_at_once_under_bulk)
{
    gap_outbox_config_t config = {.user = endless, .group = endless};
    gap_prng_t p = {7};
    int64_t now = NOW;
    int64_t reply_at = NOW + 10 * S;
    int bulk = 0;

    begin(&config, 0, 0);
    for (int64_t c = 1; c <= 1000; c++) add(c, GAP_OUTBOX_BULK, now);
    for (int replies = 0; replies < 200;) {
        int64_t chat = next(now);
        if (chat != NOBODY) {
            bulk++;
            call(chat, now);
            continue;
        }
        now = gap_schedule_next_time(&sched, now);
        if (now < reply_at) continue;
        /* Up to four at a time, at any moment. */
        now = reply_at;
        int64_t many = 1 + (int64_t)gap_prng_below(&p, 4);
        for (int64_t i = 0; i < many; i++) add(-1 - i, GAP_OUTBOX_REPLY, now);
        for (int64_t i = 0; i < many; i++) {
            chat = next(now);
            ck_assert_msg(chat == -1 - i, "a reply waits behind bulk");
            call(chat, now);
            gap_schedule_drop(&sched, chat);
        }
        replies += (int)many;
        reply_at = now + S / 6 + (int64_t)gap_prng_below(&p, 1 + S);
    }
    int64_t all = (now - NOW) * 30 / S;
    ck_assert_msg(bulk + 200 >= all - 10, "nothing of the rate is lost: %d of %ld", bulk,
                  (long)all);
    end();
}
END_TEST

START_TEST(replies_at_exactly_the_rate_do_not_starve_the_rest)
{
    gap_outbox_config_t config = {.user = endless, .group = endless};
    int64_t now = NOW;
    int bulk = 0;

    begin(&config, 0, 0);
    for (int64_t c = 1; c <= 10; c++) add(c, GAP_OUTBOX_BULK, now);
    for (int i = 1; i <= 30 * 60; i++) {
        now = NOW + i * S / 30 + 1;
        add(-i, GAP_OUTBOX_REPLY, now);
        for (int64_t chat; (chat = next(now)) != NOBODY;) {
            bulk += chat > 0;
            call(chat, now);
            if (chat < 0) gap_schedule_drop(&sched, chat);
        }
    }
    ck_assert_int_ge(bulk, 60);
    end();
}
END_TEST

START_TEST(places_in_flight_are_kept_for_replies)
{
    gap_outbox_config_t config = {.account = endless, .user = endless, .group = endless};
    int64_t bulk[64];
    int count = 0;

    begin(&config, 0, 64);
    for (int64_t c = 1; c <= 100; c++) add(c, GAP_OUTBOX_BULK, NOW);
    for (int64_t chat; (chat = next(NOW)) != NOBODY;) bulk[count++] = chat;
    ck_assert_int_eq(count, 56);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW), INT64_MAX);
    for (int64_t c = 1; c <= 20; c++) add(-c, GAP_OUTBOX_REPLY, NOW);
    for (int64_t c = 1; c <= 8; c++) ck_assert_int_eq(next(NOW), -c);
    ck_assert_int_eq(next(NOW), NOBODY);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW), INT64_MAX);
    ck_assert_uint_eq(sched.in_flight, 64);
    call(bulk[0], NOW);
    ck_assert_int_eq(next(NOW), -9);
    end();
}
END_TEST

START_TEST(bulk_that_is_stopped_stands_still_alone)
{
    begin(NULL, 0, 0);
    add(1, GAP_OUTBOX_BULK, NOW);
    add(2, GAP_OUTBOX_EDITS, NOW);
    gap_limits_stop_bulk(&limits, true);
    ck_assert_int_eq(next(NOW), 2);
    ck_assert_int_eq(next(NOW), NOBODY);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW), INT64_MAX);
    gap_limits_stop_bulk(&limits, false);
    ck_assert_int_le(gap_schedule_next_time(&sched, NOW), NOW);
    ck_assert_int_eq(next(NOW), 1);
    end();
}
END_TEST

START_TEST(a_chat_has_one_row_under_way)
{
    begin(NULL, 0, 0);
    add(1, GAP_OUTBOX_BULK, NOW);
    ck_assert_int_eq(next(NOW), 1);
    ck_assert_int_eq(next(NOW), NOBODY);
    ck_assert_int_eq(gap_schedule_add(&sched, 1, GAP_OUTBOX_BULK, SEND, 2, NOW),
                     GAP_SCHEDULE_KNOWN);
    ck_assert_int_eq(next(NOW), NOBODY);
    call(1, NOW);
    ck_assert_int_eq(next(NOW), 1);
    end();
}
END_TEST

START_TEST(a_row_that_comes_while_its_chat_ends_is_not_lost)
{
    struct gap_schedule_head head;

    begin(NULL, 0, 0);
    add(1, GAP_OUTBOX_BULK, NOW);
    ck_assert_int_eq(next(NOW), 1);
    ck_assert_int_eq(gap_schedule_add(&sched, 1, GAP_OUTBOX_BULK, SEND, 2, NOW),
                     GAP_SCHEDULE_KNOWN);
    gap_schedule_drop(&sched, 1); /* nothing waited when the answer was stored */
    call(1, NOW);
    ck_assert(gap_schedule_head(&sched, 1, &head));
    ck_assert_int_eq(next(NOW), 1);
    gap_schedule_drop(&sched, 1);
    gap_schedule_back(&sched, 1, NOW);
    ck_assert(!gap_schedule_head(&sched, 1, &head));
    ck_assert_uint_eq(gap_schedule_count(&sched), 0);
    end();
}
END_TEST

START_TEST(what_did_not_leave_costs_nothing)
{
    begin(NULL, 0, 0);
    add(1, GAP_OUTBOX_REPLY, NOW);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(next(NOW), 1);
        gap_schedule_back(&sched, 1, NOW);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(next(NOW), 1);
        call(1, NOW);
    }
    ck_assert_int_eq(next(NOW), NOBODY);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW), NOW + S);
    end();
}
END_TEST

START_TEST(blocked_chats_come_back_at_their_time)
{
    struct gap_schedule_head head;

    begin(NULL, 0, 0);
    add(1, GAP_OUTBOX_BULK, NOW);
    gap_schedule_block(&sched, 1, NOW + 5 * S, NOW);
    ck_assert(gap_schedule_head(&sched, 1, &head));
    ck_assert(head.blocked);
    ck_assert_int_eq(next(NOW), NOBODY);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW), NOW + 5 * S);
    ck_assert_int_eq(next(NOW + 5 * S - 1), NOBODY);
    ck_assert_int_eq(next(NOW + 5 * S), 1);
    /* In flight: it holds afterwards. */
    gap_schedule_block(&sched, 1, NOW + 9 * S, NOW + 5 * S);
    call(1, NOW + 6 * S);
    ck_assert_int_eq(next(NOW + 8 * S), NOBODY);
    gap_schedule_unblock(&sched, 1, NOW + 8 * S);
    ck_assert_int_eq(next(NOW + 8 * S), 1);
    gap_schedule_back(&sched, 1, NOW + 8 * S);
    gap_schedule_block(&sched, 1, INT64_MAX, NOW + 8 * S);
    ck_assert_int_eq(next(NOW + 1000000 * S), NOBODY);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW + 1000000 * S), INT64_MAX);
    gap_schedule_recheck(&sched, NOW + 1000000 * S);
    ck_assert_int_eq(next(NOW + 1000000 * S), 1);
    /* Of chats that are not known nothing is done. */
    gap_schedule_block(&sched, 2, NOW, NOW);
    gap_schedule_unblock(&sched, 2, NOW);
    gap_schedule_done(&sched, 2, NOW);
    gap_schedule_back(&sched, 2, NOW);
    gap_schedule_drop(&sched, 2);
    gap_schedule_set_head(&sched, 2, GAP_OUTBOX_BULK, SEND, 1, true, NOW);
    ck_assert_uint_eq(gap_schedule_count(&sched), 1);
    end();
}
END_TEST

START_TEST(a_chat_stands_where_its_oldest_row_stands)
{
    struct gap_schedule_head head;

    begin(NULL, 0, 0);
    add(1, GAP_OUTBOX_BULK, NOW);
    add(2, GAP_OUTBOX_BULK, NOW);
    gap_schedule_set_head(&sched, 2, GAP_OUTBOX_REPLY, EDIT, 7, true, NOW);
    ck_assert(gap_schedule_head(&sched, 2, &head));
    ck_assert_int_eq(head.row, 7);
    ck_assert(head.oldest);
    ck_assert(gap_schedule_head(&sched, 1, &head));
    ck_assert(!head.oldest); /* it is one that waits, no more is known */
    ck_assert(gap_schedule_head(&sched, 2, &head));
    ck_assert_uint_eq(head.method, EDIT);
    ck_assert_int_eq(head.urgency, GAP_OUTBOX_REPLY);
    ck_assert_int_eq(next(NOW), 2);
    gap_schedule_set_head(&sched, 2, GAP_OUTBOX_BULK, SEND, 8, true, NOW);
    call(2, NOW);
    ck_assert_int_eq(next(NOW), 1);
    ck_assert_int_eq(next(NOW), 2);
    /* Nonsense counts as bulk. */
    ck_assert_int_eq(gap_schedule_add(&sched, 3, (gap_outbox_class_t)99, SEND, 9, NOW), 0);
    ck_assert(gap_schedule_head(&sched, 3, &head));
    ck_assert_int_eq(head.urgency, GAP_OUTBOX_BULK);
    end();
}
END_TEST

START_TEST(a_full_schedule_says_so)
{
    begin(NULL, 3, 0);
    add(0, GAP_OUTBOX_BULK, NOW);
    add(INT64_MAX, GAP_OUTBOX_BULK, NOW);
    add(INT64_MIN + 1, GAP_OUTBOX_BULK, NOW);
    ck_assert(!gap_schedule_room(&sched));
    ck_assert_int_eq(gap_schedule_add(&sched, 5, GAP_OUTBOX_BULK, SEND, 1, NOW), GAP_SCHEDULE_FULL);
    ck_assert_int_eq(gap_schedule_add(&sched, 0, GAP_OUTBOX_BULK, SEND, 1, NOW),
                     GAP_SCHEDULE_KNOWN);
    ck_assert_int_eq(gap_schedule_add(&sched, INT64_MIN, GAP_OUTBOX_BULK, SEND, 1, NOW),
                     GAP_E_ARGUMENT);
    gap_schedule_drop(&sched, 0);
    ck_assert(gap_schedule_room(&sched));
    add(5, GAP_OUTBOX_BULK, NOW);
    end();
}
END_TEST

START_TEST(calls_about_no_chat_have_the_accounts_limit_alone)
{
    int calls = 0;

    begin(NULL, 0, 0);
    add(0, GAP_OUTBOX_REPLY, NOW);
    while (next(NOW) == 0) {
        call(0, NOW);
        calls++;
    }
    ck_assert_int_eq(calls, 10);
    end();
}
END_TEST

START_TEST(a_gate_that_concerns_many_is_worked_off_in_steps)
{
    enum { K = 5000 };
    struct gap_gate learned[GAP_GATE_LEARNED_MAX];
    size_t count;
    int steps = 1;

    begin(NULL, 0, 0);
    for (int64_t c = 1; c <= K; c++) add(c, GAP_OUTBOX_BULK, NOW);
    ck_assert_int_eq(gap_gates_learn(&limits.gates, SEND, 0, 60, false, NOW, learned, &count), 0);
    ck_assert_int_eq(next(NOW), NOBODY);
    while (gap_schedule_next_time(&sched, NOW) <= NOW) {
        ck_assert_int_eq(next(NOW), NOBODY);
        ck_assert_int_le(++steps, K / GAP_SCHEDULE_STEPS_MAX + 2);
    }
    ck_assert_int_ge(steps, K / GAP_SCHEDULE_STEPS_MAX);
    ck_assert_int_eq(gap_schedule_next_time(&sched, NOW), NOW + 60 * S);
    steps = 0;
    while (next(NOW + 60 * S) == NOBODY) {
        ck_assert_int_le(gap_schedule_next_time(&sched, NOW + 60 * S), NOW + 60 * S);
        ck_assert_int_le(++steps, K / GAP_SCHEDULE_STEPS_MAX + 2);
    }
    end();
}
END_TEST

START_TEST(an_empty_schedule_holds_no_memory)
{
    begin(NULL, 0, 0);
    for (int64_t c = 1; c <= 20000; c++) add(c, GAP_OUTBOX_BULK, NOW);
    for (int64_t c = 1; c <= 20000; c++) gap_schedule_drop(&sched, c);
    ck_assert_uint_eq(gap_schedule_count(&sched), 0);
    ck_assert_int_eq(fault.live, 0);
    add(1, GAP_OUTBOX_BULK, NOW);
    ck_assert_int_eq(next(NOW), 1);
    end();
}
END_TEST

START_TEST(without_memory_a_chat_is_not_taken_in)
{
    for (long at = 1; at <= 8; at++) {
        begin(NULL, 0, 0);
        fault.fail_at = at;
        int64_t chat;
        int r = gap_schedule_add(&sched, 1, GAP_OUTBOX_BULK, SEND, 1, NOW);
        if (r == 0) r = gap_schedule_next(&sched, NOW, &chat);
        if (at <= 5) {
            ck_assert_int_eq(r, GAP_E_NOMEM);
            ck_assert_uint_eq(sched.in_flight, 0);
            /* Nothing is broken, nothing was taken. */
            r = gap_schedule_add(&sched, 1, GAP_OUTBOX_BULK, SEND, 1, NOW);
            ck_assert(r == 0 || r == GAP_SCHEDULE_KNOWN);
            ck_assert_int_eq(next(NOW), 1);
        } else {
            ck_assert_int_eq(r, 0);
        }
        ck_assert_int_eq(gap_limits_store(&limits, 0, NOW), 9 * GAP_BUCKET_CALL);
        end();
    }
}
END_TEST

/* ---- random worlds ---- */

#define CHATS 12
#define CALLS 4000

static struct {
    int64_t at[CALLS];
    int count;
} history[CHATS + 1]; /* the last one: the account */

static struct {
    int rows;
    gap_outbox_class_t urgency; /* of its oldest row */
    bool in_flight;
    int64_t answer_at;
    int64_t gate_until;
    int passed_by; /* turns of others of its class while it could have gone */
} chats[CHATS];

static gap_prng_t prng;
static int64_t world_now;

static int64_t id_of(int c)
{
    return c % 2 == 0 ? 100 + c : -(100 + c);
}

static int chat_of(int64_t id)
{
    return (int)((id > 0 ? id : -id) - 100);
}

/* May one more be made now? */
static bool window_allows(int h, const struct gap_rate *r)
{
    int count = history[h].count;

    if (r->burst == 0) return false;
    for (int i = 0; i < count; i++) {
        int64_t n = count - i + 1;
        int64_t span = world_now - history[h].at[i];
        if ((n - r->burst) * (int64_t)r->per_us > (int64_t)r->calls * span) return false;
    }
    return true;
}

static bool chat_allows(int c)
{
    return chats[c].rows > 0 && !chats[c].in_flight && chats[c].gate_until <= world_now &&
           window_allows(c, gap_limits_rate(&limits, id_of(c)));
}

static void answer(int c)
{
    struct gap_gate learned[GAP_GATE_LEARNED_MAX];
    size_t count;

    chats[c].in_flight = false;
    uint64_t what = gap_prng_below(&prng, 20);
    if (what == 0) { /* this chat has to wait; slow mode, so that it stays this chat's */
        int64_t wait = 1 + (int64_t)gap_prng_below(&prng, 5);
        ck_assert_int_eq(
            gap_gates_learn(&limits.gates, SEND, id_of(c), wait, true, world_now, learned, &count),
            0);
        chats[c].gate_until = world_now + wait * S;
    } else {
        chats[c].rows--;
    }
    if (chats[c].rows == 0) {
        gap_schedule_drop(&sched, id_of(c));
    } else {
        chats[c].urgency = (gap_outbox_class_t)(1 + gap_prng_below(&prng, 3));
        gap_schedule_set_head(&sched, id_of(c), chats[c].urgency, SEND, 1, true, world_now);
    }
    gap_schedule_done(&sched, id_of(c), world_now);
}

static void enqueue(void)
{
    int c = (int)gap_prng_below(&prng, CHATS);
    gap_outbox_class_t urgency = (gap_outbox_class_t)(1 + gap_prng_below(&prng, 3));

    if (chats[c].rows == 0) chats[c].urgency = urgency;
    int r = gap_schedule_add(&sched, id_of(c), urgency, SEND, 1, world_now);
    ck_assert_int_eq(r, chats[c].rows > 0 ? GAP_SCHEDULE_KNOWN : 0);
    chats[c].rows++;
}

static void turns(int seed, uint32_t in_flight_max)
{
    for (int64_t id; (id = next(world_now)) != NOBODY;) {
        int c = chat_of(id);
        ck_assert_msg(chat_allows(c), "seed %d: chat %d may not", seed, c);
        ck_assert_msg(window_allows(CHATS, &limits.account_rate), "seed %d: account", seed);
        for (int d = 0; d < CHATS; d++) {
            if (d == c || chats[d].urgency != chats[c].urgency || !chat_allows(d)) continue;
            chats[d].passed_by++;
            ck_assert_msg(chats[d].passed_by < CHATS, "seed %d: chat %d is passed by", seed, d);
        }
        chats[c].passed_by = 0;
        chats[c].in_flight = true;
        chats[c].answer_at = world_now + (int64_t)gap_prng_below(&prng, 200000);
        history[c].at[history[c].count++] = world_now;
        history[CHATS].at[history[CHATS].count++] = world_now;
        gap_schedule_sent(&sched, id, world_now);
    }
    /* Nobody is left who may: neither a reply, nor anyone who needs not keep something back. */
    if (sched.in_flight >= in_flight_max || !window_allows(CHATS, &limits.account_rate)) return;
    for (int c = 0; c < CHATS; c++) {
        bool keeps = chats[c].urgency != GAP_OUTBOX_REPLY;
        ck_assert_msg(keeps || !chat_allows(c), "seed %d: the reply of chat %d waits", seed, c);
    }
}

static void world(int seed)
{
    gap_outbox_config_t config = {0};
    gap_outbox_rate_t *rates[] = {&config.account, &config.user, &config.group};
    uint32_t in_flight_max;

    prng.state = (uint64_t)seed;
    for (int i = 0; i < 3; i++) {
        *rates[i] = (gap_outbox_rate_t){.calls = 1 + (uint32_t)gap_prng_below(&prng, 30),
                                        .per_ms = 100 + (uint32_t)gap_prng_below(&prng, 2000),
                                        .burst = 1 + (uint32_t)gap_prng_below(&prng, 12)};
    }
    in_flight_max = 1 + (uint32_t)gap_prng_below(&prng, 16);
    begin(&config, 0, in_flight_max);
    memset(chats, 0, sizeof chats);
    for (int i = 0; i <= CHATS; i++) history[i].count = 0;
    world_now = NOW;
    for (int rows = 0, left = 0; rows < 400 || left > 0;) {
        uint64_t many = rows < 400 ? gap_prng_below(&prng, 4) : 0;
        for (uint64_t i = 0; i < many; i++, rows++) enqueue();
        turns(seed, in_flight_max);
        int64_t at = gap_schedule_next_time(&sched, world_now);
        left = 0;
        for (int c = 0; c < CHATS; c++) {
            left += chats[c].rows;
            if (chats[c].in_flight && chats[c].answer_at < at) at = chats[c].answer_at;
        }
        ck_assert_msg(left == 0 || rows < 400 || at < INT64_MAX, "seed %d: it stands still", seed);
        int64_t most = world_now + (int64_t)gap_prng_below(&prng, 500000);
        world_now = at < most || rows >= 400 ? at > world_now ? at : world_now : most;
        if (world_now == INT64_MAX) break;
        for (int c = 0; c < CHATS; c++) {
            if (chats[c].in_flight && chats[c].answer_at <= world_now) answer(c);
        }
    }
    ck_assert_uint_eq(gap_schedule_count(&sched), 0);
    ck_assert_uint_eq(sched.in_flight, 0);
    end();
}

START_TEST(random_worlds_as_their_judge_has_it)
{
    for (int seed = 1; seed <= gap_test_seeds(150); seed++) world(seed);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_schedule");
    TCase *t = tcase_create("schedule");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, chats_of_a_class_take_turns);
    tcase_add_test(t, classes_share_what_there_is);
    tcase_add_test(t, replies_are_made_at_once_under_bulk);
    tcase_add_test(t, replies_at_exactly_the_rate_do_not_starve_the_rest);
    tcase_add_test(t, places_in_flight_are_kept_for_replies);
    tcase_add_test(t, bulk_that_is_stopped_stands_still_alone);
    tcase_add_test(t, a_chat_has_one_row_under_way);
    tcase_add_test(t, a_row_that_comes_while_its_chat_ends_is_not_lost);
    tcase_add_test(t, what_did_not_leave_costs_nothing);
    tcase_add_test(t, blocked_chats_come_back_at_their_time);
    tcase_add_test(t, a_chat_stands_where_its_oldest_row_stands);
    tcase_add_test(t, a_full_schedule_says_so);
    tcase_add_test(t, calls_about_no_chat_have_the_accounts_limit_alone);
    tcase_add_test(t, a_gate_that_concerns_many_is_worked_off_in_steps);
    tcase_add_test(t, an_empty_schedule_holds_no_memory);
    tcase_add_test(t, without_memory_a_chat_is_not_taken_in);
    tcase_add_test(t, random_worlds_as_their_judge_has_it);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
