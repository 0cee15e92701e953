/*
 * dc_oracle_book.c - books, the text of the ledger read back, and the book that the ledger alone
 * gives: every event carried out in its order, nothing else known.
 */
#include "dc_oracle.h"

void *oracle_grow(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) return items;
    *cap = *cap == 0 ? 16 : *cap * 2;
    void *p = realloc(items, *cap * size);
    oracle_check(p != NULL);
    return p;
}

void oracle_book_fini(struct oracle_book *b)
{
    free(b->entries);
    free(b->marks);
    free(b->news);
    free(b->qts);
    free(b->queries);
    memset(b, 0, sizeof *b);
}

static int64_t store_of(dc_peer_t chat)
{
    return chat.type == DC_CHANNEL ? chat.id : 0;
}

struct oracle_entry *oracle_find(struct oracle_book *b, int64_t store, int32_t id, bool create)
{
    for (size_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].store == store && b->entries[i].id == id) return &b->entries[i];
    if (!create) return NULL;
    b->entries = oracle_grow(b->entries, b->entry_count, &b->entry_cap, sizeof *b->entries);
    struct oracle_entry *e = &b->entries[b->entry_count++];
    memset(e, 0, sizeof *e);
    e->store = store;
    e->id = id;
    return e;
}

void oracle_book_text(struct oracle_book *b, dc_peer_t chat, int32_t id, gap_bytes_t text)
{
    struct oracle_entry *e = oracle_find(b, store_of(chat), id, true);

    oracle_check_msg(!e->deleted, "message %d of %lld comes after its delete", id,
                     (long long)e->store);
    oracle_check(text.len < ORACLE_TEXT_MAX);
    e->chat = chat;
    e->known = true;
    memset(e->text, 0, sizeof e->text);
    if (text.len > 0) memcpy(e->text, text.data, text.len);
}

void oracle_book_new(struct oracle_book *b, dc_peer_t chat, int32_t id, gap_bytes_t text)
{
    struct oracle_news news = {store_of(chat), chat, id};

    oracle_book_text(b, chat, id, text);
    b->news = oracle_grow(b->news, b->news_count, &b->news_cap, sizeof *b->news);
    b->news[b->news_count++] = news;
}

void oracle_book_delete(struct oracle_book *b, int64_t store, int32_t id)
{
    struct oracle_entry *e = oracle_find(b, store, id, true);

    e->deleted = true;
    e->pinned = false;
}

void oracle_book_pin(struct oracle_book *b, dc_peer_t chat, int32_t id, bool pinned)
{
    struct oracle_entry *e = oracle_find(b, store_of(chat), id, true);

    oracle_check_msg(!e->deleted, "pin of the deleted message %d", id);
    e->chat = chat;
    e->pinned = pinned;
}

void oracle_book_read(struct oracle_book *b, dc_peer_t chat, bool outbox, int32_t max_id)
{
    struct oracle_mark mark = {chat, outbox, max_id};

    for (size_t i = 0; i < b->mark_count; i++) {
        struct oracle_mark *m = &b->marks[i];
        if (!oracle_same(m->chat, chat) || m->outbox != outbox) continue;
        if (m->max_id < max_id) m->max_id = max_id;
        return;
    }
    b->marks = oracle_grow(b->marks, b->mark_count, &b->mark_cap, sizeof *b->marks);
    b->marks[b->mark_count++] = mark;
}

void oracle_book_qts(struct oracle_book *b, int32_t qts, const char *name)
{
    b->qts = oracle_grow(b->qts, b->qts_count, &b->qts_cap, sizeof *b->qts);
    struct oracle_qts *q = &b->qts[b->qts_count++];
    memset(q, 0, sizeof *q);
    q->qts = qts;
    snprintf(q->name, sizeof q->name, "%s", name);
}

void oracle_book_query(struct oracle_book *b, int64_t query_id)
{
    b->queries = oracle_grow(b->queries, b->query_count, &b->query_cap, sizeof *b->queries);
    b->queries[b->query_count++] = query_id;
}

/* --- JSON ---------------------------------------------------------------------------------- */

static const char *expect(const char *p, char c)
{
    oracle_check_msg(*p == c, "ledger: '%c' expected at: %.60s", c, p);
    return p + 1;
}

/* Into out, NUL-terminated; the length in *len. */
static const char *string(const char *p, char *out, size_t cap, size_t *len)
{
    size_t n = 0;

    for (p = expect(p, '"'); *p != '"'; p++) {
        char c = *p;
        oracle_check_msg((unsigned char)c >= 0x20, "ledger: control character in a string");
        if (c == '\\') {
            c = *++p;
            if (c == 'n')
                c = '\n';
            else if (c == 'r')
                c = '\r';
            else if (c == 't')
                c = '\t';
            else if (c == 'u') {
                char hex[5] = {p[1], p[2], p[3], p[4], 0};
                long v = strtol(hex, NULL, 16);
                oracle_check_msg(v < 0x80, "ledger: \\u%s is not needed", hex);
                c = (char)v;
                p += 4;
            } else
                oracle_check_msg(c == '"' || c == '\\' || c == '/', "ledger: \\%c", c);
        }
        oracle_check_msg(n + 1 < cap, "ledger: a long string");
        out[n++] = c;
    }
    out[n] = 0;
    if (len != NULL) *len = n;
    return p + 1;
}

static const char *number(const char *p, int64_t *out)
{
    char *end;

    *out = strtoll(p, &end, 10);
    oracle_check_msg(end != p, "ledger: number expected at: %.60s", p);
    return end;
}

static dc_peer_t peer_text(const char *s)
{
    static const struct {
        const char *head;
        dc_peer_type_t type;
    } heads[] = {{"user:", DC_USER}, {"chat:", DC_CHAT}, {"channel:", DC_CHANNEL}};

    for (size_t i = 0; i < 3; i++)
        if (strncmp(s, heads[i].head, strlen(heads[i].head)) == 0)
            return (dc_peer_t){heads[i].type, strtoll(s + strlen(heads[i].head), NULL, 10)};
    oracle_stop("ledger: chat %s", s);
    return (dc_peer_t){DC_NOBODY, 0};
}

static void short_text(char *out, size_t cap, const char *value, size_t len)
{
    oracle_check(len < cap);
    memcpy(out, value, len + 1);
}

static void take_string(struct oracle_line *l, const char *key, const char *value, size_t len)
{
    if (strcmp(key, "kind") == 0)
        short_text(l->kind, sizeof l->kind, value, len);
    else if (strcmp(key, "chat") == 0)
        l->chat = peer_text(value);
    else if (strcmp(key, "qts") == 0)
        short_text(l->qts, sizeof l->qts, value, len);
    else if (strcmp(key, "text") == 0) {
        memcpy(l->text, value, len + 1);
        l->text_len = len;
    } else if (strcmp(key, "box") == 0) {
        if (strcmp(value, "common") == 0)
            l->box = DC_BOX_COMMON;
        else if (strcmp(value, "qts") == 0)
            l->box = DC_BOX_QTS;
        else if (strcmp(value, "none") == 0)
            l->box = DC_BOX_NONE;
        else {
            l->box = DC_BOX_CHANNEL;
            l->channel = peer_text(value).id;
        }
    }
}

static void take_number(struct oracle_line *l, const char *key, int64_t v)
{
    if (strcmp(key, "n") == 0)
        l->n = (uint32_t)v;
    else if (strcmp(key, "account") == 0)
        l->account = v;
    else if (strcmp(key, "pts") == 0)
        l->pts = (int32_t)v;
    else if (strcmp(key, "pts_count") == 0)
        l->pts_count = (int32_t)v;
    else if (strcmp(key, "from") == 0)
        l->from = v;
    else if (strcmp(key, "to") == 0)
        l->to = (int32_t)v;
    else if (strcmp(key, "id") == 0)
        l->id = (int32_t)v;
    else if (strcmp(key, "max_id") == 0)
        l->max_id = (int32_t)v;
    else if (strcmp(key, "query_id") == 0)
        l->query_id = v;
    else if (strcmp(key, "t_us") == 0)
        l->t_us = v;
}

static void take_bool(struct oracle_line *l, const char *key, bool v)
{
    if (strcmp(key, "out") == 0)
        l->out = v;
    else if (strcmp(key, "pinned") == 0)
        l->pinned = v;
    else if (strcmp(key, "outbox") == 0)
        l->outbox = v;
}

static const char *list(struct oracle_line *l, const char *p)
{
    p = expect(p, '[');
    while (*p != ']') {
        int64_t v;
        p = number(p, &v);
        l->list = oracle_grow(l->list, l->list_count, &l->list_cap, sizeof *l->list);
        l->list[l->list_count++] = (int32_t)v;
        if (*p == ',') p++;
    }
    return p + 1;
}

static const char *value(struct oracle_line *l, const char *key, const char *p)
{
    char text[ORACLE_TEXT_MAX];
    size_t len;
    int64_t v;

    if (*p == '"') {
        p = string(p, text, sizeof text, &len);
        take_string(l, key, text, len);
        return p;
    }
    if (*p == '[') return list(l, p);
    if (strncmp(p, "null", 4) == 0) return p + 4;
    if (strncmp(p, "true", 4) == 0 || strncmp(p, "false", 5) == 0) {
        take_bool(l, key, *p == 't');
        return p + (*p == 't' ? 4 : 5);
    }
    p = number(p, &v);
    take_number(l, key, v);
    return p;
}

int oracle_ledger_line(void *data, const char *bytes, size_t len)
{
    struct oracle_ledger *l = data;
    char *copy = strndup(bytes, len);
    const char *p = expect(copy, '{');
    char key[32];

    l->lines = oracle_grow(l->lines, l->count, &l->cap, sizeof *l->lines);
    struct oracle_line *line = &l->lines[l->count++];
    memset(line, 0, sizeof *line);
    for (;;) {
        p = expect(string(p, key, sizeof key, NULL), ':');
        p = value(line, key, p);
        if (*p != ',') break;
        p++;
    }
    p = expect(expect(p, '}'), '\n');
    oracle_check(*p == 0);
    line->event = strcmp(line->kind, "push") != 0 && strcmp(line->kind, "difference") != 0 &&
                  strcmp(line->kind, "call") != 0;
    /* `ids` stands where it is about several; one has `id`. */
    if (line->event && line->list_count == 0 && line->id != 0) {
        line->list = oracle_grow(line->list, 0, &line->list_cap, sizeof *line->list);
        line->list[line->list_count++] = line->id;
    }
    free(copy);
    return 0;
}

void oracle_ledger_fini(struct oracle_ledger *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->lines[i].list);
    free(l->lines);
    memset(l, 0, sizeof *l);
}

/* --- what follows from the ledger ---------------------------------------------------------- */

bool oracle_in_box(const struct oracle_line *l, dc_box_t box, int64_t account, int64_t channel)
{
    if (!l->event || l->box != box) return false;
    return box == DC_BOX_CHANNEL ? l->channel == channel : l->account == account;
}

int32_t oracle_last_pts(const struct oracle_ledger *l, dc_box_t box, int64_t account,
                        int64_t channel)
{
    int32_t pts = 1;

    for (size_t i = 0; i < l->count; i++)
        if (oracle_in_box(&l->lines[i], box, account, channel)) pts = l->lines[i].pts;
    return pts;
}

static void carry_out(const struct oracle_line *l, struct oracle_book *b)
{
    gap_bytes_t text = {(const uint8_t *)l->text, l->text_len};
    int64_t store = l->box == DC_BOX_CHANNEL ? l->channel : 0;

    if (strcmp(l->kind, "new_message") == 0)
        oracle_book_new(b, l->chat, l->id, text);
    else if (strcmp(l->kind, "edit_message") == 0)
        oracle_book_text(b, l->chat, l->id, text);
    else if (strcmp(l->kind, "delete_messages") == 0)
        for (size_t i = 0; i < l->list_count; i++) oracle_book_delete(b, store, l->list[i]);
    else if (strcmp(l->kind, "pin") == 0)
        for (size_t i = 0; i < l->list_count; i++)
            oracle_book_pin(b, l->chat, l->list[i], l->pinned);
    else if (strcmp(l->kind, "read") == 0)
        oracle_book_read(b, l->chat, l->outbox, l->max_id);
    else if (strcmp(l->kind, "qts") == 0)
        oracle_book_qts(b, l->pts, l->qts);
    else
        oracle_stop("ledger: %s in a box", l->kind);
}

void oracle_expect(const struct oracle_ledger *l, dc_box_t box, int64_t account, int64_t channel,
                   int32_t from, struct oracle_book *b)
{
    for (size_t i = 0; i < l->count; i++)
        if (oracle_in_box(&l->lines[i], box, account, channel) && l->lines[i].pts > from)
            carry_out(&l->lines[i], b);
}

/* A delete names the chat of its messages, or none where they are of several. */
static void delete_law(const struct oracle_ledger *l, size_t i)
{
    const struct oracle_line *me = &l->lines[i];
    dc_peer_t chat = {DC_NOBODY, 0};
    size_t found = 0;
    bool several = false;

    for (size_t k = 0; k < i; k++) {
        const struct oracle_line *o = &l->lines[k];
        if (strcmp(o->kind, "new_message") != 0 ||
            !oracle_in_box(o, me->box, me->account, me->channel))
            continue;
        for (size_t n = 0; n < me->list_count; n++) {
            if (me->list[n] != o->id) continue;
            several = several || (found > 0 && !oracle_same(chat, o->chat));
            chat = o->chat;
            found++;
        }
    }
    oracle_check(found == me->list_count);
    oracle_check(several ? me->chat.type == DC_NOBODY : oracle_same(me->chat, chat));
}

/* Line i against all before it. */
static void line_laws(const struct oracle_ledger *l, size_t i)
{
    const struct oracle_line *me = &l->lines[i];
    int32_t pts = 1;
    int32_t id = 0;

    for (size_t k = 0; k < i; k++) {
        const struct oracle_line *o = &l->lines[k];
        if (!oracle_in_box(o, me->box, me->account, me->channel)) continue;
        pts = o->pts;
        if (strcmp(o->kind, "new_message") == 0) id = o->id;
        if (strcmp(me->kind, "edit_message") == 0 && o->text_len > 0)
            oracle_check(strcmp(me->text, o->text) != 0);
    }
    oracle_check_msg(me->pts == pts + me->pts_count, "event %u ends at %d after %d", me->n, me->pts,
                     pts);
    if (strcmp(me->kind, "new_message") == 0) oracle_check(me->id == id + 1);
    if (strcmp(me->kind, "delete_messages") == 0) delete_law(l, i);
    if (strcmp(me->kind, "delete_messages") == 0)
        oracle_check(me->pts_count == (int32_t)me->list_count);
    else if (me->box != DC_BOX_CHANNEL || strcmp(me->kind, "read") != 0)
        oracle_check(me->pts_count == 1);
}

void oracle_ledger_laws(const struct oracle_ledger *l)
{
    uint32_t n = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (!l->lines[i].event) continue;
        oracle_check(l->lines[i].n == n + 1);
        n = l->lines[i].n;
        if (l->lines[i].box != DC_BOX_NONE) line_laws(l, i);
    }
}
