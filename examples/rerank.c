/* rerank.c — texts sorted by how well they answer a query, the best first.
 *
 *     rerank MODEL QUERY TEXT…
 *     cc rerank.c $(pkg-config --cflags --libs hearth) */

#include <hearth/hearth.h>

#include <stdio.h>

static int fail(const hearth_error *err)
{
    fprintf(stderr, "rerank: %s\n  try: %s\n", err->text, hearth_error_remedy(err->code));
    return 1;
}

int main(int argc, char **argv)
{
    hearth_client *client;
    hearth_result *result;
    hearth_error err;
    hearth_request_params params = hearth_request_params_default();
    size_t i;

    if (argc < 4) {
        fprintf(stderr, "usage: rerank MODEL QUERY TEXT...\n");
        return 2;
    }
    if (hearth_connect(NULL, &client, &err) < 0) {
        return fail(&err);
    }
    params.model = argv[1];
    if (hearth_rerank(client, argv[2], (const char *const *)(argv + 3), (size_t)argc - 3, &params,
                      &result, &err) < 0) {
        hearth_disconnect(client);
        return fail(&err);
    }
    for (i = 0; i < hearth_result_count(result); i++) {
        const hearth_item *item = hearth_result_ranked(result, i);
        printf("%.3f  %s\n", (double)item->score, argv[3 + item->index]);
    }
    hearth_result_free(result);
    hearth_disconnect(client);
    return 0;
}
