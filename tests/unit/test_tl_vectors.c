/* tests/unit/test_tl_vectors.c - published serialisations, read, printed and written again. */
#include "tests/check_main.h"
#include "tests/unit/vectors_tl.h"

#include "base/bytes.h"
#include "tl/tl.h"

#include <gapless/tl_mt.h>

#include <openssl/sha.h>

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return len;
}

START_TEST(test_strings)
{
    static uint8_t content[65536], whole[65540 + 4];
    uint8_t head[4], wanted[SHA256_DIGEST_LENGTH], sum[SHA256_DIGEST_LENGTH];
    size_t len = string_vectors[_i].len;
    gap_mt_gzip_packed_t object = {.packed_data = gap_bytes(content, len)}, back;

    for (size_t i = 0; i < len; i++) content[i] = (uint8_t)i;
    int64_t size = gap_tl_write(gap_tl_of(GAP_MT_GZIP_PACKED, &object), whole, sizeof whole);
    ck_assert_int_eq(size, (int64_t)string_vectors[_i].whole + 4);
    ck_assert_mem_eq(whole + 4, head, from_hex(string_vectors[_i].head, head));
    from_hex(string_vectors[_i].sha256, wanted);
    SHA256(whole + 4, (size_t)size - 4, sum);
    ck_assert_mem_eq(sum, wanted, sizeof sum);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(whole, (size_t)size)), size);
    ck_assert_int_eq(
        gap_tl_read(gap_bytes(whole, (size_t)size), GAP_MT_GZIP_PACKED, &back, sizeof back), size);
    ck_assert_uint_eq(back.packed_data.len, len);
    ck_assert_mem_eq(back.packed_data.data, content, len);
}
END_TEST

START_TEST(test_service_ids)
{
    ck_assert_str_eq(gap_tl_name(service_ids[_i].id), service_ids[_i].name);
}
END_TEST

struct text {
    char data[1024];
    size_t len;
};

static int collect(void *data, const char *piece, size_t len)
{
    struct text *t = data;

    ck_assert_uint_lt(t->len + len, sizeof t->data);
    memcpy(t->data + t->len, piece, len);
    t->len += len;
    return 0;
}

START_TEST(test_objects)
{
    static uint8_t level[8192] __attribute__((aligned(16)));
    uint8_t bytes[256], again[256];
    struct text text = {.len = 0};
    size_t len = from_hex(object_vectors[_i].prefix, bytes);

    len += from_hex(object_vectors[_i].hex, bytes + len);
    gap_bytes_t in = gap_bytes(bytes, len);
    if (object_vectors[_i].json == NULL) {
        ck_assert_int_eq(gap_tl_skip(in), GAP_E_TL_ID);
        ck_assert_int_eq(gap_tl_print(in, collect, &text), GAP_E_TL_ID);
        return;
    }
    ck_assert_msg(gap_tl_skip(in) == (int64_t)len, "%s", object_vectors[_i].why);
    ck_assert_int_eq(gap_tl_print(in, collect, &text), 0);
    text.data[text.len] = 0;
    ck_assert_str_eq(text.data, object_vectors[_i].json);

    uint32_t id = gap_load32(bytes);
    size_t size = gap_tl_infos[gap_tl_find(id)].size;
    ck_assert_int_eq(gap_tl_read(in, id, level, size), (int64_t)len);
    ck_assert_int_eq(gap_tl_write(gap_tl_of(id, level), again, sizeof again), (int64_t)len);
    ck_assert_mem_eq(again, bytes, len);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("tl_vectors");
    TCase *t = tcase_create("vectors");

    tcase_add_loop_test(t, test_strings, 0, (int)GAP_ARRAY_LEN(string_vectors));
    tcase_add_loop_test(t, test_service_ids, 0, (int)GAP_ARRAY_LEN(service_ids));
    tcase_add_loop_test(t, test_objects, 0, (int)GAP_ARRAY_LEN(object_vectors));
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
