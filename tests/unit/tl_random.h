/*
 * tests/unit/tl_random.h - serialised objects made from the tables: random, valid, of any
 * constructor. For tests that must hold for a whole schema.
 */
#ifndef GAP_TESTS_TL_RANDOM_H
#define GAP_TESTS_TL_RANDOM_H

#include "base/buf.h"
#include "base/prng.h"
#include "tl/tl.h"

#include <check.h>
#include <gapless/tl_mt.h>

static void random_fields(gap_buf_t *b, gap_prng_t *rng, const gap_tl_info_t *info, int depth);

static inline void random_bytes(gap_buf_t *b, gap_prng_t *rng)
{
    uint8_t text[16] = {0};
    size_t n = gap_prng_below(rng, 12);

    text[0] = (uint8_t)n;
    for (size_t i = 0; i < n; i++) text[1 + i] = (uint8_t)('a' + gap_prng_below(rng, 26));
    ck_assert_int_eq(gap_buf_append(b, text, (n + 4) & ~(size_t)3), 0);
}

/* Any constructor of the type; deep down the one with the fewest fields. */
static inline const gap_tl_info_t *random_constructor(gap_prng_t *rng, uint16_t type, int depth)
{
    const gap_tl_info_t *found = NULL;
    uint32_t seen = 0;

    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const gap_tl_info_t *info = &gap_tl_infos[i];
        if (info->is_method || info->type != type) continue;
        seen++;
        bool take = depth > 4 ? found == NULL || info->count < found->count
                              : gap_prng_below(rng, seen) == 0;
        if (take) found = info;
    }
    ck_assert_ptr_nonnull(found);
    return found;
}

static inline void random_boxed(gap_buf_t *b, gap_prng_t *rng, const gap_tl_info_t *info, int depth)
{
    ck_assert_int_eq(gap_buf_append32(b, info->id), 0);
    random_fields(b, rng, info, depth + 1);
}

static inline void random_value(gap_buf_t *b, gap_prng_t *rng, uint8_t kind, uint16_t target,
                                int depth)
{
    switch (kind) {
    case GAP_TL_K_INT:
        ck_assert_int_eq(gap_buf_append32(b, (uint32_t)gap_prng_below(rng, 1 << 30)), 0);
        break;
    case GAP_TL_K_LONG:
    case GAP_TL_K_DOUBLE:
        ck_assert_int_eq(gap_buf_append64(b, gap_prng_below(rng, (uint64_t)1 << 50)), 0);
        break;
    case GAP_TL_K_INT256:
        for (int i = 0; i < 2; i++) ck_assert_int_eq(gap_buf_append64(b, 7), 0);
        GAP_FALLTHROUGH;
    case GAP_TL_K_INT128:
        for (int i = 0; i < 2; i++) ck_assert_int_eq(gap_buf_append64(b, 8), 0);
        break;
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        random_bytes(b, rng);
        break;
    case GAP_TL_K_BOOL:
        ck_assert_int_eq(
            gap_buf_append32(b, gap_prng_below(rng, 2) == 0 ? GAP_MT_BOOL_TRUE : GAP_MT_BOOL_FALSE),
            0);
        break;
    case GAP_TL_K_OBJECT:
        random_boxed(b, rng, random_constructor(rng, target, depth), depth);
        break;
    default:
        ck_abort_msg("no random value for kind %u", kind);
    }
}

/* All flag bits that the schema names are drawn, at half; deep down none is set. */
static inline uint32_t random_flags(gap_prng_t *rng, const gap_tl_info_t *info, int word, int depth)
{
    uint32_t flags = 0;

    for (int i = 0; i < info->count; i++) {
        const gap_tl_field_t *f = &gap_tl_fields[info->first + i];
        if (f->bit == GAP_TL_BIT_ALWAYS || f->bit / 32 != word) continue;
        if (depth <= 4 && gap_prng_below(rng, 2) == 0) flags |= (uint32_t)1 << (f->bit % 32);
    }
    return flags;
}

static inline void random_fields(gap_buf_t *b, gap_prng_t *rng, const gap_tl_info_t *info,
                                 int depth)
{
    uint32_t flags[2] = {0, 0};
    int word = 0;

    for (int i = 0; i < info->count; i++) {
        const gap_tl_field_t *f = &gap_tl_fields[info->first + i];
        if (f->bit != GAP_TL_BIT_ALWAYS && (flags[f->bit / 32] >> (f->bit % 32) & 1) == 0) continue;
        if (f->kind == GAP_TL_K_TRUE) continue;
        if (f->kind == GAP_TL_K_FLAGS) {
            flags[word] = random_flags(rng, info, word, depth);
            ck_assert_int_eq(gap_buf_append32(b, flags[word]), 0);
            word++;
        } else if (f->kind == GAP_TL_K_VECTOR) {
            uint32_t n = depth > 4 ? 0 : (uint32_t)gap_prng_below(rng, 3);
            if (f->boxed) ck_assert_int_eq(gap_buf_append32(b, GAP_TL_VECTOR), 0);
            ck_assert_int_eq(gap_buf_append32(b, n), 0);
            for (uint32_t k = 0; k < n; k++) random_value(b, rng, f->elem, f->target, depth);
        } else {
            random_value(b, rng, f->kind, f->target, depth);
        }
    }
}

/** Append a random boxed object of this constructor. */
static inline void random_object(gap_buf_t *b, gap_prng_t *rng, uint32_t id)
{
    int index = gap_tl_find(id);
    ck_assert_int_ge(index, 0);
    random_boxed(b, rng, &gap_tl_infos[index], 0);
}

/** A field of a constructor by its name in the schema, or NULL. */
static inline const gap_tl_field_t *field_named(const gap_tl_info_t *info, const char *name)
{
    for (int i = 0; i < info->count; i++) {
        const gap_tl_field_t *f = &gap_tl_fields[info->first + i];
        if (strcmp(gap_tl_names + f->name, name) == 0) return f;
    }
    return NULL;
}

#endif
