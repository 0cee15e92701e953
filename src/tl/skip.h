/*
 * tl/skip.h - what the generated skip functions are made of. One such function passes the fields
 * of one constructor, behind its id; constructors of the same shape share one. Straight code with
 * a call for every nested object costs half of what an interpreted program does, because hardly a
 * branch is mispredicted.
 *
 * A function returns the position behind the object, or NULL with state->error set. Runs of fields
 * of fixed size are passed at once.
 */
#ifndef GAP_TL_SKIP_H
#define GAP_TL_SKIP_H

#include "tl/tl.h"

#include <gapless/tl_mt.h>

#define GAP_TL_LIKELY(x)   __builtin_expect(!!(x), 1)
#define GAP_TL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define GAP_TL_INLINE      static inline __attribute__((always_inline))

/** State of one skip. */
typedef struct gap_tl_state {
    uint32_t depth; /* of the object whose fields are passed; 1 for the outermost */
    int error;      /* what a NULL means; GAP_E_TL unless set */
} gap_tl_state_t;

typedef const uint8_t *(*gap_tl_body_fn)(const uint8_t *p, const uint8_t *end,
                                         gap_tl_state_t *state);
extern const gap_tl_body_fn gap_tl_bodies[];

/** Pass one boxed object. @param type Its type number, 0 for any constructor or method. */
const uint8_t *gap_tl_pass_boxed(const uint8_t *p, const uint8_t *end, gap_tl_state_t *state,
                                 uint32_t type);
/** Pass a boxed vector of boxed objects. */
const uint8_t *gap_tl_pass_objects(const uint8_t *p, const uint8_t *end, gap_tl_state_t *state,
                                   uint32_t type);
const uint8_t *gap_tl_pass_strings(const uint8_t *p, const uint8_t *end);
const uint8_t *gap_tl_pass_fixed(const uint8_t *p, const uint8_t *end, bool boxed, uint32_t size);
const uint8_t *gap_tl_pass_messages(const uint8_t *p, const uint8_t *end);

GAP_TL_INLINE size_t gap_tl_left(const uint8_t *p, const uint8_t *end)
{
    return (size_t)(end - p);
}

GAP_TL_INLINE const uint8_t *gap_tl_pass_string(const uint8_t *p, const uint8_t *end)
{
    if (GAP_TL_UNLIKELY(gap_tl_left(p, end) < 4)) return NULL;
    uint32_t word = gap_load32(p);
    uint32_t first = word & 0xffU;
    uint32_t size = (first + 4U) & ~3U; /* length byte and padding included */
    if (GAP_TL_UNLIKELY(first >= 0xfeU)) {
        if (first == 0xffU) return NULL;
        size = ((word >> 8) + 7U) & ~3U;
    }
    return GAP_TL_LIKELY(size <= gap_tl_left(p, end)) ? p + size : NULL;
}

GAP_TL_INLINE const uint8_t *gap_tl_pass_bool(const uint8_t *p, const uint8_t *end)
{
    if (GAP_TL_UNLIKELY(gap_tl_left(p, end) < 4)) return NULL;
    uint32_t id = gap_load32(p);
    return id == GAP_MT_BOOL_TRUE || id == GAP_MT_BOOL_FALSE ? p + 4 : NULL;
}

/** As many bytes as the 4 bytes in front of p say. */
GAP_TL_INLINE const uint8_t *gap_tl_pass_sized(const uint8_t *p, const uint8_t *end)
{
    uint32_t size = gap_load32(p - 4);
    return size >= 4 && size % 4 == 0 && size <= gap_tl_left(p, end) ? p + size : NULL;
}

GAP_TL_INLINE const uint8_t *gap_tl_pass_rest(const uint8_t *p, const uint8_t *end)
{
    return gap_tl_left(p, end) >= 4 && gap_tl_left(p, end) % 4 == 0 ? end : NULL;
}

/* Statements of the generated functions; they use p, end, state and flags (flags2 in the high
 * half). */
#define NEED(n)                                                                                    \
    do {                                                                                           \
        if (GAP_TL_UNLIKELY(gap_tl_left(p, end) < (n))) return NULL;                               \
    } while (0)
#define FIXED(n)                                                                                   \
    do {                                                                                           \
        NEED(n);                                                                                   \
        p += (n);                                                                                  \
    } while (0)
#define PASS(call)                                                                                 \
    do {                                                                                           \
        p = (call);                                                                                \
        if (GAP_TL_UNLIKELY(p == NULL)) return NULL;                                               \
    } while (0)
/* `all` bytes: what is in front of the flag word at `at`, it, and what follows it. */
#define FLAGS_0(at, all)                                                                           \
    do {                                                                                           \
        NEED(all);                                                                                 \
        flags = gap_load32(p + (at));                                                              \
        p += (all);                                                                                \
    } while (0)
#define FLAGS_1(at, all)                                                                           \
    do {                                                                                           \
        NEED(all);                                                                                 \
        flags |= (uint64_t)gap_load32(p + (at)) << 32;                                             \
        p += (all);                                                                                \
    } while (0)
#define FLAGS_BOTH(at, all)                                                                        \
    do {                                                                                           \
        NEED(all);                                                                                 \
        flags = gap_load64(p + (at));                                                              \
        p += (all);                                                                                \
    } while (0)
#define STRING()                       PASS(gap_tl_pass_string(p, end))
#define BOOL()                         PASS(gap_tl_pass_bool(p, end))
#define OBJECT(type)                 PASS(gap_tl_pass_boxed(p, end, state, type))
#define VECTOR_OBJECT(type)          PASS(gap_tl_pass_objects(p, end, state, type))
#define VECTOR_STRING()                PASS(gap_tl_pass_strings(p, end))
#define VECTOR_FIXED(size)           PASS(gap_tl_pass_fixed(p, end, true, size))
#define VECTOR_FIXED_BARE(size)      PASS(gap_tl_pass_fixed(p, end, false, size))
#define MESSAGES()                     PASS(gap_tl_pass_messages(p, end))
#define REST()                         PASS(gap_tl_pass_rest(p, end))
#define SIZED()                        PASS(gap_tl_pass_sized(p, end))

#endif
