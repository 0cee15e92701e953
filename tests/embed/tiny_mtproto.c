/* tests/embed/tiny_mtproto.c - see tiny_mtproto.h. The key exchange is core.telegram.org/mtproto/
 * auth_key, the messages core.telegram.org/mtproto/description, the frames its "intermediate". */
#include "tiny_mtproto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gapless/tl_mt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define FRAME_MAX    (1U << 24)
#define INFLATED_MAX (1U << 26)
#define READS_MAX    32 /* of one tiny_read */
#define ACKS_MAX     512
#define KEY_BYTES    256
#define PLAIN_MAX    4096 /* of the key exchange */

typedef struct call {
    int64_t msg_id; /* 0: free */
    uint8_t *query;
    size_t len;
    tiny_answer_cb cb;
    void *arg;
} call_t;

struct tiny {
    tiny_sink_t sink;
    int fd;
    uint8_t key[KEY_BYTES];
    uint8_t key_id[8];
    int64_t salt;
    int64_t session_id;
    int64_t last_id;
    int64_t clock_s; /* the server's clock minus ours */
    int32_t content; /* messages that want an acknowledgement */
    uint8_t *in;     /* FRAME_MAX + 4 */
    size_t in_len;
    call_t calls[TINY_CALLS_MAX];
    int64_t acks[ACKS_MAX];
    uint32_t ack_count;
};

/* --- bytes and sums ------------------------------------------------------------------------ */

static void die(const char *what)
{
    fprintf(stderr, "tiny: %s\n", what);
    exit(1);
}

static void need(bool ok, const char *what)
{
    if (!ok) die(what);
}

static void put32(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const uint8_t *in)
{
    return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint64_t get64(const uint8_t *in)
{
    return get32(in) | (uint64_t)get32(in + 4) << 32;
}

static void fill_random(void *out, size_t len)
{
    need(RAND_bytes(out, (int)len) == 1, "no random bytes");
}

/* A digest of up to three pieces. */
static void digest(const EVP_MD *md, uint8_t *out, gap_bytes_t a, gap_bytes_t b, gap_bytes_t c)
{
    EVP_MD_CTX *x = EVP_MD_CTX_new();

    need(x != NULL && EVP_DigestInit_ex(x, md, NULL) == 1 &&
             EVP_DigestUpdate(x, a.data, a.len) == 1 && EVP_DigestUpdate(x, b.data, b.len) == 1 &&
             EVP_DigestUpdate(x, c.data, c.len) == 1 && EVP_DigestFinal_ex(x, out, NULL) == 1,
         "no digest");
    EVP_MD_CTX_free(x);
}

static gap_bytes_t view(const void *data, size_t len)
{
    gap_bytes_t v = {data, len};
    return v;
}

static const gap_bytes_t nothing = {(const uint8_t *)"", 0};

/* AES-256 in IGE mode, in place; len is a multiple of 16. iv: 32 bytes. */
static void ige(bool encrypt, const uint8_t key[32], const uint8_t iv[32], uint8_t *data,
                size_t len)
{
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    uint8_t before[16], after[16]; /* what comes in before a block, and what goes out */
    int n;

    need(x != NULL && EVP_CipherInit_ex(x, EVP_aes_256_ecb(), NULL, key, NULL, encrypt) == 1 &&
             EVP_CIPHER_CTX_set_padding(x, 0) == 1,
         "no cipher");
    memcpy(encrypt ? after : before, iv, 16);
    memcpy(encrypt ? before : after, iv + 16, 16);
    for (size_t at = 0; at < len; at += 16) {
        uint8_t in[16], block[16];
        memcpy(in, data + at, 16);
        for (int i = 0; i < 16; i++) block[i] = in[i] ^ after[i];
        need(EVP_CipherUpdate(x, block, &n, block, 16) == 1 && n == 16, "no cipher");
        for (int i = 0; i < 16; i++) after[i] = block[i] ^ before[i];
        memcpy(before, in, 16);
        memcpy(data + at, after, 16);
    }
    EVP_CIPHER_CTX_free(x);
}

/* --- frames -------------------------------------------------------------------------------- */

static bool write_all(tiny_t *t, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) continue; /* a few hundred bytes: the server reads */
        if (n <= 0) return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_frame(tiny_t *t, const uint8_t *data, size_t len)
{
    uint8_t head[4];

    put32(head, (uint32_t)len);
    return write_all(t, head, 4) && write_all(t, data, len);
}

/* A whole frame at the beginning of `in`? */
static bool have_frame(const tiny_t *t, gap_bytes_t *out)
{
    if (t->in_len < 4) return false;
    *out = view(t->in + 4, get32(t->in));
    need(out->len <= FRAME_MAX, "a frame is too long");
    return t->in_len >= 4 + out->len;
}

static void drop_frame(tiny_t *t)
{
    size_t len = 4 + get32(t->in);
    t->in_len -= len;
    memmove(t->in, t->in + len, t->in_len);
}

static int64_t next_id(tiny_t *t)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t id = (now.tv_sec + t->clock_s) << 32 | ((int64_t)now.tv_nsec << 32) / 1000000000;
    id &= ~INT64_C(3);
    if (id <= t->last_id) id = t->last_id + 4;
    t->last_id = id;
    return id;
}

/* --- the key exchange ---------------------------------------------------------------------- */

/* Send a plain query and wait for its answer, which stays in `in` until drop_frame. */
static void ask_plain(tiny_t *t, gap_tl_object_t query, uint32_t answer_id, void *out, size_t size)
{
    uint8_t b[PLAIN_MAX];
    int64_t len = gap_tl_write(query, b + 20, sizeof b - 20);
    gap_bytes_t frame;

    need(len > 0, "a query can't be written");
    put64(b, 0);
    put64(b + 8, (uint64_t)next_id(t));
    put32(b + 16, (uint32_t)len);
    need(send_frame(t, b, 20 + (size_t)len), "the server hung up");
    while (!have_frame(t, &frame)) {
        ssize_t n = recv(t->fd, t->in + t->in_len, FRAME_MAX + 4 - t->in_len, 0);
        need(n > 0, "the server hung up");
        t->in_len += (size_t)n;
    }
    need(frame.len > 20 && get64(frame.data) == 0, "no plain answer");
    need(gap_tl_read(view(frame.data + 20, frame.len - 20), answer_id, out, size) > 0,
         "another answer than expected");
}

static uint64_t multiply(uint64_t a, uint64_t b, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide_t;
    return (uint64_t)((wide_t)a * b % n);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Pollard's rho. @return a divisor of n, a product of two primes. */
static uint64_t factor(uint64_t n)
{
    for (uint64_t c = 1;; c++) {
        uint64_t x = 2, y = 2, d = 1;
        while (d == 1) {
            x = (multiply(x, x, n) + c) % n;
            y = (multiply(y, y, n) + c) % n;
            y = (multiply(y, y, n) + c) % n;
            d = common_divisor(x > y ? x - y : y - x, n);
        }
        if (d != n) return d;
    }
}

/* Big-endian without leading zeros. */
static gap_bytes_t number_bytes(uint64_t v, uint8_t out[8])
{
    size_t len = 0;

    for (int i = 7; i >= 0; i--)
        if (len > 0 || v >> 8 * i != 0) out[len++] = (uint8_t)(v >> 8 * i);
    return view(out, len);
}

static uint64_t bytes_number(gap_bytes_t in)
{
    uint64_t v = 0;
    for (size_t i = 0; i < in.len; i++) v = v << 8 | in.data[i];
    return v;
}

/* base^power mod modulus, 256 bytes. */
static void power(const BIGNUM *base, const BIGNUM *exponent, const BIGNUM *modulus,
                  uint8_t out[KEY_BYTES])
{
    BN_CTX *x = BN_CTX_new();
    BIGNUM *r = BN_new();

    need(x != NULL && r != NULL && BN_mod_exp(r, base, exponent, modulus, x) == 1 &&
             BN_bn2binpad(r, out, KEY_BYTES) == KEY_BYTES,
         "no power");
    BN_free(r);
    BN_CTX_free(x);
}

static void read_rsa(const char *pem, BIGNUM **n, BIGNUM **e)
{
    EVP_PKEY *key = NULL;
    const uint8_t *at = (const uint8_t *)pem;
    size_t len = strlen(pem);
    OSSL_DECODER_CTX *x =
        OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, "RSA", EVP_PKEY_PUBLIC_KEY, NULL, NULL);

    need(x != NULL && OSSL_DECODER_from_data(x, &at, &len) == 1, "SERVER_KEY is no RSA key");
    need(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
             EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, e) == 1,
         "SERVER_KEY is no RSA key");
    EVP_PKEY_free(key);
    OSSL_DECODER_CTX_free(x);
}

/* RSA_PAD of at most 144 bytes. */
static void rsa_pad(const BIGNUM *n, const BIGNUM *e, gap_bytes_t data, uint8_t out[KEY_BYTES])
{
    static const uint8_t zeros[32];
    uint8_t padded[192], x[KEY_BYTES], hash[32];
    BIGNUM *m = NULL;

    need(data.len <= 144, "too much for RSA");
    fill_random(padded, sizeof padded);
    memcpy(padded, data.data, data.len);
    do {
        uint8_t temp[32];
        fill_random(temp, sizeof temp);
        for (size_t i = 0; i < 192; i++) x[32 + i] = padded[191 - i];
        digest(EVP_sha256(), x + 224, view(temp, 32), view(padded, 192), nothing);
        ige(true, temp, zeros, x + 32, 224);
        digest(EVP_sha256(), hash, view(x + 32, 224), nothing, nothing);
        for (int i = 0; i < 32; i++) x[i] = temp[i] ^ hash[i];
        m = BN_bin2bn(x, sizeof x, m);
        need(m != NULL, "no memory");
    } while (BN_cmp(m, n) >= 0);
    power(m, e, n, out);
    BN_free(m);
}

/* The fingerprint: the end of SHA-1 over the numbers as TL strings. */
static bool offers(gap_tl_vector_t offered, const BIGNUM *n, const BIGNUM *e, int64_t *print)
{
    uint8_t b[264] = {0xfe, 0, 1, 0}, s[8] = {0}, hash[20];
    gap_tl_iter_t it = gap_tl_iter(offered);

    need(BN_num_bytes(n) == KEY_BYTES && BN_num_bytes(e) <= 3, "another kind of RSA key");
    BN_bn2bin(n, b + 4);
    s[0] = (uint8_t)BN_num_bytes(e);
    BN_bn2bin(e, s + 1);
    digest(EVP_sha1(), hash, view(b, 4 + KEY_BYTES), view(s, 4), nothing);
    while (gap_tl_next_long(&it, print) == 1)
        if ((uint64_t)*print == get64(hash + 12)) return true;
    return false;
}

typedef struct nonces {
    gap_int128_t client;
    gap_int128_t server;
    gap_int256_t fresh; /* new_nonce */
    uint8_t key[32];
    uint8_t iv[32];
} nonces_t;

static void check_nonces(const nonces_t *x, gap_int128_t client, gap_int128_t server)
{
    need(memcmp(&x->client, &client, 16) == 0 && memcmp(&x->server, &server, 16) == 0,
         "a nonce of another exchange");
}

static void temporary_key(nonces_t *x)
{
    uint8_t ns[20], sn[20], nn[20];
    gap_bytes_t n = view(&x->fresh, 32), s = view(&x->server, 16);

    digest(EVP_sha1(), ns, n, s, nothing);
    digest(EVP_sha1(), sn, s, n, nothing);
    digest(EVP_sha1(), nn, n, n, nothing);
    memcpy(x->key, ns, 20);
    memcpy(x->key + 20, sn, 12);
    memcpy(x->iv, sn + 12, 8);
    memcpy(x->iv + 8, nn, 20);
    memcpy(x->iv + 28, &x->fresh, 4);
}

/* The key's first half: until the server's part of Diffie and Hellman, which goes into @p out and
 * points into @p plain. */
static void exchange_begin(tiny_t *t, nonces_t *x, const char *pem,
                           gap_mt_server_dh_inner_data_t *out, uint8_t plain[PLAIN_MAX])
{
    gap_mt_res_pq_t pq;
    gap_mt_server_dh_params_ok_t dh;
    uint8_t p_bytes[8], q_bytes[8], pq_bytes[8], inner[144], sealed[KEY_BYTES], hash[20];
    BIGNUM *n = NULL, *e = NULL;
    int64_t print = 0;

    read_rsa(pem, &n, &e);
    fill_random(&x->client, sizeof x->client);
    fill_random(&x->fresh, sizeof x->fresh);
    gap_mt_req_pq_multi_t first = {x->client};
    ask_plain(t, GAP_TL_OF(GAP_MT_REQ_PQ_MULTI, &first), GAP_MT_RES_PQ, &pq, sizeof pq);
    x->server = pq.server_nonce;
    check_nonces(x, pq.nonce, pq.server_nonce);
    need(pq.pq.len <= 8 && offers(pq.server_public_key_fingerprints, n, e, &print),
         "not this server's key");
    uint64_t product = bytes_number(pq.pq), p = factor(product), q = product / p;
    if (p > q) {
        p = q;
        q = product / p;
    }
    gap_mt_p_q_inner_data_dc_t data = {number_bytes(product, pq_bytes),
                                       number_bytes(p, p_bytes),
                                       number_bytes(q, q_bytes),
                                       x->client,
                                       x->server,
                                       x->fresh,
                                       2};
    int64_t len = gap_tl_write(GAP_TL_OF(GAP_MT_P_Q_INNER_DATA_DC, &data), inner, sizeof inner);
    need(len > 0, "the inner data can't be written");
    rsa_pad(n, e, view(inner, (size_t)len), sealed);
    drop_frame(t);
    gap_mt_req_dh_params_t second = {x->client, x->server, data.p,
                                     data.q,    print,     view(sealed, sizeof sealed)};
    ask_plain(t, GAP_TL_OF(GAP_MT_REQ_DH_PARAMS, &second), GAP_MT_SERVER_DH_PARAMS_OK, &dh,
              sizeof dh);
    check_nonces(x, dh.nonce, dh.server_nonce);
    need(dh.encrypted_answer.len <= PLAIN_MAX && dh.encrypted_answer.len % 16 == 0, "bad length");
    temporary_key(x);
    memcpy(plain, dh.encrypted_answer.data, dh.encrypted_answer.len);
    ige(false, x->key, x->iv, plain, dh.encrypted_answer.len);
    int64_t used = gap_tl_read(view(plain + 20, dh.encrypted_answer.len - 20),
                               GAP_MT_SERVER_DH_INNER_DATA, out, sizeof *out);
    need(used > 0, "no inner data");
    digest(EVP_sha1(), hash, view(plain + 20, (size_t)used), nothing, nothing);
    need(memcmp(hash, plain, 20) == 0, "a wrong hash");
    check_nonces(x, out->nonce, out->server_nonce);
    drop_frame(t);
    BN_free(n);
    BN_free(e);
}

/* The second half: our part, and the key. */
static void exchange_end(tiny_t *t, nonces_t *x, const gap_mt_server_dh_inner_data_t *dh)
{
    uint8_t secret[KEY_BYTES], ours[KEY_BYTES], inner[20 + 400], hash[20];
    BIGNUM *prime = BN_bin2bn(dh->dh_prime.data, (int)dh->dh_prime.len, NULL);
    BIGNUM *theirs = BN_bin2bn(dh->g_a.data, (int)dh->g_a.len, NULL), *g = BN_new();
    gap_mt_dh_gen_ok_t done;

    fill_random(secret, sizeof secret);
    BIGNUM *b = BN_bin2bn(secret, sizeof secret, NULL);
    need(prime != NULL && theirs != NULL && b != NULL && g != NULL &&
             BN_set_word(g, (BN_ULONG)dh->g) == 1,
         "no memory");
    power(g, b, prime, ours);
    power(theirs, b, prime, t->key);
    gap_mt_client_dh_inner_data_t data = {x->client, x->server, 0, view(ours, sizeof ours)};
    int64_t len =
        gap_tl_write(GAP_TL_OF(GAP_MT_CLIENT_DH_INNER_DATA, &data), inner + 20, sizeof inner - 36);
    need(len > 0, "the inner data can't be written");
    digest(EVP_sha1(), inner, view(inner + 20, (size_t)len), nothing, nothing);
    size_t whole = (20 + (size_t)len + 15) / 16 * 16;
    fill_random(inner + 20 + len, whole - 20 - (size_t)len);
    ige(true, x->key, x->iv, inner, whole);
    gap_mt_set_client_dh_params_t third = {x->client, x->server, view(inner, whole)};
    ask_plain(t, GAP_TL_OF(GAP_MT_SET_CLIENT_DH_PARAMS, &third), GAP_MT_DH_GEN_OK, &done,
              sizeof done);
    check_nonces(x, done.nonce, done.server_nonce);

    digest(EVP_sha1(), hash, view(t->key, KEY_BYTES), nothing, nothing);
    memcpy(t->key_id, hash + 12, 8);
    uint8_t mark[9] = {1}, proof[20];
    memcpy(mark + 1, hash, 8);
    digest(EVP_sha1(), proof, view(&x->fresh, 32), view(mark, 9), nothing);
    need(memcmp(proof + 4, &done.new_nonce_hash1, 16) == 0, "the server has another key");
    uint8_t salt[8];
    for (int i = 0; i < 8; i++) salt[i] = x->fresh.bytes[i] ^ x->server.bytes[i];
    t->salt = (int64_t)get64(salt);
    t->clock_s = dh->server_time - time(NULL);
    drop_frame(t);
    BN_free(b);
    BN_free(g);
    BN_free(prime);
    BN_clear_free(theirs);
}

tiny_t *tiny_open(uint16_t port, const char *rsa_pem, const tiny_sink_t *sink)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    gap_mt_server_dh_inner_data_t dh;
    uint8_t plain[PLAIN_MAX];
    nonces_t x;
    tiny_t *t = calloc(1, sizeof *t);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(t != NULL && (t->in = malloc(FRAME_MAX + 4)) != NULL, "no memory");
    t->sink = *sink;
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(t->fd >= 0 && connect(t->fd, (const struct sockaddr *)&to, sizeof to) == 0,
         "no connection");
    need(write_all(t, (const uint8_t *)"\xee\xee\xee\xee", 4), "the server hung up");
    exchange_begin(t, &x, rsa_pem, &dh, plain);
    exchange_end(t, &x, &dh);
    fill_random(&t->session_id, sizeof t->session_id);
    need(fcntl(t->fd, F_SETFL, O_NONBLOCK) == 0, "the socket blocks");
    return t;
}

/* --- messages ------------------------------------------------------------------------------ */

/* Key and iv of one message. x: 0 to the server, 8 from it. */
static void message_keys(const tiny_t *t, const uint8_t msg_key[16], int x, uint8_t key[32],
                         uint8_t iv[32])
{
    uint8_t a[32], b[32];

    digest(EVP_sha256(), a, view(msg_key, 16), view(t->key + x, 36), nothing);
    digest(EVP_sha256(), b, view(t->key + 40 + x, 36), view(msg_key, 16), nothing);
    memcpy(key, a, 8);
    memcpy(key + 8, b + 8, 16);
    memcpy(key + 24, a + 24, 8);
    memcpy(iv, b, 8);
    memcpy(iv + 8, a + 8, 16);
    memcpy(iv + 24, b + 24, 8);
}

/* @return the message's id, 0: not sent. */
static int64_t send_message(tiny_t *t, gap_bytes_t body, bool content)
{
    size_t whole = (32 + body.len + 12 + 15) / 16 * 16;
    uint8_t *b = malloc(24 + whole), hash[32], key[32], iv[32];
    int64_t id = next_id(t);

    if (b == NULL) return 0;
    uint8_t *p = b + 24;
    put64(p, (uint64_t)t->salt);
    put64(p + 8, (uint64_t)t->session_id);
    put64(p + 16, (uint64_t)id);
    put32(p + 24, (uint32_t)(t->content * 2 + content));
    if (content) t->content++;
    put32(p + 28, (uint32_t)body.len);
    memcpy(p + 32, body.data, body.len);
    fill_random(p + 32 + body.len, whole - 32 - body.len);
    digest(EVP_sha256(), hash, view(t->key + 88, 32), view(p, whole), nothing);
    memcpy(b, t->key_id, 8);
    memcpy(b + 8, hash + 8, 16);
    message_keys(t, b + 8, 0, key, iv);
    ige(true, key, iv, p, whole);
    bool sent = send_frame(t, b, 24 + whole);
    free(b);
    return sent ? id : 0;
}

static void send_acks(tiny_t *t)
{
    uint8_t b[16 + 8 * ACKS_MAX];
    gap_mt_msgs_ack_t acks = {gap_tl_array(t->acks, t->ack_count)};

    if (t->ack_count == 0) return;
    int64_t len = gap_tl_write(GAP_TL_OF(GAP_MT_MSGS_ACK, &acks), b, sizeof b);
    need(len > 0, "no acknowledgement can be written");
    (void)send_message(t, view(b, (size_t)len), false);
    t->ack_count = 0;
}

int tiny_call(tiny_t *t, gap_tl_object_t query, tiny_answer_cb cb, void *arg)
{
    int64_t size = gap_tl_size(query);
    call_t *c = t->calls;

    while (c < t->calls + TINY_CALLS_MAX && c->msg_id != 0) c++;
    if (size <= 0 || c == t->calls + TINY_CALLS_MAX) return -1;
    c->query = malloc((size_t)size);
    if (c->query == NULL) return -1;
    if (gap_tl_write(query, c->query, (size_t)size) == size)
        c->msg_id = send_message(t, view(c->query, (size_t)size), true);
    c->len = (size_t)size;
    c->cb = cb;
    c->arg = arg;
    if (c->msg_id != 0) return 0;
    free(c->query);
    return -1;
}

static call_t *find_call(tiny_t *t, int64_t msg_id)
{
    for (size_t i = 0; i < TINY_CALLS_MAX; i++)
        if (t->calls[i].msg_id == msg_id) return &t->calls[i];
    return NULL;
}

static void end_call(call_t *c, int error_code, gap_bytes_t value)
{
    c->msg_id = 0;
    free(c->query);
    c->query = NULL;
    c->cb(c->arg, error_code, value);
}

void tiny_fail_calls(tiny_t *t)
{
    for (size_t i = 0; i < TINY_CALLS_MAX; i++)
        if (t->calls[i].msg_id != 0) end_call(&t->calls[i], -1, nothing);
}

/* --- what comes ---------------------------------------------------------------------------- */

/* What is in a gzip_packed, to be freed; NULL: it can't be unpacked. */
static uint8_t *inflated(gap_bytes_t in, size_t *len)
{
    gap_mt_gzip_packed_t packed;
    z_stream z = {0};
    size_t cap = 1 << 16;
    uint8_t *out = NULL;
    int r = Z_OK;

    *len = 0;
    if (gap_tl_read(in, GAP_MT_GZIP_PACKED, &packed, sizeof packed) < 0) return NULL;
    if (inflateInit2(&z, 31) != Z_OK) return NULL;
    z.next_in = (Bytef *)(uintptr_t)packed.packed_data.data;
    z.avail_in = (uInt)packed.packed_data.len;
    while (r == Z_OK && cap <= INFLATED_MAX) {
        uint8_t *more = realloc(out, cap);
        if (more == NULL) break;
        out = more;
        z.next_out = out + *len;
        z.avail_out = (uInt)(cap - *len);
        r = inflate(&z, Z_NO_FLUSH);
        *len = cap - z.avail_out;
        cap *= 2;
    }
    inflateEnd(&z);
    if (r == Z_STREAM_END) return out;
    free(out);
    return NULL;
}

static void on_result(tiny_t *t, gap_bytes_t body)
{
    call_t *c = body.len < 16 ? NULL : find_call(t, (int64_t)get64(body.data + 4));
    gap_mt_rpc_error_t error;
    uint8_t *unpacked = NULL;

    if (c == NULL || c->msg_id == 0) return; /* told before */
    gap_bytes_t value = view(body.data + 12, body.len - 12);
    if (get32(value.data) == GAP_MT_GZIP_PACKED) {
        unpacked = inflated(value, &value.len);
        value.data = unpacked;
    }
    if (value.data == NULL)
        end_call(c, 500, gap_str("UNREADABLE"));
    else if (gap_tl_read(value, GAP_MT_RPC_ERROR, &error, sizeof error) > 0)
        end_call(c, error.error_code == 0 ? 500 : error.error_code, error.error_message);
    else
        end_call(c, 0, value);
    free(unpacked);
}

/* The message was not taken: send it again, with what the server said about salts. */
static void on_bad_salt(tiny_t *t, gap_bytes_t body)
{
    gap_mt_bad_server_salt_t bad;

    if (gap_tl_read(body, GAP_MT_BAD_SERVER_SALT, &bad, sizeof bad) < 0) return;
    t->salt = bad.new_server_salt;
    call_t *c = bad.bad_msg_id == 0 ? NULL : find_call(t, bad.bad_msg_id);
    if (c == NULL) return;
    c->msg_id = send_message(t, view(c->query, c->len), true);
    if (c->msg_id == 0) end_call(c, -1, nothing);
}

static void on_object(tiny_t *t, gap_bytes_t body)
{
    gap_mt_new_session_created_t fresh;
    size_t len;
    uint8_t *unpacked;

    switch (get32(body.data)) {
    case GAP_MT_RPC_RESULT:
        on_result(t, body);
        break;
    case GAP_MT_BAD_SERVER_SALT:
        on_bad_salt(t, body);
        break;
    case GAP_MT_NEW_SESSION_CREATED:
        if (gap_tl_read(body, GAP_MT_NEW_SESSION_CREATED, &fresh, sizeof fresh) > 0)
            t->salt = fresh.server_salt;
        t->sink.new_session(t->sink.data);
        break;
    case GAP_MT_GZIP_PACKED:
        unpacked = inflated(body, &len);
        if (unpacked != NULL && len >= 4)
            t->sink.updates(t->sink.data, view(unpacked, len));
        else
            t->sink.unreadable(t->sink.data);
        free(unpacked);
        break;
    case GAP_MT_BAD_MSG_NOTIFICATION:
        die("the server refused a message");
    case GAP_MT_PONG:
    case GAP_MT_MSGS_ACK:
        break;
    default:
        t->sink.updates(t->sink.data, body);
    }
}

/* A message, its head before it: msg_id, seqno, length. @return its bytes, 0: malformed. */
static size_t on_message(tiny_t *t, gap_bytes_t in)
{
    size_t len = in.len < 16 ? 0 : get32(in.data + 12);
    const uint8_t *body = in.data + 16;

    if (len < 4 || len % 4 != 0 || len > in.len - 16) return 0;
    if ((get32(in.data + 8) & 1) != 0) {
        if (t->ack_count == ACKS_MAX) send_acks(t);
        t->acks[t->ack_count++] = (int64_t)get64(in.data);
    }
    if (get32(body) != GAP_MT_MSG_CONTAINER) {
        on_object(t, view(body, len));
        return 16 + len;
    }
    size_t at = 8;
    for (uint32_t i = len < 8 ? 0 : get32(body + 4); i > 0; i--) {
        size_t used = on_message(t, view(body + at, len - at));
        if (used == 0) return 0;
        at += used;
    }
    return 16 + len;
}

static void on_frame(tiny_t *t, uint8_t *data, size_t len)
{
    uint8_t key[32], iv[32], hash[32];

    need(len >= 24 + 48 && len % 16 == 8 && memcmp(data, t->key_id, 8) == 0, "a foreign frame");
    message_keys(t, data + 8, 8, key, iv);
    ige(false, key, iv, data + 24, len - 24);
    digest(EVP_sha256(), hash, view(t->key + 96, 32), view(data + 24, len - 24), nothing);
    need(memcmp(hash + 8, data + 8, 16) == 0, "a forged frame");
    need((int64_t)get64(data + 32) == t->session_id, "another session's frame");
    if (on_message(t, view(data + 40, len - 40)) == 0) t->sink.unreadable(t->sink.data);
}

int tiny_read(tiny_t *t)
{
    gap_bytes_t frame;
    int more = 0;

    for (int i = 0; i < READS_MAX && more == 0; i++) {
        ssize_t n = recv(t->fd, t->in + t->in_len, FRAME_MAX + 4 - t->in_len, 0);
        if (n > 0)
            t->in_len += (size_t)n;
        else
            more = n < 0 && errno == EAGAIN ? 1 : -1;
        while (have_frame(t, &frame)) {
            on_frame(t, t->in + 4, frame.len);
            drop_frame(t);
        }
    }
    send_acks(t);
    return more;
}

int tiny_fd(const tiny_t *t)
{
    return t->fd;
}

void tiny_close(tiny_t *t)
{
    tiny_fail_calls(t);
    (void)close(t->fd);
    free(t->in);
    free(t);
}
