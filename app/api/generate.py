"""`POST /generate` and `POST /count-tokens`: a form of prompts and media, in order."""

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.answer_call import AnswerCall, CallOptions
from app.api.caller import RestCaller, caller_of
from app.api.conformance import Conformance
from app.api.form_reader import open_form
from app.api.openapi import STREAMED, answers, form_body
from app.api.options import GenerateForm
from app.api.prompt_form import PromptForm
from app.api.reports import modalities
from app.api.responses import EventStream, wants_stream, whole
from app.api.schemas import Generation, TokenCount
from app.clients.identity import Scope
from app.edge.hangup import until_hangup
from app.gemini.answer import Usage
from app.media.form_files import FormFiles, UploadPolicy
from app.request.context import parsed_query

router = APIRouter(prefix="/api/v1")


@router.post(
    "/generate",
    operation_id="generate",
    summary="Ask a model about text and media",
    response_model=None,
    responses=answers(Generation, streamed=STREAMED),
    openapi_extra=form_body(GenerateForm),
)
@needs(Scope.GENERATE, asks_model=True)
async def generate(request: Request) -> Response:
    """Read the form, deliver its media, ask the model, and answer as JSON, text or events."""
    caller = caller_of(request)
    files = caller.form_files(UploadPolicy.FIT)
    is_streamed = False
    try:
        async with until_hangup(request.scope):
            prompt = PromptForm(caller, files, parsed_query(request.scope))
            await prompt.read(open_form(request, caller.services))
            call = _call(caller, prompt, files)
            if not wants_stream(request, prompt.form.stream):
                return await whole(request, call)
        is_streamed = True
        return EventStream(call, files)
    finally:
        # A stream owns its files until its own end.
        if not is_streamed:
            await files.close()


def _call(caller: RestCaller, prompt: PromptForm, files: FormFiles) -> AnswerCall:
    form, schema = prompt.form, prompt.form.response_schema
    return AnswerCall(
        caller,
        prompt.all_items,
        prompt.request,
        prompt.options,
        CallOptions(
            requested_model=form.model,
            keep_file=bool(form.keep_file),
            timeout_s=form.timeout_s,
            metadata=form.metadata,
            conformance=None if schema is None else Conformance(schema),
        ),
        files,
    )


@router.post(
    "/count-tokens",
    operation_id="countTokens",
    summary="Count the tokens of a call",
    response_model=None,
    responses=answers(TokenCount),
    openapi_extra=form_body(GenerateForm),
)
@needs(Scope.GENERATE, asks_model=True)
async def count_tokens(request: Request) -> Response:
    """Count the tokens of the form of generate, without an upload."""
    caller = caller_of(request)
    async with until_hangup(request.scope), caller.form_files(UploadPolicy.INLINE_ONLY) as files:
        prompt = PromptForm(caller, files, parsed_query(request.scope))
        await prompt.read(open_form(request, caller.services))
        model = caller.model(prompt.form.model)
        # countTokens counts system instruction and schema only inside a generateContentRequest.
        wrapper = (b'{"generateContentRequest":{"model":"models/%s",' % model.encode(), b"}")
        counted = await caller.services.generation.count_tokens(model, prompt.request(wrapper))
    usage = Usage(input_tokens=counted.total_tokens, input_by_modality=counted.by_modality)
    answer = TokenCount(
        model=model,
        total_tokens=counted.total_tokens,
        by_modality=modalities(counted.by_modality),
        estimated_cost_usd=caller.services.models.cost(model, usage),
    )
    return Response(answer.json_bytes(), media_type="application/json")
