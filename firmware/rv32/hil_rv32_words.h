/* What the host tells the image: words that it puts into memory before reset. */
#ifndef HIL_RV32_WORDS_H
#define HIL_RV32_WORDS_H

#include <stdbool.h>

#include "hil_runner_settings.h"

/*
 * Reads the settings from the words page (link.ld): name, newline, value, newline and so on, then
 * a zero byte. Strings stay there. False: not understood.
 */
bool hil_rv32_read_settings(hil_settings_t *settings);

#endif
