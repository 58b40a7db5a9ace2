/* test_memfds.c — tensors in memfds as an engine sees them: mapped from push to the end of the job,
 * and looked at here whatever the broker has said of them. */

#include "kit.h"

#include "hearth_os.h"
#include "inbox.h"
#include "tensor.h"

#include <stdio.h>
#include <string.h>

#define BYTES 5000u

static void ignore_fail(void *arg, struct hearth_job *job, uint32_t index, int code,
                        const struct hearth_error *err)
{
    (void)arg, (void)job, (void)index, (void)code, (void)err;
}

static void ignore_finish(void *arg, struct hearth_job *job, uint32_t index,
                          const struct hearth_item_result *result)
{
    (void)arg, (void)job, (void)index, (void)result;
}

static void ignore_end(void *arg, struct hearth_job *job)
{
    (void)arg, (void)job;
}

static int set_up(void **state)
{
    const struct hearth_sink sink = {
        .finish = ignore_finish, .fail = ignore_fail, .end = ignore_end};
    return hearth_inbox_create(&sink, false, (struct hearth_inbox **)state, NULL);
}

static int tear_down(void **state)
{
    hearth_inbox_destroy(*state);
    return 0;
}

/* How many mappings of ours this process has. */
static unsigned count_mappings(void)
{
    char line[512];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        count += strstr(line, "memfd:of-a-test") != NULL;
    }
    fclose(maps);
    return count;
}

static int memfd(uint8_t mark, size_t size)
{
    static uint8_t bytes[2 * BYTES];
    int fd = -1;
    memset(bytes, mark, sizeof bytes);
    assert_int_equal(hearth_memfd_of_data("of-a-test", hearth_slice_of(bytes, size), &fd, NULL), 0);
    return fd;
}

/* Pushes three tensors: "a" and "c" in memfds, "b" inline. */
static int push(struct hearth_inbox *inbox, const int *fds, uint32_t count,
                struct hearth_error *err)
{
    static const uint32_t large[] = {BYTES};
    static const uint32_t small[] = {3};
    const struct hearth_wire_tensor tensors[] = {
        {hearth_slice_of_string("a"), HEARTH_TENSOR_UINT8, {large, 1}, {0}, BYTES, 0},
        {hearth_slice_of_string("b"),
         HEARTH_TENSOR_UINT8,
         {small, 1},
         hearth_slice_of_string("xyz"),
         0,
         0},
        {hearth_slice_of_string("c"), HEARTH_TENSOR_UINT8, {large, 1}, {0}, BYTES, 0},
    };
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 7;
    request->task = HEARTH_TASK_TENSORS;
    request->model_id = hearth_slice_of_string("m");
    request->tensors = (struct hearth_wire_list){.count = 3, .items = tensors};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 65536);
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    return hearth_inbox_push_memfds(inbox, hearth_buf_slice(&frame), UINT64_MAX, NULL, fds, count,
                                    err);
}

static void memfds_are_mapped_until_the_job_ends(void **state)
{
    struct hearth_tensor tensors[HEARTH_MAX_TENSORS];
    int fds[] = {memfd('p', BYTES), memfd('q', BYTES)};
    assert_int_equal(push(*state, fds, 2, NULL), 0);
    hearth_fd_close(&fds[0]); /* a mapping needs none */
    hearth_fd_close(&fds[1]);
    struct hearth_item *item = hearth_inbox_take(*state, false);
    assert_non_null(item);
    assert_int_equal(count_mappings(), 2);
    assert_int_equal(hearth_job_memfd(item->job, 0).data[BYTES - 1], 'p');
    assert_null(hearth_job_memfd(item->job, 1).data);
    assert_int_equal(hearth_job_memfd(item->job, 2).data[BYTES - 1], 'q');
    assert_null(hearth_job_memfd(item->job, 99).data);
    assert_int_equal(hearth_tensors_of(item->job, tensors, NULL), 3);
    assert_int_equal(tensors[2].data.size, BYTES);
    assert_int_equal(tensors[2].data.data[0], 'q');
    hearth_item_finish(item, &(struct hearth_item_result){0});
    assert_int_equal(count_mappings(), 0);
}

static void cancelled_jobs_end_their_mappings_too(void **state)
{
    int fds[] = {memfd('p', BYTES), memfd('q', BYTES)};
    assert_int_equal(push(*state, fds, 2, NULL), 0);
    assert_true(hearth_inbox_cancel(*state, 7));
    assert_int_equal(count_mappings(), 0);
    assert_int_equal(push(*state, fds, 2, NULL), 0);
    assert_int_equal(push(*state, fds, 2, NULL), HEARTH_E_BUSY); /* the same id */
    assert_int_equal(count_mappings(), 2);
    hearth_inbox_close(*state);
    assert_int_equal(count_mappings(), 0);
    hearth_fd_close(&fds[0]);
    hearth_fd_close(&fds[1]);
}

static void nothing_is_mapped_that_is_not_what_it_should_be(void **state)
{
    int plain = -1;
    assert_int_equal(hearth_memfd_create("of-a-test", BYTES, &plain, NULL), 0);
    int good = memfd('p', BYTES);
    int small = memfd('p', BYTES - 1);
    const struct {
        int fds[3];
        uint32_t count;
        const char *says;
    } rows[] = {
        {{good, plain}, 2, "the memfd of tensors[2]: is not sealed"},
        {{small, good}, 2, "the memfd of tensors[0]: has 4999 bytes, not 5000"},
        {{good, good, good}, 3, "2 memfds are claimed, 3 came"},
        {{good}, 1, "2 memfds are claimed, 1 came"},
        {{0}, 0, "2 memfds are claimed, 0 came"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_error err = {0};
        assert_int_equal(push(*state, rows[i].fds, rows[i].count, &err), HEARTH_E_INPUT_INVALID);
        if (strstr(err.text, rows[i].says) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].says);
        }
        assert_int_equal(count_mappings(), 0);
    }
    hearth_fd_close(&plain);
    hearth_fd_close(&good);
    hearth_fd_close(&small);
}

#define WITH_INBOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(WITH_INBOX(memfds_are_mapped_until_the_job_ends),
         WITH_INBOX(cancelled_jobs_end_their_mappings_too),
         WITH_INBOX(nothing_is_mapped_that_is_not_what_it_should_be))
