/* The ESP-IDF calls of this firmware on Linux: flash is a file, the line is stdin and stdout. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver/temperature_sensor.h"
#include "driver/uart.h"
#include "driver/usb_serial_jtag.h"
#include "esp_app_desc.h"
#include "esp_chip_info.h"
#include "esp_cpu.h"
#include "esp_heap_caps.h"
#include "esp_log.h"
#include "esp_mac.h"
#include "esp_partition.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "fake.h"
#include "freertos/semphr.h"
#include "tinyusb.h"
#include "tinyusb_cdc_acm.h"

#define SECTOR 4096u
#define NS_PER_MS 1000000

/* --- Heap --------------------------------------------------------------------------------- */

#define BLOCKS 64
#define INTERNAL_BYTES (320u * 1024)

typedef struct {
    void *memory;
    size_t size;
} block_t;

static block_t blocks[BLOCKS];
static size_t used, most_used;

static size_t total_of(uint32_t caps)
{
    if ((caps & MALLOC_CAP_SPIRAM) != 0) {
        return fake_setting("HIL_FAKE_PSRAM", 8u << 20);
    }
    return INTERNAL_BYTES;
}

static size_t large(void)
{
    size_t psram = total_of(MALLOC_CAP_SPIRAM);
    return psram > 0 ? psram : INTERNAL_BYTES;
}

/* Whether these caps name the memory that large pieces come from, the only one kept book of. */
static bool is_large(uint32_t caps)
{
    return total_of(caps) == large();
}

void *heap_caps_aligned_alloc(size_t alignment, size_t size, uint32_t caps)
{
    if (fake_fails("heap_caps_aligned_alloc") || !is_large(caps) || size > large() - used) {
        return NULL;
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].memory == NULL) {
            size_t rounded = (size + alignment - 1) / alignment * alignment;
            blocks[i] = (block_t){aligned_alloc(alignment, rounded), size};
            if (blocks[i].memory == NULL) {
                abort();
            }
            memset(blocks[i].memory, 0xA5, rounded); /* uncleared */
            used += size;
            most_used = used > most_used ? used : most_used;
            return blocks[i].memory;
        }
    }
    abort();
}

void heap_caps_free(void *memory)
{
    for (int i = 0; memory != NULL; i++) {
        if (i == BLOCKS) {
            abort(); /* not ours, or freed twice */
        }
        if (blocks[i].memory == memory) {
            used -= blocks[i].size;
            free(memory);
            blocks[i] = (block_t){0};
            return;
        }
    }
}

size_t heap_caps_get_total_size(uint32_t caps)
{
    return total_of(caps);
}

size_t heap_caps_get_free_size(uint32_t caps)
{
    return total_of(caps) - (is_large(caps) ? used : 0);
}

size_t heap_caps_get_minimum_free_size(uint32_t caps)
{
    return total_of(caps) - (is_large(caps) ? most_used : 0);
}

size_t heap_caps_get_largest_free_block(uint32_t caps)
{
    return heap_caps_get_free_size(caps);
}

/* --- Partition ---------------------------------------------------------------------------- */

static uint8_t *flash;
static bool mapped;

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type,
                                                esp_partition_subtype_t subtype, const char *label)
{
    static esp_partition_t partition;
    struct stat status;
    const char *path = getenv("HIL_FAKE_FLASH");
    int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fake_fails("esp_partition_find_first") || file < 0 || fstat(file, &status) != 0 ||
        type != ESP_PARTITION_TYPE_DATA || subtype != ESP_PARTITION_SUBTYPE_ANY ||
        strcmp(label, "model") != 0) {
        return NULL;
    }
    partition.size = (uint32_t)status.st_size;
    flash = mmap(NULL, partition.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return flash != MAP_FAILED ? &partition : NULL;
}

static bool inside(const esp_partition_t *partition, size_t offset, size_t size)
{
    return offset <= partition->size && size <= partition->size - offset;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *to, size_t size)
{
    if (fake_fails("esp_partition_read") || !inside(partition, offset, size)) {
        return ESP_FAIL;
    }
    memcpy(to, flash + offset, size);
    return ESP_OK;
}

esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *from,
                              size_t size)
{
    const uint8_t *bytes = from;
    if (fake_fails("esp_partition_write") || !inside(partition, offset, size)) {
        return ESP_FAIL;
    }
    for (size_t i = 0; i < size; i++) {
        flash[offset + i] &= bytes[i];
    }
    return ESP_OK;
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size)
{
    if (fake_fails("esp_partition_erase_range") || !inside(partition, offset, size) ||
        (offset | size) % SECTOR != 0) {
        return ESP_FAIL;
    }
    memset(flash + offset, 0xFF, size);
    return ESP_OK;
}

esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t offset, size_t size,
                             esp_partition_mmap_memory_t memory, const void **out,
                             esp_partition_mmap_handle_t *handle)
{
    if (fake_fails("esp_partition_mmap") || !inside(partition, offset, size) || mapped ||
        memory != ESP_PARTITION_MMAP_DATA) {
        return ESP_ERR_NO_MEM;
    }
    mapped = true;
    *out = flash + offset;
    *handle = 1;
    return ESP_OK;
}

void esp_partition_munmap(esp_partition_mmap_handle_t handle)
{
    if (!mapped || handle != 1) {
        abort();
    }
    mapped = false;
}

/* --- Board -------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t esp_timer_get_time(void)
{
    return now_ns() / 1000;
}

esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void)
{
    return (esp_cpu_cycle_count_t)(now_ns() / 4); /* 250 MHz */
}

esp_reset_reason_t esp_reset_reason(void)
{
    return (esp_reset_reason_t)fake_setting("HIL_FAKE_RESET_REASON", ESP_RST_POWERON);
}

void esp_restart(void)
{
    exit(FAKE_EXIT_RESTART);
}

esp_err_t esp_read_mac(uint8_t *mac, esp_mac_type_t type)
{
    static const uint8_t own[6] = {0x02, 0, 0, 0, 0, 7};
    if (fake_fails("esp_read_mac") || type != ESP_MAC_BASE) {
        return ESP_FAIL;
    }
    memcpy(mac, own, sizeof(own));
    return ESP_OK;
}

void esp_chip_info(esp_chip_info_t *info)
{
    *info = (esp_chip_info_t){.model = 9, .revision = 2, .cores = 2};
}

const esp_app_desc_t *esp_app_get_description(void)
{
    static esp_app_desc_t description = {.version = "1.2.3-test", .idf_ver = "v5.5.1"};
    memset(description.app_elf_sha256, 0xCD, sizeof(description.app_elf_sha256));
    return &description;
}

static vprintf_like_t log_to;

vprintf_like_t esp_log_set_vprintf(vprintf_like_t function)
{
    vprintf_like_t before = log_to;
    log_to = function;
    return before;
}

void fake_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (log_to != NULL) {
        (void)log_to(format, arguments);
    }
    va_end(arguments);
}

esp_err_t esp_task_wdt_add(TaskHandle_t task)
{
    (void)task;
    return fake_fails("esp_task_wdt_add") ? ESP_FAIL : ESP_OK;
}

esp_err_t esp_task_wdt_reset(void)
{
    return ESP_OK;
}

esp_err_t temperature_sensor_install(const temperature_sensor_config_t *config,
                                     temperature_sensor_handle_t *sensor)
{
    if (fake_fails("temperature_sensor_install") || config->range_min >= config->range_max) {
        return ESP_FAIL;
    }
    *sensor = malloc(1); /* the driver takes its state from the heap */
    return *sensor != NULL ? ESP_OK : ESP_ERR_NO_MEM;
}

esp_err_t temperature_sensor_uninstall(temperature_sensor_handle_t sensor)
{
    free(sensor);
    return ESP_OK;
}

esp_err_t temperature_sensor_enable(temperature_sensor_handle_t sensor)
{
    (void)sensor;
    return fake_fails("temperature_sensor_enable") ? ESP_FAIL : ESP_OK;
}

esp_err_t temperature_sensor_get_celsius(temperature_sensor_handle_t sensor, float *celsius)
{
    (void)sensor;
    if (fake_fails("temperature_sensor_get_celsius")) {
        return ESP_FAIL;
    }
    *celsius = 41.5f;
    return ESP_OK;
}

/* --- FreeRTOS ----------------------------------------------------------------------------- */

static void *run_task(void *argument)
{
    StaticTask_t *task = argument;
    task->function(task->argument);
    return NULL;
}

TaskHandle_t xTaskCreateStaticPinnedToCore(void (*function)(void *), const char *name,
                                           uint32_t stack_size, void *argument,
                                           UBaseType_t priority, StackType_t *stack,
                                           StaticTask_t *memory, BaseType_t core)
{
    (void)name;
    (void)stack_size;
    (void)priority;
    (void)stack;
    (void)core;
    memory->function = function;
    memory->argument = argument;
    if (pthread_create(&memory->thread, NULL, run_task, memory) != 0) {
        abort();
    }
    return memory;
}

void vTaskDelay(TickType_t ticks)
{
    struct timespec wait = {.tv_sec = ticks / 1000, .tv_nsec = (long)(ticks % 1000) * NS_PER_MS};
    nanosleep(&wait, NULL);
}

void vTaskPrioritySet(TaskHandle_t task, UBaseType_t priority)
{
    (void)task;
    (void)priority;
}

UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task)
{
    return task != NULL ? 9000 : 5000;
}

static SemaphoreHandle_t make(StaticSemaphore_t *memory, bool given)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&memory->mutex, NULL);
    pthread_cond_init(&memory->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    memory->given = given;
    return memory;
}

SemaphoreHandle_t xSemaphoreCreateBinaryStatic(StaticSemaphore_t *memory)
{
    return make(memory, false);
}

SemaphoreHandle_t xSemaphoreCreateMutexStatic(StaticSemaphore_t *memory)
{
    return make(memory, true);
}

BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks)
{
    int64_t end = now_ns() + (int64_t)ticks * NS_PER_MS;
    struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    int problem = 0;
    pthread_mutex_lock(&semaphore->mutex);
    while (!semaphore->given && problem != ETIMEDOUT) {
        problem = ticks == portMAX_DELAY
                      ? pthread_cond_wait(&semaphore->changed, &semaphore->mutex)
                      : pthread_cond_timedwait(&semaphore->changed, &semaphore->mutex, &until);
    }
    bool taken = semaphore->given;
    semaphore->given = false;
    pthread_mutex_unlock(&semaphore->mutex);
    return taken ? pdTRUE : pdFALSE;
}

BaseType_t xSemaphoreGive(SemaphoreHandle_t semaphore)
{
    pthread_mutex_lock(&semaphore->mutex);
    semaphore->given = true;
    pthread_cond_signal(&semaphore->changed);
    pthread_mutex_unlock(&semaphore->mutex);
    return pdTRUE;
}

/* --- Lines -------------------------------------------------------------------------------- */

/* There is one cable, our standard input and output: in UART where that is open, else in native
 * USB, else in USB-Serial-JTAG. */
static bool uart_open;
static bool cdc_open;
static uint32_t uart_baud;

/* The first of these that opens has the pipe. */
static int pipe_read(void *to, uint32_t size, TickType_t ticks)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&in, 1, (int)ticks) <= 0) {
        return 0;
    }
    ssize_t count = read(STDIN_FILENO, to, size);
    if (count == 0) {
        exit(EXIT_SUCCESS); /* the cable is out: the test is over */
    }
    return (int)count;
}

static int pipe_write(const void *from, size_t size)
{
    const char *bytes = from;
    for (size_t at = 0; at < size;) {
        ssize_t count = write(STDOUT_FILENO, bytes + at, size - at);
        if (count <= 0) {
            exit(EXIT_SUCCESS);
        }
        at += (size_t)count;
    }
    return (int)size;
}

esp_err_t uart_driver_install(uart_port_t port, int receive_bytes, int transmit_bytes,
                              int queue_size, QueueHandle_t *queue, int flags)
{
    (void)queue;
    if (fake_fails("uart_driver_install") || port != UART_NUM_0 || receive_bytes <= 128 ||
        transmit_bytes != 0 || queue_size != 0 || flags != 0) {
        return ESP_FAIL;
    }
    uart_open = true;
    return ESP_OK;
}

esp_err_t uart_driver_delete(uart_port_t port)
{
    uart_open = uart_open && port != UART_NUM_0;
    return ESP_OK;
}

esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config)
{
    (void)port;
    uart_baud = (uint32_t)config->baud_rate;
    return fake_fails("uart_param_config") ? ESP_FAIL : ESP_OK;
}

int uart_read_bytes(uart_port_t port, void *to, uint32_t size, TickType_t ticks)
{
    if (fake_fails("uart_read_bytes") || port != UART_NUM_0) {
        return -1;
    }
    return pipe_read(to, size, ticks);
}

int uart_write_bytes(uart_port_t port, const void *from, size_t size)
{
    if (fake_fails("uart_write_bytes") || port != UART_NUM_0) {
        return -1;
    }
    return pipe_write(from, size);
}

esp_err_t uart_get_buffered_data_len(uart_port_t port, size_t *size)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    (void)port;
    /* A pipe tells no count, but a read gives no more than there is. */
    *size = poll(&in, 1, 0) == 1 && (in.revents & POLLIN) != 0 ? 4096 : 0;
    return fake_fails("uart_get_buffered_data_len") ? ESP_FAIL : ESP_OK;
}

esp_err_t uart_wait_tx_done(uart_port_t port, TickType_t ticks)
{
    (void)port;
    (void)ticks;
    return fake_fails("uart_wait_tx_done") ? ESP_ERR_TIMEOUT : ESP_OK;
}

esp_err_t uart_set_baudrate(uart_port_t port, uint32_t baud)
{
    (void)port;
    if (fake_fails("uart_set_baudrate")) {
        return ESP_FAIL;
    }
    uart_baud = baud;
    return ESP_OK;
}

esp_err_t uart_get_baudrate(uart_port_t port, uint32_t *baud)
{
    (void)port;
    *baud = uart_baud;
    return fake_fails("uart_get_baudrate") ? ESP_FAIL : ESP_OK;
}

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *config)
{
    bool fails = fake_fails("usb_serial_jtag_driver_install");
    return fails || config->rx_buffer_size == 0 ? ESP_FAIL : ESP_OK;
}

int usb_serial_jtag_read_bytes(void *to, uint32_t size, TickType_t ticks)
{
    if (uart_open || cdc_open) {
        return 0;
    }
    return fake_fails("usb_serial_jtag_read_bytes") ? 0 : pipe_read(to, size, ticks);
}

int usb_serial_jtag_write_bytes(const void *from, size_t size, TickType_t ticks)
{
    (void)ticks;
    return fake_fails("usb_serial_jtag_write_bytes") ? 0 : pipe_write(from, size);
}

esp_err_t tinyusb_driver_install(const tinyusb_config_t *config)
{
    (void)config;
    return fake_fails("tinyusb_driver_install") ? ESP_FAIL : ESP_OK;
}

esp_err_t tinyusb_cdcacm_init(const tinyusb_config_cdcacm_t *config)
{
    (void)config;
    cdc_open = !fake_fails("tinyusb_cdcacm_init");
    return cdc_open ? ESP_OK : ESP_FAIL;
}

esp_err_t tinyusb_cdcacm_read(tinyusb_cdcacm_itf_t port, uint8_t *to, size_t size, size_t *count)
{
    (void)port;
    if (uart_open || fake_fails("tinyusb_cdcacm_read")) {
        return ESP_ERR_INVALID_STATE;
    }
    *count = (size_t)pipe_read(to, (uint32_t)size, 0);
    return ESP_OK;
}

size_t tinyusb_cdcacm_write_queue(tinyusb_cdcacm_itf_t port, const uint8_t *from, size_t size)
{
    (void)port;
    if (fake_fails("tinyusb_cdcacm_write_queue")) {
        return 0;
    }
    return (size_t)pipe_write(from, size < 64 ? size : 64);
}

esp_err_t tinyusb_cdcacm_write_flush(tinyusb_cdcacm_itf_t port, uint32_t ticks)
{
    (void)port;
    (void)ticks;
    return fake_fails("tinyusb_cdcacm_write_flush") ? ESP_ERR_TIMEOUT : ESP_OK;
}
