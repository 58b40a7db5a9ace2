/* tools.c — what a request says of its tools. A name goes into rules and through a stream as it is,
 * so only plain ones are taken. */

#include "gguf_engine.h"

#include <yyjson.h>

/* ---- memory of the library ------------------------------------------------------------------- */

/* What it keeps of a request is content, so it is wiped before it is given back. */
union block {
    size_t size; /* of what follows */
    max_align_t aligned;
};

static void *take(void *arg HEARTH_UNUSED, size_t size)
{
    union block *block = NULL;
    if (size <= SIZE_MAX - sizeof *block) {
        block = hearth_alloc(1, sizeof *block + size);
    }
    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    return block + 1;
}

static void give_back(void *arg HEARTH_UNUSED, void *data)
{
    union block *block = data;
    if (block != NULL) {
        hearth_wipe(data, block[-1].size);
        hearth_free(block - 1);
    }
}

static void *resize(void *arg, void *data, size_t old_size, size_t size)
{
    void *larger = take(arg, size);
    if (larger != NULL && data != NULL) {
        memcpy(larger, data, HEARTH_MIN(old_size, size));
        give_back(arg, data);
    }
    return larger;
}

static const yyjson_alc wiping = {take, resize, give_back, NULL};

/* ---- tools ----------------------------------------------------------------------------------- */

/* A function that takes nothing. */
#define NO_PARAMETERS "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"

void gguf_forget_tools(struct gguf_rules *rules)
{
    for (size_t i = 0; i < rules->tool_count; i++) {
        hearth_grammar_destroy(rules->tools[i].arguments);
    }
    hearth_grammar_destroy(rules->heads);
    hearth_free(rules->tools);
    hearth_free(rules->names);
    yyjson_doc_free(rules->tools_doc);
    rules->heads = NULL;
    rules->tools = NULL;
    rules->names = NULL;
    rules->tools_doc = NULL;
    rules->tool_count = 0;
}

static bool is_plain(struct hearth_slice name)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    for (size_t i = 0; i < name.size; i++) {
        if (memchr(fine, name.data[i], sizeof fine - 1) == NULL) {
            return false;
        }
    }
    return name.size > 0 && name.size <= HEARTH_TOOL_NAME_BYTES;
}

static bool is_named_before(const struct gguf_rules *rules, struct hearth_slice name)
{
    for (size_t i = 0; i < rules->tool_count; i++) {
        if (hearth_slice_equal(rules->names[i], name)) {
            return true;
        }
    }
    return false;
}

static int compile(struct hearth_engine *engine, uint64_t domain, yyjson_val *parameters, size_t at,
                   struct hearth_grammar **ret, struct hearth_error *err)
{
    if (parameters != NULL && !yyjson_equals_str(yyjson_obj_get(parameters, "type"), "object")) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tools[%zu].function.parameters: no schema of type \"object\"", at);
    }
    char *text = NULL;
    size_t size = 0;
    struct hearth_slice schema = hearth_slice_of_string(NO_PARAMETERS);
    if (parameters != NULL) {
        text = yyjson_val_write_opts(parameters, 0, &wiping, &size, NULL);
        schema = hearth_slice_of(text, size);
    }
    int rc = parameters != NULL && text == NULL
                 ? hearth_fail_oom(err)
                 : gguf_grammars_get(&engine->room->grammars, domain, HEARTH_GRAMMAR_KIND_SCHEMA,
                                     schema, ret, err);
    give_back(NULL, text);
    return rc == HEARTH_E_INPUT_INVALID || rc == HEARTH_E_UNSUPPORTED
               ? hearth_because(err, rc, "tools[%zu].function.parameters", at)
               : rc;
}

static int read_tool(struct hearth_engine *engine, struct gguf_rules *rules, uint64_t domain,
                     yyjson_val *tool, struct hearth_error *err)
{
    size_t at = rules->tool_count;
    yyjson_val *function = yyjson_obj_get(tool, "function");
    yyjson_val *value = yyjson_obj_get(function, "name");
    struct hearth_slice name = hearth_slice_of(yyjson_get_str(value), yyjson_get_len(value));
    if (!yyjson_equals_str(yyjson_obj_get(tool, "type"), "function") || !yyjson_is_obj(function)) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tools[%zu]: wanted {\"type\": \"function\", \"function\": {…}}", at);
    }
    if (!yyjson_is_str(value) || !is_plain(name)) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tools[%zu].function.name: wanted 1 to %u of a-z A-Z 0-9 _ - .", at,
                           HEARTH_TOOL_NAME_BYTES);
    }
    if (is_named_before(rules, name)) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tools[%zu].function.name: is there already", at);
    }
    int rc = compile(engine, domain, yyjson_obj_get(function, "parameters"), at,
                     &rules->tools[at].arguments, err);
    if (rc == 0) {
        rules->tools[at].name = name;
        rules->names[at] = name;
        rules->tool_count++;
    }
    return rc;
}

/* The beginnings of all calls, as the template of such models shows them. */
static int make_heads(struct gguf_rules *rules, struct hearth_error *err)
{
    struct hearth_slice heads[HEARTH_GRAMMAR_MAX_CHOICES];
    struct hearth_buf texts;
    int rc = 0;
    hearth_buf_init(&texts, HEARTH_MAX_TOOLS_BYTES + HEARTH_GRAMMAR_MAX_CHOICES * 64u);
    for (size_t i = 0; rc == 0 && i < rules->tool_count; i++) {
        size_t before = texts.size;
        rc = hearth_buf_printf(
            &texts, "\n{\"name\": \"%.*s\", \"arguments\": ", HEARTH_SLICE_ARGS(rules->names[i]));
        heads[i].size = texts.size - before;
    }
    const uint8_t *at = texts.data;
    for (size_t i = 0; rc == 0 && i < rules->tool_count; i++) {
        heads[i].data = at;
        at += heads[i].size;
    }
    rc = rc < 0 ? hearth_fail_oom(err)
                : hearth_grammar_choices(heads, rules->tool_count, &rules->heads, err);
    hearth_buf_finish(&texts);
    return rc;
}

int gguf_read_tools(struct hearth_engine *engine, struct gguf_rules *rules,
                    const struct hearth_wire_inference_request *request, struct hearth_error *err)
{
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)request->tools.data, request->tools.size,
                                       0, &wiping, NULL); /* which does not write there */
    yyjson_val *root = yyjson_doc_get_root(doc);
    size_t count = yyjson_arr_size(root);
    rules->tools_doc = doc;
    if (count == 0 || count > HEARTH_GRAMMAR_MAX_CHOICES) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tools: no JSON array of 1 to %u descriptions",
                           HEARTH_GRAMMAR_MAX_CHOICES);
    }
    rules->tools = hearth_alloc(count, sizeof *rules->tools);
    rules->names = hearth_alloc(count, sizeof *rules->names);
    if (rules->tools == NULL || rules->names == NULL) {
        return hearth_fail_oom(err);
    }
    size_t at = 0;
    size_t most = 0;
    yyjson_val *tool = NULL;
    int rc = 0;
    yyjson_arr_foreach(root, at, most, tool)
    {
        rc = rc < 0 ? rc : read_tool(engine, rules, request->cache_domain, tool, err);
    }
    return rc < 0 ? rc : make_heads(rules, err);
}
