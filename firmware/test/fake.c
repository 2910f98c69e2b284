/* Faults on request, and what lasts over a reset. */
#define _GNU_SOURCE
#include "fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 64

typedef struct {
    const char *name;
    unsigned count;
} call_t;

static call_t calls[CALLS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

extern char __start_hil_noinit[], __stop_hil_noinit[];

static size_t noinit_size(void)
{
    return (size_t)(__stop_hil_noinit - __start_hil_noinit);
}

static void save(void)
{
    const char *path = getenv("HIL_FAKE_NOINIT");
    FILE *file = path != NULL ? fopen(path, "wb") : NULL;
    if (file != NULL) {
        fwrite(__start_hil_noinit, 1, noinit_size(), file);
        fclose(file);
    }
    path = getenv("HIL_FAKE_COUNTS");
    file = path != NULL ? fopen(path, "w") : NULL;
    if (file != NULL) {
        for (int i = 0; i < CALLS && calls[i].name != NULL; i++) {
            fprintf(file, "%s %u\n", calls[i].name, calls[i].count);
        }
        fclose(file);
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("HIL_FAKE_NOINIT");
    FILE *file = path != NULL ? fopen(path, "rb") : NULL;
    memset(__start_hil_noinit, 0xA5, noinit_size()); /* power-on: anything */
    if (file != NULL) {
        if (fread(__start_hil_noinit, 1, noinit_size(), file) != noinit_size()) {
            abort();
        }
        fclose(file);
    }
    atexit(save);
}

void fake_panic(void)
{
    fputs("Guru Meditation Error: Core  1 panic'ed (LoadProhibited).\n", stderr);
    exit(FAKE_EXIT_PANIC);
}

unsigned fake_setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

static unsigned count_of(const char *name)
{
    for (int i = 0; i < CALLS; i++) {
        if (calls[i].name == NULL) {
            calls[i].name = name;
        }
        if (strcmp(calls[i].name, name) == 0) {
            return ++calls[i].count;
        }
    }
    abort();
}

static bool wants(const char *list, const char *name, unsigned count)
{
    size_t size = strlen(name);
    while (list != NULL) {
        if (strncmp(list, name, size) == 0) {
            const char *end = list + size;
            if (*end == 0 || *end == ',') {
                return true;
            }
            if (*end == '@' && (unsigned)strtoul(end + 1, NULL, 10) == count) {
                return true;
            }
        }
        list = strchr(list, ',');
        list = list != NULL ? list + 1 : NULL;
    }
    return false;
}

bool fake_fails(const char *call)
{
    pthread_mutex_lock(&lock);
    unsigned count = count_of(call);
    pthread_mutex_unlock(&lock);
    return wants(getenv("HIL_FAKE_FAIL"), call, count);
}
