/*
 * userbot/row_text.c - writes rows of an outbox. Owns nothing.
 */
#include "userbot/row_text.h"

#include "base/bytes.h"
#include "userbot/json.h"

#include <inttypes.h>

const char *row_state(gap_outbox_state_t state)
{
    static const char *const names[] = {
        [GAP_OUTBOX_READY] = "ready",   [GAP_OUTBOX_SNOOZED] = "snoozed",
        [GAP_OUTBOX_LEASED] = "leased", [GAP_OUTBOX_UNKNOWN] = "unknown",
        [GAP_OUTBOX_SENT] = "sent",     [GAP_OUTBOX_PARKED] = "parked",
        [GAP_OUTBOX_DEAD] = "dead",     [GAP_OUTBOX_CANCELLED] = "cancelled",
    };
    size_t i = (size_t)state;

    return i < GAP_ARRAY_LEN(names) && names[i] != NULL ? names[i] : "?";
}

const char *row_kind(gap_outbox_kind_t kind)
{
    static const char *const names[] = {
        [GAP_OUTBOX_SEND] = "send",       [GAP_OUTBOX_MEDIA] = "media",
        [GAP_OUTBOX_EDIT] = "edit",       [GAP_OUTBOX_DELETE] = "delete",
        [GAP_OUTBOX_FORWARD] = "forward", [GAP_OUTBOX_PIN] = "pin",
        [GAP_OUTBOX_READ] = "read",       [GAP_OUTBOX_REACT] = "react",
        [GAP_OUTBOX_RAW] = "raw",         [GAP_OUTBOX_POST] = "post",
    };
    size_t i = (size_t)kind;

    return i < GAP_ARRAY_LEN(names) && names[i] != NULL ? names[i] : "?";
}

const char *row_chat(gap_peer_t chat, char out[ROW_CHAT_MAX])
{
    const char *kind = chat.kind == GAP_PEER_USER   ? "user"
                       : chat.kind == GAP_PEER_CHAT ? "chat"
                                                    : "channel";

    if (chat.kind == GAP_PEER_NONE) return "-";
    (void)snprintf(out, ROW_CHAT_MAX, "%s:%" PRId64, kind, chat.id);
    return out;
}

static void put_text(FILE *out, const char *name, gap_bytes_t text)
{
    if (text.len == 0) return;
    (void)fprintf(out, ",\"%s\":", name);
    json_put_string(out, text);
}

static void put_number(FILE *out, const char *name, int64_t number)
{
    if (number != 0) (void)fprintf(out, ",\"%s\":%" PRId64, name, number);
}

void row_put_json(FILE *out, const gap_outbox_row_t *row)
{
    char chat[ROW_CHAT_MAX];

    (void)fprintf(out, "{\"event\":\"row\",\"row\":%" PRId64 ",\"state\":\"%s\",\"kind\":\"%s\"",
                  row->row, row_state(row->state), row_kind(row->kind));
    if (row->chat.kind == GAP_PEER_NONE) {
        (void)fputs(",\"chat\":null", out);
    } else {
        (void)fprintf(out, ",\"chat\":\"%s\"", row_chat(row->chat, chat));
    }
    put_text(out, "post", row->post);
    put_text(out, "key", row->key);
    put_number(out, "message_id", row->message_id);
    (void)fprintf(out, ",\"attempts\":%" PRIu32, row->attempts);
    put_number(out, "not_before_us", row->not_before_us);
    put_number(out, "deadline_us", row->deadline_us);
    put_number(out, "done_us", row->done_us);
    put_number(out, "error", row->error);
    put_text(out, "reason", row->reason);
}
