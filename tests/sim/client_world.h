/*
 * tests/sim/client_world.h - one account's client, life after life, against the simulated data
 * centre in a virtual world: events of messages that are told apart, and handlers of every kind.
 *
 * A life may end early as far as the world is concerned: when @p is_dead says so, nothing that
 * happens after it counts as done, though the program is taken down in good order.
 */
#ifndef GAP_TESTS_SIM_CLIENT_WORLD_H
#define GAP_TESTS_SIM_CLIENT_WORLD_H

#include "tests/check_main.h"

#include "client/client.h"
#include "dc/dc.h"
#include "tests/sim/sim_env.h"

/** Events of a world, all lives together. */
#define CLIENT_WORLD_EVENTS 400000
/** Channels that events are made in. */
#define CLIENT_WORLD_CHANNELS 20
/** Who writes in them. */
#define CLIENT_WORLD_USERS 4

struct client_world_later;

struct client_world {
    sim_t *sim;
    gap_env_t *server;
    gap_dc_t *dc;
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    char pem[2048];
    /* the life */
    struct fault_alloc alloc;
    gap_alloc_t counted; /* the same, and its bytes */
    size_t bytes;
    size_t bytes_max;
    gap_env_t *env;
    gap_client_t *client;
    gap_storage_t *(*storage)(void *arg); /* of a new life; NULL: none can be made */
    void *storage_arg;
    const gap_outbox_config_t *outbox; /* of a new life; NULL: it has none */
    bool no_own_updates;
    bool (*is_dead)(void); /* NULL: it lives until it is closed */
    /* In a transaction, the message or its edit; NULL: nothing is counted. */
    int (*count)(struct sqlite3 *db, uint32_t n, bool edit);
    bool plain; /* no handler goes on in a transaction */
    bool closed;
    bool caught_up;
    bool signed_in;
    bool fatal;
    unsigned store_failed; /* events of this life */
    unsigned store_recovered;
    unsigned troubles; /* events that say that something went wrong */
    char trouble[256]; /* the last of them */
    void (*told)(void *arg, const gap_event_t *event); /* NULL: nobody else wants events */
    void *told_arg;
    struct client_world_later *later;
    unsigned calls; /* of the handler, of this life */
    /* all lives */
    uint32_t first; /* events from this number on are counted */
    /** Has a transaction of this event been committed? NULL: as far as its work has run. */
    bool (*counted_in)(uint32_t n);
    uint8_t done[CLIENT_WORLD_EVENTS];     /* times that a handler was through with it */
    uint8_t begun[CLIENT_WORLD_EVENTS];    /* and begun */
    uint8_t worked[CLIENT_WORLD_EVENTS];   /* times that the work of its transaction has run */
    int32_t top_id[CLIENT_WORLD_CHANNELS]; /* of the messages that were made */
    uint32_t last_of[CLIENT_WORLD_CHANNELS][CLIENT_WORLD_EVENTS / 16]; /* message -> its text's */
};

/** A world with a data centre, and no client. */
void client_world_begin(struct client_world *w, uint64_t seed);
/** The end; no client is there. Nothing may be left. */
void client_world_end(struct client_world *w);

/** Begin a life: open and start. Allocations fail as w->alloc says (set it after
 * client_world_fresh). @return as gap_client_open and _start. */
int client_world_open(struct client_world *w);
/** A new life's allocator, and nothing said of it yet. */
void client_world_fresh(struct client_world *w);
/** Run for so long, or until @p cond (which may be NULL); handlers that wait go on meanwhile. */
bool client_world_run(struct client_world *w, uint64_t us,
                      bool (*cond)(const struct client_world *w));
/** Close the client, and fail the test if anything of it is left. */
void client_world_close(struct client_world *w);

/** Has this event been handled? */
bool client_world_is_done(const struct client_world *w, uint32_t n);
/** Has it, or a later one of the same message? A difference shows a message as it is then. */
bool client_world_has(const struct client_world *w, uint32_t n);
/** Is an event of this number handled in a transaction? */
bool client_world_is_transaction(uint32_t n);
/** Answers in the ledger to event @p n: 0 or 1, if all is well. */
unsigned client_world_answers(const struct client_world *w, uint32_t n);
/** @p count new messages and edits in turn over the channels; they are pushed if there is somebody
 * to be pushed to. */
void client_world_say(struct client_world *w, unsigned count);
/** Has everything that counts been handled, or what came later of the same message? */
bool client_world_is_complete(const struct client_world *w);
/** The first event that has not; 0: none. */
uint32_t client_world_missing(const struct client_world *w);
bool client_world_is_caught_up(const struct client_world *w);

#endif
