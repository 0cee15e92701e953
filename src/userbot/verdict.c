/*
 * userbot/verdict.c - the comparison behind the demo's last line.
 *
 * Lines are kept as records; verdict_compare indexes the ledger by what identifies an event (chat
 * and id, text, ids, query id ...), walks the deliveries in order and ticks the events off. It
 * never looks at the engine's own state, only at what both sides wrote.
 */
#include "userbot/verdict.h"

#include "base/bytes.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

struct event {
    record_t r;
    uint32_t ids_left; /* deletes: ids not seen yet; others 1 */
    bool folded;       /* listed in a difference this account got */
    bool delivered;
    int64_t at_us;     /* of the first delivery */
    uint64_t position; /* of the delivery, 1-based */
    int64_t pushed_us; /* when its last push went out; 0 = never */
};

struct entry { /* one identity of one event; chained by key in ledger order */
    uint32_t event;
    uint32_t next; /* 1-based, 0 = end */
    bool used;
};

struct list {
    void *items;
    size_t count;
    size_t cap;
};

struct verdict {
    int64_t account;
    int64_t gap_wait_us;
    struct list events;     /* struct event */
    struct list deliveries; /* record_t; t_us is when it was handled */
    struct list entries;    /* struct entry */
    gap_map_t by_n;         /* event number -> event index + 1 */
    gap_map_t first;        /* key -> first entry */
    gap_map_t last;         /* key -> last entry */
    gap_map_t seen;         /* scratch of one comparison */
    uint64_t difference_calls;
    uint64_t status; /* events that nothing is promised of */
};

static void *as_value(size_t i)
{
    return (void *)(uintptr_t)(i + 1);
}
static size_t as_index(const void *value)
{
    return (size_t)(uintptr_t)value - 1;
}

static void *list_add(struct list *l, size_t size)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 256 : l->cap * 2;
        void *items = realloc(l->items, cap * size);
        if (items == NULL) return NULL;
        l->items = items;
        l->cap = cap;
    }
    return (char *)l->items + size * l->count++;
}

static struct event *event_at(const verdict_t *v, size_t i)
{
    return (struct event *)v->events.items + i;
}

static record_t *delivery_at(const verdict_t *v, size_t i)
{
    return (record_t *)v->deliveries.items + i;
}

static struct entry *entry_at(const verdict_t *v, size_t i)
{
    return (struct entry *)v->entries.items + i;
}

static uint64_t key_of(uint64_t kind, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t h = gap_hash64(kind * 0x9e3779b97f4a7c15U + 1);

    h = gap_hash64(h ^ a);
    h = gap_hash64(h + b);
    h = gap_hash64(h ^ (c + 0x51ed2701U));
    return h != 0 ? h : 1;
}

/* Message ids are account-wide in the common box and per channel elsewhere. */
static uint64_t message_key(const record_t *r, int64_t id)
{
    return key_of(100, r->is_channel_box ? r->box : 0, (uint64_t)id, 0);
}

static uint64_t ids_hash(const record_t *r)
{
    uint64_t h = r->id_count > 0 ? 0 : (uint64_t)r->id;

    for (uint32_t i = 0; i < r->id_count; i++) h = gap_hash64(h ^ (uint64_t)r->ids[i]);
    return h;
}

/* What identifies an event: one key, but for deletes, which have one per id. */
static uint64_t identity(const record_t *r, uint32_t i)
{
    switch (r->kind) {
    case RECORD_NEW_MESSAGE:
        return key_of(r->kind, r->chat, (uint64_t)r->id, 0);
    case RECORD_EDIT_MESSAGE:
        return key_of(r->kind, r->chat, (uint64_t)r->id, r->text);
    case RECORD_DELETE_MESSAGES:
        return key_of(r->kind, r->is_channel_box ? r->box : 0, (uint64_t)r->ids[i], 0);
    case RECORD_PIN:
        return key_of(r->kind, r->chat, ids_hash(r), r->pinned);
    case RECORD_READ:
        return key_of(r->kind, r->chat, (uint64_t)r->max_id, r->outbox);
    case RECORD_QTS:
        return key_of(r->kind, r->name, r->chat, 0);
    default:
        return key_of(r->kind, (uint64_t)r->query_id, 0, 0);
    }
}

static uint32_t identities(const record_t *r)
{
    return r->kind == RECORD_DELETE_MESSAGES ? r->id_count : 1;
}

verdict_t *verdict_new(int64_t account, int64_t gap_wait_us)
{
    verdict_t *v = calloc(1, sizeof *v);

    if (v == NULL) return NULL;
    v->account = account;
    v->gap_wait_us = gap_wait_us;
    gap_map_init(&v->by_n, gap_alloc_default());
    gap_map_init(&v->first, gap_alloc_default());
    gap_map_init(&v->last, gap_alloc_default());
    gap_map_init(&v->seen, gap_alloc_default());
    return v;
}

void verdict_free(verdict_t *v)
{
    if (v == NULL) return;
    for (size_t i = 0; i < v->events.count; i++) record_fini(&event_at(v, i)->r);
    for (size_t i = 0; i < v->deliveries.count; i++) record_fini(delivery_at(v, i));
    free(v->events.items);
    free(v->deliveries.items);
    free(v->entries.items);
    gap_map_fini(&v->by_n);
    gap_map_fini(&v->first);
    gap_map_fini(&v->last);
    gap_map_fini(&v->seen);
    free(v);
}

static int add_entry(verdict_t *v, uint64_t key, size_t event)
{
    struct entry *e = list_add(&v->entries, sizeof *e);

    if (e == NULL) return GAP_E_NOMEM;
    e->event = (uint32_t)event;
    e->next = 0;
    size_t at = v->entries.count - 1;
    void *last = gap_map_get(&v->last, key);
    if (last != NULL) {
        entry_at(v, as_index(last))->next = (uint32_t)(at + 1);
    } else {
        int r = gap_map_set(&v->first, key, as_value(at));
        if (r < 0) return r;
    }
    return gap_map_set(&v->last, key, as_value(at));
}

/* Takes the record. */
static int add_event(verdict_t *v, record_t *r)
{
    struct event *e = list_add(&v->events, sizeof *e);

    if (e == NULL) {
        record_fini(r);
        return GAP_E_NOMEM;
    }
    memset(e, 0, sizeof *e);
    e->r = *r;
    size_t at = v->events.count - 1;
    for (uint32_t i = 0; i < identities(r); i++) {
        int s = add_entry(v, identity(r, i), at);
        if (s < 0) return s;
    }
    return r->n != 0 ? gap_map_set(&v->by_n, (uint64_t)r->n, as_value(at)) : 0;
}

static struct event *by_number(const verdict_t *v, int64_t n)
{
    void *value = n > 0 ? gap_map_get(&v->by_n, (uint64_t)n) : NULL;
    return value == NULL ? NULL : event_at(v, as_index(value));
}

static void note_push(verdict_t *v, const record_t *r)
{
    struct event *e = by_number(v, r->n);

    if (e == NULL || r->account != v->account) return;
    if (e->r.fate != FATE_LATE || r->fate == FATE_LATE) e->r.fate = r->fate;
    if (r->fate != FATE_DROPPED) e->pushed_us = r->t_us;
}

int verdict_ledger_line(verdict_t *v, const char *line, size_t len)
{
    record_t r;
    int s = record_parse(line, len, &r);

    if (s < 0) return s;
    switch (r.kind) {
    case RECORD_NEW_MESSAGE:
    case RECORD_EDIT_MESSAGE:
    case RECORD_DELETE_MESSAGES:
    case RECORD_PIN:
    case RECORD_READ:
    case RECORD_QTS:
    case RECORD_CALLBACK_QUERY:
        if (r.account == 0 || r.account == v->account) return add_event(v, &r);
        break;
    case RECORD_STATUS:
        if (r.account == 0 || r.account == v->account) v->status++;
        break;
    case RECORD_PUSH:
        note_push(v, &r);
        break;
    case RECORD_DIFFERENCE:
        for (uint32_t i = 0; r.account == v->account && i < r.id_count; i++) {
            struct event *e = by_number(v, r.ids[i]);
            if (e != NULL) e->folded = true;
        }
        break;
    case RECORD_CALL:
        if (r.account == v->account && r.is_difference_call) v->difference_calls++;
        break;
    default:
        break;
    }
    record_fini(&r);
    return 0;
}

int verdict_delivered_line(verdict_t *v, const char *line, size_t len, int64_t at_us)
{
    record_t r;
    int s = record_parse(line, len, &r);

    if (s < 0) return s;
    if (r.kind == RECORD_STATUS || r.kind == RECORD_OTHER || r.kind >= RECORD_PUSH) {
        record_fini(&r);
        return 0;
    }
    r.t_us = at_us;
    record_t *d = list_add(&v->deliveries, sizeof *d);
    if (d == NULL) {
        record_fini(&r);
        return GAP_E_NOMEM;
    }
    *d = r;
    return 0;
}

struct comparison {
    verdict_t *v;
    struct verdict_report report;
    int status;
};

static void problem(struct comparison *c, const char *what, const record_t *r)
{
    if (c->report.first_problem[0] != '\0') return;
    (void)snprintf(c->report.first_problem, sizeof c->report.first_problem,
                   "%s: event %lld, message id %lld, pts %d", what, (long long)r->n,
                   (long long)(r->id != 0        ? r->id
                               : r->id_count > 0 ? r->ids[0]
                                                 : r->max_id),
                   r->pts);
}

/* Highest value noted under a key so far; 0 if none. Values are positions or ids, far below 2^63.
 */
static uint64_t seen_get(struct comparison *c, uint64_t key)
{
    void *value = gap_map_get(&c->v->seen, key);
    return value == NULL ? 0 : (uint64_t)(uintptr_t)value;
}

static void seen_set(struct comparison *c, uint64_t key, uint64_t value)
{
    int r = value == 0 ? 0 : gap_map_set(&c->v->seen, key, (void *)(uintptr_t)value);
    if (r < 0) c->status = r;
}

static void check_order(struct comparison *c, const record_t *d, const struct event *e)
{
    bool wrong = false;

    if (d->kind == RECORD_NEW_MESSAGE) {
        uint64_t chat_key = key_of(101, d->chat, 0, 0);
        wrong = (uint64_t)d->id < seen_get(c, chat_key) || seen_get(c, message_key(d, d->id)) != 0;
        if ((uint64_t)d->id > seen_get(c, chat_key)) seen_set(c, chat_key, (uint64_t)d->id);
    } else if (d->kind == RECORD_EDIT_MESSAGE) {
        uint64_t edit_key = key_of(102, d->chat, (uint64_t)d->id, 0);
        wrong = (uint64_t)e->r.n < seen_get(c, edit_key);
        seen_set(c, edit_key, (uint64_t)e->r.n);
        seen_set(c, message_key(d, d->id), 1);
    } else if (d->kind == RECORD_DELETE_MESSAGES) {
        for (uint32_t i = 0; i < d->id_count; i++) seen_set(c, message_key(d, d->ids[i]), 1);
    }
    if (wrong) {
        c->report.out_of_order++;
        problem(c, "out of order", &e->r);
    }
}

/* The event that a delivery is: the oldest one with this identity that is still open; one that the
 * server says it folded only if there is no other. Else any that is ticked off. */
static struct entry *find_open(const verdict_t *v, uint64_t key)
{
    void *first = gap_map_get(&v->first, key);
    struct entry *found = NULL;
    struct entry *en;

    for (uint32_t at = first == NULL ? 0 : (uint32_t)as_index(first) + 1; at != 0; at = en->next) {
        en = entry_at(v, at - 1);
        if (!en->used && !event_at(v, en->event)->folded) return en;
        if (found == NULL || (found->used && !en->used)) found = en;
    }
    return found;
}

/* Tick off one identity of a delivery. */
static struct event *match(struct comparison *c, const record_t *d, uint32_t i, uint64_t position,
                           bool *doubled)
{
    struct entry *en = find_open(c->v, identity(d, i));

    if (en == NULL) return NULL;
    struct event *e = event_at(c->v, en->event);
    if (en->used) {
        *doubled = true;
        return e;
    }
    en->used = true;
    if (e->ids_left > 0 && --e->ids_left == 0) {
        e->delivered = true;
        e->at_us = d->t_us;
        e->position = position;
    }
    return e;
}

static void walk_deliveries(struct comparison *c)
{
    for (size_t i = 0; i < c->v->deliveries.count; i++) {
        const record_t *d = delivery_at(c->v, i);
        bool doubled = false;
        for (uint32_t k = 0; k < identities(d); k++) {
            struct event *e = match(c, d, k, i + 1, &doubled);
            if (e == NULL) {
                c->report.unexpected++;
                problem(c, "delivered but not in the ledger", d);
            } else if (k == 0 && !doubled) {
                check_order(c, d, e);
            }
        }
        if (doubled && !d->maybe_repeated) {
            c->report.doubled++;
            problem(c, "delivered twice", d);
        }
    }
}

static bool kind_and_chat(const struct event *e, const struct event *later)
{
    return later->delivered && later->r.kind == e->r.kind && later->r.chat == e->r.chat;
}

/* Did a delete of this message arrive? */
static bool deleted(const verdict_t *v, const record_t *r, int64_t id)
{
    void *first = gap_map_get(
        &v->first, key_of(RECORD_DELETE_MESSAGES, r->is_channel_box ? r->box : 0, (uint64_t)id, 0));
    return first != NULL && entry_at(v, as_index(first))->used;
}

/* Did the message arrive with the content of this event or of a later edit? */
static bool content_arrived(const verdict_t *v, const struct event *e)
{
    for (size_t i = 0; i < v->deliveries.count; i++) {
        const record_t *d = delivery_at(v, i);
        if (d->chat != e->r.chat || d->id != e->r.id) continue;
        if (d->kind != RECORD_NEW_MESSAGE && d->kind != RECORD_EDIT_MESSAGE) continue;
        if (d->text == e->r.text) return true;
        void *at =
            gap_map_get(&v->first, key_of(RECORD_EDIT_MESSAGE, d->chat, (uint64_t)d->id, d->text));
        if (at != NULL && event_at(v, entry_at(v, as_index(at))->event)->r.n > e->r.n) return true;
    }
    return false;
}

static bool superseded(const verdict_t *v, size_t index)
{
    const struct event *e = event_at(v, index);

    if (!e->folded) return false;
    switch (e->r.kind) {
    case RECORD_NEW_MESSAGE:
    case RECORD_EDIT_MESSAGE:
        return deleted(v, &e->r, e->r.id) || content_arrived(v, e);
    case RECORD_READ:
        for (size_t i = index + 1; i < v->events.count; i++) {
            const struct event *later = event_at(v, i);
            if (kind_and_chat(e, later) && later->r.outbox == e->r.outbox &&
                later->r.max_id >= e->r.max_id)
                return true;
        }
        return false;
    case RECORD_PIN:
        for (size_t i = index + 1; i < v->events.count; i++) {
            if (kind_and_chat(e, event_at(v, i))) return true;
        }
        for (uint32_t i = 0; i < e->r.id_count; i++) {
            if (deleted(v, &e->r, e->r.ids[i])) return true;
        }
        return e->r.id != 0 && deleted(v, &e->r, e->r.id);
    default:
        return false;
    }
}

static void judge(struct comparison *c)
{
    c->report.outside = c->v->status;
    for (size_t i = 0; i < c->v->events.count; i++) {
        struct event *e = event_at(c->v, i);
        if (e->r.kind == RECORD_CALLBACK_QUERY && e->pushed_us == 0 && !e->delivered) {
            c->report.outside++;
            continue;
        }
        c->report.expected++;
        if (e->delivered) {
            c->report.delivered++;
        } else if (superseded(c->v, i)) {
            c->report.superseded++;
        } else {
            c->report.lost++;
            problem(c, "lost", &e->r);
        }
    }
}

static bool in_gap(const struct event *e, int64_t wait_us)
{
    return e->r.fate == FATE_DROPPED ||
           (e->r.fate == FATE_LATE && e->pushed_us - e->r.t_us > wait_us);
}

/* Per box, in ledger order: count the gaps, and tell which deliveries nothing had held up. pts and
 * qts share one updater, so they are held up together. */
static void walk_boxes(struct comparison *c, double *clean)
{
    gap_map_t *seen = &c->v->seen;

    gap_map_fini(seen);
    for (size_t i = 0; i < c->v->events.count; i++) {
        const struct event *e = event_at(c->v, i);
        if (e->r.kind == RECORD_CALLBACK_QUERY) continue;
        uint64_t group = e->r.is_channel_box ? e->r.box : 1;
        uint64_t run_key = key_of(103, e->r.box, 0, 0);
        uint64_t block_key = key_of(104, group, 0, 0);
        bool gap = in_gap(e, c->v->gap_wait_us);
        if (gap && seen_get(c, run_key) != 2) c->report.gaps++;
        seen_set(c, run_key, gap ? 2 : 1);
        uint64_t blocked_until = seen_get(c, block_key);
        bool trouble = e->r.fate == FATE_DROPPED || e->r.fate == FATE_LATE;
        if (trouble && e->delivered && (uint64_t)e->at_us > blocked_until) {
            seen_set(c, block_key, (uint64_t)e->at_us);
        }
        if (!trouble && e->delivered && (uint64_t)e->r.t_us > blocked_until) {
            clean[c->report.clean++] = (double)(e->at_us - e->r.t_us) / 1000.0;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, size_t count, double q)
{
    if (count == 0) return 0;
    qsort(values, count, sizeof *values, by_value);
    size_t i = (size_t)(q * (double)count);
    return values[i < count ? i : count - 1];
}

static void reset(verdict_t *v)
{
    for (size_t i = 0; i < v->entries.count; i++) entry_at(v, i)->used = false;
    for (size_t i = 0; i < v->events.count; i++) {
        struct event *e = event_at(v, i);
        e->ids_left = identities(&e->r);
        e->delivered = false;
    }
    gap_map_fini(&v->seen);
}

int verdict_compare(verdict_t *v, struct verdict_report *out)
{
    struct comparison c = {v, {0}, 0};
    double *ms = malloc((v->events.count + 1) * sizeof *ms);
    size_t count = 0;

    if (ms == NULL) return GAP_E_NOMEM;
    reset(v);
    walk_deliveries(&c);
    judge(&c);
    walk_boxes(&c, ms);
    c.report.clean_p50_ms = quantile(ms, c.report.clean, 0.5);
    for (size_t i = 0; i < v->events.count; i++) {
        const struct event *e = event_at(v, i);
        if (e->delivered) ms[count++] = (double)(e->at_us - e->r.t_us) / 1000.0;
    }
    c.report.p50_ms = quantile(ms, count, 0.5);
    c.report.p99_ms = quantile(ms, count, 0.99);
    c.report.differences = v->difference_calls > 0 ? v->difference_calls - 1 : 0;
    free(ms);
    if (c.status < 0) return c.status;
    *out = c.report;
    return 0;
}
