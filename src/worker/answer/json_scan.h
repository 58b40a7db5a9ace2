/* json_scan.h — one JSON object (RFC 8259) in a stream of bytes: where it ends, or where it breaks.
 * Bytes of strings from 0x80 on are taken as they are: UTF-8 is the caller's. */

#ifndef HEARTH_JSON_SCAN_H
#define HEARTH_JSON_SCAN_H

#include "hearth_base.h"

#define HEARTH_JSON_SCAN_DEPTH 64u /* objects and arrays inside each other */

enum hearth_json_scan_end { HEARTH_JSON_SCAN_MORE, HEARTH_JSON_SCAN_DONE, HEARTH_JSON_SCAN_BAD };

struct hearth_json_scan {
    uint64_t is_object; /* bit i: what is open at depth i + 1 */
    uint8_t depth;
    uint8_t state;
    bool is_key;      /* the string that is read */
    uint8_t digits;   /* of \uXXXX still to come */
    const char *rest; /* of true, false or null */
};

/** Begins: the next byte must be '{'. */
void hearth_json_scan_begin(struct hearth_json_scan *scan);

/** Reads on. *@ret_used: MORE all bytes; DONE up to the end of the object; BAD those before the
 *  first that no object could have there, or that would be deeper than the limit. */
enum hearth_json_scan_end hearth_json_scan_feed(struct hearth_json_scan *scan,
                                                struct hearth_slice bytes, size_t *ret_used);

#endif
