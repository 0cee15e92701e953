/*
 * outbox/content.h - what a row holds: the rules for it, its form on disk, and the hash by which
 * one knows whether a message has to be edited.
 *
 * A payload is GAP_ITEM_VERSION, the kind, and the fields that are set, numbers in 7-bit groups.
 * What has a column of its own is not in it: chat, class, random_id, times, key. It is read with
 * the same rules it was written by, so an item that was unpacked makes a valid request whatever
 * happened to the table.
 *
 * Pure; any thread. Nothing is owned: an unpacked item points into its payload and into itself.
 */
#ifndef GAP_OUTBOX_CONTENT_H
#define GAP_OUTBOX_CONTENT_H

#include "base/buf.h"

#include <gapless/outbox.h>

/** Version of the form on disk. */
#define GAP_ITEM_VERSION 1
/** Longest text, and longest caption, UTF-16 code units (the server's configuration says so). */
#define GAP_OUTBOX_TEXT_UNITS    4096
#define GAP_OUTBOX_CAPTION_UNITS 1024
/** Entities of one text. The server keeps the first hundred. */
#define GAP_OUTBOX_ENTITIES_MAX 256
/** Messages of one row. */
#define GAP_OUTBOX_IDS_MAX 100
/** An address in a link, a language, a reaction, bytes. */
#define GAP_OUTBOX_VALUE_BYTES 4096
#define GAP_OUTBOX_KEY_BYTES   255
/** A payload, and so a call: what fits into one message of MTProto with room to spare. */
#define GAP_OUTBOX_PAYLOAD_BYTES (512U << 10)
/** An item that was unpacked. Views point into the payload; item.content.entities and item.ids into
 * this struct, so don't copy it. About 11 KiB. */
struct gap_item {
    gap_outbox_item_t item; /* chat, urgency, random_id, times, key are zero */
    gap_outbox_entity_t entities[GAP_OUTBOX_ENTITIES_MAX];
    int32_t ids[GAP_OUTBOX_IDS_MAX];
};

/** A content that was unpacked; the same holds. */
struct gap_content {
    gap_outbox_content_t content;
    gap_outbox_entity_t entities[GAP_OUTBOX_ENTITIES_MAX];
};

/**
 * Is this an item that can be sent? All rules of gapless/outbox.h, but for what lies inside of
 * media, markup and query: that needs their bytes, see gap_item_pack.
 *   A field of another kind that is set is a contradiction: ids of a SEND, a content of a DELETE,
 *   for_me_only in a channel. random_id is never looked at: a caller may have drawn it.
 *   An EDIT with neither text nor media changes the markup alone. A PIN takes content.silent.
 * @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT.
 */
GAP_NODISCARD int gap_outbox_check(const gap_outbox_item_t *item);

/** What a content is checked for. */
enum gap_content_use {
    GAP_CONTENT_SEND, /* SEND or MEDIA, whichever it is */
    GAP_CONTENT_EDIT,
    GAP_CONTENT_POST /* GAP_POST_LINK is allowed; it has to do for sending and for editing */
};
/** The same for a content alone. @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT. */
GAP_NODISCARD int gap_content_check(const gap_outbox_content_t *content, enum gap_content_use use);
/** SEND, or MEDIA if it has media: how such a content is sent. */
gap_outbox_kind_t gap_content_kind(const gap_outbox_content_t *content);

/**
 * The random_id that belongs into the row of an item.
 *
 * @param drawn  64 random bits, not 0; used where the item has none of its own. An item's own is
 *               item->random_id (SEND, MEDIA, FORWARD of one) or the one that is in RAW's query.
 *               Several at once (FORWARD, RAW methods with a vector of them) come from one: see
 *               gap_outbox_random_at.
 * @param out    0: its kind or its method has none.
 * @return 0; GAP_E_ARGUMENT, GAP_E_LIMIT, GAP_E_TL, GAP_E_TL_ID the query is no call; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_outbox_random_id(const gap_outbox_item_t *item, int64_t drawn, int64_t *out);
/** The @p index-th random_id of a row: the first is the row's own, the others are derived from it
 * (SipHash), the same in every process, never 0. So one column keeps them all. */
int64_t gap_outbox_random_at(int64_t random_id, uint32_t index);

/**
 * Append the payload of an item to @p out. Checks it first, and what lies inside of media, markup
 * and query, too: all must be well-formed objects of this layer; no media that needs an upload
 * (file parts don't outlive a day), nowhere inside; the query a method whose random_id fits its
 * declared replay class (request.h).
 *
 * @param item  random_id as gap_outbox_random_id() gave it: the zeros among the query's random ids
 *              are overwritten with it. Other kinds don't write it.
 * @return 0; GAP_E_ARGUMENT, GAP_E_LIMIT as gap_outbox_check, or more than
 *         GAP_OUTBOX_PAYLOAD_BYTES; GAP_E_TL, GAP_E_TL_ID; GAP_E_NOMEM. After a failure @p out
 * holds what it held.
 */
GAP_NODISCARD int gap_item_pack(const gap_outbox_item_t *item, gap_buf_t *out);

/**
 * Read a payload.
 * @param payload  Pinned as long as @p out is used. Not trusted.
 * @param out      Undefined on failure.
 * @return 0; GAP_E_DAMAGED; GAP_E_NEWER a newer version of the library wrote it.
 */
GAP_NODISCARD int gap_item_unpack(gap_bytes_t payload, struct gap_item *out);
/** Why a row that can't be unpacked is parked, and what to do. @param error  Of gap_item_unpack. */
const char *gap_item_reason(int error);

/** The same for a content alone, which may hold GAP_POST_LINK. @return as gap_item_pack. */
GAP_NODISCARD int gap_content_pack(const gap_outbox_content_t *content, gap_buf_t *out);
/** @return as gap_item_unpack. */
GAP_NODISCARD int gap_content_unpack(gap_bytes_t bytes, struct gap_content *out);

#define GAP_CONTENT_HASH_BYTES 16
/**
 * What a message would look like, as 16 bytes: over the request in which it goes out, as it is on
 * the wire. Sending and editing are hashed by this one function, over the same fields: a publisher
 * that hashes the text alone when it sends, and text and media when it edits, edits every message
 * once for nothing.
 *
 * In it:  the text; the entities (a mention's user as an id); the media; the markup; no_preview,
 *         where the request has such a field (not with media).
 * Not in it: silent and protect, which no edit can change; what only proves the right to use a
 *         thing and changes by itself: access hashes and file references of photos, documents and
 *         users inside of media and markup. Chat, reply, random_id are no content.
 * GAP_POST_LINK counts as it is: render first.
 *
 * SipHash-2-4 with 128 bits and a fixed key, so that it is the same in every process. It guards
 * against accidents, not against somebody who makes two texts with one hash: that would only keep
 * an edit of theirs from going out.
 *
 * @return 0; GAP_E_NOMEM; as gap_tl_size(), GAP_E_TL, GAP_E_TL_ID for media and markup that are
 *         given as structs or malformed. Nothing is allocated for a content that was unpacked.
 */
GAP_NODISCARD int gap_content_hash(const gap_outbox_content_t *content,
                                   uint8_t out[GAP_CONTENT_HASH_BYTES]);

#endif
