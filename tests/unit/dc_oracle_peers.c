/*
 * dc_oracle_peers.c - whoever is mentioned anywhere in an object is introduced beside it: complete,
 * once, with the access hash that is this account's own.
 */
#include "dc_oracle.h"

#include "tl/tl.h"

struct mentions {
    dc_peer_t list[ORACLE_LIST_MAX * 2];
    size_t count;
};

static void mention(struct mentions *m, dc_peer_type_t type, int64_t id)
{
    dc_peer_t peer = {type, id};

    for (size_t i = 0; i < m->count; i++)
        if (oracle_same(m->list[i], peer)) return;
    oracle_check(m->count < ORACLE_LIST_MAX * 2);
    m->list[m->count++] = peer;
}

static void mention_field(struct mentions *m, const char *name, int64_t id)
{
    static const char *const users[] = {
        "user_id", "actor_id", "bot_id", "via_bot_id", "via_business_bot_id", "inviter_id"};

    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (strcmp(name, users[i]) == 0 && id != 0) mention(m, DC_USER, id);
    if (strcmp(name, "channel_id") == 0) mention(m, DC_CHANNEL, id);
    if (strcmp(name, "chat_id") == 0) mention(m, DC_CHAT, id);
}

/* Every id of a user, chat or channel anywhere below, except in the lists that introduce them. */
static void walk(struct mentions *m, gap_tl_object_t o, unsigned depth)
{
    static gap_tl_object_t lists[16][ORACLE_LIST_MAX];
    int at = gap_tl_find(o.id);
    oracle_check(at >= 0);
    oracle_check(depth < 16);
    const gap_tl_info_t *info = &gap_tl_infos[at];

    for (unsigned i = 0; i < info->count; i++) {
        const gap_tl_field_t *f = &gap_tl_fields[info->first + i];
        const char *name = &gap_tl_names[f->name];
        bool list = f->kind == GAP_TL_K_VECTOR && f->elem == GAP_TL_K_OBJECT;
        if (strcmp(name, "users") == 0 || strcmp(name, "chats") == 0 || !oracle_has(o, name))
            continue;
        if (f->kind == GAP_TL_K_LONG) mention_field(m, name, oracle_long(o, name));
        if (f->kind == GAP_TL_K_OBJECT) walk(m, oracle_object(o, name), depth + 1);
        if (!list) continue;
        size_t count = oracle_objects(o, name, lists[depth]);
        for (size_t k = 0; k < count; k++) walk(m, lists[depth][k], depth + 1);
    }
}

static bool has_left(const struct oracle_judge *j, int64_t channel)
{
    for (size_t i = 0; i < j->client->channel_count; i++)
        if (j->client->channels[i].id == channel) return j->client->channels[i].left;
    return false;
}

static dc_peer_t introduced(const struct oracle_judge *j, gap_tl_object_t o)
{
    dc_peer_t peer = {DC_NOBODY, oracle_long(o, "id")};

    if (o.id == GAP_TL_CHANNEL_FORBIDDEN && has_left(j, peer.id)) {
        peer.type = DC_CHANNEL;
        oracle_must(j, oracle_bytes(o, "title").len > 0, "a forbidden channel without title");
        return peer;
    }
    if (o.id == GAP_TL_USER) peer.type = DC_USER;
    if (o.id == GAP_TL_CHAT) peer.type = DC_CHAT;
    if (o.id == GAP_TL_CHANNEL) peer.type = DC_CHANNEL;
    oracle_must(j, peer.type != DC_NOBODY, "%s introduces nobody", gap_tl_name(o.id));
    oracle_must(j, peer.type != DC_CHANNEL || !has_left(j, peer.id), "a channel that was left");
    oracle_must(j, !oracle_has(o, "min"), "a min %s", gap_tl_name(o.id));
    oracle_must(j, oracle_bytes(o, o.id == GAP_TL_USER ? "first_name" : "title").len > 0,
                "%s without a name", gap_tl_name(o.id));
    if (peer.type == DC_CHAT) return peer;
    oracle_must(j, oracle_has(o, "access_hash"), "%s without access hash", gap_tl_name(o.id));
    oracle_must(j,
                oracle_long(o, "access_hash") == dc_model_access_hash(j->model, j->account, peer),
                "wrong access hash of %lld", (long long)peer.id);
    if (peer.type == DC_USER)
        oracle_must(j, oracle_has(o, "self") == (peer.id == j->account), "self of %lld",
                    (long long)peer.id);
    if (peer.type == DC_CHANNEL)
        oracle_must(j, oracle_has(o, "megagroup") != oracle_has(o, "broadcast"),
                    "a channel is a supergroup or a broadcast");
    return peer;
}

void oracle_law_peers(const struct oracle_judge *j, gap_tl_object_t o)
{
    static struct mentions named;
    static struct mentions given;
    static gap_tl_object_t list[ORACLE_LIST_MAX];

    named.count = given.count = 0;
    walk(&named, o, 0);
    for (int chats = 0; chats < 2; chats++) {
        size_t count = oracle_objects(o, chats ? "chats" : "users", list);
        for (size_t i = 0; i < count; i++) {
            size_t before = given.count;
            dc_peer_t peer = introduced(j, list[i]);
            mention(&given, peer.type, peer.id);
            oracle_must(j, given.count > before, "%lld introduced twice", (long long)peer.id);
        }
    }
    for (size_t i = 0; i < named.count; i++) {
        size_t before = given.count;
        mention(&given, named.list[i].type, named.list[i].id);
        oracle_must(j, given.count == before, "%lld is mentioned in %s, not introduced",
                    (long long)named.list[i].id, gap_tl_name(o.id));
    }
}
