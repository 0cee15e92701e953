/*
 * tests/unit/send_world.h - one small world, one account in it, and calls written by hand: what
 * the tests of sending share.
 */
#ifndef GAP_TESTS_SEND_WORLD_H
#define GAP_TESTS_SEND_WORLD_H

#include "tests/check_main.h"

#include "base/bytes.h"
#include "dc/ledger.h"
#include "dc/model.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

#define SEND_BOT      5555
#define SEND_PERSON   DC_PERSON_ID_FIRST
#define SEND_USER     DC_USER_ID_FIRST
#define SEND_CHANNEL  DC_CHANNEL_ID_FIRST       /* a supergroup */
#define SEND_POSTS    (DC_CHANNEL_ID_FIRST + 3) /* a broadcast */
#define SEND_START_US 1700000000000000

/** An account's view of the world, with the peers it writes to. */
struct send_world {
    dc_model_t *m;
    dc_view_t view;
    int64_t now_us;
    dc_answer_t answer;
    gap_buf_t request;
    gap_tl_input_peer_user_t user_peer;
    gap_tl_input_peer_chat_t group_peer;
    gap_tl_input_peer_channel_t channel_peer;
    gap_tl_input_peer_channel_t posts_peer;
    gap_tl_input_channel_t channel_input;
    gap_tl_object_t to_user;
    gap_tl_object_t to_group;
    gap_tl_object_t to_channel;
    gap_tl_object_t to_posts;
};

static inline dc_options_t send_options(void)
{
    dc_options_t o;

    dc_options_init(&o);
    o.channels = 4;
    o.users = 3;
    o.groups = 2;
    return o;
}

/** Look through the eyes of another account, which exists. */
static inline void send_as(struct send_world *w, int64_t account, int64_t group)
{
    w->view = (dc_view_t){account, 227, 0};
    w->user_peer.user_id = SEND_USER;
    w->user_peer.access_hash = dc_model_access_hash(w->m, account, (dc_peer_t){DC_USER, SEND_USER});
    w->group_peer.chat_id = group;
    w->channel_peer.channel_id = w->channel_input.channel_id = SEND_CHANNEL;
    w->channel_peer.access_hash = w->channel_input.access_hash =
        dc_model_access_hash(w->m, account, (dc_peer_t){DC_CHANNEL, SEND_CHANNEL});
    w->posts_peer.channel_id = SEND_POSTS;
    w->posts_peer.access_hash =
        dc_model_access_hash(w->m, account, (dc_peer_t){DC_CHANNEL, SEND_POSTS});
    w->to_user = GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &w->user_peer);
    w->to_group = GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &w->group_peer);
    w->to_channel = GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &w->channel_peer);
    w->to_posts = GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &w->posts_peer);
}

/** A bot and a person are signed in; the bot looks. */
static inline void send_begin(struct send_world *w, const dc_options_t *o)
{
    dc_person_t person = {gap_str("9996620000"), gap_str("Ada"), gap_bytes(NULL, 0)};

    memset(w, 0, sizeof *w);
    w->now_us = SEND_START_US;
    ck_assert_int_eq(dc_model_new(gap_alloc_default(), o, &w->m), 0);
    ck_assert_int_eq(dc_model_account(w->m, SEND_BOT, true, w->now_us), 0);
    ck_assert_int_eq(dc_model_person(w->m, SEND_PERSON, &person, w->now_us), 0);
    dc_answer_init(&w->answer, gap_alloc_default());
    gap_buf_init(&w->request, gap_alloc_default());
    send_as(w, SEND_BOT, DC_CHAT_ID_FIRST);
}

static inline void send_end(struct send_world *w)
{
    dc_model_free(w->m);
    dc_answer_fini(&w->answer);
    gap_buf_fini(&w->request);
}

static inline gap_bytes_t send_written(struct send_world *w, uint32_t id, const void *method)
{
    gap_tl_object_t o = gap_tl_of(id, method);
    int64_t size = gap_tl_size(o);

    ck_assert_int_gt(size, 0);
    gap_buf_clear(&w->request);
    ck_assert_int_eq(gap_buf_reserve(&w->request, (size_t)size), 0);
    ck_assert_int_eq(gap_tl_write(o, w->request.data, (size_t)size), size);
    return gap_bytes(w->request.data, (size_t)size);
}

static inline int send_call(struct send_world *w, uint32_t id, const void *method)
{
    return dc_model_call(w->m, &w->view, send_written(w, id, method), w->now_us, &w->answer);
}

/** messages.sendMessage. */
static inline int send_text(struct send_world *w, gap_tl_object_t peer, const char *text,
                            int64_t random_id)
{
    gap_tl_messages_send_message_t q = {
        .peer = peer, .message = gap_str(text), .random_id = random_id};
    return send_call(w, GAP_TL_MESSAGES_SEND_MESSAGE, &q);
}

/** messages.editMessage. */
static inline int send_edit(struct send_world *w, gap_tl_object_t peer, int32_t id,
                            const char *text)
{
    gap_tl_messages_edit_message_t q = {.flags = GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE,
                                        .peer = peer,
                                        .id = id,
                                        .message = gap_str(text)};
    return send_call(w, GAP_TL_MESSAGES_EDIT_MESSAGE, &q);
}

#define send_refused(w, r, code, text)                                                             \
    do {                                                                                           \
        int refused_ = (r);                                                                        \
        ck_assert_msg(refused_ == DC_RPC_ERROR, "no error, but %s expected", text);                \
        ck_assert_str_eq((w)->answer.error, text);                                                 \
        ck_assert_int_eq((w)->answer.error_code, code);                                            \
        ck_assert_uint_eq(gap_buf_view(&(w)->answer.body).len, 0);                                 \
        ck_assert_uint_eq((w)->answer.count, 0);                                                   \
    } while (0)

/** The answer, whole, as one object of this id. */
#define SEND_BODY(w, id, out)                                                                      \
    do {                                                                                           \
        gap_bytes_t body_ = gap_buf_view(&(w)->answer.body);                                       \
        ck_assert_int_eq(gap_tl_skip(body_), (int64_t)body_.len);                                  \
        ck_assert_str_eq(gap_tl_name(gap_load32(body_.data)), gap_tl_name(id));                    \
        ck_assert_int_gt(gap_tl_read(body_, id, out, sizeof *(out)), 0);                           \
    } while (0)

#endif
