"""Find sounds by timbre."""

from zounds.arrays import *  # noqa: F403
from zounds.units import *  # noqa: F403
