/* scratch.c — the memory that texts leave behind for the next one. */

#include "tokenizer_priv.h"

#define SCRATCH_CAP ((size_t)1 << 30) /* the limits on texts bind long before */

/* Calls @act on every buf of @scratch. */
static void for_each_buf(struct tokenizer_scratch *scratch, void (*act)(struct hearth_buf *))
{
    struct hearth_buf *bufs[] = {
        &scratch->normal.points, &scratch->normal.sorted,     &scratch->normal.blocked,
        &scratch->normal.places, &scratch->pretoken.parts[0], &scratch->pretoken.parts[1],
        &scratch->notes[0],      &scratch->notes[1],
    };
    for (size_t i = 0; i < HEARTH_COUNT(bufs); i++) {
        act(bufs[i]);
    }
    for (size_t i = 0; i < HEARTH_COUNT(scratch->model.bufs); i++) {
        act(&scratch->model.bufs[i]);
    }
}

static void for_each_writer(struct tokenizer_scratch *scratch, void (*act)(struct writer *))
{
    for (size_t i = 0; i < 2; i++) {
        act(&scratch->normal.writers[i]);
        act(&scratch->pretoken.writers[i]);
    }
    act(&scratch->pretoken.prefixed);
}

static void init_buf(struct hearth_buf *buf)
{
    hearth_buf_init(buf, SCRATCH_CAP);
}

/* The whole room: earlier, longer texts lie behind what is in use. */
static void wipe_buf(struct hearth_buf *buf)
{
    hearth_wipe(buf->data, buf->room);
    hearth_buf_clear(buf);
}

struct tokenizer_scratch *scratch_create(void)
{
    struct tokenizer_scratch *scratch = hearth_alloc(1, sizeof *scratch);
    if (scratch != NULL) {
        for_each_buf(scratch, init_buf);
    }
    return scratch;
}

void scratch_wipe(struct tokenizer_scratch *scratch)
{
    for_each_buf(scratch, wipe_buf);
    for_each_writer(scratch, writer_wipe);
    for (size_t i = 0; i < 2; i++) {
        token_sink_wipe(&scratch->tokens[i]);
    }
    split_scratch_wipe(&scratch->normal.split);
    split_scratch_wipe(&scratch->pretoken.split);
}

void scratch_destroy(struct tokenizer_scratch *scratch)
{
    if (scratch == NULL) {
        return;
    }
    scratch_wipe(scratch);
    for_each_buf(scratch, hearth_buf_finish);
    for_each_writer(scratch, writer_finish);
    for (size_t i = 0; i < 2; i++) {
        token_sink_finish(&scratch->tokens[i]);
    }
    split_scratch_finish(&scratch->normal.split);
    split_scratch_finish(&scratch->pretoken.split);
    hearth_free(scratch);
}
