/*
 * tl/tl.h - the generated tables, and the entry points that the layers above use beyond the
 * public <gapless/tl.h>.
 *
 * A constructor id is found through a perfect hash: one load of a displacement, one of the slot.
 * The slot alone is enough to skip an object of fixed size; any other has a skip function.
 */
#ifndef GAP_TL_TL_H
#define GAP_TL_TL_H

#include <gapless/tl.h>

#include "base/bytes.h"

/** What a field is. REST takes all that is left of the input; SIZED takes as many bytes as the
 * BYTE_COUNT in front of it says; TRUE is a flag bit alone. */
typedef enum gap_tl_kind {
    GAP_TL_K_NONE,
    GAP_TL_K_FLAGS,
    GAP_TL_K_TRUE,
    GAP_TL_K_INT,
    GAP_TL_K_LONG,
    GAP_TL_K_DOUBLE,
    GAP_TL_K_INT128,
    GAP_TL_K_INT256,
    GAP_TL_K_STRING,
    GAP_TL_K_BYTES,
    GAP_TL_K_BOOL,
    GAP_TL_K_OBJECT,
    GAP_TL_K_VECTOR,
    GAP_TL_K_BARE,
    GAP_TL_K_REST,
    GAP_TL_K_SIZED,
    GAP_TL_K_BYTE_COUNT
} gap_tl_kind_t;

/** `bit` of what is not optional. */
#define GAP_TL_BIT_ALWAYS 63

typedef struct gap_tl_field {
    uint32_t name;   /* offset in gap_tl_names */
    uint16_t offset; /* of the member in the struct; 0 for TRUE */
    uint16_t target; /* OBJECT: type number; BARE: index of the combinator; FLAGS: which word */
    uint8_t kind;
    uint8_t bit;   /* 0-31 in flags, 32-62 in flags2, GAP_TL_BIT_ALWAYS */
    uint8_t elem;  /* VECTOR: kind of the elements; target tells which */
    uint8_t boxed; /* VECTOR: with id */
} gap_tl_field_t;

/** One combinator. */
typedef struct gap_tl_info {
    uint32_t id;
    uint32_t name;        /* offset in gap_tl_names */
    uint16_t type;        /* what it constructs or returns */
    uint16_t size;        /* of the struct */
    uint16_t first;       /* its fields are gap_tl_fields[first] ... */
    uint16_t elem_target; /* method that returns a vector: type number of the elements */
    uint8_t count;        /* ... first + count - 1 */
    uint8_t elem;         /* method that returns a vector: kind of the elements */
    bool is_method;
} gap_tl_info_t;

#define GAP_TL_SLOT_METHOD 0x8000U

typedef struct gap_tl_slot {
    uint32_t id;
    uint16_t type;  /* with GAP_TL_SLOT_METHOD for methods, so that no field accepts them */
    uint16_t fixed; /* bytes of every object of this constructor, id included; 0 if they vary */
    uint16_t body;  /* its skip function in gap_tl_bodies, if they vary */
    uint16_t index; /* in gap_tl_infos */
} gap_tl_slot_t;

#define GAP_TL_BUCKETS    1024U
#define GAP_TL_SLOTS      4096U
#define GAP_TL_MULTIPLIER 0x9e3779b1U

extern const uint16_t gap_tl_moves[];
extern const gap_tl_slot_t gap_tl_slots[];
extern const gap_tl_info_t gap_tl_infos[];
extern const uint32_t gap_tl_info_count;
extern const gap_tl_field_t gap_tl_fields[];
extern const uint32_t gap_tl_type_names[];
extern const uint32_t gap_tl_type_count;
extern const char gap_tl_names[];

/** The slot of a constructor or method, NULL if the id is not in the schema. */
static inline const gap_tl_slot_t *gap_tl_slot(uint32_t id)
{
    uint32_t at = ((id * GAP_TL_MULTIPLIER) >> 20) + gap_tl_moves[id & (GAP_TL_BUCKETS - 1)];
    const gap_tl_slot_t *slot = &gap_tl_slots[at & (GAP_TL_SLOTS - 1)];
    return slot->id == id ? slot : NULL;
}

/** Index of a combinator in gap_tl_infos, -1 if the id is not in the schema. */
static inline int gap_tl_find(uint32_t id)
{
    const gap_tl_slot_t *slot = gap_tl_slot(id);
    return slot == NULL ? -1 : slot->index;
}

/** Bytes that every value of a kind takes, by kind; 0 if they vary. */
extern const uint8_t gap_tl_kind_sizes[];

/** The same, for BARE too. @param target Combinator, if kind is BARE. */
static inline size_t gap_tl_fixed_size(uint8_t kind, uint16_t target)
{
    if (kind != GAP_TL_K_BARE) return gap_tl_kind_sizes[kind];
    size_t boxed = gap_tl_slot(gap_tl_infos[target].id)->fixed;
    return boxed == 0 ? 0 : boxed - 4;
}

/**
 * Pass a boxed object.
 *
 * @param at     In: its id. Out, on success only: behind it.
 * @param end    End of the bytes.
 * @param type   Its type number; 0 for any constructor or method.
 * @param depth  Nesting of this object, 1 for an outermost one.
 * @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT.
 */
GAP_NODISCARD int gap_tl_pass(const uint8_t **at, const uint8_t *end, uint32_t type,
                              uint32_t depth);

/**
 * Pass a boxed vector of boxed objects of one type and make a view of it.
 *
 * @param type   Type number.
 * @param depth  Nesting of the vector.
 * @return as gap_tl_pass.
 */
GAP_NODISCARD int gap_tl_pass_typed(const uint8_t **at, const uint8_t *end, uint16_t type,
                                    uint32_t depth, gap_tl_vector_t *out);

/** Pass a string and make a view of its bytes. @return 0, GAP_E_TL. */
GAP_NODISCARD static inline int gap_tl_pass_bytes(const uint8_t **at, const uint8_t *end,
                                                  gap_bytes_t *out)
{
    size_t left = (size_t)(end - *at);
    if (left < 4) return GAP_E_TL;
    uint32_t word = gap_load32(*at);
    uint32_t head = (word & 0xffU) == 0xfeU ? 4 : 1;
    uint32_t len = head == 4 ? word >> 8 : word & 0xffU;
    if ((word & 0xffU) == 0xffU) return GAP_E_TL;
    if (left < ((head + len + 3U) & ~3U)) return GAP_E_TL;
    out->data = *at + head;
    out->len = len;
    *at += (head + len + 3U) & ~3U;
    return 0;
}

/**
 * Pass a vector and make a view of it.
 *
 * @param field  Of kind VECTOR.
 * @param depth  Nesting of the vector: that of the object it is a field of, plus one.
 * @return as gap_tl_pass.
 */
GAP_NODISCARD int gap_tl_pass_vector(const gap_tl_field_t *field, const uint8_t **at,
                                     const uint8_t *end, uint32_t depth, gap_tl_vector_t *out);

#endif
