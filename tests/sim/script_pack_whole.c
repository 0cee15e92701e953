/*
 * tests/sim/script_pack_whole.c - whole objects of a pack: containers, short forms, results, the
 * calls that they are results of, answers. Owns nothing.
 */
#include "base/bytes.h"
#include "script_pack_in.h"

#include <gapless/tl_api.h>

static gap_tl_vector_t vector(const sim_part_t *part)
{
    /* data NULL would mean that items are meant */
    static const uint8_t nothing[4];
    const uint8_t *data = part->bytes.data == NULL ? nothing : part->bytes.data;

    return (gap_tl_vector_t){data, part->bytes.len, NULL, part->count};
}

int sim_pack_updates(sim_pack_t *p, int32_t seq_start, int32_t seq, gap_buf_t *out)
{
    int32_t date = (int32_t)p->names.date;
    gap_tl_updates_t u = {vector(&p->updates), vector(&p->users), vector(&p->chats), date, seq};
    gap_tl_updates_combined_t c = {
        vector(&p->updates), vector(&p->users), vector(&p->chats), date, seq_start, seq};
    int r = seq_start == seq ? sim_put(out, GAP_TL_UPDATES, &u)
                             : sim_put(out, GAP_TL_UPDATES_COMBINED, &c);

    sim_pack_clear(p);
    return r;
}

static int append(sim_part_t *to, gap_tl_vector_t v)
{
    int r = gap_buf_append(&to->bytes, v.data, v.len);

    if (r == 0) to->count += v.count;
    return r;
}

int sim_pack_object(sim_pack_t *p, gap_bytes_t updates)
{
    gap_tl_update_short_t s;
    gap_tl_updates_t u;
    int r;

    if (gap_tl_read(updates, GAP_TL_UPDATE_SHORT, &s, sizeof s) > 0) {
        r = gap_buf_append(&p->updates.bytes, s.update.data, s.update.len);
        if (r == 0) p->updates.count++;
        return r;
    }
    if (gap_tl_read(updates, GAP_TL_UPDATES, &u, sizeof u) < 0) return GAP_E_TL;
    if ((r = append(&p->updates, u.updates)) != 0) return r;
    if ((r = append(&p->users, u.users)) != 0) return r;
    return append(&p->chats, u.chats);
}

/* --- short forms and results ------------------------------------------------------------------ */

static int put_short_message(const sim_pack_t *p, const sim_raw_t *raw, gap_buf_t *out)
{
    gap_bytes_t text = gap_str(raw->text[0] != '\0' ? raw->text : "raw");
    int64_t chat = sim_chat_id(&p->names, raw->chat, raw->index);
    int32_t pts;
    int32_t count;
    int32_t id;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    if (raw->chat == DC_CHAT) {
        gap_tl_update_short_chat_message_t u;
        memset(&u, 0, sizeof u);
        u.id = id;
        u.from_id = sim_chat_id(&p->names, DC_USER, raw->from == UINT32_MAX ? 0 : raw->from);
        u.chat_id = chat;
        u.message = text;
        u.pts = pts;
        u.pts_count = count;
        u.date = (int32_t)p->names.date;
        return sim_put(out, GAP_TL_UPDATE_SHORT_CHAT_MESSAGE, &u);
    }
    gap_tl_update_short_message_t u;
    memset(&u, 0, sizeof u);
    if ((raw->flags & SIM_RAW_OUT) != 0) u.flags = GAP_TL_UPDATE_SHORT_MESSAGE_F_OUT;
    u.id = id;
    u.user_id = chat;
    u.message = text;
    u.pts = pts;
    u.pts_count = count;
    u.date = (int32_t)p->names.date;
    return sim_put(out, GAP_TL_UPDATE_SHORT_MESSAGE, &u);
}

static int put_short(sim_pack_t *p, gap_buf_t *out)
{
    gap_tl_update_short_t u;

    memset(&u, 0, sizeof u);
    u.update.data = p->updates.bytes.data;
    u.update.len = p->updates.bytes.len;
    u.date = (int32_t)p->names.date;
    u.update.id = gap_load32(u.update.data);
    int r = sim_put(out, GAP_TL_UPDATE_SHORT, &u);
    sim_pack_clear(p);
    return r;
}

static int put_numbers(const sim_pack_t *p, const sim_raw_t *raw, gap_buf_t *out)
{
    int32_t pts;
    int32_t count;
    int32_t id;

    sim_raw_numbers(&p->names, raw, &pts, &count, &id);
    if (raw->kind == SIM_RAW_AFFECTED) {
        gap_tl_messages_affected_messages_t a = {pts, count};
        return sim_put(out, GAP_TL_MESSAGES_AFFECTED_MESSAGES, &a);
    }
    gap_tl_update_short_sent_message_t u;
    memset(&u, 0, sizeof u);
    u.flags = GAP_TL_UPDATE_SHORT_SENT_MESSAGE_F_OUT;
    u.id = id;
    u.pts = pts;
    u.pts_count = count;
    u.date = (int32_t)p->names.date;
    return sim_put(out, GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &u);
}

int sim_pack_line(sim_pack_t *p, const sim_raw_t *raw, gap_buf_t *out)
{
    if (raw->kind == SIM_RAW_AFFECTED || raw->kind == SIM_RAW_SENT) return put_numbers(p, raw, out);
    if ((raw->flags & SIM_RAW_SHORT_MSG) != 0) return put_short_message(p, raw, out);
    if (raw->kind == SIM_RAW_TOO_LONG && raw->chat == DC_NOBODY)
        return gap_buf_append32(out, GAP_TL_UPDATES_TOO_LONG);
    int r = sim_pack_raw(p, raw, false);
    if (r != 0) return r;
    if (raw->kind == SIM_RAW_GARBAGE) {
        r = gap_buf_append(out, p->updates.bytes.data, p->updates.bytes.len);
        sim_pack_clear(p);
        return r;
    }
    if ((raw->flags & SIM_RAW_SHORT) != 0) return put_short(p, out);
    int32_t start = (raw->flags & SIM_RAW_SEQ_START) != 0 ? raw->seq_start : raw->seq;
    if ((raw->flags & SIM_RAW_INVITED) == 0) return sim_pack_updates(p, start, raw->seq, out);
    /* messages.invitedUsers: its Updates, and nobody who could not be invited */
    if ((r = gap_buf_append32(out, GAP_TL_MESSAGES_INVITED_USERS)) != 0) return r;
    if ((r = sim_pack_updates(p, start, raw->seq, out)) != 0) return r;
    if ((r = gap_buf_append32(out, GAP_TL_VECTOR)) != 0) return r;
    return gap_buf_append32(out, 0);
}

int sim_pack_query(const sim_pack_t *p, const sim_raw_t *raw, gap_buf_t *out)
{
    int64_t chat = sim_chat_id(&p->names, raw->chat, raw->index);
    int64_t hash =
        dc_model_access_hash(p->names.model, p->names.account, (dc_peer_t){raw->chat, chat});
    gap_tl_input_channel_t channel = {chat, hash};
    gap_tl_input_peer_user_t user = {chat, hash};
    int32_t id = raw->id;

    if (raw->kind == SIM_RAW_AFFECTED && raw->chat == DC_CHANNEL) {
        gap_tl_channels_delete_messages_t q = {gap_tl_of(GAP_TL_INPUT_CHANNEL, &channel),
                                               gap_tl_array(&id, 1)};
        return sim_put(out, GAP_TL_CHANNELS_DELETE_MESSAGES, &q);
    }
    if (raw->kind == SIM_RAW_AFFECTED) {
        gap_tl_messages_delete_messages_t q = {0, gap_tl_array(&id, 1)};
        return sim_put(out, GAP_TL_MESSAGES_DELETE_MESSAGES, &q);
    }
    if ((raw->flags & SIM_RAW_INVITED) != 0) {
        gap_tl_channels_invite_to_channel_t q = {gap_tl_of(GAP_TL_INPUT_CHANNEL, &channel),
                                                 gap_tl_array(NULL, 0)};
        return sim_put(out, GAP_TL_CHANNELS_INVITE_TO_CHANNEL, &q);
    }
    if (raw->kind != SIM_RAW_SENT) return 0; /* a call that nothing is known about */
    gap_tl_messages_send_message_t q;
    memset(&q, 0, sizeof q);
    q.peer = gap_tl_of(GAP_TL_INPUT_PEER_USER, &user);
    q.message = gap_str("raw");
    q.random_id = 1000 + (int64_t)(uint32_t)raw->id;
    return sim_put(out, GAP_TL_MESSAGES_SEND_MESSAGE, &q);
}

/* --- answers ---------------------------------------------------------------------------------- */

static int32_t date_of(const sim_pack_t *p, const sim_with_t *with)
{
    return with->has_date ? GLOBE_BEGINS + with->date : (int32_t)p->names.date;
}

static int answer_common(sim_pack_t *p, const sim_with_t *with, int32_t seq, gap_buf_t *out)
{
    int32_t pts = 0;
    int32_t qts = 0;

    int r = dc_model_state(p->names.model, p->names.account, &pts, &qts);
    if (r < 0) return r;
    gap_tl_updates_state_t s = {with->has_pts ? with->pts : pts, with->has_qts ? with->qts : qts,
                                date_of(p, with), with->has_seq ? with->seq : seq, 0};
    gap_tl_object_t state = gap_tl_of(GAP_TL_UPDATES_STATE, &s);
    gap_tl_updates_difference_t d = {vector(&p->messages), vector(&p->encrypted),
                                     vector(&p->updates),  vector(&p->chats),
                                     vector(&p->users),    state};
    gap_tl_updates_difference_empty_t e = {s.date, s.seq};
    gap_tl_updates_difference_too_long_t t = {s.pts};

    switch (with->kind) {
    case SIM_WITH_EMPTY:
        return sim_put(out, GAP_TL_UPDATES_DIFFERENCE_EMPTY, &e);
    case SIM_WITH_TOO_LONG:
        return sim_put(out, GAP_TL_UPDATES_DIFFERENCE_TOO_LONG, &t);
    case SIM_WITH_STATE:
        return sim_put(out, GAP_TL_UPDATES_STATE, &s);
    case SIM_WITH_SLICE:
        return sim_put(out, GAP_TL_UPDATES_DIFFERENCE_SLICE, &d);
    case SIM_WITH_DIFFERENCE:
        break;
    }
    return sim_put(out, GAP_TL_UPDATES_DIFFERENCE, &d);
}

static int answer_too_long(sim_pack_t *p, const sim_with_t *with, int64_t channel, int32_t pts,
                           gap_buf_t *out)
{
    gap_tl_peer_channel_t peer = {channel};
    gap_tl_peer_notify_settings_t notify;
    gap_tl_updates_channel_difference_too_long_t t;
    gap_tl_folder_t folder;
    gap_tl_dialog_folder_t df;
    gap_tl_dialog_t d;

    memset(&notify, 0, sizeof notify);
    memset(&folder, 0, sizeof folder);
    memset(&df, 0, sizeof df);
    memset(&d, 0, sizeof d);
    memset(&t, 0, sizeof t);
    d.flags = with->no_pts ? 0 : GAP_TL_DIALOG_F_PTS;
    d.peer = gap_tl_of(GAP_TL_PEER_CHANNEL, &peer);
    d.notify_settings = gap_tl_of(GAP_TL_PEER_NOTIFY_SETTINGS, &notify);
    d.pts = pts;
    folder.id = 1;
    folder.title = gap_str("raw");
    df.folder = gap_tl_of(GAP_TL_FOLDER, &folder);
    df.peer = d.peer;
    t.flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG_F_FINAL;
    t.dialog = with->folder ? gap_tl_of(GAP_TL_DIALOG_FOLDER, &df) : gap_tl_of(GAP_TL_DIALOG, &d);
    t.messages = vector(&p->messages);
    t.chats = vector(&p->chats);
    t.users = vector(&p->users);
    return sim_put(out, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &t);
}

static int answer_channel(sim_pack_t *p, const sim_with_t *with, int64_t channel, gap_buf_t *out)
{
    int32_t pts = with->has_pts ? with->pts : dc_model_channel_pts(p->names.model, channel);
    gap_tl_updates_channel_difference_empty_t e = {GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL,
                                                   pts, (int32_t)with->timeout_s};
    gap_tl_updates_channel_difference_t d;

    if (with->kind == SIM_WITH_TOO_LONG) return answer_too_long(p, with, channel, pts, out);
    if (with->timeout_s != 0) e.flags |= GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_TIMEOUT;
    if (with->kind == SIM_WITH_EMPTY)
        return sim_put(out, GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &e);
    memset(&d, 0, sizeof d);
    d.flags = with->kind == SIM_WITH_SLICE ? 0 : GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL;
    if (with->timeout_s != 0) d.flags |= GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_TIMEOUT;
    d.pts = pts;
    d.timeout = (int32_t)with->timeout_s;
    d.new_messages = vector(&p->messages);
    d.other_updates = vector(&p->updates);
    d.chats = vector(&p->chats);
    d.users = vector(&p->users);
    return sim_put(out, GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d);
}

int sim_pack_answer(sim_pack_t *p, const sim_with_t *with, const sim_raw_t *raws, int64_t channel,
                    int32_t seq, gap_buf_t *out)
{
    int r = 0;

    for (uint32_t i = 0; i < with->raw_count && r == 0; i++)
        r = sim_pack_raw(p, &raws[with->raw + i], true);
    if (r == 0)
        r = channel == 0 ? answer_common(p, with, seq, out) : answer_channel(p, with, channel, out);
    sim_pack_clear(p);
    return r;
}
