/*
 * From reset to main: registers, floating point, memory protection, cleared and painted memory.
 *
 * QEMU's reset code jumps to the start of memory, so `_start` lies there. Two regions are locked
 * against machine mode too: a page below the stack, so that an overflow is a trap and not a wrong
 * number, and the code, which nobody may write.
 */
    .equ MSTATUS_FS_INITIAL_DIRTY, 0x6000
    .equ STACK_PAINT, 0xA5A5A5A5
    .equ GUARD_NAPOT, 0x1000 / 8 - 1    /* of a page, in the low bits of pmpaddr */
    .equ PMP_CONFIG, 0x8D0098           /* 0: locked page; 1: off; 2: locked, read, execute, TOR */
    .equ FRAME_BYTES, 128

    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, __stack_top
    la tp, __tls_base
    la t0, trap
    csrw mtvec, t0

    li t0, MSTATUS_FS_INITIAL_DIRTY
    csrs mstatus, t0
    fscsr zero

    la t0, __stack_guard
    srli t0, t0, 2
    ori t0, t0, GUARD_NAPOT
    csrw pmpaddr0, t0
    la t0, __text_begin
    srli t0, t0, 2
    csrw pmpaddr1, t0
    la t0, __text_end
    srli t0, t0, 2
    csrw pmpaddr2, t0
    li t0, PMP_CONFIG
    csrw pmpcfg0, t0

    la t0, __bss_begin
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  la t0, __stack_bottom
    li t1, STACK_PAINT
3:  bgeu t0, sp, 4f
    sw t1, 0(t0)
    addi t0, t0, 4
    j 3b
4:  call main
    li a0, 0
    j hil_rv32_exit

/* Every trap is the end: the registers go to the panic text. It has a stack of its own. */
    .balign 4
trap:
    csrw mscratch, sp
    la sp, __trap_stack_top
    addi sp, sp, -FRAME_BYTES
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sw x\n, (4 * \n)(sp)
    .endr
    csrr t0, mscratch
    sw t0, 8(sp)
    csrr t0, mepc
    sw t0, 0(sp)
    mv a0, sp
    j hil_rv32_panic
