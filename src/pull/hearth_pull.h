/* hearth_pull.h — the program `hearth-pull`: the only one of Hearth that opens a network
 * connection.
 *
 * It fetches models by a name of the catalogue, or files of a model hub, into a folder that hearthd
 * reads. Nothing appears there before every byte of it has been checked against a digest.
 *
 * Words: a *blob* is a file in the cache, called by its sha256; a *part* is one that is not
 * complete yet; *to publish* is to rename a finished folder into its place.
 *
 * Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted (143 by SIGTERM). What was
 * fetched before a failure is kept and the next run goes on from there.
 *
 * The program is single-threaded. */

#ifndef HEARTH_PULL_H
#define HEARTH_PULL_H

#include "hearth_base.h"

/* What anybody else may say at most. */
#define PULL_MAX_CATALOGUE_BYTES (1u << 20)
#define PULL_MAX_MANIFEST_BYTES  (256u << 10)
#define PULL_MAX_FILES           8u
#define PULL_MAX_NAME_BYTES      128u
#define PULL_MAX_FILE_BYTES      (UINT64_C(1) << 40)
#define PULL_MAX_UNSIZED_BYTES   (UINT64_C(64) << 20) /* if nobody says a size before it comes */
#define PULL_MAX_REDIRECTS       8u
#define PULL_MAX_HEADER_BYTES    (64u << 10) /* of one response */
#define PULL_MAX_URL_BYTES       16384u      /* storage signs its addresses: they are long */
#define PULL_MAX_TOKEN_BYTES     512u
#define PULL_MAX_ATTEMPTS        1000u /* of one file, however much each brings */

/* Numbers of bytes as text. */
#define PULL_SHA256_BYTES 64u
#define PULL_SHA1_BYTES   40u

enum pull_exit { PULL_DONE = 0, PULL_FAILED = 1, PULL_USAGE = 2 };

/** Runs the program; returns its exit code. */
int hearth_pull_main(int argc, char **argv);

#endif
