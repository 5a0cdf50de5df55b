"""Tests on whole installations: each test worker has one of its own."""

import pytest

MARKS = [pytest.mark.flow, pytest.mark.timeout(240)]
