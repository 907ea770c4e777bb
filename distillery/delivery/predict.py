"""Class and probability of every row, a JSON line each: python predict.py ROWS.npz (see README.md)."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

here = Path(__file__).resolve().parent
labels, settings = (json.loads((here / name).read_bytes()) for name in ("labels.json", "session.json"))
options = ort.SessionOptions()
options.intra_op_num_threads = settings["intra_op_num_threads"]
session = ort.InferenceSession(str(here / "model.onnx"), options, providers=settings["providers"])
if len(sys.argv) != 2:
    sys.exit(__doc__)
loaded = np.load(sys.argv[1], allow_pickle=False)
rows = dict(loaded) if hasattr(loaded, "files") else {"input": loaded}
for at in range(len(next(iter(rows.values())))):  # one by one, as measured: rows may share an int8 range
    (logits,) = session.run(["logits"], {name: array[at : at + 1] for name, array in rows.items()})
    shares = np.exp(logits[0].astype(np.float64) - logits.max())
    shares /= shares.sum()
    print(json.dumps({"label": labels[shares.argmax()], "probability": round(float(shares.max()), 6)}))
