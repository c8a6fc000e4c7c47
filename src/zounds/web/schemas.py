"""The shapes of what goes in and out, for OpenAPI; ``docs/api.md`` says what they mean."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zounds.web.sets import MOST_IDS

Id = Annotated[str, Field(min_length=1, max_length=1000)]
Time = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Duration = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class Strict(BaseModel):
    """What is sent; names that nobody knows are refused."""

    model_config = ConfigDict(extra="forbid")


class Document(BaseModel):
    """A sound."""

    id: str
    name: str
    folder: str
    path: str | None
    uri: str
    seconds: float
    samplerate: float
    channels: int
    code: str | None
    partial: bool
    missing: bool


class HitRecord(Document):
    """A sound that was found, and where in it."""

    start: float
    duration: float
    distance: int
    score: float


class QueryRecord(BaseModel):
    """What was searched for."""

    code: str
    start: float | None
    duration: float | None
    document: Document | None


class Answer(BaseModel):
    """What a search returns."""

    query: QueryRecord
    unit: str
    hits: list[HitRecord]
    passed: int
    documents: int


class Documents(BaseModel):
    """Some sounds."""

    documents: list[Document]


class Page(Documents):
    """Some of the sounds that pass filters."""

    total: int
    offset: int


class Problem(BaseModel):
    """What is wrong."""

    status: int
    kind: str
    message: str


class ErrorBody(BaseModel):
    """What every error says."""

    error: Problem


class Sound(Strict):
    """One of several sounds to search with: an id, or a code."""

    id: Id | None = None
    query: Annotated[str, Field(max_length=10_000)] | None = None
    start: Time | None = None
    duration: Duration | None = None


class Mix(Strict):
    """Sounds to be near to, and far from."""

    more: Annotated[list[Sound], Field(min_length=1, max_length=100)]
    less: Annotated[list[Sound], Field(max_length=100)] = []


class Ids(Strict):
    """Sounds, by their ids."""

    ids: Annotated[list[Id], Field(max_length=MOST_IDS)]


class SomeIds(Strict):
    """Not too many sounds, by their ids."""

    ids: Annotated[list[Id], Field(max_length=1000)]


class Collection(BaseModel):
    """A named set of sounds."""

    name: str
    ids: list[str]


class Collections(BaseModel):
    """All of them."""

    collections: list[Collection]
    writable: bool


class Peaks(BaseModel):
    """A waveform."""

    seconds: float
    start: float
    duration: float
    peak: float
    columns: int
    low: list[int]
    high: list[int]
    rms: list[int]


class Code(Strict):
    """Python to run."""

    code: Annotated[str, Field(max_length=1_000_000)]


class CodeAt(Code):
    """Python, and where the cursor is in it."""

    cursor: Annotated[int, Field(ge=0, le=1_000_000)]


Like = Literal["kind", "same"]
UnitName = Literal["clip", "segment"]
Sort = Literal["folder", "name", "seconds"]
Plain = dict[str, Any]
