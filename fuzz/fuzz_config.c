/* hearthd.conf. What is accepted prints to something that is accepted again and prints the same. */

#include "hearth_config.h"

int hearth_fuzz_config(const uint8_t *data, size_t size);

static int print(const struct hearth_config *config, struct hearth_buf *out)
{
    int rc = hearth_buf_append(out, "[daemon]\n", 9);
    return rc < 0 ? rc : hearth_config_print(config, out);
}

static void check_round_trip(const struct hearth_config *config)
{
    struct hearth_config again;
    struct hearth_error err = {0};
    struct hearth_buf first;
    struct hearth_buf second;
    hearth_buf_init(&first, 1u << 20);
    hearth_buf_init(&second, 1u << 20);
    HEARTH_ASSERT(hearth_config_init(&again, &err) == 0 && print(config, &first) == 0);
    /* A list of many short names prints longer than a line may be: then there is nothing to ask. */
    if (hearth_config_parse(&again, hearth_buf_slice(&first), "again", &err) == 0) {
        HEARTH_ASSERT(print(&again, &second) == 0);
        HEARTH_ASSERT(hearth_slice_equal(hearth_buf_slice(&first), hearth_buf_slice(&second)));
    }
    hearth_buf_finish(&first);
    hearth_buf_finish(&second);
    hearth_config_finish(&again);
}

int hearth_fuzz_config(const uint8_t *data, size_t size)
{
    struct hearth_config config;
    struct hearth_error err = {0};
    HEARTH_ASSERT(hearth_config_init(&config, &err) == 0);
    if (hearth_config_parse(&config, hearth_slice_of(data, size), "fuzz", &err) == 0) {
        check_round_trip(&config);
    } else {
        HEARTH_ASSERT(err.text[0] != '\0');
    }
    hearth_config_finish(&config);
    return 0;
}
