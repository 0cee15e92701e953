/*
 * tests/sim/globe_call.c - calls of the account itself, by this session or another one.
 *
 *   globe_call --> query under way --> model --> result under way --> gap_engine_result
 *                                         \----> pushes (another session's, an echo)
 *
 * Owns nothing.
 */
#include "globe_int.h"

#include <gapless/tl_api.h>
#include <string.h>

union input {
    gap_tl_input_peer_user_t user;
    gap_tl_input_peer_chat_t chat;
    gap_tl_input_peer_channel_t channel;
};

static gap_tl_object_t input_peer(struct globe *g, dc_peer_t peer, union input *in)
{
    int64_t hash = dc_model_access_hash(g->model, g->o.account, peer);

    switch (peer.type) {
    case DC_CHAT:
        in->chat.chat_id = peer.id;
        return gap_tl_of(GAP_TL_INPUT_PEER_CHAT, &in->chat);
    case DC_CHANNEL:
        in->channel = (gap_tl_input_peer_channel_t){peer.id, hash};
        return gap_tl_of(GAP_TL_INPUT_PEER_CHANNEL, &in->channel);
    default:
        in->user = (gap_tl_input_peer_user_t){peer.id, hash};
        return gap_tl_of(GAP_TL_INPUT_PEER_USER, &in->user);
    }
}

static gap_packet_t *send_query(struct globe *g, const struct globe_call *c)
{
    gap_tl_messages_send_message_t q;
    union input in;
    char text[16];

    memset(&q, 0, sizeof q);
    q.random_id = ++g->random_id;
    (void)snprintf(text, sizeof text, "own%d", (int)g->random_id);
    q.peer = input_peer(g, c->chat, &in);
    q.message = c->text.data == NULL ? gap_str(text) : c->text;
    return globe_query(gap_tl_of(GAP_TL_MESSAGES_SEND_MESSAGE, &q));
}

static gap_packet_t *edit_query(struct globe *g, const struct globe_call *c)
{
    gap_tl_messages_edit_message_t q;
    union input in;
    char text[16];

    memset(&q, 0, sizeof q);
    (void)snprintf(text, sizeof text, "own%d", (int)++g->random_id);
    q.flags = GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE;
    q.peer = input_peer(g, c->chat, &in);
    q.id = c->id;
    q.message = c->text.data == NULL ? gap_str(text) : c->text;
    return globe_query(gap_tl_of(GAP_TL_MESSAGES_EDIT_MESSAGE, &q));
}

static gap_packet_t *delete_query(struct globe *g, const struct globe_call *c)
{
    gap_tl_vector_t ids = gap_tl_array(c->ids, c->ids_count);

    if (c->chat.type == DC_CHANNEL) {
        gap_tl_input_channel_t in = {c->chat.id,
                                     dc_model_access_hash(g->model, g->o.account, c->chat)};
        gap_tl_channels_delete_messages_t q = {gap_tl_of(GAP_TL_INPUT_CHANNEL, &in), ids};
        return globe_query(gap_tl_of(GAP_TL_CHANNELS_DELETE_MESSAGES, &q));
    }
    gap_tl_messages_delete_messages_t q = {GAP_TL_MESSAGES_DELETE_MESSAGES_F_REVOKE, ids};
    return globe_query(gap_tl_of(GAP_TL_MESSAGES_DELETE_MESSAGES, &q));
}

static gap_packet_t *make_query(struct globe *g, const struct globe_call *c)
{
    union input in;

    switch (c->kind) {
    case GLOBE_SEND:
        return send_query(g, c);
    case GLOBE_EDIT:
        return edit_query(g, c);
    case GLOBE_DELETE:
        return delete_query(g, c);
    case GLOBE_PIN: {
        gap_tl_messages_update_pinned_message_t q = {0, input_peer(g, c->chat, &in), c->id};
        return globe_query(gap_tl_of(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &q));
    }
    case GLOBE_READ: {
        gap_tl_messages_read_history_t q = {input_peer(g, c->chat, &in), c->id};
        return globe_query(gap_tl_of(GAP_TL_MESSAGES_READ_HISTORY, &q));
    }
    }
    return NULL;
}

int globe_call(struct globe *g, const struct globe_call *call, const struct globe_push *push)
{
    if (!g->connected && !call->elsewhere) return 0;
    gap_packet_t *query = make_query(g, call);
    if (query == NULL) return GAP_E_ARGUMENT;
    struct thing *t = globe_thing(g, THING_OWN);
    t->packet = query;
    t->process = g->process;
    t->own = *call;
    t->own.ids = NULL;
    t->own.text = gap_bytes(NULL, 0);
    if (push != NULL) t->push = *push;
    t->push.name = NULL;
    if (call->elsewhere)
        globe_serve_own(g, t);
    else
        globe_put(g, t, g->now_us + globe_travel_us(g, g->o.query_ms));
    return 0;
}

static void push_caused(struct globe *g, const struct globe_push *push)
{
    uint32_t first = g->answer.first_n;
    uint32_t count = g->answer.count;

    for (uint32_t n = first; n < first + count; n++) globe_push_events(g, &n, 1, push);
}

/* The result of an own call that this session does not get is missed. */
void globe_serve_own(struct globe *g, struct thing *t)
{
    dc_view_t view = globe_view(g);
    char text[96];

    int r = dc_model_call(g->model, &view, gap_bytes(t->packet->data, t->packet->len),
                          globe_wall_us(g), &g->answer);
    if (r != 0) {
        if (r == GAP_E_NOMEM) (void)globe_must(NULL);
        globe_trace(g, "own call %s: %s", g->answer.method,
                    r == DC_RPC_ERROR ? g->answer.error : "not known");
        globe_thing_free(t);
        return;
    }
    for (uint32_t i = 0; i < g->answer.count; i++) {
        judge_made(g, g->answer.first_n + i);
        if (g->o.line != NULL)
            globe_trace(g, "own call%s: %s", t->own.elsewhere ? " elsewhere" : "",
                        say_event(g, g->answer.first_n + i, text));
    }
    if (t->own.elsewhere) {
        push_caused(g, &t->push);
        globe_thing_free(t);
        return;
    }
    struct thing *res = globe_thing(g, THING_RESULT);
    res->process = t->process;
    res->query = t->packet;
    t->packet = NULL;
    res->packet = globe_packet(gap_buf_view(&g->answer.body));
    res->n_count = g->answer.count < GLOBE_TOGETHER ? g->answer.count : GLOBE_TOGETHER;
    for (uint32_t i = 0; i < res->n_count; i++) res->ns[i] = g->answer.first_n + i;
    g->j.reasons++; /* its place among the pushes is chance */
    if (t->own.echo) push_caused(g, &t->push);
    if (t->own.lost) {
        globe_trace(g, "its result is lost");
        globe_thing_free(res);
    } else {
        globe_put(g, res, g->now_us + globe_travel_us(g, g->o.answer_ms) + t->own.ms * MS);
    }
    globe_thing_free(t);
}

void globe_result(struct globe *g, struct thing *t)
{
    if (t->process == g->process && g->engine != NULL) {
        gap_bytes_t result = gap_bytes(t->packet->data, t->packet->len);
        judge_fed(g, t);
        if (g->o.watch.arrive != NULL) g->o.watch.arrive(g->o.watch.data, result, true);
        int r = gap_engine_result(g->engine, gap_bytes(t->query->data, t->query->len), result,
                                  t->packet);
        if (r < 0 && !t->by_hand)
            judge_say(g, "result", "the engine refuses it: %s", gap_strerror(r));
    }
    globe_thing_free(t);
}

/* ---- what happens by itself ---- */

int globe_event(struct globe *g, const dc_spec_t *spec, const struct globe_push *push,
                uint32_t *out_n)
{
    dc_spec_t s = *spec;
    char text[96];
    uint32_t n;

    (void)snprintf(text, sizeof text, "e%u", (unsigned)dc_model_event_count(g->model) + 1);
    if (s.text.data == NULL && s.text.len == 0) s.text = gap_str(text);
    int r = dc_model_add(g->model, &s, globe_wall_us(g), &n);
    if (r < 0) return r;
    if (out_n != NULL) *out_n = n;
    judge_made(g, n);
    if (g->o.line != NULL) globe_trace(g, "happens: %s", say_event(g, n, text));
    if (!g->j.seen[n].received) return 0;
    if (push == NULL || push->fate != GLOBE_PACKED) {
        globe_push_events(g, &n, 1, push);
        return 0;
    }
    /* A status travels alone. */
    if (s.kind == DC_STATUS) {
        globe_push_events(g, &n, 1, NULL);
        return 0;
    }
    if (g->packed_count == GLOBE_TOGETHER) globe_container(g, false, NULL);
    g->packed[g->packed_count++] = n;
    return 0;
}

int globe_reset(struct globe *g, int64_t channel, int32_t pts)
{
    int r = dc_model_reset(g->model, g->o.account, channel, pts);

    if (r < 0) return r;
    globe_trace(g, "the server counts box %lld anew from %d", (long long)channel, pts);
    judge_reset(g, channel == 0 ? BOX_COMMON : judge_channel_box(g, channel));
    return 0;
}

int globe_leave(struct globe *g, int64_t channel)
{
    int r = dc_model_leave(g->model, g->o.account, channel);

    if (r < 0) return r;
    globe_trace(g, "the account leaves channel %lld", (long long)channel);
    judge_left(g, judge_channel_box(g, channel));
    globe_push_channel(g, channel, NULL);
    return 0;
}

int globe_join(struct globe *g, int64_t channel)
{
    int r = dc_model_join(g->model, g->o.account, channel);

    if (r < 0) return r;
    globe_trace(g, "the account joins channel %lld", (long long)channel);
    globe_push_channel(g, channel, NULL);
    return 0;
}

void globe_limit(struct globe *g, const dc_limits_t *limits)
{
    dc_model_limit(g->model, limits);
}

dc_model_t *globe_model(struct globe *g)
{
    return g->model;
}

uint32_t globe_event_count(const struct globe *g)
{
    return g->j.count;
}
