/* test_resident.c — what is there, and what can be let go. */

#include "kit.h"

#include "hearth_os.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 600u

static size_t page;

static unsigned char *map_pages(int fd, int flags)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, PAGES * page, PROT_READ | (fd < 0 ? PROT_WRITE : 0), flags, fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    (void)madvise(memory, PAGES * page, MADV_NOHUGEPAGE); /* pages are counted one by one */
    return memory;
}

static void only_pages_that_were_touched_are_resident(void **state)
{
    (void)state;
    unsigned char *memory = map_pages(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    assert_int_equal(hearth_mapping_resident(memory, PAGES * page), 0);
    memory[0] = memory[5 * page] = memory[599 * page] = 1;
    assert_int_equal(hearth_mapping_resident(memory, PAGES * page), 3 * page);
    assert_int_equal(hearth_mapping_resident(memory + 5 * page + 7, page), page);
    munmap(memory, PAGES * page);
}

static void counting_ends_where_nothing_is_mapped(void **state)
{
    (void)state;
    unsigned char *memory = map_pages(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    memset(memory, 1, PAGES * page);
    munmap(memory + 512 * page, 88 * page);
    size_t found = hearth_mapping_resident(memory, PAGES * page);
    assert_in_range(found, 256 * page, 512 * page); /* to the piece that ends outside */
    munmap(memory, 512 * page);
}

static void a_dropped_file_mapping_says_the_same_as_before(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(hearth_memfd_create("test", PAGES * (size_t)sysconf(_SC_PAGESIZE), &fd, NULL),
                     0);
    assert_int_equal(pwrite(fd, "kept", 4, 4096), 4);
    unsigned char *memory = map_pages(fd, MAP_SHARED);
    assert_memory_equal(memory + 4096, "kept", 4);
    hearth_mapping_drop(memory, PAGES * page);
    assert_memory_equal(memory + 4096, "kept", 4);
    hearth_mapping_drop(memory + 1, 1); /* no whole page: nothing happens */
    hearth_mapping_drop(NULL, 0);
    munmap(memory, PAGES * page);
    hearth_fd_close(&fd);
}

static void a_library_that_was_dropped_still_works(void **state)
{
    (void)state;
    hearth_library_drop("libcmocka");
    hearth_library_drop("no such library");
    hearth_heap_trim();
    assert_int_equal(1, 1); /* cmocka itself counts this */
}

KIT_MAIN(cmocka_unit_test(only_pages_that_were_touched_are_resident),
         cmocka_unit_test(counting_ends_where_nothing_is_mapped),
         cmocka_unit_test(a_dropped_file_mapping_says_the_same_as_before),
         cmocka_unit_test(a_library_that_was_dropped_still_works))
