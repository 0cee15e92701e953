/* tests/unit/route_build.h - updates for routes: messages with commands, callbacks, queries. */
#ifndef GAP_TESTS_ROUTE_BUILD_H
#define GAP_TESTS_ROUTE_BUILD_H

#include "sequence/update.h"
#include "tests/unit/updates_build.h"

/** An update and its bytes. */
struct made {
    gap_update_t update;
    gap_bytes_t bytes;
};

static inline void made_from(struct made *m, gap_bytes_t bytes)
{
    static const gap_tl_vector_t nobody = {NULL, 0, NULL, 0};
    struct gap_item item;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    m->bytes = bytes;
    gap_update_init(&m->update, &item, nobody, nobody);
}

static inline void made_free(struct made *m)
{
    build_free(m->bytes);
}

/** What a message is like; zeroes: an ordinary one from the outside in a private chat with 7. */
struct message_like {
    gap_peer_t chat;
    gap_bytes_t text;
    int64_t from;
    int32_t offset; /* of the command entity */
    int32_t length; /* 0: none */
    bool bold;      /* a bold entity in front of it */
    bool edit;
    bool out;
    bool post;
};

static inline void made_message(struct made *made, const struct message_like *like)
{
    gap_peer_t chat =
        like->chat.kind == GAP_PEER_NONE ? (gap_peer_t){7, GAP_PEER_USER} : like->chat;
    int64_t chat_id = chat.id;
    gap_tl_peer_user_t user = {like->from};
    uint32_t kind = chat.kind == GAP_PEER_USER   ? GAP_TL_PEER_USER
                    : chat.kind == GAP_PEER_CHAT ? GAP_TL_PEER_CHAT
                                                 : GAP_TL_PEER_CHANNEL;
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_message_entity_bot_command_t command = {like->offset, like->length};
    gap_tl_object_t entities[2];
    uint32_t count = 0;
    if (like->bold) entities[count++] = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    if (like->length != 0)
        entities[count++] = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOT_COMMAND, &command);
    gap_tl_message_t m = {
        .flags = (like->from != 0 ? GAP_TL_MESSAGE_F_FROM_ID : 0) |
                 (count > 0 ? GAP_TL_MESSAGE_F_ENTITIES : 0) |
                 (like->out ? GAP_TL_MESSAGE_F_OUT : 0) | (like->post ? GAP_TL_MESSAGE_F_POST : 0),
        .id = 3,
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &user),
        .peer_id = GAP_TL_OF(kind, &chat_id),
        .date = 1700000003,
        .message = like->text,
        .entities = gap_tl_array(entities, count),
    };
    gap_bytes_t message = build(GAP_TL_OF(GAP_TL_MESSAGE, &m));
    gap_tl_update_new_message_t u = {as_object(message), 1, 1};
    bool channel = chat.kind == GAP_PEER_CHANNEL;
    uint32_t id = channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE;
    if (like->edit) id = channel ? GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE : GAP_TL_UPDATE_EDIT_MESSAGE;
    made_from(made, build(GAP_TL_OF(id, &u)));
    build_free(message);
}

/** A text that is marked as a command up to the first blank. */
static inline void made_command(struct made *made, const char *text)
{
    const struct message_like like = {
        .text = gap_str(text), .from = 7, .length = (int32_t)strcspn(text, " \n")};

    made_message(made, &like);
}

static inline void made_text(struct made *made, const char *text)
{
    const struct message_like like = {.text = gap_str(text)};

    made_message(made, &like);
}

static inline void made_callback(struct made *made, gap_peer_t chat, int64_t user, const char *data)
{
    int64_t chat_id = chat.id;
    uint32_t kind = chat.kind == GAP_PEER_USER   ? GAP_TL_PEER_USER
                    : chat.kind == GAP_PEER_CHAT ? GAP_TL_PEER_CHAT
                                                 : GAP_TL_PEER_CHANNEL;
    gap_tl_update_bot_callback_query_t q = {
        .flags = data != NULL ? GAP_TL_UPDATE_BOT_CALLBACK_QUERY_F_DATA : 0,
        .query_id = 99,
        .user_id = user,
        .peer = GAP_TL_OF(kind, &chat_id),
        .msg_id = 3,
        .data = data != NULL ? gap_str(data) : gap_bytes(NULL, 0),
    };
    made_from(made, build(GAP_TL_OF(GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &q)));
}

static inline void made_inline_query(struct made *made, int64_t user, const char *text)
{
    gap_tl_update_bot_inline_query_t q = {
        .query_id = 98, .user_id = user, .query = gap_str(text), .offset = gap_str("")};

    made_from(made, build(GAP_TL_OF(GAP_TL_UPDATE_BOT_INLINE_QUERY, &q)));
}

#endif
