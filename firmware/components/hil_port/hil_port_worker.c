/* The inference task and the rendezvous with it. */
#include "hil_port_worker.h"

#define PRIORITY 5 /* below the server's, so that ALIVE is said on a single core too */

static void work(void *argument)
{
    hil_worker_t *worker = argument;
    for (;;) {
        if (xSemaphoreTake(worker->go, portMAX_DELAY) == pdTRUE) {
            worker->job(worker->argument);
            xSemaphoreGive(worker->done);
        }
    }
}

void hil_worker_begin(hil_worker_t *worker, void (*meanwhile)(void *user), void *user)
{
    worker->meanwhile = meanwhile;
    worker->user = user;
    /* Static creation cannot fail. */
    worker->go = xSemaphoreCreateBinaryStatic(&worker->go_memory);
    worker->done = xSemaphoreCreateBinaryStatic(&worker->done_memory);
    worker->task = xTaskCreateStaticPinnedToCore(work, "hil_infer", HIL_WORKER_STACK, worker,
                                                 PRIORITY, worker->stack, &worker->task_memory,
                                                 CONFIG_HIL_INFERENCE_CORE);
}

void hil_worker_call(hil_worker_t *worker, void (*job)(void *argument), void *argument)
{
    worker->job = job;
    worker->argument = argument;
    xSemaphoreGive(worker->go);
    while (xSemaphoreTake(worker->done, pdMS_TO_TICKS(HIL_WORKER_WAIT_MS)) != pdTRUE) {
        worker->meanwhile(worker->user);
    }
    /* Once more: what the job logged last goes out before its answer. */
    worker->meanwhile(worker->user);
}

uint32_t hil_worker_stack_used(const hil_worker_t *worker)
{
    /* ESP-IDF counts stacks in bytes. */
    return HIL_WORKER_STACK - (uint32_t)uxTaskGetStackHighWaterMark(worker->task);
}
