"""Things named as `module:name`: what is none of its kind is refused in one line, and is not remembered."""

import pytest

import configural as cf
from configural.audit import Probe, Score, audit
from configural.audit.intervals import Estimate
from configural.audit.probes import PROBES
from configural.errors import ConfiguralError
from configural.export import FORMATS
from configural.models.networks import NETWORKS
from configural.objects import OBJECTS, object_scheme
from configural.portraits import load
from configural.portraits.sources import SOURCES
from configural.stimuli.conditions import CONDITIONS


@pytest.mark.parametrize(
    ("registry", "name", "wanted"),
    [
        (SOURCES, "math:pi", "configural.portraits.Library or a collections.abc.Callable, found float"),
        (CONDITIONS, "math:pi", "configural.stimuli.Condition or a collections.abc.Callable, found float"),
        (NETWORKS, "math:pi", "collections.abc.Callable, found float"),
        (OBJECTS, "math:sqrt", "configural.objects.ObjectScheme, found builtin_function_or_method"),
        (FORMATS, "fractions:Fraction", "configural.export.Format, found "),
        (PROBES, "fractions:Fraction", "configural.audit.Probe, found "),
    ],
)
def test_another_thing_is_refused_and_forgotten(registry, name, wanted):
    for _ in range(2):
        with pytest.raises(ConfiguralError, match=f"{registry.kind} '{name}': expected a {wanted}"):
            registry.find(name)
    assert name not in registry


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: load("math:sqrt"), "source 'math:sqrt' is to take what comes after the colon, and a seed: "),
        (lambda: load("platform:node"), "source 'platform:node' is to take .*: too many positional"),
        (
            lambda: cf.stimuli.condition("platform:node"),
            "condition 'platform:node' is to take an object scheme: too ",
        ),
        (
            lambda: cf.stimuli.condition("builtins:repr"),
            "condition 'builtins:repr': it gave str instead of a Condi",
        ),
        (
            lambda: cf.models.create("platform:node", 8),
            "network 'platform:node' is to be made for an image size alone",
        ),
        (
            lambda: object_scheme("platform:node"),
            "object 'platform:node': expected a configural.objects.ObjectScheme",
        ),
        (
            lambda: NETWORKS.find("platform.py:node"),
            r"No module named 'platform\.py'.*; a module is named without .py",
        ),
    ],
)
def test_what_takes_other_arguments_is_named(use, said):
    with pytest.raises(ConfiguralError, match=said):
        use()


class Nameless(Probe):
    name = "nameless"
    question = "Does it?"

    def trials(self, material):
        return cf.audit.ForcedChoice().trials(material)

    def score(self, responses, material):
        return [0.5]


class Numbers(Nameless):
    title = "Numbers"


class Single(Numbers):
    def score(self, responses, material):
        return Score("x", Estimate(0.5, 0.4, 0.6, 2, 2, ""))


class Bare(Numbers):
    def score(self, responses, material):
        score = Score("drop", Estimate(0.5, 0.4, 0.6, 2, 2))
        object.__setattr__(score, "estimate", 0.5)  # types are checked here, but not where others write probes
        return [score]


class Misspelt(Numbers):
    def trials(self, material):
        return cf.audit.with_columns(material.some_objects(2), scael=0.5)


class Unfinished(Probe):
    name = title = question = "unfinished"


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (Nameless, "probe Nameless: it has no title"),
        (Numbers(), "probe nameless: it gave float instead of a list of Score"),
        (Single(), "probe nameless: it gave Score instead of a list of Score"),
        (Bare(), "probe nameless: the estimate of its 'drop' is not an Estimate"),
        (Misspelt(), "stimuli have no column 'scael': choose from .*left_eye_row, .*shift_row, .*scale, "),
        (Unfinished, "probe 'Unfinished': the class lacks score, trials"),
    ],
)
def test_probes_that_are_none_are_named(blocks, probe, said):
    with pytest.raises(ConfiguralError, match=said):
        audit(lambda images: images.mean(axis=(1, 2, 3)) / 255, blocks, image_size=16, pairs=2, probes=[probe])


class Silent(Numbers):
    """Asks, and has nothing to say."""

    def score(self, responses, material):
        return []


def test_a_probe_without_scores_has_no_figure(blocks):
    found = audit(
        lambda images: images.mean(axis=(1, 2, 3)) / 255, blocks, image_size=16, pairs=2, probes=[Silent()]
    )
    assert not found.interruption
    assert not found.figures


def test_nothing_takes_the_name_of_what_the_package_has():
    own = {"network": cf.models.NETWORKS, "probe": cf.audit.PROBES, "source": cf.portraits.SOURCES}
    for (kind, registry), name in zip(own.items(), ("cnn-15", "forced_choice", "synthetic"), strict=True):
        before = registry[name]
        with pytest.raises(
            ConfiguralError, match=f"^{kind} '{name}': the package has one of this name; choose another$"
        ):
            registry[name] = before
        registry["mine"] = before
        registry["mine"] = registry.pop("mine")  # one's own may be replaced, as where a notebook's cell runs again
        del registry["mine"]
    with pytest.raises(ConfiguralError, match="probe 'displacement'"):
        PROBES.register("displacement")(Numbers)
