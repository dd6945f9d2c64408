// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int answer(int result) { return result < 0 ? -errno : result; }

int clinux_epoll_create(void) { return answer(epoll_create1(EPOLL_CLOEXEC)); }

int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t bits, uint64_t data) {
    struct epoll_event event = {.events = bits, .data = {.u64 = data}};
    return answer(epoll_ctl(epoll, operation, descriptor, &event));
}

int clinux_epoll_wait(int epoll, clinux_event *events, int capacity, int64_t timeout_nanoseconds) {
    struct epoll_event ready[256];
    if (capacity > 256) capacity = 256;
    struct timespec timeout = {
        .tv_sec = timeout_nanoseconds / 1000000000,
        .tv_nsec = timeout_nanoseconds % 1000000000,
    };
    int count = epoll_pwait2(epoll, ready, capacity, timeout_nanoseconds < 0 ? NULL : &timeout, NULL);
    if (count < 0 && errno == ENOSYS) {  // kernels before 5.11: whole milliseconds, rounded up
        int64_t milliseconds = timeout_nanoseconds < 0 ? -1 : (timeout_nanoseconds + 999999) / 1000000;
        if (milliseconds > 60000) milliseconds = 60000;
        count = epoll_wait(epoll, ready, capacity, (int)milliseconds);
    }
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        events[i].bits = ready[i].events;
        events[i].data = ready[i].data.u64;
    }
    return count;
}

int clinux_eventfd(void) { return answer(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int clinux_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    return write(descriptor, &one, sizeof one) < 0 && errno != EAGAIN ? -errno : 0;
}

int clinux_eventfd_drain(int descriptor) {
    uint64_t count;
    return read(descriptor, &count, sizeof count) < 0 && errno != EAGAIN ? -errno : 0;
}

int clinux_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code != 0) return -code;
    return answer(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int clinux_signalfd_read(int descriptor) {
    struct signalfd_siginfo info;
    ssize_t count = read(descriptor, &info, sizeof info);
    if (count < 0) return -errno;
    return count == sizeof info ? (int)info.ssi_signo : -EAGAIN;
}

int clinux_ignore_sigpipe(void) { return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0; }

static _Thread_local const void *thread_loop;

void clinux_set_thread_loop(const void *loop) { thread_loop = loop; }

const void *clinux_thread_loop(void) { return thread_loop; }

void clinux_thread_name(const char *name) {
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

static int resolve(const char *host, uint16_t port, int flags, struct addrinfo **found) {
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    return getaddrinfo(host, service, &hints, found) == 0 ? 0 : -EADDRNOTAVAIL;
}

int clinux_listen(const char *host, uint16_t port, int reuse_port, int backlog) {
    struct addrinfo *found = NULL;
    int code = resolve(host, port, AI_PASSIVE, &found);
    if (code < 0) return code;
    int on = 1;
    int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        code = -errno;
    } else if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
               || (reuse_port && setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
               || bind(descriptor, found->ai_addr, found->ai_addrlen) < 0 || listen(descriptor, backlog) < 0) {
        code = -errno;
        close(descriptor);
    } else {
        code = descriptor;
    }
    freeaddrinfo(found);
    return code;
}

int clinux_connect(const char *numeric_host, uint16_t port) {
    struct addrinfo *found = NULL;
    int code = resolve(numeric_host, port, AI_NUMERICHOST, &found);
    if (code < 0) return code;
    int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        code = -errno;
    } else if (connect(descriptor, found->ai_addr, found->ai_addrlen) < 0 && errno != EINPROGRESS) {
        code = -errno;
        close(descriptor);
    } else {
        code = descriptor;
    }
    freeaddrinfo(found);
    return code;
}

int clinux_accept(int listener) {
    for (;;) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) return descriptor;
        if (errno != EINTR) return -errno;
    }
}

int clinux_address(int descriptor, int peer, char *host, size_t capacity, uint16_t *port) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int result = peer ? getpeername(descriptor, (struct sockaddr *)&address, &length)
                      : getsockname(descriptor, (struct sockaddr *)&address, &length);
    if (result < 0) return -errno;
    char service[8];
    if (getnameinfo((struct sockaddr *)&address, length, host, (socklen_t)capacity, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    *port = address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                          : ntohs(((struct sockaddr_in *)&address)->sin_port);
    return 0;
}

int clinux_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
    return -error;
}

static int set_int(int descriptor, int level, int name, int value) {
    return answer(setsockopt(descriptor, level, name, &value, sizeof value));
}

int clinux_set_send_buffer(int descriptor, int bytes) { return set_int(descriptor, SOL_SOCKET, SO_SNDBUF, bytes); }
int clinux_set_receive_buffer(int descriptor, int bytes) { return set_int(descriptor, SOL_SOCKET, SO_RCVBUF, bytes); }
int clinux_set_no_delay(int descriptor) { return set_int(descriptor, IPPROTO_TCP, TCP_NODELAY, 1); }
int clinux_shutdown(int descriptor, int side) { return answer(shutdown(descriptor, side)); }

int clinux_set_reset_on_close(int descriptor) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return answer(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

ssize_t clinux_read(int descriptor, void *buffer, size_t count) {
    for (;;) {
        ssize_t got = read(descriptor, buffer, count);
        if (got >= 0) return got;
        if (errno != EINTR) return -errno;
    }
}

ssize_t clinux_send(int descriptor, const void *buffer, size_t count) {
    for (;;) {
        ssize_t sent = send(descriptor, buffer, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return sent;
        if (errno != EINTR) return -errno;
    }
}

int clinux_close(int descriptor) { return answer(close(descriptor)); }

int64_t clinux_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    return (int64_t)limit.rlim_cur;
}
