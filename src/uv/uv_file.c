/*
 * uv/uv_file.c - files: plain blocking calls, on whatever thread asks.
 *
 * Who may write is settled by a lock on a companion, `path`.lock, that is never removed (removing
 * it would let two processes lock two files of that name). The lock belongs to the open file
 * description: it refuses a second opener in this process as well, no other close() drops it, and
 * the kernel takes it away when the process ends, however that comes. The process id in the
 * companion is for people only; what a killed process left there refuses nobody.
 *
 * Owns: descriptors. Never: follows a symbolic link in place of the file, touches either file
 * before the lock is held.
 */
#include "uv/uv_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_SUFFIX   ".lock"
#define PID_TEXT_MAX  24
#define OPEN_ATTEMPTS 3 /* somebody creates and removes the file at the same time */

struct gap_file {
    uv_env_t *env;
    int fd;
    int lock_fd;   /* -1: not held alone */
    int folder_fd; /* -1, or the name in this folder may not be on the disk yet */
    LIST_ENTRY(gap_file) link;
    char path[];
};

/* ---- open ---- */

/* What is neither a file nor missing is refused. @return 0; -ENOENT; the reason. */
static int check_kind(const struct stat *st)
{
    if (S_ISREG(st->st_mode)) return 0;
    if (S_ISDIR(st->st_mode)) return -EISDIR;
    if (S_ISLNK(st->st_mode)) return -ELOOP;
    return -EINVAL;
}

/* @return a descriptor or a negated errno. */
static int open_file(const char *path, int oflags)
{
    struct stat st;
    int fd;

    do { /* not blocking: somebody may have put a pipe there */
        fd = open(path, oflags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    int r = fstat(fd, &st) == 0 ? check_kind(&st) : -errno;
    if (r == 0) return fd;
    (void)close(fd);
    return r;
}

static int open_or_create(const char *path, unsigned flags)
{
    int oflags = (flags & GAP_FILE_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    int r = -ENOENT;

    for (unsigned i = 0; i < OPEN_ATTEMPTS && r == -ENOENT; i++) {
        r = open_file(path, oflags);
        if (r != -ENOENT || (flags & GAP_FILE_CREATE) == 0) return r;
        r = open_file(path, oflags | O_CREAT | O_EXCL);
        if (r == -EEXIST) r = -ENOENT; /* somebody was faster */
    }
    return r;
}

/* ---- the lock ---- */

static int64_t read_pid(int fd)
{
    char text[PID_TEXT_MAX] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    char *end;

    if (n <= 0) return 0;
    text[n] = '\0';
    long long pid = strtoll(text, &end, 10);
    return pid > 0 && pid <= INT_MAX && *end == '\n' ? (int64_t)pid : 0;
}

/* Best effort: the lock is what counts, and a full disk must not keep anybody out. */
static void note_pid(int fd)
{
    char text[PID_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len) return;
    (void)!ftruncate(fd, 0); /* rather nothing than a number of somebody else */
}

static int lock_command(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int r;

    do {
        r = fcntl(fd, F_OFD_SETLK, &lock);
    } while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : -errno;
}

/* @return a descriptor that holds the lock; GAP_E_HELD with *holder; a negated errno. */
static int take_lock(const char *lock_path, int64_t *holder)
{
    int fd = open_or_create(lock_path, GAP_FILE_CREATE);

    if (fd < 0) return fd;
    int r = lock_command(fd, F_WRLCK);
    if (r == -EAGAIN || r == -EACCES) {
        if (holder != NULL) *holder = read_pid(fd);
        r = GAP_E_HELD;
    }
    if (r == 0) {
        note_pid(fd);
        return fd;
    }
    (void)close(fd);
    return r;
}

/* The number goes first, so that whoever comes next never reads one of the past. */
static void drop_lock(int fd)
{
    (void)!ftruncate(fd, 0); /* or it names a process that is gone: harmless, as after a kill */
    (void)lock_command(fd, F_UNLCK); /* also for a forked child that still has the descriptor */
    (void)close(fd);
}

static int lock_companion(gap_file_t *f, int64_t *holder)
{
    const gap_alloc_t *alloc = f->env->base.alloc;
    size_t len = strlen(f->path);
    char *lock_path = gap_malloc(alloc, len + sizeof LOCK_SUFFIX);

    if (lock_path == NULL) return GAP_E_NOMEM;
    memcpy(lock_path, f->path, len);
    memcpy(lock_path + len, LOCK_SUFFIX, sizeof LOCK_SUFFIX);
    int r = take_lock(lock_path, holder);
    gap_free(alloc, lock_path);
    if (r < 0) return r;
    f->lock_fd = r;
    return 0;
}

/* ---- the folder ---- */

static int open_folder(gap_file_t *f)
{
    const gap_alloc_t *alloc = f->env->base.alloc;
    const char *slash = strrchr(f->path, '/');
    size_t len = slash == NULL || slash == f->path ? 1 : (size_t)(slash - f->path);
    char *folder = gap_malloc(alloc, len + 1);

    if (folder == NULL) return GAP_E_NOMEM;
    memcpy(folder, slash == NULL ? "." : f->path, len);
    folder[len] = '\0';
    f->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = f->folder_fd < 0 ? -errno : 0;
    gap_free(alloc, folder);
    return r;
}

/* ---- the operations ---- */

/* Before anything is created: a companion is not left beside what can't be opened. */
static int look_first(const char *path, unsigned flags)
{
    struct stat st;

    if (lstat(path, &st) == 0) return check_kind(&st);
    return errno == ENOENT && (flags & GAP_FILE_CREATE) != 0 ? 0 : -errno;
}

static void release(gap_file_t *f)
{
    if (f->fd >= 0) (void)close(f->fd);
    if (f->folder_fd >= 0) (void)close(f->folder_fd);
    if (f->lock_fd >= 0) drop_lock(f->lock_fd);
    gap_free(f->env->base.alloc, f);
}

int uv_file_open(gap_env_t *base, const char *path, unsigned flags, gap_file_t **out,
                 int64_t *holder)
{
    uv_env_t *env = uv_env_of(base);
    size_t len = strlen(path) + 1;
    gap_file_t *f = gap_calloc(base->alloc, 1, sizeof *f + len);

    GAP_ASSERT((flags & GAP_FILE_READ_ONLY) == 0 || flags == GAP_FILE_READ_ONLY);
    if (f == NULL) return GAP_E_NOMEM;
    f->env = env;
    f->lock_fd = -1;
    f->fd = -1;
    f->folder_fd = -1;
    memcpy(f->path, path, len);
    int r = look_first(path, flags);
    if (r == 0 && (flags & GAP_FILE_CREATE) != 0) r = open_folder(f);
    if (r == 0 && (flags & GAP_FILE_ALONE) != 0) r = lock_companion(f, holder);
    if (r < 0) goto fail;
    r = open_or_create(path, flags);
    if (r < 0) goto fail;
    f->fd = r;
    (void)pthread_mutex_lock(&env->files_lock);
    LIST_INSERT_HEAD(&env->files, f, link);
    (void)pthread_mutex_unlock(&env->files_lock);
    *out = f;
    return 0;

fail:
    release(f);
    return r;
}

int uv_file_size(gap_file_t *f, uint64_t *out)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0) return -errno;
    *out = (uint64_t)st.st_size;
    return 0;
}

int uv_file_private(gap_file_t *f)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0) return -errno;
    if ((st.st_mode & 07777 & ~(mode_t)0600) == 0) return 0;
    return fchmod(f->fd, st.st_mode & 0600) == 0 ? 0 : -errno;
}

static bool is_beyond(uint64_t at, size_t len)
{
    return len > (size_t)INT64_MAX || at > (uint64_t)INT64_MAX - len;
}

int uv_file_read(gap_file_t *f, uint64_t at, void *out, size_t len, size_t *got)
{
    uint8_t *p = out;
    size_t done = 0;

    if (is_beyond(at, len)) return -EINVAL;
    while (done < len) {
        ssize_t n = pread(f->fd, p + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) break;
        done += (size_t)n;
    }
    *got = done;
    return 0;
}

int uv_file_write(gap_file_t *f, uint64_t at, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t done = 0;

    if (is_beyond(at, len)) return -EFBIG;
    while (done < len) {
        ssize_t n = pwrite(f->fd, p + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) return -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int sync_fd(int fd, int (*sync_fn)(int fd))
{
    int r;

    do {
        r = sync_fn(fd);
    } while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : -errno;
}

/* The name is synced once an opening that might have created it: an earlier process may have
 * created the file and been killed before it came to that. */
int uv_file_sync(gap_file_t *f)
{
    int r = sync_fd(f->fd, fdatasync);

    if (r < 0 || f->folder_fd < 0) return r;
    r = sync_fd(f->folder_fd, fsync);
    if (r < 0) return r;
    (void)close(f->folder_fd);
    f->folder_fd = -1;
    return 0;
}

void uv_file_close(gap_file_t *f)
{
    uv_env_t *env = f->env;

    (void)pthread_mutex_lock(&env->files_lock);
    LIST_REMOVE(f, link);
    (void)pthread_mutex_unlock(&env->files_lock);
    release(f);
}

void uv_file_abandon_all(uv_env_t *env)
{
    gap_file_t *f;

    if (pthread_mutex_trylock(&env->files_lock) != 0) return; /* its holder does not exist here */
    LIST_FOREACH (f, &env->files, link) {
        (void)close(f->fd);
        if (f->folder_fd >= 0) (void)close(f->folder_fd);
        if (f->lock_fd >= 0) (void)close(f->lock_fd);
    }
    (void)pthread_mutex_unlock(&env->files_lock);
}
