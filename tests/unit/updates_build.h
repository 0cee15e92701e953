/* tests/unit/updates_build.h - small Updates objects for tests, serialised by gap_tl_write. */
#ifndef GAP_TESTS_UPDATES_BUILD_H
#define GAP_TESTS_UPDATES_BUILD_H

#include "base/bytes.h"

#include <check.h>
#include <gapless/tl_api.h>
#include <stdlib.h>

/* Serialise; the caller frees data. */
static inline gap_bytes_t build(gap_tl_object_t object)
{
    int64_t size = gap_tl_size(object);
    ck_assert_msg(size > 0, "size of %s: %s", gap_tl_name(object.id), gap_strerror((int)size));
    uint8_t *data = malloc((size_t)size);
    ck_assert_int_eq(gap_tl_write(object, data, (size_t)size), size);
    return gap_bytes(data, (size_t)size);
}

static inline void build_free(gap_bytes_t bytes)
{
    union {
        const uint8_t *in;
        void *out;
    } pointer = {bytes.data};
    free(pointer.out);
}

static inline gap_tl_object_t as_object(gap_bytes_t bytes)
{
    gap_tl_object_t o = {bytes.data, bytes.len, NULL, gap_load32(bytes.data)};
    return o;
}

/* A message; every nested object is serialised, so that the result stands on its own. */
static inline gap_bytes_t build_message(gap_peer_t chat, int64_t from, int32_t id, const char *text)
{
    int64_t chat_id = chat.id;
    gap_tl_peer_user_t user = {from};
    uint32_t kind = chat.kind == GAP_PEER_USER   ? GAP_TL_PEER_USER
                    : chat.kind == GAP_PEER_CHAT ? GAP_TL_PEER_CHAT
                                                 : GAP_TL_PEER_CHANNEL;
    gap_tl_message_t m = {
        .flags = from != 0 ? GAP_TL_MESSAGE_F_FROM_ID : 0,
        .id = id,
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &user),
        .peer_id = GAP_TL_OF(kind, &chat_id),
        .date = 1700000000 + id,
        .message = gap_str(text),
    };
    return build(GAP_TL_OF(GAP_TL_MESSAGE, &m));
}

static inline gap_bytes_t build_new_message(gap_peer_t chat, int64_t from, int32_t id,
                                            const char *text, int32_t pts)
{
    gap_bytes_t message = build_message(chat, from, id, text);
    gap_tl_update_new_message_t u = {as_object(message), pts, 1};
    bool channel = chat.kind == GAP_PEER_CHANNEL;
    gap_bytes_t out = build(
        GAP_TL_OF(channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE, &u));
    build_free(message);
    return out;
}

static inline gap_bytes_t build_user(int64_t id, int64_t hash, uint32_t flags, const char *phone)
{
    gap_tl_user_t u = {
        .flags = flags | GAP_TL_USER_F_FIRST_NAME,
        .id = id,
        .access_hash = hash,
        .first_name = gap_str("Ada"),
    };
    if (hash != 0) u.flags |= GAP_TL_USER_F_ACCESS_HASH;
    if (phone != NULL) {
        u.flags |= GAP_TL_USER_F_PHONE;
        u.phone = gap_str(phone);
    }
    return build(GAP_TL_OF(GAP_TL_USER, &u));
}

static inline gap_bytes_t build_channel(int64_t id, int64_t hash, uint32_t flags)
{
    gap_tl_chat_photo_empty_t photo = {0};
    gap_tl_channel_t c = {
        .flags = flags | GAP_TL_CHANNEL_F_BROADCAST,
        .id = id,
        .access_hash = hash,
        .title = gap_str("News"),
        .photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, &photo),
        .date = 1600000000,
    };
    if (hash != 0) c.flags |= GAP_TL_CHANNEL_F_ACCESS_HASH;
    return build(GAP_TL_OF(GAP_TL_CHANNEL, &c));
}

static inline gap_bytes_t build_chat(int64_t id)
{
    gap_tl_chat_photo_empty_t photo = {0};
    gap_tl_chat_t c = {
        .id = id,
        .title = gap_str("Club"),
        .photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, &photo),
        .participants_count = 3,
        .date = 1600000000,
        .version = 1,
    };
    return build(GAP_TL_OF(GAP_TL_CHAT, &c));
}

/* `updates` around serialised parts. */
static inline gap_bytes_t build_updates(const gap_bytes_t *parts, uint32_t count, gap_bytes_t user,
                                        gap_bytes_t chat, int32_t seq)
{
    gap_tl_object_t items[32];
    gap_tl_object_t users[1];
    gap_tl_object_t chats[1];

    ck_assert_uint_le(count, 32);
    for (uint32_t i = 0; i < count; i++) items[i] = as_object(parts[i]);
    if (user.len > 0) users[0] = as_object(user);
    if (chat.len > 0) chats[0] = as_object(chat);
    gap_tl_updates_t u = {
        .updates = gap_tl_array(items, count),
        .users = gap_tl_array(users, user.len > 0 ? 1 : 0),
        .chats = gap_tl_array(chats, chat.len > 0 ? 1 : 0),
        .date = 1700000999,
        .seq = seq,
    };
    return build(GAP_TL_OF(GAP_TL_UPDATES, &u));
}

#endif
