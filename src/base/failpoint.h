/*
 * base/failpoint.h - named places at which a test may end the process or let a call fail.
 *
 * Compiled to nothing unless the build has -Dfailpoints=true. There the environment variable
 * GAPLESS_FAILPOINT=NAME:COUNT[:kill|error] chooses one: at the COUNTth passage (from 1) of the
 * point NAME the process ends as by SIGKILL, or, with `error`, the point says that what stands
 * there is to fail, at this passage only. Whatever else the variable holds is as if it were unset.
 * Points are named PART.PLACE[.before|after], as "store.commit.after". Any thread.
 */
#ifndef GAP_BASE_FAILPOINT_H
#define GAP_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef GAP_FAILPOINTS

/** Pass the point @p name. @return true if what stands there is to fail. */
bool gap_failpoint_pass(const char *name);

/** A place to die at. */
#define GAP_FAILPOINT(name) ((void)gap_failpoint_pass(name))
/** A place to die or to fail at: an expression, true if it is to fail. */
#define GAP_FAILPOINT_FAILS(name) (gap_failpoint_pass(name))

#else

#define GAP_FAILPOINT(name)       ((void)0)
#define GAP_FAILPOINT_FAILS(name) (false)

#endif
#endif
