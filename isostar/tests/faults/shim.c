/* Faults of a file system, for a program that is started with this library in LD_PRELOAD.
 *
 * FAULT_PATH   part of the paths that are concerned
 * FAULT_SLOW   milliseconds to wait before every 256 KiB that are written
 * FAULT_ERRNO  error of the call number FAULT_CALL (from 1) and of all later ones
 * FAULT_BYTES  bytes that can be written in all, before ENOSPC
 * FAULT_COUNT  file to which the number of calls is written
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long calls = 0;
static atomic_long written = 0;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int concerned(const char *path) {
    const char *part = getenv("FAULT_PATH");
    return part && path && strstr(path, part) != NULL;
}

static int concerned_file(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return concerned(path);
}

/* Counts a call; sets errno and returns 1 if it is to fail. */
static int fails(void) {
    long call = atomic_fetch_add(&calls, 1) + 1;
    const char *count = getenv("FAULT_COUNT");
    if (count) {
        FILE *file = fopen(count, "w");
        if (file) {
            fprintf(file, "%ld", call);
            fclose(file);
        }
    }
    long error = number("FAULT_ERRNO");
    if (error == 0 || call < number("FAULT_CALL")) return 0;
    errno = (int)error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t length) {
    if (concerned_file(file)) {
        if (fails()) return -1;
        long limit = number("FAULT_BYTES");
        if (limit > 0) {
            long before = atomic_fetch_add(&written, (long)length);
            if (before + (long)length > limit) {
                size_t rest = before < limit ? (size_t)(limit - before) : 0;
                if (rest == 0) {
                    errno = ENOSPC;
                    return -1;
                }
                length = rest;
            }
        }
        long slow = number("FAULT_SLOW");
        if (slow > 0) {
            usleep((useconds_t)slow * 1000);
            if (length > 262144) length = 262144;
        }
    }
    return REAL(write)(file, bytes, length);
}

int fsync(int file) {
    if (concerned_file(file) && fails()) return -1;
    return REAL(fsync)(file);
}

int rename(const char *from, const char *to) {
    if ((concerned(from) || concerned(to)) && fails()) return -1;
    return REAL(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
    if (concerned(path) && fails()) return -1;
    return REAL(mkdir)(path, mode);
}

static int open_file(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if ((flags & O_CREAT) && concerned(path) && fails()) return -1;
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open_file(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open_file(REAL(open64), path, flags, mode);
}
