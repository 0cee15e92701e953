/*
 * dc/model_text.c - what a message may hold: its text, the entities over it, its media.
 *
 * Documented: lengths count in code points and have limits, offsets count in UTF-16 units, an
 * entity of no length or beyond the text is refused. Choices: an entity that cuts a surrogate pair
 * is refused as well; entities are kept in the order in which they came, at most DC_ENTITIES_MAX,
 * the rest is dropped; a text is not trimmed.
 *
 * Owns nothing but the model's buffer for entities. Never: changes the world.
 */
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl_api.h>
#include <string.h>

/** Length of the UTF-8 sequence that begins with this byte; 0 if none does. */
static size_t utf8_len(uint8_t b)
{
    if (b < 0x80) return 1;
    if (b >= 0xc2 && b < 0xe0) return 2;
    if (b >= 0xe0 && b < 0xf0) return 3;
    if (b >= 0xf0 && b < 0xf5) return 4;
    return 0;
}

/** The sequences that are well formed byte by byte and mean nothing: overlong, surrogates, beyond
 * U+10FFFF. */
static bool utf8_second_ok(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second < 0xa0;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second < 0x90;
    default:
        return true;
    }
}

/** @return code points, or SIZE_MAX: not UTF-8. */
static size_t utf8_count(gap_bytes_t s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; count++) {
        size_t len = utf8_len(s.data[i]);
        if (len == 0 || len > s.len - i) return SIZE_MAX;
        if (len > 1 && !utf8_second_ok(s.data[i], s.data[i + 1])) return SIZE_MAX;
        for (size_t k = 1; k < len; k++) {
            if ((s.data[i + k] & 0xc0) != 0x80) return SIZE_MAX;
        }
        i += len;
    }
    return count;
}

int dc_check_text(dc_call_t *c, gap_bytes_t text, bool is_caption)
{
    size_t chars = utf8_count(text);

    if (chars == SIZE_MAX) return dc_fail(c, 400, "INPUT_FETCH_ERROR");
    if (is_caption && chars > DC_CAPTION_CHARS_MAX)
        return dc_fail(c, 400, "MEDIA_CAPTION_TOO_LONG");
    if (chars == 0 && !is_caption) return dc_fail(c, 400, "MESSAGE_EMPTY");
    if (chars > DC_TEXT_CHARS_MAX) return dc_fail(c, 400, "MESSAGE_TOO_LONG");
    return 0;
}

/* --- entities ------------------------------------------------------------------------------ */

/** Does a character of this text, which is UTF-8, begin at or end after so many UTF-16 units? */
static bool is_boundary(gap_bytes_t text, int64_t units)
{
    int64_t at = 0;

    for (size_t i = 0; i < text.len && at < units; i += utf8_len(text.data[i]))
        at += utf8_len(text.data[i]) == 4 ? 2 : 1;
    return at == units;
}

/** Offset and length stand at the same place in all entities but those with a flag word. */
static bool bounds_ok(gap_bytes_t entity, gap_bytes_t text)
{
    uint32_t id = gap_load32(entity.data);
    size_t at = id == GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE || id == GAP_TL_MESSAGE_ENTITY_FORMATTED_DATE
                    ? 8
                    : 4;
    int32_t offset = (int32_t)gap_load32(entity.data + at);
    int32_t length = (int32_t)gap_load32(entity.data + at + 4);

    return offset >= 0 && length > 0 && is_boundary(text, offset) &&
           is_boundary(text, (int64_t)offset + length);
}

/** A mention as it is asked for, in the form in which it is shown. */
static int put_mention(dc_call_t *c, gap_tl_object_t entity, gap_buf_t *out)
{
    gap_tl_input_message_entity_mention_name_t in;
    uint32_t user = DC_NONE;

    if (GAP_TL_READ(entity, GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &in) < 0)
        return dc_fail_read(c);
    int r = dc_input_user(c, in.user_id, &user);
    if (r == DC_RPC_ERROR) return dc_fail(c, 400, "ENTITY_MENTION_USER_INVALID");
    if (r == 0) r = gap_buf_append32(out, GAP_TL_MESSAGE_ENTITY_MENTION_NAME);
    if (r == 0) r = gap_buf_append32(out, (uint32_t)in.offset);
    if (r == 0) r = gap_buf_append32(out, (uint32_t)in.length);
    return r == 0 ? gap_buf_append64(out, (uint64_t)dc_user_id(c->m, user)) : r;
}

int dc_take_entities(dc_call_t *c, gap_tl_vector_t vector, gap_bytes_t text,
                     struct dc_content *content)
{
    gap_buf_t *out = &c->m->entities;
    gap_tl_iter_t it = gap_tl_iter(vector);
    gap_tl_object_t entity;
    uint32_t count = 0;
    int r;

    gap_buf_clear(out);
    while ((r = gap_tl_next(&it, &entity)) > 0) {
        if (!bounds_ok(gap_tl_bytes(entity), text)) return dc_fail(c, 400, "ENTITY_BOUNDS_INVALID");
        if (count == DC_ENTITIES_MAX) continue;
        if (entity.id == GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME)
            r = put_mention(c, entity, out);
        else
            r = gap_buf_append(out, entity.data, entity.len);
        if (r != 0) return r;
        count++;
    }
    if (r < 0) return dc_fail_read(c);
    content->entities = gap_buf_view(out);
    content->entity_count = count;
    return 0;
}

/* --- media --------------------------------------------------------------------------------- */

int dc_take_media(dc_call_t *c, gap_tl_object_t media, struct dc_content *content)
{
    gap_tl_input_media_photo_t photo;
    gap_tl_input_media_document_t document;
    gap_tl_input_photo_t in; /* inputDocument has the same fields */
    gap_tl_object_t id;
    uint32_t known = GAP_TL_INPUT_PHOTO;

    switch (media.id) {
    case GAP_TL_INPUT_MEDIA_EMPTY:
        return dc_fail(c, 400, "MEDIA_EMPTY");
    case GAP_TL_INPUT_MEDIA_PHOTO:
        if (GAP_TL_READ(media, GAP_TL_INPUT_MEDIA_PHOTO, &photo) < 0) return dc_fail_read(c);
        id = photo.id;
        content->media = DC_MEDIA_PHOTO;
        break;
    case GAP_TL_INPUT_MEDIA_DOCUMENT:
        if (GAP_TL_READ(media, GAP_TL_INPUT_MEDIA_DOCUMENT, &document) < 0) return dc_fail_read(c);
        id = document.id;
        known = GAP_TL_INPUT_DOCUMENT;
        content->media = DC_MEDIA_DOCUMENT;
        break;
    default: /* nothing can be uploaded here */
        return dc_fail(c, 400, "MEDIA_INVALID");
    }
    if (id.id != known) return dc_fail(c, 400, "MEDIA_EMPTY");
    if (gap_tl_read(gap_tl_bytes(id), known, &in, sizeof in) < 0) return dc_fail_read(c);
    content->media_id = in.id;
    content->media_hash = in.access_hash;
    return 0;
}

/* --- what a message holds ------------------------------------------------------------------ */

void dc_content_of(const dc_model_t *m, uint32_t n, struct dc_content *out)
{
    const struct dc_rec *rec = dc_rec_at(m, n);
    const struct dc_text *text = rec->blob;

    memset(out, 0, sizeof *out);
    if ((rec->flags & DC_R_STORED) == 0) return;
    out->entities = gap_bytes(text->data + text->entities_at, text->entities_len);
    out->entity_count = text->entity_count;
    out->markup = gap_bytes(text->data + text->entities_at + text->entities_len, text->markup_len);
    out->media = (dc_media_t)text->media;
    out->media_id = text->media_id;
    out->media_hash = text->media_hash;
    out->fwd_n = text->fwd_n;
}

bool dc_same_content(const struct dc_content *a, const struct dc_content *b)
{
    return gap_bytes_equal(a->entities, b->entities) && gap_bytes_equal(a->markup, b->markup) &&
           a->media == b->media && a->media_id == b->media_id;
}
