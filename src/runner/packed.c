/*
 * runner/packed.c - see packed.h. Pure.
 */
#include "runner/packed.h"

#include "crypto/keyed.h"
#include "sequence/walk.h"

#define MAGIC_0 'G'
#define MAGIC_1 'U'
/* Item flags that a handler's update may have. */
#define FLAGS_KNOWN                                                                                \
    (GAP_ITEM_EARLY | GAP_ITEM_AT_ONCE | GAP_ITEM_REFETCH | GAP_ITEM_NO_COUNT |                    \
     GAP_ITEM_HAS_MESSAGE | GAP_ITEM_QUERY | GAP_ITEM_MESSAGE | GAP_ITEM_ENCRYPTED |               \
     GAP_ITEM_TYPING)

/* Where things lie. */
enum place {
    AT_VERSION = 2,
    AT_LAYER = 4,
    AT_ID = 8,
    AT_PTS = 12,
    AT_PTS_COUNT = 16,
    AT_FLAGS = 20,
    AT_BOX = 22,
    AT_VIA = 23,
    AT_CHANNEL = 24,
    AT_UPDATE_LEN = 32,
    AT_USERS_LEN = 36,
    AT_USERS_COUNT = 40,
    AT_CHATS_LEN = 44,
    AT_CHATS_COUNT = 48,
    AT_BEFORE = 52,
    AT_BYTES = GAP_PACKED_HEAD_BYTES,
};

static uint32_t check_sum(const uint8_t *data, size_t len)
{
    static const uint8_t key[16] = {0};
    uint8_t hash[GAP_SIPHASH_BYTES];
    gap_siphash_t h;

    gap_siphash_begin(&h, key);
    gap_siphash_update(&h, data, len);
    gap_siphash_end(&h, hash);
    return gap_load32(hash);
}

/* ---- who comes along ---- */

/* Users or chats of an update: what is kept of them. */
struct company {
    const uint8_t *data;
    uint32_t len;
    uint32_t count;
};

/* Every id that an update names stands in its bytes, at a multiple of four. */
static bool names(const gap_update_t *u, int64_t id)
{
    for (size_t at = 0; at + 8 <= u->bytes.len; at += 4) {
        if ((int64_t)gap_load64(u->bytes.data + at) == id) return true;
    }
    return u->channel_id == id;
}

/* A difference brings everybody for all of its updates at once: of many only those that this one
 * names are kept. @param out Where they go; NULL: only look. @return what is kept; out->data is not
 * set. */
static struct company keep_company(const gap_update_t *u, const struct company *all, uint8_t *out)
{
    struct company kept = {NULL, 0, 0};
    const uint8_t *at = all->data;

    if (u->users_len + (uint64_t)u->chats_len <= GAP_PACKED_COMPANY_BYTES) {
        if (out != NULL && all->len > 0) memcpy(out, all->data, all->len);
        return (struct company){NULL, all->len, all->count};
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const uint8_t *start = at;
        if (gap_tl_pass(&at, all->data + all->len, 0, 1) < 0) break; /* the engine has passed it */
        uint32_t len = (uint32_t)(at - start);
        if (!names(u, gap_peer_of(gap_bytes(start, len)).id)) continue;
        if (out != NULL) memcpy(out + kept.len, start, len);
        kept.len += len;
        kept.count++;
    }
    return kept;
}

static struct company users_of(const gap_update_t *u)
{
    return (struct company){u->users, u->users_len, u->users_count};
}

static struct company chats_of(const gap_update_t *u)
{
    return (struct company){u->chats, u->chats_len, u->chats_count};
}

/* ---- writing ---- */

size_t gap_packed_size(const gap_update_t *u)
{
    const struct company users = users_of(u);
    const struct company chats = chats_of(u);
    uint64_t size = (uint64_t)GAP_PACKED_HEAD_BYTES + GAP_PACKED_TAIL_BYTES + u->bytes.len;

    if (size > GAP_PACKED_MAX_BYTES) return 0;
    size += keep_company(u, &users, NULL).len;
    size += keep_company(u, &chats, NULL).len;
    return size <= GAP_PACKED_MAX_BYTES ? (size_t)size : 0;
}

void gap_packed_write(const gap_update_t *u, int32_t before, uint8_t *out)
{
    const struct company all_users = users_of(u);
    const struct company all_chats = chats_of(u);
    uint8_t *to = out + AT_BYTES;

    memset(out, 0, AT_BYTES);
    out[0] = MAGIC_0;
    out[1] = MAGIC_1;
    out[AT_VERSION] = GAP_PACKED_VERSION;
    gap_store32(out + AT_LAYER, GAP_TL_LAYER);
    gap_store32(out + AT_ID, u->id);
    gap_store32(out + AT_PTS, (uint32_t)u->pts);
    gap_store32(out + AT_PTS_COUNT, (uint32_t)u->pts_count);
    out[AT_FLAGS] = (uint8_t)u->flags;
    out[AT_FLAGS + 1] = (uint8_t)(u->flags >> 8);
    out[AT_BOX] = u->box;
    out[AT_VIA] = u->via;
    gap_store64(out + AT_CHANNEL, (uint64_t)u->channel_id);
    gap_store32(out + AT_UPDATE_LEN, (uint32_t)u->bytes.len);
    memcpy(to, u->bytes.data, u->bytes.len);
    to += u->bytes.len;
    struct company users = keep_company(u, &all_users, to);
    to += users.len;
    struct company chats = keep_company(u, &all_chats, to);
    to += chats.len;
    gap_store32(out + AT_USERS_LEN, users.len);
    gap_store32(out + AT_USERS_COUNT, users.count);
    gap_store32(out + AT_CHATS_LEN, chats.len);
    gap_store32(out + AT_CHATS_COUNT, chats.count);
    gap_store32(out + AT_BEFORE, (uint32_t)before);
    gap_store32(to, check_sum(out, (size_t)(to - out)));
}

/* ---- reading ---- */

static bool is_whole(gap_bytes_t row)
{
    if (row.len < GAP_PACKED_HEAD_BYTES + GAP_PACKED_TAIL_BYTES || row.len > GAP_PACKED_MAX_BYTES)
        return false;
    size_t len = row.len - GAP_PACKED_TAIL_BYTES;
    return gap_load32(row.data + len) == check_sum(row.data, len);
}

static bool lengths_fit(gap_bytes_t row, const gap_update_t *u)
{
    uint64_t sum = (uint64_t)GAP_PACKED_HEAD_BYTES + GAP_PACKED_TAIL_BYTES + u->bytes.len +
                   u->users_len + u->chats_len;

    return sum == row.len && u->bytes.len >= 4 && u->bytes.len % 4 == 0;
}

/* Users or chats: so many objects, and nothing else. */
static bool holds_peers(const uint8_t *data, uint32_t len, uint32_t count, bool users)
{
    const uint8_t *at = data;

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *start = at;
        if (gap_tl_pass(&at, data + len, 0, 1) < 0) return false;
        gap_peer_t peer = gap_peer_of(gap_bytes(start, (size_t)(at - start)));
        if (peer.kind == GAP_PEER_NONE || (peer.kind == GAP_PEER_USER) != users) return false;
    }
    return at == data + len;
}

/* A message of a difference stands for the update that would have brought it. */
static bool is_message(const gap_update_t *u)
{
    uint32_t id = gap_load32(u->bytes.data);
    bool channel = u->box == GAP_BOX_CHANNEL;

    if (id != GAP_TL_MESSAGE && id != GAP_TL_MESSAGE_SERVICE) return false;
    if (channel)
        return u->id == GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE ||
               u->id == GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE;
    return u->box == GAP_BOX_COMMON &&
           (u->id == GAP_TL_UPDATE_NEW_MESSAGE || u->id == GAP_TL_UPDATE_EDIT_MESSAGE);
}

static bool is_secret(const gap_update_t *u)
{
    uint32_t id = gap_load32(u->bytes.data);

    return u->id == GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE && u->box == GAP_BOX_QTS &&
           (id == GAP_TL_ENCRYPTED_MESSAGE || id == GAP_TL_ENCRYPTED_MESSAGE_SERVICE);
}

static bool is_bare(const gap_update_t *u)
{
    const uint8_t *at = u->bytes.data;
    bool secret = (u->flags & GAP_ITEM_ENCRYPTED) != 0;

    if (secret ? !is_secret(u) : !is_message(u)) return false;
    return gap_tl_pass(&at, u->bytes.data + u->bytes.len, 0, 1) == 0 &&
           at == u->bytes.data + u->bytes.len;
}

/* The update must be what the engine would have found in its bytes. */
static bool is_update(const gap_update_t *u)
{
    struct gap_item item;

    if ((u->flags & (GAP_ITEM_MESSAGE | GAP_ITEM_ENCRYPTED)) != 0) return is_bare(u);
    if (gap_item_read(u->bytes, &item) < 0 || item.bytes.len != u->bytes.len) return false;
    bool channel = item.box == GAP_BOX_CHANNEL;
    return item.id == u->id && item.box == u->box && item.flags == u->flags &&
           (channel ? item.channel_id : 0) == u->channel_id;
}

static bool head_is_sane(const gap_update_t *u)
{
    if (u->box > GAP_BOX_CHANNEL || (u->flags & ~FLAGS_KNOWN) != 0) return false;
    return u->box == GAP_BOX_CHANNEL ? u->channel_id > 0 : u->channel_id == 0;
}

int32_t gap_packed_before(gap_bytes_t row)
{
    return (int32_t)gap_load32(row.data + AT_BEFORE);
}

enum gap_packed_fault gap_packed_read(gap_bytes_t row, gap_update_t *out)
{
    gap_update_t u;

    if (row.len < 4 || row.data[0] != MAGIC_0 || row.data[1] != MAGIC_1) return GAP_PACKED_DAMAGED;
    if (row.data[AT_VERSION] > GAP_PACKED_VERSION) return GAP_PACKED_NEWER;
    if (!is_whole(row)) return GAP_PACKED_DAMAGED;
    memset(&u, 0, sizeof u);
    u.bytes = gap_bytes(row.data + AT_BYTES, gap_load32(row.data + AT_UPDATE_LEN));
    u.users_len = gap_load32(row.data + AT_USERS_LEN);
    u.chats_len = gap_load32(row.data + AT_CHATS_LEN);
    if (row.data[AT_VERSION] == 0 || !lengths_fit(row, &u)) return GAP_PACKED_DAMAGED;
    const uint8_t *users = u.bytes.data + u.bytes.len;
    u.users = u.users_len > 0 ? users : NULL;
    u.chats = u.chats_len > 0 ? users + u.users_len : NULL;
    u.users_count = gap_load32(row.data + AT_USERS_COUNT);
    u.chats_count = gap_load32(row.data + AT_CHATS_COUNT);
    u.id = gap_load32(row.data + AT_ID);
    u.pts = (int32_t)gap_load32(row.data + AT_PTS);
    u.pts_count = (int32_t)gap_load32(row.data + AT_PTS_COUNT);
    u.flags = (uint16_t)(row.data[AT_FLAGS] | row.data[AT_FLAGS + 1] << 8);
    u.box = row.data[AT_BOX];
    u.via = GAP_VIA_JOURNAL;
    u.channel_id = (int64_t)gap_load64(row.data + AT_CHANNEL);
    u.maybe_repeated = true;
    if (!head_is_sane(&u) || !is_update(&u) ||
        !holds_peers(users, u.users_len, u.users_count, true) ||
        !holds_peers(users + u.users_len, u.chats_len, u.chats_count, false))
        return gap_load32(row.data + AT_LAYER) == GAP_TL_LAYER ? GAP_PACKED_DAMAGED
                                                               : GAP_PACKED_LAYER;
    *out = u;
    return GAP_PACKED_GOOD;
}

const char *gap_packed_reason(enum gap_packed_fault fault)
{
    switch (fault) {
    case GAP_PACKED_DAMAGED:
        return "the row can't be read: its bytes are not what was written";
    case GAP_PACKED_NEWER:
        return "a newer version of the library wrote the row: open the storage with that one";
    case GAP_PACKED_LAYER:
        return "the row is of another layer of Telegram's API, and can't be read in this one";
    case GAP_PACKED_GOOD:
        break;
    }
    return "";
}
