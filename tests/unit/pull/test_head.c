#include "kit.h"

#include "head.h"

#include <stdio.h>
#include <string.h>

/* The forms are those of RFC 9110 (Content-Range, ETag, Location) and of the model hub's own
 * answers. */

#define SHA256 "5c6d6983e53ffdac2bd1427cb966227d5cc96ef5e46531c986d8075d56fecf00"
#define SHA1   "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

static struct pull_head head; /* large */

/* Feeds lines that end with a NULL; returns what the last of them made of it. */
static int feed(const char *const *lines)
{
    int rc = 0;
    head = (struct pull_head){.status = 0};
    for (size_t i = 0; lines[i] != NULL && rc == 0; i++) {
        struct hearth_error err = {0};
        char line[512];
        int size = snprintf(line, sizeof line, "%s\r\n", lines[i]);
        rc = pull_head_line(&head, hearth_slice_of(line, (size_t)size), &err);
        assert_true(rc == 0 || err.text[0] != '\0');
    }
    return rc;
}

#define FEED(...) feed((const char *const[]){__VA_ARGS__, NULL})

static void what_a_hub_says_of_a_large_file_is_read(void **state)
{
    (void)state;
    assert_int_equal(FEED("HTTP/2 302", "Content-Length: 1388", "x-repo-commit: " SHA1,
                          "X-Linked-Size: 90405214", "x-linked-etag: \"" SHA256 "\"",
                          "Location:  https://storage.example/file?signature=a%2Fb  "),
                     0);
    assert_int_equal(head.status, 302);
    assert_true(head.has_length && head.length == 1388);
    assert_true(head.has_linked_size && head.linked_size == 90405214);
    assert_string_equal(head.sha256, SHA256);
    assert_string_equal(head.commit, SHA1);
    assert_string_equal(head.location, "https://storage.example/file?signature=a%2Fb");
    assert_string_equal(head.git_sha1, "");
}

static void the_linked_tag_wins_whichever_comes_first(void **state)
{
    (void)state;
    assert_int_equal(
        FEED("HTTP/1.1 302 Found", "ETag: \"" SHA1 "\"", "X-Linked-ETag: \"" SHA256 "\""), 0);
    assert_string_equal(head.sha256, SHA256);
    assert_string_equal(head.git_sha1, "");
    assert_int_equal(
        FEED("HTTP/1.1 302 Found", "X-Linked-ETag: \"" SHA256 "\"", "ETag: \"" SHA1 "\""), 0);
    assert_string_equal(head.sha256, SHA256);
}

static void a_small_file_is_called_as_git_calls_it(void **state)
{
    (void)state;
    assert_int_equal(FEED("HTTP/1.1 200 OK", "ETag: W/\"" SHA1 "\""), 0);
    assert_string_equal(head.git_sha1, SHA1);
    assert_string_equal(head.etag, ""); /* weak: of no use for a range */
    assert_int_equal(FEED("HTTP/1.1 200 OK", "ETag: \"" SHA1 "\""), 0);
    assert_string_equal(head.etag, "\"" SHA1 "\"");
}

static void tags_that_are_no_digest_are_only_tags(void **state)
{
    (void)state;
    assert_int_equal(FEED("HTTP/1.1 200 OK", "ETag: \"d41d8cd98f00b204e9800998ecf8427e-12\""), 0);
    assert_string_equal(head.etag, "\"d41d8cd98f00b204e9800998ecf8427e-12\"");
    assert_true(head.sha256[0] == '\0' && head.git_sha1[0] == '\0');
    assert_int_equal(FEED("HTTP/1.1 200 OK", "ETag: unquoted"), 0);
    assert_string_equal(head.etag, "");
    assert_int_equal(FEED("HTTP/1.1 200 OK", "ETag: \"a b\""), 0);
    assert_string_equal(head.etag, "");
}

static void ranges_are_read_and_impossible_ones_refused(void **state)
{
    static const char *const wrong[] = {"bytes 5-4/9",
                                        "bytes 0-9/9",
                                        "bytes 0-9",
                                        "bytes a-b/c",
                                        "bytes 0-9/10x",
                                        "items 0-9/10",
                                        "bytes */*",
                                        "",
                                        "bytes 0-18446744073709551616/9",
                                        "bytes -5/9"};
    (void)state;
    assert_int_equal(FEED("HTTP/1.1 206 Partial Content", "Content-Range: bytes 100-299/300"), 0);
    assert_true(head.has_range && head.first == 100 && head.last == 299);
    assert_true(head.has_total && head.total == 300);
    assert_int_equal(FEED("HTTP/1.1 206 Partial Content", "content-range: bytes 0-0/*"), 0);
    assert_true(head.has_range && !head.has_total && head.last == 0);
    assert_int_equal(FEED("HTTP/1.1 416 Range Not Satisfiable", "Content-Range: bytes */300"), 0);
    assert_true(!head.has_range && head.has_total && head.total == 300);
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        char line[128];
        snprintf(line, sizeof line, "Content-Range: %s", wrong[i]);
        assert_int_equal(FEED("HTTP/1.1 206 x", line), HEARTH_E_MALFORMED);
    }
}

static void numbers_that_are_none_or_two_are_refused(void **state)
{
    static const char *const wrong[] = {"-1", "1x", "", "18446744073709551616", "0x10", "1 2"};
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        char line[128];
        snprintf(line, sizeof line, "Content-Length: %s", wrong[i]);
        assert_int_equal(FEED("HTTP/1.1 200 OK", line), HEARTH_E_MALFORMED);
        snprintf(line, sizeof line, "X-Linked-Size: %s", wrong[i]);
        assert_int_equal(FEED("HTTP/1.1 302 Found", line), HEARTH_E_MALFORMED);
    }
    assert_int_equal(FEED("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"), 0);
    assert_int_equal(FEED("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"),
                     HEARTH_E_MALFORMED);
    assert_int_equal(FEED("HTTP/1.1 200 OK", "Content-Length: 18446744073709551615"), 0);
}

static void status_lines_are_checked_and_begin_anew(void **state)
{
    static const char *const wrong[] = {"HTTP/1.1",     "HTTP/1.1 ",   "HTTP/1.1 99",
                                        "HTTP/1.1 600", "HTTP/1.1 20", "HTTP/1.1 2000",
                                        "HTTP/1.1 abc"};
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_int_equal(FEED(wrong[i]), HEARTH_E_MALFORMED);
    }
    assert_int_equal(FEED("HTTP/1.1 103 Early Hints", "Content-Length: 7", "", "HTTP/1.1 200 OK"),
                     0);
    assert_true(head.status == 200 && !head.has_length);
}

static void addresses_with_blanks_or_twice_are_refused(void **state)
{
    (void)state;
    assert_int_equal(FEED("HTTP/1.1 302 Found", "Location: https://a/\tb"), HEARTH_E_MALFORMED);
    assert_int_equal(FEED("HTTP/1.1 302 Found", "Location: "), HEARTH_E_MALFORMED);
    assert_int_equal(FEED("HTTP/1.1 302 Found", "Location: /a", "Location: /b"),
                     HEARTH_E_MALFORMED);
    assert_int_equal(FEED("HTTP/1.1 302 Found", "X-Repo-Commit: main"), HEARTH_E_MALFORMED);
    assert_int_equal(FEED("HTTP/1.1 302 Found", "X-Repo-Commit: " SHA1,
                          "X-Repo-Commit: "
                          "0000000000000000000000000000000000000000"),
                     HEARTH_E_MALFORMED);
}

static void a_head_has_an_end(void **state)
{
    char line[1024];
    int rc = FEED("HTTP/1.1 200 OK");
    (void)state;
    memset(line, 'x', sizeof line);
    for (unsigned i = 0; i < PULL_MAX_HEADER_BYTES / sizeof line - 1 && rc == 0; i++) {
        rc = pull_head_line(&head, hearth_slice_of(line, sizeof line), NULL);
    }
    assert_int_equal(rc, 0);
    rc = pull_head_line(&head, hearth_slice_of(line, sizeof line), NULL);
    assert_int_equal(rc, HEARTH_E_TOO_LARGE);
    assert_true(pull_head_is_end(hearth_slice_of_string("\r\n")));
    assert_true(pull_head_is_end(hearth_slice_of_string("\n")));
    assert_false(pull_head_is_end(hearth_slice_of_string("a\r\n")));
}

static void digests_are_taken_in_either_case_and_whole(void **state)
{
    char room[PULL_SHA1_BYTES + 1];
    (void)state;
    assert_true(pull_hex_copy(hearth_slice_of_string("1110A243FDF4706B3F48F1D95DB1A4F5529B4D41"),
                              PULL_SHA1_BYTES, room));
    assert_string_equal(room, SHA1);
    assert_false(pull_hex_copy(hearth_slice_of_string(SHA1 "0"), PULL_SHA1_BYTES, room));
    assert_false(pull_hex_copy(hearth_slice_of_string("1110a243"), PULL_SHA1_BYTES, room));
    assert_false(pull_hex_copy(hearth_slice_of_string("g110a243fdf4706b3f48f1d95db1a4f5529b4d41"),
                               PULL_SHA1_BYTES, room));
}

KIT_MAIN(cmocka_unit_test(what_a_hub_says_of_a_large_file_is_read),
         cmocka_unit_test(the_linked_tag_wins_whichever_comes_first),
         cmocka_unit_test(a_small_file_is_called_as_git_calls_it),
         cmocka_unit_test(tags_that_are_no_digest_are_only_tags),
         cmocka_unit_test(ranges_are_read_and_impossible_ones_refused),
         cmocka_unit_test(numbers_that_are_none_or_two_are_refused),
         cmocka_unit_test(status_lines_are_checked_and_begin_anew),
         cmocka_unit_test(addresses_with_blanks_or_twice_are_refused),
         cmocka_unit_test(a_head_has_an_end),
         cmocka_unit_test(digests_are_taken_in_either_case_and_whole))
