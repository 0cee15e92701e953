/*
 * client/reply.c - addressing peers, and answering what an update brought.
 *
 *   gap_reply: the run is held -> sendMessage, its random_id derived -> answer -> the host's
 *   callback -> the run goes on, or has failed
 *
 * What is derived is the same in every process that handles the same event, so the server drops the
 * second of two. Owns a record for each answer in flight; access hashes are the engine's, which
 * learns them from everything that arrives; the book knows what to do about partial peers.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "runner/eid.h"
#include "sequence/update.h"

#include <gapless/tl_api.h>
#include <string.h>

/** Ordinals of replies that name none are below this, keys of the host's own at or above it. */
#define OWN_KEYS (UINT64_C(1) << 32)
/** Longest text of gap_answer_callback in UTF-16 code units. */
#define ALERT_MAX 200

gap_client_t *gap_update_client(const gap_update_t *update)
{
    return update->account;
}

int gap_client_input_peer(gap_client_t *client, gap_peer_t peer,
                          uint8_t storage[GAP_INPUT_PEER_BYTES], gap_tl_object_t *out)
{
    struct client_address address;

    client_enter(client);
    int r = client_book_address(&client->book, peer, &address);
    if (r == 0) client_address_peer(&address, storage, out);
    return r;
}

/* ---- what an event is known by ---- */

/* Any thread that has the update: the key does not change once updates flow. */
static int identify(const gap_update_t *update, struct gap_identity *out)
{
    const gap_client_t *c = update->account;

    if (c == NULL) return GAP_E_STATE;
    int r = gap_eid_of(update, &c->boot.key, out);
    if (r < 0) return r;
    return out->has ? 0 : GAP_E_NOT_FOUND;
}

int gap_update_eid(const gap_update_t *update, gap_eid_t *out)
{
    struct gap_identity identity;

    int r = identify(update, &identity);
    if (r == 0) *out = identity.eid;
    return r;
}

static int random_id(const gap_update_t *update, uint64_t ordinal, int64_t *out)
{
    const gap_client_t *c = update->account;
    struct gap_identity identity;

    int r = identify(update, &identity);
    return r < 0 ? r : gap_eid_random_id(&c->boot.key, &identity.eid, ordinal, out);
}

int gap_update_random_id(const gap_update_t *update, uint32_t key, int64_t *out)
{
    return random_id(update, OWN_KEYS + key, out);
}

/* ---- answers in flight ---- */

struct reply {
    gap_update_t *update; /* held */
    gap_call_cb callback;
    void *data;
};

/* What the run is told. The server's word counts, but not "later" or "something went wrong": then
 * nothing was sent, or nobody knows. */
static int outcome(const gap_result_t *result)
{
    switch (result->status) {
    case GAP_E_RPC:
        break;
    case GAP_E_TL:
    case GAP_E_TL_ID:
        return 0; /* it was answered, in words that are not known */
    default:
        return result->status;
    }
    switch (result->rpc_code) {
    case 400:
    case 403:
    case 404:
    case 406:
        return 0;
    default:
        return GAP_E_RPC;
    }
}

static void tell_refusal(gap_client_t *c, const gap_result_t *result)
{
    if (result->status != GAP_E_RPC || strcmp(result->rpc_name, "QUERY_ID_INVALID") == 0) return;
    client_emit(c,
                (gap_event_t){.kind = GAP_CLIENT_ERROR,
                              .error = result->status,
                              .rpc_code = result->rpc_code},
                "the server refused an answer: %s (%d)", result->rpc_name, result->rpc_code);
}

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct reply reply = *(struct reply *)data;
    int status = outcome(result);

    gap_free(client->alloc, data);
    if (status == 0) gap_run_answered(reply.update);
    if (reply.callback != NULL)
        reply.callback(client, result, reply.data);
    else if (status == 0)
        tell_refusal(client, result);
    gap_run_release(reply.update, status);
}

/* Send what answers an update; the run is held until it is. */
static int send_for(gap_update_t *update, gap_tl_object_t query, gap_call_cb callback, void *data)
{
    gap_client_t *c = update->account;

    struct reply *reply = gap_malloc(c->alloc, sizeof *reply);
    if (reply == NULL) return GAP_E_NOMEM;
    *reply = (struct reply){update, callback, data};
    int r = gap_run_hold(update);
    if (r == 0) {
        r = gap_client_call(c, query, on_answer, reply);
        if (r < 0) {
            gap_run_answered(update);
            gap_run_release(update, 0);
        }
    }
    if (r < 0) gap_free(c->alloc, reply);
    return r;
}

/* ---- messages ---- */

static int reply_with_id(gap_update_t *update, int64_t id, const char *text, gap_call_cb callback,
                         void *data)
{
    gap_client_t *c = update->account;
    gap_message_t message;
    gap_tl_object_t peer;
    uint8_t storage[GAP_INPUT_PEER_BYTES];

    int r = gap_message_read(update, &message);
    if (r < 0) return r;
    if (r == GAP_NO_MESSAGE || text[0] == 0 ||
        gap_utf16_length(gap_str(text)) > GAP_CLIENT_TEXT_MAX)
        return GAP_E_ARGUMENT;
    r = gap_client_input_peer(c, message.chat, storage, &peer);
    if (r < 0) return r;
    gap_tl_input_reply_to_message_t reply_to = {.reply_to_msg_id = message.id};
    gap_tl_messages_send_message_t query = {
        .flags = GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO,
        .peer = peer,
        .reply_to = GAP_TL_OF(GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply_to),
        .message = gap_str(text),
        .random_id = id,
    };
    return send_for(update, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &query), callback, data);
}

/* A reply that was not sent leaves its ordinal to the next one: after a crash the first that is
 * sent must get the same again. */
int gap_reply(gap_update_t *update, const char *text, gap_call_cb callback, void *data)
{
    int64_t id = 0;

    if (update->account == NULL) return GAP_E_ARGUMENT;
    client_enter(update->account);
    int r = random_id(update, gap_run_ordinal(update), &id);
    if (r == GAP_E_NOT_FOUND) return GAP_E_ARGUMENT;
    if (r == 0) r = reply_with_id(update, id, text, callback, data);
    if (r == 0) gap_run_ordinal_used(update);
    return r;
}

int gap_reply_with(gap_update_t *update, uint32_t key, const char *text, gap_call_cb callback,
                   void *data)
{
    int64_t id = 0;

    if (update->account == NULL) return GAP_E_ARGUMENT;
    client_enter(update->account);
    int r = gap_update_random_id(update, key, &id);
    if (r == GAP_E_NOT_FOUND) return GAP_E_ARGUMENT;
    return r < 0 ? r : reply_with_id(update, id, text, callback, data);
}

/* ---- queries ---- */

/* @return 0; GAP_E_ARGUMENT it is none; as gap_update_read. */
static int query_id_of(const gap_update_t *update, int64_t *out)
{
    gap_tl_update_bot_callback_query_t message;
    gap_tl_update_inline_bot_callback_query_t inline_message;
    int r = GAP_E_ARGUMENT;

    if (gap_update_id(update) == GAP_TL_UPDATE_BOT_CALLBACK_QUERY) {
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &message);
        if (r == 0) *out = message.query_id;
    } else if (gap_update_id(update) == GAP_TL_UPDATE_INLINE_BOT_CALLBACK_QUERY) {
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_INLINE_BOT_CALLBACK_QUERY, &inline_message);
        if (r == 0) *out = inline_message.query_id;
    }
    return r;
}

int gap_answer_callback(gap_update_t *update, const char *text, bool alert, gap_call_cb callback,
                        void *data)
{
    gap_tl_messages_set_bot_callback_answer_t query = {0};
    bool has_text = text != NULL && text[0] != 0;

    if (update->account == NULL) return GAP_E_ARGUMENT;
    client_enter(update->account);
    int r = query_id_of(update, &query.query_id);
    if (r < 0) return r;
    if (has_text && gap_utf16_length(gap_str(text)) > ALERT_MAX) return GAP_E_ARGUMENT;
    if (has_text) {
        query.flags |= GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER_F_MESSAGE;
        query.message = gap_str(text);
    }
    if (alert) query.flags |= GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER_F_ALERT;
    return send_for(update, GAP_TL_OF(GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER, &query), callback,
                    data);
}
