/* texts.c — reads the list of texts. */

#include "texts.h"

#include <stdio.h>
#include <yyjson.h>

static bool take_text(yyjson_val *entry, struct bench_text *ret)
{
    yyjson_val *ids = yyjson_obj_get(entry, "ids");
    ret->text = yyjson_get_str(yyjson_obj_get(entry, "text"));
    ret->id_count = (uint32_t)yyjson_arr_size(ids);
    if (ret->text == NULL || ret->id_count == 0 || yyjson_arr_size(ids) > TEXTS_MAX_TOKENS) {
        return false;
    }
    size_t index;
    size_t max;
    yyjson_val *id;
    yyjson_arr_foreach(ids, index, max, id)
    {
        ret->ids[index] = (uint32_t)yyjson_get_uint(id);
    }
    return true;
}

int texts_read(const char *top, struct bench_texts **ret, struct hearth_error *err)
{
    char path[4096];
    yyjson_read_err why = {0};
    snprintf(path, sizeof path, "%s/bench/texts/lognormal256.json", top);
    struct bench_texts *texts = hearth_alloc(1, sizeof *texts);
    if (texts == NULL) {
        return hearth_fail_oom(err);
    }
    yyjson_doc *document = yyjson_read_file(path, 0, NULL, &why);
    yyjson_val *root = yyjson_doc_get_root(document);
    texts->document = document;
    bool is_good = yyjson_arr_size(root) > 0 && yyjson_arr_size(root) <= TEXTS_MAX;
    for (size_t i = 0; is_good && i < yyjson_arr_size(root); i++) {
        is_good = take_text(yyjson_arr_get(root, i), &texts->items[texts->count]);
        texts->token_count += texts->items[texts->count++].id_count;
    }
    if (!is_good) {
        texts_free(texts);
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "%.100s is not a list of texts: run it in the clone, or say --models",
                           path);
    }
    *ret = texts;
    return 0;
}

void texts_free(struct bench_texts *texts)
{
    if (texts != NULL) {
        yyjson_doc_free(texts->document);
        hearth_free(texts);
    }
}
