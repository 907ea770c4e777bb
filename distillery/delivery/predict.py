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
loaded = np.load(sys.argv[1], allow_pickle=False)
rows = dict(loaded) if hasattr(loaded, "files") else {"input": loaded}
(logits,) = session.run(["logits"], rows)
shares = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
shares /= shares.sum(1, keepdims=True)
for row in shares:
    print(json.dumps({"label": labels[row.argmax()], "probability": round(float(row.max()), 6)}))
