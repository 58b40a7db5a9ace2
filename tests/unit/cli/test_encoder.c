#include "program.h"

#include <dirent.h>
#include <sys/stat.h>

/* The commands for encoders, as a user runs them; see scripted_encoder.h for the answers. */

static void rerank_prints_the_best_first(void **state)
{
    RUN("", "rerank", "--model", "ranker", "which", "aa", "aaaa", "a");
    assert_string_equal(ran.out, "  -1.0000  aaaa\n  -3.0000  aa\n  -4.0000  a\n");
    assert_int_equal(ran.code, 0);
    RUN("x\nnan\n\nabc\n", "rerank", "--model", "ranker", "--top", "2", "q");
    assert_string_equal(ran.out, "   2.0000  abc\n   0.0000  x\n");
    RUN("", "rerank", "--model", "ranker", "--json", "q", "a", "nan", "abc");
    assert_contains(ran.out, "\"results\":[{\"index\":2,\"score\":2.0,\"tokens\":3,"
                             "\"is_truncated\":false},{\"index\":0,\"score\":0.0,");
    assert_contains(ran.out, "{\"index\":1,\"score\":null,");
    RUN("", "rerank", "--model", "ranker");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "hearth rerank: wants a query\n  try: hearth rerank --help");
    RUN("", "rerank", "--top", "0", "q", "a");
    assert_int_equal(ran.code, 2);
    RUN("", "rerank", "q", "a");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "the daemon knows no model that can rerank");
}

/* 70 lines of 1 to 70 letters are three batches; the longest is the best. */
static void more_texts_than_a_batch_are_ranked_together(void **state)
{
    char input[70 * 72];
    size_t used = 0;
    for (size_t i = 1; i <= 70; i++) {
        memset(input + used, 'x', i);
        used += i;
        input[used++] = '\n';
    }
    input[used] = '\0';
    RUN(input, "rerank", "--model", "ranker", "--top", "1", "q");
    assert_int_equal(strlen(ran.out), 11 + 70 + 1);
    assert_contains(ran.out, "  69.0000  xxx");
}

static void entities_print_label_score_place_and_stretch(void **state)
{
    RUN("", "entities", "--model", "names", "ab", "xyz");
    assert_string_equal(ran.out, "1: FIRST      0.5000  0-1  a\n"
                                 "1: WHOLE      0.2500  0-2  ab\n"
                                 "2: FIRST      0.5000  0-1  x\n"
                                 "2: WHOLE      0.2500  0-3  xyz\n");
    RUN("", "entities", "--model", "names", "--json", "ab");
    assert_contains(
        ran.out, "\"entities\":[{\"label\":\"FIRST\",\"score\":0.5,\"text\":\"a\",\"start_byte\":0,"
                 "\"end_byte\":1,\"start_char\":0,\"end_char\":1},");
}

static void pairs_are_two_arguments_or_a_line_with_a_tab(void **state)
{
    RUN("", "classify", "--pair", "ab", "c", "ab", "cd");
    assert_string_equal(ran.out, "odd                  0.7500  ab\n"
                                 "even                 0.7500  ab\n");
    RUN("ab\tc\n\nab\tcd\r\n", "classify", "--pair");
    assert_string_equal(ran.out, "odd                  0.7500  ab\n"
                                 "even                 0.7500  ab\n");
    RUN("", "classify", "--pair", "ab", "c", "ab");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "--pair: 3 texts given, an even number is wanted");
    RUN("ab\tc\nab\n", "classify", "--pair");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "--pair: line 2");
    RUN("", "classify", "--pair", "--token-ids", "1,2");
    assert_int_equal(ran.code, 2);
}

static void what_is_wrong_in_a_later_batch_tells_where_it_begins(void **state)
{
    char lines[2 * 33 + 1]; /* a batch is 32 */
    for (size_t i = 0; i < 33; i++) {
        memcpy(lines + 2 * i, i < 32 ? "a\n" : "\xff\n", 2);
    }
    lines[sizeof lines - 1] = '\0';
    RUN(lines, "classify");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "counted from text 33 on: ");
    assert_contains(ran.err, "texts[0].text: not valid UTF-8");
}

static void embed_asks_for_types_and_dimensions(void **state)
{
    RUN("", "embed", "--type", "float16", "--dimensions", "3", "a");
    assert_string_equal(ran.out, "1: 3 dimensions, norm 1.7321: [1.0000 1.0000 1.0000]\n");
    RUN("", "embed", "--type", "int8", "--dimensions", "2", "--no-normalize", "--json", "a");
    assert_contains(ran.out, "\"dimensions\":12,\"vector\":[1,2,3,4,5,6,7,8,9,10,11,12],"
                             "\"scale\":0.5}");
    RUN("", "embed", "--type", "int8", "--dimensions", "2", "a");
    assert_string_equal(ran.out, "1: 2 dimensions, norm 1.1180: [0.5000 1.0000]\n");
    RUN("", "embed", "--type", "int8", "--dimensions", "2", "--similarity", "a", "b");
    assert_string_equal(ran.out, " 1.0000  a | b\n");
    RUN("", "embed", "--type", "double", "a");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "--type: 'double' is not float32, float16 or int8");
    RUN("", "embed", "--normalize", "--no-normalize", "a");
    assert_int_equal(ran.code, 2);
    RUN("", "embed", "--type", "int8", "--format", "f32", "--output", "-", "a");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "--format: 'f32' is not npy or i8");
}

static void a_model_is_shown_with_all_that_is_known(void **state)
{
    RUN("", "models", "show", "parity");
    assert_contains(ran.out, "parity: classify, echo, ready\n");
    assert_contains(ran.out, "  pooling                  mean\n");
    assert_contains(ran.out, "  producer                 a?[2J??b\n"); /* steers no terminal */
    assert_contains(ran.out, "inputs\n  x                        int64    [any, 3]\n");
    assert_contains(ran.out, "outputs\n  y                        float32  [any, 2]\n");
    RUN("", "models", "show", "parity", "--json");
    assert_contains(ran.out, "{\"model\":{\"name\":\"parity\",");
    assert_contains(ran.out,
                    "\"inputs\":[{\"name\":\"x\",\"type\":\"int64\",\"shape\":[null,3]}],");
    assert_contains(ran.out, "\"facts\":{\"pooling\":\"mean\",\"opset\":\"17\",");
    RUN("", "models", "show", "nothing");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "hearth: no such model: ");
    RUN("", "models", "show");
    assert_int_equal(ran.code, 2);
}

/* ── Tensors ─────────────────────────────────────────────────────────────────────────────────── */

struct folder {
    char path[64];
    char file[96];
    char input[128];
};

/* x.npy: [0.5, -2] as NumPy writes it. */
static void make_folder(struct folder *folder)
{
    static const char head[] = "\x93NUMPY\x01\x00\x76\x00"
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
    char bytes[136];
    const float data[] = {0.5f, -2.0f};
    memset(bytes, ' ', sizeof bytes);
    memcpy(bytes, head, sizeof head - 1);
    bytes[127] = '\n';
    memcpy(bytes + 128, data, sizeof data);
    snprintf(folder->path, sizeof folder->path, "/tmp/hearth-tensors-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->file, sizeof folder->file, "%s/x.npy", folder->path);
    snprintf(folder->input, sizeof folder->input, "x=%s", folder->file);
    FILE *file = fopen(folder->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
}

static void remove_folder(struct folder *folder)
{
    DIR *open = opendir(folder->path);
    assert_non_null(open);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        unlinkat(dirfd(open), entry->d_name, 0);
    }
    closedir(open);
    assert_int_equal(rmdir(folder->path), 0);
}

static void tensors_come_from_files_and_go_into_files(void **state)
{
    struct folder folder;
    make_folder(&folder);
    char odd[128];
    snprintf(odd, sizeof odd, "../y/1=%s", folder.file);
    RUN("", "tensors", "--model", "scorer", "--input", folder.input);
    assert_string_equal(ran.out, "x float32 [1, 2]: 0.5 -2\n");
    RUN("", "tensors", "--model", "scorer", "--input", folder.input, "--json");
    assert_contains(
        ran.out,
        "{\"model\":\"scorer\",\"outputs\":[{\"name\":\"x\",\"type\":\"float32\",\"shape\":[1,2],"
        "\"data\":[0.5,-2.0]}],\"usage\":{");
    RUN("", "tensors", "--model", "scorer", "--input", folder.input, "--input", odd, "--output-dir",
        folder.path, "--wanted", "../y/1");
    char again[128];
    snprintf(again, sizeof again, "../y/1 float32 [1, 2]: %s/_._y_1.npy\n", folder.path);
    assert_string_equal(ran.out, again);
    char bytes[136];
    snprintf(again, sizeof again, "%s/_._y_1.npy", folder.path);
    FILE *file = fopen(again, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    assert_memory_equal(bytes + 128, "\x00\x00\x00\x3f\x00\x00\x00\xc0", 8);
    remove_folder(&folder);
}

static void tensors_refuse_what_is_no_array(void **state)
{
    struct folder folder;
    make_folder(&folder);
    RUN("", "tensors", "--model", "scorer");
    assert_int_equal(ran.code, 2);
    RUN("", "tensors", "--model", "scorer", "--input", "x");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "--input: 'x' is not NAME=FILE");
    RUN("", "tensors", "--model", "scorer", "--input", "x=/nowhere/x.npy");
    assert_int_equal(ran.code, 1);
    assert_int_equal(truncate(folder.file, 132), 0);
    RUN("", "tensors", "--model", "scorer", "--input", folder.input);
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "--input x: no .npy: 4 bytes of numbers, type and shape make 8");
    RUN("", "tensors", "--model", "scorer", "--input", folder.input, "more");
    assert_int_equal(ran.code, 2);
    remove_folder(&folder);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(rerank_prints_the_best_first),
         WITH_SERVER(more_texts_than_a_batch_are_ranked_together),
         WITH_SERVER(entities_print_label_score_place_and_stretch),
         WITH_SERVER(pairs_are_two_arguments_or_a_line_with_a_tab),
         WITH_SERVER(what_is_wrong_in_a_later_batch_tells_where_it_begins),
         WITH_SERVER(embed_asks_for_types_and_dimensions),
         WITH_SERVER(a_model_is_shown_with_all_that_is_known),
         WITH_SERVER(tensors_come_from_files_and_go_into_files),
         WITH_SERVER(tensors_refuse_what_is_no_array))
