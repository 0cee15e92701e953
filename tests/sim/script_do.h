/* tests/sim/script_do.h - what the commands of a script do. */
#ifndef GAP_TESTS_SIM_SCRIPT_DO_H
#define GAP_TESTS_SIM_SCRIPT_DO_H

#include "script_run.h"

#define NO_STEP UINT32_MAX

/** The script asks for what this world has not: told as a fault of that line; the run ends. */
void sim_refuse(struct sim_run *r, const sim_step_t *step, const char *format, ...)
    GAP_PRINTF(3, 4);
/** Events, pushes, answers, boxes. */
void sim_do_server(struct sim_run *r, const sim_step_t *step);
/** Network, host, process, account. */
void sim_do_host(struct sim_run *r, const sim_step_t *step);

#endif
