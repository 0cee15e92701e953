/*
 * dc_oracle_client.c - a naive client: it eats the bytes that the data centre gives it, in the
 * order in which they come, and keeps a book.
 *
 * A pushed update that is not the next one of its box is put on one list; the list is tried again
 * from its start whenever anything has moved. What a difference brings is believed without a look
 * at its pts; then the state is set. Time is not known here: when a difference is asked for is the
 * test's business. `date` is taken from differences alone, because a container's may be ahead of
 * a channel's message that got lost.
 */
#include "dc_oracle.h"

static void take(struct oracle_client *c, gap_tl_object_t u);
static void retry(struct oracle_client *c);

void oracle_client_fini(struct oracle_client *c)
{
    for (size_t i = 0; i < c->held_count; i++) free(c->held[i].data);
    free(c->held);
    free(c->seqs);
    free(c->users);
    oracle_book_fini(&c->book);
    memset(c, 0, sizeof *c);
}

struct oracle_channel *oracle_client_channel(struct oracle_client *c, int64_t id)
{
    for (size_t i = 0; i < c->channel_count; i++)
        if (c->channels[i].id == id) return &c->channels[i];
    oracle_stop("channel %lld is not one of the account's", (long long)id);
    return NULL;
}

static void learn_users(struct oracle_client *c, gap_tl_object_t o)
{
    gap_tl_object_t users[ORACLE_LIST_MAX];
    size_t count = oracle_objects(o, "users", users);

    for (size_t i = 0; i < count; i++) {
        c->users = oracle_grow(c->users, c->user_count, &c->user_cap, sizeof *c->users);
        c->users[c->user_count++] = oracle_long(users[i], "id");
    }
}

static bool knows_user(const struct oracle_client *c, int64_t id)
{
    for (size_t i = 0; i < c->user_count; i++)
        if (c->users[i] == id) return true;
    return false;
}

/* --- what an update does to the book ------------------------------------------------------- */

static void apply_message(struct oracle_client *c, gap_tl_object_t m, bool is_new)
{
    dc_peer_t chat = oracle_peer(oracle_object(m, "peer_id"));
    int32_t id = oracle_int(m, "id");
    gap_bytes_t text = oracle_bytes(m, "message");

    if (m.id == GAP_TL_MESSAGE_EMPTY) return;
    oracle_check(chat.type != DC_NOBODY);
    if (is_new)
        oracle_book_new(&c->book, chat, id, text);
    else
        oracle_book_text(&c->book, chat, id, text);
    /* What was pinned before the client's time is known to it by chance only: not from edits. */
    if (is_new && oracle_has(m, "pinned")) oracle_book_pin(&c->book, chat, id, true);
}

static void apply_list(struct oracle_client *c, gap_tl_object_t u, dc_peer_t chat, bool pin)
{
    int32_t ids[ORACLE_LIST_MAX];
    size_t count = oracle_ints(u, "messages", ids);

    for (size_t i = 0; i < count; i++) {
        if (pin)
            oracle_book_pin(&c->book, chat, ids[i], oracle_has(u, "pinned"));
        else
            oracle_book_delete(&c->book, chat.id, ids[i]);
    }
}

static void apply_too_long(struct oracle_client *c, gap_tl_object_t u)
{
    struct oracle_channel *ch = oracle_client_channel(c, oracle_long(u, "channel_id"));

    if (ch->left) return;
    if (!oracle_has(u, "pts") || oracle_int(u, "pts") > ch->pts) ch->need = true;
}

static void apply(struct oracle_client *c, gap_tl_object_t u)
{
    dc_peer_t channel = {DC_CHANNEL, oracle_long(u, "channel_id")};
    dc_peer_t common = {DC_NOBODY, 0};
    dc_peer_t peer = oracle_peer(oracle_object(u, "peer"));

    switch (u.id) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        apply_message(c, oracle_object(u, "message"), true);
        return;
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        apply_message(c, oracle_object(u, "message"), false);
        return;
    case GAP_TL_UPDATE_DELETE_MESSAGES:
        apply_list(c, u, common, false);
        return;
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        apply_list(c, u, channel, false);
        return;
    case GAP_TL_UPDATE_PINNED_MESSAGES:
        apply_list(c, u, peer, true);
        return;
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
        apply_list(c, u, channel, true);
        return;
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
        oracle_book_read(&c->book, peer, u.id == GAP_TL_UPDATE_READ_HISTORY_OUTBOX,
                         oracle_int(u, "max_id"));
        return;
    case GAP_TL_UPDATE_READ_CHANNEL_INBOX:
    case GAP_TL_UPDATE_READ_CHANNEL_OUTBOX:
        oracle_book_read(&c->book, channel, u.id == GAP_TL_UPDATE_READ_CHANNEL_OUTBOX,
                         oracle_int(u, "max_id"));
        return;
    case GAP_TL_UPDATE_CHANNEL_TOO_LONG:
        apply_too_long(c, u);
        return;
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        oracle_book_query(&c->book, oracle_long(u, "query_id"));
        return;
    case GAP_TL_UPDATE_MESSAGE_ID:
    case GAP_TL_UPDATE_USER_STATUS:
        return;
    default:
        oracle_check_msg(oracle_has(u, "qts"), "%s was not asked for", gap_tl_name(u.id));
        oracle_book_qts(&c->book, oracle_int(u, "qts"), gap_tl_name(u.id));
    }
}

/* --- the order of what is pushed ----------------------------------------------------------- */

static void hold(struct oracle_client *c, gap_tl_object_t u)
{
    struct oracle_held h = {malloc(u.len), u.len};

    memcpy(h.data, u.data, u.len);
    c->held = oracle_grow(c->held, c->held_count, &c->held_cap, sizeof *c->held);
    c->held[c->held_count++] = h;
}

/* The local value of the box, and whether it is being fetched in slices right now. */
static int32_t *local(struct oracle_client *c, struct oracle_place p, bool *busy)
{
    if (p.box == DC_BOX_CHANNEL) {
        struct oracle_channel *ch = oracle_client_channel(c, p.channel);
        *busy = false;
        return &ch->pts;
    }
    *busy = c->chain;
    return p.box == DC_BOX_QTS ? &c->qts : &c->pts;
}

/* A pushed update: apply, forget or hold it. @return false: it has to wait. */
static bool judge(struct oracle_client *c, gap_tl_object_t u)
{
    struct oracle_place p = oracle_place(u);
    bool busy;

    if (p.box == DC_BOX_NONE || u.id == GAP_TL_UPDATE_CHANNEL_TOO_LONG ||
        u.id == GAP_TL_UPDATE_READ_CHANNEL_INBOX) {
        apply(c, u);
        return true;
    }
    int32_t *at = local(c, p, &busy);
    if (p.box == DC_BOX_CHANNEL && oracle_client_channel(c, p.channel)->left) return true;
    if (p.box == DC_BOX_CHANNEL && *at == 0)
        *at = oracle_client_channel(c, p.channel)->base = p.pts - p.count;
    if (*at + p.count > p.pts) return true;
    if (busy || *at + p.count < p.pts) return false;
    /* A count of 0 tells again of what was known: the answer to a send that was repeated. */
    if (p.count == 0)
        apply_message(c, oracle_object(u, "message"), false);
    else
        apply(c, u);
    *at = p.pts;
    return true;
}

static void take(struct oracle_client *c, gap_tl_object_t u)
{
    if (judge(c, u))
        retry(c);
    else
        hold(c, u);
}

static void retry(struct oracle_client *c)
{
    for (size_t i = 0; i < c->held_count;) {
        struct oracle_held h = c->held[i];
        if (!judge(c, oracle_whole(gap_bytes(h.data, h.len)))) {
            i++;
            continue;
        }
        free(h.data);
        memmove(&c->held[i], &c->held[i + 1], (c->held_count - i - 1) * sizeof h);
        c->held_count--;
        i = 0;
    }
}

static void take_container(struct oracle_client *c, gap_tl_object_t o)
{
    gap_tl_object_t updates[ORACLE_LIST_MAX];
    size_t count = oracle_objects(o, "updates", updates);
    int32_t seq = oracle_int(o, "seq");
    bool seen = false;

    learn_users(c, o);
    for (size_t i = 0; i < c->seq_count; i++)
        if (seq != 0 && c->seqs[i] == seq) seen = true;
    if (seq != 0 && !seen) {
        c->seqs = oracle_grow(c->seqs, c->seq_count, &c->seq_cap, sizeof *c->seqs);
        c->seqs[c->seq_count++] = seq;
        if (seq > c->seq + 1) c->need = true;
        if (seq == c->seq + 1) c->seq = seq;
    }
    for (size_t i = 0; i < count; i++)
        if (!seen || oracle_place(updates[i]).box != DC_BOX_NONE) take(c, updates[i]);
}

/* --- the short forms ----------------------------------------------------------------------- */

/* As if it had come as updateNewMessage. */
static void take_short(struct oracle_client *c, gap_tl_object_t o, dc_peer_t chat, int64_t from,
                       gap_bytes_t text)
{
    gap_tl_peer_user_t sender = {from};
    gap_tl_peer_user_t peer = {chat.id}; /* peerChat has the same shape */
    gap_tl_message_t m = {
        .flags = GAP_TL_MESSAGE_F_FROM_ID | (oracle_has(o, "out") ? GAP_TL_MESSAGE_F_OUT : 0),
        .id = oracle_int(o, "id"),
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &sender),
        .peer_id = GAP_TL_OF(chat.type == DC_CHAT ? GAP_TL_PEER_CHAT : GAP_TL_PEER_USER, &peer),
        .date = oracle_int(o, "date"),
        .message = text,
    };
    gap_tl_update_new_message_t u = {GAP_TL_OF(GAP_TL_MESSAGE, &m), oracle_int(o, "pts"),
                                     oracle_int(o, "pts_count")};
    size_t len;
    uint8_t *bytes = oracle_write(GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &u), &len);

    take(c, oracle_whole(gap_bytes(bytes, len)));
    free(bytes);
}

static void take_short_message(struct oracle_client *c, gap_tl_object_t o)
{
    bool in_chat = o.id == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE;
    dc_peer_t chat = {in_chat ? DC_CHAT : DC_USER, oracle_long(o, in_chat ? "chat_id" : "user_id")};
    int64_t from = in_chat ? oracle_long(o, "from_id") : chat.id;

    if (!knows_user(c, from))
        c->need = true;
    else
        take_short(c, o, chat, oracle_has(o, "out") ? c->account : from,
                   oracle_bytes(o, "message"));
}

void oracle_client_updates(struct oracle_client *c, gap_bytes_t bytes)
{
    gap_tl_object_t o = oracle_whole(bytes);

    switch (o.id) {
    case GAP_TL_UPDATES:
        take_container(c, o);
        return;
    case GAP_TL_UPDATE_SHORT:
        take(c, oracle_object(o, "update"));
        return;
    case GAP_TL_UPDATE_SHORT_MESSAGE:
    case GAP_TL_UPDATE_SHORT_CHAT_MESSAGE:
        take_short_message(c, o);
        return;
    case GAP_TL_UPDATES_TOO_LONG:
        c->need = true;
        return;
    default:
        oracle_stop("%s as a push", gap_tl_name(o.id));
    }
}

/* --- results of own calls ------------------------------------------------------------------ */

void oracle_client_sent(struct oracle_client *c, gap_bytes_t bytes, dc_peer_t peer,
                        const char *text)
{
    gap_tl_object_t o = oracle_whole(bytes);

    oracle_check(o.id == GAP_TL_UPDATE_SHORT_SENT_MESSAGE);
    oracle_check_msg(oracle_has(o, "out"), "an own message that is not out");
    take_short(c, o, peer, c->account, gap_str(text));
}

static void take_written(struct oracle_client *c, gap_tl_object_t u)
{
    size_t len;
    uint8_t *bytes = oracle_write(u, &len);

    take(c, oracle_whole(gap_bytes(bytes, len)));
    free(bytes);
}

void oracle_client_affected(struct oracle_client *c, gap_bytes_t bytes, dc_peer_t peer,
                            int32_t max_id, const int32_t *ids, size_t count)
{
    gap_tl_object_t o = oracle_whole(bytes);
    int32_t pts = oracle_int(o, "pts");
    int32_t pts_count = oracle_int(o, "pts_count");
    gap_tl_vector_t list = gap_tl_array(ids, (uint32_t)count);
    gap_tl_peer_user_t shape = {peer.id};

    oracle_check(o.id == GAP_TL_MESSAGES_AFFECTED_MESSAGES);
    if (pts_count == 0) return;
    if (count > 0 && peer.type == DC_CHANNEL) {
        gap_tl_update_delete_channel_messages_t u = {peer.id, list, pts, pts_count};
        take_written(c, GAP_TL_OF(GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &u));
    } else if (count > 0) {
        gap_tl_update_delete_messages_t u = {list, pts, pts_count};
        take_written(c, GAP_TL_OF(GAP_TL_UPDATE_DELETE_MESSAGES, &u));
    } else {
        gap_tl_update_read_history_inbox_t u = {
            .peer = GAP_TL_OF(peer.type == DC_CHAT ? GAP_TL_PEER_CHAT : GAP_TL_PEER_USER, &shape),
            .max_id = max_id,
            .pts = pts,
            .pts_count = pts_count};
        take_written(c, GAP_TL_OF(GAP_TL_UPDATE_READ_HISTORY_INBOX, &u));
    }
}

/* --- differences --------------------------------------------------------------------------- */

static void take_contents(struct oracle_client *c, gap_tl_object_t o)
{
    gap_tl_object_t list[ORACLE_LIST_MAX];

    learn_users(c, o);
    size_t count = oracle_objects(o, "new_messages", list);
    for (size_t i = 0; i < count; i++) apply_message(c, list[i], true);
    count = oracle_objects(o, "other_updates", list);
    for (size_t i = 0; i < count; i++) apply(c, list[i]);
}

void oracle_client_difference(struct oracle_client *c, gap_bytes_t bytes)
{
    gap_tl_object_t o = oracle_whole(bytes);
    bool slice = o.id == GAP_TL_UPDATES_DIFFERENCE_SLICE;

    c->need = false;
    c->chain = false;
    switch (o.id) {
    case GAP_TL_UPDATES_DIFFERENCE_EMPTY:
        c->date = oracle_int(o, "date");
        c->seq = oracle_int(o, "seq");
        break;
    case GAP_TL_UPDATES_DIFFERENCE_TOO_LONG:
        c->pts = oracle_int(o, "pts");
        c->rebuilt = true;
        c->need = true;
        break;
    default: {
        take_contents(c, o);
        gap_tl_object_t state = oracle_object(o, slice ? "intermediate_state" : "state");
        c->pts = oracle_int(state, "pts");
        c->qts = oracle_int(state, "qts");
        c->date = oracle_int(state, "date");
        c->seq = oracle_int(state, "seq");
        c->need = c->chain = slice;
    }
    }
    retry(c);
}

void oracle_client_channel_difference(struct oracle_client *c, int64_t channel, gap_bytes_t bytes)
{
    struct oracle_channel *ch = oracle_client_channel(c, channel);
    gap_tl_object_t o = oracle_whole(bytes);

    if (ch->pts == 0) ch->base = 1; /* it was asked from the beginning */

    if (o.id == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG) {
        ch->pts = oracle_int(oracle_object(o, "dialog"), "pts");
        ch->rebuilt = true;
        learn_users(c, o);
    } else {
        if (o.id == GAP_TL_UPDATES_CHANNEL_DIFFERENCE) take_contents(c, o);
        ch->pts = oracle_int(o, "pts");
    }
    ch->need = o.id != GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG && !oracle_has(o, "final");
    retry(c);
}

void oracle_client_page(struct oracle_client *c, gap_bytes_t bytes)
{
    gap_tl_object_t list[ORACLE_LIST_MAX];
    size_t count = oracle_objects(oracle_whole(bytes), "messages", list);

    for (size_t i = 0; i < count; i++) apply_message(c, list[i], true);
}
