/* source.h — which file of which repository of a model hub, and the address of it. Pure. */

#ifndef HEARTH_PULL_SOURCE_H
#define HEARTH_PULL_SOURCE_H

#include "hearth_pull.h"
#include "problem.h"

#define PULL_DEFAULT_HUB "https://huggingface.co"

/** A file of a hub. All parts are checked: see pull_source_is_valid(). */
struct pull_source {
    char repository[2 * 96 + 2]; /* owner/name */
    char revision[129];          /* a commit, a tag or a branch */
    char path[513];              /* in the repository */
};

/** Reads "owner/name[@revision]/path"; the revision is "main" if there is none. */
int pull_source_parse(const char *text, struct pull_source *ret, struct pull_problem *problem);

/** True if every part has only what such a part may have: no "..", nothing that leads elsewhere. */
bool pull_source_is_valid(const struct pull_source *source);

/** True if the revision is a whole commit: what it names never changes. */
bool pull_source_is_pinned(const struct pull_source *source);

/** The last part of the path. */
const char *pull_source_file_name(const struct pull_source *source);

/** Writes <hub>/<repository>/resolve/<revision>/<path>, each part escaped. HEARTH_E_TOO_LARGE. */
int pull_source_url(const struct pull_source *source, const char *hub, char *room,
                    size_t room_bytes, struct pull_problem *problem);

/** True for a name that may be a model's, and so a folder's: A-Z a-z 0-9 . _ -, no . or - first. */
bool pull_name_is_valid(const char *name);

#endif
