/*
 * tests/sim/script_pack.c - see script_pack.h: users, chats, messages and updates. Objects are in
 * script_pack_whole.c. Owns the parts. Never asks whether what it writes makes sense.
 */
#include "script_pack.h"

#include "dc/model_int.h"
#include "script_pack_in.h"

#include <gapless/tl_api.h>

/* An object of a constructor that nobody knows. */
#define NOBODYS_ID 0x0badf00dU

void sim_pack_init(sim_pack_t *p, const gap_alloc_t *alloc)
{
    sim_part_t *const parts[] = {&p->updates, &p->messages, &p->encrypted, &p->users, &p->chats};

    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < GAP_ARRAY_LEN(parts); i++) gap_buf_init(&parts[i]->bytes, alloc);
}

void sim_pack_fini(sim_pack_t *p)
{
    sim_part_t *const parts[] = {&p->updates, &p->messages, &p->encrypted, &p->users, &p->chats};

    for (size_t i = 0; i < GAP_ARRAY_LEN(parts); i++) gap_buf_fini(&parts[i]->bytes);
}

void sim_pack_clear(sim_pack_t *p)
{
    sim_part_t *const parts[] = {&p->updates, &p->messages, &p->encrypted, &p->users, &p->chats};

    for (size_t i = 0; i < GAP_ARRAY_LEN(parts); i++) {
        gap_buf_clear(&parts[i]->bytes);
        parts[i]->count = 0;
    }
}

int sim_put(gap_buf_t *out, uint32_t id, const void *value)
{
    gap_tl_object_t object = gap_tl_of(id, value);
    int64_t size = gap_tl_size(object);

    if (size < 0) return (int)size;
    int r = gap_buf_reserve(out, (size_t)size);
    if (r < 0) return r;
    if (gap_tl_write(object, out->data + out->len, (size_t)size) != size) return GAP_E_TL;
    out->len += (size_t)size;
    return 0;
}

int sim_add_part(sim_part_t *part, uint32_t id, const void *value)
{
    int r = sim_put(&part->bytes, id, value);

    if (r == 0) part->count++;
    return r;
}

/* --- who ------------------------------------------------------------------------------------ */

int64_t sim_chat_id(const sim_names_t *names, dc_peer_type_t type, uint32_t index)
{
    const dc_model_t *m = names->model;
    const struct dc_account *a = &m->accounts[dc_account_index(m, names->account)];

    switch (type) {
    case DC_USER:
        return DC_USER_ID_FIRST + (int64_t)index;
    case DC_CHANNEL:
        return DC_CHANNEL_ID_FIRST + (int64_t)index;
    case DC_CHAT:
        return index < m->options.groups ? m->chats[a->groups + index].id
                                         : DC_CHAT_ID_FIRST + (int64_t)index;
    case DC_NOBODY:
        break;
    }
    return 0;
}

static int64_t hash_of(const sim_names_t *names, dc_peer_type_t type, int64_t id)
{
    return dc_model_access_hash(names->model, names->account, (dc_peer_t){type, id});
}

static int see_user(sim_pack_t *p, const sim_raw_t *raw, uint32_t index)
{
    gap_tl_user_t u;

    if ((raw->flags & SIM_RAW_LONELY) != 0 || index >= p->names.model->options.users) return 0;
    memset(&u, 0, sizeof u);
    u.flags = GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_FIRST_NAME;
    if ((raw->flags & SIM_RAW_MIN) != 0) u.flags |= GAP_TL_USER_F_MIN;
    u.id = sim_chat_id(&p->names, DC_USER, index);
    u.access_hash = hash_of(&p->names, DC_USER, u.id);
    u.first_name = gap_str("Raw");
    return sim_add_part(&p->users, GAP_TL_USER, &u);
}

static int see_channel(sim_pack_t *p, const sim_raw_t *raw)
{
    gap_tl_chat_photo_empty_t photo = {0};
    gap_tl_channel_forbidden_t f;
    gap_tl_channel_t c;

    if ((raw->flags & SIM_RAW_FORBIDDEN) != 0) {
        memset(&f, 0, sizeof f);
        f.id = sim_chat_id(&p->names, DC_CHANNEL, raw->index);
        f.access_hash = hash_of(&p->names, DC_CHANNEL, f.id);
        f.title = gap_str("Raw");
        return sim_add_part(&p->chats, GAP_TL_CHANNEL_FORBIDDEN, &f);
    }
    memset(&c, 0, sizeof c);
    c.flags = GAP_TL_CHANNEL_F_ACCESS_HASH;
    if ((raw->flags & SIM_RAW_MIN) != 0) c.flags |= GAP_TL_CHANNEL_F_MIN;
    c.id = sim_chat_id(&p->names, DC_CHANNEL, raw->index);
    c.access_hash = hash_of(&p->names, DC_CHANNEL, c.id);
    c.title = gap_str("Raw");
    c.photo = gap_tl_of(GAP_TL_CHAT_PHOTO_EMPTY, &photo);
    c.date = (int32_t)p->names.date;
    return sim_add_part(&p->chats, GAP_TL_CHANNEL, &c);
}

static int see_group(sim_pack_t *p, const sim_raw_t *raw)
{
    gap_tl_chat_photo_empty_t photo = {0};
    gap_tl_chat_t c;

    memset(&c, 0, sizeof c);
    c.id = sim_chat_id(&p->names, DC_CHAT, raw->index);
    c.title = gap_str("Raw");
    c.photo = gap_tl_of(GAP_TL_CHAT_PHOTO_EMPTY, &photo);
    c.date = (int32_t)p->names.date;
    return sim_add_part(&p->chats, GAP_TL_CHAT, &c);
}

/* The chat that an update is about comes along, unless it is lonely. */
static int see_chat(sim_pack_t *p, const sim_raw_t *raw)
{
    if ((raw->flags & SIM_RAW_LONELY) != 0) return 0;
    if (raw->chat == DC_CHANNEL) return see_channel(p, raw);
    if (raw->chat == DC_CHAT) return see_group(p, raw);
    return raw->chat == DC_USER ? see_user(p, raw, raw->index) : 0;
}

/* --- numbers -------------------------------------------------------------------------------- */

void sim_raw_numbers(const sim_names_t *names, const sim_raw_t *raw, int32_t *pts, int32_t *count,
                     int32_t *id)
{
    int32_t qts = 0;
    int32_t now = 0;

    if (raw->chat == DC_CHANNEL)
        now = dc_model_channel_pts(names->model, sim_chat_id(names, DC_CHANNEL, raw->index));
    else if (dc_model_state(names->model, names->account, &now, &qts) < 0)
        now = 0;
    *count = raw->count;
    *pts = (raw->flags & SIM_RAW_PTS) != 0 ? raw->pts : (int32_t)((uint32_t)now + (uint32_t)*count);
    *id = (raw->flags & SIM_RAW_ID) != 0 ? raw->id : *pts;
}

/* --- messages ------------------------------------------------------------------------------- */

union peer {
    gap_tl_peer_user_t user;
    gap_tl_peer_chat_t chat;
    gap_tl_peer_channel_t channel;
};

static gap_tl_object_t peer_of(const sim_names_t *names, dc_peer_type_t type, uint32_t index,
                               union peer *to)
{
    int64_t id = sim_chat_id(names, type, index);

    if (type == DC_CHANNEL) {
        to->channel.channel_id = id;
        return gap_tl_of(GAP_TL_PEER_CHANNEL, &to->channel);
    }
    if (type == DC_CHAT) {
        to->chat.chat_id = id;
        return gap_tl_of(GAP_TL_PEER_CHAT, &to->chat);
    }
    to->user.user_id = id;
    return gap_tl_of(GAP_TL_PEER_USER, &to->user);
}

/* A message while it is written. */
struct written {
    union peer peer;
    union peer from;
    union peer origin;
    gap_tl_message_fwd_header_t forward;
    gap_tl_message_entity_mention_name_t mention;
    gap_tl_object_t entity;
    gap_tl_message_action_pin_message_t action;
    gap_tl_message_t m;
    gap_tl_message_service_t s;
};

static uint32_t sender_of(const sim_raw_t *raw)
{
    if (raw->from != UINT32_MAX) return raw->from;
    return raw->chat == DC_USER ? raw->index : 0;
}

static void fill_extras(const sim_names_t *names, const sim_raw_t *raw, struct written *w)
{
    if (raw->forward != UINT32_MAX) {
        w->forward.flags = GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID;
        w->forward.from_id = peer_of(names, DC_USER, raw->forward, &w->origin);
        w->forward.date = (int32_t)names->date;
        w->m.flags |= GAP_TL_MESSAGE_F_FWD_FROM;
        w->m.fwd_from = gap_tl_of(GAP_TL_MESSAGE_FWD_HEADER, &w->forward);
    }
    if (raw->mention != UINT32_MAX) {
        w->mention.length = 1;
        w->mention.user_id = sim_chat_id(names, DC_USER, raw->mention);
        w->entity = gap_tl_of(GAP_TL_MESSAGE_ENTITY_MENTION_NAME, &w->mention);
        w->m.flags |= GAP_TL_MESSAGE_F_ENTITIES;
        w->m.entities = gap_tl_array(&w->entity, 1);
    }
}

static gap_tl_object_t message_of(const sim_names_t *names, const sim_raw_t *raw, int32_t id,
                                  bool is_edit, struct written *w)
{
    memset(w, 0, sizeof *w);
    gap_tl_object_t peer = peer_of(names, raw->chat, raw->index, &w->peer);
    gap_tl_object_t from = peer_of(names, DC_USER, sender_of(raw), &w->from);
    if ((raw->flags & SIM_RAW_OUT) != 0) w->from.user.user_id = names->account;
    if ((raw->flags & SIM_RAW_SERVICE) != 0) {
        w->s.flags = GAP_TL_MESSAGE_SERVICE_F_FROM_ID;
        w->s.id = id;
        w->s.from_id = from;
        w->s.peer_id = peer;
        w->s.date = (int32_t)names->date;
        w->s.action = gap_tl_of(GAP_TL_MESSAGE_ACTION_PIN_MESSAGE, &w->action);
        return gap_tl_of(GAP_TL_MESSAGE_SERVICE, &w->s);
    }
    w->m.flags = GAP_TL_MESSAGE_F_FROM_ID;
    if ((raw->flags & SIM_RAW_OUT) != 0) w->m.flags |= GAP_TL_MESSAGE_F_OUT;
    w->m.id = id;
    w->m.from_id = from;
    w->m.peer_id = peer;
    w->m.date = (int32_t)names->date;
    w->m.message = gap_str(raw->text[0] != '\0' ? raw->text : "raw");
    if (is_edit) {
        w->m.flags |= GAP_TL_MESSAGE_F_EDIT_DATE;
        w->m.edit_date = (int32_t)names->date;
        if ((raw->flags & SIM_RAW_DATE) != 0) w->m.edit_date = GLOBE_BEGINS + raw->date;
    }
    fill_extras(names, raw, w);
    return gap_tl_of(GAP_TL_MESSAGE, &w->m);
}

/* Who wrote it, and the others that it names; who is in `lonely` messages is told by nobody. */
static int see_all(sim_pack_t *p, const sim_raw_t *raw)
{
    int r = see_chat(p, raw);

    if (r == 0 && (raw->chat != DC_USER || raw->from != UINT32_MAX))
        r = see_user(p, raw, sender_of(raw));
    if (r == 0 && raw->forward != UINT32_MAX) r = see_user(p, raw, raw->forward);
    if (r == 0 && raw->mention != UINT32_MAX) r = see_user(p, raw, raw->mention);
    return r;
}

static int put_message(sim_pack_t *p, const sim_raw_t *raw, bool is_difference)
{
    struct written w;
    int32_t pts;
    int32_t count;
    int32_t id;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    bool is_edit = raw->kind == SIM_RAW_EDIT;
    gap_tl_object_t m = message_of(&p->names, raw, id, is_edit, &w);
    int r = see_all(p, raw);
    if (r != 0) return r;
    bool is_plain = is_difference && (raw->flags & SIM_RAW_UPDATE) == 0;
    if (is_plain && !is_edit) return sim_add_part(&p->messages, m.id, m.value);
    if (raw->chat == DC_CHANNEL) {
        gap_tl_update_new_channel_message_t u = {m, pts, count};
        return sim_add_part(
            &p->updates,
            is_edit ? GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u);
    }
    gap_tl_update_new_message_t u = {m, pts, count};
    return sim_add_part(&p->updates,
                        is_edit ? GAP_TL_UPDATE_EDIT_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE, &u);
}

static int put_empty(sim_pack_t *p, const sim_raw_t *raw, bool is_difference)
{
    gap_tl_message_empty_t m;
    union peer peer;
    int32_t pts;
    int32_t count;
    int32_t id;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    memset(&m, 0, sizeof m);
    m.id = id;
    if (raw->chat != DC_NOBODY) {
        m.flags = GAP_TL_MESSAGE_EMPTY_F_PEER_ID;
        m.peer_id = peer_of(&p->names, raw->chat, raw->index, &peer);
    }
    if (is_difference && (raw->flags & SIM_RAW_UPDATE) == 0)
        return sim_add_part(&p->messages, GAP_TL_MESSAGE_EMPTY, &m);
    gap_tl_update_new_channel_message_t u = {gap_tl_of(GAP_TL_MESSAGE_EMPTY, &m), pts, count};
    return sim_add_part(&p->updates,
                        raw->chat == DC_CHANNEL || raw->chat == DC_NOBODY
                            ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE
                            : GAP_TL_UPDATE_NEW_MESSAGE,
                        &u);
}

/* --- several ids, reads, pages --------------------------------------------------------------- */

struct ids {
    int32_t ids[100];
    uint32_t count;
};

static void ids_of(const sim_raw_t *raw, int32_t id, struct ids *out)
{
    int32_t last = (raw->flags & SIM_RAW_ID) != 0 ? raw->last : id;

    out->count = 0;
    for (int64_t at = id; at <= last && out->count < GAP_ARRAY_LEN(out->ids); at++)
        out->ids[out->count++] = (int32_t)at;
}

static int put_ids(sim_pack_t *p, const sim_raw_t *raw)
{
    struct ids ids;
    union peer peer;
    int32_t pts;
    int32_t count;
    int32_t id;
    bool is_pin = raw->kind != SIM_RAW_DELETE;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    ids_of(raw, id, &ids);
    gap_tl_vector_t v = gap_tl_array(ids.ids, ids.count);
    int64_t channel = sim_chat_id(&p->names, DC_CHANNEL, raw->index);
    uint32_t flags = raw->kind == SIM_RAW_PIN ? GAP_TL_UPDATE_PINNED_MESSAGES_F_PINNED : 0;
    int r = see_chat(p, raw);
    if (r != 0) return r;
    if (is_pin && raw->chat == DC_CHANNEL) {
        gap_tl_update_pinned_channel_messages_t u = {flags, channel, v, pts, count};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES, &u);
    }
    if (is_pin) {
        gap_tl_update_pinned_messages_t u = {
            flags, peer_of(&p->names, raw->chat, raw->index, &peer), v, pts, count};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_PINNED_MESSAGES, &u);
    }
    if (raw->chat == DC_CHANNEL) {
        gap_tl_update_delete_channel_messages_t u = {channel, v, pts, count};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &u);
    }
    gap_tl_update_delete_messages_t u = {v, pts, count};
    return sim_add_part(&p->updates, GAP_TL_UPDATE_DELETE_MESSAGES, &u);
}

static int put_read(sim_pack_t *p, const sim_raw_t *raw)
{
    union peer peer;
    int32_t pts;
    int32_t count;
    int32_t id;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    gap_tl_object_t who = peer_of(&p->names, raw->chat, raw->index, &peer);
    int r = see_chat(p, raw);
    if (r != 0) return r;
    if (raw->kind == SIM_RAW_READ_BY_THEM) {
        gap_tl_update_read_history_outbox_t u = {who, id, pts, count};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_READ_HISTORY_OUTBOX, &u);
    }
    if (raw->chat == DC_CHANNEL) {
        gap_tl_update_read_channel_inbox_t u = {
            0, 0, sim_chat_id(&p->names, DC_CHANNEL, raw->index), id, 0, pts};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_READ_CHANNEL_INBOX, &u);
    }
    gap_tl_update_read_history_inbox_t u = {0, 0, who, 0, id, 0, pts, count};
    return sim_add_part(&p->updates, GAP_TL_UPDATE_READ_HISTORY_INBOX, &u);
}

static int put_webpage(sim_pack_t *p, const sim_raw_t *raw)
{
    gap_tl_web_page_empty_t page;
    int32_t pts;
    int32_t count;
    int32_t id;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    memset(&page, 0, sizeof page);
    page.id = id;
    gap_tl_object_t object = gap_tl_of(GAP_TL_WEB_PAGE_EMPTY, &page);
    int r = see_chat(p, raw);
    if (r != 0) return r;
    if (raw->chat == DC_CHANNEL) {
        gap_tl_update_channel_web_page_t u = {sim_chat_id(&p->names, DC_CHANNEL, raw->index),
                                              object, pts, count};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_CHANNEL_WEB_PAGE, &u);
    }
    gap_tl_update_web_page_t u = {object, pts, count};
    return sim_add_part(&p->updates, GAP_TL_UPDATE_WEB_PAGE, &u);
}

/* --- what has no pts ------------------------------------------------------------------------- */

static int put_notice(sim_pack_t *p, const sim_raw_t *raw)
{
    int64_t channel = sim_chat_id(&p->names, DC_CHANNEL, raw->index);
    int r = see_chat(p, raw);

    if (r != 0) return r;
    if (raw->kind == SIM_RAW_PTS_CHANGED) {
        gap_tl_update_pts_changed_t u = {0};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_PTS_CHANGED, &u);
    }
    if (raw->kind == SIM_RAW_CHANNEL) {
        gap_tl_update_channel_t u = {channel};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_CHANNEL, &u);
    }
    bool has = (raw->flags & SIM_RAW_PTS) != 0;
    gap_tl_update_channel_too_long_t u = {has ? GAP_TL_UPDATE_CHANNEL_TOO_LONG_F_PTS : 0, channel,
                                          raw->pts};
    return sim_add_part(&p->updates, GAP_TL_UPDATE_CHANNEL_TOO_LONG, &u);
}

static int put_passing(sim_pack_t *p, const sim_raw_t *raw)
{
    gap_tl_send_message_typing_action_t action = {0};
    gap_tl_user_status_offline_t status = {(int32_t)p->names.date};
    union peer peer;
    uint32_t user = raw->chat == DC_USER ? raw->index : sender_of(raw);
    gap_tl_object_t who = peer_of(&p->names, DC_USER, user, &peer);
    int r = see_user(p, raw, user);

    if (r != 0) return r;
    if (raw->kind == SIM_RAW_QUERY) {
        gap_tl_update_bot_callback_query_t u;
        memset(&u, 0, sizeof u);
        u.query_id = raw->id;
        u.user_id = peer.user.user_id;
        u.peer = who;
        u.msg_id = 1;
        return sim_add_part(&p->updates, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &u);
    }
    if (raw->kind == SIM_RAW_RANDOM) {
        gap_tl_update_message_id_t u = {raw->id, raw->id};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_MESSAGE_ID, &u);
    }
    if (raw->kind == SIM_RAW_STATUS) {
        gap_tl_update_user_status_t u = {peer.user.user_id,
                                         gap_tl_of(GAP_TL_USER_STATUS_OFFLINE, &status)};
        return sim_add_part(&p->updates, GAP_TL_UPDATE_USER_STATUS, &u);
    }
    gap_tl_update_user_typing_t u;
    memset(&u, 0, sizeof u);
    u.user_id = peer.user.user_id;
    u.action = gap_tl_of(GAP_TL_SEND_MESSAGE_TYPING_ACTION, &action);
    return sim_add_part(&p->updates, GAP_TL_UPDATE_USER_TYPING, &u);
}

/* --- qts ------------------------------------------------------------------------------------- */

static int put_participant(sim_pack_t *p, const sim_raw_t *raw)
{
    int64_t user = sim_chat_id(&p->names, DC_USER, sender_of(raw));
    int64_t chat = sim_chat_id(&p->names, raw->chat, raw->index);
    int r = see_all(p, raw);

    if (r != 0) return r;
    if (raw->chat == DC_CHANNEL) {
        gap_tl_update_channel_participant_t u;
        memset(&u, 0, sizeof u);
        u.channel_id = chat;
        u.date = (int32_t)p->names.date;
        u.actor_id = u.user_id = user;
        u.qts = raw->qts;
        return sim_add_part(&p->updates, GAP_TL_UPDATE_CHANNEL_PARTICIPANT, &u);
    }
    gap_tl_update_chat_participant_t u;
    memset(&u, 0, sizeof u);
    u.chat_id = chat;
    u.date = (int32_t)p->names.date;
    u.actor_id = u.user_id = user;
    u.qts = raw->qts;
    return sim_add_part(&p->updates, GAP_TL_UPDATE_CHAT_PARTICIPANT, &u);
}

static int put_encrypted(sim_pack_t *p, const sim_raw_t *raw, bool is_difference)
{
    gap_tl_encrypted_file_empty_t file = {0};
    gap_tl_encrypted_message_t m;

    memset(&m, 0, sizeof m);
    m.random_id = (raw->flags & SIM_RAW_ID) != 0 ? raw->id : raw->qts;
    m.chat_id = 1;
    m.date = (int32_t)p->names.date;
    m.bytes = gap_str("raw");
    m.file = gap_tl_of(GAP_TL_ENCRYPTED_FILE_EMPTY, &file);
    if (is_difference && (raw->flags & SIM_RAW_UPDATE) == 0)
        return sim_add_part(&p->encrypted, GAP_TL_ENCRYPTED_MESSAGE, &m);
    gap_tl_update_new_encrypted_message_t u = {gap_tl_of(GAP_TL_ENCRYPTED_MESSAGE, &m), raw->qts};
    return sim_add_part(&p->updates, GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE, &u);
}

static int put_qts(sim_pack_t *p, const sim_raw_t *raw)
{
    struct ids ids;
    union peer peer;
    int r = 0;

    if (raw->kind == SIM_RAW_STOPPED) {
        gap_tl_update_bot_stopped_t u = {sim_chat_id(&p->names, DC_USER, raw->index),
                                         (int32_t)p->names.date, true, raw->qts};
        if ((r = see_chat(p, raw)) != 0) return r;
        return sim_add_part(&p->updates, GAP_TL_UPDATE_BOT_STOPPED, &u);
    }
    ids_of(raw, (raw->flags & SIM_RAW_ID) != 0 ? raw->id : 1, &ids);
    gap_tl_update_bot_delete_business_message_t u;
    memset(&u, 0, sizeof u);
    u.connection_id = gap_str("raw");
    u.peer = peer_of(&p->names, DC_USER, sender_of(raw), &peer);
    u.messages = gap_tl_array(ids.ids, ids.count);
    u.qts = raw->qts;
    return sim_add_part(&p->updates, GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE, &u);
}

/* --- bytes that are no update ---------------------------------------------------------------- */

static int put_bytes(sim_pack_t *p, uint32_t id)
{
    /* updateNewMessage whose message is missing: what follows it is read as a part of it */
    int r = gap_buf_append32(&p->updates.bytes, id);

    if (r == 0 && id == NOBODYS_ID) r = gap_buf_append32(&p->updates.bytes, 7);
    if (r == 0) p->updates.count++;
    return r;
}

int sim_pack_raw(sim_pack_t *p, const sim_raw_t *raw, bool is_difference)
{
    switch (raw->kind) {
    case SIM_RAW_MESSAGE:
    case SIM_RAW_EDIT:
        return put_message(p, raw, is_difference);
    case SIM_RAW_EMPTY:
        return put_empty(p, raw, is_difference);
    case SIM_RAW_DELETE:
    case SIM_RAW_PIN:
    case SIM_RAW_UNPIN:
        return put_ids(p, raw);
    case SIM_RAW_READ:
    case SIM_RAW_READ_BY_THEM:
        return put_read(p, raw);
    case SIM_RAW_WEBPAGE:
        return put_webpage(p, raw);
    case SIM_RAW_TOO_LONG:
    case SIM_RAW_PTS_CHANGED:
    case SIM_RAW_CHANNEL:
        return put_notice(p, raw);
    case SIM_RAW_QUERY:
    case SIM_RAW_STATUS:
    case SIM_RAW_TYPING:
    case SIM_RAW_RANDOM:
        return put_passing(p, raw);
    case SIM_RAW_CHAT_PARTICIPANT:
    case SIM_RAW_CHANNEL_PARTICIPANT:
        return put_participant(p, raw);
    case SIM_RAW_ENCRYPTED:
        return put_encrypted(p, raw, is_difference);
    case SIM_RAW_STOPPED:
    case SIM_RAW_BUSINESS_DELETE:
        return put_qts(p, raw);
    case SIM_RAW_UNKNOWN:
    case SIM_RAW_GARBAGE:
        return put_bytes(p, NOBODYS_ID);
    case SIM_RAW_BROKEN:
        return put_bytes(p, GAP_TL_UPDATE_NEW_MESSAGE);
    case SIM_RAW_AFFECTED:
    case SIM_RAW_SENT:
        break; /* objects of their own */
    }
    return GAP_E_ARGUMENT;
}
