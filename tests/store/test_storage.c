/* tests/store/test_storage.c - the storages that come with the library, and one that a user wrote,
 * held to one suite. */
#include "tests/embed/file_storage.h"
#include "tests/store/suite.h"

static int make_memory(const gap_alloc_t *alloc, const char *path, gap_storage_t **out)
{
    (void)path;
    return gap_storage_memory(alloc, out);
}

static int make_sqlite(const gap_alloc_t *alloc, const char *path, gap_storage_t **out)
{
    return gap_storage_sqlite(alloc, &(gap_sqlite_config_t){.path = path}, out);
}

/* The one that may be missing stands last. */
static const struct store_kind kinds[] = {
    {"memory", make_memory, false, false},
    {"a user's own", file_storage_new, true, true},
    {"sqlite", make_sqlite, true, true},
};

static size_t kinds_there(void)
{
    return sizeof kinds / sizeof kinds[0] - (gap_storage_has_sqlite() ? 0 : 1);
}

/* A storage in memory that is used out of turn says so. */
START_TEST(test_out_of_turn)
{
    gap_storage_fault_t fault = {0};
    gap_record_t records[] = {
        store_channel(0, 1, false),      store_peer(GAP_PEER_NONE, 1, 1),
        store_peer(GAP_PEER_USER, 0, 1), store_peer((gap_peer_kind_t)9, 1, 1),
        {.kind = (gap_record_kind_t)77},
    };
    gap_storage_t *s = NULL;

    ck_assert_int_eq(gap_storage_memory(NULL, &s), 0);
    ck_assert_int_eq(s->ops->commit(s, records, 1, &fault), GAP_E_STATE);
    ck_assert_int_eq(s->ops->open(s, &fault), 0);
    ck_assert_int_eq(s->ops->open(s, &fault), GAP_E_HELD);
    for (size_t i = 0; i < 5; i++) {
        gap_record_t pair[] = {store_channel(1, 1, false), records[i]};
        ck_assert_int_eq(s->ops->commit(s, pair, 2, &fault), GAP_E_ARGUMENT);
    }
    char *dump = store_dump(s);
    ck_assert_str_eq(dump, "");
    free(dump);
    s->ops->close(s);
    s->ops->destroy(s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("storage");
    TCase *tc = tcase_create("own");

    store_suite_add(suite, kinds, kinds_there());
    store_journal_add(suite, kinds, kinds_there());
    tcase_add_test(tc, test_out_of_turn);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
