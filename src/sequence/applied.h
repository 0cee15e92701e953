/*
 * sequence/applied.h - the new messages of one sequence that were applied while its question was on
 * its way: their ids, and what was in them. The answer may bring them again, since it tells of
 * everything from where the question began, and messages of a difference have no pts. Pure.
 */
#ifndef GAP_SEQUENCE_APPLIED_H
#define GAP_SEQUENCE_APPLIED_H

#include <gapless/tl.h>

/** Messages that are remembered; when there are more the sequence waits for its answer. */
#define GAP_APPLIED_MAX 126

/** What is remembered of a message. */
struct gap_print {
    int32_t id;
    int32_t edited;   /* when it was edited last; 0: never */
    uint32_t content; /* a hash of text, entities, buttons and kind of media: not of how often it
                         was seen, nor of references that change with every answer; 0: not known */
};

struct gap_applied {
    uint32_t count;
    int32_t low; /* ids between which all are */
    int32_t high;
    uint32_t anticipated[4]; /* bits: see gap_applied_anticipate */
    struct gap_print of[GAP_APPLIED_MAX];
};

/** @param message Boxed. @return false: it can't be read. */
bool gap_message_print(gap_bytes_t message, struct gap_print *out);

void gap_applied_init(struct gap_applied *a);
static inline bool gap_applied_is_full(const struct gap_applied *a)
{
    return a->count == GAP_APPLIED_MAX;
}
/** Not when it is full. */
void gap_applied_add(struct gap_applied *a, const struct gap_print *print);

/** A message that is there has been told of as it is after an edit. */
void gap_applied_changed(struct gap_applied *a, const struct gap_print *print);
/** A message that is there was told of as it is now, after an edit that may yet come itself. */
void gap_applied_anticipate(struct gap_applied *a, const struct gap_print *print);
/** Is it that edit? */
bool gap_applied_is_anticipated(const struct gap_applied *a, const struct gap_print *print);

enum gap_applied_verdict {
    GAP_APPLIED_NOT = 0,  /* it was not there */
    GAP_APPLIED_SAME,     /* it was, as it is */
    GAP_APPLIED_DIFFERENT /* it was, and has been edited since */
};
enum gap_applied_verdict gap_applied_find(const struct gap_applied *a,
                                          const struct gap_print *print);

#endif
