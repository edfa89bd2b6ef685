"""Images on disk, and the portraits they are made of."""

from configural.export import generate as generate
from configural.export import verify as verify
from configural.portraits.fetch import fetch_portraits as fetch
from configural.portraits.inspecting import inspect as inspect

__all__ = ["fetch", "generate", "inspect", "verify"]
