/*
 * uv/uv_listen.c - listening sockets, and addresses to and from the kernel's form.
 *
 *   OPEN --close--> CLOSING --poll handle closed--> freed
 *
 * When descriptors run out a waiting connection would make the socket readable for ever: a spare
 * descriptor is given up for a moment, the connection accepted with it and refused.
 *
 * Owns: the socket and the spare. Never: the streams it accepts; those are the callee's to close.
 */
#include "uv/uv_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

socklen_t uv_addr_to_sock(const gap_addr_t *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (addr->v6) {
        struct sockaddr_in6 *sa = (struct sockaddr_in6 *)(void *)out;
        sa->sin6_family = AF_INET6;
        sa->sin6_port = htons(addr->port);
        memcpy(&sa->sin6_addr, addr->ip, 16);
        return sizeof *sa;
    }
    struct sockaddr_in *sa = (struct sockaddr_in *)(void *)out;
    sa->sin_family = AF_INET;
    sa->sin_port = htons(addr->port);
    memcpy(&sa->sin_addr, addr->ip, 4);
    return sizeof *sa;
}

int uv_addr_from_sock(const struct sockaddr *sa, gap_addr_t *out)
{
    gap_addr_t addr = {.v6 = sa->sa_family == AF_INET6};

    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        memcpy(addr.ip, &in6.sin6_addr, 16);
        addr.port = ntohs(in6.sin6_port);
    } else if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        memcpy(addr.ip, &in.sin_addr, 4);
        addr.port = ntohs(in.sin_port);
    } else {
        return GAP_E_ARGUMENT;
    }
    *out = addr;
    return 0;
}

static int spare_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void refuse_one(struct uv_listener *l)
{
    if (l->spare_fd >= 0) (void)close(l->spare_fd);
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) (void)close(fd);
    l->spare_fd = spare_open();
}

/* @return false when there is nothing more to accept for now. */
static bool accept_one(struct uv_listener *l)
{
    struct uv_stream *s;
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        refuse_one(l);
        return false;
    }
    if (fd < 0) return errno == EINTR || errno == ECONNABORTED;
    if (uv_stream_adopt(l->env, fd, &s) < 0) return true; /* refused: out of memory */
    l->pub.accepted(&l->pub, &s->pub);
    GAP_ASSERT(s->pub.events != NULL);
    if (!s->closing) uv_stream_start(s);
    return true;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct uv_listener *l = handle->data;

    (void)events;
    if (status < 0)
        return; /* libuv has stopped it: a listening socket has no such state to leave */
    uv_env_enter(l->env);
    for (unsigned i = 0; i < GAP_UV_ACCEPTS_MAX && !l->closing; i++) {
        if (!accept_one(l)) break;
    }
    uv_env_leave(l->env, false);
}

static void on_closed(uv_handle_t *handle)
{
    struct uv_listener *l = handle->data;
    uv_env_t *env = l->env;

    uv_env_enter(env);
    TAILQ_REMOVE(&env->listeners, l, link);
    l->pub.closed(&l->pub);
    gap_free(env->base.alloc, l);
    uv_env_leave(env, false);
    uv_env_try_finish(env);
}

void uv_listener_close(gap_listener_t *pub)
{
    struct uv_listener *l = (struct uv_listener *)(void *)pub;

    if (l->closing) return;
    l->closing = true;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    (void)close(l->fd);
    if (l->spare_fd >= 0) (void)close(l->spare_fd);
}

/* A bound, listening socket and its address. @return the descriptor or a negative errno. */
static int listening_socket(const gap_addr_t *at, gap_addr_t *bound)
{
    struct sockaddr_storage sa;
    socklen_t len = uv_addr_to_sock(at, &sa);
    int on = 1;
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&sa, len) != 0 || listen(fd, SOMAXCONN) != 0)
        goto fail;
    len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0) goto fail;
    if (uv_addr_from_sock((struct sockaddr *)&sa, bound) == 0) return fd;
    errno = EAFNOSUPPORT;
fail:;
    int r = -errno;
    (void)close(fd);
    return r;
}

int uv_listener_open(gap_env_t *base, const gap_addr_t *at, void *arg,
                     void (*accepted)(gap_listener_t *, gap_stream_t *),
                     void (*closed)(gap_listener_t *), gap_listener_t **out)
{
    uv_env_t *env = uv_env_of(base);
    struct uv_listener *l = gap_calloc(base->alloc, 1, sizeof *l);

    GAP_ASSERT(!env->closing);
    if (l == NULL) return GAP_E_NOMEM;
    int r = listening_socket(at, &l->pub.addr);
    if (r < 0) goto free_listener;
    l->fd = r;
    r = uv_poll_init(env->loop, &l->poll, l->fd);
    if (r < 0) goto close_fd;
    l->env = env;
    l->poll.data = l;
    l->spare_fd = spare_open();
    l->pub.accepted = accepted;
    l->pub.closed = closed;
    l->pub.arg = arg;
    TAILQ_INSERT_TAIL(&env->listeners, l, link);
    (void)uv_poll_start(&l->poll, UV_READABLE, on_poll); /* can't fail: the handle is not closing */
    *out = &l->pub;
    return 0;

close_fd:
    (void)close(l->fd);
free_listener:
    gap_free(base->alloc, l);
    return r;
}
