/*
 * dc/rpc_help.c - taking calls out of their wrappers, and the help methods. Owns nothing. Wrappers
 * are read by hand: what they wrap may be a method that the schema's layer no longer has.
 */
#include "base/packet.h"
#include "dc/layer.h"
#include "dc/rpc.h"
#include "dc/wire.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

/* config as it was, and what it held that is gone since. */
#define OLD_CONFIG           0x330b4067U
#define OLD_SAVED_GIFS       200
#define OLD_STICKERS_FAVED   5
#define OLD_PINNED_DIALOGS   5
#define OLD_PINNED_IN_FOLDER 100

static const gap_dc_error_t fetch_error = {400, "INPUT_FETCH_ERROR"};

/* --- wrappers ------------------------------------------------------------------------------ */

/* Pass one boxed object. */
static void pass_object(gap_dc_cursor_t *c)
{
    int64_t n = gap_tl_skip(gap_dc_rest(c));

    if (n < 0)
        c->bad = true;
    else
        (void)gap_dc_take(c, (size_t)n);
}

static void init_connection(gap_dc_cursor_t *c, gap_dc_device_words_t *device)
{
    uint32_t flags = gap_dc_take32(c);

    device->api_id = (int32_t)gap_dc_take32(c); /* any will do */
    device->model = gap_dc_take_bytes(c);
    device->system = gap_dc_take_bytes(c);
    device->app = gap_dc_take_bytes(c);
    for (unsigned i = 0; i < 3; i++) (void)gap_dc_take_bytes(c); /* languages */
    if ((flags & GAP_TL_INIT_CONNECTION_F_PROXY) != 0) pass_object(c);
    if ((flags & GAP_TL_INIT_CONNECTION_F_PARAMS) != 0) pass_object(c);
}

static void after_msgs(gap_dc_cursor_t *c, gap_dc_query_t *out)
{
    uint32_t id = gap_dc_take32(c);
    uint32_t count = gap_dc_take32(c);

    if (id != GAP_TL_VECTOR || count > GAP_DC_AFTER_MAX) c->bad = true;
    out->after_count = 0;
    for (uint32_t i = 0; i < count && !c->bad; i++)
        out->after[out->after_count++] = gap_dc_take64(c);
}

static int inflate_query(gap_dc_cursor_t *c, gap_gzip_t *zip, gap_packet_t **inflated)
{
    gap_bytes_t packed = gap_dc_take_bytes(c);

    if (c->bad || *inflated != NULL) return GAP_E_GZIP; /* packed once is enough */
    int r = gap_inflate(zip, packed, GAP_DC_INFLATED_MAX_BYTES, inflated);
    if (r == 0) *c = gap_dc_cursor(gap_bytes((*inflated)->data, (*inflated)->len));
    return r;
}

/* Take one wrapper off. @return 1 done; 0 this is no wrapper; negative. */
static int unwrap_one(uint32_t id, gap_dc_cursor_t *c, gap_gzip_t *zip, gap_dc_query_t *out,
                      gap_packet_t **inflated)
{
    switch (id) {
    case GAP_TL_INVOKE_WITH_LAYER:
        out->layer = (int32_t)gap_dc_take32(c);
        return 1;
    case GAP_TL_INIT_CONNECTION:
        init_connection(c, &out->device);
        out->has_init = true;
        return 1;
    case GAP_TL_INVOKE_WITHOUT_UPDATES:
        out->no_updates = true;
        return 1;
    case GAP_TL_INVOKE_AFTER_MSG:
        out->after_count = 1;
        out->after[0] = gap_dc_take64(c);
        return 1;
    case GAP_TL_INVOKE_AFTER_MSGS:
        after_msgs(c, out);
        return 1;
    case GAP_TL_INVOKE_WITH_MESSAGES_RANGE:
        pass_object(c);
        return 1;
    case GAP_TL_INVOKE_WITH_TAKEOUT:
        (void)gap_dc_take64(c);
        return 1;
    case GAP_TL_INVOKE_WITH_BUSINESS_CONNECTION:
    case GAP_TL_INVOKE_WITH_RE_CAPTCHA:
        (void)gap_dc_take_bytes(c);
        return 1;
    case GAP_TL_INVOKE_WITH_APNS_SECRET:
    case GAP_TL_INVOKE_WITH_GOOGLE_PLAY_INTEGRITY:
        (void)gap_dc_take_bytes(c);
        (void)gap_dc_take_bytes(c);
        return 1;
    case GAP_MT_GZIP_PACKED: {
        int r = inflate_query(c, zip, inflated);
        return r == 0 ? 1 : r;
    }
    default:
        return 0;
    }
}

int gap_dc_unwrap(gap_bytes_t query, gap_gzip_t *zip, gap_dc_query_t *out, gap_packet_t **inflated,
                  gap_dc_error_t *error)
{
    gap_dc_cursor_t c = gap_dc_cursor(query);

    memset(out, 0, sizeof *out);
    *inflated = NULL;
    *error = fetch_error;
    for (unsigned depth = 0; depth <= GAP_DC_WRAPPERS_MAX; depth++) {
        gap_bytes_t here = gap_dc_rest(&c);
        uint32_t id = gap_dc_take32(&c);
        if (c.bad) return GAP_DC_IS_ERROR;
        int r = unwrap_one(id, &c, zip, out, inflated);
        if (r == GAP_E_GZIP || c.bad) return GAP_DC_IS_ERROR;
        if (r < 0) return r;
        if (r == 0) {
            out->method = here;
            out->id = id;
            error->code = 0;
            return 0;
        }
    }
    return GAP_DC_IS_ERROR;
}

int64_t gap_dc_token_id(gap_bytes_t token)
{
    int64_t id = 0;
    size_t i = 0;

    for (; i < token.len && token.data[i] >= '0' && token.data[i] <= '9'; i++) {
        if (i >= 15) return 0;
        id = id * 10 + (token.data[i] - '0');
    }
    if (i == 0 || token.len < i + 2 || token.data[i] != ':') return 0;
    return id;
}

/* --- help ---------------------------------------------------------------------------------- */

int gap_dc_put_object(gap_buf_t *out, gap_tl_object_t object)
{
    int64_t n = gap_tl_size(object);

    if (n < 0) return (int)n;
    int r = gap_buf_reserve(out, (size_t)n);
    if (r < 0) return r;
    n = gap_tl_write(object, out->data + out->len, out->cap - out->len);
    if (n < 0) return (int)n;
    out->len += (size_t)n;
    return 0;
}

/* config of the layers before GAP_DC_LAYER_LATER: more limits, in another order. */
static int put_old_config(gap_buf_t *out, const gap_tl_config_t *c,
                          const gap_dc_option_list_t *list)
{
    const uint32_t head[] = {OLD_CONFIG,        0,
                             (uint32_t)c->date, (uint32_t)c->expires,
                             GAP_MT_BOOL_FALSE, (uint32_t)c->this_dc,
                             GAP_TL_VECTOR,     list->count};
    const int32_t limits[] = {c->chat_size_max,
                              c->megagroup_size_max,
                              c->forwarded_count_max,
                              c->online_update_period_ms,
                              c->offline_blur_timeout_ms,
                              c->offline_idle_timeout_ms,
                              c->online_cloud_timeout_ms,
                              c->notify_cloud_delay_ms,
                              c->notify_default_delay_ms,
                              c->push_chat_period_ms,
                              c->push_chat_limit,
                              OLD_SAVED_GIFS,
                              c->edit_time_limit,
                              c->revoke_time_limit,
                              c->revoke_pm_time_limit,
                              c->rating_e_decay,
                              c->stickers_recent_limit,
                              OLD_STICKERS_FAVED,
                              c->channels_read_media_period,
                              OLD_PINNED_DIALOGS,
                              OLD_PINNED_IN_FOLDER,
                              c->call_receive_timeout_ms,
                              c->call_ring_timeout_ms,
                              c->call_connect_timeout_ms,
                              c->call_packet_timeout_ms};
    const int32_t tail[] = {c->caption_length_max, c->message_length_max, c->webfile_dc_id};
    int r = 0;

    for (size_t i = 0; i < GAP_ARRAY_LEN(head) && r == 0; i++) r = gap_buf_append32(out, head[i]);
    for (uint32_t i = 0; i < list->count && r == 0; i++)
        r = gap_dc_put_object(out, list->objects[i]);
    if (r == 0) r = gap_dc_put_bytes(out, c->dc_txt_domain_name);
    for (size_t i = 0; i < GAP_ARRAY_LEN(limits) && r == 0; i++)
        r = gap_buf_append32(out, (uint32_t)limits[i]);
    if (r == 0) r = gap_dc_put_bytes(out, c->me_url_prefix);
    for (size_t i = 0; i < GAP_ARRAY_LEN(tail) && r == 0; i++)
        r = gap_buf_append32(out, (uint32_t)tail[i]);
    return r;
}

static int get_config(const gap_dc_t *dc, int32_t layer, gap_buf_t *out)
{
    gap_dc_option_list_t list;
    int32_t date = (int32_t)(dc->now.wall_us / 1000000);

    gap_dc_list_options(dc, &list);
    gap_tl_config_t config = {
        .date = date,
        .expires = date + 86400,
        .test_mode = false,
        .this_dc = dc->options.dc,
        .dc_options = gap_tl_array(list.objects, list.count),
        .dc_txt_domain_name = gap_str("dc.invalid"),
        .chat_size_max = 200,
        .megagroup_size_max = 200000,
        .forwarded_count_max = 100,
        .online_update_period_ms = 210000,
        .offline_blur_timeout_ms = 5000,
        .offline_idle_timeout_ms = 30000,
        .online_cloud_timeout_ms = 300000,
        .notify_cloud_delay_ms = 30000,
        .notify_default_delay_ms = 1500,
        .push_chat_period_ms = 60000,
        .push_chat_limit = 2,
        .edit_time_limit = 172800,
        .revoke_time_limit = INT32_MAX,
        .revoke_pm_time_limit = INT32_MAX,
        .rating_e_decay = 2419200,
        .stickers_recent_limit = 200,
        .channels_read_media_period = 604800,
        .call_receive_timeout_ms = 20000,
        .call_ring_timeout_ms = 90000,
        .call_connect_timeout_ms = 30000,
        .call_packet_timeout_ms = 10000,
        .me_url_prefix = gap_str("https://t.me/"),
        .caption_length_max = 1024,
        .message_length_max = DC_TEXT_CHARS_MAX,
        .webfile_dc_id = dc->options.dc,
    };
    if (layer < GAP_DC_LAYER_LATER) return put_old_config(out, &config, &list);
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_CONFIG, &config));
}

static int get_nearest_dc(const gap_dc_t *dc, gap_buf_t *out)
{
    gap_tl_nearest_dc_t nearest = {gap_str("NL"), dc->options.dc, dc->options.dc};

    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_NEAREST_DC, &nearest));
}

static int get_app_config(int32_t layer, gap_buf_t *out)
{
    gap_tl_json_object_t nothing = {gap_tl_array(NULL, 0)};
    gap_tl_help_app_config_t config = {1, GAP_TL_OF(GAP_TL_JSON_OBJECT, &nothing)};

    if (layer < GAP_DC_LAYER_LATER) return gap_dc_put_object(out, config.config);
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_HELP_APP_CONFIG, &config));
}

int gap_dc_help(const gap_dc_t *dc, const gap_dc_query_t *q, int32_t layer, gap_buf_t *out)
{
    switch (q->id) {
    case GAP_TL_HELP_GET_CONFIG:
        return get_config(dc, layer, out);
    case GAP_TL_HELP_GET_NEAREST_DC:
        return get_nearest_dc(dc, out);
    case GAP_TL_HELP_GET_APP_CONFIG:
        return get_app_config(layer, out);
    default:
        return DC_NOT_MINE;
    }
}
