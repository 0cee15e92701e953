/*
 * loops/outbox_open.c - what the tables held when the outbox was opened: buckets and gates, so that
 * a restart never gives a second burst, and rows that may have been sent.
 *
 * The tables tell it on the writer thread, perhaps more than once; it is collected, and taken over
 * when that commit is on disk. Owns what is collected.
 */
#include "base/alloc.h"
#include "loops/outbox_internal.h"

#include <string.h>

static int note_chat(void *arg, const struct gap_chat_state *chat)
{
    struct outbox_opening *o = arg;

    if (chat->chat == GAP_OUTBOX_CHAT_ACCOUNT && chat->parked) o->bulk_stopped = true;
    if (!chat->has_bucket) return 0;
    if (o->bucket_count == o->bucket_cap) {
        size_t cap = o->bucket_cap == 0 ? 64 : 2 * o->bucket_cap;
        struct outbox_bucket *grown = gap_realloc(o->alloc, o->buckets, cap * sizeof *grown);
        if (grown == NULL) return GAP_E_NOMEM;
        o->buckets = grown;
        o->bucket_cap = cap;
    }
    o->buckets[o->bucket_count++] = (struct outbox_bucket){chat->chat, chat->tokens};
    return 0;
}

static int note_gate(void *arg, const struct gap_gate_row *gate)
{
    struct outbox_opening *o = arg;

    if (o->gate_count == GAP_GATES_MAX) return 0; /* the server will say so again */
    o->gates[o->gate_count++] = (struct gap_gate){gate->chat, gate->until_us, gate->method};
    return 0;
}

/* Does one updateMessageID say that it was sent? Others may have several random_ids, and a post
 * that is edited has that of its first sending. */
static bool is_named(const struct gap_head *head)
{
    if (head->kind == GAP_OUTBOX_POST) return head->target == 0;
    return head->kind == GAP_OUTBOX_SEND || head->kind == GAP_OUTBOX_MEDIA;
}

static int note_unknown(void *arg, const struct gap_head *head)
{
    struct outbox_opening *o = arg;

    if (o->unknown_count == GAP_OUTBOX_UNKNOWN_MAX || !is_named(head)) return 0; /* repeated */
    o->unknown[o->unknown_count++] = (struct outbox_unknown){
        .row = head->row, .random_id = head->random_id, .chat = head->chat, .kind = head->kind};
    return 0;
}

struct outbox_opening *outbox_opening_new(gap_outbox_t *ob)
{
    struct outbox_opening *o = gap_calloc(ob->alloc, 1, sizeof *o);

    if (o == NULL) return NULL;
    o->alloc = ob->alloc;
    o->db = (struct gap_outdb_opening){
        .epoch = ob->epoch,
        .now_us = outbox_wall_us(ob),
        .account = ob->config.account,
        .user = ob->config.user,
        .group = ob->config.group,
        .full_before_us = gap_limits_full_before(&ob->limits, outbox_now_us(ob)),
        .chat = note_chat,
        .gate = note_gate,
        .unknown = note_unknown,
        .arg = o,
    };
    return o;
}

void outbox_opening_free(struct outbox_opening *o)
{
    if (o == NULL) return;
    gap_free(o->alloc, o->buckets);
    gap_free(o->alloc, o);
}

int outbox_opening_run(struct outbox_opening *o, struct sqlite3 *db)
{
    o->bucket_count = o->gate_count = o->unknown_count = 0;
    o->bulk_stopped = false;
    return gap_outdb_open(db, &o->db);
}

int outbox_opening_take(gap_outbox_t *ob, const struct outbox_opening *o)
{
    int64_t now_us = outbox_now_us(ob);

    for (size_t i = 0; i < o->bucket_count; i++) {
        int r = gap_limits_load(&ob->limits, o->buckets[i].chat, o->buckets[i].millionths, now_us);
        if (r == GAP_E_NOMEM) return r;
    }
    for (size_t i = 0; i < o->gate_count; i++) {
        struct gap_gate gate = o->gates[i];
        gate.until_us = gap_steady_from_wall(&ob->steady, gate.until_us);
        int r = gap_gates_load(&ob->limits.gates, &gate, now_us);
        if (r < 0) return r;
    }
    ob->unknown_count = 0;
    for (size_t i = 0; i < o->unknown_count; i++) outbox_unknown_add(ob, &o->unknown[i]);
    gap_limits_stop_bulk(&ob->limits, o->bulk_stopped);
    ob->last_row = o->db.last_row;
    ob->wanted_all = ob->wanted = true;
    return 0;
}
