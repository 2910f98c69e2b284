/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
#include <pthread.h>
#include "freertos/FreeRTOS.h"
typedef struct {
    pthread_t thread;
    void (*function)(void *);
    void *argument;
} StaticTask_t;
typedef StaticTask_t *TaskHandle_t;
TaskHandle_t xTaskCreateStaticPinnedToCore(void (*function)(void *), const char *name,
                                           uint32_t stack_size, void *argument,
                                           UBaseType_t priority, StackType_t *stack,
                                           StaticTask_t *memory, BaseType_t core);
void vTaskDelay(TickType_t ticks);
void vTaskPrioritySet(TaskHandle_t task, UBaseType_t priority);
UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task);
