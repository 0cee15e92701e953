/*
 * tests/store/vfs_shim.h - a disk that fails on demand, under SQLite: a VFS around the default one,
 * itself the default once installed.
 *
 * It also keeps, for each file, what a power failure would leave: what was synced. Bytes whose sync
 * failed are gone then, and a later sync does not bring them back, as Linux has it: the pages were
 * marked clean.
 */
#ifndef GAP_TESTS_STORE_VFS_SHIM_H
#define GAP_TESTS_STORE_VFS_SHIM_H

#include <stdbool.h>

enum shim_fault {
    SHIM_NONE,
    SHIM_FULL,  /* a write finds no room */
    SHIM_QUOTA, /* no file may grow from here on, until it is disarmed */
    SHIM_SHORT, /* a write finds room for half of it */
    SHIM_EIO,   /* a write fails */
    SHIM_SYNC,  /* a sync fails, and what it should have written is not on the disk */
    SHIM_KILL,  /* from here on nothing is done any more: the process ends */
    SHIM_POWER, /* the same for the machine; see shim_power_returns() */
    SHIM_OPEN,  /* opening a file fails */
    SHIM_READ,  /* reading fails */
};

/** Install it as the default VFS. Idempotent. */
void shim_install(void);
/** Forget all files, and from now on do @p fault at the @p nth operation that can fail so (from 1);
 * after KILL and POWER every later one fails, too; after the others none. */
void shim_arm(enum shim_fault fault, long nth, unsigned seed);
/** The same while files are open: they are not forgotten. */
void shim_rearm(enum shim_fault fault, long nth, unsigned seed);
/** Operations of the kind that was armed, since then. */
long shim_count(void);
/** Has it happened? */
bool shim_has_struck(void);
/** No more faults. Files remembered stay so. */
void shim_disarm(void);
/** Put on disk what a power failure leaves: of what was not synced any sectors or none. The files
 * are closed. */
void shim_power_returns(void);
#endif
