"""What the actors in Python share: lines of JSON, in and out."""
import asyncio
import json
import sys


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


async def obey_lines(answer):
    """Hands over each command as it comes; nobody waits for the answer to the one before. Ends with the input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asyncio.ensure_future(answer(json.loads(line)))
