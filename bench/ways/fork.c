/*
 * The limit: what fork + _exit + wait cost in a process that has as much memory and as many mappings as another one, and
 * does nothing with it.
 *
 *     fork SECONDS AT_ONCE < MAPPINGS       a line for each mapping: KiB touched, KiB of them in huge pages
 *
 * Prints one line of JSON: forks per second, CPU and page faults per fork of both processes, the times of whole lives
 * (before fork to after wait) and those until the child's first statement, in nanoseconds.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024L
#define PAGE 4096L
#define HUGE_PAGE (2048 * KIB)

struct times { int64_t *at; size_t count, room; };

struct used { double cpu_ms; long own_faults, child_faults; };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void add(struct times *times, int64_t time) {
  if (times->count == times->room) {
    times->room = times->room ? 2 * times->room : 4096;
    times->at = realloc(times->at, times->room * sizeof *times->at);
    if (times->at == NULL) fail("realloc");
  }
  times->at[times->count++] = time;
}

/* Its flags make it a mapping of its own: the kernel joins neighbours that are alike. */
static void map(long touched, int advice, int odd) {
  long bytes = touched > PAGE ? touched : PAGE;
  long spare = advice == MADV_HUGEPAGE ? HUGE_PAGE : 0;
  char *memory = mmap(NULL, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  if (spare > 0) {
    char *aligned = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (aligned > memory) munmap(memory, aligned - memory);
    if (memory + spare > aligned) munmap(aligned + bytes, memory + spare - aligned);
    memory = aligned;
  }
  /* EINVAL: a kernel without huge pages. */
  madvise(memory, bytes, advice);
  if (odd) madvise(memory, bytes, MADV_DONTDUMP);
  for (long at = 0; at < touched; at += PAGE) memory[at] = 1;
}

static struct used usage(void) {
  struct rusage own, children;
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  double ms = 0;
  const struct timeval *parts[] = {&own.ru_utime, &own.ru_stime, &children.ru_utime, &children.ru_stime};
  for (int i = 0; i < 4; i++) ms += parts[i]->tv_sec * 1e3 + parts[i]->tv_usec / 1e3;
  return (struct used){ms, own.ru_minflt, children.ru_minflt};
}

/* One after the other or two at once, the older one waited for; `pipe`: each child tells when it has begun. */
static double run(double seconds, int at_once, const int *pipe, struct times *lives, struct times *starts) {
  pid_t pids[2];
  int64_t begun[2];
  int64_t begin = now(), end = begin + (int64_t)(seconds * 1e9);
  for (int running = 0;;) {
    while (running < at_once && now() < end) {
      begun[running] = now();
      pid_t pid = fork();
      if (pid < 0) fail("fork");
      if (pid == 0) {
        int64_t first = now();
        if (pipe != NULL && write(pipe[1], &first, sizeof first) < 0) _exit(1);
        _exit(0);
      }
      pids[running++] = pid;
    }
    if (running == 0) break;
    if (waitpid(pids[0], NULL, 0) < 0) fail("waitpid");
    add(lives, now() - begun[0]);
    if (pipe != NULL) {
      int64_t first;
      if (read(pipe[0], &first, sizeof first) != sizeof first) fail("read");
      add(starts, first - begun[0]);
    }
    pids[0] = pids[1];
    begun[0] = begun[1];
    running--;
  }
  return (now() - begin) / 1e9;
}

/* Of a child that only waits, to be looked at from outside. */
static long private_bytes(void) {
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    pause();
    _exit(0);
  }
  usleep(20000);
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) fail(path);
  long sum = 0, kib;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "Private_Clean: %ld", &kib) == 1 || sscanf(line, "Private_Dirty: %ld", &kib) == 1) sum += kib;
  }
  fclose(file);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return sum * KIB;
}

static void print(const char *name, const struct times *times) {
  printf("\"%s\":[", name);
  for (size_t i = 0; i < times->count; i++) printf(i == 0 ? "%ld" : ",%ld", (long)times->at[i]);
  printf("]");
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "fork SECONDS AT_ONCE < MAPPINGS\n");
    return 2;
  }
  double seconds = atof(argv[1]);
  int at_once = atoi(argv[2]) == 2 ? 2 : 1;
  long touched, huge;
  for (int odd = 0; scanf("%ld %ld", &touched, &huge) == 2; odd = !odd) {
    if (huge > 0) map(huge * KIB, MADV_HUGEPAGE, odd);
    if (huge == 0 || touched > huge) map((touched - huge) * KIB, MADV_NOHUGEPAGE, odd);
  }
  int ends[2];
  if (pipe(ends) < 0) fail("pipe");

  struct times warm = {0}, lives = {0}, stamped = {0}, starts = {0};
  run(0.2, 1, NULL, &warm, &starts);
  struct used before = usage();
  double took = run(seconds, at_once, NULL, &lives, &starts);
  struct used after = usage();
  run(seconds < 1 ? seconds : 1, 1, ends, &stamped, &starts);
  double count = lives.count;
  printf("{\"per_second\":%f,\"cpu_ms\":%f,", count / took, (after.cpu_ms - before.cpu_ms) / count);
  printf("\"parent_faults\":%f,", (after.own_faults - before.own_faults) / count);
  printf("\"child_faults\":%f,", (after.child_faults - before.child_faults) / count);
  printf("\"private_bytes\":%ld,", private_bytes());
  print("lives_ns", &lives);
  printf(",");
  print("starts_ns", &starts);
  printf("}\n");
  return 0;
}
