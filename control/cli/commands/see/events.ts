// `starling events`: the journal as it is told to the outside, past and present. A broken stream is taken up where it ended.

import type { Command } from 'commander';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { Compile } from 'typebox/compile';
import { StreamEventSchema, type StreamEvent } from '../../../../proto/api/status.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { World } from '../../world.ts';

/** One event longer than this is no event of ours. */
const eventBytesMax = 1024 * 1024;
/** Without a word for this long the connection is dead: heartbeats come every 15 s. */
const silenceMsMax = 45_000;
const reconnectMs = 1_000;
/** Tries in a row that brought nothing. */
const triesMax = 30;
/** Characters of an event's data on a line for people. */
const dataCharactersMax = 160;

const streamEvent = Compile(StreamEventSchema);

export function registerEvents(program: Command, world: World): void {
  program
    .command('events')
    .description('what happened, and with --follow what happens')
    .option('-f, --follow', 'go on with what happens from now on')
    .option('--since <number>', 'begin after this event; the first one when it is left out, with --follow the newest')
    .action(async ({ follow, since }: { readonly follow?: boolean; readonly since?: string }, command: Command) => {
      const context = contextOf(world, command);
      if (since !== undefined && !/^[0-9]{1,15}$/.test(since)) throw new ControlError('CONFIG_INVALID', `--since: '${since}' is not the number of an event`);
      const first = since === undefined ? (follow === true ? undefined : 0) : Number(since);
      await stream(context, await context.api(), first, follow ?? false);
    });
}

async function stream(context: Context, api: Api, first: number | undefined, follow: boolean): Promise<void> {
  const { world, terminal } = context;
  let position = first;
  for (let tries = 1; ; tries += 1) {
    try {
      for await (const message of messages(api, position, world.signal)) {
        tries = 0;
        if (message.event === 'snapshot-end') {
          if (!follow) return;
          position ??= sequenceOf(message.data);
          continue;
        }
        if (message.event === 'reset') {
          terminal.warn('the journal does not go back that far; events before the first one shown are gone');
          continue;
        }
        const event = parse(message);
        if (event === undefined) continue;
        position = event.sequence;
        terminal.item(event, { text: (item) => describe(item, context), name: ({ id }) => id });
      }
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'UNREACHABLE' || position === first || tries >= triesMax) throw error;
    }
    if (tries >= triesMax) throw new ControlError('UNREACHABLE', `the event stream of ${api.url} ends again and again; is something between that does not let streams through?`);
    await world.clock.wait(reconnectMs, { signal: world.signal });
  }
}

async function* messages(api: Api, since: number | undefined, signal: AbortSignal): AsyncGenerator<EventSourceMessage> {
  const path = since === undefined ? '/v1/events' : `/v1/events?since=${since}`;
  const response = await api.open(path, { accept: 'text/event-stream' }, signal);
  const waiting: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => waiting.push(message), maxBufferSize: eventBytesMax });
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { value, done } = await readInTime(reader, signal);
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* waiting.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** @throws {ControlError} UNREACHABLE after too long a silence, or when the connection broke. */
async function readInTime(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal): Promise<{ readonly value?: Uint8Array | undefined; readonly done: boolean }> {
  const silence = AbortSignal.timeout(silenceMsMax);
  const ended = new Promise<never>((_resolve, reject) => {
    silence.addEventListener('abort', () => reject(new ControlError('UNREACHABLE', 'the event stream fell silent')), { once: true });
  });
  try {
    return await Promise.race([reader.read(), ended]);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof ControlError) throw cause;
    throw new ControlError('UNREACHABLE', `the event stream broke: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function parse(message: EventSourceMessage): StreamEvent | undefined {
  try {
    const value: unknown = JSON.parse(message.data);
    return streamEvent.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Of `{"seq":n}`: where the stream stands. */
function sequenceOf(data: string): number | undefined {
  const [, digits] = /"seq":([0-9]{1,15})/.exec(data) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function describe({ time, id, type, actor, subject, data }: StreamEvent, { terminal }: Context): string {
  const short = JSON.stringify(data);
  const kind = type.replace(/^dev\.starling\./, '').replace(/\.v1$/, '');
  return `${terminal.paint('dim', `${visible(time)} ${visible(id)}`)} ${terminal.paint('cyan', visible(kind))} ${visible(`${subject ?? ''} by ${actor}`)} ${visible(short.length > dataCharactersMax ? `${short.slice(0, dataCharactersMax)}…` : short)}`;
}
