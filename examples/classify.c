/* classify.c — the simplest use: one call that waits for its answer.
 *
 *     classify MODEL TEXT…
 *     cc classify.c $(pkg-config --cflags --libs hearth) */

#include <hearth/hearth.h>

#include <stdio.h>

static int fail(const hearth_error *err)
{
    fprintf(stderr, "classify: %s\n  try: %s\n", err->text, hearth_error_remedy(err->code));
    return 1;
}

int main(int argc, char **argv)
{
    hearth_client *client;
    hearth_result *result;
    hearth_error err;
    hearth_request_params params = hearth_request_params_default();
    size_t i;

    if (argc < 3) {
        fprintf(stderr, "usage: classify MODEL TEXT...\n");
        return 2;
    }
    if (hearth_connect(NULL, &client, &err) < 0) {
        return fail(&err);
    }
    params.model = argv[1];
    if (hearth_classify(client, (const char *const *)(argv + 2), (size_t)argc - 2, &params, &result,
                        &err) < 0) {
        hearth_disconnect(client);
        return fail(&err);
    }
    for (i = 0; i < hearth_result_count(result); i++) {
        const hearth_item *item = hearth_result_item(result, i);
        printf("%s %.3f  %s\n", item->labels[0].name, (double)item->labels[0].probability,
               argv[2 + i]);
    }
    hearth_result_free(result);
    hearth_disconnect(client);
    return 0;
}
