// One seed for every property, so that a run of the tests repeats the run before it: what a change breaks is the change's. Vitest
// loads this before each file. STARLING_PROPERTY_SEED=<number> asks other questions; a property that fails prints its own seed and path.

import fc from 'fast-check';

const usualSeed = 20_261_121;
const given = process.env['STARLING_PROPERTY_SEED'] ?? String(usualSeed);
if (!/^-?\d{1,10}$/.test(given)) throw new Error(`STARLING_PROPERTY_SEED is "${given}": expected a whole number, such as ${usualSeed}`);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(given) });
