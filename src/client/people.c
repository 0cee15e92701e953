/*
 * client/people.c - peers of a client: its book and its finder, and where they meet engine, storage
 * and link.
 *
 * Owns the finder, which is made by the first look-up and is a child of the client.
 */
#include "client/client.h"

#include "client/find.h"

static uint32_t now_s(gap_client_t *c)
{
    return (uint32_t)(gap_rt_now_us(&c->rt) / 1000000);
}

/* ---- the book ---- */

static int put(void *arg, const gap_record_t *record)
{
    return gap_store_put(arg, record);
}

static int stored(void *arg, const gap_peer_key_t *key, gap_store_found_cb found, void *found_arg)
{
    return gap_store_find(arg, key, found, found_arg);
}

void client_people_begin(gap_client_t *c, gap_store_t *store)
{
    const struct client_book_ops ops = {.put = put, .stored = stored, .arg = store};

    client_book_begin(&c->book, c->session.user_id, c->session.bot, store == NULL ? NULL : &ops);
    client_book_use(&c->book, c->engine);
}

void client_on_engine_peers(void *data, gap_tl_vector_t users, gap_tl_vector_t chats)
{
    gap_client_t *c = data;
    client_book_peers(&c->book, users, chats);
}

void client_people_answer(gap_client_t *c, gap_bytes_t value)
{
    client_book_answer(&c->book, value, now_s(c));
}

void client_people_update(gap_client_t *c, const gap_update_t *update)
{
    client_book_update(&c->book, update, now_s(c));
}

/* ---- the finder ---- */

static void finder_closed(void *arg)
{
    gap_client_t *c = arg;

    c->finder = NULL;
    if (c->closing) client_keep_close(c);
    gap_loop_drop(&c->rt, &c->loop);
}

static int open_finder(gap_client_t *c)
{
    const struct client_finder_config config = {
        .alloc = c->alloc,
        .rt = &c->rt,
        .book = &c->book,
        .client = c,
        .invoke = client_invoke,
        .invoke_arg = c,
    };

    int r = client_finder_open(&config, &c->finder);
    if (r == 0) gap_loop_hold(&c->loop);
    return r;
}

void client_people_close(gap_client_t *c)
{
    if (c->finder != NULL) client_finder_close(c->finder, finder_closed, c);
}

int gap_client_find_peer(gap_client_t *client, const char *who, gap_found_cb callback, void *data)
{
    client_enter(client);
    if (client->closing) return GAP_E_CLOSED;
    if (client->state != CLIENT_SIGNED_IN) return GAP_E_STATE;
    if (client->finder == NULL) {
        int r = open_finder(client);
        if (r < 0) return r;
    }
    return client_finder_find(client->finder, who, callback, data);
}
