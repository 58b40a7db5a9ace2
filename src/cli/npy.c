/* npy.c — the head of an .npy, read strictly and written as NumPy writes it.
 *
 * NumPy evaluates the header as Python; here it is one of the forms that NumPy itself writes: three
 * members, each once, in any order, spaces where Python allows them. */

#include "npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAGIC_BYTES 8  /* with the version */
#define ALIGNMENT   64 /* the numbers begin at a multiple of it */

/* How NumPy calls our types, behind the byte order. */
static const struct {
    enum hearth_tensor_type type;
    char name[3];
} types[] = {
    {HEARTH_TENSOR_FLOAT32, "f4"}, {HEARTH_TENSOR_UINT8, "u1"},  {HEARTH_TENSOR_INT8, "i1"},
    {HEARTH_TENSOR_UINT16, "u2"},  {HEARTH_TENSOR_INT16, "i2"},  {HEARTH_TENSOR_INT32, "i4"},
    {HEARTH_TENSOR_INT64, "i8"},   {HEARTH_TENSOR_BOOL, "b1"},   {HEARTH_TENSOR_FLOAT16, "f2"},
    {HEARTH_TENSOR_FLOAT64, "f8"}, {HEARTH_TENSOR_UINT32, "u4"}, {HEARTH_TENSOR_UINT64, "u8"},
};

/* ── Reading ─────────────────────────────────────────────────────────────────────────────────── */

struct scanner {
    const char *at;
    const char *end;
    struct hearth_error *err;
};

static int refuse(const struct scanner *in, const char *what)
{
    return hearth_fail(in->err, HEARTH_E_INPUT_INVALID, "no .npy: %s", what);
}

static void skip_spaces(struct scanner *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n')) {
        in->at++;
    }
}

/* Takes @word if it comes next. */
static bool take_now(struct scanner *in, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(in->end - in->at) < size || memcmp(in->at, word, size) != 0) {
        return false;
    }
    in->at += size;
    return true;
}

/* The same, with spaces before it. */
static bool take(struct scanner *in, const char *word)
{
    skip_spaces(in);
    return take_now(in, word);
}

static int read_type(struct scanner *in, hearth_tensor *ret)
{
    if (!take(in, "'")) {
        return hearth_fail(in->err, HEARTH_E_UNSUPPORTED,
                           "an .npy of records; arrays of numbers are taken");
    }
    char order = in->at < in->end ? *in->at++ : '\0';
    if (order == '>') {
        return hearth_fail(in->err, HEARTH_E_UNSUPPORTED,
                           "an .npy of big-endian numbers; save it little-endian");
    }
    for (size_t i = 0; i < HEARTH_COUNT(types); i++) {
        bool is_byte = types[i].name[1] == '1';
        if (order == (is_byte ? '|' : '<') && take_now(in, types[i].name) && take_now(in, "'")) {
            ret->type = types[i].type;
            return 0;
        }
    }
    return hearth_fail(in->err, HEARTH_E_UNSUPPORTED,
                       "an .npy of another type than the floats, integers and bool of tensors");
}

static int read_dimension(struct scanner *in, uint32_t *ret)
{
    uint64_t number = 0;
    size_t digits = 0;
    skip_spaces(in);
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9' && digits < 11; digits++) {
        number = number * 10 + (uint64_t)(*in->at++ - '0');
    }
    *ret = (uint32_t)number;
    return digits > 0 && number <= UINT32_MAX ? 0
                                              : refuse(in, "a dimension is no number below 2^32");
}

/* () or (1,) or (1, 2) or (1, 2,) */
static int read_shape(struct scanner *in, hearth_tensor *ret)
{
    if (!take(in, "(")) {
        return refuse(in, "the shape is no tuple");
    }
    bool has_comma = true;
    while (!take(in, ")")) {
        if (ret->rank == HEARTH_TENSOR_MAX_RANK) {
            return hearth_fail(in->err, HEARTH_E_UNSUPPORTED, "an .npy of more than %d dimensions",
                               HEARTH_TENSOR_MAX_RANK);
        }
        int rc = has_comma ? read_dimension(in, &ret->shape[ret->rank++])
                           : refuse(in, "the shape has no comma between two numbers");
        if (rc < 0) {
            return rc;
        }
        has_comma = take(in, ",");
    }
    return ret->rank == 1 && !has_comma ? refuse(in, "the shape is a number and no tuple") : 0;
}

static int read_order(struct scanner *in, bool *ret_is_fortran)
{
    *ret_is_fortran = take(in, "True");
    return *ret_is_fortran || take(in, "False") ? 0 : refuse(in, "fortran_order is no bool");
}

/* One "'name': value"; *@seen is the set of those that came. */
static int read_member(struct scanner *in, unsigned *seen, bool *is_fortran, hearth_tensor *ret)
{
    static const char *const names[] = {"'descr'", "'fortran_order'", "'shape'"};
    unsigned which = 0;
    while (which < HEARTH_COUNT(names) && !take(in, names[which])) {
        which++;
    }
    if (which == HEARTH_COUNT(names) || (*seen >> which & 1) != 0 || !take(in, ":")) {
        return refuse(in, "its header is not descr, fortran_order and shape");
    }
    *seen |= 1u << which;
    return which == 0   ? read_type(in, ret)
           : which == 1 ? read_order(in, is_fortran)
                        : read_shape(in, ret);
}

static int read_header(struct scanner *in, hearth_tensor *ret)
{
    unsigned seen = 0;
    bool is_fortran = false;
    if (!take(in, "{")) {
        return refuse(in, "its header is no dictionary");
    }
    for (unsigned i = 0; i < 3; i++) {
        int rc = read_member(in, &seen, &is_fortran, ret);
        if (rc < 0) {
            return rc;
        }
        bool has_comma = take(in, ",");
        if (i < 2 && !has_comma) {
            return refuse(in, "its header has no comma between two members");
        }
    }
    if (!take(in, "}")) {
        return refuse(in, "its header is not descr, fortran_order and shape");
    }
    skip_spaces(in);
    if (in->at != in->end) {
        return refuse(in, "something stands behind its header");
    }
    return is_fortran && ret->rank > 1
               ? hearth_fail(in->err, HEARTH_E_UNSUPPORTED,
                             "an .npy in Fortran order; save numpy.ascontiguousarray() of it")
               : 0;
}

/* Finds the header and leaves what follows it in *@ret_rest. */
static int find_header(struct hearth_slice file, struct scanner *ret, struct hearth_slice *ret_rest)
{
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    const uint8_t *bytes = file.data;
    if (file.size < MAGIC_BYTES + 4 || memcmp(bytes, magic, sizeof magic) != 0) {
        return refuse(ret, "it does not begin like one");
    }
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0) {
        return refuse(ret, "its version is not 1.0, 2.0 or 3.0");
    }
    size_t width = bytes[6] == 1 ? 2 : 4;
    size_t size = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    size |= width == 4 ? (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24 : 0;
    if (size > file.size - MAGIC_BYTES - width) {
        return refuse(ret, "its header is cut off");
    }
    ret->at = (const char *)bytes + MAGIC_BYTES + width;
    ret->end = ret->at + size;
    *ret_rest = hearth_slice_of(ret->end, file.size - MAGIC_BYTES - width - size);
    return 0;
}

int cli_npy_read(struct hearth_slice file, hearth_tensor *ret, struct hearth_error *err)
{
    struct scanner in = {.err = err};
    struct hearth_slice rest = {0};
    *ret = (hearth_tensor){.name = ret->name, .fd = -1};
    int rc = find_header(file, &in, &rest);
    rc = rc < 0 ? rc : read_header(&in, ret);
    if (rc < 0) {
        return rc;
    }
    size_t bytes = hearth_tensor_element_bytes(ret->type);
    for (uint32_t i = 0; i < ret->rank; i++) {
        if (__builtin_mul_overflow(bytes, (size_t)ret->shape[i], &bytes)) {
            return refuse(&in, "its shape makes more numbers than there can be");
        }
    }
    if (bytes != rest.size) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "no .npy: %zu bytes of numbers, type and shape make %zu", rest.size,
                           bytes);
    }
    ret->data = rest.data;
    ret->bytes = bytes;
    return 0;
}

/* ── Writing ─────────────────────────────────────────────────────────────────────────────────── */

static size_t print_shape(char *room, size_t room_bytes, const uint64_t *shape, size_t rank)
{
    size_t used = 0;
    for (size_t i = 0; i < rank; i++) {
        const char *behind = i + 1 < rank ? ", " : rank == 1 ? "," : "";
        int more = snprintf(room + used, room_bytes - used, "%" PRIu64 "%s", shape[i], behind);
        used += (size_t)more;
    }
    room[used] = '\0';
    return used;
}

size_t cli_npy_head(enum hearth_tensor_type type, const uint64_t *shape, size_t rank,
                    char room[CLI_NPY_HEAD_BYTES])
{
    char tuple[HEARTH_TENSOR_MAX_RANK * 12 + 1];
    size_t which = 0;
    while (types[which].type != type) {
        which++;
        HEARTH_ASSERT(which < HEARTH_COUNT(types));
    }
    HEARTH_ASSERT(rank <= HEARTH_TENSOR_MAX_RANK);
    print_shape(tuple, sizeof tuple, shape, rank);
    memcpy(room, "\x93NUMPY\x01\x00", MAGIC_BYTES);
    size_t start = MAGIC_BYTES + 2;
    int size = snprintf(room + start, CLI_NPY_HEAD_BYTES - start,
                        "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                        types[which].name[1] == '1' ? '|' : '<', types[which].name, tuple);
    size_t used = start + (size_t)size;
    while ((used + 1) % ALIGNMENT != 0) {
        room[used++] = ' ';
    }
    room[used++] = '\n';
    room[8] = (char)((used - start) & 0xff);
    room[9] = (char)((used - start) >> 8);
    return used;
}
