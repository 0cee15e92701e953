/*
 * dc/push.c - traffic on its way to the clients: pace, fates, what is held back, the end.
 *
 *   AWAITING --enough accounts are ready--> PUSHING --all events happened--> DRAINING
 *            --nothing is held any more--> DONE
 *
 * Owns held pushes and the knowledge which event is the last of its box. That is found by letting
 * the traffic run once in a second world of the same accounts. Never touches answers to calls.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "dc/script_run.h"
#include "dc/wire.h"

#include <gapless/tl_mt.h>

#define CONGESTED_WAIT_US 2000U
#define GZIP_SALT         0x677a6970U

/* --- which event is the last of its box ----------------------------------------------------- */

static uint64_t box_key(const dc_event_t *e)
{
    uint64_t id = (uint64_t)(e->box == DC_BOX_CHANNEL ? e->chat.id : e->account);

    return id << 2 | (uint64_t)e->box;
}

/* Let the traffic run once; newest[box] is the mark of its newest event. The first event of a
 * channel is marked at once: a client that meets a channel takes its position from there, so no
 * client could tell that something had come before. */
static int rehearse(gap_dc_t *dc, dc_model_t *world, gap_map_t *newest)
{
    dc_traffic_t traffic;
    uint32_t n;
    int r;

    dc_traffic_init(&traffic, &dc->options.traffic);
    while ((r = dc_traffic_next(&traffic, world, (int64_t)dc->now.wall_us, &n)) == 0) {
        dc_event_t e;
        dc_model_event(world, n, &e);
        if (e.box == DC_BOX_NONE) continue;
        uint8_t *mark = dc->clean + traffic.made - 1;
        if (e.box == DC_BOX_CHANNEL && gap_map_get(newest, box_key(&e)) == NULL) *mark = 1;
        r = gap_map_set(newest, box_key(&e), mark);
        if (r < 0) return r;
    }
    return r == DC_TRAFFIC_DONE ? 0 : r;
}

static int same_account(const gap_dc_t *dc, dc_model_t *world, int64_t id)
{
    int r = dc_model_account(world, id, dc_model_is_bot(dc->model, id), (int64_t)dc->now.wall_us);

    if (r >= 0) dc_model_away(world, id, dc_model_is_away(dc->model, id));
    return r;
}

/* A world as ours is now at its start: the same accounts, no events. */
static int second_world(const gap_dc_t *dc, dc_model_t **out)
{
    dc_model_t *world;
    int r = dc_model_new(dc->alloc, dc_model_options(dc->model), &world);

    if (r < 0) return r;
    for (size_t i = 0; i < dc_model_account_count(dc->model) && r >= 0; i++)
        r = same_account(dc, world, dc_model_account_at(dc->model, i));
    if (r < 0)
        dc_model_free(world);
    else
        *out = world;
    return r < 0 ? r : 0;
}

static int find_clean(gap_dc_t *dc)
{
    dc_model_t *world = NULL;
    gap_map_t newest;
    size_t it = 0;
    uint64_t key;
    void *mark;
    int r;

    dc->clean = gap_calloc(dc->alloc, (size_t)dc->options.traffic.events + 1, 1);
    if (dc->clean == NULL) return GAP_E_NOMEM;
    gap_map_init(&newest, dc->alloc);
    if ((r = second_world(dc, &world)) < 0) goto out;
    if ((r = rehearse(dc, world, &newest)) < 0) goto out;
    while (gap_map_next(&newest, &it, &key, &mark)) *(uint8_t *)mark = 1;
out:
    gap_map_fini(&newest);
    dc_model_free(world);
    return r;
}

/* --- one push ------------------------------------------------------------------------------- */

/* The newest push of a box to a key was dropped: should it turn out to be the last after all
 * (clients' own calls can lead the traffic astray), it is made up for at the end. */
struct missed {
    int64_t key_id;
    uint32_t n;
};

static uint64_t missed_key(const gap_dc_key_t *key, const dc_event_t *e)
{
    return gap_hash64(gap_hash64(box_key(e)) ^ (uint64_t)key->auth.id) | 1;
}

static int note_missed(gap_dc_t *dc, const gap_dc_key_t *key, const dc_event_t *e)
{
    struct missed *missed = gap_map_get(&dc->missed, missed_key(key, e));

    if (missed == NULL) {
        if ((missed = gap_malloc(dc->alloc, sizeof *missed)) == NULL) return GAP_E_NOMEM;
        int r = gap_map_set(&dc->missed, missed_key(key, e), missed);
        if (r < 0) {
            gap_free(dc->alloc, missed);
            return r;
        }
    }
    missed->key_id = key->auth.id;
    missed->n = e->n;
    return 0;
}

static uint64_t due_us(const gap_dc_t *dc)
{
    uint64_t delay_us = (uint64_t)dc->options.delay_ms * 1000;

    return delay_us == 0 ? 0 : dc->now.mono_us + delay_us;
}

/* The Updates object for one key, in dc->push. */
static int build(gap_dc_t *dc, gap_dc_key_t *key, uint32_t n)
{
    dc_view_t view = {key->account, key->layer, key->seq};

    gap_buf_clear(&dc->push);
    int r = dc_model_push(dc->model, &view, &n, 1, &dc->push);
    if (r == DC_SEQ_USED) key->seq++;
    return r < 0 ? r : 0;
}

/* The body as gzip_packed, in dc->plain, if it is drawn to be. @return 1 it is; 0 it isn't. */
static int pack(gap_dc_t *dc, gap_bytes_t body)
{
    uint64_t draw = gap_hash64(dc->options.seed ^ GZIP_SALT) + dc->push_count++;
    size_t len = 0;
    uint8_t *packed;

    if (dc->options.gzip <= 0.0) return 0;
    if ((double)(gap_hash64(draw) >> 11) / 9007199254740992.0 >= dc->options.gzip) return 0;
    if ((packed = gap_malloc(dc->alloc, body.len)) == NULL) return GAP_E_NOMEM;
    int r = gap_deflate(&dc->zip, body, packed, body.len, &len);
    gap_buf_clear(&dc->plain);
    if (r == 0) r = gap_buf_append32(&dc->plain, GAP_MT_GZIP_PACKED);
    if (r == 0) r = gap_dc_put_bytes(&dc->plain, gap_bytes(packed, len));
    gap_free(dc->alloc, packed);
    return r == 0 ? 1 : r == GAP_DEFLATE_LARGER ? 0 : r;
}

/* Queue bytes for the session that gets the key's pushes. A session that can take no more loses
 * its connection; what it misses it will fetch. */
int gap_dc_push_deliver(gap_dc_t *dc, gap_dc_key_t *key, gap_bytes_t body, bool twice)
{
    const uint32_t flags = GAP_DC_CONTENT | GAP_DC_PUSH;
    gap_dc_session_t *s = key->subscribed;
    int r;

    if (s == NULL) return 0;
    if ((r = pack(dc, body)) < 0) return r;
    if (r == 1) body = gap_buf_view(&dc->plain);
    r = gap_dc_session_send(s, &dc->now, flags, 0, due_us(dc), body);
    if (r == 0 && twice) r = gap_dc_session_repeat(s, due_us(dc));
    if (r == 0 && twice) r = gap_dc_session_send(s, &dc->now, flags, 0, due_us(dc), body);
    if (r == GAP_E_LIMIT) {
        s->pushes_lost = true;
        if (s->conn != NULL) gap_dc_conn_close(s->conn);
        return 0;
    }
    if (r == 0) gap_dc_mark_dirty(dc, s);
    return r;
}

static void release(gap_dc_t *dc, gap_dc_held_t *held)
{
    gap_dc_disarm(dc, &held->timer);
    TAILQ_REMOVE(&dc->held, held, link);
    dc->held_count--;
    gap_free(dc->alloc, held);
}

static void on_held(gap_dc_t *dc, gap_dc_timer_t *t)
{
    gap_dc_held_t *held = GAP_CONTAINER_OF(t, gap_dc_held_t, timer);
    gap_dc_key_t *key = gap_dc_keys_find(&dc->keys, held->key_id);
    int r = 0;

    if (key != NULL && key->account != 0) {
        r = dc_ledger_push(&dc->ledger, held->n, key->account, DC_LATE, (int64_t)dc->now.wall_us);
        if (r == 0) r = gap_dc_push_deliver(dc, key, gap_bytes(held->body, held->len), false);
    }

    release(dc, held);
    if (r < 0) gap_dc_fail(dc, r);
    if (dc->held_count == 0 && dc->phase == GAP_DC_DRAINING) gap_dc_push_turn(dc);
}

static int hold(gap_dc_t *dc, const gap_dc_key_t *key, uint32_t n, gap_bytes_t body,
                uint64_t late_us)
{
    gap_dc_held_t *held = gap_malloc(dc->alloc, sizeof *held + body.len);

    if (held == NULL) return GAP_E_NOMEM;
    memset(held, 0, sizeof *held);
    held->timer.fire = on_held;
    held->key_id = key->auth.id;
    held->n = n;
    held->len = (uint32_t)body.len;
    memcpy(held->body, body.data, body.len);
    int r = gap_heap_insert(&dc->timers, &held->timer.node, dc->now.mono_us + late_us);
    if (r < 0) {
        gap_free(dc->alloc, held);
        return r;
    }
    TAILQ_INSERT_TAIL(&dc->held, held, link);
    dc->held_count++;
    return 0;
}

/* One event to one key. */
static int push_to(gap_dc_t *dc, gap_dc_key_t *key, const dc_event_t *e, gap_dc_fate_t fate)
{
    int r;

    if (key->subscribed == NULL || !dc_model_receives(dc->model, e->n, key->account)) return 0;
    if (fate.fate == DC_LATE && dc->held_count >= GAP_DC_HELD_MAX) fate.fate = DC_SENT;
    if (fate.fate != DC_LATE) { /* a late one is written when it goes out */
        r = dc_ledger_push(&dc->ledger, e->n, key->account, fate.fate, (int64_t)dc->now.wall_us);
        if (r < 0) return r;
    }
    if (fate.fate == DC_DROPPED) return note_missed(dc, key, e);
    gap_free(dc->alloc, gap_map_remove(&dc->missed, missed_key(key, e)));
    if ((r = build(dc, key, e->n)) < 0) return r;
    if (fate.fate == DC_LATE) return hold(dc, key, e->n, gap_buf_view(&dc->push), fate.late_us);
    return gap_dc_push_deliver(dc, key, gap_buf_view(&dc->push), fate.fate == DC_TWICE);
}

/* --- one event ------------------------------------------------------------------------------ */

/* @p index: which event of the traffic it is, from 0; -1: it has no faults. */
static int push_to_account(gap_dc_t *dc, const gap_dc_account_t *a, const dc_event_t *e,
                           int64_t index, const gap_dc_key_t *except)
{
    gap_dc_key_t *key;

    TAILQ_FOREACH (key, &a->keys, account_link) {
        gap_dc_fate_t fate = {DC_SENT, 0};
        if (key == except) continue;
        if (index >= 0) {
            bool is_clean = dc->clean != NULL && dc->clean[index] != 0;
            fate = gap_dc_fate(&dc->options, (uint32_t)index, a->id, key->ordinal, is_clean,
                               e->box != DC_BOX_NONE);
        }
        int r = push_to(dc, key, e, fate);
        if (r < 0) return r;
    }
    return 0;
}

static int push_event(gap_dc_t *dc, uint32_t n, int64_t index, const gap_dc_key_t *except)
{
    const gap_dc_account_t *a;
    dc_event_t e;

    dc_model_event(dc->model, n, &e);
    int r = dc_ledger_event(&dc->ledger, &e, (int64_t)dc->now.wall_us);
    if (r < 0) return r;
    if (e.account != 0) {
        a = gap_map_get(&dc->accounts_by_id, (uint64_t)e.account);
        return a == NULL ? 0 : push_to_account(dc, a, &e, index, except);
    }
    TAILQ_FOREACH (a, &dc->accounts, link)
        if ((r = push_to_account(dc, a, &e, index, except)) < 0) return r;
    return 0;
}

int gap_dc_push_clean(gap_dc_t *dc, uint32_t n, const gap_dc_key_t *except)
{
    return push_event(dc, n, -1, except);
}

/* --- the traffic ---------------------------------------------------------------------------- */

/* How many events should have happened by now. */
static uint64_t events_due(const gap_dc_t *dc)
{
    uint64_t elapsed_us = dc->now.mono_us - dc->start_us;

    if (dc->options.rate == 0) return UINT64_MAX;
    return (uint64_t)((gap_u128_t)elapsed_us * dc->options.rate / 1000000) + 1;
}

static int start(gap_dc_t *dc)
{
    const gap_dc_options_t *o = &dc->options;
    bool is_faulty = o->loss > 0.0 || o->reorder > 0.0 || o->duplicate > 0.0;
    bool has_accounts = dc_model_account_count(dc->model) > 0;

    dc->phase = GAP_DC_PUSHING;
    dc->start_us = dc->now.mono_us;
    if (dc->run != NULL) return 0;
    return is_faulty && has_accounts && o->traffic.events > 0 ? find_clean(dc) : 0;
}

static int go_on(gap_dc_t *dc)
{
    uint64_t due = events_due(dc);
    unsigned batch = dc->options.rate == 0 ? GAP_DC_TRAFFIC_BATCH : GAP_DC_LATE_BATCH;
    uint32_t n;
    int r = 0;

    dc->more = false;
    for (unsigned i = 0; i < batch && dc->traffic.made < due; i++) {
        if (dc->congested > 0) {
            gap_dc_arm(dc, &dc->pace, dc->now.mono_us + CONGESTED_WAIT_US);
            return 0;
        }
        r = dc_traffic_next(&dc->traffic, dc->model, (int64_t)dc->now.wall_us, &n);
        if (r == DC_TRAFFIC_DONE) {
            dc->phase = GAP_DC_DRAINING;
            return 0;
        }
        if (r < 0) return r;
        if ((r = push_event(dc, n, (int64_t)dc->traffic.made - 1, NULL)) < 0) return r;
        dc->now.wall_us = gap_env_wall_us(dc->env);
    }
    if (dc->traffic.made < due) {
        dc->more = true; /* let the sockets have their turn */
        return 0;
    }
    uint64_t next_us = (uint64_t)((gap_u128_t)dc->traffic.made * 1000000 / dc->options.rate) + 1;
    gap_dc_arm(dc, &dc->pace, dc->start_us + next_us);
    return 0;
}

static int go_on_script(gap_dc_t *dc)
{
    int r = gap_dc_script_turn(dc);

    if (r == GAP_DC_SCRIPT_OVER) {
        dc->phase = GAP_DC_DRAINING;
        r = 0;
    }
    return r;
}

/* Everything happened: make up for last pushes that were dropped after all. */
static int make_up(gap_dc_t *dc)
{
    size_t it = 0;
    uint64_t map_key;
    void *value;
    int r = 0;

    while (r == 0 && gap_map_next(&dc->missed, &it, &map_key, &value)) {
        const struct missed *missed = value;
        gap_dc_key_t *key = gap_dc_keys_find(&dc->keys, missed->key_id);
        if (key == NULL || key->subscribed == NULL) continue;
        if (!dc_model_receives(dc->model, missed->n, key->account)) continue;
        r = dc_ledger_push(&dc->ledger, missed->n, key->account, DC_LATE, (int64_t)dc->now.wall_us);
        if (r == 0) r = build(dc, key, missed->n);
        if (r == 0) r = gap_dc_push_deliver(dc, key, gap_buf_view(&dc->push), false);
    }
    it = 0;
    while (gap_map_next(&dc->missed, &it, &map_key, &value)) gap_free(dc->alloc, value);
    gap_map_fini(&dc->missed);
    gap_map_init(&dc->missed, dc->alloc);
    return r;
}

static int drain(gap_dc_t *dc)
{
    dc->more = false;
    if (dc->held_count > 0) return 0;
    int r = make_up(dc);
    if (r < 0) return r;
    dc->phase = GAP_DC_DONE;
    /* What the ledger says of the last pushes must be there before anybody reads "done". */
    gap_dc_settle(dc);
    if (dc->options.done != NULL)
        dc->options.done(dc->options.data,
                         dc->run != NULL ? gap_dc_script_events(dc) : dc->traffic.made);
    return 0;
}

void gap_dc_push_turn(gap_dc_t *dc)
{
    int r = 0;

    if (dc->has_failed || dc->is_closing) return;
    if (dc->phase == GAP_DC_AWAITING) {
        uint64_t next_us = gap_dc_accounts_ready(dc);
        if (dc->ready < dc->options.await_clients) {
            if (next_us != GAP_ENV_NEVER) gap_dc_arm(dc, &dc->pace, next_us);
            return;
        }
        r = start(dc);
    }
    if (r == 0 && dc->phase == GAP_DC_PUSHING) r = dc->run != NULL ? go_on_script(dc) : go_on(dc);
    if (r == 0 && dc->phase == GAP_DC_DRAINING) r = drain(dc);
    if (r < 0) {
        dc->more = false;
        gap_dc_fail(dc, r);
    }
}

void gap_dc_push_fini(gap_dc_t *dc)
{
    gap_dc_held_t *held;
    size_t it = 0;
    uint64_t key;
    void *missed;

    while ((held = TAILQ_FIRST(&dc->held)) != NULL) release(dc, held);
    while (gap_map_next(&dc->missed, &it, &key, &missed)) gap_free(dc->alloc, missed);
    gap_map_fini(&dc->missed);
    gap_free(dc->alloc, dc->clean);
    dc->clean = NULL;
}
