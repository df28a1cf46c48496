"""The 3D U-Net behind `hippocampal-volume` (training side; inference runs the ONNX export)."""

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = (16, 32, 64, 128)
CLASSES = 3  # background, anterior, posterior


class Block(nn.Module):
    """Two 3x3x3 convolutions, each with GroupNorm and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.LeakyReLU(0.01, inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class UNet(nn.Module):
    """(N, 1, X, Y, Z) z-scored RAS crops, 1 mm -> (N, 3, X, Y, Z) logits; sides multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        first, *deeper = CHANNELS
        self.encoders = nn.ModuleList([Block(1, first)])
        self.ups = nn.ModuleList()
        self.decoders = nn.ModuleList()
        previous = first
        for width in deeper:
            self.encoders.append(Block(previous, width))
            self.ups.append(nn.ConvTranspose3d(width, previous, 2, stride=2))
            self.decoders.append(Block(2 * previous, previous))
            previous = width
        self.head = nn.Conv3d(first, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, encoder in enumerate(self.encoders):
            if level:
                x = F.max_pool3d(x, 2)
            x = encoder(x)
            skips.append(x)
        for level in range(len(self.ups) - 1, -1, -1):
            x = torch.cat([self.ups[level](x), skips[level]], dim=1)
            x = self.decoders[level](x)
        return self.head(x)
