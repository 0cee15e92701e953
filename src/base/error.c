/*
 * base/error.c - texts for result codes, and the end of the road for broken contracts.
 */
#include "base/assert.h"

#include <gapless/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libuv's own codes that are not a negated errno (uv/errno.h; the numbers are its ABI). */
static const char *uv_own_text(int result)
{
    switch (result) {
    case -4095: return "end of file";
    case -4094: return "unknown error";
    case -4080: return "invalid Unicode character";
    case -3000: return "address family for the name is not supported";
    case -3001: return "temporary failure in name resolution";
    case -3003: return "name resolution was cancelled";
    case -3004: return "non-recoverable failure in name resolution";
    case -3006: return "out of memory in name resolution";
    case -3007: return "the host has no address of the wanted kind";
    case -3008: return "unknown host name";
    case -3010: return "unknown service name";
    case -3011: return "socket type is not supported";
    default: return NULL;
    }
}

const char *gap_strerror(int result)
{
    if (result == 0) return "success";
    if (result > 0) return "a condition, not an error";
    switch (result) {
#define GAP_X(name, value, text)                                                                   \
    case value: return text;
        GAP_ERRORS(GAP_X)
#undef GAP_X
    default: break;
    }
    const char *text = uv_own_text(result);
    if (text == NULL && result > -4000) {
        text = strerrordesc_np(-result);
    }
    return text != NULL ? text : "unknown error";
}

void gap_assert_failed(const char *expr, const char *file, int line)
{
    (void)fprintf(stderr, "gapless: assertion failed: %s (%s:%d)\n", expr, file, line);
    abort();
}
