/* The ring of log lines. */
#include "hil_port_log.h"

#include <stdarg.h>
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
static uint32_t first, count, dropped;
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

static int add(const hil_log_level_t *level, const char *format, va_list arguments)
{
    if (xSemaphoreTake(lock, 0) != pdTRUE) {
        return 0; /* a log line never waits; this one is lost without being counted */
    }
    int size = 0;
    if (count == LINES) {
        dropped++;
    } else {
        line_t *line = &lines[(first + count) % LINES];
        size = vsnprintf(line->text, sizeof(line->text), format, arguments);
        line->level = level != NULL ? *level : level_of(line->text);
        tidy(line->text);
        if (line->text[0] != 0) {
            count++;
        }
    }
    xSemaphoreGive(lock);
    return size;
}

static int on_log(const char *format, va_list arguments)
{
    return add(NULL, format, arguments);
}

void hil_port_log_begin(void)
{
    first = 0;
    count = 0;
    dropped = 0;
    lock = xSemaphoreCreateMutexStatic(&lock_memory);
    (void)esp_log_set_vprintf(on_log);
}

void hil_port_log(hil_log_level_t level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)add(&level, format, arguments);
    va_end(arguments);
}

bool hil_port_log_take(char text[HIL_LOG_LINE], hil_log_level_t *level)
{
    bool found = false;
    if (xSemaphoreTake(lock, portMAX_DELAY) != pdTRUE) {
        return false;
    }
    if (dropped > 0) {
        snprintf(text, HIL_LOG_LINE, "%u log lines were dropped", (unsigned)dropped);
        *level = HIL_LOG_WARNING;
        dropped = 0;
        found = true;
    } else if (count > 0) {
        memcpy(text, lines[first].text, HIL_LOG_LINE);
        *level = lines[first].level;
        first = (first + 1) % LINES;
        count--;
        found = true;
    }
    xSemaphoreGive(lock);
    return found;
}
