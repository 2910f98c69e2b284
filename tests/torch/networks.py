"""Our own small modules in the manner of further networks; see ``blocks`` for the first ones.

The law of this file: plain ``torch.nn``; every module is seeded by whoever builds it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from tests.torch.blocks import ConvNorm


class VisionTransformer(nn.Module):
    """Patches and a class token through torch's own encoder layer."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.places = nn.Parameter(0.1 * torch.randn(1, 17, 32))
        self.encoder = nn.TransformerEncoderLayer(
            32, 4, 64, batch_first=True, activation="gelu", norm_first=True
        )
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.encoder(x))[:, 0])


class Causal(nn.Module):
    """torch's attention with a mask of minus infinity, then a masked softmax written out."""

    def __init__(self, width=32):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.keys = nn.Linear(width, 2 * width)
        self.register_buffer("hidden", torch.ones(12, 12).triu(1).bool())

    def forward(self, x):
        mask = torch.zeros(12, 12).masked_fill(self.hidden, float("-inf"))
        x = x + self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
        query, key = self.keys(x).chunk(2, -1)
        scores = (query @ key.transpose(1, 2) / 5.6).masked_fill(self.hidden, float("-inf"))
        return scores.softmax(-1) @ x


class ShiftedWindows(nn.Module):
    """Attention in windows that are shifted round the picture, as in Swin, and patches merged."""

    def __init__(self, width=16, window=4):
        super().__init__()
        self.window = window
        self.norm, self.project = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.bias = nn.Parameter(0.1 * torch.randn(2, window**2, window**2))
        self.out, self.merge = nn.Linear(width, width), nn.Linear(4 * width, 2 * width)

    def forward(self, x):
        _, height, width, channels = x.shape
        size, rows, columns = self.window, height // self.window, width // self.window
        turned = torch.roll(self.norm(x), (-2, -2), (1, 2))
        parts = turned.view(1, rows, size, columns, size, channels).permute(0, 1, 3, 2, 4, 5)
        qkv = self.project(parts.reshape(-1, size**2, channels))
        query, key, value = qkv.reshape(-1, size**2, 3, 2, channels // 2).permute(2, 0, 3, 1, 4)
        scores = query * (channels // 2) ** -0.5 @ key.transpose(-2, -1) + self.bias
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(-1, size**2, channels)
        grid = self.out(mixed).view(1, rows, columns, size, size, channels)
        whole = grid.permute(0, 1, 3, 2, 4, 5).reshape(1, height, width, channels)
        x = x + torch.roll(whole, (2, 2), (1, 2))
        corners = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.merge(torch.cat(corners, -1))


class ConvNext(nn.Module):
    """A wide depthwise window, LayerNorm over channels, a scale for each."""

    def __init__(self, width=16):
        super().__init__()
        self.window = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        y = self.norm(self.window(x).permute(0, 2, 3, 1))
        y = self.narrow(functional.gelu(self.wide(y))) * self.scale
        return x + y.permute(0, 3, 1, 2)


class UNet(nn.Module):
    """Down twice, up twice, with what was seen on the way."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = ConvNorm(1, 8, 3), ConvNorm(8, 16, 3)
        self.deep = ConvNorm(16, 32, 3)
        self.up, self.up_again = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.join, self.join_again = ConvNorm(32, 16, 3), ConvNorm(16, 8, 3)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        fine = self.fine(x)
        coarse = self.coarse(functional.max_pool2d(fine, 2))
        deep = self.deep(functional.max_pool2d(coarse, 2))
        x = self.join(torch.cat([self.up(deep), coarse], 1))
        return self.head(self.join_again(torch.cat([self.up_again(x), fine], 1)))


class ShuffleNet(nn.Module):
    """Half of the channels through a block, then all of them shuffled."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 16, 3, 2)
        self.block = nn.Sequential(
            ConvNorm(8, 8), ConvNorm(8, 8, 3, groups=8, activation=None), ConvNorm(8, 8)
        )

    def forward(self, x):
        kept, changed = functional.max_pool2d(self.stem(x), 3, 2, 1).chunk(2, 1)
        x = torch.cat([kept, self.block(changed)], 1)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        return x.reshape(batch, -1, height, width).mean([2, 3])


class SqueezeNet(nn.Module):
    """A fire module behind a pool whose size is rounded up."""

    def __init__(self):
        super().__init__()
        self.stem, self.squeeze = nn.Conv2d(3, 16, 3, 2), nn.Conv2d(16, 4, 1)
        self.narrow, self.wide = nn.Conv2d(4, 16, 1), nn.Conv2d(4, 16, 3, padding=1)
        self.head = nn.Conv2d(32, 10, 1)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2, ceil_mode=True)
        x = functional.relu(self.squeeze(x))
        x = torch.cat([functional.relu(self.narrow(x)), functional.relu(self.wide(x))], 1)
        return functional.adaptive_avg_pool2d(functional.relu(self.head(x)), 1).flatten(1)


class PlainRecurrent(nn.Module):
    """nn.RNN, which no exporter can make a GRU of."""

    def __init__(self):
        super().__init__()
        self.cell = nn.RNN(10, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Normalized(nn.Module):
    """Groups, then instances; means that leave padding out; two ways to a larger picture."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.groups, self.instances = nn.GroupNorm(4, 16), nn.InstanceNorm2d(16, affine=True)
        self.mean = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x):
        x = self.mean(self.instances(functional.silu(self.groups(self.stem(x)))))
        cubic = functional.interpolate(x, scale_factor=2, mode="bicubic")
        linear = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return torch.maximum(cubic, linear)


class EndToEnd(nn.Module):
    """A YOLO head that decodes boxes, and keeps the best by itself, as YOLO26 does."""

    def __init__(self, side=8, kept=5):
        super().__init__()
        self.kept, self.places = kept, side * side
        self.maps = nn.Conv2d(16, 68, 1)
        self.register_buffer("bins", torch.arange(16.0).view(1, 16, 1, 1))
        self.register_buffer("anchors", side * torch.rand(1, 2, side * side))

    def forward(self, x):
        sides, classes = self.maps(x).flatten(2).split((64, 4), 1)
        parts = sides.view(1, 4, 16, self.places).transpose(2, 1).softmax(1)
        near, far = functional.conv2d(parts, self.bins).view(1, 4, self.places).chunk(2, 1)
        low, high = self.anchors - near, self.anchors + far
        boxes = torch.cat([(low + high) / 2, high - low], 1) * 8
        decoded = torch.cat([boxes, classes.sigmoid()], 1)
        boxes, scores = decoded.transpose(1, 2).split((4, 4), -1)
        best, index = scores.amax(-1).topk(self.kept)
        chosen = boxes.gather(1, index.unsqueeze(-1).repeat(1, 1, 4))
        return torch.cat([chosen, best[..., None]], -1)
