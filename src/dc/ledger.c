/*
 * dc/ledger.c - the lines of the ledger.
 *
 * A line's greatest length is known before it is written: the buffer is made that long first, and
 * nothing after it can fail.
 */
#include "dc/ledger.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <string.h>

#define FIXED_BYTES 512 /* all of a line but its texts and lists */
#define ESCAPE_MAX  6   /* bytes that one byte of text may become */
#define NUMBER_MAX  22  /* bytes of a number and a comma */

static const char *const fate_names[] = {"sent", "dropped", "late", "twice"};

void dc_ledger_init(dc_ledger_t *l, const gap_alloc_t *alloc, dc_ledger_cb write, void *data)
{
    l->write = write;
    l->data = data;
    l->dc = 0;
    gap_buf_init(&l->line, alloc);
}

void dc_ledger_fini(dc_ledger_t *l)
{
    gap_buf_fini(&l->line);
}

/* --- writing into what was reserved -------------------------------------------------------- */

static void put_bytes(dc_ledger_t *l, const void *bytes, size_t n)
{
    GAP_ASSERT(n <= l->line.cap - l->line.len);
    memcpy(l->line.data + l->line.len, bytes, n);
    l->line.len += n;
}

static void put(dc_ledger_t *l, const char *text)
{
    put_bytes(l, text, strlen(text));
}

static void put_number(dc_ledger_t *l, int64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    if (v < 0) put(l, "-");
    do {
        digits[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    put_bytes(l, digits + at, sizeof digits - at);
}

/** `,"name":123` */
static void put_field(dc_ledger_t *l, const char *head, int64_t v)
{
    put(l, head);
    put_number(l, v);
}

static void put_escaped(dc_ledger_t *l, uint8_t b)
{
    static const char hex[] = "0123456789abcdef";

    switch (b) {
    case '"':
        put(l, "\\\"");
        return;
    case '\\':
        put(l, "\\\\");
        return;
    case '\n':
        put(l, "\\n");
        return;
    case '\r':
        put(l, "\\r");
        return;
    case '\t':
        put(l, "\\t");
        return;
    default:
        put(l, "\\u00");
        put_bytes(l, &hex[b >> 4], 1);
        put_bytes(l, &hex[b & 15], 1);
    }
}

/** A JSON string; the text is UTF-8 and passes as it is but for quotes and control characters. */
static void put_string(dc_ledger_t *l, gap_bytes_t s)
{
    size_t from = 0;

    put(l, "\"");
    for (size_t i = 0; i < s.len; i++) {
        uint8_t b = s.data[i];
        if (b >= 0x20 && b != '"' && b != '\\' && b != 0x7f) continue;
        put_bytes(l, s.data + from, i - from);
        put_escaped(l, b);
        from = i + 1;
    }
    if (from < s.len) put_bytes(l, s.data + from, s.len - from);
    put(l, "\"");
}

static int begin(dc_ledger_t *l, size_t texts, size_t numbers)
{
    gap_buf_clear(&l->line);
    return gap_buf_reserve(&l->line, FIXED_BYTES + texts * ESCAPE_MAX + numbers * NUMBER_MAX);
}

static int end(dc_ledger_t *l)
{
    put(l, "}\n");
    gap_bytes_t line = gap_buf_view(&l->line);
    return l->write(l->data, (const char *)line.data, line.len);
}

/* --- parts of lines ------------------------------------------------------------------------ */

static void put_box(dc_ledger_t *l, dc_box_t box, int64_t channel)
{
    switch (box) {
    case DC_BOX_COMMON:
        put(l, ",\"box\":\"common\"");
        return;
    case DC_BOX_QTS:
        put(l, ",\"box\":\"qts\"");
        return;
    case DC_BOX_CHANNEL:
        put_field(l, ",\"box\":\"channel:", channel);
        put(l, "\"");
        return;
    case DC_BOX_NONE:
        put(l, ",\"box\":\"none\"");
    }
}

static void put_peer(dc_ledger_t *l, const char *head, dc_peer_t peer)
{
    static const char *const types[] = {"null", "\"user:", "\"chat:", "\"channel:"};

    put(l, head);
    put(l, types[peer.type]);
    if (peer.type == DC_NOBODY) return;
    put_number(l, peer.id);
    put(l, "\"");
}

static void put_ids(dc_ledger_t *l, const dc_event_t *e)
{
    if (e->id != 0) put_field(l, ",\"id\":", e->id);
    if (e->ids_count == 0) return;
    for (uint32_t i = 0; i < e->ids_count; i++)
        put_field(l, i == 0 ? ",\"ids\":[" : ",", e->ids[i]);
    put(l, "]");
}

/** Where an entity begins and how long it is: at the same place in all but those with flags. */
static void put_bounds(dc_ledger_t *l, gap_bytes_t mark)
{
    uint32_t id = gap_load32(mark.data);
    size_t at = id == GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE || id == GAP_TL_MESSAGE_ENTITY_FORMATTED_DATE
                    ? 8
                    : 4;

    put_field(l, " ", gap_load32(mark.data + at));
    put_field(l, "+", gap_load32(mark.data + at + 4));
}

/** "Bold 0+4, TextUrl 5+3": every entity, with where it begins and its length in UTF-16 units. */
static void put_marks(dc_ledger_t *l, gap_bytes_t marks)
{
    static const char prefix[] = "messageEntity";
    const char *head = ",\"marks\":\"";

    if (marks.len == 0) return;
    while (marks.len > 0) {
        int64_t len = gap_tl_skip(marks);
        GAP_ASSERT(len > 0); /* they were checked when they came */
        const char *name = gap_tl_name(gap_load32(marks.data));
        put(l, head);
        put(l, strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name);
        put_bounds(l, marks);
        marks = gap_bytes(marks.data + len, marks.len - (size_t)len);
        head = ", ";
    }
    put(l, "\"");
}

/** The addresses that its text leads to, in their order. */
static void put_urls(dc_ledger_t *l, gap_bytes_t marks)
{
    gap_tl_message_entity_text_url_t url;
    bool is_first = true;

    while (marks.len > 0) {
        int64_t len = gap_tl_skip(marks);
        GAP_ASSERT(len > 0); /* they were checked when they came */
        if (gap_tl_read(marks, GAP_TL_MESSAGE_ENTITY_TEXT_URL, &url, sizeof url) > 0) {
            put(l, is_first ? ",\"urls\":[" : ",");
            put_string(l, url.url);
            is_first = false;
        }
        marks = gap_bytes(marks.data + len, marks.len - (size_t)len);
    }
    if (!is_first) put(l, "]");
}

/** What only some kinds have. */
static void put_details(dc_ledger_t *l, const dc_event_t *e)
{
    switch (e->kind) {
    case DC_NEW_MESSAGE:
    case DC_EDIT_MESSAGE:
        put(l, ",\"text\":");
        put_string(l, e->text);
        if (e->media != DC_MEDIA_NONE)
            put_field(l,
                      e->media == DC_MEDIA_PHOTO ? ",\"media\":\"photo:" : ",\"media\":\"document:",
                      e->media_id);
        if (e->media != DC_MEDIA_NONE) put(l, "\"");
        if (e->entities > 0) put_field(l, ",\"entities\":", e->entities);
        put_marks(l, e->marks);
        put_urls(l, e->marks);
        if (e->fwd_n != 0) put_field(l, ",\"forward_of\":", e->fwd_n);
        if (e->out) put(l, ",\"out\":true");
        break;
    case DC_PIN:
        put(l, e->pinned ? ",\"pinned\":true" : ",\"pinned\":false");
        break;
    case DC_READ:
        put_field(l, ",\"max_id\":", e->max_id);
        put(l, e->outbox ? ",\"outbox\":true" : ",\"outbox\":false");
        break;
    case DC_QTS:
        put(l, ",\"qts\":\"");
        put(l, e->qts);
        put(l, "\"");
        break;
    case DC_CALLBACK_QUERY:
        put_field(l, ",\"query_id\":", e->query_id);
        break;
    case DC_DELETE_MESSAGES:
    case DC_STATUS:
    case DC_KINDS:
        break;
    }
}

/* --- lines --------------------------------------------------------------------------------- */

int dc_ledger_event(dc_ledger_t *l, const dc_event_t *e, int64_t t_us)
{
    if (l->write == NULL) return 0;
    int r = begin(l, e->text.len + e->marks.len, e->ids_count);
    if (r < 0) return r;
    put_field(l, "{\"n\":", e->n);
    put(l, ",\"kind\":\"");
    put(l, dc_kind_name(e->kind));
    if (e->account == 0)
        put(l, "\",\"account\":null");
    else
        put_field(l, "\",\"account\":", e->account);
    put_box(l, e->box, e->chat.id);
    put_field(l, ",\"pts\":", e->pts);
    put_field(l, ",\"pts_count\":", e->pts_count);
    put_peer(l, ",\"chat\":", e->chat);
    if (e->from != 0) put_field(l, ",\"from\":", e->from);
    put_ids(l, e);
    put_details(l, e);
    if (e->poison) put(l, ",\"poison\":true");
    if (e->random_id != 0) put_field(l, ",\"random_id\":", e->random_id);
    if (e->by_call) put(l, ",\"via\":\"call\"");
    put_field(l, ",\"t_us\":", t_us);
    return end(l);
}

int dc_ledger_push(dc_ledger_t *l, uint32_t n, int64_t account, dc_fate_t fate, int64_t t_us)
{
    if (l->write == NULL) return 0;
    int r = begin(l, 0, 0);
    if (r < 0) return r;
    put_field(l, "{\"kind\":\"push\",\"n\":", n);
    put_field(l, ",\"account\":", account);
    put(l, ",\"fate\":\"");
    put(l, fate_names[fate]);
    put_field(l, "\",\"t_us\":", t_us);
    return end(l);
}

static int difference_line(dc_ledger_t *l, int64_t account, const dc_range_t *range,
                           const uint32_t *folded, uint32_t count)
{
    int r = begin(l, 0, count);

    if (r < 0) return r;
    put_field(l, "{\"kind\":\"difference\",\"account\":", account);
    put_box(l, range->box, range->channel);
    put_field(l, ",\"from\":", range->from);
    put_field(l, ",\"to\":", range->to);
    put(l, ",\"folded\":[");
    for (uint32_t i = 0; i < count; i++) put_field(l, i == 0 ? "" : ",", folded[i]);
    put(l, "]");
    return end(l);
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

/** What the call is about. */
static void put_about(dc_ledger_t *l, const dc_ledger_call_t *c)
{
    const dc_about_t *a = c->about;

    if (c->msg_id != 0) put_field(l, ",\"msg_id\":", c->msg_id);
    if (a != NULL && a->peer.type != DC_NOBODY) put_peer(l, ",\"peer\":", a->peer);
    if (a != NULL && a->random_count == 1) put_field(l, ",\"random_id\":", a->random_ids[0]);
    if (a != NULL && a->random_count > 1) {
        for (uint32_t i = 0; i < a->random_count; i++)
            put_field(l, i == 0 ? ",\"random_ids\":[" : ",", a->random_ids[i]);
        put(l, "]");
    }
    if (c->id != 0) put_field(l, ",\"id\":", c->id);
    if (a != NULL && a->max_id != 0) put_field(l, ",\"max_id\":", a->max_id);
}

int dc_ledger_call(dc_ledger_t *l, const dc_ledger_call_t *c, int64_t t_us)
{
    gap_bytes_t name = gap_bytes(c->method, c->method == NULL ? 0 : strlen(c->method));
    gap_bytes_t what = gap_bytes(c->error, c->error == NULL ? 0 : strlen(c->error));

    if (l->write == NULL) return 0;
    int r = begin(l, name.len + what.len, c->about == NULL ? 0 : c->about->random_count);
    if (r < 0) return r;
    put_field(l, "{\"kind\":\"call\",\"account\":", c->account);
    put(l, ",\"method\":");
    put_string(l, name);
    if (c->channel != 0) put_field(l, ",\"channel\":", c->channel);
    if (l->dc != 0) put_field(l, ",\"dc\":", l->dc);
    put_about(l, c);
    put_field(l, ",\"t_us\":", t_us);
    if (c->error != NULL) {
        put(l, ",\"error\":");
        put_string(l, what);
    }
    if (c->answer != NULL) {
        put(l, ",\"answer\":\"");
        put(l, c->answer);
        put(l, "\"");
    }
    if (c->late_us != 0) put_field(l, ",\"late_us\":", (int64_t)c->late_us);
    return end(l);
}
