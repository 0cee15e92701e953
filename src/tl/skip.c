/*
 * tl/skip.c - pass over serialised objects without reading them: the hot path of everything that
 * arrives. What an object holds is checked on the way (type of every nested constructor, vector
 * counts, nesting, Bool), so a view handed out after a skip is well formed all the way down. The
 * work for the fields of one constructor is in generated functions, see tl/skip.h; they recurse
 * through gap_tl_pass_boxed, which bounds the nesting.
 *
 * A bit of a flag word that the schema does not name is passed over like a `true` flag. Strings may
 * use the long form for a short length, and padding may be anything. A count is compared with the
 * bytes that are left before anything is done for it, so the time is linear in the input.
 *
 * Owns nothing, allocates nothing.
 */
#include "tl/skip.h"

const uint8_t *gap_tl_pass_boxed(const uint8_t *p, const uint8_t *end, gap_tl_state_t *state,
                                 uint32_t type)
{
    if (GAP_TL_UNLIKELY(gap_tl_left(p, end) < 4)) return NULL;
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(p));
    if (GAP_TL_UNLIKELY(slot == NULL)) {
        state->error = GAP_E_TL_ID;
        return NULL;
    }
    if (GAP_TL_UNLIKELY(type != slot->type && type != 0)) return NULL;
    if (GAP_TL_UNLIKELY(state->depth >= GAP_TL_DEPTH_MAX)) {
        state->error = GAP_E_LIMIT;
        return NULL;
    }
    if (slot->fixed != 0)
        return GAP_TL_LIKELY(slot->fixed <= gap_tl_left(p, end)) ? p + slot->fixed : NULL;
    state->depth++;
    p = gap_tl_bodies[slot->body](p + 4, end, state);
    state->depth--;
    return p;
}

/* Head of a vector whose elements take at least `least` bytes each. */
GAP_TL_INLINE const uint8_t *pass_count(const uint8_t *p, const uint8_t *end, bool boxed,
                                        uint32_t least, uint32_t *count)
{
    size_t head = boxed ? 8 : 4;
    if (GAP_TL_UNLIKELY(gap_tl_left(p, end) < head)) return NULL;
    if (boxed && GAP_TL_UNLIKELY(gap_load32(p) != GAP_TL_VECTOR)) return NULL;
    *count = gap_load32(p + head - 4);
    p += head;
    return GAP_TL_LIKELY((uint64_t)*count * least <= gap_tl_left(p, end)) ? p : NULL;
}

const uint8_t *gap_tl_pass_objects(const uint8_t *p, const uint8_t *end, gap_tl_state_t *state,
                                   uint32_t type)
{
    uint32_t count;

    p = pass_count(p, end, true, 4, &count);
    if (GAP_TL_UNLIKELY(p == NULL)) return NULL;
    if (GAP_TL_UNLIKELY(state->depth >= GAP_TL_DEPTH_MAX)) {
        state->error = GAP_E_LIMIT;
        return NULL;
    }
    state->depth++;
    for (; count > 0 && p != NULL; count--) p = gap_tl_pass_boxed(p, end, state, type);
    state->depth--;
    return p;
}

const uint8_t *gap_tl_pass_strings(const uint8_t *p, const uint8_t *end)
{
    uint32_t count;

    p = pass_count(p, end, true, 4, &count);
    for (; p != NULL && count > 0; count--) p = gap_tl_pass_string(p, end);
    return p;
}

const uint8_t *gap_tl_pass_fixed(const uint8_t *p, const uint8_t *end, bool boxed, uint32_t size)
{
    uint32_t count;

    p = pass_count(p, end, boxed, size, &count);
    return p == NULL ? NULL : p + (size_t)count * size;
}

const uint8_t *gap_tl_pass_messages(const uint8_t *p, const uint8_t *end)
{
    uint32_t count;

    p = pass_count(p, end, false, 16 + 4, &count);
    for (; p != NULL && count > 0; count--)
        p = gap_tl_left(p, end) < 16 ? NULL : gap_tl_pass_sized(p + 16, end);
    return p;
}

int gap_tl_pass(const uint8_t **at, const uint8_t *end, uint32_t type, uint32_t depth)
{
    gap_tl_state_t state = {depth - 1, GAP_E_TL};
    const uint8_t *p = gap_tl_pass_boxed(*at, end, &state, type);

    if (p == NULL) return state.error;
    *at = p;
    return 0;
}

int gap_tl_pass_vector(const gap_tl_field_t *field, const uint8_t **at, const uint8_t *end,
                       uint32_t depth, gap_tl_vector_t *out)
{
    gap_tl_state_t state = {depth - 1, GAP_E_TL};
    size_t head = field->boxed ? 8 : 4;
    const uint8_t *p = *at;
    size_t fixed = gap_tl_fixed_size(field->elem, field->target);

    if (fixed > 0)
        p = gap_tl_pass_fixed(p, end, field->boxed, (uint32_t)fixed);
    else if (field->elem == GAP_TL_K_OBJECT)
        p = gap_tl_pass_objects(p, end, &state, field->target);
    else if (field->elem == GAP_TL_K_BARE)
        p = gap_tl_pass_messages(p, end);
    else
        p = gap_tl_pass_strings(p, end);
    if (p == NULL) return state.error;
    out->data = *at + head;
    out->len = (size_t)(p - out->data);
    out->items = NULL;
    out->count = gap_load32(*at + head - 4);
    *at = p;
    return 0;
}

int gap_tl_pass_typed(const uint8_t **at, const uint8_t *end, uint16_t type, uint32_t depth,
                      gap_tl_vector_t *out)
{
    gap_tl_state_t state = {depth - 1, GAP_E_TL};
    const uint8_t *p = gap_tl_pass_objects(*at, end, &state, type);

    if (p == NULL) return state.error;
    *out = (gap_tl_vector_t){*at + 8, (size_t)(p - *at) - 8, NULL, gap_load32(*at + 4)};
    *at = p;
    return 0;
}

int64_t gap_tl_skip(gap_bytes_t in)
{
    gap_tl_state_t state = {0, GAP_E_TL};

    if (in.len < 4) return GAP_E_TL;
    const uint8_t *p = gap_tl_pass_boxed(in.data, in.data + in.len, &state, 0);
    return p == NULL ? state.error : p - in.data;
}
