/*
 * tests/unit/test_refused_packets.c - every published packet that a client must drop is dropped, by
 * gap_message_open or, if it is sound as a packet, by the session.
 */
#include "crypto/message.h"
#include "tests/unit/hex.h"
#include "tests/unit/session_world.h"
#include "tests/unit/vectors_mtproto.h"

static gap_crypto_t crypto;
static gap_auth_key_t key;
static struct world w;
static int64_t client_session; /* the session id that the client drew */

static void setup(void)
{
    uint64_t ping_id;

    ck_assert_int_eq(gap_crypto_init(&crypto), 0);
    hex_exactly(vector_exchange.auth_key, key.key, sizeof key.key);
    ck_assert_int_eq(gap_auth_key_derive(&crypto, &key), 0);
    ck_assert_int_eq(vector_invalid_time, SERVER_EPOCH_S);
    world_init(&w);
    ck_assert_int_eq(gap_session_ping(w.s, 60, &ping_id), 0);
    ck_assert_int_eq(gap_session_poll(w.s, w.now, &w.body, &w.packet), 1);
    client_session = w.packet.session_id;
}

static void teardown(void)
{
    world_fini(&w);
    gap_crypto_fini(&crypto);
}

/* @return the first refusal on a packet's way into the session, or what the session returned. The
 * session of the vectors stands for the client's own. */
static int receive(const char *hex)
{
    gap_packet_t *packet;
    gap_plaintext_t message;

    ck_assert_int_eq(gap_packet_new(&w.alloc.alloc, strlen(hex) / 2, &packet), 0);
    packet->len = (uint32_t)hex_to(hex, packet->data, packet->cap);
    int r = gap_message_open(&crypto, &key, GAP_TO_CLIENT, packet->data, packet->len, &message);
    if (r == 0) {
        if (message.session_id == (int64_t)hex_u64(vector_invalid_session))
            message.session_id = client_session;
        r = gap_session_receive(w.s, w.now, &message, packet);
    }
    gap_packet_unref(packet);
    return r;
}

START_TEST(test_refused)
{
    const struct vector_invalid *v = &vectors_invalid[_i];
    int r = receive(v->packet);

    ck_assert_msg(r == (v->in_session != 0 ? GAP_E_PROTOCOL : GAP_E_CRYPTO), "%s: %s: %d", v->name,
                  v->why, r);
    ck_assert_int_eq(gap_session_next(w.s, w.now, &w.ev), 0);
}
END_TEST

/* The same way is open for what a server may say. */
START_TEST(test_sound_packets_are_accepted)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_packet); i++) {
        if (vectors_packet[i].x != GAP_TO_CLIENT) continue;
        int r = receive(vectors_packet[i].packet);
        ck_assert_msg(r == 0, "%s: %d", vectors_packet[i].name, r);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("refused_packets");
    TCase *t = tcase_create("refused_packets");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_refused, 0, (int)GAP_ARRAY_LEN(vectors_invalid));
    tcase_add_test(t, test_sound_packets_are_accepted);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
