"""Wrong GGUF files: one thing or a few changed in a sound one, the same for a seed on every machine."""

import random
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fixtures"))

import gguf_architectures  # noqa: E402
import gguf_keys  # noqa: E402

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMS = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B",
         U64: "<Q", I64: "<q", F64: "<d"}
WHOLE = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33, 64, 127, 128, 255, 256, 512, 513, 1024, 4096,
         65535, 65536, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63,
         2**64 - 1]
REAL = [0.0, -0.0, 1.0, -1.0, 1e-45, 1e-30, 1e-5, 0.5, 2.0, 1e5, 1e30, 3.4e38, float("inf"),
        float("-inf"), float("nan"), -1e-5]
# Keys that the library reads, of any architecture; what they do in another one is not known here.
STRANGE = """attention.sliding_window attention.sliding_window_pattern attention.key_length
 attention.value_length attention.key_length_mla attention.value_length_mla attention.q_lora_rank
 attention.kv_lora_rank attention.causal attention.clamp_kqv attention.max_alibi_bias
 attention.scale attention.group_norm_groups attention.relative_buckets_count
 attention.indexer.head_count attention.output_scale attention.temperature_length
 attention.shared_kv_layers attention.recurrent_layers rope.dimension_count rope.dimension_sections
 rope.freq_base rope.freq_base_swa rope.dimension_count_swa rope.scale_linear rope.scaling.type
 rope.scaling.factor rope.scaling.attn_factor rope.scaling.original_context_length
 rope.scaling.finetuned rope.scaling.yarn_log_multiplier rope.scaling.yarn_beta_fast
 rope.scaling.alpha expert_count expert_used_count expert_shared_count expert_group_count
 expert_group_used_count expert_weights_scale expert_weights_norm expert_gating_func
 expert_feed_forward_length expert_shared_feed_forward_length moe_every_n_layers
 leading_dense_block_count interleave_moe_layer_step nextn_predict_layers n_deepstack_layers
 embedding_length_out pooling_type logit_scale residual_scale embedding_scale decoder_block_count
 decoder_start_token_id attn_logit_softcapping final_logit_softcapping use_parallel_residual
 tensor_data_layout vocab_size ssm.conv_kernel ssm.inner_size ssm.state_size ssm.time_step_rank
 ssm.group_count wkv.head_size token_shift_count shortconv.l_cache classifier.output_labels
 classifier.pooling_type dense_2_feat_in dense_2_feat_out dense_3_feat_in dense_3_feat_out
 router_layer full_attention_interval posnet.block_count convnext.block_count swin_norm
 altup.num_inputs xielu.alpha_n embedding_length_per_layer_input hidden_activation""".split()
TOKENIZER = """model pre token_type_count add_bos_token add_eos_token add_sep_token add_space_prefix
 remove_extra_whitespaces precompiled_charsmap suppress_tokens bos_token_id eos_token_id
 eot_token_id eom_token_id unknown_token_id seperator_token_id padding_token_id mask_token_id
 cls_token_id fim_pre_token_id fim_suf_token_id fim_mid_token_id fim_pad_token_id
 fim_rep_token_id fim_sep_token_id prefix_token_id normalizer.lowercase scores""".split()
TEXTS = ["", "none", "no_vocab", "llama", "gpt2", "bert", "t5", "rwkv", "plamo2", "test", "gemma4",
         "hybriddna", "whitespace", "kimi-k2", "linear", "yarn", "longrope", "magic", "mamba", "t5",
         "clip", "qwen2", "deepseek2", "phi-3", "a b", " ", "\0", "é", "llama-bpe", "gpt-2",
         "default", "gemma4", "sarvam-moe", "deepseek-llm", "x" * 5000]


class File:
    """A file in parts: keys with their values as bytes, descriptions of tensors, data."""

    def __init__(self, data):
        self.keys = list(gguf_keys.read(data).items())
        self.version = 3
        at = 24 + sum(8 + len(key) + len(value) for key, value in self.keys)
        count, = struct.unpack_from("<Q", data, 8)
        self.tensors = []
        for _ in range(count):
            size, = struct.unpack_from("<Q", data, at)
            name = data[at + 8:at + 8 + size]
            at += 8 + size
            rank, = struct.unpack_from("<I", data, at)
            shape = struct.unpack_from(f"<{rank}Q", data, at + 4)
            kind, offset = struct.unpack_from("<IQ", data, at + 4 + 8 * rank)
            at += 16 + 8 * rank
            self.tensors.append([name, list(shape), kind, offset])
        self.data = bytearray(data[gguf_keys.padded(at):])
        self.counts = [None, None]      # of tensors and keys, if they are to lie

    def bytes(self):
        said = [len(part) if lie is None else lie
                for lie, part in zip(self.counts, (self.tensors, self.keys))]
        parts = [b"GGUF", struct.pack("<IQQ", self.version, *said)]
        for key, value in self.keys:
            key = key if isinstance(key, bytes) else key.encode()
            parts += [struct.pack("<Q", len(key)), key, value]
        for name, shape, kind, offset in self.tensors:
            parts += [struct.pack("<Q", len(name)), name,
                      struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset % 2**64)]
        head = b"".join(parts)
        self.head_size = len(head)
        return head + bytes(gguf_keys.padded(len(head)) - len(head)) + bytes(self.data)


def scalar(lot, kind):
    """The bytes of an edge value of a kind."""
    if kind == STRING:
        text = lot.choice(TEXTS).encode()
        return struct.pack("<Q", len(text)) + text
    if kind in (F32, F64):
        return struct.pack(FORMS[kind], lot.choice(REAL))
    size = struct.calcsize(FORMS[kind])
    if kind == BOOL:
        return bytes([lot.choice([0, 1, 1, 0, 2, 255])])
    return (lot.choice(WHOLE) % 2**(8 * size)).to_bytes(size, "little")


def any_value(lot):
    kind = lot.choice([U32, U32, U32, F32, F32, BOOL, STRING, U64, I32, U16, U8, F64, ARRAY])
    if kind != ARRAY:
        return struct.pack("<I", kind) + scalar(lot, kind)
    element = lot.choice([U32, I32, F32, BOOL, STRING, U64])
    count = lot.choice([0, 1, 2, 2, 2, 3, 4, 300])
    return (struct.pack("<IIQ", ARRAY, element, count)
            + b"".join(scalar(lot, element) for _ in range(count)))


def prefix_of(file):
    return dict(file.keys)["general.architecture"][12:].decode(errors="replace")


def change_value(lot, file):
    """A key keeps its kind and gets an edge value."""
    at = lot.randrange(len(file.keys))
    key, value = file.keys[at]
    kind, = struct.unpack_from("<I", value)
    if kind != ARRAY:
        file.keys[at] = key, struct.pack("<I", kind) + scalar(lot, kind)
        return
    element, count = struct.unpack_from("<IQ", value, 4)
    if element != STRING:       # one element
        size = struct.calcsize(FORMS[element])
        place = 16 + size * lot.randrange(count)
        file.keys[at] = key, value[:place] + scalar(lot, element) + value[place + size:]
        return
    change_text(lot, file, at)


def change_own(lot, file):
    """The same, of the keys that shape the graph, small numbers above all: these come far."""
    own = [i for i, (key, _) in enumerate(file.keys)
           if isinstance(key, str) and key.startswith(prefix_of(file) + ".")]
    if not own:
        return
    at = lot.choice(own)
    key, value = file.keys[at]
    kind, = struct.unpack_from("<I", value)
    if kind == U32:
        file.keys[at] = key, struct.pack("<II", U32, lot.choice([*range(12), 16, 32, 64, 96]))
    elif kind == F32:
        file.keys[at] = key, struct.pack("<If", F32, lot.choice(REAL))


def change_text(lot, file, at=None):
    """One text of a list: another, none, no UTF-8, or the one before it."""
    lists = [i for i, (_, value) in enumerate(file.keys) if value[:8] == struct.pack("<II", ARRAY, STRING)]
    if not lists:
        return
    at = lot.choice(lists) if at is None else at
    key, value = file.keys[at]
    count, = struct.unpack_from("<Q", value, 8)
    texts, place = [], 16
    for _ in range(count):
        size, = struct.unpack_from("<Q", value, place)
        texts.append(value[place + 8:place + 8 + size])
        place += 8 + size
    for _ in range(lot.choice([1, 1, 4, 64])):
        i = lot.randrange(len(texts))
        texts[i] = lot.choice([b"", b"\xff\xfe", texts[i - 1], b" ", b"a b c", b"<0x", b"<0xZZ>",
                               b"[EMPTY_3]", b"\0", texts[i][:-1], b"<|im_end|>", b"x" * 300,
                               "é▁".encode(), b"[UNK]", b"unused"])
    file.keys[at] = key, gguf_architectures.array(STRING, texts)


def change_kind(lot, file):
    at = lot.randrange(len(file.keys))
    file.keys[at] = file.keys[at][0], any_value(lot)


def remove_key(lot, file):
    del file.keys[lot.randrange(len(file.keys))]


def double_key(lot, file):
    file.keys.insert(lot.randrange(len(file.keys)), lot.choice(file.keys))


def add_key(lot, file):
    name = (prefix_of(file) + "." + lot.choice(STRANGE) if lot.random() < 0.7
            else "tokenizer.ggml." + lot.choice(TOKENIZER))
    file.keys = [pair for pair in file.keys if pair[0] != name]
    value = any_value(lot)
    if name.endswith(("_id", "_count", "_length", "_type", "_window", "_base", "scale")):
        kind = F32 if name.endswith(("base", "scale")) else U32
        value = struct.pack("<I", kind) + scalar(lot, kind)
    file.keys.append((name, value))


def change_tensor(lot, file):
    tensor = lot.choice(file.tensors)
    part = lot.randrange(6)
    if part == 0:
        tensor[0] = lot.choice([b"", b"x" * 64, b"x" * 63, b"token_embd.weight", tensor[0] + b"\0",
                                tensor[0][:-1], lot.choice(file.tensors)[0]])
    elif part == 1 and not tensor[1]:
        return      # another change has left it without sides
    elif part == 1:
        tensor[1][lot.randrange(len(tensor[1]))] = lot.choice(WHOLE) % 2**64
    elif part == 2:
        tensor[1] = lot.choice([[], [1], tensor[1][::-1], tensor[1] + [1], tensor[1] + [1] * 3,
                                tensor[1] * 3, [max(1, size // 2) for size in tensor[1]]])
    elif part == 3:
        tensor[2] = lot.choice([*range(45), 255, 2**31, 2**32 - 1])
    elif part == 4:
        tensor[3] = lot.choice(WHOLE) % 2**64
    else:
        other = lot.choice(file.tensors)
        tensor[1], other[1] = other[1], tensor[1]


def change_all_types(lot, file):
    """Every tensor of one rank becomes another type, and lies where that type would put it: a file
    in which all sizes are right."""
    kind, values, size = lot.choice([(0, 1, 4), (1, 1, 2), (2, 32, 18), (8, 32, 34), (9, 32, 36),
                                     (20, 32, 18), (24, 1, 1), (25, 1, 2), (26, 1, 4), (27, 1, 8),
                                     (28, 1, 8), (30, 1, 2), (39, 32, 17)])
    rank = lot.choice([1, 2, 2, 3])
    offset = 0
    for tensor in file.tensors:
        count = 1
        for side in tensor[1]:
            count *= side
        if len(tensor[1]) == rank and tensor[1][0] % values == 0:
            tensor[2] = kind
        each, bytes_each = {0: (1, 4), 1: (1, 2)}.get(tensor[2], (values, size))
        tensor[3] = offset
        offset += gguf_keys.padded(count // each * bytes_each)
    if offset > 2**22:
        return      # another change has made a side of it huge
    file.data = bytearray(lot.randbytes(offset)) if lot.random() < 0.5 else bytearray(offset)


def change_data(lot, file):
    for _ in range(lot.choice([1, 16, 256])):
        at = lot.randrange(len(file.data) // 4) * 4
        file.data[at:at + 4] = lot.choice([b"\0\0\xc0\x7f", b"\0\0\x80\xff", b"\xff" * 4,
                                           b"\0\x7c\0\xfc", lot.randbytes(4)])


def change_counts(lot, file):
    if lot.random() < 0.3:
        file.version = lot.choice([0, 1, 2, 4, 2**24 * 3, 2**32 - 1])
    else:
        file.counts[lot.randrange(2)] = lot.choice(WHOLE) % 2**64


IN_PARTS = [change_value, change_own, change_own, change_own, change_text, change_kind, remove_key,
            double_key, add_key, add_key, add_key, change_tensor, change_tensor, change_all_types,
            change_data, change_counts]


def flip(lot, data, head):
    for _ in range(lot.choice([1, 1, 2, 8, 64])):
        at = lot.randrange(head)
        data[at] = lot.choice([0, 1, 0x7f, 0x80, 0xff, lot.randrange(256), data[at] ^ 1 << lot.randrange(8)])


def set_number(lot, data, head):
    """An edge number over any eight or four bytes of the head: lengths and counts among them."""
    size = lot.choice([4, 8])
    at = lot.randrange(head - size)
    data[at:at + size] = (lot.choice(WHOLE) % 2**(8 * size)).to_bytes(size, "little")


def mutate(number, sources):
    """File `number`: (name of the architecture, what was done, bytes)."""
    lot = random.Random(number * 2654435761 + 1)
    architecture = lot.choice(sorted(sources))
    file = File(sources[architecture])
    done = []
    way = lot.random()
    if way < 0.75:
        for _ in range(lot.choice([1, 1, 1, 2, 3])):
            change = lot.choice(IN_PARTS)
            if file.keys and file.tensors and dict(file.keys).get("general.architecture"):
                change(lot, file)
                done.append(change.__name__)
    data = bytearray(file.bytes())
    if way >= 0.75:
        change = lot.choice([flip, flip, set_number])
        change(lot, data, file.head_size)
        done.append(change.__name__)
        if lot.random() < 0.3:
            data = data[:lot.randrange(len(data))]
            done.append("cut")
    return architecture, "+".join(done), bytes(data)
