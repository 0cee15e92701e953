/* tests/unit/test_tl_speed.c - prints what passing, reading and walking over an Updates object with
 * one message, one user and one channel costs. Only the results are checked: a machine that is busy
 * with something else is not a failure. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "tl/cursor.h"

#include <gapless/tl_api.h>

#include <time.h>

#define ROUNDS  40000
#define REPEATS 5 /* the best of these counts */

static uint8_t bytes[1024];
static gap_bytes_t updates, message;

static void make(void)
{
    gap_tl_peer_user_t from = {.user_id = 77};
    gap_tl_peer_channel_t peer = {.channel_id = 88};
    gap_tl_message_t text = {.flags = GAP_TL_MESSAGE_F_FROM_ID,
                             .id = 5,
                             .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &from),
                             .peer_id = GAP_TL_OF(GAP_TL_PEER_CHANNEL, &peer),
                             .date = 1700000000,
                             .message = gap_str("hello, this is message 12345")};
    gap_tl_update_new_channel_message_t update = {
        .message = GAP_TL_OF(GAP_TL_MESSAGE, &text), .pts = 100, .pts_count = 1};
    gap_tl_user_t user = {.flags = GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_FIRST_NAME |
                                   GAP_TL_USER_F_USERNAME,
                          .id = 77,
                          .access_hash = 1,
                          .first_name = gap_str("Somebody"),
                          .username = gap_str("some_body")};
    gap_tl_channel_t channel = {.flags = GAP_TL_CHANNEL_F_ACCESS_HASH,
                                .id = 88,
                                .access_hash = 3,
                                .title = gap_str("The channel"),
                                .photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, NULL)};
    gap_tl_object_t one_update = GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &update);
    gap_tl_object_t one_user = GAP_TL_OF(GAP_TL_USER, &user);
    gap_tl_object_t one_chat = GAP_TL_OF(GAP_TL_CHANNEL, &channel);
    gap_tl_updates_t all = {.updates = gap_tl_array(&one_update, 1),
                            .users = gap_tl_array(&one_user, 1),
                            .chats = gap_tl_array(&one_chat, 1)};
    int64_t len = gap_tl_write(GAP_TL_OF(GAP_TL_UPDATES, &all), bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    updates = gap_bytes(bytes, (size_t)len);
    message = gap_bytes(bytes + 16, (size_t)len - 16);
}

static int64_t skip_updates(void)
{
    return gap_tl_skip(updates);
}

static int64_t read_updates(void)
{
    gap_tl_updates_t out;

    return gap_tl_read(updates, GAP_TL_UPDATES, &out, sizeof out);
}

static int64_t read_message(void)
{
    gap_tl_message_t out;

    return gap_tl_read(message, GAP_TL_MESSAGE, &out, sizeof out);
}

/* Down to pts and pts_count of every update, and to the end. */
static int64_t walk_updates(void)
{
    gap_tl_cursor_t c, update;
    uint32_t count = 0;
    int32_t pts = 0;

    int r = gap_tl_cursor_open(&c, updates);
    if (r == 0) r = gap_tl_cursor_to(&c, 0);
    if (r == 1) r = gap_tl_cursor_vector(&c, &count);
    for (; r == 0 && count > 0; count--) {
        r = gap_tl_cursor_enter(&c, &update);
        if (r == 0) r = gap_tl_cursor_to(&update, 1);
        if (r == 1) r = gap_tl_cursor_int(&update, &pts);
        if (r == 0) r = gap_tl_cursor_leave(&c, &update, NULL);
    }
    if (r == 0) r = gap_tl_cursor_finish(&c);
    return r == 0 && pts == 100 ? c.at - updates.data : -1;
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const struct {
    const char *name;
    int64_t (*call)(void);
} cases[] = {
    {"skip Updates", skip_updates},
    {"read Updates", read_updates},
    {"walk Updates", walk_updates},
    {"read message", read_message},
};

START_TEST(test_speed)
{
    double best = 1e18;
    int64_t sum = 0;

    make();
    int64_t one = cases[_i].call();
    ck_assert_int_gt(one, 0);
    for (int k = 0; k < REPEATS; k++) {
        double start = now_ns();
        for (int i = 0; i < ROUNDS; i++) sum += cases[_i].call();
        double each = (now_ns() - start) / ROUNDS;
        if (each < best) best = each;
    }
    ck_assert_int_eq(sum, one * ROUNDS * REPEATS);
    printf("%s: %.0f ns for %d bytes\n", cases[_i].name, best, (int)one);
    fflush(stdout);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("tl_speed");
    TCase *t = tcase_create("speed");

    tcase_add_loop_test(t, test_speed, 0, (int)GAP_ARRAY_LEN(cases));
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
