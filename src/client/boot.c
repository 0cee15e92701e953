/*
 * client/boot.c - the account's boot record: how often it was opened, whether the last client ended
 * in order, and the secret that ids of events and random_ids are derived from.
 *
 *   NONE --put--> PUT --on disk, or it can't be now--> STORED -- ... -- put "clean" at the end
 *
 * No update is handled before the secret is on disk: what was sent because of one could not be
 * recognised by the next process. Where nothing can be stored the account goes on all the same, and
 * without a storage the secret is this process's own. Owns c->boot.
 */
#include "client/client.h"

#include <string.h>

static int draw_secret(gap_client_t *c)
{
    struct client_boot *b = &c->boot;

    if (b->has_secret) return 0;
    int r = gap_env_random(c->env, b->record.secret, sizeof b->record.secret);
    b->has_secret = r == 0;
    return r;
}

int client_boot_loaded(gap_client_t *c, const struct gap_store_loaded *loaded)
{
    if (loaded->has_boot) {
        c->boot.has_secret = c->boot.was_stored = true;
        c->boot.unclean = !loaded->boot.clean;
        c->boot.record = loaded->boot;
    }
    c->boot.record.epoch++;
    return draw_secret(c);
}

static int put(gap_client_t *c, bool clean)
{
    gap_record_t r = {.kind = GAP_RECORD_BOOT, .u.boot = c->boot.record};

    r.u.boot.clean = clean;
    return gap_store_put(c->store, &r);
}

/* If it could not be stored that has been told, and is tried again; the account goes on. */
static void on_stored(void *arg, int status)
{
    gap_client_t *c = arg;

    (void)status;
    c->boot.state = BOOT_STORED;
    if (!c->closing) client_booted(c);
}

int client_boot(gap_client_t *c)
{
    if (c->boot.state != BOOT_NONE) return 0;
    int r = draw_secret(c);
    if (r < 0) return r;
    c->boot.state = BOOT_STORED;
    if (c->store == NULL || !c->has_storage) return 0;
    r = put(c, false);
    if (r == 0) r = gap_store_flush(c->store, on_stored, c);
    c->boot.state = r < 0 ? BOOT_NONE : BOOT_PUT;
    return r;
}

bool client_boot_is_stored(const gap_client_t *c)
{
    return c->boot.state == BOOT_STORED;
}

void client_boot_end(gap_client_t *c)
{
    if (c->boot.state == BOOT_NONE || c->store == NULL || !c->has_storage) return;
    int r = put(c, true);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "that this was an orderly end is not stored: %s",
                   gap_strerror(r));
}
