"""Scores by their definitions, in plain Python."""

import math


def accuracy(truth: list[int], found: list[int]) -> float:
    return sum(t == f for t, f in zip(truth, found, strict=True)) / len(truth)


def confusion(truth: list[int], found: list[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    pairs = list(zip(truth, found, strict=True))
    return ((pairs.count((0, 0)), pairs.count((0, 1))), (pairs.count((1, 0)), pairs.count((1, 1))))


def cross_entropy(truth: list[int], logits: list[list[float]]) -> float:
    losses = [math.log(math.exp(a) + math.exp(b)) - (a, b)[t] for t, (a, b) in zip(truth, logits, strict=True)]
    return sum(losses) / len(losses)
