/* A word of a shared file as memory that a reset leaves alone. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hil_runner_crumb.h"

bool hil_runner_crumb_open(hil_runner_crumb_t *crumb, const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    void *memory = MAP_FAILED;
    if (lseek(file, 0, SEEK_END) >= (off_t)sizeof(uint32_t)) {
        memory = mmap(NULL, sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    close(file);
    if (memory == MAP_FAILED) {
        return false;
    }
    crumb->word = memory;
    crumb->last = *crumb->word;
    *crumb->word = 0;
    return true;
}

void hil_runner_crumb_node(hil_runner_crumb_t *crumb, uint32_t node_index)
{
    if (crumb->word != NULL) {
        *crumb->word = node_index + 1;
    }
}

void hil_runner_crumb_idle(hil_runner_crumb_t *crumb)
{
    if (crumb->word != NULL) {
        *crumb->word = 0;
    }
}

bool hil_runner_crumb_tell(hil_runner_crumb_t *crumb, const char *reset_reason, char *text,
                           size_t size)
{
    if (crumb->last == 0) {
        return false;
    }
    snprintf(text, size, "the last boot ended in node %u of a run (%s)",
             (unsigned)(crumb->last - 1), reset_reason);
    crumb->last = 0;
    return true;
}
