/*
 * outbox/row.c - rows that were read, whatever they were read from.
 */
#include "base/alloc.h"
#include "outbox/sql.h"

#include <string.h>

void gap_row_fini(struct gap_row *row)
{
    if (row->memory != NULL) gap_free(row->alloc, row->memory);
    memset(row, 0, sizeof *row);
}

void gap_row_view(const struct gap_row *row, gap_outbox_row_t *out)
{
    *out = (gap_outbox_row_t){.row = row->row,
                              .kind = (gap_outbox_kind_t)row->kind,
                              .urgency = row->urgency,
                              .state = row->state,
                              .chat = gap_outbox_peer(row->chat),
                              .random_id = row->random_id,
                              .message_id = row->message_id,
                              .attempts = row->attempts,
                              .not_before_us = row->not_before_us,
                              .deadline_us = row->deadline_us,
                              .done_us = row->done_us,
                              .error = row->error,
                              .reason = row->reason,
                              .key = row->key,
                              .post = row->post_key};
}

int64_t gap_row_waits_us(gap_outbox_state_t state, int64_t not_before_us, int64_t now_us)
{
    /* Only people may ask for any time that there is, and their rows are READY. */
    if (not_before_us <= now_us) return 0;
    if (state != GAP_OUTBOX_READY && not_before_us - now_us > 2 * GAP_OUTBOX_WAIT_MAX_US) return 0;
    return not_before_us;
}

void gap_claims_clear(struct gap_claims *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct gap_claim *claim = &c->claims[i];
        gap_row_fini(&claim->row);
        memset(&claim->head, 0, sizeof claim->head);
        claim->result = GAP_CLAIM_EMPTY;
        claim->until_us = 0;
    }
    for (size_t i = 0; i < c->aside_count; i++) gap_row_fini(&c->aside[i]);
    c->aside_count = 0;
    c->taken = 0;
}

void gap_claims_fini(struct gap_claims *c)
{
    gap_claims_clear(c);
    if (c->aside != NULL) gap_free(c->alloc, c->aside);
    c->aside = NULL;
    c->aside_cap = 0;
    c->count = 0;
}
