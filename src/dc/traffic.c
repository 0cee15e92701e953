/*
 * dc/traffic.c - who does what next: a plausible mix, drawn from one seed.
 *
 * What is acted upon is always something that traffic itself made (never a message sent by an
 * account), so that a client's own calls shift numbers but not the story.
 */
#include "dc/traffic.h"

#include "base/bytes.h"
#include "dc/model_int.h"

#include <string.h>

#define RECENT_MAX    8   /* an edit, a pin, a delete picks among so many newest messages */
#define WALK_MAX      256 /* messages looked at to find one of them */
#define DELETE_MAX    4
#define NOTHING_FOUND 1
#define TRAFFIC_SALT  0x7472616666696300U

/* Percent of the traffic; what --kinds leaves out falls to the others. */
static const uint8_t weights[DC_KINDS] = {
    [DC_NEW_MESSAGE] = 58, [DC_EDIT_MESSAGE] = 13, [DC_DELETE_MESSAGES] = 5, [DC_PIN] = 4,
    [DC_READ] = 6,         [DC_QTS] = 6,           [DC_CALLBACK_QUERY] = 4,  [DC_STATUS] = 4,
};

void dc_traffic_init(dc_traffic_t *t, const dc_traffic_options_t *o)
{
    t->options = *o;
    t->rng.state = 0; /* set anew for each event */
    t->made = 0;
}

/** One event in the making. */
struct scene {
    dc_traffic_t *t;
    dc_model_t *m;
    int64_t now_us;
    struct dc_draft d;
    uint32_t who; /* account */
    int32_t ids[DELETE_MAX];
};

static uint32_t below(struct scene *s, uint32_t n)
{
    return (uint32_t)gap_prng_below(&s->t->rng, n);
}

static uint32_t any_user(struct scene *s)
{
    return below(s, s->m->options.users);
}

/** A channel; a third of them falls on the busiest tenth. */
static void set_channel(struct scene *s)
{
    uint32_t n = s->m->options.channels;

    if (below(s, 3) == 0 && n >= 10) n /= 10;
    s->d.chat = below(s, n);
    s->d.account = DC_NONE;
}

static int set_private(struct scene *s)
{
    s->d.account = s->who;
    return dc_private_chat(s->m, s->who, any_user(s), &s->d.chat);
}

static void set_group(struct scene *s)
{
    s->d.account = s->who;
    s->d.chat = s->m->accounts[s->who].groups + below(s, s->m->options.groups);
}

/** A chat: seven in ten are channels, unless they are not wanted. */
static int set_chat(struct scene *s, bool channels)
{
    uint32_t draw = below(s, 10);

    if (draw < 7 && channels && s->m->options.channels > 0) {
        set_channel(s);
        return 0;
    }
    if (draw % 3 == 0 && s->m->options.groups > 0) {
        set_group(s);
        return 0;
    }
    return set_private(s);
}

static bool is_target(const struct scene *s, const struct dc_msg *msg)
{
    return msg->del_n == 0 && (dc_rec_at(s->m, msg->new_n)->flags & DC_R_OUT) == 0;
}

/** Newest messages of the chat that can be acted upon. @return how many, at most `max`. */
static uint32_t recent(const struct scene *s, int32_t *ids, uint32_t max)
{
    const struct dc_chat *chat = &s->m->chats[s->d.chat];
    const struct dc_store *store = dc_store_of(s->m, chat);
    uint32_t count = 0;
    int32_t id = chat->top_id;

    for (uint32_t step = 0; id > 0 && step < WALK_MAX && count < max; step++) {
        const struct dc_msg *msg = dc_msg_at(store, id);
        if (is_target(s, msg)) ids[count++] = id;
        id = msg->prev;
    }
    return count;
}

static int32_t pick_message(struct scene *s)
{
    int32_t ids[RECENT_MAX];
    uint32_t count = recent(s, ids, RECENT_MAX);

    return count == 0 ? 0 : ids[below(s, count)];
}

static void set_sender(struct scene *s)
{
    const struct dc_chat *chat = &s->m->chats[s->d.chat];

    if (chat->type == DC_USER)
        s->d.from = chat->user;
    else if (!chat->broadcast)
        s->d.from = any_user(s);
}

static int make_message(struct scene *s)
{
    int r = set_chat(s, true);

    if (r == 0) set_sender(s);
    return r;
}

static int make_edit(struct scene *s)
{
    int r = set_chat(s, true);
    if (r < 0) return r;
    s->d.id = pick_message(s);
    return s->d.id == 0 ? NOTHING_FOUND : 0;
}

static int make_delete(struct scene *s)
{
    int r = set_chat(s, true);
    if (r < 0) return r;
    int32_t ids[RECENT_MAX];
    uint32_t found = recent(s, ids, RECENT_MAX);
    uint32_t want = 1 + below(s, DELETE_MAX);
    if (found == 0) return NOTHING_FOUND;
    uint32_t first = below(s, found);
    if (want > found - first) want = found - first;
    for (uint32_t i = 0; i < want; i++) s->ids[i] = ids[first + want - 1 - i]; /* ascending */
    s->d.ids = s->ids;
    s->d.ids_count = want;
    return 0;
}

static int make_pin(struct scene *s)
{
    int r = make_edit(s);
    if (r != 0) return r;
    uint32_t last = dc_msg_in(s->m, s->d.chat, s->d.id)->pin_n;
    if (last == 0 || (dc_rec_at(s->m, last)->flags & DC_R_PINNED) == 0) s->d.flags |= DC_R_PINNED;
    return 0;
}

static int make_read(struct scene *s)
{
    int r = set_chat(s, false);
    if (r < 0) return r;
    const struct dc_chat *chat = &s->m->chats[s->d.chat];
    if (recent(s, &s->d.id, 1) == 0 || s->d.id <= chat->read_in) return NOTHING_FOUND;
    if (below(s, 2) == 0 && chat->out_id > chat->read_out) {
        s->d.id = chat->out_id;
        s->d.flags |= DC_R_OUTBOX;
    }
    return 0;
}

static int make_qts(struct scene *s)
{
    int r;

    s->d.qts = (dc_qts_t)below(s, DC_QTS_TYPES);
    if (s->d.qts == DC_QTS_CHAT_PARTICIPANT && s->m->options.groups == 0)
        s->d.qts = DC_QTS_BOT_STOPPED;
    if (s->d.qts >= DC_QTS_CHANNEL_PARTICIPANT && s->m->options.channels == 0)
        s->d.qts = DC_QTS_BOT_STOPPED;
    s->d.from = any_user(s);
    switch (s->d.qts) {
    case DC_QTS_BOT_STOPPED:
        r = set_private(s);
        s->d.from = r == 0 ? s->m->chats[s->d.chat].user : DC_NONE;
        return r;
    case DC_QTS_CHAT_PARTICIPANT:
        set_group(s);
        return 0;
    default:
        break;
    }
    set_channel(s);
    s->d.account = s->who;
    if (s->d.qts == DC_QTS_CHANNEL_PARTICIPANT) return 0;
    s->d.id = pick_message(s);
    if (s->d.id == 0) s->d.qts = DC_QTS_CHANNEL_PARTICIPANT;
    return 0;
}

/** A button of a message that is there, or was there before all this began. */
static int make_callback(struct scene *s)
{
    int r = set_chat(s, true);
    if (r < 0) return r;
    const struct dc_chat *chat = &s->m->chats[s->d.chat];
    s->d.account = s->who;
    s->d.id = chat->top_id > 0 ? chat->top_id : 1;
    s->d.from = chat->type == DC_USER ? chat->user : any_user(s);
    return 0;
}

/** Status of a user who has written to the account: of others it could not know the name. */
static int make_status(struct scene *s)
{
    const struct dc_account *a = &s->m->accounts[s->who];

    s->d.account = s->who;
    if (a->dialog_count == 0) return NOTHING_FOUND;
    s->d.chat = a->dialogs[below(s, a->dialog_count)];
    s->d.from = s->m->chats[s->d.chat].user;
    return s->m->chats[s->d.chat].top_id > 0 ? 0 : NOTHING_FOUND;
}

static int make(struct scene *s, dc_kind_t kind)
{
    static int (*const makers[DC_KINDS])(struct scene *) = {
        make_message, make_edit, make_delete,   make_pin,
        make_read,    make_qts,  make_callback, make_status,
    };

    memset(&s->d, 0, sizeof s->d);
    s->d.kind = kind;
    s->d.account = s->d.chat = s->d.from = DC_NONE;
    return makers[kind](s);
}

static dc_kind_t draw_kind(struct scene *s, uint32_t kinds)
{
    uint32_t total = 0;

    for (unsigned k = 0; k < DC_KINDS; k++) total += (kinds >> k & 1U) != 0 ? weights[k] : 0;
    uint32_t at = below(s, total);
    for (unsigned k = 0; k < DC_KINDS; k++) {
        uint32_t weight = (kinds >> k & 1U) != 0 ? weights[k] : 0;
        if (at < weight) return (dc_kind_t)k;
        at -= weight;
    }
    return DC_NEW_MESSAGE;
}

/** Somebody who is here, or if nobody is anybody. */
static uint32_t any_account(struct scene *s)
{
    const dc_model_t *m = s->m;
    uint32_t here = m->account_count - m->away_count;
    uint32_t at = below(s, here > 0 ? here : m->account_count);

    if (here == 0 || here == m->account_count) return at;
    for (uint32_t i = 0;; i++)
        if (!m->accounts[i].away && at-- == 0) return i;
}

/** Buttons and the events of the qts box here are bots' alone. */
static uint32_t kinds_for(const struct scene *s, uint32_t kinds)
{
    uint32_t left = kinds & ~(1U << DC_QTS | 1U << DC_CALLBACK_QUERY);

    return s->m->accounts[s->who].bot || left == 0 ? kinds : left;
}

int dc_traffic_next(dc_traffic_t *t, dc_model_t *m, int64_t now_us, uint32_t *out_n)
{
    static const dc_kind_t instead[] = {DC_NEW_MESSAGE, DC_QTS, DC_CALLBACK_QUERY};
    struct scene s = {.t = t, .m = m, .now_us = now_us};
    uint32_t kinds = t->options.kinds & DC_KINDS_ALL;

    if (t->made >= t->options.events) return DC_TRAFFIC_DONE;
    if (m->account_count == 0) return GAP_E_STATE;
    if (kinds == 0) kinds = DC_KINDS_ALL;
    /* Each event has a stream of its own: what clients do may change one event, never the rest. */
    t->rng.state = gap_hash64(t->options.seed ^ TRAFFIC_SALT) ^ t->made;
    s.who = any_account(&s);
    kinds = kinds_for(&s, kinds);
    int r = make(&s, draw_kind(&s, kinds));
    for (size_t i = 0; i < GAP_ARRAY_LEN(instead) && r == NOTHING_FOUND; i++) {
        if ((kinds >> instead[i] & 1U) != 0) r = make(&s, instead[i]);
    }
    if (r == NOTHING_FOUND) r = make(&s, DC_NEW_MESSAGE);
    if (r < 0) return r;
    r = dc_commit(m, &s.d, now_us, out_n);
    if (r == 0) t->made++;
    return r;
}
