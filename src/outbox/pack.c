/*
 * outbox/pack.c - items and contents as bytes.
 *
 *   item:    version, kind, set fields (a bit each), the fields in the order of the bits
 *   content: version, set fields, the fields
 *
 * Numbers are in groups of 7 bits, the low ones first, the high bit says that another follows.
 * Bytes have their length in front. An entity is its number in the table of content.c, its distance
 * from the beginning of the one before, its length, and its value or number if it has one.
 *
 * What is read goes through the rules that are for writing, so a damaged row is found here and not
 * by the server. Owns nothing; the one allocation is the caller's buffer.
 */
#include "outbox/content_in.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>

enum {
    SET_TEXT = 1 << 0,
    SET_ENTITIES = 1 << 1,
    SET_MEDIA = 1 << 2,
    SET_MARKUP = 1 << 3,
    SET_NO_PREVIEW = 1 << 4,
    SET_SILENT = 1 << 5,
    SET_PROTECT = 1 << 6,
    SET_CONTENT = (1 << 7) - 1,
    SET_REPLY_TO = 1 << 7,
    SET_REPLY_ROW = 1 << 8,
    SET_IDS = 1 << 9,
    SET_MESSAGE_ROW = 1 << 10,
    SET_MAX_ID = 1 << 11,
    SET_FROM = 1 << 12,
    SET_UNPIN = 1 << 13,
    SET_FOR_ME = 1 << 14,
    SET_EMOJI = 1 << 15,
    SET_QUERY = 1 << 16,
    SET_ALL = (1 << 17) - 1
};

/* ---- writing ---- */

static int put_byte(gap_buf_t *b, uint8_t v)
{
    return gap_buf_append(b, &v, 1);
}

static int put_number(gap_buf_t *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;

    for (; v > 0x7f; v >>= 7) bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    return gap_buf_append(b, bytes, n);
}

static int put_bytes(gap_buf_t *b, gap_bytes_t bytes)
{
    int r = put_number(b, bytes.len);
    return r == 0 && bytes.len > 0 ? gap_buf_append(b, bytes.data, bytes.len) : r;
}

/* An object in either form, with its length in front; what was written is seen through. */
static int put_object(gap_buf_t *b, gap_tl_object_t object, bool is_tree)
{
    int64_t size = gap_tl_size(object);

    if (size < 0) return (int)size;
    if (size > GAP_OUTBOX_PAYLOAD_BYTES) return GAP_E_LIMIT;
    int r = put_number(b, (uint64_t)size);
    if (r == 0) r = gap_buf_reserve(b, (size_t)size);
    if (r < 0) return r;
    uint8_t *at = b->data + b->len;
    size = gap_tl_write(object, at, (size_t)size);
    if (size < 0) return (int)size;
    b->len += (size_t)size;
    return is_tree ? gap_tree_check(gap_bytes(at, (size_t)size)) : 0;
}

static int put_entities(gap_buf_t *b, const gap_outbox_content_t *c)
{
    uint32_t from = 0;

    int r = put_number(b, c->entity_count);
    for (size_t i = 0; i < c->entity_count && r == 0; i++) {
        const gap_outbox_entity_t *e = &c->entities[i];
        const struct gap_entity_form *form = gap_entity_form(e->id);
        r = put_byte(b, form->number);
        if (r == 0) r = put_number(b, e->offset - from);
        if (r == 0) r = put_number(b, e->length);
        if (r == 0 && gap_entity_has_value(form->what)) r = put_bytes(b, e->value);
        if (r == 0 && gap_entity_has_number(form->what)) r = put_number(b, (uint64_t)e->number);
        from = e->offset;
    }
    return r;
}

static uint32_t content_fields(const gap_outbox_content_t *c)
{
    return (c->text.len > 0 ? SET_TEXT : 0U) | (c->entity_count > 0 ? SET_ENTITIES : 0U) |
           (gap_object_is_set(c->media) ? SET_MEDIA : 0U) |
           (gap_object_is_set(c->markup) ? SET_MARKUP : 0U) |
           (c->no_preview ? SET_NO_PREVIEW : 0U) | (c->silent ? SET_SILENT : 0U) |
           (c->protect ? SET_PROTECT : 0U);
}

static int put_content(gap_buf_t *b, const gap_outbox_content_t *c, uint32_t set)
{
    int r = 0;

    if ((set & SET_TEXT) != 0) r = put_bytes(b, c->text);
    if (r == 0 && (set & SET_ENTITIES) != 0) r = put_entities(b, c);
    if (r == 0 && (set & SET_MEDIA) != 0) r = put_object(b, c->media, true);
    if (r == 0 && (set & SET_MARKUP) != 0) r = put_object(b, c->markup, true);
    return r;
}

static uint32_t item_fields(const gap_outbox_item_t *i)
{
    return content_fields(&i->content) | (i->reply_to != 0 ? SET_REPLY_TO : 0U) |
           (i->reply_to_row != 0 ? SET_REPLY_ROW : 0U) | (i->id_count > 0 ? SET_IDS : 0U) |
           (i->message_row != 0 ? SET_MESSAGE_ROW : 0U) | (i->max_id != 0 ? SET_MAX_ID : 0U) |
           (i->from.kind != GAP_PEER_NONE ? SET_FROM : 0U) | (i->unpin ? SET_UNPIN : 0U) |
           (i->for_me_only ? SET_FOR_ME : 0U) | (i->emoji.len > 0 ? SET_EMOJI : 0U) |
           (gap_object_is_set(i->query) ? SET_QUERY : 0U);
}

/* The query, with its random ids drawn. */
static int put_query(gap_buf_t *b, const gap_outbox_item_t *i)
{
    gap_raw_ids_t ids = {.count = 0};

    int r = put_byte(b, (uint8_t)i->replay);
    if (r < 0) return r;
    r = put_object(b, i->query, false);
    if (r < 0) return r;
    size_t len = (size_t)gap_tl_size(i->query);
    uint8_t *at = b->data + b->len - len;
    r = gap_raw_check(gap_bytes(at, len), i->replay, NULL);
    if (r == 0) r = gap_raw_ids(gap_bytes(at, len), &ids);
    if (r < 0 || ids.zeros == 0) return r;
    return i->random_id == 0 ? GAP_E_ARGUMENT : gap_raw_fill(at, len, i->random_id);
}

static int put_ids(gap_buf_t *b, const gap_outbox_item_t *i)
{
    int r = put_number(b, i->id_count);
    for (size_t n = 0; n < i->id_count && r == 0; n++) r = put_number(b, (uint32_t)i->ids[n]);
    return r;
}

static int put_item(gap_buf_t *b, const gap_outbox_item_t *i)
{
    uint32_t set = item_fields(i);

    int r = put_byte(b, GAP_ITEM_VERSION);
    if (r == 0) r = put_byte(b, (uint8_t)i->kind);
    if (r == 0) r = put_number(b, set);
    if (r == 0) r = put_content(b, &i->content, set);
    if (r == 0 && (set & SET_REPLY_TO) != 0) r = put_number(b, (uint32_t)i->reply_to);
    if (r == 0 && (set & SET_REPLY_ROW) != 0) r = put_number(b, (uint64_t)i->reply_to_row);
    if (r == 0 && (set & SET_IDS) != 0) r = put_ids(b, i);
    if (r == 0 && (set & SET_MESSAGE_ROW) != 0) r = put_number(b, (uint64_t)i->message_row);
    if (r == 0 && (set & SET_MAX_ID) != 0) r = put_number(b, (uint32_t)i->max_id);
    if (r == 0 && (set & SET_FROM) != 0) r = put_byte(b, (uint8_t)i->from.kind);
    if (r == 0 && (set & SET_FROM) != 0) r = put_number(b, (uint64_t)i->from.id);
    if (r == 0 && (set & SET_EMOJI) != 0) r = put_bytes(b, i->emoji);
    if (r == 0 && (set & SET_QUERY) != 0) r = put_query(b, i);
    return r;
}

/* Take back what was appended behind @p start if it didn't work out. */
static int settle(gap_buf_t *b, size_t unread, int r)
{
    size_t start = b->head + unread;

    if (r == 0 && b->len - start > GAP_OUTBOX_PAYLOAD_BYTES) r = GAP_E_LIMIT;
    if (r < 0) b->len = start;
    return r;
}

int gap_item_pack(const gap_outbox_item_t *item, gap_buf_t *out)
{
    size_t unread = out->len - out->head;

    int r = gap_outbox_check(item);
    return r < 0 ? r : settle(out, unread, put_item(out, item));
}

int gap_content_pack(const gap_outbox_content_t *content, gap_buf_t *out)
{
    size_t unread = out->len - out->head;
    uint32_t set = content_fields(content);

    int r = gap_content_check(content, GAP_CONTENT_POST);
    if (r < 0) return r;
    r = put_byte(out, GAP_ITEM_VERSION);
    if (r == 0) r = put_number(out, set);
    if (r == 0) r = put_content(out, content, set);
    return settle(out, unread, r);
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static uint8_t take_byte(struct reader *in)
{
    if (in->bad || in->at == in->end) {
        in->bad = true;
        return 0;
    }
    return *in->at++;
}

static uint64_t take_number(struct reader *in, uint64_t most)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = take_byte(in);
        uint64_t part = (uint64_t)(b & 0x7f) << shift;
        if (part >> shift != (b & 0x7f)) break;
        v |= part;
        if (b < 0x80) {
            if (v > most || (b == 0 && shift > 0)) break; /* one number has one form */
            return in->bad ? 0 : v;
        }
    }
    in->bad = true;
    return 0;
}

static gap_bytes_t take_bytes(struct reader *in)
{
    uint64_t len = take_number(in, (uint64_t)(in->end - in->at));
    gap_bytes_t bytes = {NULL, 0};

    if (in->bad || len > (uint64_t)(in->end - in->at)) {
        in->bad = true;
        return bytes;
    }
    bytes = gap_bytes(in->at, (size_t)len);
    in->at += len;
    return bytes;
}

/* A field that is there is not empty. */
static gap_bytes_t take_some(struct reader *in)
{
    gap_bytes_t bytes = take_bytes(in);

    if (bytes.len == 0) in->bad = true;
    return bytes;
}

static uint64_t take_positive(struct reader *in, uint64_t most)
{
    uint64_t v = take_number(in, most);

    if (v == 0) in->bad = true;
    return v;
}

static gap_tl_object_t take_object(struct reader *in, bool is_tree)
{
    gap_bytes_t bytes = take_some(in);
    gap_tl_object_t none = {NULL, 0, NULL, 0};

    if (in->bad || bytes.len < 4 || (is_tree && gap_tree_check(bytes) < 0)) {
        in->bad = true;
        return none;
    }
    return (gap_tl_object_t){bytes.data, bytes.len, NULL, gap_load32(bytes.data)};
}

static size_t take_entities(struct reader *in, gap_outbox_entity_t *out)
{
    size_t count = (size_t)take_positive(in, GAP_OUTBOX_ENTITIES_MAX);
    uint32_t from = 0;

    for (size_t i = 0; i < count; i++) {
        const struct gap_entity_form *form = gap_entity_numbered(take_byte(in));
        if (form == NULL) {
            in->bad = true;
            return 0;
        }
        out[i] = (gap_outbox_entity_t){.id = form->id};
        out[i].offset = from + (uint32_t)take_number(in, GAP_OUTBOX_TEXT_UNITS);
        out[i].length = (uint32_t)take_number(in, GAP_OUTBOX_TEXT_UNITS);
        if (gap_entity_has_value(form->what)) out[i].value = take_bytes(in);
        if (gap_entity_has_number(form->what)) out[i].number = (int64_t)take_number(in, UINT64_MAX);
        from = out[i].offset;
    }
    return count;
}

static void take_content(struct reader *in, uint32_t set, gap_outbox_content_t *c,
                         gap_outbox_entity_t *entities)
{
    if ((set & SET_TEXT) != 0) c->text = take_some(in);
    if ((set & SET_ENTITIES) != 0) {
        c->entities = entities;
        c->entity_count = take_entities(in, entities);
    }
    if ((set & SET_MEDIA) != 0) c->media = take_object(in, true);
    if ((set & SET_MARKUP) != 0) c->markup = take_object(in, true);
    c->no_preview = (set & SET_NO_PREVIEW) != 0;
    c->silent = (set & SET_SILENT) != 0;
    c->protect = (set & SET_PROTECT) != 0;
}

static void take_ids(struct reader *in, struct gap_item *out)
{
    out->item.id_count = (size_t)take_positive(in, GAP_OUTBOX_IDS_MAX);
    out->item.ids = out->ids;
    for (size_t n = 0; n < out->item.id_count; n++)
        out->ids[n] = (int32_t)take_positive(in, INT32_MAX);
}

static void take_query(struct reader *in, gap_outbox_item_t *i)
{
    gap_raw_ids_t ids = {.count = 0};

    i->replay = (gap_replay_t)take_byte(in);
    i->query = take_object(in, false);
    if (in->bad) return;
    if (gap_raw_check(gap_tl_bytes(i->query), i->replay, NULL) < 0 ||
        gap_raw_ids(gap_tl_bytes(i->query), &ids) < 0 || ids.zeros > 0)
        in->bad = true;
}

static void take_item(struct reader *in, uint32_t set, struct gap_item *out)
{
    gap_outbox_item_t *i = &out->item;

    take_content(in, set, &i->content, out->entities);
    if ((set & SET_REPLY_TO) != 0) i->reply_to = (int32_t)take_positive(in, INT32_MAX);
    if ((set & SET_REPLY_ROW) != 0) i->reply_to_row = (int64_t)take_positive(in, INT64_MAX);
    if ((set & SET_IDS) != 0) take_ids(in, out);
    if ((set & SET_MESSAGE_ROW) != 0) i->message_row = (int64_t)take_positive(in, INT64_MAX);
    if ((set & SET_MAX_ID) != 0) i->max_id = (int32_t)take_positive(in, INT32_MAX);
    if ((set & SET_FROM) != 0) {
        i->from.kind = (gap_peer_kind_t)take_byte(in);
        i->from.id = (int64_t)take_positive(in, INT64_MAX);
        if (!gap_is_peer(i->from)) in->bad = true;
    }
    i->unpin = (set & SET_UNPIN) != 0;
    i->for_me_only = (set & SET_FOR_ME) != 0;
    if ((set & SET_EMOJI) != 0) i->emoji = take_some(in);
    if ((set & SET_QUERY) != 0) take_query(in, i);
}

/* The version, which is all that another version has to have in common. */
static int take_version(struct reader *in)
{
    uint8_t version = take_byte(in);

    if (in->bad || version == 0) return GAP_E_DAMAGED;
    return version > GAP_ITEM_VERSION ? GAP_E_NEWER : 0;
}

static bool is_through(const struct reader *in)
{
    return !in->bad && in->at == in->end;
}

int gap_item_unpack(gap_bytes_t payload, struct gap_item *out)
{
    struct reader in = {payload.data, payload.data + payload.len, false};

    if (payload.len == 0 || payload.len > GAP_OUTBOX_PAYLOAD_BYTES) return GAP_E_DAMAGED;
    int r = take_version(&in);
    if (r < 0) return r;
    out->item = (gap_outbox_item_t){.kind = (gap_outbox_kind_t)take_byte(&in)};
    uint32_t set = (uint32_t)take_number(&in, SET_ALL);
    take_item(&in, set, out);
    if (!is_through(&in) || gap_item_check_body(&out->item) < 0) return GAP_E_DAMAGED;
    return 0;
}

int gap_content_unpack(gap_bytes_t bytes, struct gap_content *out)
{
    struct reader in = {bytes.data, bytes.data + bytes.len, false};

    if (bytes.len == 0 || bytes.len > GAP_OUTBOX_PAYLOAD_BYTES) return GAP_E_DAMAGED;
    int r = take_version(&in);
    if (r < 0) return r;
    out->content = (gap_outbox_content_t){.no_preview = false};
    uint32_t set = (uint32_t)take_number(&in, SET_CONTENT);
    take_content(&in, set, &out->content, out->entities);
    if (!is_through(&in)) return GAP_E_DAMAGED;
    return gap_content_check(&out->content, GAP_CONTENT_POST) < 0 ? GAP_E_DAMAGED : 0;
}

uint32_t gap_item_raw_method(gap_bytes_t payload)
{
    struct gap_item item;
    uint32_t method = 0;

    if (payload.len < 2 || payload.data[1] != GAP_OUTBOX_RAW) return 0; /* nearly always */
    if (gap_item_unpack(payload, &item) < 0) return 0;
    int r = gap_raw_check(gap_tl_bytes(item.item.query), item.item.replay, &method);
    return r == 0 ? method : 0;
}

const char *gap_item_reason(int error)
{
    if (error == GAP_E_NEWER)
        return "a newer version of the library wrote this row; update the program that sends, then "
               "retry the row";
    return "what is stored for this row can't be read: the table was changed by hand or is "
           "damaged; cancel the row and enqueue it anew";
}
