// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "ClockShift.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BILLION = 1000000000 };

static const volatile int64_t *mapped;

__attribute__((constructor)) static void map_offset(void) {
    Dl_info self;
    char path[4096];
    if (!dladdr((const void *)map_offset, &self)) return;
    snprintf(path, sizeof path, "%s.nanoseconds", self.dli_fname);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    void *memory = mmap(NULL, sizeof *mapped, PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory != MAP_FAILED) mapped = memory;
}

static struct timespec shifted(struct timespec time, int64_t nanoseconds) {
    int64_t fraction = time.tv_nsec + nanoseconds % BILLION;
    time.tv_sec += nanoseconds / BILLION;
    if (fraction < 0) {
        fraction += BILLION;
        time.tv_sec -= 1;
    } else if (fraction >= BILLION) {
        fraction -= BILLION;
        time.tv_sec += 1;
    }
    time.tv_nsec = fraction;
    return time;
}

static int64_t offset(void) { return mapped ? *mapped : 0; }

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (syscall(SYS_clock_gettime, clock, time) != 0) return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) *time = shifted(*time, offset());
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

// The kernel waits by its own clock: a moment of the shifted one is told in that.
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict moment) {
    int (*next)(sem_t *, const struct timespec *) =
        (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec own = shifted(*moment, -offset());
    return next(semaphore, &own);
}
