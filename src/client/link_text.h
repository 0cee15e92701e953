/*
 * client/link_text.h - what people write when they mean somebody: names, phone numbers, links and
 * ids, told apart without asking anybody.
 */
#ifndef GAP_CLIENT_LINK_TEXT_H
#define GAP_CLIENT_LINK_TEXT_H

#include <gapless/update.h>

/** Characters of a username, at least and at most. A few inline bots of the first days are shorter
 * and known by name. */
#define CLIENT_USERNAME_MIN 4
#define CLIENT_USERNAME_MAX 32
/** Digits of a phone number, at least and at most (ITU-T E.164; Telegram's own begin at 5). */
#define CLIENT_PHONE_MIN 5
#define CLIENT_PHONE_MAX 15
/** Characters of an invitation's hash at most. */
#define CLIENT_INVITE_MAX 64
/** Characters of a text that means somebody at most; longer ones mean nobody. */
#define CLIENT_WHO_MAX 512

enum client_who_kind {
    CLIENT_WHO_SELF = 1,
    CLIENT_WHO_USERNAME, /* `text` without "@", as it was written */
    CLIENT_WHO_PHONE,    /* `text` is digits only */
    CLIENT_WHO_ID,       /* `peer` */
    CLIENT_WHO_INVITE,   /* `text` is the hash */
};

struct client_who {
    enum client_who_kind kind;
    gap_peer_t peer;
    char text[CLIENT_INVITE_MAX + 1]; /* ended by 0 */
};

/**
 * Read a text: "me", "self"; a username with or without "@"; "+" and a phone number with blanks,
 * dashes, dots and brackets; a marked id of the Bot API; a link to t.me, telegram.me, telegram.dog
 * or NAME.t.me, with or without scheme; a tg: link.
 *
 * @param text  UTF-8, ended by 0. Borrowed.
 * @param out   Set on 0.
 * @return 0; GAP_E_ARGUMENT it means nobody.
 */
GAP_NODISCARD int client_who_parse(const char *text, struct client_who *out);

/** Do two mean the same? Usernames: upper and lower case alike. */
bool client_who_equal(const struct client_who *a, const struct client_who *b);

#endif
