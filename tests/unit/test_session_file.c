/*
 * tests/unit/test_session_file.c - the session file: what was saved is read again, whatever became
 * of the file is told, and what is not ours stays as it is. On the virtual world's disk.
 */
#include "tests/check_main.h"

#include "base/alloc.h"
#include "crypto/crypto.h"
#include "tests/session_sample.h"
#include "tests/sim/sim_env.h"

#include <errno.h>

#define PATH "session"

static sim_t *sim;
static gap_env_t *env;
static struct fault_alloc mem;

static void setup(void)
{
    struct sim_options polite = {0};

    fault_alloc_init(&mem, 0);
    sim = sim_new(1, &polite);
    env = sim_env_open(sim, &mem.alloc);
}

static void teardown(void)
{
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, 1000000));
    ck_assert_uint_eq(sim_free(sim), 0);
    ck_assert_int_eq(mem.live, 0);
}

static int try_open(gap_session_file_t **f, struct gap_session_data *data,
                    gap_storage_fault_t *fault)
{
    memset(fault, 0, sizeof *fault);
    return gap_session_file_open(env, PATH, f, data, fault);
}

/* Open, read, close: is it this session? */
static void expect_session(uint64_t number, const char *why)
{
    static struct gap_session_data want;
    static struct gap_session_data got;
    gap_session_file_t *f;
    gap_storage_fault_t fault;
    int r = try_open(&f, &got, &fault);

    ck_assert_msg(r == 0, "%s: %d %s", why, r, fault.text);
    gap_session_file_close(f);
    sample_session(number, &want);
    ck_assert_msg(sample_equal(&got, &want), "%s: read %lld instead of %llu", why,
                  (long long)got.user_id, (unsigned long long)number);
}

static int open_code(void)
{
    static struct gap_session_data got;
    gap_session_file_t *f = NULL;
    gap_storage_fault_t fault;
    int r = try_open(&f, &got, &fault);

    if (r == 0) gap_session_file_close(f);
    ck_assert_msg(r == 0 || fault.text[0] != '\0', "no text for %d", r);
    ck_assert(r == 0 || f == NULL);
    return r;
}

static void save(gap_session_file_t *f, uint64_t number)
{
    static struct gap_session_data data;
    gap_storage_fault_t fault = {.text = ""};

    sample_session(number, &data);
    ck_assert_int_eq(gap_session_file_save(f, &data, &fault), 0);
    ck_assert_str_eq(fault.text, "");
}

/* A file with these saves. */
static void make_file(uint64_t first, uint64_t count)
{
    static struct gap_session_data data;
    gap_session_file_t *f;
    gap_storage_fault_t fault;

    sim_disk_put(sim, PATH, NULL, 0);
    ck_assert_int_eq(try_open(&f, &data, &fault), 0);
    for (uint64_t i = 0; i < count; i++) save(f, first + i);
    gap_session_file_close(f);
}

/* A copy of the file, to damage. */
static size_t copy_file(uint8_t out[GAP_SESSION_FILE_BYTES])
{
    gap_bytes_t b;

    ck_assert(sim_disk_get(sim, PATH, &b));
    ck_assert_uint_le(b.len, GAP_SESSION_FILE_BYTES);
    memcpy(out, b.data, b.len);
    return b.len;
}

START_TEST(test_what_was_saved_is_read)
{
    setup();
    expect_session(0, "a new file");
    expect_session(0, "an empty file");
    for (uint64_t first = 1; first < 40; first++) {
        make_file(first, 1 + first % 4);
        expect_session(first + first % 4, "the last of some saves");
    }
    teardown();
}
END_TEST

START_TEST(test_the_fullest_session_fits)
{
    static struct gap_session_data full;
    static struct gap_session_data got;
    gap_session_file_t *f;
    gap_storage_fault_t fault;

    setup();
    memset(&full, 0xff, sizeof full); /* every bool is set below */
    full.bot = true;
    full.dc_count = GAP_SESSION_DCS_MAX;
    for (int i = 0; i < GAP_SESSION_DCS_MAX; i++) {
        full.dcs[i].id = -i;
        full.dcs[i].has_key = true;
        full.dcs[i].authorised = true;
        full.dcs[i].addr_count = GAP_SESSION_ADDRS_MAX;
        for (int j = 0; j < GAP_SESSION_ADDRS_MAX; j++) {
            full.dcs[i].addrs[j].media_only = true;
            full.dcs[i].addrs[j].addr.v6 = true;
        }
    }
    full.token_count = GAP_SESSION_TOKENS_MAX;
    for (int i = 0; i < GAP_SESSION_TOKENS_MAX; i++) full.token_lens[i] = GAP_SESSION_TOKEN_BYTES;
    ck_assert_int_eq(try_open(&f, &got, &fault), 0);
    ck_assert_int_eq(gap_session_file_save(f, &full, &fault), 0);
    gap_session_file_close(f);
    ck_assert_int_eq(try_open(&f, &got, &fault), 0);
    ck_assert(sample_equal(&got, &full));
    gap_session_file_close(f);
    teardown();
}
END_TEST

START_TEST(test_data_centres)
{
    static struct gap_session_data d;

    ck_assert_ptr_null(gap_session_find_dc(&d, 2));
    for (int32_t id = 1; id <= GAP_SESSION_DCS_MAX; id++) {
        struct gap_session_dc *dc = gap_session_make_dc(&d, id);
        ck_assert_ptr_nonnull(dc);
        ck_assert_int_eq(dc->id, id);
        ck_assert_ptr_eq(gap_session_make_dc(&d, id), dc);
        ck_assert_ptr_eq(gap_session_find_dc(&d, id), dc);
        ck_assert_uint_eq(d.dc_count, (size_t)id);
    }
    ck_assert_ptr_null(gap_session_make_dc(&d, 99));
    ck_assert_ptr_nonnull(gap_session_make_dc(&d, 3));
}
END_TEST

/* ---- what became of a file with the saves 1 and 2, in slots 0 and 1 ---- */

static int after_flip(size_t at, uint8_t mask)
{
    if (at == 0) return ('G' ^ mask) == 'g' ? 2 : GAP_E_FOREIGN;
    if (at < 16) return GAP_E_FOREIGN;
    if (at < 20) return at == 16 && mask == 1 ? GAP_E_FOREIGN : GAP_E_NEWER; /* version 1 */
    return at < GAP_SESSION_HEADER_BYTES + GAP_SESSION_SLOT_BYTES ? 2 : 1;
}

/* Every place; where a run takes long (sanitisers), of those inside the slots only some. */
static size_t next_place(size_t at)
{
    if (at % GAP_SESSION_SLOT_BYTES < (size_t)3 * GAP_SESSION_HEADER_BYTES) return at + 1;
    return at + (1U | 100U / (unsigned)gap_test_seeds(100));
}

START_TEST(test_every_flipped_byte)
{
    static uint8_t bytes[GAP_SESSION_FILE_BYTES];

    setup();
    make_file(1, 2);
    size_t len = copy_file(bytes);
    ck_assert_uint_eq(len, GAP_SESSION_FILE_BYTES);
    for (size_t at = 0; at < len; at = next_place(at)) {
        uint8_t mask = (uint8_t)(1U << at % 8);
        int want = after_flip(at, mask);
        char why[40];
        (void)snprintf(why, sizeof why, "byte %zu flipped by %02x", at, mask);
        bytes[at] ^= mask;
        sim_disk_put(sim, PATH, bytes, len);
        if (want > 0) {
            /* In the zeroes of the header nothing is kept: the newest is read. */
            expect_session(at < GAP_SESSION_HEADER_BYTES ? 2 : (uint64_t)want, why);
        } else {
            int r = open_code();
            ck_assert_msg(r == want, "%s: %d instead of %d", why, r, want);
        }
        bytes[at] ^= mask;
    }
    teardown();
}
END_TEST

START_TEST(test_every_length)
{
    static uint8_t bytes[GAP_SESSION_FILE_BYTES];
    char why[40];

    setup();
    make_file(1, 2);
    size_t full = copy_file(bytes);
    for (size_t len = 0; len <= full; len = next_place(len)) {
        (void)snprintf(why, sizeof why, "%zu bytes of it", len);
        sim_disk_put(sim, PATH, bytes, len);
        if (len == 0) {
            expect_session(0, why);
        } else if (len < GAP_SESSION_HEADER_BYTES + GAP_SESSION_SLOT_BYTES) {
            ck_assert_msg(open_code() == GAP_E_DAMAGED, "%s", why);
        } else {
            expect_session(len < full ? 1 : 2, why);
        }
    }
    teardown();
}
END_TEST

/* Before the first save is through, there is nothing to lose. */
START_TEST(test_every_length_of_a_first_save)
{
    static uint8_t bytes[GAP_SESSION_FILE_BYTES];
    char why[40];

    setup();
    make_file(1, 1);
    size_t full = copy_file(bytes);
    ck_assert_uint_eq(full, GAP_SESSION_HEADER_BYTES + GAP_SESSION_SLOT_BYTES);
    bytes[0] = 'g';
    for (size_t len = 0; len <= full; len = next_place(len)) {
        (void)snprintf(why, sizeof why, "%zu bytes of it", len);
        sim_disk_put(sim, PATH, bytes, len);
        expect_session(len < full ? 0 : 1, why);
    }
    teardown();
}
END_TEST

/* Make the slot's checksum right again. */
static void rehash(uint8_t *slot)
{
    static struct gap_session_data none;
    static uint8_t fresh[GAP_SESSION_SLOT_BYTES];
    gap_crypto_t c;
    gap_bytes_t rest = gap_bytes(slot + 32, GAP_SESSION_SLOT_BYTES - 32);

    ck_assert_int_eq(gap_session_slot_write(&none, 1, fresh), 0); /* the library is there */
    ck_assert_int_eq(gap_crypto_init(&c), 0);
    ck_assert_int_eq(gap_sha256(&c, &rest, 1, slot), 0);
    gap_crypto_fini(&c);
}

#define HEADER GAP_SESSION_HEADER_BYTES
#define BODY   44 /* of a slot */
#define DC     (BODY + 22)
#define ADDRS  (DC + 4 + 1 + 256 + 8)
#define TOKENS (ADDRS + 1 + 19)

static const struct {
    size_t at; /* in slot 1 */
    size_t width;
    uint64_t value;
    uint64_t want; /* session read */
    const char *why;
} hostile[] = {
    {BODY + 20, 1, 0, 1, "bot: as it was"},
    {BODY + 20, 1, 2, 7, "a bool of 2"},
    {BODY + 21, 1, 17, 7, "17 data centres"},
    {BODY + 21, 1, 2, 7, "two data centres, but bytes of one"},
    {BODY + 21, 1, 0, 7, "no data centre, but bytes of one"},
    {DC + 4, 1, 4, 7, "an unknown flag"},
    {DC + 4, 1, 0, 7, "a key without its flag"},
    {ADDRS, 1, 9, 7, "9 addresses"},
    {ADDRS, 1, 255, 7, "255 addresses"},
    {ADDRS + 1, 1, 4, 7, "an unknown flag of an address"},
    {ADDRS + 6, 1, 1, 7, "a fifth byte of an IPv4 address"},
    {TOKENS, 1, 21, 7, "21 tokens"},
    {TOKENS + 1, 1, 65, 7, "a token of 65 bytes"},
    {TOKENS + 1, 1, 3, 7, "a byte more than there is"},
    {TOKENS + 1, 1, 1, 7, "a byte is left over"},
    {40, 4, 0, 7, "nothing in it"},
    {40, 4, GAP_SESSION_SLOT_BYTES - 43, 7, "one byte more than fits a slot"},
    {40, 4, 0xffffffff, 7, "a length of 2^32 - 1"},
    {32, 8, 0, 7, "generation 0"},
    {32, 8, UINT64_MAX, 7, "a generation beyond all"},
    {32, 8, 1, 7, "the generation of the other slot"},
    {32, 8, GAP_SESSION_GENERATION_MAX, 1, "the last generation"},
};

/* A session with one of everything, so that the places above are right. */
static void plain_session(struct gap_session_data *d)
{
    memset(d, 0, sizeof *d);
    d->user_id = 1;
    d->dc_count = 1;
    d->dcs[0].id = 2;
    d->dcs[0].has_key = true;
    d->dcs[0].addr_count = 1;
    d->token_count = 1;
    d->token_lens[0] = 2;
}

START_TEST(test_hostile_slots_with_a_right_checksum)
{
    static struct gap_session_data data;
    static uint8_t bytes[GAP_SESSION_FILE_BYTES];
    gap_session_file_t *f;
    gap_storage_fault_t fault;

    setup();
    ck_assert_int_eq(try_open(&f, &data, &fault), 0);
    save(f, 7);
    plain_session(&data);
    ck_assert_int_eq(gap_session_file_save(f, &data, &fault), 0);
    gap_session_file_close(f);
    size_t len = copy_file(bytes);
    uint8_t *slot = bytes + HEADER + GAP_SESSION_SLOT_BYTES;
    for (size_t i = 0; i < GAP_ARRAY_LEN(hostile); i++) {
        uint8_t before[8];
        memcpy(before, slot + hostile[i].at, 8);
        memcpy(slot + hostile[i].at, &hostile[i].value, hostile[i].width);
        rehash(slot);
        sim_disk_put(sim, PATH, bytes, len);
        ck_assert_msg(try_open(&f, &data, &fault) == 0, "%s: %s", hostile[i].why, fault.text);
        gap_session_file_close(f);
        ck_assert_msg(data.user_id == (int64_t)hostile[i].want, "%s: %lld", hostile[i].why,
                      (long long)data.user_id);
        memcpy(slot + hostile[i].at, before, 8);
    }
    teardown();
}
END_TEST

START_TEST(test_a_data_centre_twice)
{
    static struct gap_session_data data;
    static uint8_t slot[GAP_SESSION_SLOT_BYTES];
    uint64_t generation;

    plain_session(&data);
    data.token_count = 0;
    data.dcs[0].has_key = false;
    data.dcs[0].addr_count = 0;
    data.dcs[1] = data.dcs[0];
    data.dcs[1].id = 3;
    data.dc_count = 2;
    ck_assert_int_eq(gap_session_slot_write(&data, 1, slot), 0);
    ck_assert_int_eq(gap_session_slot_read(slot, sizeof slot, &generation, &data), 0);
    slot[DC + 14] = 2; /* the id of the second, behind the 14 bytes of the first */
    rehash(slot);
    ck_assert_int_eq(gap_session_slot_read(slot, sizeof slot, &generation, &data),
                     GAP_SESSION_NOT_WHOLE);
}
END_TEST

/* ---- files of others ---- */

static const struct {
    const char *bytes;
    size_t len;
    int want;
    const char *why;
} others[] = {
    {"", 0, 0, "empty"},
    {"\0\0\0\0", 4, 0, "a few zeroes, as a crash may leave them"},
    {"gapless-", 8, 0, "a creation that was cut short"},
    {"gapless-\0\0\0", 11, 0, "the same, its length ahead of its bytes"},
    {"gapless-x", 9, GAP_E_FOREIGN, "text that begins like it"},
    {"G", 1, GAP_E_DAMAGED, "one byte of a session file"},
    {"Gapless-session\n", 16, GAP_E_DAMAGED, "the name only"},
    {"Gapless-session\n\2\0\0\0", 20, GAP_E_NEWER, "version 2, the rest of another form"},
    {"Gapless-session\n\0\0\0\x80", 20, GAP_E_NEWER, "version 2^31"},
    {"Gapless-session\n\0\0\0\0", 20, GAP_E_FOREIGN, "version 0"},
    {"SQLite format 3", 16, GAP_E_FOREIGN, "a database"},
    {"{\"session\": 1}\n", 15, GAP_E_FOREIGN, "text"},
    {"\n", 1, GAP_E_FOREIGN, "an empty line"},
};

START_TEST(test_files_of_others_stay_as_they_are)
{
    gap_bytes_t now;

    setup();
    for (size_t i = 0; i < GAP_ARRAY_LEN(others); i++) {
        uint64_t writes = sim_disk_changes(sim);
        sim_disk_put(sim, PATH, others[i].bytes, others[i].len);
        int r = open_code();
        ck_assert_msg(r == others[i].want, "%s: %d", others[i].why, r);
        ck_assert(sim_disk_get(sim, PATH, &now));
        ck_assert_msg(now.len == others[i].len, "%s", others[i].why);
        ck_assert_msg(now.len == 0 || memcmp(now.data, others[i].bytes, now.len) == 0, "%s",
                      others[i].why);
        ck_assert_uint_eq(sim_disk_changes(sim), writes);
    }
    teardown();
}
END_TEST

START_TEST(test_zeroes_in_place_of_a_file)
{
    static const uint8_t zeroes[GAP_SESSION_FILE_BYTES];

    setup();
    sim_disk_put(sim, PATH, zeroes, sizeof zeroes);
    ck_assert_int_eq(open_code(), GAP_E_FOREIGN);
    teardown();
}
END_TEST

/* ---- errors and their texts ---- */

START_TEST(test_held_names_the_process)
{
    static struct gap_session_data data;
    gap_session_file_t *first;
    gap_session_file_t *second = NULL;
    gap_storage_fault_t fault;
    char pid[24];

    setup();
    make_file(1, 2);
    ck_assert_int_eq(try_open(&first, &data, &fault), 0);
    ck_assert_int_eq(try_open(&second, &data, &fault), GAP_E_HELD);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(fault.holder_pid, sim_pid(env));
    (void)snprintf(pid, sizeof pid, "process %lld:", (long long)sim_pid(env));
    ck_assert_ptr_nonnull(strstr(fault.text, pid));
    save(first, 3); /* the first is not disturbed */
    gap_session_file_close(first);
    expect_session(3, "after the first");
    teardown();
}
END_TEST

START_TEST(test_texts)
{
    static const struct {
        int code;
        int want;
        const char *text;
    } cases[] = {
        {-EACCES, GAP_E_STORAGE, "let this process read and write it"},
        {-EROFS, GAP_E_STORAGE, "file system that can be written"},
        {-ENOENT, GAP_E_STORAGE, "create the folder"},
        {-EISDIR, GAP_E_STORAGE, "it is a folder"},
        {-ELOOP, GAP_E_STORAGE, "symbolic link"},
        {-ENOSPC, GAP_E_STORAGE, "make room"},
        {-EMFILE, GAP_E_STORAGE, "allow more open files"},
        {-EIO, GAP_E_STORAGE, "check the file"},
        {GAP_E_NOMEM, GAP_E_NOMEM, "free memory"},
    };
    char path[600];
    static struct gap_session_data data;

    setup();
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    memcpy(path + 580, "\nsession", 8);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_storage_fault_t fault = {.text = ""};
        gap_session_file_t *f = NULL;
        sim_disk_fail(sim, SIM_DISK_OPEN, 1, 1, cases[i].code);
        int r = gap_session_file_open(env, path, &f, &data, &fault);
        ck_assert_int_eq(r, cases[i].want);
        ck_assert_ptr_null(f);
        ck_assert_msg(strstr(fault.text, cases[i].text) != NULL, "%s", fault.text);
        ck_assert_msg(strstr(fault.text, "session") != NULL, "the end of the path: %s", fault.text);
        ck_assert_ptr_null(strchr(fault.text, '\n'));
    }
    teardown();
}
END_TEST

START_TEST(test_a_file_that_can_not_be_read)
{
    setup();
    make_file(1, 2);
    for (uint64_t nth = 1; nth <= 3; nth++) { /* header, two slots */
        sim_disk_fail(sim, SIM_DISK_READ, nth, 1, -EIO);
        ck_assert_int_eq(open_code(), GAP_E_STORAGE);
        expect_session(2, "and then it can");
    }
    teardown();
}
END_TEST

START_TEST(test_failed_allocations)
{
    static struct gap_session_data data;
    gap_session_file_t *f = NULL;
    gap_storage_fault_t fault;
    int r = GAP_E_NOMEM;
    long n = 0;

    setup();
    make_file(1, 2);
    while (r == GAP_E_NOMEM) {
        mem.fail_at = mem.calls + ++n;
        r = try_open(&f, &data, &fault);
        ck_assert(r == 0 || (fault.text[0] != '\0' && mem.live == 0));
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(n, 4); /* three can fail */
    sample_session(3, &data);
    mem.fail_at = mem.calls + 1;
    ck_assert_int_eq(gap_session_file_save(f, &data, &fault), GAP_E_NOMEM);
    mem.fail_at = 0;
    gap_session_file_close(f);
    expect_session(2, "nothing was written");
    teardown();
}
END_TEST

/* ---- secrets ---- */

static const uint8_t *secret;
static long left_behind;

static void *watching_realloc(void *ctx, void *ptr, size_t size)
{
    size_t *block = ptr != NULL ? (size_t *)ptr - 2 : NULL;

    (void)ctx;
    if (size == 0) {
        if (block != NULL && memmem(ptr, *block, secret, 16) != NULL) left_behind++;
        free(block);
        return NULL;
    }
    ck_assert_ptr_null(block); /* nothing with a secret in it grows */
    block = malloc(size + 2 * sizeof *block);
    ck_assert_ptr_nonnull(block);
    *block = size;
    return block + 2;
}

START_TEST(test_no_secret_is_left_in_memory)
{
    static const gap_alloc_t watching = {watching_realloc, NULL};
    static struct gap_session_data data;
    struct sim_options polite = {0};
    gap_storage_fault_t fault = {.text = ""};
    gap_session_file_t *f;

    sim = sim_new(1, &polite);
    env = sim_env_open(sim, &watching);
    plain_session(&data);
    for (size_t i = 0; i < sizeof data.dcs[0].key; i++) data.dcs[0].key[i] = (uint8_t)(i * 7 + 1);
    secret = data.dcs[0].key;
    uint8_t *block = watching_realloc(NULL, NULL, 64);
    memcpy(block, secret, 16);
    (void)watching_realloc(NULL, block, 0);
    ck_assert_int_eq(left_behind, 1); /* the watch works */
    left_behind = 0;
    static struct gap_session_data got;
    ck_assert_int_eq(gap_session_file_open(env, PATH, &f, &got, &fault), 0);
    ck_assert_int_eq(gap_session_file_save(f, &data, &fault), 0);
    sim_disk_fail(sim, SIM_DISK_SYNC, 1, 1, -EIO);
    ck_assert_int_eq(gap_session_file_save(f, &data, &fault), GAP_E_STORAGE);
    gap_session_file_close(f);
    ck_assert_int_eq(gap_session_file_open(env, PATH, &f, &got, &fault), 0);
    ck_assert(memcmp(got.dcs[0].key, secret, 16) == 0);
    gap_session_file_close(f);
    sim_disk_fail(sim, SIM_DISK_READ, 3, 1, -EIO);
    ck_assert_int_eq(gap_session_file_open(env, PATH, &f, &got, &fault), GAP_E_STORAGE);
    ck_assert_int_eq(left_behind, 0);
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, 1000000));
    ck_assert_uint_eq(sim_free(sim), 0);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const cases[] = {
        test_what_was_saved_is_read,
        test_the_fullest_session_fits,
        test_data_centres,
        test_every_flipped_byte,
        test_every_length,
        test_every_length_of_a_first_save,
        test_hostile_slots_with_a_right_checksum,
        test_a_data_centre_twice,
        test_files_of_others_stay_as_they_are,
        test_zeroes_in_place_of_a_file,
        test_held_names_the_process,
        test_texts,
        test_a_file_that_can_not_be_read,
        test_failed_allocations,
        test_no_secret_is_left_in_memory,
    };
    Suite *suite = suite_create("session_file");
    TCase *tc = tcase_create("session_file");

    tcase_set_timeout(tc, 120);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) tcase_add_test(tc, cases[i]);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
