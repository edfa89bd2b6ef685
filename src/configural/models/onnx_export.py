"""A network as one ONNX file that takes images as they are."""

import io
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from configural.errors import ConfiguralError, first_line
from configural.io import files
from configural.models.networks import evaluating, made_from, prepare
from configural.models.opening import imported


class _Whole(nn.Module):
    """From images as they lie in memory to log-odds, preparation inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(prepare(self.network, images.permute(0, 3, 1, 2)))
        log_odds: Tensor = logits[:, 1] - logits[:, 0]
        return log_odds


def export_onnx(network: nn.Module, path: Path | str) -> None:
    """Write a network into one ONNX file, for any program that runs such files.

    Its input `images` takes RGB bytes (n, rows, columns, 3), of any n; what the network does to them first is
    inside. Its output `log_odds` holds the log-odds of the correct class in nats, (n,). `models.open` opens it
    again.

    Args:
        network: One that `create` made or `load_network` read.
        path: The file; it is whole or not there.

    Raises:
        ConfiguralError: If another one made the network, it holds what ONNX does not know, or onnx is not
            installed.

    Example:
        >>> import tempfile, numpy as np, configural as cf
        >>> images = np.zeros((3, 32, 32, 3), np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export_onnx(cf.models.create("fcn-14", 32), f"{folder}/network.onnx")
        ...     cf.models.open(f"{folder}/network.onnx").log_odds(images).shape
        (3,)
    """
    imported("onnx", "onnx")  # the exporter's own error would not say how to get it
    name, size = made_from(network)
    images = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    written = io.BytesIO()
    try:
        with evaluating(network), warnings.catch_warnings():
            # PyTorch would rather have its newer exporter used, which needs a package more, fixes the number of
            # images and puts large weights into a second file.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Whole(network).eval(),
                (images.to(next(iter(network.parameters()), images).device),),
                written,  # pyrefly: ignore[bad-argument-type]  # this exporter takes files, too
                dynamo=False,
                opset_version=17,
                input_names=["images"],
                output_names=["log_odds"],
                dynamic_axes={"images": {0: "n"}, "log_odds": {0: "n"}},
            )
    except Exception as error:  # the exporter has errors of many kinds
        raise ConfiguralError(f"network '{name}': cannot be written as ONNX ({first_line(error)})") from error
    files.write_bytes(Path(path), written.getvalue())
