/*
 * dc/main.c - gapless-dc: the simulated data centre as a program on libuv.
 *
 *   options -> key -> listening, "ready" -> traffic, "done" -> SIGTERM or SIGINT -> closed
 *
 * SIGHUP reads the file of data centres again; so does a call that needs it if the file has
 * changed. With --until-eof the end of the standard input does what SIGTERM does.
 *
 * Owns the loop, the key and the ledger's file. Never knows what a client said.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "dc/dc.h"
#include "dc/options.h"
#include "dc/peer_file.h"
#include "dc/script.h"
#include "uv/uv_env.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define KEY_FILE_MAX 65536U

struct program {
    gap_dc_cli_t cli;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_pipe_t input; /* --until-eof */
    gap_env_t *env;
    gap_dc_t *dc;
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    FILE *ledger;
    gap_dc_script_t script;
    gap_dc_peer_file_t peer_file; /* name NULL: there is none */
    bool is_disappointed;         /* a script expected something else */
    bool is_closing;
    int status;
};

GAP_PRINTF(1, 2) static int complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("gapless-dc: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return 1;
}

/* --- files --------------------------------------------------------------------------------- */

static int read_key(struct program *p, const char *name)
{
    static char text[KEY_FILE_MAX];
    FILE *f = fopen(name, "rb");

    if (f == NULL)
        return complain("can't read the key '%s': %s; give another --key or none", name,
                        strerror(errno));
    size_t len = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    int r = gap_rsa_private_from_pem(&p->crypto, gap_bytes(text, len), &p->rsa);
    gap_wipe(text, sizeof text);
    if (r < 0)
        return complain("'%s' is no RSA private key of 2048 bits in PEM form: make one with "
                        "openssl genrsa 2048, or leave --key out",
                        name);
    return 0;
}

static int write_pubkey(const struct program *p, const char *name)
{
    gap_buf_t pem;
    FILE *f = NULL;
    int failed = 1;

    gap_buf_init(&pem, gap_alloc_default());
    if (gap_rsa_public_pem(&p->rsa, &pem) < 0) {
        complain("can't write the public key: out of memory");
        goto out;
    }
    gap_bytes_t view = gap_buf_view(&pem);
    if ((f = fopen(name, "wb")) != NULL) {
        bool ok = fwrite(view.data, 1, view.len, f) == view.len;
        failed = fclose(f) != 0 || !ok;
    }
    if (failed)
        complain("can't write the public key to '%s': %s; choose another --pubkey-out", name,
                 strerror(errno));
out:
    gap_buf_fini(&pem);
    return failed;
}

static int read_script(struct program *p, const char *name)
{
    static char text[GAP_DC_SCRIPT_BYTES + 1];
    char error[256];
    FILE *f = fopen(name, "rb");

    if (f == NULL)
        return complain("can't read the script '%s': %s; give another --script", name,
                        strerror(errno));
    size_t len = fread(text, 1, sizeof text, f);
    bool failed = ferror(f) != 0;
    (void)fclose(f);
    if (failed) return complain("can't read the script '%s'; give another --script", name);
    int r = gap_dc_script_read(gap_alloc_default(), gap_bytes(text, len), &p->script, error,
                               sizeof error);
    if (r == GAP_E_ARGUMENT) return complain("%s: %s", name, error);
    if (r < 0) return complain("can't take the script '%s': %s", name, gap_strerror(r));
    p->cli.dc.script = &p->script;
    return 0;
}

static int prepare_key(struct program *p)
{
    if (gap_crypto_init(&p->crypto) < 0)
        return complain("libcrypto does not offer what MTProto needs; check its configuration");
    if (p->cli.key != NULL) {
        if (read_key(p, p->cli.key) != 0) return 1;
    } else if (gap_rsa_generate(&p->crypto, &p->rsa) < 0) {
        return complain("can't make an RSA key; give one with --key");
    }
    return p->cli.pubkey_out == NULL ? 0 : write_pubkey(p, p->cli.pubkey_out);
}

/* --- other data centres ---------------------------------------------------------------------- */

/* Know what the file says now. A file that can't be read leaves the table as it was. */
static void update_peers(struct program *p, bool always)
{
    gap_dc_peers_t peers;
    char error[256];
    int r = gap_dc_peer_file_read(&p->peer_file, always, &peers, error, sizeof error);

    if (r < 0)
        complain("%s", error);
    else if (r == 0 && (r = gap_dc_set_peers(p->dc, &peers)) < 0)
        complain("can't tell clients of other data centres: %s", gap_strerror(r));
}

static void look_at_peers(void *data)
{
    update_peers(data, false);
}

static void on_hang_up(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;

    (void)number;
    if (!p->is_closing) update_peers(p, true);
}

static int prepare_peers(struct program *p)
{
    gap_dc_options_t *o = &p->cli.dc;
    char error[256];

    if (p->cli.peer_file == NULL) return 0;
    p->peer_file.name = p->cli.peer_file;
    p->peer_file.own = o->dc;
    p->peer_file.given = o->peers;
    o->look_at_peers = look_at_peers;
    if (gap_dc_peer_file_read(&p->peer_file, true, &o->peers, error, sizeof error) < 0)
        return complain("%s", error);
    return 0;
}

/* Let the others know where this one listens. */
static int announce(struct program *p)
{
    gap_addr_t addr = gap_dc_addr(p->dc);
    char error[256];

    if (p->peer_file.name == NULL) return 0;
    if (gap_dc_peer_file_add(&p->peer_file, &addr, error, sizeof error) < 0)
        return complain("%s", error);
    return 0;
}

/* --- the data centre's callbacks ------------------------------------------------------------- */

static void begin_close(struct program *p);

static int on_ledger(void *data, const char *line, size_t len)
{
    struct program *p = data;

    return fwrite(line, 1, len, p->ledger) == len ? 0 : -EIO;
}

static int on_ledger_flush(void *data)
{
    struct program *p = data;

    return fflush(p->ledger) == 0 ? 0 : -EIO;
}

static void on_done(void *data, uint32_t events)
{
    struct program *p = data;

    if (p->ledger != NULL && fflush(p->ledger) != 0)
        p->status = complain("can't write the ledger: %s", strerror(errno));
    (void)printf("{\"event\":\"done\",\"events\":%lu}\n", (unsigned long)events);
    (void)fflush(stdout);
}

static void on_expected(void *data, uint32_t line, bool is_met, const char *what)
{
    struct program *p = data;

    p->is_disappointed = p->is_disappointed || !is_met;
    (void)printf("{\"event\":\"expect\",\"line\":%lu,\"met\":%s,\"what\":\"%s\"}\n",
                 (unsigned long)line, is_met ? "true" : "false", what);
    (void)fflush(stdout);
}

static void on_failed(void *data, int status)
{
    struct program *p = data;

    p->status = complain("stopped: %s", gap_strerror(status));
    begin_close(p);
}

/* --- life ---------------------------------------------------------------------------------- */

static void on_dc_closed(void *arg)
{
    struct program *p = arg;

    gap_uv_env_close(p->env, NULL, NULL);
    for (size_t i = 0; i < GAP_ARRAY_LEN(p->signals); i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
    uv_close((uv_handle_t *)&p->input, NULL);
}

/* The data centre must not be closed from inside one of its callbacks' callers: on the next turn of
 * the loop it is. */
static void on_close_turn(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;

    (void)number;
    if (p->is_closing) return;
    p->is_closing = true;
    gap_dc_close(p->dc, on_dc_closed, p);
}

static void begin_close(struct program *p)
{
    (void)p;
    (void)raise(SIGTERM);
}

/* What comes is nobody's business, only its end. */
static void on_input_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char nowhere[256];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(nowhere, sizeof nowhere);
}

static void on_input(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct program *p = stream->data;

    (void)buf;
    if (nread >= 0) return;
    (void)uv_read_stop(stream);
    begin_close(p);
}

static int open_input(struct program *p)
{
    if (!p->cli.until_eof) return 0;
    int r = uv_guess_handle(0) == UV_NAMED_PIPE ? uv_pipe_open(&p->input, 0) : UV_EINVAL;
    return r < 0 ? r : uv_read_start((uv_stream_t *)&p->input, on_input_alloc, on_input);
}

/* Put a file name into a JSON string. */
static void print_json_string(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            (void)printf("\\%c", c);
        else if (c < 0x20)
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

static void print_ready(const struct program *p)
{
    gap_addr_t addr = gap_dc_addr(p->dc);
    char ip[46];

    gap_addr_format_ip(&addr, ip);
    (void)printf("{\"event\":\"ready\",\"host\":\"%s\",\"port\":%u,\"dc\":%d,\"pubkey\":", ip,
                 (unsigned)addr.port, (int)p->cli.dc.dc);
    if (p->cli.pubkey_out != NULL)
        print_json_string(p->cli.pubkey_out);
    else
        (void)fputs("null", stdout);
    (void)fputs("}\n", stdout);
    (void)fflush(stdout);
}

static int open_signals(struct program *p)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < GAP_ARRAY_LEN(p->signals); i++) {
        bool is_hang_up = numbers[i] == SIGHUP;
        int r = uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        if (is_hang_up && p->peer_file.name == NULL) continue; /* ends us, as ever */
        if (r == 0)
            r = uv_signal_start(&p->signals[i], is_hang_up ? on_hang_up : on_close_turn,
                                numbers[i]);
        if (r < 0) return r;
    }
    return 0;
}

/* Listen and serve until a signal comes. */
static int serve(struct program *p)
{
    gap_dc_options_t *o = &p->cli.dc;
    int r;

    o->rsa = &p->rsa;
    o->data = p;
    o->done = on_done;
    o->failed = on_failed;
    o->expected = on_expected;
    if (p->ledger != NULL) {
        o->ledger = on_ledger;
        o->ledger_flush = on_ledger_flush;
    }
    if ((r = uv_loop_init(&p->loop)) < 0) return complain("no event loop: %s", gap_strerror(r));
    p->input.data = p;
    if ((r = open_signals(p)) < 0 || (r = uv_pipe_init(&p->loop, &p->input, 0)) < 0 ||
        (r = gap_uv_env_open(&p->loop, gap_alloc_default(), &p->env)) < 0)
        return complain("no event loop: %s", gap_strerror(r));
    if ((r = gap_dc_open(p->env, gap_alloc_default(), o, &p->dc)) < 0) {
        complain("can't listen: %s; choose another --listen", gap_strerror(r));
        p->status = 1;
        on_dc_closed(p);
    } else if ((r = open_input(p)) < 0) {
        p->status = complain("--until-eof: the standard input is no pipe (%s)", gap_strerror(r));
        begin_close(p);
    } else if (announce(p) != 0) {
        p->status = 1;
        begin_close(p);
    } else {
        print_ready(p);
    }
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&p->loop) != 0) return complain("the event loop did not come to an end");
    return p->status;
}

int main(int argc, char **argv)
{
    static struct program p;
    static char text[8192];
    int status = 1;

    if (gap_dc_cli_parse(argc, argv, &p.cli, text, sizeof text) < 0) {
        complain("%s", text);
        return 2;
    }
    if (p.cli.help) {
        (void)gap_dc_cli_help(text, sizeof text);
        (void)fputs(text, stdout);
        return 0;
    }
    if (p.cli.script_help) {
        const char *part;
        for (unsigned i = 0; (part = gap_dc_script_help(i)) != NULL; i++) (void)fputs(part, stdout);
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (p.cli.script != NULL && read_script(&p, p.cli.script) != 0) goto out;
    if (prepare_peers(&p) != 0 || prepare_key(&p) != 0) goto out;
    if (p.cli.ledger != NULL && (p.ledger = fopen(p.cli.ledger, "wb")) == NULL) {
        complain("can't write the ledger '%s': %s; choose another --ledger", p.cli.ledger,
                 strerror(errno));
        goto out;
    }
    status = serve(&p);
    if (status == 0 && p.is_disappointed) status = 3;
out:
    if (p.ledger != NULL && fclose(p.ledger) != 0)
        status = complain("can't write the ledger '%s': %s", p.cli.ledger, strerror(errno));
    gap_dc_script_fini(&p.script);
    gap_rsa_fini(&p.rsa);
    gap_crypto_fini(&p.crypto);
    return status;
}
