/*
 * The journal over random lives: messages of the account and of a channel, lost pushes, slices,
 * handlers that go on, crashes and ends in order at any moment, a disk that is full now and then;
 * and allocations that fail, each in turn. After every crash the disk is looked at:
 *   - whatever lies below a stored position is through, or is a row;
 *   - what was through and on the disk is not handled again;
 *   - rows come before what is fetched;
 * and at the end everything has been handled.
 */
#include "tests/sim/journal_world.h"

#include "base/prng.h"

#include <stdlib.h>

#define SEEDS    40
#define FAULTS   120 /* allocations that fail, one in each life */
#define STEPS    120
#define FIRST    11
#define CHANNEL0 51
#define MOST     512

static gap_prng_t dice;
static bool starved; /* what was done may be forgotten, and is handled again */

/* By id; messages of the channel lie behind those of the account. */
static struct {
    bool through; /* handled, in whichever life */
    bool now;     /* in this one */
    bool durable; /* and that is on the disk */
    bool row;
} seen[2 * MOST];

static size_t index_of(const char *label)
{
    bool of_channel = strncmp(label, "7:", 2) == 0;
    long id = strtol(of_channel ? label + 2 : label, NULL, 10);

    ck_assert_int_gt(id, 0);
    ck_assert_int_lt(id, MOST);
    return (size_t)id + (of_channel ? MOST : 0);
}

static uint32_t draw(uint32_t below)
{
    return (uint32_t)gap_prng_below(&dice, below);
}

/* ---- what is handled ---- */

/* @return false if none runs. */
static bool finish_one(void)
{
    size_t from = draw(CLERK_TASKS);

    for (size_t i = 0; i < CLERK_TASKS; i++) {
        struct clerk_task *t = &clerk.tasks[(from + i) % CLERK_TASKS];
        if (!t->used || !t->running) continue;
        clerk_finish(t->label);
        return true;
    }
    return false;
}

/* What the diary of a life says; then a new page. @p none: nothing went on later in it. */
static void read_diary(void)
{
    char *rest = clerk.diary;
    bool fetched[2] = {false, false};

    for (char *word = strtok_r(rest, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        size_t i = index_of(word);
        size_t of_channel = i >= MOST;
        char mark = word[strlen(word) - 1];
        ck_assert_msg(!seen[i].durable || starved, "%s was done, and is handled again", word);
        ck_assert_msg(mark != '!' || !fetched[of_channel] || starved,
                      "%s comes from the journal after what "
                      "was fetched",
                      word);
        if (mark == '~') fetched[of_channel] = true;
    }
    clerk.diary[0] = 0;
}

static void on_through(const char *label)
{
    seen[index_of(label)].through = seen[index_of(label)].now = true;
}

/* ---- the disk ---- */

static void on_row(const char *label)
{
    seen[index_of(label)].row = true;
}

static void check_disk(void)
{
    struct clerk_disk d = clerk_disk();

    for (size_t i = 0; i < GAP_ARRAY_LEN(seen); i++) seen[i].row = false;
    clerk_rows(on_row);
    for (int32_t id = FIRST; id <= d.pts; id++)
        ck_assert_msg(seen[id].through || seen[id].row, "%d is stored and not handled", id);
    for (int32_t id = CHANNEL0; id <= d.channel_pts; id++)
        ck_assert_msg(seen[MOST + id].through || seen[MOST + id].row,
                      "7:%d is stored and not handled", id);
}

/* What is through by now, all of it, is on the disk when the flush is over. */
static void settle(void)
{
    bool before[GAP_ARRAY_LEN(seen)];

    for (size_t i = 0; i < GAP_ARRAY_LEN(seen); i++) before[i] = seen[i].now;
    bool good = clerk_flush();
    ck_assert(good || starved);
    read_diary();
    for (size_t i = 0; i < GAP_ARRAY_LEN(seen); i++) seen[i].durable |= before[i] && good;
}

/* ---- steps ---- */

static void push(bool of_channel)
{
    int32_t *pts = of_channel ? &clerk.channel_pts : &clerk.pts;

    if (*pts >= MOST - 1) return;
    ++*pts;
    if (draw(6) == 0) return; /* lost */
    if (of_channel)
        clerk_channel(*pts);
    else
        clerk_message(*pts);
}

static void choose_later(void)
{
    static const char *const choices[] = {"", "*", ""};

    (void)snprintf(clerk.later, sizeof clerk.later, "%s", choices[draw(3)]);
}

static void new_life(bool crash)
{
    door.commit_count = 0;
    fault.fail_at = 0;
    read_diary();
    if (crash) {
        clerk_crash();
    } else {
        (void)gap_journal_write_all(clerk.journal);
        clerk_close();
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(seen); i++) seen[i].now = false;
    check_disk();
    choose_later();
    clerk_open();
}

static void step(void)
{
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
        push(false);
        break;
    case 3:
        push(true);
        break;
    case 4:
    case 5:
        (void)finish_one();
        break;
    case 6:
        choose_later();
        break;
    case 7:
        clerk_run(draw(300));
        break;
    case 8:
        if (door.commit_count == 0) {
            settle();
        } else {
            door.commit_count = 0;
        }
        break;
    case 9:
        if (draw(4) == 0) fail_commits(GAP_E_STORAGE, 1 + draw(8));
        break;
    case 10:
        if (draw(3) == 0) new_life(draw(4) != 0);
        break;
    default:
        clerk_run(draw(5));
        break;
    }
}

static void finish_all(void)
{
    clerk.later[0] = 0;
    door.commit_count = 0;
    for (int round = 0; round < 40; round++) {
        push(false);
        push(true);
        for (size_t i = 0; i < CLERK_TASKS && finish_one();) i++;
        clerk_run(700);
    }
    for (int32_t id = FIRST; id < clerk.pts - 8; id++)
        ck_assert_msg(seen[id].through, "%d was never handled", id);
    for (int32_t id = CHANNEL0; id < clerk.channel_pts - 8; id++)
        ck_assert_msg(seen[MOST + id].through, "7:%d was never handled", id);
    read_diary();
}

static void begin_lives(int seed, gap_journal_mode_t mode)
{
    static const struct sim_options shuffled = {.shuffle = true, .work_us = 300};

    memset(seen, 0, sizeof seen);
    dice.state = (uint64_t)seed + 77;
    clerk_world((uint64_t)seed + 1, seed % 3 == 0 ? NULL : &shuffled);
    clerk.mode = mode;
    clerk.through = on_through;
    clerk.pts = FIRST - 1;
    clerk.channel_pts = CHANNEL0 - 1;
}

START_TEST(random_lives)
{
    begin_lives(_i, _i % 4 == 3 ? GAP_JOURNAL_FULL : GAP_JOURNAL_LAZY);
    clerk_open();
    for (int i = 0; i < STEPS; i++) step();
    finish_all();
    clerk_end();
}
END_TEST

/* One allocation fails in the middle of a life. */
START_TEST(an_allocation_fails)
{
    begin_lives(_i % 7, GAP_JOURNAL_LAZY);
    starved = true;
    clerk_open();
    for (int i = 0; i < 40; i++) step();
    fault.fail_at = fault.calls + 1 + _i;
    for (int i = 0; i < 40; i++) step();
    fault.fail_at = 0;
    finish_all();
    clerk_end();
    starved = false;
}
END_TEST

/* Or while a life begins, with rows and done records on the disk. */
START_TEST(an_allocation_fails_at_the_start)
{
    begin_lives(3, _i % 2 == 0 ? GAP_JOURNAL_LAZY : GAP_JOURNAL_FULL);
    starved = true;
    clerk_open();
    for (int i = 0; i < 6; i++) push(false);
    (void)snprintf(clerk.later, sizeof clerk.later, "|11|13|");
    for (int i = 0; i < 6; i++) push(false);
    clerk_run(70);
    (void)gap_journal_write_all(clerk.journal);
    push(false);
    clerk_run(70);
    clerk_crash();
    fault.fail_at = fault.calls + 1 + _i;
    int r = clerk_try_open();
    ck_assert(r == 0 || r == GAP_E_NOMEM);
    fault.fail_at = 0;
    if (r < 0) {
        clerk_crash();
        clerk_open();
    }
    finish_all();
    clerk_end();
    starved = false;
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("journal_random");
    TCase *t = tcase_create("journal_random");
    tcase_add_loop_test(t, random_lives, 0, SEEDS);
    tcase_add_loop_test(t, an_allocation_fails, 0, FAULTS);
    tcase_add_loop_test(t, an_allocation_fails_at_the_start, 0, FAULTS / 2);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
