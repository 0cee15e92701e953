/*
 * tests/sim/outbox_world.h - a client with an outbox in a virtual world: rows are written by a
 * connection of the test's own, as another process would, and what becomes of them is seen in three
 * places: the table, what the host is told, and the data centre's events.
 */
#ifndef GAP_TESTS_SIM_OUTBOX_WORLD_H
#define GAP_TESTS_SIM_OUTBOX_WORLD_H

#include "tests/sim/client_world.h"

#include <sqlite3.h>

#define OUTBOX_TOLD_MAX 4096

struct outbox_told {
    int64_t row;
    gap_outbox_state_t state;
    uint64_t us;
};

struct outbox_world {
    struct client_world w;
    char folder[256];
    char path[300];
    gap_outbox_config_t config;
    sqlite3 *db;
    struct outbox_told told[OUTBOX_TOLD_MAX]; /* by on_row, all lives */
    size_t told_count;
    unsigned events[GAP_CLIENT_FATAL + 1]; /* of this life */
    char text[GAP_CLIENT_FATAL + 1][256];
    gap_event_t event[GAP_CLIENT_FATAL + 1]; /* without what it points to */
    void (*on_row)(struct outbox_world *o, const gap_outbox_row_t *row); /* NULL */
};

/** A data centre and an empty database; nobody is signed in. */
void outbox_world_begin(struct outbox_world *o, uint64_t seed);
void outbox_world_end(struct outbox_world *o);
/** A life: signed in and caught up. */
void outbox_world_live(struct outbox_world *o);
void outbox_world_die(struct outbox_world *o);

/** A supergroup in which the account may write, the nth; 0 to 14. */
gap_peer_t outbox_world_chat(unsigned n);
/** Write a row and commit. @return its number. */
int64_t outbox_world_put(struct outbox_world *o, const gap_outbox_item_t *item);
/** A text to a chat. */
int64_t outbox_world_send(struct outbox_world *o, gap_peer_t chat, const char *text);
/** A column of a row; INT64_MIN: there is none. */
int64_t outbox_world_column(struct outbox_world *o, const char *column, int64_t row);
gap_outbox_state_t outbox_world_state(struct outbox_world *o, int64_t row);
/** The reason of a row. @return static. */
const char *outbox_world_reason(struct outbox_world *o, int64_t row);
/** Run until the row is in that state, at most so long. @return is it? */
bool outbox_world_reach(struct outbox_world *o, int64_t row, gap_outbox_state_t state, uint64_t us);
/** How often the host was told that the row is so. */
unsigned outbox_world_told(const struct outbox_world *o, int64_t row, gap_outbox_state_t state);
/** New messages with this text that the account sent. */
unsigned outbox_world_messages(const struct outbox_world *o, const char *text);
/** The message's text as it is now. */
gap_bytes_t outbox_world_text(const struct outbox_world *o, gap_peer_t chat, int32_t id);
/** Statements of the test's own. */
void outbox_world_sql(struct outbox_world *o, const char *sql);
/** From now on answers to these are dropped, or their sessions lost; probability. 0: no more. */
void outbox_world_drop_answers(struct outbox_world *o, double p);
void outbox_world_lose_sessions(struct outbox_world *o, double p);
/** Calls of this method get an error, always. text NULL: no more. */
void outbox_world_refuse(struct outbox_world *o, uint32_t method, int32_t code, const char *text);

#endif
