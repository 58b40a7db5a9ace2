/* render_kit.h — one template over one context, for the tests of this room. */

#ifndef HEARTH_TEST_RENDER_KIT_H
#define HEARTH_TEST_RENDER_KIT_H

#include "kit.h"

#include "hearth_template.h"

#include <stdio.h>
#include <string.h>

struct rendering {
    struct hearth_template_limits limits;
    struct hearth_template *template;
    struct hearth_template_context *context;
    struct hearth_error err;
};

static inline void rendering_end(struct rendering *rendering)
{
    hearth_template_destroy(rendering->template);
    hearth_template_context_destroy(rendering->context);
    rendering->template = NULL;
    rendering->context = NULL;
}

/* Renders @source; `said` is the foreign text @said, `own` an own one. The error of either step. */
static inline int rendering_run(struct rendering *rendering, const char *source, const char *said)
{
    struct hearth_template_context *context = NULL;
    rendering->template = NULL;
    rendering->context = NULL;
    rendering->err = (struct hearth_error){0};
    int rc = hearth_template_create(hearth_slice_of_string(source), &rendering->limits,
                                    &rendering->template, &rendering->err);
    if (rc < 0) {
        return rc;
    }
    rc = hearth_template_context_create(&rendering->limits, &rendering->context, &rendering->err);
    if (rc < 0) {
        return rc;
    }
    context = rendering->context;
    hearth_template_set_variable(
        context, "said",
        hearth_template_string(context, hearth_slice_of_string(said), HEARTH_TEMPLATE_FOREIGN));
    hearth_template_set_variable(
        context, "own",
        hearth_template_string(context, hearth_slice_of_string("<own>"), HEARTH_TEMPLATE_OWN));
    return hearth_template_render(rendering->template, context, &rendering->err);
}

static inline int render_once(const char *source, struct hearth_error *err)
{
    struct rendering rendering = {.limits = hearth_template_default_limits()};
    int rc = rendering_run(&rendering, source, "secret");
    *err = rendering.err;
    rendering_end(&rendering);
    return rc;
}

#endif
