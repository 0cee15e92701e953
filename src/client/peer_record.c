/*
 * client/peer_record.c - users and chats as records.
 *
 * What matters stands at the head of a user or channel: flags, id, access hash, names, phone. So a
 * short walk does; only who has several usernames is read to the end. Owns nothing.
 */
#include "client/peer_record.h"

#include "base/map.h"
#include "sequence/walk.h"

#include <gapless/tl_api.h>

#define ID_MAX ((int64_t)1 << 53)

/* ---- one object ---- */

int client_take_names(gap_tl_vector_t usernames, gap_bytes_t names[CLIENT_NAMES_MAX], size_t count)
{
    gap_tl_iter_t it = gap_tl_iter(usernames);
    gap_tl_object_t object;
    gap_tl_username_t name;
    int r;

    while ((r = gap_tl_next(&it, &object)) > 0) {
        int64_t used = GAP_TL_READ(object, GAP_TL_USERNAME, &name);
        if (used < 0) return (int)used;
        if ((name.flags & GAP_TL_USERNAME_F_ACTIVE) == 0 || name.username.len == 0) continue;
        if (count == CLIENT_NAMES_MAX) break;
        if (count > 0 && gap_bytes_equal(names[0], name.username)) continue;
        names[count++] = name.username;
    }
    return r < 0 ? r : (int)count;
}

static void take_name(struct client_seen *s, gap_bytes_t name)
{
    if (name.len > 0) s->names[s->record.username_count++] = name;
}

static int take_more_names(struct client_seen *s, gap_tl_vector_t usernames)
{
    int r = client_take_names(usernames, s->names, s->record.username_count);

    if (r < 0) return r;
    s->record.username_count = (size_t)r;
    return 0;
}

static int see_user(struct client_seen *s, struct gap_walk *w)
{
    const uint8_t *start = w->at - 4;
    uint32_t flags = gap_walk_u32(w);
    uint32_t flags2 = gap_walk_u32(w);
    gap_peer_record_t *r = &s->record;

    r->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_USER};
    r->has_hash = (flags & GAP_TL_USER_F_ACCESS_HASH) != 0;
    if (r->has_hash) r->access_hash = gap_walk_i64(w);
    if ((flags & GAP_TL_USER_F_FIRST_NAME) != 0) (void)gap_walk_bytes(w);
    if ((flags & GAP_TL_USER_F_LAST_NAME) != 0) (void)gap_walk_bytes(w);
    if ((flags & GAP_TL_USER_F_USERNAME) != 0) take_name(s, gap_walk_bytes(w));
    if ((flags & GAP_TL_USER_F_PHONE) != 0) r->phone = gap_walk_bytes(w);
    r->has_names = true;
    /* The hash of a partial user is a real one if it comes with an empty phone number. */
    bool empty_phone = (flags & GAP_TL_USER_F_PHONE) != 0 && r->phone.len == 0;
    s->partial = (flags & GAP_TL_USER_F_MIN) != 0;
    r->min = s->partial && !empty_phone;
    if (w->error < 0 || (flags2 & GAP_TL_USER_F2_USERNAMES) == 0) return w->error;
    gap_tl_user_t user;
    int64_t used =
        gap_tl_read(gap_bytes(start, (size_t)(w->end - start)), GAP_TL_USER, &user, sizeof user);
    return used < 0 ? (int)used : take_more_names(s, user.usernames);
}

static int see_channel(struct client_seen *s, struct gap_walk *w)
{
    const uint8_t *start = w->at - 4;
    uint32_t flags = gap_walk_u32(w);
    uint32_t flags2 = gap_walk_u32(w);
    gap_peer_record_t *r = &s->record;

    r->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHANNEL};
    r->has_hash = (flags & GAP_TL_CHANNEL_F_ACCESS_HASH) != 0;
    if (r->has_hash) r->access_hash = gap_walk_i64(w);
    (void)gap_walk_bytes(w); /* title */
    if ((flags & GAP_TL_CHANNEL_F_USERNAME) != 0) take_name(s, gap_walk_bytes(w));
    r->has_names = true;
    r->min = s->partial = (flags & GAP_TL_CHANNEL_F_MIN) != 0;
    if (w->error < 0 || (flags2 & GAP_TL_CHANNEL_F2_USERNAMES) == 0) return w->error;
    gap_tl_channel_t channel;
    int64_t used = gap_tl_read(gap_bytes(start, (size_t)(w->end - start)), GAP_TL_CHANNEL, &channel,
                               sizeof channel);
    return used < 0 ? (int)used : take_more_names(s, channel.usernames);
}

static int see(struct client_seen *s, struct gap_walk *w)
{
    gap_peer_record_t *r = &s->record;

    memset(r, 0, sizeof *r);
    r->usernames = s->names;
    s->forbidden = s->partial = false;
    switch (gap_walk_u32(w)) {
    case GAP_TL_USER:
        return see_user(s, w);
    case GAP_TL_CHANNEL:
        return see_channel(s, w);
    case GAP_TL_CHAT:
        gap_walk_skip(w, 4); /* flags */
        r->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHAT};
        return w->error;
    case GAP_TL_CHAT_FORBIDDEN:
        r->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHAT};
        s->forbidden = true;
        return w->error;
    case GAP_TL_CHANNEL_FORBIDDEN:
        gap_walk_skip(w, 4); /* flags */
        r->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHANNEL};
        r->access_hash = gap_walk_i64(w);
        r->has_hash = true;
        s->forbidden = true;
        return w->error;
    case GAP_TL_USER_EMPTY:
    case GAP_TL_CHAT_EMPTY:
        return 0;
    default:
        return w->error < 0 ? w->error : GAP_E_TL;
    }
}

int client_seen_next(struct client_seen_walk *walk, struct client_seen *out)
{
    const gap_tl_vector_t *v = &walk->vector;

    while (walk->index < v->count) {
        struct gap_walk w = gap_walk(gap_bytes(v->data, v->len), walk->at);
        int r = see(out, &w);
        if (r < 0) return r;
        /* Where the next one begins is of interest only if there is a next one. */
        if (++walk->index < v->count) {
            const uint8_t *at = v->data + walk->at;
            r = gap_tl_pass(&at, v->data + v->len, 0, 1);
            if (r < 0) return r;
            walk->at = (size_t)(at - v->data);
        }
        if (out->record.peer.id > 0 && out->record.peer.id <= ID_MAX) return 1;
    }
    return 0;
}

/* ---- fingerprints ---- */

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15U;
    return h ^ h >> 32;
}

/* @param ones  Bits set in every word first. */
static uint64_t mix_bytes(uint64_t h, gap_bytes_t b, uint64_t ones)
{
    size_t i = 0;

    h = mix(h, b.len + 1);
    for (; i + 8 <= b.len; i += 8) h = mix(h, gap_load64(b.data + i) | ones);
    if (i == b.len) return h;
    uint64_t rest = 0;
    memcpy(&rest, b.data + i, b.len - i);
    return mix(h, rest | ones);
}

uint64_t client_fingerprint(const gap_peer_record_t *r)
{
    uint64_t h = mix((uint64_t)r->peer.kind + 1, (uint64_t)r->peer.id);

    h = mix(h, (uint64_t)r->access_hash);
    h = mix(h, (r->has_hash ? 1U : 0U) | (r->min ? 2U : 0U) | (r->has_names ? 4U : 0U));
    h = mix_bytes(h, r->phone, 0);
    for (size_t i = 0; i < r->username_count; i++) h = mix_bytes(h, r->usernames[i], 0);
    h = gap_hash64(h);
    return h == 0 ? 1 : h;
}

uint64_t client_name_hash(gap_bytes_t name)
{
    /* Of what usernames and phones may hold only letters differ by this bit. */
    return gap_hash64(mix_bytes(0, name, UINT64_C(0x2020202020202020)));
}

/* ---- answers ---- */

/* Structs of answers are smaller by far; one that is not names nobody. */
#define ANSWER_BYTES 2048

static gap_tl_vector_t *place(struct client_answer *a, uint16_t type)
{
    if (type == gap_tl_slot(GAP_TL_USER)->type) return &a->users;
    if (type == gap_tl_slot(GAP_TL_CHAT)->type) return &a->chats;
    if (type == gap_tl_slot(GAP_TL_MESSAGE)->type) return &a->messages;
    return NULL;
}

/* The answer is a vector itself: its first element tells of what. */
static int open_vector(gap_bytes_t value, struct client_answer *out)
{
    struct gap_walk w = gap_walk(value, 0);
    uint32_t count = gap_walk_vector(&w);
    const uint8_t *start = w.at;

    if (w.error < 0 || count == 0) return w.error;
    const gap_tl_slot_t *slot = gap_tl_slot(gap_load32(w.at));
    gap_tl_vector_t *v = slot == NULL ? NULL : place(out, slot->type);
    if (v == NULL) return 0;
    for (uint32_t i = 0; i < count; i++) {
        int r = gap_tl_pass(&w.at, w.end, slot->type, 1);
        if (r < 0) return r;
    }
    *v = (gap_tl_vector_t){start, (size_t)(w.at - start), NULL, count};
    return 0;
}

static void take_field(const gap_tl_field_t *field, const uint8_t *values,
                       struct client_answer *out)
{
    bool vector = field->kind == GAP_TL_K_VECTOR && field->elem == GAP_TL_K_OBJECT;
    gap_tl_vector_t found;
    gap_tl_object_t object;

    if (!vector && field->kind != GAP_TL_K_OBJECT) return;
    gap_tl_vector_t *v = place(out, field->target);
    if (v == NULL) return;
    if (vector) {
        memcpy(&found, values + field->offset, sizeof found);
    } else {
        memcpy(&object, values + field->offset, sizeof object);
        found = (gap_tl_vector_t){object.data, object.len, NULL, object.data == NULL ? 0 : 1};
    }
    if (found.count > v->count) *v = found;
}

int client_answer_open(gap_bytes_t value, struct client_answer *out)
{
    _Alignas(max_align_t) uint8_t values[ANSWER_BYTES];

    memset(out, 0, sizeof *out);
    if (value.len < 4) return GAP_E_TL;
    uint32_t id = gap_load32(value.data);
    if (id == GAP_TL_VECTOR) return open_vector(value, out);
    int index = gap_tl_find(id);
    if (index < 0) return GAP_E_TL_ID;
    const gap_tl_info_t *info = &gap_tl_infos[index];
    if (info->is_method || info->size > sizeof values) return 0;
    int64_t used = gap_tl_read(value, id, values, info->size);
    if (used < 0) return (int)used;
    for (unsigned i = 0; i < info->count; i++)
        take_field(&gap_tl_fields[info->first + i], values, out);
    return 0;
}
