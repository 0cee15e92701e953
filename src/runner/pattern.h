/*
 * runner/pattern.h - patterns of texts: literal bytes and a few wildcards, compiled once, matched
 * in a time that depends on the length of the text alone.
 *
 * A pattern becomes a row of at most 127 elements, each of which takes one byte of some set, or any
 * number of them. Which elements a text may still be at is one set of bits, moved back through the
 * text from its end: two words of work for every byte, whatever pattern and text are. From the
 * sets, one for each place of the text, the captures follow in one walk forward that never has to
 * turn back. (A regular expression of the C library may try 2^n ways, wants memory for each match,
 * and knows no length.)
 */
#ifndef GAP_RUNNER_PATTERN_H
#define GAP_RUNNER_PATTERN_H

#include <gapless/route.h>

/** Elements, numbered from bit 0 of `low`. */
struct gap_pattern_set {
    uint64_t low;
    uint64_t high;
};

struct gap_pattern {
    struct gap_pattern_set takes[256]; /* elements that take this byte */
    struct gap_pattern_set many;       /* elements that take any number of bytes, or none */
    struct gap_pattern_set eager;      /* of these: as many as they can */
    uint8_t capture[GAP_PATTERN_MAX];  /* 1 + which one the element belongs to; 0: none */
    uint8_t count;                     /* elements */
    uint8_t captures;
    uint8_t row; /* longest row of elements of `many` */
};

/** @return 0; GAP_E_ARGUMENT as gap_router_add. */
GAP_NODISCARD int gap_pattern_compile(struct gap_pattern *p, const char *text, bool ignore_case);
/**
 * @param text  At most GAP_PATTERN_TEXT_MAX bytes.
 * @param room  text.len + 1 sets, to be overwritten.
 * @param out   p->captures views into @p text, set if it fits.
 */
bool gap_pattern_match(const struct gap_pattern *p, struct gap_pattern_set *room, gap_bytes_t text,
                       gap_bytes_t out[GAP_CAPTURES_MAX]);

#endif
