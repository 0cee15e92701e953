/* tests/sim/script_pack_in.h - what script_pack.c and script_pack_whole.c share. */
#ifndef GAP_TESTS_SIM_SCRIPT_PACK_IN_H
#define GAP_TESTS_SIM_SCRIPT_PACK_IN_H

#include "globe.h"
#include "script_pack.h"

#define GLOBE_BEGINS ((int32_t)GLOBE_DATE)

void sim_pack_clear(sim_pack_t *p);
/** Write one object. @return 0; GAP_E_NOMEM; GAP_E_TL. */
GAP_NODISCARD int sim_put(gap_buf_t *out, uint32_t id, const void *value);
/** The same as one more element of a part. */
GAP_NODISCARD int sim_add_part(sim_part_t *part, uint32_t id, const void *value);

#endif
