/*
 * dc_oracle_laws.c - what must hold for every push and every answer of the data centre, judged by
 * the lines that the ledger has by then and by nothing else. Two exceptions: access hashes are the
 * model's own, and the options tell how far a difference reaches.
 */
#include "dc_oracle.h"

/* --- looking things up in the ledger ------------------------------------------------------- */

static bool is(const struct oracle_line *l, const char *kind)
{
    return strcmp(l->kind, kind) == 0;
}

static bool names(const struct oracle_line *l, int32_t id)
{
    for (size_t i = 0; i < l->list_count; i++)
        if (l->list[i] == id) return true;
    return false;
}

static const struct oracle_line *event(const struct oracle_judge *j, uint32_t n)
{
    for (size_t i = 0; i < j->ledger->count; i++)
        if (j->ledger->lines[i].event && j->ledger->lines[i].n == n) return &j->ledger->lines[i];
    oracle_stop("event %u is not in the ledger", n);
    return NULL;
}

static int32_t date_of(const struct oracle_line *l)
{
    return (int32_t)(l->t_us / 1000000);
}

/* What the ledger says of a message when everything up to line `end` has happened. */
struct present {
    const struct oracle_line *first; /* its new_message; NULL: never was */
    const struct oracle_line *text;  /* the line whose text it has */
    bool deleted;
    bool pinned;
};

static struct present present(const struct oracle_judge *j, int64_t channel, int32_t id, size_t end)
{
    struct present p = {NULL, NULL, false, false};
    dc_box_t box = channel != 0 ? DC_BOX_CHANNEL : DC_BOX_COMMON;

    for (size_t i = 0; i < end; i++) {
        const struct oracle_line *l = &j->ledger->lines[i];
        if (!oracle_in_box(l, box, j->account, channel) || !names(l, id)) continue;
        if (is(l, "new_message")) p.first = p.text = l;
        if (is(l, "edit_message")) p.text = l;
        if (is(l, "delete_messages")) p.deleted = true;
        if (is(l, "pin")) p.pinned = l->pinned;
    }
    return p;
}

static const char *l_chat(const struct oracle_line *l)
{
    static const char *const names_of[] = {"nobody", "a user", "a group", "a channel"};
    return names_of[l->chat.type];
}

/* A message object as it must have been when lines [0, end) had happened. An update may be silent
 * about a pin, which has an update of its own; what stands for the message itself may not. */
void oracle_law_message(const struct oracle_judge *j, int64_t channel, gap_tl_object_t m,
                        size_t end, bool update)
{
    int32_t id = oracle_int(m, "id");
    struct present p = present(j, channel, id, end);
    gap_bytes_t text = oracle_bytes(m, "message");

    oracle_must(j, m.id == GAP_TL_MESSAGE, "%s instead of a message", gap_tl_name(m.id));
    oracle_must(j, p.first != NULL && !p.deleted, "message %d does not exist now", id);
    oracle_must(j, oracle_same(oracle_peer(oracle_object(m, "peer_id")), p.first->chat),
                "message %d in another chat", id);
    oracle_must(j, text.len == p.text->text_len && memcmp(text.data, p.text->text, text.len) == 0,
                "message %d reads '%.*s', not '%s'", id, (int)text.len, (const char *)text.data,
                p.text->text);
    oracle_must(j, oracle_int(m, "date") == date_of(p.first), "date of message %d", id);
    oracle_must(j, oracle_has(m, "pinned") == p.pinned || (update && p.pinned),
                "message %d: pinned is %d", id, !p.pinned);
    oracle_must(j, oracle_has(m, "edit_date") == (p.text != p.first), "message %d: edit_date", id);
    if (p.text != p.first)
        oracle_must(j, oracle_int(m, "edit_date") == date_of(p.text), "edit date of %d", id);
    dc_peer_t from = oracle_peer(oracle_object(m, "from_id"));
    if (p.first->from != 0 && !oracle_has(m, "post")) /* a broadcast's posts hide their author */
        oracle_must(j, from.type == DC_USER && from.id == p.first->from,
                    "sender of %d in %s: %d:%lld, not %lld", id, l_chat(p.first), from.type,
                    (long long)from.id, (long long)p.first->from);
    oracle_must(j, oracle_has(m, "out") == (p.first->out && p.first->from == j->account),
                "message %d: out", id);
}

/* --- pushes -------------------------------------------------------------------------------- */

static const struct {
    const char *kind;
    uint32_t common, channel;
} constructors[] = {
    {"new_message", GAP_TL_UPDATE_NEW_MESSAGE, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE},
    {"edit_message", GAP_TL_UPDATE_EDIT_MESSAGE, GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE},
    {"delete_messages", GAP_TL_UPDATE_DELETE_MESSAGES, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES},
    {"pin", GAP_TL_UPDATE_PINNED_MESSAGES, GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES},
    {"callback_query", GAP_TL_UPDATE_BOT_CALLBACK_QUERY, GAP_TL_UPDATE_BOT_CALLBACK_QUERY},
    {"status", GAP_TL_UPDATE_USER_STATUS, GAP_TL_UPDATE_USER_STATUS},
};

/* Is the update of the kind, and about what, the line tells of? Texts are another matter. */
static bool tells(gap_tl_object_t u, const struct oracle_line *l)
{
    int32_t ids[ORACLE_LIST_MAX];
    uint32_t want = 0;

    if (is(l, "qts"))
        return strcmp(gap_tl_name(u.id), l->qts) == 0 && oracle_int(u, "qts") == l->pts;
    if (is(l, "read")) {
        want = l->outbox ? GAP_TL_UPDATE_READ_HISTORY_OUTBOX : GAP_TL_UPDATE_READ_HISTORY_INBOX;
        return u.id == want && oracle_int(u, "max_id") == l->max_id &&
               oracle_same(oracle_peer(oracle_object(u, "peer")), l->chat);
    }
    for (size_t i = 0; i < sizeof constructors / sizeof *constructors; i++)
        if (is(l, constructors[i].kind))
            want = l->box == DC_BOX_CHANNEL ? constructors[i].channel : constructors[i].common;
    if (want != u.id) return false;
    if (oracle_has(u, "message")) return oracle_int(oracle_object(u, "message"), "id") == l->id;
    if (oracle_has(u, "query_id")) return oracle_long(u, "query_id") == l->query_id;
    if (is(l, "status")) return oracle_long(u, "user_id") == l->from;
    if (is(l, "pin") && oracle_has(u, "pinned") != l->pinned) return false;
    if (l->box == DC_BOX_CHANNEL && oracle_long(u, "channel_id") != l->channel) return false;
    if (is(l, "pin") && l->box == DC_BOX_COMMON &&
        !oracle_same(oracle_peer(oracle_object(u, "peer")), l->chat))
        return false;
    size_t count = oracle_ints(u, "messages", ids);
    for (size_t i = 0; i < l->list_count; i++) {
        bool there = false;
        for (size_t k = 0; k < count; k++) there = there || ids[k] == l->list[i];
        if (!there) return false;
    }
    return true;
}

static void law_pushed(const struct oracle_judge *j, gap_tl_object_t u, uint32_t n)
{
    const struct oracle_line *l = event(j, n);
    struct oracle_place p = oracle_place(u);

    oracle_must(j, tells(u, l), "event %u (%s) is not what %s tells", n, l->kind,
                gap_tl_name(u.id));
    oracle_must(j, p.box == l->box && p.channel == l->channel, "event %u in another box", n);
    if (p.box != DC_BOX_NONE)
        oracle_must(j, p.pts == l->pts && p.count == l->pts_count, "event %u: pts %d/%d", n, p.pts,
                    p.count);
    if (oracle_has(u, "message"))
        oracle_law_message(j, l->channel, oracle_object(u, "message"),
                           (size_t)(l - j->ledger->lines) + 1, true);
}

static void law_short(const struct oracle_judge *j, gap_tl_object_t o, const struct oracle_line *l)
{
    gap_bytes_t text = oracle_bytes(o, "message");
    bool in_chat = o.id == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE;
    dc_peer_type_t type = in_chat ? DC_CHAT : DC_USER;

    oracle_must(j, is(l, "new_message") && l->chat.type == type && l->box == DC_BOX_COMMON,
                "event %u in short form", l->n);
    oracle_must(j,
                oracle_int(o, "id") == l->id &&
                    oracle_long(o, in_chat ? "chat_id" : "user_id") == l->chat.id &&
                    oracle_int(o, "pts") == l->pts && oracle_int(o, "pts_count") == l->pts_count &&
                    oracle_int(o, "date") == date_of(l) && text.len == l->text_len &&
                    memcmp(text.data, l->text, text.len) == 0,
                "event %u in short form says something else", l->n);
    oracle_must(j, oracle_has(o, "out") == l->out, "event %u in short form: out", l->n);
}

void oracle_law_push(const struct oracle_judge *j, gap_bytes_t bytes, const uint32_t *ns,
                     size_t count, int seq_used)
{
    gap_tl_object_t o = oracle_whole(bytes);
    gap_tl_object_t updates[ORACLE_LIST_MAX];
    bool status = is(event(j, ns[0]), "status");
    bool unordered = false;

    oracle_must(j, status == (o.id == GAP_TL_UPDATE_SHORT), "event %u as %s", ns[0],
                gap_tl_name(o.id));
    if (status) {
        oracle_must(j, seq_used == 0, "a status used a seq");
        law_pushed(j, oracle_object(o, "update"), ns[0]);
        return;
    }
    if (o.id == GAP_TL_UPDATE_SHORT_MESSAGE || o.id == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE) {
        oracle_must(j, count == 1 && seq_used == 0, "several events in a short form");
        law_short(j, o, event(j, ns[0]));
        return;
    }
    oracle_must(j, o.id == GAP_TL_UPDATES, "pushed: %s", gap_tl_name(o.id));
    oracle_must(j, oracle_objects(o, "updates", updates) == count, "not every event in its push");
    for (size_t i = 0; i < count; i++) {
        law_pushed(j, updates[i], ns[i]);
        if (oracle_place(updates[i]).box == DC_BOX_NONE) unordered = true;
    }
    oracle_must(j, oracle_int(o, "seq") == (unordered ? j->seq + 1 : 0),
                "container seq %d after %d", oracle_int(o, "seq"), j->seq);
    oracle_must(j, seq_used == (unordered ? DC_SEQ_USED : 0), "seq used: %d", seq_used);
    oracle_law_peers(j, o);
}

/* --- what a difference contains ------------------------------------------------------------ */

struct contents {
    const struct oracle_judge *j;
    dc_box_t box;
    int64_t channel;
    bool too_long;    /* nothing but some messages may come */
    int32_t from, to; /* pts */
    int32_t qts_from, qts_to;
    gap_tl_object_t messages[ORACLE_LIST_MAX];
    gap_tl_object_t updates[ORACLE_LIST_MAX];
    size_t message_count, update_count;
};

static bool in_range(const struct contents *k, const struct oracle_line *l)
{
    if (oracle_in_box(l, k->box, k->j->account, k->channel))
        return l->pts > k->from && l->pts <= k->to;
    if (k->box == DC_BOX_COMMON && oracle_in_box(l, DC_BOX_QTS, k->j->account, 0))
        return l->pts > k->qts_from && l->pts <= k->qts_to;
    return false;
}

/* Lines of the range behind this one that an update about this one would tell as well. */
static size_t later(const struct contents *k, const struct oracle_line *l)
{
    const struct oracle_line *end = k->j->ledger->lines + k->j->ledger->count;
    size_t count = 0;

    if (!is(l, "edit_message") && !is(l, "pin")) return 0;
    for (const struct oracle_line *o = l + 1; o < end; o++)
        if (o->event && in_range(k, o) && strcmp(o->kind, l->kind) == 0 && o->id == l->id &&
            o->pinned == l->pinned)
            count++;
    return count;
}

/* Is the event's own update in the answer? Of several edits it is the last ones' that are. */
static bool contained(const struct contents *k, const struct oracle_line *l)
{
    size_t told = 0;

    for (size_t i = 0; i < k->message_count; i++)
        if (is(l, "new_message") && oracle_int(k->messages[i], "id") == l->id) told++;
    for (size_t i = 0; i < k->update_count; i++)
        if (tells(k->updates[i], l)) told++;
    return told > later(k, l);
}

/* The difference line names exactly the events whose own update is missing. */
static void law_folded(const struct contents *k, const struct oracle_line *d)
{
    const struct oracle_judge *j = k->j;

    for (size_t i = 0; i < j->ledger->count; i++) {
        const struct oracle_line *l = &j->ledger->lines[i];
        if (!l->event || !in_range(k, l)) continue;
        bool told = contained(k, l);
        bool folded = names(d, (int32_t)l->n);
        oracle_must(j, told != folded, "event %u (%s of %d) is %s", l->n, l->kind, l->id,
                    told ? "contained and folded" : "neither contained nor folded");
        if (folded && !k->too_long)
            oracle_must(j, l->box != DC_BOX_QTS && !is(l, "delete_messages"),
                        "event %u (%s) folded", l->n, l->kind);
    }
    for (size_t i = 0; i < d->list_count; i++)
        oracle_must(j, in_range(k, event(j, (uint32_t)d->list[i])), "event %d is not of the range",
                    d->list[i]);
}

/* Nothing that the range doesn't have. */
static void law_nothing_else(const struct contents *k)
{
    const struct oracle_judge *j = k->j;

    for (size_t i = 0; i < k->message_count + k->update_count; i++) {
        bool message = i < k->message_count;
        gap_tl_object_t o = message ? k->messages[i] : k->updates[i - k->message_count];
        int found = 0;
        if (o.id == GAP_TL_UPDATE_CHANNEL_TOO_LONG || o.id == GAP_TL_UPDATE_MESSAGE_ID) continue;
        for (size_t n = 0; n < j->ledger->count; n++) {
            const struct oracle_line *l = &j->ledger->lines[n];
            if (!l->event || !in_range(k, l)) continue;
            if (message ? is(l, "new_message") && l->id == oracle_int(o, "id") : tells(o, l))
                found++;
        }
        oracle_must(j, found > 0, "%s (id %d) is not of the range", gap_tl_name(o.id),
                    message ? oracle_int(o, "id") : oracle_int(oracle_object(o, "message"), "id"));
    }
}

/* Nothing about a message behind its delete; no update twice. */
static void law_order(const struct contents *k)
{
    int32_t ids[ORACLE_LIST_MAX];
    int32_t more[ORACLE_LIST_MAX];

    for (size_t i = 1; i < k->message_count; i++)
        oracle_must(k->j, oracle_int(k->messages[i - 1], "id") < oracle_int(k->messages[i], "id"),
                    "new messages out of order");
    for (size_t i = 0; i < k->update_count; i++) {
        gap_tl_object_t u = k->updates[i];
        for (size_t e = i + 1; e < k->update_count; e++)
            oracle_must(k->j, gap_tl_equal(gap_tl_bytes(u), gap_tl_bytes(k->updates[e])) == 0,
                        "%s twice", gap_tl_name(u.id));
        if (u.id != GAP_TL_UPDATE_DELETE_MESSAGES && u.id != GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES)
            continue;
        size_t count = oracle_ints(u, "messages", ids);
        for (size_t e = i + 1; e < k->update_count; e++) {
            size_t n = oracle_ints(k->updates[e], "messages", more);
            if (oracle_has(k->updates[e], "message"))
                more[n++] = oracle_int(oracle_object(k->updates[e], "message"), "id");
            for (size_t a = 0; a < count; a++)
                for (size_t b = 0; b < n; b++)
                    oracle_must(k->j, ids[a] != more[b], "%s of %d behind its delete",
                                gap_tl_name(k->updates[e].id), more[b]);
        }
    }
}

/* Positions inside a difference: no count, and the answer's own final pts. */
static void law_positions(const struct contents *k)
{
    const struct oracle_judge *j = k->j;

    for (size_t i = 0; i < k->update_count; i++) {
        gap_tl_object_t u = k->updates[i];
        if (u.id == GAP_TL_UPDATE_CHANNEL_TOO_LONG) {
            oracle_must(j, k->box == DC_BOX_COMMON, "updateChannelTooLong in a channel");
            continue;
        }
        if (u.id != GAP_TL_UPDATE_MESSAGE_ID)
            oracle_must(j, oracle_place(u).box == k->box || oracle_place(u).box == DC_BOX_QTS,
                        "%s in a difference of another box", gap_tl_name(u.id));
        oracle_must(j, oracle_int(u, "pts_count") == 0, "%s has pts_count %d", gap_tl_name(u.id),
                    oracle_int(u, "pts_count"));
        if (oracle_has(u, "pts"))
            oracle_must(j, oracle_int(u, "pts") == k->to, "%s has pts %d, not %d",
                        gap_tl_name(u.id), oracle_int(u, "pts"), k->to);
        if (k->box == DC_BOX_CHANNEL)
            oracle_must(j,
                        u.id == GAP_TL_UPDATE_MESSAGE_ID ||
                            u.id == GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE ||
                            u.id == GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES ||
                            u.id == GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES,
                        "%s in a channel's difference", gap_tl_name(u.id));
    }
}

static void law_contents(struct contents *k, gap_tl_object_t o, const struct oracle_line *d)
{
    const struct oracle_judge *j = k->j;

    k->message_count = oracle_objects(o, "new_messages", k->messages);
    k->update_count = oracle_objects(o, "other_updates", k->updates);
    for (size_t i = 0; i < k->message_count; i++)
        oracle_law_message(j, k->channel, k->messages[i], j->ledger->count, false);
    for (size_t i = 0; i < k->update_count; i++)
        if (oracle_has(k->updates[i], "message"))
            oracle_law_message(j, k->channel, oracle_object(k->updates[i], "message"),
                               j->ledger->count, true);
    law_positions(k);
    law_order(k);
    law_nothing_else(k);
    law_folded(k, d);
    oracle_law_peers(j, o);
}

static int32_t events_in(const struct contents *k, dc_box_t box)
{
    int32_t count = 0;

    for (size_t i = 0; i < k->j->ledger->count; i++) {
        const struct oracle_line *l = &k->j->ledger->lines[i];
        if (l->event && l->box == box && in_range(k, l)) count++;
    }
    return count;
}

/* The boundary of some event, or the beginning. */
static bool boundary(const struct oracle_judge *j, dc_box_t box, int64_t channel, int32_t pts)
{
    if (pts == 1) return true;
    for (size_t i = 0; i < j->ledger->count; i++)
        if (oracle_in_box(&j->ledger->lines[i], box, j->account, channel) &&
            j->ledger->lines[i].pts == pts)
            return true;
    return false;
}

/* --- updates.getDifference ----------------------------------------------------------------- */

static int32_t channel_changed(const struct oracle_judge *j, int64_t channel)
{
    int32_t date = 0;

    for (size_t i = 0; i < j->ledger->count; i++)
        if (oracle_in_box(&j->ledger->lines[i], DC_BOX_CHANNEL, 0, channel))
            date = date_of(&j->ledger->lines[i]);
    return date;
}

/* Channels that changed since the date are named, the others not. @return how many are due. */
static size_t law_named(const struct oracle_judge *j, int32_t since, bool all,
                        const struct contents *k)
{
    const struct oracle_client *c = j->client;
    size_t due = 0;

    for (size_t i = 0; i < c->channel_count; i++) {
        int64_t id = c->channels[i].id;
        int32_t changed = channel_changed(j, id);
        size_t named = 0;
        for (size_t n = 0; n < k->update_count; n++) {
            gap_tl_object_t u = k->updates[n];
            if (u.id != GAP_TL_UPDATE_CHANNEL_TOO_LONG || oracle_long(u, "channel_id") != id)
                continue;
            named++;
            if (oracle_has(u, "pts"))
                oracle_must(
                    j, oracle_int(u, "pts") == oracle_last_pts(j->ledger, DC_BOX_CHANNEL, 0, id),
                    "updateChannelTooLong with pts %d", oracle_int(u, "pts"));
        }
        bool member = dc_model_channel_pts(j->model, id) > 0 && !c->channels[i].left;
        bool is_due = member && changed != 0 && changed >= since;
        if (is_due) due++;
        oracle_must(j, named <= 1, "channel %lld named %zu times", (long long)id, named);
        oracle_must(j, named == 0 || is_due, "channel %lld named: changed at %d, asked since %d",
                    (long long)id, changed, since);
        oracle_must(j, !all || !is_due || named == 1,
                    "channel %lld not named: changed at %d, asked since %d", (long long)id, changed,
                    since);
    }
    return due;
}

static void law_state(const struct contents *k, const gap_tl_updates_get_difference_t *asked,
                      gap_tl_object_t state, bool slice)
{
    const struct oracle_judge *j = k->j;
    int32_t now = (int32_t)(j->now_us / 1000000);
    int32_t last = oracle_last_pts(j->ledger, DC_BOX_COMMON, j->account, 0);
    int32_t last_qts = oracle_last_pts(j->ledger, DC_BOX_QTS, j->account, 0);

    oracle_must(j, k->to >= k->from && k->qts_to >= k->qts_from, "a difference leads back");
    oracle_must(j, k->to <= last && k->qts_to <= last_qts, "a difference leads beyond the end");
    if (slice)
        oracle_must(j, k->to > k->from || k->qts_to > k->qts_from, "a slice without progress");
    oracle_must(j, slice == (k->to < last || k->qts_to < last_qts),
                "slice: %d, at %d of %d, %d of %d", slice, k->to, last, k->qts_to, last_qts);
    oracle_must(j, k->to == k->from || boundary(j, DC_BOX_COMMON, 0, k->to),
                "a slice ends in an event");
    oracle_must(j, oracle_int(state, "date") >= asked->date && oracle_int(state, "date") <= now,
                "date %d after %d, now %d", oracle_int(state, "date"), asked->date, now);
    oracle_must(j, slice || oracle_int(state, "date") == now, "date of the final answer");
    oracle_must(j, oracle_int(state, "seq") == j->seq, "state.seq %d, sent %d",
                oracle_int(state, "seq"), j->seq);
}

static void law_reach(const struct contents *k, const gap_tl_updates_get_difference_t *asked)
{
    const struct oracle_judge *j = k->j;
    int32_t events = events_in(k, DC_BOX_COMMON);
    int32_t qts = events_in(k, DC_BOX_QTS);

    oracle_must(j, events <= (int32_t)j->options->slice && qts <= (int32_t)j->options->slice,
                "%d and %d events in a slice of %u", events, qts, j->options->slice);
    if (asked->flags & GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_LIMIT)
        oracle_must(j, events <= asked->pts_limit, "%d events, pts_limit %d", events,
                    asked->pts_limit);
    if (asked->flags & GAP_TL_UPDATES_GET_DIFFERENCE_F_QTS_LIMIT)
        oracle_must(j, qts <= asked->qts_limit, "%d events, qts_limit %d", qts, asked->qts_limit);
}

/* updateMessageID comes again for every own message. */
static void law_random_ids(const struct contents *k)
{
    for (size_t i = 0; i < k->message_count; i++) {
        int32_t id = oracle_int(k->messages[i], "id");
        bool there = false;
        if (!oracle_has(k->messages[i], "out")) continue;
        for (size_t u = 0; u < k->update_count; u++)
            there = there || (k->updates[u].id == GAP_TL_UPDATE_MESSAGE_ID &&
                              oracle_int(k->updates[u], "id") == id);
        oracle_must(k->j, there, "no updateMessageID for the own message %d", id);
    }
}

/* The ledger's lines of this answer: one for each box that it led on. */
static void law_lines(const struct contents *k, struct oracle_line *common)
{
    const struct oracle_judge *j = k->j;
    bool seen[2] = {false, false};

    memset(common, 0, sizeof *common);
    for (size_t i = j->ledger->count; i > 0 && is(&j->ledger->lines[i - 1], "difference"); i--) {
        const struct oracle_line *d = &j->ledger->lines[i - 1];
        bool qts = d->box == DC_BOX_QTS;
        if (d->account != j->account || j->ledger->count - i == 2 || seen[qts]) break;
        if (!qts && d->box != DC_BOX_COMMON) break;
        if (d->from != (qts ? k->qts_from : k->from) || d->to != (qts ? k->qts_to : k->to)) break;
        seen[qts] = true;
        if (!qts) *common = *d;
    }
    seen[0] = seen[0] || k->to == k->from;
    seen[1] = seen[1] || k->qts_to == k->qts_from;
    oracle_must(j, seen[0] && seen[1], "the ledger's lines of %d to %d, qts %d to %d", k->from,
                k->to, k->qts_from, k->qts_to);
}

void oracle_law_difference(const struct oracle_judge *j,
                           const gap_tl_updates_get_difference_t *asked, gap_bytes_t bytes)
{
    static struct contents k;
    gap_tl_object_t o = oracle_whole(bytes);
    struct oracle_line common;
    int32_t last = oracle_last_pts(j->ledger, DC_BOX_COMMON, j->account, 0);
    int32_t last_qts = oracle_last_pts(j->ledger, DC_BOX_QTS, j->account, 0);
    bool limited = asked->flags & GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_TOTAL_LIMIT;
    bool far = last - asked->pts > (int32_t)j->options->difference_max ||
               (limited && asked->pts + asked->pts_total_limit < last);

    oracle_must(j, far == (o.id == GAP_TL_UPDATES_DIFFERENCE_TOO_LONG), "%s: at %d of %d, limit %d",
                gap_tl_name(o.id), asked->pts, last, limited ? asked->pts_total_limit : -1);
    if (far) {
        oracle_must(j, oracle_int(o, "pts") == last, "too long: pts %d of %d", oracle_int(o, "pts"),
                    last);
        k = (struct contents){.j = j, .box = DC_BOX_COMMON, .too_long = true};
        k.from = asked->pts;
        k.to = last;
        k.qts_from = k.qts_to = asked->qts;
        law_lines(&k, &common);
        law_folded(&k, &common);
        return;
    }
    k = (struct contents){.j = j, .box = DC_BOX_COMMON};
    if (o.id == GAP_TL_UPDATES_DIFFERENCE_EMPTY) {
        oracle_must(j, asked->pts == last && asked->qts == last_qts, "empty at %d of %d, %d of %d",
                    asked->pts, last, asked->qts, last_qts);
        oracle_must(j, law_named(j, asked->date, true, &k) == 0, "empty, but channels changed");
        oracle_must(j, oracle_int(o, "date") == (int32_t)(j->now_us / 1000000), "date of empty");
        oracle_must(j, oracle_int(o, "seq") == j->seq, "seq of empty");
        return;
    }
    bool slice = o.id == GAP_TL_UPDATES_DIFFERENCE_SLICE;
    gap_tl_object_t state = oracle_object(o, slice ? "intermediate_state" : "state");
    oracle_must(j, state.data != NULL, "%s as a difference", gap_tl_name(o.id));
    k.from = asked->pts;
    k.to = oracle_int(state, "pts");
    k.qts_from = asked->qts;
    k.qts_to = oracle_int(state, "qts");
    law_state(&k, asked, state, slice);
    law_lines(&k, &common);
    law_contents(&k, o, &common);
    law_reach(&k, asked);
    law_random_ids(&k);
    size_t due = law_named(j, asked->date, !slice || oracle_int(state, "date") != asked->date, &k);
    oracle_must(j, due > 0 || slice || k.to > k.from || k.qts_to > k.qts_from,
                "a difference of nothing instead of an empty one");
}

/* --- updates.getChannelDifference ---------------------------------------------------------- */

static void law_dialog(const struct oracle_judge *j, int64_t channel, gap_tl_object_t o)
{
    gap_tl_object_t dialog = oracle_object(o, "dialog");
    gap_tl_object_t list[ORACLE_LIST_MAX];
    size_t count = oracle_objects(o, "messages", list);
    int32_t top = 0;
    bool there = false;

    oracle_must(j, dialog.id == GAP_TL_DIALOG, "too long without a dialog");
    oracle_must(j,
                oracle_int(dialog, "pts") == oracle_last_pts(j->ledger, DC_BOX_CHANNEL, 0, channel),
                "dialog.pts");
    oracle_must(j, oracle_peer(oracle_object(dialog, "peer")).id == channel, "another dialog");
    for (size_t i = 0; i < j->ledger->count; i++) {
        const struct oracle_line *l = &j->ledger->lines[i];
        if (oracle_in_box(l, DC_BOX_CHANNEL, 0, channel) && is(l, "new_message") &&
            !present(j, channel, l->id, j->ledger->count).deleted)
            top = l->id;
    }
    oracle_must(j, oracle_int(dialog, "top_message") == top, "top_message %d, not %d",
                oracle_int(dialog, "top_message"), top);
    for (size_t i = 0; i < count; i++) {
        oracle_law_message(j, channel, list[i], j->ledger->count, false);
        there = there || oracle_int(list[i], "id") == top;
    }
    oracle_must(j, there || top == 0, "the top message is missing");
    oracle_law_peers(j, o);
}

void oracle_law_channel_difference(const struct oracle_judge *j, int64_t channel, int32_t pts,
                                   int32_t limit, gap_bytes_t bytes)
{
    static struct contents k;
    gap_tl_object_t o = oracle_whole(bytes);
    const struct oracle_line *d = &j->ledger->lines[j->ledger->count - 1];
    int32_t last = oracle_last_pts(j->ledger, DC_BOX_CHANNEL, 0, channel);
    bool far = pts + limit < last || last - pts > (int32_t)j->options->channel_diff_max;

    oracle_must(j, far == (o.id == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG),
                "%s: at %d of %d, limit %d", gap_tl_name(o.id), pts, last, limit);
    if (far) {
        law_dialog(j, channel, o);
        k = (struct contents){.j = j, .box = DC_BOX_CHANNEL, .channel = channel, .too_long = true};
        k.from = pts;
        k.to = last;
        k.message_count = oracle_objects(o, "messages", k.messages);
        oracle_must(j, d->from == pts && d->to == last && d->channel == channel,
                    "the ledger's line of too long");
        law_folded(&k, d);
        return;
    }
    bool empty = o.id == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY;
    oracle_must(j, empty == (pts == last), "%s at %d of %d", gap_tl_name(o.id), pts, last);
    k = (struct contents){.j = j, .box = DC_BOX_CHANNEL, .channel = channel, .from = pts};
    k.to = oracle_int(o, "pts");
    oracle_must(j, oracle_has(o, "final") == (k.to == last), "final at %d of %d", k.to, last);
    oracle_must(j, k.to <= last && (empty || k.to > pts), "from %d to %d of %d", pts, k.to, last);
    if (empty) return;
    oracle_must(j, boundary(j, DC_BOX_CHANNEL, channel, k.to), "a slice ends in an event");
    oracle_must(j,
                is(d, "difference") && d->box == DC_BOX_CHANNEL && d->channel == channel &&
                    d->account == j->account && d->from == k.from && d->to == k.to,
                "the ledger's line");
    law_contents(&k, o, d);
    oracle_must(j,
                events_in(&k, DC_BOX_CHANNEL) <= (int32_t)j->options->channel_slice &&
                    events_in(&k, DC_BOX_CHANNEL) <= limit,
                "%d events in a slice of %u, limit %d", events_in(&k, DC_BOX_CHANNEL),
                j->options->channel_slice, limit);
    law_random_ids(&k);
}

/* --- results of calls ---------------------------------------------------------------------- */

void oracle_law_result(const struct oracle_judge *j, gap_bytes_t bytes, uint32_t first_n,
                       uint32_t count)
{
    gap_tl_object_t o = oracle_whole(bytes);
    gap_tl_object_t updates[ORACLE_LIST_MAX];
    size_t update_count = oracle_objects(o, "updates", updates);
    uint32_t told = 0;

    oracle_must(j, o.id == GAP_TL_UPDATES && oracle_int(o, "seq") == 0, "%s as a result",
                gap_tl_name(o.id));
    oracle_law_peers(j, o);
    for (size_t i = 0; i < update_count; i++) {
        struct oracle_place p = oracle_place(updates[i]);
        if (p.box == DC_BOX_NONE || p.count == 0) continue;
        for (uint32_t n = first_n; n < first_n + count; n++)
            if (tells(updates[i], event(j, n))) {
                law_pushed(j, updates[i], n);
                told++;
            }
    }
    for (uint32_t n = first_n; n < first_n + count; n++)
        if (!dc_model_receives(j->model, n, j->account)) told++;
    oracle_must(j, told == count, "a result tells of %u of %u events", told, count);
}

void oracle_law_short_result(const struct oracle_judge *j, gap_tl_object_t o, uint32_t first_n,
                             uint32_t count)
{
    oracle_must(j, count <= 1, "%s for %u events", gap_tl_name(o.id), count);
    if (count == 0) {
        oracle_must(j, oracle_int(o, "pts_count") == 0, "nothing happened, but pts_count");
        return;
    }
    const struct oracle_line *l = event(j, first_n);
    oracle_must(j, oracle_int(o, "pts") == l->pts && oracle_int(o, "pts_count") == l->pts_count,
                "%s: pts %d/%d", gap_tl_name(o.id), oracle_int(o, "pts"),
                oracle_int(o, "pts_count"));
    if (o.id == GAP_TL_UPDATE_SHORT_SENT_MESSAGE)
        oracle_must(j, oracle_int(o, "id") == l->id && oracle_int(o, "date") == date_of(l),
                    "updateShortSentMessage of another message");
}
