/* What a request says of its tools is content: nothing of it stays in memory that was given back.
 * The linker puts the three functions here before those of the heap's one door. */

#include "gguf_engine.h"

#include "kit.h"

#include <malloc.h>

#define SECRET "a description that nobody else may read"

void *__real_hearth_alloc(size_t count, size_t size);
void *__real_hearth_realloc(void *block, size_t count, size_t size);
void __real_hearth_free(void *block);
void *__wrap_hearth_alloc(size_t count, size_t size);
void *__wrap_hearth_realloc(void *block, size_t count, size_t size);
void __wrap_hearth_free(void *block);

static void *blocks[4096]; /* that are not given back */
static size_t block_count;
static size_t given_back;
static size_t unwiped; /* of these */

static bool has_secret(void *block)
{
    size_t size = block == NULL ? 0 : malloc_usable_size(block);
    return size > 0 && memmem(block, size, SECRET, sizeof SECRET - 1) != NULL;
}

static void *note(void *block)
{
    assert_true(block_count < HEARTH_COUNT(blocks));
    blocks[block_count++] = block;
    return block;
}

static void note_end(void *block)
{
    for (size_t i = 0; i < block_count; i++) {
        if (blocks[i] == block) {
            blocks[i] = blocks[--block_count];
            given_back++;
            unwiped += has_secret(block);
            return;
        }
    }
}

void *__wrap_hearth_alloc(size_t count, size_t size)
{
    return note(__real_hearth_alloc(count, size));
}

void *__wrap_hearth_realloc(void *block, size_t count, size_t size)
{
    note_end(block);
    return note(__real_hearth_realloc(block, count, size));
}

void __wrap_hearth_free(void *block)
{
    note_end(block);
    __real_hearth_free(block);
}

static size_t holding_it(void)
{
    size_t count = 0;
    for (size_t i = 0; i < block_count; i++) {
        count += has_secret(blocks[i]);
    }
    return count;
}

static void descriptions_are_wiped_when_a_request_ends(void **state)
{
    (void)state;
    static struct hearth_engine engine;
    static struct gguf_room room;
    static struct gguf_rules rules;
    struct hearth_wire_inference_request request;
    struct hearth_error err = {0};
    engine.room = &room;
    hearth_wire_default_request(&request);
    request.tools = hearth_slice_of_string(
        "[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"description\":\"" SECRET
        "\",\"parameters\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"rest\"}}]");
    assert_int_equal(gguf_read_tools(&engine, &rules, &request, &err), 0);
    assert_int_equal(rules.tool_count, 2);
    assert_true(holding_it() > 0); /* else nothing would be shown */
    gguf_forget_tools(&rules);
    assert_true(given_back > 0);
    assert_int_equal(unwiped, 0);
    assert_int_equal(holding_it(), 0);
    gguf_grammars_destroy(&room.grammars);
    assert_int_equal(block_count, 0);
}

KIT_MAIN(cmocka_unit_test(descriptions_are_wiped_when_a_request_ends))
