"""Sessions and orders of every kind, and what a message holds that the official types do not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from pydantic import BaseModel

from satellite.model import commands as cmd
from satellite.model.models import TRANSCRIBERS
from satellite.model.session import Session, Tool
from satellite.wire.realtime import changed

text = st.text(max_size=40)
tools = st.builds(
    Tool, st.sampled_from(["time", "light"]), text, st.just({"type": "object", "properties": {}})
)
sessions = st.builds(
    Session,
    kind=st.sampled_from(["realtime", "transcription"]),
    instructions=text,
    voice=st.sampled_from(["marin", "cedar"]),
    output=st.sampled_from(["audio", "text"]),
    transcription_model=st.sampled_from([*TRANSCRIBERS, "my-own"]),
    transcription_prompt=text,
    keywords=st.lists(text, max_size=3).map(tuple),
    confidence=st.booleans(),
    manual=st.booleans(),
    input_format=st.sampled_from(["pcm", "pcmu", "pcma"]),
    output_format=st.sampled_from(["pcm", "pcmu", "pcma"]),
    tools=st.lists(tools, max_size=2).map(tuple),
    left_alone=st.frozensets(
        st.sampled_from(
            ["instructions", "output", "tools", "voice", "transcription_model", "noise_reduction"]
        )
    ),
    language=st.none() | st.just("en"),
    threshold=st.floats(0, 1),
    prefix_padding_ms=st.integers(0, 2000),
    silence_duration_ms=st.integers(100, 2000),
    noise_reduction=st.sampled_from([None, "near_field", "far_field"]),
)
orders = st.one_of(
    st.builds(cmd.Configure, st.just("configure-1"), sessions),
    st.builds(
        lambda kind, before, after: cmd.Configure(
            "configure-1", replace(after, kind=kind), replace(before, kind=kind)
        ),
        st.sampled_from(["realtime", "transcription"]),
        sessions,
        sessions,
    ).filter(lambda order: order.session != order.since and changed(order.since, order.session)),
    st.binary(max_size=30_000).map(lambda pcm: cmd.AppendAudio(b"\0\0" + pcm[: len(pcm) // 2 * 2])),
    st.just(cmd.CommitInput()),
    st.just(cmd.CreateResponse()),
    st.builds(cmd.SpeakText, st.just("boot-t1"), text),
    text.map(cmd.CancelResponse),
    st.builds(cmd.TruncateItem, text, st.integers(0, 3), st.integers(0, 100_000)),
    text.map(cmd.DeleteItem),
    st.just(cmd.ClearInput()),
    st.builds(cmd.AddText, st.sampled_from(["user", "assistant"]), text),
    st.builds(cmd.AddToolOutput, text, text),
)


def a_session() -> Session:
    return Session(
        instructions="Be brief.",
        voice="marin",
        output="audio",
        transcription_model="gpt-4o-mini-transcribe",
        transcription_prompt="",
        language="en",
        threshold=0.5,
        prefix_padding_ms=300,
        silence_duration_ms=500,
        noise_reduction=None,
    )


def unknown_keys(value: object, path: str = "") -> list[str]:
    if isinstance(value, BaseModel):
        found = [f"{path}.{key}" for key in value.model_extra or {}]
        for key in type(value).model_fields:
            found += unknown_keys(getattr(value, key, None), f"{path}.{key}")
        return found
    if isinstance(value, list | tuple):
        return [key for i, item in enumerate(value) for key in unknown_keys(item, f"{path}[{i}]")]
    return []
