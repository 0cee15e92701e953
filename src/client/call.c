/*
 * client/call.c - requests: the host's, whose answers pass the engine before they reach the
 * callback, and the engine's own.
 *
 * Who came with an answer is learned from the types in it, not from a list of methods: all that
 * return users, chats or messages teach, those of later layers, too.
 *
 * Owns a record for every request in flight; the link guarantees that each ends in one answer. The
 * record keeps the query: the answer may be that another data centre is to be asked.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "mtproto/session.h"

#include <gapless/tl_api.h>
#include <stdio.h>
#include <string.h>

/* ---- the host's requests ----------------------------------------------------------------------
 */

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
                       from->error_text.len == 0 ? "" : (const char *)from->error_text.data);
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

/* Only the account's own data centre speaks of the account's sequences. */
static void feed_engine(gap_client_t *c, const struct client_call *call,
                        const struct gap_call_result *result)
{
    bool at_home = call->link == NULL || call->link->dc == c->session.main_dc;

    if (c->engine == NULL || c->stopped || !at_home) return;
    size_t len = engine_needs_query(call->id) ? call->query_len : 0;
    int r =
        gap_engine_result(c->engine, gap_bytes(call->query, len), result->value, result->packet);
    if (r == GAP_UNCONCERNED) client_people_answer(c, result->value);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "updates in an answer: %s; the difference brings them",
                   gap_strerror(r));
}

void client_call_end(struct client_call *call, const struct gap_call_result *result)
{
    gap_client_t *c = call->client;
    gap_result_t told;
    char name[128];

    if (result->status == 0) feed_engine(c, call, result);
    c->calls--;
    client_shutdown_answered(c);
    if (call->callback != NULL) {
        translate(result, call->id, name, &told);
        call->callback(c, &told, call->data);
    }
    gap_wipe(call->query, call->query_len);
    gap_free(c->alloc, call);
}

void client_call_end_with(struct client_call *call, int status)
{
    const struct gap_call_result result = {.status = status};

    GAP_ASSERT(status < 0); /* an answer comes with its value */
    client_call_end(call, &result);
}

static void on_answer(void *arg, gap_call_id_t id, const struct gap_call_result *result)
{
    struct client_call *call = arg;

    (void)id;
    if (!client_links_follow(call, result)) client_call_end(call, result);
}

int client_call_main(struct client_call *call)
{
    static const struct gap_call_options once = {
        .flags = GAP_CALL_NO_RESEND | GAP_CALL_NO_FLOOD_REPEAT | GAP_CALL_NO_ERROR_REPEAT};
    gap_client_t *c = call->client;
    gap_tl_object_t query = {call->query, call->query_len, NULL, call->id};

    if (c->link != NULL && !c->link_closing)
        return gap_link_call(c->link, query, call->once ? &once : NULL, on_answer, call, NULL);
    return c->links.moved ? client_links_wait(&c->links.moving, call) : GAP_E_STATE;
}

static int may_call(const gap_client_t *c)
{
    client_enter(c);
    if (c->env_ops->forked(c->env)) return GAP_E_FORKED;
    if (c->closing) return GAP_E_CLOSED;
    return c->state == CLIENT_FATAL ? GAP_E_CLOSED : 0;
}

static int new_call(gap_client_t *c, gap_tl_object_t query, struct client_call **out)
{
    int64_t size = gap_tl_size(query);

    if (size < 0) return (int)size;
    if (size > GAP_SESSION_QUERY_MAX_BYTES) return GAP_E_LIMIT;
    struct client_call *call = gap_malloc(c->alloc, sizeof *call + (size_t)size);
    if (call == NULL) return GAP_E_NOMEM;
    *call = (struct client_call){.client = c, .id = query.id, .query_len = (size_t)size};
    size = gap_tl_write(query, call->query, call->query_len);
    if (size < 0) {
        gap_free(c->alloc, call);
        return (int)size;
    }
    *out = call;
    return 0;
}

/* Send it; if that can't be, nothing is left of it. */
static int take_call(gap_client_t *c, gap_tl_object_t query, const struct client_call *how)
{
    struct client_call *call = NULL;

    int r = new_call(c, query, &call);
    if (r < 0) return r;
    call->callback = how->callback;
    call->data = how->data;
    call->dc = how->dc;
    call->kind = how->kind;
    call->once = how->once;
    r = client_links_send(call);
    if (r < 0)
        gap_free(c->alloc, call);
    else
        c->calls++;
    return r;
}

int gap_client_call(gap_client_t *client, gap_tl_object_t query, gap_call_cb callback, void *data)
{
    const struct client_call how = {.callback = callback, .data = data};

    int r = may_call(client);
    return r < 0 ? r : take_call(client, query, &how);
}

int client_call_once(gap_client_t *c, gap_tl_object_t query, gap_call_cb callback, void *data)
{
    const struct client_call how = {.callback = callback, .data = data, .once = true};

    int r = may_call(c);
    return r < 0 ? r : take_call(c, query, &how);
}

int gap_client_call_at(gap_client_t *client, int32_t dc, gap_connection_kind_t kind,
                       gap_tl_object_t query, gap_call_cb callback, void *data)
{
    const struct client_call how = {.callback = callback, .data = data, .dc = dc, .kind = kind};

    int r = may_call(client);
    if (r < 0) return r;
    if (dc < 0 || (unsigned)kind > GAP_CONNECTION_MEDIA) return GAP_E_ARGUMENT;
    return client->state != CLIENT_SIGNED_IN ? GAP_E_STATE : take_call(client, query, &how);
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
    if (result->status == GAP_E_RPC && result->error_code == 303 &&
        gap_bytes_equal(result->error_name, gap_str("USER_MIGRATE")))
        (void)client_links_move(call.client, result->error_value); /* the engine asks again */
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

    client_keep_began(c);
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
