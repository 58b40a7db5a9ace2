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
/* load.c: loads @name as the settings say; a dry run is told on standard output at once. */
int cli_load(const struct cli_settings *settings, hearth_client *client, const char *name,
             const hearth_load_report **ret_report, struct hearth_error *err);
void cli_print_evictions(const hearth_load_report *report, const char *what);
void cli_json_add_load(struct cli_json *json, const hearth_load_report *report);

int cli_show_model(const struct cli_settings *settings, hearth_client *client, const char *name,
                   struct hearth_error *err);

#endif
