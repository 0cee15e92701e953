/*
 * store/memory_rows.c - a journal in memory.
 *
 * Owns: one block a row, with its bytes behind it. Rows hang in a table by a hash of their key,
 * those of one hash in a chain, and in a list in their order. Never: keeps a view into a record.
 */
#include "store/memory_rows.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "store/record.h"

#include <string.h>

struct mem_row {
    TAILQ_ENTRY(mem_row) link;
    struct mem_row *same; /* the next one with this hash */
    uint64_t hash;
    gap_record_t record; /* its views lead into bytes */
    uint8_t bytes[];
};

void gap_mem_rows_init(struct mem_rows *m, const gap_alloc_t *alloc)
{
    memset(m, 0, sizeof *m);
    m->alloc = alloc;
    for (int t = 0; t < MEM_ROW_TABLES; t++) {
        gap_map_init(&m->tables[t].map, alloc);
        TAILQ_INIT(&m->tables[t].rows);
    }
}

void gap_mem_rows_fini(struct mem_rows *m)
{
    for (int t = 0; t < MEM_ROW_TABLES; t++) {
        struct mem_row *row;
        while ((row = TAILQ_FIRST(&m->tables[t].rows)) != NULL) {
            TAILQ_REMOVE(&m->tables[t].rows, row, link);
            gap_free(m->alloc, row);
        }
        gap_map_fini(&m->tables[t].map);
    }
    gap_wipe(&m->boot, sizeof m->boot);
}

/* --- keys ------------------------------------------------------------------------------------- */

static int table_of(gap_record_kind_t kind)
{
    switch (kind) {
    case GAP_RECORD_INBOX:
        return MEM_INBOX;
    case GAP_RECORD_DONE:
        return MEM_DONE;
    case GAP_RECORD_DEAD:
        return MEM_DEAD;
    case GAP_RECORD_VALUE:
        return MEM_VALUE;
    case GAP_RECORD_ACCOUNT:
    case GAP_RECORD_STATE:
    case GAP_RECORD_CHANNEL:
    case GAP_RECORD_PEER:
    case GAP_RECORD_BOOT:
    case GAP_RECORD_CALL:
        break;
    }
    return -1;
}

static uint64_t number_of(const gap_record_t *r)
{
    return r->kind == GAP_RECORD_INBOX ? r->u.inbox.number : r->u.dead.number;
}

static uint64_t hash_bytes(const uint8_t *bytes, size_t len)
{
    uint64_t h = len;

    for (size_t i = 0; i < len; i++) h = (h ^ bytes[i]) * 0x100000001b3;
    h = gap_hash64(h);
    return h != 0 ? h : 1;
}

static uint64_t hash_of(const gap_record_t *r)
{
    if (r->kind == GAP_RECORD_DONE)
        return hash_bytes(r->u.done.eid.bytes, sizeof r->u.done.eid.bytes);
    if (r->kind == GAP_RECORD_VALUE) return hash_bytes(r->u.value.key.data, r->u.value.key.len);
    return number_of(r);
}

static bool same_key(const gap_record_t *a, const gap_record_t *b)
{
    if (a->kind == GAP_RECORD_DONE)
        return memcmp(&a->u.done.eid, &b->u.done.eid, sizeof(gap_eid_t)) == 0;
    if (a->kind == GAP_RECORD_VALUE) return gap_bytes_equal(a->u.value.key, b->u.value.key);
    return number_of(a) == number_of(b);
}

/* @p record: of this table's kind; only its key counts. */
static struct mem_row *find(const struct mem_row_table *t, const gap_record_t *record)
{
    struct mem_row *row = gap_map_get(&t->map, hash_of(record));

    while (row != NULL && !same_key(&row->record, record)) row = row->same;
    return row;
}

/* --- in and out ------------------------------------------------------------------------------- */

static void drop(struct mem_rows *m, struct mem_row_table *t, struct mem_row *row)
{
    struct mem_row *first = gap_map_get(&t->map, row->hash);

    if (first != row) {
        while (first->same != row) first = first->same;
        first->same = row->same;
    } else if (row->same == NULL) {
        (void)gap_map_remove(&t->map, row->hash);
    } else {
        int r = gap_map_set(&t->map, row->hash, row->same);
        (void)r; /* the key is there: nothing is allocated */
    }
    TAILQ_REMOVE(&t->rows, row, link);
    gap_free(m->alloc, row);
}

/* Of a kind that has one. */
static struct mem_row_table *table_for(struct mem_rows *m, gap_record_kind_t kind)
{
    int table = table_of(kind);

    GAP_ASSERT(table >= 0);
    return &m->tables[table];
}

static void remove_key(struct mem_rows *m, const gap_record_t *record)
{
    struct mem_row_table *t = table_for(m, record->kind);
    struct mem_row *row = find(t, record);

    if (row != NULL) drop(m, t, row);
}

/* Room in the table has been made. */
static void insert(struct mem_rows *m, struct mem_row *row)
{
    struct mem_row_table *t = table_for(m, row->record.kind);
    bool by_number = row->record.kind == GAP_RECORD_INBOX || row->record.kind == GAP_RECORD_DEAD;

    remove_key(m, &row->record);
    row->same = gap_map_get(&t->map, row->hash);
    int r = gap_map_set(&t->map, row->hash, row);
    (void)r; /* reserved */
    struct mem_row *before = TAILQ_LAST(&t->rows, mem_row_list);
    while (by_number && before != NULL && number_of(&before->record) > number_of(&row->record))
        before = TAILQ_PREV(before, mem_row_list, link);
    if (before == NULL)
        TAILQ_INSERT_HEAD(&t->rows, row, link);
    else
        TAILQ_INSERT_AFTER(&t->rows, before, row, link);
}

/* --- staging ---------------------------------------------------------------------------------- */

static int stage_row(struct mem_rows *m, const gap_record_t *r, void **out)
{
    struct mem_row *row = gap_malloc(m->alloc, sizeof *row + gap_record_bytes(r));

    if (row == NULL) return GAP_E_NOMEM;
    row->hash = hash_of(r);
    gap_record_copy(&row->record, r, row->bytes);
    *out = row;
    return 0;
}

int gap_mem_rows_stage(struct mem_rows *m, const gap_record_t *record, void **out,
                       struct mem_rows_growth *growth)
{
    gap_record_t done = {.kind = GAP_RECORD_DONE};
    const gap_record_t *row = record;

    *out = NULL;
    if (record->kind == GAP_RECORD_CALL) {
        done.u.done = record->u.call.done;
        row = record->u.call.has_done ? &done : NULL;
    }
    if (row == NULL || row->removed || table_of(row->kind) < 0) return 0;
    if (row->kind == GAP_RECORD_INBOX && !row->u.inbox.has_update) return 0;
    growth->rows[table_of(row->kind)]++;
    return stage_row(m, row, out);
}

int gap_mem_rows_reserve(struct mem_rows *m, const struct mem_rows_growth *growth)
{
    int r = 0;

    for (int t = 0; r == 0 && t < MEM_ROW_TABLES; t++)
        r = gap_map_reserve(&m->tables[t].map, growth->rows[t]);
    return r;
}

/* --- applying --------------------------------------------------------------------------------- */

static void update_fields(struct mem_rows *m, const gap_record_t *record)
{
    struct mem_row *row = find(&m->tables[MEM_INBOX], record);

    if (row == NULL) return;
    gap_bytes_t update = row->record.u.inbox.update;
    row->record.u.inbox = record->u.inbox;
    row->record.u.inbox.has_update = true;
    row->record.u.inbox.update = update;
}

static void run_call(struct mem_rows *m, const gap_call_record_t *call, struct mem_row *done)
{
    gap_record_t inbox = {.kind = GAP_RECORD_INBOX};

    *call->result = call->call(call->arg, NULL);
    if (*call->result < 0) {
        gap_free(m->alloc, done);
        return;
    }
    inbox.u.inbox.number = call->inbox;
    if (call->inbox != 0) remove_key(m, &inbox);
    if (done != NULL) insert(m, done);
}

void gap_mem_rows_apply(struct mem_rows *m, const gap_record_t *record, void *staged)
{
    if (record->kind == GAP_RECORD_BOOT) {
        m->has_boot = !record->removed;
        if (m->has_boot) m->boot = record->u.boot;
    } else if (record->kind == GAP_RECORD_CALL) {
        if (!record->removed) run_call(m, &record->u.call, staged);
    } else if (staged != NULL) {
        insert(m, staged);
    } else if (table_of(record->kind) >= 0 && record->removed) {
        remove_key(m, record);
    } else if (record->kind == GAP_RECORD_INBOX) {
        update_fields(m, record);
    }
}

void gap_mem_rows_forget(struct mem_rows *m,
                         bool (*is_old)(const void *arg, const gap_done_record_t *done),
                         const void *arg)
{
    struct mem_row_table *t = &m->tables[MEM_DONE];
    struct mem_row *next;

    for (struct mem_row *row = TAILQ_FIRST(&t->rows); row != NULL; row = next) {
        next = TAILQ_NEXT(row, link);
        if (is_old(arg, &row->record.u.done)) drop(m, t, row);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

int gap_mem_rows_load(const struct mem_rows *m, gap_record_cb each, void *arg)
{
    const struct mem_row *row;
    int r = 0;

    if (m->has_boot) {
        gap_record_t boot = {.kind = GAP_RECORD_BOOT, .u.boot = m->boot};
        r = each(arg, &boot);
    }
    if (r != 0) return r;
    TAILQ_FOREACH (row, &m->tables[MEM_DONE].rows, link) {
        r = each(arg, &row->record);
        if (r != 0) return r;
    }
    TAILQ_FOREACH (row, &m->tables[MEM_INBOX].rows, link) {
        gap_record_t bare = row->record;
        bare.u.inbox.has_update = false;
        bare.u.inbox.update = gap_bytes(NULL, 0);
        r = each(arg, &bare);
        if (r != 0) return r;
    }
    return 0;
}

int gap_mem_rows_read(const struct mem_rows *m, const gap_read_t *what, gap_record_cb each,
                      void *arg)
{
    const struct mem_row_table *t = &m->tables[table_of(what->kind)];
    gap_record_t key = gap_read_key(what);
    const struct mem_row *row = find(t, &key);
    struct gap_read_page page = gap_read_page(what);

    if (!what->after) return row == NULL ? 0 : each(arg, &row->record);
    row = row != NULL ? TAILQ_NEXT(row, link) : TAILQ_FIRST(&t->rows);
    for (; row != NULL; row = TAILQ_NEXT(row, link)) {
        if (number_of(&row->record) <= what->number) continue;
        int r = each(arg, &row->record);
        if (r != 0 || !gap_read_goes_on(&page, &row->record)) return r;
    }
    return 0;
}
