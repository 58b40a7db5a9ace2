"""What the answers of an encoder must be: ONNX Runtime in Python, the reference tokenizer, numpy."""

import functools
import json

import numpy
import onnxruntime
import tokenizers


def softmax(logits):
    power = numpy.exp(logits - logits.max(-1, keepdims=True))
    return power / power.sum(-1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + numpy.exp(-logits))


ACTIVATIONS = {"softmax": softmax, "sigmoid": sigmoid, "none": lambda logits: logits}


# What the usual configuration calls the ways of pooling.
POOLING = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token",
           "max": "pooling_mode_max_tokens", "lasttoken": "pooling_mode_lasttoken"}


class Reference:
    """One model folder with its manifest.json."""

    def __init__(self, folder):
        facts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = {file["role"]: folder / file["path"] for file in facts["files"]}
        self.labels, self.options = facts.get("labels", []), facts["options"]
        if "config" in files:
            modes = json.loads(files["config"].read_text(encoding="utf-8"))
            self.options["pooling"] = next(mode for mode in POOLING if modes.get(POOLING[mode]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self.session = onnxruntime.InferenceSession(str(files["model"]), options)
        self.inputs = [port.name for port in self.session.get_inputs()]
        self.outputs = [port.name for port in self.session.get_outputs()]
        if "tokenizer" in files:
            self.tokenizer = tokenizers.Tokenizer.from_file(str(files["tokenizer"]))
            self.tokenizer.no_padding()
            self.tokenizer.enable_truncation(self.options["max_tokens"])

    def encode(self, *texts):
        return self.tokenizer.encode(*texts)

    @functools.cache
    def run(self, *texts):
        """The outputs by name, without their dimension of one text, in double precision."""
        encoding = self.encode(*texts)
        feed = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask,
                "token_type_ids": encoding.type_ids}
        feed = {name: numpy.array([feed[name]], numpy.int64) for name in self.inputs}
        found = self.session.run(None, feed)
        return {name: array[0].astype(numpy.float64) for name, array in zip(self.outputs, found)}

    def classes(self, *texts):
        """{label: score}"""
        activate = ACTIVATIONS[self.options.get("activation", "softmax")]
        return dict(zip(self.labels, activate(self.run(*texts)["logits"])))

    def score(self, *texts):
        """Of two numbers the second is that of a good answer."""
        return float(ACTIVATIONS[self.options.get("activation", "sigmoid")](self.run(*texts)["logits"])[-1])

    def vector(self, text, dimensions=None, is_normalised=True):
        """By the pooling of the manifest; cut first, then brought to length 1."""
        found = self.run(text)
        if "sentence_embedding" in found:
            vector = found["sentence_embedding"]
        else:
            hidden = found["last_hidden_state"]
            vector = {"mean": lambda: hidden.mean(0), "cls": lambda: hidden[0],
                      "lasttoken": lambda: hidden[-1], "max": lambda: hidden.max(0)}[self.options["pooling"]]()
        vector = vector[:dimensions]
        return vector / numpy.linalg.norm(vector) if is_normalised else vector

    def entities(self, text):
        """The "simple" aggregation of the usual pipeline: neighbours of one tag are one entity, unless
        a B- begins another; its score is the mean of theirs. Without aggregation each stands alone.
        A stretch of nothing (a token that is a space alone, which has no place) is none."""
        encoding = self.encode(text)
        chances = softmax(self.run(text)["logits"])
        groups = []
        for row, place, sequence in zip(chances, encoding.offsets, encoding.sequence_ids):
            if sequence is None:
                continue
            best = int(row.argmax())
            begins, tag = parted(self.labels[best])
            joins = self.options.get("aggregation") != "none"
            if joins and groups and groups[-1]["label"] == tag and not begins:
                groups[-1]["scores"].append(row[best])
                groups[-1]["end_char"] = place[1]
            else:
                groups.append({"label": tag, "scores": [row[best]], "start_char": place[0],
                               "end_char": place[1]})
        return [{"label": group["label"], "score": float(numpy.mean(group["scores"])),
                 "start_char": group["start_char"], "end_char": group["end_char"],
                 "start_byte": len(text[:group["start_char"]].encode()),
                 "end_byte": len(text[:group["end_char"]].encode())}
                for group in groups
                if group["label"] != "O" and group["start_char"] < group["end_char"]]


def parted(label):
    """(does it begin another entity, its tag)"""
    if label.startswith(("B-", "I-")):
        return label.startswith("B-"), label[2:]
    return False, label


def cosine(left, right):
    left, right = numpy.array(left, numpy.float64), numpy.array(right, numpy.float64)
    return float(left @ right / numpy.linalg.norm(left) / numpy.linalg.norm(right))
