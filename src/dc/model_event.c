/*
 * dc/model_event.c - the log: what happened, where in its box, and what it did to the stores.
 *
 * Invented texts are not kept: they are a function of the seed and of the event's number, so a
 * long run costs some fifty bytes a message however long the texts are.
 *
 * Owns: events, box logs, message stores. Never: speaks TL.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "dc/model_int.h"

#include <string.h>

#define TEXT_SALT  0x7465787473000000U
#define QUERY_SALT 0x7175657279000000U
#define CHARS_SALT 0x6368617273000000U
#define LOG_MIN    64U

static const char *const kind_names[DC_KINDS] = {
    "new_message", "edit_message", "delete_messages", "pin",
    "read",        "qts",          "callback_query",  "status",
};

static const char *const qts_names[DC_QTS_TYPES] = {
    "updateBotStopped",         "updateChatParticipant",     "updateChannelParticipant",
    "updateBotMessageReaction", "updateBotMessageReactions",
};

/* Words of invented texts, each with the space before it; some need care in UTF-8, UTF-16 or JSON.
 * Copied WORD_ROOM bytes at a time. */
#define WORD_ROOM 14
#define WORD_BITS 5
static const struct {
    char text[WORD_ROOM];
    uint8_t bytes;
    uint8_t chars;
} words[1U << WORD_BITS] = {
    {" signal", 7, 7},
    {" box", 4, 4},
    {" late", 5, 5},
    {" pts", 4, 4},
    {" naïve", 7, 6},
    {" gap", 4, 4},
    {" river", 6, 6},
    {" order", 6, 6},
    {" seven", 6, 6},
    {" again", 6, 6},
    {" \"quoted\"", 9, 9},
    {" loop", 5, 5},
    {" back\\slash", 11, 11},
    {" state", 6, 6},
    {" tram", 5, 5},
    {" ☂", 4, 2},
    {" green", 6, 6},
    {" mail", 5, 5},
    {" Grüße", 8, 6},
    {" tick", 5, 5},
    {" привет", 13, 7},
    {" lamp", 5, 5},
    {" north", 6, 6},
    {" stone", 6, 6},
    {" 😀", 5, 2},
    {" paper", 6, 6},
    {" quiet", 6, 6},
    {" day", 4, 4},
    {" tab\there", 9, 9},
    {" glass", 6, 6},
    {" once", 5, 5},
    {" 東京", 7, 3},
};

const char *dc_kind_name(dc_kind_t kind)
{
    GAP_ASSERT(kind < DC_KINDS);
    return kind_names[kind];
}

int dc_kinds_parse(const char *list, uint32_t *out)
{
    uint32_t set = 0;

    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        unsigned k = 0;
        while (k < DC_KINDS &&
               (strlen(kind_names[k]) != len || memcmp(kind_names[k], at, len) != 0))
            k++;
        if (k == DC_KINDS) return GAP_E_ARGUMENT;
        set |= 1U << k;
        at += len;
        if (*at == '\0') break;
    }
    *out = set;
    return 0;
}

const char *dc_qts_name(dc_qts_t qts)
{
    return qts_names[qts];
}

struct dc_rec *dc_rec_at(const dc_model_t *m, uint32_t n)
{
    GAP_ASSERT(n >= 1);
    GAP_ASSERT(n <= m->event_count);
    return &m->chunks[(n - 1) / DC_CHUNK][(n - 1) % DC_CHUNK];
}

struct dc_store *dc_store_of(dc_model_t *m, const struct dc_chat *chat)
{
    if (chat->type == DC_CHANNEL) return &m->chats[chat - m->chats].store;
    return &m->accounts[chat->account].store;
}

struct dc_msg *dc_msg_at(const struct dc_store *store, int32_t id)
{
    if (id < 1 || (uint32_t)id > store->count) return NULL;
    return &store->msgs[id - 1];
}

struct dc_msg *dc_msg_in(dc_model_t *m, uint32_t chat, int32_t id)
{
    struct dc_msg *msg = dc_msg_at(dc_store_of(m, &m->chats[chat]), id);

    if (msg == NULL || msg->del_n != 0) return NULL;
    return dc_rec_at(m, msg->new_n)->chat == chat ? msg : NULL;
}

int32_t dc_top_message(dc_model_t *m, const struct dc_chat *chat)
{
    const struct dc_store *store = dc_store_of(m, chat);
    int32_t id = chat->top_id;

    while (id > 0 && dc_msg_at(store, id)->del_n != 0) id = dc_msg_at(store, id)->prev;
    return id;
}

uint32_t dc_log_after(const dc_model_t *m, const struct dc_log *log, int32_t pts)
{
    uint32_t lo = 0;
    uint32_t hi = log->count;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (dc_rec_at(m, log->ns[mid])->pts > pts)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* --- invented contents --------------------------------------------------------------------- */

/** Decimal digits of a number. @return how many. */
static size_t put_number(uint8_t *out, uint32_t v)
{
    uint8_t digits[10];
    size_t len = 0;

    do {
        digits[len++] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    for (size_t i = 0; i < len; i++) out[i] = digits[len - 1 - i];
    return len;
}

/** "event 17: late green box": unique by its number, as long as whole words go. */
static gap_bytes_t invent_text(dc_model_t *m, uint32_t n, uint16_t chars)
{
    gap_prng_t rng = {gap_hash64(m->options.seed ^ TEXT_SALT) ^ n};
    uint64_t bits = 0;
    uint8_t *text = m->scratch;
    size_t len = 6;

    memcpy(text, "event ", len);
    len += put_number(text + len, n);
    text[len++] = ':';
    for (size_t have = len;;) {
        if (bits == 0) bits = gap_prng_next(&rng) | 1ULL << 60; /* twelve words, and a stop */
        unsigned w = bits & ((1U << WORD_BITS) - 1);
        bits >>= WORD_BITS;
        if (bits == 1) bits = 0;
        have += words[w].chars;
        if (have > chars) break;
        memcpy(text + len, words[w].text, WORD_ROOM);
        len += words[w].bytes;
    }
    return gap_bytes(text, len);
}

gap_bytes_t dc_text_of(dc_model_t *m, uint32_t n)
{
    const struct dc_rec *rec = dc_rec_at(m, n);

    if ((rec->flags & DC_R_STORED) == 0) return invent_text(m, n, rec->chars);
    const struct dc_text *text = rec->blob;
    return gap_bytes(text->data, text->len);
}

int64_t dc_query_id(const dc_model_t *m, uint32_t n)
{
    uint64_t h = gap_hash64(gap_hash64(m->options.seed ^ QUERY_SALT) ^ n);

    return (int64_t)(h >> 11) + 1;
}

/* --- making events ------------------------------------------------------------------------- */

static int reserve_event(dc_model_t *m)
{
    if (m->event_count == UINT32_MAX - 1) return GAP_E_LIMIT;
    if (m->event_count < m->chunk_count * DC_CHUNK) return 0;
    int r =
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): chunks is an array of pointers */
        dc_grow(m->alloc, (void **)&m->chunks, &m->chunk_cap, m->chunk_count, sizeof *m->chunks);
    if (r < 0) return r;
    struct dc_rec *chunk = gap_malloc(m->alloc, DC_CHUNK * sizeof *chunk);
    if (chunk == NULL) return GAP_E_NOMEM;
    m->chunks[m->chunk_count++] = chunk;
    return 0;
}

static struct dc_log *box_of(dc_model_t *m, const struct dc_draft *d, dc_box_t *box)
{
    switch (d->kind) {
    case DC_QTS:
        *box = DC_BOX_QTS;
        return &m->accounts[d->account].qts;
    case DC_CALLBACK_QUERY:
    case DC_STATUS:
        *box = DC_BOX_NONE;
        return NULL;
    default:
        break;
    }
    if (d->account == DC_NONE) {
        *box = DC_BOX_CHANNEL;
        return &m->chats[d->chat].log;
    }
    *box = DC_BOX_COMMON;
    return &m->accounts[d->account].common;
}

static int make_text(dc_model_t *m, const struct dc_draft *d, const void **out)
{
    static const struct dc_content nothing;
    const struct dc_content *c = d->content != NULL ? d->content : &nothing;
    size_t at = (d->text.len + 3) & ~(size_t)3;
    size_t len = c->entities.len + c->markup.len;
    struct dc_text *text = dc_arena(m, sizeof *text + (len > 0 ? at + len : d->text.len));

    if (text == NULL) return GAP_E_NOMEM;
    memset(text, 0, sizeof *text);
    text->random_id = d->random_id;
    text->len = (uint32_t)d->text.len;
    text->entities_at = (uint32_t)at;
    text->entities_len = (uint32_t)c->entities.len;
    text->entity_count = c->entity_count;
    text->markup_len = (uint32_t)c->markup.len;
    text->fwd_n = c->fwd_n;
    text->media = (uint8_t)c->media;
    text->media_id = c->media_id;
    text->media_hash = c->media_hash;
    if (d->text.len > 0) memcpy(text->data, d->text.data, d->text.len);
    if (c->entities.len > 0) memcpy(text->data + at, c->entities.data, c->entities.len);
    if (c->markup.len > 0) memcpy(text->data + at + c->entities.len, c->markup.data, c->markup.len);
    *out = text;
    return 0;
}

/** The blob of an event: a client's text, or the ids. */
static int make_blob(dc_model_t *m, const struct dc_draft *d, const void **out)
{
    *out = NULL;
    if (d->kind == DC_DELETE_MESSAGES) {
        int32_t *ids = dc_arena(m, d->ids_count * sizeof *ids);
        if (ids == NULL) return GAP_E_NOMEM;
        memcpy(ids, d->ids, d->ids_count * sizeof *ids);
        *out = ids;
    } else if (d->text.data != NULL) {
        return make_text(m, d, out);
    }
    return 0;
}

static uint16_t invented_chars(const dc_model_t *m, const struct dc_draft *d, uint32_t n)
{
    uint32_t spread = m->options.text_max - m->options.text_min + 1;

    if (d->text.len > 0) return (uint16_t)d->text.len;
    gap_prng_t rng = {gap_hash64(m->options.seed ^ CHARS_SALT) ^ n};
    return (uint16_t)(m->options.text_min + gap_prng_below(&rng, spread));
}

static void apply_new(dc_model_t *m, const struct dc_draft *d, struct dc_rec *rec, uint32_t n)
{
    struct dc_chat *chat = &m->chats[d->chat];
    struct dc_store *store = dc_store_of(m, chat);
    struct dc_msg *msg = &store->msgs[store->count++];

    memset(msg, 0, sizeof *msg);
    msg->new_n = n;
    msg->prev = chat->top_id;
    rec->id = (int32_t)store->count;
    chat->top_id = rec->id;
    if ((d->flags & DC_R_OUT) != 0) chat->out_id = rec->id;
}

static void apply_delete(dc_model_t *m, const struct dc_draft *d, uint32_t n)
{
    struct dc_store *store =
        d->account == DC_NONE ? &m->chats[d->chat].store : &m->accounts[d->account].store;

    for (uint32_t i = 0; i < d->ids_count; i++) dc_msg_at(store, d->ids[i])->del_n = n;
}

static void apply_read(struct dc_chat *chat, const struct dc_draft *d, uint32_t n)
{
    if ((d->flags & DC_R_OUTBOX) != 0) {
        chat->read_out = d->id;
        chat->read_out_n = n;
    } else {
        chat->read_in = d->id;
        chat->read_in_n = n;
    }
}

/** What the event does to messages and chats. */
static void apply(dc_model_t *m, const struct dc_draft *d, struct dc_rec *rec, uint32_t n)
{
    switch (d->kind) {
    case DC_NEW_MESSAGE:
        apply_new(m, d, rec, n);
        break;
    case DC_EDIT_MESSAGE:
        dc_msg_in(m, d->chat, d->id)->edit_n = n;
        break;
    case DC_PIN:
        dc_msg_in(m, d->chat, d->id)->pin_n = n;
        break;
    case DC_DELETE_MESSAGES:
        apply_delete(m, d, n);
        break;
    case DC_READ:
        apply_read(&m->chats[d->chat], d, n);
        break;
    default:
        break;
    }
    if (rec->box == DC_BOX_CHANNEL) m->chats[d->chat].last_date = rec->date;
}

/** All memory that the event needs, so that nothing after it can fail. */
static int reserve(dc_model_t *m, const struct dc_draft *d, struct dc_log *log, int32_t count,
                   const void **blob)
{
    int r = reserve_event(m);
    if (r < 0) return r;
    if (log != NULL) {
        if (log->pts > INT32_MAX - count) return GAP_E_LIMIT;
        r = dc_grow(m->alloc, (void **)&log->ns, &log->cap, log->count, sizeof *log->ns);
        if (r < 0) return r;
    }
    if (d->kind == DC_NEW_MESSAGE) {
        struct dc_store *store = dc_store_of(m, &m->chats[d->chat]);
        if (store->count == INT32_MAX) return GAP_E_LIMIT;
        r = dc_grow(m->alloc, (void **)&store->msgs, &store->cap, store->count,
                    sizeof *store->msgs);
        if (r < 0) return r;
    }
    return make_blob(m, d, blob);
}

int dc_commit(dc_model_t *m, const struct dc_draft *d, int64_t now_us, uint32_t *out_n)
{
    dc_box_t box;
    const void *blob;
    struct dc_log *log = box_of(m, d, &box);
    int32_t count = d->kind == DC_DELETE_MESSAGES ? (int32_t)d->ids_count : 1;

    int r = reserve(m, d, log, count, &blob);
    if (r < 0) return r;
    uint32_t n = ++m->event_count;
    struct dc_rec *rec = dc_rec_at(m, n);
    memset(rec, 0, sizeof *rec);
    rec->blob = blob;
    rec->account = d->account;
    rec->chat = d->chat;
    rec->from = d->from;
    rec->id = d->id;
    rec->date = dc_date(now_us);
    rec->kind = (uint8_t)d->kind;
    rec->flags = d->flags;
    rec->box = (uint8_t)box;
    rec->qts = (uint8_t)d->qts;
    if (d->kind == DC_NEW_MESSAGE || d->kind == DC_EDIT_MESSAGE) {
        if (d->text.data != NULL)
            rec->flags |= DC_R_STORED;
        else
            rec->chars = invented_chars(m, d, n);
    }
    if (log != NULL) {
        log->pts += count;
        rec->pts = log->pts;
        rec->pts_count = count;
        log->ns[log->count++] = n;
    }
    apply(m, d, rec, n);
    *out_n = n;
    return 0;
}

/* --- events from outside ------------------------------------------------------------------- */

static int find_chat(dc_model_t *m, const dc_spec_t *s, uint32_t account, uint32_t *out)
{
    uint32_t user;

    *out = DC_NONE;
    switch (s->chat.type) {
    case DC_CHANNEL:
        *out = dc_channel_index(m, s->chat.id);
        break;
    case DC_CHAT:
        if (account != DC_NONE) *out = dc_group_index(m, account, s->chat.id);
        break;
    case DC_USER:
        user = dc_user_index(m, s->chat.id);
        if (account == DC_NONE || user == DC_NONE) return GAP_E_NOT_FOUND;
        return dc_private_chat(m, account, user, out);
    case DC_NOBODY:
        break;
    }
    return *out == DC_NONE ? GAP_E_NOT_FOUND : 0;
}

/** Accounts are named where the box is theirs, and only there. */
static int check_account(const dc_spec_t *s)
{
    bool channel_box = s->chat.type == DC_CHANNEL && s->kind != DC_QTS &&
                       s->kind != DC_CALLBACK_QUERY && s->kind != DC_STATUS;

    if (channel_box && s->kind == DC_READ) return GAP_E_ARGUMENT;
    return channel_box == (s->account == 0) ? 0 : GAP_E_ARGUMENT;
}

static int check_delete(dc_model_t *m, const struct dc_draft *d)
{
    if (d->ids_count < 1 || d->ids_count > DC_IDS_MAX) return GAP_E_ARGUMENT;
    for (uint32_t i = 0; i < d->ids_count; i++) {
        if (dc_msg_in(m, d->chat, d->ids[i]) == NULL) return GAP_E_NOT_FOUND;
        for (uint32_t k = 0; k < i; k++) {
            if (d->ids[k] == d->ids[i]) return GAP_E_ARGUMENT;
        }
    }
    return 0;
}

static int check_draft(dc_model_t *m, const struct dc_draft *d)
{
    const struct dc_chat *chat = &m->chats[d->chat];

    switch (d->kind) {
    case DC_NEW_MESSAGE:
    case DC_EDIT_MESSAGE:
        if (d->text.data != NULL ? d->text.len > DC_TEXT_MAX : d->text.len > DC_TEXT_CHARS_MAX)
            return GAP_E_ARGUMENT;
        if (d->kind == DC_NEW_MESSAGE) return 0;
        return dc_msg_in(m, d->chat, d->id) == NULL ? GAP_E_NOT_FOUND : 0;
    case DC_PIN:
        return dc_msg_in(m, d->chat, d->id) == NULL ? GAP_E_NOT_FOUND : 0;
    case DC_DELETE_MESSAGES:
        return check_delete(m, d);
    case DC_READ:
        if (d->id > chat->top_id) return GAP_E_NOT_FOUND;
        return d->id > ((d->flags & DC_R_OUTBOX) != 0 ? chat->read_out : chat->read_in)
                   ? 0
                   : GAP_E_ARGUMENT;
    case DC_QTS:
        if (d->qts >= DC_QTS_TYPES) return GAP_E_ARGUMENT;
        if (d->qts == DC_QTS_BOT_STOPPED && chat->type != DC_USER) return GAP_E_ARGUMENT;
        if (d->qts == DC_QTS_CHAT_PARTICIPANT && chat->type != DC_CHAT) return GAP_E_ARGUMENT;
        if (d->qts == DC_QTS_CHANNEL_PARTICIPANT && chat->type != DC_CHANNEL) return GAP_E_ARGUMENT;
        return 0;
    case DC_STATUS:
        return chat->type == DC_USER ? 0 : GAP_E_ARGUMENT;
    default:
        return 0;
    }
}

int dc_model_add(dc_model_t *m, const dc_spec_t *s, int64_t now_us, uint32_t *out_n)
{
    struct dc_draft d = {.kind = s->kind,
                         .account = DC_NONE,
                         .chat = DC_NONE,
                         .from = DC_NONE,
                         .id = s->id,
                         .ids = s->ids,
                         .ids_count = s->ids_count,
                         .text = s->text,
                         .qts = s->qts};

    if (s->kind >= DC_KINDS) return GAP_E_ARGUMENT;
    int r = check_account(s);
    if (r < 0) return r;
    if (s->account != 0) {
        d.account = dc_account_index(m, s->account);
        if (d.account == DC_NONE) return GAP_E_NOT_FOUND;
    }
    r = find_chat(m, s, d.account, &d.chat);
    if (r < 0) return r;
    if (s->from != 0) {
        d.from = dc_user_index(m, s->from);
        if (d.from == DC_NONE) return GAP_E_NOT_FOUND;
    } else if (s->chat.type == DC_USER) {
        d.from = m->chats[d.chat].user;
    } else if (s->kind == DC_NEW_MESSAGE ? !m->chats[d.chat].broadcast
                                         : s->kind == DC_QTS || s->kind == DC_CALLBACK_QUERY) {
        return GAP_E_ARGUMENT;
    }
    if (s->outbox) d.flags |= DC_R_OUTBOX;
    if (s->pinned) d.flags |= DC_R_PINNED;
    if (s->poison) d.flags |= DC_R_POISON;
    if (s->kind == DC_NEW_MESSAGE && d.from != DC_NONE && d.from >= m->options.users)
        d.flags |= DC_R_OUT;
    r = check_draft(m, &d);
    if (r < 0) return r;
    return dc_commit(m, &d, now_us, out_n);
}

/* --- looking at events --------------------------------------------------------------------- */

uint32_t dc_model_event_count(const dc_model_t *m)
{
    return m->event_count;
}

static void fill_ids(dc_model_t *m, const struct dc_rec *rec, dc_event_t *out)
{
    if (rec->kind == DC_DELETE_MESSAGES) {
        out->ids = rec->blob;
        out->ids_count = (uint32_t)rec->pts_count;
        out->id = out->ids_count == 1 ? out->ids[0] : 0;
    } else if (rec->kind == DC_PIN) {
        m->scratch_id = rec->id;
        out->ids = &m->scratch_id;
        out->ids_count = 1;
    } else if (rec->kind == DC_READ) {
        out->max_id = rec->id;
        out->id = 0;
    }
}

static void fill_content(const dc_model_t *m, const struct dc_rec *rec, uint32_t n, dc_event_t *out)
{
    struct dc_content content;

    dc_content_of(m, n, &content);
    out->random_id = ((const struct dc_text *)rec->blob)->random_id;
    out->media = content.media;
    out->media_id = content.media_id;
    out->entities = content.entity_count;
    out->marks = content.entities;
    if (rec->kind == DC_NEW_MESSAGE) out->fwd_n = content.fwd_n;
}

void dc_model_event(dc_model_t *m, uint32_t n, dc_event_t *out)
{
    const struct dc_rec *rec = dc_rec_at(m, n);

    memset(out, 0, sizeof *out);
    out->n = n;
    out->kind = (dc_kind_t)rec->kind;
    out->box = (dc_box_t)rec->box;
    out->account = rec->account == DC_NONE ? 0 : m->accounts[rec->account].id;
    if (rec->chat != DC_NONE) {
        out->chat.type = (dc_peer_type_t)m->chats[rec->chat].type;
        out->chat.id = m->chats[rec->chat].id;
    }
    out->pts = rec->pts;
    out->pts_count = rec->pts_count;
    out->id = rec->id;
    out->date = rec->date;
    out->from = rec->from == DC_NONE ? 0 : dc_user_id(m, rec->from);
    out->out = (rec->flags & DC_R_OUT) != 0;
    out->outbox = (rec->flags & DC_R_OUTBOX) != 0;
    out->pinned = (rec->flags & DC_R_PINNED) != 0;
    out->poison = (rec->flags & DC_R_POISON) != 0;
    out->by_call = (rec->flags & DC_R_CALL) != 0;
    fill_ids(m, rec, out);
    if (rec->kind == DC_NEW_MESSAGE || rec->kind == DC_EDIT_MESSAGE) {
        out->text = dc_text_of(m, n);
        if ((rec->flags & DC_R_STORED) != 0) fill_content(m, rec, n, out);
    }
    if (rec->kind == DC_CALLBACK_QUERY) out->query_id = dc_query_id(m, n);
    if (rec->kind == DC_QTS) out->qts = dc_qts_name((dc_qts_t)rec->qts);
}

bool dc_model_receives(const dc_model_t *m, uint32_t n, int64_t account)
{
    const struct dc_rec *rec = dc_rec_at(m, n);
    uint32_t who = dc_account_index(m, account);

    if (who == DC_NONE) return false;
    if (rec->account != DC_NONE) return rec->account == who;
    return dc_is_member(&m->chats[rec->chat], who);
}
