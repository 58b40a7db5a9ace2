/* resident.c — asks libc and the loader, advises the kernel. */

#include "resident.h"

#include <link.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES_ASKED 256u

size_t hearth_mapping_resident(const void *memory, size_t size_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = (uintptr_t)memory / page * page;
    uintptr_t end = (uintptr_t)memory + size_bytes;
    unsigned char is_there[PAGES_ASKED];
    size_t pages = 0;
    while (at < end) {
        size_t count = HEARTH_MIN((end - at + page - 1) / page, (uintptr_t)PAGES_ASKED);
        if (mincore((void *)at, count * page, is_there) != 0) {
            break;
        }
        for (size_t i = 0; i < count; i++) {
            pages += is_there[i] & 1u;
        }
        at += count * page;
    }
    return pages * page;
}

void hearth_heap_trim(void)
{
    malloc_trim(0);
}

void hearth_mapping_drop(const void *memory, size_t size_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)memory + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)memory + size_bytes) / page * page;
    if (memory != NULL && end > first) {
        /* Advice: what the kernel does not take stays as it was. */
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
    }
}

/* Segments that can be written hold relocated addresses, which no file could give back. */
static int drop_segments(struct dl_phdr_info *info, size_t size HEARTH_UNUSED, void *name)
{
    if (info->dlpi_name == NULL || strstr(info->dlpi_name, name) == NULL) {
        return 0;
    }
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0) {
            uintptr_t start = info->dlpi_addr + segment->p_vaddr;
            hearth_mapping_drop((const void *)start, segment->p_filesz);
        }
    }
    return 1;
}

void hearth_library_drop(const char *name)
{
    dl_iterate_phdr(drop_segments, (void *)(uintptr_t)name);
}
