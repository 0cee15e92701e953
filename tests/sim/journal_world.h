/*
 * tests/sim/journal_world.h - a small virtual world around one journal: the real store loop with a
 * storage in memory, the real engine, and a clerk who stands for the runner: he calls handlers as
 * journal.h says, and keeps a diary of what they were called with. A crash takes everything away
 * but what was on the disk.
 *
 * The diary has one word an update: "11", with the channel before it "7:51", "edit:12", "q5" for a
 * query, "q3" for qts; behind it "~" if it may have come before, "!" if it came from the journal,
 * "?" if it is tried alone.
 */
#ifndef GAP_TESTS_SIM_JOURNAL_WORLD_H
#define GAP_TESTS_SIM_JOURNAL_WORLD_H

#include "base/packet.h"
#include "loops/journal.h"
#include "sequence/update.h"
#include "pack.h"
#include "pack.h"
#include "store_world.h"

#define CLERK_TASKS 1024

struct clerk_task {
    struct gap_journal_entry entry;
    gap_update_t *node;   /* the engine's; NULL: from the journal */
    gap_update_t update;  /* from the journal */
    gap_packet_t *packet; /* its bytes */
    char label[64];
    uint32_t attempts;
    bool used;
    bool running;
};

struct clerk {
    gap_engine_t *engine;
    gap_journal_t *journal;
    struct clerk_task *tasks;
    char later[512]; /* handlers that go on until clerk_finish: "|11|7:51|"; "*": all */
    char diary[8192];
    uint32_t replayed;
    int replay_status;
    uint32_t room; /* rows that are taken back at a time; 0: all */
    uint32_t taken;
    uint32_t lost;
    char lost_reason[160];
    uint32_t behind; /* GAP_EVENT_BEHIND */
    bool closed;
    bool silent; /* nothing is collected any more: it is dead */
    gap_journal_mode_t mode;
    bool keep_waiting; /* attempts are not begun: tasks wait in a lane */
    /** Called in each handler; may be NULL. */
    void (*handled)(struct clerk_task *task);
    /** Called when an update has been handled; may be NULL. */
    void (*through)(const char *label);
    /* the server */
    struct {
        int64_t channel; /* 0: common */
        gap_packet_t *packet;
    } answers[32];
    size_t answer_count;
    struct {
        gap_answer_cb cb;
        void *arg;
        int64_t channel;
        int32_t pts; /* asked from */
    } calls[32];
    size_t call_count;
    uint32_t questions;
    /** Where the server stands: it tells every message since. 0: it answers as it was told. */
    int32_t pts;
    int32_t channel_pts;
};

extern struct clerk clerk;
extern struct pack packed;

/** A world with an empty disk, account at pts 10, qts 5, channel 7 at 50. */
void clerk_world(uint64_t seed, const struct sim_options *options);
/** Open store, journal and engine with what is on the disk; rows are handed out; the engine starts,
 * and is told what clerk_answer was given (nothing: an empty difference). */
void clerk_open(void);
/** The same; handlers of these labels, each in bars, go on later. */
void clerk_open_with(const char *later);
/** Loops in another order, work that takes time. */
extern const struct sim_options clerk_shuffled;
/** A world and its first opening. Seed 0: loops in their order; others shuffled, work takes time.
 */
void clerk_begin(int seed, const char *later);
/** The same without waiting for anything. @return what failed first. */
int clerk_try_open(void);
/** Nothing is left but the disk. */
void clerk_crash(void);
/** An end in order: what is unfinished is dropped by the handlers. */
void clerk_close(void);
void clerk_end(void);

void clerk_run(uint64_t ms);
/** Pushes. */
void clerk_feed(void);
void clerk_message(int32_t pts);
/** One of each pts. */
void clerk_messages(int32_t first, int32_t last);
/** An answer with these messages, which ends at the last one. */
gap_packet_t *clerk_difference(int32_t first, int32_t last);
void clerk_channel(int32_t pts);
void clerk_answer(int64_t channel, gap_packet_t *packet);
/** The handler is through. */
void clerk_finish(const char *label);
struct clerk_task *clerk_task(const char *label);
/** Compare the diary, and begin a new one. */
#define clerk_expect(text)                                                                         \
    do {                                                                                           \
        ck_assert_str_eq(clerk.diary, (text));                                                     \
        clerk.diary[0] = 0;                                                                        \
    } while (0)

/** What is on the disk: "pts/channel 7's pts; rows: number of attempts of each; done; dead". */
struct clerk_disk {
    int32_t pts;
    int32_t channel_pts;
    uint32_t rows;
    uint32_t attempts[64];
    uint64_t numbers[64];
    uint32_t done;
    uint32_t dead;
    uint32_t dead_attempts;
    char dead_reason[160];
    uint64_t dead_number;
};
struct clerk_disk clerk_disk(void);
/** Call @p each with the label of every row on the disk. */
void clerk_rows(void (*each)(const char *label));
/** @return true: everything that has been put is on the disk. */
bool clerk_flush(void);
/** Change the bytes of every row on the disk; while nothing is open. */
void clerk_spoil(void (*change)(uint8_t *data, size_t *len));

#endif
