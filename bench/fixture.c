/*
 * bench/fixture.c - builds Updates objects the way a server does: complete users and chats with
 * access hashes, seq 0.
 */
#include "bench/fixture.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "bench/bench.h"

#include <gapless/tl_api.h>

#include <string.h>

#define DATE 1800000000

static const char filler[] =
    "the quick brown fox jumps over the lazy dog while five boxing wizards jump quickly and a "
    "large fawn jumped quickly over white zinc boxes; pack my box with five dozen liquor jugs, how "
    "vexingly quick daft zebras jump, sphinx of black quartz judge my vow once more";

static void append(gap_buf_t *out, gap_tl_object_t object)
{
    int64_t size = gap_tl_size(object);

    bench_must(size < 0 ? (int)size : 0, "size of a fixture");
    bench_must(gap_buf_reserve(out, (size_t)size), "room for a fixture");
    int64_t used = gap_tl_write(object, out->data + out->len, (size_t)size);
    bench_must(used < 0 ? (int)used : 0, "writing a fixture");
    out->len += (size_t)used;
}

static gap_tl_user_t user_of(int64_t id)
{
    gap_tl_user_t u;

    memset(&u, 0, sizeof u);
    u.flags = GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_FIRST_NAME | GAP_TL_USER_F_USERNAME;
    u.id = id;
    u.access_hash = id * 7919;
    u.first_name = gap_str("Ada Example");
    u.username = gap_str("ada_example");
    return u;
}

static uint64_t hash_of(int64_t channel)
{
    return (uint64_t)channel * 31;
}

static gap_tl_channel_t channel_of(int64_t id, const gap_tl_chat_photo_empty_t *photo)
{
    gap_tl_channel_t c;

    memset(&c, 0, sizeof c);
    c.flags = GAP_TL_CHANNEL_F_MEGAGROUP | GAP_TL_CHANNEL_F_ACCESS_HASH;
    c.id = id;
    c.access_hash = (int64_t)hash_of(id);
    c.title = gap_str("A supergroup");
    c.photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, photo);
    c.date = DATE;
    return c;
}

void fixture_channel_updates(gap_buf_t *out, int64_t channel, int32_t pts, uint32_t count,
                             uint32_t text_len)
{
    static gap_tl_object_t updates[FIXTURE_MESSAGES_MAX];
    static gap_tl_update_new_channel_message_t news[FIXTURE_MESSAGES_MAX];
    static gap_tl_message_t messages[FIXTURE_MESSAGES_MAX];
    gap_tl_peer_channel_t peer = {channel};
    gap_tl_peer_user_t sender = {700000001};
    gap_tl_chat_photo_empty_t photo = {0};
    gap_tl_user_t user = user_of(sender.user_id);
    gap_tl_channel_t chat = channel_of(channel, &photo);
    gap_bytes_t text = gap_bytes(filler, text_len);

    GAP_ASSERT(count <= FIXTURE_MESSAGES_MAX);
    GAP_ASSERT(text_len <= sizeof filler - 1);
    memset(messages, 0, count * sizeof messages[0]);
    for (uint32_t i = 0; i < count; i++) {
        messages[i].flags = GAP_TL_MESSAGE_F_FROM_ID;
        messages[i].id = pts + (int32_t)i;
        messages[i].from_id = GAP_TL_OF(GAP_TL_PEER_USER, &sender);
        messages[i].peer_id = GAP_TL_OF(GAP_TL_PEER_CHANNEL, &peer);
        messages[i].date = DATE;
        messages[i].message = text;
        news[i].message = GAP_TL_OF(GAP_TL_MESSAGE, &messages[i]);
        news[i].pts = pts + (int32_t)i;
        news[i].pts_count = 1;
        updates[i] = GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &news[i]);
    }
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_USER, &user)};
    gap_tl_object_t chats[] = {GAP_TL_OF(GAP_TL_CHANNEL, &chat)};
    gap_tl_updates_t container = {gap_tl_array(updates, count), gap_tl_array(users, 1),
                                  gap_tl_array(chats, 1), DATE, 0};
    append(out, GAP_TL_OF(GAP_TL_UPDATES, &container));
}

/* Where two objects that differ in pts alone differ: the low byte of each place that holds it. */
static void find_pts(struct fixture_stream *s, uint32_t text_len)
{
    gap_buf_t other;
    size_t found = 0;

    gap_buf_init(&other, gap_alloc_default());
    fixture_channel_updates(&other, FIXTURE_CHANNEL, 2, 1, text_len);
    GAP_ASSERT(other.len == s->size);
    for (size_t i = 0; i < s->size; i++) {
        if (other.data[i] == s->bytes.data[i]) continue;
        GAP_ASSERT(found < GAP_ARRAY_LEN(s->pts_at));
        s->pts_at[found++] = i;
    }
    GAP_ASSERT(found == GAP_ARRAY_LEN(s->pts_at));
    gap_buf_fini(&other);
}

static void find_channel(struct fixture_stream *s)
{
    size_t found = 0;

    for (size_t i = 0; i + 8 <= s->size; i += 4) {
        if (gap_load64(s->bytes.data + i) != FIXTURE_CHANNEL) continue;
        GAP_ASSERT(found < GAP_ARRAY_LEN(s->channel_at));
        s->channel_at[found++] = i;
    }
    GAP_ASSERT(found == GAP_ARRAY_LEN(s->channel_at));
    GAP_ASSERT(gap_load64(s->bytes.data + s->channel_at[1] + 8) == hash_of(FIXTURE_CHANNEL));
}

void fixture_stream_init(struct fixture_stream *s, uint32_t count, uint32_t channels,
                         uint32_t text_len)
{
    memset(s, 0, sizeof *s);
    gap_buf_init(&s->bytes, gap_alloc_default());
    for (uint32_t i = 0; i < count; i++) {
        fixture_channel_updates(&s->bytes, FIXTURE_CHANNEL + i % channels, 1, 1, text_len);
        if (i == 0) s->size = s->bytes.len;
    }
    GAP_ASSERT(s->bytes.len == s->size * count);
    s->count = count;
    find_pts(s, text_len);
    find_channel(s);
    bench_must(gap_packet_copy(gap_alloc_default(), gap_buf_view(&s->bytes), &s->packet),
               "a packet for the fixture");
}

void fixture_stream_fini(struct fixture_stream *s)
{
    gap_packet_unref(s->packet);
    gap_buf_fini(&s->bytes);
}

const uint8_t *fixture_stream_at(const struct fixture_stream *s, uint32_t i)
{
    return s->packet->data + s->size * i;
}

void fixture_stream_set_pts(struct fixture_stream *s, uint32_t i, int32_t pts)
{
    uint8_t *object = s->packet->data + s->size * i;

    gap_store32(object + s->pts_at[0], (uint32_t)pts);
    gap_store32(object + s->pts_at[1], (uint32_t)pts);
}

void fixture_stream_set_channel(struct fixture_stream *s, uint32_t i, int64_t channel)
{
    uint8_t *object = s->packet->data + s->size * i;

    gap_store64(object + s->channel_at[0], (uint64_t)channel);
    gap_store64(object + s->channel_at[1], (uint64_t)channel);
    gap_store64(object + s->channel_at[1] + 8, hash_of(channel));
}
