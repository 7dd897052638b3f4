// What the sessions share: where the server is, and steps with names.

import assert from 'node:assert/strict';

// base is the FHIR base URL of an empty tenant; token the bearer token, if the
// server wants one.
export const [base, token] = [process.env.FHIR_BASE, process.env.FHIR_TOKEN];
assert.ok(base, 'FHIR_BASE is not set');

// step runs one step of a session. A failure ends the session and says which
// step it was.
export async function step(name, run) {
  try {
    const result = await run();
    console.log(`ok ${name}`);
    return result;
  } catch (error) {
    console.log(`failed ${name}`);
    console.log(error?.stack ?? JSON.stringify(error));
    process.exit(1);
  }
}

// An invented family and what is known of it.
export const patient = (given, extra = {}) => ({
  resourceType: 'Patient',
  identifier: [{ system: 'urn:example:mrn', value: `mrn-${given}` }],
  name: [{ family: 'Quillfeather', given: [given] }],
  gender: 'female',
  birthDate: '1984-07-02',
  ...extra,
});

export const observation = (subject, value, day) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }] },
  subject: { reference: subject },
  effectiveDateTime: `2026-03-${String(day).padStart(2, '0')}T08:00:00Z`,
  valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
});

export const ids = (bundle) => (bundle.entry ?? []).map((e) => e.resource.id);
export { assert };
