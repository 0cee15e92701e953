/*
 * dc/model_write.c - TL objects as one account sees them, in the layer it announced.
 *
 * Only the fields that every layer has are set, so that an object differs between layers in its
 * constructor id and in whether a second flag word follows the first. Written straight into the
 * buffer: no structs in between, nothing is allocated but the buffer. Whoever is named by an
 * object is remembered, so that the vectors of users and chats at its end are complete.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <stdio.h>
#include <string.h>

#define MIN_SALT    0x6d696e0000000000U
#define ONLINE_S    300  /* how long a user says to be online */
#define UNREAD_MAX  1000 /* unread messages are counted up to here */
#define NO_FLAGS2   false
#define HAS_FLAGS2  true
#define INSTANCE_ID 0x696e7374616e6365U
#define MEDIA_DC    2

struct dc_layer {
    int32_t from; /* first layer that this row is used for */
    uint32_t user;
    uint32_t channel;
    uint32_t message;
    uint32_t dialog;
    uint32_t notify_settings;
    uint32_t messages;
    uint32_t channel_messages;
    uint32_t read_inbox;
    uint32_t fwd_header;
    bool media; /* photos, documents and markup as in the schema; else messageMediaUnsupported */
    bool peers_flags2;
    bool message_flags2;
    bool dialog_votes;   /* dialog has unread_poll_votes_count */
    bool topics;         /* messages.messages has topics */
    bool channel_topics; /* messages.channelMessages has them */
    bool reactions;      /* there are updates of reactions to a bot's messages */
};

/* The newest row whose layer is not above the client's is used. */
static const struct dc_layer layers[] = {
    {0, 0x3ff6ecb0, 0x8261ac61, 0x38116ee0, 0xa8edd0f5, 0xa83b0426, 0x8c718e87, 0x64479808,
     0x9c974fdf, 0x5f777dce, false, NO_FLAGS2, NO_FLAGS2, false, false, false, false},
    {158, 0x8f97c628, 0x83259464, 0x38116ee0, 0xd58a08c6, 0xa83b0426, 0x8c718e87, 0xc776ba4e,
     0x9c974fdf, 0x5f777dce, false, HAS_FLAGS2, NO_FLAGS2, false, false, true, false},
    {198, 0x4b46c37e, 0xe00998b7, 0x96fdbbe9, 0xd58a08c6, 0x99622c0c, 0x8c718e87, 0xc776ba4e,
     0x9c974fdf, GAP_TL_MESSAGE_FWD_HEADER, false, HAS_FLAGS2, HAS_FLAGS2, false, false, true,
     true},
    {227, GAP_TL_USER, GAP_TL_CHANNEL, GAP_TL_MESSAGE, GAP_TL_DIALOG, GAP_TL_PEER_NOTIFY_SETTINGS,
     GAP_TL_MESSAGES_MESSAGES, GAP_TL_MESSAGES_CHANNEL_MESSAGES, GAP_TL_UPDATE_READ_HISTORY_INBOX,
     GAP_TL_MESSAGE_FWD_HEADER, true, HAS_FLAGS2, HAS_FLAGS2, true, true, true, true},
    {228, 0xb1b8cc83, 0xd49f34c6, GAP_TL_MESSAGE, GAP_TL_DIALOG, GAP_TL_PEER_NOTIFY_SETTINGS,
     GAP_TL_MESSAGES_MESSAGES, GAP_TL_MESSAGES_CHANNEL_MESSAGES, GAP_TL_UPDATE_READ_HISTORY_INBOX,
     GAP_TL_MESSAGE_FWD_HEADER, true, HAS_FLAGS2, HAS_FLAGS2, true, true, true, true},
};

static const struct dc_layer *layer_of(int32_t layer)
{
    size_t i = GAP_ARRAY_LEN(layers) - 1;

    while (i > 0 && layers[i].from > layer) i--;
    return &layers[i];
}

/* --- the writer ---------------------------------------------------------------------------- */

void dc_writer_init(dc_writer_t *w, dc_model_t *m, const dc_view_t *view, uint32_t account,
                    gap_buf_t *buf)
{
    w->m = m;
    w->buf = buf;
    w->layer = layer_of(view->layer);
    w->account = account;
    w->min_n = 0;
    w->phones = false;
    w->result = 0;
    w->start = buf->len;
    m->epoch++;
    m->seen_user_count = 0;
    m->seen_chat_count = 0;
}

int dc_writer_end(dc_writer_t *w)
{
    if (w->result < 0) w->buf->len = w->start;
    return w->result;
}

void dc_put_string(dc_writer_t *w, gap_bytes_t s)
{
    size_t head = s.len < 254 ? 1 : 4;
    size_t padded = (head + s.len + 3) & ~(size_t)3;

    if (!dc_room(w, padded)) return;
    uint8_t *out = w->buf->data + w->buf->len;
    gap_store32(out + padded - 4, 0);
    if (head == 1)
        out[0] = (uint8_t)s.len;
    else
        gap_store32(out, 254U | (uint32_t)s.len << 8);
    if (s.len > 0) memcpy(out + head, s.data, s.len);
    w->buf->len += padded;
}

void dc_put_bytes(dc_writer_t *w, gap_bytes_t b)
{
    if (b.len == 0 || !dc_room(w, b.len)) return;
    memcpy(w->buf->data + w->buf->len, b.data, b.len);
    w->buf->len += b.len;
}

/** A name like "Channel 17": the first is 1, as in scripts and options. */
static void put_name(dc_writer_t *w, const char *prefix, int64_t number, const char *suffix)
{
    char name[64];
    char digits[20];
    size_t count = 0;
    size_t len = strlen(prefix);

    memcpy(name, prefix, len); /* NOLINT(bugprone-not-null-terminated-result): has a length */
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) name[len++] = digits[--count];
    memcpy(name + len, suffix, strlen(suffix)); /* NOLINT: as above */
    dc_put_string(w, gap_bytes(name, len + strlen(suffix)));
}

static void put_kept(dc_writer_t *w, const struct dc_name *name)
{
    dc_put_string(w, gap_bytes(name->data, name->len));
}

size_t dc_vector_begin(dc_writer_t *w)
{
    dc_put32(w, GAP_TL_VECTOR);
    dc_put32(w, 0);
    return w->buf->len - 4;
}

void dc_vector_end(dc_writer_t *w, size_t at, uint32_t count)
{
    if (w->result == 0) gap_store32(w->buf->data + at, count);
}

static void put_ids(dc_writer_t *w, const int32_t *ids, uint32_t count)
{
    dc_put32(w, GAP_TL_VECTOR);
    dc_put32(w, count);
    for (uint32_t i = 0; i < count; i++) dc_put32(w, (uint32_t)ids[i]);
}

/* --- who is named -------------------------------------------------------------------------- */

void dc_see_user(dc_writer_t *w, uint32_t user)
{
    dc_model_t *m = w->m;
    uint32_t *mark =
        user < m->options.users ? &m->user_marks[user] : &m->accounts[user - m->options.users].mark;

    if (*mark == m->epoch || w->result < 0) return;
    w->result = dc_grow(m->alloc, (void **)&m->seen_users, &m->seen_user_cap, m->seen_user_count,
                        sizeof *m->seen_users);
    if (w->result < 0) return;
    *mark = m->epoch;
    m->seen_users[m->seen_user_count++] = user;
}

void dc_see_chat(dc_writer_t *w, uint32_t chat)
{
    dc_model_t *m = w->m;

    if (m->chats[chat].type == DC_USER) {
        dc_see_user(w, m->chats[chat].user);
        return;
    }
    if (m->chats[chat].mark == m->epoch || w->result < 0) return;
    w->result = dc_grow(m->alloc, (void **)&m->seen_chats, &m->seen_chat_cap, m->seen_chat_count,
                        sizeof *m->seen_chats);
    if (w->result < 0) return;
    m->chats[chat].mark = m->epoch;
    m->seen_chats[m->seen_chat_count++] = chat;
}

/** Is a peer of this push drawn to be a min one? */
static bool is_min(const dc_writer_t *w, int64_t id)
{
    const dc_options_t *o = &w->m->options;

    if (w->min_n == 0 || o->min_percent == 0) return false;
    uint64_t draw = gap_hash64(gap_hash64(o->seed ^ MIN_SALT ^ w->min_n) ^ (uint64_t)id);
    return draw % 100 < o->min_percent;
}

/** The hash that a min peer carries: good for its photo, in no request that we answer. */
static uint64_t min_hash(uint64_t hash)
{
    return gap_hash64(hash) | 1;
}

/** Accounts that are neither bots nor persons have none. */
static void put_phone(dc_writer_t *w, uint32_t user, const struct dc_account *person)
{
    char phone[DC_PHONE_BYTES];

    if (person != NULL) {
        put_kept(w, person->phone);
        return;
    }
    (void)snprintf(phone, sizeof phone, DC_USER_PHONE, (unsigned)user + 1);
    dc_put_string(w, gap_str(user < w->m->options.users ? phone : ""));
}

void dc_put_user(dc_writer_t *w, uint32_t user)
{
    const dc_model_t *m = w->m;
    bool account = user >= m->options.users;
    bool bot = account && m->accounts[user - m->options.users].bot;
    int64_t id = dc_user_id(m, user);
    uint32_t flags = GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_FIRST_NAME | GAP_TL_USER_F_USERNAME;
    uint64_t hash = (uint64_t)dc_hash_of(m, w->account, DC_USER, id);

    if (!account && is_min(w, id)) {
        flags |= GAP_TL_USER_F_MIN;
        hash = min_hash(hash);
    }
    const struct dc_account *person = account ? &m->accounts[user - m->options.users] : NULL;
    if (person != NULL && person->first_name == NULL) person = NULL;
    bool is_self = account && user - m->options.users == w->account;
    if (bot) flags |= GAP_TL_USER_F_BOT;
    if (is_self) flags |= GAP_TL_USER_F_SELF;
    if (person != NULL && person->last_name != NULL) flags |= GAP_TL_USER_F_LAST_NAME;
    if ((person != NULL && is_self) || (w->phones && !bot)) flags |= GAP_TL_USER_F_PHONE;
    dc_put32(w, w->layer->user);
    dc_put32(w, flags);
    if (w->layer->peers_flags2) dc_put32(w, 0);
    dc_put64(w, (uint64_t)id);
    dc_put64(w, hash);
    int64_t number = account ? id : (int64_t)user + 1;
    if (person != NULL)
        put_kept(w, person->first_name);
    else
        put_name(w, !account ? "User " : bot ? "Bot " : "Account ", number, "");
    if ((flags & GAP_TL_USER_F_LAST_NAME) != 0) put_kept(w, person->last_name);
    put_name(w, !account ? "user" : bot ? "bot" : "account", number, bot ? "_bot" : "");
    if ((flags & GAP_TL_USER_F_PHONE) != 0) put_phone(w, user, person);
    if (bot) dc_put32(w, 1); /* bot_info_version */
}

static void put_channel(dc_writer_t *w, uint32_t index)
{
    const struct dc_chat *chat = &w->m->chats[index];
    bool forbidden = !dc_is_member(chat, w->account);
    uint32_t kind = chat->broadcast ? GAP_TL_CHANNEL_F_BROADCAST : GAP_TL_CHANNEL_F_MEGAGROUP;
    uint64_t hash = (uint64_t)dc_hash_of(w->m, w->account, DC_CHANNEL, chat->id);

    if (forbidden) {
        dc_put32(w, GAP_TL_CHANNEL_FORBIDDEN);
        dc_put32(w, kind); /* the same bits as in channel */
        dc_put64(w, (uint64_t)chat->id);
        dc_put64(w, hash);
        put_name(w, "Channel ", (int64_t)index + 1, "");
        return;
    }
    if (is_min(w, chat->id)) {
        kind |= GAP_TL_CHANNEL_F_MIN;
        hash = min_hash(hash);
    }
    dc_put32(w, w->layer->channel);
    dc_put32(w, kind | GAP_TL_CHANNEL_F_ACCESS_HASH | GAP_TL_CHANNEL_F_USERNAME);
    if (w->layer->peers_flags2) dc_put32(w, 0);
    dc_put64(w, (uint64_t)chat->id);
    dc_put64(w, hash);
    put_name(w, "Channel ", (int64_t)index + 1, "");
    put_name(w, "channel", (int64_t)index + 1, "");
    dc_put32(w, GAP_TL_CHAT_PHOTO_EMPTY);
    dc_put32(w, (uint32_t)chat->date);
}

void dc_put_chat(dc_writer_t *w, uint32_t index)
{
    const struct dc_chat *chat = &w->m->chats[index];

    GAP_ASSERT(chat->type != DC_USER);
    if (chat->type == DC_CHANNEL) {
        put_channel(w, index);
        return;
    }
    dc_put32(w, GAP_TL_CHAT);
    dc_put32(w, 0);
    dc_put64(w, (uint64_t)chat->id);
    put_name(w, "Group ", chat->id - DC_CHAT_ID_FIRST + 1, "");
    dc_put32(w, GAP_TL_CHAT_PHOTO_EMPTY);
    dc_put32(w, w->m->options.users + 1); /* participants: everyone invented, and the account */
    dc_put32(w, (uint32_t)chat->date);
    dc_put32(w, 1); /* version */
}

void dc_put_users(dc_writer_t *w)
{
    dc_put32(w, GAP_TL_VECTOR);
    dc_put32(w, w->m->seen_user_count);
    for (uint32_t i = 0; i < w->m->seen_user_count; i++) dc_put_user(w, w->m->seen_users[i]);
}

void dc_put_chats(dc_writer_t *w)
{
    dc_put32(w, GAP_TL_VECTOR);
    dc_put32(w, w->m->seen_chat_count);
    for (uint32_t i = 0; i < w->m->seen_chat_count; i++) dc_put_chat(w, w->m->seen_chats[i]);
}

static void put_peer_user(dc_writer_t *w, uint32_t user)
{
    dc_put32(w, GAP_TL_PEER_USER);
    dc_put64(w, (uint64_t)dc_user_id(w->m, user));
    dc_see_user(w, user);
}

void dc_put_peer(dc_writer_t *w, uint32_t index)
{
    const struct dc_chat *chat = &w->m->chats[index];

    if (chat->type == DC_USER) {
        put_peer_user(w, chat->user);
        return;
    }
    dc_put32(w, chat->type == DC_CHAT ? GAP_TL_PEER_CHAT : GAP_TL_PEER_CHANNEL);
    dc_put64(w, (uint64_t)chat->id);
    dc_see_chat(w, index);
}

/* --- messages ------------------------------------------------------------------------------ */

/** What no client can decode. */
static void put_unknown(dc_writer_t *w, uint32_t n)
{
    dc_put32(w, DC_UNKNOWN_ID);
    dc_put32(w, n);
}

/** Entities that every layer has in the schema's form. */
static bool is_old_entity(uint32_t id)
{
    static const uint32_t ids[] = {
        GAP_TL_MESSAGE_ENTITY_BOLD,        GAP_TL_MESSAGE_ENTITY_ITALIC,
        GAP_TL_MESSAGE_ENTITY_CODE,        GAP_TL_MESSAGE_ENTITY_PRE,
        GAP_TL_MESSAGE_ENTITY_TEXT_URL,    GAP_TL_MESSAGE_ENTITY_URL,
        GAP_TL_MESSAGE_ENTITY_MENTION,     GAP_TL_MESSAGE_ENTITY_MENTION_NAME,
        GAP_TL_MESSAGE_ENTITY_HASHTAG,     GAP_TL_MESSAGE_ENTITY_CASHTAG,
        GAP_TL_MESSAGE_ENTITY_BOT_COMMAND, GAP_TL_MESSAGE_ENTITY_EMAIL,
        GAP_TL_MESSAGE_ENTITY_PHONE,       GAP_TL_MESSAGE_ENTITY_UNDERLINE,
        GAP_TL_MESSAGE_ENTITY_STRIKE,      GAP_TL_MESSAGE_ENTITY_SPOILER,
        GAP_TL_MESSAGE_ENTITY_BANK_CARD,   GAP_TL_MESSAGE_ENTITY_CUSTOM_EMOJI,
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(ids); i++)
        if (ids[i] == id) return true;
    return false;
}

/** The next entity of the layer. @return its bytes; empty at the end. */
static gap_bytes_t next_entity(const dc_writer_t *w, gap_bytes_t *rest)
{
    while (rest->len > 0) {
        gap_bytes_t entity = gap_bytes(rest->data, (size_t)gap_tl_skip(*rest));
        *rest = gap_bytes(rest->data + entity.len, rest->len - entity.len);
        if (w->layer->media || is_old_entity(gap_load32(entity.data))) return entity;
    }
    return *rest;
}

uint32_t dc_count_entities(const dc_writer_t *w, const struct dc_content *content)
{
    gap_bytes_t rest = content->entities;
    uint32_t count = 0;

    while (next_entity(w, &rest).len > 0) count++;
    return count;
}

void dc_put_entities(dc_writer_t *w, const struct dc_content *content, uint32_t count)
{
    gap_bytes_t rest = content->entities;

    dc_put32(w, GAP_TL_VECTOR);
    dc_put32(w, count);
    for (uint32_t i = 0; i < count; i++) dc_put_bytes(w, next_entity(w, &rest));
}

static void put_fwd_header(dc_writer_t *w, uint32_t n)
{
    const struct dc_rec *rec = dc_rec_at(w->m, n);
    bool post = w->m->chats[rec->chat].broadcast;

    dc_put32(w, w->layer->fwd_header);
    dc_put32(w, GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID |
                    (post ? GAP_TL_MESSAGE_FWD_HEADER_F_CHANNEL_POST : 0));
    if (post)
        dc_put_peer(w, rec->chat);
    else
        put_peer_user(w, rec->from);
    dc_put32(w, (uint32_t)rec->date);
    if (post) dc_put32(w, (uint32_t)rec->id);
}

static void put_media(dc_writer_t *w, const struct dc_content *content, int32_t date)
{
    bool photo = content->media == DC_MEDIA_PHOTO;
    gap_bytes_t none = {NULL, 0};

    if (!w->layer->media) {
        dc_put32(w, GAP_TL_MESSAGE_MEDIA_UNSUPPORTED);
        return;
    }
    dc_put32(w, photo ? GAP_TL_MESSAGE_MEDIA_PHOTO : GAP_TL_MESSAGE_MEDIA_DOCUMENT);
    dc_put32(w,
             photo ? GAP_TL_MESSAGE_MEDIA_PHOTO_F_PHOTO : GAP_TL_MESSAGE_MEDIA_DOCUMENT_F_DOCUMENT);
    dc_put32(w, photo ? GAP_TL_PHOTO : GAP_TL_DOCUMENT);
    dc_put32(w, 0);
    dc_put64(w, (uint64_t)content->media_id);
    dc_put64(w, (uint64_t)content->media_hash);
    dc_put_string(w, none); /* file_reference */
    dc_put32(w, (uint32_t)date);
    if (!photo) {
        dc_put_string(w, gap_str("application/octet-stream"));
        dc_put64(w, 0); /* size */
        dc_put32(w, MEDIA_DC);
    }
    dc_put32(w, GAP_TL_VECTOR); /* sizes, or attributes */
    dc_put32(w, 0);
    if (photo) dc_put32(w, MEDIA_DC);
}

void dc_put_message(dc_writer_t *w, uint32_t new_n, uint32_t text_n, uint32_t pin_n)
{
    const struct dc_rec *rec = dc_rec_at(w->m, new_n);
    bool post = w->m->chats[rec->chat].broadcast;
    bool out = (rec->flags & DC_R_OUT) != 0 && rec->from == w->m->options.users + w->account;
    bool pinned = pin_n != 0 && (dc_rec_at(w->m, pin_n)->flags & DC_R_PINNED) != 0;
    struct dc_content content;

    if (((rec->flags | dc_rec_at(w->m, text_n)->flags) & DC_R_POISON) != 0) {
        put_unknown(w, new_n);
        return;
    }
    dc_content_of(w->m, text_n, &content);
    uint32_t entities = dc_count_entities(w, &content);
    bool markup = content.markup.len > 0 && w->layer->media;
    uint32_t flags = (out ? GAP_TL_MESSAGE_F_OUT : 0) |
                     (post ? GAP_TL_MESSAGE_F_POST : GAP_TL_MESSAGE_F_FROM_ID) |
                     (pinned ? GAP_TL_MESSAGE_F_PINNED : 0) |
                     (content.fwd_n != 0 ? GAP_TL_MESSAGE_F_FWD_FROM : 0) |
                     (content.media != DC_MEDIA_NONE ? GAP_TL_MESSAGE_F_MEDIA : 0) |
                     (markup ? GAP_TL_MESSAGE_F_REPLY_MARKUP : 0) |
                     (entities > 0 ? GAP_TL_MESSAGE_F_ENTITIES : 0) |
                     (text_n != new_n ? GAP_TL_MESSAGE_F_EDIT_DATE : 0);
    dc_put32(w, w->layer->message);
    dc_put32(w, flags);
    if (w->layer->message_flags2) dc_put32(w, 0);
    dc_put32(w, (uint32_t)rec->id);
    if (!post) put_peer_user(w, rec->from);
    dc_put_peer(w, rec->chat);
    if (content.fwd_n != 0) put_fwd_header(w, content.fwd_n);
    dc_put32(w, (uint32_t)rec->date);
    dc_put_string(w, dc_text_of(w->m, text_n));
    if (content.media != DC_MEDIA_NONE) put_media(w, &content, rec->date);
    if (markup) dc_put_bytes(w, content.markup);
    if (entities > 0) dc_put_entities(w, &content, entities);
    if (text_n != new_n) dc_put32(w, (uint32_t)dc_rec_at(w->m, text_n)->date);
}

void dc_put_message_now(dc_writer_t *w, const struct dc_store *store, int32_t id)
{
    const struct dc_msg *msg = dc_msg_at(store, id);

    if (msg != NULL && msg->del_n == 0) {
        dc_put_message(w, msg->new_n, dc_msg_text_n(msg), msg->pin_n);
        return;
    }
    dc_put32(w, GAP_TL_MESSAGE_EMPTY);
    dc_put32(w, 0);
    dc_put32(w, (uint32_t)id);
}

/** Messages above max_id that somebody else wrote and that are still there. */
static uint32_t unread(const dc_writer_t *w, uint32_t index, int32_t max_id)
{
    const struct dc_chat *chat = &w->m->chats[index];
    const struct dc_store *store = dc_store_of(w->m, chat);
    uint32_t count = 0;

    for (int32_t id = chat->top_id; id > max_id && count < UNREAD_MAX;) {
        const struct dc_msg *msg = dc_msg_at(store, id);
        if (msg->del_n == 0 && (dc_rec_at(w->m, msg->new_n)->flags & DC_R_OUT) == 0) count++;
        id = msg->prev;
    }
    return count;
}

void dc_put_dialog(dc_writer_t *w, uint32_t index)
{
    const struct dc_chat *chat = &w->m->chats[index];
    bool channel = chat->type == DC_CHANNEL;

    dc_put32(w, w->layer->dialog);
    dc_put32(w, channel ? GAP_TL_DIALOG_F_PTS : 0);
    dc_put_peer(w, index);
    dc_put32(w, (uint32_t)dc_top_message(w->m, chat));
    dc_put32(w, (uint32_t)chat->read_in);
    dc_put32(w, (uint32_t)chat->read_out);
    dc_put32(w, unread(w, index, chat->read_in));
    dc_put32(w, 0); /* unread mentions */
    dc_put32(w, 0); /* unread reactions */
    if (w->layer->dialog_votes) dc_put32(w, 0);
    dc_put32(w, w->layer->notify_settings);
    dc_put32(w, 0);
    if (channel) dc_put32(w, (uint32_t)chat->log.pts);
}

void dc_put_messages_head(dc_writer_t *w, uint32_t index, uint32_t total)
{
    if (index == DC_NONE || w->m->chats[index].type != DC_CHANNEL) {
        dc_put32(w, w->layer->messages);
        return;
    }
    dc_put32(w, w->layer->channel_messages);
    dc_put32(w, 0);
    dc_put32(w, (uint32_t)w->m->chats[index].log.pts);
    dc_put32(w, total);
}

void dc_put_messages_topics(dc_writer_t *w, uint32_t index)
{
    bool channel = index != DC_NONE && w->m->chats[index].type == DC_CHANNEL;

    if (channel ? w->layer->channel_topics : w->layer->topics) {
        dc_put32(w, GAP_TL_VECTOR);
        dc_put32(w, 0);
    }
}

/* --- updates ------------------------------------------------------------------------------- */

void dc_put_message_id(dc_writer_t *w, int32_t id, int64_t random_id)
{
    dc_put32(w, GAP_TL_UPDATE_MESSAGE_ID);
    dc_put32(w, (uint32_t)id);
    dc_put64(w, (uint64_t)random_id);
}

void dc_put_too_long(dc_writer_t *w, uint32_t index)
{
    dc_put32(w, GAP_TL_UPDATE_CHANNEL_TOO_LONG);
    dc_put32(w, GAP_TL_UPDATE_CHANNEL_TOO_LONG_F_PTS);
    dc_put64(w, (uint64_t)w->m->chats[index].id);
    dc_put32(w, (uint32_t)w->m->chats[index].log.pts);
    dc_see_chat(w, index);
}

static void put_reaction(dc_writer_t *w)
{
    dc_put32(w, GAP_TL_REACTION_EMOJI);
    dc_put_string(w, gap_str("\xf0\x9f\x91\x8d"));
}

static void put_qts(dc_writer_t *w, uint32_t n, const struct dc_rec *rec)
{
    static const uint32_t ids[DC_QTS_TYPES] = {
        GAP_TL_UPDATE_BOT_STOPPED,           GAP_TL_UPDATE_CHAT_PARTICIPANT,
        GAP_TL_UPDATE_CHANNEL_PARTICIPANT,   GAP_TL_UPDATE_BOT_MESSAGE_REACTION,
        GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS,
    };
    uint64_t from = (uint64_t)dc_user_id(w->m, rec->from);
    uint64_t chat = (uint64_t)w->m->chats[rec->chat].id;

    dc_see_chat(w, rec->chat);
    dc_see_user(w, rec->from);
    dc_qts_t qts = (dc_qts_t)rec->qts;
    /* A layer that has no name for it gets something else of the same qts: no hole. */
    if (!w->layer->reactions && qts >= DC_QTS_MESSAGE_REACTION) qts = DC_QTS_BOT_STOPPED;
    dc_put32(w, ids[qts]);
    switch (qts) {
    case DC_QTS_BOT_STOPPED:
        dc_put64(w, from);
        dc_put32(w, (uint32_t)rec->date);
        dc_put32(w, n % 2 == 0 ? GAP_MT_BOOL_TRUE : GAP_MT_BOOL_FALSE);
        break;
    case DC_QTS_CHAT_PARTICIPANT:
    case DC_QTS_CHANNEL_PARTICIPANT:
        dc_put32(w, 0);
        dc_put64(w, chat);
        dc_put32(w, (uint32_t)rec->date);
        dc_put64(w, from); /* actor */
        dc_put64(w, from);
        break;
    case DC_QTS_MESSAGE_REACTION:
        dc_put_peer(w, rec->chat);
        dc_put32(w, (uint32_t)rec->id);
        dc_put32(w, (uint32_t)rec->date);
        put_peer_user(w, rec->from);
        dc_put32(w, GAP_TL_VECTOR);
        dc_put32(w, 0);
        dc_put32(w, GAP_TL_VECTOR);
        dc_put32(w, 1);
        put_reaction(w);
        break;
    case DC_QTS_MESSAGE_REACTIONS:
        dc_put_peer(w, rec->chat);
        dc_put32(w, (uint32_t)rec->id);
        dc_put32(w, (uint32_t)rec->date);
        dc_put32(w, GAP_TL_VECTOR);
        dc_put32(w, 1);
        dc_put32(w, GAP_TL_REACTION_COUNT);
        dc_put32(w, 0);
        put_reaction(w);
        dc_put32(w, 1);
        break;
    case DC_QTS_TYPES:
        break;
    }
    dc_put32(w, (uint32_t)rec->pts);
}

static void put_pin(dc_writer_t *w, const struct dc_rec *rec)
{
    bool channel = rec->box == DC_BOX_CHANNEL;

    dc_put32(w, channel ? GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES : GAP_TL_UPDATE_PINNED_MESSAGES);
    dc_put32(w, (rec->flags & DC_R_PINNED) != 0 ? GAP_TL_UPDATE_PINNED_MESSAGES_F_PINNED : 0);
    if (channel) {
        dc_put64(w, (uint64_t)w->m->chats[rec->chat].id);
        dc_see_chat(w, rec->chat);
    } else {
        dc_put_peer(w, rec->chat);
    }
    put_ids(w, &rec->id, 1);
}

static void put_delete(dc_writer_t *w, const struct dc_rec *rec)
{
    if (rec->box == DC_BOX_CHANNEL) {
        dc_put32(w, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES);
        dc_put64(w, (uint64_t)w->m->chats[rec->chat].id);
        dc_see_chat(w, rec->chat);
    } else {
        dc_put32(w, GAP_TL_UPDATE_DELETE_MESSAGES);
    }
    put_ids(w, rec->blob, (uint32_t)rec->pts_count);
}

static void put_read(dc_writer_t *w, const struct dc_rec *rec)
{
    bool outbox = (rec->flags & DC_R_OUTBOX) != 0;

    dc_put32(w, outbox ? GAP_TL_UPDATE_READ_HISTORY_OUTBOX : w->layer->read_inbox);
    if (!outbox) dc_put32(w, 0);
    dc_put_peer(w, rec->chat);
    dc_put32(w, (uint32_t)rec->id);
    if (!outbox) dc_put32(w, unread(w, rec->chat, rec->id));
}

static void put_callback(dc_writer_t *w, uint32_t n, const struct dc_rec *rec)
{
    char data[32];
    int len = snprintf(data, sizeof data, "button %u", (unsigned)n);

    dc_put32(w, GAP_TL_UPDATE_BOT_CALLBACK_QUERY);
    dc_put32(w, GAP_TL_UPDATE_BOT_CALLBACK_QUERY_F_DATA);
    dc_put64(w, (uint64_t)dc_query_id(w->m, n));
    dc_put64(w, (uint64_t)dc_user_id(w->m, rec->from));
    dc_see_user(w, rec->from);
    dc_put_peer(w, rec->chat);
    dc_put32(w, (uint32_t)rec->id);
    dc_put64(w, gap_hash64((uint64_t)w->m->chats[rec->chat].id ^ INSTANCE_ID));
    dc_put_string(w, gap_bytes(data, (size_t)len));
}

static void put_content(dc_writer_t *w, uint32_t n, const struct dc_rec *rec)
{
    bool channel = rec->box == DC_BOX_CHANNEL;

    if (rec->kind == DC_NEW_MESSAGE) {
        dc_put32(w, channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE);
        dc_put_message(w, n, n, 0);
        return;
    }
    const struct dc_msg *msg = dc_msg_at(dc_store_of(w->m, &w->m->chats[rec->chat]), rec->id);
    dc_put32(w, channel ? GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE : GAP_TL_UPDATE_EDIT_MESSAGE);
    dc_put_message(w, msg->new_n, n, msg->pin_n < n ? msg->pin_n : 0);
}

void dc_put_update(dc_writer_t *w, uint32_t n, int32_t pts, int32_t pts_count)
{
    const struct dc_rec *rec = dc_rec_at(w->m, n);

    if ((rec->flags & DC_R_POISON) != 0) {
        put_unknown(w, n);
        return;
    }
    switch ((dc_kind_t)rec->kind) {
    case DC_NEW_MESSAGE:
    case DC_EDIT_MESSAGE:
        put_content(w, n, rec);
        break;
    case DC_DELETE_MESSAGES:
        put_delete(w, rec);
        break;
    case DC_PIN:
        put_pin(w, rec);
        break;
    case DC_READ:
        put_read(w, rec);
        break;
    case DC_QTS:
        put_qts(w, n, rec);
        return;
    case DC_CALLBACK_QUERY:
        put_callback(w, n, rec);
        return;
    case DC_STATUS:
        dc_put32(w, GAP_TL_UPDATE_USER_STATUS);
        dc_put64(w, (uint64_t)dc_user_id(w->m, rec->from));
        dc_put32(w, GAP_TL_USER_STATUS_ONLINE);
        dc_put32(w, (uint32_t)rec->date + ONLINE_S);
        return;
    case DC_KINDS:
        return;
    }
    dc_put32(w, (uint32_t)pts);
    dc_put32(w, (uint32_t)pts_count);
}
