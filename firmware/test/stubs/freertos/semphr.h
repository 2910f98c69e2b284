/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <pthread.h>
#include "freertos/FreeRTOS.h"
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool given;
} StaticSemaphore_t;
typedef StaticSemaphore_t *SemaphoreHandle_t;
SemaphoreHandle_t xSemaphoreCreateBinaryStatic(StaticSemaphore_t *memory);
SemaphoreHandle_t xSemaphoreCreateMutexStatic(StaticSemaphore_t *memory);
BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks);
BaseType_t xSemaphoreGive(SemaphoreHandle_t semaphore);
