/*
 * loops/store_jobs.c - what the store does on its writer thread: blocking calls of the storage and
 * of the session file, one job at a time.
 *
 * Owns: what a job brings back, until it is cleared. Never: touches the store's own record, calls
 * back, waits for the loop thread.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/failpoint.h"
#include "loops/store_internal.h"

#include <string.h>

/* ---- contents ---- */

/* Room for one more. */
static int grow(const gap_alloc_t *alloc, void **items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) return 0;
    size_t next = *cap == 0 ? 16 : *cap * 2;
    void *p = gap_realloc(alloc, *items, next * size);
    if (p == NULL) return GAP_E_NOMEM;
    *items = p;
    *cap = next;
    return 0;
}

static int add_channel(struct gap_store_job *job, const gap_channel_record_t *channel)
{
    struct gap_store_contents *c = &job->contents;
    void *items = c->channels;
    int r = grow(job->alloc, &items, c->channel_count, &c->channel_cap, sizeof *channel);

    c->channels = items;
    if (r == 0) c->channels[c->channel_count++] = *channel;
    return r;
}

static int add_peer(struct gap_store_job *job, const gap_peer_record_t *peer)
{
    struct gap_store_contents *c = &job->contents;
    void *items = c->peers;
    int r = grow(job->alloc, &items, c->peer_count, &c->peer_cap, sizeof *peer);

    c->peers = items;
    if (r < 0) return r;
    gap_peer_record_t *to = &c->peers[c->peer_count++];
    *to = *peer;
    to->has_names = false;
    gap_names_apply(to, NULL);
    return 0;
}

static int add_done(struct gap_store_job *job, const gap_done_record_t *done)
{
    struct gap_store_contents *c = &job->contents;
    void *items = c->dones;
    int r = grow(job->alloc, &items, c->done_count, &c->done_cap, sizeof *done);

    c->dones = items;
    if (r == 0) c->dones[c->done_count++] = *done;
    return r;
}

static int add_inbox(struct gap_store_job *job, const gap_inbox_record_t *inbox)
{
    struct gap_store_contents *c = &job->contents;
    void *items = c->inbox;
    int r = grow(job->alloc, &items, c->inbox_count, &c->inbox_cap, sizeof *inbox);

    c->inbox = items;
    if (r < 0) return r;
    gap_inbox_record_t *to = &c->inbox[c->inbox_count++];
    *to = *inbox;
    to->has_update = false;
    to->update = gap_bytes(NULL, 0);
    return 0;
}

static int add_row(struct gap_store_job *job, const gap_record_t *record)
{
    struct gap_store_contents *c = &job->contents;
    void *items = c->rows;
    int r = grow(job->alloc, &items, c->row_count, &c->row_cap, sizeof(struct gap_store_row *));

    c->rows = items;
    if (r < 0) return r;
    struct gap_store_row *row = gap_malloc(job->alloc, sizeof *row + gap_record_bytes(record));
    if (row == NULL) return GAP_E_NOMEM;
    gap_record_copy(&row->record, record, row->bytes);
    c->rows[c->row_count++] = row;
    return 0;
}

static int take_account(struct gap_store_job *job, const gap_record_t *record)
{
    if (record->kind == GAP_RECORD_ACCOUNT) {
        job->contents.has_account = true;
        job->contents.account = record->u.account;
    } else if (record->kind == GAP_RECORD_STATE) {
        job->contents.has_state = true;
        job->contents.state = record->u.state;
    }
    return 0;
}

static int take_loaded(void *arg, const gap_record_t *record)
{
    struct gap_store_job *job = arg;

    if (record->removed) return 0;
    if (record->kind == GAP_RECORD_CHANNEL) return add_channel(job, &record->u.channel);
    if (record->kind == GAP_RECORD_PEER) return add_peer(job, &record->u.peer);
    if (record->kind == GAP_RECORD_DONE) return add_done(job, &record->u.done);
    if (record->kind == GAP_RECORD_INBOX) return add_inbox(job, &record->u.inbox);
    if (record->kind == GAP_RECORD_BOOT) {
        job->contents.has_boot = true;
        job->contents.boot = record->u.boot;
    }
    return take_account(job, record);
}

static int take_reloaded(void *arg, const gap_record_t *record)
{
    return record->removed ? 0 : take_account(arg, record);
}

static int take_found(void *arg, const gap_record_t *record)
{
    struct gap_store_job *job = arg;

    if (record->kind != GAP_RECORD_PEER || record->removed || job->found) return 0;
    int r = gap_names_copy(job->alloc, &record->u.peer, &job->names);
    if (r < 0) return r;
    job->found = true;
    job->peer = record->u.peer;
    gap_names_apply(&job->peer, job->names);
    return 0;
}

/* Wrong rows of a storage of the user's own are none. */
static int take_row(void *arg, const gap_record_t *record)
{
    struct gap_store_job *job = arg;
    struct gap_store_contents *c = &job->contents;

    if (record->kind != job->what.kind || record->removed || c->page_is_full) return 0;
    if (record->kind == GAP_RECORD_INBOX && !record->u.inbox.has_update) return 0;
    int r = add_row(job, record);
    if (r == 0 && job->what.after) c->page_is_full = !gap_read_goes_on(&c->page, record);
    return r;
}

static int take_mark(void *arg, const gap_record_t *record)
{
    struct gap_store_job *job = arg;

    if (record->kind == GAP_RECORD_VALUE)
        job->mark_found =
            gap_bytes_equal(record->u.value.value, gap_bytes(job->mark, sizeof job->mark));
    return 0;
}

/* ---- jobs ---- */

gap_bytes_t gap_store_mark_key(void)
{
    static const uint8_t key[] = "\0commit";

    return gap_bytes(key, sizeof key - 1);
}

static int load(struct gap_store_job *job, gap_record_cb each)
{
    int r = job->storage->ops->load(job->storage, each, job, &job->fault);

    return r > 0 ? GAP_E_DAMAGED : r;
}

static int open_storage(struct gap_store_job *job, gap_record_cb each)
{
    int r = job->storage->ops->open(job->storage, &job->fault);

    if (r == 0) r = load(job, each);
    if (r < 0) job->storage->ops->close(job->storage);
    return r;
}

static int job_open(struct gap_store_job *job)
{
    int r = 0;

    if (job->path != NULL)
        r = gap_session_file_open(job->env, job->path, &job->file, job->session, &job->fault);
    if (r < 0) {
        job->file = NULL;
        return r;
    }
    if (job->storage != NULL) r = open_storage(job, take_loaded);
    if (r < 0 && job->file != NULL) {
        gap_session_file_close(job->file);
        job->file = NULL;
    }
    return r;
}

static int job_reopen(struct gap_store_job *job)
{
    job->storage->ops->close(job->storage);
    int r = open_storage(job, take_reloaded);
    if (r < 0) return r;
    const struct gap_store_contents *c = &job->contents;
    if (job->has_account && c->has_account && c->account.user_id != job->account.user_id) {
        job->storage->ops->close(job->storage);
        return GAP_E_ACCOUNT;
    }
    if (!job->is_marked) return 0;
    const gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = gap_store_mark_key()};
    r = job->storage->ops->read(job->storage, &what, take_mark, job, &job->fault);
    if (r != 0) job->storage->ops->close(job->storage);
    return r > 0 ? GAP_E_DAMAGED : r;
}

static int job_read(struct gap_store_job *job)
{
    job->contents.page = gap_read_page(&job->what);
    int r = job->storage->ops->read(job->storage, &job->what, take_row, job, &job->fault);

    return r > 0 ? GAP_E_DAMAGED : r;
}

static int job_query(struct gap_store_job *job)
{
    return job->storage->ops->query(job->storage, job->query, job->arg, &job->result, &job->fault);
}

static int job_find(struct gap_store_job *job)
{
    int r = job->storage->ops->find(job->storage, &job->key, take_found, job, &job->fault);

    return r > 0 ? GAP_E_DAMAGED : r;
}

static int job_commit(struct gap_store_job *job)
{
    GAP_FAILPOINT("store.commit.before");
    int r = job->storage->ops->commit(job->storage, job->records, job->count, &job->fault);
    GAP_FAILPOINT("store.commit.after");
    return r;
}

static int job_save(struct gap_store_job *job)
{
    GAP_FAILPOINT("session.save.before");
    int r = gap_session_file_save(job->file, job->session, &job->fault);
    GAP_FAILPOINT("session.save.after");
    return r;
}

static int job_end(struct gap_store_job *job)
{
    GAP_FAILPOINT("store.end.before");
    if (job->file != NULL) gap_session_file_close(job->file);
    job->file = NULL;
    if (job->storage != NULL) {
        job->storage->ops->close(job->storage);
        job->storage->ops->destroy(job->storage);
    }
    job->storage = NULL;
    return 0;
}

static int run(struct gap_store_job *job)
{
    switch (job->kind) {
    case STORE_JOB_NONE:
        break;
    case STORE_JOB_OPEN:
        return job_open(job);
    case STORE_JOB_COMMIT:
        return job_commit(job);
    case STORE_JOB_REOPEN:
        return job_reopen(job);
    case STORE_JOB_SAVE:
        return job_save(job);
    case STORE_JOB_FIND:
        return job_find(job);
    case STORE_JOB_READ:
        return job_read(job);
    case STORE_JOB_QUERY:
        return job_query(job);
    case STORE_JOB_END:
        return job_end(job);
    }
    return 0;
}

void gap_store_job_run(struct gap_store_job *job)
{
    uint64_t before = job->env->ops->cpu_us(job->env);
    int r = run(job);

    /* A storage of the user's own may return what it likes: a positive code is no success. */
    job->status = r > 0 ? GAP_E_STORAGE : r;
    job->cpu_us = job->env->ops->cpu_us(job->env) - before;
}

void gap_store_job_clear(struct gap_store_job *job)
{
    gap_free(job->alloc, job->contents.channels);
    gap_free(job->alloc, job->contents.peers);
    gap_free(job->alloc, job->contents.dones);
    gap_free(job->alloc, job->contents.inbox);
    for (size_t i = 0; i < job->contents.row_count; i++)
        gap_free(job->alloc, job->contents.rows[i]);
    gap_free(job->alloc, job->contents.rows);
    gap_free(job->alloc, job->names);
    gap_wipe(&job->contents.boot, sizeof job->contents.boot);
    memset(&job->contents, 0, sizeof job->contents);
    memset(&job->fault, 0, sizeof job->fault);
    memset(&job->peer, 0, sizeof job->peer);
    job->names = NULL;
    job->found = false;
    job->mark_found = false;
    job->records = NULL;
    job->count = 0;
    job->status = 0;
    job->cpu_us = 0;
    job->over = false;
    job->kind = STORE_JOB_NONE;
}
