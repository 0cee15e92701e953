/*
 * client/route.c - what routers and sinks need of a client: its storage for session data, its loop.
 *
 * Owns a copy of a value between the storage's answer and the router. Keys are put behind two bytes
 * of the library's own, so that nothing else of the program's can meet them.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "loops/sink.h"
#include "store/value.h"

#include <gapless/route.h>
#include <string.h>

/* ---- session data ---- */

#define PREFIX_LEN 2

struct own_key {
    uint8_t bytes[PREFIX_LEN + GAP_SESSION_KEY_MAX];
};

static gap_bytes_t own(struct own_key *to, gap_bytes_t key)
{
    to->bytes[0] = 0;
    to->bytes[1] = 's';
    memcpy(to->bytes + PREFIX_LEN, key.data, key.len);
    return gap_bytes(to->bytes, PREFIX_LEN + key.len);
}

/* A value that is being read. */
struct reading {
    const gap_alloc_t *alloc;
    gap_value_cb loaded;
    void *arg;
    uint8_t *data;
    size_t len;
};

static int on_record(void *arg, const gap_record_t *record)
{
    struct reading *r = arg;
    gap_bytes_t value = record->u.value.value;

    if (value.len == 0 || r->data != NULL) return 0;
    r->data = gap_malloc(r->alloc, value.len);
    if (r->data == NULL) return GAP_E_NOMEM;
    memcpy(r->data, value.data, value.len);
    r->len = value.len;
    return 0;
}

static void on_read(void *arg, int status)
{
    struct reading *r = arg;
    struct reading copy = *r;

    gap_free(r->alloc, r);
    copy.loaded(copy.arg, status, gap_bytes(copy.data, status < 0 ? 0 : copy.len));
    gap_free(copy.alloc, copy.data);
}

static int load(void *self, gap_bytes_t key, gap_value_cb loaded, void *arg)
{
    gap_client_t *c = self;
    struct own_key mine;
    const gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = own(&mine, key)};

    if (c->store == NULL || !c->has_storage) {
        loaded(arg, 0, gap_bytes(NULL, 0));
        return 0;
    }
    struct reading *r = gap_calloc(c->alloc, 1, sizeof *r);
    if (r == NULL) return GAP_E_NOMEM;
    r->alloc = c->alloc;
    r->loaded = loaded;
    r->arg = arg;
    int status = gap_store_read(c->store, &what, on_record, on_read, r);
    if (status < 0) gap_free(c->alloc, r);
    return status;
}

static int save(void *self, gap_bytes_t key, gap_bytes_t value)
{
    gap_client_t *c = self;
    struct own_key mine;
    const gap_record_t record = {
        .kind = GAP_RECORD_VALUE,
        .removed = value.len == 0,
        .u.value = {own(&mine, key), value},
    };

    return c->store == NULL || !c->has_storage ? 0 : gap_store_put(c->store, &record);
}

static int save_in(void *self, struct sqlite3 *db, gap_bytes_t key, gap_bytes_t value)
{
    struct own_key mine;

    (void)self;
    return gap_sqlite_put_value(db, own(&mine, key), value);
}

gap_values_t gap_client_values(gap_client_t *client)
{
    client_enter(client);
    return (gap_values_t){load, save, save_in, client};
}

/* ---- sinks ---- */

static void sink_gone(void *arg)
{
    gap_client_t *c = arg;
    gap_loop_drop(&c->rt, &c->loop);
}

int gap_client_sink(gap_client_t *client, const gap_sink_config_t *config, gap_sink_t **out)
{
    client_enter(client);
    if (client->closing) return GAP_E_CLOSED;
    int r = gap_sink_open(&client->rt, config, sink_gone, client, out);
    if (r == 0) gap_loop_hold(&client->loop);
    return r;
}
