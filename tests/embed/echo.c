#include <gapless/gapless.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    char text[16385];
    (void)data;
    if (message->out || message->edit || message->text.len == 0) return 0;
    snprintf(text, sizeof text, "%.*s", (int)message->text.len, (const char *)message->text.data);
    return gap_reply(update, text, NULL, NULL);
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    (void)data;
    fprintf(stderr, "%s\n", event->text);
    if (event->kind == GAP_CLIENT_FATAL) gap_client_close(client, NULL, NULL);
}

int main(void)
{
    const char *api_id = getenv("API_ID"), *port = getenv("SERVER_PORT");
    gap_client_config_t config = {
        .network = port ? GAP_NETWORK_CUSTOM : GAP_NETWORK_PRODUCTION,
        .host = port ? "127.0.0.1" : NULL, /* a gapless-dc instead of Telegram */
        .port = (uint16_t)(port ? atoi(port) : 0),
        .rsa_key = getenv("SERVER_KEY"),
        .api_id = api_id ? atoi(api_id) : 0,
        .api_hash = getenv("API_HASH"),
        .bot_token = getenv("BOT_TOKEN"),
    };
    gap_client_t *client;
    if (gap_client_open(uv_default_loop(), &config, &client) != 0) return 1;
    gap_client_on_message(client, on_message, NULL);
    gap_client_on_event(client, on_event, NULL);
    if (gap_client_start(client) != 0) return 1;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
