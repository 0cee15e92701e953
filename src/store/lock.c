/*
 * store/lock.c - who works with a storage.
 *
 * The file is one line: "PID" or "PID unsynced". The database itself is never locked, nor even
 * opened here: closing any descriptor of a file drops the POSIX locks that a process has on it,
 * those of SQLite included.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LINE_MAX_BYTES 64
#define UNSYNCED       " unsynced"

static int lock_now(int fd)
{
#ifdef F_OFD_SETLK
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int r = fcntl(fd, F_OFD_SETLK, &range);
#else
    int r = flock(fd, LOCK_EX | LOCK_NB);
#endif
    if (r == 0) return 0;
    return errno == EAGAIN || errno == EACCES || errno == EWOULDBLOCK ? GAP_E_HELD : -errno;
}

static void read_line(int fd, char line[LINE_MAX_BYTES])
{
    ssize_t n = pread(fd, line, LINE_MAX_BYTES - 1, 0);

    line[n > 0 ? n : 0] = '\0';
}

int gap_store_lock_take(gap_store_lock_t *lock, const char *path, int64_t *holder, bool *suspect)
{
    char line[LINE_MAX_BYTES];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) return -errno;
    int r = lock_now(fd);
    read_line(fd, line);
    if (r < 0) {
        long long pid = strtoll(line, NULL, 10);
        if (r == GAP_E_HELD) *holder = pid > 0 ? pid : 0;
        close(fd);
        return r;
    }
    lock->fd = fd;
    *suspect = strstr(line, UNSYNCED) != NULL;
    gap_store_lock_note(lock, *suspect);
    return 0;
}

void gap_store_lock_note(const gap_store_lock_t *lock, bool suspect)
{
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof line, "%lld%s\n", (long long)getpid(), suspect ? UNSYNCED : "");

    /* Nothing depends on it but a name in a message, and a verification that is mostly needless. */
    if (pwrite(lock->fd, line, (size_t)len, 0) == len && ftruncate(lock->fd, len) == 0) return;
}

void gap_store_lock_drop(gap_store_lock_t *lock)
{
    if (lock->fd >= 0) close(lock->fd);
    lock->fd = -1;
}
