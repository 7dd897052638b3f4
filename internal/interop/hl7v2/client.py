"""Sends messages with python-hl7's MLLP client and prints the codes."""

import asyncio
import json
import sys

import hl7
import hl7.mllp


async def main():
    reader, writer = await hl7.mllp.open_hl7_connection("127.0.0.1", int(sys.argv[1]), encoding="utf-8")
    for line in sys.stdin:
        writer.writemessage(hl7.parse(json.loads(line)))
        await writer.drain()
        answer = await reader.readmessage()
        print(answer["MSA.F1.R1"], answer["MSA.F2.R1"], flush=True)
    writer.close()


asyncio.run(main())
