/*
 * runner/eid.h - what an event is called, so that it is known again after a crash, however it comes
 * then: pushed, or told by a difference, where it has neither pts nor an update around it.
 *
 *   new message             account, chat, message id
 *   edit                    the same and the content with its edit date
 *   secret message          secret chat, its random id
 *   other event of qts      constructor, qts
 *   query                   constructor, query id
 *   reads, pins, deletes    none: handling them twice does no harm
 *
 * Content is what an edit changes: text, markup, media, buttons, edit date; not views, forwards,
 * reactions, comments, pins, nor what the server makes anew for each answer (file references).
 *
 * The hash is SipHash-2-4-128 with a key that is made of the account's stored secret.
 */
#ifndef GAP_RUNNER_EID_H
#define GAP_RUNNER_EID_H

#include <gapless/store.h>

/** Secret: wipe with gap_wipe. */
struct gap_eid_key {
    uint8_t sip[16];
    uint8_t secret[32];
    int64_t account;
};

/** What an event is called. */
struct gap_identity {
    gap_eid_t eid;    /* all zero: it has no name */
    uint64_t content; /* of a message; else 0 */
    bool has;
    bool is_message; /* a message, new or edited */
    bool is_edit;
};

/** @param secret Of gap_boot_record_t. @param account The user's id. @return 0, GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_eid_key_init(struct gap_eid_key *key, const uint8_t secret[32],
                                   int64_t account);
/** @return 0 (also if it has no name: out->has is false then); GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT
 * its bytes are malformed: it has none. *out is always set. */
int gap_eid_of(const gap_update_t *update, const struct gap_eid_key *key, struct gap_identity *out);
/** The name that an edit of the same message with the same content has. @param message The identity
 * of a new message. @return false: malformed. */
bool gap_eid_as_edit(const gap_update_t *update, const struct gap_eid_key *key,
                     const struct gap_identity *message, gap_eid_t *out);

/** random_id of the @p ordinal-th message that is sent in answer to an event: the same again when
 * the event is handled again. Never 0. @return 0, GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_eid_random_id(const struct gap_eid_key *key, const gap_eid_t *eid,
                                    uint64_t ordinal, int64_t *out);
/** The same where messages have names of their own instead of an order. */
GAP_NODISCARD int gap_eid_random_id_named(const struct gap_eid_key *key, const gap_eid_t *eid,
                                          gap_bytes_t name, int64_t *out);

bool gap_eid_is_none(const gap_eid_t *eid);

#endif
