/*
 * client/client_uv.c - the one place where a client meets libuv: it opens the environment on the
 * caller's loop and puts the client on it.
 */
#include "client/client.h"
#include "uv/uv_env.h"

#include <gapless/uv.h>

static const struct client_env_ops uv_ops = {
    .close = gap_uv_env_close,
    .forked = gap_uv_env_forked,
    .abandon = gap_uv_env_abandon,
};

int gap_client_open(uv_loop_t *loop, const gap_client_config_t *config, gap_client_t **out)
{
    gap_client_t *c = NULL;
    gap_env_t *env = NULL;

    int r = client_new(config, &c);
    if (r < 0) return r;
    r = gap_uv_env_open(loop, c->alloc, &env);
    if (r < 0) {
        client_free(c);
        return r;
    }
    client_attach(c, env, &uv_ops, config);
    *out = c;
    return 0;
}
