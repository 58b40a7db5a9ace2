/* report.c — how this program says that something went wrong. */

#include "hearth_cli.h"
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int exit_code_of(int code)
{
    bool is_usage = code == HEARTH_E_ARGUMENT || code == HEARTH_E_CONFIG;
    return code == HEARTH_E_NO_DAEMON ? CLI_NO_DAEMON : is_usage ? CLI_USAGE : CLI_FAILED;
}

int cli_report(const struct cli_settings *settings, const struct hearth_error *err)
{
    fflush(stdout);
    if (ferror(stdout)) {
        return exit_code_of(err->code); /* that is told at the end, and is why */
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_val *error = yyjson_mut_obj_add_obj(json.doc, json.root, "error");
        yyjson_mut_obj_add_str(json.doc, error, "name", hearth_error_name(err->code));
        yyjson_mut_obj_add_int(json.doc, error, "code", -err->code);
        yyjson_mut_obj_add_strcpy(json.doc, error, "message", err->text);
        yyjson_mut_obj_add_str(json.doc, error, "remedy", hearth_error_remedy(err->code));
        cli_json_print(&json);
    }
    const char *sentence = hearth_error_sentence(err->code);
    if (strstr(err->text, sentence) != NULL) { /* not "deadline passed: deadline passed" */
        fprintf(stderr, "hearth: %s\n", err->text);
    } else {
        fprintf(stderr, "hearth: %s%s%s\n", sentence, err->text[0] != '\0' ? ": " : "", err->text);
    }
    fprintf(stderr, "  try: %s\n", hearth_error_remedy(err->code));
    return exit_code_of(err->code);
}

void cli_print_foreign(const char *text, int width)
{
    int shown = 0;
    for (const char *at = text; *at != '\0'; at++, shown++) {
        /* in UTF-8 there are some above 0x7f as well */
        bool is_long = (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;
        bool is_control = is_long || (unsigned char)at[0] < ' ' || at[0] == 0x7f;
        putchar(is_control ? '?' : at[0]);
        at += is_long;
    }
    printf("%*s", HEARTH_MAX(width - shown, 0), "");
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "hearth%s%s: ", command != NULL ? " " : "",
            command != NULL ? command->name : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  try: hearth %s%s--help\n", command != NULL ? command->name : "",
            command != NULL ? " " : "");
    return CLI_USAGE;
}
