/*
 * tests/sim/flood_world.h - a bot's client with an outbox in a real SQLite file, life after life,
 * against the simulated data centre, in virtual time: what was called when, as the data centre's
 * ledger has it.
 */
#ifndef GAP_TESTS_SIM_FLOOD_WORLD_H
#define GAP_TESTS_SIM_FLOOD_WORLD_H

#include "tests/check_main.h"

#include "client/client.h"
#include "dc/dc.h"
#include "tests/sim/sim_env.h"

#include <gapless/outbox.h>

#define FLOOD_WORLD_CALLS 60000
#define FLOOD_WORLD_ROWS  60000
#define FLOOD_WORLD_BOT   INT64_C(4242)

/** A call that concerns messages. Times are virtual, from the beginning of the world. */
struct flood_call {
    int64_t t_us;
    int64_t chat;      /* users: id, channels: -id */
    int64_t random_id; /* of a text that is sent */
    bool edit;         /* messages.editMessage; else messages.sendMessage */
    bool refused;      /* by an error: */
    char error[32];
};

/** What became of a row, as the client told it last. */
struct flood_fate {
    gap_outbox_state_t state;
    int32_t message_id;
    int64_t t_us;
    unsigned told;
};

struct flood_world {
    sim_t *sim;
    gap_env_t *server;
    gap_dc_t *dc;
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    char pem[2048];
    char folder[256];
    char path[300];
    struct fault_alloc alloc;
    gap_env_t *env;
    gap_client_t *client;
    gap_outbox_config_t config;
    bool closed;
    bool caught_up;
    char trouble[256];
    uint64_t began_us; /* the server's wall clock at the beginning of the world */
    /* what happened */
    struct flood_call calls[FLOOD_WORLD_CALLS];
    unsigned call_count;
    struct flood_fate rows[FLOOD_WORLD_ROWS]; /* by their number */
    unsigned limited;                         /* events */
    gap_event_t last_limited;
    unsigned stopped;
    unsigned dead;
    unsigned parked;
    struct sqlite3 *db; /* the user's own connection, while a transaction is open */
};

/** A world with a data centre of so many users and channels, which the bot has seen, and a client
 * that is connected and has caught up. @param config May be NULL. */
void flood_world_begin(struct flood_world *w, uint32_t users, uint32_t channels,
                       const gap_outbox_config_t *config);
void flood_world_end(struct flood_world *w);
/** Begin a life; it runs until it has caught up. */
void flood_world_open(struct flood_world *w);
/** End it in good order. */
void flood_world_close(struct flood_world *w);
/** It is killed: its database is as it is now, the network knows nothing more of it. 30 s pass. */
void flood_world_kill(struct flood_world *w);

/** The chat with this number: users first, from 0. */
gap_peer_t flood_world_user(uint32_t n);
gap_peer_t flood_world_channel(uint32_t n);
/** As in struct flood_call. */
int64_t flood_world_id(gap_peer_t chat);

/** A rule like "messages.sendMessage:user:1:1/1:300" from now on. */
void flood_world_rule(struct flood_world *w, const char *text);

/** A transaction of the user's. The client is told at its end. */
void flood_world_write(struct flood_world *w);
void flood_world_commit(struct flood_world *w);
/** A row in it. @return its number. */
int64_t flood_world_row(struct flood_world *w, const gap_outbox_item_t *item);
/** A text. */
int64_t flood_world_send(struct flood_world *w, gap_peer_t chat, gap_outbox_class_t urgency);
/** An edit of the message that a row became or becomes. */
int64_t flood_world_edit(struct flood_world *w, gap_peer_t chat, int64_t of_row);

/** Now, in virtual time. */
int64_t flood_world_now(const struct flood_world *w);
void flood_world_run(struct flood_world *w, int64_t us);
/** Run until no row waits, at most so long. */
void flood_world_drain(struct flood_world *w, int64_t us);
/** Rows in these states (bits). */
unsigned flood_world_count(struct flood_world *w, uint32_t states);

/** The first call of a row that sends; INT64_MAX: there was none. */
int64_t flood_world_called(struct flood_world *w, int64_t row);
/** Calls of the chat (0: of all) that were not refused, between two times. */
unsigned flood_world_calls(const struct flood_world *w, int64_t chat, int64_t from_us,
                           int64_t to_us);
/** In every window of the ledger there are at most burst and so many in its length: calls of the
 * chat, 0: of all. Refused ones count as well. */
void flood_world_judge(const struct flood_world *w, int64_t chat, int64_t calls, int64_t per_us,
                       int64_t burst);

#endif
