/* tests/store/tools.c - records, folders and dumps for the tests of storages. */
#include "tests/store/suite.h"

#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void store_folder_make(char *out, size_t len)
{
    const char *base = getenv("TMPDIR");

    snprintf(out, len, "%s/gapless-store-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(out));
}

void store_folder_remove(const char *path)
{
    DIR *folder = opendir(path);

    ck_assert_ptr_nonnull(folder);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        char name[1024];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0) store_folder_remove(name);
    }
    closedir(folder);
    ck_assert_int_eq(rmdir(path), 0);
}

gap_record_t store_state(int32_t pts, int32_t qts, int32_t seq, int32_t date)
{
    gap_record_t r = {.kind = GAP_RECORD_STATE};

    r.u.state = (gap_state_record_t){pts, qts, seq, date};
    return r;
}

gap_record_t store_channel(int64_t id, int32_t pts, bool unfinished)
{
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL};

    r.u.channel = (gap_channel_record_t){id, pts, unfinished};
    return r;
}

gap_record_t store_peer(gap_peer_kind_t kind, int64_t id, int64_t hash)
{
    gap_record_t r = {.kind = GAP_RECORD_PEER};

    r.u.peer.peer = (gap_peer_t){id, kind};
    r.u.peer.access_hash = hash;
    r.u.peer.has_hash = true;
    return r;
}

gap_record_t store_removed(gap_record_t record)
{
    record.removed = true;
    return record;
}

static gap_bytes_t text_view(const char *text)
{
    return (gap_bytes_t){(const uint8_t *)text, strlen(text)};
}

gap_record_t store_named(gap_peer_kind_t kind, int64_t id, const char *phone, ...)
{
    enum { SETS = 16, NAMES = 8 };
    static gap_bytes_t sets[SETS][NAMES];
    static size_t next;
    gap_bytes_t *names = sets[next++ % SETS];
    gap_record_t r = store_peer(kind, id, id * 10);
    va_list list;

    r.u.peer.has_names = true;
    r.u.peer.phone = text_view(phone != NULL ? phone : "");
    r.u.peer.usernames = names;
    va_start(list, phone);
    for (const char *name; (name = va_arg(list, const char *)) != NULL;) {
        ck_assert_uint_lt(r.u.peer.username_count, NAMES);
        names[r.u.peer.username_count++] = text_view(name);
    }
    va_end(list);
    return r;
}

/* --- the journal ------------------------------------------------------------------------------ */

gap_record_t store_inbox(uint64_t number, const char *update)
{
    gap_record_t r = {.kind = GAP_RECORD_INBOX};

    r.u.inbox.number = number;
    r.u.inbox.eid.bytes[3] = (uint8_t)number;
    r.u.inbox.content = UINT64_MAX - number;
    r.u.inbox.box = GAP_BOX_CHANNEL;
    r.u.inbox.channel_id = 1001;
    r.u.inbox.created_us = 1700000000000000;
    r.u.inbox.has_update = true;
    r.u.inbox.update = text_view(update);
    return r;
}

gap_record_t store_attempts(uint64_t number, uint32_t attempts)
{
    gap_record_t r = store_inbox(number, "");

    r.u.inbox.attempts = attempts;
    r.u.inbox.has_update = false;
    return r;
}

gap_record_t store_done(uint8_t eid, gap_box_t box, int64_t channel_id, int32_t before)
{
    gap_record_t r = {.kind = GAP_RECORD_DONE};

    r.u.done.eid.bytes[0] = eid;
    r.u.done.content = eid;
    r.u.done.box = box;
    r.u.done.channel_id = channel_id;
    r.u.done.before = before;
    return r;
}

gap_record_t store_dead(uint64_t number, int error, const char *reason, const char *update)
{
    gap_record_t r = {.kind = GAP_RECORD_DEAD};

    r.u.dead.number = number;
    r.u.dead.attempts = 5;
    r.u.dead.error = error;
    r.u.dead.reason = text_view(reason);
    r.u.dead.created_us = 1;
    r.u.dead.died_us = 2;
    r.u.dead.box = GAP_BOX_QTS;
    r.u.dead.update = text_view(update);
    return r;
}

gap_record_t store_value(const char *key, const char *value)
{
    gap_record_t r = {.kind = GAP_RECORD_VALUE};

    r.u.value.key = text_view(key);
    r.u.value.value = text_view(value);
    return r;
}

gap_record_t store_boot(uint64_t epoch, bool clean, uint8_t secret)
{
    gap_record_t r = {.kind = GAP_RECORD_BOOT};

    r.u.boot.epoch = epoch;
    r.u.boot.clean = clean;
    memset(r.u.boot.secret, secret, sizeof r.u.boot.secret);
    return r;
}

/* --- dumps ------------------------------------------------------------------------------------ */

struct dump {
    gap_storage_t *storage;
    char **lines;
    size_t count;
    uint64_t inbox;     /* the last number that load told */
    size_t inbox_count; /* how many */
    uint64_t number;    /* the last one that was read */
};

static void add_line(struct dump *d, const char *line)
{
    d->lines = realloc(d->lines, (d->count + 1) * sizeof *d->lines);
    ck_assert_ptr_nonnull(d->lines);
    d->lines[d->count++] = strdup(line);
}

static void print_peer(const gap_peer_record_t *p, char *out, size_t len)
{
    static const char *const kinds[] = {"none", "user", "chat", "channel"};
    int at = snprintf(out, len, "peer %s %lld", kinds[p->peer.kind], (long long)p->peer.id);

    if (p->has_hash)
        at += snprintf(out + at, len - (size_t)at, " hash %lld", (long long)p->access_hash);
    if (p->min) at += snprintf(out + at, len - (size_t)at, " min");
    if (p->seen_in.kind != GAP_PEER_NONE)
        at += snprintf(out + at, len - (size_t)at, " seen %s %lld %d", kinds[p->seen_in.kind],
                       (long long)p->seen_in.id, p->seen_msg_id);
    if (p->phone.len > 0)
        at += snprintf(out + at, len - (size_t)at, " +%.*s", (int)p->phone.len,
                       (const char *)p->phone.data);
    for (size_t i = 0; i < p->username_count; i++)
        at += snprintf(out + at, len - (size_t)at, " @%.*s", (int)p->usernames[i].len,
                       (const char *)p->usernames[i].data);
}

static int found(void *arg, const gap_record_t *record)
{
    struct dump *d = arg;
    char line[4096];

    ck_assert_int_eq(record->kind, GAP_RECORD_PEER);
    ck_assert(!record->removed);
    ck_assert(record->u.peer.has_names);
    print_peer(&record->u.peer, line, sizeof line);
    add_line(d, line);
    return 0;
}

static int loaded(void *arg, const gap_record_t *record)
{
    struct dump *d = arg;
    char line[256];

    ck_assert(!record->removed);
    switch (record->kind) {
    case GAP_RECORD_ACCOUNT:
        snprintf(line, sizeof line, "account %lld%s", (long long)record->u.account.user_id,
                 record->u.account.bot ? " bot" : "");
        break;
    case GAP_RECORD_STATE:
        snprintf(line, sizeof line, "state %d %d %d %d", record->u.state.pts, record->u.state.qts,
                 record->u.state.seq, record->u.state.date);
        break;
    case GAP_RECORD_CHANNEL:
        snprintf(line, sizeof line, "channel %lld at %d%s", (long long)record->u.channel.id,
                 record->u.channel.pts, record->u.channel.unfinished ? " unfinished" : "");
        break;
    case GAP_RECORD_PEER:
        ck_assert(!record->u.peer.has_names);
        snprintf(line, sizeof line, "PEER %d %lld", (int)record->u.peer.peer.kind,
                 (long long)record->u.peer.peer.id);
        break;
    case GAP_RECORD_INBOX: {
        const gap_inbox_record_t *i = &record->u.inbox;
        ck_assert(!i->has_update);
        ck_assert_uint_gt(i->number, d->inbox); /* ascending */
        d->inbox = i->number;
        d->inbox_count++;
        return 0; /* read below, with its update */
    }
    case GAP_RECORD_DONE: {
        const gap_done_record_t *o = &record->u.done;
        snprintf(line, sizeof line, "done %02x content %llu box %d of %lld before %d",
                 o->eid.bytes[0], (unsigned long long)o->content, (int)o->box,
                 (long long)o->channel_id, o->before);
        break;
    }
    case GAP_RECORD_BOOT:
        snprintf(line, sizeof line, "boot %llu%s secret %02x%02x",
                 (unsigned long long)record->u.boot.epoch, record->u.boot.clean ? " clean" : "",
                 record->u.boot.secret[0], record->u.boot.secret[31]);
        break;
    case GAP_RECORD_DEAD:
    case GAP_RECORD_VALUE:
    case GAP_RECORD_CALL:
        ck_abort_msg("load told of kind %d", (int)record->kind);
    }
    add_line(d, line);
    return 0;
}

static int row_read(void *arg, const gap_record_t *record)
{
    struct dump *d = arg;
    const gap_inbox_record_t *i = &record->u.inbox;
    const gap_dead_record_t *x = &record->u.dead;
    const gap_value_record_t *v = &record->u.value;
    char line[512];

    ck_assert(!record->removed);
    if (record->kind == GAP_RECORD_INBOX) {
        ck_assert(i->has_update);
        ck_assert_uint_gt(i->number, d->number);
        d->number = i->number;
        snprintf(line, sizeof line,
                 "inbox %llu eid %02x content -%llu attempts %u box %d of %lld "
                 "at %lld: %.*s",
                 (unsigned long long)i->number, i->eid.bytes[3],
                 (unsigned long long)(UINT64_MAX - i->content), i->attempts, (int)i->box,
                 (long long)i->channel_id, (long long)i->created_us, (int)i->update.len,
                 (const char *)i->update.data);
    } else if (record->kind == GAP_RECORD_DEAD) {
        ck_assert_uint_gt(x->number, d->number);
        d->number = x->number;
        snprintf(line, sizeof line, "dead %llu after %u: %d %.*s, box %d, %lld to %lld: %.*s",
                 (unsigned long long)x->number, x->attempts, x->error, (int)x->reason.len,
                 (const char *)x->reason.data, (int)x->box, (long long)x->created_us,
                 (long long)x->died_us, (int)x->update.len, (const char *)x->update.data);
    } else {
        ck_assert_int_eq(record->kind, GAP_RECORD_VALUE);
        snprintf(line, sizeof line, "value %.*s: %.*s", (int)v->key.len, (const char *)v->key.data,
                 (int)v->value.len, (const char *)v->value.data);
    }
    add_line(d, line);
    return 0;
}

/* All rows of a kind, three at a time. @return how many. */
static size_t read_all(struct dump *d, gap_record_kind_t kind)
{
    gap_storage_fault_t fault = {0};
    size_t before = d->count;
    size_t count;

    d->number = 0;
    do {
        gap_read_t what = {.kind = kind, .after = true, .number = d->number, .limit = 3};
        count = d->count;
        int r = d->storage->ops->read(d->storage, &what, row_read, d, &fault);
        ck_assert_msg(r == 0, "read: %d %s", r, fault.text);
    } while (d->count > count);
    return d->count - before;
}

static void read_journal(struct dump *d)
{
    gap_storage_fault_t fault = {0};

    ck_assert_uint_eq(read_all(d, GAP_RECORD_INBOX), d->inbox_count);
    (void)read_all(d, GAP_RECORD_DEAD);
    for (const char *key = STORE_KEYS; *key != 0; key++) {
        gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = {(const uint8_t *)key, 1}};
        ck_assert_int_eq(d->storage->ops->read(d->storage, &what, row_read, d, &fault), 0);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(struct dump *d)
{
    size_t len = 1;

    for (size_t i = 0; i < d->count; i++) len += strlen(d->lines[i]) + 1;
    char *text = calloc(1, len);
    ck_assert_ptr_nonnull(text);
    size_t at = 0;
    if (d->count > 1) qsort(d->lines, d->count, sizeof *d->lines, by_text);
    for (size_t i = 0; i < d->count; i++) {
        at += (size_t)snprintf(text + at, len - at, "%s%s", d->lines[i],
                               i + 1 < d->count ? "\n" : "");
        free(d->lines[i]);
    }
    free(d->lines);
    return text;
}

char *store_dump(gap_storage_t *s)
{
    struct dump d = {.storage = s};
    gap_storage_fault_t fault = {0};
    int r = s->ops->load(s, loaded, &d, &fault);

    ck_assert_msg(r == 0, "load: %d %s", r, fault.text);
    size_t count = d.count;
    read_journal(&d);
    for (size_t i = 0; i < count; i++) {
        int kind;
        long long id;
        if (sscanf(d.lines[i], "PEER %d %lld", &kind, &id) != 2) continue;
        gap_peer_key_t key = store_by_id((gap_peer_kind_t)kind, id);
        ck_assert_int_eq(s->ops->find(s, &key, found, &d, &fault), 0);
        free(d.lines[i]);
        d.lines[i] = d.lines[--d.count]; /* what find added takes its place */
    }
    return join(&d);
}

char *store_find(gap_storage_t *s, const gap_peer_key_t *key)
{
    struct dump d = {.storage = s};
    gap_storage_fault_t fault = {0};
    int r = s->ops->find(s, key, found, &d, &fault);

    ck_assert_msg(r == 0, "find: %d %s", r, fault.text);
    ck_assert_uint_le(d.count, 1);
    return join(&d);
}

gap_peer_key_t store_by_id(gap_peer_kind_t kind, int64_t id)
{
    return (gap_peer_key_t){.by = GAP_BY_ID, .peer = {id, kind}};
}

gap_peer_key_t store_by(gap_peer_by_t by, const char *text)
{
    return (gap_peer_key_t){.by = by, .text = text_view(text)};
}
