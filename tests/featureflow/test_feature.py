import dataclasses

import pytest

import featureflow as ff


@dataclasses.dataclass(frozen=True)
class Gain:
    factor: float = 1.0
    revision = 1

    def __post_init__(self):
        if self.factor <= 0:
            raise ff.InvalidParameter(f"factor={self.factor}: give a positive number")

    def __call__(self, chunk):
        return chunk * self.factor


def scale(chunk, factor=1):
    return chunk * factor


def test_on_the_class_it_is_the_feature_and_knows_its_name():
    class Model(ff.BaseModel):
        text = ff.TextFeature(str.upper)
        loud = ff.TextFeature(str.title, needs=text)
        both = ff.Feature(max, needs=(text, "loud"))

    assert isinstance(Model.text, ff.TextFeature)
    assert Model.both.name == "both"
    assert Model.both.needs == ("text", "loud")
    assert Model.text.needs == ()
    assert "loud" in repr(Model.loud)


def test_parameters_go_to_the_class_or_the_function():
    assert ff.Feature(Gain, factor=2.0).node == Gain(2.0)
    assert ff.Feature(Gain(3.0)).node == Gain(3.0)
    assert ff.Feature(scale, factor=4).node(2) == 8


def test_a_parameter_that_the_node_does_not_take_is_named_with_those_it_does():
    with pytest.raises(ff.GraphError, match=r"Gain.*facto.*it takes \(factor"):
        ff.Feature(Gain, facto=2.0)


def test_a_value_that_the_node_refuses_is_refused_at_once():
    with pytest.raises(ff.InvalidParameter, match="factor=-1"):
        ff.Feature(Gain, factor=-1)


def test_what_is_no_node_is_refused():
    with pytest.raises(ff.GraphError, match="no node"):
        ff.Feature(3)
    with pytest.raises(ff.GraphError, match="needs=3"):
        ff.Feature(scale, needs=[3])


def test_a_need_without_a_name_is_refused():
    with pytest.raises(ff.GraphError, match="has no name"):

        class Model(ff.BaseModel):
            loud = ff.TextFeature(str.upper, needs=ff.TextFeature(str.title))


def test_features_may_come_from_a_mixin_that_is_no_model():
    class Loud:
        loud = ff.TextFeature(str.upper, needs="text")

    class Model(Loud, ff.BaseModel):
        text = ff.TextFeature(str.strip)
        database = ff.InMemoryDatabase()

    with pytest.raises(ff.UnavailableError, match="text was handed"):
        Model(Model.process(text="a")).loud


class Typed(ff.BaseModel):
    given = ff.JSONFeature(lambda value: value, store=True)
    text = ff.TextFeature(lambda value: value["text"], needs=given, store=True)
    data = ff.ByteStreamFeature(str.encode, needs=text, store=True)
    database = ff.InMemoryDatabase()


def test_typed_features_come_back_as_they_were():
    document = Typed(Typed.process(given={"text": "grün", "n": [1, 2.5, None]}))
    assert document.given == {"text": "grün", "n": [1, 2.5, None]}
    assert document.text == "grün"
    assert document.data == "grün".encode()


def test_json_that_is_none_is_refused():
    with pytest.raises(ff.CodecError, match="given is a JSONFeature.*JSON cannot express"):
        Typed.process(given={"text": "a", "x": float("nan")})


def test_long_byte_streams_keep_their_pieces_together():
    class Pieces:
        def stream(self):
            return self

        def step(self, count):
            for i in range(count):
                yield bytes([i])

        def flush(self):
            return ()

    class Model(ff.BaseModel):
        data = ff.ByteStreamFeature(Pieces, store=True)
        database = ff.InMemoryDatabase()

    assert Model(Model.process(data=200)).data == bytes(range(200))
