/* tests/unit/test_tl_random.c - random objects of every combinator of both schemas: written, sized,
 * skipped, read back level by level, printed, cut at every byte, and damaged.
 *
 * With `--dump SEED` it prints one line "HEX JSON" for each combinator instead, which
 * tests/unit/tl_reference.py compares with a reader of its own. */
#include "tests/check_main.h"

#include "tests/tl_random.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#include <inttypes.h>

#define BYTES_MAX    (1U << 20)
#define API_COUNT    2418U
#define SEEDS        4
#define CUT_EACH_MAX 400 /* bytes of an object that is cut at every place */

static uint8_t written[BYTES_MAX], again[BYTES_MAX];
static uint8_t level[GAP_TL_DEPTH_MAX][8192] __attribute__((aligned(16)));

static void compare_struct(const gap_tl_info_t *info, const void *got, const void *want, int depth);

static void compare_object(const gap_tl_object_t *got, const gap_tl_object_t *want, int depth)
{
    if (want->data != NULL) {
        ck_assert_uint_eq(got->len, want->len);
        ck_assert_mem_eq(got->data, want->data, want->len);
        return;
    }
    const gap_tl_info_t *info = &gap_tl_infos[gap_tl_find(want->id)];
    ck_assert_uint_eq(got->id, want->id);
    ck_assert_uint_le(info->size, sizeof level[0]);
    ck_assert_int_eq(gap_tl_read(gap_tl_bytes(*got), want->id, level[depth], info->size),
                     (int64_t)got->len);
    if (info->count > 0) compare_struct(info, level[depth], want->value, depth);
}

static void compare_bytes(const gap_bytes_t *got, const gap_bytes_t *want)
{
    ck_assert_uint_eq(got->len, want->len);
    ck_assert(gap_bytes_equal(*got, *want));
}

static void compare_element(const gap_tl_field_t *field, gap_tl_iter_t *it, const void *items,
                            uint32_t i, int depth)
{
    gap_tl_object_t object;
    gap_bytes_t bytes;
    int64_t number = 0;

    switch (field->elem) {
    case GAP_TL_K_OBJECT:
        ck_assert_int_eq(gap_tl_next(it, &object), 1);
        compare_object(&object, (const gap_tl_object_t *)items + i, depth + 1);
        break;
    case GAP_TL_K_BARE: {
        const gap_tl_info_t *info = &gap_tl_infos[field->target];
        ck_assert_int_eq(gap_tl_next_bare(it, info->id, level[depth + 1], info->size), 1);
        compare_struct(info, level[depth + 1], (const char *)items + i * (size_t)info->size,
                       depth + 1);
        break;
    }
    case GAP_TL_K_INT:
        ck_assert_int_eq(gap_tl_next_int(it, (int32_t *)&number), 1);
        ck_assert_mem_eq(&number, (const char *)items + i * 4U, 4);
        break;
    case GAP_TL_K_LONG:
        ck_assert_int_eq(gap_tl_next_long(it, &number), 1);
        ck_assert_mem_eq(&number, (const char *)items + i * 8U, 8);
        break;
    default:
        ck_assert_int_eq(gap_tl_next_bytes(it, &bytes), 1);
        compare_bytes(&bytes, (const gap_bytes_t *)items + i);
    }
}

static void compare_vector(const gap_tl_field_t *field, const gap_tl_vector_t *got,
                           const gap_tl_vector_t *want, int depth)
{
    gap_tl_iter_t it = gap_tl_iter(*got);

    ck_assert_uint_eq(got->count, want->count);
    for (uint32_t i = 0; i < want->count; i++) compare_element(field, &it, want->items, i, depth);
    ck_assert_uint_eq(it.at, got->len);
}

static void compare_struct(const gap_tl_info_t *info, const void *got, const void *want, int depth)
{
    /* The struct is copied: reading what is nested uses the levels below. */
    uint64_t flags = 1ULL << GAP_TL_BIT_ALWAYS;

    for (uint32_t i = 0; i < info->count; i++) {
        const gap_tl_field_t *field = &gap_tl_fields[info->first + i];
        const void *a = (const char *)got + field->offset, *b = (const char *)want + field->offset;
        static const gap_tl_object_t absent;
        if (field->kind == GAP_TL_K_TRUE) continue;
        if (((flags >> field->bit) & 1) == 0) {
            size_t size = gap_tl_fixed_size(field->kind, 0);
            if (field->kind == GAP_TL_K_BOOL) size = sizeof(bool);
            ck_assert_mem_eq(a, &absent, size > 0 ? size : sizeof(gap_bytes_t));
            continue;
        }
        switch (field->kind) {
        case GAP_TL_K_OBJECT:
        case GAP_TL_K_REST:
        case GAP_TL_K_SIZED:
            compare_object(a, b, depth + 1);
            break;
        case GAP_TL_K_VECTOR:
            compare_vector(field, a, b, depth);
            break;
        case GAP_TL_K_STRING:
        case GAP_TL_K_BYTES:
            compare_bytes(a, b);
            break;
        case GAP_TL_K_BOOL:
            ck_assert_int_eq(*(const bool *)a, *(const bool *)b);
            break;
        case GAP_TL_K_BYTE_COUNT: /* computed by the writer */
            break;
        default:
            ck_assert_mem_eq(a, b, gap_tl_fixed_size(field->kind, 0));
            if (field->kind == GAP_TL_K_FLAGS)
                flags |= (uint64_t)gap_load32(a) << (32 * field->target);
        }
    }
}

static int count_text(void *data, const char *text, size_t len)
{
    (void)text;
    *(size_t *)data += len;
    return 0;
}

static bool takes_rest(uint32_t index)
{
    const gap_tl_info_t *info = &gap_tl_infos[index];

    return info->count > 0 && gap_tl_fields[info->first + info->count - 1U].kind == GAP_TL_K_REST;
}

/* Cut into a block of its own, so that a sanitizer sees every read behind it. */
static void check_cut(uint32_t index, size_t cut)
{
    const gap_tl_info_t *info = &gap_tl_infos[index];
    uint8_t *copy = malloc(cut + 1);
    size_t printed = 0;

    if (copy == NULL) ck_abort_msg("out of memory");
    memcpy(copy + 1, written, cut);
    gap_bytes_t in = gap_bytes(copy + 1, cut);
    int64_t skipped = gap_tl_skip(in);
    int64_t read = gap_tl_read(in, info->id, level[0], info->size);
    int result = gap_tl_print(in, count_text, &printed);
    bool good = takes_rest(index) || (skipped == GAP_E_TL && read == GAP_E_TL);
    good = good && result == (skipped < 0 ? (int)skipped : 0);
    /* not ck_assert: a million of these, and each of those costs a system call */
    if (!good) ck_abort_msg("%s cut at %zu", gap_tl_name(info->id), cut);
    free(copy);
}

static void check_round_trip(tl_random_t *r, uint32_t index)
{
    const gap_tl_info_t *info = &gap_tl_infos[index];
    gap_tl_object_t object = tl_random_object(r, index), back;
    int64_t len = gap_tl_write(object, written, sizeof written);
    size_t printed = 0;

    ck_assert_msg(len >= 4, "%s: %d", gap_tl_name(info->id), (int)len);
    gap_bytes_t in = gap_bytes(written, (size_t)len);
    ck_assert_int_eq(gap_tl_size(object), len);
    ck_assert_int_eq(gap_tl_write(object, again, (size_t)len - 1), GAP_E_LIMIT);
    ck_assert_msg(gap_tl_skip(in) == len, "%s: skip says %d, not %d", gap_tl_name(info->id),
                  (int)gap_tl_skip(in), (int)len);
    ck_assert_int_eq(gap_tl_object(in, &back), 0);
    ck_assert_uint_eq(back.len, (size_t)len);
    compare_object(&back, &object, 0);

    /* what was read is written again: the views are copied */
    ck_assert_int_eq(gap_tl_read(in, info->id, level[0], info->size), len);
    ck_assert_int_eq(gap_tl_write(gap_tl_of(info->id, level[0]), again, sizeof again), len);
    ck_assert_mem_eq(written, again, (size_t)len);
    ck_assert_int_eq(gap_tl_equal(in, gap_bytes(again, (size_t)len)), 1);
    ck_assert_int_eq(gap_tl_print(in, count_text, &printed), 0);
    ck_assert_uint_gt(printed, strlen(gap_tl_name(info->id)));
    if (len <= CUT_EACH_MAX)
        for (size_t cut = 0; cut < (size_t)len; cut++) check_cut(index, cut);
    else
        check_cut(index, (size_t)gap_prng_below(&r->prng, (uint64_t)len));
}

START_TEST(test_all_combinators)
{
    tl_random_t r;

    ck_assert_uint_gt(gap_tl_info_count, API_COUNT);
    tl_random_init(&r, (uint64_t)_i);
    for (uint32_t i = 0; i < gap_tl_info_count; i++) check_round_trip(&r, i);
    tl_random_fini(&r);
}
END_TEST

/* Whatever the damage: no crash, and skip, print and read agree on what is well formed. */
START_TEST(test_damage)
{
    tl_random_t r;

    tl_random_init(&r, 1000 + (uint64_t)_i);
    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const gap_tl_info_t *info = &gap_tl_infos[i];
        int64_t len = gap_tl_write(tl_random_object(&r, i), written, sizeof written);
        ck_assert_int_ge(len, 4);
        for (int n = 0; n < 8; n++) {
            size_t at = (size_t)gap_prng_below(&r.prng, (uint64_t)len), printed = 0;
            uint8_t old = written[at];
            written[at] = (uint8_t)gap_prng_next(&r.prng);
            gap_bytes_t in = gap_bytes(written, (size_t)len);
            int64_t skipped = gap_tl_skip(in);
            ck_assert_int_eq(gap_tl_print(in, count_text, &printed),
                             skipped < 0 ? (int)skipped : 0);
            if (gap_load32(written) == info->id)
                ck_assert_int_eq(gap_tl_read(in, info->id, level[0], info->size), skipped);
            written[at] = old;
        }
    }
    tl_random_fini(&r);
}
END_TEST

static int put_text(void *data, const char *text, size_t len)
{
    return fwrite(text, 1, len, data) == len ? 0 : GAP_E_LIMIT;
}

static int dump(uint64_t seed)
{
    tl_random_t r;
    int result = 0;

    tl_random_init(&r, seed);
    for (uint32_t i = 0; i < gap_tl_info_count && result == 0; i++) {
        int64_t len = gap_tl_write(tl_random_object(&r, i), written, sizeof written);
        if (len < 0) return 1;
        for (int64_t k = 0; k < len; k++) printf("%02x", written[k]);
        putchar(' ');
        result = gap_tl_print(gap_bytes(written, (size_t)len), put_text, stdout);
        putchar('\n');
    }
    tl_random_fini(&r);
    return result == 0 ? 0 : 1;
}

static Suite *make_suite(void)
{
    Suite *s = suite_create("tl_random");
    TCase *t = tcase_create("random");

    const char *scale = getenv("GAP_SEED_SCALE"); /* below 1 in builds that are slow */
    int seeds = scale != NULL && strtod(scale, NULL) < 1 ? 1 : SEEDS;

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_all_combinators, 0, seeds);
    tcase_add_loop_test(t, test_damage, 0, seeds);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--dump") == 0) return dump(strtoull(argv[2], NULL, 10));
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
