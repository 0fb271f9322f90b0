"""Who may speak without being asked: after a wake word, and for a while after an answer. Pure.

The capture thread arms its gate itself when it hears the word; here is what follows from that.
"""

from __future__ import annotations

from satellite.logic.talk import Talk, TalkSettings, turn_heard
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model.session import Activation


def follow_up(
    talk: Talk, event: ev.Event, activation: Activation, settings: TalkSettings
) -> tuple[cmd.Command, ...]:
    """An answer was heard to its end: whoever asked may go on without the word.

    ``talk`` is the one before ``event``. Not after what was said or asked over MQTT: nobody in the
    room has asked for that.
    """
    match event:
        case ev.PlayoutDrained(response_id, heard=True):
            turn = turn_heard(talk, response_id)
        case _:
            return ()
    wanted = activation == "wake_word" and settings.follow_up_s > 0
    if not wanted or turn is None or turn.source != "voice":
        return ()
    return (cmd.OpenGate(True, settings.follow_up_s),)
