/* The ring of log lines. */
#include "hil_port_log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"

#define LINES 32u

typedef struct {
    hil_log_level_t level;
    char text[HIL_LOG_LINE];
} line_t;

static line_t lines[LINES];
static uint32_t first, count;
static atomic_uint dropped;
/* What came since the last line end: ESP-IDF's second log format (IDF >= 5.5) writes in pieces. */
static char pending[HIL_LOG_LINE];
static size_t pending_size;
static StaticSemaphore_t lock_memory;
static SemaphoreHandle_t lock;

/* "E (123) tag: text" or, in colour, "\033[0;31mE (123) tag: text\033[0m". */
static hil_log_level_t level_of(const char *text)
{
    while (*text == '\033') {
        const char *end = strchr(text, 'm');
        if (end == NULL) {
            break;
        }
        text = end + 1;
    }
    switch (*text) {
    case 'E':
        return HIL_LOG_ERROR;
    case 'W':
        return HIL_LOG_WARNING;
    case 'I':
        return HIL_LOG_INFO;
    default:
        return HIL_LOG_DEBUG;
    }
}

/* What the host shows: no colours, no line end. */
static void tidy(char *text)
{
    char *to = text;
    for (const char *from = text; *from != 0; from++) {
        if (*from == '\033') {
            const char *end = strchr(from, 'm');
            if (end == NULL) {
                break;
            }
            from = end;
        } else if (*from != '\r' && *from != '\n') {
            *to++ = *from;
        }
    }
    *to = 0;
}

static void push(hil_log_level_t level, const char *text)
{
    if (count == LINES) {
        atomic_fetch_add(&dropped, 1);
        return;
    }
    line_t *line = &lines[(first + count) % LINES];
    line->level = level;
    snprintf(line->text, sizeof(line->text), "%s", text);
    count++;
}

/* Where ESP_LOGx ends: any task's, with ESP-IDF's own format in front and a line end behind. */
static int on_log(const char *format, va_list arguments)
{
    if (xSemaphoreTake(lock, 0) != pdTRUE) {
        atomic_fetch_add(&dropped, 1); /* a log line never waits */
        return 0;
    }
    size_t room = sizeof(pending) - pending_size;
    int size = vsnprintf(pending + pending_size, room, format, arguments);
    bool full = size >= 0 && (size_t)size >= room;
    pending_size += full ? room - 1 : (size_t)(size > 0 ? size : 0);
    if (full || (pending_size > 0 && pending[pending_size - 1] == '\n')) {
        hil_log_level_t level = level_of(pending);
        tidy(pending);
        if (pending[0] != 0) {
            push(level, pending);
        }
        pending_size = 0;
    }
    xSemaphoreGive(lock);
    return size;
}

void hil_port_log_begin(void)
{
    first = 0;
    count = 0;
    atomic_store(&dropped, 0);
    pending_size = 0;
    lock = xSemaphoreCreateMutexStatic(&lock_memory);
    (void)esp_log_set_vprintf(on_log);
}

void hil_port_log(hil_log_level_t level, const char *format, ...)
{
    char text[HIL_LOG_LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (xSemaphoreTake(lock, 0) != pdTRUE) {
        atomic_fetch_add(&dropped, 1);
        return;
    }
    push(level, text);
    xSemaphoreGive(lock);
}

bool hil_port_log_take(char text[HIL_LOG_LINE], hil_log_level_t *level)
{
    unsigned missing = atomic_exchange(&dropped, 0);
    if (missing > 0) {
        snprintf(text, HIL_LOG_LINE, "%u log lines were dropped", missing);
        *level = HIL_LOG_WARNING;
        return true;
    }
    bool found = false;
    if (xSemaphoreTake(lock, portMAX_DELAY) != pdTRUE) {
        return false;
    }
    if (count > 0) {
        memcpy(text, lines[first].text, HIL_LOG_LINE);
        *level = lines[first].level;
        first = (first + 1) % LINES;
        count--;
        found = true;
    }
    xSemaphoreGive(lock);
    return found;
}
