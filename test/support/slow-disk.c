/*
 * A disk that is slow, for a process started with LD_PRELOAD=this: what it writes to or syncs below a folder whose
 * path holds SLOW_DISK_PATH takes as many milliseconds longer as the file SLOW_DISK_MS says at that moment.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long delay_ms(void) {
  const char *path = getenv("SLOW_DISK_MS");
  char text[16] = "";
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = '\0';
  close(fd);
  return atol(text);
}

static void take_time(int fd) {
  const char *below = getenv("SLOW_DISK_PATH");
  char name[64], path[4096];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t length = below == NULL ? -1 : readlink(name, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = '\0';
  if (strstr(path, below) == NULL) return;
  long ms = delay_ms();
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  if (ms > 0) nanosleep(&pause, NULL);
}

#define SLOW(type, name, parameters, arguments)                        \
  type name parameters {                                              \
    static type(*real) parameters;                                    \
    if (real == NULL) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
    take_time(fd);                                                    \
    return real arguments;                                            \
  }

SLOW(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
SLOW(ssize_t, writev, (int fd, const struct iovec *from, int n), (fd, from, n))
SLOW(ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at))
SLOW(ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at))
SLOW(ssize_t, pwritev, (int fd, const struct iovec *from, int n, off_t at), (fd, from, n, at))
SLOW(ssize_t, pwritev64, (int fd, const struct iovec *from, int n, off64_t at), (fd, from, n, at))
SLOW(int, fsync, (int fd), (fd))
SLOW(int, fdatasync, (int fd), (fd))
