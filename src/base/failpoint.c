/*
 * base/failpoint.c - the one failpoint that the environment names, counted over all threads.
 *
 * Owns: what GAPLESS_FAILPOINT said when the first point was passed. Never: anything in a build
 * without failpoints, of which this file is then no part.
 */
#include "base/failpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64

static struct {
    char name[NAME_MAX_BYTES];
    unsigned long at; /* 0: none is chosen */
    bool fails;
    atomic_ulong passed;
} chosen;

static pthread_once_t read_once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
    const char *text = getenv("GAPLESS_FAILPOINT");
    const char *colon = text == NULL ? NULL : strchr(text, ':');
    char *end;

    if (colon == NULL || (size_t)(colon - text) >= sizeof chosen.name) return;
    unsigned long at = strtoul(colon + 1, &end, 10);
    bool fails = strcmp(end, ":error") == 0;
    if (end == colon + 1 || (*end != '\0' && !fails && strcmp(end, ":kill") != 0)) return;
    memcpy(chosen.name, text, (size_t)(colon - text));
    chosen.fails = fails;
    chosen.at = at;
}

bool gap_failpoint_pass(const char *name)
{
    (void)pthread_once(&read_once, read_environment);
    if (chosen.at == 0 || strcmp(name, chosen.name) != 0) return false;
    if (atomic_fetch_add(&chosen.passed, 1) + 1 != chosen.at) return false;
    if (chosen.fails) return true;
    (void)kill(getpid(), SIGKILL);
    for (;;) (void)pause(); /* another thread may still run when kill() has returned */
}
