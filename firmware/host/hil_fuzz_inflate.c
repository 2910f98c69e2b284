/*
 * Fuzz target of the streaming inflate: 4 bytes of promised size, then a zlib stream.
 *
 * The invariant: no more comes out than was promised; the end is HIL_OK or HIL_ERR_INFLATE with a
 * text; done means exactly the promised bytes; and the result does not depend on the cut.
 */
#include <string.h>

#include "hil_bytes.h"
#include "hil_fuzz.h"
#include "hil_hash.h"
#include "hil_inflate.h"

#define HEAD 4
#define PROMISE_MAX (96u << 10) /* the window wraps twice, and an input stays cheap */
#define PIECES_MAX 64

typedef struct {
    uint32_t size;
    uint32_t adler;
} output_t;

static hil_status_t take(void *user, const uint8_t *data, size_t size)
{
    output_t *output = user;
    output->size += (uint32_t)size;
    output->adler = hil_adler32(output->adler, data, size);
    return HIL_OK;
}

typedef struct {
    hil_status_t status;
    bool done;
    output_t output;
} outcome_t;

static outcome_t inflate_in_pieces(const uint8_t *coded, size_t size, uint32_t promised,
                                   uint64_t dice)
{
    static hil_inflate_t inflate;
    outcome_t outcome = {HIL_OK, false, {0, 1}};
    hil_inflate_begin(&inflate, promised, take, &outcome.output);
    size_t at = 0;
    for (int piece = 0; at < size; piece++) {
        bool cut = dice != 0 && piece < PIECES_MAX;
        size_t length = cut ? 1 + hil_fuzz_below(&dice, 12) : size - at;
        length = length < size - at ? length : size - at;
        outcome.status = hil_inflate_feed(&inflate, coded + at, length);
        at += length;
    }
    outcome.done = hil_inflate_done(&inflate);
    HIL_FUZZ_REQUIRE(outcome.output.size <= promised);
    HIL_FUZZ_REQUIRE(outcome.status == HIL_OK || outcome.status == HIL_ERR_INFLATE);
    HIL_FUZZ_REQUIRE(outcome.status == HIL_OK || inflate.what != NULL);
    HIL_FUZZ_REQUIRE(!outcome.done ||
                     (outcome.status == HIL_OK && outcome.output.size == promised));
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD) {
        return 0;
    }
    uint32_t promised = hil_get_le32(data) % (PROMISE_MAX + 1);
    const uint8_t *coded = data + HEAD;
    outcome_t whole = inflate_in_pieces(coded, size - HEAD, promised, 0);
    outcome_t cut = inflate_in_pieces(coded, size - HEAD, promised, hil_xxh64(data, size, 0) | 1);
    HIL_FUZZ_REQUIRE(whole.status == cut.status && whole.done == cut.done);
    HIL_FUZZ_REQUIRE(!whole.done || whole.output.adler == cut.output.adler);
    return 0;
}

/* Makes header, promise and checksum fit what the changed blocks give, if they end at all. */
static void make_fit(uint8_t *data, size_t size)
{
    static hil_inflate_t inflate;
    output_t output = {0, 1};
    if (size < HEAD + 6) {
        return;
    }
    data[HEAD] = 0x78;
    data[HEAD + 1] = 0xDA;
    hil_inflate_begin(&inflate, PROMISE_MAX, take, &output);
    hil_status_t status = hil_inflate_feed(&inflate, data + HEAD, size - HEAD);
    if (status == HIL_OK || inflate.produced > 0) {
        hil_put_le32(data, inflate.produced);
        hil_put_be32(data + size - 4, output.adler);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed)
{
    uint64_t dice = hil_fuzz_dice(seed);
    size = LLVMFuzzerMutate(data, size, capacity);
    if (hil_fuzz_below(&dice, 2) == 0) {
        make_fit(data, size);
    }
    return size;
}
