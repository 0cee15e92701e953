/*
 * uv/uv_stream.c - TCP streams: our own non-blocking sockets under uv_poll_t.
 *
 *   CONNECTING --writable--> OPEN --end or error of reading--> OPEN (writes only)
 *   any --close--> CLOSING --poll handle closed--> freed
 *
 * Why not uv_tcp_t: up to its version 1.44 libuv writes with write(2), which raises SIGPIPE in a
 * host that has not ignored it, also from its own poll phase where we can't block the signal. And
 * uv_tcp_t does not tell whether a read emptied the socket; here a short read says so.
 *
 * A write goes to the kernel inside the call if it can. Its `done` runs from the check phase of the
 * same iteration or of the next one, or when the socket takes bytes again. Pending writes go out
 * together, up to IOV_BATCH at a time.
 *
 * Owns: the socket, the poll handle, the order of writes. Never: copies bytes, allocates after
 * connect.
 */
#include "uv/uv_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOV_BATCH 32

static struct uv_stream *stream_of(gap_stream_t *pub)
{
    return (struct uv_stream *)(void *)pub;
}

static void list_push(struct uv_write_list *list, gap_write_t *w)
{
    w->next = NULL;
    if (list->head == NULL) {
        list->head = w;
    } else {
        list->tail->next = w;
    }
    list->tail = w;
}

static gap_write_t *list_pop(struct uv_write_list *list)
{
    gap_write_t *w = list->head;

    if (w != NULL) list->head = w->next;
    return w;
}

static void report_soon(struct uv_stream *s)
{
    if (s->reporting || s->closing) return;
    s->reporting = true;
    STAILQ_INSERT_TAIL(&s->env->reports, s, report);
    uv_env_arm(s->env);
}

/* ---- writing ---- */

static void advance(struct uv_stream *s, size_t n)
{
    gap_write_t *w;

    while ((w = s->pending.head) != NULL) {
        size_t left = w->bytes.len - w->at;
        if (left > n) {
            w->at += n;
            return;
        }
        n -= left;
        w->at = w->bytes.len;
        list_push(&s->finished, list_pop(&s->pending));
    }
}

static ssize_t send_batch(struct uv_stream *s, size_t *total)
{
    struct iovec iov[IOV_BATCH];
    struct msghdr msg = {.msg_iov = iov};

    *total = 0;
    for (gap_write_t *w = s->pending.head; w != NULL && msg.msg_iovlen < IOV_BATCH; w = w->next) {
        struct iovec *v = &iov[msg.msg_iovlen++];
        v->iov_base = (void *)(uintptr_t)(w->bytes.data + w->at);
        v->iov_len = w->bytes.len - w->at;
        *total += v->iov_len;
    }
    ssize_t n;
    do {
        n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Hand pending bytes to the kernel until it takes no more. No callbacks from here. */
static void flush(struct uv_stream *s)
{
    s->blocked = false;
    while (s->pending.head != NULL && s->write_error == 0) {
        size_t total;
        ssize_t n = send_batch(s, &total);
        if (n >= 0) {
            advance(s, (size_t)n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            s->blocked = true;
            break;
        } else {
            s->write_error = -errno;
        }
    }
    if (s->finished.head != NULL || (s->write_error != 0 && s->pending.head != NULL))
        report_soon(s);
}

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct uv_stream *s)
{
    int events = 0;

    if (s->closing) return;
    if (s->reading) events |= UV_READABLE;
    if (s->connecting || s->blocked) events |= UV_WRITABLE;
    if (events == s->events) return;
    s->events = events;
    /* Neither can fail on a handle that is not closing. */
    if (events != 0) {
        (void)uv_poll_start(&s->poll, events, on_poll);
    } else {
        (void)uv_poll_stop(&s->poll);
    }
}

void uv_stream_write(gap_stream_t *pub, gap_write_t *w)
{
    struct uv_stream *s = stream_of(pub);
    bool first = s->pending.head == NULL;

    w->at = 0;
    list_push(&s->pending, w);
    if (s->closing) return; /* ends with ECANCELED in the closing phase */
    if (s->write_error != 0) {
        report_soon(s);
    } else if (first && !s->connecting && s->connect_error == 0) {
        flush(s);
        watch(s);
    }
}

/* Writes that finished, then the failed rest. Writes made by a callback are for the next time. */
static void report_writes(struct uv_stream *s)
{
    struct uv_write_list finished = s->finished;
    gap_write_t *w;

    s->finished.head = NULL;
    while ((w = list_pop(&finished)) != NULL) w->done(w, 0);
    if (s->write_error == 0 || s->closing) return;
    struct uv_write_list failed = s->pending;
    s->pending.head = NULL;
    while ((w = list_pop(&failed)) != NULL) w->done(w, s->write_error);
}

/* ---- connecting and reading ---- */

static void report_connected(struct uv_stream *s, int status)
{
    s->connecting = false;
    s->connect_error = 0;
    if (status == 0) {
        s->reading = true;
        s->env->unread = true; /* not read in this poll yet */
        flush(s);
    } else {
        s->write_error = status;
        if (s->pending.head != NULL) report_soon(s);
    }
    s->pub.events->connected(&s->pub, status);
}

void uv_stream_report(struct uv_stream *s)
{
    if (s->closing) return; /* the closing phase does it */
    if (s->connect_error != 0) report_connected(s, s->connect_error);
    if (!s->closing) report_writes(s);
    watch(s);
}

static int socket_error(struct uv_stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) return -errno;
    return -error;
}

/* What read() reports for one recv(); `status` is what poll said. */
static ssize_t read_result(struct uv_stream *s, ssize_t n, int status)
{
    if (n > 0) return n;
    if (n == 0) return GAP_ENV_EOF;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
    if (status == 0) return 0;
    int error = socket_error(s);
    return error != 0 ? error : status;
}

static void read_some(struct uv_stream *s, int status)
{
    for (unsigned i = 0; i < GAP_UV_READS_MAX && !s->closing && s->reading; i++) {
        uint8_t *buf = NULL;
        size_t cap = 0;
        s->pub.events->alloc(&s->pub, &buf, &cap);
        if (s->closing) return;
        if (cap == 0) {
            s->reading = false;
            s->pub.events->read(&s->pub, GAP_E_NOMEM);
            return;
        }
        ssize_t n;
        do {
            n = recv(s->fd, buf, cap, MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        n = read_result(s, n, status);
        if (n < 0) s->reading = false;
        s->pub.events->read(&s->pub, n);
        if (n < (ssize_t)cap && status == 0) return; /* the socket is empty */
    }
    if (s->reading) s->env->unread = true;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct uv_stream *s = handle->data;

    if (status < 0) s->events = 0; /* libuv has stopped the handle; the socket knows why */
    uv_env_enter(s->env);
    if (s->connecting) {
        int error = socket_error(s);
        report_connected(s, error != 0 ? error : status);
    } else {
        if (s->blocked && ((events & UV_WRITABLE) != 0 || status < 0)) flush(s);
        if ((events & UV_READABLE) != 0 || status < 0) read_some(s, status);
    }
    watch(s);
    uv_env_leave(s->env, false);
}

/* ---- opening ---- */

int uv_stream_adopt(uv_env_t *env, int fd, struct uv_stream **out)
{
    int on = 1;
    struct uv_stream *s = gap_calloc(env->base.alloc, 1, sizeof *s);

    if (s == NULL) {
        (void)close(fd);
        return GAP_E_NOMEM;
    }
    s->env = env;
    s->fd = fd;
    s->poll.data = s;
    int r = uv_poll_init(env->loop, &s->poll, fd);
    if (r < 0) {
        (void)close(fd);
        gap_free(env->base.alloc, s);
        return r;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a preference, no need */
    TAILQ_INSERT_TAIL(&env->streams, s, link);
    *out = s;
    return 0;
}

void uv_stream_start(struct uv_stream *s)
{
    s->reading = true;
    s->env->unread = true;
    watch(s);
}

int uv_stream_connect(gap_env_t *base, const gap_addr_t *to, const struct gap_stream_events *events,
                      void *arg, gap_stream_t **out)
{
    uv_env_t *env = uv_env_of(base);
    struct sockaddr_storage sa;
    struct uv_stream *s;

    GAP_ASSERT(!env->closing);
    int fd = socket(to->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int r = uv_stream_adopt(env, fd, &s);
    if (r < 0) return r;
    s->pub.events = events;
    s->pub.arg = arg;
    socklen_t len = uv_addr_to_sock(to, &sa);
    do {
        r = connect(fd, (struct sockaddr *)&sa, len);
    } while (r < 0 && errno == EINTR);
    s->connecting = true; /* connected at once: writable at once */
    if (r < 0 && errno != EINPROGRESS) {
        s->connect_error = -errno;
        report_soon(s);
    } else {
        watch(s);
    }
    *out = &s->pub;
    return 0;
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct uv_stream *s = handle->data;
    uv_env_t *env = s->env;
    gap_write_t *w;

    uv_env_enter(env);
    if (s->connecting) s->pub.events->connected(&s->pub, GAP_ENV_ECANCELED);
    while ((w = list_pop(&s->finished)) != NULL) w->done(w, 0);
    while ((w = list_pop(&s->pending)) != NULL) w->done(w, GAP_ENV_ECANCELED);
    TAILQ_REMOVE(&env->streams, s, link);
    s->pub.events->closed(&s->pub);
    gap_free(env->base.alloc, s);
    uv_env_leave(env, false);
    uv_env_try_finish(env);
}

void uv_stream_close(gap_stream_t *pub)
{
    struct uv_stream *s = stream_of(pub);

    if (s->closing) return;
    s->closing = true;
    s->reading = false;
    if (s->reporting) {
        s->reporting = false;
        STAILQ_REMOVE(&s->env->reports, s, uv_stream, report);
        uv_env_arm(s->env);
    }
    uv_close((uv_handle_t *)&s->poll, on_closed); /* stops the polling: the socket may go */
    (void)close(s->fd);
    s->fd = -1;
}
