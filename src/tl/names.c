/* tl/names.c - what the tables say about an id, and the small helpers of <gapless/tl.h>. */
#include "tl/tl.h"

#include <gapless/tl_mt.h>

const uint8_t gap_tl_kind_sizes[] = {
    [GAP_TL_K_FLAGS] = 4, [GAP_TL_K_INT] = 4,    [GAP_TL_K_BYTE_COUNT] = 4, [GAP_TL_K_BOOL] = 4,
    [GAP_TL_K_LONG] = 8,  [GAP_TL_K_DOUBLE] = 8, [GAP_TL_K_INT128] = 16,    [GAP_TL_K_INT256] = 32,
};

gap_bytes_t gap_str(const char *text)
{
    return gap_bytes(text, strlen(text));
}

const char *gap_tl_name(uint32_t id)
{
    int at = gap_tl_find(id);

    if (id == GAP_TL_VECTOR) return "vector";
    return at < 0 ? NULL : &gap_tl_names[gap_tl_infos[at].name];
}

const char *gap_tl_type(uint32_t id)
{
    int at = gap_tl_find(id);

    if (id == GAP_TL_VECTOR) return "Vector t";
    return at < 0 ? NULL : &gap_tl_names[gap_tl_type_names[gap_tl_infos[at].type]];
}

bool gap_tl_is_method(uint32_t id)
{
    int at = gap_tl_find(id);

    return at >= 0 && gap_tl_infos[at].is_method;
}

int gap_tl_equal(gap_bytes_t a, gap_bytes_t b)
{
    int64_t len_a = gap_tl_skip(a);
    if (len_a < 0) return (int)len_a;
    int64_t len_b = gap_tl_skip(b);
    if (len_b < 0) return (int)len_b;
    return len_a == len_b && memcmp(a.data, b.data, (size_t)len_a) == 0 ? 1 : 0;
}
