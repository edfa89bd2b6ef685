"""What a dataset looks like: some images, and their label images in colour, on a sheet for its data card."""

import io
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from configural.export.plan import Plan
from configural.portraits.inspecting import COLOURS, PALETTE

_OF_EACH = 4
_SIDE, _GAP, _LINE = 144, 8, 22
_INK, _GROUND = (29, 33, 38), (255, 255, 255)


def examples_sheet(plan: Plan) -> bytes:
    """A PNG of the first images of both classes; below each, where there are masks, its label image in colour.

    Label images themselves are grey, for most readers turn a palette into colours or shades and lose the ids.
    """
    shard = plan.shards[0]
    entries = list(plan.entries([replace(shard, rows=shard.rows[: 2 * _OF_EACH])]))
    scheme, font = plan.table.scheme, ImageFont.load_default(size=15)
    height = _LINE + (1 + plan.masks) * (_SIDE + _GAP)
    size = (_GAP + _OF_EACH * (_SIDE + _GAP), 2 * height + (_LINE + _GAP) * plan.masks)
    sheet = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    for label, name in reversed(list(enumerate(scheme.class_names))):
        top = (1 - label) * height
        draw.text((_GAP, top + 1), name, _INK, font)
        shown = [entry for entry in entries if entry.columns["label"] == label]
        for column, entry in enumerate(shown):
            images = [entry.pixels()]
            if plan.masks:
                images.append(PALETTE[entry.labels()])
            for row, image in enumerate(images):
                method = cv2.INTER_AREA if plan.renderer.size > _SIDE and not row else cv2.INTER_NEAREST
                small = np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=method), np.uint8)
                left = _GAP + column * (_SIDE + _GAP)
                sheet.paste(Image.fromarray(small), (left, top + _LINE + row * (_SIDE + _GAP)))
    left, top = _GAP, size[1] - _LINE
    for kind, colour in zip(scheme.part_kinds, COLOURS, strict=False) if plan.masks else ():
        draw.rectangle((left, top + 3, left + 12, top + 15), colour)
        draw.text((left + 18, top), kind, _INK, font)
        left += 34 + round(font.getlength(kind))
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
