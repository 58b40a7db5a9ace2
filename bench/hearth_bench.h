/* hearth_bench.h — the cases; each file of micro/, end_to_end/ and generation/ has one or a
 * family of them. */

#ifndef HEARTH_BENCH_H
#define HEARTH_BENCH_H

#include "hearth_harness.h"

/* An array of cases, ended by one without an id. */
extern const struct hearth_harness_case bench_frames[];
extern const struct hearth_harness_case bench_ring[];
extern const struct hearth_harness_case bench_wire[];
extern const struct hearth_harness_case bench_scheduler[];
extern const struct hearth_harness_case bench_memory[];
extern const struct hearth_harness_case bench_grammar[];
extern const struct hearth_harness_case bench_noop_latency[];
extern const struct hearth_harness_case bench_noop_throughput[];
extern const struct hearth_harness_case bench_daemon[];
extern const struct hearth_harness_case bench_shared[];
extern const struct hearth_harness_case bench_tensors[];
extern const struct hearth_harness_case bench_tokenizers[];
extern const struct hearth_harness_case bench_onnx_throughput[];
extern const struct hearth_harness_case bench_onnx_servers[];
extern const struct hearth_harness_case bench_onnx_latency[];
extern const struct hearth_harness_case bench_onnx_memory[];
extern const struct hearth_harness_case bench_generation_servers[];
extern const struct hearth_harness_case bench_generation_long_prompt[];
extern const struct hearth_harness_case bench_generation_start[];
extern const struct hearth_harness_case bench_generation_decode[];
extern const struct hearth_harness_case bench_generation_cancel[];
extern const struct hearth_harness_case bench_generation_memory[];
extern const struct hearth_harness_case bench_generation_features[];

#endif
