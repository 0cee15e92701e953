/*
 * tests/sim/sim_file.c - the disk of the virtual world.
 *
 * A file is twice there: as it is seen (what was written last, the kernel's cache), and as it is
 * kept (what a power failure leaves). Between the two lies the log of writes since the last
 * successful sync; a sync empties it into what is kept, a crash or a failed sync brings over some
 * of it only.
 *
 * Owns: files, their log. Never: touches a real file.
 */
#include "tests/sim/sim_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

#define SECTOR_BYTES   512
#define FILE_BYTES_MAX ((uint64_t)1 << 30)

struct image {
    uint8_t *bytes;
    size_t len;
};

struct logged {
    STAILQ_ENTRY(logged) link;
    size_t at;
    size_t len;
    uint8_t bytes[];
};

struct sim_file {
    LIST_ENTRY(sim_file) link;
    struct image seen;
    struct image kept;
    bool name_kept;
    STAILQ_HEAD(sim_log, logged) log;
    gap_file_t *holder; /* who has it alone */
    char path[];
};

struct gap_file {
    LIST_ENTRY(gap_file) link;
    sim_host_t *host;
    struct sim_file *file; /* NULL: dead */
    bool read_only;
    bool name_due;
};

/* ---- images ---- */

static void image_put(struct image *im, size_t at, const uint8_t *bytes, size_t len)
{
    if (at + len > im->len) {
        im->bytes = realloc(im->bytes, at + len);
        GAP_ASSERT(im->bytes != NULL);
        memset(im->bytes + im->len, 0, at + len - im->len);
        im->len = at + len;
    }
    if (len > 0) memcpy(im->bytes + at, bytes, len);
}

static void image_copy(struct image *to, const struct image *from)
{
    to->len = 0;
    image_put(to, 0, from->bytes, from->len);
}

static void log_write(struct sim_file *file, size_t at, const uint8_t *bytes, size_t len)
{
    if (len == 0) return;
    struct logged *l = sim_alloc(sizeof *l + len);

    l->at = at;
    l->len = len;
    memcpy(l->bytes, bytes, len);
    STAILQ_INSERT_TAIL(&file->log, l, link);
    image_put(&file->seen, at, bytes, len);
}

static void drop_log(struct sim_file *file)
{
    struct logged *l;

    while ((l = STAILQ_FIRST(&file->log)) != NULL) {
        STAILQ_REMOVE_HEAD(&file->log, link);
        free(l);
    }
}

/* ---- what gets to the disk of what was written ---- */

/* The first @p bytes of the log. */
static void keep_first(struct sim_file *file, size_t bytes)
{
    struct logged *l;

    STAILQ_FOREACH (l, &file->log, link) {
        size_t n = l->len < bytes ? l->len : bytes;
        if (n == 0) return;
        image_put(&file->kept, l->at, l->bytes, n);
        bytes -= n;
    }
}

static void keep_sectors(sim_t *sim, struct sim_file *file)
{
    struct logged *l;

    STAILQ_FOREACH (l, &file->log, link) {
        for (size_t i = 0; i < l->len;) {
            size_t n = SECTOR_BYTES - (l->at + i) % SECTOR_BYTES;
            if (n > l->len - i) n = l->len - i;
            if (sim_below(sim, 2) == 0) image_put(&file->kept, l->at + i, l->bytes + i, n);
            i += n;
        }
    }
    /* The length may get there before the bytes do. */
    if (sim_below(sim, 2) == 0) image_put(&file->kept, file->seen.len, NULL, 0);
}

static size_t log_bytes(const struct sim_file *file)
{
    const struct logged *l;
    size_t bytes = 0;

    STAILQ_FOREACH (l, &file->log, link) bytes += l->len;
    return bytes;
}

/* Empties the log. */
static void keep_some(sim_t *sim, struct sim_file *file)
{
    size_t bytes = log_bytes(file);

    switch (sim_below(sim, 4)) {
    case 0:
        break;
    case 1:
        keep_first(file, bytes);
        break;
    case 2:
        keep_first(file, (size_t)sim_below(sim, bytes + 1));
        break;
    default:
        keep_sectors(sim, file);
        break;
    }
    drop_log(file);
}

/* ---- faults ---- */

/* Count it. @return 0, or the error with which it is to fail. */
static int begin_op(sim_t *sim, enum sim_disk_op op)
{
    struct sim_disk *d = &sim->disk;
    uint64_t n = ++d->counts[op];

    if (d->faults[op].from == 0 || n < d->faults[op].from || n > d->faults[op].to) return 0;
    return d->faults[op].error;
}

static bool is_crash(struct sim_disk *d)
{
    return ++d->changes == d->crash_at;
}

uint64_t sim_disk_count(const sim_t *sim, enum sim_disk_op op)
{
    return sim->disk.counts[op];
}

uint64_t sim_disk_changes(const sim_t *sim)
{
    return sim->disk.changes;
}

void sim_disk_fail(sim_t *sim, enum sim_disk_op op, uint64_t nth, uint64_t count, int error)
{
    struct sim_disk *d = &sim->disk;

    GAP_ASSERT(error < 0 || nth == 0);
    d->faults[op].from = nth == 0 ? 0 : d->counts[op] + nth;
    d->faults[op].to = count == 0 ? UINT64_MAX : d->counts[op] + nth + count - 1;
    d->faults[op].error = error;
}

void sim_disk_crash_at(sim_t *sim, uint64_t nth)
{
    sim->disk.crash_at = nth == 0 ? 0 : sim->disk.changes + nth;
}

void sim_disk_kill(gap_env_t *env)
{
    gap_file_t *f;

    LIST_FOREACH (f, &sim_host_of(env)->files, link) {
        if (f->file != NULL && f->file->holder == f) f->file->holder = NULL;
        f->file = NULL;
    }
}

static void free_file(struct sim_file *file)
{
    drop_log(file);
    free(file->seen.bytes);
    free(file->kept.bytes);
    LIST_REMOVE(file, link);
    free(file);
}

void sim_disk_crash(sim_t *sim)
{
    sim_host_t *h;
    struct sim_file *next;

    TAILQ_FOREACH (h, &sim->hosts, link) sim_disk_kill(&h->base);
    for (struct sim_file *file = LIST_FIRST(&sim->disk.files); file != NULL; file = next) {
        next = LIST_NEXT(file, link);
        if (!file->name_kept && sim_below(sim, 2) == 0) {
            free_file(file);
            continue;
        }
        keep_some(sim, file);
        file->name_kept = true;
        image_copy(&file->seen, &file->kept);
    }
}

/* ---- files from outside ---- */

static struct sim_file *find(const sim_t *sim, const char *path)
{
    struct sim_file *file;

    LIST_FOREACH (file, &sim->disk.files, link) {
        if (strcmp(file->path, path) == 0) return file;
    }
    return NULL;
}

static struct sim_file *create(sim_t *sim, const char *path)
{
    size_t len = strlen(path) + 1;
    struct sim_file *file = sim_alloc(sizeof *file + len);

    memcpy(file->path, path, len);
    STAILQ_INIT(&file->log);
    LIST_INSERT_HEAD(&sim->disk.files, file, link);
    return file;
}

bool sim_disk_get(const sim_t *sim, const char *path, gap_bytes_t *out)
{
    const struct sim_file *file = find(sim, path);

    if (file == NULL) return false;
    *out = gap_bytes(file->seen.bytes, file->seen.len);
    return true;
}

static bool is_open(const sim_t *sim, const struct sim_file *file)
{
    const sim_host_t *h;
    const gap_file_t *f;

    TAILQ_FOREACH (h, &sim->hosts, link) {
        LIST_FOREACH (f, &h->files, link) {
            if (f->file == file) return true;
        }
    }
    return false;
}

void sim_disk_put(sim_t *sim, const char *path, const void *bytes, size_t len)
{
    struct sim_file *file = find(sim, path);

    GAP_ASSERT(file == NULL || !is_open(sim, file));
    if (file != NULL) free_file(file);
    if (bytes == NULL) return;
    file = create(sim, path);
    file->name_kept = true;
    image_put(&file->kept, 0, bytes, len);
    image_put(&file->seen, 0, bytes, len);
}

int64_t sim_pid(const gap_env_t *env)
{
    return ((const sim_host_t *)(const void *)env)->pid;
}

/* ---- the environment's operations ---- */

int sim_file_open(gap_env_t *env, const char *path, unsigned flags, gap_file_t **out,
                  int64_t *holder)
{
    sim_host_t *h = sim_host_of(env);
    sim_t *sim = h->sim;
    struct sim_file *file = find(sim, path);
    bool alone = (flags & GAP_FILE_ALONE) != 0;

    GAP_ASSERT((flags & GAP_FILE_READ_ONLY) == 0 || flags == GAP_FILE_READ_ONLY);
    int r = begin_op(sim, SIM_DISK_OPEN);
    if (r < 0) return r;
    if (file == NULL && (flags & GAP_FILE_CREATE) == 0) return -ENOENT;
    if (alone && file != NULL && file->holder != NULL) {
        if (holder != NULL) *holder = file->holder->host->pid;
        return GAP_E_HELD;
    }
    gap_file_t *f = gap_calloc(env->alloc, 1, sizeof *f);
    if (f == NULL) return GAP_E_NOMEM;
    if (file == NULL) file = create(sim, path);
    f->host = h;
    f->file = file;
    f->read_only = (flags & GAP_FILE_READ_ONLY) != 0;
    f->name_due = (flags & GAP_FILE_CREATE) != 0;
    if (alone) file->holder = f;
    LIST_INSERT_HEAD(&h->files, f, link);
    *out = f;
    return 0;
}

/* There is nobody else in this world. */
int sim_file_private(gap_file_t *f)
{
    (void)f;
    return 0;
}

int sim_file_size(gap_file_t *f, uint64_t *out)
{
    if (f->file == NULL) return -EIO;
    *out = f->file->seen.len;
    return 0;
}

int sim_file_read(gap_file_t *f, uint64_t at, void *out, size_t len, size_t *got)
{
    if (f->file == NULL) return -EIO;
    const struct image *im = &f->file->seen;
    int r = begin_op(f->host->sim, SIM_DISK_READ);
    if (r < 0) return r;
    size_t n = at < im->len ? im->len - (size_t)at : 0;
    if (n > len) n = len;
    if (n > 0) memcpy(out, im->bytes + at, n);
    *got = n;
    return 0;
}

int sim_file_write(gap_file_t *f, uint64_t at, const void *bytes, size_t len)
{
    sim_t *sim = f->host->sim;

    if (f->file == NULL) return -EIO;
    if (f->read_only) return -EBADF;
    if (len > FILE_BYTES_MAX || at > FILE_BYTES_MAX - len) return -EFBIG;
    int r = begin_op(sim, SIM_DISK_WRITE);
    if (r < 0) len = (size_t)sim_below(sim, len);
    log_write(f->file, (size_t)at, bytes, len);
    if (!is_crash(&sim->disk)) return r;
    sim_disk_crash(sim);
    return -EIO;
}

int sim_file_sync(gap_file_t *f)
{
    struct sim_file *file = f->file;

    if (file == NULL) return -EIO;
    sim_t *sim = f->host->sim;
    int r = begin_op(sim, SIM_DISK_SYNC);
    if (is_crash(&sim->disk)) {
        sim_disk_crash(sim);
        return -EIO;
    }
    if (r < 0) {
        keep_some(sim, file);
        return r;
    }
    keep_first(file, log_bytes(file));
    drop_log(file);
    if (f->name_due) file->name_kept = true;
    f->name_due = false;
    return 0;
}

void sim_file_close(gap_file_t *f)
{
    if (f->file != NULL && f->file->holder == f) f->file->holder = NULL;
    LIST_REMOVE(f, link);
    gap_free(f->host->base.alloc, f);
}

size_t sim_files_drop(sim_host_t *h)
{
    gap_file_t *f;
    size_t count = 0;

    while ((f = LIST_FIRST(&h->files)) != NULL) {
        sim_file_close(f);
        count++;
    }
    return count;
}

void sim_disk_free(struct sim_disk *disk)
{
    struct sim_file *file;

    while ((file = LIST_FIRST(&disk->files)) != NULL) free_file(file);
}
