/* gguf_priv.h — what the files of the GGUF check share.
 *
 * Words: an *entry* is one key with its value; a *scalar* is a value that is no array. */

#ifndef HEARTH_GGUF_PRIV_H
#define HEARTH_GGUF_PRIV_H

#include "hearth_inspect.h"
#include "shown.h"

enum gguf_kind { /* numbers of the format */
                 GGUF_U8,
                 GGUF_I8,
                 GGUF_U16,
                 GGUF_I16,
                 GGUF_U32,
                 GGUF_I32,
                 GGUF_F32,
                 GGUF_BOOL,
                 GGUF_STRING,
                 GGUF_ARRAY,
                 GGUF_U64,
                 GGUF_I64,
                 GGUF_F64,
                 GGUF_KINDS
};

/* A place in the file; every read checks what is left. */
struct gguf_cursor {
    struct hearth_slice file;
    size_t at;
};

struct gguf_entry {
    struct hearth_slice key;
    enum gguf_kind kind; /* of the scalar, or of the elements */
    bool is_array;
    uint64_t count;      /* elements; 1 for a scalar */
    size_t at;           /* of the first element */
    uint64_t text_bytes; /* array of strings: all texts together */
};

enum gguf_reads { GGUF_READS_FORWARD, GGUF_READS_BOTH_WAYS };

/* What the library's graph of an architecture takes for granted. */
struct gguf_architecture {
    const char *name;
    enum gguf_reads reads;
    bool has_full_rope;  /* all of a head is rotated: rope.dimension_count is key_length */
    bool has_free_heads; /* heads times key_length need not be embedding_length */
    bool has_window;     /* some blocks look back over a window only, if the file says so */
};

struct gguf_file {
    struct gguf_cursor cursor;
    uint32_t version;
    uint64_t tensor_count;
    uint64_t key_count;
    struct gguf_entry *entries; /* key_count of them */
    char architecture[64];
    const struct gguf_architecture *kind;
};

bool gguf_read_u32(struct gguf_cursor *cursor, uint32_t *ret);
bool gguf_read_u64(struct gguf_cursor *cursor, uint64_t *ret);
/* A string of at most @most bytes; false if it does not fit into the file either. */
bool gguf_read_string(struct gguf_cursor *cursor, size_t most, struct hearth_slice *ret);

/* Reads the value behind a key; entry->key is set. */
int gguf_read_value(struct gguf_cursor *cursor, struct gguf_entry *entry, struct hearth_error *err);

/* The entry with this key, or NULL. With @is_own the architecture and a dot come before it. */
const struct gguf_entry *gguf_find(const struct gguf_file *file, const char *key, bool is_own);

/* Element @index as a number; false if the entry holds no whole numbers (or a negative one). */
bool gguf_number_at(const struct gguf_file *file, const struct gguf_entry *entry, uint64_t index,
                    uint64_t *ret);
bool gguf_text_of(const struct gguf_file *file, const struct gguf_entry *entry,
                  struct hearth_slice *ret);
bool gguf_float_of(const struct gguf_file *file, const struct gguf_entry *entry, double *ret);

/* NULL: not one that is loaded. */
const struct gguf_architecture *gguf_architecture_of(const char *name);

/* The parts of the check that follow the keys. */
int gguf_check_architecture(struct gguf_file *file, struct hearth_error *err);
int gguf_check_own_keys(const struct gguf_file *file, uint32_t blocks, struct hearth_error *err);
int gguf_check_hyper(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                     struct hearth_error *err);
int gguf_check_vocabulary(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                          struct hearth_error *err);
int gguf_check_tensors(struct gguf_file *file, struct hearth_gguf_facts *facts,
                       struct hearth_error *err);

#endif
