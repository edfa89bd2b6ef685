"""The image files that a pattern finds in a folder, and the files that belong to each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

from configural.io.images import natural

_WORD = re.compile(r"{(\w+)(?::([^{}]*))?}")
"""A word in braces, with the names it may stand for, or the number of digits."""


@dataclass(frozen=True)
class ImageFile:
    """A portrait's file.

    Attributes:
        path: Where it is.
        name: The portrait's.
        stands_for: What `{name}` and other words in braces are.
    """

    path: Path
    name: str
    stands_for: Mapping[str, str] = field(repr=False)


def find_images(folder: Path, pattern: str, *, names: str | None = None) -> list[ImageFile]:
    """The files that a pattern finds, in natural order; those of the first alternative of a word come first.

    Args:
        folder: Where the pattern begins.
        pattern: See `Description.images`.
        names: How the portraits are named, if not by their path.
    """
    found = []
    for plain, bound in _alternatives(pattern):
        segments = PurePath(plain).parts
        varying, starred = (
            next((at for at, part in enumerate(segments) if re.search(signs, part)), len(segments) - 1)
            for signs in (r"[*?[{]", r"[*?[]")
        )
        shape, some = _as_expression(plain), []
        for path in folder.glob(_WORD.sub("*", plain)):
            below = path.relative_to(folder)
            words = shape.fullmatch(below.as_posix())  # None: a word stands for two different names
            if words and (path.is_file() or not path.exists()) and not path.name.startswith("."):
                parts = below.with_suffix("").parts
                stands_for = {**bound, **words.groupdict(), "name": "/".join(parts[starred:])}
                name = filled_in(names, stands_for) if names else "/".join(parts[varying:])
                some.append(ImageFile(path, name, stands_for))
        found += sorted(some, key=lambda image: natural(str(image.path.relative_to(folder))))
    return found


def filled_in(pattern: str, stands_for: Mapping[str, str]) -> str:
    """A pattern with the words in braces replaced."""

    def word(found: re.Match[str]) -> str:
        value = stands_for.get(found[1], found[0])
        return value.zfill(int(found[2])) if found[2] else value

    return _WORD.sub(word, pattern)


class Beside:
    """Where the files of a pattern are that belong to images; `*` in it stands for any one folder."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder, self.pattern = folder, pattern

    def of(self, image: ImageFile) -> Path:
        """The file that belongs to an image, whether it exists or not."""
        path = filled_in(self.pattern, image.stands_for)
        if "*" not in path:
            return self.folder / path
        return self._starred.get(self._key(PurePath(path)), self.folder / path)

    @cached_property
    def _starred(self) -> Mapping[tuple[str, ...], Path]:
        found = sorted(self.folder.glob(_WORD.sub("*", self.pattern)), reverse=True)
        return {self._key(path.relative_to(self.folder)): path for path in found}

    def _key(self, path: PurePath) -> tuple[str, ...]:
        patterns = PurePath(self.pattern).parts
        return tuple(part for part, pattern in zip(path.parts, patterns, strict=False) if pattern != "*")


def _alternatives(pattern: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The pattern with each of the names that a word such as `{split:train|test}` may stand for."""
    listed = next((word for word in _WORD.finditer(pattern) if word[2]), None)
    if listed is None:
        yield pattern, {}
        return
    for name in listed[2].split("|"):
        plain = pattern.replace(listed[0], name).replace(f"{{{listed[1]}}}", name)
        for rest, bound in _alternatives(plain):
            yield rest, {listed[1]: name, **bound}


def _as_expression(pattern: str) -> re.Pattern[str]:
    """What `Path.glob` finds for a pattern, with a group for each word in braces."""
    seen: set[str] = set()
    expression = ""
    for plain, word in re.findall(r"([^{]+|{(?!\w+}))|{(\w+)}", pattern):
        # Path.glob has matched all but the words, so that anything may stand where it has wildcards.
        expression += re.sub(r"\\\*|\\\?|\\\[.*?\\\]", lambda sign: _ANY[sign[0][1]], re.escape(plain))
        if word:
            expression += f"(?P={word})" if word in seen else f"(?P<{word}>[^/]+)"
            seen.add(word)
    return re.compile(expression.replace("[^/]*[^/]*/", "(?:.*/)?"), re.DOTALL)


_ANY = {"*": "[^/]*", "?": "[^/]", "[": "[^/]"}
