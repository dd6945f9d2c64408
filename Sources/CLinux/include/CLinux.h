// SPDX-License-Identifier: Apache-2.0
// Linux calls that Glibc's Swift module does not export or that are variadic, as typed functions.
// Every function answers a value >= 0, or -errno: the caller never reads errno after Swift code ran.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum clinux_event_bits {
    CLINUX_IN = 0x001,
    CLINUX_OUT = 0x004,
    CLINUX_ERR = 0x008,
    CLINUX_HUP = 0x010,
    CLINUX_RDHUP = 0x2000,
};

enum clinux_control { CLINUX_ADD = 1, CLINUX_DEL = 2, CLINUX_MOD = 3 };

typedef struct {
    uint32_t bits;
    uint64_t data;
} clinux_event;

int clinux_epoll_create(void);
int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t bits, uint64_t data);
/// timeout_nanoseconds < 0 waits without end. Interrupted waits answer 0.
int clinux_epoll_wait(int epoll, clinux_event *events, int capacity, int64_t timeout_nanoseconds);

int clinux_eventfd(void);
int clinux_eventfd_signal(int descriptor);
int clinux_eventfd_drain(int descriptor);

/// Blocks the signals in the calling thread (and threads it starts later) and answers a signalfd for them.
int clinux_signalfd(const int *signals, int count);
/// The next pending signal number, or -EAGAIN.
int clinux_signalfd_read(int descriptor);
/// SIGPIPE is ignored: a vanished peer is an error of write, not the end of the process.
int clinux_ignore_sigpipe(void);

void clinux_thread_name(const char *name);
/// One pointer a thread: the event loop that runs on it, or NULL.
void clinux_set_thread_loop(const void *loop);
const void *clinux_thread_loop(void);

/// Numeric or resolvable host; non-blocking, close-on-exec; SO_REUSEADDR always, SO_REUSEPORT when asked.
/// A bad or unknown host answers -EADDRNOTAVAIL.
int clinux_listen(const char *host, uint16_t port, int reuse_port, int backlog);
/// A blocking connect is never made: the socket is non-blocking and may answer while still connecting.
int clinux_connect(const char *numeric_host, uint16_t port);
int clinux_accept(int listener);
/// Writes the numeric host (at most capacity bytes with the NUL) and port; peer != 0 asks for the other side.
int clinux_address(int descriptor, int peer, char *host, size_t capacity, uint16_t *port);
int clinux_socket_error(int descriptor);
int clinux_set_send_buffer(int descriptor, int bytes);
int clinux_set_receive_buffer(int descriptor, int bytes);
int clinux_set_no_delay(int descriptor);
/// 0 = reading side, 1 = writing side, 2 = both.
int clinux_shutdown(int descriptor, int side);
/// Closes with a reset instead of FIN.
int clinux_set_reset_on_close(int descriptor);
ssize_t clinux_read(int descriptor, void *buffer, size_t count);
/// MSG_NOSIGNAL | MSG_DONTWAIT.
ssize_t clinux_send(int descriptor, const void *buffer, size_t count);
int clinux_close(int descriptor);
/// The soft limit of open descriptors, raised to the hard limit.
int64_t clinux_raise_descriptor_limit(void);
