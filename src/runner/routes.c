/*
 * runner/routes.c - the routes of one router. Pure; owns rules, index and the room for patterns.
 *
 * Every route stands in the lists of one kind: that of its filter's most telling member. An update
 * looks its lists up by what it is itself, and goes through them side by side, in the order in
 * which routes were added. What a list is by is a hash: routes whose hashes collide share a list,
 * and the filter is checked in full for each of them.
 */
#include "runner/routes.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

/* What lists are by. */
enum route_by { BY_COMMAND = 0, BY_DATA, BY_CHAT, BY_ID, BY_KIND, BY_KINDS };

#define ROOM_MIN 256

void gap_routes_init(struct gap_routes *r, const gap_alloc_t *alloc)
{
    memset(r, 0, sizeof *r);
    r->alloc = alloc;
    gap_map_init(&r->index, alloc);
}

static void rule_fini(const gap_alloc_t *alloc, struct gap_rule *rule)
{
    gap_free(alloc, rule->pattern);
    gap_free(alloc, rule->block);
}

void gap_routes_fini(struct gap_routes *r)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    for (uint32_t i = 0; i < r->count; i++) rule_fini(r->alloc, &r->rules[i]);
    gap_free(r->alloc, r->rules);
    while (gap_map_next(&r->index, &it, &key, &value)) {
        struct gap_route_list *list = value;
        gap_free(r->alloc, list->items);
        gap_free(r->alloc, list);
    }
    gap_map_fini(&r->index);
    gap_free(r->alloc, r->any.items);
    gap_free(r->alloc, r->room);
    gap_routes_init(r, r->alloc);
}

/* ---- compiling a filter ---- */

/* What is copied goes into one block, arrays first. */
struct block {
    uint8_t *at;
};

static void *block_take(struct block *b, const void *from, size_t len)
{
    uint8_t *to = b->at;

    if (len > 0) memcpy(to, from, len);
    b->at += len;
    return to;
}

static size_t text_len(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

static gap_bytes_t block_text(struct block *b, const char *text)
{
    size_t len = text_len(text);
    return gap_bytes(len == 0 ? NULL : block_take(b, text, len), len);
}

static bool is_command(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > GAP_COMMAND_MAX) return false;
    for (size_t i = 0; i < len; i++) {
        if (!gap_is_name((uint8_t)text[i])) return false;
    }
    return true;
}

static int check_filter(const gap_filter_t *f)
{
    if (f->command != NULL && !is_command(f->command)) return GAP_E_ARGUMENT;
    if (f->prefix != NULL && f->prefix[0] == 0) return GAP_E_ARGUMENT;
    if (f->data_prefix != NULL && f->data_prefix[0] == 0) return GAP_E_ARGUMENT;
    if (f->id_count > GAP_ROUTES_MAX || f->chat_count > GAP_ROUTES_MAX) return GAP_E_LIMIT;
    return 0;
}

static int rule_block(const gap_alloc_t *alloc, struct gap_rule *rule, const gap_filter_t *f)
{
    size_t chats = f->chat_count * sizeof *f->chats;
    size_t ids = f->id_count * sizeof *f->ids;
    size_t data = f->data == NULL ? 0 : f->data->len;
    size_t texts = text_len(f->prefix) + text_len(f->data_prefix) + text_len(f->command);

    rule->block = gap_malloc(alloc, chats + ids + data + texts + 1);
    if (rule->block == NULL) return GAP_E_NOMEM;
    struct block b = {rule->block};
    rule->route.filter.chats = block_take(&b, f->chats, chats);
    rule->route.filter.ids = block_take(&b, f->ids, ids);
    rule->prefix = block_text(&b, f->prefix);
    rule->data_prefix = block_text(&b, f->data_prefix);
    rule->command = block_text(&b, f->command);
    if (f->data != NULL) rule->data = gap_bytes(block_take(&b, f->data->data, data), data);
    return 0;
}

static int rule_init(const gap_alloc_t *alloc, struct gap_rule *rule, const gap_route_t *route)
{
    const gap_filter_t *f = &route->filter;

    memset(rule, 0, sizeof *rule);
    int r = check_filter(f);
    if (r < 0) return r;
    rule->route = *route;
    r = rule_block(alloc, rule, f);
    if (r < 0) return r;
    if (f->pattern != NULL) {
        rule->pattern = gap_malloc(alloc, sizeof *rule->pattern);
        r = rule->pattern == NULL ? GAP_E_NOMEM
                                  : gap_pattern_compile(rule->pattern, f->pattern, f->ignore_case);
        if (r < 0) {
            rule_fini(alloc, rule);
            return r;
        }
    }
    /* A command is a new message's, unless the filter says otherwise. */
    if (f->command != NULL && f->kinds == 0 && f->id_count == 0)
        rule->route.filter.kinds = GAP_KIND_MESSAGE;
    return 0;
}

/* ---- the index ---- */

static uint64_t key_of(enum route_by by, uint64_t value)
{
    uint64_t key = gap_hash64(value + ((uint64_t)by + 1) * UINT64_C(0x9e3779b97f4a7c15));
    return key == 0 ? 1 : key;
}

static uint64_t hash_bytes(gap_bytes_t bytes, bool fold)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes.len; i++) {
        h ^= fold ? gap_fold(bytes.data[i]) : bytes.data[i];
        h *= UINT64_C(0x100000001b3);
    }
    return h;
}

static uint64_t chat_value(gap_peer_t chat)
{
    return ((uint64_t)chat.id << 2) ^ (uint64_t)chat.kind;
}

static int list_append(const gap_alloc_t *alloc, struct gap_route_list *list, uint32_t number)
{
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 4 : 2 * list->cap;
        uint32_t *items = gap_realloc(alloc, list->items, cap * sizeof *items);
        if (items == NULL) return GAP_E_NOMEM;
        list->items = items;
        list->cap = cap;
    }
    if (list->count > 0 && list->items[list->count - 1] == number) return 0; /* named twice */
    list->items[list->count++] = number;
    return 0;
}

static int index_append(struct gap_routes *r, uint64_t key, uint32_t number)
{
    struct gap_route_list *list = gap_map_get(&r->index, key);

    if (list == NULL) {
        list = gap_calloc(r->alloc, 1, sizeof *list);
        if (list == NULL) return GAP_E_NOMEM;
        if (gap_map_set(&r->index, key, list) < 0) {
            gap_free(r->alloc, list);
            return GAP_E_NOMEM;
        }
    }
    return list_append(r->alloc, list, number);
}

/* What a rule is listed by, and under how many keys. */
static enum route_by rule_by(const struct gap_rule *rule, size_t *count)
{
    const gap_filter_t *f = &rule->route.filter;

    *count = 1;
    if (f->command != NULL) return BY_COMMAND;
    if (f->data != NULL) return BY_DATA;
    if (f->chat_count > 0) {
        *count = f->chat_count;
        return BY_CHAT;
    }
    if (f->id_count > 0) {
        *count = f->id_count;
        return BY_ID;
    }
    *count = 32;
    return f->kinds != 0 ? BY_KIND : BY_KINDS;
}

/* Its key number @p i; 0: there is none. */
static uint64_t rule_key(const struct gap_rule *rule, enum route_by by, size_t i)
{
    const gap_filter_t *f = &rule->route.filter;

    switch (by) {
    case BY_COMMAND:
        return key_of(by, hash_bytes(rule->command, true));
    case BY_DATA:
        return key_of(by, hash_bytes(rule->data, false));
    case BY_CHAT:
        return key_of(by, chat_value(f->chats[i]));
    case BY_ID:
        return key_of(by, f->ids[i]);
    default:
        return (f->kinds >> i & 1) != 0 ? key_of(BY_KIND, UINT64_C(1) << i) : 0;
    }
}

/* Out of all lists again. */
static void index_undo(struct gap_routes *r, const struct gap_rule *rule, enum route_by by,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t key = rule_key(rule, by, i);
        struct gap_route_list *list = key == 0 ? NULL : gap_map_get(&r->index, key);
        if (list != NULL && list->count > 0 && list->items[list->count - 1] == r->count)
            list->count--;
    }
}

static int index_rule(struct gap_routes *r, const struct gap_rule *rule)
{
    size_t count;
    enum route_by by = rule_by(rule, &count);

    if (by == BY_KINDS) return list_append(r->alloc, &r->any, r->count);
    for (size_t i = 0; i < count; i++) {
        uint64_t key = rule_key(rule, by, i);
        int status = key == 0 ? 0 : index_append(r, key, r->count);
        if (status < 0) {
            index_undo(r, rule, by, i);
            return status;
        }
    }
    r->by |= 1U << by;
    return 0;
}

int gap_routes_add(struct gap_routes *r, const gap_route_t *route)
{
    struct gap_rule rule;

    if (r->count == GAP_ROUTES_MAX) return GAP_E_LIMIT;
    if (r->count == r->cap) {
        uint32_t cap = r->cap == 0 ? 16 : 2 * r->cap;
        struct gap_rule *rules = gap_realloc(r->alloc, r->rules, cap * sizeof *rules);
        if (rules == NULL) return GAP_E_NOMEM;
        r->rules = rules;
        r->cap = cap;
    }
    int status = rule_init(r->alloc, &rule, route);
    if (status < 0) return status;
    status = index_rule(r, &rule);
    if (status < 0) {
        rule_fini(r->alloc, &rule);
        return status;
    }
    r->rules[r->count++] = rule;
    return 0;
}

/* ---- matching ---- */

static bool has_id(const gap_filter_t *f, uint32_t id)
{
    for (size_t i = 0; i < f->id_count; i++) {
        if (f->ids[i] == id) return true;
    }
    return f->id_count == 0;
}

static bool has_chat(const gap_filter_t *f, gap_peer_t chat)
{
    for (size_t i = 0; i < f->chat_count; i++) {
        if (f->chats[i].id == chat.id && f->chats[i].kind == chat.kind) return true;
    }
    return f->chat_count == 0;
}

static bool begins(gap_bytes_t text, gap_bytes_t prefix, bool fold)
{
    if (text.len < prefix.len) return false;
    gap_bytes_t head = gap_bytes(text.data, prefix.len);
    return fold ? gap_bytes_equal_fold(head, prefix) : gap_bytes_equal(head, prefix);
}

static gap_bytes_t behind(gap_bytes_t text, size_t len)
{
    return gap_bytes(text.len == len ? NULL : text.data + len, text.len - len);
}

static int match_pattern(struct gap_routes *r, const struct gap_rule *rule, struct gap_facts *f)
{
    gap_bytes_t text = f->message.text;

    if (text.len > GAP_PATTERN_TEXT_MAX) return 0;
    if (text.len >= r->room_cap) {
        size_t cap = r->room_cap == 0 ? ROOM_MIN : r->room_cap;
        while (cap <= text.len) cap *= 2;
        struct gap_pattern_set *room = gap_realloc(r->alloc, r->room, cap * sizeof *room);
        if (room == NULL) return GAP_E_NOMEM;
        r->room = room;
        r->room_cap = cap;
    }
    if (!gap_pattern_match(rule->pattern, r->room, text, f->captures)) return 0;
    f->match.capture_count = rule->pattern->captures;
    return 1;
}

/* What is about the text. @return 1, 0, GAP_E_NOMEM. */
static int fits_text(struct gap_routes *r, const struct gap_rule *rule, struct gap_facts *f)
{
    bool fold = rule->route.filter.ignore_case;

    if (rule->prefix.len == 0 && rule->pattern == NULL) return 1;
    if (f->match.message == NULL) return 0;
    if (rule->prefix.len > 0) {
        if (!begins(f->message.text, rule->prefix, fold)) return 0;
        f->match.rest = behind(f->message.text, rule->prefix.len);
    }
    return rule->pattern == NULL ? 1 : match_pattern(r, rule, f);
}

/* @return 1, 0, GAP_E_NOMEM. */
static int fits(struct gap_routes *r, const struct gap_rule *rule, struct gap_facts *f)
{
    const gap_filter_t *filter = &rule->route.filter;
    bool callback = f->kind == GAP_KIND_CALLBACK;

    if (filter->kinds != 0 && (filter->kinds & f->kind) == 0) return 0;
    if (!has_id(filter, f->id) || !has_chat(filter, f->match.chat)) return 0;
    if (filter->chat_kinds != 0 && (filter->chat_kinds & gap_facts_chat_kinds(f)) == 0) return 0;
    if (filter->incoming && (f->match.message == NULL || f->message.out)) return 0;
    if (filter->command != NULL && !gap_bytes_equal_fold(rule->command, f->match.command)) return 0;
    if (filter->data != NULL && !(callback && gap_bytes_equal(rule->data, f->match.data))) return 0;
    f->match.rest = gap_bytes(NULL, 0);
    f->match.capture_count = 0;
    if (rule->data_prefix.len > 0) {
        if (!callback || !begins(f->match.data, rule->data_prefix, filter->ignore_case)) return 0;
        f->match.rest = behind(f->match.data, rule->data_prefix.len);
    }
    return fits_text(r, rule, f);
}

/* The lists that an update goes through. */
struct merge {
    const struct gap_route_list *lists[BY_KINDS + 1];
    uint32_t at[BY_KINDS + 1];
    unsigned count;
};

static void merge_add(struct merge *m, const struct gap_route_list *list, uint32_t from)
{
    uint32_t low = 0;

    if (list == NULL || list->count == 0 || list->items[list->count - 1] < from) return;
    for (uint32_t high = list->count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (list->items[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    m->lists[m->count] = list;
    m->at[m->count++] = low;
}

static void merge_by(const struct gap_routes *r, struct merge *m, enum route_by by, uint64_t value,
                     uint32_t from)
{
    if ((r->by & 1U << by) != 0) merge_add(m, gap_map_get(&r->index, key_of(by, value)), from);
}

static void merge_init(const struct gap_routes *r, struct merge *m, const struct gap_facts *f,
                       uint32_t from)
{
    m->count = 0;
    if (f->match.command.len > 0 && (r->by & 1U << BY_COMMAND) != 0)
        merge_by(r, m, BY_COMMAND, hash_bytes(f->match.command, true), from);
    if (f->kind == GAP_KIND_CALLBACK && (r->by & 1U << BY_DATA) != 0)
        merge_by(r, m, BY_DATA, hash_bytes(f->match.data, false), from);
    if (f->match.chat.kind != GAP_PEER_NONE)
        merge_by(r, m, BY_CHAT, chat_value(f->match.chat), from);
    merge_by(r, m, BY_ID, f->id, from);
    merge_by(r, m, BY_KIND, f->kind, from);
    merge_add(m, &r->any, from);
}

/* The lowest number that is left. @return false: none. */
static bool merge_next(struct merge *m, uint32_t *out)
{
    uint32_t best = UINT32_MAX;

    for (unsigned i = 0; i < m->count; i++) {
        const struct gap_route_list *list = m->lists[i];
        if (m->at[i] < list->count && list->items[m->at[i]] < best) best = list->items[m->at[i]];
    }
    for (unsigned i = 0; i < m->count; i++) {
        const struct gap_route_list *list = m->lists[i];
        if (m->at[i] < list->count && list->items[m->at[i]] == best) m->at[i]++;
    }
    *out = best;
    return best != UINT32_MAX;
}

int gap_routes_next(struct gap_routes *r, struct gap_facts *f, uint32_t *at,
                    const struct gap_rule **out)
{
    struct merge m;
    uint32_t number;

    merge_init(r, &m, f, *at);
    while (merge_next(&m, &number)) {
        GAP_ASSERT(number < r->count);
        int status = fits(r, &r->rules[number], f);
        if (status == 0) continue;
        if (status < 0) return status;
        *at = number + 1;
        *out = &r->rules[number];
        return 1;
    }
    return 0;
}
