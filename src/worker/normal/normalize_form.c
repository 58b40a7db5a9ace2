/* normalize_form.c — NFC, NFD, NFKC and NFKD, with the places that the reference gives.
 *
 * Decomposition hands each character on with a mark: the first of its origin replaces it, the
 * others are inserted. Canonical order moves characters but not old text, so places follow rank.
 * Composition adds the changes up: of what was composed, one replaces and the rest is dropped. */

#include "normalize.h"

/* A character and what it does to the old text: see rewrite_change(). */
struct change {
    uint32_t c;
    int32_t change;
};

struct form {
    const struct form_options *options;
    struct normal_scratch *scratch;
    struct rewrite rewrite;
    struct change base; /* the starter that may still compose */
    bool has_base;
    int last_class; /* of the last one behind the base that did not compose; -1 if none */
};

/* Characters that a form leaves alone, whatever stands before them. Only common ranges are listed;
 * the last of a stretch may still meet what follows. */
static const struct {
    uint32_t first;
    uint32_t last;
    bool in_all;        /* also when decomposing */
    bool in_compatible; /* also when composing compatibly */
} inert[] = {
    {0x00, 0x7F, true, true},      {0x3400, 0x9FFF, true, true},  {0xAC00, 0xD7A3, false, true},
    {0x80, 0xBF, false, false},    {0xC0, 0x131, false, true},    {0x132, 0x2AF, false, false},
    {0x400, 0x481, false, true},   {0x5D0, 0x5EA, false, true},   {0x621, 0x64A, false, true},
    {0x3041, 0x3096, false, true}, {0x30A1, 0x30FA, false, true},
};

static bool is_inert(const struct form_options *options, uint32_t c)
{
    for (size_t i = 0; i < HEARTH_COUNT(inert); i++) {
        if (c >= inert[i].first && c <= inert[i].last) {
            return inert[i].in_all ||
                   (options->composes && (inert[i].in_compatible || !options->is_compatible));
        }
    }
    return false;
}

static int put_out(struct form *form, struct change change)
{
    return rewrite_change(&form->rewrite, change.c, change.change);
}

/* Ends what hangs on the base: the base, then what did not compose with it. */
static int purge(struct form *form)
{
    int rc = form->has_base ? put_out(form, form->base) : 0;
    const struct hearth_buf *blocked = &form->scratch->blocked;
    const struct change *changes = (const void *)blocked->data;
    for (size_t i = 0; rc == 0 && i < blocked->size / sizeof *changes; i++) {
        rc = put_out(form, changes[i]);
    }
    hearth_buf_clear(&form->scratch->blocked);
    form->has_base = false;
    form->last_class = -1;
    return rc;
}

static int compose(struct form *form, const struct mark *mark)
{
    const struct change change = {mark->c, mark->is_first ? 0 : 1};
    if (!form->has_base) {
        if (mark->class != 0) {
            return put_out(form, change);
        }
        form->base = change;
        form->has_base = true;
        return 0;
    }
    if (form->last_class < (int)mark->class) { /* nothing between them that blocks */
        uint32_t composed = unicode_compose(form->base.c, mark->c);
        if (composed != 0) {
            form->base.c = composed;
            form->base.change += change.change - 1;
            return 0;
        }
    }
    if (mark->class == 0) {
        int rc = purge(form);
        form->base = change;
        form->has_base = true;
        return rc;
    }
    form->last_class = mark->class;
    return hearth_buf_append(&form->scratch->blocked, &change, sizeof change);
}

/* Hands on the run that waits, in order. */
static int flush(struct form *form)
{
    struct hearth_buf *points = &form->scratch->points;
    struct mark *marks = (struct mark *)(void *)points->data; /* from the heap, so aligned */
    size_t count = points->size / sizeof *marks;
    int rc = count > 1 ? marks_order(marks, count, &form->scratch->sorted) : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = form->options->composes
                 ? compose(form, &marks[i])
                 : put_out(form, (struct change){marks[i].c, marks[i].is_first ? 0 : 1});
    }
    hearth_buf_clear(points);
    return rc;
}

static int put_point(struct form *form, uint32_t c)
{
    uint32_t parts[UNICODE_MOST_COMPATIBLE] = {c};
    unsigned count = form->options->is_compatible ? unicode_decompose_compatible(c, parts)
                                                  : unicode_decompose(c, parts);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        const struct mark mark = {parts[i], (uint16_t)unicode_combining_class(parts[i]), i == 0};
        if (mark.class == 0) {
            rc = flush(form);
        }
        rc = rc < 0 ? rc : hearth_buf_append(&form->scratch->points, &mark, sizeof mark);
    }
    return rc;
}

/* The end of the inert characters at @start; *ret_last is where the last of them starts. */
static size_t inert_end(const struct form *form, size_t start, size_t *ret_last)
{
    struct hearth_slice text = form->rewrite.view->text;
    size_t at = start;
    *ret_last = start;
    while (at < text.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(text, at, &c);
        if (!is_inert(form->options, c)) {
            break;
        }
        *ret_last = at;
        at += length;
    }
    return at;
}

/* Copies inert text as it is, but for its last character; returns where to go on. */
static size_t copy_inert(struct form *form, size_t at, int *rc)
{
    size_t last = at;
    size_t end = inert_end(form, at, &last);
    if (end < form->rewrite.view->text.size) {
        end = last;
    }
    if (end == at) {
        return at;
    }
    *rc = flush(form);
    if (*rc == 0) {
        *rc = purge(form);
    }
    /* Where the reference's places lag behind the text, they go on doing so. */
    if (*rc == 0 && form->rewrite.at == at) {
        *rc = writer_copy(form->rewrite.writer, form->rewrite.view, at, end);
        form->rewrite.at = end;
        return end;
    }
    while (*rc == 0 && at < end) {
        uint32_t c;
        at += hearth_utf8_read(form->rewrite.view->text, at, &c);
        *rc = rewrite_keep(&form->rewrite, c);
    }
    return end;
}

int normalize_form(const struct form_options *options, const struct view *view,
                   struct normal_scratch *scratch, struct writer *writer, bool *has_changed)
{
    struct form form = {
        .options = options, .scratch = scratch, .rewrite = {view, writer, 0}, .last_class = -1};
    size_t last = 0;
    *has_changed = inert_end(&form, 0, &last) < view->text.size;
    if (!*has_changed) {
        return 0;
    }
    hearth_buf_clear(&scratch->points);
    hearth_buf_clear(&scratch->blocked);
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < view->text.size) {
        at = copy_inert(&form, at, &rc);
        if (rc == 0 && at < view->text.size) {
            uint32_t c;
            at += hearth_utf8_read(view->text, at, &c);
            rc = put_point(&form, c);
        }
    }
    rc = rc < 0 ? rc : flush(&form);
    return rc < 0 ? rc : purge(&form);
}
