"""A streamed answer and its bill, with the official OpenAI SDK for Python (pip install openai).

ARBSTR_BASE_URL=http://127.0.0.1:8080/v1 ARBSTR_TOKEN=vtk_… python3 examples/python.py [question]
"""

import os
import sys

from openai import OpenAI

if not os.environ.get("ARBSTR_BASE_URL") or not os.environ.get("ARBSTR_TOKEN"):
    sys.exit("Set ARBSTR_BASE_URL and ARBSTR_TOKEN; the demo prints both.")

client = OpenAI(base_url=os.environ["ARBSTR_BASE_URL"], api_key=os.environ["ARBSTR_TOKEN"])
stream = client.chat.completions.create(
    model=os.environ.get("ARBSTR_MODEL", "gpt-4o-mini"),
    messages=[{"role": "user", "content": sys.argv[1] if len(sys.argv) > 1 else "Hello"}],
    stream=True,
    stream_options={"include_usage": True},
)

bill = None
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    # The last chunk has the usage, and beside it what arbstr adds.
    bill = (chunk.model_extra or {}).get("arbstr", bill)
print(f"\n\n{bill['cost_msats']} msat to {bill['provider']} for {bill['usage']['total_tokens']} tokens")
