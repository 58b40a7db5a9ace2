/* generated.c — answers of generators, for a person and as JSON. */

#include "answer.h"

#include <math.h>
#include <stdio.h>

/* ── For a person ────────────────────────────────────────────────────────────────────────────── */

static void print_ids(const hearth_item *item)
{
    fputs("ids", stdout);
    for (size_t i = 0; i < item->token_id_count; i++) {
        printf(" %u", item->token_ids[i]);
    }
    fputs("\n", stdout);
}

/* Tokens need not be whole characters: what is none, or steers a terminal, is shown as numbers. */
static void print_token(const hearth_token_score *score)
{
    struct hearth_slice text = hearth_slice_of(score->text, score->text_bytes);
    putchar('"');
    for (size_t at = 0; at < text.size;) {
        uint32_t code = 0;
        unsigned size = hearth_utf8_read(text, at, &code);
        if (size == 0 || code < ' ' || (code >= 0x7f && code < 0xa0)) {
            printf("\\x%02x", text.data[at]);
            size = 1;
        } else {
            fwrite(text.data + at, 1, size, stdout);
        }
        at += size;
    }
    putchar('"');
}

/* A line a token: its place, how likely it was, itself; behind it the likeliest in its place. */
static void print_logprobs(const hearth_item *item)
{
    for (size_t i = 0; i < item->logprob_count; i++) {
        const hearth_token_score *score = &item->logprobs[i];
        if (!score->is_chosen) {
            continue;
        }
        printf("%5u %8.4f %5.1f%%  ", score->place, (double)score->logprob,
               100 * exp((double)score->logprob));
        print_token(score);
        for (size_t j = 0; j < item->logprob_count; j++) {
            const hearth_token_score *other = &item->logprobs[j];
            if (other->place == score->place && !other->is_chosen) {
                printf("  %.1f%% ", 100 * exp((double)other->logprob));
                print_token(other);
            }
        }
        printf("\n");
    }
}

static void print_calls(const hearth_item *item)
{
    for (size_t i = 0; i < item->tool_call_count; i++) {
        const hearth_tool_call *call = &item->tool_calls[i];
        printf("call ");
        cli_print_foreign(call->id, 0);
        printf(" ");
        cli_print_foreign(call->name, 0);
        printf(" %s\n", call->arguments);
    }
}

static void print_text(const hearth_item *item, const struct cli_stream *shown)
{
    bool ends = shown != NULL ? shown->ends_with_newline
                              : item->text_bytes > 0 && item->text[item->text_bytes - 1] == '\n';
    bool is_nothing = item->text_bytes == 0 && item->tool_call_count > 0;
    fwrite(item->text, 1, shown != NULL ? 0 : item->text_bytes, stdout);
    fputs(ends || is_nothing ? "" : "\n", stdout);
}

void cli_generated_print(const struct cli_settings *settings, const hearth_result *result,
                         const struct cli_stream *shown)
{
    for (size_t i = 0; i < hearth_result_count(result); i++) {
        const hearth_item *item = hearth_result_item(result, i);
        if (hearth_result_count(result) > 1) {
            printf("[%zu] %s\n", i + 1, hearth_finish_name(item->finish_reason));
        }
        print_text(item, shown);
        print_calls(item);
        if (settings->is_ids) {
            print_ids(item);
        }
        print_logprobs(item);
    }
    fflush(stdout);
}

/* ── As JSON ─────────────────────────────────────────────────────────────────────────────────── */

/* A text for the eye, in which what is no UTF-8 is replaced, and the bytes as they are. */
static void add_token(struct cli_json *json, yyjson_mut_val *o, const hearth_token_score *score)
{
    char text[4096]; /* a token has 1024 bytes at the most */
    struct hearth_slice bytes = hearth_slice_of(score->text, HEARTH_MIN(score->text_bytes, 1024u));
    size_t used = 0;
    for (size_t at = 0; at < bytes.size;) {
        uint32_t code = 0;
        unsigned size = hearth_utf8_read(bytes, at, &code);
        used += hearth_utf8_write(size == 0 ? 0xfffd : code, (uint8_t *)text + used);
        at += size == 0 ? 1 : size;
    }
    yyjson_mut_obj_add_uint(json->doc, o, "id", score->id);
    yyjson_mut_obj_add_strncpy(json->doc, o, "text", text, used);
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, o, "bytes");
    for (size_t i = 0; i < bytes.size; i++) {
        yyjson_mut_arr_add_uint(json->doc, array, bytes.data[i]);
    }
    yyjson_mut_obj_add_real(json->doc, o, "logprob", (double)score->logprob);
}

static void add_logprobs(struct cli_json *json, yyjson_mut_val *object, const hearth_item *item)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, object, "logprobs");
    for (size_t i = 0; i < item->logprob_count; i++) {
        const hearth_token_score *score = &item->logprobs[i];
        if (!score->is_chosen) {
            continue;
        }
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, array);
        yyjson_mut_obj_add_uint(json->doc, o, "place", score->place);
        add_token(json, o, score);
        yyjson_mut_val *top = yyjson_mut_obj_add_arr(json->doc, o, "top");
        for (size_t j = 0; j < item->logprob_count; j++) {
            if (item->logprobs[j].place == score->place && !item->logprobs[j].is_chosen) {
                add_token(json, yyjson_mut_arr_add_obj(json->doc, top), &item->logprobs[j]);
            }
        }
    }
}

static void add_calls(struct cli_json *json, yyjson_mut_val *object, const hearth_item *item)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, object, "tool_calls");
    for (size_t i = 0; i < item->tool_call_count; i++) {
        const hearth_tool_call *call = &item->tool_calls[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, array);
        yyjson_mut_obj_add_uint(json->doc, o, "index", call->index);
        yyjson_mut_obj_add_strcpy(json->doc, o, "id", call->id);
        yyjson_mut_obj_add_strcpy(json->doc, o, "name", call->name);
        yyjson_mut_obj_add_strcpy(json->doc, o, "arguments", call->arguments);
    }
}

void cli_generated_fill(struct cli_json *json, yyjson_mut_val *object, const hearth_item *item)
{
    if (item->token_id_count > 0) { /* these three only if they were asked for */
        cli_json_add_ids(json, object, item);
    }
    if (item->logprob_count > 0) {
        add_logprobs(json, object, item);
    }
    if (item->tool_call_count > 0) {
        add_calls(json, object, item);
    }
    if (item->finish_reason != HEARTH_FINISH_NONE) {
        yyjson_mut_obj_add_str(json->doc, object, "finish_reason",
                               hearth_finish_name(item->finish_reason));
    }
}

void cli_generated_add(struct cli_json *json, const struct cli_settings *settings,
                       const hearth_result *result)
{
    const hearth_item *first = hearth_result_item(result, 0);
    yyjson_mut_obj_add_strncpy(json->doc, json->root, "text", first->text, first->text_bytes);
    if (settings->is_ids && first->token_id_count == 0) {
        cli_json_add_ids(json, json->root, first);
    }
    cli_generated_fill(json, json->root, first);
    if (hearth_result_count(result) > 1) {
        yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, json->root, "answers");
        for (size_t i = 0; i < hearth_result_count(result); i++) {
            const hearth_item *item = hearth_result_item(result, i);
            yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, array);
            yyjson_mut_obj_add_uint(json->doc, o, "index", item->index);
            yyjson_mut_obj_add_strncpy(json->doc, o, "text", item->text, item->text_bytes);
            yyjson_mut_obj_add_uint(json->doc, o, "tokens", item->tokens);
            cli_generated_fill(json, o, item);
        }
    }
    cli_generated_add_usage(json, hearth_result_usage(result));
}

void cli_generated_add_usage(struct cli_json *json, const hearth_usage *usage)
{
    cli_json_add_usage(json, usage);
    yyjson_mut_val *o = yyjson_mut_obj_get(json->root, "usage");
    yyjson_mut_obj_add_str(json->doc, o, "cache", hearth_cache_name(usage->cache));
    yyjson_mut_obj_add_uint(json->doc, o, "cached_tokens", usage->cached_tokens);
    yyjson_mut_obj_add_uint(json->doc, o, "evicted_tokens", usage->evicted_tokens);
    yyjson_mut_obj_add_uint(json->doc, o, "drafted_tokens", usage->drafted_tokens);
    yyjson_mut_obj_add_uint(json->doc, o, "accepted_tokens", usage->accepted_tokens);
    yyjson_mut_obj_add_strcpy(json->doc, o, "fingerprint", usage->fingerprint);
    yyjson_mut_obj_add_uint(json->doc, o, "left_out_tokens", usage->left_out_tokens);
}
