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

static void on_closed(void *data) { *static_cast<bool *>(data) = true; }

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
    gap_client_close(client, on_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (!closed || status != 1) return 8;
    return uv_loop_close(&loop) == 0 ? 0 : 9;
}
