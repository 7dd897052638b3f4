// A session of fhir-kit-client: every call that it has.

import { Client, CapabilityTool } from 'fhir-kit-client';
import { assert, base, ids, observation, patient, step, token } from './session.mjs';

const client = new Client({ baseUrl: base, ...(token ? { bearerToken: token } : {}) });

await step('capability statement', async () => {
  const statement = await client.capabilityStatement();
  assert.equal(statement.resourceType, 'CapabilityStatement');
  assert.equal(statement.fhirVersion, '4.0.1');
  const tool = new CapabilityTool(statement);
  for (const interaction of ['transaction', 'batch', 'history-system']) {
    assert.ok(tool.serverCan(interaction), interaction);
  }
  for (const interaction of ['create', 'read', 'vread', 'update', 'patch', 'delete', 'search-type', 'history-instance']) {
    assert.ok(tool.resourceCan('Patient', interaction), interaction);
  }
  assert.ok(tool.resourceSearch('Patient', 'birthdate'));
});

const ada = await step('create', async () => {
  const made = await client.create({ resourceType: 'Patient', body: patient('Ada') });
  assert.ok(made.id);
  assert.equal(made.meta.versionId, '1');
  return made;
});

await step('read', async () => {
  assert.deepEqual(await client.read({ resourceType: 'Patient', id: ada.id }), ada);
});

await step('update, and one on an old version', async () => {
  const body = { ...ada, birthDate: '1984-07-03' };
  const second = await client.update({
    resourceType: 'Patient', id: ada.id, body, options: { headers: { 'If-Match': 'W/"1"' } },
  });
  assert.equal(second.meta.versionId, '2');
  const refused = await client
    .update({ resourceType: 'Patient', id: ada.id, body, options: { headers: { 'If-Match': 'W/"1"' } } })
    .then(() => null, (error) => error);
  assert.equal(refused?.response?.status, 412);
  assert.equal(refused.response.data.resourceType, 'OperationOutcome');
});

await step('patch', async () => {
  const jsonPatch = [{ op: 'replace', path: '/gender', value: 'other' }];
  const patched = await client.patch({ resourceType: 'Patient', id: ada.id, jsonPatch });
  assert.equal(patched.gender, 'other');
});

await step('vread and history', async () => {
  const first = await client.vread({ resourceType: 'Patient', id: ada.id, version: '1' });
  assert.equal(first.birthDate, '1984-07-02');
  const versions = await client.history({ resourceType: 'Patient', id: ada.id });
  assert.deepEqual(versions.entry.map((e) => e.resource.meta.versionId), ['3', '2', '1']);
  assert.equal((await client.history({ resourceType: 'Patient' })).total ?? 3, 3);
  assert.equal((await client.history()).type, 'history');
});

await step('conditional update', async () => {
  const search = { identifier: 'urn:example:mrn|mrn-Ada' };
  const updated = await client.update({ resourceType: 'Patient', searchParams: search, body: patient('Ada') });
  assert.equal(updated.id, ada.id);
});

await step('transaction', async () => {
  const entry = Array.from({ length: 25 }, (_, i) => ({
    fullUrl: `urn:uuid:00000000-0000-4000-8000-0000000000${String(i + 10)}`,
    resource: observation(`Patient/${ada.id}`, 60 + i, i + 1),
    request: { method: 'POST', url: 'Observation' },
  }));
  const answer = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } });
  assert.equal(answer.type, 'transaction-response');
  assert.ok(answer.entry.every((e) => e.response.status.startsWith('201')));
});

await step('search, and pages forward and back', async () => {
  const first = await client.resourceSearch({
    resourceType: 'Observation', searchParams: { patient: ada.id, _sort: 'date', _count: '10' },
  });
  assert.equal(first.entry.length, 10);
  const second = await client.nextPage({ bundle: first });
  const third = await client.nextPage({ bundle: second });
  assert.equal(client.nextPage({ bundle: third }), undefined);
  assert.equal(new Set([...ids(first), ...ids(second), ...ids(third)]).size, 25);
  const back = await client.prevPage({ bundle: second });
  if (back) assert.deepEqual(ids(back), ids(first));
});

await step('search by POST and by several values', async () => {
  const found = await client.search({
    resourceType: 'Observation',
    searchParams: { code: 'http://loinc.org|8867-4', 'value-quantity': 'ge83', 'subject:Patient.name': 'quill' },
    options: { postSearch: true },
  });
  assert.equal(found.entry.length, 2);
});

await step('include and reverse include', async () => {
  const found = await client.search({
    resourceType: 'Patient', searchParams: { _id: ada.id, _revinclude: 'Observation:subject' },
  });
  assert.equal(found.entry.filter((e) => e.search.mode === 'include').length, 25);
});

await step('compartment', async () => {
  const found = await client.compartmentSearch({
    resourceType: 'Observation', compartment: { resourceType: 'Patient', id: ada.id }, searchParams: { _count: '5' },
  });
  assert.equal(found.entry.length, 5);
});

await step('search over the system', async () => {
  const found = await client.systemSearch({ searchParams: { _type: 'Patient,Observation', _id: ada.id } });
  assert.deepEqual(ids(found), [ada.id]);
});

await step('batch', async () => {
  const answer = await client.batch({
    body: {
      resourceType: 'Bundle', type: 'batch',
      entry: [
        { request: { method: 'GET', url: `Patient/${ada.id}` } },
        { request: { method: 'GET', url: 'Patient/unknown' } },
      ],
    },
  });
  assert.deepEqual(answer.entry.map((e) => e.response.status.slice(0, 3)), ['200', '404']);
});

await step('operation', async () => {
  const everything = await client.operation({ name: '$everything', resourceType: 'Patient', id: ada.id, method: 'get' });
  assert.equal(everything.entry.length, 26);
  const verdict = await client.operation({
    name: '$validate', resourceType: 'Patient', input: { resourceType: 'Patient', gender: 'unsaid' },
  }).catch((error) => error.response.data);
  assert.equal(verdict.resourceType, 'OperationOutcome');
  assert.ok(verdict.issue.some((i) => i.severity === 'error'));
});

await step('a reference is resolved', async () => {
  const found = await client.search({ resourceType: 'Observation', searchParams: { patient: ada.id, _count: '1' } });
  const observed = found.entry[0].resource;
  const resolved = await client.resolve({ reference: observed.subject.reference, context: observed });
  assert.equal(resolved.id, ada.id);
});

await step('an unknown parameter is refused by name', async () => {
  const refused = await client.search({ resourceType: 'Patient', searchParams: { shoesize: '44' } })
    .then(() => null, (error) => error);
  assert.equal(refused?.response?.status, 400);
  assert.match(JSON.stringify(refused.response.data), /shoesize/);
});

await step('delete', async () => {
  const bo = await client.create({ resourceType: 'Patient', body: patient('Bo') });
  await client.delete({ resourceType: 'Patient', id: bo.id });
  const gone = await client.read({ resourceType: 'Patient', id: bo.id }).then(() => null, (error) => error);
  assert.equal(gone?.response?.status, 410);
});
