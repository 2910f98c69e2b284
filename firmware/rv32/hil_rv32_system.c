/* QEMU's `virt` machine: PLIC, 16550 console, test finisher. Addresses are from its memory map. */
#include <stdbool.h>
#include <stddef.h>

#include "hil_rv32_io.h"
#include "hil_rv32_system.h"

#define FINISHER 0x00100000u
#define FINISHER_PASS 0x5555u
#define FINISHER_FAIL 0x3333u

#define PLIC_PRIORITY 0x0C000000u
#define PLIC_ENABLE 0x0C002000u /* context 0: machine mode of hart 0 */
#define PLIC_THRESHOLD 0x0C200000u
#define PLIC_CLAIM 0x0C200004u
#define MIE_EXTERNAL (1u << 11)

#define CONSOLE_DATA 0x10000000u
#define CONSOLE_STATUS 0x10000005u
#define CONSOLE_CAN_SEND 0x20u

#define STACK_PAINT 0xA5A5A5A5u

extern const uint32_t __stack_bottom[];
extern const uint32_t __stack_top[];

/* --- Clock and waiting -------------------------------------------------------------------- */

uint64_t hil_rv32_instructions(void)
{
    uint32_t low;
    uint32_t high;
    uint32_t again;
    do { /* NOLINT(bugprone-infinite-loop): the instructions change what is compared */
        __asm__ volatile("csrr %0, minstreth" : "=r"(high));
        __asm__ volatile("csrr %0, minstret" : "=r"(low));
        __asm__ volatile("csrr %0, minstreth" : "=r"(again));
        /* cppcheck-suppress uninitvar; the instructions set them */
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

void hil_rv32_enable_interrupt(uint32_t number)
{
    hil_rv32_store32(PLIC_PRIORITY + 4 * number, 1);
    hil_rv32_store32(PLIC_ENABLE, hil_rv32_load32(PLIC_ENABLE) | 1u << number);
    hil_rv32_store32(PLIC_THRESHOLD, 0);
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
}

void hil_rv32_wait_for_interrupt(void)
{
    /* Interrupts are off in mstatus, so what is pending ends the wait and is not taken. */
    __asm__ volatile("wfi" ::: "memory");
}

void hil_rv32_clear_interrupts(void)
{
    for (;;) {
        uint32_t number = hil_rv32_load32(PLIC_CLAIM);
        if (number == 0) {
            return;
        }
        hil_rv32_store32(PLIC_CLAIM, number);
    }
}

/* --- Stack -------------------------------------------------------------------------------- */

uint32_t hil_rv32_stack_size(void)
{
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)__stack_bottom);
}

uint32_t hil_rv32_stack_high_water(void)
{
    const uint32_t *word = __stack_bottom;
    /* cppcheck-suppress comparePointers; the linker's names of one stretch of memory */
    while (word < __stack_top && *word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)word);
}

/* --- The ways to end ---------------------------------------------------------------------- */

void hil_rv32_exit(uint32_t code)
{
    hil_rv32_store32(FINISHER, code == 0 ? FINISHER_PASS : FINISHER_FAIL | code << 16);
    for (;;) {
        hil_rv32_wait_for_interrupt();
    }
}

static void say(const char *text)
{
    for (; *text != 0; text++) {
        while ((hil_rv32_load8(CONSOLE_STATUS) & CONSOLE_CAN_SEND) == 0) {
        }
        hil_rv32_store8(CONSOLE_DATA, (uint8_t)*text);
    }
}

static void say_hex(uint32_t value)
{
    char text[] = "0x00000000";
    for (size_t i = sizeof(text) - 2; i >= 2; i--, value >>= 4) {
        text[i] = "0123456789abcdef"[value & 15];
    }
    say(text);
}

static void say_register(const char *name, uint32_t value)
{
    say(name);
    say(": ");
    say_hex(value);
}

void hil_rv32_die(const char *why, uint32_t code)
{
    say("\r\nE app: ");
    say(why);
    say("\r\n");
    hil_rv32_exit(code);
}

/* The words of ESP-IDF's panic handler, by mcause. */
static const char *cause_name(uint32_t cause)
{
    static const char *const NAMES[] = {
        "Instruction address misaligned",
        "Instruction access fault",
        "Illegal instruction",
        "Breakpoint",
        "Load address misaligned",
        "Load access fault",
        "Store address misaligned",
        "Store access fault",
    };
    return cause < sizeof(NAMES) / sizeof(NAMES[0]) ? NAMES[cause] : "Unknown reason";
}

void hil_rv32_panic(const uint32_t registers[32])
{
    static const char *const NAMES[32] = {
        "MEPC    ", "RA      ", "SP      ", "GP      ", "TP      ", "T0      ", "T1      ",
        "T2      ", "S0/FP   ", "S1      ", "A0      ", "A1      ", "A2      ", "A3      ",
        "A4      ", "A5      ", "A6      ", "A7      ", "S2      ", "S3      ", "S4      ",
        "S5      ", "S6      ", "S7      ", "S8      ", "S9      ", "S10     ", "S11     ",
        "T3      ", "T4      ", "T5      ", "T6      "};
    static bool fell; /* a trap while telling of a trap */
    uint32_t status;
    uint32_t vector;
    uint32_t cause;
    uint32_t value;
    __asm__ volatile("csrr %0, mstatus" : "=r"(status));
    __asm__ volatile("csrr %0, mtvec" : "=r"(vector));
    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    __asm__ volatile("csrr %0, mtval" : "=r"(value));
    if (!fell) {
        fell = true;
        say("\r\nGuru Meditation Error: Core  0 panic'ed (");
        say(cause_name(cause));
        say("). Exception was unhandled.\r\n\r\nCore  0 register dump:\r\n");
        for (size_t i = 0; i < 32; i++) {
            say_register(NAMES[i], registers[i]);
            say(i % 4 == 3 ? "\r\n" : "  ");
        }
        say_register("MSTATUS ", status);
        say_register("  MTVEC   ", vector);
        say_register("  MCAUSE  ", cause);
        say_register("  MTVAL   ", value);
        say("\r\n\r\nRebooting...\r\n");
    }
    hil_rv32_exit(HIL_RV32_EXIT_PANIC);
}
