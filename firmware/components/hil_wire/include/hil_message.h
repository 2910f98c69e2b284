/* Numbers of docs/protocol.md: message types, codings, states, flags. Append, never renumber. */
#ifndef HIL_MESSAGE_H
#define HIL_MESSAGE_H

#include <stdint.h>

typedef enum {
    HIL_MSG_HELLO = 0x01,
    HIL_MSG_MODEL_BEGIN = 0x02,
    HIL_MSG_MODEL_DATA = 0x03,
    HIL_MSG_MODEL_COMMIT = 0x04,
    HIL_MSG_LOAD = 0x05,
    HIL_MSG_OUTPUTS = 0x06,
    HIL_MSG_INPUT = 0x07,
    HIL_MSG_TEST_INPUTS = 0x08,
    HIL_MSG_CAPTURE = 0x09,
    HIL_MSG_RUN = 0x0A,
    HIL_MSG_NODES = 0x0B,
    HIL_MSG_LATENCIES = 0x0C,
    HIL_MSG_READ_OUTPUT = 0x0D,
    HIL_MSG_READ_CAPTURE = 0x0E,
    HIL_MSG_MEMORY = 0x0F,
    HIL_MSG_RESET_STATE = 0x10,
    HIL_MSG_MODEL_ERASE = 0x11,
    HIL_MSG_REBOOT = 0x12,
    HIL_MSG_BAUD = 0x13,
    HIL_MSG_LOG = 0x70,
    HIL_MSG_ALIVE = 0x71,
    HIL_MSG_ANSWER = 0x80, /* added to the type of the request */
    HIL_MSG_ERROR = 0xFF
} hil_message_t;

/* The first type that no request has: what a board says unasked, and answers (a line's echo). */
#define HIL_MSG_FIRST_NO_REQUEST 0x70

typedef enum { HIL_CODING_PLAIN = 0, HIL_CODING_ZLIB = 1 } hil_coding_t;
typedef enum { HIL_MODEL_HAVE = 0, HIL_MODEL_SEND = 1 } hil_model_state_t;
typedef enum {
    HIL_LOG_ERROR = 1,
    HIL_LOG_WARNING = 2,
    HIL_LOG_INFO = 3,
    HIL_LOG_DEBUG = 4
} hil_log_level_t;

#define HIL_IDENTITY_VIRTUAL 0x01
#define HIL_IDENTITY_INSTRUCTIONS 0x02 /* latencies count instructions, one to the nanosecond */
#define HIL_RUN_DIGESTS 0x01
#define HIL_RUN_KEEP_STATE 0x02
#define HIL_NO_TEMPERATURE INT16_MIN

#endif
