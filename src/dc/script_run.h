/* dc/script_run.h - a script being carried out: what the rest of the server tells it and asks. */
#ifndef GAP_DC_SCRIPT_RUN_H
#define GAP_DC_SCRIPT_RUN_H

#include "dc/rpc.h"
#include "dc/script.h"

/** What is to become of one call. */
typedef struct gap_dc_rule {
    gap_dc_act_t act;
    int32_t code;
    uint32_t number;
    const char *text; /* of an error; lives as long as the script */
} gap_dc_rule_t;

/** Begin: rules that stand before anything else are in force from now on. @return 0; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_script_open(gap_dc_t *dc);
/** Safe without a script. */
void gap_dc_script_close(gap_dc_t *dc);
/** Carry out what can be carried out now. @return 0; GAP_DC_SCRIPT_OVER nothing is left to do;
 * negative. */
#define GAP_DC_SCRIPT_OVER 1
GAP_NODISCARD int gap_dc_script_turn(gap_dc_t *dc);
/** Events that the script has made. */
uint32_t gap_dc_script_events(const gap_dc_t *dc);

/** A call has come: note it, and find the rule for it (act NONE: none). @return 0; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_script_called(gap_dc_t *dc, const gap_dc_query_t *q, gap_dc_rule_t *out);
/** Put the rule's limits on differences in force; NULL: the ordinary ones. */
void gap_dc_script_limit(gap_dc_t *dc, const gap_dc_rule_t *rule);
/** A slice without contents or progress, for a difference asked for. @return 0; DC_NOT_MINE no
 * difference; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_script_stuck(const gap_dc_query_t *q, gap_buf_t *out);
/** Forget that a call ever came, so that it is executed when it comes again. */
void gap_dc_script_unsee(gap_dc_session_t *s, int64_t msg_id);

#endif
