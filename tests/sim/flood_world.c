/* tests/sim/flood_world.c - see flood_world.h. */
#include "tests/sim/flood_world.h"

#include "base/bytes.h"
#include "tests/store/suite.h"
#include "tests/unit/vectors_crypto.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_US UINT64_C(600000000)
#define DOWN_US  UINT64_C(30000000)

/* ---- the ledger ---- */

/* The number behind a name in a line of the ledger; 0: it is not there. */
static int64_t number_in(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10);
}

static void note_call(struct flood_world *w, const char *line)
{
    bool edit = strstr(line, "\"method\":\"messages.editMessage\"") != NULL;

    if (!edit && strstr(line, "\"method\":\"messages.sendMessage\"") == NULL) return;
    ck_assert_uint_lt(w->call_count, FLOOD_WORLD_CALLS);
    struct flood_call *c = &w->calls[w->call_count++];
    const char *error = strstr(line, "\"error\":\"");
    int64_t user = number_in(line, "\"peer\":\"user:");
    *c = (struct flood_call){.edit = edit, .refused = error != NULL};
    c->t_us = number_in(line, "\"t_us\":") - (int64_t)w->began_us;
    c->random_id = number_in(line, "\"random_id\":");
    c->chat = user != 0 ? user : -number_in(line, "\"peer\":\"channel:");
    ck_assert_msg(c->chat != 0, "%s", line);
    if (error != NULL) (void)sscanf(error, "\"error\":\"%31[^\"]", c->error);
}

static int ledger(void *data, const char *line, size_t len)
{
    char text[1024];

    if (len >= sizeof text || memcmp(line, "{\"kind\":\"call\"", 14) != 0) return 0;
    memcpy(text, line, len);
    text[len] = '\0';
    note_call(data, text);
    return 0;
}

/* ---- the world ---- */

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void step_until(struct flood_world *w, const bool *flag, const char *what)
{
    uint64_t limit_us = sim_now_us(w->sim) + LIMIT_US;

    while (!*flag && sim_now_us(w->sim) < limit_us && sim_step(w->sim, limit_us)) {
    }
    ck_assert_msg(*flag, "never %s; trouble: %s", what, w->trouble);
}

gap_peer_t flood_world_user(uint32_t n)
{
    return (gap_peer_t){.id = DC_USER_ID_FIRST + n, .kind = GAP_PEER_USER};
}

gap_peer_t flood_world_channel(uint32_t n)
{
    return (gap_peer_t){.id = DC_CHANNEL_ID_FIRST + n, .kind = GAP_PEER_CHANNEL};
}

int64_t flood_world_id(gap_peer_t chat)
{
    return chat.kind == GAP_PEER_USER ? chat.id : -chat.id;
}

/* Somebody writes everywhere, so that the bot knows where it may write. */
static void be_seen(struct flood_world *w, uint32_t users, uint32_t channels)
{
    uint32_t n;

    for (uint32_t i = 0; i < users + channels; i++) {
        dc_spec_t spec = {.kind = DC_NEW_MESSAGE, .text = gap_str("hello")};
        if (i < users) {
            spec.account = FLOOD_WORLD_BOT;
            spec.chat = (dc_peer_t){DC_USER, DC_USER_ID_FIRST + i};
        } else {
            spec.chat = (dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST + i - users};
            spec.from = dc_is_broadcast(i - users) ? 0 : DC_USER_ID_FIRST;
        }
        ck_assert_int_eq(gap_dc_event(w->dc, &spec, &n), 0);
    }
}

void flood_world_begin(struct flood_world *w, uint32_t users, uint32_t channels,
                       const gap_outbox_config_t *config)
{
    gap_bytes_t pem = gap_bytes(vector_rsa_private_pem, sizeof vector_rsa_private_pem - 1);
    gap_dc_options_t options;
    gap_buf_t text;

    memset(w, 0, sizeof *w);
    if (config != NULL) w->config = *config;
    if (w->config.poll_us == 0) w->config.poll_us = 1000000; /* it is told of all that is written */
    store_folder_make(w->folder, sizeof w->folder);
    (void)snprintf(w->path, sizeof w->path, "%s/outbox.db", w->folder);
    w->sim = sim_new(1, &(struct sim_options){.latency_us = 1000});
    w->server = sim_env_open(w->sim, gap_alloc_default());
    w->began_us = gap_env_wall_us(w->server);
    ck_assert_int_eq(gap_crypto_init(&w->crypto), 0);
    ck_assert_int_eq(gap_rsa_private_from_pem(&w->crypto, pem, &w->rsa), 0);
    gap_buf_init(&text, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_public_pem(&w->rsa, &text), 0);
    memcpy(w->pem, text.data, text.len);
    gap_buf_fini(&text);
    gap_dc_options_init(&options);
    options.rsa = &w->rsa;
    options.world.users = users > 0 ? users : 1;
    options.world.channels = channels;
    options.traffic.events = 0;
    options.ledger = ledger;
    options.data = w;
    ck_assert_int_eq(gap_dc_open(w->server, gap_alloc_default(), &options, &w->dc), 0);
    flood_world_open(w);
    be_seen(w, users, channels);
    flood_world_run(w, 2000000);
}

void flood_world_end(struct flood_world *w)
{
    bool gone = false;

    if (w->client != NULL) flood_world_close(w);
    gap_dc_close(w->dc, set_flag, &gone);
    step_until(w, &gone, "closed the data centre");
    gone = false;
    sim_env_close(w->server, set_flag, &gone);
    step_until(w, &gone, "closed the host");
    ck_assert_uint_eq(sim_free(w->sim), 0);
    gap_rsa_fini(&w->rsa);
    gap_crypto_fini(&w->crypto);
    store_folder_remove(w->folder);
}

void flood_world_rule(struct flood_world *w, const char *text)
{
    dc_flood_rule_t rule;
    const char *expected = "";
    int r = dc_flood_rule_parse(gap_str(text), &rule, &expected);

    ck_assert_msg(r == 0, "%s: %s", text, expected);
    ck_assert_int_eq(dc_model_flood_rule(gap_dc_model(w->dc), &rule), 0);
}

/* ---- lives ---- */

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct flood_world *w = data;

    (void)client;
    switch (event->kind) {
    case GAP_CLIENT_CAUGHT_UP:
        w->caught_up = true;
        break;
    case GAP_CLIENT_OUTBOX_LIMITED:
        w->limited++;
        w->last_limited = *event;
        w->last_limited.text = NULL;
        break;
    case GAP_CLIENT_OUTBOX_STOPPED:
        w->stopped++;
        break;
    case GAP_CLIENT_OUTBOX_DEAD:
        w->dead++;
        break;
    case GAP_CLIENT_OUTBOX_PARKED:
        w->parked++;
        break;
    case GAP_CLIENT_FATAL:
    case GAP_CLIENT_ERROR:
    case GAP_CLIENT_STORE_FAILED:
        (void)snprintf(w->trouble, sizeof w->trouble, "%s", event->text);
        break;
    default:
        break;
    }
}

static int on_update(gap_update_t *update, void *data)
{
    (void)update;
    (void)data;
    return 0;
}

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    struct flood_world *w = data;

    (void)client;
    ck_assert_int_lt(row->row, FLOOD_WORLD_ROWS);
    struct flood_fate *fate = &w->rows[row->row];
    fate->state = row->state;
    fate->message_id = row->message_id;
    fate->t_us = flood_world_now(w);
    fate->told++;
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

void flood_world_open(struct flood_world *w)
{
    gap_storage_t *storage = NULL;
    gap_client_config_t config = {
        .network = GAP_NETWORK_CUSTOM,
        .host = "127.0.0.1",
        .port = gap_dc_addr(w->dc).port,
        .dc = 2,
        .rsa_key = w->pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "4242:secret",
        .session = "session",
        .outbox = &w->config,
        .alloc = &w->alloc.alloc,
    };

    fault_alloc_init(&w->alloc, 0);
    w->closed = w->caught_up = false;
    w->trouble[0] = '\0';
    w->config.on_row = on_row;
    w->config.data = w;
    int r = gap_storage_sqlite(
        &w->alloc.alloc, &(gap_sqlite_config_t){.path = w->path, .normal_sync = true}, &storage);
    ck_assert_int_eq(r, 0);
    config.storage = storage;
    ck_assert_int_eq(client_new(&config, &w->client), 0);
    w->env = sim_env_open(w->sim, &w->alloc.alloc);
    client_attach(w->client, w->env, &env_ops, &config);
    gap_client_on_event(w->client, on_event, w);
    gap_client_on_update(w->client, on_update, w);
    ck_assert_int_eq(gap_client_start(w->client), 0);
    step_until(w, &w->caught_up, "caught up");
}

void flood_world_close(struct flood_world *w)
{
    gap_client_close(w->client, set_flag, &w->closed);
    step_until(w, &w->closed, "closed");
    w->client = NULL;
    ck_assert_msg(w->alloc.live == 0, "%ld blocks are left", w->alloc.live);
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb");
    size_t n;

    (void)remove(to);
    if (in == NULL) return;
    FILE *out = fopen(to, "wb");
    ck_assert_ptr_nonnull(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
        ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(fclose(in), 0);
}

static void copy_database(const struct flood_world *w, bool back)
{
    static const char *const ends[] = {"", "-wal"};
    char path[320];
    char kept[330];

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s%s", w->path, ends[i]);
        (void)snprintf(kept, sizeof kept, "%s.kept%s", w->path, ends[i]);
        copy_file(back ? kept : path, back ? path : kept);
    }
    (void)snprintf(path, sizeof path, "%s-shm", w->path);
    if (back) (void)remove(path);
}

/* What the program still does after this moment, while it is taken down, nobody sees: its messages
 * get nowhere, and its database is put back. */
void flood_world_kill(struct flood_world *w)
{
    int64_t until = flood_world_now(w) + (int64_t)DOWN_US;
    gap_bytes_t session = gap_bytes(NULL, 0);
    uint8_t kept[64 * 1024];

    copy_database(w, false);
    bool has = sim_disk_get(w->sim, "session", &session);
    ck_assert(has && session.len <= sizeof kept);
    memcpy(kept, session.data, session.len);
    size_t len = session.len;
    struct flood_call *calls = &w->calls[w->call_count];
    sim_cut_all(w->sim);
    sim_net_down(w->sim, DOWN_US);
    flood_world_close(w);
    ck_assert_ptr_eq(calls, &w->calls[w->call_count]);
    sim_disk_put(w->sim, "session", kept, len);
    copy_database(w, true);
    if (flood_world_now(w) < until) flood_world_run(w, until - flood_world_now(w));
}

/* ---- rows ---- */

static void sql(struct flood_world *w, const char *text)
{
    int rc = sqlite3_exec(w->db, text, NULL, NULL, NULL);

    ck_assert_msg(rc == SQLITE_OK, "%s: %s", text, sqlite3_errmsg(w->db));
}

void flood_world_write(struct flood_world *w)
{
    ck_assert_int_eq(sqlite3_open(w->path, &w->db), SQLITE_OK);
    sql(w, "PRAGMA synchronous = OFF; BEGIN IMMEDIATE");
}

void flood_world_commit(struct flood_world *w)
{
    sql(w, "COMMIT");
    ck_assert_int_eq(sqlite3_close(w->db), SQLITE_OK);
    w->db = NULL;
    if (w->client != NULL) gap_outbox_wake(w->client);
}

int64_t flood_world_row(struct flood_world *w, const gap_outbox_item_t *item)
{
    int64_t row = 0;
    int r = gap_outbox_enqueue(w->db, item, &row);

    ck_assert_msg(r == 0, "enqueue: %s", gap_strerror(r));
    ck_assert_int_lt(row, FLOOD_WORLD_ROWS);
    return row;
}

int64_t flood_world_send(struct flood_world *w, gap_peer_t chat, gap_outbox_class_t urgency)
{
    static unsigned number;
    char text[32];
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND, .urgency = urgency, .chat = chat};

    (void)snprintf(text, sizeof text, "text %u", ++number);
    item.content.text = gap_str(text);
    return flood_world_row(w, &item);
}

int64_t flood_world_edit(struct flood_world *w, gap_peer_t chat, int64_t of_row)
{
    static unsigned number;
    char text[32];
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_EDIT, .chat = chat, .message_row = of_row};

    (void)snprintf(text, sizeof text, "edited %u", ++number);
    item.content.text = gap_str(text);
    return flood_world_row(w, &item);
}

/* ---- time ---- */

int64_t flood_world_now(const struct flood_world *w)
{
    return (int64_t)(gap_env_wall_us(w->server) - w->began_us);
}

void flood_world_run(struct flood_world *w, int64_t us)
{
    sim_run_for(w->sim, (uint64_t)us);
}

static int64_t ask(struct flood_world *w, const char *question, int64_t about)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(w->path, &db), SQLITE_OK);
    int rc = sqlite3_prepare_v2(db, question, -1, &stmt, NULL);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", question, sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_bind_int64(stmt, 1, about), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return answer;
}

unsigned flood_world_count(struct flood_world *w, uint32_t states)
{
    return (unsigned)ask(w, "SELECT count(*) FROM gapless_outbox WHERE (1 << state) & ?1", states);
}

int64_t flood_world_called(struct flood_world *w, int64_t row)
{
    int64_t id = ask(w, "SELECT random_id FROM gapless_outbox WHERE row = ?1", row);

    for (unsigned i = 0; i < w->call_count; i++)
        if (w->calls[i].random_id == id && id != 0) return w->calls[i].t_us;
    return INT64_MAX;
}

void flood_world_drain(struct flood_world *w, int64_t us)
{
    const uint32_t waiting = 1U << GAP_OUTBOX_READY | 1U << GAP_OUTBOX_SNOOZED |
                             1U << GAP_OUTBOX_LEASED | 1U << GAP_OUTBOX_UNKNOWN;
    int64_t end_us = flood_world_now(w) + us;

    while (flood_world_count(w, waiting) > 0) {
        ck_assert_msg(flood_world_now(w) < end_us, "%u rows still wait; trouble: %s",
                      flood_world_count(w, waiting), w->trouble);
        flood_world_run(w, 5000000);
    }
}

/* ---- what is judged ---- */

unsigned flood_world_calls(const struct flood_world *w, int64_t chat, int64_t from_us,
                           int64_t to_us)
{
    unsigned count = 0;

    for (unsigned i = 0; i < w->call_count; i++) {
        const struct flood_call *c = &w->calls[i];
        count +=
            (chat == 0 || c->chat == chat) && !c->refused && c->t_us >= from_us && c->t_us < to_us;
    }
    return count;
}

/* With the calls numbered, a window from i to j is too full if (j - i + 1 - burst) * per_us is more
 * than calls * (its length): x(j) - x(i) is more than (burst - 1) * per_us, where x(k) is
 * k * per_us - calls * t(k). So it is enough to know the smallest x so far. */
void flood_world_judge(const struct flood_world *w, int64_t chat, int64_t calls, int64_t per_us,
                       int64_t burst)
{
    int64_t least = INT64_MAX;
    int64_t k = 0;

    for (unsigned i = 0; i < w->call_count; i++) {
        const struct flood_call *c = &w->calls[i];
        if (chat != 0 && c->chat != chat) continue;
        int64_t x = k++ * per_us - calls * c->t_us;
        if (x < least) least = x;
        ck_assert_msg(x - least <= (burst - 1) * per_us,
                      "chat %ld: call %ld at %ld us is too early by %ld us", (long)chat, (long)k,
                      (long)c->t_us, (long)((x - least - (burst - 1) * per_us) / calls));
    }
}
