/*
 * dc/model_rights.c - who may write, pin, edit and delete where: roles, slow mode, blocked
 * accounts, the time in which a message may be edited.
 *
 * Which errors there are is documented with each method; that of several reasons the chat's comes
 * before the message's, and the message's before the text's, is a choice. So is that everybody is
 * an admin until something else is said.
 *
 * Owns: the order of chats that have one, in the arena.
 */
#include "base/bytes.h"
#include "dc/model_int.h"

#include <string.h>

/** What is said of one account in a chat. */
struct dc_place {
    struct dc_place *next;
    uint32_t account;
    dc_role_t role;
    bool has_sent;
    int64_t sent_us; /* slow mode: the last message */
};

struct dc_order {
    struct dc_place *places;
    uint32_t slow_s; /* 0: none */
    dc_role_t role;  /* of all others */
    bool blocks;     /* a private chat: the user wants to hear no more */
};

static int order_of(dc_model_t *m, uint32_t chat, struct dc_order **out)
{
    struct dc_order *order = m->chats[chat].order;

    if (order == NULL) {
        if ((order = dc_arena(m, sizeof *order)) == NULL) return GAP_E_NOMEM;
        memset(order, 0, sizeof *order);
        m->chats[chat].order = order;
    }
    *out = order;
    return 0;
}

static struct dc_place *find_place(const struct dc_order *order, uint32_t account)
{
    struct dc_place *p = order->places;

    while (p != NULL && p->account != account) p = p->next;
    return p;
}

static int place_of(dc_model_t *m, struct dc_order *order, uint32_t account, struct dc_place **out)
{
    struct dc_place *p = find_place(order, account);

    if (p == NULL) {
        if ((p = dc_arena(m, sizeof *p)) == NULL) return GAP_E_NOMEM;
        memset(p, 0, sizeof *p);
        p->next = order->places;
        p->account = account;
        order->places = p;
    }
    *out = p;
    return 0;
}

dc_role_t dc_role_in(const dc_model_t *m, uint32_t chat, uint32_t account)
{
    const struct dc_order *order = m->chats[chat].order;

    if (order == NULL) return DC_ROLE_ADMIN;
    const struct dc_place *p = find_place(order, account);
    if (p != NULL && p->role != DC_ROLE_UNSET) return p->role;
    if (order->role != DC_ROLE_UNSET) return order->role;
    return order->slow_s > 0 ? DC_ROLE_MEMBER : DC_ROLE_ADMIN;
}

/* --- from outside -------------------------------------------------------------------------- */

/** A channel, or a basic group of the account. */
static uint32_t chat_of(const dc_model_t *m, uint32_t account, dc_peer_t chat)
{
    if (chat.type == DC_CHANNEL) return dc_channel_index(m, chat.id);
    if (chat.type != DC_CHAT || account == DC_NONE) return DC_NONE;
    return dc_group_index(m, account, chat.id);
}

int dc_model_role(dc_model_t *m, int64_t account, dc_peer_t chat, dc_role_t role)
{
    uint32_t who = account == 0 ? DC_NONE : dc_account_index(m, account);
    uint32_t where = chat_of(m, who, chat);
    struct dc_order *order;
    struct dc_place *place;

    if ((account != 0 && who == DC_NONE) || where == DC_NONE) return GAP_E_NOT_FOUND;
    int r = order_of(m, where, &order);
    if (r < 0) return r;
    if (account == 0) {
        order->role = role;
        return 0;
    }
    if ((r = place_of(m, order, who, &place)) == 0) place->role = role;
    return r;
}

int dc_model_slow_mode(dc_model_t *m, int64_t channel, uint32_t seconds)
{
    uint32_t where = dc_channel_index(m, channel);
    struct dc_order *order;

    if (where == DC_NONE) return GAP_E_NOT_FOUND;
    if (m->chats[where].broadcast) return GAP_E_ARGUMENT;
    int r = order_of(m, where, &order);
    if (r == 0) order->slow_s = seconds;
    return r;
}

int dc_model_block(dc_model_t *m, int64_t account, int64_t user, bool blocks)
{
    uint32_t who = dc_account_index(m, account);
    uint32_t whom = dc_user_index(m, user);
    struct dc_order *order;
    uint32_t chat = DC_NONE;

    if (who == DC_NONE || whom == DC_NONE) return GAP_E_NOT_FOUND;
    int r = dc_private_chat(m, who, whom, &chat);
    if (r == 0) r = order_of(m, chat, &order);
    if (r == 0) order->blocks = blocks;
    return r;
}

void dc_model_edit_window(dc_model_t *m, uint32_t seconds)
{
    m->options.edit_window_s = seconds > 0 ? seconds : DC_EDIT_WINDOW_S;
    m->options.edit_window_all = seconds > 0;
}

static int keep_house(dc_model_t *m, uint32_t index, const dc_house_rule_t *rule)
{
    dc_peer_t channel = {DC_CHANNEL, m->chats[index].id};

    if (rule->is_role) return dc_model_role(m, 0, channel, rule->role);
    if (rule->channel == 0 && m->chats[index].broadcast) return 0;
    return dc_model_slow_mode(m, channel.id, rule->slow_s);
}

int dc_house_rules(dc_model_t *m)
{
    const dc_options_t *o = &m->options;
    int r = 0;

    if (o->house_count > DC_HOUSE_RULES_MAX || o->flood_count > DC_FLOOD_RULES_MAX)
        return GAP_E_ARGUMENT;
    for (uint32_t i = 0; i < o->house_count && r == 0; i++) {
        const dc_house_rule_t *rule = &o->houses[i];
        if (rule->channel > o->channels) return GAP_E_ARGUMENT;
        uint32_t first = rule->channel == 0 ? 0 : rule->channel - 1;
        uint32_t end = rule->channel == 0 ? o->channels : rule->channel;
        for (; first < end && r == 0; first++) r = keep_house(m, first, rule);
    }
    for (uint32_t i = 0; i < o->flood_count && r == 0; i++)
        r = dc_model_flood_rule(m, &o->floods[i]);
    return r;
}

/* --- what calls ask ------------------------------------------------------------------------ */

int dc_may_write(dc_call_t *c, uint32_t chat)
{
    const struct dc_chat *where = &c->m->chats[chat];

    if (where->order == NULL) return 0;
    if (where->order->blocks) return dc_fail(c, 400, "USER_IS_BLOCKED");
    switch (dc_role_in(c->m, chat, c->account)) {
    case DC_ROLE_READER:
        return dc_fail(c, 403, "CHAT_WRITE_FORBIDDEN");
    case DC_ROLE_MEMBER:
        return where->broadcast ? dc_fail(c, 400, "CHAT_ADMIN_REQUIRED") : 0;
    default:
        return 0;
    }
}

/** Is slow mode for this account? Then its place. @return 0; 1 it isn't; GAP_E_NOMEM. */
static int slow_place(dc_call_t *c, uint32_t chat, struct dc_place **out)
{
    struct dc_order *order = c->m->chats[chat].order;

    if (order == NULL || order->slow_s == 0) return 1;
    if (dc_role_in(c->m, chat, c->account) == DC_ROLE_ADMIN) return 1;
    return place_of(c->m, order, c->account, out);
}

int dc_slow_check(dc_call_t *c, uint32_t chat, uint32_t messages)
{
    struct dc_place *place;
    int r = slow_place(c, chat, &place);

    if (r != 0) return r < 0 ? r : 0;
    if (messages > 1) return dc_fail(c, 400, "SLOWMODE_MULTI_MSGS_DISABLED");
    if (!place->has_sent) return 0;
    int64_t wait_us =
        place->sent_us + (int64_t)c->m->chats[chat].order->slow_s * 1000000 - c->now_us;
    return wait_us > 0 ? dc_wait_error(c, "SLOWMODE_WAIT", wait_us) : 0;
}

void dc_slow_note(dc_call_t *c, uint32_t chat)
{
    const struct dc_order *order = c->m->chats[chat].order;
    struct dc_place *place = order == NULL ? NULL : find_place(order, c->account);

    if (place == NULL) return;
    place->has_sent = true;
    place->sent_us = c->now_us;
}

int dc_may_pin(dc_call_t *c, uint32_t chat)
{
    bool has_roles = c->m->chats[chat].type != DC_USER;

    if (has_roles && dc_role_in(c->m, chat, c->account) != DC_ROLE_ADMIN)
        return dc_fail(c, 400, "CHAT_ADMIN_REQUIRED");
    return 0;
}

static bool is_mine(const dc_call_t *c, const struct dc_msg *msg)
{
    const struct dc_rec *rec = dc_rec_at(c->m, msg->new_n);

    return (rec->flags & DC_R_OUT) != 0 && rec->from == c->m->options.users + c->account;
}

bool dc_may_delete(const dc_call_t *c, uint32_t chat, const struct dc_msg *msg)
{
    return is_mine(c, msg) || dc_role_in(c->m, chat, c->account) == DC_ROLE_ADMIN;
}

/** Bots have time, and so have those who may change other people's posts or pin. */
static bool has_window(const dc_call_t *c, uint32_t chat)
{
    const dc_model_t *m = c->m;

    if (m->options.edit_window_all) return true;
    if (m->accounts[c->account].bot) return false;
    return m->chats[chat].type != DC_CHANNEL || dc_role_in(m, chat, c->account) != DC_ROLE_ADMIN;
}

int dc_may_edit(dc_call_t *c, uint32_t chat, const struct dc_msg *msg)
{
    dc_role_t role = dc_role_in(c->m, chat, c->account);
    bool is_post = c->m->chats[chat].broadcast;

    if (is_post && role != DC_ROLE_ADMIN) return dc_fail(c, 403, "CHAT_ADMIN_REQUIRED");
    if (role == DC_ROLE_READER) return dc_fail(c, 403, "CHAT_WRITE_FORBIDDEN");
    if (!is_mine(c, msg) && !is_post) return dc_fail(c, 403, "MESSAGE_AUTHOR_REQUIRED");
    int64_t age_s = (int64_t)dc_date(c->now_us) - dc_rec_at(c->m, msg->new_n)->date;
    if (has_window(c, chat) && age_s > (int64_t)c->m->options.edit_window_s)
        return dc_fail(c, 400, "MESSAGE_EDIT_TIME_EXPIRED");
    return 0;
}
