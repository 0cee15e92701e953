/*
 * client/client.h - what is behind gap_client_t, for the files of src/client.
 *
 *   IDLE --start--> SIGNING_IN --> SIGNED_IN --401--> SIGNED_OUT
 *                    |    ^ \--refused--> FATAL (also from the link, in any state)
 *         X_MIGRATE  v    | link closed, next one opened
 *                 [LOOKING_UP -->] MOVING
 *   any --close--> closing: engine and link close, then the actor, the runtime, the environment
 *
 * The client is an actor of its runtime only to count its children, the engine and the link; all it
 * does happens in their events.
 */
#ifndef GAP_CLIENT_CLIENT_H
#define GAP_CLIENT_CLIENT_H

#include "loops/engine.h"
#include "loops/loop.h"
#include "loops/session_loop.h"

#include <gapless/client.h>

/** Server keys taken at most. */
#define GAP_CLIENT_KEYS_MAX 8
/** Times a sign-in may be sent to another data centre. */
#define GAP_CLIENT_MOVES_MAX 4
/** Longest line of an event or log, the final 0 included; longer ones are cut. */
#define GAP_CLIENT_LINE_MAX 256
/** Longest text of gap_reply in UTF-16 code units (Telegram's message_length_max). */
#define GAP_CLIENT_TEXT_MAX 4096

enum client_state {
    CLIENT_IDLE = 0,
    CLIENT_SIGNING_IN,
    CLIENT_LOOKING_UP, /* asking for the address of the data centre to move to */
    CLIENT_MOVING,     /* the old link is closing */
    CLIENT_SIGNED_IN,
    CLIENT_SIGNED_OUT,
    CLIENT_FATAL,
};

/** What the client needs of its environment beyond gap_env_ops. */
struct client_env_ops {
    void (*close)(gap_env_t *env, void (*closed)(void *arg), void *arg);
    bool (*forked)(const gap_env_t *env);
    void (*abandon)(gap_env_t *env);
};

/** The configuration, copied and checked. */
struct client_settings {
    gap_network_t network;
    enum gap_link_transport transport;
    char *host; /* custom only */
    uint16_t port;
    int32_t dc; /* present one */
    int32_t api_id;
    char *api_hash;
    char *bot_token;
    char *device_model;
    char *system_version;
    char *app_version;
    char *lang_code;
    char *keys; /* all PEM texts, each ended by 0 */
    const char *pems[GAP_CLIENT_KEYS_MAX];
    size_t pem_count;
    uint32_t gap_wait_us;
};

struct gap_client {
    const gap_alloc_t *alloc;
    gap_env_t *env;
    const struct client_env_ops *env_ops;
    struct gap_env_host host; /* wraps the runtime's: the end comes after a tick, not inside */
    gap_rt_t rt;
    gap_loop_t loop;
    gap_link_t *link;
    gap_engine_t *engine;
    struct client_settings settings;
    enum client_state state;
    unsigned moves;
    int64_t self_id;
    bool bot;
    bool link_closing;
    bool stopped; /* the engine is closed or closing */
    bool closing;
    bool finished; /* every child is gone */
    bool caught_up;
    bool was_ready; /* the present link has been connected once */

    gap_event_cb on_event;
    void *event_data;
    gap_update_cb on_update;
    void *update_data;
    gap_message_cb on_message;
    void *message_data;
    void (*closed)(void *data);
    void *closed_data;

    gap_log_cb log;
    void *log_data;
    gap_log_level_t log_level;
    gap_engine_counters_t counters; /* as they were when the engine was closed */
    char line[GAP_CLIENT_LINE_MAX];
};

/* ---- client.c ---- */

/** A client without environment. @return as gap_client_open, without libuv's codes. */
GAP_NODISCARD int client_new(const gap_client_config_t *config, gap_client_t **out);
/** Free a client that has no environment (any more). */
void client_free(gap_client_t *c);
/** Put it on an environment, which the client closes in the end. */
void client_attach(gap_client_t *c, gap_env_t *env, const struct client_env_ops *ops,
                   const gap_client_config_t *config);

/** Asserts the thread. */
void client_enter(const gap_client_t *c);
/** Close the link, whose closed callback follows. No-op without one. */
void client_close_link(gap_client_t *c);
/** Close the engine. No-op without one, and twice. */
void client_close_engine(gap_client_t *c);

/* ---- settings.c ---- */

/** @return 0; GAP_E_ARGUMENT with *why set; GAP_E_PEM; GAP_E_NOMEM; GAP_E_LIBCRYPTO. On failure
 * what was copied is still to be freed. */
GAP_NODISCARD int client_settings_copy(struct client_settings *s, const gap_alloc_t *alloc,
                                       const gap_client_config_t *config, const char **why);
/** Wipes what is secret. Safe twice. */
void client_settings_free(struct client_settings *s, const gap_alloc_t *alloc);
/** Another address for a custom network. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int client_settings_set_host(struct client_settings *s, const gap_alloc_t *alloc,
                                           gap_bytes_t host);
/** Where a data centre of Telegram is. @return false: not known. */
bool client_published_address(gap_network_t network, int32_t dc, gap_addr_t *out);

/* ---- events.c ---- */

extern const struct gap_link_events client_link_events;

/** Tell the host. The client may be closing when this returns. @param event  Its text is formatted
 * from @p format. */
void client_emit(gap_client_t *c, gap_event_t event, const char *format, ...) GAP_PRINTF(3, 4);
/** Tell the host that the client can't go on, and let the connection go. */
void client_fatal(gap_client_t *c, int error, int32_t rpc_code, const char *format, ...)
    GAP_PRINTF(4, 5);
void client_on_engine_event(void *data, const gap_engine_event_t *event);
int client_on_engine_update(gap_update_t *update, void *data);

/* ---- sign_in.c ---- */

/** Open a link to the present data centre and sign in there. @return 0 or why not. */
GAP_NODISCARD int client_connect(gap_client_t *c);
/** The old link is gone: connect to where sign-in was sent. */
void client_moved(gap_client_t *c);

/* ---- call.c ---- */

/** gap_engine_config.invoke. */
int client_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg);

#endif
