/* tests/unit/test_dc_handshake.c - the server's key exchange against a client's arithmetic. */
#include "base/alloc.h"
#include "dc/handshake.h"
#include "dc/limits.h"
#include "tests/unit/dc_peer.h"
#include "tests/unit/vectors_crypto.h"

struct server {
    gap_dc_handshake_t h;
    gap_dc_secrets_t secrets;
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    gap_prng_t prng;
    gap_random_t random;
    unsigned collisions; /* keys that are to be called taken */
    int result;          /* of the last step */
};

static int server_random(void *arg, uint8_t *out, size_t len)
{
    struct server *s = arg;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(&s->prng);
    return 0;
}

static bool key_taken(void *arg, int64_t key_id)
{
    struct server *s = arg;
    (void)key_id;
    return s->collisions > 0 && s->collisions-- > 0;
}

static void server_init(struct server *s, const gap_alloc_t *alloc)
{
    memset(s, 0, sizeof *s);
    ck_assert_int_eq(gap_crypto_init(&s->crypto), 0);
    ck_assert_int_eq(
        gap_rsa_private_from_pem(
            &s->crypto, gap_bytes(vector_rsa_private_pem, strlen(vector_rsa_private_pem)), &s->rsa),
        0);
    s->prng.state = 77;
    s->random.fill = server_random;
    s->random.arg = s;
    s->secrets.crypto = &s->crypto;
    s->secrets.rsa = &s->rsa;
    s->secrets.random = &s->random;
    s->secrets.dc = 2;
    s->secrets.now_s = 1700000000;
    s->secrets.key_taken = key_taken;
    s->secrets.arg = s;
    gap_dc_handshake_init(&s->h, alloc);
}

static void server_fini(struct server *s)
{
    gap_dc_handshake_fini(&s->h);
    gap_dc_handshake_fini(&s->h);
    gap_rsa_fini(&s->rsa);
    gap_crypto_fini(&s->crypto);
}

static void ask(void *arg, gap_bytes_t body, gap_buf_t *answer)
{
    struct server *s = arg;
    s->result = gap_dc_handshake_step(&s->h, &s->secrets, body, answer);
}

static const struct {
    struct peer_style style;
    int32_t expires_in;
    const char *why;
} styles[] = {
    {{PEER_INNER_DC, false, false, 2}, 0, "today's form"},
    {{PEER_INNER_DC, false, false, 10002}, 0, "a test data centre"},
    {{PEER_INNER_DC, false, false, -2}, 0, "a media connection"},
    {{PEER_INNER, false, false, 0}, 0, "no data centre named"},
    {{PEER_INNER, true, false, 0}, 0, "retired padding"},
    {{PEER_INNER_DC, true, true, 2}, 0, "retired padding with a data centre, req_pq"},
    {{PEER_INNER_TEMP, false, false, 0}, 86400, "temporary key, old form"},
    {{PEER_INNER_TEMP_DC, false, false, 2}, 86400, "temporary key"},
};

START_TEST(test_both_sides_get_the_same_key)
{
    struct server s;
    struct peer p;

    server_init(&s, gap_alloc_default());
    peer_init(&p, vector_rsa_private_pem, 5);
    ck_assert(peer_shake_hands(&p, &styles[_i].style, ask, &s));
    ck_assert_msg(s.result == GAP_DC_KEY_READY, "%s: %d", styles[_i].why, s.result);
    ck_assert_mem_eq(s.h.key.key, p.key.key, GAP_AUTH_KEY_BYTES);
    ck_assert_int_eq(s.h.key.id, p.key.id);
    ck_assert_int_eq(s.h.salt, p.salt);
    ck_assert_int_eq(s.h.expires_in, styles[_i].expires_in);
    peer_fini(&p);
    server_fini(&s);
}
END_TEST

/* One exchange up to, not including, a step that the test makes itself. */
struct half {
    struct server s;
    struct peer p;
    struct peer_exchange x;
    struct peer_style style;
    uint8_t g_a[256];
};

static void half_init(struct half *h, bool with_dh)
{
    struct peer_style style = {PEER_INNER_DC, false, false, 2};

    server_init(&h->s, gap_alloc_default());
    peer_init(&h->p, vector_rsa_private_pem, 6);
    peer_exchange_init(&h->x);
    h->style = style;
    ck_assert(peer_res_pq(&h->p, &h->style, &h->x, ask, &h->s));
    if (!with_dh) return;
    peer_req_dh(&h->p, false, &h->x, ask, &h->s);
    ck_assert_int_eq(h->s.result, 0);
    ck_assert(peer_read_dh(&h->p, &h->x, h->g_a));
}

static void half_fini(struct half *h)
{
    peer_exchange_fini(&h->x);
    peer_fini(&h->p);
    server_fini(&h->s);
}

static void ignore(void *arg, gap_bytes_t body, gap_buf_t *answer)
{
    (void)arg;
    (void)body;
    (void)answer;
}

START_TEST(test_every_flipped_byte_of_req_dh_is_refused)
{
    struct half h;

    half_init(&h, false);
    peer_req_dh(&h.p, false, &h.x, ignore, NULL);
    gap_dc_handshake_state_t state = h.s.h.state;
    /* All but the constructor, which is another question; every 7th of the long middle. */
    for (size_t at = 4; at < h.x.body.len; at += at < 68 ? 1 : 7) {
        gap_bytes_t body = gap_buf_view(&h.x.body);
        bool is_filler = (at >= 41 && at < 44) || (at >= 49 && at < 52); /* behind p and q */
        if (is_filler) continue;
        h.x.body.data[at] ^= 0x40;
        h.s.h.state = state;
        ask(&h.s, body, &h.x.answer);
        ck_assert_msg(h.s.result == GAP_E_PROTOCOL, "byte %zu: %d", at, h.s.result);
        ck_assert_int_eq(h.s.h.state, GAP_DC_REFUSED);
        h.x.body.data[at] ^= 0x40;
    }
    ask(&h.s, gap_buf_view(&h.x.body), &h.x.answer);
    ck_assert_msg(h.s.result == GAP_E_PROTOCOL, "what failed stays failed");
    half_fini(&h);
}
END_TEST

START_TEST(test_every_flipped_byte_of_client_dh_is_refused)
{
    struct half h;

    half_init(&h, true);
    peer_client_dh(&h.p, &h.x, h.g_a, 0, ignore, NULL);
    for (size_t at = 4; at < h.x.body.len; at += at < 44 ? 1 : 5) {
        h.s.h.state = GAP_DC_AWAIT_CLIENT_DH;
        h.x.body.data[at] ^= 0x01;
        ask(&h.s, gap_buf_view(&h.x.body), &h.x.answer);
        ck_assert_msg(h.s.result == GAP_E_PROTOCOL, "byte %zu: %d", at, h.s.result);
        h.x.body.data[at] ^= 0x01;
    }
    half_fini(&h);
}
END_TEST

START_TEST(test_every_truncation_is_refused)
{
    struct half h;

    half_init(&h, true);
    peer_client_dh(&h.p, &h.x, h.g_a, 0, ignore, NULL);
    size_t len = gap_buf_view(&h.x.body).len;
    for (size_t n = 0; n < len; n += 4) {
        h.s.h.state = GAP_DC_AWAIT_CLIENT_DH;
        ask(&h.s, gap_bytes(h.x.body.data, n), &h.x.answer);
        ck_assert_msg(h.s.result == GAP_E_PROTOCOL, "%zu bytes: %d", n, h.s.result);
    }
    half_fini(&h);
}
END_TEST

START_TEST(test_wrong_dc)
{
    struct server s;
    struct peer p;
    struct peer_exchange x;
    struct peer_style style = {PEER_INNER_DC, false, false, 3};

    server_init(&s, gap_alloc_default());
    peer_init(&p, vector_rsa_private_pem, 5);
    peer_exchange_init(&x);
    ck_assert(peer_res_pq(&p, &style, &x, ask, &s));
    peer_req_dh(&p, false, &x, ask, &s);
    ck_assert_int_eq(s.result, GAP_DC_WRONG_DC);
    peer_exchange_fini(&x);
    peer_fini(&p);
    server_fini(&s);
}
END_TEST

START_TEST(test_the_same_question_gets_the_same_answer)
{
    struct half h;
    gap_buf_t first;

    half_init(&h, false);
    gap_buf_init(&first, gap_alloc_default());
    for (int step = 0; step < 3; step++) {
        if (step == 1) peer_req_dh(&h.p, false, &h.x, ask, &h.s);
        if (step == 2) {
            ck_assert(peer_read_dh(&h.p, &h.x, h.g_a));
            peer_client_dh(&h.p, &h.x, h.g_a, 0, ask, &h.s);
            ck_assert_int_eq(h.s.result, GAP_DC_KEY_READY);
        }
        gap_buf_clear(&first);
        ask(&h.s, gap_buf_view(&h.x.body), &first);
        ck_assert_msg(h.s.result == 0, "step %d: the key is made once", step);
        ck_assert_uint_eq(gap_buf_view(&first).len, gap_buf_view(&h.x.answer).len);
        ck_assert_mem_eq(first.data, gap_buf_view(&h.x.answer).data, first.len);
    }
    gap_buf_fini(&first);
    half_fini(&h);
}
END_TEST

START_TEST(test_a_taken_key_is_tried_again)
{
    struct half h;
    struct peer other;

    half_init(&h, true);
    h.s.collisions = 1;
    peer_client_dh(&h.p, &h.x, h.g_a, 0, ask, &h.s);
    ck_assert_int_eq(h.s.result, 0);
    peer_check_dh_gen(&h.p, &h.x, GAP_MT_DH_GEN_RETRY, 2);
    other = h.p;
    /* A retry names the key that was refused; without that it is none. */
    peer_client_dh(&other, &h.x, h.g_a, other.key.aux_hash, ask, &h.s);
    ck_assert_int_eq(h.s.result, GAP_DC_KEY_READY);
    peer_check_dh_gen(&other, &h.x, GAP_MT_DH_GEN_OK, 1);
    half_fini(&h);
}
END_TEST

START_TEST(test_retries_come_to_an_end)
{
    struct half h;
    int64_t retry_id = 0;

    half_init(&h, true);
    h.s.collisions = 1000;
    for (unsigned i = 1; i < GAP_DC_DH_TRIES_MAX; i++) {
        peer_client_dh(&h.p, &h.x, h.g_a, retry_id, ask, &h.s);
        peer_check_dh_gen(&h.p, &h.x, GAP_MT_DH_GEN_RETRY, 2);
        retry_id = h.p.key.aux_hash;
    }
    peer_client_dh(&h.p, &h.x, h.g_a, retry_id, ask, &h.s);
    peer_check_dh_gen(&h.p, &h.x, GAP_MT_DH_GEN_FAIL, 3);
    half_fini(&h);
}
END_TEST

START_TEST(test_out_of_turn_is_refused)
{
    struct server s;
    struct peer p;
    struct half h;

    half_init(&h, true);
    peer_client_dh(&h.p, &h.x, h.g_a, 0, ignore, NULL);
    server_init(&s, gap_alloc_default());
    peer_init(&p, vector_rsa_private_pem, 5);
    ask(&s, gap_buf_view(&h.x.body), &h.x.answer);
    ck_assert_int_eq(s.result, GAP_E_PROTOCOL);
    peer_fini(&p);
    server_fini(&s);
    half_fini(&h);
}
END_TEST

START_TEST(test_beginning_again_has_a_limit)
{
    struct server s;
    gap_buf_t body;
    gap_buf_t answer;

    server_init(&s, gap_alloc_default());
    gap_buf_init(&body, gap_alloc_default());
    gap_buf_init(&answer, gap_alloc_default());
    put32(&body, GAP_MT_REQ_PQ_MULTI);
    put64(&body, 1);
    put64(&body, 2);
    for (uint32_t i = 0; i < GAP_DC_HANDSHAKES_MAX; i++) {
        body.data[4] = (uint8_t)i;
        ask(&s, gap_buf_view(&body), &answer);
        ck_assert_int_eq(s.result, 0);
    }
    body.data[4] = 200;
    ask(&s, gap_buf_view(&body), &answer);
    ck_assert_int_eq(s.result, GAP_E_PROTOCOL);
    gap_buf_fini(&answer);
    gap_buf_fini(&body);
    server_fini(&s);
}
END_TEST

START_TEST(test_garbage)
{
    static const uint32_t ids[] = {GAP_MT_REQ_PQ, GAP_MT_REQ_PQ_MULTI, GAP_MT_REQ_DH_PARAMS,
                                   GAP_MT_SET_CLIENT_DH_PARAMS, 0x12345678};
    struct half h;
    gap_prng_t prng = {(uint64_t)_i + 1};
    uint8_t bytes[512];

    half_init(&h, (_i & 1) != 0);
    for (unsigned round = 0; round < 20; round++) {
        size_t len = gap_prng_below(&prng, sizeof bytes / 4) * 4;
        for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)gap_prng_next(&prng);
        if (len > 36) {
            gap_store32(bytes, ids[gap_prng_below(&prng, GAP_ARRAY_LEN(ids))]);
            memcpy(bytes + 4, h.x.nonce, 16);
            memcpy(bytes + 20, h.x.server_nonce, 16);
        }
        h.s.h.state = (_i & 1) != 0 ? GAP_DC_AWAIT_CLIENT_DH : GAP_DC_AWAIT_DH;
        gap_buf_clear(&h.x.answer);
        ask(&h.s, gap_bytes(bytes, len), &h.x.answer);
        ck_assert_msg(h.s.result == 0 || h.s.result == GAP_E_PROTOCOL, "seed %d: %d", _i,
                      h.s.result);
    }
    half_fini(&h);
}
END_TEST

START_TEST(test_out_of_memory)
{
    struct fault_alloc fault;

    for (long at = 1; at < 12; at++) {
        struct server s;
        gap_buf_t body;
        gap_buf_t answer;
        fault_alloc_init(&fault, at);
        server_init(&s, &fault.alloc);
        gap_buf_init(&body, gap_alloc_default());
        gap_buf_init(&answer, &fault.alloc);
        put32(&body, GAP_MT_REQ_PQ_MULTI);
        put64(&body, 1);
        put64(&body, 2);
        ask(&s, gap_buf_view(&body), &answer);
        ck_assert_msg(s.result == 0 || s.result == GAP_E_NOMEM, "allocation %ld: %d", at, s.result);
        gap_buf_fini(&answer);
        gap_buf_fini(&body);
        server_fini(&s);
        ck_assert_int_eq(fault.live, 0);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_handshake");
    TCase *tc = tcase_create("handshake");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_both_sides_get_the_same_key, 0, GAP_ARRAY_LEN(styles));
    tcase_add_test(tc, test_every_flipped_byte_of_req_dh_is_refused);
    tcase_add_test(tc, test_every_flipped_byte_of_client_dh_is_refused);
    tcase_add_test(tc, test_every_truncation_is_refused);
    tcase_add_test(tc, test_wrong_dc);
    tcase_add_test(tc, test_the_same_question_gets_the_same_answer);
    tcase_add_test(tc, test_a_taken_key_is_tried_again);
    tcase_add_test(tc, test_retries_come_to_an_end);
    tcase_add_test(tc, test_out_of_turn_is_refused);
    tcase_add_test(tc, test_beginning_again_has_a_limit);
    tcase_add_loop_test(tc, test_garbage, 0, 30);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
