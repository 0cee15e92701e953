/*
 * tests/loop/test_client_state.c - a client that is stopped and started goes on where it was:
 * nothing is lost, what is stored is never ahead of the handlers, and the last of it is stored when
 * it closes. Against a data centre whose traffic goes on meanwhile.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/dc_thread.h"

#include <unistd.h>

#define EVENTS 2000

/* What all runs of an account handled. */
struct tally {
    struct {
        gap_peer_t chat;
        int32_t id;
    } came[EVENTS * 2];
    unsigned count; /* different ones */
    unsigned doubled;
    bool keep; /* say GAP_LATER to the next update of the common box */
    unsigned kept_count;
    gap_update_t *kept;
    int32_t kept_pts;
    atomic_int *stored; /* not NULL: what is stored of the common box by then */
    unsigned too_early; /* updates that came while that was nothing */
};

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    struct account_folder folder;
    char session[96];
    char state[96];
    gap_client_config_t config;
    struct account a;
    struct tally tally;
};

static void tick_off(struct tally *t, const gap_message_t *m)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (t->came[i].id != m->id || t->came[i].chat.id != m->chat.id ||
            t->came[i].chat.kind != m->chat.kind)
            continue;
        t->doubled++;
        return;
    }
    ck_assert_uint_lt(t->count, GAP_ARRAY_LEN(t->came));
    t->came[t->count].chat = m->chat;
    t->came[t->count++].id = m->id;
}

static int on_update(gap_update_t *update, void *data)
{
    struct tally *t = data;
    gap_message_t m;

    if (t->stored != NULL && atomic_load(t->stored) == 0) t->too_early++;
    if (gap_message_read(update, &m) != 0 || m.edit) return 0;
    tick_off(t, &m);
    if (!t->keep || gap_update_box(update) != GAP_BOX_COMMON || gap_update_pts(update) <= 0)
        return 0;
    t->keep = false;
    t->kept = update;
    t->kept_pts = gap_update_pts(update);
    t->kept_count++;
    return GAP_LATER;
}

static void bench_init(struct bench *b, uint32_t rate)
{
    memset(b, 0, sizeof *b);
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    (void)snprintf(b->state, sizeof b->state, "%s/state.db", b->folder.path);
    dc_thread_init(&b->dc);
    b->dc.options.traffic.events = EVENTS;
    b->dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    b->dc.options.rate = rate;
    b->dc.options.loss = 0.02;
    b->dc.options.reorder = 0.05;
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = b->session,
        .gap_wait_ms = 50,
    };
}

static void bench_open(struct bench *b)
{
    account_init(&b->a, &b->loop);
    b->a.on_update = on_update;
    b->a.data = &b->tally;
    account_open(&b->a, &b->config);
    account_start(&b->a);
}

static void bench_fini(struct bench *b)
{
    if (b->a.client != NULL) account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
    account_folder_remove(&b->folder);
}

/* ---- restarts ---- */

START_TEST(test_nothing_is_lost_over_restarts)
{
    struct bench b;
    unsigned starts = 1;

    bench_init(&b, 1000);
    for (;; starts++) {
        const gap_sqlite_config_t sqlite = {.path = b.state};
        ck_assert_int_eq(gap_storage_sqlite(NULL, &sqlite, &b.config.storage), 0);
        bench_open(&b);
        if (starts == 8) break;
        unsigned goal = b.tally.count + 20 * starts;
        if (goal > EVENTS) goal = EVENTS;
        ck_assert_msg(account_until(&b.loop, &b.tally.count, goal, ACCOUNT_WAIT_MS),
                      "start %u: %u of %u", starts, b.tally.count, goal);
        account_close(&b.a);
        account_run(&b.loop, 50); /* the traffic goes on */
    }
    ck_assert_msg(account_until(&b.loop, &b.tally.count, EVENTS, ACCOUNT_WAIT_MS), "%u of %u:\n%s",
                  b.tally.count, EVENTS, b.a.log);
    account_run(&b.loop, 300);
    ck_assert_uint_eq(b.tally.count, EVENTS);
    ck_assert_uint_eq(b.a.questions, 0);
    printf("%u messages over %u starts: %u came twice\n", b.tally.count, starts, b.tally.doubled);
    /* A good end stores the last position: what comes twice was in a difference that was cut. */
    ck_assert_uint_lt(b.tally.doubled, EVENTS / 4);
    bench_fini(&b);
}
END_TEST

/* ---- never ahead ---- */

/* A storage that remembers the position that was committed last. */
struct watched {
    gap_storage_t base;
    gap_storage_t *inner;
    atomic_int pts;
    atomic_uint commits;
    unsigned slow_us;  /* how long a commit takes */
    int commit_status; /* not 0: what it fails with */
};

static struct watched *watched_of(gap_storage_t *s)
{
    return (struct watched *)(void *)s;
}

static int watched_open(gap_storage_t *s, gap_storage_fault_t *fault)
{
    return watched_of(s)->inner->ops->open(watched_of(s)->inner, fault);
}

static int watched_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    return watched_of(s)->inner->ops->load(watched_of(s)->inner, each, arg, fault);
}

static int watched_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                          gap_storage_fault_t *fault)
{
    struct watched *w = watched_of(s);

    atomic_fetch_add(&w->commits, 1);
    if (w->slow_us > 0) (void)usleep(w->slow_us);
    if (w->commit_status != 0) return w->commit_status;
    for (size_t i = 0; i < count; i++)
        if (records[i].kind == GAP_RECORD_STATE) atomic_store(&w->pts, records[i].u.state.pts);
    return w->inner->ops->commit(w->inner, records, count, fault);
}

static int watched_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                        gap_storage_fault_t *fault)
{
    return watched_of(s)->inner->ops->find(watched_of(s)->inner, key, each, arg, fault);
}

static int watched_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                        gap_storage_fault_t *fault)
{
    return watched_of(s)->inner->ops->read(watched_of(s)->inner, what, each, arg, fault);
}

static void watched_close(gap_storage_t *s)
{
    watched_of(s)->inner->ops->close(watched_of(s)->inner);
}

static void watched_destroy(gap_storage_t *s)
{
    (void)s; /* the test's */
}

static const struct gap_storage_ops watched_ops = {
    GAP_STORAGE_VERSION, watched_open,  watched_load,    watched_commit, watched_find,
    watched_read,        watched_close, watched_destroy, NULL,
};

static void watched_init(struct watched *w)
{
    memset(w, 0, sizeof *w);
    w->base.ops = &watched_ops;
    ck_assert_int_eq(gap_storage_memory(NULL, &w->inner), 0);
}

START_TEST(test_what_is_stored_waits_for_the_handlers)
{
    static const gap_runner_config_t no_journal = {.journal = GAP_JOURNAL_LIGHT};
    struct bench b;
    struct watched w;

    bench_init(&b, 300);
    b.config.runner = &no_journal;
    watched_init(&w);
    b.config.storage = &w.base;
    b.tally.keep = true;
    bench_open(&b);
    ck_assert(account_until(&b.loop, &b.tally.kept_count, 1, ACCOUNT_WAIT_MS));
    int32_t kept = b.tally.kept_pts;
    unsigned commits = atomic_load(&w.commits);
    account_run(&b.loop, 500);
    ck_assert_msg(atomic_load(&w.commits) > commits, "channels are stored meanwhile");
    ck_assert_msg(atomic_load(&w.pts) < kept, "%d is stored, %d unfinished", atomic_load(&w.pts),
                  kept);
    gap_update_done(b.tally.kept);
    account_run(&b.loop, 500);
    ck_assert_msg(atomic_load(&w.pts) >= kept, "%d is stored, %d finished", atomic_load(&w.pts),
                  kept);

    /* Finished after the close began: it still counts. */
    b.tally.keep = true;
    ck_assert(account_until(&b.loop, &b.tally.kept_count, 2, ACCOUNT_WAIT_MS));
    kept = b.tally.kept_pts;
    gap_client_stop(b.a.client);
    account_run(&b.loop, 200);
    ck_assert_int_lt(atomic_load(&w.pts), kept);
    gap_update_done(b.tally.kept);
    account_close(&b.a);
    ck_assert_msg(atomic_load(&w.pts) >= kept, "%d is stored, %d finished", atomic_load(&w.pts),
                  kept);
    w.inner->ops->destroy(w.inner);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_first_run_stores_where_it_begins)
{
    struct bench b;
    struct watched w;

    bench_init(&b, 300);
    watched_init(&w);
    w.slow_us = 200000;
    b.config.storage = &w.base;
    bench_open(&b);
    account_await(&b.a, GAP_CLIENT_CAUGHT_UP);
    /* Before the difference from there was asked for: a kill in between would begin elsewhere. */
    ck_assert_int_gt(atomic_load(&w.pts), 0);
    account_close(&b.a);
    w.inner->ops->destroy(w.inner);
    bench_fini(&b);
}
END_TEST

/* A push of a channel comes before the account knows where it stands: what is handled then, and
 * unfinished when the process dies, would be behind the next one's beginning. */
START_TEST(test_no_handler_is_called_before_the_beginning_is_stored)
{
    static const gap_runner_config_t light = {.journal = GAP_JOURNAL_LIGHT};
    struct bench b;
    struct watched w;

    bench_init(&b, 1000);
    if (_i == 1) b.config.runner = &light;
    bench_open(&b); /* so that there is traffic */
    ck_assert(account_until(&b.loop, &b.tally.count, 20, ACCOUNT_WAIT_MS));
    account_close(&b.a);
    memset(&b.tally, 0, sizeof b.tally);
    watched_init(&w);
    w.slow_us = 150000;
    b.config.storage = &w.base;
    b.tally.stored = &w.pts;
    bench_open(&b);
    ck_assert(account_until(&b.loop, &b.tally.count, 50, ACCOUNT_WAIT_MS));
    ck_assert_uint_eq(b.tally.too_early, 0);
    account_close(&b.a);
    w.inner->ops->destroy(w.inner);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_first_run_goes_on_where_nothing_can_be_stored)
{
    struct bench b;
    struct watched w;

    bench_init(&b, 300);
    watched_init(&w);
    w.commit_status = GAP_E_STORAGE;
    b.config.storage = &w.base;
    bench_open(&b);
    account_await(&b.a, GAP_CLIENT_CAUGHT_UP);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_STORE_FAILED], 1);
    ck_assert(account_until(&b.loop, &b.tally.count, 20, ACCOUNT_WAIT_MS));
    account_close(&b.a);
    w.inner->ops->destroy(w.inner);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_first_run_may_end_before_it_has_begun)
{
    struct bench b;
    struct watched w;

    bench_init(&b, 300);
    watched_init(&w);
    w.slow_us = 100000;
    b.config.storage = &w.base;
    bench_open(&b);
    account_await(&b.a, GAP_CLIENT_STARTED); /* the difference waits for the commit */
    account_close(&b.a);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_CAUGHT_UP], 0);
    w.inner->ops->destroy(w.inner);
    bench_fini(&b);
}
END_TEST

static Suite *state_suite(void)
{
    Suite *s = suite_create("client_state");
    TCase *t = tcase_create("state");

    tcase_set_timeout(t, 120);
    if (gap_storage_has_sqlite()) tcase_add_test(t, test_nothing_is_lost_over_restarts);
    tcase_add_test(t, test_what_is_stored_waits_for_the_handlers);
    tcase_add_test(t, test_a_first_run_stores_where_it_begins);
    tcase_add_loop_test(t, test_no_handler_is_called_before_the_beginning_is_stored, 0, 2);
    tcase_add_test(t, test_a_first_run_goes_on_where_nothing_can_be_stored);
    tcase_add_test(t, test_a_first_run_may_end_before_it_has_begun);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(state_suite)
