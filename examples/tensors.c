/* tensors.c — a model run on numbers: what it takes and gives is asked first, then its first input
 * is filled with 0, 1, 2 … and what comes back is printed.
 *
 *     tensors MODEL
 *     cc tensors.c $(pkg-config --cflags --libs hearth) */

#include <hearth/hearth.h>

#include <stdio.h>

#define MOST 4096

static int fail(const hearth_error *err)
{
    fprintf(stderr, "tensors: %s\n  try: %s\n", err->text, hearth_error_remedy(err->code));
    return 1;
}

/* The first input with every size that may be any as 2; 0 if it is not of float32 or too large. */
static int fill(const hearth_port *port, float *numbers, hearth_tensor *input)
{
    size_t count = 1;
    size_t i;
    input->name = port->name;
    input->type = port->type;
    input->rank = port->rank;
    for (i = 0; i < port->rank; i++) {
        input->shape[i] = port->shape[i] == HEARTH_ANY_SIZE ? 2 : port->shape[i];
        count = input->shape[i] <= MOST ? count * input->shape[i] : MOST + 1;
        if (count > MOST) {
            return 0;
        }
    }
    for (i = 0; i < count; i++) {
        numbers[i] = (float)i;
    }
    input->data = numbers;
    input->bytes = count * sizeof *numbers;
    return port->type == HEARTH_TENSOR_FLOAT32;
}

static void print(const hearth_tensor *output)
{
    size_t i;
    printf("%s %s:", output->name, hearth_tensor_type_name(output->type));
    for (i = 0; output->type == HEARTH_TENSOR_FLOAT32 && i < output->bytes / 4; i++) {
        printf(" %g", (double)((const float *)output->data)[i]);
    }
    printf("\n");
}

static int run(hearth_client *client, const char *model, hearth_error *err)
{
    static float numbers[MOST];
    hearth_model_details *details;
    hearth_result *result = NULL;
    hearth_tensor input = {0};
    hearth_request_params params = hearth_request_params_default();
    size_t i;
    int rc = hearth_describe(client, model, &details, err);

    if (rc < 0) {
        return rc;
    }
    params.model = model;
    if (details->input_count == 1 && fill(&details->inputs[0], numbers, &input)) {
        rc = hearth_run(client, &input, 1, &params, &result, err);
        for (i = 0; rc == 0 && i < hearth_result_tensor_count(result); i++) {
            print(hearth_result_tensor(result, i));
        }
    } else {
        printf("this example feeds one input of float32, %s has %lu inputs\n", model,
               (unsigned long)details->input_count);
    }
    hearth_result_free(result);
    hearth_model_details_free(details); /* only now: the input has its name from there */
    return rc;
}

int main(int argc, char **argv)
{
    hearth_client *client;
    hearth_error err;
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: tensors MODEL\n");
        return 2;
    }
    if (hearth_connect(NULL, &client, &err) < 0) {
        return fail(&err);
    }
    rc = run(client, argv[1], &err);
    hearth_disconnect(client);
    return rc < 0 ? fail(&err) : 0;
}
