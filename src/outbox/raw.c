/*
 * outbox/raw.c - calls that are given as bytes: which method it is, where its random ids are, and
 * whether it goes with what its caller says about repeating it. Fields are found by their names in
 * the schema's tables. Owns nothing, allocates nothing.
 */
#include "outbox/content_in.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>

/** Wrappers around each other. */
#define WRAPPERS_MAX 8

/* ---- the method inside ---- */

/* A method whose last field is another call. */
static bool is_wrapper(const gap_tl_cursor_t *c)
{
    return c->last > c->first && c->last[-1].kind == GAP_TL_K_REST;
}

/* What only the connection may say. */
static bool is_for_connection(uint32_t id)
{
    return id == GAP_TL_INVOKE_WITH_LAYER || id == GAP_TL_INIT_CONNECTION ||
           id == GAP_TL_INVOKE_AFTER_MSG || id == GAP_TL_INVOKE_AFTER_MSGS;
}

/* The call inside of its wrappers. @return 0; GAP_E_ARGUMENT no method, or one of the connection's;
 * GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT. */
static int unwrap(gap_bytes_t query, gap_bytes_t *out)
{
    gap_tl_cursor_t c;

    for (int i = 0; i < WRAPPERS_MAX; i++) {
        int r = gap_tl_cursor_open(&c, query);
        if (r < 0) return r;
        if (!gap_tl_is_method(c.id) || is_for_connection(c.id)) return GAP_E_ARGUMENT;
        if (!is_wrapper(&c)) {
            *out = query;
            return 0;
        }
        r = gap_tl_cursor_to(&c, (int)(c.last - c.first) - 1);
        if (r < 0) return r;
        query = gap_bytes(c.at, (size_t)(c.end - c.at));
    }
    return GAP_E_LIMIT;
}

/* ---- random ids ---- */

/* Takes one: 4 or 8 bytes. */
typedef void (*spot_cb)(void *arg, const uint8_t *at, size_t size);

static bool is_random(const gap_tl_field_t *field, uint8_t kind)
{
    bool fits = kind == GAP_TL_K_LONG || kind == GAP_TL_K_INT;

    return fits && strcmp(&gap_tl_names[field->name], "random_id") == 0;
}

/* A field of the method, or of an element of one. @return 1 there is one; 0; negative. */
static int spot_field(gap_tl_cursor_t *c, const gap_tl_field_t *field, spot_cb spot, void *arg)
{
    gap_tl_vector_t vector;

    if (is_random(field, field->kind)) {
        size_t size = gap_tl_fixed_size(field->kind, 0);
        if ((size_t)(c->end - c->at) < size) return GAP_E_TL;
        spot(arg, c->at, size);
        return 1;
    }
    if (field->kind != GAP_TL_K_VECTOR || field->elem != GAP_TL_K_LONG ||
        !is_random(field, field->elem))
        return 0;
    const uint8_t *at = c->at;
    int r = gap_tl_pass_vector(field, &at, c->end, c->depth + 1, &vector);
    for (uint32_t i = 0; r == 0 && i < vector.count; i++) spot(arg, vector.data + 8 * (size_t)i, 8);
    return r < 0 ? r : 1;
}

/* Elements of sendMultiMedia and its like: each has one. */
static int spot_elements(gap_tl_cursor_t *c, spot_cb spot, void *arg)
{
    gap_tl_cursor_t child;
    uint32_t count;

    int r = gap_tl_cursor_vector(c, &count);
    for (; r == 0 && count > 0; count--) {
        r = gap_tl_cursor_enter(c, &child);
        if (r < 0) break;
        int number = gap_tl_field_number(child.id, "random_id");
        if (number >= 0) {
            r = gap_tl_cursor_to(&child, number);
            if (r > 0) r = spot_field(&child, child.field, spot, arg);
        }
        if (r >= 0) r = gap_tl_cursor_leave(c, &child, NULL);
    }
    return r < 0 ? r : 0;
}

/* All of a call without wrappers. */
static int spot_all(gap_bytes_t call, spot_cb spot, void *arg)
{
    gap_tl_cursor_t c;

    int r = gap_tl_cursor_open(&c, call);
    for (int i = 0, count = r < 0 ? 0 : (int)(c.last - c.first); r >= 0 && i < count; i++) {
        r = gap_tl_cursor_to(&c, i);
        if (r <= 0) continue;
        bool is_media = c.field->kind == GAP_TL_K_VECTOR && c.field->elem == GAP_TL_K_OBJECT &&
                        c.id == GAP_TL_MESSAGES_SEND_MULTI_MEDIA;
        r = is_media ? spot_elements(&c, spot, arg) : spot_field(&c, c.field, spot, arg);
    }
    return r < 0 ? r : 0;
}

static int64_t value_at(const uint8_t *at, size_t size)
{
    return size == 4 ? (int32_t)gap_load32(at) : (int64_t)gap_load64(at);
}

static void count_spot(void *arg, const uint8_t *at, size_t size)
{
    gap_raw_ids_t *ids = arg;

    if (ids->count++ == 0) ids->first = value_at(at, size);
    if (value_at(at, size) == 0) ids->zeros++;
    if (size == 4) ids->is_int = true;
}

int gap_raw_ids(gap_bytes_t query, gap_raw_ids_t *out)
{
    gap_raw_ids_t ids = {.count = 0};
    gap_bytes_t call;

    int r = unwrap(query, &call);
    if (r == 0) r = spot_all(call, count_spot, &ids);
    if (r == 0) *out = ids;
    return r;
}

struct filling {
    uint8_t *query;
    const uint8_t *start;
    int64_t random_id;
    uint32_t index;
};

static void fill_spot(void *arg, const uint8_t *at, size_t size)
{
    struct filling *f = arg;
    uint8_t *to = f->query + (at - f->start);
    int64_t id = gap_outbox_random_at(f->random_id, f->index++);

    if (value_at(at, size) != 0) return;
    if (size == 8)
        gap_store64(to, (uint64_t)id);
    else
        gap_store32(to, (uint32_t)id != 0 ? (uint32_t)id : 1U);
}

int gap_raw_fill(uint8_t *query, size_t len, int64_t random_id)
{
    struct filling f = {query, query, random_id, 0};
    gap_bytes_t call;

    int r = unwrap(gap_bytes(query, len), &call);
    return r == 0 ? spot_all(call, fill_spot, &f) : r;
}

/* ---- what may be said about repeating ---- */

/* Each of these does something again when it is made again: a chat, a link, a code, an entry in the
 * chat, money. */
static const uint32_t never_twice[] = {
    GAP_TL_MESSAGES_CREATE_CHAT,
    GAP_TL_MESSAGES_ADD_CHAT_USER,
    GAP_TL_MESSAGES_MIGRATE_CHAT,
    GAP_TL_MESSAGES_IMPORT_CHAT_INVITE,
    GAP_TL_MESSAGES_EXPORT_CHAT_INVITE,
    GAP_TL_MESSAGES_SEND_SCHEDULED_MESSAGES,
    GAP_TL_MESSAGES_SEND_WEB_VIEW_RESULT_MESSAGE,
    GAP_TL_MESSAGES_SEND_BOT_REQUESTED_PEER,
    GAP_TL_MESSAGES_ADD_POLL_ANSWER,
    GAP_TL_MESSAGES_INIT_HISTORY_IMPORT,
    GAP_TL_MESSAGES_START_HISTORY_IMPORT,
    GAP_TL_CHANNELS_CREATE_CHANNEL,
    GAP_TL_CHANNELS_INVITE_TO_CHANNEL,
    GAP_TL_CHANNELS_JOIN_CHANNEL,
    GAP_TL_CHANNELS_CONVERT_TO_GIGAGROUP,
    GAP_TL_CHATLISTS_EXPORT_CHATLIST_INVITE,
    GAP_TL_CHATLISTS_JOIN_CHATLIST_INVITE,
    GAP_TL_BOTS_CREATE_BOT,
    GAP_TL_BOTS_SEND_CUSTOM_REQUEST,
    GAP_TL_BOTS_ADD_PREVIEW_MEDIA,
    GAP_TL_STICKERS_CREATE_STICKER_SET,
    GAP_TL_STICKERS_ADD_STICKER_TO_SET,
    GAP_TL_STORIES_CREATE_ALBUM,
    GAP_TL_PREMIUM_APPLY_BOOST,
    GAP_TL_ACCOUNT_DELETE_ACCOUNT,
    GAP_TL_ACCOUNT_SEND_CHANGE_PHONE_CODE,
    GAP_TL_ACCOUNT_SEND_CONFIRM_PHONE_CODE,
    GAP_TL_ACCOUNT_SEND_VERIFY_PHONE_CODE,
    GAP_TL_ACCOUNT_SEND_VERIFY_EMAIL_CODE,
    GAP_TL_ACCOUNT_INIT_TAKEOUT_SESSION,
    GAP_TL_ACCOUNT_CREATE_THEME,
    GAP_TL_ACCOUNT_CREATE_BUSINESS_CHAT_LINK,
};

/* Of these groups all but what only asks. */
static const char *const never_groups[] = {"payments.", "phone.", "auth."};
static const char *const asking[] = {"get", "check", "can", "validate"};

static bool begins_with(const char *name, const char *head)
{
    return strncmp(name, head, strlen(head)) == 0;
}

static bool is_grouped(const char *name)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(never_groups); i++) {
        if (!begins_with(name, never_groups[i])) continue;
        for (size_t k = 0; k < GAP_ARRAY_LEN(asking); k++)
            if (begins_with(name + strlen(never_groups[i]), asking[k])) return false;
        return true;
    }
    return false;
}

/* A pin makes a service message each time; taking it off makes none. */
static bool is_pin(gap_bytes_t call)
{
    return gap_load32(call.data) == GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE &&
           (gap_load32(call.data + 4) & GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN) == 0;
}

static bool is_never_twice(gap_bytes_t call)
{
    uint32_t id = gap_load32(call.data);

    for (size_t i = 0; i < GAP_ARRAY_LEN(never_twice); i++)
        if (never_twice[i] == id) return true;
    return is_pin(call) || is_grouped(gap_tl_name(id));
}

static int check_replay(gap_bytes_t call, gap_replay_t replay)
{
    uint32_t id = gap_load32(call.data);
    gap_raw_ids_t ids = {.count = 0};

    int r = gap_raw_ids(call, &ids);
    if (r < 0) return r;
    if (id == GAP_TL_MESSAGES_SEND_PAID_REACTION && ids.zeros > 0) return GAP_E_ARGUMENT;
    switch (replay) {
    case GAP_REPLAY_RANDOM_ID:
        if (id == GAP_TL_MESSAGES_REQUEST_ENCRYPTION) return GAP_E_ARGUMENT;
        return ids.count > 0 ? 0 : GAP_E_ARGUMENT;
    case GAP_REPLAY_IDEMPOTENT:
        return ids.count > 0 || is_never_twice(call) ? GAP_E_ARGUMENT : 0;
    case GAP_REPLAY_PROBE:
    case GAP_REPLAY_NEVER:
        return 0;
    default:
        return GAP_E_ARGUMENT;
    }
}

int gap_raw_check(gap_bytes_t query, gap_replay_t replay, uint32_t *method)
{
    gap_bytes_t call;

    int r = unwrap(query, &call);
    if (r < 0) return r;
    int64_t size = gap_tl_skip(call);
    if (size < 0) return (int)size;
    if ((size_t)size != call.len) return GAP_E_TL;
    r = check_replay(call, replay);
    if (r == 0 && method != NULL) *method = gap_load32(call.data);
    return r;
}

/* ---- the row's random_id ---- */

static int id_of_query(gap_bytes_t query, int64_t drawn, int64_t *out)
{
    gap_raw_ids_t ids = {.count = 0};

    int r = gap_raw_ids(query, &ids);
    if (r < 0) return r;
    if (ids.count == 0)
        *out = 0;
    else if (ids.first != 0)
        *out = ids.first;
    else if (!ids.is_int)
        *out = drawn;
    else
        *out = (int32_t)drawn != 0 ? (int32_t)drawn : 1;
    return 0;
}

static int id_of_struct(gap_tl_object_t query, int64_t drawn, int64_t *out)
{
    gap_buf_t b;
    int64_t size = gap_tl_size(query);

    if (size < 0) return (int)size;
    gap_buf_init(&b, gap_alloc_default());
    int r = gap_buf_reserve(&b, (size_t)size);
    if (r == 0) {
        size = gap_tl_write(query, b.data, (size_t)size);
        r = size < 0 ? (int)size : id_of_query(gap_bytes(b.data, (size_t)size), drawn, out);
    }
    gap_buf_fini(&b);
    return r;
}

int gap_outbox_random_id(const gap_outbox_item_t *item, int64_t drawn, int64_t *out)
{
    switch (item->kind) {
    case GAP_OUTBOX_SEND:
    case GAP_OUTBOX_MEDIA:
        *out = item->random_id != 0 ? item->random_id : drawn;
        return 0;
    case GAP_OUTBOX_FORWARD:
        *out = item->random_id != 0 && item->id_count == 1 ? item->random_id : drawn;
        return 0;
    case GAP_OUTBOX_RAW:
        if (item->query.data == NULL) return id_of_struct(item->query, drawn, out);
        return id_of_query(gap_tl_bytes(item->query), drawn, out);
    default:
        *out = 0;
        return 0;
    }
}
