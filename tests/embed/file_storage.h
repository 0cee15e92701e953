/* tests/embed/file_storage.h - a storage of one's own: a plain text file. */
#ifndef FILE_STORAGE_H
#define FILE_STORAGE_H

#include <gapless/store.h>

/** @param path The file; copied. @return 0 or GAP_E_NOMEM. */
int file_storage_new(const gap_alloc_t *alloc, const char *path, gap_storage_t **out);

#endif
