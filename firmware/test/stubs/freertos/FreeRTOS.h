/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
typedef int BaseType_t;
typedef unsigned int UBaseType_t;
typedef uint32_t TickType_t;
typedef uint8_t StackType_t;
#define pdTRUE 1
#define pdFALSE 0
#define portMAX_DELAY 0xffffffffu
#define portNUM_PROCESSORS 2
#define configTICK_RATE_HZ 1000u
#define pdMS_TO_TICKS(ms) ((TickType_t)(ms))
/* Really in freertos/queue.h, which driver/uart.h brings along. */
typedef struct QueueDefinition *QueueHandle_t;
