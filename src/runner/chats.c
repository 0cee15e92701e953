/*
 * runner/chats.c - see chats.h.
 *
 * Owns: the rules, one for each constructor of an update, and the chats of the last message ids.
 * Never: trusts an update to be what its constructor says, fails on one that is not.
 */
#include "runner/chats.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "sequence/walk.h"
#include "tl/cursor.h"

#include <gapless/tl_api.h>
#include <string.h>

/** Slots of the table of rules: a power of two, more than twice the constructors of Update. */
#define RULES 512

enum rule_kind {
    RULE_NOBODY = 0,
    RULE_MESSAGE, /* a Message */
    RULE_PEER,    /* a Peer */
    RULE_CHANNEL, /* an id */
    RULE_CHAT,    /* the id of a basic group */
    RULE_SECRET,  /* the id of a secret chat */
    RULE_USER,
    RULE_SECRET_MESSAGE, /* an EncryptedMessage */
    RULE_SECRET_CHAT,    /* an EncryptedChat */
    RULE_IDS,            /* message ids of the common box */
};

struct gap_chats_rule {
    uint32_t id; /* 0: free */
    uint8_t kind;
    uint8_t field;
};

struct gap_chats_slot {
    int32_t id; /* of a message; 0: free */
    uint64_t key;
};

/* What tells the chat, the best first. */
static const struct {
    const char *name;
    uint8_t kind; /* of the field */
    uint8_t rule;
} signs[] = {
    {"message", GAP_TL_K_OBJECT, RULE_MESSAGE}, {"peer", GAP_TL_K_OBJECT, RULE_PEER},
    {"peer_id", GAP_TL_K_OBJECT, RULE_PEER},    {"channel_id", GAP_TL_K_LONG, RULE_CHANNEL},
    {"chat_id", GAP_TL_K_LONG, RULE_CHAT},      {"chat_id", GAP_TL_K_INT, RULE_SECRET},
    {"user_id", GAP_TL_K_LONG, RULE_USER},
};

/* ---- rules ---- */

static struct gap_chats_rule make_rule(uint32_t id)
{
    struct gap_chats_rule rule = {id, RULE_NOBODY, 0};
    const gap_tl_info_t *info = &gap_tl_infos[gap_tl_find(id)];
    const char *name = NULL;

    for (size_t i = 0; i < GAP_ARRAY_LEN(signs) && name == NULL; i++) {
        int field = gap_tl_field_number(id, signs[i].name);
        if (field < 0 || gap_tl_fields[info->first + field].kind != signs[i].kind) continue;
        name = signs[i].name;
        rule.kind = signs[i].rule;
    }
    if (id == GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE) rule.kind = RULE_SECRET_MESSAGE;
    if (id == GAP_TL_UPDATE_ENCRYPTION) {
        rule.kind = RULE_SECRET_CHAT;
        name = "chat";
    }
    if (id == GAP_TL_UPDATE_DELETE_MESSAGES || id == GAP_TL_UPDATE_READ_MESSAGES_CONTENTS) {
        rule.kind = RULE_IDS;
        name = "messages";
    }
    if (name != NULL) rule.field = (uint8_t)gap_tl_field_number(id, name);
    return rule;
}

static struct gap_chats_rule *rule_at(struct gap_chats_rule *rules, uint32_t id)
{
    uint32_t at = (uint32_t)gap_hash64(id);

    while (rules[at % RULES].id != 0 && rules[at % RULES].id != id) at++;
    return &rules[at % RULES];
}

int gap_chats_init(gap_chats_t *c, const gap_alloc_t *alloc)
{
    size_t known = 0;

    c->alloc = alloc;
    c->recent = NULL;
    c->rules = gap_calloc(alloc, RULES, sizeof *c->rules);
    if (c->rules == NULL) return GAP_E_NOMEM;
    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        uint32_t id = gap_tl_infos[i].id;
        gap_box_t box;
        uint16_t flags;
        if (!gap_update_known(id, &box, &flags)) continue;
        known++;
        *rule_at(c->rules, id) = make_rule(id);
    }
    GAP_ASSERT(known <= RULES / 2);
    return 0;
}

void gap_chats_fini(gap_chats_t *c)
{
    gap_free(c->alloc, c->rules);
    gap_free(c->alloc, c->recent);
    c->rules = NULL;
    c->recent = NULL;
}

/* ---- reading ---- */

static uint64_t key_of(int64_t id, gap_peer_kind_t kind)
{
    uint64_t key = gap_chats_key((gap_peer_t){id, kind});
    return key == 0 ? GAP_CHATS_ACCOUNT : key;
}

static uint64_t message_key(gap_bytes_t message, int32_t *message_id)
{
    gap_peer_t peer;
    uint32_t id;

    if (gap_message_peer(message, &id, message_id, &peer) < 0 || peer.kind == GAP_PEER_NONE)
        return GAP_CHATS_ACCOUNT;
    return key_of(peer.id, peer.kind);
}

/* encryptedMessage and its service form begin with random_id and chat_id. */
static uint64_t secret_message_key(gap_bytes_t message)
{
    if (message.len < 16) return GAP_CHATS_ACCOUNT;
    return key_of((int32_t)gap_load32(message.data + 12), GAP_PEER_NONE);
}

static uint64_t peer_key(const gap_tl_cursor_t *at)
{
    gap_peer_kind_t kind;
    gap_tl_cursor_t peer;
    int64_t id;

    if (gap_tl_cursor_enter(at, &peer) < 0) return GAP_CHATS_ACCOUNT;
    switch (peer.id) {
    case GAP_TL_PEER_USER:
        kind = GAP_PEER_USER;
        break;
    case GAP_TL_PEER_CHAT:
        kind = GAP_PEER_CHAT;
        break;
    case GAP_TL_PEER_CHANNEL:
        kind = GAP_PEER_CHANNEL;
        break;
    case GAP_TL_DIALOG_PEER:
    case GAP_TL_NOTIFY_PEER:
        return gap_tl_cursor_to(&peer, 0) == 1 ? peer_key(&peer) : GAP_CHATS_ACCOUNT;
    default:
        return GAP_CHATS_ACCOUNT;
    }
    if (gap_tl_cursor_to(&peer, 0) != 1 || gap_tl_cursor_long(&peer, &id) < 0)
        return GAP_CHATS_ACCOUNT;
    return key_of(id, kind);
}

static uint64_t secret_chat_key(const gap_tl_cursor_t *at)
{
    gap_tl_cursor_t chat;
    int32_t id;

    if (gap_tl_cursor_enter(at, &chat) < 0) return GAP_CHATS_ACCOUNT;
    int field = gap_tl_field_number(chat.id, "id");
    if (field < 0 || gap_tl_cursor_to(&chat, field) != 1 || gap_tl_cursor_int(&chat, &id) < 0)
        return GAP_CHATS_ACCOUNT;
    return key_of(id, GAP_PEER_NONE);
}

static uint64_t id_key(gap_tl_cursor_t *at, enum rule_kind kind)
{
    int64_t id = 0;
    int32_t small = 0;

    int r = kind == RULE_SECRET ? gap_tl_cursor_int(at, &small) : gap_tl_cursor_long(at, &id);
    if (r < 0) return GAP_CHATS_ACCOUNT;
    switch (kind) {
    case RULE_CHANNEL:
        return key_of(id, GAP_PEER_CHANNEL);
    case RULE_CHAT:
        return key_of(id, GAP_PEER_CHAT);
    case RULE_SECRET:
        return key_of(small, GAP_PEER_NONE);
    default:
        return key_of(id, GAP_PEER_USER);
    }
}

/* Where the update is in front of the field of its rule. */
static bool go_to(gap_tl_cursor_t *c, const gap_update_t *u, const struct gap_chats_rule *rule)
{
    return gap_tl_cursor_open(c, u->bytes) == 0 && gap_tl_cursor_to(c, rule->field) == 1;
}

static uint64_t one_key(const gap_update_t *u, const struct gap_chats_rule *rule)
{
    gap_tl_cursor_t c;
    int32_t message_id;

    if (rule->kind == RULE_NOBODY || !go_to(&c, u, rule)) return GAP_CHATS_ACCOUNT;
    gap_bytes_t rest = gap_bytes(c.at, (size_t)(c.end - c.at));
    switch ((enum rule_kind)rule->kind) {
    case RULE_MESSAGE:
        return message_key(rest, &message_id);
    case RULE_SECRET_MESSAGE:
        return secret_message_key(rest);
    case RULE_PEER:
        return peer_key(&c);
    case RULE_SECRET_CHAT:
        return secret_chat_key(&c);
    default:
        return id_key(&c, (enum rule_kind)rule->kind);
    }
}

/* ---- recent messages ---- */

static struct gap_chats_slot *slot_of(const gap_chats_t *c, int32_t id)
{
    return &c->recent[(uint32_t)id % GAP_CHATS_RECENT];
}

void gap_chats_learn(gap_chats_t *c, const gap_update_t *u)
{
    gap_bytes_t message = u->bytes;
    int32_t id = 0;
    bool edit;

    if ((u->flags & GAP_ITEM_MESSAGE) == 0) message = gap_update_message_at(u->id, u->bytes, &edit);
    if (message.len == 0) return;
    uint64_t key = message_key(message, &id);
    if (key == GAP_CHATS_ACCOUNT || id <= 0) return;
    if (c->recent == NULL) {
        c->recent = gap_calloc(c->alloc, GAP_CHATS_RECENT, sizeof *c->recent);
        if (c->recent == NULL) return;
    }
    *slot_of(c, id) = (struct gap_chats_slot){id, key};
}

static bool has_key(const uint64_t *keys, int count, uint64_t key)
{
    for (int i = 0; i < count; i++) {
        if (keys[i] == key) return true;
    }
    return false;
}

/* If the chats are too many, the last place is for the account's lane: those that don't fit may be
 * overtaken. */
static int ids_keys(const gap_chats_t *c, const gap_update_t *u, const struct gap_chats_rule *rule,
                    uint64_t *keys)
{
    gap_tl_cursor_t at;
    int count = 0;

    if (!go_to(&at, u, rule) || (size_t)(at.end - at.at) < 8) goto nobody;
    uint32_t ids = gap_load32(at.at + 4);
    if (ids > (size_t)(at.end - at.at - 8) / 4) goto nobody;
    for (uint32_t i = 0; i < ids; i++) {
        int32_t id = (int32_t)gap_load32(at.at + 8 + (size_t)i * 4);
        bool known = c->recent != NULL && slot_of(c, id)->id == id && id > 0;
        uint64_t key = known ? slot_of(c, id)->key : GAP_CHATS_ACCOUNT;
        if (has_key(keys, count, key)) continue;
        if (count == GAP_CHATS_KEYS_MAX) {
            keys[count - 1] = GAP_CHATS_ACCOUNT;
            return count;
        }
        keys[count++] = key;
    }
    if (count > 0) return count;
nobody:
    keys[0] = GAP_CHATS_ACCOUNT;
    return 1;
}

int gap_chats_keys(const gap_chats_t *c, const gap_update_t *u,
                   uint64_t keys[GAP_CHATS_KEYS_MAX])
{
    int32_t message_id;

    keys[0] = GAP_CHATS_ACCOUNT;
    if (u->box == GAP_BOX_CHANNEL) {
        keys[0] = key_of(u->channel_id, GAP_PEER_CHANNEL);
    } else if ((u->flags & GAP_ITEM_MESSAGE) != 0) {
        keys[0] = message_key(u->bytes, &message_id);
    } else if ((u->flags & GAP_ITEM_ENCRYPTED) != 0) {
        keys[0] = secret_message_key(u->bytes);
    } else {
        const struct gap_chats_rule *rule = rule_at(c->rules, u->id);
        if (rule->id != u->id) return 1;
        if (rule->kind == RULE_IDS) return ids_keys(c, u, rule, keys);
        keys[0] = one_key(u, rule);
    }
    return 1;
}
