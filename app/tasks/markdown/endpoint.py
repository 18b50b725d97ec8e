"""`POST /documents/markdown`."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body
from app.clients.identity import Scope
from app.errors import FieldError, InvalidFieldError, TooManyPagesError
from app.media.types import MediaKind
from app.tasks.markdown import question as documents
from app.tasks.markdown.answer import MarkdownDocument, MarkdownPage
from app.tasks.markdown.form import MarkdownForm
from app.tasks.markdown.page_ranges import PageRangeError, PageRanges, read_pages
from app.tasks.task import Question
from app.tasks.task_call import TaskCall, json_answer, open_task
from app.tasks.task_form import TaskSpec

router = APIRouter(prefix="/api/v1/documents")


def _pages(form: MarkdownForm, page_count: int | None = None) -> PageRanges | None:
    text = form.pages
    if text is None:
        return None
    try:
        pages = read_pages(text)
        if page_count is not None:
            pages.check(page_count)
    except PageRangeError as error:
        raise InvalidFieldError(
            f"pages: {error}.", errors=(FieldError("pages", str(error), received=text[:60]),)
        ) from None
    return pages


def _question(form: MarkdownForm, page_count: int | None = None) -> Question:
    return documents.question(
        pages=_pages(form, page_count),
        page_count=page_count,
        language=form.language,
        prompt=form.prompt,
    )


MARKDOWN = TaskSpec(FormSpec(MarkdownForm), frozenset({MediaKind.DOCUMENT}), _question)


def _check_count(task: TaskCall[MarkdownForm]) -> int | None:
    """Check the number of pages and return it, or None if unknown; raises TooManyPagesError, InvalidFieldError."""
    count = task.media.facts().pages
    limit = task.services.settings.max_pdf_pages
    if count is not None and count > limit:
        raise TooManyPagesError(f"file: the document has {count} pages; at most {limit} are read. Split it.")
    _pages(task.form, count)
    return count


@router.post(
    "/markdown",
    operation_id="documentToMarkdown",
    summary="Convert a PDF to Markdown",
    response_model=None,
    responses=answers(MarkdownDocument),
    openapi_extra=form_body(MarkdownForm),
)
@needs(Scope.TASKS, asks_model=True)
async def document_to_markdown(request: Request) -> Response:
    """Return the content of each page as Markdown."""
    async with open_task(request, MARKDOWN) as task:
        await task.media.look()
        _check_count(task)
        await task.prepare()
        count = _check_count(task)
        form = task.form
        accumulator = documents.Pages(pages=_pages(form), page_count=count)
        run = await task.long(_question(form, count), accumulator)
        found = await asyncio.to_thread(accumulator.result)
        return json_answer(
            MarkdownDocument(
                **task.common(run, found.warnings),
                file=task.files()[0],
                pages=[MarkdownPage(page=one.page, markdown=one.markdown) for one in found.pages],
                page_count=count,
                truncated_at_page=found.truncated_at_page,
            )
        )
