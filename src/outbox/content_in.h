/* outbox/content_in.h - what the files that know contents and requests share. */
#ifndef GAP_OUTBOX_CONTENT_IN_H
#define GAP_OUTBOX_CONTENT_IN_H

#include "outbox/content.h"
#include "outbox/request.h"
#include "tl/cursor.h"

/** Longest reaction, bytes. */
#define GAP_OUTBOX_EMOJI_BYTES 64

/** What belongs to an entity beside its place. */
enum gap_entity_what {
    GAP_ENTITY_PLAIN,
    GAP_ENTITY_PRE,     /* value: the language, may be empty */
    GAP_ENTITY_QUOTE,   /* number: 1 collapsed */
    GAP_ENTITY_URL,     /* value */
    GAP_ENTITY_MENTION, /* number: the user */
    GAP_ENTITY_EMOJI,   /* number: the document */
    GAP_ENTITY_POST     /* value: the key */
};
struct gap_entity_form {
    uint8_t number; /* on disk */
    uint8_t what;
    uint32_t id;
};
/** NULL: no entity that can be sent. */
const struct gap_entity_form *gap_entity_form(uint32_t id);
const struct gap_entity_form *gap_entity_numbered(uint8_t number);
static inline bool gap_entity_has_value(uint8_t what)
{
    return what == GAP_ENTITY_PRE || what == GAP_ENTITY_URL || what == GAP_ENTITY_POST;
}
static inline bool gap_entity_has_number(uint8_t what)
{
    return what == GAP_ENTITY_QUOTE || what == GAP_ENTITY_MENTION || what == GAP_ENTITY_EMOJI;
}

bool gap_is_utf8(gap_bytes_t text);
bool gap_is_peer(gap_peer_t peer);
/** Id of an object in either form; 0: none. */
uint32_t gap_object_id(gap_tl_object_t object);
bool gap_object_is_set(gap_tl_object_t object);
/** All rules but those for chat, urgency, times and key. @return as gap_outbox_check. */
GAP_NODISCARD int gap_item_check_body(const gap_outbox_item_t *item);

/* tree.c: serialised objects all the way down. */
/** A constructor of InputMedia that needs no upload. */
bool gap_is_sendable_media(uint32_t id);
bool gap_is_markup(uint32_t id);
/** Is @p bytes one well-formed object, with nothing behind it and room around it for a request,
 * that needs no upload anywhere inside? @return 0; GAP_E_ARGUMENT; GAP_E_TL, GAP_E_TL_ID,
 * GAP_E_LIMIT. */
GAP_NODISCARD int gap_tree_check(gap_bytes_t bytes);
/** Takes pieces of what makes an object what it is: all its bytes but access hashes and file
 * references. */
typedef void (*gap_tree_cb)(void *arg, const void *bytes, size_t len);
/** @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT. */
GAP_NODISCARD int gap_tree_identity(gap_bytes_t bytes, gap_tree_cb each, void *arg);

#endif
