// SPDX-License-Identifier: Apache-2.0
// libcurl for Swift: variadic functions as typed ones, results as plain numbers, addresses as bytes.
#ifndef SWITCHYARD_CCURL_SHIM_H
#define SWITCHYARD_CCURL_SHIM_H

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

// Once a process; thread-safe since libcurl 7.84. OpenSSL writes to sockets without MSG_NOSIGNAL, so a process that
// has no opinion about SIGPIPE gets one.
static inline int ccurl_global_init(void) {
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    return (int)curl_global_init(CURL_GLOBAL_DEFAULT);
}

// Bits: 1 names are resolved on threads, 2 TLS, 4 HTTP/2.
static inline int ccurl_features(void) {
    int features = curl_version_info(CURLVERSION_NOW)->features;
    return (features & CURL_VERSION_ASYNCHDNS ? 1 : 0) | (features & CURL_VERSION_SSL ? 2 : 0)
           | (features & CURL_VERSION_HTTP2 ? 4 : 0);
}

static inline int ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return (int)curl_easy_setopt(easy, option, value);
}

static inline int ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
    return (int)curl_easy_setopt(easy, option, value);
}

static inline int ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return (int)curl_easy_setopt(easy, option, value);
}

// Copies the bytes.
static inline int ccurl_set_body(CURL *easy, const void *bytes, size_t count) {
    int code = (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code ? code : (int)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes);
}

static inline int ccurl_set_token(CURL *easy, uintptr_t token) {
    return (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)token);
}

typedef size_t (*ccurl_data_callback)(char *bytes, size_t size, size_t count, void *context);
typedef int (*ccurl_request_callback)(void *context, char *remote, char *local, int remote_port, int local_port);
typedef curl_socket_t (*ccurl_open_callback)(void *context, curlsocktype purpose, struct curl_sockaddr *address);

static inline int ccurl_set_callbacks(
    CURL *easy, void *context, ccurl_data_callback head, ccurl_data_callback body, ccurl_request_callback request,
    ccurl_open_callback open
) {
    int code = 0;
    code |= (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head);
    code |= (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
    code |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
    code |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
    code |= (int)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, request);
    code |= (int)curl_easy_setopt(easy, CURLOPT_PREREQDATA, context);
    code |= (int)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open);
    code |= (int)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, context);
    return code;
}

static inline long ccurl_new_connections(CURL *easy) {
    long count = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &count);
    return count;
}

static inline int ccurl_resume(CURL *easy) { return (int)curl_easy_pause(easy, CURLPAUSE_CONT); }

static inline size_t ccurl_write_pause(void) { return CURL_WRITEFUNC_PAUSE; }

static inline const char *ccurl_words(int code) { return curl_easy_strerror((CURLcode)code); }

// 4 or 16 bytes of the address, 0 when it is of another family.
static inline int ccurl_address_bytes(const struct curl_sockaddr *address, uint8_t bytes[16]) {
    const void *raw = &address->addr;
    if (address->family == AF_INET && address->addrlen >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in internet;
        memcpy(&internet, raw, sizeof internet);
        memcpy(bytes, &internet.sin_addr, 4);
        return 4;
    }
    if (address->family == AF_INET6 && address->addrlen >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 internet;
        memcpy(&internet, raw, sizeof internet);
        memcpy(bytes, &internet.sin6_addr, 16);
        return 16;
    }
    return 0;
}

// The same of a numeric address in text; a zone after % is left out.
static inline int ccurl_parse_address(const char *text, uint8_t bytes[16]) {
    char plain[64];
    size_t length = strcspn(text, "%");
    if (length >= sizeof plain) return 0;
    memcpy(plain, text, length);
    plain[length] = 0;
    if (inet_pton(AF_INET, plain, bytes) == 1) return 4;
    if (inet_pton(AF_INET6, plain, bytes) == 1) return 16;
    return 0;
}

static inline curl_socket_t ccurl_open_socket(const struct curl_sockaddr *address) {
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static inline curl_socket_t ccurl_no_socket(void) { return CURL_SOCKET_BAD; }

typedef int (*ccurl_socket_callback)(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context);
typedef int (*ccurl_timer_callback)(CURLM *multi, long milliseconds, void *context);

// NULL callbacks silence the handle before it is freed.
static inline int ccurl_multi_set_callbacks(
    CURLM *multi, void *context, ccurl_socket_callback socket, ccurl_timer_callback timer
) {
    int code = 0;
    code |= (int)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
    code |= (int)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    code |= (int)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    code |= (int)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
    return code;
}

static inline int ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return (int)curl_multi_setopt(multi, option, value);
}

// Bits for events: 1 readable, 2 writable, 4 failed.
static inline int ccurl_multi_socket(CURLM *multi, curl_socket_t socket, int events) {
    int running = 0;
    int bits = (events & 1 ? CURL_CSELECT_IN : 0) | (events & 2 ? CURL_CSELECT_OUT : 0)
               | (events & 4 ? CURL_CSELECT_ERR : 0);
    return (int)curl_multi_socket_action(multi, socket, bits, &running);
}

static inline int ccurl_multi_timeout(CURLM *multi) {
    int running = 0;
    return (int)curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

// The next finished transfer: 1 and its token and result, or 0.
static inline int ccurl_multi_next(CURLM *multi, uintptr_t *token, int *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        void *value = NULL;
        *result = (int)message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &value);
        *token = (uintptr_t)value;
        return 1;
    }
    return 0;
}

#endif
