/*
 * tests/sim/script_in.h - what the files that read scripts share: one line being read, word by
 * word. Every function that returns int returns 0, GAP_E_ARGUMENT with the error told, GAP_E_LIMIT
 * or GAP_E_NOMEM.
 */
#ifndef GAP_TESTS_SIM_SCRIPT_IN_H
#define GAP_TESTS_SIM_SCRIPT_IN_H

#include "base/buf.h"
#include "script_read.h"

struct reader {
    sim_script_t *script;
    gap_buf_t dc;   /* the same lines, as gapless-dc's reader is to see them */
    const char *at; /* what is left of the line */
    const char *end;
    uint32_t line;
    uint32_t first;   /* line of the first command that is no setting; 0: none yet */
    uint32_t with;    /* the answer by hand that is being read, from 1; 0: none */
    uint32_t with_at; /* its line */
    bool together;
    uint64_t now_ms; /* time that has gone by for sure */
    char word[GAP_DC_SCRIPT_WORD];
    char *error;
    size_t error_cap;
};

GAP_NODISCARD int sim_wrong(struct reader *r, const char *format, ...) GAP_PRINTF(2, 3);
/** The next word; empty at the end of the line. */
const char *sim_word(struct reader *r);
/** Take the next word if it is this one. */
bool sim_next_is(struct reader *r, const char *text);
bool sim_at_end(struct reader *r);
/** An integer from @p min to @p max. @param what What it is, for the error. */
GAP_NODISCARD int sim_integer(struct reader *r, const char *what, int64_t min, int64_t max,
                              int64_t *out);
/** The same if the next word is one. @return true and it is taken. */
bool sim_next_integer(struct reader *r, int64_t *out);
/** MS, 2s, 15min, 8h. */
GAP_NODISCARD int sim_time(struct reader *r, uint64_t *out_ms);
bool sim_next_time(struct reader *r, uint64_t *out_ms);
/** user:N, group:N, channel:N. */
GAP_NODISCARD int sim_chat(struct reader *r, dc_peer_type_t *type, uint32_t *index);
GAP_NODISCARD int sim_channel(struct reader *r, uint32_t *index);
/** The same if the next word is a chat: one of the three and a colon. */
bool sim_next_is_chat(struct reader *r, const char *prefix);
/** FROM..TO, or FROM alone (to = from). */
bool sim_range(const char *text, int64_t *from, int64_t *to);
/** What is left of the line; quotes around it are taken off. */
GAP_NODISCARD int sim_rest(struct reader *r, char out[SIM_TEXT]);
/** "TEXT", or a word. */
GAP_NODISCARD int sim_quoted(struct reader *r, char out[SIM_TEXT]);
/** A word of a list by its place in it, -1 none. */
int sim_find(const char *const *names, size_t count, const char *text);

/** One more step, of this line. */
GAP_NODISCARD int sim_add(struct reader *r, const sim_step_t *step);
/** The words of a raw update; `raw` is taken. */
GAP_NODISCARD int sim_read_raw(struct reader *r, uint32_t *out);
/** What follows `with`: the block begins. @return also the new one, from 1, in r->with. */
GAP_NODISCARD int sim_read_with(struct reader *r);
/** expect and await; the word itself is taken. @return 1 it is for gapless-dc's reader. */
GAP_NODISCARD int sim_read_topic(struct reader *r, sim_step_t *step);
/** Settings at the top. @return 1 the word is none. */
GAP_NODISCARD int sim_read_setting(struct reader *r, const char *name);
/** Labels up to the end of the line. */
GAP_NODISCARD int sim_read_labels(struct reader *r, sim_step_t *step);
/** Make room for one more. */
GAP_NODISCARD int sim_grow(sim_script_t *s, void **items, uint32_t *cap, uint32_t count,
                           size_t size, uint32_t most);

#endif
