/* directives.c — reads what directives.h lists. */

#include "directives.h"

#include <string.h>

#define MAX_WAIT_MS   (24u * 3600u * 1000u)
#define MAX_ALLOC_MIB 65536u

static bool has_prefix(struct hearth_slice word, const char *prefix, struct hearth_slice *ret_value)
{
    size_t size = strlen(prefix);
    if (word.size < size || memcmp(word.data, prefix, size) != 0) {
        return false;
    }
    *ret_value = hearth_slice_of(word.data + size, word.size - size);
    return true;
}

/* Reads leading digits; *@ret_unit is what follows them. */
static bool read_digits(struct hearth_slice value, uint64_t most, uint64_t *ret,
                        struct hearth_slice *ret_unit)
{
    uint64_t number = 0;
    size_t used = 0;
    while (used < value.size && value.data[used] >= '0' && value.data[used] <= '9') {
        number = number * 10 + (uint64_t)(value.data[used] - '0');
        used++;
        if (number > most) {
            return false;
        }
    }
    *ret = number;
    *ret_unit = hearth_slice_of(value.data + used, value.size - used);
    return used > 0;
}

static bool read_number(struct hearth_slice value, uint64_t most, uint64_t *ret)
{
    struct hearth_slice unit;
    return read_digits(value, most, ret, &unit) && unit.size == 0;
}

static bool read_wait(struct hearth_slice value, uint64_t *ret_ms)
{
    struct hearth_slice unit;
    uint64_t number = 0;
    if (!read_digits(value, MAX_WAIT_MS, &number, &unit)) {
        return false;
    }
    if (hearth_slice_equals_string(unit, "s")) {
        number *= 1000;
    } else if (!hearth_slice_equals_string(unit, "ms")) {
        return false;
    }
    *ret_ms = number;
    return number <= MAX_WAIT_MS;
}

/* What generators tell of themselves. */
static bool read_told(struct hearth_slice word, struct echo_directives *into)
{
    const struct {
        const char *prefix;
        uint64_t *number;
    } numbers[] = {{"cached:", &into->cached},
                   {"evicted:", &into->evicted},
                   {"pushed:", &into->pushed},
                   {"drafted:", &into->drafted},
                   {"accepted:", &into->accepted}};
    struct hearth_slice value;
    for (size_t i = 0; i < HEARTH_COUNT(numbers); i++) {
        if (has_prefix(word, numbers[i].prefix, &value)) {
            into->is_cached = true;
            return read_number(value, UINT32_MAX, numbers[i].number);
        }
    }
    if (has_prefix(word, "tool:", &value) && into->tool_count < ECHO_MAX_TOOLS && value.size > 0) {
        into->tools[into->tool_count++] = value;
        return true;
    }
    if (hearth_slice_equals_string(word, "full:")) {
        into->is_full = true;
        return true;
    }
    return false;
}

static bool read_directive(struct hearth_slice word, struct echo_directives *into)
{
    struct hearth_slice value;
    if (has_prefix(word, "slow:", &value)) {
        return read_wait(value, &into->slow_ms);
    }
    if (has_prefix(word, "pace:", &value)) {
        return read_wait(value, &into->pace_ms);
    }
    if (has_prefix(word, "alloc:", &value)) {
        return read_number(value, MAX_ALLOC_MIB, &into->alloc_mib);
    }
    if (has_prefix(word, "exit:", &value)) {
        uint64_t status = 0;
        bool is_read = read_number(value, 255, &status);
        into->exit_status = (int)status;
        into->fate = is_read ? ECHO_EXIT : into->fate;
        return is_read;
    }
    static const struct {
        const char *word;
        enum echo_fate fate;
    } fates[] = {{"crash:", ECHO_CRASH}, {"hang:", ECHO_HANG}, {"fail:", ECHO_FAIL}};
    for (size_t i = 0; i < HEARTH_COUNT(fates); i++) {
        if (hearth_slice_equals_string(word, fates[i].word)) {
            into->fate = fates[i].fate;
            return true;
        }
    }
    return read_told(word, into);
}

struct echo_directives echo_read_directives(struct hearth_slice text)
{
    struct echo_directives found = {.fate = ECHO_ANSWER, .rest = text};
    while (found.rest.size > 0) {
        const uint8_t *space = memchr(found.rest.data, ' ', found.rest.size);
        size_t size = space == NULL ? found.rest.size : (size_t)(space - found.rest.data);
        if (!read_directive(hearth_slice_of(found.rest.data, size), &found)) {
            break;
        }
        size_t used = HEARTH_MIN(size + 1, found.rest.size);
        found.rest = hearth_slice_of(found.rest.data + used, found.rest.size - used);
    }
    return found;
}
