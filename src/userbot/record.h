/*
 * userbot/record.h - one event, as a line of the ledger or of the userbot's own output: both have
 * the same fields.
 */
#ifndef GAP_USERBOT_RECORD_H
#define GAP_USERBOT_RECORD_H

#include "userbot/json.h"

enum record_kind {
    RECORD_OTHER = 0,
    RECORD_NEW_MESSAGE,
    RECORD_EDIT_MESSAGE,
    RECORD_DELETE_MESSAGES,
    RECORD_PIN,
    RECORD_READ,
    RECORD_QTS,
    RECORD_CALLBACK_QUERY,
    RECORD_STATUS,
    /* lines of the ledger that are not events */
    RECORD_PUSH,
    RECORD_DIFFERENCE,
    RECORD_CALL,
};

enum record_fate { FATE_NONE = 0, FATE_SENT, FATE_DROPPED, FATE_LATE, FATE_TWICE };

typedef struct record {
    int64_t n;
    int64_t account; /* 0: null or absent */
    uint64_t box;    /* hash of the box's name */
    uint64_t chat;   /* hash of the chat's name, 0 = none */
    uint64_t text;   /* hash, 0 = none */
    uint64_t name;   /* hash of the qts constructor, or of a call's method */
    int64_t id;
    int64_t max_id;
    int64_t query_id;
    int64_t t_us;
    int64_t *ids; /* malloc'd, id_count of them */
    uint32_t id_count;
    int32_t pts;
    int32_t pts_count;
    uint8_t kind; /* enum record_kind */
    uint8_t fate; /* enum record_fate */
    bool pinned;
    bool outbox;
    bool is_channel_box;
    bool maybe_repeated;
    bool by_push; /* via push */
    bool is_difference_call;
} record_t;

/** Parse a line. `folded` of a difference line goes to ids. @return 0; GAP_E_ARGUMENT malformed;
 * GAP_E_NOMEM. */
GAP_NODISCARD int record_parse(const char *line, size_t len, record_t *out);
/** Free ids; safe twice. */
void record_fini(record_t *r);

#endif
