/*
 * userbot/options.h - the command line of gapless-userbot.
 */
#ifndef GAP_USERBOT_OPTIONS_H
#define GAP_USERBOT_OPTIONS_H

#include <gapless/base.h>

enum userbot_mode { MODE_EMBEDDED, MODE_SERVER, MODE_TELEGRAM };

struct options {
    enum userbot_mode mode;
    uint64_t seed;
    uint64_t events;
    uint32_t channels;
    const char *host; /* --server: a copy without the port */
    uint16_t port;
    int dc;
    const char *server_key; /* path of a PEM file */
    int32_t api_id;
    const char *api_hash;
    const char *bot_token;
    const char *out;    /* path, "-" for stdout, NULL for none */
    uint64_t expect;    /* updates; 0 = no expectation */
    uint32_t timeout_s; /* 0 = no limit */
    int delay_ms;       /* embedded: the data centre's delay of every push */
    bool json;
};

/** What parsing ended with. */
enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/**
 * Parse and check. A problem is said in one line on stderr, help goes to stdout.
 * @param out  Points into argv and into memory that options_fini frees.
 */
enum options_result options_parse(int argc, char **argv, struct options *out);
void options_fini(struct options *o);

#endif
