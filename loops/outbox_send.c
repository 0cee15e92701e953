/*
 * loops/outbox_send.c - from a claimed row to its call.
 *
 *   claimed -> may it be made again? -> how are its peers addressed? -> call
 *               | \-> [PROBING]: has it happened?   \-> [FINDING]
 *               \-> parked
 *
 * The bytes of a call are made when it leaves, from the row: a peer's access hash belongs to the
 * account that is signed in now. What can't be handed to the connection is given back, and nothing
 * of it counts.
 *
 * The session never repeats such a call by itself (GAP_CALL_NO_RESEND): a repeat takes from the
 * buckets like any call, and what must not be repeated is not. One that had not left when the
 * connection went is given back; a burst of them behind the reconnect would break the limits.
 *
 * Never: makes a call twice; that is what the next claim of the row is for.
 */
#include "base/bytes.h"
#include "base/failpoint.h"
#include "loops/outbox_internal.h"

#include <stdio.h>
#include <string.h>

static void make(struct outbox_slot *slot);
static void ask(struct outbox_slot *slot);

/* ---- giving back ---- */

void outbox_slot_give_back(struct outbox_slot *slot, uint64_t pause_us)
{
    bool may = slot->row.begun;

    slot->state = SLOT_ENDED;
    slot->told = false;
    slot->outcome.reason[0] = 0;
    slot->finish = (struct gap_finish){
        .row = slot->row.row,
        .state = may             ? GAP_OUTBOX_UNKNOWN
                 : pause_us == 0 ? GAP_OUTBOX_READY
                                 : GAP_OUTBOX_SNOOZED,
        .uncounted = true,
        .not_before_us = pause_us == 0 ? 0 : outbox_now_us(slot->owner) + (int64_t)pause_us,
        .post_end = may ? GAP_POST_UNKNOWN : GAP_POST_AGAIN,
    };
    gap_loop_signal(slot->owner->rt, &slot->owner->loop);
}

/* ---- peers ---- */

static int address(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                   gap_tl_object_t *out)
{
    struct outbox_slot *slot = arg;
    const struct gap_outbox_hooks *h = &slot->owner->hooks;

    int r = h->address(h->arg, peer, storage, out);
    if (r == GAP_E_NOT_FOUND) slot->missing = peer;
    return r;
}

static bool is_chat_of(const struct outbox_slot *slot, gap_peer_t peer)
{
    gap_peer_t chat = gap_outbox_peer(slot->row.chat);
    return chat.kind == peer.kind && chat.id == peer.id;
}

/* Without it the row goes nowhere; if it is the chat itself, none of its rows does. */
static void not_found(struct outbox_slot *slot, const char *why)
{
    char line[GAP_REASON_BYTES];
    bool chat = is_chat_of(slot, slot->missing);

    (void)snprintf(line, sizeof line,
                   "%s %lld is not known to this account: let it see the chat or a message of it, "
                   "then release it%s%s",
                   chat ? "the chat" : "the peer", (long long)gap_outbox_mark(slot->missing),
                   why[0] == 0 ? "" : ": ", why);
    outbox_slot_park(slot, chat, GAP_E_NOT_FOUND, line);
}

/* The search itself failed. */
static void refused(struct outbox_slot *slot, const gap_found_peer_t *found)
{
    struct gap_outcome outcome;
    gap_result_t result = {.status = GAP_E_RPC, .rpc_code = 400, .rpc_name = found->rpc_name};
    const char *number = strrchr(found->rpc_name, '_');

    if (strncmp(found->rpc_name, "FLOOD", 5) == 0) result.rpc_code = 420;
    for (const char *p = number == NULL ? "" : number + 1; *p >= '0' && *p <= '9'; p++)
        if (result.rpc_value < INT32_MAX / 100)
            result.rpc_value = result.rpc_value * 10 + (*p - '0');
    gap_outbox_judge(&result, &slot->asked, &outcome);
    if (outcome.kind == GAP_OUTCOME_WAIT)
        outbox_slot_give_back(slot, (uint64_t)outcome.seconds * 1000000); /* not the row's limit */
    else if (outcome.kind == GAP_OUTCOME_RETRY || outcome.kind == GAP_OUTCOME_UNKNOWN)
        outbox_slot_give_back(slot, GAP_OUTBOX_PAUSE_US);
    else
        not_found(slot, found->rpc_name);
}

static void on_found(gap_client_t *client, const gap_found_peer_t *found, void *data)
{
    struct outbox_slot *slot = data;

    (void)client;
    slot->calling = false;
    gap_loop_signal(slot->owner->rt, &slot->owner->loop);
    if (slot->state == SLOT_OVER) outbox_slot_free(slot);
    if (slot->state != SLOT_FINDING) return;
    if (found->status == 0)
        slot->row.begun && slot->replay == GAP_REPLAY_PROBE ? ask(slot) : make(slot);
    else if (found->status == GAP_E_NOT_FOUND || found->status == GAP_E_ARGUMENT)
        not_found(slot, "");
    else if (found->status == GAP_E_RPC)
        refused(slot, found);
    else
        outbox_slot_give_back(slot, GAP_OUTBOX_PAUSE_US);
}

static void find(struct outbox_slot *slot)
{
    const struct gap_outbox_hooks *h = &slot->owner->hooks;

    if (slot->finds++ == GAP_OUTBOX_FINDS_MAX) {
        not_found(slot, "");
        return;
    }
    slot->state = SLOT_FINDING;
    int r = h->find(h->arg, slot->missing, on_found, slot);
    if (r < 0)
        outbox_slot_give_back(slot, GAP_OUTBOX_PAUSE_US);
    else
        slot->calling = true;
}

/* ---- calls ---- */

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    (void)client;
    outbox_slot_answer(data, result);
}

static void call(struct outbox_slot *slot, bool probe)
{
    gap_outbox_t *ob = slot->owner;
    gap_tl_object_t query = {ob->query.data, ob->query.len, NULL, gap_load32(ob->query.data)};

    GAP_FAILPOINT("outbox.call.before");
    int r = ob->hooks.call(ob->hooks.arg, query, on_answer, slot);
    GAP_FAILPOINT("outbox.call.after");
    if (r < 0) {
        outbox_slot_give_back(slot, r == GAP_E_CLOSED ? 0 : GAP_OUTBOX_PAUSE_US);
        return;
    }
    slot->calling = true;
    slot->server_asked = probe;
    slot->state = probe ? SLOT_PROBING : SLOT_CALLING;
    if (!slot->left) gap_schedule_sent(&ob->schedule, slot->row.chat, outbox_now_us(ob));
    slot->left = true;
    if (slot->row.begun && !probe) ob->stats.repeated++;
}

/* @return 0 ob->query holds it; else the row has come to something. */
static int prepare(struct outbox_slot *slot, bool probe)
{
    gap_outbox_t *ob = slot->owner;
    const struct gap_request request = {
        .chat = gap_outbox_peer(slot->row.chat),
        .random_id = slot->row.random_id,
        .target = slot->row.target,
        .address = address,
        .arg = slot,
    };

    if (!outbox_claims(ob)) {
        outbox_slot_give_back(slot, 0);
        return GAP_E_STATE;
    }
    slot->missing = (gap_peer_t){0, GAP_PEER_NONE};
    gap_buf_clear(&ob->query);
    int r = gap_item_unpack(slot->row.payload, &ob->item);
    if (r < 0) {
        outbox_slot_park(slot, false, r, gap_item_reason(r));
        return r;
    }
    r = probe ? gap_outbox_probe_query(&request, &ob->item.item, &ob->query)
              : gap_outbox_query(&request, &ob->item.item, &ob->query);
    if (r == GAP_E_NOT_FOUND && slot->missing.kind != GAP_PEER_NONE)
        find(slot);
    else if (r == GAP_E_NOMEM)
        outbox_slot_give_back(slot, GAP_OUTBOX_PAUSE_US);
    else if (r == GAP_E_STATE)
        outbox_slot_park(slot, false, r,
                         "the row whose message this one is about has none: it was not sent");
    else if (r < 0 && !(probe && r == GAP_E_NOT_FOUND))
        outbox_slot_park(slot, false, r, "no call can be made of what is in this row");
    return r;
}

static void make(struct outbox_slot *slot)
{
    if (prepare(slot, false) == 0) call(slot, false);
}

/* Has it happened? The server can be asked about some kinds, the host about others. */
static void ask(struct outbox_slot *slot)
{
    gap_outbox_t *ob = slot->owner;
    gap_outbox_row_t told;

    int r = prepare(slot, true);
    if (r == 0) {
        call(slot, true);
        return;
    }
    if (r != GAP_E_NOT_FOUND || slot->missing.kind != GAP_PEER_NONE) return;
    slot->server_asked = false;
    slot->state = SLOT_PROBING;
    outbox_row_of(slot, &told);
    if (!ob->hooks.probe(ob->hooks.arg, &told, ob->item.item.query) && slot->state == SLOT_PROBING)
        outbox_slot_park(
            slot, false, 0,
            "it may have been done already, and nobody can say: see for yourself, then "
            "retry or cancel it");
}

void outbox_slot_probed(struct outbox_slot *slot, bool happened)
{
    const struct gap_outcome sent = {.kind = GAP_OUTCOME_SENT};

    if (happened)
        outbox_slot_end(slot, &sent);
    else
        make(slot);
}

/* ---- the beginning ---- */

/* A limit that the schedule did not look at: of a post it knows what it calls now, of others it was
 * learned while the claim was under way. */
static bool is_held(struct outbox_slot *slot)
{
    gap_outbox_t *ob = slot->owner;
    int64_t now_us = outbox_now_us(ob);
    int64_t until_us =
        gap_gate_until(&ob->limits.gates, slot->method, slot->row.chat, now_us, NULL);

    if (until_us <= now_us) return false;
    outbox_slot_give_back(slot, (uint64_t)(until_us - now_us));
    return true;
}

void outbox_slot_begin(struct outbox_slot *slot)
{
    gap_outbox_t *ob = slot->owner;
    const struct gap_row *row = &slot->row;
    gap_peer_kind_t chat = gap_outbox_peer(row->chat).kind;

    slot->state = SLOT_CALLING;
    slot->left = slot->calling = slot->server_asked = false;
    slot->finds = 0;
    slot->gate_count = 0;
    slot->named = outbox_unknown_take(ob, row->row);
    int r = gap_item_unpack(row->payload, &ob->item);
    if (r < 0) {
        outbox_slot_park(slot, false, r, gap_item_reason(r));
        return;
    }
    const gap_outbox_item_t *item = &ob->item.item;
    slot->replay = gap_outbox_replay(item);
    slot->method = gap_outbox_method(item->kind, chat, gap_item_raw_method(row->payload));
    slot->is_named = row->random_id != 0 && gap_outbox_is_named(item);
    gap_outbox_asked(item, row->random_id, row->target, row->begun, &slot->asked);
    if (slot->named != 0)
        gap_loop_signal(ob->rt, &ob->loop);
    else if (row->begun && slot->replay == GAP_REPLAY_NEVER)
        outbox_slot_park(slot, false, 0, GAP_OUTBOX_MAYBE);
    else if (row->begun && slot->replay == GAP_REPLAY_PROBE)
        ask(slot);
    else if (!is_held(slot))
        make(slot);
}
