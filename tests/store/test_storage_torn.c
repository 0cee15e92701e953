/*
 * tests/store/test_storage_torn.c - a state file that was torn when the machine or the process
 * died (S76 of tests/sim/scenarios.txt). Commits 1 to COMMITS store the same number three times, as
 * pts, in a channel and in a row of the journal. Whatever is left of the last writes, what is
 * loaded is one of the commits, whole, or nothing is loaded and a text says what to do.
 */
#include "tests/store/database.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMITS 12

struct bytes {
    char *data;
    size_t len;
};

static struct bytes slurp(const char *suffix)
{
    char name[320];
    struct stat st;
    struct bytes b = {NULL, 0};

    snprintf(name, sizeof name, "%s%s", path, suffix);
    int fd = open(name, O_RDONLY);
    ck_assert_msg(fd >= 0, "%s is not there", name);
    ck_assert_int_eq(fstat(fd, &st), 0);
    b.len = (size_t)st.st_size;
    b.data = malloc(b.len + 1);
    ck_assert_int_eq(read(fd, b.data, b.len), st.st_size);
    close(fd);
    return b;
}

static void spill(const char *suffix, const char *data, size_t len)
{
    char name[320];

    snprintf(name, sizeof name, "%s%s", path, suffix);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    if (len > 0) ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static void commit_number(gap_storage_t *s, int32_t n)
{
    gap_storage_fault_t fault = {0};
    static uint8_t update[300];
    gap_record_t r[3] = {
        store_state(n, n, 1, 1700000000), store_channel(7, n, true), {.kind = GAP_RECORD_INBOX}};

    r[2].u.inbox = (gap_inbox_record_t){
        .number = (uint64_t)n, .has_update = true, .update = {update, sizeof update}};
    ck_assert_int_eq(s->ops->commit(s, r, 3, &fault), 0);
}

struct found {
    int32_t pts;
    int32_t channel;
    uint64_t last_row;
    uint64_t rows;
};

static int take(void *arg, const gap_record_t *r)
{
    struct found *f = arg;

    if (r->kind == GAP_RECORD_STATE) f->pts = r->u.state.pts;
    if (r->kind == GAP_RECORD_CHANNEL) f->channel = r->u.channel.pts;
    if (r->kind == GAP_RECORD_INBOX) {
        f->rows++;
        f->last_row = r->u.inbox.number;
    }
    return 0;
}

/* @return the commit that is there; -1: it was refused, with a text. */
static int32_t loaded(const char *why, size_t at)
{
    gap_storage_fault_t fault = {0};
    struct found f = {0};
    gap_storage_t *s = make();

    int r = s->ops->open(s, &fault);
    if (r == 0) r = s->ops->load(s, take, &f, &fault);
    end(s);
    if (r < 0) {
        ck_assert_msg(r == GAP_E_DAMAGED || r == GAP_E_FOREIGN, "%s at %zu: %d", why, at, r);
        ck_assert_msg(strchr(fault.text, ';') != NULL, "%s at %zu: '%s'", why, at, fault.text);
        return -1;
    }
    ck_assert_msg(f.pts == f.channel && f.last_row == (uint64_t)f.pts && f.rows == (uint64_t)f.pts,
                  "%s at %zu: pts %d, channel %d, %u rows up to %u", why, at, f.pts, f.channel,
                  (unsigned)f.rows, (unsigned)f.last_row);
    return f.pts;
}

/* The database and its log as they lie there after the last commit, the process gone. */
static void killed_after_commits(struct bytes *db, struct bytes *wal)
{
    gap_storage_t *s = opened();

    for (int32_t n = 1; n <= COMMITS; n++) commit_number(s, n);
    *db = slurp("");
    *wal = slurp("-wal");
    end(s);
}

static int32_t with(const struct bytes *db, const char *wal, size_t len, const char *why)
{
    char name[320];

    snprintf(name, sizeof name, "%s-shm", path);
    (void)unlink(name);
    spill("", db->data, db->len);
    spill("-wal", wal, len);
    return loaded(why, len);
}

/* The log ends anywhere: the commits before are there, and no part of another. */
START_TEST(s76_log_that_ends_early)
{
    struct bytes db;
    struct bytes wal;
    int32_t last = -1;
    int seen = 0;

    killed_after_commits(&db, &wal);
    for (size_t len = 0; len <= wal.len; len += len + 997 < wal.len ? 997 : wal.len - len + 1) {
        int32_t n = with(&db, wal.data, len, "cut");
        if (n < 0) continue; /* before there was anything */
        ck_assert_int_ge(n, last);
        seen += n != last;
        last = n;
    }
    ck_assert_int_eq(with(&db, wal.data, wal.len, "whole"), COMMITS);
    ck_assert_int_ge(seen, COMMITS / 2);
    free(db.data);
    free(wal.data);
}
END_TEST

/* A page of the log was written in part: zeroes, or something else. */
START_TEST(s76_log_that_is_torn)
{
    struct bytes db;
    struct bytes wal;
    int shorter = 0;

    killed_after_commits(&db, &wal);
    char *torn = malloc(wal.len);
    for (size_t at = 32; at < wal.len; at += 1531) {
        size_t len = wal.len - at < 512 ? wal.len - at : 512;
        for (int how = 0; how < 2; how++) {
            memcpy(torn, wal.data, wal.len);
            memset(torn + at, how == 0 ? 0 : 0xa5, len);
            shorter += with(&db, torn, wal.len, "torn") < COMMITS;
        }
    }
    ck_assert_int_gt(shorter, 10);
    free(torn);
    free(db.data);
    free(wal.data);
}
END_TEST

/* Of the database itself only a part is there: what is loaded is whole, or refused with a text. */
START_TEST(s76_database_that_is_torn)
{
    gap_storage_t *s = opened();
    struct bytes db;
    int refused = 0;

    for (int32_t n = 1; n <= COMMITS; n++) commit_number(s, n);
    end(s);
    db = slurp("");
    for (size_t len = 512; len < db.len; len += 2048) {
        spill("", db.data, len);
        int32_t n = loaded("half", len);
        ck_assert_int_lt(n, COMMITS + 1);
        refused += n < 0;
    }
    ck_assert_int_gt(refused, 3);
    spill("", db.data, db.len);
    ck_assert_int_eq(loaded("whole", db.len), COMMITS);
    free(db.data);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("storage_torn");
    TCase *t = tcase_create("torn");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, s76_log_that_ends_early);
    tcase_add_test(t, s76_log_that_is_torn);
    tcase_add_test(t, s76_database_that_is_torn);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
