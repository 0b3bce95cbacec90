"""Networks: `torch.nn.Module`s that map images `(n, channels, size, size)` to `(n, n_classes)`.

Each file imports torch at its top, so import them where they are used.
"""
