/*
 * userbot/output.c - writes updates as JSON lines. One small writer per kind of update; everything
 * that is common (box, pts, via) is written once at the end.
 */
#include "userbot/output.h"

#include "userbot/json.h"

#include <gapless/message.h>
#include <gapless/tl_api.h>

#include <errno.h>
#include <inttypes.h>

static const char *kind_word(gap_peer_kind_t kind)
{
    return kind == GAP_PEER_USER ? "user" : kind == GAP_PEER_CHAT ? "chat" : "channel";
}

static void put_chat(FILE *out, gap_peer_kind_t kind, int64_t id)
{
    if (kind == GAP_PEER_NONE) {
        (void)fputs(",\"chat\":null", out);
    } else {
        (void)fprintf(out, ",\"chat\":\"%s:%" PRId64 "\"", kind_word(kind), id);
    }
}

static int put_peer(FILE *out, gap_tl_object_t peer)
{
    gap_tl_peer_user_t user;
    gap_tl_peer_chat_t chat;
    gap_tl_peer_channel_t channel;
    int64_t r;

    switch (peer.id) {
    case GAP_TL_PEER_USER:
        r = GAP_TL_READ(peer, GAP_TL_PEER_USER, &user);
        if (r >= 0) put_chat(out, GAP_PEER_USER, user.user_id);
        break;
    case GAP_TL_PEER_CHAT:
        r = GAP_TL_READ(peer, GAP_TL_PEER_CHAT, &chat);
        if (r >= 0) put_chat(out, GAP_PEER_CHAT, chat.chat_id);
        break;
    default:
        r = GAP_TL_READ(peer, GAP_TL_PEER_CHANNEL, &channel);
        if (r >= 0) put_chat(out, GAP_PEER_CHANNEL, channel.channel_id);
        break;
    }
    return r < 0 ? (int)r : 0;
}

static int put_ids(FILE *out, gap_tl_vector_t ids)
{
    gap_tl_iter_t it = gap_tl_iter(ids);
    int32_t id;
    int r;

    (void)fputs(",\"ids\":[", out);
    for (bool first = true; (r = gap_tl_next_int(&it, &id)) > 0; first = false)
        (void)fprintf(out, "%s%" PRId32, first ? "" : ",", id);
    (void)fputc(']', out);
    return r;
}

static void put_kind(FILE *out, const char *kind)
{
    (void)fprintf(out, "{\"kind\":\"%s\"", kind);
}

static int put_message(FILE *out, const gap_update_t *update, const char *kind)
{
    gap_message_t m;
    int r = gap_message_read(update, &m);

    put_kind(out, r == 0 ? kind : "empty_message");
    if (r != 0) return r < 0 ? r : 0;
    put_chat(out, m.chat.kind, m.chat.id);
    (void)fprintf(out, ",\"id\":%" PRId32 ",\"text\":", m.id);
    json_put_string(out, m.text);
    return 0;
}

static int put_delete(FILE *out, const gap_update_t *update)
{
    gap_tl_update_delete_messages_t common;
    gap_tl_update_delete_channel_messages_t channel;
    int r;

    put_kind(out, "delete_messages");
    if (gap_update_id(update) == GAP_TL_UPDATE_DELETE_MESSAGES) {
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_DELETE_MESSAGES, &common);
        return r < 0 ? r : put_ids(out, common.messages);
    }
    r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &channel);
    if (r < 0) return r;
    put_chat(out, GAP_PEER_CHANNEL, channel.channel_id);
    return put_ids(out, channel.messages);
}

static int put_pin(FILE *out, const gap_update_t *update)
{
    gap_tl_update_pinned_messages_t common;
    gap_tl_update_pinned_channel_messages_t channel;
    bool pinned;
    int r;

    put_kind(out, "pin");
    if (gap_update_id(update) == GAP_TL_UPDATE_PINNED_MESSAGES) {
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_PINNED_MESSAGES, &common);
        if (r >= 0) r = put_peer(out, common.peer);
        if (r >= 0) r = put_ids(out, common.messages);
        pinned = r >= 0 && (common.flags & GAP_TL_UPDATE_PINNED_MESSAGES_F_PINNED) != 0;
    } else {
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES, &channel);
        if (r < 0) return r;
        put_chat(out, GAP_PEER_CHANNEL, channel.channel_id);
        r = put_ids(out, channel.messages);
        pinned = (channel.flags & GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES_F_PINNED) != 0;
    }
    (void)fprintf(out, ",\"pinned\":%s", pinned ? "true" : "false");
    return r;
}

static void put_read_end(FILE *out, int32_t max_id, bool outbox)
{
    (void)fprintf(out, ",\"max_id\":%" PRId32 ",\"outbox\":%s", max_id, outbox ? "true" : "false");
}

static int put_read(FILE *out, const gap_update_t *update)
{
    gap_tl_update_read_history_inbox_t inbox;
    gap_tl_update_read_history_outbox_t outbox;
    gap_tl_update_read_channel_inbox_t channel;
    int r;

    put_kind(out, "read");
    switch (gap_update_id(update)) {
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_READ_HISTORY_INBOX, &inbox);
        if (r >= 0) r = put_peer(out, inbox.peer);
        if (r >= 0) put_read_end(out, inbox.max_id, false);
        return r;
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_READ_HISTORY_OUTBOX, &outbox);
        if (r >= 0) r = put_peer(out, outbox.peer);
        if (r >= 0) put_read_end(out, outbox.max_id, true);
        return r;
    default:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_READ_CHANNEL_INBOX, &channel);
        if (r >= 0) put_chat(out, GAP_PEER_CHANNEL, channel.channel_id);
        if (r >= 0) put_read_end(out, channel.max_id, false);
        return r;
    }
}

static int put_query(FILE *out, const gap_update_t *update)
{
    gap_tl_update_bot_callback_query_t q;
    int r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &q);

    put_kind(out, "callback_query");
    if (r >= 0) r = put_peer(out, q.peer);
    if (r >= 0)
        (void)fprintf(out, ",\"id\":%" PRId32 ",\"query_id\":%" PRId64, q.msg_id, q.query_id);
    return r;
}

static int put_status(FILE *out, const gap_update_t *update)
{
    gap_tl_update_user_status_t s;
    int r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_USER_STATUS, &s);

    put_kind(out, "status");
    if (r >= 0) put_chat(out, GAP_PEER_USER, s.user_id);
    return r;
}

/* Where a qts event happened and its place in the sequence, which a difference tells, too; for
 * those kinds of them that a bot commonly gets. */
static int put_qts_chat(FILE *out, const gap_update_t *update)
{
    gap_tl_update_bot_stopped_t stopped;
    gap_tl_update_chat_participant_t chat;
    gap_tl_update_channel_participant_t channel;
    gap_tl_update_bot_message_reaction_t reaction;
    gap_tl_update_bot_message_reactions_t reactions;
    int32_t qts = 0;
    int r;

    switch (gap_update_id(update)) {
    case GAP_TL_UPDATE_BOT_STOPPED:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_BOT_STOPPED, &stopped);
        if (r >= 0) put_chat(out, GAP_PEER_USER, stopped.user_id);
        if (r >= 0) qts = stopped.qts;
        break;
    case GAP_TL_UPDATE_CHAT_PARTICIPANT:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_CHAT_PARTICIPANT, &chat);
        if (r >= 0) put_chat(out, GAP_PEER_CHAT, chat.chat_id);
        if (r >= 0) qts = chat.qts;
        break;
    case GAP_TL_UPDATE_CHANNEL_PARTICIPANT:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_CHANNEL_PARTICIPANT, &channel);
        if (r >= 0) put_chat(out, GAP_PEER_CHANNEL, channel.channel_id);
        if (r >= 0) qts = channel.qts;
        break;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTION:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_BOT_MESSAGE_REACTION, &reaction);
        if (r >= 0) r = put_peer(out, reaction.peer);
        if (r >= 0) (void)fprintf(out, ",\"id\":%" PRId32, reaction.msg_id);
        if (r >= 0) qts = reaction.qts;
        break;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS:
        r = GAP_UPDATE_READ(update, GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS, &reactions);
        if (r >= 0) r = put_peer(out, reactions.peer);
        if (r >= 0) (void)fprintf(out, ",\"id\":%" PRId32, reactions.msg_id);
        if (r >= 0) qts = reactions.qts;
        break;
    default:
        return 0;
    }
    if (r >= 0) (void)fprintf(out, ",\"position\":%" PRId32, qts);
    return r;
}

static int put_other(FILE *out, const gap_update_t *update)
{
    const char *name = gap_tl_name(gap_update_id(update));

    if (gap_update_box(update) != GAP_BOX_QTS) {
        put_kind(out, name != NULL ? name : "unknown");
        return 0;
    }
    put_kind(out, "qts");
    (void)fprintf(out, ",\"qts\":\"%s\"", name != NULL ? name : "unknown");
    return put_qts_chat(out, update);
}

static int put_kind_fields(FILE *out, const gap_update_t *update)
{
    switch (gap_update_id(update)) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        return put_message(out, update, "new_message");
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        return put_message(out, update, "edit_message");
    case GAP_TL_UPDATE_DELETE_MESSAGES:
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        return put_delete(out, update);
    case GAP_TL_UPDATE_PINNED_MESSAGES:
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
        return put_pin(out, update);
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
    case GAP_TL_UPDATE_READ_CHANNEL_INBOX:
        return put_read(out, update);
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        return put_query(out, update);
    case GAP_TL_UPDATE_USER_STATUS:
        return put_status(out, update);
    default:
        return put_other(out, update);
    }
}

static void put_box(FILE *out, const gap_update_t *update, int64_t account)
{
    gap_box_t box = gap_update_box(update);

    if (box == GAP_BOX_CHANNEL) {
        (void)fprintf(out, ",\"account\":null,\"box\":\"channel:%" PRId64 "\"",
                      gap_update_channel_id(update));
        return;
    }
    (void)fprintf(out, ",\"account\":%" PRId64 ",\"box\":\"%s\"", account,
                  box == GAP_BOX_COMMON ? "common"
                  : box == GAP_BOX_QTS  ? "qts"
                                        : "none");
}

int output_update(FILE *out, const gap_update_t *update, int64_t account, int64_t t_us)
{
    static const char *const via[] = {"push", "difference", "result", "journal", "backfill"};
    int r = put_kind_fields(out, update);

    put_box(out, update, account);
    if (gap_update_pts(update) < 0) {
        (void)fputs(",\"pts\":null", out);
    } else {
        (void)fprintf(out, ",\"pts\":%" PRId32 ",\"pts_count\":%" PRId32, gap_update_pts(update),
                      gap_update_pts_count(update));
    }
    (void)fprintf(out, ",\"via\":\"%s\"", via[gap_update_via(update)]);
    if (gap_update_maybe_repeated(update)) (void)fputs(",\"maybe_repeated\":true", out);
    (void)fprintf(out, ",\"t_us\":%" PRId64 "}\n", t_us);
    if (r < 0) return r;
    return ferror(out) != 0 ? -EIO : 0;
}
