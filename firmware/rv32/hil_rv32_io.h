/* Loads and stores of device registers, each exactly once and in order. */
#ifndef HIL_RV32_IO_H
#define HIL_RV32_IO_H

#include <stdint.h>

static inline uint8_t hil_rv32_load8(uintptr_t address)
{
    return *(const volatile uint8_t *)address;
}

static inline uint32_t hil_rv32_load32(uintptr_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline void hil_rv32_store8(uintptr_t address, uint8_t value)
{
    *(volatile uint8_t *)address = value;
}

static inline void hil_rv32_store16(uintptr_t address, uint16_t value)
{
    *(volatile uint16_t *)address = value;
}

static inline void hil_rv32_store32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* Orders memory that a device reads or writes with its registers. */
static inline void hil_rv32_fence(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

#endif
