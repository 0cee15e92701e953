/* tests/sim/outbox_world.c - see outbox_world.h. */
#include "tests/sim/outbox_world.h"

#include "dc/server.h"
#include "tests/store/suite.h"

#include <gapless/tl_api.h>
#include <string.h>

#define STEP_US UINT64_C(20000)

static gap_storage_t *storage(void *arg)
{
    struct outbox_world *o = arg;
    gap_storage_t *s = NULL;

    int r = gap_storage_sqlite(&o->w.counted, &(gap_sqlite_config_t){.path = o->path}, &s);
    return r == 0 ? s : NULL;
}

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    struct outbox_world *o = data;

    ck_assert_ptr_eq(client, o->w.client);
    ck_assert_uint_lt(o->told_count, OUTBOX_TOLD_MAX);
    o->told[o->told_count++] = (struct outbox_told){row->row, row->state, sim_now_us(o->w.sim)};
    if (o->on_row != NULL) o->on_row(o, row);
}

static void on_event(void *arg, const gap_event_t *event)
{
    struct outbox_world *o = arg;

    o->events[event->kind]++;
    o->event[event->kind] = *event;
    (void)snprintf(o->text[event->kind], sizeof o->text[event->kind], "%s", event->text);
}

void outbox_world_begin(struct outbox_world *o, uint64_t seed)
{
    memset(o, 0, sizeof *o);
    store_folder_make(o->folder, sizeof o->folder);
    (void)snprintf(o->path, sizeof o->path, "%s/client.db", o->folder);
    client_world_begin(&o->w, seed);
    o->w.storage = storage;
    o->w.storage_arg = o;
    o->w.told = on_event;
    o->w.told_arg = o;
    o->config = (gap_outbox_config_t){.on_row = on_row, .data = o};
    o->w.outbox = &o->config;
}

void outbox_world_end(struct outbox_world *o)
{
    ck_assert_int_eq(sqlite3_close(o->db), SQLITE_OK);
    client_world_end(&o->w);
    store_folder_remove(o->folder);
}

void outbox_world_live(struct outbox_world *o)
{
    client_world_fresh(&o->w);
    memset(o->events, 0, sizeof o->events);
    ck_assert_int_eq(client_world_open(&o->w), 0);
    ck_assert_msg(client_world_run(&o->w, 60000000, client_world_is_caught_up), "%s", o->w.trouble);
}

void outbox_world_die(struct outbox_world *o)
{
    client_world_close(&o->w);
}

gap_peer_t outbox_world_chat(unsigned n)
{
    /* Every fourth channel is a broadcast. */
    return (gap_peer_t){DC_CHANNEL_ID_FIRST + n / 3 * 4 + n % 3, GAP_PEER_CHANNEL};
}

/* A life may have been in its way, so it is opened when it is needed. */
static void open_db(struct outbox_world *o)
{
    if (o->db != NULL) return;
    ck_assert_int_eq(sqlite3_open(o->path, &o->db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(o->db, 1000), SQLITE_OK);
}

void outbox_world_sql(struct outbox_world *o, const char *sql)
{
    char *error = NULL;

    open_db(o);
    (void)sqlite3_exec(o->db, sql, NULL, NULL, &error);
    ck_assert_msg(error == NULL, "%s: %s", sql, error);
}

int64_t outbox_world_put(struct outbox_world *o, const gap_outbox_item_t *item)
{
    int64_t row = 0;

    outbox_world_sql(o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_enqueue(o->db, item, &row), 0);
    outbox_world_sql(o, "COMMIT");
    return row;
}

int64_t outbox_world_send(struct outbox_world *o, gap_peer_t chat, const char *text)
{
    const gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_SEND, .chat = chat, .content = {.text = gap_str(text)}};

    return outbox_world_put(o, &item);
}

int64_t outbox_world_column(struct outbox_world *o, const char *column, int64_t row)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = INT64_MIN;
    char sql[120];

    open_db(o);
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM gapless_outbox WHERE row = %lld", column,
                   (long long)row);
    ck_assert_int_eq(sqlite3_prepare_v2(o->db, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW) value = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return value;
}

const char *outbox_world_reason(struct outbox_world *o, int64_t row)
{
    static char reason[256];
    sqlite3_stmt *stmt = NULL;

    reason[0] = 0;
    open_db(o);
    ck_assert_int_eq(sqlite3_prepare_v2(o->db, "SELECT reason FROM gapless_outbox WHERE row = ?1",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_bind_int64(stmt, 1, row), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        (void)snprintf(reason, sizeof reason, "%.*s", sqlite3_column_bytes(stmt, 0),
                       (const char *)sqlite3_column_blob(stmt, 0));
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return reason;
}

gap_outbox_state_t outbox_world_state(struct outbox_world *o, int64_t row)
{
    return (gap_outbox_state_t)outbox_world_column(o, "state", row);
}

bool outbox_world_reach(struct outbox_world *o, int64_t row, gap_outbox_state_t state, uint64_t us)
{
    for (uint64_t ran_us = 0; ran_us <= us; ran_us += STEP_US) {
        if (outbox_world_state(o, row) == state) return true;
        (void)client_world_run(&o->w, STEP_US, NULL);
    }
    return false;
}

unsigned outbox_world_told(const struct outbox_world *o, int64_t row, gap_outbox_state_t state)
{
    unsigned n = 0;

    for (size_t i = 0; i < o->told_count; i++)
        n += o->told[i].row == row && o->told[i].state == state;
    return n;
}

unsigned outbox_world_messages(const struct outbox_world *o, const char *text)
{
    dc_model_t *m = gap_dc_model(o->w.dc);
    unsigned found = 0;

    for (uint32_t n = 1; n <= dc_model_event_count(m); n++) {
        dc_event_t e;
        dc_model_event(m, n, &e);
        found += e.by_call && e.kind == DC_NEW_MESSAGE && gap_bytes_equal(e.text, gap_str(text));
    }
    return found;
}

gap_bytes_t outbox_world_text(const struct outbox_world *o, gap_peer_t chat, int32_t id)
{
    dc_model_t *m = gap_dc_model(o->w.dc);

    for (uint32_t n = dc_model_event_count(m); n > 0; n--) {
        dc_event_t e;
        dc_model_event(m, n, &e);
        if (e.chat.id == chat.id && e.id == id &&
            (e.kind == DC_NEW_MESSAGE || e.kind == DC_EDIT_MESSAGE))
            return e.text;
    }
    return gap_bytes(NULL, 0);
}

static void only_sending(gap_dc_methods_t *methods)
{
    *methods = (gap_dc_methods_t){.ids = {GAP_TL_MESSAGES_SEND_MESSAGE, GAP_TL_MESSAGES_SEND_MEDIA,
                                          GAP_TL_MESSAGES_EDIT_MESSAGE,
                                          GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE,
                                          GAP_TL_MESSAGES_SEND_REACTION},
                                  .count = 5};
}

void outbox_world_drop_answers(struct outbox_world *o, double p)
{
    only_sending(&o->w.dc->options.drop_methods);
    o->w.dc->options.drop_answer = p;
}

void outbox_world_lose_sessions(struct outbox_world *o, double p)
{
    only_sending(&o->w.dc->options.lose_methods);
    o->w.dc->options.lose_session = p;
}

void outbox_world_refuse(struct outbox_world *o, uint32_t method, int32_t code, const char *text)
{
    gap_dc_refusal_t *r = &o->w.dc->options.refusals[0];

    o->w.dc->options.refusal_count = text != NULL;
    if (text == NULL) return;
    *r = (gap_dc_refusal_t){.methods = {.ids = {method}, .count = 1}, .chance = 1, .code = code};
    (void)snprintf(r->text, sizeof r->text, "%s", text);
}
