/* Status codes shared by every component, and the error that travels to the host. */
#ifndef HIL_STATUS_H
#define HIL_STATUS_H

#include <stdint.h>

#if defined(__GNUC__)
#define HIL_CHECK_RESULT __attribute__((warn_unused_result))
#else
#define HIL_CHECK_RESULT
#endif

/* The numbers are part of the wire protocol: append, never renumber. */
typedef enum {
    HIL_OK = 0,
    HIL_ERR_FORMAT = 1,      /* malformed .espdl */
    HIL_ERR_UNSUPPORTED = 2, /* operator, type or attribute that this engine lacks */
    HIL_ERR_SHAPE = 3,       /* shapes that do not fit together */
    HIL_ERR_MEMORY = 4,      /* arena or store too small */
    HIL_ERR_TARGET = 5,      /* file made for another target */
    HIL_ERR_STATE = 6,       /* request out of order: nothing loaded, nothing run yet */
    HIL_ERR_ARGUMENT = 7,    /* index, name, size or offset out of range */
    HIL_ERR_HASH = 8,        /* bytes do not have the promised SHA-256 */
    HIL_ERR_STORE = 9,       /* model store: flash read, write or erase failed */
    HIL_ERR_INFLATE = 10,    /* deflate stream is broken */
    HIL_ERR_VERSION = 11,    /* protocol version not spoken here */
    HIL_ERR_INTERNAL = 12    /* a bug: an invariant did not hold */
} hil_status_t;

/* Why something failed. All strings are constants or live inside the model file. */
typedef struct {
    hil_status_t status;
    const char *what;   /* constant text, e.g. "conv: pads"; NULL if none */
    const char *node;   /* node name, not NUL-terminated; NULL if none */
    uint32_t node_size; /* bytes of node */
    uint32_t offset;    /* byte offset in the file for HIL_ERR_FORMAT, else 0 */
    const char
        *subject; /* a word of the file that `what` is about, e.g. its target; NULL if none */
    uint32_t subject_size;
} hil_error_t;

#endif
