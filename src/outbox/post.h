/*
 * outbox/post.h - posts: messages that are kept equal to what was last asked for. The rules are
 * pure (post.c); the tables are in sql_post*.c, and here is what the rest of the outbox calls.
 *
 *     upsert, or another post changes -> rendered -> hash differs from what was acknowledged
 *          -> one row GAP_OUTBOX_POST waits -> gap_post_claim: the content of that moment
 *          -> gap_post_finished: message id and hash are stored, posts that show this one marked
 *          -> gap_post_step, debounce later: these are rendered again, and so on until no hash
 *             changes or GAP_POST_GENERATIONS_MAX renderings have followed from one change
 *
 * A post has one row at most that is alive; it names the post, not a content: whatever is asked for
 * while it waits goes out together. A row that was begun and whose outcome is not known is in doubt
 * (`doubt`): a first sending is repeated with the very bytes that were sent, since its random_id
 * stands for these, and edited afterwards; an edit is made again, with the newest content.
 *
 * Rows of a post have their random_id from the post: it is drawn once for each message, so that a
 * row that takes another's place cannot double it.
 */
#ifndef GAP_OUTBOX_POST_H
#define GAP_OUTBOX_POST_H

#include "base/buf.h"

#include <gapless/outbox.h>

/** Renderings that follow from one change at most; then GAP_CLIENT_OUTBOX_CASCADE. */
#define GAP_POST_GENERATIONS_MAX 8
/** Posts rendered in one step at most. */
#define GAP_POST_STEP_MAX 64
/** A renderer that failed is asked again after so long. */
#define GAP_POST_RENDER_RETRY_US 60000000
/** Longest key, longest link_base, longest title, bytes. */
#define GAP_POST_KEY_MAX   255
#define GAP_POST_BASE_MAX  255
#define GAP_POST_TITLE_MAX 4096
/** What one post shows of others at most. */
#define GAP_POST_EDGES_MAX 1024

/* --- what the client's functions on rows call (sql_post_row.c) ---------------------------------
 * All run inside a transaction and leave no statement behind. Failures are results of this library
 * (SQLite's own as gap_sqlite_code has them); the caller then rolls back. What stands in the tables
 * is not trusted: a post that can't be read never is a failure but parks its row. */

/** A GAP_OUTBOX_POST row as it is in the table, before it is changed. Views are borrowed. */
struct gap_post_row {
    int64_t row;
    int64_t post;        /* its column of that name: gapless_outbox_post.post */
    bool begun;          /* a call of it may have been executed, and how is not known */
    gap_bytes_t payload; /* what it sent when it was claimed last; empty: it never was */
    gap_bytes_t hash;    /* of that */
};

/** What a row of a post is to do. */
enum gap_post_verdict {
    GAP_POST_GO = 0,      /* send `payload`: a packed item of kind SEND, MEDIA or EDIT */
    GAP_POST_NOTHING = 1, /* the message is so already: the row is SENT, without a call */
    GAP_POST_CANCEL = 2,  /* nobody needs this row any more: CANCELLED, with `reason` */
    GAP_POST_PARK = 3     /* PARKED, with `reason` */
};

/** gap_post_claim()'s answer. */
struct gap_post_claim {
    enum gap_post_verdict verdict;
    gap_outbox_kind_t kind; /* GO: what the payload is */
    int32_t message_id;     /* GO with EDIT, NOTHING: of the post; else 0 */
    uint8_t hash[16];       /* GO: of the payload's content, to be stored with it */
    const char *reason;     /* CANCEL, PARK: static, one line */
};

/**
 * A row's turn has come: what is it to send? The newest content, or, if it may have been sent
 * before, what it sent then.
 *
 * The caller stores the payload and the hash in the row with the claim (state LEASED), uses its
 * random_id, and then takes the row for one of the kind that is in the payload.
 *
 * @param row      As before the claim.
 * @param payload  GO: cleared and filled with the packed item. May not be what row->payload views.
 * @return 0; GAP_E_NOMEM; GAP_E_STORAGE and others of SQLite's.
 */
GAP_NODISCARD int gap_post_claim(struct sqlite3 *db, const gap_alloc_t *alloc,
                                 const struct gap_post_row *row, gap_buf_t *payload,
                                 struct gap_post_claim *out);

/** What became of a call that was made for a row of a post. */
enum gap_post_end {
    GAP_POST_SENT = 0,    /* it was sent or edited: message_id */
    GAP_POST_SAME = 1,    /* MESSAGE_NOT_MODIFIED */
    GAP_POST_UNKNOWN = 2, /* no answer; or RANDOM_ID_DUPLICATE: the first call still runs */
    GAP_POST_AGAIN = 3,   /* refused, to be tried again: FLOOD_WAIT, back-off */
    GAP_POST_GONE = 4,    /* MESSAGE_ID_INVALID */
    GAP_POST_EXPIRED = 5, /* MESSAGE_EDIT_TIME_EXPIRED */
    GAP_POST_ROW_BAD = 6, /* refused for what it holds, or too often: row PARKED or DEAD */
    GAP_POST_CHAT_BAD = 7 /* refused for its chat or account: row PARKED with its chat */
};

/** What an outcome or a step has led to. Zero before the first call; calls add to it. */
struct gap_post_told {
    uint32_t rendered;                      /* posts rendered again */
    uint32_t rows;                          /* rows written */
    uint32_t marked;                        /* posts marked: gap_post_next has a new answer */
    uint32_t overflow;                      /* posts whose changes were not followed any further */
    uint32_t failed;                        /* renderings that failed */
    int error;                              /* of the last of these */
    uint8_t overflow_key[GAP_POST_KEY_MAX]; /* of the last one */
    uint8_t failed_key[GAP_POST_KEY_MAX];
    uint8_t overflow_len;
    uint8_t failed_len;
};

/** gap_post_finished()'s answer. */
struct gap_post_finish {
    gap_outbox_state_t state; /* what the row becomes; 0: what the outcome makes of any row */
    const char *reason;       /* with CANCELLED: static, one line */
};

/**
 * An outcome is being stored. For calls of GAP_OUTBOX_POST rows, inside the transaction that stores
 * it, before the row itself is changed; also for one that updateMessageID resolves (SENT).
 *
 * @param row         With the payload and the hash that were sent.
 * @param message_id  SENT: the message. SAME: ignored.
 * @param now_us      Wall clock.
 * @return 0; GAP_E_NOMEM; GAP_E_STORAGE and others of SQLite's. A post that is not there any more
 * or can't be read: 0, nothing happens.
 */
GAP_NODISCARD int gap_post_finished(struct sqlite3 *db, const gap_alloc_t *alloc,
                                    const struct gap_post_row *row, enum gap_post_end end,
                                    int32_t message_id, int64_t now_us, struct gap_post_told *told,
                                    struct gap_post_finish *out);

/* --- the cascade (sql_post_step.c) ------------------------------------------------------------ */

/**
 * When is gap_post_step to be called? Reads only: no transaction is needed.
 * @param has_render  The client can render posts without stored content.
 * @param out         Wall clock; at or before now_us: at once; INT64_MAX: nothing is marked, which
 *                    only a commit can change.
 * @return 0, also without tables; GAP_E_BUSY; GAP_E_STORAGE and others of SQLite's.
 */
GAP_NODISCARD int gap_post_next(struct sqlite3 *db, int64_t now_us, uint64_t debounce_us,
                                bool has_render, int64_t *out);

/**
 * Render what is due: posts that were marked at least @p debounce_us ago, GAP_POST_STEP_MAX at
 * most. Rows are written for those whose content is not what was acknowledged.
 *
 * @param render  For posts without stored content; NULL: these stay marked.
 * @param data    Its argument.
 * @param told    May be NULL.
 * @return 0; GAP_E_NOMEM; GAP_E_STORAGE and others of SQLite's. A renderer's failure is in @p told,
 *         and so is a post that can't be read; it is not marked any more.
 */
GAP_NODISCARD int gap_post_step(struct sqlite3 *db, const gap_alloc_t *alloc, int64_t now_us,
                                uint64_t debounce_us, gap_post_render_cb render, void *data,
                                struct gap_post_told *told);

/* --- the rules (post.c) ------------------------------------------------------------------------
 */

/** What a post's row is, as far as the post is concerned. */
enum gap_post_life {
    GAP_POST_LIFE_NONE,   /* never one for this message */
    GAP_POST_LIFE_WAITS,  /* READY, SNOOZED */
    GAP_POST_LIFE_BEGUN,  /* LEASED, UNKNOWN */
    GAP_POST_LIFE_PARKED, /* needs people */
    GAP_POST_LIFE_OVER    /* SENT, DEAD, CANCELLED, or forgotten */
};

/** A post as far as the rules look at it. */
struct gap_post_facts {
    bool has_content; /* it was rendered at least once */
    bool has_message;
    bool same;   /* what is wanted is what was acknowledged */
    bool doubt;  /* a call was begun whose outcome is not known */
    bool frozen; /* it is not edited any more */
    enum gap_post_life life;
};

/** Is the message what is wanted, for certain? */
bool gap_post_in_step(const struct gap_post_facts *f);

/** What asks for a row. */
enum gap_post_cause {
    GAP_POST_BY_USER,   /* an upsert with a new content or a new wish */
    GAP_POST_BY_REPEAT, /* an upsert that changes nothing */
    GAP_POST_BY_OTHERS, /* a post that it shows has changed */
    GAP_POST_BY_OUTCOME /* its row has come to its end and something else is wanted by now */
};
/** Does the post need a new row (which takes the place of the one that it had)? */
bool gap_post_needs_row(const struct gap_post_facts *f, enum gap_post_cause cause);

/** What a policy makes of a message that can't be edited. */
enum gap_post_way { GAP_POST_WAY_FREEZE, GAP_POST_WAY_REPOST, GAP_POST_WAY_REPLY };
/** @param gone GONE, else EXPIRED. @param policy Out of range: the default. */
enum gap_post_way gap_post_way(bool gone, int64_t policy);

/**
 * Append the address of a message.
 * @param base  gap_post.link_base; empty: by the channel's id.
 * @return 0; GAP_E_NOT_FOUND messages of this chat have none, or message_id is not above 0;
 *         GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_post_address(int64_t chat, gap_bytes_t base, int32_t message_id,
                                   gap_buf_t *out);

/** Class of a post's rows. @param wanted gap_post.urgency. */
gap_outbox_class_t gap_post_class(int64_t wanted, bool edits);

/** Is it an upsert's that can be? Content and renderer aside. @return 0; GAP_E_ARGUMENT;
 * GAP_E_LIMIT. */
GAP_NODISCARD int gap_post_check(const gap_post_t *post);

/** How one post shows another. Numbers are on disk. */
enum gap_post_shows { GAP_POST_SHOWS_LINK = 1, GAP_POST_SHOWS_TITLE = 2, GAP_POST_SHOWS_TEXT = 3 };

/** What a post shows of others, each once; memory of its own. Zero-initialise but for alloc. */
struct gap_post_edges {
    const gap_alloc_t *alloc;
    struct gap_post_edge *list;
    size_t count;
    size_t cap;
};
struct gap_post_edge {
    enum gap_post_shows kind;
    uint32_t len;
    uint8_t key[GAP_POST_KEY_MAX];
};
/** @return 0; GAP_E_ARGUMENT no post has such a key; GAP_E_LIMIT there are GAP_POST_EDGES_MAX;
 * GAP_E_NOMEM. */
GAP_NODISCARD int gap_post_edge_add(struct gap_post_edges *e, enum gap_post_shows kind,
                                    gap_bytes_t key);
void gap_post_edges_fini(struct gap_post_edges *e);

/** Looks up where a post's message is. @param out Appended to. @return 0; GAP_E_NOT_FOUND; else it
 * is forwarded. */
typedef int (*gap_post_find_cb)(void *arg, gap_bytes_t key, gap_buf_t *out);
/**
 * Make of a content with GAP_POST_LINK one that can be sent: links become TEXT_URL, or plain where
 * there is no address. Every post that is linked to becomes an edge.
 *
 * @param source   Packed. Not trusted.
 * @param out      Cleared and filled: packed.
 * @param hash     Of it.
 * @return 0; GAP_E_DAMAGED, GAP_E_NEWER of source; what @p find returned; GAP_E_LIMIT; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_post_resolve(const gap_alloc_t *alloc, gap_bytes_t source,
                                   gap_post_find_cb find, void *arg, struct gap_post_edges *edges,
                                   gap_buf_t *out, uint8_t hash[16]);

#endif
