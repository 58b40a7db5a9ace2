#include "kit.h"

#include "progress.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

static void bytes_are_said_in_three_digits(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } known[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.00 kB"},
        {12345, "12.3 kB"},
        {999999, "1.00 MB"},
        {304000, "304 kB"},
        {2393231072, "2.39 GB"},
        {1ull << 40, "1.10 TB"},
        {99949, "99.9 kB"},
        {UINT64_MAX, "18.4 EB"},
    };
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        char room[16];
        pull_bytes_text(known[i].bytes, room);
        assert_string_equal(room, known[i].text);
    }
}

static void the_rate_is_of_what_came_now_and_tells_the_rest(void **state)
{
    char line[PULL_PROGRESS_BYTES];
    struct pull_progress progress = {.label = "model.gguf"};
    (void)state;
    progress.total_bytes = 1000000000;
    progress.begun_bytes = 400000000; /* from an earlier run: no merit of this one */
    progress.bytes = 500000000;
    pull_progress_line(&progress, 10 * SECOND, line);
    assert_string_equal(line,
                        "model.gguf                50 % 500 MB of 1.00 GB, 10.0 MB/s, 50 s left");
    progress.begun_bytes = 499000000;
    pull_progress_line(&progress, 10 * SECOND, line);
    assert_non_null(strstr(line, "100 kB/s, 83 min 20 s left"));
    progress.begun_bytes = 499999000;
    pull_progress_line(&progress, 10 * SECOND, line);
    assert_non_null(strstr(line, "100 B/s, 1388 h left"));
}

static void what_is_not_known_is_not_invented(void **state)
{
    char line[PULL_PROGRESS_BYTES];
    struct pull_progress progress = {.label = "a"};
    (void)state;
    pull_progress_line(&progress, 0, line);
    assert_non_null(strstr(line, "0 B of ?, -/s, ? left"));
    progress.total_bytes = 100;
    progress.bytes = 40;
    progress.begun_bytes = 40;
    pull_progress_line(&progress, SECOND, line);
    assert_non_null(strstr(line, "40 % 40 B of 100 B, -/s, ? left"));
}

static void the_longest_line_fits_a_terminal(void **state)
{
    char line[PULL_PROGRESS_BYTES];
    struct pull_progress progress = {.label = "a-name-of-thirty-one-characters"};
    (void)state;
    progress.total_bytes = UINT64_MAX;
    progress.begun_bytes = 10000000000000000000u;
    progress.bytes = progress.begun_bytes + 1;
    pull_progress_line(&progress, 1000 * SECOND, line);
    assert_true(strlen(line) < PULL_PROGRESS_BYTES);
}

KIT_MAIN(cmocka_unit_test(bytes_are_said_in_three_digits),
         cmocka_unit_test(the_rate_is_of_what_came_now_and_tells_the_rest),
         cmocka_unit_test(what_is_not_known_is_not_invented),
         cmocka_unit_test(the_longest_line_fits_a_terminal))
