/*
 * dc/model_send.c - the calls that change something: sending, editing, deleting, reading.
 *
 * Their results carry the events they caused, in answer->first_n and count as well: the calling
 * session has them with the result, all others are to be sent a push.
 */
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

static int commit(dc_call_t *c, const struct dc_draft *d, uint32_t *n)
{
    int r = dc_commit(c->m, d, c->now_us, n);

    if (r < 0) return r;
    if (c->answer->count == 0) c->answer->first_n = *n;
    c->answer->count++;
    return 0;
}

static struct dc_draft own_draft(const dc_call_t *c, dc_kind_t kind, uint32_t chat)
{
    struct dc_draft d;

    memset(&d, 0, sizeof d);
    d.kind = kind;
    d.chat = chat;
    d.account = c->m->chats[chat].type == DC_CHANNEL ? DC_NONE : c->account;
    d.from = c->m->options.users + c->account;
    d.flags = DC_R_CALL;
    return d;
}

/* --- texts --------------------------------------------------------------------------------- */

/** Length of the UTF-8 sequence that begins with this byte; 0 if none does. */
static size_t utf8_len(uint8_t b)
{
    if (b < 0x80) return 1;
    if (b >= 0xc2 && b < 0xe0) return 2;
    if (b >= 0xe0 && b < 0xf0) return 3;
    if (b >= 0xf0 && b < 0xf5) return 4;
    return 0;
}

/** The sequences that are well formed byte by byte and mean nothing: overlong, surrogates, beyond
 * U+10FFFF. */
static bool utf8_second_ok(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second < 0xa0;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second < 0x90;
    default:
        return true;
    }
}

/** @return characters, or SIZE_MAX: not UTF-8. */
static size_t utf8_count(gap_bytes_t s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; count++) {
        size_t len = utf8_len(s.data[i]);
        if (len == 0 || len > s.len - i) return SIZE_MAX;
        if (len > 1 && !utf8_second_ok(s.data[i], s.data[i + 1])) return SIZE_MAX;
        for (size_t k = 1; k < len; k++) {
            if ((s.data[i + k] & 0xc0) != 0x80) return SIZE_MAX;
        }
        i += len;
    }
    return count;
}

static int check_text(dc_call_t *c, gap_bytes_t text)
{
    size_t chars = utf8_count(text);

    if (chars == SIZE_MAX) return dc_fail(c, 400, "INPUT_FETCH_ERROR");
    if (chars == 0) return dc_fail(c, 400, "MESSAGE_EMPTY");
    if (chars > DC_TEXT_CHARS_MAX) return dc_fail(c, 400, "MESSAGE_TOO_LONG");
    return 0;
}

/* --- random_id ----------------------------------------------------------------------------- */

static uint64_t sent_key(uint32_t account, uint32_t chat, int64_t random_id)
{
    uint64_t key = gap_hash64((uint64_t)random_id ^ gap_hash64((uint64_t)account << 32 | chat));

    return key == 0 ? 1 : key;
}

/** @return the event of an earlier send with this id to this chat, or 0. */
static uint32_t find_sent(const dc_call_t *c, uint32_t chat, int64_t random_id)
{
    const struct dc_sent *s =
        gap_map_get(&c->m->sent_by_key, sent_key(c->account, chat, random_id));

    for (; s != NULL; s = s->next) {
        if (s->random_id == random_id && s->account == c->account && s->chat == chat) return s->n;
    }
    return 0;
}

/** Remember a send before it is known to succeed; its n is filled in afterwards. */
static int remember_sent(dc_call_t *c, uint32_t chat, int64_t random_id, struct dc_sent **out)
{
    uint64_t key = sent_key(c->account, chat, random_id);
    struct dc_sent *s = dc_arena(c->m, sizeof *s);

    if (s == NULL) return GAP_E_NOMEM;
    s->next = gap_map_get(&c->m->sent_by_key, key);
    s->random_id = random_id;
    s->account = DC_NONE; /* found by nobody yet */
    s->chat = chat;
    s->n = 0;
    int r = gap_map_set(&c->m->sent_by_key, key, s);
    if (r < 0) return r;
    *out = s;
    return 0;
}

/* --- results ------------------------------------------------------------------------------- */

/** `updates` with one event, behind an updateMessageID if there is a random_id. count < 0: the
 * event's own. */
static int answer_updates(dc_call_t *c, uint32_t n, int64_t random_id, int32_t pts,
                          int32_t pts_count)
{
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, random_id != 0 ? 2 : 1);
    if (random_id != 0) dc_put_message_id(&w, rec->id, random_id);
    dc_put_update(&w, n, pts, pts_count);
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)rec->date);
    dc_put32(&w, 0);
    return dc_writer_end(&w);
}

/** The same random_id again: the first message, in no place of its box; only its id if it has been
 * deleted since. */
static int answer_sent_before(dc_call_t *c, uint32_t n, int64_t random_id)
{
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    const struct dc_chat *chat = &c->m->chats[rec->chat];
    const struct dc_msg *msg = dc_msg_at(dc_store_of(c->m, chat), rec->id);
    bool channel = chat->type == DC_CHANNEL;
    bool alive = msg->del_n == 0;
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, alive ? 2 : 1);
    dc_put_message_id(&w, rec->id, random_id);
    if (alive) {
        dc_put32(&w, channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE);
        dc_put_message(&w, n, dc_msg_text_n(msg), msg->pin_n);
        dc_put32(&w, (uint32_t)(channel ? chat->log.pts : c->m->accounts[c->account].common.pts));
        dc_put32(&w, 0);
    }
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)dc_date(c->now_us));
    dc_put32(&w, 0);
    return dc_writer_end(&w);
}

static int answer_short_sent(dc_call_t *c, uint32_t n)
{
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATE_SHORT_SENT_MESSAGE);
    dc_put32(&w, GAP_TL_UPDATE_SHORT_SENT_MESSAGE_F_OUT);
    dc_put32(&w, (uint32_t)rec->id);
    dc_put32(&w, (uint32_t)rec->pts);
    dc_put32(&w, (uint32_t)rec->pts_count);
    dc_put32(&w, (uint32_t)rec->date);
    return dc_writer_end(&w);
}

static int answer_affected(dc_call_t *c, int32_t pts, int32_t count)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_MESSAGES_AFFECTED_MESSAGES);
    dc_put32(&w, (uint32_t)pts);
    dc_put32(&w, (uint32_t)count);
    return dc_writer_end(&w);
}

static int answer_true(dc_call_t *c)
{
    return gap_buf_append32(&c->answer->body, GAP_MT_BOOL_TRUE);
}

/* --- the calls ----------------------------------------------------------------------------- */

int dc_send_message(dc_call_t *c)
{
    gap_tl_messages_send_message_t q;
    struct dc_sent *sent;
    uint32_t chat;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SEND_MESSAGE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    if ((r = dc_may_write(c, chat)) != 0) return r;
    r = check_text(c, q.message);
    if (r != 0) return r;
    if (q.random_id == 0) return dc_fail(c, 400, "RANDOM_ID_EMPTY");
    if ((q.flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_SCHEDULE_DATE) != 0)
        return dc_fail(c, 400, "SCHEDULE_BOT_NOT_ALLOWED");
    n = find_sent(c, chat, q.random_id);
    if (n != 0) c->answer->id = dc_rec_at(c->m, n)->id;
    if (n != 0) return answer_sent_before(c, n, q.random_id);
    if ((r = dc_slow_check(c, chat, 1)) != 0) return r;
    r = remember_sent(c, chat, q.random_id, &sent);
    if (r < 0) return r;
    struct dc_draft d = own_draft(c, DC_NEW_MESSAGE, chat);
    d.text = q.message;
    d.random_id = q.random_id;
    d.flags |= DC_R_OUT;
    r = commit(c, &d, &n);
    if (r < 0) return r;
    dc_slow_note(c, chat);
    sent->account = c->account;
    sent->n = n;
    c->answer->id = dc_rec_at(c->m, n)->id;
    if (c->m->chats[chat].type == DC_USER && !c->m->options.long_sent)
        return answer_short_sent(c, n);
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    return answer_updates(c, n, q.random_id, rec->pts, rec->pts_count);
}

int dc_edit_message(dc_call_t *c)
{
    gap_tl_messages_edit_message_t q;
    uint32_t chat;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_EDIT_MESSAGE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    const struct dc_msg *msg = dc_msg_in(c->m, chat, q.id);
    if (msg == NULL) return dc_fail(c, 400, "MESSAGE_ID_INVALID");
    if ((r = dc_may_edit(c, chat, msg)) != 0) return r;
    r = check_text(c, q.message);
    if (r != 0) return r;
    if (gap_bytes_equal(dc_text_of(c->m, dc_msg_text_n(msg)), q.message))
        return dc_fail(c, 400, "MESSAGE_NOT_MODIFIED");
    struct dc_draft d = own_draft(c, DC_EDIT_MESSAGE, chat);
    d.id = q.id;
    d.text = q.message;
    r = commit(c, &d, &n);
    if (r < 0) return r;
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    return answer_updates(c, n, 0, rec->pts, rec->pts_count);
}

/** Keep the ids that are alive in this store, each once. @return how many. */
static uint32_t alive_ids(const struct dc_store *store, int32_t *ids, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct dc_msg *msg = dc_msg_at(store, ids[i]);
        bool keep = msg != NULL && msg->del_n == 0;
        for (uint32_t k = 0; k < kept && keep; k++) keep = ids[k] != ids[i];
        if (keep) ids[kept++] = ids[i];
    }
    return kept;
}

int dc_delete_messages(dc_call_t *c)
{
    const struct dc_account *a = &c->m->accounts[c->account];
    gap_tl_messages_delete_messages_t q;
    int32_t ids[DC_IDS_MAX];
    uint32_t count;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_DELETE_MESSAGES, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_ids(c, q.id, ids, &count);
    if (r != 0) return r;
    count = alive_ids(&a->store, ids, count);
    if (count == 0) return answer_affected(c, a->common.pts, 0);
    uint32_t chat = dc_rec_at(c->m, dc_msg_at(&a->store, ids[0])->new_n)->chat;
    struct dc_draft d = own_draft(c, DC_DELETE_MESSAGES, chat);
    for (uint32_t i = 1; i < count; i++) {
        if (dc_rec_at(c->m, dc_msg_at(&a->store, ids[i])->new_n)->chat != chat) d.chat = DC_NONE;
    }
    d.ids = ids;
    d.ids_count = count;
    r = commit(c, &d, &n);
    return r < 0 ? r : answer_affected(c, a->common.pts, (int32_t)count);
}

int dc_channel_delete_messages(dc_call_t *c)
{
    gap_tl_channels_delete_messages_t q;
    int32_t ids[DC_IDS_MAX];
    uint32_t count;
    uint32_t chat;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_CHANNELS_DELETE_MESSAGES, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_channel(c, q.channel, &chat);
    if (r != 0) return r;
    r = dc_input_ids(c, q.id, ids, &count);
    if (r != 0) return r;
    const struct dc_chat *channel = &c->m->chats[chat];
    count = alive_ids(&channel->store, ids, count);
    if (count == 0) return answer_affected(c, channel->log.pts, 0);
    for (uint32_t i = 0; i < count; i++)
        if (!dc_may_delete(c, chat, dc_msg_at(&channel->store, ids[i])))
            return dc_fail(c, 403, "MESSAGE_DELETE_FORBIDDEN");
    struct dc_draft d = own_draft(c, DC_DELETE_MESSAGES, chat);
    d.ids = ids;
    d.ids_count = count;
    r = commit(c, &d, &n);
    return r < 0 ? r : answer_affected(c, channel->log.pts, (int32_t)count);
}

int dc_read_history(dc_call_t *c)
{
    const struct dc_account *a = &c->m->accounts[c->account];
    gap_tl_messages_read_history_t q;
    uint32_t chat;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_READ_HISTORY, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    if (c->m->chats[chat].type == DC_CHANNEL) return dc_fail(c, 400, "PEER_ID_INVALID");
    struct dc_draft d = own_draft(c, DC_READ, chat);
    int32_t top = c->m->chats[chat].top_id;
    d.id = q.max_id <= 0 || q.max_id > top ? top : q.max_id;
    if (d.id <= c->m->chats[chat].read_in) return answer_affected(c, a->common.pts, 0);
    r = commit(c, &d, &n);
    return r < 0 ? r : answer_affected(c, a->common.pts, 1);
}

/** Reading a channel takes no place in its box: every member reads for itself. */
int dc_channel_read_history(dc_call_t *c)
{
    gap_tl_channels_read_history_t q;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_CHANNELS_READ_HISTORY, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_channel(c, q.channel, &chat);
    return r != 0 ? r : answer_true(c);
}

int dc_set_typing(dc_call_t *c)
{
    gap_tl_messages_set_typing_t q;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SET_TYPING, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    return r != 0 ? r : answer_true(c);
}

int dc_pin_message(dc_call_t *c)
{
    gap_tl_messages_update_pinned_message_t q;
    uint32_t chat;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    if ((r = dc_may_pin(c, chat)) != 0) return r;
    if (dc_msg_in(c->m, chat, q.id) == NULL) return dc_fail(c, 400, "MESSAGE_ID_INVALID");
    struct dc_draft d = own_draft(c, DC_PIN, chat);
    d.id = q.id;
    if ((q.flags & GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN) == 0) d.flags |= DC_R_PINNED;
    r = commit(c, &d, &n);
    if (r < 0) return r;
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    return answer_updates(c, n, 0, rec->pts, rec->pts_count);
}

/** Any query may be answered, any number of times. */
int dc_answer_callback(dc_call_t *c)
{
    gap_tl_messages_set_bot_callback_answer_t q;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER, &q, sizeof q) < 0)
        return dc_fail_read(c);
    return answer_true(c);
}
