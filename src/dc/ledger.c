/*
 * dc/ledger.c - the lines of the ledger.
 */
#include "dc/ledger.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const fate_names[] = {"sent", "dropped", "late", "twice"};

void dc_ledger_init(dc_ledger_t *l, const gap_alloc_t *alloc, dc_ledger_cb write, void *data)
{
    l->write = write;
    l->data = data;
    gap_buf_init(&l->line, alloc);
}

void dc_ledger_fini(dc_ledger_t *l)
{
    gap_buf_fini(&l->line);
}

static int put(dc_ledger_t *l, const char *text)
{
    return gap_buf_append(&l->line, text, strlen(text));
}

/** Formatted text of at most 255 bytes. */
GAP_PRINTF(2, 3) static int putf(dc_ledger_t *l, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    GAP_ASSERT(len >= 0);
    GAP_ASSERT((size_t)len < sizeof text);
    return gap_buf_append(&l->line, text, (size_t)len);
}

static int put_escaped(dc_ledger_t *l, uint8_t b)
{
    switch (b) {
    case '"':
        return put(l, "\\\"");
    case '\\':
        return put(l, "\\\\");
    case '\n':
        return put(l, "\\n");
    case '\r':
        return put(l, "\\r");
    case '\t':
        return put(l, "\\t");
    default:
        return putf(l, "\\u%04x", b);
    }
}

/** A JSON string; the text is UTF-8 and passes as it is but for quotes and control characters. */
static int put_string(dc_ledger_t *l, gap_bytes_t s)
{
    size_t from = 0;
    int r = put(l, "\"");

    for (size_t i = 0; i < s.len && r == 0; i++) {
        if (s.data[i] >= 0x20 && s.data[i] != '"' && s.data[i] != '\\' && s.data[i] != 0x7f)
            continue;
        r = gap_buf_append(&l->line, s.data + from, i - from);
        if (r == 0) r = put_escaped(l, s.data[i]);
        from = i + 1;
    }
    if (r == 0 && from < s.len) r = gap_buf_append(&l->line, s.data + from, s.len - from);
    return r < 0 ? r : put(l, "\"");
}

static int flush(dc_ledger_t *l, int r)
{
    if (r == 0) r = put(l, "}\n");
    if (r < 0) return r;
    gap_bytes_t line = gap_buf_view(&l->line);
    return l->write(l->data, (const char *)line.data, line.len);
}

static int put_box(dc_ledger_t *l, dc_box_t box, int64_t channel)
{
    switch (box) {
    case DC_BOX_COMMON:
        return put(l, ",\"box\":\"common\"");
    case DC_BOX_QTS:
        return put(l, ",\"box\":\"qts\"");
    case DC_BOX_CHANNEL:
        return putf(l, ",\"box\":\"channel:%" PRId64 "\"", channel);
    case DC_BOX_NONE:
        break;
    }
    return put(l, ",\"box\":\"none\"");
}

static int put_chat(dc_ledger_t *l, dc_peer_t chat)
{
    static const char *const names[] = {"", "user", "chat", "channel"};

    if (chat.type == DC_NOBODY) return put(l, ",\"chat\":null");
    return putf(l, ",\"chat\":\"%s:%" PRId64 "\"", names[chat.type], chat.id);
}

static int put_ids(dc_ledger_t *l, const dc_event_t *e)
{
    int r = 0;

    if (e->id != 0) r = putf(l, ",\"id\":%" PRId32, e->id);
    if (e->ids_count == 0 || r < 0) return r;
    r = put(l, ",\"ids\":[");
    for (uint32_t i = 0; i < e->ids_count && r == 0; i++)
        r = putf(l, i == 0 ? "%" PRId32 : ",%" PRId32, e->ids[i]);
    return r < 0 ? r : put(l, "]");
}

/** What only some kinds have. */
static int put_details(dc_ledger_t *l, const dc_event_t *e)
{
    int r = 0;

    switch (e->kind) {
    case DC_NEW_MESSAGE:
    case DC_EDIT_MESSAGE:
        r = put(l, ",\"text\":");
        if (r == 0) r = put_string(l, e->text);
        if (r == 0 && e->out) r = put(l, ",\"out\":true");
        return r;
    case DC_PIN:
        return put(l, e->pinned ? ",\"pinned\":true" : ",\"pinned\":false");
    case DC_READ:
        return putf(l, ",\"max_id\":%" PRId32 ",\"outbox\":%s", e->max_id,
                    e->outbox ? "true" : "false");
    case DC_QTS:
        return putf(l, ",\"qts\":\"%s\"", e->qts);
    case DC_CALLBACK_QUERY:
        return putf(l, ",\"query_id\":%" PRId64, e->query_id);
    case DC_DELETE_MESSAGES:
    case DC_STATUS:
    case DC_KINDS:
        break;
    }
    return 0;
}

int dc_ledger_event(dc_ledger_t *l, const dc_event_t *e, int64_t t_us)
{
    if (l->write == NULL) return 0;
    gap_buf_clear(&l->line);
    int r = putf(l, "{\"n\":%" PRIu32 ",\"kind\":\"%s\"", e->n, dc_kind_name(e->kind));
    if (r == 0) {
        r = e->account == 0 ? put(l, ",\"account\":null")
                            : putf(l, ",\"account\":%" PRId64, e->account);
    }
    if (r == 0) r = put_box(l, e->box, e->chat.id);
    if (r == 0) r = putf(l, ",\"pts\":%" PRId32 ",\"pts_count\":%" PRId32, e->pts, e->pts_count);
    if (r == 0) r = put_chat(l, e->chat);
    if (r == 0 && e->from != 0) r = putf(l, ",\"from\":%" PRId64, e->from);
    if (r == 0) r = put_ids(l, e);
    if (r == 0) r = put_details(l, e);
    if (r == 0) r = putf(l, ",\"t_us\":%" PRId64, t_us);
    return flush(l, r);
}

int dc_ledger_push(dc_ledger_t *l, uint32_t n, int64_t account, dc_fate_t fate, int64_t t_us)
{
    if (l->write == NULL) return 0;
    gap_buf_clear(&l->line);
    int r = putf(l,
                 "{\"kind\":\"push\",\"n\":%" PRIu32 ",\"account\":%" PRId64
                 ",\"fate\":\"%s\",\"t_us\":%" PRId64,
                 n, account, fate_names[fate], t_us);
    return flush(l, r);
}

static int difference_line(dc_ledger_t *l, int64_t account, const dc_range_t *range,
                           const uint32_t *folded, uint32_t count)
{
    gap_buf_clear(&l->line);
    int r = putf(l, "{\"kind\":\"difference\",\"account\":%" PRId64, account);
    if (r == 0) r = put_box(l, range->box, range->channel);
    if (r == 0)
        r = putf(l, ",\"from\":%" PRId32 ",\"to\":%" PRId32 ",\"folded\":[", range->from,
                 range->to);
    for (uint32_t i = 0; i < count && r == 0; i++)
        r = putf(l, i == 0 ? "%" PRIu32 : ",%" PRIu32, folded[i]);
    if (r == 0) r = put(l, "]");
    return flush(l, r);
}

int dc_ledger_difference(dc_ledger_t *l, int64_t account, const dc_answer_t *a)
{
    if (l->write == NULL) return 0;
    for (uint32_t i = 0; i < a->range_count; i++) {
        int r = difference_line(l, account, &a->ranges[i], a->folded, i == 0 ? a->folded_count : 0);
        if (r < 0) return r;
    }
    return 0;
}

int dc_ledger_call(dc_ledger_t *l, int64_t account, const char *method, int64_t channel,
                   const char *error, int64_t t_us)
{
    if (l->write == NULL) return 0;
    gap_buf_clear(&l->line);
    int r = putf(l, "{\"kind\":\"call\",\"account\":%" PRId64 ",\"method\":", account);
    if (r == 0)
        r = put_string(
            l, gap_bytes(method == NULL ? "" : method, method == NULL ? 0 : strlen(method)));
    if (r == 0 && channel != 0) r = putf(l, ",\"channel\":%" PRId64, channel);
    if (r == 0) r = putf(l, ",\"t_us\":%" PRId64, t_us);
    if (r == 0 && error != NULL) {
        r = put(l, ",\"error\":");
        if (r == 0) r = put_string(l, gap_bytes(error, strlen(error)));
    }
    return flush(l, r);
}
