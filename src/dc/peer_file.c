/*
 * dc/peer_file.c - see peer_file.h. A line is appended in one write, so that several data centres
 * may begin at once; nothing that stands in the file is ever changed or taken out. Owns no file
 * between calls.
 */
#include "dc/peer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int cannot(const char *what, const char *name, char *error, size_t cap)
{
    int r = -errno;

    (void)snprintf(error, cap, "can't %s '%s': %s; choose another --peer-dc-file", what, name,
                   strerror(-r));
    return r;
}

/* The whole file. @return bytes, or -errno; a missing file is empty. */
static ssize_t read_all(const char *name, char *out, size_t cap, struct stat *seen)
{
    size_t len = 0;
    ssize_t n = 1;

    memset(seen, 0, sizeof *seen);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, seen) < 0) n = -1;
    for (; n > 0 && len<cap; len += n> 0 ? (size_t)n : 0) n = read(fd, out + len, cap - len);
    ssize_t r = n < 0 ? -errno : (ssize_t)len;
    (void)close(fd);
    return r;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int gap_dc_peer_file_read(gap_dc_peer_file_t *f, bool always, gap_dc_peers_t *out, char *error,
                          size_t error_cap)
{
    char text[GAP_DC_PEER_FILE_BYTES + 1];
    char why[128];
    gap_dc_peers_t peers = f->given;
    struct stat now = {0};

    if (!always && stat(f->name, &now) == 0 && is_same(&now, &f->seen))
        return GAP_DC_PEER_FILE_SAME;
    ssize_t len = read_all(f->name, text, sizeof text, &f->seen);
    if (len < 0) {
        errno = (int)-len;
        return cannot("read", f->name, error, error_cap);
    }
    if ((size_t)len == sizeof text) {
        (void)snprintf(error, error_cap, "'%s' is longer than %u bytes: is it the --peer-dc-file?",
                       f->name, GAP_DC_PEER_FILE_BYTES);
        return GAP_E_LIMIT;
    }
    int r = gap_dc_peers_read(&peers, gap_bytes(text, (size_t)len), f->own, why, sizeof why);
    if (r < 0)
        (void)snprintf(error, error_cap, "%s: %s", f->name, why);
    else
        *out = peers;
    return r;
}

/* Is this the last line about this data centre? */
static bool is_told(const gap_dc_peer_file_t *f, const gap_dc_peer_t *self, bool *is_open)
{
    char text[GAP_DC_PEER_FILE_BYTES + 1];
    char error[128];
    gap_dc_peers_t peers = {.count = 0};
    struct stat seen;
    ssize_t len = read_all(f->name, text, sizeof text, &seen);

    *is_open = len > 0 && text[len - 1] != '\n';
    if (len <= 0 ||
        gap_dc_peers_read(&peers, gap_bytes(text, (size_t)len), 0, error, sizeof error) < 0)
        return false;
    for (uint32_t i = 0; i < peers.count; i++)
        if (gap_dc_peer_equal(&peers.list[i], self)) return true;
    return false;
}

int gap_dc_peer_file_add(gap_dc_peer_file_t *f, const gap_addr_t *addr, char *error,
                         size_t error_cap)
{
    const gap_dc_peer_t self = {f->own, *addr, false};
    char line[GAP_DC_PEER_TEXT + 2];
    bool is_open; /* the last line has no end */

    if (is_told(f, &self, &is_open)) return 0;
    size_t at = is_open ? 1 : 0;
    line[0] = '\n';
    size_t len = at + gap_dc_peer_format(&self, line + at, GAP_DC_PEER_TEXT);
    line[len++] = '\n';
    int fd = open(f->name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return cannot("write", f->name, error, error_cap);
    ssize_t n = write(fd, line, len);
    if (n >= 0 && (size_t)n < len) errno = ENOSPC;
    int r = n == (ssize_t)len ? 0 : cannot("write", f->name, error, error_cap);
    (void)close(fd);
    return r;
}
