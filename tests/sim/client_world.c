/* tests/sim/client_world.c - see client_world.h. */
#include "tests/sim/client_world.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "tests/unit/vectors_crypto.h"

#include <gapless/tl_api.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define STEP_US  UINT64_C(5000)
#define LIMIT_US UINT64_C(600000000)
#define BOT      "4242:secret"
#define ANSWER   "re %u" /* the text of an answer: to which event */

/* ---- the data centre ---- */

void client_world_begin(struct client_world *w, uint64_t seed)
{
    gap_bytes_t pem = gap_bytes(vector_rsa_private_pem, sizeof vector_rsa_private_pem - 1);
    gap_dc_options_t options;
    gap_buf_t text;

    memset(w, 0, sizeof *w);
    w->sim = sim_new(seed, &(struct sim_options){.latency_us = 1000});
    w->server = sim_env_open(w->sim, gap_alloc_default());
    ck_assert_int_eq(gap_crypto_init(&w->crypto), 0);
    ck_assert_int_eq(gap_rsa_private_from_pem(&w->crypto, pem, &w->rsa), 0);
    gap_buf_init(&text, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_public_pem(&w->rsa, &text), 0);
    ck_assert_uint_lt(text.len, sizeof w->pem);
    memcpy(w->pem, text.data, text.len);
    gap_buf_fini(&text);
    gap_dc_options_init(&options);
    options.rsa = &w->rsa;
    options.world.channels = CLIENT_WORLD_CHANNELS;
    options.world.users = CLIENT_WORLD_USERS;
    options.traffic.events = 0;
    ck_assert_int_eq(gap_dc_open(w->server, gap_alloc_default(), &options, &w->dc), 0);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void step_until(struct client_world *w, const bool *flag, const char *what)
{
    uint64_t limit_us = sim_now_us(w->sim) + LIMIT_US;

    while (!*flag && sim_now_us(w->sim) < limit_us && sim_step(w->sim, limit_us)) {
    }
    ck_assert_msg(*flag, "never %s; trouble: %s", what, w->trouble);
}

void client_world_end(struct client_world *w)
{
    bool gone = false;

    ck_assert_ptr_null(w->client);
    gap_dc_close(w->dc, set_flag, &gone);
    step_until(w, &gone, "closed the data centre");
    gone = false;
    sim_env_close(w->server, set_flag, &gone);
    step_until(w, &gone, "closed the host");
    ck_assert_uint_eq(sim_free(w->sim), 0);
    gap_rsa_fini(&w->rsa);
    gap_crypto_fini(&w->crypto);
}

/* ---- events ---- */

static uint32_t next_number(struct client_world *w)
{
    return dc_model_event_count(gap_dc_model(w->dc)) + 1;
}

/* Texts say which event it is: "m17" is a message that event 17 made, "e18" the edit of event 18.
 */
static void happen(struct client_world *w, dc_spec_t spec, char kind)
{
    uint32_t want = next_number(w);
    uint32_t n = 0;
    char text[32];

    ck_assert_uint_lt(want, CLIENT_WORLD_EVENTS);
    (void)snprintf(text, sizeof text, "%c%u", kind, (unsigned)want);
    spec.text = gap_str(text);
    ck_assert_int_eq(gap_dc_event(w->dc, &spec, &n), 0);
    ck_assert_uint_eq(n, want);
    dc_event_t e;
    dc_model_event(gap_dc_model(w->dc), n, &e);
    size_t channel = (size_t)(e.chat.id - DC_CHANNEL_ID_FIRST);
    ck_assert_uint_lt((size_t)e.id, GAP_ARRAY_LEN(w->last_of[0]));
    w->last_of[channel][e.id] = n;
    if (e.id > w->top_id[channel]) w->top_id[channel] = e.id;
}

void client_world_say(struct client_world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t n = next_number(w);
        dc_spec_t spec = {
            .kind = DC_NEW_MESSAGE,
            .chat = {DC_CHANNEL, DC_CHANNEL_ID_FIRST + n % CLIENT_WORLD_CHANNELS},
            .from = DC_USER_ID_FIRST + n % CLIENT_WORLD_USERS,
        };
        /* Now and then an edit of that channel's last message, if it has one. */
        int32_t last = n % 9 == 0 ? w->top_id[n % CLIENT_WORLD_CHANNELS] : 0;
        if (last > 0) {
            spec.kind = DC_EDIT_MESSAGE;
            spec.id = last;
        }
        happen(w, spec, last > 0 ? 'e' : 'm');
    }
}

/* The event that made the text of an update; 0: none of ours. */
static uint32_t number_of(const gap_message_t *m)
{
    uint32_t n = 0;

    if (m->text.len > 0 && m->text.data[0] == ANSWER[0]) return 0;
    for (size_t i = 1; i < m->text.len; i++) {
        if (m->text.data[i] < '0' || m->text.data[i] > '9') return 0;
        n = n * 10 + (uint32_t)(m->text.data[i] - '0');
    }
    return n < CLIENT_WORLD_EVENTS ? n : 0;
}

/* While a client is at work a transaction counts when its work has run. */
bool client_world_is_done(const struct client_world *w, uint32_t n)
{
    if (w->done[n] > 0) return true;
    if (w->worked[n] == 0) return false;
    return w->client != NULL || w->counted_in == NULL || w->counted_in(n);
}

unsigned client_world_answers(const struct client_world *w, uint32_t n)
{
    dc_model_t *m = gap_dc_model(w->dc);
    unsigned found = 0;
    char text[32];

    (void)snprintf(text, sizeof text, ANSWER, (unsigned)n);
    for (uint32_t k = n + 1; k <= dc_model_event_count(m); k++) {
        dc_event_t e;
        dc_model_event(m, k, &e);
        found += e.by_call && e.kind == DC_NEW_MESSAGE && gap_bytes_equal(e.text, gap_str(text));
    }
    return found;
}

bool client_world_has(const struct client_world *w, uint32_t n)
{
    dc_model_t *m = gap_dc_model(w->dc);
    uint32_t count = dc_model_event_count(m);
    dc_event_t e;
    dc_event_t later;

    dc_model_event(m, n, &e);
    for (uint32_t k = n; k <= count; k++) {
        if (!client_world_is_done(w, k)) continue;
        dc_model_event(m, k, &later);
        if (later.chat.id == e.chat.id && later.id == e.id) return true;
    }
    return false;
}

uint32_t client_world_missing(const struct client_world *w)
{
    uint32_t count = dc_model_event_count(gap_dc_model(w->dc));

    for (uint32_t n = w->first; n <= count && w->first > 0; n++) {
        dc_event_t e;
        dc_model_event(gap_dc_model(w->dc), n, &e);
        if (e.by_call || (e.kind != DC_NEW_MESSAGE && e.kind != DC_EDIT_MESSAGE)) continue;
        if (!client_world_has(w, n)) return n;
    }
    return 0;
}

bool client_world_is_complete(const struct client_world *w)
{
    return client_world_missing(w) == 0;
}

bool client_world_is_caught_up(const struct client_world *w)
{
    return w->caught_up;
}

/* ---- handlers ---- */

struct client_world_later {
    struct client_world_later *next;
    gap_update_t *update;
    uint64_t due_us;
    uint32_t n;
};

static bool is_dead(const struct client_world *w)
{
    return w->is_dead != NULL && w->is_dead();
}

static void note_done(struct client_world *w, uint32_t n)
{
    if (n > 0 && !is_dead(w) && w->done[n] < UINT8_MAX) w->done[n]++;
}

bool client_world_is_transaction(uint32_t n)
{
    return n % 8 == 4 || n % 8 == 6;
}

/* On the thread that writes. */
static int count_it(gap_update_t *update, struct sqlite3 *db, void *data)
{
    struct client_world *w = data;
    gap_message_t m;

    int r = gap_message_read(update, &m);
    if (r < 0) return r;
    uint32_t n = number_of(&m);
    if (w->count != NULL && db != NULL) r = w->count(db, n, m.edit);
    if (r == 0 && !is_dead(w) && w->worked[n] < UINT8_MAX) w->worked[n]++;
    return r;
}

static int on_thread(gap_update_t *update, void *data)
{
    struct client_world *w = data;
    gap_message_t m;

    int r = gap_message_read(update, &m);
    if (r == 0) note_done(w, number_of(&m));
    return r;
}

static int put_off(struct client_world *w, gap_update_t *update, uint32_t n, uint64_t us)
{
    struct client_world_later *l = malloc(sizeof *l);

    ck_assert_ptr_nonnull(l);
    *l = (struct client_world_later){
        .next = w->later, .update = update, .due_us = sim_now_us(w->sim) + us, .n = n};
    w->later = l;
    return GAP_LATER;
}

/* Handlers of every kind, by the number of the event. */
static int handle(struct client_world *w, gap_update_t *update, const gap_message_t *m, uint32_t n)
{
    char text[32];
    int r = 0;

    switch (n % 8) {
    case 2:
        return put_off(w, update, n, 20000);
    case 3:
    case 6:
        return put_off(w, update, n, 450000);
    case 4:
        if (w->plain) break;
        return gap_update_in_transaction(update, count_it, w);
    case 5:
        return gap_update_on_thread(update, on_thread, w);
    case 7:
        if (gap_update_attempt(update) == 1) return GAP_E_STATE; /* the next one will do */
        break;
    case 0:
        (void)snprintf(text, sizeof text, ANSWER, (unsigned)n);
        /* A bot does not write in a broadcast. */
        if (!m->edit && n % CLIENT_WORLD_CHANNELS % 4 != 3) r = gap_reply(update, text, NULL, w);
        break;
    default:
        break;
    }
    if (r == 0) note_done(w, n);
    return r;
}

static int on_update(gap_update_t *update, void *data)
{
    struct client_world *w = data;
    gap_message_t m;

    w->calls++;
    if (gap_message_read(update, &m) != 0) return 0;
    uint32_t n = number_of(&m);
    if (n == 0) return 0;
    if (w->begun[n] < UINT8_MAX) w->begun[n]++;
    return handle(w, update, &m, n);
}

/* Those whose time has come; @p all also the others. */
static void finish_due(struct client_world *w, bool all)
{
    struct client_world_later **at = &w->later;

    while (*at != NULL) {
        struct client_world_later *l = *at;
        if (!all && l->due_us > sim_now_us(w->sim)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        int r = 0;
        if (client_world_is_transaction(l->n) && !w->plain)
            r = gap_update_in_transaction(l->update, count_it, w);
        else
            note_done(w, l->n);
        if (r == 0) gap_update_done(l->update);
        if (r < 0) gap_update_failed(l->update, r);
        free(l);
        at = &w->later; /* what was called may have brought others */
    }
}

/* ---- the client ---- */

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct client_world *w = data;

    (void)client;
    if (w->told != NULL) w->told(w->told_arg, event);
    switch (event->kind) {
    case GAP_CLIENT_SIGNED_IN:
        w->signed_in = true;
        return;
    case GAP_CLIENT_CAUGHT_UP:
        w->caught_up = true;
        return;
    case GAP_CLIENT_STORE_RECOVERED:
        w->store_recovered++;
        return;
    case GAP_CLIENT_STORE_FAILED:
        w->store_failed++;
        break;
    case GAP_CLIENT_FATAL:
        w->fatal = true;
        break;
    case GAP_CLIENT_DISCONNECTED:
    case GAP_CLIENT_ERROR:
    case GAP_CLIENT_GAP_ABANDONED:
    case GAP_CLIENT_RESYNCHRONISED:
    case GAP_CLIENT_CHANNEL_LOST:
    case GAP_CLIENT_HANDLER_FAILED:
        break;
    default:
        return;
    }
    w->troubles++;
    (void)snprintf(w->trouble, sizeof w->trouble, "%s", event->text);
}

static bool never_forked(const gap_env_t *env)
{
    (void)env;
    return false;
}

static void no_abandon(gap_env_t *env)
{
    (void)env;
}

static const struct client_env_ops env_ops = {sim_env_close, never_forked, no_abandon};

static void *count_bytes(void *ctx, void *ptr, size_t size)
{
    struct client_world *w = ctx;
    size_t before = ptr == NULL ? 0 : malloc_usable_size(ptr);
    void *p = w->alloc.alloc.realloc_fn(&w->alloc, ptr, size);

    if (p == NULL && size > 0) return NULL;
    w->bytes += (p == NULL ? 0 : malloc_usable_size(p)) - before;
    if (w->bytes > w->bytes_max) w->bytes_max = w->bytes;
    return p;
}

void client_world_fresh(struct client_world *w)
{
    ck_assert_ptr_null(w->client);
    fault_alloc_init(&w->alloc, 0);
    w->counted = (gap_alloc_t){.realloc_fn = count_bytes, .ctx = w};
    w->bytes = w->bytes_max = 0;
    w->closed = w->caught_up = w->signed_in = w->fatal = false;
    w->store_failed = w->store_recovered = w->troubles = w->calls = 0;
    w->trouble[0] = '\0';
}

int client_world_open(struct client_world *w)
{
    gap_storage_t *storage = w->storage(w->storage_arg);
    /* What is given up would be missing: no memory for a while is many attempts here. */
    const gap_runner_config_t runner = {
        .retry_min_us = 50000, .retry_max_us = 200000, .attempts_max = 1000};
    gap_client_config_t config = {
        .network = GAP_NETWORK_CUSTOM,
        .host = "127.0.0.1",
        .port = gap_dc_addr(w->dc).port,
        .dc = 2,
        .rsa_key = w->pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = BOT,
        .session = "session",
        .storage = storage,
        .runner = &runner,
        .outbox = w->outbox,
        .no_own_updates = w->no_own_updates,
        .alloc = &w->counted,
    };

    if (storage == NULL) return GAP_E_NOMEM;
    int r = client_new(&config, &w->client);
    if (r < 0) {
        w->client = NULL;
        storage->ops->destroy(storage);
        return r;
    }
    w->env = sim_env_open(w->sim, &w->counted);
    client_attach(w->client, w->env, &env_ops, &config);
    gap_client_on_event(w->client, on_event, w);
    gap_client_on_update(w->client, on_update, w);
    return gap_client_start(w->client);
}

bool client_world_run(struct client_world *w, uint64_t us,
                      bool (*cond)(const struct client_world *w))
{
    uint64_t end_us = sim_now_us(w->sim) + us;

    for (;;) {
        if (cond != NULL && cond(w)) return true;
        uint64_t now_us = sim_now_us(w->sim);
        if (now_us >= end_us) return false;
        sim_run_until(w->sim, now_us + STEP_US < end_us ? now_us + STEP_US : end_us);
        finish_due(w, false);
    }
}

void client_world_close(struct client_world *w)
{
    uint64_t limit_us = sim_now_us(w->sim) + LIMIT_US;

    if (w->client != NULL) {
        gap_client_close(w->client, set_flag, &w->closed);
        while (!w->closed && sim_now_us(w->sim) < limit_us) {
            finish_due(w, true); /* the client waits for them */
            if (!sim_step(w->sim, limit_us)) break;
        }
        ck_assert_msg(w->closed, "never closed; trouble: %s", w->trouble);
    }
    w->client = NULL;
    ck_assert_ptr_null(w->later);
    ck_assert_msg(w->alloc.live == 0, "%ld blocks are left, allocation %ld failed", w->alloc.live,
                  w->alloc.fail_at);
}
