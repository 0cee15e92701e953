/*
 * dc/model_send.c - the calls that create messages: texts, media that is already known, forwards.
 *
 * Their results carry the events they caused, in answer->first_n and count as well: the calling
 * session has them with the result, all others are to be sent a push. A random_id that the account
 * has used in that chat before, whatever the method, brings the first message again, for ever. It
 * is looked for before slow mode and behind everything else that may be wrong: a choice.
 */
#include "base/bytes.h"
#include "base/assert.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

int dc_commit_own(dc_call_t *c, const struct dc_draft *d, uint32_t *n)
{
    int r = dc_commit(c->m, d, c->now_us, n);

    if (r < 0) return r;
    if (c->answer->count == 0) c->answer->first_n = *n;
    c->answer->count++;
    return 0;
}

struct dc_draft dc_own_draft(const dc_call_t *c, dc_kind_t kind, uint32_t chat)
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

int dc_answer_event(dc_call_t *c, uint32_t n)
{
    const struct dc_rec *rec = dc_rec_at(c->m, n);
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, 1);
    dc_put_update(&w, n, rec->pts, rec->pts_count);
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)rec->date);
    dc_put32(&w, 0);
    return dc_writer_end(&w);
}

int dc_answer_affected(dc_call_t *c, int32_t pts, int32_t count)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_MESSAGES_AFFECTED_MESSAGES);
    dc_put32(&w, (uint32_t)pts);
    dc_put32(&w, (uint32_t)count);
    return dc_writer_end(&w);
}

int dc_answer_true(dc_call_t *c)
{
    return gap_buf_append32(&c->answer->body, GAP_MT_BOOL_TRUE);
}

/** A message that one call created, now or when it came first. */
struct made {
    uint32_t n;
    int64_t random_id;
    bool is_new;
};

/** Is there an update for it? The first message of a repeated send may have been deleted since. */
static bool is_shown(const dc_call_t *c, const struct made *made)
{
    const struct dc_rec *rec = dc_rec_at(c->m, made->n);
    const struct dc_store *store = dc_store_of(c->m, &c->m->chats[rec->chat]);

    return made->is_new || dc_msg_at(store, rec->id)->del_n == 0;
}

/** An old message: as it is now, and in no place of its box. */
static void put_again(dc_writer_t *w, uint32_t n)
{
    const struct dc_rec *rec = dc_rec_at(w->m, n);
    const struct dc_chat *chat = &w->m->chats[rec->chat];
    const struct dc_msg *msg = dc_msg_at(dc_store_of(w->m, chat), rec->id);
    bool channel = chat->type == DC_CHANNEL;

    dc_put32(w, channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE);
    dc_put_message(w, n, dc_msg_text_n(msg), msg->pin_n);
    dc_put32(w, (uint32_t)(channel ? chat->log.pts : w->m->accounts[w->account].common.pts));
    dc_put32(w, 0);
}

/** `updates`: all updateMessageID first, then the messages. */
static int answer_made(dc_call_t *c, const struct made *made, uint32_t count)
{
    uint32_t shown = 0;
    dc_writer_t w;

    for (uint32_t i = 0; i < count; i++) shown += is_shown(c, &made[i]);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, count + shown);
    for (uint32_t i = 0; i < count; i++)
        dc_put_message_id(&w, dc_rec_at(c->m, made[i].n)->id, made[i].random_id);
    for (uint32_t i = 0; i < count; i++) {
        const struct dc_rec *rec = dc_rec_at(c->m, made[i].n);
        if (made[i].is_new)
            dc_put_update(&w, made[i].n, rec->pts, rec->pts_count);
        else if (is_shown(c, &made[i]))
            put_again(&w, made[i].n);
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
    struct dc_content content;
    dc_writer_t w;

    dc_content_of(c->m, n, &content);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    uint32_t entities = dc_count_entities(&w, &content);
    dc_put32(&w, GAP_TL_UPDATE_SHORT_SENT_MESSAGE);
    dc_put32(&w, GAP_TL_UPDATE_SHORT_SENT_MESSAGE_F_OUT |
                     (entities > 0 ? GAP_TL_UPDATE_SHORT_SENT_MESSAGE_F_ENTITIES : 0));
    dc_put32(&w, (uint32_t)rec->id);
    dc_put32(&w, (uint32_t)rec->pts);
    dc_put32(&w, (uint32_t)rec->pts_count);
    dc_put32(&w, (uint32_t)rec->date);
    if (entities > 0) dc_put_entities(&w, &content, entities);
    return dc_writer_end(&w);
}

/* --- sending ------------------------------------------------------------------------------- */

/** One message of this account, which may write here. */
static int create(dc_call_t *c, uint32_t chat, int64_t random_id, gap_bytes_t text,
                  const struct dc_content *content, struct made *out)
{
    struct dc_sent *sent;

    int r = remember_sent(c, chat, random_id, &sent);
    if (r < 0) return r;
    struct dc_draft d = dc_own_draft(c, DC_NEW_MESSAGE, chat);
    d.text = text;
    d.content = content;
    d.random_id = random_id;
    d.flags |= DC_R_OUT;
    r = dc_commit_own(c, &d, &out->n);
    if (r < 0) return r;
    dc_slow_note(c, chat);
    sent->account = c->account;
    sent->n = out->n;
    out->random_id = random_id;
    out->is_new = true;
    if (c->answer->id == 0) c->answer->id = dc_rec_at(c->m, out->n)->id;
    return 0;
}

/** What sendMessage and sendMedia have in common. */
struct sending {
    gap_tl_object_t peer;
    gap_bytes_t text;
    int64_t random_id;
    bool is_scheduled;
    bool has_entities;
    gap_tl_vector_t entities;
    gap_tl_object_t media; /* id 0: none */
    gap_tl_object_t markup;
};

static int send_one(dc_call_t *c, const struct sending *s)
{
    struct dc_content content;
    struct made made;
    uint32_t chat;

    memset(&content, 0, sizeof content);
    int r = dc_input_peer(c, s->peer, &chat);
    if (r == 0) r = dc_may_write(c, chat);
    if (r == 0 && s->media.id != 0) r = dc_take_media(c, s->media, &content);
    if (r == 0) r = dc_check_text(c, s->text, s->media.id != 0);
    if (r == 0 && s->has_entities) r = dc_take_entities(c, s->entities, s->text, &content);
    if (r != 0) return r;
    if (s->random_id == 0) return dc_fail(c, 400, "RANDOM_ID_EMPTY");
    if (s->is_scheduled) return dc_fail(c, 400, "SCHEDULE_BOT_NOT_ALLOWED");
    content.markup = gap_tl_bytes(s->markup);
    made.n = find_sent(c, chat, s->random_id);
    if (made.n != 0) {
        c->answer->id = dc_rec_at(c->m, made.n)->id;
        made.random_id = s->random_id;
        made.is_new = false;
        return answer_made(c, &made, 1);
    }
    if ((r = dc_slow_check(c, chat, 1)) != 0) return r;
    if ((r = create(c, chat, s->random_id, s->text, &content, &made)) < 0) return r;
    bool is_short = c->m->chats[chat].type == DC_USER && s->media.id == 0;
    if (is_short && !c->m->options.long_sent) return answer_short_sent(c, made.n);
    return answer_made(c, &made, 1);
}

int dc_send_message(dc_call_t *c)
{
    gap_tl_messages_send_message_t q;
    struct sending s;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SEND_MESSAGE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    memset(&s, 0, sizeof s);
    s.peer = q.peer;
    s.text = q.message;
    s.random_id = q.random_id;
    s.is_scheduled = (q.flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_SCHEDULE_DATE) != 0;
    s.has_entities = (q.flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_ENTITIES) != 0;
    s.entities = q.entities;
    s.markup = q.reply_markup;
    return send_one(c, &s);
}

int dc_send_media(dc_call_t *c)
{
    gap_tl_messages_send_media_t q;
    struct sending s;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_SEND_MEDIA, &q, sizeof q) < 0)
        return dc_fail_read(c);
    memset(&s, 0, sizeof s);
    s.peer = q.peer;
    s.text = q.message;
    s.random_id = q.random_id;
    s.is_scheduled = (q.flags & GAP_TL_MESSAGES_SEND_MEDIA_F_SCHEDULE_DATE) != 0;
    s.has_entities = (q.flags & GAP_TL_MESSAGES_SEND_MEDIA_F_ENTITIES) != 0;
    s.entities = q.entities;
    s.media = q.media;
    s.markup = q.reply_markup;
    return send_one(c, &s);
}

/* --- forwarding ---------------------------------------------------------------------------- */

/** A call that forwards: which messages, under which random_ids. */
struct forward {
    uint32_t from;
    uint32_t to;
    uint32_t count;
    int32_t ids[DC_IDS_MAX];
    int64_t random_ids[DC_FORWARD_MAX];
};

static int read_random_ids(dc_call_t *c, gap_tl_vector_t vector, struct forward *f)
{
    gap_tl_iter_t it = gap_tl_iter(vector);
    uint32_t count = 0;
    int64_t id;
    int r;

    while ((r = gap_tl_next_long(&it, &id)) > 0) {
        if (count == f->count) return dc_fail(c, 400, "RANDOM_ID_INVALID");
        if (id == 0) return dc_fail(c, 400, "RANDOM_ID_EMPTY");
        for (uint32_t i = 0; i < count; i++)
            if (f->random_ids[i] == id) return dc_fail(c, 400, "RANDOM_ID_INVALID");
        f->random_ids[count++] = id;
    }
    if (r < 0) return dc_fail_read(c);
    return count == f->count ? 0 : dc_fail(c, 400, "RANDOM_ID_INVALID");
}

static int read_forward(dc_call_t *c, struct forward *f)
{
    gap_tl_messages_forward_messages_t q;

    if (gap_tl_read(c->method, GAP_TL_MESSAGES_FORWARD_MESSAGES, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_peer(c, q.from_peer, &f->from);
    if (r == 0) r = dc_input_peer(c, q.to_peer, &f->to);
    if (r == 0) r = dc_may_write(c, f->to);
    if (r == 0) r = dc_input_ids(c, q.id, f->ids, &f->count);
    if (r != 0) return r;
    if (f->count == 0) return dc_fail(c, 400, "MESSAGE_IDS_EMPTY");
    if (f->count > DC_FORWARD_MAX) return dc_fail(c, 400, "LIMIT_INVALID");
    for (uint32_t i = 0; i < f->count; i++)
        if (dc_msg_in(c->m, f->from, f->ids[i]) == NULL)
            return dc_fail(c, 400, "MESSAGE_ID_INVALID");
    return read_random_ids(c, q.random_id, f);
}

static int forward_one(dc_call_t *c, const struct forward *f, uint32_t i, struct made *out)
{
    const struct dc_msg *msg = dc_msg_in(c->m, f->from, f->ids[i]);
    struct dc_content content;
    struct dc_content first;

    dc_content_of(c->m, dc_msg_text_n(msg), &content);
    /* Of a forward the origin is kept, however far it has come. */
    dc_content_of(c->m, msg->new_n, &first);
    content.fwd_n = first.fwd_n != 0 ? first.fwd_n : msg->new_n;
    content.markup = gap_bytes(NULL, 0);
    return create(c, f->to, f->random_ids[i], dc_text_of(c->m, dc_msg_text_n(msg)), &content, out);
}

int dc_forward_messages(dc_call_t *c)
{
    struct made made[DC_FORWARD_MAX];
    struct forward f = {.count = 0};
    uint32_t fresh = 0;

    int r = read_forward(c, &f);
    if (r != 0) return r;
    GAP_ASSERT(f.count > 0);
    for (uint32_t i = 0; i < f.count; i++) {
        made[i].n = find_sent(c, f.to, f.random_ids[i]);
        made[i].random_id = f.random_ids[i];
        made[i].is_new = false;
        fresh += made[i].n == 0;
    }
    if (fresh > 0 && (r = dc_slow_check(c, f.to, fresh)) != 0) return r;
    for (uint32_t i = 0; i < f.count; i++) {
        if (made[i].n == 0 && (r = forward_one(c, &f, i, &made[i])) < 0) return r;
    }
    if (c->answer->id == 0) c->answer->id = dc_rec_at(c->m, made[0].n)->id;
    return answer_made(c, made, f.count);
}
