"""What the tensors of a file that ships are called: raw rows in, logits out.

An image file takes `input` alone, uint8 (batch, height, width, channels). A table's takes its numbers as
`input`, float32 (batch, numeric columns), and its categories as strings (batch, other columns); a kind of
which it has no column is left out. Which columns these are, in order, stands in its metadata. A file for
sequences takes `input` alone: float32 (batch, length, channels), or int64 (batch, length), ids of tokens.
"""

INPUT, CATEGORIES, LOGITS = "input", "categories", "logits"
CODES = "codes"  # int64, what stands for `categories` until the file is finished
CLASS_NAMES, COLUMN_NAMES = "classes", "columns"  # metadata, as JSON
