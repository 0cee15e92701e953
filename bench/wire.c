/*
 * bench/wire.c - the whole receive path on one core: an encrypted packet is opened in place, goes
 * through the session, the engine parses and orders its updates, the handler reads them. Compared
 * with the serial cipher limit (bench/serial_limit.h) for the same bytes in the same run.
 */
#include "bench/wire.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "bench/bench.h"
#include "bench/fixture.h"

#include <stdlib.h>

#define ROUNDS     11
#define PACKETS_1K 2000
#define READ_BYTES 65536 /* what a read brings at most: a tick follows */
#define WALL_S     UINT64_C(1800000000)
#define NOW_US     UINT64_C(1000000)

static int fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 0x5a, len);
    return 0;
}

static const gap_random_t fixed = {fill, NULL};

/* The longest texts with which a packet stays within the wanted size. */
static void choose_sizes(struct wire *w, size_t wanted)
{
    for (w->text_len = 4; w->text_len <= 248; w->text_len += 4) {
        gap_buf_t body;
        gap_buf_init(&body, gap_alloc_default());
        fixture_channel_updates(&body, FIXTURE_CHANNEL, 2, w->messages, w->text_len);
        size_t padding = gap_message_padding(GAP_PADDING_LEAST, body.len);
        size_t size = gap_message_size(body.len, padding);
        gap_buf_fini(&body);
        if (size > wanted) break;
        w->size = size;
    }
    w->text_len -= 4;
}

static void start_session(struct wire *w)
{
    static const struct gap_session_device device = {227, 1, "bench", "1", "1", "en", "", "en"};
    gap_plaintext_t first;
    uint64_t ping;

    bench_must(gap_session_new(gap_alloc_default(), &fixed, &device, NOW_US, WALL_S * 1000000,
                               &w->session),
               "a session");
    gap_session_set_key(w->session, NOW_US, 1, (int64_t)WALL_S);
    gap_session_connected(w->session, NOW_US);
    bench_must(gap_session_ping(w->session, 60, &ping), "a ping");
    int r = gap_session_poll(w->session, NOW_US, &w->out, &first);
    bench_must(r == 1 ? 0 : GAP_E_STATE, "the first packet");
    w->session_id = first.session_id;
}

void wire_init(struct wire *w, uint32_t packets, uint32_t messages, size_t wanted)
{
    memset(w, 0, sizeof *w);
    w->packets = packets;
    w->messages = messages;
    w->pts = 1;
    account_open(&w->account, 1, 0);
    bench_must(gap_crypto_init(&w->crypto), "crypto");
    memset(w->key.key, 0x33, sizeof w->key.key);
    bench_must(gap_auth_key_derive(&w->crypto, &w->key), "a key");
    gap_buf_init(&w->out, gap_alloc_default());
    bench_must(bench_serial_limit_init(&w->limit), "the serial limit");
    start_session(w);
    choose_sizes(w, wanted);
    w->round = calloc(packets, sizeof(gap_packet_t *));
    bench_must(w->round == NULL ? GAP_E_NOMEM : 0, "packets");
}

void wire_restart(struct wire *w, void (*changed)(void *data), void *data)
{
    account_close(&w->account);
    gap_session_free(w->session);
    account_open_watched(&w->account, 1, 0, changed, data);
    start_session(w);
}

void wire_fini(struct wire *w)
{
    account_close(&w->account);
    gap_session_free(w->session);
    bench_serial_limit_fini(&w->limit);
    gap_crypto_fini(&w->crypto);
    gap_buf_fini(&w->out);
    free(w->round);
}

void wire_seal_round(struct wire *w)
{
    gap_buf_t body;

    gap_buf_init(&body, gap_alloc_default());
    for (uint32_t i = 0; i < w->packets; i++) {
        gap_plaintext_t m = {1, w->session_id, 0, 1, {NULL, 0}};
        gap_buf_clear(&body);
        fixture_channel_updates(&body, FIXTURE_CHANNEL, w->pts + 1, w->messages, w->text_len);
        w->pts += (int32_t)w->messages;
        m.msg_id = (int64_t)((WALL_S << 32) + 4 * ++w->sent + 3);
        m.body = gap_buf_view(&body);
        bench_must(gap_packet_new(gap_alloc_default(), w->size, &w->round[i]), "a packet");
        bench_must(gap_message_seal(&w->crypto, &w->key, GAP_TO_CLIENT, &m,
                                    gap_message_padding(GAP_PADDING_LEAST, body.len), &fixed,
                                    w->round[i]->data, NULL),
                   "sealing");
        w->round[i]->len = (uint32_t)w->size;
    }
    gap_buf_fini(&body);
}

static void receive(struct wire *w, gap_packet_t *packet)
{
    struct gap_session_event event;
    gap_plaintext_t m;
    int r;

    bench_must(gap_message_open(&w->crypto, &w->key, GAP_TO_CLIENT, packet->data, packet->len, &m),
               "opening");
    r = gap_session_receive(w->session, NOW_US, &m, packet);
    bench_must(r == 0 ? 0 : GAP_E_STATE, "the session");
    while ((r = gap_session_next(w->session, NOW_US, &event)) == 1) {
        GAP_ASSERT(event.kind == GAP_SESSION_UPDATES);
        bench_must(
            gap_engine_feed(w->account.engine, event.value.data, event.value.len, event.packet),
            "feeding");
    }
    bench_must(r, "the session's events");
}

double wire_measure_round(struct wire *w)
{
    gap_plaintext_t acks;
    uint64_t handled = w->account.handled;
    uint32_t batch = (uint32_t)(READ_BYTES / w->size);
    uint64_t elsewhere = 0;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < w->packets; i++) {
        receive(w, w->round[i]);
        gap_packet_unref(w->round[i]);
        if ((i + 1) % batch != 0 && i + 1 != w->packets) continue;
        account_run(&w->account);
        while (gap_session_poll(w->session, NOW_US, &w->out, &acks) == 1) {
        }
        if (w->turn == NULL) continue;
        uint64_t before = bench_cpu_ns();
        w->turn(w->turn_arg);
        elsewhere += bench_cpu_ns() - before;
    }
    uint64_t took = bench_cpu_ns() - start - elsewhere;
    bench_must(w->account.handled - handled == (uint64_t)w->packets * w->messages ? 0 : GAP_E_STATE,
               "not every update was handled");
    return (double)took;
}

/* Nanoseconds that the serial cipher limit takes for as many packets of that size. */
static double measure_limit(struct wire *w, uint8_t *scratch)
{
    size_t len = (w->size - GAP_ENVELOPE_BYTES) & ~(size_t)15;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < w->packets; i++)
        bench_must(bench_serial_limit_run(&w->limit, scratch, len), "the serial limit");
    return (double)(bench_cpu_ns() - start);
}

static void wire_case(struct bench *b, const char *name, uint32_t packets, uint32_t messages,
                      size_t wanted)
{
    struct wire w;
    double ours[ROUNDS];
    double limit[ROUNDS];
    int rounds = b->quick ? 1 : ROUNDS;
    uint8_t *scratch = calloc(1, wanted + 64);

    bench_must(scratch == NULL ? GAP_E_NOMEM : 0, "scratch");
    wire_init(&w, b->quick ? 20 : packets, messages, wanted);
    for (int i = 0; i < rounds; i++) {
        wire_seal_round(&w);
        ours[i] = wire_measure_round(&w);
        limit[i] = measure_limit(&w, scratch);
    }
    bench_hash(b, w.account.sum);
    double ns = bench_median(ours, (size_t)rounds) / w.packets;
    double limit_ns = bench_median(limit, (size_t)rounds) / w.packets;
    bench_report(b, &(struct bench_row){"wire", name, "megabytes_per_s", (double)w.size / ns * 1000,
                                        "MB/s", "the serial cipher limit", limit_ns / ns});
    wire_fini(&w);
    free(scratch);
}

void bench_wire(struct bench *b)
{
    wire_case(b, "packet_1k", PACKETS_1K, 4, 1024);
    wire_case(b, "packet_64k", PACKETS_1K / 40, 300, 65536);
}
