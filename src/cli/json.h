/* json.h — one JSON object to print. Running out of memory while it is built ends the program. */

#ifndef HEARTH_CLI_JSON_H
#define HEARTH_CLI_JSON_H

#include "hearth_cli.h"

#include <yyjson.h>

struct cli_json {
    yyjson_mut_doc *doc;
    yyjson_mut_val *root; /* the object */
};

void cli_json_begin(struct cli_json *json);
/** Prints it on one line and flushes. */
void cli_json_print(struct cli_json *json);
void cli_json_cleanup(struct cli_json *json);

/** Adds "usage": counts and times. */
void cli_json_add_usage(struct cli_json *json, const hearth_usage *usage);
/** Adds "token_ids" to @object: what was generated. */
void cli_json_add_ids(struct cli_json *json, yyjson_mut_val *object, const hearth_item *item);
/** Adds one model to @array. */
void cli_json_add_model(struct cli_json *json, yyjson_mut_val *array, const hearth_model *model);
/** Adds the fields of a model to @object. */
void cli_json_fill_model(struct cli_json *json, yyjson_mut_val *object, const hearth_model *model);
/** Adds "shape" to @object; a size that may be any is null. */
void cli_json_add_shape(struct cli_json *json, yyjson_mut_val *object, const uint32_t *shape,
                        size_t rank);
/** Adds count, sum, quantiles and buckets to @object. */
void cli_json_add_histogram(struct cli_json *json, yyjson_mut_val *object,
                            const hearth_metric_histogram *histogram);
/** Adds the fields of a report to the object itself. */
void cli_json_add_health(struct cli_json *json, const hearth_health_report *report);

#endif
