"""The responses of one session, from ``response.create`` to ``response.done``. Pure.

A response asks one thing after the other: the words of the item it answers, what to say, the sound
of each sentence. Work that comes back for a response that is over is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from satellite.local.conversation import Conversation, Item, from_client, speaks
from satellite.local.engines import Call, Say
from satellite.local.outputs import Abandon, Answer, Outbox, Report, Speak
from satellite.local.response import Response, sentences
from satellite.local.schema import Refusal
from satellite.local.settings import ResponseSettings
from satellite.local.sound import Format
from satellite.local.transcripts import Transcripts

_MOST: Final = 8  # under way at once, out-of-band ones included
_LIMIT: Final = 1_000_000  # tokens a minute: nothing is limited here, but the dialect reports it
_GREETING: Final = "Hello. How can I help?"


class Responses:
    def __init__(
        self,
        outbox: Outbox,
        conversation: Conversation,
        transcripts: Transcripts,
        conversation_id: str,
        decode: Callable[[str], bytes],
    ) -> None:
        """``decode`` makes sound of base64, or raises Refusal.

        ``on_ended`` is called when a response of the conversation is over, with the milliseconds
        of sound in it.
        """
        self._outbox = outbox
        self._conversation = conversation
        self._transcripts = transcripts
        self._conversation_id = conversation_id
        self._responses: dict[str, Response] = {}
        self._decode = decode
        self._active: Response | None = None  # the one of the conversation
        self.spoke = False  # has any assistant audio been made
        self.on_ended: Callable[[int], None] = lambda _spoken_ms: None

    def create(
        self, asked: dict[str, Any], wanted: ResponseSettings, saying: str | None = None
    ) -> None:
        """``asked`` is the checked ``response`` object. Raises Refusal: 4.8.

        ``saying`` is said whatever was asked.
        """
        if wanted.in_conversation and self._active is not None:
            raise Refusal(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress: "
                f"{self._active.id}. Wait until the response is finished before creating a new "
                "one.",
            )
        if len(self._responses) >= _MOST:
            raise Refusal("rate_limit_exceeded", "Too many responses at once.")
        questions = self._questions(asked, wanted.input_format)
        if wanted.reads_aloud and questions:
            saying = questions[-1].text
        response = Response(self._outbox.new_id("resp"), wanted, self._conversation_id)
        response.questions = questions
        self._responses[response.id] = response
        if wanted.in_conversation:
            self._active = response
        response.saying = saying
        if not any(map(self._transcripts.awaited, questions)):
            self._outbox.send_all(response.created())
        elif saying is not None:
            response.waits_for = questions[-1]
            return
        if saying is None:
            self._put(response)
        else:
            self._say(response, saying)

    def cancel(self, response_id: str | None) -> None:
        """By the client; the active one when no id is given. Raises Refusal when there is none."""
        active = self._active if response_id is None else self._responses.get(response_id)
        if active is None:
            raise Refusal(
                "response_cancel_not_active", "Cancellation failed: no active response found"
            )
        self._stop(active, "client_cancelled")

    def interrupt(self) -> None:
        """Somebody began to speak: the active response, if any, ends (S31)."""
        if self._active is not None:
            self._stop(self._active, "turn_detected")

    def answers(self, item_id: str) -> bool:
        """A response to this item is under way."""
        return any(
            item.id == item_id
            for response in self._responses.values()
            for item in response.questions
        )

    @property
    def active(self) -> bool:
        """The conversation has a response under way."""
        return self._active is not None

    def heard(self, item: Item, text: str | None) -> None:
        """The words of an item are known; None when recognition failed."""
        for response in list(self._responses.values()):
            if item in response.questions:
                self._outbox.send_all(response.created())
            if response.waits_for is item:
                self._ask(response, text)

    def answered(self, response_id: str, reply: Say | Call | None) -> None:
        """What to say or call; None when the responder failed."""
        response = self._responses.get(response_id)
        if response is None:
            return
        match reply:
            case None:
                self._fail(response)
            case Call():
                self._call(response, reply)
            case Say():
                response.reports.append(reply.text)
                if response.outputs:
                    self._report(response)
                else:
                    self._say(response, " ".join(response.reports))

    def spoken(self, response_id: str, pcm: bytes) -> None:
        """A piece of sound of the sentence being spoken."""
        response = self._responses.get(response_id)
        if response is None:
            return
        room = response.room()
        self.spoke = True
        self._outbox.send_all(response.sounds(pcm if room is None else pcm[:room]))
        if room is not None and room < len(pcm):
            self._outbox.work(Abandon(response.id))
            self._finish(response, "incomplete", "max_output_tokens")

    def speech_ended(self, response_id: str, *, failed: bool) -> None:
        """One sentence is spoken; the next is asked for, or the response is complete."""
        response = self._responses.get(response_id)
        if response is not None:
            if failed:
                self._fail(response)
            else:
                self._say_next(response)

    def _stop(self, response: Response, reason: str) -> None:
        self._outbox.work(Abandon(response.id))
        self._finish(response, "cancelled", reason)

    def _questions(self, asked: dict[str, Any], source: Format) -> list[Item]:
        """What the response is to answer; ``input`` replaces the conversation (3.1)."""
        if "input" not in asked:
            return self._conversation.questions()
        given = Conversation()
        for wire in asked["input"]:
            if wire["type"] == "item_reference":
                item = self._conversation.get(wire["id"], "retrieve").copy()
            else:
                item = from_client(wire, self._outbox.new_id("item"), source, self._decode)
            given.add(item)
            if speaks(item):
                given.settle(item)
        return given.questions()

    def _put(self, response: Response) -> None:
        if not response.questions:
            instructions = response.settings.instructions
            if instructions:  # they are no request of the user: no tool is called for them
                self._outbox.work(Answer(response.id, instructions, ()))
            else:
                self._say(response, _GREETING)
            return
        question = response.questions[-1]
        if question.type == "function_call_output":
            response.outputs = [item.fields["output"] for item in response.questions]
            self._report(response)
        elif question.text is not None:
            self._ask(response, question.text)
        else:
            response.waits_for = question
            self._transcripts.want(question, None)  # never told to the client: S33

    def _report(self, response: Response) -> None:
        self._outbox.work(Report(response.id, response.outputs.pop(0)))

    def _ask(self, response: Response, text: str | None) -> None:
        response.waits_for = None
        if response.saying is not None:
            self._say(response, response.saying)
        elif text is None:
            self._fail(response)
        else:
            self._outbox.work(Answer(response.id, text, response.settings.tools))

    def _say(self, response: Response, text: str) -> None:
        fields = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        item = Item(self._outbox.new_id("item"), fields, format=response.settings.format)
        if response.settings.in_conversation:
            self._conversation.add(item)
        self._outbox.send_all(response.message_begins(item))
        self._transcripts.release("inside", response.questions)
        response.unsaid = sentences(text)
        self._say_next(response)

    def _say_next(self, response: Response) -> None:
        while response.unsaid:
            words = response.unsaid.pop(0)
            self._outbox.send_all(response.says(words))
            if response.settings.audio:
                self._outbox.work(Speak(response.id, words.strip(), response.settings.speed))
                return
        self._finish(response, "completed")

    def _call(self, response: Response, call: Call) -> None:
        fields = {
            "type": "function_call",
            "status": "in_progress",
            "call_id": self._outbox.new_id("call"),
            "name": call.name,
            "arguments": "",
        }
        item = Item(self._outbox.new_id("item"), fields)
        if response.settings.in_conversation:
            self._conversation.add(item)
        self._outbox.send_all(response.calls(item, call.arguments))
        self._transcripts.release("inside", response.questions)
        self._end(response, "completed", None)

    def _finish(self, response: Response, status: str, reason: str | None = None) -> None:
        if response.item is not None:
            whole = "completed" if status == "completed" else "incomplete"
            self._outbox.send_all(response.message_ends(whole))
        details = None if reason is None else {"type": status, "reason": reason}
        self._end(response, status, details)

    def _fail(self, response: Response) -> None:
        """``response.done`` failed, not an ``error``: 4.8."""
        message = "The server had an error while making this response."
        error = {"type": "server_error", "code": "server_error", "message": message}
        if response.item is not None:
            self._outbox.send_all(response.message_ends("incomplete"))
        self._end(response, "failed", {"type": "failed", "error": error})

    def _end(self, response: Response, status: str, details: dict[str, Any] | None) -> None:
        del self._responses[response.id]
        was_active = self._active is response
        if was_active:
            self._active = None
            if response.item is not None and response.questions:
                self._conversation.settle(response.questions[-1])
        text, audio = self._conversation.tokens(but=response.item)
        text += response.settings.standing_tokens
        self._outbox.send_all(response.created())
        self._transcripts.release("inside", response.questions)
        self._outbox.send_all(response.done(status, details, (text, audio)))
        limits = [{"name": "tokens", "limit": _LIMIT, "remaining": _LIMIT, "reset_seconds": 0}]
        self._outbox.send("rate_limits.updated", rate_limits=limits)
        self._transcripts.release("after", response.questions)
        if was_active:
            self.on_ended(response.spoken_ms)
