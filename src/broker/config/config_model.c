/* config_model.c — what a [model NAME] section says to the daemon itself; its other keys are load
 * options and go to the worker. */

#include "config_priv.h"

#include "hearth_wire.h"
#include <inttypes.h>
#include <string.h>

#define MAX_PROGRESS_MS   (UINT64_C(24) * 3600 * 1000)
#define MAX_KEEP_ALIVE_MS (UINT64_C(30) * 24 * 3600 * 1000)

static int set_pinned(struct hearth_config_model *model, const char *value,
                      struct hearth_error *err)
{
    model->is_pinned = strcmp(value, "yes") == 0;
    return model->is_pinned || strcmp(value, "no") == 0
               ? 0
               : hearth_fail(err, HEARTH_E_CONFIG, "\"%.40s\" must be yes or no", value);
}

static int set_keep_alive(struct hearth_config_model *model, const char *value,
                          struct hearth_error *err)
{
    if (strcmp(value, "never") == 0) {
        model->keep_alive_ms = 0;
        return 0;
    }
    if (!config_parse_number(value, false, &model->keep_alive_ms) || model->keep_alive_ms == 0 ||
        model->keep_alive_ms > MAX_KEEP_ALIVE_MS) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "\"%.40s\" must be milliseconds from 1 to %" PRIu64 ", or never", value,
                           MAX_KEEP_ALIVE_MS);
    }
    return 0;
}

static int set_worth(struct hearth_config_model *model, const char *value, struct hearth_error *err)
{
    for (enum hearth_priority class = HEARTH_LOW; class <= HEARTH_CRITICAL; class ++) {
        if (strcmp(hearth_priority_name(class), value) == 0) {
            model->worth = class;
            return 0;
        }
    }
    return hearth_fail(err, HEARTH_E_CONFIG, "\"%.40s\" must be low, normal, high or critical",
                       value);
}

static int set_progress(struct hearth_config_model *model, const char *value,
                        struct hearth_error *err)
{
    model->has_progress_timeout = true;
    if (strcmp(value, "never") == 0) {
        model->progress_timeout_ms = 0;
        return 0;
    }
    if (!config_parse_number(value, false, &model->progress_timeout_ms) ||
        model->progress_timeout_ms == 0 || model->progress_timeout_ms > MAX_PROGRESS_MS) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "\"%.40s\" must be milliseconds from 1 to %" PRIu64 ", or never", value,
                           MAX_PROGRESS_MS);
    }
    return 0;
}

static int print_pinned(const struct hearth_config_model *model, struct hearth_buf *out)
{
    return hearth_buf_printf(out, "%s", model->is_pinned ? "yes" : "no");
}

static int print_keep_alive(const struct hearth_config_model *model, struct hearth_buf *out)
{
    return model->keep_alive_ms == 0 ? hearth_buf_printf(out, "never")
                                     : hearth_buf_printf(out, "%" PRIu64, model->keep_alive_ms);
}

static int print_progress(const struct hearth_config_model *model, struct hearth_buf *out)
{
    return model->progress_timeout_ms == 0
               ? hearth_buf_printf(out, "never")
               : hearth_buf_printf(out, "%" PRIu64, model->progress_timeout_ms);
}

static int print_worth(const struct hearth_config_model *model, struct hearth_buf *out)
{
    return hearth_buf_printf(out, "%s", hearth_priority_name(model->worth));
}

static const struct {
    const char *name;
    int (*set)(struct hearth_config_model *model, const char *value, struct hearth_error *err);
    int (*print)(const struct hearth_config_model *model, struct hearth_buf *out);
} own_keys[] = {
    {"pinned", set_pinned, print_pinned},
    {"keep_alive_ms", set_keep_alive, print_keep_alive},
    {"priority", set_worth, print_worth},
    {"progress_timeout_ms", set_progress, print_progress},
};

int config_take_model_key(struct hearth_config_model *model, const char *key, const char *value,
                          struct hearth_error *err)
{
    for (uint32_t i = 0; i < HEARTH_COUNT(own_keys); i++) {
        if (strcmp(own_keys[i].name, key) != 0) {
            continue;
        }
        if ((model->seen & (1u << i)) != 0) {
            return hearth_fail(err, HEARTH_E_CONFIG, "given twice for this model");
        }
        model->seen |= 1u << i;
        int rc = own_keys[i].set(model, value, err);
        return rc < 0 ? rc : 1;
    }
    return 0;
}

int hearth_config_print_model(const struct hearth_config_model *model, struct hearth_buf *out)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < HEARTH_COUNT(own_keys); i++) {
        if ((model->seen & (1u << i)) != 0) {
            rc = hearth_buf_printf(out, "%s = ", own_keys[i].name);
            rc = rc < 0 ? rc : own_keys[i].print(model, out);
            rc = rc < 0 ? rc : hearth_buf_append(out, "\n", 1);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < model->option_count; i++) {
        rc = hearth_buf_printf(out, "%s = %s\n", model->options[i].key, model->options[i].value);
    }
    return rc;
}
