"""All tasks: their routers for the application, and their forms for the OpenAPI document.

A new task is a folder beside the others and a line here.
"""

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel

from app.tasks.captions import endpoint as captions
from app.tasks.captions.form import CaptionForm
from app.tasks.comparisons import endpoint as comparisons
from app.tasks.comparisons.form import ComparisonForm
from app.tasks.descriptions import endpoint as descriptions
from app.tasks.descriptions.form import VideoForm
from app.tasks.detections import endpoint as detections
from app.tasks.detections.form import DetectionForm
from app.tasks.markdown import endpoint as markdown
from app.tasks.markdown.form import MarkdownForm
from app.tasks.segmentations import endpoint as segmentations
from app.tasks.segmentations.form import SegmentationForm
from app.tasks.transcriptions import endpoint as transcriptions
from app.tasks.transcriptions.form import SubtitlesForm, TranscriptionForm
from app.tasks.transcriptions.openai import endpoint as openai_audio


@dataclass(frozen=True, slots=True)
class Task:
    """A task's routes, and the forms that the OpenAPI document describes."""

    router: APIRouter
    forms: tuple[type[BaseModel], ...]


TASKS = (
    Task(captions.router, (CaptionForm,)),
    Task(detections.router, (DetectionForm,)),
    Task(segmentations.router, (SegmentationForm,)),
    Task(comparisons.router, (ComparisonForm,)),
    Task(transcriptions.router, (TranscriptionForm, SubtitlesForm)),
    Task(markdown.router, (MarkdownForm,)),
    Task(descriptions.router, (VideoForm,)),
    # OpenAI documents its own operations.
    Task(openai_audio.router, ()),
)
