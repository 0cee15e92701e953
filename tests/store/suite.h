/*
 * tests/store/suite.h - what every storage must do, whoever wrote it: one suite that is run over
 * each of them.
 */
#ifndef GAP_TESTS_STORE_SUITE_H
#define GAP_TESTS_STORE_SUITE_H

#include "tests/check_main.h"

#include <gapless/store.h>

/** A kind of storage. */
struct store_kind {
    const char *name;
    /** @param path A file in a folder of the test's own; may be ignored. */
    int (*make)(const gap_alloc_t *alloc, const char *path, gap_storage_t **out);
    bool is_kept;    /* a second storage on the same path finds what the first one stored */
    bool takes_lock; /* a second one is refused while the first is open */
};

/** Add the suite's cases for @p kinds (static). */
void store_suite_add(Suite *suite, const struct store_kind *kinds, size_t count);

/* --- tools that other tests of storages use as well --- */

/** Make a folder of its own under the temporary directory; @p out gets its path. */
void store_folder_make(char *out, size_t len);
/** Remove it with its files. */
void store_folder_remove(const char *path);

/** Handy records. Texts are borrowed. */
gap_record_t store_state(int32_t pts, int32_t qts, int32_t seq, int32_t date);
gap_record_t store_channel(int64_t id, int32_t pts, bool unfinished);
gap_record_t store_peer(gap_peer_kind_t kind, int64_t id, int64_t hash);
gap_record_t store_removed(gap_record_t record);

/** A peer with names: a list of usernames that NULL ends. Kept in static memory, some at a time. */
gap_record_t store_named(gap_peer_kind_t kind, int64_t id, const char *phone, ...);

/** Records of a journal. Texts are borrowed; ids are made of one byte. */
gap_record_t store_inbox(uint64_t number, const char *update);
/** The other fields alone. */
gap_record_t store_attempts(uint64_t number, uint32_t attempts);
gap_record_t store_done(uint8_t eid, gap_box_t box, int64_t channel_id, int32_t before);
gap_record_t store_dead(uint64_t number, int error, const char *reason, const char *update);
gap_record_t store_value(const char *key, const char *value);
gap_record_t store_boot(uint64_t epoch, bool clean, uint8_t secret);

/** Add the cases about the journal's records. */
void store_journal_add(Suite *suite, const struct store_kind *kinds, size_t count);

/** Keys of values that store_dump() shows: "a" to "e". */
#define STORE_KEYS "abcde"

/**
 * Everything in the storage as text, one record a line, sorted; peers with their names (found by
 * id), the inbox with its updates, dead letters, values of one letter. @return malloc'ed.
 */
char *store_dump(gap_storage_t *s);

/** find, printed as in store_dump; "" if there is none. @return malloc'ed. */
char *store_find(gap_storage_t *s, const gap_peer_key_t *key);
gap_peer_key_t store_by_id(gap_peer_kind_t kind, int64_t id);
gap_peer_key_t store_by(gap_peer_by_t by, const char *text);

#endif
