"""The simulated speaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.audio import ms_of

if TYPE_CHECKING:
    from world import World


class Speaker:
    """Plays in real time; may be broken for an answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queue: list[cmd.Play] = []
        self.current: str | None = None
        self.ended: set[str] = set()
        self.dead: set[str] = set()
        self.written = 0
        self.busy = False

    @property
    def playing(self) -> bool:
        return bool(self.queue) or self.busy

    def order(self, order: cmd.Command) -> None:
        world = self.world
        match order:
            case cmd.Play(response_id) if response_id not in self.dead:
                if self.current != response_id and not self.queue:
                    self.current, self.written = response_id, 0
                    if world.rng.random() < world.faults.no_speaker:
                        self.dead.add(response_id)
                        return
                    world.at(0, lambda: world.feed(ev.PlayoutStarted(response_id, world.now)))
                self.queue.append(order)
                self.go_on()
            case cmd.EndPlay(response_id):
                self.ended.add(response_id)
                if response_id in self.dead:
                    drained = ev.PlayoutDrained(response_id, heard=False)
                    world.at(0.001, lambda: world.feed(drained))
                else:
                    world.at(0.001, self.go_on)
            case cmd.FlushPlayout(response_id):
                item = self.queue[0].item_id if self.queue else "none"
                mine = [piece for piece in self.queue if piece.response_id == response_id]
                self.queue = [p for p in self.queue if p.response_id != response_id]
                self.busy = False
                if response_id in self.ended and not mine and self.current != response_id:
                    return
                self.ended.discard(response_id)
                self.current = None
                heard = ev.PlayoutFlushed(response_id, item, 0, self.written)
                world.at(0.001, lambda: world.feed(heard))

    def go_on(self) -> None:
        if self.busy:
            return
        if self.queue:
            self.busy = True
            piece = self.queue[0]
            self.world.at(ms_of(len(piece.pcm)) / 1000, lambda: self.played(piece))
        elif self.current in self.ended:
            response_id, self.current = self.current, None
            assert response_id is not None
            self.world.feed(ev.PlayoutDrained(response_id))

    def played(self, piece: cmd.Play) -> None:
        if not self.busy or not self.queue or self.queue[0] is not piece:
            return
        self.busy = False
        self.queue.pop(0)
        self.written += ms_of(len(piece.pcm))
        self.go_on()
