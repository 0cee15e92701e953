/*
 * test_dc_oracle.c - over many seeds: a small world, one or two naive clients behind a network that
 * loses, delays, doubles and pauses; at the end each client's book must be the one that the ledger
 * alone gives. Every push and every answer on the way is judged as well.
 */
#include "dc_oracle.h"

#include "tests/check_main.h"
#include "dc/traffic.h"

#include <gapless/tl_mt.h>

#define CLIENTS_MAX 2
#define BATCH_MAX   6
#define START_US    1700000000000000

enum result { PUSH, SENT, AFFECTED };

struct packet {
    uint8_t *bytes;
    size_t len;
    int due; /* step */
    enum result kind;
    dc_peer_t peer; /* of SENT and AFFECTED, with what else the caller knows */
    char text[64];
    int32_t max_id;
    int32_t ids[4];
    size_t id_count;
    int64_t queries[BATCH_MAX]; /* of a PUSH */
    size_t query_count;
};

/* One account: the client, and the network in front of it. */
struct line {
    struct oracle_client client;
    int32_t seq; /* the server's */
    bool offline;
    uint32_t batch[BATCH_MAX];
    size_t batch_count;
    struct packet *packets;
    size_t packet_count, packet_cap;
    int64_t *queries; /* that were delivered */
    size_t query_count, query_cap;
    int32_t start_pts, start_qts;
    int32_t start_channel[8];
    gap_tl_messages_send_message_t last; /* to be repeated */
    dc_peer_t last_peer;
    char last_text[64];
};

struct world {
    gap_prng_t rng;
    dc_options_t options;
    dc_model_t *model;
    struct oracle_ledger ledger;
    dc_ledger_t writer;
    dc_traffic_t traffic;
    int64_t now_us;
    int step;
    struct line lines[CLIENTS_MAX];
    size_t line_count;
    unsigned loss, late, twice, pause; /* percent */
    uint32_t sent;
};

static uint32_t draw(struct world *w, uint32_t from, uint32_t to)
{
    return from + (uint32_t)gap_prng_below(&w->rng, (uint64_t)to - from + 1);
}

static bool chance(struct world *w, unsigned percent)
{
    return gap_prng_below(&w->rng, 100) < percent;
}

static struct oracle_judge judge_of(struct world *w, const struct line *l)
{
    return (struct oracle_judge){.model = w->model,
                                 .options = &w->options,
                                 .ledger = &w->ledger,
                                 .now_us = w->now_us,
                                 .account = l->client.account,
                                 .seq = l->seq,
                                 .client = &l->client};
}

/* --- the network --------------------------------------------------------------------------- */

static void send_packet(struct world *w, struct line *l, struct packet p, gap_bytes_t bytes)
{
    int copies = p.kind == PUSH && chance(w, w->twice) ? 2 : 1;

    for (int i = 0; i < copies; i++) {
        p.due = w->step + (chance(w, w->late) ? (int)draw(w, 1, 8) : 0);
        p.bytes = malloc(bytes.len);
        p.len = bytes.len;
        memcpy(p.bytes, bytes.data, bytes.len);
        l->packets = oracle_grow(l->packets, l->packet_count, &l->packet_cap, sizeof p);
        l->packets[l->packet_count++] = p;
    }
}

static void flush(struct world *w, struct line *l)
{
    struct oracle_judge j = judge_of(w, l);
    dc_view_t view = {l->client.account, GAP_TL_LAYER, l->seq};
    struct packet p = {.kind = PUSH};
    gap_buf_t out;

    if (l->batch_count == 0) return;
    gap_buf_init(&out, gap_alloc_default());
    int used = dc_model_push(w->model, &view, l->batch, l->batch_count, &out);
    oracle_check(used >= 0);
    oracle_law_push(&j, gap_buf_view(&out), l->batch, l->batch_count, used);
    l->seq += used;
    bool lost = chance(w, w->loss);
    for (size_t i = 0; i < l->batch_count; i++) {
        dc_event_t e;
        dc_model_event(w->model, l->batch[i], &e);
        if (e.kind == DC_CALLBACK_QUERY) p.queries[p.query_count++] = e.query_id;
        oracle_check(dc_ledger_push(&w->writer, e.n, l->client.account, lost ? DC_DROPPED : DC_SENT,
                                    w->now_us) == 0);
    }
    if (!lost) send_packet(w, l, p, gap_buf_view(&out));
    gap_buf_fini(&out);
    l->batch_count = 0;
}

/* An event is there: into the ledger, then towards everybody who gets it but the one who caused
 * it and has been told. */
static void happened(struct world *w, uint32_t n, const struct line *but)
{
    dc_event_t e;

    dc_model_event(w->model, n, &e);
    oracle_check(dc_ledger_event(&w->writer, &e, w->now_us) == 0);
    for (size_t i = 0; i < w->line_count; i++) {
        struct line *l = &w->lines[i];
        if (l == but || !dc_model_receives(w->model, n, l->client.account)) continue;
        if (e.kind == DC_STATUS) flush(w, l);
        l->batch[l->batch_count++] = n;
        if (l->batch_count > 1 && chance(w, 20)) {
            l->batch[l->batch_count - 1] = l->batch[l->batch_count - 2];
            l->batch[l->batch_count - 2] = n;
        }
        if (e.kind == DC_STATUS || l->batch_count == BATCH_MAX || chance(w, 70)) flush(w, l);
    }
}

static void arrive(struct line *l, const struct packet *p)
{
    gap_bytes_t bytes = gap_bytes(p->bytes, p->len);

    switch (p->kind) {
    case PUSH:
        for (size_t i = 0; i < p->query_count; i++) {
            bool known = false;
            for (size_t k = 0; k < l->query_count; k++)
                known = known || l->queries[k] == p->queries[i];
            if (known) continue;
            l->queries = oracle_grow(l->queries, l->query_count, &l->query_cap, sizeof *l->queries);
            l->queries[l->query_count++] = p->queries[i];
        }
        oracle_client_updates(&l->client, bytes);
        return;
    case SENT:
        oracle_client_sent(&l->client, bytes, p->peer, p->text);
        return;
    case AFFECTED:
        oracle_client_affected(&l->client, bytes, p->peer, p->max_id, p->ids, p->id_count);
    }
}

static void deliver(struct world *w, struct line *l)
{
    for (size_t i = 0; i < l->packet_count;) {
        struct packet p = l->packets[i];
        if (p.due > w->step) {
            i++;
            continue;
        }
        memmove(&l->packets[i], &l->packets[i + 1], (l->packet_count - i - 1) * sizeof p);
        l->packet_count--;
        if (!l->offline) arrive(l, &p);
        free(p.bytes);
    }
}

/* --- calls --------------------------------------------------------------------------------- */

/* @return as dc_model_call; what the call caused has happened to everybody else. */
static int call(struct world *w, struct line *l, gap_tl_object_t method, dc_answer_t *a)
{
    dc_view_t view = {l->client.account, GAP_TL_LAYER, l->seq};
    size_t len;
    uint8_t *bytes = oracle_write(method, &len);

    dc_answer_init(a, gap_alloc_default());
    int r = dc_model_call(w->model, &view, gap_bytes(bytes, len), w->now_us, a);
    oracle_check_msg(r == 0 || r == DC_RPC_ERROR, "%s: %d", gap_tl_name(method.id), r);
    oracle_check(strcmp(a->method, gap_tl_name(method.id)) == 0);
    for (uint32_t i = 0; i < a->count; i++) happened(w, a->first_n + i, l);
    oracle_check(dc_ledger_difference(&w->writer, l->client.account, a) == 0);
    free(bytes);
    return r;
}

static gap_tl_input_channel_t input_channel(struct world *w, struct line *l, int64_t id)
{
    dc_peer_t peer = {DC_CHANNEL, id};

    return (gap_tl_input_channel_t){id, dc_model_access_hash(w->model, l->client.account, peer)};
}

/* One request for the common difference. @param calm The last ones: nothing is limited. */
static void ask(struct world *w, struct line *l, bool calm)
{
    struct oracle_client *c = &l->client;
    struct oracle_judge j = judge_of(w, l);
    gap_tl_updates_get_difference_t q = {.pts = c->pts, .date = c->date, .qts = c->qts};
    dc_answer_t a;

    if (!calm && chance(w, 25)) {
        q.flags |= GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_LIMIT;
        q.pts_limit = (int32_t)draw(w, 1, 8);
    }
    if (!calm && chance(w, 25)) {
        q.flags |= GAP_TL_UPDATES_GET_DIFFERENCE_F_QTS_LIMIT;
        q.qts_limit = (int32_t)draw(w, 1, 4);
    }
    if (!calm && chance(w, 10)) {
        q.flags |= GAP_TL_UPDATES_GET_DIFFERENCE_F_PTS_TOTAL_LIMIT;
        q.pts_total_limit = (int32_t)draw(w, 5, 60);
    }
    oracle_check(call(w, l, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), &a) == 0);
    oracle_law_difference(&j, &q, gap_buf_view(&a.body));
    oracle_client_difference(c, gap_buf_view(&a.body));
    dc_answer_fini(&a);
}

static void ask_channel(struct world *w, struct line *l, struct oracle_channel *ch)
{
    struct oracle_judge j = judge_of(w, l);
    gap_tl_input_channel_t channel = input_channel(w, l, ch->id);
    gap_tl_channel_messages_filter_empty_t none = {0};
    gap_tl_updates_get_channel_difference_t q = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel),
        .filter = GAP_TL_OF(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &none),
        .pts = ch->pts,
        .limit = l->client.bot ? 100000 : (int32_t)draw(w, 10, 100),
    };
    dc_answer_t a;

    if (ch->pts == 0) q.pts = q.limit = 1; /* that is how one asks without a position */
    if (chance(w, 50)) q.flags |= GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE_F_FORCE;
    int r = call(w, l, GAP_TL_OF(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &q), &a);
    if (ch->left) {
        oracle_check(r == DC_RPC_ERROR);
        oracle_check(strcmp(a.error, "CHANNEL_PRIVATE") == 0);
        ch->need = false;
    } else {
        oracle_check(r == 0);
        oracle_law_channel_difference(&j, ch->id, q.pts, q.limit, gap_buf_view(&a.body));
        oracle_client_channel_difference(&l->client, ch->id, gap_buf_view(&a.body));
    }
    dc_answer_fini(&a);
}

/* --- what the accounts do themselves ------------------------------------------------------- */

union input {
    gap_tl_input_peer_user_t user;
    gap_tl_input_peer_chat_t chat;
    gap_tl_input_peer_channel_t channel;
};

static gap_tl_object_t input_peer(struct world *w, struct line *l, dc_peer_t peer, union input *in)
{
    int64_t hash = dc_model_access_hash(w->model, l->client.account, peer);

    memset(in, 0, sizeof *in);
    if (peer.type == DC_CHAT) {
        in->chat.chat_id = peer.id;
        return GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, in);
    }
    if (peer.type == DC_CHANNEL) {
        in->channel = (gap_tl_input_peer_channel_t){peer.id, hash};
        return GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, in);
    }
    in->user = (gap_tl_input_peer_user_t){peer.id, hash};
    return GAP_TL_OF(GAP_TL_INPUT_PEER_USER, in);
}

/* A chat that the account has heard of in the ledger, and a message there. */
static const struct oracle_line *some_message(struct world *w, const struct line *l)
{
    for (int tries = 0; tries < 20 && w->ledger.count > 0; tries++) {
        const struct oracle_line *e = &w->ledger.lines[draw(w, 0, (uint32_t)w->ledger.count - 1)];
        if (!e->event || strcmp(e->kind, "new_message") != 0) continue;
        if (dc_model_receives(w->model, e->n, l->client.account)) return e;
    }
    return NULL;
}

/* The result goes the way of everything, perhaps late, perhaps lost with a connection. */
static void result(struct world *w, struct line *l, struct packet p, dc_answer_t *a)
{
    struct oracle_judge j = judge_of(w, l);
    gap_tl_object_t o = oracle_whole(gap_buf_view(&a->body));

    if (o.id == GAP_MT_BOOL_TRUE) return;
    if (o.id == GAP_TL_UPDATES) {
        p.kind = PUSH;
        oracle_law_result(&j, gap_buf_view(&a->body), a->first_n, a->count);
    }
    if (o.id != GAP_TL_UPDATES) oracle_law_short_result(&j, o, a->first_n, a->count);
    if (!chance(w, w->loss)) send_packet(w, l, p, gap_buf_view(&a->body));
}

static void act_send(struct world *w, struct line *l, dc_peer_t peer)
{
    union input in;
    bool again = l->last.random_id != 0 && chance(w, 20);
    struct packet p = {.kind = SENT};
    dc_answer_t a;

    if (!again) {
        snprintf(l->last_text, sizeof l->last_text, "own \"%u\" \xc3\xa9\n", ++w->sent);
        l->last_peer = peer;
        memset(&l->last, 0, sizeof l->last);
        l->last.random_id = (int64_t)gap_prng_next(&w->rng) | 1;
    }
    l->last.message = gap_str(l->last_text);
    l->last.peer = input_peer(w, l, l->last_peer, &in);
    p.peer = l->last_peer;
    memcpy(p.text, l->last_text, sizeof p.text);
    if (call(w, l, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &l->last), &a) == 0) {
        oracle_check_msg(!again || a.count == 0, "sent twice under one random_id");
        result(w, l, p, &a);
    } else {
        oracle_check(a.count == 0);
        l->last.random_id = 0;
    }
    dc_answer_fini(&a);
}

static void act_on(struct world *w, struct line *l, gap_tl_object_t method, struct packet p)
{
    dc_answer_t a;

    if (call(w, l, method, &a) == 0)
        result(w, l, p, &a);
    else
        oracle_check(a.count == 0);
    dc_answer_fini(&a);
}

/* One message or a few: of one channel, or of any private chats and groups. */
static void act_delete(struct world *w, struct line *l, const struct oracle_line *e)
{
    struct packet p = {.kind = AFFECTED, .peer = e->chat, .ids = {e->id}, .id_count = 1};

    for (uint32_t tries = draw(w, 0, 6); tries > 0 && p.id_count < 4; tries--) {
        const struct oracle_line *more = some_message(w, l);
        bool fits = more != NULL && more->box == e->box && more->channel == e->channel;
        for (size_t i = 0; fits && i < p.id_count; i++) fits = p.ids[i] != more->id;
        if (fits) p.ids[p.id_count++] = more->id;
    }
    gap_tl_vector_t ids = gap_tl_array(p.ids, (uint32_t)p.id_count);
    if (e->chat.type == DC_CHANNEL) {
        gap_tl_input_channel_t channel = input_channel(w, l, e->chat.id);
        gap_tl_channels_delete_messages_t q = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel), ids};
        act_on(w, l, GAP_TL_OF(GAP_TL_CHANNELS_DELETE_MESSAGES, &q), p);
    } else {
        gap_tl_messages_delete_messages_t q = {GAP_TL_MESSAGES_DELETE_MESSAGES_F_REVOKE, ids};
        act_on(w, l, GAP_TL_OF(GAP_TL_MESSAGES_DELETE_MESSAGES, &q), p);
    }
}

static void act_read(struct world *w, struct line *l, const struct oracle_line *e)
{
    struct packet p = {.kind = AFFECTED, .peer = e->chat, .max_id = e->id};
    union input in;

    if (e->chat.type == DC_CHANNEL) {
        gap_tl_input_channel_t channel = input_channel(w, l, e->chat.id);
        gap_tl_channels_read_history_t q = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel), e->id};
        act_on(w, l, GAP_TL_OF(GAP_TL_CHANNELS_READ_HISTORY, &q), p);
    } else {
        gap_tl_messages_read_history_t q = {input_peer(w, l, e->chat, &in), e->id};
        act_on(w, l, GAP_TL_OF(GAP_TL_MESSAGES_READ_HISTORY, &q), p);
    }
}

static void act(struct world *w, struct line *l)
{
    const struct oracle_line *found = some_message(w, l);
    union input in;
    char text[64];

    if (found == NULL) return;
    struct oracle_line e = *found; /* the ledger's lines may move */
    e.list = NULL;
    switch (draw(w, 0, 5)) {
    case 0: {
        gap_tl_messages_edit_message_t q = {.flags = GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE,
                                            .peer = input_peer(w, l, e.chat, &in),
                                            .id = e.id};
        snprintf(text, sizeof text, "changed %u", ++w->sent);
        q.message = gap_str(text);
        act_on(w, l, GAP_TL_OF(GAP_TL_MESSAGES_EDIT_MESSAGE, &q), (struct packet){0});
        return;
    }
    case 1:
        act_delete(w, l, &e);
        return;
    case 2:
        act_read(w, l, &e);
        return;
    case 3: {
        gap_tl_messages_update_pinned_message_t q = {
            .flags = chance(w, 40) ? GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN : 0,
            .peer = input_peer(w, l, e.chat, &in),
            .id = e.id};
        act_on(w, l, GAP_TL_OF(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &q), (struct packet){0});
        return;
    }
    default:
        act_send(w, l, e.chat);
    }
}

/* --- a world's life ------------------------------------------------------------------------ */

static void world_init(struct world *w, unsigned seed)
{
    memset(w, 0, sizeof *w);
    oracle_seed = seed;
    oracle_account = 0;
    w->rng.state = seed * 7919ULL + 1;
    w->now_us = START_US;
    dc_options_init(&w->options);
    w->options.seed = seed;
    w->options.channels = draw(w, 1, 6);
    w->options.users = draw(w, 1, 6);
    w->options.groups = draw(w, 1, 3);
    w->options.slice = draw(w, 1, chance(w, 50) ? 5 : 40);
    w->options.channel_slice = draw(w, 1, chance(w, 50) ? 5 : 40);
    if (chance(w, 20)) w->options.difference_max = draw(w, 1, 30);
    if (chance(w, 20)) w->options.channel_diff_max = draw(w, 1, 30);
    w->options.text_min = draw(w, 1, 10);
    w->options.text_max = draw(w, 10, 30);
    w->options.short_percent = chance(w, 50) ? draw(w, 0, 100) : 0;
    w->options.long_sent = chance(w, 30);
    oracle_check(dc_model_new(gap_alloc_default(), &w->options, &w->model) == 0);
    dc_ledger_init(&w->writer, gap_alloc_default(), oracle_ledger_line, &w->ledger);
    dc_traffic_options_t traffic = {seed, draw(w, 30, 150), DC_KINDS_ALL};
    if (chance(w, 50)) traffic.kinds = (uint32_t)gap_prng_next(&w->rng) & DC_KINDS_ALL;
    traffic.kinds |= 1U << DC_NEW_MESSAGE;
    dc_traffic_init(&w->traffic, &traffic);
    w->loss = chance(w, 70) ? draw(w, 0, 40) : 0;
    w->late = chance(w, 70) ? draw(w, 0, 60) : 0;
    w->twice = chance(w, 50) ? draw(w, 0, 30) : 0;
    w->pause = chance(w, 50) ? draw(w, 1, 8) : 0;
    w->line_count = chance(w, 30) ? 2 : 1;
    for (size_t i = 0; i < w->line_count; i++) {
        struct oracle_client *c = &w->lines[i].client;
        c->account = 1000 + (int64_t)i;
        c->bot = chance(w, 50);
        oracle_check(dc_model_account(w->model, c->account, c->bot, w->now_us) == 0);
    }
}

static void world_fini(struct world *w)
{
    for (size_t i = 0; i < w->line_count; i++) {
        struct line *l = &w->lines[i];
        for (size_t k = 0; k < l->packet_count; k++) free(l->packets[k].bytes);
        free(l->packets);
        free(l->queries);
        oracle_client_fini(&l->client);
    }
    dc_ledger_fini(&w->writer);
    oracle_ledger_fini(&w->ledger);
    dc_model_free(w->model);
}

static bool next_event(struct world *w, size_t *silent)
{
    uint32_t n;

    w->now_us += chance(w, 50) ? draw(w, 1, 400000) : draw(w, 1, 3000000);
    if (dc_traffic_next(&w->traffic, w->model, w->now_us, &n) != 0) return false;
    if (silent != NULL) {
        dc_event_t e;
        dc_model_event(w->model, n, &e);
        oracle_check(dc_ledger_event(&w->writer, &e, w->now_us) == 0);
        (*silent)++;
    } else {
        happened(w, n, NULL);
    }
    return true;
}

/* As after getState; the channels' pts are known from an earlier life, or not at all. */
static void start(struct world *w, struct line *l)
{
    struct oracle_client *c = &l->client;
    gap_tl_updates_get_state_t q = {0};
    bool strangers = chance(w, 25);
    dc_answer_t a;

    oracle_check(call(w, l, GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &q), &a) == 0);
    gap_tl_object_t state = oracle_whole(gap_buf_view(&a.body));
    c->pts = l->start_pts = oracle_int(state, "pts");
    c->qts = l->start_qts = oracle_int(state, "qts");
    c->date = oracle_int(state, "date");
    c->seq = oracle_int(state, "seq");
    dc_answer_fini(&a);
    oracle_check(c->pts == oracle_last_pts(&w->ledger, DC_BOX_COMMON, c->account, 0));
    oracle_check(c->qts == oracle_last_pts(&w->ledger, DC_BOX_QTS, c->account, 0));
    oracle_check(c->date == w->now_us / 1000000);
    oracle_check(c->seq == 0);
    c->channel_count = w->options.channels;
    for (size_t i = 0; i < c->channel_count; i++) {
        c->channels[i].id = DC_CHANNEL_ID_FIRST + (int64_t)i;
        l->start_channel[i] = oracle_last_pts(&w->ledger, DC_BOX_CHANNEL, 0, c->channels[i].id);
        if (strangers) continue;
        c->channels[i].pts = c->channels[i].base = l->start_channel[i];
    }
}

/* What waits behind a gap for long enough is asked for. */
static void give_up_waiting(struct oracle_client *c)
{
    for (size_t i = 0; i < c->held_count; i++) {
        struct oracle_place p =
            oracle_place(oracle_whole(gap_bytes(c->held[i].data, c->held[i].len)));
        if (p.box == DC_BOX_CHANNEL)
            oracle_client_channel(c, p.channel)->need = true;
        else
            c->need = true;
    }
}

/* The order to look at a channel, out of the blue. */
static void push_too_long(struct world *w, struct line *l, const struct oracle_channel *ch)
{
    struct oracle_judge j = judge_of(w, l);
    dc_view_t view = {l->client.account, GAP_TL_LAYER, l->seq};
    struct packet p = {.kind = PUSH};
    gap_buf_t out;

    if (ch->left) return;
    gap_buf_init(&out, gap_alloc_default());
    oracle_check(dc_model_push_too_long(w->model, &view, ch->id, w->now_us, &out) == 0);
    oracle_law_peers(&j, oracle_whole(gap_buf_view(&out)));
    send_packet(w, l, p, gap_buf_view(&out));
    gap_buf_fini(&out);
}

static void live(struct world *w, struct line *l)
{
    struct oracle_client *c = &l->client;

    if (!l->offline && chance(w, w->pause)) l->offline = true;
    deliver(w, l);
    if (l->offline) {
        if (!chance(w, 15)) return;
        l->offline = false;
        c->need = true;
    }
    if (chance(w, 20)) give_up_waiting(c);
    if (chance(w, 1)) c->need = true;
    if (c->need && chance(w, 50)) ask(w, l, false);
    for (size_t i = 0; i < c->channel_count; i++)
        if (c->channels[i].need && chance(w, 50)) ask_channel(w, l, &c->channels[i]);
    if (chance(w, 10)) act(w, l);
    if (chance(w, 2)) push_too_long(w, l, &c->channels[draw(w, 0, (uint32_t)c->channel_count - 1)]);
    for (size_t i = 0; i < c->channel_count; i++) {
        if (!c->channels[i].left || !chance(w, 5)) continue;
        oracle_check(dc_model_join(w->model, c->account, c->channels[i].id) == 0);
        c->channels[i].left = false;
        c->channels[i].need = true; /* as after updateChannel */
    }
    if (chance(w, 1) && c->channel_count > 1) {
        struct oracle_channel *ch = &c->channels[draw(w, 0, (uint32_t)c->channel_count - 1)];
        flush(w, l);
        oracle_check(dc_model_leave(w->model, c->account, ch->id) == 0);
        ch->left = true;
        ask_channel(w, l, ch);
    }
}

/* The network has become quiet; one look at the common box must be enough to find everything. */
static void settle(struct world *w, struct line *l)
{
    struct oracle_client *c = &l->client;
    int rounds = 0;
    bool more = true;

    flush(w, l);
    w->step += 1000;
    deliver(w, l);
    l->offline = false;
    c->need = true;
    while (more) {
        oracle_check_msg(++rounds < 1000, "no end of differences");
        if (c->need) ask(w, l, true);
        for (size_t i = 0; i < c->channel_count; i++)
            if (c->channels[i].need) ask_channel(w, l, &c->channels[i]);
        more = c->need;
        for (size_t i = 0; i < c->channel_count; i++) more = more || c->channels[i].need;
    }
    oracle_check_msg(c->held_count == 0, "%zu updates still wait", c->held_count);
}

/* --- the comparison ------------------------------------------------------------------------ */

/* After a difference that was too long: forget the store, ask for every message that there is. */
static void rebuild(struct world *w, struct line *l, int64_t channel)
{
    struct oracle_book *b = &l->client.book;
    gap_tl_input_channel_t in = input_channel(w, l, channel);
    gap_tl_input_message_id_t ids[100];
    gap_tl_object_t list[100];
    dc_answer_t a;
    size_t kept = 0;

    for (size_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].store != channel) b->entries[kept++] = b->entries[i];
    b->entry_count = kept;
    for (int32_t first = 1; first < 300; first += 100) {
        for (int32_t i = 0; i < 100; i++) {
            ids[i].id = first + i;
            list[i] = GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ID, &ids[i]);
        }
        gap_tl_messages_get_messages_t q = {gap_tl_array(list, 100)};
        gap_tl_channels_get_messages_t p = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &in),
                                            gap_tl_array(list, 100)};
        gap_tl_object_t method = channel != 0 ? GAP_TL_OF(GAP_TL_CHANNELS_GET_MESSAGES, &p)
                                              : GAP_TL_OF(GAP_TL_MESSAGES_GET_MESSAGES, &q);
        oracle_check(call(w, l, method, &a) == 0);
        oracle_client_page(&l->client, gap_buf_view(&a.body));
        dc_answer_fini(&a);
    }
}

static void compare(struct world *w, struct line *l)
{
    struct oracle_client *c = &l->client;
    struct oracle_judge j = judge_of(w, l);
    struct oracle_book must = {0};

    if (c->rebuilt) rebuild(w, l, 0);
    oracle_expect(&w->ledger, DC_BOX_COMMON, c->account, 0, c->rebuilt ? 1 : l->start_pts, &must);
    oracle_expect(&w->ledger, DC_BOX_QTS, c->account, 0, l->start_qts, &must);
    oracle_same_messages(&j, &c->book, &must, 0, c->rebuilt);
    if (!c->rebuilt) {
        oracle_same_news(&j, &c->book, &must, 0);
        oracle_same_marks(&j, &c->book, &must);
        oracle_same_marks(&j, &must, &c->book);
    }
    oracle_same_lists(&j, &c->book, &must);
    oracle_same_queries(&j, &c->book, l->queries, l->query_count);
    oracle_must(&j, c->pts == oracle_last_pts(&w->ledger, DC_BOX_COMMON, c->account, 0),
                "ends at pts %d", c->pts);
    for (size_t i = 0; i < c->channel_count; i++) {
        struct oracle_channel *ch = &c->channels[i];
        if (ch->left) continue;
        if (ch->pts == 0) { /* never heard of: nothing can have happened */
            ch->pts = ch->base = l->start_channel[i];
        }
        if (ch->rebuilt) rebuild(w, l, ch->id);
        oracle_expect(&w->ledger, DC_BOX_CHANNEL, 0, ch->id, ch->rebuilt ? 1 : ch->base, &must);
        oracle_same_messages(&j, &c->book, &must, ch->id, ch->rebuilt);
        if (!ch->rebuilt) oracle_same_news(&j, &c->book, &must, ch->id);
        oracle_must(&j, ch->pts == oracle_last_pts(&w->ledger, DC_BOX_CHANNEL, 0, ch->id),
                    "channel %lld ends at pts %d", (long long)ch->id, ch->pts);
    }
    oracle_book_fini(&must);
}

/* Dialogs and histories are what the ledger says, too. */
static void look(struct world *w, struct line *l)
{
    struct oracle_judge j = judge_of(w, l);
    gap_tl_input_peer_empty_t empty = {0};
    gap_tl_messages_get_dialogs_t q = {.offset_peer = GAP_TL_OF(GAP_TL_INPUT_PEER_EMPTY, &empty),
                                       .limit = 100};
    dc_peer_t chats[64];
    union input in;
    dc_answer_t a;
    size_t count = 0;

    for (size_t i = 0; i < w->ledger.count; i++) {
        const struct oracle_line *e = &w->ledger.lines[i];
        bool known = !e->event || strcmp(e->kind, "new_message") != 0 ||
                     !dc_model_receives(w->model, e->n, l->client.account);
        for (size_t k = 0; k < count; k++) known = known || oracle_same(chats[k], e->chat);
        if (known) continue;
        oracle_check(count < 64);
        chats[count++] = e->chat;
    }
    if (call(w, l, GAP_TL_OF(GAP_TL_MESSAGES_GET_DIALOGS, &q), &a) == 0)
        oracle_law_dialogs(&j, gap_buf_view(&a.body), chats, count);
    dc_answer_fini(&a);
    for (size_t i = 0; i < count; i++) {
        gap_tl_messages_get_history_t h = {.peer = input_peer(w, l, chats[i], &in), .limit = 100};
        if (call(w, l, GAP_TL_OF(GAP_TL_MESSAGES_GET_HISTORY, &h), &a) == 0)
            oracle_law_history(&j, chats[i], gap_buf_view(&a.body));
        dc_answer_fini(&a);
    }
}

static void run_world(unsigned seed)
{
    struct world w;
    size_t silent = 0;
    bool more = true;

    world_init(&w, seed);
    for (uint32_t i = chance(&w, 30) ? draw(&w, 1, 20) : 0; i > 0; i--)
        (void)next_event(&w, &silent);
    for (size_t i = 0; i < w.line_count; i++) start(&w, &w.lines[i]);
    while (more) {
        w.step++;
        if (chance(&w, 80)) more = next_event(&w, NULL);
        for (size_t i = 0; i < w.line_count; i++) live(&w, &w.lines[i]);
    }
    for (size_t i = 0; i < w.line_count; i++) settle(&w, &w.lines[i]);
    for (size_t i = 0; i < w.line_count; i++) {
        compare(&w, &w.lines[i]);
        look(&w, &w.lines[i]);
    }
    oracle_ledger_laws(&w.ledger);
    world_fini(&w);
}

START_TEST(client_ends_up_with_what_the_ledger_says)
{
    const char *only = getenv("GAP_SEED");

    if (only != NULL) {
        run_world((unsigned)strtoul(only, NULL, 10));
        return;
    }
    for (int seed = 1; seed <= gap_test_seeds(1000); seed++) run_world((unsigned)seed);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_oracle");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 100);
    tcase_add_test(t, client_ends_up_with_what_the_ledger_says);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
