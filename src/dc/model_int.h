/*
 * dc/model_int.h - what the files of the model share: its records and the helpers between them.
 * Memory is counted in bytes per event, so records refer to each other by index: of an account, of
 * a chat, of a user (the invented ones first, then the accounts), of an event (n).
 */
#ifndef GAP_DC_MODEL_INT_H
#define GAP_DC_MODEL_INT_H

#include "base/bytes.h"
#include "base/map.h"
#include "dc/model.h"

#include <gapless/tl.h>

#define DC_NONE UINT32_MAX

/* Phone of an invented user, by its number. */
#define DC_USER_PHONE   "888%08u"
#define DC_PHONE_DIGITS 11
#define DC_PHONE_BYTES  16

/* dc_rec.flags */
#define DC_R_OUT    1U /* sent by an account */
#define DC_R_OUTBOX 2U
#define DC_R_PINNED 4U
#define DC_R_STORED                                                                                \
    8U                  /* blob is a struct dc_text; otherwise the text is invented anew each time \
                         */
#define DC_R_POISON 16U /* of an unknown constructor wherever it appears */
#define DC_R_CALL   32U /* a call of the account `from` caused it */
/** That constructor; it is in no layer. */
#define DC_UNKNOWN_ID 0x0bad0bad

/** What a client sent, and the random_id it came with. In the arena. */
struct dc_text {
    int64_t random_id;
    int64_t media_id;
    int64_t media_hash;
    uint32_t len;          /* of the text, which stands first in data */
    uint32_t entities_at;  /* then MessageEntity objects, aligned, */
    uint32_t entities_len; /* and right behind them a ReplyMarkup */
    uint32_t entity_count;
    uint32_t markup_len;
    uint32_t fwd_n; /* the new message that this one was forwarded from, 0 none */
    uint8_t media;  /* dc_media_t */
    uint8_t data[];
};

/** What a message holds beside its text. Views. */
struct dc_content {
    gap_bytes_t entities; /* MessageEntity objects, one after the other */
    uint32_t entity_count;
    uint32_t fwd_n;
    gap_bytes_t markup; /* a ReplyMarkup */
    dc_media_t media;
    int64_t media_id;
    int64_t media_hash;
};

/** One event. */
struct dc_rec {
    const void *blob; /* struct dc_text, or int32_t[pts_count] of deleted ids, or NULL */
    uint32_t account;
    uint32_t chat;
    uint32_t from; /* user */
    int32_t pts;
    int32_t pts_count;
    int32_t id;
    int32_t date;
    uint16_t chars; /* of an invented text */
    uint8_t kind;
    uint8_t flags;
    uint8_t box;
    uint8_t qts;
};

/** One message: the events that shaped it, 0 for none. */
struct dc_msg {
    uint32_t new_n;
    uint32_t edit_n; /* the last edit */
    uint32_t pin_n;  /* the last pin or unpin */
    uint32_t del_n;
    int32_t prev; /* id of the message before it in the same chat, 0 none */
};

/** Messages by id - 1. */
struct dc_store {
    struct dc_msg *msgs;
    uint32_t count;
    uint32_t cap;
};

/** The events of one box in order of pts. */
struct dc_log {
    uint32_t *ns;
    uint32_t count;
    uint32_t cap;
    int32_t pts;
};

struct dc_order;

struct dc_chat {
    int64_t id;
    struct dc_order *order; /* roles, slow mode (model_rights.c); NULL: none */
    uint32_t account;       /* owner, or DC_NONE: a channel */
    uint32_t user;          /* DC_USER: the other side */
    uint8_t type;           /* dc_peer_type_t */
    bool broadcast;
    int32_t top_id; /* last message, deleted ones included */
    int32_t out_id; /* last message sent by an account */
    int32_t read_in;
    int32_t read_out;
    uint32_t read_in_n; /* the last read event of either side */
    uint32_t read_out_n;
    uint32_t mark; /* epoch in which it was last named */
    int32_t date;  /* creation; in channels */
    /* channels only */
    int32_t last_date; /* of the last event */
    struct dc_log log;
    struct dc_store store;
    uint32_t *left; /* accounts that are not in it */
    uint32_t left_count;
    uint32_t left_cap;
};

/** A short text in the arena. */
struct dc_name {
    uint32_t len;
    uint8_t data[];
};

struct dc_account {
    int64_t id;
    bool bot;
    bool away;
    const struct dc_name *phone; /* of a person; the others have none of these */
    const struct dc_name *first_name;
    const struct dc_name *last_name; /* NULL: none */
    uint32_t groups;                 /* first of its basic groups among the chats */
    struct dc_log common;
    struct dc_log qts;
    struct dc_store store;
    uint32_t *dialogs; /* its private chats */
    uint32_t dialog_count;
    uint32_t dialog_cap;
    uint32_t mark; /* as a user */
};

/** A message that was sent with a random_id; chained where keys collide. In the arena. */
struct dc_sent {
    struct dc_sent *next;
    int64_t random_id;
    uint32_t account;
    uint32_t chat;
    uint32_t n;
};

struct dc_block {
    struct dc_block *next;
    size_t used;
    size_t cap;
    uint8_t data[];
};

#define DC_CHUNK 4096U /* events a chunk */

struct dc_model {
    const gap_alloc_t *alloc;
    dc_options_t options;
    struct dc_rec **chunks;
    uint32_t chunk_count;
    uint32_t chunk_cap;
    uint32_t event_count;
    struct dc_chat *chats; /* the channels first */
    uint32_t chat_count;
    uint32_t chat_cap;
    struct dc_account *accounts;
    uint32_t account_count;
    uint32_t away_count; /* of them */
    uint32_t account_cap;
    uint32_t *user_marks;     /* invented users */
    gap_map_t account_by_id;  /* index + 1 */
    gap_map_t private_by_key; /* chat index + 1 */
    gap_map_t sent_by_key;
    gap_map_t bucket_by_key; /* model_flood.c */
    dc_flood_rule_t floods[DC_FLOOD_RULES_MAX];
    uint32_t flood_count;
    gap_map_t reaction_by_key;
    gap_buf_t entities; /* of the call being answered */
    char error[40];     /* of the last call, where it has a number */
    struct dc_block *arena;
    uint32_t epoch;
    uint32_t *seen_users; /* named by the object being built */
    uint32_t seen_user_count;
    uint32_t seen_user_cap;
    uint32_t *seen_chats;
    uint32_t seen_chat_count;
    uint32_t seen_chat_cap;
    int32_t scratch_id;                /* what dc_event_t.ids points to for a single one */
    uint8_t scratch[DC_TEXT_MAX + 32]; /* the text asked for last; room to copy whole words */
};

/* --- model.c --- */

/** Make room for one more element of @p size bytes. @return 0; GAP_E_NOMEM. */
GAP_NODISCARD int dc_grow(const gap_alloc_t *alloc, void **items, uint32_t *cap, uint32_t count,
                          size_t size);
/** Bytes that live as long as the model, aligned to 8. NULL: out of memory. */
GAP_NODISCARD void *dc_arena(dc_model_t *m, size_t size);
/** Seconds on the wire; never 0, which clients take for "unset". */
int32_t dc_date(int64_t now_us);
/** @return the index of an account, or DC_NONE. */
uint32_t dc_account_index(const dc_model_t *m, int64_t id);
/** @return the index of a user, account or invented, or DC_NONE. */
uint32_t dc_user_index(const dc_model_t *m, int64_t id);
/** Id of a user. */
int64_t dc_user_id(const dc_model_t *m, uint32_t user);
/** @return index of a channel, or DC_NONE. */
uint32_t dc_channel_index(const dc_model_t *m, int64_t id);
/** @return index of a basic group of this account, or DC_NONE. */
uint32_t dc_group_index(const dc_model_t *m, uint32_t account, int64_t id);
/** The private chat of an account and a user; made if there is none yet.
 * @return 0; GAP_E_NOT_FOUND the user is an account; GAP_E_NOMEM. */
GAP_NODISCARD int dc_private_chat(dc_model_t *m, uint32_t account, uint32_t user, uint32_t *out);
/** Is the account in this channel? */
bool dc_is_member(const struct dc_chat *channel, uint32_t account);
/** The access hash of a peer as this account sees it. */
int64_t dc_hash_of(const dc_model_t *m, uint32_t account, dc_peer_type_t type, int64_t id);

/* --- model_event.c --- */

/** What dc_commit makes an event of. */
struct dc_draft {
    dc_kind_t kind;
    uint32_t account; /* DC_NONE in channel boxes */
    uint32_t chat;    /* DC_NONE: several */
    uint32_t from;    /* user, or DC_NONE */
    int32_t id;
    const int32_t *ids;
    uint32_t ids_count;
    gap_bytes_t text;
    const struct dc_content *content; /* with a text; NULL: nothing but that */
    int64_t random_id;
    uint8_t flags;
    dc_qts_t qts;
};

/** Make it happen; everything named exists. @return 0; GAP_E_NOMEM or GAP_E_LIMIT (the box is
 * full): nothing happened. */
GAP_NODISCARD int dc_commit(dc_model_t *m, const struct dc_draft *d, int64_t now_us,
                            uint32_t *out_n);
/** The record of an event. */
struct dc_rec *dc_rec_at(const dc_model_t *m, uint32_t n);
/** The store that the messages of a chat are in. */
struct dc_store *dc_store_of(dc_model_t *m, const struct dc_chat *chat);
/** @return the message, or NULL: never existed. */
struct dc_msg *dc_msg_at(const struct dc_store *store, int32_t id);
/** @return the message if it is alive and in that chat, or NULL. */
struct dc_msg *dc_msg_in(dc_model_t *m, uint32_t chat, int32_t id);
/** The last message of a chat that is still there; 0 none. */
int32_t dc_top_message(dc_model_t *m, const struct dc_chat *chat);
/** The event that holds the present text of a message. */
static inline uint32_t dc_msg_text_n(const struct dc_msg *msg)
{
    return msg->edit_n != 0 ? msg->edit_n : msg->new_n;
}
/** Text of a new message or an edit; valid until the next text is asked for. */
gap_bytes_t dc_text_of(dc_model_t *m, uint32_t n);
/** Query id of a callback query. */
int64_t dc_query_id(const dc_model_t *m, uint32_t n);
/** Name of the constructor of a qts event. */
const char *dc_qts_name(dc_qts_t qts);
/** Index in a log of the first event that ends above @p pts. */
uint32_t dc_log_after(const dc_model_t *m, const struct dc_log *log, int32_t pts);

/* --- model_write.c: TL objects for one account in one layer --- */

/** A writer; after a failure it does nothing more. */
typedef struct dc_writer {
    dc_model_t *m;
    gap_buf_t *buf;
    const struct dc_layer *layer;
    uint32_t account;
    bool phones;    /* users come with their phones, not only the account itself */
    uint32_t min_n; /* a push: the event that min peers are drawn by; 0: all are complete */
    int result;     /* 0 or GAP_E_NOMEM */
    size_t start;
} dc_writer_t;

/** Begin an object; forgets which peers were named. */
void dc_writer_init(dc_writer_t *w, dc_model_t *m, const dc_view_t *view, uint32_t account,
                    gap_buf_t *buf);
/** End it. @return 0; GAP_E_NOMEM and the buffer is as it was. */
GAP_NODISCARD int dc_writer_end(dc_writer_t *w);
/** Make room. @return false: out of memory, now or before. */
static inline bool dc_room(dc_writer_t *w, size_t n)
{
    if (w->result == 0 && w->buf->cap - w->buf->len < n) w->result = gap_buf_reserve(w->buf, n);
    return w->result == 0;
}
static inline void dc_put32(dc_writer_t *w, uint32_t v)
{
    if (!dc_room(w, sizeof v)) return;
    gap_store32(w->buf->data + w->buf->len, v);
    w->buf->len += sizeof v;
}
static inline void dc_put64(dc_writer_t *w, uint64_t v)
{
    if (!dc_room(w, sizeof v)) return;
    gap_store64(w->buf->data + w->buf->len, v);
    w->buf->len += sizeof v;
}
void dc_put_string(dc_writer_t *w, gap_bytes_t s);
/** Bytes that are TL already. */
void dc_put_bytes(dc_writer_t *w, gap_bytes_t b);
/** How many of the entities the writer's layer has. */
uint32_t dc_count_entities(const dc_writer_t *w, const struct dc_content *content);
/** Vector<MessageEntity> of them. @param count As counted. */
void dc_put_entities(dc_writer_t *w, const struct dc_content *content, uint32_t count);
/** Vector id and a count to be patched by dc_vector_end. @return where the count is. */
size_t dc_vector_begin(dc_writer_t *w);
void dc_vector_end(dc_writer_t *w, size_t at, uint32_t count);
/** Name a user or chat: dc_put_users and dc_put_chats will describe it. */
void dc_see_user(dc_writer_t *w, uint32_t user);
void dc_see_chat(dc_writer_t *w, uint32_t chat);
void dc_put_user(dc_writer_t *w, uint32_t user);
void dc_put_chat(dc_writer_t *w, uint32_t chat);
/** Vector<User> and Vector<Chat> of all that was named. */
void dc_put_users(dc_writer_t *w);
void dc_put_chats(dc_writer_t *w);
void dc_put_peer(dc_writer_t *w, uint32_t chat);
/** A message as it was after event @p text_n (its new_message event or one of its edits).
 * @param pin_n The pin or unpin that it shows; 0 none. */
void dc_put_message(dc_writer_t *w, uint32_t new_n, uint32_t text_n, uint32_t pin_n);
/** A message as it is now, or messageEmpty. */
void dc_put_message_now(dc_writer_t *w, const struct dc_store *store, int32_t id);
/** updateMessageID. */
void dc_put_message_id(dc_writer_t *w, int32_t id, int64_t random_id);
/** updateChannelTooLong, with the channel's pts. */
void dc_put_too_long(dc_writer_t *w, uint32_t chat);
/** The update of an event as it was pushed, but with this pts and count in its box. */
void dc_put_update(dc_writer_t *w, uint32_t n, int32_t pts, int32_t pts_count);
/** The dialog of a chat. */
void dc_put_dialog(dc_writer_t *w, uint32_t chat);
/** Vector<ForumTopic> of none, in layers that have it at messages.messages. */
void dc_put_messages_head(dc_writer_t *w, uint32_t chat, uint32_t total);
void dc_put_messages_topics(dc_writer_t *w, uint32_t chat);

/* --- model_diff.c, model_send.c, model_get.c: the calls --- */

/** One call being answered. */
typedef struct dc_call {
    dc_model_t *m;
    const dc_view_t *view;
    uint32_t account;
    gap_bytes_t method;
    int64_t now_us;
    dc_answer_t *answer;
} dc_call_t;

/** Set an rpc_error. @return DC_RPC_ERROR. */
int dc_fail(dc_call_t *c, int32_t code, const char *error);
/** The result of a gap_tl_read as an rpc_error. @return DC_RPC_ERROR. */
int dc_fail_read(dc_call_t *c);

/* --- model_text.c: what a message holds --- */

/** Is it UTF-8 and of a length that may be? Each returns 0; DC_RPC_ERROR, set; GAP_E_NOMEM. */
GAP_NODISCARD int dc_check_text(dc_call_t *c, gap_bytes_t text, bool is_caption);
/** The entities of a request; the views last until the next call. */
GAP_NODISCARD int dc_take_entities(dc_call_t *c, gap_tl_vector_t vector, gap_bytes_t text,
                                   struct dc_content *content);
GAP_NODISCARD int dc_take_media(dc_call_t *c, gap_tl_object_t media, struct dc_content *content);
/** What a message holds after this event, a new message or an edit. Views into the arena. */
void dc_content_of(const dc_model_t *m, uint32_t n, struct dc_content *out);
/** Would a client show them alike? */
bool dc_same_content(const struct dc_content *a, const struct dc_content *b);

/* --- model_send.c: what the calls that change something share --- */

/** A draft of something that the caller does. */
struct dc_draft dc_own_draft(const dc_call_t *c, dc_kind_t kind, uint32_t chat);
/** dc_commit, noted in the answer. */
GAP_NODISCARD int dc_commit_own(dc_call_t *c, const struct dc_draft *d, uint32_t *n);
/** `updates` with one event. @return 0; GAP_E_NOMEM; so do the next two. */
GAP_NODISCARD int dc_answer_event(dc_call_t *c, uint32_t n);
GAP_NODISCARD int dc_answer_affected(dc_call_t *c, int32_t pts, int32_t count);
GAP_NODISCARD int dc_answer_true(dc_call_t *c);

/* --- model_rights.c, model_flood.c: what may be done --- */

/** Carry out what the options say. @return 0; GAP_E_ARGUMENT; GAP_E_NOMEM. */
GAP_NODISCARD int dc_house_rules(dc_model_t *m);
/** Never DC_ROLE_UNSET. */
dc_role_t dc_role_in(const dc_model_t *m, uint32_t chat, uint32_t account);
/** May the account delete this message of this channel? */
bool dc_may_delete(const dc_call_t *c, uint32_t chat, const struct dc_msg *msg);
/** A message has been sent. */
void dc_slow_note(dc_call_t *c, uint32_t chat);
/** Error 420 NAME_X with the whole seconds of @p us. @return DC_RPC_ERROR. */
int dc_wait_error(dc_call_t *c, const char *name, int64_t us);
/* Each returns 0; DC_RPC_ERROR, already set; GAP_E_NOMEM. */
GAP_NODISCARD int dc_flood_check(dc_call_t *c, uint32_t method);
GAP_NODISCARD int dc_may_write(dc_call_t *c, uint32_t chat);
GAP_NODISCARD int dc_slow_check(dc_call_t *c, uint32_t chat, uint32_t messages);
GAP_NODISCARD int dc_may_pin(dc_call_t *c, uint32_t chat);
GAP_NODISCARD int dc_may_edit(dc_call_t *c, uint32_t chat, const struct dc_msg *msg);

/* What a request names. Each returns 0; DC_RPC_ERROR, already set; GAP_E_NOMEM. */
GAP_NODISCARD int dc_input_channel(dc_call_t *c, gap_tl_object_t channel, uint32_t *out);
GAP_NODISCARD int dc_input_peer(dc_call_t *c, gap_tl_object_t peer, uint32_t *out);
GAP_NODISCARD int dc_input_user(dc_call_t *c, gap_tl_object_t user, uint32_t *out);
/** @param ids Room for DC_IDS_MAX. */
GAP_NODISCARD int dc_input_ids(dc_call_t *c, gap_tl_vector_t vector, int32_t *ids,
                               uint32_t *out_count);

GAP_NODISCARD int dc_get_state(dc_call_t *c);
GAP_NODISCARD int dc_get_difference(dc_call_t *c);
GAP_NODISCARD int dc_get_channel_difference(dc_call_t *c);

GAP_NODISCARD int dc_send_message(dc_call_t *c);
GAP_NODISCARD int dc_send_media(dc_call_t *c);
GAP_NODISCARD int dc_forward_messages(dc_call_t *c);
GAP_NODISCARD int dc_send_reaction(dc_call_t *c);
GAP_NODISCARD int dc_edit_message(dc_call_t *c);
GAP_NODISCARD int dc_delete_messages(dc_call_t *c);
GAP_NODISCARD int dc_channel_delete_messages(dc_call_t *c);
GAP_NODISCARD int dc_read_history(dc_call_t *c);
GAP_NODISCARD int dc_channel_read_history(dc_call_t *c);
GAP_NODISCARD int dc_set_typing(dc_call_t *c);
GAP_NODISCARD int dc_pin_message(dc_call_t *c);
GAP_NODISCARD int dc_answer_callback(dc_call_t *c);

GAP_NODISCARD int dc_get_full_user(dc_call_t *c);
GAP_NODISCARD int dc_get_full_channel(dc_call_t *c);
GAP_NODISCARD int dc_get_full_chat(dc_call_t *c);
GAP_NODISCARD int dc_get_history(dc_call_t *c);
GAP_NODISCARD int dc_get_messages(dc_call_t *c);
GAP_NODISCARD int dc_channel_get_messages(dc_call_t *c);
GAP_NODISCARD int dc_get_channels(dc_call_t *c);
GAP_NODISCARD int dc_get_chats(dc_call_t *c);
GAP_NODISCARD int dc_get_users(dc_call_t *c);
GAP_NODISCARD int dc_get_dialogs(dc_call_t *c);
GAP_NODISCARD int dc_resolve_username(dc_call_t *c);
GAP_NODISCARD int dc_resolve_phone(dc_call_t *c);

#endif
