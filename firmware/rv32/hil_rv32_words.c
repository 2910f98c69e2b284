/* The page of words that the machine finds in memory at reset. */
#include <string.h>

#include "hil_rv32_words.h"

extern char __words_begin[];
extern const char __words_end[];

/* Ends the word at `text` and returns where the next one begins; NULL where it has no end. */
static char *end_word(char *text)
{
    char *end = strchr(text, '\n');
    if (end == NULL) {
        return NULL;
    }
    *end = 0;
    return end + 1;
}

bool hil_rv32_read_settings(hil_settings_t *settings)
{
    /* cppcheck-suppress comparePointers; the linker's names of one page */
    if (memchr(__words_begin, 0, (size_t)(__words_end - __words_begin)) == NULL) {
        return false;
    }
    hil_settings_begin(settings);
    for (char *name = __words_begin; *name != 0;) {
        char *value = end_word(name);
        char *next = value == NULL ? NULL : end_word(value);
        if (next == NULL || !hil_settings_read(settings, name, value)) {
            return false;
        }
        name = next;
    }
    return hil_settings_complete(settings);
}
