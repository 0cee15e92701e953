/*
 * outbox/answer.c - what the server's answer means for a row: errors by the table of errors.c,
 * results by what is in them. Owns nothing, allocates nothing.
 */
#include "outbox/answer.h"

#include "base/bytes.h"
#include "outbox/errors.h"
#include "tl/cursor.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <stdio.h>

/** Of an error's name at most so much is told. */
#define NAME_MAX_LEN 40

/* ---- updates in answers ---- */

/* Takes an update; the cursor stands in front of its first field. @return 0 go on. */
typedef int (*update_cb)(void *arg, gap_tl_cursor_t *update);

/* The name of the field that holds an object's updates; NULL: it has none. */
static const char *updates_field(uint32_t id)
{
    switch (id) {
    case GAP_TL_UPDATES:
    case GAP_TL_UPDATES_COMBINED:
    case GAP_TL_MESSAGES_INVITED_USERS:
    case GAP_TL_PAYMENTS_PAYMENT_RESULT:
        return "updates";
    case GAP_TL_UPDATE_SHORT:
        return "update";
    case GAP_TL_UPDATES_DIFFERENCE:
    case GAP_TL_UPDATES_DIFFERENCE_SLICE:
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE:
        return "other_updates";
    default:
        return NULL;
    }
}

static int each_update(gap_tl_cursor_t *c, update_cb each, void *arg);

/* What the cursor is in front of: an update, or in some answers an Updates. */
static int one_update(gap_tl_cursor_t *c, update_cb each, void *arg)
{
    gap_tl_cursor_t child;

    int r = gap_tl_cursor_enter(c, &child);
    if (r < 0) return r;
    r = updates_field(child.id) != NULL ? each_update(&child, each, arg) : each(arg, &child);
    return r == 0 ? gap_tl_cursor_leave(c, &child, NULL) : r;
}

static int each_update(gap_tl_cursor_t *c, update_cb each, void *arg)
{
    const char *name = updates_field(c->id);
    uint32_t count;

    if (name == NULL) return 0;
    int r = gap_tl_cursor_to(c, gap_tl_field_number(c->id, name));
    if (r < 0) return r;
    if (c->field->kind != GAP_TL_K_VECTOR) return one_update(c, each, arg);
    r = gap_tl_cursor_vector(c, &count);
    for (; r == 0 && count > 0; count--) r = one_update(c, each, arg);
    return r;
}

static int field_int(gap_tl_cursor_t *c, const char *name, int32_t *out)
{
    int r = gap_tl_cursor_to(c, gap_tl_field_number(c->id, name));

    if (r <= 0) return r < 0 ? r : GAP_E_TL;
    return gap_tl_cursor_int(c, out);
}

struct ids {
    gap_message_id_cb each;
    void *arg;
};

static int tell_id(void *arg, gap_tl_cursor_t *update)
{
    const struct ids *ids = arg;
    int32_t id;
    int64_t random_id;

    if (update->id != GAP_TL_UPDATE_MESSAGE_ID) return 0;
    int r = field_int(update, "id", &id);
    if (r < 0) return r;
    r = gap_tl_cursor_to(update, gap_tl_field_number(update->id, "random_id"));
    if (r <= 0) return r < 0 ? r : GAP_E_TL;
    r = gap_tl_cursor_long(update, &random_id);
    return r < 0 ? r : ids->each(ids->arg, random_id, id);
}

int gap_outbox_message_ids(gap_bytes_t object, gap_message_id_cb each, void *arg)
{
    struct ids ids = {each, arg};
    gap_tl_cursor_t c;

    int r = gap_tl_cursor_open(&c, object);
    if (r < 0) return r;
    return each_update(&c, tell_id, &ids);
}

/* ---- results ---- */

/* Which messages came of a call. */
struct made {
    int64_t random_ids[GAP_OUTBOX_IDS_MAX];
    int32_t ids[GAP_OUTBOX_IDS_MAX]; /* by the random id of that place; 0: none */
    uint32_t count;                  /* asked for */
    uint32_t parts;                  /* of these, made */
    uint32_t messages;               /* new ones that came along */
    int32_t message;                 /* the last of these */
};

static int note_id(void *arg, int64_t random_id, int32_t id)
{
    struct made *m = arg;

    for (uint32_t i = 0; i < m->count; i++) {
        if (m->random_ids[i] != random_id || m->ids[i] != 0 || id <= 0) continue;
        m->ids[i] = id;
        m->parts++;
    }
    return 0;
}

static int note_message(void *arg, gap_tl_cursor_t *update)
{
    struct made *m = arg;
    gap_tl_cursor_t message;
    int32_t id = 0;

    if (update->id != GAP_TL_UPDATE_NEW_MESSAGE &&
        update->id != GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE &&
        update->id != GAP_TL_UPDATE_NEW_SCHEDULED_MESSAGE)
        return 0;
    int r = gap_tl_cursor_to(update, gap_tl_field_number(update->id, "message"));
    if (r >= 0) r = gap_tl_cursor_enter(update, &message);
    if (r == 0 && message.id == GAP_TL_MESSAGE) r = field_int(&message, "id", &id);
    if (r < 0 || id <= 0) return r;
    m->messages++;
    m->message = id;
    return gap_tl_cursor_leave(update, &message, NULL);
}

/* A message of the account's own, told in short. */
static int note_short(gap_bytes_t object, struct made *m)
{
    gap_tl_update_short_sent_message_t sent;

    int64_t r = gap_tl_read(object, GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &sent, sizeof sent);
    if (r < 0) return (int)r;
    if (sent.id > 0) {
        m->messages = 1;
        m->message = sent.id;
    }
    return 0;
}

static int note_all(gap_tl_object_t object, struct made *m)
{
    gap_bytes_t bytes = gap_tl_bytes(object);
    gap_tl_cursor_t c;

    if (object.id == GAP_TL_UPDATE_SHORT_SENT_MESSAGE) return note_short(bytes, m);
    int r = gap_outbox_message_ids(bytes, note_id, m);
    if (r == 0) r = gap_tl_cursor_open(&c, bytes);
    return r == 0 ? each_update(&c, note_message, m) : r;
}

/* The first message made; 0: it can't be found. An answer about one message that names no random_id
 * is about that message. */
static int32_t first_made(struct made *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->ids[i] != 0) return m->ids[i];
    if (m->count != 1 || m->messages != 1) return 0;
    m->parts = 1;
    return m->message;
}

static void say(struct gap_outcome *out, const char *text)
{
    (void)snprintf(out->reason, sizeof out->reason, "%s", text);
}

static void judge_made(gap_tl_object_t object, const struct gap_asked *asked,
                       struct gap_outcome *out)
{
    struct made m;

    memset(&m, 0, sizeof m);
    m.count = asked->random_ids < GAP_OUTBOX_IDS_MAX ? asked->random_ids : GAP_OUTBOX_IDS_MAX;
    for (uint32_t i = 0; i < m.count; i++)
        m.random_ids[i] = gap_outbox_random_at(asked->random_id, i);
    int r = note_all(object, &m);
    out->message_id = r < 0 ? 0 : first_made(&m);
    out->parts = r < 0 ? 0 : m.parts;
    out->kind = GAP_OUTCOME_SENT;
    if (out->message_id != 0 && out->parts < asked->random_ids && asked->kind != GAP_OUTBOX_RAW)
        (void)snprintf(out->reason, sizeof out->reason,
                       "%u of %u messages were forwarded; the others are not there any more",
                       out->parts, asked->random_ids);
    if (out->message_id != 0 || asked->kind == GAP_OUTBOX_RAW) return;
    out->kind = GAP_OUTCOME_RETRY; /* the server leaves out what is done, and tells the id */
    out->maybe_done = true;
    out->seconds = GAP_WAIT_SECONDS_MIN;
    out->error = r < 0 ? r : GAP_E_TL;
    say(out, "it was sent, but the server's answer does not say as which message; it is asked "
             "again with the same random_id");
}

/* Did a deletion or a reading find anything to do? */
static bool is_idle(gap_tl_object_t object)
{
    gap_tl_messages_affected_messages_t deleted;
    gap_tl_messages_affected_history_t history;

    if (object.id == GAP_TL_MESSAGES_AFFECTED_MESSAGES)
        return GAP_TL_READ(object, GAP_TL_MESSAGES_AFFECTED_MESSAGES, &deleted) > 0 &&
               deleted.pts_count == 0;
    if (object.id == GAP_TL_MESSAGES_AFFECTED_HISTORY)
        return GAP_TL_READ(object, GAP_TL_MESSAGES_AFFECTED_HISTORY, &history) > 0 &&
               history.pts_count == 0;
    return object.id == GAP_MT_BOOL_FALSE;
}

static void judge_result(gap_tl_object_t object, const struct gap_asked *asked,
                         struct gap_outcome *out)
{
    bool is_done = asked->kind == GAP_OUTBOX_DELETE || asked->kind == GAP_OUTBOX_READ;

    if (asked->random_ids > 0) {
        judge_made(object, asked, out);
        return;
    }
    out->kind = is_done && is_idle(object) ? GAP_OUTCOME_UNCHANGED : GAP_OUTCOME_SENT;
    out->message_id = asked->message_id;
    if (out->kind == GAP_OUTCOME_UNCHANGED) say(out, "it was so already");
}

/* ---- errors ---- */

static uint32_t clamp_seconds(int32_t value)
{
    if (value < (int32_t)GAP_WAIT_SECONDS_MIN) return GAP_WAIT_SECONDS_MIN;
    return value > (int32_t)GAP_WAIT_SECONDS_MAX ? GAP_WAIT_SECONDS_MAX : (uint32_t)value;
}

static bool is_writing(gap_outbox_kind_t kind)
{
    return kind == GAP_OUTBOX_SEND || kind == GAP_OUTBOX_MEDIA || kind == GAP_OUTBOX_FORWARD ||
           kind == GAP_OUTBOX_EDIT;
}

static bool may_repeat(const struct gap_asked *asked)
{
    return asked->replay == GAP_REPLAY_RANDOM_ID || asked->replay == GAP_REPLAY_IDEMPOTENT;
}

static enum gap_outcome_kind outcome_of(enum gap_error_what what, const struct gap_asked *asked)
{
    switch (what) {
    case GAP_ERROR_SAME:
        return GAP_OUTCOME_UNCHANGED;
    case GAP_ERROR_METHOD:
    case GAP_ERROR_SENDING:
    case GAP_ERROR_MOMENT:
        return GAP_OUTCOME_WAIT;
    case GAP_ERROR_DUPLICATE:
        return asked->random_id != 0 ? GAP_OUTCOME_DUPLICATE : GAP_OUTCOME_RETRY;
    case GAP_ERROR_RETRY:
        return GAP_OUTCOME_RETRY;
    case GAP_ERROR_TROUBLE:
        return may_repeat(asked) ? GAP_OUTCOME_RETRY : GAP_OUTCOME_UNKNOWN;
    case GAP_ERROR_ROW:
        return GAP_OUTCOME_PARK_ROW;
    case GAP_ERROR_CHAT:
        return GAP_OUTCOME_PARK_CHAT;
    case GAP_ERROR_RIGHT:
        return is_writing(asked->kind) ? GAP_OUTCOME_PARK_CHAT : GAP_OUTCOME_PARK_ROW;
    case GAP_ERROR_STOP:
        return GAP_OUTCOME_STOP_BULK;
    case GAP_ERROR_LOST:
        if (asked->kind == GAP_OUTBOX_EDIT) return GAP_OUTCOME_GONE;
        return asked->kind == GAP_OUTBOX_DELETE ? GAP_OUTCOME_UNCHANGED : GAP_OUTCOME_PARK_ROW;
    case GAP_ERROR_EXPIRED:
        return asked->kind == GAP_OUTBOX_EDIT ? GAP_OUTCOME_EXPIRED : GAP_OUTCOME_PARK_ROW;
    case GAP_ERROR_OVER:
        break;
    }
    return asked->repeated ? GAP_OUTCOME_UNCHANGED : GAP_OUTCOME_DEAD;
}

/* Only what such a name is made of. */
static void copy_name(const char *name, char out[NAME_MAX_LEN + 1])
{
    size_t n = 0;

    for (; n < NAME_MAX_LEN && name[n] != '\0'; n++) {
        char c = name[n];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == ' ';
        out[n] = plain ? c : '?';
    }
    out[n] = '\0';
}

static void judge_error(const gap_result_t *result, const struct gap_asked *asked,
                        struct gap_outcome *out)
{
    const struct gap_error_line *line = gap_error_line(result->rpc_name, result->rpc_code);
    char name[NAME_MAX_LEN + 1];

    out->kind = outcome_of(line->what, asked);
    out->error = result->rpc_code;
    if (out->kind == GAP_OUTCOME_WAIT || out->kind == GAP_OUTCOME_RETRY)
        out->seconds = clamp_seconds(result->rpc_value);
    out->maybe_done = out->kind == GAP_OUTCOME_RETRY && line->what == GAP_ERROR_TROUBLE;
    if (out->kind == GAP_OUTCOME_DUPLICATE) out->seconds = GAP_DUPLICATE_SECONDS;
    if (line->what == GAP_ERROR_METHOD) out->scope = GAP_WAIT_METHOD;
    if (line->what == GAP_ERROR_SENDING) out->scope = GAP_WAIT_SENDING;
    if (out->kind == GAP_OUTCOME_UNCHANGED) out->message_id = asked->message_id;
    copy_name(result->rpc_name, name);
    (void)snprintf(out->reason, sizeof out->reason, "%s (%s)", line->reason, name);
}

/* It was answered, in words that are not known: then it was done. */
static void judge_unreadable(int status, const struct gap_asked *asked, struct gap_outcome *out)
{
    gap_tl_object_t nothing = {NULL, 0, NULL, 0};

    if (asked->random_ids > 0)
        judge_made(nothing, asked, out);
    else
        judge_result(nothing, asked, out);
    out->error = status;
}

static void judge_silence(int status, const struct gap_asked *asked, struct gap_outcome *out)
{
    out->kind = GAP_OUTCOME_UNKNOWN;
    out->error = status;
    (void)snprintf(out->reason, sizeof out->reason, "%s: %s", gap_strerror(status),
                   may_repeat(asked)                   ? "it is sent again, which does no harm"
                   : asked->replay == GAP_REPLAY_PROBE ? "whether it was done is looked up first"
                                                       : "it may have been done; look, then "
                                                         "retry or cancel the row");
}

void gap_outbox_judge(const gap_result_t *result, const struct gap_asked *asked,
                      struct gap_outcome *out)
{
    *out = (struct gap_outcome){.kind = GAP_OUTCOME_UNKNOWN};
    if (result->status == GAP_E_RPC)
        judge_error(result, asked, out);
    else if (result->status == GAP_E_TL || result->status == GAP_E_TL_ID)
        judge_unreadable(result->status, asked, out);
    else if (result->status < 0)
        judge_silence(result->status, asked, out);
    else
        judge_result(result->object, asked, out);
}

/* ---- probes ---- */

enum pinned { PINNED_GONE, PINNED_NO, PINNED_YES };

/* Look for the message in a vector of them. */
static int look_at_messages(gap_tl_cursor_t *c, int32_t id, enum pinned *out)
{
    gap_tl_cursor_t message;
    uint32_t count;

    int r = gap_tl_cursor_vector(c, &count);
    for (; r == 0 && count > 0; count--) {
        int32_t this_id = 0;
        r = gap_tl_cursor_enter(c, &message);
        if (r == 0 && message.id != GAP_TL_MESSAGE_EMPTY) r = field_int(&message, "id", &this_id);
        bool is_pinned =
            message.id == GAP_TL_MESSAGE && (message.flags & GAP_TL_MESSAGE_F_PINNED) != 0;
        if (r == 0 && this_id == id) *out = is_pinned ? PINNED_YES : PINNED_NO;
        if (r == 0) r = gap_tl_cursor_leave(c, &message, NULL);
    }
    return r;
}

static int look_for(gap_tl_object_t object, int32_t id, enum pinned *out)
{
    gap_tl_cursor_t c;

    if (object.id != GAP_TL_MESSAGES_MESSAGES && object.id != GAP_TL_MESSAGES_MESSAGES_SLICE &&
        object.id != GAP_TL_MESSAGES_CHANNEL_MESSAGES)
        return GAP_E_TL;
    int r = gap_tl_cursor_open(&c, gap_tl_bytes(object));
    if (r == 0) r = gap_tl_cursor_to(&c, gap_tl_field_number(object.id, "messages"));
    return r < 0 ? r : look_at_messages(&c, id, out);
}

void gap_outbox_probe_judge(const gap_result_t *result, const struct gap_asked *asked,
                            struct gap_outcome *out)
{
    struct gap_asked question = *asked;
    enum pinned pinned = PINNED_GONE;

    question.replay = GAP_REPLAY_IDEMPOTENT; /* to ask changes nothing */
    gap_outbox_judge(result, &question, out);
    if (out->kind != GAP_OUTCOME_SENT) return;
    *out = (struct gap_outcome){.kind = GAP_OUTCOME_SENT, .message_id = asked->message_id};
    int r =
        result->status < 0 ? result->status : look_for(result->object, asked->message_id, &pinned);
    if (r < 0) {
        out->kind = GAP_OUTCOME_RETRY;
        out->seconds = GAP_WAIT_SECONDS_MIN;
        out->error = r;
        say(out, "whether the message is pinned can't be read from the server's answer");
    } else if (pinned == PINNED_GONE) {
        out->kind = GAP_OUTCOME_PARK_ROW;
        say(out, "the message that was to be pinned is not there any more; cancel the row");
    } else if (pinned == PINNED_NO) {
        out->kind = GAP_OUTCOME_NOT_YET;
    }
}
