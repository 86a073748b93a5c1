// What `--help` says of every command: in a line at least what it is for, and never wider than the terminal.

import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../../control/cli/cli.ts';
import { testWorld } from './world.ts';

const columns = 80;

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap((one) => everyCommand(one))];
}

const stdout = { write: () => undefined, isTTY: true, columns };
const commands = everyCommand(createProgram(testWorld({ stdout }), () => undefined));

test('every command says what it is for', () => {
  expect(commands.filter((one) => one.description() === '').map((one) => one.name())).toEqual([]);
});

test('no help is wider than 80 columns on a terminal that is', () => {
  const wide = commands.flatMap((one) => one.helpInformation().split('\n').filter((line) => line.length > columns && !line.startsWith('Usage: ')));
  expect(wide).toEqual([]);
});

test('every command of the first level stands under a heading of its own kind', () => {
  const [program] = commands;
  const headings = [...new Set(program?.commands.map((one) => one.helpGroup()))];
  expect(headings).toEqual(['See:', 'Release:', 'Let go, or hold:', 'Arrange:', 'Account for it:', 'Run, and get in:']);
  expect(program?.helpInformation()).toMatch(/\n {2}help \[command\] +how a command is called\n/);
  expect(program?.helpInformation()).not.toContain('\nCommands:');
});
