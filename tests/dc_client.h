/*
 * tests/dc_client.h - a naive client of the simulated world: applies pushes by the rules of the
 * boxes, asks for a difference at once when it sees a gap, and counts how often each event came.
 */
#ifndef GAP_TESTS_DC_CLIENT_H
#define GAP_TESTS_DC_CLIENT_H

#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "dc/model.h"
#include "dc/traffic.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

#define BOT      123456789
#define EVENTS   1500
#define CHANNELS 6
#define ROOM     (EVENTS * 2)
#define START_US 1700000000000000

/* One message as the client has it. */
struct held {
    uint32_t text_n; /* event that its text comes from; 0 never seen */
    bool deleted;
};

/* One box of the client. */
struct box {
    int64_t channel; /* 0 the common box */
    int32_t pts;
    int32_t last_id;
    struct held msgs[ROOM];
};

struct client {
    dc_model_t *m;
    dc_view_t view;
    struct box common;
    struct box channels[CHANNELS];
    int32_t qts;
    int32_t date;
    int64_t now_us;
    uint8_t delivered[ROOM];
    uint8_t folded[ROOM];
    dc_answer_t answer;
    gap_buf_t request;
    int64_t users[256]; /* named by the object being read */
    size_t user_count;
    int64_t chats[256];
    size_t chat_count;
    unsigned differences;
};

static void client_init(struct client *c, dc_model_t *m)
{
    memset(c, 0, sizeof *c);
    c->m = m;
    c->view = (dc_view_t){BOT, 227, 0};
    c->common.pts = 1;
    c->qts = 1;
    c->date = 1;
    c->now_us = START_US;
    for (int i = 0; i < CHANNELS; i++) {
        c->channels[i].channel = DC_CHANNEL_ID_FIRST + i;
        c->channels[i].pts = 1;
    }
    dc_answer_init(&c->answer, gap_alloc_default());
    gap_buf_init(&c->request, gap_alloc_default());
}

static void client_fini(struct client *c)
{
    dc_answer_fini(&c->answer);
    gap_buf_fini(&c->request);
}

static struct box *box_of(struct client *c, int64_t channel)
{
    if (channel == 0) return &c->common;
    ck_assert_int_ge(channel, DC_CHANNEL_ID_FIRST);
    ck_assert_int_lt(channel, DC_CHANNEL_ID_FIRST + CHANNELS);
    return &c->channels[channel - DC_CHANNEL_ID_FIRST];
}

/* --- which event is it? -------------------------------------------------------------------- */

static bool in_box(const dc_event_t *e, int64_t channel)
{
    return channel == 0 ? e->box == DC_BOX_COMMON
                        : e->box == DC_BOX_CHANNEL && e->chat.id == channel;
}

/* The newest event of this kind about this message (or read up to it). */
static uint32_t find_event(struct client *c, dc_kind_t kind, int64_t channel, int32_t id)
{
    dc_event_t e;

    for (uint32_t n = dc_model_event_count(c->m); n > 0; n--) {
        dc_model_event(c->m, n, &e);
        if (e.kind != kind || !in_box(&e, channel)) continue;
        if (e.id == id || e.max_id == id || (e.ids_count > 0 && e.ids[0] == id)) return n;
    }
    ck_abort_msg("no event of kind %d about message %d", (int)kind, (int)id);
}

static uint32_t find_at(struct client *c, dc_box_t box, int64_t channel, int32_t pts)
{
    dc_event_t e;

    for (uint32_t n = dc_model_event_count(c->m); n > 0; n--) {
        dc_model_event(c->m, n, &e);
        if (e.pts == pts && e.box == box && (channel == 0 || e.chat.id == channel)) return n;
    }
    ck_abort_msg("no event ends at %d", (int)pts);
}

/* Invented texts say which event they come from. */
static uint32_t text_event(gap_bytes_t text, uint32_t otherwise)
{
    uint32_t n = 0;

    if (text.len < 8 || memcmp(text.data, "event ", 6) != 0) return otherwise;
    for (size_t i = 6; i < text.len && text.data[i] != ':'; i++) n = n * 10 + text.data[i] - '0';
    return n;
}

/* --- peers --------------------------------------------------------------------------------- */

static bool named(const int64_t *ids, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) return true;
    }
    return false;
}

static void read_users(struct client *c, gap_tl_vector_t vector)
{
    gap_tl_iter_t it = gap_tl_iter(vector);
    gap_tl_object_t o;
    gap_tl_user_t user;

    c->user_count = 0;
    while (gap_tl_next(&it, &o) == 1) {
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_USER, &user), 0);
        ck_assert(user.access_hash ==
                  dc_model_access_hash(c->m, BOT, (dc_peer_t){DC_USER, user.id}));
        ck_assert(!named(c->users, c->user_count, user.id));
        c->users[c->user_count++] = user.id;
    }
}

static void read_chats(struct client *c, gap_tl_vector_t vector)
{
    gap_tl_iter_t it = gap_tl_iter(vector);
    gap_tl_object_t o;
    gap_tl_channel_t channel;
    gap_tl_chat_t chat;

    c->chat_count = 0;
    while (gap_tl_next(&it, &o) == 1) {
        int64_t id;
        if (o.id == GAP_TL_CHANNEL) {
            ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_CHANNEL, &channel), 0);
            ck_assert(channel.access_hash ==
                      dc_model_access_hash(c->m, BOT, (dc_peer_t){DC_CHANNEL, channel.id}));
            id = channel.id;
        } else {
            ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_CHAT, &chat), 0);
            id = chat.id;
        }
        ck_assert(!named(c->chats, c->chat_count, id));
        c->chats[c->chat_count++] = id;
    }
}

/* @return the channel's id, or 0 for a chat of the common box; the peer must be named. */
static int64_t peer_box(struct client *c, gap_tl_object_t peer)
{
    union {
        gap_tl_peer_user_t user;
        gap_tl_peer_chat_t chat;
        gap_tl_peer_channel_t channel;
    } p;

    if (peer.id == GAP_TL_PEER_USER) {
        ck_assert_int_gt(GAP_TL_READ(peer, GAP_TL_PEER_USER, &p.user), 0);
        ck_assert_msg(named(c->users, c->user_count, p.user.user_id), "unknown user");
        return 0;
    }
    if (peer.id == GAP_TL_PEER_CHAT) {
        ck_assert_int_gt(GAP_TL_READ(peer, GAP_TL_PEER_CHAT, &p.chat), 0);
        ck_assert_msg(named(c->chats, c->chat_count, p.chat.chat_id), "unknown chat");
        return 0;
    }
    ck_assert_int_gt(GAP_TL_READ(peer, GAP_TL_PEER_CHANNEL, &p.channel), 0);
    ck_assert_msg(named(c->chats, c->chat_count, p.channel.channel_id), "unknown channel");
    return p.channel.channel_id;
}

static int64_t read_message(struct client *c, gap_tl_object_t o, gap_tl_message_t *msg)
{
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_MESSAGE, msg), 0);
    ck_assert_int_gt(msg->date, 0);
    if ((msg->flags & GAP_TL_MESSAGE_F_FROM_ID) != 0) peer_box(c, msg->from_id);
    return peer_box(c, msg->peer_id);
}

/* --- applying ------------------------------------------------------------------------------ */

static void deliver(struct client *c, uint32_t n)
{
    ck_assert_uint_ge(n, 1);
    ck_assert_msg(c->delivered[n] == 0, "event %u delivered twice", (unsigned)n);
    c->delivered[n]++;
}

static void apply_new(struct client *c, gap_tl_object_t o)
{
    gap_tl_message_t msg;
    struct box *box = box_of(c, read_message(c, o, &msg));
    uint32_t n = find_event(c, DC_NEW_MESSAGE, box->channel, msg.id);

    ck_assert_msg(msg.id > box->last_id, "message %d after %d", (int)msg.id, (int)box->last_id);
    box->last_id = msg.id;
    deliver(c, n);
    box->msgs[msg.id].text_n = text_event(msg.message, n);
}

static void apply_edit(struct client *c, gap_tl_object_t o)
{
    gap_tl_message_t msg;
    struct box *box = box_of(c, read_message(c, o, &msg));
    struct held *held = &box->msgs[msg.id];
    uint32_t n = text_event(msg.message, 0);

    ck_assert_msg((msg.flags & GAP_TL_MESSAGE_F_EDIT_DATE) != 0, "an edit without a date");
    ck_assert_msg(held->text_n != 0, "edit %u before its message", (unsigned)n);
    ck_assert_msg(n >= held->text_n, "edit %u after %u", (unsigned)n, (unsigned)held->text_n);
    held->text_n = n;
    deliver(c, n);
}

static void apply_deleted(struct client *c, struct box *box, gap_tl_vector_t ids)
{
    gap_tl_iter_t it = gap_tl_iter(ids);
    int32_t id;
    bool first = true;

    while (gap_tl_next_int(&it, &id) == 1) {
        if (first) deliver(c, find_event(c, DC_DELETE_MESSAGES, box->channel, id));
        first = false;
        box->msgs[id].deleted = true;
    }
    ck_assert(!first);
}

/* A push's place in its box: the box if it is the next, else NULL (old, or behind a gap). */
static bool next_in(struct box *box, int32_t pts, int32_t count, bool *gap)
{
    if (pts == box->pts + count) {
        box->pts = pts;
        return true;
    }
    if (pts > box->pts + count) *gap = true;
    return false;
}

union any_update {
    gap_tl_update_new_message_t new_message;
    gap_tl_update_edit_message_t edit;
    gap_tl_update_delete_messages_t deleted;
    gap_tl_update_delete_channel_messages_t channel_deleted;
    gap_tl_update_pinned_messages_t pinned;
    gap_tl_update_pinned_channel_messages_t channel_pinned;
    gap_tl_update_read_history_inbox_t read_inbox;
    gap_tl_update_read_history_outbox_t read_outbox;
};

/* What all kinds of updates come down to. */
struct place {
    struct box *box; /* NULL: not in a pts box */
    int32_t pts;
    int32_t count;
};

static int32_t first_id(gap_tl_vector_t ids)
{
    gap_tl_iter_t it = gap_tl_iter(ids);
    int32_t id = 0;

    ck_assert_int_eq(gap_tl_next_int(&it, &id), 1);
    return id;
}

static int64_t message_box(struct client *c, gap_tl_object_t o)
{
    gap_tl_message_t msg;
    return read_message(c, o, &msg);
}

static struct place place_of(struct client *c, gap_tl_object_t o, union any_update *u)
{
    struct place none = {NULL, 0, 0};

#define READ(id, member) ck_assert_int_gt(GAP_TL_READ(o, id, &u->member), 0)
#define PLACE(channel, member)                                                                     \
    (struct place)                                                                                 \
    {                                                                                              \
        box_of(c, channel), u->member.pts, u->member.pts_count                                     \
    }
    switch (o.id) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE: /* the same fields */
        ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), o.id, &u->new_message, sizeof u->new_message),
                         0);
        return PLACE(message_box(c, u->new_message.message), new_message);
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), o.id, &u->edit, sizeof u->edit), 0);
        return PLACE(message_box(c, u->edit.message), edit);
    case GAP_TL_UPDATE_DELETE_MESSAGES:
        READ(GAP_TL_UPDATE_DELETE_MESSAGES, deleted);
        return PLACE(0, deleted);
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        READ(GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, channel_deleted);
        return PLACE(u->channel_deleted.channel_id, channel_deleted);
    case GAP_TL_UPDATE_PINNED_MESSAGES:
        READ(GAP_TL_UPDATE_PINNED_MESSAGES, pinned);
        return PLACE(peer_box(c, u->pinned.peer), pinned);
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
        READ(GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES, channel_pinned);
        return PLACE(u->channel_pinned.channel_id, channel_pinned);
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
        READ(GAP_TL_UPDATE_READ_HISTORY_INBOX, read_inbox);
        return PLACE(peer_box(c, u->read_inbox.peer), read_inbox);
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
        READ(GAP_TL_UPDATE_READ_HISTORY_OUTBOX, read_outbox);
        return PLACE(peer_box(c, u->read_outbox.peer), read_outbox);
    default:
        return none;
    }
}

static void apply(struct client *c, gap_tl_object_t o, const union any_update *u, struct box *box)
{
    switch (o.id) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        apply_new(c, u->new_message.message);
        break;
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        apply_edit(c, u->edit.message);
        break;
    case GAP_TL_UPDATE_DELETE_MESSAGES:
        apply_deleted(c, box, u->deleted.messages);
        break;
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        apply_deleted(c, box, u->channel_deleted.messages);
        break;
    default:
        ck_abort_msg("update %08x is not applied by content", (unsigned)o.id);
    }
}

static bool is_mark(uint32_t id)
{
    return id == GAP_TL_UPDATE_PINNED_MESSAGES || id == GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES ||
           id == GAP_TL_UPDATE_READ_HISTORY_INBOX || id == GAP_TL_UPDATE_READ_HISTORY_OUTBOX;
}

static int32_t qts_of(gap_tl_object_t o)
{
    /* qts is the last field of each of them */
    return (int32_t)gap_load32(o.data + o.len - 4);
}

/* --- differences --------------------------------------------------------------------------- */

static void call(struct client *c, uint32_t id, const void *method)
{
    gap_tl_object_t o = gap_tl_of(id, method);
    int64_t size = gap_tl_size(o);

    ck_assert_int_gt(size, 0);
    gap_buf_clear(&c->request);
    ck_assert_int_eq(gap_buf_reserve(&c->request, (size_t)size), 0);
    ck_assert_int_eq(gap_tl_write(o, c->request.data, (size_t)size), size);
    gap_bytes_t bytes = gap_bytes(c->request.data, (size_t)size);
    int r = dc_model_call(c->m, &c->view, bytes, c->now_us, &c->answer);
    ck_assert_msg(r == 0, "%s: %d %s", gap_tl_name(id), r,
                  r == DC_RPC_ERROR ? c->answer.error : "");
    gap_bytes_t body = gap_buf_view(&c->answer.body);
    ck_assert_int_eq(gap_tl_skip(body), (int64_t)body.len);
    for (uint32_t i = 0; i < c->answer.folded_count; i++) c->folded[c->answer.folded[i]]++;
}

static void apply_difference_update(struct client *c, gap_tl_object_t o, int32_t final_pts)
{
    union any_update u;

    if (o.id == GAP_TL_UPDATE_CHANNEL_TOO_LONG) return;
    if (o.id == GAP_TL_UPDATE_MESSAGE_ID) return;
    struct place p = place_of(c, o, &u);
    if (p.box == NULL) {
        deliver(c, find_at(c, DC_BOX_QTS, 0, qts_of(o)));
        return;
    }
    ck_assert_msg(p.count == 0, "pts_count %d in a difference", (int)p.count);
    ck_assert_int_eq(p.pts, final_pts);
    if (o.id == GAP_TL_UPDATE_PINNED_MESSAGES)
        deliver(c, find_event(c, DC_PIN, 0, first_id(u.pinned.messages)));
    else if (o.id == GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES)
        deliver(c, find_event(c, DC_PIN, p.box->channel, first_id(u.channel_pinned.messages)));
    else if (o.id == GAP_TL_UPDATE_READ_HISTORY_INBOX)
        deliver(c, find_event(c, DC_READ, 0, u.read_inbox.max_id));
    else if (o.id == GAP_TL_UPDATE_READ_HISTORY_OUTBOX)
        deliver(c, find_event(c, DC_READ, 0, u.read_outbox.max_id));
    else
        apply(c, o, &u, p.box);
}

static void apply_contents(struct client *c, gap_tl_vector_t messages, gap_tl_vector_t updates,
                           int32_t final_pts)
{
    gap_tl_iter_t it = gap_tl_iter(messages);
    gap_tl_object_t o;

    while (gap_tl_next(&it, &o) == 1) apply_new(c, o);
    it = gap_tl_iter(updates);
    while (gap_tl_next(&it, &o) == 1) apply_difference_update(c, o, final_pts);
}

static void channel_difference(struct client *c, struct box *box)
{
    gap_tl_input_channel_t channel = {
        box->channel, dc_model_access_hash(c->m, BOT, (dc_peer_t){DC_CHANNEL, box->channel})};
    gap_tl_channel_messages_filter_empty_t filter = {0};
    gap_tl_updates_channel_difference_t d;
    gap_tl_updates_channel_difference_empty_t empty;
    bool final;

    c->differences++;
    do {
        gap_tl_updates_get_channel_difference_t q = {
            .flags = GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE_F_FORCE,
            .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel),
            .filter = GAP_TL_OF(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &filter),
            .pts = box->pts,
            .limit = 100000};
        call(c, GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &q);
        gap_bytes_t body = gap_buf_view(&c->answer.body);
        if (gap_load32(body.data) == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY) {
            ck_assert_int_gt(
                gap_tl_read(body, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &empty, sizeof empty),
                0);
            ck_assert_int_eq(empty.pts, box->pts);
            return;
        }
        ck_assert_int_gt(gap_tl_read(body, GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d, sizeof d), 0);
        read_users(c, d.users);
        read_chats(c, d.chats);
        ck_assert_int_gt(d.pts, box->pts);
        ck_assert_int_eq(c->answer.ranges[0].from, box->pts);
        ck_assert_int_eq(c->answer.ranges[0].to, d.pts);
        apply_contents(c, d.new_messages, d.other_updates, d.pts);
        box->pts = d.pts;
        final = (d.flags & GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL) != 0;
    } while (!final);
    ck_assert_int_eq(box->pts, dc_model_channel_pts(c->m, box->channel));
}

/* Channels that the answer names, and that are behind. */
static void follow_too_long(struct client *c, gap_tl_vector_t updates)
{
    gap_tl_update_channel_too_long_t t;
    gap_tl_iter_t it = gap_tl_iter(updates);
    int64_t behind[CHANNELS];
    size_t count = 0;
    gap_tl_object_t o;

    while (gap_tl_next(&it, &o) == 1) {
        if (o.id != GAP_TL_UPDATE_CHANNEL_TOO_LONG) continue;
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_CHANNEL_TOO_LONG, &t), 0);
        ck_assert(named(c->chats, c->chat_count, t.channel_id));
        if (t.pts > box_of(c, t.channel_id)->pts) behind[count++] = t.channel_id;
    }
    while (count > 0) channel_difference(c, box_of(c, behind[--count]));
}

static void take_state(struct client *c, gap_tl_object_t o)
{
    gap_tl_updates_state_t s;

    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATES_STATE, &s), 0);
    ck_assert_int_ge(s.pts, c->common.pts);
    ck_assert_int_ge(s.qts, c->qts);
    c->common.pts = s.pts;
    c->qts = s.qts;
    c->date = s.date;
}

static void difference(struct client *c)
{
    gap_tl_updates_difference_t d;

    c->differences++;
    for (bool more = true; more;) {
        gap_tl_updates_get_difference_t q = {.pts = c->common.pts, .date = c->date, .qts = c->qts};
        call(c, GAP_TL_UPDATES_GET_DIFFERENCE, &q);
        gap_bytes_t body = gap_buf_view(&c->answer.body);
        uint32_t id = gap_load32(body.data);
        if (id == GAP_TL_UPDATES_DIFFERENCE_EMPTY) return;
        ck_assert(id == GAP_TL_UPDATES_DIFFERENCE || id == GAP_TL_UPDATES_DIFFERENCE_SLICE);
        more = id == GAP_TL_UPDATES_DIFFERENCE_SLICE; /* the same fields in both */
        ck_assert_int_gt(gap_tl_read(body, id, &d, sizeof d), 0);
        gap_tl_updates_state_t s;
        ck_assert_int_gt(GAP_TL_READ(d.state, GAP_TL_UPDATES_STATE, &s), 0);
        read_users(c, d.users);
        read_chats(c, d.chats);
        apply_contents(c, d.new_messages, d.other_updates, s.pts);
        take_state(c, d.state);
        if (!more) {
            gap_buf_t kept = c->answer.body; /* further calls use the buffer */
            gap_buf_init(&c->answer.body, gap_alloc_default());
            follow_too_long(c, d.other_updates);
            gap_buf_fini(&kept);
        }
    }
}

/* --- pushes -------------------------------------------------------------------------------- */

static void take_update(struct client *c, gap_tl_object_t o)
{
    union any_update u;
    bool gap = false;
    struct place p = place_of(c, o, &u);

    if (p.box == NULL) {
        if (o.id == GAP_TL_UPDATE_BOT_CALLBACK_QUERY || o.id == GAP_TL_UPDATE_MESSAGE_ID) return;
        int32_t qts = qts_of(o);
        if (qts == c->qts + 1) {
            c->qts = qts;
            deliver(c, find_at(c, DC_BOX_QTS, 0, qts));
        } else if (qts > c->qts) {
            difference(c);
        }
        return;
    }
    if (next_in(p.box, p.pts, p.count, &gap)) {
        dc_box_t box = p.box->channel == 0 ? DC_BOX_COMMON : DC_BOX_CHANNEL;
        if (is_mark(o.id))
            deliver(c, find_at(c, box, p.box->channel, p.pts));
        else
            apply(c, o, &u, p.box);
    } else if (gap && p.box->channel == 0) {
        difference(c);
    } else if (gap) {
        channel_difference(c, p.box);
    }
}

/* What the two short forms have in common. */
static void take_short(struct client *c, int32_t id, gap_bytes_t text, int32_t pts, int32_t count)
{
    bool gap = false;

    if (next_in(&c->common, pts, count, &gap)) {
        uint32_t n = find_event(c, DC_NEW_MESSAGE, 0, id);
        deliver(c, n);
        c->common.last_id = id;
        c->common.msgs[id].text_n = text_event(text, n);
    } else if (gap) {
        difference(c);
    }
}

static void take_short_message(struct client *c, gap_bytes_t in)
{
    gap_tl_update_short_message_t s;

    ck_assert_int_gt(gap_tl_read(in, GAP_TL_UPDATE_SHORT_MESSAGE, &s, sizeof s), 0);
    take_short(c, s.id, s.message, s.pts, s.pts_count);
}

static void take_short_chat_message(struct client *c, gap_bytes_t in)
{
    gap_tl_update_short_chat_message_t s;

    ck_assert_int_gt(gap_tl_read(in, GAP_TL_UPDATE_SHORT_CHAT_MESSAGE, &s, sizeof s), 0);
    take_short(c, s.id, s.message, s.pts, s.pts_count);
}

static void take_push(struct client *c, gap_bytes_t in)
{
    gap_tl_updates_t updates;
    gap_tl_object_t o;

    ck_assert_int_eq(gap_tl_skip(in), (int64_t)in.len);
    if (gap_load32(in.data) == GAP_TL_UPDATE_SHORT) return;
    if (gap_load32(in.data) == GAP_TL_UPDATE_SHORT_MESSAGE) {
        take_short_message(c, in);
        return;
    }
    if (gap_load32(in.data) == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE) {
        take_short_chat_message(c, in);
        return;
    }
    ck_assert_int_gt(gap_tl_read(in, GAP_TL_UPDATES, &updates, sizeof updates), 0);
    gap_tl_iter_t it = gap_tl_iter(updates.updates);
    while (gap_tl_next(&it, &o) == 1) {
        read_users(c, updates.users); /* a difference in between names others */
        read_chats(c, updates.chats);
        take_update(c, o);
    }
}

/* Now and then the client sends something itself; the result goes the way of a push. */
static void send_something(struct client *c, gap_prng_t *rng)
{
    char text[32];
    int64_t channel = DC_CHANNEL_ID_FIRST + (int64_t)gap_prng_below(rng, CHANNELS);
    int64_t user = DC_USER_ID_FIRST + (int64_t)gap_prng_below(rng, 5);
    gap_tl_input_peer_channel_t to_channel = {channel, 0};
    gap_tl_input_peer_user_t to_user = {
        user, dc_model_access_hash(c->m, BOT, (dc_peer_t){DC_USER, user})};
    gap_tl_messages_send_message_t q = {0};

    snprintf(text, sizeof text, "own %u", dc_model_event_count(c->m));
    bool to_channel_too = gap_prng_below(rng, 2) == 0;
    q.peer = to_channel_too ? GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &to_channel)
                            : GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &to_user);
    q.message = gap_str(text);
    q.random_id = (int64_t)gap_prng_next(rng);
    call(c, GAP_TL_MESSAGES_SEND_MESSAGE, &q);
    ck_assert_uint_eq(c->answer.count, 1);
    gap_buf_t kept = c->answer.body;
    gap_buf_init(&c->answer.body, gap_alloc_default());
    gap_bytes_t body = gap_buf_view(&kept);
    if (gap_load32(body.data) == GAP_TL_UPDATE_SHORT_SENT_MESSAGE) {
        gap_tl_update_short_sent_message_t s;
        bool gap = false;
        ck_assert_int_gt(gap_tl_read(body, GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &s, sizeof s), 0);
        if (next_in(&c->common, s.pts, s.pts_count, &gap)) {
            deliver(c, find_event(c, DC_NEW_MESSAGE, 0, s.id));
            c->common.last_id = s.id;
            c->common.msgs[s.id].text_n = dc_model_event_count(c->m);
        } else if (gap) {
            difference(c);
        }
    } else {
        take_push(c, body);
    }
    gap_buf_fini(&kept);
}

#endif
