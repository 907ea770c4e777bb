"""A folder in the layout of MNIST, made up of the digits."""

import gzip
import struct

import numpy as np
from sklearn.datasets import load_digits


def write_mnist(folder):
    """300 train and 100 test rows of 28 x 28, as gzipped IDX."""
    digits = load_digits()
    images = np.kron((digits.images * 15.9).astype(np.uint8), np.ones((3, 3), np.uint8))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    folder.mkdir()
    for name, rows in (("train", slice(0, 300)), ("t10k", slice(300, 400))):
        pixels, labels = images[rows], digits.target[rows].astype(np.uint8)
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            with gzip.open(folder / f"{name}-{kind}-ubyte.gz", "wb") as file:
                file.write(head + array.tobytes())
