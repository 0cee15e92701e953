/*
 * dc/homes.c - see homes.h. Owns the table of data centres and the list of those who moved. Never
 * talks to another data centre: clients carry what is to be known.
 */
#include "dc/homes.h"

#include "base/alloc.h"
#include "dc/rpc.h"

#include <stdio.h>

#define PHONE_DC_AT 5 /* of the digits of a phone number */

void gap_dc_homes_init(gap_dc_t *dc)
{
    dc->homes.peers = dc->homes.told = dc->options.peers;
    gap_map_init(&dc->homes.moved, dc->alloc);
}

int gap_dc_homes_open(gap_dc_t *dc)
{
    return gap_dc_transfer_key(&dc->crypto, dc->options.peer_secret, dc->homes.key);
}

void gap_dc_homes_fini(gap_dc_t *dc)
{
    gap_map_fini(&dc->homes.moved);
    gap_wipe(dc->homes.key, sizeof dc->homes.key);
}

/* --- who lives where ----------------------------------------------------------------------- */

/* The digit X of 99966XYYYY; 0: it is another number. */
static int32_t dc_of_phone(gap_bytes_t phone)
{
    char digits[GAP_DC_PHONE_DIGITS + 1];

    return gap_dc_phone_read(phone, digits) ? digits[PHONE_DC_AT] - '0' : 0;
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

int gap_dc_check_moved(gap_dc_t *dc, const gap_dc_key_t *key, uint32_t method,
                       gap_dc_error_t *error)
{
    int32_t home = moved_to(dc, key->account);

    if (home == 0 || home == dc->options.dc || key->is_guest || is_for_leaving(method)) return 0;
    return gap_dc_migrate(dc, "USER", home, error);
}

int gap_dc_move(gap_dc_t *dc, int64_t account, int32_t id)
{
    const gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account);
    gap_dc_key_t *key;

    if (moved_to(dc, account) == 0 && dc->homes.moved.count >= GAP_DC_MOVED_MAX) return GAP_E_LIMIT;
    int r = gap_map_set(&dc->homes.moved, (uint64_t)account, (void *)(intptr_t)id);
    if (r < 0) return r;
    dc_model_away(dc->model, account, id != dc->options.dc);
    if (a == NULL) return 0;
    TAILQ_FOREACH (key, &a->keys, account_link) {
        if (id == dc->options.dc)
            key->is_guest = false;
        else
            key->subscribed = NULL;
    }
    return 0;
}

int64_t gap_dc_account_of(int64_t who)
{
    char text[24];
    char phone[GAP_DC_PHONE_DIGITS + 1];

    (void)snprintf(text, sizeof text, "%lld", (long long)who);
    return gap_dc_phone_read(gap_str(text), phone) ? gap_dc_phone_user(phone) : who;
}

bool gap_dc_gets_updates(const gap_dc_t *dc, const gap_dc_key_t *key)
{
    int32_t home = moved_to(dc, key->account);

    return key->account != 0 && !key->is_guest && (home == 0 || home == dc->options.dc);
}

/* --- authorizations that travel -------------------------------------------------------------- */

static int refuse(gap_dc_error_t *error, int32_t code, const char *text)
{
    error->code = code;
    error->text = text;
    return GAP_DC_IS_ERROR;
}

static uint64_t now_s(const gap_dc_t *dc)
{
    return dc->now.wall_us / 1000000;
}

int gap_dc_export(gap_dc_t *dc, const gap_dc_key_t *key, const gap_dc_query_t *q, gap_buf_t *out,
                  gap_dc_error_t *error)
{
    gap_tl_auth_export_authorization_t in;
    gap_dc_transfer_t transfer = {.from = dc->options.dc, .account = key->account};
    uint8_t bytes[GAP_DC_TRANSFER_BYTES];

    if (gap_tl_read(q->method, q->id, &in, sizeof in) < 0)
        return refuse(error, 400, "INPUT_FETCH_ERROR");
    if (key->account == 0) return refuse(error, 401, "AUTH_KEY_UNREGISTERED");
    /* Only the home vouches for an account: what was imported is not handed on. */
    if (key->is_guest || in.dc_id == dc->options.dc ||
        !gap_dc_peers_has(&dc->homes.peers, in.dc_id))
        return refuse(error, 400, "DC_ID_INVALID");
    transfer.to = in.dc_id;
    transfer.expires_s = now_s(dc) + GAP_DC_TRANSFER_S;
    transfer.is_bot = dc_model_is_bot(dc->model, key->account);
    transfer.is_move = moved_to(dc, key->account) == in.dc_id;
    int r = gap_random_fill(&dc->random, transfer.nonce, sizeof transfer.nonce);
    if (r == 0) r = gap_dc_transfer_seal(&dc->crypto, dc->homes.key, &transfer, bytes);
    if (r < 0) return r;
    gap_tl_auth_exported_authorization_t exported = {key->account, gap_bytes(bytes, sizeof bytes)};
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_AUTH_EXPORTED_AUTHORIZATION, &exported));
}

/* Is what a client brings good for it, here and now? It is used up then. */
static int check_import(gap_dc_t *dc, const gap_tl_auth_import_authorization_t *in,
                        gap_dc_transfer_t *transfer, gap_dc_error_t *error)
{
    int r = gap_dc_transfer_open(&dc->crypto, dc->homes.key, in->bytes, transfer);

    if (r < 0) return r;
    if (r == GAP_DC_TRANSFER_BAD || transfer->to != dc->options.dc ||
        transfer->expires_s < now_s(dc))
        return refuse(error, 400, "AUTH_BYTES_INVALID");
    if (transfer->account != in->id) return refuse(error, 400, "USER_ID_INVALID");
    r = gap_dc_transfer_use(&dc->homes.used, transfer, now_s(dc));
    if (r == GAP_E_LIMIT) return refuse(error, 420, "FLOOD_WAIT_60");
    return r == GAP_DC_TRANSFER_BAD ? refuse(error, 400, "AUTH_BYTES_INVALID") : r;
}

static int sign_in(gap_dc_t *dc, gap_dc_key_t *key, const gap_dc_transfer_t *transfer)
{
    gap_dc_person_t *p = NULL;

    if (transfer->is_bot) return gap_dc_sign_in(dc, key, transfer->account, NULL);
    int r = gap_dc_person_by_id(&dc->people, transfer->account, &p);
    if (r < 0) return r;
    const dc_person_t names = gap_dc_person_names(p);
    return gap_dc_sign_in(dc, key, transfer->account, &names);
}

int gap_dc_import(gap_dc_t *dc, gap_dc_key_t *key, const gap_dc_query_t *q, gap_dc_error_t *error)
{
    gap_tl_auth_import_authorization_t in;
    gap_dc_transfer_t transfer;

    if (gap_tl_read(q->method, q->id, &in, sizeof in) < 0)
        return refuse(error, 400, "INPUT_FETCH_ERROR");
    int r = check_import(dc, &in, &transfer, error);
    if (r != 0) return r;
    bool was_here = gap_map_get(&dc->accounts_by_id, (uint64_t)transfer.account) != NULL &&
                    !dc_model_is_away(dc->model, transfer.account);
    r = sign_in(dc, key, &transfer);
    if (r == GAP_E_LIMIT) return refuse(error, 420, "FLOOD_WAIT_60");
    if (r == GAP_E_ARGUMENT) return refuse(error, 400, "USER_ID_INVALID");
    if (r < 0) return r;
    if (transfer.is_move) {
        r = gap_dc_move(dc, transfer.account, dc->options.dc);
        return r == GAP_E_LIMIT ? refuse(error, 420, "FLOOD_WAIT_60") : r;
    }
    key->is_guest = true;
    dc_model_away(dc->model, transfer.account, !was_here);
    return 0;
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
    int r = 0;

    if (TAILQ_EMPTY(&dc->accounts)) return 0;
    if ((r = build_update(dc)) < 0) return r;
    TAILQ_FOREACH (a, &dc->accounts, link)
        TAILQ_FOREACH (key, &a->keys, account_link) {
            r = gap_dc_push_deliver(dc, key, gap_buf_view(&dc->push), false);
            if (r < 0) return r;
        }
    return 0;
}

/* Make the table that counts anew, and tell of it if it is another. */
static int renew(gap_dc_t *dc)
{
    gap_dc_homes_t *h = &dc->homes;
    gap_dc_peers_t peers = h->told;
    int r = 0;

    for (uint32_t i = 0; i < h->edit_count && r == 0; i++) {
        if (h->edits[i].is_known)
            r = gap_dc_peers_replace(&peers, 0, &h->edits[i].peer);
        else
            (void)gap_dc_peers_drop(&peers, h->edits[i].peer.id);
    }
    if (r < 0 || gap_dc_peers_equal(&h->peers, &peers)) return r;
    h->peers = peers;
    return gap_dc_push_options(dc);
}

int gap_dc_change_peers(gap_dc_t *dc, const gap_dc_peer_t *peer, bool is_known)
{
    gap_dc_homes_t *h = &dc->homes;

    if (h->edit_count == GAP_DC_PEERS_MAX) return GAP_E_LIMIT;
    h->edits[h->edit_count++] = (struct gap_dc_edit){*peer, is_known};
    int r = renew(dc);
    if (r == GAP_E_LIMIT) h->edit_count--;
    return r;
}

int gap_dc_set_peers(gap_dc_t *dc, const gap_dc_peers_t *peers)
{
    dc->homes.told = *peers;
    if (!dc->homes.is_looking) gap_dc_look_at_clock(dc);
    int r = renew(dc);
    if (!dc->homes.is_looking) gap_dc_settle(dc);
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
