// Package ucum reads units of the Unified Code for Units of Measure
// (https://ucum.org/ucum) and converts decimals into base units.
//
// A code such as mg/dL, [in_i], 10*3/uL or {beats}/min is read by the
// case-sensitive grammar of UCUM (§ 2 to § 12): products, quotients,
// exponents, brackets, prefixes on metric units, and annotations, which stand
// for 1. What it measures is a product of the base units m, s, g, rad, K, C
// and cd, and a factor.
//
// Units that are on no ratio scale but are a multiple and a shift of one
// (Cel, [degF], [degRe]) are converted as well; they stand alone, with a
// prefix at most (UCUM § 21 to § 22).
//
// # What is compared only with itself
//
// Arbitrary units ([iU], [arb'U] …; UCUM § 24) are base units of their own,
// as UCUM has it, and logarithmic and trigonometric units ([pH], B, Np …) are
// so here: dB converts to B, and [pH] to nothing else.
//
// # Exactness
//
// Factors are exact rational numbers. A result has MaxDigits significant
// digits, cut towards zero: exact when it has no more, else less than one part
// in 10^27 too small. Equal amounts in different units are always equal, and a
// smaller amount never comes out above a greater one.
package ucum

// System is the URI of UCUM as a system of codes.
const System = "http://unitsofmeasure.org"
