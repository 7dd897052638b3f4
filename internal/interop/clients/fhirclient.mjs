// A session of fhirclient, the SMART on FHIR client, as an app in its server
// would use it.

import smart from 'fhirclient';
import { assert, base, ids, observation, patient, step, token } from './session.mjs';

// stub is what the library wants of a web framework's request and response.
const stub = { headers: {}, url: '/', protocol: 'http', session: {} };
const storage = { get: async () => null, set: async () => {}, unset: async () => true };
const client = smart(stub, {}, storage).client({
  serverUrl: base,
  tokenResponse: token ? { access_token: token, token_type: 'Bearer', expires_in: 3600 } : {},
});

await step('FHIR version and release', async () => {
  assert.equal(await client.getFhirVersion(), '4.0.1');
  assert.equal(await client.getFhirRelease(), 4);
});

const cy = await step('create', async () => {
  const made = await client.create(patient('Cy', { generalPractitioner: [{ reference: 'Practitioner/dr' }] }));
  assert.ok(made.id);
  return made;
});

await step('update as create', async () => {
  const made = await client.update({ resourceType: 'Practitioner', id: 'dr', name: [{ family: 'Thistledown' }] });
  assert.equal(made.id, 'dr');
});

await step('read, and a path into it', async () => {
  const read = await client.request(`Patient/${cy.id}`);
  assert.equal(client.getPath(read, 'name.0.family'), 'Quillfeather');
});

await step('references are resolved', async () => {
  const read = await client.request(`Patient/${cy.id}`, { resolveReferences: 'generalPractitioner.0' });
  assert.equal(read.generalPractitioner[0].name[0].family, 'Thistledown');
});

await step('patch', async () => {
  const patched = await client.patch(`Patient/${cy.id}`, [{ op: 'add', path: '/active', value: true }]);
  assert.equal(patched.active, true);
});

await step('pages are followed and flattened', async () => {
  for (let day = 1; day <= 12; day++) {
    await client.create(observation(`Patient/${cy.id}`, 50 + day, day));
  }
  const all = await client.request(`Observation?patient=${cy.id}&_count=5`, { flat: true, pageLimit: 0 });
  assert.equal(all.length, 12);
  const rates = client.byCodes(all, 'code')('8867-4');
  assert.equal(rates.length, 12);
  assert.equal(client.units.any(rates[0].valueQuantity), 51);
  const pages = [];
  for await (const page of client.pages(`Observation?patient=${cy.id}&_count=5`)) pages.push(ids(page).length);
  assert.deepEqual(pages, [5, 5, 2]);
});

await step('includes come with their resources', async () => {
  const bundle = await client.request(`Observation?patient=${cy.id}&_include=Observation:subject&_count=3`);
  assert.equal(bundle.entry.filter((e) => e.resource.resourceType === 'Patient').length, 1);
});

await step('an error says what is wrong', async () => {
  const refused = await client.request('Patient?birthdate=yesterday').then(() => null, (error) => error);
  assert.equal(refused?.status ?? refused?.statusCode, 400);
  assert.match(refused.message, /birthdate/);
});

await step('delete', async () => {
  await client.delete('Practitioner/dr');
  const gone = await client.request('Practitioner/dr').then(() => null, (error) => error);
  assert.equal(gone?.status ?? gone?.statusCode, 410);
});
