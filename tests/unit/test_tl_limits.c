/* tests/unit/test_tl_limits.c - what reading and writing refuse: nesting, counts, wrong types and
 * lengths; and what they let pass although no writer of ours would produce it. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "tl/tl.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

static int ignore_text(void *data, const char *text, size_t len)
{
    (void)data;
    (void)text;
    (void)len;
    return 0;
}

/* Little-endian words, one after the other. */
#define WORDS(...) (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__})

static const struct {
    const char *why;
    const uint32_t *words;
    size_t len;
    int64_t expected; /* of gap_tl_skip */
} cases[] = {
    {"nothing", NULL, 0, GAP_E_TL},
    {"unknown id", WORDS(0x12345678), GAP_E_TL_ID},
    {"id 0", WORDS(0), GAP_E_TL_ID},
    {"id of empty slots", WORDS(1), GAP_E_TL_ID},
    {"a vector alone: its elements are unknown", WORDS(GAP_TL_VECTOR, 0), GAP_E_TL_ID},
    {"bytes behind are left alone", WORDS(GAP_TL_TEXT_EMPTY, 1, 2), 4},
    {"Bool is neither true nor false", WORDS(GAP_TL_JSON_BOOL, 1), GAP_E_TL},
    {"Bool in true's bare form", WORDS(GAP_TL_JSON_BOOL, 0x3fedd339), GAP_E_TL},
    {"object of another type", WORDS(GAP_TL_TEXT_BOLD, GAP_TL_JSON_NULL), GAP_E_TL},
    {"a method where an object belongs", WORDS(GAP_TL_TEXT_BOLD, GAP_TL_HELP_GET_CONFIG), GAP_E_TL},
    {"a type of the other schema", WORDS(GAP_TL_TEXT_BOLD, GAP_MT_NULL), GAP_E_TL},
    {"an unknown object", WORDS(GAP_TL_TEXT_BOLD, 0x12345678), GAP_E_TL_ID},
    {"vector of the right type", WORDS(GAP_TL_JSON_ARRAY, GAP_TL_VECTOR, 1, GAP_TL_JSON_NULL), 16},
    {"vector without its id", WORDS(GAP_TL_JSON_ARRAY, 1, GAP_TL_JSON_NULL), GAP_E_TL},
    {"one object more than there are bytes",
     WORDS(GAP_TL_JSON_ARRAY, GAP_TL_VECTOR, 2, GAP_TL_JSON_NULL), GAP_E_TL},
    {"four thousand million objects",
     WORDS(GAP_TL_JSON_ARRAY, GAP_TL_VECTOR, 0xffffffff, GAP_TL_JSON_NULL), GAP_E_TL},
    {"four thousand million ints", WORDS(GAP_TL_HELP_PEER_COLOR_SET, GAP_TL_VECTOR, 0xffffffff, 1),
     GAP_E_TL},
    {"a count whose product wraps round 32 bits",
     WORDS(GAP_TL_HELP_PEER_COLOR_SET, GAP_TL_VECTOR, 0x40000001, 1), GAP_E_TL},
    {"four thousand million strings",
     WORDS(GAP_TL_ACCOUNT_INVALIDATE_SIGN_IN_CODES, GAP_TL_VECTOR, 0xffffffff, 0), GAP_E_TL},
    {"four thousand million salts", WORDS(GAP_MT_FUTURE_SALTS, 0, 0, 0, 0xffffffff, 0), GAP_E_TL},
    {"four thousand million messages", WORDS(GAP_MT_MSG_CONTAINER, 0xffffffff, 0), GAP_E_TL},
    {"short string", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0x00006101), 8},
    {"padding that is not zero", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0xffff6101), 8},
    {"long form for a short length", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0x000001fe, 0x61), 12},
    {"long form for an empty string", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0x000000fe), 8},
    {"string head 255", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0x000001ff, 0x61), GAP_E_TL},
    {"string behind the end", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0x00006104), GAP_E_TL},
    {"longest string", WORDS(GAP_TL_ACCOUNT_EMAIL_VERIFIED, 0xfffffffe), GAP_E_TL},
    {"a flag nobody knows is passed over", WORDS(GAP_TL_CODE_SETTINGS, 0x80000000), 8},
    {"an empty message body", WORDS(GAP_MT_MSG_CONTAINER, 1, 0, 0, 0, 0, 0), GAP_E_TL},
    {"a message body of odd length", WORDS(GAP_MT_MSG_CONTAINER, 1, 0, 0, 0, 6, GAP_MT_NULL, 0),
     GAP_E_TL},
    {"a message body of negative length",
     WORDS(GAP_MT_MSG_CONTAINER, 1, 0, 0, 0, 0xfffffffc, GAP_MT_NULL, 0), GAP_E_TL},
    {"a message body longer than what is there",
     WORDS(GAP_MT_MSG_CONTAINER, 1, 0, 0, 0, 8, GAP_MT_NULL), GAP_E_TL},
    {"a message body that nobody knows", WORDS(GAP_MT_MSG_CONTAINER, 1, 0, 0, 0, 4, 0x12345678),
     28},
    {"an answer that nobody knows", WORDS(GAP_MT_RPC_RESULT, 0, 0, 0x12345678, 1, 2), 24},
    {"an answer that is missing", WORDS(GAP_MT_RPC_RESULT, 0, 0), GAP_E_TL},
    {"a query that nobody knows", WORDS(GAP_TL_INVOKE_WITH_LAYER, 144, 0x12345678, 1), 16},
};

START_TEST(test_skip)
{
    gap_bytes_t in = gap_bytes(cases[_i].words, cases[_i].len);
    int64_t r = gap_tl_skip(in);

    ck_assert_msg(r == cases[_i].expected, "%s: %d", cases[_i].why, (int)r);
    ck_assert_int_eq(gap_tl_print(in, ignore_text, NULL), r < 0 ? (int)r : 0);
    if (r < 4) return;
    static uint8_t level[8192] __attribute__((aligned(16)));
    uint32_t id = cases[_i].words[0];
    ck_assert_int_eq(gap_tl_read(in, id, level, gap_tl_infos[gap_tl_find(id)].size), r);
}
END_TEST

/* `depth` objects, the last one textEmpty. */
static size_t nest(uint8_t *out, uint32_t depth)
{
    for (uint32_t i = 0; i + 1 < depth; i++) gap_store32(out + (size_t)i * 4, GAP_TL_TEXT_BOLD);
    gap_store32(out + (size_t)(depth - 1) * 4, GAP_TL_TEXT_EMPTY);
    return (size_t)depth * 4;
}

START_TEST(test_depth_of_objects)
{
    static uint8_t bytes[1 << 20];
    gap_tl_text_bold_t back;

    size_t len = nest(bytes, GAP_TL_DEPTH_MAX);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, len)), (int64_t)len);
    ck_assert_int_eq(gap_tl_print(gap_bytes(bytes, len), ignore_text, NULL), 0);
    len = nest(bytes, GAP_TL_DEPTH_MAX + 1);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, len)), GAP_E_LIMIT);
    ck_assert_int_eq(gap_tl_read(gap_bytes(bytes, len), GAP_TL_TEXT_BOLD, &back, sizeof back),
                     GAP_E_LIMIT);
    ck_assert_int_eq(gap_tl_print(gap_bytes(bytes, len), ignore_text, NULL), GAP_E_LIMIT);
    len = nest(bytes, sizeof bytes / 4);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, len)), GAP_E_LIMIT);
}
END_TEST

/* jsonArray in jsonArray: an object and a vector a level. */
static size_t nest_vectors(uint8_t *out, uint32_t pairs)
{
    size_t at = 0;

    for (uint32_t i = 0; i < pairs; i++, at += 12) {
        gap_store32(out + at, GAP_TL_JSON_ARRAY);
        gap_store32(out + at + 4, GAP_TL_VECTOR);
        gap_store32(out + at + 8, i + 1 < pairs ? 1 : 0);
    }
    return at;
}

START_TEST(test_depth_of_vectors)
{
    static uint8_t bytes[12 * 100000];
    size_t len = nest_vectors(bytes, GAP_TL_DEPTH_MAX / 2);

    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, len)), (int64_t)len);
    len = nest_vectors(bytes, GAP_TL_DEPTH_MAX / 2 + 1);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, len)), GAP_E_LIMIT);
    len = nest_vectors(bytes, 100000);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, len)), GAP_E_LIMIT);
}
END_TEST

/* A query inside wrappers that each take the rest: the printer follows them only so far. */
START_TEST(test_depth_of_rests)
{
    static uint8_t bytes[4 * 100000];

    for (size_t i = 0; i < sizeof bytes; i += 4)
        gap_store32(bytes + i, GAP_TL_INVOKE_WITHOUT_UPDATES);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(bytes, sizeof bytes)), (int64_t)sizeof bytes);
    ck_assert_int_eq(gap_tl_print(gap_bytes(bytes, sizeof bytes), ignore_text, NULL), 0);
}
END_TEST

START_TEST(test_read_arguments)
{
    gap_tl_text_bold_t out;
    uint32_t words[] = {GAP_TL_TEXT_EMPTY};
    gap_bytes_t in = gap_bytes(words, sizeof words);

    ck_assert_int_eq(gap_tl_read(in, GAP_TL_TEXT_BOLD, &out, sizeof out), GAP_E_TL);
    ck_assert_int_eq(gap_tl_read(in, GAP_TL_TEXT_EMPTY, &out, sizeof out), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_tl_read(in, 0x12345678, &out, sizeof out), GAP_E_ARGUMENT);
}
END_TEST

START_TEST(test_write_refuses)
{
    uint8_t out[64];
    gap_tl_text_bold_t bold = {.text = {NULL, 0, NULL, 0}};
    gap_tl_object_t object = GAP_TL_OF(GAP_TL_TEXT_BOLD, &bold);

    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_ARGUMENT); /* absent */
    bold.text = GAP_TL_OF(GAP_TL_JSON_NULL, NULL);
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_ARGUMENT); /* wrong type */
    bold.text = GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, NULL);
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_ARGUMENT); /* a method */
    bold.text = GAP_TL_OF(0x12345678, out);
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_TL_ID);
    bold.text = GAP_TL_OF(GAP_TL_TEXT_BOLD, NULL);
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_ARGUMENT); /* no struct */
    bold.text = GAP_TL_OF(GAP_TL_TEXT_EMPTY, NULL);
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), 8);
    ck_assert_int_eq(gap_tl_write(object, out, 7), GAP_E_LIMIT);
    ck_assert_int_eq(gap_tl_write(object, NULL, 0), GAP_E_ARGUMENT);
    bold.text = object; /* in itself: without end */
    ck_assert_int_eq(gap_tl_size(object), GAP_E_LIMIT);
    gap_tl_account_email_verified_t email = {.email = gap_bytes(out, 1U << 24)};
    ck_assert_int_eq(gap_tl_size(GAP_TL_OF(GAP_TL_ACCOUNT_EMAIL_VERIFIED, &email)), GAP_E_LIMIT);
    email.email.len = (1U << 24) - 1;
    ck_assert_int_eq(gap_tl_size(GAP_TL_OF(GAP_TL_ACCOUNT_EMAIL_VERIFIED, &email)),
                     4 + 4 + (1 << 24));
}
END_TEST

/* Serialised parts of another layer are copied; those of a known wrong type are not. */
START_TEST(test_write_raw)
{
    static const uint8_t foreign[] = {0x78, 0x56, 0x34, 0x12, 9, 9, 9, 9};
    gap_tl_text_bold_t bold = {.text = {foreign, sizeof foreign, NULL, 0}};
    gap_tl_object_t object = GAP_TL_OF(GAP_TL_TEXT_BOLD, &bold);
    uint8_t out[64];
    uint32_t null[] = {GAP_TL_JSON_NULL};

    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), 12);
    ck_assert_mem_eq(out + 4, foreign, sizeof foreign);
    bold.text.len = 6;
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_ARGUMENT);
    bold.text.data = (const uint8_t *)null;
    bold.text.len = 4;
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), GAP_E_ARGUMENT);
}
END_TEST

START_TEST(test_result_vector)
{
    static const uint32_t ints[] = {GAP_TL_VECTOR, 2, 7, 8};
    static const uint32_t users[] = {GAP_TL_VECTOR, 1, GAP_TL_USER_EMPTY, 5, 0};
    gap_tl_vector_t vector;
    gap_tl_object_t user;
    int32_t value = 0;

    ck_assert_int_eq(
        gap_tl_read_result(gap_bytes(ints, sizeof ints), GAP_TL_CONTACTS_GET_CONTACT_IDS, &vector),
        0);
    gap_tl_iter_t it = gap_tl_iter(vector);
    ck_assert_int_eq(gap_tl_next_int(&it, &value), 1);
    ck_assert_int_eq(value, 7);
    ck_assert_int_eq(gap_tl_next_int(&it, &value), 1);
    ck_assert_int_eq(gap_tl_next_int(&it, &value), 0);
    ck_assert_int_eq(
        gap_tl_read_result(gap_bytes(users, sizeof users), GAP_TL_USERS_GET_USERS, &vector), 0);
    it = gap_tl_iter(vector);
    ck_assert_int_eq(gap_tl_next(&it, &user), 1);
    ck_assert_uint_eq(user.id, GAP_TL_USER_EMPTY);
    ck_assert_uint_eq(user.len, 12);
    ck_assert_int_eq(gap_tl_next(&it, &user), 0);
    ck_assert_int_eq(
        gap_tl_read_result(gap_bytes(ints, sizeof ints), GAP_TL_USERS_GET_USERS, &vector),
        GAP_E_TL_ID);
    ck_assert_int_eq(
        gap_tl_read_result(gap_bytes(ints, sizeof ints), GAP_TL_HELP_GET_CONFIG, &vector),
        GAP_E_ARGUMENT);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(gap_tl_name(GAP_TL_MESSAGES_SEND_MESSAGE), "messages.sendMessage");
    ck_assert_str_eq(gap_tl_type(GAP_TL_MESSAGES_SEND_MESSAGE), "Updates");
    ck_assert_str_eq(gap_tl_type(GAP_TL_USERS_GET_USERS), "Vector<User>");
    ck_assert_str_eq(gap_tl_name(GAP_TL_VECTOR), "vector");
    ck_assert_str_eq(gap_tl_name(GAP_MT_MESSAGE), "message");
    ck_assert_str_eq(gap_tl_type(GAP_MT_BOOL_TRUE), "Bool");
    ck_assert(gap_tl_is_method(GAP_TL_MESSAGES_SEND_MESSAGE));
    ck_assert(!gap_tl_is_method(GAP_TL_MESSAGE));
    ck_assert(!gap_tl_is_method(0));
    ck_assert_ptr_null(gap_tl_name(0));
    ck_assert_ptr_null(gap_tl_type(0));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("tl_limits");
    TCase *t = tcase_create("limits");

    tcase_add_loop_test(t, test_skip, 0, (int)GAP_ARRAY_LEN(cases));
    tcase_add_test(t, test_depth_of_objects);
    tcase_add_test(t, test_depth_of_vectors);
    tcase_add_test(t, test_depth_of_rests);
    tcase_add_test(t, test_read_arguments);
    tcase_add_test(t, test_write_refuses);
    tcase_add_test(t, test_write_raw);
    tcase_add_test(t, test_result_vector);
    tcase_add_test(t, test_names);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
