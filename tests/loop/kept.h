/*
 * tests/loop/kept.h - a storage in memory to look into. It outlives its clients: destroy only
 * counts.
 */
#ifndef GAP_TESTS_KEPT_H
#define GAP_TESTS_KEPT_H

#include <gapless/store.h>

struct kept {
    gap_storage_t base;
    gap_storage_t *inner;
    unsigned destroyed;
    int commit_status; /* not 0: what commit fails with */
    unsigned slow_us;  /* how long a commit takes */
    bool has_account;
    gap_account_record_t account;
    gap_boot_record_t boot; /* the last one that was committed */
};

void kept_init(struct kept *k);
void kept_fini(struct kept *k);

#endif
