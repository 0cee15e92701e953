/*
 * tests/loop/ends.h - the two ends of a connection inside one environment, keeping books on what
 * they see: every callback counted, every byte kept.
 */
#ifndef GAP_TESTS_ENDS_H
#define GAP_TESTS_ENDS_H

#include "base/buf.h"
#include "tests/loop/world.h"

struct end {
    world_t *w;
    gap_stream_t *s;
    gap_buf_t rx;
    uint8_t buf[65536];
    size_t cap; /* bytes offered to a read; 0 = out of memory */
    int connected;
    int connect_status;
    int reads;
    int ended; /* reads below 0 */
    int end_status;
    int closed;
    int depth; /* callbacks active: never more than one */
    void (*on_connected)(struct end *e);
    void (*on_read)(struct end *e, ssize_t n);
    void *arg;
};

struct out {
    gap_write_t w;
    struct end *e;
    int done;
    int status;
    int closed_before; /* the end's closed callback had run already */
};

struct pair {
    world_t *w;
    gap_listener_t *listener;
    struct end client;
    struct end server;
    int accepted;
    int listener_closed;
    size_t expected; /* bytes a case waits for at the server */
};

/* Listen, connect, run until both ends are up. */
void pair_open(struct pair *p, world_t *w);
/* Only listen, and have what is accepted become p->server. */
void pair_listen(struct pair *p, world_t *w);
/* connect() to the listener; the outcome is for the caller to wait for. */
void pair_connect(struct pair *p);
/* Close what is open and check that each closed callback came once. */
void pair_close(struct pair *p);

void out_write(struct out *o, struct end *e, const void *data, size_t len);
extern const struct gap_stream_events end_events;

/* Conditions for until(): of a struct out, of a struct pair. */
bool out_is_done(void *out);
bool pair_server_has_bytes(void *pair);
bool pair_server_has_all(void *pair); /* p->expected bytes */
bool pair_client_ended(void *pair);
bool pair_client_connected(void *pair);

/* A host that counts its turns and checks its brackets. */
struct host {
    struct gap_env_host host;
    world_t *w;
    int turns;
    int drained_turns;
    int entered;
    int depth;
    uint64_t last_us;
    int idle_turns_left; /* switch idle off after so many */
};

void host_attach(struct host *h, world_t *w);
bool host_has_turned(void *host);

#endif
