/*
 * A router with session data on a runner and a store, in the virtual world: an update counts itself
 * in the data of its chat. Whenever the process may die, what is on the disk must say as many as
 * the stored position: both are written in one commit, or neither is.
 */
#include "tests/sim/store_world.h"

#include "base/prng.h"
#include "loops/runner.h"
#include "sequence/update.h"
#include "tests/unit/route_build.h"

#include <gapless/route.h>
#include <gapless/runner.h>
#include <string.h>

#define UPDATES 60

static gap_router_t *router;
static gap_runner_t *the_runner;
static struct prng_dice {
    gap_prng_t rng;
} dice;
static bool rough;       /* handlers fail, hang and take their time */
static uint32_t flags;   /* of the route */
static int32_t position; /* all up to it are through */
static unsigned handled; /* calls of the handler */
static unsigned stale;   /* handlers that ended after their time-out */
static unsigned ends;
static unsigned dead;
static bool refused;   /* what the handler does next */
static unsigned hangs; /* handlers that take too long */
static bool dying;     /* what comes back was not handled */
static char said[512];

/* ---- updates, one chat, one lane ---- */

static struct node {
    struct made made;
    int32_t number;
    bool through;
} nodes[UPDATES + 1];

static void through(struct node *n)
{
    if (dying) return;
    n->through = true;
    while (position < UPDATES && nodes[position + 1].through) position++;
    gap_store_touch(store);
}

static void node_finished(gap_update_t *update, int status)
{
    (void)status;
    through(GAP_CONTAINER_OF(update, struct node, made.update));
}

static const struct gap_update_owner node_owner = {.finished = node_finished};

static void feed(int32_t number)
{
    struct node *n = &nodes[number];

    n->number = number;
    made_text(&n->made, "count");
    n->made.update.owner = &node_owner;
    if (gap_runner_take(&n->made.update, the_runner) == 0) through(n);
}

/* ---- the handler ---- */

static struct later {
    gap_timer_t timer;
    gap_update_t *run;
    int status;
} laters[256];

static void later(gap_rt_t *r, gap_timer_t *timer)
{
    struct later *l = GAP_CONTAINER_OF(timer, struct later, timer);
    gap_update_t *run = l->run;

    (void)r;
    l->run = NULL;
    if (!gap_update_is_current(run)) {
        stale++;
        ck_assert_int_eq(gap_update_session_set(run, gap_str("never")), GAP_E_STATE);
    }
    if (l->status == 0)
        gap_update_done(run);
    else
        gap_update_failed(run, l->status);
}

static int end_later(gap_update_t *run, uint64_t us, int status)
{
    struct later *l = laters;

    while (l->run != NULL) l++;
    ck_assert_ptr_ne(l, laters + GAP_ARRAY_LEN(laters));
    *l = (struct later){.timer.fn = later, .run = run, .status = status};
    ck_assert_int_eq(gap_timer_start(&rt, &l->timer, sim_now_us(sim) + us), 0);
    return GAP_LATER;
}

static int32_t number_in(gap_bytes_t value)
{
    char text[16] = "";

    ck_assert_uint_lt(value.len, sizeof text);
    if (value.len > 0) memcpy(text, value.data, value.len);
    return atoi(text);
}

static int count(gap_update_t *update, const gap_match_t *match, void *data)
{
    char text[16];

    ck_assert_ptr_null(data);
    ck_assert(gap_bytes_equal(match->message->text, gap_str("count")));
    handled++;
    snprintf(text, sizeof text, "%d", (int)number_in(gap_update_session(update)) + 1);
    ck_assert_int_eq(gap_update_session_set(update, gap_str(text)), 0);
    if (refused) return GAP_E_LIMIT;
    if (hangs > 0) {
        hangs--;
        return end_later(update, 2 * S, 0); /* its time is over by then */
    }
    if (!rough) return 0;
    switch (gap_prng_below(&dice.rng, 8)) {
    case 0:
        return GAP_E_LIMIT;
    case 1:
        return end_later(update, 1 + gap_prng_below(&dice.rng, 90 * MS), GAP_E_LIMIT);
    case 2:
    case 3:
        return end_later(update, 1 + gap_prng_below(&dice.rng, 90 * MS), 0);
    default:
        return 0;
    }
}

static void on_end(gap_update_t *update, const gap_match_t *match, int result, void *data)
{
    (void)match;
    (void)data;
    ck_assert(gap_update_is_current(update));
    ck_assert_int_le(result, 0);
    ends++;
}

/* ---- the store ---- */

/* A value that is being read. */
struct reading {
    gap_value_cb loaded;
    void *arg;
    char value[16];
};

static int on_record(void *arg, const gap_record_t *record)
{
    struct reading *r = arg;
    gap_bytes_t value = record->u.value.value;

    ck_assert_uint_lt(value.len, sizeof r->value);
    memcpy(r->value, value.data, value.len);
    return 0;
}

static void on_read(void *arg, int status)
{
    struct reading *r = arg;
    r->loaded(r->arg, status, gap_str(r->value));
    free(r);
}

static int load(void *self, gap_bytes_t key, gap_value_cb loaded, void *arg)
{
    const gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = key};
    struct reading *r = calloc(1, sizeof *r);

    ck_assert_ptr_eq(self, &router);
    r->loaded = loaded;
    r->arg = arg;
    int status = gap_store_read(store, &what, on_record, on_read, r);
    if (status < 0) free(r);
    return status;
}

static int save(void *self, gap_bytes_t key, gap_bytes_t value)
{
    const gap_record_t r = {
        .kind = GAP_RECORD_VALUE, .removed = value.len == 0, .u.value = {key, value}};

    ck_assert_ptr_eq(self, &router);
    return gap_store_put(store, &r);
}

static int collect(void *arg)
{
    (void)arg;
    if (position == 0) return 0;
    gap_record_t r = state(position);
    return gap_store_put(store, &r);
}

static int value_record(void *arg, const gap_record_t *record)
{
    *(int32_t *)arg = number_in(record->u.value.value);
    return 0;
}

static gap_bytes_t chat_key(uint8_t out[9])
{
    const gap_match_t match = {.chat = {7, GAP_PEER_USER}};

    return gap_bytes(out, (size_t)gap_session_chat(NULL, &match, out, NULL));
}

/* What the process that starts now would find. */
static int32_t counted_on_disk(void)
{
    gap_storage_fault_t why;
    uint8_t bytes[9];
    const gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = chat_key(bytes)};
    int32_t number = 0;

    if (!door.open) ck_assert_int_eq(disk->ops->open(disk, &why), 0);
    ck_assert_int_eq(disk->ops->read(disk, &what, value_record, &number, &why), 0);
    if (!door.open) disk->ops->close(disk);
    return number;
}

static void check_disk(void)
{
    ck_assert_msg(counted_on_disk() == on_disk().pts, "counted %d, position %d: %s",
                  (int)counted_on_disk(), (int)on_disk().pts, said);
}

/* ---- life ---- */

static int call(void *arg, const gap_call_record_t *what,
                void (*done)(void *arg, int status, int result), void *done_arg)
{
    ck_assert_ptr_eq(arg, &store);
    return gap_store_call(store, what, done, done_arg);
}

static void on_event(void *arg, const struct gap_runner_event *event)
{
    (void)arg;
    if (event->kind != GAP_RUNNER_DEAD) return;
    ck_assert_int_eq(event->error, GAP_E_BUSY);
    ck_assert_uint_eq(event->attempt, 1);
    dead++;
}

static void open_all(void)
{
    static struct gap_store_events events;
    static struct gap_runner_hooks hooks;
    struct gap_store_config config = {&door.base, NULL};
    const gap_runner_config_t how = {
        .timeout_us = S, .attempts_max = 1000, .retry_min_us = 20 * MS, .retry_max_us = 200 * MS};
    const gap_session_config_t sessions = {.key = gap_session_chat,
                                           .values = {load, save, NULL, &router}};
    const gap_route_t route = {.filter.prefix = "count", .handler = count, .flags = flags};

    dying = false;
    events = store_events;
    events.collect = collect;
    ck_assert_int_eq(gap_store_open(&rt, &config, &events, NULL, &store), 0);
    sim_run_for(sim, 10 * MS);
    ck_assert_int_eq(owner.open_status, 0);
    position = owner.loaded.has_state ? owner.loaded.state.pts : 0;
    ck_assert_int_eq(gap_router_new(&fault.alloc, &router), 0);
    ck_assert_int_eq(gap_router_session(router, &sessions), 0);
    ck_assert_int_eq(gap_router_use(router, NULL, on_end, NULL), 0);
    ck_assert_int_eq(gap_router_add(router, &route), 0);
    hooks = (struct gap_runner_hooks){.handler = gap_router_handle,
                                      .handler_data = router,
                                      .event = on_event,
                                      .call = call,
                                      .call_arg = &store};
    ck_assert_int_eq(gap_runner_open(&rt, &how, &hooks, &the_runner), 0);
}

static void runner_closed(void *arg)
{
    bool *closed = arg;
    *closed = true;
}

/* In good order; what was handled until then is on the disk. */
static void close_all(void)
{
    bool closed = false;

    dying = true;
    gap_runner_close(the_runner, runner_closed, &closed);
    sim_run_for(sim, 10 * S);
    ck_assert(closed);
    gap_router_free(router);
    close_store();
}

/* A new process, with what the disk of the last one holds. Anything else of it is gone. */
static void crash(uint64_t seed)
{
    uint8_t bytes[9];
    char text[16];
    int32_t pts = on_disk().pts;
    gap_record_t value = {.kind = GAP_RECORD_VALUE, .u.value.key = chat_key(bytes)};

    snprintf(text, sizeof text, "%d", (int)counted_on_disk());
    value.u.value.value = gap_str(text);
    door.commit_count = 0;
    close_all();
    end();
    for (int i = 1; i <= UPDATES; i++) {
        if (nodes[i].number != 0) made_free(&nodes[i].made);
    }
    memset(nodes, 0, sizeof nodes);
    begin(seed, NULL);
    if (pts == 0) return;
    store_before(state(pts));
    store_before(value);
}

static void start(uint64_t seed, bool is_rough, uint32_t route_flags)
{
    rough = is_rough;
    flags = route_flags;
    handled = stale = ends = hangs = dead = 0;
    refused = false;
    position = 0;
    dice.rng = (gap_prng_t){seed};
    memset(nodes, 0, sizeof nodes);
    memset(laters, 0, sizeof laters);
    snprintf(said, sizeof said, "seed %d", (int)seed);
    begin(seed, NULL);
}

static void finish(void)
{
    close_all();
    check_disk();
    end();
    for (int i = 1; i <= UPDATES; i++) {
        if (nodes[i].number != 0) made_free(&nodes[i].made);
    }
}

START_TEST(test_data_is_there_after_a_restart)
{
    start(1, false, 0);
    open_all();
    for (int32_t i = 1; i <= 3; i++) feed(i);
    sim_run_for(sim, S);
    ck_assert_int_eq(counted_on_disk(), 3);
    check_disk();
    crash(2);
    open_all();
    ck_assert_int_eq(position, 3);
    feed(4);
    sim_run_for(sim, S);
    ck_assert_int_eq(counted_on_disk(), 4);
    ck_assert_uint_eq(handled, 4);
    ck_assert_uint_eq(ends, 4);
    finish();
}
END_TEST

START_TEST(test_data_on_a_thread)
{
    start(1, false, GAP_ROUTE_ON_THREAD);
    open_all();
    for (int32_t i = 1; i <= 3; i++) feed(i);
    sim_run_for(sim, S);
    ck_assert_uint_eq(handled, 3);
    ck_assert_int_eq(counted_on_disk(), 3);
    check_disk();
    finish();
}
END_TEST

static int refuse(gap_update_t *update, const gap_match_t *match, int error, void *data)
{
    (void)match;
    (void)data;
    ck_assert_int_eq(error, GAP_E_LIMIT);
    gap_update_give_up(update);
    return GAP_E_BUSY;
}

/* An error handler may say that trying again is no use. */
START_TEST(test_given_up_at_once)
{
    start(1, false, 0);
    open_all();
    gap_router_on_error(router, refuse, NULL);
    refused = true;
    feed(1);
    sim_run_for(sim, 50 * MS);
    refused = false;
    feed(2);
    sim_run_for(sim, S);
    ck_assert_uint_eq(dead, 1);
    ck_assert_uint_eq(handled, 2);
    ck_assert_int_eq(position, 2);
    ck_assert_int_eq(counted_on_disk(), 1);
    dying = true;
    close_all();
    end();
    for (int i = 1; i <= 2; i++) made_free(&nodes[i].made);
}
END_TEST

/* In a transaction of a storage without SQL the data is saved right behind it. */
START_TEST(test_data_of_a_transaction)
{
    start(1, false, GAP_ROUTE_TRANSACTION);
    open_all();
    for (int32_t i = 1; i <= 3; i++) feed(i);
    sim_run_for(sim, S);
    ck_assert_int_eq(counted_on_disk(), 3);
    check_disk();
    finish();
}
END_TEST

static int set_five(gap_update_t *update, const gap_match_t *match, void *data)
{
    (void)match;
    (void)data;
    return gap_update_session_set(update, gap_str("5"));
}

/* What was set in front of it counts in there, in whichever way a route's handler runs. */
START_TEST(test_data_set_before_the_handler)
{
    static const uint32_t ways[] = {0, GAP_ROUTE_ON_THREAD, GAP_ROUTE_TRANSACTION};

    start(1, false, ways[_i]);
    open_all();
    ck_assert_int_eq(gap_router_use(router, set_five, NULL, NULL), 0);
    feed(1);
    sim_run_for(sim, S);
    ck_assert_int_eq(handled, 1);
    ck_assert_int_eq(counted_on_disk(), 6);
    dying = true;
    close_all();
    end();
    made_free(&nodes[1].made);
}
END_TEST

/* What can't be read is not taken for empty: the update is tried again. */
START_TEST(test_data_that_can_not_be_read)
{
    start(1, false, 0);
    open_all();
    door.find_status = GAP_E_STORAGE;
    feed(1);
    sim_run_for(sim, S);
    ck_assert_uint_eq(handled, 0);
    door.find_status = 0;
    sim_run_for(sim, S);
    ck_assert_uint_eq(handled, 1);
    ck_assert_int_eq(position, 1);
    finish();
}
END_TEST

/* The run that timed out has its data to look at, and changes nothing any more; the next one does
 * not wait for it. */
START_TEST(test_data_of_a_handler_that_hangs)
{
    start(1, false, 0);
    open_all();
    feed(1);
    hangs = 1;
    feed(2);
    sim_run_for(sim, 1500 * MS);
    ck_assert_uint_eq(handled, 3);
    ck_assert_int_eq(counted_on_disk(), 2);
    ck_assert_uint_eq(stale, 0);
    feed(3);
    sim_run_for(sim, 100 * MS);
    ck_assert_uint_eq(ends, 3);
    sim_run_for(sim, S);
    ck_assert_uint_eq(stale, 1);
    ck_assert_uint_eq(ends, 3);
    ck_assert_int_eq(counted_on_disk(), 3);
    dying = true;
    close_all();
    end();
    for (int i = 1; i <= 3; i++) made_free(&nodes[i].made);
}
END_TEST

/* Handlers fail and are late, commits fail, the process dies at any moment. */
START_TEST(test_never_half)
{
    uint64_t seed = (uint64_t)_i + 1;
    int32_t fed = 0;
    unsigned lives = 1;

    start(seed, true, 0);
    open_all();
    for (unsigned step = 0; position < UPDATES; step++) {
        ck_assert_uint_lt(step, 100000);
        if (fed < UPDATES && gap_prng_below(&dice.rng, 3) == 0) feed(++fed);
        if (gap_prng_below(&dice.rng, 20) == 0)
            fail_commits(GAP_E_STORAGE, 1 + gap_prng_below(&dice.rng, 3));
        if (gap_prng_below(&dice.rng, 5) == 0) gap_store_hurry(store);
        sim_run_for(sim, gap_prng_below(&dice.rng, 30 * MS));
        check_disk();
        if (gap_prng_below(&dice.rng, 150) != 0) continue;
        crash(seed + 1000 * lives++);
        open_all();
        fed = position;
    }
    sim_run_for(sim, 200 * S);
    ck_assert_uint_eq(dead, 0);
    ck_assert_int_eq(counted_on_disk(), UPDATES);
    finish();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("router_store");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_data_is_there_after_a_restart);
    tcase_add_test(t, test_data_on_a_thread);
    tcase_add_test(t, test_given_up_at_once);
    tcase_add_test(t, test_data_of_a_transaction);
    tcase_add_loop_test(t, test_data_set_before_the_handler, 0, 3);
    tcase_add_test(t, test_data_that_can_not_be_read);
    tcase_add_test(t, test_data_of_a_handler_that_hangs);
    tcase_add_loop_test(t, test_never_half, 0, gap_test_seeds(60));
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
