/*
 * bench/recover_objects.c - writes what the network of `recover` carries. Owns the bytes of the
 * pushes. What can't be written ends the program.
 */
#include "bench/recover_objects.h"

#include "base/bytes.h"
#include "bench/bench.h"

#include <gapless/tl_api.h>
#include <stdlib.h>
#include <string.h>

#define SENDER INT64_C(700000001)

static gap_tl_user_t sender(void)
{
    gap_tl_user_t u;

    memset(&u, 0, sizeof u);
    u.flags = GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_FIRST_NAME;
    u.id = SENDER;
    u.access_hash = 1;
    u.first_name = gap_str("Ada");
    return u;
}

/** A message with what it points to. */
struct message {
    gap_tl_message_t m;
    gap_tl_peer_user_t from;
    gap_tl_peer_user_t user;
    gap_tl_peer_channel_t channel;
};

static void fill(const struct trace *t, uint32_t i, struct message *x)
{
    uint16_t sequence = t->updates[i].sequence;

    memset(x, 0, sizeof *x);
    x->from.user_id = x->user.user_id = SENDER;
    x->channel.channel_id = recover_channel_id(sequence);
    x->m.flags = GAP_TL_MESSAGE_F_FROM_ID;
    x->m.id = (int32_t)i + 1;
    x->m.from_id = GAP_TL_OF(GAP_TL_PEER_USER, &x->from);
    x->m.peer_id = sequence == 0 ? GAP_TL_OF(GAP_TL_PEER_USER, &x->user)
                                 : GAP_TL_OF(GAP_TL_PEER_CHANNEL, &x->channel);
    x->m.date = RECOVER_DATE;
    x->m.message = gap_str("x");
}

/* Behind what @p out holds. */
static gap_bytes_t append(gap_buf_t *out, gap_tl_object_t object)
{
    int64_t size = gap_tl_size(object);

    bench_must(size < 0 ? (int)size : 0, "size of an object");
    bench_must(gap_buf_reserve(out, (size_t)size), "room for an object");
    int64_t used = gap_tl_write(object, out->data + out->len, (size_t)size);
    bench_must(used < 0 ? (int)used : 0, "writing an object");
    out->len += (size_t)used;
    return gap_bytes(out->data + out->len - used, (size_t)used);
}

/* The updates that arrive in one container, in its order: one, or two that were swapped. */
static void push(const struct trace *t, const uint32_t *which, uint32_t count, gap_buf_t *out)
{
    struct message messages[2];
    gap_tl_update_new_message_t common[2];
    gap_tl_update_new_channel_message_t channel[2];
    gap_tl_object_t updates[2];
    gap_tl_user_t user = sender();
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_USER, &user)};
    gap_tl_channel_t chat;
    gap_tl_chat_photo_empty_t photo;

    for (size_t k = 0; k < count; k++) {
        const struct trace_update *u = &t->updates[which[k]];
        fill(t, which[k], &messages[k]);
        gap_tl_object_t m = GAP_TL_OF(GAP_TL_MESSAGE, &messages[k].m);
        common[k] = (gap_tl_update_new_message_t){m, u->pts, u->count};
        channel[k] = (gap_tl_update_new_channel_message_t){m, u->pts, u->count};
        updates[k] = u->sequence == 0 ? GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &common[k])
                                      : GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &channel[k]);
    }
    uint16_t sequence = t->updates[which[0]].sequence;
    memset(&chat, 0, sizeof chat);
    memset(&photo, 0, sizeof photo);
    chat.flags = GAP_TL_CHANNEL_F_MEGAGROUP | GAP_TL_CHANNEL_F_ACCESS_HASH;
    chat.id = recover_channel_id(sequence);
    chat.access_hash = 1;
    chat.title = gap_str("c");
    chat.photo = GAP_TL_OF(GAP_TL_CHAT_PHOTO_EMPTY, &photo);
    chat.date = RECOVER_DATE;
    gap_tl_object_t chats[] = {GAP_TL_OF(GAP_TL_CHANNEL, &chat)};
    gap_tl_updates_t container = {gap_tl_array(updates, count), gap_tl_array(users, 1),
                                  gap_tl_array(chats, sequence == 0 ? 0 : 1),
                                  recover_date(t->updates[which[0]].sent_us), 0};
    (void)append(out, GAP_TL_OF(GAP_TL_UPDATES, &container));
}

static bool travel_together(const struct trace_update *a, const struct trace_update *b)
{
    return a->swapped && b->swapped && a->sequence == b->sequence && a->reaches_us == b->reaches_us;
}

void recover_pushes_make(struct recover_pushes *p, const struct trace *t)
{
    memset(p, 0, sizeof *p);
    gap_buf_init(&p->bytes, gap_alloc_default());
    p->list = malloc((t->arriving + 1) * sizeof *p->list);
    if (p->list == NULL) bench_fail(GAP_E_NOMEM, "what a trace pushes");
    for (uint32_t k = 0; k < t->arriving;) {
        uint32_t which[2] = {t->by_arrival[k++], 0};
        uint32_t count = 1;
        if (k < t->arriving &&
            travel_together(&t->updates[which[0]], &t->updates[t->by_arrival[k]]))
            which[count++] = t->by_arrival[k++];
        struct recover_push *one = &p->list[p->count++];
        one->at_us = t->updates[which[0]].arrives_us;
        one->begin = p->bytes.len;
        push(t, which, count, &p->bytes);
        one->len = p->bytes.len - one->begin;
    }
}

void recover_pushes_free(struct recover_pushes *p)
{
    free(p->list);
    gap_buf_fini(&p->bytes);
    memset(p, 0, sizeof *p);
}

static gap_bytes_t common_difference(const struct recover_answer *a, gap_tl_object_t *messages,
                                     gap_tl_object_t *named, int32_t pts, gap_buf_t *out)
{
    gap_tl_user_t user = sender();
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_USER, &user)};
    gap_tl_updates_state_t state = {pts, 0, a->date, 0, 0};
    gap_tl_updates_difference_t d = {.new_messages = gap_tl_array(messages, a->count),
                                     .other_updates = gap_tl_array(named, a->named_count),
                                     .users = gap_tl_array(users, 1),
                                     .state = GAP_TL_OF(GAP_TL_UPDATES_STATE, &state)};
    gap_tl_updates_difference_empty_t none = {a->date, 0};

    return append(out, a->count + a->named_count > 0
                           ? GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE, &d)
                           : GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &none));
}

static gap_bytes_t channel_difference(const struct recover_answer *a, gap_tl_object_t *messages,
                                      int32_t pts, gap_buf_t *out)
{
    gap_tl_user_t user = sender();
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_USER, &user)};
    gap_tl_updates_channel_difference_t d = {
        .flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL,
        .pts = pts,
        .new_messages = gap_tl_array(messages, a->count),
        .users = gap_tl_array(users, 1),
    };
    gap_tl_updates_channel_difference_empty_t none = {
        .flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL, .pts = pts};

    return append(out, a->count > 0 ? GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d)
                                    : GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &none));
}

gap_bytes_t recover_difference(const struct trace *t, const struct recover_answer *a,
                               gap_buf_t *out)
{
    static struct message messages[RECOVER_BATCH];
    static gap_tl_object_t objects[RECOVER_BATCH];
    gap_tl_update_channel_too_long_t hints[TRACE_SEQUENCES_MAX];
    gap_tl_object_t named[TRACE_SEQUENCES_MAX];
    int32_t pts = a->count == 0 ? a->pts : t->updates[a->which[a->count - 1]].pts;

    for (size_t k = 0; k < a->count; k++) {
        fill(t, a->which[k], &messages[k]);
        objects[k] = GAP_TL_OF(GAP_TL_MESSAGE, &messages[k].m);
    }
    out->len = 0;
    if (a->sequence != 0) return channel_difference(a, objects, pts, out);
    for (size_t k = 0; k < a->named_count; k++) {
        const struct trace_update *u = &t->updates[a->named[k]];
        hints[k] = (gap_tl_update_channel_too_long_t){.flags = GAP_TL_UPDATE_CHANNEL_TOO_LONG_F_PTS,
                                                      .channel_id = recover_channel_id(u->sequence),
                                                      .pts = u->pts};
        named[k] = GAP_TL_OF(GAP_TL_UPDATE_CHANNEL_TOO_LONG, &hints[k]);
    }
    return common_difference(a, objects, named, pts, out);
}

uint32_t recover_number(const gap_update_t *update)
{
    gap_tl_update_new_message_t news;
    gap_tl_message_t m;

    /* Both kinds have the same fields. */
    _Static_assert(sizeof news == sizeof(gap_tl_update_new_channel_message_t), "the same struct");
    bench_must(gap_update_read(update, gap_update_id(update), &news, sizeof news),
               "reading an update");
    int64_t used = GAP_TL_READ(news.message, GAP_TL_MESSAGE, &m);
    bench_must(used < 0 ? (int)used : 0, "reading a message");
    return (uint32_t)m.id - 1;
}
