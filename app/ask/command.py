"""The command `ask`: sends a question and files to a running gateway, and writes the answer to stdout.

arguments ──> form ──> gateway ──events──> stdout (the answer), stderr (everything else), exit code
"""

import json
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from app.ask.client import Gateway
from app.ask.display import Output, Waiting, say
from app.ask.failures import AskError, ExitCode, GatewayFailedError, WrongUsageError
from app.ask.form import Form, look_at
from app.ask.wire import WireAnswer, failure_of, read_answer

# More text than any gateway accepts as a field; longer text is sent as a file.
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_KEY_BYTES = 4_096
_CUT_OFF = frozenset({"max_tokens", "continuation"})
_ENDED = frozenset({"stop", "unspecified"})

Prompts = Annotated[
    list[str] | None, typer.Argument(metavar="[PROMPT]...", help="The question; - reads it from stdin.")
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", help="A picture, sound, video, PDF or text, of any size; repeatable, in order."),
]
Url = Annotated[str, typer.Option("--url", help="The URL of the gateway.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="A file with the client key, if the gateway requires one.")
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="A model's name or alias.")]
System = Annotated[str | None, typer.Option("--system", help="An instruction for the whole answer.", metavar="TEXT")]
Schema = Annotated[Path | None, typer.Option("--schema", help="A file with the JSON Schema of the answer.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the files at the gateway, and print their ids.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON, and nothing else.")]
NoStream = Annotated[bool, typer.Option("--no-stream", help="Wait for the whole answer instead of streaming it.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", help="Seconds from the end of the upload to the whole answer.", metavar="S"),
]
MaxOutputTokens = Annotated[
    int | None, typer.Option("--max-output-tokens", help="The largest number of output tokens.", metavar="N")
]
Temperature = Annotated[float | None, typer.Option("--temperature", help="0 is the most predictable.", metavar="X")]


def ask(
    prompts: Prompts = None,
    files: Files = None,
    url: Url = "http://127.0.0.1:8000",
    model: Model = None,
    system: System = None,
    schema: Schema = None,
    key_file: KeyFile = None,
    *,
    keep: Keep = False,
    as_json: AsJson = False,
    no_stream: NoStream = False,
    timeout_s: Timeout = None,
    max_output_tokens: MaxOutputTokens = None,
    temperature: Temperature = None,
) -> None:
    r"""Ask a running gateway about text and files: first the prompts, then the files, in the given order.

    The answer goes to stdout while it arrives, everything else to stderr.

    \b
    Exit codes:
    0 answered
    1 the gateway or Gemini failed, or the answer was cut
    2 wrong usage, or an unreadable file
    3 the gateway refused the request
    4 the model refused, or stopped early (blocked, safety, recitation, ...)
    5 a limit cut the answer (max_tokens)
    6 the gateway could not be reached
    130 interrupted
    """
    options = {
        "stream": "false" if no_stream else "true",
        "model": model,
        "system_instruction": system,
        "keep_file": "true" if keep else None,
        "timeout_s": timeout_s,
        "max_output_tokens": max_output_tokens,
        "temperature": temperature,
    }
    try:
        if schema is not None:
            options["response_schema"] = _read_schema(schema)
        fields = [(name, str(value)) for name, value in options.items() if value is not None]
        form = _form(fields, prompts or [], files or [])
        gateway = Gateway(url, timeout_s, None if key_file is None else _read_key(key_file))
        answer = _ask(gateway, form, is_streamed=not no_stream, as_json=as_json)
        code = _tell(answer, is_kept=keep)
    except AskError as error:
        say(str(error))
        code = error.exit_code
    raise typer.Exit(code)


def _read_key(path: Path) -> str:
    # From a file, because every user of this machine can read the arguments of a command.
    text = b"".join(look_at(path).blocks())[:MAX_KEY_BYTES].strip()
    if not text.isascii() or not text or b"\n" in text:
        raise WrongUsageError(f"{path} contains no key: a key is one line of ASCII.")
    return text.decode()


def _read_schema(path: Path) -> str:
    part = look_at(path)
    if part.size_bytes > MAX_TEXT_BYTES:
        raise WrongUsageError(f"{path} has more than {MAX_TEXT_BYTES} bytes, which is too large for a schema.")
    try:
        text = b"".join(part.blocks()).decode()
        json.loads(text)
    except ValueError as error:
        raise WrongUsageError(f"{path} is not JSON: {error}.") from None
    except RecursionError:
        raise WrongUsageError(f"{path} is nested too deeply.") from None
    return text


def _form(fields: list[tuple[str, str]], prompts: Iterable[str], files: Iterable[Path]) -> Form:
    asked = list(prompts)
    if asked.count("-") > 1:
        raise WrongUsageError("stdin can be read only once: use - once.")
    fields += [("prompt", _read_stdin() if prompt == "-" else prompt) for prompt in asked]
    parts = [look_at(path) for path in files]
    if not parts and not any(asked):
        raise WrongUsageError("The question is empty: give a prompt, a file (-f), or both.")
    return Form(fields, parts)


def _read_stdin() -> str:
    data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise WrongUsageError(f"stdin has more than {MAX_TEXT_BYTES} bytes; save it as a file and send it with -f.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WrongUsageError("stdin is not UTF-8 text; save it as a file and send it with -f.") from None


def _ask(gateway: Gateway, form: Form, *, is_streamed: bool, as_json: bool) -> WireAnswer:
    output = Output()
    with Waiting(form.files_bytes) as waiting:
        try:
            if is_streamed:
                response = _follow(gateway, form, waiting, None if as_json else output)
            else:
                response = gateway.answer(form, waiting.sent)
        finally:
            waiting.end()
            output.end_line()
    answer = read_answer(response)
    if as_json:
        output.write(json.dumps(response, ensure_ascii=False))
    elif not is_streamed:
        output.write(answer.text)
    output.end_line()
    return answer


def _follow(gateway: Gateway, form: Form, waiting: Waiting, output: Output | None) -> dict[str, JsonValue]:
    with closing(gateway.events(form, waiting.sent)) as events:
        for event in events:
            if event.type == "status" and event.stage is not None:
                waiting.stage(event.stage, event.bytes)
            elif event.type == "delta" and not event.thought and output is not None:
                waiting.end()
                output.write(event.text)
            elif event.type == "done" and event.response is not None:
                return event.response
            elif event.type == "error" and event.problem is not None:
                raise failure_of(event.problem)
    raise GatewayFailedError("The stream ended with an empty event.")


def _tell(answer: WireAnswer, *, is_kept: bool) -> ExitCode:
    for warning in answer.warnings:
        say(f"Warning: {warning.detail}")
    for file in answer.files:
        if is_kept and file.id is not None:
            say(f"Kept: {file.filename or 'the file'} is {file.id} until {file.expires_at or 'it is deleted'}")
    if answer.block_reason is None and answer.finish_reason in _ENDED:
        return ExitCode.ANSWERED
    if answer.finish_reason in _CUT_OFF:
        say(f"The answer is cut off: {answer.finish_message or answer.finish_reason}")
        return ExitCode.CUT_OFF
    reasons = (answer.finish_reason, answer.block_reason, answer.finish_message)
    say(f"The model did not answer to the end: {', '.join(reason for reason in reasons if reason)}")
    return ExitCode.BLOCKED
