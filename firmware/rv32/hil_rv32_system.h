/* The machine below the runner: clock, interrupts that end waiting, stack, the ways to end. */
#ifndef HIL_RV32_SYSTEM_H
#define HIL_RV32_SYSTEM_H

#include <stdint.h>

/* Exit codes as the board understands them (docs/virtual-boards.md). */
#define HIL_RV32_EXIT_USAGE 2
#define HIL_RV32_EXIT_REBOOT 64
#define HIL_RV32_EXIT_PANIC 66

/*
 * Retired instructions, each counted as one nanosecond. Under `-icount shift=0` the count depends
 * on the program and its data only: not on the machine below, its load, or the line.
 */
uint64_t hil_rv32_instructions(void);

/* Lets interrupt `number` end `hil_rv32_wait_for_interrupt`; none is ever taken. */
void hil_rv32_enable_interrupt(uint32_t number);
/* Returns at once if one came since the last `hil_rv32_clear_interrupts`. */
void hil_rv32_wait_for_interrupt(void);
void hil_rv32_clear_interrupts(void);

uint32_t hil_rv32_stack_size(void);
/* Most bytes of the stack that were ever in use. */
uint32_t hil_rv32_stack_high_water(void);

_Noreturn void hil_rv32_exit(uint32_t code);
/* Ends with a reason on the console, which the board shows on its line. */
_Noreturn void hil_rv32_die(const char *why, uint32_t code);
/* The end of every trap: `registers` are x0 to x31, with the program counter for x0. */
_Noreturn void hil_rv32_panic(const uint32_t registers[32]);

#endif
