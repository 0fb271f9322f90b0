"""What foreign servers were seen to say: docs/witnesses.md. Ids and words are made up."""

from __future__ import annotations

import re

GREETING = """
connect  session.created   {"session": {"type": "realtime", "id": "sess"}}
update   session.updated   {"session": $asked}
"""

HEARD = """
speech   input_audio_buffer.speech_started   {"item_id": "u$n", "audio_start_ms": $ms}
silence  input_audio_buffer.speech_stopped   {"item_id": "u$n", "audio_end_ms": $ms}
silence  input_audio_buffer.committed        {"item_id": "u$n", "previous_item_id": null}
silence  conversation.item.created           {"item": {"id": "u$n", "type": "message", "role": "user"}}
silence  conversation.item.input_audio_transcription.completed {"item_id": "u$n", "content_index": 0, "transcript": "words $n", "usage": {"type": "duration", "seconds": 1.8}, "logprobs": null}
"""  # noqa: E501 - one line for each event

PART = '"response_id": "r$n", "item_id": "a$n", "output_index": 0, "content_index": 0'

BEGUN = f"""
silence  response.created                {{"response": {{"id": "r$n", "status": "in_progress", "output": []}}}}
silence  response.output_item.added      {{"response_id": "r$n", "output_index": 0, "item": {{"id": "a$n", "type": "message", "role": "assistant", "content": []}}}}
silence  response.content_part.added     {{{PART}, "part": {{"type": "audio", "transcript": ""}}}}
silence  response.output_audio_transcript.delta  {{{PART}, "delta": "answer $n"}}
"""  # noqa: E501

VOICE = f"""
silence  response.output_audio.delta     {{{PART}, "delta": $voice(200)}}
"""

DONE = f"""
silence  response.output_audio.done      {{{PART}}}
silence  response.output_audio_transcript.done   {{{PART}, "transcript": "answer $n"}}
silence  response.done                   {{"response": {{"id": "r$n", "status": "completed", "status_details": {{"type": "completed"}}, "output": [], "usage": {{"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}}}}}
"""  # noqa: E501

INTERRUPTED = """
speech   response.done                   {"response": {"id": "r$before", "status": "cancelled", "status_details": {"type": "cancelled", "reason": "turn_detected"}, "output": []}}
"""  # noqa: E501 - it comes before the speech_started that caused it

ANSWERED = BEGUN + VOICE + DONE
GOOD = GREETING + HEARD + ANSWERED


_BETA = (
    ("response.output_audio", "response.audio"),
    ("conversation.item.added", "conversation.item.created"),
    (r'"type": "realtime", ', '"modalities": ["audio", "text"], "input_audio_format": "pcm16", '),
)


def in_beta(table: str) -> str:
    """The same in the names of the beta dialect; sessions have no type there."""
    kept = [line for line in table.splitlines() if "conversation.item.done" not in line]
    for ga, beta in _BETA:
        kept = [re.sub(ga, beta, line) for line in kept]
    return "\n".join(kept) + "\n"
