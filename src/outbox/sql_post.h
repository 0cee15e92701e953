/*
 * outbox/sql_post.h - the tables of posts, and what the files of sql_post*.c share.
 *
 * A row of gapless_outbox that belongs to a post has kind GAP_OUTBOX_POST, its number in column
 * `post`, and in `target` the message that it edits, or 0 if it is a first sending: a hint for
 * gates and limits, because what it does is decided at its claim.
 */
#ifndef GAP_OUTBOX_SQL_POST_H
#define GAP_OUTBOX_SQL_POST_H

#include "outbox/post.h"

#include <sqlite3.h>

/** Part of the first version of the outbox's tables. Bytes come last: what stands before them is
 * read without them. */
#define GAP_POST_SQL_TABLES                                                                        \
    "CREATE TABLE main.gapless_outbox_post("                                                       \
    " post INTEGER PRIMARY KEY AUTOINCREMENT,"                                                     \
    " key BLOB UNIQUE," /* NULL: removed, and kept until it is known whether it was sent */        \
    " chat INTEGER NOT NULL,"                                                                      \
    " class INTEGER NOT NULL,"                                                                     \
    " if_gone INTEGER NOT NULL,"                                                                   \
    " if_expired INTEGER NOT NULL,"                                                                \
    " deadline INTEGER NOT NULL,"                                                                  \
    " message_id INTEGER NOT NULL," /* 0: not sent yet */                                          \
    " previous INTEGER NOT NULL,"  /* the message that the next one takes the place of; 0: none */ \
    " reply_to INTEGER NOT NULL,"  /* of its first sending; 0: none */                             \
    " random_id INTEGER NOT NULL," /* of its first sending */                                      \
    " row INTEGER NOT NULL,"       /* the one that is alive, if any is */                          \
    " revision INTEGER NOT NULL,"  /* how often it was sent or edited */                           \
    " doubt INTEGER NOT NULL,"     /* 1: a call was begun whose outcome is not known */            \
    " frozen INTEGER NOT NULL,"    /* 1: gone, 2: expired: it is not edited any more */            \
    " generation INTEGER NOT NULL," /* of the rendering that changed it last; 0: an upsert's */    \
    " link_base BLOB NOT NULL,"                                                                    \
    " title BLOB NOT NULL,"                                                                        \
    " sent BLOB,"    /* hash of what was acknowledged */                                           \
    " hash BLOB,"    /* of what is wanted; NULL: not rendered yet */                               \
    " content BLOB," /* what is wanted, packed */                                                  \
    " source BLOB);" /* the same with links to posts; NULL: a renderer makes it */                 \
    "CREATE TABLE main.gapless_outbox_link("                                                       \
    " depends_on BLOB NOT NULL," /* key of a post, which need not be there */                      \
    " kind INTEGER NOT NULL,"    /* 1 its address, 2 its title, 3 its text */                      \
    " post INTEGER NOT NULL,"    /* the one that shows it */                                       \
    " PRIMARY KEY(depends_on, kind, post)) WITHOUT ROWID;"                                         \
    "CREATE INDEX main.gapless_outbox_link_post ON gapless_outbox_link(post);"                     \
    "CREATE TABLE main.gapless_outbox_dirty("                                                      \
    " post INTEGER PRIMARY KEY,"                                                                   \
    " since INTEGER NOT NULL," /* 0: a client has to look at its clock first */                    \
    " generation INTEGER NOT NULL);"                                                               \
    "CREATE INDEX main.gapless_outbox_dirty_since ON gapless_outbox_dirty(since)"

/** Selects nothing, and fails if a column is missing. */
#define GAP_POST_SQL_PROBE                                                                         \
    "SELECT post, key, chat, class, if_gone, if_expired, deadline, message_id, previous, "         \
    "reply_to,"                                                                                    \
    " random_id, row, revision, doubt, frozen, generation, link_base, title, sent, hash, content," \
    " source FROM main.gapless_outbox_post LIMIT 0;"                                               \
    "SELECT depends_on, kind, post FROM main.gapless_outbox_link LIMIT 0;"                         \
    "SELECT post, since, generation FROM main.gapless_outbox_dirty LIMIT 0"

/** A post as it is stored. Views point into `memory`. */
struct gap_post_record {
    int64_t post; /* 0: not stored yet */
    int64_t chat;
    int64_t urgency;
    int64_t if_gone;
    int64_t if_expired;
    int64_t deadline_us;
    int32_t message_id;
    int32_t previous;
    int32_t reply_to;
    int64_t random_id;
    int64_t row;
    int64_t revision;
    bool doubt;
    int frozen;
    int generation;
    bool removed;
    bool has_sent;
    bool has_hash; /* and a content */
    bool has_source;
    uint8_t sent[16];
    uint8_t hash[16];
    gap_bytes_t key; /* empty: removed */
    gap_bytes_t link_base;
    gap_bytes_t title;
    gap_bytes_t content;
    gap_bytes_t source;
    void *memory;
    const gap_alloc_t *alloc;
};

/* sql_post.c. Functions return 0, a positive SQLite code, or a result of this library, unless it is
 * said otherwise; gap_outbox_result makes results of all. */

/** In a row: nobody knows what the message holds when it has been sent. No content has it. */
extern const uint8_t gap_post_hash_unknown[16];

/** By its key or, if that is empty, by its number. @return also GAP_E_NOT_FOUND; GAP_E_DAMAGED. */
GAP_NODISCARD int gap_post_load(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key,
                                int64_t post, struct gap_post_record *out);
/** Safe twice, and on zeros. */
void gap_post_record_fini(struct gap_post_record *p);
/** A new post: its number is set. */
GAP_NODISCARD int gap_post_insert(sqlite3 *db, struct gap_post_record *p);
/** All of it but key and chat. */
GAP_NODISCARD int gap_post_store(sqlite3 *db, const struct gap_post_record *p);
/** What outcomes change: ids, row, sent, revision, doubt, frozen. */
GAP_NODISCARD int gap_post_store_state(sqlite3 *db, const struct gap_post_record *p);
/** It is no more: the post, what it shows, its mark. */
GAP_NODISCARD int gap_post_forget(sqlite3 *db, int64_t post);
/** 64 random bits, not 0. */
int64_t gap_post_draw(void);
/** The next message takes the place of this one. */
void gap_post_turn(struct gap_post_record *p, enum gap_post_way way, bool gone);

/** The state of a post's row. @p row is not the post's: OVER; 0: NONE. */
GAP_NODISCARD int gap_post_row_life(sqlite3 *db, int64_t post, int64_t row,
                                    enum gap_post_life *out);
/** For the rules. @p life: of its row. */
struct gap_post_facts gap_post_facts(const struct gap_post_record *p, enum gap_post_life life);
/** Write a row that takes the place of the one that the post has; p->row is set, and stored. A row
 * that is parked or dead is cancelled by it unless @p keep. */
GAP_NODISCARD int gap_post_row_write(sqlite3 *db, struct gap_post_record *p, bool keep);
/** It was not begun: it is cancelled. */
GAP_NODISCARD int gap_post_row_cancel(sqlite3 *db, int64_t post, int64_t row, const char *reason);
/** A row that deletes a message. */
GAP_NODISCARD int gap_post_row_delete(sqlite3 *db, const struct gap_post_record *p,
                                      int32_t message_id);

/** Write what a post shows, if that has changed. Sorts @p edges. */
GAP_NODISCARD int gap_post_edges_store(sqlite3 *db, int64_t post, struct gap_post_edges *edges);
/** Bits of what has changed about a post: 1 << enum gap_post_shows. */
#define GAP_POST_CHANGED(shows) (1U << (shows))
/**
 * Mark those that show it.
 * @param generation  Of their rendering; above GAP_POST_GENERATIONS_MAX: none is marked, but it is
 *                    told if there is one.
 * @param since_us    0: the clock is not known.
 */
GAP_NODISCARD int gap_post_mark(sqlite3 *db, gap_bytes_t key, unsigned changed, int generation,
                                int64_t since_us, struct gap_post_told *told);
/** Mark one. */
GAP_NODISCARD int gap_post_mark_one(sqlite3 *db, int64_t post, int generation, int64_t since_us);
/** Its mark is gone. */
GAP_NODISCARD int gap_post_unmark(sqlite3 *db, int64_t post);

/* sql_post_render.c */

/** What rendering a post has given. Zero-initialise, then gap_post_rendered_init. */
struct gap_post_rendered {
    gap_buf_t source; /* packed, as the renderer gave it; empty: the stored one */
    gap_buf_t title;
    gap_buf_t content;
    uint8_t hash[16];
    struct gap_post_edges edges;
};
void gap_post_rendered_init(struct gap_post_rendered *r, const gap_alloc_t *alloc);
void gap_post_rendered_fini(struct gap_post_rendered *r);
/**
 * Ask a renderer; source and title are set then.
 * @param told  What it said: 0; negative: not now; GAP_E_STATE it has put nothing.
 * @return a code: a failure that is not the renderer's.
 */
GAP_NODISCARD int gap_post_ask(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key,
                               gap_post_render_cb render, void *data, struct gap_post_rendered *r,
                               int *told);
/** Make of @p source what goes out. */
GAP_NODISCARD int gap_post_build(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t source,
                                 struct gap_post_rendered *r);
/** Which of title and text are not as in @p p? Bits as for gap_post_mark. */
unsigned gap_post_differs(const struct gap_post_record *p, const struct gap_post_rendered *r,
                          gap_bytes_t title);

/* sql_post_step.c */

/** Render one that is marked and has a stored content, if it is, now: its turn to go out has come.
 * The row that acts for it is alive. @p p is read anew if that has changed anything. */
GAP_NODISCARD int gap_post_refresh(sqlite3 *db, const gap_alloc_t *alloc,
                                   struct gap_post_record *p);

/* sql_post_upsert.c: with an allocator of the caller's. */
GAP_NODISCARD int gap_post_upsert_with(sqlite3 *db, const gap_alloc_t *alloc,
                                       const gap_post_t *post, int64_t *row);
GAP_NODISCARD int gap_post_remove_with(sqlite3 *db, const gap_alloc_t *alloc, gap_bytes_t key);

#endif
