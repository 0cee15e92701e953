/*
 * userbot/publish_db.h - publish and its state file: posts are written, and looked after. Beside
 * the library's tables there is one of ours, userbot_note: which post came from which folder and
 * note.
 */
#ifndef GAP_USERBOT_PUBLISH_DB_H
#define GAP_USERBOT_PUBLISH_DB_H

#include "userbot/publish_notes.h"

struct sqlite3;

/** Where a post is. */
enum post_place {
    POST_WAITS,
    POST_IN_STEP,
    POST_PARKED, /* its row, or it can't be edited any more: needs people */
    POST_DEAD
};

/** A post of this run; beside notes.posts, same index. */
struct post_track {
    bool written;         /* it was upserted */
    int32_t first_id;     /* before this run; 0: none */
    uint64_t first_count; /* its revision, the same */
    int32_t id;           /* now */
    uint64_t count;
    int64_t row; /* the last one known of; 0: none */
    enum post_place place;
    bool told; /* what became of it was printed */
};

/** A chat that notes name. */
struct publish_chat {
    char *who; /* as it was written */
    gap_peer_t peer;
    char base[80]; /* link_base; "" for none */
    bool found;
};

struct publish_work {
    struct notes *notes;
    const struct notes_config *config; /* for notes_break */
    struct post_track *tracks;
    const struct publish_chat *chats;
    const size_t *chat_of; /* index of each post's */
    bool delete_gone;
    /* results */
    size_t removed;  /* posts that are to be no more */
    size_t left;     /* posts whose note is gone */
    int64_t *others; /* rows of posts that are no note's any more; freed by publish_db_fini */
    size_t other_count;
    char why[256]; /* after a failure: what, for people */
};

/** @return 0, or negative with @p why filled. */
GAP_NODISCARD int publish_db_open(const char *path, struct sqlite3 **out, char *why, size_t cap);
void publish_db_close(struct sqlite3 *db);
/** Key of the note that was published from this path of a folder; as publish_db_title. */
void publish_db_key(const char *path, const char *folder, const char *note, char *out, size_t cap);
/** Title of a post, from a state file that may not be there; "" if none is known. */
void publish_db_title(const char *path, const char *key, char *out, size_t cap);
/** Write what the notes say, in one transaction; what is wrong with a single one breaks that note.
 * @return 0; GAP_E_BUSY: somebody writes for long, nothing has happened; negative: w->why. */
GAP_NODISCARD int publish_db_write(struct sqlite3 *db, struct publish_work *w);
/** See where the posts are. @param settled  Nothing will change by itself any more.
 * @return 0; negative: w->why. */
GAP_NODISCARD int publish_db_look(struct sqlite3 *db, struct publish_work *w, bool *settled);
/** What waits, of this run. */
struct publish_wait {
    int64_t next_us; /* from now until the next row goes out; 0: now */
    int64_t all_us;  /* until the last one does, at the earliest */
};
/** @return 0; GAP_E_NOT_FOUND nothing waits, or nobody can tell. */
GAP_NODISCARD int publish_db_wait(struct sqlite3 *db, const struct publish_work *w,
                                  struct publish_wait *out);
/** Reason of a post's row, for people; "" if there is none. */
void publish_db_reason(struct sqlite3 *db, int64_t row, char *out, size_t cap);
void publish_db_fini(struct publish_work *w);

#endif
