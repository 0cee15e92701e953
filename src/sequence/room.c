/*
 * sequence/room.c - see room.h. Pure: no clock, no memory, no callbacks.
 */
#include "sequence/room.h"

bool gap_room_is_late(uint32_t events, uint32_t limit)
{
    return limit != 0 && events > limit / 2;
}

bool gap_room_is_pressing(int64_t span, uint32_t limit)
{
    return limit != 0 && span > limit / 2 && span <= limit;
}

bool gap_room_keep(const struct gap_room *r, uint32_t events)
{
    if (r->waiting >= r->most) return false;
    bool beyond = r->waiting < r->overflow;
    if (r->behind > 0) {
        /* What comes now is held behind what was dropped. */
        return gap_room_is_late(r->behind + events, r->limit) && beyond;
    }
    return r->queued < r->inbox || (r->tight && beyond);
}
