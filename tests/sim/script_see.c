/*
 * tests/sim/script_see.c - what a world shows while a script is carried out: a line for each thing
 * that reaches the account or that it does, and lists of what expectations ask for.
 * Owns these lists. Never changes the world, but for what handlers do with their updates.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "script_label.h"
#include "script_run.h"

#include <gapless/tl_api.h>
#include <stdarg.h>
#include <stdlib.h>

uint64_t sim_now_ms(const struct sim_run *r)
{
    return globe_now_ms(r->globe) - r->base_ms;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void print_json(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            (void)fprintf(out, "\\%c", c);
        else if (c < 0x20)
            (void)fprintf(out, "\\u%04x", c);
        else
            (void)fputc(c, out);
    }
}

static void emit_json(struct sim_run *r, const char *line, size_t len)
{
    char text[832];

    (void)snprintf(text, sizeof text, "%.*s", (int)(len - 1), line);
    const char *rest = strchr(text, ']') + 2;
    size_t word = strcspn(rest, " "); /* what: the first word */
    (void)fprintf(r->out, "{\"t_ms\":%llu,\"what\":\"", strtoull(text + 1, NULL, 10));
    if (rest[0] == '>')
        (void)fputs("script", r->out);
    else
        (void)fprintf(r->out, "%.*s", (int)word, rest);
    (void)fputs("\",\"text\":\"", r->out);
    print_json(r->out, rest[word] == ' ' ? rest + word + 1 : "");
    (void)fputs("\"}\n", r->out);
}

/* Lines, each with its newline. */
static void emit(struct sim_run *r, const char *lines, size_t len)
{
    const char *end = lines + len;

    if (gap_buf_append(&r->trace, lines, len) < 0) r->failure = GAP_E_NOMEM;
    while (lines < end) {
        const char *next = (const char *)memchr(lines, '\n', (size_t)(end - lines)) + 1;
        if (r->json)
            emit_json(r, lines, (size_t)(next - lines));
        else
            (void)fwrite(lines, 1, (size_t)(next - lines), r->out);
        lines = next;
    }
}

/* Behind the end the watchdog asks from time to time: told only if something comes of it. */
static bool is_routine(struct sim_run *r, const char *what, const char *line, size_t len)
{
    bool asks = strcmp(what, "difference") == 0 || strcmp(what, "state") == 0;

    if (!r->ended) return false;
    if (asks) gap_buf_clear(&r->routine);
    bool tells =
        strcmp(what, "answer") == 0 || strcmp(what, "store") == 0 || strcmp(what, "decide") == 0;
    if (asks || tells) {
        if (gap_buf_append(&r->routine, line, len) < 0) r->failure = GAP_E_NOMEM;
        return true;
    }
    emit(r, (const char *)r->routine.data, r->routine.len);
    gap_buf_clear(&r->routine);
    return false;
}

void sim_trace(struct sim_run *r, const char *what, const char *format, ...)
{
    char text[768];
    char line[832];
    va_list args;

    if (r->silent) return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int n = snprintf(line, sizeof line, "[%4llu] %s%s%s\n", (unsigned long long)sim_now_ms(r), what,
                     text[0] != '\0' && what[0] != '\0' ? " " : "", text);
    size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (!is_routine(r, what, line, len)) emit(r, line, len);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void *grown(struct sim_run *r, void *items, uint32_t *cap, uint32_t count, size_t size)
{
    if (count < *cap) return items;
    uint32_t wanted = *cap == 0 ? 16 : *cap * 2;
    void *more = gap_realloc(r->alloc, items, wanted * size);
    if (more == NULL) {
        r->failure = GAP_E_NOMEM;
        return NULL;
    }
    *cap = wanted;
    return more;
}

/* Add one more to a list; out of memory ends the run. */
#define ADD(r, list, ...)                                                                          \
    do {                                                                                           \
        void *more_ = grown((r), (list).items, &(list).cap, (list).count, sizeof *(list).items);   \
        if (more_ == NULL) return;                                                                 \
        (list).items = more_;                                                                      \
        (list).items[(list).count++] = __VA_ARGS__;                                                \
    } while (0)

static void note_applied(struct sim_run *r, const char *label)
{
    char *copy = gap_malloc(r->alloc, SIM_LABEL);

    if (copy == NULL) {
        r->failure = GAP_E_NOMEM;
        return;
    }
    (void)snprintf(copy, SIM_LABEL, "%s", label);
    ADD(r, r->applied, copy);
}

void sim_see_fini(struct sim_run *r)
{
    for (uint32_t i = 0; i < r->applied.count; i++) gap_free(r->alloc, r->applied.items[i]);
    gap_free(r->alloc, r->applied.items);
    gap_free(r->alloc, r->calls.items);
    gap_free(r->alloc, r->events.items);
    gap_free(r->alloc, r->stored.items);
    gap_free(r->alloc, r->handlers.items);
    gap_free(r->alloc, r->expected);
    gap_buf_fini(&r->trace);
    gap_buf_fini(&r->routine);
}

/* --- handlers --------------------------------------------------------------------------------- */

static int32_t chat_of_peer(gap_tl_object_t peer, dc_peer_t *out)
{
    gap_tl_peer_user_t user;
    gap_tl_peer_chat_t chat;

    if (peer.id == GAP_TL_PEER_USER && GAP_TL_READ(peer, GAP_TL_PEER_USER, &user) > 0)
        *out = (dc_peer_t){DC_USER, user.user_id};
    else if (peer.id == GAP_TL_PEER_CHAT && GAP_TL_READ(peer, GAP_TL_PEER_CHAT, &chat) > 0)
        *out = (dc_peer_t){DC_CHAT, chat.chat_id};
    return 0;
}

/* The chat of a message; channels by their box. */
static dc_peer_t chat_of(const gap_update_t *u)
{
    dc_peer_t chat = {DC_NOBODY, 0};
    gap_tl_update_new_message_t n;
    gap_tl_message_t m;

    if (gap_update_box(u) == GAP_BOX_CHANNEL)
        return (dc_peer_t){DC_CHANNEL, gap_update_channel_id(u)};
    uint32_t id = gap_update_id(u);
    if (id != GAP_TL_UPDATE_NEW_MESSAGE && id != GAP_TL_UPDATE_EDIT_MESSAGE) return chat;
    if (gap_update_read(u, id, &n, sizeof n) != 0) return chat;
    if (GAP_TL_READ(n.message, GAP_TL_MESSAGE, &m) > 0) (void)chat_of_peer(m.peer_id, &chat);
    return chat;
}

static int decide(struct sim_run *r, const gap_update_t *u, uint32_t *ms)
{
    static const int hows[] = {GLOBE_DONE, GLOBE_HANDLER_FAILS, GLOBE_LATER, GLOBE_STUCK_HANDLER};
    dc_peer_t chat = chat_of(u);

    for (uint32_t i = 0; i < r->handlers.count; i++) {
        struct sim_handler *h = &r->handlers.items[i];
        bool fits = h->chat == DC_NOBODY || (h->chat == chat.type && h->id == chat.id);
        if (!fits || h->left == 0) continue;
        if (h->left != UINT32_MAX) h->left--;
        *ms = h->ms;
        return hows[h->verdict];
    }
    return GLOBE_DONE;
}

static const char *via_text(gap_via_t via)
{
    switch (via) {
    case GAP_VIA_DIFFERENCE:
        return " via difference";
    case GAP_VIA_RESULT:
        return " via result";
    case GAP_VIA_BACKFILL:
        return " via backfill";
    default:
        return "";
    }
}

static int on_handle(void *data, gap_update_t *update, uint32_t *ms)
{
    struct sim_run *r = data;
    char label[SIM_LABEL];

    sim_label(update, label);
    sim_trace(r, "apply", "%s%s%s", label, via_text(gap_update_via(update)),
              gap_update_maybe_repeated(update) ? " again" : "");
    if (!r->silent) note_applied(r, label);
    return decide(r, update, ms);
}

static void on_finished(void *data, const gap_update_t *update, int status)
{
    char label[SIM_LABEL];

    sim_label(update, label);
    sim_trace(data, status == 0 ? "done" : "handler failed", "%s", label);
}

/* --- what arrives ----------------------------------------------------------------------------- */

static void on_arrive(void *data, gap_bytes_t object, bool is_result)
{
    char labels[512];

    sim_label_object(object, labels, sizeof labels);
    sim_trace(data, is_result ? "result" : "push", "%s", labels);
}

static int64_t asked_channel(gap_tl_object_t channel)
{
    const gap_tl_input_channel_t *c = channel.value;

    return channel.id == GAP_TL_INPUT_CHANNEL && c != NULL ? c->channel_id : 0;
}

static void on_ask(void *data, gap_tl_object_t query)
{
    struct sim_run *r = data;
    int64_t channel = 0;

    if (query.id == GAP_TL_UPDATES_GET_STATE) {
        sim_trace(r, "state", "%s", "");
    } else if (query.id == GAP_TL_UPDATES_GET_DIFFERENCE) {
        const gap_tl_updates_get_difference_t *d = query.value;
        sim_trace(r, "difference", "from %d", d->pts);
    } else if (query.id == GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) {
        const gap_tl_updates_get_channel_difference_t *d = query.value;
        channel = asked_channel(d->channel);
        sim_trace(r, "channel", "%lld difference from %d", (long long)sim_channel_number(channel),
                  d->pts);
    } else if (query.id == GAP_TL_CHANNELS_GET_FULL_CHANNEL) {
        const gap_tl_channels_get_full_channel_t *d = query.value;
        channel = asked_channel(d->channel);
        sim_trace(r, "channel", "%lld state", (long long)sim_channel_number(channel));
    } else {
        sim_trace(r, gap_tl_name(query.id), "%s", "");
    }
    if (r->silent) return;
    ADD(r, r->calls, (struct sim_call){query.id, channel});
}

static void describe(gap_bytes_t value, char *out, size_t cap)
{
    union {
        gap_tl_updates_state_t state;
        gap_tl_updates_difference_t difference;
        gap_tl_updates_difference_slice_t slice;
        gap_tl_updates_difference_too_long_t too_long;
        gap_tl_updates_channel_difference_t channel;
        gap_tl_updates_channel_difference_empty_t channel_empty;
    } x;
    gap_tl_updates_state_t s = {0, 0, 0, 0, 0};
    uint32_t id = value.len >= 4 ? gap_load32(value.data) : 0;
    bool whole = value.len >= 4 && gap_tl_skip(value) >= 0;

    (void)snprintf(out, cap, "%s",
                   whole && gap_tl_name(id) != NULL ? gap_tl_name(id) : "unreadable");
    if (!whole) return;
    switch (id) {
    case GAP_TL_UPDATES_STATE:
        if (gap_tl_read(value, id, &x.state, sizeof x.state) > 0)
            (void)snprintf(out, cap, "pts %d qts %d seq %d", x.state.pts, x.state.qts, x.state.seq);
        return;
    case GAP_TL_UPDATES_DIFFERENCE_EMPTY:
        (void)snprintf(out, cap, "empty");
        return;
    case GAP_TL_UPDATES_DIFFERENCE:
        if (gap_tl_read(value, id, &x.difference, sizeof x.difference) > 0 &&
            GAP_TL_READ(x.difference.state, GAP_TL_UPDATES_STATE, &s) > 0)
            (void)snprintf(out, cap, "difference to %d", s.pts);
        return;
    case GAP_TL_UPDATES_DIFFERENCE_SLICE:
        if (gap_tl_read(value, id, &x.slice, sizeof x.slice) > 0 &&
            GAP_TL_READ(x.slice.intermediate_state, GAP_TL_UPDATES_STATE, &s) > 0)
            (void)snprintf(out, cap, "slice to %d", s.pts);
        return;
    case GAP_TL_UPDATES_DIFFERENCE_TOO_LONG:
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG:
        (void)snprintf(out, cap, "too long");
        return;
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY:
        if (gap_tl_read(value, id, &x.channel_empty, sizeof x.channel_empty) > 0)
            (void)snprintf(out, cap, "empty at %d", x.channel_empty.pts);
        return;
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE:
        if (gap_tl_read(value, id, &x.channel, sizeof x.channel) > 0)
            (void)snprintf(out, cap, "%s to %d",
                           (x.channel.flags & GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL) != 0
                               ? "difference"
                               : "slice",
                           x.channel.pts);
        return;
    default:
        return;
    }
}

static void on_answer(void *data, uint32_t method, int64_t channel, const gap_answer_t *answer)
{
    const char *name = gap_tl_name(method);
    char what[160];
    char about[32] = "";

    if (strncmp(name, "updates.", 8) == 0) name += 8;
    if (channel != 0)
        (void)snprintf(about, sizeof about, " channel %lld",
                       (long long)sim_channel_number(channel));
    if (answer->status == GAP_E_RPC)
        (void)snprintf(what, sizeof what, "error %d %.*s", answer->error_code,
                       (int)answer->error_text.len, (const char *)answer->error_text.data);
    else if (answer->status != 0)
        (void)snprintf(what, sizeof what, "none");
    else
        describe(answer->value, what, sizeof what);
    sim_trace(data, "answer", "%s%s %s", name, about, what);
}

/* --- events ----------------------------------------------------------------------------------- */

static const char *reason_text(gap_engine_reason_t reason)
{
    static const char *const texts[] = {"none",    "too long",    "reset",     "invalid",
                                        "no hash", "no progress", "unreadable"};

    return (size_t)reason < GAP_ARRAY_LEN(texts) ? texts[reason] : "another reason";
}

/* In the order of script_topic.c. */
static int event_of(const gap_engine_event_t *ev)
{
    switch (ev->kind) {
    case GAP_EVENT_STARTED:
        return 0;
    case GAP_EVENT_CAUGHT_UP:
        return 1;
    case GAP_EVENT_GAP_OPENED:
        return 2;
    case GAP_EVENT_GAP_FILLED:
        return ev->fetched ? 4 : 3;
    case GAP_EVENT_GAP_ABANDONED:
        return 5;
    case GAP_EVENT_RESYNCHRONISED:
        return 6;
    case GAP_EVENT_CHANNEL_LOST:
        return 7;
    case GAP_EVENT_DIFFERENCE_FAILED:
        return 8;
    case GAP_EVENT_BEHIND:
        return 9;
    case GAP_EVENT_SHED:
        return 10;
    case GAP_EVENT_UNAUTHORIZED:
        return 11;
    case GAP_EVENT_HANDLER_FAILED:
        return 12;
    case GAP_EVENT_BACKFILLED:
        return 13;
    }
    return -1;
}

static void trace_event(struct sim_run *r, const gap_engine_event_t *ev, const char *who)
{
    unsigned long long ms = ev->us / 1000;

    switch (ev->kind) {
    case GAP_EVENT_STARTED:
        sim_trace(r, "started", "%s", "");
        return;
    case GAP_EVENT_CAUGHT_UP:
        sim_trace(r, "caught", "up");
        return;
    case GAP_EVENT_GAP_OPENED:
        sim_trace(r, "gap", "in %s %d..%d", who, ev->from, ev->to);
        return;
    case GAP_EVENT_GAP_FILLED:
        sim_trace(r, "gap", "in %s %s after %llu ms", who, ev->fetched ? "fetched" : "healed", ms);
        return;
    case GAP_EVENT_GAP_ABANDONED:
        sim_trace(r, "gap", "in %s abandoned %d..%d: %s", who, ev->from, ev->to,
                  reason_text(ev->reason));
        return;
    case GAP_EVENT_RESYNCHRONISED:
        sim_trace(r, who, "resynchronised %d..%d: %s", ev->from, ev->to, reason_text(ev->reason));
        return;
    case GAP_EVENT_CHANNEL_LOST:
        sim_trace(r, who, "lost at %d: %d", ev->from, ev->error_code);
        return;
    case GAP_EVENT_DIFFERENCE_FAILED:
        sim_trace(r, who, "failed, again in %llu ms", ms);
        return;
    case GAP_EVENT_BEHIND:
        sim_trace(r, who, "behind");
        return;
    case GAP_EVENT_SHED:
        sim_trace(r, "shed", "%s", "");
        return;
    case GAP_EVENT_UNAUTHORIZED:
        sim_trace(r, "signed", "out");
        return;
    case GAP_EVENT_BACKFILLED:
        sim_trace(r, who, "backfilled %d..%d: %llu messages%s", ev->from, ev->to,
                  (unsigned long long)ev->count, ev->error == 0 ? "" : ", not all");
        return;
    case GAP_EVENT_HANDLER_FAILED:
        if (ev->update != NULL) on_finished(r, ev->update, -1);
        return;
    }
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    static const char *const names[] = {"common", "qts", "seq"};
    struct sim_run *r = data;
    char who[32];

    if (ev->sequence == GAP_SEQUENCE_CHANNEL)
        (void)snprintf(who, sizeof who, "channel %lld",
                       (long long)sim_channel_number(ev->channel_id));
    else
        (void)snprintf(who, sizeof who, "%s", names[ev->sequence]);
    trace_event(r, ev, who);
    if (r->silent) return;
    ADD(r, r->events,
        (struct sim_happening){event_of(ev), (sim_box_t)ev->sequence, ev->channel_id, ev->from,
                               ev->to});
}

/* --- decisions -------------------------------------------------------------------------------- */

void sim_tap(void *data, const gap_engine_decision_t *d)
{
    static const char *const names[] = {"common", "qts", "seq"};
    const char *update = d->update == 0 ? NULL : gap_tl_name(d->update);
    char who[40] = "account";
    char pts[24] = "";

    if (d->sequenced && d->sequence == GAP_SEQUENCE_CHANNEL)
        (void)snprintf(who, sizeof who, "channel %lld",
                       (long long)sim_channel_number(d->channel_id));
    else if (d->sequenced)
        (void)snprintf(who, sizeof who, "%s", names[d->sequence]);
    if (d->pts >= 0) (void)snprintf(pts, sizeof pts, " pts %d", (int)d->pts);
    sim_trace(data, "decide", "%s at %d%s%s%s: %s", who, (int)d->position,
              update == NULL ? "" : " ", update == NULL ? "" : update, pts,
              gap_engine_decision_text(d->kind));
}

/* --- what is stored --------------------------------------------------------------------------- */

static void note_channel(struct sim_run *r, const gap_engine_channel_t *c, bool is_gone)
{
    struct sim_stored *s = NULL;

    for (uint32_t i = 0; i < r->stored.count; i++)
        if (r->stored.items[i].channel == c->id) s = &r->stored.items[i];
    if (s == NULL) {
        ADD(r, r->stored, (struct sim_stored){false, 0, c->id});
        s = &r->stored.items[r->stored.count - 1];
    }
    s->known = !is_gone;
    s->pts = c->pts;
}

static void on_store(void *data, const gap_engine_state_t *state,
                     const gap_engine_channel_t *channel, bool is_gone)
{
    struct sim_run *r = data;

    if (state != NULL) {
        r->stored_box[SIM_COMMON] = (struct sim_stored){true, state->pts, 0};
        r->stored_box[SIM_QTS] = (struct sim_stored){true, state->qts, 0};
        r->stored_box[SIM_SEQ] = (struct sim_stored){true, state->seq, 0};
        sim_trace(r, "store", "%d %d %d", state->pts, state->qts, state->seq);
        return;
    }
    note_channel(r, channel, is_gone);
    long long number = sim_channel_number(channel->id);
    if (is_gone)
        sim_trace(r, "store", "%lld:gone", number);
    else
        sim_trace(r, "store", "%lld:%d%s", number, channel->pts,
                  channel->unfinished ? " unfinished" : "");
}

void sim_watch(struct sim_run *r, struct globe_watch *out)
{
    memset(out, 0, sizeof *out);
    out->handle = on_handle;
    out->finished = on_finished;
    out->event = on_event;
    out->arrive = on_arrive;
    out->ask = on_ask;
    out->answer = on_answer;
    out->store = on_store;
    out->data = r;
}
