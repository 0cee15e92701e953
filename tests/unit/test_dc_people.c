/* tests/unit/test_dc_people.c - the records of persons: phones, limits, and memory or randomness
 * that runs out. */
#include "base/bytes.h"
#include "base/prng.h"
#include "dc/people.h"
#include "tests/check_main.h"

#include <gapless/tl.h>

static gap_dc_people_t people;
static gap_prng_t prng;
static long random_left; /* fillings until the source fails; -1: never */

static int fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    if (random_left == 0) return GAP_E_STATE;
    if (random_left > 0) random_left--;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(&prng);
    return 0;
}

static const gap_random_t source = {fill, NULL};

static void setup(void)
{
    prng.state = 11;
    random_left = -1;
    gap_dc_people_init(&people, gap_alloc_default(), &source);
    ck_assert_int_eq(gap_dc_people_open(&people, NULL), 0);
}

static void teardown(void)
{
    gap_dc_people_fini(&people);
    gap_dc_people_fini(&people);
}

static gap_dc_person_t *person(const char *phone)
{
    gap_dc_person_t *p = NULL;

    ck_assert_int_eq(gap_dc_person_get(&people, phone, &p), 0);
    return p;
}

START_TEST(test_one_phone_is_one_person)
{
    gap_dc_person_t *p = person("9996621234");
    gap_dc_person_t *same = NULL;

    ck_assert_ptr_eq(person("9996621234"), p);
    ck_assert_ptr_ne(person("9996631234"), p);
    ck_assert_int_eq(p->id, gap_dc_phone_user("9996621234"));
    ck_assert_ptr_eq(gap_dc_person_find(&people, p->id), p);
    ck_assert_ptr_null(gap_dc_person_find(&people, p->id + 1));
    ck_assert_ptr_null(gap_dc_person_find(&people, 0));
    ck_assert_int_eq(gap_dc_person_by_id(&people, p->id, &same), 0);
    ck_assert_ptr_eq(same, p);
    ck_assert_int_eq(gap_dc_person_by_id(&people, p->id + 1, &same), 0);
    ck_assert_str_eq(same->phone, "9996621235");
    ck_assert_int_eq(gap_dc_person_by_id(&people, 700001, &same), GAP_E_ARGUMENT);
    ck_assert(p->has_account);
    ck_assert(!person("9996629000")->has_account);
    ck_assert(gap_dc_code_is(p, gap_str("22222")));
    ck_assert(!gap_dc_code_is(p, gap_str("2222")));
    ck_assert(!gap_dc_code_is(p, gap_str("22223")));
}
END_TEST

START_TEST(test_so_many_persons)
{
    gap_dc_person_t *p;
    char phone[GAP_DC_PHONE_DIGITS + 1];

    for (unsigned i = 0; i < GAP_DC_PEOPLE_MAX; i++) {
        (void)snprintf(phone, sizeof phone, "99966%05u", 10000 + i);
        (void)person(phone);
    }
    ck_assert_int_eq(gap_dc_person_get(&people, "9996699999", &p), GAP_E_LIMIT);
    ck_assert_int_eq(gap_dc_person_get(&people, phone, &p), 0);
}
END_TEST

START_TEST(test_so_many_codes)
{
    gap_dc_person_t *p = person("9996621234");
    gap_dc_code_t *code;
    char oldest[GAP_DC_CODE_HASH + 1];

    ck_assert_int_eq(gap_dc_code_send(&people, p, 1, &code), 0);
    memcpy(oldest, code->hash, sizeof oldest);
    for (int64_t key = 2; key <= GAP_DC_CODES_MAX; key++)
        ck_assert_int_eq(gap_dc_code_send(&people, p, key, &code), 0);
    ck_assert_ptr_nonnull(gap_dc_code_find(p, 1, gap_str(oldest)));
    ck_assert_int_eq(gap_dc_code_send(&people, p, 2, &code), 0); /* instead of its own */
    ck_assert_uint_eq(p->code_count, GAP_DC_CODES_MAX);
    ck_assert_ptr_nonnull(gap_dc_code_find(p, 1, gap_str(oldest)));
    ck_assert_int_eq(gap_dc_code_send(&people, p, 99, &code), 0);
    ck_assert_uint_eq(p->code_count, GAP_DC_CODES_MAX);
    ck_assert_ptr_null(gap_dc_code_find(p, 1, gap_str(oldest)));
}
END_TEST

START_TEST(test_so_many_tokens)
{
    gap_dc_person_t *p = person("9996621234");
    uint8_t oldest[GAP_DC_TOKEN_BYTES];
    uint8_t newest[GAP_DC_TOKEN_BYTES];
    gap_dc_token_t *token;

    for (unsigned i = 0; i <= GAP_DC_TOKENS_MAX; i++) {
        ck_assert_int_eq(gap_dc_token_new(&people, p, &token), 0);
        memcpy(i == 0 ? oldest : newest, token->bytes, sizeof oldest);
    }
    ck_assert_uint_eq(p->token_count, GAP_DC_TOKENS_MAX);
    ck_assert(!gap_dc_token_take(&people, p, gap_bytes(oldest, sizeof oldest)));
    ck_assert(!gap_dc_token_take(&people, p, gap_bytes(newest, sizeof newest - 1)));
    ck_assert(gap_dc_token_take(&people, p, gap_bytes(newest, sizeof newest)));
    ck_assert(!gap_dc_token_take(&people, p, gap_bytes(newest, sizeof newest)));
}
END_TEST

START_TEST(test_password_of_all_and_of_one)
{
    gap_dc_people_t all;
    gap_dc_person_t *p;

    gap_dc_people_init(&all, gap_alloc_default(), &source);
    ck_assert_int_eq(gap_dc_people_open(&all, "sesame"), 0);
    ck_assert_int_eq(gap_dc_person_get(&all, "9996621234", &p), 0);
    ck_assert(p->password.is_set);
    uint32_t version = p->password.version;
    ck_assert_int_eq(gap_dc_password_set(&all, &p->password, NULL), 0);
    ck_assert(!p->password.is_set);
    ck_assert_uint_eq(p->password.version, version + 1);
    gap_dc_people_fini(&all);
}
END_TEST

/* Everything that needs memory and randomness, once. @return the first failure. */
static int all_at_once(const gap_alloc_t *alloc)
{
    gap_dc_people_t t;
    gap_dc_person_t *p;
    gap_dc_code_t *code;
    gap_dc_token_t *token;
    gap_dc_srp_t *srp;

    gap_dc_people_init(&t, alloc, &source);
    int r = gap_dc_people_open(&t, NULL);
    if (r == 0) r = gap_dc_person_get(&t, "9996621234", &p);
    if (r == 0) r = gap_dc_code_send(&t, p, 1, &code);
    if (r == 0) r = gap_dc_token_new(&t, p, &token);
    if (r == 0) r = gap_dc_srp_new(&t, p, &srp);
    gap_dc_people_fini(&t);
    return r;
}

START_TEST(test_without_memory)
{
    struct fault_alloc f;
    int r = GAP_E_NOMEM;

    for (long at = 1; r == GAP_E_NOMEM; at++) {
        fault_alloc_init(&f, at);
        r = all_at_once(&f.alloc);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        ck_assert_int_eq(f.live, 0);
        ck_assert_int_lt(at, 100);
    }
    ck_assert_int_eq(r, 0);
}
END_TEST

START_TEST(test_without_randomness)
{
    struct fault_alloc f;

    for (long left = 0; left < 6; left++) {
        fault_alloc_init(&f, 0);
        random_left = left;
        ck_assert_int_eq(all_at_once(&f.alloc), GAP_E_STATE);
        ck_assert_int_eq(f.live, 0);
    }
    random_left = -1;
    ck_assert_int_eq(all_at_once(&f.alloc), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_people");
    TCase *t = tcase_create("people");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_one_phone_is_one_person);
    tcase_add_test(t, test_so_many_persons);
    tcase_add_test(t, test_so_many_codes);
    tcase_add_test(t, test_so_many_tokens);
    tcase_add_test(t, test_password_of_all_and_of_one);
    tcase_add_test(t, test_without_memory);
    tcase_add_test(t, test_without_randomness);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
