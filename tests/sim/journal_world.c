/*
 * tests/sim/journal_world.c - see journal_world.h.
 */
#include "tests/sim/journal_world.h"

#include "runner/packed.h"
#include "world.h"

#include <stdlib.h>

struct clerk clerk;
struct pack packed;
static uint64_t epoch;

#define CHANNELS 16
static gap_engine_channel_t channels[CHANNELS];

/* ---- tasks ---- */

static void label_of(const gap_update_t *u, char out[64])
{
    char text[64];

    world_label(u, text); /* "apply 12", "edit 12", "apply 7:12", "apply query 5" */
    const char *at = strncmp(text, "apply ", 6) == 0 ? text + 6 : text;
    (void)snprintf(out, 64, "%s", at);
    for (char *c = out; *c != 0; c++) {
        if (*c == ' ') *c = ':';
    }
}

static void write_down(const char *label, const gap_update_t *u, uint32_t attempts)
{
    size_t len = strlen(clerk.diary);

    if (len + 96 > sizeof clerk.diary) return;
    (void)snprintf(clerk.diary + len, sizeof clerk.diary - len, "%s%s%s%s", len == 0 ? "" : " ",
                   label, u->maybe_repeated && u->via != GAP_VIA_JOURNAL ? "~" : "",
                   u->via != GAP_VIA_JOURNAL             ? ""
                   : attempts > GAP_JOURNAL_TOGETHER_MAX ? "?"
                                                         : "!");
}

static bool goes_on(const char *label)
{
    char barred[80];

    if (clerk.later[0] == '*') return true;
    (void)snprintf(barred, sizeof barred, "|%s|", label);
    return strstr(clerk.later, barred) != NULL;
}

static struct clerk_task *new_task(const char *label)
{
    for (size_t i = 0; i < CLERK_TASKS; i++) {
        struct clerk_task *t = &clerk.tasks[i];
        if (t->used) continue;
        memset(t, 0, sizeof *t);
        t->used = true;
        (void)snprintf(t->label, sizeof t->label, "%s", label);
        return t;
    }
    ck_abort_msg("too many tasks");
    return NULL;
}

static void free_task(struct clerk_task *t)
{
    gap_packet_unref(t->packet);
    t->used = false;
}

static void tell_through(const char *label)
{
    if (clerk.through != NULL && !clerk.silent) clerk.through(label);
}

static void through(struct clerk_task *t)
{
    gap_update_t *node = t->node;

    tell_through(t->label);
    gap_journal_done(clerk.journal, &t->entry);
    t->entry.node = NULL;
    if (node != NULL) gap_update_done(node);
    free_task(t);
}

static void run_task(struct clerk_task *t)
{
    t->running = true;
    write_down(t->label, t->entry.update, t->entry.attempts);
    if (clerk.handled != NULL) clerk.handled(t);
    if (!goes_on(t->label)) through(t);
}

static void begin_task(struct clerk_task *t)
{
    if (clerk.keep_waiting) return;
    if (gap_journal_attempt(clerk.journal, &t->entry, t->entry.attempts + 1) == 0) run_task(t);
}

static int take(gap_update_t *u, void *data)
{
    char label[64];

    (void)data;
    int r = gap_journal_admit(clerk.journal, u);
    label_of(u, label);
    if (r == GAP_JOURNAL_SKIP) return 0;
    if (r == 0 && !goes_on(label) && !clerk.keep_waiting) {
        write_down(label, u, 1);
        tell_through(label);
        gap_journal_at_once(clerk.journal, u);
        return 0;
    }
    struct clerk_task *t = new_task(label);
    t->node = u;
    u->account = t;
    gap_journal_follow(clerk.journal, &t->entry, u);
    if (clerk.keep_waiting) return GAP_LATER;
    if (gap_journal_attempt(clerk.journal, &t->entry, 1) != 0) return GAP_LATER;
    t->running = true;
    write_down(t->label, u, 1);
    if (clerk.handled != NULL) clerk.handled(t);
    if (goes_on(label)) return GAP_LATER;
    tell_through(label);
    gap_journal_done(clerk.journal, &t->entry);
    free_task(t);
    return 0;
}

static void press(void *data, gap_update_t *oldest)
{
    struct clerk_task *t = oldest->account;

    (void)data;
    (void)!gap_journal_write(clerk.journal, &t->entry);
}

static void ready(void *arg, struct gap_journal_entry *e)
{
    (void)arg;
    run_task(GAP_CONTAINER_OF(e, struct clerk_task, entry));
}

static int replay(void *arg, const struct gap_journal_row *row)
{
    char label[64];

    (void)arg;
    if (clerk.room > 0 && clerk.taken == clerk.room) {
        clerk.taken = 0;
        return 1;
    }
    clerk.taken++;
    label_of(row->update, label);
    struct clerk_task *t = new_task(label);
    t->update = *row->update;
    t->packet = gap_packet_ref(row->packet);
    gap_journal_adopt(clerk.journal, &t->entry, row);
    t->entry.update = &t->update;
    begin_task(t);
    return 0;
}

static void replayed(void *arg, int status)
{
    (void)arg;
    clerk.replayed++;
    clerk.replay_status = status;
}

static void lost(void *arg, const struct gap_journal_loss *loss)
{
    (void)arg;
    clerk.lost++;
    (void)snprintf(clerk.lost_reason, sizeof clerk.lost_reason, "%s", loss->reason);
}

static const struct gap_journal_user user_ops = {ready, replay, replayed, lost};

struct clerk_task *clerk_task(const char *label)
{
    for (size_t i = 0; i < CLERK_TASKS; i++) {
        struct clerk_task *t = &clerk.tasks[i];
        if (t->used && strcmp(t->label, label) == 0) return t;
    }
    ck_abort_msg("%s is with no handler", label);
    return NULL;
}

void clerk_finish(const char *label)
{
    through(clerk_task(label));
}

/* ---- the server ---- */

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    (void)arg;
    ck_assert_uint_lt(clerk.call_count, GAP_ARRAY_LEN(clerk.calls));
    int64_t channel_id = 0;
    int32_t pts = 0;
    if (query.id == GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) {
        const gap_tl_updates_get_channel_difference_t *d = query.value;
        const gap_tl_input_channel_t *c = d->channel.value;
        channel_id = c->channel_id;
        pts = d->pts;
    } else {
        const gap_tl_updates_get_difference_t *d = query.value;
        ck_assert_uint_eq(query.id, GAP_TL_UPDATES_GET_DIFFERENCE);
        pts = d->pts;
    }
    clerk.questions++;
    clerk.calls[clerk.call_count].cb = cb;
    clerk.calls[clerk.call_count].arg = answer_arg;
    clerk.calls[clerk.call_count].pts = pts;
    clerk.calls[clerk.call_count++].channel = channel_id;
    return 0;
}

#define SLICE 7

/* What the server knows, some messages at a time. */
static gap_packet_t *tell(int64_t channel_id, int32_t from)
{
    int32_t last = channel_id == 0 ? clerk.pts : clerk.channel_pts;
    int32_t to = last > from + SLICE ? from + SLICE : last;

    if (last <= from) return channel_id == 0 ? pack_empty(1) : pack_channel_empty(last);
    for (int32_t id = from + 1; id <= to; id++) {
        if (channel_id == 0)
            pack_new(&packed, id);
        else
            pack_channel_new(&packed, channel_id, id);
    }
    if (channel_id != 0) return pack_channel_difference(&packed, to, to == last);
    return to < last ? pack_slice(&packed, to, 5, 1) : pack_difference(&packed, to, 5, 1);
}

static gap_packet_t *answer_for(int64_t channel_id, int32_t pts)
{
    if (clerk.pts > 0) return tell(channel_id, pts);

    for (size_t i = 0; i < clerk.answer_count; i++) {
        if (clerk.answers[i].channel != channel_id) continue;
        gap_packet_t *p = clerk.answers[i].packet;
        memmove(&clerk.answers[i], &clerk.answers[i + 1],
                (--clerk.answer_count - i) * sizeof clerk.answers[0]);
        return p;
    }
    return channel_id == 0 ? pack_empty(1) : NULL;
}

static void serve(bool close)
{
    for (size_t i = 0; i < clerk.call_count;) {
        gap_packet_t *p = close ? NULL : answer_for(clerk.calls[i].channel, clerk.calls[i].pts);
        gap_answer_t a = {.status = GAP_E_CLOSED};
        if (p == NULL && !close) {
            i++;
            continue;
        }
        if (p != NULL) a = (gap_answer_t){.value = gap_bytes(p->data, p->len), .packet = p};
        gap_answer_cb cb = clerk.calls[i].cb;
        void *arg = clerk.calls[i].arg;
        memmove(&clerk.calls[i], &clerk.calls[i + 1],
                (--clerk.call_count - i) * sizeof clerk.calls[0]);
        cb(arg, &a);
        gap_packet_unref(p);
    }
}

void clerk_answer(int64_t channel_id, gap_packet_t *packet)
{
    ck_assert_uint_lt(clerk.answer_count, GAP_ARRAY_LEN(clerk.answers));
    clerk.answers[clerk.answer_count].channel = channel_id;
    clerk.answers[clerk.answer_count++].packet = packet;
}

void clerk_run(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        if (clerk.engine != NULL && !clerk.closed) serve(false);
        sim_run_for(sim, MS);
    }
    if (ms == 0) sim_run_for(sim, 0);
}

void clerk_feed(void)
{
    gap_packet_t *p = pack_updates(&packed, 0);
    int r = gap_engine_feed(clerk.engine, p->data, p->len, p);

    ck_assert(r == 0 || r == GAP_E_NOMEM || r == GAP_BEHIND);
    gap_packet_unref(p);
}

void clerk_message(int32_t pts)
{
    pack_message(&packed, pts, 1, pts, PACK_USER);
    clerk_feed();
}

void clerk_channel(int32_t pts)
{
    pack_channel_message(&packed, 7, pts, 1, pts);
    clerk_feed();
}

/* ---- storing ---- */

static int collect_channel(void *arg, const gap_engine_channel_t *c)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL};

    (void)arg;
    r.u.channel = (gap_channel_record_t){c->id, c->pts, c->unfinished};
    return gap_store_put(store, &r);
}

static int collect_gone(void *arg, int64_t id)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL, .removed = true};

    (void)arg;
    r.u.channel.id = id;
    return gap_store_put(store, &r);
}

static int collect_state(void *arg, const gap_engine_state_t *s)
{
    gap_record_t r = {.kind = GAP_RECORD_STATE};

    (void)arg;
    r.u.state = (gap_state_record_t){s->pts, s->qts, s->seq, s->date};
    return gap_store_put(store, &r);
}

static int on_collect(void *arg)
{
    static const gap_engine_collector_t to = {collect_channel, collect_gone, collect_state, NULL};

    (void)arg;
    if (clerk.silent || clerk.engine == NULL) return 0;
    int r = gap_journal_collect(clerk.journal);
    return r < 0 ? r : gap_engine_collect(clerk.engine, &to);
}

static void on_changed(void *data)
{
    (void)data;
    gap_store_touch(store);
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    (void)data;
    if (ev->kind == GAP_EVENT_BEHIND) clerk.behind++;
}

/* ---- life ---- */

static int opening; /* what opening has come to: 1 under way */

static int open_journal(const struct gap_store_loaded *loaded)
{
    gap_record_t boot = {.kind = GAP_RECORD_BOOT};
    struct gap_journal_config c = {
        .store = store,
        .account = 4711,
        .unclean = loaded->has_boot && !loaded->boot.clean,
        .mode = clerk.mode,
        .dones = loaded->dones,
        .done_count = loaded->done_count,
        .inbox = loaded->inbox,
        .inbox_count = loaded->inbox_count,
    };

    epoch = c.epoch = loaded->has_boot ? loaded->boot.epoch + 1 : 1;
    for (size_t i = 0; i < sizeof c.secret; i++) boot.u.boot.secret[i] = c.secret[i] = (uint8_t)i;
    boot.u.boot.epoch = epoch;
    int r = gap_store_put(store, &boot);
    if (r < 0) return r;
    r = gap_journal_open(&rt, &c, &clerk.journal);
    if (r < 0) return r;
    gap_journal_serve(clerk.journal, &user_ops, NULL);
    return 0;
}

static int open_engine(const struct gap_store_loaded *loaded)
{
    gap_engine_state_t state = {10, 5, 1, PACK_DATE, channels, loaded->channel_count};
    gap_engine_config_t c = {
        .self_id = 4711,
        .gap_wait_us = GAP_ENGINE_GAP_WAIT_US,
        .limits.jitter_permille = GAP_ENGINE_NO_JITTER,
        .invoke = invoke,
        .handler = take,
        .event = on_event,
        .state = &state,
        .changed = on_changed,
        .press = press,
    };

    ck_assert_uint_le(loaded->channel_count, CHANNELS);
    for (size_t i = 0; i < loaded->channel_count; i++) {
        const gap_channel_record_t *from = &loaded->channels[i];
        channels[i] =
            (gap_engine_channel_t){from->id, pack_hash(from->id), from->pts, from->unfinished};
    }
    if (loaded->has_state) {
        state.pts = loaded->state.pts;
        state.qts = loaded->state.qts;
        state.seq = loaded->state.seq;
        state.date = loaded->state.date;
    }
    int r = gap_engine_open_on(&rt, &c, &clerk.engine);
    if (r < 0) return r;
    gap_journal_engine(clerk.journal, clerk.engine);
    return gap_journal_replay(clerk.journal);
}

static void on_opened(void *arg, int status, const struct gap_store_loaded *loaded,
                      const gap_storage_fault_t *why)
{
    (void)arg;
    (void)why;
    opening = status;
    if (status < 0) return;
    opening = open_journal(loaded);
    if (opening == 0) opening = open_engine(loaded);
}

static void on_failed(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *why)
{
    (void)arg;
    (void)status;
    (void)retry_us;
    (void)why;
}

static void on_recovered(void *arg)
{
    (void)arg;
}

static const struct gap_store_events events = {on_opened, on_failed, on_recovered, on_collect};

void clerk_world(uint64_t seed, const struct sim_options *options)
{
    begin(seed, options);
    epoch = 0;
    memset(&clerk, 0, sizeof clerk);
    clerk.tasks = calloc(CLERK_TASKS, sizeof clerk.tasks[0]);
    gap_record_t s = state(10);
    s.u.state.qts = 5;
    s.u.state.seq = 1;
    s.u.state.date = PACK_DATE;
    store_before(s);
    store_before(channel(7, 50));
}

int clerk_try_open(void)
{
    struct gap_store_config config = {&door.base, NULL};

    opening = 1;
    clerk.closed = clerk.silent = false;
    clerk.replayed = 0;
    int r = gap_store_open(&rt, &config, &events, NULL, &store);
    if (r < 0) return r;
    for (int i = 0; i < 100 && opening > 0; i++) clerk_run(1);
    if (opening != 0) return opening < 0 ? opening : GAP_E_TIMEOUT;
    for (int i = 0; i < 2000 && clerk.replayed == 0; i++) {
        clerk_run(1);
        gap_journal_replay_on(clerk.journal);
    }
    ck_assert_uint_eq(clerk.replayed, 1);
    gap_engine_start(clerk.engine);
    clerk_run(2);
    return 0;
}

void clerk_open(void)
{
    ck_assert_int_eq(clerk_try_open(), 0);
}

static void on_engine_closed(void *arg)
{
    (void)arg;
    if (clerk.journal != NULL) gap_journal_engine(clerk.journal, NULL);
    clerk.closed = true;
}

static void leave_tasks(void)
{
    for (size_t i = 0; i < CLERK_TASKS; i++) {
        struct clerk_task *t = &clerk.tasks[i];
        if (!t->used) continue;
        gap_journal_drop(clerk.journal, &t->entry);
        if (t->node != NULL) gap_engine_return(t->node);
        free_task(t);
    }
}

static void finish_life(void)
{
    if (clerk.engine != NULL) {
        gap_engine_close(clerk.engine, on_engine_closed, NULL);
        leave_tasks();
        serve(true);
        sim_run_for(sim, 10 * MS);
        ck_assert(clerk.closed);
        clerk.engine = NULL;
    }
    if (store != NULL) {
        owner.closed = 0;
        gap_store_close(store, on_closed, NULL);
        sim_run_for(sim, 10 * S);
        ck_assert_int_eq(owner.closed, 1);
        door.destroyed = false;
    }
    if (clerk.journal != NULL) gap_journal_close(clerk.journal);
    clerk.journal = NULL;
    clerk.call_count = 0;
    while (clerk.answer_count > 0) gap_packet_unref(clerk.answers[--clerk.answer_count].packet);
}

/* ---- the disk ---- */

struct copying {
    gap_storage_t *to;
    void (*change)(uint8_t *data, size_t *len);
};

static int copy_one(void *arg, const gap_record_t *r)
{
    struct copying *c = arg;
    gap_storage_fault_t why;
    gap_record_t rec = *r;
    uint8_t bytes[4096];

    if (r->kind == GAP_RECORD_INBOX && !r->u.inbox.has_update) return 0;
    if (r->kind == GAP_RECORD_INBOX && c->change != NULL) {
        size_t len = r->u.inbox.update.len;
        ck_assert_uint_le(len, sizeof bytes);
        memcpy(bytes, r->u.inbox.update.data, len);
        c->change(bytes, &len);
        rec.u.inbox.update = gap_bytes(bytes, len);
    }
    return c->to->ops->commit(c->to, &rec, 1, &why);
}

static gap_storage_t *copy_disk(void (*change)(uint8_t *data, size_t *len))
{
    const gap_read_t inbox = {
        .kind = GAP_RECORD_INBOX, .after = true, .limit = 100000, .bytes_max = SIZE_MAX};
    const gap_read_t dead = {
        .kind = GAP_RECORD_DEAD, .after = true, .limit = 100000, .bytes_max = SIZE_MAX};
    struct copying c = {NULL, change};
    gap_storage_fault_t why;

    ck_assert_int_eq(gap_storage_memory(NULL, &c.to), 0);
    ck_assert_int_eq(c.to->ops->open(c.to, &why), 0);
    if (!door.open) ck_assert_int_eq(disk->ops->open(disk, &why), 0);
    ck_assert_int_eq(disk->ops->load(disk, copy_one, &c, &why), 0);
    ck_assert_int_eq(disk->ops->read(disk, &inbox, copy_one, &c, &why), 0);
    ck_assert_int_eq(disk->ops->read(disk, &dead, copy_one, &c, &why), 0);
    if (!door.open) disk->ops->close(disk);
    c.to->ops->close(c.to);
    return c.to;
}

void clerk_spoil(void (*change)(uint8_t *data, size_t *len))
{
    gap_storage_t *to = copy_disk(change);

    ck_assert(!door.open);
    disk->ops->destroy(disk);
    disk = to;
}

void clerk_crash(void)
{
    gap_storage_t *left = copy_disk(NULL);

    clerk.silent = true;
    finish_life();
    disk->ops->destroy(disk);
    disk = left;
    clerk.diary[0] = clerk.later[0] = 0;
    clerk.keep_waiting = false;
}

void clerk_close(void)
{
    gap_record_t boot = {.kind = GAP_RECORD_BOOT};

    boot.u.boot.epoch = epoch;
    boot.u.boot.clean = true;
    ck_assert_int_eq(gap_store_put(store, &boot), 0);
    ck_assert(clerk_flush());
    finish_life();
    clerk.diary[0] = clerk.later[0] = 0;
}

void clerk_end(void)
{
    clerk.silent = true;
    finish_life();
    pack_fini(&packed);
    memset(&packed, 0, sizeof packed);
    free(clerk.tasks);
    end();
}

static int look(void *arg, const gap_record_t *r)
{
    struct clerk_disk *d = arg;

    if (r->kind == GAP_RECORD_STATE) d->pts = r->u.state.pts;
    if (r->kind == GAP_RECORD_CHANNEL && r->u.channel.id == 7) d->channel_pts = r->u.channel.pts;
    if (r->kind == GAP_RECORD_DONE) d->done++;
    if (r->kind == GAP_RECORD_INBOX && d->rows < GAP_ARRAY_LEN(d->attempts)) {
        d->attempts[d->rows] = r->u.inbox.attempts;
        d->numbers[d->rows] = r->u.inbox.number;
    }
    if (r->kind == GAP_RECORD_INBOX) d->rows++;
    if (r->kind == GAP_RECORD_DEAD) {
        d->dead++;
        d->dead_attempts = r->u.dead.attempts;
        d->dead_number = r->u.dead.number;
        (void)snprintf(d->dead_reason, sizeof d->dead_reason, "%.*s", (int)r->u.dead.reason.len,
                       (const char *)r->u.dead.reason.data);
    }
    return 0;
}

struct clerk_disk clerk_disk(void)
{
    const gap_read_t dead = {.kind = GAP_RECORD_DEAD, .after = true};
    gap_storage_fault_t why;
    struct clerk_disk d;

    memset(&d, 0, sizeof d);
    if (!door.open) ck_assert_int_eq(disk->ops->open(disk, &why), 0);
    ck_assert_int_eq(disk->ops->load(disk, look, &d, &why), 0);
    ck_assert_int_eq(disk->ops->read(disk, &dead, look, &d, &why), 0);
    if (!door.open) disk->ops->close(disk);
    return d;
}

static void (*each_row)(const char *label);

static int on_row(void *arg, const gap_record_t *r)
{
    gap_update_t u;
    char label[64];

    (void)arg;
    ck_assert_int_eq(gap_packed_read(r->u.inbox.update, &u), GAP_PACKED_GOOD);
    label_of(&u, label);
    each_row(label);
    return 0;
}

void clerk_rows(void (*each)(const char *label))
{
    const gap_read_t what = {
        .kind = GAP_RECORD_INBOX, .after = true, .limit = 100000, .bytes_max = SIZE_MAX};
    gap_storage_fault_t why;

    each_row = each;
    if (!door.open) ck_assert_int_eq(disk->ops->open(disk, &why), 0);
    ck_assert_int_eq(disk->ops->read(disk, &what, on_row, NULL, &why), 0);
    if (!door.open) disk->ops->close(disk);
}

bool clerk_flush(void)
{
    struct answer done = {0};

    if (gap_store_flush(store, on_done, &done) < 0) return false;
    for (int i = 0; i < 1000 && done.count == 0; i++) clerk_run(1);
    ck_assert_int_eq(done.count, 1);
    return done.status == 0;
}

/* ---- what most cases begin with ---- */

const struct sim_options clerk_shuffled = {.shuffle = true, .work_us = 300};

void clerk_open_with(const char *later)
{
    (void)snprintf(clerk.later, sizeof clerk.later, "%s", later);
    clerk_open();
}

void clerk_begin(int seed, const char *later)
{
    clerk_world((uint64_t)seed, seed == 0 ? NULL : &clerk_shuffled);
    clerk_open_with(later);
}

void clerk_messages(int32_t first, int32_t last)
{
    for (int32_t pts = first; pts <= last; pts++) clerk_message(pts);
}

gap_packet_t *clerk_difference(int32_t first, int32_t last)
{
    for (int32_t id = first; id <= last; id++) pack_new(&packed, id);
    return pack_difference(&packed, last, 5, 1);
}
