/*
 * bench/crypto_speed.c - packets opened and sealed, relative to the serial cipher limit of the same
 * number of bytes in the same run. `crypto_speed [ROUNDS]`.
 */
#include "base/bytes.h"
#include "bench/serial_limit.h"
#include "crypto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PACKET_MAX ((size_t)65536)
#define ROUNDS_MAX 1000

struct bench {
    gap_crypto_t crypto;
    bench_serial_limit_t limit;
    gap_auth_key_t key;
    gap_plaintext_t message;
    size_t padding;
    size_t plain; /* bytes of ciphertext */
    uint8_t body[PACKET_MAX];
    uint8_t sealed[PACKET_MAX + 2048];
    uint8_t work[PACKET_MAX + 2048];
};

static int zero_fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 0, len);
    return 0;
}

static const gap_random_t zeros = {zero_fill, NULL};

static int run_limit(struct bench *b)
{
    return bench_serial_limit_run(&b->limit, b->work, b->plain);
}

static int run_open(struct bench *b)
{
    gap_plaintext_t out;

    memcpy(b->work, b->sealed, GAP_ENVELOPE_BYTES + b->plain);
    return gap_message_open(&b->crypto, &b->key, GAP_TO_CLIENT, b->work,
                            GAP_ENVELOPE_BYTES + b->plain, &out);
}

static int run_seal(struct bench *b)
{
    return gap_message_seal(&b->crypto, &b->key, GAP_TO_CLIENT, &b->message, b->padding, &zeros,
                            b->work, NULL);
}

/* One thing to measure. The first one is the yardstick. */
static const struct subject {
    const char *name;
    int (*run)(struct bench *);
    bool aesni;
} subjects[] = {
    {"limit", run_limit, false}, {"open", run_open, false}, {"seal", run_seal, false},
    {"open", run_open, true},    {"seal", run_seal, true},
};

#define SUBJECTS (GAP_ARRAY_LEN(subjects))

/* Nanoseconds of one call; negative on failure. */
static double measure(struct bench *b, const struct subject *s)
{
    struct timespec t0;
    struct timespec t1;
    const long calls = 100 + (long)(1000000 / (b->plain + 200));

    gap_crypto_use_aesni(&b->crypto, s->aesni);
    (void)clock_gettime(CLOCK_MONOTONIC, &t0);
    for (long k = 0; k < calls; k++)
        if (s->run(b) < 0) return -1;
    (void)clock_gettime(CLOCK_MONOTONIC, &t1);
    double ns = (double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec);
    return ns / (double)calls;
}

/* The subjects take turns, and the fastest round counts: other programs only ever add time. */
static int one_size(struct bench *b, size_t plain, int rounds)
{
    double best[SUBJECTS];

    /* 32 bytes of header and 12 of padding belong to the plaintext. */
    b->plain = plain;
    b->padding = 12;
    b->message.body = gap_bytes(b->body, plain - 32 - b->padding);
    int r = gap_message_seal(&b->crypto, &b->key, GAP_TO_CLIENT, &b->message, b->padding, &zeros,
                             b->sealed, NULL);
    if (r < 0) return r;
    for (int i = 0; i < rounds; i++) {
        for (size_t k = 0; k < SUBJECTS; k++) {
            double ns = measure(b, &subjects[k]);
            if (ns < 0) return GAP_E_LIBCRYPTO;
            if (i == 0 || ns < best[k]) best[k] = ns;
        }
    }
    printf("%7zu %10.0f", plain, best[0]);
    for (size_t k = 1; k < SUBJECTS; k++) printf(" %9.2f", best[k] / best[0]);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {64, 256, 1024, 4096, 65536};
    static struct bench b;
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 25;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "rounds: 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    int r = gap_crypto_init(&b.crypto);
    if (r == 0) r = bench_serial_limit_init(&b.limit);
    if (r == 0) r = gap_auth_key_derive(&b.crypto, &b.key);
    printf("time divided by the serial limit (CBC encryption + SHA-256); lower is faster\n"
           "%7s %10s %9s %9s %9s %9s\n%18s %19s %19s\n",
           "bytes", "limit, ns", "open", "seal", "open", "seal", "", "portable", "AES-NI");
    size_t done = 0;
    for (; r == 0 && done < GAP_ARRAY_LEN(sizes); done += r == 0)
        r = one_size(&b, sizes[done], (int)rounds);
    bench_serial_limit_fini(&b.limit);
    gap_crypto_fini(&b.crypto);
    if (r < 0) fprintf(stderr, "crypto_speed: %s\n", gap_strerror(r));
    printf("%zu passed, %d failed\n", done, r < 0);
    return r < 0 ? 1 : 0;
}
