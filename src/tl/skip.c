/*
 * tl/skip.c - pass over serialised objects without reading them: the hot path of everything that
 * arrives. Runs the skip programs of the tables; what an object holds is checked on the way (type
 * of every nested constructor, vector counts, nesting, Bool), so a view handed out after a skip is
 * well formed all the way down.
 *
 * A bit of a flag word that the schema does not name is passed over like a `true` flag. Strings may
 * use the long form for a short length, and padding may be anything.
 *
 * Owns a stack of frames, one for every open object or vector of objects. Never recurses, allocates
 * or reads a byte twice.
 */
#include "tl/tl.h"

#include <gapless/tl_mt.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define INLINE      static inline __attribute__((always_inline))

/* What waits while something nested is passed. */
struct frame {
    const gap_tl_op_t *pc;
    uint64_t flags;
    uint32_t rest;
    uint16_t type;
    uint16_t depth;
};

/* flags in the low half, flags2 in the high half; bit 63 stands for "always". */
#define FLAGS_NONE (1ULL << GAP_TL_BIT_ALWAYS)

INLINE size_t left_of(const uint8_t *p, const uint8_t *end)
{
    return (size_t)(end - p);
}

/* These return the new position, or NULL for malformed data. */
INLINE const uint8_t *pass_string(const uint8_t *p, const uint8_t *end)
{
    if (UNLIKELY(left_of(p, end) < 4)) return NULL;
    uint32_t word = gap_load32(p);
    uint32_t first = word & 0xffU;
    uint32_t size = (first + 4U) & ~3U; /* length byte and padding included */
    if (UNLIKELY(first >= 0xfeU)) {
        if (first == 0xffU) return NULL;
        size = ((word >> 8) + 7U) & ~3U;
    }
    return LIKELY(size <= left_of(p, end)) ? p + size : NULL;
}

/* Head of a vector whose elements take at least `least` bytes each. */
INLINE const uint8_t *pass_count(const uint8_t *p, const uint8_t *end, bool boxed, uint32_t least,
                                 uint32_t *count)
{
    size_t head = boxed ? 8 : 4;
    if (UNLIKELY(left_of(p, end) < head)) return NULL;
    if (boxed && UNLIKELY(gap_load32(p) != GAP_TL_VECTOR)) return NULL;
    *count = gap_load32(p + head - 4);
    p += head;
    return LIKELY((uint64_t)*count * least <= left_of(p, end)) ? p : NULL;
}

static const uint8_t *pass_strings(const uint8_t *p, const uint8_t *end)
{
    uint32_t count;

    p = pass_count(p, end, true, 4, &count);
    for (; p != NULL && count > 0; count--) p = pass_string(p, end);
    return p;
}

INLINE const uint8_t *pass_sized(const uint8_t *p, const uint8_t *end)
{
    uint32_t size = gap_load32(p - 4);
    return size >= 4 && size % 4 == 0 && size <= left_of(p, end) ? p + size : NULL;
}

static const uint8_t *pass_messages(const uint8_t *p, const uint8_t *end)
{
    uint32_t count;

    p = pass_count(p, end, false, 16 + 4, &count);
    for (; p != NULL && count > 0; count--)
        p = left_of(p, end) < 16 ? NULL : pass_sized(p + 16, end);
    return p;
}

/* What is neither an object nor a vector of objects. */
INLINE const uint8_t *pass_flat(gap_tl_op_t op, const uint8_t *p, const uint8_t *end)
{
    uint32_t count;

    switch (op.code) {
    case GAP_TL_OP_STRING:
        return pass_string(p, end);
    case GAP_TL_OP_BOOL:
        if (left_of(p, end) < 4) return NULL;
        count = gap_load32(p);
        return count == GAP_MT_BOOL_TRUE || count == GAP_MT_BOOL_FALSE ? p + 4 : NULL;
    case GAP_TL_OP_VECTOR_FIXED:
    case GAP_TL_OP_VECTOR_FIXED_BARE:
        p = pass_count(p, end, op.code == GAP_TL_OP_VECTOR_FIXED, op.arg, &count);
        return p == NULL ? NULL : p + (size_t)count * op.arg;
    case GAP_TL_OP_VECTOR_STRING:
        return pass_strings(p, end);
    case GAP_TL_OP_MESSAGES:
        return pass_messages(p, end);
    case GAP_TL_OP_REST:
        return left_of(p, end) >= 4 && left_of(p, end) % 4 == 0 ? end : NULL;
    case GAP_TL_OP_SIZED:
        return pass_sized(p, end);
    default: /* FIXED: `pre` was all of it */
        return p;
    }
}

INLINE uint64_t load_flags(uint8_t code, const uint8_t *p)
{
    if (code == GAP_TL_OP_FLAGS_BOTH) return gap_load64(p);
    uint64_t word = gap_load32(p);
    return code == GAP_TL_OP_FLAGS_0 ? word : word << 32;
}

/* The slot of the object at p, after checking that it may be there. Type 0 is any. */
INLINE int enter(const uint8_t *p, const uint8_t *end, uint16_t type, uint32_t depth,
                 const gap_tl_slot_t **out)
{
    if (UNLIKELY(left_of(p, end) < 4)) return GAP_E_TL;
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(p));
    if (UNLIKELY(slot == NULL)) return GAP_E_TL_ID;
    if (UNLIKELY(type != 0 && slot->type != type)) return GAP_E_TL;
    if (UNLIKELY(depth > GAP_TL_DEPTH_MAX)) return GAP_E_LIMIT;
    if (UNLIKELY(slot->fixed > left_of(p, end))) return GAP_E_TL;
    *out = slot;
    return 0;
}

/* Objects of fixed size at the head of the `rest` elements of a vector. */
INLINE int pass_leaves(const uint8_t **at, const uint8_t *end, uint16_t type, uint32_t depth,
                       uint32_t *rest, const gap_tl_slot_t **next)
{
    *next = NULL;
    while (*rest > 0) {
        int r = enter(*at, end, type, depth, next);
        if (UNLIKELY(r < 0)) return r;
        *rest -= 1;
        if ((*next)->fixed == 0) return 0;
        *at += (*next)->fixed;
        *next = NULL;
    }
    return 0;
}

#define PUSH() (stack[open++] = (struct frame){pc, flags, rest, type, (uint16_t)depth})
#define POP()                                                                                      \
    do {                                                                                           \
        const struct frame *back = &stack[--open];                                                 \
        pc = back->pc;                                                                             \
        flags = back->flags;                                                                       \
        rest = back->rest;                                                                         \
        type = back->type;                                                                         \
        depth = back->depth;                                                                       \
    } while (0)
#define BEGIN(slot) (p += 4, flags = FLAGS_NONE, pc = &gap_tl_ops[(slot)->program])

int gap_tl_run(const gap_tl_op_t *pc, const uint8_t **at, const uint8_t *end, uint32_t depth)
{
    struct frame stack[GAP_TL_DEPTH_MAX];
    uint32_t open = 0;           /* frames in use; below depth, which ends at GAP_TL_DEPTH_MAX */
    uint64_t flags = FLAGS_NONE; /* of the object whose program runs */
    uint32_t rest = 0;           /* elements of `type` that follow this object in its vector */
    uint16_t type = 0;
    uint32_t count;
    const gap_tl_slot_t *next;
    const uint8_t *p = *at;
    int r;

    for (;;) {
        gap_tl_op_t op = *pc++;
        if (((flags >> op.bit) & 1) == 0) continue;
        if (UNLIKELY(left_of(p, end) < op.pre)) return GAP_E_TL;
        p += op.pre;
        switch (op.code) {
        case GAP_TL_OP_UNLESS: {
            uint64_t mask;
            memcpy(&mask, pc, sizeof mask);
            pc += (flags & mask) == 0 ? op.arg : 1;
            continue;
        }
        case GAP_TL_OP_FLAGS_0:
        case GAP_TL_OP_FLAGS_1:
        case GAP_TL_OP_FLAGS_BOTH:
            if (UNLIKELY(left_of(p, end) < op.arg)) return GAP_E_TL;
            flags |= load_flags(op.code, p);
            p += op.arg;
            continue;
        case GAP_TL_OP_OBJECT:
            r = enter(p, end, op.arg, depth + 1, &next);
            if (UNLIKELY(r < 0)) return r;
            p += next->fixed;
            if (next->fixed != 0) continue;
            PUSH();
            depth++;
            rest = 0;
            BEGIN(next);
            continue;
        case GAP_TL_OP_VECTOR_OBJECT:
            p = pass_count(p, end, true, 4, &count);
            if (UNLIKELY(p == NULL)) return GAP_E_TL;
            if (UNLIKELY(depth >= GAP_TL_DEPTH_MAX)) return GAP_E_LIMIT;
            PUSH();
            depth += 2;
            rest = count;
            type = op.arg;
            break;
        case GAP_TL_OP_END:
            break;
        default:
            p = pass_flat(op, p, end);
            if (UNLIKELY(p == NULL)) return GAP_E_TL;
            continue;
        }
        /* A vector begins, or an object has ended: on with the vector's next, or back. */
        r = pass_leaves(&p, end, type, depth, &rest, &next);
        if (UNLIKELY(r < 0)) return r;
        if (next != NULL) {
            BEGIN(next);
        } else if (open == 0) {
            *at = p;
            return 0;
        } else {
            POP();
        }
    }
}

int gap_tl_pass(const uint8_t **at, const uint8_t *end, uint16_t type, uint32_t depth)
{
    const gap_tl_slot_t *slot;
    int r = enter(*at, end, type, depth, &slot);

    if (r < 0) return r;
    if (slot->fixed != 0) {
        *at += slot->fixed;
        return 0;
    }
    const uint8_t *p = *at + 4;
    r = gap_tl_run(&gap_tl_ops[slot->program], &p, end, depth);
    if (r == 0) *at = p;
    return r;
}

/* Bytes of one element that always has as many, else 0. */
static uint16_t fixed_element(const gap_tl_field_t *field)
{
    switch (field->elem) {
    case GAP_TL_K_INT:
        return 4;
    case GAP_TL_K_LONG:
    case GAP_TL_K_DOUBLE:
        return 8;
    case GAP_TL_K_INT128:
        return 16;
    case GAP_TL_K_INT256:
        return 32;
    case GAP_TL_K_BARE: {
        uint16_t fixed = gap_tl_slot(gap_tl_infos[field->target].id)->fixed;
        return fixed == 0 ? 0 : (uint16_t)(fixed - 4);
    }
    default:
        return 0;
    }
}

int gap_tl_pass_vector(const gap_tl_field_t *field, const uint8_t **at, const uint8_t *end,
                       uint32_t depth, gap_tl_vector_t *out)
{
    gap_tl_op_t program[2] = {{.bit = GAP_TL_BIT_ALWAYS}, {.bit = GAP_TL_BIT_ALWAYS}};
    size_t head = field->boxed ? 8 : 4;
    const uint8_t *p = *at;

    program[0].arg = fixed_element(field);
    if (program[0].arg != 0) {
        program[0].code = field->boxed ? GAP_TL_OP_VECTOR_FIXED : GAP_TL_OP_VECTOR_FIXED_BARE;
    } else if (field->elem == GAP_TL_K_OBJECT) {
        program[0].code = GAP_TL_OP_VECTOR_OBJECT;
        program[0].arg = field->target;
    } else {
        program[0].code = field->elem == GAP_TL_K_BARE ? GAP_TL_OP_MESSAGES : GAP_TL_OP_VECTOR_STRING;
    }
    int r = gap_tl_run(program, &p, end, depth - 1);
    if (r < 0) return r;
    out->data = *at + head;
    out->len = (size_t)(p - out->data);
    out->items = NULL;
    out->count = gap_load32(*at + head - 4);
    *at = p;
    return 0;
}

int64_t gap_tl_skip(gap_bytes_t in)
{
    const uint8_t *p = in.data;

    if (in.len < 4) return GAP_E_TL;
    int r = gap_tl_pass(&p, in.data + in.len, 0, 1);
    return r < 0 ? r : p - in.data;
}
