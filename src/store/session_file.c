/*
 * store/session_file.c - the session on disk. The bytes are session_slot.c's.
 *
 * A save is three steps, each ended by a sync, and a crash between or inside them loses nothing
 * that was saved before:
 *
 *   firm  once an opening: the header, and the slot that is newest, written again as they are. An
 *         earlier process may have failed to sync them; what is read back comes from the kernel's
 *         memory and need not be on the disk, and the kernel does not try again. Only when they are
 *         there for certain may the other slot be overwritten.
 *   slot  the older slot, whole. After a failed sync the next save writes this same slot anew.
 *   made  the first save only: the header says that from now on a slot has to be whole.
 *
 * Owns: the open file, held alone. Never: writes to a file that it could not read, keeps a secret
 * in memory after the call.
 */
#include "store/session_file.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/failpoint.h"
#include "store/session_slot.h"

#include <errno.h>
#include <stdio.h>

#define PATH_SHOWN 96 /* bytes of a path in a text */

struct gap_session_file {
    gap_env_t *env;
    gap_file_t *file;
    int newest;          /* slot; -1: none is whole */
    uint64_t generation; /* its number */
    bool firm;
    bool made;
    char path[];
};

/* Working memory of one call. Secret. */
struct scratch {
    uint8_t slot[GAP_SESSION_SLOT_BYTES];
    struct gap_session_data data;
    struct gap_session_data best;
};

static struct scratch *scratch_new(gap_env_t *env)
{
    return gap_calloc(env->alloc, 1, sizeof(struct scratch));
}

static void scratch_free(gap_env_t *env, struct scratch *s)
{
    if (s == NULL) return;
    gap_wipe(s, sizeof *s);
    gap_free(env->alloc, s);
}

static uint64_t slot_at(int slot)
{
    return GAP_SESSION_HEADER_BYTES + (uint64_t)slot * GAP_SESSION_SLOT_BYTES;
}

/* ---- what happened and what to do ---- */

/* One line, the end of it if it is long. */
static void show_path(const char *path, char out[PATH_SHOWN + 4])
{
    size_t len = strlen(path);
    const char *from = len > PATH_SHOWN ? path + (len - PATH_SHOWN) : path;

    (void)snprintf(out, PATH_SHOWN + 4, "%s%s", from == path ? "" : "...", from);
    for (char *p = out; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) *p = '?';
    }
}

static const char *advice_for(int code)
{
    switch (code) {
    case -ENOENT:
    case -ENOTDIR:
        return "create the folder that it is to be in";
    case -EISDIR:
        return "it is a folder, name a file in it";
    case -ELOOP:
        return "it is a symbolic link, name the file itself";
    case -EACCES:
    case -EPERM:
        return "let this process read and write it, its .lock file and its folder";
    case -EROFS:
        return "put it on a file system that can be written to";
    case -ENOSPC:
    case -EDQUOT:
        return "make room on its disk";
    case -EMFILE:
    case -ENFILE:
        return "allow more open files";
    case GAP_E_NOMEM:
        return "free memory and try again";
    default:
        return "check the file, its folder and its disk";
    }
}

static void tell_held(const char *shown, gap_storage_fault_t *fault)
{
    char who[40] = "another process";

    if (fault->holder_pid > 0)
        (void)snprintf(who, sizeof who, "process %lld", (long long)fault->holder_pid);
    (void)snprintf(fault->text, sizeof fault->text,
                   "session file %s is in use by %s: end that one, or name another session file",
                   shown, who);
}

/* @param doing E.g. "open". @param code A negated errno, or one of ours.
 * @return the code to give. */
static int tell(const char *path, const char *doing, int code, gap_storage_fault_t *fault)
{
    char shown[PATH_SHOWN + 4];
    const char *rest = NULL;

    show_path(path, shown);
    if (code == GAP_E_HELD) {
        tell_held(shown, fault);
        return code;
    }
    if (code == GAP_E_FOREIGN)
        rest = "is not a session file of this library and was left as it is: name another file";
    if (code == GAP_E_NEWER)
        rest = "was written by a newer version of this library and was left as it is: use that "
               "version, or another file";
    if (code == GAP_E_DAMAGED)
        rest = "is damaged and was left as it is: bring back a copy, or move it away and sign in "
               "again";
    if (rest != NULL) {
        (void)snprintf(fault->text, sizeof fault->text, "%s %s", shown, rest);
        return code;
    }
    (void)snprintf(fault->text, sizeof fault->text, "can't %s session file %s: %s: %s", doing,
                   shown, gap_strerror(code), advice_for(code));
    return code == GAP_E_NOMEM || code == GAP_E_LIBCRYPTO ? code : GAP_E_STORAGE;
}

/* ---- open ---- */

/* Read a slot into s->slot and s->data. @return as gap_session_slot_read, or what the file said. */
static int read_slot(gap_session_file_t *f, int slot, struct scratch *s, uint64_t *generation)
{
    size_t got = 0;
    int r = f->env->ops->file_read(f->file, slot_at(slot), s->slot, sizeof s->slot, &got);

    if (r < 0) return r;
    return gap_session_slot_read(s->slot, got, generation, &s->data);
}

/* The newest whole slot, into s->best. */
static int find_newest(gap_session_file_t *f, struct scratch *s)
{
    for (int slot = 0; slot < 2; slot++) {
        uint64_t generation = 0;
        int r = read_slot(f, slot, s, &generation);
        if (r < 0) return r;
        if (r == GAP_SESSION_NOT_WHOLE || generation <= f->generation) continue;
        f->newest = slot;
        f->generation = generation;
        s->best = s->data;
    }
    return f->newest < 0 && f->made ? GAP_E_DAMAGED : 0;
}

static int read_all(gap_session_file_t *f, struct scratch *s)
{
    const struct gap_env_ops *ops = f->env->ops;
    uint8_t header[GAP_SESSION_HEADER_BYTES];
    uint64_t size = 0;
    size_t got = 0;

    int r = ops->file_size(f->file, &size);
    if (r == 0) r = ops->file_read(f->file, 0, header, sizeof header, &got);
    if (r == 0) r = gap_session_header_read(header, got, size, &f->made);
    if (r == GAP_SESSION_BLANK) return 0;
    return r < 0 ? r : find_newest(f, s);
}

int gap_session_file_open(gap_env_t *env, const char *path, gap_session_file_t **out,
                          struct gap_session_data *data, gap_storage_fault_t *fault)
{
    size_t len = strlen(path) + 1;
    struct scratch *s = scratch_new(env);
    gap_session_file_t *f = gap_calloc(env->alloc, 1, sizeof *f + len);
    int r = GAP_E_NOMEM;

    if (f != NULL) f->env = env;
    if (s == NULL || f == NULL) goto done;
    f->newest = -1;
    memcpy(f->path, path, len);
    r = env->ops->file_open(env, path, GAP_FILE_CREATE | GAP_FILE_ALONE, &f->file,
                            &fault->holder_pid);
    if (r == 0) r = read_all(f, s);
    if (r < 0) goto done;
    (void)env->ops->file_private(f->file); /* it is ours, but a file system may know no modes */
    *data = s->best;
    *out = f;
    f = NULL;

done:
    scratch_free(env, s);
    if (f != NULL) gap_session_file_close(f);
    return r < 0 ? tell(path, "open", r, fault) : 0;
}

void gap_session_file_close(gap_session_file_t *f)
{
    if (f->file != NULL) f->env->ops->file_close(f->file);
    gap_free(f->env->alloc, f);
}

/* ---- save ---- */

static int write_firm(gap_session_file_t *f, struct scratch *s)
{
    const struct gap_env_ops *ops = f->env->ops;
    uint8_t header[GAP_SESSION_HEADER_BYTES];
    uint64_t generation = 0;
    int r = 0;

    gap_session_header_write(f->made, header);
    if (f->newest >= 0) r = read_slot(f, f->newest, s, &generation);
    if (r < 0) return r;
    if (generation != f->generation) return -EIO; /* not what was read when it was opened */
    if (f->newest >= 0) r = ops->file_write(f->file, slot_at(f->newest), s->slot, sizeof s->slot);
    if (r == 0) r = ops->file_write(f->file, 0, header, sizeof header);
    if (r == 0) r = ops->file_sync(f->file);
    f->firm = r == 0;
    return r;
}

static int write_slot(gap_session_file_t *f, const struct gap_session_data *data, struct scratch *s)
{
    const struct gap_env_ops *ops = f->env->ops;
    int slot = f->newest == 0 ? 1 : 0;

    if (f->generation == GAP_SESSION_GENERATION_MAX) return -EOVERFLOW;
    int r = gap_session_slot_write(data, f->generation + 1, s->slot);
    GAP_FAILPOINT("session.slot.before");
    if (r == 0) r = ops->file_write(f->file, slot_at(slot), s->slot, sizeof s->slot);
    GAP_FAILPOINT("session.slot.written");
    if (r == 0) r = ops->file_sync(f->file);
    if (r < 0) return r;
    f->newest = slot;
    f->generation++;
    return 0;
}

static int write_made(gap_session_file_t *f)
{
    const struct gap_env_ops *ops = f->env->ops;
    uint8_t header[GAP_SESSION_HEADER_BYTES];

    gap_session_header_write(true, header);
    GAP_FAILPOINT("session.made.before");
    int r = ops->file_write(f->file, 0, header, 1); /* one byte: it can't be torn */
    if (r == 0) r = ops->file_sync(f->file);
    f->made = r == 0;
    return r;
}

int gap_session_file_save(gap_session_file_t *f, const struct gap_session_data *data,
                          gap_storage_fault_t *fault)
{
    struct scratch *s = scratch_new(f->env);
    int r = s == NULL ? GAP_E_NOMEM : 0;

    if (r == 0 && !f->firm) r = write_firm(f, s);
    if (r == 0) r = write_slot(f, data, s);
    if (r == 0 && !f->made) r = write_made(f);
    scratch_free(f->env, s);
    return r < 0 ? tell(f->path, "write", r, fault) : 0;
}
