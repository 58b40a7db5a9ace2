/* models.h — models as a table, for `models` and `status`. */

#ifndef HEARTH_CLI_MODELS_H
#define HEARTH_CLI_MODELS_H

#include "json.h"

void cli_print_models(const hearth_model_list *list);
void cli_json_add_models(struct cli_json *json, const hearth_model_list *list);

/** Has @name stand for @model and prints what became of it. */
int cli_swap_model(const struct cli_settings *settings, hearth_client *client, const char *name,
                   const char *model, struct hearth_error *err);

/** Has the new alias @name stand for @model; NULL removes it. */
int cli_set_alias(const struct cli_settings *settings, hearth_client *client, const char *name,
                  const char *model, struct hearth_error *err);

/** Prints all about one model. */
int cli_show_model(const struct cli_settings *settings, hearth_client *client, const char *name,
                   struct hearth_error *err);

#endif
