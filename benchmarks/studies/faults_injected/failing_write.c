/* Preloaded: from the Nth change of a file below a folder on, or for that one alone, the system says that the disk is full, or that it
   failed: whichever error it is armed with. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long left = -1, seen = 0;
static int lasting = 0, error = ENOSPC;
static char below[PATH_MAX] = "";

void faults_arm(const char *folder, long number, int stays, int with) {
    strncpy(below, folder, sizeof below - 1);
    left = number;
    lasting = stays;
    error = with;
    seen = 0;
}

long faults_seen(void) { return seen; }

static int refused(const char *path) {
    if (!below[0] || strncmp(path, below, strlen(below)) != 0) return 0;
    seen++;
    if (left < 0 || (lasting ? seen < left : seen != left)) return 0;
    errno = error;
    return 1;
}

static int refused_fd(int fd) {
    char link[64], path[PATH_MAX];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (size < 0) return 0;
    path[size] = 0;
    return refused(path);
}

#define NEXT(type, name) type next = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*write_t)(int, const void *, size_t);
typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
typedef int (*fd_t)(int);
typedef int (*size_t_fd)(int, off_t);
typedef int (*two_t)(const char *, const char *);
typedef int (*mkdir_t)(const char *, mode_t);

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write_t, "write");
    return refused_fd(fd) ? -1 : next(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    NEXT(pwrite_t, "pwrite");
    return refused_fd(fd) ? -1 : next(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    NEXT(pwrite_t, "pwrite64");
    return refused_fd(fd) ? -1 : next(fd, data, size, at);
}
int fsync(int fd) {
    NEXT(fd_t, "fsync");
    return refused_fd(fd) ? -1 : next(fd);
}
int fdatasync(int fd) {
    NEXT(fd_t, "fdatasync");
    return refused_fd(fd) ? -1 : next(fd);
}
int ftruncate64(int fd, off_t size) {
    NEXT(size_t_fd, "ftruncate64");
    return refused_fd(fd) ? -1 : next(fd, size);
}
int ftruncate(int fd, off_t size) {
    NEXT(size_t_fd, "ftruncate");
    return refused_fd(fd) ? -1 : next(fd, size);
}
int rename(const char *from, const char *to) {
    NEXT(two_t, "rename");
    return refused(to) ? -1 : next(from, to);
}
int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir_t, "mkdir");
    return refused(path) ? -1 : next(path, mode);
}
