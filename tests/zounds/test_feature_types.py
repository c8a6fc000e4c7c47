import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds import AudioSamples, ConstantRateTimeSeries, SampleRate
from zounds.feature_types import AudioSamplesFeature, ConstantRateTimeSeriesFeature

SERIES = ConstantRateTimeSeries(np.arange(6.0).reshape(3, 2), SampleRate(1, 2))
AUDIO = AudioSamples(np.linspace(-1, 1, 50, dtype=np.float32), 8000)


@pytest.mark.parametrize(
    ("feature", "value"), [(ConstantRateTimeSeriesFeature, SERIES), (AudioSamplesFeature, AUDIO)]
)
def test_values_come_back_as_what_they_were(feature, value):
    class Document(ff.BaseModel):
        value = feature(np.positive, store=True)
        database = ff.InMemoryDatabase()

    document = Document(Document.process(value=value))
    assert type(document.value) is type(value) is feature.kind
    assert document.value.units == value.units
    np.testing.assert_array_equal(document.value, value)


def test_they_are_public():
    assert zounds.ConstantRateTimeSeriesFeature is ConstantRateTimeSeriesFeature
    assert zounds.AudioSamplesFeature is AudioSamplesFeature
