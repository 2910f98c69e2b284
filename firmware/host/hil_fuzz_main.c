/*
 * A driver for fuzz targets without libFuzzer: seeded mutations of given files.
 *
 *   fuzz_target SEED COUNT PATH...
 *
 * A path is a file, or a folder of them. First every file is run as it is; then each of the COUNT
 * inputs is one of them with a few mutations, the target's own or blind ones: bit flips, wild
 * bytes and words, a truncation, bytes put in, a block copied over another. Equal seeds give equal
 * inputs. An input that crashes, or runs on for HANG_S seconds, is written to crash-SEED-NUMBER in
 * the working folder.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hil_fuzz.h"

#define HANG_S 20
#define CAPACITY ((size_t)1 << 20)
#define PATH_SIZE 4096

typedef struct {
    char *path;
    uint8_t *bytes;
    size_t size;
} source_t;

typedef struct {
    source_t *items;
    size_t count;
} sources_t;

static uint64_t dice;

/* The input in hand, for whoever has to write it down in a signal handler. */
static const uint8_t *volatile current;
static volatile size_t current_size;
static char crash_path[64];

/* --- Blind mutations ---------------------------------------------------------------------- */

static void put_word(uint8_t *data, size_t size, size_t at, uint32_t word)
{
    for (size_t i = 0; i < 4 && at + i < size; i++) {
        data[at + i] = (uint8_t)(word >> (8 * i));
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity)
{
    static const uint32_t wild[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 0x10000};
    size_t at = hil_fuzz_below(&dice, size);
    switch (size == 0 ? 5 : hil_fuzz_below(&dice, 8)) {
    case 0:
        data[at] = (uint8_t)(data[at] ^ (1u << hil_fuzz_below(&dice, 8)));
        return size;
    case 1:
        data[at] = (uint8_t)hil_fuzz_next(&dice);
        return size;
    case 2:
        put_word(data, size, at & ~(size_t)3, wild[hil_fuzz_below(&dice, 7)]);
        return size;
    case 3:
        put_word(data, size, at & ~(size_t)3, (uint32_t)hil_fuzz_below(&dice, size));
        return size;
    case 4: {
        size_t from = hil_fuzz_below(&dice, size);
        size_t length = least(hil_fuzz_below(&dice, 64), least(size - at, size - from));
        memmove(data + at, data + from, length);
        return size;
    }
    case 5: { /* bytes put in */
        size_t length = least(1 + hil_fuzz_below(&dice, 8), capacity - size);
        memmove(data + at + length, data + at, size - at);
        for (size_t i = 0; i < length; i++) {
            data[at + i] = (uint8_t)hil_fuzz_next(&dice);
        }
        return size + length;
    }
    case 6: { /* a stretch taken out, or all the rest */
        size_t length = hil_fuzz_below(&dice, 8) == 0 ? size - at : 1;
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    }
    default:
        data[at] = (uint8_t)(data[at] + 1);
        return size;
    }
}

/* --- Files -------------------------------------------------------------------------------- */

static void give_up(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(2);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);
    if (memory == NULL) {
        give_up("fuzz", "no memory");
    }
    return memory;
}

static void add_file(sources_t *sources, const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    source_t source = {strdup(path), allocate(size), size};
    source_t *grown = realloc(sources->items, (sources->count + 1) * sizeof(*grown));
    if (file == NULL || source.path == NULL || grown == NULL || size > CAPACITY ||
        fread(source.bytes, 1, size, file) != size) {
        give_up(path, "cannot be read");
    }
    fclose(file);
    sources->items = grown;
    sources->items[sources->count++] = source;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const source_t *)a)->path, ((const source_t *)b)->path);
}

/* The files of a folder count in the order of their names: a seed means the same everywhere. */
static void add_path(sources_t *sources, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        give_up(path, "not there");
    }
    if (!S_ISDIR(status.st_mode)) {
        add_file(sources, path, (size_t)status.st_size);
        return;
    }
    size_t first = sources->count;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char full[PATH_SIZE];
        int length = snprintf(full, sizeof(full), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof(full) &&
            stat(full, &status) == 0 && S_ISREG(status.st_mode)) {
            add_file(sources, full, (size_t)status.st_size);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    if (sources->count > first) {
        qsort(sources->items + first, sources->count - first, sizeof(source_t), by_path);
    }
}

static void forget(sources_t *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->items[i].path);
        free(sources->items[i].bytes);
    }
    free(sources->items);
}

/* --- Crashes ------------------------------------------------------------------------------ */

/* Sanitizers end a process by exit unless told otherwise, and we would not see it. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "abort_on_error=1:detect_leaks=1";
}

const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void keep_crash(int signal_number)
{
    static const char SAID[] = "\ncrash or hang: the input is in ";
    int file = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    bool kept = file >= 0 && current != NULL &&
                write(file, (const void *)current, current_size) == (ssize_t)current_size;
    if (kept && write(STDERR_FILENO, SAID, sizeof(SAID) - 1) > 0 &&
        write(STDERR_FILENO, crash_path, strlen(crash_path)) > 0) {
        (void)close(file);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void watch_for_crashes(void)
{
    static const int SIGNALS[] = {SIGABRT, SIGALRM, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = keep_crash};
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
        sigaction(SIGNALS[i], &action, NULL);
    }
}

/* --- Runs --------------------------------------------------------------------------------- */

/* In a buffer of exactly this size: a sanitizer sees the first byte beyond it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = allocate(size);
    memcpy(exact, data, size);
    current = exact;
    current_size = size;
    alarm(HANG_S);
    (void)LLVMFuzzerTestOneInput(exact, size);
    current = NULL;
    free(exact);
}

static void run_mutated(const source_t *source)
{
    static uint8_t data[CAPACITY];
    size_t size = source->size;
    memcpy(data, source->bytes, size);
    for (size_t count = 1 + hil_fuzz_below(&dice, 4); count > 0; count--) {
        bool own = hil_fuzz_below(&dice, 3) != 0;
        unsigned int seed = (unsigned int)hil_fuzz_next(&dice);
        size = own ? LLVMFuzzerCustomMutator(data, size, CAPACITY, seed)
                   : LLVMFuzzerMutate(data, size, CAPACITY);
    }
    run(data, size);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s SEED COUNT PATH...\n", argv[0]);
        return 2;
    }
    dice = strtoull(argv[1], NULL, 10) * 2 + 1;
    unsigned long count = strtoul(argv[2], NULL, 10);
    sources_t sources = {NULL, 0};
    for (int i = 3; i < argc; i++) {
        add_path(&sources, argv[i]);
    }
    if (sources.count == 0) {
        give_up(argv[3], "no file to start from");
    }
    watch_for_crashes();
    for (size_t i = 0; i < sources.count; i++) {
        snprintf(crash_path, sizeof(crash_path), "crash-%s-file-%zu", argv[1], i);
        run(sources.items[i].bytes, sources.items[i].size);
    }
    for (unsigned long i = 0; i < count; i++) {
        const source_t *source = &sources.items[hil_fuzz_below(&dice, sources.count)];
        if (i % 256 == 0) {
            fprintf(stderr, "\rinput %lu", i);
        }
        snprintf(crash_path, sizeof(crash_path), "crash-%s-%lu", argv[1], i);
        run_mutated(source);
    }
    fprintf(stderr, "\n");
    printf("%lu executions, seed %s\n", count + (unsigned long)sources.count, argv[1]);
    forget(&sources);
    return 0;
}
