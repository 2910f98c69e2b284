/*
 * A virtio-serial port behind virtio-mmio, with interrupts that only end waiting.
 *
 * Source: Virtual I/O Device (VIRTIO) 1.1, sections 2.6 (split queues), 4.2 (MMIO), 5.3 (console).
 * The law of this file: nothing is lost in either direction; the device waits for the driver and
 * the driver for the device.
 */
#include "hil_rv32_io.h"
#include "hil_rv32_line.h"
#include "hil_rv32_system.h"

#define SLOTS 0x10001000u
#define SLOT_SIZE 0x1000u
#define SLOT_COUNT 8u
#define FIRST_INTERRUPT 1u

enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE = 0x008,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SELECT = 0x024,
    REG_QUEUE_SELECT = 0x030,
    REG_QUEUE_SIZE_MAX = 0x034,
    REG_QUEUE_SIZE = 0x038,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT = 0x060,
    REG_INTERRUPT_DONE = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESCRIPTORS = 0x080, /* each of the three: low word, high word */
    REG_QUEUE_AVAILABLE = 0x090,
    REG_QUEUE_USED = 0x0A0,
};

#define MAGIC 0x74726976u
#define MODERN 2u
#define DEVICE_CONSOLE 3u
#define FEATURE_MULTIPORT (1u << 1) /* word 0 */
#define FEATURE_VERSION_1 (1u << 0) /* word 1 */
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u

#define PORT 1u
#define QUEUE_CONTROL_IN 2u
#define QUEUE_CONTROL_OUT 3u
#define QUEUE_RECEIVE 4u /* of port 1; port 0 is for a console */
#define QUEUE_SEND 5u
#define EVENT_DEVICE_READY 0u
#define EVENT_PORT_READY 3u
#define EVENT_PORT_OPEN 6u

#define CONTROL_DEPTH 4u
#define CONTROL_BYTES 64u
#define DEPTH 16u
#define BUFFER_BYTES 4096u
#define DEVICE_WRITES 2u

typedef struct {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
} descriptor_t;

typedef struct {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[DEPTH];
} available_t;

typedef struct {
    uint32_t id;
    uint32_t size;
} used_element_t;

typedef struct {
    uint16_t flags;
    uint16_t index;
    used_element_t ring[DEPTH];
} used_t;

typedef struct {
    _Alignas(16) descriptor_t descriptors[DEPTH];
    _Alignas(4) available_t available;
    _Alignas(4) used_t used;
    uint16_t seen; /* how far we have followed `used` */
} queue_t;

typedef struct {
    uint32_t port;
    uint16_t event;
    uint16_t value;
} control_t;

static uintptr_t device;
static queue_t events;
static queue_t control;
static queue_t receive;
static queue_t send;
static control_t event_buffers[CONTROL_DEPTH][CONTROL_BYTES / sizeof(control_t)];
static uint8_t buffers[DEPTH][BUFFER_BYTES];

/* --- Queues ------------------------------------------------------------------------------- */

static void set_address(uint32_t reg, const void *memory)
{
    hil_rv32_store32(device + reg, (uint32_t)(uintptr_t)memory);
    hil_rv32_store32(device + reg + 4, 0);
}

static bool start_queue(uint32_t number, queue_t *queue)
{
    hil_rv32_store32(device + REG_QUEUE_SELECT, number);
    if (hil_rv32_load32(device + REG_QUEUE_SIZE_MAX) < DEPTH) {
        return false;
    }
    hil_rv32_store32(device + REG_QUEUE_SIZE, DEPTH);
    set_address(REG_QUEUE_DESCRIPTORS, queue->descriptors);
    set_address(REG_QUEUE_AVAILABLE, &queue->available);
    set_address(REG_QUEUE_USED, &queue->used);
    hil_rv32_store32(device + REG_QUEUE_READY, 1);
    return true;
}

static void offer(queue_t *queue, uint32_t number, uint16_t descriptor)
{
    queue->available.ring[queue->available.index % DEPTH] = descriptor;
    hil_rv32_fence();
    queue->available.index++;
    hil_rv32_fence();
    hil_rv32_store32(device + REG_QUEUE_NOTIFY, number);
}

static bool has_used(const queue_t *queue)
{
    hil_rv32_fence();
    return *(const volatile uint16_t *)&queue->used.index != queue->seen;
}

static void offer_to_write(queue_t *queue, uint32_t number, uint16_t descriptor, void *buffer,
                           uint32_t size)
{
    queue->descriptors[descriptor] = (descriptor_t){
        .address = (uint64_t)(uintptr_t)buffer, .size = size, .flags = DEVICE_WRITES};
    offer(queue, number, descriptor);
}

/* What the device tells of its ports. A line that was closed is the end, as a pipe's is. */
static void follow_events(void)
{
    while (has_used(&events)) {
        uint16_t buffer = (uint16_t)(events.used.ring[events.seen % DEPTH].id % CONTROL_DEPTH);
        const control_t *message = event_buffers[buffer];
        events.seen++;
        if (message->port == PORT && message->event == EVENT_PORT_OPEN && message->value == 0) {
            hil_rv32_exit(0);
        }
        offer_to_write(&events, QUEUE_CONTROL_IN, buffer, event_buffers[buffer], CONTROL_BYTES);
    }
}

/* Cleared before asked: what comes after the question ends the wait at once. */
static void wait_until_used(const queue_t *queue)
{
    for (;;) {
        hil_rv32_store32(device + REG_INTERRUPT_DONE, hil_rv32_load32(device + REG_INTERRUPT));
        hil_rv32_clear_interrupts();
        if (has_used(queue)) {
            return;
        }
        follow_events();
        hil_rv32_wait_for_interrupt();
    }
}

static void put(queue_t *queue, uint32_t number, const void *data, size_t size)
{
    queue->descriptors[0] =
        (descriptor_t){.address = (uint64_t)(uintptr_t)data, .size = (uint32_t)size};
    offer(queue, number, 0);
    wait_until_used(queue);
    queue->seen++;
}

static void tell(uint32_t port, uint16_t event)
{
    control_t message = {.port = port, .event = event, .value = 1};
    put(&control, QUEUE_CONTROL_OUT, &message, sizeof(message));
}

/* --- Start -------------------------------------------------------------------------------- */

static bool find_device(uint32_t *interrupt)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        device = SLOTS + slot * SLOT_SIZE;
        if (hil_rv32_load32(device + REG_MAGIC) == MAGIC &&
            hil_rv32_load32(device + REG_VERSION) == MODERN &&
            hil_rv32_load32(device + REG_DEVICE) == DEVICE_CONSOLE) {
            *interrupt = FIRST_INTERRUPT + slot;
            return true;
        }
    }
    return false;
}

static bool agree(void)
{
    uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    hil_rv32_store32(device + REG_STATUS, 0);
    hil_rv32_store32(device + REG_STATUS, status);
    hil_rv32_store32(device + REG_DRIVER_FEATURES_SELECT, 0);
    hil_rv32_store32(device + REG_DRIVER_FEATURES, FEATURE_MULTIPORT);
    hil_rv32_store32(device + REG_DRIVER_FEATURES_SELECT, 1);
    hil_rv32_store32(device + REG_DRIVER_FEATURES, FEATURE_VERSION_1);
    status |= STATUS_FEATURES_OK;
    hil_rv32_store32(device + REG_STATUS, status);
    if ((hil_rv32_load32(device + REG_STATUS) & STATUS_FEATURES_OK) == 0 ||
        !start_queue(QUEUE_CONTROL_IN, &events) || !start_queue(QUEUE_CONTROL_OUT, &control) ||
        !start_queue(QUEUE_RECEIVE, &receive) || !start_queue(QUEUE_SEND, &send)) {
        return false;
    }
    hil_rv32_store32(device + REG_STATUS, status | STATUS_DRIVER_OK);
    return true;
}

bool hil_rv32_line_open(void)
{
    uint32_t interrupt;
    if (!find_device(&interrupt) || !agree()) {
        return false;
    }
    hil_rv32_enable_interrupt(interrupt);
    for (uint16_t i = 0; i < CONTROL_DEPTH; i++) {
        offer_to_write(&events, QUEUE_CONTROL_IN, i, event_buffers[i], CONTROL_BYTES);
    }
    for (uint16_t i = 0; i < DEPTH; i++) {
        offer_to_write(&receive, QUEUE_RECEIVE, i, buffers[i], BUFFER_BYTES);
    }
    tell(0, EVENT_DEVICE_READY);
    tell(PORT, EVENT_PORT_READY);
    tell(PORT, EVENT_PORT_OPEN);
    return true;
}

/* --- Traffic ------------------------------------------------------------------------------ */

static const used_element_t *oldest(void)
{
    return &receive.used.ring[receive.seen % DEPTH];
}

const uint8_t *hil_rv32_line_wait(size_t *size)
{
    wait_until_used(&receive);
    const used_element_t *element = oldest();
    *size = element->size < BUFFER_BYTES ? element->size : BUFFER_BYTES;
    return buffers[element->id % DEPTH];
}

void hil_rv32_line_release(void)
{
    uint16_t descriptor = (uint16_t)(oldest()->id % DEPTH);
    receive.seen++;
    offer(&receive, QUEUE_RECEIVE, descriptor);
}

void hil_rv32_line_write(const uint8_t *data, size_t size)
{
    if (size > 0) {
        put(&send, QUEUE_SEND, data, size);
    }
}
