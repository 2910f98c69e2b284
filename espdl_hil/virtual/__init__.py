"""Virtual boards: a process that owns a serial port and behaves like the chip.

The law of this package: what real silicon does comes from its documents and from what the esptool
program accepts; what only a pseudo terminal needs is marked "virtual only" and is listed in
docs/virtual-boards.md.
"""
