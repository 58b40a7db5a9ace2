/* pretokenize.c — the steps of a pre-tokeniser.
 *
 * A step takes the parts of the one before. Some only cut; ByteLevel and Metaspace write the text
 * anew. The last step hands its parts to the model at once, so a text of one step, as most are,
 * keeps no list of them. */

#include "pretokenize.h"

#include "normalize.h"

#include <string.h>

/* One step at work. */
struct run {
    const struct pretokenizer_step *step;
    struct view view;        /* what it reads */
    struct writer *writer;   /* what it writes, if it does */
    struct hearth_buf *list; /* where its parts go; NULL: to the sink */
    struct part_sink *sink;
    struct pretoken_scratch *scratch;
};

static int emit(struct run *run, const struct view *view, size_t start, size_t end)
{
    if (start == end) {
        return 0;
    }
    if (run->list == NULL) {
        return run->sink->take(run->sink, view, start, end);
    }
    const struct part part = {(uint32_t)start, (uint32_t)end};
    return hearth_buf_append(run->list, &part, sizeof part);
}

static struct view view_of(const struct view *view, struct part part)
{
    return (struct view){hearth_slice_of(view->text.data + part.start, part.end - part.start),
                         view->places != NULL ? view->places + part.start : NULL,
                         view->origin + part.start};
}

enum bert_class { BERT_LETTER, BERT_SPACE, BERT_ALONE };

static const uint8_t ascii_class[128] = {
    ['\t' ... '\r'] = BERT_SPACE, [' '] = BERT_SPACE,         ['!' ... '/'] = BERT_ALONE,
    [':' ... '@'] = BERT_ALONE,   ['[' ... '`'] = BERT_ALONE, ['{' ... '~'] = BERT_ALONE,
};

static enum bert_class bert_class(struct hearth_slice text, size_t at, unsigned *ret_length)
{
    uint32_t c;
    *ret_length = hearth_utf8_read(text, at, &c);
    return unicode_is_punctuation(c) ? BERT_ALONE : unicode_is_space(c) ? BERT_SPACE : BERT_LETTER;
}

/* White space goes, punctuation stands alone. */
static int split_bert(struct run *run, struct part part)
{
    struct hearth_slice text = hearth_slice_of(run->view.text.data, part.end);
    size_t start = part.start;
    size_t at = start;
    int rc = 0;
    while (rc == 0 && at < text.size) {
        unsigned length = 1;
        enum bert_class class =
            text.data[at] < 0x80 ? ascii_class[text.data[at]] : bert_class(text, at, &length);
        if (class != BERT_LETTER) {
            rc = emit(run, &run->view, start, at);
            if (rc == 0 && class == BERT_ALONE) {
                rc = emit(run, &run->view, at, at + length);
            }
            start = at + length;
        }
        at += length;
    }
    return rc == 0 ? emit(run, &run->view, start, at) : rc;
}

/* Runs of word characters, and of what is neither those nor white space. */
static int split_whitespace(struct run *run, struct part part)
{
    enum { SPACE, WORD, OTHER } kind = SPACE, next = SPACE;
    struct hearth_slice text = hearth_slice_of(run->view.text.data, part.end);
    size_t start = part.start;
    int rc = 0;
    for (size_t at = start; rc == 0 && at < text.size;) {
        uint32_t c;
        unsigned length = hearth_utf8_read(text, at, &c);
        next = unicode_is_word(c) ? WORD : unicode_is_space(c) ? SPACE : OTHER;
        if (next != kind) {
            rc = kind != SPACE ? emit(run, &run->view, start, at) : 0;
            start = at;
            kind = next;
        }
        at += length;
    }
    return rc == 0 && kind != SPACE ? emit(run, &run->view, start, text.size) : rc;
}

/* What is held back because the next segment may join it. */
struct fold {
    struct segment held;
    bool has_held;
    bool was_match;
};

static bool joins(enum split_behavior behavior, const struct fold *fold,
                  const struct segment *segment)
{
    switch (behavior) {
    case SPLIT_CONTIGUOUS: return segment->is_match == fold->was_match;
    case SPLIT_MERGED_WITH_PREVIOUS: return segment->is_match && !fold->was_match;
    case SPLIT_MERGED_WITH_NEXT: return !segment->is_match && fold->was_match;
    case SPLIT_REMOVED:
    case SPLIT_ISOLATED: break;
    }
    return false;
}

static int split_segments(struct run *run, struct part part)
{
    const enum split_behavior behavior = run->step->split.behavior;
    struct segments segments = {.pattern = &run->step->split.pattern,
                                .scratch = &run->scratch->split,
                                .text = view_of(&run->view, part).text};
    struct fold fold = {0};
    struct segment segment = {0};
    int rc;
    while ((rc = segments_next(&segments, &segment)) > 0) {
        if (behavior == SPLIT_REMOVED && segment.is_match) {
            continue;
        }
        if (fold.has_held && joins(behavior, &fold, &segment)) {
            fold.held.end = segment.end;
        } else {
            rc = fold.has_held ? emit(run, &run->view, part.start + fold.held.start,
                                      part.start + fold.held.end)
                               : 0;
            fold.held = segment;
            fold.has_held = true;
        }
        fold.was_match = segment.is_match;
        if (rc < 0) {
            return rc;
        }
    }
    return rc == 0 && fold.has_held
               ? emit(run, &run->view, part.start + fold.held.start, part.start + fold.held.end)
               : rc;
}

static int put_byte_level(struct run *run, const struct view *view, size_t start, size_t end)
{
    size_t from = run->writer->size;
    int rc = byte_level_write(view, start, end, run->writer);
    if (rc < 0) {
        return rc;
    }
    const struct view written = writer_view(run->writer, run->view.origin);
    return emit(run, &written, from, run->writer->size);
}

static int split_byte_level(struct run *run, struct part part)
{
    struct view view = view_of(&run->view, part);
    if (run->step->byte_level.adds_prefix_space && view.text.data[0] != ' ') {
        struct writer *prefixed = &run->scratch->prefixed;
        writer_start(prefixed, run->writer->tracks);
        int rc = writer_put(prefixed, ' ', view_place(&view, 0));
        rc = rc < 0 ? rc : writer_copy(prefixed, &view, 0, view.text.size);
        if (rc < 0) {
            return rc;
        }
        view = writer_view(prefixed, view.origin);
    }
    if (run->step->byte_level.splitter == NULL) {
        return put_byte_level(run, &view, 0, view.text.size);
    }
    const struct pattern pattern = {.kind = PATTERN_SPLITTER,
                                    .splitter = run->step->byte_level.splitter};
    struct segments segments = {
        .pattern = &pattern, .scratch = &run->scratch->split, .text = view.text};
    struct segment segment = {0};
    int rc;
    while ((rc = segments_next(&segments, &segment)) > 0) {
        rc = put_byte_level(run, &view, segment.start, segment.end);
        if (rc < 0) {
            return rc;
        }
    }
    return rc;
}

static bool needs_prefix(const struct run *run, const struct view *view)
{
    uint32_t first;
    hearth_utf8_read(view->text, 0, &first);
    if (first == ' ' || first == run->step->metaspace.replacement) {
        return false;
    }
    switch (run->step->metaspace.scheme) {
    case PREPEND_ALWAYS: return true;
    case PREPEND_FIRST: return view_place(view, 0).start == 0;
    case PREPEND_NEVER: break;
    }
    return false;
}

/* The part that was written from @from on. */
static int emit_written(struct run *run, size_t from)
{
    const struct view written = writer_view(run->writer, run->view.origin);
    return emit(run, &written, from, run->writer->size);
}

static int split_metaspace(struct run *run, struct part part)
{
    const struct view view = view_of(&run->view, part);
    const uint32_t replacement = run->step->metaspace.replacement;
    size_t from = run->writer->size;
    size_t done = 0;
    int rc =
        needs_prefix(run, &view) ? writer_put(run->writer, replacement, view_place(&view, 0)) : 0;
    for (size_t at = 0; rc == 0 && at < view.text.size;) {
        uint32_t c;
        unsigned length = hearth_utf8_read(view.text, at, &c);
        if (c == ' ' || c == replacement) {
            rc = writer_copy(run->writer, &view, done, at);
            if (rc == 0 && run->step->metaspace.splits) {
                rc = emit_written(run, from);
                from = run->writer->size;
            }
            rc = rc < 0 ? rc : writer_put(run->writer, replacement, view_place(&view, at));
            done = at + length;
        }
        at += length;
    }
    rc = rc < 0 ? rc : writer_copy(run->writer, &view, done, view.text.size);
    return rc < 0 ? rc : emit_written(run, from);
}

static int run_part(struct run *run, struct part part)
{
    switch (run->step->kind) {
    case PRETOKENIZER_BERT: return split_bert(run, part);
    case PRETOKENIZER_WHITESPACE: return split_whitespace(run, part);
    case PRETOKENIZER_SPLIT: return split_segments(run, part);
    case PRETOKENIZER_BYTE_LEVEL: return split_byte_level(run, part);
    case PRETOKENIZER_METASPACE: return split_metaspace(run, part);
    }
    return HEARTH_E_INTERNAL;
}

static bool writes(enum pretokenizer_kind kind)
{
    return kind == PRETOKENIZER_BYTE_LEVEL || kind == PRETOKENIZER_METASPACE;
}

int pretokenize(const struct pretokenizer *pretokenizer, const struct view *view, bool tracks,
                struct pretoken_scratch *scratch, struct part_sink *sink)
{
    const struct part whole = {0, (uint32_t)view->text.size};
    struct hearth_slice parts = hearth_slice_of(&whole, sizeof whole);
    struct run run = {.view = *view, .sink = sink, .scratch = scratch};
    if (pretokenizer->count == 0) {
        return sink->take(sink, view, 0, view->text.size);
    }
    size_t turn = 0;
    for (size_t i = 0; i < pretokenizer->count; i++) {
        run.step = &pretokenizer->steps[i];
        run.list = i + 1 < pretokenizer->count ? &scratch->parts[i & 1] : NULL;
        run.writer = &scratch->writers[turn]; /* the other may hold what is read */
        writer_start(run.writer, tracks);
        if (run.list != NULL) {
            hearth_buf_clear(run.list);
        }
        for (size_t at = 0; at < parts.size; at += sizeof(struct part)) {
            struct part part;
            memcpy(&part, parts.data + at, sizeof part);
            int rc = run_part(&run, part);
            if (rc < 0) {
                return rc;
            }
        }
        if (writes(run.step->kind)) {
            run.view = writer_view(run.writer, view->origin);
            turn = 1 - turn;
        }
        if (run.list != NULL) {
            parts = hearth_buf_slice(run.list);
        }
    }
    return 0;
}

void pretokenizer_finish(struct pretokenizer *pretokenizer)
{
    for (size_t i = 0; i < pretokenizer->count; i++) {
        const struct pretokenizer_step *step = &pretokenizer->steps[i];
        if (step->kind == PRETOKENIZER_BYTE_LEVEL) {
            splitter_finish(step->byte_level.splitter);
        } else if (step->kind == PRETOKENIZER_SPLIT) {
            splitter_finish(step->split.pattern.splitter);
        }
    }
}
