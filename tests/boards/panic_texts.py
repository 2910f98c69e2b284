"""What boards print when they go down, in the formats of ESP-IDF 5; the numbers are made up."""

XTENSA_EXCEPTION = """\
Guru Meditation Error: Core  1 panic'ed (StoreProhibited). Exception was unhandled.

Core  1 register dump:
PC      : 0x42008d2f  PS      : 0x00060e30  A0      : 0x8200913c  A1      : 0x3fcb1230
A2      : 0x00000000  A3      : 0x3c0b2048  A4      : 0x00000007  A5      : 0x3fc9a1b4
A6      : 0x00000001  A7      : 0x00000000  A8      : 0x8200a9d0  A9      : 0x3fcb11f0
A10     : 0x00000020  A11     : 0x00000000  A12     : 0x00000001  A13     : 0x00000000
A14     : 0x00000000  A15     : 0x00000000  SAR     : 0x0000001d  EXCCAUSE: 0x0000001d
EXCVADDR: 0x00000010  LBEG    : 0x40056f5c  LEND    : 0x40056f72  LCOUNT  : 0x00000000


Backtrace: 0x42008d2c:0x3fcb1230 0x42009139:0x3fcb1250 0x4200a5e1:0x3fcb1270 |<-CORRUPTED


ELF file SHA256: 5f2d1a0c7

Rebooting...
ESP-ROM:esp32s3-20210327
Build:Mar 27 2021
rst:0xc (RTC_SW_CPU_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)
Saved PC:0x40378e9a
SPIWP:0xee
"""

RISCV_EXCEPTION = """\
Guru Meditation Error: Core  0 panic'ed (Load access fault). Exception was unhandled.

Core  0 register dump:
MEPC    : 0x4000c1a6  RA      : 0x4000b9f2  SP      : 0x4ff1a1f0  GP      : 0x4ff0b800
TP      : 0x4ff1a3c0  T0      : 0x4fc0a7e4  T1      : 0x00000000  T2      : 0x00000000
S0/FP   : 0x00000012  S1      : 0x4ff1a250  A0      : 0x00000000  A1      : 0x00000004
A2      : 0x00000010  A3      : 0x4ff1a204  A4      : 0x00000001  A5      : 0x00000000
A6      : 0x00000000  A7      : 0x00000000  S2      : 0x00000000  S3      : 0x00000000
S4      : 0x00000000  S5      : 0x00000000  S6      : 0x00000000  S7      : 0x00000000
S8      : 0x00000000  S9      : 0x00000000  S10     : 0x00000000  S11     : 0x00000000
T3      : 0x00000000  T4      : 0x00000000  T5      : 0x00000000  T6      : 0x00000000
MSTATUS : 0x00001880  MTVEC   : 0x4ff00003  MCAUSE  : 0x00000005  MTVAL   : 0x00000004
MHARTID : 0x00000000

Stack memory:
4ff1a1f0: 0x00000000 0x4ff1a240 0x00000010 0x4000b9f2 0x00000001 0x00000002 0x00000003 0x00000004
4ff1a210: 0x00000005 0x00000006 0x00000007 0x4000a114 0x00000008 0x00000009 0x0000000a 0x0000000b


ELF file SHA256: 9bac00a1d

Rebooting...
"""

BOTH_CORES = """\
Guru Meditation Error: Core  0 panic'ed (Interrupt wdt timeout on CPU0).

Core  0 register dump:
PC      : 0x40375cb2  PS      : 0x00060734  A0      : 0x8037532a  A1      : 0x3fc97a60

Backtrace: 0x40375caf:0x3fc97a60 0x40375327:0x3fc97a80


Core  1 register dump:
PC      : 0x40378b1e  PS      : 0x00060334  A0      : 0x8200aafe  A1      : 0x3fca0130

Backtrace: 0x40378b1b:0x3fca0130 0x4200aafb:0x3fca0150


ELF file SHA256: 5f2d1a0c7

Rebooting...
rst:0x8 (TG1WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)
"""

ABORT = """\

abort() was called at PC 0x42007a13 on core 1


Backtrace: 0x40375b1e:0x3fcb21a0 0x42007a10:0x3fcb21c0


ELF file SHA256: 5f2d1a0c7

Rebooting...
"""

ASSERTION = """\

assert failed: hil_port_open hil_port_uart.c:61 (handle != NULL)
Core  0 register dump:
MEPC    : 0x4038059c  RA      : 0x403878d4  SP      : 0x3fc92d10  GP      : 0x3fc8b000

Stack memory:
3fc92d10: 0xa5a5a5a5 0xa5a5a5a5

Rebooting...
"""

TASK_WATCHDOG = """\
E (10303) task_wdt: Task watchdog got triggered. \
The following tasks/users did not reset the watchdog in time:
E (10303) task_wdt:  - server (CPU 0)
E (10303) task_wdt: Tasks currently running:
E (10303) task_wdt: CPU 0: server
E (10303) task_wdt: CPU 1: IDLE1
E (10303) task_wdt: Aborting.
E (10303) task_wdt: Print CPU 0 (current core) backtrace


Backtrace: 0x42009e1f:0x3fc99560 0x4200a02a:0x3fc99580


ELF file SHA256: 5f2d1a0c7

Rebooting...
"""

TASK_WATCHDOG_COMPLAINT = TASK_WATCHDOG.split("E (10303) task_wdt: Aborting.", maxsplit=1)[0]

STACK_OVERFLOW = """\

***ERROR*** A stack overflow in task server has been detected.


Backtrace: 0x40375b1e:0x3fcb21a0 0x4037a8e1:0x3fcb21c0

Rebooting...
"""

STACK_CANARY = """\
Guru Meditation Error: Core  0 panic'ed (Unhandled debug exception).
Debug exception reason: Stack canary watchpoint triggered (server)
Core  0 register dump:
PC      : 0x4037b1c2  PS      : 0x00060036  A0      : 0x8037a0e4  A1      : 0x3fcb2090

Backtrace: 0x4037b1bf:0x3fcb2090

Rebooting...
"""

STACK_PROTECTION = """\
Guru Meditation Error: Core  0 panic'ed (Stack protection fault).

Detected in task "server" at 0x42007e28
Stack pointer: 0x3fc93ff0
Stack bounds: 0x3fc94030 - 0x3fc95c20


Core  0 register dump:
MEPC    : 0x42007e28  RA      : 0x42007e2e  SP      : 0x3fc93ff0  GP      : 0x3fc8be00

Stack memory:
3fc93ff0: 0x00000000 0x00000000

Rebooting...
"""

HEAP = """\
CORRUPT HEAP: Bad tail at 0x3fcb4d60. Expected 0xbaad5678 got 0x00ad5678

assert failed: multi_heap_free multi_heap_poisoning.c:279 (head != NULL)


Backtrace: 0x40375b1e:0x3fcb21a0 0x4037a8e1:0x3fcb21c0

Rebooting...
"""

BROWNOUT = """\

E BOD: Brownout detector was triggered

ESP-ROM:esp32s3-20210327
rst:0xf (BROWNOUT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)
"""

HALTED = ABORT.replace("Rebooting...", "CPU halted.")
