/*
 * dc/model_flood.c - how often an account may call: token buckets by rule, method, account, chat.
 *
 * A bucket is kept as the time at which it would be full again: a call moves that time on by what a
 * token takes to come, and is refused when it would move further ahead than the bucket is deep. So
 * in any window of T there are at most limit + T * limit / seconds calls.
 *
 * Owns the rules and, in the model's arena, a bucket for each account and chat that has called.
 */
#include "base/bytes.h"
#include "dc/model_int.h"
#include "tl/tl.h"

#include <gapless/tl_api.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_MAX   1000000U
#define SECONDS_MAX 1209600U /* two weeks: longer than any wait that servers are known to give */

/* --- reading rules ------------------------------------------------------------------------- */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != (uint8_t)c) return false;
    r->at++;
    return true;
}

/** The bytes up to one of these characters, or to the end. */
static gap_bytes_t take_until(struct reader *r, const char *stops)
{
    const uint8_t *start = r->at;

    while (r->at < r->end && strchr(stops, *r->at) == NULL) r->at++;
    return gap_bytes(start, (size_t)(r->at - start));
}

static bool take_number(struct reader *r, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;
    const uint8_t *start = r->at;

    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        n = n * 10 + (uint64_t)(*r->at - '0');
        if (n > max) return false;
    }
    *out = (uint32_t)n;
    return r->at > start && n >= min;
}

uint32_t dc_method_id(gap_bytes_t name)
{
    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const char *known = gap_tl_names + gap_tl_infos[i].name;
        if (gap_tl_infos[i].is_method && gap_bytes_equal(name, gap_str(known)))
            return gap_tl_infos[i].id;
    }
    return 0;
}

static bool take_methods(struct reader *r, dc_flood_rule_t *out)
{
    if (take(r, '*')) return true;
    do {
        uint32_t id = dc_method_id(take_until(r, "+:"));
        if (id == 0 || out->method_count == DC_FLOOD_METHODS_MAX) return false;
        out->methods[out->method_count++] = id;
    } while (take(r, '+'));
    return true;
}

static bool take_scope(struct reader *r, dc_flood_rule_t *out)
{
    static const struct {
        const char *name;
        dc_flood_scope_t scope;
        dc_peer_type_t type; /* DC_NOBODY: no number follows */
    } scopes[] = {{"*", DC_FLOOD_ACCOUNT, DC_NOBODY},
                  {"each", DC_FLOOD_EACH, DC_NOBODY},
                  {"user", DC_FLOOD_CHAT, DC_USER},
                  {"group", DC_FLOOD_CHAT, DC_CHAT},
                  {"channel", DC_FLOOD_CHAT, DC_CHANNEL}};
    gap_bytes_t name = take_until(r, ":");
    uint32_t n = 0;

    for (size_t i = 0; i < GAP_ARRAY_LEN(scopes); i++) {
        if (!gap_bytes_equal(name, gap_str(scopes[i].name))) continue;
        out->scope = scopes[i].scope;
        out->chat_type = (uint8_t)scopes[i].type;
        if (scopes[i].type == DC_NOBODY) return true;
        if (!take(r, ':') || !take_number(r, 1, LIMIT_MAX, &n)) return false;
        out->chat_index = n - 1;
        return true;
    }
    return false;
}

int dc_flood_rule_parse(gap_bytes_t text, dc_flood_rule_t *out, const char **expected)
{
    static const uint8_t nothing[1];
    struct reader r = {text.len > 0 ? text.data : nothing, NULL};
    dc_flood_rule_t rule;

    r.end = r.at + text.len;
    memset(&rule, 0, sizeof rule);
    *expected = "first methods like messages.sendMessage+messages.editMessage, or *";
    if (!take_methods(&r, &rule) || !take(&r, ':')) return GAP_E_ARGUMENT;
    *expected = "then what shares a bucket: *, each, user:N, group:N or channel:N";
    if (!take_scope(&r, &rule)) return GAP_E_ARGUMENT;
    *expected = "then calls and seconds like 20/60";
    if (!take(&r, ':') || !take_number(&r, 1, LIMIT_MAX, &rule.limit) || !take(&r, '/') ||
        !take_number(&r, 1, SECONDS_MAX, &rule.seconds))
        return GAP_E_ARGUMENT;
    *expected = "at the end the seconds to wait, or peer-flood, or nothing";
    if (take(&r, ':')) {
        if (gap_bytes_equal(gap_bytes(r.at, (size_t)(r.end - r.at)), gap_str("peer-flood"))) {
            rule.is_peer_flood = true;
            r.at = r.end;
        } else if (!take_number(&r, 1, SECONDS_MAX, &rule.wait_s)) {
            return GAP_E_ARGUMENT;
        }
    }
    if (r.at != r.end) return GAP_E_ARGUMENT;
    *out = rule;
    return 0;
}

/* --- buckets ------------------------------------------------------------------------------- */

/** In the arena; chained where keys collide. */
struct dc_bucket {
    struct dc_bucket *next;
    uint32_t rule;
    uint32_t account;
    dc_peer_t peer;
    int64_t full_us;   /* when all tokens are there again */
    int64_t closed_us; /* no call before then */
};

static int find_bucket(dc_model_t *m, uint32_t rule, uint32_t account, dc_peer_t peer,
                       struct dc_bucket **out)
{
    uint64_t key = gap_hash64(gap_hash64((uint64_t)rule << 32 | account) ^
                              gap_hash64((uint64_t)peer.id << 2 | (uint64_t)peer.type)) |
                   1;
    struct dc_bucket *first = gap_map_get(&m->bucket_by_key, key);

    for (struct dc_bucket *b = first; b != NULL; b = b->next) {
        *out = b;
        if (b->rule == rule && b->account == account && b->peer.id == peer.id &&
            b->peer.type == peer.type)
            return 0;
    }
    struct dc_bucket *b = dc_arena(m, sizeof *b);
    if (b == NULL) return GAP_E_NOMEM;
    *b = (struct dc_bucket){first, rule, account, peer, INT64_MIN, INT64_MIN};
    int r = gap_map_set(&m->bucket_by_key, key, b);
    if (r < 0) return r;
    *out = b;
    return 0;
}

static bool is_about(const dc_call_t *c, const dc_flood_rule_t *rule, uint32_t method,
                     dc_peer_t peer)
{
    bool named = rule->method_count == 0;
    int64_t first = rule->chat_type == DC_USER      ? DC_USER_ID_FIRST
                    : rule->chat_type == DC_CHANNEL ? DC_CHANNEL_ID_FIRST
                                                    : DC_CHAT_ID_FIRST;

    for (uint32_t i = 0; i < rule->method_count; i++) named |= rule->methods[i] == method;
    if (!named) return false;
    if (rule->scope == DC_FLOOD_ACCOUNT) return true;
    if (rule->scope == DC_FLOOD_EACH) return peer.type != DC_NOBODY;
    if (rule->chat_type == DC_CHAT) first += (int64_t)c->account * c->m->options.groups;
    return peer.type == (dc_peer_type_t)rule->chat_type && peer.id == first + rule->chat_index;
}

/** Microseconds until the bucket lets @p tokens calls through; 0: now. */
static int64_t wait_us(const dc_flood_rule_t *rule, struct dc_bucket *b, int64_t now_us,
                       uint32_t tokens)
{
    int64_t token_us = (int64_t)rule->seconds * 1000000 / rule->limit;
    /* More tokens than there ever are: the full bucket has to do. */
    int64_t spare = tokens > rule->limit ? 0 : (int64_t)(rule->limit - tokens);

    if (b->closed_us > now_us) return b->closed_us - now_us;
    int64_t wait = b->full_us == INT64_MIN ? 0 : b->full_us - spare * token_us - now_us;
    if (wait <= 0) return 0;
    if (rule->wait_s == 0) return wait;
    b->closed_us = now_us + (int64_t)rule->wait_s * 1000000;
    return b->closed_us - now_us;
}

static void pay(const dc_flood_rule_t *rule, struct dc_bucket *b, int64_t now_us, uint32_t tokens)
{
    int64_t token_us = (int64_t)rule->seconds * 1000000 / rule->limit;

    if (b->full_us < now_us) b->full_us = now_us;
    b->full_us += tokens * token_us;
}

int dc_wait_error(dc_call_t *c, const char *name, int64_t us)
{
    (void)snprintf(c->m->error, sizeof c->m->error, "%s_%lld", name,
                   (long long)((us + 999999) / 1000000));
    return dc_fail(c, 420, c->m->error);
}

int dc_flood_check(dc_call_t *c, uint32_t method)
{
    dc_model_t *m = c->m;
    struct dc_bucket *buckets[DC_FLOOD_RULES_MAX];
    bool is_peer_flood = false;
    int64_t longest = 0;
    dc_about_t about;

    if (m->flood_count == 0) return 0;
    dc_about(c->method, &about);
    uint32_t tokens = about.random_count > 1 ? about.random_count : 1;
    for (uint32_t i = 0; i < m->flood_count; i++) {
        const dc_flood_rule_t *rule = &m->floods[i];
        dc_peer_t peer = {DC_NOBODY, 0};
        buckets[i] = NULL;
        if (!is_about(c, rule, method, about.peer)) continue;
        if (rule->scope != DC_FLOOD_ACCOUNT) peer = about.peer;
        int r = find_bucket(m, i, c->account, peer, &buckets[i]);
        if (r < 0) return r;
        int64_t wait = wait_us(rule, buckets[i], c->now_us, tokens);
        is_peer_flood |= wait > 0 && rule->is_peer_flood;
        if (wait > longest) longest = wait;
    }
    if (is_peer_flood) return dc_fail(c, 400, "PEER_FLOOD");
    if (longest > 0) return dc_wait_error(c, "FLOOD_WAIT", longest);
    for (uint32_t i = 0; i < m->flood_count; i++)
        if (buckets[i] != NULL) pay(&m->floods[i], buckets[i], c->now_us, tokens);
    return 0;
}

int dc_model_flood_rule(dc_model_t *m, const dc_flood_rule_t *rule)
{
    if (rule->limit == 0 || rule->limit > LIMIT_MAX || rule->seconds == 0 ||
        rule->seconds > SECONDS_MAX || rule->method_count > DC_FLOOD_METHODS_MAX)
        return GAP_E_ARGUMENT;
    if (m->flood_count == DC_FLOOD_RULES_MAX) return GAP_E_LIMIT;
    m->floods[m->flood_count++] = *rule;
    return 0;
}

void dc_model_end_floods(dc_model_t *m)
{
    m->flood_count = 0;
    gap_map_fini(&m->bucket_by_key); /* the buckets lie in the arena */
    gap_map_init(&m->bucket_by_key, m->alloc);
}
