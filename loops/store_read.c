/*
 * loops/store_read.c - rows that are read back: from the inbox, dead letters, values; and functions
 * that look at the database themselves. As with peers
 * (store_find.c) what waits to be committed is newer than what the storage holds; a page is both,
 * merged by number.
 *
 * Owns: the requests, and copies of the rows. Never: writes.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "loops/store_internal.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

static uint64_t number_of(const gap_record_t *r)
{
    return r->kind == GAP_RECORD_INBOX ? r->u.inbox.number : r->u.dead.number;
}

static bool has_all(const gap_record_t *r)
{
    return r->removed || r->kind != GAP_RECORD_INBOX || r->u.inbox.has_update;
}

/* A stored row under what waits of it: NULL if it is removed. */
static const gap_record_t *merge(const gap_record_t *stored, const gap_record_t *newer,
                                 gap_record_t *merged)
{
    if (newer == NULL) return stored;
    if (newer->removed) return NULL;
    if (has_all(newer)) return newer;
    if (stored == NULL) return NULL;
    *merged = *newer;
    merged->u.inbox.has_update = true;
    merged->u.inbox.update = stored->u.inbox.update;
    return merged;
}

static void answer(gap_store_t *s, struct gap_store_reading *q, int status)
{
    struct gap_store_reading answered = *q;

    gap_free(s->alloc, q);
    if (answered.query != NULL)
        answered.asked(answered.arg, status, status == 0 ? s->job.result : 0);
    else
        answered.done(answered.arg, status);
}

static int hand_over(const struct gap_store_reading *q, const gap_record_t *record)
{
    return record == NULL ? 0 : q->each(q->arg, record);
}

/* ---- one row ---- */

/* @return true with *status: what waits says it all. */
static bool answer_from_waiting(gap_store_t *s, const struct gap_store_reading *q, int *status)
{
    gap_record_t key = gap_read_key(&q->what);
    gap_record_t merged;

    if (q->what.after || q->query != NULL) return false;
    const gap_record_t *newer = gap_waiting_row(&s->waiting, &key);
    if (newer == NULL || !has_all(newer)) return false;
    *status = hand_over(q, merge(NULL, newer, &merged));
    return true;
}

static int answer_one(gap_store_t *s, const struct gap_store_reading *q)
{
    const struct gap_store_contents *c = &s->job.contents;
    gap_record_t key = gap_read_key(&q->what);
    gap_record_t merged;
    const gap_record_t *stored = c->row_count > 0 ? &c->rows[0]->record : NULL;

    return hand_over(q, merge(stored, gap_waiting_row(&s->waiting, &key), &merged));
}

/* ---- a page ---- */

struct newer {
    const gap_record_t *record;
    size_t place;
};

static int by_number(const void *a, const void *b)
{
    const struct newer *x = a;
    const struct newer *y = b;
    uint64_t n = number_of(x->record);
    uint64_t m = number_of(y->record);

    if (n != m) return n < m ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* What waits of that kind, by number, of each number the last one; *out is to be freed. */
static int list_newer(gap_store_t *s, gap_record_kind_t kind, struct newer **out, size_t *count)
{
    size_t n = gap_waiting_rows(&s->waiting, kind, NULL, 0);
    size_t kept = 0;

    *out = NULL;
    *count = 0;
    if (n == 0) return 0;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): records is an array of pointers */
    const gap_record_t **records = gap_calloc(s->alloc, n, sizeof *records);
    struct newer *list = gap_calloc(s->alloc, n, sizeof *list);
    if (records == NULL || list == NULL) {
        gap_free(s->alloc, records);
        gap_free(s->alloc, list);
        return GAP_E_NOMEM;
    }
    (void)gap_waiting_rows(&s->waiting, kind, records, n);
    for (size_t i = 0; i < n; i++) list[i] = (struct newer){records[i], i};
    gap_free(s->alloc, records);
    qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && number_of(list[i].record) == number_of(list[i + 1].record)) continue;
        list[kept++] = list[i];
    }
    *out = list;
    *count = kept;
    return 0;
}

/* @return the next one of both, merged; NULL: none. *number is the last one looked at. */
static const gap_record_t *next_row(const struct gap_store_contents *c, size_t *at,
                                    const struct newer *list, size_t count, size_t *newer_at,
                                    gap_record_t *merged, uint64_t *number)
{
    bool cut = c->row_count > 0 && c->page_is_full;
    uint64_t last = cut ? number_of(&c->rows[c->row_count - 1]->record) : UINT64_MAX;

    while (*at < c->row_count || *newer_at < count) {
        const gap_record_t *stored = *at < c->row_count ? &c->rows[*at]->record : NULL;
        const gap_record_t *newer = *newer_at < count ? list[*newer_at].record : NULL;
        uint64_t a = stored != NULL ? number_of(stored) : UINT64_MAX;
        uint64_t b = newer != NULL ? number_of(newer) : UINT64_MAX;
        if (newer != NULL && b <= *number) {
            (*newer_at)++;
            continue;
        }
        if (stored == NULL && b > last) return NULL;
        if (a <= b) (*at)++;
        if (b <= a) (*newer_at)++;
        *number = a < b ? a : b;
        const gap_record_t *row = merge(a <= b ? stored : NULL, b <= a ? newer : NULL, merged);
        if (row != NULL) return row;
    }
    return NULL;
}

/* @return 0 the page is complete; GAP_STORE_READ_ON: it is empty, but there is more behind it. */
#define GAP_STORE_READ_ON 1
static int answer_page(gap_store_t *s, struct gap_store_reading *q, int *result)
{
    const struct gap_store_contents *c = &s->job.contents;
    struct gap_read_page page = gap_read_page(&q->what);
    uint64_t number = q->what.number;
    struct newer *list;
    size_t count;
    size_t at = 0;
    size_t newer_at = 0;
    size_t told = 0;
    gap_record_t merged;
    const gap_record_t *row;

    *result = list_newer(s, q->what.kind, &list, &count);
    while (*result == 0 &&
           (row = next_row(c, &at, list, count, &newer_at, &merged, &number)) != NULL) {
        told++;
        *result = q->each(q->arg, row);
        if (!gap_read_goes_on(&page, row)) break;
    }
    gap_free(s->alloc, list);
    if (*result != 0 || told > 0 || !c->page_is_full) return 0;
    q->what.number = number;
    return GAP_STORE_READ_ON;
}

/* ---- the requests ---- */

void gap_store_was_read(gap_store_t *s, int status)
{
    struct gap_store_reading *q = s->reading;

    s->reading = NULL;
    if (status == GAP_E_SYNC) s->unsure = true;
    if (status == 0 && q->query != NULL) {
        answer(s, q, 0);
        return;
    }
    if (status == 0 && q->what.after) {
        if (answer_page(s, q, &status) == GAP_STORE_READ_ON) {
            STAILQ_INSERT_HEAD(&s->reads, q, next);
            return;
        }
    } else if (status == 0) {
        status = answer_one(s, q);
    }
    answer(s, q, status);
}

bool gap_store_reads(gap_store_t *s)
{
    struct gap_store_reading *q;
    int status = 0;

    while ((q = STAILQ_FIRST(&s->reads)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->reads, next);
        if (s->phase == STORE_PHASE_FAILED || !s->has_storage) {
            answer(s, q, s->phase == STORE_PHASE_FAILED ? s->status : 0);
        } else if (s->in_doubt) {
            answer(s, q, GAP_E_SYNC);
        } else if (answer_from_waiting(s, q, &status)) {
            answer(s, q, status);
        } else if (s->unsure) {
            answer(s, q, GAP_E_SYNC);
        } else {
            s->reading = q;
            s->job.what = q->what;
            s->job.query = q->query;
            s->job.arg = q->arg;
            gap_store_send(s, q->query != NULL ? STORE_JOB_QUERY : STORE_JOB_READ);
            return true;
        }
    }
    return false;
}

int gap_store_read(gap_store_t *s, const gap_read_t *what, gap_record_cb each,
                   void (*done)(void *arg, int status), void *arg)
{
    size_t len = what->kind == GAP_RECORD_VALUE ? what->key.len : 0;

    if (s->phase == STORE_PHASE_ENDING) return GAP_E_CLOSED;
    if (!gap_read_is_valid(what)) return GAP_E_ARGUMENT;
    struct gap_store_reading *q = gap_malloc(s->alloc, sizeof *q + len);
    if (q == NULL) return GAP_E_NOMEM;
    *q = (struct gap_store_reading){.what = *what, .each = each, .done = done, .arg = arg};
    if (len > 0) memcpy(q->key, what->key.data, len);
    q->what.key = (gap_bytes_t){q->key, len};
    STAILQ_INSERT_TAIL(&s->reads, q, next);
    gap_loop_signal(s->rt, &s->loop);
    return 0;
}

bool gap_store_can_query(const gap_storage_t *storage)
{
    return storage != NULL && storage->ops->version >= 3 && storage->ops->query != NULL;
}

int gap_store_query(gap_store_t *s, int (*query)(void *arg, struct sqlite3 *db),
                    void (*done)(void *arg, int status, int result), void *arg)
{
    if (s->phase == STORE_PHASE_ENDING) return GAP_E_CLOSED;
    if (!s->has_query) return GAP_E_STATE;
    struct gap_store_reading *q = gap_calloc(s->alloc, 1, sizeof *q);
    if (q == NULL) return GAP_E_NOMEM;
    q->query = query;
    q->asked = done;
    q->arg = arg;
    STAILQ_INSERT_TAIL(&s->reads, q, next);
    gap_loop_signal(s->rt, &s->loop);
    return 0;
}
