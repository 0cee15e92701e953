/*
 * outbox/request.h - the call that a row stands for: its method, its bytes, and whether it may be
 * made again.
 *
 *   kind      method                              again, if the answer was lost
 *   SEND      messages.sendMessage                random_id
 *   MEDIA     messages.sendMedia                  random_id
 *   EDIT      messages.editMessage                idempotent: MESSAGE_NOT_MODIFIED
 *   DELETE    messages. or channels.deleteMessages  idempotent
 *   FORWARD   messages.forwardMessages            random_id, one for each message
 *   PIN       messages.updatePinnedMessage        probe: each pin makes a service message;
 *                                                 taking it off makes none: idempotent
 *   READ      messages. or channels.readHistory   idempotent
 *   REACT     messages.sendReaction               idempotent
 *   RAW       its own                             as declared
 *
 * Pure; any thread. Owns nothing.
 */
#ifndef GAP_OUTBOX_REQUEST_H
#define GAP_OUTBOX_REQUEST_H

#include "outbox/content.h"

/**
 * How to address a peer: as gap_client_input_peer, with an InputPeer.
 * @param storage  GAP_INPUT_PEER_BYTES; @p out may point into it, or anywhere that outlives the
 * call.
 * @return 0; GAP_E_NOT_FOUND, or any other failure: forwarded.
 */
typedef int (*gap_address_cb)(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                              gap_tl_object_t *out);

/** What a row knows beside its payload. */
struct gap_request {
    gap_peer_t chat;
    int64_t random_id;      /* of the row; 0: its kind has none */
    int32_t target;         /* the message that message_row or reply_to_row has become; 0: the item
                               names it */
    gap_address_cb address; /* of the chat, of `from`, of who is mentioned */
    void *arg;
};

/**
 * Append the serialised call to @p out.
 *
 * @param item  Unpacked, or checked with gap_outbox_check. Of a POST's row: what its payload says.
 * @return 0; what address() returned; GAP_E_STATE message_row or reply_to_row is set and no target
 *         is given; GAP_E_ARGUMENT the address is not one of that kind of peer; GAP_E_LIMIT;
 *         GAP_E_NOMEM. After a failure @p out holds what it held.
 */
GAP_NODISCARD int gap_outbox_query(const struct gap_request *request, const gap_outbox_item_t *item,
                                   gap_buf_t *out);

/**
 * The method of a row: what limits are learned by.
 *
 * @param kind  Of the row. POST: as SEND; give EDIT, or what its payload says, if that is known.
 * @param chat  Kind of its chat: DELETE and READ go to channels.* in channels.
 * @param raw   RAW: gap_item_raw_method() of its payload; else ignored.
 * @return constructor id; 0: of an unknown kind, or @p raw is 0.
 */
uint32_t gap_outbox_method(gap_outbox_kind_t kind, gap_peer_kind_t chat, uint32_t raw);
/** The method in a RAW item's payload, inside of wrappers (invokeWithTakeout,
 * invokeWithBusinessConnection). @param payload  Not trusted. @return 0: none, or damaged. */
uint32_t gap_item_raw_method(gap_bytes_t payload);
/** May it be made again? Never BY_KIND for an item that passed gap_outbox_check. */
gap_replay_t gap_outbox_replay(const gap_outbox_item_t *item);
/** Does one updateMessageID with the row's random_id say that all of it has happened? false for
 * several random ids: such a call is repeated, and the server leaves out what it has done. */
bool gap_outbox_is_named(const gap_outbox_item_t *item);

/**
 * Does a RAW query go with its declared replay class? Refused is what is a plain mistake:
 *   RANDOM_ID   for a method without a random_id, or whose random_id the server does not honour
 *               (messages.requestEncryption answers every repeat with RANDOM_ID_DUPLICATE)
 *   IDEMPOTENT  for a method with a random_id (RANDOM_ID is meant), for one that makes, pays or
 *               invites each time (messages.createChat, payments.send..., see the table)
 *   any         for invokeAfterMsg, invokeWithLayer, initConnection: those are the connection's;
 *               for messages.sendPaidReaction with random_id 0, which has to hold the time
 * What a method does that is not in the table is its caller's word.
 *
 * @param query   Serialised, with nothing behind it. Not trusted.
 * @param method  The method inside of wrappers; may be NULL.
 * @return 0; GAP_E_ARGUMENT; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT it is no well-formed call.
 */
GAP_NODISCARD int gap_raw_check(gap_bytes_t query, gap_replay_t replay, uint32_t *method);
/** The random ids of a query, found by the schema: field random_id, a vector of that name, or
 * those of the elements of sendMultiMedia. */
typedef struct gap_raw_ids {
    uint32_t count; /* 0: the method has none */
    uint32_t zeros; /* of these, still to be drawn */
    int64_t first;  /* the first one */
    bool is_int;    /* of 32 bits */
} gap_raw_ids_t;
/** @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT. */
GAP_NODISCARD int gap_raw_ids(gap_bytes_t query, gap_raw_ids_t *out);
/** Overwrite the zeros among them: the i-th by gap_outbox_random_at(random_id, i).
 * @return as gap_raw_ids. */
GAP_NODISCARD int gap_raw_fill(uint8_t *query, size_t len, int64_t random_id);

/* ---- has it happened? ---- */

/**
 * The call that shows whether a row of class PROBE has happened: for a PIN messages.getMessages, in
 * channels channels.getMessages, of the message.
 * @return 0; GAP_E_NOT_FOUND nothing is known that would show it (RAW: gap_outbox_config.probe); as
 *         gap_outbox_query.
 */
GAP_NODISCARD int gap_outbox_probe_query(const struct gap_request *request,
                                         const gap_outbox_item_t *item, gap_buf_t *out);
/* Its answer is judged by gap_outbox_probe_judge in answer.h. */

#endif
