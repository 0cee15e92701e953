/* tests/loop/kept.c - see kept.h. */
#include "tests/loop/kept.h"

#include "tests/check_main.h"

#include <string.h>
#include <unistd.h>

static struct kept *kept_of(gap_storage_t *s)
{
    return (struct kept *)(void *)s;
}

static int kept_open(gap_storage_t *s, gap_storage_fault_t *fault)
{
    return kept_of(s)->inner->ops->open(kept_of(s)->inner, fault);
}

static int kept_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    return kept_of(s)->inner->ops->load(kept_of(s)->inner, each, arg, fault);
}

static int kept_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                       gap_storage_fault_t *fault)
{
    struct kept *k = kept_of(s);

    if (k->slow_us > 0) (void)usleep(k->slow_us);
    if (k->commit_status < 0) return k->commit_status;
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GAP_RECORD_BOOT) k->boot = records[i].u.boot;
        if (records[i].kind != GAP_RECORD_ACCOUNT) continue;
        k->has_account = true;
        k->account = records[i].u.account;
    }
    return k->inner->ops->commit(k->inner, records, count, fault);
}

static int kept_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    return kept_of(s)->inner->ops->find(kept_of(s)->inner, key, each, arg, fault);
}

static int kept_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    return kept_of(s)->inner->ops->read(kept_of(s)->inner, what, each, arg, fault);
}

static void kept_close(gap_storage_t *s)
{
    kept_of(s)->inner->ops->close(kept_of(s)->inner);
}

static void kept_destroy(gap_storage_t *s)
{
    kept_of(s)->destroyed++;
}

static int kept_query(gap_storage_t *s, int (*query)(void *arg, struct sqlite3 *db), void *arg,
                      int *result, gap_storage_fault_t *fault)
{
    if (kept_of(s)->inner->ops->query == NULL) return GAP_E_STATE;
    return kept_of(s)->inner->ops->query(kept_of(s)->inner, query, arg, result, fault);
}

static const struct gap_storage_ops kept_ops = {
    GAP_STORAGE_VERSION, kept_open,  kept_load,    kept_commit, kept_find,
    kept_read,           kept_close, kept_destroy, kept_query,
};

void kept_init(struct kept *k)
{
    memset(k, 0, sizeof *k);
    k->base.ops = &kept_ops;
    ck_assert_int_eq(gap_storage_memory(NULL, &k->inner), 0);
}

void kept_fini(struct kept *k)
{
    k->inner->ops->destroy(k->inner);
}
