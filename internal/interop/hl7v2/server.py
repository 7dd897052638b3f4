"""Takes messages with python-hl7's MLLP server: prints its port, then the
control id and the family name of each message."""

import asyncio

import hl7.mllp


async def connected(reader, writer):
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            print(message["MSH.F10.R1"], message["PID.F5.R1.C1"], flush=True)
            code = "AE" if message["MSH.F10.R1"] == "BAD" else "AA"
            writer.writemessage(message.create_ack(code))
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def main():
    server = await hl7.mllp.start_hl7_server(connected, host="127.0.0.1", port=0, encoding="utf-8")
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
