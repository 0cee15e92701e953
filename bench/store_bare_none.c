/* bench/store_bare_none.c - no yardstick: built without SQLite. */
#include "bench/store_bare.h"

struct store_bare *store_bare_open(const char *path)
{
    (void)path;
    return NULL;
}

void store_bare_close(struct store_bare *bare)
{
    (void)bare;
}

void store_bare_group(struct store_bare *bare, uint64_t first, uint64_t gone, size_t count,
                      const uint8_t *bytes, size_t len)
{
    (void)bare;
    (void)first;
    (void)gone;
    (void)count;
    (void)bytes;
    (void)len;
}
