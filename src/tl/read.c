/*
 * tl/read.c - one level of an object into its struct, and walking over vectors. Views point into
 * the bytes read; what is nested is passed with the validating skip, so that every view handed out
 * is well formed. Owns nothing, allocates nothing.
 */
#include "tl/tl.h"

#include <gapless/tl_mt.h>

static int read_bool(const uint8_t **at, const uint8_t *end, bool *out)
{
    if (end - *at < 4) return GAP_E_TL;
    uint32_t id = gap_load32(*at);
    if (id != GAP_MT_BOOL_TRUE && id != GAP_MT_BOOL_FALSE) return GAP_E_TL;
    *out = id == GAP_MT_BOOL_TRUE;
    *at += 4;
    return 0;
}

static int read_object(const gap_tl_field_t *field, const uint8_t **at, const uint8_t *end,
                       uint32_t depth, gap_tl_object_t *out)
{
    const uint8_t *p = *at;

    if (field->kind == GAP_TL_K_OBJECT) {
        int r = gap_tl_pass(&p, end, field->target, depth);
        if (r < 0) return r;
    } else {
        size_t size = (size_t)(end - p);
        if (field->kind == GAP_TL_K_SIZED) {
            if (gap_load32(p - 4) > size) return GAP_E_TL;
            size = gap_load32(p - 4);
        }
        if (size < 4 || size % 4 != 0) return GAP_E_TL;
        p += size;
    }
    out->data = *at;
    out->len = (size_t)(p - *at);
    out->value = NULL;
    out->id = gap_load32(*at);
    *at = p;
    return 0;
}

static int read_field(const gap_tl_field_t *field, const uint8_t **at, const uint8_t *end,
                      void *member)
{
    switch (field->kind) {
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        return gap_tl_pass_bytes(at, end, member);
    case GAP_TL_K_BOOL:
        return read_bool(at, end, member);
    case GAP_TL_K_OBJECT:
    case GAP_TL_K_REST:
    case GAP_TL_K_SIZED:
        return read_object(field, at, end, 2, member);
    case GAP_TL_K_VECTOR:
        return gap_tl_pass_vector(field, at, end, 2, member);
    default: /* TRUE */
        return 0;
    }
}

static void copy_fixed(void *member, const uint8_t *from, size_t size)
{
    if (size == 4)
        memcpy(member, from, 4);
    else if (size == 8)
        memcpy(member, from, 8);
    else
        memcpy(member, from, size);
}

/* The fields behind the id. */
static int read_fields(const gap_tl_info_t *info, const uint8_t **at, const uint8_t *end, void *out)
{
    const gap_tl_field_t *field = &gap_tl_fields[info->first];
    uint64_t flags = 1ULL << GAP_TL_BIT_ALWAYS;

    memset(out, 0, info->size);
    for (const gap_tl_field_t *last = field + info->count; field < last; field++) {
        if (((flags >> field->bit) & 1) == 0) continue;
        size_t size = gap_tl_kind_sizes[field->kind];
        if (size == 0 || field->kind == GAP_TL_K_BOOL) {
            int r = read_field(field, at, end, (char *)out + field->offset);
            if (r < 0) return r;
            continue;
        }
        if ((size_t)(end - *at) < size) return GAP_E_TL;
        copy_fixed((char *)out + field->offset, *at, size);
        if (field->kind == GAP_TL_K_FLAGS)
            flags |= (uint64_t)gap_load32(*at) << (32 * field->target);
        *at += size;
    }
    return 0;
}

int64_t gap_tl_read(gap_bytes_t in, uint32_t id, void *out, size_t out_size)
{
    const gap_tl_slot_t *slot = gap_tl_slot(id);

    if (slot == NULL || gap_tl_infos[slot->index].size != out_size) return GAP_E_ARGUMENT;
    if (in.len < 4 || gap_load32(in.data) != id) return GAP_E_TL;
    const uint8_t *p = in.data + 4;
    int r = read_fields(&gap_tl_infos[slot->index], &p, in.data + in.len, out);
    return r < 0 ? r : p - in.data;
}

int gap_tl_object(gap_bytes_t in, gap_tl_object_t *out)
{
    int64_t len = gap_tl_skip(in);

    if (len < 0) return (int)len;
    out->data = in.data;
    out->len = (size_t)len;
    out->value = NULL;
    out->id = gap_load32(in.data);
    return 0;
}

int gap_tl_read_result(gap_bytes_t in, uint32_t method, gap_tl_vector_t *out)
{
    const gap_tl_slot_t *slot = gap_tl_slot(method);

    if (slot == NULL || gap_tl_infos[slot->index].elem == GAP_TL_K_NONE) return GAP_E_ARGUMENT;
    const gap_tl_info_t *info = &gap_tl_infos[slot->index];
    gap_tl_field_t field = {.kind = GAP_TL_K_VECTOR,
                            .bit = GAP_TL_BIT_ALWAYS,
                            .target = info->elem_target,
                            .elem = info->elem,
                            .boxed = 1};
    const uint8_t *p = in.data;
    if (in.len < 8) return GAP_E_TL;
    return gap_tl_pass_vector(&field, &p, in.data + in.len, 1, out);
}

/* ---- vectors ---- */

static bool at_end(const gap_tl_iter_t *it)
{
    return it->index >= it->vector.count;
}

static int next_scalar(gap_tl_iter_t *it, void *out, size_t size)
{
    if (at_end(it)) return 0;
    if (it->vector.len - it->at < size) return GAP_E_TL;
    memcpy(out, it->vector.data + it->at, size);
    it->at += size;
    it->index++;
    return 1;
}

int gap_tl_next_int(gap_tl_iter_t *it, int32_t *out)
{
    return next_scalar(it, out, sizeof *out);
}

int gap_tl_next_long(gap_tl_iter_t *it, int64_t *out)
{
    return next_scalar(it, out, sizeof *out);
}

int gap_tl_next(gap_tl_iter_t *it, gap_tl_object_t *out)
{
    if (at_end(it)) return 0;
    int r = gap_tl_object(gap_bytes(it->vector.data + it->at, it->vector.len - it->at), out);
    if (r < 0) return r;
    it->at += out->len;
    it->index++;
    return 1;
}

int gap_tl_next_bytes(gap_tl_iter_t *it, gap_bytes_t *out)
{
    if (at_end(it)) return 0;
    const uint8_t *p = it->vector.data + it->at;
    int r = gap_tl_pass_bytes(&p, it->vector.data + it->vector.len, out);
    if (r < 0) return r;
    it->at = (size_t)(p - it->vector.data);
    it->index++;
    return 1;
}

int gap_tl_next_bare(gap_tl_iter_t *it, uint32_t id, void *out, size_t out_size)
{
    const gap_tl_slot_t *slot = gap_tl_slot(id);

    if (slot == NULL || gap_tl_infos[slot->index].size != out_size) return GAP_E_ARGUMENT;
    if (at_end(it)) return 0;
    const uint8_t *p = it->vector.data + it->at;
    int r = read_fields(&gap_tl_infos[slot->index], &p, it->vector.data + it->vector.len, out);
    if (r < 0) return r;
    it->at = (size_t)(p - it->vector.data);
    it->index++;
    return 1;
}
