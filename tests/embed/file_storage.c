/*
 * tests/embed/file_storage.c - a storage of one's own, written as a user of the library would:
 * with its public headers only.
 *
 * The file is a log of lines that is only ever appended to, one line a record:
 *
 *   gapless-log 2                                  the first line
 *   A 7000000001 0                                 account: user id, is it a bot
 *   S 11 12 13 1700000000                          state: pts, qts, seq, date
 *   C 1001 5 1                                     channel: id, pts, unfinished
 *   P 1 42 1 -9 0 0 0 0                            peer: kind, id, has a hash, hash, min, seen in
 *   P 1 43 1 77 0 0 0 0 +4915 @durov               (kind, id, message); with phone and usernames
 *   I 17 9 1 3 1001 1700000000 =%00%01 =bytes      inbox: number, content, attempts, box, channel,
 *                                                  when, id, update (none: as it was)
 *   D 9 3 1001 55 =%00%01                          done: content, box, channel, before, id
 *   X 17 9 5 3 1001 170 180 -1 =%00%01 =why =bytes dead: as the inbox, when it died, error, reason
 *   V =key =value                                  value
 *   B 3 0 =%00%01                                  boot: epoch, clean, secret
 *   -C 1001                                        removed
 *   .                                              so far it is whole
 *
 * A commit is one write that ends with a dot, and a sync. What stands behind the last dot was never
 * committed and is cut off when the file is opened. Reading is easy because what was read is kept
 * in a gap_storage_memory().
 */
#include "file_storage.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#define FIRST_LINE "gapless-log 2\n"

struct file_storage {
    gap_storage_t base; /* first */
    const gap_alloc_t *alloc;
    char *path;
    int fd;              /* -1: closed */
    off_t size;          /* up to here it is whole */
    bool broken;         /* a write or sync failed: only opening again tells what is there */
    gap_storage_t *held; /* what the file says */
};

static int fail(struct file_storage *f, gap_storage_fault_t *fault, int code, const char *what)
{
    snprintf(fault->text, sizeof fault->text, "%.150s: %s%s%s", f->path, what,
             errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    return code;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Letters, digits and _ as they are, everything else as %XX, so that a name is one word. */
static void print_word(FILE *out, char mark, gap_bytes_t word)
{
    fprintf(out, " %c", mark);
    for (size_t i = 0; i < word.len; i++) {
        if (isalnum(word.data[i]) || word.data[i] == '_')
            fputc(word.data[i], out);
        else
            fprintf(out, "%%%02X", (unsigned)word.data[i]);
    }
}

static void print_peer(FILE *out, const gap_peer_record_t *p)
{
    fprintf(out, "P %d %" PRId64 " %d %" PRId64 " %d %d %" PRId64 " %" PRId32, (int)p->peer.kind,
            p->peer.id, p->has_hash, p->access_hash, p->min, (int)p->seen_in.kind, p->seen_in.id,
            p->seen_msg_id);
    if (p->has_names) {
        print_word(out, '+', p->phone);
        for (size_t i = 0; i < p->username_count; i++) print_word(out, '@', p->usernames[i]);
    }
    fputc('\n', out);
}

static void print_done(FILE *out, const gap_done_record_t *d)
{
    fprintf(out, "D %" PRIu64 " %d %" PRId64 " %" PRId32, d->content, (int)d->box, d->channel_id,
            d->before);
    print_word(out, '=', (gap_bytes_t){d->eid.bytes, sizeof d->eid.bytes});
    fputc('\n', out);
}

static void print_inbox(FILE *out, const gap_inbox_record_t *i, bool removed)
{
    if (removed) {
        fprintf(out, "-I %" PRIu64 "\n", i->number);
        return;
    }
    fprintf(out, "I %" PRIu64 " %" PRIu64 " %" PRIu32 " %d %" PRId64 " %" PRId64, i->number,
            i->content, i->attempts, (int)i->box, i->channel_id, i->created_us);
    print_word(out, '=', (gap_bytes_t){i->eid.bytes, sizeof i->eid.bytes});
    if (i->has_update) print_word(out, '=', i->update);
    fputc('\n', out);
}

static void print_dead(FILE *out, const gap_dead_record_t *d, bool removed)
{
    if (removed) {
        fprintf(out, "-X %" PRIu64 "\n", d->number);
        return;
    }
    fprintf(out, "X %" PRIu64 " %" PRIu64 " %" PRIu32 " %d %" PRId64 " %" PRId64 " %" PRId64 " %d",
            d->number, d->content, d->attempts, (int)d->box, d->channel_id, d->created_us,
            d->died_us, d->error);
    print_word(out, '=', (gap_bytes_t){d->eid.bytes, sizeof d->eid.bytes});
    print_word(out, '=', d->reason);
    print_word(out, '=', d->update);
    fputc('\n', out);
}

static void print_record(FILE *out, const gap_record_t *r)
{
    const char *gone = r->removed ? "-" : "";

    switch (r->kind) {
    case GAP_RECORD_ACCOUNT:
        fprintf(out, "%sA %" PRId64 " %d\n", gone, r->u.account.user_id, r->u.account.bot);
        break;
    case GAP_RECORD_STATE:
        fprintf(out, "%sS %" PRId32 " %" PRId32 " %" PRId32 " %" PRId32 "\n", gone, r->u.state.pts,
                r->u.state.qts, r->u.state.seq, r->u.state.date);
        break;
    case GAP_RECORD_CHANNEL:
        fprintf(out, "%sC %" PRId64 " %" PRId32 " %d\n", gone, r->u.channel.id, r->u.channel.pts,
                r->u.channel.unfinished);
        break;
    case GAP_RECORD_PEER:
        if (r->removed)
            fprintf(out, "-P %d %" PRId64 "\n", (int)r->u.peer.peer.kind, r->u.peer.peer.id);
        else
            print_peer(out, &r->u.peer);
        break;
    case GAP_RECORD_INBOX:
        print_inbox(out, &r->u.inbox, r->removed);
        break;
    case GAP_RECORD_DONE:
        fputs(gone, out);
        print_done(out, &r->u.done);
        break;
    case GAP_RECORD_DEAD:
        print_dead(out, &r->u.dead, r->removed);
        break;
    case GAP_RECORD_VALUE:
        fprintf(out, "%sV", gone);
        print_word(out, '=', r->u.value.key);
        print_word(out, '=', r->removed ? (gap_bytes_t){NULL, 0} : r->u.value.value);
        fputc('\n', out);
        break;
    case GAP_RECORD_BOOT:
        fprintf(out, "%sB %" PRIu64 " %d", gone, r->u.boot.epoch, r->u.boot.clean);
        print_word(out, '=', (gap_bytes_t){r->u.boot.secret, sizeof r->u.boot.secret});
        fputc('\n', out);
        break;
    case GAP_RECORD_CALL: /* it has been run: what follows from it */
        if (*r->u.call.result < 0) break;
        if (r->u.call.inbox != 0) fprintf(out, "-I %" PRIu64 "\n", r->u.call.inbox);
        if (r->u.call.has_done) print_done(out, &r->u.call.done);
        break;
    }
}

static bool write_all(int fd, const char *bytes, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static int file_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                       gap_storage_fault_t *fault)
{
    struct file_storage *f = (struct file_storage *)(void *)s;
    char *text = NULL;
    size_t len = 0;

    errno = 0;
    if (f->fd < 0) return GAP_E_STATE;
    if (f->broken) return fail(f, fault, GAP_E_SYNC, "a write failed; it has to be opened again");
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) return GAP_E_NOMEM;
    int r = f->held->ops->commit(f->held, records, count, fault); /* all or nothing; runs calls */
    for (size_t i = 0; r == 0 && i < count; i++) print_record(out, &records[i]);
    fputs(".\n", out);
    bool printed = ferror(out) == 0;
    if (fclose(out) != 0) printed = false;
    if (r == 0 && (!printed || !write_all(f->fd, text, len, f->size) || fdatasync(f->fd) != 0)) {
        f->broken = true;
        r = fail(f, fault, GAP_E_SYNC, "it could not be written; check the disk");
    }
    if (r == 0) f->size += (off_t)len;
    free(text);
    return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Records of one commit, and the texts that they point to. */
struct batch {
    gap_record_t *records;
    size_t count;
    char **lines; /* names lie in them */
    gap_bytes_t **names;
};

static void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->lines[i]);
        free(b->names[i]);
    }
    b->count = 0;
}

static void batch_free(struct batch *b)
{
    batch_clear(b);
    free(b->records);
    free(b->lines);
    free(b->names);
}

static bool batch_grow(struct batch *b)
{
    if (b->count % 64 != 0) return true;
    size_t n = b->count + 64;
    void *records = realloc(b->records, n * sizeof *b->records);
    if (records != NULL) b->records = records;
    void *lines = realloc(b->lines, n * sizeof *b->lines);
    if (lines != NULL) b->lines = lines;
    void *names = realloc(b->names, n * sizeof *b->names);
    if (names != NULL) b->names = names;
    return records != NULL && lines != NULL && names != NULL;
}

/* Undo %XX in place. */
static gap_bytes_t parse_word(char *word)
{
    char *to = word;
    unsigned byte;

    for (const char *from = word; *from != '\0';) {
        if (*from == '%' && sscanf(from + 1, "%2X", &byte) == 1) {
            *to++ = (char)byte;
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    return (gap_bytes_t){(const uint8_t *)word, (size_t)(to - word)};
}

static int parse_peer(char *line, gap_peer_record_t *p, gap_bytes_t **names)
{
    int kind;
    int has_hash;
    int min;
    int seen_kind;
    int end = 0;
    char *rest = NULL;

    if (sscanf(line, "P %d %" SCNd64 " %d %" SCNd64 " %d %d %" SCNd64 " %" SCNd32 "%n", &kind,
               &p->peer.id, &has_hash, &p->access_hash, &min, &seen_kind, &p->seen_in.id,
               &p->seen_msg_id, &end) != 8)
        return GAP_E_DAMAGED;
    p->peer.kind = (gap_peer_kind_t)kind;
    p->has_hash = has_hash != 0;
    p->min = min != 0;
    p->seen_in.kind = (gap_peer_kind_t)seen_kind;
    *names = calloc(strlen(line) / 2 + 1, sizeof **names);
    if (*names == NULL) return GAP_E_NOMEM;
    p->usernames = *names;
    for (char *w = strtok_r(line + end, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        if (*w == '+') {
            p->has_names = true;
            p->phone = parse_word(w + 1);
        } else {
            (*names)[p->username_count++] = parse_word(w + 1);
        }
    }
    return 0;
}

/* The words behind the numbers, each with its mark. @return how many there are. */
static size_t parse_words(char *at, gap_bytes_t *out, size_t room)
{
    char *rest = NULL;
    size_t count = 0;

    for (char *w = strtok_r(at, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        if (count < room) out[count] = parse_word(w + 1);
        count++;
    }
    return count;
}

static int parse_eid(gap_bytes_t word, gap_eid_t *out)
{
    if (word.len != sizeof out->bytes) return GAP_E_DAMAGED;
    memcpy(out->bytes, word.data, sizeof out->bytes);
    return 0;
}

static int parse_inbox(char *line, gap_inbox_record_t *i)
{
    gap_bytes_t words[2];
    int box;
    int end = 0;

    if (sscanf(line, "I %" SCNu64 " %" SCNu64 " %" SCNu32 " %d %" SCNd64 " %" SCNd64 "%n",
               &i->number, &i->content, &i->attempts, &box, &i->channel_id, &i->created_us,
               &end) != 6)
        return GAP_E_DAMAGED;
    size_t count = parse_words(line + end, words, 2);
    i->box = (gap_box_t)box;
    if (count != 1 && count != 2) return GAP_E_DAMAGED;
    i->has_update = count == 2;
    if (i->has_update) i->update = words[1];
    return parse_eid(words[0], &i->eid);
}

static int parse_done(char *line, gap_done_record_t *d)
{
    gap_bytes_t word;
    int box;
    int end = 0;

    if (sscanf(line, "D %" SCNu64 " %d %" SCNd64 " %" SCNd32 "%n", &d->content, &box,
               &d->channel_id, &d->before, &end) != 4)
        return GAP_E_DAMAGED;
    d->box = (gap_box_t)box;
    return parse_words(line + end, &word, 1) == 1 ? parse_eid(word, &d->eid) : GAP_E_DAMAGED;
}

static int parse_dead(char *line, gap_dead_record_t *d)
{
    gap_bytes_t words[3];
    int box;
    int end = 0;

    if (sscanf(line,
               "X %" SCNu64 " %" SCNu64 " %" SCNu32 " %d %" SCNd64 " %" SCNd64 " %" SCNd64 " %d%n",
               &d->number, &d->content, &d->attempts, &box, &d->channel_id, &d->created_us,
               &d->died_us, &d->error, &end) != 8)
        return GAP_E_DAMAGED;
    d->box = (gap_box_t)box;
    if (parse_words(line + end, words, 3) != 3) return GAP_E_DAMAGED;
    d->reason = words[1];
    d->update = words[2];
    return parse_eid(words[0], &d->eid);
}

static int parse_boot(char *line, gap_boot_record_t *b)
{
    gap_bytes_t word;
    int clean;
    int end = 0;

    if (sscanf(line, "B %" SCNu64 " %d%n", &b->epoch, &clean, &end) != 2) return GAP_E_DAMAGED;
    b->clean = clean != 0;
    if (parse_words(line + end, &word, 1) != 1 || word.len != sizeof b->secret)
        return GAP_E_DAMAGED;
    memcpy(b->secret, word.data, sizeof b->secret);
    return 0;
}

static int parse_value(char *words_at, gap_value_record_t *v)
{
    gap_bytes_t words[2];

    if (parse_words(words_at, words, 2) != 2) return GAP_E_DAMAGED;
    v->key = words[0];
    v->value = words[1];
    return 0;
}

static int parse_removed(char *line, gap_record_t *r)
{
    int kind;

    r->removed = true;
    switch (line[1]) {
    case 'A':
        r->kind = GAP_RECORD_ACCOUNT;
        return 0;
    case 'S':
        r->kind = GAP_RECORD_STATE;
        return 0;
    case 'C':
        r->kind = GAP_RECORD_CHANNEL;
        return sscanf(line, "-C %" SCNd64, &r->u.channel.id) == 1 ? 0 : GAP_E_DAMAGED;
    case 'P':
        r->kind = GAP_RECORD_PEER;
        if (sscanf(line, "-P %d %" SCNd64, &kind, &r->u.peer.peer.id) != 2) return GAP_E_DAMAGED;
        r->u.peer.peer.kind = (gap_peer_kind_t)kind;
        return 0;
    case 'I':
        r->kind = GAP_RECORD_INBOX;
        return sscanf(line, "-I %" SCNu64, &r->u.inbox.number) == 1 ? 0 : GAP_E_DAMAGED;
    case 'D':
        r->kind = GAP_RECORD_DONE;
        return parse_done(line + 1, &r->u.done);
    case 'X':
        r->kind = GAP_RECORD_DEAD;
        return sscanf(line, "-X %" SCNu64, &r->u.dead.number) == 1 ? 0 : GAP_E_DAMAGED;
    case 'V':
        r->kind = GAP_RECORD_VALUE;
        return parse_value(line + 2, &r->u.value);
    case 'B':
        r->kind = GAP_RECORD_BOOT;
        return 0;
    default:
        return GAP_E_DAMAGED;
    }
}

static int parse_line(char *line, gap_record_t *r, gap_bytes_t **names)
{
    gap_state_record_t *st = &r->u.state;
    int flag;

    switch (line[0]) {
    case 'A':
        r->kind = GAP_RECORD_ACCOUNT;
        if (sscanf(line, "A %" SCNd64 " %d", &r->u.account.user_id, &flag) != 2)
            return GAP_E_DAMAGED;
        r->u.account.bot = flag != 0;
        return 0;
    case 'S':
        r->kind = GAP_RECORD_STATE;
        return sscanf(line, "S %" SCNd32 " %" SCNd32 " %" SCNd32 " %" SCNd32, &st->pts, &st->qts,
                      &st->seq, &st->date) == 4
                   ? 0
                   : GAP_E_DAMAGED;
    case 'C':
        r->kind = GAP_RECORD_CHANNEL;
        if (sscanf(line, "C %" SCNd64 " %" SCNd32 " %d", &r->u.channel.id, &r->u.channel.pts,
                   &flag) != 3)
            return GAP_E_DAMAGED;
        r->u.channel.unfinished = flag != 0;
        return 0;
    case 'P':
        r->kind = GAP_RECORD_PEER;
        return parse_peer(line, &r->u.peer, names);
    case 'I':
        r->kind = GAP_RECORD_INBOX;
        return parse_inbox(line, &r->u.inbox);
    case 'D':
        r->kind = GAP_RECORD_DONE;
        return parse_done(line, &r->u.done);
    case 'X':
        r->kind = GAP_RECORD_DEAD;
        return parse_dead(line, &r->u.dead);
    case 'V':
        r->kind = GAP_RECORD_VALUE;
        return parse_value(line + 1, &r->u.value);
    case 'B':
        r->kind = GAP_RECORD_BOOT;
        return parse_boot(line, &r->u.boot);
    case '-':
        return parse_removed(line, r);
    default:
        return GAP_E_DAMAGED;
    }
}

static int take_line(struct file_storage *f, struct batch *b, char *line, off_t end,
                     gap_storage_fault_t *fault)
{
    if (strcmp(line, ".") == 0) {
        int r = f->held->ops->commit(f->held, b->records, b->count, fault);
        batch_clear(b);
        if (r == 0) f->size = end;
        return r;
    }
    if (!batch_grow(b)) return GAP_E_NOMEM;
    gap_record_t *record = &b->records[b->count];
    memset(record, 0, sizeof *record);
    b->names[b->count] = NULL;
    b->lines[b->count] = strdup(line);
    if (b->lines[b->count] == NULL) return GAP_E_NOMEM;
    b->count++;
    return parse_line(b->lines[b->count - 1], record, &b->names[b->count - 1]);
}

static int replay(struct file_storage *f, FILE *in, gap_storage_fault_t *fault)
{
    struct batch b = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t len = getline(&line, &room, in);
    int r = 0;

    f->size = len > 0 ? len : 0;
    if (len <= 0)
        r = write_all(f->fd, FIRST_LINE, strlen(FIRST_LINE), 0) && fsync(f->fd) == 0
                ? 0
                : fail(f, fault, GAP_E_STORAGE, "it could not be written");
    else if (strcmp(line, FIRST_LINE) != 0)
        r = fail(f, fault, GAP_E_FOREIGN, "it is not a log of positions; name another file");
    if (len <= 0) f->size = (off_t)strlen(FIRST_LINE);
    off_t end = f->size;
    while (r == 0 && (len = getline(&line, &room, in)) > 0 && line[len - 1] == '\n') {
        line[len - 1] = '\0';
        end += len;
        r = take_line(f, &b, line, end, fault);
        if (r == GAP_E_DAMAGED) r = fail(f, fault, r, "a line can't be read; restore the file");
    }
    if (r == 0 && ftruncate(f->fd, f->size) != 0)
        r = fail(f, fault, GAP_E_STORAGE, "its unfinished end could not be cut off");
    batch_free(&b);
    free(line);
    return r;
}

static void file_close(gap_storage_t *s)
{
    struct file_storage *f = (struct file_storage *)(void *)s;

    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    if (f->held != NULL) {
        f->held->ops->close(f->held);
        f->held->ops->destroy(f->held);
    }
    f->held = NULL;
    f->broken = false;
}

static int file_open(gap_storage_t *s, gap_storage_fault_t *fault)
{
    struct file_storage *f = (struct file_storage *)(void *)s;
    int r;

    errno = 0;
    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0) return fail(f, fault, GAP_E_STORAGE, "it can't be opened");
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
        r = fail(f, fault, GAP_E_HELD, "another client works with it");
        goto done;
    }
    r = gap_storage_memory(f->alloc, &f->held);
    if (r == 0) r = f->held->ops->open(f->held, fault);
    if (r != 0) goto done;
    FILE *in = fopen(f->path, "r");
    r = in != NULL ? replay(f, in, fault) : fail(f, fault, GAP_E_STORAGE, "it can't be read");
    if (in != NULL) fclose(in);
done:
    if (r != 0) file_close(s);
    return r;
}

static int file_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    struct file_storage *f = (struct file_storage *)(void *)s;

    return f->held != NULL ? f->held->ops->load(f->held, each, arg, fault) : GAP_E_STATE;
}

static int file_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    struct file_storage *f = (struct file_storage *)(void *)s;

    return f->held != NULL ? f->held->ops->find(f->held, key, each, arg, fault) : GAP_E_STATE;
}

static int file_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    struct file_storage *f = (struct file_storage *)(void *)s;

    return f->held != NULL ? f->held->ops->read(f->held, what, each, arg, fault) : GAP_E_STATE;
}

static void file_destroy(gap_storage_t *s)
{
    struct file_storage *f = (struct file_storage *)(void *)s;

    free(f->path);
    free(f);
}

static const struct gap_storage_ops file_ops = {
    .version = GAP_STORAGE_VERSION,
    .open = file_open,
    .load = file_load,
    .commit = file_commit,
    .find = file_find,
    .read = file_read,
    .close = file_close,
    .destroy = file_destroy,
};

int file_storage_new(const gap_alloc_t *alloc, const char *path, gap_storage_t **out)
{
    struct file_storage *f = calloc(1, sizeof *f);

    if (f == NULL) return GAP_E_NOMEM;
    f->base.ops = &file_ops;
    f->alloc = alloc;
    f->fd = -1;
    f->path = strdup(path);
    if (f->path == NULL) {
        free(f);
        return GAP_E_NOMEM;
    }
    *out = &f->base;
    return 0;
}
