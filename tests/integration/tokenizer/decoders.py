"""Every decoder that a tokenizer.json may name: ALL is {name: (base file, edit of its object)}."""

import variants

SPACE = "▁"
FILES = ("bert-uncased", "mpnet", "roberta", "modernbert", "xlm-roberta", "multilingual-e5", "deberta-v2",
         "llama", "llama-metaspace", "many-added")
LLAMA = [variants.replace({"String": SPACE}, " "), {"type": "ByteFallback"}, {"type": "Fuse"},
         {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
DECODERS = {
    "none": None,
    "WordPiece that leaves spaces": {"type": "WordPiece", "prefix": "##", "cleanup": False},
    "WordPiece of another prefix": {"type": "WordPiece", "prefix": "▁", "cleanup": True},
    "BPEDecoder": {"type": "BPEDecoder", "suffix": "e"},
    "CTC": {"type": "CTC", "pad_token": "<s>", "word_delimiter_token": "▁", "cleanup": True},
    "ByteFallback": {"type": "ByteFallback"}, "Fuse": {"type": "Fuse"},
    "Strip": {"type": "Strip", "content": "a", "start": 2, "stop": 1},
    "Strip, fused": variants.chain("decoders", {"type": "Fuse"},
                                   {"type": "Strip", "content": "▁", "start": 3, "stop": 2}),
    "Replace": variants.replace({"String": SPACE}, "--"),
    "Replace by a pattern": variants.replace({"Regex": "[aeiou]+"}, "*"),
    "ByteLevel": variants.byte_level(),
    **{f"Metaspace {scheme}": variants.metaspace(scheme) for scheme in ("always", "first", "never")},
    "chain": variants.chain("decoders", *LLAMA),
    "chain without fusing": variants.chain("decoders", *LLAMA[:2]),
    "chain in a chain": variants.chain("decoders", variants.chain("decoders", *LLAMA[:3]), LLAMA[3]),
}
ALL = {f"decoding of {base}": (base, lambda file: None) for base in FILES}


def with_decoder(decoder):
    def edit(file):
        file["decoder"] = decoder
    return edit


for label, part in DECODERS.items():
    ALL[f"decoder: {label}"] = "llama", with_decoder(part)
    if label in ("none", "ByteLevel"):
        ALL[f"decoder of byte-level pieces: {label}"] = "roberta", with_decoder(part)
