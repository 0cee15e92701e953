/*
 * userbot/record.c - parsing of event lines. Names (boxes, chats, texts) are kept as 64-bit hashes:
 * the verdict only compares them.
 */
#include "userbot/record.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_bytes(gap_bytes_t b)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < b.len; i++) h = (h ^ b.data[i]) * 0x100000001b3U;
    h = gap_hash64(h);
    return h != 0 ? h : 1;
}

/* Of a string's value, whichever escapes its writer chose. @return 0 when out of memory. */
static uint64_t hash_text(const json_member_t *m)
{
    if (memchr(m->value.data, '\\', m->value.len) == NULL) return hash_bytes(m->value);
    uint8_t *plain = malloc(m->value.len);
    if (plain == NULL) return 0;
    gap_bytes_t text = {plain, json_unescape(m->value, plain)};
    uint64_t hash = hash_bytes(text);
    free(plain);
    return hash;
}

static bool value_is(const json_member_t *m, const char *text)
{
    return m->value.len == strlen(text) && memcmp(m->value.data, text, m->value.len) == 0;
}

static uint8_t kind_of(const json_member_t *m)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } kinds[] = {
        {"new_message", RECORD_NEW_MESSAGE},
        {"edit_message", RECORD_EDIT_MESSAGE},
        {"delete_messages", RECORD_DELETE_MESSAGES},
        {"pin", RECORD_PIN},
        {"read", RECORD_READ},
        {"qts", RECORD_QTS},
        {"callback_query", RECORD_CALLBACK_QUERY},
        {"status", RECORD_STATUS},
        {"push", RECORD_PUSH},
        {"difference", RECORD_DIFFERENCE},
        {"call", RECORD_CALL},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (value_is(m, kinds[i].name)) return kinds[i].kind;
    }
    return RECORD_OTHER;
}

static uint8_t fate_of(const json_member_t *m)
{
    if (value_is(m, "sent")) return FATE_SENT;
    if (value_is(m, "dropped")) return FATE_DROPPED;
    if (value_is(m, "late")) return FATE_LATE;
    return value_is(m, "twice") ? FATE_TWICE : FATE_NONE;
}

struct id_list {
    int64_t *ids;
    uint32_t count;
    uint32_t cap;
    bool no_memory;
};

static void add_id(void *arg, int64_t id)
{
    struct id_list *l = arg;

    if (l->count == l->cap) {
        uint32_t cap = l->cap == 0 ? 4 : l->cap * 2;
        int64_t *ids = realloc(l->ids, cap * sizeof *ids);
        if (ids == NULL) {
            l->no_memory = true;
            return;
        }
        l->ids = ids;
        l->cap = cap;
    }
    l->ids[l->count++] = id;
}

static bool set_number(record_t *r, const json_member_t *m)
{
    int64_t v = json_number(m);

    if (json_key_is(m, "n"))
        r->n = v;
    else if (json_key_is(m, "account"))
        r->account = v;
    else if (json_key_is(m, "id"))
        r->id = v;
    else if (json_key_is(m, "max_id"))
        r->max_id = v;
    else if (json_key_is(m, "query_id"))
        r->query_id = v;
    else if (json_key_is(m, "t_us"))
        r->t_us = v;
    else if (json_key_is(m, "pts"))
        r->pts = (int32_t)v;
    else if (json_key_is(m, "pts_count"))
        r->pts_count = (int32_t)v;
    else
        return false;
    return true;
}

static void set_member(record_t *r, const json_member_t *m, struct id_list *ids)
{
    if (json_key_is(m, "query_id") && m->is_string) {
        r->query_id = json_number(m);
    } else if (!m->is_string && set_number(r, m)) {
        return;
    } else if (json_key_is(m, "kind")) {
        r->kind = kind_of(m);
    } else if (json_key_is(m, "box")) {
        r->box = hash_bytes(m->value);
        r->is_channel_box = m->value.len > 8 && memcmp(m->value.data, "channel:", 8) == 0;
    } else if (json_key_is(m, "chat")) {
        r->chat = m->is_string ? hash_bytes(m->value) : 0;
    } else if (json_key_is(m, "text")) {
        r->text = m->is_string ? hash_text(m) : 0;
        ids->no_memory |= m->is_string && r->text == 0;
    } else if (json_key_is(m, "qts") || json_key_is(m, "method")) {
        r->name = hash_bytes(m->value);
        r->is_difference_call =
            value_is(m, "updates.getDifference") || value_is(m, "updates.getChannelDifference");
    } else if (json_key_is(m, "fate")) {
        r->fate = fate_of(m);
    } else if (json_key_is(m, "pinned")) {
        r->pinned = value_is(m, "true");
    } else if (json_key_is(m, "outbox")) {
        r->outbox = value_is(m, "true");
    } else if (json_key_is(m, "maybe_repeated")) {
        r->maybe_repeated = value_is(m, "true");
    } else if (json_key_is(m, "via")) {
        r->by_push = value_is(m, "push");
    } else if (json_key_is(m, "ids") || json_key_is(m, "folded")) {
        json_numbers(m, add_id, ids);
    }
}

int record_parse(const char *text, size_t len, record_t *out)
{
    json_line_t line = json_line(text, len);
    struct id_list ids = {NULL, 0, 0, false};
    json_member_t m;
    record_t r;
    int more;

    memset(&r, 0, sizeof r);
    while ((more = json_next(&line, &m)) > 0) set_member(&r, &m, &ids);
    if (more < 0 || ids.no_memory) {
        free(ids.ids);
        return more < 0 ? GAP_E_ARGUMENT : GAP_E_NOMEM;
    }
    r.ids = ids.ids;
    r.id_count = ids.count;
    *out = r;
    return 0;
}

void record_fini(record_t *r)
{
    free(r->ids);
    r->ids = NULL;
    r->id_count = 0;
}
