/* dc/options.h - the command line of gapless-dc. */
#ifndef GAP_DC_OPTIONS_H
#define GAP_DC_OPTIONS_H

#include "dc/dc.h"

typedef struct gap_dc_cli {
    gap_dc_options_t dc;
    const char *key; /* file names, or NULL */
    const char *pubkey_out;
    const char *ledger;
    const char *script;
    const char *peer_file;
    double min; /* chances; in the world they are percents */
    double shorts;
    uint32_t text_length; /* 0: as the world has it */
    bool until_eof;
    bool help;
    bool script_help;
} gap_dc_cli_t;

/**
 * Read the command line.
 * @param error  On failure one line: what is wrong and what to do. No newline.
 * @return 0, or GAP_E_ARGUMENT.
 */
GAP_NODISCARD int gap_dc_cli_parse(int argc, char **argv, gap_dc_cli_t *out, char *error,
                                   size_t error_cap);
/** The text of --help: every option with its default. @return characters written, or that would
 * have been. */
int gap_dc_cli_help(char *out, size_t cap);

#endif
