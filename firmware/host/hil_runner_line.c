/* The board's line on stdin and stdout. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hil_runner_line.h"

static bool prepare(int file)
{
    struct termios mode;
    if (tcgetattr(file, &mode) == 0) {
        cfmakeraw(&mode);
        if (tcsetattr(file, TCSANOW, &mode) != 0) {
            return false;
        }
    }
    int flags = fcntl(file, F_GETFL);
    return flags >= 0 && fcntl(file, F_SETFL, flags | O_NONBLOCK) == 0;
}

bool hil_line_open(hil_line_t *line)
{
    line->begin = 0;
    line->end = 0;
    line->closed = false;
    return prepare(STDIN_FILENO) && prepare(STDOUT_FILENO);
}

static bool has_room(const hil_line_t *line)
{
    return line->begin > 0 || line->end < sizeof(line->received);
}

static void receive(hil_line_t *line)
{
    if (line->begin > 0) {
        memmove(line->received, line->received + line->begin, line->end - line->begin);
        line->end -= line->begin;
        line->begin = 0;
    }
    ssize_t size =
        read(STDIN_FILENO, line->received + line->end, sizeof(line->received) - line->end);
    if (size > 0) {
        line->end += (size_t)size;
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        line->closed = true;
    }
}

/* Waits until bytes came, or `writable` and stdout takes some. */
static void wait_for(hil_line_t *line, bool writable, int timeout_ms)
{
    bool readable = !line->closed && has_room(line);
    struct pollfd files[2] = {
        {.fd = readable ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = writable ? STDOUT_FILENO : -1, .events = POLLOUT},
    };
    if (poll(files, 2, timeout_ms) > 0 && files[0].revents != 0) {
        receive(line);
    }
}

void hil_line_wait(hil_line_t *line, int timeout_ms)
{
    wait_for(line, false, timeout_ms);
}

const uint8_t *hil_line_peek(const hil_line_t *line, size_t *size)
{
    *size = line->end - line->begin;
    return line->received + line->begin;
}

void hil_line_drop(hil_line_t *line, size_t size)
{
    line->begin += size;
    if (line->begin == line->end) {
        line->begin = 0;
        line->end = 0;
    }
}

void hil_line_write(hil_line_t *line, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t taken = write(STDOUT_FILENO, data, size);
        if (taken > 0) {
            data += taken;
            size -= (size_t)taken;
        } else if (taken < 0 && errno != EAGAIN && errno != EINTR) {
            exit(EXIT_SUCCESS); /* the cable is out: nothing to say and nobody to say it to */
        } else {
            wait_for(line, true, -1);
        }
    }
}
