"""A runner with a hardly trained tiny model and its text."""

import pytest


@pytest.fixture(scope="session")
def runner(distilling):
    return distilling.runner


@pytest.fixture(scope="session")
def text(distilling):
    return distilling.text


@pytest.fixture(scope="session")
def teacher(distilling):
    return distilling.teacher
