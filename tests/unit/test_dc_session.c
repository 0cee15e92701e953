/*
 * tests/unit/test_dc_session.c - the server's sessions: what is answered to what, which codes the
 * refused messages get, what is kept and sent again.
 */
#include "tests/unit/dc_session_world.h"

START_TEST(test_greeting_names_the_lowest_id)
{
    struct world w;
    struct got got[8];
    int64_t first;
    int64_t second;

    world_init(&w);
    first = next_id(&w);
    second = next_id(&w);
    put32(&w.body, GAP_MT_MSG_CONTAINER);
    put32(&w.body, 2);
    for (int i = 0; i < 2; i++) {
        put64(&w.body, i == 0 ? second : first);
        put32(&w.body, 0);
        put32(&w.body, 12);
        put32(&w.body, GAP_MT_PING);
        put64(&w.body, i);
    }
    (void)receive(&w, false);
    size_t n = take_all(&w, got, 8);
    ck_assert_uint_eq(n, 3);
    ck_assert_uint_eq(got[0].id, GAP_MT_NEW_SESSION_CREATED);
    ck_assert_int_eq((int64_t)gap_load64(got[0].body + 4), first);
    ck_assert_int_eq((int64_t)gap_load64(got[0].body + 20), 1234);
    ck_assert_int_eq(got[0].seqno & 1, 1);
    ck_assert_int_eq(got[0].msg_id & 3, 3);
    ck_assert_uint_eq(got[1].id, GAP_MT_PONG);
    ck_assert_int_eq((int64_t)gap_load64(got[1].body + 4), second);
    ck_assert_int_eq(got[1].msg_id & 3, 1);
    world_fini(&w);
}
END_TEST

/* A message with an id that many seconds from now. */
static const struct {
    int64_t offset_s;
    int64_t extra;
    int32_t seqno;
    uint32_t code; /* 0: accepted */
    bool is_call;
    const char *why;
} ids[] = {
    {0, 4, 0, 0, false, "now"},
    {-300, 4, 0, 0, false, "300 s old"},
    {-302, 4, 0, 16, false, "too old"},
    {30, 4, 0, 0, false, "30 s ahead"},
    {32, 4, 0, 17, false, "too far ahead"},
    {0, 5, 0, 18, false, "an id that is no multiple of four"},
    {0, 6, 0, 18, false, "an id that is no multiple of four"},
    {0, 4, 1, 0, true, "an odd call"},
    {0, 4, 0, 35, true, "an even call"},
    {0, 4, 1, 0, false, "an odd ping is the client's free choice"},
};

START_TEST(test_ids_and_parity)
{
    struct world w;
    struct got got[8];
    int64_t id = (((int64_t)NOW_S + ids[_i].offset_s) << 32) + ids[_i].extra;

    world_init(&w);
    if (ids[_i].is_call)
        call(&w);
    else
        ping(&w, 1);
    ck_assert_int_eq(receive_at(&w, id, ids[_i].seqno, 1234), 0);
    size_t n = take_all(&w, got, 8);
    const struct got *bad = find(got, n, GAP_MT_BAD_MSG_NOTIFICATION);
    ck_assert_msg((bad != NULL) == (ids[_i].code != 0), "%s", ids[_i].why);
    if (bad != NULL) {
        ck_assert_int_eq((int64_t)gap_load64(bad->body + 4), id);
        ck_assert_int_eq((int32_t)gap_load32(bad->body + 12), ids[_i].seqno);
        ck_assert_uint_eq(gap_load32(bad->body + 16), ids[_i].code);
        ck_assert_int_eq(bad->seqno & 1, 0);
    }
    ck_assert_uint_eq(gap_buf_view(&w.in.calls).len / sizeof(gap_dc_call_t),
                      ids[_i].is_call && ids[_i].code == 0 ? 1 : 0);
    world_fini(&w);
}
END_TEST

START_TEST(test_seqno_follows_the_ids)
{
    struct world w;
    struct got got[8];
    int64_t a;
    int64_t b;
    int64_t c;

    greeted(&w);
    a = next_id(&w);
    b = next_id(&w);
    c = next_id(&w);
    call(&w);
    ck_assert_int_eq(receive_at(&w, b, 11, 1234), 0);
    ck_assert_int_eq(receive_at(&w, c, 11, 1234), 0);
    ck_assert_int_eq(receive_at(&w, a, 13, 1234), 0);
    size_t n = take_all(&w, got, 8);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(gap_load32(got[0].body + 16), 32);
    ck_assert_uint_eq(gap_load32(got[1].body + 16), 33);
    world_fini(&w);
}
END_TEST

START_TEST(test_salts)
{
    struct world w;
    struct got got[8];

    world_init(&w);
    ping(&w, 1);
    ck_assert_int_eq(receive_at(&w, next_id(&w), 0, 0), 0);
    size_t n = take_all(&w, got, 8);
    ck_assert_msg(n == 1, "a message with a wrong salt has no other effect");
    ck_assert_uint_eq(got[0].id, GAP_MT_BAD_SERVER_SALT);
    ck_assert_uint_eq(gap_load32(got[0].body + 16), 48);
    ck_assert_int_eq((int64_t)gap_load64(got[0].body + 20), 1234);
    /* The salt of the period before is good; older ones are not. */
    for (uint64_t period = 1; period < 4; period++) {
        w.now.wall_us = ((uint64_t)NOW_S + period * GAP_DC_SALT_PERIOD_S) * 1000000;
        int64_t id = (int64_t)(w.now.wall_us / 1000000) << 32;
        ck_assert_int_eq(receive_at(&w, id, 0, gap_dc_key_salt(w.key, period - 1)), 0);
        n = take_all(&w, got, 8);
        ck_assert_ptr_nonnull(find(got, n, GAP_MT_PONG));
        if (period < 2) continue;
        ck_assert_int_eq(receive_at(&w, id + 4, 0, gap_dc_key_salt(w.key, period - 2)), 0);
        n = take_all(&w, got, 8);
        ck_assert_ptr_nonnull(find(got, n, GAP_MT_BAD_SERVER_SALT));
    }
    world_fini(&w);
}
END_TEST

START_TEST(test_future_salts_are_bare)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    put32(&w.body, GAP_MT_GET_FUTURE_SALTS);
    put32(&w.body, 64);
    int64_t id = receive(&w, false);
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_uint_eq(got[0].id, GAP_MT_FUTURE_SALTS);
    ck_assert_int_eq((int64_t)gap_load64(got[0].body + 4), id);
    ck_assert_uint_eq(gap_load32(got[0].body + 12), NOW_S);
    /* A count and items of 16 bytes: no vector's id, no constructor's. */
    ck_assert_uint_eq(gap_load32(got[0].body + 16), 64);
    ck_assert_uint_eq(got[0].len, 20 + 64 * 16);
    ck_assert_uint_le(gap_load32(got[0].body + 20), NOW_S);
    ck_assert_uint_gt(gap_load32(got[0].body + 24), NOW_S);
    ck_assert_int_eq((int64_t)gap_load64(got[0].body + 28), 1234);
    for (uint64_t i = 1; i < 64; i++)
        ck_assert_int_eq((int64_t)gap_load64(got[0].body + 28 + 16 * i), gap_dc_key_salt(w.key, i));
    world_fini(&w);
}
END_TEST

struct shape {
    int64_t member_offset; /* of the member's id from the container's */
    uint32_t count;        /* claimed */
    uint32_t bytes;        /* claimed */
    uint32_t inner;
    int32_t seqno;
    uint32_t code;
    const char *why;
};

static const struct shape containers[] = {
    {-4, 1, 12, GAP_MT_PING, 0, 0, "a good one"},
    {0, 1, 12, GAP_MT_PING, 0, 64, "a member with the container's own id"},
    {4, 1, 12, GAP_MT_PING, 0, 64, "a member that is newer"},
    {-4, 2, 12, GAP_MT_PING, 0, 64, "more members than bytes"},
    {-4, 2000, 12, GAP_MT_PING, 0, 64, "too many members"},
    {-4, UINT32_MAX, 12, GAP_MT_PING, 0, 64, "as many members as there are numbers"},
    {-4, 1, 16, GAP_MT_PING, 0, 64, "a member longer than the rest"},
    {-4, 1, 10, GAP_MT_PING, 0, 64, "a member of no multiple of four"},
    {-4, 1, 0xfffffff0U, GAP_MT_PING, 0, 64, "a member of four gigabytes"},
    {-4, 1, 12, GAP_MT_MSG_CONTAINER, 0, 64, "a container in a container"},
    {-4, 1, 12, GAP_MT_PING, 1, 34, "an odd container"},
    {-4, 0, 12, GAP_MT_PING, 0, 0, "an empty one"},
};

START_TEST(test_containers)
{
    const struct shape *s = &containers[_i];
    struct world w;
    struct got got[8];

    greeted(&w);
    int64_t id = next_id(&w) + 400;
    put32(&w.body, GAP_MT_MSG_CONTAINER);
    put32(&w.body, s->count);
    put64(&w.body, id + s->member_offset);
    put32(&w.body, 0);
    put32(&w.body, s->bytes);
    put32(&w.body, s->inner);
    put64(&w.body, 1);
    ck_assert_int_eq(receive_at(&w, id, s->seqno, 1234), 0);
    size_t n = take_all(&w, got, 8);
    const struct got *bad = find(got, n, GAP_MT_BAD_MSG_NOTIFICATION);
    ck_assert_msg((bad != NULL) == (s->code != 0), "%s", s->why);
    if (bad != NULL) {
        ck_assert_int_eq((int64_t)gap_load64(bad->body + 4), id);
        ck_assert_msg(gap_load32(bad->body + 16) == s->code, "%s", s->why);
        ck_assert_msg(n == 1, "%s: it is refused as a whole", s->why);
    }
    world_fini(&w);
}
END_TEST

START_TEST(test_a_container_comes_once)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    int64_t id = next_id(&w);
    put32(&w.body, GAP_MT_MSG_CONTAINER);
    put32(&w.body, 0);
    ck_assert_int_eq(receive_at(&w, id, 0, 1234), 0);
    ck_assert_uint_eq(take_all(&w, got, 8), 0);
    ck_assert_int_eq(receive_at(&w, id, 0, 1234), 0);
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_uint_eq(gap_load32(got[0].body + 16), 19);
    world_fini(&w);
}
END_TEST

static void answer(struct world *w, int64_t msg_id)
{
    uint8_t result[4];

    gap_store32(result, GAP_MT_BOOL_TRUE);
    ck_assert_int_eq(gap_dc_session_answer(w->s, &w->now, msg_id, 0, gap_bytes(result, 4), false),
                     0);
}

START_TEST(test_a_call_is_made_once_and_answered_again)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    call(&w);
    int64_t id = receive(&w, true);
    ck_assert_uint_eq(gap_buf_view(&w.in.calls).len, sizeof(gap_dc_call_t));
    gap_dc_inbox_clear(&w.in);
    answer(&w, id);
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    int64_t answer_id = got[0].msg_id;
    for (int i = 0; i < 3; i++) {
        call(&w);
        ck_assert_int_eq(receive_at(&w, id, 1, 1234), 0);
        ck_assert_uint_eq(gap_buf_view(&w.in.calls).len, 0);
        ck_assert_uint_eq(take_all(&w, got, 8), 1);
        ck_assert_uint_eq(got[0].id, GAP_MT_RPC_RESULT);
        ck_assert_int_eq(got[0].msg_id, answer_id);
    }
    world_fini(&w);
}
END_TEST

static void ack(struct world *w, const int64_t *msg_ids, uint32_t count)
{
    gap_buf_clear(&w->body);
    put32(&w->body, GAP_MT_MSGS_ACK);
    put32(&w->body, GAP_TL_VECTOR);
    put32(&w->body, count);
    for (uint32_t i = 0; i < count; i++) put64(&w->body, msg_ids[i]);
    (void)receive(w, false);
}

static int64_t push(struct world *w)
{
    uint32_t body = GAP_TL_UPDATES_TOO_LONG;

    ck_assert_int_eq(
        gap_dc_session_send(w->s, &w->now, GAP_DC_CONTENT | GAP_DC_PUSH, 0, 0, gap_bytes(&body, 4)),
        0);
    return TAILQ_LAST(&w->s->queue, gap_dc_outs)->msg_id;
}

START_TEST(test_unacked_messages_are_sent_again_over_a_new_connection)
{
    struct world w;
    struct got got[16];
    int64_t pushed[4];

    greeted(&w);
    /* The greeting is content-related as well. */
    int64_t greeting = TAILQ_FIRST(&w.s->unacked)->msg_id;
    for (int i = 0; i < 4; i++) pushed[i] = push(&w);
    ck_assert_uint_eq(take_all(&w, got, 16), 4);
    for (int i = 1; i < 4; i++) {
        ck_assert_int_gt(got[i].msg_id, got[i - 1].msg_id);
        ck_assert_int_eq(got[i].seqno, got[i - 1].seqno + 2);
        ck_assert_int_eq(got[i].msg_id & 3, 3);
    }
    ack(&w, &pushed[1], 1);
    ack(&w, &greeting, 1);
    w.now.mono_us += 1000;
    ck_assert_int_eq(gap_dc_session_resume(w.s, &w.now), 0);
    ck_assert_uint_eq(take_all(&w, got, 16), 3);
    ck_assert_int_eq(got[0].msg_id, pushed[0]);
    ck_assert_int_eq(got[1].msg_id, pushed[2]);
    ck_assert_int_eq(got[2].msg_id, pushed[3]);
    /* A client would refuse ids that old: they get new ones. */
    w.now.mono_us += 300000000;
    w.now.wall_us += 300000000;
    ck_assert_int_eq(gap_dc_session_resume(w.s, &w.now), 0);
    ck_assert_uint_eq(take_all(&w, got, 16), 3);
    for (int i = 0; i < 3; i++) ck_assert_int_gt(got[i].msg_id, pushed[3]);
    ck_assert_uint_eq(w.s->unacked_count, 3);
    world_fini(&w);
}
END_TEST

START_TEST(test_what_a_session_owes)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    ck_assert_msg(!gap_dc_session_owes_pushes(w.s), "the greeting is nothing to fetch");
    int64_t id = push(&w);
    ck_assert_msg(gap_dc_session_owes_pushes(w.s), "queued");
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_msg(gap_dc_session_owes_pushes(w.s), "sent and not acknowledged");
    ack(&w, &id, 1);
    ck_assert_msg(!gap_dc_session_owes_pushes(w.s), "acknowledged");
    w.s->pushes_lost = true;
    ck_assert_msg(gap_dc_session_owes_pushes(w.s), "forgotten for want of room");
    ck_assert_int_eq(gap_dc_session_too_long(w.s, &w.now), 0);
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_int_eq(got[0].msg_id & 3, 3);
    world_fini(&w);
}
END_TEST

START_TEST(test_a_repetition_is_no_new_message)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    int64_t id = push(&w);
    ck_assert_int_eq(gap_dc_session_repeat(w.s, 0), 0);
    size_t unacked = w.s->unacked_count;
    gap_plaintext_t m;
    ck_assert_int_eq(gap_dc_session_pack(w.s, &w.now, &w.out, &m), 1);
    ck_assert_msg(m.msg_id == id, "both in one container would be an error, not a repetition");
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_int_eq(got[0].msg_id, id);
    ck_assert_uint_eq(w.s->unacked_count, unacked + 1);
    world_fini(&w);
}
END_TEST

START_TEST(test_odd_service_messages_are_acked_and_acks_are_not)
{
    struct world w;
    struct got got[8];
    int64_t none = 1;

    greeted(&w);
    ping(&w, 1);
    int64_t id = receive(&w, true);
    size_t n = take_all(&w, got, 8);
    const struct got *a = find(got, n, GAP_MT_MSGS_ACK);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq(gap_load32(a->body + 8), 1);
    ck_assert_int_eq((int64_t)gap_load64(a->body + 12), id);
    ck_assert_int_eq(a->seqno & 1, 0);
    put32(&w.body, GAP_MT_MSGS_ACK);
    put32(&w.body, GAP_TL_VECTOR);
    put32(&w.body, 1);
    put64(&w.body, none);
    (void)receive(&w, true);
    ck_assert_msg(take_all(&w, got, 8) == 0, "an odd acknowledgement is taken as it is");
    world_fini(&w);
}
END_TEST

START_TEST(test_states)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    call(&w);
    int64_t known = receive(&w, true);
    put32(&w.body, GAP_MT_MSGS_STATE_REQ);
    put32(&w.body, GAP_TL_VECTOR);
    put32(&w.body, 3);
    put64(&w.body, known);
    put64(&w.body, known - 40);
    put64(&w.body, known + ((int64_t)1 << 33));
    int64_t req = receive(&w, false);
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_uint_eq(got[0].id, GAP_MT_MSGS_STATE_INFO);
    ck_assert_int_eq((int64_t)gap_load64(got[0].body + 4), req);
    ck_assert_uint_eq(got[0].body[12], 3);
    ck_assert_uint_eq(got[0].body[13] & 7, 4);
    ck_assert_uint_eq(got[0].body[14] & 7, 2);
    ck_assert_uint_eq(got[0].body[15] & 7, 3);
    world_fini(&w);
}
END_TEST

START_TEST(test_resend_request)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    int64_t id = push(&w);
    (void)take_all(&w, got, 8);
    for (int unknown = 0; unknown < 2; unknown++) {
        put32(&w.body, GAP_MT_MSG_RESEND_REQ);
        put32(&w.body, GAP_TL_VECTOR);
        put32(&w.body, 1);
        put64(&w.body, id + unknown * 4);
        (void)receive(&w, false);
        ck_assert_uint_eq(take_all(&w, got, 8), 1);
        ck_assert_uint_eq(got[0].id, unknown ? GAP_MT_MSGS_STATE_INFO : GAP_TL_UPDATES_TOO_LONG);
        if (!unknown) ck_assert_int_eq(got[0].msg_id, id);
    }
    world_fini(&w);
}
END_TEST

START_TEST(test_drop_answer)
{
    struct world w;
    struct got got[8];

    greeted(&w);
    call(&w);
    int64_t id = receive(&w, true);
    answer(&w, id);
    for (int again = 0; again < 2; again++) {
        put32(&w.body, GAP_MT_RPC_DROP_ANSWER);
        put64(&w.body, id);
        int64_t req = receive(&w, false);
        ck_assert_uint_eq(take_all(&w, got, 8), 1);
        ck_assert_uint_eq(got[0].id, GAP_MT_RPC_RESULT);
        ck_assert_int_eq((int64_t)gap_load64(got[0].body + 4), req);
        ck_assert_uint_eq(gap_load32(got[0].body + 12),
                          again ? GAP_MT_RPC_ANSWER_UNKNOWN : GAP_MT_RPC_ANSWER_DROPPED);
    }
    world_fini(&w);
}
END_TEST

START_TEST(test_destroy_session)
{
    struct world w;
    struct got got[8];
    gap_dc_session_t *other;

    greeted(&w);
    ck_assert_int_eq(gap_dc_key_session(&w.keys, w.key, 8, &other), 0);
    for (int64_t id = 7; id <= 9; id++) {
        put32(&w.body, GAP_MT_DESTROY_SESSION);
        put64(&w.body, id);
        (void)receive(&w, false);
        ck_assert_uint_eq(take_all(&w, got, 8), 1);
        ck_assert_uint_eq(got[0].id,
                          id == 8 ? GAP_MT_DESTROY_SESSION_OK : GAP_MT_DESTROY_SESSION_NONE);
        ck_assert_int_eq((int64_t)gap_load64(got[0].body + 4), id);
    }
    ck_assert_uint_eq(w.in.destroy_count, 1);
    ck_assert_int_eq(w.in.destroy[0], 8);
    world_fini(&w);
}
END_TEST

static void put_gzip(struct world *w, const void *bytes, size_t len)
{
    static uint8_t packed[65536];
    size_t n;

    ck_assert_int_eq(gap_deflate(&w->zip, gap_bytes(bytes, len), packed, sizeof packed, &n), 0);
    put32(&w->body, GAP_MT_GZIP_PACKED);
    put32(&w->body, 0xfeU | (uint32_t)n << 8);
    put(&w->body, packed, n);
    while (w->body.len % 4 != 0) put(&w->body, "", 1);
}

START_TEST(test_packed_calls)
{
    struct world w;
    static uint8_t big[GAP_DC_INFLATED_MAX_BYTES + 4];
    gap_dc_call_t found;

    greeted(&w);
    gap_store32(big, GAP_TL_HELP_GET_CONFIG);
    put_gzip(&w, big, 400);
    (void)receive(&w, true);
    memcpy(&found, gap_buf_view(&w.in.calls).data, sizeof found);
    ck_assert_uint_eq(found.query.len, 400);
    ck_assert_mem_eq(found.query.data, big, 400);
    gap_dc_inbox_clear(&w.in);
    put_gzip(&w, big, sizeof big);
    (void)receive(&w, true);
    memcpy(&found, gap_buf_view(&w.in.calls).data, sizeof found);
    ck_assert_msg(found.query.len == 0, "a bomb is a call without content");
    gap_dc_inbox_clear(&w.in);
    put32(&w.body, GAP_MT_GZIP_PACKED);
    put(&w.body, "\x0bnot gzip...", 12);
    (void)receive(&w, true);
    memcpy(&found, gap_buf_view(&w.in.calls).data, sizeof found);
    ck_assert_uint_eq(found.query.len, 0);
    world_fini(&w);
}
END_TEST

START_TEST(test_long_results_are_packed)
{
    struct world w;
    struct got got[8];
    static uint8_t result[8192];
    gap_packet_t *plain;

    greeted(&w);
    memset(result, 'a', sizeof result);
    ck_assert_int_eq(
        gap_dc_session_answer(w.s, &w.now, 4, 0, gap_bytes(result, sizeof result), false), 0);
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_uint_eq(gap_load32(got[0].body + 12), GAP_MT_GZIP_PACKED);
    ck_assert_uint_lt(got[0].len, sizeof result / 10);
    size_t head = got[0].body[16] == 0xfe ? 4 : 1;
    size_t n = head == 4 ? gap_load32(got[0].body + 16) >> 8 : got[0].body[16];
    ck_assert_int_eq(gap_inflate(&w.zip, gap_bytes(got[0].body + 16 + head, n), 65536, &plain), 0);
    ck_assert_uint_eq(plain->len, sizeof result);
    ck_assert_mem_eq(plain->data, result, sizeof result);
    gap_packet_unref(plain);
    world_fini(&w);
}
END_TEST

START_TEST(test_what_is_kept_is_bounded)
{
    struct world w;
    static uint8_t big[1 << 20];
    struct got got[64];

    greeted(&w);
    w.s->conn = NULL;
    gap_store32(big, GAP_TL_UPDATES_TOO_LONG);
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(gap_dc_session_send(w.s, &w.now, GAP_DC_CONTENT | GAP_DC_PUSH, 0, 0,
                                             gap_bytes(big, sizeof big)),
                         0);
        ck_assert_uint_le(w.s->bytes, GAP_DC_SESSION_BYTES);
    }
    w.s->conn = &w;
    ck_assert_int_eq(gap_dc_session_resume(w.s, &w.now), 0);
    size_t n = take_all(&w, got, 64);
    ck_assert_uint_gt(n, 10);
    ck_assert_msg(got[n - 1].len == 4, "who missed pushes is told to fetch");
    ck_assert_uint_eq(got[n - 1].id, GAP_TL_UPDATES_TOO_LONG);
    world_fini(&w);
}
END_TEST

START_TEST(test_a_client_that_does_not_read_is_given_up)
{
    struct world w;
    static uint8_t big[1 << 20];
    int r = 0;

    greeted(&w);
    for (int i = 0; i < 40 && r == 0; i++)
        r = gap_dc_session_send(w.s, &w.now, GAP_DC_CONTENT, 0, 0, gap_bytes(big, sizeof big));
    ck_assert_int_eq(r, GAP_E_LIMIT);
    world_fini(&w);
}
END_TEST

START_TEST(test_sessions_of_a_key_are_bounded)
{
    struct world w;
    gap_dc_session_t *s;

    greeted(&w);
    for (int64_t id = 100; id < 1000; id++) {
        ck_assert_int_eq(gap_dc_key_session(&w.keys, w.key, id, &s), 0);
        ck_assert_uint_le(w.key->session_count, GAP_DC_KEY_SESSIONS_MAX);
    }
    ck_assert_ptr_eq(gap_dc_key_find_session(w.key, 7), w.s);
    ck_assert_ptr_null(gap_dc_key_find_session(w.key, 100));
    ck_assert_ptr_nonnull(gap_dc_key_find_session(w.key, 999));
    world_fini(&w);
}
END_TEST

START_TEST(test_pushes_wait_until_they_are_due)
{
    struct world w;
    struct got got[8];
    uint32_t body = GAP_TL_UPDATES_TOO_LONG;

    greeted(&w);
    ck_assert_int_eq(gap_dc_session_send(w.s, &w.now, GAP_DC_CONTENT | GAP_DC_PUSH, 0,
                                         w.now.mono_us + 50, gap_bytes(&body, 4)),
                     0);
    ck_assert_uint_eq(gap_dc_session_due(w.s), w.now.mono_us + 50);
    ck_assert_uint_eq(take_all(&w, got, 8), 0);
    w.now.mono_us += 50;
    ck_assert_uint_eq(take_all(&w, got, 8), 1);
    ck_assert_uint_eq(gap_dc_session_due(w.s), UINT64_MAX);
    world_fini(&w);
}
END_TEST

static const uint32_t services[] = {
    GAP_MT_MSGS_ACK,
    GAP_MT_PING,
    GAP_MT_PING_DELAY_DISCONNECT,
    GAP_MT_GET_FUTURE_SALTS,
    GAP_MT_MSGS_STATE_REQ,
    GAP_MT_MSG_RESEND_REQ,
    GAP_MT_RPC_DROP_ANSWER,
    GAP_MT_DESTROY_SESSION,
    GAP_MT_DESTROY_AUTH_KEY,
    GAP_MT_HTTP_WAIT,
    GAP_MT_MSG_CONTAINER,
    GAP_MT_GZIP_PACKED,
    GAP_MT_MSGS_STATE_INFO,
    GAP_MT_MSGS_ALL_INFO,
    0x12345678U,
};

START_TEST(test_garbage_and_truncation)
{
    struct world w;
    gap_prng_t prng = {(uint64_t)_i + 1};
    static struct got got[1024];

    greeted(&w);
    for (unsigned round = 0; round < 100; round++) {
        size_t words = gap_prng_below(&prng, 40);
        put32(&w.body, services[gap_prng_below(&prng, GAP_ARRAY_LEN(services))]);
        for (size_t i = 0; i < words; i++) {
            uint32_t v = (uint32_t)gap_prng_next(&prng);
            uint64_t kind = gap_prng_below(&prng, 4);
            if (kind == 0) v = GAP_TL_VECTOR;
            if (kind == 1) v %= 8;
            if (kind == 2) v = services[v % GAP_ARRAY_LEN(services)];
            put32(&w.body, v);
        }
        int64_t id = next_id(&w) | (int64_t)(gap_prng_below(&prng, 8) == 0);
        int32_t seqno = (int32_t)gap_prng_below(&prng, 400);
        ck_assert_msg(receive_at(&w, id, seqno, 1234) == 0, "seed %d", _i);
        gap_buf_clear(&w.body);
        gap_dc_inbox_clear(&w.in);
        (void)take_all(&w, got, 1024);
    }
    world_fini(&w);
}
END_TEST

START_TEST(test_out_of_memory)
{
    for (long at = 1; at < 40; at++) {
        struct world w;
        gap_plaintext_t m;
        world_init(&w);
        w.fault.fail_at = w.fault.calls + at;
        call(&w);
        int r = receive_at(&w, next_id(&w), 1, 1234);
        if (r == 0) {
            uint32_t yes = GAP_MT_BOOL_TRUE;
            r = gap_dc_session_answer(w.s, &w.now, w.last_id, 0, gap_bytes(&yes, 4), false);
        }
        if (r == 0) {
            r = gap_dc_session_pack(w.s, &w.now, &w.out, &m);
            if (r > 0) r = 0;
        }
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "allocation %ld: %d", at, r);
        w.fault.fail_at = 0;
        world_fini(&w);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_session");
    TCase *tc = tcase_create("session");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_greeting_names_the_lowest_id);
    tcase_add_loop_test(tc, test_ids_and_parity, 0, GAP_ARRAY_LEN(ids));
    tcase_add_test(tc, test_seqno_follows_the_ids);
    tcase_add_test(tc, test_salts);
    tcase_add_test(tc, test_future_salts_are_bare);
    tcase_add_loop_test(tc, test_containers, 0, GAP_ARRAY_LEN(containers));
    tcase_add_test(tc, test_a_container_comes_once);
    tcase_add_test(tc, test_a_call_is_made_once_and_answered_again);
    tcase_add_test(tc, test_unacked_messages_are_sent_again_over_a_new_connection);
    tcase_add_test(tc, test_what_a_session_owes);
    tcase_add_test(tc, test_a_repetition_is_no_new_message);
    tcase_add_test(tc, test_odd_service_messages_are_acked_and_acks_are_not);
    tcase_add_test(tc, test_states);
    tcase_add_test(tc, test_resend_request);
    tcase_add_test(tc, test_drop_answer);
    tcase_add_test(tc, test_destroy_session);
    tcase_add_test(tc, test_packed_calls);
    tcase_add_test(tc, test_long_results_are_packed);
    tcase_add_test(tc, test_what_is_kept_is_bounded);
    tcase_add_test(tc, test_a_client_that_does_not_read_is_given_up);
    tcase_add_test(tc, test_sessions_of_a_key_are_bounded);
    tcase_add_test(tc, test_pushes_wait_until_they_are_due);
    tcase_add_loop_test(tc, test_garbage_and_truncation, 0, 100);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
