/*
 * dc/homes.c - see homes.h. Owns the table of data centres and the list of those who moved. Never
 * talks to another data centre: clients carry what is to be known.
 */
#include "dc/homes.h"

#include "dc/rpc.h"

#include <stdio.h>

#define PHONE_PREFIX     "99966" /* of the numbers that test data centres accept */
#define PHONE_PREFIX_LEN 5U
#define PHONE_LEN        10U

void gap_dc_homes_init(gap_dc_t *dc)
{
    dc->homes.peers = dc->options.peers;
    gap_map_init(&dc->homes.moved, dc->alloc);
}

void gap_dc_homes_fini(gap_dc_t *dc)
{
    gap_map_fini(&dc->homes.moved);
}

/* --- who lives where ----------------------------------------------------------------------- */

/* The digit X of 99966XYYYY, blanks and signs passed over; 0: it is another number. */
static int32_t dc_of_phone(gap_bytes_t phone)
{
    uint8_t digits[PHONE_LEN];
    size_t count = 0;

    for (size_t i = 0; i < phone.len; i++) {
        if (phone.data[i] < '0' || phone.data[i] > '9') continue;
        if (count == PHONE_LEN) return 0;
        digits[count++] = phone.data[i];
    }
    if (count != PHONE_LEN || memcmp(digits, PHONE_PREFIX, PHONE_PREFIX_LEN) != 0) return 0;
    return digits[PHONE_PREFIX_LEN] - '0';
}

/* Where an account was moved to; 0: it was not. */
static int32_t moved_to(const gap_dc_t *dc, int64_t account)
{
    return account == 0 ? 0 : (int32_t)(intptr_t)gap_map_get(&dc->homes.moved, (uint64_t)account);
}

/* This data centre unless @p id is another one that is known. */
static int32_t known(const gap_dc_t *dc, int32_t id)
{
    return gap_dc_peers_has(&dc->homes.peers, id) ? id : dc->options.dc;
}

int gap_dc_migrate(gap_dc_t *dc, const char *kind, int32_t id, gap_dc_error_t *error)
{
    (void)snprintf(dc->homes.error, sizeof dc->homes.error, "%.16s_MIGRATE_%d", kind, (int)id);
    error->code = 303;
    error->text = dc->homes.error;
    return GAP_DC_IS_ERROR;
}

int gap_dc_check_home(gap_dc_t *dc, gap_bytes_t phone, int64_t account, gap_dc_error_t *error)
{
    bool is_bot = phone.len == 0;
    int32_t home = moved_to(dc, account);

    if (home == 0) home = known(dc, is_bot ? dc->options.bots_dc : dc_of_phone(phone));
    if (home == dc->options.dc) return 0;
    return gap_dc_migrate(dc, is_bot ? "USER" : "PHONE", home, error);
}

/* What an account that has moved may still call: all that it needs to follow. */
static bool is_for_leaving(uint32_t method)
{
    const char *name = gap_tl_name(method);

    return name == NULL || method == GAP_TL_AUTH_EXPORT_AUTHORIZATION ||
           method == GAP_TL_AUTH_IMPORT_AUTHORIZATION || method == GAP_TL_AUTH_LOG_OUT ||
           strncmp(name, "help.", 5) == 0 || strncmp(name, "langpack.", 9) == 0;
}

int gap_dc_check_moved(gap_dc_t *dc, int64_t account, uint32_t method, gap_dc_error_t *error)
{
    int32_t home = moved_to(dc, account);

    if (home == 0 || home == dc->options.dc || is_for_leaving(method)) return 0;
    return gap_dc_migrate(dc, "USER", home, error);
}

int gap_dc_move(gap_dc_t *dc, int64_t account, int32_t id)
{
    const gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account);
    gap_dc_key_t *key;

    if (moved_to(dc, account) == 0 && dc->homes.moved.count >= GAP_DC_MOVED_MAX) return GAP_E_LIMIT;
    int r = gap_map_set(&dc->homes.moved, (uint64_t)account, (void *)(intptr_t)id);
    if (r < 0) return r;
    if (a == NULL || id == dc->options.dc) return 0;
    TAILQ_FOREACH (key, &a->keys, account_link) key->subscribed = NULL;
    return 0;
}

bool gap_dc_has_moved_to(const gap_dc_t *dc, int64_t account, int32_t id)
{
    return moved_to(dc, account) == id;
}

bool gap_dc_gets_updates(const gap_dc_t *dc, const gap_dc_key_t *key)
{
    int32_t home = moved_to(dc, key->account);

    return key->account != 0 && (home == 0 || home == dc->options.dc);
}

/* --- what clients are told ----------------------------------------------------------------- */

static void list_one(gap_dc_option_list_t *out, const gap_dc_peer_t *peer)
{
    gap_tl_dc_option_t *option = &out->options[out->count];
    char *ip = out->ips[out->count];

    gap_addr_format_ip(&peer->addr, ip);
    *option = (gap_tl_dc_option_t){
        .flags = GAP_TL_DC_OPTION_F_STATIC | GAP_TL_DC_OPTION_F_THIS_PORT_ONLY |
                 (peer->addr.v6 ? GAP_TL_DC_OPTION_F_IPV6 : 0U) |
                 (peer->is_media ? GAP_TL_DC_OPTION_F_MEDIA_ONLY : 0U),
        .id = peer->id,
        .ip_address = gap_str(ip),
        .port = peer->addr.port,
    };
    out->objects[out->count++] = GAP_TL_OF(GAP_TL_DC_OPTION, option);
}

void gap_dc_list_options(const gap_dc_t *dc, gap_dc_option_list_t *out)
{
    const gap_dc_peer_t own = {dc->options.dc, gap_dc_addr(dc), false};

    out->count = 0;
    list_one(out, &own);
    for (uint32_t i = 0; i < dc->homes.peers.count; i++) list_one(out, &dc->homes.peers.list[i]);
}

/* updateShort with updateDcOptions, in dc->push; the same in every layer. */
static int build_update(gap_dc_t *dc)
{
    gap_dc_option_list_t list;
    gap_tl_update_dc_options_t options;
    gap_tl_update_short_t update;

    gap_dc_list_options(dc, &list);
    options.dc_options = gap_tl_array(list.objects, list.count);
    update.update = GAP_TL_OF(GAP_TL_UPDATE_DC_OPTIONS, &options);
    update.date = (int32_t)(dc->now.wall_us / 1000000);
    gap_buf_clear(&dc->push);
    return gap_dc_put_object(&dc->push, GAP_TL_OF(GAP_TL_UPDATE_SHORT, &update));
}

int gap_dc_push_options(gap_dc_t *dc)
{
    gap_dc_account_t *a;
    gap_dc_key_t *key;
    int r = build_update(dc);

    if (r < 0) return r;
    TAILQ_FOREACH (a, &dc->accounts, link)
        TAILQ_FOREACH (key, &a->keys, account_link) {
            r = gap_dc_push_deliver(dc, key, gap_buf_view(&dc->push), false);
            if (r < 0) return r;
        }
    return 0;
}

int gap_dc_set_peers(gap_dc_t *dc, const gap_dc_peers_t *peers)
{
    if (gap_dc_peers_equal(&dc->homes.peers, peers)) return 0;
    dc->homes.peers = *peers;
    if (dc->homes.is_looking) return gap_dc_push_options(dc);
    gap_dc_look_at_clock(dc);
    int r = gap_dc_push_options(dc);
    gap_dc_settle(dc);
    return r;
}

void gap_dc_look_at_peers(gap_dc_t *dc, uint32_t method)
{
    const char *name = gap_tl_name(method);

    if (dc->options.look_at_peers == NULL || name == NULL) return;
    if (method != GAP_TL_HELP_GET_CONFIG && strncmp(name, "auth.", 5) != 0) return;
    dc->homes.is_looking = true;
    dc->options.look_at_peers(dc->options.data);
    dc->homes.is_looking = false;
}

const gap_dc_peers_t *gap_dc_peers(const gap_dc_t *dc)
{
    return &dc->homes.peers;
}
