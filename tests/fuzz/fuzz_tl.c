/* tests/fuzz/fuzz_tl.c - any bytes as a boxed object: the skip, the reader, the printer, the cursor
 * and the writer must agree on what is well formed and where it ends. */
#include "base/assert.h"
#include "base/bytes.h"
#include "tl/cursor.h"
#include "tl/tl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    uint64_t hash;
    size_t len;
};

static int add_text(void *data, const char *text, size_t len)
{
    struct sum *sum = data;

    for (size_t i = 0; i < len; i++) sum->hash = (sum->hash ^ (uint8_t)text[i]) * 0x100000001b3U;
    sum->len += len;
    return 0;
}

static void check_cursor(gap_bytes_t in, int64_t skipped)
{
    gap_tl_cursor_t c;
    int r = gap_tl_cursor_open(&c, in);

    if (r == 0) r = gap_tl_cursor_finish(&c);
    GAP_ASSERT(skipped < 0 ? r == (int)skipped : r == 0 && c.at == in.data + skipped);
}

/* Read, write again: the same object, in its canonical form on this level. */
static void check_rewrite(gap_bytes_t in, uint32_t id, const struct sum *printed)
{
    size_t size = gap_tl_infos[gap_tl_find(id)].size;
    void *level = malloc(size);
    GAP_ASSERT(level != NULL);
    int64_t used = gap_tl_read(in, id, level, size);
    GAP_ASSERT(used == gap_tl_skip(in));
    int64_t len = gap_tl_size(gap_tl_of(id, level));
    GAP_ASSERT(len >= 4 && len <= used);
    uint8_t *bytes = malloc((size_t)len);
    GAP_ASSERT(bytes != NULL);
    GAP_ASSERT(gap_tl_write(gap_tl_of(id, level), bytes, (size_t)len) == len);
    struct sum again = {0, 0};
    GAP_ASSERT(gap_tl_print(gap_bytes(bytes, (size_t)len), add_text, &again) == 0);
    GAP_ASSERT(again.hash == printed->hash && again.len == printed->len);
    free(bytes);
    free(level);
}

static void walk_result(gap_bytes_t in, uint32_t method)
{
    gap_tl_vector_t vector;
    gap_tl_object_t object;
    int r = gap_tl_read_result(in, method, &vector);

    if (r != 0 || gap_tl_infos[gap_tl_find(method)].elem != GAP_TL_K_OBJECT) return;
    gap_tl_iter_t it = gap_tl_iter(vector);
    for (uint32_t i = 0; i < vector.count; i++) GAP_ASSERT(gap_tl_next(&it, &object) == 1);
    GAP_ASSERT(gap_tl_next(&it, &object) == 0);
    GAP_ASSERT(it.at == vector.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gap_bytes_t in = gap_bytes(data, size);
    struct sum printed = {0, 0};

    if (size < 4) return 0;
    uint32_t id = gap_load32(data);
    int64_t skipped = gap_tl_skip(in);
    int r = gap_tl_print(in, add_text, &printed);
    GAP_ASSERT(r == (skipped < 0 ? (int)skipped : 0));
    GAP_ASSERT(gap_tl_equal(in, in) == (skipped < 0 ? (int)skipped : 1));
    check_cursor(in, skipped);
    if (skipped >= 0) check_rewrite(in, id, &printed);
    if (size >= 8) walk_result(gap_bytes(data + 4, size - 4), id); /* a method, then its answer */
    return 0;
}
