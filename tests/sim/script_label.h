/* tests/sim/script_label.h - names of updates, as `gapless-sim --help` lists them: 12, 1:12,
 * edit 12, query 5. */
#ifndef GAP_TESTS_SIM_SCRIPT_LABEL_H
#define GAP_TESTS_SIM_SCRIPT_LABEL_H

#include "script_read.h"

#include <gapless/update.h>

/** Name of an update that reaches a handler. */
void sim_label(const gap_update_t *update, char out[SIM_LABEL]);
/** Names of all that an Updates object holds, separated by commas; cut if there are too many.
 * Whatever can't be read is named so. */
void sim_label_object(gap_bytes_t object, char *out, size_t cap);
/** A channel's number in the script, from its id; other ids as they are. */
int64_t sim_channel_number(int64_t id);

#endif
