/* utf8_wide.c — whether a text is UTF-8, sixteen bytes at a time.
 *
 * The method of John Keiser and Daniel Lemire, "Validating UTF-8 in less than one instruction per
 * byte" (2020): what is wrong with two neighbouring bytes can be told from three of their four
 * nibbles. Each nibble looks up the set of faults that it does not rule out; a fault that none of
 * the three rules out is there. Third and fourth bytes of a character are found by the first. */

#include "utf8_wide.h"

#ifdef __x86_64__

#include <string.h>
#include <tmmintrin.h>

enum {
    TOO_SHORT = 1 << 0,  /* a character is cut */
    TOO_LONG = 1 << 1,   /* a continuation follows ASCII */
    OVERLONG_3 = 1 << 2, /* E0 80..9F */
    TOO_LARGE = 1 << 3,  /* F4 90..BF, F5..FF: over U+10FFFF */
    SURROGATE = 1 << 4,  /* ED A0..BF */
    OVERLONG_2 = 1 << 5, /* C0, C1 */
    FOUR_RANGE = 1 << 6, /* F0 80..8F, overlong; F5..FF 80..8F */
    TWO_CONTS = 1 << 7,  /* right only as third or fourth byte, which is checked apart */
    ANY_FIRST = TOO_SHORT | TOO_LONG | TWO_CONTS, /* what the low nibble cannot rule out */
};

#define ABOVE_F4 (ANY_FIRST | TOO_LARGE | FOUR_RANGE)
#define CONT     (TOO_LONG | OVERLONG_2 | TWO_CONTS)

/* By the high nibble of the first byte, its low nibble, and the high nibble of the second. */
static const uint8_t first_high[16] = {TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TOO_LONG,
                                       TWO_CONTS,
                                       TWO_CONTS,
                                       TWO_CONTS,
                                       TWO_CONTS,
                                       TOO_SHORT | OVERLONG_2,
                                       TOO_SHORT,
                                       TOO_SHORT | OVERLONG_3 | SURROGATE,
                                       TOO_SHORT | TOO_LARGE | FOUR_RANGE};
static const uint8_t first_low[16] = {ANY_FIRST | OVERLONG_2 | OVERLONG_3 | FOUR_RANGE,
                                      ANY_FIRST | OVERLONG_2,
                                      ANY_FIRST,
                                      ANY_FIRST,
                                      ANY_FIRST | TOO_LARGE,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4,
                                      ABOVE_F4 | SURROGATE,
                                      ABOVE_F4,
                                      ABOVE_F4};
static const uint8_t second_high[16] = {TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        CONT | OVERLONG_3 | FOUR_RANGE,
                                        CONT | OVERLONG_3 | TOO_LARGE,
                                        CONT | SURROGATE | TOO_LARGE,
                                        CONT | SURROGATE | TOO_LARGE,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT,
                                        TOO_SHORT};

#define WIDE __attribute__((target("ssse3")))

static WIDE __m128i load(const void *at)
{
    return _mm_loadu_si128(at);
}

static WIDE __m128i high_nibbles(__m128i bytes)
{
    return _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0F));
}

/* Not zero where something is wrong in @now, given the sixteen bytes before it. */
static WIDE __m128i faults(__m128i now, __m128i before)
{
    __m128i first = _mm_alignr_epi8(now, before, 15);
    __m128i pair = _mm_and_si128(
        _mm_and_si128(_mm_shuffle_epi8(load(first_high), high_nibbles(first)),
                      _mm_shuffle_epi8(load(first_low), _mm_and_si128(first, _mm_set1_epi8(0x0F)))),
        _mm_shuffle_epi8(load(second_high), high_nibbles(now)));
    /* The high bit is left where the byte two before is E0 or more, or three before F0 or more. */
    __m128i is_third = _mm_subs_epu8(_mm_alignr_epi8(now, before, 14), _mm_set1_epi8(0xE0 - 0x80));
    __m128i is_fourth = _mm_subs_epu8(_mm_alignr_epi8(now, before, 13), _mm_set1_epi8(0xF0 - 0x80));
    __m128i must_follow =
        _mm_and_si128(_mm_or_si128(is_third, is_fourth), _mm_set1_epi8((char)TWO_CONTS));
    return _mm_xor_si128(must_follow, pair);
}

static WIDE bool is_valid(struct hearth_slice text)
{
    uint8_t rest[16] = {0}; /* zeros behind the text show a character that is cut by its end */
    __m128i before = _mm_setzero_si128();
    __m128i wrong = before;
    size_t at = 0;
    for (; text.size - at >= sizeof rest; at += sizeof rest) {
        __m128i now = load(text.data + at);
        wrong = _mm_or_si128(wrong, faults(now, before));
        before = now;
    }
    memcpy(rest, text.data + at, text.size - at);
    wrong = _mm_or_si128(wrong, faults(load(rest), before));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) == 0xFFFF;
}

bool utf8_wide_is_valid(struct hearth_slice text)
{
    return __builtin_cpu_supports("ssse3") != 0 && is_valid(text);
}

#else

bool utf8_wide_is_valid(struct hearth_slice text)
{
    (void)text;
    return false;
}

#endif
