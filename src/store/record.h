/*
 * store/record.h - what the library's storages share: which records are well formed, how usernames
 * compare, and the text of a fault.
 */
#ifndef GAP_STORE_RECORD_H
#define GAP_STORE_RECORD_H

#include <gapless/store.h>

/** Is it of a known kind, its key set? */
bool gap_record_is_valid(const gap_record_t *record);

/** Is there anything that it could find? Unknown kinds of search: no. */
bool gap_peer_key_is_valid(const gap_peer_key_t *key);

/** How many bytes a copy of a journal record (INBOX, DEAD, VALUE) needs behind it; others: 0. */
size_t gap_record_bytes(const gap_record_t *record);
/** Copy it, its views into @p bytes. */
void gap_record_copy(gap_record_t *to, const gap_record_t *from, uint8_t *bytes);

/** Does it ask for something that could be? */
bool gap_read_is_valid(const gap_read_t *what);
/** The key that it names (the least one, if `after`), as a record; borrows from @p what. */
gap_record_t gap_read_key(const gap_read_t *what);

/** How much of a page is left. */
struct gap_read_page {
    uint32_t left;
    size_t bytes;
};
struct gap_read_page gap_read_page(const gap_read_t *what);
/** After @p record has been handed over: is there room for another one? */
bool gap_read_goes_on(struct gap_read_page *page, const gap_record_t *record);

/** Usernames are ASCII; upper and lower case are alike. */
static inline uint8_t gap_username_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/**
 * Set the text of @p fault: @p what happened, to which file, @p todo. A path that is too long keeps
 * its end.
 * @param path  May be NULL: not about a file.
 * @return @p code.
 */
GAP_NODISCARD int gap_storage_fail(gap_storage_fault_t *fault, int code, const char *what,
                                   const char *path, const char *todo);

#endif
