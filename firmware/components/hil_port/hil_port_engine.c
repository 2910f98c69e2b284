/* Load, unload, run and reset in the inference task; all other calls go straight to the engine. */
#include "hil_port_engine.h"

#include "esp_heap_caps.h"
#include "hil_port_crumb.h"
#include "hil_port_memory.h"

/* A call on its way to the inference task. */
typedef struct {
    hil_port_engine_t *engine;
    const hil_engine_config_t *config;
    const uint8_t *model;
    size_t model_size;
    uint32_t cores;
    const hil_observer_t *observer;
    hil_error_t *error;
    hil_status_t status;
} call_t;

/* The face is the first member, and shares the inner engine's state. */
static hil_port_engine_t *outer_of(hil_engine_t *engine)
{
    return (hil_port_engine_t *)(void *)engine;
}

static void drop_arena(hil_port_engine_t *engine)
{
    heap_caps_free(engine->arena);
    engine->arena = NULL;
}

/* --- Load --------------------------------------------------------------------------------- */

static void unload_job(void *argument)
{
    hil_port_engine_t *engine = argument;
    engine->inner->unload(engine->inner);
    drop_arena(engine);
}

static void load_job(void *argument)
{
    call_t *call = argument;
    hil_port_engine_t *engine = call->engine;
    hil_engine_config_t config = *call->config;
    unload_job(engine);
    if (engine->wants_arena) {
        config.arena_size = hil_port_largest();
        engine->arena = config.arena_size > 0 ? hil_port_take(config.arena_size) : NULL;
        config.arena = engine->arena;
        if (engine->arena == NULL) {
            *call->error =
                (hil_error_t){.status = HIL_ERR_MEMORY, .what = "load: no memory for the arena"};
            call->status = HIL_ERR_MEMORY;
            return;
        }
    }
    hil_crumb_phase(HIL_CRUMB_LOADING);
    call->status =
        engine->inner->load(engine->inner, &config, call->model, call->model_size, call->error);
    hil_crumb_phase(HIL_CRUMB_IDLE);
    if (call->status != HIL_OK) {
        drop_arena(engine);
    }
}

static hil_status_t load(hil_engine_t *face, const hil_engine_config_t *config,
                         const uint8_t *model, size_t model_size, hil_error_t *error)
{
    call_t call = {
        .engine = outer_of(face),
        .config = config,
        .model = model,
        .model_size = model_size,
        .error = error,
    };
    hil_worker_call(call.engine->worker, load_job, &call);
    return call.status;
}

static void unload(hil_engine_t *face)
{
    hil_worker_call(outer_of(face)->worker, unload_job, outer_of(face));
}

/* --- Run ---------------------------------------------------------------------------------- */

static void node_begin(void *user, uint32_t node_index)
{
    const call_t *call = user;
    hil_crumb_node(node_index);
    atomic_store(&call->engine->node, node_index);
    if (call->engine->before_node != NULL) {
        call->engine->before_node(call->engine->user, node_index);
    }
    if (call->observer->node_begin != NULL) {
        call->observer->node_begin(call->observer->user, node_index);
    }
}

static void node_end(void *user, uint32_t node_index)
{
    const call_t *call = user;
    if (call->observer->node_end != NULL) {
        call->observer->node_end(call->observer->user, node_index);
    }
}

static void node_output(void *user, const hil_node_output_t *output)
{
    const call_t *call = user;
    if (call->observer->node_output != NULL) {
        call->observer->node_output(call->observer->user, output);
    }
}

static void run_job(void *argument)
{
    call_t *call = argument;
    const hil_observer_t observer = {
        .user = call,
        .node_begin = node_begin,
        .node_end = node_end,
        .node_output = node_output,
    };
    hil_engine_t *inner = call->engine->inner;
    hil_crumb_phase(HIL_CRUMB_RUNNING);
    call->status = inner->run(inner, call->cores, &observer, call->error);
    hil_crumb_phase(HIL_CRUMB_IDLE);
}

static hil_status_t run(hil_engine_t *face, uint32_t cores, const hil_observer_t *observer,
                        hil_error_t *error)
{
    static const hil_observer_t nobody = {0};
    hil_port_engine_t *engine = outer_of(face);
    call_t call = {
        .engine = engine,
        .cores = cores,
        .observer = observer != NULL ? observer : &nobody,
        .error = error,
    };
    atomic_store(&engine->node, 0);
    atomic_store(&engine->running, true);
    hil_worker_call(engine->worker, run_job, &call);
    atomic_store(&engine->running, false);
    return call.status;
}

static void reset_job(void *argument)
{
    hil_port_engine_t *engine = argument;
    engine->inner->reset(engine->inner);
}

static void reset(hil_engine_t *face)
{
    hil_worker_call(outer_of(face)->worker, reset_job, outer_of(face));
}

void hil_port_engine_init(hil_port_engine_t *engine, hil_engine_t *inner, hil_worker_t *worker,
                          bool wants_arena)
{
    *engine = (hil_port_engine_t){
        .face = *inner, .inner = inner, .worker = worker, .wants_arena = wants_arena};
    engine->face.load = load;
    engine->face.unload = unload;
    engine->face.run = run;
    engine->face.reset = reset;
}
