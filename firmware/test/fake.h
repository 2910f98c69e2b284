/*
 * The host's stand-in for a chip: which calls fail, and how it ends.
 *
 * HIL_FAKE_FAIL is a list of `call` (each time) and `call@n` (the n-th time), with commas between.
 * HIL_FAKE_COUNTS names a file that gets, at the end, how often each call was made.
 */
#ifndef HIL_FAKE_H
#define HIL_FAKE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FAKE_EXIT_RESTART 64
#define FAKE_EXIT_PANIC 66

/* Counts the call; whether it has to fail. */
bool fake_fails(const char *call);
/* Milliseconds that the environment asks for, or 0. */
unsigned fake_setting(const char *name, unsigned otherwise);
/* What ESP_LOGx would write, or a piece of it. */
void fake_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The end by an exception: uninitialised RAM is kept. */
void fake_panic(void) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
