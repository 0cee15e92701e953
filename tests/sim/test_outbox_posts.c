/*
 * tests/sim/test_outbox_posts.c - posts from the table to the data centre and back: what is sent
 * once, exactly which messages are edited when one changes, and what deaths and lost answers leave.
 */
#include "tests/sim/outbox_world.h"

#include "dc/server.h"

#include <gapless/tl_api.h>
#include <inttypes.h>
#include <string.h>

#define SECOND UINT64_C(1000000)
#define TEXT   512

static struct outbox_world o;

/* What the renderer makes of the index: titles of these, each with a link. */
static const char *listed[8];
static int render_result;

static void fast(struct outbox_world *w)
{
    w->config.group = (gap_outbox_rate_t){.calls = 1000, .per_ms = 1000, .burst = 100};
    w->config.account = (gap_outbox_rate_t){.calls = 1000, .per_ms = 1000, .burst = 100};
}

static int render_index(gap_post_renderer_t *r, gap_bytes_t key, void *data);

static void setup(void)
{
    memset(listed, 0, sizeof listed);
    render_result = 0;
    outbox_world_begin(&o, 1);
    fast(&o);
    o.config.render = render_index;
    outbox_world_live(&o);
}

static void teardown(void)
{
    outbox_world_die(&o);
    outbox_world_end(&o);
}

/* --- posts ------------------------------------------------------------------------------------ */

struct written {
    gap_outbox_content_t content;
    gap_outbox_entity_t entities[8];
    char text[TEXT];
    char keys[8][16];
};

/* "see {b}": what stands in braces is a link to the post of that name. */
static void write_content(struct written *w, const char *text)
{
    size_t len = 0;

    memset(w, 0, sizeof *w);
    for (const char *p = text; *p != '\0'; p++) {
        gap_outbox_entity_t *e = &w->entities[w->content.entity_count];
        size_t n = strcspn(p, "}") - 1;
        if (*p != '{') {
            w->text[len++] = *p;
            continue;
        }
        char *key = w->keys[w->content.entity_count++];
        memcpy(key, p + 1, n);
        memcpy(w->text + len, p + 1, n);
        *e = (gap_outbox_entity_t){.id = GAP_POST_LINK,
                                   .offset = (uint32_t)len,
                                   .length = (uint32_t)n,
                                   .value = gap_str(key)};
        len += n;
        p += n + 1;
    }
    w->content.text = (gap_bytes_t){(const uint8_t *)w->text, len};
    w->content.entities = w->entities;
}

static int render_index(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    struct written w;
    char text[TEXT] = "Index";
    size_t len = strlen(text);

    (void)key;
    (void)data;
    if (render_result != 0) return render_result;
    for (size_t i = 0; i < 8 && listed[i] != NULL; i++) {
        gap_bytes_t title = gap_str("?");
        int rc = gap_post_title(r, gap_str(listed[i]), &title);
        if (rc != 0 && rc != GAP_E_NOT_FOUND) return rc;
        len += (size_t)snprintf(text + len, sizeof text - len, "; %.*s at {%s}", (int)title.len,
                                (const char *)title.data, listed[i]);
    }
    write_content(&w, text);
    return gap_post_put(r, &w.content, gap_str("The index"));
}

static int put_post(unsigned chat, const char *key, const char *title, const char *text)
{
    struct written w;
    gap_post_t post = {.key = gap_str(key),
                       .chat = outbox_world_chat(chat),
                       .title = gap_str(title),
                       .content = &w.content};

    write_content(&w, text != NULL ? text : "");
    if (text == NULL) {
        post.content = NULL;
        post.render = render_index;
    }
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    int r = gap_post_upsert(o.db, &post, NULL);
    outbox_world_sql(&o, "COMMIT");
    return r;
}

static int note_id(void *arg, const gap_post_status_t *s)
{
    *(gap_post_status_t *)arg = *s;
    return 0;
}

static gap_post_status_t status(const char *key)
{
    gap_post_status_t s = {0};

    int r = gap_post_get(o.db, gap_str(key), note_id, &s); /* none: zeros */
    ck_assert(r == 0 || r == GAP_E_NOT_FOUND);
    return s;
}

static int64_t number(const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(o.db, sql, -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return n;
}

static bool is_quiet(void)
{
    return number("SELECT (SELECT count(*) FROM gapless_outbox WHERE state < 5) +"
                  " (SELECT count(*) FROM gapless_outbox_dirty)") == 0;
}

/* Until nothing waits and nothing is marked. */
static void settle(uint64_t seconds)
{
    for (uint64_t i = 0; i < seconds * 10; i++) {
        (void)client_world_run(&o.w, SECOND / 10, NULL);
        if (is_quiet()) return;
    }
    ck_abort_msg("it does not settle: %lld rows, %lld marks",
                 (long long)number("SELECT count(*) FROM gapless_outbox WHERE state < 5"),
                 (long long)number("SELECT count(*) FROM gapless_outbox_dirty"));
}

/* --- what the data centre has ----------------------------------------------------------------- */

static bool last_event(gap_peer_t chat, int32_t id, dc_event_t *out)
{
    dc_model_t *m = gap_dc_model(o.w.dc);

    for (uint32_t n = dc_model_event_count(m); n > 0; n--) {
        dc_model_event(m, n, out);
        if (out->chat.id == chat.id && out->id == id &&
            (out->kind == DC_NEW_MESSAGE || out->kind == DC_EDIT_MESSAGE))
            return true;
    }
    return false;
}

/* A post's message as "see b<address>". */
static const char *shown(unsigned chat, const char *key)
{
    static char out[4][TEXT];
    static unsigned turn;
    char *text = out[turn++ % 4];
    dc_event_t e;
    size_t len = 0;

    if (!last_event(outbox_world_chat(chat), status(key).message_id, &e)) return "-";
    for (size_t i = 0; i <= e.text.len; i++) {
        gap_bytes_t left = e.marks;
        gap_tl_object_t mark;
        while (left.len > 0 && gap_tl_object(left, &mark) == 0) {
            gap_tl_message_entity_text_url_t url;
            left = (gap_bytes_t){left.data + mark.len, left.len - mark.len};
            if (GAP_TL_READ(mark, GAP_TL_MESSAGE_ENTITY_TEXT_URL, &url) < 0) continue;
            if ((size_t)(url.offset + url.length) == i)
                len += (size_t)snprintf(text + len, TEXT - len, "<%.*s>", (int)url.url.len,
                                        (const char *)url.url.data);
        }
        if (i < e.text.len) text[len++] = (char)e.text.data[i];
    }
    text[len] = '\0';
    return text;
}

/* "see {b}" with the addresses that the posts have. */
static const char *wanted(unsigned chat, const char *text)
{
    static char out[4][TEXT];
    static unsigned turn;
    char *to = out[turn++ % 4];
    size_t len = 0;

    for (const char *p = text; *p != '\0'; p++) {
        char key[16] = "";
        size_t n = strcspn(p, "}") - 1;
        if (*p != '{') {
            to[len++] = *p;
            continue;
        }
        memcpy(key, p + 1, n);
        len += (size_t)snprintf(to + len, TEXT - len, "%s<https://t.me/c/%" PRId64 "/%d>", key,
                                outbox_world_chat(chat).id, status(key).message_id);
        p += n + 1;
    }
    to[len] = '\0';
    return to;
}

static unsigned caused(dc_kind_t kind, int32_t id)
{
    dc_model_t *m = gap_dc_model(o.w.dc);
    unsigned found = 0;

    for (uint32_t n = 1; n <= dc_model_event_count(m); n++) {
        dc_event_t e;
        dc_model_event(m, n, &e);
        found += e.by_call && e.kind == kind && (id == 0 || e.id == id);
    }
    return found;
}

#define EDITS(key) caused(DC_EDIT_MESSAGE, status(key).message_id)

/* --- tests ------------------------------------------------------------------------------------ */

/* Links there and back, to itself, to what is not there yet: each is sent once, and exactly those
 * are edited whose links were not known. Asked for again: nothing. */
START_TEST(linked_posts_are_sent_once_and_settle)
{
    static const struct {
        const char *key;
        const char *text;
        unsigned edits;
    } posts[] = {{"a", "to {b}", 1},
                 {"b", "to {a} and {c}", 1},
                 {"c", "to {a}", 0},
                 {"d", "to {d}", 1},
                 {"e", "alone", 0}};

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 5; i++)
            ck_assert_int_eq(put_post(0, posts[i].key, "", posts[i].text),
                             round == 0 ? 0 : GAP_POST_UNCHANGED);
        settle(60);
        for (size_t i = 0; i < 5; i++) {
            ck_assert_str_eq(shown(0, posts[i].key), wanted(0, posts[i].text));
            ck_assert_uint_eq(EDITS(posts[i].key), posts[i].edits);
            ck_assert(status(posts[i].key).in_step);
        }
        ck_assert_uint_eq(caused(DC_NEW_MESSAGE, 0), 5);
    }
    /* One changes: that message is edited and no other. */
    ck_assert_int_eq(put_post(0, "a", "", "now to {b} and {e}"), 0);
    settle(60);
    ck_assert_str_eq(shown(0, "a"), wanted(0, "now to {b} and {e}"));
    ck_assert_uint_eq(caused(DC_EDIT_MESSAGE, 0), 4);
    ck_assert_uint_eq(EDITS("a"), 2);
    gap_outbox_stats_t stats;
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
    ck_assert_uint_eq(stats.sent, 9);
    ck_assert_uint_eq(stats.edited, 4);
    ck_assert_uint_eq(stats.rendered, 3);
}
END_TEST

/* An index that shows titles: it follows them, by one edit for all that change within the debounce,
 * and not before that has passed. */
START_TEST(an_index_follows_titles_once_for_all)
{
    listed[0] = "a", listed[1] = "b", listed[2] = "c";
    ck_assert_int_eq(put_post(0, "index", "", NULL), 0);
    settle(60);
    ck_assert_str_eq(shown(0, "index"), "Index; ? at a; ? at b; ? at c");
    for (size_t i = 0; i < 3; i++) ck_assert_int_eq(put_post(0, listed[i], "T", "text"), 0);
    settle(60);
    ck_assert_str_eq(shown(0, "index"), wanted(0, "Index; T at {a}; T at {b}; T at {c}"));
    ck_assert_uint_eq(EDITS("index"), 1);

    /* Titles only: no post but the index is edited. */
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(put_post(0, listed[i], "U", "text"), GAP_POST_UNCHANGED);
        (void)client_world_run(&o.w, SECOND / 2, NULL);
    }
    ck_assert_uint_eq(EDITS("index"), 1);
    settle(60);
    ck_assert_str_eq(shown(0, "index"), wanted(0, "Index; U at {a}; U at {b}; U at {c}"));
    ck_assert_uint_eq(EDITS("index"), 2);
    ck_assert_uint_eq(caused(DC_EDIT_MESSAGE, 0), 2);
    /* A text: the index does not show it. */
    ck_assert_int_eq(put_post(0, "b", "U", "other"), 0);
    settle(60);
    ck_assert_uint_eq(EDITS("index"), 2);
    ck_assert_uint_eq(EDITS("b"), 1);
}
END_TEST

/* A renderer that refuses is told, and asked again. */
START_TEST(a_renderer_that_refuses_is_asked_again)
{
    listed[0] = "a";
    ck_assert_int_eq(put_post(0, "index", "", NULL), 0);
    settle(60);
    render_result = -4711;
    ck_assert_int_eq(put_post(0, "a", "T", "text"), 0);
    (void)client_world_run(&o.w, 10 * SECOND, NULL);
    ck_assert_uint_eq(o.events[GAP_CLIENT_ERROR], 1);
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_ERROR], "index"));
    ck_assert_int_eq(o.event[GAP_CLIENT_ERROR].error, -4711);
    render_result = 0;
    settle(120);
    ck_assert_str_eq(shown(0, "index"), wanted(0, "Index; T at {a}"));
    ck_assert_uint_eq(o.events[GAP_CLIENT_ERROR], 1);
}
END_TEST

/* A message that is gone is sent anew, and links to it follow; one too old is left as it is. */
START_TEST(what_can_not_be_edited_follows_its_policy)
{
    ck_assert_int_eq(put_post(0, "a", "", "one"), 0);
    ck_assert_int_eq(put_post(0, "b", "", "to {a}"), 0);
    settle(60);
    ck_assert_uint_eq(EDITS("b"), 0);
    int32_t old = status("a").message_id;
    outbox_world_refuse(&o, GAP_TL_MESSAGES_EDIT_MESSAGE, 400, "MESSAGE_ID_INVALID");
    ck_assert_int_eq(put_post(0, "a", "", "two"), 0);
    (void)client_world_run(&o.w, SECOND, NULL);
    outbox_world_refuse(&o, 0, 0, NULL);
    settle(60);
    ck_assert_int_ne(status("a").message_id, old);
    ck_assert_str_eq(shown(0, "a"), "two");
    ck_assert_str_eq(shown(0, "b"), wanted(0, "to {a}"));
    ck_assert_uint_eq(EDITS("b"), 1);

    outbox_world_refuse(&o, GAP_TL_MESSAGES_EDIT_MESSAGE, 400, "MESSAGE_EDIT_TIME_EXPIRED");
    ck_assert_int_eq(put_post(0, "a", "", "three"), 0);
    settle(60);
    ck_assert(status("a").frozen && !status("a").in_step);
    ck_assert_str_eq(shown(0, "a"), "two");
    ck_assert_uint_eq(caused(DC_NEW_MESSAGE, 0), 3);
}
END_TEST

/* Given up with a call behind it that may have been executed: its random_id stands for the first
 * text all the same. */
START_TEST(a_doubt_outlives_that_its_row_is_given_up)
{
    outbox_world_die(&o);
    o.config.attempts_max = 1;
    outbox_world_live(&o);
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 500, "RPC_CALL_FAIL");
    ck_assert_int_eq(put_post(0, "a", "", "one"), 0);
    (void)client_world_run(&o.w, 5 * SECOND, NULL);
    ck_assert_int_eq(number("SELECT state FROM gapless_outbox"), GAP_OUTBOX_PARKED);
    ck_assert_int_eq(number("SELECT doubt FROM gapless_outbox_post"), 1);
    outbox_world_refuse(&o, 0, 0, NULL);
    ck_assert_int_eq(put_post(0, "a", "", "two"), 0);
    settle(60);
    ck_assert_str_eq(shown(0, "a"), "two");
    ck_assert_uint_eq(outbox_world_messages(&o, "one"), 1);
    ck_assert_uint_eq(caused(DC_NEW_MESSAGE, 0), 1);
    ck_assert_uint_eq(EDITS("a"), 1);
}
END_TEST

/* A post is removed while everything is well, and before it was sent. */
START_TEST(a_removed_post_is_deleted)
{
    ck_assert_int_eq(put_post(0, "a", "", "one"), 0);
    ck_assert_int_eq(put_post(0, "b", "", "to {a}"), 0);
    settle(60);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_post_remove(o.db, gap_str("a")), 0);
    outbox_world_sql(&o, "COMMIT");
    settle(60);
    ck_assert_uint_eq(caused(DC_DELETE_MESSAGES, 0), 1);
    ck_assert_str_eq(shown(0, "b"), "to a");
}
END_TEST

/* Two that hold each other's text: told once, and it ends. */
static int render_pair(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    struct written w;
    char text[TEXT];
    gap_bytes_t other = gap_str("?");
    bool is_a = gap_bytes_equal(key, gap_str("a"));
    int rc = gap_post_text(r, gap_str(is_a ? "b" : "a"), &other);

    (void)data;
    if (rc != 0 && rc != GAP_E_NOT_FOUND) return rc;
    (void)snprintf(text, sizeof text, "%s%.*s", is_a ? "a" : "b", (int)other.len,
                   (const char *)other.data);
    write_content(&w, text);
    return gap_post_put(r, &w.content, gap_str(""));
}

START_TEST(what_does_not_settle_is_told)
{
    gap_post_t post = {.chat = outbox_world_chat(0), .render = render_pair};

    outbox_world_die(&o);
    o.config.render = render_pair;
    outbox_world_live(&o);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    post.key = gap_str("a");
    ck_assert_int_eq(gap_post_upsert(o.db, &post, NULL), 0);
    post.key = gap_str("b");
    ck_assert_int_eq(gap_post_upsert(o.db, &post, NULL), 0);
    outbox_world_sql(&o, "COMMIT");
    settle(120);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_CASCADE], 1);
    ck_assert_uint_le(caused(DC_EDIT_MESSAGE, 0), 8);
    ck_assert_uint_eq(caused(DC_NEW_MESSAGE, 0), 2);
}
END_TEST

/* Lost answers, lost sessions, deaths of the process: every post once, texts as last asked for, and
 * not one edit more than there were reasons. */
START_TEST(nothing_doubles_whatever_is_lost)
{
    enum { POSTS = 12, ROUNDS = 6 };
    char keys[POSTS][8];
    char texts[POSTS][TEXT];
    unsigned asked = 0;

    outbox_world_drop_answers(&o, 0.2);
    for (int round = 0; round < ROUNDS; round++) {
        if (round == 3) outbox_world_drop_answers(&o, 0);
        if (round == 3) outbox_world_lose_sessions(&o, 0.2);
        for (int i = 0; i < POSTS; i++) {
            if ((i + round) % 3 != 0 && round > 0) continue;
            (void)snprintf(keys[i], sizeof keys[i], "p%d", i);
            (void)snprintf(texts[i], TEXT, "post %d round %d to {p%d} and {p%d}", i, round,
                           (i * 5 + 1) % POSTS, (i + _i) % POSTS);
            ck_assert_int_ge(put_post((unsigned)i % 3, keys[i], "", texts[i]), 0);
            asked++;
        }
        (void)client_world_run(&o.w, 700000 + 300000 * (uint64_t)_i, NULL);
        outbox_world_die(&o);
        outbox_world_live(&o);
    }
    settle(600);
    outbox_world_lose_sessions(&o, 0);
    settle(60);
    ck_assert_uint_eq(caused(DC_NEW_MESSAGE, 0), POSTS);
    for (int i = 0; i < POSTS; i++) {
        char expected[TEXT];
        char first[16], second[16];
        ck_assert(status(keys[i]).in_step);
        int round = 0;
        ck_assert_int_eq(
            sscanf(texts[i], "post %*d round %d to {%15[^}]} and {%15[^}]}", &round, first, second),
            3);
        (void)snprintf(expected, sizeof expected,
                       "post %d round %d to %s<https://t.me/c/%" PRId64
                       "/%d> and %s<https://t.me/c/%" PRId64 "/%d>",
                       i, round, first,
                       outbox_world_chat((unsigned)strtol(first + 1, NULL, 10) % 3).id,
                       status(first).message_id, second,
                       outbox_world_chat((unsigned)strtol(second + 1, NULL, 10) % 3).id,
                       status(second).message_id);
        ck_assert_str_eq(shown((unsigned)i % 3, keys[i]), expected);
    }
    /* Each upsert is a reason for one, and each of the two links for one more. */
    ck_assert_uint_le(caused(DC_EDIT_MESSAGE, 0), asked - POSTS + 2 * POSTS);
}
END_TEST

static int64_t put_media(unsigned chat, const char *key)
{
    gap_tl_input_photo_t id = {.id = 77, .access_hash = 5};
    gap_tl_input_media_photo_t photo = {.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO, &id)};
    const gap_outbox_content_t content = {.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &photo)};
    const gap_post_t post = {
        .key = gap_str(key), .chat = outbox_world_chat(chat), .content = &content};
    int64_t row = 0;

    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_post_upsert(o.db, &post, &row), 0);
    outbox_world_sql(&o, "COMMIT");
    return row;
}

/* What a post calls is known when its content is taken. */
START_TEST(a_pause_of_a_method_holds_posts_that_call_it)
{
    for (unsigned i = 0; i < 3; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "m%u", i);
        ck_assert_int_eq(put_post(i, key, "", "text"), 0);
    }
    settle(60);
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MEDIA, 420, "FLOOD_WAIT_30");
    for (unsigned i = 0; i < 2; i++) {
        int64_t row = put_media(i, i == 0 ? "a" : "b");
        ck_assert(outbox_world_reach(&o, row, GAP_OUTBOX_SNOOZED, 5 * SECOND));
    }
    outbox_world_refuse(&o, 0, 0, NULL);
    int64_t row = put_media(2, "c");
    (void)client_world_run(&o.w, 20 * SECOND, NULL);
    ck_assert_int_lt(outbox_world_state(&o, row), GAP_OUTBOX_LEASED);
    ck_assert_int_eq(put_post(3, "d", "", "text"), 0); /* another method */
    (void)client_world_run(&o.w, 3 * SECOND, NULL);
    ck_assert_int_ne(status("d").message_id, 0);
    ck_assert(outbox_world_reach(&o, row, GAP_OUTBOX_SENT, 40 * SECOND));
    settle(60);
}
END_TEST

START_TEST(posts_follow_although_the_clock_is_set_back)
{
    outbox_world_die(&o);
    o.config.debounce_us = 30 * SECOND;
    outbox_world_live(&o);
    ck_assert_int_eq(put_post(0, "one", "", "see {two}"), 0);
    settle(60);
    ck_assert_int_eq(put_post(0, "two", "", "here"), 0);
    for (int i = 0; i < 1000 && status("two").message_id == 0; i++)
        (void)client_world_run(&o.w, SECOND / 100, NULL);
    (void)client_world_run(&o.w, 20 * SECOND, NULL);
    ck_assert_int_eq(number("SELECT count(*) FROM gapless_outbox_dirty"), 1);
    sim_shift_wall(o.w.env, -86400000000);
    settle(60);
    ck_assert_str_eq(shown(0, "one"), wanted(0, "see {two}"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox_posts");
    TCase *tc = tcase_create("posts");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, linked_posts_are_sent_once_and_settle);
    tcase_add_test(tc, an_index_follows_titles_once_for_all);
    tcase_add_test(tc, a_renderer_that_refuses_is_asked_again);
    tcase_add_test(tc, what_can_not_be_edited_follows_its_policy);
    tcase_add_test(tc, a_doubt_outlives_that_its_row_is_given_up);
    tcase_add_test(tc, a_removed_post_is_deleted);
    tcase_add_test(tc, what_does_not_settle_is_told);
    tcase_add_test(tc, a_pause_of_a_method_holds_posts_that_call_it);
    tcase_add_test(tc, posts_follow_although_the_clock_is_set_back);
    tcase_add_loop_test(tc, nothing_doubles_whatever_is_lost, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
