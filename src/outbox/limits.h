/*
 * outbox/limits.h - may this call leave now, and if not, when: the account's bucket, one for each
 * chat, gates, and bulk that was stopped.
 *
 * Every call of an outbox takes one from the account's bucket and one from its chat's, whatever it
 * does: sends, edits, repeats of calls whose answer was lost. Urgent classes find something in the
 * account's bucket even under load, because others leave gap_limits_keep() calls in it; nobody gets
 * more than its rate. Chats are the marked ids of gapless/outbox.h; 0 (calls that are about no
 * chat) has no bucket of its own, and INT64_MIN is no chat.
 *
 * A chat whose bucket is full is not kept: there is nothing to know about it. At most
 * GAP_LIMITS_CHATS_MAX are in memory. For one more the oldest is forgotten before it is full, and
 * until it would have been, chats that are not known wait: too slow rather than too fast.
 *
 * Times are those of gap_steady. Pure.
 */
#ifndef GAP_OUTBOX_LIMITS_H
#define GAP_OUTBOX_LIMITS_H

#include "outbox/bucket.h"
#include "outbox/gates.h"

#include <sys/queue.h>

#define GAP_LIMITS_CHATS_MAX 65536
/** gap_limits_take(): the account's bucket or the chat's has nothing. */
#define GAP_LIMITS_WAIT 1

struct gap_limits_chat;
TAILQ_HEAD(gap_limits_chats, gap_limits_chat);

struct gap_limits {
    const gap_alloc_t *alloc;
    struct gap_rate account_rate;
    struct gap_rate user_rate;
    struct gap_rate group_rate;
    struct gap_bucket account;
    gap_map_t map; /* chat -> struct gap_limits_chat */
    gap_pool_t pool;
    struct gap_limits_chats chats; /* the oldest look first */
    size_t chats_max;
    int64_t opened_us;
    int64_t bare_until_us; /* chats that are not known wait */
    struct gap_gates gates;
    bool bulk_stopped;
};

/** Nobody was here before: buckets are full, gates open.
 * @param config  Its three rates; NULL: the defaults. */
void gap_limits_init(struct gap_limits *l, const gap_alloc_t *alloc,
                     const gap_outbox_config_t *config, int64_t now_us);
/** Safe twice. */
void gap_limits_fini(struct gap_limits *l);
/** A bucket as it was stored, before the first take. @param chat 0: the account's. @param
 * millionths As gap_limits_store gave it; any number. @return 0; GAP_E_NOMEM; GAP_E_ARGUMENT no
 * such chat. */
GAP_NODISCARD int gap_limits_load(struct gap_limits *l, int64_t chat, int64_t millionths,
                                  int64_t now_us);
/** Forget the chats whose buckets are full: when there is nothing to do. O(chats). */
void gap_limits_trim(struct gap_limits *l, int64_t now_us);
/** PEER_FLOOD was said, or people have seen to it. Also at the start, as stored. */
void gap_limits_stop_bulk(struct gap_limits *l, bool stopped);

/** Take one call from the account's bucket, leaving @p keep, and one from the chat's.
 * @return 0; GAP_LIMITS_WAIT, GAP_E_NOMEM, GAP_E_ARGUMENT nothing was taken. */
GAP_NODISCARD int gap_limits_take(struct gap_limits *l, int64_t chat, uint32_t keep,
                                  int64_t now_us);
/** It leaves now. Once for each take, unless gap_limits_back. */
void gap_limits_sent(struct gap_limits *l, int64_t chat, int64_t now_us);
/** It does not leave. */
void gap_limits_back(struct gap_limits *l, int64_t chat, int64_t now_us);
/** What is to be stored with the claim, after take: millionths of a call, with now_us.
 * @param chat 0: the account's. */
int64_t gap_limits_store(struct gap_limits *l, int64_t chat, int64_t now_us);
/** Buckets stored before this are full and need not be stored any longer (rows of the account and
 * of parked chats excepted). INT64_MIN: none, or it can't be said while calls that were taken have
 * not left. */
int64_t gap_limits_full_before(const struct gap_limits *l, int64_t now_us);

/** When the chat lets such a call pass: its bucket and gates. @return at most @p now_us: now. */
int64_t gap_limits_chat_when(struct gap_limits *l, int64_t chat, uint32_t method, int64_t now_us);
/** When the account's bucket lets a call pass and keeps @p keep. @return as above. */
int64_t gap_limits_account_when(struct gap_limits *l, uint32_t keep, int64_t now_us);
/** What a class leaves in the account's bucket for those more urgent: replies nothing, edits a
 * fifth of burst, bulk two fifths. */
uint32_t gap_limits_keep(const struct gap_limits *l, gap_outbox_class_t urgency);
/** The rate of a chat by its id. @param chat Not 0. */
const struct gap_rate *gap_limits_rate(const struct gap_limits *l, int64_t chat);

#endif
