"""The 3D U-Net behind `hippocampal-volume` (training side; inference runs the ONNX export)."""

import math

import torch
from torch import nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

CHANNELS = (16, 32, 64, 128)
CLASSES = 3  # background, anterior, posterior
GROUPS = 8
SLOPE = 0.01  # of the leaky ReLU
ROW = 768  # numbers side by side that PyTorch's loops take at full speed


class _NormAct(torch.autograd.Function):
    """GroupNorm and leaky ReLU of channels-last maps in reduced precision, both directions.

    PyTorch's own backward pass of GroupNorm took half of every training step on a CPU (bfloat16,
    channels last). Here each pass over the map is one plain operation on rows of `ROW` numbers;
    the sums of a row's columns are finished in float32.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float
    ) -> torch.Tensor:
        rows = _rows(x)
        n, channels, count = x.shape[0], x.shape[1], x.numel() // x.shape[0] // GROUPS
        mean = _by_group(_columns(rows, channels), n) / count
        squares = _by_group(_columns(rows * rows, channels), n) / count
        inverse = (squares - mean * mean + eps).rsqrt()
        scale = inverse * weight
        y = torch.addcmul(_row(bias - mean * scale, rows), rows, _row(scale, rows))
        F.leaky_relu_(y, SLOPE)
        ctx.save_for_backward(rows, y, mean, inverse, weight)
        ctx.shape = x.shape
        return _maps(y, x.shape)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, y, mean, inverse, weight = ctx.saved_tensors
        n, channels, count = ctx.shape[0], ctx.shape[1], math.prod(ctx.shape[1:]) // GROUPS
        g = torch.ops.aten.leaky_relu_backward(_rows(grad), y, SLOPE, True)
        of_bias = _columns(g, channels)
        of_weight = (_columns(g * rows, channels) - mean * of_bias) * inverse
        a = inverse * _by_group(of_bias * weight, n) / count
        b = inverse * inverse * _by_group(of_weight * weight, n) / count
        dx = torch.addcmul(_row(b * mean - a, rows), rows, _row(-b, rows))
        dx.addcmul_(g, _row(inverse * weight, rows))
        return _maps(dx, ctx.shape), of_weight.sum(0), of_bias.sum(0), None


def _rows(x: torch.Tensor) -> torch.Tensor:
    """(N, C, X, Y, Z), channels last in memory -> (N, rows, columns): whole voxels side by side."""
    n, channels, *space = x.shape
    together = math.gcd(ROW // channels, math.prod(space))
    return x.permute(0, 2, 3, 4, 1).reshape(n, -1, channels * together)


def _maps(rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    n, channels, *space = shape
    return rows.view(n, *space, channels).permute(0, 4, 1, 2, 3)


def _columns(rows: torch.Tensor, channels: int) -> torch.Tensor:
    """Sums over space, (N, C) float32."""
    return rows.sum(1).float().view(len(rows), -1, channels).sum(1)


def _by_group(sums: torch.Tensor, n: int) -> torch.Tensor:
    """(N, C) -> (N, C): the sum over each channel's group."""
    groups = sums.view(n, GROUPS, -1)
    return groups.sum(2, keepdim=True).expand_as(groups).reshape(n, -1)


def _row(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """(N, C) repeated for the voxels of one row, (N, 1, columns)."""
    return values.to(rows.dtype).repeat(1, rows.shape[2] // values.shape[1])[:, None]


class NormAct(nn.GroupNorm):
    """GroupNorm followed by a leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype == torch.bfloat16:
            return _NormAct.apply(x, self.weight, self.bias, self.eps)
        return F.leaky_relu(super().forward(x), SLOPE)


class Block(nn.Module):
    """Two 3x3x3 convolutions, each with GroupNorm and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
            NormAct(outputs),
            nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
            NormAct(outputs),
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
