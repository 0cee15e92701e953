/*
 * tests/outbox/posts.h - a client and a server for the tests of posts, as small as they can be: the
 * client claims the oldest row of a chat and stores what became of it, the server keeps messages
 * and remembers random_ids.
 *
 * A content is written as "see {b} and {c}": the names in braces are links to posts, and their
 * text. A message is read as "see b<https://t.me/c/77/1> and c": an address follows what it lies
 * on.
 */
#ifndef GAP_TESTS_OUTBOX_POSTS_H
#define GAP_TESTS_OUTBOX_POSTS_H

#include "outbox/post.h"
#include "tests/outbox/tables.h"

#define POSTS_TEXT     1024
#define POSTS_MESSAGES 4096
#define POSTS_DEBOUNCE INT64_C(2000000)

/** A content, built from such a text. */
struct written {
    gap_outbox_content_t content;
    gap_outbox_entity_t entities[16];
    char text[POSTS_TEXT];
    char keys[16][32];
};
void write_content(struct written *w, const char *text);
/** A post in NEWS with such a content. */
gap_post_t post_of(struct written *w, const char *key, const char *text);
/** Upsert in a transaction of its own. @return its result. */
int upsert(sqlite3 *db, const char *key, const char *text);
int upsert_post(sqlite3 *db, const gap_post_t *post, int64_t *row);
int remove_post(sqlite3 *db, const char *key);

/** A message on the server. */
struct message {
    gap_peer_t chat;
    int32_t id;
    int64_t random_id;
    bool deleted;
    bool fixed; /* can't be edited any more */
    int32_t reply_to;
    uint32_t edits;
    char text[POSTS_TEXT];
};
struct server {
    size_t count;
    struct message messages[POSTS_MESSAGES];
    uint32_t sends; /* messages made */
    uint32_t edits; /* messages changed */
    uint32_t same;  /* edits that changed nothing */
    uint32_t deletions;
    uint32_t doubles; /* sends whose random_id was known */
};
extern struct server server;
/** The message that a post has. NULL: none. */
struct message *message_of_post(sqlite3 *db, const char *key);
/** Its text, or "-". */
const char *message_text(sqlite3 *db, const char *key);

/** A row that a client works on. */
struct flight {
    int64_t row; /* 0: none */
    int64_t post;
    gap_peer_t chat;
    int64_t random_id;
    gap_outbox_kind_t kind;
    gap_buf_t payload;
    uint8_t hash[16];
    size_t hash_len;
    enum gap_post_verdict verdict;
    const char *reason;
};
void flight_fini(struct flight *f);
/** Claim the oldest waiting row of a chat (NULL: of any). What needs no call is stored at once.
 * @return false: nothing waits. */
bool claim(sqlite3 *db, const gap_peer_t *chat, struct flight *f);
/** The server does what the row asks for. @param message_id What it answers with success. */
enum gap_post_end serve(const struct flight *f, int32_t *message_id);
/** Store an outcome. */
void finish(sqlite3 *db, struct flight *f, enum gap_post_end end, int32_t message_id);
/** The process died with the row leased. */
void crash(sqlite3 *db, struct flight *f);

/** What the clock says; what hooks have told. */
extern int64_t posts_now;
extern struct gap_post_told posts_told;
extern gap_post_render_cb posts_render;
extern void *posts_data;
/** Transactions are rolled back at their end: the process died before the commit. */
extern bool posts_undo;
/** What the library's functions are called with. */
extern const gap_alloc_t *posts_alloc;
/** Faults while they run; what fails is done once more. NULL: none. */
struct posts_faults {
    void (*arm)(bool on);
    bool (*struck)(void);
    int error; /* what they have to return then */
    unsigned failed;
};
extern struct posts_faults *posts_faults;
/** Claim, serve and store until nothing waits; the cascade included. */
void settle(sqlite3 *db);
/** The same without the cascade. */
void send_all(sqlite3 *db);
/** One step of the cascade, now. */
void step(sqlite3 *db);

/** What gap_post_get says, copied. */
struct seen {
    int32_t message_id;
    uint64_t revision;
    bool in_step;
    bool frozen;
    int64_t row;
    char link[128];
    char title[64];
};
int look(sqlite3 *db, const char *key, struct seen *out);

void posts_begin(void);
void posts_end(void);

#endif
