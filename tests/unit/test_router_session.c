/* loops/router_session: what is kept for a chat or a user, when, and for whom; out of memory. */
#include "tests/unit/router_steps.h"

/* ---- session data ---- */

/* A disk: one value for each of some keys. */
static struct disk {
    struct {
        uint8_t key[GAP_SESSION_KEY_MAX];
        size_t key_len;
        char value[64];
    } rows[8];
    size_t count;
    bool later; /* answers come when disk_answer is called */
    int load_status;
    int save_status;
    int answer_status;
    gap_value_cb loaded;
    void *arg;
    size_t row;
    unsigned loads;
    unsigned saves;
} disk;

static size_t disk_row(gap_bytes_t key)
{
    for (size_t i = 0; i < disk.count; i++) {
        if (gap_bytes_equal(gap_bytes(disk.rows[i].key, disk.rows[i].key_len), key)) return i;
    }
    ck_assert_uint_lt(disk.count, GAP_ARRAY_LEN(disk.rows));
    memcpy(disk.rows[disk.count].key, key.data, key.len);
    disk.rows[disk.count].key_len = key.len;
    disk.rows[disk.count].value[0] = 0;
    return disk.count++;
}

static void disk_answer(void)
{
    gap_value_cb loaded = disk.loaded;

    ck_assert(loaded != NULL);
    disk.loaded = NULL;
    loaded(disk.arg, disk.answer_status, gap_str(disk.rows[disk.row].value));
}

static int disk_load(void *self, gap_bytes_t key, gap_value_cb loaded, void *arg)
{
    ck_assert_ptr_eq(self, &disk);
    ck_assert(disk.loaded == NULL);
    if (disk.load_status < 0) return disk.load_status;
    disk.loads++;
    disk.loaded = loaded;
    disk.arg = arg;
    disk.row = disk_row(key);
    if (!disk.later) disk_answer();
    return 0;
}

static int disk_save(void *self, gap_bytes_t key, gap_bytes_t value)
{
    ck_assert_ptr_eq(self, &disk);
    if (disk.save_status < 0) return disk.save_status;
    disk.saves++;
    char *to = disk.rows[disk_row(key)].value;
    ck_assert_uint_lt(value.len, sizeof disk.rows[0].value);
    if (value.len > 0) memcpy(to, value.data, value.len);
    to[value.len] = 0;
    return 0;
}

static gap_session_config_t on_disk(void)
{
    return (gap_session_config_t){.values = {disk_load, disk_save, NULL, &disk}};
}

/* Says what is kept, and keeps the text of the message in its place. "-" removes it. */
static int remembers(gap_update_t *update, const gap_match_t *match, void *data)
{
    const struct act *a = data;
    char line[80];
    gap_bytes_t was = gap_update_session(update);
    gap_bytes_t is = match->message->text;

    snprintf(line, sizeof line, "[%.*s]", (int)was.len, (const char *)was.data);
    say(line);
    if (gap_bytes_equal(is, gap_str("-"))) is.len = 0;
    ck_assert_int_eq(gap_update_session_set(update, is), 0);
    ck_assert(gap_bytes_equal(gap_update_session(update), is));
    return a->result;
}

static void begin_session(const gap_session_config_t *config, struct act *a)
{
    begin();
    memset(&disk, 0, sizeof disk);
    ck_assert_int_eq(gap_router_session(router, config), 0);
    const gap_route_t add = {.handler = remembers, .data = a};
    ck_assert_int_eq(gap_router_add(router, &add), 0);
}

START_TEST(test_session)
{
    struct act a = {"", 0};
    gap_session_config_t config = on_disk();
    struct token t;

    begin_session(&config, &a);
    ck_assert_int_eq(gap_router_session(router, &config), GAP_E_STATE);
    ck_assert_int_eq(text("one"), 0);
    ck_assert_int_eq(text("two"), 0);
    expect("[] [one]");
    ck_assert_uint_eq(disk.loads, 1); /* the second time it was in memory */
    ck_assert_str_eq(disk.rows[0].value, "two");
    token_from(&t, 8, "eight");
    ck_assert_int_eq(handle(&t), 0);
    made_free(&t.made);
    token_from(&t, 9, "nine");
    ck_assert_int_eq(handle(&t), 0);
    made_free(&t.made);
    expect("[] []"); /* two people of one group */
    /* What fails has changed nothing. */
    a.result = GAP_E_LIMIT;
    ck_assert_int_eq(text("three"), GAP_E_LIMIT);
    a.result = 0;
    ck_assert_int_eq(text("-"), 0);
    expect("[two] [two]");
    ck_assert_str_eq(disk.rows[0].value, "");
    ck_assert_int_eq(text("four"), 0);
    expect("[]");
    /* What can't be saved is not handled. */
    disk.save_status = GAP_E_STORAGE;
    ck_assert_int_eq(text("five"), GAP_E_STORAGE);
    disk.save_status = 0;
    ck_assert_int_eq(text("six"), 0);
    expect("[four] [four]");
    end();
}
END_TEST

START_TEST(test_session_without_a_key)
{
    struct act a = {"a", 0};
    gap_session_config_t config = on_disk();
    struct token t;

    begin();
    memset(&disk, 0, sizeof disk);
    ck_assert_int_eq(gap_router_session(router, &config), 0);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.handler = act, .data = &a}), 0);
    memset(&t, 0, sizeof t);
    gap_tl_update_config_t none = {0};
    made_from(&t.made, build(GAP_TL_OF(GAP_TL_UPDATE_CONFIG, &none)));
    t.made.update.owner = &plain;
    ck_assert_int_eq(gap_update_session_set(&t.made.update, gap_str("x")), GAP_E_STATE);
    ck_assert_uint_eq(gap_update_session(&t.made.update).len, 0);
    ck_assert_int_eq(handle(&t), 0);
    ck_assert_uint_eq(disk.loads, 0);
    made_free(&t.made);
    end();
}
END_TEST

START_TEST(test_session_in_memory_only)
{
    struct act a = {"", 0};
    const gap_session_config_t config = {.cache_max = 600, .value_max = 300};
    char large[302];
    struct token t;

    begin_session(&config, &a);
    memset(large, 'x', sizeof large);
    large[300] = 0;
    ck_assert_int_eq(text(large), 0);
    ck_assert_int_eq(text("two"), 0);
    trace[0] = 0;
    /* Somebody else's value takes the room. */
    large[299] = 0;
    for (int64_t user = 8; user < 11; user++) {
        token_from(&t, user, large);
        ck_assert_int_eq(handle(&t), 0);
        made_free(&t.made);
    }
    expect("[] [] []");
    ck_assert_int_eq(text("again"), 0);
    expect("[]");
    ck_assert_uint_le(router->sessions->values.bytes, 600);
    end();
}
END_TEST

static int too_much(gap_update_t *update, const gap_match_t *match, void *data)
{
    (void)data;
    return gap_update_session_set(update, match->message->text);
}

START_TEST(test_session_values_are_bounded)
{
    const gap_session_config_t config = {.value_max = 3};

    begin();
    ck_assert_int_eq(gap_router_session(router, &config), 0);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.handler = too_much}), 0);
    ck_assert_int_eq(text("abc"), 0);
    ck_assert_int_eq(text("abcd"), GAP_E_LIMIT);
    end();
}
END_TEST

START_TEST(test_session_comes_later)
{
    struct act a = {"", 0};
    struct act e = {"error", GAP_E_BUSY};
    gap_session_config_t config = on_disk();
    struct token t;

    begin_session(&config, &a);
    disk.later = true;
    token_text(&t, "one");
    ck_assert_int_eq(handle(&t), GAP_LATER);
    expect("");
    disk_answer();
    expect("[]");
    token_end(&t, 0);
    ck_assert_int_eq(text("two"), 0);
    expect("[one]");

    gap_router_on_error(router, act_error, &e);
    disk.answer_status = GAP_E_STORAGE;
    token_from(&t, 8, "three");
    ck_assert_int_eq(handle(&t), GAP_LATER);
    disk_answer();
    expect("error!-10025");
    token_end(&t, GAP_E_BUSY);
    /* It was not taken for an empty one. */
    disk.answer_status = 0;
    token_from(&t, 8, "four");
    ck_assert_int_eq(handle(&t), GAP_LATER);
    disk_answer();
    expect("[]");
    token_end(&t, 0);
    ck_assert_uint_eq(disk.loads, 3);

    disk.load_status = GAP_E_CLOSED;
    token_from(&t, 9, "five");
    ck_assert_int_eq(handle(&t), GAP_E_BUSY);
    expect("error!-10002");
    made_free(&t.made);
    end();
}
END_TEST

START_TEST(test_one_key_one_at_a_time)
{
    struct act a = {"", GAP_LATER};
    gap_session_config_t config = on_disk();
    struct token t[4];

    begin_session(&config, &a);
    for (int i = 0; i < 3; i++) {
        char name[] = {(char)('a' + i), 0};
        token_text(&t[i], name);
        ck_assert_int_eq(handle(&t[i]), GAP_LATER);
    }
    token_from(&t[3], 8, "d");
    ck_assert_int_eq(handle(&t[3]), GAP_LATER);
    expect("[] []"); /* a, and d, which has another key */
    done(&t[0]);
    token_end(&t[0], 0);
    expect("[a]");
    gap_update_failed(&t[1].made.update, GAP_E_LIMIT);
    token_end(&t[1], GAP_E_LIMIT);
    expect("[a]"); /* c: b has failed */
    done(&t[2]);
    token_end(&t[2], 0);
    done(&t[3]);
    token_end(&t[3], 0);
    a.result = 0;
    ck_assert_int_eq(text("e"), 0);
    expect("[c]");
    end();
}
END_TEST

/* Many wait for one key and go on by turns, not one inside the other. */
START_TEST(test_a_row_of_waiting_ones)
{
    enum { MANY = 2000 };
    struct act a = {"", GAP_LATER};
    const gap_session_config_t config = {0};
    struct token *t = calloc(MANY, sizeof *t);

    begin();
    ck_assert_int_eq(gap_router_session(router, &config), 0);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.handler = act, .data = &a}), 0);
    for (int i = 0; i < MANY; i++) {
        token_text(&t[i], "x");
        ck_assert_int_eq(handle(&t[i]), GAP_LATER);
    }
    a.result = 0;
    done(&t[0]);
    for (int i = 0; i < MANY; i++) token_end(&t[i], 0);
    free(t);
    end();
}
END_TEST

/* Replies may still be on their way when the handler is through. */
START_TEST(test_session_is_written_when_the_update_is_handled)
{
    struct act a = {"", 0};
    gap_session_config_t config = on_disk();
    struct token t;
    struct token u;

    begin_session(&config, &a);
    token_text(&t, "one");
    t.made.update.owner = &slow;
    ck_assert_int_eq(handle(&t), 0);
    ck_assert_uint_eq(disk.saves, 0);
    ck_assert_int_eq(gap_update_session_set(&t.made.update, gap_str("x")), GAP_E_STATE);
    token_text(&u, "two");
    u.made.update.owner = &slow;
    ck_assert_int_eq(handle(&u), GAP_LATER); /* the key is not free yet */
    ck_assert_int_eq(gap_update_end(&t.made.update, 0), 0);
    ck_assert_uint_eq(disk.saves, 1);
    made_free(&t.made);
    expect("[] [one]");
    ck_assert_int_eq(u.ended, 1);
    ck_assert_int_eq(gap_update_end(&u.made.update, GAP_E_TIMEOUT), GAP_E_TIMEOUT);
    made_free(&u.made);
    ck_assert_uint_eq(disk.saves, 1);
    token_text(&t, "three");
    t.made.update.owner = &slow;
    ck_assert_int_eq(handle(&t), 0);
    expect("[one]");
    disk.save_status = GAP_E_LIMIT;
    ck_assert_int_eq(gap_update_end(&t.made.update, 0), GAP_E_LIMIT);
    ck_assert_int_eq(gap_update_end(&t.made.update, 0), 0); /* nobody is left to ask */
    made_free(&t.made);
    end();
}
END_TEST

/* Its owner may have called somebody else after the router, who went on later. */
START_TEST(test_a_handler_behind_the_router)
{
    struct act a = {"", 0};
    gap_session_config_t config = on_disk();
    struct token t;

    begin_session(&config, &a);
    token_text(&t, "one");
    t.made.update.owner = &slow;
    ck_assert_int_eq(handle(&t), 0);
    gap_update_done(&t.made.update);
    ck_assert_int_eq(t.ended, 1);
    ck_assert_uint_eq(disk.saves, 0);
    ck_assert_int_eq(gap_update_end(&t.made.update, 0), 0);
    ck_assert_uint_eq(disk.saves, 1);
    token_end(&t, 0);
    end();
}
END_TEST

/* A run that has timed out lets go of its key; what it looks at stays until it is through. */
START_TEST(test_a_run_that_is_over)
{
    struct act a = {"", GAP_LATER};
    struct act use = {"use", 0};
    gap_session_config_t config = on_disk();
    struct token t[3];

    begin_session(&config, &a);
    ck_assert_int_eq(gap_router_use(router, NULL, act_after, &use), 0);
    gap_router_on_error(router, act_error, &use);
    for (int i = 0; i < 3; i++) {
        char name[] = {(char)('a' + i), 0};
        token_text(&t[i], name);
        t[i].made.update.owner = &slow;
        ck_assert_int_eq(handle(&t[i]), GAP_LATER);
    }
    expect("[]"); /* b and c wait */
    ck_assert_int_eq(gap_update_end(&t[1].made.update, GAP_E_TIMEOUT), 0);
    ck_assert_int_eq(t[1].ended, 0);
    ck_assert_int_eq(gap_update_end(&t[0].made.update, GAP_E_TIMEOUT), 0);
    /* b is through without having begun, c has its turn. */
    token_end(&t[1], GAP_E_TIMEOUT);
    expect("[]");
    ck_assert(gap_bytes_equal(gap_update_session(&t[0].made.update), gap_str("a")));
    gap_update_done(&t[2].made.update);
    expect("/use:0");
    ck_assert_int_eq(t[2].ended, 1);
    ck_assert_int_eq(gap_update_end(&t[2].made.update, 0), 0);
    made_free(&t[2].made);
    ck_assert_str_eq(disk.rows[0].value, "c");
    /* a is through at last: nobody is told, nothing is written. */
    gap_update_failed(&t[0].made.update, GAP_E_LIMIT);
    expect("");
    token_end(&t[0], GAP_E_LIMIT);
    ck_assert_str_eq(disk.rows[0].value, "c");
    end();
}
END_TEST

START_TEST(test_over_while_its_data_is_loaded)
{
    struct act a = {"", 0};
    gap_session_config_t config = on_disk();
    struct token t;

    begin_session(&config, &a);
    disk.later = true;
    token_text(&t, "a");
    t.made.update.owner = &slow;
    ck_assert_int_eq(handle(&t), GAP_LATER);
    ck_assert_int_eq(gap_update_end(&t.made.update, GAP_E_TIMEOUT), 0);
    ck_assert_int_eq(t.ended, 0);
    disk_answer();
    expect("");
    token_end(&t, GAP_E_TIMEOUT);
    end();
}
END_TEST

/* Nothing stays in memory that was not asked to. */
START_TEST(test_session_without_memory)
{
    struct act a = {"", 0};
    gap_session_config_t config = {.cache_max = 1};
    struct token t;

    begin_session(&config, &a);
    a.result = GAP_LATER;
    token_text(&t, "one");
    ck_assert_int_eq(handle(&t), GAP_LATER);
    done(&t);
    token_end(&t, 0);
    a.result = 0;
    ck_assert_int_eq(text("two"), 0);
    expect("[] []"); /* memory only, and there is none */
    ck_assert_uint_eq(router->sessions->values.bytes, 0);
    end();
}
END_TEST

/* ---- no memory ---- */

/* A session that can't be set fails its handler here; elsewhere in this file that is a bug. */
static int remembers_or_fails(gap_update_t *update, const gap_match_t *match, void *data)
{
    (void)data;
    return gap_update_session_set(update, match->message->text);
}

START_TEST(test_out_of_memory)
{
    long n = 1;
    int r;

    do {
        gap_session_config_t config = on_disk();
        struct token t;
        fault_alloc_init(&fault, n);
        memset(&disk, 0, sizeof disk);
        disk.later = (n & 1) != 0;
        r = gap_router_new(&fault.alloc, &router);
        if (r == 0) {
            const gap_route_t add = {.filter.pattern = "*", .handler = remembers_or_fails};
            r = gap_router_session(router, &config);
            if (r == 0) r = gap_router_add(router, &add);
            if (r == 0) {
                token_text(&t, "one");
                r = handle(&t);
                if (r == GAP_LATER) {
                    disk_answer();
                    ck_assert_int_eq(t.ended, 1);
                    r = t.status;
                }
                ck_assert_uint_eq(disk.saves, r == 0 ? 1 : 0);
                made_free(&t.made);
            }
            gap_router_free(router);
        }
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "n = %ld: %d", n, r);
        ck_assert_int_eq((int)fault.live, 0);
        n++;
    } while (r != 0 && n < 200);
    ck_assert_int_eq(r, 0);
    ck_assert_int_gt(n, 10);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("router_session");
    TCase *t = tcase_create("router_session");

    tcase_add_test(t, test_session);
    tcase_add_test(t, test_session_without_a_key);
    tcase_add_test(t, test_session_in_memory_only);
    tcase_add_test(t, test_session_values_are_bounded);
    tcase_add_test(t, test_session_comes_later);
    tcase_add_test(t, test_one_key_one_at_a_time);
    tcase_add_test(t, test_a_row_of_waiting_ones);
    tcase_add_test(t, test_session_is_written_when_the_update_is_handled);
    tcase_add_test(t, test_a_handler_behind_the_router);
    tcase_add_test(t, test_a_run_that_is_over);
    tcase_add_test(t, test_over_while_its_data_is_loaded);
    tcase_add_test(t, test_session_without_memory);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
