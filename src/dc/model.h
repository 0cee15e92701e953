/*
 * dc/model.h - the world behind the simulated data centre: accounts, users, chats, channels, their
 * messages, and one log of events per box, from which pushes, differences and the answers to API
 * calls are made.
 *
 * Pure: no clock, no socket, no thread, no callback but the allocator; time is an argument
 * (microseconds since 1970, any zero will do in a virtual world). The same options, calls and
 * times give the same bytes. The program, the virtual world and the benches all use this module.
 *
 * What happens is an event with a number n (1, 2, 3, ...). An event lies in one box: the common
 * box of an account (private chats and basic groups), its qts box, the box of a channel, or in
 * none. Every box starts at pts 1; an event ends at the pts before it plus its count. Private
 * chats and basic groups of one account share one ascending message id counter; each channel has
 * its own. Every account is a member of every channel until it leaves; basic groups belong to one
 * account each, private chats to an account and one of the invented users.
 *
 * Typical use by a server, for each connection's account:
 *
 *     r = dc_traffic_next(&traffic, model, now_us, &n);            (something happened)
 *     dc_model_event(model, n, &event); dc_ledger_event(...);      (tell the ledger)
 *     if (dc_model_receives(model, n, account))
 *         r = dc_model_push(model, &view, &n, 1, &buf);            (Updates for that account)
 *
 *     r = dc_model_call(model, &view, method, now_us, &answer);    (a request came)
 */
#ifndef GAP_DC_MODEL_H
#define GAP_DC_MODEL_H

#include "base/buf.h"
#include "dc/model_rules.h"

/* Ids of what is invented: beyond 32 bits, and apart from the ids of bot tokens in use. */
#define DC_USER_ID_FIRST    870000000001
#define DC_PERSON_ID_FIRST  860000000000 /* and the last digits of the phone: persons */
#define DC_PERSON_IDS       100000
#define DC_CHANNEL_ID_FIRST 4200000001
#define DC_CHAT_ID_FIRST    800000001

/** Longest message text, bytes: the server's limit on characters times the longest character. */
#define DC_TEXT_MAX 16384
/** Longest text in characters. */
#define DC_TEXT_CHARS_MAX 4096
/** Longest caption in characters. */
#define DC_CAPTION_CHARS_MAX 1024
/** Most entities of one message. */
#define DC_ENTITIES_MAX 100
/** Most ids that one call may name. */
#define DC_IDS_MAX 200
/** How long a person may edit a message, as far as is known. */
#define DC_EDIT_WINDOW_S 172800
/** Most messages that one call forwards. */
#define DC_FORWARD_MAX 100

typedef enum dc_kind {
    DC_NEW_MESSAGE = 0,
    DC_EDIT_MESSAGE,
    DC_DELETE_MESSAGES,
    DC_PIN,
    DC_READ,
    DC_QTS,
    DC_CALLBACK_QUERY,
    DC_STATUS,
    DC_KINDS
} dc_kind_t;

#define DC_KINDS_ALL ((1U << DC_KINDS) - 1)

/** Name of a kind as on the command line and in the ledger ("new_message"). */
const char *dc_kind_name(dc_kind_t kind);
/**
 * Read a comma-separated list of kind names into a bit set (1 << kind).
 * @return 0; GAP_E_ARGUMENT an unknown name or an empty list.
 */
GAP_NODISCARD int dc_kinds_parse(const char *list, uint32_t *out);

typedef enum dc_box { DC_BOX_COMMON, DC_BOX_QTS, DC_BOX_CHANNEL, DC_BOX_NONE } dc_box_t;
typedef enum dc_peer_type { DC_NOBODY, DC_USER, DC_CHAT, DC_CHANNEL } dc_peer_type_t;
/** The qts events that are made here. */
typedef enum dc_qts {
    DC_QTS_BOT_STOPPED,
    DC_QTS_CHAT_PARTICIPANT,
    DC_QTS_CHANNEL_PARTICIPANT,
    DC_QTS_MESSAGE_REACTION,
    DC_QTS_MESSAGE_REACTIONS,
    DC_QTS_TYPES
} dc_qts_t;

/** Media is known by its id; what is behind it is nobody's business here. */
typedef enum dc_media { DC_MEDIA_NONE, DC_MEDIA_PHOTO, DC_MEDIA_DOCUMENT } dc_media_t;

typedef struct dc_peer {
    dc_peer_type_t type;
    int64_t id; /* bare id, as in peerUser, peerChat, peerChannel */
} dc_peer_t;

typedef struct dc_options {
    uint64_t seed;
    uint32_t channels;       /* default 200; every fourth is a broadcast, the others supergroups */
    uint32_t users;          /* invented users, default 50, at least 1 */
    uint32_t groups;         /* basic groups of each account, default 5 */
    uint32_t slice;          /* events in one common difference, default 100, at least 1 */
    uint32_t channel_slice;  /* events in one channel difference, default 100, at least 1 */
    uint32_t difference_max; /* further behind than this many pts is too long; default 1000000 */
    uint32_t channel_diff_max; /* the same for channels, whatever limit is asked; default 100000 */
    uint32_t timeout_s;        /* of a channel difference: when to poll an open channel again;
                                  default 30 */
    uint32_t text_min;         /* characters of invented texts, default 20 */
    uint32_t text_max;         /* default 120, at most DC_TEXT_CHARS_MAX */
    uint32_t short_percent;    /* of texts in private chats and groups by a user seen there:
                                  pushed in a short form; default 0 */
    uint32_t min_percent;      /* of the users and channels in pushes: min ones; default 0 */
    uint32_t edit_window_s;    /* persons may edit for so long, but not where they are admins of a
                                  channel; default DC_EDIT_WINDOW_S */
    bool edit_window_all;      /* and so may bots and admins; default false */
    uint32_t house_count;
    dc_house_rule_t houses[DC_HOUSE_RULES_MAX]; /* roles and slow mode, default none */
    uint32_t flood_count;
    dc_flood_rule_t floods[DC_FLOOD_RULES_MAX]; /* default none */
    bool long_sent;                             /* sendMessage to a user answers Updates instead of
                                                   updateShortSentMessage; default false */
} dc_options_t;

/** Is the channel with this index from 0 a broadcast? Every fourth is; others are supergroups. */
bool dc_is_broadcast(uint32_t index);
/** Fill in the defaults. */
void dc_options_init(dc_options_t *o);

typedef struct dc_model dc_model_t;

/**
 * Create a world without accounts or events.
 * @param alloc Must outlive the world. @param o Copied.
 * @return 0; GAP_E_ARGUMENT options out of range; GAP_E_NOMEM.
 */
GAP_NODISCARD int dc_model_new(const gap_alloc_t *alloc, const dc_options_t *o, dc_model_t **out);
/** Free everything. @param m May be NULL. */
void dc_model_free(dc_model_t *m);
/** The options it was made with. */
const dc_options_t *dc_model_options(const dc_model_t *m);

/** Limits on differences that may be changed at any time; the same as in the options, but the
 * _max may be 0: whoever is behind is too far behind. */
typedef struct dc_limits {
    uint32_t slice;
    uint32_t channel_slice;
    uint32_t difference_max;
    uint32_t channel_diff_max;
    uint32_t timeout_s;
} dc_limits_t;

void dc_model_limits(const dc_model_t *m, dc_limits_t *out);
void dc_model_limit(dc_model_t *m, const dc_limits_t *limits);

/* --- accounts ------------------------------------------------------------------------------ */

/**
 * Make sure that an account exists (a bot signs in: the id before the colon of its token). A new
 * one is a member of every channel, has its own basic groups and empty boxes at pts 1.
 * @param id > 0. @param now_us Becomes the date of its groups.
 * @return 0 created; 1 it was there already; GAP_E_ARGUMENT the id is that of an invented user, or
 * for a bot that of a person, or not positive; GAP_E_LIMIT a hundred thousand accounts;
 * GAP_E_NOMEM.
 */
GAP_NODISCARD int dc_model_account(dc_model_t *m, int64_t id, bool bot, int64_t now_us);
/** What is known of a person. Views. */
typedef struct dc_person {
    gap_bytes_t phone; /* digits */
    gap_bytes_t first_name;
    gap_bytes_t last_name; /* may be empty */
} dc_person_t;

/** As dc_model_account for a person, whose names and phone (copied) are those of the first time.
 * @return as dc_model_account. */
GAP_NODISCARD int dc_model_person(dc_model_t *m, int64_t id, const dc_person_t *person,
                                  int64_t now_us);
/** Is this account a bot? false for who has no account. */
bool dc_model_is_bot(const dc_model_t *m, int64_t id);
/** An account that is away lives in another data centre: no traffic is made for it while there are
 * others. Nothing happens to who has no account. */
void dc_model_away(dc_model_t *m, int64_t id, bool is_away);
bool dc_model_is_away(const dc_model_t *m, int64_t id);
size_t dc_model_account_count(const dc_model_t *m);
/** @param index Below the count, in order of creation. @return the id. */
int64_t dc_model_account_at(const dc_model_t *m, size_t index);
/** Take an account out of a channel: it gets no more events of it and CHANNEL_PRIVATE.
 * @return 0; GAP_E_NOT_FOUND no such account or channel; GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_leave(dc_model_t *m, int64_t account, int64_t channel);
/** Undo dc_model_leave. @return 0; GAP_E_NOT_FOUND. */
GAP_NODISCARD int dc_model_join(dc_model_t *m, int64_t account, int64_t channel);
/** What may be done in a channel, or in a basic group of the account. @param account 0: everybody
 * who is not named (channels only). @return 0; GAP_E_NOT_FOUND; GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_role(dc_model_t *m, int64_t account, dc_peer_t chat, dc_role_t role);
/** Between two messages of who is no admin of the supergroup so much time must pass; 0: none.
 * @return 0; GAP_E_NOT_FOUND; GAP_E_ARGUMENT it is a broadcast; GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_slow_mode(dc_model_t *m, int64_t channel, uint32_t seconds);
/** The user takes no more messages of the account, or takes them again. @return 0;
 * GAP_E_NOT_FOUND; GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_block(dc_model_t *m, int64_t account, int64_t user, bool blocks);
/** Messages may be edited for so long, by anybody; 0: as in the beginning. */
void dc_model_edit_window(dc_model_t *m, uint32_t seconds);
/** @return the constructor of the method of this name; 0: there is none. */
uint32_t dc_method_id(gap_bytes_t name);
/** One more rule for calls to come. @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT DC_FLOOD_RULES_MAX. */
GAP_NODISCARD int dc_model_flood_rule(dc_model_t *m, const dc_flood_rule_t *rule);
/** There are no such rules any more. */
void dc_model_end_floods(dc_model_t *m);
/** The access hash of a user or channel as @p account knows it; never 0. */
int64_t dc_model_access_hash(const dc_model_t *m, int64_t account, dc_peer_t peer);

/* --- events -------------------------------------------------------------------------------- */

/** What is to happen. Zero what a kind doesn't use. */
typedef struct dc_spec {
    dc_kind_t kind;
    int64_t account;    /* whose box; 0 where the chat is a channel, except kinds without its box */
    dc_peer_t chat;     /* all kinds but some qts */
    int64_t from;       /* new_message: the sender (0: the chat's user, or the channel itself);
                           qts, callback_query: who did it */
    int32_t id;         /* edit, pin, callback_query: the message. read: max_id */
    const int32_t *ids; /* delete_messages: borrowed; alive messages of one store */
    uint32_t ids_count; /* 1..DC_IDS_MAX */
    gap_bytes_t text;   /* new, edit: UTF-8, copied. NULL data: invented from seed and n, with len
                           characters (0: drawn between text_min and text_max) */
    bool outbox;        /* read: by the other side */
    bool pinned;        /* pin: pinned or unpinned */
    dc_qts_t qts;       /* qts: which constructor */
    bool poison;        /* no client can decode it: its update and its message are of an unknown
                           constructor in pushes, differences and all other answers */
} dc_spec_t;

/**
 * Make one event happen: it gets the next n, its place in its box, and changes the stores.
 * @return 0; GAP_E_NOT_FOUND no such account, chat, user or (alive) message; GAP_E_ARGUMENT the
 * spec contradicts itself; GAP_E_NOMEM (nothing happened).
 */
GAP_NODISCARD int dc_model_add(dc_model_t *m, const dc_spec_t *spec, int64_t now_us,
                               uint32_t *out_n);

/** An event, resolved. Views are valid until the next call with this model. */
typedef struct dc_event {
    uint32_t n;
    dc_kind_t kind;
    dc_box_t box;
    int64_t account; /* 0 in channel boxes */
    dc_peer_t chat;  /* DC_NOBODY: messages of several chats deleted at once */
    int32_t pts;     /* after the event; qts in the qts box; 0 in none */
    int32_t pts_count;
    int32_t id; /* the message; 0 where there is none or several */
    const int32_t *ids;
    uint32_t ids_count; /* delete and pin: at least 1 */
    int32_t max_id;     /* read */
    int32_t date;       /* seconds */
    int64_t from;       /* 0: the channel itself */
    int64_t random_id;  /* new_message that an account sent; else 0 */
    int64_t query_id;   /* callback_query; below 2^53 */
    const char *qts;    /* name of the constructor */
    gap_bytes_t text;   /* new and edit: as it was then */
    dc_media_t media;   /* likewise, */
    int64_t media_id;   /* and which one */
    uint32_t entities;  /* how many, */
    gap_bytes_t marks;  /* and they themselves, one behind the other */
    uint32_t fwd_n;     /* new_message: the event that created what was forwarded; 0 none */
    bool out;           /* new_message: sent by an account here */
    bool outbox;        /* read */
    bool pinned;        /* pin */
    bool poison;        /* no client can decode it */
    bool by_call;       /* a call of `from`, an account, caused it */
} dc_event_t;

/** Events so far: n runs from 1 to this. */
uint32_t dc_model_event_count(const dc_model_t *m);
/** Look at one. @param n 1..count. @param out Filled. */
void dc_model_event(dc_model_t *m, uint32_t n, dc_event_t *out);
/** Does this account get this event (its own box, or a channel that it is in)? */
bool dc_model_receives(const dc_model_t *m, uint32_t n, int64_t account);
/** Current values of an account's boxes. @return 0; GAP_E_NOT_FOUND. */
GAP_NODISCARD int dc_model_state(const dc_model_t *m, int64_t account, int32_t *pts, int32_t *qts);
/** Current pts of a channel; 0 if there is no such channel. */
int32_t dc_model_channel_pts(const dc_model_t *m, int64_t channel);

/* --- what an account sees ------------------------------------------------------------------ */

/** Who asks. */
typedef struct dc_view {
    int64_t account; /* must exist */
    int32_t layer;   /* the API layer to answer in */
    int32_t seq;     /* last container seq sent to this auth key; 0 none yet */
} dc_view_t;

#define DC_SEQ_USED 1

/**
 * Append one boxed Updates object that pushes events to an account: `updates` with complete users
 * and chats; a lone status as `updateShort`; a lone text in a private chat or group perhaps as
 * `updateShortMessage` or `updateShortChatMessage`.
 * @param ns     Event numbers in the order wanted; the account must receive each.
 * @param count  At least 1. A status must be alone.
 * @param out    Appended to.
 * @return 0; DC_SEQ_USED the object holds an update without a box and carries seq view->seq + 1,
 * which is now the auth key's last; GAP_E_NOMEM (nothing appended).
 */
GAP_NODISCARD int dc_model_push(dc_model_t *m, const dc_view_t *view, const uint32_t *ns,
                                size_t count, gap_buf_t *out);
/** Append updateChannelTooLong for one channel in an `updates` container.
 * @return 0; GAP_E_NOT_FOUND; GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_push_too_long(dc_model_t *m, const dc_view_t *view, int64_t channel,
                                         int64_t now_us, gap_buf_t *out);
/** The same with updateChannel: something about the account's place in it has changed. */
GAP_NODISCARD int dc_model_push_channel(dc_model_t *m, const dc_view_t *view, int64_t channel,
                                        int64_t now_us, gap_buf_t *out);
/** Append updatePtsChanged, as updateShort. @return 0; GAP_E_NOT_FOUND; GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_push_reset(dc_model_t *m, const dc_view_t *view, int64_t now_us,
                                      gap_buf_t *out);
/** Forget the events of a box (a channel's, or with 0 the common one of @p account) and let it go
 * on from @p pts. @return 0; GAP_E_NOT_FOUND; GAP_E_ARGUMENT pts below 1. */
GAP_NODISCARD int dc_model_reset(dc_model_t *m, int64_t account, int64_t channel, int32_t pts);
/** Append the account's own User object (for auth.authorization). @return 0; GAP_E_NOT_FOUND;
 * GAP_E_NOMEM. */
GAP_NODISCARD int dc_model_self(dc_model_t *m, const dc_view_t *view, gap_buf_t *out);

/** What a difference covered in one box, for the ledger. */
typedef struct dc_range {
    dc_box_t box;
    int64_t channel;
    int32_t from; /* pts asked from */
    int32_t to;   /* pts that the answer leads to */
} dc_range_t;

typedef struct dc_answer {
    gap_buf_t body;       /* the boxed result (vectors included), without rpc_result around it */
    int32_t error_code;   /* DC_RPC_ERROR: 400, 403, ... */
    const char *error;    /* DC_RPC_ERROR, like "CHANNEL_PRIVATE"; until the next call */
    const char *method;   /* name in the schema; static, never NULL after a call */
    int64_t channel;      /* the channel that the method names, or 0 */
    int32_t id;           /* the message that a send created, now or when it came first; else 0 */
    uint32_t first_n;     /* events that the call caused: already in its result for the calling */
    uint32_t count;       /* session, to be pushed to every other one */
    dc_range_t ranges[2]; /* differences: what was covered: common and qts, or one channel */
    uint32_t range_count;
    uint32_t *folded; /* events of ranges[0] whose own update was not contained, ascending */
    uint32_t folded_count;
    uint32_t folded_cap;
} dc_answer_t;

/** What a request is about, as far as its bytes say. */
typedef struct dc_about {
    dc_peer_t peer;  /* DC_NOBODY: it is made in no chat */
    int64_t channel; /* the channel that it is about, also one that it only asks about; or 0 */
    int32_t id;      /* the one message that it names: edit, pin, reaction; else 0 */
    int32_t max_id;  /* reads */
    uint32_t random_count; /* of what it creates; 0: it creates nothing */
    int64_t random_ids[DC_FORWARD_MAX];
} dc_about_t;

/** Look into one boxed method of the schema; what can't be read is about nothing. Pure. */
void dc_about(gap_bytes_t method, dc_about_t *out);

/** @param alloc Must outlive it. */
void dc_answer_init(dc_answer_t *a, const gap_alloc_t *alloc);
/** Safe twice. */
void dc_answer_fini(dc_answer_t *a);

#define DC_RPC_ERROR 1
#define DC_NOT_MINE  2

/**
 * Answer one API method, already taken out of invokeWithLayer and its kind. The account is signed
 * in: whether it is, is the server's business. Methods known: updates.getState, getDifference,
 * getChannelDifference; messages.sendMessage, sendMedia, forwardMessages, editMessage,
 * deleteMessages, readHistory, sendReaction, getHistory, getMessages, getDialogs, getChats,
 * setTyping, updatePinnedMessage, setBotCallbackAnswer; channels.deleteMessages, readHistory,
 * getMessages, getChannels; users.getUsers; contacts.resolveUsername, resolvePhone.
 *
 * @param method  One boxed method; borrowed.
 * @param answer  Cleared first, then filled.
 * @return 0 answer->body is the result; DC_RPC_ERROR with error_code and error set (malformed
 * arguments too); DC_NOT_MINE not a method of this module; GAP_E_NOMEM (state may have changed as
 * far as first_n and count tell).
 */
GAP_NODISCARD int dc_model_call(dc_model_t *m, const dc_view_t *view, gap_bytes_t method,
                                int64_t now_us, dc_answer_t *answer);

#endif
