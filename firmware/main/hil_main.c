/* The runner's entry on a chip. The main task is the server's task from then on. */
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "hil_board.h"

/* Short, so that a line that is not the active one is heard soon; above the inference task. */
#define WAIT_MS 20u
#define SERVER_PRIORITY 10

void app_main(void);

void app_main(void)
{
    static hil_board_t board;
    vTaskPrioritySet(NULL, SERVER_PRIORITY);
    hil_board_begin(&board);
    for (;;) {
        hil_board_step(&board, WAIT_MS);
        if (board.line_count == 0) {
            vTaskDelay(pdMS_TO_TICKS(WAIT_MS)); /* nothing to wait on */
        }
    }
}
