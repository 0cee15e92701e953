/*
 * dc/script_run.c - carries out a script: one step after the other until one has to wait.
 *
 *   RUNNING --wait, await--> WAITING --time is up, the call came--> RUNNING --last step--> OVER
 *
 * Owns pushes that are held back, and the rules for calls to come, which stay in force
 * when the script is over. Never touches the traffic that is drawn by chance: there is none beside
 * a script.
 */
#include "dc/script_run.h"

#include "base/alloc.h"
#include "dc/model_int.h"
#include "dc/wire.h"

#include <gapless/tl_api.h>
#include <stdio.h>

#define TOGETHER_MAX 64U
#define NO_STEP      UINT32_MAX

struct rule {
    TAILQ_ENTRY(rule) link;
    const gap_dc_step_t *step;
    int64_t channel; /* 0: any */
    uint32_t left;
};

/* A push that was made and is not out yet. */
struct push {
    gap_dc_timer_t timer; /* late ones */
    TAILQ_ENTRY(push) link;
    gap_dc_t *dc;
    int64_t key_id;
    uint32_t slot; /* held ones */
    bool is_held;
    uint32_t count;
    uint32_t ns[TOGETHER_MAX];
    size_t len;
    uint8_t body[];
};

struct called {
    uint32_t method;
    int64_t channel;
};

struct gap_dc_run {
    const gap_dc_script_t *script;
    uint32_t at;     /* the step to be done */
    uint32_t done;   /* how often it has been done */
    bool is_waiting; /* `timer` is armed */
    bool is_await;   /* for a call */
    bool has_timed_out;
    gap_dc_timer_t timer;
    uint32_t account; /* index */
    uint32_t events;
    uint32_t ns[TOGETHER_MAX]; /* of the container being filled */
    uint32_t ns_count;
    uint32_t together; /* its step; NO_STEP: none */
    TAILQ_HEAD(, rule) rules;
    TAILQ_HEAD(, push) pushes;
    struct called *calls; /* all so far */
    uint32_t call_count;
    uint32_t call_cap;
    uint32_t await_at;   /* calls before this one have been awaited */
    uint32_t *expect_at; /* by step: how many calls there were when it was judged */
    dc_limits_t limits;  /* the ordinary ones */
};

/* --- notes --------------------------------------------------------------------------------- */

static void note(gap_dc_t *dc, const gap_dc_step_t *step, bool is_met, const char *what)
{
    if (dc->options.expected != NULL)
        dc->options.expected(dc->options.data, step->line, is_met, what);
}

/* --- pushes -------------------------------------------------------------------------------- */

static int tell_pushes(gap_dc_t *dc, const gap_dc_key_t *key, const uint32_t *ns, uint32_t count,
                       dc_fate_t fate)
{
    int r = 0;

    for (uint32_t i = 0; i < count && r == 0; i++)
        r = dc_ledger_push(&dc->ledger, ns[i], key->account, fate, (int64_t)dc->now.wall_us);
    return r;
}

static void push_free(gap_dc_t *dc, struct push *p)
{
    gap_dc_disarm(dc, &p->timer);
    TAILQ_REMOVE(&dc->run->pushes, p, link);
    gap_free(dc->alloc, p);
}

static int push_out(gap_dc_t *dc, struct push *p)
{
    gap_dc_key_t *key = gap_dc_keys_find(&dc->keys, p->key_id);
    int r = 0;

    if (key != NULL && key->account != 0) {
        r = tell_pushes(dc, key, p->ns, p->count, DC_LATE);
        if (r == 0) r = gap_dc_push_deliver(dc, key, gap_bytes(p->body, p->len), false);
    }
    push_free(dc, p);
    return r;
}

static void on_push_due(gap_dc_t *dc, gap_dc_timer_t *t)
{
    int r = push_out(dc, GAP_CONTAINER_OF(t, struct push, timer));

    if (r < 0) gap_dc_fail(dc, r);
    dc->more = true;
}

static int push_keep(gap_dc_t *dc, const gap_dc_step_t *step, const gap_dc_key_t *key,
                     const uint32_t *ns, uint32_t count)
{
    gap_bytes_t body = gap_buf_view(&dc->push);
    struct push *p = gap_malloc(dc->alloc, sizeof *p + body.len);

    if (p == NULL) return GAP_E_NOMEM;
    memset(p, 0, sizeof *p);
    p->timer.fire = on_push_due;
    p->dc = dc;
    p->key_id = key->auth.id;
    p->slot = step->slot;
    p->is_held = step->way == GAP_DC_WAY_HELD;
    p->count = count;
    if (count > 0) memcpy(p->ns, ns, count * sizeof *ns);
    p->len = body.len;
    if (body.len > 0) memcpy(p->body, body.data, body.len);
    TAILQ_INSERT_TAIL(&dc->run->pushes, p, link);
    if (!p->is_held) gap_dc_arm(dc, &p->timer, dc->now.mono_us + (uint64_t)step->number * 1000);
    return 0;
}

/* Containers with unsequenced updates carry a seq: a lost one leaves a hole. */
static bool uses_seq(gap_dc_t *dc, const uint32_t *ns, uint32_t count)
{
    bool uses = false;

    for (uint32_t i = 0; i < count; i++) {
        const struct dc_rec *rec = dc_rec_at(dc->model, ns[i]);
        uses |= rec->box == DC_BOX_NONE && rec->kind != DC_STATUS;
    }
    return uses;
}

static int push_to_key(gap_dc_t *dc, const gap_dc_step_t *step, gap_dc_key_t *key,
                       const uint32_t *ns, uint32_t count)
{
    dc_view_t view = {key->account, key->layer, key->seq};
    int r;

    if (key->subscribed == NULL) return 0;
    for (uint32_t i = 0; i < count; i++)
        if (!dc_model_receives(dc->model, ns[i], key->account)) return 0;
    if (step->way == GAP_DC_WAY_DROPPED) {
        if (uses_seq(dc, ns, count)) key->seq++;
        return tell_pushes(dc, key, ns, count, DC_DROPPED);
    }
    gap_buf_clear(&dc->push);
    if ((r = dc_model_push(dc->model, &view, ns, count, &dc->push)) < 0) return r;
    if (r == DC_SEQ_USED) key->seq++;
    if (step->way == GAP_DC_WAY_LATE || step->way == GAP_DC_WAY_HELD)
        return push_keep(dc, step, key, ns, count);
    bool twice = step->way == GAP_DC_WAY_TWICE;
    r = tell_pushes(dc, key, ns, count, twice ? DC_TWICE : DC_SENT);
    return r < 0 ? r : gap_dc_push_deliver(dc, key, gap_buf_view(&dc->push), twice);
}

static int push_all(gap_dc_t *dc, const gap_dc_step_t *step, const uint32_t *ns, uint32_t count)
{
    gap_dc_account_t *a;
    gap_dc_key_t *key;
    int r = 0;

    TAILQ_FOREACH (a, &dc->accounts, link)
        TAILQ_FOREACH (key, &a->keys, account_link)
            if ((r = push_to_key(dc, step, key, ns, count)) < 0) return r;
    return r;
}

/* --- events -------------------------------------------------------------------------------- */

static int64_t account_id(const gap_dc_t *dc)
{
    return dc_model_account_at(dc->model, dc->run->account);
}

static int64_t channel_id(const gap_dc_t *dc, const gap_dc_step_t *step)
{
    const dc_model_t *m = dc->model;

    if (step->chat != DC_CHANNEL || step->index >= m->options.channels) return 0;
    return m->chats[step->index].id;
}

static dc_peer_t peer_of(const gap_dc_t *dc, const gap_dc_step_t *step)
{
    const dc_model_t *m = dc->model;
    const struct dc_account *a = &m->accounts[dc->run->account];
    dc_peer_t peer = {step->chat, 0};

    if (step->chat == DC_USER)
        peer.id = DC_USER_ID_FIRST + (int64_t)step->index;
    else if (step->chat == DC_CHANNEL)
        peer.id = channel_id(dc, step);
    else if (step->index < m->options.groups)
        peer.id = m->chats[a->groups + step->index].id;
    return peer;
}

/* The newest message of the chat. */
static int32_t last_id(gap_dc_t *dc, dc_peer_t peer)
{
    dc_model_t *m = dc->model;
    uint32_t user = dc_user_index(m, peer.id);
    uint32_t chat = DC_NONE;

    if (peer.type == DC_CHANNEL)
        chat = dc_channel_index(m, peer.id);
    else if (peer.type == DC_CHAT)
        chat = dc_group_index(m, dc->run->account, peer.id);
    else if (user == DC_NONE || dc_private_chat(m, dc->run->account, user, &chat) < 0)
        return 0;
    return chat == DC_NONE ? 0 : m->chats[chat].top_id;
}

static int make_event(gap_dc_t *dc, const gap_dc_step_t *step, uint32_t *out_n)
{
    struct gap_dc_run *run = dc->run;
    bool has_account = step->chat != DC_CHANNEL || step->kind == DC_QTS ||
                       step->kind == DC_CALLBACK_QUERY || step->kind == DC_STATUS;
    dc_peer_t peer = peer_of(dc, step);
    int32_t id = step->id != 0 ? step->id : last_id(dc, peer);
    dc_spec_t spec = {.kind = step->kind,
                      .account = has_account ? account_id(dc) : 0,
                      .chat = peer,
                      .ids = &id,
                      .ids_count = step->kind == DC_DELETE_MESSAGES,
                      .outbox = step->kind == DC_READ && step->flag,
                      .pinned = step->kind == DC_PIN && step->flag,
                      .qts = step->qts,
                      .poison = step->poison};
    dc_event_t e;

    if (step->kind != DC_NEW_MESSAGE && step->kind != DC_DELETE_MESSAGES) spec.id = id;
    if (step->text[0] != '\0') spec.text = gap_str(step->text);
    bool is_post = peer.type == DC_CHANNEL && step->kind == DC_NEW_MESSAGE && peer.id != 0 &&
                   dc->model->chats[step->index].broadcast;
    if (peer.type != DC_USER && !is_post)
        spec.from = DC_USER_ID_FIRST + (int64_t)(run->events % dc->model->options.users);
    int r = dc_model_add(dc->model, &spec, (int64_t)dc->now.wall_us, out_n);
    if (r < 0) return r;
    run->events++;
    dc_model_event(dc->model, *out_n, &e);
    return dc_ledger_event(&dc->ledger, &e, (int64_t)dc->now.wall_us);
}

static int do_event(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct gap_dc_run *run = dc->run;
    uint32_t n;
    int r = make_event(dc, step, &n);

    if (r == GAP_E_NOT_FOUND || r == GAP_E_ARGUMENT) {
        note(dc, step, false, "there is no such chat or message, or it can't take this event");
        return 0;
    }
    if (r < 0) return r;
    if (run->together == NO_STEP) return push_all(dc, step, &n, 1);
    if (run->ns_count == TOGETHER_MAX)
        note(dc, step, false, "a container holds 64 updates");
    else
        run->ns[run->ns_count++] = n;
    return 0;
}

static int do_end(gap_dc_t *dc)
{
    struct gap_dc_run *run = dc->run;
    const gap_dc_step_t *head = &run->script->steps[run->together];
    uint32_t count = run->ns_count;

    run->together = NO_STEP;
    run->ns_count = 0;
    return count == 0 ? 0 : push_all(dc, head, run->ns, count);
}

static int do_release(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct push *p;
    struct push *next;
    int r = 0;

    for (p = TAILQ_FIRST(&dc->run->pushes); p != NULL && r == 0; p = next) {
        next = TAILQ_NEXT(p, link);
        if (p->is_held && p->slot == step->slot) r = push_out(dc, p);
    }
    return r;
}

/* --- other things that are pushed ------------------------------------------------------------ */

/* What goes to every key of the account that is spoken of (or of all, for channels). */
static int push_notice(gap_dc_t *dc, const gap_dc_step_t *step)
{
    gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account_id(dc));
    int64_t channel = channel_id(dc, step);
    int64_t now_us = (int64_t)dc->now.wall_us;
    gap_dc_key_t *key;
    int r = 0;

    if (a == NULL) return 0;
    TAILQ_FOREACH (key, &a->keys, account_link) {
        dc_view_t view = {key->account, key->layer, key->seq};
        gap_buf_clear(&dc->push);
        if (step->what == GAP_DC_DO_RESET)
            r = dc_model_push_reset(dc->model, &view, now_us, &dc->push);
        else if (step->what != GAP_DC_DO_TOO_LONG)
            r = dc_model_push_channel(dc->model, &view, channel, now_us, &dc->push);
        else if (channel != 0)
            r = dc_model_push_too_long(dc->model, &view, channel, now_us, &dc->push);
        else
            r = gap_buf_append32(&dc->push, GAP_TL_UPDATES_TOO_LONG);
        if (r == 0) r = gap_dc_push_deliver(dc, key, gap_buf_view(&dc->push), false);
        if (r < 0) break;
    }
    return r;
}

static int do_membership(gap_dc_t *dc, const gap_dc_step_t *step)
{
    int64_t channel = channel_id(dc, step);
    int r = step->what == GAP_DC_DO_LEAVE ? dc_model_leave(dc->model, account_id(dc), channel)
                                          : dc_model_join(dc->model, account_id(dc), channel);

    if (r == GAP_E_NOT_FOUND) {
        note(dc, step, false, "there is no such channel");
        return 0;
    }
    return r < 0 ? r : push_notice(dc, step);
}

static int do_reset(gap_dc_t *dc, const gap_dc_step_t *step)
{
    int r = dc_model_reset(dc->model, account_id(dc), channel_id(dc, step), (int32_t)step->number);

    return r < 0 || step->chat == DC_CHANNEL ? r : push_notice(dc, step);
}

/* --- connections --------------------------------------------------------------------------- */

static void do_forget(gap_dc_t *dc)
{
    gap_dc_key_t *key;
    gap_dc_session_t *s;

    gap_dc_disconnect_all(dc);
    TAILQ_FOREACH (key, &dc->keys.list, link) {
        key->subscribed = NULL;
        while ((s = TAILQ_FIRST(&key->sessions)) != NULL) {
            gap_dc_unmark_dirty(dc, s);
            gap_dc_key_drop_session(key, s);
        }
    }
}

static void do_skip_seq(gap_dc_t *dc, const gap_dc_step_t *step)
{
    gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account_id(dc));
    gap_dc_key_t *key;

    if (a == NULL) return;
    TAILQ_FOREACH (key, &a->keys, account_link) key->seq += (int32_t)step->number;
}

/* --- sign-ins ------------------------------------------------------------------------------ */

static void revoke_all(gap_dc_t *dc, int32_t code, const char *text)
{
    gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account_id(dc));
    gap_dc_key_t *key;

    if (a == NULL) return;
    while ((key = TAILQ_FIRST(&a->keys)) != NULL) gap_dc_revoke(dc, key, code, text);
}

static int do_sign_ins(gap_dc_t *dc, const gap_dc_step_t *step)
{
    const char *text = step->text[0] == '\0' ? NULL : step->text;
    gap_dc_person_t *p = NULL;

    if (step->what == GAP_DC_DO_REVOKE) revoke_all(dc, 401, step->text);
    if (step->what == GAP_DC_DO_DUPLICATE) revoke_all(dc, 406, "AUTH_KEY_DUPLICATED");
    if (step->what != GAP_DC_DO_PASSWORD) return 0;
    int r = gap_dc_person_by_id(&dc->people, step->person, &p);
    return r < 0 ? r : gap_dc_password_set(&dc->people, &p->password, text);
}

/* --- calls --------------------------------------------------------------------------------- */

static int add_rule(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct rule *rule = gap_calloc(dc->alloc, 1, sizeof *rule);

    if (rule == NULL) return GAP_E_NOMEM;
    rule->step = step;
    rule->channel = channel_id(dc, step);
    rule->left = step->times;
    TAILQ_INSERT_TAIL(&dc->run->rules, rule, link);
    return 0;
}

/* Is it meant for this data centre? */
static bool is_here(const gap_dc_t *dc, const gap_dc_step_t *step)
{
    return step->dc == 0 || step->dc == dc->options.dc;
}

static bool is_call(const gap_dc_t *dc, const gap_dc_step_t *step, const struct called *call)
{
    return call->method == step->method &&
           (step->chat != DC_CHANNEL || call->channel == channel_id(dc, step));
}

/* The call that an await waits for, taken. */
static bool take_awaited(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct gap_dc_run *run = dc->run;

    for (uint32_t i = run->await_at; i < run->call_count; i++) {
        if (!is_call(dc, step, &run->calls[i])) continue;
        run->await_at = i + 1;
        return true;
    }
    return false;
}

/* Calls count from the last time that the same was asked. */
static void do_expect(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct gap_dc_run *run = dc->run;
    const gap_dc_step_t *steps = run->script->steps;
    uint32_t from = 0;
    uint32_t count = 0;
    char text[160];

    for (uint32_t i = 0; i < run->at; i++) {
        const gap_dc_step_t *s = &steps[i];
        bool is_same = s->what == GAP_DC_DO_EXPECT && s->method == step->method &&
                       s->chat == step->chat && s->index == step->index && is_here(dc, s);
        if (is_same) from = run->expect_at[i];
    }
    for (uint32_t i = from; i < run->call_count; i++) count += is_call(dc, step, &run->calls[i]);
    run->expect_at[run->at] = run->call_count;
    (void)snprintf(text, sizeof text, "%u calls of %.80s, %u to %u expected", (unsigned)count,
                   gap_tl_name(step->method), (unsigned)step->number, (unsigned)step->most);
    note(dc, step, count >= step->number && count <= step->most, text);
}

static int64_t queried_channel(const gap_dc_query_t *q)
{
    gap_tl_updates_get_channel_difference_t diff;
    gap_tl_input_channel_t in;

    if (q->id != GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) return 0;
    if (gap_tl_read(q->method, q->id, &diff, sizeof diff) < 0) return 0;
    return GAP_TL_READ(diff.channel, GAP_TL_INPUT_CHANNEL, &in) < 0 ? 0 : in.channel_id;
}

int gap_dc_script_called(gap_dc_t *dc, const gap_dc_query_t *q, gap_dc_rule_t *out)
{
    struct gap_dc_run *run = dc->run;
    struct called call = {q->id, queried_channel(q)};
    struct rule *rule;

    memset(out, 0, sizeof *out);
    if (run == NULL) return 0;
    if (dc->phase != GAP_DC_AWAITING) {
        int r = dc_grow(dc->alloc, (void **)&run->calls, &run->call_cap, run->call_count,
                        sizeof *run->calls);
        if (r < 0) return r;
        run->calls[run->call_count++] = call;
        if (run->is_await) dc->more = true;
    }
    TAILQ_FOREACH (rule, &run->rules, link) {
        if (rule->step->method != q->id) continue;
        if (rule->channel != 0 && rule->channel != call.channel) continue;
        out->act = rule->step->act;
        out->code = rule->step->code;
        out->number = rule->step->number;
        out->text = rule->step->text;
        if (out->act == GAP_DC_ACT_MIGRATE)
            out->act = out->number == (uint32_t)dc->options.dc ? GAP_DC_ACT_NONE : GAP_DC_ACT_ERROR;
        if (rule->left == UINT32_MAX || --rule->left > 0) return 0;
        TAILQ_REMOVE(&run->rules, rule, link);
        gap_free(dc->alloc, rule);
        return 0;
    }
    return 0;
}

void gap_dc_script_limit(gap_dc_t *dc, const gap_dc_rule_t *rule)
{
    dc_limits_t limits;

    if (dc->run == NULL) return;
    limits = dc->run->limits;
    if (rule != NULL && rule->act == GAP_DC_ACT_SLICE)
        limits.slice = limits.channel_slice = rule->number > 0 ? rule->number : 1;
    if (rule != NULL && rule->act == GAP_DC_ACT_LONG)
        limits.difference_max = limits.channel_diff_max = 0;
    if (rule != NULL && rule->act == GAP_DC_ACT_TIMEOUT) limits.timeout_s = rule->number;
    dc_model_limit(dc->model, &limits);
}

void gap_dc_script_unsee(gap_dc_session_t *s, int64_t msg_id)
{
    for (uint32_t i = 0; i < s->seen_count; i++)
        if (s->seen[i] == msg_id) s->seen[i] = 0;
}

/* --- steps --------------------------------------------------------------------------------- */

static void on_time_up(gap_dc_t *dc, gap_dc_timer_t *t)
{
    (void)t;
    dc->run->has_timed_out = true;
    dc->more = true;
}

static void wait_for(gap_dc_t *dc, uint32_t ms)
{
    struct gap_dc_run *run = dc->run;

    run->is_waiting = true;
    run->has_timed_out = false;
    gap_dc_arm(dc, &run->timer, dc->now.mono_us + (uint64_t)ms * 1000);
}

/* @return true: what the step waits for has come, or will not come. */
static bool waited(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct gap_dc_run *run = dc->run;
    bool came = step->what == GAP_DC_DO_AWAIT && take_awaited(dc, step);

    if (!run->is_waiting && !came) {
        run->is_await = step->what == GAP_DC_DO_AWAIT;
        wait_for(dc, step->number);
        return false;
    }
    if (!came && !run->has_timed_out) return false;
    gap_dc_disarm(dc, &run->timer);
    run->is_waiting = run->is_await = false;
    if (step->what == GAP_DC_DO_AWAIT) {
        char text[128];
        (void)snprintf(text, sizeof text, "%.80s %s", gap_tl_name(step->method),
                       came ? "came" : "did not come in time");
        note(dc, step, came, text);
    }
    return true;
}

static int do_homes(gap_dc_t *dc, const gap_dc_step_t *step)
{
    int r;

    if (step->what == GAP_DC_DO_MOVE)
        r = gap_dc_move(dc, step->who != 0 ? gap_dc_account_of(step->who) : account_id(dc),
                        step->peer.id);
    else
        r = gap_dc_change_peers(dc, &step->peer, step->what == GAP_DC_DO_PEER);
    if (r != GAP_E_LIMIT) return r;
    note(dc, step, false, "there is no room for one more");
    return 0;
}

static int do_world(gap_dc_t *dc, const gap_dc_step_t *step)
{
    bool is_account = dc_model_account_count(dc->model) > dc->run->account;
    int r = gap_dc_script_world(dc->model, is_account ? account_id(dc) : 0, step);

    if (r != GAP_E_NOT_FOUND && r != GAP_E_ARGUMENT && r != GAP_E_LIMIT) return r;
    note(dc, step, false,
         r == GAP_E_LIMIT ? "there is no room for one more" : "there is no such chat");
    return 0;
}

static int do_step(gap_dc_t *dc, const gap_dc_step_t *step)
{
    struct gap_dc_run *run = dc->run;

    switch (step->what) {
    case GAP_DC_DO_EVENT:
        return do_event(dc, step);
    case GAP_DC_DO_TOGETHER:
        run->together = run->at;
        return 0;
    case GAP_DC_DO_END:
        return do_end(dc);
    case GAP_DC_DO_RELEASE:
        return do_release(dc, step);
    case GAP_DC_DO_SKIP_SEQ:
        do_skip_seq(dc, step);
        return 0;
    case GAP_DC_DO_TOO_LONG:
        return push_notice(dc, step);
    case GAP_DC_DO_ANSWER:
        return add_rule(dc, step);
    case GAP_DC_DO_EXPECT:
        do_expect(dc, step);
        return 0;
    case GAP_DC_DO_DISCONNECT:
        gap_dc_disconnect_all(dc);
        return 0;
    case GAP_DC_DO_FORGET:
        do_forget(dc);
        return 0;
    case GAP_DC_DO_LEAVE:
    case GAP_DC_DO_JOIN:
        return do_membership(dc, step);
    case GAP_DC_DO_RESET:
        return do_reset(dc, step);
    case GAP_DC_DO_PEER:
    case GAP_DC_DO_DROP_PEER:
    case GAP_DC_DO_MOVE:
        return do_homes(dc, step);
    case GAP_DC_DO_REVOKE:
    case GAP_DC_DO_DUPLICATE:
    case GAP_DC_DO_PASSWORD:
        return do_sign_ins(dc, step);
    case GAP_DC_DO_ACCOUNT:
        if (step->index < dc_model_account_count(dc->model))
            run->account = step->index;
        else
            note(dc, step, false, "so many accounts have not signed in");
        return 0;
    case GAP_DC_DO_SLOW_MODE:
    case GAP_DC_DO_ROLE:
    case GAP_DC_DO_BLOCK:
    case GAP_DC_DO_FLOOD_RULE:
    case GAP_DC_DO_EDIT_WINDOW:
        return do_world(dc, step);
    case GAP_DC_DO_WAIT:
    case GAP_DC_DO_AWAIT:
        break;
    }
    return 0;
}

static bool takes_time(const gap_dc_step_t *step)
{
    return step->what == GAP_DC_DO_WAIT || step->what == GAP_DC_DO_AWAIT;
}

int gap_dc_script_turn(gap_dc_t *dc)
{
    struct gap_dc_run *run = dc->run;
    int r = 0;

    dc->more = false;
    for (unsigned left = GAP_DC_TRAFFIC_BATCH; run->at < run->script->count; left--) {
        const gap_dc_step_t *step = &run->script->steps[run->at];
        bool is_repeated = step->what == GAP_DC_DO_EVENT;
        if (left == 0) {
            dc->more = true;
            return 0;
        }
        if (!is_here(dc, step)) {
            run->at++;
            continue;
        }
        if (takes_time(step)) {
            if (!waited(dc, step)) return 0;
        } else if (!is_repeated || run->done < step->times) {
            if ((r = do_step(dc, step)) < 0) return r;
            if (is_repeated && ++run->done < step->times) continue;
        }
        run->done = 0;
        run->at++;
    }
    struct push *p;
    TAILQ_FOREACH (p, &run->pushes, link)
        if (!p->is_held) return 0;
    return GAP_DC_SCRIPT_OVER;
}

uint32_t gap_dc_script_events(const gap_dc_t *dc)
{
    return dc->run->events;
}

/* What the world allows, whoever is there. */
static bool is_world(const gap_dc_step_t *step)
{
    return step->what == GAP_DC_DO_SLOW_MODE || step->what == GAP_DC_DO_FLOOD_RULE ||
           step->what == GAP_DC_DO_EDIT_WINDOW;
}

/* At the top of a script: in force before anybody has signed in. */
static bool can_come_first(const gap_dc_step_t *step)
{
    return is_world(step) || step->what == GAP_DC_DO_ANSWER || step->what == GAP_DC_DO_PASSWORD ||
           step->what == GAP_DC_DO_PEER || step->what == GAP_DC_DO_DROP_PEER ||
           (step->what == GAP_DC_DO_MOVE && step->who != 0);
}

int gap_dc_script_open(gap_dc_t *dc)
{
    struct gap_dc_run *run;
    int r = 0;

    if (dc->options.script == NULL) return 0;
    if ((run = gap_calloc(dc->alloc, 1, sizeof *run)) == NULL) return GAP_E_NOMEM;
    dc->run = run;
    run->script = dc->options.script;
    run->together = NO_STEP;
    run->timer.fire = on_time_up;
    TAILQ_INIT(&run->rules);
    TAILQ_INIT(&run->pushes);
    dc_model_limits(dc->model, &run->limits);
    run->expect_at = gap_calloc(dc->alloc, run->script->count + 1U, sizeof *run->expect_at);
    if (run->expect_at == NULL) return GAP_E_NOMEM;
    for (; run->at < run->script->count && r == 0; run->at++) {
        const gap_dc_step_t *step = &run->script->steps[run->at];
        if (!can_come_first(step)) break;
        if (!is_here(dc, step)) continue;
        if (is_world(step))
            r = do_world(dc, step);
        else if (step->what == GAP_DC_DO_PASSWORD)
            r = do_sign_ins(dc, step);
        else
            r = step->what == GAP_DC_DO_ANSWER ? add_rule(dc, step) : do_homes(dc, step);
    }
    return r;
}

void gap_dc_script_close(gap_dc_t *dc)
{
    struct gap_dc_run *run = dc->run;
    struct rule *rule;

    if (run == NULL) return;
    while (!TAILQ_EMPTY(&run->pushes)) push_free(dc, TAILQ_FIRST(&run->pushes));
    while ((rule = TAILQ_FIRST(&run->rules)) != NULL) {
        TAILQ_REMOVE(&run->rules, rule, link);
        gap_free(dc->alloc, rule);
    }
    gap_dc_disarm(dc, &run->timer);
    gap_free(dc->alloc, run->calls);
    gap_free(dc->alloc, run->expect_at);
    gap_free(dc->alloc, run);
    dc->run = NULL;
}
