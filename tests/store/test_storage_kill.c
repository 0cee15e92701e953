/*
 * tests/store/test_storage_kill.c - a process that commits is killed at any moment, again and
 * again. What it was told is stored is there, and no commit is there by half.
 */
#include "base/prng.h"
#include "tests/store/suite.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHANNELS = 20, PEERS = 20, RECORDS = 7 + CHANNELS + PEERS, KILLS = 30, WAIT_MAX_US = 60000 };

static gap_storage_t *make(const char *path)
{
    gap_storage_t *s = NULL;

    ck_assert_int_eq(gap_storage_sqlite(NULL, &(gap_sqlite_config_t){.path = path}, &s), 0);
    return s;
}

static int succeed(void *arg, struct sqlite3 *db)
{
    (void)arg;
    return db == NULL ? -1 : 0;
}

/* Commit number @p n: everything in it says n; the name moves on. */
static int commit_number(gap_storage_t *s, int32_t n)
{
    static const char name[] = "wanderer";
    static const gap_bytes_t names[] = {{(const uint8_t *)name, sizeof name - 1}};
    gap_record_t records[RECORDS];
    uint64_t row = (uint64_t)n;
    int result = 0;
    gap_storage_fault_t fault = {0};
    size_t count = 0;

    records[count++] = store_state(n, n, n, n);
    for (int64_t id = 1; id <= CHANNELS; id++) records[count++] = store_channel(id, n, true);
    for (int64_t id = 1; id <= PEERS; id++)
        records[count++] = store_peer(GAP_PEER_USER, id * 1000, n);
    /* The row before goes, by a removal or by a call; its update is done until the next position.
     */
    records[count++] = store_inbox(row, "an update");
    if (n % 2 == 0 || n == 1) {
        records[count++] = store_removed(store_inbox(row > 1 ? row - 1 : row + 1, ""));
        records[count++] = store_done((uint8_t)(1 + n % 250), GAP_BOX_COMMON, 0, n);
    } else {
        records[count++] = (gap_record_t){
            .kind = GAP_RECORD_CALL,
            .u.call = {.call = succeed, .result = &result, .inbox = row - 1, .has_done = true},
        };
        records[count - 1].u.call.done =
            store_done((uint8_t)(1 + n % 250), GAP_BOX_COMMON, 0, n).u.done;
    }
    records[count++] = store_boot(row, false, (uint8_t)n);
    gap_peer_record_t *owner = &records[1 + CHANNELS + n % PEERS].u.peer;
    owner->has_names = true;
    owner->usernames = names;
    owner->username_count = 1;
    return s->ops->commit(s, records, count, &fault);
}

/* The child: commits and tells of each, until it is killed. */
static _Noreturn void commit_for_ever(const char *path, int32_t from, int told)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = make(path);

    if (s->ops->open(s, &fault) != 0) _exit(1);
    for (int32_t n = from;; n++) {
        if (commit_number(s, n) != 0) _exit(2);
        if (write(told, &n, sizeof n) != (ssize_t)sizeof n) _exit(3);
    }
}

struct seen {
    int32_t n; /* what the state says */
    int channels;
    int peers;
    int rows;
    int dones;
    int boots;
    int others; /* records that say something else */
};

static int look(void *arg, const gap_record_t *record)
{
    struct seen *seen = arg;

    switch (record->kind) {
    case GAP_RECORD_STATE:
        seen->n = record->u.state.pts;
        break; /* comes first */
    case GAP_RECORD_CHANNEL:
        seen->channels++;
        seen->others += record->u.channel.pts != seen->n;
        break;
    case GAP_RECORD_PEER:
        seen->peers++;
        seen->others += record->u.peer.access_hash != seen->n;
        break;
    case GAP_RECORD_ACCOUNT:
        seen->others++;
        break;
    case GAP_RECORD_INBOX:
        seen->rows++;
        seen->others += record->u.inbox.number != (uint64_t)seen->n;
        break;
    case GAP_RECORD_DONE:
        seen->dones++;
        seen->others += record->u.done.before != seen->n;
        break;
    case GAP_RECORD_BOOT:
        seen->boots++;
        seen->others += record->u.boot.epoch != (uint64_t)seen->n;
        break;
    case GAP_RECORD_DEAD:
    case GAP_RECORD_VALUE:
    case GAP_RECORD_CALL:
        seen->others++;
        break;
    }
    return 0;
}

static int owner(void *arg, const gap_record_t *record)
{
    *(int64_t *)arg = record->u.peer.peer.id;
    return 0;
}

/* @return the number of the last commit that is in it, whole. */
static int32_t check(const char *path, int round)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = make(path);
    gap_peer_key_t key = store_by(GAP_BY_USERNAME, "wanderer");
    struct seen seen = {0};
    int64_t id = 0;
    int r = s->ops->open(s, &fault);

    ck_assert_msg(r == 0, "kill %d: open: %d %s", round, r, fault.text);
    ck_assert_int_eq(s->ops->load(s, look, &seen, &fault), 0);
    ck_assert_msg(seen.others == 0, "kill %d: %d records are not of commit %d", round, seen.others,
                  seen.n);
    ck_assert_int_eq(seen.channels, seen.n > 0 ? CHANNELS : 0);
    ck_assert_int_eq(seen.peers, seen.n > 0 ? PEERS : 0);
    ck_assert_int_eq(seen.rows, seen.n > 0);
    ck_assert_int_eq(seen.dones, seen.n > 0);
    ck_assert_int_eq(seen.boots, seen.n > 0);
    ck_assert_int_eq(s->ops->find(s, &key, owner, &id, &fault), 0);
    ck_assert_int_eq(id, seen.n > 0 ? (1 + seen.n % PEERS) * 1000 : 0);
    s->ops->close(s);
    s->ops->destroy(s);
    return seen.n;
}

START_TEST(test_killed)
{
    char folder[256];
    char path[300];
    gap_prng_t rng = {4711};
    int32_t there = 0;

    store_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/store.db", folder);
    for (int round = 1; round <= KILLS; round++) {
        int pipes[2];
        int32_t told = there;
        int32_t n;
        ck_assert_int_eq(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) commit_for_ever(path, there + 1, pipes[1]);
        close(pipes[1]);
        /* Every third one in its opening, the others some commits later. */
        if (round % 3 != 0 && read(pipes[0], &n, sizeof n) == (ssize_t)sizeof n) told = n;
        struct timespec wait = {0, (long)gap_prng_below(&rng, WAIT_MAX_US) * 1000};
        nanosleep(&wait, NULL);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the child ended by itself: %d", WEXITSTATUS(status));
        while (read(pipes[0], &n, sizeof n) == (ssize_t)sizeof n) told = n;
        close(pipes[0]);
        there = check(path, round);
        ck_assert_msg(there == told || there == told + 1, "kill %d: told %d, there is %d", round,
                      told, there);
    }
    ck_assert_int_gt(there, KILLS / 2);
    store_folder_remove(folder);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("storage_kill");
    TCase *tc = tcase_create("kill");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_killed);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
