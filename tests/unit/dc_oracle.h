/*
 * tests/unit/dc_oracle.h - a second opinion on the simulated data centre: what a client must end up
 * with, found twice by plain, slow, obvious means that share nothing with the model.
 *
 *   dc_oracle_tl.c      fields of TL objects by name
 *   dc_oracle_book.c    what somebody knows of the world (a book), the ledger's text read back, and
 *                       the book that follows from the ledger alone
 *   dc_oracle_client.c  a naive client: eats bytes, keeps a book
 *   dc_oracle_laws.c    what must hold for every single push and answer, judged by the ledger
 *   dc_oracle_peers.c   who is mentioned is introduced
 *   dc_oracle_present.c books compared; calls that look at the present
 *   test_dc_oracle.c    worlds with loss, reordering, doubles and pauses; compares the books
 *
 * Everything here ends the test at once (ck_abort_msg) when something is wrong.
 */
#ifndef GAP_TESTS_DC_ORACLE_H
#define GAP_TESTS_DC_ORACLE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "dc/ledger.h"
#include "dc/model.h"

#include <check.h>
#include <gapless/tl_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** The world that is running, for complaints. */
extern unsigned oracle_seed;
extern int64_t oracle_account; /* 0: not said */
/** End the test. */
__attribute__((noreturn)) GAP_PRINTF(1, 2) void oracle_stop(const char *format, ...);

/* Check writes a mark to a file for every assertion that holds; these are too many for that. */
#define oracle_check_msg(what, ...)                                                                \
    do {                                                                                           \
        if (!(what)) oracle_stop(__VA_ARGS__);                                                     \
    } while (0)
#define oracle_check(what) oracle_check_msg(what, "%s: not so: %s", __func__, #what)

#define ORACLE_TEXT_MAX 256
#define ORACLE_LIST_MAX 512

/* --- TL by name ---------------------------------------------------------------------------- */

/** Does the constructor have this field, and is it there? */
bool oracle_has(gap_tl_object_t o, const char *name);
int32_t oracle_int(gap_tl_object_t o, const char *name);
int64_t oracle_long(gap_tl_object_t o, const char *name);
gap_bytes_t oracle_bytes(gap_tl_object_t o, const char *name);
gap_tl_object_t oracle_object(gap_tl_object_t o, const char *name);
/** Elements of a vector of objects or ints. @return how many (at most ORACLE_LIST_MAX). */
size_t oracle_objects(gap_tl_object_t o, const char *name, gap_tl_object_t *out);
size_t oracle_ints(gap_tl_object_t o, const char *name, int32_t *out);
/** The one object that these bytes are; anything else ends the test. */
gap_tl_object_t oracle_whole(gap_bytes_t bytes);
dc_peer_t oracle_peer(gap_tl_object_t peer);
bool oracle_same(dc_peer_t a, dc_peer_t b);
/** Serialise; the caller frees the bytes. */
uint8_t *oracle_write(gap_tl_object_t o, size_t *len);

/** Where an update belongs (tables 2a-2c of the updates reference). */
struct oracle_place {
    dc_box_t box;
    int64_t channel;
    int32_t pts;
    int32_t count;
};
struct oracle_place oracle_place(gap_tl_object_t update);

/* --- books --------------------------------------------------------------------------------- */

/** A message. `store` is the channel's id, or 0 for all private chats and groups: their ids are
 * counted together. */
struct oracle_entry {
    int64_t store;
    int32_t id;
    dc_peer_t chat; /* DC_NOBODY: only heard of its end */
    bool known;     /* there is a text */
    bool deleted;
    bool pinned;
    char text[ORACLE_TEXT_MAX];
};
struct oracle_mark {
    dc_peer_t chat;
    bool outbox;
    int32_t max_id;
};
struct oracle_news {
    int64_t store;
    dc_peer_t chat;
    int32_t id;
};
struct oracle_qts {
    int32_t qts;
    char name[64];
};
struct oracle_book {
    struct oracle_entry *entries;
    size_t entry_count, entry_cap;
    struct oracle_mark *marks;
    size_t mark_count, mark_cap;
    struct oracle_news *news; /* new messages in the order of their arrival */
    size_t news_count, news_cap;
    struct oracle_qts *qts;
    size_t qts_count, qts_cap;
    int64_t *queries;
    size_t query_count, query_cap;
};

/** Make room for one more element. @return the array. */
void *oracle_grow(void *items, size_t count, size_t *cap, size_t size);
void oracle_book_fini(struct oracle_book *b);
/** @return the entry, or NULL unless @p create. */
struct oracle_entry *oracle_find(struct oracle_book *b, int64_t store, int32_t id, bool create);
void oracle_book_text(struct oracle_book *b, dc_peer_t chat, int32_t id, gap_bytes_t text);
void oracle_book_new(struct oracle_book *b, dc_peer_t chat, int32_t id, gap_bytes_t text);
void oracle_book_delete(struct oracle_book *b, int64_t store, int32_t id);
void oracle_book_pin(struct oracle_book *b, dc_peer_t chat, int32_t id, bool pinned);
void oracle_book_read(struct oracle_book *b, dc_peer_t chat, bool outbox, int32_t max_id);
void oracle_book_qts(struct oracle_book *b, int32_t qts, const char *name);
void oracle_book_query(struct oracle_book *b, int64_t query_id);

/* --- the ledger ---------------------------------------------------------------------------- */

/** One line, read back from its text. */
struct oracle_line {
    char kind[32];
    bool event; /* not a push, difference or call line */
    uint32_t n;
    int64_t account; /* 0: null */
    dc_box_t box;
    int64_t channel; /* of the box */
    int32_t pts, pts_count;
    dc_peer_t chat;
    int64_t from;
    int32_t id;
    int32_t to;
    int32_t *list; /* ids or folded */
    size_t list_count, list_cap;
    char text[ORACLE_TEXT_MAX];
    size_t text_len;
    bool out, pinned, outbox;
    int32_t max_id;
    int64_t query_id;
    char qts[64];
    int64_t t_us;
};
struct oracle_ledger {
    struct oracle_line *lines;
    size_t count, cap;
};

/** A dc_ledger_cb; @p data is a struct oracle_ledger. */
int oracle_ledger_line(void *data, const char *line, size_t len);
void oracle_ledger_fini(struct oracle_ledger *l);
/** Is this event line in the box? @param account Ignored for channels. */
bool oracle_in_box(const struct oracle_line *line, dc_box_t box, int64_t account, int64_t channel);
/** pts or qts of a box by its last line; 1 before any. */
int32_t oracle_last_pts(const struct oracle_ledger *l, dc_box_t box, int64_t account,
                        int64_t channel);
/**
 * What an account must know of one box: everything in it behind @p from.
 * @param b Added to.
 */
void oracle_expect(const struct oracle_ledger *l, dc_box_t box, int64_t account, int64_t channel,
                   int32_t from, struct oracle_book *b);
/** The box's arithmetic: every line begins where the one before ended, ids count up, texts of
 * edits are unlike all others. */
void oracle_ledger_laws(const struct oracle_ledger *l);

/* --- the naive client ---------------------------------------------------------------------- */

struct oracle_channel {
    int64_t id;
    int32_t pts;  /* 0: nothing is known yet */
    int32_t base; /* the client's knowledge begins behind this pts */
    bool need;    /* a difference has to be asked for */
    bool left;    /* CHANNEL_PRIVATE */
    bool rebuilt; /* was too far behind: nothing but the present state is promised */
};
struct oracle_held {
    uint8_t *data;
    size_t len;
};
struct oracle_client {
    int64_t account;
    bool bot;
    int32_t pts, qts, date, seq;
    bool need;    /* a common difference has to be asked for */
    bool chain;   /* and the last one was a slice */
    bool rebuilt; /* the common box was too far behind */
    struct oracle_channel channels[8];
    size_t channel_count;
    struct oracle_held *held; /* updates behind a gap, in order of arrival */
    size_t held_count, held_cap;
    int32_t *seqs; /* containers seen */
    size_t seq_count, seq_cap;
    int64_t *users; /* that a users vector has told of */
    size_t user_count, user_cap;
    struct oracle_book book;
};

void oracle_client_fini(struct oracle_client *c);
struct oracle_channel *oracle_client_channel(struct oracle_client *c, int64_t id);
/** An Updates object from the socket, or a call's result. */
void oracle_client_updates(struct oracle_client *c, gap_bytes_t bytes);
/** The result of messages.sendMessage in its shortest form. */
void oracle_client_sent(struct oracle_client *c, gap_bytes_t bytes, dc_peer_t peer,
                        const char *text);
/** messages.affectedMessages after deleting @p ids (count > 0) in @p channel (0: none), or after
 * reading @p peer up to @p max_id. */
void oracle_client_affected(struct oracle_client *c, gap_bytes_t bytes, dc_peer_t peer,
                            int32_t max_id, const int32_t *ids, size_t count);
void oracle_client_difference(struct oracle_client *c, gap_bytes_t bytes);
void oracle_client_channel_difference(struct oracle_client *c, int64_t channel, gap_bytes_t bytes);
/** A page of messages.getMessages or channels.getMessages. */
void oracle_client_page(struct oracle_client *c, gap_bytes_t bytes);

/* --- laws ---------------------------------------------------------------------------------- */

/** Whose world it is, for the laws and their complaints. */
struct oracle_judge {
    dc_model_t *model; /* asked for access hashes only */
    const dc_options_t *options;
    const struct oracle_ledger *ledger;
    int64_t now_us;
    int64_t account;
    int32_t seq;                        /* last container seq sent to this account */
    const struct oracle_client *client; /* which channels it is in */
};

#define oracle_must(j, what, ...)                                                                  \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            oracle_account = (j)->account;                                                         \
            oracle_stop(__VA_ARGS__);                                                              \
        }                                                                                          \
    } while (0)

/** Everything that is mentioned comes with a complete user or chat. */
void oracle_law_peers(const struct oracle_judge *j, gap_tl_object_t o);
/** A push of events @p ns. @param seq_used What dc_model_push returned. */
void oracle_law_push(const struct oracle_judge *j, gap_bytes_t bytes, const uint32_t *ns,
                     size_t count, int seq_used);
/** An answer to updates.getDifference; its ledger lines are the last two. */
void oracle_law_difference(const struct oracle_judge *j,
                           const gap_tl_updates_get_difference_t *asked, gap_bytes_t bytes);
/** An answer to updates.getChannelDifference; its ledger line is the last. */
void oracle_law_channel_difference(const struct oracle_judge *j, int64_t channel, int32_t pts,
                                   int32_t limit, gap_bytes_t bytes);
/** A result of type Updates; the call caused these events. */
void oracle_law_result(const struct oracle_judge *j, gap_bytes_t bytes, uint32_t first_n,
                       uint32_t count);

/** A result with nothing but positions: updateShortSentMessage, messages.affectedMessages. */
void oracle_law_short_result(const struct oracle_judge *j, gap_tl_object_t o, uint32_t first_n,
                             uint32_t count);
/** A message object as it must have been when lines [0, end) had happened. An update may be silent
 * about a pin, which has an update of its own; what stands for the message itself may not. */
void oracle_law_message(const struct oracle_judge *j, int64_t channel, gap_tl_object_t m,
                        size_t end, bool update);

/* --- the present --------------------------------------------------------------------------- */

/** Messages of a store: texts, pins, deletes. @param rebuilt Old deletes need not be known. */
void oracle_same_messages(const struct oracle_judge *j, struct oracle_book *has,
                          struct oracle_book *must, int64_t store, bool rebuilt);
/** New messages came in their order, once; only what was deleted since may not have come. */
void oracle_same_news(const struct oracle_judge *j, const struct oracle_book *has,
                      struct oracle_book *must, int64_t store);
/** Every read mark of @p must is in @p has. */
void oracle_same_marks(const struct oracle_judge *j, const struct oracle_book *has,
                       const struct oracle_book *must);
/** The qts events, in order. */
void oracle_same_lists(const struct oracle_judge *j, const struct oracle_book *has,
                       const struct oracle_book *must);
/** These queries, each once. */
void oracle_same_queries(const struct oracle_judge *j, const struct oracle_book *has,
                         const int64_t *queries, size_t count);
/** messages.getDialogs. @param chats All in which there ever was a message. */
void oracle_law_dialogs(const struct oracle_judge *j, gap_bytes_t bytes, const dc_peer_t *chats,
                        size_t count);
/** The newest hundred of messages.getHistory. */
void oracle_law_history(const struct oracle_judge *j, dc_peer_t chat, gap_bytes_t bytes);

#endif
