/*
 * The inference task: long calls run there, with a deep stack, while the server's task goes on to
 * say ALIVE, to send logs and to feed the watchdog.
 *
 * The law of this file: only one call is under way at a time, and the caller waits for its end;
 * so what the call touches needs no lock, but for the line.
 */
#ifndef HIL_PORT_WORKER_H
#define HIL_PORT_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#define HIL_WORKER_STACK ((uint32_t)CONFIG_HIL_INFERENCE_STACK)
#define HIL_WORKER_WAIT_MS 100u

typedef struct {
    void (*job)(void *argument);
    void *argument;
    /* Called by the waiting task, every HIL_WORKER_WAIT_MS and at the end. */
    void (*meanwhile)(void *user);
    void *user;
    TaskHandle_t task;
    SemaphoreHandle_t go;
    SemaphoreHandle_t done;
    StaticSemaphore_t go_memory;
    StaticSemaphore_t done_memory;
    StaticTask_t task_memory;
    StackType_t stack[HIL_WORKER_STACK / sizeof(StackType_t)];
} hil_worker_t;

/* Starts the task, on the core that the configuration names. */
void hil_worker_begin(hil_worker_t *worker, void (*meanwhile)(void *user), void *user);
/* Runs `job(argument)` in the task and returns when it is done. */
void hil_worker_call(hil_worker_t *worker, void (*job)(void *argument), void *argument);
/* Most bytes of the stack ever in use. */
uint32_t hil_worker_stack_used(const hil_worker_t *worker);

#endif
