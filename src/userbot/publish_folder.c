/*
 * userbot/publish_folder.c - finds the notes of a folder and reads their bytes. What begins with a
 * dot is passed by, links to folders are not followed. Never: writes anything.
 */
#include "userbot/publish_notes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
    struct notes *notes;
    const struct notes_config *config;
    char path[NOTES_PATH_MAX]; /* where it is, within the folder; "" or with a slash at its end */
    size_t len;
    unsigned depth;
};

GAP_PRINTF(2, 3) static void say(const struct notes_config *config, const char *format, ...)
{
    char line[2 * NOTES_PATH_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    config->complain(config->arg, line);
}

void notes_break(struct notes *n, const struct notes_config *config, struct note *note,
                 uint32_t line, const char *format, ...)
{
    char where[16] = "";
    char text[NOTES_PATH_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (line > 0) (void)snprintf(where, sizeof where, "%u:", (unsigned)line);
    say(config, "%s/%s:%s %s", n->folder, note->path, where, text);
    if (!note->broken) n->broken++;
    note->broken = true;
}

static bool is_note_name(const char *name)
{
    size_t len = strlen(name);

    return len > 3 && memcmp(name + len - 3, ".md", 3) == 0;
}

static int add_note(struct notes *n, const char *path)
{
    if (n->count == n->cap) {
        size_t cap = n->cap == 0 ? 64 : n->cap * 2;
        struct note *grown = realloc(n->list, cap * sizeof *grown);
        if (grown == NULL) return GAP_E_NOMEM;
        n->list = grown;
        n->cap = cap;
    }
    struct note *note = &n->list[n->count];
    memset(note, 0, sizeof *note);
    note->path = strdup(path);
    if (note->path == NULL) return GAP_E_NOMEM;
    n->count++;
    return 0;
}

static int walk_folder(struct walk *w, int fd);

/* What lies here is not known: it counts as broken, and nothing that is missing as gone. */
static void tell_unread(struct walk *w, const char *name)
{
    say(w->config, "%s/%s%s: can't be read: %s", w->notes->folder, w->path, name, strerror(errno));
    w->notes->broken++;
    w->notes->is_partial = true;
}

static int walk_into(struct walk *w, int parent, const char *name)
{
    size_t len = w->len;

    if (w->depth == NOTES_DEPTH_MAX) {
        say(w->config, "%s/%s%s: lies too deep, and is passed by", w->notes->folder, w->path, name);
        w->notes->is_partial = true;
        return 0;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        tell_unread(w, name);
        return 0;
    }
    w->len += (size_t)snprintf(w->path + w->len, sizeof w->path - w->len, "%s/", name);
    w->depth++;
    int r = walk_folder(w, fd);
    w->depth--;
    w->len = len;
    w->path[len] = '\0';
    return r;
}

static int walk_entry(struct walk *w, int folder, const char *name)
{
    char path[NOTES_PATH_MAX + 256];
    struct stat there;

    if (name[0] == '.') return 0;
    if (w->len + strlen(name) + 2 > sizeof w->path) {
        say(w->config, "%s/%s%s: this path is too long, and is passed by", w->notes->folder,
            w->path, name);
        w->notes->is_partial = true;
        return 0;
    }
    if (fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT) tell_unread(w, name); /* else it went meanwhile */
        return 0;
    }
    if (S_ISDIR(there.st_mode)) return walk_into(w, folder, name);
    if (!is_note_name(name)) return 0;
    (void)snprintf(path, sizeof path, "%s%s", w->path, name);
    return add_note(w->notes, path);
}

/* @param fd  Taken. */
static int walk_folder(struct walk *w, int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int r = 0;

    if (dir == NULL) {
        r = -errno;
        (void)close(fd);
        return r;
    }
    while (r == 0) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL && errno != 0) r = -errno;
        if (entry == NULL) break;
        r = walk_entry(w, dirfd(dir), entry->d_name);
    }
    (void)closedir(dir);
    return r;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct note *)a)->path, ((const struct note *)b)->path);
}

/* ---- their bytes ---- */

/* One byte more than a note may have shows that it has too many. */
static int read_bytes(int fd, struct note *note)
{
    size_t cap = GAP_NOTE_BYTES_MAX + 1;
    struct stat there;

    if (fstat(fd, &there) < 0) return -errno;
    if (S_ISDIR(there.st_mode)) return -EISDIR;
    if (S_ISREG(there.st_mode) && there.st_size < (off_t)cap) cap = (size_t)there.st_size + 1;
    note->source = malloc(cap);
    if (note->source == NULL) return GAP_E_NOMEM;
    while (note->source_len < cap) {
        ssize_t n = read(fd, note->source + note->source_len, cap - note->source_len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) return 0;
        note->source_len += (size_t)n;
    }
    return cap > GAP_NOTE_BYTES_MAX ? GAP_E_LIMIT : GAP_E_BUSY; /* it grew: somebody writes */
}

static int load(struct notes *n, const struct notes_config *config, struct note *note)
{
    char path[2 * NOTES_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", n->folder, note->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r = fd < 0 ? -errno : read_bytes(fd, note);
    if (fd >= 0) (void)close(fd);
    if (r == GAP_E_NOMEM) return r;
    if (r == GAP_E_LIMIT)
        notes_break(n, config, note, 0, "is longer than %u KiB: make several notes of it",
                    GAP_NOTE_BYTES_MAX / 1024);
    else if (r == GAP_E_BUSY)
        notes_break(n, config, note, 0, "is being written: publish again");
    else if (r < 0)
        notes_break(n, config, note, 0, "can't be read: %s", gap_strerror(r));
    return 0;
}

int notes_load(struct notes *n, const struct notes_config *config)
{
    struct walk w = {.notes = n, .config = config};

    int fd = open(n->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : walk_folder(&w, fd);
    if (r < 0 && r != GAP_E_NOMEM)
        say(config, "can't read %s: %s; publish takes a folder of notes", n->folder,
            gap_strerror(r));
    if (r == 0 && n->count == 0) {
        /* Perhaps it is the wrong folder: a slip must not empty a channel. */
        say(config,
            config->deletes ? "there are no notes in %s, their names end with .md: nothing was "
                              "deleted, it may be the wrong folder; leave a note in it and the "
                              "messages of the others are deleted, or delete all in Telegram"
                            : "there are no notes in %s: their names end with .md",
            n->folder);
        r = GAP_E_NOT_FOUND;
    }
    if (r < 0) return r;
    qsort(n->list, n->count, sizeof *n->list, by_path);
    for (size_t i = 0; i < n->count && r == 0; i++) r = load(n, config, &n->list[i]);
    return r;
}
