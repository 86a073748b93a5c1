// JUnit XML, as test runners of most languages write it, as figures: how many passed, and which failed. What is not JUnit is undefined.
// https://github.com/testmoapp/junitxml (there is no standard; this is what the tools agree on)

import { XMLParser } from 'fast-xml-parser';
import type { TestFigures } from '../../../proto/events-pipeline.ts';

/** Names of failed tests that are kept, and characters of each: what a person reads, not the whole of a bad night. */
export const failedMax = 50;
const nameMax = 200;
/** Suites within suites; deeper is another kind of file. */
const depthMax = 32;

const lists: ReadonlySet<string> = new Set(['testsuite', 'testcase', 'failure', 'error', 'skipped']);
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '@', parseTagValue: false, parseAttributeValue: false, isArray: (name) => lists.has(name) });

/** The figures of one report. Tests that were skipped are not among the total: they say nothing. */
export function readJUnit(text: string): TestFigures | undefined {
  const root = parsed(text);
  const suites = fieldsOf(root?.['testsuites']) ?? (root?.['testsuite'] === undefined ? undefined : root);
  if (suites === undefined) return undefined;
  const cases = casesOf(suites, 0);
  const failed = cases.filter(({ end }) => end === 'failed').map(({ name }) => name);
  const skipped = cases.filter(({ end }) => end === 'skipped').length;
  const total = cases.length - skipped;
  return { passed: total - failed.length, total, ...(skipped === 0 ? {} : { skipped }), ...(failed.length === 0 ? {} : { failed: failed.slice(0, failedMax) }) };
}

/** Those of several reports together. */
export function together(all: readonly TestFigures[]): TestFigures | undefined {
  if (all.length === 0) return undefined;
  const sum = (pick: (one: TestFigures) => number): number => all.reduce((before, one) => before + pick(one), 0);
  const failed = all.flatMap((one) => one.failed ?? []).slice(0, failedMax);
  const skipped = sum((one) => one.skipped ?? 0);
  return { passed: sum((one) => one.passed), total: sum((one) => one.total), ...(skipped === 0 ? {} : { skipped }), ...(failed.length === 0 ? {} : { failed }) };
}

interface Case {
  readonly name: string;
  readonly end: 'passed' | 'failed' | 'skipped';
}

function casesOf(suite: Fields, depth: number): readonly Case[] {
  if (depth > depthMax) return [];
  const own = listOf(suite['testcase']).map((one): Case => ({ name: nameOf(one), end: 'failure' in one || 'error' in one ? 'failed' : 'skipped' in one ? 'skipped' : 'passed' }));
  return [...own, ...listOf(suite['testsuite']).flatMap((inner) => casesOf(inner, depth + 1))];
}

function nameOf(one: Fields): string {
  const [group, name] = [one['@classname'], one['@name']];
  const words = [group, name].flatMap((word) => (typeof word === 'string' && word !== '' ? [word] : []));
  return (words.join(' > ') || 'a test without a name').slice(0, nameMax);
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string): Fields | undefined {
  try {
    return fieldsOf(parser.parse(text, true));
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : undefined;
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map((one) => fieldsOf(one) ?? {}) : [];
}
