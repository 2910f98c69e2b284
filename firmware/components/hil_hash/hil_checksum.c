/* CRC-32 and Adler-32. */
#include "hil_hash.h"

/* Remainders of the sixteen nibbles for the reflected polynomial EDB88320: 64 bytes instead of the
 * usual 1 KiB, at two look-ups a byte. */
static const uint32_t NIBBLE_REMAINDER[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
    0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
    0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t hil_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *byte = data;
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= byte[i];
        crc = crc >> 4 ^ NIBBLE_REMAINDER[crc & 15];
        crc = crc >> 4 ^ NIBBLE_REMAINDER[crc & 15];
    }
    return ~crc;
}

#define ADLER_MODULUS 65521u
/* The largest count of bytes after which neither sum has left 32 bits. */
#define ADLER_RUN 5552u

uint32_t hil_adler32(uint32_t adler, const void *data, size_t size)
{
    const uint8_t *byte = data;
    uint32_t low = adler & 0xFFFF;
    uint32_t high = adler >> 16;
    while (size > 0) {
        size_t run = size < ADLER_RUN ? size : ADLER_RUN;
        for (size_t i = 0; i < run; i++) {
            low += byte[i];
            high += low;
        }
        low %= ADLER_MODULUS;
        high %= ADLER_MODULUS;
        byte += run;
        size -= run;
    }
    return high << 16 | low;
}
