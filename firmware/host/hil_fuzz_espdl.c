/*
 * Mutations of an .espdl file that keep it one.
 *
 * A walk with the engine's own bounded reader collects the places of fields by kind; a mutation
 * changes one of them: a dimension, an exponent, an element type, an attribute, a name that a node
 * refers to, the length of a list, a list's element, a field's presence, a parameter's bytes.
 */
#include "hil_fuzz_espdl.h"

#include "../components/hil_ref_engine/hil_espdl.h"
#include "hil_bytes.h"
#include "hil_fuzz.h"

typedef enum {
    PLACE_I64,    /* a dimension, an exponent, an integer attribute */
    PLACE_I32,    /* an element type */
    PLACE_F32,    /* a float attribute */
    PLACE_STRING, /* a reference to a name */
    PLACE_TABLE,  /* a reference to a table in a list */
    PLACE_LENGTH, /* the count of a list */
    PLACE_ENTRY,  /* a field's slot in a vtable: 0 takes it away */
    PLACE_BYTE    /* somewhere in a parameter */
} place_kind_t;

typedef struct {
    uint32_t at; /* in the payload */
    place_kind_t kind;
} place_t;

#define PLACES_MAX 4096

typedef struct {
    place_t places[PLACES_MAX];
    uint32_t count;
    uint32_t end; /* the last place with 8 bytes: a malformed file names others */
} places_t;

static void add(places_t *places, uint32_t at, place_kind_t kind)
{
    if (at != 0 && at <= places->end && places->count < PLACES_MAX) {
        places->places[places->count++] = (place_t){at, kind};
    }
}

/* Where a field's slot in the vtable and its content lie; 0 where it is absent. */
static uint32_t field(hil_reader_t *reader, places_t *places, hil_table_t table, uint32_t number)
{
    if (table.at == 0 || number >= table.field_count) {
        return 0;
    }
    uint32_t slot = table.vtable + 4 + 2 * number;
    uint16_t offset = hil_read_u16(reader, slot);
    if (offset == 0) {
        return 0;
    }
    add(places, slot, PLACE_ENTRY);
    return table.at + offset;
}

static void list(hil_reader_t *reader, places_t *places, hil_table_t table, uint32_t number,
                 uint32_t element_size, place_kind_t kind)
{
    (void)field(reader, places, table, number);
    hil_vector_t vector = hil_field_vector(reader, table, number, element_size);
    add(places, vector.at != 0 ? vector.at - 4 : 0, PLACE_LENGTH);
    for (uint32_t i = 0; i < vector.count && i < 64; i++) {
        add(places, vector.at + element_size * i, kind);
    }
}

static void tensors(hil_reader_t *reader, places_t *places, hil_vector_t vector)
{
    for (uint32_t i = 0; i < vector.count && i < 64; i++) {
        hil_table_t table = hil_vector_table(reader, vector, i);
        add(places, vector.at + 4 * i, PLACE_TABLE);
        list(reader, places, table, 0, 8, PLACE_I64);
        list(reader, places, table, 13, 8, PLACE_I64);
        add(places, field(reader, places, table, 1), PLACE_I32);
        add(places, field(reader, places, table, 6), PLACE_STRING);
        list(reader, places, table, 8, 16, PLACE_BYTE);
    }
}

static void values(hil_reader_t *reader, places_t *places, hil_vector_t vector)
{
    for (uint32_t i = 0; i < vector.count && i < 64; i++) {
        hil_table_t table = hil_vector_table(reader, vector, i);
        add(places, vector.at + 4 * i, PLACE_TABLE);
        add(places, field(reader, places, table, 0), PLACE_STRING);
        list(reader, places, table, 3, 8, PLACE_I64);
        hil_table_t type = hil_field_table(reader, table, 1);
        hil_table_t tensor_type = hil_field_table(reader, type, 1);
        add(places, field(reader, places, tensor_type, 0), PLACE_I32);
        hil_table_t shape = hil_field_table(reader, tensor_type, 1);
        hil_vector_t dims = hil_field_vector(reader, shape, 0, 4);
        list(reader, places, shape, 0, 4, PLACE_TABLE);
        for (uint32_t j = 0; j < dims.count && j < HIL_MAX_RANK; j++) {
            hil_table_t dim = hil_vector_table(reader, dims, j);
            add(places, field(reader, places, hil_field_table(reader, dim, 0), 1), PLACE_I64);
        }
    }
}

static void attributes(hil_reader_t *reader, places_t *places, hil_vector_t vector)
{
    for (uint32_t i = 0; i < vector.count && i < 64; i++) {
        hil_table_t table = hil_vector_table(reader, vector, i);
        add(places, field(reader, places, table, 0), PLACE_STRING);
        add(places, field(reader, places, table, 3), PLACE_I32);
        add(places, field(reader, places, table, 4), PLACE_F32);
        add(places, field(reader, places, table, 5), PLACE_I64);
        list(reader, places, table, 6, 1, PLACE_BYTE);
        list(reader, places, table, 11, 8, PLACE_I64);
    }
}

static void nodes(hil_reader_t *reader, places_t *places, hil_vector_t vector)
{
    for (uint32_t i = 0; i < vector.count && i < 64; i++) {
        hil_table_t table = hil_vector_table(reader, vector, i);
        add(places, vector.at + 4 * i, PLACE_TABLE);
        list(reader, places, table, 0, 4, PLACE_STRING);
        list(reader, places, table, 1, 4, PLACE_STRING);
        add(places, field(reader, places, table, 2), PLACE_STRING);
        add(places, field(reader, places, table, 3), PLACE_STRING);
        list(reader, places, table, 5, 4, PLACE_TABLE);
        attributes(reader, places, hil_field_vector(reader, table, 5, 4));
    }
}

static void collect(hil_espdl_t *espdl, places_t *places)
{
    hil_reader_t *reader = &espdl->reader;
    hil_table_t graph = hil_field_table(reader, hil_read_root(reader), 7);
    static const uint32_t LISTS[] = {0, 2, 4, 5, 6, 8};
    for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
        list(reader, places, graph, LISTS[i], 4, PLACE_TABLE);
    }
    nodes(reader, places, espdl->nodes);
    tensors(reader, places, espdl->initializers);
    values(reader, places, espdl->inputs);
    values(reader, places, espdl->outputs);
    values(reader, places, espdl->value_infos);
    tensors(reader, places, espdl->test_inputs);
}

static uint64_t another_number(uint64_t number, uint64_t *dice)
{
    static const uint64_t WILD[] = {0,          1,          2,          7,           8,
                                    15,         16,         17,         31,          127,
                                    128,        255,        65535,      65536,       0x0FFFFFFF,
                                    0x10000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFFu, 0x100000000};
    uint64_t wild = WILD[hil_fuzz_below(dice, sizeof(WILD) / sizeof(WILD[0]))];
    switch (hil_fuzz_below(dice, 6)) {
    case 0:
        return number + 1;
    case 1:
        return number - 1;
    case 2:
        return 2 * number;
    case 3:
        return 0 - number;
    case 4:
        return hil_fuzz_below(dice, 40);
    default:
        return hil_fuzz_below(dice, 4) == 0 ? 0 - wild : wild;
    }
}

/* Another place of the same kind, to point at what that one points at. */
static uint32_t partner(const places_t *places, place_t place, uint64_t *dice)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        place_t other = places->places[hil_fuzz_below(dice, places->count)];
        if (other.kind == place.kind && other.at != place.at) {
            return other.at;
        }
    }
    return place.at;
}

static void change(uint8_t *payload, const places_t *places, place_t place, uint64_t *dice)
{
    uint8_t *at = payload + place.at;
    switch (place.kind) {
    case PLACE_I64:
        hil_put_le64(at, another_number(hil_get_le64(at), dice));
        break;
    case PLACE_I32:
        hil_put_le32(at, (uint32_t)hil_fuzz_below(dice, 17));
        break;
    case PLACE_F32: {
        static const uint32_t FLOATS[] = {0,          0x3F800000, 0xBF800000, 0x7F800000,
                                          0x7FC00000, 0x00000001, 0x7F7FFFFF, 0x34000000};
        hil_put_le32(at, hil_fuzz_below(dice, 2) == 0 ? FLOATS[hil_fuzz_below(dice, 8)]
                                                      : (uint32_t)hil_fuzz_next(dice));
        break;
    }
    case PLACE_STRING:
    case PLACE_TABLE: {
        uint32_t other = partner(places, place, dice);
        hil_put_le32(at, other + hil_get_le32(payload + other) - place.at);
        break;
    }
    case PLACE_LENGTH:
        hil_put_le32(at, (uint32_t)another_number(hil_get_le32(at), dice));
        break;
    case PLACE_ENTRY:
        hil_put_le16(at, hil_fuzz_below(dice, 4) != 0 ? 0 : (uint16_t)hil_fuzz_below(dice, 64));
        break;
    case PLACE_BYTE:
        *at = (uint8_t)hil_fuzz_next(dice);
        break;
    }
}

bool hil_fuzz_espdl_mutate(uint8_t *file, size_t size, uint64_t *dice)
{
    static places_t places;
    hil_espdl_t espdl;
    hil_error_t error;
    if (hil_espdl_open(&espdl, file, size, &error) != HIL_OK) {
        return false;
    }
    if (espdl.reader.size < 8) {
        return false;
    }
    places.count = 0;
    places.end = espdl.reader.size - 8;
    collect(&espdl, &places);
    if (places.count == 0) {
        return false;
    }
    place_t place = places.places[hil_fuzz_below(dice, places.count)];
    change(file + espdl.payload_at, &places, place, dice);
    return true;
}
