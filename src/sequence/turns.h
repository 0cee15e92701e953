/*
 * sequence/turns.h - whose turn it is to ask the server: the choice among channels that wait, and
 * what FLOOD_WAIT blocks. Pure: times come in, a choice comes out.
 *
 * Channels wait in classes, first come first served within each. A better class goes first, but one
 * that was passed over GAP_TURN_PATIENCE times goes before all others, so that no channel starves:
 * at least one turn in GAP_TURN_PATIENCE + GAP_TURN_CLASSES is every class's own.
 *
 * FLOOD_WAIT told to the common difference is about the account: nothing is asked until it is over.
 * Told to a channel it is about that channel, and the others go on. But when a second channel is
 * told so while the first one's time runs, it is the account that asks too much: no channel asks
 * until the longest of them is over. Afterwards the common difference goes first.
 */
#ifndef GAP_SEQUENCE_TURNS_H
#define GAP_SEQUENCE_TURNS_H

#include <gapless/base.h>

enum gap_turn_class {
    GAP_TURN_OPEN = 0, /* somebody looks at it */
    GAP_TURN_HOT,      /* updates are held or were dropped: somebody waits */
    GAP_TURN_NAMED,    /* the server says that there is more */
    GAP_TURN_REST,     /* all others: unfinished in a former run, tried again */
};
#define GAP_TURN_CLASSES 4
/** Turns of others that a class lets go by while it waits. */
#define GAP_TURN_PATIENCE 4

struct gap_turns {
    uint8_t passed[GAP_TURN_CLASSES]; /* turns of others while it waited */
};

/** Choose and count.
 * @param waiting  Bit c: somebody waits in class c. Not 0. @return the class whose turn it is. */
enum gap_turn_class gap_turns_next(struct gap_turns *t, unsigned waiting);

struct gap_floods {
    uint64_t all_us;      /* nothing is asked before */
    uint64_t channels_us; /* no channel asks before */
    uint64_t one_us;      /* the longest FLOOD_WAIT that a channel was told */
    int64_t one;          /* the channel told last */
};

/** @param channel_id  Who was told to wait; 0: the common difference. */
void gap_floods_told(struct gap_floods *f, int64_t channel_id, uint64_t now_us, uint64_t until_us);
/** When the common difference, and when any channel, may be asked: 0 or a time that is over: now.
 */
uint64_t gap_floods_common_us(const struct gap_floods *f);
uint64_t gap_floods_channel_us(const struct gap_floods *f);

#endif
