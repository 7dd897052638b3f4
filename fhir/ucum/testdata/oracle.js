// Prints what @lhncbc/ucum-lhc makes of the UCUM codes on standard input, one
// a line: code, magnitude in its base units, exponents of its base units (m, s,
// g, rad, K, C, cd), and the value of 1 and of 36.6 as kelvins for units of
// temperature that have an offset. Tabs between them; "-" for what it refuses.
const ucum = require('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance();
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean);
for (const code of lines) {
  const found = ucum.getSpecifiedUnit(code, 'validate').unit;
  if (!found) {
    console.log(code + '\t-');
    continue;
  }
  const dim = found.dim_ && found.dim_.dimVec_ ? found.dim_.dimVec_.join(',') : '0,0,0,0,0,0,0';
  let kelvin = '';
  if (['Cel', 'degF', 'degre', 'degRe'].includes(found.cnv_) || /Cel|degF|degRe/.test(code)) {
    kelvin = [1, 36.6].map((n) => ucum.convertUnitTo(code, n, 'K').toVal).join(',');
  }
  console.log([code, found.magnitude_, dim, kelvin, found.cnv_ || '', found.isArbitrary_].join('\t'));
}
