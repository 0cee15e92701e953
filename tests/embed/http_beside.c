/*
 * tests/embed/http_beside.c - the whole client beside an HTTP server, both on one uv loop that
 * belongs to this program.
 *
 *   uv loop --+-- client: handlers keep the last messages
 *             +-- listener on loopback -> connections
 *                   READING --a request is whole--> ANSWERING --written--> READING
 *                                                             --the last--> ENDING --> closed
 *
 * GET /stats tells how the updates flow (gap_client_stats), GET /messages the last messages, both
 * as JSON. Handlers and requests share a thread: no lock. A connection has one answer under way at
 * most, and is not read meanwhile, so what a client may make us hold is bounded. Requests with a
 * body are refused. Behind the last answer what still comes is thrown away until the client hangs
 * up: closed with bytes unread, TCP would take the answer back. Closes everything on SIGTERM.
 *
 * Environment: SERVER_PORT, SERVER_KEY, BOT_TOKEN. Prints "port N" when it listens.
 */
#include <gapless/gapless.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#define KEPT_MAX        32   /* messages */
#define TEXT_BYTES      256  /* kept of each */
#define REQUEST_BYTES   8192 /* longest head of a request */
#define CONNECTIONS_MAX 64
#define UNWANTED_BYTES  65536 /* thrown away behind the last answer */

typedef struct kept {
    gap_peer_t chat;
    int32_t id;
    int32_t date;
    size_t len;
    char text[TEXT_BYTES];
} kept_t;

typedef struct app {
    uv_loop_t loop;
    uv_signal_t terminate;
    uv_tcp_t listener;
    gap_client_t *client; /* NULL: close has begun */
    struct connection *connections;
    unsigned connection_count;
    uint64_t seen; /* new messages; the last KEPT_MAX are kept, at seen % KEPT_MAX */
    kept_t kept[KEPT_MAX];
    int status;
} app_t;

typedef struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    app_t *app;
    struct connection *next;
    char *answer; /* being written, or NULL */
    bool last;    /* this answer is the last one */
    bool ending;  /* it is written */
    size_t taken; /* bytes of the request that is being answered */
    size_t len;   /* bytes in `in`; when ending: thrown away */
    char in[REQUEST_BYTES];
} connection_t;

/* --- what is told -------------------------------------------------------------------------- */

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    app_t *app = data;

    (void)update;
    if (message->edit) return 0;
    kept_t *k = &app->kept[app->seen++ % KEPT_MAX];
    k->chat = message->chat;
    k->id = message->id;
    k->date = message->date;
    k->len = message->text.len;
    if (k->len > TEXT_BYTES) {
        k->len = TEXT_BYTES;
        while ((message->text.data[k->len] & 0xc0) == 0x80) k->len--; /* not inside a character */
    }
    if (k->len > 0) memcpy(k->text, message->text.data, k->len);
    return 0;
}

static void print_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ')
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
}

static void print_messages(FILE *out, app_t *app)
{
    static const char *const kinds[] = {"none", "user", "chat", "channel"};
    uint64_t first = app->seen > KEPT_MAX ? app->seen - KEPT_MAX : 0;

    fprintf(out, "{\"seen\":%" PRIu64 ",\"messages\":[", app->seen);
    for (uint64_t i = first; i < app->seen; i++) {
        const kept_t *k = &app->kept[i % KEPT_MAX];
        fprintf(out, "%s{\"chat\":\"%s:%" PRId64 "\",\"id\":%d,\"date\":%d,\"text\":\"",
                i == first ? "" : ",", kinds[k->chat.kind], k->chat.id, (int)k->id, (int)k->date);
        print_text(out, k->text, k->len);
        fputs("\"}", out);
    }
    fputs("]}\n", out);
}

static void print_stats(FILE *out, app_t *app)
{
    gap_client_stats_t s;

    gap_client_stats(app->client, &s);
    fprintf(out,
            "{\"updates\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"gaps\":%" PRIu64
            ",\"healed\":%" PRIu64 ",\"fetched\":%" PRIu64 ",\"differences\":%" PRIu64
            ",\"caught_up\":%s}\n",
            s.updates, s.duplicates, s.gaps, s.healed, s.fetched, s.differences,
            s.caught_up ? "true" : "false");
}

/* --- connections --------------------------------------------------------------------------- */

static void connection_closed(uv_handle_t *handle)
{
    connection_t *c = handle->data;
    connection_t **at = &c->app->connections;

    while (*at != c) at = &(*at)->next;
    *at = c->next;
    c->app->connection_count--;
    free(c->answer);
    free(c);
}

static void connection_close(connection_t *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, connection_closed);
}

static void connection_go_on(connection_t *c);

static void connection_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    connection_t *c = handle->data;

    (void)wanted;
    size_t used = c->ending ? 0 : c->len;
    *out = uv_buf_init(c->in + used, (unsigned)(REQUEST_BYTES - used));
}

static void connection_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    connection_t *c = stream->data;

    (void)buf;
    if (n > 0) c->len += (size_t)n;
    if (n < 0 || (c->ending && c->len > UNWANTED_BYTES))
        connection_close(c);
    else if (!c->ending)
        connection_go_on(c);
}

static void connection_end(connection_t *c)
{
    c->ending = true;
    c->len = 0;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, NULL) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, connection_room, connection_read) != 0)
        connection_close(c);
}

static void connection_written(uv_write_t *write, int status)
{
    connection_t *c = write->data;

    free(c->answer);
    c->answer = NULL;
    if (uv_is_closing((uv_handle_t *)&c->tcp)) return;
    if (status < 0) {
        connection_close(c);
    } else if (c->last) {
        connection_end(c);
    } else {
        c->len -= c->taken;
        memmove(c->in, c->in + c->taken, c->len);
        connection_go_on(c);
    }
}

/* Say what `print` says, or, if that is NULL, only the status. */
static void connection_answer(connection_t *c, const char *status,
                              void (*print)(FILE *out, app_t *app))
{
    char *body = NULL;
    size_t body_len = 0, len = 0;
    FILE *out = open_memstream(&body, &body_len);

    if (out == NULL) goto failed;
    if (print != NULL)
        print(out, c->app);
    else
        fprintf(out, "{\"error\":\"%s\"}\n", status);
    if (fclose(out) != 0) goto failed;
    out = open_memstream(&c->answer, &len);
    if (out == NULL) goto failed;
    fprintf(out,
            "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\n%s%s\r\n%s",
            status, body_len, strncmp(status, "405", 3) == 0 ? "Allow: GET\r\n" : "",
            c->last ? "Connection: close\r\n" : "", body);
    if (fclose(out) != 0) goto failed;
    uv_buf_t buf = uv_buf_init(c->answer, (unsigned)len);
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, connection_written) != 0) goto failed;
    free(body);
    return;
failed:
    free(body);
    connection_close(c);
}

/* The value of a header, without blanks around it; NULL: there is none. */
static const char *header(const char *head, const char *name, size_t *len)
{
    size_t name_len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':') continue;
        line += name_len + 1;
        line += strspn(line, " \t");
        *len = strcspn(line, "\r");
        while (*len > 0 && strchr(" \t", line[*len - 1]) != NULL) (*len)--;
        return line;
    }
    return NULL;
}

static bool header_is(const char *head, const char *name, const char *value)
{
    size_t len;
    const char *at = header(head, name, &len);
    return at != NULL && len == strlen(value) && strncasecmp(at, value, len) == 0;
}

static bool path_is(const char *target, const char *path)
{
    size_t len = strlen(path);
    return strncmp(target, path, len) == 0 && strchr(" ?", target[len]) != NULL;
}

/* A whole head of a request, ended by NUL in place of its last CR LF. */
static void connection_request(connection_t *c, const char *head)
{
    size_t len, method_len = strcspn(head, " ");
    const char *target = head[method_len] == ' ' ? head + method_len + 1 : "";
    const char *version = target + strcspn(target, " \r");
    bool old = strncmp(version, " HTTP/1.0\r\n", 11) == 0;

    c->last = old || header_is(head, "Connection", "close");
    if (method_len == 0 || target[0] != '/' ||
        (!old && (strncmp(version, " HTTP/1.1\r\n", 11) != 0 || !header(head, "Host", &len)))) {
        c->last = true;
        connection_answer(c, "400 Bad Request", NULL);
    } else if (header(head, "Transfer-Encoding", &len) != NULL ||
               (header(head, "Content-Length", &len) != NULL &&
                !header_is(head, "Content-Length", "0"))) {
        c->last = true; /* the body would be taken for a request */
        connection_answer(c, "413 Content Too Large", NULL);
    } else if (strncmp(head, "GET ", 4) != 0) {
        c->last = true; /* HEAD's answer has no body */
        connection_answer(c, "405 Method Not Allowed", NULL);
    } else if (path_is(target, "/stats")) {
        connection_answer(c, "200 OK", print_stats);
    } else if (path_is(target, "/messages")) {
        connection_answer(c, "200 OK", print_messages);
    } else {
        connection_answer(c, "404 Not Found", NULL);
    }
}

/* Answer the next request if it is here, or read on. */
static void connection_go_on(connection_t *c)
{
    static const char end[] = "\r\n\r\n";
    char *found = memmem(c->in, c->len, end, 4);

    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    if (found != NULL) {
        c->taken = (size_t)(found - c->in) + 4;
        found[2] = '\0';
        connection_request(c, c->in);
    } else if (c->len == REQUEST_BYTES) {
        c->last = true;
        connection_answer(c, "431 Request Header Fields Too Large", NULL);
    } else if (uv_read_start((uv_stream_t *)&c->tcp, connection_room, connection_read) != 0) {
        connection_close(c);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    app_t *app = listener->data;
    connection_t *c = status < 0 ? NULL : calloc(1, sizeof *c);

    if (c == NULL) return;
    c->app = app;
    if (uv_tcp_init(&app->loop, &c->tcp) != 0) {
        free(c);
        return;
    }
    c->tcp.data = c;
    c->next = app->connections;
    app->connections = c;
    app->connection_count++;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 || app->connection_count > CONNECTIONS_MAX)
        connection_close(c);
    else
        connection_go_on(c);
}

/* --- the program --------------------------------------------------------------------------- */

static void end(app_t *app)
{
    if (app->client == NULL) return;
    gap_client_close(app->client, NULL, NULL);
    app->client = NULL;
    uv_close((uv_handle_t *)&app->listener, NULL);
    uv_close((uv_handle_t *)&app->terminate, NULL);
    for (connection_t *c = app->connections; c != NULL; c = c->next) connection_close(c);
}

static void on_terminate(uv_signal_t *signal, int number)
{
    (void)number;
    end(signal->data);
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    app_t *app = data;

    (void)client;
    fprintf(stderr, "%s\n", event->text);
    if (event->kind != GAP_CLIENT_FATAL) return;
    app->status = 1;
    end(app);
}

static int listen_on_loopback(app_t *app)
{
    struct sockaddr_in at;
    int r, len = sizeof at;

    app->listener.data = app;
    app->terminate.data = app;
    if ((r = uv_signal_start(&app->terminate, on_terminate, SIGTERM)) != 0 ||
        (r = uv_ip4_addr("127.0.0.1", 0, &at)) != 0 ||
        (r = uv_tcp_bind(&app->listener, (const struct sockaddr *)&at, 0)) != 0 ||
        (r = uv_listen((uv_stream_t *)&app->listener, 16, on_connection)) != 0 ||
        (r = uv_tcp_getsockname(&app->listener, (struct sockaddr *)&at, &len)) != 0)
        return r;
    printf("port %u\n", (unsigned)ntohs(at.sin_port));
    return fflush(stdout);
}

int main(void)
{
    const char *port = getenv("SERVER_PORT");
    gap_client_config_t config = {
        .host = "127.0.0.1",
        .port = (uint16_t)(port != NULL ? atoi(port) : 0),
        .rsa_key = getenv("SERVER_KEY"),
        .api_id = 1,
        .api_hash = "x",
        .bot_token = getenv("BOT_TOKEN"),
    };
    static app_t app;

    if (uv_loop_init(&app.loop) != 0 || uv_tcp_init(&app.loop, &app.listener) != 0 ||
        uv_signal_init(&app.loop, &app.terminate) != 0)
        return 1;
    int r = gap_client_open(&app.loop, &config, &app.client);
    if (r == 0) {
        gap_client_on_message(app.client, on_message, &app);
        gap_client_on_event(app.client, on_event, &app);
        r = listen_on_loopback(&app);
        if (r == 0) r = gap_client_start(app.client);
        if (r != 0) end(&app);
        (void)uv_run(&app.loop, UV_RUN_DEFAULT);
        if (uv_loop_close(&app.loop) != 0) app.status = 1; /* a handle was left behind */
    }
    if (r != 0) fprintf(stderr, "it does not start: %s\n", gap_strerror(r));
    return r != 0 ? 1 : app.status;
}
