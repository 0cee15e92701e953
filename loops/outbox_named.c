/*
 * loops/outbox_named.c - updateMessageID: which message a random_id has become. It comes with the
 * answer of a call, as an update, or, after the answer was lost, by a difference.
 *
 * Owns the table of rows that may have been sent and wait for their turn. Never: stores anything.
 */
#include "loops/outbox_internal.h"

#include <string.h>

void outbox_unknown_add(gap_outbox_t *ob, const struct outbox_unknown *row)
{
    (void)outbox_unknown_take(ob, row->row);
    if (row->random_id == 0 || ob->unknown_count == GAP_OUTBOX_UNKNOWN_MAX) return;
    ob->unknown[ob->unknown_count++] = *row;
}

int32_t outbox_unknown_take(gap_outbox_t *ob, int64_t row)
{
    for (size_t i = 0; i < ob->unknown_count; i++) {
        if (ob->unknown[i].row != row) continue;
        int32_t message_id = ob->unknown[i].message_id;
        ob->unknown[i] = ob->unknown[--ob->unknown_count];
        return message_id;
    }
    return 0;
}

void outbox_end_named(gap_outbox_t *ob)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) {
        struct outbox_slot *slot = &ob->slots[i];
        bool waits = slot->state > SLOT_TAKEN && slot->state < SLOT_ENDED;
        if (slot->named == 0 || !waits) continue;
        const struct gap_outcome sent = {.kind = GAP_OUTCOME_SENT, .message_id = slot->named};
        outbox_slot_end(slot, &sent);
    }
}

static bool bears(const struct outbox_slot *slot, int64_t random_id)
{
    bool in_hand = slot->state > SLOT_TAKEN && slot->state < SLOT_OVER;

    return in_hand && slot->row.random_id == random_id && slot->is_named;
}

/* Rows of several chats that were given the same one: each answer is about its own, and a repeat
 * gets its chat's message, but an update may be about any of them. */
static void forget_shared(gap_outbox_t *ob, int64_t random_id)
{
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++)
        if (bears(&ob->slots[i], random_id)) ob->slots[i].is_named = false;
    for (size_t i = ob->unknown_count; i > 0; i--)
        if (ob->unknown[i - 1].random_id == random_id)
            ob->unknown[i - 1] = ob->unknown[--ob->unknown_count];
}

void gap_outbox_named(gap_outbox_t *ob, int64_t random_id, int32_t message_id)
{
    int32_t *named = NULL;
    unsigned bearers = 0;

    if (random_id == 0 || message_id <= 0) return;
    for (size_t i = 0; i < GAP_OUTBOX_FLIGHT_MAX; i++) {
        if (!bears(&ob->slots[i], random_id)) continue;
        named = &ob->slots[i].named;
        bearers++;
    }
    for (size_t i = 0; i < ob->unknown_count; i++) {
        if (ob->unknown[i].random_id != random_id) continue;
        named = &ob->unknown[i].message_id;
        bearers++;
    }
    if (bearers > 1) forget_shared(ob, random_id);
    if (bearers != 1) return;
    *named = message_id;
    gap_loop_signal(ob->rt, &ob->loop);
}
