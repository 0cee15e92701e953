// tests/embed/uses.cc - the public interface from C++: types, macros, generated structs and calls.
#include <gapless/gapless.h>
#include <uv.h>

#include <cstdio>
#include <cstring>

static int on_update(gap_update_t *update, void *)
{
    gap_tl_update_new_message_t m;
    if (gap_update_id(update) == GAP_TL_UPDATE_NEW_MESSAGE)
        return GAP_UPDATE_READ(update, GAP_TL_UPDATE_NEW_MESSAGE, &m);
    return 0;
}

static int on_message(gap_update_t *update, const gap_message_t *message, void *)
{
    gap_entities_t it;
    gap_entity_t entity;
    if (gap_message_entities(message, &it) < 0) return GAP_E_TL;
    while (gap_entities_next(&it, &entity) > 0) std::printf("%u\n", entity.id);
    return gap_reply(update, "pong", nullptr, nullptr);
}

static void on_answer(gap_client_t *, const gap_result_t *result, void *data)
{
    *static_cast<int *>(data) = result->status;
}

static void on_found(gap_client_t *, const gap_found_peer_t *found, void *data)
{
    *static_cast<int *>(data) = found->status;
}

static int on_start(gap_update_t *update, const gap_match_t *match, void *)
{
    static const uint8_t seen[] = {1};
    if (match->arguments.len > 0) return GAP_NEXT;
    return gap_update_session_set(update, {seen, sizeof seen});
}

static int write_row(gap_update_t *update, struct sqlite3 *db, void *)
{
    gap_eid_t eid;
    return db == nullptr ? GAP_E_STATE : gap_update_eid(update, &eid);
}

static int look(gap_update_t *update, void *)
{
    return gap_update_is_current(update) ? 0 : -1;
}

static int on_any(gap_update_t *update, const gap_match_t *match, void *data)
{
    int64_t random_id;
    if (gap_update_attempt(update) > 1) gap_update_give_up(update);
    if (gap_update_random_id(update, 1, &random_id) != 0) return 0;
    return match->message ? gap_update_in_transaction(update, write_row, data)
                          : gap_update_on_thread(update, look, data);
}

static int on_batch(gap_sink_t *sink, const gap_sink_item_t *items, size_t count, void *)
{
    return gap_sink_ack_through(sink, items[count - 1].number);
}

static void on_shut_down(gap_client_t *, const gap_shutdown_report_t *report, void *data)
{
    *static_cast<uint64_t *>(data) = report->drained + report->journalled + report->unknown;
}

/* Routes, session data and a sink on a client. 0, or what failed. */
static int make_routes(gap_client_t *client, gap_router_t **router, gap_sink_t **sink)
{
    gap_session_config_t sessions{};
    sessions.values = gap_client_values(client);
    sessions.key = gap_session_chat;
    gap_route_t route{};
    route.filter.kinds = GAP_KIND_MESSAGE | GAP_KIND_CALLBACK;
    route.filter.chat_kinds = GAP_CHAT_GROUPS;
    route.filter.pattern = "add #";
    route.handler = on_any;
    gap_sink_config_t batches{};
    batches.flush = on_batch;
    int r = gap_router_new(nullptr, router);
    if (r == 0) r = gap_router_session(*router, &sessions);
    if (r == 0) r = gap_router_command(*router, "start", on_start, nullptr);
    if (r == 0) r = gap_router_add(*router, &route);
    if (r == 0) r = gap_client_sink(client, &batches, sink);
    if (r == 0) gap_client_on_update(client, gap_router_handle, *router);
    return r;
}

static void on_closed(void *data)
{
    *static_cast<bool *>(data) = true;
}

int main()
{
    // Written and read back: a message in a peer's chat.
    gap_tl_peer_user_t peer{};
    peer.user_id = 7;
    uint8_t bytes[64];
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_TL_PEER_USER, &peer), bytes, sizeof bytes);
    if (n != 12) return 1;
    gap_tl_object_t object;
    if (gap_tl_object({bytes, static_cast<size_t>(n)}, &object) != 0) return 2;
    gap_tl_peer_user_t back{};
    if (GAP_TL_READ(object, GAP_TL_PEER_USER, &back) != 12 || back.user_id != 7) return 3;

    // Opened on a loop, asked for what needs a start, closed.
    gap_client_config_t config{};
    config.network = GAP_NETWORK_TEST;
    config.api_id = 1;
    config.api_hash = "hash";
    gap_runner_config_t runner{};
    runner.journal = GAP_JOURNAL_FULL;
    runner.timeout_us = GAP_RUNNER_NO_TIMEOUT;
    config.runner = &runner;
    gap_client_t *client = nullptr;
    uv_loop_t loop;
    bool closed = false;
    int status = 1;
    if (uv_loop_init(&loop) != 0) return 4;
    if (gap_client_open(&loop, &config, &client) != 0) return 5;
    gap_client_on_update(client, on_update, nullptr);
    gap_client_on_message(client, on_message, nullptr);
    if (gap_client_sign_in_code(client, "12345") != GAP_E_STATE) return 6;
    if (gap_client_find_peer(client, "me", on_found, &status) != GAP_E_STATE) return 10;
    gap_tl_help_get_config_t query{};
    if (gap_tl_help_get_config(client, &query, on_answer, &status) != GAP_E_STATE) return 7;
    gap_router_t *router = nullptr;
    gap_sink_t *sink = nullptr;
    uint64_t updates = 1;
    if (make_routes(client, &router, &sink) != 0) return 11;
    if (gap_client_runner(client) != nullptr) return 12; // there is no account yet
    if (gap_client_shutdown(client, nullptr, on_shut_down, &updates) != 0) return 13;
    gap_sink_close(sink, nullptr, nullptr);
    gap_client_close(client, on_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    gap_router_free(router);
    if (!closed || status != 1 || updates != 0) return 8;
    return uv_loop_close(&loop) == 0 ? 0 : 9;
}
