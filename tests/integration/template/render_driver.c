/* render_driver.c — renders templates for a comparison: one JSON object a line in and one out.
 *
 *     render_driver < cases > results
 *
 * A case has `template`, `context` (the variables) and `now_s`; a result has `text` and the
 * stretches of it that are `foreign`, or `error` and its `code`. All of the context is foreign. */

#include "hearth_template.h"

#include <stdio.h>
#include <stdlib.h>

#include <yyjson.h>

static void die(const char *what)
{
    fprintf(stderr, "render_driver: %s\n", what);
    exit(1);
}

static void set_variables(struct hearth_template_context *context, yyjson_val *variables)
{
    size_t at = 0;
    size_t most = 0;
    yyjson_val *key = NULL;
    yyjson_val *value = NULL;
    yyjson_obj_foreach(variables, at, most, key, value)
    {
        struct hearth_error err = {0};
        struct hearth_template_value *read = NULL;
        size_t size = 0;
        char *json = yyjson_val_write(value, 0, &size);
        if (json == NULL || hearth_template_json(context, hearth_slice_of(json, size),
                                                 HEARTH_TEMPLATE_FOREIGN, &read, &err) < 0) {
            die(err.text);
        }
        free(json);
        hearth_template_set_variable(context, yyjson_get_str(key), read);
    }
}

static void tell_text(struct hearth_template_context *context, yyjson_mut_doc *out,
                      yyjson_mut_val *root)
{
    struct hearth_slice text = hearth_template_output(context);
    yyjson_mut_obj_add_strn(out, root, "text", text.size > 0 ? (const char *)text.data : "",
                            text.size);
    yyjson_mut_val *foreign = yyjson_mut_obj_add_arr(out, root, "foreign");
    struct hearth_slice part;
    enum hearth_template_origin origin;
    for (size_t at = 0; hearth_template_next(context, &at, &part, &origin);) {
        if (origin == HEARTH_TEMPLATE_FOREIGN) {
            yyjson_mut_arr_add_uint(out, foreign, at - part.size);
            yyjson_mut_arr_add_uint(out, foreign, at);
        }
    }
}

static void run(yyjson_val *wanted, struct hearth_template_context *context, yyjson_mut_doc *out,
                yyjson_mut_val *root)
{
    struct hearth_template_limits limits = hearth_template_default_limits();
    struct hearth_error err = {0};
    HEARTH_AUTO(hearth_template) struct hearth_template *template = NULL;
    yyjson_val *source = yyjson_obj_get(wanted, "template");
    int rc = hearth_template_create(hearth_slice_of(yyjson_get_str(source), yyjson_get_len(source)),
                                    &limits, &template, &err);
    if (rc == 0) {
        hearth_template_begin(context);
        hearth_template_set_now(context, yyjson_get_sint(yyjson_obj_get(wanted, "now_s")));
        set_variables(context, yyjson_obj_get(wanted, "context"));
        rc = hearth_template_render(template, context, &err);
    }
    if (rc < 0) {
        yyjson_mut_obj_add_strcpy(out, root, "error", err.text);
        yyjson_mut_obj_add_str(out, root, "code", hearth_error_name(rc));
        return;
    }
    tell_text(context, out, root);
    yyjson_mut_obj_add_uint(out, root, "steps", hearth_template_steps(context));
}

int main(void)
{
    struct hearth_template_limits limits = hearth_template_default_limits();
    HEARTH_AUTO(hearth_template_context) struct hearth_template_context *context = NULL;
    struct hearth_error err = {0};
    char *line = NULL;
    size_t room = 0;
    if (hearth_template_context_create(&limits, &context, &err) < 0) {
        die(err.text);
    }
    for (ssize_t size = getline(&line, &room, stdin); size > 0;
         size = getline(&line, &room, stdin)) {
        yyjson_doc *doc = yyjson_read(line, (size_t)size, 0);
        yyjson_mut_doc *out = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *root = yyjson_mut_obj(out);
        yyjson_mut_doc_set_root(out, root);
        if (doc == NULL) {
            die("a line is no JSON");
        }
        run(yyjson_doc_get_root(doc), context, out, root);
        char *text = yyjson_mut_write(out, 0, NULL);
        if (text == NULL) {
            die("a result is no UTF-8");
        }
        puts(text);
        free(text);
        yyjson_mut_doc_free(out);
        yyjson_doc_free(doc);
    }
    free(line);
    return 0;
}
