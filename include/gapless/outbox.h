/*
 * gapless/outbox.h - messages that go out once: written into the user's own database inside the
 * user's own transaction, sent later by a running client, within Telegram's limits; and posts,
 * which are sent once and edited when their content changes.
 *
 *     BEGIN IMMEDIATE; your rows; gap_outbox_enqueue(db, ...); COMMIT     any process, any thread
 *              |
 *     gap_outbox_wake, or a look at the database every 100 ms
 *              v
 *     ready -> leased -> sent                         a client with gap_client_config.outbox
 *       |        |  \--> unknown -> the same random_id again -> sent
 *       |        \----> snoozed (FLOOD_WAIT, SLOWMODE_WAIT, back-off, not_before) -> ready
 *       \-> cancelled    parked (needs people) | dead (given up)
 *
 * Rows of one chat go out one after the other, in the order in which they were committed; chats go
 * side by side. A random_id is drawn when a row is written and never changes, so that the server
 * itself removes a double. The tables' names begin with gapless_outbox; they lie in the main
 * database of the connection, which has to be the file that the client's storage is in
 * (gap_storage_sqlite). They are made when they are first needed.
 *
 * Functions that take a `struct sqlite3 *` run on the calling thread, which is the one that may use
 * that connection; they begin and end no transaction, install no hook, keep no statement. Times are
 * microseconds of the wall clock since 1970. A chat is written into the tables as one number: a
 * user's id, minus a basic group's, -1000000000000 minus a channel's.
 */
#ifndef GAPLESS_OUTBOX_H
#define GAPLESS_OUTBOX_H

#include <gapless/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a row asks for. Numbers are stable: they are on disk. */
typedef enum gap_outbox_kind {
    GAP_OUTBOX_SEND = 1,   /* a text: messages.sendMessage */
    GAP_OUTBOX_MEDIA = 2,  /* media that Telegram has already, with a caption: messages.sendMedia */
    GAP_OUTBOX_EDIT = 3,   /* messages.editMessage */
    GAP_OUTBOX_DELETE = 4, /* messages.deleteMessages, channels.deleteMessages */
    GAP_OUTBOX_FORWARD = 5, /* messages.forwardMessages */
    GAP_OUTBOX_PIN = 6,     /* messages.updatePinnedMessage */
    GAP_OUTBOX_READ = 7,    /* messages.readHistory, channels.readHistory */
    GAP_OUTBOX_REACT = 8,   /* messages.sendReaction */
    GAP_OUTBOX_RAW = 9,     /* any method, as bytes */
    GAP_OUTBOX_POST = 10    /* a post is to be brought up to date; written by gap_post_upsert */
} gap_outbox_kind_t;

/** How urgent. A chat's place is that of its oldest row. Numbers are stable. */
typedef enum gap_outbox_class {
    GAP_OUTBOX_AUTO = 0,  /* EDIT for edits, deletions, pins; REPLY for reads, reactions and what
                             answers a message; else BULK */
    GAP_OUTBOX_REPLY = 1, /* somebody waits for it */
    GAP_OUTBOX_EDITS = 2, /* what is published is to be put right */
    GAP_OUTBOX_BULK = 3   /* what is published; stops at PEER_FLOOD */
} gap_outbox_class_t;

/** Where a row is. Numbers are stable. */
typedef enum gap_outbox_state {
    GAP_OUTBOX_READY = 1,
    GAP_OUTBOX_SNOOZED = 2, /* until not_before_us */
    GAP_OUTBOX_LEASED = 3,  /* a client sends it now */
    GAP_OUTBOX_UNKNOWN = 4, /* was sent, the answer is not known: to be resolved first */
    GAP_OUTBOX_SENT = 5,    /* done */
    GAP_OUTBOX_PARKED = 6,  /* needs people: `reason` says why; gap_outbox_retry */
    GAP_OUTBOX_DEAD = 7,    /* given up: too many attempts, or past its deadline */
    GAP_OUTBOX_CANCELLED = 8
} gap_outbox_state_t;

/** May a call whose answer was lost be made again? Numbers are stable. */
typedef enum gap_replay {
    GAP_REPLAY_BY_KIND = 0,    /* not for GAP_OUTBOX_RAW */
    GAP_REPLAY_RANDOM_ID = 1,  /* yes: the server knows its random_id */
    GAP_REPLAY_IDEMPOTENT = 2, /* yes: twice is as once */
    GAP_REPLAY_PROBE = 3, /* only after gap_outbox_config.probe has said that it did not happen */
    GAP_REPLAY_NEVER = 4  /* no: the row is parked, people decide */
} gap_replay_t;

/** Markup of a text that is to be sent. */
typedef struct gap_outbox_entity {
    uint32_t id;       /* for instance GAP_TL_MESSAGE_ENTITY_BOLD; or GAP_POST_LINK */
    uint32_t offset;   /* UTF-16 code units */
    uint32_t length;   /* UTF-16 code units, at least 1 */
    gap_bytes_t value; /* TEXT_URL: the address; PRE: the language; GAP_POST_LINK: a post's key */
    int64_t number;    /* MENTION_NAME: a user's id; CUSTOM_EMOJI: the document's id; BLOCKQUOTE:
                          1 if it is collapsed */
} gap_outbox_entity_t;

/** In contents of posts: the text becomes a link to another post of this database as soon as that
 * one has a message; until then it is plain. No constructor of Telegram's. */
#define GAP_POST_LINK 1U

/** What a message holds. Borrowed; zero-initialise. */
typedef struct gap_outbox_content {
    gap_bytes_t text; /* UTF-8; up to 4096 UTF-16 code units, as a caption 1024 */
    const gap_outbox_entity_t *entities; /* ascending by offset, the outer one first */
    size_t entity_count;
    gap_tl_object_t media;  /* an InputMedia that needs no upload; without: a text */
    gap_tl_object_t markup; /* a ReplyMarkup; may be missing */
    bool no_preview;        /* of links */
    bool silent;            /* without a sound; sending, forwarding and pinning only */
    bool protect;           /* may not be forwarded; sending and forwarding only */
} gap_outbox_content_t;

/** A row to be written. Borrowed; zero-initialise, then set what the kind needs. */
typedef struct gap_outbox_item {
    gap_outbox_kind_t kind; /* not GAP_OUTBOX_POST */
    gap_outbox_class_t urgency;
    gap_peer_t chat;              /* RAW: whose turn it takes; may be GAP_PEER_NONE there */
    gap_outbox_content_t content; /* SEND, MEDIA, EDIT (the markup alone: it alone is changed);
                                     FORWARD: silent, protect; PIN: silent */
    int32_t reply_to;             /* SEND, MEDIA: a message of the chat; 0: none */
    int64_t reply_to_row;         /* the same, not sent yet: its row; 0: none */
    const int32_t *ids;           /* EDIT, PIN, REACT: one message; DELETE, FORWARD: up to 100 */
    size_t id_count;
    int64_t message_row;   /* EDIT, DELETE, PIN, REACT instead of ids: the message of that row */
    int32_t max_id;        /* READ: everything up to it; 0: everything */
    gap_peer_t from;       /* FORWARD: the chat that the messages are in */
    bool unpin;            /* PIN */
    bool for_me_only;      /* DELETE: not for the others (private chats, basic groups) */
    gap_bytes_t emoji;     /* REACT: the reaction; empty: take it back */
    gap_tl_object_t query; /* RAW: the call. A random_id of 0 in it is drawn */
    gap_replay_t replay;   /* RAW. GAP_E_ARGUMENT for plain mistakes: RANDOM_ID without a random_id,
                              IDEMPOTENT for what makes, invites or pays each time */
    int64_t random_id;     /* SEND, MEDIA: 0: drawn. One of yours is for one message: a second row
                              with it is not sent to that chat, but gets the message of the first.
                              FORWARD of several: always drawn */
    int64_t not_before_us; /* 0: at once */
    int64_t deadline_us;   /* not begun after it: dead; 0: none */
    gap_bytes_t key;       /* a name of yours, up to 255 bytes of UTF-8, none of them 0: a second
                              row with it is not written, as long as the first one is kept; empty:
                              none */
} gap_outbox_item_t;

/** gap_outbox_enqueue(): a row with this key is there already; nothing was written. */
#define GAP_OUTBOX_KNOWN 1

/**
 * Write a row inside the transaction that is open on @p db. With it, or not at all, it is sent.
 *
 * An edit of a message for which an edit waits that was not begun yet replaces that one's content
 * and keeps its place; an edit of a row that was not begun yet replaces that row's content; a
 * deletion of such a row cancels it. The row number that is given then is that of the older row,
 * which takes the key if it has none. If both have a key, so that each of them is known afterwards,
 * the edit waits in a row of its own behind that one, and so does the deletion, which has nothing
 * to do any more: edits of which the last one is enough are best written without a key. One
 * with a later not_before_us waits in a row of its own as well.
 *
 * @param db    Borrowed. A transaction is open: best one that began with BEGIN IMMEDIATE.
 * @param item  Copied.
 * @param row   Its number, ascending in the order of the commits; may be NULL.
 * @return 0; GAP_OUTBOX_KNOWN with *row set; GAP_E_STATE no transaction is open; GAP_E_ARGUMENT the
 *         item is incomplete, contradicts itself, names a row of another chat or one that makes no
 *         message, or its text is no UTF-8; GAP_E_LIMIT a text or list is too long; GAP_E_NOT_FOUND
 *         message_row or reply_to_row is not there, was cancelled or has made no message, or the
 *         library was built without SQLite; GAP_E_BUSY another connection writes: roll back and
 *         begin again; GAP_E_NEWER a newer version of the library made the tables; GAP_E_FOREIGN
 *         somebody else did; GAP_E_NOMEM; GAP_E_STORAGE; GAP_E_DAMAGED; GAP_E_LIBCRYPTO no
 *         random_id could be drawn; as gap_tl_size() for media, markup and query. After a failure
 *         the transaction is as before the call, if SQLite says so.
 */
GAP_API GAP_NODISCARD int gap_outbox_enqueue(struct sqlite3 *db, const gap_outbox_item_t *item,
                                             int64_t *row);
/** The same for many, in less time: statements are prepared once. All or none are written.
 * @param rows  @p count numbers; may be NULL. KNOWN ones count as written.
 * @return 0; as gap_outbox_enqueue, but for GAP_OUTBOX_KNOWN. */
GAP_API GAP_NODISCARD int gap_outbox_enqueue_all(struct sqlite3 *db, const gap_outbox_item_t *items,
                                                 size_t count, int64_t *rows);

/** A row as it is. Borrowed. */
typedef struct gap_outbox_row {
    int64_t row;
    gap_outbox_kind_t kind; /* of rows that this library does not know: their number */
    gap_outbox_class_t urgency;
    gap_outbox_state_t state;
    gap_peer_t chat;
    int64_t random_id;     /* 0: its kind has none */
    int32_t message_id;    /* SENT: of the message that was made or changed (the first); 0: none */
    uint32_t attempts;     /* calls begun that counted */
    int64_t not_before_us; /* READY (as enqueued), SNOOZED; or 0 */
    int64_t deadline_us;   /* or 0 */
    int64_t done_us;       /* SENT, PARKED, DEAD, CANCELLED: since when */
    int32_t error;         /* a result code of this library's, or of an rpc_error, or 0 */
    gap_bytes_t reason;    /* one line for people: why it waits, is parked or dead */
    gap_bytes_t key;       /* as enqueued */
    gap_bytes_t post;      /* GAP_OUTBOX_POST: key of the post */
} gap_outbox_row_t;

/** Takes one row. @return 0 go on; anything else ends it and is the result. */
typedef int (*gap_outbox_row_cb)(void *arg, const gap_outbox_row_t *row);

/** Read one row. @return 0; GAP_E_NOT_FOUND; what @p each returned; as gap_outbox_list. */
GAP_API GAP_NODISCARD int gap_outbox_get(struct sqlite3 *db, int64_t row, gap_outbox_row_cb each,
                                         void *arg);
/** Rows above @p after, ascending, at most @p limit. @param states Bits 1 << gap_outbox_state_t; 0:
 * all. @return 0; what @p each returned; GAP_E_NEWER; GAP_E_FOREIGN; GAP_E_BUSY; GAP_E_NOMEM;
 * GAP_E_STORAGE; GAP_E_DAMAGED; GAP_E_NOT_FOUND built without SQLite. No tables: no rows. */
GAP_API GAP_NODISCARD int gap_outbox_list(struct sqlite3 *db, uint32_t states, int64_t after,
                                          size_t limit, gap_outbox_row_cb each, void *arg);
/** Take a row back. In the open transaction. @return 0, also if it was before; GAP_E_NOT_FOUND;
 * GAP_E_STATE it is sent, or may have been (leased, unknown), or no transaction is open; as
 * gap_outbox_enqueue. */
GAP_API GAP_NODISCARD int gap_outbox_cancel(struct sqlite3 *db, int64_t row);
/** Send a parked, dead or cancelled row after all: at the end of its chat's queue, under a new
 * number, with its random_id and key, a fresh count of attempts, and no deadline or not_before_us
 * any more. One that is ready or snoozed keeps its place and number; its wait ends, unless a limit
 * of the server's asks for it. In the open transaction. @param moved Its number now; may be NULL.
 * @return 0; GAP_E_NOT_FOUND; GAP_E_STATE it is sent, leased or unknown, the server asks for its
 * wait, or no transaction is open; as gap_outbox_enqueue. */
GAP_API GAP_NODISCARD int gap_outbox_retry(struct sqlite3 *db, int64_t row, int64_t *moved);
/** People have seen to it: a chat that was parked is sent to again, the rows that were parked with
 * it wait again in their place. GAP_PEER_NONE: the account, after PEER_FLOOD, and the rows parked
 * by that. In the open transaction. @return 0; GAP_E_NOT_FOUND nothing was parked; as
 * gap_outbox_enqueue. */
GAP_API GAP_NODISCARD int gap_outbox_release(struct sqlite3 *db, gap_peer_t chat);

/** When a row will go out. */
typedef struct gap_outbox_eta {
    int64_t at_us;     /* not before, if nothing changes; INT64_MAX: not without people */
    uint64_t ahead;    /* rows of its chat before it */
    char because[160]; /* what decides: a limit, FLOOD_WAIT, not_before; "" if nothing */
} gap_outbox_eta_t;
/** From limits, gates and what waits before it, as the last client stored them. @param now_us The
 * present. @return 0; GAP_E_NOT_FOUND; GAP_E_STATE it does not wait any more; as gap_outbox_list.
 */
GAP_API GAP_NODISCARD int gap_outbox_eta(struct sqlite3 *db, int64_t row, int64_t now_us,
                                         gap_outbox_eta_t *out);

/* ---- posts ---- */

/** What to do when a post can't be edited any more. Numbers are stable. */
typedef enum gap_post_policy {
    GAP_POST_DEFAULT = 0, /* gone: REPOST; too old: FREEZE */
    GAP_POST_FREEZE = 1,  /* leave it as it is, for good */
    GAP_POST_REPOST = 2,  /* send it anew */
    GAP_POST_REPLY = 3    /* send the new content as an answer to the old message */
} gap_post_policy_t;

/** Renders a post inside gap_post_upsert and whenever a post that it shows changes. Private. */
typedef struct gap_post_renderer gap_post_renderer_t;
/** @return 0 after gap_post_put; negative: not now, nothing changes (told by GAP_CLIENT_ERROR, and
 * by gap_post_upsert). In the client: on its writer thread, inside a transaction; it may not wait.
 */
typedef int (*gap_post_render_cb)(gap_post_renderer_t *r, gap_bytes_t key, void *data);

/** A post. Borrowed; zero-initialise. */
typedef struct gap_post {
    gap_bytes_t key;       /* its name, 1 to 255 bytes; unique in the database */
    gap_peer_t chat;       /* fixed with the first upsert */
    gap_bytes_t link_base; /* "https://t.me/name" of a public chat; empty: https://t.me/c/ID */
    gap_bytes_t title;     /* what others may show for it; may be empty */
    const gap_outbox_content_t *content; /* NULL: by `render`, in the client by gap_outbox_config */
    gap_post_render_cb render; /* NULL, too: left to the client, and title is what that says */
    void *data;
    gap_outbox_class_t urgency;   /* AUTO: BULK, edits EDITS */
    gap_post_policy_t if_gone;    /* MESSAGE_ID_INVALID: it was deleted; not REPLY */
    gap_post_policy_t if_expired; /* MESSAGE_EDIT_TIME_EXPIRED */
    int64_t deadline_us;          /* of its first sending; 0: none */
} gap_post_t;

/** gap_post_upsert(): the post is so already, or will be when what waits has gone out. */
#define GAP_POST_UNCHANGED 1

/**
 * Say what a post is to be: it is sent if it never was, edited if that changes anything. In the
 * open transaction. The content's hash is taken over the request in which it goes out, the same for
 * sending and editing. Posts that link to it or show its title or text follow by themselves.
 * @param row  What will do it; 0 if nothing needs to be done; may be NULL.
 * @return 0; GAP_POST_UNCHANGED; GAP_E_ARGUMENT also: another chat than before; what render
 *         returned, or GAP_E_STATE if that was 0 without gap_post_put; as gap_outbox_enqueue.
 */
GAP_API GAP_NODISCARD int gap_post_upsert(struct sqlite3 *db, const gap_post_t *post, int64_t *row);
/** A post is to be no more: what was not sent is cancelled, what was is deleted, then it is
 * forgotten. In the open transaction. @return 0; GAP_E_NOT_FOUND; as gap_outbox_enqueue. */
GAP_API GAP_NODISCARD int gap_post_remove(struct sqlite3 *db, gap_bytes_t key);

/** A post as it is. Borrowed. */
typedef struct gap_post_status {
    gap_bytes_t key;
    gap_peer_t chat;
    gap_bytes_t title;
    int32_t message_id; /* 0: not sent yet */
    uint64_t revision;  /* how often it was sent or edited with success */
    bool in_step;       /* the message is what was last asked for */
    bool frozen;        /* and it will not be edited any more */
    int64_t row;        /* what is under way for it; 0: nothing */
    gap_bytes_t link;   /* its address; empty: none yet */
} gap_post_status_t;
typedef int (*gap_post_status_cb)(void *arg, const gap_post_status_t *status);
/** One post. @return as gap_outbox_get. */
GAP_API GAP_NODISCARD int gap_post_get(struct sqlite3 *db, gap_bytes_t key, gap_post_status_cb each,
                                       void *arg);
/** All posts, by key. @return as gap_outbox_list. */
GAP_API GAP_NODISCARD int gap_post_list(struct sqlite3 *db, gap_post_status_cb each, void *arg);

/** While rendering: the address of another post's message. It is rendered anew when there is one.
 * @param out Good until the renderer returns. @return 0; GAP_E_NOT_FOUND none yet, or never
 * (private chats have no addresses); GAP_E_ARGUMENT no key; GAP_E_LIMIT it shows more than 1024
 * others; as gap_outbox_list. Failures other than the first two end the rendering, whatever the
 * renderer returns. */
GAP_API GAP_NODISCARD int gap_post_link(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out);
/** Another post's title, and anew when it changes. @return as gap_post_link. */
GAP_API GAP_NODISCARD int gap_post_title(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out);
/** Another post's text, and anew when it changes. @return as gap_post_link. */
GAP_API GAP_NODISCARD int gap_post_text(gap_post_renderer_t *r, gap_bytes_t key, gap_bytes_t *out);
/** The outcome. @param title  May be empty. @return as gap_outbox_enqueue. */
GAP_API GAP_NODISCARD int gap_post_put(gap_post_renderer_t *r, const gap_outbox_content_t *content,
                                       gap_bytes_t title);

/* ---- in a client ---- */

/** So much per so long, and how much of it at once. */
typedef struct gap_outbox_rate {
    uint32_t calls;  /* 0: the default, per_ms as well */
    uint32_t per_ms; /* 0: 1000 */
    uint32_t burst;  /* 0: the default */
} gap_outbox_rate_t;

/** How a client works off an outbox. Zero-initialise; gap_client_config.outbox. */
typedef struct gap_outbox_config {
    gap_outbox_rate_t account; /* 30 a second, 10 at once (Bot FAQ: bulk) */
    gap_outbox_rate_t user;    /* to one person: 1 a second, 3 at once */
    gap_outbox_rate_t group;   /* to one group or channel: 20 a minute, 3 at once */
    uint32_t in_flight;        /* calls without an answer at most; 0: 64 */
    uint32_t attempts_max;     /* of a row that fails; 0: 10 */
    uint64_t retry_min_us;     /* 0: 1 s, doubling, with jitter */
    uint64_t retry_max_us;     /* 0: 10 min; at most 14 days */
    uint64_t poll_us;          /* how often other processes' rows are looked for; 0: 100 ms */
    uint64_t debounce_us;  /* how long a post waits for further changes of what it shows; 0: 2 s */
    uint64_t keep_sent_us; /* how long rows are kept when done (sent, cancelled); 0: 24 h */
    /** What became of a row: SENT, SNOOZED by the server, UNKNOWN, PARKED, DEAD, CANCELLED; after
     * it is on disk. Not any more once the client is being closed: what was under way then is
     * resolved by the next start. May be NULL. Loop thread. */
    void (*on_row)(gap_client_t *client, const gap_outbox_row_t *row, void *data);
    /** GAP_REPLAY_PROBE of RAW rows: has it happened? Answers by gap_outbox_probed, now or later.
     * NULL: such rows are parked. Loop thread. */
    void (*probe)(gap_client_t *client, const gap_outbox_row_t *row, gap_tl_object_t query,
                  void *data);
    gap_post_render_cb render; /* posts without stored content; NULL: they stay as they are. Writer
                                  thread */
    void *data;
} gap_outbox_config_t;

/** Something was committed: look at once. Without it that takes up to poll_us. No-op without an
 * outbox. Any thread, as long as nobody has begun to close the client. */
GAP_API void gap_outbox_wake(gap_client_t *client);
/** The answer to gap_outbox_config.probe. @return 0; GAP_E_NOT_FOUND nobody asks (any more). Loop
 * thread. */
GAP_API GAP_NODISCARD int gap_outbox_probed(gap_client_t *client, int64_t row, bool happened);

/** Figures since the outbox was opened, which is when the account is signed in. */
typedef struct gap_outbox_stats {
    uint64_t sent;
    uint64_t edited;    /* of these: edits */
    uint64_t unchanged; /* of these: nothing had to be sent, or MESSAGE_NOT_MODIFIED */
    uint64_t repeated;  /* calls made again with the same random_id */
    uint64_t snoozed;   /* FLOOD_WAIT, SLOWMODE_WAIT */
    uint64_t parked;
    uint64_t dead;
    uint64_t rendered;  /* posts rendered again because of others */
    uint32_t in_flight; /* now */
    uint32_t chats;     /* known to have something waiting, now */
    bool bulk_stopped;  /* PEER_FLOOD: see gap_outbox_release */
} gap_outbox_stats_t;
/** @return 0; GAP_E_STATE the client has no outbox, or it is not open. Loop thread. */
GAP_API GAP_NODISCARD int gap_outbox_stats(const gap_client_t *client, gap_outbox_stats_t *out);

#ifdef __cplusplus
}
#endif
#endif
