// Reads a message with node-hl7-client, builds one with it, and sends both.
// argv: the port. stdin: the message. stdout: what it says of them, as JSON.
import { readFileSync } from 'node:fs';
import Client, { HL7_2_5_1, Message } from 'node-hl7-client';

const text = readFileSync(0, 'utf8');
const read = new Message({ text });
const said = {
  id: read.get('MSH.10').toString(),
  family: read.get('PID.5.1').toString(),
  code: read.get('OBR.4.1').toString(),
};

const built = new HL7_2_5_1()
  .buildMSH({
    msh_3: 'NODE', msh_4: 'TEST', msh_5: 'US', msh_6: 'HOME',
    msh_9_1: 'ADT', msh_9_2: 'A04', msh_10: 'NODE1', msh_11_1: 'P',
  })
  .buildPID({ pid_3: '4711', pid_5: 'Muster^Anna' })
  .toMessage();

const client = new Client({ host: '127.0.0.1', version: '2.5.1' });
const answers = [];
let arrived;
const connection = client.createConnection({ port: Number(process.argv[2]) }, async (res) => {
  const message = res.getMessage();
  answers.push(`${message.get('MSA.1')} ${message.get('MSA.2')}`);
  arrived();
});
for (const message of [read, built]) {
  const answered = new Promise((resolve) => { arrived = resolve; });
  await connection.sendMessage(message);
  await answered;
}
await connection.close();
console.log(JSON.stringify({ ...said, answers }));
process.exit(0);
