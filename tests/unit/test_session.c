/* The session's sending side: ids, numbers, containers, packing, acks, requests and repeats. */
#include "tests/unit/session_world.h"

#define UPDATES_TOO_LONG 0xe317af7eU

START_TEST(ids_rise_and_tell_the_time)
{
    struct world w;
    uint64_t last = 0;

    world_init(&w);
    for (int i = 0; i < 200; i++) {
        world_call(&w);
        world_flush(&w);
        uint64_t id = w.sent[0].msg_id;
        ck_assert_uint_eq(id % 4, 0);
        ck_assert_uint_gt(id, last);
        ck_assert_int_eq((int64_t)(id >> 32),
                         SERVER_EPOCH_S + (int64_t)((w.now - START_US) / SECOND));
        last = id;
        w.now += i % 3 == 0 ? 0 : 77777;
    }
    world_fini(&w);
}
END_TEST

START_TEST(numbers_follow_the_content)
{
    struct world w;

    world_init(&w);
    world_warm(&w); /* one query sent: number 1 */
    w.now += 40 * SECOND;
    world_call(&w);
    world_call(&w);
    ck_assert_int_eq(world_flush(&w), 1);
    struct sent *ack = world_sent(&w, GAP_MT_MSGS_ACK);
    ck_assert_ptr_nonnull(ack);
    ck_assert_uint_eq(ack->seqno, 2); /* even: twice the queries so far */
    size_t queries = 0;
    for (size_t i = 0; i < w.sent_count; i++) {
        ck_assert_uint_gt(w.sent[i].container_id, w.sent[i].msg_id);
        ck_assert_uint_eq(w.sent[i].container_seqno, 6);
        if (i > 0) ck_assert_uint_gt(w.sent[i].msg_id, w.sent[i - 1].msg_id);
        if (w.sent[i].id == GAP_TL_UPDATES_GET_STATE)
            ck_assert_uint_eq(w.sent[i].seqno, 3 + 2 * queries++);
    }
    ck_assert_uint_eq(queries, 2);
    world_fini(&w);
}
END_TEST

START_TEST(first_queries_say_who_we_are)
{
    struct world w;

    world_init(&w);
    world_call(&w);
    world_flush(&w);
    ck_assert_uint_eq(w.sent[0].id, GAP_TL_INVOKE_WITH_LAYER);
    gap_tl_invoke_with_layer_t with_layer;
    gap_tl_init_connection_t init;
    ck_assert_int_gt(gap_tl_read(gap_bytes(w.sent[0].body, w.sent[0].len), GAP_TL_INVOKE_WITH_LAYER,
                                 &with_layer, sizeof with_layer),
                     0);
    ck_assert_int_eq(with_layer.layer, 227);
    ck_assert_int_gt(GAP_TL_READ(with_layer.query, GAP_TL_INIT_CONNECTION, &init), 0);
    ck_assert_int_eq(init.api_id, 12345);
    ck_assert(gap_bytes_equal(init.device_model, gap_str("model")));
    ck_assert(gap_bytes_equal(init.lang_pack, gap_str("")));
    ck_assert_uint_eq(init.query.id, GAP_TL_UPDATES_GET_STATE);
    uint64_t first = w.sent[0].msg_id;

    /* An error is no success: the next one is wrapped as well. */
    ck_assert_int_eq(world_say(&w, obj_error(first, 401, "AUTH_KEY_UNREGISTERED"), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_ERROR);
    ck_assert(w.ev.unauthorized);
    world_call(&w);
    world_flush(&w);
    struct sent *q = world_sent(&w, GAP_TL_INVOKE_WITH_LAYER);
    ck_assert_ptr_nonnull(q);
    ck_assert_int_eq(world_say(&w, obj_true(q->msg_id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);

    /* After the first answer they go bare, until the server says that it forgot us. */
    uint64_t call = world_call(&w);
    world_flush(&w);
    q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
    ck_assert_ptr_nonnull(q);
    ck_assert_int_eq(world_say(&w, obj_error(q->msg_id, 400, "CONNECTION_NOT_INITED"), true), 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_flush(&w);
    q = world_sent(&w, GAP_TL_INVOKE_WITH_LAYER);
    ck_assert_ptr_nonnull(q);
    ck_assert_int_eq(world_say(&w, obj_true(q->msg_id), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, call);
    world_fini(&w);
}
END_TEST

START_TEST(without_updates_goes_inside)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    world_call_with(&w, GAP_SESSION_WITHOUT_UPDATES, 0);
    world_flush(&w);
    struct sent *q = world_sent(&w, GAP_TL_INVOKE_WITHOUT_UPDATES);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_eq(gap_load32(q->body + 4), GAP_TL_UPDATES_GET_STATE);
    world_fini(&w);
}
END_TEST

static const struct {
    size_t text;
    bool same; /* every byte alike, or noise */
    bool packed;
    const char *why;
} pack_cases[] = {
    {200, true, false, "short queries are not worth it"},
    {1000, true, true, "a long text of one letter shrinks"},
    {1000, false, false, "noise does not"},
    {60000, true, true, "up to the limit"},
    {70000, true, false, "beyond it packing would take too long"},
};

START_TEST(long_queries_are_packed)
{
    static uint8_t query[80000];
    struct world w;
    uint64_t call;
    size_t len = pack_cases[_i].text;
    gap_prng_t prng = {1};

    world_init(&w);
    world_warm(&w);
    gap_store32(query, GAP_TL_HELP_SAVE_APP_LOG);
    for (size_t i = 4; i < len; i++)
        query[i] = pack_cases[_i].same ? 'x' : (uint8_t)gap_prng_next(&prng);
    struct gap_session_request q = {.query = {query, len / 4 * 4}, .deadline_us = UINT64_MAX};
    ck_assert_int_eq(gap_session_call(w.s, &q, &call), 0);
    world_flush(&w);
    struct sent *packed = world_sent(&w, GAP_MT_GZIP_PACKED);
    ck_assert_msg((packed != NULL) == pack_cases[_i].packed, "%s", pack_cases[_i].why);
    struct sent *plain = world_sent(&w, GAP_TL_HELP_SAVE_APP_LOG);
    ck_assert_msg((plain != NULL) == !pack_cases[_i].packed, "%s", pack_cases[_i].why);
    if (packed != NULL) {
        gap_mt_gzip_packed_t g;
        gap_gzip_t z;
        gap_packet_t *p;
        ck_assert_uint_lt(packed->len, len);
        ck_assert_uint_eq(packed->seqno % 2, 1);
        ck_assert_int_eq(
            gap_tl_read(gap_bytes(packed->body, packed->len), GAP_MT_GZIP_PACKED, &g, sizeof g),
            (int64_t)packed->len);
        gap_gzip_init(&z, gap_alloc_default());
        ck_assert_int_eq(gap_inflate(&z, g.packed_data, sizeof query, &p), 0);
        ck_assert(gap_bytes_equal(gap_bytes(p->data, p->len), q.query));
        gap_packet_unref(p);
        gap_gzip_fini(&z);
    }
    world_fini(&w);
}
END_TEST

START_TEST(containers_are_bounded)
{
    static uint8_t query[20000];
    struct world w;
    uint64_t call;
    struct gap_session_request q = {.query = {query, sizeof query}, .deadline_us = UINT64_MAX};
    gap_prng_t prng = {3};

    world_init(&w);
    for (size_t i = 0; i < sizeof query; i++) query[i] = (uint8_t)gap_prng_next(&prng);
    gap_store32(query, GAP_TL_HELP_SAVE_APP_LOG);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(gap_session_call(w.s, &q, &call), 0);
    /* 20,000 bytes each, 32,768 a container. */
    ck_assert_int_eq(world_flush(&w), 5);
    for (size_t i = 0; i < 5; i++) ck_assert_uint_eq(w.sent[i].container_id, 0);
    world_fini(&w);

    world_init(&w);
    uint64_t first = 0;
    for (unsigned i = 0; i < 2500; i++) {
        uint64_t c = world_call_with(&w, 0, 0);
        if (first == 0) first = c;
    }
    ck_assert_uint_eq(gap_session_pending(w.s), 2500);
    unsigned total = 0;
    while (gap_session_poll(w.s, w.now, &w.body, &w.packet) == 1) {
        ck_assert_uint_eq(gap_load32(w.packet.body.data), GAP_MT_MSG_CONTAINER);
        unsigned n = gap_load32(w.packet.body.data + 4);
        ck_assert_uint_le(n, GAP_SESSION_CONTAINER_MAX);
        ck_assert_uint_le(w.packet.body.len, GAP_SESSION_CONTAINER_BYTES + 8);
        total += n;
    }
    ck_assert_uint_eq(total, 2500);
    world_fini(&w);
}
END_TEST

START_TEST(requests_are_bounded)
{
    static uint8_t query[1000000 + 4];
    struct world w;
    uint64_t call = 77;
    struct gap_session_request q = {.query = {query, sizeof query}, .deadline_us = UINT64_MAX};

    world_init(&w);
    gap_store32(query, GAP_TL_HELP_SAVE_APP_LOG);
    ck_assert_int_eq(gap_session_call(w.s, &q, &call), GAP_E_LIMIT); /* one too long */
    q.query.len -= 4;
    int n = 0;
    while (gap_session_call(w.s, &q, &call) == 0) n++;
    ck_assert_int_eq(n, GAP_SESSION_REQUEST_BYTES_MAX / 1000000);
    world_fini(&w);

    world_init(&w);
    q.query.len = 4;
    for (n = 0; gap_session_call(w.s, &q, &call) == 0;) n++;
    ck_assert_int_eq(n, (int)GAP_SESSION_REQUESTS_MAX);
    /* Nothing of it is out of reach. */
    gap_session_cancel_all(w.s, GAP_E_CLOSED);
    for (; world_next(&w) == GAP_SESSION_FAILED; n--) ck_assert_int_eq(w.ev.status, GAP_E_CLOSED);
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(gap_session_pending(w.s), 0);
    world_fini(&w);
}
END_TEST

/* ---- acknowledgements ---- */

START_TEST(acks_wait_for_time_number_or_company)
{
    struct world w;
    uint64_t ids[100];

    world_init(&w);
    world_warm(&w);
    world_call(&w);
    world_flush(&w); /* takes the ack of the first answer with it */
    ck_assert_ptr_nonnull(world_sent(&w, GAP_MT_MSGS_ACK));

    /* An even number is not acknowledged. */
    ck_assert_int_eq(world_say(&w, obj_start(UPDATES_TOO_LONG), false), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    w.now += 31 * SECOND;
    gap_session_expire(w.s, w.now); /* asks about the silent query */
    world_flush(&w);
    ck_assert_ptr_null(world_sent(&w, GAP_MT_MSGS_ACK));

    ck_assert_int_eq(world_say(&w, obj_start(UPDATES_TOO_LONG), true), 0);
    ck_assert_int_eq(world_flush(&w), 0);
    ck_assert_uint_le(gap_session_deadline_us(w.s), w.now + 30 * SECOND);
    w.now += 29 * SECOND;
    ck_assert_int_eq(world_flush(&w), 0);
    w.now += 1 * SECOND;
    ck_assert_int_eq(world_flush(&w), 1); /* 30 s */
    ck_assert_uint_eq(w.sent[0].id, GAP_MT_MSGS_ACK);
    ck_assert_uint_eq(w.sent[0].len, 12 + 8);
    ck_assert_uint_eq(gap_load64(w.sent[0].body + 12), w.server_id);

    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(world_flush(&w), 0);
        ck_assert_int_eq(world_say(&w, obj_start(UPDATES_TOO_LONG), true), 0);
        ids[i] = w.server_id;
    }
    ck_assert_int_eq(world_flush(&w), 1); /* 100 */
    ck_assert_uint_eq(w.sent[0].len, 12 + 800);
    ck_assert_int_eq(memcmp(w.sent[0].body + 12, ids, sizeof ids), 0);
    world_fini(&w);
}
END_TEST

/* ---- the life of a request ---- */

START_TEST(answers_end_requests)
{
    struct world w;

    world_init(&w);
    uint64_t a = world_call(&w), b = world_call(&w);
    world_flush(&w);
    uint64_t id_a = w.sent[0].msg_id, id_b = w.sent[1].msg_id;
    ck_assert_int_eq(world_say(&w, obj_true(id_b), true), 0);
    ck_assert_int_eq(world_say(&w, obj_start(UPDATES_TOO_LONG), true), 0);
    ck_assert_int_eq(world_say(&w, obj_error(id_a, 400, "PEER_ID_INVALID"), true), 0);
    ck_assert_int_eq(world_say(&w, obj_true(id_a), true), 0); /* twice answered */
    /* In the order of arrival, updates among them. */
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, b);
    ck_assert_uint_eq(w.ev.value.len, 4);
    ck_assert_uint_eq(gap_load32(w.ev.value.data), GAP_MT_BOOL_TRUE);
    ck_assert_ptr_nonnull(w.ev.packet);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_ERROR);
    ck_assert_uint_eq(w.ev.call, a);
    ck_assert_int_eq(w.ev.code, 400);
    ck_assert(gap_bytes_equal(w.ev.name, gap_str("PEER_ID_INVALID")));
    ck_assert_int_eq(world_next(&w), 0);
    ck_assert_uint_eq(gap_session_pending(w.s), 0);
    world_fini(&w);
}
END_TEST

START_TEST(cancelled_requests_tell_the_server)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t queued = world_call(&w);
    ck_assert(gap_session_cancel(w.s, queued, -125));
    ck_assert(!gap_session_cancel(w.s, queued, -125));
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_int_eq(w.ev.status, -125);
    world_flush(&w);
    ck_assert_ptr_null(world_sent(&w, GAP_TL_UPDATES_GET_STATE));
    ck_assert_ptr_null(world_sent(&w, GAP_MT_RPC_DROP_ANSWER));

    uint64_t sent = world_call(&w);
    world_flush(&w);
    uint64_t id = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    ck_assert(gap_session_cancel(w.s, sent, -125));
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, sent);
    world_flush(&w);
    struct sent *drop = world_sent(&w, GAP_MT_RPC_DROP_ANSWER);
    ck_assert_ptr_nonnull(drop);
    ck_assert_uint_eq(gap_load64(drop->body + 4), id);
    /* Whatever the server says about it, nobody hears it. */
    ck_assert_int_eq(world_say(&w, obj_true(id), true), 0);
    struct obj *o = obj64(obj_start(GAP_MT_RPC_RESULT), drop->msg_id);
    ck_assert_int_eq(world_say(&w, obj32(o, GAP_MT_RPC_ANSWER_DROPPED_RUNNING), true), 0);
    ck_assert_int_eq(world_say(&w, obj_start(GAP_MT_RPC_ANSWER_UNKNOWN), false), 0);
    ck_assert_int_eq(world_next(&w), 0);
    world_fini(&w);
}
END_TEST

START_TEST(requests_time_out)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call_with(&w, 0, 5 * SECOND);
    world_flush(&w);
    ck_assert_uint_eq(gap_session_deadline_us(w.s), w.now + 5 * SECOND);
    world_expire(&w, 5 * SECOND - 1);
    ck_assert_int_eq(world_next(&w), 0);
    world_expire(&w, 1);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, call);
    ck_assert_int_eq(w.ev.status, GAP_E_TIMEOUT);
    world_flush(&w);
    ck_assert_ptr_nonnull(world_sent(&w, GAP_MT_RPC_DROP_ANSWER));
    world_fini(&w);
}
END_TEST

/* ---- errors that are repeated ---- */

static const struct {
    int32_t code;
    const char *text;
    uint32_t flags;
    uint64_t timeout_s;
    unsigned wait_s; /* until it goes out again; 0: handed up */
    const char *name;
    int32_t number;
    const char *why;
} error_cases[] = {
    {420, "FLOOD_WAIT_7", 0, 0, 7, NULL, 0, "waited for and repeated"},
    {420, "FLOOD_WAIT_0", 0, 0, 1, NULL, 0, "0 is 1"},
    {420, "FLOOD_PREMIUM_WAIT_3", 0, 0, 3, NULL, 0, "waited for as well"},
    {420, "FLOOD_WAIT_60", 0, 0, 60, NULL, 0, "the longest wait"},
    {420, "FLOOD_WAIT_61", 0, 0, 0, "FLOOD_WAIT", 61, "too long to wait in silence"},
    {420, "FLOOD_WAIT_7", GAP_SESSION_NO_FLOOD_REPEAT, 0, 0, "FLOOD_WAIT", 7, "forbidden"},
    {420, "FLOOD_WAIT_7", 0, 5, 0, "FLOOD_WAIT", 7, "it would time out before"},
    {420, "SLOWMODE_WAIT_5", 0, 0, 0, "SLOWMODE_WAIT", 5, "that is about one chat"},
    {420, "FROZEN_METHOD_INVALID", 0, 0, 0, "FROZEN_METHOD_INVALID", 0, "waiting does not help"},
    {500, "RPC_CALL_FAIL", 0, 0, 1, NULL, 0, "the server failed"},
    {500, "RPC_CALL_FAIL", GAP_SESSION_NO_ERROR_REPEAT, 0, 0, "RPC_CALL_FAIL", 0, "forbidden"},
    {500, "AUTH_RESTART", 0, 0, 0, "AUTH_RESTART", 0, "the sign-in begins anew"},
    {-503, "Timeout", 0, 0, 1, NULL, 0, "the backend did not answer"},
    {-500, "No workers running", 0, 0, 1, NULL, 0, "negative codes are like 500"},
    {501, "METHOD_UNKNOWN", 0, 0, 0, "METHOD_UNKNOWN", 0, "it will not appear"},
    {303, "PHONE_MIGRATE_4", 0, 0, 0, "PHONE_MIGRATE", 4, "the caller moves"},
    {400, "FILE_PART_3_MISSING", 0, 0, 0, "FILE_PART_3_MISSING", 0, "no number at the end"},
    {400, "123456789012", 0, 0, 0, "123456789012", 0, "digits alone are a name"},
    {400, "", 0, 0, 0, "", 0, "an empty text is a text"},
    {401, "SESSION_PASSWORD_NEEDED", 0, 0, 0, "SESSION_PASSWORD_NEEDED", 0, "go on with SRP"},
    {406, "AUTH_KEY_DUPLICATED", 0, 0, 0, "AUTH_KEY_DUPLICATED", 0, "the key is dead"},
};

START_TEST(errors_are_repeated_or_handed_up)
{
    struct world w;
    const char *why = error_cases[_i].why;

    world_init(&w);
    world_warm(&w);
    uint64_t call = world_call_with(&w, error_cases[_i].flags, error_cases[_i].timeout_s * SECOND);
    world_flush(&w);
    uint64_t id = world_sent(&w, GAP_TL_UPDATES_GET_STATE)->msg_id;
    struct obj *o = obj_error(id, error_cases[_i].code, error_cases[_i].text);
    ck_assert_int_eq(world_say(&w, o, true), 0);
    if (error_cases[_i].wait_s == 0) {
        ck_assert_msg(world_next(&w) == GAP_SESSION_ERROR, "%s", why);
        ck_assert_uint_eq(w.ev.call, call);
        ck_assert_int_eq(w.ev.code, error_cases[_i].code);
        ck_assert_msg(gap_bytes_equal(w.ev.name, gap_str(error_cases[_i].name)), "%s", why);
        ck_assert_int_eq(w.ev.number, error_cases[_i].number);
        ck_assert(gap_bytes_equal(w.ev.text, gap_str(error_cases[_i].text)));
        ck_assert_int_eq(w.ev.unauthorized, error_cases[_i].code == 406);
    } else {
        ck_assert_msg(world_next(&w) == 0, "%s", why);
        uint64_t due = w.now + error_cases[_i].wait_s * SECOND;
        ck_assert_msg(gap_session_deadline_us(w.s) <= due, "%s", why);
        world_expire(&w, error_cases[_i].wait_s * SECOND - 1);
        world_flush(&w);
        ck_assert_msg(world_sent(&w, GAP_TL_UPDATES_GET_STATE) == NULL, "%s", why);
        world_expire(&w, 1);
        world_flush(&w);
        struct sent *again = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
        ck_assert_msg(again != NULL && again->msg_id > id, "%s", why);
    }
    world_fini(&w);
}
END_TEST

START_TEST(server_failures_are_repeated_for_a_minute)
{
    static const unsigned waits[] = {1, 2, 4, 8, 16}; /* 32 more would be 63 s */
    struct world w;

    world_init(&w);
    world_warm(&w);
    world_call(&w);
    for (size_t i = 0; i <= GAP_ARRAY_LEN(waits); i++) {
        world_flush(&w);
        struct sent *q = world_sent(&w, GAP_TL_UPDATES_GET_STATE);
        ck_assert_msg(q != NULL, "repeat %zu", i);
        ck_assert_int_eq(world_say(&w, obj_error(q->msg_id, 500, "RPC_CALL_FAIL"), true), 0);
        if (i == GAP_ARRAY_LEN(waits)) break;
        ck_assert_int_eq(world_next(&w), 0);
        world_expire(&w, waits[i] * SECOND);
    }
    ck_assert_int_eq(world_next(&w), GAP_SESSION_ERROR);
    world_fini(&w);
}
END_TEST

/* ---- out of memory ---- */

/* A life with everything in it. @return 0, or GAP_E_NOMEM somewhere on the way. */
static int whole_life(struct world *w)
{
    static uint8_t query[1000];
    struct gap_session_request q = {.query = {query, 1000}, .deadline_us = UINT64_MAX};
    uint64_t call, ping;
    int r;

    gap_store32(query, GAP_TL_HELP_SAVE_APP_LOG);
    gap_session_set_key(w->s, w->now, SALT, SERVER_EPOCH_S);
    gap_session_connected(w->s, w->now);
    if ((r = gap_session_ping(w->s, 75, &ping)) != 0) return r;
    if ((r = gap_session_call(w->s, &q, &call)) != 0) return r;
    q.query.len = 4;
    if ((r = gap_session_call(w->s, &q, &call)) != 0) return r;
    w->sent_count = 0;
    while ((r = world_poll(w)) == 1) {
    }
    if (r != 0) return r;
    struct obj *c = obj_container(3);
    obj_member(c, world_server_id(w, true), 1, obj_true(w->sent[1].msg_id));
    obj_member(c, world_server_id(w, false), 3, obj_pack(query, sizeof query));
    obj_member(c, world_server_id(w, false), 0,
               obj64(obj32(obj32(obj_start(GAP_MT_MSGS_STATE_REQ), GAP_TL_VECTOR), 1), 3));
    if ((r = world_feed(w, world_server_id(w, true), 4, c->data, c->len)) != 0) return r;
    while ((r = gap_session_next(w->s, w->now, &w->ev)) == 1) {
    }
    if (r != 0) return r;
    w->now += 40 * SECOND;
    gap_session_expire(w->s, w->now);
    while ((r = world_poll(w)) == 1) {
    }
    return r;
}

START_TEST(every_allocation_may_fail)
{
    long n = 1;

    for (;; n++) {
        struct world w;
        int r = world_try_init(&w, n);
        if (r == 0)
            r = whole_life(&w);
        else
            w.s = NULL;
        bool all = w.alloc.calls < n;
        if (!all) {
            ck_assert_msg(r == GAP_E_NOMEM || r == 0, "allocation %ld gave %d", n, r);
            w.alloc.fail_at = 0;
        }
        if (r != 0 && w.s != NULL) {
            /* What is left still works. */
            gap_session_disconnected(w.s);
            gap_session_connected(w.s, w.now);
            w.sent_count = 0;
            while ((r = world_poll(&w)) == 1) {
            }
            ck_assert_int_eq(r, 0);
            while ((r = gap_session_next(w.s, w.now, &w.ev)) == 1) {
            }
            ck_assert_int_eq(r, 0);
        }
        world_fini(&w);
        if (all) break;
    }
    ck_assert_int_gt(n, 15);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("sending");

    tcase_add_test(tc, ids_rise_and_tell_the_time);
    tcase_add_test(tc, numbers_follow_the_content);
    tcase_add_test(tc, first_queries_say_who_we_are);
    tcase_add_test(tc, without_updates_goes_inside);
    tcase_add_loop_test(tc, long_queries_are_packed, 0, GAP_ARRAY_LEN(pack_cases));
    tcase_add_test(tc, containers_are_bounded);
    tcase_add_test(tc, requests_are_bounded);
    tcase_add_test(tc, acks_wait_for_time_number_or_company);
    tcase_add_test(tc, answers_end_requests);
    tcase_add_test(tc, cancelled_requests_tell_the_server);
    tcase_add_test(tc, requests_time_out);
    tcase_add_loop_test(tc, errors_are_repeated_or_handed_up, 0, GAP_ARRAY_LEN(error_cases));
    tcase_add_test(tc, server_failures_are_repeated_for_a_minute);
    tcase_add_test(tc, every_allocation_may_fail);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
