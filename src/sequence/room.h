/*
 * sequence/room.h - what is kept of what comes when there is little room. Pure.
 *
 * An update with a place in the order may be dropped on purpose: its sequence is behind then, and a
 * difference fetches it. That is free as long as the server still tells: of the account's own
 * sequences it tells millions of events, of a channel as many as a difference asked for may have
 * (100 for users, 100,000 for bots). So a channel is behind on purpose by no more than half of
 * that; the other half is for what happens until it is asked.
 *
 * A user's channel is not even that if it can be helped: when its inbox has been worked off, a
 * hundred events may have come. It may go beyond its inbox as long as few updates wait in all.
 */
#ifndef GAP_SEQUENCE_ROOM_H
#define GAP_SEQUENCE_ROOM_H

#include <gapless/base.h>

/** How things stand when an update comes. */
struct gap_room {
    uint32_t queued;   /* updates of its sequence that wait */
    uint32_t inbox;    /* as many as may */
    uint32_t waiting;  /* updates of all sequences */
    uint32_t overflow; /* as many as may for one to go beyond its inbox */
    uint32_t most;     /* as many as may in any case */
    uint32_t behind;   /* events of its sequence that were dropped */
    uint32_t limit;    /* events that the server tells; 0: as many as it takes */
    bool tight;        /* it is not to be behind at all as long as there is room elsewhere */
};

/** @param events  In the update. @return true to keep it, false to drop it. */
bool gap_room_keep(const struct gap_room *r, uint32_t events);
/** Are so many events more than what may be missing on purpose? The server may not tell them all.
 * @param limit  0: never. */
bool gap_room_is_late(uint32_t events, uint32_t limit);
/** A hole with what came behind it spans so many events: has it to be asked for now, because the
 * server would not tell any more a little later? Not once it is too late: what is missing may still
 * come by itself. */
bool gap_room_is_pressing(int64_t span, uint32_t limit);

#endif
