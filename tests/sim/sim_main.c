/*
 * tests/sim/sim_main.c - gapless-sim: the gap engine in virtual worlds.
 *
 * Owns: the command line. What a world is stands in globe_draw.c.
 */
#include "base/bytes.h"
#include "script_run.h"
#include "sim_range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE 2

static const char help[] =
    "gapless-sim: the gap engine in virtual worlds\n"
    "\n"
    "  gapless-sim --seed N [--trace [--decisions]]\n"
    "      Run the world of one seed. Everything is drawn from it: the account, its channels, "
    "what\n"
    "      happens at the server, what the network, the host, the disk and the handlers do to it.\n"
    "      Prints one line of verdict. The same seed is always the same world, byte for byte.\n"
    "      --trace prints what happens first: lines of \"[milliseconds] what\"; with --decisions "
    "also\n"
    "      every decision of the engine, with its reason.\n"
    "\n"
    "  gapless-sim --seeds FROM..TO [--progress FILE] [--jobs N]\n"
    "      Run all worlds from one seed to another, both included. At the end: those that failed,\n"
    "      each with the command that replays it, and a line of totals. On a terminal a line "
    "tells\n"
    "      how far it has come.\n"
    "      --progress FILE keeps how far it has come, about once a second and when interrupted: "
    "the\n"
    "      same command goes on from there. Remove the file to begin again.\n"
    "      --jobs N runs N processes (1 to 64, default 1).\n"
    "\n"
    "  gapless-sim --script FILE [--json]\n"
    "      Run one world written by hand; - is the standard input. Prints what happens. The "
    "language\n"
    "      is at the end of this text, and alone with --script-help. --json prints\n"
    "      an object a line instead.\n"
    "\n"
    "A world has no sockets and no clock. Virtual time goes from one thing that is due to the "
    "next;\n"
    "among what may run at the same time chance decides. The server is the model of gapless-dc. "
    "At\n"
    "the end of a world the faults cease, time goes by, and then everything has to be there.\n"
    "\n"
    "What is held to be violated (the first word of a verdict):\n"
    "  unknown    an update that is no event of the server's, or stands at another place\n"
    "  twice      an event comes again in one process; or after a restart without being marked, "
    "or\n"
    "             though it was stored as done\n"
    "  order      among the pushed updates of a sequence a lower pts comes after a higher one\n"
    "  ids        in a chat a new message comes after one with a higher id\n"
    "  before     a message comes after its edit or delete\n"
    "  older      an older edit comes after a newer one\n"
    "  lost       an event was neither delivered, nor folded into something that came later, nor\n"
    "             named by an event that says it can't be had\n"
    "  given up   events are said to be lost though the server gave no cause\n"
    "  stored     a position was stored below which a handler had not finished\n"
    "  in flight  two questions of one updater at once, or too many about channels\n"
    "  asked      more questions than there was reason for\n"
    "  quiet      questions though nothing happens any more\n"
    "  busy       the loop turns and turns without anything to do\n"
    "  memory     the engine holds more than its limits allow\n"
    "  leak       memory is left of a closed engine\n"
    "  feed, result, open, close, start, question   a call that must not fail does\n"
    "\n"
    "Exit status: 0 every promise was kept; 3 one was not; 2 wrong usage; 1 anything else, and "
    "when\n"
    "interrupted.\n";

struct options {
    const char *seed;
    const char *seeds;
    const char *progress;
    const char *jobs;
    const char *script;
    bool trace;
    bool json;
    bool decisions;
};

static int wrong(const char *what, const char *value)
{
    (void)fprintf(stderr, "gapless-sim: %s%s%s; --help tells what there is\n", what,
                  value == NULL ? "" : ": ", value == NULL ? "" : value);
    return USAGE;
}

static bool read_number(const char *text, const char *end, uint64_t *out)
{
    char *stop;

    if (text == end || *text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long v = strtoull(text, &stop, 10);
    if (errno != 0 || stop != end) return false;
    *out = v;
    return true;
}

static const char *end_of(const char *text)
{
    return text + strlen(text);
}

/* ---- one seed ---- */

static void print_line(void *data, const char *text)
{
    (void)fprintf(data, "%s\n", text);
}

static int finish_output(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return status;
    (void)fprintf(stderr, "gapless-sim: the output can't be written: %s\n", strerror(errno));
    return 1;
}

static int run_seed(const struct options *o)
{
    struct globe_outcome out;
    uint64_t seed;

    if (!read_number(o->seed, end_of(o->seed), &seed)) return wrong("no seed", o->seed);
    int r = globe_run_seed(seed, o->decisions, o->trace ? print_line : NULL, stdout, &out);
    if (r < 0) {
        (void)fprintf(stderr, "gapless-sim: seed %s: %s\n", o->seed, gap_strerror(r));
        return 1;
    }
    if (!out.held) {
        (void)printf("%s\n", out.verdict);
        return finish_output(3);
    }
    (void)printf("seed %s: held; events %llu, deliveries %llu, superseded %llu, given up %llu, "
                 "differences %llu, gaps %llu, restarts %llu\n",
                 o->seed, (unsigned long long)out.count.events,
                 (unsigned long long)out.count.deliveries, (unsigned long long)out.count.superseded,
                 (unsigned long long)out.count.excused, (unsigned long long)out.count.differences,
                 (unsigned long long)out.count.gaps, (unsigned long long)out.count.restarts);
    return finish_output(0);
}

/* ---- many ---- */

static int run_seeds(const struct options *o, const char *program)
{
    const char *dots = strstr(o->seeds, "..");
    struct sim_range range;
    uint64_t jobs = 1;

    memset(&range, 0, sizeof range);
    if (dots == NULL || !read_number(o->seeds, dots, &range.from) ||
        !read_number(dots + 2, end_of(dots), &range.to) || range.to < range.from ||
        range.to == UINT64_MAX)
        return wrong("no range of seeds FROM..TO", o->seeds);
    if (o->jobs != NULL &&
        (!read_number(o->jobs, end_of(o->jobs), &jobs) || jobs < 1 || jobs > SIM_JOBS_MAX))
        return wrong("--jobs takes 1 to 64", o->jobs);
    range.jobs = (uint32_t)jobs;
    range.progress = o->progress;
    range.program = program;
    range.out = stdout;
    range.err = stderr;
    range.quiet = isatty(STDERR_FILENO) == 0;
    return finish_output(sim_range_run(&range));
}

/* ---- the command line ---- */

/* @return 0; USAGE it is wrong, and has been told. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"--seed", &o->seed},
                 {"--seeds", &o->seeds},
                 {"--script", &o->script},
                 {"--progress", &o->progress},
                 {"--jobs", &o->jobs}};

    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
            continue;
        }
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        if (strcmp(argv[i], "--decisions") == 0) {
            o->trace = o->decisions = true;
            continue;
        }
        while (k < GAP_ARRAY_LEN(known) && strcmp(argv[i], known[k].name) != 0) k++;
        if (k == GAP_ARRAY_LEN(known)) return wrong("not known", argv[i]);
        if (i + 1 == argc) return wrong("a value is missing", argv[i]);
        *known[k].value = argv[++i];
    }
    if ((o->seed != NULL) + (o->seeds != NULL) + (o->script != NULL) != 1)
        return wrong("give one of --seed, --seeds and --script", NULL);
    if (o->json && o->script == NULL) return wrong("--json goes with --script", NULL);
    if (o->trace && o->seed == NULL) return wrong("--trace goes with --seed", NULL);
    if (o->seeds == NULL && (o->progress != NULL || o->jobs != NULL))
        return wrong("--progress and --jobs go with --seeds", NULL);
    return 0;
}

static void print_language(void)
{
    for (unsigned part = 0; sim_script_help(part) != NULL; part++)
        (void)fputs(sim_script_help(part), stdout);
}

int main(int argc, char **argv)
{
    struct options o;

    memset(&o, 0, sizeof o);
    if (argc == 2 && strcmp(argv[1], "--script-help") == 0) {
        print_language();
        return finish_output(0);
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        (void)fputs(help, stdout);
        (void)fputs("\nScripts\n\n", stdout);
        print_language();
        return finish_output(0);
    }
    int r = read_options(argc, argv, &o);
    if (r != 0) return r;
    if (o.script != NULL)
        return finish_output(sim_script_program(o.script, o.json, stdout, stderr));
    return o.seed != NULL ? run_seed(&o) : run_seeds(&o, argv[0]);
}
