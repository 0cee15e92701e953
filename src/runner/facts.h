/*
 * runner/facts.h - what routes ask of an update: kind, chat, sender, command, query. Found out once
 * for an update, in one walk over its head. Pure.
 */
#ifndef GAP_RUNNER_FACTS_H
#define GAP_RUNNER_FACTS_H

#include <gapless/route.h>

/** Bytes of a bot's name, the final 0 not included. */
#define GAP_USERNAME_MAX 64
/** Letters of a command (Telegram's limit for what it marks as one). */
#define GAP_COMMAND_MAX 64

struct gap_facts {
    gap_match_t match;
    gap_message_t message;
    gap_bytes_t captures[GAP_CAPTURES_MAX];
    const gap_update_t *update;
    uint32_t id;
    uint32_t kind; /* one GAP_KIND_ bit */
};

/** @param username  Of the bot, "" if not known: a command that names another one is none. A
 * message that can't be read is none. Views point into the update. */
void gap_facts_read(struct gap_facts *f, const gap_update_t *update, const char *username);
/** GAP_CHAT_ bits of its chat; 0: it has none. */
uint32_t gap_facts_chat_kinds(const struct gap_facts *f);
/** What a constructor is about: one GAP_KIND_ bit. */
uint32_t gap_facts_kind(uint32_t id);

/** Are they equal, ASCII letters of both cases counting as the same? */
bool gap_bytes_equal_fold(gap_bytes_t a, gap_bytes_t b);
static inline uint8_t gap_fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}
/** Letters, digits and "_". */
static inline bool gap_is_name(uint8_t c)
{
    uint8_t l = gap_fold(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

#endif
