/*
 * dc/model_change.c - the calls that change messages which are there: editing, deleting, reading,
 * pinning, reacting; and those that change nothing that is kept.
 *
 * Choices: a pin makes no service message, and pinning what is pinned is no error; a reaction is
 * the account's own affair: it has no place in a box, no other session is told of it; forwards
 * can't be edited, as if they were somebody else's.
 */
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <string.h>

#define REACTIONS_MAX      3
#define REACTION_BYTES_MAX 64
#define REACTION_LAYER     227

/* --- editing ------------------------------------------------------------------------------- */

/** What the message will hold: what the request says, over what is there. */
static int merge(dc_call_t *c, const gap_tl_messages_edit_message_t *q, uint32_t text_n,
                 gap_bytes_t *text, struct dc_content *content)
{
    bool has_text = (q->flags & GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE) != 0;
    bool has_media = (q->flags & GAP_TL_MESSAGES_EDIT_MESSAGE_F_MEDIA) != 0;
    int r = 0;

    dc_content_of(c->m, text_n, content);
    if (has_media) r = dc_take_media(c, q->media, content);
    if (r != 0) return r;
    if (has_text) {
        *text = q->message;
        content->entities = gap_bytes(NULL, 0);
        content->entity_count = 0;
        r = dc_check_text(c, q->message, content->media != DC_MEDIA_NONE);
        if (r == 0 && (q->flags & GAP_TL_MESSAGES_EDIT_MESSAGE_F_ENTITIES) != 0)
            r = dc_take_entities(c, q->entities, q->message, content);
    } else if (!has_media && (q->flags & GAP_TL_MESSAGES_EDIT_MESSAGE_F_REPLY_MARKUP) == 0) {
        return dc_fail(c, 400, "MESSAGE_EMPTY");
    }
    content->markup = gap_tl_bytes(q->reply_markup);
    return r;
}

int dc_edit_message(dc_call_t *c)
{
    gap_tl_messages_edit_message_t q;
    struct dc_content content;
    struct dc_content before;
    uint32_t chat;
    uint32_t n;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_EDIT_MESSAGE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    const struct dc_msg *msg = dc_msg_in(c->m, chat, q.id);
    if (msg == NULL) return dc_fail(c, 400, "MESSAGE_ID_INVALID");
    if ((r = dc_may_edit(c, chat, msg)) != 0) return r;
    dc_content_of(c->m, msg->new_n, &before);
    if (before.fwd_n != 0) return dc_fail(c, 403, "MESSAGE_AUTHOR_REQUIRED");
    uint32_t text_n = dc_msg_text_n(msg);
    gap_bytes_t old_text = dc_text_of(c->m, text_n);
    gap_bytes_t text = old_text;
    if ((r = merge(c, &q, text_n, &text, &content)) != 0) return r;
    dc_content_of(c->m, text_n, &before);
    if (gap_bytes_equal(old_text, text) && dc_same_content(&before, &content))
        return dc_fail(c, 400, "MESSAGE_NOT_MODIFIED");
    struct dc_draft d = dc_own_draft(c, DC_EDIT_MESSAGE, chat);
    d.id = q.id;
    d.text = text;
    d.content = &content;
    r = dc_commit_own(c, &d, &n);
    return r < 0 ? r : dc_answer_event(c, n);
}

/* --- deleting, reading, pinning ------------------------------------------------------------- */

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
    if (count == 0) return dc_answer_affected(c, a->common.pts, 0);
    uint32_t chat = dc_rec_at(c->m, dc_msg_at(&a->store, ids[0])->new_n)->chat;
    struct dc_draft d = dc_own_draft(c, DC_DELETE_MESSAGES, chat);
    for (uint32_t i = 1; i < count; i++) {
        if (dc_rec_at(c->m, dc_msg_at(&a->store, ids[i])->new_n)->chat != chat) d.chat = DC_NONE;
    }
    d.ids = ids;
    d.ids_count = count;
    r = dc_commit_own(c, &d, &n);
    return r < 0 ? r : dc_answer_affected(c, a->common.pts, (int32_t)count);
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
    if (count == 0) return dc_answer_affected(c, channel->log.pts, 0);
    for (uint32_t i = 0; i < count; i++)
        if (!dc_may_delete(c, chat, dc_msg_at(&channel->store, ids[i])))
            return dc_fail(c, 403, "MESSAGE_DELETE_FORBIDDEN");
    struct dc_draft d = dc_own_draft(c, DC_DELETE_MESSAGES, chat);
    d.ids = ids;
    d.ids_count = count;
    r = dc_commit_own(c, &d, &n);
    return r < 0 ? r : dc_answer_affected(c, channel->log.pts, (int32_t)count);
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
    struct dc_draft d = dc_own_draft(c, DC_READ, chat);
    int32_t top = c->m->chats[chat].top_id;
    d.id = q.max_id <= 0 || q.max_id > top ? top : q.max_id;
    if (d.id <= c->m->chats[chat].read_in) return dc_answer_affected(c, a->common.pts, 0);
    r = dc_commit_own(c, &d, &n);
    return r < 0 ? r : dc_answer_affected(c, a->common.pts, 1);
}

/** Reading a channel takes no place in its box: every member reads for itself. */
int dc_channel_read_history(dc_call_t *c)
{
    gap_tl_channels_read_history_t q;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_CHANNELS_READ_HISTORY, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_channel(c, q.channel, &chat);
    return r != 0 ? r : dc_answer_true(c);
}

int dc_set_typing(dc_call_t *c)
{
    gap_tl_messages_set_typing_t q;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SET_TYPING, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    return r != 0 ? r : dc_answer_true(c);
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
    struct dc_draft d = dc_own_draft(c, DC_PIN, chat);
    d.id = q.id;
    if ((q.flags & GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN) == 0) d.flags |= DC_R_PINNED;
    r = dc_commit_own(c, &d, &n);
    if (r < 0) return r;
    return dc_answer_event(c, n);
}

/** Any query may be answered, any number of times. */
int dc_answer_callback(dc_call_t *c)
{
    gap_tl_messages_set_bot_callback_answer_t q;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER, &q, sizeof q) < 0)
        return dc_fail_read(c);
    return dc_answer_true(c);
}

/* --- reacting ------------------------------------------------------------------------------ */

/** What an account thinks of a message. In the arena; chained where keys collide. */
struct dc_reaction {
    struct dc_reaction *next;
    uint32_t account;
    uint32_t chat;
    int32_t id;
    uint32_t count;
    uint32_t len;
    uint8_t data[REACTIONS_MAX * REACTION_BYTES_MAX]; /* Reaction objects */
};

static int find_reaction(dc_call_t *c, uint32_t chat, int32_t id, struct dc_reaction **out)
{
    uint64_t key = gap_hash64(gap_hash64((uint64_t)c->account << 32 | chat) ^ (uint32_t)id) | 1;
    struct dc_reaction *first = gap_map_get(&c->m->reaction_by_key, key);

    for (struct dc_reaction *p = first; p != NULL; p = p->next) {
        *out = p;
        if (p->account == c->account && p->chat == chat && p->id == id) return 0;
    }
    struct dc_reaction *p = dc_arena(c->m, sizeof *p);
    if (p == NULL) return GAP_E_NOMEM;
    memset(p, 0, sizeof *p);
    p->next = first;
    p->account = c->account;
    p->chat = chat;
    p->id = id;
    int r = gap_map_set(&c->m->reaction_by_key, key, p);
    if (r == 0) *out = p;
    return r;
}

static int take_reactions(dc_call_t *c, gap_tl_vector_t vector, struct dc_reaction *out)
{
    gap_tl_iter_t it = gap_tl_iter(vector);
    gap_tl_object_t o;
    int r;

    while ((r = gap_tl_next(&it, &o)) > 0) {
        if (o.id == GAP_TL_REACTION_EMPTY) continue;
        bool is_known = o.id == GAP_TL_REACTION_EMOJI || o.id == GAP_TL_REACTION_CUSTOM_EMOJI;
        if (!is_known || o.len > REACTION_BYTES_MAX) return dc_fail(c, 400, "REACTION_INVALID");
        if (out->count == REACTIONS_MAX) return dc_fail(c, 400, "REACTIONS_TOO_MANY");
        memcpy(out->data + out->len, o.data, o.len);
        out->len += (uint32_t)o.len;
        out->count++;
    }
    return r < 0 ? dc_fail_read(c) : 0;
}

/** updateMessageReactions, for layers that have the schema's form of it; others get no update. */
static int answer_reactions(dc_call_t *c, const struct dc_reaction *now)
{
    gap_bytes_t rest = gap_bytes(now->data, now->len);
    bool is_told = c->view->layer >= REACTION_LAYER;
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, is_told ? 1 : 0);
    if (is_told) {
        dc_put32(&w, GAP_TL_UPDATE_MESSAGE_REACTIONS);
        dc_put32(&w, 0);
        dc_put_peer(&w, now->chat);
        dc_put32(&w, (uint32_t)now->id);
        dc_put32(&w, GAP_TL_MESSAGE_REACTIONS);
        dc_put32(&w, 0);
        dc_put32(&w, GAP_TL_VECTOR);
        dc_put32(&w, now->count);
    }
    for (uint32_t i = 0; i < now->count && is_told; i++) {
        int64_t len = gap_tl_skip(rest);
        dc_put32(&w, GAP_TL_REACTION_COUNT);
        dc_put32(&w, GAP_TL_REACTION_COUNT_F_CHOSEN_ORDER);
        dc_put32(&w, i);
        dc_put_bytes(&w, gap_bytes(rest.data, (size_t)len));
        dc_put32(&w, 1);
        rest = gap_bytes(rest.data + len, rest.len - (size_t)len);
    }
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)dc_date(c->now_us));
    dc_put32(&w, 0);
    return dc_writer_end(&w);
}

int dc_send_reaction(dc_call_t *c)
{
    gap_tl_messages_send_reaction_t q;
    struct dc_reaction wanted;
    struct dc_reaction *now;
    uint32_t chat;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SEND_REACTION, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.peer, &chat);
    if (r != 0) return r;
    if (dc_msg_in(c->m, chat, q.msg_id) == NULL) return dc_fail(c, 400, "MESSAGE_ID_INVALID");
    memset(&wanted, 0, sizeof wanted);
    if ((q.flags & GAP_TL_MESSAGES_SEND_REACTION_F_REACTION) != 0)
        r = take_reactions(c, q.reaction, &wanted);
    if (r == 0) r = find_reaction(c, chat, q.msg_id, &now);
    if (r != 0) return r;
    if (gap_bytes_equal(gap_bytes(now->data, now->len), gap_bytes(wanted.data, wanted.len)))
        return dc_fail(c, 400, "MESSAGE_NOT_MODIFIED");
    memcpy(now->data, wanted.data, wanted.len);
    now->len = wanted.len;
    now->count = wanted.count;
    return answer_reactions(c, now);
}
