/*
 * outbox/content.c - the rules for what a row may hold, as far as they can be seen without reading
 * TL. One table says which fields belong to which kind. Owns nothing, allocates nothing.
 */
#include "outbox/content_in.h"

#include "base/bytes.h"
#include "outbox/sql.h"

#include <gapless/tl_api.h>

/* ---- text ---- */

/* Bytes of the UTF-8 sequence at @p p, 0: it is none. Overlong forms and surrogates are none. */
static size_t utf8_at(const uint8_t *p, size_t left)
{
    uint8_t least = 0x80, most = 0xbf;
    size_t len;

    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0) least = 0xa0;
    if (p[0] == 0xed) most = 0x9f;
    if (p[0] == 0xf0) least = 0x90;
    if (p[0] == 0xf4) most = 0x8f;
    if (left < len || p[1] < least || p[1] > most) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return len;
}

/* Bytes of plain ASCII at the front, in eights: most of most texts. */
static size_t ascii_run(const uint8_t *p, size_t left)
{
    size_t n = 0;

    while (left - n >= 8 && (gap_load64(p + n) & UINT64_C(0x8080808080808080)) == 0) n += 8;
    return n;
}

bool gap_is_utf8(gap_bytes_t text)
{
    for (size_t i = ascii_run(text.data, text.len); i < text.len;) {
        size_t len = utf8_at(text.data + i, text.len - i);
        if (len == 0) return false;
        i += len;
    }
    return true;
}

/* A text, measured. */
struct measure {
    uint32_t units;
    bool blank;                                    /* nothing in it that a server would keep */
    uint8_t halves[GAP_OUTBOX_TEXT_UNITS / 8 + 1]; /* bit: the second half of a surrogate pair */
};

/* Eight characters of one byte at a time, as most text has them. */
static size_t skip_ascii(gap_bytes_t text, size_t at, uint32_t limit, struct measure *out)
{
    while (!out->blank && text.len - at >= 8 && limit - out->units >= 8) {
        if ((gap_load64(text.data + at) & 0x8080808080808080U) != 0) break;
        out->units += 8;
        at += 8;
    }
    return at;
}

static int measure(gap_bytes_t text, uint32_t limit, struct measure *out)
{
    memset(out, 0, sizeof *out);
    out->blank = true;
    if (text.len > 3 * (size_t)limit) return GAP_E_LIMIT; /* a unit takes three bytes at most */
    for (size_t i = 0; i < text.len;) {
        size_t run = out->blank ? 0 : ascii_run(text.data + i, text.len - i);
        if (run > limit - out->units) return GAP_E_LIMIT;
        out->units += (uint32_t)run;
        i += run;
        if (i == text.len) break;
        size_t len = utf8_at(text.data + i, text.len - i);
        uint32_t units = len == 4 ? 2 : 1;
        if (len == 0) return GAP_E_ARGUMENT;
        if (text.data[i] > ' ') out->blank = false;
        if (units > limit - out->units) return GAP_E_LIMIT;
        if (units == 2) out->halves[(out->units + 1) / 8] |= (uint8_t)(1U << (out->units + 1) % 8);
        out->units += units;
        i = skip_ascii(text, i + len, limit, out);
    }
    return 0;
}

static bool splits(const struct measure *m, uint32_t at)
{
    return at < m->units && (m->halves[at / 8] >> at % 8 & 1) != 0;
}

/* ---- entities ---- */

static const struct gap_entity_form forms[] = {
    /* numbers are on disk */
    {1, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_BOLD},
    {2, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_ITALIC},
    {3, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_UNDERLINE},
    {4, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_STRIKE},
    {5, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_SPOILER},
    {6, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_CODE},
    {7, GAP_ENTITY_PRE, GAP_TL_MESSAGE_ENTITY_PRE},
    {8, GAP_ENTITY_QUOTE, GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE},
    {9, GAP_ENTITY_URL, GAP_TL_MESSAGE_ENTITY_TEXT_URL},
    {10, GAP_ENTITY_MENTION, GAP_TL_MESSAGE_ENTITY_MENTION_NAME},
    {11, GAP_ENTITY_EMOJI, GAP_TL_MESSAGE_ENTITY_CUSTOM_EMOJI},
    {12, GAP_ENTITY_POST, GAP_POST_LINK},
    /* what the server finds by itself; no harm in saying it */
    {13, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_MENTION},
    {14, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_HASHTAG},
    {15, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_BOT_COMMAND},
    {16, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_URL},
    {17, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_EMAIL},
    {18, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_PHONE},
    {19, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_CASHTAG},
    {20, GAP_ENTITY_PLAIN, GAP_TL_MESSAGE_ENTITY_BANK_CARD},
};

const struct gap_entity_form *gap_entity_form(uint32_t id)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(forms); i++)
        if (forms[i].id == id) return &forms[i];
    return NULL;
}

const struct gap_entity_form *gap_entity_numbered(uint8_t number)
{
    return number >= 1 && number <= GAP_ARRAY_LEN(forms) ? &forms[number - 1] : NULL;
}

/* What belongs to an entity beside its place. */
static int check_form(const gap_outbox_entity_t *e, const struct gap_entity_form *form)
{
    bool has_value = gap_entity_has_value(form->what),
         has_number = gap_entity_has_number(form->what);

    if ((!has_value && e->value.len > 0) || (!has_number && e->number != 0)) return GAP_E_ARGUMENT;
    if (e->value.len > 0 && e->value.data == NULL) return GAP_E_ARGUMENT;
    if (e->value.len >
        (form->what == GAP_ENTITY_POST ? GAP_OUTBOX_KEY_BYTES : GAP_OUTBOX_VALUE_BYTES))
        return GAP_E_LIMIT;
    if (!gap_is_utf8(e->value)) return GAP_E_ARGUMENT;
    switch (form->what) {
    case GAP_ENTITY_URL:
    case GAP_ENTITY_POST:
        return e->value.len > 0 ? 0 : GAP_E_ARGUMENT;
    case GAP_ENTITY_MENTION:
        return gap_is_peer((gap_peer_t){e->number, GAP_PEER_USER}) ? 0 : GAP_E_ARGUMENT;
    case GAP_ENTITY_EMOJI:
        return e->number != 0 ? 0 : GAP_E_ARGUMENT;
    case GAP_ENTITY_QUOTE:
        return e->number == 0 || e->number == 1 ? 0 : GAP_E_ARGUMENT;
    default:
        return 0;
    }
}

static int check_entities(const gap_outbox_content_t *c, const struct measure *m, bool links)
{
    const gap_outbox_entity_t *before = NULL;

    if (c->entity_count > GAP_OUTBOX_ENTITIES_MAX) return GAP_E_LIMIT;
    if (c->entity_count > 0 && c->entities == NULL) return GAP_E_ARGUMENT;
    for (size_t i = 0; i < c->entity_count; i++) {
        const gap_outbox_entity_t *e = &c->entities[i];
        const struct gap_entity_form *form = gap_entity_form(e->id);
        if (form == NULL || (form->what == GAP_ENTITY_POST && !links)) return GAP_E_ARGUMENT;
        if (e->length < 1 || e->offset > m->units || e->length > m->units - e->offset)
            return GAP_E_ARGUMENT;
        if (splits(m, e->offset) || splits(m, e->offset + e->length)) return GAP_E_ARGUMENT;
        if (before != NULL && (e->offset < before->offset ||
                               (e->offset == before->offset && e->length > before->length)))
            return GAP_E_ARGUMENT;
        int r = check_form(e, form);
        if (r < 0) return r;
        before = e;
    }
    return 0;
}

/* ---- contents ---- */

uint32_t gap_object_id(gap_tl_object_t object)
{
    if (object.data == NULL) return object.id;
    return object.len < 4 ? 0 : gap_load32(object.data);
}

bool gap_object_is_set(gap_tl_object_t object)
{
    return object.data != NULL || object.id != 0;
}

gap_outbox_kind_t gap_content_kind(const gap_outbox_content_t *content)
{
    return gap_object_is_set(content->media) ? GAP_OUTBOX_MEDIA : GAP_OUTBOX_SEND;
}

int gap_content_check(const gap_outbox_content_t *c, enum gap_content_use use)
{
    bool has_media = gap_object_is_set(c->media), has_markup = gap_object_is_set(c->markup);
    struct measure m;

    if (c->text.len > 0 && c->text.data == NULL) return GAP_E_ARGUMENT;
    int r = measure(c->text, has_media ? GAP_OUTBOX_CAPTION_UNITS : GAP_OUTBOX_TEXT_UNITS, &m);
    if (r < 0) return r;
    if (has_media && !gap_is_sendable_media(gap_object_id(c->media))) return GAP_E_ARGUMENT;
    if (has_markup && !gap_is_markup(gap_object_id(c->markup))) return GAP_E_ARGUMENT;
    if (use != GAP_CONTENT_SEND && has_markup &&
        gap_object_id(c->markup) != GAP_TL_REPLY_INLINE_MARKUP)
        return GAP_E_ARGUMENT; /* no message with another markup can be edited */
    bool markup_alone = use == GAP_CONTENT_EDIT && c->text.len == 0 && has_markup;
    if (m.blank && !has_media && !markup_alone) return GAP_E_ARGUMENT;
    return check_entities(c, &m, use == GAP_CONTENT_POST);
}

/* ---- items ---- */

enum {
    F_CONTENT = 1 << 0,
    F_REPLY = 1 << 1,
    F_IDS = 1 << 2,
    F_ROW = 1 << 3,
    F_MAX_ID = 1 << 4,
    F_FROM = 1 << 5,
    F_UNPIN = 1 << 6,
    F_FOR_ME = 1 << 7,
    F_EMOJI = 1 << 8,
    F_QUERY = 1 << 9
};

/* What a kind may have, and how many messages it is about. */
static const struct {
    uint16_t fields;
    uint8_t ids_max;
} kinds[] = {
    [GAP_OUTBOX_SEND] = {F_CONTENT | F_REPLY, 0},
    [GAP_OUTBOX_MEDIA] = {F_CONTENT | F_REPLY, 0},
    [GAP_OUTBOX_EDIT] = {F_CONTENT | F_IDS | F_ROW, 1},
    [GAP_OUTBOX_DELETE] = {F_IDS | F_ROW | F_FOR_ME, GAP_OUTBOX_IDS_MAX},
    [GAP_OUTBOX_FORWARD] = {F_CONTENT | F_IDS | F_FROM, GAP_OUTBOX_IDS_MAX},
    [GAP_OUTBOX_PIN] = {F_CONTENT | F_IDS | F_ROW | F_UNPIN, 1},
    [GAP_OUTBOX_READ] = {F_MAX_ID, 0},
    [GAP_OUTBOX_REACT] = {F_IDS | F_ROW | F_EMOJI, 1},
    [GAP_OUTBOX_RAW] = {F_QUERY, 0},
};

/* Has it more than flags? */
static bool has_message(const gap_outbox_content_t *c)
{
    return c->text.len > 0 || c->entity_count > 0 || gap_object_is_set(c->media) ||
           gap_object_is_set(c->markup) || c->no_preview;
}

static unsigned set_fields(const gap_outbox_item_t *i)
{
    unsigned set = 0;

    if (has_message(&i->content) || i->content.silent || i->content.protect) set |= F_CONTENT;
    if (i->reply_to != 0 || i->reply_to_row != 0) set |= F_REPLY;
    if (i->id_count > 0) set |= F_IDS;
    if (i->message_row != 0) set |= F_ROW;
    if (i->max_id != 0) set |= F_MAX_ID;
    if (i->from.kind != GAP_PEER_NONE) set |= F_FROM;
    if (i->unpin) set |= F_UNPIN;
    if (i->for_me_only) set |= F_FOR_ME;
    if (i->emoji.len > 0) set |= F_EMOJI;
    if (gap_object_is_set(i->query) || i->replay != GAP_REPLAY_BY_KIND) set |= F_QUERY;
    return set;
}

bool gap_is_peer(gap_peer_t peer)
{
    return gap_outbox_mark(peer) != 0;
}

static int check_ids(const gap_outbox_item_t *i)
{
    unsigned fields = kinds[i->kind].fields;

    if ((fields & F_IDS) == 0) return 0;
    if (i->id_count > kinds[i->kind].ids_max)
        return i->id_count > GAP_OUTBOX_IDS_MAX ? GAP_E_LIMIT : GAP_E_ARGUMENT;
    if (i->id_count > 0 && i->ids == NULL) return GAP_E_ARGUMENT;
    if (i->message_row < 0 || (i->id_count > 0) == (i->message_row != 0)) return GAP_E_ARGUMENT;
    for (size_t n = 0; n < i->id_count; n++)
        if (i->ids[n] <= 0) return GAP_E_ARGUMENT;
    return 0;
}

static int check_content(const gap_outbox_item_t *i)
{
    switch (i->kind) {
    case GAP_OUTBOX_SEND:
    case GAP_OUTBOX_MEDIA:
        if (gap_content_kind(&i->content) != i->kind) return GAP_E_ARGUMENT;
        if (i->reply_to < 0 || i->reply_to_row < 0) return GAP_E_ARGUMENT;
        if (i->reply_to != 0 && i->reply_to_row != 0) return GAP_E_ARGUMENT;
        return gap_content_check(&i->content, GAP_CONTENT_SEND);
    case GAP_OUTBOX_EDIT:
        return gap_content_check(&i->content, GAP_CONTENT_EDIT);
    case GAP_OUTBOX_PIN:
        return has_message(&i->content) || i->content.protect ? GAP_E_ARGUMENT : 0;
    case GAP_OUTBOX_FORWARD:
        if (!gap_is_peer(i->from)) return GAP_E_ARGUMENT;
        return has_message(&i->content) ? GAP_E_ARGUMENT : 0;
    default:
        return 0;
    }
}

int gap_item_check_body(const gap_outbox_item_t *i)
{
    if (i->kind < GAP_OUTBOX_SEND || i->kind > GAP_OUTBOX_RAW) return GAP_E_ARGUMENT;
    if ((set_fields(i) & ~(unsigned)kinds[i->kind].fields) != 0) return GAP_E_ARGUMENT;
    int r = check_ids(i);
    if (r == 0) r = check_content(i);
    if (r < 0) return r;
    if (i->max_id < 0) return GAP_E_ARGUMENT;
    if (i->emoji.len > 0 && i->emoji.data == NULL) return GAP_E_ARGUMENT;
    if (i->emoji.len > GAP_OUTBOX_EMOJI_BYTES) return GAP_E_LIMIT;
    if (!gap_is_utf8(i->emoji)) return GAP_E_ARGUMENT;
    if (i->kind != GAP_OUTBOX_RAW) return 0;
    if (i->replay < GAP_REPLAY_RANDOM_ID || i->replay > GAP_REPLAY_NEVER) return GAP_E_ARGUMENT;
    return gap_tl_is_method(gap_object_id(i->query)) ? 0 : GAP_E_ARGUMENT;
}

int gap_outbox_check(const gap_outbox_item_t *i)
{
    int r = gap_item_check_body(i);

    if (r < 0) return r;
    if (i->urgency < GAP_OUTBOX_AUTO || i->urgency > GAP_OUTBOX_BULK) return GAP_E_ARGUMENT;
    bool nowhere = i->kind == GAP_OUTBOX_RAW && i->chat.kind == GAP_PEER_NONE && i->chat.id == 0;
    if (!nowhere && !gap_is_peer(i->chat)) return GAP_E_ARGUMENT;
    if (i->for_me_only && i->chat.kind == GAP_PEER_CHANNEL) return GAP_E_ARGUMENT;
    if (i->not_before_us < 0 || i->deadline_us < 0) return GAP_E_ARGUMENT;
    if (i->deadline_us != 0 && i->deadline_us < i->not_before_us) return GAP_E_ARGUMENT;
    if (i->key.len > GAP_OUTBOX_KEY_BYTES) return GAP_E_LIMIT;
    if (i->key.len > 0 && (i->key.data == NULL || memchr(i->key.data, 0, i->key.len) != NULL))
        return GAP_E_ARGUMENT;
    return gap_is_utf8(i->key) ? 0 : GAP_E_ARGUMENT;
}
