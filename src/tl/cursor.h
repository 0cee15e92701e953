/*
 * tl/cursor.h - get at single fields of a serialised object on the way through it, without a struct
 * and without passing anything twice. This is what an engine that looks at every update uses:
 *
 *   static struct { int message, pts, pts_count; } at;      found once, at start:
 *   at.pts = gap_tl_field_number(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, "pts"); ...
 *
 *   gap_tl_cursor_t updates, update;
 *   r = gap_tl_cursor_open(&updates, bytes);                bytes: an `updates` object
 *   r = gap_tl_cursor_to(&updates, updates_field);          1: there; 0: optional and absent
 *   r = gap_tl_cursor_vector(&updates, &count);             now in front of the first element
 *   while (count-- > 0) {
 *       r = gap_tl_cursor_enter(&updates, &update);         update.id tells which constructor
 *       r = gap_tl_cursor_to(&update, at.pts);              passes `message` on the way
 *       r = gap_tl_cursor_int(&update, &pts);
 *       r = gap_tl_cursor_leave(&updates, &update, &view);  view: all of the update's bytes
 *   }
 *   r = gap_tl_cursor_to(&updates, users_field); ...        every element must have been passed
 *
 * Fields are visited in the order of the schema; a cursor never goes back. What is passed is
 * checked as gap_tl_skip does, so after gap_tl_cursor_leave the whole object is known to be well
 * formed. Failures: GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT; the cursor is of no use then. Nothing is
 * owned.
 */
#ifndef GAP_TL_CURSOR_H
#define GAP_TL_CURSOR_H

#include "tl/tl.h"

typedef struct gap_tl_cursor {
    const uint8_t *start; /* the id */
    const uint8_t *at;
    const uint8_t *end;
    uint64_t flags;              /* words read so far, flags2 in the high half, bit 63 set */
    const gap_tl_field_t *field; /* the next one; `at` is in front of it, if it is there */
    const gap_tl_field_t *first;
    const gap_tl_field_t *last; /* behind the last one */
    uint32_t id;
    uint32_t depth; /* 1 for an outermost object */
} gap_tl_cursor_t;

/** Number of a field of a constructor, for gap_tl_cursor_to; -1 if there is none of that name or
 * the id is unknown. Compares names: for start-up, not for every object. */
int gap_tl_field_number(uint32_t id, const char *name);

/** Stand in front of the first field of the boxed object that @p in begins with; what follows the
 * object in @p in is left alone. @return 0; GAP_E_TL; GAP_E_TL_ID. */
GAP_NODISCARD int gap_tl_cursor_open(gap_tl_cursor_t *c, gap_bytes_t in);

/**
 * Pass what is in front of a field.
 * @param number  At or behind the cursor's place; from gap_tl_field_number for this c->id.
 * @return 1 the cursor is in front of it; 0 it is absent (the cursor is where it would be);
 *         for a `true` flag 1 or 0 alike; negative on failure.
 */
GAP_NODISCARD int gap_tl_cursor_to(gap_tl_cursor_t *c, int number);

/** Take the field that gap_tl_cursor_to returned 1 for; it must be of that type. @return 0,
 * GAP_E_TL. */
GAP_NODISCARD int gap_tl_cursor_int(gap_tl_cursor_t *c, int32_t *out);
GAP_NODISCARD int gap_tl_cursor_long(gap_tl_cursor_t *c, int64_t *out);
GAP_NODISCARD int gap_tl_cursor_bytes(gap_tl_cursor_t *c, gap_bytes_t *out);

/** Take the head of a boxed vector of objects: @p count calls of gap_tl_cursor_enter and _leave
 * must follow. @return 0, GAP_E_TL, GAP_E_LIMIT. */
GAP_NODISCARD int gap_tl_cursor_vector(gap_tl_cursor_t *c, uint32_t *count);

/** Open the object that the cursor is in front of: a field of boxed type, or the next element after
 * gap_tl_cursor_vector. Type and nesting are checked. */
GAP_NODISCARD int gap_tl_cursor_enter(const gap_tl_cursor_t *c, gap_tl_cursor_t *child);

/** Pass the rest of the child's fields and put @p c behind it. @param view  All of the child; may
 * be NULL. */
GAP_NODISCARD int gap_tl_cursor_leave(gap_tl_cursor_t *c, gap_tl_cursor_t *child,
                                      gap_tl_object_t *view);

/** Pass all that is left of the object. @return 0 with c->at behind it, negative. */
GAP_NODISCARD int gap_tl_cursor_finish(gap_tl_cursor_t *c);

#endif
