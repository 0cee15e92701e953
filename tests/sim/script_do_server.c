/*
 * tests/sim/script_do_server.c - what a script does at the server: events and how their pushes go
 * out, updates by their numbers, answers to calls to come. Owns nothing.
 */
#include "base/bytes.h"
#include "dc/model_int.h"
#include "script_do.h"

#include <gapless/tl_api.h>

static void check(struct sim_run *r, int result)
{
    if (result < 0 && r->failure == 0) r->failure = result;
}

static void renew_names(struct sim_run *r)
{
    r->pack.names.date = GLOBE_DATE + (int64_t)(globe_now_ms(r->globe) / 1000);
}

/* --- how pushes go out ------------------------------------------------------------------------ */

/* Held pushes are called by the place of their name. */
static const char *slot_name(uint32_t slot, char out[GLOBE_NAME_MAX])
{
    (void)snprintf(out, GLOBE_NAME_MAX, "slot %u", (unsigned)slot);
    return out;
}

static struct globe_push push_of(const struct sim_run *r, const sim_step_t *step,
                                 char name[GLOBE_NAME_MAX])
{
    struct globe_push p = {r->has_chances ? GLOBE_DRAWN : GLOBE_SENT, 0, NULL};

    switch (step->dc.way) {
    case GAP_DC_WAY_SENT:
        break;
    case GAP_DC_WAY_DROPPED:
        p.fate = GLOBE_LOST;
        break;
    case GAP_DC_WAY_LATE:
        p.fate = GLOBE_LATE;
        p.ms = step->dc.number;
        break;
    case GAP_DC_WAY_TWICE:
        p.fate = GLOBE_TWICE;
        break;
    case GAP_DC_WAY_HELD:
        p.fate = GLOBE_HELD;
        p.name = slot_name(step->dc.slot, name);
        break;
    }
    if (globe_engine(r->globe) == NULL) p.fate = GLOBE_LOST; /* nobody is there to get it */
    return p;
}

/* --- events ----------------------------------------------------------------------------------- */

static dc_peer_t peer_of(const struct sim_run *r, const gap_dc_step_t *d)
{
    return (dc_peer_t){d->chat, sim_chat_id(&r->pack.names, d->chat, d->index)};
}

/* The newest message of the chat. */
static int32_t last_id(struct sim_run *r, dc_peer_t peer)
{
    dc_model_t *m = globe_model(r->globe);
    uint32_t account = dc_account_index(m, GLOBE_ACCOUNT);
    uint32_t chat = DC_NONE;

    if (peer.type == DC_CHANNEL) {
        chat = dc_channel_index(m, peer.id);
    } else if (peer.type == DC_CHAT) {
        chat = dc_group_index(m, account, peer.id);
    } else {
        uint32_t user = dc_user_index(m, peer.id);
        if (user == DC_NONE || dc_private_chat(m, account, user, &chat) < 0) return 0;
    }
    return chat == DC_NONE ? 0 : m->chats[chat].top_id;
}

static int add_event(struct sim_run *r, const sim_step_t *step, const struct globe_push *push,
                     uint32_t *n)
{
    const gap_dc_step_t *d = &step->dc;
    const dc_model_t *m = globe_model(r->globe);
    bool has_account = d->chat != DC_CHANNEL || d->kind == DC_QTS || d->kind == DC_CALLBACK_QUERY ||
                       d->kind == DC_STATUS;
    dc_peer_t peer = peer_of(r, d);
    int32_t id = d->id != 0 ? d->id : last_id(r, peer);
    dc_spec_t spec = {.kind = d->kind,
                      .account = has_account ? GLOBE_ACCOUNT : 0,
                      .chat = peer,
                      .ids = &id,
                      .ids_count = d->kind == DC_DELETE_MESSAGES,
                      .outbox = d->kind == DC_READ && d->flag,
                      .pinned = d->kind == DC_PIN && d->flag,
                      .qts = d->qts};

    if (d->kind != DC_NEW_MESSAGE && d->kind != DC_DELETE_MESSAGES) spec.id = id;
    if (d->text[0] != '\0') spec.text = gap_str(d->text);
    bool is_channel = peer.type == DC_CHANNEL && d->index < m->options.channels;
    bool is_post = is_channel && d->kind == DC_NEW_MESSAGE && m->chats[d->index].broadcast;
    if (peer.type != DC_USER && !is_post)
        spec.from = DC_USER_ID_FIRST + (int64_t)(r->made++ % m->options.users);
    int result = globe_event(r->globe, &spec, push, n);
    if (result != GAP_E_NOT_FOUND && result != GAP_E_ARGUMENT) return result;
    sim_refuse(r, step, "there is no such chat or message, or it can't take this event");
    return 0;
}

/* Its push can't be decoded, and neither can any difference that holds it. */
static void do_unreadable(struct sim_run *r, const sim_step_t *step, const struct globe_push *push)
{
    struct globe_push lost = {GLOBE_LOST, 0, NULL};
    sim_raw_t raw = {.kind = SIM_RAW_UNKNOWN};

    if (r->unreadable != 0) {
        sim_refuse(r, step, "one unreadable event in a script is the most there can be");
        return;
    }
    check(r, add_event(r, step, &lost, &r->unreadable));
    if (r->refused || r->failure != 0) return;
    globe_poison(r->globe, r->unreadable);
    gap_buf_clear(&r->bytes);
    int result = sim_pack_line(&r->pack, &raw, &r->bytes);
    check(r, result);
    if (result == 0) globe_push_bytes(r->globe, gap_buf_view(&r->bytes), &r->unreadable, 1, push);
}

static void do_own(struct sim_run *r, const sim_step_t *step)
{
    const gap_dc_step_t *d = &step->dc;
    dc_peer_t peer = peer_of(r, d);
    int32_t id = d->id != 0 ? d->id : last_id(r, peer);
    struct globe_call call = {.chat = peer, .id = id, .ids = &id, .ids_count = 1};
    struct globe_push push = {GLOBE_LATE, 0, NULL};

    switch (d->kind) {
    case DC_NEW_MESSAGE:
        call.kind = GLOBE_SEND;
        break;
    case DC_EDIT_MESSAGE:
        call.kind = GLOBE_EDIT;
        break;
    case DC_DELETE_MESSAGES:
        call.kind = GLOBE_DELETE;
        break;
    case DC_PIN:
        call.kind = GLOBE_PIN;
        break;
    case DC_READ:
        call.kind = GLOBE_READ;
        break;
    default:
        sim_refuse(r, step, "the account itself can message, edit, delete, pin and read, not this");
        return;
    }
    if (d->text[0] != '\0') call.text = gap_str(d->text);
    call.echo = step->echoed;
    call.lost = d->way == GAP_DC_WAY_DROPPED;
    if (d->way == GAP_DC_WAY_LATE) call.ms = d->number;
    uint32_t there = r->script.set.rtt_ms / 2;
    push.ms = step->ms > there ? (uint32_t)(step->ms - there) : 0;
    check(r, globe_call(r->globe, &call, &push));
}

/* --- updates by their numbers ----------------------------------------------------------------- */

/* Which box may be muddled by it, if any. */
static void distrust(struct sim_run *r, const sim_raw_t *raw)
{
    switch (raw->kind) {
    case SIM_RAW_TOO_LONG:
        if ((raw->flags & SIM_RAW_PTS) == 0) return;
        break;
    case SIM_RAW_PTS_CHANGED:
    case SIM_RAW_CHANNEL:
    case SIM_RAW_UNKNOWN:
    case SIM_RAW_BROKEN:
    case SIM_RAW_GARBAGE:
        return;
    case SIM_RAW_QUERY:
    case SIM_RAW_STATUS:
    case SIM_RAW_TYPING:
    case SIM_RAW_RANDOM:
        globe_untrusted(r->globe, -1);
        return;
    default:
        break;
    }
    bool is_channel = raw->chat == DC_CHANNEL && raw->kind != SIM_RAW_CHANNEL_PARTICIPANT;
    globe_untrusted(r->globe, is_channel ? sim_chat_id(&r->pack.names, DC_CHANNEL, raw->index) : 0);
}

static bool is_result(const sim_raw_t *raw)
{
    return raw->kind == SIM_RAW_AFFECTED || raw->kind == SIM_RAW_SENT ||
           (raw->flags & (SIM_RAW_RESULT | SIM_RAW_INVITED)) != 0;
}

static void do_raw(struct sim_run *r, const sim_step_t *step)
{
    const sim_raw_t *raw = &r->script.raws[step->raw - 1];
    char name[GLOBE_NAME_MAX];
    struct globe_push push = push_of(r, step, name);

    renew_names(r);
    gap_buf_clear(&r->bytes);
    gap_buf_clear(&r->query);
    int result = sim_pack_line(&r->pack, raw, &r->bytes);
    if (result == 0) result = sim_pack_query(&r->pack, raw, &r->query);
    check(r, result);
    if (result != 0) return;
    distrust(r, raw);
    /* A seq of its own makes what comes after it look old. */
    if ((raw->flags & SIM_RAW_SEQ) != 0) globe_untrusted(r->globe, -1);
    if (!is_result(raw)) {
        globe_push_bytes(r->globe, gap_buf_view(&r->bytes), NULL, 0, &push);
        return;
    }
    if (push.fate == GLOBE_LOST) return;
    globe_result_bytes(r->globe, gap_buf_view(&r->query), gap_buf_view(&r->bytes),
                       push.fate == GLOBE_LATE ? push.ms : 0);
}

/* --- containers ------------------------------------------------------------------------------- */

static void do_together(struct sim_run *r, const sim_step_t *step)
{
    r->together = r->at;
    r->ns_count = 0;
    r->uses_seq = false;
    r->by_hand = step->has_seq;
    for (uint32_t i = r->at + 1; i < r->script.count; i++) {
        const sim_step_t *s = &r->script.steps[i];
        if (s->what == SIM_DO_DC && s->dc.what == GAP_DC_DO_END) break;
        r->by_hand |= s->raw != 0 || s->unreadable;
    }
}

/* An event in a container that is made by hand. */
static void pack_event(struct sim_run *r, const sim_step_t *step)
{
    struct globe_push lost = {GLOBE_LOST, 0, NULL};
    dc_view_t view = {GLOBE_ACCOUNT, GAP_TL_LAYER, globe_seq(r->globe)};
    uint32_t n = 0;

    int32_t seq = globe_seq(r->globe);
    check(r, add_event(r, step, &lost, &n));
    globe_skip_seq(r->globe, seq - globe_seq(r->globe)); /* the container has one, not each event */
    if (r->refused || r->failure != 0 || r->ns_count == GAP_ARRAY_LEN(r->ns)) return;
    gap_buf_clear(&r->bytes);
    int result = dc_model_push(globe_model(r->globe), &view, &n, 1, &r->bytes);
    r->uses_seq |= result == DC_SEQ_USED;
    if (result >= 0) result = sim_pack_object(&r->pack, gap_buf_view(&r->bytes));
    check(r, result);
    r->ns[r->ns_count++] = n;
}

static void do_end(struct sim_run *r)
{
    const sim_step_t *head = &r->script.steps[r->together];
    char name[GLOBE_NAME_MAX];
    struct globe_push push = push_of(r, head, name);

    r->together = NO_STEP;
    if (!r->by_hand) {
        globe_container(r->globe, false, &push);
        return;
    }
    if (r->uses_seq && !head->has_seq) globe_skip_seq(r->globe, 1);
    int32_t seq = head->has_seq ? head->number : r->uses_seq ? globe_seq(r->globe) : 0;
    int32_t start = head->has_seq ? head->from : seq;
    if (head->has_seq) globe_untrusted(r->globe, -1);
    gap_buf_clear(&r->bytes);
    renew_names(r);
    int result = sim_pack_updates(&r->pack, start, seq, &r->bytes);
    check(r, result);
    if (result == 0) globe_push_bytes(r->globe, gap_buf_view(&r->bytes), r->ns, r->ns_count, &push);
}

/* One event, N times or in a container. */
static void do_event(struct sim_run *r, const sim_step_t *step)
{
    char name[GLOBE_NAME_MAX];
    struct globe_push push = push_of(r, step, name);
    struct globe_push packed = {GLOBE_PACKED, 0, NULL};

    for (uint32_t i = 0; i < step->dc.times && !r->refused && r->failure == 0; i++) {
        if (r->together != NO_STEP && r->by_hand && step->raw != 0) {
            const sim_raw_t *raw = &r->script.raws[step->raw - 1];
            renew_names(r);
            distrust(r, raw);
            check(r, sim_pack_raw(&r->pack, raw, false));
        } else if (r->together != NO_STEP && r->by_hand) {
            pack_event(r, step);
        } else if (r->together != NO_STEP) {
            check(r, add_event(r, step, &packed, NULL));
        } else if (step->raw != 0) {
            do_raw(r, step);
        } else if (step->own) {
            do_own(r, step);
        } else if (step->unreadable) {
            do_unreadable(r, step, &push);
        } else {
            check(r, add_event(r, step, &push, NULL));
        }
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static enum globe_question question_of(uint32_t method)
{
    switch (method) {
    case GAP_TL_UPDATES_GET_STATE:
        return GLOBE_STATE;
    case GAP_TL_UPDATES_GET_DIFFERENCE:
        return GLOBE_DIFFERENCE;
    case GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE:
        return GLOBE_CHANNEL;
    case GAP_TL_CHANNELS_GET_FULL_CHANNEL:
        return GLOBE_FULL_CHANNEL;
    default:
        return GLOBE_OTHER;
    }
}

static bool fill_rule(struct sim_run *r, const sim_step_t *step, struct globe_rule *rule)
{
    static const enum globe_answer answers[] = {
        [GAP_DC_ACT_NONE] = GLOBE_TRUE,       [GAP_DC_ACT_ERROR] = GLOBE_ERROR,
        [GAP_DC_ACT_SLICE] = GLOBE_SLICE,     [GAP_DC_ACT_LONG] = GLOBE_TOO_LONG,
        [GAP_DC_ACT_LATE] = GLOBE_OLD,        [GAP_DC_ACT_NOTHING] = GLOBE_SILENT,
        [GAP_DC_ACT_GARBAGE] = GLOBE_GARBAGE, [GAP_DC_ACT_CUT] = GLOBE_SHORT,
        [GAP_DC_ACT_STUCK] = GLOBE_STUCK,     [GAP_DC_ACT_HANG_UP] = GLOBE_FAILED,
        [GAP_DC_ACT_MIGRATE] = GLOBE_ERROR,   [GAP_DC_ACT_TIMEOUT] = GLOBE_POLL,
        [GAP_DC_ACT_REVOKE] = GLOBE_ERROR,    [GAP_DC_ACT_DUPLICATE] = GLOBE_ERROR,
        [GAP_DC_ACT_DROP] = GLOBE_SILENT,     [GAP_DC_ACT_LOSE] = GLOBE_FAILED,
    };
    const gap_dc_step_t *d = &step->dc;

    memset(rule, 0, sizeof *rule);
    rule->question = question_of(d->method);
    rule->channel = d->chat == DC_CHANNEL ? sim_step_channel(r, step) : 0;
    rule->count = d->times == UINT32_MAX ? 0 : d->times;
    rule->answer = answers[d->act];
    rule->code = d->code;
    rule->text = d->text;
    rule->value = d->number;
    if (d->act == GAP_DC_ACT_HANG_UP || d->act == GAP_DC_ACT_LOSE) rule->value = GAP_E_DISCONNECTED;
    if (d->act == GAP_DC_ACT_SLICE && rule->value == 0) rule->value = 1;
    if (d->act == GAP_DC_ACT_REVOKE) {
        rule->code = 401;
        rule->count = 0;
        rule->question = GLOBE_ANY;
    }
    if (d->act == GAP_DC_ACT_DUPLICATE || d->act == GAP_DC_ACT_MIGRATE) {
        sim_refuse(r, step, "this way to answer is for gapless-dc only");
        return false;
    }
    return d->times > 0;
}

static void check_rule(struct sim_run *r, const sim_step_t *step, int result)
{
    if (result == GAP_E_LIMIT)
        sim_refuse(r, step, "at most 64 answers can be told");
    else
        check(r, result);
}

static void do_answer(struct sim_run *r, const sim_step_t *step)
{
    struct globe_rule rule;

    if (!fill_rule(r, step, &rule)) return;
    if (step->with == 0) {
        check_rule(r, step, globe_rule(r->globe, &rule));
        return;
    }
    const sim_with_t *with = &r->script.withs[step->with - 1];
    if (rule.question == GLOBE_CHANNEL && rule.channel == 0) {
        sim_refuse(r, step, "say which channel: answer getChannelDifference channel:1 with ...");
        return;
    }
    if (rule.question != GLOBE_CHANNEL && rule.question != GLOBE_DIFFERENCE &&
        rule.question != GLOBE_STATE) {
        sim_refuse(r, step,
                   "answers by hand are for getState, getDifference and "
                   "getChannelDifference");
        return;
    }
    renew_names(r);
    gap_buf_clear(&r->bytes);
    int result = sim_pack_answer(&r->pack, with, r->script.raws, rule.channel, globe_seq(r->globe),
                                 &r->bytes);
    check(r, result);
    if (result != 0) return;
    globe_untrusted(r->globe, rule.channel);
    /* The account's difference names the channels that changed, or keeps silent about them. */
    for (uint32_t i = 0; rule.channel == 0 && i < r->script.set.server.channels; i++)
        globe_untrusted(r->globe, DC_CHANNEL_ID_FIRST + (int64_t)i);
    for (uint32_t i = 0; i < with->raw_count; i++) distrust(r, &r->script.raws[with->raw + i]);
    rule.answer = GLOBE_GIVEN;
    check_rule(r, step, globe_rule_given(r->globe, &rule, gap_buf_view(&r->bytes)));
}

/* --- boxes ------------------------------------------------------------------------------------ */

static bool has_channel(struct sim_run *r, const sim_step_t *step)
{
    if (step->dc.chat != DC_CHANNEL || step->dc.index < r->script.set.server.channels) return true;
    sim_refuse(r, step, "there is no channel:%u: add `channels %u` at the top",
               (unsigned)step->dc.index + 1, (unsigned)step->dc.index + 1);
    return false;
}

static void do_box(struct sim_run *r, const sim_step_t *step)
{
    struct globe_push sent = {GLOBE_SENT, 0, NULL};
    bool is_channel = step->dc.chat == DC_CHANNEL;
    int64_t channel = is_channel ? sim_step_channel(r, step) : 0;

    switch (step->dc.what) {
    case GAP_DC_DO_TOO_LONG:
        if (is_channel)
            globe_push_too_long(r->globe, channel, &sent);
        else
            globe_push_updates_too_long(r->globe, &sent);
        return;
    case GAP_DC_DO_LEAVE:
        check(r, globe_leave(r->globe, channel));
        return;
    case GAP_DC_DO_JOIN:
        check(r, globe_join(r->globe, channel));
        return;
    default:
        check(r, globe_reset(r->globe, channel, (int32_t)step->dc.number));
        if (!is_channel) globe_push_reset(r->globe, &sent);
        return;
    }
}

void sim_do_server(struct sim_run *r, const sim_step_t *step)
{
    struct globe_rule revoked = {.answer = GLOBE_ERROR, .code = 401, .text = step->dc.text};
    char name[GLOBE_NAME_MAX];

    if (step->raw == 0 && !has_channel(r, step)) return;
    switch (step->dc.what) {
    case GAP_DC_DO_EVENT:
        do_event(r, step);
        return;
    case GAP_DC_DO_TOGETHER:
        do_together(r, step);
        return;
    case GAP_DC_DO_END:
        do_end(r);
        return;
    case GAP_DC_DO_RELEASE:
        (void)globe_release(r->globe, slot_name(step->dc.slot, name));
        return;
    case GAP_DC_DO_SKIP_SEQ:
        globe_skip_seq(r->globe, (int32_t)step->dc.number);
        return;
    case GAP_DC_DO_ANSWER:
        do_answer(r, step);
        return;
    case GAP_DC_DO_REVOKE:
        check_rule(r, step, globe_rule(r->globe, &revoked));
        return;
    case GAP_DC_DO_TOO_LONG:
    case GAP_DC_DO_LEAVE:
    case GAP_DC_DO_JOIN:
    case GAP_DC_DO_RESET:
        do_box(r, step);
        return;
    case GAP_DC_DO_SLOW_MODE:
    case GAP_DC_DO_ROLE:
    case GAP_DC_DO_BLOCK:
    case GAP_DC_DO_FLOOD_RULE:
    case GAP_DC_DO_EDIT_WINDOW:
        check(r, gap_dc_script_world(globe_model(r->globe), GLOBE_ACCOUNT, &step->dc));
        return;
    default:
        sim_refuse(r, step, "this command is for gapless-dc only");
        return;
    }
}
