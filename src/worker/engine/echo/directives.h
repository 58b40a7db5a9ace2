/* directives.h — what a text may ask of the null engine, so that tests can meet every fate.
 *
 * Directives stand at the start of the text, each ended by one space or the end of the text:
 *
 *   slow:500ms   waits before it answers (ms or s); ends at once on cancel or deadline
 *   pace:20ms    waits that long before each further piece; ends likewise
 *   crash:       aborts the process
 *   exit:7       ends the process with that status
 *   hang:        never answers, whatever happens
 *   fail:        fails with HEARTH_E_ENGINE_FAILED
 *   alloc:64     takes that many MiB, touches them and gives them back before it answers
 *   tool:NAME    calls that tool behind the text, if the request has tools; up to four of them
 *   full:        ends as if the context were full
 *   cached:5     tells that so many tokens of the prompt were cached (at most all), …
 *   evicted:7 pushed:8   … that so many left the cache for it, of its own and of other domains, …
 *   drafted:9 accepted:3   … and what was guessed
 *
 * The rest is the text that is answered. Of a rerank request each text is read so, not the query;
 * of a tensors request the bytes of an input of type uint8 that is called "directives". */

#ifndef ECHO_DIRECTIVES_H
#define ECHO_DIRECTIVES_H

#include "hearth_base.h"

#define ECHO_MAX_TOOLS 4u

enum echo_fate { ECHO_ANSWER, ECHO_CRASH, ECHO_EXIT, ECHO_HANG, ECHO_FAIL };

struct echo_directives {
    enum echo_fate fate;
    uint64_t slow_ms;
    uint64_t pace_ms;
    uint64_t alloc_mib;
    int exit_status;
    struct hearth_slice tools[ECHO_MAX_TOOLS];
    uint32_t tool_count;
    bool is_full;
    bool is_cached; /* any of the next was said */
    uint64_t cached;
    uint64_t evicted;
    uint64_t pushed;
    uint64_t drafted;
    uint64_t accepted;
    struct hearth_slice rest;
};

/** Reads the directives at the start of @text; a word that is none ends them. */
struct echo_directives echo_read_directives(struct hearth_slice text);

#endif
