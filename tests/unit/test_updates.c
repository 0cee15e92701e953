/* tests/unit/test_updates.c - the classes of updates against the schema, and the pass over Updates
 * objects: hand-built ones, cut ones, ones that break in the middle. */
#include "tests/check_main.h"

#include "base/packet.h"
#include "sequence/update.h"
#include "sequence/walk.h"
#include "tests/unit/tl_random.h"
#include "tests/unit/updates_build.h"

#include <time.h>

static const gap_bytes_t nothing = {NULL, 0};

/* ---- classes ----------------------------------------------------------------------------------
 */

/* Where the fields would mislead. */
struct exception {
    const char *name;
    gap_box_t box;
    const char *why;
};

static const struct exception exceptions[] = {
    {"updateChannelTooLong", GAP_BOX_NONE, "an order to fetch, no event of the channel's stream"},
    {"mtcute.dummyUpdate", GAP_BOX_NONE, "an invention of a client; no server sends it"},
};

/* What the fields say: qts wins (updateChannelParticipant has a channel_id and qts), then pts with
 * a channel, then pts alone. */
static gap_box_t box_by_fields(const gap_tl_info_t *info)
{
    if (field_named(info, "qts") != NULL) return GAP_BOX_QTS;
    if (field_named(info, "pts") == NULL) return GAP_BOX_NONE;
    if (field_named(info, "channel_id") != NULL) return GAP_BOX_CHANNEL;
    if (strstr(gap_tl_names + info->name, "ChannelMessage") != NULL) return GAP_BOX_CHANNEL;
    return GAP_BOX_COMMON;
}

START_TEST(test_every_update_is_classified_as_its_fields_say)
{
    uint32_t updates = 0;
    uint32_t boxes[4] = {0};

    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const gap_tl_info_t *info = &gap_tl_infos[i];
        const char *name = gap_tl_names + info->name;
        gap_box_t box = GAP_BOX_NONE;
        uint16_t flags = 0;
        bool is_update = !info->is_method && strcmp(gap_tl_type(info->id), "Update") == 0;
        ck_assert_msg(gap_update_known(info->id, &box, &flags) == is_update, "%s", name);
        if (!is_update) continue;
        gap_box_t expected = box_by_fields(info);
        for (size_t k = 0; k < GAP_ARRAY_LEN(exceptions); k++)
            if (strcmp(name, exceptions[k].name) == 0) expected = exceptions[k].box;
        ck_assert_msg(box == expected, "%s: %d, by its fields %d", name, box, expected);
        bool counted = field_named(info, "pts_count") != NULL;
        bool no_count = (flags & GAP_ITEM_NO_COUNT) != 0;
        if (box == GAP_BOX_COMMON || box == GAP_BOX_CHANNEL)
            ck_assert_msg(counted != no_count, "%s", name);
        updates++;
        boxes[box]++;
    }
    ck_assert_uint_eq(updates, 163);
    ck_assert_uint_eq(boxes[GAP_BOX_COMMON], 9);
    ck_assert_uint_eq(boxes[GAP_BOX_CHANNEL], 6);
    ck_assert_uint_eq(boxes[GAP_BOX_QTS], 16);
}
END_TEST

/* The documents name these; fields can't tell. */
START_TEST(test_special_updates)
{
    static const struct {
        uint32_t id;
        uint16_t flags;
        const char *why;
    } cases[] = {
        {GAP_TL_UPDATE_MESSAGE_ID, GAP_ITEM_EARLY, "names the message that follows"},
        {GAP_TL_UPDATE_STORY_ID, GAP_ITEM_EARLY, "the same for stories"},
        {GAP_TL_UPDATE_FOLDER_PEERS, GAP_ITEM_EARLY, "applied before messages"},
        {GAP_TL_UPDATE_ENCRYPTION, GAP_ITEM_EARLY, "opens the chat of a secret message"},
        {GAP_TL_UPDATE_USER_TYPING, GAP_ITEM_AT_ONCE | GAP_ITEM_TYPING, "worthless later"},
        {GAP_TL_UPDATE_ENCRYPTED_CHAT_TYPING, GAP_ITEM_AT_ONCE | GAP_ITEM_TYPING, "same"},
        {GAP_TL_UPDATE_LOGIN_TOKEN, GAP_ITEM_AT_ONCE, "before sign-in there is no seq"},
        {GAP_TL_UPDATE_DC_OPTIONS, GAP_ITEM_AT_ONCE, "same"},
        {GAP_TL_UPDATE_CONFIG, GAP_ITEM_AT_ONCE, "same"},
        {GAP_TL_UPDATE_LANG_PACK, GAP_ITEM_AT_ONCE, "same"},
        {GAP_TL_UPDATE_CHANNEL_TOO_LONG, GAP_ITEM_TOO_LONG, "order to fetch"},
        {GAP_TL_UPDATE_PTS_CHANGED, GAP_ITEM_PTS_CHANGED, "processed last"},
        {GAP_TL_UPDATE_CHANNEL, GAP_ITEM_REFETCH, "says only that it changed"},
        {GAP_TL_UPDATE_READ_CHANNEL_INBOX, GAP_ITEM_NO_COUNT, "pts without pts_count"},
        {GAP_TL_UPDATE_BOT_CALLBACK_QUERY, GAP_ITEM_QUERY, "can't be fetched again"},
        {GAP_TL_UPDATE_NOTIFY_SETTINGS, 0, "ordered by seq alone"},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_box_t box;
        uint16_t flags;
        ck_assert(gap_update_known(cases[i].id, &box, &flags));
        ck_assert_msg(flags == cases[i].flags, "%s: %x (%s)", gap_tl_name(cases[i].id), flags,
                      cases[i].why);
    }
}
END_TEST

static int64_t long_in(const void *value, const gap_tl_field_t *f)
{
    int64_t v;
    memcpy(&v, (const uint8_t *)value + f->offset, sizeof v);
    return v;
}

static int32_t int_in(const void *value, const gap_tl_field_t *f)
{
    int32_t v;
    memcpy(&v, (const uint8_t *)value + f->offset, sizeof v);
    return v;
}

/* What the pass finds must be what a full read finds. */
static void compare_with_read(const struct gap_item *item, const gap_tl_info_t *info)
{
    const char *name = gap_tl_names + info->name;
    _Alignas(16) uint8_t value[4096];
    const gap_tl_field_t *pts = field_named(info, item->box == GAP_BOX_QTS ? "qts" : "pts");
    const gap_tl_field_t *count = field_named(info, "pts_count");
    const gap_tl_field_t *channel = field_named(info, "channel_id");

    ck_assert_uint_le(info->size, sizeof value);
    ck_assert_int_eq(gap_tl_read(item->bytes, info->id, value, info->size), item->bytes.len);
    if (strcmp(name, "mtcute.dummyUpdate") == 0) return;
    if (pts != NULL && (pts->bit == GAP_TL_BIT_ALWAYS || int_in(value, pts) != 0)) {
        ck_assert_msg(item->pts == int_in(value, pts), "%s: pts", name);
    } else {
        ck_assert_msg(item->pts == -1, "%s: no pts", name);
    }
    if (item->box == GAP_BOX_QTS) {
        ck_assert_int_eq(item->pts_count, 1);
    } else {
        ck_assert_msg(item->pts_count == (count == NULL ? 0 : int_in(value, count)), "%s", name);
    }
    if (item->box == GAP_BOX_CHANNEL && channel != NULL)
        ck_assert_msg(item->channel_id == long_in(value, channel), "%s: channel", name);
}

START_TEST(test_random_updates_of_every_constructor)
{
    gap_buf_t b;
    gap_prng_t rng = {7};

    gap_buf_init(&b, gap_alloc_default());
    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const gap_tl_info_t *info = &gap_tl_infos[i];
        if (info->is_method || strcmp(gap_tl_type(info->id), "Update") != 0) continue;
        for (int round = 0; round < 24; round++) {
            struct gap_item item;
            gap_buf_clear(&b);
            random_object(&b, &rng, info->id);
            size_t len = gap_buf_view(&b).len;
            ck_assert_int_eq(gap_buf_append32(&b, 0xdeadbeefU), 0); /* what follows is not ours */
            int r = gap_item_read(gap_buf_view(&b), &item);
            /* A random peer need not be a channel, which a channel message must have. */
            bool channel_message = info->id == GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE ||
                                   info->id == GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE;
            if (channel_message && r == GAP_E_TL) continue;
            ck_assert_msg(r == 0, "%s: %s", gap_tl_name(info->id), gap_strerror(r));
            ck_assert_uint_eq(item.bytes.len, len);
            ck_assert_uint_eq(item.id, info->id);
            compare_with_read(&item, info);
        }
    }
    gap_buf_fini(&b);
}
END_TEST

/* ---- messages without their chat --------------------------------------------------------------
 */

START_TEST(test_channel_messages_and_their_channel)
{
    gap_peer_t channel = {1001, GAP_PEER_CHANNEL};
    gap_peer_t chat = {55, GAP_PEER_CHAT};
    gap_tl_peer_channel_t peer = {1001};
    gap_tl_message_empty_t empty = {.id = 9};
    gap_tl_message_empty_t placed = {GAP_TL_MESSAGE_EMPTY_F_PEER_ID, 9,
                                     GAP_TL_OF(GAP_TL_PEER_CHANNEL, &peer)};
    gap_tl_update_new_channel_message_t u = {GAP_TL_OF(GAP_TL_MESSAGE_EMPTY, &empty), 5, 1};
    struct gap_item item;

    gap_bytes_t bytes = build_new_message(channel, 7, 3, "hi", 12);
    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    ck_assert_int_eq(item.box, GAP_BOX_CHANNEL);
    ck_assert_int_eq(item.channel_id, 1001);
    ck_assert_int_eq(item.pts, 12);
    build_free(bytes);

    bytes = build(GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u));
    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    ck_assert_msg(item.box == GAP_BOX_NONE, "an empty message of no known channel has no box");
    ck_assert((item.flags & GAP_ITEM_EMPTY) != 0);
    build_free(bytes);

    u.message = GAP_TL_OF(GAP_TL_MESSAGE_EMPTY, &placed);
    bytes = build(GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u));
    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    ck_assert_int_eq(item.channel_id, 1001);
    ck_assert((item.flags & GAP_ITEM_EMPTY) != 0);
    build_free(bytes);

    gap_bytes_t message = build_message(chat, 7, 3, "hi");
    u.message = as_object(message);
    bytes = build(GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u));
    ck_assert_msg(gap_item_read(bytes, &item) == GAP_E_TL, "a channel message of a basic group");
    build_free(bytes);
    build_free(message);
}
END_TEST

/* ---- containers -------------------------------------------------------------------------------
 */

enum { PARTS = 12 };

static void make_parts(gap_bytes_t parts[PARTS])
{
    for (int32_t i = 0; i < PARTS; i++) {
        gap_peer_t chat = {100 + i, i % 2 == 0 ? GAP_PEER_CHANNEL : GAP_PEER_USER};
        parts[i] = build_new_message(chat, 7, i + 1, "text", 50 + i);
    }
}

static void free_parts(gap_bytes_t parts[PARTS])
{
    for (int i = 0; i < PARTS; i++) build_free(parts[i]);
}

static void check_items(struct gap_updates *u, const gap_bytes_t *parts, uint32_t count)
{
    struct gap_item item;

    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < count; i++) {
            ck_assert(gap_updates_next(u, &item));
            ck_assert(gap_bytes_equal(item.bytes, parts[i]));
            ck_assert_int_eq(item.pts, 50 + (int)i);
            ck_assert_int_eq(item.pts_count, 1);
            ck_assert_int_eq(item.box, i % 2 == 0 ? GAP_BOX_CHANNEL : GAP_BOX_COMMON);
            ck_assert_int_eq(item.channel_id, i % 2 == 0 ? 100 + (int)i : 0);
        }
        ck_assert(!gap_updates_next(u, &item));
        gap_updates_rewind(u);
    }
}

START_TEST(test_container_with_few_and_many_items)
{
    gap_bytes_t parts[PARTS];
    gap_bytes_t user = build_user(7, 70, 0, NULL);
    gap_bytes_t channel = build_channel(100, 1000, 0);

    make_parts(parts);
    for (uint32_t count = 0; count <= PARTS; count++) {
        struct gap_updates u;
        gap_bytes_t bytes = build_updates(parts, count, user, channel, 33);
        ck_assert_int_eq(gap_updates_open(bytes, &u), 0);
        ck_assert_int_eq(u.kind, GAP_UPDATES_SEQ);
        ck_assert_int_eq(u.error, 0);
        ck_assert_uint_eq(u.used, bytes.len);
        ck_assert_uint_eq(u.count, count);
        ck_assert_int_eq(u.seq, 33);
        ck_assert_int_eq(u.seq_start, 33);
        ck_assert_int_eq(u.date, 1700000999);
        ck_assert_uint_eq(u.users.count, 1);
        ck_assert_uint_eq(u.chats.count, 1);
        ck_assert(gap_bytes_equal(gap_bytes(u.users.data, u.users.len), user));
        ck_assert(gap_bytes_equal(gap_bytes(u.chats.data, u.chats.len), channel));
        check_items(&u, parts, count);
        build_free(bytes);
    }
    free_parts(parts);
    build_free(user);
    build_free(channel);
}
END_TEST

START_TEST(test_combined_container)
{
    gap_bytes_t part = build_new_message((gap_peer_t){5, GAP_PEER_USER}, 5, 1, "x", 2);
    gap_tl_object_t item = as_object(part);
    gap_tl_updates_combined_t c = {
        .updates = gap_tl_array(&item, 1),
        .users = gap_tl_array(NULL, 0),
        .chats = gap_tl_array(NULL, 0),
        .date = 4,
        .seq_start = 8,
        .seq = 11,
    };
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATES_COMBINED, &c));
    struct gap_updates u;

    ck_assert_int_eq(gap_updates_open(bytes, &u), 0);
    ck_assert_int_eq(u.date, 4);
    ck_assert_int_eq(u.seq_start, 8);
    ck_assert_int_eq(u.seq, 11);
    ck_assert_uint_eq(u.count, 1);
    build_free(bytes);
    build_free(part);
}
END_TEST

/* The size of everything up to the k-th item is where it stops being usable. */
START_TEST(test_cut_at_every_byte)
{
    gap_bytes_t parts[PARTS];
    gap_bytes_t user = build_user(7, 70, 0, NULL);

    make_parts(parts);
    gap_bytes_t bytes = build_updates(parts, PARTS, user, nothing, 33);
    size_t vector = 4 + 8; /* id of the container; id and count of the vector */
    for (size_t cut = 0; cut < bytes.len; cut++) {
        struct gap_updates u;
        /* A copy of exactly that length, so that a read behind the cut is seen. */
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, bytes.data, cut);
        copy = realloc(copy, cut == 0 ? 1 : cut);
        int r = gap_updates_open(gap_bytes(copy, cut), &u);
        uint32_t whole = 0;
        for (size_t at = vector; whole < PARTS && at + parts[whole].len <= cut; whole++)
            at += parts[whole].len;
        if (whole == 0 || cut < vector) {
            ck_assert_msg(r == GAP_E_TL, "cut at %zu: %d", cut, r);
        } else if (PARTS * 4 > cut - vector) { /* the count alone is more than there is */
            ck_assert_int_eq(r, GAP_E_TL);
        } else {
            ck_assert_msg(r == 0, "cut at %zu: %d", cut, r);
            ck_assert_int_eq(u.error, GAP_E_TL);
            ck_assert_uint_eq(u.count, whole);
            ck_assert_uint_eq(u.users.count, 0);
            ck_assert_int_eq(u.seq, 0);
            ck_assert_uint_eq(u.used, 0);
            check_items(&u, parts, whole);
        }
        free(copy);
    }
    build_free(bytes);
    build_free(user);
    free_parts(parts);
}
END_TEST

START_TEST(test_unknown_constructor_ends_what_can_be_used)
{
    gap_bytes_t parts[PARTS];

    make_parts(parts);
    for (uint32_t bad = 0; bad < PARTS; bad++) {
        struct gap_updates u;
        gap_bytes_t bytes = build_updates(parts, PARTS, nothing, nothing, 33);
        size_t at = 12;
        for (uint32_t i = 0; i < bad; i++) at += parts[i].len;
        uint8_t *copy = malloc(bytes.len);
        memcpy(copy, bytes.data, bytes.len);
        gap_store32(copy + at, 0x12345678);
        int r = gap_updates_open(gap_bytes(copy, bytes.len), &u);
        ck_assert_int_eq(r, bad == 0 ? GAP_E_TL_ID : 0);
        if (bad > 0) {
            ck_assert_int_eq(u.error, GAP_E_TL_ID);
            ck_assert_uint_eq(u.count, bad);
            check_items(&u, parts, bad);
        }
        free(copy);
        build_free(bytes);
    }
    free_parts(parts);
}
END_TEST

START_TEST(test_what_is_no_updates_object)
{
    static const struct {
        uint32_t words[4];
        size_t len;
        int result;
        const char *why;
    } cases[] = {
        {{0}, 0, GAP_E_TL, "nothing"},
        {{GAP_TL_UPDATES}, 3, GAP_E_TL, "half an id"},
        {{0x11111111}, 4, GAP_E_TL_ID, "an id of nothing"},
        {{GAP_TL_UPDATE_CONFIG}, 4, GAP_E_TL, "an Update, not Updates"},
        {{GAP_TL_UPDATES, GAP_TL_VECTOR, 0xffffffff, 0}, 16, GAP_E_TL, "a count beyond the bytes"},
        {{GAP_TL_UPDATES, 0, 0, 0}, 16, GAP_E_TL, "no vector"},
        {{GAP_TL_UPDATE_SHORT, GAP_TL_UPDATES_TOO_LONG, 0, 0}, 16, GAP_E_TL, "Updates inside"},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        struct gap_updates u;
        int r = gap_updates_open(gap_bytes(cases[i].words, cases[i].len), &u);
        ck_assert_msg(r == cases[i].result, "%s: %d", cases[i].why, r);
    }
}
END_TEST

START_TEST(test_too_long_and_short)
{
    uint32_t too_long = GAP_TL_UPDATES_TOO_LONG;
    gap_tl_update_config_t config = {0};
    gap_tl_update_short_t s = {GAP_TL_OF(GAP_TL_UPDATE_CONFIG, &config), 77};
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATE_SHORT, &s));
    struct gap_updates u;
    struct gap_item item;

    ck_assert_int_eq(gap_updates_open(gap_bytes(&too_long, 4), &u), 0);
    ck_assert_int_eq(u.kind, GAP_UPDATES_TOO_LONG);
    ck_assert(!gap_updates_next(&u, &item));

    ck_assert_int_eq(gap_updates_open(bytes, &u), 0);
    ck_assert_int_eq(u.kind, GAP_UPDATES_SHORT);
    ck_assert_int_eq(u.date, 77);
    ck_assert_int_eq(u.seq, 0);
    ck_assert(gap_updates_next(&u, &item));
    ck_assert_uint_eq(item.id, GAP_TL_UPDATE_CONFIG);
    ck_assert(!gap_updates_next(&u, &item));
    for (size_t cut = 0; cut < bytes.len; cut++)
        ck_assert_int_eq(gap_updates_open(gap_bytes(bytes.data, cut), &u), GAP_E_TL);
    build_free(bytes);
}
END_TEST

static bool same_vector(gap_tl_vector_t a, gap_tl_vector_t b)
{
    return a.data == b.data && a.len == b.len && a.count == b.count && a.items == NULL;
}

/* An object opened with the memory of the one before is like one opened without. */
START_TEST(test_users_and_chats_that_came_before)
{
    gap_bytes_t part = build_new_message((gap_peer_t){1001, GAP_PEER_CHANNEL}, 7, 3, "hi", 12);
    gap_bytes_t user = build_user(7, 70, 0, NULL);
    gap_bytes_t other = build_user(8, 70, 0, NULL);
    gap_bytes_t channel = build_channel(1001, 1000, 0);
    gap_bytes_t first = build_updates(&part, 1, user, channel, 0);
    gap_bytes_t second = build_updates(&part, 1, other, channel, 0);
    struct gap_updates_memo memo = {.len = 0};
    struct gap_updates u;
    struct gap_updates plain;

    for (int i = 0; i < 6; i++) {
        gap_bytes_t bytes = i < 3 ? first : second;
        for (size_t cut = 0; cut < bytes.len; cut++) {
            struct gap_updates_memo before = memo;
            int r = gap_updates_open_next(gap_bytes(bytes.data, cut), &memo, &u);
            ck_assert_int_eq(r, gap_updates_open(gap_bytes(bytes.data, cut), &plain));
            ck_assert(r < 0 || (u.error == plain.error && same_vector(u.users, plain.users)));
            ck_assert_msg(memcmp(&before, &memo, sizeof memo) == 0, "cut at %zu", cut);
        }
        ck_assert_int_eq(gap_updates_open_next(bytes, &memo, &u), 0);
        ck_assert_int_eq(gap_updates_open(bytes, &plain), 0);
        ck_assert_int_eq(u.same_peers, i % 3 > 0);
        ck_assert(same_vector(u.users, plain.users));
        ck_assert(same_vector(u.chats, plain.chats));
        ck_assert_uint_eq(u.used, bytes.len);
        ck_assert_int_eq(u.date, plain.date);
    }
    build_free(first);
    build_free(second);
    build_free(part);
    build_free(user);
    build_free(other);
    build_free(channel);
}
END_TEST

/* ---- speed ------------------------------------------------------------------------------------
 */

/* One message, one user, one channel: what an update usually comes with. Printed, not judged. */
START_TEST(test_speed_is_printed)
{
    gap_bytes_t part = build_new_message((gap_peer_t){1001, GAP_PEER_CHANNEL}, 7, 3,
                                         "a text of some length, as people write them", 12);
    gap_bytes_t user = build_user(7, 70, 0, NULL);
    gap_bytes_t channel = build_channel(1001, 1000, 0);
    gap_bytes_t bytes = build_updates(&part, 1, user, channel, 0);
    enum { ROUNDS = 200000 };
    struct timespec from;
    struct timespec to;
    int64_t sum = 0;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (int i = 0; i < ROUNDS; i++) {
        struct gap_updates u;
        struct gap_item item;
        if (gap_updates_open(bytes, &u) < 0) break;
        while (gap_updates_next(&u, &item)) sum += item.pts;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("open and next, one message, user and channel (%zu bytes): %.0f ns\n", bytes.len,
           ns / ROUNDS);
    ck_assert_int_eq(sum, (int64_t)12 * ROUNDS);
    build_free(bytes);
    build_free(part);
    build_free(user);
    build_free(channel);
}
END_TEST

static Suite *updates_suite(void)
{
    Suite *s = suite_create("updates");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_every_update_is_classified_as_its_fields_say);
    tcase_add_test(t, test_special_updates);
    tcase_add_test(t, test_random_updates_of_every_constructor);
    tcase_add_test(t, test_channel_messages_and_their_channel);
    tcase_add_test(t, test_container_with_few_and_many_items);
    tcase_add_test(t, test_combined_container);
    tcase_add_test(t, test_cut_at_every_byte);
    tcase_add_test(t, test_unknown_constructor_ends_what_can_be_used);
    tcase_add_test(t, test_what_is_no_updates_object);
    tcase_add_test(t, test_too_long_and_short);
    tcase_add_test(t, test_users_and_chats_that_came_before);
    tcase_add_test(t, test_speed_is_printed);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(updates_suite)
