"""The simulated speaker: plays in real time, pauses, breaks, and knows what sounded when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import ms_of

if TYPE_CHECKING:
    from world import World

BYTES_A_SECOND: Final = 48_000


@dataclass
class Playout:
    """One response. ``offset``: bytes of its first piece that have sounded."""

    response_id: str
    pieces: deque[cmd.Play] = field(default_factory=deque)
    ended: bool = False
    started: bool = False
    offset: int = 0
    item: str = ""
    written: int = 0  # bytes of the current item


class Speaker:
    """May be broken for an answer, or break in one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.playouts: deque[Playout] = deque()
        self.dead: set[str] = set()
        self.paused = False
        self.paused_at = 0.0
        self.since: float | None = None  # a piece has been sounding
        self.run = 0  # of the timer: an older one means nothing
        self.sounded: list[tuple[float, float]] = []
        self.played: dict[str, int] = {}  # bytes of each item, however often
        self.given: dict[str, int] = {}
        self.pauses = 0
        self.chimes: list[tuple[float, str]] = []

    @property
    def playing(self) -> bool:
        """It makes a sound, or will without another order."""
        return any(each.pieces for each in self.playouts) and not self.paused

    def sounds(self, at: float, tail_s: float) -> bool:
        """Something sounded within ``tail_s`` before ``at``."""
        if self.since is not None and self.since <= at:
            return True
        return any(a <= at < b + tail_s for a, b in self.sounded[-4:])

    def order(self, order: cmd.Command) -> None:
        match order:
            case cmd.Play(response_id) if response_id not in self.dead:
                self.take(order)
            case cmd.EndPlay(response_id) if response_id in self.dead:
                drained = ev.PlayoutDrained(response_id, heard=False)
                self.world.at(0.001, lambda: self.world.feed(drained))
            case cmd.EndPlay(response_id):
                self.playout(response_id).ended = True
                self.world.at(0.001, self.go_on)
            case cmd.FlushPlayout(response_id):
                self.flush(response_id)
            case cmd.PausePlayout(on):
                assert on != self.paused, "paused twice, or gone on with what goes on"
                self.stop()
                self.paused, self.paused_at = on, self.world.now
                self.pauses += on
                self.go_on()
            case cmd.PlayChime(chime):
                self.chimes.append((self.world.now, chime))
                self.world.at(0.3, lambda: self.world.feed(ev.ChimeOver()))

    def playout(self, response_id: str) -> Playout:
        for each in self.playouts:
            if each.response_id == response_id:
                return each
        self.playouts.append(Playout(response_id))
        return self.playouts[-1]

    def take(self, piece: cmd.Play) -> None:
        world, response_id = self.world, piece.response_id
        new = all(each.response_id != response_id for each in self.playouts)
        if new and world.rng.random() < world.faults.no_speaker:
            self.dead.add(response_id)
            return
        self.given[piece.item_id] = self.given.get(piece.item_id, 0) + len(piece.pcm)
        self.playout(response_id).pieces.append(piece)
        self.go_on()

    def go_on(self) -> None:
        """Play the next piece, or its rest; or say that all was played."""
        if self.paused or self.since is not None or not self.playouts:
            return
        playout = self.playouts[0]
        if not playout.pieces:
            if playout.ended:
                self.playouts.popleft()
                self.world.feed(ev.PlayoutDrained(playout.response_id))
                self.go_on()
            return
        self.since = self.world.now
        self.run += 1
        run, rest = self.run, len(playout.pieces[0].pcm) - playout.offset
        self.world.at(rest / BYTES_A_SECOND, lambda: self.end_of_piece(run))
        if not playout.started:
            playout.started = True
            at = self.world.now
            self.world.at(0, lambda: self.world.feed(ev.PlayoutStarted(playout.response_id, at)))

    def end_of_piece(self, run: int) -> None:
        if run == self.run and self.since is not None:
            self.stop(whole=True)
            faults = self.world.faults
            if faults.speaker_breaks and self.world.rng.random() < faults.speaker_breaks:
                self.fail()
            self.go_on()

    def stop(self, *, whole: bool = False) -> None:
        """Nothing sounds from now on; what did is counted."""
        if self.since is None:
            return
        playout = self.playouts[0]
        piece = playout.pieces[0]
        rest = len(piece.pcm) - playout.offset
        size = rest
        if not whole:
            size = min(rest, round((self.world.now - self.since) * BYTES_A_SECOND) // 2 * 2)
        if piece.item_id != playout.item:
            playout.item, playout.written = piece.item_id, 0
        playout.written += size
        self.played[piece.item_id] = self.played.get(piece.item_id, 0) + size
        playout.offset += size
        if playout.offset == len(piece.pcm):
            playout.pieces.popleft()
            playout.offset = 0
        self.sounded.append((self.since, self.world.now))
        self.since = None
        self.run += 1

    def flush(self, response_id: str) -> None:
        playout = next((p for p in self.playouts if p.response_id == response_id), None)
        if playout is None:
            return
        if self.playouts[0] is playout:
            self.stop()
        self.playouts.remove(playout)
        item = playout.item or (playout.pieces[0].item_id if playout.pieces else "none")
        heard = ev.PlayoutFlushed(response_id, item, 0, ms_of(playout.written))
        self.world.at(0.001, lambda: self.world.feed(heard))
        self.world.at(0.002, self.go_on)

    def fail(self) -> None:
        """The speaker breaks: what is queued is lost, and what still comes of it."""
        lost, self.playouts = self.playouts, deque()
        self.world.feed(ev.SpeakerLost("gone"))
        for playout in lost:
            if not playout.ended:
                self.dead.add(playout.response_id)
            heard_ms = ms_of(playout.written)
            self.world.feed(ev.PlayoutDrained(playout.response_id, False, playout.item, heard_ms))
        self.world.at(0.5, lambda: self.world.feed(ev.SpeakerReady()))
