"""A BERT forward pass in numpy, float64: the independent yardstick for the ONNX files.

It reads the original weights, not our export, and shares no code with bert_onnx.py.
"""

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def last_hidden_state(tensors, config, token_ids):
    """Returns float64 [sequence, hidden] for one text without padding."""
    return layer_states(tensors, config, token_ids)[-1]


def layer_states(tensors, config, token_ids):
    """Returns what each layer puts out, first to last, for one text without padding."""
    def get(name):
        return tensors[name].astype(np.float64)

    def norm(value, prefix):
        centred = value - value.mean(-1, keepdims=True)
        spread = np.sqrt((centred ** 2).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return centred / spread * get(f"{prefix}.weight") + get(f"{prefix}.bias")

    def dense(value, prefix):
        return value @ get(f"{prefix}.weight").T + get(f"{prefix}.bias")

    ids = np.asarray(token_ids)
    hidden = (get("embeddings.word_embeddings.weight")[ids]
              + get("embeddings.position_embeddings.weight")[:len(ids)]
              + get("embeddings.token_type_embeddings.weight")[0])
    hidden = norm(hidden, "embeddings.LayerNorm")
    heads = config["num_attention_heads"]
    size = config["hidden_size"] // heads
    states = []
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        query, key, value = (dense(hidden, f"{layer}.attention.self.{part}")
                             .reshape(len(ids), heads, size).swapaxes(0, 1)
                             for part in ("query", "key", "value"))
        scores = np.einsum("hqd,hkd->hqk", query, key) / math.sqrt(size)
        chances = np.exp(scores - scores.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        context = np.einsum("hqk,hkd->qhd", chances, value).reshape(len(ids), -1)
        hidden = norm(dense(context, f"{layer}.attention.output.dense") + hidden,
                      f"{layer}.attention.output.LayerNorm")
        inner = dense(hidden, f"{layer}.intermediate.dense")
        inner = inner * 0.5 * (1 + _erf(inner / math.sqrt(2)))
        hidden = norm(dense(inner, f"{layer}.output.dense") + hidden, f"{layer}.output.LayerNorm")
        states.append(hidden)
    return states
