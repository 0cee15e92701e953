/*
 * tests/sim/store_world.c - see store_world.h.
 */
#include "tests/sim/store_world.h"

/* ---- the storage ---- */

sim_t *sim;
gap_env_t *env;
static struct gap_env_ops ops;
gap_rt_t rt;
struct fault_alloc fault;
gap_storage_t *disk;
struct door door;
struct owner owner;
gap_store_t *store;
static uint64_t cpu_us; /* the processor clock */
uint64_t commit_cpu_us; /* what a commit adds to it */
bool threadless;

static void enter(void)
{
    ck_assert(!door.inside);
    ck_assert(threadless || !env->ops->on_loop_thread(env));
    door.inside = true;
}

static int leave(const char *what, int status)
{
    door.inside = false;
    sim_trace(sim, status == 0 ? "%s" : "%s: %d", what, status);
    return status;
}

static int door_open(gap_storage_t *s, gap_storage_fault_t *why)
{
    (void)s;
    enter();
    ck_assert(!door.open);
    if (door.open_status == 0) door.open = true;
    if (door.open_status == 0) ck_assert_int_eq(disk->ops->open(disk, why), 0);
    if (door.open_status < 0) (void)snprintf(why->text, sizeof why->text, "locked; wait");
    return leave("open", door.open_status);
}

static int door_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *why)
{
    int r = door.load_status;

    (void)s;
    enter();
    ck_assert(door.open);
    if (r == 0) r = disk->ops->load(disk, each, arg, why);
    if (r == 0) door.doubtful = false;
    return leave("load", r);
}

static int door_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                       gap_storage_fault_t *why)
{
    int r = 0;

    (void)s;
    enter();
    ck_assert(door.open);
    ck_assert(!door.doubtful);
    ck_assert_uint_gt(count, 0);
    cpu_us += commit_cpu_us;
    door.attempts++;
    if (door.commit_count > 0) {
        r = door.commits[0];
        memmove(door.commits, door.commits + 1, --door.commit_count * sizeof door.commits[0]);
    }
    door.doubtful = r == GAP_E_SYNC;
    if (r == 0 || (r == GAP_E_SYNC && door.sync_applies))
        ck_assert_int_eq(disk->ops->commit(disk, records, count, why), 0);
    if (r == 0) door.committed++;
    if (r == 0) door.last_count = count;
    return leave("commit", r);
}

static int door_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                     gap_storage_fault_t *why)
{
    int r = door.find_status;

    (void)s;
    enter();
    ck_assert(door.open);
    if (r == 0) r = disk->ops->find(disk, key, each, arg, why);
    return leave("find", r);
}

static int door_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                     gap_storage_fault_t *why)
{
    int r = door.find_status;

    (void)s;
    enter();
    ck_assert(door.open);
    if (r == 0) r = disk->ops->read(disk, what, each, arg, why);
    return leave("read", r);
}

/* There is no database: the function gets none. */
static int door_query(gap_storage_t *s, int (*query)(void *arg, struct sqlite3 *db), void *arg,
                      int *result, gap_storage_fault_t *why)
{
    int r = door.find_status;

    (void)s;
    (void)why;
    enter();
    ck_assert(door.open);
    if (r == 0) *result = query(arg, NULL);
    return leave("query", r);
}

static void door_close(gap_storage_t *s)
{
    (void)s;
    enter();
    if (door.open) disk->ops->close(disk);
    if (door.open) sim_trace(sim, "close");
    door.open = false;
    door.inside = false;
}

static void door_destroy(gap_storage_t *s)
{
    (void)s;
    enter();
    ck_assert(!door.open);
    ck_assert(!door.destroyed);
    door.destroyed = true;
    door.inside = false;
}

static const struct gap_storage_ops door_ops = {GAP_STORAGE_VERSION, door_open,    door_load,
                                                door_commit,         door_find,    door_read,
                                                door_close,          door_destroy, door_query};

void fail_commits(int status, size_t count)
{
    door.commit_count = count;
    for (size_t i = 0; i < count; i++) door.commits[i] = status;
}

/* ---- records ---- */

gap_record_t state(int32_t pts)
{
    gap_record_t r = {.kind = GAP_RECORD_STATE};
    r.u.state.pts = pts;
    return r;
}

gap_record_t channel(int64_t id, int32_t pts)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL};
    r.u.channel.id = id;
    r.u.channel.pts = pts;
    return r;
}

gap_record_t account(int64_t id)
{
    gap_record_t r = {.kind = GAP_RECORD_ACCOUNT};
    r.u.account.user_id = id;
    return r;
}

gap_record_t user(int64_t id, int64_t hash, const gap_bytes_t *name)
{
    gap_record_t r = {.kind = GAP_RECORD_PEER};

    r.u.peer.peer = (gap_peer_t){id, GAP_PEER_USER};
    r.u.peer.access_hash = hash;
    r.u.peer.has_hash = true;
    r.u.peer.has_names = name != NULL;
    r.u.peer.usernames = name;
    r.u.peer.username_count = name != NULL;
    return r;
}

void put(gap_record_t r)
{
    ck_assert_int_eq(gap_store_put(store, &r), 0);
}

static int keep(void *arg, const gap_record_t *r)
{
    struct kept *k = arg;

    if (r->kind == GAP_RECORD_STATE) k->pts = r->u.state.pts;
    if (r->kind == GAP_RECORD_ACCOUNT) k->account = r->u.account.user_id;
    if (r->kind == GAP_RECORD_PEER) k->peers++;
    if (r->kind == GAP_RECORD_CHANNEL && r->u.channel.id == 7) k->channel_pts = r->u.channel.pts;
    return 0;
}

struct kept on_disk(void)
{
    gap_storage_fault_t why;
    struct kept k = {0, 0, 0, 0};

    ck_assert(!door.inside);
    if (!door.open) ck_assert_int_eq(disk->ops->open(disk, &why), 0);
    ck_assert_int_eq(disk->ops->load(disk, keep, &k, &why), 0);
    if (!door.open) disk->ops->close(disk);
    return k;
}

/* ---- the owner ---- */

static void on_opened(void *arg, int status, const struct gap_store_loaded *loaded,
                      const gap_storage_fault_t *why)
{
    (void)arg;
    owner.opened++;
    owner.open_status = status;
    owner.had_fault_text = why->text[0] != 0;
    ck_assert_int_eq(loaded == NULL, status < 0);
    if (loaded == NULL) return;
    owner.loaded = *loaded;
    if (loaded->channel_count > 0) owner.first_channel = loaded->channels[0];
    ck_assert_ptr_nonnull(loaded->session);
}

static void on_failed(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *why)
{
    (void)arg;
    (void)why;
    ck_assert_int_lt(status, 0);
    owner.failed++;
    owner.retry_us = retry_us;
    sim_trace(sim, "failed: %d", status);
}

static void on_recovered(void *arg)
{
    (void)arg;
    owner.recovered++;
    sim_trace(sim, "recovered");
}

static int on_collect(void *arg)
{
    (void)arg;
    owner.collects++;
    if (owner.refuse > 0) {
        owner.refuse--;
        return GAP_E_NOMEM;
    }
    if (owner.pts == 0) return 0;
    gap_record_t r = state(owner.pts);
    int status = gap_store_put(store, &r);
    if (status == 0) owner.pts = 0;
    return status;
}

const struct gap_store_events store_events = {on_opened, on_failed, on_recovered, on_collect};

void on_closed(void *arg, int status)
{
    (void)arg;
    owner.closed++;
    owner.last_status = status;
    store = NULL;
}

void on_done(void *arg, int status)
{
    struct answer *a = arg;
    a->count++;
    a->status = status;
}

void on_found(void *arg, int status, const gap_peer_record_t *peer)
{
    struct answer *a = arg;

    on_done(a, status);
    a->found = peer != NULL;
    if (peer == NULL) return;
    a->id = peer->peer.id;
    a->hash = peer->access_hash;
    a->names = peer->has_names ? peer->username_count : 99;
}

static uint64_t processor(gap_env_t *e)
{
    (void)e;
    return cpu_us;
}

/* ---- life ---- */

void begin(uint64_t seed, const struct sim_options *options)
{
    static const struct sim_options polite;

    memset(&owner, 0, sizeof owner);
    memset(&door, 0, sizeof door);
    door.base.ops = &door_ops;
    cpu_us = commit_cpu_us = 0;
    threadless = false;
    fault_alloc_init(&fault, 0);
    sim = sim_new(seed, options == NULL ? &polite : options);
    env = sim_env_open(sim, &fault.alloc);
    ops = *env->ops;
    ops.cpu_us = processor;
    env->ops = &ops;
    gap_rt_init(&rt, &fault.alloc, env);
    if (options != NULL) {
        rt.choose = sim_choose;
        rt.choose_arg = sim;
    }
    ck_assert_int_eq(gap_storage_memory(NULL, &disk), 0);
}

int try_open(const char *session)
{
    struct gap_store_config config = {&door.base, session};
    return gap_store_open(&rt, &config, &store_events, NULL, &store);
}

void open_store(void)
{
    ck_assert_int_eq(try_open(NULL), 0);
    ck_assert_int_eq(owner.opened, 0); /* never from inside */
    sim_run_for(sim, 10 * MS);
    ck_assert_int_eq(owner.opened, 1);
}

void close_store(void)
{
    gap_store_close(store, on_closed, NULL);
    ck_assert_int_eq(owner.closed, 0);
    sim_run_for(sim, 10 * S);
    ck_assert_int_eq(owner.closed, 1);
    ck_assert(door.destroyed);
}

void end(void)
{
    if (store != NULL) close_store();
    gap_rt_fini(&rt);
    sim_env_close(env, NULL, NULL);
    sim_run_for(sim, S);
    ck_assert_uint_eq(sim_free(sim), 0);
    ck_assert_msg(fault.live == 0, "%ld blocks are left", fault.live);
    disk->ops->destroy(disk);
}

size_t lines(const char *text)
{
    size_t n = 0;
    for (const char *at = sim_trace_text(sim); (at = strstr(at, text)) != NULL; at++) n++;
    return n;
}

void store_before(gap_record_t r)
{
    gap_storage_fault_t why;

    ck_assert_int_eq(disk->ops->open(disk, &why), 0);
    ck_assert_int_eq(disk->ops->commit(disk, &r, 1, &why), 0);
    disk->ops->close(disk);
}
