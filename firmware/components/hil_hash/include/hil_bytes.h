/* Little-endian integers in byte arrays: the only way this firmware looks at numbers in bytes. */
#ifndef HIL_BYTES_H
#define HIL_BYTES_H

#include <stdint.h>

static inline uint16_t hil_get_le16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (uint16_t)(from[1] << 8));
}

static inline uint32_t hil_get_le32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static inline uint64_t hil_get_le64(const uint8_t *from)
{
    return (uint64_t)hil_get_le32(from) | (uint64_t)hil_get_le32(from + 4) << 32;
}

static inline uint32_t hil_get_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 |
           (uint32_t)from[3];
}

static inline void hil_put_le16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void hil_put_le32(uint8_t *to, uint32_t value)
{
    hil_put_le16(to, (uint16_t)value);
    hil_put_le16(to + 2, (uint16_t)(value >> 16));
}

static inline void hil_put_le64(uint8_t *to, uint64_t value)
{
    hil_put_le32(to, (uint32_t)value);
    hil_put_le32(to + 4, (uint32_t)(value >> 32));
}

static inline void hil_put_be32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

#endif
