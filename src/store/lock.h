/*
 * store/lock.h - a companion file that tells who works with a storage. The lock is the open file
 * description's: it goes when the holder closes it or ends, however that comes, and also keeps out
 * a second one in the same process. The file stays and holds the holder's process id, and whether
 * the storage has to be verified before it is used again.
 */
#ifndef GAP_STORE_LOCK_H
#define GAP_STORE_LOCK_H

#include <gapless/base.h>

typedef struct gap_store_lock {
    int fd; /* -1: not held */
} gap_store_lock_t;

/**
 * Take it; makes the file (mode 0600) if need be.
 * @param holder   With GAP_E_HELD who has it; 0: not known.
 * @param suspect  With 0 whether the last holder left a note that it has to be verified.
 * @return 0; GAP_E_HELD; a negated errno.
 */
GAP_NODISCARD int gap_store_lock_take(gap_store_lock_t *lock, const char *path, int64_t *holder,
                                      bool *suspect);
/** Note, or take back, that the storage has to be verified. As good as the disk lets it. */
void gap_store_lock_note(const gap_store_lock_t *lock, bool suspect);
/** Let go. No-op if not held. */
void gap_store_lock_drop(gap_store_lock_t *lock);

#endif
