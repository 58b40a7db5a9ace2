/* stream.c — generated text as it comes, and when it came. */

#include "answer.h"
#include "hearth_os.h"

#include <stdio.h>

void cli_stream_begin(struct cli_stream *stream, bool is_json)
{
    *stream = (struct cli_stream){.start_ns = hearth_clock_ns(), .is_json = is_json};
}

static void print_piece(const struct cli_stream *stream, const hearth_item *item)
{
    if (!stream->is_json) {
        fwrite(item->text, 1, item->text_bytes, stdout);
        fflush(stdout);
        return;
    }
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    yyjson_mut_obj_add_strncpy(json.doc, json.root, "piece", item->text, item->text_bytes);
    yyjson_mut_obj_add_uint(json.doc, json.root, "tokens", item->tokens);
    if (stream->has_many) {
        yyjson_mut_obj_add_uint(json.doc, json.root, "index", item->index);
    }
    cli_generated_fill(&json, json.root, item);
    cli_json_print(&json);
}

int cli_stream_piece(const hearth_item *item, void *arg)
{
    struct cli_stream *stream = arg;
    stream->last_ns = hearth_clock_ns();
    if (stream->first_ns == 0) {
        stream->first_ns = stream->last_ns;
    }
    stream->pieces++;
    bool has_more = item->logprob_count > 0 || item->tool_call_count > 0;
    if (item->text_bytes > 0 || (stream->is_json && has_more)) {
        print_piece(stream, item);
    }
    if (item->text_bytes > 0) {
        stream->ends_with_newline = item->text[item->text_bytes - 1] == '\n';
    }
    if (ferror(stdout)) {
        return 1; /* nobody will read the rest */
    }
    if (stream->keep != NULL && hearth_buf_append(stream->keep, item->text, item->text_bytes) < 0) {
        return 1; /* longer than a conversation may be: enough of it */
    }
    return 0;
}

static void print_times(const struct cli_stream *stream, const hearth_usage *usage)
{
    double seconds = (double)(stream->last_ns - stream->first_ns) / 1e9;
    double rate =
        usage->tokens_generated > 1 && seconds > 0 ? (usage->tokens_generated - 1) / seconds : 0;
    fprintf(stderr,
            "first piece %.1f ms, last piece %.1f ms, %u prompt tokens, %u tokens, "
            "%.1f tokens/s, queue %.1f ms, finish %s\n",
            (double)(stream->first_ns - stream->start_ns) / 1e6,
            (double)(stream->last_ns - stream->start_ns) / 1e6, usage->prompt_tokens,
            usage->tokens_generated, rate, usage->queue_us / 1e3,
            hearth_finish_name(usage->finish_reason));
}

/* All came at once: how long the prompt took is not known apart. */
static void print_time(const struct cli_stream *stream, const hearth_usage *usage)
{
    double seconds = (double)(hearth_clock_ns() - stream->start_ns) / 1e9;
    fprintf(stderr,
            "answer %.1f ms, %u prompt tokens, %u tokens, %.1f tokens/s with the prompt's time, "
            "queue %.1f ms, finish %s\n",
            seconds * 1e3, usage->prompt_tokens, usage->tokens_generated,
            usage->tokens_generated / seconds, usage->queue_us / 1e3,
            hearth_finish_name(usage->finish_reason));
}

static void print_cache(const hearth_usage *usage)
{
    if (usage->cache == HEARTH_CACHE_USED) {
        fprintf(stderr, "prefix cache had %u of %u prompt tokens, %u evicted; ",
                usage->cached_tokens, usage->prompt_tokens, usage->evicted_tokens);
    } else {
        fprintf(stderr, "prefix cache %s; ", hearth_cache_name(usage->cache));
    }
}

void cli_stream_stats(const struct cli_stream *stream, const hearth_usage *usage)
{
    if (stream->first_ns != 0) {
        print_times(stream, usage);
    } else {
        print_time(stream, usage);
    }
    if (usage->left_out_tokens > 0) {
        fprintf(stderr, "%u tokens of the prompt were left out\n", usage->left_out_tokens);
    }
    if (usage->fingerprint != NULL && usage->fingerprint[0] != '\0') {
        print_cache(usage);
        fprintf(stderr, "%u of %u drafted tokens accepted; fingerprint %s\n",
                usage->accepted_tokens, usage->drafted_tokens, usage->fingerprint);
    }
}
