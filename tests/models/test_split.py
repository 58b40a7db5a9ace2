"""The sentences of hearth-intent are split cleanly, and the check of the split can fail."""

import sys

import tap

import check_split
import sentences

PARTS = {part: sentences.read(sentences.FOLDER / f"{part}.tsv") for part in sentences.PARTS}


def complaints_with(part, row):
    """What is said when one row of a part is replaced by another of the same label."""
    rows = list(PARTS[part])
    rows[next(i for i, (label, _) in enumerate(rows) if label == row[0])] = row
    return check_split.check({**PARTS, part: rows})


def the_committed_split_has_no_complaint():
    assert check_split.check(PARTS) == []


def there_are_600_sentences_of_9_labels_and_50_apart():
    labels = {label for label, _ in PARTS["train"]}
    assert len(PARTS["train"]) >= 600 and len(labels) >= 9 and "other" in labels
    assert len(PARTS["final50"]) == 50


def a_copied_sentence_is_found():
    for part in ("heldout", "final50"):
        row = PARTS["train"][0]
        assert any("the same sentence" in text for text in complaints_with(part, row))


def a_sentence_with_another_number_or_day_is_found():
    row = ("set_alarm", "Set an alarm for 11 in the evening.")
    assert any("the same sentence" in text for text in complaints_with("heldout", row))
    assert complaints_with("heldout", ("set_alarm", "Set alarm 1145."))


def a_short_sentence_with_one_word_swapped_is_found():
    assert complaints_with("heldout", ("play_music", "Skip this track."))


def a_frame_with_other_slots_is_found():
    assert complaints_with("final50", ("translate", "What's the Spanish word for giraffe?"))


def an_unlabelled_part_is_found():
    rows = [row for row in PARTS["heldout"] if row[0] != "weather"]
    assert check_split.check({**PARTS, "heldout": rows})


if __name__ == "__main__":
    sys.exit(tap.run([
        the_committed_split_has_no_complaint, there_are_600_sentences_of_9_labels_and_50_apart,
        a_copied_sentence_is_found, a_sentence_with_another_number_or_day_is_found,
        a_short_sentence_with_one_word_swapped_is_found, a_frame_with_other_slots_is_found,
        an_unlabelled_part_is_found]))
