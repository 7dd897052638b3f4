// A session of @medplum/core, the client library of a whole FHIR platform.

import { MedplumClient, MemoryStorage, ClientStorage } from '@medplum/core';
import { assert, base, ids, observation, patient, step, token } from './session.mjs';

const at = new URL(base);
const client = new MedplumClient({
  baseUrl: `${at.origin}/`,
  fhirUrlPath: at.pathname.slice(1),
  storage: new ClientStorage(new MemoryStorage()),
  cacheTime: 0,
  fetch: (url, options = {}) =>
    fetch(url, { ...options, headers: { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) } }),
});

const di = await step('create', async () => {
  const made = await client.createResource(patient('Di'));
  assert.equal(made.meta.versionId, '1');
  return made;
});

await step('create only if there is none', async () => {
  const again = await client.createResourceIfNoneExist(patient('Di'), 'identifier=urn:example:mrn|mrn-Di');
  assert.equal(again.id, di.id);
});

await step('update, and one that changes nothing', async () => {
  const second = await client.updateResource({ ...di, gender: 'other' });
  assert.equal(second.gender, 'other');
  assert.equal(second.meta.versionId, '2');
});

await step('upsert', async () => {
  const known = await client.upsertResource({ ...patient('Di'), active: true }, 'identifier=urn:example:mrn|mrn-Di');
  assert.equal(known.id, di.id);
  const fresh = await client.upsertResource(patient('Ed'), 'identifier=urn:example:mrn|mrn-Ed');
  assert.notEqual(fresh.id, di.id);
});

await step('patch', async () => {
  const patched = await client.patchResource('Patient', di.id, [{ op: 'replace', path: '/birthDate', value: '1985-01-01' }]);
  assert.equal(patched.birthDate, '1985-01-01');
});

await step('versions', async () => {
  assert.equal((await client.readVersion('Patient', di.id, '1')).birthDate, '1984-07-02');
  assert.equal((await client.readHistory('Patient', di.id)).entry.length, 4);
});

await step('batch', async () => {
  const entry = Array.from({ length: 7 }, (_, i) => ({
    resource: observation(`Patient/${di.id}`, 70 + i, i + 1), request: { method: 'POST', url: 'Observation' },
  }));
  const answer = await client.executeBatch({ resourceType: 'Bundle', type: 'batch', entry });
  assert.ok(answer.entry.every((e) => e.response.status.startsWith('201')));
});

await step('search in several ways', async () => {
  assert.equal((await client.searchOne('Patient', 'name=quill&gender=other,female&birthdate=1985')).id, di.id);
  const found = await client.searchResources('Observation', { patient: `Patient/${di.id}`, _sort: '-date', _count: '3' });
  assert.deepEqual(found.map((o) => o.valueQuantity.value), [76, 75, 74]);
  let seen = 0;
  for await (const page of client.searchResourcePages('Observation', { patient: `Patient/${di.id}`, _count: '2' })) {
    seen += page.length;
  }
  assert.equal(seen, 7);
  const counted = await client.search('Observation', { patient: di.id, _summary: 'count' });
  assert.equal(counted.total, 7);
});

await step('everything of a patient', async () => {
  const all = await client.readPatientEverything(di.id);
  assert.equal(ids(all).length, 8);
});

await step('validate', async () => {
  const verdict = await client.validateResource(patient('Flo')).catch((error) => error.outcome);
  assert.ok(!verdict.issue.some((i) => i.severity === 'error'));
});

await step('delete', async () => {
  await client.deleteResource('Patient', di.id);
  const gone = await client.readResource('Patient', di.id).then(() => null, (error) => error);
  assert.match(JSON.stringify(gone?.outcome ?? ''), /OperationOutcome/);
});
