/*
 * Posts at random: graphs with links, titles, texts and addresses, cycles among them; upserts,
 * removals, lost answers, refusals, deaths at commits, people who delete messages. In the end every
 * message has to be what an oracle, which knows the last content of each post and the ids of the
 * messages and nothing of the library, makes of it; and asking for the same again does nothing.
 */
#include "tests/outbox/posts.h"

#include <inttypes.h>

#define POSTS  7
#define PIECES 4

/* What a post is made of. Texts of others only from lower numbers: they end. */
enum piece_kind { PIECE_WORD, PIECE_LINK, PIECE_ADDRESS, PIECE_TITLE, PIECE_WHOLE };
struct piece {
    enum piece_kind kind;
    int other; /* may be one that is not there */
};
struct model {
    bool there;
    bool rendered; /* by the renderer; else the content is stored */
    int version;
    int title;
    int count;
    struct piece pieces[PIECES];
};

static struct model models[POSTS];
static struct model saved[POSTS];
static struct model older[POSTS]; /* what they were before */
static sqlite3 *db;
static uint64_t seed_state;
static bool render_fails;
static unsigned in_play; /* of the posts: few meet more often */
static int last_version;
static bool with_deletions; /* people delete messages */
static unsigned asked;      /* upserts and removals that were committed */

static unsigned roll(unsigned below)
{
    seed_state ^= seed_state << 13;
    seed_state ^= seed_state >> 7;
    seed_state ^= seed_state << 17;
    return (unsigned)(seed_state >> 33) % below;
}

static const gap_peer_t chats[] = {
    {77, GAP_PEER_CHANNEL}, {78, GAP_PEER_CHANNEL}, {1001, GAP_PEER_USER}, {9, GAP_PEER_CHAT}};

/* Most are in channels. */
static gap_peer_t chat_of(int i)
{
    static const int places[POSTS] = {0, 1, 0, 0, 2, 1, 3};

    return chats[places[i]];
}

static void key_of(unsigned i, char out[8])
{
    snprintf(out, 8, "p%u", i % POSTS);
}

/* --- the oracle ------------------------------------------------------------------------------- */

static void title_of(int i, char out[32])
{
    snprintf(out, 32, "T%d.%d", i, models[i].title);
}

static bool address_of(int i, char out[64])
{
    char key[8];
    struct seen s;
    gap_peer_t chat = chat_of(i);

    key_of(i, key);
    if (chat.kind != GAP_PEER_CHANNEL || look(db, key, &s) != 0 || s.message_id == 0) return false;
    snprintf(out, 64, "https://t.me/c/%" PRId64 "/%d", chat.id, s.message_id);
    return true;
}

static size_t add(char *out, size_t len, const char *text)
{
    size_t n = strlen(text);

    ck_assert_uint_lt(len + n, POSTS_TEXT);
    memcpy(out + len, text, n + 1);
    return len + n;
}

/* @param plain  Without what links lead to. */
static void expect(int i, bool plain, char out[POSTS_TEXT])
{
    const struct model *m = &models[i];
    char text[POSTS_TEXT];
    size_t len = 0;

    snprintf(text, sizeof text, "%d v%d", i, m->version);
    len = add(out, len, text);
    for (int k = 0; k < m->count; k++) {
        int other = m->pieces[k].other;
        bool there = models[other].there;
        char address[64];
        len = add(out, len, " ");
        switch (m->pieces[k].kind) {
        case PIECE_WORD:
            len = add(out, len, "word");
            break;
        case PIECE_LINK:
            snprintf(text, sizeof text, "p%d", other);
            len = add(out, len, text);
            if (plain || !there || !address_of(other, address)) break;
            len = add(out, len, "<");
            len = add(out, len, address);
            len = add(out, len, ">");
            break;
        case PIECE_ADDRESS:
            len = add(out, len, there && address_of(other, address) ? address : "?");
            break;
        case PIECE_TITLE:
            if (there) title_of(other, text);
            len = add(out, len, there ? text : "?");
            break;
        case PIECE_WHOLE:
            if (there) expect(other, true, text);
            len = add(out, len, there ? text : "?");
            break;
        }
    }
}

/* --- posts ------------------------------------------------------------------------------------ */

static int render(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    static struct written w;
    char text[POSTS_TEXT];
    char title[32];
    int i = key.data[1] - '0';
    const struct model *m = &models[i];
    size_t len = 0;

    (void)data;
    if (render_fails && roll(4) == 0) return -4711;
    snprintf(text, sizeof text, "%d v%d", i, m->version);
    len = strlen(text);
    for (int k = 0; k < m->count; k++) {
        char other[8];
        gap_bytes_t shown = gap_str("?");
        key_of(m->pieces[k].other, other);
        int rc = 0;
        switch (m->pieces[k].kind) {
        case PIECE_WORD:
            shown = gap_str("word");
            break;
        case PIECE_LINK:
            snprintf(title, sizeof title, "{%s}", other);
            shown = gap_str(title);
            break;
        case PIECE_ADDRESS:
            rc = gap_post_link(r, gap_str(other), &shown);
            break;
        case PIECE_TITLE:
            rc = gap_post_title(r, gap_str(other), &shown);
            break;
        case PIECE_WHOLE:
            rc = gap_post_text(r, gap_str(other), &shown);
            break;
        }
        if (rc == GAP_E_NOT_FOUND) shown = gap_str("?");
        if (rc != 0 && rc != GAP_E_NOT_FOUND) return rc;
        len += (size_t)snprintf(text + len, sizeof text - len, " %.*s", (int)shown.len,
                                (const char *)shown.data);
    }
    title_of(i, title);
    write_content(&w, text);
    return gap_post_put(r, &w.content, gap_str(title));
}

static void draw_model(int i)
{
    struct model *m = &models[i];
    bool whole = false;

    m->there = true;
    m->rendered = roll(2) == 0;
    m->version = ++last_version;
    if (roll(3) == 0) m->title = last_version;
    m->count = (int)roll(PIECES + 1);
    for (int k = 0; k < m->count; k++) {
        struct piece *p = &m->pieces[k];
        p->other = (int)roll(in_play);
        p->kind = m->rendered ? (enum piece_kind)roll(5) : (enum piece_kind)roll(2);
        if (p->kind == PIECE_WHOLE && (whole || i == 0)) p->kind = PIECE_LINK;
        if (p->kind != PIECE_WHOLE) continue;
        p->other = (int)roll((unsigned)i);
        whole = true;
    }
}

static int put_post(int i)
{
    static struct written w;
    char key[8];
    char title[32];
    char text[POSTS_TEXT];
    size_t len;
    const struct model *m = &models[i];
    gap_post_t post = {.chat = chat_of(i)};

    key_of(i, key);
    title_of(i, title);
    snprintf(text, sizeof text, "%d v%d", i, m->version);
    len = strlen(text);
    for (int k = 0; k < m->count; k++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                m->pieces[k].kind == PIECE_LINK ? " {p%d}" : " word",
                                m->pieces[k].other);
    write_content(&w, text);
    post.key = gap_str(key);
    post.title = gap_str(title);
    if (m->rendered)
        post.render = render;
    else
        post.content = &w.content;
    return upsert_post(db, &post, NULL);
}

static void change_post(void)
{
    int i = (int)roll(in_play);
    char key[8];

    key_of(i, key);
    memcpy(saved, models, sizeof saved);
    posts_undo = roll(6) == 0;
    if (models[i].there && roll(8) == 0) {
        models[i].there = false;
        ck_assert_int_eq(remove_post(db, key), 0);
    } else {
        unsigned how = roll(8);
        struct model before = models[i];
        if (how < 3 && older[i].there) /* back to what it was */
            models[i] = older[i];
        else if (how > 3 || !models[i].there)
            draw_model(i);
        older[i] = before;
        int r = put_post(i);
        ck_assert_msg(r == 0 || r == GAP_POST_UNCHANGED || r == -4711, "upsert: %d", r);
        if (r < 0) memcpy(models, saved, sizeof models);
    }
    if (posts_undo) memcpy(models, saved, sizeof models);
    if (!posts_undo) asked++;
    posts_undo = false;
}

/* --- the client ------------------------------------------------------------------------------- */

static struct flight flights[4];

static void begin_call(unsigned chat)
{
    struct flight *f = &flights[chat];

    if (f->row != 0) return;
    posts_undo = roll(10) == 0;
    bool there = claim(db, &chats[chat], f);
    if (!there || posts_undo || f->verdict != GAP_POST_GO) flight_fini(f);
    posts_undo = false;
}

/* The process dies: all that were on their way are in doubt. */
static void die(void)
{
    for (int i = 0; i < 4; i++) crash(db, &flights[i]);
}

static void end_call(unsigned chat)
{
    struct flight *f = &flights[chat];
    int32_t id = 0;

    if (f->row == 0) return;
    unsigned fate = roll(20);
    if (fate < 2) {
        finish(db, f, GAP_POST_AGAIN, 0);
        return;
    }
    if (fate == 2) {
        finish(db, f, roll(2) == 0 ? GAP_POST_ROW_BAD : GAP_POST_CHAT_BAD, 0);
        return;
    }
    enum gap_post_end end = fate == 3 ? GAP_POST_UNKNOWN : serve(f, &id);
    if (fate >= 3 && fate <= 5) { /* the answer is lost, if there was one */
        finish(db, f, GAP_POST_UNKNOWN, 0);
    } else if (fate == 6) { /* it died before, or right in the middle of storing the answer */
        struct flight copy = *f;
        gap_buf_init(&copy.payload, gap_alloc_default());
        posts_undo = true;
        finish(db, f, end, id);
        posts_undo = false;
        *f = copy;
        die();
    } else {
        finish(db, f, end, id);
    }
}

static void some_time(void)
{
    posts_now += roll(3) == 0 ? POSTS_DEBOUNCE : 100000;
    posts_undo = roll(8) == 0;
    step(db);
    posts_undo = false;
}

static void act(void)
{
    switch (roll(8)) {
    case 0:
        change_post();
        break;
    case 1:
        some_time();
        break;
    case 2:
        if (roll(10) == 0) die();
        if (with_deletions && server.count > 0 && roll(4) == 0)
            server.messages[roll((unsigned)server.count)].deleted = true;
        break;
    case 3:
    case 4:
        begin_call(roll(4));
        break;
    default:
        end_call(roll(4));
        break;
    }
}

/* --- in the end ------------------------------------------------------------------------------- */

/* People see to what was parked or given up, and no call fails any more. */
static void calm_down(void)
{
    render_fails = false;
    die();
    tables_exec(db, "UPDATE gapless_outbox SET state = 1 WHERE state IN (6, 7)");
    settle(db);
}

static void check_posts(uint64_t seed)
{
    unsigned live = 0;

    for (int i = 0; i < POSTS; i++) {
        char key[8];
        char expected[POSTS_TEXT];
        struct seen s;
        key_of(i, key);
        if (!models[i].there) {
            ck_assert_int_eq(look(db, key, &s), GAP_E_NOT_FOUND);
            continue;
        }
        ck_assert_msg(look(db, key, &s) == 0 && s.in_step && s.row == 0,
                      "seed %" PRIu64 ": %s is not in step", seed, key);
        expect(i, false, expected);
        const struct message *m = message_of_post(db, key);
        ck_assert_msg(m != NULL && strcmp(m->text, expected) == 0,
                      "seed %" PRIu64 ": %s is\n  %s, not\n  %s", seed, key,
                      m == NULL ? "-" : m->text, expected);
        if (!m->deleted) live++;
    }
    for (size_t i = 0; i < server.count; i++)
        if (!server.messages[i].deleted) live--;
    ck_assert_msg(live == 0, "seed %" PRIu64 ": messages of no post are there", seed);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_dirty"), 0);
    ck_assert_int_eq(
        tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state NOT IN (5, 8)"), 0);
    ck_assert_int_eq(
        tables_number(db, "SELECT count(*) FROM gapless_outbox_post WHERE key IS NULL"), 0);
}

/* Asked for the same again: no call, no rendering that changes anything. */
static void check_quiet(uint64_t seed)
{
    uint32_t calls = server.sends + server.edits + server.same + server.deletions + server.doubles;

    for (int i = 0; i < POSTS; i++) {
        if (!models[i].there) continue;
        int r = put_post(i);
        ck_assert_msg(r == GAP_POST_UNCHANGED, "seed %" PRIu64 ": p%d: %d", seed, i, r);
    }
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_dirty"), 0);
    settle(db);
    ck_assert_uint_eq(calls, server.sends + server.edits + server.same + server.deletions +
                                 server.doubles);
}

static void run(uint64_t seed, bool deletions)
{
    posts_begin();
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    memset(models, 0, sizeof models);
    memset(older, 0, sizeof older);
    last_version = 0;
    in_play = 2 + (unsigned)(seed % (POSTS - 1));
    memset(flights, 0, sizeof flights);
    seed_state = seed * 0x9e3779b97f4a7c15U + 1;
    for (int i = 0; i < 8; i++) (void)roll(2);
    posts_render = render;
    render_fails = true;
    with_deletions = deletions;
    asked = 0;
    for (int i = 0; i < 300; i++) act();
    calm_down();
    /* A chain of more renderings than are followed is told; asking again goes on from there. */
    for (int i = 0; deletions && posts_told.overflow > 0 && i < POSTS; i++) {
        for (int k = 0; k < POSTS; k++)
            if (models[k].there) ck_assert_int_ge(put_post(k), 0);
        settle(db);
    }
    if (!deletions) ck_assert_uint_eq(posts_told.overflow, 0);
    check_posts(seed);
    check_quiet(seed);
    /* Each thing that is asked for, and each message, is news for the others at most once. */
    ck_assert_uint_le(server.edits + server.same, (asked + server.sends) * POSTS);
    if (getenv("GAP_POSTS_FIGURES") != NULL)
        printf("%" PRIu64 ": asked %u, sent %u, edited %u, same %u, doubles %u, deleted %u,"
               " rendered %u, overflow %u\n",
               seed, asked, server.sends, server.edits, server.same, server.doubles,
               server.deletions, posts_told.rendered, posts_told.overflow);
    tables_close(db);
    posts_end();
}

static int first_seed(void)
{
    const char *text = getenv("GAP_SEED");

    return text != NULL ? (int)strtol(text, NULL, 10) : 0;
}

START_TEST(every_message_is_what_was_last_asked_for)
{
    int seeds = gap_test_seeds(80);

    for (int i = 0; i < seeds; i++) run((uint64_t)(first_seed() + i), false);
}
END_TEST

START_TEST(every_message_is_so_though_people_delete_some)
{
    int seeds = gap_test_seeds(80);

    for (int i = 0; i < seeds; i++) run((uint64_t)(first_seed() + 100000 + i), true);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("posts_random");
    TCase *tc = tcase_create("random");

    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, every_message_is_what_was_last_asked_for);
    tcase_add_test(tc, every_message_is_so_though_people_delete_some);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(suite)
