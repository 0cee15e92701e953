/*
 * client/find_ask.c - asking the server who somebody is.
 *
 *   name         contacts.resolveUsername        phone     contacts.resolvePhone
 *   user's id    users.getUsers                  channel   channels.getChannels
 *   basic group  messages.getChats               invitation  messages.checkChatInvite
 *
 * A user or channel is asked for by the message that names it; bots say access hash 0; a person
 * who has neither looks through the dialogs. Owns nothing: the query is serialised at once. Every
 * answer teaches the book first.
 */
#include "client/find_internal.h"

#include "base/bytes.h"
#include "sequence/walk.h"

#include <gapless/tl_api.h>
#include <string.h>

/* ---- refusals ---- */

static const struct refusal {
    const char *name; /* all of it, or the part before a number */
    int status;
    const char *text;
} refusals[] = {
    {"USERNAME_NOT_OCCUPIED", GAP_E_NOT_FOUND, "nobody has this username"},
    {"USERNAME_INVALID", GAP_E_NOT_FOUND, "no username looks like this"},
    {"PHONE_NOT_OCCUPIED", GAP_E_NOT_FOUND,
     "nobody has this phone number, or its owner does not let it be found"},
    {"PHONE_NUMBER_INVALID", GAP_E_NOT_FOUND, "no phone number looks like this"},
    {"INVITE_HASH_EMPTY", GAP_E_NOT_FOUND, "no invitation looks like this"},
    {"INVITE_HASH_INVALID", GAP_E_NOT_FOUND, "there is no such invitation"},
    {"INVITE_HASH_EXPIRED", GAP_E_NOT_FOUND, "the invitation is not valid any more"},
    {"INVITE_REQUEST_SENT", GAP_E_NOT_FOUND, "the request to join waits for an answer"},
    {"USER_ID_INVALID", GAP_E_NOT_FOUND, "the account can't see a user of this id"},
    {"PEER_ID_INVALID", GAP_E_NOT_FOUND, "the account can't see a peer of this id"},
    {"CHAT_ID_INVALID", GAP_E_NOT_FOUND, "the account can't see a basic group of this id"},
    {"CHANNEL_INVALID", GAP_E_NOT_FOUND, "the account can't see a channel of this id"},
    {"CHANNEL_PRIVATE", GAP_E_NOT_FOUND, "the account has no access to this channel"},
    {"CHANNEL_PUBLIC_GROUP_NA", GAP_E_NOT_FOUND, "the account has no access to this channel"},
    {"MSG_ID_INVALID", GAP_E_NOT_FOUND, "the message that named it is gone"},
    {"BOT_METHOD_INVALID", GAP_E_RPC, "bots may not look for this; use a username or an id"},
    {"FLOOD_WAIT_", GAP_E_RPC, "too many look-ups; wait the seconds that the error names"},
    {"FLOOD_PREMIUM_WAIT_", GAP_E_RPC, "too many look-ups; wait the seconds that the error names"},
};

static bool is_named(const struct refusal *r, gap_bytes_t name)
{
    size_t len = strlen(r->name);
    bool numbered = r->name[len - 1] == '_';

    return name.len >= len && memcmp(name.data, r->name, len) == 0 && (numbered || name.len == len);
}

static void keep_name(struct lookup *l, gap_bytes_t name)
{
    size_t len = name.len < sizeof l->rpc_name ? name.len : sizeof l->rpc_name - 1;

    if (len > 0) memcpy(l->rpc_name, name.data, len);
    l->rpc_name[len] = 0;
}

void lookup_refused(struct lookup *l, const gap_answer_t *answer)
{
    if (answer->status != GAP_E_RPC) {
        lookup_fail(l, answer->status, "the server did not answer: %s",
                    gap_strerror(answer->status));
        return;
    }
    keep_name(l, answer->error_text);
    for (size_t i = 0; i < GAP_ARRAY_LEN(refusals); i++) {
        if (!is_named(&refusals[i], answer->error_text)) continue;
        lookup_fail(l, refusals[i].status, "%s", refusals[i].text);
        return;
    }
    lookup_fail(l, GAP_E_RPC, "the server refuses to look: %s", l->rpc_name);
}

/* ---- answers ---- */

/* Whom the answer is about; kind NONE: nobody. The walks were checked when the book learned. */
static gap_peer_t peer_in(const struct lookup *l, gap_bytes_t value, int *error)
{
    gap_tl_contacts_resolved_peer_t resolved;
    gap_tl_chat_invite_already_t already;
    gap_peer_t none = {0, GAP_PEER_NONE};
    int64_t used;

    *error = 0;
    switch (l->who.kind) {
    case CLIENT_WHO_USERNAME:
    case CLIENT_WHO_PHONE:
        used = gap_tl_read(value, GAP_TL_CONTACTS_RESOLVED_PEER, &resolved, sizeof resolved);
        if (used >= 0) {
            struct gap_walk w = gap_walk(gap_tl_bytes(resolved.peer), 0);
            return gap_walk_peer(&w);
        }
        *error = (int)used;
        return none;
    case CLIENT_WHO_INVITE:
        if (value.len < 4 || gap_load32(value.data) != GAP_TL_CHAT_INVITE_ALREADY) return none;
        used = gap_tl_read(value, GAP_TL_CHAT_INVITE_ALREADY, &already, sizeof already);
        if (used >= 0) return gap_peer_of(gap_tl_bytes(already.chat));
        *error = (int)used;
        return none;
    default:
        return l->who.peer;
    }
}

/* The answer names it itself: good even where the engine could not take it. */
static bool address_in(gap_tl_vector_t vector, gap_peer_t peer, struct client_address *out)
{
    struct client_seen_walk walk = {.vector = vector};
    struct client_seen s;

    while (client_seen_next(&walk, &s) > 0) {
        const gap_peer_record_t *r = &s.record;
        if (!gap_peer_equal(r->peer, peer) || s.forbidden) continue;
        if (peer.kind != GAP_PEER_CHAT && (!r->has_hash || r->min)) continue;
        *out = (struct client_address){
            .how = CLIENT_ADDRESS_PLAIN, .peer = peer, .access_hash = r->access_hash};
        return true;
    }
    return false;
}

static bool find_in(struct lookup *l, gap_bytes_t value, gap_peer_t peer)
{
    const struct client_book *b = l->finder->config.book;
    struct client_answer answer;
    struct client_address a;

    if (peer.kind == GAP_PEER_NONE || client_answer_open(value, &answer) < 0) return false;
    if (peer.kind != GAP_PEER_CHAT && client_book_address(b, peer, &a) == 0 &&
        (a.how == CLIENT_ADDRESS_PLAIN || a.how == CLIENT_ADDRESS_SELF)) {
        lookup_found(l, &a);
        return true;
    }
    if (!address_in(answer.users, peer, &a) && !address_in(answer.chats, peer, &a)) return false;
    lookup_found(l, &a);
    return true;
}

/* What was asked for is not in the answer. */
static void not_there(struct lookup *l, gap_bytes_t value, gap_peer_t peer)
{
    struct client_address a;

    if (l->who.kind == CLIENT_WHO_INVITE) {
        lookup_fail(l, GAP_E_NOT_FOUND,
                    "that is an invitation to a chat the account is not in; "
                    "messages.importChatInvite joins it");
    } else if (value.len < 4) {
        lookup_fail(l, GAP_E_TL, "the server's answer can't be read");
    } else if (peer.kind != GAP_PEER_CHAT && peer.kind != GAP_PEER_NONE &&
               client_book_address(l->finder->config.book, peer, &a) == 0) {
        lookup_found(l, &a); /* in part; better than nobody */
    } else {
        lookup_fail(l, GAP_E_NOT_FOUND, "the server knows nobody whom this account could address");
    }
}

/* A partial peer whose message is gone: the next question goes without it. */
static bool ask_otherwise(struct lookup *l)
{
    struct client_book *b = l->finder->config.book;

    if (!l->by_message) return false;
    client_contexts_drop(&b->contexts, l->who.peer);
    lookup_walk(l);
    return true;
}

static void on_answer(void *arg, const gap_answer_t *answer)
{
    struct lookup *l = arg;
    struct client_finder *f = l->finder;
    int error = 0;

    if (!lookup_drop(f)) return;
    if (answer->status != 0) {
        bool gone = answer->status == GAP_E_RPC && answer->error_code == 400;
        if (!gone || !ask_otherwise(l)) lookup_refused(l, answer);
        return;
    }
    client_book_answer(f->config.book, answer->value,
                       (uint32_t)(gap_rt_now_us(f->config.rt) / 1000000));
    gap_peer_t peer = peer_in(l, answer->value, &error);
    if (error < 0) {
        lookup_fail(l, error, "the server's answer can't be read: %s", gap_strerror(error));
    } else if (!find_in(l, answer->value, peer) && !ask_otherwise(l)) {
        not_there(l, answer->value, peer);
    }
}

/* ---- questions ---- */

static void invoke(struct lookup *l, gap_tl_object_t query)
{
    struct client_finder *f = l->finder;

    l->state = LOOKUP_ASKING;
    lookup_hold(f);
    int r = f->config.invoke(f->config.invoke_arg, query, on_answer, l);
    if (r == 0) return;
    (void)lookup_drop(f);
    lookup_fail(l, r, "the server can't be asked: %s", gap_strerror(r));
}

static void ask_username(struct lookup *l)
{
    gap_tl_contacts_resolve_username_t q = {.username = gap_str(l->who.text)};
    invoke(l, GAP_TL_OF(GAP_TL_CONTACTS_RESOLVE_USERNAME, &q));
}

static void ask_phone(struct lookup *l)
{
    gap_tl_contacts_resolve_phone_t q = {.phone = gap_str(l->who.text)};
    invoke(l, GAP_TL_OF(GAP_TL_CONTACTS_RESOLVE_PHONE, &q));
}

static void ask_invite(struct lookup *l)
{
    gap_tl_messages_check_chat_invite_t q = {.hash = gap_str(l->who.text)};
    invoke(l, GAP_TL_OF(GAP_TL_MESSAGES_CHECK_CHAT_INVITE, &q));
}

static void ask_chat(struct lookup *l)
{
    gap_tl_messages_get_chats_t q = {.id = gap_tl_array(&l->who.peer.id, 1)};
    invoke(l, GAP_TL_OF(GAP_TL_MESSAGES_GET_CHATS, &q));
}

/* Users and channels. */
static void ask_by_id(struct lookup *l)
{
    const struct client_book *b = l->finder->config.book;
    struct client_address a = {.how = CLIENT_ADDRESS_ZERO, .peer = l->who.peer};
    uint8_t storage[64];
    gap_tl_object_t input;

    if (client_book_address(b, l->who.peer, &a) < 0 && !b->bot) {
        lookup_walk(l);
        return;
    }
    l->by_message = a.how == CLIENT_ADDRESS_SEEN;
    client_address_bare(&a, storage, &input);
    if (l->who.peer.kind == GAP_PEER_USER) {
        gap_tl_users_get_users_t q = {.id = gap_tl_array(&input, 1)};
        invoke(l, GAP_TL_OF(GAP_TL_USERS_GET_USERS, &q));
    } else {
        gap_tl_channels_get_channels_t q = {.id = gap_tl_array(&input, 1)};
        invoke(l, GAP_TL_OF(GAP_TL_CHANNELS_GET_CHANNELS, &q));
    }
}

void lookup_ask(struct lookup *l)
{
    switch (l->who.kind) {
    case CLIENT_WHO_USERNAME:
        ask_username(l);
        break;
    case CLIENT_WHO_PHONE:
        ask_phone(l);
        break;
    case CLIENT_WHO_INVITE:
        ask_invite(l);
        break;
    default:
        if (l->who.peer.kind == GAP_PEER_CHAT) {
            ask_chat(l);
        } else {
            ask_by_id(l);
        }
    }
}
