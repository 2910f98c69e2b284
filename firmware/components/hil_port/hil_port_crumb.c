/* The crumb in uninitialised RAM. */
#include "hil_port_crumb.h"

#include <stdio.h>

#include "esp_attr.h"

#define MAGIC 0x48494C43u /* "HILC" */

typedef struct {
    uint32_t phase;
    uint32_t node_index;
    uint32_t check; /* MAGIC ^ phase ^ node_index: one word, so that writing is cheap */
} crumb_t;

/* Volatile: nothing reads it in the boot that writes it. */
static volatile __NOINIT_ATTR crumb_t now;
static crumb_t last;
static bool last_is_known;

static void write(uint32_t phase, uint32_t node_index)
{
    now.phase = phase;
    now.node_index = node_index;
    now.check = MAGIC ^ phase ^ node_index;
}

void hil_crumb_begin(void)
{
    last = (crumb_t){.phase = now.phase, .node_index = now.node_index, .check = now.check};
    last_is_known = last.check == (MAGIC ^ last.phase ^ last.node_index);
    write(HIL_CRUMB_IDLE, 0);
}

void hil_crumb_phase(hil_crumb_phase_t phase)
{
    write((uint32_t)phase, 0);
}

void hil_crumb_node(uint32_t node_index)
{
    write(HIL_CRUMB_RUNNING, node_index);
}

bool hil_crumb_describe(char *text, size_t size)
{
    if (!last_is_known || last.phase == HIL_CRUMB_IDLE) {
        return false;
    }
    if (last.phase == HIL_CRUMB_LOADING) {
        snprintf(text, size, "the last boot ended while a model was loaded");
    } else {
        snprintf(text, size, "the last boot ended in node %u of a run", (unsigned)last.node_index);
    }
    return true;
}
