/* tests/unit/test_crypto.c - hashes, AES-256-IGE on both paths, packets in both directions. */
#include "crypto/ige.h"
#include "crypto/message.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_crypto.h"
#include "tests/unit/vectors_mtproto.h"

static gap_crypto_t c;
static gap_prng_t rng;

static int prng_fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(&rng);
    return 0;
}

static const gap_random_t prng_source = {prng_fill, NULL};

static int failing_fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg, (void)out, (void)len;
    return -5;
}

static const gap_random_t failing_source = {failing_fill, NULL};

/* Loop index of the tests below: 0 the portable path, 1 the AES instructions. */
static void setup(void)
{
    ck_assert_int_eq(gap_crypto_init(&c), 0);
    rng.state = 2024;
}

static void teardown(void)
{
    gap_crypto_fini(&c);
    gap_crypto_fini(&c);
}

static void load_key(gap_auth_key_t *key)
{
    hex_exactly(vector_exchange.auth_key, key->key, sizeof key->key);
    ck_assert_int_eq(gap_auth_key_derive(&c, key), 0);
}

START_TEST(test_hash_known_answers)
{
    static const struct {
        const char *text;
        const char *sha1;
        const char *sha256;
    } table[] = {
        /* FIPS 180-4 examples */
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    uint8_t want[32];
    uint8_t got[32];

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++) {
        size_t n = strlen(table[i].text);
        const gap_bytes_t pieces[2] = {gap_bytes(table[i].text, n / 3),
                                       gap_bytes(table[i].text + n / 3, n - n / 3)};
        hex_exactly(table[i].sha1, want, 20);
        ck_assert_int_eq(gap_sha1(&c, pieces, 2, got), 0);
        ck_assert_mem_eq(got, want, 20);
        hex_exactly(table[i].sha256, want, 32);
        ck_assert_int_eq(gap_sha256(&c, pieces, 2, got), 0);
        ck_assert_mem_eq(got, want, 32);
        ck_assert_int_eq(gap_sha256_begin(&c), 0);
        for (size_t k = 0; k < n; k++)
            ck_assert_int_eq(gap_sha256_update(&c, (const uint8_t *)table[i].text + k, 1), 0);
        ck_assert_int_eq(gap_sha256_end(&c, got), 0);
        ck_assert_mem_eq(got, want, 32);
    }
}
END_TEST

START_TEST(test_ige_vectors)
{
    uint8_t key[32], iv[32], plain[1024], cipher[1024], out[1024];

    gap_crypto_use_aesni(&c, _i == 1);
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_ige); i++) {
        const struct vector_ige *v = &vectors_ige[i];
        hex_exactly(v->key, key, 32);
        hex_exactly(v->iv, iv, 32);
        size_t n = hex_to(v->plaintext, plain, sizeof plain);
        hex_exactly(v->ciphertext, cipher, n);
        ck_assert_int_eq(gap_ige_encrypt(&c, key, iv, plain, out, n), 0);
        ck_assert_msg(memcmp(out, cipher, n) == 0, "encrypt: %s", v->name);
        ck_assert_int_eq(gap_ige_decrypt(&c, key, iv, cipher, out, n), 0);
        ck_assert_msg(memcmp(out, plain, n) == 0, "decrypt: %s", v->name);
        memcpy(out, plain, n);
        ck_assert_int_eq(gap_ige_encrypt(&c, key, iv, out, out, n), 0);
        ck_assert_msg(memcmp(out, cipher, n) == 0, "encrypt in place: %s", v->name);
        ck_assert_int_eq(gap_ige_decrypt(&c, key, iv, out, out, n), 0);
        ck_assert_msg(memcmp(out, plain, n) == 0, "decrypt in place: %s", v->name);
    }
}
END_TEST

/* All lengths around the chunks in which the two paths work; unaligned; one against the other. */
START_TEST(test_ige_paths_agree)
{
    enum { MAX = 6000 };
    static uint8_t plain[MAX + 16], a[MAX + 16], b[MAX + 16];
    uint8_t key[32], iv[32], ha[32], hb[32];

    ck_assert_int_eq(prng_fill(NULL, key, 32) + prng_fill(NULL, iv, 32), 0);
    ck_assert_int_eq(prng_fill(NULL, plain, sizeof plain), 0);
    for (size_t n = 0; n <= MAX; n += n < 320 ? 16 : 496) {
        gap_crypto_use_aesni(&c, false);
        ck_assert_int_eq(gap_ige_encrypt(&c, key, iv, plain + 3, a + 1, n), 0);
        gap_crypto_use_aesni(&c, true);
        ck_assert_int_eq(gap_ige_encrypt(&c, key, iv, plain + 3, b + 5, n), 0);
        ck_assert_msg(memcmp(a + 1, b + 5, n) == 0, "encrypt %zu", n);
        ck_assert_int_eq(gap_sha256_begin(&c), 0);
        ck_assert_int_eq(gap_sha256_update(&c, iv, 32), 0);
        ck_assert_int_eq(gap_ige_decrypt_hash(&c, key, iv, b + 5, n), 0);
        ck_assert_int_eq(gap_sha256_end(&c, hb), 0);
        gap_crypto_use_aesni(&c, false);
        ck_assert_int_eq(gap_ige_decrypt(&c, key, iv, a + 1, a + 1, n), 0);
        const gap_bytes_t pieces[2] = {{iv, 32}, {a + 1, n}};
        ck_assert_int_eq(gap_sha256(&c, pieces, 2, ha), 0);
        ck_assert_msg(memcmp(a + 1, plain + 3, n) == 0, "portable decrypt %zu", n);
        ck_assert_msg(memcmp(b + 5, plain + 3, n) == 0, "decrypt and hash %zu", n);
        ck_assert_mem_eq(ha, hb, 32);
    }
    ck_assert_int_eq(gap_ige_encrypt(&c, key, iv, plain, a, 17), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_ige_decrypt(&c, key, iv, plain, a, 8), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_ige_decrypt_hash(&c, key, iv, a, 8), GAP_E_ARGUMENT);
}
END_TEST

START_TEST(test_auth_key_numbers)
{
    gap_auth_key_t key;
    uint8_t new_nonce[32], server_nonce[16], want[32], aes_key[32], aes_iv[32], h[16];
    const char *const hashes[] = {vector_exchange.new_nonce_hash1, vector_exchange.new_nonce_hash2,
                                  vector_exchange.new_nonce_hash3};

    load_key(&key);
    ck_assert_uint_eq((uint64_t)key.id, hex_u64(vector_exchange.auth_key_id));
    ck_assert_uint_eq((uint64_t)key.aux_hash, hex_u64(vector_exchange.auth_key_aux_hash));
    hex_exactly(vector_exchange.new_nonce, new_nonce, 32);
    hex_exactly(vector_exchange.server_nonce, server_nonce, 16);
    for (uint8_t n = 1; n <= 3; n++) {
        hex_exactly(hashes[n - 1], want, 16);
        ck_assert_int_eq(gap_new_nonce_hash(&c, new_nonce, n, key.aux_hash, h), 0);
        ck_assert_mem_eq(h, want, 16);
    }
    ck_assert_uint_eq((uint64_t)gap_first_salt(new_nonce, server_nonce),
                      hex_u64(vector_exchange.first_salt));
    ck_assert_int_eq(gap_dh_tmp_aes(&c, new_nonce, server_nonce, aes_key, aes_iv), 0);
    hex_exactly(vector_exchange.tmp_aes_key, want, 32);
    ck_assert_mem_eq(aes_key, want, 32);
    hex_exactly(vector_exchange.tmp_aes_iv, want, 32);
    ck_assert_mem_eq(aes_iv, want, 32);
}
END_TEST

START_TEST(test_dh_seal_and_open)
{
    uint8_t key[32], iv[32], sealed[640], opened[640], want[640];
    struct scripted_random random;

    hex_exactly(vector_exchange.tmp_aes_key, key, 32);
    hex_exactly(vector_exchange.tmp_aes_iv, iv, 32);
    /* The client's half of the published exchange. */
    hex_exactly(vectors_ige[1].plaintext, opened, 336);
    hex_exactly(vector_exchange.client_encrypted_data, want, 336);
    scripted_init(&random);
    scripted_add(&random, vector_exchange.client_padding);
    gap_bytes_t data = gap_bytes(opened + 20, 336 - 20 - 12);
    ck_assert_int_eq(gap_dh_seal(&c, key, iv, &random.source, data, sealed), 336);
    ck_assert_mem_eq(sealed, want, 336);
    /* The server's half: 564 bytes and 8 of padding. */
    size_t n = hex_to(vector_exchange.encrypted_answer, sealed, sizeof sealed);
    hex_exactly(vector_exchange.answer_with_hash, want, n);
    ck_assert_int_eq(gap_dh_open(&c, key, iv, gap_bytes(sealed, n), opened), 0);
    ck_assert_mem_eq(opened, want, n);
    ck_assert_int_eq(gap_dh_verify(&c, opened, n, 564), 0);
    ck_assert_int_eq(gap_dh_verify(&c, opened, n, 560), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_verify(&c, opened, n, 556), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_verify(&c, opened, n, n), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_verify(&c, opened, 19, 0), GAP_E_CRYPTO);
    opened[300] ^= 1;
    ck_assert_int_eq(gap_dh_verify(&c, opened, n, 564), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_open(&c, key, iv, gap_bytes(sealed, 590), opened), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_open(&c, key, iv, gap_bytes(sealed, 16), opened), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_seal(&c, key, iv, &failing_source, gap_bytes(want, 8), sealed), -5);
}
END_TEST

static void message_of(const struct vector_packet *v, uint8_t *body, gap_plaintext_t *m)
{
    m->salt = (int64_t)hex_u64(v->salt);
    m->session_id = (int64_t)hex_u64(v->session_id);
    m->msg_id = (int64_t)hex_u64(v->msg_id);
    m->seqno = v->seqno;
    m->body = gap_bytes(body, hex_to(v->body, body, 2048));
}

START_TEST(test_packet_vectors)
{
    static uint8_t body[2048], want[2048], out[2048];
    gap_auth_key_t key;
    gap_plaintext_t m, opened;
    struct scripted_random random;
    uint8_t large[32];
    uint32_t token;

    gap_crypto_use_aesni(&c, _i == 1);
    load_key(&key);
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_packet); i++) {
        const struct vector_packet *v = &vectors_packet[i];
        gap_direction_t x = v->x == 0 ? GAP_TO_SERVER : GAP_TO_CLIENT;
        size_t padding = strlen(v->padding) / 2;
        message_of(v, body, &m);
        size_t n = hex_to(v->packet, want, sizeof want);
        ck_assert_uint_eq(gap_message_size(m.body.len, padding), n);
        scripted_init(&random);
        scripted_add(&random, v->padding);
        ck_assert_int_eq(gap_message_seal(&c, &key, x, &m, padding, &random.source, out, &token),
                         0);
        ck_assert_msg(memcmp(out, want, n) == 0, "seal: %s", v->name);
        hex_exactly(v->msg_key_large, large, sizeof large);
        ck_assert_uint_eq(token, gap_load32(large) | 0x80000000U);
        if (i == 0) ck_assert_uint_eq(token, VECTOR_QUICK_ACK);
        ck_assert_int_eq(gap_message_open(&c, &key, x, out, n, &opened), 0);
        ck_assert_int_eq(opened.salt, m.salt);
        ck_assert_int_eq(opened.session_id, m.session_id);
        ck_assert_int_eq(opened.msg_id, m.msg_id);
        ck_assert_int_eq(opened.seqno, m.seqno);
        ck_assert(gap_bytes_equal(opened.body, m.body));
        ck_assert_ptr_eq(opened.body.data, out + GAP_MESSAGE_HEAD_BYTES);
    }
}
END_TEST

START_TEST(test_packets_to_refuse)
{
    static uint8_t packet[2048], zero[2048];
    gap_auth_key_t key;
    gap_plaintext_t m;

    gap_crypto_use_aesni(&c, _i == 1);
    load_key(&key);
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_invalid); i++) {
        const struct vector_invalid *v = &vectors_invalid[i];
        size_t n = hex_to(v->packet, packet, sizeof packet);
        int r = gap_message_open(&c, &key, GAP_TO_CLIENT, packet, n, &m);
        ck_assert_msg(r == (v->in_session != 0 ? 0 : GAP_E_CRYPTO), "%s: %s", v->name, v->why);
        if (r < 0) ck_assert_msg(memcmp(packet, zero, n) == 0, "not wiped: %s", v->name);
    }
}
END_TEST

/* Every bit of a packet is covered: key id, msg_key or ciphertext. */
START_TEST(test_packet_any_flipped_bit_is_refused)
{
    uint8_t good[256], bad[256], body[2048];
    gap_auth_key_t key;
    gap_plaintext_t m;

    gap_crypto_use_aesni(&c, _i == 1);
    load_key(&key);
    message_of(&vectors_packet[1], body, &m);
    ck_assert_int_eq(gap_message_seal(&c, &key, GAP_TO_CLIENT, &m, 12, &prng_source, good, NULL),
                     0);
    size_t n = gap_message_size(m.body.len, 12);
    for (size_t bit = 0; bit < n * 8; bit++) {
        memcpy(bad, good, n);
        bad[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_eq(gap_message_open(&c, &key, GAP_TO_CLIENT, bad, n, &m), GAP_E_CRYPTO);
    }
    for (size_t len = 0; len < n; len++) {
        memcpy(bad, good, n);
        ck_assert_int_eq(gap_message_open(&c, &key, GAP_TO_CLIENT, bad, len, &m), GAP_E_CRYPTO);
    }
    memcpy(bad, good, n);
    ck_assert_int_eq(gap_message_open(&c, &key, GAP_TO_SERVER, bad, n, &m), GAP_E_CRYPTO);
    memcpy(bad, good, n);
    ck_assert_int_eq(gap_message_open(&c, &key, GAP_TO_CLIENT, bad, n, &m), 0);
}
END_TEST

START_TEST(test_padding_policies)
{
    static const struct {
        size_t body;
        size_t least;
        size_t bucket; /* length of the ciphertext */
        const char *why;
    } table[] = {
        {0, 16, 64, "32 bytes of header and at least 12"},
        {4, 12, 64, "just enough"},
        {8, 24, 64, "4 short of the next block"},
        {20, 12, 64, "fills the smallest bucket"},
        {24, 24, 128, "4 too many for it"},
        {1236, 12, 1280, "fills the largest bucket"},
        {1240, 24, 1728, "the first step of 448"},
        {1684, 12, 1728, "fills the first step"},
        {1688, 24, 2176, "the second step"},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++) {
        size_t n = gap_message_padding(GAP_PADDING_LEAST, table[i].body);
        ck_assert_msg(n == table[i].least, "least: %s (%zu)", table[i].why, n);
        n = gap_message_padding(GAP_PADDING_BUCKETS, table[i].body);
        ck_assert_msg(32 + table[i].body + n == table[i].bucket, "bucket: %s", table[i].why);
    }
    for (size_t body = 0; body < 20000; body += 4) {
        for (gap_padding_t p = GAP_PADDING_LEAST; p <= GAP_PADDING_BUCKETS; p++) {
            size_t n = gap_message_padding(p, body);
            ck_assert(n >= GAP_PADDING_MIN_BYTES && n <= GAP_PADDING_MAX_BYTES);
            ck_assert_uint_eq((32 + body + n) % 16, 0);
        }
    }
}
END_TEST

START_TEST(test_seal_refuses_what_cannot_be_sent)
{
    static const struct {
        size_t body;
        size_t padding;
        const char *why;
    } table[] = {
        {16, 0, "no padding"},         {20, 8, "too little padding"}, {20, 1036, "too much"},
        {18, 14, "body not of words"}, {20, 13, "blocks not full"},
    };
    uint8_t body[64] = {0};
    static uint8_t out[2048];
    gap_auth_key_t key;
    gap_plaintext_t m = {.body = {body, 20}};

    load_key(&key);
    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++) {
        m.body.len = table[i].body;
        ck_assert_msg(gap_message_seal(&c, &key, GAP_TO_SERVER, &m, table[i].padding, &prng_source,
                                       out, NULL) == GAP_E_ARGUMENT,
                      "%s", table[i].why);
    }
    m.body.len = GAP_BODY_MAX_BYTES + 4;
    ck_assert_int_eq(gap_message_seal(&c, &key, GAP_TO_SERVER, &m, 12, &prng_source, out, NULL),
                     GAP_E_ARGUMENT);
    m.body.len = 20;
    ck_assert_int_eq(gap_message_seal(&c, &key, GAP_TO_SERVER, &m, 12, &failing_source, out, NULL),
                     -5);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("crypto");
    TCase *t = tcase_create("crypto");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_hash_known_answers);
    tcase_add_loop_test(t, test_ige_vectors, 0, 2);
    tcase_add_test(t, test_ige_paths_agree);
    tcase_add_test(t, test_auth_key_numbers);
    tcase_add_test(t, test_dh_seal_and_open);
    tcase_add_loop_test(t, test_packet_vectors, 0, 2);
    tcase_add_loop_test(t, test_packets_to_refuse, 0, 2);
    tcase_add_loop_test(t, test_packet_any_flipped_bit_is_refused, 0, 2);
    tcase_add_test(t, test_padding_policies);
    tcase_add_test(t, test_seal_refuses_what_cannot_be_sent);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
