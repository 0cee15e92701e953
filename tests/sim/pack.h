/*
 * tests/sim/pack.h - builds Updates objects, differences and results for the engine's tests, by
 * hand and readably. A pack is filled, then closed into a packet, which empties it.
 *
 * Message ids double as labels in the traces. The private chat is with user PACK_USER, who comes
 * along in every container unless `lonely` is set; so do the channels that are used.
 */
#ifndef GAP_TESTS_SIM_PACK_H
#define GAP_TESTS_SIM_PACK_H

#include <gapless/tl_api.h>

#define PACK_USER 42
#define PACK_DATE 1700000000

struct pack {
    struct {
        uint8_t *data;
        size_t len;
        size_t cap;
        uint32_t count;
    } updates, messages, users, chats;
    bool lonely;      /* nobody comes along */
    bool out;         /* messages are sent by the account */
    int32_t top;      /* top_message of a channel's TOO_LONG */
    const char *text; /* of messages; NULL: "hello" */
    int32_t later;    /* seconds after PACK_DATE at which containers and differences are made */
};

void pack_fini(struct pack *p);

/* updates */
void pack_message(struct pack *p, int32_t pts, int32_t count, int32_t id, int64_t from);
void pack_edit(struct pack *p, int32_t pts, int32_t count, int32_t id);
void pack_delete(struct pack *p, int32_t pts, int32_t count, int32_t first_id);
void pack_channel_message(struct pack *p, int64_t channel, int32_t pts, int32_t count, int32_t id);
void pack_channel_edit(struct pack *p, int64_t channel, int32_t pts, int32_t count, int32_t id);
void pack_channel_read(struct pack *p, int64_t channel, int32_t pts, int32_t max_id);
void pack_too_long(struct pack *p, int64_t channel, int32_t pts); /* 0: without */
void pack_qts(struct pack *p, int32_t qts, int64_t label);        /* updateBotStopped */
void pack_query(struct pack *p, int64_t query_id);
void pack_status(struct pack *p, int64_t user);
void pack_typing(struct pack *p, int64_t user);
void pack_message_id(struct pack *p, int32_t id);
void pack_pts_changed(struct pack *p);
void pack_unknown(struct pack *p); /* of a constructor that nobody knows */
void pack_unknown_user(struct pack *p);
/* messages of a difference */
void pack_new(struct pack *p, int32_t id);
void pack_channel_new(struct pack *p, int64_t channel, int32_t id);
void pack_new_empty(struct pack *p, int32_t id);
/* who comes along */
void pack_user(struct pack *p, int64_t id, bool min);
void pack_channel(struct pack *p, int64_t id);

/* Updates */
gap_packet_t *pack_updates(struct pack *p, int32_t seq);
gap_packet_t *pack_combined(struct pack *p, int32_t seq_start, int32_t seq);
gap_packet_t *pack_short(struct pack *p);
gap_packet_t *pack_short_message(int32_t pts, int32_t id, int64_t user);
gap_packet_t *pack_short_sent(int32_t pts, int32_t id);
gap_packet_t *pack_updates_too_long(void);
/* answers */
gap_packet_t *pack_state(int32_t pts, int32_t qts, int32_t seq);
gap_packet_t *pack_difference(struct pack *p, int32_t pts, int32_t qts, int32_t seq);
gap_packet_t *pack_slice(struct pack *p, int32_t pts, int32_t qts, int32_t seq);
gap_packet_t *pack_empty(int32_t seq);
gap_packet_t *pack_difference_too_long(int32_t pts);
gap_packet_t *pack_channel_difference(struct pack *p, int32_t pts, bool final);
gap_packet_t *pack_channel_empty(int32_t pts);
gap_packet_t *pack_channel_too_long(struct pack *p, int64_t channel, int32_t pts);
gap_packet_t *pack_channel_full(int64_t channel, int32_t pts);
/** Answer of messages.getHistory and channels.getMessages, or with channel 0 of
 * messages.getMessages: the messages of a difference. */
gap_packet_t *pack_history(struct pack *p, int64_t channel);
gap_packet_t *pack_affected(int32_t pts, int32_t count);
gap_packet_t *pack_garbage(void); /* of an unknown constructor */
/* queries, for gap_engine_result */
gap_packet_t *pack_send_message(int64_t user, int64_t random_id);
gap_packet_t *pack_channel_delete(int64_t channel);

/* anything else: an object as a packet; an update into the pack */
gap_packet_t *pack_object(uint32_t id, const void *value);
void pack_update(struct pack *p, uint32_t id, const void *value);

/** The access hash of everybody. */
int64_t pack_hash(int64_t id);

#endif
