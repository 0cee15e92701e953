/*
 * client/settings.c - the configuration of a client: copied, completed with defaults and checked,
 * so that nothing of the caller's is needed later. Knows Telegram's published addresses and keys.
 *
 * Owns the copies; tokens and hashes are wiped before their memory is given back.
 */
#include "client/sign_in.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/rsa.h"

#include <string.h>

#define PEM_BEGIN "-----BEGIN "

/* Keys that Telegram publishes (core.telegram.org/resources/..., my.telegram.org/apps). */
static const char production_key[] =
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g\n"
    "5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO\n"
    "62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/\n"
    "+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9\n"
    "t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs\n"
    "5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB\n"
    "-----END RSA PUBLIC KEY-----\n";

static const char test_key[] = "-----BEGIN RSA PUBLIC KEY-----\n"
                               "MIIBCgKCAQEAyMEdY1aR+sCR3ZSJrtztKTKqigvO/vBfqACJLZtS7QMgCGXJ6XIR\n"
                               "yy7mx66W0/sOFa7/1mAZtEoIokDP3ShoqF4fVNb6XeqgQfaUHd8wJpDWHcR2OFwv\n"
                               "plUUI1PLTktZ9uW2WE23b+ixNwJjJGwBDJPQEQFBE+vfmH0JP503wr5INS1poWg/\n"
                               "j25sIWeYPHYeOrFp/eXaqhISP6G+q2IeTaWTXpwZj4LzXq5YOpk4bYEQ6mvRq7D1\n"
                               "aHWfYmlEGepfaYR8Q0YqvvhYtMte3ITnuSJs171+GDqpdKcSwHnd6FudwGO4pcCO\n"
                               "j4WcDuXc2CTHgH8gFTNhp/Y8/SpDOhvn9QIDAQAB\n"
                               "-----END RSA PUBLIC KEY-----\n";

/* Published addresses; index is the data centre's number. All listen on port 443. */
#define PUBLISHED_PORT 443
static const uint8_t production_ips[][4] = {
    [1] = {149, 154, 175, 50}, [2] = {149, 154, 167, 51}, [3] = {149, 154, 175, 100},
    [4] = {149, 154, 167, 91}, [5] = {149, 154, 171, 5},
};
static const uint8_t test_ips[][4] = {
    [1] = {149, 154, 175, 10},
    [2] = {149, 154, 167, 40},
    [3] = {149, 154, 175, 117},
};

bool client_published_address(gap_network_t network, int32_t dc, gap_addr_t *out)
{
    bool test = network == GAP_NETWORK_TEST;
    int32_t last = test ? (int32_t)GAP_ARRAY_LEN(test_ips) : (int32_t)GAP_ARRAY_LEN(production_ips);

    if (network == GAP_NETWORK_CUSTOM || dc < 1 || dc >= last) return false;
    memset(out, 0, sizeof *out);
    memcpy(out->ip, test ? test_ips[dc] : production_ips[dc], 4);
    out->port = PUBLISHED_PORT;
    return true;
}

static int copy_text(const gap_alloc_t *alloc, const char *text, char **out)
{
    size_t len = strlen(text);
    char *copy = gap_malloc(alloc, len + 1);

    if (copy == NULL) return GAP_E_NOMEM;
    memcpy(copy, text, len + 1);
    *out = copy;
    return 0;
}

static void free_text(const gap_alloc_t *alloc, char **text)
{
    if (*text != NULL) gap_wipe(*text, strlen(*text));
    gap_free(alloc, *text);
    *text = NULL;
}

void client_settings_free(struct client_settings *s, const gap_alloc_t *alloc)
{
    free_text(alloc, &s->host);
    free_text(alloc, &s->api_hash);
    free_text(alloc, &s->bot_token);
    free_text(alloc, &s->phone);
    free_text(alloc, &s->session);
    free_text(alloc, &s->device_model);
    free_text(alloc, &s->system_version);
    free_text(alloc, &s->app_version);
    free_text(alloc, &s->lang_code);
    gap_free(alloc, s->keys);
    s->keys = NULL;
    s->pem_count = 0;
}

static const char *runner_contradiction(const gap_runner_config_t *c)
{
    if (c->threads > GAP_RUNNER_THREADS_MAX)
        return "runner.threads: more than GAP_RUNNER_THREADS_MAX";
    if ((unsigned)c->journal > GAP_JOURNAL_FULL)
        return "runner.journal: none of gap_journal_mode_t";
    if (c->retry_max_us != 0 && c->retry_min_us > c->retry_max_us)
        return "runner.retry_min_us: above retry_max_us";
    return NULL;
}

static bool is_rate(const gap_outbox_rate_t *r)
{
    return r->calls == 0 || r->per_ms > 0;
}

static const char *outbox_contradiction(const gap_client_config_t *config)
{
    const gap_outbox_config_t *c = config->outbox;

    if (config->storage == NULL) return "outbox: its rows lie in a SQLite storage; give one";
    if (!is_rate(&c->account) || !is_rate(&c->user) || !is_rate(&c->group))
        return "outbox: a rate of so many calls per no time; set per_ms";
    if (c->in_flight > GAP_OUTBOX_FLIGHT_MAX) return "outbox.in_flight: more than 64";
    if (c->retry_max_us != 0 && c->retry_min_us > c->retry_max_us)
        return "outbox.retry_min_us: above retry_max_us";
    return NULL;
}

/* What can be seen without knowing any server. */
static const char *contradiction(const gap_client_config_t *c)
{
    bool custom = c->network == GAP_NETWORK_CUSTOM;
    gap_addr_t addr;

    if ((unsigned)c->network > GAP_NETWORK_TEST) return "network: none of gap_network_t";
    if ((unsigned)c->transport > GAP_TRANSPORT_ABRIDGED)
        return "transport: none of gap_transport_t";
    if (custom && (c->host == NULL || c->host[0] == 0)) return "host: a custom network needs one";
    if (custom && c->port == 0) return "port: a custom network needs one";
    if (custom && c->rsa_key == NULL)
        return "rsa_key: a custom network needs its server's public key (PEM)";
    if (!custom && c->host != NULL) return "host: only for a custom network";
    if (!custom && c->rsa_key != NULL) return "rsa_key: only for a custom network";
    if (c->dc < 0) return "dc: a data centre's number is positive";
    if (!custom && !client_published_address(c->network, c->dc == 0 ? 2 : c->dc, &addr))
        return "dc: there is no data centre of this number";
    /* A session that is signed in needs none of them: whether there is one is seen later. */
    bool may_resume = c->session != NULL && c->session[0] != 0;
    if (!custom && !may_resume && (c->api_id == 0 || c->api_hash == NULL || c->api_hash[0] == 0))
        return "api_id, api_hash: get yours from https://my.telegram.org/apps";
    if (c->bot_token != NULL && c->bot_token[0] != 0 && c->phone != NULL && c->phone[0] != 0)
        return "bot_token, phone: an account is a bot or a person";
    const char *why = c->runner == NULL ? NULL : runner_contradiction(c->runner);
    return why == NULL && c->outbox != NULL ? outbox_contradiction(c) : why;
}

/* Split the PEM texts: each begins where its BEGIN line does. Every key must be one. */
static int split_keys(struct client_settings *s, const gap_alloc_t *alloc, const char *text)
{
    gap_crypto_t crypto;
    size_t blocks = 0;

    for (const char *p = text; (p = strstr(p, PEM_BEGIN)) != NULL; p++) blocks++;
    if (blocks == 0) return GAP_E_PEM;
    if (blocks > GAP_CLIENT_KEYS_MAX) return GAP_E_LIMIT;
    s->keys = gap_malloc(alloc, strlen(text) + blocks + 1);
    if (s->keys == NULL) return GAP_E_NOMEM;
    char *at = s->keys;
    for (const char *p = strstr(text, PEM_BEGIN); p != NULL;) {
        const char *next = strstr(p + 1, PEM_BEGIN);
        size_t len = next == NULL ? strlen(p) : (size_t)(next - p);
        memcpy(at, p, len);
        at[len] = 0;
        s->pems[s->pem_count++] = at;
        at += len + 1;
        p = next;
    }
    int r = gap_crypto_init(&crypto);
    if (r < 0) return r;
    for (size_t i = 0; i < s->pem_count && r == 0; i++) {
        gap_rsa_key_t key = {NULL, {0}, 0, false};
        r = gap_rsa_public_from_pem(&crypto, gap_str(s->pems[i]), &key);
        gap_rsa_fini(&key);
    }
    gap_crypto_fini(&crypto);
    return r;
}

static const char *or_default(const char *text, const char *otherwise)
{
    return text == NULL ? otherwise : text;
}

static uint32_t microseconds(uint32_t ms)
{
    return ms > UINT32_MAX / 1000 ? UINT32_MAX : ms * 1000;
}

int client_settings_copy(struct client_settings *s, const gap_alloc_t *alloc,
                         const gap_client_config_t *config, const char **why)
{
    memset(s, 0, sizeof *s);
    *why = contradiction(config);
    if (*why != NULL) return GAP_E_ARGUMENT;
    s->network = config->network;
    s->transport =
        config->transport == GAP_TRANSPORT_ABRIDGED ? GAP_LINK_ABRIDGED : GAP_LINK_INTERMEDIATE;
    s->port = config->port;
    s->dc = config->dc == 0 ? 2 : config->dc;
    s->api_id = config->api_id;
    s->gap_wait_us = microseconds(config->gap_wait_ms);
    s->gap_wait_lambda_us = microseconds(config->gap_wait_lambda_ms);
    s->gap_continue = config->gap_continue;
    s->tail_sweep = config->tail_sweep;
    s->no_own_updates = config->no_own_updates;
    s->tap = config->tap;
    s->tap_data = config->tap_data;
    if (config->runner != NULL) s->runner = *config->runner;
    s->has_outbox = config->outbox != NULL;
    if (s->has_outbox) s->outbox = *config->outbox;
    const struct {
        const char *from;
        char **to;
    } texts[] = {
        {or_default(config->host, ""), &s->host},
        {or_default(config->api_hash, ""), &s->api_hash},
        {or_default(config->bot_token, ""), &s->bot_token},
        {or_default(config->phone, ""), &s->phone},
        {or_default(config->session, ""), &s->session},
        {or_default(config->device_model, "Gapless"), &s->device_model},
        {or_default(config->system_version, "1.0"), &s->system_version},
        {or_default(config->app_version, GAP_VERSION), &s->app_version},
        {or_default(config->lang_code, "en"), &s->lang_code},
    };
    int r = 0;
    for (size_t i = 0; i < GAP_ARRAY_LEN(texts) && r == 0; i++)
        r = copy_text(alloc, texts[i].from, texts[i].to);
    if (r < 0) return r;
    sign_in_digits(s->phone);
    const char *keys = config->network == GAP_NETWORK_PRODUCTION ? production_key
                       : config->network == GAP_NETWORK_TEST     ? test_key
                                                                 : config->rsa_key;
    r = split_keys(s, alloc, keys);
    if (r == GAP_E_PEM) *why = "rsa_key: not an RSA public key of 2048 bits in PEM form";
    if (r == GAP_E_LIMIT) {
        *why = "rsa_key: too many keys";
        r = GAP_E_ARGUMENT;
    }
    return r;
}
