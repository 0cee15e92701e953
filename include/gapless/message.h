/*
 * gapless/message.h - a view of the message inside an update: new and edited messages of private
 * chats, basic groups, channels, supergroups and business connections, ordinary and service ones.
 *
 * Nothing is allocated or copied: views point into the bytes that were received and stay valid as
 * long as the update does. Any thread that may use the update may use its view.
 */
#ifndef GAPLESS_MESSAGE_H
#define GAPLESS_MESSAGE_H

#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

/** gap_message_read(): the update carries no message, or only an empty one. */
#define GAP_NO_MESSAGE 1

/** A message. */
typedef struct gap_message {
    gap_peer_t chat;    /* where it was written; in a private chat the other user */
    gap_peer_t sender;  /* who wrote it; in a channel's posts the channel; in a private chat the
                           other user, or GAP_PEER_NONE for what the account itself wrote */
    int32_t id;         /* unique in the channel, or in all private chats and basic groups */
    int32_t date;       /* unix time, server's clock */
    int32_t edit_date;  /* unix time; 0: never edited */
    int32_t reply_to;   /* id of the message it answers in the same chat; 0: none */
    int64_t via_bot;    /* user id of the inline bot that made it; 0: none */
    gap_bytes_t text;   /* UTF-8; empty in service messages */
    uint32_t action;    /* service message: constructor of its MessageAction; 0 otherwise */
    bool edit;          /* the update is an edit of this message */
    bool out;           /* written by the account itself */
    bool mentioned;     /* mentions the account */
    bool silent;        /* without a sound */
    bool post;          /* a post of a broadcast channel */
    bool service;       /* a service message */
    bool has_media;     /* a photo, document, poll ... is attached */
    bool has_entities;  /* gap_message_entities() has something to say */
    gap_bytes_t object; /* the boxed Message, for gap_tl_read() */
    uint32_t tail;      /* private: offset of the fields behind the text in `object` */
} gap_message_t;

/**
 * Find the message of an update and read what a handler needs most. One walk over the message, up
 * to its text, and to its edit date if it has one.
 *
 * @param update  Borrowed.
 * @param out     Filled on 0; views are valid as long as @p update is.
 * @return 0; GAP_NO_MESSAGE the update is not about a message; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT
 * malformed.
 */
GAP_API GAP_NODISCARD int gap_message_read(const gap_update_t *update, gap_message_t *out);

/**
 * The same for a boxed Message, for instance one of the messages of an answer.
 *
 * @param message  Boxed; borrowed, views in @p out point into it.
 * @return 0; GAP_NO_MESSAGE it is a messageEmpty; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed.
 */
GAP_API GAP_NODISCARD int gap_message_view(gap_bytes_t message, gap_message_t *out);

/** One piece of markup in a text. Offsets and lengths are in bytes of the UTF-8 text; Telegram's
 * own are in UTF-16 code units. */
typedef struct gap_entity {
    uint32_t id;            /* for instance GAP_TL_MESSAGE_ENTITY_BOLD */
    int32_t utf16_offset;   /* code units, as sent */
    int32_t utf16_length;   /* code units, as sent */
    size_t offset;          /* bytes */
    size_t length;          /* bytes */
    gap_bytes_t text;       /* the piece itself */
    gap_tl_object_t object; /* the MessageEntity, for url, language, user_id ... */
} gap_entity_t;

/** Position in the markup of a text. Private members. */
typedef struct gap_entities {
    gap_tl_iter_t iter;
    gap_bytes_t text;
    size_t at_utf16;
    size_t at_byte;
} gap_entities_t;

/**
 * Begin to go through the markup of a message.
 * @param message  From gap_message_read() or gap_message_view(); its bytes must still be valid.
 * @return 0 (also if there is none); GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed.
 */
GAP_API GAP_NODISCARD int gap_message_entities(const gap_message_t *message, gap_entities_t *out);
/** Begin to go through any vector of MessageEntity that belongs to @p text. */
GAP_API void gap_entities_init(gap_entities_t *it, gap_bytes_t text, gap_tl_vector_t entities);
/**
 * The next piece. One that lies outside of the text or splits a character is passed over.
 * @return 1 with *out set; 0 at the end; negative as gap_tl_next().
 */
GAP_API GAP_NODISCARD int gap_entities_next(gap_entities_t *it, gap_entity_t *out);

/**
 * Where a UTF-16 offset lies in a UTF-8 text.
 *
 * @param text    UTF-8. Bytes that are not UTF-8 count as one code unit each.
 * @param utf16   Code units from the start of the text.
 * @param out     Bytes from the start of the text.
 * @return 0; GAP_E_ARGUMENT behind the end, or inside a surrogate pair.
 */
GAP_API GAP_NODISCARD int gap_utf16_to_byte(gap_bytes_t text, size_t utf16, size_t *out);
/** Length of a UTF-8 text in UTF-16 code units: what offsets of entities to be sent count in. */
GAP_API size_t gap_utf16_length(gap_bytes_t text);

#ifdef __cplusplus
}
#endif
#endif
