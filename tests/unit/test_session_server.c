/* The session's receiving side: what is refused, time, duplicates, containers, packed messages. */
#include "mtproto/session_internal.h"
#include "tests/unit/hex.h"
#include "tests/unit/session_world.h"
#include "tests/unit/vectors_mtproto.h"

#define TOO_LONG obj_start(GAP_TL_UPDATES_TOO_LONG)

/* ---- packets that are refused ---- */

START_TEST(invalid_packets_are_refused)
{
    static uint8_t bytes[8192];
    const struct vector_invalid *v = &vectors_invalid[_i];
    gap_auth_key_t key;
    gap_crypto_t crypto;
    gap_plaintext_t m;
    struct world w;
    gap_packet_t *p;

    world_init(&w);
    ck_assert_int_eq(gap_crypto_init(&crypto), 0);
    hex_exactly(vector_exchange.auth_key, key.key, sizeof key.key);
    ck_assert_int_eq(gap_auth_key_derive(&crypto, &key), 0);
    w.s->id = hex_u64(vector_invalid_session);
    gap_session_set_key(w.s, w.now, SALT, vector_invalid_time);
    w.s->id = hex_u64(vector_invalid_session);
    size_t n = hex_to(v->packet, bytes, sizeof bytes);
    ck_assert_int_eq(gap_packet_copy(&w.alloc.alloc, gap_bytes(bytes, n), &p), 0);
    int r = gap_message_open(&crypto, &key, GAP_TO_CLIENT, p->data, p->len, &m);
    if (v->in_session) {
        ck_assert_int_eq(r, 0);
        r = gap_session_receive(w.s, w.now, &m, p);
        ck_assert_msg(r == GAP_E_PROTOCOL, "%s: %s", v->name, v->why);
    } else {
        ck_assert_msg(r == GAP_E_CRYPTO, "%s: %s", v->name, v->why);
    }
    ck_assert_int_eq(world_next(&w), 0);
    gap_packet_unref(p);
    gap_crypto_fini(&crypto);
    world_fini(&w);
}
END_TEST

START_TEST(only_this_session_and_odd_ids)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t id = world_server_id(&w, false);
    for (uint64_t low = 0; low <= 2; low += 2)
        ck_assert_int_eq(world_feed(&w, (id & ~UINT64_C(3)) | low, 1, "\x7e\xaf\x17\xe3", 4),
                         GAP_E_PROTOCOL);
    w.server_session = 12345;
    ck_assert_int_eq(world_feed(&w, id, 1, "\x7e\xaf\x17\xe3", 4), GAP_E_PROTOCOL);
    ck_assert_int_eq(world_next(&w), 0);
    w.server_session = 0;
    ck_assert_int_eq(world_feed(&w, id, 1, "\x7e\xaf\x17\xe3", 4), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    /* Nothing of a length that no TL object has. */
    ck_assert_int_eq(world_feed(&w, world_server_id(&w, false), 1, "", 0), GAP_E_PROTOCOL);
    ck_assert_int_eq(world_feed(&w, world_server_id(&w, false), 1, "abcdef", 6), GAP_E_PROTOCOL);
    world_fini(&w);
}
END_TEST

static const struct {
    int64_t ahead_s;
    int result;
    const char *why;
} time_cases[] = {
    {0, 0, "now"},
    {-299, 0, "old enough"},
    {-301, GAP_E_PROTOCOL, "too old"},
    {29, 0, "a little ahead"},
    {32, GAP_E_PROTOCOL, "too far ahead"},
};

START_TEST(messages_have_their_time)
{
    struct world w;
    int64_t s = time_cases[_i].ahead_s;
    struct obj *o = TOO_LONG;

    world_init(&w);
    world_call(&w);
    world_flush(&w);
    world_server_clock(&w, s);
    int r = world_say(&w, o, true);
    ck_assert_msg(r == time_cases[_i].result, "%s", time_cases[_i].why);
    /* What is ahead tells that our clock is behind. */
    int64_t ours = gap_session_server_us(w.s, w.now) / 1000000 - SERVER_EPOCH_S;
    ck_assert_int_eq(ours, r == 0 && s > 0 ? s : 0);
    world_fini(&w);
}
END_TEST

START_TEST(a_clock_that_stood_still_is_set)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    world_server_clock(&w, 3600);
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), GAP_E_PROTOCOL);
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), GAP_E_PROTOCOL);
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), 0);
    ck_assert_int_ge(gap_session_server_us(w.s, w.now) / 1000000, SERVER_EPOCH_S + 3600);

    /* Told beforehand, the first message is believed. */
    gap_session_unsync(w.s);
    world_server_clock(&w, 7200);
    ck_assert_int_eq(world_say(&w, TOO_LONG, true), 0);
    world_fini(&w);
}
END_TEST

/* ---- duplicates ---- */

START_TEST(duplicates_are_acknowledged_and_dropped)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    w.now += 31 * SECOND;
    world_flush(&w); /* the warm-up's ack is out */
    struct obj *o = TOO_LONG;
    ck_assert_int_eq(world_say(&w, o, true), 0);
    uint64_t id = w.server_id;
    ck_assert_int_eq(world_say(&w, o, true), 0);
    ck_assert_int_eq(world_feed(&w, id, 1, o->data, o->len), GAP_SESSION_IGNORED);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    ck_assert_int_eq(world_next(&w), 0);
    w.now += 31 * SECOND;
    world_flush(&w);
    struct sent *ack = world_sent(&w, GAP_MT_MSGS_ACK);
    ck_assert_ptr_nonnull(ack);
    ck_assert_uint_eq(gap_load32(ack->body + 8), 3);
    ck_assert_uint_eq(gap_load64(ack->body + 12 + 16), id);

    /* The same message in a container with a new id is still the same. */
    struct obj *c = obj_member(obj_container(1), id, 1, o);
    ck_assert_int_eq(world_say(&w, c, false), 0);
    ck_assert_int_eq(world_next(&w), 0);

    /* Whoever is older than the whole window counts as seen. */
    for (unsigned i = 0; i < GAP_SESSION_WINDOW + 10; i++) {
        ck_assert_int_eq(world_say(&w, o, false), 0);
        ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    }
    ck_assert_int_eq(world_feed(&w, id, 1, o->data, o->len), GAP_SESSION_IGNORED);
    ck_assert_int_eq(world_feed(&w, id - 4, 1, o->data, o->len), GAP_SESSION_IGNORED);
    world_fini(&w);
}
END_TEST

START_TEST(older_but_new_is_taken)
{
    struct world w;

    world_init(&w);
    world_warm(&w);
    uint64_t late = world_server_id(&w, false);
    struct obj *o = TOO_LONG;
    ck_assert_int_eq(world_say(&w, o, true), 0);
    ck_assert_int_eq(world_feed(&w, late, 1, o->data, o->len), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    world_fini(&w);
}
END_TEST

/* ---- containers ---- */

enum container_form {
    C_EMPTY,
    C_TWO,
    C_NESTED,
    C_NESTED_PACKED,
    C_EVEN_MEMBER,
    C_COUNT_MORE,
    C_COUNT_LESS,
    C_COUNT_HUGE,
    C_LENGTH_ODD,
    C_LENGTH_BEYOND,
    C_LENGTH_ZERO,
    C_LENGTH_NEGATIVE,
    C_CUT,
    C_ONLY_ID,
    C_1024,
    C_1025,
};

static const struct {
    enum container_form form;
    int result;
    int updates;
    const char *why;
} container_cases[] = {
    {C_EMPTY, 0, 0, "an empty one is legal"},
    {C_TWO, 0, 2, "two messages, in their order"},
    {C_NESTED, GAP_E_PROTOCOL, 0, "no container in a container"},
    {C_NESTED_PACKED, 0, 0, "not even a packed one"},
    {C_EVEN_MEMBER, GAP_E_PROTOCOL, 0, "refused as a whole for one even id"},
    {C_COUNT_MORE, GAP_E_PROTOCOL, 0, "fewer messages than it says"},
    {C_COUNT_LESS, GAP_E_PROTOCOL, 0, "more messages than it says"},
    {C_COUNT_HUGE, GAP_E_PROTOCOL, 0, "four billion messages"},
    {C_LENGTH_ODD, GAP_E_PROTOCOL, 0, "a length that is no multiple of 4"},
    {C_LENGTH_BEYOND, GAP_E_PROTOCOL, 0, "a length beyond the end"},
    {C_LENGTH_ZERO, GAP_E_PROTOCOL, 0, "a message of nothing"},
    {C_LENGTH_NEGATIVE, GAP_E_PROTOCOL, 0, "a length of minus four"},
    {C_CUT, GAP_E_PROTOCOL, 0, "cut in a message's head"},
    {C_ONLY_ID, GAP_E_PROTOCOL, 0, "no count"},
    {C_1024, 0, 1024, "as many as servers send"},
    {C_1025, GAP_E_PROTOCOL, 0, "one more"},
};

static struct obj *make_container(struct world *w, enum container_form form)
{
    uint32_t many = form == C_1024 ? 1024 : form == C_1025 ? 1025 : 2;
    struct obj *c = obj_container(form == C_EMPTY ? 0 : many);

    if (form == C_EMPTY) return c;
    struct obj *o = TOO_LONG;
    for (uint32_t i = 0; i < many; i++) obj_member(c, world_server_id(w, false), 1, o);
    uint8_t *last = c->data + 8 + 20; /* of two */
    switch (form) {
    case C_NESTED:
        gap_store32(last + 16, GAP_MT_MSG_CONTAINER);
        break;
    case C_NESTED_PACKED: {
        struct obj *inner = obj_container(0);
        struct obj *packed = obj_pack(inner->data, inner->len);
        c = obj_member(obj_container(1), world_server_id(w, false), 1, packed);
        break;
    }
    case C_EVEN_MEMBER:
        last[0] &= 0xfe;
        break;
    case C_COUNT_MORE:
        gap_store32(c->data + 4, 3);
        break;
    case C_COUNT_LESS:
        gap_store32(c->data + 4, 1);
        break;
    case C_COUNT_HUGE:
        gap_store32(c->data + 4, 0xffffffff);
        break;
    case C_LENGTH_ODD:
        gap_store32(last + 12, 3);
        break;
    case C_LENGTH_BEYOND:
        gap_store32(last + 12, 8);
        break;
    case C_LENGTH_ZERO:
        gap_store32(last + 12, 0);
        break;
    case C_LENGTH_NEGATIVE:
        gap_store32(last + 12, 0xfffffffc);
        break;
    case C_CUT:
        c->len -= 12;
        break;
    case C_ONLY_ID:
        c->len = 4;
        break;
    default:
        break;
    }
    return c;
}

START_TEST(containers_are_taken_or_refused_as_a_whole)
{
    struct world w;
    const char *why = container_cases[_i].why;
    int updates = 0, r;

    world_init(&w);
    world_warm(&w);
    w.now += 31 * SECOND;
    world_flush(&w);
    struct obj *c = make_container(&w, container_cases[_i].form);
    r = world_feed(&w, world_server_id(&w, false), 0, c->data, c->len);
    ck_assert_msg(r == container_cases[_i].result, "%s: %d", why, r);
    while ((r = (int)world_next(&w)) != 0) {
        if (container_cases[_i].form == C_NESTED_PACKED)
            ck_assert_msg(r == GAP_SESSION_UNDECODABLE, "%s", why);
        else
            updates += r == GAP_SESSION_UPDATES;
    }
    ck_assert_msg(updates == container_cases[_i].updates, "%s: %d updates", why, updates);
    if (container_cases[_i].result == 0) {
        /* The container itself is never acknowledged: feed it again, nothing is new. */
        ck_assert_int_eq(world_feed(&w, w.server_id, 0, c->data, c->len), GAP_SESSION_IGNORED);
    } else {
        /* Nothing of a refused one is acknowledged. */
        w.now += 31 * SECOND;
        world_flush(&w);
        ck_assert_msg(world_sent(&w, GAP_MT_MSGS_ACK) == NULL, "%s", why);
    }
    world_fini(&w);
}
END_TEST

/* ---- packed messages ---- */

static void inflate_job(struct world *w, int status, size_t len)
{
    gap_packet_t *p = NULL;

    ck_assert_int_eq(world_next(w), GAP_SESSION_SLOW);
    ck_assert_ptr_nonnull(w->ev.packet);
    if (status == 0) {
        gap_gzip_t z;
        gap_gzip_init(&z, &w->alloc.alloc);
        ck_assert_int_eq(gap_inflate(&z, w->ev.value, GAP_INFLATE_MAX_BYTES, &p), 0);
        ck_assert_uint_eq(p->len, len);
        gap_gzip_fini(&z);
    }
    ck_assert_int_eq(world_next(w), 0); /* everything waits */
    gap_session_inflated(w->s, status, p);
}

START_TEST(packed_messages_are_inflated)
{
    static uint8_t big[400000];
    struct world w;

    world_init(&w);
    uint64_t a = world_call(&w), b = world_call(&w), c = world_call(&w);
    world_flush(&w);
    uint64_t id_a = w.sent[0].msg_id, id_b = w.sent[1].msg_id, id_c = w.sent[2].msg_id;
    struct obj *o = TOO_LONG;
    struct obj *packed = obj_pack(o->data, o->len);

    /* A push, and one in a container. */
    ck_assert_int_eq(world_say(&w, packed, true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    ck_assert_uint_eq(w.ev.value.len, 4);
    struct obj *box = obj_member(obj_container(1), world_server_id(&w, false), 1, packed);
    ck_assert_int_eq(world_say(&w, box, false), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);

    /* An answer, small. */
    gap_store32(big, GAP_MT_BOOL_TRUE);
    packed = obj_pack(big, 1000);
    struct obj *result = obj64(obj_start(GAP_MT_RPC_RESULT), id_a);
    ck_assert_int_eq(world_say(&w, obj_raw(result, packed->data, packed->len), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, a);
    ck_assert_uint_eq(w.ev.value.len, 1000);

    /* An error, packed. */
    struct obj *error = obj_bytes(obj32(obj_start(GAP_MT_RPC_ERROR), 400), "CHAT_ID_INVALID", 15);
    packed = obj_pack(error->data, error->len);
    result = obj64(obj_start(GAP_MT_RPC_RESULT), id_b);
    ck_assert_int_eq(world_say(&w, obj_raw(result, packed->data, packed->len), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_ERROR);
    ck_assert_uint_eq(w.ev.call, b);

    /* A large one is work for another thread; what comes behind it waits. */
    packed = obj_pack(big, sizeof big);
    result = obj64(obj_start(GAP_MT_RPC_RESULT), id_c);
    ck_assert_int_eq(world_say(&w, obj_raw(result, packed->data, packed->len), true), 0);
    ck_assert_int_eq(world_say(&w, o, true), 0);
    inflate_job(&w, 0, sizeof big);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w.ev.call, c);
    ck_assert_uint_eq(w.ev.value.len, sizeof big);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UPDATES);
    ck_assert_int_eq(world_next(&w), 0);
    world_fini(&w);
}
END_TEST

START_TEST(bombs_and_broken_packs)
{
    static uint8_t big[400000];
    struct world w;

    world_init(&w);
    uint64_t a = world_call(&w), b = world_call(&w);
    world_flush(&w);
    uint64_t id_a = w.sent[0].msg_id, id_b = w.sent[1].msg_id;

    /* It inflates to too much, or not at all: whoever inflates finds out. */
    struct obj *result = obj64(obj_start(GAP_MT_RPC_RESULT), id_a);
    struct obj *packed = obj_pack(big, sizeof big);
    ck_assert_int_eq(world_say(&w, obj_raw(result, packed->data, packed->len), true), 0);
    inflate_job(&w, GAP_E_GZIP, 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, a);
    ck_assert_int_eq(w.ev.status, GAP_E_GZIP);
    ck_assert_int_eq(world_say(&w, obj_bytes(obj_start(GAP_MT_GZIP_PACKED), "noise", 5), true), 0);
    inflate_job(&w, GAP_E_GZIP, 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    ck_assert_int_eq(w.ev.status, GAP_E_GZIP);

    /* Packed twice. */
    packed = obj_pack("\x7e\xaf\x17\xe3", 4);
    packed = obj_pack(packed->data, packed->len);
    ck_assert_int_eq(world_say(&w, packed, true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    /* Nothing inside, a length that no object has, no bytes at all. */
    ck_assert_int_eq(world_say(&w, obj_pack("abc", 0), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    ck_assert_int_eq(world_say(&w, obj_pack("abcde", 5), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    ck_assert_int_eq(world_say(&w, obj_start(GAP_MT_GZIP_PACKED), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    /* An answer that is cut. */
    result = obj64(obj_start(GAP_MT_RPC_RESULT), id_b);
    ck_assert_int_eq(world_say(&w, result, true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    ck_assert_int_eq(world_say(&w, obj32(result, GAP_MT_RPC_ERROR), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_FAILED);
    ck_assert_uint_eq(w.ev.call, b);
    ck_assert_int_eq(w.ev.status, GAP_E_TL);
    /* An answer to nothing breaks the protocol. */
    ck_assert_int_eq(world_say(&w, obj_true(0), true), 0);
    ck_assert_int_eq(gap_session_next(w.s, w.now, &w.ev), GAP_E_PROTOCOL);
    ck_assert_int_eq(world_next(&w), 0);
    world_fini(&w);
}
END_TEST

START_TEST(unknown_constructors_are_told)
{
    static const uint32_t ids[] = {0xdeadbeef, GAP_MT_RES_PQ, GAP_TL_USER_EMPTY,
                                   GAP_MT_MSG_CONTAINER + 1, 0};
    struct world w;

    world_init(&w);
    world_warm(&w);
    for (size_t i = 0; i < GAP_ARRAY_LEN(ids); i++) {
        ck_assert_int_eq(world_say(&w, obj64(obj_start(ids[i]), 5), true), 0);
        ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
        ck_assert_int_eq(w.ev.status, GAP_E_TL_ID);
    }
    /* A service message that is cut is no reason to fall over either. */
    ck_assert_int_eq(world_say(&w, obj32(obj_start(GAP_MT_NEW_SESSION_CREATED), 1), true), 0);
    ck_assert_int_eq(world_next(&w), GAP_SESSION_UNDECODABLE);
    ck_assert_int_eq(w.ev.status, GAP_E_TL);
    w.now += 31 * SECOND;
    world_flush(&w);
    ck_assert_uint_eq(gap_load32(world_sent(&w, GAP_MT_MSGS_ACK)->body + 8), 7); /* warm-up: 1 */
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("session_server");
    TCase *tc = tcase_create("receiving");

    _Static_assert(GAP_ARRAY_LEN(vectors_invalid) == 13, "all of them");
    tcase_add_loop_test(tc, invalid_packets_are_refused, 0, GAP_ARRAY_LEN(vectors_invalid));
    tcase_add_test(tc, only_this_session_and_odd_ids);
    tcase_add_loop_test(tc, messages_have_their_time, 0, GAP_ARRAY_LEN(time_cases));
    tcase_add_test(tc, a_clock_that_stood_still_is_set);
    tcase_add_test(tc, duplicates_are_acknowledged_and_dropped);
    tcase_add_test(tc, older_but_new_is_taken);
    tcase_add_loop_test(tc, containers_are_taken_or_refused_as_a_whole, 0,
                        GAP_ARRAY_LEN(container_cases));
    tcase_add_test(tc, packed_messages_are_inflated);
    tcase_add_test(tc, bombs_and_broken_packs);
    tcase_add_test(tc, unknown_constructors_are_told);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
