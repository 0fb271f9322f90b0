"""One WebSocket with its session: reads, writes, and carries work to the engines' threads.

Three kinds of task, all on the event loop: the reader gives messages to the session, the writer
sends what the session says, and each piece of work waits for its engine. None waits for another,
so a client that does not read still gets its barge-in heard. A failed engine is logged without its
text and becomes a failed response or transcript.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from satellite.local.engines import Engines
from satellite.local.outputs import (
    Abandon,
    Answer,
    Diagnose,
    Output,
    Recognise,
    Report,
    Send,
    Speak,
    Wake,
)
from satellite.local.recogniser import pieces
from satellite.local.session import Session

_OUTBOX: Final = 64 * 1024 * 1024  # bytes waiting for a client that does not read: 16 min of speech
_PACE: Final = 9600  # bytes of speech at a time when paced: 200 ms, the length of one delta
_LEAD_S: Final = 0.2  # paced speech is this far ahead of what sounds, against gaps
_BYTES_PER_S: Final = 48_000
_LATER_S: Final = 0.05  # until a Wake is tried again
_WORK: Final = 64  # pieces of work under way; a client that asks for more is read later

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_encode = msgspec.json.Encoder().encode


class Threads:
    """One thread for each engine; closing does not wait for work under way."""

    def __init__(self) -> None:
        self.recognise = ThreadPoolExecutor(1, "recognise")
        self.answer = ThreadPoolExecutor(1, "answer")
        self.speak = ThreadPoolExecutor(1, "speak")

    def close(self) -> None:
        for executor in (self.recognise, self.answer, self.speak):
            executor.shutdown(wait=False, cancel_futures=True)


def fresh_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


class Connection:
    """``note`` gets every message of the client; ``paced`` sends speech at the pace of speech."""

    def __init__(
        self,
        websocket: ServerConnection,
        session: Session,
        engines: Engines,
        threads: Threads,
        *,
        note: Callable[[str | bytes], None] = lambda _: None,
        paced: bool = False,
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._engines = engines
        self._threads = threads
        self._note = note
        self._paced = paced
        self._speech_ends: dict[str, float] = {}  # response -> when what was sent of it has sounded
        self.busy = False  # judging a message; others, and PONGs, may wait behind it
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._waiting = 0  # characters in the outbox
        self._given_up = False
        self._hearing = asyncio.Lock()  # a session's words come in the order of its sound
        self._waker: asyncio.TimerHandle | None = None
        self._work: dict[asyncio.Task[None], str | None] = {}  # task -> its response, if any

    async def run(self) -> None:
        """Until the client is gone. Cancelled from outside when the session expires."""
        writer = asyncio.create_task(self._write())
        self._closed = asyncio.create_task(self._websocket.wait_closed())
        try:
            self._carry_out(self._session.open())
            await self._read()
        finally:
            if self._waker is not None:
                self._waker.cancel()
            tasks = (writer, self._closed, *self._work)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._session.end()

    async def _read(self) -> None:
        try:
            async for message in self._websocket:
                if self._given_up:
                    return
                self._note(message)
                if self._is_open:  # what came before a close is still read, but answers nobody
                    self.busy = True
                    await self._take(message)
                    self.busy = False
        except ConnectionClosed as closed:
            _log.debug("connection ended: %s", type(closed).__name__)

    @property
    def _is_open(self) -> bool:
        return self._websocket.state is State.OPEN

    async def _take(self, message: str | bytes) -> None:
        """Minutes of sound in one message must not outlive the connection."""
        self._carry_out(self._session.receive(message, time.monotonic()))
        while self._session.has_unheard and self._is_open:
            self._carry_out(self._session.listen())
            await asyncio.sleep(0)
        while len(self._work) > _WORK and self._is_open:
            await asyncio.wait((*self._work, self._closed), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # thousands of small messages may have come in one piece

    async def _write(self) -> None:
        try:
            while True:
                text = await self._outbox.get()
                self._waiting -= len(text)
                await self._websocket.send(text)
        except ConnectionClosed:
            return  # the reader hears of it too, and ends the session

    def _carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(event):
                    self._post(event)
                case Abandon(response_id):
                    self._abandon(response_id)
                case Recognise():
                    self._start(self._recognise(output), None)
                case Answer() | Report():
                    self._start(self._answer(output), output.response_id)
                case Speak():
                    self._start(self._speak(output), output.response_id)
                case Wake():
                    self._start_waking(output)
                case Diagnose(code, text):
                    _log.warning("a client: %s (%s)", text, code)

    def _post(self, event: dict[str, Any]) -> None:
        if self._given_up:
            return
        text = _encode(event).decode()
        self._waiting += len(text)
        self._outbox.put_nowait(text)
        if self._waiting > _OUTBOX:
            _log.warning("a client does not read: %d bytes wait; closed", self._waiting)
            self._given_up = True
            self._websocket.transport.abort()

    def _start(self, work: Coroutine[Any, Any, None], response_id: str | None) -> None:
        task = asyncio.create_task(work)
        self._work[task] = response_id
        task.add_done_callback(self._work.pop)

    def _start_waking(self, wake: Wake) -> None:
        """Only the newest counts."""
        if self._waker is not None:
            self._waker.cancel()
        self._wake_in(wake.after_ms / 1000, wake.number)

    def _wake_in(self, seconds: float, number: int) -> None:
        self._waker = asyncio.get_running_loop().call_later(seconds, self._wake, number)

    def _wake(self, number: int) -> None:
        if self._session.has_unheard:  # maybe minutes of it, which the reader judges in slices
            self._wake_in(_LATER_S, number)
        else:
            self._carry_out(self._session.woken(number))

    def _abandon(self, response_id: str) -> None:
        for task, owner in self._work.items():
            if owner == response_id:
                task.cancel()

    async def _recognise(self, job: Recognise) -> None:
        async with self._hearing:
            text = await self._words(job.pcm)
            self._carry_out(self._session.recognised(job.item_id, text))

    async def _words(self, pcm: bytes) -> str | None:
        recogniser, thread = self._engines.recogniser, self._threads.recognise
        texts = []
        for piece in pieces(pcm):  # between two of them other sessions have their turn
            text = await _in(thread, partial(recogniser.transcribe, piece))
            if text is None:
                return None
            texts.append(text)
        return " ".join(filter(None, texts))

    async def _answer(self, job: Answer | Report) -> None:
        responder = self._engines.responder
        if isinstance(job, Answer):
            text, tools = job.text, job.tools
            reply = await _in(self._threads.answer, lambda: responder.answer(text, tools))
        else:
            output = job.output
            reply = await _in(self._threads.answer, lambda: responder.report(output))
        self._carry_out(self._session.answered(job.response_id, reply))

    async def _speak(self, job: Speak) -> None:
        thread, synthesiser = self._threads.speak, self._engines.synthesiser
        pieces = await _in(thread, lambda: iter(synthesiser.speak(job.text, job.speed)))
        failed = pieces is None
        while pieces is not None:
            pcm = await _in(thread, lambda: next(pieces, b""))
            failed = pcm is None
            if not pcm:
                break
            await self._say(job.response_id, pcm)
        self._carry_out(self._session.speech_ended(job.response_id, failed=failed))

    async def _say(self, response_id: str, pcm: bytes) -> None:
        if not self._paced:
            self._carry_out(self._session.spoken(response_id, pcm))
            return
        clock = asyncio.get_running_loop().time
        for at in range(0, len(pcm), _PACE):
            piece = pcm[at : at + _PACE]
            ends = self._speech_ends.get(response_id, 0.0)
            await asyncio.sleep(ends - _LEAD_S - clock())
            now = clock()
            others = {key: end for key, end in self._speech_ends.items() if end > now}
            self._speech_ends = others | {response_id: max(ends, now) + len(piece) / _BYTES_PER_S}
            self._carry_out(self._session.spoken(response_id, piece))


async def _in(thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T | None:
    """Do ``work`` in an engine's thread; None when it raised."""
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    except Exception as error:  # noqa: BLE001  an engine's failure is one response's, not ours
        _log.error("an engine failed: %s", type(error).__name__)
        return None
