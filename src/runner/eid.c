/*
 * runner/eid.c - see eid.h. Pure: reads the bytes of an update, hashes what names it.
 *
 * Pieces of content are hashed with a mark and their length, so that no two different contents are
 * the same bytes. Whatever the server makes anew for each answer (file references, access hashes)
 * stays out, or an update that comes again would seem to be another one.
 */
#include "runner/eid.h"

#include "base/alloc.h"
#include "crypto/keyed.h"
#include "sequence/update.h"
#include "sequence/walk.h"

#include <string.h>

/* What is hashed begins with one of these. */
enum name_kind {
    NAME_MESSAGE = 1,
    NAME_EDIT,
    NAME_QTS,
    NAME_QUERY,
    NAME_SECRET,
    NAME_CONTENT,
};

enum piece {
    PIECE_TEXT = 1,
    PIECE_ENTITIES,
    PIECE_MEDIA,
    PIECE_MARKUP,
    PIECE_EDIT_DATE,
    PIECE_INVERTED,
    PIECE_RICH,
    PIECE_ACTION,
};

/* ---- keys ---- */

int gap_eid_key_init(struct gap_eid_key *key, const uint8_t secret[32], int64_t account)
{
    static const char label[] = "gapless event names";
    uint8_t hash[GAP_SHA256_BYTES];
    gap_bytes_t piece = gap_bytes(label, sizeof label - 1);

    int r = gap_hmac_sha256(secret, &piece, 1, hash);
    if (r < 0) return r;
    memcpy(key->sip, hash, sizeof key->sip);
    memcpy(key->secret, secret, sizeof key->secret);
    key->account = account;
    gap_wipe(hash, sizeof hash);
    return 0;
}

bool gap_eid_is_none(const gap_eid_t *eid)
{
    return gap_load64(eid->bytes) == 0 && gap_load64(eid->bytes + 8) == 0;
}

static int random_id(const struct gap_eid_key *key, const gap_bytes_t *pieces, int64_t *out)
{
    uint8_t hash[GAP_SHA256_BYTES];

    int r = gap_hmac_sha256(key->secret, pieces, 3, hash);
    if (r < 0) return r;
    *out = (int64_t)gap_load64(hash);
    for (size_t at = 8; *out == 0 && at < sizeof hash; at += 8)
        *out = (int64_t)gap_load64(hash + at);
    if (*out == 0) *out = 1;
    return 0;
}

int gap_eid_random_id(const struct gap_eid_key *key, const gap_eid_t *eid, uint64_t ordinal,
                      int64_t *out)
{
    uint8_t number[8];
    const gap_bytes_t pieces[] = {
        gap_bytes(eid->bytes, sizeof eid->bytes),
        gap_bytes("n", 1),
        gap_bytes(number, sizeof number),
    };

    gap_store64(number, ordinal);
    return random_id(key, pieces, out);
}

int gap_eid_random_id_named(const struct gap_eid_key *key, const gap_eid_t *eid, gap_bytes_t name,
                            int64_t *out)
{
    const gap_bytes_t pieces[] = {
        gap_bytes(eid->bytes, sizeof eid->bytes),
        gap_bytes("k", 1),
        name,
    };

    return random_id(key, pieces, out);
}

/* ---- names ---- */

static void begin(gap_siphash_t *h, const struct gap_eid_key *key, enum name_kind kind)
{
    gap_siphash_begin(h, key->sip);
    gap_siphash_update64(h, (uint64_t)key->account);
    gap_siphash_update64(h, kind);
}

static void end(gap_siphash_t *h, gap_eid_t *out)
{
    gap_siphash_end(h, out->bytes);
    if (gap_eid_is_none(out)) out->bytes[0] = 1; /* that would mean: no name */
}

static void name_two(const struct gap_eid_key *key, enum name_kind kind, uint64_t a, uint64_t b,
                     gap_eid_t *out)
{
    gap_siphash_t h;

    begin(&h, key, kind);
    gap_siphash_update64(&h, a);
    gap_siphash_update64(&h, b);
    end(&h, out);
}

static void name_message(const struct gap_eid_key *key, gap_peer_t chat, int32_t id, bool edit,
                         uint64_t content, gap_eid_t *out)
{
    gap_siphash_t h;

    begin(&h, key, edit ? NAME_EDIT : NAME_MESSAGE);
    gap_siphash_update64(&h, (uint64_t)chat.kind);
    gap_siphash_update64(&h, (uint64_t)chat.id);
    gap_siphash_update64(&h, (uint64_t)(uint32_t)id);
    if (edit) gap_siphash_update64(&h, content);
    end(&h, out);
}

/* ---- content ---- */

static void hash_piece(gap_siphash_t *h, enum piece mark, gap_bytes_t bytes)
{
    gap_siphash_update64(h, (uint64_t)mark << 56 | bytes.len);
    if (bytes.len > 0) gap_siphash_update(h, bytes.data, bytes.len);
}

/* The id of a Photo or Document, or of an empty one; 0: neither. */
static uint64_t file_id(gap_bytes_t object)
{
    if (object.len < 12) return 0;
    switch (gap_load32(object.data)) {
    case GAP_TL_PHOTO:
    case GAP_TL_DOCUMENT:
        return object.len < 16 ? 0 : gap_load64(object.data + 8); /* behind the flags */
    case GAP_TL_PHOTO_EMPTY:
    case GAP_TL_DOCUMENT_EMPTY:
        return gap_load64(object.data + 4);
    default:
        return 0;
    }
}

/* What can be compared of a media: which it is. */
static void hash_media(gap_siphash_t *h, gap_bytes_t media)
{
    uint8_t which[12];

    if (media.len < 4) return; /* it has been walked: it has a constructor */
    uint32_t id = gap_load32(media.data);
    switch (id) {
    case GAP_TL_MESSAGE_MEDIA_CONTACT:
    case GAP_TL_MESSAGE_MEDIA_DICE:
    case GAP_TL_MESSAGE_MEDIA_GEO:
    case GAP_TL_MESSAGE_MEDIA_GEO_LIVE:
    case GAP_TL_MESSAGE_MEDIA_VENUE:
    case GAP_TL_MESSAGE_MEDIA_TO_DO:
        hash_piece(h, PIECE_MEDIA, media);
        return;
    default:
        break;
    }
    gap_bytes_t inner = media.len > 8 ? gap_bytes(media.data + 8, media.len - 8) : gap_bytes("", 0);
    bool file = id == GAP_TL_MESSAGE_MEDIA_PHOTO || id == GAP_TL_MESSAGE_MEDIA_DOCUMENT;
    bool poll = id == GAP_TL_MESSAGE_MEDIA_POLL && inner.len >= 12;
    gap_store32(which, id);
    gap_store64(which + 4, file ? file_id(inner) : poll ? gap_load64(inner.data + 4) : 0);
    hash_piece(h, PIECE_MEDIA, gap_bytes(which, sizeof which));
}

static gap_bytes_t walk_objects(struct gap_walk *w)
{
    uint32_t count = gap_walk_vector(w);
    const uint8_t *start = w->at;

    for (uint32_t i = 0; i < count && w->error == 0; i++) (void)gap_walk_object(w);
    return gap_bytes(start, (size_t)(w->at - start));
}

/* From the edit date to the last field: nothing there belongs to the content but rich_message. */
static void hash_rest(struct gap_walk *w, const struct gap_message_head *m, gap_siphash_t *h)
{
    uint32_t f = m->flags;
    uint32_t f2 = m->flags2;

    if ((f2 & GAP_TL_MESSAGE_F2_RICH_MESSAGE) == 0) return;
    if ((f & GAP_TL_MESSAGE_F_POST_AUTHOR) != 0) (void)gap_walk_bytes(w);
    if ((f & GAP_TL_MESSAGE_F_GROUPED_ID) != 0) gap_walk_skip(w, 8);
    if ((f & GAP_TL_MESSAGE_F_REACTIONS) != 0) (void)gap_walk_object(w);
    if ((f & GAP_TL_MESSAGE_F_RESTRICTION_REASON) != 0) (void)walk_objects(w);
    if ((f & GAP_TL_MESSAGE_F_TTL_PERIOD) != 0) gap_walk_skip(w, 4);
    if ((f & GAP_TL_MESSAGE_F_QUICK_REPLY_SHORTCUT_ID) != 0) gap_walk_skip(w, 4);
    if ((f2 & GAP_TL_MESSAGE_F2_EFFECT) != 0) gap_walk_skip(w, 8);
    if ((f2 & GAP_TL_MESSAGE_F2_FACTCHECK) != 0) (void)gap_walk_object(w);
    if ((f2 & GAP_TL_MESSAGE_F2_REPORT_DELIVERY_UNTIL_DATE) != 0) gap_walk_skip(w, 4);
    if ((f2 & GAP_TL_MESSAGE_F2_PAID_MESSAGE_STARS) != 0) gap_walk_skip(w, 8);
    if ((f2 & GAP_TL_MESSAGE_F2_SUGGESTED_POST) != 0) (void)gap_walk_object(w);
    if ((f2 & GAP_TL_MESSAGE_F2_SCHEDULE_REPEAT_PERIOD) != 0) gap_walk_skip(w, 4);
    if ((f2 & GAP_TL_MESSAGE_F2_SUMMARY_FROM_LANGUAGE) != 0) (void)gap_walk_bytes(w);
    hash_piece(h, PIECE_RICH, gap_walk_object(w));
}

/* The walk stands behind the text. */
static void hash_message(struct gap_walk *w, const struct gap_message_head *m, gap_siphash_t *h)
{
    uint32_t f = m->flags;

    hash_piece(h, PIECE_TEXT, m->text);
    if ((f & GAP_TL_MESSAGE_F_INVERT_MEDIA) != 0) hash_piece(h, PIECE_INVERTED, gap_bytes("", 0));
    if ((f & GAP_TL_MESSAGE_F_MEDIA) != 0) hash_media(h, gap_walk_object(w));
    if ((f & GAP_TL_MESSAGE_F_REPLY_MARKUP) != 0) hash_piece(h, PIECE_MARKUP, gap_walk_object(w));
    if ((f & GAP_TL_MESSAGE_F_ENTITIES) != 0) hash_piece(h, PIECE_ENTITIES, walk_objects(w));
    if ((f & GAP_TL_MESSAGE_F_VIEWS) != 0) gap_walk_skip(w, 8); /* and forwards */
    if ((f & GAP_TL_MESSAGE_F_REPLIES) != 0) (void)gap_walk_object(w);
    if ((f & GAP_TL_MESSAGE_F_EDIT_DATE) != 0) {
        uint8_t date[4];
        gap_store32(date, gap_walk_u32(w));
        hash_piece(h, PIECE_EDIT_DATE, gap_bytes(date, sizeof date));
    }
    hash_rest(w, m, h);
}

static int content_of(struct gap_walk *w, const struct gap_message_head *m,
                      const struct gap_eid_key *key, uint64_t *out)
{
    uint8_t hash[GAP_SIPHASH_BYTES];
    gap_siphash_t h;

    begin(&h, key, NAME_CONTENT);
    if (m->id == GAP_TL_MESSAGE) {
        hash_message(w, m, &h);
    } else {
        uint8_t action[4];
        gap_store32(action, gap_walk_u32(w)); /* they are not edited */
        hash_piece(&h, PIECE_ACTION, gap_bytes(action, sizeof action));
    }
    gap_siphash_end(&h, hash);
    *out = gap_load64(hash);
    return w->error;
}

/* ---- the kinds of updates ---- */

static bool is_edit_id(uint32_t id)
{
    return id == GAP_TL_UPDATE_EDIT_MESSAGE || id == GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE;
}

static int of_message(gap_bytes_t message, bool edit, const struct gap_eid_key *key,
                      struct gap_identity *out)
{
    struct gap_walk w = gap_walk(message, 0);
    struct gap_message_head m;
    uint64_t content;

    int r = gap_message_head(&w, &m);
    if (r < 0) return r;
    if (m.id == GAP_TL_MESSAGE_EMPTY) return 0;
    r = content_of(&w, &m, key, &content);
    if (r < 0) return r;
    name_message(key, m.peer, m.message_id, edit, content, &out->eid);
    out->content = content;
    out->has = out->is_message = true;
    out->is_edit = edit;
    return 0;
}

/* random_id and chat_id stand in front of both kinds. */
static int of_secret(gap_bytes_t message, const struct gap_eid_key *key, struct gap_identity *out)
{
    struct gap_walk w = gap_walk(message, 4);
    int64_t random = gap_walk_i64(&w);
    int32_t chat = gap_walk_i32(&w);

    if (w.error < 0) return w.error;
    name_two(key, NAME_SECRET, (uint64_t)(uint32_t)chat, (uint64_t)random, &out->eid);
    out->has = true;
    return 0;
}

static int of_qts(const gap_update_t *u, const struct gap_eid_key *key, struct gap_identity *out)
{
    struct gap_item item;

    if ((u->flags & GAP_ITEM_ENCRYPTED) != 0) return of_secret(u->bytes, key, out);
    if (u->id == GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE)
        return u->bytes.len < 4
                   ? GAP_E_TL
                   : of_secret(gap_bytes(u->bytes.data + 4, u->bytes.len - 4), key, out);
    int r = gap_item_read(u->bytes, &item);
    if (r < 0) return r;
    if (item.pts <= 0) return 0; /* not counted */
    name_two(key, NAME_QTS, u->id, (uint64_t)(uint32_t)item.pts, &out->eid);
    out->has = true;
    return 0;
}

static int of_query(const gap_update_t *u, const struct gap_eid_key *key, struct gap_identity *out)
{
    bool flags =
        u->id != GAP_TL_UPDATE_BOT_SHIPPING_QUERY && u->id != GAP_TL_UPDATE_BOT_WEBHOOK_JSON_QUERY;
    struct gap_walk w = gap_walk(u->bytes, flags ? 8 : 4);
    int64_t query = gap_walk_i64(&w);

    if (w.error < 0) return w.error;
    name_two(key, NAME_QUERY, u->id, (uint64_t)query, &out->eid);
    out->has = true;
    return 0;
}

int gap_eid_of(const gap_update_t *u, const struct gap_eid_key *key, struct gap_identity *out)
{
    bool edit = false;

    memset(out, 0, sizeof *out);
    if (u->box == GAP_BOX_QTS) return of_qts(u, key, out);
    if ((u->flags & GAP_ITEM_QUERY) != 0) return of_query(u, key, out);
    if (u->box == GAP_BOX_NONE) return 0;
    if ((u->flags & GAP_ITEM_MESSAGE) != 0)
        return of_message(u->bytes, is_edit_id(u->id), key, out);
    if (u->bytes.len < 4) return GAP_E_TL;
    gap_bytes_t message = gap_update_message_at(u->id, u->bytes, &edit);
    return message.len == 0 ? 0 : of_message(message, edit, key, out);
}

bool gap_eid_as_edit(const gap_update_t *u, const struct gap_eid_key *key,
                     const struct gap_identity *message, gap_eid_t *out)
{
    bool edit;
    uint32_t id;
    int32_t message_id;
    gap_peer_t chat;
    gap_bytes_t bytes = (u->flags & GAP_ITEM_MESSAGE) != 0
                            ? u->bytes
                            : gap_update_message_at(u->id, u->bytes, &edit);

    if (bytes.len == 0 || gap_message_peer(bytes, &id, &message_id, &chat) < 0) return false;
    name_message(key, chat, message_id, true, message->content, out);
    return true;
}
