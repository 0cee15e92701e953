/*
 * client/call.c - requests: the host's, whose answers pass the engine before they reach the
 * callback, and the engine's own.
 *
 * Owns a record for every request in flight; the link guarantees that each ends in one answer.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <stdio.h>
#include <string.h>

/* ---- the host's requests ----------------------------------------------------------------------
 */

struct host_call {
    gap_client_t *client;
    gap_call_cb callback;
    void *data;
    uint32_t method;
    size_t query_len; /* the query is kept only where the engine needs it */
    uint8_t query[];
};

/* Answers that say less than the engine must know: which channel messages.affected* are about, what
 * the message of an updateShortSentMessage was. */
static bool engine_needs_query(uint32_t id)
{
    const char *type = gap_tl_type(id);
    static const char affected[] = "messages.Affected";

    if (type == NULL) return false;
    return strcmp(type, "Updates") == 0 || strcmp(type, "X") == 0 ||
           strncmp(type, affected, sizeof affected - 1) == 0;
}

/* Is the answer well formed? Of a vector only its method says what it holds. @return 0 or why not.
 */
static int check_value(uint32_t method, gap_bytes_t value)
{
    gap_tl_vector_t vector;

    if (value.len >= 4 && gap_load32(value.data) == GAP_TL_VECTOR)
        return gap_tl_read_result(value, method, &vector);
    int64_t used = gap_tl_skip(value);
    return used < 0 ? (int)used : 0;
}

/* What the link says, in the words of the public header. */
static void translate(const struct gap_call_result *from, uint32_t method, char name[128],
                      gap_result_t *to)
{
    *to = (gap_result_t){.status = from->status, .rpc_name = ""};
    if (from->status == GAP_E_RPC) {
        to->rpc_code = from->error_code;
        to->rpc_value = from->error_value;
        (void)snprintf(name, 128, "%.*s", (int)from->error_text.len,
                       (const char *)from->error_text.data);
        to->rpc_name = name;
    }
    if (from->status != 0) return;
    to->status = check_value(method, from->value);
    if (to->status != 0) return;
    to->object.data = from->value.data;
    to->object.len = from->value.len;
    to->object.id = gap_load32(from->value.data);
    to->packet = from->packet;
}

static void feed_engine(gap_client_t *c, const struct host_call *call,
                        const struct gap_call_result *result)
{
    if (c->engine == NULL || c->stopped) return;
    int r = gap_engine_result(c->engine, gap_bytes(call->query, call->query_len), result->value,
                              result->packet);
    if (r == GAP_UNCONCERNED) client_people_answer(c, result->value);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "updates in an answer: %s; the difference brings them",
                   gap_strerror(r));
}

static void on_answer(void *arg, gap_call_id_t id, const struct gap_call_result *result)
{
    struct host_call *call = arg;
    gap_client_t *c = call->client;
    gap_result_t told;
    char name[128];

    (void)id;
    if (result->status == 0) feed_engine(c, call, result);
    if (call->callback != NULL) {
        translate(result, call->method, name, &told);
        call->callback(c, &told, call->data);
    }
    gap_free(c->alloc, call);
}

static int may_call(const gap_client_t *c)
{
    client_enter(c);
    if (c->env_ops->forked(c->env)) return GAP_E_FORKED;
    if (c->closing) return GAP_E_CLOSED;
    if (c->state == CLIENT_FATAL) return GAP_E_CLOSED;
    return c->link == NULL || c->link_closing ? GAP_E_STATE : 0;
}

int gap_client_call(gap_client_t *client, gap_tl_object_t query, gap_call_cb callback, void *data)
{
    int r = may_call(client);
    if (r < 0) return r;
    int64_t size = gap_tl_size(query);
    if (size < 0) return (int)size;
    size_t kept = engine_needs_query(query.id) ? (size_t)size : 0;
    struct host_call *call = gap_malloc(client->alloc, sizeof *call + kept);
    if (call == NULL) return GAP_E_NOMEM;
    *call = (struct host_call){client, callback, data, query.id, kept};
    if (kept > 0) {
        int64_t written = gap_tl_write(query, call->query, kept);
        if (written < 0) {
            r = (int)written;
            goto fail;
        }
        query = (gap_tl_object_t){call->query, kept, NULL, query.id};
    }
    r = gap_link_call(client->link, query, NULL, on_answer, call, NULL);
    if (r == 0) return 0;
fail:
    gap_free(client->alloc, call);
    return r;
}

/* ---- the engine's requests --------------------------------------------------------------------
 */

struct engine_call {
    gap_client_t *client;
    gap_answer_cb callback;
    void *arg;
};

static void on_engine_answer(void *arg, gap_call_id_t id, const struct gap_call_result *result)
{
    struct engine_call call = *(struct engine_call *)arg;
    const gap_answer_t answer = {
        .status = result->status,
        .error_code = result->error_code,
        .error_text = result->error_text,
        .value = result->value,
        .packet = result->packet,
    };

    (void)id;
    gap_free(call.client->alloc, arg);
    call.callback(call.arg, &answer);
}

/* The engine has back-offs of its own, so the link reports errors instead of repeating. */
static int ask(gap_client_t *c, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    static const struct gap_call_options options = {.flags = GAP_CALL_NO_FLOOD_REPEAT |
                                                             GAP_CALL_NO_ERROR_REPEAT};

    if (c->link == NULL || c->link_closing) return GAP_E_CLOSED;
    struct engine_call *call = gap_malloc(c->alloc, sizeof *call);
    if (call == NULL) return GAP_E_NOMEM;
    *call = (struct engine_call){c, cb, answer_arg};
    int r = gap_link_call(c->link, query, &options, on_engine_answer, call, NULL);
    if (r < 0) gap_free(c->alloc, call);
    return r;
}

/* The first difference of an account, until the position that it is asked from is stored. */
struct held_ask {
    gap_client_t *client;
    gap_answer_cb callback;
    void *arg;
    gap_tl_object_t query;
    uint8_t bytes[];
};

static void on_first_stored(void *arg, int status)
{
    struct held_ask *held = arg;
    gap_client_t *c = held->client;

    c->state_stored = true; /* or it can't be now, which has been told and is tried again */
    int r = status == GAP_E_CLOSED ? status : ask(c, held->query, held->callback, held->arg);
    if (r < 0) held->callback(held->arg, &(gap_answer_t){.status = r});
    gap_free(c->alloc, held);
}

static int hold(gap_client_t *c, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    int64_t size = gap_tl_size(query);
    if (size < 0) return (int)size;
    struct held_ask *held = gap_malloc(c->alloc, sizeof *held + (size_t)size);
    if (held == NULL) return GAP_E_NOMEM;
    *held = (struct held_ask){.client = c, .callback = cb, .arg = answer_arg};
    int64_t written = gap_tl_write(query, held->bytes, (size_t)size);
    int r = written < 0 ? (int)written : 0;
    held->query = (gap_tl_object_t){held->bytes, (size_t)size, NULL, query.id};
    if (r == 0) r = gap_store_flush(c->store, on_first_stored, held);
    if (r < 0) gap_free(c->alloc, held);
    return r;
}

int client_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    gap_client_t *c = arg;

    if (c->link == NULL || c->link_closing) return GAP_E_CLOSED;
    if (query.id == GAP_TL_UPDATES_GET_DIFFERENCE && !client_keep_has_begun(c))
        return hold(c, query, cb, answer_arg);
    return ask(c, query, cb, answer_arg);
}
