/* tests/tl_random.c - see tests/tl_random.h. Optional fields get rarer with depth, and once the
 * allowance of objects is spent only the constructors with the least nesting are made, so every
 * object ends. */
#include "tests/tl_random.h"

#include <gapless/tl_mt.h>

#include <stdlib.h>
#include <string.h>

static void fill_struct(tl_random_t *r, const gap_tl_info_t *info, void *out, int depth);
static gap_tl_object_t make_object(tl_random_t *r, uint32_t index, int depth);

static uint64_t below(tl_random_t *r, uint64_t n)
{
    return gap_prng_below(&r->prng, n);
}

/* Nesting that a constructor needs at least, given that of every type; 255 is not known yet. */
static uint8_t least_depth(const gap_tl_info_t *info, const uint8_t *of_type)
{
    uint8_t depth = 0;

    for (uint32_t i = 0; i < info->count; i++) {
        const gap_tl_field_t *field = &gap_tl_fields[info->first + i];
        if (field->kind != GAP_TL_K_OBJECT || field->bit != GAP_TL_BIT_ALWAYS) continue;
        if (of_type[field->target] > depth) depth = of_type[field->target];
    }
    return depth == 255 ? 255 : (uint8_t)(depth + 1);
}

static void find_shallow(tl_random_t *r)
{
    uint8_t *of_type = malloc(gap_tl_type_count);
    bool changed = true;

    if (of_type == NULL) abort();
    memset(of_type, 255, gap_tl_type_count);
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < gap_tl_info_count; i++) {
            const gap_tl_info_t *info = &gap_tl_infos[i];
            uint8_t depth = info->is_method ? 255 : least_depth(info, of_type);
            if (depth >= of_type[info->type]) continue;
            of_type[info->type] = depth;
            r->shallow[info->type] = (uint16_t)i;
            changed = true;
        }
    }
    free(of_type);
}

static void order_by_type(tl_random_t *r)
{
    uint32_t at = 0;

    for (uint32_t t = 0; t < gap_tl_type_count; t++) {
        for (uint32_t i = 0; i < gap_tl_info_count; i++)
            if (gap_tl_infos[i].type == t && !gap_tl_infos[i].is_method)
                r->by_type[at++] = (uint16_t)i;
        r->type_end[t] = at;
    }
}

void tl_random_init(tl_random_t *r, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    r->prng.state = seed;
    r->arena = malloc(TL_RANDOM_ARENA);
    r->shallow = calloc(gap_tl_type_count, sizeof *r->shallow);
    r->by_type = calloc(gap_tl_info_count, sizeof *r->by_type);
    r->type_end = calloc(gap_tl_type_count, sizeof *r->type_end);
    if (r->arena == NULL || r->shallow == NULL || r->by_type == NULL || r->type_end == NULL)
        abort();
    find_shallow(r);
    order_by_type(r);
}

void tl_random_fini(tl_random_t *r)
{
    free(r->arena);
    free(r->shallow);
    free(r->by_type);
    free(r->type_end);
}

static void *take(tl_random_t *r, size_t size)
{
    void *p = r->arena + r->used;

    r->used += (size + 15U) & ~(size_t)15U;
    if (r->used > TL_RANDOM_ARENA) abort(); /* the allowance of objects keeps far below */
    return memset(p, 0, size);
}

static uint64_t any_bits(tl_random_t *r)
{
    static const uint64_t special[] = {0, 1, UINT64_MAX, 1ULL << 63, 0x7fffffff, 0x80000000U};

    return below(r, 4) == 0 ? special[below(r, 6)] : gap_prng_next(&r->prng);
}

/* Mostly short; sometimes around the length where the head changes; text, or any bytes. */
static gap_bytes_t any_bytes(tl_random_t *r, bool text)
{
    static const char *pieces[] = {
        "a", "Z", "\"", "\\", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x01", "/"};
    size_t len = below(r, 40) == 0 ? 250 + below(r, 10) : below(r, 12);
    uint8_t *data = take(r, len + 4);
    size_t at = 0;

    while (at < len) {
        const char *piece = pieces[below(r, 10)];
        if (!text || below(r, 100) == 0)
            data[at++] = (uint8_t)gap_prng_next(&r->prng);
        else if (at + strlen(piece) <= len)
            memcpy(data + at, piece, strlen(piece)), at += strlen(piece);
        else
            data[at++] = 'x';
    }
    return gap_bytes(data, len);
}

/* From here on nothing is made that need not be. */
static bool spent(const tl_random_t *r, int depth)
{
    return r->objects <= 0 || depth > 8;
}

static gap_tl_object_t of_type(tl_random_t *r, uint16_t type, int depth)
{
    uint32_t first = r->type_end[type - 1], end = r->type_end[type];

    if (spent(r, depth)) return make_object(r, r->shallow[type], depth);
    return make_object(r, r->by_type[first + below(r, end - first)], depth);
}

/* What stands for Object or !X: anything boxed, known or not. */
static gap_tl_object_t any_rest(tl_random_t *r, int depth)
{
    static const uint8_t ints[] = {0x15, 0xc4, 0xb5, 0x1c, 1, 0, 0, 0, 7, 0, 0, 0};
    static const uint8_t unknown[] = {1, 2, 3, 4, 5, 6, 7, 8};
    gap_tl_object_t raw = {NULL, 0, NULL, 0};

    if (depth > 4 || below(r, 8) == 0) {
        bool vector = below(r, 2) == 0;
        raw.data = vector ? ints : unknown;
        raw.len = vector ? sizeof ints : sizeof unknown;
        raw.id = gap_load32(raw.data);
        return raw;
    }
    return make_object(r, (uint32_t)below(r, gap_tl_info_count), depth);
}

static gap_tl_vector_t any_vector(tl_random_t *r, const gap_tl_field_t *field, int depth)
{
    bool nested = field->elem == GAP_TL_K_OBJECT || field->elem == GAP_TL_K_BARE;
    uint32_t count = nested && spent(r, depth) ? 0 : (uint32_t)below(r, 4);
    size_t fixed = gap_tl_fixed_size(field->elem, 0);

    if (field->elem == GAP_TL_K_OBJECT) {
        gap_tl_object_t *items = take(r, count * sizeof *items + 1);
        for (uint32_t i = 0; i < count; i++) items[i] = of_type(r, field->target, depth + 2);
        return gap_tl_array(items, count);
    }
    if (field->elem == GAP_TL_K_BARE) {
        const gap_tl_info_t *info = &gap_tl_infos[field->target];
        uint8_t *items = take(r, count * (size_t)info->size + 1);
        for (uint32_t i = 0; i < count; i++)
            fill_struct(r, info, items + i * (size_t)info->size, depth + 2);
        return gap_tl_array(items, count);
    }
    if (fixed > 0) {
        uint8_t *items = take(r, count * fixed + 8);
        for (size_t i = 0; i < count * fixed; i++) items[i] = (uint8_t)gap_prng_next(&r->prng);
        return gap_tl_array(items, count);
    }
    gap_bytes_t *items = take(r, count * sizeof *items + 1);
    for (uint32_t i = 0; i < count; i++) items[i] = any_bytes(r, field->elem == GAP_TL_K_STRING);
    return gap_tl_array(items, count);
}

static uint32_t any_flags(tl_random_t *r, const gap_tl_info_t *info, uint16_t word, int depth)
{
    uint64_t one_in = depth <= 1 ? 2 : depth == 2 ? 6 : 24;
    uint32_t flags = 0;

    if (below(r, 4) == 0 && depth <= 1) one_in = 1;
    for (uint32_t i = 0; i < info->count; i++) {
        const gap_tl_field_t *field = &gap_tl_fields[info->first + i];
        if (field->bit == GAP_TL_BIT_ALWAYS || field->bit / 32 != word) continue;
        if ((field->kind == GAP_TL_K_TRUE || !spent(r, depth)) && below(r, one_in) == 0)
            flags |= 1U << (field->bit % 32);
    }
    return flags;
}

static void fill_field(tl_random_t *r, const gap_tl_info_t *info, const gap_tl_field_t *field,
                       void *member, int depth)
{
    uint64_t bits = any_bits(r);
    double number = (double)(int64_t)bits / 1024;

    switch (field->kind) {
    case GAP_TL_K_FLAGS:
        *(uint32_t *)member = any_flags(r, info, field->target, depth);
        break;
    case GAP_TL_K_DOUBLE:
        memcpy(member, &number, sizeof number);
        break;
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        *(gap_bytes_t *)member = any_bytes(r, field->kind == GAP_TL_K_STRING);
        break;
    case GAP_TL_K_BOOL:
        *(bool *)member = bits & 1;
        break;
    case GAP_TL_K_OBJECT:
        *(gap_tl_object_t *)member = of_type(r, field->target, depth + 1);
        break;
    case GAP_TL_K_VECTOR:
        *(gap_tl_vector_t *)member = any_vector(r, field, depth);
        break;
    case GAP_TL_K_REST:
    case GAP_TL_K_SIZED:
        *(gap_tl_object_t *)member = any_rest(r, depth + 1);
        break;
    default: {
        size_t size = gap_tl_fixed_size(field->kind, 0);
        for (size_t i = 0; i < size; i += 4)
            gap_store32((uint8_t *)member + i, (uint32_t)any_bits(r));
        if (size == 8) memcpy(member, &bits, sizeof bits);
    }
    }
}

static void fill_struct(tl_random_t *r, const gap_tl_info_t *info, void *out, int depth)
{
    uint64_t flags = 1ULL << GAP_TL_BIT_ALWAYS;

    r->objects--;
    for (uint32_t i = 0; i < info->count; i++) {
        const gap_tl_field_t *field = &gap_tl_fields[info->first + i];
        uint8_t *member = (uint8_t *)out + field->offset;
        if (field->kind == GAP_TL_K_TRUE || ((flags >> field->bit) & 1) == 0) continue;
        fill_field(r, info, field, member, depth);
        if (field->kind == GAP_TL_K_FLAGS)
            flags |= (uint64_t)gap_load32(member) << (32 * field->target);
    }
}

static gap_tl_object_t make_object(tl_random_t *r, uint32_t index, int depth)
{
    const gap_tl_info_t *info = &gap_tl_infos[index];
    void *value = take(r, info->size);

    fill_struct(r, info, value, depth);
    return gap_tl_of(info->id, info->count == 0 ? NULL : value);
}

gap_tl_object_t tl_random_object(tl_random_t *r, uint32_t index)
{
    r->used = 0;
    r->objects = 120;
    return make_object(r, index, 1);
}
