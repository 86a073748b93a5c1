// What test runners write as JUnit XML, in the dialects that are common, as the figures of a step.

import fc from 'fast-check';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { figuresIn } from '../../../control/cli/worker/figures.ts';
import { failedMax, readJUnit, together } from '../../../control/cli/worker/junit.ts';

describe('CDS-19 JUnit XML', () => {
  test('is counted by its cases, through suites in suites, and names what failed', () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="all" tests="99" failures="99">
        <testsuite name="shop"><testcase classname="cart" name="adds &lt;two&gt; &amp; more" time="0.1"/>
          <testsuite name="inner"><testcase classname="cart" name="pays"><failure message="no">at line 3</failure></testcase></testsuite>
          <testcase name="breaks"><error/></testcase><testcase name="later"><skipped/></testcase>
        </testsuite>
        <testsuite name="empty"/>
      </testsuites>`;
    expect(readJUnit(text)).toEqual({ passed: 1, total: 3, skipped: 1, failed: ['breaks', 'cart > pays'] });
  });

  test('may be a single suite, or a single case', () => {
    expect(readJUnit('<testsuite name="a"><testcase name="b"/></testsuite>')).toEqual({ passed: 1, total: 1 });
    expect(readJUnit('<testsuites/>')).toBe(undefined);
  });

  test('what is something else is nothing, and no text makes it throw', () => {
    for (const text of ['', '<html><body/></html>', '<testsuite><testcase>', 'tests: 3', '{"passed": 1}']) expect(readJUnit(text)).toBe(undefined);
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void readJUnit(`<testsuite><testcase name="a">${text}</testcase></testsuite>`)));
    // Entities that grow out of one another are not followed.
    const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 20 }, (_, index) => `<!ENTITY b${index} "${`&${index === 0 ? 'a' : `b${index - 1}`};`.repeat(10)}">`).join('')}]><testsuite><testcase name="&b19;"/></testsuite>`;
    expect(JSON.stringify(readJUnit(bomb) ?? '').length).toBeLessThan(1_000);
  });

  test('of several is summed, and no more names are kept than a person reads', () => {
    const many = readJUnit(`<testsuite>${Array.from({ length: 80 }, (_, index) => `<testcase name="t${index}"><failure/></testcase>`).join('')}</testsuite>`);
    expect(many).toMatchObject({ passed: 0, total: 80 });
    expect(together([...(many === undefined ? [] : [many]), { passed: 2, total: 2, skipped: 1 }])).toMatchObject({ passed: 2, total: 82, skipped: 1 });
    expect(many?.failed).toHaveLength(failedMax);
  });

  test('is found where a step left it, unless it left figures of its own; what is none is said', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'starling-figures-'));
    try {
      const said: string[] = [];
      expect(await figuresIn(directory, (text) => said.push(text))).toBe(undefined);
      await mkdir(join(directory, 'reports'));
      await writeFile(join(directory, 'junit.xml'), '<testsuite><testcase name="a"/></testsuite>');
      await writeFile(join(directory, 'reports', 'TEST-b.xml'), '<testsuite><testcase name="b"><failure/></testcase></testsuite>');
      await writeFile(join(directory, 'pom.xml'), '<project/>');
      expect(await figuresIn(directory, (text) => said.push(text))).toEqual({ passed: 1, total: 2, failed: ['b'] });
      expect(said).toEqual(['pom.xml is not JUnit XML, or longer than 16777216 bytes; it was not read']);
      await writeFile(join(directory, 'report.json'), '{"passed": 7, "total": 8}');
      expect(await figuresIn(directory, () => undefined)).toEqual({ passed: 7, total: 8 });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
