"""`/models`: the models that take media and generate."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.access import for_any_client
from app.api.caller import services_of
from app.api.forms import unknown_after
from app.api.openapi import answers
from app.api.schemas import GeminiModel, GeminiModelList
from app.gemini.models import ListedModel, Models

router = APIRouter(prefix="/api/v1/models")


def _shown(model: ListedModel, models: Models) -> GeminiModel:
    return GeminiModel(
        id=model.id,
        display_name=model.display_name,
        input_token_limit=model.input_token_limit,
        output_token_limit=model.output_token_limit,
        accepts=list(models.table.of(model.id).accepts),
        is_default=model.id == models.resolve(None),
        aliases=sorted(alias for alias, target in models.aliases.items() if target == model.id),
    )


@router.get(
    "", operation_id="listModels", summary="List models", response_model=None, responses=answers(GeminiModelList)
)
@for_any_client
async def list_models(
    request: Request,
    *,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="The id of the last model of the page before.")
    ] = None,
) -> Response:
    """List the models that take media and generate text, in Gemini's order."""
    models = services_of(request).models
    listed = list(await models.listed())
    if after:
        # The list has no order by name, so the position of the last model is searched.
        names = [model.id for model in listed]
        if after not in names:
            raise unknown_after(after)
        listed = listed[names.index(after) + 1 :]
    page = listed[:limit]
    has_more = len(listed) > limit
    answer = GeminiModelList(
        data=[_shown(model, models) for model in page], has_more=has_more, next=page[-1].id if has_more else None
    )
    return Response(answer.json_bytes(), media_type="application/json")


@router.get(
    "/{model_id:path}",
    operation_id="getModel",
    summary="Get a model",
    response_model=None,
    responses=answers(GeminiModel),
)
@for_any_client
async def get_model(request: Request, model_id: Annotated[str, Path(max_length=200)]) -> Response:
    """Return a model by its name, with or without `models/`, or by an alias."""
    models = services_of(request).models
    return Response(_shown(await models.get(model_id), models).json_bytes(), media_type="application/json")
