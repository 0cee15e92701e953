/*
 * dc/model_get.c - the calls that only look: messages, dialogs, users, chats, names.
 */
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <string.h>
#include <strings.h>

#define HISTORY_MAX  100
#define DIALOGS_MAX  100
#define USERNAME_MIN 4 /* characters */
#define USERNAME_MAX 32

/** messages.messages or messages.channelMessages with these messages, in this order. */
static int answer_messages(dc_call_t *c, uint32_t chat, const struct dc_store *store,
                           const int32_t *ids, uint32_t count, uint32_t total)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put_messages_head(&w, chat, total);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, count);
    for (uint32_t i = 0; i < count; i++) dc_put_message_now(&w, store, ids[i]);
    dc_put_messages_topics(&w, chat);
    if (chat != DC_NONE) dc_see_chat(&w, chat);
    dc_put_chats(&w);
    dc_put_users(&w);
    return dc_writer_end(&w);
}

static int answer_users_vector(dc_call_t *c, const uint32_t *users, uint32_t count)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, count);
    for (uint32_t i = 0; i < count; i++) dc_put_user(&w, users[i]);
    return dc_writer_end(&w);
}

static int answer_chats(dc_call_t *c, const uint32_t *chats, uint32_t count)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_MESSAGES_CHATS);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, count);
    for (uint32_t i = 0; i < count; i++) dc_put_chat(&w, chats[i]);
    return dc_writer_end(&w);
}

/* --- messages ------------------------------------------------------------------------------ */

/** Newest message of the chat at or below `id`; 0 none. */
static int32_t newest_below(dc_model_t *m, uint32_t index, const struct dc_store *store, int32_t id)
{
    int32_t top = m->chats[index].top_id;

    if (id >= top) return top;
    for (; id > 0; id--) {
        if (dc_rec_at(m, dc_msg_at(store, id)->new_n)->chat == index) return id;
    }
    return 0;
}

int dc_get_history(dc_call_t *c)
{
    gap_tl_messages_get_history_t q;
    int32_t ids[HISTORY_MAX] = {0};
    uint32_t count = 0;
    uint32_t total = 0;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_GET_HISTORY, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    const struct dc_store *store = dc_store_of(c->m, &c->m->chats[chat]);
    int32_t skip = q.add_offset > 0 ? q.add_offset : 0;
    uint32_t limit = q.limit < 0 ? 0 : (uint32_t)q.limit;
    int32_t id = newest_below(c->m, chat, store, q.offset_id > 0 ? q.offset_id - 1 : INT32_MAX);
    for (; id > q.min_id && id > 0; id = dc_msg_at(store, id)->prev) {
        if (dc_msg_at(store, id)->del_n != 0 || (q.max_id > 0 && id >= q.max_id)) continue;
        total++;
        if (skip > 0)
            skip--;
        else if (count < HISTORY_MAX && count < limit)
            ids[count++] = id;
    }
    return answer_messages(c, chat, store, ids, count, total);
}

static int input_message_ids(dc_call_t *c, gap_tl_vector_t vector, int32_t *ids, uint32_t *out)
{
    gap_tl_iter_t it = gap_tl_iter(vector);
    gap_tl_input_message_id_t in;
    gap_tl_object_t one;
    uint32_t count = 0;
    int r;

    while ((r = gap_tl_next(&it, &one)) > 0) {
        if (one.id != GAP_TL_INPUT_MESSAGE_ID) return dc_fail(c, 400, "MESSAGE_ID_INVALID");
        if (count == DC_IDS_MAX) return dc_fail(c, 400, "LIMIT_INVALID");
        if (GAP_TL_READ(one, GAP_TL_INPUT_MESSAGE_ID, &in) < 0) return dc_fail_read(c);
        ids[count++] = in.id;
    }
    if (r < 0) return dc_fail_read(c);
    if (count == 0) return dc_fail(c, 400, "MESSAGE_IDS_EMPTY");
    *out = count;
    return 0;
}

int dc_get_messages(dc_call_t *c)
{
    gap_tl_messages_get_messages_t q;
    int32_t ids[DC_IDS_MAX];
    uint32_t count;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_GET_MESSAGES, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = input_message_ids(c, q.id, ids, &count);
    if (r != 0) return r;
    return answer_messages(c, DC_NONE, &c->m->accounts[c->account].store, ids, count, count);
}

int dc_channel_get_messages(dc_call_t *c)
{
    gap_tl_channels_get_messages_t q;
    int32_t ids[DC_IDS_MAX];
    uint32_t count = 0;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_CHANNELS_GET_MESSAGES, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_channel(c, q.channel, &chat);
    if (r != 0) return r;
    r = input_message_ids(c, q.id, ids, &count);
    if (r != 0) return r;
    return answer_messages(c, chat, &c->m->chats[chat].store, ids, count, count);
}

/* --- chats and users ----------------------------------------------------------------------- */

int dc_get_channels(dc_call_t *c)
{
    gap_tl_channels_get_channels_t q;
    uint32_t chats[DC_IDS_MAX];
    gap_tl_object_t one;
    uint32_t count = 0;
    int r;

    if (gap_tl_read(c->method, GAP_TL_CHANNELS_GET_CHANNELS, &q, sizeof q) < 0)
        return dc_fail_read(c);
    gap_tl_iter_t it = gap_tl_iter(q.id);
    while ((r = gap_tl_next(&it, &one)) > 0) {
        if (count == DC_IDS_MAX) return dc_fail(c, 400, "LIMIT_INVALID");
        r = dc_input_channel(c, one, &chats[count]);
        if (r != 0) return r;
        count++;
    }
    return r < 0 ? dc_fail_read(c) : answer_chats(c, chats, count);
}

int dc_get_chats(dc_call_t *c)
{
    gap_tl_messages_get_chats_t q;
    uint32_t chats[DC_IDS_MAX];
    uint32_t count = 0;
    int64_t id;
    int r;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_GET_CHATS, &q, sizeof q) < 0) return dc_fail_read(c);
    gap_tl_iter_t it = gap_tl_iter(q.id);
    while ((r = gap_tl_next_long(&it, &id)) > 0) {
        if (count == DC_IDS_MAX) return dc_fail(c, 400, "LIMIT_INVALID");
        chats[count] = dc_group_index(c->m, c->account, id);
        if (chats[count++] == DC_NONE) return dc_fail(c, 400, "CHAT_ID_INVALID");
    }
    return r < 0 ? dc_fail_read(c) : answer_chats(c, chats, count);
}

int dc_get_users(dc_call_t *c)
{
    gap_tl_users_get_users_t q;
    uint32_t users[DC_IDS_MAX];
    gap_tl_object_t one;
    uint32_t count = 0;
    int r;

    if (gap_tl_read(c->method, GAP_TL_USERS_GET_USERS, &q, sizeof q) < 0) return dc_fail_read(c);
    gap_tl_iter_t it = gap_tl_iter(q.id);
    while ((r = gap_tl_next(&it, &one)) > 0) {
        if (count == DC_IDS_MAX) return dc_fail(c, 400, "LIMIT_INVALID");
        r = dc_input_user(c, one, &users[count]);
        if (r != 0) return r;
        count++;
    }
    return r < 0 ? dc_fail_read(c) : answer_users_vector(c, users, count);
}

/* --- dialogs ------------------------------------------------------------------------------- */

/** The chats of the account that hold a message: groups, private chats, channels. */
static uint32_t list_dialogs(const dc_call_t *c, uint32_t limit, uint32_t *out)
{
    const dc_model_t *m = c->m;
    const struct dc_account *a = &m->accounts[c->account];
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->options.groups && count < limit; i++) {
        if (dc_top_message(c->m, &m->chats[a->groups + i]) > 0) out[count++] = a->groups + i;
    }
    for (uint32_t i = 0; i < a->dialog_count && count < limit; i++) {
        if (dc_top_message(c->m, &m->chats[a->dialogs[i]]) > 0) out[count++] = a->dialogs[i];
    }
    for (uint32_t i = 0; i < m->options.channels && count < limit; i++) {
        const struct dc_chat *chat = &m->chats[i];
        if (dc_is_member(chat, c->account) && dc_top_message(c->m, chat) > 0) out[count++] = i;
    }
    return count;
}

int dc_get_dialogs(dc_call_t *c)
{
    gap_tl_messages_get_dialogs_t q;
    uint32_t chats[DIALOGS_MAX];
    dc_writer_t w;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_GET_DIALOGS, &q, sizeof q) < 0)
        return dc_fail_read(c);
    uint32_t limit = q.limit > 0 && q.limit < DIALOGS_MAX ? (uint32_t)q.limit : DIALOGS_MAX;
    uint32_t count = list_dialogs(c, limit, chats);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_MESSAGES_DIALOGS);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, count);
    for (uint32_t i = 0; i < count; i++) dc_put_dialog(&w, chats[i]);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct dc_chat *chat = &c->m->chats[chats[i]];
        dc_put_message_now(&w, dc_store_of(c->m, chat), dc_top_message(c->m, chat));
    }
    dc_put_chats(&w);
    dc_put_users(&w);
    return dc_writer_end(&w);
}

/* --- names --------------------------------------------------------------------------------- */

/** "user17" with prefix "user": 17; -1 if it isn't such a name. */
static int64_t name_number(gap_bytes_t name, const char *prefix, const char *suffix)
{
    size_t head = strlen(prefix);
    size_t tail = strlen(suffix);
    int64_t n = 0;

    if (name.len <= head + tail || name.len > head + tail + 18) return -1;
    if (strncasecmp((const char *)name.data, prefix, head) != 0) return -1;
    if (strncasecmp((const char *)name.data + name.len - tail, suffix, tail) != 0) return -1;
    for (size_t i = head; i < name.len - tail; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') return -1;
        n = n * 10 + (name.data[i] - '0');
    }
    return n;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_username(gap_bytes_t name)
{
    if (name.len < USERNAME_MIN || name.len > USERNAME_MAX || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (!is_letter(c) && c != '_' && (c < '0' || c > '9')) return false;
    }
    return true;
}

static int answer_resolved(dc_call_t *c, uint32_t user, uint32_t chat, bool phones)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    w.phones = phones;
    dc_put32(&w, GAP_TL_CONTACTS_RESOLVED_PEER);
    if (chat != DC_NONE) {
        dc_put_peer(&w, chat);
    } else {
        dc_put32(&w, GAP_TL_PEER_USER);
        dc_put64(&w, (uint64_t)dc_user_id(c->m, user));
        dc_see_user(&w, user);
    }
    dc_put_chats(&w);
    dc_put_users(&w);
    return dc_writer_end(&w);
}

int dc_resolve_username(dc_call_t *c)
{
    gap_tl_contacts_resolve_username_t q;
    uint32_t account = DC_NONE;
    int64_t n;

    if (gap_tl_read(c->method, GAP_TL_CONTACTS_RESOLVE_USERNAME, &q, sizeof q) < 0)
        return dc_fail_read(c);
    if (!is_username(q.username)) return dc_fail(c, 400, "USERNAME_INVALID");
    n = name_number(q.username, "user", "");
    if (n > 0 && n <= c->m->options.users)
        return answer_resolved(c, (uint32_t)n - 1, DC_NONE, false);
    n = name_number(q.username, "channel", "");
    if (n > 0 && n <= c->m->options.channels) return answer_resolved(c, 0, (uint32_t)n - 1, false);
    n = name_number(q.username, "bot", "_bot");
    if (n < 0) n = name_number(q.username, "account", "");
    if (n >= 0) account = dc_account_index(c->m, n);
    if (account == DC_NONE) return dc_fail(c, 400, "USERNAME_NOT_OCCUPIED");
    return answer_resolved(c, c->m->options.users + account, DC_NONE, false);
}

static bool is_filler(uint8_t c)
{
    return c == '+' || c == ' ' || c == '-' || c == '(' || c == ')';
}

/** The digits of a phone; empty: they are no phone's. */
static gap_bytes_t phone_digits(gap_bytes_t phone, char out[DC_PHONE_BYTES])
{
    size_t count = 0;

    for (size_t i = 0; i < phone.len; i++) {
        if (is_filler(phone.data[i])) continue;
        if (phone.data[i] < '0' || phone.data[i] > '9' || count == DC_PHONE_BYTES)
            return gap_bytes(out, 0);
        out[count++] = (char)phone.data[i];
    }
    return gap_bytes(out, count);
}

/** Persons who have signed in, and invented users. */
int dc_resolve_phone(dc_call_t *c)
{
    const dc_model_t *m = c->m;
    gap_tl_contacts_resolve_phone_t q;
    char digits[DC_PHONE_BYTES];

    if (gap_tl_read(c->method, GAP_TL_CONTACTS_RESOLVE_PHONE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    gap_bytes_t phone = phone_digits(q.phone, digits);
    if (phone.len == 0) return dc_fail(c, 400, "PHONE_NOT_OCCUPIED");
    for (uint32_t i = 0; i < m->account_count; i++) {
        const struct dc_name *own = m->accounts[i].phone;
        if (own != NULL && gap_bytes_equal(phone, gap_bytes(own->data, own->len)))
            return answer_resolved(c, m->options.users + i, DC_NONE, true);
    }
    int64_t n = phone.len == DC_PHONE_DIGITS ? name_number(phone, "888", "") : -1;
    if (n > 0 && n <= m->options.users) return answer_resolved(c, (uint32_t)n - 1, DC_NONE, true);
    return dc_fail(c, 400, "PHONE_NOT_OCCUPIED");
}
