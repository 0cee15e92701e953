/*
 * What the server says about our messages, salts and sessions, and what goes out again because of
 * it; reconnects.
 */
#include "tests/unit/session_world.h"

#define TOO_LONG obj_start(GAP_TL_UPDATES_TOO_LONG)

/* ---- what the server says about our messages ---- */

static const struct {
    int32_t code;
    bool new_session;
    bool clock;
    const char *why;
} bad_cases[] = {
    {16, false, true, "id too low: our clock was behind"},
    {17, true, true, "id too high: our clock was ahead, ids must fall"},
    {18, true, false, "low bits of the id"},
    {19, true, false, "a container's id came twice"},
    {20, false, false, "too old to know"},
    {32, true, false, "seqno too low"},
    {33, true, false, "seqno too high"},
    {34, true, false, "seqno should be even"},
    {35, true, false, "seqno should be odd"},
    {64, true, false, "broken container"},
    {99, false, false, "a code of the future: just again"},
};

START_TEST(bad_messages_go_out_again)
{
    struct world w;
    const char *why = bad_cases[_i].why;

    for (int of_container = 0; of_container < 2; of_container++) {
        world_init(&w);
        world_warm(&w);
        uint64_t a = world_call(&w);
        if (of_container) world_call(&w);
        world_flush(&w);
        int64_t session = w.packet.session_id;
        struct sent first = *world_sent(&w, GAP_TL_UPDATES_GET_STATE);
        uint64_t bad = of_container ? first.container_id : first.msg_id;
        int64_t off = !bad_cases[_i].clock ? 0 : bad_cases[_i].code == 17 ? -600 : 600;
        if (off != 0) world_server_clock(&w, off);
        /* Not ours: nothing happens. */
        ck_assert_int_eq(world_say(&w, obj_bad(bad + 400, 1, bad_cases[_i].code), false), 0);
        ck_assert_int_eq(world_next(&w), 0);
        world_flush(&w);
        ck_assert_uint_eq(w.sent_count, 0);

        ck_assert_int_eq(world_say(&w, obj_bad(bad, 1, bad_cases[_i].code), false), 0);
        ck_assert_msg(world_next(&w) == (bad_cases[_i].new_session ? GAP_SESSION_MISSED : 0), "%s",
                      why);
        world_flush(&w);
        struct sent *again = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
        ck_assert_msg(again != NULL && again->msg_id != first.msg_id, "%s", why);
        ck_assert_msg((w.packet.session_id != session) == bad_cases[_i].new_session, "%s", why);
        if (bad_cases[_i].new_session) {
            struct sent *destroy = world_sent(&w, GAP_MT_DESTROY_SESSION);
            ck_assert_ptr_nonnull(destroy);
            ck_assert_int_eq((int64_t)gap_load64(destroy->body + 4), session);
            ck_assert_msg(again->seqno == 1, "%s: the count begins anew", why);
        }
        int64_t off_s = gap_session_server_us(w.s, w.now) / 1000000 - SERVER_EPOCH_S;
        ck_assert_msg(off_s == off, "%s: %d", why, (int)off_s);
        ck_assert_int_eq((int64_t)(again->msg_id >> 32), SERVER_EPOCH_S + off);
        size_t queries = 0;
        for (size_t i = 0; i < w.sent_count; i++)
            queries += w.sent[i].id == GAP_TL_UPDATES_GET_STATE;
        ck_assert_msg(queries == (of_container ? 2 : 1), "%s", why);
        ck_assert_int_eq(world_say(&w, obj_true(again->msg_id), true), 0);
        ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
        ck_assert_uint_eq(w.ev.call, a);
        world_fini(&w);
    }
}
END_TEST

START_TEST(endless_refusals_end)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call(&w);
    for (unsigned i = 0; i <= GAP_SESSION_BAD_MAX; i++) {
        world_flush(&w);
        struct sent *q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
        ck_assert_msg(q != NULL, "repeat %u", i);
        ck_assert_int_eq(world_say(&w, obj_bad(q->msg_id, q->seqno, 20), false), 0);
        if (i < GAP_SESSION_BAD_MAX) ck_assert_int_eq(world_next(&w), 0);
    }
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, call);
    ck_assert_int_eq(w.ev.status, GAP_E_PROTOCOL);
    world_fini(&w);
}
END_TEST

START_TEST(messages_of_a_session_given_up_are_ignored)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    world_call(&w);
    world_flush(&w);
    uint64_t old = (uint64_t)w.packet.session_id;
    ck_assert_int_eq(
        world_say(&w, obj_bad(world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id, 3, 33), false), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_MISSED);
    w.server_session = old;
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), GAP_SESSION_IGNORED);
    ck_assert_int_eq(world_next(&w), 0);
    world_fini(&w);
}
END_TEST

/* ---- salts ---- */

START_TEST(a_wrong_salt_is_replaced)
{
    struct world w;

    world_init(&w);
    uint64_t a = world_call(&w), b = world_call(&w), ping;
    ck_assert_int_eq(gap_session_ping(w.s, 75, &ping), 0);
    world_flush(&w);
    ck_assert_uint_eq((uint64_t)w.packet.salt, SALT);
    uint64_t container = w.sent[0].container_id;
    struct obj *o = obj32(obj32(obj64(obj_start(GAP_MT_BAD_SERVER_SALT), container), 4), 48);
    obj64(o, 0x5555);
    world_server_clock(&w, 500); /* exempt from the time window */
    ck_assert_int_eq(world_say(&w, o, false), 0);
    world_server_clock(&w, 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    ck_assert_uint_eq((uint64_t)w.packet.salt, 0x5555);
    ck_assert_uint_eq(gap_session_salt(w.s), 0x5555);
    ck_assert_uint_eq(w.sent_count, 3); /* the ping as well */
    struct sent *p = world_sent(&w, GAP_MT_PING_DELAY_DISCONNECT);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(gap_load64(p->body + 4), ping);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_gt(w.sent[i].msg_id, container);
        if (w.sent[i].id != GAP_TL_INVOKE_WITH_LAYER) continue;
        ck_assert_int_eq(world_say(&w, obj_true(w.sent[i].msg_id), true), 0);
        ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
        ck_assert(w.ev.call == a || w.ev.call == b);
    }
    ck_assert_uint_eq(gap_session_pending(w.s), 0);
    world_fini(&w);
}
END_TEST

static struct obj *future_salt(struct obj *o, int64_t since, int64_t until, uint64_t salt)
{
    return obj64(
        obj32(obj32(o, (uint32_t)(SERVER_EPOCH_S + since)), (uint32_t)(SERVER_EPOCH_S + until)),
        salt);
}

START_TEST(future_salts_are_asked_for_rarely_and_used_in_time)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    world_call(&w);
    world_flush(&w);
    struct sent *ask = world_sent(&w, GAP_MT_GET_FUTURE_SALTS);
    ck_assert_ptr_nonnull(ask);
    ck_assert_uint_eq(gap_load32(ask->body + 4), 64);
    struct obj *o =
        obj32(obj32(obj64(obj_start(GAP_MT_FUTURE_SALTS), ask->msg_id), (uint32_t)SERVER_EPOCH_S),
              3); /* bare vector of bare items */
    future_salt(o, 3600, 5400, 0xc);
    future_salt(o, -10, 1800, 0xa);
    future_salt(o, 1800, 3600, 0xb);
    ck_assert_int_eq(world_say(&w, o, false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    static const struct {
        uint64_t at_s;
        uint64_t salt;
        bool asks;
    } steps[] = {{10, 0xa, false}, {1801, 0xb, false}, {3601, 0xc, true}, {3700, 0xc, false}};
    for (size_t i = 0; i < GAP_ARRAY_LEN(steps); i++) {
        w.now = START_US + steps[i].at_s * SECOND;
        world_call(&w);
        world_flush(&w);
        ck_assert_msg((uint64_t)w.packet.salt == steps[i].salt, "step %zu", i);
        ck_assert_msg((world_sent(&w, GAP_MT_GET_FUTURE_SALTS) != NULL) == steps[i].asks,
                      "step %zu", i);
    }
    world_fini(&w);
}
END_TEST

/* ---- sessions of the server ---- */

static struct obj *new_session(uint64_t first, uint64_t unique, uint64_t salt)
{
    return obj64(obj64(obj64(obj_start(GAP_MT_NEW_SESSION_CREATED), first), unique), salt);
}

START_TEST(the_first_session_is_no_news)
{
    struct world w;

    world_init(&w);
    world_call(&w);
    world_call(&w);
    world_flush(&w);
    /* The server may name the container or its first message; it may come behind an answer. */
    ck_assert_int_eq(world_say(&w, obj_true(w.sent[0].msg_id), true), 0);
    ck_assert_int_eq(world_say(&w, new_session(w.sent[0].msg_id, 1, 0x77), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_int_eq(world_next(&w), 0);
    ck_assert_uint_eq(gap_session_salt(w.s), 0x77);
    world_fini(&w);
}
END_TEST

START_TEST(a_lost_session_is_news)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t calls[4];
    uint64_t ids[4];
    for (int i = 0; i < 4; i++) {
        calls[i] = world_call(&w);
        world_flush(&w);
        ids[i] = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    }
    /* Acknowledged in the old session or not: it knows nothing of the first two. */
    struct obj *ack = obj64(obj32(obj32(obj_start(GAP_MT_MSGS_ACK), GAP_TL_VECTOR), 1), ids[0]);
    ck_assert_int_eq(world_say(&w, ack, false), 0);
    ck_assert_int_eq(world_say(&w, new_session(ids[2], 9, 0x99), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_MISSED);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    size_t again = 0;
    for (size_t i = 0; i < w.sent_count; i++) {
        if (w.sent[i].id != GAP_TL_UPDATES_GET_STATE) continue;
        ck_assert_uint_gt(w.sent[i].msg_id, ids[3]);
        ck_assert_int_eq(world_say(&w, obj_true(w.sent[i].msg_id), true), 0);
        ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
        ck_assert_uint_eq(w.ev.call, calls[again++]);
    }
    ck_assert_uint_eq(again, 2);
    /* The same session announced again is no news. */
    ck_assert_int_eq(world_say(&w, new_session(ids[2], 9, 0x99), true), 0);
    ck_assert_int_eq(world_next(&w), 0);
    ck_assert_uint_eq(gap_session_pending(w.s), 2);
    world_fini(&w);
}
END_TEST

/* ---- what must not be carried out twice ---- */

/* One that is in flight, and then the server or the connection says something. */
static struct obj *state_of_it(struct world *w, uint64_t msg_id, const char *state)
{
    world_expire(w, 11 * SECOND);
    world_flush(w);
    struct sent *ask = world_sent(w, GAP_MT_MSGS_STATE_REQ);
    ck_assert_ptr_nonnull(ask);
    ck_assert_uint_eq(gap_load64(ask->body + 12), msg_id);
    return obj_bytes(obj64(obj_start(GAP_MT_MSGS_STATE_INFO), ask->msg_id), state, 1);
}

static const struct {
    enum { LOST_CONNECTION, LOST_SESSION, LOST_KEY, BAD_MESSAGE, WRONG_SALT, STATE } what;
    int32_t code;
    const char *state;
    bool again; /* it goes out again; otherwise it ends */
    const char *why;
} once_cases[] = {
    {LOST_CONNECTION, 0, NULL, false, "nobody knows whether it arrived"},
    {LOST_SESSION, 0, NULL, false, "the server forgot whether it was carried out"},
    {LOST_KEY, 0, NULL, false, "and so it has with a new key"},
    {BAD_MESSAGE, 20, NULL, false, "too old for the server to know"},
    {BAD_MESSAGE, 16, NULL, true, "refused because of its id: not carried out"},
    {BAD_MESSAGE, 64, NULL, true, "the same in a new session"},
    {WRONG_SALT, 48, NULL, true, "refused because of its salt"},
    {STATE, 0, "\x01", false, "may have been forgotten there"},
    {STATE, 0, "\x02", true, "never arrived"},
    {STATE, 0, "\x03", true, "never arrived"},
};

START_TEST(what_must_not_go_out_twice_ends_where_it_may_have)
{
    const char *why = once_cases[_i].why;
    struct world w;
    struct obj *o = NULL;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call_with(&w, GAP_SESSION_NO_RESEND, 0);
    world_flush(&w);
    struct sent q = *world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    switch (once_cases[_i].what) {
    case LOST_CONNECTION:
        gap_session_disconnected(w.s);
        gap_session_connected(w.s, w.now);
        break;
    case LOST_SESSION:
        o = new_session((q.container_id != 0 ? q.container_id : q.msg_id) + 4, 9, 0x99);
        break;
    case LOST_KEY:
        gap_session_set_key(w.s, w.now, 1, 0);
        break;
    case BAD_MESSAGE:
        o = obj_bad(q.msg_id, q.seqno, once_cases[_i].code);
        break;
    case WRONG_SALT:
        o = obj32(obj32(obj64(obj_start(GAP_MT_BAD_SERVER_SALT), q.msg_id), 4), 48);
        obj64(o, 0x5555);
        break;
    case STATE:
        o = state_of_it(&w, q.msg_id, once_cases[_i].state);
        break;
    }
    bool is_content = once_cases[_i].what == LOST_SESSION;
    if (o != NULL) ck_assert_int_eq(world_say(&w, o, is_content), 0);
    bool ended = false;
    for (int kind = world_next(&w); kind > 0; kind = world_next(&w)) {
        if (kind != GAP_SESSION_FAILED) continue;
        ended = true;
        ck_assert_msg(w.ev.call == call && w.ev.status == GAP_E_DISCONNECTED, "%s", why);
    }
    ck_assert_msg(ended != once_cases[_i].again, "%s", why);
    world_flush(&w);
    struct sent *next = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_msg((next != NULL) == once_cases[_i].again, "%s", why);
    ck_assert_uint_eq(gap_session_pending(w.s), once_cases[_i].again ? 1 : 0);
    world_fini(&w);
}
END_TEST

START_TEST(what_had_not_gone_out_says_so)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call_with(&w, GAP_SESSION_NO_RESEND, 0);
    gap_session_disconnected(w.s);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, call);
    ck_assert_int_eq(w.ev.status, GAP_SESSION_E_UNSENT);
    /* Without a connection it waits for one. */
    call = world_call_with(&w, GAP_SESSION_NO_RESEND, 0);
    ck_assert_int_eq(world_next(&w), 0);
    gap_session_connected(w.s, w.now);
    world_flush(&w);
    ck_assert_ptr_nonnull(world_sent(&w, GAP_TL_UPDATES_GET_STATE));
    world_fini(&w);
}
END_TEST

/* ---- reconnecting ---- */

START_TEST(after_a_reconnect_everything_goes_out_once)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t unacked = world_call(&w), acked = world_call(&w);
    uint64_t gone = world_call_with(&w, GAP_SESSION_NO_RESEND, 0);
    world_flush(&w);
    uint64_t ids[3], seqnos[3];
    size_t n = 0;
    for (size_t i = 0; i < w.sent_count; i++) {
        if (w.sent[i].id != GAP_TL_UPDATES_GET_STATE) continue;
        ids[n] = w.sent[i].msg_id;
        seqnos[n++] = w.sent[i].seqno;
    }
    struct obj *ack = obj64(obj32(obj32(obj_start(GAP_MT_MSGS_ACK), GAP_TL_VECTOR), 1), ids[1]);
    ck_assert_int_eq(world_say(&w, ack, false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    int64_t session = w.packet.session_id;
    gap_session_disconnected(w.s);
    ck_assert_int_eq(world_flush(&w), 0); /* nothing without a connection */
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, gone);
    ck_assert_int_eq(w.ev.status, GAP_E_DISCONNECTED);
    w.now += 20 * SECOND;
    gap_session_connected(w.s, w.now);
    world_flush(&w);
    ck_assert_int_eq(w.packet.session_id, session);
    /* Under its own id and number, in a newer container. */
    struct sent *q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_eq(q->msg_id, ids[0]);
    ck_assert_uint_eq(q->seqno, seqnos[0]);
    ck_assert_uint_gt(q->container_id, ids[2]);
    size_t queries = 0;
    for (size_t i = 0; i < w.sent_count; i++) queries += w.sent[i].id == q->id;
    ck_assert_uint_eq(queries, 1);
    /* The acknowledged one is asked about if its answer does not come. */
    world_expire(&w, 2 * SECOND);
    world_flush(&w);
    struct sent *ask = world_sent(&w, GAP_MT_MSGS_STATE_REQ);
    ck_assert_ptr_nonnull(ask);
    ck_assert_uint_eq(gap_load32(ask->body + 8), 1);
    ck_assert_uint_eq(gap_load64(ask->body + 12), ids[1]);
    /* "Never heard of it": again, under a new id. */
    struct obj *info = obj64(obj_start(GAP_MT_MSGS_STATE_INFO), ask->msg_id);
    ck_assert_int_eq(world_say(&w, obj_bytes(info, "\x01", 1), false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_gt(q->msg_id, ids[2]);
    ck_assert_int_eq(world_say(&w, obj_true(q->msg_id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, acked);
    ck_assert_int_eq(world_say(&w, obj_true(ids[0]), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, unacked);
    world_fini(&w);
}
END_TEST

START_TEST(acks_of_a_lost_connection_go_out_again)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t answer = w.server_id;
    w.now += 30 * SECOND;
    world_flush(&w);
    ck_assert_ptr_nonnull(world_sent(&w, GAP_MT_MSGS_ACK));
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    gap_session_disconnected(w.s);
    gap_session_connected(w.s, w.now);
    world_call(&w);
    world_flush(&w);
    struct sent *ack = world_sent(&w, GAP_MT_MSGS_ACK);
    ck_assert_ptr_nonnull(ack);
    ck_assert_uint_eq(gap_load32(ack->body + 8), 2);
    ck_assert_uint_eq(gap_load64(ack->body + 12), w.server_id);
    ck_assert_uint_eq(gap_load64(ack->body + 20), answer);
    world_fini(&w);
}
END_TEST

START_TEST(an_old_id_is_not_used_again)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call(&w);
    world_flush(&w);
    uint64_t id = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    gap_session_disconnected(w.s);
    w.now += 151 * SECOND;
    gap_session_connected(w.s, w.now);
    world_flush(&w);
    struct sent *q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_gt(q->msg_id, id);
    ck_assert_int_eq(world_say(&w, obj_true(q->msg_id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, call);
    world_fini(&w);
}
END_TEST

START_TEST(an_answer_before_the_repeat_counts)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call(&w);
    world_flush(&w);
    uint64_t id = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    gap_session_disconnected(w.s);
    gap_session_connected(w.s, w.now);
    ck_assert_int_eq(world_say(&w, obj_true(id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, call);
    world_flush(&w);
    ck_assert_ptr_null(world_sent(&w, GAP_TL_UPDATES_GET_STATE));
    world_fini(&w);
}
END_TEST

/* ---- states and infos ---- */

static const struct {
    uint8_t first, second; /* info bytes of two asks; 0: none */
    bool again;
    bool new_id;
    const char *why;
} state_cases[] = {
    {1, 0, true, true, "forgotten"},
    {2, 0, true, true, "not received"},
    {3, 0, true, true, "id too high"},
    {4, 0, false, false, "received: wait"},
    {4 + 32, 4 + 32, false, false, "being worked on: wait"},
    {4 + 64, 0, false, false, "answered: it may be on its way"},
    {4 + 64, 4 + 64, true, false, "answered, and still nothing came: the same id again"},
    {7, 0, false, false, "no such state"},
};

START_TEST(states_decide_what_goes_out_again)
{
    struct world w;
    const char *why = state_cases[_i].why;

    world_init(&w);
    world_warm(&w);
    world_call(&w);
    world_flush(&w);
    uint64_t id = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    for (int ask = 0; ask < 2; ask++) {
        uint8_t info = ask == 0 ? state_cases[_i].first : state_cases[_i].second;
        if (info == 0) break;
        world_expire(&w, ask == 0 ? 10 * SECOND : 20 * SECOND);
        world_flush(&w);
        struct sent *req = world_sent(&w, GAP_MT_MSGS_STATE_REQ);
        ck_assert_msg(req != NULL, "%s", why);
        /* Of the wrong length: ignored. */
        struct obj *o = obj64(obj_start(GAP_MT_MSGS_STATE_INFO), req->msg_id + 4);
        ck_assert_int_eq(world_say(&w, obj_bytes(o, "\x01\x01", 2), false), 0);
        o = obj64(obj_start(GAP_MT_MSGS_STATE_INFO), req->msg_id);
        ck_assert_int_eq(world_say(&w, obj_bytes(o, &info, 1), false), 0);
        ck_assert_int_eq(world_next(&w), 0);
    }
    world_flush(&w);
    struct sent *q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_msg((q != NULL) == state_cases[_i].again, "%s", why);
    if (q != NULL) ck_assert_msg((q->msg_id != id) == state_cases[_i].new_id, "%s", why);
    world_fini(&w);
}
END_TEST

START_TEST(the_server_may_ask_and_tell)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call(&w);
    world_flush(&w);
    uint64_t query = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    uint64_t seen = w.server_id;

    /* Which of these came? */
    struct obj *o = obj32(obj32(obj_start(GAP_MT_MSGS_STATE_REQ), GAP_TL_VECTOR), 3);
    obj64(obj64(obj64(o, seen), seen - 8), seen + 400000);
    ck_assert_int_eq(world_say(&w, o, false), 0);
    uint64_t req = w.server_id;
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    struct sent *info = world_sent(&w, GAP_MT_MSGS_STATE_INFO);
    ck_assert_ptr_nonnull(info);
    ck_assert_uint_eq(gap_load64(info->body + 4), req);
    ck_assert_int_eq(memcmp(info->body + 12, "\x03\x04\x02\x03", 4), 0);

    /* An answer exists that it does not send: ask for it; if we have it, say so. */
    w.now += 31 * SECOND;
    world_flush(&w);
    o = obj64(obj64(obj_start(GAP_MT_MSG_DETAILED_INFO), query), seen + 800001);
    ck_assert_int_eq(world_say(&w, obj32(obj32(o, 100), 0), false), 0);
    o = obj64(obj_start(GAP_MT_MSG_NEW_DETAILED_INFO), seen);
    ck_assert_int_eq(world_say(&w, obj32(obj32(o, 100), 0), false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    struct sent *resend = world_sent(&w, GAP_MT_MSG_RESEND_REQ);
    ck_assert_ptr_nonnull(resend);
    ck_assert_uint_eq(gap_load32(resend->body + 8), 1);
    ck_assert_uint_eq(gap_load64(resend->body + 12), seen + 800001);
    struct sent *ack = world_sent(&w, GAP_MT_MSGS_ACK);
    ck_assert_ptr_nonnull(ack);
    ck_assert_uint_eq(gap_load64(ack->body + 12), seen);

    /* It wants our query again. */
    o = obj64(obj32(obj32(obj_start(GAP_MT_MSG_RESEND_REQ), GAP_TL_VECTOR), 1), query);
    ck_assert_int_eq(world_say(&w, o, false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    struct sent *q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_eq(q->msg_id, query);
    ck_assert_uint_ne(q->container_id, 0);

    /* It tells of itself that the query is lost. */
    o = obj64(obj32(obj32(obj_start(GAP_MT_MSGS_ALL_INFO), GAP_TL_VECTOR), 1), query);
    ck_assert_int_eq(world_say(&w, obj_bytes(o, "\x02", 1), false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_ptr_nonnull(q);
    ck_assert_int_eq(world_say(&w, obj_true(q->msg_id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, call);
    world_fini(&w);
}
END_TEST

START_TEST(pongs_come_bare_or_wrapped)
{
    struct world w;
    uint64_t ping[2];

    world_init(&w);
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        ck_assert_int_eq(gap_session_ping(w.s, 75, &ping[wrapped]), 0);
        world_flush(&w);
        struct sent *p = world_sent(&w, GAP_MT_PING_DELAY_DISCONNECT);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(gap_load32(p->body + 12), 75);
        ck_assert_uint_eq(p->seqno % 2, 0);
        struct obj *o = obj64(obj64(obj_start(GAP_MT_PONG), p->msg_id), ping[wrapped]);
        if (wrapped) o = obj_raw(obj64(obj_start(GAP_MT_RPC_RESULT), p->msg_id), o->data, o->len);
        ck_assert_int_eq(world_say(&w, o, false), 0);
        ck_assert_int_eq(world_next(&w), GAP_SESSION_PONG);
        ck_assert_uint_eq(w.ev.ping_id, ping[wrapped]);
    }
    ck_assert_uint_ne(ping[0], ping[1]);
    world_fini(&w);
}
END_TEST

START_TEST(an_answer_older_than_its_question_sets_the_clock)
{
    struct world w;

    world_init(&w);
    world_call(&w);
    world_flush(&w);
    world_server_clock(&w, -20);
    ck_assert_int_eq(world_say(&w, obj_true(w.sent[0].msg_id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_int_eq(gap_session_server_us(w.s, w.now) / 1000000, SERVER_EPOCH_S - 20);
    /* Ids go on rising all the same. */
    uint64_t last = w.sent[0].msg_id;
    world_call(&w);
    world_flush(&w);
    ck_assert_uint_gt(world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id, last);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("session_service");
    TCase *tc = tcase_create("service");

    tcase_add_loop_test(tc, bad_messages_go_out_again, 0, GAP_ARRAY_LEN(bad_cases));
    tcase_add_test(tc, endless_refusals_end);
    tcase_add_test(tc, messages_of_a_session_given_up_are_ignored);
    tcase_add_test(tc, a_wrong_salt_is_replaced);
    tcase_add_test(tc, future_salts_are_asked_for_rarely_and_used_in_time);
    tcase_add_test(tc, the_first_session_is_no_news);
    tcase_add_test(tc, a_lost_session_is_news);
    tcase_add_test(tc, after_a_reconnect_everything_goes_out_once);
    tcase_add_loop_test(tc, what_must_not_go_out_twice_ends_where_it_may_have, 0,
                        (int)GAP_ARRAY_LEN(once_cases));
    tcase_add_test(tc, what_had_not_gone_out_says_so);
    tcase_add_test(tc, acks_of_a_lost_connection_go_out_again);
    tcase_add_test(tc, an_old_id_is_not_used_again);
    tcase_add_test(tc, an_answer_before_the_repeat_counts);
    tcase_add_loop_test(tc, states_decide_what_goes_out_again, 0, GAP_ARRAY_LEN(state_cases));
    tcase_add_test(tc, the_server_may_ask_and_tell);
    tcase_add_test(tc, pongs_come_bare_or_wrapped);
    tcase_add_test(tc, an_answer_older_than_its_question_sets_the_clock);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
