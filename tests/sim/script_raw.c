/*
 * tests/sim/script_raw.c - reads updates given by their numbers, and answers made of them. Owns
 * nothing; never judges what the numbers mean: they may be as wrong as they like.
 */
#include "base/bytes.h"
#include "script_in.h"

/* What a raw update is about. */
enum about { ABOUT_NONE, ABOUT_CHAT, ABOUT_PRIVATE, ABOUT_USER, ABOUT_GROUP, ABOUT_CHANNEL };

static const struct {
    const char *name;
    sim_raw_kind_t kind;
    enum about about;
    bool optional; /* it may be left out */
    uint32_t needs;
} kinds[] = {
    {"message", SIM_RAW_MESSAGE, ABOUT_CHAT, false, 0},
    {"new_message", SIM_RAW_MESSAGE, ABOUT_CHAT, false, 0},
    {"edit", SIM_RAW_EDIT, ABOUT_CHAT, false, 0},
    {"edit_message", SIM_RAW_EDIT, ABOUT_CHAT, false, 0},
    {"delete", SIM_RAW_DELETE, ABOUT_CHAT, false, 0},
    {"delete_messages", SIM_RAW_DELETE, ABOUT_CHAT, false, 0},
    {"pin", SIM_RAW_PIN, ABOUT_CHAT, false, 0},
    {"unpin", SIM_RAW_UNPIN, ABOUT_CHAT, false, 0},
    {"read", SIM_RAW_READ, ABOUT_CHAT, false, 0},
    {"read-by-them", SIM_RAW_READ_BY_THEM, ABOUT_PRIVATE, false, 0},
    {"webpage", SIM_RAW_WEBPAGE, ABOUT_CHAT, false, 0},
    {"empty", SIM_RAW_EMPTY, ABOUT_CHAT, true, 0},
    {"too-long", SIM_RAW_TOO_LONG, ABOUT_CHANNEL, true, 0},
    {"pts-changed", SIM_RAW_PTS_CHANGED, ABOUT_NONE, true, 0},
    {"channel", SIM_RAW_CHANNEL, ABOUT_CHANNEL, false, 0},
    {"query", SIM_RAW_QUERY, ABOUT_NONE, true, SIM_RAW_ID},
    {"callback_query", SIM_RAW_QUERY, ABOUT_NONE, true, SIM_RAW_ID},
    {"status", SIM_RAW_STATUS, ABOUT_USER, false, 0},
    {"typing", SIM_RAW_TYPING, ABOUT_USER, false, 0},
    {"random", SIM_RAW_RANDOM, ABOUT_NONE, true, SIM_RAW_ID},
    {"stopped", SIM_RAW_STOPPED, ABOUT_USER, false, SIM_RAW_QTS},
    {"chat-participant", SIM_RAW_CHAT_PARTICIPANT, ABOUT_GROUP, false, SIM_RAW_QTS},
    {"channel-participant", SIM_RAW_CHANNEL_PARTICIPANT, ABOUT_CHANNEL, false, SIM_RAW_QTS},
    {"encrypted", SIM_RAW_ENCRYPTED, ABOUT_NONE, true, SIM_RAW_QTS},
    {"business-delete", SIM_RAW_BUSINESS_DELETE, ABOUT_NONE, true, SIM_RAW_QTS},
    {"unknown", SIM_RAW_UNKNOWN, ABOUT_NONE, true, 0},
    {"broken", SIM_RAW_BROKEN, ABOUT_NONE, true, 0},
    {"garbage", SIM_RAW_GARBAGE, ABOUT_NONE, true, 0},
    {"affected", SIM_RAW_AFFECTED, ABOUT_CHANNEL, true, SIM_RAW_PTS},
    {"sent", SIM_RAW_SENT, ABOUT_USER, false, 0},
    /* by their constructors */
    {"updateNewMessage", SIM_RAW_MESSAGE, ABOUT_CHAT, false, 0},
    {"updateNewChannelMessage", SIM_RAW_MESSAGE, ABOUT_CHANNEL, false, 0},
    {"updateEditMessage", SIM_RAW_EDIT, ABOUT_CHAT, false, 0},
    {"updateEditChannelMessage", SIM_RAW_EDIT, ABOUT_CHANNEL, false, 0},
    {"updateDeleteMessages", SIM_RAW_DELETE, ABOUT_CHAT, false, 0},
    {"updateDeleteChannelMessages", SIM_RAW_DELETE, ABOUT_CHANNEL, false, 0},
    {"updatePinnedMessages", SIM_RAW_PIN, ABOUT_CHAT, false, 0},
    {"updatePinnedChannelMessages", SIM_RAW_PIN, ABOUT_CHANNEL, false, 0},
    {"updateReadHistoryInbox", SIM_RAW_READ, ABOUT_PRIVATE, false, 0},
    {"updateReadHistoryOutbox", SIM_RAW_READ_BY_THEM, ABOUT_PRIVATE, false, 0},
    {"updateReadChannelInbox", SIM_RAW_READ, ABOUT_CHANNEL, false, 0},
    {"updateWebPage", SIM_RAW_WEBPAGE, ABOUT_CHAT, false, 0},
    {"updateChannelWebPage", SIM_RAW_WEBPAGE, ABOUT_CHANNEL, false, 0},
    {"messageEmpty", SIM_RAW_EMPTY, ABOUT_CHAT, true, 0},
    {"updateChannelTooLong", SIM_RAW_TOO_LONG, ABOUT_CHANNEL, false, 0},
    {"updatesTooLong", SIM_RAW_TOO_LONG, ABOUT_NONE, true, 0},
    {"updatePtsChanged", SIM_RAW_PTS_CHANGED, ABOUT_NONE, true, 0},
    {"updateChannel", SIM_RAW_CHANNEL, ABOUT_CHANNEL, false, 0},
    {"updateBotCallbackQuery", SIM_RAW_QUERY, ABOUT_NONE, true, SIM_RAW_ID},
    {"updateMessageID", SIM_RAW_RANDOM, ABOUT_NONE, true, SIM_RAW_ID},
    {"updateUserStatus", SIM_RAW_STATUS, ABOUT_USER, false, 0},
    {"updateUserTyping", SIM_RAW_TYPING, ABOUT_USER, false, 0},
    {"updateBotStopped", SIM_RAW_STOPPED, ABOUT_USER, false, SIM_RAW_QTS},
    {"updateChatParticipant", SIM_RAW_CHAT_PARTICIPANT, ABOUT_GROUP, false, SIM_RAW_QTS},
    {"updateChannelParticipant", SIM_RAW_CHANNEL_PARTICIPANT, ABOUT_CHANNEL, false, SIM_RAW_QTS},
    {"updateNewEncryptedMessage", SIM_RAW_ENCRYPTED, ABOUT_NONE, true, SIM_RAW_QTS},
    {"updateBotDeleteBusinessMessage", SIM_RAW_BUSINESS_DELETE, ABOUT_NONE, true, SIM_RAW_QTS},
    {"affectedMessages", SIM_RAW_AFFECTED, ABOUT_CHANNEL, true, SIM_RAW_PTS},
    {"updateShortSentMessage", SIM_RAW_SENT, ABOUT_USER, false, 0},
};

static const struct {
    const char *name;
    uint32_t flag;
} flags[] = {
    {"lonely", SIM_RAW_LONELY},   {"min", SIM_RAW_MIN},
    {"short", SIM_RAW_SHORT},     {"short-message", SIM_RAW_SHORT_MSG},
    {"result", SIM_RAW_RESULT},   {"invited", SIM_RAW_INVITED},
    {"service", SIM_RAW_SERVICE}, {"forbidden", SIM_RAW_FORBIDDEN},
    {"out", SIM_RAW_OUT},         {"update", SIM_RAW_UPDATE},
};

static int read_kind(struct reader *r, sim_raw_t *raw, size_t *row)
{
    const char *text = sim_word(r);

    if (strcmp(text, "qts") == 0) text = sim_word(r); /* as in the event `qts stopped user:1` */
    for (size_t i = 0; i < GAP_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, text) != 0) continue;
        raw->kind = kinds[i].kind;
        *row = i;
        return 0;
    }
    return sim_wrong(
        r,
        "'%s' is no raw update: message, edit, delete, pin, unpin, read, read-by-them, "
        "webpage, empty, too-long, pts-changed, channel, query, random, status, "
        "typing, stopped, chat-participant, channel-participant, encrypted, "
        "business-delete, unknown, broken, garbage, affected, sent",
        text);
}

static int read_about(struct reader *r, sim_raw_t *raw, size_t row)
{
    static const char *const says[] = {"",       "",        "user:1 or group:1",
                                       "user:1", "group:1", "channel:1"};
    static const dc_peer_type_t types[] = {DC_NOBODY, DC_NOBODY, DC_NOBODY,
                                           DC_USER,   DC_CHAT,   DC_CHANNEL};
    enum about about = kinds[row].about;

    if (kinds[row].optional && !sim_next_is_chat(r, NULL)) return 0;
    if (about == ABOUT_NONE) return sim_wrong(r, "'%s' names no chat", kinds[row].name);
    int result = sim_chat(r, &raw->chat, &raw->index);
    if (result != 0 || about == ABOUT_CHAT) return result;
    bool fits = about == ABOUT_PRIVATE ? raw->chat != DC_CHANNEL : raw->chat == types[about];
    return fits ? 0
                : sim_wrong(r, "'%s' is about %s, not '%s'", kinds[row].name, says[about], r->word);
}

static int read_user(struct reader *r, uint32_t *out)
{
    dc_peer_type_t type;
    int result = sim_chat(r, &type, out);

    if (result == 0 && type != DC_USER)
        return sim_wrong(r, "'%s' is no user: write user:1", r->word);
    return result;
}

static int read_ids(struct reader *r, sim_raw_t *raw)
{
    int64_t from;
    int64_t to;
    const char *text = sim_word(r);

    if (!sim_range(text, &from, &to) || from < INT32_MIN || to > INT32_MAX)
        return sim_wrong(r, "id is a number or FIRST..LAST, not '%s'", text);
    if (to - from > 99)
        return sim_wrong(r, "at most 100 ids, not %lld", (long long)(to - from) + 1);
    raw->id = (int32_t)from;
    raw->last = (int32_t)to;
    raw->flags |= SIM_RAW_ID;
    return 0;
}

static int read_text(struct reader *r, sim_raw_t *raw)
{
    return sim_at_end(r) ? sim_wrong(r, "text is followed by the text") : sim_quoted(r, raw->text);
}

/* A key with a number. @return 1 the word is none. */
static int read_number(struct reader *r, sim_raw_t *raw, const char *name)
{
    const struct {
        const char *name;
        uint32_t flag;
        int32_t *to;
    } numbers[] = {
        {"pts", SIM_RAW_PTS, &raw->pts},
        {"count", SIM_RAW_COUNT, &raw->count},
        {"pts_count", SIM_RAW_COUNT, &raw->count},
        {"qts", SIM_RAW_QTS, &raw->qts},
        {"seq", SIM_RAW_SEQ, &raw->seq},
        {"seq-start", SIM_RAW_SEQ_START, &raw->seq_start},
        {"edited", SIM_RAW_DATE, &raw->date},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(numbers); i++) {
        int64_t n;
        if (strcmp(numbers[i].name, name) != 0) continue;
        int result = sim_integer(r, numbers[i].name, INT32_MIN, INT32_MAX, &n);
        if (result != 0) return result;
        *numbers[i].to = (int32_t)n;
        raw->flags |= numbers[i].flag;
        return 0;
    }
    return 1;
}

static int read_key(struct reader *r, sim_raw_t *raw)
{
    const char *name = sim_word(r);
    int result;

    for (size_t i = 0; i < GAP_ARRAY_LEN(flags); i++) {
        if (strcmp(flags[i].name, name) != 0) continue;
        raw->flags |= flags[i].flag;
        return 0;
    }
    if (strcmp(name, "id") == 0 || strcmp(name, "ids") == 0 || strcmp(name, "max_id") == 0)
        return read_ids(r, raw);
    if (strcmp(name, "text") == 0) return read_text(r, raw);
    if (strcmp(name, "from") == 0) return read_user(r, &raw->from);
    if (strcmp(name, "forward") == 0) return read_user(r, &raw->forward);
    if (strcmp(name, "mention") == 0) return read_user(r, &raw->mention);
    if ((result = read_number(r, raw, name)) != 1) return result;
    return sim_wrong(r,
                     "'%s' is no key of a raw update: pts, count, id, qts, seq, seq-start, text, "
                     "from, forward, mention, edited; flags: lonely, min, forbidden, short, "
                     "short-message, result, invited, service, out, update",
                     name);
}

static int check(struct reader *r, const sim_raw_t *raw, size_t row)
{
    uint32_t missing = kinds[row].needs & ~raw->flags;

    if (missing != 0)
        return sim_wrong(r, "'raw %s' needs %s and its number", kinds[row].name,
                         missing == SIM_RAW_QTS  ? "qts"
                         : missing == SIM_RAW_ID ? "id"
                                                 : "pts");
    bool is_private = raw->kind == SIM_RAW_MESSAGE && raw->chat != DC_CHANNEL;
    if ((raw->flags & SIM_RAW_SHORT_MSG) != 0 && !is_private)
        return sim_wrong(r, "short-message is for 'raw message user:N' and group:N");
    if ((r->with != 0 || r->together) &&
        (raw->flags & (SIM_RAW_SHORT | SIM_RAW_SHORT_MSG | SIM_RAW_RESULT | SIM_RAW_INVITED |
                       SIM_RAW_SEQ | SIM_RAW_SEQ_START)) != 0)
        return sim_wrong(r, "short, short-message, result, invited and seq are about a whole "
                            "container: not inside one");
    bool is_whole = raw->kind == SIM_RAW_GARBAGE || raw->kind == SIM_RAW_AFFECTED ||
                    raw->kind == SIM_RAW_SENT ||
                    (raw->kind == SIM_RAW_TOO_LONG && raw->chat == DC_NOBODY);
    if ((r->with != 0 || r->together) && is_whole)
        return sim_wrong(r, "'raw %s' is an object of its own: not inside another",
                         kinds[row].name);
    return 0;
}

int sim_read_raw(struct reader *r, uint32_t *out)
{
    sim_script_t *s = r->script;
    sim_raw_t raw;
    size_t row = 0;

    memset(&raw, 0, sizeof raw);
    raw.count = 1;
    raw.from = raw.forward = raw.mention = UINT32_MAX;
    int result = read_kind(r, &raw, &row);
    if (result == 0) result = read_about(r, &raw, row);
    while (result == 0 && !sim_at_end(r)) result = read_key(r, &raw);
    if (result == 0) result = check(r, &raw, row);
    if (result != 0) return result;
    result =
        sim_grow(s, (void **)&s->raws, &s->raw_cap, s->raw_count, sizeof raw, SIM_SCRIPT_STEPS);
    if (result != 0) return result;
    s->raws[s->raw_count++] = raw;
    *out = s->raw_count;
    return 0;
}

/* --- answers by hand ------------------------------------------------------------------------ */

static int read_with_key(struct reader *r, sim_with_t *with)
{
    const char *name = sim_word(r);
    const struct {
        const char *name;
        bool *has;
        int32_t *to;
    } numbers[] = {
        {"pts", &with->has_pts, &with->pts},
        {"qts", &with->has_qts, &with->qts},
        {"seq", &with->has_seq, &with->seq},
        {"date", &with->has_date, &with->date},
    };
    int64_t n;

    for (size_t i = 0; i < GAP_ARRAY_LEN(numbers); i++) {
        if (strcmp(numbers[i].name, name) != 0) continue;
        int result = sim_integer(r, numbers[i].name, INT32_MIN, INT32_MAX, &n);
        if (result != 0) return result;
        *numbers[i].to = (int32_t)n;
        *numbers[i].has = true;
        return 0;
    }
    if (strcmp(name, "timeout") == 0) {
        int result = sim_integer(r, "timeout", 0, 1000000, &n);
        if (result == 0) with->timeout_s = (uint32_t)n;
        return result;
    }
    if (strcmp(name, "no-pts") == 0) return (with->no_pts = true) ? 0 : 0;
    if (strcmp(name, "folder") == 0) return (with->folder = true) ? 0 : 0;
    return sim_wrong(r,
                     "'%s' is no key of an answer by hand: pts, qts, seq, date, timeout; flags: "
                     "no-pts, folder",
                     name);
}

int sim_read_with(struct reader *r)
{
    static const char *const names[] = {"empty", "difference", "slice", "too-long", "state"};
    sim_script_t *s = r->script;
    sim_with_t with;

    memset(&with, 0, sizeof with);
    int kind = sim_find(names, GAP_ARRAY_LEN(names), sim_word(r));
    if (kind < 0)
        return sim_wrong(r,
                         "'%s' is no answer by hand: with difference, slice, empty, too-long or "
                         "state",
                         r->word);
    with.kind = (sim_with_kind_t)kind;
    with.raw = s->raw_count;
    int result = 0;
    while (result == 0 && !sim_at_end(r)) result = read_with_key(r, &with);
    if (result != 0) return result;
    result =
        sim_grow(s, (void **)&s->withs, &s->with_cap, s->with_count, sizeof with, SIM_SCRIPT_STEPS);
    if (result != 0) return result;
    s->withs[s->with_count++] = with;
    r->with = s->with_count;
    r->with_at = r->line;
    return 0;
}
