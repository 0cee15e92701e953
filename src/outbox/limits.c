/*
 * outbox/limits.c - the account's bucket and those of chats that are not full.
 */
#include "outbox/limits.h"

#include "base/assert.h"

#define PER_SLAB 64
/** Of chats that are kept, how many are looked at with each take, so that full ones leave. */
#define SWEEP 2

struct gap_limits_chat {
    TAILQ_ENTRY(gap_limits_chat) next;
    int64_t chat;
    struct gap_bucket bucket;
};

/* INT64_MIN is no chat, so that no key is 0. */
static uint64_t key_of(int64_t chat)
{
    return (uint64_t)chat ^ (uint64_t)INT64_MIN;
}

void gap_limits_init(struct gap_limits *l, const gap_alloc_t *alloc,
                     const gap_outbox_config_t *config, int64_t now_us)
{
    static const gap_outbox_config_t none;

    if (config == NULL) config = &none;
    l->alloc = alloc;
    l->account_rate = gap_rate_of(&config->account, GAP_RATE_ACCOUNT);
    l->user_rate = gap_rate_of(&config->user, GAP_RATE_USER);
    l->group_rate = gap_rate_of(&config->group, GAP_RATE_GROUP);
    gap_bucket_init(&l->account, &l->account_rate, INT64_MAX, now_us);
    gap_map_init(&l->map, alloc);
    gap_pool_init(&l->pool, alloc, sizeof(struct gap_limits_chat), PER_SLAB);
    TAILQ_INIT(&l->chats);
    l->chats_max = GAP_LIMITS_CHATS_MAX;
    l->opened_us = now_us;
    l->bare_until_us = INT64_MIN;
    gap_gates_init(&l->gates, alloc);
    l->bulk_stopped = false;
}

void gap_limits_fini(struct gap_limits *l)
{
    gap_map_fini(&l->map);
    gap_pool_fini(&l->pool);
    TAILQ_INIT(&l->chats);
    gap_gates_fini(&l->gates);
}

void gap_limits_stop_bulk(struct gap_limits *l, bool stopped)
{
    l->bulk_stopped = stopped;
}

const struct gap_rate *gap_limits_rate(const struct gap_limits *l, int64_t chat)
{
    return chat > 0 ? &l->user_rate : &l->group_rate;
}

uint32_t gap_limits_keep(const struct gap_limits *l, gap_outbox_class_t urgency)
{
    uint32_t fifths = urgency == GAP_OUTBOX_REPLY ? 0 : urgency == GAP_OUTBOX_EDITS ? 1 : 2;

    return l->account_rate.burst * fifths / 5;
}

/* ---- chats ---- */

static void forget(struct gap_limits *l, struct gap_limits_chat *c)
{
    TAILQ_REMOVE(&l->chats, c, next);
    (void)gap_map_remove(&l->map, key_of(c->chat));
    gap_pool_put(&l->pool, c);
}

static void sweep(struct gap_limits *l, int64_t now_us)
{
    for (int i = 0; i < SWEEP && !TAILQ_EMPTY(&l->chats); i++) {
        struct gap_limits_chat *c = TAILQ_FIRST(&l->chats);
        if (gap_bucket_full(&c->bucket, gap_limits_rate(l, c->chat), now_us)) {
            forget(l, c);
        } else {
            TAILQ_REMOVE(&l->chats, c, next);
            TAILQ_INSERT_TAIL(&l->chats, c, next);
        }
    }
}

void gap_limits_trim(struct gap_limits *l, int64_t now_us)
{
    struct gap_limits_chat *c = TAILQ_FIRST(&l->chats);

    while (c != NULL) {
        struct gap_limits_chat *next = TAILQ_NEXT(c, next);
        if (gap_bucket_full(&c->bucket, gap_limits_rate(l, c->chat), now_us)) forget(l, c);
        c = next;
    }
    if (!TAILQ_EMPTY(&l->chats)) return;
    gap_pool_trim(&l->pool);
    gap_map_fini(&l->map);
}

/* Make room by forgetting one that is not full: until it would be, nobody unknown may pass. */
static bool make_room(struct gap_limits *l, int64_t now_us)
{
    struct gap_limits_chat *c;

    TAILQ_FOREACH (c, &l->chats, next) {
        if (c->bucket.reserved > 0) continue;
        const struct gap_rate *rate = gap_limits_rate(l, c->chat);
        int64_t full = gap_bucket_when(&c->bucket, rate, rate->burst, now_us);
        if (full > l->bare_until_us) l->bare_until_us = full;
        forget(l, c);
        return true;
    }
    return false;
}

static struct gap_limits_chat *known(const struct gap_limits *l, int64_t chat)
{
    return gap_map_get(&l->map, key_of(chat));
}

/* NULL: out of memory. */
static struct gap_limits_chat *make(struct gap_limits *l, int64_t chat, int64_t millionths,
                                    int64_t now_us)
{
    if (l->map.count >= l->chats_max && !make_room(l, now_us)) return NULL;
    if (gap_map_reserve(&l->map, 1) < 0) return NULL;
    struct gap_limits_chat *c = gap_pool_get(&l->pool);
    if (c == NULL) return NULL;
    c->chat = chat;
    gap_bucket_init(&c->bucket, gap_limits_rate(l, chat), millionths, now_us);
    int r = gap_map_set(&l->map, key_of(chat), c);
    GAP_ASSERT(r == 0);
    TAILQ_INSERT_TAIL(&l->chats, c, next);
    return c;
}

int gap_limits_load(struct gap_limits *l, int64_t chat, int64_t millionths, int64_t now_us)
{
    if (chat == INT64_MIN) return GAP_E_ARGUMENT;
    l->opened_us = now_us;
    if (chat == 0) {
        gap_bucket_init(&l->account, &l->account_rate, millionths, now_us);
        return 0;
    }
    const struct gap_rate *rate = gap_limits_rate(l, chat);
    struct gap_limits_chat *c = known(l, chat);
    if (c != NULL) {
        gap_bucket_init(&c->bucket, rate, millionths, now_us);
        return 0;
    }
    if (millionths >= (int64_t)rate->burst * GAP_BUCKET_CALL) return 0;
    return make(l, chat, millionths, now_us) == NULL ? GAP_E_NOMEM : 0;
}

int gap_limits_take(struct gap_limits *l, int64_t chat, uint32_t keep, int64_t now_us)
{
    if (chat == INT64_MIN) return GAP_E_ARGUMENT;
    if (!gap_bucket_take(&l->account, &l->account_rate, keep, now_us)) return GAP_LIMITS_WAIT;
    if (chat == 0) return 0;
    int r = GAP_LIMITS_WAIT;
    sweep(l, now_us);
    struct gap_limits_chat *c = known(l, chat);
    if (c == NULL) {
        if (now_us < l->bare_until_us) goto back;
        c = make(l, chat, INT64_MAX, now_us);
        r = GAP_E_NOMEM;
        if (c == NULL) goto back;
        r = GAP_LIMITS_WAIT;
    }
    if (gap_bucket_take(&c->bucket, gap_limits_rate(l, chat), 0, now_us)) return 0;
back:
    gap_bucket_back(&l->account, &l->account_rate, now_us);
    return r;
}

void gap_limits_sent(struct gap_limits *l, int64_t chat, int64_t now_us)
{
    struct gap_limits_chat *c = chat == 0 ? NULL : known(l, chat);

    gap_bucket_sent(&l->account, &l->account_rate, now_us);
    GAP_ASSERT(chat == 0 || c != NULL);
    if (c != NULL) gap_bucket_sent(&c->bucket, gap_limits_rate(l, chat), now_us);
}

void gap_limits_back(struct gap_limits *l, int64_t chat, int64_t now_us)
{
    struct gap_limits_chat *c = chat == 0 ? NULL : known(l, chat);

    gap_bucket_back(&l->account, &l->account_rate, now_us);
    GAP_ASSERT(chat == 0 || c != NULL);
    if (c != NULL) gap_bucket_back(&c->bucket, gap_limits_rate(l, chat), now_us);
}

int64_t gap_limits_store(struct gap_limits *l, int64_t chat, int64_t now_us)
{
    if (chat == 0) return gap_bucket_store(&l->account, &l->account_rate, now_us);
    const struct gap_rate *rate = gap_limits_rate(l, chat);
    struct gap_limits_chat *c = known(l, chat);
    if (c != NULL) return gap_bucket_store(&c->bucket, rate, now_us);
    return now_us < l->bare_until_us ? 0 : (int64_t)rate->burst * GAP_BUCKET_CALL;
}

int64_t gap_limits_full_before(const struct gap_limits *l, int64_t now_us)
{
    uint64_t user = gap_rate_fill_us(&l->user_rate);
    uint64_t group = gap_rate_fill_us(&l->group_rate);
    uint64_t fill = user > group ? user : group;

    if (l->account.reserved > 0 || now_us <= l->opened_us ||
        (uint64_t)now_us - (uint64_t)l->opened_us < fill)
        return INT64_MIN;
    return now_us - (int64_t)fill;
}

/* ---- when ---- */

int64_t gap_limits_chat_when(struct gap_limits *l, int64_t chat, uint32_t method, int64_t now_us)
{
    int64_t when = gap_gate_until(&l->gates, method, chat, now_us, NULL);

    if (when < now_us) when = now_us;
    if (chat == 0) return when;
    struct gap_limits_chat *c = known(l, chat);
    int64_t at = c == NULL ? l->bare_until_us
                           : gap_bucket_when(&c->bucket, gap_limits_rate(l, chat), 1, now_us);
    return at > when ? at : when;
}

int64_t gap_limits_account_when(struct gap_limits *l, uint32_t keep, int64_t now_us)
{
    return gap_bucket_when(&l->account, &l->account_rate, (uint64_t)keep + 1, now_us);
}
