/*
 * tests/store/suite.c - what every storage must do. Each case is a list of commits and what is
 * there afterwards, seen at once and after closing and opening again.
 */
#include "tests/store/suite.h"

#include <string.h>

static const struct store_kind *kinds;

enum { COMMITS = 4, RECORDS = 6, LOOKUPS = 6 };

#define USER    GAP_PEER_USER
#define CHAT    GAP_PEER_CHAT
#define CHANNEL GAP_PEER_CHANNEL

/* A record in a table of cases: constants only. */
struct row {
    enum { END, ACCOUNT, STATE, CHAN, PEER, MIN, NAMED, NO_HASH } what;
    bool removed;
    gap_peer_kind_t kind;
    int64_t id;
    int64_t a, b, c, d;
    const char *phone;
    const char *names[4];
};

struct lookup {
    gap_peer_by_t by;
    gap_peer_kind_t kind;
    int64_t id;
    const char *text;
    const char *want; /* "" nobody; NULL: end of the list */
};

struct store_case {
    const char *why;
    struct row commits[COMMITS][RECORDS];
    const char *want; /* store_dump */
    struct lookup lookups[LOOKUPS];
};

static const struct store_case cases[] = {
    {.why = "a new storage is empty", .want = ""},
    {.why = "an empty commit changes nothing",
     .commits = {{{.what = END}}, {{.what = END}}},
     .want = ""},
    {.why = "account, state, channel and peer are found again",
     .commits = {{{ACCOUNT, .id = 7000000001, .a = 1},
                  {STATE, .a = 11, .b = 12, .c = 13, .d = 1700000000},
                  {CHAN, .id = 1001, .a = 5},
                  {PEER, .kind = USER, .id = 42, .a = -9}}},
     .want = "account 7000000001 bot\nchannel 1001 at 5\npeer user 42 hash -9\n"
             "state 11 12 13 1700000000"},
    {.why = "a later commit replaces",
     .commits = {{{ACCOUNT, .id = 1},
                  {STATE, .a = 1, .b = 1, .c = 1, .d = 1},
                  {CHAN, .id = 3, .a = 4}},
                 {{ACCOUNT, .id = 2}, {STATE, .a = 2}, {CHAN, .id = 3, .a = 9, .b = 1}}},
     .want = "account 2\nchannel 3 at 9 unfinished\nstate 2 0 0 0"},
    {.why = "what goes back is stored as it is given",
     .commits = {{{STATE, .a = 100, .b = 7, .c = 3, .d = 50}, {CHAN, .id = 3, .a = 90, .b = 1}},
                 {{STATE, .a = 5, .b = 6, .c = 2, .d = 40}, {CHAN, .id = 3, .a = 2}}},
     .want = "channel 3 at 2\nstate 5 6 2 40"},
    {.why = "of records with one key in a commit the last counts",
     .commits = {{{CHAN, .id = 3, .a = 1},
                  {CHAN, .id = 3, .a = 2, .b = 1},
                  {STATE, .a = 1},
                  {STATE, .a = 2},
                  {PEER, .kind = USER, .id = 1, .a = 5},
                  {PEER, .kind = USER, .id = 1, .a = 6}}},
     .want = "channel 3 at 2 unfinished\npeer user 1 hash 6\nstate 2 0 0 0"},
    {.why = "removed records are gone",
     .commits =
         {{{ACCOUNT, .id = 1}, {STATE, .a = 1}, {CHAN, .id = 3, .a = 4}, {CHAN, .id = 4, .a = 4}},
          {{PEER, .kind = USER, .id = 1, .a = 1}, {PEER, .kind = CHAT, .id = 1, .a = 1}},
          {{ACCOUNT, .removed = true},
           {STATE, .removed = true},
           {CHAN, .removed = true, .id = 3},
           {PEER, .removed = true, .kind = USER, .id = 1}}},
     .want = "channel 4 at 4\npeer chat 1 hash 1",
     .lookups = {{GAP_BY_ID, USER, 1, NULL, ""}}},
    {.why = "removing what is not there is no failure",
     .commits = {{{ACCOUNT, .removed = true},
                  {STATE, .removed = true},
                  {CHAN, .removed = true, .id = 3},
                  {PEER, .removed = true, .kind = USER, .id = 1}}},
     .want = ""},
    {.why = "removed, then given again in one commit: it is there",
     .commits = {{{CHAN, .id = 3, .a = 1}, {NAMED, .kind = USER, .id = 1, .names = {"old"}}},
                 {{CHAN, .removed = true, .id = 3},
                  {CHAN, .id = 3, .a = 2},
                  {PEER, .removed = true, .kind = USER, .id = 1},
                  {PEER, .kind = USER, .id = 1, .a = 8}}},
     .want = "channel 3 at 2\npeer user 1 hash 8",
     .lookups = {{GAP_BY_USERNAME, .text = "old", .want = ""}}},
    {.why = "given, then removed in one commit: it is gone",
     .commits = {{{CHAN, .id = 3, .a = 1},
                  {CHAN, .removed = true, .id = 3},
                  {NAMED, .kind = USER, .id = 1, .phone = "12", .names = {"who"}},
                  {PEER, .removed = true, .kind = USER, .id = 1}}},
     .want = "",
     .lookups = {{GAP_BY_USERNAME, .text = "who", .want = ""},
                 {GAP_BY_PHONE, .text = "12", .want = ""}}},
    {.why = "a user, a basic group and a channel may have the same id",
     .commits = {{{PEER, .kind = USER, .id = 5, .a = 1},
                  {PEER, .kind = CHAT, .id = 5, .a = 2},
                  {PEER, .kind = CHANNEL, .id = 5, .a = 3},
                  {CHAN, .id = 5, .a = 4}},
                 {{PEER, .removed = true, .kind = CHAT, .id = 5}}},
     .want = "channel 5 at 4\npeer channel 5 hash 3\npeer user 5 hash 1"},
    {.why = "partial peers keep where they were seen; no hash is not hash 0",
     .commits = {{{MIN, .kind = USER, .id = 5, .a = 77, .b = CHANNEL, .c = 9, .d = 1234},
                  {NO_HASH, .kind = USER, .id = 6},
                  {PEER, .kind = USER, .id = 7, .a = 0}}},
     .want = "peer user 5 hash 77 min seen channel 9 1234\npeer user 6\npeer user 7 hash 0"},
    {.why = "a full peer replaces a partial one whole",
     .commits = {{{MIN, .kind = USER, .id = 5, .a = 77, .b = CHANNEL, .c = 9, .d = 1234}},
                 {{PEER, .kind = USER, .id = 5, .a = 78}}},
     .want = "peer user 5 hash 78"},
    {.why = "the ends of the numbers",
     .commits = {{{ACCOUNT, .id = INT64_MAX},
                  {STATE, .a = INT32_MAX, .b = INT32_MIN, .c = -1, .d = INT32_MAX},
                  {CHAN, .id = INT64_MIN, .a = INT32_MAX},
                  {PEER, .kind = CHANNEL, .id = INT64_MAX, .a = INT64_MIN},
                  {PEER, .kind = CHANNEL, .id = -1, .a = INT64_MAX}}},
     .want = "account 9223372036854775807\nchannel -9223372036854775808 at 2147483647\n"
             "peer channel -1 hash 9223372036854775807\n"
             "peer channel 9223372036854775807 hash -9223372036854775808\n"
             "state 2147483647 -2147483648 -1 2147483647"},
    {.why = "by id, username and phone; a username in any case, spelled as it was given",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"Durov", "b_2"}}}},
     .want = "peer user 5 hash 50 +4915 @Durov @b_2",
     .lookups = {{GAP_BY_ID, USER, 5, NULL, "peer user 5 hash 50 +4915 @Durov @b_2"},
                 {GAP_BY_USERNAME, .text = "dUROV",
                  .want = "peer user 5 hash 50 +4915 @Durov @b_2"},
                 {GAP_BY_USERNAME, .text = "B_2", .want = "peer user 5 hash 50 +4915 @Durov @b_2"},
                 {GAP_BY_PHONE, .text = "4915", .want = "peer user 5 hash 50 +4915 @Durov @b_2"},
                 {GAP_BY_USERNAME, .text = "4915", .want = ""},
                 {GAP_BY_PHONE, .text = "durov", .want = ""}}},
    {.why = "a prefix, a longer name and nothing are not the name",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"durov"}}}},
     .want = "peer user 5 hash 50 +4915 @durov",
     .lookups = {{GAP_BY_USERNAME, .text = "duro", .want = ""},
                 {GAP_BY_USERNAME, .text = "durov_", .want = ""},
                 {GAP_BY_USERNAME, .text = "", .want = ""},
                 {GAP_BY_PHONE, .text = "", .want = ""},
                 {GAP_BY_PHONE, .text = "491", .want = ""},
                 {GAP_BY_ID, CHAT, 5, NULL, ""}}},
    {.why = "without names the stored ones stay",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"durov"}}},
                 {{PEER, .kind = USER, .id = 5, .a = 1}}},
     .want = "peer user 5 hash 1 +4915 @durov",
     .lookups = {{GAP_BY_USERNAME, .text = "durov", .want = "peer user 5 hash 1 +4915 @durov"},
                 {GAP_BY_PHONE, .text = "4915", .want = "peer user 5 hash 1 +4915 @durov"}}},
    {.why = "without names after names in one commit",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"durov"}},
                  {PEER, .kind = USER, .id = 5, .a = 1}}},
     .want = "peer user 5 hash 1 +4915 @durov"},
    {.why = "with names the stored ones go",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"one", "two"}}},
                 {{NAMED, .kind = USER, .id = 5, .phone = "4916", .names = {"two", "three"}}}},
     .want = "peer user 5 hash 50 +4916 @two @three",
     .lookups = {{GAP_BY_USERNAME, .text = "one", .want = ""},
                 {GAP_BY_PHONE, .text = "4915", .want = ""},
                 {GAP_BY_PHONE, .text = "4916", .want = "peer user 5 hash 50 +4916 @two @three"}}},
    {.why = "names may be taken away altogether",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"one", "two"}}},
                 {{NAMED, .kind = USER, .id = 5, .phone = ""}}},
     .want = "peer user 5 hash 50",
     .lookups = {{GAP_BY_USERNAME, .text = "one", .want = ""},
                 {GAP_BY_USERNAME, .text = "two", .want = ""},
                 {GAP_BY_PHONE, .text = "4915", .want = ""}}},
    {.why = "empty names are none",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "", .names = {"", "x", ""}},
                  {NAMED, .kind = USER, .id = 6, .phone = "", .names = {""}}}},
     .want = "peer user 5 hash 50 @x\npeer user 6 hash 60"},
    {.why = "the order of usernames is kept: the first one is the main one",
     .commits = {{{NAMED, .kind = CHANNEL, .id = 5, .phone = "", .names = {"zz", "aa", "mm"}}},
                 {{NAMED, .kind = CHANNEL, .id = 5, .phone = "", .names = {"mm", "zz", "aa"}}}},
     .want = "peer channel 5 hash 50 @mm @zz @aa"},
    {.why = "a name moves from one peer to another",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "", .names = {"keep", "Moved"}}},
                 {{NAMED, .kind = CHANNEL, .id = 6, .phone = "", .names = {"moveD"}}}},
     .want = "peer channel 6 hash 60 @moveD\npeer user 5 hash 50 @keep",
     .lookups = {{GAP_BY_USERNAME, .text = "moved", .want = "peer channel 6 hash 60 @moveD"},
                 {GAP_BY_USERNAME, .text = "keep", .want = "peer user 5 hash 50 @keep"}}},
    {.why = "a name moves within one commit; its new owner counts, not the order of ids",
     .commits = {{{NAMED, .kind = USER, .id = 6, .phone = "1", .names = {"name"}},
                  {NAMED, .kind = USER, .id = 5, .phone = "1", .names = {"name"}}}},
     .want = "peer user 5 hash 50 +1 @name\npeer user 6 hash 60",
     .lookups = {{GAP_BY_USERNAME, .text = "name", .want = "peer user 5 hash 50 +1 @name"},
                 {GAP_BY_PHONE, .text = "1", .want = "peer user 5 hash 50 +1 @name"}}},
    {.why = "two peers swap their names",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "5", .names = {"five"}},
                  {NAMED, .kind = USER, .id = 6, .phone = "6", .names = {"six"}}},
                 {{NAMED, .kind = USER, .id = 5, .phone = "6", .names = {"six"}},
                  {NAMED, .kind = USER, .id = 6, .phone = "5", .names = {"five"}}}},
     .want = "peer user 5 hash 50 +6 @six\npeer user 6 hash 60 +5 @five"},
    {.why = "a phone moves with its number",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "4915", .names = {"a"}}},
                 {{NAMED, .kind = USER, .id = 6, .phone = "4915"}},
                 {{PEER, .removed = true, .kind = USER, .id = 5}}},
     .want = "peer user 6 hash 60 +4915",
     .lookups = {{GAP_BY_PHONE, .text = "4915", .want = "peer user 6 hash 60 +4915"},
                 {GAP_BY_USERNAME, .text = "a", .want = ""}}},
    {.why = "the peer that lost a name can go without taking it from the new owner",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "1", .names = {"n"}}},
                 {{NAMED, .kind = USER, .id = 6, .phone = "1", .names = {"n"}}},
                 {{NAMED, .kind = USER, .id = 5, .phone = ""}},
                 {{PEER, .removed = true, .kind = USER, .id = 5}}},
     .want = "peer user 6 hash 60 +1 @n",
     .lookups = {{GAP_BY_USERNAME, .text = "n", .want = "peer user 6 hash 60 +1 @n"}}},
    {.why = "one name twice in one list is one name",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "", .names = {"twin", "other", "TWIN"}}}},
     .want = "peer user 5 hash 50 @other @TWIN",
     .lookups = {{GAP_BY_USERNAME, .text = "twin", .want = "peer user 5 hash 50 @other @TWIN"}}},
    {.why = "peers with names keep them when another kind of the same id comes and goes",
     .commits = {{{NAMED, .kind = USER, .id = 5, .phone = "1", .names = {"u"}},
                  {NAMED, .kind = CHANNEL, .id = 5, .phone = "", .names = {"c"}}},
                 {{PEER, .removed = true, .kind = CHANNEL, .id = 5}}},
     .want = "peer user 5 hash 50 +1 @u",
     .lookups = {{GAP_BY_USERNAME, .text = "c", .want = ""},
                 {GAP_BY_USERNAME, .text = "u", .want = "peer user 5 hash 50 +1 @u"}}},
};

static gap_record_t record_of(const struct row *row)
{
    const char *const *n = row->names;
    gap_record_t r = {0};

    switch (row->what) {
    case ACCOUNT:
        r.kind = GAP_RECORD_ACCOUNT;
        r.u.account = (gap_account_record_t){row->id, row->a != 0};
        break;
    case STATE:
        r = store_state((int32_t)row->a, (int32_t)row->b, (int32_t)row->c, (int32_t)row->d);
        break;
    case CHAN:
        r = store_channel(row->id, (int32_t)row->a, row->b != 0);
        break;
    case NAMED:
        r = store_named(row->kind, row->id, row->phone, n[0], n[1], n[2], n[3], NULL);
        break;
    case END:
    case PEER:
    case MIN:
    case NO_HASH:
        r = store_peer(row->kind, row->id, row->a);
        if (row->what == NO_HASH) r.u.peer.has_hash = false;
        if (row->what != MIN) break;
        r.u.peer.min = true;
        r.u.peer.seen_in = (gap_peer_t){row->c, (gap_peer_kind_t)row->b};
        r.u.peer.seen_msg_id = (int32_t)row->d;
        break;
    }
    r.removed = row->removed;
    return r;
}

static size_t records_of(const struct row rows[RECORDS], gap_record_t out[RECORDS])
{
    size_t count = 0;

    while (count < RECORDS && rows[count].what != END) {
        out[count] = record_of(&rows[count]);
        count++;
    }
    return count;
}

static gap_storage_t *open_new(const struct store_kind *kind, const gap_alloc_t *alloc,
                               const char *path)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = NULL;

    ck_assert_int_eq(kind->make(alloc, path, &s), 0);
    ck_assert_uint_eq(s->ops->version, GAP_STORAGE_VERSION);
    int r = s->ops->open(s, &fault);
    ck_assert_msg(r == 0, "%s: open: %d %s", kind->name, r, fault.text);
    return s;
}

static void end(gap_storage_t *s)
{
    s->ops->close(s);
    s->ops->destroy(s);
}

static int commit(gap_storage_t *s, const gap_record_t *records, size_t count)
{
    gap_storage_fault_t fault = {0};

    return s->ops->commit(s, records, count, &fault);
}

static void check_case(const struct store_kind *kind, const struct store_case *c, gap_storage_t *s,
                       const char *when)
{
    char *dump = store_dump(s);

    ck_assert_msg(strcmp(dump, c->want) == 0, "%s: %s, %s: got\n%s\nwanted\n%s", kind->name, c->why,
                  when, dump, c->want);
    free(dump);
    for (size_t i = 0; i < LOOKUPS && c->lookups[i].want != NULL; i++) {
        const struct lookup *l = &c->lookups[i];
        gap_peer_key_t key =
            l->by == GAP_BY_ID ? store_by_id(l->kind, l->id) : store_by(l->by, l->text);
        char *got = store_find(s, &key);
        ck_assert_msg(strcmp(got, l->want) == 0, "%s: %s, %s: look-up %zu: got '%s', wanted '%s'",
                      kind->name, c->why, when, i, got, l->want);
        free(got);
    }
}

START_TEST(test_cases)
{
    const struct store_kind *kind = &kinds[_i];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char folder[256];
        char path[300];
        store_folder_make(folder, sizeof folder);
        snprintf(path, sizeof path, "%s/store", folder);
        gap_storage_t *s = open_new(kind, gap_alloc_default(), path);
        for (size_t k = 0; k < COMMITS; k++) {
            gap_record_t records[RECORDS];
            size_t count = records_of(cases[i].commits[k], records);
            ck_assert_msg(commit(s, records, count) == 0, "%s: %s", kind->name, cases[i].why);
        }
        check_case(kind, &cases[i], s, "at once");
        gap_storage_fault_t fault = {0};
        s->ops->close(s);
        s->ops->close(s);
        ck_assert_int_eq(s->ops->open(s, &fault), 0);
        check_case(kind, &cases[i], s, "opened again");
        end(s);
        if (kind->is_kept) {
            s = open_new(kind, gap_alloc_default(), path);
            check_case(kind, &cases[i], s, "by another storage");
            end(s);
        }
        store_folder_remove(folder);
    }
}
END_TEST

/* --- size ------------------------------------------------------------------------------------- */

static gap_record_t *many(size_t count, int32_t pts)
{
    gap_record_t *records = calloc(count, sizeof *records);

    ck_assert_ptr_nonnull(records);
    for (size_t i = 0; i < count; i++)
        records[i] = i % 2 == 0 ? store_channel(1 + (int64_t)i, pts, false)
                                : store_peer(USER, 1 + (int64_t)i, pts);
    return records;
}

struct tally {
    size_t channels;
    size_t peers;
    int32_t pts;
};

static int tally_record(void *arg, const gap_record_t *record)
{
    struct tally *t = arg;

    if (record->kind == GAP_RECORD_CHANNEL) {
        t->channels++;
        ck_assert_int_eq(record->u.channel.pts, t->pts);
    } else {
        ck_assert_int_eq(record->kind, GAP_RECORD_PEER);
        t->peers++;
        ck_assert_int_eq(record->u.peer.access_hash, t->pts);
    }
    return 0;
}

START_TEST(test_large_batches)
{
    enum { N = 20000 };
    const struct store_kind *kind = &kinds[_i];
    char folder[256];
    char path[300];

    store_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/store", folder);
    gap_storage_t *s = open_new(kind, gap_alloc_default(), path);
    for (int32_t pts = 1; pts <= 2; pts++) {
        gap_record_t *records = many(N, pts);
        ck_assert_int_eq(commit(s, records, N), 0);
        free(records);
    }
    for (int round = 0; round < 2; round++) {
        gap_storage_fault_t fault = {0};
        struct tally t = {.pts = 2};
        ck_assert_int_eq(s->ops->load(s, tally_record, &t, &fault), 0);
        ck_assert_uint_eq(t.channels, N / 2);
        ck_assert_uint_eq(t.peers, N / 2);
        s->ops->close(s);
        ck_assert_int_eq(s->ops->open(s, &fault), 0);
    }
    end(s);
    store_folder_remove(folder);
}
END_TEST

/* --- callbacks that stop ---------------------------------------------------------------------- */

struct stop {
    int calls;
    int at;
    int with;
};

static int stop_at(void *arg, const gap_record_t *record)
{
    struct stop *s = arg;

    (void)record;
    return ++s->calls == s->at ? s->with : 0;
}

START_TEST(test_a_callback_ends_the_loading)
{
    const struct store_kind *kind = &kinds[_i];
    const int codes[] = {GAP_E_NOMEM, 5};
    gap_record_t records[] = {
        store_state(1, 1, 1, 1), store_channel(1, 1, false), store_channel(2, 1, false),
        store_peer(USER, 1, 1),  store_peer(CHANNEL, 1, 1),
    };
    char folder[256];
    char path[300];

    store_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/store", folder);
    gap_storage_t *s = open_new(kind, gap_alloc_default(), path);
    ck_assert_int_eq(commit(s, records, 5), 0);
    for (size_t c = 0; c < 2; c++) {
        for (int at = 1; at <= 5; at++) {
            gap_storage_fault_t fault = {0};
            struct stop stop = {0, at, codes[c]};
            ck_assert_int_eq(s->ops->load(s, stop_at, &stop, &fault), codes[c]);
            ck_assert_int_eq(stop.calls, at);
        }
        gap_storage_fault_t fault = {0};
        struct stop stop = {0, 1, codes[c]};
        gap_peer_key_t key = store_by_id(USER, 1);
        ck_assert_int_eq(s->ops->find(s, &key, stop_at, &stop, &fault), codes[c]);
    }
    ck_assert_int_eq(commit(s, records, 5), 0);
    end(s);
    store_folder_remove(folder);
}
END_TEST

/* --- out of memory ---------------------------------------------------------------------------- */

START_TEST(test_a_commit_without_memory_changes_nothing)
{
    const struct store_kind *kind = &kinds[_i];
    char folder[256];
    char path[300];
    long fails = 0;

    store_folder_make(folder, sizeof folder);
    for (long n = 1;; n++) {
        struct fault_alloc f;
        gap_storage_fault_t fault = {0};
        gap_storage_t *s = NULL;
        gap_record_t first[] = {
            store_channel(1, 1, false),
            store_named(USER, 1, "11", "a", "b", NULL),
            store_named(USER, 2, "22", "c", NULL),
        };
        gap_record_t second[] = {
            store_state(9, 9, 9, 9),
            store_channel(1, 2, true),
            store_channel(2, 2, true),
            store_named(USER, 2, "11", "c", "A", "fresh", NULL),
            store_removed(store_peer(USER, 1, 0)),
            store_named(CHANNEL, 3, "", "b", NULL),
        };
        fault_alloc_init(&f, 0);
        snprintf(path, sizeof path, "%s/store%ld", folder, n);
        ck_assert_int_eq(kind->make(&f.alloc, path, &s), 0);
        ck_assert_int_eq(s->ops->open(s, &fault), 0);
        ck_assert_int_eq(commit(s, first, 3), 0);
        char *before = store_dump(s);
        f.fail_at = f.calls + n;
        int r = commit(s, second, 6);
        bool failed = f.calls >= f.fail_at;
        f.fail_at = 0;
        char *after = store_dump(s);
        ck_assert_int_eq(r, failed ? GAP_E_NOMEM : 0);
        ck_assert_msg((strcmp(before, after) == 0) == failed, "%s: allocation %ld: %s", kind->name,
                      n, after);
        if (failed) ck_assert_int_eq(commit(s, second, 6), 0);
        free(after);
        after = store_dump(s);
        ck_assert_str_eq(after, "channel 1 at 2 unfinished\nchannel 2 at 2 unfinished\n"
                                "peer channel 3 hash 30 @b\npeer user 2 hash 20 +11 @c @A @fresh\n"
                                "state 9 9 9 9");
        free(before);
        free(after);
        end(s);
        ck_assert_int_eq(f.live, 0);
        if (!failed) break;
        fails++;
    }
    ck_assert_int_lt(fails, 200);
    store_folder_remove(folder);
}
END_TEST

START_TEST(test_making_and_opening_without_memory)
{
    const struct store_kind *kind = &kinds[_i];
    char folder[256];
    char path[300];

    store_folder_make(folder, sizeof folder);
    for (long n = 1;; n++) {
        struct fault_alloc f;
        gap_storage_fault_t fault = {0};
        gap_storage_t *s = NULL;
        gap_record_t record = store_named(USER, 2, "11", "c", NULL);
        gap_peer_key_t key = store_by(GAP_BY_USERNAME, "C");
        struct stop stop = {0, 0, 0};
        fault_alloc_init(&f, n);
        snprintf(path, sizeof path, "%s/store%ld", folder, n);
        int r = kind->make(&f.alloc, path, &s);
        if (r == 0) {
            r = s->ops->open(s, &fault);
            if (r == 0) r = s->ops->commit(s, &record, 1, &fault);
            if (r == 0) r = s->ops->load(s, stop_at, &stop, &fault);
            if (r == 0) r = s->ops->find(s, &key, stop_at, &stop, &fault);
            end(s);
        }
        ck_assert_int_eq(r, f.calls >= n ? GAP_E_NOMEM : 0);
        ck_assert_int_eq(f.live, 0);
        if (r == 0) break;
    }
    store_folder_remove(folder);
}
END_TEST

/* --- two at a time ---------------------------------------------------------------------------- */

START_TEST(test_a_second_one_is_refused)
{
    const struct store_kind *kind = &kinds[_i];
    gap_storage_fault_t fault = {0};
    gap_storage_t *second = NULL;
    gap_record_t record = store_state(1, 2, 3, 4);
    char folder[256];
    char path[300];

    store_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/store", folder);
    gap_storage_t *s = open_new(kind, gap_alloc_default(), path);
    ck_assert_int_eq(kind->make(gap_alloc_default(), path, &second), 0);
    if (kind->takes_lock) {
        ck_assert_int_eq(second->ops->open(second, &fault), GAP_E_HELD);
        ck_assert_str_ne(fault.text, "");
        second->ops->close(second);
        ck_assert_int_eq(second->ops->open(second, &fault), GAP_E_HELD);
    }
    ck_assert_int_eq(commit(s, &record, 1), 0);
    s->ops->close(s);
    ck_assert_int_eq(second->ops->open(second, &fault), 0);
    char *dump = store_dump(second);
    ck_assert_str_eq(dump, kind->is_kept ? "state 1 2 3 4" : "");
    free(dump);
    end(second);
    end(s);
    store_folder_remove(folder);
}
END_TEST

void store_suite_add(Suite *suite, const struct store_kind *list, size_t count)
{
    TCase *tc = tcase_create("suite");
    int n = (int)count;

    kinds = list;
    tcase_add_loop_test(tc, test_cases, 0, n);
    tcase_add_loop_test(tc, test_large_batches, 0, n);
    tcase_add_loop_test(tc, test_a_callback_ends_the_loading, 0, n);
    tcase_add_loop_test(tc, test_a_commit_without_memory_changes_nothing, 0, n);
    tcase_add_loop_test(tc, test_making_and_opening_without_memory, 0, n);
    tcase_add_loop_test(tc, test_a_second_one_is_refused, 0, n);
    suite_add_tcase(suite, tc);
}
