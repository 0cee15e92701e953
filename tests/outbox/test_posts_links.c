/* Posts that show others: links, titles, texts; what follows from a change, and where it ends. */
#include "tests/outbox/posts.h"

#include <inttypes.h>

static sqlite3 *db;

static void setup(void)
{
    posts_begin();
    db = tables_open();
}

static void teardown(void)
{
    tables_close(db);
    posts_end();
}

static int upsert_in(gap_peer_t chat, const char *base, const char *key, const char *text)
{
    struct written w;
    gap_post_t post = post_of(&w, key, text);
    int64_t row;

    post.chat = chat;
    post.link_base = gap_str(base);
    return upsert_post(db, &post, &row);
}

static int64_t marks(void)
{
    return tables_number(db, "SELECT count(*) FROM gapless_outbox_dirty");
}

/* --- links ------------------------------------------------------------------------------------ */

/* A, then B that links to it, then A links to B: each is sent once, A is edited, and that is all.
 */
START_TEST(two_that_link_to_each_other_settle)
{
    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to b");
    ck_assert_int_eq(upsert(db, "b", "to {a}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to b<https://t.me/c/77/2>");
    ck_assert_str_eq(message_text(db, "b"), "to a<https://t.me/c/77/1>");
    ck_assert_uint_eq(server.sends, 2);
    ck_assert_uint_eq(server.edits, 1);
    ck_assert_uint_eq(server.same, 0);
    ck_assert_int_eq(marks(), 0);
    /* A change of one's text is none of the other's. */
    ck_assert_int_eq(upsert(db, "a", "more to {b}"), 0);
    settle(db);
    ck_assert_uint_eq(server.edits, 2);
}
END_TEST

/* Both wait at the same time: the second goes out with the address, the first is edited. */
START_TEST(what_is_known_when_its_turn_comes_needs_no_edit)
{
    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    ck_assert_int_eq(upsert(db, "b", "to {a}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to b<https://t.me/c/77/2>");
    ck_assert_str_eq(message_text(db, "b"), "to a<https://t.me/c/77/1>");
    ck_assert_uint_eq(server.sends, 2);
    ck_assert_uint_eq(server.edits, 1);
}
END_TEST

START_TEST(a_link_to_itself_settles)
{
    ck_assert_int_eq(upsert(db, "a", "me: {a}, again {a}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"),
                     "me: a<https://t.me/c/77/1>, again a<https://t.me/c/77/1>");
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits, 1);
    ck_assert_uint_eq(server.same, 0);
}
END_TEST

/* An address fires once, however often the post is edited. */
START_TEST(an_address_is_news_once)
{
    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    ck_assert_int_eq(upsert(db, "b", "one"), 0);
    settle(db);
    ck_assert_uint_eq(server.edits, 1);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(upsert(db, "b", i % 2 == 0 ? "two" : "one"), 0);
        settle(db);
    }
    ck_assert_uint_eq(server.edits, 5);
    ck_assert_uint_eq(posts_told.rendered, 1);
}
END_TEST

START_TEST(a_link_is_remembered_until_its_post_is_there)
{
    ck_assert_int_eq(upsert(db, "a", "to {later} and {never}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to later and never");
    ck_assert_int_eq(upsert_in(NEWS, "https://t.me/news/", "later", "here"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to later<https://t.me/news/2> and never");
    /* The chat got another name. */
    ck_assert_int_eq(upsert_in(NEWS, "https://t.me/gazette", "later", "here"), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to later<https://t.me/gazette/2> and never");
    /* It is no more, and comes again. */
    ck_assert_int_eq(remove_post(db, "later"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to later and never");
    ck_assert_int_eq(upsert(db, "later", "back"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to later<https://t.me/c/77/3> and never");
    ck_assert_uint_eq(message_of_post(db, "a")->edits, 4);
}
END_TEST

/* Private chats and basic groups have no addresses of messages, whatever people say. */
START_TEST(chats_without_addresses_give_no_link)
{
    struct seen s;

    ck_assert_int_eq(upsert(db, "a", "to {p} {g}"), 0);
    ck_assert_int_eq(upsert_in(ANNA, "https://t.me/anna", "p", "private"), 0);
    ck_assert_int_eq(upsert_in((gap_peer_t){5, GAP_PEER_CHAT}, "", "g", "group {a}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to p g");
    ck_assert_str_eq(message_text(db, "g"), "group a<https://t.me/c/77/1>");
    ck_assert_uint_eq(server.edits, 0);
    ck_assert_int_eq(look(db, "p", &s), 0);
    ck_assert_str_eq(s.link, "");
    ck_assert_int_eq(s.message_id, 2);
}
END_TEST

/* Many changes within the debounce are one rendering and one edit. */
START_TEST(many_changes_are_one_edit)
{
    ck_assert_int_eq(upsert(db, "a", "{b} {c} {d}"), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    ck_assert_int_eq(upsert(db, "c", "c"), 0);
    ck_assert_int_eq(upsert(db, "d", "d"), 0);
    send_all(db);
    step(db);
    ck_assert_uint_eq(posts_told.rendered, 0);
    posts_now += POSTS_DEBOUNCE - 1;
    step(db);
    ck_assert_uint_eq(posts_told.rendered, 0);
    posts_now += 1;
    step(db);
    ck_assert_uint_eq(posts_told.rendered, 1);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"),
                     "b<https://t.me/c/77/2> c<https://t.me/c/77/3> d<https://t.me/c/77/4>");
    ck_assert_uint_eq(server.edits, 1);
}
END_TEST

/* Somebody who took a first sending back does not get it because of a cascade. */
START_TEST(a_cascade_sends_nothing_that_was_taken_back)
{
    struct flight f;

    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    tables_exec(db, "UPDATE gapless_outbox SET state = 8");
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    settle(db);
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_str_eq(message_text(db, "a"), "-");
    /* Asked for again it goes out, with what is known by now. */
    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    ck_assert(claim(db, NULL, &f));
    crash(db, &f);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to b<https://t.me/c/77/1>");
    ck_assert_uint_eq(server.edits, 0);
}
END_TEST

/* --- renderers -------------------------------------------------------------------------------- */

/* What posts say of themselves, for the renderer below: text with signs before keys:
 * ^key its title, *key its text, @key its address, {key} a link. */
struct model {
    const char *key;
    const char *title;
    const char *text;
};
static struct model models[16];
static size_t model_count;
static int render_result;
static unsigned renderings;

static struct model *model_of(const char *key, size_t len)
{
    for (size_t i = 0; i < model_count; i++)
        if (strlen(models[i].key) == len && memcmp(models[i].key, key, len) == 0) return &models[i];
    return NULL;
}

static int render(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    struct written w;
    char text[POSTS_TEXT] = "";
    const struct model *m = model_of((const char *)key.data, key.len);
    size_t len = 0;

    (void)data;
    renderings++;
    if (render_result != 0) return render_result;
    ck_assert_ptr_nonnull(m);
    for (const char *p = m->text; *p != '\0'; p++) {
        gap_bytes_t shown = gap_str("?");
        if (*p != '^' && *p != '*' && *p != '@') {
            text[len++] = *p;
            continue;
        }
        char sign = *p++;
        size_t n = strcspn(p, " ");
        gap_bytes_t other = {(const uint8_t *)p, n};
        int rc = sign == '^'   ? gap_post_title(r, other, &shown)
                 : sign == '*' ? gap_post_text(r, other, &shown)
                               : gap_post_link(r, other, &shown);
        ck_assert(rc == 0 || rc == GAP_E_NOT_FOUND);
        if (rc != 0) shown = gap_str("?");
        ck_assert_uint_lt(len + shown.len, sizeof text);
        if (shown.len > 0) memcpy(text + len, shown.data, shown.len);
        len += shown.len;
        p += n - 1;
    }
    text[len] = '\0';
    write_content(&w, text);
    return gap_post_put(r, &w.content, gap_str(m->title));
}

static int put_model(const char *key, const char *title, const char *text)
{
    struct model *m = model_of(key, strlen(key));
    gap_post_t post = {.key = gap_str(key), .chat = NEWS, .render = render};
    int64_t row;

    if (m == NULL) m = &models[model_count++];
    *m = (struct model){key, title, text};
    return upsert_post(db, &post, &row);
}

static void setup_models(void)
{
    setup();
    model_count = 0;
    render_result = 0;
    renderings = 0;
    posts_render = render;
}

START_TEST(titles_and_texts_follow)
{
    ck_assert_int_eq(put_model("index", "Index", "all: ^a *a"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "index"), "all: ? ?");
    ck_assert_int_eq(put_model("a", "First", "text {index}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "index"), "all: First text index");
    ck_assert_str_eq(message_text(db, "a"), "text index<https://t.me/c/77/1>");
    ck_assert_uint_eq(server.edits, 1);
    /* Only the title: a itself needs no edit. */
    ck_assert_int_eq(put_model("a", "Second", "text {index}"), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_str_eq(message_text(db, "index"), "all: Second text index");
    ck_assert_uint_eq(server.edits, 2);
    /* The same again: nothing. */
    unsigned before = renderings;
    ck_assert_int_eq(put_model("a", "Second", "text {index}"), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_uint_eq(renderings, before + 1);
    ck_assert_uint_eq(server.edits, 2);
    /* It is no more. */
    ck_assert_int_eq(remove_post(db, "a"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "index"), "all: ? ?");
}
END_TEST

/* An address as text: who shows that text follows, too. */
START_TEST(a_chain_of_texts_follows_to_its_end)
{
    ck_assert_int_eq(put_model("a", "A", "at @z"), 0);
    ck_assert_int_eq(put_model("b", "B", "b *a"), 0);
    ck_assert_int_eq(put_model("c", "C", "c *b"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "c"), "c b at ?");
    ck_assert_int_eq(upsert(db, "z", "z"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "c"), "c b at https://t.me/c/77/4");
    ck_assert_uint_eq(server.edits, 3);
    ck_assert_uint_eq(posts_told.overflow, 0);
    ck_assert_int_eq(upsert(db, "z", "other"), 0);
    settle(db);
    ck_assert_uint_eq(server.edits, 4);
}
END_TEST

/* Two that hold each other's text grow for ever: after eight renderings it is told and ends. */
START_TEST(what_does_not_settle_is_cut_and_told)
{
    ck_assert_int_eq(put_model("a", "A", "a *b"), 0);
    ck_assert_int_eq(put_model("b", "B", "b *a"), 0);
    settle(db);
    ck_assert_uint_eq(posts_told.overflow, 1);
    ck_assert_uint_le(posts_told.rendered, 8);
    ck_assert_int_eq(marks(), 0);
    ck_assert(posts_told.overflow_len == 1 &&
              (posts_told.overflow_key[0] == 'a' || posts_told.overflow_key[0] == 'b'));
    uint32_t edits = server.edits;
    settle(db);
    ck_assert_uint_eq(server.edits, edits);
    /* A change begins anew, and ends as well. */
    ck_assert_int_eq(put_model("b", "B", "c *a"), 0);
    settle(db);
    ck_assert_uint_eq(posts_told.overflow, 2);
    ck_assert_uint_le(posts_told.rendered, 16);
}
END_TEST

/* Seven steps in a row are within the limit, a ninth is not. */
START_TEST(generations_are_counted_from_the_change)
{
    static const char *const keys[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    static const char *const texts[] = {"x",     "1 *0 ", "2 *1 ", "3 *2 ", "4 *3 ",
                                        "5 *4 ", "6 *5 ", "7 *6 ", "8 *7 ", "9 *8 "};
    for (int i = 0; i < 10; i++) ck_assert_int_eq(put_model(keys[i], "", texts[i]), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "9"), "9 8 7 6 5 4 3 2 1 x         ");
    ck_assert_uint_eq(posts_told.overflow, 0);
    ck_assert_int_eq(put_model("0", "", "y"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "8"), "8 7 6 5 4 3 2 1 y        ");
    ck_assert_str_eq(message_text(db, "9"), "9 8 7 6 5 4 3 2 1 x         ");
    ck_assert_uint_eq(posts_told.overflow, 1);
    ck_assert_int_eq(posts_told.overflow_key[0], '8');
}
END_TEST

/* A deleted pair that is deleted again and again does not send for ever. */
START_TEST(reposts_do_not_chase_each_other)
{
    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    ck_assert_int_eq(upsert(db, "b", "to {a}"), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "a", "again to {b}"), 0);
    for (int round = 0; round < 200; round++) {
        int64_t next;
        for (size_t i = 0; i < server.count; i++) server.messages[i].deleted = true;
        struct flight f;
        int32_t id = 0;
        while (claim(db, NULL, &f)) {
            enum gap_post_end end = f.verdict == GAP_POST_GO ? serve(&f, &id) : GAP_POST_SENT;
            finish(db, &f, end, id);
            for (size_t i = 0; i < server.count; i++) server.messages[i].deleted = true;
        }
        flight_fini(&f);
        ck_assert_int_eq(gap_post_next(db, posts_now, POSTS_DEBOUNCE, false, &next), 0);
        if (next == INT64_MAX) break;
        posts_now = next;
        step(db);
    }
    ck_assert_int_eq(marks(), 0);
    ck_assert_uint_le(server.sends, 2 + 1 + GAP_POST_GENERATIONS_MAX);
    ck_assert_uint_eq(posts_told.overflow, 1);
}
END_TEST

/* A renderer that can't: nothing changes; the upsert says so, the client asks again later. */
START_TEST(a_renderer_may_refuse)
{
    struct seen s;

    render_result = -4711;
    ck_assert_int_eq(put_model("a", "A", "one"), -4711);
    ck_assert_int_eq(look(db, "a", &s), GAP_E_NOT_FOUND);
    render_result = 0;
    ck_assert_int_eq(put_model("a", "A", "one ^b"), 0);
    settle(db);
    render_result = GAP_E_NOMEM; /* its own business, too */
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    send_all(db);
    step(db);
    posts_now += POSTS_DEBOUNCE;
    step(db);
    ck_assert_uint_eq(posts_told.failed, 1);
    ck_assert_int_eq(posts_told.error, GAP_E_NOMEM);
    ck_assert(posts_told.failed_len == 1 && posts_told.failed_key[0] == 'a');
    int64_t next;
    ck_assert_int_eq(gap_post_next(db, posts_now, POSTS_DEBOUNCE, true, &next), 0);
    ck_assert_int_eq(next, posts_now + GAP_POST_RENDER_RETRY_US);
    step(db);
    ck_assert_uint_eq(posts_told.failed, 1);
    render_result = 0;
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "one ");
    ck_assert_uint_eq(posts_told.failed, 1);
    ck_assert_uint_eq(server.edits, 1);
}
END_TEST

static int render_nothing(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    (void)r;
    (void)key;
    (void)data;
    return 0;
}

START_TEST(a_renderer_has_to_put_something)
{
    gap_post_t post = {.key = gap_str("a"), .chat = NEWS, .render = render_nothing};
    int64_t row;

    ck_assert_int_eq(upsert_post(db, &post, &row), GAP_E_STATE);
}
END_TEST

/* Without content and renderer the client makes it, if it has a renderer. */
START_TEST(a_post_may_be_left_to_the_client)
{
    gap_post_t post = {.key = gap_str("a"), .chat = NEWS};
    int64_t row = -1;
    struct seen s;

    models[model_count++] = (struct model){"a", "Made", "by the client"};
    ck_assert_int_eq(upsert_post(db, &post, &row), 0);
    ck_assert_int_eq(row, 0);
    posts_render = NULL;
    settle(db);
    ck_assert_uint_eq(server.sends, 0);
    ck_assert_int_eq(marks(), 1);
    posts_render = render;
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "by the client");
    models[0].text = "differently";
    ck_assert_int_eq(upsert_post(db, &post, &row), 0);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert_str_eq(s.title, "Made");
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "differently");
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(s.in_step && s.revision == 2);
    ck_assert_str_eq(s.title, "Made");
    /* What it shows by now counts. */
    models[0].text = "see @b";
    ck_assert_int_eq(upsert_post(db, &post, &row), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "see https://t.me/c/77/2");
}
END_TEST

/* Without a renderer in the client such posts stay as they are, and others go on. */
START_TEST(posts_that_nobody_can_render_wait)
{
    ck_assert_int_eq(put_model("a", "A", "one @b"), 0);
    ck_assert_int_eq(upsert(db, "c", "to {b}"), 0);
    settle(db);
    posts_render = NULL;
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "c"), "to b<https://t.me/c/77/3>");
    ck_assert_str_eq(message_text(db, "a"), "one ?");
    ck_assert_int_eq(marks(), 1);
    posts_render = render;
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "one https://t.me/c/77/3");
}
END_TEST

/* The clock was put back: marks don't wait for the future to come again. */
START_TEST(a_clock_that_goes_back_holds_nothing_up)
{
    int64_t next;

    ck_assert_int_eq(upsert(db, "a", "to {b}"), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    send_all(db);
    posts_now -= INT64_C(3600000000);
    ck_assert_int_eq(gap_post_next(db, posts_now, POSTS_DEBOUNCE, false, &next), 0);
    ck_assert_int_le(next, posts_now);
    step(db);
    ck_assert_int_eq(gap_post_next(db, posts_now, POSTS_DEBOUNCE, false, &next), 0);
    ck_assert_int_eq(next, posts_now + POSTS_DEBOUNCE);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "to b<https://t.me/c/77/2>");
}
END_TEST

/* More than one step takes: the rest is due at once. */
START_TEST(a_step_has_a_bound)
{
    for (int i = 0; i < GAP_POST_STEP_MAX + 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(upsert(db, key, "to {b}"), 0);
    }
    settle(db);
    ck_assert_int_eq(upsert(db, "b", "b"), 0);
    send_all(db);
    posts_now += POSTS_DEBOUNCE;
    step(db);
    ck_assert_uint_eq(posts_told.rendered, GAP_POST_STEP_MAX);
    int64_t next;
    ck_assert_int_eq(gap_post_next(db, posts_now, POSTS_DEBOUNCE, false, &next), 0);
    ck_assert_int_le(next, posts_now);
    settle(db);
    ck_assert_uint_eq(server.edits, GAP_POST_STEP_MAX + 10);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("posts_links");
    TCase *tc = tcase_create("links");
    TCase *rendered = tcase_create("renderers");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, two_that_link_to_each_other_settle);
    tcase_add_test(tc, what_is_known_when_its_turn_comes_needs_no_edit);
    tcase_add_test(tc, a_link_to_itself_settles);
    tcase_add_test(tc, an_address_is_news_once);
    tcase_add_test(tc, a_link_is_remembered_until_its_post_is_there);
    tcase_add_test(tc, chats_without_addresses_give_no_link);
    tcase_add_test(tc, many_changes_are_one_edit);
    tcase_add_test(tc, a_cascade_sends_nothing_that_was_taken_back);
    suite_add_tcase(s, tc);
    tcase_add_checked_fixture(rendered, setup_models, teardown);
    tcase_add_test(rendered, titles_and_texts_follow);
    tcase_add_test(rendered, a_chain_of_texts_follows_to_its_end);
    tcase_add_test(rendered, what_does_not_settle_is_cut_and_told);
    tcase_add_test(rendered, generations_are_counted_from_the_change);
    tcase_add_test(rendered, reposts_do_not_chase_each_other);
    tcase_add_test(rendered, a_renderer_may_refuse);
    tcase_add_test(rendered, a_renderer_has_to_put_something);
    tcase_add_test(rendered, a_post_may_be_left_to_the_client);
    tcase_add_test(rendered, posts_that_nobody_can_render_wait);
    tcase_add_test(rendered, a_clock_that_goes_back_holds_nothing_up);
    tcase_add_test(rendered, a_step_has_a_bound);
    suite_add_tcase(s, rendered);
    return s;
}

GAP_TEST_MAIN(suite)
