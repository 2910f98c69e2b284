"""Our own small modules in the manner of well-known networks, for tests of what torch exports.

The law of this file: plain ``torch.nn``; every module is seeded by whoever builds it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, activation."""

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, activation=nn.ReLU):
        layers = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([] if activation is None else [activation()]))


class Residual(nn.Module):
    """The block of ResNet, with a projection where the size changes."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(inputs, outputs, 3, stride), ConvNorm(outputs, outputs, 3, activation=None)
        )
        same = stride == 1 and inputs == outputs
        self.short = (
            nn.Identity() if same else ConvNorm(inputs, outputs, 1, stride, activation=None)
        )

    def forward(self, x):
        return functional.relu(self.body(x) + self.short(x))


class SqueezeExcite(nn.Module):
    """Channels weighted by what the whole picture shows."""

    def __init__(self, channels, squeezed, activation, gate):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze, self.expand = (
            nn.Conv2d(channels, squeezed, 1),
            nn.Conv2d(squeezed, channels, 1),
        )
        self.activation, self.gate = activation(), gate()

    def forward(self, x):
        return x * self.gate(self.expand(self.activation(self.squeeze(self.pool(x)))))


class InvertedResidual(nn.Module):
    """The block of MobileNetV2, V3 and EfficientNet."""

    def __init__(self, channels, wide, activation=nn.ReLU6, kernel=3, excite=None):
        super().__init__()
        layers = [
            ConvNorm(channels, wide, activation=activation),
            ConvNorm(wide, wide, kernel, groups=wide, activation=activation),
        ]
        if excite is not None:
            layers.append(SqueezeExcite(wide, 8, activation, excite))
        self.body = nn.Sequential(*layers, ConvNorm(wide, channels, activation=None))

    def forward(self, x):
        return x + self.body(x)


class Classifier(nn.Module):
    """A stem, blocks, and the mean over the picture into a linear layer."""

    def __init__(self, *blocks, channels=16, activation=nn.ReLU):
        super().__init__()
        self.stem = ConvNorm(3, channels, 3, 2, activation=activation)
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.LazyLinear(10)

    def forward(self, x):
        return self.head(torch.flatten(self.pool(self.blocks(self.stem(x))), 1))


class MeanClassifier(Classifier):
    """The same with ``mean`` instead of a pooling layer."""

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class DepthwiseSpeech(nn.Module):
    """DS-CNN: depthwise separable convolutions on a spectrogram."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, (10, 4), (2, 2), (5, 1), bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(ConvNorm(16, 16, 3, groups=16), ConvNorm(16, 16), nn.Dropout(0.2))
                for _ in range(2)
            )
        )
        self.head = nn.Linear(16, 12)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        x = functional.avg_pool2d(x, x.shape[2:])
        return functional.softmax(self.head(x.view(x.shape[0], -1)), dim=-1)


class Causal(nn.Module):
    """Dilated causal convolutions with a residual connection, the block of a TCN."""

    def __init__(self, channels, dilation):
        super().__init__()
        self.pad = 2 * dilation
        self.first = nn.Conv1d(channels, channels, 3, dilation=dilation)
        self.second = nn.Conv1d(channels, channels, 3, padding=self.pad, dilation=dilation)

    def forward(self, x):
        t = functional.relu(self.first(functional.pad(x, (self.pad, 0))))
        t = functional.relu(self.second(t)[:, :, : -self.pad])
        return functional.relu(x + t)


class Temporal(nn.Module):
    """A TCN that looks at the last step."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(6, 16, 1)
        self.blocks = nn.Sequential(Causal(16, 1), Causal(16, 2), Causal(16, 4))
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x))[:, :, -1])


class Attention(nn.Module):
    """Self-attention with several heads, written out."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.project(x).reshape(batch, length, 3, self.heads, self.size)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(query @ key.transpose(-2, -1) * self.size**-0.5, dim=-1)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, length, width))


class Transformer(nn.Module):
    """One encoder block, norm first."""

    def __init__(self, width=32, heads=2, approximate="none"):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(approximate=approximate),
            nn.Linear(2 * width, width),
        )

    def forward(self, x):
        x = x + self.attention(self.norms[0](x))
        return x + self.mlp(self.norms[1](x))


class Bottleneck(nn.Module):
    """Two convolutions and a residual."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(channels, channels, 3, activation=nn.SiLU),
            ConvNorm(channels, channels, 3, activation=nn.SiLU),
        )

    def forward(self, x):
        return x + self.body(x)


class CrossStage(nn.Module):
    """C3k2-like: split, a bottleneck on one half, everything concatenated."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.half = outputs // 2
        self.enter = ConvNorm(inputs, outputs, activation=nn.SiLU)
        self.inner = Bottleneck(self.half)
        self.leave = ConvNorm(3 * self.half, outputs, activation=nn.SiLU)

    def forward(self, x):
        parts = list(self.enter(x).chunk(2, 1))
        parts.append(self.inner(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class PyramidPool(nn.Module):
    """SPPF: the same pooling three times over."""

    def __init__(self, channels):
        super().__init__()
        self.enter = ConvNorm(channels, channels // 2, activation=nn.SiLU)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = ConvNorm(2 * channels, channels, activation=nn.SiLU)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class AreaAttention(nn.Module):
    """Attention over the places of a picture with a depthwise positional part, as in YOLO11."""

    def __init__(self, channels, heads=2):
        super().__init__()
        self.heads, self.size = heads, channels // heads
        self.key = self.size // 2
        self.qkv = ConvNorm(channels, channels + 2 * heads * self.key, activation=None)
        self.position = ConvNorm(channels, channels, 3, groups=channels, activation=None)
        self.project = ConvNorm(channels, channels, activation=None)

    def forward(self, x):
        batch, channels, height, width = x.shape
        parts = self.qkv(x).view(batch, self.heads, -1, height * width)
        query, key, value = parts.split([self.key, self.key, self.size], dim=2)
        weights = (query.transpose(-2, -1) @ key * self.key**-0.5).softmax(dim=-1)
        mixed = (value @ weights.transpose(-2, -1)).view(batch, channels, height, width)
        mixed = mixed + self.position(value.reshape(batch, channels, height, width))
        return x + self.project(mixed)


class Detector(nn.Module):
    """A detector in the manner of YOLO11: two scales, with raw box and class maps."""

    def __init__(self):
        super().__init__()
        silu = nn.SiLU
        self.stem = ConvNorm(3, 16, 3, 2, activation=silu)
        self.fine = CrossStage(16, 32)
        self.down = ConvNorm(32, 32, 3, 2, activation=silu)
        self.coarse = nn.Sequential(CrossStage(32, 32), PyramidPool(32), AreaAttention(32))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.merge = CrossStage(64, 32)
        self.boxes = nn.ModuleList([nn.Conv2d(32, 16, 1), nn.Conv2d(32, 16, 1)])
        self.classes = nn.ModuleList([nn.Conv2d(32, 4, 1), nn.Conv2d(32, 4, 1)])

    def forward(self, x):
        fine = self.fine(self.stem(x))
        coarse = self.coarse(self.down(fine))
        fine = self.merge(torch.cat([self.up(coarse), fine], 1))
        return tuple(
            head(level)
            for level, heads in zip(
                (fine, coarse), zip(self.boxes, self.classes, strict=True), strict=True
            )
            for head in heads
        )


class Recurrent(nn.Module):
    """A GRU or LSTM over a sequence, its last step into a linear layer."""

    def __init__(self, kind, bidirectional=False):
        super().__init__()
        self.cell = kind(6, 16, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(32 if bidirectional else 16, 4)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class RootMeanSquare(nn.Module):
    """RMSNorm as language models write it."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class Functions(nn.Module):
    """A linear layer and one function behind it."""

    def __init__(self, function, width=24):
        super().__init__()
        self.layer, self.function = nn.Linear(12, width), function

    def forward(self, x):
        return self.function(self.layer(x))


class BoxDistribution(nn.Module):
    """The end of a YOLO box branch: each side is the mean of a distribution over 16 bins."""

    def __init__(self):
        super().__init__()
        self.sides = nn.Conv2d(8, 64, 1)
        self.register_buffer("bins", torch.arange(16.0).view(1, 16, 1, 1))

    def forward(self, x):
        batch, _, height, width = x.shape
        parts = self.sides(x).view(batch, 4, 16, height * width).transpose(2, 1).softmax(1)
        return functional.conv2d(parts, self.bins).view(batch, 4, height * width)


class Decoder(nn.Module):
    """Channels shuffled between groups, and two ways to a larger picture."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(8, 16, 3, padding=1, groups=2)
        self.wide = nn.Conv2d(16, 32, 1)
        self.larger = nn.ConvTranspose2d(8, 8, 2, 2)

    def forward(self, x):
        x = self.grouped(x)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        x = self.wide(functional.leaky_relu(x.reshape(batch, channels, height, width), 0.1))
        return functional.silu(self.larger(functional.pixel_shuffle(x, 2)))
