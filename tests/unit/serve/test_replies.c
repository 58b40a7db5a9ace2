/* test_replies.c — answers are made in memory that was used before. */

#include "kit.h"

#include "reply_priv.h"

static struct hearth_worker worker;

static int make_worker(void **state)
{
    (void)state;
    worker.spare_reply_count = 0;
    worker.spare_large_bytes = 0;
    hearth_list_init(&worker.spare_replies);
    return pthread_mutex_init(&worker.replies_lock, NULL);
}

static int end_worker(void **state)
{
    (void)state;
    reply_free_spare(&worker);
    return pthread_mutex_destroy(&worker.replies_lock);
}

static struct reply *open_reply(uint32_t answers)
{
    struct hearth_wire_inference_request request;
    struct reply *reply = NULL;
    hearth_wire_default_request(&request);
    request.task = HEARTH_TASK_GENERATE;
    request.answers = answers;
    assert_int_equal(reply_open(&worker, &request, &reply), 0);
    return reply;
}

/* @tokens tokens of each answer, with so many likely ones beside as a request may ask for. */
static void fill(struct reply *reply, uint32_t answers, uint32_t tokens)
{
    const struct hearth_wire_token_score score = {.text = hearth_slice_of_string("word")};
    for (uint32_t index = 0; index < answers; index++) {
        for (uint32_t place = 0; place < tokens; place++) {
            for (uint32_t i = 0; i < 1 + HEARTH_MAX_TOP_LOGPROBS; i++) {
                assert_int_equal(answer_add_score(reply, index, &score), 0);
            }
            assert_int_equal(answer_add_id(reply, index, place), 0);
            assert_int_equal(answer_add_text(reply, index, hearth_slice_of_string("word")), 0);
        }
    }
}

static void long_answers_with_all_scores_allocate_nothing_in_steady_state(void **state)
{
    (void)state;
    const struct {
        uint32_t answers;
        uint32_t tokens;
        unsigned at_a_time;
    } rows[] = {{1, 1000, 1}, {1, 1000, 4}, {4, 200, 2}, {1, 4, 4}};
    for (size_t row = 0; row < HEARTH_COUNT(rows); row++) {
        uint64_t before = 0;
        for (unsigned round = 0; round < 5; round++) {
            struct reply *replies[4];
            before = round == 2 ? hearth_alloc_count() : before;
            for (unsigned i = 0; i < rows[row].at_a_time; i++) {
                replies[i] = open_reply(rows[row].answers);
                fill(replies[i], rows[row].answers, rows[row].tokens);
            }
            for (unsigned i = 0; i < rows[row].at_a_time; i++) {
                reply_discard(replies[i]);
            }
        }
        assert_int_equal(hearth_alloc_count(), before);
    }
}

static void spare_replies_keep_to_their_bytes(void **state)
{
    (void)state;
    struct reply *replies[24];
    for (size_t i = 0; i < HEARTH_COUNT(replies); i++) {
        replies[i] = open_reply(1);
        fill(replies[i], 1, 800);
    }
    for (size_t i = 0; i < HEARTH_COUNT(replies); i++) {
        reply_discard(replies[i]);
        assert_in_range(worker.spare_large_bytes, 1, REPLY_LARGE_BYTES);
    }
    assert_int_equal(worker.spare_reply_count, HEARTH_COUNT(replies));
    size_t large_bytes = 0;
    HEARTH_LIST_EACH(struct reply, in_spare, reply, &worker.spare_replies) {
        large_bytes += answers_large_bytes(reply);
    }
    assert_int_equal(large_bytes, worker.spare_large_bytes);
    for (size_t i = 0; i < HEARTH_COUNT(replies); i++) {
        replies[i] = open_reply(1);
    }
    assert_int_equal(worker.spare_large_bytes, 0);
    for (size_t i = 0; i < HEARTH_COUNT(replies); i++) {
        reply_discard(replies[i]);
    }
}

static void what_an_answer_held_is_wiped_though_its_memory_stays(void **state)
{
    (void)state;
    struct reply *reply = open_reply(1);
    fill(reply, 1, 500);
    const struct hearth_buf *scores = &reply->answers[0].score_text;
    size_t size = scores->size;
    assert_in_range(size, 1, scores->room);
    reply_discard(reply);
    assert_int_equal(scores->size, 0);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(scores->data[i], 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_worker, end_worker)

KIT_MAIN(TEST(long_answers_with_all_scores_allocate_nothing_in_steady_state),
         TEST(spare_replies_keep_to_their_bytes),
         TEST(what_an_answer_held_is_wiped_though_its_memory_stays))
