/*
 * tests/sim/pack.c - see pack.h. Memory comes from the C library: what a test builds is not the
 * engine's.
 */
#include "pack.h"

#include "base/bytes.h"

#include "base/packet.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NONE(T)                                                                                    \
    (T)                                                                                            \
    {                                                                                              \
        0                                                                                          \
    }

int64_t pack_hash(int64_t id)
{
    return id * 7919 + 1;
}

static uint8_t *room(uint8_t **data, size_t *cap, size_t need)
{
    if (need > *cap) {
        *cap = need * 2;
        *data = realloc(*data, *cap);
        ck_assert_ptr_nonnull(*data);
    }
    return *data;
}

#define ADD(list, id, value)                                                                       \
    do {                                                                                           \
        gap_tl_object_t object_ = gap_tl_of((id), (value));                                        \
        int64_t size_ = gap_tl_size(object_);                                                      \
        ck_assert_int_gt(size_, 0);                                                                \
        (void)room(&(list).data, &(list).cap, (list).len + (size_t)size_);                         \
        ck_assert_int_eq(gap_tl_write(object_, (list).data + (list).len, (size_t)size_), size_);   \
        (list).len += (size_t)size_;                                                               \
        (list).count++;                                                                            \
    } while (0)

#define VECTOR(list) ((gap_tl_vector_t){(list).data, (list).len, NULL, (list).count})

static gap_packet_t *packet_of(uint32_t id, const void *value)
{
    gap_tl_object_t object = gap_tl_of(id, value);
    int64_t size = gap_tl_size(object);
    gap_packet_t *p;

    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(gap_packet_new(gap_alloc_default(), (size_t)size, &p), 0);
    ck_assert_int_eq(gap_tl_write(object, p->data, (size_t)size), size);
    p->len = (uint32_t)size;
    return p;
}

static void clear(struct pack *p)
{
    p->updates.len = p->messages.len = p->users.len = p->chats.len = 0;
    p->updates.count = p->messages.count = p->users.count = p->chats.count = 0;
}

void pack_fini(struct pack *p)
{
    free(p->updates.data);
    free(p->messages.data);
    free(p->users.data);
    free(p->chats.data);
    memset(p, 0, sizeof *p);
}

/* ---- peers ---- */

void pack_user(struct pack *p, int64_t id, bool min)
{
    gap_tl_user_t u = NONE(gap_tl_user_t);

    u.flags = GAP_TL_USER_F_ACCESS_HASH | (min ? GAP_TL_USER_F_MIN : 0);
    u.id = id;
    u.access_hash = pack_hash(id);
    ADD(p->users, GAP_TL_USER, &u);
}

void pack_channel(struct pack *p, int64_t id)
{
    gap_tl_channel_t c = NONE(gap_tl_channel_t);
    gap_tl_chat_photo_empty_t photo = NONE(gap_tl_chat_photo_empty_t);

    c.flags = GAP_TL_CHANNEL_F_ACCESS_HASH;
    c.id = id;
    c.access_hash = pack_hash(id);
    c.title = gap_str("channel");
    c.photo = gap_tl_of(GAP_TL_CHAT_PHOTO_EMPTY, &photo);
    c.date = PACK_DATE;
    ADD(p->chats, GAP_TL_CHANNEL, &c);
}

/* ---- messages ---- */

struct built {
    gap_tl_message_t m;
    gap_tl_peer_user_t from;
    gap_tl_peer_user_t user;
    gap_tl_peer_channel_t channel;
};

static gap_tl_object_t message(const struct pack *p, struct built *b, int64_t channel, int32_t id,
                               int64_t from)
{
    memset(b, 0, sizeof *b);
    b->from.user_id = from;
    b->user.user_id = from;
    b->channel.channel_id = channel;
    b->m.flags = GAP_TL_MESSAGE_F_FROM_ID | (p->out ? GAP_TL_MESSAGE_F_OUT : 0);
    b->m.id = id;
    b->m.from_id = gap_tl_of(GAP_TL_PEER_USER, &b->from);
    b->m.peer_id = channel == 0 ? gap_tl_of(GAP_TL_PEER_USER, &b->user)
                                : gap_tl_of(GAP_TL_PEER_CHANNEL, &b->channel);
    b->m.date = PACK_DATE;
    b->m.message = gap_str(p->text == NULL ? "hello" : p->text);
    return gap_tl_of(GAP_TL_MESSAGE, &b->m);
}

/* Users and chats of a container are there once. */
static void come_along(struct pack *p, int64_t channel)
{
    if (p->lonely) return;
    if (p->users.count == 0) pack_user(p, PACK_USER, false);
    if (channel != 0) pack_channel(p, channel);
}

void pack_message(struct pack *p, int32_t pts, int32_t count, int32_t id, int64_t from)
{
    struct built b;
    gap_tl_update_new_message_t u = {message(p, &b, 0, id, from), pts, count};
    if (from == PACK_USER) come_along(p, 0);
    ADD(p->updates, GAP_TL_UPDATE_NEW_MESSAGE, &u);
}

void pack_edit(struct pack *p, int32_t pts, int32_t count, int32_t id)
{
    struct built b;
    gap_tl_update_edit_message_t u = {message(p, &b, 0, id, PACK_USER), pts, count};
    come_along(p, 0);
    ADD(p->updates, GAP_TL_UPDATE_EDIT_MESSAGE, &u);
}

void pack_delete(struct pack *p, int32_t pts, int32_t count, int32_t first_id)
{
    int32_t ids[64];
    uint32_t n = count > 0 ? (uint32_t)count : 1;
    for (uint32_t i = 0; i < n && i < 64; i++) ids[i] = first_id + (int32_t)i;
    gap_tl_update_delete_messages_t u = {gap_tl_array(ids, n), pts, count};
    ADD(p->updates, GAP_TL_UPDATE_DELETE_MESSAGES, &u);
}

void pack_channel_message(struct pack *p, int64_t channel, int32_t pts, int32_t count, int32_t id)
{
    struct built b;
    gap_tl_update_new_channel_message_t u = {message(p, &b, channel, id, PACK_USER), pts, count};
    come_along(p, channel);
    ADD(p->updates, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u);
}

void pack_channel_edit(struct pack *p, int64_t channel, int32_t pts, int32_t count, int32_t id)
{
    struct built b;
    gap_tl_update_edit_channel_message_t u = {message(p, &b, channel, id, PACK_USER), pts, count};
    come_along(p, channel);
    ADD(p->updates, GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE, &u);
}

void pack_channel_read(struct pack *p, int64_t channel, int32_t pts, int32_t max_id)
{
    gap_tl_update_read_channel_inbox_t u = NONE(gap_tl_update_read_channel_inbox_t);
    u.channel_id = channel;
    u.max_id = max_id;
    u.pts = pts;
    ADD(p->updates, GAP_TL_UPDATE_READ_CHANNEL_INBOX, &u);
}

void pack_new(struct pack *p, int32_t id)
{
    struct built b;
    (void)message(p, &b, 0, id, PACK_USER);
    come_along(p, 0);
    ADD(p->messages, GAP_TL_MESSAGE, &b.m);
}

void pack_channel_new(struct pack *p, int64_t channel, int32_t id)
{
    struct built b;
    (void)message(p, &b, channel, id, PACK_USER);
    come_along(p, channel);
    ADD(p->messages, GAP_TL_MESSAGE, &b.m);
}

void pack_new_empty(struct pack *p, int32_t id)
{
    gap_tl_message_empty_t m = NONE(gap_tl_message_empty_t);
    m.id = id;
    ADD(p->messages, GAP_TL_MESSAGE_EMPTY, &m);
}

/* ---- other updates ---- */

void pack_too_long(struct pack *p, int64_t channel, int32_t pts)
{
    gap_tl_update_channel_too_long_t u = {pts > 0 ? GAP_TL_UPDATE_CHANNEL_TOO_LONG_F_PTS : 0,
                                          channel, pts};
    come_along(p, channel);
    ADD(p->updates, GAP_TL_UPDATE_CHANNEL_TOO_LONG, &u);
}

void pack_qts(struct pack *p, int32_t qts, int64_t label)
{
    gap_tl_update_bot_stopped_t u = {label, PACK_DATE, true, qts};
    ADD(p->updates, GAP_TL_UPDATE_BOT_STOPPED, &u);
}

void pack_query(struct pack *p, int64_t query_id)
{
    gap_tl_peer_user_t peer = {PACK_USER};
    gap_tl_update_bot_callback_query_t u = NONE(gap_tl_update_bot_callback_query_t);
    u.query_id = query_id;
    u.user_id = PACK_USER;
    u.peer = gap_tl_of(GAP_TL_PEER_USER, &peer);
    u.msg_id = 1;
    ADD(p->updates, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &u);
}

void pack_status(struct pack *p, int64_t user)
{
    gap_tl_user_status_offline_t status = {PACK_DATE};
    gap_tl_update_user_status_t u = {user, gap_tl_of(GAP_TL_USER_STATUS_OFFLINE, &status)};
    ADD(p->updates, GAP_TL_UPDATE_USER_STATUS, &u);
}

void pack_typing(struct pack *p, int64_t user)
{
    gap_tl_send_message_typing_action_t action = NONE(gap_tl_send_message_typing_action_t);
    gap_tl_update_user_typing_t u = NONE(gap_tl_update_user_typing_t);
    u.user_id = user;
    u.action = gap_tl_of(GAP_TL_SEND_MESSAGE_TYPING_ACTION, &action);
    ADD(p->updates, GAP_TL_UPDATE_USER_TYPING, &u);
}

void pack_message_id(struct pack *p, int32_t id)
{
    gap_tl_update_message_id_t u = {id, 1000 + id};
    ADD(p->updates, GAP_TL_UPDATE_MESSAGE_ID, &u);
}

void pack_pts_changed(struct pack *p)
{
    gap_tl_update_pts_changed_t u = NONE(gap_tl_update_pts_changed_t);
    ADD(p->updates, GAP_TL_UPDATE_PTS_CHANGED, &u);
}

/* ---- Updates ---- */

gap_packet_t *pack_updates(struct pack *p, int32_t seq)
{
    gap_tl_updates_t u = {VECTOR(p->updates), VECTOR(p->users), VECTOR(p->chats),
                          PACK_DATE + p->later, seq};
    gap_packet_t *packet = packet_of(GAP_TL_UPDATES, &u);
    clear(p);
    return packet;
}

gap_packet_t *pack_combined(struct pack *p, int32_t seq_start, int32_t seq)
{
    gap_tl_updates_combined_t u = {VECTOR(p->updates),   VECTOR(p->users), VECTOR(p->chats),
                                   PACK_DATE + p->later, seq_start,        seq};
    gap_packet_t *packet = packet_of(GAP_TL_UPDATES_COMBINED, &u);
    clear(p);
    return packet;
}

gap_packet_t *pack_short(struct pack *p)
{
    gap_tl_update_short_t u = {{p->updates.data, p->updates.len, NULL, 0}, PACK_DATE};
    memcpy(&u.update.id, p->updates.data, sizeof u.update.id);
    gap_packet_t *packet = packet_of(GAP_TL_UPDATE_SHORT, &u);
    clear(p);
    return packet;
}

gap_packet_t *pack_short_message(int32_t pts, int32_t id, int64_t user)
{
    gap_tl_update_short_message_t u = NONE(gap_tl_update_short_message_t);
    u.id = id;
    u.user_id = user;
    u.message = gap_str("hello");
    u.pts = pts;
    u.pts_count = 1;
    u.date = PACK_DATE;
    return packet_of(GAP_TL_UPDATE_SHORT_MESSAGE, &u);
}

gap_packet_t *pack_short_sent(int32_t pts, int32_t id)
{
    gap_tl_update_short_sent_message_t u = NONE(gap_tl_update_short_sent_message_t);
    u.id = id;
    u.pts = pts;
    u.pts_count = 1;
    u.date = PACK_DATE;
    return packet_of(GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &u);
}

gap_packet_t *pack_updates_too_long(void)
{
    gap_tl_updates_too_long_t u = NONE(gap_tl_updates_too_long_t);
    return packet_of(GAP_TL_UPDATES_TOO_LONG, &u);
}

/* ---- answers ---- */

gap_packet_t *pack_state(int32_t pts, int32_t qts, int32_t seq)
{
    gap_tl_updates_state_t s = {pts, qts, PACK_DATE, seq, 0};
    return packet_of(GAP_TL_UPDATES_STATE, &s);
}

gap_packet_t *pack_difference(struct pack *p, int32_t pts, int32_t qts, int32_t seq)
{
    gap_tl_updates_state_t s = {pts, qts, PACK_DATE + p->later, seq, 0};
    gap_tl_updates_difference_t d = NONE(gap_tl_updates_difference_t);
    d.new_messages = VECTOR(p->messages);
    d.new_encrypted_messages = gap_tl_array(NULL, 0);
    d.other_updates = VECTOR(p->updates);
    d.chats = VECTOR(p->chats);
    d.users = VECTOR(p->users);
    d.state = gap_tl_of(GAP_TL_UPDATES_STATE, &s);
    gap_packet_t *packet = packet_of(GAP_TL_UPDATES_DIFFERENCE, &d);
    clear(p);
    return packet;
}

gap_packet_t *pack_slice(struct pack *p, int32_t pts, int32_t qts, int32_t seq)
{
    gap_tl_updates_state_t s = {pts, qts, PACK_DATE + p->later, seq, 0};
    gap_tl_updates_difference_slice_t d = NONE(gap_tl_updates_difference_slice_t);
    d.new_messages = VECTOR(p->messages);
    d.new_encrypted_messages = gap_tl_array(NULL, 0);
    d.other_updates = VECTOR(p->updates);
    d.chats = VECTOR(p->chats);
    d.users = VECTOR(p->users);
    d.intermediate_state = gap_tl_of(GAP_TL_UPDATES_STATE, &s);
    gap_packet_t *packet = packet_of(GAP_TL_UPDATES_DIFFERENCE_SLICE, &d);
    clear(p);
    return packet;
}

gap_packet_t *pack_empty(int32_t seq)
{
    gap_tl_updates_difference_empty_t d = {PACK_DATE, seq};
    return packet_of(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &d);
}

gap_packet_t *pack_difference_too_long(int32_t pts)
{
    gap_tl_updates_difference_too_long_t d = {pts};
    return packet_of(GAP_TL_UPDATES_DIFFERENCE_TOO_LONG, &d);
}

gap_packet_t *pack_channel_difference(struct pack *p, int32_t pts, bool final)
{
    gap_tl_updates_channel_difference_t d = NONE(gap_tl_updates_channel_difference_t);
    d.flags = final ? GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL : 0;
    d.flags |= GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_TIMEOUT;
    d.timeout = 300;
    d.pts = pts;
    d.new_messages = VECTOR(p->messages);
    d.other_updates = VECTOR(p->updates);
    d.chats = VECTOR(p->chats);
    d.users = VECTOR(p->users);
    gap_packet_t *packet = packet_of(GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d);
    clear(p);
    return packet;
}

gap_packet_t *pack_history(struct pack *p, int64_t channel)
{
    gap_tl_messages_channel_messages_t c = NONE(gap_tl_messages_channel_messages_t);
    gap_tl_messages_messages_t m = NONE(gap_tl_messages_messages_t);

    m.messages = c.messages = VECTOR(p->messages);
    m.topics = c.topics = gap_tl_array(NULL, 0);
    m.chats = c.chats = VECTOR(p->chats);
    m.users = c.users = VECTOR(p->users);
    c.count = (int32_t)p->messages.count;
    gap_packet_t *packet = channel != 0 ? packet_of(GAP_TL_MESSAGES_CHANNEL_MESSAGES, &c)
                                        : packet_of(GAP_TL_MESSAGES_MESSAGES, &m);
    clear(p);
    return packet;
}

gap_packet_t *pack_channel_empty(int32_t pts)
{
    gap_tl_updates_channel_difference_empty_t d = {GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL,
                                                   pts, 0};
    return packet_of(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &d);
}

gap_packet_t *pack_channel_too_long(struct pack *p, int64_t channel, int32_t pts)
{
    gap_tl_peer_channel_t peer = {channel};
    gap_tl_peer_notify_settings_t notify = NONE(gap_tl_peer_notify_settings_t);
    gap_tl_dialog_t dialog = NONE(gap_tl_dialog_t);
    gap_tl_updates_channel_difference_too_long_t d =
        NONE(gap_tl_updates_channel_difference_too_long_t);
    dialog.flags = GAP_TL_DIALOG_F_PTS;
    dialog.peer = gap_tl_of(GAP_TL_PEER_CHANNEL, &peer);
    dialog.notify_settings = gap_tl_of(GAP_TL_PEER_NOTIFY_SETTINGS, &notify);
    dialog.pts = pts;
    dialog.top_message = p->top;
    d.flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG_F_FINAL;
    d.dialog = gap_tl_of(GAP_TL_DIALOG, &dialog);
    d.messages = VECTOR(p->messages);
    d.chats = VECTOR(p->chats);
    d.users = VECTOR(p->users);
    gap_packet_t *packet = packet_of(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &d);
    clear(p);
    return packet;
}

gap_packet_t *pack_channel_full(int64_t channel, int32_t pts)
{
    gap_tl_channel_full_t full = NONE(gap_tl_channel_full_t);
    gap_tl_photo_empty_t photo = NONE(gap_tl_photo_empty_t);
    gap_tl_peer_notify_settings_t notify = NONE(gap_tl_peer_notify_settings_t);
    gap_tl_messages_chat_full_t chat = NONE(gap_tl_messages_chat_full_t);
    full.id = channel;
    full.pts = pts;
    full.chat_photo = gap_tl_of(GAP_TL_PHOTO_EMPTY, &photo);
    full.notify_settings = gap_tl_of(GAP_TL_PEER_NOTIFY_SETTINGS, &notify);
    chat.full_chat = gap_tl_of(GAP_TL_CHANNEL_FULL, &full);
    return packet_of(GAP_TL_MESSAGES_CHAT_FULL, &chat);
}

gap_packet_t *pack_affected(int32_t pts, int32_t count)
{
    gap_tl_messages_affected_messages_t a = {pts, count};
    return packet_of(GAP_TL_MESSAGES_AFFECTED_MESSAGES, &a);
}

static const uint8_t unknown[] = {0xd0, 0x0b, 0xad, 0x0b, 7, 0, 0, 0};

gap_packet_t *pack_garbage(void)
{
    gap_packet_t *packet;
    ck_assert_int_eq(
        gap_packet_copy(gap_alloc_default(), gap_bytes(unknown, sizeof unknown), &packet), 0);
    return packet;
}

#define ADD_UNKNOWN(list)                                                                          \
    do {                                                                                           \
        uint8_t *at_ = room(&(list).data, &(list).cap, (list).len + sizeof unknown);               \
        memcpy(at_ + (list).len, unknown, sizeof unknown);                                         \
        (list).len += sizeof unknown;                                                              \
        (list).count++;                                                                            \
    } while (0)

void pack_unknown(struct pack *p)
{
    ADD_UNKNOWN(p->updates);
}

void pack_unknown_user(struct pack *p)
{
    ADD_UNKNOWN(p->users);
}

/* ---- queries ---- */

gap_packet_t *pack_send_message(int64_t user, int64_t random_id)
{
    gap_tl_input_peer_user_t peer = {user, pack_hash(user)};
    gap_tl_messages_send_message_t q = NONE(gap_tl_messages_send_message_t);
    q.peer = gap_tl_of(GAP_TL_INPUT_PEER_USER, &peer);
    q.message = gap_str("mine");
    q.random_id = random_id;
    return packet_of(GAP_TL_MESSAGES_SEND_MESSAGE, &q);
}

gap_packet_t *pack_channel_delete(int64_t channel)
{
    gap_tl_input_channel_t input = {channel, pack_hash(channel)};
    int32_t id = 1;
    gap_tl_channels_delete_messages_t q = {gap_tl_of(GAP_TL_INPUT_CHANNEL, &input),
                                           gap_tl_array(&id, 1)};
    return packet_of(GAP_TL_CHANNELS_DELETE_MESSAGES, &q);
}

/* ---- anything else ---- */

gap_packet_t *pack_object(uint32_t id, const void *value)
{
    return packet_of(id, value);
}

void pack_update(struct pack *p, uint32_t id, const void *value)
{
    ADD(p->updates, id, value);
}
