/*
 * dc/model_rules.h - what the simulated world forbids those who write: roles in chats, slow mode,
 * blocked accounts, and how often an account may call a method. Part of dc/model.h.
 */
#ifndef GAP_DC_MODEL_RULES_H
#define GAP_DC_MODEL_RULES_H

#include <gapless/base.h>

/** Flood rules of a world; one more is refused. */
#define DC_FLOOD_RULES_MAX 16
/** Methods that share the buckets of one flood rule. */
#define DC_FLOOD_METHODS_MAX 8
/** Settings of channels in dc_options_t. */
#define DC_HOUSE_RULES_MAX 32

/** What an account may do in a channel or basic group. */
typedef enum dc_role {
    DC_ROLE_UNSET,  /* member where there is slow mode, else admin */
    DC_ROLE_ADMIN,  /* everything, without slow mode */
    DC_ROLE_MEMBER, /* write, but not in a broadcast; edit and delete its own; never pin */
    DC_ROLE_READER  /* read */
} dc_role_t;

/** One setting of one channel (counted from 1), or with 0 of all: slow mode of all supergroups. */
typedef struct dc_house_rule {
    uint32_t channel;
    uint32_t slow_s;
    dc_role_t role;
    bool is_role; /* it sets the role of all accounts; else slow mode */
} dc_house_rule_t;

typedef enum dc_flood_scope {
    DC_FLOOD_ACCOUNT, /* one bucket for all calls of an account */
    DC_FLOOD_EACH,    /* one for each chat */
    DC_FLOOD_CHAT     /* one for calls about one chat; the others are free */
} dc_flood_scope_t;

/**
 * How often an account may call. A bucket holds `limit` tokens and gets as many in `seconds`; a
 * call takes one, a call that forwards one for each message. Whoever finds too few gets
 * FLOOD_WAIT_X with the whole seconds until there are enough; with wait_s the bucket closes for so
 * long and X is what is left of that. A call that a rule refuses takes nothing from any bucket.
 */
typedef struct dc_flood_rule {
    uint32_t methods[DC_FLOOD_METHODS_MAX]; /* ids */
    uint32_t method_count;                  /* 0: all methods of the model */
    dc_flood_scope_t scope;
    uint8_t chat_type;   /* DC_FLOOD_CHAT: dc_peer_type_t, */
    uint32_t chat_index; /* and which one of its kind, from 0 */
    uint32_t limit;
    uint32_t seconds;
    uint32_t wait_s;    /* 0: until there is a token */
    bool is_peer_flood; /* the error is 400 PEER_FLOOD, which says nothing about time */
} dc_flood_rule_t;

/**
 * Read a rule: METHOD[+METHOD...]:SCOPE:LIMIT/SECONDS[:WAIT|:peer-flood]. METHOD may be *, SCOPE is
 * *, each, user:N, group:N or channel:N.
 * @param text  Borrowed.
 * @return 0; GAP_E_ARGUMENT with *expected set to what belongs there (static).
 */
GAP_NODISCARD int dc_flood_rule_parse(gap_bytes_t text, dc_flood_rule_t *out,
                                      const char **expected);

#endif
