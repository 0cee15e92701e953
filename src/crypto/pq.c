/*
 * crypto/pq.c - factors of 64-bit numbers: trial division by small primes, then Pollard's rho with
 * Brent's cycle search. Residues are kept in Montgomery form: one 128-bit multiplication and no
 * division a step. Pure, no allocation.
 */
#include "crypto/pq.h"

#include "base/bytes.h"
#include "base/prng.h"

/* An odd modulus and what multiplying modulo it needs; r is 2^64. */
struct mont {
    uint64_t n;
    uint64_t n_inv; /* -n^-1 mod r */
    uint64_t one;   /* r mod n */
    uint64_t r2;    /* r^2 mod n */
};

static void mont_init(struct mont *m, uint64_t n)
{
    uint64_t inv = n; /* right in the lowest 3 bits; each step doubles them */

    for (int i = 0; i < 5; i++) inv *= 2 - n * inv;
    m->n = n;
    m->n_inv = (uint64_t)0 - inv;
    m->one = (uint64_t)0 - n;
    m->one %= n;
    m->r2 = (uint64_t)(((gap_u128_t)m->one * m->one) % n);
}

static inline uint64_t upper(gap_u128_t v)
{
    return (uint64_t)(v >> 64); /* NOLINT(clang-analyzer-core.*): it can't shift 128 bits */
}

/* a * b / r mod n, for a, b < n; the sum may need a 129th bit when n is above 2^63. */
static inline uint64_t mont_mul(const struct mont *m, uint64_t a, uint64_t b)
{
    gap_u128_t t = (gap_u128_t)a * b;
    uint64_t k = (uint64_t)t * m->n_inv;
    gap_u128_t u = (gap_u128_t)k * m->n;
    uint64_t high;
    /* The low halves add up to 0 mod r: a carry unless both are 0. */
    uint64_t carry = (uint64_t)t != 0;
    bool over = __builtin_add_overflow(upper(t), upper(u), &high);
    over |= __builtin_add_overflow(high, carry, &high);
    return over || high >= m->n ? high - m->n : high;
}

static inline uint64_t mont_add(const struct mont *m, uint64_t a, uint64_t b)
{
    uint64_t s;
    bool over = __builtin_add_overflow(a, b, &s);
    return over || s >= m->n ? s - m->n : s;
}

static uint64_t mont_pow(const struct mont *m, uint64_t base, uint64_t exp)
{
    uint64_t result = m->one;

    for (; exp > 0; exp >>= 1, base = mont_mul(m, base, base))
        if ((exp & 1) != 0) result = mont_mul(m, result, base);
    return result;
}

/* One round of Miller-Rabin: does @p base fail to show that n is composite? */
static bool strong_probable_prime(const struct mont *m, uint64_t base)
{
    const uint64_t minus_one = m->n - m->one;
    int twos = __builtin_ctzll(m->n - 1);

    base %= m->n;
    if (base == 0) return true;
    uint64_t x = mont_pow(m, mont_mul(m, base, m->r2), (m->n - 1) >> twos);
    if (x == m->one || x == minus_one) return true;
    for (int i = 1; i < twos; i++) {
        x = mont_mul(m, x, x);
        if (x == minus_one) return true;
    }
    return false;
}

bool gap_is_prime64(uint64_t n)
{
    /* The first twelve primes as bases decide every number below 3.3 * 10^24. */
    static const uint8_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    struct mont m;

    if (n < 2) return false;
    for (size_t i = 0; i < GAP_ARRAY_LEN(bases); i++)
        if (n % bases[i] == 0) return n == bases[i];
    mont_init(&m, n);
    for (size_t i = 0; i < GAP_ARRAY_LEN(bases); i++)
        if (!strong_probable_prime(&m, bases[i])) return false;
    return true;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/*
 * One run of Brent's search with x -> x^2 + c. Differences are multiplied up and tested in batches;
 * when a batch swallows both factors it is walked again one step at a time.
 * Returns a proper factor, or 0: try another c.
 */
static uint64_t brent(const struct mont *m, uint64_t c)
{
    enum { BATCH = 128, STEPS_MAX = 1 << 20 };
    uint64_t y = m->r2 % m->n;
    uint64_t x = y;
    uint64_t saved = y;
    uint64_t product = m->one;
    uint64_t g = 1;

    for (uint64_t run = 1; run < STEPS_MAX && g == 1; run *= 2) {
        x = y;
        for (uint64_t i = 0; i < run; i++) y = mont_add(m, mont_mul(m, y, y), c);
        for (uint64_t done = 0; done < run && g == 1; done += BATCH) {
            uint64_t batch = run - done < BATCH ? run - done : BATCH;
            saved = y;
            for (uint64_t i = 0; i < batch; i++) {
                y = mont_add(m, mont_mul(m, y, y), c);
                product = mont_mul(m, product, x > y ? x - y : y - x);
            }
            g = gcd(product, m->n);
        }
    }
    if (g == m->n) {
        for (g = 1; g == 1;) {
            saved = mont_add(m, mont_mul(m, saved, saved), c);
            g = gcd(x > saved ? x - saved : saved - x, m->n);
        }
    }
    return g == 1 || g == m->n ? 0 : g;
}

static uint64_t find_factor(uint64_t n)
{
    enum { TRIAL_MAX = 1000, TRIES = 64 };
    struct mont m;

    if (n % 2 == 0) return 2;
    for (uint64_t d = 3; d < TRIAL_MAX && d * d <= n; d += 2)
        if (n % d == 0) return d;
    mont_init(&m, n);
    for (uint64_t c = 1; c <= TRIES; c++) {
        uint64_t f = brent(&m, c);
        if (f != 0) return f;
    }
    return 0;
}

int gap_pq_factor(uint64_t pq, uint64_t *p, uint64_t *q)
{
    if (pq < 6 || gap_is_prime64(pq)) return GAP_E_PROTOCOL;
    uint64_t a = find_factor(pq);
    if (a == 0) return GAP_E_PROTOCOL;
    uint64_t b = pq / a;
    if (a == b || !gap_is_prime64(a) || !gap_is_prime64(b)) return GAP_E_PROTOCOL;
    *p = a < b ? a : b;
    *q = a < b ? b : a;
    return 0;
}

size_t gap_be_bytes(uint64_t n, uint8_t out[8])
{
    size_t len = 0;

    for (int shift = 56; shift >= 0; shift -= 8)
        if (len > 0 || (n >> shift) != 0) out[len++] = (uint8_t)(n >> shift);
    return len;
}
