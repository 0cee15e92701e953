/*
 * sequence/decision.c - what the engine decides, in words.
 */
#include <gapless/decision.h>

static const char *const texts[] = {
    [GAP_DECISION_APPLIED] = "delivered: it is the next of its sequence",
    [GAP_DECISION_PLAIN] = "delivered: it has no place in the order",
    [GAP_DECISION_REPLAYED] = "delivered: it was held, and its turn has come",
    [GAP_DECISION_FETCHED] = "delivered: a difference brought it",
    [GAP_DECISION_RESET] = "delivered: it shows that the server counts anew",
    [GAP_DECISION_FLUSHED] = "delivered: it lies in a range that nobody fills any more",
    [GAP_DECISION_BACKFILLED] = "delivered: a back-fill brought it",
    [GAP_DECISION_SILENT] = "counted: there is nothing in it to deliver",
    [GAP_DECISION_OWN] = "counted: the account sent it itself, and own updates are not wanted",
    [GAP_DECISION_DUPLICATE] = "dropped: it was applied before",
    [GAP_DECISION_COVERED] = "dropped: what was delivered while it was held covers it",
    [GAP_DECISION_OVERLAP] = "dropped: a part of it was applied, so something else is missing",
    [GAP_DECISION_OLD_READ] = "dropped: a read mark that is not higher than the last one",
    [GAP_DECISION_SEEN] = "dropped: its container was seen before",
    [GAP_DECISION_MALFORMED] = "dropped: its numbers contradict each other; the server is asked",
    [GAP_DECISION_BEHIND] = "dropped: too many of its sequence wait; it is fetched later",
    [GAP_DECISION_STARVED] = "dropped: there is no memory; it is fetched later",
    [GAP_DECISION_SHED] = "dropped for good: there is no room, and no difference brings it back",
    [GAP_DECISION_IGNORED] = "ignored: it is about a channel that is not followed",
    [GAP_DECISION_GAP] = "held: something before it is missing, a gap opens",
    [GAP_DECISION_HELD] = "held: something before it is still missing",
    [GAP_DECISION_FROZEN] = "held: its sequence is being fetched",
    [GAP_DECISION_QUEUED] = "held: others before it are being delivered",
    [GAP_DECISION_FIRST] = "held: the first of its channel, until what came with it is there",
    [GAP_DECISION_UNKNOWN_PEER] = "held: it names somebody never seen, so the server is asked",
    [GAP_DECISION_PASSED_ON] = "handed on: a difference brought it for another sequence",
    [GAP_DECISION_CHANNEL_MOVED] = "asking: the server names a channel that has moved",
    [GAP_DECISION_IN_STEP] = "nothing to do: the channel that the server names is in step",
    [GAP_DECISION_BASE] = "begun: the server names the channel's position",
    [GAP_DECISION_DOUBTED] = "asking: does the server count lower?",
    [GAP_DECISION_PTS_CHANGED] = "asking: the server counts anew",
    [GAP_DECISION_MISSED] = "asking: updates may have been missed",
    [GAP_DECISION_UNDECODABLE] = "asking: bytes could not be read",
    [GAP_DECISION_SILENCE] = "asking: nothing came for long",
    [GAP_DECISION_TAIL_SWEEP] =
        "asking: several were lost, and others may have gone silent with them",
    [GAP_DECISION_LOOKED_AT] = "asking: somebody looks at the channel",
    [GAP_DECISION_WAIT] = "waiting: the missing update may still come",
    [GAP_DECISION_WAIT_OVER] = "asking: the missing update did not come in time",
    [GAP_DECISION_HEALED] = "gap closed: the missing updates came",
    [GAP_DECISION_FILLED] = "gap closed: a difference brought the missing updates",
    [GAP_DECISION_GIVEN_UP] = "given up: the range can't be had, going on behind it",
    [GAP_DECISION_ASKED] = "asked for the difference",
    [GAP_DECISION_ASKED_STATE] = "asked where the server stands",
    [GAP_DECISION_ASKED_MESSAGES] = "asked for messages to fill a range",
    [GAP_DECISION_NOT_SENT] = "not asked: the question could not be sent",
    [GAP_DECISION_NO_HASH] = "not asked yet: the channel's access hash is not known",
    [GAP_DECISION_EMPTY] = "answered: nothing new",
    [GAP_DECISION_SLICE] = "answered: a part, more follows",
    [GAP_DECISION_FINAL] = "answered: all of it",
    [GAP_DECISION_TOO_LONG] = "answered: too long ago, the server does not say what happened",
    [GAP_DECISION_STATE] = "answered: where the server stands",
    [GAP_DECISION_MESSAGES] = "answered: messages",
    [GAP_DECISION_UNREADABLE] = "answered: something that can't be decoded",
    [GAP_DECISION_USELESS] = "answered: something that leads nowhere",
    [GAP_DECISION_REFUSED] = "refused: the server says no",
    [GAP_DECISION_NO_ANSWER] = "not answered",
    [GAP_DECISION_LATER] = "to be asked again after a pause",
};
_Static_assert(sizeof texts / sizeof texts[0] == GAP_DECISION_COUNT, "every decision has a text");

const char *gap_engine_decision_text(gap_decision_t kind)
{
    if ((unsigned)kind >= GAP_DECISION_COUNT) return "unknown decision";
    return texts[kind];
}
