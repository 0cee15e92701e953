/*
 * outbox/schedule.c - turns of chats: a queue for each class of those that may go, a heap by time
 * of those that may not yet.
 *
 * Owns: one record of 64 bytes for each chat. Never: a clock, rows, calls. Room in the heap is made
 * when a chat is taken in, so that nothing fails later but gap_schedule_next, which may need memory
 * for a chat's bucket.
 */
#include "outbox/schedule.h"

#include "base/assert.h"

#define PER_SLAB 256
/** A map that grew larger than this is given back when it is empty. */
#define MAP_KEPT 1024

enum turn_state { TURN_READY, TURN_BLOCKED, TURN_IN_FLIGHT };

struct gap_turn {
    gap_heap_node_t heap; /* BLOCKED; first: the heap gives it back */
    union {
        TAILQ_ENTRY(gap_turn) ready; /* READY */
        int64_t until_us;            /* IN FLIGHT: not before, after done */
    } u;
    int64_t chat;
    int64_t row;
    uint32_t method;
    uint8_t urgency;
    uint8_t state;
    bool taken;      /* from the buckets, and has not left */
    bool more : 1;   /* IN FLIGHT: a row was added meanwhile */
    bool drop : 1;   /* IN FLIGHT: forget it then */
    bool oldest : 1; /* the row was read as that */
};

static const uint32_t weights[GAP_OUTBOX_BULK + 1] = {
    [GAP_OUTBOX_REPLY] = 12, [GAP_OUTBOX_EDITS] = 3, [GAP_OUTBOX_BULK] = 1};

/* INT64_MIN is no chat, so that no key is 0. */
static uint64_t key_of(int64_t chat)
{
    return (uint64_t)chat ^ (uint64_t)INT64_MIN;
}

static struct gap_turn *known(const struct gap_schedule *s, int64_t chat)
{
    return gap_map_get(&s->map, key_of(chat));
}

void gap_schedule_init(struct gap_schedule *s, const gap_alloc_t *alloc, struct gap_limits *limits,
                       size_t chats_max, uint32_t in_flight_max)
{
    s->alloc = alloc;
    s->limits = limits;
    gap_map_init(&s->map, alloc);
    gap_pool_init(&s->pool, alloc, sizeof(struct gap_turn), PER_SLAB);
    gap_heap_init(&s->blocked, alloc);
    for (int c = 0; c <= GAP_OUTBOX_BULK; c++) {
        TAILQ_INIT(&s->ready[c]);
        s->credit[c] = weights[c];
    }
    s->chats_max = chats_max > 0 ? chats_max : GAP_OUTBOX_CHATS_MAX;
    s->in_flight_max = in_flight_max > 0 ? in_flight_max : GAP_OUTBOX_IN_FLIGHT;
    s->in_flight = 0;
    s->busy = false;
}

void gap_schedule_fini(struct gap_schedule *s)
{
    gap_map_fini(&s->map);
    gap_heap_fini(&s->blocked);
    gap_pool_fini(&s->pool);
    for (int c = 0; c <= GAP_OUTBOX_BULK; c++) TAILQ_INIT(&s->ready[c]);
}

/* ---- places ---- */

static void make_ready(struct gap_schedule *s, struct gap_turn *t)
{
    t->state = TURN_READY;
    TAILQ_INSERT_TAIL(&s->ready[t->urgency], t, u.ready);
}

static void make_blocked(struct gap_schedule *s, struct gap_turn *t, int64_t until_us)
{
    t->state = TURN_BLOCKED;
    int r = gap_heap_insert(&s->blocked, &t->heap, until_us > 0 ? (uint64_t)until_us : 0);
    GAP_ASSERT(r == 0); /* there was room when it was taken in */
}

/* To where its limits let it stand now. */
static void place(struct gap_schedule *s, struct gap_turn *t, int64_t now_us)
{
    int64_t when = gap_limits_chat_when(s->limits, t->chat, t->method, now_us);

    if (when > now_us) {
        make_blocked(s, t, when);
    } else {
        make_ready(s, t);
    }
}

static void unplace(struct gap_schedule *s, struct gap_turn *t)
{
    if (t->state == TURN_READY) TAILQ_REMOVE(&s->ready[t->urgency], t, u.ready);
    if (t->state == TURN_BLOCKED) gap_heap_remove(&s->blocked, &t->heap);
}

/* It stands nowhere. */
static void forget(struct gap_schedule *s, struct gap_turn *t)
{
    (void)gap_map_remove(&s->map, key_of(t->chat));
    gap_pool_put(&s->pool, t);
    if (s->map.count > 0 || s->map.cap <= MAP_KEPT) return;
    gap_map_fini(&s->map);
    gap_heap_fini(&s->blocked);
    gap_pool_trim(&s->pool);
}

static uint8_t class_of(gap_outbox_class_t urgency)
{
    return urgency == GAP_OUTBOX_REPLY || urgency == GAP_OUTBOX_EDITS ? (uint8_t)urgency
                                                                      : (uint8_t)GAP_OUTBOX_BULK;
}

int gap_schedule_add(struct gap_schedule *s, int64_t chat, gap_outbox_class_t urgency,
                     uint32_t method, int64_t row, int64_t now_us)
{
    if (chat == INT64_MIN) return GAP_E_ARGUMENT;
    struct gap_turn *t = known(s, chat);
    if (t != NULL) {
        t->more = t->state == TURN_IN_FLIGHT;
        return GAP_SCHEDULE_KNOWN;
    }
    if (!gap_schedule_room(s)) return GAP_SCHEDULE_FULL;
    int r = gap_map_reserve(&s->map, 1);
    if (r == 0) r = gap_heap_reserve(&s->blocked, s->map.count + 1);
    if (r < 0) return r;
    t = gap_pool_get(&s->pool);
    if (t == NULL) return GAP_E_NOMEM;
    *t =
        (struct gap_turn){.chat = chat, .row = row, .method = method, .urgency = class_of(urgency)};
    r = gap_map_set(&s->map, key_of(chat), t);
    GAP_ASSERT(r == 0);
    place(s, t, now_us);
    return 0;
}

bool gap_schedule_room(const struct gap_schedule *s)
{
    return s->map.count < s->chats_max;
}

size_t gap_schedule_count(const struct gap_schedule *s)
{
    return s->map.count;
}

/* ---- whose turn ---- */

static bool usable(const struct gap_schedule *s, int urgency)
{
    if (TAILQ_EMPTY(&s->ready[urgency])) return false;
    if (urgency == GAP_OUTBOX_BULK && s->limits->bulk_stopped) return false;
    return urgency == GAP_OUTBOX_REPLY || s->in_flight < s->in_flight_max - s->in_flight_max / 8;
}

/* The class that is next; 0: none. */
static int class_next(struct gap_schedule *s)
{
    int most_urgent = 0;

    for (int c = GAP_OUTBOX_BULK; c >= GAP_OUTBOX_REPLY; c--) {
        if (usable(s, c)) most_urgent = c;
    }
    if (most_urgent == 0) return 0;
    for (int c = most_urgent; c <= GAP_OUTBOX_BULK; c++) {
        if (s->credit[c] > 0 && usable(s, c)) return c;
    }
    for (int c = 0; c <= GAP_OUTBOX_BULK; c++) s->credit[c] = weights[c];
    return most_urgent;
}

/* What is to be left in the account's bucket: for those more urgent than whoever waits. */
static uint32_t kept(const struct gap_schedule *s, int urgency)
{
    for (int c = GAP_OUTBOX_REPLY; c < urgency; c++) {
        if (usable(s, c)) return gap_limits_keep(s->limits, (gap_outbox_class_t)c);
    }
    return gap_limits_keep(s->limits, (gap_outbox_class_t)urgency);
}

/* Those whose time has come. @return steps left. */
static uint32_t wake(struct gap_schedule *s, int64_t now_us, uint32_t steps)
{
    for (;; steps--) {
        struct gap_turn *t = (struct gap_turn *)gap_heap_min(&s->blocked);
        if (t == NULL || now_us < 0 || t->heap.key > (uint64_t)now_us || steps == 0) return steps;
        gap_heap_remove(&s->blocked, &t->heap);
        place(s, t, now_us);
    }
}

/* Gates may have closed since they were found ready: nobody first in a queue who has to wait.
 * @return steps left. */
static uint32_t weed(struct gap_schedule *s, int64_t now_us, uint32_t steps)
{
    for (int c = GAP_OUTBOX_REPLY; c <= GAP_OUTBOX_BULK; c++) {
        for (struct gap_turn *t; (t = TAILQ_FIRST(&s->ready[c])) != NULL; steps--) {
            int64_t when = gap_limits_chat_when(s->limits, t->chat, t->method, now_us);
            if (when <= now_us) break;
            if (steps == 0) return 0;
            TAILQ_REMOVE(&s->ready[c], t, u.ready);
            make_blocked(s, t, when);
        }
    }
    return steps;
}

int gap_schedule_next(struct gap_schedule *s, int64_t now_us, int64_t *chat)
{
    s->busy = false;
    if (s->in_flight >= s->in_flight_max) return GAP_SCHEDULE_NONE;
    uint32_t steps = weed(s, now_us, wake(s, now_us, GAP_SCHEDULE_STEPS_MAX));
    if (steps == 0) {
        s->busy = true;
        return GAP_SCHEDULE_NONE;
    }
    int c = class_next(s);
    if (c == 0) return GAP_SCHEDULE_NONE;
    struct gap_turn *t = TAILQ_FIRST(&s->ready[c]);
    int r = gap_limits_take(s->limits, t->chat, kept(s, c), now_us);
    if (r < 0) return r;
    if (r != 0) return GAP_SCHEDULE_NONE;
    s->credit[c]--;
    TAILQ_REMOVE(&s->ready[c], t, u.ready);
    t->state = TURN_IN_FLIGHT;
    t->u.until_us = 0;
    t->taken = true;
    t->more = false;
    t->drop = false;
    s->in_flight++;
    *chat = t->chat;
    return 0;
}

int64_t gap_schedule_next_time(struct gap_schedule *s, int64_t now_us)
{
    if (s->busy) return now_us;
    if (s->in_flight >= s->in_flight_max) return INT64_MAX;
    const gap_heap_node_t *first = gap_heap_min(&s->blocked);
    int64_t when = first == NULL ? INT64_MAX : (int64_t)first->key;
    int c = class_next(s);
    if (c == 0) return when;
    int64_t at = gap_limits_account_when(s->limits, kept(s, c), now_us);
    return at < when ? at : when;
}

/* ---- what became of it ---- */

static void land_turn(struct gap_schedule *s, struct gap_turn *t, int64_t now_us)
{
    int64_t until = t->u.until_us;

    s->in_flight--;
    if (t->drop && !t->more) {
        forget(s, t);
    } else if (until > now_us) {
        make_blocked(s, t, until);
    } else {
        place(s, t, now_us);
    }
}

static struct gap_turn *in_flight(const struct gap_schedule *s, int64_t chat)
{
    struct gap_turn *t = known(s, chat);

    return t != NULL && t->state == TURN_IN_FLIGHT ? t : NULL;
}

void gap_schedule_sent(struct gap_schedule *s, int64_t chat, int64_t now_us)
{
    struct gap_turn *t = in_flight(s, chat);

    GAP_ASSERT(t != NULL);
    GAP_ASSERT(t->taken);
    t->taken = false;
    gap_limits_sent(s->limits, chat, now_us);
}

void gap_schedule_done(struct gap_schedule *s, int64_t chat, int64_t now_us)
{
    struct gap_turn *t = in_flight(s, chat);

    if (t == NULL) return;
    if (t->taken) gap_limits_sent(s->limits, chat, now_us);
    land_turn(s, t, now_us);
}

void gap_schedule_back(struct gap_schedule *s, int64_t chat, int64_t now_us)
{
    struct gap_turn *t = in_flight(s, chat);

    if (t == NULL) return;
    GAP_ASSERT(t->taken);
    gap_limits_back(s->limits, chat, now_us);
    land_turn(s, t, now_us);
}

void gap_schedule_set_head(struct gap_schedule *s, int64_t chat, gap_outbox_class_t urgency,
                           uint32_t method, int64_t row, bool oldest, int64_t now_us)
{
    struct gap_turn *t = known(s, chat);
    uint8_t c = class_of(urgency);

    if (t == NULL) return;
    t->method = method;
    t->row = row;
    t->oldest = oldest;
    if (t->urgency == c) return;
    bool ready = t->state == TURN_READY;
    if (ready) unplace(s, t);
    t->urgency = c;
    if (ready) place(s, t, now_us);
}

bool gap_schedule_head(const struct gap_schedule *s, int64_t chat, struct gap_schedule_head *out)
{
    const struct gap_turn *t = known(s, chat);

    if (t == NULL) return false;
    *out = (struct gap_schedule_head){.row = t->row,
                                      .oldest = t->oldest,
                                      .method = t->method,
                                      .urgency = (gap_outbox_class_t)t->urgency,
                                      .in_flight = t->state == TURN_IN_FLIGHT,
                                      .blocked = t->state == TURN_BLOCKED};
    return true;
}

void gap_schedule_block(struct gap_schedule *s, int64_t chat, int64_t until_us, int64_t now_us)
{
    struct gap_turn *t = known(s, chat);

    if (t == NULL) return;
    if (t->state == TURN_IN_FLIGHT) {
        t->u.until_us = until_us;
        return;
    }
    unplace(s, t);
    if (until_us > now_us) {
        make_blocked(s, t, until_us);
    } else {
        place(s, t, now_us);
    }
}

void gap_schedule_unblock(struct gap_schedule *s, int64_t chat, int64_t now_us)
{
    struct gap_turn *t = known(s, chat);

    if (t == NULL || t->state != TURN_BLOCKED) return;
    unplace(s, t);
    place(s, t, now_us);
}

void gap_schedule_recheck(struct gap_schedule *s, int64_t now_us)
{
    struct gap_turns_ready all = TAILQ_HEAD_INITIALIZER(all);
    struct gap_turn *t;

    while ((t = (struct gap_turn *)gap_heap_min(&s->blocked)) != NULL) {
        gap_heap_remove(&s->blocked, &t->heap);
        TAILQ_INSERT_TAIL(&all, t, u.ready);
    }
    while ((t = TAILQ_FIRST(&all)) != NULL) {
        TAILQ_REMOVE(&all, t, u.ready);
        place(s, t, now_us);
    }
}

void gap_schedule_drop(struct gap_schedule *s, int64_t chat)
{
    struct gap_turn *t = known(s, chat);

    if (t == NULL) return;
    if (t->state == TURN_IN_FLIGHT) {
        t->drop = true;
        return;
    }
    unplace(s, t);
    forget(s, t);
}
