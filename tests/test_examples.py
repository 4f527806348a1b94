"""Every example in a docstring is run."""

import doctest
import importlib
import pkgutil

import pytest

import threadviz

MODULES = [each.name for each in pkgutil.walk_packages(threadviz.__path__, "threadviz.") if "__main__" not in each.name]


def examples(module):
    return [each for each in doctest.DocTestFinder().find(module) if each.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_come_out_as_they_say(name):
    module = importlib.import_module(name)
    for example in examples(module):
        failed, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
        assert failed == 0, example.name


def test_there_are_examples_of_what_is_public():
    names = {example.name for name in MODULES for example in examples(importlib.import_module(name))}
    for wanted in (
        "verbs.simulate",
        "verbs.record",
        "exploration.exploration.explore",
        "notebook.check.check",
        "notebook.predict.predict",
    ):
        assert f"threadviz.{wanted}" in names
