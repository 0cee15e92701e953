/*
 * dc/call_rules.h - which methods a fault is for, and calls that are refused by chance. Part of
 * dc/dc.h.
 */
#ifndef GAP_DC_CALL_RULES_H
#define GAP_DC_CALL_RULES_H

#include <gapless/base.h>

/** Methods that one rule names. */
#define GAP_DC_METHODS_MAX 8
/** Refusals of a data centre; one more is refused itself. */
#define GAP_DC_REFUSALS_MAX 8
/** Longest error text, with its end. */
#define GAP_DC_REFUSAL_TEXT 48

/** Some methods. */
typedef struct gap_dc_methods {
    uint32_t ids[GAP_DC_METHODS_MAX];
    uint32_t count; /* 0: all */
} gap_dc_methods_t;

/** Calls of these methods are not carried out, by chance: they get this error. */
typedef struct gap_dc_refusal {
    gap_dc_methods_t methods;
    double chance;
    int32_t code;
    char text[GAP_DC_REFUSAL_TEXT];
} gap_dc_refusal_t;

/** Read METHOD[+METHOD...] or *. @return 0; GAP_E_ARGUMENT an unknown method, or too many. */
GAP_NODISCARD int gap_dc_methods_parse(gap_bytes_t text, gap_dc_methods_t *out);
/** Is it one of them? */
bool gap_dc_methods_have(const gap_dc_methods_t *methods, uint32_t method);
/** Read a probability, all of the text. @return 0; GAP_E_ARGUMENT. */
GAP_NODISCARD int gap_dc_chance_parse(gap_bytes_t text, double *out);
/**
 * Read METHODS:P:CODE:TEXT.
 * @param text  Borrowed.
 * @return 0; GAP_E_ARGUMENT with *expected set to what belongs there (static).
 */
GAP_NODISCARD int gap_dc_refusal_parse(gap_bytes_t text, gap_dc_refusal_t *out,
                                       const char **expected);

#endif
