/*
 * tl/cursor.c - walking over the fields of an object, see tl/cursor.h. A cursor in front of the
 * elements of a vector keeps `field` on the vector: entering an element and a field of boxed type
 * is the same then, and the next gap_tl_cursor_to steps over the vector.
 */
#include "tl/cursor.h"

#include "base/assert.h"
#include "tl/skip.h"

/* `at` has passed the head of the vector `field`: its elements are not passed again. */
#define CURSOR_IN_VECTOR (1U << 31)
#define DEPTH(c)         ((c)->depth & ~CURSOR_IN_VECTOR)

int gap_tl_field_number(uint32_t id, const char *name)
{
    const gap_tl_slot_t *slot = gap_tl_slot(id);

    if (slot == NULL) return -1;
    const gap_tl_info_t *info = &gap_tl_infos[slot->index];
    for (int i = 0; i < info->count; i++)
        if (strcmp(&gap_tl_names[gap_tl_fields[info->first + i].name], name) == 0) return i;
    return -1;
}

static void place(gap_tl_cursor_t *c, const gap_tl_slot_t *slot, const uint8_t *at,
                  const uint8_t *end, uint32_t depth)
{
    const gap_tl_info_t *info = &gap_tl_infos[slot->index];

    c->start = at;
    c->at = at + 4;
    c->end = end;
    c->flags = 1ULL << GAP_TL_BIT_ALWAYS;
    c->first = c->field = &gap_tl_fields[info->first];
    c->last = c->first + info->count;
    c->id = info->id;
    c->depth = depth;
}

int gap_tl_cursor_open(gap_tl_cursor_t *c, gap_bytes_t in)
{
    if (in.len < 4) return GAP_E_TL;
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(in.data));
    if (slot == NULL) return GAP_E_TL_ID;
    place(c, slot, in.data, in.data + in.len, 1);
    return 0;
}

static int pass_nested(gap_tl_cursor_t *c, const gap_tl_field_t *field)
{
    gap_tl_state_t state = {DEPTH(c), GAP_E_TL};
    gap_tl_vector_t unused;
    const uint8_t *p;

    switch (field->kind) {
    case GAP_TL_K_STRING:
    case GAP_TL_K_BYTES:
        p = gap_tl_pass_string(c->at, c->end);
        break;
    case GAP_TL_K_BOOL:
        p = gap_tl_pass_bool(c->at, c->end);
        break;
    case GAP_TL_K_OBJECT:
        p = gap_tl_pass_boxed(c->at, c->end, &state, field->target);
        break;
    case GAP_TL_K_VECTOR:
        return gap_tl_pass_vector(field, &c->at, c->end, DEPTH(c) + 1, &unused);
    case GAP_TL_K_REST:
        p = gap_tl_pass_rest(c->at, c->end);
        break;
    case GAP_TL_K_SIZED:
        p = gap_tl_pass_sized(c->at, c->end);
        break;
    default: /* TRUE */
        return 0;
    }
    if (p == NULL) return state.error;
    c->at = p;
    return 0;
}

/* Pass the field that the cursor is in front of, which is there. */
static int pass_field(gap_tl_cursor_t *c)
{
    const gap_tl_field_t *field = c->field;
    uint32_t size = gap_tl_kind_sizes[field->kind];

    if (size == 0 || field->kind == GAP_TL_K_BOOL) return pass_nested(c, field);
    if ((size_t)(c->end - c->at) < size) return GAP_E_TL;
    if (field->kind == GAP_TL_K_FLAGS)
        c->flags |= (uint64_t)gap_load32(c->at) << (32 * field->target);
    c->at += size;
    return 0;
}

static int pass_up_to(gap_tl_cursor_t *c, const gap_tl_field_t *target)
{
    if ((c->depth & CURSOR_IN_VECTOR) != 0) {
        c->depth = DEPTH(c);
        c->field++;
    }
    for (; c->field < target; c->field++) {
        if (((c->flags >> c->field->bit) & 1) == 0) continue;
        int r = pass_field(c);
        if (r < 0) return r;
    }
    return 0;
}

int gap_tl_cursor_to(gap_tl_cursor_t *c, int number)
{
    const gap_tl_field_t *target = c->first + number;

    GAP_ASSERT(number >= 0);
    GAP_ASSERT(target < c->last);
    int r = pass_up_to(c, target);
    if (r < 0) return r;
    GAP_ASSERT(c->field == target);
    return (int)((c->flags >> target->bit) & 1);
}

int gap_tl_cursor_finish(gap_tl_cursor_t *c)
{
    return pass_up_to(c, c->last);
}

int gap_tl_cursor_int(gap_tl_cursor_t *c, int32_t *out)
{
    GAP_ASSERT(gap_tl_fixed_size(c->field->kind, 0) == 4);
    if (c->end - c->at < 4) return GAP_E_TL;
    memcpy(out, c->at, sizeof *out);
    return pass_up_to(c, c->field + 1);
}

int gap_tl_cursor_long(gap_tl_cursor_t *c, int64_t *out)
{
    GAP_ASSERT(c->field->kind == GAP_TL_K_LONG);
    if (c->end - c->at < 8) return GAP_E_TL;
    memcpy(out, c->at, sizeof *out);
    return pass_up_to(c, c->field + 1);
}

int gap_tl_cursor_bytes(gap_tl_cursor_t *c, gap_bytes_t *out)
{
    GAP_ASSERT(c->field->kind == GAP_TL_K_STRING || c->field->kind == GAP_TL_K_BYTES);
    int r = gap_tl_pass_bytes(&c->at, c->end, out);
    if (r == 0) c->field++;
    return r;
}

int gap_tl_cursor_vector(gap_tl_cursor_t *c, uint32_t *count)
{
    GAP_ASSERT(c->field->kind == GAP_TL_K_VECTOR);
    GAP_ASSERT(c->field->elem == GAP_TL_K_OBJECT);
    size_t left = (size_t)(c->end - c->at);
    if (left < 8 || gap_load32(c->at) != GAP_TL_VECTOR) return GAP_E_TL;
    uint32_t n = gap_load32(c->at + 4);
    if ((uint64_t)n * 4 > left - 8) return GAP_E_TL;
    if (c->depth >= GAP_TL_DEPTH_MAX) return GAP_E_LIMIT;
    c->at += 8;
    c->depth |= CURSOR_IN_VECTOR;
    *count = n;
    return 0;
}

int gap_tl_cursor_enter(const gap_tl_cursor_t *c, gap_tl_cursor_t *child)
{
    bool in_vector = (c->depth & CURSOR_IN_VECTOR) != 0;
    uint32_t depth = DEPTH(c) + (in_vector ? 2 : 1);

    GAP_ASSERT(in_vector || c->field->kind == GAP_TL_K_OBJECT);
    if (c->end - c->at < 4) return GAP_E_TL;
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(c->at));
    if (slot == NULL) return GAP_E_TL_ID;
    if (slot->type != c->field->target) return GAP_E_TL;
    if (depth > GAP_TL_DEPTH_MAX) return GAP_E_LIMIT;
    place(child, slot, c->at, c->end, depth);
    return 0;
}

int gap_tl_cursor_leave(gap_tl_cursor_t *c, gap_tl_cursor_t *child, gap_tl_object_t *view)
{
    int r = gap_tl_cursor_finish(child);

    if (r < 0) return r;
    GAP_ASSERT(child->start == c->at);
    c->at = child->at;
    if ((c->depth & CURSOR_IN_VECTOR) == 0) c->field++;
    if (view != NULL) {
        view->data = child->start;
        view->len = (size_t)(child->at - child->start);
        view->value = NULL;
        view->id = child->id;
    }
    return 0;
}
