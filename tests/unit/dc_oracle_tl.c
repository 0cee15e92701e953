/*
 * dc_oracle_tl.c - fields of TL objects by name, found by walking the object each time: slow and
 * plain, as everything of the oracle. And how a test ends that has found something.
 */
#include "dc_oracle.h"

#include "tl/cursor.h"

#include <stdarg.h>

unsigned oracle_seed;
int64_t oracle_account;

void oracle_stop(const char *format, ...)
{
    char why[1000];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    ck_abort_msg("seed %u, account %lld: %s", oracle_seed, (long long)oracle_account, why);
    abort();
}

static bool field(gap_tl_object_t o, const char *name, gap_tl_cursor_t *c)
{
    int number = gap_tl_field_number(o.id, name);

    if (number < 0) return false;
    oracle_check(gap_tl_cursor_open(c, gap_tl_bytes(o)) == 0);
    int r = gap_tl_cursor_to(c, number);
    oracle_check(r >= 0);
    return r == 1;
}

bool oracle_has(gap_tl_object_t o, const char *name)
{
    gap_tl_cursor_t c;
    return field(o, name, &c);
}

int32_t oracle_int(gap_tl_object_t o, const char *name)
{
    gap_tl_cursor_t c;
    int32_t v = 0;

    if (field(o, name, &c)) oracle_check(gap_tl_cursor_int(&c, &v) == 0);
    return v;
}

int64_t oracle_long(gap_tl_object_t o, const char *name)
{
    gap_tl_cursor_t c;
    int64_t v = 0;

    if (field(o, name, &c)) oracle_check(gap_tl_cursor_long(&c, &v) == 0);
    return v;
}

gap_bytes_t oracle_bytes(gap_tl_object_t o, const char *name)
{
    gap_tl_cursor_t c;
    gap_bytes_t v = {NULL, 0};

    if (field(o, name, &c)) oracle_check(gap_tl_cursor_bytes(&c, &v) == 0);
    return v;
}

gap_tl_object_t oracle_object(gap_tl_object_t o, const char *name)
{
    gap_tl_cursor_t c;
    gap_tl_object_t v = {NULL, 0, NULL, 0};

    if (field(o, name, &c))
        oracle_check(gap_tl_object(gap_bytes(c.at, (size_t)(c.end - c.at)), &v) == 0);
    return v;
}

/* Behind id and count of a vector. */
static uint32_t vector(gap_tl_object_t o, const char *name, gap_bytes_t *out)
{
    gap_tl_cursor_t c;

    if (!field(o, name, &c)) return 0;
    oracle_check(gap_load32(c.at) == GAP_TL_VECTOR);
    *out = gap_bytes(c.at + 8, (size_t)(c.end - c.at) - 8);
    uint32_t count = gap_load32(c.at + 4);
    oracle_check(count <= ORACLE_LIST_MAX);
    return count;
}

size_t oracle_objects(gap_tl_object_t o, const char *name, gap_tl_object_t *out)
{
    gap_bytes_t in = {NULL, 0};
    uint32_t count = vector(o, name, &in);

    for (uint32_t i = 0; i < count; i++) {
        oracle_check(gap_tl_object(in, &out[i]) == 0);
        in = gap_bytes(in.data + out[i].len, in.len - out[i].len);
    }
    return count;
}

size_t oracle_ints(gap_tl_object_t o, const char *name, int32_t *out)
{
    gap_bytes_t in = {NULL, 0};
    uint32_t count = vector(o, name, &in);

    for (uint32_t i = 0; i < count; i++) out[i] = (int32_t)gap_load32(in.data + (size_t)4 * i);
    return count;
}

gap_tl_object_t oracle_whole(gap_bytes_t bytes)
{
    gap_tl_object_t o;

    oracle_check(gap_tl_skip(bytes) == (int64_t)bytes.len);
    oracle_check(gap_tl_object(bytes, &o) == 0);
    return o;
}

dc_peer_t oracle_peer(gap_tl_object_t peer)
{
    dc_peer_t none = {DC_NOBODY, 0};

    if (peer.id == GAP_TL_PEER_USER) return (dc_peer_t){DC_USER, oracle_long(peer, "user_id")};
    if (peer.id == GAP_TL_PEER_CHAT) return (dc_peer_t){DC_CHAT, oracle_long(peer, "chat_id")};
    if (peer.id == GAP_TL_PEER_CHANNEL)
        return (dc_peer_t){DC_CHANNEL, oracle_long(peer, "channel_id")};
    return none;
}

bool oracle_same(dc_peer_t a, dc_peer_t b)
{
    return a.type == b.type && a.id == b.id;
}

uint8_t *oracle_write(gap_tl_object_t o, size_t *len)
{
    int64_t size = gap_tl_size(o);

    oracle_check(size > 0);
    uint8_t *data = malloc((size_t)size);
    oracle_check(gap_tl_write(o, data, (size_t)size) == size);
    *len = (size_t)size;
    return data;
}

struct oracle_place oracle_place(gap_tl_object_t u)
{
    struct oracle_place p = {DC_BOX_NONE, 0, oracle_int(u, "pts"), oracle_int(u, "pts_count")};

    switch (u.id) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_DELETE_MESSAGES:
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
    case GAP_TL_UPDATE_READ_MESSAGES_CONTENTS:
    case GAP_TL_UPDATE_WEB_PAGE:
    case GAP_TL_UPDATE_FOLDER_PEERS:
    case GAP_TL_UPDATE_PINNED_MESSAGES:
        p.box = DC_BOX_COMMON;
        return p;
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        p.box = DC_BOX_CHANNEL;
        p.channel = oracle_peer(oracle_object(oracle_object(u, "message"), "peer_id")).id;
        return p;
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
    case GAP_TL_UPDATE_READ_CHANNEL_INBOX:
    case GAP_TL_UPDATE_CHANNEL_WEB_PAGE:
    case GAP_TL_UPDATE_CHANNEL_TOO_LONG:
        p.box = DC_BOX_CHANNEL;
        p.channel = oracle_long(u, "channel_id");
        return p;
    default:
        if (!oracle_has(u, "qts")) return p;
        p.box = DC_BOX_QTS;
        p.pts = oracle_int(u, "qts");
        p.count = 1;
        return p;
    }
}
