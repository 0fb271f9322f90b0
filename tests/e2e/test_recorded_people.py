"""A real person's recordings through the whole path: gate, session, recogniser, MQTT."""

from __future__ import annotations

from program import Run, recorded
from scoring import messages, word_errors, words

PROMPTS = {
    "conf-kicked": "You have been kicked from this conference.",
    "vm-nobodyavail": "Nobody is available to take your call at the moment.",
    "please-try-again": "Please try again.",
    "vm-savefolder": "Which folder should I save the message to?",
    "all-circuits-busy-now": "All circuits are busy now.",
    "queue-thankyou": "Thank you for your patience.",
}


def test_every_utterance_is_found_and_understood(satellite: Run) -> None:
    found = messages(satellite("demo", "--json", *(recorded(name) for name in PROMPTS)))
    assert len(found["turn"]) == len(PROMPTS), "each recording is one turn"
    reference = [word for text in PROMPTS.values() for word in words(text)]
    heard = [word for one in found["transcript"] for word in words(one["text"])]
    # 2.3 % over 44 such recordings (benchmarks/whole_path); the margin is for other machines
    assert word_errors(reference, heard) <= len(reference) * 0.15, heard
    speech = sum(turn["speech_s"] for turn in found["turn"])
    sent = sum(turn["sent_s"] for turn in found["turn"])
    assert sent < 2 * speech, "only speech is sent"
