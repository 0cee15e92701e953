/* tests/store/vfs_shim.c - a disk that fails on demand. */
#include "tests/store/vfs_shim.h"

#include "base/prng.h"

#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 8, PATH_BYTES = 512, SECTOR = 512 };

struct change {
    struct change *next;
    bool is_truncate; /* to `at` bytes */
    sqlite3_int64 at;
    int len;
    uint8_t bytes[];
};

/* A file as the disk has it. */
struct image {
    char path[PATH_BYTES]; /* "": free */
    uint8_t *bytes;
    size_t len;
    struct change *first; /* not yet synced */
    struct change **last;
};

struct shim_file {
    sqlite3_file base;
    struct image *image; /* NULL: not one that is kept */
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
static struct image images[FILES_MAX];
static struct {
    enum shim_fault fault;
    long nth;
    long count;
    bool struck;
    gap_prng_t rng;
} armed;

/* --- images ----------------------------------------------------------------------------------- */

static void forget_changes(struct image *im)
{
    while (im->first != NULL) {
        struct change *c = im->first;
        im->first = c->next;
        free(c);
    }
    im->last = &im->first;
}

static void forget_image(struct image *im)
{
    forget_changes(im);
    free(im->bytes);
    memset(im, 0, sizeof *im);
}

static struct image *find_image(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (strcmp(images[i].path, path) == 0) return &images[i];
    }
    return NULL;
}

static struct image *make_image(const char *path)
{
    struct image *im = find_image(path);

    if (im != NULL) return im;
    im = find_image("");
    ck_assert_ptr_nonnull(im);
    ck_assert_uint_lt(strlen(path), PATH_BYTES);
    strcpy(im->path, path);
    im->last = &im->first;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return im;
    off_t len = lseek(fd, 0, SEEK_END);
    if (len > 0) {
        im->bytes = malloc((size_t)len);
        ck_assert_int_eq(pread(fd, im->bytes, (size_t)len, 0), len);
        im->len = (size_t)len;
    }
    close(fd);
    return im;
}

static void note(struct image *im, bool is_truncate, const void *bytes, int len, sqlite3_int64 at)
{
    if (im == NULL) return;
    struct change *c = malloc(sizeof *c + (size_t)len);
    ck_assert_ptr_nonnull(c);
    c->next = NULL;
    c->is_truncate = is_truncate;
    c->at = at;
    c->len = len;
    if (len > 0) memcpy(c->bytes, bytes, (size_t)len);
    *im->last = c;
    im->last = &c->next;
}

static void resize(struct image *im, size_t len)
{
    if (len > im->len) {
        im->bytes = realloc(im->bytes, len);
        ck_assert_ptr_nonnull(im->bytes);
        memset(im->bytes + im->len, 0, len - im->len);
    }
    im->len = len;
}

static void put_bytes(struct image *im, const uint8_t *bytes, size_t len, size_t at)
{
    if (at + len > im->len) resize(im, at + len);
    memcpy(im->bytes + at, bytes, len);
}

/* @p torn: any of its sectors, or none. */
static void apply(struct image *im, const struct change *c, bool torn)
{
    if (c->is_truncate) {
        if (!torn || gap_prng_below(&armed.rng, 2) == 0) resize(im, (size_t)c->at);
        return;
    }
    size_t end = (size_t)c->at + (size_t)c->len;
    for (size_t at = (size_t)c->at; at < end;) {
        size_t next = (at / SECTOR + 1) * SECTOR;
        size_t len = (next < end ? next : end) - at;
        if (!torn || gap_prng_below(&armed.rng, 2) == 0)
            put_bytes(im, c->bytes + (at - (size_t)c->at), len, at);
        at += len;
    }
}

void shim_power_returns(void)
{
    for (int i = 0; i < FILES_MAX; i++) {
        struct image *im = &images[i];
        if (im->path[0] == '\0') continue;
        bool lucky = gap_prng_below(&armed.rng, 4) == 0;
        for (const struct change *c = im->first; c != NULL && !lucky; c = c->next)
            apply(im, c, true);
        forget_changes(im);
        int fd = open(im->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        if (im->len > 0) ck_assert_int_eq(pwrite(fd, im->bytes, im->len, 0), im->len);
        close(fd);
    }
}

/* --- faults ----------------------------------------------------------------------------------- */

/* Is it this one's turn? @p as The fault that strikes operations of this kind. */
static bool strikes(enum shim_fault as)
{
    bool ends = armed.fault == SHIM_KILL || armed.fault == SHIM_POWER;

    if (ends && armed.struck) return true;
    if (armed.struck) return false;
    if (armed.fault != as && !(ends && as != SHIM_OPEN && as != SHIM_READ)) return false;
    armed.struck = ++armed.count == armed.nth;
    return armed.struck;
}

static enum shim_fault write_kind(void)
{
    return armed.fault == SHIM_FULL || armed.fault == SHIM_SHORT ? armed.fault : SHIM_EIO;
}

/* --- the file --------------------------------------------------------------------------------- */

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct shim_file *)(void *)f)->real;
}

static struct image *image_of(sqlite3_file *f)
{
    return ((struct shim_file *)(void *)f)->image;
}

static int shim_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int shim_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
    if (strikes(SHIM_READ)) return SQLITE_IOERR_READ;
    return real_of(f)->pMethods->xRead(real_of(f), to, len, at);
}

static int shim_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(f);
    sqlite3_int64 size = 0;

    if (armed.fault == SHIM_QUOTA && real->pMethods->xFileSize(real, &size) == SQLITE_OK &&
        at + len > size) {
        armed.count++;
        return SQLITE_FULL;
    }
    if (strikes(write_kind())) {
        int half = 0;
        if (armed.fault == SHIM_SHORT) half = len / 2;
        if ((armed.fault == SHIM_KILL || armed.fault == SHIM_POWER) && armed.count == armed.nth) {
            half = (int)gap_prng_below(&armed.rng, (uint64_t)len + 1);
            armed.count++; /* only the first one is torn */
        }
        if (half > 0) {
            note(image_of(f), false, from, half, at);
            (void)real->pMethods->xWrite(real, from, half, at);
        }
        return armed.fault == SHIM_FULL || armed.fault == SHIM_SHORT ? SQLITE_FULL
                                                                     : SQLITE_IOERR_WRITE;
    }
    note(image_of(f), false, from, len, at);
    return real->pMethods->xWrite(real, from, len, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 len)
{
    if (strikes(SHIM_EIO)) return SQLITE_IOERR_TRUNCATE;
    note(image_of(f), true, NULL, 0, len);
    return real_of(f)->pMethods->xTruncate(real_of(f), len);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    struct image *im = image_of(f);

    (void)flags;
    if (strikes(SHIM_SYNC)) {
        if (im != NULL && armed.fault == SHIM_SYNC) forget_changes(im);
        return armed.count % 2 == 0 ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_DIR_FSYNC;
    }
    for (const struct change *c = im != NULL ? im->first : NULL; c != NULL; c = c->next)
        apply(im, c, false);
    if (im != NULL) forget_changes(im);
    return SQLITE_OK; /* the real disk is not bothered */
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), out);
}
static int shim_lock(sqlite3_file *f, int kind)
{
    return real_of(f)->pMethods->xLock(real_of(f), kind);
}
static int shim_unlock(sqlite3_file *f, int kind)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), kind);
}
static int shim_check_lock(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}
static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int shim_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
static int shim_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}
static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}
static int shim_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}
static void shim_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int shim_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_traits,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* --- the VFS ---------------------------------------------------------------------------------- */

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out)
{
    struct shim_file *file = (struct shim_file *)(void *)f;

    (void)vfs;
    file->base.pMethods = NULL;
    if (strikes(SHIM_OPEN)) return SQLITE_CANTOPEN;
    file->real = (sqlite3_file *)(void *)(file + 1);
    int rc = real_vfs->xOpen(real_vfs, path, file->real, flags, out);
    if (rc != SQLITE_OK) return rc;
    file->image = path != NULL ? make_image(path) : NULL;
    file->base.pMethods = &shim_methods;
    return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    if (strikes(SHIM_EIO)) return SQLITE_IOERR_DELETE;
    struct image *im = find_image(path);
    if (im != NULL) forget_image(im);
    return real_vfs->xDelete(real_vfs, path, sync);
}

void shim_install(void)
{
    if (real_vfs != NULL) return;
    real_vfs = sqlite3_vfs_find(NULL);
    if (real_vfs == NULL) abort(); /* also outside of tests */
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    shim_vfs.xOpen = shim_open;
    shim_vfs.xDelete = shim_delete;
    if (sqlite3_vfs_register(&shim_vfs, 1) != SQLITE_OK) abort();
    /* Files that are never synced need no disk: thousands are made. */
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
}

void shim_arm(enum shim_fault fault, long nth, unsigned seed)
{
    for (int i = 0; i < FILES_MAX; i++) forget_image(&images[i]);
    shim_rearm(fault, nth, seed);
}

void shim_rearm(enum shim_fault fault, long nth, unsigned seed)
{
    memset(&armed, 0, sizeof armed);
    armed.fault = fault;
    armed.nth = nth;
    armed.rng = (gap_prng_t){seed};
}

long shim_count(void)
{
    return armed.count;
}

bool shim_has_struck(void)
{
    return armed.struck;
}

void shim_disarm(void)
{
    armed.fault = SHIM_NONE;
    armed.struck = false;
}
