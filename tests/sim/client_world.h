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
    bool (*is_dead)(void); /* NULL: it lives until it is closed */
    bool closed;
    bool caught_up;
    bool signed_in;
    bool fatal;
    unsigned store_failed; /* events of this life */
    unsigned store_recovered;
    unsigned troubles; /* events that say that something went wrong */
    char trouble[256]; /* the last of them */
    struct client_world_later *later;
    unsigned calls; /* of the handler, of this life */
    /* all lives */
    uint32_t first;                       /* events from this number on are counted */
    uint8_t done[CLIENT_WORLD_EVENTS];    /* times that a handler was through with it */
    uint8_t started[CLIENT_WORLD_EVENTS]; /* and begun */
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

/** @p count new messages and edits in turn over the channels; they are pushed if there is somebody
 * to be pushed to. */
void client_world_say(struct client_world *w, unsigned count);
/** Has everything that counts been handled, or what came later of the same message? */
bool client_world_is_complete(const struct client_world *w);
/** The first event that has not; 0: none. */
uint32_t client_world_missing(const struct client_world *w);
bool client_world_is_caught_up(const struct client_world *w);

#endif
