/*
 * store/memory.c - the storage that lives and dies with the process.
 *
 * A commit has two halves: `stage` makes everything that the records need and room in every map,
 * and may run out of memory; `apply` only links and can't fail. So a commit is all or nothing.
 *
 * Owns: one object a channel, one a peer, one a name; the journal's rows are in memory_rows.c.
 * Names hang in two tables (usernames, phones) by a hash of their lower-case text, those of one
 * hash in a chain, and in a list of their peer's. Never: keeps a view into a record.
 */
#include "store/memory_rows.h"
#include "store/record.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"

#include <sys/queue.h>

struct mem_peer;

struct mem_name {
    TAILQ_ENTRY(mem_name) link; /* its peer's names of this kind, as given */
    struct mem_name *same;      /* the next one with this hash */
    struct mem_peer *owner;
    uint64_t hash;
    size_t len;
    uint8_t text[];
};
TAILQ_HEAD(mem_names, mem_name);

enum { USERNAMES, PHONES, TABLES };

struct mem_peer {
    gap_peer_record_t record; /* without names */
    struct mem_names names[TABLES];
    size_t counts[TABLES];
};

struct mem_channel {
    gap_channel_record_t record;
    uint64_t commit; /* that stored it last */
};

struct mem_storage {
    gap_storage_t base;
    const gap_alloc_t *alloc;
    bool is_open;
    bool has_account;
    bool has_state;
    gap_account_record_t account;
    gap_state_record_t state;
    gap_map_t channels;                    /* id -> struct mem_channel */
    gap_map_t peers[GAP_PEER_CHANNEL + 1]; /* by kind: id -> struct mem_peer */
    gap_map_t tables[TABLES];              /* hash -> first struct mem_name */
    struct mem_rows rows;
    uint64_t commits;
    uint64_t state_commit; /* that stored the state last */
};

/* How many keys a commit may add to each map. */
struct mem_growth {
    size_t channels;
    size_t peers[GAP_PEER_CHANNEL + 1];
    size_t names[TABLES];
    struct mem_rows_growth rows;
};

static uint64_t name_hash(gap_bytes_t text)
{
    uint64_t h = text.len;

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ gap_username_lower(text.data[i])) * 0x100000001b3;
    h = gap_hash64(h);
    return h != 0 ? h : 1;
}

static bool name_equal(gap_bytes_t a, gap_bytes_t b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (gap_username_lower(a.data[i]) != gap_username_lower(b.data[i])) return false;
    }
    return true;
}

static struct mem_name *name_find(const struct mem_storage *m, int table, gap_bytes_t text)
{
    struct mem_name *n = gap_map_get(&m->tables[table], name_hash(text));

    while (n != NULL && !name_equal(gap_bytes(n->text, n->len), text)) n = n->same;
    return n;
}

/* Take a name from its peer and out of its table, and free it. */
static void name_drop(struct mem_storage *m, int table, struct mem_name *name)
{
    struct mem_name *first = gap_map_get(&m->tables[table], name->hash);

    if (first != name) {
        while (first->same != name) first = first->same;
        first->same = name->same;
    } else if (name->same == NULL) {
        (void)gap_map_remove(&m->tables[table], name->hash);
    } else {
        int r = gap_map_set(&m->tables[table], name->hash, name->same);
        (void)r; /* the key is there: nothing is allocated */
    }
    TAILQ_REMOVE(&name->owner->names[table], name, link);
    name->owner->counts[table]--;
    gap_free(m->alloc, name);
}

/* The name is the peer's from now on, whosever it was. Room in the table has been made. */
static void name_claim(struct mem_storage *m, int table, struct mem_peer *peer,
                       struct mem_name *name)
{
    struct mem_name *old = name_find(m, table, gap_bytes(name->text, name->len));

    if (old != NULL) name_drop(m, table, old);
    name->owner = peer;
    name->same = gap_map_get(&m->tables[table], name->hash);
    int r = gap_map_set(&m->tables[table], name->hash, name);
    (void)r; /* reserved */
    TAILQ_INSERT_TAIL(&peer->names[table], name, link);
    peer->counts[table]++;
}

/* --- staging ---------------------------------------------------------------------------------- */

static int stage_name(struct mem_storage *m, int table, struct mem_peer *peer, gap_bytes_t text)
{
    if (text.len == 0) return 0;
    if (text.len > SIZE_MAX / 2) return GAP_E_NOMEM;
    struct mem_name *name = gap_malloc(m->alloc, sizeof *name + text.len);
    if (name == NULL) return GAP_E_NOMEM;
    name->owner = peer;
    name->same = NULL;
    name->hash = name_hash(text);
    name->len = text.len;
    memcpy(name->text, text.data, text.len);
    TAILQ_INSERT_TAIL(&peer->names[table], name, link);
    peer->counts[table]++;
    return 0;
}

/* A peer that hangs nowhere, and its names. */
static void unstage_peer(const struct mem_storage *m, struct mem_peer *peer)
{
    for (int t = 0; t < TABLES; t++) {
        while (!TAILQ_EMPTY(&peer->names[t])) {
            struct mem_name *name = TAILQ_FIRST(&peer->names[t]);
            TAILQ_REMOVE(&peer->names[t], name, link);
            gap_free(m->alloc, name);
        }
    }
    gap_free(m->alloc, peer);
}

static int stage_peer(struct mem_storage *m, const gap_peer_record_t *record, void **out)
{
    struct mem_peer *peer = gap_calloc(m->alloc, 1, sizeof *peer);
    int r;

    if (peer == NULL) return GAP_E_NOMEM;
    peer->record = *record;
    peer->record.phone = (gap_bytes_t){NULL, 0};
    peer->record.usernames = NULL;
    peer->record.username_count = 0;
    if (!peer->record.has_hash) peer->record.access_hash = 0;
    if (peer->record.seen_in.kind == GAP_PEER_NONE) {
        peer->record.seen_in.id = 0;
        peer->record.seen_msg_id = 0;
    }
    for (int t = 0; t < TABLES; t++) TAILQ_INIT(&peer->names[t]);
    if (record->has_names) {
        r = stage_name(m, PHONES, peer, record->phone);
        if (r < 0) goto failed;
        for (size_t i = 0; i < record->username_count; i++) {
            r = stage_name(m, USERNAMES, peer, record->usernames[i]);
            if (r < 0) goto failed;
        }
    }
    *out = peer;
    return 0;
failed:
    unstage_peer(m, peer);
    return r;
}

static int stage_channel(struct mem_storage *m, const gap_channel_record_t *record, void **out)
{
    struct mem_channel *channel = gap_malloc(m->alloc, sizeof *channel);

    if (channel == NULL) return GAP_E_NOMEM;
    channel->record = *record;
    channel->commit = m->commits;
    *out = channel;
    return 0;
}

static int make_room(struct mem_storage *m, const struct mem_growth *g)
{
    int r = gap_map_reserve(&m->channels, g->channels);

    for (int k = GAP_PEER_USER; r == 0 && k <= GAP_PEER_CHANNEL; k++)
        r = gap_map_reserve(&m->peers[k], g->peers[k]);
    for (int t = 0; r == 0 && t < TABLES; t++) r = gap_map_reserve(&m->tables[t], g->names[t]);
    return r == 0 ? gap_mem_rows_reserve(&m->rows, &g->rows) : r;
}

static int stage(struct mem_storage *m, const gap_record_t *records, size_t count, void **objects)
{
    struct mem_growth growth = {0};

    for (size_t i = 0; i < count; i++) {
        if (records[i].removed) continue;
        int r = 0;
        if (records[i].kind == GAP_RECORD_CHANNEL) {
            r = stage_channel(m, &records[i].u.channel, &objects[i]);
            growth.channels++;
        } else if (records[i].kind == GAP_RECORD_PEER) {
            r = stage_peer(m, &records[i].u.peer, &objects[i]);
            if (r < 0) return r;
            const struct mem_peer *peer = objects[i];
            growth.peers[peer->record.peer.kind]++;
            for (int t = 0; t < TABLES; t++) growth.names[t] += peer->counts[t];
        } else {
            r = gap_mem_rows_stage(&m->rows, &records[i], &objects[i], &growth.rows);
        }
        if (r < 0) return r;
    }
    return make_room(m, &growth);
}

/* --- applying --------------------------------------------------------------------------------- */

static void drop_names(struct mem_storage *m, struct mem_peer *peer)
{
    for (int t = 0; t < TABLES; t++) {
        while (!TAILQ_EMPTY(&peer->names[t])) name_drop(m, t, TAILQ_FIRST(&peer->names[t]));
    }
}

static void remove_peer(struct mem_storage *m, gap_peer_t key)
{
    struct mem_peer *peer = gap_map_remove(&m->peers[key.kind], (uint64_t)key.id);

    if (peer == NULL) return;
    drop_names(m, peer);
    gap_free(m->alloc, peer);
}

static void apply_peer(struct mem_storage *m, struct mem_peer *staged)
{
    gap_map_t *map = &m->peers[staged->record.peer.kind];
    uint64_t id = (uint64_t)staged->record.peer.id;
    struct mem_peer *peer = gap_map_get(map, id);
    bool has_names = staged->record.has_names;
    struct mem_names fresh[TABLES];

    for (int t = 0; t < TABLES; t++) {
        TAILQ_INIT(&fresh[t]);
        TAILQ_CONCAT(&fresh[t], &staged->names[t], link);
        staged->counts[t] = 0;
    }
    staged->record.has_names = false;
    if (peer == NULL) {
        peer = staged;
        int r = gap_map_set(map, id, peer);
        (void)r; /* reserved */
    } else {
        peer->record = staged->record;
        gap_free(m->alloc, staged);
    }
    if (!has_names) return;
    drop_names(m, peer);
    for (int t = 0; t < TABLES; t++) {
        while (!TAILQ_EMPTY(&fresh[t])) {
            struct mem_name *name = TAILQ_FIRST(&fresh[t]);
            TAILQ_REMOVE(&fresh[t], name, link);
            name_claim(m, t, peer, name);
        }
    }
}

static void apply_channel(struct mem_storage *m, struct mem_channel *staged)
{
    uint64_t id = (uint64_t)staged->record.id;

    gap_free(m->alloc, gap_map_get(&m->channels, id));
    int r = gap_map_set(&m->channels, id, staged);
    (void)r; /* reserved */
}

/* Is it below a position that this commit has stored? */
static bool is_passed(const void *arg, const gap_done_record_t *done)
{
    const struct mem_storage *m = arg;
    bool state = m->has_state && m->state_commit == m->commits;

    if (done->box == GAP_BOX_COMMON) return state && done->before < m->state.pts;
    if (done->box == GAP_BOX_QTS) return state && done->before < m->state.qts;
    if (done->box != GAP_BOX_CHANNEL) return false;
    const struct mem_channel *c = gap_map_get(&m->channels, (uint64_t)done->channel_id);
    return c != NULL && c->commit == m->commits && done->before < c->record.pts;
}

static bool is_of(const void *arg, const gap_done_record_t *done)
{
    return done->box == GAP_BOX_CHANNEL && done->channel_id == *(const int64_t *)arg;
}

static void forget_done(struct mem_storage *m, const gap_record_t *records, size_t count)
{
    bool passed = false;

    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GAP_RECORD_CHANNEL && records[i].removed)
            gap_mem_rows_forget(&m->rows, is_of, &records[i].u.channel.id);
        else if (records[i].kind == GAP_RECORD_CHANNEL || records[i].kind == GAP_RECORD_STATE)
            passed = true;
    }
    if (passed) gap_mem_rows_forget(&m->rows, is_passed, m);
}

static void apply(struct mem_storage *m, const gap_record_t *record, void *staged)
{
    switch (record->kind) {
    case GAP_RECORD_ACCOUNT:
        m->has_account = !record->removed;
        if (m->has_account) m->account = record->u.account;
        break;
    case GAP_RECORD_STATE:
        m->has_state = !record->removed;
        if (m->has_state) m->state = record->u.state;
        m->state_commit = m->commits;
        break;
    case GAP_RECORD_CHANNEL:
        if (!record->removed)
            apply_channel(m, staged);
        else
            gap_free(m->alloc, gap_map_remove(&m->channels, (uint64_t)record->u.channel.id));
        break;
    case GAP_RECORD_PEER:
        if (!record->removed)
            apply_peer(m, staged);
        else
            remove_peer(m, record->u.peer.peer);
        break;
    case GAP_RECORD_INBOX:
    case GAP_RECORD_DONE:
    case GAP_RECORD_DEAD:
    case GAP_RECORD_VALUE:
    case GAP_RECORD_BOOT:
    case GAP_RECORD_CALL:
        gap_mem_rows_apply(&m->rows, record, staged);
        break;
    }
}

static int mem_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                      gap_storage_fault_t *fault)
{
    struct mem_storage *m = GAP_CONTAINER_OF(s, struct mem_storage, base);
    (void)fault; /* nothing to add to the codes */

    if (!m->is_open) return GAP_E_STATE;
    for (size_t i = 0; i < count; i++) {
        if (!gap_record_is_valid(&records[i])) return GAP_E_ARGUMENT;
    }
    if (count == 0) return 0;
    void **objects = gap_calloc(m->alloc, count, sizeof *objects);
    if (objects == NULL) return GAP_E_NOMEM;
    m->commits++;
    int r = stage(m, records, count, objects);
    for (size_t i = 0; i < count; i++) {
        if (r == 0)
            apply(m, &records[i], objects[i]);
        else if (objects[i] != NULL && records[i].kind == GAP_RECORD_PEER)
            unstage_peer(m, objects[i]);
        else
            gap_free(m->alloc, objects[i]);
    }
    if (r == 0) forget_done(m, records, count);
    gap_free(m->alloc, objects);
    return r;
}

/* --- the other operations --------------------------------------------------------------------- */

static int mem_open(gap_storage_t *s, gap_storage_fault_t *fault)
{
    struct mem_storage *m = GAP_CONTAINER_OF(s, struct mem_storage, base);
    (void)fault;

    if (m->is_open) return GAP_E_HELD;
    m->is_open = true;
    return 0;
}

static int load_map(const gap_map_t *map, gap_record_kind_t kind, gap_record_cb each, void *arg)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    while (gap_map_next(map, &it, &key, &value)) {
        gap_record_t record = {.kind = kind};
        if (kind == GAP_RECORD_CHANNEL)
            record.u.channel = ((const struct mem_channel *)value)->record;
        else
            record.u.peer = ((const struct mem_peer *)value)->record;
        int r = each(arg, &record);
        if (r != 0) return r;
    }
    return 0;
}

static int mem_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    const struct mem_storage *m = GAP_CONTAINER_OF(s, struct mem_storage, base);
    int r = m->is_open ? 0 : GAP_E_STATE;
    (void)fault;

    if (r == 0 && m->has_account) {
        gap_record_t record = {.kind = GAP_RECORD_ACCOUNT, .u.account = m->account};
        r = each(arg, &record);
    }
    if (r == 0 && m->has_state) {
        gap_record_t record = {.kind = GAP_RECORD_STATE, .u.state = m->state};
        r = each(arg, &record);
    }
    if (r == 0) r = load_map(&m->channels, GAP_RECORD_CHANNEL, each, arg);
    for (int k = GAP_PEER_USER; r == 0 && k <= GAP_PEER_CHANNEL; k++)
        r = load_map(&m->peers[k], GAP_RECORD_PEER, each, arg);
    return r == 0 ? gap_mem_rows_load(&m->rows, each, arg) : r;
}

static int mem_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault)
{
    const struct mem_storage *m = GAP_CONTAINER_OF(s, struct mem_storage, base);
    const struct mem_peer *peer = NULL;
    const struct mem_name *name;
    gap_bytes_t *usernames = NULL;
    (void)fault;

    if (!m->is_open) return GAP_E_STATE;
    if (!gap_peer_key_is_valid(key)) return GAP_E_ARGUMENT;
    if (key->by == GAP_BY_ID) {
        peer = gap_map_get(&m->peers[key->peer.kind], (uint64_t)key->peer.id);
    } else {
        name = name_find(m, key->by == GAP_BY_PHONE ? PHONES : USERNAMES, key->text);
        if (name != NULL) peer = name->owner;
    }
    if (peer == NULL) return 0;
    gap_record_t record = {.kind = GAP_RECORD_PEER, .u.peer = peer->record};
    record.u.peer.has_names = true;
    name = TAILQ_FIRST(&peer->names[PHONES]);
    if (name != NULL) record.u.peer.phone = gap_bytes(name->text, name->len);
    if (peer->counts[USERNAMES] > 0) {
        usernames = gap_calloc(m->alloc, peer->counts[USERNAMES], sizeof *usernames);
        if (usernames == NULL) return GAP_E_NOMEM;
        TAILQ_FOREACH (name, &peer->names[USERNAMES], link)
            usernames[record.u.peer.username_count++] = gap_bytes(name->text, name->len);
        record.u.peer.usernames = usernames;
    }
    int r = each(arg, &record);
    gap_free(m->alloc, usernames);
    return r;
}

static int mem_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault)
{
    const struct mem_storage *m = GAP_CONTAINER_OF(s, struct mem_storage, base);
    (void)fault;

    if (!m->is_open) return GAP_E_STATE;
    if (!gap_read_is_valid(what)) return GAP_E_ARGUMENT;
    return gap_mem_rows_read(&m->rows, what, each, arg);
}

static void mem_close(gap_storage_t *s)
{
    GAP_CONTAINER_OF(s, struct mem_storage, base)->is_open = false;
}

static void mem_destroy(gap_storage_t *s)
{
    struct mem_storage *m = GAP_CONTAINER_OF(s, struct mem_storage, base);
    size_t it = 0;
    uint64_t key;
    void *value;

    while (gap_map_next(&m->channels, &it, &key, &value)) gap_free(m->alloc, value);
    gap_map_fini(&m->channels);
    for (int k = GAP_PEER_USER; k <= GAP_PEER_CHANNEL; k++) {
        it = 0;
        while (gap_map_next(&m->peers[k], &it, &key, &value)) unstage_peer(m, value);
        gap_map_fini(&m->peers[k]);
    }
    for (int t = 0; t < TABLES; t++) gap_map_fini(&m->tables[t]);
    gap_mem_rows_fini(&m->rows);
    gap_free(m->alloc, m);
}

static const struct gap_storage_ops mem_ops = {
    .version = GAP_STORAGE_VERSION,
    .open = mem_open,
    .load = mem_load,
    .commit = mem_commit,
    .find = mem_find,
    .read = mem_read,
    .close = mem_close,
    .destroy = mem_destroy,
};

int gap_storage_memory(const gap_alloc_t *alloc, gap_storage_t **out)
{
    if (alloc == NULL) alloc = gap_alloc_default();
    struct mem_storage *m = gap_calloc(alloc, 1, sizeof *m);

    if (m == NULL) return GAP_E_NOMEM;
    m->base.ops = &mem_ops;
    m->alloc = alloc;
    gap_map_init(&m->channels, alloc);
    for (int k = 0; k <= GAP_PEER_CHANNEL; k++) gap_map_init(&m->peers[k], alloc);
    for (int t = 0; t < TABLES; t++) gap_map_init(&m->tables[t], alloc);
    gap_mem_rows_init(&m->rows, alloc);
    *out = &m->base;
    return 0;
}
