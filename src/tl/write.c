/*
 * tl/write.c - structs to bytes. One walk serves both gap_tl_size (no output) and gap_tl_write.
 * Optional fields are written if their bit is set in the flag word; the words are never touched.
 * Serialised parts (data not NULL) are copied as they are: only their size, and the type of an id
 * that the schema knows, are checked. Owns nothing, allocates nothing.
 */
#include "tl/tl.h"

#include <gapless/tl_mt.h>

#define TL_STRING_MAX  ((1U << 24) - 1) /* bytes */
#define TL_WRITTEN_MAX (1U << 30)       /* bytes */

struct writer {
    uint8_t *out; /* NULL: count only */
    size_t cap;
    size_t len;
};

static int write_object(struct writer *w, const gap_tl_object_t *object, uint16_t type,
                        uint32_t depth);
static int write_fields(struct writer *w, const gap_tl_info_t *info, const void *value,
                        uint32_t depth);

static int put(struct writer *w, const void *bytes, size_t n)
{
    if (n > w->cap - w->len) return GAP_E_LIMIT;
    if (w->out != NULL && n > 0) memcpy(w->out + w->len, bytes, n);
    w->len += n;
    return 0;
}

static int put32(struct writer *w, uint32_t v)
{
    return put(w, &v, sizeof v);
}

static int put_bytes(struct writer *w, const gap_bytes_t *bytes)
{
    static const uint8_t zero[4] = {0};
    uint8_t head[4];
    size_t head_len = bytes->len < 254 ? 1 : 4;

    if (bytes->len > TL_STRING_MAX) return GAP_E_LIMIT;
    if (bytes->data == NULL && bytes->len > 0) return GAP_E_ARGUMENT;
    gap_store32(head, head_len == 1 ? (uint32_t)bytes->len : (uint32_t)bytes->len << 8 | 0xfeU);
    int r = put(w, head, head_len);
    if (r == 0) r = put(w, bytes->data, bytes->len);
    if (r == 0) r = put(w, zero, (4 - (head_len + bytes->len) % 4) % 4);
    return r;
}

/* Size of one element in the caller's array. */
static size_t stride_of(uint8_t elem, uint16_t target)
{
    switch (elem) {
    case GAP_TL_K_OBJECT:
        return sizeof(gap_tl_object_t);
    case GAP_TL_K_BARE:
        return gap_tl_infos[target].size;
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        return sizeof(gap_bytes_t);
    default:
        return gap_tl_fixed_size(elem, 0);
    }
}

static int write_items(struct writer *w, const gap_tl_field_t *field, const gap_tl_vector_t *vector,
                       uint32_t depth)
{
    size_t stride = stride_of(field->elem, field->target);
    int r = 0;

    for (uint32_t i = 0; i < vector->count && r == 0; i++) {
        const void *item = (const char *)vector->items + i * stride;
        switch (field->elem) {
        case GAP_TL_K_OBJECT:
            r = write_object(w, item, field->target, depth);
            break;
        case GAP_TL_K_BARE:
            r = write_fields(w, &gap_tl_infos[field->target], item, depth);
            break;
        case GAP_TL_K_STRING:
        case GAP_TL_K_BYTES:
            r = put_bytes(w, item);
            break;
        default:
            r = put(w, item, stride);
        }
    }
    return r;
}

/* @p depth is that of the vector. */
static int write_vector(struct writer *w, const gap_tl_field_t *field,
                        const gap_tl_vector_t *vector, uint32_t depth)
{
    int r = 0;

    if (field->elem == GAP_TL_K_OBJECT && depth > GAP_TL_DEPTH_MAX) return GAP_E_LIMIT;
    if (field->boxed) r = put32(w, GAP_TL_VECTOR);
    if (r == 0) r = put32(w, vector->count);
    if (r < 0) return r;
    if (vector->data != NULL) {
        if (vector->len % 4 != 0 || vector->len / 4 < vector->count) return GAP_E_ARGUMENT;
        return put(w, vector->data, vector->len);
    }
    if (vector->items == NULL && vector->count > 0) return GAP_E_ARGUMENT;
    return write_items(w, field, vector, depth + 1);
}

static int write_bool(struct writer *w, const bool *value)
{
    return put32(w, *value ? GAP_MT_BOOL_TRUE : GAP_MT_BOOL_FALSE);
}

/* What is left of an enclosing message: its length goes into the four bytes in front. */
static int write_sized(struct writer *w, const gap_tl_object_t *object, uint32_t depth)
{
    size_t start = w->len;
    int r = write_object(w, object, 0, depth);

    if (r == 0 && w->out != NULL) gap_store32(w->out + start - 4, (uint32_t)(w->len - start));
    return r;
}

static int write_field(struct writer *w, const gap_tl_field_t *field, const void *member,
                       uint32_t depth)
{
    switch (field->kind) {
    case GAP_TL_K_TRUE:
        return 0;
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        return put_bytes(w, member);
    case GAP_TL_K_BOOL:
        return write_bool(w, member);
    case GAP_TL_K_OBJECT:
        return write_object(w, member, field->target, depth + 1);
    case GAP_TL_K_REST:
        return write_object(w, member, 0, depth + 1);
    case GAP_TL_K_SIZED:
        return write_sized(w, member, depth + 1);
    case GAP_TL_K_VECTOR:
        return write_vector(w, field, member, depth + 1);
    default:
        return put(w, member, gap_tl_fixed_size(field->kind, 0));
    }
}

static int write_fields(struct writer *w, const gap_tl_info_t *info, const void *value,
                        uint32_t depth)
{
    const gap_tl_field_t *field = &gap_tl_fields[info->first];
    uint64_t flags = 1ULL << GAP_TL_BIT_ALWAYS;

    for (const gap_tl_field_t *last = field + info->count; field < last; field++) {
        if (((flags >> field->bit) & 1) == 0) continue;
        const void *member = (const char *)value + field->offset;
        if (field->kind == GAP_TL_K_FLAGS) {
            uint32_t word;
            memcpy(&word, member, sizeof word);
            flags |= (uint64_t)word << (32 * field->target);
        }
        int r = write_field(w, field, member, depth);
        if (r < 0) return r;
    }
    return 0;
}

static int write_raw(struct writer *w, const gap_tl_object_t *object, uint16_t type)
{
    if (object->len < 4 || object->len % 4 != 0) return GAP_E_ARGUMENT;
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(object->data));
    if (type != 0 && slot != NULL && slot->type != type) return GAP_E_ARGUMENT;
    return put(w, object->data, object->len);
}

static int write_object(struct writer *w, const gap_tl_object_t *object, uint16_t type,
                        uint32_t depth)
{
    if (depth > GAP_TL_DEPTH_MAX) return GAP_E_LIMIT;
    if (object->data != NULL) return write_raw(w, object, type);
    if (object->id == 0) return GAP_E_ARGUMENT;
    const gap_tl_slot_t *slot = gap_tl_slot(object->id);
    if (slot == NULL) return GAP_E_TL_ID;
    if (type != 0 && slot->type != type) return GAP_E_ARGUMENT;
    const gap_tl_info_t *info = &gap_tl_infos[slot->index];
    if (object->value == NULL && info->count > 0) return GAP_E_ARGUMENT;
    int r = put32(w, object->id);
    return r < 0 ? r : write_fields(w, info, object->value, depth);
}

int64_t gap_tl_size(gap_tl_object_t object)
{
    struct writer w = {NULL, TL_WRITTEN_MAX, 0};
    int r = write_object(&w, &object, 0, 1);

    return r < 0 ? r : (int64_t)w.len;
}

int64_t gap_tl_write(gap_tl_object_t object, uint8_t *out, size_t cap)
{
    struct writer w = {out, cap < TL_WRITTEN_MAX ? cap : TL_WRITTEN_MAX, 0};

    if (out == NULL) return GAP_E_ARGUMENT;
    int r = write_object(&w, &object, 0, 1);
    return r < 0 ? r : (int64_t)w.len;
}
