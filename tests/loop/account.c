/* tests/loop/account.c - see account.h. */
#include "tests/loop/account.h"

#include <dirent.h>
#include <unistd.h>

static void on_closed(void *data)
{
    struct account *a = data;

    a->closed++;
    a->client = NULL;
}

static void copy(char *out, size_t size, const char *text)
{
    ck_assert_ptr_nonnull(text);
    (void)snprintf(out, size, "%s", text);
}

/* Answers are legal from inside the event. */
static int try_answer(struct account *a, gap_sign_in_step_t step)
{
    int r = 0;

    switch (step) {
    case GAP_SIGN_IN_PHONE:
        if (a->phone != NULL) r = gap_client_sign_in_phone(a->client, a->phone);
        break;
    case GAP_SIGN_IN_CODE:
        if (a->resend) {
            a->resend = false;
            r = gap_client_sign_in_resend(a->client);
        } else if (a->code != NULL) {
            r = gap_client_sign_in_code(a->client, a->code);
        }
        break;
    case GAP_SIGN_IN_PASSWORD:
        if (a->wrong_password != NULL) {
            r = gap_client_sign_in_password(a->client, a->wrong_password);
            a->wrong_password = NULL;
        } else if (a->password != NULL) {
            r = gap_client_sign_in_password(a->client, a->password);
        }
        break;
    default:
        if (a->name != NULL) r = gap_client_sign_in_name(a->client, a->name, NULL);
    }
    return r;
}

static void answer(struct account *a, gap_sign_in_step_t step)
{
    int r = try_answer(a, step);

    if (r == GAP_E_NOMEM && a->may_fail) r = try_answer(a, step);
    ck_assert_msg(r == 0, "answer to step %d: %s", step, gap_strerror(r));
}

static void on_question(struct account *a, const gap_event_t *event)
{
    const gap_sign_in_t *q = event->sign_in;
    struct asked *to = &a->asked[a->questions];

    ck_assert_ptr_nonnull(q);
    ck_assert_uint_lt(a->questions, ACCOUNT_STEPS);
    a->questions++;
    *to = (struct asked){.step = q->step,
                         .error = event->error,
                         .rpc_code = event->rpc_code,
                         .us = event->us,
                         .delivery = q->delivery,
                         .next = q->next,
                         .resend_in_s = q->resend_in_s,
                         .length = q->length};
    copy(to->refused, sizeof to->refused, q->refused);
    copy(to->text, sizeof to->text, event->text);
    copy(to->pattern, sizeof to->pattern, q->pattern);
    copy(to->hint, sizeof to->hint, q->hint);
    if ((int)a->questions == a->close_at_question)
        gap_client_close(a->client, on_closed, a);
    else
        answer(a, q->step);
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct account *a = data;
    gap_event_kind_t kind = event->kind;

    ck_assert_ptr_eq(client, a->client);
    ck_assert_int_le((int)kind, GAP_CLIENT_FATAL);
    a->error[kind] = event->error;
    a->rpc_code[kind] = event->rpc_code;
    a->us[kind] = event->us;
    copy(a->text[kind], sizeof a->text[kind], event->text);
    a->seen[kind]++;
    if (a->events < ACCOUNT_STEPS) a->order[a->events++] = kind;
    if (kind == GAP_CLIENT_SIGN_IN) on_question(a, event);
}

static int on_update(gap_update_t *update, void *data)
{
    struct account *a = data;

    a->updates++;
    return a->on_update == NULL ? 0 : a->on_update(update, a->data);
}

static void on_log(void *data, gap_log_level_t level, const char *text)
{
    struct account *a = data;
    size_t room = sizeof a->log - a->log_len;
    int n = snprintf(a->log + a->log_len, room, "%d %s\n", level, text);

    if (n > 0 && (size_t)n < room) a->log_len += (size_t)n;
}

void account_init(struct account *a, uv_loop_t *loop)
{
    memset(a, 0, sizeof *a);
    a->loop = loop;
    a->phone = "+1 555-0100";
    a->code = "12345";
    a->name = "Ada";
}

int account_try_open(struct account *a, const gap_client_config_t *config)
{
    gap_client_config_t with_log = *config;

    with_log.log = on_log;
    with_log.log_data = a;
    with_log.log_level = GAP_LOG_DEBUG;
    int r = gap_client_open(a->loop, &with_log, &a->client);
    if (r < 0) return r;
    gap_client_on_event(a->client, on_event, a);
    gap_client_on_update(a->client, on_update, a);
    return 0;
}

void account_open(struct account *a, const gap_client_config_t *config)
{
    int r = account_try_open(a, config);
    ck_assert_msg(r == 0, "%s", gap_strerror(r));
}

void account_start(struct account *a)
{
    unsigned before = a->events;

    ck_assert_int_eq(gap_client_start(a->client), 0);
    ck_assert_msg(a->events == before, "start called back");
}

static void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

bool account_until(uv_loop_t *loop, const unsigned *counter, unsigned value, uint64_t ms)
{
    uv_timer_t timer;
    bool over = false;

    ck_assert_int_eq(uv_timer_init(loop, &timer), 0);
    timer.data = &over;
    ck_assert_int_eq(uv_timer_start(&timer, on_deadline, ms, 0), 0);
    while (*counter < value && !over) (void)uv_run(loop, UV_RUN_ONCE);
    bool came = *counter >= value;
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* a handle's memory is free after one more turn */
    return came;
}

void account_await(struct account *a, gap_event_kind_t kind)
{
    bool came = account_until(a->loop, &a->seen[kind], 1, ACCOUNT_WAIT_MS);
    ck_assert_msg(came, "event %d did not come; the log:\n%s", kind, a->log);
}

void account_run(uv_loop_t *loop, uint64_t ms)
{
    unsigned never = 0;
    (void)account_until(loop, &never, 1, ms);
}

void account_close(struct account *a)
{
    if (a->client != NULL && a->closed == 0) gap_client_close(a->client, on_closed, a);
    ck_assert_msg(account_until(a->loop, &a->closed, 1, ACCOUNT_WAIT_MS), "not closed");
    ck_assert_uint_eq(a->closed, 1);
}

bool account_says(const char *text, const char *words)
{
    char all[256];
    char *at = all;

    (void)snprintf(all, sizeof all, "%s", words);
    for (char *word; (word = strsep(&at, " ")) != NULL;)
        if (strstr(text, word) == NULL) return false;
    return true;
}

void account_folder_make(struct account_folder *f)
{
    (void)snprintf(f->path, sizeof f->path, "/tmp/gapless-account-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->path));
}

void account_folder_remove(struct account_folder *f)
{
    char path[400];
    DIR *dir = opendir(f->path);

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        (void)snprintf(path, sizeof path, "%s/%s", f->path, e->d_name);
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_int_eq(closedir(dir), 0);
    ck_assert_int_eq(rmdir(f->path), 0);
}
