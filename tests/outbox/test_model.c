/*
 * Enqueue, claim, finish, cancel, retry, release, prune, restart, in any order, beside a list of
 * rows in memory that knows what has to come out.
 */
#include "base/prng.h"
#include "tests/outbox/tables.h"

#define ROWS  400
#define CHATS 4
#define STEPS 300

/* What a row is to be. */
struct wanted {
    int64_t row;
    int chat;
    gap_outbox_state_t state;
    bool begun;
    bool with_chat; /* parked with it */
    uint32_t attempts;
    int64_t not_before_us;
    int64_t random_id;
    int32_t message_id;
};

struct model {
    sqlite3 *db;
    gap_prng_t prng;
    struct wanted rows[ROWS];
    size_t count;
    bool parked[CHATS];
    int64_t now_us;
    int64_t epoch;
    int64_t last; /* number given */
};

static struct model m;

static gap_peer_t peer(int chat)
{
    return (gap_peer_t){2000 + chat, GAP_PEER_USER};
}

static int pick(int below)
{
    return (int)gap_prng_below(&m.prng, (uint64_t)below);
}

static void begin(void)
{
    tables_exec(m.db, "BEGIN IMMEDIATE");
}

/* One in four transactions is taken back. */
static bool end(bool may_roll_back)
{
    bool commits = !may_roll_back || pick(4) != 0;

    tables_exec(m.db, commits ? "COMMIT" : "ROLLBACK");
    return commits;
}

static bool waits(const struct wanted *w)
{
    return w->state >= GAP_OUTBOX_READY && w->state <= GAP_OUTBOX_UNKNOWN;
}

static struct wanted *oldest(int chat)
{
    struct wanted *found = NULL;

    for (size_t i = 0; i < m.count; i++) {
        struct wanted *w = &m.rows[i];
        if (w->chat == chat && waits(w) && (found == NULL || w->row < found->row)) found = w;
    }
    return found;
}

static struct wanted *any_row(void)
{
    return m.count > 0 ? &m.rows[pick((int)m.count)] : NULL;
}

/* --- what the user does ----------------------------------------------------------------------- */

static void enqueue(void)
{
    gap_outbox_item_t items[5];
    int64_t rows[5] = {0};
    int chats[5];
    size_t n = 1 + (size_t)pick(5);

    if (m.count + n > ROWS) return;
    for (size_t i = 0; i < n; i++) {
        chats[i] = pick(CHATS);
        items[i] = text_to(peer(chats[i]), "text");
        items[i].not_before_us = pick(4) == 0 ? m.now_us + pick(50) : 0;
    }
    begin();
    int r = n == 1 ? gap_outbox_enqueue(m.db, items, rows)
                   : gap_outbox_enqueue_all(m.db, items, n, rows);
    ck_assert_int_eq(r, 0);
    if (!end(true)) return;
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_gt(rows[i], m.last);
        m.last = rows[i];
        m.rows[m.count++] = (struct wanted){
            .row = rows[i],
            .chat = chats[i],
            .state = GAP_OUTBOX_READY,
            .not_before_us = items[i].not_before_us,
            .random_id = tables_number(
                m.db, "SELECT random_id FROM gapless_outbox WHERE row = %lld", (long long)rows[i])};
    }
}

static void cancel(void)
{
    struct wanted *w = any_row();

    if (w == NULL) return;
    bool may = w->state == GAP_OUTBOX_PARKED || w->state == GAP_OUTBOX_DEAD ||
               w->state == GAP_OUTBOX_CANCELLED ||
               ((w->state == GAP_OUTBOX_READY || w->state == GAP_OUTBOX_SNOOZED) && !w->begun);
    begin();
    ck_assert_int_eq(gap_outbox_cancel(m.db, w->row), may ? 0 : GAP_E_STATE);
    if (!end(true) || !may) return;
    w->state = GAP_OUTBOX_CANCELLED;
}

static void retry(void)
{
    struct wanted *w = any_row();
    int64_t moved = 0;

    if (w == NULL) return;
    bool ended = w->state == GAP_OUTBOX_PARKED || w->state == GAP_OUTBOX_DEAD ||
                 w->state == GAP_OUTBOX_CANCELLED;
    bool ready = w->state == GAP_OUTBOX_READY || w->state == GAP_OUTBOX_SNOOZED;
    begin();
    ck_assert_int_eq(gap_outbox_retry(m.db, w->row, &moved), ended || ready ? 0 : GAP_E_STATE);
    if (!end(true)) return;
    if (ended) {
        ck_assert_int_gt(moved, m.last);
        m.last = w->row = moved;
        w->attempts = 0;
    }
    if (ended || ready) {
        w->state = GAP_OUTBOX_READY;
        w->not_before_us = 0;
    }
}

static void release(void)
{
    int chat = pick(CHATS);

    begin();
    int r = gap_outbox_release(m.db, peer(chat));
    ck_assert(r == 0 || r == GAP_E_NOT_FOUND);
    ck_assert_int_eq(r == 0, m.parked[chat]);
    if (!end(true) || r != 0) return;
    m.parked[chat] = false;
    for (size_t i = 0; i < m.count; i++) {
        struct wanted *w = &m.rows[i];
        if (w->chat != chat || w->state != GAP_OUTBOX_PARKED || !w->with_chat) continue;
        w->state = w->begun ? GAP_OUTBOX_UNKNOWN : GAP_OUTBOX_READY;
        w->not_before_us = 0;
    }
}

/* --- what a client does ----------------------------------------------------------------------- */

static void check_claim(const struct gap_claim *c, int chat, struct wanted *w, bool counts)
{
    if (w == NULL) {
        ck_assert_int_eq(c->result, GAP_CLAIM_EMPTY);
    } else if (m.parked[chat]) {
        ck_assert_int_eq(c->result, GAP_CLAIM_PARKED);
    } else if (w->not_before_us > m.now_us) {
        ck_assert_int_eq(c->result, GAP_CLAIM_LATER);
        ck_assert_int_eq(c->until_us, w->not_before_us);
        ck_assert_int_eq(c->head.row, w->row);
    } else {
        bool repeat = w->state == GAP_OUTBOX_LEASED || w->state == GAP_OUTBOX_UNKNOWN;
        ck_assert_int_eq(c->result, GAP_CLAIM_TAKEN);
        ck_assert_int_eq(c->row.row, w->row);
        ck_assert_int_eq(c->row.random_id, w->random_id);
        ck_assert_uint_eq(c->row.attempts, w->attempts + 1);
        ck_assert_int_eq(c->row.begun, w->begun || repeat);
        if (!counts) return;
        w->begun = w->begun || repeat;
        w->attempts++;
        w->state = GAP_OUTBOX_LEASED;
    }
}

static void claim(void)
{
    struct gap_claim claims[CHATS];
    struct gap_claims c = {.alloc = gap_alloc_default(),
                           .claims = claims,
                           .count = CHATS,
                           .now_us = m.now_us,
                           .epoch = m.epoch};

    for (int i = 0; i < CHATS; i++)
        claims[i] = (struct gap_claim){.chat = gap_outbox_mark(peer(i)), .has_bucket = true};
    begin();
    ck_assert_int_eq(gap_outdb_claim(m.db, &c), 0);
    bool commits = end(true);
    for (int i = 0; i < CHATS; i++) check_claim(&claims[i], i, oldest(i), commits);
    ck_assert_uint_eq(c.aside_count, 0);
    gap_claims_fini(&c);
}

static struct gap_finish draw_finish(int64_t row)
{
    static const gap_outbox_state_t states[] = {
        GAP_OUTBOX_SENT,  GAP_OUTBOX_SENT,   GAP_OUTBOX_SNOOZED, GAP_OUTBOX_UNKNOWN,
        GAP_OUTBOX_READY, GAP_OUTBOX_PARKED, GAP_OUTBOX_DEAD};
    struct gap_finish f = {.row = row, .state = states[pick(7)]};

    f.uncounted = pick(2) == 0;
    f.message_id = f.state == GAP_OUTBOX_SENT ? 1 + pick(1000) : 0;
    f.executed = f.state == GAP_OUTBOX_SNOOZED && pick(2) == 0;
    f.not_before_us = f.state == GAP_OUTBOX_SNOOZED ? m.now_us + pick(60) : 0;
    f.park_chat = f.state == GAP_OUTBOX_PARKED && pick(2) == 0;
    return f;
}

static void take_finish(const struct gap_finish *f, struct wanted *w)
{
    bool there = w->state == GAP_OUTBOX_LEASED || w->state == GAP_OUTBOX_UNKNOWN;

    ck_assert_int_eq(f->applied, there);
    if (!there) return;
    w->state = f->state;
    w->message_id = f->message_id;
    if (f->uncounted && w->attempts > 0) w->attempts--;
    w->begun = w->begun || f->executed || f->state == GAP_OUTBOX_UNKNOWN;
    if (waits(w)) w->not_before_us = f->not_before_us;
    w->with_chat = f->park_chat;
    if (f->park_chat) m.parked[w->chat] = true;
}

static void finish(void)
{
    struct wanted *w = any_row();

    if (w == NULL) return;
    struct gap_finish f = draw_finish(w->row);
    struct gap_finishes all = {
        .alloc = gap_alloc_default(), .finishes = &f, .count = 1, .now_us = m.now_us};
    begin();
    ck_assert_int_eq(gap_outdb_finish(m.db, &all), 0);
    if (!end(true)) return;
    take_finish(&f, w);
    const struct wanted *next = oldest(w->chat);
    if (!f.applied) return;
    ck_assert_int_eq(f.next.row, next != NULL ? next->row : 0);
    if (next != NULL) ck_assert_int_eq(f.next.parked, m.parked[w->chat]);
}

static void restart(void)
{
    struct gap_outdb_opening o = {
        .epoch = ++m.epoch, .now_us = m.now_us, .full_before_us = INT64_MIN};

    begin();
    ck_assert_int_eq(gap_outdb_open(m.db, &o), 0);
    (void)end(false);
    ck_assert_int_ge(o.last_row, m.last);
    for (size_t i = 0; i < m.count; i++) {
        if (m.rows[i].state != GAP_OUTBOX_LEASED) continue;
        m.rows[i].state = GAP_OUTBOX_UNKNOWN;
        m.rows[i].begun = true;
    }
}

static void prune(void)
{
    uint32_t removed;

    begin();
    ck_assert_int_eq(gap_outdb_prune(m.db, INT64_MAX, 1000, &removed), 0);
    (void)end(false);
    size_t kept = 0;
    for (size_t i = 0; i < m.count; i++)
        if (m.rows[i].state != GAP_OUTBOX_SENT && m.rows[i].state != GAP_OUTBOX_CANCELLED)
            m.rows[kept++] = m.rows[i];
    ck_assert_uint_eq(removed, m.count - kept);
    m.count = kept;
}

/* --- comparing -------------------------------------------------------------------------------- */

static int compare_row(void *arg, const gap_outbox_row_t *row)
{
    size_t *seen = arg;

    for (size_t i = 0; i < m.count; i++) {
        const struct wanted *w = &m.rows[i];
        if (w->row != row->row) continue;
        ck_assert_int_eq(row->state, w->state);
        ck_assert_int_eq(row->random_id, w->random_id);
        ck_assert_uint_eq(row->attempts, w->attempts);
        ck_assert_int_eq(row->chat.id, peer(w->chat).id);
        ck_assert_int_eq(row->done_us != 0, !waits(w));
        if (w->state == GAP_OUTBOX_SENT) ck_assert_int_eq(row->message_id, w->message_id);
        ++*seen;
    }
    return 0;
}

static int compare_head(void *arg, const struct gap_head *head)
{
    size_t *seen = arg;
    const struct wanted *w = oldest((int)(head->chat - 2000));

    ck_assert_ptr_nonnull(w);
    ck_assert_int_eq(head->row, w->row);
    ck_assert_int_eq(head->parked, m.parked[w->chat]);
    ++*seen;
    return 0;
}

static void compare(void)
{
    size_t rows = 0;
    size_t heads = 0;
    size_t chats = 0;

    if (m.last == 0) return; /* no tables yet */
    ck_assert_int_eq(gap_outbox_list(m.db, 0, 0, 10000, compare_row, &rows), 0);
    ck_assert_uint_eq(rows, m.count);
    ck_assert_int_eq(gap_outdb_chats(m.db, INT64_MIN, 100, compare_head, &heads), 0);
    for (int i = 0; i < CHATS; i++) chats += oldest(i) != NULL;
    ck_assert_uint_eq(heads, chats);
    ck_assert_str_eq(tables_text(m.db, "PRAGMA integrity_check"), "ok");
}

START_TEST(rows_are_what_the_list_says)
{
    void (*const steps[])(void) = {enqueue, enqueue, claim, claim,   finish,  finish, finish,
                                   finish,  cancel,  retry, release, restart, prune};

    tables_begin();
    memset(&m, 0, sizeof m);
    m.prng = (gap_prng_t){(uint64_t)_i + 1};
    m.db = tables_open();
    m.now_us = 1000;
    restart();
    for (int i = 0; i < STEPS; i++) {
        steps[pick((int)(sizeof steps / sizeof steps[0]))]();
        m.now_us += pick(10);
        if (i % 20 == 0) compare();
    }
    compare();
    tables_close(m.db);
    tables_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox model");
    TCase *tc = tcase_create("model");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, rows_are_what_the_list_says, 0, gap_test_seeds(30));
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
