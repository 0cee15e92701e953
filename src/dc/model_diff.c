/*
 * dc/model_diff.c - updates.getState, updates.getDifference, updates.getChannelDifference.
 *
 * A difference is made from the part of a log behind the caller's position, but shows the present:
 *   - a message comes once, with its present text, and not at all if it is deleted by now;
 *   - an edit comes only if it is the last one of a message that is still there and that does not
 *     itself come in this answer; a read or a pin only if it is the last of its chat or message;
 *   - what does not come for these reasons is folded, and the answer says so to the ledger;
 *   - messages stand before other updates; what lies in the box carries pts_count 0 and the pts
 *     that the answer leads to; qts events keep their own qts.
 * Channels that changed since the caller's date are named by the last answer of a series of slices.
 *
 * Never: changes anything.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <string.h>

#define TOO_LONG_MESSAGES 10  /* newest messages in channelDifferenceTooLong */
#define PERSON_LIMIT      100 /* of getChannelDifference; bots may ask for more */

/** The part of a log that an answer covers: events first..end, leading from pts `from` to `to`. */
struct window {
    const struct dc_log *log;
    uint32_t first;
    uint32_t end;
    int32_t from;
    int32_t to;
};

static void put_state(dc_writer_t *w, int32_t pts, int32_t qts, int32_t date, int32_t seq)
{
    dc_put32(w, GAP_TL_UPDATES_STATE);
    dc_put32(w, (uint32_t)pts);
    dc_put32(w, (uint32_t)qts);
    dc_put32(w, (uint32_t)date);
    dc_put32(w, (uint32_t)seq);
    dc_put32(w, 0); /* unread_count */
}

int dc_get_state(dc_call_t *c)
{
    const struct dc_account *a = &c->m->accounts[c->account];
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    put_state(&w, a->common.pts, a->qts.pts, dc_date(c->now_us), c->view->seq);
    return dc_writer_end(&w);
}

/* --- folding ------------------------------------------------------------------------------- */

/** Does the answer bring this event's message? What was before a reset is in no log any more. */
static bool brings(const dc_model_t *m, const struct window *win, uint32_t n)
{
    int32_t pts = dc_rec_at(m, n)->pts;

    return pts > win->from && pts <= win->to && n >= win->log->ns[win->first];
}

/** Is the event's own update left out of an answer over this window? */
static bool folds(dc_model_t *m, const struct window *win, uint32_t n)
{
    const struct dc_rec *rec = dc_rec_at(m, n);
    const struct dc_msg *msg;

    if (rec->chat == DC_NONE) return false; /* messages of several chats deleted at once */
    const struct dc_chat *chat = &m->chats[rec->chat];
    switch ((dc_kind_t)rec->kind) {
    case DC_NEW_MESSAGE:
        return dc_msg_at(dc_store_of(m, chat), rec->id)->del_n != 0;
    case DC_EDIT_MESSAGE:
        msg = dc_msg_at(dc_store_of(m, chat), rec->id);
        return msg->del_n != 0 || msg->edit_n != n || brings(m, win, msg->new_n);
    case DC_PIN:
        msg = dc_msg_at(dc_store_of(m, chat), rec->id);
        return msg->del_n != 0 || msg->pin_n != n;
    case DC_READ:
        return n != ((rec->flags & DC_R_OUTBOX) != 0 ? chat->read_out_n : chat->read_in_n);
    default:
        return false;
    }
}

static int note_folded(dc_call_t *c, uint32_t n)
{
    dc_answer_t *a = c->answer;
    int r = dc_grow(c->m->alloc, (void **)&a->folded, &a->folded_cap, a->folded_count,
                    sizeof *a->folded);

    if (r == 0) a->folded[a->folded_count++] = n;
    return r;
}

static int note_window(dc_call_t *c, const struct window *win)
{
    int r = 0;

    for (uint32_t i = win->first; i < win->end && r == 0; i++) {
        if (folds(c->m, win, win->log->ns[i])) r = note_folded(c, win->log->ns[i]);
    }
    return r;
}

static void add_range(dc_answer_t *a, dc_box_t box, int64_t channel, int32_t from, int32_t to)
{
    dc_range_t range = {box, channel, from, to};

    a->ranges[a->range_count++] = range;
}

/** New messages of the window; the vector. */
static void put_new_messages(dc_writer_t *w, const struct window *win)
{
    dc_model_t *m = w->m;
    uint32_t count = 0;
    size_t at = dc_vector_begin(w);

    for (uint32_t i = win->first; i < win->end; i++) {
        uint32_t n = win->log->ns[i];
        const struct dc_rec *rec = dc_rec_at(m, n);
        if (rec->kind != DC_NEW_MESSAGE || folds(m, win, n)) continue;
        const struct dc_msg *msg = dc_msg_at(dc_store_of(m, &m->chats[rec->chat]), rec->id);
        dc_put_message(w, n, dc_msg_text_n(msg), msg->pin_n);
        count++;
    }
    dc_vector_end(w, at, count);
}

/** updateMessageID for the account's own messages of the window. @return how many. */
static uint32_t put_message_ids(dc_writer_t *w, const struct window *win)
{
    dc_model_t *m = w->m;
    uint32_t count = 0;

    for (uint32_t i = win->first; i < win->end; i++) {
        uint32_t n = win->log->ns[i];
        const struct dc_rec *rec = dc_rec_at(m, n);
        if (rec->kind != DC_NEW_MESSAGE || rec->from != m->options.users + w->account) continue;
        if ((rec->flags & DC_R_STORED) == 0 || folds(m, win, n)) continue;
        const struct dc_text *text = rec->blob;
        if (text->random_id == 0) continue;
        dc_put_message_id(w, rec->id, text->random_id);
        count++;
    }
    return count;
}

/** One event as it stands in other_updates; new messages stand elsewhere. @return 1 if it does. */
static uint32_t put_other(dc_writer_t *w, const struct window *win, uint32_t n)
{
    if (dc_rec_at(w->m, n)->kind == DC_NEW_MESSAGE || folds(w->m, win, n)) return 0;
    dc_put_update(w, n, win->to, 0);
    return 1;
}

/* --- updates.getDifference ----------------------------------------------------------------- */

struct difference {
    struct window pts;
    struct window qts;
    int32_t date;
    bool slice; /* more is to come */
};

/** How far an answer goes: the oldest events first, up to the limits. */
static void cut_slice(dc_model_t *m, struct difference *d, uint32_t pts_limit, uint32_t qts_limit)
{
    struct window *p = &d->pts;
    struct window *q = &d->qts;

    for (uint32_t left = m->options.slice; left > 0; left--) {
        bool more_p = p->end < p->log->count && p->end - p->first < pts_limit;
        bool more_q = q->end < q->log->count && q->end - q->first < qts_limit;
        if (!more_p && !more_q) break;
        if (more_p && (!more_q || p->log->ns[p->end] < q->log->ns[q->end]))
            p->end++;
        else
            q->end++;
    }
    d->slice = p->end < p->log->count || q->end < q->log->count;
    if (p->end == p->log->count)
        p->to = p->log->pts;
    else if (p->end > p->first)
        p->to = dc_rec_at(m, p->log->ns[p->end - 1])->pts;
    if (q->end == q->log->count)
        q->to = q->log->pts;
    else if (q->end > q->first)
        q->to = dc_rec_at(m, q->log->ns[q->end - 1])->pts;
}

static bool channel_changed(const dc_call_t *c, const struct dc_chat *chat, int32_t date)
{
    return chat->log.count > 0 && chat->last_date >= date && dc_is_member(chat, c->account);
}

/** updateChannelTooLong for what changed since `date`. @return how many. */
static uint32_t put_changed_channels(const dc_call_t *c, dc_writer_t *w, int32_t date)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->m->options.channels; i++) {
        if (!channel_changed(c, &c->m->chats[i], date)) continue;
        dc_put_too_long(w, i);
        count++;
    }
    return count;
}

static bool nothing_new(const dc_call_t *c, const struct difference *d)
{
    if (d->pts.from != d->pts.log->pts || d->qts.from != d->qts.log->pts) return false;
    for (uint32_t i = 0; i < c->m->options.channels; i++) {
        if (channel_changed(c, &c->m->chats[i], d->date)) return false;
    }
    return true;
}

static void put_other_updates(const dc_call_t *c, dc_writer_t *w, const struct difference *d)
{
    const struct window *p = &d->pts;
    const struct window *q = &d->qts;
    size_t at = dc_vector_begin(w);
    uint32_t count = put_message_ids(w, p);
    uint32_t k = q->first;

    for (uint32_t i = p->first; i < p->end; i++) {
        for (; k < q->end && q->log->ns[k] < p->log->ns[i]; k++)
            count += put_other(w, q, q->log->ns[k]);
        count += put_other(w, p, p->log->ns[i]);
    }
    for (; k < q->end; k++) count += put_other(w, q, q->log->ns[k]);
    if (!d->slice) count += put_changed_channels(c, w, d->date);
    dc_vector_end(w, at, count);
}

static int answer_difference(dc_call_t *c, const struct difference *d)
{
    dc_writer_t w;
    int32_t date = dc_date(c->now_us);

    int r = note_window(c, &d->pts);
    if (r < 0) return r;
    add_range(c->answer, DC_BOX_COMMON, 0, d->pts.from, d->pts.to);
    if (d->qts.from != d->qts.to) add_range(c->answer, DC_BOX_QTS, 0, d->qts.from, d->qts.to);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    if (!d->slice && nothing_new(c, d)) {
        dc_put32(&w, GAP_TL_UPDATES_DIFFERENCE_EMPTY);
        dc_put32(&w, (uint32_t)date);
        dc_put32(&w, (uint32_t)c->view->seq);
        return dc_writer_end(&w);
    }
    dc_put32(&w, d->slice ? GAP_TL_UPDATES_DIFFERENCE_SLICE : GAP_TL_UPDATES_DIFFERENCE);
    put_new_messages(&w, &d->pts);
    dc_put32(&w, GAP_TL_VECTOR); /* new_encrypted_messages */
    dc_put32(&w, 0);
    put_other_updates(c, &w, d);
    dc_put_chats(&w);
    dc_put_users(&w);
    /* The date moves with the last slice only: it is what tells which channels changed. */
    put_state(&w, d->pts.to, d->qts.to, d->slice ? d->date : date, c->view->seq);
    return dc_writer_end(&w);
}

static int answer_too_long(dc_call_t *c, const struct difference *d)
{
    dc_writer_t w;
    int r = 0;

    for (uint32_t i = d->pts.first; i < d->pts.log->count && r == 0; i++)
        r = note_folded(c, d->pts.log->ns[i]);
    if (r < 0) return r;
    add_range(c->answer, DC_BOX_COMMON, 0, d->pts.from, d->pts.log->pts);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES_DIFFERENCE_TOO_LONG);
    dc_put32(&w, (uint32_t)d->pts.log->pts);
    return dc_writer_end(&w);
}

static void open_window(const dc_call_t *c, struct window *win, const struct dc_log *log,
                        int32_t from)
{
    win->log = log;
    win->from = from;
    win->to = from;
    win->first = dc_log_after(c->m, log, from);
    win->end = win->first;
}

static uint32_t limit_of(uint32_t flags, uint32_t bit, int32_t limit)
{
    if ((flags & bit) == 0) return UINT32_MAX;
    return limit < 0 ? 0 : (uint32_t)limit;
}

int dc_get_difference(dc_call_t *c)
{
    const struct dc_account *a = &c->m->accounts[c->account];
    gap_tl_updates_get_difference_t q;
    struct difference d;

    if (gap_tl_read(c->method, GAP_TL_UPDATES_GET_DIFFERENCE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    if (q.pts <= 0) return dc_fail(c, 400, "PERSISTENT_TIMESTAMP_EMPTY");
    if (q.date <= 0) return dc_fail(c, 400, "DATE_EMPTY");
    d.date = q.date;
    open_window(c, &d.pts, &a->common, q.pts);
    /* No qts yet: there is nothing to catch up with, the state tells where it begins. */
    open_window(c, &d.qts, &a->qts, q.qts <= 0 ? a->qts.pts : q.qts);
    uint32_t behind = q.pts < a->common.pts ? (uint32_t)(a->common.pts - q.pts) : 0;
    if (behind > c->m->options.difference_max ||
        behind >
            limit_of(q.flags, GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_TOTAL_LIMIT, q.pts_total_limit))
        return answer_too_long(c, &d);
    cut_slice(c->m, &d, limit_of(q.flags, GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_LIMIT, q.pts_limit),
              limit_of(q.flags, GAP_TL_UPDATES_GET_DIFFERENCE_F_QTS_LIMIT, q.qts_limit));
    return answer_difference(c, &d);
}

/* --- updates.getChannelDifference ---------------------------------------------------------- */

static int answer_channel_empty(dc_call_t *c, const struct window *win)
{
    dc_writer_t w;

    add_range(c->answer, DC_BOX_CHANNEL, c->answer->channel, win->from, win->log->pts);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY);
    dc_put32(&w, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL |
                     GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_TIMEOUT);
    dc_put32(&w, (uint32_t)win->log->pts);
    dc_put32(&w, c->m->options.timeout_s);
    return dc_writer_end(&w);
}

static int answer_channel_difference(dc_call_t *c, struct window *win)
{
    uint32_t rest = win->log->count - win->first;
    bool final = rest <= c->m->options.channel_slice;
    dc_writer_t w;

    win->end = win->first + (final ? rest : c->m->options.channel_slice);
    win->to = dc_rec_at(c->m, win->log->ns[win->end - 1])->pts;
    int r = note_window(c, win);
    if (r < 0) return r;
    add_range(c->answer, DC_BOX_CHANNEL, c->answer->channel, win->from, win->to);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES_CHANNEL_DIFFERENCE);
    dc_put32(&w, (final ? GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL : 0) |
                     GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_TIMEOUT);
    dc_put32(&w, (uint32_t)win->to);
    dc_put32(&w, c->m->options.timeout_s);
    put_new_messages(&w, win);
    size_t at = dc_vector_begin(&w);
    uint32_t count = put_message_ids(&w, win);
    for (uint32_t i = win->first; i < win->end; i++) count += put_other(&w, win, win->log->ns[i]);
    dc_vector_end(&w, at, count);
    dc_see_chat(&w, dc_channel_index(c->m, c->answer->channel));
    dc_put_chats(&w);
    dc_put_users(&w);
    return dc_writer_end(&w);
}

/** Everything of the range is folded but the messages that come along. */
static int note_too_long(dc_call_t *c, const struct window *win, int32_t oldest)
{
    int r = 0;

    for (uint32_t i = win->first; i < win->log->count && r == 0; i++) {
        uint32_t n = win->log->ns[i];
        const struct dc_rec *rec = dc_rec_at(c->m, n);
        if (rec->kind == DC_NEW_MESSAGE && rec->id >= oldest && !folds(c->m, win, n)) continue;
        r = note_folded(c, n);
    }
    return r;
}

static int answer_channel_too_long(dc_call_t *c, uint32_t index, const struct window *win)
{
    const struct dc_store *store = &c->m->chats[index].store;
    int32_t oldest = INT32_MAX;
    uint32_t count = 0;
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG);
    dc_put32(&w, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG_F_FINAL |
                     GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG_F_TIMEOUT);
    dc_put32(&w, c->m->options.timeout_s);
    dc_put_dialog(&w, index);
    size_t at = dc_vector_begin(&w);
    for (int32_t id = (int32_t)store->count; id > 0 && count < TOO_LONG_MESSAGES; id--) {
        if (store->msgs[id - 1].del_n != 0) continue;
        dc_put_message_now(&w, store, id);
        oldest = id;
        count++;
    }
    dc_vector_end(&w, at, count);
    dc_put_chats(&w);
    dc_put_users(&w);
    add_range(c->answer, DC_BOX_CHANNEL, c->answer->channel, win->from, win->log->pts);
    int r = note_too_long(c, win, oldest);
    return r < 0 ? r : dc_writer_end(&w);
}

int dc_get_channel_difference(dc_call_t *c)
{
    gap_tl_updates_get_channel_difference_t q;
    struct window win;
    uint32_t index;

    if (gap_tl_read(c->method, GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_channel(c, q.channel, &index);
    if (r != 0) return r;
    if (q.pts <= 0) return dc_fail(c, 400, "PERSISTENT_TIMESTAMP_EMPTY");
    if (q.limit <= 0) return dc_fail(c, 400, "LIMIT_INVALID");
    struct dc_chat *chat = &c->m->chats[index];
    open_window(c, &win, &chat->log, q.pts);
    /* Behind, but nothing has happened since the box began anew. */
    if (q.pts >= chat->log.pts || win.first == chat->log.count)
        return answer_channel_empty(c, &win);
    uint32_t behind = (uint32_t)(chat->log.pts - q.pts);
    win.to = chat->log.pts;
    int32_t limit =
        c->m->accounts[c->account].bot || q.limit < PERSON_LIMIT ? q.limit : PERSON_LIMIT;
    if (behind > (uint32_t)limit || behind > c->m->options.channel_diff_max)
        return answer_channel_too_long(c, index, &win);
    return answer_channel_difference(c, &win);
}
