/*
 * dc/model.c - the inhabitants of the simulated world: accounts, invented users, channels, basic
 * groups, private chats; who is where, and what hash opens whom.
 *
 * Owns: every record of the model, in growing arrays that are referred to by index, and an arena
 * for texts and id lists, which live as long as the model. Never: makes events (model_event.c) or
 * TL (model_write.c).
 */
#include "dc/model.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/model_int.h"

#include <string.h>

#define ARENA_BLOCK_BYTES  65536
#define CHANNELS_MAX       1000000
#define USERS_MAX          1000000
#define GROUPS_MAX         1000
#define BROADCAST_EVERY    4 /* one channel of so many is a broadcast */
#define ACCOUNTS_MAX       100000
#define TEXT_CHARS_DEFAULT 120

bool dc_is_broadcast(uint32_t index)
{
    return index % BROADCAST_EVERY == BROADCAST_EVERY - 1;
}

void dc_options_init(dc_options_t *o)
{
    memset(o, 0, sizeof *o);
    o->channels = 200;
    o->users = 50;
    o->groups = 5;
    o->slice = 100;
    o->channel_slice = 100;
    o->difference_max = 1000000;
    o->channel_diff_max = 100000;
    o->timeout_s = 30;
    o->text_min = 20;
    o->text_max = TEXT_CHARS_DEFAULT;
    o->edit_window_s = DC_EDIT_WINDOW_S;
}

static bool options_ok(const dc_options_t *o)
{
    return o->channels <= CHANNELS_MAX && o->users >= 1 && o->users <= USERS_MAX &&
           o->groups <= GROUPS_MAX && o->slice >= 1 && o->channel_slice >= 1 &&
           o->difference_max >= 1 && o->channel_diff_max >= 1 && o->text_min <= o->text_max &&
           o->text_max <= DC_TEXT_CHARS_MAX && o->short_percent <= 100 && o->min_percent <= 100;
}

int dc_grow(const gap_alloc_t *alloc, void **items, uint32_t *cap, uint32_t count, size_t size)
{
    if (count < *cap) return 0;
    if (*cap > UINT32_MAX / 2) return GAP_E_NOMEM;
    uint32_t next = *cap == 0 ? 4 : *cap * 2;
    void *grown = gap_realloc(alloc, *items, next * size);
    if (grown == NULL) return GAP_E_NOMEM;
    *items = grown;
    *cap = next;
    return 0;
}

void *dc_arena(dc_model_t *m, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (m->arena == NULL || m->arena->cap - m->arena->used < size) {
        size_t cap = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        struct dc_block *block = gap_malloc(m->alloc, sizeof *block + cap);
        if (block == NULL) return NULL;
        block->next = m->arena;
        block->used = 0;
        block->cap = cap;
        m->arena = block;
    }
    void *p = m->arena->data + m->arena->used;
    m->arena->used += size;
    return p;
}

int32_t dc_date(int64_t now_us)
{
    int64_t s = now_us / 1000000;

    if (s < 1) return 1;
    return s > INT32_MAX ? INT32_MAX : (int32_t)s;
}

static void init_channels(dc_model_t *m)
{
    for (uint32_t i = 0; i < m->options.channels; i++) {
        struct dc_chat *chat = &m->chats[i];
        memset(chat, 0, sizeof *chat);
        chat->id = DC_CHANNEL_ID_FIRST + i;
        chat->type = DC_CHANNEL;
        chat->broadcast = dc_is_broadcast(i);
        chat->account = DC_NONE;
        chat->user = DC_NONE;
        chat->date = 1;
        chat->log.pts = 1;
    }
    m->chat_count = m->options.channels;
}

int dc_model_new(const gap_alloc_t *alloc, const dc_options_t *o, dc_model_t **out)
{
    if (!options_ok(o)) return GAP_E_ARGUMENT;
    dc_model_t *m = gap_calloc(alloc, 1, sizeof *m);
    if (m == NULL) return GAP_E_NOMEM;
    m->alloc = alloc;
    m->options = *o;
    gap_map_init(&m->account_by_id, alloc);
    gap_map_init(&m->private_by_key, alloc);
    gap_map_init(&m->sent_by_key, alloc);
    gap_map_init(&m->bucket_by_key, alloc);
    gap_map_init(&m->reaction_by_key, alloc);
    gap_buf_init(&m->entities, alloc);
    m->user_marks = gap_calloc(alloc, o->users, sizeof *m->user_marks);
    m->chat_cap = o->channels + 16;
    m->chats = gap_calloc(alloc, m->chat_cap, sizeof *m->chats);
    if (m->user_marks == NULL || m->chats == NULL) {
        if (m->chats == NULL) m->chat_count = 0; /* none to free */
        dc_model_free(m);
        return GAP_E_NOMEM;
    }
    init_channels(m);
    int r = dc_house_rules(m);
    if (r < 0)
        dc_model_free(m);
    else
        *out = m;
    return r;
}

static void free_accounts(dc_model_t *m)
{
    for (uint32_t i = 0; i < m->account_count; i++) {
        struct dc_account *a = &m->accounts[i];
        gap_free(m->alloc, a->common.ns);
        gap_free(m->alloc, a->qts.ns);
        gap_free(m->alloc, a->store.msgs);
        gap_free(m->alloc, a->dialogs);
    }
    gap_free(m->alloc, m->accounts);
}

static void free_chats(dc_model_t *m)
{
    for (uint32_t i = 0; i < m->chat_count; i++) {
        struct dc_chat *chat = &m->chats[i];
        gap_free(m->alloc, chat->log.ns);
        gap_free(m->alloc, chat->store.msgs);
        gap_free(m->alloc, chat->left);
    }
    gap_free(m->alloc, m->chats);
}

void dc_model_free(dc_model_t *m)
{
    if (m == NULL) return;
    free_accounts(m);
    free_chats(m);
    for (uint32_t i = 0; i < m->chunk_count; i++) gap_free(m->alloc, m->chunks[i]);
    gap_free(m->alloc, m->chunks);
    while (m->arena != NULL) {
        struct dc_block *next = m->arena->next;
        gap_free(m->alloc, m->arena);
        m->arena = next;
    }
    gap_map_fini(&m->account_by_id);
    gap_map_fini(&m->private_by_key);
    gap_map_fini(&m->sent_by_key);
    gap_map_fini(&m->bucket_by_key);
    gap_map_fini(&m->reaction_by_key);
    gap_buf_fini(&m->entities);
    gap_free(m->alloc, m->user_marks);
    gap_free(m->alloc, m->seen_users);
    gap_free(m->alloc, m->seen_chats);
    gap_free(m->alloc, m);
}

const dc_options_t *dc_model_options(const dc_model_t *m)
{
    return &m->options;
}

/* --- look-ups ------------------------------------------------------------------------------ */

static uint32_t map_index(const gap_map_t *map, uint64_t key)
{
    uintptr_t v = (uintptr_t)gap_map_get(map, key);

    return v == 0 ? DC_NONE : (uint32_t)(v - 1);
}

static int map_put(gap_map_t *map, uint64_t key, uint32_t index)
{
    return gap_map_set(map, key, (void *)((uintptr_t)index + 1));
}

uint32_t dc_account_index(const dc_model_t *m, int64_t id)
{
    return map_index(&m->account_by_id, (uint64_t)id);
}

uint32_t dc_user_index(const dc_model_t *m, int64_t id)
{
    if (id >= DC_USER_ID_FIRST && id < DC_USER_ID_FIRST + (int64_t)m->options.users)
        return (uint32_t)(id - DC_USER_ID_FIRST);
    uint32_t account = dc_account_index(m, id);
    return account == DC_NONE ? DC_NONE : m->options.users + account;
}

int64_t dc_user_id(const dc_model_t *m, uint32_t user)
{
    if (user < m->options.users) return DC_USER_ID_FIRST + user;
    return m->accounts[user - m->options.users].id;
}

uint32_t dc_channel_index(const dc_model_t *m, int64_t id)
{
    if (id < DC_CHANNEL_ID_FIRST || id >= DC_CHANNEL_ID_FIRST + (int64_t)m->options.channels)
        return DC_NONE;
    return (uint32_t)(id - DC_CHANNEL_ID_FIRST);
}

uint32_t dc_group_index(const dc_model_t *m, uint32_t account, int64_t id)
{
    int64_t first = DC_CHAT_ID_FIRST + (int64_t)account * m->options.groups;

    if (id < first || id >= first + (int64_t)m->options.groups) return DC_NONE;
    return m->accounts[account].groups + (uint32_t)(id - first);
}

/** A zeroed chat at the end of the array, not counted yet. */
static int new_chat(dc_model_t *m, uint32_t account, dc_peer_type_t type, struct dc_chat **out)
{
    int r = dc_grow(m->alloc, (void **)&m->chats, &m->chat_cap, m->chat_count, sizeof *m->chats);
    if (r < 0) return r;
    struct dc_chat *chat = &m->chats[m->chat_count];
    memset(chat, 0, sizeof *chat);
    chat->type = (uint8_t)type;
    chat->account = account;
    chat->user = DC_NONE;
    *out = chat;
    return 0;
}

int dc_private_chat(dc_model_t *m, uint32_t account, uint32_t user, uint32_t *out)
{
    uint64_t key = ((uint64_t)account + 1) << 32 | user;
    struct dc_account *a = &m->accounts[account];
    struct dc_chat *chat;

    if (user >= m->options.users) return GAP_E_NOT_FOUND;
    *out = map_index(&m->private_by_key, key);
    if (*out != DC_NONE) return 0;
    int r = dc_grow(m->alloc, (void **)&a->dialogs, &a->dialog_cap, a->dialog_count,
                    sizeof *a->dialogs);
    if (r < 0) return r;
    r = new_chat(m, account, DC_USER, &chat);
    if (r < 0) return r;
    r = map_put(&m->private_by_key, key, m->chat_count);
    if (r < 0) return r;
    chat->user = user;
    chat->id = dc_user_id(m, user);
    a->dialogs[a->dialog_count++] = m->chat_count;
    *out = m->chat_count++;
    return 0;
}

bool dc_is_member(const struct dc_chat *channel, uint32_t account)
{
    for (uint32_t i = 0; i < channel->left_count; i++) {
        if (channel->left[i] == account) return false;
    }
    return true;
}

int64_t dc_hash_of(const dc_model_t *m, uint32_t account, dc_peer_type_t type, int64_t id)
{
    uint64_t h = gap_hash64(m->options.seed ^ 0x6163636573732068U);

    h = gap_hash64(h ^ (uint64_t)m->accounts[account].id);
    h = gap_hash64(h ^ (uint64_t)id ^ (uint64_t)type << 56);
    return h == 0 ? 1 : (int64_t)h;
}

/* --- accounts ------------------------------------------------------------------------------ */

static int make_groups(dc_model_t *m, uint32_t account, int64_t now_us)
{
    struct dc_chat *chat;

    m->accounts[account].groups = m->chat_count;
    for (uint32_t g = 0; g < m->options.groups; g++) {
        int r = new_chat(m, account, DC_CHAT, &chat);
        if (r < 0) {
            m->chat_count = m->accounts[account].groups;
            return r;
        }
        chat->id = DC_CHAT_ID_FIRST + (int64_t)account * m->options.groups + g;
        chat->date = dc_date(now_us);
        m->chat_count++;
    }
    return 0;
}

int dc_model_account(dc_model_t *m, int64_t id, bool bot, int64_t now_us)
{
    bool is_persons = id >= DC_PERSON_ID_FIRST && id < DC_PERSON_ID_FIRST + DC_PERSON_IDS;

    if (id <= 0 || (bot && is_persons)) return GAP_E_ARGUMENT;
    if (dc_account_index(m, id) != DC_NONE) return 1;
    if (dc_user_index(m, id) != DC_NONE) return GAP_E_ARGUMENT;
    if (m->account_count >= ACCOUNTS_MAX) return GAP_E_LIMIT;
    int r = dc_grow(m->alloc, (void **)&m->accounts, &m->account_cap, m->account_count,
                    sizeof *m->accounts);
    if (r < 0) return r;
    struct dc_account *a = &m->accounts[m->account_count];
    memset(a, 0, sizeof *a);
    a->id = id;
    a->bot = bot;
    a->common.pts = 1;
    a->qts.pts = 1;
    r = make_groups(m, m->account_count, now_us);
    if (r < 0) return r;
    r = map_put(&m->account_by_id, (uint64_t)id, m->account_count);
    if (r < 0) {
        m->chat_count = a->groups;
        return r;
    }
    m->account_count++;
    return 0;
}

static const struct dc_name *keep_name(dc_model_t *m, gap_bytes_t name)
{
    struct dc_name *kept = dc_arena(m, sizeof *kept + name.len);

    if (kept == NULL) return NULL;
    kept->len = (uint32_t)name.len;
    if (name.len > 0) memcpy(kept->data, name.data, name.len);
    return kept;
}

int dc_model_person(dc_model_t *m, int64_t id, const dc_person_t *person, int64_t now_us)
{
    if (dc_account_index(m, id) != DC_NONE) return 1;
    const struct dc_name *phone = keep_name(m, person->phone);
    const struct dc_name *first = keep_name(m, person->first_name);
    const struct dc_name *last = keep_name(m, person->last_name);
    if (phone == NULL || first == NULL || last == NULL) return GAP_E_NOMEM;
    int r = dc_model_account(m, id, false, now_us);
    if (r != 0) return r;
    struct dc_account *a = &m->accounts[m->account_count - 1];
    a->phone = phone;
    a->first_name = first;
    a->last_name = last->len > 0 ? last : NULL;
    return 0;
}

bool dc_model_is_bot(const dc_model_t *m, int64_t id)
{
    uint32_t account = dc_account_index(m, id);

    return account != DC_NONE && m->accounts[account].bot;
}

void dc_model_away(dc_model_t *m, int64_t id, bool is_away)
{
    uint32_t account = dc_account_index(m, id);

    if (account == DC_NONE || m->accounts[account].away == is_away) return;
    m->accounts[account].away = is_away;
    if (is_away)
        m->away_count++;
    else
        m->away_count--;
}

bool dc_model_is_away(const dc_model_t *m, int64_t id)
{
    uint32_t account = dc_account_index(m, id);

    return account != DC_NONE && m->accounts[account].away;
}

size_t dc_model_account_count(const dc_model_t *m)
{
    return m->account_count;
}

int64_t dc_model_account_at(const dc_model_t *m, size_t index)
{
    GAP_ASSERT(index < m->account_count);
    return m->accounts[index].id;
}

int dc_model_leave(dc_model_t *m, int64_t account, int64_t channel)
{
    uint32_t who = dc_account_index(m, account);
    uint32_t where = dc_channel_index(m, channel);

    if (who == DC_NONE || where == DC_NONE) return GAP_E_NOT_FOUND;
    struct dc_chat *chat = &m->chats[where];
    if (!dc_is_member(chat, who)) return 0;
    int r = dc_grow(m->alloc, (void **)&chat->left, &chat->left_cap, chat->left_count,
                    sizeof *chat->left);
    if (r < 0) return r;
    chat->left[chat->left_count++] = who;
    return 0;
}

int dc_model_join(dc_model_t *m, int64_t account, int64_t channel)
{
    uint32_t who = dc_account_index(m, account);
    uint32_t where = dc_channel_index(m, channel);

    if (who == DC_NONE || where == DC_NONE) return GAP_E_NOT_FOUND;
    struct dc_chat *chat = &m->chats[where];
    for (uint32_t i = 0; i < chat->left_count; i++) {
        if (chat->left[i] != who) continue;
        chat->left[i] = chat->left[--chat->left_count];
        break;
    }
    return 0;
}

int64_t dc_model_access_hash(const dc_model_t *m, int64_t account, dc_peer_t peer)
{
    uint32_t who = dc_account_index(m, account);

    GAP_ASSERT(who != DC_NONE);
    return dc_hash_of(m, who, peer.type, peer.id);
}

int dc_model_state(const dc_model_t *m, int64_t account, int32_t *pts, int32_t *qts)
{
    uint32_t who = dc_account_index(m, account);

    if (who == DC_NONE) return GAP_E_NOT_FOUND;
    *pts = m->accounts[who].common.pts;
    *qts = m->accounts[who].qts.pts;
    return 0;
}

int32_t dc_model_channel_pts(const dc_model_t *m, int64_t channel)
{
    uint32_t where = dc_channel_index(m, channel);

    return where == DC_NONE ? 0 : m->chats[where].log.pts;
}
